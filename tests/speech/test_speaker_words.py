"""An engine that is fed word by word: parts of a segment become one segment on the timeline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from realtime.app import text_options
from realtime.audio.opus import OpusEncoder
from realtime.clock import MonotonicClock
from realtime.config import Config
from realtime.engines.engine import Capabilities, Open
from realtime.engines.synthesizer import Cancellation
from realtime.engines.thread import ThreadEngine
from realtime.engines.tone import ToneSynthesizer
from realtime.speech.cache import AudioCache
from realtime.speech.scheduler import Scheduler
from realtime.speech.speaker import Speaker, Studio
from realtime.speech.synthesis import Syntheses
from realtime.speech.text_feed import TextTurns
from realtime.speech.timeline import Timeline
from realtime.speech.urgent_threads import UrgentThreads
from realtime.text.frontend import Frontend
from realtime.types import (
    AudioChunk,
    Finished,
    Flushed,
    Packet,
    SegmentStarted,
    SpeechEvent,
    TextPiece,
    Timing,
    VoiceSettings,
    WordsTimed,
)
from tests.speech.by_hand import HandListener
from tests.speech.sounds import check_packets, until


class WordTone(ToneSynthesizer):
    """Whistles each part of a segment as it comes; times are counted from the segment's beginning."""

    def __init__(self) -> None:
        self.fed: list[str] = []
        self._segment = -1
        self._characters = 0
        self._samples = 0

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, takes="word")

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        self.fed.append(piece.text)
        if piece.segment != self._segment:
            self._segment, self._characters, self._samples = piece.segment, 0, 0
        for chunk in super().synthesize(piece, request, cancellation):
            words = tuple(
                replace(
                    word,
                    spoken_start=word.spoken_start + self._characters,
                    spoken_end=word.spoken_end + self._characters,
                    start=word.start + self._samples,
                    end=word.end + self._samples,
                )
                for word in chunk.words
            )
            self._characters += len(piece.text)
            self._samples += len(chunk.pcm)
            yield replace(chunk, words=words, last_of_segment=piece.last_of_segment)


class Talk:
    """A speaker of the word-fed engine, and all that it has told."""

    def __init__(self, studio: Studio) -> None:
        settings = VoiceSettings("tone", "en")
        options = text_options(settings, studio.scheduler.capabilities, Config(), {})
        assert options.words
        self.events: list[SpeechEvent] = []
        timeline = Timeline(OpusEncoder(32_000), settings.speed)
        self.speaker = Speaker(studio, settings, Frontend(options), timeline, HandListener(self._take))
        self.speaker.take_turn()

    def _take(self) -> None:
        while (event := self.speaker.take()) is not None:
            self.events.append(event)

    def told(self, kind: type) -> list[SpeechEvent]:
        return [event for event in self.events if isinstance(event, kind)]


@asynccontextmanager
async def studio_of(synthesizer: WordTone) -> AsyncIterator[Studio]:
    clock = MonotonicClock()
    with UrgentThreads(1) as executor:
        scheduler = Scheduler(ThreadEngine(synthesizer, 1), clock, 10)
        await scheduler.start()
        syntheses = Syntheses(AudioCache(2**26, 100), clock)
        try:
            yield Studio(scheduler, syntheses, "", executor, clock, TextTurns(clock), buffer_ms=60_000)
            await until(lambda: not scheduler._held)
            assert not syntheses._under_way and not scheduler._listeners
        finally:
            await scheduler.stop()


@pytest.mark.parametrize("size", [1, 4, 1000])
async def test_words_are_spoken_before_their_sentence_is_known(size: int) -> None:
    text = "we can see that it costs $3.50 at the shop over there. And this is the second one of them."
    synthesizer = WordTone()
    async with studio_of(synthesizer) as studio:
        talk = Talk(studio)
        task = asyncio.create_task(talk.speaker.run())
        for start in range(0, 40, size):
            talk.speaker.append(text[start : min(40, start + size)])
        await until(lambda: bool(talk.told(Packet)))
        assert [event.final for event in talk.told(SegmentStarted)] == [False]  # type: ignore[union-attr]
        talk.speaker.append(text[40:])
        talk.speaker.flush("f")
        await until(lambda: bool(talk.told(Flushed)))
        talk.speaker.end()
        await task
    finished = talk.events[-1]
    assert isinstance(finished, Finished)
    check_packets([event for event in talk.events if isinstance(event, Packet)], finished.length)
    spoken = "we can see that it costs three dollars and fifty cents at the shop over there."
    assert "".join(synthesizer.fed).startswith(spoken) and len(synthesizer.fed) > 4
    segments = [event for event in talk.events if isinstance(event, SegmentStarted)]
    complete = {event.index: event for event in segments if event.final}
    assert [complete[number].text for number in (0, 1)] == [spoken, "And this is the second one of them."]
    assert complete[0].source == (0, text.index(". ") + 1)
    words = [word for event in talk.events if isinstance(event, WordsTimed) for word in event.words]
    assert [text[word.source_start : word.source_end] for word in words] == text.split()
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)


async def test_a_segment_whose_rest_says_nothing_ends_all_the_same() -> None:
    synthesizer = WordTone()
    async with studio_of(synthesizer) as studio:
        talk = Talk(studio)
        task = asyncio.create_task(talk.speaker.run())
        talk.speaker.append("we can see that it is here, ")
        talk.speaker.append("and it is so 😀 ")
        talk.speaker.end()
        await task
    assert isinstance(talk.events[-1], Finished)
    assert "".join(synthesizer.fed) == "we can see that it is here, and it is so"


async def spoken_whole(studio: Studio, text: str) -> tuple[list[Packet], Timing]:
    """A text that was said to its end before it was spoken."""
    talk = Talk(studio)
    talk.speaker.append(text)
    talk.speaker.end()
    await talk.speaker.run()
    finished = talk.events[-1]
    assert isinstance(finished, Finished)
    return [event for event in talk.events if isinstance(event, Packet)], finished.timing


async def test_a_text_that_came_whole_is_kept_whole() -> None:
    """The sound of a word depends on what was said before it: only equal texts have equal sound."""
    synthesizer = WordTone()
    async with studio_of(synthesizer) as studio:
        text = "we can see that it is here. And here it is again."
        first, timing = await spoken_whole(studio, text)
        fed = list(synthesizer.fed)
        assert (timing.cache_use, timing.segments) == ("miss", 2)
        again, timing = await spoken_whole(studio, text)
        assert (timing.cache_use, timing.segments) == ("hit", 2)
        assert again == first and synthesizer.fed == fed
        _, timing = await spoken_whole(studio, text + " And more.")
        assert timing.cache_use == "miss" and "".join(synthesizer.fed).count("we can see") == 2


async def test_a_text_that_comes_bit_by_bit_is_neither_looked_for_nor_kept() -> None:
    """What its first words are part of is not known when they are spoken."""
    synthesizer = WordTone()
    async with studio_of(synthesizer) as studio:
        text = "we can see that it is here. "
        for _ in range(2):
            talk = Talk(studio)
            task = asyncio.create_task(talk.speaker.run())
            await asyncio.sleep(0)
            talk.speaker.append(text)
            talk.speaker.end()
            await task
            finished = talk.events[-1]
            assert isinstance(finished, Finished)
            assert finished.timing.cache_use == "off", "the cache was not asked"
        assert "".join(synthesizer.fed).count("we can see") == 2
        stats = studio.syntheses.cache.stats
        assert (stats.entries, stats.hits, stats.misses) == (0, 0, 0)


async def test_equal_texts_at_the_same_time_are_fed_once() -> None:
    synthesizer = WordTone()
    async with studio_of(synthesizer) as studio:
        text = "we can see that it is here. And here it is again. " * 20
        alike = await asyncio.gather(*(spoken_whole(studio, text) for _ in range(4)))
        assert all(packets == alike[0][0] for packets, _ in alike)
        assert [timing.cache_use for _, timing in alike] == ["miss", "hit", "hit", "hit"]
        assert "".join(synthesizer.fed).count("we can see") == 20
