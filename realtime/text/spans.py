"""A text on its way from written to spoken, every character of which knows what it came from.

Each stage of the front end (markup, cleaning, lexicon, normalization) is a function from a text to `Edit`s;
`MappedText` applies them and keeps the way back to the client's characters.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from realtime.types import SpanLink

_WORD = re.compile(r"\S+")
# A long settled run, and how much of it at either end a later stage is shown.
_LONG_SETTLED = re.compile(rb"\x01{48,}")
_SHOWN = 16


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters [start, end) of a text are to be spoken as `spoken`; empty: left out.

    What is `settled` no later stage changes. An empty range inserts nothing and is not allowed.
    """

    start: int
    end: int
    spoken: str
    settled: bool = False


def share(text: str, start: int, end: int, spoken: str) -> list[Edit]:
    """Edits that let [start, end) of `text` be spoken as `spoken`, one for each written word if possible.

    So that every written word has a time of its own, the spoken words are shared out over the written ones,
    in order: "$5 million" as "five million dollars" gives "five" to "$5" and the rest to "million". With
    fewer spoken words than written ones it is one edit.
    """
    written = [match.span() for match in _WORD.finditer(text, start, end)]
    said = spoken.split()
    if len(written) < 2 or len(said) < len(written):
        return [Edit(start, end, spoken)]
    edits: list[Edit] = []
    for number, (word_start, word_end) in enumerate(written):
        first = number * len(said) // len(written)
        last = (number + 1) * len(said) // len(written)
        edits.append(Edit(word_start, word_end, " ".join(said[first:last])))
    return edits


class MappedText:
    """`text`, and for each of its characters the client's characters [start, end) that it came from.

    Source ranges are ordered; they are disjoint but where one run of the source became several characters,
    which then have the same range.
    """

    __slots__ = ("_ends", "_settled", "_starts", "text")

    def __init__(self, text: str, position: int) -> None:
        """A text as it was written; `position` is where it begins in the context's text."""
        self.text = text
        self._starts = list(range(position, position + len(text)))
        self._ends = list(range(position + 1, position + len(text) + 1))
        self._settled = bytearray(len(text))

    def edited(self, edits: Iterable[Edit]) -> MappedText:
        """With the edits applied; `edits` must be disjoint. Those that would change what is settled are not.

        What is left out belongs to the character before it if the two touch, else to the one after it: so
        "**bold**" is one word of the source. Across space nothing is passed on.
        """
        ordered = sorted(edits, key=lambda edit: edit.start)
        if not ordered:
            return self
        made = MappedText("", 0)
        parts: list[str] = []
        starts, ends, settled = made._starts, made._ends, made._settled
        done = 0
        owed: int | None = None  # where left-out characters begin that the next character takes over
        cut_runs = False
        for edit in ordered:
            if edit.start < done or any(self._settled[edit.start : edit.end]):
                continue
            cut_runs = cut_runs or self._cuts_run(edit.start) or self._cuts_run(edit.end)
            owed = self._copy(made, parts, done, edit.start, owed)
            done = edit.end
            source_start, source_end = self._source_of(edit)
            if edit.spoken:
                first = source_start if owed is None else owed
                owed = None
                parts.append(edit.spoken)
                starts += [first] * len(edit.spoken)
                ends += [source_end] * len(edit.spoken)
                settled += (b"\1" if edit.settled else b"\0") * len(edit.spoken)
            elif not self.text[edit.start].isspace() and parts and not parts[-1][-1].isspace():
                self._extend_last(ends, starts, source_end)
            elif not self.text[edit.end - 1].isspace():
                owed = source_start if owed is None else owed
        self._copy(made, parts, done, len(self.text), owed)
        made.text = "".join(parts)
        if cut_runs:
            made._join_overlaps()
        return made

    def read_by(self, stage: Callable[[str], Iterable[Edit]]) -> MappedText:
        """As edited by a stage that reads the text; of a long settled run it sees the two ends alone.

        What is between them it cannot change, and a table of long spoken forms would keep it busy for long.
        """
        runs = [(run.start() + _SHOWN, run.end() - _SHOWN) for run in _LONG_SETTLED.finditer(self._settled)]
        if not runs:
            return self.edited(stage(self.text))
        parts: list[str] = []
        places: list[int] = []
        done = 0
        for start, end in [*runs, (len(self.text), len(self.text))]:
            parts.append(self.text[done:start])
            places += range(done, start)
            done = end
        edits = stage("".join(parts))
        return self.edited(
            replace(edit, start=places[edit.start], end=places[edit.end - 1] + 1) for edit in edits
        )

    def _source_of(self, edit: Edit) -> tuple[int, int]:
        """Where the words of an edit came from, without the space around them."""
        written = self.text[edit.start : edit.end]
        start = edit.start + len(written) - len(written.lstrip())
        end = edit.end - len(written) + len(written.rstrip())
        if start >= end or not edit.spoken:
            start, end = edit.start, edit.end
        return self._starts[start], self._ends[end - 1]

    def _cuts_run(self, at: int) -> bool:
        """Whether the characters before and after `at` came from the same run of the source."""
        return 0 < at < len(self._starts) and self._starts[at] < self._ends[at - 1]

    def _join_overlaps(self) -> None:
        """What is left of a run that was edited in part has the same source as what it has become."""
        starts, ends = self._starts, self._ends
        first = 0
        while first < len(starts):
            end, last = ends[first], first + 1
            while last < len(starts) and starts[last] < end:
                end = max(end, ends[last])
                last += 1
            if last - first > 1:
                starts[first:last] = [starts[first]] * (last - first)
                ends[first:last] = [end] * (last - first)
            first = last

    def _copy(self, made: MappedText, parts: list[str], start: int, end: int, owed: int | None) -> int | None:
        """Take over [start, end) as it is; returns what is still owed after it."""
        if start >= end:
            return owed
        parts.append(self.text[start:end])
        made._starts += self._starts[start:end]
        made._ends += self._ends[start:end]
        made._settled += self._settled[start:end]
        if owed is not None and not self.text[start].isspace():
            at = len(made._starts) - (end - start)
            first = made._starts[at]
            length = end - start
            while at < len(made._starts) and length and made._starts[at] == first:
                made._starts[at] = owed
                at, length = at + 1, length - 1
        return None

    @staticmethod
    def _extend_last(ends: list[int], starts: list[int], end: int) -> None:
        """What was left out belongs to the last character, and to all that share its source."""
        at = len(ends) - 1
        start, before = starts[at], ends[at]
        while at >= 0 and starts[at] == start and ends[at] == before:
            ends[at] = end
            at -= 1

    def spoken_range(self, source_start: int, source_end: int) -> tuple[int, int]:
        """[start, end) of the characters whose source overlaps the given characters of the client."""
        start = bisect_right(self._ends, source_start)
        return start, max(start, bisect_left(self._starts, source_end))

    def stripped(self) -> MappedText:
        """Without space at its ends, and with one space wherever there was more or another kind of it."""
        text = self.text
        edits = [
            Edit(match.start(), match.end(), "" if match.start() == 0 or match.end() == len(text) else " ")
            for match in re.finditer(r"\s+", text)
            if match.group() != " " or match.start() == 0 or match.end() == len(text)
        ]
        if not edits:
            return self
        made = MappedText("", 0)
        parts: list[str] = []
        done = 0
        for edit in edits:
            self._copy(made, parts, done, edit.start, None)
            if edit.spoken:
                parts.append(edit.spoken)
                made._starts.append(self._starts[edit.start])
                made._ends.append(self._ends[edit.end - 1])
                made._settled.append(0)
            done = edit.end
        self._copy(made, parts, done, len(text), None)
        made.text = "".join(parts)
        return made

    def links(self) -> tuple[SpanLink, ...]:
        """Runs of characters with their sources: spoken as it is written, within a word, or rewritten.

        They are ordered and disjoint on both sides, and cover every spoken character that is not space.
        """
        text, starts, ends = self.text, self._starts, self._ends
        links: list[SpanLink] = []
        at, length = 0, len(text)
        while at < length:
            if text[at].isspace() and not (at and starts[at] == starts[at - 1] and ends[at] == ends[at - 1]):
                at += 1
                continue
            first = at
            at += 1
            if ends[first] - starts[first] == 1 and not (at < length and starts[at] == starts[first]):
                while (
                    at < length
                    and not text[at].isspace()
                    and starts[at] == ends[at - 1]
                    and ends[at] - starts[at] == 1
                    and not (at + 1 < length and starts[at + 1] == starts[at])
                ):
                    at += 1
                links.append(SpanLink(first, at, starts[first], ends[at - 1]))
                continue
            while at < length and starts[at] == starts[first] and ends[at] == ends[first]:
                at += 1
            stop = at
            while text[stop - 1].isspace():
                stop -= 1
            if stop > first:
                links.append(SpanLink(first, stop, starts[first], ends[first]))
        return tuple(links)
