"""The words of a text, how long each takes, and where a voice pauses: what times of words are estimated from.

Measured on sentences with exact times, of this repository's English voice and of espeak's in seven languages
(768 words): a letter takes 45 to 60 ms at the usual speed, whatever the language; counting vowels too, for
syllables, makes it no better. What is said before a comma or a full stop takes 0.1 s more.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import IntEnum

#: Seconds at the usual speed.
_LETTER_S = 0.055
_HANGUL_S = 0.15
_IDEOGRAPH_S = 0.21
_KANA_S = 0.13
_DIGIT_S = 0.30
_SIGN_S = 0.30  # "€", "%", "@": said as a word
_LAST_S = 0.10
_NOTHING_S = 0.20  # of a segment without a word, as "..."
_EMPTY_S = 0.001

_KANA = "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_SMALL_KANA = "ぁぃぅぇぉゃゅょゎァィゥェォャュョヮｧｨｩｪｫｬｭｮﾞﾟ"
_IDEOGRAPHS = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_MARKS = "\u3000-\u3004\u3008-\u3020\u3030\u30fb\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65…—“”"
#: A Chinese character, a kana with the small ones after it, or what stands between spaces and these.
_WORD = re.compile(rf"[{_IDEOGRAPHS}]|[{_KANA}][{_SMALL_KANA}]*|[^\s{_MARKS}{_IDEOGRAPHS}{_KANA}]+")
_CLAUSE_ENDS = re.compile(r"[,;:，、；：—–…]|\.\.\.|[)\]）」』]\s|-\s")
_SENTENCE_ENDS = re.compile(r"[.!?。！？](?=[\s\"'”’»)\]）」』]|$)|[。！？\n]")
_SPOKEN_SIGNS = "%&@+=*/\\#§°"


class Gap(IntEnum):
    """What stands between a word and the next one: by it the voice may pause."""

    NONE = 0
    CLAUSE = 1
    SENTENCE = 2


@dataclass(frozen=True, slots=True)
class Unit:
    """A word, [start, end) of its segment's text, and the seconds that it takes at the usual speed.

    A segment without a word has one unit that is none, `is_word` false, and `is_empty` if it has no text
    either. `ends_segment`: its segment's text ends with it.
    """

    segment: int
    start: int
    end: int
    seconds: float
    gap: Gap
    is_word: bool = True
    is_empty: bool = False
    ends_segment: bool = False


def units_of(segment: int, text: str, complete: bool) -> list[Unit]:
    """The words of a segment's text as far as it is known; at least one unit when it is `complete`."""
    spans = [
        match.span()
        for match in _WORD.finditer(text)
        if any(map(_is_said, text[match.start() : match.end()]))
    ]
    if not spans and complete:
        empty = not text.strip()
        seconds = _EMPTY_S if empty else _NOTHING_S
        return [Unit(segment, 0, len(text), seconds, Gap.SENTENCE, False, empty, ends_segment=True)]
    units: list[Unit] = []
    for number, (start, end) in enumerate(spans):
        is_last = number + 1 == len(spans)
        between = text[_last_said(text, start, end) : len(text) if is_last else spans[number + 1][0]]
        gap = _gap(between)
        seconds = sum(map(_seconds_of, text[start:end])) + (_LAST_S if gap else 0.0)
        ends = is_last and complete
        if ends:
            gap = max(gap, Gap.CLAUSE)
        units.append(Unit(segment, start, end, max(seconds, 0.05), gap, ends_segment=ends))
    return units


def _last_said(text: str, start: int, end: int) -> int:
    """Where the marks at a word's end begin."""
    while end > start and not _is_said(text[end - 1]):
        end -= 1
    return end


def _gap(between: str) -> Gap:
    if _SENTENCE_ENDS.search(between):
        return Gap.SENTENCE
    return Gap.CLAUSE if _CLAUSE_ENDS.search(between) else Gap.NONE


def _is_said(character: str) -> bool:
    return (
        character.isalnum() or character in _SPOKEN_SIGNS or unicodedata.category(character) in ("Sc", "So")
    )


def _seconds_of(character: str) -> float:
    if "가" <= character <= "힣":
        return _HANGUL_S
    if re.match(f"[{_KANA}]", character):
        return _KANA_S
    if re.match(f"[{_IDEOGRAPHS}]", character):
        return _IDEOGRAPH_S
    if character.isalpha():
        return _LETTER_S
    if character.isnumeric():
        return _DIGIT_S
    return _SIGN_S if _is_said(character) else 0.0
