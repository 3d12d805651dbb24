"""A text under several passes of edits, given out as edits of the text as it was at first."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from realtime.text.spans import Edit


class Draft:
    """`text` as it is now, after the passes so far; each of its characters knows where it came from.

    What an edit has `settled` only a pass that says so may change.
    """

    __slots__ = ("_ends", "_settled", "_source", "_starts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._source = text
        self._starts = list(range(len(text)))
        self._ends = list(range(1, len(text) + 1))
        self._settled = bytearray(len(text))

    def settled(self, start: int, end: int) -> bool:
        """Whether one of the characters [start, end) is settled."""
        return 1 in self._settled[start:end]

    def apply(self, edits: Iterable[Edit], even_settled: bool = False) -> None:
        """Apply edits of `text` as it is now, disjoint and in order.

        An edit that says what stands there already changes nothing; if it is `settled`, it settles that.
        """
        text, starts, ends, settled = self.text, self._starts, self._ends, self._settled
        parts: list[str] = []
        new_starts: list[int] = []
        new_ends: list[int] = []
        new_settled = bytearray()
        done = 0
        for edit in edits:
            first, last = edit.start, edit.end
            if first < done or (not even_settled and 1 in settled[first:last]):
                continue
            if edit.spoken == text[first:last]:
                if edit.settled:
                    settled[first:last] = b"\1" * (last - first)
                continue
            parts.append(text[done:first])
            new_starts += starts[done:first]
            new_ends += ends[done:first]
            new_settled += settled[done:first]
            length = len(edit.spoken)
            if length:
                parts.append(edit.spoken)
                new_starts += [starts[first]] * length
                new_ends += [ends[last - 1]] * length
                keep = edit.settled or 1 in settled[first:last]
                new_settled += (b"\1" if keep else b"\0") * length
            done = last
        if not done:
            return
        parts.append(text[done:])
        self._starts = new_starts + starts[done:]
        self._ends = new_ends + ends[done:]
        self._settled = new_settled + settled[done:]
        self.text = "".join(parts)

    def edits(self) -> list[Edit]:
        """What all passes together changed, in characters of the first text; ordered and disjoint."""
        text, source, starts, ends = self.text, self._source, self._starts, self._ends
        made: list[Edit] = []
        at = done = 0
        length = len(text)
        while at < length:
            start, end = starts[at], ends[at]
            if start > done:
                self._leave_out(made, done, start, at)
            first = at
            at += 1
            # What came from the same characters, or from some of the same, is one edit.
            while at < length and starts[at] < end:
                end = max(end, ends[at])
                at += 1
            if text[first:at] != source[start:end]:
                made.append(Edit(start, end, text[first:at]))
            done = end
        if done < len(source):
            self._leave_out(made, done, len(source), at)
        return made

    def _leave_out(self, made: list[Edit], start: int, end: int, at: int) -> None:
        """Edits for the characters [start, end) that are gone, at the place `at` of the text as it is now.

        They are cut where they hold space, so that each part goes with the word that it touches.
        """
        spaces = [
            index for index, character in enumerate(self._source[start:end], start) if character.isspace()
        ]
        cuts = [start, end]
        if spaces:
            touches = at > 0 and not self.text[at - 1].isspace()
            cuts = sorted({start, spaces[0] if touches else start, spaces[-1] + 1, end})
        made += [Edit(first, last, "") for first, last in pairwise(cuts)]
