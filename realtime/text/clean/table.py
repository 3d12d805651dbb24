"""Tables of markdown, read row by row."""

from __future__ import annotations

import re
from itertools import pairwise

from realtime.text.clean.draft import Draft
from realtime.text.spans import Edit

_DASHES = re.compile(r"^[ \t]*(?:\|[ \t]*)?:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$", re.MULTILINE)
_ENDED = frozenset(".!?:;,\u2026\u3002\uff01\uff1f\uff1a\uff1b\uff0c\u3001")


def rules(text: str) -> list[Edit]:
    """The lines of dashes between head and body, left out."""
    return [Edit(match.start(), match.end(), "") for match in _DASHES.finditer(text)]


def rows(draft: Draft) -> list[Edit]:
    """Commas between the cells and a full stop after each row, in place of the bars that are not settled."""
    text = draft.text
    found: list[Edit] = []
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        bars = [at for at in range(start, end) if text[at] == "|" and not draft.settled(at, at + 1)]
        found += _row(text, start, end, bars)
        start = end + 1
    return found


def _row(text: str, start: int, end: int, bars: list[int]) -> list[Edit]:
    edges = [start - 1, *bars, end]
    cells: list[tuple[int, int]] = []
    for left, right in pairwise(edges):
        inside = text[left + 1 : right]
        if inside.strip():
            first = left + 1 + len(inside) - len(inside.lstrip())
            cells.append((first, first + len(inside.strip())))
    if not cells:
        return [Edit(bar, bar + 1, "") for bar in bars]
    wide = any("\u3040" <= character <= "\u9fff" for character in text[start:end])
    comma, stop = ("\uff0c", "\u3002") if wide else (",", ".")
    found = [Edit(bar, bar + 1, "") for bar in bars if bar < cells[0][0]]
    for (_, last), (following, _) in pairwise(cells):
        found += _between(text, last, following, "" if text[last - 1] in _ENDED else comma)
    last = cells[-1][1]
    rest = [bar for bar in bars if bar >= last]
    stop = "" if text[last - 1] in _ENDED else stop
    if rest:
        if rest[0] > last:
            found.append(Edit(last, rest[0], ""))
        found.append(Edit(rest[0], rest[0] + 1, stop))
        found += [Edit(bar, bar + 1, "") for bar in rest[1:]]
    elif stop:
        found.append(Edit(last - 1, last, text[last - 1] + stop))
    return found


def _between(text: str, start: int, end: int, comma: str) -> list[Edit]:
    """A comma for the bars in text[start:end], which lies between two cells."""
    bar = text.index("|", start, end)
    found = [Edit(start, bar, "")] if bar > start else []
    space = text[bar + 1 : end]
    if space and not space.strip():
        found.append(Edit(bar, bar + 1, comma))
    elif not space:
        found.append(Edit(bar, end, f"{comma} "))
    else:
        found += [Edit(bar, bar + 1, comma), Edit(bar + 1, end, " ")]
    return found
