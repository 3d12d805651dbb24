"""`playback`: what the listener has heard moves where a cancel cuts, what falls silent, and what is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from realtime.errors import ErrorCode
from realtime.session import messages as wire
from realtime.session.actions import Close, EndSpeaker, Send, Unheard
from realtime.session.offer import Limits
from realtime.types import Failed
from tests.session.talk import OFFER, Talk, cancelled, nothing_cancelled, only, refused


def heard(talk: Talk, context_id: str, played_ms: float) -> None:
    """The listener says so, and gets no answer."""
    assert talk.send("playback", context_id=context_id, played_ms=played_ms) == []


# -- where a cancel cuts ------------------------------------------------------------------------------------


def test_a_cancel_cuts_where_the_listener_said_it_was_and_the_clock_has_run_on(talk: Talk) -> None:
    talk.send("text", text="One two three")
    talk.words(1, (0, 3, 1000), (4, 7, 2000), (8, 13, 3000))
    talk.frame(1, 3000)
    talk.now += 1.2
    heard(talk, "default", 700)
    talk.now += 0.5
    assert talk.cut("default") == [cancelled("default", 1, 1200.0, "One ", "two three", 0)]


def test_what_the_cancel_says_goes_before_what_was_reported(talk: Talk) -> None:
    talk.spoken("a", "One.", 5000)
    heard(talk, "a", 3000)
    assert [answer.played_ms for answer in talk.cut("a", played_ms=1000)] == [1000]


def test_the_clock_runs_on_for_two_seconds(talk: Talk) -> None:
    talk.spoken("a", "One.", 9000)
    heard(talk, "a", 1000)
    talk.now += 100
    assert talk.played_ms("a") == 3000


@pytest.mark.parametrize("played_ms", [-1, -1e308, -(10**30), 0, 999.999])
def test_a_report_that_goes_backwards_is_ignored(talk: Talk, played_ms: float) -> None:
    talk.spoken("a", "One.", 9000)
    heard(talk, "a", 1000)
    talk.now += 1
    heard(talk, "a", played_ms)
    talk.now += 0.5
    assert talk.played_ms("a") == 2500
    # Nor does it set the two seconds back.
    talk.spoken("b", "One.", 9000)
    heard(talk, "b", 1000)
    talk.now += 1.5
    heard(talk, "b", played_ms)
    talk.now += 10
    assert talk.played_ms("b") == 3000


@pytest.mark.parametrize("played_ms", [1001, 10**30, 1e308])
def test_a_report_is_clamped_to_what_was_sent_by_then(talk: Talk, played_ms: float) -> None:
    talk.send("text", context_id="a", text="One.")
    talk.frame(1, 1000)
    heard(talk, "a", played_ms)
    talk.frame(1, 9000)
    talk.now += 0.25
    assert talk.played_ms("a") == 1250


def test_a_listener_that_has_not_begun_says_zero(talk: Talk) -> None:
    talk.spoken("a", "One.", 9000)
    talk.now += 1
    heard(talk, "a", 0)
    talk.now += 0.5
    assert talk.played_ms("a") == 500


def test_a_listener_that_hears_a_failed_context_to_its_end(talk: Talk) -> None:
    talk.send("text", context_id="a", text="One two.")
    talk.words(1, (0, 3, 500), (4, 7, 1000))
    talk.frame(1, 1000)
    talk.event(1, Failed(ErrorCode.ENGINE_FAILED, "broken"))
    heard(talk, "a", 600)
    assert talk.cut("a") == [cancelled("a", 1, 600.0, "One ", "two.", 0)]


# -- what a report is about ---------------------------------------------------------------------------------


@pytest.mark.parametrize("played_ms", [-5, 0, 5, 10**30])
def test_a_report_about_what_is_not_known_is_ignored(talk: Talk, played_ms: float) -> None:
    heard(talk, "never", played_ms)
    talk.open("silent")
    heard(talk, "silent", played_ms)
    talk.send("cancel", context_id="silent")
    heard(talk, "silent", played_ms)
    # It opens nothing, and nothing of it is remembered.
    assert talk.cut("never") == [nothing_cancelled("never")]
    assert [answer.played_ms for answer in talk.cut("silent")] == [0]
    assert talk.session.head() is None


def test_a_report_about_what_was_cancelled_changes_no_answer(talk: Talk) -> None:
    talk.spoken("a", "One.", 9000)
    answers = talk.cut("a", played_ms=1000)
    talk.spoken("b", "Two.", 9000)
    heard(talk, "a", 5000)
    talk.now += 1
    assert talk.cut("a") == answers
    assert talk.played_ms("b") == 1000


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"played_ms": None},
        {"played_ms": "5"},
        {"played_ms": True},
        {"played_ms": 5, "context_id": "*"},
        {"played_ms": 5, "context_id": ""},
        {"played_ms": 5, "context_id": "x" * 65},
    ],
)
def test_a_report_that_is_wrong_moves_nothing(talk: Talk, fields: dict[str, Any]) -> None:
    talk.spoken("default", "One.", 9000)
    talk.now += 1
    refused(talk.send("playback", **fields), ErrorCode.INVALID_MESSAGE)
    assert talk.played_ms("default") == 1000


def test_who_is_heard_in_one_has_heard_those_before(talk: Talk) -> None:
    talk.spoken("a", "One two.", 9000)
    talk.spoken("b", "Three.", 9000)
    talk.spoken("c", "Four.", 9000)
    talk.now += 0.5
    heard(talk, "b", 250)
    assert [(answer.context_id, answer.played_ms) for answer in talk.cut("*")] == [
        ("b", 250),
        ("c", 0),
        ("*", 0),
    ]
    # What was heard to its end is cut at its end.
    assert [answer.played_ms for answer in talk.cut("a")] == [9000]


def test_of_two_of_one_id_a_report_means_the_one_that_is_heard(talk: Talk) -> None:
    talk.spoken("a", "One.", 1000)
    talk.spoken("a", "Two.", 3000)
    talk.now += 0.5
    heard(talk, "a", 400)
    talk.now += 0.1
    assert [(answer.handle, answer.played_ms) for answer in talk.cut("*")] == [(1, 500), (2, 0), (0, 0)]


def test_of_two_of_one_id_a_report_means_the_second_when_the_first_was_heard(talk: Talk) -> None:
    talk.spoken("a", "One.", 1000)
    talk.spoken("a", "Two.", 3000)
    talk.now += 0.9
    heard(talk, "a", 1000)
    talk.now += 0.2
    heard(talk, "a", 150)
    talk.now += 0.1
    assert [(answer.handle, answer.played_ms) for answer in talk.cut("*")] == [(2, 250), (0, 0)]


def test_of_two_of_one_id_a_report_means_the_second_also_beyond_the_length_of_the_first(talk: Talk) -> None:
    talk.spoken("a", "One.", 1000)
    talk.spoken("a", "Two.", 3000)
    heard(talk, "a", 1000)
    heard(talk, "a", 150)
    heard(talk, "a", 1500)
    talk.now += 0.1
    assert [(answer.handle, answer.played_ms) for answer in talk.cut("*")] == [(2, 1600), (0, 0)]


def test_of_two_of_one_id_the_first_report_is_about_the_one_that_is_heard_by_the_clock(talk: Talk) -> None:
    talk.spoken("a", "One.", 1000)
    talk.spoken("a", "Two.", 3000)
    talk.now += 2
    heard(talk, "a", 800)
    talk.now += 0.1
    assert [(answer.handle, answer.played_ms) for answer in talk.cut("*")] == [(2, 900), (0, 0)]


def test_a_report_is_not_about_a_former_context_of_the_id_that_was_cancelled(talk: Talk) -> None:
    talk.spoken("a", "One.", 9000)
    talk.send("playback", context_id="a", played_ms=100)
    talk.cut("a")
    talk.send("context.open", context_id="a")
    talk.frame(2, 3000)
    talk.now += 0.5
    heard(talk, "a", 300)
    assert [(answer.handle, answer.played_ms) for answer in talk.cut("*")] == [(2, 300), (0, 0)]


def test_of_two_of_one_id_a_report_that_goes_back_means_the_second(talk: Talk) -> None:
    """Nobody has said that the first was heard to its end, but who begins anew has heard it."""
    talk.spoken("a", "One.", 1000)
    talk.spoken("a", "Two.", 3000)
    talk.now += 0.9
    heard(talk, "a", 900)
    talk.now += 0.3
    heard(talk, "a", 200)
    assert [(answer.handle, answer.played_ms) for answer in talk.cut("*")] == [(2, 200), (0, 0)]


def test_of_two_of_one_id_reports_go_on_to_mean_the_second(talk: Talk) -> None:
    """Also when they come to the place where the last report about the first was."""
    talk.spoken("a", "One.", 1000)
    talk.spoken("a", "Two.", 3000)
    for seconds, played_ms in ((0.9, 900), (0.3, 200), (0.5, 700), (0.25, 950)):
        talk.now += seconds
        heard(talk, "a", played_ms)
    assert [(answer.handle, answer.played_ms) for answer in talk.cut("*")] == [(2, 950), (0, 0)]


# -- what falls silent --------------------------------------------------------------------------------------


def test_a_listener_that_is_slower_than_the_clock_still_hears_what_is_cancelled(talk: Talk) -> None:
    talk.spoken("a", "One.", 1000)
    talk.spoken("b", "Two.", 1000)
    talk.now += 1.5
    heard(talk, "a", 900)
    talk.now += 0.05
    assert [(answer.handle, answer.played_ms) for answer in talk.cut("*")] == [(1, 950), (2, 0), (0, 0)]


def test_a_listener_that_is_faster_than_the_clock_hears_nothing_any_more(talk: Talk) -> None:
    """As one that plays faster does: by the clock there would be 8 s left."""
    talk.spoken("a", "One.", 10_000)
    talk.now += 2
    heard(talk, "a", 10_000)
    assert talk.cut("*") == [nothing_cancelled("*")]
    # Heard is not cancelled: its id takes text at once.
    assert only(talk.send("text", context_id="a", text="x"), wire.ContextOpened).handle == 2


def test_a_listener_that_stands_still_hears_what_is_cancelled_however_late(talk: Talk) -> None:
    talk.spoken("a", "One.", 9000)
    heard(talk, "a", 1000)
    talk.spoken("b", "Two.", 1000)
    talk.now += 60
    assert [(answer.handle, answer.played_ms) for answer in talk.cut("*")] == [(1, 3000), (2, 0), (0, 0)]


def test_played_ms_of_cancel_all_is_of_the_one_that_was_reported(talk: Talk) -> None:
    talk.spoken("a", "One.", 1000)
    talk.spoken("b", "Two.", 1000)
    heard(talk, "b", 100)
    assert [(answer.handle, answer.played_ms) for answer in talk.cut("*", played_ms=321)] == [
        (2, 321),
        (0, 0),
    ]


def test_preempt_knows_where_the_listener_is(talk: Talk) -> None:
    talk.spoken("a", "One.", 1000)
    talk.spoken("b", "Two.", 1000)
    heard(talk, "b", 100)
    answer, *_ = talk.send("context.open", context_id="c", on_conflict="preempt")
    assert answer == Send(wire.ContextCancelled("b", 2, "preempted", 100.0, "", "Two.", 0, 0))


# -- until when it is kept ----------------------------------------------------------------------------------


@pytest.fixture
def long_talk() -> Talk:
    """A session that no idleness closes."""
    talk = Talk(replace(OFFER, limits=Limits(idle_s=1e6)))
    talk.send("session.start")
    return talk


def test_a_context_is_kept_until_sixty_seconds_after_a_slow_listener_has_heard_it(long_talk: Talk) -> None:
    talk = long_talk
    talk.spoken("a", "One.", 30_000)
    talk.wait(20)
    for played_ms in range(0, 30_001, 1000):  # at half speed, from 20 s on
        heard(talk, "a", played_ms)
        talk.wait(2)
    # It was heard to its end at 80 s, and now it is 82 s.
    talk.wait(57.999)
    assert talk.session.text(1) == "One."
    talk.wait(0.001)
    assert talk.session.text(1) == ""


def test_a_context_is_kept_while_its_listener_stands_in_it(long_talk: Talk) -> None:
    talk = long_talk
    talk.spoken("a", "One.", 30_000)
    heard(talk, "a", 1000)
    talk.wait(3600)
    assert talk.session.text(1) == "One."
    heard(talk, "a", 30_000)
    # It is looked after once more when it would be forgotten if the listener had gone on at once.
    talk.wait(27 + 60)
    assert talk.session.text(1) == ""
    assert talk.cut("a") == [nothing_cancelled("a")]


def test_a_report_in_the_next_ends_the_keeping_of_the_one_before(long_talk: Talk) -> None:
    talk = long_talk
    talk.spoken("a", "One.", 30_000)
    heard(talk, "a", 1000)
    talk.wait(300)
    talk.spoken("b", "Two.", 30_000)
    heard(talk, "b", 1000)
    talk.wait(27 + 60)
    assert (talk.session.text(1), talk.session.text(2)) == ("", "Two.")


def test_a_context_that_is_forgotten_while_its_listener_stands_in_it_holds_up_nobody(
    long_talk: Talk,
) -> None:
    """Only so many are kept; then the oldest are forgotten, also those that are still heard."""
    talk = long_talk
    talk.spoken("a", "One.", 30_000)
    heard(talk, "a", 1000)
    for number in range(256):
        talk.spoken(f"c{number}", "x", 20)
    assert talk.session.text(1) == ""
    talk.now += 60
    talk.spoken("b", "Two.", 1000)
    talk.now += 0.5
    assert talk.played_ms("b") == 500


# -- and what it is not -------------------------------------------------------------------------------------


def test_reports_are_no_sign_of_life_of_the_speaker(talk: Talk) -> None:
    """A head that says nothing is ended after ten seconds, whatever its listener tells."""
    talk.open("a")
    talk.frame(1, 30_000)
    talk.open("b")
    for second in range(9):
        talk.wait(1)
        heard(talk, "a", 1000 * second)
    assert talk.wait(0.999) == []
    assert talk.wait(0.001) == [EndSpeaker(1)]


def test_reports_keep_the_session_alive(talk: Talk) -> None:
    talk.wait(299)
    heard(talk, "never", 1)
    assert not talk.wait(299.999)
    assert len(talk.wait(0.001)) == 2


def test_reports_while_draining_and_after_it(talk: Talk) -> None:
    talk.open("a")
    talk.frame(1, 9000)
    talk.send("session.close")
    heard(talk, "a", 500)
    assert [answer.played_ms for answer in talk.cut("a")] == [500]
    heard(talk, "a", 700)


def test_a_close_without_drain_cuts_where_the_listener_is(talk: Talk) -> None:
    talk.spoken("a", "One.", 9000)
    heard(talk, "a", 500)
    *answers, close = talk.send("session.close", drain=False)
    assert answers == [Send(cancelled("a", 1, 500.0, "", "One.", 0)), Unheard(1, 500.0)]
    assert isinstance(close, Close)
