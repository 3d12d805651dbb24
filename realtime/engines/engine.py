"""The engine contract: plain messages both ways, so that an engine can run in a thread or in a process.

Commands go in with `Engine.send`, which never blocks; events come back through the callback given to
`Engine.start`, always on the event loop. For one utterance:

    Open, Feed*, Flush*, Grant*, Finish     ->   Chunk*, Freed
    ... Cancel                              ->   Freed  (chunks that were under way may still come before it)
                                                 Failed, Freed  (when the engine cannot go on)

Every utterance that was opened gets exactly one `Freed`, also when the engine's process dies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

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
