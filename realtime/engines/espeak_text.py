"""What espeak is given of a text: nothing that it takes for a command, and no more at once than it needs."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

#: A longer text is spoken in several runs, so that memory stays bounded whatever its length.
MAX_CHARACTERS = 500
# Control characters are commands to espeak (0x01 5P sets the pitch), and so are some unassigned ones.
_DROPPED = frozenset({"Cf", "Cn", "Co", "Cs"})
# Fullwidth letters and digits, which are read as their code numbers otherwise.
_NARROW = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F) if chr(code).isalnum()}
# Where a text may be cut, best first.
_CUTS = (
    re.compile(r"[.!?…][\"'”’»)\]]*\s|[。！？]|\n"),
    re.compile(r"[,;:—–]\s|[、，；：]"),
    re.compile(r"\s"),
)
_KANA = "ぁ-ゖァ-ヺーｦ-ﾟ"
# espeak spells a word of letters and kana, and leaves letters out before kana or after a digit.
_LATIN_EDGE = re.compile(f"(?<=[A-Za-z])(?=[{_KANA}])|(?<=[{_KANA}0-9])(?=[A-Za-z])")
# Particles at the end of a word, or alone, are written は and へ and said わ and え; はは, mother, has none.
_PARTICLE = re.compile(f"(?:(?<=[ぁ-のひふほ-ゖァ-ヺー])|(?<=\\w\\s))[はへ](?![{_KANA}])")
_SAID = {"は": "わ", "へ": "え"}
# ん cannot be lengthened by ー: espeak says that it is a Japanese letter.
_LONG_N = re.compile(r"(?<=[んン])ー")


@dataclass(frozen=True, slots=True)
class Readable:
    """Text for espeak; character i of it stands for character `positions[i]` of what was written."""

    text: str
    positions: tuple[int, ...]

    def written(self, start: int, end: int) -> tuple[int, int]:
        """[start, end) of what was written for the characters [start, end), at least one, of `text`."""
        return self.positions[start], self.positions[end - 1] + 1


def is_speech(text: str) -> bool:
    """Whether there is a letter or a digit to say."""
    return any(character.isalnum() for character in text)


def readable(written: str, language: str) -> Readable:
    """`language` is ISO 639-1. Japanese is also written nearer to how it is said."""
    kept: list[str] = []
    positions: list[int] = []
    for index, character in enumerate(written):
        category = unicodedata.category(character)
        if category not in _DROPPED:
            kept.append(" " if category == "Cc" else character)
            positions.append(index)
    text = "".join(kept).translate(_NARROW)
    if language == "ja":
        edges = {match.start() for match in _LATIN_EDGE.finditer(text)}
        text = _LATIN_EDGE.sub(" ", text)
        positions = [at for index, at in enumerate(positions) for _ in range(1 + (index in edges))]
        text = _PARTICLE.sub(lambda particle: _SAID[particle.group()], text)
        text = _LONG_N.sub("ん", text)
    return Readable(text, tuple(positions))


def runs_of(text: str) -> list[tuple[int, int]]:
    """[start, end) of the runs of a text: at most `MAX_CHARACTERS` each, cut where a reader would pause."""
    runs: list[tuple[int, int]] = []
    start = 0
    while len(text) - start > MAX_CHARACTERS:
        window = text[start : start + MAX_CHARACTERS]
        ends = ([match.end() for match in cut.finditer(window)] for cut in _CUTS)
        length = next((found[-1] for found in ends if found), MAX_CHARACTERS)
        runs.append((start, start + length))
        start += length
    return [*runs, (start, len(text))]
