"""A child process as its parent has it: the process, the socket to it, and the memory they share.

What runs in it is `engines.child`.
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
from typing import IO

import msgspec
import numpy as np
import structlog

from realtime.engines.engine import Command, EngineSettings, Grant
from realtime.engines.wire import (
    MOST_WORKERS,
    RING_BYTES,
    SHARED_BYTES,
    TABLE_BYTES,
    ChunkMade,
    Forget,
    Released,
    encode_message,
)
from realtime.types import AudioChunk

_STOP_S = 1.0
_KILL_S = 5.0  # what does not end so long after it was killed is stuck in the system, and left there
# A file in memory where the system has such a folder; it has no name, so nothing can be left behind.
_MEMORY_FOLDER = "/dev/shm" if os.path.isdir("/dev/shm") else None
#: Whoever fetches no model has no use for these.
_OF_THE_HUB = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_log = structlog.get_logger(__name__)


def _environment(fetches_model: bool) -> dict[str, str]:
    left_out = () if fetches_model else _OF_THE_HUB
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    return environment | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}


class ChildProcess:
    """One child process and its channels."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        memory: IO[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.process = process
        self._memory_file = memory
        self._memory = mmap.mmap(memory.fileno(), SHARED_BYTES)
        self.reader = reader
        self.writer = writer
        self._unsent = bytearray()
        self.last_heard = time.monotonic()
        self.longest_step_s = 0.0
        self._closed: asyncio.Task[None] | None = None
        self.loaded_at = 0.0
        self.has_spoken = False

    @classmethod
    async def start(
        cls, factory: str, settings: EngineSettings, threads: int, heartbeat_s: float
    ) -> ChildProcess:
        """Start one; arguments are those of `engines.child`."""
        ours, theirs = socket.socketpair()
        memory = tempfile.TemporaryFile(dir=_MEMORY_FOLDER)
        writer: asyncio.StreamWriter | None = None
        try:
            os.ftruncate(memory.fileno(), SHARED_BYTES)
            reader, writer = await asyncio.open_connection(sock=ours)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # what happens to lie in the current folder is no module of ours
                "-m",
                "realtime.engines.child",
                factory,
                msgspec.json.encode(settings).decode(),
                str(threads),
                str(heartbeat_s),
                str(theirs.fileno()),
                str(memory.fileno()),
                pass_fds=(theirs.fileno(), memory.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                env=_environment(fetches_model=settings.model is not None),
            )
        except BaseException:
            (writer or ours).close()
            memory.close()
            raise
        finally:
            theirs.close()
        # Nothing is waited for once the process exists: nobody else would end it.
        return cls(process, memory, reader, writer)

    def send(self, message: Command | Released | Forget) -> None:
        """Does nothing once the child is gone: whoever listens to it will notice, and fail what it held.

        Each write wakes the child, which has other work: what begins an utterance goes with its grant.
        """
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._write)
        self._unsent += encode_message(message)
        if isinstance(message, Grant):
            self._write()

    def _write(self) -> None:
        unsent, self._unsent = self._unsent, bytearray()
        if unsent and not self.writer.is_closing():
            with contextlib.suppress(ConnectionError, RuntimeError):  # uvloop raises either
                self.writer.write(unsent)

    def take_sound(self, made: ChunkMade) -> AudioChunk:
        """Copy a chunk out of the ring, and give its room back."""
        at = TABLE_BYTES + made.offset % RING_BYTES
        pcm = np.frombuffer(self._memory, np.float32, made.samples, at).copy()
        self.send(Released(made.end))
        return AudioChunk(
            made.segment, pcm, made.sample_rate, made.words, made.estimated, made.last_of_segment
        )

    def begun(self) -> frozenset[int]:
        """Utterances that its workers are at, or were when it died."""
        return frozenset(np.frombuffer(self._memory, np.int64, MOST_WORKERS).tolist())

    def kill(self) -> None:
        """End it by force."""
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            self.process.kill()

    async def break_off(self) -> None:
        """End it by force, and listen to it no longer, even when it does not end."""
        self.kill()
        await asyncio.sleep(_KILL_S)
        self.writer.transport.abort()

    async def end(self) -> int | None:
        """Have it go, by force if need be; returns its exit code when everything is given back.

        None: it cannot even be killed. May be called again when a call was cancelled.
        """
        code: int | None
        self.writer.close()  # at which a child that is well ends by itself
        try:
            async with asyncio.timeout(_STOP_S):
                await self._wait_closed()
                code = await self.process.wait()
        except TimeoutError:
            self.writer.transport.abort()  # a child that reads nothing would never have the rest
            await self._wait_closed()
            self.kill()
            try:
                async with asyncio.timeout(_KILL_S):
                    code = await self.process.wait()
            except TimeoutError:
                code = None
                _log.error("engine_process_not_ended", pid=self.process.pid)
        self._memory.close()
        self._memory_file.close()
        return code

    async def _wait_closed(self) -> None:
        """As `StreamWriter.wait_closed`, which is of no more use once a wait has been cancelled."""
        if self._closed is None:
            self._closed = asyncio.create_task(self.writer.wait_closed())
        with contextlib.suppress(ConnectionError):
            await asyncio.shield(self._closed)
