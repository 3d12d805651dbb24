"""An engine that fails, hangs and is lost when a test wants it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from realtime.engines.engine import Capabilities, Command, Event, Failure, Freed, Open, Stats
from realtime.engines.synthesizer import Cancellation
from realtime.engines.thread import ThreadEngine
from realtime.engines.tone import ToneSynthesizer
from realtime.errors import EngineError
from realtime.types import AudioChunk, TextPiece

THREADS = 2


class _Voice(ToneSynthesizer):
    """Whistles; FAIL in a segment raises, and HANG hears not even a cancel until the engine is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.lost = threading.Event()
        self.at: set[int] = set()

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        self.at.add(request.utterance)
        try:
            if "FAIL" in piece.text:
                raise EngineError("this text cannot be spoken")
            if "HANG" in piece.text:
                self.lost.wait()
            yield from super().synthesize(piece, request, cancellation)
        finally:
            self.at.discard(request.utterance)


class UnreliableEngine:
    """Threads of this process that can be lost, as a process of its own can; others are there at once."""

    def __init__(self) -> None:
        self._voice = _Voice()
        self._threads = ThreadEngine(self._voice, THREADS)
        self._on_event: Callable[[Event], None] = lambda event: None
        self._open: set[int] = set()

    @property
    def capabilities(self) -> Capabilities:
        return self._threads.capabilities

    @property
    def ready(self) -> bool:
        return self._threads.ready

    @property
    def busy(self) -> int:
        """Utterances that a thread is at."""
        return len(self._voice.at)

    async def start(self, on_event: Callable[[Event], None]) -> None:
        self._on_event = on_event
        await self._begin(self._threads)

    async def _begin(self, threads: ThreadEngine) -> None:
        def pass_on(event: Event) -> None:
            if threads is self._threads:  # nothing is heard of one that was lost
                if isinstance(event, Freed):
                    self._open.discard(event.utterance)
                self._on_event(event)

        await threads.start(pass_on)

    def send(self, command: Command) -> None:
        if isinstance(command, Open):
            self._open.add(command.utterance)
        self._threads.send(command)

    async def forget(self, voice_key: str) -> None:
        await self._threads.forget(voice_key)

    async def lose(self) -> None:
        """It dies, or is given up because it hangs, and is replaced."""
        threads, voice = self._threads, self._voice
        lost, at = sorted(self._open), set(voice.at)
        self._open.clear()
        self._voice = _Voice()
        self._threads = ThreadEngine(self._voice, THREADS)
        for utterance in lost:
            self._on_event(Failure(utterance, "the engine was lost", lost=True, begun=utterance in at))
            self._on_event(Freed(utterance))
        self._on_event(Stats(0, 0, 0))
        await self._begin(self._threads)
        voice.lost.set()
        await threads.stop()

    async def stop(self) -> None:
        self._voice.lost.set()
        await self._threads.stop()
