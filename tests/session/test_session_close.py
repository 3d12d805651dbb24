"""A session closes: idle, drained, at once, with the server, or by a mistake of the server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from realtime.errors import CloseCode, ErrorCode
from realtime.session import messages as wire
from realtime.session.actions import Close, EndSpeaker, Send, SendFrame, StopSpeaker
from realtime.session.offer import Limits
from realtime.types import Failed
from tests.session.talk import OFFER, Talk, cancelled, error_of, every, messages, only

# -- idle ---------------------------------------------------------------------------------------------------


def test_idle_closes(talk: Talk) -> None:
    talk.wait(200)
    talk.send("ping")
    assert talk.wait(299.999) == []
    assert talk.wait(0.001) == [Send(wire.SessionClosing("idle", 0)), Close(CloseCode.DONE, "idle")]
    assert talk.send("ping") == []
    assert talk.session.on_deadline(talk.now + 1000) == []


def test_idle_closes_what_never_began() -> None:
    actions = Talk(replace(OFFER, limits=Limits(idle_s=5))).wait(5)
    assert messages(actions) == [wire.SessionClosing("idle", 0)]
    assert only(actions, Close).code == CloseCode.DONE


@pytest.mark.parametrize("sent", ["frame", "binary", "invalid", "told failure"])
def test_whatever_is_sent_either_way_is_life(talk: Talk, sent: str) -> None:
    talk.send("text", text="x")
    talk.wait(200)
    if sent == "frame":
        assert every(talk.frame(1), SendFrame)
    elif sent == "binary":
        talk.session.receive(b"", talk.now)
    elif sent == "invalid":
        talk.session.receive("?", talk.now)
    else:
        assert error_of(talk.session.on_failure(1, Failed(ErrorCode.TIMEOUT, "late"), talk.now))
    assert not every(talk.wait(299.999), Close)
    assert only(talk.wait(0.001), Close).code == CloseCode.DONE


# -- close --------------------------------------------------------------------------------------------------


def test_close_with_nothing_open(talk: Talk) -> None:
    talk.spoken("a", "One.", 5000)
    assert talk.send("session.close") == [Close(CloseCode.DONE, "done")]
    assert talk.send("session.close") == []


def test_close_drains(talk: Talk) -> None:
    talk.send("text", context_id="a", text="x")
    talk.send("text", context_id="b", text="x")
    talk.send("end", context_id="b")
    actions = talk.send("session.close")
    assert EndSpeaker(1) in actions
    assert messages(actions) == []
    assert not every(actions, Close)
    for kind, fields in (("text", {"text": "y"}), ("context.open", {}), ("flush", {}), ("end", {})):
        assert error_of(talk.send(kind, context_id="a", **fields)).code == ErrorCode.CONTEXT_CLOSED
        assert error_of(talk.send(kind, context_id="c", **fields)).code == ErrorCode.CONTEXT_CLOSED
    assert talk.send("ping") == [Send(wire.Pong(None))]
    assert not every(talk.finish(1), Close)
    done, close = talk.finish(2)
    assert isinstance(done, Send)
    assert close == Close(CloseCode.DONE, "done")
    assert talk.send("ping") == []


def test_while_draining_a_preempt_is_refused_and_cancels_nothing(talk: Talk) -> None:
    talk.send("text", context_id="a", text="x")
    talk.send("session.close")
    error = error_of(talk.send("context.open", context_id="b", on_conflict="preempt"))
    assert error.code == ErrorCode.CONTEXT_CLOSED
    assert talk.session.head() == 1
    assert every(talk.finish(1), Close) == [Close(CloseCode.DONE, "done")]


@pytest.mark.parametrize("ending", ["cancel", "failure", "too long"])
def test_draining_ends_with_the_last_context_however_it_ends(talk: Talk, ending: str) -> None:
    talk.send("text", context_id="a", text="x")
    talk.send("session.close")
    if ending == "cancel":
        actions = talk.send("cancel", context_id="a")
    elif ending == "failure":
        actions = talk.event(1, Failed(ErrorCode.INTERNAL, "x"))
    else:
        assert error_of(talk.send("text", context_id="a", text="x" * 20_000)).code == ErrorCode.CONTEXT_CLOSED
        actions = talk.finish(1)
    assert actions[-1] == Close(CloseCode.DONE, "done")
    assert len(every(actions, Close)) == 1


def test_cancel_all_while_draining_answers_everything_before_it_closes(talk: Talk) -> None:
    talk.spoken("a", "One.", 1000)
    talk.send("text", context_id="b", text="x")
    talk.send("session.close")
    actions = talk.send("cancel", context_id="*")
    answers = every(actions, wire.ContextCancelled)
    assert [answer.context_id for answer in answers] == ["a", "b", "*"]
    assert every(actions, Close) == [Close(CloseCode.DONE, "done")]
    assert actions[-1] == Close(CloseCode.DONE, "done")


def test_close_ends_no_speaker_that_was_stopped(talk: Talk) -> None:
    """What failed while it waited has no speaker any more; its ending is still to be told."""
    talk.send("text", context_id="a", text="x")
    assert every(talk.send("text", context_id="b", text="x" * 16_385), StopSpeaker) == [
        StopSpeaker(2, "failed", ErrorCode.TEXT_TOO_LONG)
    ]
    assert talk.send("session.close") == [EndSpeaker(1)]
    done, failed, close = talk.finish(1)
    assert [only([each], wire.ContextDone).reason for each in (done, failed)] == ["completed", "failed"]
    assert close == Close(CloseCode.DONE, "done")


def test_close_without_drain_cancels_everything_and_then_closes(talk: Talk) -> None:
    for context_id in ("a", "b"):
        talk.spoken(context_id, "One.", 1000)
    talk.now += 0.5
    actions = talk.send("session.close", drain=False)
    assert [(answer.handle, answer.played_ms) for answer in every(actions, wire.ContextCancelled)] == [
        (1, 500),
        (2, 0),
    ]
    assert every(actions, Close) == [Close(CloseCode.DONE, "done")]
    assert actions[-1] == Close(CloseCode.DONE, "done")


def test_close_without_drain_stops_what_runs_also_after_one_with(talk: Talk) -> None:
    talk.send("text", context_id="a", text="x")
    talk.send("text", context_id="b", text="y")
    talk.send("session.close")
    assert talk.send("session.close", drain=False) == [
        StopSpeaker(1, "cancelled"),
        Send(cancelled("a", 1, 0.0, "", "x", None)),
        StopSpeaker(2, "cancelled"),
        Send(cancelled("b", 2, 0.0, "", "y", None)),
        Close(CloseCode.DONE, "done"),
    ]


def test_shut_down_says_so_once(talk: Talk) -> None:
    talk.send("text", text="x")
    assert talk.session.shut_down() == [
        Send(wire.SessionClosing("shutdown", 0)),
        Close(CloseCode.GOING_AWAY, "going away", at_once=True),
    ]
    assert talk.session.shut_down() == []
    assert talk.send("ping") == []
    assert talk.session.on_deadline(talk.now + 10_000) == []


def test_a_mistake_inside_the_server_is_told_without_its_insides(talk: Talk) -> None:
    talk.send("text", text="x")
    send, close = talk.session.broken()
    assert isinstance(send, Send)
    assert send.message == wire.Error(ErrorCode.INTERNAL, "something went wrong inside the server", True)
    assert close == Close(CloseCode.INTERNAL, "internal error", at_once=True)
    assert talk.send("ping") == []
    assert talk.session.shut_down() == []
    assert talk.session.on_deadline(talk.now + 10_000) == []
