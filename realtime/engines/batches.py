"""Runs a `BatchSynthesizer`: one thread speaks many utterances at a time, step by step.

Before each step the most urgent are chosen, as `engines.turns` has it. One that has enough is parked, and so
is one whose text has run dry; one that is more urgent than those under way takes the place of the least
urgent of them; one that was cancelled leaves. What a step has made is waited for and handed on by another
thread, while the next is under way.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import structlog

from realtime.engines.crew import Crew, Worker, reason_of
from realtime.engines.engine import Cancel, Chunk, Event, Failure, Freed, Step, Steps
from realtime.engines.synthesizer import BatchSynthesizer, Made, Sound, Stream
from realtime.engines.turns import Utterance
from realtime.errors import EngineError

#: There is no next step while what so many have made has not been handed on.
_STEPS_AHEAD = 16
_JOIN_S = 5.0
#: How long steps take is told of so many at once, or when there is a pause.
_STEPS_TOLD = 16
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Spoken:
    """Sound of an utterance that the second thread waits for; times as in `Chunk`."""

    utterance: int
    sound: Sound
    queue_s: float
    infer_s: float


_Post = Event | _Spoken


@dataclass(slots=True, eq=False)
class _Part:
    """An utterance that has a stream.

    `infer_s`: time of the steps since its last sound. `is_finished`: its stream knows there is no more text.
    """

    utterance: Utterance[Stream]
    infer_s: float = 0.0
    is_finished: bool = False


class Batches(Crew[Stream]):
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
        self._outbox: SimpleQueue[tuple[Sequence[_Post], bool] | None] = SimpleQueue()
        self._room = threading.Semaphore(_STEPS_AHEAD)
        self._hand_on = emit
        self._parts: dict[int, _Part] = {}  # by the identity of the stream
        self._running: list[Utterance[Stream]] = []
        self._unwanted: list[Utterance[Stream]] = []  # cancelled while they were parked
        self._failed: list[tuple[Utterance[Stream], EngineError]] = []  # they could not take part in the step
        self._held: dict[int, Utterance[Stream]] = {}  # parked until a time of their own
        self._told = (0, 0, 0)
        self._steps: list[Step] = []  # that were not told of
        self._postman = threading.Thread(target=self._deliver, name="synthesis-events", daemon=True)

    def start(self) -> None:
        """Begin to work; the synthesizer must be loaded."""
        self._synthesizer.listen(self._wake)
        self._postman.start()
        super().start()

    def stop(self) -> None:
        """End the threads after the step under way; one that hangs is left behind after a while."""
        super().stop()
        self._outbox.put(None)
        self._postman.join(_JOIN_S)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def _let_go(self, utterance: Utterance[Stream]) -> None:
        """The thread of the steps closes it, which alone may call the synthesizer."""
        self._unwanted.append(utterance)
        self._changed.notify()

    # -- the thread of the steps ------------------------------------------------------------------------

    def _work(self, worker: Worker[Stream]) -> None:
        made: Sequence[Made[Stream]] = ()
        while True:
            with self._changed:
                if worker.given_up:
                    return
                posts, over = self._settle(made)
            for utterance in over:
                self._close(utterance)
            with self._changed:
                if worker.given_up:
                    return
                worker.step_began = None
                self._release(over, posts)
            if posts:
                self._room.acquire()
                self._outbox.put((posts, True))
            with self._changed:
                while not (self._choose() or self._synthesizer.unfinished):
                    if self._unwanted or self._stopping:
                        break
                    self._note(worker)
                    self._changed.wait(self._held_s())
                if self._stopping:
                    break
                self._note(worker)
                worker.step_began = time.monotonic()
            made = self._step()
        for utterance in self._turns:
            self._close(utterance)

    def _settle(self, made: Sequence[Made[Stream]]) -> tuple[list[_Post], list[Utterance[Stream]]]:
        """What there is to tell of a step, and whose streams are over."""
        posts: list[_Post] = []
        over, self._unwanted = dict.fromkeys(self._unwanted), []
        failed, self._failed = self._failed, []
        for result in made:
            part = self._parts.get(id(result.stream))
            if part is None or part.utterance.cancelled:
                continue
            utterance = part.utterance
            if not utterance.busy:  # parked before it was known that its end had come
                self._count(utterance)
            if result.sound is not None:
                queue_s, utterance.queue_s = utterance.queue_s, 0.0
                infer_s, part.infer_s = part.infer_s, 0.0
                posts.append(_Spoken(utterance.request.utterance, result.sound, queue_s, infer_s))
            if result.error is not None:
                failed.append((utterance, result.error))
            elif result.over:
                over[utterance] = None
        for utterance, error in failed:
            if not utterance.cancelled:
                self._turns.cancel(utterance)
                posts.append(Failure(utterance.request.utterance, error.message))
            over[utterance] = None
        going_on: list[Utterance[Stream]] = []
        for utterance in self._running:
            if utterance.cancelled:
                over[utterance] = None
            if utterance in over or utterance.work is None:
                continue
            self._count(utterance)
            if utterance.has_enough or utterance.is_held:
                self._turns.release(utterance)
            else:
                going_on.append(utterance)
        self._running = going_on
        return posts, list(over)

    def _count(self, utterance: Utterance[Stream]) -> None:
        if utterance.work is not None and (made_ms := utterance.work.made_ms - utterance.made_ms):
            self._turns.made(utterance, made_ms)

    def _release(self, over: Sequence[Utterance[Stream]], posts: list[_Post]) -> None:
        """Their streams are closed. Tells who is free, and how busy all are when that has changed."""
        for utterance in over:
            utterance.work = None
            self._turns.release(utterance)
            if self._turns.remove_if_over(utterance):
                posts.append(Freed(utterance.request.utterance))
        if len(self._steps) >= _STEPS_TOLD or (self._steps and not self._running):
            posts.append(Steps(tuple(self._steps)))
            self._steps.clear()
        counts = (len(self._turns), self._turns.waiting, self._turns.busy)
        if counts != self._told:
            self._told = counts
            posts.append(self.stats())

    def _choose(self) -> bool:
        """Who takes part in the next step; False: nobody does."""
        self._wake_held()
        while len(self._running) < self._size and (utterance := self._turns.take()) is not None:
            self._running.append(utterance)
        while self._running and (first := self._turns.first()) is not None:
            last = max(self._running, key=lambda each: each.urgency)
            if first.urgency >= last.urgency:
                break
            self._running.remove(last)
            self._turns.release(last)
            self._turns.take()
            self._running.append(first)
        return bool(self._running)

    def _wake_held(self) -> None:
        """Those go on whose time has come."""
        now = time.monotonic()
        for number, utterance in tuple(self._held.items()):
            if utterance.is_held and utterance.work is not None and not utterance.cancelled:
                if utterance.work.next_step_at(utterance.deadline) > now:
                    continue
                self._turns.hold(utterance, False)
            del self._held[number]

    def _held_s(self) -> float | None:
        """For so long nobody goes on if nothing changes; None: for ever."""
        times = [
            utterance.work.next_step_at(utterance.deadline)
            for utterance in self._held.values()
            if utterance.work is not None and not utterance.has_enough
        ]
        wait_s = min(times, default=math.inf) - time.monotonic()
        return max(0.0, wait_s) if wait_s < threading.TIMEOUT_MAX else None

    def _note(self, worker: Worker[Stream]) -> None:
        """Write down who runs, for those who look from outside."""
        if list(worker.at) != self._running:
            for place in range(self._size):
                running = place < len(self._running)
                self._table[place] = self._running[place].request.utterance if running else 0
            worker.at = tuple(self._running)

    def _step(self) -> Sequence[Made[Stream]]:
        """What is new of those that run, and of those whose sound was under way."""
        begun = time.monotonic()
        streams: list[Stream] = []
        deadlines: list[float] = []
        for utterance in self._running:
            try:
                stream = self._prepare(utterance)
            except Exception as error:
                self._failed.append((utterance, _told(error, "engine_text_failed")))
                continue
            if stream is not None:
                streams.append(stream)
                deadlines.append(utterance.deadline)
        made: Sequence[Made[Stream]] = ()
        if streams or self._synthesizer.unfinished:
            try:
                made = self._synthesizer.step(streams, deadlines)
            except Exception as error:
                reason = _told(error, "engine_step_failed")
                made = [Made(stream, error=reason) for stream in streams]
        step_s = time.monotonic() - begun
        if streams:
            self._steps.append(Step(len(streams), step_s))
        for stream in streams:
            self._parts[id(stream)].infer_s += step_s
        return made

    def _prepare(self, utterance: Utterance[Stream]) -> Stream | None:
        """Its stream, opened if need be, with all text that has come; None: that is not enough for a step."""
        if utterance.work is None:
            stream: Stream = self._synthesizer.open(utterance.request)
            utterance.work, self._parts[id(stream)] = stream, _Part(utterance)
        stream, part = utterance.work, self._parts[id(utterance.work)]
        with self._changed:
            is_first = not utterance.fed_at
            parts, finished = self._turns.take_text(utterance), utterance.finished
            if is_first:
                utterance.queue_s = time.monotonic() - utterance.fed_at
        for number, pieces in enumerate(parts):
            if number:
                stream.flush()
            if pieces:
                stream.feed(pieces)
        if finished and not part.is_finished:
            part.is_finished = True
            stream.finish()
        with self._changed:
            is_held = stream.next_step_at(utterance.deadline) > time.monotonic()
            # What has come meanwhile is taken when its turn comes again, which is now.
            is_told = utterance.finished == finished and not utterance.flushed
            self._turns.hold(utterance, is_held and is_told)
            if utterance.is_held:
                self._held[utterance.request.utterance] = utterance
        return None if is_held else stream

    def _close(self, utterance: Utterance[Stream]) -> None:
        if utterance.work is None:
            return
        self._parts.pop(id(utterance.work), None)
        try:
            utterance.work.close()
        except Exception:  # the others go on
            _log.exception("engine_stream_not_closed")

    # -- the thread of the events -----------------------------------------------------------------------

    def _deliver(self) -> None:
        failed: set[int] = set()
        while (post := self._outbox.get()) is not None:
            items, is_step = post
            for item in items:
                if isinstance(item, _Spoken):
                    if item.utterance not in failed and not self._speak(item):
                        failed.add(item.utterance)
                    continue
                if isinstance(item, Freed):
                    failed.discard(item.utterance)
                elif isinstance(item, Failure) and item.utterance in failed:
                    continue
                self._hand_on(item)
            if is_step:
                self._room.release()

    def _speak(self, spoken: _Spoken) -> bool:
        """Hand on a sound; False: it could not be had, and its utterance has failed."""
        queue_s, infer_s = spoken.queue_s, spoken.infer_s
        try:
            chunks = spoken.sound.chunks()
        except Exception as error:
            self._hand_on(Failure(spoken.utterance, _told(error, "engine_sound_failed").message))
            self.handle(Cancel(spoken.utterance))
            return False
        for audio in chunks:
            self._hand_on(Chunk(spoken.utterance, audio, queue_s, infer_s))
            queue_s = infer_s = 0.0
        with self._changed:
            utterance = self._turns.find(spoken.utterance)
            handed_ms = sum(audio.audio_ms for audio in chunks)
            if utterance is not None and self._turns.handed_on(utterance, handed_ms, spoken.sound.end_ms):
                self._changed.notify()
        return True


def _told(error: Exception, event: str) -> EngineError:
    """What may be told of a failure; one that nobody foresaw is logged as `event`."""
    if not isinstance(error, EngineError):
        _log.exception(event)
    return EngineError(reason_of(error))
