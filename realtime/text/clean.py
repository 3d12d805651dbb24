"""Takes out of a sentence what cannot be said, keeping for each word where it came from."""

from __future__ import annotations

import re
import unicodedata

from realtime.types import SpanLink

_WORD = re.compile(r"\S+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# Marks of emphasis and code; but "2*3" is a product.
_MARKS = re.compile(r"(?<!\d)[*`]+|[*`]+(?!\d)")
# Other, control, format, unassigned, private use; other symbols (emoji); and their modifiers.
_UNSPEAKABLE = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "So", "Sk"})
_KEPT = frozenset("°©®™℃℉№")
_VARIATION_SELECTORS = frozenset(map(chr, range(0xFE00, 0xFE10)))


def _is_speakable(character: str) -> bool:
    if character in _KEPT or character in "^`":
        return True
    return unicodedata.category(character) not in _UNSPEAKABLE and character not in _VARIATION_SELECTORS


def _speakable(word: str) -> str:
    if not word.isascii():
        word = "".join(filter(_is_speakable, word))
    return _MARKS.sub("", word)


def clean(text: str, position: int) -> tuple[str, tuple[SpanLink, ...]]:
    """The speakable words of `text`, one space between two, and a link from each to its source.

    `position` is where `text` begins in the context's text. Control characters separate words as space does;
    emoji, emphasis marks and the like are left out. Empty when no letter or digit is left.
    """
    words: list[str] = []
    links: list[SpanLink] = []
    spoken = 0
    for match in _WORD.finditer(_CONTROL.sub(" ", text)):
        word = _speakable(match.group())
        if not word:
            continue
        words.append(word)
        links.append(SpanLink(spoken, spoken + len(word), position + match.start(), position + match.end()))
        spoken += len(word) + 1
    cleaned = " ".join(words)
    if not any(character.isalnum() for character in cleaned):
        return "", ()
    return cleaned, tuple(links)
