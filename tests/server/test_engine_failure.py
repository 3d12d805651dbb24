"""The engine's process dies or hangs while sessions speak: what clients see, and that they go on."""

from __future__ import annotations

import os
import signal

import aiohttp
import psutil
import pytest

from realtime.app import Server, running, serving
from realtime.config import Config
from realtime.engines.process import ProcessEngine
from realtime.engines.thread import ThreadEngine
from tests.conftest import Serve
from tests.engine_processes import engine_processes
from tests.engines.faulty import FaultySynthesizer
from tests.wire_client import eventually, open_client


def engine_process(engine: str = "tone") -> psutil.Process:
    """The process of an engine of the one server that runs."""
    (child,) = engine_processes(f"realtime.engines.{engine}")
    return child


async def is_ready(server: Server) -> bool:
    async with aiohttp.ClientSession() as http, http.get(server.url + "/ready") as answer:
        return answer.status == 200


@pytest.fixture
def faulty_engine(monkeypatch: pytest.MonkeyPatch) -> ProcessEngine:
    """The engine of the next server: it whistles, has faults, and works on one text at a time."""
    engine = ProcessEngine("tests.engines.faulty:make_faulty", 1, 2.0)
    monkeypatch.setattr(serving, "make_engine", lambda config, model: engine)
    return engine


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_who_has_heard_nothing_of_a_text_does_not_notice_a_dead_or_frozen_engine(
    serve_tone: Serve, number: int
) -> None:
    async with (
        serve_tone(engine_runner="process", engine_timeout_s=2.0) as server,
        open_client(server.url) as one,
        open_client(server.url) as other,
    ):
        for client in (one, other):
            await client.send("text", text="This is heard. And this is the next one, ")
            await client.until_frame()
        os.kill(engine_process().pid, signal.SIGSTOP)
        for name, client in ("one", one), ("other", other):
            await client.send("text", text=f"which the {name} will hear as well. ")
            await client.send("end")
        await eventually(lambda: len(server.scheduler._held) == 2)
        os.kill(engine_process().pid, number)
        for client in (one, other):
            done = await client.until("context.done")
            assert done["reason"] == "completed" and done["audio_ms"] > 3000
            assert not client.messages("error")
        # What comes while the engine is replaced waits for the next one.
        for client in (one, other):
            assert (await client.speak("All is well.", "again"))["reason"] == "completed"
        assert await is_ready(server)
        await eventually(lambda: not server.scheduler.admitted)


async def test_a_text_that_the_engine_dies_of_is_tried_twice_and_takes_nobody_along(
    serve_tone: Serve, faulty_engine: ProcessEngine
) -> None:
    async with (
        serve_tone() as server,
        open_client(server.url) as one,
        open_client(server.url) as other,
    ):
        await one.send("text", text="You must DIE of it. ")
        await one.send("end")
        await other.send("text", text="I hear all of it. ")
        await other.send("end")
        error = await one.until("error")
        assert error["code"] == "engine_failed" and not error["fatal"]
        failed = await one.until("context.done")
        assert failed["reason"] == "failed" and failed["audio_ms"] == 0
        done = await other.until("context.done")
        assert done["reason"] == "completed" and not other.messages("error")
        assert (await one.speak("All is well.", "again"))["reason"] == "completed"
        assert faulty_engine.restarts == 2
        await eventually(lambda: not server.scheduler.admitted)


@pytest.mark.parametrize("fault", ["KILL", "HANG"])
async def test_what_was_heard_is_not_said_again(
    serve_tone: Serve, faulty_engine: ProcessEngine, fault: str
) -> None:
    """The sound up to there, then the failure of this context alone."""
    async with (
        serve_tone() as server,
        open_client(server.url) as one,
        open_client(server.url) as other,
    ):
        await one.send("text", text=f"Half of this is heard {fault} and then no more. This is")
        await one.until_frame()
        await one.send("end")
        await other.send("text", text="I hear all of it. ")
        await other.send("end")
        error = await one.until("error")
        assert error["code"] == "engine_failed" and not error["fatal"]
        failed = await one.until("context.done")
        assert failed["reason"] == "failed" and failed["audio_ms"] > 500
        assert (await other.until("context.done"))["reason"] == "completed"
        assert faulty_engine.restarts == 1
        await eventually(lambda: not server.scheduler.admitted)


async def test_a_hanging_thread_fails_its_text_alone(
    serve_tone: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine in this process: it gets another thread."""
    engine = ThreadEngine(FaultySynthesizer(), 1, timeout_s=0.5)
    monkeypatch.setattr(serving, "make_engine", lambda config, model: engine)
    async with (
        serve_tone() as server,
        open_client(server.url) as one,
        open_client(server.url) as other,
    ):
        await one.send("text", text="This is heard, HANG and that is not. ")
        await one.send("end")
        assert (await other.speak("I hear all of it. "))["reason"] == "completed"
        error = await one.until("error")
        assert error["code"] == "engine_failed" and not error["fatal"]
        assert (await one.until("context.done"))["reason"] == "failed"
        assert (await one.speak("All is well.", "again"))["reason"] == "completed"
        assert await is_ready(server)
        await eventually(lambda: not server.scheduler.admitted)


async def test_a_context_that_asks_nothing_of_the_engine_outlives_its_death(serve_tone: Serve) -> None:
    async with serve_tone(engine_runner="process") as server, open_client(server.url) as client:
        await client.send("text", text="This is heard. And ")
        await client.until_frame()
        await eventually(lambda: not server.scheduler._held)
        os.kill(engine_process().pid, signal.SIGKILL)
        await client.send("text", text="this is heard as well.")
        await eventually(lambda: not server.scheduler.engine_ready)
        await client.send("end")
        assert (await client.until("context.done"))["reason"] == "completed"
        assert not client.messages("error")


async def test_espeak_dies_before_a_sentence() -> None:
    """Its next process says it, and English never notices."""
    german = "Guten Tag, das ist ein langer Satz, der noch lange nicht zu Ende ist. "
    async with (
        running(Config(port=0)) as server,
        open_client(server.url) as one,
        open_client(server.url) as other,
    ):
        await one.send("session.start", language="de")
        await one.send("text", text="Hallo. ")
        await one.send("flush")
        await one.until("flush.done")
        await eventually(lambda: not server.scheduler._held)
        os.kill(engine_process("espeak").pid, signal.SIGSTOP)
        await one.send("text", text=german)
        await one.send("end")
        await eventually(lambda: len(server.scheduler._held) == 1)
        os.kill(engine_process("espeak").pid, signal.SIGKILL)
        assert (await other.speak("It is noon."))["reason"] == "completed"
        done = await one.until("context.done")
        assert done["reason"] == "completed" and not one.messages("error")
        assert done["audio_ms"] > 3500
