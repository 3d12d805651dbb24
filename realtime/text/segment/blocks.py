"""What a line is by its beginning: running text, a heading, an item, a fence of code, a row of a table."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

#: "paragraph" is text that begins a new paragraph without an empty line before it.
LineKind = Literal["text", "paragraph", "blank", "fence", "table", "heading", "item", "quote", "rule"]

#: The size of a piece of code or of a table; a longer row is cut.
BLOCK_PIECE = 400

#: Indentation that is looked at; a line of more space is text.
_LONGEST_INDENT = 32
#: A fence, a row of a table or a heading may be indented so far, and farther inside a list.
_BLOCK_INDENT = 3
_LIST_INDENT = 12
#: What follows the marks of a fence ("python"); a longer line of them is text.
_LONGEST_INFO = 120
_LONGEST_RULE = 200

_INDENT = re.compile(rf"[ \t]{{0,{_LONGEST_INDENT}}}")
_FENCE = re.compile(r"`{3,64}|~{3,64}")
_HEADING = re.compile(r"#{1,7}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_CJK_DIGITS = "\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d\u5341"
_CJK_NUMBER = re.compile(rf"[{_CJK_DIGITS}]{{1,3}}")
_BRACKETED = re.compile(
    rf"[(\uff08](?:[0-9]{{1,2}}|[A-Za-z]|[{_CJK_DIGITS}]{{1,3}})[)\uff09](?=\s|[^\x00-\xff])"
)
_BRACKETED_PART = re.compile(rf"[(\uff08](?:[0-9]{{1,2}}|[A-Za-z]|[{_CJK_DIGITS}]{{1,3}})?[)\uff09]?\Z")
_BULLETS = frozenset("\u2022\u2023\u25e6\u25aa\u25cf\u25cb\u00b7\u2013")
_DIALOGUE_DASHES = frozenset("\u2014\u2015")
_BOLD_LINE = re.compile(r"\s*(\*\*|__)[^*_\n]{1,120}\1:?\s*")
_ENDS_TEXT = tuple(".!?:;\u2026\u3002\uff01\uff1f\uff1a")
_CIRCLED = re.compile("[\u2460-\u2473\u2776-\u277f]")


@dataclass(frozen=True, slots=True)
class Line:
    """The beginning of a line. `mark`: characters of indentation and marks before its content.

    `number` is an ordered item's; `quoted`: it begins with ">"; `fence`: the marks that close the code.
    """

    kind: LineKind
    mark: int = 0
    indent: int = 0
    number: int | None = None
    quoted: bool = False
    fence: str = ""


TEXT_LINE = Line("text")


def read_line(text: str, start: int, final: bool, in_list: bool) -> Line | None:
    """The line of `text` at `start`; None when more text is needed to tell.

    `final`: no more text comes; `in_list`: the lines before belong to a list, so blocks may be indented.
    """
    at, quotes = start, 0
    while True:
        indent = _INDENT.match(text, at)
        assert indent is not None  # it can be empty
        first = indent.end()
        if first == len(text):
            return Line("blank", first - start, quoted=quotes > 0) if final else None
        if text[first] != ">" or quotes == 4:
            break
        quotes += 1
        at = first + 1
    depth = first - at
    shallow = depth <= (_LIST_INDENT if in_list else _BLOCK_INDENT)
    line = _read_marks(text, first, final, shallow)
    if line is None:
        return None
    kind = line.kind
    if quotes and kind in ("text", "fence", "table"):
        kind = "quote"
    return Line(kind, first - start + line.mark, depth, line.number, quotes > 0, line.fence)


def _read_marks(text: str, at: int, final: bool, shallow: bool) -> Line | None:
    character = text[at]
    if character in "\n\r":
        return _line_end(text, at, final)
    if character in "`~":
        return _fence(text, at, final) if shallow else TEXT_LINE
    if character == "|":
        return Line("table") if shallow else TEXT_LINE
    if character == "#":
        return _heading(text, at, final)
    if character in "-*+_=":
        return _bullet_or_rule(text, at, final)
    if "0" <= character <= "9":
        return _numbered(text, at, final)
    if character in "(\uff08":
        return _bracketed(text, at, final)
    if character in _CJK_DIGITS:
        return _cjk_numbered(text, at, final)
    if character == "\u3000":
        return Line("paragraph")
    if character == "[":
        return _two(text, at, final, "^", Line("paragraph"))
    if _CIRCLED.match(character):
        return Line("item", 1)
    if character in _DIALOGUE_DASHES:
        return Line("item", 1)
    if character in _BULLETS:
        return _two(text, at, final, " \t\u00a0\u3000", Line("item", 2))
    if character.isascii() and character.isalpha():
        return _two(text, at, final, ")", Line("item", 2))
    return TEXT_LINE


def continues_list(line: Line, number: int | None, before: str) -> bool:
    """Whether an item may interrupt the text `before` it: else "3. Mai" after a line break would be one.

    `number`: of the last item of the list.
    """
    if line.number is None or line.number in (0, 1):
        return True
    return line.number - 1 == number or before.rstrip()[-1:] in _ENDS_TEXT


def begins_segment(line: Line, previous: Line, first: str) -> bool:
    """Whether a line begins a segment although the line before it has no end mark.

    `first`: the first character of its content.
    """
    if line.kind in ("heading", "rule", "paragraph", "item") or line.quoted != previous.quoted:
        return True
    return previous.kind == "item" and line.indent == 0 and not first.islower()


def ends_segment(line: Line, text: str, whole: bool) -> bool:
    """Whether a segment ends with a line whatever follows. `whole`: `text` is all of the line."""
    if line.kind in ("heading", "rule") or text.rstrip()[-1:] in (":", "\uff1a"):
        return True
    return whole and _BOLD_LINE.fullmatch(text) is not None


class Block:
    """The code or the table that is being read, row by row."""

    def __init__(self, line: Line) -> None:
        """`line`: the first one, a fence or a row of a table."""
        self.kind: Literal["code", "table"] = "code" if line.kind == "fence" else "table"
        self.opened = False  # a segment of it has been cut
        self.over = False  # what was read last was its end
        self._fence = line.fence
        self._first = True

    def read_row(self, text: str, start: int, line_start: bool, final: bool, in_list: bool) -> int | None:
        """Index after the row, or the part of one, at `start`; None when more text is needed.

        `start` itself, and `over`, when what is there is no part of it. `line_start`: a line begins there.
        """
        if self.kind == "table" and line_start:
            line = read_line(text, start, final, in_list)
            if line is None:
                return None
            if line.kind != "table":
                self.over = True
                return start
        end = text.find("\n", start, start + BLOCK_PIECE) + 1
        if not end:
            if len(text) - start >= BLOCK_PIECE:
                return start + BLOCK_PIECE
            if not final:
                return None
            end = len(text)
        if self.kind == "code" and line_start:
            self.over = not self._first and closes_fence(text[start:end], self._fence)
            self._first = False
        return end


def closes_fence(line: str, fence: str) -> bool:
    """Whether a whole line closes the code that marks like `fence` opened."""
    marks = line.strip()
    return len(marks) >= len(fence) and not marks.strip(fence[0])


def _two(text: str, at: int, final: bool, second: str, line: Line) -> Line | None:
    """`line` when one of `second` comes next."""
    if at + 1 == len(text):
        return TEXT_LINE if final else None
    return line if text[at + 1] in second else TEXT_LINE


def _line_end(text: str, at: int, final: bool) -> Line | None:
    if text[at] == "\n":
        return Line("blank")
    if at + 1 == len(text):
        return Line("blank") if final else None
    return Line("blank") if text[at + 1] == "\n" else TEXT_LINE


def _fence(text: str, at: int, final: bool) -> Line | None:
    marks = _FENCE.match(text, at)
    if marks is None:
        # One or two marks so far, or a third may still come.
        run = len(text) - at
        possible = run < 3 and not text[at:].strip(text[at])
        return None if possible and not final else TEXT_LINE
    fence = Line("fence", fence=marks.group())
    stop = at + _LONGEST_INFO
    end = text.find("\n", at, stop)
    if text[at] == "`" and "`" in text[marks.end() : end if end >= 0 else stop]:
        return TEXT_LINE  # inline code of three marks
    if end >= 0 or final:
        return fence
    return None if len(text) < stop else TEXT_LINE


def _heading(text: str, at: int, final: bool) -> Line | None:
    marks = _HEADING.match(text, at)
    assert marks is not None
    length = marks.end() - at
    if length > 6:
        return TEXT_LINE
    if marks.end() == len(text):
        return TEXT_LINE if final else None
    return Line("heading", length) if text[marks.end()] in " \t\r\n" else TEXT_LINE


def _bullet_or_rule(text: str, at: int, final: bool) -> Line | None:
    character = text[at]
    end, limit = at, min(len(text), at + _LONGEST_RULE)
    while end < limit and text[end] in (character, " ", "\t"):
        end += 1
    ended = end == len(text)
    if ended and not final:
        return None
    marks = text[at:end].count(character)
    if marks >= 3 and (ended or text[end] in "\r\n"):
        return Line("rule", end - at)
    if character in "-*+" and text[at + 1 : at + 2] in (" ", "\t"):
        return Line("item", 2)
    return TEXT_LINE


def _numbered(text: str, at: int, final: bool) -> Line | None:
    number = _NUMBER.match(text, at)
    assert number is not None
    end = number.end()
    after = text[end : end + 2]
    if after == ".)":  # "1.) item"
        end += 1
        after = text[end : end + 2]
    if not after:
        return TEXT_LINE if final else None
    if after[0] not in ".)\u3001\uff0e":
        return TEXT_LINE
    if len(after) == 1:
        return TEXT_LINE if final else None
    spaced = after[1].isspace()
    wide = after[0] in "\u3001\uff0e" and end - at <= 2 and not after[1].isdigit()
    if spaced or wide:
        return Line("item", end - at + 1, number=int(number.group()))
    return TEXT_LINE


def _bracketed(text: str, at: int, final: bool) -> Line | None:
    match = _BRACKETED.match(text, at)
    if match is not None:
        return Line("item", match.end() - at)
    if not final and _BRACKETED_PART.match(text, at):
        return None
    return TEXT_LINE


def _cjk_numbered(text: str, at: int, final: bool) -> Line | None:
    number = _CJK_NUMBER.match(text, at)
    assert number is not None
    if number.end() == len(text):
        return TEXT_LINE if final else None
    return Line("item", number.end() - at + 1) if text[number.end()] == "\u3001" else TEXT_LINE
