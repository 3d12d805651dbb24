"""`words`: when they are told, what they say, and that the ledger knows them also when nobody is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.session import messages as wire
from realtime.session.actions import Send
from realtime.types import SourceWord, WordsTimed
from tests.session.talk import MS, Talk, cancelled, every, messages, only


def started(**fields: Any) -> Talk:
    """A session that was started with these settings."""
    talk = Talk()
    only(talk.send("session.start", **fields), wire.SessionReady)
    return talk


def word(start: int, end: int, start_ms: float, end_ms: float) -> SourceWord:
    return SourceWord(start, end, round(start_ms * MS), round(end_ms * MS))


def test_words_are_told_with_the_text_that_the_client_sent() -> None:
    talk = started(timestamps="word")
    talk.send("text", context_id="a", text="It costs $3.50, ")
    talk.send("text", context_id="a", text="no more.")
    event = WordsTimed(
        2, (word(0, 2, 0, 120), word(3, 8, 160.5, 280), word(9, 14, 320, 1000 + 1 / 3)), estimated=True
    )
    assert talk.event(1, event) == [
        Send(
            wire.Words(
                context_id="a",
                handle=1,
                segment=2,
                estimated=True,
                words=[
                    wire.Word("It", (0, 2), 0.0, 120.0),
                    wire.Word("costs", (3, 8), 160.5, 280.0),
                    wire.Word("$3.50", (9, 14), 320.0, 1000.333),
                ],
            )
        )
    ]


def test_times_are_told_as_exact_where_they_are() -> None:
    talk = started(timestamps="word")
    talk.open("a", "It is.")
    told = only(talk.event(1, WordsTimed(0, (word(0, 2, 0, 10),), estimated=False)), wire.Words)
    assert told.estimated is False


def test_nobody_is_told_who_has_not_asked(talk: Talk) -> None:
    talk.send("text", text="It is.")
    assert talk.words(1, (0, 2, 100)) == []
    none = started(timestamps="none")
    none.send("text", text="It is.")
    assert none.words(1, (0, 2, 100)) == []


@pytest.mark.parametrize("timestamps", ["none", "word"])
def test_a_cancel_cuts_by_them_whether_they_are_told_or_not(timestamps: str) -> None:
    talk = started(timestamps=timestamps)
    talk.send("text", text="One two three")
    talk.words(1, (0, 3, 100), (4, 7, 200), (8, 13, 300))
    talk.frame(1, 300)
    assert messages(talk.send("cancel", played_ms=200)) == [
        cancelled("default", 1, 200.0, "One two ", "three", 0)
    ]


def test_an_update_is_for_contexts_that_are_opened_later(talk: Talk) -> None:
    talk.send("text", context_id="before", text="It is.")
    talk.send("session.update", timestamps="word")
    talk.send("text", context_id="before", text=" More.")
    talk.send("text", context_id="between", text="It is.")
    talk.send("session.update", timestamps="none")
    talk.send("text", context_id="after", text="It is.")
    for handle, told in ((1, False), (2, True), (3, False)):
        assert bool(every(talk.words(handle, (0, 2, 100)), wire.Words)) is told


@pytest.mark.parametrize(
    ("text", "source", "slice_"),
    [
        ("Ich höre.", (4, 8), "höre"),
        ("👍 fine", (2, 6), "fine"),
        ("a 👩‍👩‍👧 b", (2, 7), "👩‍👩‍👧"),  # one sign of five code points
        ("e\u0301te\u0301 x", (0, 5), "e\u0301te\u0301"),  # accents of their own
        ("今日は晴れ", (2, 3), "は"),
        ("\ufeffone", (1, 4), "one"),
        ("\U0001d4b3 y", (0, 1), "\U0001d4b3"),
        ("x", (1, 1), ""),
    ],
)
def test_a_source_is_counted_in_code_points(text: str, source: tuple[int, int], slice_: str) -> None:
    """As it arrives: each character of the JSON may be written as it is or in escapes."""
    for ascii_only in (True, False):
        talk = started(timestamps="word")
        talk.session.receive(json.dumps({"type": "text", "text": text}, ensure_ascii=ascii_only), talk.now)
        told = only(talk.event(1, WordsTimed(0, (word(*source, 0, 10),), False)), wire.Words)
        assert [(each.text, each.source) for each in told.words] == [(slice_, source)]


def test_words_of_a_token_that_was_split_are_whole() -> None:
    talk = started(timestamps="word")
    for part in ("Hel", "lo wo", "rld."):
        talk.send("text", text=part)
    told = only(talk.words(1, (0, 5, 100), (6, 11, 200)), wire.Words)
    assert [each.text for each in told.words] == ["Hello", "world"]


def test_after_a_cancel_no_words_are_told() -> None:
    talk = started(timestamps="word")
    talk.send("text", text="It is.")
    talk.send("cancel")
    assert talk.words(1, (0, 2, 100)) == []


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40), st.data())
def test_every_word_is_the_slice_of_the_text(text: str, data: st.DataObject) -> None:
    talk = started(timestamps="word")
    cut = data.draw(st.integers(0, len(text)))
    talk.send("context.open")
    for part in (text[:cut], text[cut:]):
        talk.send("text", text=part)
    bounds = st.integers(0, len(text))
    sources = data.draw(st.lists(st.tuples(bounds, bounds).map(sorted).map(tuple), max_size=6))
    times = data.draw(st.lists(st.integers(0, 2**40), min_size=len(sources), max_size=len(sources)))
    timed = tuple(
        SourceWord(start, end, time, time + 1) for (start, end), time in zip(sources, times, strict=True)
    )
    told = only(talk.event(1, WordsTimed(0, timed, False)), wire.Words)
    assert wire.decode_server(wire.encode(told)) == told
    for each, given_word in zip(told.words, timed, strict=True):
        assert each.text == text[given_word.source_start : given_word.source_end]
        assert each.source == (given_word.source_start, given_word.source_end)
        # A client that counts samples finds the same one: milliseconds are told to the microsecond.
        assert abs(each.start_ms * MS - given_word.start) < 0.5
        assert abs(each.end_ms * MS - given_word.end) < 0.5
