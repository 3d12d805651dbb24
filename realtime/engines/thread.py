"""Runs a synthesizer on threads of this process. Fastest to the first sound; shares the GIL with the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from realtime.engines.engine import (
    Capabilities,
    Chunk,
    Command,
    Event,
    Failure,
    Freed,
    KeepsPrompts,
    Open,
    Synthesizer,
)
from realtime.engines.loading import LoadTimes
from realtime.engines.workers import Workers
from realtime.errors import EngineError


class ThreadEngine:
    """An `Engine` on worker threads."""

    def __init__(self, synthesizer: Synthesizer, threads: int) -> None:
        """`threads` segments are made at the same time."""
        self._synthesizer = synthesizer
        self._threads = threads
        self._workers: Workers | None = None
        self._early: list[Command] = []  # commands that came before it was loaded
        self._stopped = False
        self._load_times = LoadTimes()

    @property
    def capabilities(self) -> Capabilities:
        """Of the synthesizer."""
        return self._synthesizer.capabilities

    @property
    def ready(self) -> bool:
        """True between start and stop."""
        return self._workers is not None

    async def start(self, on_event: Callable[[Event], None]) -> None:
        """Load in a thread, so that the loop stays free; raises `EngineError` when that fails.

        What was opened before waits for it; when it cannot be had, that fails, and this may be tried again.
        """
        loop = asyncio.get_running_loop()
        try:
            await asyncio.to_thread(self._synthesizer.load)
        except Exception as error:
            message = f"the engine could not be loaded: {type(error).__name__}: {error}"
            self._fail_early(on_event, message)
            raise EngineError(message) from error

        def deliver(event: Event) -> None:
            if isinstance(event, Chunk | Freed) and (load_s := self._load_times.take(event.utterance)):
                event = replace(event, load_s=load_s) if isinstance(event, Chunk) else event
            on_event(event)

        def emit(event: Event) -> None:
            loop.call_soon_threadsafe(deliver, event)

        workers = Workers(self._synthesizer, self._threads, emit)
        workers.start()
        self._workers = workers
        self._load_times.loaded()
        early, self._early = self._early, []
        for command in early:
            workers.handle(command)

    def send(self, command: Command) -> None:
        """Give a command; before `start` it waits, after `stop` nothing happens."""
        if self._workers is not None:
            self._workers.handle(command)
        elif not self._stopped:
            self._early.append(command)
            if isinstance(command, Open):
                self._load_times.opened(command.utterance)

    async def forget(self, voice_key: str) -> None:
        """Drop what the synthesizer keeps of a recording."""
        if self._workers is not None:
            await asyncio.to_thread(self._workers.forget, voice_key)
        elif isinstance(self._synthesizer, KeepsPrompts):
            await asyncio.to_thread(self._synthesizer.prompts.forget, voice_key)

    async def stop(self) -> None:
        """Wait for the segments under way, then end the threads."""
        self._stopped = True
        self._early.clear()
        workers, self._workers = self._workers, None
        if workers is not None:
            await asyncio.to_thread(workers.stop)

    def _fail_early(self, on_event: Callable[[Event], None], message: str) -> None:
        early, self._early = self._early, []
        self._load_times.clear()
        for command in early:
            if isinstance(command, Open):
                on_event(Failure(command.utterance, message))
                on_event(Freed(command.utterance))
