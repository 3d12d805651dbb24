"""Several utterances in one step: who takes part, who leaves, and that a fault is nobody else's."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
import structlog

from realtime.engines.batches import _STEPS_AHEAD, Batches
from realtime.engines.crews import crew_for
from realtime.engines.engine import (
    Cancel,
    Chunk,
    DeviceMemory,
    Event,
    Failure,
    Feed,
    Finish,
    Flush,
    Freed,
    Grant,
    Open,
    Stats,
    Steps,
)
from realtime.engines.process import ProcessEngine
from realtime.engines.synthesizer import AnySynthesizer, Made
from realtime.engines.thread import ThreadEngine
from realtime.engines.tone import ToneSynthesizer
from realtime.engines.workers import Workers
from realtime.types import AudioChunk, TextPiece
from tests.engines import test_process
from tests.engines.batching import (
    BatchedSynthesizer,
    LateSynthesizer,
    Sounding,
    Speech,
    SteppedSynthesizer,
    make,
)
from tests.engines.test_process import running, sound_of
from tests.engines.test_workers import Log, levels

FACTORY = "tests.engines.batching:make"


def at(deadline: float) -> float:
    """Deadlines so far apart, and so late, that what is made does not change their order."""
    return 1e9 + 1000 * deadline


class Bench:
    """Batches whose steps the test makes, and what came of them."""

    def __init__(self) -> None:
        self.synthesizer = SteppedSynthesizer()
        self.log = Log()
        self.table = [0, 0]
        self.batches = Batches(self.synthesizer, self.log, self.table)

    def speak(
        self, utterance: int, *texts: str, deadline: float = 0, grant: int = 100_000, finish: bool = True
    ) -> None:
        self.batches.handle(Open(utterance, "batched", "en"))
        self.batches.handle(Grant(utterance, grant, at(deadline)))
        for segment, text in enumerate(texts):
            self.batches.handle(Feed(utterance, TextPiece(segment, text, (0, len(text)), (), "en")))
        if finish:
            self.batches.handle(Finish(utterance))

    def step(self) -> str:
        """Who takes part in the next step, which is made."""
        names = self.synthesizer.next()
        self.synthesizer.go_on()
        return names


@contextmanager
def bench() -> Iterator[Bench]:
    made = Bench()
    made.batches.start()
    try:
        yield made
    finally:
        made.synthesizer.go_on(1000)
        made.batches.stop()


def test_as_many_as_there_is_room_for_take_part_and_the_next_follow() -> None:
    with bench() as b:
        b.speak(1, "ada 3", deadline=1)
        assert b.synthesizer.next() == "ada"
        for utterance, name in ((2, "bea"), (3, "cyd"), (4, "dan")):
            b.speak(utterance, f"{name} 2", deadline=utterance)
        b.synthesizer.go_on()
        assert [b.step() for _ in range(4)] == ["ada bea", "ada bea", "cyd dan", "cyd dan"]
        b.log.wait_freed(1, 2, 3, 4)
        assert levels(b.log, 1) == [0, 1, 2]
        assert levels(b.log, 2) == levels(b.log, 3) == levels(b.log, 4) == [0, 1]
        assert b.synthesizer.closed == ["ada", "bea", "cyd", "dan"]
        b.log.wait(lambda events: events[-1] == Stats(0, 0, 0))
        times = [e.queue_s for e in b.log.events if isinstance(e, Chunk) and e.utterance == 4]
        assert times[0] > 0 and times[1] == 0, "the wait for a place is told once"


def test_every_step_is_told_of_with_the_utterances_in_it() -> None:
    with bench() as b:
        b.speak(1, "ada 3", deadline=1)
        b.synthesizer.next()
        b.speak(2, "bea 40", deadline=2)
        b.synthesizer.go_on(100)
        b.log.wait_freed(1, 2)
        b.log.wait(lambda events: events[-1] == Stats(0, 0, 0))
    told = [event.steps for event in b.log.events if isinstance(event, Steps)]
    steps = [step for each in told for step in each]
    assert [step.utterances for step in steps] == [1, 2, 2] + [1] * 38
    assert all(step.seconds > 0 for step in steps)
    assert len(told) == 3 and len(told[0]) == 16, "many at once, and the rest at the end"


def test_the_more_urgent_takes_the_place_of_the_least_at_the_next_step() -> None:
    with bench() as b:
        b.speak(1, "first 9", deadline=50)
        b.synthesizer.next()
        b.speak(2, "patient 3", deadline=70)
        b.synthesizer.go_on()
        assert b.synthesizer.next() == "first patient"
        assert b.table == [1, 2]
        b.speak(3, "urgent 2", deadline=10)
        b.speak(4, "idle 1", deadline=90)
        b.synthesizer.go_on()
        assert b.synthesizer.next() == "first urgent"
        assert b.table == [1, 3]
        b.batches.handle(Grant(1, 100_000, at(80)))  # it can wait now, for those who could not
        b.synthesizer.go_on()
        steps = [b.step() for _ in range(4)]
        assert steps == ["urgent patient", "patient first", "first idle", "first"]
        assert b.synthesizer.closed == ["urgent", "patient", "idle"]
        b.synthesizer.go_on(10)
        b.log.wait_freed(1, 2, 3, 4)
        assert levels(b.log, 2) == [0, 1, 2], "it was parked and went on"
        b.log.wait(lambda events: events[-1] == Stats(0, 0, 0))
    assert b.table == [0, 0]


def test_the_segments_of_an_utterance_come_one_after_the_other() -> None:
    with bench() as b:
        b.speak(1, "one 2", "two 1")
        assert [b.step() for _ in range(3)] == ["one", "one", "two"]
        b.log.wait_freed(1)
    assert [e.audio.segment for e in b.log.events if isinstance(e, Chunk)] == [0, 0, 1]


def test_what_has_enough_is_parked() -> None:
    with bench() as b:
        b.speak(1, "ada 4", grant=150)
        b.speak(2, "bea 9", deadline=5)
        steps = [b.step() for _ in range(4)]
        assert steps[-1] == "bea" and sum("ada" in step for step in steps) == 2
        b.log.wait(lambda events: levels(b.log, 1) == [0, 1])  # 200 ms of the 150 that were granted
        assert b.synthesizer.next() == "bea"
        b.batches.handle(Grant(1, 10_000, at(0)))
        b.synthesizer.go_on()
        assert b.step() == "bea ada"
        b.synthesizer.go_on(10)
        b.log.wait_freed(1, 2)
        assert levels(b.log, 1) == [0, 1, 2, 3]


def test_what_is_held_back_does_not_use_up_what_was_granted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of sound that is not firm its listener hears nothing, and so never grants more."""
    kept: list[AudioChunk] = []

    def chunks(sound: Sounding) -> list[AudioChunk]:
        kept.extend(sound._chunks)
        return kept if len(kept) == 3 else []

    monkeypatch.setattr(Sounding, "chunks", chunks)
    with bench() as b:
        b.speak(1, "ada 9", grant=100)
        assert [b.step() for _ in range(3)] == ["ada"] * 3
        b.log.wait(lambda events: levels(b.log, 1) == [0, 1, 2])
        assert not b.batches._running, "300 ms were heard of the 100 that were granted"


def test_who_is_parked_for_what_was_not_made_after_all_goes_on() -> None:
    """That it ended before what was begun is known a step later."""

    class Hasty(LateSynthesizer):
        def step(self, streams: Sequence[Speech], deadlines: Sequence[float]) -> Sequence[Made[Speech]]:
            made = super().step(streams, deadlines)
            for result in made:
                result.stream.made_ms -= 60
            for stream in streams:
                stream.made_ms += 60
            return made

    log = Log()
    batches = Batches(Hasty(), log)
    batches.start()
    batches.handle(Open(1, "batched", "en"))
    batches.handle(Grant(1, 130, at(0)))
    batches.handle(Feed(1, TextPiece(0, "ada 3", (0, 5), (), "en")))
    log.wait(lambda events: levels(log, 1) == [0, 1])
    batches.handle(Cancel(1))
    log.wait_freed(1)
    batches.stop()


@pytest.mark.parametrize(
    ("name", "message", "made"),
    [
        ("refuse", "cannot say this", 0),
        ("fail", "the engine failed on this text (ValueError)", 0),
        ("bad", "lost its voice", 1),
        ("mute", "the engine failed on this text (ValueError)", 0),
    ],
)
def test_an_utterance_that_fails_fails_alone(name: str, message: str, made: int) -> None:
    with bench() as b:
        b.speak(1, "well 3")
        b.synthesizer.next()
        b.speak(2, f"{name} 3", "never 1")
        b.synthesizer.go_on(10)
        b.log.wait_freed(1, 2)
    assert b.log.of(1) == ["Chunk", "Chunk", "Chunk", "Freed"]
    assert b.log.of(2) == ["Chunk"] * made + ["Failure", "Freed"]
    assert [e for e in b.log.events if isinstance(e, Failure)] == [Failure(2, message)]
    assert len(b.synthesizer.closed) == 2


def test_one_that_cannot_be_opened_or_fed_makes_no_step() -> None:
    with bench() as b:
        b.speak(1, "refuse 1")
        b.log.wait_freed(1)
        b.batches.handle(Open(2, "closed", "en"))
        b.batches.handle(Feed(2, TextPiece(0, "well 1", (0, 6), (), "en")))
        b.batches.handle(Grant(2, 1000, 0))
        b.log.wait_freed(2)
        b.speak(3, "well 1")
        assert b.step() == "well"
    assert [e.message for e in b.log.events if isinstance(e, Failure)] == [
        "cannot say this",
        "this voice is closed",
    ]


def test_a_step_that_fails_fails_all_that_take_part() -> None:
    message = "the engine failed on this text (ValueError)"
    with bench() as b:
        b.speak(1, "ada 3")
        b.synthesizer.next()
        b.speak(2, "crash 1")
        b.speak(3, "later 1", deadline=9)
        b.synthesizer.go_on(10)
        b.log.wait_freed(1, 2, 3)
    assert b.log.of(1) == ["Chunk", "Failure", "Freed"] and b.log.of(2) == ["Failure", "Freed"]
    assert b.log.of(3) == ["Chunk", "Freed"]
    failures = [e for e in b.log.events if isinstance(e, Failure)]
    assert failures == [Failure(1, message), Failure(2, message)]
    assert sorted(b.synthesizer.closed) == ["ada", *sorted(["crash", "later"])]


def test_what_is_cancelled_leaves_at_the_next_step() -> None:
    with bench() as b:
        b.speak(1, "ada 9", "never 1")
        b.speak(2, "bea 9")
        while b.synthesizer.next() != "ada bea":
            b.synthesizer.go_on()
        b.batches.handle(Cancel(1))
        b.batches.handle(Cancel(1))
        assert "Freed" not in b.log.of(1)
        b.synthesizer.go_on()
        assert b.synthesizer.next() == "bea"
        b.log.wait_freed(1)
        assert b.synthesizer.closed == ["ada"]
        before = len(b.log.of(1))
        b.synthesizer.go_on(10)
        b.log.wait_freed(2)
        assert len(b.log.of(1)) == before and "Failure" not in b.log.of(1)


def test_what_is_cancelled_while_it_is_parked_is_closed_before_it_is_free() -> None:
    with bench() as b:
        b.speak(1, "ada 9", grant=1)
        assert b.step() == "ada"
        b.log.wait(lambda events: Stats(1, 0, 0) in events)
        b.batches.handle(Cancel(1))
        b.batches.handle(Cancel(1))
        b.log.wait_freed(1)
        assert b.synthesizer.closed == ["ada"] and b.log.of(1) == ["Chunk", "Freed"]


def test_a_stream_that_will_not_close_is_logged() -> None:
    with structlog.testing.capture_logs() as logs, bench() as b:
        b.speak(1, "sticky 1")
        assert b.step() == "sticky"
        b.log.wait_freed(1)
    assert [entry["event"] for entry in logs] == ["engine_stream_not_closed"]


def test_who_has_nothing_to_say_yet_holds_nobody_up() -> None:
    with bench() as b:
        b.speak(1, "slow 2")
        b.synthesizer.go_on(3)
        b.log.wait_freed(1)
    assert b.log.of(1) == ["Chunk", "Chunk", "Freed"]
    first = next(e for e in b.log.events if isinstance(e, Chunk))
    assert first.queue_s > 0


def test_what_has_run_dry_is_parked_and_goes_on_with_more_text() -> None:
    with bench() as b:
        b.speak(1, "ada 1", deadline=99, finish=False)
        b.speak(2, "bea 9", deadline=99)
        while b.synthesizer.next() != "bea":
            b.synthesizer.go_on()
        b.log.wait(lambda events: levels(b.log, 1) == [0])
        assert "Freed" not in b.log.of(1)
        b.batches.handle(Feed(1, TextPiece(1, "eve 1", (0, 5), (), "en")))
        b.synthesizer.go_on()
        assert b.step() == "bea eve"
        while b.synthesizer.next() != "bea":
            b.synthesizer.go_on()
        b.batches.handle(Finish(1))
        b.synthesizer.go_on(20)
        b.log.wait_freed(1, 2)
    assert levels(b.log, 1) == [0, 0] and levels(b.log, 2) == list(range(9))


def test_a_flush_keeps_its_place_in_the_text() -> None:
    with bench() as b:
        b.speak(1, "ada 1", "bea 1", deadline=99, finish=False)
        b.batches.handle(Flush(1))
        b.batches.handle(Flush(1))
        b.batches.handle(Feed(1, TextPiece(2, "cyd 1", (0, 5), (), "en")))
        assert [b.step() for _ in range(3)] == ["ada", "bea", "cyd"]
        b.log.wait(lambda events: events[-1:] == [Stats(1, 0, 0)])
        (stream,) = (part.utterance.work for part in b.batches._parts.values())
        assert isinstance(stream, Speech)
        flushes = len(stream.flushes)
        assert flushes >= 1
        b.batches.handle(Flush(1))
        while len(stream.flushes) == flushes:
            time.sleep(0.001)
        assert stream.flushes[-1] == 0


def test_a_flush_that_comes_while_text_is_handed_over_is_not_slept_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with bench() as b:

        def feed(stream: Speech, pieces: Sequence[TextPiece]) -> None:
            stream.pieces += pieces
            b.batches.handle(Flush(1))

        monkeypatch.setattr(Speech, "feed", feed)
        monkeypatch.setattr(
            Speech, "next_step_at", lambda stream, deadline: -math.inf if stream.flushes else math.inf
        )
        b.speak(1, "ada 1", finish=False)
        assert b.step() == "ada", "it speaks after a flush alone"


def test_what_has_run_dry_alone_ends_with_its_text() -> None:
    with bench() as b:
        b.speak(1, "ada 1", deadline=99, finish=False)
        assert b.step() == "ada"
        b.log.wait(lambda events: Stats(1, 0, 0) in events)
        b.batches.handle(Finish(1))
        b.synthesizer.go_on()
        b.log.wait_freed(1)
    assert b.log.of(1) == ["Chunk", "Freed"]


def test_what_has_run_dry_goes_on_by_itself_when_its_listener_needs_it() -> None:
    """Nothing else happens: the thread wakes by itself; and a deadline that moves moves that, too."""
    with bench() as b:
        b.speak(1, "ada 1", deadline=99, finish=False)
        assert b.step() == "ada"
        b.log.wait(lambda events: Stats(1, 0, 0) in events)
        b.batches.handle(Grant(1, 100_000, time.monotonic() + 0.2))
        b.synthesizer.go_on(1)
        assert b.synthesizer.next() == "ada", "it takes part again, with nothing to say"
        b.batches.handle(Cancel(1))
        b.synthesizer.go_on()
        b.log.wait_freed(1)


def test_what_is_held_goes_on_when_the_synthesizer_says_so() -> None:
    with bench() as b:
        b.speak(1, "ada 1", deadline=99, finish=False)
        b.speak(2, "bea 9", deadline=99)
        b.batches.handle(Cancel(2))
        assert "ada" in b.step()
        b.log.wait_freed(2)
        b.log.wait(lambda events: events[-1:] == [Stats(1, 0, 0)])
        (stream,) = (part.utterance.work for part in b.batches._parts.values())
        assert isinstance(stream, Speech)
        stream.goes_on_at = 0.0
        b.synthesizer.on_change()
        b.synthesizer.go_on()
        assert b.synthesizer.next() == "ada"


def test_what_a_step_has_begun_is_fetched_by_a_step_with_nobody() -> None:
    log, synthesizer = Log(), LateSynthesizer()
    batches = Batches(synthesizer, log)
    batches.start()
    batches.handle(Open(1, "batched", "en"))
    batches.handle(Grant(1, 1_000, 0))
    batches.handle(Feed(1, TextPiece(0, "ada 3", (0, 5), (), "en")))
    log.wait(lambda events: levels(log, 1) == [0, 1, 2])
    log.wait(lambda events: events[-1] == Stats(1, 0, 0))
    assert synthesizer.empty_steps >= 1
    batches.handle(Finish(1))
    log.wait_freed(1)
    batches.stop()
    assert synthesizer.closed == ["ada"]


def test_a_stop_closes_what_is_under_way_and_what_is_parked() -> None:
    with bench() as b:
        b.speak(1, "ada 9", grant=1)
        assert b.step() == "ada"
        b.speak(2, "bea 9")
        assert b.synthesizer.next() == "bea"
        b.synthesizer.go_on()
        b.synthesizer.next()
    assert sorted(b.synthesizer.closed) == ["ada", "bea"]


def test_steps_go_on_while_sound_is_handed_on_but_not_without_end() -> None:
    class Counting(BatchedSynthesizer):
        steps = 0
        most_ahead = 0

        def step(self, streams, deadlines):  # type: ignore[no-untyped-def]
            self.steps += 1
            self.most_ahead = max(self.most_ahead, self.steps - handed_on)
            if self.steps == _STEPS_AHEAD:
                go_on.set()
            return super().step(streams, deadlines)

    handed_on = 0
    go_on, over = threading.Event(), threading.Event()

    def emit(event: Event) -> None:
        nonlocal handed_on
        assert go_on.wait(20)
        handed_on += isinstance(event, Chunk)
        if isinstance(event, Freed):
            over.set()

    synthesizer = Counting()
    batches = Batches(synthesizer, emit)
    batches.start()
    batches.handle(Open(1, "batched", "en"))
    batches.handle(Feed(1, TextPiece(0, "ada 500", (0, 7), (), "en")))
    batches.handle(Grant(1, 1_000_000, 0))
    batches.handle(Finish(1))
    assert over.wait(20)
    batches.stop()
    assert synthesizer.steps == handed_on == 500
    assert _STEPS_AHEAD <= synthesizer.most_ahead <= _STEPS_AHEAD + 3


@pytest.mark.parametrize("seed", range(5))
def test_exactly_one_freed_for_each_opened_whatever_the_order(seed: int) -> None:
    """Commands in random order from three threads; what is spoken to its end is complete and in order."""
    log = Log()
    synthesizer = BatchedSynthesizer()
    batches = Batches(synthesizer, log)
    batches.start()
    whole: set[int] = set()
    names = ["well", "well", "well", "slow", "bad", "refuse"]

    def commands(first: int) -> None:
        chance = random.Random(seed * 100 + first)
        alive = list(range(first, first + 60))
        faulty: set[int] = set()
        for utterance in alive:
            batches.handle(Open(utterance, "any", "en"))
        while alive:
            utterance = chance.choice(alive)
            action = chance.randrange(6)
            if action <= 2:
                name = chance.choice(names)
                if name in ("bad", "refuse"):
                    faulty.add(utterance)
                text = f"{name} {chance.randrange(2, 6)}"
                batches.handle(Feed(utterance, TextPiece(0, text, (0, len(text)), (), "en")))
            elif action == 3:
                batches.handle(Grant(utterance, chance.randrange(2000), chance.random()))
            else:
                alive.remove(utterance)
                if action == 4:
                    batches.handle(Grant(utterance, 1_000_000, chance.random()))
                    batches.handle(Finish(utterance))
                if action == 5 or chance.random() < 0.3:
                    batches.handle(Cancel(utterance))
                elif utterance not in faulty:
                    whole.add(utterance)

    threads = [threading.Thread(target=commands, args=(first,)) for first in (1, 1000, 2000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    log.wait(lambda events: sum(isinstance(event, Freed) for event in events) >= 180)
    # How long its steps took may be told of after that.
    log.wait(lambda events: next(e for e in reversed(events) if isinstance(e, Stats)) == Stats(0, 0, 0))
    batches.stop()
    assert batches.stats() == Stats(0, 0, 0)
    over: set[int] = set()
    ended: dict[int, bool] = {}
    for event in log.events:
        if isinstance(event, Stats | Steps):
            continue
        assert event.utterance not in over, "nothing comes after Freed, and it comes once"
        if isinstance(event, Chunk):
            ended[event.utterance] = event.audio.last_of_segment
        elif isinstance(event, Freed):
            over.add(event.utterance)
    assert len(over) == 180 and whole and all(ended.get(utterance, True) for utterance in whole)


def test_the_kind_of_the_synthesizer_decides() -> None:
    def emit(event: Event) -> None:
        raise AssertionError

    kinds: list[tuple[AnySynthesizer, type]] = [(make(), Batches), (ToneSynthesizer(), Workers)]
    assert all(type(crew_for(synthesizer, 1, emit)) is kind for synthesizer, kind in kinds)


# -- in engines ---------------------------------------------------------------------------------------------


async def test_the_same_events_in_a_thread_and_in_a_process() -> None:
    commands = [
        command
        for utterance in range(1, 6)
        for command in (
            Open(utterance, "any", "en"),
            Grant(utterance, 1_000_000, 0.0),
            Feed(utterance, TextPiece(0, f"ada {utterance}", (0, 5), (), "en")),
            Feed(utterance, TextPiece(1, "bad 3" if utterance == 3 else "bea 3", (0, 5), (), "en")),
            Finish(utterance),
        )
    ]
    in_thread = await sound_of(ThreadEngine(make(), 1), commands)
    assert await sound_of(ProcessEngine(FACTORY, 1, 30), commands) == in_thread
    assert [len(in_thread[number]) for number in range(1, 6)] == [5, 6, 6, 8, 9]


async def test_a_step_that_kills_the_process_begins_all_that_took_part() -> None:
    async with running(FACTORY) as (engine, log):
        test_process.say(engine, 1, "ada 1000000", grant=100, finish=False)
        await log.wait(lambda events: any(isinstance(event, Chunk) for event in events))
        test_process.say(engine, 2, "KILL 1", "KILL 1")
        await log.wait_freed(1, 2)
        assert log.lost() == {1: False, 2: True}
        test_process.say(engine, 3, "bea 2")
        await log.wait_freed(3)
        assert log.of(3) == ["Chunk", "Chunk", "Freed"]
        test_process.say(engine, 4, "ada 1000000")
        await log.wait(lambda events: "Chunk" in log.of(4))
        test_process.say(engine, 5, "KILL 1")
        await log.wait_freed(4, 5)
        assert {4: True, 5: True}.items() <= log.lost().items()


async def test_a_step_that_hangs_in_a_thread_ends_the_engine() -> None:
    """Nobody else may call the synthesizer while it has not come back."""
    synthesizer, log = BatchedSynthesizer(), test_process.Log()
    engine = ThreadEngine(synthesizer, 1, timeout_s=0.3)
    await engine.start(log)
    test_process.say(engine, 1, "HANG 1")
    test_process.say(engine, 2, "waits 1", grant=0)
    await log.wait_freed(1, 2)
    assert log.lost() == {1: True} and log.failures() == [1, 2] and not engine.ready
    test_process.say(engine, 3, "never 1")
    await log.wait_freed(3)
    assert log.failures() == [1, 2, 3] and log.lost() == {1: True}
    synthesizer.may_end.set()
    await engine.stop()
    assert [log.of(number).count("Chunk") for number in (1, 2, 3)] == [0, 0, 0]


def test_memory_of_the_device_is_read_when_somebody_looks_and_by_no_step() -> None:
    class OnDevice(BatchedSynthesizer):
        looks = 0
        is_lost = False

        def device_memory(self) -> DeviceMemory:
            self.looks += 1
            if self.is_lost:
                raise RuntimeError("the driver is gone")
            return DeviceMemory(1, 2, 3)

    log, synthesizer = Log(), OnDevice()
    batches = Batches(synthesizer, log)
    batches.look_at_device()
    batches.start()
    batches.handle(Open(1, "any", "en"))
    batches.handle(Feed(1, TextPiece(0, "well 3", (0, 6), (), "en")))
    batches.handle(Grant(1, 1_000_000, 0.0))
    batches.handle(Finish(1))
    log.wait_freed(1)
    assert synthesizer.looks == 1 and batches.stats().device == DeviceMemory(1, 2, 3)
    synthesizer.is_lost = True
    batches.look_at_device()  # in the thread of the heartbeat, which must go on
    assert batches.stats().device == DeviceMemory()
    batches.stop()
