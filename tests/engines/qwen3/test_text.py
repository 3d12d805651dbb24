"""Tokens of pieces and segments, and the characters they stand for."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from realtime.engines.qwen3.generation import SpokenToken
from realtime.engines.qwen3.text import SpeechTokens, separator
from realtime.engines.qwen3.tokenizer import Tokenizer
from realtime.types import TextPiece


def piece(segment: int, text: str, last: bool = True) -> TextPiece:
    return TextPiece(segment, text, (0, len(text)), (), "en", last_of_segment=last)


@pytest.fixture(scope="module")
def tokenizer(custom_voice: Path) -> Tokenizer:
    return Tokenizer.read(custom_voice)


def test_segments_are_tokenized_as_one_text(tokenizer: Tokenizer) -> None:
    """Whatever the pieces are; and each token knows its characters in its segment."""
    segments = ["Hello there, my friend.", "How are you?", "I'm 25 years!", "你好。", "今天很好。", "Ende."]
    whole = "Hello there, my friend. How are you? I'm 25 years! 你好。今天很好。Ende."
    for size in (1, 3, 7, 100):
        tokens = SpeechTokens(tokenizer)
        spoken: list[SpokenToken] = []
        for number, text in enumerate(segments):
            cuts = [text[at : at + size] for at in range(0, len(text), size)]
            for at, cut in enumerate(cuts):
                spoken += tokens.feed(piece(number, cut, last=False))
                if size == 3 and at == len(cuts) - 1:  # a last piece may be empty
                    spoken += tokens.feed(piece(number, ""))
            if size != 3:
                spoken += tokens.feed(piece(number, ""))
        assert [token.id for token in spoken] == [token.id for token in tokenizer.encode(whole)]
        for number, text in enumerate(segments):
            own = [token for token in spoken if token.segment == number]
            assert own[0].start == 0 and own[-1].end == len(text)
            assert all(a.end <= b.end and a.start <= b.start for a, b in itertools.pairwise(own))
            assert [token.ends_segment for token in own] == [False] * (len(own) - 1) + [True]


@pytest.mark.parametrize(
    ("before", "text", "expected"),
    [
        ("", "Hello", ""),
        (".", "How", " "),
        ("。", "你好", ""),
        ("！", "Hello", ""),
        ("요", "안녕", " "),
        (".", "你好", " "),
        (" ", "How", ""),
        (".", "", ""),
    ],
)
def test_what_stands_between_two_segments(before: str, text: str, expected: str) -> None:
    assert separator(before, text) == expected
