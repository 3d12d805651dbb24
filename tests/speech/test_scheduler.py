"""Admission: no more than the limit, every event to its utterance, and no path that leaks a place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.engines.engine import (
    Cancel,
    Capabilities,
    Chunk,
    Command,
    Event,
    Failure,
    Feed,
    Finish,
    Freed,
    Grant,
    Open,
    Stats,
)
from realtime.errors import ErrorCode, QueueFullError
from realtime.speech.scheduler import Scheduler, Utterance, UtteranceEvent
from realtime.types import AudioChunk, TextPiece, VoiceSettings

SETTINGS = VoiceSettings("tone", "en", seed=5)


class HandEngine:
    """An engine whose events the test sends by hand."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.ready = True
        self.on_event: Callable[[Event], None] = lambda event: None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("hand", ("tone",), ("en",), 24_000)

    async def start(self, on_event: Callable[[Event], None]) -> None:
        self.on_event = on_event

    def send(self, command: Command) -> None:
        self.commands.append(command)

    async def stop(self) -> None:
        self.ready = False


class HandClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return self.seconds


class Setup:
    """A scheduler on a hand-driven engine; `cancelled` are the times to free that were told."""

    def __init__(self, limit: int = 2) -> None:
        self.engine = HandEngine()
        self.clock = HandClock()
        self.cancelled: list[tuple[int, float]] = []
        self.scheduler = Scheduler(
            self.engine, self.clock, limit, lambda number, seconds: self.cancelled.append((number, seconds))
        )
        asyncio.run(self.scheduler.start())

    def cancels(self) -> list[int]:
        return [command.utterance for command in self.engine.commands if isinstance(command, Cancel)]


def ignore(event: UtteranceEvent) -> None:
    pass


def chunk(utterance: int) -> Chunk:
    return Chunk(utterance, AudioChunk(0, np.zeros(10, np.float32), 24_000))


def test_commands_carry_the_number_of_the_utterance() -> None:
    s = Setup()
    piece = TextPiece(0, "Hi", (0, 2), (), "en")
    with s.scheduler.admit(ignore) as first, s.scheduler.admit(ignore) as second:
        assert first.number != second.number
        second.open(SETTINGS)
        second.feed(piece)
        second.grant(500, 7.5)
        second.finish()
        number = second.number
    assert s.engine.commands[:4] == [
        Open(number, "tone", "en", 5),
        Feed(number, piece),
        Grant(number, 500, 7.5),
        Finish(number),
    ]


def test_beyond_the_limit_is_refused_with_a_time_to_retry() -> None:
    s = Setup(limit=2)
    with s.scheduler.admit(ignore), s.scheduler.admit(ignore):
        assert s.scheduler.admitted == 2 and not s.scheduler.ready and s.scheduler.engine_ready
        with pytest.raises(QueueFullError) as caught, s.scheduler.admit(ignore):
            pytest.fail("there was no place")
        assert caught.value.retry_after_ms > 0 and caught.value.code == ErrorCode.QUEUE_FULL
        assert s.scheduler.admitted == 2
    assert s.scheduler.admitted == 0 and s.scheduler.ready
    with s.scheduler.admit(ignore):
        assert s.scheduler.admitted == 1


def test_not_ready_while_the_engine_is_not() -> None:
    s = Setup()
    s.engine.ready = False
    assert not s.scheduler.ready and not s.scheduler.engine_ready


def test_each_hears_its_own_events_while_it_is_admitted() -> None:
    s = Setup()
    heard: list[UtteranceEvent] = []
    other: list[UtteranceEvent] = []
    with s.scheduler.admit(heard.append) as mine, s.scheduler.admit(other.append) as theirs:
        mine.open(SETTINGS)
        theirs.open(SETTINGS)
        first, failure, last = chunk(mine.number), Failure(theirs.number, "no"), chunk(mine.number)
        for event in (first, failure, Stats(2, 1, 1), last):
            s.engine.on_event(event)
    s.engine.on_event(chunk(mine.number))
    s.engine.on_event(Freed(mine.number))
    s.engine.on_event(chunk(999))
    assert heard == [first, last] and other == [failure]
    assert s.scheduler.stats == Stats(2, 1, 1)


@pytest.mark.parametrize("opened", [True, False])
@pytest.mark.parametrize("error", [None, RuntimeError, asyncio.CancelledError])
def test_whatever_ends_it_the_engine_is_told_once_if_it_still_holds_it(
    opened: bool, error: type[BaseException] | None
) -> None:
    s = Setup()
    number = 0
    try:
        with s.scheduler.admit(ignore) as utterance:
            number = utterance.number
            if opened:
                utterance.open(SETTINGS)
            if error is not None:
                raise error
    except (RuntimeError, asyncio.CancelledError):
        assert error is not None
    assert s.scheduler.admitted == 0
    assert s.cancels() == ([number] if opened else [])


def test_what_the_engine_has_freed_is_not_cancelled() -> None:
    s = Setup()
    with s.scheduler.admit(ignore) as utterance:
        utterance.open(SETTINGS)
        s.engine.on_event(Freed(utterance.number))
    assert s.cancels() == []


def test_the_time_to_let_go_of_a_cancelled_utterance_is_told() -> None:
    s = Setup()
    with pytest.raises(asyncio.CancelledError), s.scheduler.admit(ignore) as utterance:
        utterance.open(SETTINGS)
        raise asyncio.CancelledError
    s.clock.seconds += 0.25
    s.engine.on_event(Freed(utterance.number))
    assert s.cancelled == [(utterance.number, 0.25)]


def test_a_normal_end_is_no_cancel() -> None:
    s = Setup()
    with s.scheduler.admit(ignore) as utterance:
        utterance.open(SETTINGS)
    s.engine.on_event(Freed(utterance.number))
    assert s.cancelled == []


def test_a_failure_of_the_engine_is_no_cancel() -> None:
    """Failure and Freed come together, but Freed may be heard after the utterance has ended by it."""
    s = Setup()
    with pytest.raises(RuntimeError), s.scheduler.admit(ignore) as utterance:
        utterance.open(SETTINGS)
        s.engine.on_event(Failure(utterance.number, "no"))
        raise RuntimeError
    s.engine.on_event(Freed(utterance.number))
    assert s.cancelled == []


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.sampled_from("aoecfFs"), st.integers(0, 5)), max_size=60), st.integers(1, 4))
def test_no_path_leaks_a_place(steps: list[tuple[str, int]], limit: int) -> None:
    """Admit, open, end, cancel, fail, free, and shed, in any order: the counts are right all the time."""
    s = Setup(limit)
    live: list[tuple[ExitStack, Utterance]] = []
    opened: list[int] = []
    for step, which in steps:
        if step == "a":
            stack = ExitStack()
            if len(live) >= limit:
                with pytest.raises(QueueFullError):
                    stack.enter_context(s.scheduler.admit(ignore))
            else:
                live.append((stack, stack.enter_context(s.scheduler.admit(ignore))))
        elif step == "F" and opened:
            s.engine.on_event(Freed(opened.pop(which % len(opened))))
        elif live:
            stack, utterance = live[which % len(live)]
            if step == "o" and utterance.number not in opened:
                utterance.open(SETTINGS)
                opened.append(utterance.number)
            elif step == "f":
                s.engine.on_event(Failure(utterance.number, "no"))
            elif step in "ec":
                live.remove((stack, utterance))
                error = RuntimeError() if step == "c" else None
                stack.__exit__(type(error) if error else None, error, None)
        assert s.scheduler.admitted == len(live)
        assert s.scheduler.ready == (len(live) < limit)
    for stack, _ in live:
        stack.close()
    for number in opened:
        s.engine.on_event(Freed(number))
    assert s.scheduler.admitted == 0
    assert not s.scheduler._held and not s.scheduler._cancelled_at
