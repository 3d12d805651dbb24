"""A studio on an engine, speakers in it, and listeners who take what they say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from realtime.audio.formats import PacketEncoder
from realtime.audio.opus import OpusEncoder
from realtime.clock import MonotonicClock
from realtime.engines.engine import Engine
from realtime.speech.cache import AudioCache
from realtime.speech.scheduler import Scheduler
from realtime.speech.speaker import Speaker, Studio
from realtime.speech.synthesis import Syntheses
from realtime.speech.text_feed import TextTurns
from realtime.speech.timeline import Timeline
from realtime.speech.urgent_threads import UrgentThreads
from realtime.text.frontend import Frontend, TextOptions
from realtime.types import Buffering, Failed, Finished, SpeechEvent, VoiceSettings
from tests.speech.by_hand import HandListener
from tests.speech.sounds import until

PATIENCE_S = 20
CLOCK = MonotonicClock()
CACHE_BYTES = 64 * 2**20
TONE = VoiceSettings("tone", "en")
#: Nothing out of the cache: every sentence is the engine's.
ALONE = replace(TONE, cache=False)


class House:
    """A studio on its engine, and speakers in it."""

    def __init__(self, scheduler: Scheduler, executor: UrgentThreads, cache: AudioCache) -> None:
        self.scheduler = scheduler
        self.cache = cache
        syntheses = Syntheses(cache, CLOCK)
        self.studio = Studio(
            scheduler, syntheses, "revision", executor, CLOCK, TextTurns(CLOCK), buffer_ms=60_000
        )

    def speaker(
        self,
        buffer_ms: int = 60_000,
        buffering: Buffering = "auto",
        encoder: PacketEncoder | None = None,
        *,
        settings: VoiceSettings = TONE,
        segment_ends: bool = False,
    ) -> Talk:
        settings = replace(settings, buffer=buffering)
        studio = replace(self.studio, buffer_ms=buffer_ms)
        return Talk(studio, settings, encoder or OpusEncoder(32_000), segment_ends)

    async def settled(self) -> None:
        """Until nothing is held any more."""
        await until(lambda: not self.scheduler._held)
        assert not self.scheduler._listeners and not self.studio.syntheses._under_way


class Talk:
    """A speaker, its task, and its listener."""

    def __init__(
        self, studio: Studio, settings: VoiceSettings, encoder: PacketEncoder, segment_ends: bool
    ) -> None:
        self.changed = asyncio.Event()
        self.listener = HandListener(self.changed.set)
        languages = tuple(language for language, _ in settings.auto_voices)
        self.speaker = Speaker(
            studio,
            settings,
            Frontend(TextOptions(settings.language, languages=languages, buffering=settings.buffer)),
            Timeline(encoder, settings.speed),
            self.listener,
            segment_ends=segment_ends,
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


@asynccontextmanager
async def house_of(
    engine: Engine,
    executor: UrgentThreads,
    limit: int = 100,
    cache: AudioCache | None = None,
    max_queue_depth: int = 100,
) -> AsyncIterator[House]:
    scheduler = Scheduler(engine, CLOCK, limit, max_queue_depth=max_queue_depth)
    await scheduler.start()
    try:
        yield House(scheduler, executor, cache or AudioCache(CACHE_BYTES, 1000))
    finally:
        await scheduler.stop()
