"""The one source of time, so that tests can run on clocks of their own."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds that never go back; only differences mean anything."""

    def now(self) -> float:
        """The present, in seconds."""
        ...


class ThreadClock(Clock, Protocol):
    """A clock for what runs in a thread, which may wait."""

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        ...


class MonotonicClock:
    """The system's monotonic clock. It is the same for all processes of a machine."""

    def now(self) -> float:
        """Seconds of `time.monotonic`."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """`time.sleep`."""
        time.sleep(seconds)


class WallClock:
    """The system's date and time. It may be set back: for what people read, and the ages of files."""

    def now(self) -> float:
        """Seconds since 1970, of `time.time`."""
        return time.time()
