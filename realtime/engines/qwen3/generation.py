"""What an utterance tells those who make its frames, and those who time its words: plain values."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from realtime.engines.qwen3.budget import RepetitionGuard
from realtime.engines.qwen3.codec import Codec
from realtime.engines.qwen3.prompt import Prompt
from realtime.types import AudioChunk, Pcm, TextPiece

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SpokenToken:
    """A token of the text, and the characters [start, end) of its segment's text that it stands for.

    `slow_s`: seconds that a slow speaker takes for it. `is_flushed`: text up to it is spoken to its end.
    """

    id: int
    segment: int
    start: int
    end: int
    slow_s: float = 0.0
    ends_segment: bool = False
    #: Not compared: it is the same token when a flush comes while the model is at it.
    is_flushed: bool = field(default=False, compare=False)

    @property
    def characters(self) -> int:
        """How many."""
        return self.end - self.start


@dataclass(frozen=True, slots=True, eq=False)
class Beginning:
    """How a generation begins: with the next `tokens` of the text in its prompt, then `trailing` text ids.

    `ends`: the text's end is among them, and no more can follow.
    """

    prompt: Prompt
    tokens: int
    trailing: tuple[int, ...] = ()
    ends: bool = False


class Script(Protocol):
    """How the generations of an utterance begin, for its voice, language and instruction."""

    @property
    def is_live(self) -> bool:
        """Whether text may follow token by token; if not, a generation begins with all of its text."""
        ...

    def begin(self, tokens: Sequence[SpokenToken]) -> Beginning:
        """The first generation; `tokens` are those known so far, at least one."""
        ...

    def go_on(self, spoken: Sequence[SpokenToken], codes: Codes, tokens: Sequence[SpokenToken]) -> Beginning:
        """One where another has ended; `codes` (frames, groups) say `spoken`. Only of those that are live."""
        ...

    def prepare(self, codec: Codec, row: int) -> None:
        """Bring the codec's state of a row to where the sound of a generation begins."""
        ...


class SegmentWriter(Protocol):
    """Cuts the sound of an utterance into segments, and times its words; on the thread of the events."""

    def write(self, pcm: Pcm, notes: Sequence[Note], over: bool) -> Sequence[AudioChunk]:
        """More sound, and what happened up to its end; `over`: there is no more."""
        ...


class Tokenize(Protocol):
    """The tokens of an utterance's text as it comes."""

    def feed(self, piece: TextPiece) -> list[SpokenToken]:
        """Those that are certain; a segment's last piece leaves none behind. Raises `EngineError`."""
        ...


class Budget(Protocol):
    """How many frames a generation may take at the most."""

    def frames(self, seconds: float) -> int:
        """For a text that a slow speaker takes so long for."""
        ...

    def spoken_frames(self, seconds: float) -> int:
        """How many that text takes at the most, if the generation may go on for so long."""
        ...


@dataclass(frozen=True, slots=True)
class TextAdded:
    """More text of a segment; `last`: it is complete."""

    segment: int
    text: str
    last: bool


@dataclass(frozen=True, slots=True)
class Consumed:
    """A token was given to the model at a frame of the utterance's sound."""

    token: SpokenToken
    frame: int


@dataclass(frozen=True, slots=True)
class GenerationEnded:
    """All text that was given to the model is spoken before frame `frame` of the utterance's sound."""

    frame: int


#: What the clock of an utterance's words is told, in the order in which it happened.
Note = TextAdded | Consumed | GenerationEnded


@dataclass(slots=True, eq=False)
class Generation:
    """One run of the model. `next_ids`: text ids of the next frames, before tokens that are still to come.

    `said`: its tokens, in order, for which a slow speaker takes `slow_s`. `has_end`: the text's end was
    given. `most_frames`: by its text; `room`: by its KV. `goes_on`: from the one before, without a pause.
    `frames`: launched so far. `is_full`: it was ended because its KV would not have held more text.
    `given_back`: tokens that came too late for it.
    """

    next_ids: deque[int]
    said: list[SpokenToken]
    has_end: bool
    most_frames: int
    room: int
    goes_on: bool
    frames: int = 0
    is_full: bool = False
    over: bool = False
    given_back: int = 0
    slow_s: float = 0.0
    repetitions: RepetitionGuard = field(default_factory=RepetitionGuard)

    @property
    def is_flushed(self) -> bool:
        """Whether its text ends with what it was given."""
        return bool(self.said) and self.said[-1].is_flushed

    @property
    def is_exhausted(self) -> bool:
        """Whether no more frames may be made of it, be its text spoken or not."""
        return self.frames >= min(self.most_frames, self.room)


@dataclass(frozen=True, slots=True, eq=False)
class Launched:
    """A frame that the model is at; `token`: what it was given, `ends_chunk`: a chunk ends with it."""

    generation: Generation
    token: SpokenToken | None
    ends_chunk: bool


@dataclass(frozen=True, slots=True, eq=False)
class ReadyChunk:
    """Frames that are to become sound: `codes` (frames, groups), and what happened up to their end."""

    codes: Codes
    notes: tuple[Note, ...]
