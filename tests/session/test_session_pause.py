"""`pause` and `continue`: nothing is sent, the listener stands still, those behind wait, nothing is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from realtime.errors import CloseCode, ErrorCode
from realtime.session import messages as wire
from realtime.session.actions import AppendText, Close, EndSpeaker, FlushSpeaker, Send, StopSpeaker
from realtime.session.offer import Limits
from realtime.types import Failed
from tests.session.talk import (
    OFFER,
    Talk,
    cancelled,
    error_of,
    every,
    nothing_cancelled,
    only,
    refused,
)

BROKEN = Failed(ErrorCode.ENGINE_FAILED, "broken")


# -- whose sound may be sent --------------------------------------------------------------------------------


def test_while_paused_nothing_is_fetched_and_those_behind_wait(talk: Talk) -> None:
    talk.open("a")
    talk.open("b")
    assert talk.session.head() == 1
    talk.pause("a")
    assert talk.session.head() is None
    talk.go_on("a")
    assert talk.session.head() == 1
    talk.send("end", context_id="a")
    talk.finish(1)
    assert talk.session.head() == 2


def test_one_that_waits_may_be_paused_before_its_turn(talk: Talk) -> None:
    talk.open("a")
    talk.open("b")
    talk.open("c")
    talk.pause("b")
    assert talk.session.head() == 1
    talk.send("cancel", context_id="a")
    assert talk.session.head() is None
    talk.go_on("b")
    assert talk.session.head() == 2


def test_while_paused_text_is_taken(talk: Talk) -> None:
    talk.open("a", "One ")
    talk.pause("a")
    assert talk.send("text", context_id="a", text="two.") == [AppendText(1, "two.")]
    assert talk.send("flush", context_id="a") == [FlushSpeaker(1, None)]
    assert talk.send("end", context_id="a") == [EndSpeaker(1)]
    assert talk.session.head() is None
    talk.go_on("a")
    assert talk.session.text(1) == "One two."
    talk.frame(1)
    assert only(talk.finish(1), wire.ContextDone).reason == "completed"


def test_pause_and_continue_twice_are_as_once(talk: Talk) -> None:
    talk.open("a")
    talk.go_on("a")
    assert talk.session.head() == 1
    talk.pause("a")
    talk.pause("a")
    assert talk.session.head() is None
    talk.go_on("a")
    talk.go_on("a")
    assert talk.session.head() == 1


def test_without_an_id_it_is_the_default_one(talk: Talk) -> None:
    talk.open("default")
    assert talk.send("pause") == []
    assert talk.session.head() is None
    assert talk.send("continue") == []
    assert talk.session.head() == 1


@pytest.mark.parametrize("kind", ["pause", "continue"])
def test_what_cannot_be_paused(talk: Talk, kind: str) -> None:
    talk.open("a")
    assert "'never'" in refused(talk.send(kind, context_id="never"), ErrorCode.CONTEXT_CLOSED)
    assert error_of(talk.send(kind, context_id="never")).context_id == "never"
    for wrong in ("*", "", "x" * 65):
        refused(talk.send(kind, context_id=wrong), ErrorCode.INVALID_MESSAGE)
    assert talk.session.head() == 1
    talk.send("cancel", context_id="a")
    for _ in range(2):
        refused(talk.send(kind, context_id="a"), ErrorCode.CONTEXT_CLOSED)
    # It was no late text: that is told once, and now.
    assert error_of(talk.send("text", context_id="a", text="z")).handle == 1


@pytest.mark.parametrize("kind", ["pause", "continue"])
def test_what_was_forgotten_cannot_be_paused(talk: Talk, kind: str) -> None:
    talk.spoken("a", "One.", 1000)
    talk.wait(61)
    refused(talk.send(kind, context_id="a"), ErrorCode.CONTEXT_CLOSED)


# -- where the listener is ----------------------------------------------------------------------------------


def test_while_paused_the_clock_stands_still(talk: Talk) -> None:
    talk.send("text", context_id="a", text="One two three")
    talk.words(1, (0, 3, 1000), (4, 7, 2000), (8, 13, 3000))
    talk.frame(1, 3000)
    talk.now += 1.5
    talk.pause("a")
    talk.now += 100
    talk.go_on("a")
    talk.now += 0.75
    talk.pause("a")
    talk.now += 100
    assert talk.cut("a") == [cancelled("a", 1, 2250.0, "One two ", "three", 0)]


def test_what_is_all_sent_and_still_heard_may_be_paused(talk: Talk) -> None:
    talk.spoken("a", "One.", 3000)
    talk.now += 1
    talk.pause("a")
    talk.now += 50
    # What comes next is sent meanwhile, but not heard.
    second = talk.spoken("b", "Two.", 3000)
    talk.now += 50
    talk.go_on("a")
    talk.now += 2.5
    assert [(answer.handle, answer.played_ms) for answer in talk.cut("*")] == [(second, 500), (0, 0)]


def test_what_is_paused_is_still_heard(talk: Talk) -> None:
    talk.spoken("a", "One.", 3000)
    talk.spoken("b", "Two.", 3000)
    talk.now += 1
    talk.pause("a")
    talk.now += 50
    assert [(answer.handle, answer.played_ms) for answer in talk.cut("*")] == [(1, 1000), (2, 0), (0, 0)]


def test_a_failed_context_that_is_still_heard_may_be_paused(talk: Talk) -> None:
    talk.open("a")
    talk.frame(1, 3000)
    talk.event(1, BROKEN)
    talk.now += 1
    talk.pause("a")
    talk.now += 50
    assert talk.played_ms("a") == 1000


def test_a_pause_before_any_sound(talk: Talk) -> None:
    talk.send("context.open", context_id="a")
    talk.pause("a")
    talk.now += 50
    talk.send("text", context_id="a", text="x")
    talk.go_on("a")
    talk.now += 50
    talk.frame(1, 1000)
    talk.now += 0.25
    assert talk.played_ms("a") == 250


def test_a_report_moves_also_a_listener_that_is_paused(talk: Talk) -> None:
    talk.spoken("a", "One.", 9000)
    talk.now += 1
    talk.pause("a")
    assert talk.send("playback", context_id="a", played_ms=1200) == []
    talk.now += 50
    talk.go_on("a")
    talk.now += 0.5
    assert talk.played_ms("a") == 1700


# -- an id that was opened again ----------------------------------------------------------------------------


def test_an_id_means_all_its_contexts(talk: Talk) -> None:
    """One is still heard, the other is to be spoken: both stand still, and both go on."""
    talk.spoken("a", "One.", 2000)
    talk.open("a", "Two.")
    talk.now += 0.5
    talk.pause("a")
    assert talk.session.head() is None
    talk.now += 50
    talk.go_on("a")
    assert talk.session.head() == 2
    talk.frame(2, 2000)
    talk.now += 2
    assert [(answer.handle, answer.played_ms) for answer in talk.cut("*")] == [(2, 500), (0, 0)]


@pytest.mark.parametrize("before", ["heard", "cancelled"])
def test_a_former_context_of_the_id_that_is_over_moves_nothing(talk: Talk, before: str) -> None:
    """Every turn of a conversation may bear the same id."""
    talk.spoken("a", "One.", 1000)
    if before == "cancelled":
        talk.send("cancel", context_id="a")
    talk.now += 5
    talk.send("context.open", context_id="a")
    talk.frame(2, 9000)
    talk.now += 2
    talk.pause("a")
    talk.now += 50
    talk.go_on("a")
    talk.now += 1
    assert [(answer.handle, answer.played_ms) for answer in talk.cut("*")] == [(2, 3000), (0, 0)]


def test_another_that_is_heard_is_not_moved_by_a_pause_of_a_former_id(talk: Talk) -> None:
    talk.spoken("a", "One.", 1000)
    talk.spoken("b", "Two.", 9000)
    talk.open("a", "Three.")
    talk.now += 3
    talk.pause("a")
    assert talk.played_ms("b") == pytest.approx(2000)


def test_an_id_that_is_opened_again_while_it_is_paused(talk: Talk) -> None:
    """The new one was not paused, but waits behind the old one."""
    talk.open("a", "One.")
    talk.send("end", context_id="a")
    talk.pause("a")
    assert talk.open("a", "Two.") == 2
    assert talk.session.head() is None
    talk.send("context.open", context_id="b", on_conflict="preempt")
    assert talk.session.head() == 3


# -- cancel and preempt -------------------------------------------------------------------------------------


def test_a_cancel_while_paused_is_answered_and_lets_the_next_speak(talk: Talk) -> None:
    talk.open("a", "One.")
    talk.frame(1, 3000)
    talk.open("b", "Two.")
    talk.now += 1
    talk.pause("a")
    talk.now += 5
    assert talk.send("cancel", context_id="a") == [
        StopSpeaker(1, "cancelled"),
        Send(cancelled("a", 1, 1000.0, "", "One.", 0)),
    ]
    assert talk.session.head() == 2
    talk.frame(2, 3000)
    talk.now += 1
    assert talk.played_ms("b") == 1000


def test_cancel_all_while_paused(talk: Talk) -> None:
    talk.open("a", "One.")
    talk.open("b", "Two.")
    talk.pause("a")
    talk.pause("b")
    assert [answer.handle for answer in talk.cut("*")] == [1, 2, 0]
    # A pause is of a context, not of its id.
    talk.send("context.open", context_id="a")
    assert talk.session.head() == 3


def test_preempt_while_paused(talk: Talk) -> None:
    talk.open("a", "One.")
    talk.pause("a")
    talk.send("context.open", context_id="a", on_conflict="preempt")
    assert talk.session.head() == 2


# -- time ---------------------------------------------------------------------------------------------------


def test_a_paused_head_is_not_ended_for_its_silence(talk: Talk) -> None:
    talk.open("a")
    talk.open("b")
    talk.wait(5)
    talk.pause("a")
    assert talk.wait(200) == []
    # When it goes on, its ten seconds begin anew.
    talk.go_on("a")
    assert talk.wait(9.999) == []
    assert talk.wait(0.001) == [EndSpeaker(1)]


def test_one_that_is_silent_behind_a_paused_one_is_not_ended(talk: Talk) -> None:
    for context_id in "abc":
        talk.open(context_id)
    talk.pause("a")
    assert talk.wait(60) == []
    talk.send("cancel", context_id="a")
    assert talk.wait(9.999) == []
    assert talk.wait(0.001) == [EndSpeaker(2)]


def test_a_pause_does_not_keep_the_session_from_being_idle(talk: Talk) -> None:
    talk.open("a")
    talk.pause("a")
    assert talk.wait(299.999) == []
    assert talk.wait(0.001) == [Send(wire.SessionClosing("idle", 0)), Close(CloseCode.DONE, "idle")]


def test_what_is_paused_is_kept(talk: Talk) -> None:
    talk = Talk(replace(OFFER, limits=Limits(idle_s=1e6)))
    talk.spoken("a", "One.", 3000)
    talk.now += 1
    talk.pause("a")
    talk.wait(3600)
    assert talk.session.text(1) == "One."
    talk.go_on("a")
    talk.wait(2 + 60)
    assert talk.session.text(1) == ""
    assert talk.cut("a") == [nothing_cancelled("a")]


# -- close --------------------------------------------------------------------------------------------------


def test_at_a_close_what_is_paused_goes_on(talk: Talk) -> None:
    """Nobody might ever tell it to."""
    talk.open("a")
    talk.open("b")
    talk.pause("a")
    talk.pause("b")
    assert talk.send("session.close") == [EndSpeaker(1), EndSpeaker(2)]
    assert talk.session.head() == 1
    assert not every(talk.finish(1), Close)
    assert talk.session.head() == 2
    # While it drains, too, one may be paused.
    talk.pause("b")
    assert talk.session.head() is None
    talk.go_on("b")
    assert talk.finish(2)[-1] == Close(CloseCode.DONE, "done")


@pytest.mark.parametrize("ending", ["cancel", "close"])
def test_what_is_paused_may_be_dropped_while_draining(talk: Talk, ending: str) -> None:
    talk.open("a")
    talk.send("session.close")
    talk.pause("a")
    if ending == "cancel":
        actions = talk.send("cancel", context_id="a")
    else:
        actions = talk.send("session.close", drain=False)
    assert actions == [
        StopSpeaker(1, "cancelled"),
        Send(cancelled("a", 1, 0.0, "", "x", None)),
        Close(CloseCode.DONE, "done"),
    ]
