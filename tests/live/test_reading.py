"""A text that is read out without a session: what comes out of it, what is told of it, and what is left."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast

import pytest

from realtime.audio.formats import make_encoder
from realtime.clock import MonotonicClock
from realtime.engines.engine import Open
from realtime.engines.synthesizer import Cancellation
from realtime.engines.thread import ThreadEngine
from realtime.errors import ErrorCode, RealtimeError
from realtime.live.reading import Readings, ReadingSummary
from realtime.speech.cache import AudioCache
from realtime.speech.scheduler import Scheduler
from realtime.speech.speaker import Listener, Speaker, Studio
from realtime.speech.synthesis import Syntheses
from realtime.speech.text_feed import TextTurns
from realtime.speech.timeline import Timeline
from realtime.speech.urgent_threads import UrgentThreads
from realtime.text.frontend import Frontend, TextOptions
from realtime.types import (
    AudioChunk,
    AudioSettings,
    Caller,
    Failed,
    Finished,
    Packet,
    SegmentEnded,
    SegmentStarted,
    SpeechEvent,
    TextPiece,
    VoiceSettings,
)
from tests.engines.faulty import FaultySynthesizer
from tests.speech.sounds import check_packets, until

TONE = VoiceSettings("tone", "en")
PCM = AudioSettings("pcm_s16le", 24_000, 20, 32_000)
SENTENCE = "Aaaa eeee. "  # 580 ms
LONG = " ".join(f"This is number {number}." for number in range(40))
PATIENCE_S = 20


class Gated(FaultySynthesizer):
    """Waits before each piece until it may go on."""

    def __init__(self) -> None:
        self.spoken: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        self.spoken.append(piece.text)
        assert self.gate.wait(PATIENCE_S)
        yield from super().synthesize(piece, request, cancellation)


class Lingering(Speaker):
    """Takes some turns of the loop to stop."""

    ended = False

    async def run(self) -> None:
        try:
            await super().run()
        finally:
            for _ in range(20):
                await asyncio.sleep(0)
            self.ended = True


def caller(request_id: str) -> Caller:
    return Caller("/v1/audio/speech", request_id)


class House:
    """Readings, and the rooms below them."""

    def __init__(self, studio: Studio, synthesizer: Gated) -> None:
        self.studio = studio
        self.scheduler = studio.scheduler
        self.synthesizer = synthesizer
        self.speaker_type: type[Speaker] = Speaker
        self.speakers: list[Speaker] = []
        self.summaries: list[ReadingSummary] = []
        self.readings = Readings(self.open_speaker, studio.clock, self.summaries.append)

    def open_speaker(self, settings: VoiceSettings, audio: AudioSettings, listener: Listener) -> Speaker:
        frontend = Frontend(TextOptions(settings.language))
        timeline = Timeline(make_encoder(audio), settings.speed)
        ends = audio.segment_ends
        speaker = self.speaker_type(self.studio, settings, frontend, timeline, listener, segment_ends=ends)
        self.speakers.append(speaker)
        return speaker

    async def read(self, text: str, audio: AudioSettings = PCM) -> list[SpeechEvent]:
        """All of it."""
        async with asyncio.timeout(PATIENCE_S), self.readings.open(text, TONE, audio, caller("r")) as reading:
            return [event async for event in reading]

    @property
    def reasons(self) -> list[str]:
        return [summary.reason for summary in self.summaries]


@asynccontextmanager
async def house_of(limit: int = 64) -> AsyncIterator[House]:
    """Checks on leaving that nothing is left: no task, no place, nothing in the engine."""
    before = asyncio.all_tasks()
    clock = MonotonicClock()
    synthesizer = Gated()
    scheduler = Scheduler(ThreadEngine(synthesizer, 1), clock, limit)
    await scheduler.start()
    with UrgentThreads(1) as executor:
        syntheses = Syntheses(AudioCache(2**26, 1000), clock)
        studio = Studio(scheduler, syntheses, "", executor, clock, TextTurns(clock), buffer_ms=2000)
        house = House(studio, synthesizer)
        try:
            yield house
            assert (scheduler.admitted, scheduler.queue_depth, house.readings.count) == (0, 0, 0)
            left = {task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()}
            assert left == set()
            synthesizer.gate.set()
            await until(lambda: not scheduler._held)
            assert not syntheses._under_way and not scheduler._listeners
        finally:
            synthesizer.gate.set()
            await scheduler.stop()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with house_of() as house:
        yield house


def packets_of(events: list[SpeechEvent]) -> list[Packet]:
    return [event for event in events if isinstance(event, Packet)]


class TestToItsEnd:
    async def test_all_of_it_in_order(self, house: House) -> None:
        events = await house.read("This is one. And this is two.")
        finished = events[-1]
        assert isinstance(finished, Finished)
        check_packets(packets_of(events), finished.length)
        starts = [event for event in events if isinstance(event, SegmentStarted)]
        assert [start.source for start in starts] == [(0, 12), (13, 29)]
        (summary,) = house.summaries
        assert summary == ReadingSummary(
            caller("r"), "completed", TONE, PCM, "This is one. And this is two.", finished.timing
        )
        assert summary.timing.segments == 2 and summary.timing.cache_use == "miss"

    async def test_a_text_that_is_longer_than_what_may_wait(self, house: House) -> None:
        events = await house.read(LONG)
        assert sum(isinstance(event, SegmentStarted) for event in events) == 40
        assert house.reasons == ["completed"]

    @pytest.mark.parametrize("text", ["", "...", "😀"])
    async def test_nothing_to_say(self, house: House, text: str) -> None:
        (finished,) = await house.read(text)
        assert isinstance(finished, Finished) and finished.length == 0
        assert house.reasons == ["completed"] and house.synthesizer.spoken == []

    async def test_the_ends_of_segments_are_told_when_they_are_asked_for(self, house: House) -> None:
        events = await house.read("This is one. And this is two.", replace(PCM, segment_ends=True))
        assert [event.index for event in events if isinstance(event, SegmentEnded)] == [0, 1]

    async def test_nothing_comes_after_the_end(self, house: House) -> None:
        async with house.readings.open("This is one.", TONE, PCM, caller("r")) as reading:
            events = [event async for event in reading]
            assert isinstance(events[-1], Finished)
            assert reading.take() is None and [event async for event in reading] == []
            with pytest.raises(StopAsyncIteration):
                await anext(reading)
            assert reading.timing is events[-1].timing

    async def test_who_does_not_wait_takes_what_is_there(self, house: House) -> None:
        house.synthesizer.gate.clear()
        async with house.readings.open("This is one.", TONE, PCM, caller("r")) as reading:
            assert reading.take() is None
            house.synthesizer.gate.set()
            first = await anext(reading)
            assert isinstance(first, SegmentStarted)
            events: list[SpeechEvent] = []
            async with asyncio.timeout(PATIENCE_S):
                while not (events and isinstance(events[-1], Finished)):
                    if (event := reading.take()) is not None:
                        events.append(event)
                    else:
                        await asyncio.sleep(0)
            assert packets_of(events)
        assert house.reasons == ["completed"]

    async def test_the_same_text_is_synthesized_once_for_all_who_ask_at_once(self, house: House) -> None:
        house.synthesizer.gate.clear()
        tasks = [asyncio.create_task(house.read("This is one. And this is two.")) for _ in range(5)]
        await until(lambda: house.scheduler.queue_depth == 5)
        assert house.readings.count == 5
        house.synthesizer.gate.set()
        everything = await asyncio.gather(*tasks)
        assert all(packets_of(events) == packets_of(everything[0]) for events in everything)
        assert sorted(house.synthesizer.spoken) == ["And this is two.", "This is one."]
        assert house.reasons == ["completed"] * 5
        again = await house.read("This is one. And this is two.")
        assert packets_of(again) == packets_of(everything[0])
        assert house.summaries[-1].timing.cache_use == "hit"

    async def test_who_reads_slowly_slows_it_down(self, house: House) -> None:
        async with house.readings.open(LONG, TONE, PCM, caller("r")) as reading:
            first = await anext(reading)
            assert isinstance(first, SegmentStarted)
            await until(lambda: house.speakers[0]._pace.waiting_ms >= 2000)
            for _ in range(20):
                await asyncio.sleep(0.001)
            made = len(house.synthesizer.spoken)
            assert made < 10, "sound of 2 s may wait, and one segment is begun ahead"
            rest = [event async for event in reading]
            assert isinstance(rest[-1], Finished)
        assert len(house.synthesizer.spoken) == 40 and house.reasons == ["completed"]


class TestFailing:
    async def test_a_failure_of_the_engine_is_the_last_event(self, house: House) -> None:
        events = await house.read("All is well. REFUSE to say this. Never said.")
        failed = events[-1]
        assert isinstance(failed, Failed) and failed.code == ErrorCode.ENGINE_FAILED
        assert packets_of(events) and house.reasons == ["failed"]
        assert house.summaries[0].code is ErrorCode.ENGINE_FAILED
        assert house.summaries[0].timing is failed.timing

    async def test_no_place(self) -> None:
        async with house_of(limit=1) as house:
            house.synthesizer.gate.clear()
            async with house.readings.open("This is one.", TONE, PCM, caller("first")) as reading:
                await until(lambda: house.scheduler.admitted == 1)
                (failed,) = await house.read("This is two.")
                assert isinstance(failed, Failed) and failed.code == ErrorCode.QUEUE_FULL
                assert failed.retry_after_ms is not None
                house.synthesizer.gate.set()
                assert isinstance([event async for event in reading][-1], Finished)
            assert [(each.caller.request_id, each.reason, each.code) for each in house.summaries] == [
                ("r", "failed", ErrorCode.QUEUE_FULL),
                ("first", "completed", None),
            ]

    async def test_a_speaker_that_cannot_be_made_leaves_nothing(self, house: House) -> None:
        with pytest.raises(ValueError):
            await house.read("This is one.", replace(PCM, format="no such format"))
        assert house.summaries == []


class TestLeaving:
    async def test_in_the_middle_frees_the_engine(self, house: House) -> None:
        async with house.readings.open(LONG, TONE, PCM, caller("r")) as reading:
            async for event in reading:
                if isinstance(event, Packet):
                    break
            assert (house.scheduler.admitted, house.readings.count) == (1, 1)
        assert (house.scheduler.admitted, house.readings.count) == (0, 0)
        assert house.reasons == ["disconnected"]
        await until(lambda: not house.scheduler._held)
        made = len(house.synthesizer.spoken)
        await house.read("Somebody else.")
        assert len(house.synthesizer.spoken) == made + 1 < 12

    async def test_before_the_first_sound(self, house: House) -> None:
        house.synthesizer.gate.clear()
        async with house.readings.open("This is one.", TONE, PCM, caller("r")):
            await until(lambda: house.scheduler.queue_depth == 1)
        assert house.scheduler.queue_depth == 0 and house.reasons == ["disconnected"]

    async def test_before_its_task_has_begun(self, house: House) -> None:
        async with house.readings.open("This is one.", TONE, PCM, caller("r")):
            pass
        assert house.reasons == ["disconnected"] and house.synthesizer.spoken == []

    async def test_when_all_was_made_but_not_fetched(self, house: House) -> None:
        """The listener has not had it: whoever was told that it was completed would be misled."""
        async with house.readings.open("This is one.", TONE, PCM, caller("r")) as reading:
            await until(lambda: reading.timing.done is not None)
            assert isinstance(await anext(reading), SegmentStarted)
        assert house.reasons == ["disconnected"]

    @pytest.mark.parametrize(
        ("error", "reason", "code"),
        [
            (ConnectionResetError("gone"), "disconnected", None),
            (RealtimeError("too much", ErrorCode.BODY_TOO_LARGE), "failed", ErrorCode.BODY_TOO_LARGE),
            (ValueError("a mistake"), "failed", ErrorCode.INTERNAL),
        ],
    )
    @pytest.mark.parametrize("text", [LONG, "This is one."])
    async def test_by_an_error_of_the_reader(
        self, house: House, error: Exception, reason: str, code: ErrorCode | None, text: str
    ) -> None:
        """Also when it has fetched all of it: it has not passed all of it on."""
        with pytest.raises(type(error)):
            async with house.readings.open(text, TONE, PCM, caller("r")) as reading:
                await anext(reading)
                if text != LONG:
                    assert [isinstance(event, Finished) async for event in reading][-1]
                raise error
        assert [(summary.reason, summary.code) for summary in house.summaries] == [(reason, code)]

    @pytest.mark.parametrize("gate", [True, False])
    async def test_a_cancel_from_outside_passes_through(self, house: House, gate: bool) -> None:
        if not gate:
            house.synthesizer.gate.clear()
        entered = asyncio.Event()

        async def read() -> None:
            async with house.readings.open(LONG, TONE, PCM, caller("r")):
                entered.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(read())
        await entered.wait()
        await until(lambda: bool(house.synthesizer.spoken))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert house.reasons == ["disconnected"] and house.readings.count == 0

    async def test_a_cancel_while_it_is_being_left(self, house: House) -> None:
        """The second cancel is not swallowed, and the observer is told once all the same."""

        async def read() -> None:
            async with house.readings.open(LONG, TONE, PCM, caller("r")) as reading:
                await anext(reading)
                asyncio.get_running_loop().call_soon(task.cancel)

        task = asyncio.create_task(read())
        with pytest.raises(asyncio.CancelledError):
            await task
        assert house.reasons == ["disconnected"]
        await until(lambda: house.scheduler.admitted == 0)
        await asyncio.sleep(0)

    async def test_cancels_while_its_speaker_takes_time_to_stop(self, house: House) -> None:
        """However often it is cancelled, the speaker's task is over when it is left."""
        before = asyncio.all_tasks()
        house.speaker_type = Lingering
        entered = asyncio.Event()

        async def read() -> None:
            async with house.readings.open(LONG, TONE, PCM, caller("r")) as reading:
                await anext(reading)
                entered.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(read())
        await entered.wait()
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not task.done() and house.reasons == []
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() <= before and cast(Lingering, house.speakers[0]).ended
        assert house.reasons == ["disconnected"]

    async def test_one_of_two_with_the_same_text(self, house: House) -> None:
        house.synthesizer.gate.clear()
        other = asyncio.create_task(house.read("This is one."))
        await until(lambda: house.scheduler.queue_depth == 1)
        async with house.readings.open("This is one.", TONE, PCM, caller("gone")) as reading:
            await until(lambda: house.scheduler.queue_depth == 2)
            assert reading.take() is None
        house.synthesizer.gate.set()
        assert isinstance((await other)[-1], Finished)
        assert house.synthesizer.spoken == ["This is one."]
        assert house.reasons == ["disconnected", "completed"]


async def test_many_at_once_that_end_in_all_ways(house: House) -> None:
    async def read(number: int) -> str:
        text = ["This is one.", LONG, "REFUSE it.", SENTENCE * 3][number % 4]
        async with house.readings.open(text, TONE, PCM, caller(str(number))) as reading:
            async for event in reading:
                # What fails may have failed by the time its first sound is taken: it is read to its end.
                if number % 3 == 0 and number % 4 != 2 and isinstance(event, Packet):
                    return "disconnected"
        return "failed" if number % 4 == 2 else "completed"

    ended = await asyncio.gather(*(read(number) for number in range(24)))
    told = {int(summary.caller.request_id): summary.reason for summary in house.summaries}
    assert [told[number] for number in range(24)] == ended
    assert set(ended) == {"completed", "failed", "disconnected"}
