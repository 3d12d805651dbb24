"""Admission by the wait for a first sound: on a clock by hand, exactly."""

from __future__ import annotations

import asyncio
import math
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import ErrorCode, QueueFullError
from realtime.speech.scheduler import Scheduler
from realtime.speech.waiting import Place
from tests.speech.by_hand import HandClock, HandEngine


class Line:
    """A scheduler, and those who wait."""

    def __init__(self, max_wait_ms: int = 5000, *, places: int = 1000, queue: int = 1000) -> None:
        self.clock = HandClock()
        self.engine = HandEngine()
        self.scheduler = Scheduler(
            self.engine, self.clock, places, max_queue_depth=queue, max_wait_ms=max_wait_ms
        )
        asyncio.run(self.scheduler.start())
        self.stack = ExitStack()

    def enter(self, count: int = 1) -> list[Place]:
        places = [self.stack.enter_context(self.scheduler.admit()) for _ in range(count)]
        for place in places:
            place.waits(self.clock.now())
        return places

    def sound(self, place: Place, after_s: float, *, is_typical: bool = True) -> None:
        self.clock.seconds += after_s
        place.sounds(is_typical=is_typical)

    def refused(self) -> QueueFullError:
        with pytest.raises(QueueFullError) as caught:
            self.scheduler.check_room()
        assert caught.value.code == ErrorCode.QUEUE_FULL and not self.scheduler.ready
        return caught.value

    @property
    def estimate_ms(self) -> int:
        return round(self.scheduler.estimated_wait_ms)


def test_nothing_is_refused_before_anything_is_known() -> None:
    line = Line(max_wait_ms=1)
    line.enter(500)
    assert line.estimate_ms == 0 and line.scheduler.ready


def test_the_wait_is_that_of_all_in_the_line() -> None:
    line = Line()
    first, second, *_ = line.enter(12)
    line.sound(first, 0.2)
    assert line.estimate_ms == 11 * 200
    line.sound(second, 0.2)
    assert line.estimate_ms == 10 * 200


def test_who_would_wait_too_long_is_refused_and_told_when_to_come_again() -> None:
    line = Line(max_wait_ms=1250)
    first, *others = line.enter(6)
    line.sound(first, 0.25)
    assert line.estimate_ms == 1250 and line.scheduler.ready, "just as long as may be"
    line.enter()
    error = line.refused()
    assert error.retry_after_ms == 1500 and "1.5 s" in error.message
    line.sound(others[0], 0.25)
    assert line.scheduler.ready, "one less waits"
    assert line.scheduler.admitted == 7, "those who were admitted have noticed nothing"


def test_without_a_limit_nobody_is_refused() -> None:
    line = Line(max_wait_ms=0)
    first, *_ = line.enter(900)
    line.sound(first, 60.0)
    assert line.estimate_ms == 899 * 60_000 and line.scheduler.ready


def test_time_in_which_nobody_waited_does_not_count() -> None:
    line = Line()
    line.sound(line.enter()[0], 0.1)
    line.clock.seconds += 3600
    early, late = line.enter()[0], line.enter()[0]
    line.sound(early, 0.1)
    assert line.estimate_ms == 100
    line.sound(late, 0.1)
    assert line.estimate_ms == 0, "nobody waits"


def test_one_that_leaves_without_a_sound_counts_no_more() -> None:
    line = Line()
    with line.scheduler.admit() as gone:
        gone.waits(line.clock.now())
        line.clock.seconds += 50
    first, _ = line.enter(2)
    line.sound(first, 0.3)
    assert line.estimate_ms == 300, "as the line was empty before them"


def test_a_sound_out_of_a_cache_or_of_a_voice_that_was_loaded_says_nothing() -> None:
    line = Line()
    places = line.enter(5)
    line.sound(places[0], 0.2)
    line.sound(places[1], 0.0, is_typical=False)
    line.sound(places[2], 0.2)
    assert line.estimate_ms == 2 * 200
    line.sound(places[3], 30.0, is_typical=False)
    assert line.estimate_ms == 200


def test_a_sound_of_one_that_did_not_wait_says_nothing() -> None:
    """It was made ahead of its turn, or is its second."""
    line = Line()
    waiting = line.enter(2)
    line.sound(waiting[0], 0.2)
    line.sound(waiting[0], 1.0)
    with line.scheduler.admit() as ahead:
        line.sound(ahead, 1.0)
    assert line.estimate_ms == 200


def test_it_goes_by_the_last_dozen() -> None:
    line = Line()
    places = line.enter(60)
    for place in places[:20]:
        line.sound(place, 0.1)
    assert line.estimate_ms == 40 * 100
    for place in places[20:32]:
        line.sound(place, 1.0)
    assert line.estimate_ms == 28 * 1000
    for place in places[32:44]:
        line.sound(place, 0.1)
    assert line.estimate_ms == 16 * 100


def test_a_few_that_take_long_do_not_count_for_all() -> None:
    line = Line()
    for seconds in (0.1, 0.1, 3.0, 0.1, 4.0, 0.1, 0.1):
        line.sound(line.enter()[0], seconds)
    line.enter(10)
    assert line.estimate_ms == 10 * 100


def test_one_who_waits_for_a_slow_voice_tells_nothing_of_those_who_come_meanwhile() -> None:
    line = Line()
    slow = line.enter()[0]
    for _ in range(6):
        line.clock.seconds += 5
        line.sound(line.enter()[0], 0.05)
    assert line.estimate_ms == 50, "it waits still"
    line.sound(slow, 20.0)
    line.enter(3)
    assert line.estimate_ms == 3 * 50


def test_who_still_hears_what_came_before_waits_for_nothing() -> None:
    """However long that takes: the engine has served others, and first of all those who hear nothing."""
    line = Line()
    line.sound(line.enter()[0], 0.1)
    behind = [line.stack.enter_context(line.scheduler.admit()) for _ in range(200)]
    for place in behind:
        place.waits(line.clock.now() + 10)
    assert line.scheduler.queue_depth == 0 and line.estimate_ms == 0 and line.scheduler.ready
    for place in behind[:50]:
        line.sound(place, 0.19)
    assert line.scheduler.queue_depth == 0
    line.clock.seconds += 1
    assert line.scheduler.queue_depth == 150, "they have run dry"
    assert "15.0 s" in line.refused().message
    for place in behind:
        place.waits(math.inf)
    assert line.scheduler.queue_depth == 0 and line.scheduler.ready, "they have paused"


def test_many_who_come_at_once_are_refused_as_soon_as_the_first_have_sound() -> None:
    """Three hundred, within a tenth of a second; each takes the engine 30 ms."""
    line = Line()
    for _ in range(12):
        line.sound(line.enter()[0], 0.08)
    line.clock.seconds += 60
    admitted: list[Place] = []
    refused: list[QueueFullError] = []
    for _ in range(300):
        line.clock.seconds += 0.1 / 300
        try:
            admitted += line.enter()
        except QueueFullError as error:
            refused.append(error)
    assert len(refused) > 200, "by what one has waited for before"
    assert all(5000 < error.retry_after_ms < 6000 for error in refused)
    for place in admitted:
        line.sound(place, 0.03)
        line.scheduler.check_room()
    assert line.estimate_ms == 0 and line.clock.now() < 100 + 12 * 0.08 + 60 + 5


@pytest.mark.parametrize(
    ("interval_s", "retry_after_ms"), [(0.0001, 100), (0.25, 500), (14.9, 29_800), (1000.0, 30_000)]
)
def test_when_to_come_again_is_neither_at_once_nor_never(interval_s: float, retry_after_ms: int) -> None:
    """Also of a line that is full, whatever the wait."""
    line = Line(max_wait_ms=0, queue=2)
    first, _ = line.enter(2)
    assert line.refused().retry_after_ms == 1000, "nothing is known yet"
    line.sound(first, interval_s)
    line.enter()
    assert line.refused().retry_after_ms == retry_after_ms


def test_without_a_place_it_is_told_when_those_who_wait_will_have_been_served() -> None:
    line = Line(places=3)
    first, second, _ = line.enter(3)
    line.sound(first, 0.4)
    assert "3 utterances are being spoken" in line.refused().message
    assert line.refused().retry_after_ms == 800
    line.sound(second, 0.4)
    assert line.refused().retry_after_ms == 400


@given(
    st.lists(
        st.tuples(
            st.sampled_from("aaawwwsscl"),
            st.integers(0, 7),
            st.floats(0, 2, width=32),
            st.sampled_from([0.0, 0.0, 0.0, 1.0, math.inf]),
        ),
        max_size=60,
    )
)
def test_whatever_happens_the_estimate_is_that_of_those_who_wait(
    steps: list[tuple[str, int, float, float]],
) -> None:
    """Steps: admit, wait (from a while on), sound (or out of a cache), leave."""
    line = Line(max_wait_ms=1500)
    places: list[tuple[ExitStack, Place]] = []
    waiting: dict[Place, float] = {}
    intervals: list[float] = []
    last = -math.inf
    for step, which, seconds, later_s in steps:
        line.clock.seconds += seconds
        now = line.clock.now()
        stack, place = places[which % len(places)] if places else (ExitStack(), None)
        if step == "a" and line.scheduler.ready:
            stack = ExitStack()
            places.append((stack, stack.enter_context(line.scheduler.admit())))
        elif step == "w" and place is not None:
            waiting[place] = now + later_s
            place.waits(now + later_s)
        elif step in "sc" and place is not None:
            place.sounds(is_typical=step == "s")
            silent_from = waiting.pop(place, math.inf)
            if step == "s" and silent_from <= now:
                intervals.append(now - max(last, silent_from))
                last = now
        elif step == "l" and place is not None:
            places.remove((stack, place))
            stack.close()
            waiting.pop(place, None)
        depth = sum(silent_from <= now for silent_from in waiting.values())
        estimate_s = line.scheduler.estimated_wait_ms / 1000
        if intervals:
            assert depth * min(intervals) - 1e-6 <= estimate_s <= depth * max(intervals) + 1e-6
        else:
            assert estimate_s == 0
        assert line.scheduler.ready == (estimate_s <= 1.5)
        assert line.scheduler.queue_depth == depth
    for stack, _ in places:
        stack.close()
    assert (line.scheduler.admitted, line.scheduler.queue_depth, line.estimate_ms) == (0, 0, 0)
