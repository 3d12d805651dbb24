"""Synthesizers that speak in batches, for tests: pieces of a few chunks, each of 100 ms.

The text of a piece is a name and the number of its chunks, "ada 3"; certain names have faults.
"""

from __future__ import annotations

import math
import os
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from realtime.engines.engine import Capabilities, EngineSettings, Open
from realtime.engines.synthesizer import Made
from realtime.errors import EngineError
from realtime.types import AudioChunk, TextPiece

RATE = 1000
CHUNK_MS = 100
PATIENCE_S = 20


class Sounding:
    """What a step has made; it may fail when it is fetched."""

    def __init__(self, chunks: Sequence[AudioChunk], end_ms: float, failure: Exception | None = None) -> None:
        self._chunks = chunks
        self.end_ms = end_ms
        self._failure = failure

    def chunks(self) -> Sequence[AudioChunk]:
        if self._failure is not None:
            raise self._failure
        return self._chunks


class Speech:
    """An utterance under way: the pieces that are to be spoken, and how many chunks of the first are made."""

    def __init__(self, request: Open, closed: list[str]) -> None:
        self.request = request
        self.pieces: deque[TextPiece] = deque()
        self.made = 0
        self.made_ms = 0.0
        self.finished = False
        self.flushes: list[int] = []  # after how many of the pieces that were not spoken yet
        #: When it goes on without more text.
        self.goes_on_at = math.inf
        self.last_name = ""
        self._closed = closed

    @property
    def name(self) -> str:
        return self.pieces[0].text.split()[0] if self.pieces else self.last_name

    def feed(self, pieces: Sequence[TextPiece]) -> None:
        for piece in pieces:
            if piece.text.startswith("refuse"):
                raise EngineError("cannot say this")
            if piece.text.startswith("fail"):
                raise ValueError("an inner secret")
            self.pieces.append(piece)

    def flush(self) -> None:
        self.flushes.append(sum(piece.last_of_segment for piece in self.pieces))

    def finish(self) -> None:
        self.finished = True

    def next_step_at(self, deadline: float) -> float:
        return -math.inf if self.pieces or self.finished else min(self.goes_on_at, deadline)

    def close(self) -> None:
        self._closed.append(self.name)
        if self.name == "sticky":
            raise ValueError("it will not close")


class BatchedSynthesizer:
    """Two at a time. The sound of a chunk is its number in its piece.

    "closed" cannot be opened, "refuse" and "fail" not fed, "bad" cannot go on after its first chunk, "crash"
    raises in its first step, "mute" makes a sound that cannot be fetched, KILL ends the process, HANG does
    not end, "slow" has nothing to say in its first step.
    """

    def __init__(self) -> None:
        self.closed: list[str] = []
        self.unfinished = False
        self.may_end = threading.Event()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("batched", ("batched",), ("en",), RATE, concurrency=8, batch=2)

    def load(self) -> None:
        pass

    def listen(self, on_change: Callable[[], None]) -> None:
        self.on_change = on_change

    def open(self, request: Open) -> Speech:
        if request.voice == "closed":
            raise EngineError("this voice is closed")
        return Speech(request, self.closed)

    def step(self, streams: Sequence[Speech], deadlines: Sequence[float]) -> Sequence[Made[Speech]]:
        assert len(streams) == len(deadlines) <= 2
        for stream in streams:
            if stream.name == "crash":
                raise ValueError("an inner secret")
            if stream.name == "KILL":
                os.kill(os.getpid(), signal.SIGKILL)
            if stream.name == "HANG":
                self.may_end.wait()
        return [self._step(stream) for stream in streams]

    def _step(self, stream: Speech) -> Made[Speech]:
        if not stream.pieces:
            return Made(stream, over=stream.finished)
        piece = stream.pieces[0]
        name, count = piece.text.split()
        if name == "bad" and stream.made:
            return Made(stream, error=EngineError("lost its voice"))
        if name == "slow":
            stream.pieces[0] = TextPiece(piece.segment, f"ready {count}", piece.source, (), "en")
            return Made(stream)
        pcm = np.full(CHUNK_MS * RATE // 1000, stream.made, np.float32)
        stream.made += 1
        stream.made_ms += CHUNK_MS
        is_last = stream.made == int(count)
        if is_last:
            stream.pieces.popleft()
            stream.made, stream.last_name = 0, name
        chunk = AudioChunk(piece.segment, pcm, RATE, last_of_segment=is_last)
        failure = ValueError("an inner secret") if name == "mute" else None
        sound = Sounding([chunk], stream.made_ms, failure)
        return Made(stream, sound, over=stream.finished and not stream.pieces)


class SteppedSynthesizer(BatchedSynthesizer):
    """Each of its steps begins and ends when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self._begun: queue.Queue[str] = queue.Queue()
        self._go_on: queue.Queue[bool] = queue.Queue()

    def step(self, streams: Sequence[Speech], deadlines: Sequence[float]) -> Sequence[Made[Speech]]:
        self._begun.put(" ".join(stream.name for stream in streams))
        assert self._go_on.get(timeout=PATIENCE_S)
        return super().step(streams, deadlines)

    def next(self) -> str:
        """Who takes part in the step that has begun."""
        return self._begun.get(timeout=PATIENCE_S)

    def go_on(self, steps: int = 1) -> None:
        """So many steps may end."""
        for _ in range(steps):
            self._go_on.put(True)


class LateSynthesizer(BatchedSynthesizer):
    """What a step has made is told by the next one, as of a device that works while the next is prepared."""

    def __init__(self) -> None:
        super().__init__()
        self._under_way: Sequence[Made[Speech]] = ()
        self.empty_steps = 0

    def step(self, streams: Sequence[Speech], deadlines: Sequence[float]) -> Sequence[Made[Speech]]:
        self.empty_steps += not streams
        before, self._under_way = self._under_way, super().step(streams, deadlines)
        self.unfinished = bool(self._under_way)
        return before


def make(settings: EngineSettings | None = None) -> BatchedSynthesizer:
    """For a process."""
    return BatchedSynthesizer()
