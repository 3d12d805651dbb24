"""Fixtures: real servers on loopback, and clients that keep everything they receive."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import hypothesis
import pytest

from realtime.app import Server, running
from realtime.config import Config
from tests import sharing
from tests.wire_client import WireClient, open_client

# Each process that a test starts would else compile the whole program again: a third of a second of a server.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `-n`, the longest files come first."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        sharing.order(items)


def pytest_configure() -> None:
    """With `-n`, a process that only computes lets those go first that a browser plays in."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        sharing.step_back(os.environ["PYTEST_XDIST_WORKER"])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> sharing.SharedFiles:
    """Says who runs which file."""
    return sharing.SharedFiles(config, log)


@pytest.fixture(scope="module", autouse=True)
def what_is_there_stays() -> None:
    """What other files have left, the collector does not look at again.

    Models and modules are millions of objects: without this each `gc.collect` of a test takes a second.
    """
    gc.collect()
    gc.freeze()


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
