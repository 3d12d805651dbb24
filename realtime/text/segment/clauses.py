"""Where a long sentence can be cut: after a clause, at a space, or, of something without them, anywhere."""

from __future__ import annotations

import re
import unicodedata

from realtime.text.segment.abbreviations import WEEKDAYS
from realtime.text.segment.ends import CLOSING, MARKS

#: A sentence that is longer, as it is heard, is cut after its next clause, or at its next space.
CLAUSE_AFTER = 200
SPACE_AFTER = 350
#: And one that is longer than this wherever it is. A number or a word may be finished within so many more.
HARD_AFTER = 400
HARD_SLACK = 32
#: How long the first clause of an early first segment is at least, and what must follow a clause, as heard.
EARLY_AFTER = 24
CLAUSE_REST = 24
#: A wide character takes as long to say as so many others.
WIDE_LENGTH = 2.5
#: Marks of clauses that need no space after them.
WIDE_CLAUSES = "\u3001\uff0c\uff1b\uff1a\u2014"

_CLAUSES = frozenset(",;:\u060c\u061b" + WIDE_CLAUSES)
_DASHES = frozenset("-\u2013\u2014")
_NO_WORDS = _CLAUSES | _DASHES | frozenset(CLOSING + MARKS)
_CLOSERS_OF_CLAUSE = "\"'\u201d\u2019)]*_"
_LONGEST_CLOSERS = 8
#: A list has its last comma within so many characters before the one that is looked at.
_LIST_REACH = 30
_PAIRS = ("()", "[]", "\u300c\u300d", "\u300e\u300f", "\uff08\uff09", "\u300a\u300b", "\u2039\u203a")
_AND = frozenset("and or und oder et ou y o e u i \u0438 \u0438\u043b\u0438".split())
_KANA = re.compile("[\u3040-\u30ff]")
# What a group of a number looks like after which another may come: "1 234".
_GROUP = re.compile(r"(?:^|\s)[0-9]{1,3}\Z")
_DAY = re.compile(r"(?:^|[^0-9])[0-9]{1,2}\Z")
_WORD = re.compile(r"[^\W\d_]{1,6}")


def ends_clause(text: str, content: int, cut: int, following: int, length: float, final: bool) -> bool | None:
    """Whether the segment can be cut at `cut`, None when more text is needed to tell.

    Its words begin at `content` and go on at `following`; it has `length` characters as they are heard. One
    that is shorter than `CLAUSE_AFTER` is cut only after a clause that is complete in itself.
    """
    end = cut
    while end > content and text[end - 1].isspace():
        end -= 1
    spaced = end < cut
    clause_end = end
    for _ in range(_LONGEST_CLOSERS if spaced else 0):
        if end <= content + 1 or text[end - 1] not in _CLOSERS_OF_CLAUSE:
            break
        end -= 1
    mark = text[end - 1] if end else ""
    before = text[end - 2] if end > 1 else ""
    first = text[following]
    if first.isdigit() and (before.isdigit() or mark.isdigit()):
        # Inside a number ("1 234", "1,234") or a date ("May 5, 2024"), or between two numbers.
        between = not _GROUP.search(text, max(content, end - 5), end) if mark.isdigit() else mark in ",;"
        day = _DAY.search(text, max(content, end - 4), end - 1) is not None
        if not spaced or not between or day or (mark in ",;" and length < CLAUSE_AFTER):
            return False
    if first in _NO_WORDS:
        return False
    marked = mark in WIDE_CLAUSES or (spaced and mark in _CLAUSES)
    dashed = spaced and mark in _DASHES and before.isspace()
    if length >= CLAUSE_AFTER:
        line_break = cut < following or "\n" in text[clause_end:cut]
        return marked or dashed or line_break or (spaced and length >= SPACE_AFTER)
    if not (marked or dashed) or _is_open(text[content:clause_end]):
        return False
    if mark == "\u3001" and not _KANA.search(text, content, end):
        return False  # in Chinese it parts the items of a list
    if mark == "," and (first.isdigit() or _last_word(text[content : end - 1]) in WEEKDAYS):
        return False  # a date goes on
    if mark == "," and ", " in text[max(content, end - _LIST_REACH) : end - 1]:
        word = _WORD.match(text, following)
        if word is not None:
            if word.end() == len(text) and not final:
                return None
            return word.group().lower() not in _AND
    return True


def belongs(left: str, right: str) -> bool:
    """Whether a cut between two characters would break a word, a number or a composed character."""
    if left.isascii() and right.isascii():
        in_number = (left.isdigit() and right in ".,:") or (left in ".,:" and right.isdigit())
        return in_number or (left.isalnum() and right.isalnum())
    joined = left == "\u200d" or right in "\u200d\ufe0e\ufe0f"
    return joined or unicodedata.category(right) in ("Mn", "Me", "Mc", "Sk")


def _last_word(text: str) -> str:
    return text[text.rfind(" ") + 1 :].lower()


def _is_open(text: str) -> bool:
    """Whether a bracket, a quotation or emphasis is open at the end of `text`."""
    if any(text.count(pair[0]) > text.count(pair[1]) for pair in _PAIRS):
        return True
    if text.count('"') % 2 or text.count("**") % 2 or text.count("\u00ab") != text.count("\u00bb"):
        return True
    if "\u201e" in text:
        return text.count("\u201e") > text.count("\u201c") + text.count("\u201d")
    return text.count("\u201c") > text.count("\u201d")
