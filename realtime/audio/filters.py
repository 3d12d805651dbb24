"""FFmpeg's audio filters over PyAV: a chain of them for one stream of mono float sound."""

from __future__ import annotations

from collections.abc import Mapping

import av
import numpy as np
from av.filter import Graph

from realtime.types import Pcm


class FilterChain:
    """Filters in a row, mono float32 in and out. Used by one thread at a time.

    `av.AudioResampler` is such a graph too, but starts an idle thread per processor; without threads a graph
    is set up in 50 microseconds, a third of the time.
    """

    def __init__(self, sample_rate: int, *filters: tuple[str, Mapping[str, str]]) -> None:
        """`sample_rate` in Hz of what goes in; `filters` are names and options as FFmpeg's own."""
        self._rate = sample_rate
        self._graph = Graph()
        self._graph.threads = 1
        self._source = self._graph.add_abuffer(sample_rate=sample_rate, format="flt", layout="mono")
        chain = [self._graph.add(name, **options) for name, options in filters]
        self._sink = self._graph.add("abuffersink")
        self._graph.link_nodes(self._source, *chain, self._sink).configure()

    def process(self, pcm: Pcm) -> Pcm:
        """All that has come out by now, after `pcm` (any number of samples) has gone in."""
        if len(pcm) == 0:
            return np.zeros(0, np.float32)
        self._source.push(self._frame(pcm))
        return self._drain()

    def measure(self, pcm: Pcm) -> dict[str, str]:
        """What the last filter says of a whole sound at its end, by FFmpeg's names; nothing may follow."""
        if len(pcm):
            self._source.push(self._frame(pcm))
        self._source.push(None)
        said: dict[str, str] = {}
        while True:
            try:
                frame = self._sink.pull()
            except av.EOFError:
                return said
            assert isinstance(frame, av.AudioFrame)
            said |= frame.metadata

    def _frame(self, pcm: Pcm) -> av.AudioFrame:
        samples = np.ascontiguousarray(pcm, np.float32).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="flt", layout="mono")
        frame.sample_rate = self._rate
        return frame

    def _drain(self) -> Pcm:
        parts: list[Pcm] = []
        while True:
            try:
                frame = self._sink.pull()
            except BlockingIOError:  # wants more input
                return np.concatenate(parts) if parts else np.zeros(0, np.float32)
            assert isinstance(frame, av.AudioFrame)
            parts.append(frame.to_ndarray()[0].astype(np.float32, copy=False))
