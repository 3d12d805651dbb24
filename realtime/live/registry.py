"""The sessions of a server: how many there may be, which one a token means, and a way to end them all."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from realtime.errors import ERRORS, QueueFullError
from realtime.live.driver import Driver
from realtime.live.track import Outlet
from realtime.live.transport import Transport, TransportClosedError
from realtime.session import messages as wire
from realtime.session.track import TRACK_TOKEN_PREFIX

_RETRY_AFTER_MS = 1000


def new_id() -> str:
    """An id or token that cannot be guessed."""
    return secrets.token_urlsafe(16)


async def refuse(transport: Transport, full: QueueFullError) -> None:
    """Tell a client that there is no room for it, and close."""
    error = wire.Error(full.code, full.message, fatal=True, retry_after_ms=full.retry_after_ms)
    with contextlib.suppress(TransportClosedError):
        await transport.send_text(wire.encode(error))
    await transport.close(ERRORS[full.code].close_code, "no room")


class Registry:
    """Owns the running sessions: those that have a socket, and those that wait for another one."""

    def __init__(self, max_sessions: int) -> None:
        """More than `max_sessions` at a time are refused; who has no socket makes room for who has one."""
        self._max_sessions = max_sessions
        self._sessions: dict[str, tuple[Driver, asyncio.Task[None]]] = {}
        self._sockets: set[asyncio.Task[None] | None] = set()
        self._changed = asyncio.Event()
        self._draining = False

    @property
    def count(self) -> int:
        """Sessions that are running, with or without a socket."""
        return len(self._sessions)

    @property
    def detached(self) -> int:
        """Sessions that have lost their socket."""
        return sum(driver.lost_at is not None for driver, _ in self._sessions.values())

    @property
    def contexts(self) -> int:
        """Contexts of all sessions that are being spoken."""
        return sum(driver.contexts for driver, _ in self._sessions.values())

    def leads_s(self) -> Iterator[float]:
        """Sound that each listener has in hand while more is being made, in seconds."""
        for driver, _ in self._sessions.values():
            if (lead_s := driver.lead_s()) is not None:
                yield lead_s

    def find(self, session_id: str) -> Driver | None:
        """A running session."""
        found = self._sessions.get(session_id)
        return found[0] if found else None

    def check_room(self, expected: int = 0) -> None:
        """Raises `QueueFullError` when there is no room for another socket, with so many that are to come."""
        if self._draining:
            raise QueueFullError("the server is shutting down", _RETRY_AFTER_MS)
        if len(self._sockets) + expected >= self._max_sessions:
            raise QueueFullError(
                f"{self._max_sessions} sessions are open, which is all this server takes", _RETRY_AFTER_MS
            )

    def find_by_track_token(self, token: str) -> Driver | None:
        """The running session whose track a token is for."""
        session_id, _, _ = token.removeprefix(TRACK_TOKEN_PREFIX).partition(".")
        driver = self.find(session_id)
        if driver is None or not secrets.compare_digest(driver.track.token.encode(), token.encode()):
            return None
        return driver

    async def serve(self, driver: Driver, transport: Transport, outlet: Outlet | None = None) -> None:
        """Begin a session, and serve its first socket to the end; the session may go on after that.

        `outlet` carries the track of a session that is led over a data channel.
        """
        async with self._socket():
            task = asyncio.create_task(driver.run())
            self._sessions[driver.session_id] = driver, task
            task.add_done_callback(lambda _: self._forget(driver))
            await driver.serve(transport, on_begin=self._make_room, outlet=outlet)

    @asynccontextmanager
    async def _socket(self) -> AsyncIterator[None]:
        this = asyncio.current_task()
        self._sockets.add(this)
        try:
            yield
        finally:
            self._sockets.discard(this)
            self._changed.set()

    def _make_room(self) -> None:
        """One more has begun: give up who has been without a socket for longest.

        Not when the socket comes: perhaps it comes to take up just that session.
        """
        begun = [driver for driver, _ in self._sessions.values() if driver.has_begun]
        lost = [driver for driver in begun if driver.lost_at is not None]
        lost.sort(key=lambda driver: driver.lost_at or 0.0)
        for driver in lost[: max(0, len(begun) - self._max_sessions)]:
            driver.give_up()

    def _forget(self, driver: Driver) -> None:
        del self._sessions[driver.session_id]
        self._changed.set()

    # -- the end ----------------------------------------------------------------------------------------

    async def drain(self, timeout_s: float) -> None:
        """No new sessions; have those that are running finish, and wait for them for `timeout_s` at most."""
        self._draining = True
        for driver, _ in list(self._sessions.values()):
            driver.drain(round(timeout_s * 1000))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._until_empty()

    async def close_all(self, timeout_s: float) -> None:
        """Ask every session to close with 1001; those that have not after `timeout_s` are cancelled."""
        self._draining = True
        for driver, _ in list(self._sessions.values()):
            driver.shut_down()
        try:
            async with asyncio.timeout(timeout_s):
                await self._until_empty()
        except TimeoutError:
            tasks = [*self._sockets, *(task for _, task in self._sessions.values())]
            for task in tasks:
                if task is not None:
                    task.cancel()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._until_empty()

    async def _until_empty(self) -> None:
        while self._sessions or self._sockets:
            self._changed.clear()
            await self._changed.wait()
