"""Runs any engine in a child process: crashes, hangs, the GIL and licences stay on the other side.

Messages travel over a socket pair, sound through a ring in shared memory. When the child dies, or has work
and shows no progress for `timeout_s`, its utterances fail, and a new child is started.
"""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from typing import IO

import numpy as np
import structlog

from realtime.engines.engine import (
    Cancel,
    Capabilities,
    Chunk,
    Command,
    Event,
    Failure,
    Feed,
    Freed,
    Open,
    Stats,
)
from realtime.engines.wire import (
    RING_BYTES,
    ChildMessage,
    ChunkMade,
    Loaded,
    LoadFailed,
    Released,
    UtteranceFailed,
    UtteranceFreed,
    WorkersBusy,
    decode_from_child,
    encode_message,
    read_message,
)
from realtime.errors import EngineError
from realtime.types import AudioChunk

_RESTART_S = (0.0, 0.5, 1.0, 2.0, 5.0)  # waits before the nth start in a row
# A file in memory where the system has such a folder; it has no name, so nothing can be left behind.
_MEMORY_FOLDER = "/dev/shm" if os.path.isdir("/dev/shm") else None
_log = structlog.get_logger(__name__)


class _Child:
    """One child process and its channels."""

    def __init__(self, process: asyncio.subprocess.Process, ring: IO[bytes]) -> None:
        self.process = process
        self._ring_file = ring
        self.ring = mmap.mmap(ring.fileno(), RING_BYTES)
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self.last_progress = time.monotonic()

    @classmethod
    async def start(cls, factory: str, threads: int) -> _Child:
        ours, theirs = socket.socketpair()
        ring = tempfile.TemporaryFile(dir=_MEMORY_FOLDER)
        try:
            os.ftruncate(ring.fileno(), RING_BYTES)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "realtime.engines.child",
                factory,
                str(threads),
                str(theirs.fileno()),
                str(ring.fileno()),
                pass_fds=(theirs.fileno(), ring.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        except BaseException:
            ours.close()
            ring.close()
            raise
        finally:
            theirs.close()
        child = cls(process, ring)
        child.reader, child.writer = await asyncio.open_connection(sock=ours)
        return child

    def send(self, message: Command | Released) -> None:
        self.writer.write(encode_message(message))

    def take_sound(self, made: ChunkMade) -> AudioChunk:
        """Copy a chunk out of the ring, and give its room back."""
        at = made.offset % RING_BYTES
        pcm = np.frombuffer(self.ring, np.float32, made.samples, at).copy()
        self.send(Released(made.end))
        return AudioChunk(
            made.segment, pcm, made.sample_rate, made.words, made.estimated, made.last_of_segment
        )

    async def end(self) -> int:
        """Kill it if it still lives; returns its exit code when everything is given back."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        code = await self.process.wait()
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()
        self.ring.close()
        self._ring_file.close()
        return code


class ProcessEngine:
    """An `Engine` in a process of its own that is replaced when it dies or hangs."""

    def __init__(self, factory: str, threads: int, timeout_s: float) -> None:
        """`factory`: "module:function" that makes the `Synthesizer`, called in the child."""
        self._factory = factory
        self._threads = threads
        self._timeout_s = timeout_s
        self._on_event: Callable[[Event], None] = lambda event: None
        self._capabilities: Capabilities | None = None
        self._child: _Child | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._open: dict[int, Open] = {}
        self._unspoken: dict[int, int] = {}  # pieces fed and not yet made, by utterance
        self._early: list[Command] = []  # commands that came while no child was ready
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
        """Start the child and wait until it has loaded; raises `EngineError` when it cannot."""
        self._on_event = on_event
        child = await self._load()
        self._keeper = asyncio.create_task(self._keep(child))

    def send(self, command: Command) -> None:
        """Give a command; while a child is being replaced it waits for the next one."""
        self._note(command)
        if self._child is not None:
            self._child.send(command)
        else:
            self._early.append(command)

    async def stop(self) -> None:
        """End the child."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper

    def _note(self, command: Command) -> None:
        if isinstance(command, Open):
            self._open[command.utterance] = command
            return
        if command.utterance not in self._open:
            return
        if isinstance(command, Feed):
            if not any(self._unspoken.values()) and self._child is not None:
                self._child.last_progress = time.monotonic()
            self._unspoken[command.utterance] = self._unspoken.get(command.utterance, 0) + 1
        elif isinstance(command, Cancel):
            self._unspoken.pop(command.utterance, None)

    async def _load(self) -> _Child:
        child = await _Child.start(self._factory, self._threads)
        try:
            message = decode_from_child(await read_message(child.reader))
            if isinstance(message, LoadFailed):
                raise EngineError(f"the engine could not be loaded: {message.message}")
            if not isinstance(message, Loaded):
                raise EngineError("the engine's process did not say that it has loaded")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            code = await child.end()
            raise EngineError(f"the engine's process ended with code {code} while it loaded") from error
        except BaseException:
            await child.end()
            raise
        self._capabilities = message.capabilities
        self._child = child
        early, self._early = self._early, []
        for command in early:
            child.send(command)
        return child

    async def _keep(self, child: _Child) -> None:
        """Listen to the child; when it is gone, fail what it held and start another."""
        while True:
            try:
                async with asyncio.TaskGroup() as tasks:
                    watchdog = tasks.create_task(self._watch(child))
                    await self._listen(child)
                    watchdog.cancel()
            finally:
                self._child = None
                code = await child.end()
            _log.error("engine_process_ended", code=code, utterances=len(self._open))
            self._fail_all()
            child = await self._replace()

    async def _replace(self) -> _Child:
        for attempt in range(1_000_000):
            await asyncio.sleep(_RESTART_S[min(attempt, len(_RESTART_S) - 1)])
            try:
                child = await self._load()
            except EngineError as error:
                _log.error("engine_restart_failed", message=error.message)
                self._fail_all()
                continue
            self.restarts += 1
            _log.info("engine_restarted", restarts=self.restarts)
            return child
        raise EngineError("the engine's process could not be restarted")

    def _fail_all(self) -> None:
        utterances = list(self._open)
        self._open.clear()
        self._unspoken.clear()
        self._early.clear()
        for utterance in utterances:
            self._on_event(Failure(utterance, "the voice engine stopped working and is being restarted"))
            self._on_event(Freed(utterance))

    async def _listen(self, child: _Child) -> None:
        try:
            while True:
                self._receive(child, decode_from_child(await read_message(child.reader)))
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    def _receive(self, child: _Child, message: ChildMessage) -> None:
        child.last_progress = time.monotonic()
        if isinstance(message, ChunkMade):
            audio = child.take_sound(message)
            if message.utterance in self._open:
                if audio.last_of_segment and self._unspoken.get(message.utterance):
                    self._unspoken[message.utterance] -= 1
                self._on_event(Chunk(message.utterance, audio, message.queue_s, message.infer_s))
        elif isinstance(message, UtteranceFreed):
            self._unspoken.pop(message.utterance, None)
            if self._open.pop(message.utterance, None) is not None:
                self._on_event(Freed(message.utterance))
        elif isinstance(message, UtteranceFailed):
            self._unspoken.pop(message.utterance, None)
            self._on_event(Failure(message.utterance, message.message))
        elif isinstance(message, WorkersBusy):
            self._on_event(Stats(message.open, message.waiting, message.busy))

    async def _watch(self, child: _Child) -> None:
        """Kill the child when it has had work, and shown no progress, for too long."""
        while True:
            await asyncio.sleep(self._timeout_s / 10)
            if any(self._unspoken.values()) and time.monotonic() - child.last_progress > self._timeout_s:
                _log.error("engine_process_hangs", timeout_s=self._timeout_s)
                child.process.kill()
                return
