"""An engine that is loaded when somebody wants to hear it, and unloaded when nobody has for a while.

What runs is made anew for each load and stopped at each unload, so that all of its memory is given back. The
rules:

1. The first `Open` begins a load; what comes until it is there waits. One that is cancelled meanwhile is free
   at once, and the load goes on: whoever has asked for it is likely to ask again.
2. A load that fails fails those who wait, with its reason; the next `Open` tries again.
3. It is unloaded when so many seconds have passed since the last sound, whoever asked for that, and nothing
   is open. What is opened while it stops waits for the end of that, for both together may have no room, and
   then for the next load.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace

import structlog

from realtime.engines.engine import (
    Cancel,
    Capabilities,
    Chunk,
    Command,
    Engine,
    Event,
    Failure,
    Freed,
    LoadState,
    Open,
    Stats,
)
from realtime.engines.loading import LoadTimes
from realtime.errors import EngineError

_log = structlog.get_logger(__name__)


class OnDemandEngine:
    """An `Engine` that makes another, and gives it back."""

    def __init__(
        self, make: Callable[[], Engine], capabilities: Capabilities, *, preload: bool, idle_s: float
    ) -> None:
        """`make` gives one that was not started; it has these `capabilities`, which are needed before.

        `preload`: `start` loads it. `idle_s`: it is unloaded after so long without a sound; 0: never.
        """
        self._make = make
        self._capabilities = capabilities
        self._preload = preload
        self._idle_s = idle_s
        self._on_event: Callable[[Event], None] = lambda event: None
        self._runs = False  # between start and stop
        self._engine: Engine | None = None  # when it is loaded
        self._candidate: Engine | None = None  # while it is being loaded
        self._loading: asyncio.Task[None] | None = None
        self._unloading: asyncio.Task[None] | None = None
        self._waiting: dict[int, list[Command]] = {}  # by utterance, in the order in which they were opened
        self._open: set[int] = set()
        self._load_times = LoadTimes()
        self._last_sound = 0.0  # by the loop's clock
        self._timer: asyncio.TimerHandle | None = None

    @property
    def capabilities(self) -> Capabilities:
        """As they were given, whether it is loaded or not."""
        return self._capabilities

    @property
    def ready(self) -> bool:
        """Whether what is opened now is spoken, be it after a load; False while what runs is replaced."""
        return self._runs and (self._engine is None or self._engine.ready)

    async def start(self, on_event: Callable[[Event], None]) -> None:
        """Load it, if that is to be done at once; raises `EngineError` when it cannot be."""
        self._on_event = on_event
        self._runs = True
        if not self._preload:
            on_event(LoadState("unloaded"))
            self._load_for_those_who_wait()
            return
        try:
            await self._load()
        except EngineError as error:
            self._runs = False
            self._fail_waiting(error.message)
            raise

    def send(self, command: Command) -> None:
        """Give a command; one that opens an utterance has it loaded."""
        if isinstance(command, Open):
            self._open.add(command.utterance)
        if self._engine is not None:
            self._engine.send(command)
        elif isinstance(command, Open):
            self._waiting[command.utterance] = [command]
            self._load_times.opened(command.utterance)
            self._load_for_those_who_wait()
        elif isinstance(command, Cancel):
            if self._waiting.pop(command.utterance, None) is not None:
                # Not now: whoever cancels does not expect an answer before it has done so.
                asyncio.get_running_loop().call_soon(self._take, Freed(command.utterance))
        elif (commands := self._waiting.get(command.utterance)) is not None:
            commands.append(command)

    async def forget(self, voice_key: str) -> None:
        """Drop what is kept of a recording; also on disk, which outlives what is loaded."""
        await (self._engine or self._candidate or self._make()).forget(voice_key)

    async def stop(self) -> None:
        """Give back all there is, also what is being loaded or unloaded."""
        self._runs = False
        self._waiting.clear()
        self._stop_timer()
        loading, self._loading = self._loading, None
        if loading is not None:
            loading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await loading
        engine = self._engine or self._candidate
        self._engine = self._candidate = None
        if engine is not None:
            await engine.stop()
        if self._unloading is not None:
            await self._unloading

    # -- loading ----------------------------------------------------------------------------------------

    def _load_for_those_who_wait(self) -> None:
        if self._waiting and self._runs and self._loading is None:
            self._loading = asyncio.create_task(self._try_load())

    async def _try_load(self) -> None:
        try:
            await self._load()
        except EngineError as error:
            self._give_up(error.message)
        except Exception:  # a mistake of ours: those who wait must hear of it all the same
            _log.exception("engine_load_failed")
            self._give_up("the engine could not be loaded")
        else:
            self._loading = None

    def _give_up(self, reason: str) -> None:
        _log.error("engine_not_loaded", message=reason, utterances=len(self._waiting))
        self._loading = None  # who is told may ask again at once
        self._on_event(LoadState("unloaded"))
        self._fail_waiting(reason)

    async def _load(self) -> None:
        """Have it loaded, and give it what has waited for that."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self._on_event(LoadState("loading"))
        if self._unloading is not None:
            await asyncio.shield(self._unloading)
        candidate = self._candidate = self._make()
        try:
            await candidate.start(self._take)
        except Exception:
            await candidate.stop()
            self._candidate = None
            raise
        self._candidate, self._engine = None, candidate
        self._last_sound = loop.time()
        _log.info("engine_loaded", seconds=round(self._last_sound - begun, 3))
        self._on_event(LoadState("loaded"))
        self._load_times.loaded()
        waiting, self._waiting = self._waiting, {}
        for commands in waiting.values():
            for command in commands:
                candidate.send(command)
        self._look_at_clock()

    def _fail_waiting(self, reason: str) -> None:
        waiting, self._waiting = self._waiting, {}
        for utterance in waiting:
            for event in Failure(utterance, reason), Freed(utterance):
                try:
                    self._take(event)
                except Exception:  # one who hears it badly must not keep it from the others
                    _log.exception("engine_events_failed")

    # -- unloading --------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        """An event of what is loaded, or is being loaded."""
        if isinstance(event, Chunk):
            if len(event.audio.pcm):
                self._last_sound = asyncio.get_running_loop().time()
            if load_s := self._load_times.take(event.utterance):
                event = replace(event, load_s=load_s)
        elif isinstance(event, Freed):
            self._open.discard(event.utterance)
            self._load_times.take(event.utterance)
        elif isinstance(event, LoadState) and event.phase == "loaded" and self._engine is None:
            return  # that is told when it may be used
        self._on_event(event)
        if isinstance(event, Freed) and not self._open:
            self._look_at_clock()

    def _look_at_clock(self) -> None:
        """Unload it, if nobody needs it; or look again when that may be so."""
        self._stop_timer()
        if self._engine is None or self._open or not self._idle_s or not self._runs:
            return
        loop = asyncio.get_running_loop()
        due = self._last_sound + self._idle_s
        if loop.time() < due:
            self._timer = loop.call_at(due, self._look_at_clock)
            return
        engine, self._engine = self._engine, None
        _log.info("engine_unloading", idle_s=round(loop.time() - self._last_sound, 3))
        self._unloading = asyncio.create_task(self._unload(engine))

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    async def _unload(self, engine: Engine) -> None:
        try:
            await engine.stop()
        except Exception:
            _log.exception("engine_not_unloaded")
        self._unloading = None
        self._on_event(Stats(0, 0, 0))
        if self._loading is None:
            self._on_event(LoadState("unloaded"))
