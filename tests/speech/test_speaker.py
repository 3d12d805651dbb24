"""One utterance from text to packets: the order of events, bounded buffers, ends of every kind."""

from __future__ import annotations

import asyncio
import math
import random
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
import pytest

from realtime.audio.formats import PcmS16leEncoder
from realtime.audio.loudness import measure
from realtime.engines.engine import Cancel, Capabilities, Finish, Open, Stats
from realtime.engines.synthesizer import Cancellation
from realtime.engines.thread import ThreadEngine
from realtime.engines.tone import CHARACTER_SAMPLES, GAP_SAMPLES, ToneSynthesizer
from realtime.errors import ErrorCode
from realtime.speech.cache import AudioCache
from realtime.speech.levels import Levels
from realtime.speech.pace import AHEAD_S, NEWCOMER_S
from realtime.speech.timeline import GAP_S
from realtime.speech.urgent_threads import UrgentThreads
from realtime.types import (
    TIMELINE_RATE,
    AudioChunk,
    Failed,
    Finished,
    Flushed,
    Packet,
    SegmentEnded,
    SegmentStarted,
    SpeechEvent,
    TextPiece,
    Timing,
    VoiceSettings,
    WordsTimed,
)
from tests.engines.faulty import FaultySynthesizer
from tests.speech.by_hand import HandEngine
from tests.speech.house import ALONE, CLOCK, PATIENCE_S, TONE, House, Talk, house_of
from tests.speech.sounds import PRE_SKIP, check_packets, hear_opus, until


class TickingClock:
    """Every look at it is one second later."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        self.seconds += 1
        return self.seconds


@pytest.fixture
async def house(executor: UrgentThreads) -> AsyncIterator[House]:
    async with house_of(ThreadEngine(FaultySynthesizer(), 1), executor) as house:
        yield house


def packets_of(events: list[SpeechEvent]) -> list[Packet]:
    return [event for event in events if isinstance(event, Packet)]


def kinds(events: list[SpeechEvent]) -> list[str]:
    """The names of the events, runs of packets as one."""
    names: list[str] = []
    for event in events:
        name = type(event).__name__
        if name != "Packet" or names[-1:] != ["Packet"]:
            names.append(name)
    return names


def length_of(*sentences: str) -> int:
    """On the timeline, of sentences that the tone engine says with pauses between."""
    samples = 0
    for sentence in sentences:
        words = sentence.split()
        samples += sum(len(word) for word in words) * CHARACTER_SAMPLES + (len(words) - 1) * GAP_SAMPLES
    return samples * 2 + (len(sentences) - 1) * round(GAP_S["sentence"] * TIMELINE_RATE)


async def test_text_that_is_cancelled_before_its_turn_of_the_loop_is_not_worked_on(house: House) -> None:
    talk = house.speaker().start("This is one. " * 100)
    await talk.cancel()
    for _ in range(100):
        await asyncio.sleep(0)
    assert not talk.speaker._pieces and not talk.take_all()


async def test_the_order_of_events_and_the_whole_length(house: House) -> None:
    text = ["This is one. ", "And ", "two of", " them."]
    events = await house.speaker().start(*text).rest()
    packets = packets_of(events)
    assert isinstance(events[-1], Finished)
    length = length_of("This is one.", "And two of them.")
    assert abs(events[-1].length - length) <= 2 * 240, "to the 5 ms to which silence is measured"
    check_packets(packets, events[-1].length)
    assert packets[0].duration == 960 - PRE_SKIP
    assert len(hear_opus(packets)) == events[-1].length
    starts = [event for event in events if isinstance(event, SegmentStarted)]
    assert [(start.index, start.text, start.source) for start in starts] == [
        (0, "This is one.", (0, 12)),
        (1, "And two of them.", (13, 29)),
    ]
    words = [word for event in events if isinstance(event, WordsTimed) for word in event.words]
    whole = "".join(text)
    assert [whole[word.source_start : word.source_end] for word in words] == whole.split()
    assert [word.start for word in words] == sorted(word.start for word in words)
    assert words[-1].end <= events[-1].length
    # Whatever tells of a sound comes before the packet that begins to hold it.
    for number, event in enumerate(events):
        if isinstance(event, SegmentStarted):
            assert all(p.position + p.duration <= event.start for p in packets_of(events[:number]))
        if isinstance(event, WordsTimed):
            assert all(p.position + p.duration <= event.words[0].start for p in packets_of(events[:number]))


async def test_text_may_come_one_character_at_a_time_and_before_it_runs(house: House) -> None:
    text = "This is one. And here are two of them."
    whole = await house.speaker().start(text).rest()
    slow = house.speaker()
    for character in text[:20]:
        slow.speaker.append(character)
    slow.start(end=False)
    for character in text[20:]:
        await asyncio.sleep(0)
        slow.speaker.append(character)
    slow.speaker.end()
    assert packets_of(await slow.rest()) == packets_of(whole)


async def test_everything_may_be_said_before_it_runs(house: House) -> None:
    talk = house.speaker()
    talk.speaker.append("All of it.")
    talk.speaker.flush("a")
    talk.speaker.end()
    events = await talk.start(end=False).rest()
    assert kinds(events) == ["SegmentStarted", "WordsTimed", "Packet", "Flushed", "Packet", "Finished"]


async def test_a_flush_is_answered_after_all_sound_before_it(house: House) -> None:
    talk = house.speaker().start("First sentence here. Half a", end=False)
    talk.speaker.flush("f1")
    events = await talk.until(lambda event: isinstance(event, Flushed))
    assert events[-1] == Flushed("f1")
    heard = sum(packet.duration for packet in packets_of(events))
    assert heard >= length_of("First sentence here.", "Half a") - 2 * 240
    talk.speaker.append(" word.")
    talk.speaker.end()
    events += await talk.rest()
    assert isinstance(events[-1], Finished)
    check_packets(packets_of(events), events[-1].length)
    texts = [event.text for event in events if isinstance(event, SegmentStarted)]
    assert texts == ["First sentence here.", "Half a", "word."]


async def test_a_flush_of_nothing_is_answered_at_once(house: House) -> None:
    talk = house.speaker().start(end=False)
    talk.speaker.flush(None)
    assert await talk.until(lambda event: isinstance(event, Flushed)) == [Flushed(None)]
    talk.speaker.append("😀 ...")
    talk.speaker.flush("again")
    talk.speaker.flush("and again")
    assert await talk.until(lambda event: event == Flushed("and again")) == [
        Flushed("again"),
        Flushed("and again"),
    ]
    talk.speaker.end()
    (finished,) = await talk.rest()
    assert isinstance(finished, Finished) and finished.length == 0


@pytest.mark.parametrize("text", ["", "😀", "...", "\n\n"])
async def test_nothing_to_say_is_finished_with_nothing(house: House, text: str) -> None:
    (finished,) = await house.speaker().start(text).rest()
    assert isinstance(finished, Finished) and finished.length == 0
    await house.settled()


async def test_flush_then_end_closes_with_an_empty_packet(house: House) -> None:
    talk = house.speaker().start("One here.", end=False)
    talk.speaker.flush("f")
    talk.speaker.end()
    events = await talk.rest()
    *_, closing = packets_of(events)
    assert closing.payload == b"" and closing.duration == 0
    assert kinds(events)[-3:] == ["Flushed", "Packet", "Finished"]
    assert isinstance(events[-1], Finished)
    check_packets(packets_of(events), events[-1].length)


async def test_manual_buffering_speaks_at_a_flush(house: House) -> None:
    talk = house.speaker(buffering="manual").start("One is here. Two is here. ", end=False)
    other = await house.speaker().start("Somebody else.").rest()
    assert isinstance(other[-1], Finished)
    assert talk.take_all() == []
    talk.speaker.flush("now")
    events = await talk.until(lambda event: isinstance(event, Flushed))
    assert [event.index for event in events if isinstance(event, SegmentStarted)] == [0, 1]
    await talk.cancel()


SENTENCE = "Aaaa eeee. "  # 580 ms, and 450 ms of pause after it
SENTENCE_MS, PAUSE_MS = 580, 450


def waiting_ms(talk: Talk) -> float:
    """The engine's sound that waits to be taken: without pauses. One segment may have begun with less."""
    output = list(talk.speaker._output)
    pauses = len([event for event in output if isinstance(event, SegmentStarted)]) - 1
    return sum(packet.duration for packet in packets_of(output)) * 1000 / TIMELINE_RATE - pauses * PAUSE_MS


@pytest.mark.parametrize("settings", [ALONE, TONE], ids=["alone", "cached"])
async def test_what_waits_is_bounded_and_text_is_accepted_all_the_same(
    house: House, settings: VoiceSettings
) -> None:
    """Nobody takes: the only worker comes free although the text is long. Somebody takes: it goes on."""
    buffer_ms = 3000
    talk = house.speaker(buffer_ms, settings=settings)
    talk.speaker.append(SENTENCE * 20)  # accepted first: the more urgent of the two
    talk.start(end=False)
    for round_number in range(3):
        other = await house.speaker().start("Somebody else.").rest()
        assert isinstance(other[-1], Finished), "the engine is free, as it was granted nothing more"
        talk.speaker.append(SENTENCE * 20)
        await house.speaker().start("And another.").rest()
        await until(lambda: buffer_ms / 2 < waiting_ms(talk))  # it is encoded after what is more urgent
        assert waiting_ms(talk) < buffer_ms + SENTENCE_MS + 60, round_number
    talk.speaker.end()
    events = await talk.rest()
    assert isinstance(events[-1], Finished)
    check_packets(packets_of(events), events[-1].length)
    assert len([event for event in events if isinstance(event, SegmentStarted)]) == 80


@pytest.mark.parametrize("settings", [ALONE, TONE], ids=["alone", "cached"])
async def test_one_segment_is_made_ahead_of_the_turn(house: House, settings: VoiceSettings) -> None:
    """Contexts that wait behind others must not take the engine from who is being listened to."""
    talk = house.speaker(5000, settings=settings).start(SENTENCE * 20, turn=False)
    other = await house.speaker().start(SENTENCE * 5).rest()
    assert isinstance(other[-1], Finished)
    await until(lambda: bool(talk.speaker._output))
    await house.speaker().start("Somebody else.").rest()
    assert len([each for each in talk.speaker._output if isinstance(each, SegmentStarted)]) == 1
    events = await talk.rest()
    assert len([event for event in events if isinstance(event, SegmentStarted)]) == 20


@pytest.mark.parametrize("settings", [ALONE, TONE], ids=["alone", "cached"])
@pytest.mark.parametrize(
    ("buffer_ms", "speed"), [(100, 1), (500, 1), (1000, 1), (5000, 1), (100, 0.25), (100, 4), (1000, 0.25)]
)
async def test_the_smallest_buffer_still_speaks_everything(
    house: House, buffer_ms: int, settings: VoiceSettings, speed: float
) -> None:
    events = (
        await house.speaker(buffer_ms, settings=replace(settings, speed=speed)).start(SENTENCE * 12).rest()
    )
    assert isinstance(events[-1], Finished)
    assert len([event for event in events if isinstance(event, SegmentStarted)]) == 12


async def test_grants_follow_what_is_taken(executor: UrgentThreads) -> None:
    """Exactly, with an engine by hand: granted is made plus what there is room for."""
    engine = HandEngine(context="utterance")
    async with house_of(engine, executor) as house:
        talk = house.speaker(buffer_ms=1000).start("One. Two. Three. Four. ", end=False)
        talk.speaker.flush(None)

        def granted() -> int:
            return max(audio_ms for audio_ms, _ in engine.grants(1))

        await until(lambda: len(engine.fed(1)) == 4)
        assert granted() == 1000
        second = np.full(24_000, 0.5, np.float32)
        for segment in range(2):
            engine.make(1, AudioChunk(segment, second, 24_000))
        await until(lambda: talk.speaker._rendered == 2)
        # Two seconds were made, and more than the buffer's one waits: nothing more may be made.
        assert granted() <= 2000 + 60
        packets = packets_of(talk.take_all())
        assert 2000 < sum(packet.duration for packet in packets) / 48 < 2500
        # All was taken: there is room for one second again, granted in steps of a quarter of it.
        assert 2750 <= granted() <= 3000
        await talk.cancel()
        assert isinstance(engine.commands[-1], Cancel)
        assert isinstance(engine.commands[0], Open)
        assert not any(isinstance(command, Finish) for command in engine.commands)


async def test_grants_of_segments_follow_what_is_taken(executor: UrgentThreads) -> None:
    """The same for an engine that is asked segment by segment: each is granted what there is room for."""
    engine = HandEngine()
    async with house_of(engine, executor) as house:
        talk = house.speaker(buffer_ms=1000).start("One is here. Two is here. Three is here. ", end=False)
        talk.speaker.flush(None)
        await until(lambda: len(engine.opened()) == 2)
        one, two = engine.number_of("One is here."), engine.number_of("Two is here.")
        ((granted, deadline),) = set(engine.grants(one))
        assert granted == 1000
        # There is room for the next as well, but this one is needed first: a single step of it may be made.
        assert engine.grants(two) == [(1, deadline + AHEAD_S)]
        engine.make(one, AudioChunk(0, np.full(18_000, 0.5, np.float32), 24_000))
        await until(lambda: talk.speaker._rendered == 1)
        granted, later = engine.grants(two)[-1]
        assert 250 <= granted <= 250 + 60, "750 ms wait, but for what is less than a packet"
        assert deadline + 0.5 < later < CLOCK.now() + 1, "when what waits will have been heard"
        assert len(engine.opened()) == 2, "there is no room for a third"
        packets = packets_of(talk.take_all())
        assert 700 < sum(packet.duration for packet in packets) / 48 <= 750
        assert 1000 - 250 <= engine.grants(two)[-1][0] <= 1000
        engine.make(two, AudioChunk(0, np.full(18_000, 0.5, np.float32), 24_000))
        await until(lambda: len(engine.opened()) == 3)
        await talk.cancel()
        assert engine.cancels() == [one, two, engine.number_of("Three is here.")]


async def test_a_cancel_frees_the_place_and_silences(house: House) -> None:
    talk = house.speaker(buffer_ms=1000).start(SENTENCE * 50)
    await talk.until(lambda event: isinstance(event, Packet))
    assert house.scheduler.admitted == 1
    await talk.cancel()
    assert house.scheduler.admitted == 0
    await house.settled()
    talk.take_all()
    await house.speaker().start("Somebody else.").rest()
    assert talk.take_all() == []
    talk.speaker.append("More. More of it. ")
    talk.speaker.flush("f")
    talk.speaker.end()
    await house.speaker().start("Somebody else.").rest()
    assert talk.take_all() == []


async def test_a_cancel_before_the_first_step(house: House) -> None:
    talk = house.speaker().start("Never heard.")
    await talk.cancel()
    assert house.scheduler.admitted == 0 and talk.take_all() == []
    await house.settled()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Good so far. FAIL here please. Never said.", "the engine failed on this text (ValueError)"),
        ("Good so far. REFUSE here please. Never said.", "this text cannot be spoken"),
    ],
)
async def test_a_failure_of_the_engine_ends_it(house: House, text: str, message: str) -> None:
    talk = house.speaker().start(text)
    events = await talk.rest()
    failed = events[-1]
    assert isinstance(failed, Failed) and failed == talk.speaker.failure
    assert (failed.code, failed.message) == (ErrorCode.ENGINE_FAILED, message)
    assert talk.task is not None
    await talk.task
    assert house.scheduler.admitted == 0
    await house.settled()
    talk.speaker.append("Ignored. It is over now. ")
    talk.speaker.end()
    assert talk.take_all() == []


async def test_no_place_is_told_with_the_time_to_retry(executor: UrgentThreads) -> None:
    async with house_of(ThreadEngine(ToneSynthesizer(), 1), executor, limit=1) as house:
        first = house.speaker().start("One.", end=False)
        await asyncio.sleep(0)  # it is admitted in the first step of its task
        (failed,) = await house.speaker().start("Two.").rest()
        assert isinstance(failed, Failed) and failed.code == ErrorCode.QUEUE_FULL
        assert failed.retry_after_ms == 1000
        first.speaker.end()
        assert isinstance((await first.rest())[-1], Finished)
        assert first.task is not None
        await first.task
        assert isinstance((await house.speaker().start("Three.").rest())[-1], Finished)


class OtherRate(ToneSynthesizer):
    """Speaks at a rate of its own."""

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        yield AudioChunk(piece.segment, np.full(22_050, 0.5, np.float32), 22_050)


async def test_a_voice_may_have_a_rate_of_its_own(executor: UrgentThreads) -> None:
    async with house_of(ThreadEngine(OtherRate(), 1), executor) as house:
        events = await house.speaker().start("One.").rest()
        assert isinstance(events[-1], Finished) and events[-1].length == TIMELINE_RATE
        await house.settled()


class BrokenEncoder(PcmS16leEncoder):
    """Fails on its first frame."""

    def encode(self, frame: bytes) -> bytes:
        raise RuntimeError("a secret of the inside")


async def test_a_fault_of_our_own_ends_it_and_tells_nothing_of_the_inside(house: House) -> None:
    talk = house.speaker(encoder=BrokenEncoder(24_000, 20)).start("One is here.")
    failed = (await talk.rest())[-1]
    assert isinstance(failed, Failed) and failed.code == ErrorCode.INTERNAL
    assert "secret" not in failed.message
    assert talk.task is not None
    await talk.task
    assert house.scheduler.admitted == 0
    await house.settled()


async def test_raw_pcm_ends_with_a_short_frame(house: House) -> None:
    talk = house.speaker(encoder=PcmS16leEncoder(24_000, 20)).start("One is here.", end=False)
    talk.speaker.flush("f")
    talk.speaker.append("Two is here.")
    talk.speaker.end()
    events = await talk.rest()
    assert isinstance(events[-1], Finished)
    packets = packets_of(events)
    check_packets(packets, events[-1].length)
    assert all(len(packet.payload) == packet.duration for packet in packets)


async def test_marks_of_time_are_in_order(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = house.speaker()
    monkeypatch.setattr(talk.speaker, "_clock", TickingClock())
    events = await talk.start("One is here. Two is here.").rest()
    timing = talk.speaker.timing
    marks = [
        timing.accepted,
        timing.admitted,
        timing.first_text,
        timing.first_pcm,
        timing.first_packet,
        timing.done,
    ]
    known = [mark for mark in marks if mark is not None]
    assert len(known) == 6 and known == sorted(known)
    assert isinstance(events[-1], Finished) and events[-1].timing is timing
    assert timing.audio_s == events[-1].length / TIMELINE_RATE
    assert timing.encode_s > 0 and timing.infer_s > 0


async def test_every_output_is_announced(house: House) -> None:
    """A listener that only looks when it is called misses nothing: `rest` waits for nothing else."""
    events = await house.speaker().start(*("Word " * 30), ". ", *SENTENCE).rest()
    assert isinstance(events[-1], Finished)


@pytest.mark.parametrize("seed", range(4))
async def test_no_end_leaks_a_place(executor: UrgentThreads, seed: int) -> None:
    """Many at once, ending in every way at random moments; then all places are free and still serve."""
    chance = random.Random(seed)
    engine = ThreadEngine(FaultySynthesizer(), 2)
    async with house_of(engine, executor, limit=8) as house:
        refused = 0
        for _ in range(6):
            talks = [
                house.speaker(chance.choice([100, 2000]), settings=chance.choice([ALONE, TONE]))
                for _ in range(10)
            ]
            for talk in talks:
                talk.start(
                    SENTENCE * chance.randrange(4),
                    chance.choice(["FAIL now.", "Fine."]),
                    end=chance.random() < 0.8,
                )
            for _ in range(chance.randrange(30)):
                await asyncio.sleep(0)
                for talk in talks:
                    talk.speaker.take()
            for talk in talks:
                assert talk.task is not None
                if chance.random() < 0.5:
                    talk.task.cancel()
                else:
                    talk.speaker.end()
                    talk.changed.set()
            for talk in talks:
                while talk.task is not None and not talk.task.done():
                    talk.take_all()
                    await asyncio.wait({talk.task}, timeout=0.001)
                refused += bool(talk.speaker.failure and talk.speaker.failure.code == ErrorCode.QUEUE_FULL)
            assert (house.scheduler.admitted, house.scheduler.queue_depth) == (0, 0)
        assert refused > 0, "the limit was met"
        await house.settled()
        assert engine._workers is not None and engine._workers.stats() == Stats(0, 0, 0)
        assert isinstance((await house.speaker().start("Still here.").rest())[-1], Finished)


async def test_a_failure_told_by_hand(executor: UrgentThreads) -> None:
    engine = HandEngine()
    async with house_of(engine, executor) as house:
        talk = house.speaker().start("One.")
        await until(lambda: bool(engine.opened()))
        engine.fail(1)
        (failed,) = await talk.rest()
        assert isinstance(failed, Failed)
        assert (failed.code, failed.message) == (ErrorCode.ENGINE_FAILED, "the voice is gone")


# -- sound that was made before, or is made for another ---------------------------------------------------


class Counting(FaultySynthesizer):
    """Counts what it is asked for; `gate` holds it up before each piece."""

    def __init__(self) -> None:
        self.spoken: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        self.spoken.append(piece.text)
        assert self.gate.wait(PATIENCE_S)
        yield from super().synthesize(piece, request, cancellation)


@asynccontextmanager
async def counting_house(executor: UrgentThreads, workers: int = 1) -> AsyncIterator[tuple[House, Counting]]:
    counting = Counting()
    async with house_of(ThreadEngine(counting, workers), executor) as house:
        yield house, counting
        counting.gate.set()
        await house.settled()
        assert (house.scheduler.admitted, house.scheduler.queue_depth) == (0, 0)


def sentences(count: int) -> list[str]:
    """Different ones, as long as `SENTENCE`."""
    letters = "bcdfghjklm"
    return [f"{letters[n // 10].upper()}aaa {letters[n % 10]}eee." for n in range(count)]


def timing_of(events: list[SpeechEvent]) -> Timing:
    assert isinstance(events[-1], Finished)
    return events[-1].timing


async def test_equal_texts_at_the_same_time_are_synthesized_once(executor: UrgentThreads) -> None:
    text = " ".join(sentences(5))
    async with counting_house(executor, workers=2) as (house, counting):
        counting.gate.clear()
        talks = [house.speaker().start(text) for _ in range(8)]
        await until(lambda: bool(counting.spoken))
        counting.gate.set()
        everything = await asyncio.gather(*(talk.rest() for talk in talks))
        assert sorted(counting.spoken) == sentences(5)
        assert all(packets_of(events) == packets_of(everything[0]) for events in everything)
        assert all(kinds(events) == kinds(everything[0]) for events in everything)
        assert sorted(timing_of(events).cached_segments for events in everything)[1:] == [5] * 7
        later = await house.speaker().start(text).rest()
        assert packets_of(later) == packets_of(everything[0])
        assert timing_of(later).cache_use == "hit" and len(counting.spoken) == 5


async def test_the_first_who_hangs_up_stops_nobody(executor: UrgentThreads) -> None:
    async with counting_house(executor) as (house, counting):
        counting.gate.clear()
        first, second = (house.speaker().start("Just one of them.") for _ in range(2))
        await until(lambda: house.scheduler.queue_depth == 2 and bool(counting.spoken))
        await first.cancel()
        counting.gate.set()
        assert timing_of(await second.rest()).segments == 1
        assert counting.spoken == ["Just one of them."] and first.take_all() == []


async def test_the_last_who_hangs_up_frees_the_engine(executor: UrgentThreads) -> None:
    async with counting_house(executor) as (house, counting):
        counting.gate.clear()
        talks = [house.speaker().start("Just one of them. And another one.") for _ in range(3)]
        await until(lambda: house.scheduler.queue_depth == 3 and bool(counting.spoken))
        for talk in talks:
            await talk.cancel()
        assert house.studio.syntheses._under_way == {} and house.scheduler._held
        counting.gate.set()
        await house.settled()
        assert counting.spoken == ["Just one of them."] and house.cache.stats.entries == 0


async def test_a_failure_reaches_all_and_later_texts_try_anew(executor: UrgentThreads) -> None:
    async with counting_house(executor) as (house, counting):
        counting.gate.clear()
        talks = [house.speaker().start("REFUSE to say this.") for _ in range(3)]
        await until(lambda: house.scheduler.queue_depth == 3)
        counting.gate.set()
        for talk in talks:
            failed = (await talk.rest())[-1]
            assert isinstance(failed, Failed) and failed.code == ErrorCode.ENGINE_FAILED
        assert len(counting.spoken) == 1
        assert isinstance((await house.speaker().start("REFUSE to say this.").rest())[-1], Failed)
        assert len(counting.spoken) == 2


@pytest.mark.parametrize("speed", [0.5, 1, 2])
async def test_what_comes_out_of_the_cache_sounds_the_same(executor: UrgentThreads, speed: float) -> None:
    """Bit for bit: its tempo, its pauses, its words and its packets are made for each context anew."""
    text = " ".join(sentences(3))
    async with counting_house(executor) as (house, counting):
        settings = replace(TONE, speed=speed)
        alone = await house.speaker(settings=replace(settings, cache=False)).start(text).rest()
        first = await house.speaker(settings=settings).start(text).rest()
        again = await house.speaker(settings=settings).start(text).rest()
        assert len(counting.spoken) == 6
        assert alone[:-1] == first[:-1] == again[:-1]
        assert [timing_of(each).cache_use for each in (alone, first, again)] == ["off", "miss", "hit"]
        partial = await house.speaker(settings=settings).start(text, " One more.").rest()
        assert timing_of(partial).cache_use == "partial" and timing_of(partial).cached_segments == 3


async def test_the_same_words_in_another_context_have_their_own_places(house: House) -> None:
    await house.speaker().start("This is one.").rest()
    events = await house.speaker().start("Something else. \n\n This is one.").rest()
    starts = [event for event in events if isinstance(event, SegmentStarted)]
    assert [(start.index, start.source) for start in starts] == [(0, (0, 15)), (1, (19, 31))]
    words = [word for event in events if isinstance(event, WordsTimed) for word in event.words]
    assert [(word.source_start, word.source_end) for word in words[-3:]] == [(19, 23), (24, 26), (27, 31)]
    assert timing_of(events).cache_use == "partial"


async def test_the_ends_of_segments_are_told_of_cached_ones_too(house: House) -> None:
    told = []
    for _ in range(2):
        events = await house.speaker(segment_ends=True).start(" ".join(sentences(3))).rest()
        ends = [event for event in events if isinstance(event, SegmentEnded)]
        assert [end.index for end in ends] == [0, 1, 2]
        told.append(events[:-1])
        for number, event in enumerate(events):
            if isinstance(event, SegmentEnded):
                *_, before = packets_of(events[:number])
                assert before.position + before.duration >= event.end
    assert told[0] == told[1]


async def test_a_slow_listener_of_cached_sound_has_no_more_encoded_than_the_buffer(house: House) -> None:
    text = " ".join(sentences(100))
    await house.speaker().start(text).rest()
    buffer_ms = 2000
    talk = house.speaker(buffer_ms).start(text)

    taken: list[SpeechEvent] = []
    for _ in range(20):
        await until(lambda: talk.speaker._pace.waiting_ms >= buffer_ms)
        for _ in range(5):
            await asyncio.sleep(0.001)
        waiting_ms = sum(packet.duration for packet in packets_of(list(talk.speaker._output))) / 48
        assert waiting_ms < buffer_ms + SENTENCE_MS + PAUSE_MS + 60
        while talk.speaker._pace.waiting_ms > buffer_ms / 3:
            event = talk.speaker.take()
            assert event is not None
            taken.append(event)
    taken += await talk.rest()
    assert timing_of(taken).cached_segments == 100
    check_packets(packets_of(taken), taken[-1].length if isinstance(taken[-1], Finished) else 0)


async def test_one_cached_segment_is_encoded_ahead_of_the_turn(house: House) -> None:
    text = " ".join(sentences(10))
    await house.speaker().start(text).rest()
    talk = house.speaker().start(text, turn=False)
    await until(lambda: bool(talk.speaker._output))
    await house.speaker().start("Somebody else.").rest()
    assert [event.index for event in talk.speaker._output if isinstance(event, SegmentStarted)] == [0]
    assert timing_of(await talk.rest()).cached_segments == 10


async def test_work_that_a_cancel_throws_away_is_bounded(executor: UrgentThreads) -> None:
    """By the buffer, and the one segment that is begun ahead."""
    buffer_ms = 2000
    async with counting_house(executor) as (house, counting):
        talk = house.speaker(buffer_ms).start(" ".join(sentences(60)))
        await until(lambda: talk.speaker._pace.waiting_ms >= buffer_ms)
        await house.speaker(settings=ALONE).start("Somebody else.").rest()
        made = [text for text in counting.spoken if text != "Somebody else."]
        assert 2 <= len(made) <= math.ceil(buffer_ms / SENTENCE_MS) + 1
        await talk.cancel()
        await house.settled()
        assert len(counting.spoken) == len(made) + 1


async def test_a_failure_is_told_without_room(executor: UrgentThreads) -> None:
    """A listener that takes nothing hears of it all the same."""
    engine = HandEngine()
    async with house_of(engine, executor) as house:
        talk = house.speaker(buffer_ms=500).start("Hi. Ho. ", end=False)
        talk.speaker.flush(None)
        await until(lambda: len(engine.opened()) == 2)
        engine.make(1, AudioChunk(0, np.full(18_000, 0.5, np.float32), 24_000))
        await until(lambda: talk.speaker._rendered == 1)
        assert talk.speaker._pace.waiting_ms > 500
        engine.fail(2)
        await until(lambda: talk.speaker.failure is not None)
        assert talk.speaker.failure is not None and talk.speaker.failure.message == "the voice is gone"
        assert kinds(await talk.rest()) == ["SegmentStarted", "Packet", "Failed"]


# -- those that wait for their first sound ----------------------------------------------------------------


async def test_no_more_may_wait_for_their_first_sound_than_is_set(executor: UrgentThreads) -> None:
    engine = HandEngine()
    async with house_of(engine, executor, max_queue_depth=2) as house:
        silent = house.speaker().start(end=False)
        talks = [house.speaker(settings=ALONE).start("One. ", end=False) for _ in range(2)]
        for talk in talks:
            talk.speaker.flush(None)
        await until(lambda: len(engine.opened()) == 2)
        assert house.scheduler.queue_depth == 2, "one has given no text yet"
        (failed,) = await house.speaker().start("Two.").rest()
        assert isinstance(failed, Failed) and failed.code == ErrorCode.QUEUE_FULL
        assert failed.retry_after_ms is not None
        engine.make(1, AudioChunk(0, np.full(2400, 0.5, np.float32), 24_000))
        await until(lambda: house.scheduler.queue_depth == 1)
        assert house.scheduler.admitted == 3, "it sounds, and goes on"
        talks[0].speaker.append("More of it. ")
        talks[0].speaker.flush(None)
        await until(lambda: len(engine.opened()) == 3)
        assert house.scheduler.queue_depth == 1, "who has sounded once waits no more"
        await talks[0].cancel()
        third = house.speaker().start("Three.")
        await until(lambda: len(engine.opened()) == 4)
        assert house.scheduler.queue_depth == 2
        engine.fail(2)
        assert isinstance((await talks[1].rest())[-1], Failed)
        await until(lambda: house.scheduler.queue_depth == 1)
        await third.cancel()
        await silent.cancel()
        assert (house.scheduler.admitted, house.scheduler.queue_depth) == (0, 0)


async def test_nothing_to_say_waits_for_nothing(house: House) -> None:
    talk = house.speaker().start("... 😀", end=False)
    talk.speaker.flush("f")
    await talk.until(lambda event: isinstance(event, Flushed))
    assert (house.scheduler.admitted, house.scheduler.queue_depth) == (1, 0)
    await talk.cancel()


async def test_an_engine_that_has_died_meanwhile_is_asked_again(executor: UrgentThreads) -> None:
    """What was made ahead failed before anybody needed it."""
    engine = HandEngine()
    async with house_of(engine, executor) as house:
        talk = house.speaker().start("One is here. Two is here.")
        await until(lambda: len(engine.opened()) == 2)
        engine.fail(2)
        engine.make(1, AudioChunk(0, np.full(2400, 0.5, np.float32), 24_000))
        await until(lambda: len(engine.opened()) == 3)
        engine.make(3, AudioChunk(0, np.full(2400, 0.5, np.float32), 24_000))
        assert timing_of(await talk.rest()).segments == 2


class WholeUtterances(ToneSynthesizer):
    """Pretends that all it says depends on what it said before."""

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, context="utterance")


async def test_sound_of_a_whole_text_may_be_there_before_its_text(executor: UrgentThreads) -> None:
    """Out of the cache it comes at once; a sentence of more than a slice of text takes turns of the loop."""
    text = "A long one, " * 40 + "to its end. And another."
    async with house_of(ThreadEngine(WholeUtterances(), 1), executor, cache=AudioCache(2**28, 10)) as house:
        results = []
        for _ in range(2):
            talk = house.speaker()
            talk.speaker.append(text)
            talk.speaker.end()
            results.append(await talk.start(end=False).rest())
            assert isinstance(results[-1][-1], Finished)
        first, second = results
        assert [each.timing.cache_use for each in (first[-1], second[-1])] == ["miss", "hit"]
        assert packets_of(first) == packets_of(second)


async def test_each_voice_is_brought_to_its_level(executor: UrgentThreads) -> None:
    """By a sentence of its own, once; and the text of another language by the level of its voice."""
    engine = ThreadEngine(FaultySynthesizer(), 1)
    async with house_of(engine, executor) as house:
        levels = Levels(
            house.scheduler,
            house.studio.syntheses,
            executor,
            CLOCK,
            -30.0,
            {"en": "One two three four five."},
        )
        house.studio = replace(house.studio, levels=levels)
        usual = await house.speaker(encoder=PcmS16leEncoder(24_000, 20)).start("One two three four.").rest()
        pcm = np.frombuffer(b"".join(packet.payload for packet in packets_of(usual)), "<i2")
        assert abs(measure(pcm.astype(np.float32) / 32768, 24_000) + 30.0) < 0.5
        assert len(levels._gains) == 1 and not levels._measuring
        await levels.stop()


async def test_a_voice_that_cannot_be_measured_fails_what_it_was_to_say(executor: UrgentThreads) -> None:
    async with house_of(ThreadEngine(FaultySynthesizer(), 1), executor) as house:
        levels = Levels(house.scheduler, house.studio.syntheses, executor, CLOCK, -30.0, {"en": "FAIL here."})
        house.studio = replace(house.studio, levels=levels)
        failed = (await house.speaker().start("One two.").rest())[-1]
        assert isinstance(failed, Failed) and failed.code == ErrorCode.ENGINE_FAILED
        assert not levels._gains and not levels._measuring
        await house.settled()


async def test_a_loudness_lost_with_the_engine_is_measured_again(
    executor: UrgentThreads,
) -> None:
    engine = HandEngine()
    async with house_of(engine, executor) as house:
        levels = Levels(house.scheduler, house.studio.syntheses, executor, CLOCK, -30.0, {"en": "One."})
        gain = asyncio.create_task(levels.gain_db("tone", "en", None))
        await until(lambda: bool(engine.opened()))
        assert engine.grants(1)[0][1] < CLOCK.now() + NEWCOMER_S, "it is as urgent as a first sound"
        engine.lose(1, begun=True)
        engine.make(2, AudioChunk(0, np.full(24_000, 0.5, np.float32), 24_000))
        assert math.isfinite(await gain)
        engine.free(2)
        await house.settled()


async def test_who_waits_for_a_level_may_leave(executor: UrgentThreads) -> None:
    engine = HandEngine()
    async with house_of(engine, executor) as house:
        levels = Levels(house.scheduler, house.studio.syntheses, executor, CLOCK, -30.0, {"en": "One."})
        first = asyncio.create_task(levels.gain_db("tone", "en", None))
        second = asyncio.create_task(levels.gain_db("tone", "en", None))
        await until(lambda: len(engine.opened()) == 1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        engine.make(1, AudioChunk(0, np.full(24_000, 0.1, np.float32), 24_000))
        assert await second != 0
        waiting = asyncio.create_task(levels.gain_db("other", "en", None))
        await until(lambda: len(engine.opened()) == 2)
        await levels.stop()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert engine.cancels() == [1, 2] and not levels._measuring


async def test_a_voice_that_is_described_has_a_level_for_each_description(
    executor: UrgentThreads,
) -> None:
    """Another voice has one, however it is told to speak."""
    engine = HandEngine()
    async with house_of(engine, executor) as house:
        studio = house.studio
        levels = Levels(
            studio.scheduler, studio.syntheses, executor, CLOCK, -30.0, {"en": "One."}, frozenset({"design"})
        )

        async def gain(voice: str, instruct: str) -> float:
            begun = len(engine.opened())
            asked = asyncio.create_task(levels.gain_db(voice, "en", None, instruct))
            await until(lambda: asked.done() or len(engine.opened()) > begun)
            if not asked.done():
                opened = engine.opened()[-1]
                sound = np.full(24_000, 0.1 * opened.utterance, np.float32)
                engine.make(opened.utterance, AudioChunk(0, sound, 24_000))
                engine.free(opened.utterance)
            return await asked

        old, young = await gain("design", "old"), await gain("design", "young")
        assert old != young and await gain("design", "old") == old
        plain = await gain("tone", "")
        assert await gain("tone", "whisper") == plain
        assert [each.instruct for each in engine.opened()] == ["old", "young", ""]
        await house.settled()
