"""`realtime.client` against a real server."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.server import ServerConnection, serve

from realtime.app import Server
from realtime.client import ClientError, ContextError, SessionError, connect
from tests.conftest import Serve

TEXT = "One two three. Four five six. Seven eight nine. " * 30


async def test_frames_of_a_context_in_order(server: Server) -> None:
    async with connect(server.url) as session:
        context = session.open(seed=3)
        for token in ("Hel", "lo the", "re. And", " again."):
            await context.send(token)
        await context.end()
        chunks = [chunk async for chunk in context]
    assert [chunk.seq for chunk in chunks] == list(range(len(chunks)))
    assert chunks[0].first and chunks[-1].last
    assert context.done is not None and context.done.reason == "completed"
    assert sum(chunk.duration for chunk in chunks) == context.done.audio_ms * 48
    assert [segment.text for segment in context.segments] == ["Hello there.", "And again."]


async def test_settings_and_address_forms(server: Server) -> None:
    for url in (server.url, server.url + "/", server.url.replace("http", "ws") + "/v1/audio/speech/ws"):
        async with connect(url, formats=["pcm_s16le"]) as session:
            assert session.ready.format == "pcm_s16le"


async def test_barge_in_and_late_tokens_are_no_failure(server: Server) -> None:
    async with connect(server.url) as session:
        context = session.open()
        await context.send(TEXT)
        async for chunk in context:
            if chunk.position > 2000 * 48:
                break
        cancelled = await context.cancel(played_ms=1500)
        assert cancelled.text_spoken + cancelled.text_remaining == TEXT
        # "Four" ends at 1490 ms.
        assert cancelled.text_spoken == "One two three. Four "
        await context.send("late token")
        assert [chunk async for chunk in context] == []
        assert (await context.cancel()).text_spoken == cancelled.text_spoken
        following = session.open()
        await following.send("Heard again.")
        await following.end()
        assert len([chunk async for chunk in following]) > 10


async def test_the_same_id_twice(server: Server) -> None:
    async with connect(server.url) as session:
        first, second = session.open("x"), session.open("x")
        await first.send("First.")
        await first.end()
        await second.send("The second one.")
        await second.end()
        lengths = [sum([chunk.duration async for chunk in context]) for context in (first, second)]
    assert first.done is not None and second.done is not None
    assert first.done.handle != second.done.handle
    assert lengths == [first.done.audio_ms * 48, second.done.audio_ms * 48] and lengths[0] < lengths[1]


async def test_flush_is_heard_before_the_end(server: Server) -> None:
    async with connect(server.url) as session:
        context = session.open()
        await context.send("Half a sent")
        await context.flush()
        async for chunk in context:
            assert chunk.seq == 0
            break
        await context.send("ence.")
        await context.end()
        assert [chunk.last async for chunk in context][-1]


async def test_a_refused_context_fails_alone_and_at_once(server: Server) -> None:
    async with connect(server.url) as session:
        refused = session.open(voice="nobody")
        await refused.send("Nobody says this.")
        await refused.end()
        with pytest.raises(ContextError, match="nobody") as failed:
            async for _ in refused:
                raise AssertionError("a refused context has no sound")
        assert failed.value.code == "unknown_voice"
        with pytest.raises(ContextError):
            await refused.send("more")
        context = session.open()
        await context.send("This is said.")
        await context.end()
        async with asyncio.timeout(5):  # the server ends a silent head only after 10 s
            assert len([chunk async for chunk in context]) > 10


async def test_a_failure_of_a_context(server: Server) -> None:
    async with connect(server.url) as session:
        context = session.open()
        await context.send("a" * 20_000)
        with pytest.raises(ContextError, match="16384") as failed:
            async for _ in context:
                pass
        assert failed.value.code == "text_too_long"


async def test_cancel_before_anything_was_sent(server: Server) -> None:
    async with connect(server.url) as session:
        cancelled = await session.open().cancel()
        assert (cancelled.text_spoken, cancelled.last_seq) == ("", None)


async def test_what_is_refused_at_the_start(server: Server) -> None:
    for settings, code in ({"voice": "nobody"}, "unknown_voice"), ({"formats": ["mp3"]}, "unsupported"):
        with pytest.raises(SessionError) as refused:
            async with connect(server.url, **settings):
                pass
        assert refused.value.code == code


async def test_the_server_goes_away(serve_tone: Serve) -> None:
    async with serve_tone() as server, connect(server.url) as session:
        context = session.open()
        await context.send("Waiting for more text")
        await server.registry.close_all(2)
        with pytest.raises(SessionError, match="1001"):
            async for _ in context:
                pass
        with pytest.raises(SessionError):
            await context.cancel()


@pytest.mark.parametrize("url", ["ws://127.0.0.1:9", "http://", "nonsense"])
async def test_no_server(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(ClientError, match="no server answers"):
        async with connect(url):
            pass


async def test_a_proxy_is_not_asked_for_this_machine(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with connect(server.url) as session:
        assert session.ready.protocol == "realtime.v1"


async def test_a_server_that_speaks_another_protocol() -> None:
    async def other(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send("hello")

    async with serve(other, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        with pytest.raises(SessionError, match="another protocol"):
            async with connect(f"ws://127.0.0.1:{port}"):
                pass


async def test_what_a_newer_server_sends_is_left_out() -> None:
    async def newer(connection: ServerConnection) -> None:
        ready = (
            '{"type":"session.ready","session_id":"s","resume_token":"t","protocol":"realtime.v1","engine":"e",'
            '"features":[],"format":"opus","sample_rate":48000,"frame_ms":20,"pre_skip":312,"voice":"v",'
            '"language":"en","limits":{"message_bytes":1,"text_bytes_per_message":1,'
            '"text_bytes_per_context":1,"contexts":1,"idle_s":1,"resume_window_s":1},"mood":"good"}'
        )
        await connection.recv()
        await connection.send(ready)
        await connection.recv()
        opened = '{"type":"context.opened","context_id":"context-1","handle":1,"voice":"v","language":"en"}'
        for message in ('{"type":"weather","of":"today"}', b"\x09rubbish", opened):
            await connection.send(message)
        done = opened.replace("opened", "done").replace('"voice":"v","language":"en"', "")
        await connection.send(
            done.rstrip("}").rstrip(",")
            + ',"reason":"completed","audio_ms":0,"last_seq":null,"timing":{"first_audio_ms":0,"queue_ms":0,'
            '"infer_ms":0,"encode_ms":0,"total_ms":0}}'
        )
        await connection.wait_closed()

    async with serve(newer, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}") as session:
            context = session.open()
            await context.send("Hello.")
            assert [chunk async for chunk in context] == []
            assert context.done is not None and context.done.reason == "completed"
