"""The engine contract: plain messages both ways, so that an engine can run in a thread or in a process.

Commands go in with `Engine.send`, which never blocks; events come back through the callback given to
`Engine.start`, always on the event loop. For one utterance:

    Open, Feed*, Flush*, Grant*, Finish     ->   Chunk*, Freed
    ... Cancel                              ->   Freed  (chunks that were under way may still come before it)
                                                 Failed, Freed  (when the engine cannot go on)

Every utterance that was opened gets exactly one `Freed`, also when the engine's process dies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar, runtime_checkable

import msgspec

from realtime.errors import EngineError
from realtime.types import AudioChunk, TextPiece, VoiceReference


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which model is loaded, and how it runs.

    `model_id`: its name on Hugging Face, or a folder. `device`: "auto", "cpu", "cuda" or "cuda:1"; `dtype`:
    "auto" or as torch calls it; `attention`: "auto", "sdpa", "triton" or "flash". `max_batch_size` utterances
    are spoken in one step. `max_new_tokens`: most frames of a generation, 0: by its text. `compile`: the
    step is compiled by torch.
    """

    model_id: str
    device: str = "auto"
    dtype: str = "auto"
    attention: str = "auto"
    max_batch_size: int = 32
    max_new_tokens: int = 0
    compile: bool = False


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What the factory of a synthesizer is given. All plain values: they go to another process.

    `prompt_folder`: where prompts of cloned voices are kept, None: in memory alone, `prompts_in_memory` of
    them (`engines.prompts`). `model` is for an engine that has one to choose. `cores`: those that its process
    stays on; none: all that the server may use.
    """

    prompt_folder: str | None = None
    prompts_in_memory: int = 32
    model: ModelSettings | None = None
    cores: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do; everything above decides by this alone, never by an engine's name."""

    name: str
    voices: tuple[str, ...]
    languages: tuple[str, ...]
    sample_rate: int
    #: Takes whole segments ("segment") or words as they become final ("word").
    takes: Literal["segment", "word"] = "segment"
    word_timings: Literal["exact", "estimated", "none"] = "none"
    #: Reads numbers and signs itself, better than the front end: it is given words as they are written.
    normalizes_text: bool = False
    instruct: bool = False
    cloning: bool = False
    language_fixed_per_utterance: bool = False
    #: Tells the language by the text itself, if an utterance is opened with the language "auto".
    tells_language: bool = False
    #: What the sound of a segment depends on: itself alone, or also all that was said before it.
    context: Literal["segment", "utterance"] = "segment"
    #: How many utterances can be worked on at the same time, by threads: there are never more of them.
    concurrency: int = 1
    #: How many utterances a `BatchSynthesizer` works on in one step, by its only thread.
    batch: int = 1


class Open(msgspec.Struct, frozen=True, tag="open"):
    """Begin an utterance. `utterance` is never used again in the engine's life.

    `auto_voices`: pairs of a language and the voice that speaks the pieces in it; `voice` speaks those in
    `language` and in any other. Only an engine made of several heeds it. With a `reference`, which only an
    engine that clones is given, that is the voice, and `voice` a name for it. `language` is "auto" only for
    an engine that tells it by itself. `instruct`: how to speak, in words; only a voice that takes such words
    is given any.
    """

    utterance: int
    voice: str
    language: str
    seed: int = 0
    auto_voices: tuple[tuple[str, str], ...] = ()
    reference: VoiceReference | None = None
    instruct: str = ""


class Feed(msgspec.Struct, frozen=True, tag="feed"):
    """Text to be spoken after what was fed before."""

    utterance: int
    piece: TextPiece


class Grant(msgspec.Struct, frozen=True, tag="grant"):
    """`audio_ms` of sound may be made in all since `Open`; its next part is needed at `deadline`.

    Deadlines are seconds of the monotonic clock, which all processes of a machine share. An engine begins
    nothing when enough was made, and may make more only to the end of what it is at; it parks what is needed
    later than another.
    """

    utterance: int
    audio_ms: int
    deadline: float


class Flush(msgspec.Struct, frozen=True, tag="flush"):
    """All text fed so far is to be spoken to its end, whether more comes or not.

    An engine that waits for what follows a segment, to speak on without a seam, does not wait here.
    """

    utterance: int


class Finish(msgspec.Struct, frozen=True, tag="finish"):
    """No more text will be fed."""

    utterance: int


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """Stop at the next step; `Freed` says when. Of an unknown utterance: nothing happens."""

    utterance: int


Command = Open | Feed | Flush | Grant | Finish | Cancel


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Sound of an utterance.

    `queue_s`: how long its text waited for a worker; `infer_s`: time to make it; `load_s`: how long the
    utterance waited until the engine was loaded.
    """

    utterance: int
    audio: AudioChunk
    queue_s: float = 0.0
    infer_s: float = 0.0
    load_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Freed:
    """The utterance holds nothing of the engine any more."""

    utterance: int


@dataclass(frozen=True, slots=True)
class Failure:
    """The utterance cannot go on. `message` may be shown to a client.

    `lost`: not because of this text, but because the engine was lost: it died, or hung and was given up. Then
    `begun` says whether a worker was at this utterance, so that its text may have been the reason after all;
    one that was not begun only waited, and can be opened again.
    """

    utterance: int
    message: str
    lost: bool = False
    begun: bool = True


@dataclass(frozen=True, slots=True)
class PromptStats:
    """`entries` in memory; `hits` found there, on disk, or being made for another; `misses` were made."""

    entries: int
    hits: int
    misses: int


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Memory of a GPU in bytes: in use by this process, taken by it, and all that there is."""

    allocated: int = 0
    reserved: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Stats:
    """How busy the engine is: utterances open, pieces waiting, workers busy; its cache of prompts; its memory
    of a GPU, if it has one.
    """

    open: int
    waiting: int
    busy: int
    prompts: int = 0  # in memory
    prompt_hits: int = 0
    prompt_misses: int = 0
    device: DeviceMemory = DeviceMemory()


class Step(msgspec.Struct, frozen=True, array_like=True):
    """One step of an engine that speaks several utterances in one: of how many, and how long it took."""

    utterances: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Steps:
    """Steps since the last word of them."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Restarted:
    """A process of the engine was lost, and another one took its place."""


@dataclass(frozen=True, slots=True)
class LoadState:
    """Whether the engine is loaded; told when that changes by one that takes long to load, and by no other.

    While it is "loading", `what` is being done, in a word or two, and the `fraction` of that is done, 0 to 1;
    empty when nothing is known of it.
    """

    phase: Literal["unloaded", "loading", "loaded"]
    what: str = ""
    fraction: float = 0.0


#: What tells of the engine, and of no utterance.
EngineEvent = Stats | Steps | Restarted | LoadState
Event = Chunk | Freed | Failure | EngineEvent


class Engine(Protocol):
    """An engine as the rooms above see it; all methods are called on the event loop."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do; known after `start`."""
        ...

    @property
    def ready(self) -> bool:
        """Whether a command sent now is worked on at once (False while a process is restarted)."""
        ...

    async def start(self, on_event: Callable[[Event], None]) -> None:
        """Load everything and warm up; events are delivered to `on_event` on this event loop."""
        ...

    def send(self, command: Command) -> None:
        """Give a command; never blocks and never raises for the state of an utterance."""
        ...

    async def forget(self, voice_key: str) -> None:
        """Drop what is kept of a recording (`VoiceReference.key`), in memory and on disk: it was deleted.

        The loop does not wait for the disk; the caller does, and then the files are gone.
        """
        ...

    async def stop(self) -> None:
        """Give back threads, processes and memory. Utterances still open are dropped without events."""
        ...


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
