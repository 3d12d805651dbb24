"""Runs a `Synthesizer` on threads, each at one utterance; what can wait is parked between chunks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from realtime.engines.crew import Crew, Worker, reason_of
from realtime.engines.engine import Chunk, Event, Failure, Freed
from realtime.engines.synthesizer import Synthesizer
from realtime.engines.turns import Utterance
from realtime.types import AudioChunk, TextPiece

#: So many threads may hang for each that works.
_GIVEN_UP_FOR_EACH = 4
#: Of pieces that have begun no more are put aside: each may hold 10 MB of what its sound is made of.
_MOST_PARKED = 8
#: What is needed later than this is not begun beside a piece that is needed at once, when there is no core
#: for both: it would make that one, and all that becomes of it, half as fast.
_SOON_S = 4.0
_AT_ONCE_S = 1.0

_Sounds = Iterator[AudioChunk]


class Workers(Crew[_Sounds]):
    """A pool of threads that speaks many utterances segment by segment."""

    def __init__(
        self,
        synthesizer: Synthesizer,
        threads: int,
        emit: Callable[[Event], None],
        table: list[int] | memoryview | None = None,
        *,
        crowded: bool = False,
    ) -> None:
        """`threads` segments are made at the same time, but no more than the synthesizer is capable of.

        `emit` is called on the worker threads, and must not block for long. `table` as in `Crew`. `crowded`:
        there are as many threads as cores, and others need those, too.
        """
        threads = max(1, min(threads, synthesizer.capabilities.concurrency))
        table = [0] * threads if table is None else table
        super().__init__(synthesizer, threads, _GIVEN_UP_FOR_EACH * threads, emit, table)
        self._synthesizer = synthesizer
        self._crowded = crowded
        self._parked = 0

    def _let_go(self, utterance: Utterance[_Sounds]) -> None:
        self._take_up(utterance)
        utterance.work = None

    def _take_up(self, utterance: Utterance[_Sounds]) -> None:
        """It is parked no longer, if it was."""
        if utterance.is_to_be_finished:
            utterance.is_to_be_finished = False
            self._parked -= 1

    def _work(self, worker: Worker[_Sounds]) -> None:
        while True:
            with self._changed:
                utterance = None
                while utterance is None:
                    if self._stopping:
                        return
                    held_s = self._held_s()
                    if held_s or (utterance := self._turns.take()) is None:
                        self._changed.wait(min(held_s, threading.TIMEOUT_MAX) if held_s else None)
                self._take_up(utterance)
                if utterance.work is None:
                    utterance.work = self._begin(utterance, self._turns.begin(utterance))
                worker.at = (utterance,)
                self._table[worker.place] = utterance.request.utterance
            if not self._speak(worker, utterance, utterance.work):
                return
            with self._changed:
                worker.at = ()
                self._table[worker.place] = 0
                self._turns.release(utterance)
                freed = self._turns.remove_if_over(utterance)
            if freed:
                self._emit(Freed(utterance.request.utterance))
            self._emit(self.stats())

    def _held_s(self) -> float:
        """For so long nothing more is begun beside what is being made, if nothing changes; 0: it may be."""
        first = self._turns.first() if self._crowded and self._turns.busy else None
        if first is None:
            return 0.0
        now = time.monotonic()
        busy = (each for worker in self._workers for each in worker.at)
        is_needed_at_once = any(each.deadline < now + _AT_ONCE_S for each in busy)
        return max(0.0, first.deadline - now - _SOON_S) if is_needed_at_once else 0.0

    def _begin(self, utterance: Utterance[_Sounds], piece: TextPiece) -> _Sounds:
        """A generator, so that whatever `synthesize` does is done by `_speak`, outside the lock."""
        yield from self._synthesizer.synthesize(piece, utterance.request, utterance)

    def _speak(self, worker: Worker[_Sounds], utterance: Utterance[_Sounds], sounds: _Sounds) -> bool:
        """Make the sound of a piece to its end, or until it is better parked; False: it was given up."""
        while True:
            worker.step_began = begun = time.monotonic()
            audio = failure = None
            try:
                audio = next(sounds, None)
            except Exception as error:
                failure = reason_of(error)
            with self._changed:
                if worker.given_up:
                    return False
                worker.step_began = None
                if audio is None or utterance.cancelled:
                    utterance.work = None
                    if failure is not None and not utterance.cancelled:
                        self._turns.cancel(utterance)
                    else:
                        failure = None
                    break
                self._turns.made(utterance, audio.audio_ms)
                queue_s, utterance.queue_s = utterance.queue_s, 0.0
                if self._crowded:
                    self._changed.notify()  # who was held for this may go on
            infer_s = time.monotonic() - begun
            self._emit(Chunk(utterance.request.utterance, audio, queue_s, infer_s))
            if not audio.last_of_segment and self._is_to_wait(utterance):
                return True
        if failure is not None:
            self._emit(Failure(utterance.request.utterance, failure))
        return True

    def _is_to_wait(self, utterance: Utterance[_Sounds]) -> bool:
        """Whether a piece is put aside, as another utterance needs sound sooner.

        A piece of which enough was made is made to its end all the same: its sound is small, and what the
        synthesizer holds of a piece is not.
        """
        with self._changed:
            if utterance.cancelled:
                utterance.work = None
                return True
            other = self._turns.first()  # never this one, which is busy
            if other is None or other.urgency >= utterance.urgency or self._parked == _MOST_PARKED:
                return False
            utterance.is_to_be_finished = True
            self._parked += 1
            return True
