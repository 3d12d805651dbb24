"""Who sends every 20 ms wakes together with others, and is told what he has missed."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest

from realtime.server.webrtc.beats import MOST_LATE_S, MOST_TOGETHER, Beats


class _Clock:
    """The system's, which may jump."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> float:
        return time.monotonic() + self.ahead_s


class _Sender:
    """Counts; ends by itself after so many packets, by an error."""

    def __init__(self, beats: Beats, most: int = 1_000_000) -> None:
        self.calls: list[tuple[float, float, int]] = []
        self._most = most
        self.task = asyncio.create_task(beats.keep(self._send))

    async def _send(self, now: float, late_s: float, missed: int) -> None:
        self.calls.append((now, late_s, missed))
        if len(self.calls) == self._most:
            raise ConnectionError("the peer is gone")

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20):
            while True:
                if len(self.calls) >= count:
                    return
                await asyncio.sleep(0.005)


async def _end(*senders: _Sender) -> None:
    for sender in senders:
        sender.task.cancel()
    await asyncio.gather(*(sender.task for sender in senders), return_exceptions=True)
    await asyncio.sleep(0)  # for the tasks of the beats
    assert len(asyncio.all_tasks()) == 1


async def test_deadlines_are_even_however_late_each_packet_is() -> None:
    sender = _Sender(Beats(_Clock()))
    await sender.until(6)
    await _end(sender)
    for (now, late_s, missed), (then, then_late_s, _) in pairwise(sender.calls):
        assert (then - then_late_s) - (now - late_s) == pytest.approx((missed + 1) * 0.02)


async def test_some_wake_together_and_not_too_many() -> None:
    beats = Beats(_Clock())
    senders = [_Sender(beats) for _ in range(MOST_TOGETHER + 1)]
    for sender in senders:
        await sender.until(3)
    moments = [sender.calls[1][0] for sender in senders]
    assert len(set(moments)) == 2
    assert sorted(map(moments.count, set(moments))) == [1, MOST_TOGETHER]
    # Who comes takes the place of who has gone.
    senders[0].task.cancel()
    await asyncio.wait({senders[0].task})
    again = _Sender(beats)
    await again.until(1)
    assert again.calls[0][0] in [call[0] for call in senders[1].calls]
    await _end(again, *senders[1:])


async def test_who_fails_is_told_and_the_others_go_on() -> None:
    beats = Beats(_Clock())
    failing, other = _Sender(beats, most=2), _Sender(beats)
    with pytest.raises(ConnectionError, match="gone"):
        async with asyncio.timeout(20):
            await failing.task
    count = len(other.calls)
    await other.until(count + 3)
    assert len(failing.calls) == 2
    await _end(other)


async def test_who_is_much_too_late_leaves_out_what_he_has_missed() -> None:
    clock = _Clock()
    sender = _Sender(Beats(clock))
    await sender.until(2)
    clock.ahead_s += 0.5
    await sender.until(6)
    await _end(sender)
    late = [call for call in sender.calls if call[2]]
    assert late and all(late_s > MOST_LATE_S and missed == int(late_s / 0.02) for _, late_s, missed in late)
    assert sum(missed for _, _, missed in late) >= 24
