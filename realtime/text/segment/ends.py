"""Reads a mark that may end a sentence, what closes after it, and the space up to the next sentence.

Whether it is an end is asked of `sentences` for every beginning of what follows, the shortest first, so that
how much of it is there does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from realtime.text.segment.blocks import Line, read_line
from realtime.text.segment.sentences import (
    REACH,
    WIDE,
    WIDE_MARKS,
    Mark,
    ends_before_line,
    ends_latin,
    ends_wide,
)

#: Characters, not counting space, that are waited for at most to decide about the end of a sentence.
LOOKAHEAD = 8
#: And no more than so many characters of space.
LONGEST_SPACE = 64
#: Marks that may end a sentence.
MARKS = ".!?\u2026\u2025\u3002\uff01\uff1f\uff61\uff0e\u061f\u06d4\u0964"
#: What may close between a mark and the next sentence.
CLOSING = "\"'\u201d\u2019\u201c\u00bb\u203a\u00ab\u2039\u2018)]}*_~\uff09\u300d\u300f\u3011\u300b\u3009"

_MARK_RUN = re.compile(rf"[{MARKS}]{{1,32}}")
_CLOSERS = re.compile(rf"(?:[{re.escape(CLOSING)}]|\[\^?[0-9]{{1,3}}\]|[\u00b9\u00b2\u00b3]){{0,8}}")
# Where these open, though they close in German.
_WIDE_CLOSERS = re.compile(_CLOSERS.pattern.replace("\u201c", "").replace("\u2018", ""))
_FOOTNOTE_PART = re.compile(r"\[\^?[0-9]{0,3}\Z")
# The space of French before its closing quotes.
_SPACED_CLOSER = re.compile("[ \u00a0\u202f]\u00bb(?=[\\s,;.!?)])")
_SPACED_CLOSER_PART = re.compile("[ \u00a0\u202f]\u00bb?\\Z")


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is known of a sentence in `text` whose words begin at `content`.

    `starts`: it begins there, and did not before; `wide`: its wide characters so far; `line`: where it is,
    `in_list`: as `read_line` takes it; `language_at`: its language, told by its text before an index.
    """

    text: str
    content: int
    starts: bool
    wide: int
    line: Line
    in_list: bool
    language_at: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class End:
    """What came of a mark: the next sentence begins at `cut`, None if it is no end or not yet decided.

    The text before `sure` belongs to this sentence in any case.
    """

    sure: int
    cut: int | None = None
    decided: bool = True


def read_end(sentence: Sentence, at: int, final: bool) -> End:
    """The mark at `at`; `final`: decide on the text that is there."""
    text = sentence.text
    found = _MARK_RUN.match(text, at)
    assert found is not None
    marks = found.group()
    wide_mark = not WIDE_MARKS.isdisjoint(marks)
    closing = (_WIDE_CLOSERS if wide_mark else _CLOSERS).match(text, found.end())
    assert closing is not None  # it can be empty
    closers = closing.group()
    end = closing.end()
    if spaced := _SPACED_CLOSER.match(text, end):
        end = spaced.end()
        closers += spaced.group()
    if not final and (
        end == len(text) or _FOOTNOTE_PART.match(text, end) or _SPACED_CLOSER_PART.match(text, end)
    ):
        return End(end, decided=False)
    before = text[max(sentence.content, at - REACH) : at]
    starts = sentence.starts and at - len(before) == sentence.content
    number = sentence.line.number
    mark = Mark(before, marks, closers, starts, number, lambda: sentence.language_at(end))
    following = text[end : end + 1]
    if wide_mark or WIDE.match(following):
        if wide_mark or not following.isspace():
            return _wide_end(sentence, mark, end, final)
    if following and not following.isspace():
        return End(end)
    if not following and marks == "." and before[-1:].isdigit():
        return End(end, decided=False)  # more of the number may come
    return _latin_end(sentence, mark, end, final)


def _wide_end(sentence: Sentence, mark: Mark, end: int, final: bool) -> End:
    text = sentence.text
    ends: bool | None = None
    for stop in (end + 1, end + 2):
        if stop > len(text) and not final:
            break
        whole = stop == end + 2 or (final and stop >= len(text))
        ends = ends_wide(mark, text[end:stop], whole, sentence.wide)
        if ends is not None:
            break
    if ends is None:
        return End(end, decided=False)
    if not ends:
        return End(end)
    cut = end
    while cut < len(text) and cut - end < LONGEST_SPACE and text[cut].isspace():
        cut += 1
        if text[cut - 1] == "\n":
            return End(end, cut)
    if cut == len(text) and cut - end < LONGEST_SPACE and not final:
        return End(end, decided=False)
    return End(end, cut)


def _latin_end(sentence: Sentence, mark: Mark, end: int, final: bool) -> End:
    text = sentence.text
    start = end
    while start < len(text) and start - end < LONGEST_SPACE and text[start].isspace() and text[start] != "\n":
        start += 1
    cut = start
    if start < len(text) and text[start] == "\n":
        cut = start + 1
        if ends_before_line(mark.before, mark.marks):
            return End(end, cut)
        line = read_line(text, cut, final, sentence.in_list) if cut < len(text) or final else None
        if line is None:
            return End(end, decided=False)
        if line.kind != "text" or line.quoted != sentence.line.quoted:
            return End(end)  # the line begins a segment by itself
        start = cut + line.mark
    elif start - end == LONGEST_SPACE:
        return End(end, cut)
    ends = _decide(text, mark, start, final)
    if ends is None:
        return End(end, decided=False)
    return End(end, cut) if ends else End(end)


def _decide(text: str, mark: Mark, start: int, final: bool) -> bool | None:
    """Whether it is an end, told by what follows from `start` on."""
    seen = 0
    last = start + LONGEST_SPACE
    for stop in range(start + 1, min(len(text), last) + 1):
        seen += not text[stop - 1].isspace()
        whole = seen == LOOKAHEAD or stop == last or (final and stop == len(text))
        ends = ends_latin(mark, text[start:stop], whole)
        if ends is not None:
            return ends
    return ends_latin(mark, "", True) if final else None
