"""Where the listener is, whatever is sent, reported, paused and stopped in whatever order."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.session.playout import RUN_ON_S, Playout

HANDLES = st.integers(1, 4)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), HANDLES, st.floats(0, 4)),
        st.tuples(st.just("send"), HANDLES, st.floats(0, 3000)),
        st.tuples(st.just("report"), HANDLES, st.floats(-100, 9000) | st.sampled_from([0.0, 1e308])),
        st.tuples(st.sampled_from(["pause", "go_on", "stop", "forget"]), HANDLES, st.just(0.0)),
    ),
    max_size=40,
)


@given(OPERATIONS, st.lists(st.floats(0, 100), max_size=5))
@settings(max_examples=300)
def test_the_listener_is_somewhere_in_what_was_sent(
    operations: list[tuple[str, int, float]], later: list[float]
) -> None:
    """Whatever is done in whatever order: in [0, sent], still while paused, never back by the clock alone."""
    playout = Playout()
    now = 10.0
    sent: dict[int, float] = {}
    paused: set[int] = set()
    for kind, handle, value in operations:
        if kind == "wait":
            before = {each: playout.position_ms(each, now) for each in sent}
            now += value
            for each, position in before.items():
                moved = playout.position_ms(each, now) - position
                assert 0 <= moved <= value * 1000 + 1e-6
                assert each not in paused or not moved
        elif kind == "send":
            sent[handle] = sent.get(handle, 0) + value
            playout.sent(handle, sent[handle], now)
        elif kind == "report":
            playout.report(handle, value, now)
        elif kind == "stop":
            playout.stop(handle, now)
        elif kind == "forget":
            playout.forget(handle, now)
            sent.pop(handle, None)
            paused.discard(handle)
        elif kind == "pause":
            playout.pause(handle, now)
            paused |= {handle} & sent.keys()
        else:
            playout.go_on(handle, now)
            paused.discard(handle)
        for each, end in sent.items():
            times = [now, *sorted(now + seconds for seconds in later), now + 1e6]
            positions = [playout.position_ms(each, time) for time in times]
            assert positions == sorted(positions)
            assert 0 <= positions[0]
            assert positions[-1] <= end
            assert now <= playout.expected_end(each, now) < math.inf or playout.ends_at(each, now) <= now


@dataclass
class Listener:
    """One context of the reference below, in ticks."""

    sent: int = 0
    heard: int = 0
    reported: int | None = None
    reported_at: int = 0
    paused: bool = False

    def moves(self, now: int) -> bool:
        return not self.paused and (self.reported is None or now < self.reported_at + RUN_ON_TICKS)


#: The reference counts in these; all times are multiples of it, and exact in binary.
TICK_S = 1 / 16
RUN_ON_TICKS = round(RUN_ON_S / TICK_S)


class Reference:
    """The rules, played tick by tick: at each, the first context that is not heard moves, if it may."""

    def __init__(self) -> None:
        self.now = 200
        self.contexts: dict[int, Listener] = {}
        self.stopped: set[int] = set()
        self.dropped: set[int] = set()  # stopped before all was heard

    def tick(self) -> None:
        first = next((each for each in self.contexts.values() if each.heard < each.sent), None)
        if first is not None and first.moves(self.now):
            first.heard += 1
        self.now += 1

    def report(self, handle: int, played: int) -> None:
        context = self.contexts.get(handle)
        if context is None or played < (context.reported or 0):
            return
        behind = [each for other, each in self.contexts.items() if other > handle]
        if any(each.reported is not None for each in behind) or context.reported == context.sent:
            context.reported_at = self.now
            return  # heard, and so it stays
        if played:
            context.reported = context.heard = min(played, context.sent)
            context.reported_at = self.now
            for other, each in self.contexts.items():
                each.heard = each.sent if other < handle else each.heard
        elif all(each.heard == each.sent for other, each in self.contexts.items() if other < handle):
            context.heard = 0
        for other, each in self.contexts.items():
            if other > handle and other not in self.dropped:
                each.heard = 0

    def pause(self, handle: int) -> None:
        context = self.contexts.get(handle)
        if context is not None:
            context.paused = True

    def go_on(self, handle: int) -> None:
        context = self.contexts.get(handle)
        if context is not None and context.paused:
            context.paused, context.reported_at = False, self.now

    def stop(self, handle: int) -> None:
        context = self.contexts.get(handle)
        if context is not None:
            self.stopped.add(handle)
            if context.heard < context.sent:
                context.sent = context.heard
                self.dropped.add(handle)

    def ends(self, handle: int) -> float:
        """How many ticks until `handle` is heard, if nothing more is done."""
        future = Reference()
        future.now = self.now
        future.contexts = {
            each: Listener(**{name: getattr(state, name) for name in Listener.__annotations__})
            for each, state in self.contexts.items()
        }
        context = future.contexts[handle]
        left = sum(each.sent - each.heard for each in future.contexts.values())
        for ticks in range(left + 1):
            if context.heard == context.sent:
                return ticks
            future.tick()
        return math.inf


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(0, 3), st.integers(1, 60)),
        st.tuples(st.just("send"), st.integers(0, 1), st.integers(0, 60)),
        st.tuples(st.just("report"), st.integers(0, 3), st.integers(-1, 120)),
        st.tuples(st.sampled_from(["pause", "go_on", "stop"]), st.integers(0, 3), st.just(0)),
    ),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=400, deadline=None)
def test_the_listener_is_where_the_rules_put_it(steps: list[tuple[str, int, int]]) -> None:
    """Like a reference that plays them tick by tick. Contexts are sent in order, and none while paused."""
    playout, reference = Playout(), Reference()
    for kind, which, ticks in steps:
        now = reference.now * TICK_S
        handle = max(1, len(reference.contexts) - which)
        if kind == "wait":
            for _ in range(ticks):
                reference.tick()
        elif kind == "send":
            last = len(reference.contexts)
            current = reference.contexts.get(last)
            if current is None or which or current.paused or last in reference.stopped:
                last, current = last + 1, Listener()
                reference.contexts[last] = current
            current.sent += ticks
            playout.sent(last, current.sent * TICK_S * 1000, now)
        elif kind == "report":
            reference.report(handle, ticks)
            playout.report(handle, ticks * TICK_S * 1000, now)
        else:
            getattr(reference, kind)(handle)
            getattr(playout, kind)(handle, now)
        now = reference.now * TICK_S
        for each, context in reference.contexts.items():
            assert playout.position_ms(each, now) == pytest.approx(context.heard * TICK_S * 1000, abs=1e-3)
            if not context.sent:
                continue
            left_s = max(0.0, playout.ends_at(each, now) - now)
            assert left_s == pytest.approx(reference.ends(each) * TICK_S, abs=1e-6), each
