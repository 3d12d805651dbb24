"""Where the listener is by the clock: it begins, queues, stands still when dry, goes on, and is stopped.

What reports and pauses do to it is in `test_playout_reports`.
"""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.session.playout import Playout


def test_nothing_sent_is_nothing_heard() -> None:
    playout = Playout()
    assert playout.position_ms(1, 5.0) == 0.0
    assert playout.ends_at(1, 5.0) == 5.0
    playout.stop(1, 5.0)
    playout.forget(1, 6.0)
    assert playout.position_ms(1, 9.0) == 0.0


def test_it_begins_at_the_first_frame_and_stands_still_at_what_was_sent() -> None:
    playout = Playout()
    playout.sent(1, 500, 10.0)
    assert playout.position_ms(1, 10.0) == 0
    assert playout.position_ms(1, 10.25) == 250
    assert playout.position_ms(1, 10.5) == 500
    assert playout.position_ms(1, 99.0) == 500
    assert playout.ends_at(1, 10.0) == 10.5
    assert playout.ends_at(1, 99.0) == 10.5


def test_more_sound_in_time_is_played_without_a_gap() -> None:
    playout = Playout()
    for frame in range(1, 51):
        playout.sent(1, 20 * frame, 10.0 + frame / 1000)
    assert playout.position_ms(1, 10.501) == pytest.approx(500)
    assert playout.ends_at(1, 10.1) == pytest.approx(11.001)


def test_after_running_dry_it_goes_on_from_where_it_stood() -> None:
    playout = Playout()
    playout.sent(1, 500, 10.0)
    playout.sent(1, 1000, 20.0)
    assert playout.position_ms(1, 20.0) == 500
    assert playout.position_ms(1, 20.25) == 750
    assert playout.ends_at(1, 20.0) == 20.5
    playout.sent(1, 1100, 20.4)
    assert playout.ends_at(1, 20.4) == pytest.approx(20.6)


def test_a_frame_without_sound_moves_nothing() -> None:
    playout = Playout()
    playout.sent(1, 500, 10.0)
    playout.sent(1, 500, 10.2)
    playout.sent(1, 500, 30.0)
    assert playout.position_ms(1, 30.0) == 500
    assert playout.position_ms(1, 99.0) == 500


def test_the_next_context_waits_for_the_one_before() -> None:
    playout = Playout()
    playout.sent(1, 1000, 10.0)
    playout.sent(2, 1000, 10.1)
    playout.sent(3, 1000, 10.2)
    assert playout.position_ms(2, 10.9) == 0
    assert playout.position_ms(2, 11.25) == pytest.approx(250)
    assert playout.position_ms(3, 11.9) == 0
    assert playout.position_ms(3, 12.5) == pytest.approx(500)
    assert playout.ends_at(3, 10.2) == pytest.approx(13.0)


def test_the_next_context_begins_at_its_first_frame_when_all_was_played() -> None:
    playout = Playout()
    playout.sent(1, 1000, 10.0)
    playout.sent(2, 1000, 30.0)
    assert playout.position_ms(2, 30.5) == 500
    assert playout.position_ms(1, 30.5) == 1000


def test_stopping_keeps_the_position() -> None:
    playout = Playout()
    playout.sent(1, 1000, 10.0)
    playout.stop(1, 10.25)
    assert playout.position_ms(1, 10.25) == pytest.approx(250)
    assert playout.position_ms(1, 99.0) == pytest.approx(250)
    assert playout.ends_at(1, 10.25) == pytest.approx(10.25)


def test_stopping_what_was_played_changes_nothing() -> None:
    playout = Playout()
    playout.sent(1, 1000, 10.0)
    playout.stop(1, 50.0)
    assert playout.position_ms(1, 60.0) == 1000
    assert playout.ends_at(1, 60.0) == 11.0


def test_after_a_stop_the_next_context_begins_at_its_first_frame() -> None:
    playout = Playout()
    playout.sent(1, 60_000, 10.0)
    playout.stop(1, 10.5)
    playout.sent(2, 1000, 11.0)
    assert playout.position_ms(2, 11.25) == 250


def test_after_a_stop_what_waited_behind_begins_at_once() -> None:
    """The listener dropped the first: what it has of the second is what it hears now."""
    playout = Playout()
    playout.sent(1, 60_000, 10.0)
    playout.sent(2, 1000, 10.1)
    playout.sent(3, 1000, 10.2)
    playout.stop(1, 11.0)
    assert playout.position_ms(2, 11.5) == pytest.approx(500)
    assert playout.ends_at(2, 11.0) == pytest.approx(12.0)
    assert playout.position_ms(3, 12.5) == pytest.approx(500)
    playout.sent(4, 100, 11.1)
    assert playout.ends_at(4, 11.1) == pytest.approx(13.1)


def test_stopping_one_in_the_middle_moves_only_those_behind_it() -> None:
    playout = Playout()
    for handle in (1, 2, 3):
        playout.sent(handle, 1000, 10.0)
    playout.stop(2, 10.5)
    assert playout.position_ms(2, 50.0) == 0
    assert playout.position_ms(1, 10.75) == pytest.approx(750)
    assert playout.ends_at(1, 10.5) == pytest.approx(11.0)
    assert playout.position_ms(3, 11.25) == pytest.approx(250)


def test_stopping_the_last_moves_nothing_before_it() -> None:
    playout = Playout()
    playout.sent(1, 1000, 10.0)
    playout.sent(2, 1000, 10.0)
    playout.stop(2, 10.5)
    assert playout.ends_at(1, 10.5) == pytest.approx(11.0)
    playout.sent(3, 1000, 10.6)
    assert playout.position_ms(3, 11.5) == pytest.approx(500)


def test_what_is_forgotten_is_not_known() -> None:
    playout = Playout()
    playout.sent(1, 1000, 10.0)
    playout.forget(1, 10.5)
    assert playout.position_ms(1, 10.5) == 0.0
    assert playout.ends_at(1, 10.5) == 10.5


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 2000)), min_size=1, max_size=30))
def test_the_listener_never_goes_back_nor_beyond_what_was_sent(sends: list[tuple[int, int]]) -> None:
    """Like a player that is simulated millisecond by millisecond. (wait_ms, sound_ms) of each frame."""
    playout = Playout()
    now, sent, played = 0, 0, 0
    for wait, sound in sends:
        played = min(sent, played + wait)
        now += wait
        assert playout.position_ms(1, now / 1000) == pytest.approx(played, abs=1e-6)
        sent += sound
        playout.sent(1, sent, now / 1000)
        assert playout.position_ms(1, now / 1000) == pytest.approx(played, abs=1e-6)
        assert playout.ends_at(1, now / 1000) * 1000 == pytest.approx(
            now + sent - played if sent > played else playout.ends_at(1, 0) * 1000, abs=1e-6
        )


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 1500), st.integers(0, 900)), max_size=30))
def test_one_context_sounds_at_a_time(sends: list[tuple[int, int, int]]) -> None:
    """Contexts are sent in order; together they move exactly as fast as time does."""
    playout = Playout()
    now = 0.0
    total: dict[int, int] = {}
    for handle, wait, sound in sorted(sends, key=lambda send: send[0]):
        before = sum(playout.position_ms(known, now) for known in total)
        now += wait / 1000
        heard = sum(playout.position_ms(known, now) for known in total)
        assert heard - before <= wait + 1e-6
        total[handle] = total.get(handle, 0) + sound
        playout.sent(handle, total[handle], now)
        moving = [
            known for known, sent in total.items() if 1e-6 < playout.position_ms(known, now) < sent - 1e-6
        ]
        assert len(moving) <= 1
    assert sum(playout.position_ms(known, now + 1e6) for known in total) == pytest.approx(sum(total.values()))


def test_who_was_sent_all_is_dry_when_it_has_been_played() -> None:
    playout = Playout()
    assert playout.dry_at(5.0) == 5.0, "nothing was sent"
    playout.sent(1, 2000, 10.0)
    playout.sent(2, 3000, 10.5)
    assert playout.dry_at(10.5) == 15.0, "the second plays after the first"
    playout.report(1, 500, 11.0)
    assert playout.dry_at(11.0) == 15.5


def test_who_has_stopped_reporting_is_taken_to_go_on_and_who_is_paused_is_not() -> None:
    playout = Playout()
    playout.sent(1, 5000, 10.0)
    playout.report(1, 1000, 11.0)
    assert playout.dry_at(20.0) == 22.0, "it stands still at 3 s, 2 s before the end"
    playout.pause(1, 20.0)
    assert playout.dry_at(21.0) == inf
    playout.go_on(1, 25.0)
    assert playout.dry_at(25.0) == 27.0
    playout.stop(1, 25.0)
    assert playout.dry_at(26.0) <= 26.0
