"""Runs any engine in a child process: crashes, hangs, the GIL and licences stay on the other side.

Messages travel over a socket pair, sound through a ring in shared memory. When the child dies, when a step of
its work takes longer than `timeout_s`, or when nothing is heard of it for so long, its utterances fail as
lost, and a new child is started. A table in the shared memory, which outlives the child, says which of them
it was working on.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Set
from pathlib import Path

import structlog

from realtime.engines.child_logs import write_log
from realtime.engines.child_process import ChildProcess
from realtime.engines.engine import (
    Capabilities,
    Chunk,
    Command,
    EngineSettings,
    Event,
    Failure,
    Freed,
    LoadState,
    Open,
    Restarted,
    Stats,
    Steps,
)
from realtime.engines.loading import LoadLog, LoadTimes
from realtime.engines.prompts import forget_on_disk
from realtime.engines.wire import (
    Alive,
    ChildMessage,
    ChunkMade,
    Forget,
    Loaded,
    LoadFailed,
    LoadProgress,
    Logged,
    StepsTaken,
    UtteranceFailed,
    UtteranceFreed,
    WorkersBusy,
    decode_from_child,
    read_message,
)
from realtime.errors import EngineError

_LOAD_S = 600.0  # without a word of how it goes on
_RESTART_S = (0.0, 0.5, 1.0, 2.0, 5.0)  # waits before the nth start in a row
_WELL_S = 10.0  # a child that has lived for so long, or has spoken, was well
_RESTARTING = "the voice engine stopped working and is being restarted"
_log = structlog.get_logger(__name__)


class ProcessEngine:
    """An `Engine` in a process of its own that is replaced when it dies or hangs."""

    def __init__(
        self, factory: str, threads: int, timeout_s: float, settings: EngineSettings | None = None
    ) -> None:
        """`factory`: "module:function" that makes the `Synthesizer` of `settings`, called in the child."""
        self._factory = factory
        self._settings = settings or EngineSettings()
        self._threads = threads
        self._timeout_s = timeout_s
        self._on_event: Callable[[Event], None] = lambda event: None
        self._capabilities: Capabilities | None = None
        self._child: ChildProcess | None = None  # while it can be given commands
        self._living: ChildProcess | None = None  # until it has been ended
        self._keeper: asyncio.Task[None] | None = None
        self._open: set[int] = set()  # utterances that were opened and not freed
        self._early: list[Command] = []  # commands that came while no child was ready
        self._load_times = LoadTimes()
        self.restarts = 0

    @property
    def capabilities(self) -> Capabilities:
        """Of the synthesizer in the child."""
        if self._capabilities is None:
            raise EngineError("the engine has not been started")
        return self._capabilities

    @property
    def ready(self) -> bool:
        """False while there is no child that has loaded."""
        return self._child is not None

    async def start(self, on_event: Callable[[Event], None]) -> None:
        """Start the child and wait until it has loaded; raises `EngineError` when it cannot.

        What was opened before waits for it; when it cannot be had, that fails, and this may be tried again.
        """
        self._on_event = on_event
        try:
            child = await self._load()
        except EngineError as error:
            self._fail_all(error.message)
            raise
        except OSError as error:  # no process, no memory, no descriptor
            message = f"the engine could not be started: {error.strerror or error}"
            self._fail_all(message)
            raise EngineError(message) from error
        self._keeper = asyncio.create_task(self._keep(child))

    def send(self, command: Command) -> None:
        """Give a command; while a child is being replaced it waits for the next one."""
        if isinstance(command, Open):
            self._open.add(command.utterance)
            if self._child is None:
                self._load_times.opened(command.utterance)
        if self._child is not None:
            self._child.send(command)
        else:
            self._early.append(command)

    async def forget(self, voice_key: str) -> None:
        """Drop what is kept of a recording: in the child, and on disk whether there is a child or not."""
        if self._child is not None:
            self._child.send(Forget(voice_key))
        if self._settings.prompt_folder is not None:
            folder = Path(self._settings.prompt_folder)
            await asyncio.to_thread(forget_on_disk, folder, voice_key)

    async def stop(self) -> None:
        """End the child."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        await self._end_child()

    async def _end_child(self) -> int | None:
        """End the child, if there is one; returns its exit code."""
        self._child = None
        living = self._living
        if living is None:
            return None
        code = await living.end()
        self._living = None  # not before: what is cancelled while it waits here is done again by `stop`
        return code

    async def _load(self) -> ChildProcess:
        child = await ChildProcess.start(self._factory, self._settings, self._threads, self._timeout_s / 4)
        self._living = child
        log, tells = LoadLog(), False
        try:
            message = await self._next_of_load(child)
            while isinstance(message, LoadProgress):
                state = LoadState("loading", message.what, message.fraction)
                log.note(state)
                tells = True
                self._on_event(state)
                message = await self._next_of_load(child)
        except TimeoutError:
            child.kill()
            await self._end_child()
            raise EngineError(f"the engine was not loaded after {_LOAD_S:g} s") from None
        except (asyncio.IncompleteReadError, ConnectionError):
            code = await self._end_child()
            raise EngineError(f"the engine's process ended with code {code} while it loaded") from None
        if not isinstance(message, Loaded):
            await self._end_child()
            raise EngineError(
                message.message
                if isinstance(message, LoadFailed)
                else "the engine could not be loaded: it sent something else first"
            )
        self._capabilities = message.capabilities
        child.last_heard = child.loaded_at = time.monotonic()
        self._child = child
        self._load_times.loaded()
        if tells:
            self._on_event(LoadState("loaded"))
        early, self._early = self._early, []
        for command in early:
            child.send(command)
        return child

    async def _next_of_load(self, child: ChildProcess) -> ChildMessage:
        async with asyncio.timeout(_LOAD_S):
            while isinstance(message := decode_from_child(await read_message(child.reader)), Logged):
                write_log(message)
            return message

    async def _keep(self, child: ChildProcess) -> None:
        """Listen to the child; when it is gone, fail what it held and start another."""
        ill = 0  # children in a row that died by themselves, before they did anything
        while True:
            try:
                async with asyncio.TaskGroup() as tasks:
                    watchdog = tasks.create_task(self._watch(child))
                    await self._listen(child)
                    watchdog.cancel()
            except Exception:
                _log.exception("engine_events_failed")
            self._child = None
            begun = child.begun() & self._open
            was_well = begun or child.has_spoken or time.monotonic() - child.loaded_at > _WELL_S
            if was_well:
                ill = 0
            # First: what is opened from now on is for the next child.
            failed = self._fail_all(_RESTARTING, lost=True, begun=begun)
            self._on_event(Stats(0, 0, 0))  # and its memory is free
            code = await self._end_child()
            _log.error("engine_process_ended", code=code, utterances=failed, begun=len(begun))
            child = await self._replace(ill)
            ill += 1

    async def _replace(self, first: int) -> ChildProcess:
        """Start another, for as long as it takes; `first` says how long to wait before.

        What waits for it fails as lost when it cannot be started, so that it may be given to the next; but
        when there was none for so many times, it fails for good: nobody need wait for ever.
        """
        for attempt in itertools.count(first):
            await asyncio.sleep(_RESTART_S[min(attempt, len(_RESTART_S) - 1)])
            try:
                child = await self._load()
            except EngineError as error:
                _log.error("engine_restart_failed", message=error.message)
            except Exception:  # no memory, no process: whatever it is, the next try may go well
                _log.exception("engine_restart_failed")
                await self._end_child()
            else:
                self.restarts += 1
                _log.info("engine_restarted", restarts=self.restarts)
                self._on_event(Restarted())
                return child
            self._fail_all(_RESTARTING, lost=attempt < len(_RESTART_S))
        raise AssertionError("counting has no end")

    def _fail_all(self, message: str, *, lost: bool = False, begun: Set[int] = frozenset()) -> int:
        """Fail whatever is open; returns how many that were.

        `lost` as in `Failure`; `begun` are those that a worker was at.
        """
        utterances = sorted(self._open)
        self._open.clear()
        self._early.clear()
        self._load_times.clear()
        for utterance in utterances:
            for event in Failure(utterance, message, lost, not lost or utterance in begun), Freed(utterance):
                try:
                    self._on_event(event)
                except Exception:  # one who hears it badly must not keep it from the others
                    _log.exception("engine_events_failed")
        return len(utterances)

    async def _listen(self, child: ChildProcess) -> None:
        try:
            while True:
                self._receive(child, decode_from_child(await read_message(child.reader)))
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    def _receive(self, child: ChildProcess, message: ChildMessage) -> None:
        child.last_heard = time.monotonic()
        if isinstance(message, ChunkMade):
            audio = child.take_sound(message)
            child.has_spoken = True
            if message.utterance in self._open:
                load_s = self._load_times.take(message.utterance)
                self._on_event(Chunk(message.utterance, audio, message.queue_s, message.infer_s, load_s))
        elif isinstance(message, UtteranceFreed):
            if message.utterance in self._open:
                self._open.remove(message.utterance)
                self._load_times.take(message.utterance)
                self._on_event(Freed(message.utterance))
        elif isinstance(message, UtteranceFailed):
            self._on_event(Failure(message.utterance, message.message))
        elif isinstance(message, WorkersBusy):
            counts = (message.prompts, message.prompt_hits, message.prompt_misses)
            self._on_event(Stats(message.open, message.waiting, message.busy, *counts, message.device))
        elif isinstance(message, StepsTaken):
            self._on_event(Steps(message.steps))
        elif isinstance(message, Logged):
            write_log(message)
        elif isinstance(message, Alive):
            child.longest_step_s = message.longest_step_s

    async def _watch(self, child: ChildProcess) -> None:
        """Kill the child when one step takes too long, or when nothing at all is heard of it."""
        while True:
            await asyncio.sleep(self._timeout_s / 8)
            silent_s = time.monotonic() - child.last_heard
            if silent_s > self._timeout_s:
                # Perhaps it was this process that stood still: what has come meanwhile is read first.
                await asyncio.sleep(self._timeout_s / 8)
                silent_s = time.monotonic() - child.last_heard
            if max(silent_s, child.longest_step_s) > self._timeout_s:
                _log.error("engine_process_hangs", timeout_s=self._timeout_s)
                await child.break_off()
                return
