"""The engine's process dies or hangs while sessions speak: what clients see, and that they go on."""

from __future__ import annotations

import os
import signal

import aiohttp
import psutil
import pytest

from realtime.app import Server, running
from realtime.config import Config
from tests.conftest import Serve
from tests.wire_client import eventually, open_client


def engine_process(engine: str = "tone") -> psutil.Process:
    """The process of an engine of the one server that runs."""
    (child,) = (
        each
        for each in psutil.Process().children()
        if f"realtime.engines.{engine}:make" in " ".join(each.cmdline())
    )
    return child


async def is_ready(server: Server) -> bool:
    async with aiohttp.ClientSession() as http, http.get(server.url + "/ready") as answer:
        return answer.status == 200


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_dead_or_frozen_engine_fails_its_utterances_alone(serve_tone: Serve, number: int) -> None:
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
            await client.send("text", text=f"which the {name} will not hear. ")
            await client.send("end")
        await eventually(lambda: len(server.scheduler._held) == 2)
        os.kill(engine_process().pid, number)
        for client in (one, other):
            error = await client.until("error")
            assert error["code"] == "engine_failed" and not error["fatal"]
            assert (await client.until("context.done"))["reason"] == "failed"
        # What comes while the engine is replaced waits for the next one.
        for client in (one, other):
            assert (await client.speak("All is well.", "again"))["reason"] == "completed"
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


async def test_espeak_dies_in_mid_sentence() -> None:
    """That utterance ends as failed, the next one speaks, and English never notices."""
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
        await eventually(lambda: len(server.scheduler._held) == 1)
        os.kill(engine_process("espeak").pid, signal.SIGKILL)
        error = await one.until("error")
        assert error["code"] == "engine_failed" and not error["fatal"]
        assert (await other.speak("It is noon."))["reason"] == "completed"
        failed = await one.until("context.done")
        assert failed["reason"] == "failed" and failed["audio_ms"] > 0
        done = await one.speak("Alles ist gut.", "again")
        assert done["reason"] == "completed" and done["audio_ms"] > 500
