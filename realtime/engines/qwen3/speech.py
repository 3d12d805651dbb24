"""One utterance: from the pieces of its text to the tokens of its frames, through one generation or several.

Text is fed to the model a token a frame. When it runs dry the utterance is held, not padded: padding before
the end of a text is nothing that the model knows. Only after a flush, or when its listener is about to run
dry and the text has stalled at the end of a segment, is the generation ended by `tts_eos`, so that all of it
is heard; later text begins another one. A generation whose text would overfill its KV is ended as well, and
the next one carries over the end of what was said.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from realtime.engines.qwen3.budget import RepetitionGuard
from realtime.engines.qwen3.prompt import Prompt
from realtime.types import AudioChunk, Pcm, TextPiece

if TYPE_CHECKING:
    from realtime.engines.qwen3.codec import Codec

#: So long before its listener runs dry, text that ends a segment is spoken to its end.
CLOSING_S = 0.15
#: But only if no text has come for so long: what comes at once belongs together.
STALLED_S = 0.25
#: Frames of a chunk: the first is one frame, and each may be one longer than the one before it.
CHUNK_FRAMES = (1, 2, 4, 8, 12)
#: Of the sound that a listener has in hand, so much may pass until the next chunk is there.
_SHARE_OF_LEAD = 0.5
#: Codes of so many frames are kept, for a generation that goes on where another has ended.
CARRIED_FRAMES = 150
LEAST_CARRIED_FRAMES = 6
#: Seeds of the generations of one utterance lie so far apart (the golden ratio, as in splitmix64).
_NEXT_SEED = 0x9E3779B97F4A7C15
_SEED_MASK = 2**63 - 1

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
        """Bring the codec's state of a row to where the utterance's sound begins."""
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
    given. `most_frames`: by its text; `room`: by its KV. `frames`: launched so far. `is_full`: it was ended
    because its KV would not have held more text. `given_back`: tokens that came too late for it.
    """

    next_ids: deque[int]
    said: list[SpokenToken]
    has_end: bool
    most_frames: int
    room: int
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


class Speech:
    """An utterance, as `engine.Stream` and as those who step see it. For the thread of the steps alone."""

    def __init__(
        self,
        script: Future[Script],
        tokenize: Tokenize,
        budget: Budget,
        sound: SegmentWriter,
        *,
        tts_eos: int,
        tts_pad: int,
        frame_ms: float,
        seed: int,
        has_row: Callable[[Speech], bool],
        on_close: Callable[[Speech], None],
    ) -> None:
        """`script` may still be worked out: until then it is held. `has_row`: it has one or could get one."""
        self.sound = sound
        self._seed = seed
        self._generations = 0
        self._script = script
        self._tokenize = tokenize
        self._budget = budget
        self._tts_eos = tts_eos
        self._tts_pad = tts_pad
        self._frame_ms = frame_ms
        self._has_row = has_row
        self._on_close = on_close
        self._tokens: deque[SpokenToken] = deque()  # not given to the model yet
        self._segment_is_open = False
        self._fed_at = 0.0
        self._finished = False
        self._notes: list[Note] = []
        self._codes: list[Codes] = []  # of the chunk that is collected
        self._last_codes: deque[Codes] = deque(maxlen=CARRIED_FRAMES)  # of the generation, or the one before
        self._before: Generation | None = None
        self._chunk = -1  # index into CHUNK_FRAMES
        self._chunk_frames = 0
        self._chunk_left = 0
        self._made_frames = 0
        self._frames = 0  # of sound, collected
        self._in_flight: deque[Launched] = deque()
        self.generation: Generation | None = None
        self.row: int | None = None
        self.closed = False

    # -- a Stream ---------------------------------------------------------------------------------------

    @property
    def made_ms(self) -> float:
        """As `engine.Stream`: in whole chunks, so that it is not parked in the middle of one."""
        return self._made_frames * self._frame_ms

    def feed(self, pieces: Sequence[TextPiece]) -> None:
        """As `engine.Stream`."""
        self._fed_at = time.monotonic()
        for piece in pieces:
            self._notes.append(TextAdded(piece.segment, piece.text, piece.last_of_segment))
            self._tokens += self._tokenize.feed(piece)
            self._segment_is_open = not piece.last_of_segment

    def flush(self) -> None:
        """As `engine.Stream`."""
        # Of the last generation some of the text may be on its way back: it ended before it was given that.
        last = self.generation or self._before
        if self._tokens:
            self._tokens[-1] = replace(self._tokens[-1], is_flushed=True)
        elif last is not None and last.said:
            last.said[-1] = replace(last.said[-1], is_flushed=True)

    def finish(self) -> None:
        """As `engine.Stream`."""
        self._finished = True
        self._segment_is_open = False

    def next_step_at(self, deadline: float) -> float:
        """As `engine.Stream`."""
        if not self._script.done():
            return math.inf
        if self.generation is None:
            if not self._may_begin():
                return -math.inf if self.is_over else math.inf
            return -math.inf if self._has_row(self) else math.inf
        if self._has_next_id(self.generation):
            return -math.inf
        is_held = self._segment_is_open or self.generation.is_exhausted
        return math.inf if is_held else max(deadline - CLOSING_S, self._fed_at + STALLED_S)

    def close(self) -> None:
        """As `engine.Stream`."""
        self.closed = True
        self._script.cancel()  # nobody need listen to its recording, if that has not begun
        self._on_close(self)

    # -- those who step -----------------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        """Whether all of it is spoken and handed on; a frame under way that is beyond its end is nothing."""
        if any(launched.token is not None for launched in self._in_flight):
            return False  # the token comes back
        return self._finished and not (self._tokens or self.generation or self._codes)

    @property
    def collected_ms(self) -> float:
        """Milliseconds of sound up to the last frame that was collected."""
        return self._frames * self._frame_ms

    @property
    def script(self) -> Script:
        """Raises `EngineError` when there is none, for the voice cannot be had."""
        return self._script.result()

    def begin(self, room: Callable[[Prompt], int]) -> tuple[Prompt, int] | None:
        """The prompt and the seed of its next generation; None: it is at one, or has nothing to say.

        `room`: frames that fit behind a prompt. Raises `EngineError` when it cannot be spoken.
        """
        if self.generation is not None or not self._may_begin():
            return None
        ahead = self._ahead()
        carried = self._carried(ahead)
        beginning = self.script.go_on(*carried, ahead) if carried else self.script.begin(ahead)
        said = [self._tokens.popleft() for _ in range(beginning.tokens)]
        self._last_codes.clear()
        self.generation = Generation(
            next_ids=deque((int(beginning.prompt.text_ids[-1]), *beginning.trailing)),
            said=said,
            has_end=beginning.ends,
            most_frames=0,
            room=room(beginning.prompt),
        )
        self._allow(self.generation, said)
        self._notes += [Consumed(token, self._frames) for token in said]
        seed = (self._seed + self._generations * _NEXT_SEED) & _SEED_MASK
        self._generations += 1
        return beginning.prompt, seed

    def launch(self, lead_s: float, step_s: float) -> tuple[int, Launched]:
        """The text id of the next frame, which is launched now.

        `lead_s`: sound that its listener has in hand; `step_s`: how long a step takes.
        """
        generation = self.generation
        assert generation is not None, "it has begun"
        if not self._chunk_left:
            self._chunk_left = self._chunk_frames = self._next_chunk(lead_s, step_s)
        text_id, token = self._next_id(generation)
        generation.frames += 1
        self._chunk_left -= 1
        ends_chunk = not self._chunk_left or not self._has_next_id(generation)
        if ends_chunk:
            self._made_frames += self._chunk_frames - self._chunk_left
            self._chunk_left = 0
        self._in_flight.append(Launched(generation, token, ends_chunk))
        return text_id, self._in_flight[-1]

    def collect(self, launched: Launched, codes: Codes, ended: bool) -> ReadyChunk | None:
        """What the model has made of a frame, `codes` (groups,); a chunk, if one is complete with it."""
        self._in_flight.popleft()
        generation = launched.generation
        if generation.over:  # it was launched before its end was known
            self._give_back(launched)
            return None
        if ended:
            self._give_back(launched)
            return self._end(generation)
        if launched.token is not None:
            self._notes.append(Consumed(launched.token, self._frames))
        self._codes.append(codes)
        self._last_codes.append(codes)
        self._frames += 1
        repeats = generation.repetitions.add(int(codes[0]))
        if repeats or (generation.is_exhausted and not self._in_flight):
            return self._end(generation)
        return self._chunk_of() if launched.ends_chunk else None

    def _ahead(self) -> tuple[SpokenToken, ...]:
        """Tokens that the next generation may be given: up to a flush, of one that takes no more one segment.

        That is so whenever they came: what is said does not depend on how fast the text was.
        """
        is_live = self.script.is_live
        ahead: list[SpokenToken] = []
        for token in self._tokens:
            ahead.append(token)
            if token.is_flushed or (token.ends_segment and not is_live):
                break
        return tuple(ahead)

    def _may_begin(self) -> bool:
        """Whether there is text that a generation can begin with."""
        if not self._tokens or self._in_flight:
            return False
        if self._script.exception() is not None or self._script.result().is_live:
            return True
        return any(token.ends_segment or token.is_flushed for token in self._tokens) or self._finished

    def _has_next_id(self, generation: Generation) -> bool:
        if generation.is_exhausted:
            return False
        is_to_end = self._finished or generation.is_flushed
        return bool(generation.next_ids or generation.has_end or self._tokens or is_to_end)

    def _next_id(self, generation: Generation) -> tuple[int, SpokenToken | None]:
        if generation.next_ids:
            return generation.next_ids.popleft(), None
        if generation.has_end:
            return self._tts_pad, None
        generation.is_full = self._is_full(generation)
        if self._tokens and not generation.is_full and not generation.is_flushed:
            token = self._tokens.popleft()
            generation.said.append(token)
            self._allow(generation, (token,))
            return token.id, token
        generation.has_end = True
        return self._tts_eos, None

    def _allow(self, generation: Generation, tokens: Sequence[SpokenToken]) -> None:
        """It may take longer, as there is more to say."""
        generation.slow_s += sum(token.slow_s for token in tokens)
        generation.most_frames = self._budget.frames(generation.slow_s)

    def _is_full(self, generation: Generation) -> bool:
        """Whether its text has to end here, as all of it must be spoken before its KV is full."""
        # What it may take by a setting says nothing of how much there is to say.
        frames = min(generation.most_frames, self._budget.spoken_frames(generation.slow_s))
        if frames >= generation.room:
            return True
        ends_segment = bool(generation.said) and generation.said[-1].ends_segment
        return ends_segment and 2 * frames >= generation.room

    def _carried(self, ahead: Sequence[SpokenToken]) -> tuple[list[SpokenToken], Codes] | None:
        """The last words of the generation before, and the frames that say them, if there is to be a bridge.

        Where its text was ended for want of room, the next one goes on from there. In a prompt the text runs
        ahead of the sound: so no more is carried than there are tokens ahead to lay over it.
        """
        before = self._before
        if before is None or not before.is_full or not self.script.is_live or not self._last_codes:
            return None
        characters = sum(token.characters for token in before.said)
        frames_per_character = max(before.frames, 1) / max(characters, 1)
        carried: list[SpokenToken] = []
        frames = 0
        for count, token in enumerate(reversed(before.said), 1):
            more = round(frames_per_character * sum(each.characters for each in (*carried, token)))
            if more > len(self._last_codes) or more - count >= len(ahead):
                break
            carried.append(token)
            frames = more
        if frames < LEAST_CARRIED_FRAMES:
            return None
        return carried[::-1], np.stack(self._last_codes)[-frames:]

    def _next_chunk(self, lead_s: float, step_s: float) -> int:
        """Frames of the next chunk: as many as are there long before they are needed."""
        longest = min(self._chunk + 1, len(CHUNK_FRAMES) - 1)
        while longest and CHUNK_FRAMES[longest] * step_s > _SHARE_OF_LEAD * lead_s:
            longest -= 1
        self._chunk = longest
        return CHUNK_FRAMES[longest]

    def _give_back(self, launched: Launched) -> None:
        """A token that was given to a generation that ended without it: the next one says it."""
        if launched.token is not None:
            generation = launched.generation
            token = generation.said.pop(generation.said.index(launched.token))
            self._tokens.insert(generation.given_back, token)
            generation.given_back += 1

    def _end(self, generation: Generation) -> ReadyChunk:
        generation.over = True
        self.generation = None
        self._chunk_left = 0
        self._made_frames = self._frames
        self._notes.append(GenerationEnded(self._frames))
        self._before = generation
        return self._chunk_of()

    def rest(self) -> ReadyChunk:
        """What is left to be told when it is over."""
        return self._chunk_of()

    def _chunk_of(self) -> ReadyChunk:
        codes = np.stack(self._codes) if self._codes else np.zeros((0, 1), np.int64)
        chunk = ReadyChunk(codes, tuple(self._notes))
        self._codes.clear()
        self._notes.clear()
        return chunk
