"""The utterances of an engine, what each waits for, and whose turn it is: the earliest deadline's.

Between equal deadlines that piece comes first which was fed first, and a deadline of infinity comes last: its
listener is paused. The order is total and holds still while deadlines do, so no two take turns at parking
each other, and nobody starves: whoever comes later needs its sound later.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Generic, TypeVar

from realtime.engines.engine import Open
from realtime.types import TextPiece

#: What a piece that has begun is to those who speak it.
Work = TypeVar("Work")
_FEW = 64


@dataclass(slots=True, eq=False)
class Utterance(Generic[Work]):
    """One that is open. It is its own `Cancellation`: the only side of it that a synthesizer sees.

    `work`: what has begun and is not over, a piece or all of it; parked while the utterance is not `busy`.
    `kept_ms`: of what was made, so much is held back or was dropped: nobody above has heard of it.
    `is_to_be_finished`: it is made to its end, though more than was granted has been made. `is_held`: its
    work cannot go on without more text. `flushed`: after how many of those that wait there was a flush.
    """

    request: Open
    waiting: deque[tuple[TextPiece, float]] = field(default_factory=deque)
    granted_ms: int = 0
    made_ms: float = 0.0
    handed_ms: float = 0.0
    kept_ms: float = 0.0
    deadline: float = 0.0
    work: Work | None = None
    fed_at: float = 0.0  # when the text of `work` came
    queue_s: float = 0.0  # how long it waited, until that has been told
    busy: bool = False
    is_to_be_finished: bool = False
    is_held: bool = False
    flushed: deque[int] = field(default_factory=deque)
    finished: bool = False
    cancelled: bool = False
    ticket: int = 0  # of its place in the queue; 0: it is in none
    told: list[Callable[[], None]] = field(default_factory=list)

    @contextmanager
    def on_cancel(self, callback: Callable[[], None]) -> Iterator[None]:
        """As `Cancellation.on_cancel`."""
        self.told.append(callback)
        try:
            if self.cancelled:  # perhaps before it was there to be told
                callback()
            yield
        finally:
            self.told.remove(callback)

    def tell(self) -> None:
        """It has been cancelled: those who asked for it hear it now."""
        for callback in tuple(self.told):
            callback()

    @property
    def urgency(self) -> tuple[float, float]:
        """The least is the most urgent."""
        has_begun = self.busy or self.work is not None
        return self.deadline, self.fed_at if has_begun else self.waiting[0][1]

    @property
    def has_enough(self) -> bool:
        """Whether all that was granted has been made, of what is handed on."""
        return self.made_ms - self.kept_ms >= self.granted_ms

    @property
    def may_start(self) -> bool:
        """Whether a worker may go on with it; one at a time, so that segments keep their order."""
        return (
            not self.busy
            and not self.cancelled
            and (self.is_to_be_finished or not self.has_enough)
            and (bool(self.waiting) or (self.work is not None and not self.is_held))
        )

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is left to do."""
        if self.busy or self.work is not None:
            return False
        return self.cancelled or (self.finished and not self.waiting)


class Turns(Generic[Work]):
    """All open utterances. Not for several threads at a time: whoever has it has a lock for it."""

    def __init__(self) -> None:
        self._open: dict[int, Utterance[Work]] = {}
        # (deadline, fed at, ticket, utterance); what has another ticket by now is out of date.
        self._queue: list[tuple[float, float, int, Utterance[Work]]] = []
        self._tickets = itertools.count(1)
        #: Pieces that wait.
        self.waiting = 0
        #: Utterances that a worker is at.
        self.busy = 0

    def __len__(self) -> int:
        """How many are open."""
        return len(self._open)

    def __iter__(self) -> Iterator[Utterance[Work]]:
        """All that are open."""
        return iter(tuple(self._open.values()))

    def open(self, request: Open) -> None:
        """One more."""
        self._open[request.utterance] = Utterance(request)

    def find(self, number: int) -> Utterance[Work] | None:
        """One that is open."""
        return self._open.get(number)

    def feed(self, utterance: Utterance[Work], piece: TextPiece) -> None:
        """More text for it."""
        utterance.waiting.append((piece, time.monotonic()))
        self.waiting += 1
        self._place(utterance)

    def grant(self, utterance: Utterance[Work], audio_ms: int, deadline: float) -> None:
        """As `engine.Grant`."""
        utterance.granted_ms = max(utterance.granted_ms, audio_ms)
        utterance.deadline = deadline
        self._place(utterance)

    def made(self, utterance: Utterance[Work], audio_ms: float) -> None:
        """So much more of its sound is there, and the next of it is needed that much later.

        Its next grant says so better, but is still to come: until then it must not go before those who have
        nothing. What was late is heard from now on. Less than nothing: it ended before what was begun.
        """
        utterance.made_ms += audio_ms
        heard_from = max(utterance.deadline, time.monotonic()) if audio_ms > 0 else utterance.deadline
        utterance.deadline = heard_from + audio_ms / 1000
        self._place(utterance)

    def handed_on(self, utterance: Utterance[Work], audio_ms: float, end_ms: float) -> bool:
        """So much more was handed on, of the sound up to `end_ms`; whether it may now start by that.

        What is granted is counted by those who hear it: what they do not hear must not use it up.
        """
        utterance.handed_ms += audio_ms
        kept_ms = round(end_ms - utterance.handed_ms, 6)  # sums of floats are not exact
        if kept_ms == utterance.kept_ms:
            return False
        utterance.kept_ms = kept_ms
        self._place(utterance)
        return utterance.may_start

    def cancel(self, utterance: Utterance[Work]) -> None:
        """Nothing of it will be begun any more."""
        utterance.cancelled = True
        self.waiting -= len(utterance.waiting)
        utterance.waiting.clear()
        self._place(utterance)

    def first(self) -> Utterance[Work] | None:
        """The most urgent of those that may start."""
        while self._queue:
            _, _, ticket, utterance = self._queue[0]
            if utterance.ticket == ticket:
                return utterance
            heapq.heappop(self._queue)
        return None

    def take(self) -> Utterance[Work] | None:
        """The first, which is busy from now on."""
        utterance = self.first()
        if utterance is not None:
            utterance.busy = True
            self.busy += 1
            self._place(utterance)
        return utterance

    def begin(self, utterance: Utterance[Work]) -> TextPiece:
        """Its next piece, which is begun now."""
        piece, utterance.fed_at = utterance.waiting.popleft()
        utterance.queue_s = time.monotonic() - utterance.fed_at
        self.waiting -= 1
        return piece

    def flush(self, utterance: Utterance[Work]) -> None:
        """What was fed to it is to be spoken to its end; for those that take all their text."""
        fed = len(utterance.waiting)
        if not utterance.flushed or utterance.flushed[-1] != fed:
            utterance.flushed.append(fed)
        self.hold(utterance, False)

    def take_text(self, utterance: Utterance[Work]) -> list[list[TextPiece]]:
        """All its pieces that wait, as lists; after each but the last there was a flush."""
        if utterance.waiting:
            utterance.fed_at = utterance.waiting[0][1]
        pieces = [piece for piece, _ in utterance.waiting]
        cuts = [0, *utterance.flushed, len(pieces)]
        self.waiting -= len(pieces)
        utterance.waiting.clear()
        utterance.flushed.clear()
        return [pieces[start:end] for start, end in pairwise(cuts)]

    def hold(self, utterance: Utterance[Work], is_held: bool) -> None:
        """Whether its work waits for more text."""
        if utterance.is_held != is_held:
            utterance.is_held = is_held
            self._place(utterance)

    def release(self, utterance: Utterance[Work]) -> None:
        """It is busy no longer, if it was."""
        if utterance.busy:
            utterance.busy = False
            self.busy -= 1
            self._place(utterance)

    def remove_if_over(self, utterance: Utterance[Work]) -> bool:
        """Let it go if nothing is left to do; whether that was so."""
        return utterance.is_over and self.remove(utterance)

    def remove(self, utterance: Utterance[Work]) -> bool:
        """Let it go, whatever it is at; False when that was done before."""
        if self._open.pop(utterance.request.utterance, None) is None:
            return False
        self.cancel(utterance)
        self.release(utterance)
        return True

    def _place(self, utterance: Utterance[Work]) -> None:
        """Put it where it belongs now."""
        if not utterance.may_start:
            utterance.ticket = 0
            return
        utterance.ticket = next(self._tickets)
        heapq.heappush(self._queue, (*utterance.urgency, utterance.ticket, utterance))
        if len(self._queue) > _FEW + 4 * len(self._open):
            self._queue = [entry for entry in self._queue if entry[3].ticket == entry[2]]
            heapq.heapify(self._queue)
