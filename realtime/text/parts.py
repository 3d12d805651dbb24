"""Which words at the beginning of a growing text can no longer change, for engines fed word by word.

A part ends between two plain words, small letters and nothing else, outside of everything that is open:
there no rule of cleaning or normalization looks across. "$3.50", "5 km", "Dr. Smith", an open link or
emphasis are held back until what follows them is plain. Each part is then read by itself, so what is said
depends on the characters alone, and not on when they came.
"""

from __future__ import annotations

import re
from collections import Counter

# Two plain words and the space between them, and that the second one is whole. A part ends after the first,
# unless a number is before it, which may count what the second one names.
_BETWEEN = re.compile(r"(?<!\S)(?<![0-9]\s)([^\W\d_]{1,40})(,?)[ \n](?=([^\W\d_]{2,40})[ \n,])")
_NEXT_WORD = re.compile(r"[^\W\d_]{1,40}")
# A comma of Chinese or Japanese before a letter.
_CJK_COMMA = re.compile(r"(?<=\w)[\u3001\uff0c\uff1b\uff1a](?=[\u3040-\u30ff\u3400-\u9fff]{2})")
_HANGUL = re.compile("[\uac00-\ud7a3]+")
_OPENING, _CLOSING = "[(<{", "])>}"
# Marks that pair up: in closed text there is an even number of runs of each.
_PAIRED = re.compile(r"(\*+)|(_+)|(`+)|(~+)|(\"+)|(=+)|(\$+)")


def part_ends(text: str, only_clauses: bool = False, shortest: int = 0, start: int = 0) -> list[int]:
    """Where the parts of `text` from `start` on end that are final; the space after a word belongs to it.

    `only_clauses`: parts end at commas only, as for a lexicon with entries of several words. `shortest`: how
    many characters the first one has at least. Before `start` are the parts that were found before.
    """
    ends: list[int] = []
    done = start
    for end in _ends(text, only_clauses, start):
        if (ends or end - start >= shortest) and _is_closed(text[done:end]):
            ends.append(end)
            done = end
    return ends


def next_word(text: str, end: int) -> str:
    """What is certain to follow a part that ends there; rules of normalization look no further."""
    if not text[end - 1].isspace():
        return text[end : end + 2]
    match = _NEXT_WORD.match(text, end)
    return match[0] if match else ""


def _ends(text: str, only_clauses: bool, start: int) -> list[int]:
    spaced = [
        match.end()
        for match in _BETWEEN.finditer(text, start)
        if (match[2] or not only_clauses) and _is_plain(match[1]) and _is_plain(match[3])
    ]
    return sorted([*spaced, *(match.end() for match in _CJK_COMMA.finditer(text, start))])


def _is_plain(word: str) -> bool:
    """Whether it is of small letters or of Hangul alone: no fraction, no name, no beginning of a sentence."""
    return word.isalpha() and (word.islower() or _HANGUL.fullmatch(word) is not None)


def _is_closed(part: str) -> bool:
    if part.isascii() and part.replace(" ", "").replace(",", "").isalpha():
        return True
    balanced = all(
        part.count(opening) == part.count(closing)
        for opening, closing in zip(_OPENING, _CLOSING, strict=True)
    )
    runs = Counter(match.lastindex for match in _PAIRED.finditer(part))
    return balanced and all(count % 2 == 0 for count in runs.values())
