"""The sessions that are running: a limit, a count, and a way to end them all."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from realtime.errors import QueueFullError
from realtime.live.driver import Driver

_RETRY_AFTER_MS = 1000


def new_id() -> str:
    """An id or token that cannot be guessed."""
    return secrets.token_urlsafe(16)


class Registry:
    """Drivers of running sessions."""

    def __init__(self, max_sessions: int) -> None:
        """More than `max_sessions` at a time are refused."""
        self._max_sessions = max_sessions
        self._drivers: dict[Driver, asyncio.Task[None] | None] = {}
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def count(self) -> int:
        """Sessions that are running."""
        return len(self._drivers)

    def check_room(self) -> None:
        """Raises `QueueFullError` when there is no room for another session."""
        if len(self._drivers) >= self._max_sessions:
            raise QueueFullError(
                f"{self._max_sessions} sessions are open, which is all this server takes", _RETRY_AFTER_MS
            )

    @contextmanager
    def running(self, driver: Driver) -> Iterator[None]:
        """Counts a session for as long as the block runs, in the task that runs it."""
        self._drivers[driver] = asyncio.current_task()
        self._empty.clear()
        try:
            yield
        finally:
            del self._drivers[driver]
            if not self._drivers:
                self._empty.set()

    async def close_all(self, timeout_s: float) -> None:
        """Ask every session to close with 1001; those that have not after `timeout_s` are cancelled."""
        for driver in self._drivers:
            driver.shut_down()
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            for task in self._drivers.values():
                if task is not None:
                    task.cancel()
