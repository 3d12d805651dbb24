"""What those who speak for an engine have in common: commands, threads, and what becomes of hanging ones.

A crew knows no event loop: commands come in by `handle` from any thread, events go out by `emit` on its own
threads. `ThreadEngine` and the child process are both made of one.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

import structlog

from realtime.engines.engine import (
    Cancel,
    Command,
    DeviceMemory,
    Event,
    Failure,
    Feed,
    Finish,
    Flush,
    Freed,
    Grant,
    Open,
    PromptStats,
    Stats,
)
from realtime.engines.synthesizer import AnySynthesizer, KeepsPrompts, UsesDevice
from realtime.engines.turns import Turns, Utterance, Work
from realtime.errors import EngineError

#: How long one of these threads may hold the GIL before another thread of its process gets it, for
#: `sys.setswitchinterval`: 0.5 ms instead of 5, as commands and first packets must not wait for a voice.
SWITCH_INTERVAL_S = 0.0005
_JOIN_S = 5.0
_HANGS = "the voice engine did not come to an end with this text"
_BROKEN = "the voice engine hangs"
_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Worker(Generic[Work]):
    """A thread and what it is at.

    `step_began`: when the synthesizer was last asked for sound, None while it is not. It is taken back under
    the crew's lock, and by then the worker may be `given_up`: what it has made nobody wants.
    """

    place: int
    thread: threading.Thread | None = None
    at: Sequence[Utterance[Work]] = ()
    step_began: float | None = None
    given_up: bool = False


class Crew(ABC, Generic[Work]):
    """Speaks many utterances, the most urgent first."""

    def __init__(
        self,
        synthesizer: AnySynthesizer,
        workers: int,
        most_given_up: int,
        emit: Callable[[Event], None],
        table: list[int] | memoryview,
    ) -> None:
        """When more than `most_given_up` threads have hung, there are no others.

        `table`: which utterances the workers are at, each at a place of its own, 0 for none; for those who
        look at it from outside.
        """
        self._prompts = synthesizer.prompts if isinstance(synthesizer, KeepsPrompts) else None
        self._device = synthesizer if isinstance(synthesizer, UsesDevice) else None
        self._device_memory = DeviceMemory()
        self._emit = emit
        self._table = table
        self._turns: Turns[Work] = Turns()
        self._changed = threading.Condition()
        self._stopping = False
        self._workers: list[Worker[Work]] = [Worker(place) for place in range(workers)]
        self._most_given_up = most_given_up
        self._given_up = 0
        #: Whether so many threads hang that there will be no others: nothing more is taken on.
        self.broken = False

    @abstractmethod
    def _work(self, worker: Worker[Work]) -> None:
        """A thread's life."""

    @abstractmethod
    def _let_go(self, utterance: Utterance[Work]) -> None:
        """Called under the lock: the parked work of a cancelled utterance is not wanted any more."""

    def start(self) -> None:
        """Begin to work; the synthesizer must be loaded."""
        for worker in self._workers:
            self._start(worker)

    def stop(self) -> None:
        """End the threads after the steps under way; one that hangs is left behind after a while."""
        with self._changed:
            self._stopping = True
            utterances = list(self._turns)
            for utterance in utterances:
                utterance.cancelled = True
            self._changed.notify_all()
        for utterance in utterances:
            utterance.tell()
        deadline = time.monotonic() + _JOIN_S
        for worker in self._workers:
            if worker.thread is not None and not worker.given_up:
                worker.thread.join(max(0.0, deadline - time.monotonic()))

    def longest_step_s(self) -> float:
        """How long the slowest of the steps under way has taken so far; 0 when none is."""
        # Workers write it without the lock: read it once.
        steps = [worker.step_began for worker in self._workers if not worker.given_up]
        return max((time.monotonic() - step for step in steps if step is not None), default=0.0)

    def give_up(self, timeout_s: float) -> list[int]:
        """Leave workers behind whose step has taken so long, and have others instead.

        Returns the utterances that are lost with them. A thread cannot be ended: this one may hang for ever,
        and what it makes after all is dropped.
        """
        begun: list[Utterance[Work]] = []
        others: list[Utterance[Work]] = []
        started: list[Worker[Work]] = []
        with self._changed:
            latest = time.monotonic() - timeout_s
            for place, worker in enumerate(self._workers):
                if worker.step_began is None or worker.step_began > latest or worker.given_up:
                    continue
                worker.given_up = True
                self._given_up += 1
                begun += worker.at
                if self._given_up > self._most_given_up:
                    self.broken = True
                else:
                    self._workers[place] = Worker(place)
                    started.append(self._workers[place])
            wanted = [each for each in begun if not each.cancelled]
            for utterance in begun:
                self._turns.remove(utterance)
            if all(worker.given_up for worker in self._workers):
                others = list(self._turns)
                for utterance in others:
                    self._turns.remove(utterance)
        for utterance in (*begun, *others):
            utterance.tell()
        for worker in started:
            self._start(worker)
        for utterance in begun:
            number = utterance.request.utterance
            if utterance in wanted:
                self._emit(Failure(number, _HANGS, lost=True, begun=True))
            self._emit(Freed(number))
        for utterance in others:
            self._refuse(utterance.request.utterance)
        return [utterance.request.utterance for utterance in begun]

    def handle(self, command: Command) -> None:
        """Take a command, from any thread; returns at once."""
        freed = False
        with self._changed:
            if isinstance(command, Open) and not self.broken:
                self._turns.open(command)
                return
            utterance = self._turns.find(command.utterance)
            if utterance is not None:
                self._apply(command, utterance)
                freed = self._turns.remove_if_over(utterance)
        if utterance is None:
            if isinstance(command, Open):
                self._refuse(command.utterance)
            return
        if isinstance(command, Cancel):
            utterance.tell()
        if freed:
            self._emit(Freed(command.utterance))
            self._emit(self.stats())

    def forget(self, voice_key: str) -> None:
        """Drop what is kept of a recording, from any thread, which waits for the disk."""
        if self._prompts is not None:
            self._prompts.forget(voice_key)
            self._emit(self.stats())

    def stats(self) -> Stats:
        """How busy it is now."""
        prompts = PromptStats(0, 0, 0) if self._prompts is None else self._prompts.stats
        with self._changed:
            return Stats(
                open=len(self._turns),
                waiting=self._turns.waiting,
                busy=self._turns.busy,
                prompts=prompts.entries,
                prompt_hits=prompts.hits,
                prompt_misses=prompts.misses,
                device=self._device_memory,
            )

    def look_at_device(self) -> None:
        """Have `stats` tell of its memory as it is now; it takes too long for the thread of the steps."""
        if self._device is None:
            return
        try:
            self._device_memory = self._device.device_memory()
        except Exception:  # a driver that tells nothing must not end the thread that asks
            _log.exception("device_memory_unknown")
            self._device_memory, self._device = DeviceMemory(), None

    def _start(self, worker: Worker[Work]) -> None:
        name = f"synthesis-{worker.place}"
        worker.thread = threading.Thread(target=self._work, args=(worker,), name=name, daemon=True)
        worker.thread.start()

    def _apply(self, command: Command, utterance: Utterance[Work]) -> None:
        if isinstance(command, Feed):
            if not utterance.cancelled:
                self._turns.feed(utterance, command.piece)
        elif isinstance(command, Grant):
            self._turns.grant(utterance, command.audio_ms, command.deadline)
        elif isinstance(command, Flush):
            self._turns.flush(utterance)
        elif isinstance(command, Finish):
            utterance.finished = True
            self._turns.hold(utterance, False)
        elif isinstance(command, Cancel):
            if utterance.work is not None and not utterance.busy and not utterance.cancelled:
                self._let_go(utterance)
            self._turns.cancel(utterance)
        if utterance.may_start or utterance.is_held:  # a deadline may have moved
            self._changed.notify()

    def _refuse(self, utterance: int) -> None:
        self._emit(Failure(utterance, _BROKEN))
        self._emit(Freed(utterance))


def reason_of(error: Exception) -> str:
    """What may be told of a failure; texts of unforeseen ones are not for clients."""
    if isinstance(error, EngineError):
        return error.message
    return f"the engine failed on this text ({type(error).__name__})"
