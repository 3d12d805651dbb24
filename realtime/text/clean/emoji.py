"""Faces made of punctuation: emoticons and kaomoji. (Emoji are single characters: `characters`.)"""

from __future__ import annotations

import re

from realtime.text.spans import Edit

# Only whole tokens: "10:30", "C:\D" and "8)" hold none.
_BEFORE = r"(?<![^\s.!?,\u2026(])"
_AFTER = r"(?![^\s.!?,;:)\]\u2026])"
_EMOTICON = re.compile(
    _BEFORE + r"(?:"
    r">?[:;][-o^']{0,2}(?:[\])}]{1,9}|[\[({]{1,9}|D{1,5}|[PpOo|/\\*$><]|[Ss](?=\s|$))"
    r"|=[-^']?(?:\){1,9}|\({1,9}|D{1,5}|[Pp/\\](?=\s|$))"
    r"|\({1,5}-?[:;](?!\))"
    r"|xD{1,6}"
    r"|</?3{1,5}"
    r"|\^[_.-]{0,5}\^[;']?"
    r"|-_{1,5}-[;']?"
    r"|[oO0]_{1,5}[oO0]|[uU]_{1,5}[uU]"
    r"|[TQ;]_{1,5}[TQ;]"
    r"|>[_.]{1,5}<|\._\.|\\[oO]/"
    r")" + _AFTER
)
# "x <3" compares; "I <3 you" does not: a single letter before it that is not the English "I".
_COMPARED = re.compile(r"(?:(?<!\w)[A-HJ-Za-z]|[\d)\]])\s{0,4}\Z")
_FACE = re.compile(
    r"[\u30fd\u30fe\uff3c\\\u0669\u2570\u4e41\u10da\u2510\u1565\u1566\u253b\u2501\u252c\u2500\ufe35\u256f"
    r"~\u301c\u00af\u250c_m]{0,6}"
    r"[(\uff08](?P<face>[^()\uff08\uff09\n]{1,14})[)\uff09]"
    r"[\u30ce\uff89/\uff0f\u0648\u256f\u256e\u0e07\u2518\u250c\u301c~\u2661\u266a\u2606\u309b\u201c;\u309e"
    r"\u2510b\u00af_\\\ufe35m]{0,6}"
    r"(?:\s?[\ufe35\u5f61]?\s?[\u253b\u2501\u252c\u2500]{2,4})?"
    r"|\u0295[^\s\u0294]{1,9}\u0294"
)
# What faces are made of; two of the telling ones, and nothing else but these, make one.
_TELLING = frozenset(
    "^_><\u00b4\u2200\u03c9\u25bd\u76ca\u203f\ufe4f\u2565\u0ca0\u0ca5\u25d5\u2299\uffe3\ufe36\u2267\u2266\u0414"
    "\u76bf\u25a1\u00b0\u2022\u30fb\uff40\uff65\u30c4\u256f\u0361\u035c\u0296"
)
_FEATURES = _TELLING | frozenset(
    "`';:-=~*.,\"oOTQuvxX\uff61\u3002\u25cf\u25c9\u2605\u2665\u2661\uff9f\u309c #\u30ce\\"
)


def _is_face(inside: str) -> bool:
    telling = [character for character in inside if character in _TELLING]
    if len(telling) < 2 or all(map(str.isalnum, telling)):
        return False
    return _FEATURES.issuperset(inside)


def emoticons(text: str) -> list[Edit]:
    """Emoticons and kaomoji, left out; none of the text's words and numbers is taken for one."""
    found: list[Edit] = []
    if "(" in text or "\uff08" in text or "\u0295" in text:
        for match in _FACE.finditer(text):
            face = match["face"]
            shrug = face == "\u30c4" and len(match.group()) > 3
            if face is None or shrug or _is_face(face):
                start = match.start()
                if start and text[start] == "m" and text[start - 1].isalnum():
                    start += 1
                found.append(Edit(start, match.end(), ""))
    for match in _EMOTICON.finditer(text):
        if match.group() == "<3" and _COMPARED.search(text, max(0, match.start() - 8), match.start()):
            continue
        found.append(Edit(match.start(), match.end(), ""))
    return sorted(found, key=lambda edit: edit.start)
