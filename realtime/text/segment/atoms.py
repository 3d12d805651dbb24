"""Constructs that no cut may fall into: inline code, links, images, tags, addresses, elements of the markup.

Whether a construct begins at some place is decided by as few characters as can tell, and every one of them is
bounded: what is not closed within `LONGEST_ATOM` characters, or before an empty line, is plain text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Characters that a construct may have.
LONGEST_ATOM = 300
#: Of an address in plain text no more than so many count as spoken: nobody reads the whole of it aloud.
_LONGEST_SPOKEN_URL = 100
#: Backticks that can open inline code.
_LONGEST_TICKS = 16
#: Brackets inside the text of a link, as of an image that is a link.
_DEEPEST_BRACKET = 3

#: The characters at which a construct can begin; for ":" it is the middle of "https://".
ATOM_STARTS = frozenset("`[<:")

# A paragraph ends here, whatever is open.
_PARAGRAPH_END = re.compile(r"\n[ \t\r]{0,16}(?:\n|```|~~~)")
_TICKS = re.compile(r"`+")
_BRACKETS = re.compile(r"\\.|[\[\]]", re.DOTALL)
_TARGET = re.compile(r"\\.|[()\n]|[ \t]\"[^\"\n]*+\"|[ \t]'[^'\n]*+'|[ \t][\"']", re.DOTALL)
# Possessive, so that nothing is tried twice. The second is the beginning of a tag that can still become one.
_ATTRIBUTE = r"\s++[A-Za-z_:][\w:-]*+(?:[ \t]*+=[ \t]*+(?:\"[^\"<]*+\"|'[^'<]*+'|[^\s\"'=<>`]++))?+"
_TAG = re.compile(rf"<(/?+)([A-Za-z][A-Za-z0-9-]*+)(?:{_ATTRIBUTE})*+\s*+(/?+)>")
_TAG_PART = re.compile(
    rf"</?+(?:[A-Za-z][A-Za-z0-9-]*+(?:{_ATTRIBUTE})*+\s*+"
    r"(?:=[ \t]*+(?:\"[^\"<]*+|'[^'<]*+)?+|/)?+)?+\Z"
)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_AUTOLINK = re.compile(r"<[A-Za-z0-9][^\s<>]*+")
# An address goes on to the next space, or to punctuation of languages that set none.
_URL = re.compile(r"://[^\s<>\"`\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\u201c\u201d\u00ab\u00bb]{0,400}")
_LONGEST_URL = 400
_URL_TAIL = ".,;:!?)]}'*_~\u2026"
#: What closes the elements of the markup whose content is one thing.
_ELEMENTS = {name: re.compile(rf"</{name}\s{{0,8}}>", re.IGNORECASE) for name in ("say-as", "sub", "phoneme")}
#: Tags after which something new begins.
_CLOSING_BLOCKS = frozenset({"p", "div", "li", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "blockquote"})
_CLOSING_MARKUP = frozenset({"s", "sentence", "paragraph"})


@dataclass(frozen=True, slots=True)
class Atom:
    """A construct that ends before index `end`; about `spoken` characters of it are heard.

    `ends_segment`: what comes after it is a segment of its own.
    """

    end: int
    spoken: int
    ends_segment: bool = False


def read_atom(text: str, start: int, final: bool, markup: bool) -> Atom | None:
    """The construct at `start`, where one of `ATOM_STARTS` is; None when more text is needed to tell.

    `end` is `start` when there is none. `final`: no more text comes, so there is always an answer.
    """
    if start and text[start - 1] == "\\":
        return Atom(start, 0)
    character = text[start]
    if character == ":":
        return _url(text, start, final)
    stop = start + LONGEST_ATOM
    over = _PARAGRAPH_END.search(text, start, stop)
    if over is not None:
        stop = over.start()
    # `closed`: all is there that may belong to it.
    closed = final or over is not None or len(text) >= stop
    if character == "`":
        return _code(text, start, stop, closed)
    if character == "[":
        return _link(text, start, stop, closed)
    return _tag(text, start, stop, closed, markup)


def _none(start: int, closed: bool) -> Atom | None:
    return Atom(start, 0) if closed else None


def _code(text: str, start: int, stop: int, closed: bool) -> Atom | None:
    runs = _TICKS.finditer(text, start, stop)
    opening = next(runs)
    length = opening.end() - start
    if length > _LONGEST_TICKS:
        return Atom(start, 0)
    for run in runs:
        if run.end() == len(text) and not closed:
            return None  # it may become longer
        if run.end() - run.start() == length:
            return Atom(run.end(), run.start() - opening.end())
    return _none(start, closed)


def _link(text: str, start: int, stop: int, closed: bool) -> Atom | None:
    depth = 0
    for match in _BRACKETS.finditer(text, start, stop):
        if match.group() == "[":
            depth += 1
            if depth > _DEEPEST_BRACKET:
                return Atom(start, 0)
        elif match.group() == "]":
            depth -= 1
            if depth == 0:
                break
    else:
        return _none(start, closed)
    middle = match.end()
    if middle >= min(stop, len(text)):
        return _none(start, closed)
    if text[middle] != "(":
        return Atom(start, 0)
    depth = 0
    for match in _TARGET.finditer(text, middle, stop):
        found = match.group()
        if found == "\n":
            return Atom(start, 0)
        if found == "(":
            depth += 1
        elif found == ")":
            depth -= 1
            if depth == 0:
                return Atom(match.end(), middle - start)
        elif len(found) == 2 and found[1] in "\"'" and not closed and "\n" not in text[match.end() : stop]:
            return None  # the title is not there yet
    return _none(start, closed)


def _tag(text: str, start: int, stop: int, closed: bool, markup: bool) -> Atom | None:
    tag = _TAG.match(text, start, stop)
    if tag is None:
        return _no_tag(text, start, stop, closed)
    slash, name, empty = tag.group(1), tag.group(2).lower(), tag.group(3)
    if markup and name == "break" and not slash:
        return Atom(tag.end(), 0, ends_segment=True)
    if markup and name in _ELEMENTS and not slash and not empty:
        closing = _ELEMENTS[name].search(text, tag.end(), stop)
        if closing is not None:
            return Atom(closing.end(), closing.start() - tag.end())
        if not closed:
            return None
    closing_block = name in _CLOSING_BLOCKS or (markup and name in _CLOSING_MARKUP)
    return Atom(tag.end(), 0, ends_segment=bool(slash) and closing_block)


def _no_tag(text: str, start: int, stop: int, closed: bool) -> Atom | None:
    after = text[start + 1 : min(start + 4, stop)]
    if after.startswith("!"):
        comment = _COMMENT.match(text, start, stop)
        if comment is not None:
            return Atom(comment.end(), 0)
        return _none(start, closed or not "!--".startswith(after))
    if not closed and _TAG_PART.match(text, start):
        return None
    link = _AUTOLINK.match(text, start, stop)
    if link is None:
        return _none(start, closed or after != "")
    if link.end() == len(text):
        return _none(start, closed)
    address = link.group()
    if link.end() < stop and text[link.end()] == ">" and (":" in address or "@" in address):
        return Atom(link.end() + 1, min(len(address), _LONGEST_SPOKEN_URL))
    return Atom(start, 0)


def _url(text: str, start: int, final: bool) -> Atom | None:
    slashes = text[start : start + 3]
    if slashes != "://":
        return _none(start, final or not "://".startswith(slashes))
    if start == 0 or not text[start - 1].isalnum():
        return Atom(start, 0)
    match = _URL.match(text, start)
    assert match is not None  # it can be empty
    if match.end() == len(text) and match.end() - start < 3 + _LONGEST_URL and not final:
        return None
    end = start + len(match.group().rstrip(_URL_TAIL))
    return Atom(max(end, start), min(end - start, _LONGEST_SPOKEN_URL))
