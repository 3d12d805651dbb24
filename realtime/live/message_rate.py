"""How fast a client's messages are read."""

from __future__ import annotations

#: A client that was quiet may send so many seconds' worth at once.
BURST_S = 2.0
#: Who is too early by less than this is not made to wait.
_SHORTEST_WAIT_S = 0.01


class MessageRate:
    """Of one socket: the generic cell rate algorithm (ITU-T I.371), kept as one number."""

    def __init__(self, per_s: int) -> None:
        """`per_s` messages a second, 0: as fast as they come."""
        self.per_s = per_s
        self._even_until = 0.0

    def wait_s(self, now: float) -> float:
        """A message has come: so long no other is to be read."""
        if not self.per_s:
            return 0.0
        self._even_until = max(self._even_until, now) + 1 / self.per_s
        early_s = self._even_until - now - BURST_S
        return early_s if early_s >= _SHORTEST_WAIT_S else 0.0
