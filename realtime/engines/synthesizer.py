"""What makes the sound of an engine, as its runners see it: blocking calls on threads that are made for them.

A `Synthesizer` speaks segment by segment (`engines.workers`), a `BatchSynthesizer` many utterances in one
step (`engines.batches`). What one can do beside that, it says by further protocols.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from realtime.engines.engine import Capabilities, DeviceMemory, Open, PromptStats
from realtime.errors import EngineError
from realtime.types import AudioChunk, TextPiece


class Cancellation(Protocol):
    """Tells a synthesizer, from another thread, that its work is no longer wanted."""

    @property
    def cancelled(self) -> bool:
        """True from the cancel on."""
        ...

    def on_cancel(self, callback: Callable[[], None]) -> AbstractContextManager[None]:
        """While the block runs, a cancel calls `callback`, on another thread; at once if it has been before.

        It must return at once and not mind being called twice, or at the very end of the block.
        """
        ...


class NeverCancelled:
    """The `Cancellation` of what nobody cancels, such as a warm-up."""

    cancelled = False

    def on_cancel(self, callback: Callable[[], None]) -> AbstractContextManager[None]:
        """Nothing is ever called."""
        return nullcontext()


class Synthesizer(Protocol):
    """The blocking heart of an engine that speaks segment by segment; run by `engines.workers`."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; known after `load`."""
        ...

    def load(self) -> None:
        """Read the models and warm up. Called once, before anything else."""
        ...

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        """The sound of one piece as one or more chunks, the last marked; may be called from several threads.

        A piece with nothing to say gives one empty chunk. Raises `EngineError` when it cannot be spoken.
        """
        ...


@runtime_checkable
class ReportsProgress(Protocol):
    """A synthesizer that takes long to load has this too.

    `load` calls it with what is being done, in a word or two ("weights"), and the fraction of that which is
    done, 0 to 1: from any thread, and as often as it likes. It is set before `load` is called; one that is
    silent for ten minutes is given up.
    """

    on_progress: Callable[[str, float], None]


class Sound(Protocol):
    """What a step has made of one utterance."""

    @property
    def end_ms(self) -> float:
        """Where it ends, as `Stream.made_ms` counts; what is not firm yet is part of it."""
        ...

    def chunks(self) -> Sequence[AudioChunk]:
        """Wait until it is there. Called once, by another thread than the steps, in the order of the steps.

        Empty when nothing of it is firm yet. Raises `EngineError` when the utterance cannot go on.
        """
        ...


class Stream(Protocol):
    """An utterance that a `BatchSynthesizer` speaks, step by step; text may come at any time."""

    @property
    def made_ms(self) -> float:
        """Milliseconds of sound that steps have begun so far, also of what is not handed on yet."""
        ...

    def feed(self, pieces: Sequence[TextPiece]) -> None:
        """More text. Raises `EngineError` when it cannot be spoken."""
        ...

    def flush(self) -> None:
        """What was fed is to be spoken to its end, whether more comes or not."""
        ...

    def finish(self) -> None:
        """No more text comes."""
        ...

    def next_step_at(self, deadline: float) -> float:
        """From when on it takes part in steps without more text, if its next sound is needed at `deadline`.

        Monotonic seconds; minus infinity: now, infinity: not before more text or the end comes.
        """
        ...

    def close(self) -> None:
        """Give back what it holds; it is spoken to its end, has failed or is not wanted any more."""
        ...


_S = TypeVar("_S", bound=Stream)


@dataclass(frozen=True, slots=True, eq=False)
class Made(Generic[_S]):
    """What has become of a stream; `over`: all of it is spoken. With an `error` it cannot go on."""

    stream: _S
    sound: Sound | None = None
    over: bool = False
    error: EngineError | None = None


@runtime_checkable
class BatchSynthesizer(Protocol[_S]):
    """The heart of an engine that works on several utterances in one step; run by `engines.batches`.

    After `load` one thread alone calls it and its streams. A stream that is not in a step is parked.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What it can do, known after `load`; `batch` is the most streams in a step."""
        ...

    @property
    def unfinished(self) -> bool:
        """Whether steps have begun something that only the next step tells, be it one without streams."""
        ...

    def load(self) -> None:
        """Read the models and warm up. Called once, before anything else."""
        ...

    def listen(self, on_change: Callable[[], None]) -> None:
        """Call `on_change`, from any thread, when `next_step_at` of a stream may have changed by itself."""
        ...

    def open(self, request: Open) -> _S:
        """Get ready for an utterance; all others wait. Raises `EngineError` when it cannot be spoken."""
        ...

    def step(self, streams: Sequence[_S], deadlines: Sequence[float]) -> Sequence[Made[_S]]:
        """Go on with these streams, whose next sound is needed at these times (monotonic seconds).

        Tells what is new of any stream that is not closed, in any order. What is raised fails all streams of
        the step.
        """
        ...


@runtime_checkable
class UsesDevice(Protocol):
    """A synthesizer that computes on a GPU, or might, has this too."""

    def device_memory(self) -> DeviceMemory:
        """How much of it is used; from any thread, in less than a millisecond."""
        ...


AnySynthesizer = Synthesizer | BatchSynthesizer[Any]


class Prompts(Protocol):
    """What a synthesizer has worked out of recordings; `engines.prompts` has one.

    That is not imported here: the process of an engine that clones nothing need not load what it needs.
    """

    @property
    def stats(self) -> PromptStats:
        """Counts since the start."""
        ...

    def forget(self, key: str) -> None:
        """Drop all of a recording, in memory and on disk; may be called from any thread."""
        ...


@runtime_checkable
class KeepsPrompts(Protocol):
    """A `Synthesizer` that clones voices has this too: its prompts are counted in `Stats`, and forgotten."""

    @property
    def prompts(self) -> Prompts:
        """All that it keeps of recordings."""
        ...
