"""How far a session runs ahead of its listener: when it waits, when it goes on, and what it tells."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.errors import ErrorCode
from realtime.session import messages as wire
from realtime.session.actions import Action, Close, Replenish, Send, SendFrame
from realtime.types import Failed, Flushed, SegmentStarted
from tests.session.talk import OFFER, Talk, every, only


class Listening(Talk):
    """A talk whose speakers have always more, and whose driver asks for credit as the real one does."""

    def __init__(self, max_lead_ms: int) -> None:
        super().__init__()
        self.send("session.start", max_lead_ms=max_lead_ms)

    @property
    def left_ms(self) -> float:
        return self.session.credit_ms(self.now)

    def fetch(self, handle: int, ms: float = 20) -> bool:
        """One frame, if it may be sent."""
        if self.session.must_wait(self.now):
            assert self.left_ms == 0
            return False
        assert self.left_ms > 0
        self.frame(handle, ms)
        return True

    def fill(self, handle: int, ms: float = 20) -> float:
        """As much as may be sent; how much that was."""
        sent_ms = 0.0
        while self.fetch(handle, ms):
            sent_ms += ms
            assert sent_ms < 100_000, "there is no limit"
        return sent_ms

    def hold(self, handle: int) -> list[Action]:
        return self.session.hold(handle, self.now)

    def played(self, context_id: str, played_ms: float) -> list[Action]:
        return self.send("playback", context_id=context_id, played_ms=played_ms)


def flow(context_id: str, handle: int, state: Any) -> Send:
    return Send(wire.Flow(context_id, handle, state))


# -- when it is spent, and when it returns ------------------------------------------------------------------


def test_without_a_limit_it_never_ends() -> None:
    talk = Listening(0)
    handle = talk.open("a")
    for _ in range(100):
        talk.frame(handle, 10_000)
        assert talk.left_ms == inf
    assert talk.session.next_deadline() == talk.now + 300


def test_what_is_left_is_the_limit_less_the_lead() -> None:
    talk = Listening(1000)
    handle = talk.open("a")
    assert talk.left_ms == 1000
    talk.frame(handle, 300)
    assert talk.left_ms == pytest.approx(700)
    talk.now += 0.2
    assert talk.left_ms == pytest.approx(900)


def test_it_is_spent_at_the_limit_and_not_before() -> None:
    talk = Listening(1000)
    assert talk.fill(talk.open("a")) == 1000
    talk = Listening(1000)
    assert talk.fill(talk.open("a"), ms=30) == 1020  # by less than one frame over it


@pytest.mark.parametrize(
    ("limit", "step"), [(1, 0.25), (100, 25), (1000, 250), (8000, 2000), (10_000, 2000), (60_000, 2000)]
)
def test_it_returns_by_the_clock_when_the_lead_has_fallen_by_a_step(limit: int, step: float) -> None:
    talk = Listening(limit)
    handle = talk.open("a")
    sent_ms = talk.fill(handle)
    due = talk.now + (sent_ms - (limit - step)) / 1000
    assert talk.session.next_deadline() == pytest.approx(due, abs=1e-6)
    talk.now = due - 0.001
    assert talk.session.on_deadline(talk.now) == []
    assert talk.left_ms == 0
    assert talk.wait(0.002) == [Replenish(handle)]
    assert talk.left_ms == pytest.approx(step, abs=2)


def test_the_lead_is_of_all_contexts_together() -> None:
    talk = Listening(1000)
    first = talk.spoken("a", "One.", 400)
    assert talk.left_ms == pytest.approx(600)
    second = talk.open("b")
    assert talk.fill(second) == 600
    talk.now += 0.25
    assert talk.session.on_deadline(talk.now) == [Replenish(second)]
    assert first < second


def test_it_returns_by_reports_as_well() -> None:
    talk = Listening(1000)
    handle = talk.open("a")
    talk.fill(handle)
    assert talk.played("a", 200) == []
    assert talk.played("a", 260) == [Replenish(handle)]
    assert talk.left_ms == pytest.approx(260)


def test_who_reports_to_be_slow_is_waited_for() -> None:
    """By the clock a second was played; the listener says that it was nothing."""
    talk = Listening(1000)
    handle = talk.open("a")
    talk.fill(handle)
    talk.now += 0.2
    assert talk.played("a", 0) == []
    talk.now += 0.24
    assert talk.session.on_deadline(talk.now) == []
    assert talk.wait(0.02) == [Replenish(handle)]


def test_who_says_no_more_is_waited_for_without_end() -> None:
    """The clock runs on from a report for two seconds."""
    talk = Listening(10_000)
    handle = talk.open("a")
    talk.fill(handle)
    talk.now += 1
    talk.played("a", 500)
    assert talk.wait(1.6) == [Replenish(handle)]
    assert talk.fill(handle) == pytest.approx(2100, abs=20)  # 2 s, and for 0.1 s it was played since then
    assert every(talk.wait(100), Replenish) == []
    assert talk.played("a", 9_000) == [Replenish(handle)]


def test_reports_that_go_backwards_change_nothing() -> None:
    talk = Listening(1000)
    handle = talk.open("a")
    talk.fill(handle)
    talk.played("a", 240)
    before = talk.session.next_deadline()
    assert talk.played("a", 100) == []
    assert talk.session.next_deadline() == before
    talk.now += 0.011
    assert talk.session.on_deadline(talk.now) == [Replenish(handle)]


@pytest.mark.parametrize("beyond", [1001, 1e9, 1e308])
def test_reports_beyond_what_was_sent_count_up_to_that(beyond: float) -> None:
    talk = Listening(1000)
    handle = talk.open("a")
    talk.fill(handle)
    assert talk.played("a", beyond) == [Replenish(handle)]
    assert talk.left_ms == 1000
    assert talk.fill(handle) == 1000


def test_while_the_listener_is_paused_nothing_returns() -> None:
    talk = Listening(1000)
    handle = talk.open("a")
    talk.fill(handle)
    talk.now += 0.2
    talk.pause("a")
    assert every(talk.wait(250), Replenish) == []
    assert talk.left_ms == 0
    assert talk.send("continue", context_id="a") == []
    assert talk.wait(0.051) == [Replenish(handle)]


def test_what_returns_during_a_pause_is_told_to_the_speaker_all_the_same() -> None:
    """Else nobody would tell it when the pause is over."""
    talk = Listening(1000)
    handle = talk.open("a")
    talk.fill(handle)
    talk.pause("a")
    assert talk.played("a", 1000) == [Replenish(handle)]


def test_a_cancel_frees_it_at_once() -> None:
    talk = Listening(1000)
    first, second = talk.open("a"), talk.open("b")
    talk.fill(first)
    actions = talk.send("cancel", context_id="a")
    assert actions[-1] == Replenish(second)
    assert talk.left_ms == 1000
    assert talk.fill(second) == 1000


def test_a_cancel_with_nobody_behind_it_tells_nobody() -> None:
    talk = Listening(1000)
    talk.fill(talk.open("a"))
    assert not every(talk.send("cancel", context_id="*"), Replenish)
    assert talk.fill(talk.open("b")) == 1000


def test_a_higher_limit_counts_at_once() -> None:
    talk = Listening(1000)
    handle = talk.open("a")
    talk.fill(handle)
    actions = talk.send("session.update", max_lead_ms=3000)
    assert only(actions, wire.SessionReady).max_lead_ms == 3000
    assert actions[-1] == Replenish(handle)
    assert talk.fill(handle) == 2000


def test_no_limit_counts_at_once() -> None:
    talk = Listening(1000)
    handle = talk.open("a")
    talk.fill(handle)
    assert talk.send("session.update", max_lead_ms=0)[-1] == Replenish(handle)
    assert talk.left_ms == inf


def test_a_lower_limit_counts_at_once_and_returns_by_the_clock() -> None:
    talk = Listening(3000)
    handle = talk.open("a")
    talk.fill(handle)
    assert talk.wait(1) == [Replenish(handle)]  # at 2250 ms
    assert not every(talk.send("session.update", max_lead_ms=1000), Replenish)
    assert talk.left_ms == 0
    assert talk.wait(1.2) == []
    assert talk.wait(0.06) == [Replenish(handle)]


def test_who_turns_out_to_be_further_back_is_waited_for_by_the_clock() -> None:
    """The credit was there, and is spent without more sound: by a report that it has not even begun."""
    talk = Listening(1000)
    handle = talk.open("a")
    talk.fill(handle)
    assert talk.wait(0.3) == [Replenish(handle)]
    assert talk.fetch(handle, 100)
    assert talk.played("a", 0) == []
    assert talk.left_ms == 0
    assert talk.wait(0.34) == []
    assert talk.wait(0.02) == [Replenish(handle)]


# -- what is told -------------------------------------------------------------------------------------------


def test_flow_is_told_once_for_each_wait() -> None:
    talk = Listening(1000)
    handle = talk.open("a")
    for _ in range(3):
        talk.fill(handle)
        assert talk.hold(handle) == [flow("a", handle, "paused")]
        assert talk.hold(handle) == []
        talk.now += 0.1
        assert talk.session.on_deadline(talk.now) == []
        assert talk.wait(0.2) == [flow("a", handle, "resumed"), Replenish(handle)]


def test_who_had_nothing_more_is_told_nothing() -> None:
    talk = Listening(1000)
    handle = talk.open("a")
    talk.fill(handle)
    assert talk.wait(1) == [Replenish(handle)]


def test_what_was_cancelled_is_not_told_to_go_on() -> None:
    talk = Listening(1000)
    first, second = talk.open("a"), talk.open("b")
    talk.fill(first)
    talk.hold(first)
    assert not every(talk.send("cancel", context_id="a"), wire.Flow)
    talk.fill(second)
    assert talk.hold(second) == [flow("b", second, "paused")]
    assert talk.wait(0.3) == [flow("b", second, "resumed"), Replenish(second)]


def test_what_has_failed_is_not_told_to_go_on() -> None:
    talk = Listening(1000)
    handle = talk.open("a")
    talk.fill(handle)
    talk.hold(handle)
    talk.session.on_failure(handle, Failed(ErrorCode.ENGINE_FAILED, "x"), talk.now)
    assert talk.wait(1) == [Replenish(handle)]
    assert not talk.hold(99)


def test_the_next_one_waits_for_the_same_credit_and_is_told() -> None:
    """The first has nothing more, and comes to its end while the listener is far behind."""
    talk = Listening(1000)
    first, second = talk.open("a"), talk.open("b")
    talk.send("end", context_id="a")
    talk.fill(first)
    assert every(talk.finish(first), wire.ContextDone)
    assert talk.left_ms == 0
    assert talk.hold(second) == [flow("b", second, "paused")]
    assert talk.wait(0.3) == [flow("b", second, "resumed"), Replenish(second)]


def test_messages_pass_while_it_is_spent() -> None:
    talk = Listening(1000)
    handle = talk.open("a", "One two.")
    talk.send("flush", context_id="a", flush_id="f")
    talk.fill(handle)
    assert every(talk.event(handle, Flushed("f")), wire.FlushDone)
    assert every(talk.event(handle, SegmentStarted(1, "two.", (4, 8), "en", 48_000)), wire.Segment)
    talk.send("end", context_id="a")
    done = only(talk.finish(handle), wire.ContextDone)
    assert (done.reason, done.audio_ms) == ("completed", 1000)


def test_while_it_is_spent_a_silent_head_is_not_ended() -> None:
    talk = Listening(60_000)
    first = talk.open("a")
    talk.fill(first, ms=1000)
    talk.open("b")
    assert talk.wait(1.9) == []
    talk.pause("a")  # the listener stands still
    assert talk.wait(100) == []
    talk.go_on("a")
    assert talk.wait(20)[0] == Replenish(1)


def test_the_deadline_of_the_credit_does_not_end_the_session() -> None:
    talk = Listening(1000)
    talk.fill(talk.open("a"))
    assert not every(talk.wait(290), Close)
    assert every(talk.wait(20), Close)


def test_by_default_there_is_a_limit() -> None:
    limited = replace(OFFER, max_lead_ms=700)
    talk = Talk(limited)
    assert only(talk.send("ping"), wire.SessionReady).max_lead_ms == 700
    handle = talk.open("a")
    talk.frame(handle, 700)
    assert talk.session.credit_ms(talk.now) == 0


# -- any listener -------------------------------------------------------------------------------------------


class Player:
    """Plays what it was sent, in real time; it may stand still."""

    def __init__(self) -> None:
        self.sent_ms = 0.0
        self.played_ms = 0.0

    def play(self, ms: float) -> None:
        self.played_ms = min(self.sent_ms, self.played_ms + ms)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("time"), st.sampled_from([1, 7, 20, 100, 450, 2500])),
        st.tuples(st.just("report"), st.just(0)),
        st.tuples(st.just("wrong report"), st.sampled_from([-5, 0.001, 1e12])),
        st.tuples(st.just("next"), st.just(0)),
        st.tuples(st.just("cancel"), st.just(0)),
    ),
    max_size=40,
)


@given(
    limit=st.sampled_from([1, 19, 20, 100, 1000, 10_000]), frame=st.sampled_from([20, 40, 60]), steps=STEPS
)
@settings(max_examples=300, deadline=None)
def test_the_lead_is_never_over_the_limit_by_more_than_a_frame_and_sound_always_goes_on(
    limit: int, frame: int, steps: list[tuple[str, float]]
) -> None:
    """A listener that plays in real time, tick by tick, and tells where it is whenever it likes."""
    talk = Listening(limit)
    player, handle, name = Player(), talk.open("c0"), "c0"
    played_before = 0.0

    def fetch() -> None:
        while not talk.session.must_wait(talk.now):
            assert every(talk.frame(handle, frame), SendFrame)
            player.sent_ms += frame
            assert player.sent_ms - player.played_ms <= limit + frame

    def pass_ms(ms: float) -> None:
        end = talk.now + ms / 1000
        while talk.now < end:
            due = min(end, max(talk.now, talk.session.next_deadline()))
            player.play((due - talk.now) * 1000)
            talk.now = due
            talk.session.on_deadline(talk.now)
            fetch()

    fetch()
    for kind, value in steps:
        if kind == "time":
            pass_ms(value)
        elif kind == "report":
            talk.played(name, player.played_ms - played_before)
        elif kind == "wrong report" and player.played_ms - played_before > 1 and value < 1:
            talk.played(name, value)  # it goes backwards, unless nothing was told before
        elif kind == "next" and player.played_ms == player.sent_ms:
            # Who has reported once must tell the end, too: the clock runs on for a while only.
            talk.played(name, player.played_ms - played_before)
            talk.send("end", context_id=name)
            talk.finish(handle)
            name, played_before = f"c{handle}", player.played_ms
            handle = talk.open(name)
        elif kind == "cancel":
            talk.send("cancel", context_id=name)
            player.sent_ms = played_before = player.played_ms
            name = f"c{handle}"
            handle = talk.open(name)
        fetch()
    sent_before = player.sent_ms
    for _ in range(10):
        pass_ms(frame + 0.5)
        talk.played(name, player.played_ms - played_before)
        fetch()
    assert player.sent_ms - player.played_ms > 0 or limit < frame
    pass_ms(2 * frame + 2000)
    talk.played(name, player.played_ms - played_before)
    fetch()
    assert player.sent_ms > sent_before, "it has come to a stand"
