"""Runs a `BatchSynthesizer`: one thread speaks many utterances at a time, step by step.

Before each step the most urgent are chosen, as `engines.turns` has it. One that has enough is parked; one
that is more urgent than those under way takes the place of the least urgent of them; one that was cancelled
leaves. What a step has made is handed on by another thread, while the next is under way.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any

import structlog

from realtime.engines.crew import Crew, Worker, reason_of
from realtime.engines.engine import BatchSynthesizer, Chunk, Event, Failure, Freed, Job
from realtime.engines.turns import Utterance
from realtime.errors import EngineError
from realtime.types import AudioChunk, TextPiece

#: There is no next step while what so many have made has not been handed on.
_STEPS_AHEAD = 16
_JOIN_S = 5.0
_log = structlog.get_logger(__name__)

_Result = AudioChunk | EngineError


class Batches(Crew[Job]):
    """A thread that steps, and one that hands on what was made."""

    def __init__(
        self,
        synthesizer: BatchSynthesizer[Any],
        emit: Callable[[Event], None],
        table: list[int] | memoryview | None = None,
    ) -> None:
        """`emit` is called on the second thread, and may block for a while. `table` as in `Crew`."""
        self._size = max(1, synthesizer.capabilities.batch)
        table = [0] * self._size if table is None else table
        self._size = min(self._size, len(table))
        # All events go one way, or the end of an utterance would overtake its last sound. That a step hangs
        # ends it all: nobody said that another may be made meanwhile.
        super().__init__(synthesizer, 1, 0, lambda event: self._outbox.put(((event,), False)), table)
        self._synthesizer = synthesizer
        self._outbox: SimpleQueue[tuple[Sequence[Event], bool] | None] = SimpleQueue()
        self._room = threading.Semaphore(_STEPS_AHEAD)
        self._hand_on = emit
        self._running: list[Utterance[Job]] = []
        self._newcomers: list[tuple[Utterance[Job], TextPiece]] = []  # of those that run
        self._unwanted: list[Utterance[Job]] = []  # cancelled while they were parked
        self._told = (0, 0, 0)
        self._postman = threading.Thread(target=self._deliver, name="synthesis-events", daemon=True)

    def start(self) -> None:
        """Begin to work; the synthesizer must be loaded."""
        self._postman.start()
        super().start()

    def stop(self) -> None:
        """End the threads after the step under way; one that hangs is left behind after a while."""
        super().stop()
        self._outbox.put(None)
        self._postman.join(_JOIN_S)

    def _let_go(self, utterance: Utterance[Job]) -> None:
        """The thread of the steps closes it, which alone may call the synthesizer."""
        self._unwanted.append(utterance)
        self._changed.notify()

    # -- the thread of the steps ------------------------------------------------------------------------

    def _work(self, worker: Worker[Job]) -> None:
        results: Sequence[_Result] = ()
        step_s = 0.0
        while True:
            with self._changed:
                if worker.given_up:
                    return
                events, over = self._settle(results, step_s)
            for utterance in over:
                _close(utterance)
            with self._changed:
                if worker.given_up:
                    return
                worker.step_began = None
                self._release(over, events)
            if events:
                self._room.acquire()
                self._outbox.put((events, True))
            with self._changed:
                while not (self._choose() or self._unwanted or self._stopping):
                    self._note(worker)
                    self._changed.wait()
                if self._stopping:
                    break
                self._note(worker)
                worker.step_began = begun = time.monotonic()
            results = self._step()
            step_s = time.monotonic() - begun
        for utterance in self._turns:
            _close(utterance)

    def _settle(self, results: Sequence[_Result], step_s: float) -> tuple[list[Event], list[Utterance[Job]]]:
        """What there is to tell of a step, and whose jobs are over."""
        events: list[Event] = []
        over, self._unwanted = self._unwanted, []
        going_on: list[Utterance[Job]] = []
        for utterance, result in zip(self._running, results, strict=True):
            number = utterance.request.utterance
            if utterance.cancelled:
                over.append(utterance)
            elif isinstance(result, EngineError):
                self._turns.cancel(utterance)
                events.append(Failure(number, result.message))
                over.append(utterance)
            else:
                if len(result.pcm) or result.last_of_segment:
                    utterance.made_ms += result.audio_ms
                    queue_s, utterance.queue_s = utterance.queue_s, 0.0
                    events.append(Chunk(number, result, queue_s, step_s))
                if result.last_of_segment:
                    over.append(utterance)
                elif utterance.has_enough:
                    self._turns.release(utterance)
                else:
                    going_on.append(utterance)
        self._running = going_on
        return events, over

    def _release(self, over: Sequence[Utterance[Job]], events: list[Event]) -> None:
        """Their jobs are closed. Tells who is free, and how busy all are when that has changed."""
        for utterance in over:
            utterance.work = None
            self._turns.release(utterance)
            if self._turns.remove_if_over(utterance):
                events.append(Freed(utterance.request.utterance))
        counts = (len(self._turns), self._turns.waiting, self._turns.busy)
        if counts != self._told:
            self._told = counts
            events.append(self.stats())

    def _choose(self) -> bool:
        """Who takes part in the next step; False: nobody does."""
        while len(self._running) < self._size and (utterance := self._turns.take()) is not None:
            self._admit(utterance)
        while self._running and (first := self._turns.first()) is not None:
            last = max(self._running, key=lambda each: each.urgency)
            if first.urgency >= last.urgency:
                break
            self._running.remove(last)
            self._turns.release(last)
            self._turns.take()
            self._admit(first)
        return bool(self._running)

    def _admit(self, utterance: Utterance[Job]) -> None:
        if utterance.work is None:
            self._newcomers.append((utterance, self._turns.begin(utterance)))
        self._running.append(utterance)

    def _note(self, worker: Worker[Job]) -> None:
        """Write down who runs, for those who look from outside."""
        if list(worker.at) != self._running:
            for place in range(self._size):
                running = place < len(self._running)
                self._table[place] = self._running[place].request.utterance if running else 0
            worker.at = tuple(self._running)

    def _step(self) -> Sequence[_Result]:
        """One result for each that runs."""
        failed: dict[int, EngineError] = {}
        for utterance, piece in self._newcomers:
            try:
                utterance.work = self._synthesizer.begin(piece, utterance.request, utterance)
            except Exception as error:
                failed[utterance.request.utterance] = EngineError(reason_of(error))
        self._newcomers.clear()
        jobs = [utterance.work for utterance in self._running if utterance.work is not None]
        results: Sequence[_Result] = ()
        if jobs:
            try:
                results = self._synthesizer.step(jobs)
                if len(results) != len(jobs):
                    raise EngineError("the engine lost count of what it speaks")
            except Exception as error:
                results = [EngineError(reason_of(error))] * len(jobs)
        if not failed:
            return results
        made = iter(results)
        return [failed.get(each.request.utterance) or next(made) for each in self._running]

    # -- the thread of the events -----------------------------------------------------------------------

    def _deliver(self) -> None:
        while (post := self._outbox.get()) is not None:
            events, is_step = post
            for event in events:
                self._hand_on(event)
            if is_step:
                self._room.release()


def _close(utterance: Utterance[Job]) -> None:
    if utterance.work is not None:
        try:
            utterance.work.close()
        except Exception:  # the others go on
            _log.exception("engine_job_not_closed")
