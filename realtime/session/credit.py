"""How far the sound of a session may run ahead of its listener.

The rules:
1. Lead is sound that was sent and has not been played, over all contexts (`playout`).
2. From a lead of `max_lead_ms` on nothing is sent or made, until it has fallen by a quarter of that, or by
   `MOST_STEP_MS`: sound goes out in pieces that are worth waking up for, and `flow` does not flutter.
3. Messages pass all the same; `flow` is told once for each wait, and only where there was more to say.
"""

from __future__ import annotations

from math import inf

from realtime.session.playout import Playout

#: The lead falls by so much, at most, before sound goes on.
MOST_STEP_MS = 2_000.0
_ROUNDING_MS = 0.01


class Credit:
    """Of one session. Times are monotonic seconds."""

    def __init__(self, playout: Playout) -> None:
        """`playout` knows the lead."""
        self._playout = playout
        self.max_lead_ms = 0
        #: Whether the listener is far enough ahead.
        self.spent = False
        #: The handle of the context that was told to wait.
        self.told: int | None = None
        #: When it is there again, as far as the clock tells; infinite while it is not spent.
        self.returns_at = inf
        # So much is left at least: time only adds to it. It saves looking for the listener with every frame.
        self._at_least_ms = 0.0

    def is_spent(self, now: float) -> bool:
        """Whether no more may be sent; what is asked before every frame."""
        return self._at_least_ms <= 0 and self.left_ms(now) <= 0

    def sent(self, ms: float, now: float) -> None:
        """So much more was sent."""
        self._at_least_ms -= ms
        self.is_spent(now)

    def look_anew(self) -> None:
        """The listener may be further back than it was, or the limit be lower."""
        self._at_least_ms = 0.0

    def left_ms(self, now: float) -> float:
        """Sound that may still be sent; infinite without a limit, 0 while it is spent."""
        if not self.max_lead_ms:
            return inf
        if self.spent:
            return 0.0
        self._at_least_ms = left_ms = self.max_lead_ms - self._playout.lead_ms(now)
        if left_ms > 0:
            return left_ms
        # By what was sent; or the listener turned out to be further back, or the limit is lower than before.
        self.spent = True
        self.returns_at = self._playout.lead_falls_at(self._goes_on_at_ms, now)
        return 0.0

    def has_returned(self, now: float) -> bool:
        """Whether it was spent, and is there again from now on.

        To be asked after all that moves the listener.
        """
        self.look_anew()
        if not self.spent:
            return False
        goes_on_at_ms = self._goes_on_at_ms if self.max_lead_ms else inf
        # Whoever is woken when the lead has fallen must find it fallen, whatever was rounded.
        if self._playout.lead_ms(now) > goes_on_at_ms + _ROUNDING_MS:
            self.returns_at = self._playout.lead_falls_at(goes_on_at_ms, now)
            return False
        self.spent, self.returns_at = False, inf
        return True

    @property
    def _goes_on_at_ms(self) -> float:
        return self.max_lead_ms - min(self.max_lead_ms / 4, MOST_STEP_MS)
