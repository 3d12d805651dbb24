"""How many frames a generation may take: by its text, so that real speech is never cut and a runaway ends.

A model that has lost its text goes on without an end: it hums, is silent, or says the same again and again.
Two things stop it. Each text has a budget, the time that a slow speaker takes for it and a little more, which
grows while live text arrives: about twice what a usual speaker takes, and `BASE_S`. And whoever repeats the
same few codes for 4 s is not speaking.
"""

from __future__ import annotations

import math
import unicodedata
from collections import deque

from realtime.errors import EngineError

#: Before the first word, after the last, and for a short text that is said very slowly.
BASE_S = 3.0
#: Slow speech: 1.7 English words a second, at 4.7 letters and a space each.
_LETTER_S = 0.08
_SPACE_S = 0.21
#: And 3 Chinese characters, Korean syllables or Japanese kana.
_SYLLABLE_S = 1 / 3
#: Letters of scripts that leave out vowels or write them as marks.
_OTHER_LETTER_S = 0.15
#: Capitals may be spelt ("HTTP"), digits and signs be read as words ("1,234,567" are ten, "€" is one).
_CAPITAL_S = 0.4
_DIGIT_S = 0.85
_SIGN_S = 0.8
#: Pauses.
_SENTENCE_S = 1.0
_CLAUSE_S = 0.5
_SENTENCE_MARKS = frozenset(".!?…。！？\n")
#: First codes of the last frames that are looked at, 4 s, and how many frames a repetition may be long.
REPEATED_FRAMES = 50
LONGEST_PERIOD = 6


def slow_seconds(text: str) -> float:
    """How long a slow speaker takes for it at most, without `BASE_S`.

    A sum over its characters: that of a text is the sum of those of its parts.
    """
    return sum(map(_seconds_of, text))


def _seconds_of(character: str) -> float:
    category = unicodedata.category(character)
    if character in _SENTENCE_MARKS:
        return _SENTENCE_S
    if character.isspace():
        return _SPACE_S
    if category == "Lu":
        return _CAPITAL_S
    if category[0] == "L":
        if unicodedata.east_asian_width(character) in ("W", "H"):
            return _SYLLABLE_S
        return _LETTER_S if category == "Ll" else _OTHER_LETTER_S
    if category[0] == "N":
        return _DIGIT_S
    if category[0] == "P":
        return _SIGN_S if character in "%&@#*/\\" else _CLAUSE_S
    return _SIGN_S if category[0] == "S" else 0.0


class FrameBudget:
    """The most frames of a generation."""

    def __init__(self, frame_ms: float, max_new_tokens: int | None = None) -> None:
        """`max_new_tokens`: the setting that takes the place of all this; the end is one of them."""
        if max_new_tokens is not None and max_new_tokens < 2:
            raise EngineError("MAX_NEW_TOKENS must be 2 or more: one frame, and the end")
        self._frame_ms = frame_ms
        self._max_new_tokens = max_new_tokens

    def frames(self, seconds: float) -> int:
        """For a text of so many `slow_seconds`, at least 1; as qwen-tts one less than `max_new_tokens`."""
        if self._max_new_tokens is not None:
            return self._max_new_tokens - 1
        return self.spoken_frames(seconds)

    def spoken_frames(self, seconds: float) -> int:
        """How many such a text takes at the most if it is spoken as it should be, whatever was set."""
        return math.ceil((BASE_S + seconds) * 1000 / self._frame_ms)


class RepetitionGuard:
    """Tells when the first codes of a generation's frames do nothing but repeat."""

    def __init__(self) -> None:
        self._codes: deque[int] = deque(maxlen=REPEATED_FRAMES)
        #: By period: how many of the last codes equal those so many frames before them.
        self._equal = [0] * (LONGEST_PERIOD + 1)

    def add(self, code: int) -> bool:
        """Takes the first code of the next frame; whether the generation is to be ended.

        So it is when the last `REPEATED_FRAMES` are repetitions of at most `LONGEST_PERIOD` of them. A pause
        repeats too, but none that belongs to speech is that long.
        """
        codes, equal, repeats = self._codes, self._equal, False
        for period in range(1, min(LONGEST_PERIOD, len(codes)) + 1):
            if codes[-period] == code:
                equal[period] += 1
                repeats = repeats or equal[period] >= REPEATED_FRAMES - period
            else:
                equal[period] = 0
        codes.append(code)
        return repeats
