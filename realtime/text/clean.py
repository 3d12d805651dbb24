"""Takes out of a sentence what cannot be said, keeping for each word where it came from."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from itertools import pairwise

from realtime.types import SpanLink

_WORD = re.compile(r"\S+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# Marks of emphasis and code; but "2*3" is a product.
_MARKS = re.compile(r"(?<!\d)[*`]+|[*`]+(?!\d)")
# Other, control, format, unassigned, private use; other symbols (emoji); and their modifiers.
_UNSPEAKABLE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "So", "Sk"})
_KEPT = frozenset("°©®™℃℉№")
_VARIATION_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))


def _is_speakable(character: str) -> bool:
    if character in _KEPT or character in "^`":
        return True
    return unicodedata.category(character) not in _UNSPEAKABLE and character not in _VARIATION_SELECTORS


def _spoken_indices(word: str) -> list[int]:
    """Which characters of a word are spoken."""
    if word.isascii():
        indices = list(range(len(word)))
    else:
        indices = [index for index, character in enumerate(word) if _is_speakable(character)]
    spoken = word if len(indices) == len(word) else "".join(word[index] for index in indices)
    for mark in reversed(list(_MARKS.finditer(spoken))):
        del indices[mark.start() : mark.end()]
    return indices


def _runs(indices: list[int]) -> list[tuple[int, int]]:
    """[start, end) of the runs of consecutive numbers."""
    runs: list[tuple[int, int]] = []
    for index in indices:
        if runs and runs[-1][1] == index:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return runs


def _links(runs: list[tuple[int, int]], spoken: int, source: int, length: int) -> list[SpanLink]:
    """Links for the spoken runs of a word of `length` characters; marks at its edges go with a neighbour."""
    (first, _), (_, last) = runs[0], runs[-1]
    links: list[SpanLink] = []
    for begin, end in runs:
        cuts = [begin, end]
        if begin == first > 0 and end > begin + 1:
            cuts.insert(1, begin + 1)
        if end == last < length and end - 1 > cuts[-2]:
            cuts.insert(-1, end - 1)
        for start, stop in pairwise(cuts):
            links.append(SpanLink(spoken, spoken + stop - start, source + start, source + stop))
            spoken += stop - start
    links[0] = replace(links[0], source_start=source)
    links[-1] = replace(links[-1], source_end=source + length)
    return links


def clean(text: str, position: int) -> tuple[str, tuple[SpanLink, ...]]:
    """The speakable words of `text`, one space between two, and links to what they were in the source.

    `position` is where `text` begins in the context's text. Control characters separate words as space does;
    emoji, emphasis marks and the like are left out. A link is a run that is spoken as it was written: a word,
    or the parts of one from which something was left out; what was left out before or after a word belongs to
    its first or last character. Empty when no letter or digit is left.
    """
    words: list[str] = []
    links: list[SpanLink] = []
    spoken = 0
    for match in _WORD.finditer(_CONTROL.sub(" ", text)):
        word = match.group()
        runs = _runs(_spoken_indices(word))
        if not runs:
            continue
        links += _links(runs, spoken, position + match.start(), len(word))
        words.append("".join(word[begin:end] for begin, end in runs))
        spoken += len(words[-1]) + 1
    cleaned = " ".join(words)
    if not any(character.isalnum() for character in cleaned):
        return "", ()
    return cleaned, tuple(links)
