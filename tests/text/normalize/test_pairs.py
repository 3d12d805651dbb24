"""What is written is said as people say it, in ten languages; and any text is survived by every reader."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.text.normalize import LANGUAGES, reader
from tests.text.normalize.pairs import check_sources, pairs, read

TABLE = [(language, *pair) for language in LANGUAGES for pair in pairs(language)]
#: Pieces of which rules are fond, so that odd neighbours meet often.
PIECES = st.sampled_from(
    [
        *list("0123456789 .,:;-–/%$€£¥°#&@+*()'’\""),
        "12",
        "2024",
        "st",
        "th",
        "am",
        "Dr.",
        "km",
        "XIV",
        "http://",
        "年",
        "月",
    ]
)


@pytest.mark.parametrize(("language", "written", "spoken"), TABLE)
def test_what_is_said(language: str, written: str, spoken: str) -> None:
    said = read(written, language)
    assert said.text == spoken
    check_sources(written, said)


def test_the_tables_are_large_enough() -> None:
    assert sum(language == "en" for language, *_ in TABLE) >= 150
    assert len(TABLE) >= 300
    assert all(sum(each == language for each, *_ in TABLE) >= 17 for language in LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=150)
@given(text=st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=25).map("".join)))
def test_any_text_is_read(language: str, text: str) -> None:
    said = read(text, language)
    check_sources(text, said)
    assert len(said.text) <= 20 * len(text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "text",
    [
        "9" * 400,
        "-" + "1" * 400 + ".5",
        "1," * 2000,
        "(" * 10_000,
        "1/" * 2000,
        "$" * 2000,
        "12:" * 500,
        "a.b" * 500,
    ],
)
def test_endless_text_is_read(language: str, text: str) -> None:
    said = read(text, language)
    check_sources(text, said)
    assert len(said.text) <= 20 * len(text)


def test_a_language_that_is_not_known_has_no_reader() -> None:
    assert reader("xx") is None
