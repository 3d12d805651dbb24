"""Where the listener is: by the reports of the client, else by the clock.

The rules:
1. By the clock a context starts to play at its first frame, or when the one before it has played out,
   whichever is later; it stands still when it reaches what was sent.
2. A report moves the listener to where it says, at most to what was sent. The clock runs on from there for
   `RUN_ON_S` at most: a player that says nothing more may have stopped. Reports that go backwards count for
   nothing.
3. Who is heard in one context has heard those before it.
4. While a context is paused its listener stands still, and with it those who come after.

Times are seconds, positions milliseconds of sent audio.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

#: So long the clock runs on from a report.
RUN_ON_S = 2.0


@dataclass(slots=True)
class _Head:
    """At `base_time` the listener was (or will be) at `base_ms`, moving until it reaches `sent_ms`."""

    earliest_start: float
    base_time: float
    base_ms: float = 0.0
    sent_ms: float = 0.0
    reported_ms: float | None = None
    reported_at: float = 0.0
    paused_at: float | None = None
    stopped: bool = False
    heard: bool = False  # to its end, for a later one is heard

    def stands_still_at(self) -> float:
        """From when on the clock does not move it."""
        if self.paused_at is not None:
            return self.paused_at
        return inf if self.reported_ms is None else self.reported_at + RUN_ON_S

    def position_ms(self, now: float) -> float:
        moved_s = max(0.0, min(now, self.stands_still_at()) - self.base_time)
        return min(self.sent_ms, self.base_ms + moved_s * 1000)

    def ends_at(self) -> float:
        """When it reaches what was sent; infinite when it stands still before that."""
        end = self.base_time + (self.sent_ms - self.base_ms) / 1000
        return end if end <= self.stands_still_at() or self.base_ms >= self.sent_ms else inf

    def place(self, position_ms: float, now: float) -> None:
        self.base_ms, self.base_time = position_ms, now


class Playout:
    """The play heads of one session's contexts, by handle, in the order in which they play."""

    def __init__(self) -> None:
        self._heads: dict[int, _Head] = {}
        self._busy_until = 0.0  # when the contexts that were sent so far have been played

    def sent(self, handle: int, sent_ms: float, now: float) -> None:
        """Sound of `handle` has been sent up to `sent_ms`."""
        head = self._heads.get(handle)
        if head is None:
            head = self._heads[handle] = _Head(now, max(now, self._busy_until))
        elif head.ends_at() <= now:
            head.place(head.sent_ms, now)  # it had run dry: it goes on from where it stood
        head.sent_ms = sent_ms
        self._busy_until = max(self._busy_until, head.ends_at())

    def position_ms(self, handle: int, now: float) -> float:
        """How far the listener is in `handle`; 0 when nothing of it was sent."""
        head = self._heads.get(handle)
        return head.position_ms(now) if head else 0.0

    def reported_ms(self, handle: int) -> float | None:
        """The last report about `handle`, None when there was none."""
        head = self._heads.get(handle)
        return head.reported_ms if head else None

    def ends_at(self, handle: int, now: float) -> float:
        """When what was sent of `handle` has been played; `now` when nothing was.

        Infinite while the listener stands still.
        """
        head = self._heads.get(handle)
        return head.ends_at() if head else now

    def expected_end(self, handle: int, now: float) -> float:
        """As `ends_at`, and if the listener stands still, as if it went on at once."""
        head = self._heads.get(handle)
        return self._expected_end(head, now) if head else now

    @staticmethod
    def _expected_end(head: _Head, now: float) -> float:
        end = head.ends_at() if head.base_time < inf else inf
        return end if end < inf else now + (head.sent_ms - head.position_ms(now)) / 1000

    def dry_at(self, now: float) -> float:
        """When all that was sent has been played, as if a listener who stands still went on at once.

        Infinite while one is paused in what it has not heard.
        """
        unheard = self._unheard(now)
        if any(head.paused_at is not None for head in unheard):
            return inf
        return max((self._expected_end(head, now) for head in unheard), default=now)

    def lead_ms(self, now: float) -> float:
        """How much was sent and has not been played, over all contexts."""
        return sum(head.sent_ms - head.position_ms(now) for head in self._unheard(now))

    def lead_falls_at(self, lead_ms: float, now: float) -> float:
        """When no more than `lead_ms` is unheard; infinite when the listener stands still before that."""
        unheard = self._unheard(now)
        falls_at = now + max(0.0, self.lead_ms(now) - lead_ms) / 1000
        sounding = unheard[-1] if unheard else None
        if sounding is not None and sounding.ends_at() == inf and falls_at > sounding.stands_still_at():
            return inf
        return falls_at

    def _unheard(self, now: float) -> list[_Head]:
        """Those that are still to be heard, the latest first."""
        unheard: list[_Head] = []
        for head in reversed(self._heads.values()):
            if head.ends_at() > now:
                unheard.append(head)
            elif not head.stopped:  # it was heard, and so were those before it
                break
        return unheard

    def received(self, handle: int, received_ms: float, now: float) -> None:
        """No more than this has come to the listener, who cannot be beyond it."""
        head = self._heads.get(handle)
        if head is not None and head.position_ms(now) > received_ms:
            head.earliest_start = now
            head.place(received_ms, now)
            self._settle(now, handle)

    def report(self, handle: int, played_ms: float, now: float) -> None:
        """The listener says how much of `handle` it has heard."""
        head = self._heads.get(handle)
        if head is None or head.heard or played_ms < (head.reported_ms or 0.0):
            return
        if head.reported_ms == head.sent_ms:
            head.reported_at = now
            return  # that it has come to the end was said before
        if played_ms == 0:  # it has not begun: perhaps it still hears the one before
            head.earliest_start = now
            head.place(0.0, now)
            self._settle(now, handle)
            return
        head.reported_ms, head.reported_at = min(played_ms, head.sent_ms), now
        head.place(head.reported_ms, now)
        self._finish_before(handle, now)
        self._settle(now, handle)

    def pause(self, handle: int, now: float) -> None:
        """The listener stands still in `handle`."""
        head = self._heads.get(handle)
        if head is None or head.paused_at is not None:
            return
        over = head.ends_at() <= now
        if not over:
            head.place(head.position_ms(now), max(now, head.base_time))
        head.paused_at = now
        if not over:
            self._settle(now, handle)

    def is_paused(self, handle: int) -> bool:
        """Whether the listener was told to stand still in `handle`."""
        head = self._heads.get(handle)
        return head is not None and head.paused_at is not None

    def go_on(self, handle: int, now: float) -> None:
        """The listener goes on in `handle` from where it stood."""
        head = self._heads.get(handle)
        if head is None or head.paused_at is None:
            return
        over = head.ends_at() <= now  # it was stopped, or reported as heard, while it was paused
        head.paused_at, head.reported_at = None, now
        if not over:
            head.place(head.base_ms, now)
            head.earliest_start = now
            self._settle(now, handle)

    def stop(self, handle: int, now: float) -> None:
        """The listener drops what it has of `handle`: the next context may start at once."""
        head = self._heads.get(handle)
        if head is None or head.ends_at() <= now:
            return
        head.place(head.position_ms(now), now)
        head.sent_ms, head.stopped = head.base_ms, True
        self._settle(now, handle)

    def forget(self, handle: int, now: float) -> None:
        """Nothing will be asked about `handle` any more; who stands still in it holds up nobody."""
        head = self._heads.pop(handle, None)
        if head is not None and head.ends_at() > now:
            self._busy_until = max((other.ends_at() for other in self._heads.values()), default=0.0)
            behind = next((other for other in self._heads if other > handle), None)
            if behind is not None:
                self._settle(now, behind)

    def _finish_before(self, handle: int, now: float) -> None:
        """Who hears `handle` has heard all before it."""
        earlier = False
        for other in reversed(self._heads):
            head = self._heads[other]
            if earlier and head.heard:
                return
            if earlier:
                head.place(head.sent_ms, min(now, head.ends_at()))
                head.heard, head.reported_ms = True, head.sent_ms
            earlier = earlier or other == handle

    def _settle(self, now: float, changed: int) -> None:
        """When `changed` and the contexts after it start to play, those that have not."""
        busy_until = max((head.ends_at() for head in self._unheard_before(changed, now)), default=0.0)
        behind: list[_Head] = []
        for handle in reversed(self._heads):
            behind.append(self._heads[handle])
            if handle == changed:
                break
        for head in reversed(behind):
            if head.reported_ms is None and not head.stopped:
                start = max(head.earliest_start, busy_until)
                if head.base_time > now:  # it has not begun, so it does not begin in the past
                    start = max(start, now)
                begins_anew = head is not behind[-1] and start >= now
                if begins_anew or (not head.base_ms and head.paused_at is None):
                    head.place(0.0, start)
            busy_until = max(busy_until, head.ends_at())
        self._busy_until = busy_until

    def _unheard_before(self, handle: int, now: float) -> Iterator[_Head]:
        """Those before `handle` that are still to be heard; before one that was heard to its end is none."""
        earlier = False
        for other in reversed(self._heads):
            head = self._heads[other]
            if earlier and head.ends_at() > now:
                yield head
            elif earlier and not head.stopped:
                return
            earlier = earlier or other == handle
