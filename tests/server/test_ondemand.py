"""Real servers whose voice is loaded when somebody wants to hear it, and unloaded when nobody does."""

from __future__ import annotations

import asyncio
import os
import pty
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from realtime.app import Server, building, running
from realtime.client import connect
from tests.app.pretending import MODULE, write_settings
from tests.conftest import TONE
from tests.engine_processes import engine_processes
from tests.wire_client import WireClient, eventually, open_client

PCM = "/v1/audio/speech/pcm"
Serve = Callable[..., AbstractAsyncContextManager[tuple[Server, httpx.AsyncClient]]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a model that is pretended, with files that hold up its loading."""
    return write_settings(tmp_path / "model")


@pytest.fixture
def serve(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Starts servers with that model, in a process of its own as always, each with a client over HTTP."""
    monkeypatch.setitem(building.MODULES, "qwen3", MODULE)

    @asynccontextmanager
    async def start(**settings: object) -> AsyncIterator[tuple[Server, httpx.AsyncClient]]:
        config = replace(TONE, engine="qwen3", model_id=str(folder), preload_model=False)
        async with running(replace(config, **settings)) as server:
            async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
                yield server, http

    return start


async def engine_health(http: httpx.AsyncClient) -> dict[str, Any]:
    told: dict[str, Any] = (await http.get("/health")).json()["engine"]
    return told


async def state_becomes(http: httpx.AsyncClient, state: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while (told := await engine_health(http))["state"] != state:  # noqa: ASYNC110 - it can only be asked
            await asyncio.sleep(0.01)
    return told


async def begin(client: WireClient, context_id: str) -> None:
    """A context with all its text."""
    await client.send("text", context_id=context_id, text="Hello.")
    await client.send("end", context_id=context_id)


async def test_it_is_ready_at_once_and_the_first_who_speaks_waits(serve: Serve, folder: Path) -> None:
    (folder / "hold").touch()
    async with serve() as (server, http):
        assert engine_processes(MODULE) == []
        assert (await http.get("/ready")).status_code == 200
        assert await engine_health(http) == {"name": "qwen3", "state": "unloaded", "loading": None}
        assert (await http.get("/v1/voices")).status_code == 200
        first = asyncio.create_task(http.post(PCM, json={"input": "Hello."}))
        told = await state_becomes(http, "loading")
        await eventually(lambda: server.scheduler.load.what == "weights")
        told = await engine_health(http)
        assert told["loading"] == {"what": "weights", "fraction": 0.42}
        assert (await http.get("/ready")).status_code == 200 and not first.done()
        assert len(engine_processes(MODULE)) == 1
        (folder / "hold").unlink()
        answer = await first
        assert answer.status_code == 200 and float(answer.headers["X-Latency-Load-Ms"]) > 0
        assert await engine_health(http) == {"name": "qwen3", "state": "ready", "loading": None}
        again = await http.post(PCM, json={"input": "Hello again."})
        assert float(again.headers["X-Latency-Load-Ms"]) == 0


async def test_who_waits_at_a_websocket_is_told_how_far_it_is(serve: Serve, folder: Path) -> None:
    (folder / "hold").touch()
    async with serve() as (server, _), open_client(server.url) as client:
        await begin(client, "a")
        await begin(client, "b")
        loading = await client.until("loading", what="weights")
        assert (loading["context_id"], loading["handle"], loading["fraction"]) == ("a", 1, 0.42)
        (folder / "hold").unlink()
        done = await client.until("context.done", context_id="a")
        assert done["reason"] == "completed" and done["timing"]["load_ms"] > 0
        assert (await client.until("context.done", context_id="b"))["reason"] == "completed"
        kinds = [item["type"] if isinstance(item, dict) else "frame" for item in client.received]
        told = [kind for kind in kinds if kind != "context.opened"]
        before = told[: told.index("segment")]
        assert before[0] == "session.ready" and set(before[1:]) == {"loading"}
        assert "loading" not in told[told.index("segment") :], (
            "not of the one that waits for its turn, and not later"
        )
        # Nor is anything told when it is there.
        heard = len(client.messages("loading"))
        assert (await client.speak("All is well.", "c"))["timing"]["load_ms"] == 0
        assert len(client.messages("loading")) == heard


async def test_the_client_in_python_tells_it(serve: Serve, folder: Path) -> None:
    (folder / "hold").touch()
    async with serve() as (server, _), connect(server.url) as session:
        context, given_up = session.open(), session.open()
        assert context.loading is None
        for each in (context, given_up):
            await each.send("Hello.")
            await each.end()
        await eventually(lambda: context.loading is not None and context.loading.what == "weights")
        assert context.loading is not None and context.loading.fraction == 0.42
        await given_up.cancel()
        (folder / "hold").unlink()
        async for _ in context:
            assert context.loading is None
        assert context.done is not None and context.done.timing.load_ms > 0
        assert given_up.loading is None


async def test_say_shows_it_on_a_terminal(serve: Serve, folder: Path, tmp_path: Path) -> None:
    (folder / "hold").touch()
    terminal, end = pty.openpty()
    async with serve() as (server, _):
        command = ("-m", "realtime", "say", "Hello.", "--out", str(tmp_path / "x.wav"), "--url", server.url)
        saying = await asyncio.create_subprocess_exec(sys.executable, *command, stderr=end)
        os.close(end)
        shown = b""
        try:
            async with asyncio.timeout(30):
                while b"the voice is being loaded: weights, 42%" not in shown:
                    shown += await asyncio.to_thread(os.read, terminal, 4096)
                (folder / "hold").unlink()
                assert await saying.wait() == 0
        finally:
            if saying.returncode is None:
                saying.kill()
            os.close(terminal)
        assert (tmp_path / "x.wav").stat().st_size > 10_000


async def test_a_cancel_while_it_loads_is_answered_at_once(serve: Serve, folder: Path) -> None:
    (folder / "hold").touch()
    async with serve() as (server, http), open_client(server.url) as client:
        await begin(client, "a")
        await client.until("loading")
        await client.send("cancel", context_id="a")
        cancelled = await client.until("context.cancelled", context_id="a")
        assert cancelled["text_remaining"] == "Hello."
        await eventually(lambda: not server.scheduler._held)
        assert (await engine_health(http))["state"] == "loading"
        (folder / "hold").unlink()
        assert (await client.speak("All is well.", "b"))["reason"] == "completed"


async def test_a_load_that_fails_is_told_and_tried_again(serve: Serve, folder: Path) -> None:
    (folder / "fail").touch()
    said = "the engine could not be loaded: there is no such card"
    async with serve() as (server, http), open_client(server.url) as client:
        await begin(client, "a")
        error = await client.until("error")
        assert (error["code"], error["message"]) == ("engine_failed", said)
        assert (await client.until("context.done"))["reason"] == "failed"
        answer = await http.post(PCM, json={"input": "Hello."})
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "engine_failed")
        assert (await http.get("/ready")).status_code == 200
        assert (await engine_health(http))["state"] == "unloaded" and engine_processes(MODULE) == []
        (folder / "fail").unlink()
        assert (await http.post(PCM, json={"input": "Hello."})).status_code == 200
        assert (await client.speak("All is well.", "b"))["reason"] == "completed"


async def test_it_is_unloaded_after_a_while_and_loaded_again(serve: Serve) -> None:
    """With its process goes all of its memory."""
    async with serve(idle_timeout=0.3) as (server, http), open_client(server.url) as client:
        for number in range(3):
            done = await client.speak("All is well.", f"context-{number}")
            assert done["reason"] == "completed" and done["timing"]["load_ms"] > 0
            assert len(engine_processes(MODULE)) == 1
            await state_becomes(http, "unloaded")
            assert engine_processes(MODULE) == []
            assert (await http.get("/ready")).status_code == 200


async def test_it_stays_while_a_context_is_open(serve: Serve) -> None:
    async with serve(idle_timeout=0.2) as (server, http), open_client(server.url) as client:
        await client.send("text", context_id="a", text="Hello. ")
        await client.send("flush", context_id="a")
        await client.until("flush.done")
        (process,) = engine_processes(MODULE)
        await asyncio.sleep(0.8)
        assert (await engine_health(http))["state"] == "ready"
        assert (await client.speak("And goodbye.", "a"))["reason"] == "completed"
        assert process.is_running()
        await state_becomes(http, "unloaded")


async def test_loaded_at_the_start_and_unloaded_later(serve: Serve, folder: Path) -> None:
    async with serve(preload_model=True, idle_timeout=0.3) as (_, http):
        assert (await http.post(PCM, json={"input": "Hello."})).headers["X-Latency-Load-Ms"] == "0"
        await state_becomes(http, "unloaded")
        assert float((await http.post(PCM, json={"input": "Oh."})).headers["X-Latency-Load-Ms"]) > 0


async def test_the_engine_for_tests_can_be_loaded_on_demand_too() -> None:
    module = "realtime.engines.tone"
    config = replace(TONE, engine_runner="process", preload_model=False, idle_timeout=0.3)
    async with running(config) as server, open_client(server.url) as client:
        assert engine_processes(module) == []
        assert (await client.speak("All is well."))["timing"]["load_ms"] > 0
        assert len(engine_processes(module)) == 1
        await eventually(lambda: server.scheduler.load.phase == "unloaded")
        assert engine_processes(module) == []


async def test_who_comes_and_goes_while_it_comes_and_goes(serve: Serve) -> None:
    """Each is spoken to its end, whatever the engine is at; and nothing is left over."""
    async with serve(idle_timeout=0.05) as (server, http), open_client(server.url) as client:
        for number in range(12):
            answers = [http.post(PCM, json={"input": f"Hello {number} {each}."}) for each in range(3)]
            assert [answer.status_code for answer in await asyncio.gather(*answers)] == [200] * 3
            await begin(client, f"cancelled-{number}")
            await client.send("cancel", context_id=f"cancelled-{number}")
            await client.until("context.cancelled", context_id=f"cancelled-{number}")
            await asyncio.sleep(0.02 * (number % 5))
            assert len(engine_processes(MODULE)) <= 1
        await state_becomes(http, "unloaded")
        await eventually(lambda: not server.scheduler._held and not server.scheduler.admitted)
        assert engine_processes(MODULE) == []


async def test_while_it_is_loaded_at_the_start_the_answer_tells_how_far_it_is(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from realtime.app.serving import listening_server

    monkeypatch.setitem(building.MODULES, "qwen3", MODULE)
    (folder / "hold").touch()
    config = replace(TONE, engine="qwen3", model_id=str(folder))
    async with listening_server(config) as server, httpx.AsyncClient(base_url=server.url) as http:
        loading = asyncio.create_task(server.load())
        await eventually(lambda: server.scheduler.load.what == "weights")
        assert (await http.get("/ready")).status_code == 503
        told = await engine_health(http)
        assert told == {"name": "qwen3", "state": "loading", "loading": {"what": "weights", "fraction": 0.42}}
        said = "the voice is still being loaded (weights 42 %); try again soon"
        answer = await http.post(PCM, json={"input": "Hello."})
        assert (answer.status_code, answer.json()["error"]["message"]) == (503, said)
        handshake = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
        }
        answer = await http.get("/v1/audio/speech/ws", headers=handshake)
        assert (answer.status_code, answer.json()["error"]["message"]) == (503, said)
        (folder / "hold").unlink()
        await loading
        assert (await http.get("/ready")).status_code == 200
        assert (await http.post(PCM, json={"input": "Hello."})).status_code == 200
