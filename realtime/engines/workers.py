"""Runs a `Synthesizer` on worker threads, in the order of deadlines; what can wait is parked between chunks.

This is the message-shaped core that both `ThreadEngine` and the child process are made of. It knows no event
loop: commands come in by `handle` from any thread, events go out by the `emit` callback on worker threads.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from realtime.engines.engine import (
    Cancel,
    Chunk,
    Command,
    Event,
    Failure,
    Feed,
    Finish,
    Freed,
    Grant,
    KeepsPrompts,
    Open,
    PromptStats,
    Stats,
    Synthesizer,
)
from realtime.errors import EngineError
from realtime.types import AudioChunk, TextPiece

#: How long one of these threads may hold the GIL before another thread of its process gets it, for
#: `sys.setswitchinterval`: 0.5 ms instead of 5, as commands and first packets must not wait for a voice.
SWITCH_INTERVAL_S = 0.0005
_JOIN_S = 5.0


class Table(Protocol):
    """Where workers write down, each at its number, which utterance they are at; 0 for none."""

    def __setitem__(self, worker: int, utterance: int, /) -> None:
        """Worker `worker` is at `utterance` from now on."""
        ...


@dataclass(slots=True, eq=False)
class _Utterance:
    request: Open
    waiting: deque[tuple[TextPiece, float]] = field(default_factory=deque)
    granted_ms: int = 0
    made_ms: float = 0.0
    deadline: float = 0.0
    busy: bool = False
    parked: Iterator[AudioChunk] | None = None  # the rest of a piece, while another is spoken first
    finished: bool = False
    cancelled: bool = False
    step_began: float | None = None  # when the synthesizer was last asked for sound, None while it is not

    def may_start(self) -> bool:
        """Whether a worker may go on with it; one at a time, so that segments keep their order."""
        has_work = self.parked is not None or bool(self.waiting)
        return has_work and not self.busy and self.made_ms < self.granted_ms

    def is_over(self) -> bool:
        has_work = self.parked is not None or bool(self.waiting)
        return not self.busy and (self.cancelled or (self.finished and not has_work))


class Workers:
    """A pool of threads that speaks many utterances segment by segment."""

    def __init__(
        self,
        synthesizer: Synthesizer,
        threads: int,
        emit: Callable[[Event], None],
        table: Table | None = None,
    ) -> None:
        """`emit` is called on the worker threads, and must not block for long.

        `table` is for those who look at it from outside.
        """
        self._synthesizer = synthesizer
        self._prompts = synthesizer.prompts if isinstance(synthesizer, KeepsPrompts) else None
        self._emit = emit
        self._utterances: dict[int, _Utterance] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._table: Table = [0] * threads if table is None else table
        self._threads = [
            threading.Thread(target=self._work, args=(number,), name=f"synthesis-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Begin to work; the synthesizer must be loaded."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads after the segments under way; one that hangs is left behind after a while."""
        with self._changed:
            self._stopping = True
            for utterance in self._utterances.values():
                utterance.cancelled = True
            self._changed.notify_all()
        deadline = time.monotonic() + _JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def longest_step_s(self) -> float:
        """How long the slowest of the steps under way has taken so far; 0 when none is."""
        with self._changed:
            # Workers write it without the lock: read it once.
            steps = (each.step_began for each in self._utterances.values())
            begun = [step for step in steps if step is not None]
        return time.monotonic() - min(begun) if begun else 0.0

    def handle(self, command: Command) -> None:
        """Take a command, from any thread; returns at once."""
        freed = False
        with self._changed:
            if isinstance(command, Open):
                self._utterances[command.utterance] = _Utterance(command)
                return
            utterance = self._utterances.get(command.utterance)
            if utterance is None:
                return
            if isinstance(command, Feed):
                utterance.waiting.append((command.piece, time.monotonic()))
            elif isinstance(command, Grant):
                utterance.granted_ms = max(utterance.granted_ms, command.audio_ms)
                utterance.deadline = command.deadline
            elif isinstance(command, Finish):
                utterance.finished = True
            elif isinstance(command, Cancel):
                utterance.cancelled = True
                utterance.waiting.clear()
                utterance.parked = None
            freed = self._remove_if_over(utterance)
            if utterance.may_start():
                self._changed.notify()
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
                open=len(self._utterances),
                waiting=sum(len(utterance.waiting) for utterance in self._utterances.values()),
                busy=sum(utterance.busy for utterance in self._utterances.values()),
                prompts=prompts.entries,
                prompt_hits=prompts.hits,
                prompt_misses=prompts.misses,
            )

    def _remove_if_over(self, utterance: _Utterance) -> bool:
        if not utterance.is_over():
            return False
        return self._utterances.pop(utterance.request.utterance, None) is not None

    def _most_urgent(self) -> _Utterance | None:
        ready = (utterance for utterance in self._utterances.values() if utterance.may_start())
        return min(ready, key=lambda utterance: utterance.deadline, default=None)

    def _work(self, number: int) -> None:
        while True:
            with self._changed:
                while (utterance := self._most_urgent()) is None and not self._stopping:
                    self._changed.wait()
                if self._stopping or utterance is None:
                    return
                utterance.busy = True
                self._table[number] = utterance.request.utterance
                sounds, utterance.parked = utterance.parked, None
                queue_s = 0.0
                if sounds is None:
                    piece, fed_at = utterance.waiting.popleft()
                    queue_s = time.monotonic() - fed_at
                    sounds = self._begin(utterance, piece)
            self._speak(utterance, sounds, queue_s)
            with self._changed:
                utterance.busy = False
                self._table[number] = 0
                freed = self._remove_if_over(utterance)
            if freed:
                self._emit(Freed(utterance.request.utterance))
            self._emit(self.stats())

    def _begin(self, utterance: _Utterance, piece: TextPiece) -> Iterator[AudioChunk]:
        """A generator, so that whatever `synthesize` does is done by `_speak`, outside the lock."""
        yield from self._synthesizer.synthesize(piece, utterance.request, utterance)

    def _speak(self, utterance: _Utterance, sounds: Iterator[AudioChunk], queue_s: float) -> None:
        """Make the sound of a piece to its end, or until it is better parked."""
        try:
            while True:
                utterance.step_began = begun = time.monotonic()
                audio = next(sounds, None)
                utterance.step_began = None
                if audio is None or utterance.cancelled:
                    return
                utterance.made_ms += audio.audio_ms
                infer_s = time.monotonic() - begun
                self._emit(Chunk(utterance.request.utterance, audio, queue_s, infer_s))
                queue_s = 0.0
                if not audio.last_of_segment and self._park(utterance, sounds):
                    return
        except EngineError as error:
            self._fail(utterance, error.message)
        except Exception as error:
            self._fail(utterance, f"the engine failed on this text ({type(error).__name__})")

    def _park(self, utterance: _Utterance, sounds: Iterator[AudioChunk]) -> bool:
        """Put a piece aside when enough of it was made, or when another utterance needs sound sooner."""
        with self._changed:
            other = self._most_urgent()  # never this one, which is busy
            enough = utterance.made_ms >= utterance.granted_ms
            if utterance.cancelled or not (enough or (other and other.deadline < utterance.deadline)):
                return False
            utterance.parked = sounds
            return True

    def _fail(self, utterance: _Utterance, message: str) -> None:
        with self._changed:
            utterance.step_began = None
            was_cancelled, utterance.cancelled = utterance.cancelled, True
            utterance.waiting.clear()
            utterance.parked = None
        if not was_cancelled:
            self._emit(Failure(utterance.request.utterance, message))
