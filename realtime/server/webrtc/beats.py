"""The time of packets: one every 20 ms, by absolute deadlines, with few wakes of the event loop.

A wake costs as much as several packets, for the caches are cold by then. So senders wake together, a few at a
time: each beat has its own deadlines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from realtime.clock import Clock
from realtime.live.track import PACKET_MS

_PACKET_S = PACKET_MS / 1000
#: Who is later than this leaves out what he has missed: else the listener would stay behind by it.
MOST_LATE_S = 0.1
#: Packets that leave one right after another: the last of them half a millisecond after the first.
MOST_TOGETHER = 16

#: Sends a packet: what time it is, by how much that is late, in seconds, and how many are left out before it.
Send = Callable[[float, float, int], Awaitable[None]]


class Beats:
    """Those of one event loop."""

    def __init__(self, clock: Clock) -> None:
        """Nobody sends anything."""
        self._clock = clock
        self._beats: list[_Beat] = []

    async def keep(self, send: Send) -> None:
        """Call `send` every 20 ms until it raises something, which is raised here, or this is cancelled."""
        beat = next((each for each in self._beats if len(each.senders) < MOST_TOGETHER), None)
        if beat is None:
            beat = _Beat(self._clock)
            self._beats.append(beat)
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        beat.senders[over] = send
        try:
            await over
        finally:
            del beat.senders[over]
            if not beat.senders:
                self._beats.remove(beat)
                beat.task.cancel()


class _Beat:
    """Senders that wake at the same time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.senders: dict[asyncio.Future[None], Send] = {}
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        due = self._clock.now()
        while True:
            now = self._clock.now()
            if now < due:
                await asyncio.sleep(due - now)
                now = self._clock.now()
            late_s = now - due
            missed = int(late_s / _PACKET_S) if late_s > MOST_LATE_S else 0
            due += (missed + 1) * _PACKET_S
            for over, send in list(self.senders.items()):
                try:
                    await send(now, late_s, missed)
                except Exception as error:  # his own affair: the others go on
                    if not over.done():
                        over.set_exception(error)
