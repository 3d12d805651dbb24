"""How a session is had and given up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from realtime.client.backlog import Backlog
from realtime.client.dialing import Dialer
from realtime.client.line import Line
from realtime.client.session import Session
from realtime.session import messages as wire


@contextlib.asynccontextmanager
async def connect(
    url: str,
    *,
    api_key: str | None = None,
    traceparent: str | None = None,
    max_buffered_ms: float = 30_000,
    resume: bool = True,
    stall_s: float = 10,
    **settings: Any,
) -> AsyncIterator[Session]:
    """A session with the server at `url` (ws://, wss://, http:// or https://, with or without the path).

    `api_key` is for a server that asks for one; `traceparent` (W3C Trace Context) names the trace in which
    the server is to log the session. `settings` are the fields of `session.start`.
    `max_buffered_ms`: sound that nobody has taken, over all contexts, at which the socket is read no more
    (see `Session`). `resume`: when the network is lost, or says nothing for `stall_s` and does not answer for
    as long again, the session is taken up again on a new connection: nothing is lost or said twice, it only
    takes time. That is tried for the server's resume window; then the session is closed. The session closes
    with the block, and what is still under way is dropped; to hear all, take all of it, or call
    `Session.close` first. Raises `ConnectionFailedError`, `SessionRefusedError`; `TypeError` for fields that
    the protocol does not know.
    """
    if not stall_s > 0:
        raise ValueError(f"stall_s must be above 0, not {stall_s}")
    dialer = Dialer(url, api_key, wire.SessionStart(**settings), traceparent)
    backlog = Backlog(max_buffered_ms)
    connection, ready = await dialer.dial()
    session = Session(Line(dialer, connection, ready, resume, stall_s), ready, backlog, stall_s)
    running = asyncio.create_task(session.run())
    try:
        yield session
    finally:
        try:
            if session.leave():
                await session.hang_up()
                await running
        finally:  # the one who leaves may be cancelled meanwhile
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
