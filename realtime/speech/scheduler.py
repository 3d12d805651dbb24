"""Admission to the engine, and the way back of its events.

Admission is a context manager: whatever ends an utterance, its place is free again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from realtime.clock import Clock
from realtime.engines.engine import (
    Cancel,
    Capabilities,
    Chunk,
    Command,
    Engine,
    Event,
    Failure,
    Feed,
    Finish,
    Freed,
    Grant,
    Open,
    Stats,
)
from realtime.errors import QueueFullError
from realtime.types import TextPiece, VoiceSettings

#: What an utterance hears from the engine.
UtteranceEvent = Chunk | Failure
_RETRY_AFTER_MS = 1000


class CancelObserver(Protocol):
    """Is told how long the engine took to let go of a cancelled utterance."""

    def __call__(self, utterance: int, seconds: float) -> None:
        """`seconds` from the cancel to the engine's word that everything is free."""
        ...


class Utterance:
    """One admitted utterance: the engine's commands with its number filled in."""

    def __init__(self, number: int, send: Callable[[Command], None]) -> None:
        """`number` is the engine's name for it."""
        self.number = number
        self._send = send

    def open(self, settings: VoiceSettings) -> None:
        """Begin, with the voice and language of `settings`."""
        self._send(Open(self.number, settings.voice, settings.language, settings.seed, settings.auto_voices))

    def feed(self, piece: TextPiece) -> None:
        """Give text."""
        self._send(Feed(self.number, piece))

    def grant(self, audio_ms: int, deadline: float) -> None:
        """Allow `audio_ms` in all; the next of it is needed at `deadline` (monotonic seconds)."""
        self._send(Grant(self.number, audio_ms, deadline))

    def finish(self) -> None:
        """No more text."""
        self._send(Finish(self.number))


class Scheduler:
    """Owns the engine: admits utterances up to a limit and brings each one its events."""

    def __init__(
        self, engine: Engine, clock: Clock, max_utterances: int, on_cancelled: CancelObserver | None = None
    ) -> None:
        """`max_utterances`: more than that at a time are refused."""
        self._engine = engine
        self._clock = clock
        self._max_utterances = max_utterances
        self._on_cancelled = on_cancelled
        self._listeners: dict[int, Callable[[UtteranceEvent], None]] = {}
        self._held: set[int] = set()  # utterances of which the engine still holds something
        self._cancelled_at: dict[int, float] = {}
        self._next = 1
        #: Whether the engine has been loaded; it stays so while the engine is replaced.
        self.started = False
        self.stats = Stats(0, 0, 0)

    @property
    def capabilities(self) -> Capabilities:
        """What the engine can do."""
        return self._engine.capabilities

    @property
    def ready(self) -> bool:
        """Whether an utterance would be worked on at once."""
        return self.started and self._engine.ready and len(self._listeners) < self._max_utterances

    @property
    def engine_ready(self) -> bool:
        """Whether the engine is loaded and runs."""
        return self._engine.ready

    @property
    def admitted(self) -> int:
        """Utterances that hold a place now."""
        return len(self._listeners)

    async def start(self) -> None:
        """Load the engine."""
        await self._engine.start(self._on_event)
        self.started = True

    async def stop(self) -> None:
        """Give back the engine."""
        await self._engine.stop()

    @contextmanager
    def admit(self, listener: Callable[[UtteranceEvent], None]) -> Iterator[Utterance]:
        """A place in the engine for as long as the block runs; `listener` hears events on the loop.

        Raises `QueueFullError` when all places are taken.
        """
        if len(self._listeners) >= self._max_utterances:
            raise QueueFullError(
                f"{self._max_utterances} utterances are being spoken, which is all this server takes; "
                "try again soon",
                _RETRY_AFTER_MS,
            )
        number = self._next
        self._next += 1
        self._listeners[number] = listener
        try:
            yield Utterance(number, self._send)
        except asyncio.CancelledError:
            if number in self._held:
                self._cancelled_at[number] = self._clock.now()
            raise
        finally:
            del self._listeners[number]
            if number in self._held:
                self._engine.send(Cancel(number))

    def _send(self, command: Command) -> None:
        if isinstance(command, Open):
            self._held.add(command.utterance)
        self._engine.send(command)

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Stats):
            self.stats = event
            return
        listener = self._listeners.get(event.utterance)
        if isinstance(event, Freed):
            self._held.discard(event.utterance)
            cancelled_at = self._cancelled_at.pop(event.utterance, None)
            if cancelled_at is not None and self._on_cancelled is not None:
                self._on_cancelled(event.utterance, self._clock.now() - cancelled_at)
        elif listener is not None:
            listener(event)
