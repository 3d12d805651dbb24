"""A listener's player, simulated, and what is noted of every text that somebody heard.

The player sounds as soon as the first sound is there (or `buffer_s` later), one sample after the other, and
falls silent when it has nothing: an underrun. What comes then is played at once (or `buffer_s` later), so all
that follows is heard that much later. Times are seconds of `time.perf_counter` in the players' process.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Transport = Literal["ws", "http"]


class Player:
    """What one listener hears, and when; each piece of sound costs O(1)."""

    __slots__ = ("buffer_s", "end", "expects", "gaps", "periods", "received_s")

    def __init__(self, buffer_s: float = 0.0) -> None:
        """`buffer_s`: it starts so much later than it could."""
        self.buffer_s = buffer_s
        #: When all that came will have been heard.
        self.end = 0.0
        #: Seconds of sound that came.
        self.received_s = 0.0
        #: When it was silent though there was more to hear: (from, to).
        self.gaps: list[tuple[float, float]] = []
        #: From when to when it sounded; the last one ends at `end`.
        self.periods: list[float] = []
        #: More is on its way, so silence would be a gap.
        self.expects = False

    def receive(self, duration_s: float, now: float) -> None:
        """Sound has come."""
        if now <= self.end:
            self.end += duration_s
        else:
            if self.expects and self.periods:
                self.gaps.append((self.end, now))
            if self.periods:
                self.periods.append(self.end)
            self.expects = True
            start = now + self.buffer_s
            self.periods.append(start)
            self.end = start + duration_s
        self.received_s += duration_s

    def played_s(self, now: float) -> float:
        """Seconds of sound that were heard."""
        return self.received_s - max(0.0, min(self.end - now, self.received_s))

    def stop(self, now: float) -> None:
        """Throw away what was not heard: the listener has barged in."""
        self.received_s = self.played_s(now)
        self.end = min(self.end, now)
        self.expects = False

    def rest(self) -> None:
        """All has come: silence after it is no gap."""
        self.expects = False


@dataclass(slots=True)
class Spoken:
    """One text, and what came for it."""

    listener: int
    context: str
    text: str
    handle: int = 0
    #: When it was to be sent, by the plan; and when its first byte was.
    due: float = 0.0
    sent: float = 0.0
    #: Nothing was to be heard before it: the time to its first sound is the listener's wait.
    fresh: bool = True
    first: float | None = None
    audio_s: float = 0.0
    done: bool = False
    error: str = ""
    cancelled_at: float | None = None
    answered_at: float | None = None
    #: The last frame that came after the cancel was sent.
    last_after_cancel: float | None = None
    #: Frames that came after `context.cancelled`.
    late_frames: int = 0
    #: (arrival, bytes) of the first sound, of a few texts: frames, or PCM over HTTP.
    kept: list[tuple[float, bytes]] | None = None


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who listens to a server, and how. All chance comes from `seed`."""

    port: int
    seed: int
    texts: tuple[str, ...]
    transport: Transport = "ws"
    #: Fields of `session.start` (or of the HTTP request).
    start: dict[str, object] = field(default_factory=dict)
    voices: tuple[str, ...] = ()
    #: Words sent per second; 0: the whole text at once.
    token_rate: float = 0.0
    #: Seconds between two `playback` reports; 0: none.
    report_s: float = 0.5
    buffer_s: float = 0.0
    #: Listeners that come per second, hear one text, and leave.
    rate: float = 0.0
    #: Listeners that hear text after text without a pause; they come within `ramp_s`.
    steady: int = 0
    ramp_s: float = 1.0
    #: Barge-ins per second, of steady listeners.
    barge_rate: float = 0.0
    #: Sessions in which nothing is said.
    idle: int = 0
    #: What is measured begins after `warm_s` and takes `window_s`.
    warm_s: float = 1.0
    window_s: float = 10.0
    #: So many texts of the window have their first sound kept.
    samples: int = 0


@dataclass(slots=True)
class Listened:
    """What the players' process tells at its end."""

    #: When the window began and ended.
    begun: float
    ended: float
    spoken: list[Spoken]
    #: By listener: when it sounded, as begin and end in turns; and its gaps.
    periods: dict[int, list[float]]
    gaps: dict[int, list[tuple[float, float]]]
    sessions: dict[int, str]
    #: Errors that belong to no text.
    errors: list[str]
    #: Seconds of sound that came in the window.
    audio_s: float
    #: CPU of the players in the window, in seconds, and how late their loop was (a tick of 10 ms).
    cpu_s: float
    lags: list[float]
    #: The longest segment, by the `segment` messages, in ms.
    longest_segment_ms: float
