"""The engine's process dies or hangs while sessions speak: what clients see, and that they go on."""

from __future__ import annotations

import os
import signal

import aiohttp
import psutil
import pytest

from realtime.app import Server
from tests.conftest import Serve
from tests.wire_client import eventually, open_client


def engine_process() -> psutil.Process:
    """The engine's process of the one server that runs."""
    (child,) = (
        each for each in psutil.Process().children() if "realtime.engines.child" in " ".join(each.cmdline())
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
        os.kill(engine_process().pid, number)
        for client in (one, other):
            await client.send("text", text="which may be heard or not.")
            await client.send("end")
            error = await client.until("error")
            assert error["code"] == "engine_failed" and not error["fatal"]
            assert (await client.until("context.done"))["reason"] == "failed"
        # What comes while the engine is replaced waits for the next one.
        for client in (one, other):
            assert (await client.speak("All is well.", "again"))["reason"] == "completed"
        assert await is_ready(server)
        await eventually(lambda: not server.scheduler.admitted)
