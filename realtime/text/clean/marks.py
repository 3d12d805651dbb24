"""Marks that are told by what stands beside them: emphasis, arrows, dashes, repeated punctuation.

What is left of markup after the other passes goes here too, so that a voice never says "asterisk". A mark
that is an operator or a part of a name stays: "2*3", "a == b", "snake_case", "C#", "#1", "~5", "x^2".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace

from realtime.text.clean.keys import begins_code, is_key, is_number_sign
from realtime.text.spans import Edit

_ARROW = (
    "[\u2190-\u21ff\u2794\u2798-\u27af\u27b1-\u27be\u27f0-\u27ff\u2900-\u297f\u2b05-\u2b0d]{1,9}"
    r"|<?-{1,9}>|<?={1,9}>|<-{1,9}(?=\s|\Z)|<={2,9}(?=\s|\Z)"
)
_MARK = re.compile(
    rf"(?P<arrow>{_ARROW})"
    r"|(?P<empty>(?<!\w)(?:\(\s{0,8}\)|\uff08\s{0,8}\uff09))"
    r"|(?P<gap>(?<!\s)\s{1,40}(?=[,.;](?:\s|\Z)))"
    r"|(?P<loud>[!?\uff01\uff1f]{2,})"
    r"|(?P<run>(?P<one>[*_~=#`^|\\<>\u2022\u2023\u2043\u00b7\u2219\u2020\u2021\u00b6\u203b\u203f\u2040"
    r"\ufe4f\uff3f\uff0a\uff5c])(?P=one)*"
    r"|\.{4,}|\u2026{3,}|-{2,}|\u2013{2,}|\u2014{3,}|\+{3,}|\${2,}|,{2,}|;{2,}|:{3,}|%{2,}|&{2,}|@{2,}|/{2,}"
    r"|\"{2,}|'{2,}"
    r"|\({3,}|\){4,}|\[{3,}|\]{3,}|\{{3,}|\}{3,}|\u3002{2,}|\uff0c{2,}|\u3001{2,})"
)
_URL = re.compile(
    r"(?:(?:https?|ftp|file|wss?|git|ssh)://|www\.)[^\s<>\"`*|\\^{}\[\]]{0,2000}"
    r"[^\s<>\"`*|\\^{}\[\]_~=.,;:!?'()#-]"
)
_POINTER_BEFORE = re.compile(
    r"(?<!\w)(?:int|char|void|float|double|struct \w{1,20}|u?int\d{1,2}_t|size_t)( ?)\Z"
)
_POINTER_AFTER = re.compile(r" ?[A-Za-z_]\w{0,40}\s{0,4}(?:[;,)=\[]|\Z)|\s{0,4}(?:[)>,;]|\Z)")
_WITHIN_WORD = re.compile(r"\*[^\W\d_]{2,40}\*[^\W\d_]{2}")
_WORDLIKE = frozenset(")]}\"'%\u00b0\u201d\u2019\u00bb")
#: Shown as a pause when spaced.
_PARTING = frozenset("|\u2022\u2023\u2043\u00b7\u2219\uff5c")


class _Line:
    """The text with its marks; knows which kinds of emphasis are open where one has come to."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starred = False
        self.marked = False
        self.edits: list[Edit] = []

    def before(self, start: int) -> str:
        return self.text[start - 1] if start else ""

    def after(self, end: int) -> str:
        return self.text[end] if end < len(self.text) else ""

    def near(self, start: int, end: int) -> tuple[str, str]:
        """The next characters that are not space, on both sides; "" when there are none near."""
        return self.text[max(0, start - 8) : start].rstrip()[-1:], self.text[end : end + 8].lstrip()[:1]

    def say(self, start: int, end: int, spoken: str) -> None:
        self.edits.append(Edit(start, end, spoken))

    def part(self, start: int, end: int) -> None:
        """Leave it out, with a space if it parted two words."""
        self.say(start, end, " " if self.before(start).isalnum() and self.after(end).isalnum() else "")

    def pause(self, start: int, end: int) -> None:
        """A comma for something that stands between two words, if there is space for it.

        Between numbers, and between letters of Chinese and Japanese, there need be none.
        """
        left, right = self.near(start, end)
        before, after = self.before(start), self.after(end)
        if before and after and (_is_wide(before) or _is_wide(after)):
            if before.isalnum() and (after.isalnum() or after in "\u00a5$"):
                self.say(start, end, ", " if _is_hangul(before) or _is_hangul(after) else "\u3001")
                return
        elif before.isdigit() and after.isdigit():
            self.say(start, end, ", ")
            return
        if not right or not (left.isalnum() or left in _WORDLIKE) or not left:
            self.part(start, end)
            return
        first = start
        while self.text[first - 1].isspace():
            first -= 1
        follows = self.after(end).isspace()
        if first == start:
            self.say(start, end, "" if follows else " ")
            return
        self.say(first, start, "")
        self.say(start, end, "," if follows else ", ")


def _is_wide(character: str) -> bool:
    return character >= "\u2e80"


def _is_hangul(character: str) -> bool:
    return "\uac00" <= character <= "\ud7a3"


def _is_operand(line: _Line, at: int, outward: int) -> bool:
    """Whether a digit, a bracket or a single letter stands at `at`; `outward` is the way out of the mark."""
    text = line.text
    if not 0 <= at < len(text):
        return False
    character = text[at]
    if character.isdigit() or character in (")]" if outward < 0 else "("):
        return True
    beyond = at + outward
    return character.isalpha() and not (0 <= beyond < len(text) and text[beyond].isalnum())


def _is_product(line: _Line, start: int, end: int) -> bool:
    """Whether the stars at [start, end) stand between two factors, with a space on both sides or on none."""
    spaced = line.before(start) == " " and line.after(end) == " "
    left, right = (start - 2, end + 1) if spaced else (start - 1, end)
    if left < 0 or right >= len(line.text):
        return False
    text = line.text
    if text[left].isdigit() and text[right].isdigit():
        return True
    if spaced and (text[left].isdigit() or text[right].isdigit()):
        return (text[left].isalnum() or text[left] in ")]") and (text[right].isalnum() or text[right] == "(")
    return _is_operand(line, left, -1) and _is_operand(line, right, 1)


def _star(line: _Line, start: int, end: int) -> None:
    before, after = line.before(start), line.after(end)
    wide = _is_wide(before) or _is_wide(after)
    if end - start == 1 and not line.starred:
        if begins_code(line.text, start):
            return
        if not after.isalnum() or wide:
            if (wide or before.isspace()) and is_key(line.text, start):
                return
    if not wide and _is_product(line, start, end):
        text = line.text
        sure = end - start == 1 or after.isdigit() or text.count("**") == 1
        if sure and end - start <= 2:
            return
    if end - start == 1 and before.isalpha() and after.isalpha() and not wide and not line.starred:
        text = line.text
        if _WITHIN_WORD.match(text, start):
            line.starred = True
        else:
            return
    elif end - start <= 2 and _POINTER_BEFORE.search(line.text, max(0, start - 32), start):
        if _POINTER_AFTER.match(line.text, end):
            return
        line.starred = True
    elif end - start == 1:
        line.starred = bool(after) and not after.isspace() and not before.isalnum()
    line.say(start, end, "")


def _underscore(line: _Line, start: int, end: int) -> None:
    before, after = line.before(start), line.after(end)
    inside = before.isalnum() and after.isalnum() and not _is_wide(before) and not _is_wide(after)
    length = end - start
    if length == 1 and (inside or (before == "@" and after.isalnum())):
        return
    if length == 2 and inside:
        line.say(start, end, "_")
    elif length > 2 and (before.isalnum() or before in (":", ";", ",", ".")) and after.isalnum():
        line.say(start, end, " ")
    else:
        line.say(start, end, "")


def _tilde(line: _Line, start: int, end: int) -> None:
    after = line.text[end : end + 2]
    before = line.before(start)
    if end - start == 1 and not (before.isascii() and before.isalpha()):
        if after[:1].isdigit() or (_is_currency(after[:1]) and after[1:].isdigit()):
            return
        left, right = line.near(start, end)
        if (left.isdigit() or _is_currency(left)) and (right.isdigit() or _is_currency(right)):
            return
    if end - start == 1 and _is_wide(before):
        line.part(start, end)
    else:
        line.say(start, end, "")


def _is_currency(character: str) -> bool:
    return character != "" and unicodedata.category(character) == "Sc"


def _equals(line: _Line, start: int, end: int) -> None:
    before, after, length = line.before(start), line.after(end), end - start
    if length == 1:
        return
    if length <= 3 and not line.marked:
        left, right = line.near(start, end)
        spaced = before == " " and after == " "
        operator = before in ("!", "<", ">") and before != ""
        if left and right and (spaced or operator or (before.isalnum() and after.isalnum())):
            return
    line.marked = length == 2 and bool(after) and not after.isspace()
    line.part(start, end) if length > 2 else line.say(start, end, "")


def _hash(line: _Line, start: int, end: int) -> None:
    before, after = line.before(start), line.after(end)
    if end - start == 1:
        if after.isalnum() or after == "_":
            return
        if before.isdigit() or is_key(line.text, start) or is_number_sign(line.text, start):
            return
        single = before.isascii() and before.isalpha() and not line.before(start - 1).isalnum()
        if single and start and not after.isalnum():
            return
    line.say(start, end, "")


def _caret(line: _Line, start: int, end: int) -> None:
    before, after = line.before(start), line.after(end)
    if (
        end - start == 1
        and (before.isalnum() or before in (")", "}"))
        and (after.isalnum() or after in ("(", "-", "+"))
    ):
        return
    line.say(start, end, "")


def _backslash(line: _Line, start: int, end: int) -> None:
    before, after = line.before(start), line.after(end)
    if (before.isalnum() or before == ":") and after.isalnum():
        if end - start > 1:
            line.say(start, end, "\\")
        return
    line.say(start, end, "")


def _angle(line: _Line, start: int, end: int) -> None:
    left, right = line.near(start, end)
    if end - start == 1:
        if left and right and (right.isalnum() or right in "(-+=$.\u20ac\u00a3\"'"):
            return
        if line.after(end).isdigit() or line.after(end) in ("=", "$", "\u20ac", "\u00a3"):
            return
    elif left.isdigit() and right.isdigit():
        return
    line.part(start, end)


def _pipe(line: _Line, start: int, end: int) -> None:
    if line.text[start] == "\u00b7" and line.before(start).isalnum() and line.after(end).isalnum():
        return
    line.pause(start, end)


def _dash(line: _Line, start: int, end: int) -> None:
    before, after = line.before(start), line.after(end)
    left, right = line.near(start, end)
    if before.isdigit() and after.isdigit():
        line.say(start, end, "\u2013")
    elif (
        not left
        or not right
        or after in ".,;:!?)"
        or (end - start == 2 and before.isspace() and after.isalnum())
    ):
        line.part(start, end)
    elif not after.isspace() and not after.isalnum() and not before.isalnum() and before:
        line.say(start, end, " ")
    else:
        line.say(start, end, "\u2014")


def _slash(line: _Line, start: int, end: int) -> None:
    before, after = line.before(start), line.after(end)
    if before == ":" or (end - start == 2 and before.isalnum() and after.isalnum()):
        return
    line.part(start, end)


def _quote(line: _Line, start: int, end: int) -> None:
    before, length = line.before(start), end - start
    if line.text[start] == "'" and length == 2:
        if before.isdigit():  # inches
            return
        if before.isalpha() and line.after(end).isalpha():
            line.say(start, end, "'")
            return
    line.say(start, end, '"' if length % 2 else "")


def _dollar(line: _Line, start: int, end: int) -> None:
    line.say(start, end, "$" if line.after(end).isdigit() else "")


def _sign(line: _Line, start: int, end: int) -> None:
    """One sign of many."""
    line.say(start, end, line.text[start])


def _dots(line: _Line, start: int, end: int) -> None:
    line.say(start, end, "..." if line.text[start] == "." else line.text[start])


def _plus(line: _Line, start: int, end: int) -> None:
    line.say(start, end, "+" if line.before(start).isalnum() else "")


def _gone(line: _Line, start: int, end: int) -> None:
    line.part(start, end)


_RULES: dict[str, Callable[[_Line, int, int], None]] = {
    "*": _star,
    "\uff0a": _star,
    "_": _underscore,
    "\uff3f": _underscore,
    "~": _tilde,
    "=": _equals,
    "#": _hash,
    "^": _caret,
    "\\": _backslash,
    "<": _angle,
    ">": _angle,
    "-": _dash,
    "\u2013": _dash,
    "\u2014": _dash,
    ".": _dots,
    "\u2026": _dots,
    "/": _slash,
    "'": _quote,
    '"': _quote,
    "$": _dollar,
    "+": _plus,
    **dict.fromkeys(_PARTING, _pipe),
    **dict.fromkeys(",;:%&@()[]{}\u3002\uff0c\u3001", _sign),
}


def _loud(line: _Line, start: int, end: int) -> None:
    """Exclamation and question marks: one of each kind."""
    run = line.text[start:end]
    kinds = "".join(dict.fromkeys(run))[:2]
    if kinds != run:
        line.say(start, end, kinds)


def marks(text: str, pipes: bool = True) -> list[Edit]:
    """What goes of the marks in a text, or stands for them. `pipes`: "|" too; else it stays."""
    urls = [match.span() for match in _URL.finditer(text)] if "://" in text or "www." in text else []
    line = _Line(text)
    skip = 0
    for match in _MARK.finditer(text):
        start, end = match.span()
        while skip < len(urls) and urls[skip][1] <= start:
            skip += 1
        if skip < len(urls) and urls[skip][0] < end:
            continue
        kind = match.lastgroup
        if kind == "empty":
            _gone(line, start, end)
        elif kind == "gap":  # what stood between a word and its comma is gone
            line.say(start, end, "")
        elif kind == "loud":
            _loud(line, start, end)
        elif kind == "arrow":
            line.pause(start, end)
        elif pipes or text[start] != "|":
            _RULES.get(text[start], _gone)(line, start, end)
    return _apart(text, line.edits)


def _apart(text: str, edits: list[Edit]) -> list[Edit]:
    """The same edits, but a space for what stood between two numbers: they must not become one."""
    made: list[Edit] = []
    index = 0
    while index < len(edits):
        first = index
        while index + 1 < len(edits) and edits[index + 1].start == edits[index].end:
            index += 1
        start, end = edits[first].start, edits[index].end
        run = edits[first : index + 1]
        index += 1
        if start and end < len(text) and text[start - 1].isdigit() and text[end].isdigit():
            if not any(edit.spoken for edit in run):
                run = [replace(run[0], spoken=" "), *run[1:]]
        made += run
    return made
