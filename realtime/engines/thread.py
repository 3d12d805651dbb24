"""Runs a synthesizer on threads of this process. Fastest to the first sound; shares the GIL with the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from realtime.engines.engine import Capabilities, Command, Event, Synthesizer
from realtime.engines.workers import Workers


class ThreadEngine:
    """An `Engine` on worker threads."""

    def __init__(self, synthesizer: Synthesizer, threads: int) -> None:
        """`threads` segments are made at the same time."""
        self._synthesizer = synthesizer
        self._threads = threads
        self._workers: Workers | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Of the synthesizer."""
        return self._synthesizer.capabilities

    @property
    def ready(self) -> bool:
        """True between start and stop."""
        return self._workers is not None

    async def start(self, on_event: Callable[[Event], None]) -> None:
        """Load in a thread, so that the loop stays free."""
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._synthesizer.load)

        def emit(event: Event) -> None:
            loop.call_soon_threadsafe(on_event, event)

        workers = Workers(self._synthesizer, self._threads, emit)
        workers.start()
        self._workers = workers

    def send(self, command: Command) -> None:
        """Give a command; after `stop` nothing happens."""
        if self._workers is not None:
            self._workers.handle(command)

    async def stop(self) -> None:
        """Wait for the segments under way, then end the threads."""
        workers, self._workers = self._workers, None
        if workers is not None:
            await asyncio.to_thread(workers.stop)
