"""What the tests of cleaning share: the table of pairs, and how a text sounds after its edits."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from realtime.text.clean import clean
from realtime.text.spans import Edit, MappedText

TABLE = Path(__file__).parents[2] / "data" / "cleaning.tsv"
_NAMED = re.compile(r"\{U\+([0-9A-F]{4,6})\}")


def pairs() -> list[tuple[str, str]]:
    """(written, cleaned), with the characters that the table names put in."""
    rows = TABLE.read_text(encoding="utf-8").split("\n")
    cells = [row.split("\t") for row in rows if row and not row.startswith("#\t")]
    return [(_characters(written), _characters(cleaned)) for written, cleaned in cells]


def _characters(cell: str) -> str:
    return _NAMED.sub(lambda match: chr(int(match.group(1), 16)), cell).replace("\u2424", "\n")


def checked(text: str, edits: list[Edit]) -> MappedText:
    """The text with its edits, which must be in order, disjoint, within it, and change something."""
    done = 0
    for edit in edits:
        assert done <= edit.start < edit.end <= len(text)
        assert edit.spoken != text[edit.start : edit.end]
        done = edit.end
    return MappedText(text, 0).edited(edits)


def said(text: str, at_line_start: bool = True) -> str:
    """A segment as it is after cleaning, with single spaces."""
    return checked(text, clean(text, at_line_start)).stripped().text


def said_by(cleaner: Callable[[str], list[Edit]], text: str) -> str:
    """The same for a table or a block of code."""
    return checked(text, cleaner(text)).stripped().text
