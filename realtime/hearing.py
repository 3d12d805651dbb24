"""Who hears what `say` has spoken: frame by frame, or over a WebRTC track; and what is shown meanwhile."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from typing import TYPE_CHECKING, Protocol

import av
import numpy as np

from realtime.audio.opus import CODED_RATE
from realtime.client import Chunk, Context
from realtime.sinks import Sink
from realtime.types import TIMELINE_RATE, Pcm

if TYPE_CHECKING:
    from realtime.client.track import HeardTrack

_LOOK_S = 0.25  # how often a waiting context is looked at
#: What is louder is no silence; and what has left the server is heard by then, jitter buffers included.
_AUDIBLE = 10 ** (-60 / 20)
_ON_ITS_WAY_S = 0.3


class Progress:
    """What is going on, on a terminal; and the figures for `--stats`."""

    def __init__(self, show: bool) -> None:
        """`show`: write progress to stderr."""
        self._show = show
        self._begun: float | None = None
        self._first_audio: float | None = None
        self.audio_s = 0.0
        self._frames = 0
        self._bytes = 0
        self._segments = 0

    def sent(self) -> None:
        """Text is about to be sent."""
        if self._begun is None:
            self._begun = time.monotonic()

    def received(self, chunk: Chunk, context: Context) -> None:
        """A frame came."""
        if self._first_audio is None:
            self._first_audio = time.monotonic()
        self._frames += 1
        self._bytes += len(chunk.payload)
        self.audio_s += chunk.duration / TIMELINE_RATE
        if self._show:
            for segment in context.segments[self._segments :]:
                sys.stderr.write(f"\r\x1b[K{segment.start_ms / 1000:7.2f} s  {segment.text}\n")
            self._segments = len(context.segments)
            sys.stderr.write(f"\r\x1b[K{self.audio_s:7.2f} s of sound")
            sys.stderr.flush()

    async def watch(self, context: Context) -> None:
        """Show how far the voice is loaded while a context waits for it, until it is cancelled."""
        while self._show:
            if (loading := context.loading) is not None:
                what = f"{loading.what}, " if loading.what != "loading" else ""
                told = f": {what}{loading.fraction:.0%}" if loading.what else ""
                sys.stderr.write(f"\r\x1b[Kthe voice is being loaded{told}")
                sys.stderr.flush()
            await asyncio.sleep(_LOOK_S)

    def heard(self, seconds: float) -> None:
        """So much was heard of a track."""
        if self._first_audio is None:
            self._first_audio = time.monotonic()
        self.audio_s += seconds
        if self._show:
            sys.stderr.write(f"\r\x1b[K{self.audio_s:7.2f} s of sound")
            sys.stderr.flush()

    def next_context(self) -> None:
        """The next context counts its segments from 0."""
        self._segments = 0

    def end(self) -> None:
        """Leave the terminal clean."""
        if self._show:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def _pieces(self) -> str:
        return f"in {self._frames} frames, {self._bytes} bytes" if self._frames else "of a track"

    def figures(self, context: Context) -> str:
        """A table for people."""
        now = time.monotonic()
        begun = self._begun or now
        first = (self._first_audio or now) - begun
        total = now - begun
        rows = [
            ("first audio", f"{first * 1000:.0f} ms after the first text"),
            ("sound", f"{self.audio_s:.2f} s {self._pieces()}"),
            ("received in", f"{total * 1000:.0f} ms"),
            ("real-time factor", f"{total / self.audio_s:.3f}" if self.audio_s else "-"),
        ]
        if context.done is not None:
            timing = context.done.timing
            rows.append(
                (
                    "server",
                    f"first audio {timing.first_audio_ms} ms, queue {timing.queue_ms} ms, "
                    f"infer {timing.infer_ms} ms, encode {timing.encode_ms} ms",
                )
            )
        return "\n".join(f"{name:>18}  {value}" for name, value in rows)


class Ear(Protocol):
    """Hears the contexts one after the other."""

    #: Contexts heard to their end.
    heard: int
    #: How much was heard of the last one, in ms; None: the server knows.
    taken_ms: float | None

    async def hear(self, context: Context) -> bool:
        """Returns when a context was heard; False when it was interrupted."""
        ...


class Listener:
    """Hears the contexts one after the other, all of them or so many samples at `CODED_RATE`."""

    def __init__(self, output: Sink, progress: Progress, samples: int | None) -> None:
        """`samples`: after so many the person interrupts; None: never."""
        self._output = output
        self._progress = progress
        self._left = samples
        self.heard = 0
        self.taken_ms: float | None = None

    async def hear(self, context: Context) -> bool:
        """Take the sound of a context."""
        self._progress.next_context()
        watching = asyncio.create_task(self._progress.watch(context))
        try:
            return await self._take(context)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _take(self, context: Context) -> bool:
        taken = 0
        async for chunk in context:
            self._progress.received(chunk, context)
            pcm = context.decode(chunk, CODED_RATE)[: self._left]
            self._output.write(pcm)
            taken += len(pcm)
            if self._left is not None:
                self._left -= len(pcm)
                if self._left == 0:
                    self.taken_ms = taken * 1000 / CODED_RATE
                    return False
        self.heard += 1
        return True


class TrackListener:
    """Hears a WebRTC track from its first audible sample on."""

    def __init__(
        self, track: HeardTrack, output: Sink, progress: Progress, samples: int | None, *, trims: bool
    ) -> None:
        """As `Listener`; `take` runs beside `hear`. `trims`: up to its last audible sample, for a file."""
        self._trims = trims
        self._track = track
        self._output = output
        self._progress = progress
        self._left = math.inf if samples is None else samples
        self._interrupted = asyncio.Event()
        self.heard = 0
        self.taken_ms: float | None = None

    async def take(self) -> None:
        """Take the sound until this is cancelled, or the connection ends."""
        resampler = av.AudioResampler(format="flt", layout="mono", rate=CODED_RATE)
        held: list[Pcm] = []  # silence, that may be the end
        has_begun = False
        async for heard in self._track:
            frame = av.AudioFrame.from_ndarray(heard.reshape(1, -1), format="flt", layout="mono")
            frame.sample_rate = TIMELINE_RATE
            pcm = np.concatenate([each.to_ndarray().reshape(-1) for each in resampler.resample(frame)])
            if float(np.abs(pcm).max(initial=0)) < _AUDIBLE and (self._trims or not has_begun):
                if has_begun:
                    held.append(pcm)
                continue
            has_begun = True
            for part in (*held, pcm):
                self._write(part)
            held.clear()

    def _write(self, pcm: Pcm) -> None:
        if self._left > 0:
            self._output.write(pcm)
            self._progress.heard(len(pcm) / CODED_RATE)
            self._left -= len(pcm)
            if self._left <= 0:
                self._interrupted.set()

    async def hear(self, context: Context) -> bool:
        """Wait until a context was heard, or so much was."""
        heard = asyncio.create_task(context.heard())
        watching = asyncio.create_task(self._progress.watch(context))
        interrupted = asyncio.create_task(_until(self._interrupted))
        try:
            await asyncio.wait({heard, interrupted}, return_when=asyncio.FIRST_COMPLETED)
            if not heard.done():
                return False
            heard.result()
            await asyncio.sleep(_ON_ITS_WAY_S)
            self.heard += 1
            return True
        finally:
            for task in (heard, watching, interrupted):
                task.cancel()
            await asyncio.gather(heard, watching, interrupted, return_exceptions=True)


async def _until(event: asyncio.Event) -> None:
    await event.wait()
