"""Where sound begins and ends, and edges that do not click."""

from __future__ import annotations

import numpy as np

from realtime.types import Pcm

#: Sound below this is not heard as speech: -45 dBFS, as amplitude.
AUDIBLE = 10 ** (-45 / 20)


def audible_range(pcm: Pcm) -> tuple[int, int]:
    """[start, end) in samples around everything audible; (len, len) when nothing is."""
    # Single samples, not RMS over windows: a soft onset is not cut off, and chunking changes nothing.
    audible = np.flatnonzero(np.abs(pcm) >= AUDIBLE)
    if len(audible) == 0:
        return len(pcm), len(pcm)
    return int(audible[0]), int(audible[-1]) + 1


def fade_in(pcm: Pcm, samples: int) -> Pcm:
    """A copy that rises linearly from 0 over its first `samples`."""
    faded = pcm.copy()
    count = min(samples, len(faded))
    faded[:count] *= np.linspace(0.0, 1.0, count, dtype=np.float32)
    return faded


def fade_out(pcm: Pcm, samples: int) -> Pcm:
    """A copy that falls linearly to 0 over its last `samples`."""
    return fade_in(pcm[::-1], samples)[::-1]
