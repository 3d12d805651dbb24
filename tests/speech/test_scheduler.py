"""Admission: no more than the limits, every event to its utterance, and no path that leaks a place."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.engines.engine import Cancel, Chunk, Failure, Feed, Finish, Freed, Grant, Open, Stats
from realtime.errors import ErrorCode, QueueFullError
from realtime.speech.scheduler import Scheduler, Utterance, UtteranceEvent
from realtime.speech.waiting import Place
from realtime.types import AudioChunk, TextPiece, VoiceReference
from tests.speech.by_hand import HandClock, HandEngine


class Setup:
    """A scheduler on a hand-driven engine; `cancelled` are the times to free that were told."""

    def __init__(self, limit: int = 2, queue: int = 100) -> None:
        self.engine = HandEngine()
        self.clock = HandClock()
        self.cancelled: list[tuple[int, float]] = []
        self.scheduler = Scheduler(
            self.engine,
            self.clock,
            limit,
            lambda number, seconds: self.cancelled.append((number, seconds)),
            queue,
        )
        asyncio.run(self.scheduler.start())

    def open(self) -> Utterance:
        return self.scheduler.open("tone", "en", ignore)


def ignore(event: UtteranceEvent) -> None:
    pass


def chunk(utterance: int) -> Chunk:
    return Chunk(utterance, AudioChunk(0, np.zeros(10, np.float32), 24_000))


def test_commands_carry_the_number_of_the_utterance() -> None:
    s = Setup()
    piece = TextPiece(0, "Hi", (0, 2), (), "en")
    first = s.scheduler.open("tone", "en", ignore, seed=5)
    second = s.scheduler.open("tone", "en", ignore)
    assert first.number != second.number
    first.feed(piece)
    first.grant(500, 7.5)
    first.finish()
    number = first.number
    assert s.engine.commands == [
        Open(number, "tone", "en", 5),
        Open(second.number, "tone", "en"),
        Feed(number, piece),
        Grant(number, 500, 7.5),
        Finish(number),
    ]


def test_an_utterance_is_opened_with_all_that_its_voice_needs() -> None:
    s = Setup()
    reference = VoiceReference("00ff", "/somewhere/00ff.flac", "What is said in it.")
    number = s.scheduler.open(
        "anna", "de", ignore, seed=7, auto_voices=(("en", "tone"),), reference=reference
    ).number
    assert s.engine.commands == [Open(number, "anna", "de", 7, (("en", "tone"),), reference)]


def test_the_engine_is_told_to_forget_a_recording() -> None:
    s = Setup()
    asyncio.run(s.scheduler.forget("00ff"))
    assert s.engine.forgotten == ["00ff"] and s.engine.commands == []


def test_beyond_the_limit_is_refused_with_a_time_to_retry() -> None:
    s = Setup(limit=2)
    with s.scheduler.admit(), s.scheduler.admit():
        assert s.scheduler.admitted == 2 and not s.scheduler.ready and s.scheduler.engine_ready
        with pytest.raises(QueueFullError) as caught, s.scheduler.admit():
            pytest.fail("there was no place")
        assert caught.value.retry_after_ms > 0 and caught.value.code == ErrorCode.QUEUE_FULL
        with pytest.raises(QueueFullError):
            s.scheduler.check_room()
        assert s.scheduler.admitted == 2
    assert s.scheduler.admitted == 0 and s.scheduler.ready
    with s.scheduler.admit():
        assert s.scheduler.admitted == 1
        s.scheduler.check_room()


def test_admission_alone_opens_nothing_at_the_engine() -> None:
    s = Setup()
    with s.scheduler.admit():
        pass
    assert s.engine.commands == []


class TestTheQueue:
    """Those that have given text and hear nothing yet."""

    def test_who_waits_is_counted_until_it_sounds(self) -> None:
        s = Setup(limit=10)
        with s.scheduler.admit() as first, s.scheduler.admit() as second:
            assert s.scheduler.queue_depth == 0, "without text nobody waits"
            first.waits(s.clock.now())
            first.waits(s.clock.now())
            second.waits(s.clock.now())
            assert s.scheduler.queue_depth == 2
            first.sounds()
            first.sounds()
            assert s.scheduler.queue_depth == 1
        assert s.scheduler.queue_depth == 0

    def test_one_more_than_may_wait_is_refused(self) -> None:
        s = Setup(limit=10, queue=2)
        with s.scheduler.admit() as first, s.scheduler.admit() as second:
            first.waits(s.clock.now())
            assert s.scheduler.ready
            second.waits(s.clock.now())
            assert not s.scheduler.ready
            with pytest.raises(QueueFullError) as caught, s.scheduler.admit():
                pytest.fail("too many wait already")
            assert caught.value.retry_after_ms > 0 and "2 utterances wait" in caught.value.message
            second.sounds()
            with s.scheduler.admit() as third:
                third.waits(s.clock.now())
                assert not s.scheduler.ready
            assert s.scheduler.ready and s.scheduler.queue_depth == 1

    @pytest.mark.parametrize("error", [RuntimeError, asyncio.CancelledError])
    def test_who_goes_away_waits_no_longer(self, error: type[BaseException]) -> None:
        s = Setup()
        with pytest.raises(error), s.scheduler.admit() as place:
            place.waits(s.clock.now())
            raise error
        assert (s.scheduler.queue_depth, s.scheduler.admitted) == (0, 0)


def test_not_ready_while_the_engine_is_not() -> None:
    s = Setup()
    s.engine.ready = False
    assert not s.scheduler.ready and not s.scheduler.engine_ready


def test_each_hears_its_own_events_until_it_is_closed() -> None:
    s = Setup()
    heard: list[UtteranceEvent] = []
    other: list[UtteranceEvent] = []
    mine = s.scheduler.open("tone", "en", heard.append)
    theirs = s.scheduler.open("tone", "en", other.append)
    first, failure, last = chunk(mine.number), Failure(theirs.number, "no"), chunk(mine.number)
    for event in (first, failure, Freed(theirs.number), Stats(2, 1, 1), last):
        s.engine.on_event(event)
    mine.close()
    s.engine.on_event(chunk(mine.number))
    s.engine.on_event(Freed(mine.number))
    s.engine.on_event(chunk(999))
    assert heard == [first, last] and other == [failure, Freed(theirs.number)]
    assert s.scheduler.stats == Stats(2, 1, 1)


@pytest.mark.parametrize("cancelled", [True, False])
@pytest.mark.parametrize("again", [True, False])
def test_however_it_is_closed_the_engine_is_told_once(cancelled: bool, again: bool) -> None:
    s = Setup()
    utterance = s.open()
    utterance.close(cancelled)
    utterance.close(again)
    assert s.engine.cancels() == [utterance.number]
    s.engine.on_event(Freed(utterance.number))
    utterance.close(again)
    assert s.engine.cancels() == [utterance.number]
    assert not s.scheduler._held and not s.scheduler._listeners


def test_what_the_engine_has_freed_is_not_cancelled() -> None:
    s = Setup()
    utterance = s.open()
    s.engine.on_event(Freed(utterance.number))
    utterance.close(cancelled=True)
    assert s.engine.cancels() == [] and s.cancelled == []


def test_the_time_to_let_go_of_a_cancelled_utterance_is_told() -> None:
    s = Setup()
    utterance = s.open()
    utterance.close(cancelled=True)
    s.clock.seconds += 0.25
    s.engine.on_event(Freed(utterance.number))
    assert s.cancelled == [(utterance.number, 0.25)]


def test_a_normal_end_is_no_cancel() -> None:
    s = Setup()
    utterance = s.open()
    utterance.close()
    s.engine.on_event(Freed(utterance.number))
    assert s.cancelled == []


def test_a_failure_of_the_engine_is_no_cancel() -> None:
    """Failure and Freed come together, but Freed may be heard after the utterance was closed by it."""
    s = Setup()
    utterance = s.scheduler.open("tone", "en", lambda event: utterance.close())
    s.engine.on_event(Failure(utterance.number, "no"))
    s.engine.on_event(Freed(utterance.number))
    assert s.cancelled == [] and not s.scheduler._held


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.tuples(st.sampled_from("aawWseEoocCfF"), st.integers(0, 5)), max_size=80),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_no_path_leaks_a_place(steps: list[tuple[str, int]], limit: int, queue: int) -> None:
    """Admit, wait, sound, end, open, cancel, fail, free, in any order: the counts are right all the time."""
    s = Setup(limit, queue)
    live: list[tuple[ExitStack, Place]] = []
    waiting: set[Place] = set()
    open_ones: list[Utterance] = []
    held: set[int] = set()
    for step, which in steps:
        if step == "a":
            stack = ExitStack()
            if len(live) >= limit or len(waiting) >= queue:
                with pytest.raises(QueueFullError):
                    stack.enter_context(s.scheduler.admit())
            else:
                live.append((stack, stack.enter_context(s.scheduler.admit())))
        elif step in "wWseE" and live:
            stack, place = live[which % len(live)]
            if step in "wW":
                place.waits(s.clock.now())
                waiting.add(place)
            else:
                waiting.discard(place)
                if step == "s":
                    place.sounds()
                else:
                    live.remove((stack, place))
                    error = RuntimeError() if step == "E" else None
                    stack.__exit__(type(error) if error else None, error, None)
        elif step == "o":
            open_ones.append(s.open())
            held.add(open_ones[-1].number)
        elif step == "F" and held:
            number = sorted(held)[which % len(held)]
            held.discard(number)
            s.engine.on_event(Freed(number))
        elif step in "cCf" and open_ones:
            utterance = open_ones[which % len(open_ones)]
            if step == "f":
                s.engine.on_event(Failure(utterance.number, "no"))
            else:
                utterance.close(cancelled=step == "C")
        assert (s.scheduler.admitted, s.scheduler.queue_depth) == (len(live), len(waiting))
        assert s.scheduler.ready == (len(live) < limit and len(waiting) < queue)
        assert s.scheduler._held == held
    for stack, _ in live:
        stack.close()
    for utterance in open_ones:
        utterance.close()
    for number in held:
        s.engine.on_event(Freed(number))
    assert (s.scheduler.admitted, s.scheduler.queue_depth) == (0, 0)
    assert not s.scheduler._held and not s.scheduler._cancelled_at and not s.scheduler._listeners
    cancels = [command.utterance for command in s.engine.commands if isinstance(command, Cancel)]
    assert len(cancels) == len(set(cancels))
