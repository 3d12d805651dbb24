"""Runs a synthesizer on threads of this process. Fastest to the first sound; shares the GIL with the loop.

A step that takes longer than `timeout_s` is given up: its utterance fails as lost, and its thread, which
cannot be ended, is left behind and replaced. When too many were left behind the engine is not ready any more,
and takes nothing on.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import structlog

from realtime.engines.crew import Crew
from realtime.engines.crews import crew_for
from realtime.engines.engine import (
    Capabilities,
    Chunk,
    Command,
    Event,
    Failure,
    Freed,
    LoadState,
    Open,
)
from realtime.engines.loading import LoadLog, LoadTimes, report_to, why_not_loaded
from realtime.engines.synthesizer import AnySynthesizer, KeepsPrompts, ReportsProgress
from realtime.errors import EngineError

_LEAST_WAIT_S = 0.01
_log = structlog.get_logger(__name__)


class ThreadEngine:
    """An `Engine` on threads."""

    def __init__(self, synthesizer: AnySynthesizer, threads: int, timeout_s: float = math.inf) -> None:
        """`threads` segments are made at the same time, if the synthesizer is capable of it."""
        self._synthesizer = synthesizer
        self._threads = threads
        self._timeout_s = timeout_s
        self._workers: Crew[Any] | None = None
        self._watchdog: asyncio.Task[None] | None = None
        self._early: list[Command] = []  # commands that came before it was loaded
        self._stopped = False
        self._load_times = LoadTimes()

    @property
    def capabilities(self) -> Capabilities:
        """Of the synthesizer."""
        return self._synthesizer.capabilities

    @property
    def ready(self) -> bool:
        """True between start and stop, while there are threads that do not hang."""
        return self._workers is not None and not self._workers.broken

    async def start(self, on_event: Callable[[Event], None]) -> None:
        """Load in a thread, so that the loop stays free; raises `EngineError` when that fails.

        What was opened before waits for it; when it cannot be had, that fails, and this may be tried again.
        """
        loop = asyncio.get_running_loop()
        log = LoadLog()

        def tell(what: str, fraction: float) -> None:
            state = LoadState("loading", what, fraction)
            log.note(state)
            loop.call_soon_threadsafe(on_event, state)

        report_to(self._synthesizer, tell)
        try:
            await asyncio.to_thread(self._synthesizer.load)
        except Exception as error:
            message = why_not_loaded(error)
            self._fail_early(on_event, message)
            raise EngineError(message) from error

        def deliver(event: Event) -> None:
            if isinstance(event, Chunk | Freed) and (load_s := self._load_times.take(event.utterance)):
                event = replace(event, load_s=load_s) if isinstance(event, Chunk) else event
            on_event(event)

        def emit(event: Event) -> None:
            loop.call_soon_threadsafe(deliver, event)

        crew = crew_for(self._synthesizer, self._threads, emit)
        crew.start()
        self._workers = crew
        if self._timeout_s < math.inf:
            self._watchdog = asyncio.create_task(self._watch(crew))
        self._load_times.loaded()
        if isinstance(self._synthesizer, ReportsProgress):
            on_event(LoadState("loaded"))
        early, self._early = self._early, []
        for command in early:
            crew.handle(command)

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
        """Wait for the steps under way, then end the threads."""
        self._stopped = True
        self._early.clear()
        watchdog, self._watchdog = self._watchdog, None
        if watchdog is not None:
            watchdog.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watchdog
        crew, self._workers = self._workers, None
        if crew is not None:
            await asyncio.to_thread(crew.stop)

    async def _watch(self, crew: Crew[Any]) -> None:
        """Give up what hangs; wakes when the slowest step could first do so, or one that begins now."""
        told = False
        while True:
            await asyncio.sleep(max(_LEAST_WAIT_S, self._timeout_s - crew.longest_step_s()))
            if lost := crew.give_up(self._timeout_s):
                _log.error("engine_step_hangs", timeout_s=self._timeout_s, utterances=len(lost))
            if crew.broken and not told:
                told = True
                _log.error(
                    "engine_not_ready",
                    meaning="too many threads of the voice hang; nothing more is spoken",
                    advice="restart the server; with ENGINE_RUNNER=process it replaces what hangs by itself",
                )

    def _fail_early(self, on_event: Callable[[Event], None], message: str) -> None:
        early, self._early = self._early, []
        self._load_times.clear()
        for command in early:
            if isinstance(command, Open):
                on_event(Failure(command.utterance, message))
                on_event(Freed(command.utterance))
