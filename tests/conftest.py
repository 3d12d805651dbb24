"""Fixtures: real servers on loopback, and clients that keep everything they receive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import hypothesis
import pytest

from realtime.app import Server, running
from realtime.config import Config
from tests.wire_client import WireClient, open_client

# How long an example takes says nothing on a machine that is shared.
hypothesis.settings.register_profile("shared", deadline=None)
hypothesis.settings.load_profile("shared")

#: The engine whose sound and time are exact, in this process: a server starts in milliseconds. A client has
#: all sound at once, and one that vanishes is gone: tests of credit and resume say otherwise.
TONE = Config(
    port=0,
    engine="tone",
    engine_runner="thread",
    engine_threads=1,
    data_folder="/nowhere",
    max_lead_ms=0,
    resume_window_s=0,
)
Serve = Callable[..., AbstractAsyncContextManager[Server]]


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A server with the tone engine."""
    async with running(TONE) as listening:
        yield listening


@pytest.fixture
async def client(server: Server) -> AsyncIterator[WireClient]:
    """A client of `server` that has sent nothing yet."""
    async with open_client(server.url) as connected:
        yield connected


@pytest.fixture
def serve_tone() -> Serve:
    """Starts a server with the tone engine and settings of one's own."""

    @asynccontextmanager
    async def start(**settings: object) -> AsyncIterator[Server]:
        async with running(replace(TONE, **settings)) as listening:  # type: ignore[arg-type]
            yield listening

    return start
