"""Characters that have no sound, or that are another one in disguise: control, invisible, emoji, styled."""

from __future__ import annotations

import functools
import unicodedata

from realtime.text.spans import Edit

#: Symbols that are words.
_WORDS = frozenset("°©®™№\u2103\u2109")
_GONE = frozenset({"Cf", "Cn", "Co", "Cs"})
#: More than so many marks on one letter are decoration.
_MOST_MARKS = 2
# Letters and numbers in another dress, which are plain ones under NFKC: mathematical, circled, squared,
# Roman numerals, ligatures. Full-width letters are not among them: they belong to Chinese and Japanese text.
_STYLED = (
    (0x2100, 0x214F),
    (0x2160, 0x217F),
    (0x2460, 0x24FF),
    (0x3380, 0x33DF),
    (0xFB00, 0xFB06),
    (0x1D400, 0x1D7FF),
    (0x1F100, 0x1F149),
)
_VARIATIONS = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF), (0x180B, 0x180D), (0x034F, 0x034F), (0x20DD, 0x20E4))
#: Circled numbers from 1 to 20, which readers of Chinese, Japanese and Korean know.
_CIRCLED = frozenset(map(chr, range(0x2460, 0x2474)))
#: Arrows are left to `marks`, which makes a pause of them.
_ARROWS = (
    (0x2190, 0x21FF),
    (0x2794, 0x2794),
    (0x2798, 0x27AF),
    (0x27B1, 0x27BE),
    (0x27F0, 0x27FF),
    (0x2900, 0x297F),
    (0x2B05, 0x2B0D),
)


#: Doubled marks in one character, and a letter that is a picture.
_OTHERS = {"\u203c": "!", "\u2047": "?", "\u2048": "?!", "\u2049": "!?", "\u2139": ""}


def _within(character: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= ord(character) <= last for first, last in ranges)


@functools.lru_cache(maxsize=8192)
def _fate(character: str) -> str | None:
    """What stands for a character; "" when it is left out, None when it stays."""
    if character in "\n\t " or character in _WORDS:
        return None
    category = unicodedata.category(character)
    if category == "Cc":
        return " "
    if category in {"Zl", "Zp"}:
        return "\n"
    if category == "Zs" or character == "\u2800":
        return " "
    if category in _GONE or _within(character, _VARIATIONS):
        return ""
    if character in _OTHERS:
        return _OTHERS[character]
    if _within(character, _STYLED):
        plain = unicodedata.normalize("NFKC", character)
        if plain.isascii() and plain.strip("().,").isalnum():
            return plain
        if ord(character) >= 0x1D400 and plain.isalnum():
            return plain
    if category == "So" or (category == "Sk" and character not in "^`"):
        return None if _within(character, _ARROWS) else ""
    return None


@functools.lru_cache(maxsize=8192)
def _is_mark(character: str) -> bool:
    return unicodedata.category(character) in {"Mn", "Me"}


def _is_picture(run: str) -> bool:
    return any(unicodedata.category(character) in {"So", "Sk", "Cn"} for character in run)


def edits(text: str) -> list[Edit]:
    """What is left out or replaced, one character at a time or a run of those that are left out.

    A picture between two words parts them; an invisible character does not.
    """
    present = set(text)
    odd = {character: fate for character in present if (fate := _fate(character)) is not None}
    if odd and not odd.keys().isdisjoint(_CIRCLED) and any("\u2e80" <= each <= "\ud7a3" for each in present):
        odd = {character: fate for character, fate in odd.items() if character not in _CIRCLED}
    marked = not text.isascii() and any(map(_is_mark, present))
    if not odd and not marked:
        return []
    found: list[Edit] = []
    at, length, marks = 0, len(text), 0
    while at < length:
        character = text[at]
        fate = odd.get(character)
        start = at
        at += 1
        if fate is None:
            marks = marks + 1 if marked and _is_mark(character) else 0
            if marks > _MOST_MARKS:
                found.append(Edit(start, at, ""))
        elif fate:
            marks = 0
            found.append(Edit(start, at, fate))
        else:
            while at < length and odd.get(text[at]) == "":
                at += 1
            apart = start and at < length and text[start - 1].isalnum() and text[at].isalnum()
            run = text[start:at]
            spoken = " " if apart and _is_picture(run) else ""
            found.append(Edit(start, at, "'" if spoken and run == "\u00b4" else spoken))
    return found
