"""Where the listener is, by the clock.

A context starts to play at its first frame, or when the one before it has played out, whichever is later;
it stands still when it reaches what was sent. Times are seconds, positions milliseconds of sent audio.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class _Head:
    """At `base_time` the listener was (or will be) at `base_ms`, moving until it reaches `sent_ms`."""

    base_time: float
    base_ms: float
    sent_ms: float

    def position_ms(self, now: float) -> float:
        moved = self.base_ms + max(0.0, now - self.base_time) * 1000
        return min(self.sent_ms, moved)

    def ends_at(self) -> float:
        return self.base_time + (self.sent_ms - self.base_ms) / 1000


class Playout:
    """The play heads of one session's contexts, by handle."""

    def __init__(self) -> None:
        self._heads: dict[int, _Head] = {}
        self._busy_until = 0.0  # when the contexts that were sent so far have been played

    def sent(self, handle: int, sent_ms: float, now: float) -> None:
        """Sound of `handle` has been sent up to `sent_ms`."""
        head = self._heads.get(handle)
        if head is None:
            head = self._heads[handle] = _Head(max(now, self._busy_until), 0.0, 0.0)
        elif head.ends_at() <= now:
            # It had run dry: it goes on from where it stood.
            head.base_ms, head.base_time = head.sent_ms, now
        head.sent_ms = sent_ms
        self._busy_until = max(self._busy_until, head.ends_at())

    def position_ms(self, handle: int, now: float) -> float:
        """How far the listener is in `handle`; 0 when nothing of it was sent."""
        head = self._heads.get(handle)
        return head.position_ms(now) if head else 0.0

    def ends_at(self, handle: int, now: float) -> float:
        """When what was sent of `handle` has been played; `now` when nothing was."""
        head = self._heads.get(handle)
        return head.ends_at() if head else now

    def stop(self, handle: int, now: float) -> None:
        """The listener drops what it has of `handle`: the next context may start at once."""
        head = self._heads.get(handle)
        if head is None or head.ends_at() <= now:
            return
        position = head.position_ms(now)
        head.base_time, head.base_ms, head.sent_ms = now, position, position
        self._busy_until = 0.0
        for other in self._heads.values():  # in the order in which they play
            if other.base_time > now:
                other.base_time = max(now, self._busy_until)
            self._busy_until = max(self._busy_until, other.ends_at())

    def forget(self, handle: int) -> None:
        """Nothing will be asked about `handle` any more."""
        self._heads.pop(handle, None)
