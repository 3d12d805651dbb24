"""A session that has lost its socket: who may take it up again, and what they are told."""

from __future__ import annotations

import json
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from realtime.errors import CloseCode, ErrorCode, RealtimeError
from realtime.session import messages as wire
from realtime.session.actions import Action, Close, EndSpeaker, Replenish, Resume, Send, SendFrame
from realtime.session.frames import encode_frame
from realtime.session.offer import Limits
from realtime.session.replay import KEEP_S, Piece, follows, is_kept
from realtime.session.turns import SILENT_HEAD_S
from realtime.types import Failed, SpeechEvent
from tests.session.talk import OFFER, Talk, cancelled, every, messages, only, refused


class Talking(Talk):
    """A talk whose driver keeps what it sends, as the real one does."""

    def __init__(self, **limits: Any) -> None:
        super().__init__(replace(OFFER, limits=replace(Limits(), **limits)))
        self.tokens: list[str] = []

    def perform(self, actions: list[Action]) -> list[Action]:
        for action in actions:
            if isinstance(action, SendFrame):
                frame = encode_frame(action.kind, action.handle, action.packet)
                self.session.keep(frame, self.now)
            elif isinstance(action, Send) and is_kept(action.message):
                self.session.keep(wire.encode(action.message), self.now, follows(action.message))
            if isinstance(action, Send) and isinstance(action.message, wire.SessionReady):
                self.tokens.append(action.message.resume_token)
        return actions

    def send(self, kind: str, **fields: Any) -> list[Action]:
        return self.perform(super().send(kind, **fields))

    def event(self, handle: int, event: SpeechEvent) -> list[Action]:
        return self.perform(super().event(handle, event))

    def lose(self) -> None:
        assert self.session.lost(self.now)

    def resume(self, last: dict[str, int] | None = None, token: str | None = None) -> wire.SessionReady:
        request = wire.ResumeRequest("sid", token or self.tokens[-1], last or {})
        return only(self.perform(self.session.resume(request, self.now)), wire.SessionReady)

    def refuses(self, last: dict[str, int] | None = None, token: str | None = None) -> str:
        with pytest.raises(RealtimeError) as caught:
            self.resume(last, token)
        assert caught.value.code == ErrorCode.RESUME_FAILED
        return caught.value.message

    def again(self) -> list[Piece]:
        pieces: list[Piece] = []
        while (piece := self.session.next_again()) is not None:
            pieces.append(piece)
        return pieces

    def types_again(self) -> list[str]:
        return ["frame" if isinstance(each, bytes) else json.loads(each)["type"] for each in self.again()]


@pytest.fixture
def talk() -> Talking:
    talking = Talking()
    talking.send("session.start")
    return talking


# -- what is told -------------------------------------------------------------------------------------------


def test_it_is_told_what_is_known_of_each_context(talk: Talking) -> None:
    emoji = "Hi 👋🏽, naïve 日本. "
    done = talk.spoken("done", "One.", 60)
    ending = talk.open("ending", "Two.")
    talk.send("end", context_id="ending")
    talk.frame(ending)
    opened = talk.open("open", emoji)
    talk.send("text", context_id="open", text="👩‍👩‍👧")
    broken = talk.open("broken", "Three.")
    talk.perform(talk.session.on_failure(broken, Failed(ErrorCode.TIMEOUT, "x"), talk.now))
    cut = talk.open("cut", "Four, five.")
    talk.send("cancel", context_id="cut")
    talk.lose()
    ready = talk.resume()
    assert ready.resumed is True
    assert ready.contexts == [
        wire.ContextReport("done", done, "done", 4, 0),
        wire.ContextReport("ending", ending, "ending", 4, 0),
        wire.ContextReport("open", opened, "open", len(emoji) + 5, None),
        wire.ContextReport("broken", broken, "failed", 6, None),
        wire.ContextReport("cut", cut, "cancelled", 11, None),
    ]


def test_its_settings_are_those_that_it_had() -> None:
    talk = Talking()
    first = only(
        talk.send("session.start", voice="bruno", formats=["pcm_s16le"], max_lead_ms=700), wire.SessionReady
    )
    talk.lose()
    ready = talk.resume()
    assert ready == replace_ready(first, resume_token="secret-2", resumed=True, contexts=[])


def replace_ready(ready: wire.SessionReady, **changes: Any) -> wire.SessionReady:
    fields = {name: getattr(ready, name) for name in ready.__struct_fields__}
    return wire.SessionReady(**(fields | changes))


def test_text_goes_on_where_it_was_received(talk: Talking) -> None:
    handle = talk.open("a", "One t")
    talk.lose()
    assert talk.resume().contexts == [wire.ContextReport("a", handle, "open", 5, None)]
    talk.send("text", context_id="a", text="wo.")
    assert talk.session.text(handle) == "One two."


def test_contexts_that_are_forgotten_are_not_told(talk: Talking) -> None:
    talk.spoken("a", "One.", 20)
    talk.wait(61)
    talk.lose()
    assert talk.resume({"1": 0}).contexts == []
    assert talk.resume({}).contexts == []


# -- what is sent again -------------------------------------------------------------------------------------


def test_what_was_not_received_is_sent_again_in_order(talk: Talking) -> None:
    handle = talk.open("a", "One two.")
    talk.send("flush", context_id="a", flush_id="f")
    for _ in range(3):
        talk.frame(handle)
    talk.send("end", context_id="a")
    talk.finish(handle)
    talk.lose()
    talk.resume({str(handle): 0})
    assert talk.types_again() == ["frame", "frame", "context.done"]
    talk.lose()
    talk.resume()
    assert talk.types_again() == ["context.opened", "frame", "frame", "frame", "context.done"]


def test_what_fails_while_it_is_lost_is_told_then(talk: Talking) -> None:
    first, second = talk.open("a"), talk.open("b")
    talk.frame(first)
    talk.lose()
    talk.perform(talk.session.on_failure(second, Failed(ErrorCode.ENGINE_FAILED, "x"), talk.now))
    talk.resume({str(first): 0})
    assert "error" in talk.types_again()


def test_a_cancel_while_it_is_sent_again_is_a_barrier(talk: Talking) -> None:
    first, second = talk.spoken("a", "One.", 500), talk.open("b")
    for _ in range(3):
        talk.frame(second)
    talk.lose()
    talk.resume()
    assert talk.session.next_again() is not None
    answer = only(talk.send("cancel", context_id="a"), wire.ContextCancelled)
    assert (answer.handle, answer.last_seq) == (first, 0)
    assert talk.types_again() == ["context.opened", "frame", "frame", "frame"]


def test_what_is_paused_is_not_sent_again_until_it_goes_on(talk: Talking) -> None:
    first, second = talk.spoken("a", "One.", 500), talk.open("b")
    talk.frame(second)
    talk.lose()
    talk.resume()
    assert talk.session.next_again() is not None
    talk.send("pause", context_id="a")
    assert talk.types_again() == ["context.opened"]
    # Nothing new is sent before it either.
    assert talk.session.head() is None
    talk.send("pause", context_id="b")
    talk.send("continue", context_id="a")
    assert talk.types_again() == ["frame", "context.done"]
    assert talk.session.head() is None
    talk.send("continue", context_id="b")
    assert talk.types_again() == ["frame"]
    assert talk.session.head() == second
    assert talk.frame(second)
    assert talk.session.played_ms(first, talk.now) == 0


def test_what_was_paused_before_the_socket_was_lost_still_is(talk: Talking) -> None:
    handle = talk.open("a")
    talk.frame(handle)
    talk.send("pause", context_id="a")
    talk.lose()
    talk.resume()
    assert talk.types_again() == ["context.opened"]
    talk.send("continue", context_id="a")
    assert talk.types_again() == ["frame"]


def test_a_close_lets_what_is_paused_be_sent_again(talk: Talking) -> None:
    talk.spoken("a", "One.", 500)
    talk.send("pause", context_id="a")
    talk.lose()
    talk.resume()
    assert talk.types_again() == ["context.opened"]
    assert only(talk.send("session.close"), Close) == Close(CloseCode.DONE, "done")
    assert talk.types_again() == ["frame", "context.done"]


def test_what_is_held_up_by_a_pause_is_not_taken_for_silent(talk: Talking) -> None:
    talk.spoken("a", "One.", 500)
    second = talk.open("b")
    talk.lose()
    talk.resume()
    talk.send("pause", context_id="a")
    talk.open("c")
    assert talk.types_again() == ["context.opened", "context.opened"]
    talk.now += SILENT_HEAD_S + 1
    assert not every(talk.session.on_deadline(talk.now), EndSpeaker)
    talk.send("continue", context_id="a")
    assert talk.types_again() == ["frame", "context.done"]
    talk.now += SILENT_HEAD_S - 0.1
    assert not every(talk.session.on_deadline(talk.now), EndSpeaker)
    talk.now += 0.2
    assert only(talk.session.on_deadline(talk.now), EndSpeaker).handle == second


def test_what_is_heard_need_not_be_received_again(talk: Talking) -> None:
    handle = talk.open("a")
    for _ in range(5):
        talk.frame(handle)
    talk.send("playback", context_id="a", played_ms=60)
    talk.lose()
    talk.resume({str(handle): 3})
    assert talk.types_again() == ["frame"]


# -- where the listener is ----------------------------------------------------------------------------------


def test_it_has_heard_no_more_than_it_has_received(talk: Talking) -> None:
    handle = talk.open("a", "One two.")
    talk.words(handle, (0, 3, 30), (4, 7, 90))
    for _ in range(5):
        talk.frame(handle)
    talk.lose()
    talk.now += 10
    talk.resume({str(handle): 1})
    assert talk.session.played_ms(handle, talk.now) == pytest.approx(40)
    talk.now += 0.03
    assert talk.session.played_ms(handle, talk.now) == pytest.approx(70)
    answer = only(talk.send("cancel", context_id="a"), wire.ContextCancelled)
    assert answer == cancelled("a", handle, pytest.approx(70), "One ", "two.", 4)  # type: ignore[arg-type]


def test_who_has_received_nothing_has_heard_nothing(talk: Talking) -> None:
    first, second = talk.spoken("a", "One.", 1000), talk.spoken("b", "Two.", 1000)
    talk.lose()
    talk.now += 20
    talk.resume()
    assert talk.session.played_ms(first, talk.now) == talk.session.played_ms(second, talk.now) == 0
    talk.now += 1.2
    assert talk.session.played_ms(first, talk.now) == 1000
    assert talk.session.played_ms(second, talk.now) == pytest.approx(200)


def test_who_was_slower_than_the_clock_may_be_far_enough_ahead_again() -> None:
    """The credit came back by the clock while it was lost. It is not there after all, and comes again."""
    talk = Talking()
    talk.send("session.start", max_lead_ms=1000)
    handle = talk.open("a")
    talk.frame(handle, 1000)
    talk.lose()
    assert every(talk.wait(5), Replenish)
    talk.resume()
    assert talk.session.credit_ms(talk.now) == 0
    assert talk.session.hold(handle, talk.now) != []
    assert every(talk.wait(0.24), Replenish) == []
    told = talk.wait(0.02)
    assert every(told, Replenish) and only(told, wire.Flow).state == "resumed"


# -- who is refused -----------------------------------------------------------------------------------------


def test_a_wrong_token_changes_nothing(talk: Talking) -> None:
    handle = talk.open("a")
    talk.frame(handle)
    talk.lose()
    until = talk.session.next_deadline()
    for token in ("secret-2", "", "secret-1 ", "sid"):
        assert "no session" in talk.refuses(token=token or "x")
    assert talk.session.next_deadline() == until
    assert talk.again() == []
    assert talk.resume().contexts is not None


def test_a_seq_that_was_never_sent(talk: Talking) -> None:
    handle = talk.open("a")
    talk.frame(handle)
    silent = talk.open("b")
    talk.lose()
    for last in ({str(handle): 1}, {str(silent): 0}, {"99": 0}, {"4294967295": 0}, {"1": 0, "3": 0}):
        assert "never sent" in talk.refuses(last)
    assert talk.again() == []
    talk.resume({str(handle): 0})


def test_what_is_gone_cannot_be_sent_again(talk: Talking) -> None:
    handle = talk.open("a")
    talk.frame(handle, 30_000)
    talk.wait(KEEP_S + 2)
    talk.frame(handle)
    talk.lose()
    assert "not kept" in talk.refuses()
    assert talk.resume({str(handle): 0}).resumed is True
    assert talk.types_again() == ["frame"]


def test_an_old_token_counts_until_the_new_one_is_known_to_be_received(talk: Talking) -> None:
    """The `session.ready` that bore the new one may have been lost."""
    talk.lose()
    talk.resume(token="secret-1")
    assert talk.tokens == ["secret-1", "secret-2"]
    talk.lose()
    talk.resume(token="secret-1")
    talk.lose()
    talk.resume(token="secret-3")
    talk.lose()
    talk.refuses(token="secret-1")
    talk.refuses(token="secret-2")
    talk.session.received(talk.session.ready_number)
    talk.refuses(token="secret-3")
    assert talk.resume(token="secret-4").resume_token == "secret-5"


def test_it_may_be_taken_over_while_it_has_a_socket(talk: Talking) -> None:
    handle = talk.open("a")
    talk.frame(handle)
    assert talk.resume().resumed is True
    assert talk.types_again() == ["context.opened", "frame"]


def test_before_the_first_message_there_is_nothing_to_resume() -> None:
    talk = Talking()
    assert not talk.session.lost(talk.now)
    talk.refuses(token="secret-1")


def test_a_refused_first_message_does_not_make_it_one_that_can_be_resumed() -> None:
    talk = Talking()
    refused(talk.send("text", context_id="*", text="x"), ErrorCode.INVALID_MESSAGE)
    assert not talk.session.lost(talk.now)
    talk.refuses(token="secret-1")


# -- how long is waited -------------------------------------------------------------------------------------


def test_when_the_window_ends_it_is_over(talk: Talking) -> None:
    talk.open("a")
    talk.lose()
    assert every(talk.wait(29.999), Close) == []
    assert only(talk.wait(0.002), Close).code == CloseCode.DONE
    assert talk.session.next_deadline() == inf
    talk.refuses()


def test_the_window_begins_anew_with_each_loss(talk: Talking) -> None:
    for _ in range(3):
        talk.lose()
        assert every(talk.wait(29), Close) == []
        talk.resume()
    assert every(talk.wait(299), Close) == []
    assert every(talk.wait(2), Close)


def test_without_a_window_it_is_over_at_once() -> None:
    talk = Talking(resume_window_s=0)
    talk.send("session.start")
    talk.lose()
    assert every(talk.wait(0), Close)


def test_while_it_is_lost_a_silent_head_is_not_ended(talk: Talking) -> None:
    first = talk.open("a")
    talk.open("b")
    talk.wait(5)
    talk.lose()
    assert talk.wait(25) == []
    talk.resume()
    talk.again()
    assert talk.wait(9.9) == []
    talk.send("text", context_id="b", text="y")
    assert [type(each).__name__ for each in talk.wait(0.2)] == ["EndSpeaker"]
    assert talk.session.head() == first


def test_who_has_closed_it_may_still_fetch_what_it_has_not_received(talk: Talking) -> None:
    handle = talk.open("a")
    talk.frame(handle)
    talk.send("session.close")
    talk.frame(handle)
    assert only(talk.finish(handle), Close) == Close(CloseCode.DONE, "done")
    talk.lose()
    ready = talk.resume({str(handle): 0})
    assert ready.contexts == [wire.ContextReport("a", handle, "done", 1, 1)]
    assert talk.types_again() == ["frame", "context.done"]
    assert talk.send("text", context_id="b", text="x") == []
    talk.lose()
    assert every(talk.wait(31), Close)
    talk.refuses()


@pytest.mark.parametrize("how", ["drain", "shut_down", "broken", "idle", "no format"])
def test_what_the_server_has_ended_cannot_be_resumed(how: str) -> None:
    talk = Talking()
    if how != "no format":
        talk.send("session.start")
        talk.open("a")
    if how == "drain":
        talk.session.drain(1000, talk.now)
    elif how == "shut_down":
        talk.session.shut_down()
    elif how == "broken":
        talk.session.broken()
    elif how == "idle":
        talk.wait(300)
    else:
        talk.send("session.start", formats=["mp3"])
    assert not talk.session.lost(talk.now)
    talk.refuses(token="secret-1")


# -- the session that asks ----------------------------------------------------------------------------------


ASKS = {"session_id": "other", "token": "t", "last": {"1": 4}}


def failed(talk: Talking) -> list[wire.ServerMessage]:
    error = RealtimeError("there is none", ErrorCode.RESUME_FAILED)
    return messages(talk.perform(talk.session.resume_failed(error, talk.now)))


def test_a_resume_is_asked_for_before_anything_is_answered() -> None:
    talk = Talking()
    assert talk.send("session.start", resume=ASKS) == [Resume(wire.ResumeRequest("other", "t", {"1": 4}))]


def test_when_it_fails_a_fresh_session_serves_as_was_wished() -> None:
    talk = Talking()
    talk.send("session.start", resume=ASKS, voice="bruno", max_lead_ms=300)
    error, ready = failed(talk)
    assert error == wire.Error(ErrorCode.RESUME_FAILED, "there is none")
    assert isinstance(ready, wire.SessionReady)
    assert (ready.session_id, ready.voice, ready.max_lead_ms) == ("sid", "bruno", 300)
    assert (ready.resumed, ready.contexts) == (wire.UNSET, wire.UNSET)
    assert talk.open("a") == 1


def test_wishes_that_cannot_be_served_do_not_hinder_a_resume_and_count_when_it_fails() -> None:
    talk = Talking()
    assert every(talk.send("session.start", resume=ASKS, voice="nobody"), Resume)
    error, wrong = failed(talk)
    assert isinstance(error, wire.Error) and error.code == ErrorCode.RESUME_FAILED
    assert isinstance(wrong, wire.Error) and wrong.code == ErrorCode.UNKNOWN_VOICE
    assert not error.fatal and not wrong.fatal
    assert only(talk.send("session.start", voice="bruno"), wire.SessionReady).voice == "bruno"


def test_without_a_known_format_it_closes_then() -> None:
    talk = Talking()
    talk.send("session.start", resume=ASKS, formats=["mp3"])
    error, fatal = failed(talk)
    assert isinstance(error, wire.Error) and not error.fatal
    assert isinstance(fatal, wire.Error) and fatal.fatal


def test_only_a_resume_that_was_asked_for_fails(talk: Talking) -> None:
    assert failed(talk) == []
    other = Talking()
    other.send("session.start", resume=ASKS)
    assert len(failed(other)) == 2
    assert failed(other) == []


@pytest.mark.parametrize(
    "resume",
    [None, "x", {}, {"session_id": "s", "token": "t"}, {"session_id": "s", "token": "t", "last": {"a": 1}}],
)
def test_a_malformed_one_is_refused_and_begins_nothing(resume: object) -> None:
    talk = Talking()
    refused(talk.send("session.start", resume=resume), ErrorCode.INVALID_MESSAGE)
    assert every(talk.send("session.start", resume=ASKS), Resume)


# -- the server goes away -----------------------------------------------------------------------------------


def test_a_drain_lets_what_is_open_finish_and_opens_nothing_more(talk: Talking) -> None:
    first, second = talk.open("a", "One."), talk.open("b", "Two.")
    assert talk.session.drain(25_000, talk.now) == [Send(wire.SessionClosing("shutdown", 25_000))]
    refused(talk.send("text", context_id="c", text="x"), ErrorCode.CONTEXT_CLOSED)
    talk.send("text", context_id="a", text=" More.")
    for context_id, handle in (("a", first), ("b", second)):
        talk.send("end", context_id=context_id)
        assert every(talk.frame(handle), SendFrame)
        actions = talk.finish(handle)
    assert actions[-1] == Close(CloseCode.GOING_AWAY, "going away")


def test_a_drain_of_an_idle_session_closes_it(talk: Talking) -> None:
    talk.spoken("a", "One.", 5000)
    assert talk.session.drain(25_000, talk.now) == [
        Send(wire.SessionClosing("shutdown", 25_000)),
        Close(CloseCode.GOING_AWAY, "going away"),
    ]
    assert talk.session.drain(25_000, talk.now) == []
    assert talk.session.shut_down() == []


def test_a_drain_before_the_first_message() -> None:
    told = Talking().session.drain(7, 0.0)
    assert messages(told) == [wire.SessionClosing("shutdown", 7)]
    assert only(told, Close).code == CloseCode.GOING_AWAY


def test_who_was_told_of_the_drain_is_not_told_again_at_its_end(talk: Talking) -> None:
    talk.open("a")
    talk.session.drain(5, talk.now)
    assert talk.session.shut_down() == [Close(CloseCode.GOING_AWAY, "going away", at_once=True)]
