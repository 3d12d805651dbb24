"""How much louder or softer each voice has to be made: found out once, by a sentence that it speaks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Executor
from functools import partial

import numpy as np
import structlog

from realtime.audio.loudness import gain_db, measure
from realtime.clock import Clock
from realtime.engines.engine import Chunk, Failure
from realtime.errors import ErrorCode, RealtimeError
from realtime.speech.pace import NEWCOMER_S
from realtime.speech.scheduler import Scheduler
from realtime.speech.synthesis import Syntheses
from realtime.types import AudioChunk, TextPiece, VoiceReference

#: All of the sentence may be made at once.
_GRANTED_MS = 60_000
#: Voices, recordings of cloned ones included, whose gains are kept.
MOST_GAINS = 1_024
_log = structlog.get_logger(__name__)

#: A voice, what it is cloned from, and how it is described.
_Key = tuple[str, str, str]


class Levels:
    """Gains of the voices. A gain is the same for the life of the server, so that equal sound stays equal."""

    def __init__(
        self,
        scheduler: Scheduler,
        syntheses: Syntheses,
        executor: Executor,
        clock: Clock,
        target_lufs: float,
        sentences: Mapping[str, str],
        described: frozenset[str] = frozenset(),
    ) -> None:
        """`sentences` to be spoken for it, by language; `executor` measures them.

        Voices that are `described` are others with other instructions.
        """
        self._scheduler = scheduler
        self._syntheses = syntheses
        self._executor = executor
        self._clock = clock
        self._target_lufs = target_lufs
        self._sentences = sentences
        self._described = described
        self._gains: dict[_Key, float] = {}
        self._measuring: dict[_Key, asyncio.Task[float]] = {}

    async def gain_db(
        self, voice: str, language: str, reference: VoiceReference | None, instruct: str = ""
    ) -> float:
        """The gain of a voice in dB; who asks first waits for its sentence.

        `instruct` counts for one that is described alone: who tells a voice to whisper wants it softer.
        Raises `RealtimeError` when the engine fails to speak it: then it would fail to speak anything.
        """
        instruct = instruct if voice in self._described else ""
        key = (voice, reference.key if reference else "", instruct)
        if (known := self._gains.get(key)) is not None:
            return known
        task = self._measuring.get(key)
        if task is None:
            task = self._measuring[key] = asyncio.create_task(
                self._find(key, voice, language, reference, instruct)
            )
        # Who asked for it first may leave: others wait for it as well.
        return await asyncio.shield(task)

    async def stop(self) -> None:
        """Give up what is being measured; before the engine is stopped, which then answers no more."""
        tasks = list(self._measuring.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _find(
        self, key: _Key, voice: str, language: str, reference: VoiceReference | None, instruct: str
    ) -> float:
        try:
            chunks = await self._speak(voice, language, reference, instruct)
            loop = asyncio.get_running_loop()
            gain = self._gains[key] = await loop.run_in_executor(self._executor, self._gain_of, chunks)
            while len(self._gains) > MOST_GAINS:
                del self._gains[next(iter(self._gains))]
            _log.info("loudness_measured", voice=voice, gain_db=round(gain, 1))
            return gain
        finally:
            del self._measuring[key]

    def _gain_of(self, chunks: list[AudioChunk]) -> float:
        pcm = np.concatenate([chunk.pcm for chunk in chunks])
        return gain_db(measure(pcm, chunks[0].sample_rate), self._target_lufs)

    async def _speak(
        self, voice: str, language: str, reference: VoiceReference | None, instruct: str
    ) -> list[AudioChunk]:
        """The sound of the sentence."""
        text = self._sentences.get(language, next(iter(self._sentences.values())))
        changed = asyncio.Event()
        open_utterance = partial(
            self._scheduler.open, voice, language, reference=reference, instruct=instruct
        )
        listening = self._syntheses.listen(None, open_utterance, changed.set, is_segment=True)
        try:
            listening.feed(TextPiece(0, text, (0, len(text)), (), language))
            listening.finish()
            # Somebody waits for it with a first sound.
            listening.grant(_GRANTED_MS, self._clock.now() + NEWCOMER_S)
            chunks: list[AudioChunk] = []
            while not chunks or not chunks[-1].last_of_segment:
                event = listening.take()
                if isinstance(event, Failure):
                    raise RealtimeError(event.message, ErrorCode.ENGINE_FAILED)
                if isinstance(event, Chunk):
                    chunks.append(event.audio)
                else:
                    changed.clear()
                    await changed.wait()
            return chunks
        finally:
            listening.close()
