"""Faster or slower speech at the same pitch, in a stream, by FFmpeg's `atempo`."""

from __future__ import annotations

import math

import numpy as np

from realtime.audio.filters import FilterChain
from realtime.audio.resample import Resampler
from realtime.types import Pcm

#: The range of a `Tempo`'s speed.
SLOWEST, FASTEST = 0.25, 4.0
#: What one `atempo` does: it refuses less than 0.5, and above 2 it leaves sound out instead of blending it.
_ONE_SLOWEST, _ONE_FASTEST = 0.5, 2.0
#: `atempo` puts pieces of sound together: as many samples as a power of two, the first from a 24th of a
#: second on, by the rate that it is told. For slower speech shorter pieces are better (PLCMOS at speed 0.5
#: 3.9 instead of 3.5, at 0.25 2.4 instead of 2.1); in still shorter ones deep voices lose their pitch.
_PIECES_PER_S = 24
_SLOW_PIECE_S = 0.032
#: `atempo` gives out blocks in proportion to those that go in: short ones come sooner, but cost more time.
_BLOCK_S = 0.010
#: Silence after the stream, for each `atempo`, that pushes all of the stream out of it.
_SILENCE_S = 0.25


class Tempo:
    """One stream of mono float32 sound, `speed` times as fast.

    The input's time t comes to lie at t / `speed`, as well as `atempo` (WSOLA, pieces of 43 ms at 24 kHz, of
    32 ms below speed 1) places it: by measure a sound begins 7 to 35 ms early (80 at speed 0.25) and ends up
    to 10 ms early (17). How the input is cut into calls changes not a bit of the sound.
    """

    def __init__(self, rate: int, speed: float) -> None:
        """`rate` in Hz; `speed` from 0.25 to 4, else `ValueError`."""
        if not SLOWEST <= speed <= FASTEST:
            raise ValueError(f"speed must be from {SLOWEST} to {FASTEST}, not {speed}")
        steps = _steps(speed)
        self._speed = speed
        inner, piece = _slow_pieces(rate) if speed < 1 else (rate, rate // _PIECES_PER_S)
        self._before = Resampler(rate, inner) if inner != rate else None
        self._after = Resampler(inner, rate) if inner != rate else None
        self._block = round(_BLOCK_S * inner)
        self._silence = np.zeros(len(steps) * round(_SILENCE_S * inner), np.float32)
        self._chain = FilterChain(
            piece * _PIECES_PER_S, *(("atempo", {"tempo": repr(step)}) for step in steps)
        )
        self._waiting: Pcm = np.zeros(0, np.float32)  # less than a block
        self._given = 0
        self._made = 0

    def process(self, pcm: Pcm) -> Pcm:
        """What has come out by now after `pcm` has gone in: at 24 kHz all but the last 50 to 260 ms of it."""
        self._given += len(pcm)
        out = self._blocks(self._before.process(pcm) if self._before else pcm)
        out = self._after.process(out) if self._after else out
        self._made += len(out)
        return out

    def finish(self) -> Pcm:
        """The rest; all together is then round(given / `speed`) samples. Nothing may follow."""
        # The filter's own end of stream loses up to 80 ms of sound at speed 0.25, and all of a short one.
        rest = self._before.finish() if self._before else self._silence[:0]
        out = self._blocks(np.concatenate([rest, self._silence]))
        if self._after:
            out = np.concatenate([self._after.process(out), self._after.finish()])
        return out[: round(self._given / self._speed) - self._made]

    def _blocks(self, pcm: Pcm) -> Pcm:
        pcm = np.concatenate([self._waiting, pcm])
        whole = len(pcm) - len(pcm) % self._block
        self._waiting = pcm[whole:]
        parts = [self._chain.process(pcm[at : at + self._block]) for at in range(0, whole, self._block)]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def _slow_pieces(rate: int) -> tuple[int, int]:
    """A rate at which a power of two of samples is nearly `_SLOW_PIECE_S`, and that number of samples."""
    rates = [rate] if rate % 3 else [rate, rate // 3 * 4]
    choices = [(each, 2 ** round(math.log2(_SLOW_PIECE_S * each))) for each in rates]
    return min(choices, key=lambda choice: abs(choice[1] / choice[0] - _SLOW_PIECE_S))


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
