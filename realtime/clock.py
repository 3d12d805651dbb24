"""The one source of time, so that tests can run on a clock of their own."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds that never go back; only differences mean anything."""

    def now(self) -> float:
        """The present, in seconds."""
        ...


class MonotonicClock:
    """The system's monotonic clock. It is the same for all processes of a machine."""

    def now(self) -> float:
        """Seconds of `time.monotonic`."""
        return time.monotonic()
