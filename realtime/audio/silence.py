"""Where sound begins and ends, and edges that do not click."""

from __future__ import annotations

import numpy as np

from realtime.types import Pcm

#: Sound below this is not heard as speech: -45 dBFS, as amplitude.
AUDIBLE = 10 ** (-45 / 20)
_WINDOW_S = 0.005


def _loud_windows(pcm: Pcm, sample_rate: int) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], int]:
    # Peak per window, not RMS: a soft consonant's onset must not be cut off.
    size = max(1, int(sample_rate * _WINDOW_S))
    usable = len(pcm) // size * size
    peaks = np.abs(pcm[:usable]).reshape(-1, size).max(axis=1) if usable else np.zeros(0, np.float32)
    if usable < len(pcm):
        peaks = np.append(peaks, np.abs(pcm[usable:]).max())
    return np.flatnonzero(peaks >= AUDIBLE), size


def audible_range(pcm: Pcm, sample_rate: int) -> tuple[int, int]:
    """[start, end) in samples around everything audible, to 5 ms; (len, len) when nothing is."""
    loud, size = _loud_windows(pcm, sample_rate)
    if len(loud) == 0:
        return len(pcm), len(pcm)
    return int(loud[0]) * size, min(len(pcm), (int(loud[-1]) + 1) * size)


def fade_in(pcm: Pcm, samples: int) -> Pcm:
    """A copy that rises linearly from 0 over its first `samples`."""
    faded = pcm.copy()
    count = min(samples, len(faded))
    faded[:count] *= np.linspace(0.0, 1.0, count, dtype=np.float32)
    return faded


def fade_out(pcm: Pcm, samples: int) -> Pcm:
    """A copy that falls linearly to 0 over its last `samples`."""
    return fade_in(pcm[::-1], samples)[::-1]
