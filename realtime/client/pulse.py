"""Whether the other side is still there, told by silence. No I/O and no clock: times are monotonic seconds.

The rules:
1. Who expects something and hears nothing for `stall_s`, or has sent what is not confirmed after so long,
   asks.
2. Silence for `stall_s` after that is a loss; so is no answer for twice as long though sound comes, for then
   the way to the server is cut.
3. Time in which the socket is not read counts for nothing: an answer may stand behind what was not read.
"""

from __future__ import annotations

from enum import Enum, auto


class Verdict(Enum):
    """What is to be done."""

    WAIT = auto()
    ASK = auto()
    LOST = auto()


class Pulse:
    """Of one connection."""

    def __init__(self, stall_s: float, now: float) -> None:
        """It is open since `now`."""
        self.begun = now
        self._stall_s = stall_s
        self._heard = now
        self._asked: float | None = None
        self._unconfirmed: float | None = None

    def heard(self, now: float) -> None:
        """Something came."""
        self._heard = now

    def sent(self, now: float) -> None:
        """Something was sent that a `pong` will confirm."""
        if self._unconfirmed is None:
            self._unconfirmed = now

    def answered(self, everything: bool) -> None:
        """A `pong` came; `everything` that was sent is confirmed by it."""
        self._asked = self._unconfirmed = None
        if not everything:
            self._unconfirmed = self._heard

    def held(self, now: float) -> None:
        """Up to now the socket was not read."""
        self._heard = now
        self._asked = None if self._asked is None else now
        self._unconfirmed = None if self._unconfirmed is None else now

    def deadline(self) -> float:
        """When to judge, if nothing comes."""
        return (self._heard if self._asked is None else max(self._heard, self._asked)) + self._stall_s

    def judge(self, now: float, expects: bool) -> Verdict:
        """What to do now; `expects`: the server has something to say."""
        if self._asked is None:
            silent = expects and now >= self._heard + self._stall_s
            unsure = self._unconfirmed is not None and now >= self._unconfirmed + self._stall_s
            if silent or unsure:
                self._asked = now
                return Verdict.ASK
            if now >= self.deadline():
                self._heard = now  # nothing is expected: look again later
            return Verdict.WAIT
        silent = now >= max(self._heard, self._asked) + self._stall_s
        return Verdict.LOST if silent or now >= self._asked + 2 * self._stall_s else Verdict.WAIT
