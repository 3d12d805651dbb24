"""Contexts open and take text: their settings, their limits, and what becomes of late text."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from realtime.errors import ErrorCode
from realtime.session import messages as wire
from realtime.session.actions import (
    AppendText,
    EndSpeaker,
    FlushSpeaker,
    OpenSpeaker,
    Send,
    SendFrame,
    StopSpeaker,
)
from realtime.session.offer import Limits
from realtime.types import Failed, Flushed, SegmentStarted, VoiceSettings
from tests.session.talk import OFFER, OPUS, Talk, anna, error_of, every, messages, only

# -- opening ------------------------------------------------------------------------------------------------


def test_the_first_text_opens_and_the_next_is_appended_verbatim(talk: Talk) -> None:
    assert talk.send("text", context_id="a", text="  Hel") == [
        OpenSpeaker(1, "a", anna(), OPUS),
        Send(wire.ContextOpened("a", 1, "anna", "en")),
        AppendText(1, "  Hel"),
    ]
    assert talk.send("text", context_id="a", text="lo \n") == [AppendText(1, "lo \n")]
    assert talk.session.text(1) == "  Hello \n"
    assert talk.session.text(2) == ""


def test_open_has_settings_of_its_own(talk: Talk) -> None:
    actions = talk.send(
        "context.open", context_id="a", voice="Bruno", language="de_AT", seed=7, buffer="manual", speed=1.5
    )
    assert actions == [
        OpenSpeaker(1, "a", VoiceSettings("bruno", "de", 7, "manual", 1.5), OPUS),
        Send(wire.ContextOpened("a", 1, "bruno", "de")),
    ]
    # The next one has the session's again.
    assert only(talk.send("text", context_id="b", text="x"), OpenSpeaker).settings == anna()


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"voice": "nobody"}, ErrorCode.UNKNOWN_VOICE),
        ({"language": "fr"}, ErrorCode.UNKNOWN_LANGUAGE),
        ({"voice": "bruno", "language": "en"}, ErrorCode.UNKNOWN_LANGUAGE),
        ({"speed": 5}, ErrorCode.INVALID_MESSAGE),
        ({"speed": 0.2}, ErrorCode.INVALID_MESSAGE),
        ({"instruct": "softly"}, ErrorCode.UNSUPPORTED),
        ({"instruct": "angrily"}, ErrorCode.UNSUPPORTED),
        ({"seed": -1}, ErrorCode.INVALID_MESSAGE),
        ({"seed": 2**53}, ErrorCode.INVALID_MESSAGE),
        ({"buffer": "none"}, ErrorCode.INVALID_MESSAGE),
        ({"on_conflict": "fight"}, ErrorCode.INVALID_MESSAGE),
        ({"context_id": "*"}, ErrorCode.INVALID_MESSAGE),
        ({"context_id": ""}, ErrorCode.INVALID_MESSAGE),
        ({"context_id": "x" * 65}, ErrorCode.INVALID_MESSAGE),
    ],
)
@pytest.mark.parametrize("on_conflict", ["queue", "preempt"])
def test_an_open_that_is_refused_changes_nothing(
    talk: Talk, wish: dict[str, Any], code: ErrorCode, on_conflict: str
) -> None:
    talk.send("text", context_id="busy", text="x")
    fields = {"context_id": "a", "on_conflict": on_conflict} | wish
    assert error_of(talk.send("context.open", **fields)).code == code
    assert talk.session.head() == 1
    assert only(talk.send("text", context_id="a", text="x"), OpenSpeaker).handle == 2


def test_open_of_an_open_id_is_refused(talk: Talk) -> None:
    talk.send("text", context_id="a", text="x")
    assert error_of(talk.send("context.open", context_id="a")).code == ErrorCode.INVALID_MESSAGE
    assert talk.send("text", context_id="a", text="y") == [AppendText(1, "y")]


@pytest.mark.parametrize("kind", ["text", "context.open"])
def test_after_end_an_id_may_be_opened_again_at_once(talk: Talk, kind: str) -> None:
    fields = {"text": "b"} if kind == "text" else {}
    talk.send("text", context_id="a", text="a")
    assert talk.send("end", context_id="a") == [EndSpeaker(1)]
    assert only(talk.send(kind, context_id="a", **fields), wire.ContextOpened).handle == 2
    talk.finish(1)
    talk.send("end", context_id="a")
    talk.finish(2)
    assert only(talk.send(kind, context_id="a", **fields), wire.ContextOpened).handle == 3


def test_sixteen_contexts_may_be_open_and_no_more(talk: Talk) -> None:
    for number in range(16):
        assert only(talk.send("text", context_id=f"c{number}", text="x"), wire.ContextOpened)
    for kind, fields in (("text", {"text": "x"}), ("context.open", {})):
        error = error_of(talk.send(kind, context_id="c16", **fields))
        assert error.code == ErrorCode.TOO_MANY_CONTEXTS
        assert "16" in error.message
    talk.send("end", context_id="c0")
    assert error_of(talk.send("context.open", context_id="c16")).code == ErrorCode.TOO_MANY_CONTEXTS
    talk.finish(1)
    assert only(talk.send("context.open", context_id="c16"), wire.ContextOpened).handle == 17
    # Preempt makes room before it opens.
    assert (
        only(talk.send("context.open", context_id="c17", on_conflict="preempt"), wire.ContextOpened).handle
        == 18
    )


def test_a_hundred_contexts_at_once() -> None:
    """Each is opened or refused, each that was opened is spoken in its turn, and each ends once."""
    for limit in (16, 100):
        talk = Talk(replace(OFFER, limits=Limits(contexts=limit)))
        opened = []
        for number in range(100):
            actions = talk.send("text", context_id=f"c{number}", text=f"Number {number}.")
            if number < limit:
                opened.append(only(actions, wire.ContextOpened).handle)
            else:
                assert error_of(actions).code == ErrorCode.TOO_MANY_CONTEXTS
        assert opened == list(range(1, limit + 1))
        for handle in opened:
            assert talk.session.head() == handle
            talk.send("end", context_id=f"c{handle - 1}")
            assert every(talk.frame(handle), SendFrame)
            assert only(talk.finish(handle), wire.ContextDone).handle == handle
        assert talk.session.head() is None


# -- limits on text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("character", "size"), [("a", 1), ("é", 2), ("今", 3), ("😀", 4)])
def test_text_of_a_message_is_limited_in_bytes(talk: Talk, character: str, size: int) -> None:
    fits = character * (16_384 // size) + "a" * (16_384 % size)
    assert every(talk.send("text", context_id="a", text=fits), AppendText) == [AppendText(1, fits)]
    talk.send("text", context_id="b", text="x")
    stop, error, done = talk.send("text", context_id="a", text=fits + "a")
    assert stop == StopSpeaker(1, "failed", ErrorCode.TEXT_TOO_LONG)
    assert isinstance(error, Send)
    assert isinstance(error.message, wire.Error)
    assert error.message.code == ErrorCode.TEXT_TOO_LONG
    assert (error.message.context_id, error.message.handle, error.message.fatal) == ("a", 1, False)
    assert done == Send(wire.ContextDone("a", 1, "failed", 0.0, None, wire.ContextTiming(0, 0, 0, 0, 0)))
    assert talk.session.head() == 2
    assert talk.send("text", context_id="b", text="y") == [AppendText(2, "y")]


def test_text_of_a_context_is_limited_in_bytes_over_all_its_messages(talk: Talk) -> None:
    part = "é" * 8_192
    for _ in range(4):
        assert every(talk.send("text", context_id="a", text=part), AppendText)
    assert talk.send("text", context_id="a", text="") == []  # nothing is nothing
    actions = talk.send("text", context_id="a", text="x")
    assert only(actions, wire.Error).code == ErrorCode.TEXT_TOO_LONG
    assert only(actions, wire.ContextDone).reason == "failed"
    # What was refused is no part of the text.
    assert only(talk.send("cancel", context_id="a"), wire.ContextCancelled).text_remaining == part * 4
    # A new context has the whole limit again.
    talk.send("context.open", context_id="a")
    assert talk.send("text", context_id="a", text=part) == [AppendText(2, part)]


def test_a_first_text_that_is_too_long_opens_and_fails(talk: Talk) -> None:
    opened, error, done = messages(talk.send("text", text="x" * 16_385))
    assert isinstance(opened, wire.ContextOpened)
    assert isinstance(error, wire.Error)
    assert isinstance(done, wire.ContextDone)
    assert error.code == ErrorCode.TEXT_TOO_LONG
    assert (done.handle, done.reason) == (1, "failed")
    assert talk.session.head() is None


# -- late text ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["cancel", "preempt", "too long", "failure"])
@pytest.mark.parametrize(("late", "fields"), [("text", {"text": "z"}), ("flush", {}), ("end", {})])
def test_late_text_is_dropped_with_one_error(
    talk: Talk, ending: str, late: str, fields: dict[str, Any]
) -> None:
    talk.send("text", context_id="a", text="x")
    if ending == "cancel":
        talk.send("cancel", context_id="a")
    elif ending == "preempt":
        talk.send("context.open", context_id="b", on_conflict="preempt")
    elif ending == "too long":
        talk.send("text", context_id="a", text="x" * 16_385)
    else:
        talk.event(1, Failed(ErrorCode.ENGINE_FAILED, "broken"))
    error = error_of(talk.send(late, context_id="a", **fields))
    assert (error.code, error.context_id, error.handle) == (ErrorCode.CONTEXT_CLOSED, "a", 1)
    for kind, more in (("text", {"text": "z"}), ("flush", {}), ("end", {}), ("text", {"text": "y"})):
        assert talk.send(kind, context_id="a", **more) == []
    opened = only(talk.send("context.open", context_id="a"), wire.ContextOpened)
    assert opened.handle > 1
    assert talk.send("text", context_id="a", text="z") == [AppendText(opened.handle, "z")]
    # The next cancel is a new one, and is told anew.
    talk.send("cancel", context_id="a")
    assert error_of(talk.send("text", context_id="a", text="z")).handle == opened.handle


def test_late_text_after_a_cancel_that_came_after_done_is_dropped(talk: Talk) -> None:
    talk.spoken("a", "x", 20)
    talk.send("cancel", context_id="a")
    assert error_of(talk.send("text", context_id="a", text="z")).code == ErrorCode.CONTEXT_CLOSED


@pytest.mark.parametrize("kind", ["flush", "end"])
def test_flush_and_end_of_an_id_that_is_not_open(talk: Talk, kind: str) -> None:
    assert error_of(talk.send(kind, context_id="never")).code == ErrorCode.CONTEXT_CLOSED
    assert error_of(talk.send(kind, context_id="*")).code == ErrorCode.INVALID_MESSAGE
    talk.send("text", context_id="a", text="x")
    talk.send("end", context_id="a")
    assert error_of(talk.send(kind, context_id="a")).code == ErrorCode.CONTEXT_CLOSED
    talk.finish(1)
    # Each is told: only late text of a cancelled or failed id is told once.
    for _ in range(2):
        assert error_of(talk.send(kind, context_id="a")).code == ErrorCode.CONTEXT_CLOSED


def test_flush_and_its_answer(talk: Talk) -> None:
    talk.send("text", text="x")
    assert talk.send("flush", flush_id="f") == [FlushSpeaker(1, "f")]
    assert talk.send("flush") == [FlushSpeaker(1, None)]
    assert talk.event(1, Flushed("f")) == [Send(wire.FlushDone("default", 1, "f"))]
    assert talk.event(1, Flushed(None)) == [Send(wire.FlushDone("default", 1, None))]
    assert error_of(talk.send("flush", flush_id="x" * 65)).code == ErrorCode.INVALID_MESSAGE
    talk.send("cancel")
    assert talk.event(1, Flushed("f")) == []


def test_a_segment_is_told(talk: Talk) -> None:
    talk.send("text", text="$5.")
    assert talk.event(1, SegmentStarted(0, "five dollars.", (0, 3), "en", 487)) == [
        Send(wire.Segment("default", 1, 0, "five dollars.", (0, 3), 10.146, "en", True))
    ]
