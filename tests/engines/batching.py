"""Synthesizers that speak in batches, for tests: pieces of a few chunks, each of 100 ms.

The text of a piece is a name and the number of its chunks, "ada 3"; certain names have faults.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable, Sequence

import numpy as np

from realtime.engines.engine import Cancellation, Capabilities, EngineSettings, Open
from realtime.errors import EngineError
from realtime.types import AudioChunk, TextPiece

RATE = 1000
CHUNK_MS = 100
PATIENCE_S = 20


class Job:
    """A piece under way."""

    def __init__(self, piece: TextPiece, on_close: Callable[[str], None]) -> None:
        self.name, count = piece.text.split()
        self.count = int(count)
        self.segment = piece.segment
        self.made = 0
        self._on_close = on_close

    def close(self) -> None:
        self._on_close(self.name)
        if self.name == "sticky":
            raise ValueError("it will not close")


class BatchedSynthesizer:
    """Two at a time. The sound of a chunk is its number.

    "refuse" and "fail" cannot be begun, "bad" cannot go on after its first chunk, "crash" raises in its first
    step, "deaf" makes too many chunks, KILL ends the process, HANG does not end, "slow" has nothing to say in
    its first step.
    """

    def __init__(self) -> None:
        self.closed: list[str] = []
        self.may_end = threading.Event()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("batched", ("batched",), ("en",), RATE, concurrency=8, batch=2)

    def load(self) -> None:
        pass

    def begin(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Job:
        job = Job(piece, self.closed.append)
        if job.name == "refuse":
            raise EngineError("cannot say this")
        if job.name == "fail":
            raise ValueError("an inner secret")
        return job

    def step(self, jobs: Sequence[Job]) -> Sequence[AudioChunk | EngineError]:
        for job in jobs:
            if job.name == "crash":
                raise ValueError("an inner secret")
            if job.name == "KILL":
                os.kill(os.getpid(), signal.SIGKILL)
            if job.name == "HANG":
                self.may_end.wait()
        results = [self._step(job) for job in jobs]
        return results * 2 if any(job.name == "deaf" for job in jobs) else results

    def _step(self, job: Job) -> AudioChunk | EngineError:
        if job.name == "bad" and job.made:
            return EngineError("lost its voice")
        if job.name == "slow":
            job.name = "slow, and ready"
            return AudioChunk(job.segment, np.zeros(0, np.float32), RATE, last_of_segment=False)
        pcm = np.full(CHUNK_MS * RATE // 1000, job.made, np.float32)
        job.made += 1
        return AudioChunk(job.segment, pcm, RATE, last_of_segment=job.made == job.count)


class SteppedSynthesizer(BatchedSynthesizer):
    """Each of its steps begins and ends when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self._begun: queue.Queue[str] = queue.Queue()
        self._go_on: queue.Queue[bool] = queue.Queue()

    def step(self, jobs: Sequence[Job]) -> Sequence[AudioChunk | EngineError]:
        self._begun.put(" ".join(job.name for job in jobs))
        assert self._go_on.get(timeout=PATIENCE_S)
        return super().step(jobs)

    def next(self) -> str:
        """Who takes part in the step that has begun."""
        return self._begun.get(timeout=PATIENCE_S)

    def go_on(self, steps: int = 1) -> None:
        """So many steps may end."""
        for _ in range(steps):
            self._go_on.put(True)


def make(settings: EngineSettings | None = None) -> BatchedSynthesizer:
    """For a process."""
    return BatchedSynthesizer()
