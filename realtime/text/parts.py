"""Which words at the beginning of a growing text can no longer change, for engines fed word by word.

A part ends between two plain words, small letters and nothing else, outside of everything that is open:
there no rule of cleaning or normalization looks across. "$3.50", "5 km", "Dr. Smith", an open link or
emphasis are held back until what follows them is plain. Each part is then read by itself, so what is said
depends on the characters alone, and not on when they came.
"""

from __future__ import annotations

import re
from collections import Counter

# Two plain words and the space between them, and that the second one is whole. A part ends after the first.
_BETWEEN = re.compile(r"(?<!\S)[^\W\d_A-Z]{1,40}(,?)[ \n](?=[^\W\d_A-Z]{2,40}[ \n,])")
# A comma of Chinese or Japanese before a letter.
_CJK_COMMA = re.compile(r"(?<=\w)[\u3001\uff0c\uff1b\uff1a](?=[\u3040-\u30ff\u3400-\u9fff]{2})")
_OPENING, _CLOSING = "[(<{", "])>}"
# Marks that pair up: in closed text there is an even number of runs of each.
_PAIRED = re.compile(r"(\*+)|(_+)|(`+)|(~+)|(\"+)|(=+)|(\$+)")


def part_ends(text: str, only_clauses: bool = False, shortest: int = 0) -> list[int]:
    """Where the parts at the beginning of `text` end that are final; the space after a word belongs to it.

    `only_clauses`: parts end at commas only, as for a lexicon with entries of several words. `shortest`: how
    many characters the first one has at least.
    """
    ends: list[int] = []
    done = 0
    for end in _ends(text, only_clauses):
        if (ends or end >= shortest) and _is_closed(text[done:end]):
            ends.append(end)
            done = end
    return ends


def _ends(text: str, only_clauses: bool) -> list[int]:
    spaced = [match.end() for match in _BETWEEN.finditer(text) if match.group(1) or not only_clauses]
    return sorted([*spaced, *(match.end() for match in _CJK_COMMA.finditer(text))])


def _is_closed(part: str) -> bool:
    if part.isascii() and part.replace(" ", "").replace(",", "").isalpha():
        return True
    balanced = all(
        part.count(opening) == part.count(closing)
        for opening, closing in zip(_OPENING, _CLOSING, strict=True)
    )
    runs = Counter(match.lastindex for match in _PAIRED.finditer(part))
    return balanced and all(count % 2 == 0 for count in runs.values())
