"""From the device's sound to chunks of segments, on the thread that hands events on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from realtime.engines.qwen3.generation import ReadyChunk, SegmentWriter
from realtime.types import AudioChunk


class Download:
    """Sound on its way from the device: one copy for all that were decoded together."""

    def __init__(self, sound: torch.Tensor) -> None:
        """`sound`: (utterances, samples) float32 on any device. The copy begins now, and nobody waits."""
        self._event: torch.cuda.Event | None = None
        if sound.is_cuda:
            self._host = torch.empty(sound.shape, dtype=sound.dtype, pin_memory=True)
            self._host.copy_(sound, non_blocking=True)
            self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._event.record()
        else:
            self._host = sound

    def read(self) -> NDArray[np.float32]:
        """The sound, when it is there; shape (utterances, samples)."""
        if self._event is not None:
            self._event.synchronize()
        pcm: NDArray[np.float32] = self._host.numpy()
        return pcm


class SpokenSound:
    """What a step has made of an utterance, as `engine.Sound`."""

    def __init__(
        self,
        writer: SegmentWriter,
        download: Download | None,
        place: int,
        chunk: ReadyChunk,
        over: bool,
        end_ms: float,
    ) -> None:
        """`download`: None when there is nothing to hear; `place`: which of its utterances this is."""
        #: As `engine.Sound`.
        self.end_ms = end_ms
        self._writer = writer
        self._download = download
        self._place = place
        self._notes = chunk.notes
        self._over = over

    def chunks(self) -> Sequence[AudioChunk]:
        """As `engine.Sound`."""
        pcm = np.zeros(0, np.float32) if self._download is None else self._download.read()[self._place]
        return self._writer.write(pcm, self._notes, self._over)
