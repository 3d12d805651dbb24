"""What fails while it is paused: told at once, ended when it goes on, and never twice."""

from __future__ import annotations

import pytest

from realtime.errors import CloseCode, ErrorCode
from realtime.session import messages as wire
from realtime.session.actions import Close, StopSpeaker
from realtime.types import Failed
from tests.session.talk import Talk, cancelled, error_of, every, messages, only

BROKEN = Failed(ErrorCode.ENGINE_FAILED, "broken")


def test_text_that_is_too_long_while_paused(talk: Talk) -> None:
    """It is told at once; the ending comes when it goes on, for it keeps its order with the sound before."""
    talk.open("a", "One.")
    talk.frame(1, 1000)
    talk.open("b", "Two.")
    talk.pause("a")
    stop, *told = talk.send("text", context_id="a", text="x" * 16_385)
    assert stop == StopSpeaker(1, "failed", ErrorCode.TEXT_TOO_LONG)
    assert error_of(told).code == ErrorCode.TEXT_TOO_LONG
    assert talk.session.head() is None
    done = only(talk.send("continue", context_id="a"), wire.ContextDone)
    assert (done.handle, done.reason, done.audio_ms) == (1, "failed", 1000)
    assert talk.session.head() == 2


def test_a_speaker_that_fails_while_paused(talk: Talk) -> None:
    """As one that fails before its turn: told at once, and what was made before is sent before it ends."""
    talk.open("a", "One.")
    talk.open("b", "Two.")
    talk.pause("a")
    assert error_of(talk.session.on_failure(1, BROKEN, talk.now)).handle == 1
    assert talk.session.head() is None
    talk.go_on("a")
    assert talk.session.head() == 1
    talk.frame(1, 1000)
    actions = talk.event(1, BROKEN)
    assert every(actions, wire.Error) == []
    assert only(actions, wire.ContextDone).reason == "failed"
    assert talk.session.head() == 2


def test_a_speaker_that_failed_may_be_paused(talk: Talk) -> None:
    """What it made before is still to be sent."""
    talk.open("a", "One.")
    talk.open("b", "Two.")
    talk.session.on_failure(1, BROKEN, talk.now)
    talk.pause("a")
    assert talk.session.head() is None
    talk.go_on("a")
    assert only(talk.event(1, BROKEN), wire.ContextDone).handle == 1


def test_a_failed_one_that_is_paused_ends_when_it_goes_on_and_not_when_another_does(talk: Talk) -> None:
    talk.open("a", "One.")
    talk.open("b", "Two.")
    talk.pause("a")
    talk.pause("b")
    talk.send("text", context_id="a", text="x" * 16_385)
    talk.go_on("b")
    assert talk.session.head() is None
    assert only(talk.send("continue", context_id="a"), wire.ContextDone).handle == 1
    assert talk.session.head() == 2


def test_one_that_fails_while_it_waits_and_is_paused(talk: Talk) -> None:
    talk.open("a", "One.")
    talk.open("b", "Two.")
    talk.pause("b")
    talk.send("text", context_id="b", text="x" * 16_385)
    assert not every(talk.send("cancel", context_id="a"), wire.ContextDone)
    assert only(talk.send("continue", context_id="b"), wire.ContextDone).handle == 2


@pytest.mark.parametrize("failure", ["too long", "engine"])
def test_a_cancel_is_the_only_ending_of_what_failed_while_paused(talk: Talk, failure: str) -> None:
    talk.open("a", "One.")
    talk.pause("a")
    if failure == "engine":
        talk.session.on_failure(1, BROKEN, talk.now)
    else:
        talk.send("text", context_id="a", text="x" * 16_385)
    answer = cancelled("a", 1, 0.0, "", "One.", None)
    assert messages(talk.send("cancel", context_id="a")) == [answer]
    assert talk.session.head() is None
    assert talk.event(1, BROKEN) == []
    assert messages(talk.send("cancel", context_id="a")) == [answer]


def test_what_failed_while_paused_ends_with_a_close(talk: Talk) -> None:
    talk.open("a")
    talk.pause("a")
    talk.send("text", context_id="a", text="x" * 16_385)
    done, close = talk.send("session.close")
    assert only([done], wire.ContextDone).reason == "failed"
    assert close == Close(CloseCode.DONE, "done")
