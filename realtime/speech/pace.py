"""How much sound of a context may be made, and by when it is needed: all of that is decided here.

The engine works by these deadlines alone, whoever they are of, so they are fair only together:

1. Sound is needed when its listener runs dry: when what it was sent has been heard, and what waits for it.
2. Who hears nothing yet needs its first sound as soon as there is text for it, it has its turn, and those
   before it were heard. Within `NEWCOMER_S` of that it lets those go before who would run dry meanwhile:
   they would stutter, where a newcomer begins a little later. It goes before everyone who has more sound
   left: it is one step of the engine for them, and all of the wait for a newcomer.
3. A deadline is a moment, and stays: who waits longer becomes more urgent than all who come later. So nobody
   starves, neither behind newcomers nor behind those who are late.
4. Who fell silent because there was no text is a newcomer when there is some again, and not late.
5. Who has paused needs nothing: what it may have is made when nobody else needs the engine.

Sound that comes after the listener ran dry, though there was text for it, is an underrun: a gap.
"""

from __future__ import annotations

import math
from typing import Protocol

from realtime.clock import Clock

#: The first sound of a listener is needed so long after it could be heard.
NEWCOMER_S = 0.15
#: What is made ahead of its turn is not needed before this many seconds.
AHEAD_S = 5.0
#: A listener with nothing to hear says that it runs dry now, whenever it is asked.
_JUST_NOW_S = 0.001
#: Less sound than this is none: it is what sums of packets are rounded to.
_LEAST_MS = 1.0
#: A gap that is shorter than this is none: clocks are not better than that.
_GAP_S = 0.005


class Whereabouts(Protocol):
    """Where a listener is, and how far it may be ahead. All calls are made on the event loop."""

    def dry_at(self) -> float:
        """When all that was taken so far, of any context of the session, will have been heard.

        In monotonic seconds, perhaps in the past; infinity while it is paused.
        """
        ...

    def credit_ms(self) -> float:
        """How much more sound may be taken before the listener is far enough ahead.

        In milliseconds of the timeline. Infinity: there is no limit; 0: it has to wait.
        """
        ...


class Pace:
    """Follows one context: what was made of it, what waits, and where its listener is."""

    def __init__(self, listener: Whereabouts, clock: Clock, buffer_ms: int, speed: float) -> None:
        """`buffer_ms`: sound that may wait to be taken, with the tempo set, which `speed` is."""
        self._listener = listener
        self._clock = clock
        self._buffer_ms = buffer_ms
        self._step_ms = buffer_ms / 4
        self._speed = speed
        #: Sound that waits to be taken.
        self.waiting_ms = 0.0
        self._made_ms = 0.0
        self._placing_ms = 0.0  # made, and about to wait
        self._granted_ms = 0
        self._taken_ms = 0.0  # since the last grant
        self._deadline = -math.inf
        #: From when on the listener hears nothing, if no more sound comes; infinity before its turn.
        self.silent_from = math.inf
        self._turn_at = math.inf
        self._text_at = -math.inf
        self._more_at = -math.inf
        self._taken_at = -math.inf
        self._dry_at = math.inf
        #: How often the listener has run dry although there was text, and for how long in all.
        self.underruns = 0
        self.underrun_s = 0.0
        self._has_output = False
        self._is_new = True  # nothing of it has sounded
        self._is_silent = True  # nothing has sounded since text came when there was none

    # -- what happens -----------------------------------------------------------------------------------

    def on_turn(self) -> bool:
        """The contexts before it are over. False when that was known."""
        if self.has_turn:
            return False
        self._turn_at = self._clock.now()
        return True

    def on_text(self) -> None:
        """There is text, and all before was spoken."""
        self._text_at = self._clock.now()
        self._is_silent = True

    def on_more_of_segment(self) -> None:
        """There is more of the segment that is being spoken: the engine may have waited for just that."""
        self._more_at = self._clock.now()

    def on_made(self, made_ms: float) -> None:
        """So much more of the engine's sound is put on the timeline from now on."""
        if made_ms:
            self._is_new = self._is_silent = False
        self._made_ms += made_ms
        self._placing_ms = made_ms / self._speed

    def _look_for_gap(self) -> None:
        """There is sound to be sent: the listener may have waited for it."""
        if not self._has_output or not self.has_turn or self.waiting_ms >= _LEAST_MS:
            return
        dry_at = self._look_when_dry()
        if dry_at <= max(self._text_at, self._more_at):
            return  # it was text that did not come
        gap_s = self._clock.now() - max(dry_at, self._turn_at, self._taken_at)
        if gap_s >= _GAP_S:
            self.underruns += 1
            self.underrun_s += gap_s

    def on_placed(self) -> None:
        """All that was made is on the timeline."""
        self._placing_ms = 0.0

    def on_output(self, packets_ms: float) -> None:
        """So much more waits to be taken."""
        self._look_for_gap()
        self._has_output = True
        self.waiting_ms += packets_ms
        self._placing_ms = max(0.0, self._placing_ms - packets_ms)

    def on_taken(self, packet_ms: float) -> bool:
        """A packet was taken. True when more should be granted."""
        self.waiting_ms -= packet_ms
        self._taken_ms += packet_ms
        self._taken_at = self._clock.now()
        # It plays that now, or behind the rest: what was known of it before is true no more.
        self._dry_at = max(self._dry_at, self._taken_at) + packet_ms / 1000
        # What is taken makes room in the buffer; more credit is told of, or seen with the next chunk.
        # Who has taken all that there is may have little room, and yet nothing else would grant it.
        return self.waiting_ms < _LEAST_MS or self._taken_ms >= self._step_ms

    # -- what follows -----------------------------------------------------------------------------------

    @property
    def has_turn(self) -> bool:
        """Whether its sound is waited for."""
        return self._turn_at < math.inf

    @property
    def is_paused(self) -> bool:
        """Whether the listener stood still when it was last looked at."""
        return self._deadline == math.inf

    @property
    def has_room(self) -> bool:
        """Whether more sound may wait to be taken."""
        most_ms = self._most_waiting_ms() if self.has_turn else self._buffer_ms
        return self.waiting_ms < most_ms

    def needed_at(self) -> float:
        """When the listener needs what is put on the timeline next, in monotonic seconds."""
        return self._needed_at() if self.has_turn else self._clock.now() + AHEAD_S

    def grant(self) -> tuple[int, float]:
        """How much of the engine's sound may be made in all, and when the next of it is needed."""
        if not self.has_turn:
            # One segment is made ahead of its turn, when nobody who is being listened to needs the engine.
            return 1, self._clock.now() + AHEAD_S
        self._taken_ms = 0.0
        # Rounded up: the least of room is to be used, as nothing else may come that would grant it.
        allowed_ms = math.ceil(round(self._made_ms + self._room_ms(), 6))
        self._granted_ms = max(self._granted_ms, allowed_ms)
        self._deadline = self._needed_at()
        return self._granted_ms, self._deadline

    def _most_waiting_ms(self) -> float:
        """No more than the buffer holds, nor than may be taken soon."""
        return min(self._buffer_ms, self._listener.credit_ms())

    def _room_ms(self) -> float:
        """Sound of the engine's that there is room for, before the tempo is set."""
        return max(0.0, self._most_waiting_ms() - self._untaken_ms) * self._speed

    @property
    def _untaken_ms(self) -> float:
        return self.waiting_ms + self._placing_ms

    def _needed_at(self) -> float:
        dry_at = self._look_when_dry()
        # Who has just taken something was not dry before: what it took may not have been sent yet.
        silent_from = self.silent_from = max(dry_at, self._turn_at, self._text_at, self._taken_at)
        if self._is_silent and (self._is_new or dry_at <= self._text_at):
            return silent_from + NEWCOMER_S
        if self._untaken_ms > 0:
            return max(silent_from, self._clock.now()) + self._untaken_ms / 1000
        return silent_from

    def _look_when_dry(self) -> float:
        """When the listener runs dry, or since when it is; infinity while it is paused."""
        before = self._clock.now() - _JUST_NOW_S
        dry_at = self._listener.dry_at()
        # By the time before it: between two looks at the clock a busy machine may do something else.
        if before < dry_at <= self._clock.now():
            dry_at = min(dry_at, self._dry_at)  # it may have been dry for longer
        self._dry_at = dry_at
        return dry_at
