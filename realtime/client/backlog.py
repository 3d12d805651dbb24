"""How much sound waits to be taken, and whether the socket is read therefore.

The rules:
1. While as much as `max_ms` waits, over all contexts, the socket is not read: TCP slows the server down.
2. While an answer is awaited it is read all the same, for the answer stands behind sound. What comes with it
   is kept, so the bound may be exceeded by what the network had under way.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterator
from math import inf

from realtime.client.chunks import Chunk
from realtime.types import TIMELINE_PER_MS


class Backlog:
    """The sound of one session that nobody has taken yet, counted in samples of 48 kHz."""

    def __init__(self, max_ms: float) -> None:
        """Raises `ValueError` unless `max_ms` is above 0."""
        if not max_ms > 0:
            raise ValueError(f"max_buffered_ms must be above 0, not {max_ms}")
        self._max = max_ms * TIMELINE_PER_MS
        self._waiting = 0
        self._answers_awaited = 0
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    @property
    def waiting_ms(self) -> float:
        """How much sound waits, in ms."""
        return self._waiting / TIMELINE_PER_MS

    def add(self, samples: int) -> None:
        """Sound has come."""
        self._waiting += samples

    def remove(self, samples: int) -> None:
        """Sound was taken or thrown away."""
        self._waiting -= samples
        self._changed.set()

    def forget(self, chunks: Collection[Chunk]) -> None:
        """What held `chunks` is gone; may be called in any thread, for the garbage collector runs in any."""
        if not chunks:
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the session with it
            self._loop.call_soon_threadsafe(self.remove, sum(chunk.duration for chunk in chunks))

    @contextlib.contextmanager
    def answer_awaited(self) -> Iterator[None]:
        """Inside, the socket is read whatever waits."""
        self._answers_awaited += 1
        self._changed.set()
        try:
            yield
        finally:
            self._answers_awaited -= 1

    def lift(self) -> None:
        """There is no bound any more."""
        self._max = inf
        self._changed.set()

    @property
    def is_full(self) -> bool:
        """Whether the socket may not be read now."""
        return self._waiting >= self._max and not self._answers_awaited

    async def room(self) -> None:
        """Returns when the socket may be read."""
        while self.is_full:
            self._changed.clear()
            await self._changed.wait()
