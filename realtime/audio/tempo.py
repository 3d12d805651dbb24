"""Faster or slower speech at the same pitch, in a stream, by FFmpeg's `atempo`."""

from __future__ import annotations

import numpy as np

from realtime.audio.filters import FilterChain
from realtime.types import Pcm

#: The range of a `Tempo`'s speed.
SLOWEST, FASTEST = 0.25, 4.0
#: What one `atempo` does: it refuses less than 0.5, and above 2 it leaves sound out instead of blending it.
_ONE_SLOWEST, _ONE_FASTEST = 0.5, 2.0
#: From here down pieces of half the length are better: of long ones echoes are heard (PLCMOS at speed 0.5 is
#: 3.5 instead of 4.1, at 0.25 2.1 instead of 2.7). Nearer to 1, and in a second step, deep voices need the
#: long ones.
_HALF_PIECES = 0.7
#: `atempo` gives out blocks in proportion to those that go in: short ones come sooner, but cost more time.
_BLOCK_S = 0.010
#: Silence after the stream, for each `atempo`, that pushes all of the stream out of it.
_SILENCE_S = 0.25


class Tempo:
    """One stream of mono float32 sound, `speed` times as fast.

    The input's time t comes to lie at t / `speed`, as well as `atempo` (WSOLA, pieces of 43 ms at 24 kHz, or
    half of that) places it: by measure a sound begins 7 to 31 ms early (90 at speed 0.25) and ends within 7
    ms of its time. How the input is cut into calls changes not a bit of the sound.
    """

    def __init__(self, rate: int, speed: float) -> None:
        """`rate` in Hz; `speed` from 0.25 to 4, else `ValueError`."""
        if not SLOWEST <= speed <= FASTEST:
            raise ValueError(f"speed must be from {SLOWEST} to {FASTEST}, not {speed}")
        steps = _steps(speed)
        self._speed = speed
        self._block = round(_BLOCK_S * rate)
        self._silence = np.zeros(len(steps) * round(_SILENCE_S * rate), np.float32)
        filters: list[tuple[str, dict[str, str]]] = []
        for number, step in enumerate(steps):
            # How long its pieces are `atempo` knows only from the rate that it is told.
            told = rate // 2 if number == 0 and step <= _HALF_PIECES else rate
            filters += [("asetrate", {"r": str(told)}), ("atempo", {"tempo": repr(step)})]
        self._chain = FilterChain(rate, *filters)
        self._waiting: Pcm = np.zeros(0, np.float32)  # less than a block
        self._given = 0
        self._made = 0

    def process(self, pcm: Pcm) -> Pcm:
        """What has come out by now after `pcm` has gone in: at 24 kHz all but the last 30 to 260 ms of it."""
        self._given += len(pcm)
        out = self._blocks(pcm)
        self._made += len(out)
        return out

    def finish(self) -> Pcm:
        """The rest; all together is then round(given / `speed`) samples. Nothing may follow."""
        # The filter's own end of stream loses up to 80 ms of sound at speed 0.25, and all of a short one.
        return self._blocks(self._silence)[: round(self._given / self._speed) - self._made]

    def _blocks(self, pcm: Pcm) -> Pcm:
        pcm = np.concatenate([self._waiting, pcm])
        whole = len(pcm) - len(pcm) % self._block
        self._waiting = pcm[whole:]
        parts = [self._chain.process(pcm[at : at + self._block]) for at in range(0, whole, self._block)]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _steps(speed: float) -> list[float]:
    """Factors of `speed`, each within what one `atempo` does well."""
    steps: list[float] = []
    while speed < _ONE_SLOWEST:
        steps.append(_ONE_SLOWEST)
        speed /= _ONE_SLOWEST
    while speed > _ONE_FASTEST:
        steps.append(_ONE_FASTEST)
        speed /= _ONE_FASTEST
    return [*steps, speed]
