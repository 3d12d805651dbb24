"""Who waits for a first sound, and about how long one more would wait for it."""

from __future__ import annotations

import math
from collections import deque
from statistics import median

from realtime.clock import Clock

#: The estimate goes by so many first sounds.
_MANY = 12


class Waiting:
    """All who have given text, have their turn, and hear nothing now, also nothing of what came before.

    What passes between two first sounds while somebody waits is what each in the line costs those behind it.
    So the estimate knows nothing of workers, texts and those who are ahead, and counts them all the same. It
    is a median: a voice that takes long to get ready, or a text that is slow, tells little of all others.
    """

    def __init__(self, clock: Clock) -> None:
        """The line is empty."""
        self._clock = clock
        self._silent_from: dict[Place, float] = {}
        self._last = -math.inf  # when the last of them had its first sound
        self._intervals_s: deque[float] = deque(maxlen=_MANY)

    def __len__(self) -> int:
        """How many wait."""
        now = self._clock.now()
        return sum(silent_from <= now for silent_from in self._silent_from.values())

    @property
    def estimate_ms(self) -> float:
        """How long one more would wait for its first sound; 0 when nobody waits, or nothing is known yet."""
        return len(self) * median(self._intervals_s) * 1000 if self._intervals_s else 0.0

    def enter(self, place: Place, silent_from: float) -> None:
        """It waits from then on, if it hears nothing of its own until then."""
        self._silent_from[place] = silent_from

    def leave(self, place: Place) -> None:
        """It waits no longer, whatever the reason."""
        self._silent_from.pop(place, None)

    def sounds(self, place: Place, is_typical: bool) -> None:
        """It has its first sound. Only one that is typical says how long others will wait."""
        now = self._clock.now()
        silent_from = self._silent_from.pop(place, math.inf)
        if is_typical and silent_from <= now:
            # Others may wait since long before, perhaps for a voice that takes long: that is not its time.
            self._intervals_s.append(now - max(self._last, silent_from))
            self._last = now


class Place:
    """A place among those who are spoken to: one context, or one request."""

    def __init__(self, waiting: Waiting) -> None:
        """`waiting`: the line of those that wait for their first sound."""
        self._waiting = waiting

    def waits(self, silent_from: float) -> None:
        """It has text and its turn; its listener hears nothing from then on (monotonic seconds).

        To be told again when that moves; infinity while the listener is paused.
        """
        self._waiting.enter(self, silent_from)

    def sounds(self, *, is_typical: bool = True) -> None:
        """It waits no longer.

        Not typical is a sound that was found in a cache, or that had to wait until its voice was loaded.
        """
        self._waiting.sounds(self, is_typical)

    def leaves(self) -> None:
        """It is no place any more."""
        self._waiting.leave(self)
