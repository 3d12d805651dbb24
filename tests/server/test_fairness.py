"""One session's work does not become another's wait."""

from __future__ import annotations

from realtime.app import running
from realtime.config import Config
from tests.wire_client import open_client


async def test_a_long_japanese_sentence_lets_another_speak_in_between() -> None:
    """The network is hardly faster than its own speech; between its chunks somebody else has a turn."""
    long = "今日は良い天気ですので、公園まで歩いて行きましょう、" * 8 + "そうしましょう。"
    async with (
        running(Config(port=0)) as server,
        open_client(server.url) as one,
        open_client(server.url) as other,
    ):
        for client in (one, other):
            client.patience_s = 60  # a large voice is loaded
            await client.send("session.start", language="ja")
        await one.send("text", text=long)
        await one.send("end")
        await one.until_frame()
        done = await other.speak("はい。")
        assert done["reason"] == "completed"
        await one.pong()
        assert one.messages("context.done") == []
        await one.send("cancel")
        await one.until("context.cancelled")
