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
from dataclasses import replace

import numpy as np

from realtime.engines.qwen3.generation import (
    Budget,
    Codes,
    Consumed,
    Generation,
    GenerationEnded,
    Launched,
    Note,
    ReadyChunk,
    Script,
    SegmentWriter,
    SpokenToken,
    TextAdded,
    Tokenize,
)
from realtime.engines.qwen3.prompt import Prompt
from realtime.types import TextPiece

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
        return self._finished and self._has_said_all and not self._codes

    @property
    def needs_row(self) -> bool:
        """Whether it is at a generation, or begins another one that may go on from the last."""
        return not self._has_said_all or (self._before is not None and self._before.is_full)

    @property
    def _has_said_all(self) -> bool:
        comes_back = any(launched.token is not None for launched in self._in_flight)
        return not (self._tokens or self.generation or comes_back)

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
            goes_on=carried is not None,
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
        generation.is_full = not generation.is_flushed and self._is_full(generation)
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
