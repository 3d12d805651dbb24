"""One utterance from text to packets: the order of events, bounded buffers, ends of every kind."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import numpy as np
import pytest

from realtime.audio.formats import PacketEncoder, PcmS16leEncoder
from realtime.audio.opus import OpusEncoder
from realtime.clock import MonotonicClock
from realtime.engines.engine import (
    Cancel,
    Cancellation,
    Chunk,
    Engine,
    Failure,
    Feed,
    Finish,
    Grant,
    Open,
    Stats,
)
from realtime.engines.thread import ThreadEngine
from realtime.engines.tone import CHARACTER_SAMPLES, GAP_SAMPLES, ToneSynthesizer
from realtime.errors import ErrorCode
from realtime.speech.scheduler import Scheduler
from realtime.speech.speaker import Speaker
from realtime.speech.timeline import GAP_S
from realtime.text.frontend import Frontend, TextOptions
from realtime.types import (
    TIMELINE_RATE,
    AudioChunk,
    Buffering,
    Failed,
    Finished,
    Flushed,
    Packet,
    SegmentStarted,
    SpeechEvent,
    TextPiece,
    VoiceSettings,
    WordsTimed,
)
from tests.engines.faulty import FaultySynthesizer
from tests.speech.sounds import PRE_SKIP, check_packets, hear_opus, until
from tests.speech.test_scheduler import HandEngine

PATIENCE_S = 20
CLOCK = MonotonicClock()


class TickingClock:
    """Every look at it is one second later."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        self.seconds += 1
        return self.seconds


class Studio:
    """A scheduler with its engine, and speakers on it."""

    def __init__(self, scheduler: Scheduler, executor: ThreadPoolExecutor) -> None:
        self.scheduler = scheduler
        self.executor = executor

    def speaker(
        self, buffer_ms: int = 60_000, buffering: Buffering = "auto", encoder: PacketEncoder | None = None
    ) -> Talk:
        return Talk(self, buffer_ms, buffering, encoder or OpusEncoder(32_000))

    async def settled(self) -> None:
        """Until the engine holds nothing any more."""
        await until(lambda: not self.scheduler._held)


class Talk:
    """A speaker, its task, and its listener."""

    def __init__(self, studio: Studio, buffer_ms: int, buffering: Buffering, encoder: PacketEncoder) -> None:
        self.changed = asyncio.Event()
        self.speaker = Speaker(
            VoiceSettings("tone", "en", buffer=buffering),
            Frontend(TextOptions("en", buffering=buffering)),
            encoder,
            studio.scheduler,
            studio.executor,
            CLOCK,
            buffer_ms,
            self.changed.set,
        )
        self.task: asyncio.Task[None] | None = None

    def start(self, *texts: str, end: bool = True, turn: bool = True) -> Talk:
        if turn:
            self.speaker.take_turn()
        self.task = asyncio.create_task(self.speaker.run())
        for text in texts:
            self.speaker.append(text)
        if end:
            self.speaker.end()
        return self

    def take_all(self) -> list[SpeechEvent]:
        taken: list[SpeechEvent] = []
        while (event := self.speaker.take()) is not None:
            taken.append(event)
        return taken

    async def until(self, condition: Callable[[SpeechEvent], bool]) -> list[SpeechEvent]:
        """Take until an event for which the condition holds, that included."""
        taken: list[SpeechEvent] = []
        async with asyncio.timeout(PATIENCE_S):
            while True:
                while (event := self.speaker.take()) is not None:
                    taken.append(event)
                    if condition(event):
                        return taken
                self.changed.clear()
                await self.changed.wait()

    async def rest(self) -> list[SpeechEvent]:
        """Everything up to its end, of whatever kind."""
        return await self.until(lambda event: isinstance(event, Finished | Failed))

    async def cancel(self) -> None:
        assert self.task is not None
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


@asynccontextmanager
async def studio_of(engine: Engine, executor: ThreadPoolExecutor, limit: int = 100) -> AsyncIterator[Studio]:
    scheduler = Scheduler(engine, CLOCK, limit)
    await scheduler.start()
    try:
        yield Studio(scheduler, executor)
    finally:
        await scheduler.stop()


@pytest.fixture
async def studio(executor: ThreadPoolExecutor) -> AsyncIterator[Studio]:
    async with studio_of(ThreadEngine(FaultySynthesizer(), 1), executor) as studio:
        yield studio


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


async def test_text_that_is_cancelled_before_its_turn_of_the_loop_is_not_worked_on(studio: Studio) -> None:
    talk = studio.speaker().start("This is one. " * 100)
    await talk.cancel()
    for _ in range(100):
        await asyncio.sleep(0)
    assert not talk.speaker._pieces and not talk.take_all()


async def test_the_order_of_events_and_the_whole_length(studio: Studio) -> None:
    text = ["This is one. ", "And ", "two of", " them."]
    events = await studio.speaker().start(*text).rest()
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


async def test_text_may_come_one_character_at_a_time_and_before_it_runs(studio: Studio) -> None:
    text = "This is one. And here are two of them."
    whole = await studio.speaker().start(text).rest()
    slow = studio.speaker()
    for character in text[:20]:
        slow.speaker.append(character)
    slow.start(end=False)
    for character in text[20:]:
        await asyncio.sleep(0)
        slow.speaker.append(character)
    slow.speaker.end()
    assert packets_of(await slow.rest()) == packets_of(whole)


async def test_everything_may_be_said_before_it_runs(studio: Studio) -> None:
    talk = studio.speaker()
    talk.speaker.append("All of it.")
    talk.speaker.flush("a")
    talk.speaker.end()
    events = await talk.start(end=False).rest()
    assert kinds(events) == ["SegmentStarted", "WordsTimed", "Packet", "Flushed", "Packet", "Finished"]


async def test_a_flush_is_answered_after_all_sound_before_it(studio: Studio) -> None:
    talk = studio.speaker().start("First sentence here. Half a", end=False)
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


async def test_a_flush_of_nothing_is_answered_at_once(studio: Studio) -> None:
    talk = studio.speaker().start(end=False)
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
async def test_nothing_to_say_is_finished_with_nothing(studio: Studio, text: str) -> None:
    (finished,) = await studio.speaker().start(text).rest()
    assert isinstance(finished, Finished) and finished.length == 0
    await studio.settled()


async def test_flush_then_end_closes_with_an_empty_packet(studio: Studio) -> None:
    talk = studio.speaker().start("One here.", end=False)
    talk.speaker.flush("f")
    talk.speaker.end()
    events = await talk.rest()
    *_, closing = packets_of(events)
    assert closing.payload == b"" and closing.duration == 0
    assert kinds(events)[-3:] == ["Flushed", "Packet", "Finished"]
    assert isinstance(events[-1], Finished)
    check_packets(packets_of(events), events[-1].length)


async def test_manual_buffering_speaks_at_a_flush(studio: Studio) -> None:
    talk = studio.speaker(buffering="manual").start("One is here. Two is here. ", end=False)
    other = await studio.speaker().start("Somebody else.").rest()
    assert isinstance(other[-1], Finished)
    assert talk.take_all() == []
    talk.speaker.flush("now")
    events = await talk.until(lambda event: isinstance(event, Flushed))
    assert [event.index for event in events if isinstance(event, SegmentStarted)] == [0, 1]
    await talk.cancel()


SENTENCE = "Aaaa eeee. "  # 580 ms, and 450 ms of pause after it
SENTENCE_MS, PAUSE_MS = 580, 450


async def test_what_waits_is_bounded_and_text_is_accepted_all_the_same(studio: Studio) -> None:
    """Nobody takes: the only worker comes free although the text is long. Somebody takes: it goes on."""
    buffer_ms = 3000
    talk = studio.speaker(buffer_ms)
    talk.speaker.append(SENTENCE * 20)  # accepted first: the more urgent of the two
    talk.start(end=False)
    for round_number in range(3):
        other = await studio.speaker().start("Somebody else.").rest()
        assert isinstance(other[-1], Finished), "the engine is free, as it was granted nothing more"
        talk.speaker.append(SENTENCE * 20)
        await studio.speaker().start("And another.").rest()
        output = list(talk.speaker._output)
        waiting = sum(packet.duration for packet in packets_of(output)) * 1000 / TIMELINE_RATE
        # Pauses are not the engine's sound; one segment may begin while less was made than granted.
        pauses = (len([event for event in output if isinstance(event, SegmentStarted)]) - 1) * PAUSE_MS
        assert buffer_ms / 2 < waiting - pauses < buffer_ms + SENTENCE_MS + 60, round_number
    talk.speaker.end()
    events = await talk.rest()
    assert isinstance(events[-1], Finished)
    check_packets(packets_of(events), events[-1].length)
    assert len([event for event in events if isinstance(event, SegmentStarted)]) == 80


async def test_one_segment_is_made_ahead_of_the_turn(studio: Studio) -> None:
    """Contexts that wait behind others must not take the engine from who is being listened to."""
    talk = studio.speaker(5000).start(SENTENCE * 20, turn=False)
    other = await studio.speaker().start(SENTENCE * 5).rest()
    assert isinstance(other[-1], Finished)
    await until(lambda: bool(talk.speaker._output))
    await studio.speaker().start("Somebody else.").rest()
    assert len([each for each in talk.speaker._output if isinstance(each, SegmentStarted)]) == 1
    events = await talk.rest()
    assert len([event for event in events if isinstance(event, SegmentStarted)]) == 20


@pytest.mark.parametrize("buffer_ms", [100, 500, 1000, 5000])
async def test_the_smallest_buffer_still_speaks_everything(studio: Studio, buffer_ms: int) -> None:
    events = await studio.speaker(buffer_ms).start(SENTENCE * 12).rest()
    assert isinstance(events[-1], Finished)
    assert len([event for event in events if isinstance(event, SegmentStarted)]) == 12


async def test_grants_follow_what_is_taken(executor: ThreadPoolExecutor) -> None:
    """Exactly, with an engine by hand: granted is made plus what there is room for."""
    engine = HandEngine()
    async with studio_of(engine, executor) as studio:
        talk = studio.speaker(buffer_ms=1000).start("One. Two. Three. Four. ", end=False)
        talk.speaker.flush(None)

        def granted() -> int:
            return max(command.audio_ms for command in engine.commands if isinstance(command, Grant))

        await until(lambda: any(isinstance(command, Feed) for command in engine.commands))
        assert granted() == 1000
        second = np.full(24_000, 0.5, np.float32)
        for segment in range(2):
            engine.on_event(Chunk(1, AudioChunk(segment, second, 24_000)))
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


async def test_a_cancel_frees_the_place_and_silences(studio: Studio) -> None:
    talk = studio.speaker(buffer_ms=1000).start(SENTENCE * 50)
    await talk.until(lambda event: isinstance(event, Packet))
    assert studio.scheduler.admitted == 1
    await talk.cancel()
    assert studio.scheduler.admitted == 0
    await studio.settled()
    talk.take_all()
    await studio.speaker().start("Somebody else.").rest()
    assert talk.take_all() == []
    talk.speaker.append("More. More of it. ")
    talk.speaker.flush("f")
    talk.speaker.end()
    await studio.speaker().start("Somebody else.").rest()
    assert talk.take_all() == []


async def test_a_cancel_before_the_first_step(studio: Studio) -> None:
    talk = studio.speaker().start("Never heard.")
    await talk.cancel()
    assert studio.scheduler.admitted == 0 and talk.take_all() == []
    await studio.settled()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Good so far. FAIL here please. Never said.", "the engine failed on this text (ValueError)"),
        ("Good so far. REFUSE here please. Never said.", "this text cannot be spoken"),
    ],
)
async def test_a_failure_of_the_engine_ends_it(studio: Studio, text: str, message: str) -> None:
    talk = studio.speaker().start(text)
    events = await talk.rest()
    failed = events[-1]
    assert isinstance(failed, Failed) and failed == talk.speaker.failure
    assert (failed.code, failed.message) == (ErrorCode.ENGINE_FAILED, message)
    assert talk.task is not None
    await talk.task
    assert studio.scheduler.admitted == 0
    await studio.settled()
    talk.speaker.append("Ignored. It is over now. ")
    talk.speaker.end()
    assert talk.take_all() == []


async def test_no_place_is_told_with_the_time_to_retry(executor: ThreadPoolExecutor) -> None:
    async with studio_of(ThreadEngine(ToneSynthesizer(), 1), executor, limit=1) as studio:
        first = studio.speaker().start("One.", end=False)
        await asyncio.sleep(0)  # it is admitted in the first step of its task
        (failed,) = await studio.speaker().start("Two.").rest()
        assert isinstance(failed, Failed) and failed.code == ErrorCode.QUEUE_FULL
        assert failed.retry_after_ms == 1000
        first.speaker.end()
        assert isinstance((await first.rest())[-1], Finished)
        assert first.task is not None
        await first.task
        assert isinstance((await studio.speaker().start("Three.").rest())[-1], Finished)


class OtherRate(ToneSynthesizer):
    """Speaks at a rate of its own."""

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        yield AudioChunk(piece.segment, np.full(22_050, 0.5, np.float32), 22_050)


async def test_a_voice_may_have_a_rate_of_its_own(executor: ThreadPoolExecutor) -> None:
    async with studio_of(ThreadEngine(OtherRate(), 1), executor) as studio:
        events = await studio.speaker().start("One.").rest()
        assert isinstance(events[-1], Finished) and events[-1].length == TIMELINE_RATE
        await studio.settled()


class BrokenEncoder(PcmS16leEncoder):
    """Fails on its first frame."""

    def encode(self, frame: bytes) -> bytes:
        raise RuntimeError("a secret of the inside")


async def test_a_fault_of_our_own_ends_it_and_tells_nothing_of_the_inside(studio: Studio) -> None:
    talk = studio.speaker(encoder=BrokenEncoder(24_000, 20)).start("One is here.")
    failed = (await talk.rest())[-1]
    assert isinstance(failed, Failed) and failed.code == ErrorCode.INTERNAL
    assert "secret" not in failed.message
    assert talk.task is not None
    await talk.task
    assert studio.scheduler.admitted == 0
    await studio.settled()


async def test_raw_pcm_ends_with_a_short_frame(studio: Studio) -> None:
    talk = studio.speaker(encoder=PcmS16leEncoder(24_000, 20)).start("One is here.", end=False)
    talk.speaker.flush("f")
    talk.speaker.append("Two is here.")
    talk.speaker.end()
    events = await talk.rest()
    assert isinstance(events[-1], Finished)
    packets = packets_of(events)
    check_packets(packets, events[-1].length)
    assert all(len(packet.payload) == packet.duration for packet in packets)


async def test_marks_of_time_are_in_order(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = studio.speaker()
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


async def test_every_output_is_announced(studio: Studio) -> None:
    """A listener that only looks when it is called misses nothing: `rest` waits for nothing else."""
    events = await studio.speaker().start(*("Word " * 30), ". ", *SENTENCE).rest()
    assert isinstance(events[-1], Finished)


@pytest.mark.parametrize("seed", range(4))
async def test_no_end_leaks_a_place(executor: ThreadPoolExecutor, seed: int) -> None:
    """Many at once, ending in every way at random moments; then all places are free and still serve."""
    chance = random.Random(seed)
    engine = ThreadEngine(FaultySynthesizer(), 2)
    async with studio_of(engine, executor, limit=8) as studio:
        refused = 0
        for _ in range(6):
            talks = [studio.speaker(chance.choice([100, 2000])) for _ in range(10)]
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
            assert studio.scheduler.admitted == 0
        assert refused > 0, "the limit was met"
        await studio.settled()
        assert engine._workers is not None and engine._workers.stats() == Stats(0, 0, 0)
        assert isinstance((await studio.speaker().start("Still here.").rest())[-1], Finished)


async def test_a_failure_told_by_hand(executor: ThreadPoolExecutor) -> None:
    engine = HandEngine()
    async with studio_of(engine, executor) as studio:
        talk = studio.speaker().start("One.", end=False)
        await asyncio.sleep(0)
        engine.on_event(Failure(1, "the voice is gone"))
        (failed,) = await talk.rest()
        assert isinstance(failed, Failed)
        assert (failed.code, failed.message) == (ErrorCode.ENGINE_FAILED, "the voice is gone")
