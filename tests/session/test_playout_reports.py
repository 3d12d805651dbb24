"""Where the listener is when it says so, and when it is paused; in any order: `test_playout_rules`."""

from __future__ import annotations

import math

import pytest

from realtime.session.playout import RUN_ON_S, Playout

# -- reports ------------------------------------------------------------------------------------------------


def test_a_report_moves_the_listener_and_the_clock_goes_on_from_there() -> None:
    playout = Playout()
    playout.sent(1, 5000, 10.0)
    playout.report(1, 300, 10.5)
    assert playout.position_ms(1, 10.5) == 300
    assert playout.position_ms(1, 11.0) == 800
    playout.report(1, 2500, 11.0)
    assert playout.position_ms(1, 11.0) == 2500
    assert playout.position_ms(1, 11.25) == 2750
    assert playout.reported_ms(1) == 2500


def test_the_clock_runs_on_for_two_seconds_and_no_longer() -> None:
    playout = Playout()
    playout.sent(1, 9000, 10.0)
    playout.report(1, 1000, 20.0)
    assert playout.position_ms(1, 20.0 + RUN_ON_S) == 3000
    assert playout.position_ms(1, 99.0) == 3000
    assert playout.ends_at(1, 20.0) == math.inf
    # The next report goes on from where the listener says, also when it had not moved.
    playout.report(1, 1000, 30.0)
    assert playout.position_ms(1, 30.0) == 1000
    assert playout.position_ms(1, 31.0) == 2000


def test_who_says_again_that_all_was_heard_is_there_to_hear_more() -> None:
    """The two seconds are counted from the last report, also from one that says nothing new."""
    playout = Playout()
    playout.sent(1, 1000, 10.0)
    playout.report(1, 1000, 11.0)
    playout.report(1, 1000, 20.0)
    playout.sent(1, 9000, 20.5)
    assert playout.position_ms(1, 21.0) == 1500
    assert playout.position_ms(1, 99.0) == 2500


def test_running_on_ends_where_sound_ends() -> None:
    playout = Playout()
    playout.sent(1, 2000, 10.0)
    playout.report(1, 1000, 10.5)
    assert playout.ends_at(1, 10.5) == 11.5
    assert playout.position_ms(1, 12.0) == 2000
    # Exactly two seconds are enough for two seconds of sound.
    playout.sent(2, 2500, 20.0)
    playout.report(2, 500, 20.0)
    assert playout.ends_at(2, 20.0) == 22.0


def test_without_a_report_the_clock_runs_on_without_end() -> None:
    playout = Playout()
    playout.sent(1, 60_000, 10.0)
    assert playout.position_ms(1, 60.0) == 50_000
    assert playout.ends_at(1, 10.0) == 70.0
    assert playout.reported_ms(1) is None


@pytest.mark.parametrize("played_ms", [-1.0, -1e308, 999.999, 0.0, 1.0])
def test_reports_that_go_backwards_count_for_nothing(played_ms: float) -> None:
    playout = Playout()
    playout.sent(1, 5000, 10.0)
    playout.report(1, 1000, 11.0)
    playout.report(1, played_ms, 11.5)
    assert playout.position_ms(1, 11.5) == 1500
    assert playout.reported_ms(1) == 1000
    # They are no sign of life either.
    assert playout.position_ms(1, 99.0) == 3000


def test_a_negative_report_counts_for_nothing_also_as_the_first() -> None:
    playout = Playout()
    playout.sent(1, 5000, 10.0)
    playout.report(1, -0.001, 11.0)
    assert playout.position_ms(1, 20.0) == 5000
    assert playout.reported_ms(1) is None


@pytest.mark.parametrize("played_ms", [1000.001, 5000.0, 1e308, math.inf])
def test_a_report_beyond_what_was_sent_means_all_that_was_sent(played_ms: float) -> None:
    """Of what is sent later, nothing was heard yet."""
    playout = Playout()
    playout.sent(1, 1000, 10.0)
    playout.report(1, played_ms, 10.5)
    assert playout.position_ms(1, 10.5) == 1000
    assert playout.reported_ms(1) == 1000
    playout.sent(1, 3000, 11.0)
    assert playout.position_ms(1, 11.0) == 1000
    assert playout.position_ms(1, 11.5) == 1500


def test_zero_says_that_it_has_not_begun_and_the_clock_begins_anew() -> None:
    playout = Playout()
    playout.sent(1, 5000, 10.0)
    playout.report(1, 0, 13.0)
    assert playout.position_ms(1, 13.0) == 0
    # It is no position: what plays by the clock is not bound to two seconds.
    assert playout.position_ms(1, 17.0) == 4000
    assert playout.ends_at(1, 13.0) == 18.0


def test_a_report_about_nothing_is_no_report() -> None:
    playout = Playout()
    playout.report(1, 500, 10.0)
    assert playout.reported_ms(1) is None
    playout.sent(1, 1000, 11.0)
    assert playout.position_ms(1, 11.25) == 250


def test_who_is_heard_has_heard_those_before() -> None:
    playout = Playout()
    for handle in (1, 2, 3):
        playout.sent(handle, 1000, 10.0)
    playout.report(2, 100, 10.5)
    assert playout.position_ms(1, 10.5) == 1000
    assert playout.ends_at(1, 10.5) == 10.5
    assert playout.position_ms(2, 11.0) == 600
    # And those behind begin when it has played out: at 10.5 + 0.9.
    assert playout.position_ms(3, 11.5) == pytest.approx(100)


def test_one_that_is_to_begin_says_nothing_about_those_before() -> None:
    """A player that reports about all it has says 0 of what waits."""
    playout = Playout()
    playout.sent(1, 1000, 10.0)
    playout.sent(2, 1000, 10.0)
    playout.report(2, 0, 10.5)
    assert playout.position_ms(1, 10.5) == 500
    assert playout.position_ms(2, 11.25) == pytest.approx(250)


def test_a_slow_listener_holds_up_those_that_wait() -> None:
    playout = Playout()
    playout.sent(1, 1000, 10.0)
    playout.sent(2, 1000, 10.0)
    assert playout.position_ms(2, 11.5) == pytest.approx(500)
    playout.report(1, 800, 11.5)
    assert playout.position_ms(2, 11.5) == 0
    assert playout.position_ms(2, 12.0) == pytest.approx(300)
    assert playout.ends_at(2, 11.5) == pytest.approx(12.7)


def test_a_slow_listener_hears_nothing_more_of_what_was_stopped() -> None:
    playout = Playout()
    playout.sent(1, 1000, 10.0)
    playout.sent(2, 1000, 10.0)
    playout.stop(2, 11.25)
    playout.sent(3, 1000, 11.25)
    playout.report(1, 750, 11.25)
    assert playout.position_ms(2, 11.25) == 250
    assert playout.ends_at(3, 11.25) == 12.5


def test_behind_one_that_stands_still_nothing_begins() -> None:
    playout = Playout()
    playout.sent(1, 9000, 10.0)
    playout.report(1, 100, 10.0)
    playout.sent(2, 1000, 11.0)
    assert playout.position_ms(2, 1e6) == 0
    assert playout.ends_at(2, 1e6) == math.inf
    playout.report(1, 8900, 1e6)
    assert playout.ends_at(2, 1e6) == pytest.approx(1e6 + 1.1)


def test_the_expected_end_is_as_if_who_stands_still_went_on_at_once() -> None:
    playout = Playout()
    assert playout.expected_end(1, 7.0) == 7.0
    playout.sent(1, 9000, 10.0)
    assert playout.expected_end(1, 12.0) == 19.0
    playout.report(1, 1000, 12.0)
    assert playout.expected_end(1, 12.0) == 20.0
    assert playout.expected_end(1, 50.0) == 56.0  # it stands at 3000
    playout.sent(2, 500, 13.0)
    assert playout.expected_end(2, 50.0) == 50.5


def test_a_report_of_the_end_that_is_repeated_moves_nothing_behind_it() -> None:
    """It had played out when that was said for the first time; what came next has begun since."""
    playout = Playout()
    playout.sent(1, 1000, 10.0)
    playout.sent(2, 5000, 10.0)
    playout.report(1, 1000, 11.0)
    assert playout.position_ms(2, 12.0) == pytest.approx(1000)
    playout.report(1, 1000, 12.0)
    assert playout.position_ms(2, 12.0) == pytest.approx(1000)
    assert playout.position_ms(2, 13.0) == pytest.approx(2000)


@pytest.mark.parametrize("played_ms", [0, 600, 1000])
def test_who_was_heard_in_the_next_does_not_go_back_to_the_one_before(played_ms: float) -> None:
    """A report about it would go backwards."""
    playout = Playout()
    playout.sent(1, 1000, 10.0)
    playout.sent(2, 1000, 10.0)
    playout.report(2, 100, 10.5)
    playout.report(1, played_ms, 10.75)
    assert playout.position_ms(1, 10.75) == 1000
    assert playout.ends_at(1, 10.75) == 10.5
    assert playout.position_ms(2, 11.0) == pytest.approx(600)


@pytest.mark.parametrize("sent_later", [False, True])
def test_forgetting_one_that_stands_still_lets_the_next_begin(sent_later: bool) -> None:
    playout = Playout()
    playout.sent(1, 9000, 10.0)
    playout.report(1, 100, 10.0)
    if not sent_later:
        playout.sent(2, 1000, 11.0)
    playout.forget(1, 50.0)
    if sent_later:
        playout.sent(2, 1000, 50.0)
    playout.sent(3, 1000, 50.0)
    assert playout.ends_at(2, 50.0) == 51.0
    assert playout.position_ms(3, 51.5) == 500


def test_forgetting_what_was_heard_moves_nobody() -> None:
    playout = Playout()
    playout.sent(1, 1000, 10.0)
    playout.sent(2, 9000, 10.0)
    playout.forget(1, 15.0)
    assert playout.position_ms(2, 15.0) == 4000


# -- pause --------------------------------------------------------------------------------------------------


def test_while_paused_the_listener_stands_still() -> None:
    playout = Playout()
    playout.sent(1, 5000, 10.0)
    playout.pause(1, 11.0)
    assert playout.position_ms(1, 11.0) == 1000
    assert playout.position_ms(1, 99.0) == 1000
    assert playout.ends_at(1, 11.0) == math.inf
    assert playout.expected_end(1, 50.0) == 54.0
    playout.go_on(1, 100.0)
    assert playout.position_ms(1, 100.0) == 1000
    assert playout.position_ms(1, 101.5) == 2500
    assert playout.ends_at(1, 100.0) == 104.0


def test_pause_and_go_on_twice_are_as_once() -> None:
    playout = Playout()
    playout.sent(1, 5000, 10.0)
    playout.go_on(1, 10.5)
    playout.pause(1, 11.0)
    playout.pause(1, 12.0)
    playout.go_on(1, 13.0)
    playout.go_on(1, 13.5)
    assert playout.position_ms(1, 14.0) == 2000


def test_those_behind_a_paused_one_wait() -> None:
    playout = Playout()
    playout.sent(1, 1000, 10.0)
    playout.sent(2, 1000, 10.0)
    playout.pause(1, 10.75)
    playout.sent(3, 1000, 10.8)
    assert [playout.position_ms(handle, 50.0) for handle in (1, 2, 3)] == [750, 0, 0]
    playout.go_on(1, 50.0)
    assert playout.ends_at(2, 50.0) == pytest.approx(51.25)
    assert playout.position_ms(3, 51.5) == pytest.approx(250)


def test_one_that_is_paused_before_it_begins_lets_those_before_it_play() -> None:
    playout = Playout()
    playout.sent(1, 1000, 10.0)
    playout.sent(2, 1000, 10.0)
    playout.pause(2, 10.5)
    assert playout.position_ms(1, 10.75) == 750
    assert playout.position_ms(2, 12.0) == 0
    playout.go_on(2, 13.0)
    assert playout.position_ms(2, 13.25) == 250


def test_one_that_goes_on_behind_what_was_stopped_waits_for_those_before() -> None:
    playout = Playout()
    for handle in (1, 2, 3):
        playout.sent(handle, 1000, 10.0)
    playout.stop(2, 10.25)
    playout.pause(3, 10.5)
    playout.go_on(3, 10.5)
    assert playout.position_ms(3, 11.0) == 0
    assert playout.ends_at(3, 10.5) == 12.0


def test_one_that_goes_on_before_its_time_waits_for_it() -> None:
    playout = Playout()
    playout.sent(1, 1000, 10.0)
    playout.sent(2, 1000, 10.0)
    playout.pause(2, 10.25)
    playout.go_on(2, 10.5)
    assert playout.position_ms(2, 11.0) == 0
    assert playout.position_ms(2, 11.25) == pytest.approx(250)


def test_a_report_moves_also_who_is_paused_and_it_stays_paused() -> None:
    playout = Playout()
    playout.sent(1, 5000, 10.0)
    playout.pause(1, 11.0)
    playout.report(1, 1200, 11.3)
    assert playout.position_ms(1, 11.3) == 1200
    assert playout.position_ms(1, 99.0) == 1200
    playout.go_on(1, 20.0)
    assert playout.position_ms(1, 21.0) == 2200
    # From where it goes on, it runs for two seconds as from a report.
    assert playout.position_ms(1, 99.0) == 3200


def test_going_on_without_a_report_before_is_by_the_clock_without_end() -> None:
    playout = Playout()
    playout.sent(1, 60_000, 10.0)
    playout.pause(1, 11.0)
    playout.go_on(1, 20.0)
    assert playout.position_ms(1, 30.0) == 11_000


def test_what_is_paused_and_stopped_holds_up_nobody() -> None:
    playout = Playout()
    playout.sent(1, 5000, 10.0)
    playout.sent(2, 1000, 10.0)
    playout.pause(1, 11.0)
    playout.stop(1, 12.0)
    assert playout.position_ms(1, 99.0) == 1000
    assert playout.position_ms(2, 12.5) == pytest.approx(500)


def test_pausing_what_was_heard_moves_nobody() -> None:
    """It is over; another is heard, and goes on being heard."""
    playout = Playout()
    playout.sent(1, 1000, 10.0)
    playout.sent(2, 5000, 10.0)
    playout.pause(1, 12.0)
    assert playout.position_ms(2, 12.0) == pytest.approx(1000)
    playout.go_on(1, 13.0)
    assert playout.position_ms(2, 13.0) == pytest.approx(2000)


def test_pausing_what_was_stopped_moves_nobody() -> None:
    playout = Playout()
    playout.sent(1, 5000, 10.0)
    playout.stop(1, 11.0)
    playout.sent(2, 5000, 11.0)
    playout.pause(1, 12.0)
    assert playout.position_ms(2, 12.0) == pytest.approx(1000)
    playout.go_on(1, 13.0)
    assert playout.position_ms(2, 13.0) == pytest.approx(2000)


def test_pausing_what_was_never_sent() -> None:
    playout = Playout()
    playout.pause(1, 10.0)
    playout.go_on(1, 11.0)
    playout.sent(1, 1000, 12.0)
    assert playout.position_ms(1, 12.5) == 500
