"""Real servers with an engine that has a model: its voices, its languages, and how they are told to speak."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest

from realtime.app import Server, building, running
from realtime.engines.tone import dominant_hz
from tests.app.pretending import MODULE, told_hz, write_settings
from tests.conftest import TONE
from tests.server.test_voices_http import HZ, NAMED, YES, file, heard_hz, recording
from tests.wire_client import WireClient, open_client

PCM = "/v1/audio/speech/pcm"
Serve = Callable[..., AbstractAsyncContextManager[Server]]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Starts servers with a model of some kind and size, that is pretended."""
    monkeypatch.setitem(building.MODULES, "qwen3", MODULE)

    @asynccontextmanager
    async def start(kind: str, size: str = "1b7", **settings: object) -> AsyncIterator[Server]:
        folder = write_settings(tmp_path / kind / size, kind, size)
        config = replace(
            TONE, engine="qwen3", model_id=str(folder), data_folder=str(tmp_path / "data"), **settings
        )
        async with running(config) as server:
            yield server

    return start


@asynccontextmanager
async def http_of(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        yield client


async def pitch(client: WireClient, text: str = "Hello.", **settings: object) -> float:
    """What a context with these settings sounds like; the client takes PCM."""
    context_id = str(len(client.received))
    await client.send("context.open", context_id=context_id, **settings)
    await client.send("text", context_id=context_id, text=text)
    await client.send("end", context_id=context_id)
    done = await client.until("context.done", context_id=context_id)
    assert done["reason"] == "completed"
    frames = b"".join(frame.packet.payload for frame in client.frames(done["handle"]))
    return dominant_hz(np.frombuffer(frames, "<i2").astype(np.float32) / 32_768, 24_000)


def about(hz: float) -> object:
    return pytest.approx(hz, abs=4)


async def test_instructions_reach_the_engine_over_a_websocket(serve: Serve) -> None:
    async with serve("custom_voice") as server, open_client(server.url) as client:
        await client.send("session.start", formats=["pcm_s16le"], language="en")
        ready = await client.until("session.ready")
        assert ready["voice"] == "ryan" and "instruct" in ready["features"]
        assert await pitch(client) == about(told_hz("en"))
        assert await pitch(client, instruct="softly") == about(told_hz("en", "softly"))
        assert await pitch(client, voice="Zoe", instruct="softly") == about(told_hz("en", "softly"))
        await client.send("session.update", instruct="loud")
        assert await pitch(client) == about(told_hz("en", "loud"))
        assert await pitch(client, instruct="") == about(told_hz("en"))


async def test_the_model_hears_the_language_by_itself(serve: Serve) -> None:
    async with serve("custom_voice") as server, open_client(server.url) as client:
        await client.send("session.start", formats=["pcm_s16le"])
        assert await pitch(client) == about(told_hz("auto"))
        assert await pitch(client, "你好，今天天气很好。") == about(told_hz("auto"))
        assert await pitch(client, language="zh") == about(told_hz("zh"))
        assert await pitch(client, voice="vivian", language="en-GB") == about(told_hz("en"))
        await client.send("context.open", context_id="de", language="de")
        error = await client.until("error")
        assert error["code"] == "unknown_language" and error["message"].endswith("spoken: en, zh")


async def test_instructions_over_http(serve: Serve) -> None:
    async with serve("custom_voice") as server, http_of(server) as http:
        for instructions, hz in (("softly", told_hz("auto", "softly")), ("", told_hz("auto"))):
            answer = await http.post(PCM, json={"input": "Hello.", "instructions": instructions})
            assert answer.status_code == 200 and heard_hz(answer.content) == about(hz)


async def test_a_small_model_refuses_instructions_everywhere(serve: Serve) -> None:
    said = "voice 'ryan' of the model 0b6 takes no instructions: leave them out"
    async with serve("custom_voice", "0b6") as server, open_client(server.url) as client:
        await client.send("session.start", instruct="softly")
        error = await client.until("error")
        assert (error["code"], error["message"]) == ("unsupported", said)
        await client.send("session.start")
        assert "instruct" not in (await client.until("session.ready"))["features"]
        await client.send("context.open", instruct="softly")
        assert (await client.until("error"))["message"] == said
        assert (await client.speak("All is well."))["reason"] == "completed"
        async with http_of(server) as http:
            answer = await http.post(PCM, json={"input": "Hello.", "instructions": "softly"})
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error["param"]) == (501, "unsupported", "instructions")
            listed = (await http.get("/v1/voices")).json()["data"]
            assert {voice["instruct"] for voice in listed} == {"no"}


async def test_a_speaker_that_the_model_lacks(serve: Serve) -> None:
    async with serve("custom_voice") as server, http_of(server) as http:
        answer = await http.post(PCM, json={"input": "Hello.", "voice": "sohee"})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (400, "unknown_voice", "voice")
        assert error["message"] == "voice 'sohee' is not known; known: ryan, vivian, zoe"


async def test_a_voice_that_is_described(serve: Serve) -> None:
    async with serve("voice_design") as server, http_of(server) as http:
        described = {"input": "Hello.", "instructions": "an old man"}
        answer = await http.post(PCM, json=described)
        assert heard_hz(answer.content) == about(told_hz("auto", "an old man"))
        answer = await http.post(PCM, json={"input": "Hello."})
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (
            400,
            "invalid_message",
            "instructions",
        )
        assert (await http.get("/v1/voices/design")).json()["instruct"] == "required"
        assert (await http.get("/v1/voices/design/sample")).status_code == 200
        async with open_client(server.url) as client:
            await client.send("session.start")
            assert (await client.until("session.ready"))["voice"] == "design"
            await client.send("text", text="Hello.")
            error = await client.until("error")
            assert error["code"] == "invalid_message" and "needs instructions" in error["message"]
        async with open_client(server.url) as client:
            await client.connection.send('{"input": "Hello.", "instruct": "an old man"}')
            assert isinstance(await client.connection.recv(), bytes)
            await client.connection.send('{"input": "Hello."}')
            while isinstance(told := await client.connection.recv(), bytes) or "done" in told:
                pass
            assert "needs instructions" in told


@pytest.mark.parametrize("kind", ["voice_design", "base"])
async def test_one_loudness_of_all_voices(serve: Serve, kind: str) -> None:
    """Where no voice is there at the start, none is measured then; but when it is first to speak."""
    async with serve(kind, loudness_lufs=-23.0) as server, http_of(server) as http:
        if kind == "base":
            added = await http.post("/v1/voices", data=NAMED, files=file(recording()))
            asked = {"input": "Hello.", "voice": added.json()["id"]}
        else:
            asked = {"input": "Hello.", "instructions": "an old man"}
        assert (await http.post(PCM, json=asked)).status_code == 200


async def test_a_model_with_cloned_voices_only(serve: Serve) -> None:
    how = "the model 1b7 speaks with cloned voices only: make one with POST /v1/voices, and name it"
    async with serve("base") as server, http_of(server) as http:
        assert (await http.get("/v1/voices")).json()["data"] == []
        for voice in (None, "alloy"):
            answer = await http.post(PCM, json={"input": "Hello.", "voice": voice})
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error["param"]) == (400, "unknown_voice", "voice")
            assert error["message"] == f"no voice was named; {how}"
        assert (await http.get("/v1/voices/alloy")).status_code == 404
        assert (await http.get("/openapi.json")).status_code == 200
        added = await http.post("/v1/voices", data=NAMED, files=file(recording()))
        name = added.json()["id"]
        answer = await http.post(PCM, json={"input": "Hello.", "voice": name})
        assert heard_hz(answer.content) == about(HZ)
        answer = await http.post(PCM, json={"input": "Hello.", "voice": name, "instructions": "softly"})
        assert answer.json()["error"]["code"] == "unsupported"
        form = {"input": "Hello.", "response_format": "pcm", **YES}
        passing = await http.post("/v1/audio/clone", data=form, files=file(recording()))
        assert passing.status_code == 200 and heard_hz(passing.content) == about(HZ)
        asked = {**form, "instructions": "softly"}
        refused = await http.post("/v1/audio/clone", data=asked, files=file(recording()))
        error = refused.json()["error"]
        assert (refused.status_code, error["param"]) == (501, "instructions")
        async with open_client(server.url) as client:
            await client.send("session.start")
            assert (await client.until("session.ready"))["voice"] == ""
            await client.send("text", context_id="a", text="Hello.")
            error = await client.until("error")
            assert (error["code"], error["message"]) == ("unknown_voice", f"no voice was named; {how}")
            await client.send("session.update", voice=name)
            assert (await client.until("session.ready"))["voice"] == name
            assert (await client.speak("All is well.", "b"))["reason"] == "completed"
        async with open_client(server.url) as client:
            await client.connection.send('{"input": "Hello."}')
            assert "cloned voices only" in str(await client.connection.recv())
