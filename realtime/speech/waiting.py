"""Who waits for a first sound, and about how long one more would wait for it."""

from __future__ import annotations

from realtime.clock import Clock

#: What each first sound counts for in the mean: it goes by the last dozen.
_SHARE = 2 / 13


class Waiting:
    """All who have given text, have their turn, and hear nothing yet.

    What passes between two first sounds while somebody waits is what each in the line costs those behind it.
    So the estimate knows nothing of workers, texts and those who are ahead, and counts them all the same.
    """

    def __init__(self, clock: Clock) -> None:
        """The line is empty."""
        self._clock = clock
        self._waiting: set[Place] = set()
        self._since = 0.0  # the last first sound, or when the line was empty last
        self._interval_s: float | None = None

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def estimate_ms(self) -> float:
        """How long one more would wait for its first sound; 0 when nobody waits, or nothing is known yet."""
        return len(self._waiting) * (self._interval_s or 0.0) * 1000

    def enter(self, place: Place) -> None:
        """It waits, if it does not already."""
        if not self._waiting:
            self._since = self._clock.now()
        self._waiting.add(place)

    def leave(self, place: Place) -> None:
        """It waits no longer, whatever the reason."""
        self._waiting.discard(place)

    def sounds(self, place: Place, is_typical: bool) -> None:
        """It has its first sound. Only one that is typical says how long others will wait."""
        if place not in self._waiting:
            return
        self._waiting.discard(place)
        now = self._clock.now()
        if is_typical:
            passed_s = now - self._since
            mean_s = passed_s if self._interval_s is None else self._interval_s
            self._interval_s = mean_s + (passed_s - mean_s) * _SHARE
            self._since = now


class Place:
    """A place among those who are spoken to: one context, or one request."""

    def __init__(self, waiting: Waiting) -> None:
        """`waiting`: the line of those that wait for their first sound."""
        self._waiting = waiting

    def waits(self) -> None:
        """It has text and its turn, and hears nothing yet."""
        self._waiting.enter(self)

    def sounds(self, *, is_typical: bool = True) -> None:
        """It waits no longer.

        Not typical is a sound that was found in a cache, or that had to wait until its voice was loaded.
        """
        self._waiting.sounds(self, is_typical)

    def leaves(self) -> None:
        """It is no place any more."""
        self._waiting.leave(self)
