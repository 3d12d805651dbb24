"""What a steady load consists of, drawn from one seed: who comes when, to hear what.

Nobody waits for anybody else: the moments are fixed before, so that several servers can have the same load at
the same time. Short texts and long ones, in English and in two languages of another voice; some were spoken
before, some are new.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bench.crowds import TEXTS, WORD_S

#: Sessions: what they begin with.
STARTS: tuple[dict[str, Any], ...] = (
    {},
    {"timestamps": "word"},
    {"formats": ["opus"], "frame_ms": 60, "bitrate": 24_000},
    {"formats": ["pcm_s16le"], "frame_ms": 40},
    {"formats": ["pcm_s16le"], "sample_rate": 16_000, "frame_ms": 60},
    {"formats": ["mulaw"], "frame_ms": 40},
    {"formats": ["ogg_opus"], "frame_ms": 60},
)
FORMATS = ("mp3", "opus", "flac", "wav", "pcm")
#: Languages, and how often each is spoken.
_LANGUAGES = {"en": 7, "de": 2, "fr": 1}
#: Sentences that are new each time.
_NEW = {
    "en": "Your order number {0} leaves tomorrow at {1}, and order {2} on the day after.",
    "de": "Ihre Bestellung Nummer {0} kommt morgen um {1} Uhr an, und die Nummer {2} einen Tag danach.",
    "fr": "Votre commande numéro {0} arrive demain à {1} heures, et la commande {2} un jour après.",
}
#: A number is said with so many words, about.
_WORDS_OF_NUMBER = 4
#: Sentences of a text, and how often it has so many.
_LENGTHS = {1: 11, 3: 7, 8: 2}
#: No text of a load takes longer than this, nor a part of the load so large that it is not steady.
_LONGEST_S = 60.0
_LONGEST_PART = 1 / 5


@dataclass(frozen=True, slots=True)
class Turn:
    """One text of a session. `audio_s`: how long it will be heard, about.

    `by_token`: it comes as a model writes it. The listener barges in (`cancel_s`), or loses the socket and
    comes back (`lose_s`), when so many seconds were heard.
    """

    text: str
    audio_s: float
    by_token: bool = False
    cancel_s: float | None = None
    lose_s: float | None = None


@dataclass(frozen=True, slots=True)
class Talk:
    """A session over a WebSocket. `vanishes`: at its end the socket is cut."""

    at_s: float
    turns: tuple[Turn, ...]
    start: dict[str, Any] = field(default_factory=dict)
    vanishes: bool = False

    @property
    def audio_s(self) -> float:
        """How long it will be heard, about."""
        return sum(turn.audio_s for turn in self.turns)


@dataclass(frozen=True, slots=True)
class File:
    """A request over HTTP. `streams`: it is sent as it is made; `reconnects`: by a connection of its own."""

    at_s: float
    text: str
    audio_s: float
    language: str
    format: str
    streams: bool = True
    reconnects: bool = False


Visit = Talk | File


def make_plan(seed: str, seconds: float, load: float) -> Iterator[Visit]:
    """Who comes, in order; `load`: so many seconds of sound are asked for in a second, on average."""
    chance = Random(seed)
    longest_s = min(_LONGEST_S, seconds * _LONGEST_PART)
    at_s = 0.0
    while at_s < seconds:
        visit = _talk(chance, at_s, longest_s) if chance.random() < 0.6 else _file(chance, at_s, longest_s)
        yield visit
        at_s += chance.expovariate(1) * visit.audio_s / load


def first_visits() -> list[Visit]:
    """One of each kind: what is made when it is first needed is there after them."""
    english, *others = (
        (language, Turn(text.format(1, 2, 3), 1.0, cancel_s=0.1)) for language, text in _NEW.items()
    )
    language, turn = english
    return [
        *(Talk(0.0, (turn,), start | {"language": language}) for start in STARTS),
        *(File(0.0, turn.text, 1.0, language, name) for name in FORMATS),
        *(Talk(0.0, (turn,), {"language": language}) for language, turn in others),
    ]


def _talk(chance: Random, at_s: float, longest_s: float) -> Talk:
    language = _draw(chance, _LANGUAGES)
    turns: list[Turn] = []
    for _ in range(chance.randint(1, 4)):
        if (left_s := longest_s - sum(turn.audio_s for turn in turns)) < 1:
            break
        text, audio_s = _text(chance, language, left_s)
        by_token, fate, when = chance.random() < 0.5, chance.random(), chance.uniform(0.1, 0.9)
        if fate < 0.25:
            turns.append(Turn(text, audio_s * when, by_token, cancel_s=audio_s * when))
        elif fate < 0.35:
            turns.append(Turn(text, audio_s, by_token, lose_s=audio_s * when))
        else:
            turns.append(Turn(text, audio_s, by_token))
    start = chance.choice(STARTS) | {"language": language}
    return Talk(at_s, tuple(turns), start, chance.random() < 0.1)


def _file(chance: Random, at_s: float, longest_s: float) -> File:
    language = _draw(chance, _LANGUAGES)
    text, audio_s = _text(chance, language, longest_s)
    streams, reconnects = chance.random() < 0.5, chance.random() < 0.3
    return File(at_s, text, audio_s, language, chance.choice(FORMATS), streams, reconnects)


def _text(chance: Random, language: str, longest_s: float) -> tuple[str, float]:
    """A text, and how long it sounds, about."""
    sentences: list[str] = []
    for _ in range(_draw(chance, _LENGTHS)):
        if language == "en" and chance.random() < 0.7:
            sentences.append(chance.choice(TEXTS))
        else:
            sentences.append(_NEW[language].format(*(chance.randint(1, 999) for _ in range(3))))
    words: list[str] = []
    audio_s = 0.0
    for word in " ".join(sentences).split():
        word_s = WORD_S * (_WORDS_OF_NUMBER if word[0].isdigit() else 1)
        if words and audio_s + word_s > longest_s:
            break
        words.append(word)
        audio_s += word_s
    return " ".join(words), audio_s


def _draw(chance: Random, weights: dict[Any, int]) -> Any:
    (drawn,) = chance.choices(list(weights), list(weights.values()))
    return drawn
