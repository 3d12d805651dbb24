"""Whether the other side of a socket is still there.

TCP finds a peer that is gone, but not one behind a proxy that still holds the connection. So who is silent is
sent a WebSocket ping. A listener that reads only as fast as it plays gets to it behind all the sound that was
sent before: it is given that much more time.
"""

from __future__ import annotations

from enum import Enum, auto
from math import inf


class Pulse(Enum):
    """What is to be done."""

    NOTHING = auto()
    PING = auto()
    CUT_OFF = auto()


class Heartbeat:
    """Of one socket. Times are monotonic seconds."""

    def __init__(self, interval_s: float, now: float) -> None:
        """Who was silent for `interval_s` is asked, and has as long to answer; 0: nobody is asked."""
        self._interval_s = interval_s or inf
        self._asked = False
        self._due = now + self._interval_s

    @property
    def due(self) -> float:
        """When `check` is to be called."""
        return self._due

    def heard(self, now: float) -> None:
        """Something has come."""
        self._asked = False
        self._due = now + self._interval_s

    def check(self, now: float, unheard_s: float) -> Pulse:
        """Time has passed; the listener has `unheard_s` of sound still to play (infinite: it is paused)."""
        if now < self._due:
            return Pulse.NOTHING
        if self._asked:
            return Pulse.CUT_OFF
        self._asked = True
        self._due = now + self._interval_s + max(0.0, unheard_s)
        return Pulse.PING
