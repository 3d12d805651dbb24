"""The child's side of `engines.process`: see `main`."""

from __future__ import annotations

import gc
import importlib
import mmap
import os
import signal
import socket
import sys
import threading
import time
from typing import Any, BinaryIO

import msgspec
import numpy as np

from realtime.cores import stay_on
from realtime.engines.child_logs import log_to_parent
from realtime.engines.crew import SWITCH_INTERVAL_S, Crew
from realtime.engines.crews import crew_for
from realtime.engines.engine import Chunk, EngineSettings, Event, Failure, Freed, Stats, Steps
from realtime.engines.loading import report_to, why_not_loaded
from realtime.engines.synthesizer import AnySynthesizer
from realtime.engines.wire import (
    MOST_WORKERS,
    RING_BYTES,
    SHARED_BYTES,
    TABLE_BYTES,
    Alive,
    ChildMessage,
    ChunkMade,
    Forget,
    Loaded,
    LoadFailed,
    LoadProgress,
    Released,
    StepsTaken,
    UtteranceFailed,
    UtteranceFreed,
    WorkersBusy,
    decode_from_parent,
    encode_message,
    read_message_blocking,
)
from realtime.types import Pcm

_SAMPLE_BYTES = 4
#: Longer chunks go in several parts, so that the ring always has room for a few.
_MAX_SAMPLES = RING_BYTES // 8 // _SAMPLE_BYTES


class _Ring:
    """Writes sound into the shared memory; waits while the parent has not taken what lies there."""

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._written = 0
        self._released = 0
        self._room = threading.Condition()

    def write(self, pcm: Pcm) -> tuple[int, int]:
        """Returns where it lies, and where it ends. Called by one thread at a time."""
        size = len(pcm) * _SAMPLE_BYTES
        to_end = RING_BYTES - self._written % RING_BYTES
        offset = self._written if size <= to_end else self._written + to_end
        end = offset + size
        with self._room:
            self._room.wait_for(lambda: end - self._released <= RING_BYTES)
        at = offset % RING_BYTES
        self._memory[at : at + size] = pcm.astype(np.float32, copy=False).tobytes()
        self._written = end
        return offset, end

    def release(self, end: int) -> None:
        with self._room:
            self._released = max(self._released, end)
            self._room.notify_all()


class _Parent:
    """Sends events to the parent; used by all worker threads."""

    def __init__(self, channel: socket.socket, ring: _Ring) -> None:
        self._channel = channel
        self._ring = ring
        # Two locks: who waits for room in the ring must not keep others from sending, or room never comes.
        self._sending = threading.Lock()
        self._placing = threading.Lock()

    def send(self, message: ChildMessage) -> None:
        try:
            with self._sending:
                self._channel.sendall(encode_message(message))
        except OSError:
            os._exit(0)  # the parent is gone, and with it everyone who wanted this

    def emit(self, event: Event) -> None:
        if isinstance(event, Chunk):
            with self._placing:
                self._send_chunk(event)
        elif isinstance(event, Freed):
            self.send(UtteranceFreed(event.utterance))
        elif isinstance(event, Failure):
            self.send(UtteranceFailed(event.utterance, event.message))
        elif isinstance(event, Stats):
            counts = (event.prompts, event.prompt_hits, event.prompt_misses)
            self.send(WorkersBusy(event.open, event.waiting, event.busy, *counts, event.device))
        elif isinstance(event, Steps):
            self.send(StepsTaken(event.steps))

    def _send_chunk(self, chunk: Chunk) -> None:
        audio = chunk.audio
        words, queue_s, infer_s = audio.words, chunk.queue_s, chunk.infer_s
        parts = range(0, max(1, len(audio.pcm)), _MAX_SAMPLES)
        for start in parts:
            part = audio.pcm[start : start + _MAX_SAMPLES]
            offset, end = self._ring.write(part)
            made = ChunkMade(
                utterance=chunk.utterance,
                segment=audio.segment,
                sample_rate=audio.sample_rate,
                words=words,
                estimated=audio.estimated,
                last_of_segment=audio.last_of_segment and start == parts[-1],
                queue_s=queue_s,
                infer_s=infer_s,
                offset=offset,
                samples=len(part),
                end=end,
            )
            self.send(made)
            words, queue_s, infer_s = (), 0.0, 0.0


def _load(factory: str, settings: EngineSettings, parent: _Parent) -> AnySynthesizer:
    module, _, function = factory.partition(":")
    synthesizer: AnySynthesizer = getattr(importlib.import_module(module), function)(settings)
    report_to(synthesizer, lambda what, fraction: parent.send(LoadProgress(what, fraction)))
    synthesizer.load()
    return synthesizer


def _beat(parent: _Parent, crew: Crew[Any], interval_s: float) -> None:
    """Tell the parent, for ever, that this process lives and how its workers fare."""
    while True:
        time.sleep(interval_s)
        parent.send(Alive(crew.longest_step_s()))
        crew.look_at_device()
        parent.emit(crew.stats())


def _next_message(commands: BinaryIO) -> bytes | None:
    """What the parent says next; None when it is gone, also if it had not read all that it was told."""
    try:
        return read_message_blocking(commands.read)
    except ConnectionError:
        return None


def main(arguments: list[str]) -> None:
    """`FACTORY SETTINGS THREADS HEARTBEAT_S SOCKET MEMORY`: serve the parent until it closes the socket.

    `SETTINGS` are the `EngineSettings` as JSON.
    """
    factory, settings, threads, heartbeat_s, channel_descriptor, memory_descriptor = arguments
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the parent decides
    channel = socket.socket(fileno=int(channel_descriptor))
    memory = memoryview(mmap.mmap(int(memory_descriptor), SHARED_BYTES))
    ring = _Ring(memory[TABLE_BYTES:])
    parent = _Parent(channel, ring)
    log_to_parent(parent.send)
    try:
        told = msgspec.json.decode(settings, type=EngineSettings)
        if told.cores:
            stay_on(told.cores)
        synthesizer = _load(factory, told, parent)
    except Exception as error:
        parent.send(LoadFailed(why_not_loaded(error)))
        return
    gc.collect()
    gc.freeze()  # the models stay for good: the collector need not look at them again and again
    table = memory[:TABLE_BYTES].cast("q")
    crew = crew_for(synthesizer, min(int(threads), MOST_WORKERS), parent.emit, table)
    crew.start()
    parent.send(Loaded(synthesizer.capabilities))
    crew.look_at_device()
    parent.emit(crew.stats())
    threading.Thread(target=_beat, args=(parent, crew, float(heartbeat_s)), daemon=True).start()
    commands = channel.makefile("rb")  # takes all that has come in one go
    while (body := _next_message(commands)) is not None:
        message = decode_from_parent(body)
        if isinstance(message, Released):
            ring.release(message.end)
        elif isinstance(message, Forget):
            crew.forget(message.voice_key)
        else:
            crew.handle(message)
    # The parent is gone, and with it everyone who wanted the segments under way.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
