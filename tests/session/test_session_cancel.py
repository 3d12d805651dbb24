"""Barge-in: what falls silent, and where its text is cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import ErrorCode
from realtime.session import messages as wire
from realtime.session.actions import OpenSpeaker, Send, StopSpeaker, Unheard
from realtime.types import (
    Failed,
    Finished,
    Flushed,
    FrameFlags,
    Packet,
    SegmentStarted,
    SourceWord,
    WordsTimed,
)
from tests.session.talk import (
    FRAME,
    MS,
    OPUS,
    Talk,
    anna,
    cancelled,
    error_of,
    every,
    messages,
    nothing_cancelled,
    only,
)


def test_cancel_of_an_id_that_never_was(talk: Talk) -> None:
    talk.send("text", context_id="a", text="x")
    assert talk.send("cancel", context_id="b", played_ms=50) == [Send(nothing_cancelled("b"))]
    assert talk.session.head() == 1


def test_cancel_stops_the_speaker_before_it_answers(talk: Talk) -> None:
    talk.send("text", text="One two.")
    assert talk.send("cancel") == [
        StopSpeaker(1, "cancelled"),
        Send(cancelled("default", 1, 0.0, "", "One two.", None)),
    ]
    for event in (
        Packet(b"", 0, 0, FRAME, FrameFlags.FIRST),
        SegmentStarted(0, "x", (0, 1), "en", 0),
        WordsTimed(0, (SourceWord(0, 3, 0, 1),), False),
        Flushed(None),
        Finished(0),
        Failed(ErrorCode.INTERNAL, "x"),
    ):
        assert talk.event(1, event) == []
    assert talk.session.on_failure(1, Failed(ErrorCode.INTERNAL, "x"), talk.now) == []


def test_cancel_is_idempotent(talk: Talk) -> None:
    handle = 1
    talk.send("text", text="One two.")
    talk.words(handle, (0, 3, 20), (4, 7, 40))
    talk.frame(handle, 60)
    first = only(talk.send("cancel", played_ms=20), wire.ContextCancelled)
    assert first == cancelled("default", 1, 20.0, "One ", "two.", 0)
    talk.now += 30
    assert talk.send("cancel") == [Send(first)]
    assert talk.send("cancel", played_ms=60) == [Send(first)]


def test_cancel_after_done_is_answered_with_the_cut(talk: Talk) -> None:
    talk.send("text", text="One two. ")
    talk.words(1, (0, 3, 1000), (4, 7, 2000))
    talk.frame(1, 2000)
    talk.send("end")
    talk.finish(1)
    talk.now += 1.5
    answer = cancelled("default", 1, 1500.0, "One ", "two. ", 0)
    assert talk.send("cancel") == [Send(answer), Unheard(1, 1500.0)]
    talk.now += 5
    assert talk.send("cancel") == [Send(answer)]


def test_cancel_after_a_failure_is_answered(talk: Talk) -> None:
    talk.send("text", text="One two. ")
    talk.words(1, (0, 3, 20), (4, 7, 900))
    talk.frame(1, 20)
    talk.event(1, Failed(ErrorCode.ENGINE_FAILED, "x"))
    assert talk.send("cancel", played_ms=20) == [Send(cancelled("default", 1, 20.0, "One ", "two. ", 0))]


def test_a_cancel_of_an_id_means_all_its_contexts_that_are_still_heard(talk: Talk) -> None:
    """It may have been opened again while the former one is still heard; then both fall silent."""
    talk.spoken("a", "Zero.", 1000)
    talk.now += 2
    for number, words in enumerate(("One.", "Two."), 2):
        assert only(talk.send("text", context_id="a", text=words), OpenSpeaker).handle == number
        talk.send("end", context_id="a")
    talk.send("text", context_id="b", text="Other.")
    first, second = cancelled("a", 2, 0, "", "One.", None), cancelled("a", 3, 0, "", "Two.", None)
    assert talk.send("cancel", context_id="a") == [
        StopSpeaker(2, "cancelled"),
        Send(first),
        StopSpeaker(3, "cancelled"),
        Send(second),
    ]
    assert talk.session.head() == 4
    # Nothing of the id is heard any more: the last one stands for it.
    assert talk.send("cancel", context_id="a") == [Send(second)]


def test_a_cancel_of_an_id_gives_played_ms_to_the_one_that_sounds(talk: Talk) -> None:
    talk.spoken("a", "One.", 1000)
    talk.spoken("a", "Two.", 1000)
    talk.now += 0.5
    answers = every(talk.send("cancel", context_id="a", played_ms=321), wire.ContextCancelled)
    assert [(answer.handle, answer.played_ms) for answer in answers] == [(1, 321), (2, 0)]


@pytest.mark.parametrize(
    ("played_ms", "position", "spoken"),
    [
        (-5, 0.0, ""),
        (-1e308, 0.0, ""),
        (0, 0.0, ""),
        (19.9, 19.9, ""),
        (20, 20.0, "One, "),
        (45.6, 45.6, "One, "),
        (45.67, 45.67, "One, two "),  # just past 45.666..., the word's own end
        (60, 60.0, "One, two three"),
        (61, 60.0, "One, two three"),
        (10**29, 60.0, "One, two three"),
        (1e308, 60.0, "One, two three"),
    ],
)
def test_the_position_of_a_cancel_is_clamped_to_what_was_sent(
    talk: Talk, played_ms: float, position: float, spoken: str
) -> None:
    text = "One, two three four"
    talk.send("text", text=text)
    # The fourth word is timed, but its sound was not sent.
    talk.words(1, (0, 3, 20), (5, 8, 2192 / MS), (9, 14, 60), (15, 19, 80))
    talk.frame(1, 60)
    spoken = "One, two three " if spoken == "One, two three" else spoken
    assert messages(talk.send("cancel", played_ms=played_ms)) == [
        cancelled("default", 1, position, spoken, text[len(spoken) :], 0)
    ]


@given(st.integers(1, 48_000 * 3600))
def test_a_words_own_end_counts_as_heard(end: int) -> None:
    """`end_ms` as the wire tells it, rounded to microseconds, means the whole word."""
    talk = Talk()
    talk.send("text", text="Hi there.")
    talk.words(1, (0, 2, end / MS), (3, 8, end / MS + 20))
    talk.frame(1, end / MS + 40)
    answer = only(talk.send("cancel", played_ms=round(end / MS, 3)), wire.ContextCancelled)
    assert answer.text_spoken == "Hi "


def test_cancel_by_the_clock(talk: Talk) -> None:
    talk.send("text", text="One two three")
    talk.words(1, (0, 3, 100), (4, 7, 200), (8, 13, 300))
    talk.now += 7  # nothing plays before the first frame
    talk.frame(1, 300)
    talk.now += 0.25
    assert messages(talk.send("cancel")) == [cancelled("default", 1, 250.0, "One two ", "three", 0)]


def test_by_the_clock_the_listener_stands_still_where_sound_ends(talk: Talk) -> None:
    talk.send("text", text="One two three")
    talk.words(1, (0, 3, 100), (4, 7, 200), (8, 13, 300))
    talk.frame(1, 100)
    talk.now += 50
    talk.frame(1, 200)
    talk.now += 0.15
    assert messages(talk.send("cancel")) == [cancelled("default", 1, 250.0, "One two ", "three", 1)]


def test_by_the_clock_the_next_context_begins_when_the_one_before_has_played_out(talk: Talk) -> None:
    talk.spoken("a", "One", 1000)
    talk.now += 0.3
    second = talk.spoken("b", "Two", 1000)
    talk.now += 0.9
    answer = only(talk.send("cancel", context_id="b"), wire.ContextCancelled)
    assert answer.handle == second
    assert answer.played_ms == pytest.approx(200, abs=0.001)


def test_by_the_clock_the_next_context_begins_when_the_one_before_is_cancelled(talk: Talk) -> None:
    """The listener dropped what it had of it: what comes next sounds at once, also what was sent already."""
    talk.spoken("a", "One", 10_000)
    talk.spoken("b", "Two", 1000)
    talk.now += 2
    assert only(talk.send("cancel", context_id="a"), wire.ContextCancelled).played_ms == 2000
    talk.now += 0.5
    assert only(talk.send("cancel", context_id="b"), wire.ContextCancelled).played_ms == pytest.approx(
        500, abs=0.001
    )


def test_cancel_all_answers_each_in_order_and_then_all(talk: Talk) -> None:
    for context_id in ("heard", "sounding"):
        talk.spoken(context_id, "One two.", 1000)
        talk.now += 1 if context_id == "heard" else 0.25
    talk.send("text", context_id="open", text="Three.")
    talk.send("text", context_id="ended", text="Four.")
    talk.send("end", context_id="ended")
    assert talk.send("cancel", context_id="*") == [
        Send(cancelled("sounding", 2, 250.0, "", "One two.", 0)),
        Unheard(2, 250.0),
        StopSpeaker(3, "cancelled"),
        Send(cancelled("open", 3, 0.0, "", "Three.", None)),
        StopSpeaker(4, "cancelled"),
        Send(cancelled("ended", 4, 0.0, "", "Four.", None)),
        Send(nothing_cancelled("*")),
    ]
    assert messages(talk.send("cancel", context_id="*")) == [nothing_cancelled("*")]
    # What was heard is not cancelled by it: its text is not late.
    assert only(talk.send("text", context_id="heard", text="x"), wire.ContextOpened)
    assert error_of(talk.send("text", context_id="sounding", text="x")).code == ErrorCode.CONTEXT_CLOSED


def test_played_ms_of_cancel_all_is_of_the_one_that_sounds(talk: Talk) -> None:
    talk.spoken("a", "One two.", 1000)
    talk.spoken("b", "Three.", 1000)
    talk.now += 0.5
    first, second, _ = every(talk.send("cancel", context_id="*", played_ms=123.5), wire.ContextCancelled)
    assert (first.handle, first.played_ms) == (1, 123.5)
    assert (second.handle, second.played_ms) == (2, 0)


def test_played_ms_of_cancel_all_when_by_the_clock_all_was_played(talk: Talk) -> None:
    """The client's buffer is behind the server's clock: its own word counts, not the clock's."""
    talk.send("text", text="One two.")
    talk.words(1, (0, 3, 500), (4, 7, 1000))
    talk.frame(1, 1000)
    talk.now += 1.05
    answer = every(talk.send("cancel", context_id="*", played_ms=900), wire.ContextCancelled)[0]
    assert answer == cancelled("default", 1, 900.0, "One ", "two.", 0)


def test_preempt_cancels_all_then_opens(talk: Talk) -> None:
    talk.spoken("a", "One.", 1000)
    talk.send("text", context_id="b", text="Two.")
    talk.now += 0.5
    answer_a = wire.ContextCancelled("a", 1, "preempted", 500.0, "", "One.", 0, 0)
    answer_b = wire.ContextCancelled("b", 2, "preempted", 0.0, "", "Two.", 0, None)
    assert talk.send("context.open", context_id="b", on_conflict="preempt") == [
        Send(answer_a),
        Unheard(1, 500.0),
        StopSpeaker(2, "cancelled"),
        Send(answer_b),
        OpenSpeaker(3, "b", anna(), OPUS),
        Send(wire.ContextOpened("b", 3, "anna", "en")),
    ]
    assert talk.session.head() == 3
    assert messages(talk.send("cancel", context_id="a")) == [answer_a]
    # The new one sounds at once: nothing is left before it.
    talk.frame(3, 100)
    talk.now += 0.06
    assert only(talk.send("cancel", context_id="b"), wire.ContextCancelled).played_ms == pytest.approx(60)


PIECES = st.lists(
    st.tuples(
        st.text(st.sampled_from("abzAZ019éß今日"), min_size=1, max_size=6),
        st.sampled_from(
            [
                " ",
                "  ",
                ", ",
                ". ",
                "! ",
                "?! ",
                "... ",
                "… ",
                ") ",
                "” ",
                "’ ",
                "]; ",
                ".\n",
                "。",
                "、",
                ": ",
            ]
        ),
    ),
    max_size=12,
)


@given(PIECES, st.integers(0, 1300), st.lists(st.integers(0, 200), max_size=4))
def test_the_cut_falls_after_the_last_word_that_was_heard(
    pieces: list[tuple[str, str]], played_ms: int, cuts: list[int]
) -> None:
    """Word n ends after 100 (n + 1) ms; the text comes in tokens that are cut anywhere."""
    text = "".join(word + trail for word, trail in pieces)
    talk = Talk()
    talk.send("context.open")
    bounds = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    for start, end in itertools.pairwise(bounds):
        talk.send("text", text=text[start:end])
    offset = 0
    ends: list[int] = []
    for number, (word, trail) in enumerate(pieces):
        talk.words(1, (offset, offset + len(word), 100 * (number + 1)))
        offset += len(word) + len(trail)
        ends.append(offset)
    talk.frame(1, 100 * len(pieces))
    heard = min(len(pieces), played_ms // 100)
    offset = ends[heard - 1] if heard else 0
    assert messages(talk.send("cancel", played_ms=played_ms)) == [
        cancelled("default", 1, min(played_ms, 100 * len(pieces)), text[:offset], text[offset:], 0)
    ]


@given(
    st.text(st.characters(codec="utf-8"), max_size=60),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=8),
    st.floats(-10, 400),
    st.integers(0, 200),
)
def test_spoken_and_remaining_are_always_the_text(
    text: str, words: list[tuple[int, int]], played_ms: float, sent_ms: int
) -> None:
    talk = Talk()
    talk.send("text", text=text)
    time = 0.0
    for end in sorted(source for source, _ in words):
        time += 25
        talk.words(1, (0, min(end, len(text)), time))
    talk.frame(1, sent_ms)
    answer = only(talk.send("cancel", played_ms=played_ms), wire.ContextCancelled)
    assert answer.text_spoken + answer.text_remaining == text
    assert answer.source_offset == len(answer.text_spoken)
    assert 0 <= answer.played_ms <= sent_ms


def test_last_seq_is_that_of_the_last_frame_sent(talk: Talk) -> None:
    talk.send("text", text="x")
    for _ in range(5):
        talk.frame(1)
    assert only(talk.send("cancel"), wire.ContextCancelled).last_seq == 4
