"""Times of words and ends of segments, estimated while the sound of a generation arrives.

The model does not tell when a word sounds. Its text runs ahead of the sound, a token a frame: a word cannot
sound before its first token was given, and mostly sounds long after. So words are laid along the speech that
is heard by their lengths, at the speed that the voice has shown, and pauses that are heard are laid at the
commas and full stops that they fit best (`paths`).

Measured against the exact times of this repository's English voice (tests/engines/qwen3/test_words.py; six
talks that the estimate was not made with, 196 words): half of the words begin within 47 ms of where they are
told to, 90% within 135 ms, and all 23 segments end inside the pause that belongs to them. Slowed down by a
quarter: 80 ms and 310 ms. Of espeak's voices in five languages: 26 to 56 ms and 78 to 230 ms. A voice that
pauses long where its text has no mark misleads it: of the 54 segments that it was made with, 2 ended too
early, by up to 1.7 s, both at a sentence of ten very long words; the segments after it were right again.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from realtime.engines.qwen3.generation import Consumed, Note, SpokenToken, TextAdded
from realtime.engines.qwen3.paths import (
    Anchor,
    HeardPause,
    Path,
    Places,
    end,
    go_to,
    hear,
    late_cost,
)
from realtime.engines.qwen3.pauses import STEP_S, Pause, PauseFinder
from realtime.engines.qwen3.units import units_of
from realtime.types import AudioChunk, Pcm, WordTiming

#: Silence between two segments is held back until it is known whose it is, but not longer.
_HELD_S = 0.5
#: A pause that is so long is laid somewhere before it ends.
_CERTAIN_S = 0.35
#: A sentence that goes on for so much longer than it should has ended somewhere unheard.
_OVERDUE_FACTOR = 1.5
_OVERDUE_S = 0.8
#: After so much longer than expected no pause comes any more where one could have been.
_LATEST_PAUSE = 1.2
_LATEST_PAUSE_S = 0.1
#: Silence at the end of the sound that may become a pause.
_MAYBE_PAUSE_S = 0.05


@dataclass(slots=True)
class _Segment:
    """A segment whose sound is not complete. `first`: its first unit, among all."""

    index: int
    first: int
    text: str = ""
    complete: bool = False


class WordClock:
    """As `generation.SegmentWriter`: cuts the sound of an utterance into segments, and times its words."""

    def __init__(self, sample_rate: int, frame_samples: int) -> None:
        self._rate = sample_rate
        self._frame = frame_samples
        self._finder = PauseFinder(sample_rate)
        self._places = Places()
        self._consumed: list[int] = []  # samples of sound there were when a unit's first token was given
        self._segments: deque[_Segment] = deque()
        self._paths = [Path((Anchor(0, 0.0),))]
        self._before_pause: list[Path] | None = None  # the pause at the end was laid already, from these
        self._ended = 0  # units of segments whose end was told
        self._told = 0  # units whose times were told
        self._told_until = 0  # sample where the last of them ends
        self._begins = 0  # sample where the current segment begins
        self._handed = 0  # samples handed on
        self._held: Pcm = np.zeros(0, np.float32)
        self._settled_step = -1  # pauses that begin before it were laid

    def write(self, pcm: Pcm, notes: Sequence[Note], over: bool) -> list[AudioChunk]:
        """As `generation.SegmentWriter`. It makes no difference how many frames come at a time."""
        chunks: list[AudioChunk] = []
        for note in notes:
            if isinstance(note, TextAdded):
                self._add_text(note)
                continue
            pcm = self._hear_until(note.frame * self._frame, pcm, chunks)
            if isinstance(note, Consumed):
                self._consume(note.token, note.frame * self._frame)
            else:
                self._end(chunks)
        self._hear_until(self._received + len(pcm), pcm, chunks)
        if over:
            self._end(chunks)
            while self._segments:
                self._end_segment(self._received, len(self._places.units), chunks)
        return _joined(chunks)

    @property
    def _received(self) -> int:
        """Samples of the utterance so far."""
        return self._handed + len(self._held)

    def _hear_until(self, sample: int, pcm: Pcm, chunks: list[AudioChunk]) -> Pcm:
        """Hear sound up to there, frame by frame, and hand on what is certain; what is left."""
        while self._received < sample and len(pcm):
            self._hear(pcm[: self._frame], chunks)
            self._hand_on(chunks)
            pcm = pcm[self._frame :]
        return pcm

    # What is told.

    def _add_text(self, note: TextAdded) -> None:
        if not self._segments or self._segments[-1].index != note.segment:
            self._segments.append(_Segment(note.segment, len(self._places.units)))
        segment = self._segments[-1]
        segment.text += note.text
        segment.complete = note.last
        units = units_of(segment.index, segment.text, segment.complete)
        self._places.replace(segment.first, units)
        self._pass_empty()

    def _consume(self, token: SpokenToken, sample: int) -> None:
        """Units that begin before a token's end have been given to the model with it."""
        units = self._places.units
        while len(self._consumed) < len(units):
            unit = units[len(self._consumed)]
            if (unit.segment, unit.start) >= (token.segment, token.end):
                break
            self._consumed.append(sample)
        self._pass_empty()

    def _pass_empty(self) -> None:
        """What has no text is given to the model with what is before it."""
        units = self._places.units
        while len(self._consumed) < len(units) and units[len(self._consumed)].is_empty:
            self._consumed.append(self._consumed[-1] if self._consumed else 0)

    def _sayable(self, step: int) -> int:
        """Units that can have been begun by then."""
        return bisect_right(self._consumed, step * self._finder.step_samples)

    def _hear(self, pcm: Pcm, chunks: list[AudioChunk]) -> None:
        if not len(pcm):
            return
        self._held = np.concatenate([self._held, pcm])
        for pause in self._finder.add(pcm):
            if pause.start > self._settled_step:
                before = self._paths if self._before_pause is None else self._before_pause
                self._paths = self._lay(before, pause)
            self._before_pause = None
        silent = self._finder.steps - self._finder.silence_begins
        if (
            silent * STEP_S >= _CERTAIN_S
            and self._finder.in_pause
            and self._finder.silence_begins > self._settled_step
        ):
            if self._before_pause is None:
                self._before_pause = self._paths
            spoken = round(self._finder.spoken)
            pause = Pause(self._finder.silence_begins, self._finder.steps, spoken)
            self._paths = self._lay(self._before_pause, pause)
        self._decide(chunks)

    def _lay(self, paths: list[Path], pause: Pause) -> list[Path]:
        seconds = (pause.end - pause.start) * STEP_S
        # One unit more is said after it.
        units = max(0, self._sayable(pause.end) - 1)
        return hear(
            paths, HeardPause(pause.spoken * STEP_S, pause.start, pause.end, seconds, units), self._places
        )

    # What becomes of it.

    def _decide(self, chunks: list[AudioChunk]) -> None:
        """End the segments that have ended by the likeliest path."""
        spoken = self._finder.spoken * STEP_S
        path, cost = self._paths[0], math.inf
        for each in self._paths:
            # What comes to the cost is never less than 0, and to find out takes the most time here.
            if each.cost < cost and (whole := each.cost + late_cost(each, spoken, self._places)) < cost:
                path, cost = each, whole
        overdue = self._overdue(path, spoken)
        if overdue is not None:
            path = overdue
        self._paths = [path, *(each for each in self._paths if each is not path)]
        if self._end_segments(path, chunks) and self._before_pause is not None:
            self._before_pause = None  # the pause that the sound is in is laid for good
            self._settled_step = self._finder.steps
        self._paths = [self._shortened(each) for each in self._paths]

    def _overdue(self, path: Path, spoken: float) -> Path | None:
        """The path with an ending where one should have been long ago."""
        units = self._places.next_ending(max(path.last.units, self._ended))
        if units is None or self._sayable(self._finder.steps) <= units:
            return None
        usual = self._places.usual(path.last.units, units)
        expected = usual * path.slowness
        if spoken - path.last.spoken < _OVERDUE_FACTOR * expected + _OVERDUE_S:
            return None
        return go_to(path, Anchor(units, path.last.spoken + expected), path.cost, usual)

    def _end_segments(self, path: Path, chunks: list[AudioChunk], until: int | None = None) -> bool:
        """End the segments whose text is said by this path; whether there were any.

        Others may have another opinion and come to be the likeliest: what was told stays as it is. `until`:
        the sample where the sound ends, when all of the text has been said.
        """
        before = self._ended
        while self._segments and self._segments[0].complete:
            units = self._places.next_ending(self._segments[0].first)
            if units is None or units > path.last.units:
                break
            is_last = until is not None and units == path.last.units
            cut = until if until is not None and is_last else self._cut(path, units)
            self._end_segment(cut, units, chunks, path)
        return self._ended > before

    def _shortened(self, path: Path) -> Path:
        """Without anchors that no unit needs whose time is not told."""
        needed = bisect_right(path.anchors, self._told, key=lambda anchor: anchor.units) - 1
        return replace(path, anchors=path.anchors[max(0, needed) :]) if needed > 0 else path

    def _cut(self, path: Path, units: int) -> int:
        """The sample at which a segment ends that ends with so many units."""
        step = self._finder.step_samples
        for anchor in path.anchors:
            if anchor.units == units and anchor.end > anchor.start:
                first = max(anchor.start, -(-self._handed // step))
                return self._finder.softest(first, anchor.end) * step if first < anchor.end else self._handed
        return round(self._finder.ends_at(self._steps_at(path, units))) * step

    def _spoken_at(self, path: Path, units: int) -> float:
        """Seconds of speech up to there, by the anchors before and after."""
        number = bisect_right(path.anchors, units, key=lambda anchor: anchor.units) - 1
        before = path.anchors[max(0, number)]
        if before.units >= units:
            return before.spoken
        usual = self._places.usual(before.units, units)
        if number + 1 == len(path.anchors):
            return before.spoken + usual * path.slowness
        after = path.anchors[number + 1]
        share = usual / self._places.usual(before.units, after.units)
        return before.spoken + share * (after.spoken - before.spoken)

    def _steps_at(self, path: Path, units: int) -> float:
        """Steps of speech up to there, so that those of a pause are met in spite of rounding."""
        return round(self._spoken_at(path, units) / STEP_S, 6)

    def _end(self, chunks: list[AudioChunk]) -> None:
        """All that was given to the model has been said by now."""
        units, spoken = len(self._consumed), self._finder.spoken * STEP_S
        if self._before_pause is not None:
            self._paths = self._before_pause  # it was no pause: nothing came after it
        path = end(self._paths, Anchor(units, spoken), self._places)
        received = self._handed + len(self._held)
        self._end_segments(path, chunks, received)
        self._tell_words(received, chunks, path)
        self._paths = [replace(path, anchors=path.anchors[-1:], cost=0.0)]
        self._before_pause = None
        self._settled_step = self._finder.steps

    def _hand_on(self, chunks: list[AudioChunk]) -> None:
        """All sound that is certainly of the current segment."""
        if not self._segments:
            return
        received = self._handed + len(self._held)
        path = self._paths[0]
        units = self._places.next_ending(max(path.last.units, self._ended))
        until = received
        silent = self._finder.steps - self._finder.silence_begins
        may_end = units is not None and self._sayable(self._finder.steps) > units
        if may_end and _MAYBE_PAUSE_S <= silent * STEP_S:
            held_steps = min(silent, round(_HELD_S / STEP_S))
            until = (self._finder.steps - held_steps) * self._finder.step_samples
        self._tell_words(max(until, self._handed), chunks, path)

    def _tell_words(self, until: int, chunks: list[AudioChunk], path: Path) -> None:
        """Hand on the sound up to there, with the words of the current segment that end in it."""
        if not self._segments:  # all text has been said: what is left is nobody's
            self._skip(until)
            self._begins = self._told_until = until
            return
        units = self._places.next_ending(self._segments[0].first) or len(self._places.units)
        words: list[WordTiming] = []
        while self._told < min(units, len(self._consumed)) and not self._waits(self._told, path):
            word = self._word(self._told, path)
            if self._steps_at(path, self._told + 1) > self._finder.spoken or word.end > until:
                break
            self._tell(word, words)
        self._emit(until, words, chunks, last=False)

    def _waits(self, number: int, path: Path) -> bool:
        """Whether a pause may still come before a unit, so that it would be told too early."""
        units = self._places.units
        gap = next((each for each in range(number, path.last.units, -1) if units[each - 1].gap), None)
        if gap is None:
            return False
        expected = self._places.usual(path.last.units, gap) * path.slowness
        heard = self._finder.spoken * STEP_S - path.last.spoken
        return heard < _LATEST_PAUSE * expected + _LATEST_PAUSE_S

    def _end_segment(self, cut: int, units: int, chunks: list[AudioChunk], path: Path | None = None) -> None:
        """The current segment ends at a sample, and with so many units."""
        cut = min(max(cut, self._handed), self._handed + len(self._held))
        words: list[WordTiming] = []
        while path is not None and self._told < units:
            self._tell(self._word(self._told, path), words, cut)
        self._told = self._ended = max(self._told, units)
        self._emit(cut, words, chunks, last=True)
        self._segments.popleft()
        self._begins = self._told_until = cut

    def _word(self, number: int, path: Path) -> WordTiming:
        """When a unit sounds, in samples of the utterance."""
        unit, step = self._places.units[number], self._finder.step_samples
        begin = self._finder.begins_at(self._steps_at(path, number))
        finish = self._finder.ends_at(self._steps_at(path, number + 1))
        start = max(round(begin * step), self._consumed[number], self._told_until)
        return WordTiming(unit.start, unit.end, start, max(start, round(finish * step)))

    def _tell(self, word: WordTiming, words: list[WordTiming], latest: int | None = None) -> None:
        if latest is not None:
            word = replace(word, start=min(word.start, latest), end=min(word.end, latest))
        if self._places.units[self._told].is_word:
            words.append(replace(word, start=word.start - self._begins, end=word.end - self._begins))
        self._told += 1
        self._told_until = word.end

    def _emit(self, until: int, words: list[WordTiming], chunks: list[AudioChunk], last: bool) -> None:
        segment, count = self._segments[0], until - self._handed
        if count or words or last:
            pcm = self._held[:count]
            chunks.append(
                AudioChunk(segment.index, pcm, self._rate, tuple(words), estimated=True, last_of_segment=last)
            )
        self._skip(until)

    def _skip(self, until: int) -> None:
        self._held = self._held[until - self._handed :]
        self._handed = until


def _joined(chunks: Sequence[AudioChunk]) -> list[AudioChunk]:
    """What follows each other of a segment as one."""
    joined: list[AudioChunk] = []
    for chunk in chunks:
        if joined and joined[-1].segment == chunk.segment and not joined[-1].last_of_segment:
            before = joined.pop()
            chunk = replace(
                chunk, pcm=np.concatenate([before.pcm, chunk.pcm]), words=(*before.words, *chunk.words)
            )
        joined.append(chunk)
    return joined
