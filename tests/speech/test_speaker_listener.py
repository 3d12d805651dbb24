"""What a speaker tells who it speaks to, and what it does by where that is."""

from __future__ import annotations

import asyncio
import math
import threading
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from realtime.engines.engine import Engine, Open
from realtime.engines.process import ProcessEngine
from realtime.engines.thread import ThreadEngine
from realtime.speech.cache import AudioCache
from realtime.speech.urgent_threads import UrgentThreads
from realtime.types import AudioChunk, Failed, Finished, Flushed, Packet, SegmentStarted
from tests.engines.faulty import FaultySynthesizer
from tests.speech.by_hand import HandEngine
from tests.speech.house import ALONE, CLOCK, PATIENCE_S, TONE, house_of
from tests.speech.sounds import until

TEXT = "One is here. Two is here. Three is here. "


def second(segment: int = 0, *, last: bool = True) -> AudioChunk:
    return AudioChunk(segment, np.full(24_000, 0.5, np.float32), 24_000, last_of_segment=last)


class TestCredit:
    async def test_without_credit_nothing_is_made_and_with_it_no_more_than_that(
        self, executor: UrgentThreads
    ) -> None:
        engine = HandEngine()
        async with house_of(engine, executor) as house:
            talk = house.speaker(settings=ALONE)
            talk.listener.credit = 0.0
            talk.start(TEXT)
            await until(lambda: len(talk.speaker._pieces) == 3)
            assert engine.commands == [] and talk.speaker.has_more
            talk.listener.credit = 1500.0
            talk.speaker.on_credit()
            one = engine.number_of("One is here.")
            assert max(granted for granted, _ in engine.grants(one)) == 1500
            engine.make(one, second())
            await until(lambda: talk.speaker._rendered == 1)
            two = engine.number_of("Two is here.")
            assert max(granted for granted, _ in engine.grants(two)) <= 500 + 60, "less than a packet is held"
            await talk.cancel()

    async def test_sound_of_a_cache_waits_for_credit_too(self, executor: UrgentThreads) -> None:
        engine = ThreadEngine(FaultySynthesizer(), 1)
        async with house_of(engine, executor) as house:
            await house.speaker().start(TEXT).rest()
            talk = house.speaker()
            talk.listener.credit = 0.0
            talk.start(TEXT)
            await until(lambda: len(talk.speaker._pieces) == 3)
            await asyncio.sleep(0)
            assert talk.speaker.peek() is None and talk.speaker.has_more
            talk.listener.credit = math.inf
            talk.speaker.on_credit()
            assert isinstance((await talk.rest())[-1], Finished)
            assert not talk.speaker.has_more

    async def test_what_is_no_sound_needs_no_credit(self, executor: UrgentThreads) -> None:
        engine = ThreadEngine(FaultySynthesizer(), 1)
        async with house_of(engine, executor) as house:
            talk = house.speaker()
            talk.listener.credit = 0.0
            talk.start("... 😀", end=False)
            talk.speaker.flush("f")
            await talk.until(lambda event: event == Flushed("f"))
            talk.speaker.end()
            assert isinstance((await talk.rest())[-1], Finished)

    async def test_ahead_of_its_turn_one_segment_is_made_whatever_the_credit(
        self, executor: UrgentThreads
    ) -> None:
        engine = HandEngine()
        async with house_of(engine, executor) as house:
            talk = house.speaker(settings=ALONE)
            talk.listener.credit = 0.0
            talk.start(TEXT, turn=False)
            await until(lambda: bool(engine.opened()))
            engine.make(1, second(last=False))
            engine.make(1, second())
            await until(lambda: talk.speaker._rendered == 1)
            assert len(engine.opened()) == 1 and {granted for granted, _ in engine.grants(1)} == {1}
            talk.speaker.take_turn()
            await asyncio.sleep(0)
            assert len(engine.opened()) == 1, "nor does the turn alone make more"
            assert isinstance(talk.speaker.peek(), SegmentStarted)
            await talk.cancel()


class TestPauses:
    @pytest.mark.parametrize("runner", ["thread", "process"])
    async def test_a_paused_listener_gets_its_sound_when_nobody_else_needs_the_engine(
        self, runner: str, executor: UrgentThreads
    ) -> None:
        """Infinity goes to the engine as any deadline."""
        engine: Engine = (
            ThreadEngine(FaultySynthesizer(), 1)
            if runner == "thread"
            else ProcessEngine("realtime.engines.tone:make", threads=1, timeout_s=60.0)
        )
        async with house_of(engine, executor) as house:
            talk = house.speaker(settings=ALONE)
            talk.listener.dry = math.inf
            assert isinstance((await talk.start(TEXT).rest())[-1], Finished)
            await house.settled()

    async def test_one_that_goes_on_is_urgent_again_at_its_next_look(self, executor: UrgentThreads) -> None:
        engine = HandEngine()
        async with house_of(engine, executor) as house:
            talk = house.speaker(settings=ALONE)
            talk.listener.dry = math.inf
            talk.start(TEXT)
            await until(lambda: bool(engine.opened()))
            assert engine.grants(1)[-1][1] == math.inf
            assert talk.speaker.take() is None
            talk.listener.dry = 0.0
            assert talk.speaker.take() is None
            assert engine.grants(1)[-1][1] < math.inf
            await talk.cancel()


class TestTheLine:
    """Of those who wait for a first sound."""

    async def test_who_still_hears_the_context_before_is_not_in_it(self, executor: UrgentThreads) -> None:
        engine = HandEngine()
        async with house_of(engine, executor) as house:
            talk = house.speaker(settings=ALONE)
            talk.listener.dry = CLOCK.now() + 3600
            talk.start(TEXT)
            await until(lambda: bool(engine.opened()))
            assert house.scheduler.queue_depth == 0, "it has text and its turn, and sound for an hour"
            talk.listener.dry = CLOCK.now()
            talk.speaker.on_credit()
            assert house.scheduler.queue_depth == 1, "its listener has thrown that away"
            talk.listener.dry = math.inf
            talk.speaker.on_credit()
            assert house.scheduler.queue_depth == 0, "it is paused"
            await talk.cancel()


class TestWhatIsThere:
    async def test_a_look_takes_nothing(self, executor: UrgentThreads) -> None:
        async with house_of(ThreadEngine(FaultySynthesizer(), 1), executor) as house:
            talk = house.speaker()
            assert talk.speaker.peek() is None and not talk.speaker.has_more
            talk.start(TEXT)
            await until(lambda: talk.speaker.peek() is not None)
            looks, takes = [], []
            while not takes or not isinstance(takes[-1], Finished):
                await until(lambda: talk.speaker.peek() is not None)
                assert talk.speaker.has_more or not isinstance(talk.speaker.peek(), Packet)
                looks.append(talk.speaker.peek())
                takes.append(talk.speaker.take())
            assert looks == takes and not talk.speaker.has_more

    async def test_after_a_failure_there_is_no_more_than_what_waits(self, executor: UrgentThreads) -> None:
        engine = HandEngine()
        async with house_of(engine, executor) as house:
            talk = house.speaker(settings=ALONE).start(TEXT)
            await until(lambda: bool(engine.opened()))
            engine.make(1, second(last=False))
            await until(lambda: isinstance(talk.speaker.peek(), SegmentStarted))
            engine.fail(1)
            await until(lambda: talk.speaker.failure is not None)
            assert talk.speaker.has_more, "packets"
            while not isinstance(talk.speaker.take(), Failed):
                pass
            assert not talk.speaker.has_more


class TestSynthesized:
    """What the engine has made for a context: what a cancel throws away is counted by that."""

    @pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
    async def test_it_is_what_was_made_with_the_tempo(self, speed: float, executor: UrgentThreads) -> None:
        engine = HandEngine()
        async with house_of(engine, executor) as house:
            talk = house.speaker(settings=replace(ALONE, speed=speed)).start(TEXT)
            await until(lambda: len(engine.opened()) == 2)
            assert talk.speaker.synthesized_ms == 0
            engine.make(1, second(last=False))
            engine.make(1, second())
            assert talk.speaker.synthesized_ms == 2000 / speed, "at once, before it was encoded"
            engine.make(2, second(1))
            assert talk.speaker.synthesized_ms == 3000 / speed, "also what is made ahead"
            await until(lambda: talk.speaker._rendered == 2)
            assert talk.speaker.synthesized_ms == 3000 / speed
            await talk.cancel()
            assert talk.speaker.synthesized_ms == 3000 / speed, "it stays known"

    async def test_what_was_made_before_or_for_another_does_not_count(self, executor: UrgentThreads) -> None:
        engine = HandEngine()
        async with house_of(engine, executor) as house:
            first, joined = (house.speaker().start("One is here.") for _ in range(2))
            await until(lambda: bool(engine.opened()))
            engine.make(1, second())
            for talk in (first, joined):
                assert isinstance((await talk.rest())[-1], Finished)
            cached = house.speaker().start("One is here.")
            assert isinstance((await cached.rest())[-1], Finished)
            assert len(engine.opened()) == 1
            assert [t.speaker.synthesized_ms for t in (first, joined, cached)] == [1000, 0, 0]

    @pytest.mark.parametrize("cache", [True, False])
    async def test_an_utterance_in_one_go_counts_too(self, cache: bool, executor: UrgentThreads) -> None:
        engine = HandEngine(context="utterance")
        async with house_of(engine, executor, cache=AudioCache(2**26, 100)) as house:
            settings = TONE if cache else ALONE
            talks = []
            for _ in range(2):
                talk = house.speaker(settings=settings)
                talk.speaker.append("One is here.")
                talk.speaker.end()
                talks.append(talk.start(end=False))
            await until(lambda: all(talk.speaker._pieces for talk in talks))
            opened = [each.utterance for each in engine.commands if isinstance(each, Open)]
            assert len(opened) == (1 if cache else 2)
            for number in opened:
                engine.make(number, second())
            made = [talk.speaker.synthesized_ms for talk in talks]
            assert made == ([1000, 0] if cache else [1000, 1000])
            for talk in talks:
                await talk.cancel()


async def test_who_runs_dry_first_has_its_sound_encoded_first(executor: UrgentThreads) -> None:
    """There is one thread for all, and what they need comes in the wrong order."""
    go_on = threading.Event()
    async with house_of(ThreadEngine(FaultySynthesizer(), 1), executor) as house:
        executor.submit_by(-math.inf, lambda: go_on.wait(PATIENCE_S))
        await until(lambda: not executor._work)
        encoded: list[str] = []
        talks = []
        for name, hears_s in (("far ahead", 60.0), ("soon", 5.0), ("now", 0.0)):
            talk = house.speaker()
            talk.listener.dry = CLOCK.now() + hears_s
            talk.listener.on_output = partial(encoded.append, name)
            talks.append(talk.start("One is here."))
            await until(lambda: len(executor._work) == len(talks))
        go_on.set()
        await until(lambda: len(set(encoded)) == len(talks))
        assert list(dict.fromkeys(encoded)) == ["now", "soon", "far ahead"]
        for talk in talks:
            talk.listener.on_output = talk.changed.set
            await talk.rest()
