"""Which written word each normalized word came from."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.engines.alignment import align_words


def aligned(written: str, normalized: str) -> list[str]:
    return [written[start:end] for start, end in align_words(written, normalized)]


@pytest.mark.parametrize(
    ("written", "normalized", "expected"),
    [
        ("Hello there.", "Hello there.", ["Hello", "there."]),
        ("  Hello   there ", "hello there", ["Hello", "there"]),
        ("“Hello,” he said", "hello, he said", ["“Hello,”", "he", "said"]),
        ("It is $3.50 now", "It is three dollars and fifty cents now", ["It", "is", *["$3.50"] * 5, "now"]),
        ("Dr. Who", "doctor Who", ["Dr.", "Who"]),
        ("in 1999 we", "in nineteen ninety nine we", ["in", "1999", "1999", "1999", "we"]),
        ("a & b", "a and b", ["a", "&", "b"]),
        ("a — b", "a b", ["a", "b"]),
        ("one two", "one extra two", ["one", "one", "two"]),
        ("two", "extra two", ["two", "two"]),
        ("10 km 20 km", "ten kilometers twenty kilometers", ["10", "km", "20", "km"]),
        ("the the the", "the the the", ["the", "the", "the"]),
        ("", "", []),
        ("", "something", []),
        ("   ", "something", []),
        ("word", "", []),
    ],
)
def test_cases(written: str, normalized: str, expected: list[str]) -> None:
    assert aligned(written, normalized) == expected


def test_many_words_for_fewer_are_spread_in_order() -> None:
    spans = aligned("5 kg", "five whole kilo grams")
    assert spans == ["5", "5", "kg", "kg"]


WORDS = st.lists(st.sampled_from(["a", "b", "B,", "3", "$5", "three", "—", "x." * 5]), max_size=12)


@given(written=WORDS, normalized=WORDS)
def test_every_normalized_word_has_a_written_one_in_order(written: list[str], normalized: list[str]) -> None:
    text = " ".join(written)
    spans = align_words(text, " ".join(normalized))
    assert len(spans) == (len(normalized) if written else 0)
    assert spans == sorted(spans)
    starts = {0, *(match.end() for match in re.finditer(" ", text))}
    ends = {len(text), *(match.start() for match in re.finditer(" ", text))}
    assert all(start in starts and end in ends and start < end for start, end in spans)


def test_a_word_that_is_left_out_belongs_to_the_one_before_it() -> None:
    assert aligned("one two three", "one three") == ["one two", "three"]
    assert aligned("Hello world", "hello") == ["Hello world"]
    assert aligned("one two three", "x y") == ["one", "two three"]


@given(words=WORDS)
def test_the_same_text_aligns_with_itself(words: list[str]) -> None:
    assert aligned(" ".join(words), " ".join(words)) == words
