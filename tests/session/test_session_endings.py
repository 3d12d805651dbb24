"""Whose turn it is, how a context ends, and until when it is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from realtime.errors import ErrorCode
from realtime.session import frames
from realtime.session import messages as wire
from realtime.session.actions import AppendText, EndSpeaker, Send, SendFrame, StopSpeaker
from realtime.session.offer import Limits
from realtime.types import Failed, Finished, Flushed, FrameFlags, Packet, Timing
from tests.session.talk import FRAME, MS, OFFER, Talk, error_of, every, messages, only

# -- order --------------------------------------------------------------------------------------------------


def test_the_head_is_the_oldest_that_is_not_over(talk: Talk) -> None:
    assert talk.session.head() is None
    for context_id in "abcd":
        talk.send("text", context_id=context_id, text="x")
    assert talk.session.head() == 1
    talk.send("end", context_id="b")
    assert talk.session.head() == 1
    talk.send("cancel", context_id="a")
    assert talk.session.head() == 2
    talk.send("cancel", context_id="c")
    talk.finish(2)
    assert talk.session.head() == 4
    talk.event(4, Failed(ErrorCode.INTERNAL, "x"))
    assert talk.session.head() is None


def test_a_silent_head_that_blocks_another_is_ended_after_ten_seconds(talk: Talk) -> None:
    talk.send("text", context_id="a", text="x")
    talk.send("text", context_id="b", text="x")
    assert talk.wait(9.999) == []
    assert talk.wait(0.001) == [EndSpeaker(1)]
    assert talk.session.head() == 1
    assert talk.wait(60) == []
    assert error_of(talk.send("flush", context_id="a")).code == ErrorCode.CONTEXT_CLOSED
    assert only(talk.finish(1), wire.ContextDone).reason == "completed"
    assert talk.session.head() == 2
    # Nothing waits behind the last one.
    assert talk.wait(60) == []


@pytest.mark.parametrize("sign", ["text", "flush.done", "frame"])
def test_the_ten_seconds_begin_anew_with_every_sign_of_life(talk: Talk, sign: str) -> None:
    talk.send("text", context_id="a", text="x")
    talk.send("text", context_id="b", text="x")
    talk.wait(9)
    if sign == "frame":
        talk.frame(1)
    elif sign == "flush.done":
        talk.send("flush", context_id="a")
        talk.event(1, Flushed(None))
    else:
        talk.send("text", context_id="a", text="y")
    # Life in what waits is none in what blocks it.
    talk.wait(5)
    talk.send("text", context_id="b", text="y")
    assert talk.wait(4.999) == []
    assert talk.wait(0.001) == [EndSpeaker(1)]


def test_what_was_flushed_and_is_not_spoken_yet_is_no_silence(talk: Talk) -> None:
    """The engine may be slow; the context has something to say."""
    talk.send("text", context_id="a", text="x")
    talk.send("flush", context_id="a")
    talk.send("text", context_id="b", text="x")
    assert talk.wait(60) == []
    talk.event(1, Flushed(None))
    assert talk.wait(9.999) == []
    assert talk.wait(0.001) == [EndSpeaker(1)]


def test_the_ten_seconds_begin_when_another_waits(talk: Talk) -> None:
    """A silence in which nobody waited blocked nobody."""
    talk.send("text", context_id="a", text="x")
    talk.wait(100)
    talk.send("text", context_id="b", text="x")
    assert talk.wait(9.999) == []
    assert talk.wait(0.001) == [EndSpeaker(1)]


def test_the_second_in_order_has_its_own_ten_seconds(talk: Talk) -> None:
    """What was not its turn was no silence of its own."""
    for context_id in "abc":
        talk.send("text", context_id=context_id, text="x")
    talk.wait(9)
    talk.send("cancel", context_id="a")
    actions = talk.wait(9.999)
    assert actions == []
    assert talk.wait(0.001) == [EndSpeaker(2)]


# -- endings ------------------------------------------------------------------------------------------------


def test_done_tells_exact_numbers(talk: Talk) -> None:
    talk.send("context.open")
    talk.now += 10
    talk.send("text", text="x")
    talk.now += 0.25
    assert talk.frame(1, 13.5) == [
        SendFrame(frames.FrameKind.OPUS, 1, Packet(b"sound", 0, 0, 648, FrameFlags.FIRST))
    ]
    talk.now += 0.5
    talk.frame(1, 487 / MS)
    talk.send("end")
    talk.now += 0.25
    timing = Timing(queue_s=0.0124, infer_s=0.5, encode_s=0.0306)
    assert talk.finish(1, timing) == [
        Send(
            wire.ContextDone("default", 1, "completed", 23.646, 1, wire.ContextTiming(250, 12, 500, 31, 1000))
        )
    ]


def test_nothing_to_say(talk: Talk) -> None:
    talk.send("text", text=" ... \n")
    talk.send("end")
    done = only(talk.finish(1), wire.ContextDone)
    assert (done.reason, done.audio_ms, done.last_seq) == ("completed", 0, None)
    assert done.timing.first_audio_ms == 0


def test_done_of_a_context_without_any_text(talk: Talk) -> None:
    talk.send("context.open")
    talk.now += 5
    talk.send("end")
    assert only(talk.finish(1), wire.ContextDone).timing == wire.ContextTiming(0, 0, 0, 0, 0)


def test_the_empty_last_frame_moves_nothing(talk: Talk) -> None:
    talk.send("text", text="x")
    talk.frame(1, 20)
    talk.now += 1
    talk.send("end")
    assert talk.event(1, Packet(b"", 1, FRAME, 0, FrameFlags.LAST))
    done = only(talk.finish(1), wire.ContextDone)
    assert (done.audio_ms, done.last_seq) == (20, 1)
    assert only(talk.send("cancel"), wire.ContextCancelled).played_ms == 20


def test_a_failure_is_told_once_and_ends_the_context_in_its_turn(talk: Talk) -> None:
    talk.send("text", context_id="a", text="x")
    talk.send("text", context_id="b", text="x")
    failed = Failed(ErrorCode.QUEUE_FULL, "no room", 1000)
    error = error_of(talk.session.on_failure(2, failed, talk.now))
    assert error == wire.Error("queue_full", "no room", False, "b", 2, 1000)
    assert talk.session.on_failure(2, failed, talk.now) == []
    assert talk.session.head() == 1
    talk.send("end", context_id="a")
    talk.finish(1)
    actions = talk.event(2, failed)
    assert every(actions, wire.Error) == []
    done = only(actions, wire.ContextDone)
    assert (done.handle, done.reason) == (2, "failed")
    assert talk.event(2, failed) == []
    assert talk.session.on_failure(2, failed, talk.now) == []
    assert talk.session.head() is None


def test_many_that_failed_while_they_waited_end_in_their_turn(talk: Talk) -> None:
    """A context that has failed is not counted as open, so there may be any number."""
    talk.open("a")
    for number in range(1, 501):
        error = only(talk.send("text", context_id=f"c{number}", text="x" * 16_385), wire.Error)
        assert error.code == ErrorCode.TEXT_TOO_LONG
    talk.open("b")
    dones = every(talk.send("cancel", context_id="a"), wire.ContextDone)
    assert [(done.context_id, done.reason) for done in dones] == [
        (f"c{number}", "failed") for number in range(1, 501)
    ]
    assert talk.session.head() == 502


def test_a_failure_that_was_not_told_before_is_told_with_the_ending(talk: Talk) -> None:
    talk.send("text", text="x")
    talk.frame(1, 20)
    talk.now += 1
    actions = talk.event(1, Failed(ErrorCode.ENGINE_FAILED, "broken"))
    assert [type(message) for message in messages(actions)] == [wire.Error, wire.ContextDone]
    assert only(actions, wire.Error) == wire.Error("engine_failed", "broken", False, "default", 1)
    done = only(actions, wire.ContextDone)
    assert (done.audio_ms, done.last_seq, done.timing.total_ms) == (20, 0, 1000)
    assert only(actions, StopSpeaker) == StopSpeaker(1, "failed", ErrorCode.ENGINE_FAILED)


def test_a_cancel_between_the_telling_of_a_failure_and_its_ending_is_the_only_ending(talk: Talk) -> None:
    talk.send("text", context_id="a", text="x")
    talk.send("text", context_id="b", text="y")
    failed = Failed(ErrorCode.INTERNAL, "oh")
    talk.session.on_failure(2, failed, talk.now)
    assert only(talk.send("cancel", context_id="b"), wire.ContextCancelled).text_remaining == "y"
    talk.send("cancel", context_id="a")
    assert talk.event(2, failed) == []


def test_events_of_an_unknown_handle_mean_nothing(talk: Talk) -> None:
    assert talk.event(7, Finished(0)) == []
    assert talk.session.on_failure(7, Failed(ErrorCode.INTERNAL, "x"), talk.now) == []


# -- forgetting ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["done", "cancelled", "failed"])
def test_a_context_is_kept_until_sixty_seconds_after_its_end(how: str) -> None:
    """Of what plays, the estimated end of playing; a cancel is the end of playing."""
    talk = Talk(replace(OFFER, limits=Limits(idle_s=3600)))
    talk.send("text", context_id="a", text="One two.")
    talk.words(1, (0, 3, 1000), (4, 7, 30_000))
    talk.frame(1, 30_000)
    left = 30.0 + 60.0
    if how == "cancelled":
        talk.send("cancel", context_id="a", played_ms=2000)
        left = 60.0
    elif how == "failed":
        talk.event(1, Failed(ErrorCode.TIMEOUT, "x"))
    else:
        talk.send("end", context_id="a")
        talk.finish(1)
    talk.wait(left - 0.001)
    assert talk.session.text(1) == "One two."
    talk.wait(0.001)
    assert talk.session.text(1) == ""
    assert only(talk.send("cancel", context_id="a"), wire.ContextCancelled).handle == 0
    assert only(talk.send("text", context_id="a", text="x"), wire.ContextOpened).handle == 2


def test_a_cancel_keeps_for_sixty_seconds_more_and_its_repetition_does_not() -> None:
    talk = Talk(replace(OFFER, limits=Limits(idle_s=3600)))
    talk.spoken("a", "One.", 1000)
    talk.wait(50)
    answer = only(talk.send("cancel", context_id="a"), wire.ContextCancelled)
    talk.wait(59)
    assert talk.send("cancel", context_id="a") == [Send(answer)]
    talk.wait(1)
    assert only(talk.send("cancel", context_id="a"), wire.ContextCancelled).handle == 0


def test_what_is_live_is_never_forgotten() -> None:
    talk = Talk(replace(OFFER, limits=Limits(idle_s=7200)))
    talk.send("text", context_id="a", text="One.")
    talk.frame(1, 20)
    talk.wait(3600)
    assert talk.send("text", context_id="a", text=" Two.") == [AppendText(1, " Two.")]
    assert talk.session.text(1) == "One. Two."


def test_forgetting_an_old_context_does_not_forget_its_ids_new_one() -> None:
    talk = Talk(replace(OFFER, limits=Limits(idle_s=3600)))
    talk.spoken("a", "One.", 20)
    talk.send("text", context_id="a", text="Two.")
    talk.wait(120)
    assert talk.session.text(1) == ""
    assert talk.send("text", context_id="a", text="!") == [AppendText(2, "!")]
