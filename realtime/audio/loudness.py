"""How loud a voice is, and a gain that brings it to an asked loudness without ever clipping."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from realtime.audio.filters import FilterChain
from realtime.types import Pcm

#: What `measure` says of a sound in which nothing is loud enough to count: the standard's absolute gate.
SILENT_LUFS = -70.0
#: Bounds of `gain_db`: more would lift a recording's noise to the level of speech.
MOST_GAIN_DB, LEAST_GAIN_DB = 20.0, -40.0
#: No peak is higher, in dBFS: what follows (an encoder, another rate) may add a little. Peaks between samples
#: are found with an error, so half a dB less is aimed at.
CEILING_DB = -1.0
_AIM_DB = CEILING_DB - 0.5
# Gains are decided at steps of 0.5 ms, and between them the gain is a straight line.
_STEP_S = 0.0005
#: How many steps before a peak the gain begins to fall: with the filter of the peaks 5.3 ms are looked ahead.
_ATTACK_STEPS = 8
#: It rises by so much per second: slow enough not to follow the periods of a voice.
_RELEASE_DB_PER_S = 40.0
#: Peaks between the samples: 3 points in each interval, interpolated from the 8 samples before and after.
_REACH = 8
_POINTS = (0.25, 0.5, 0.75)
_KAISER_BETA = 2.5
_LOWEST_PEAK = 1e-9  # so that silence has a level in dB


def measure(pcm: Pcm, rate: int) -> float:
    """Integrated loudness in LUFS of mono float32 sound at `rate` Hz: ITU-R BS.1770-4, by FFmpeg's `ebur128`.

    `SILENT_LUFS` when less than 0.4 s of it is loud enough to count.
    """
    said = FilterChain(rate, ("ebur128", {"metadata": "1"})).measure(pcm)
    return float(said.get("lavfi.r128.I", SILENT_LUFS))


def gain_db(measured: float, target: float) -> float:
    """The gain from a measured loudness to the one asked for, both in LUFS, within bounds; 0 for silence."""
    if measured <= SILENT_LUFS:
        return 0.0
    return min(MOST_GAIN_DB, max(LEAST_GAIN_DB, target - measured))


class Loudness:
    """One stream of mono float32 sound, louder or softer by one gain for all of it.

    Where the gain would take a peak above `CEILING_DB`, also one between two samples (as a filter will find
    it: BS.1770, annex 2), it is less: from 4.5 ms before the peak on it falls in a straight line in dB, and
    then rises again slowly. So voices differ by their gain alone, and nothing pumps or clicks. A gain of 0
    changes nothing. How the input is cut into calls changes not a bit.
    """

    def __init__(self, rate: int, gain_db: float) -> None:
        """`rate` in Hz."""
        self._gain_db = gain_db
        self._step = max(1, round(_STEP_S * rate))
        self._rise = _RELEASE_DB_PER_S * self._step / rate  # dB per step
        self._gain = np.float64(10 ** (gain_db / 20))
        self._kernels = _kernels()
        # Samples below this cannot have a peak between them that is too high.
        most = max(float(np.abs(kernel).sum()) for kernel in self._kernels)
        self._harmless = 10 ** ((_AIM_DB - gain_db) / 20) / most
        self._peaking: Pcm = np.zeros(_REACH, np.float32)  # from `_REACH` samples before the next step on
        self._waiting: Pcm = np.zeros(0, np.float32)  # what has not come out yet
        self._steps = 0  # whose peaks are known
        self._lowest = 0.0  # of what peaks allowed, as if the gain had risen since the first step
        # What the peaks allow in each step, in dB, 0 at most: from the first one on that still matters.
        self._allowed = np.zeros(_ATTACK_STEPS + 1)

    def process(self, pcm: Pcm) -> Pcm:
        """What has come out by now after `pcm` has gone in: at 24 kHz all but the last 5.8 ms of it."""
        if self._gain_db == 0:
            return pcm
        self._waiting = np.concatenate([self._waiting, pcm])
        self._peaking = np.concatenate([self._peaking, pcm])
        self._decide()
        return self._apply()

    def finish(self) -> Pcm:
        """The rest: all together is as long as what went in. Nothing may follow."""
        rest = len(self._waiting)
        silence = np.zeros((_ATTACK_STEPS + 3) * self._step + _REACH, np.float32)
        return self.process(silence)[:rest] if rest else silence[:0]

    def _decide(self) -> None:
        """Find the peaks of all whole steps, and what gain they allow."""
        count = max(0, len(self._peaking) - 2 * _REACH) // self._step
        size = count * self._step
        sound, self._peaking = self._peaking[: size + 2 * _REACH], self._peaking[size:]
        asked = np.zeros(count)
        if count and np.max(np.abs(sound)) >= self._harmless:
            rows = sliding_window_view(sound, self._step + 2 * _REACH)[:: self._step]
            loud = np.flatnonzero(np.abs(rows).max(axis=1) >= self._harmless)
            asked[loud] = np.minimum(0.0, _AIM_DB - self._gain_db - 20 * np.log10(self._peaks(rows[loud])))
        # The gain rises by so much a step: the least over all peaks of what each allows by now.
        risen = self._rise * np.arange(self._steps, self._steps + count)
        lowest = np.minimum.accumulate(np.concatenate([[self._lowest], asked - risen]))
        self._allowed = np.concatenate([self._allowed, np.minimum(0.0, lowest[1:] + risen)])
        self._lowest = float(lowest[-1])
        self._steps += count

    def _peaks(self, rows: Pcm) -> NDArray[np.float64]:
        """The highest magnitude in each step: rows of its samples with `_REACH` more at both ends."""
        size = self._step
        peaks: NDArray[np.float32] = np.abs(rows[:, _REACH : _REACH + size])
        for kernel in self._kernels:
            between = np.zeros(peaks.shape, np.float32)
            for at, weight in enumerate(kernel, 1):  # term by term: rounding must not depend on the count
                between += weight * rows[:, at : at + size]
            np.maximum(peaks, np.abs(between), out=peaks)
        highest: NDArray[np.float64] = peaks.max(axis=1, initial=_LOWEST_PEAK).astype(np.float64)
        return highest

    def _apply(self) -> Pcm:
        """Bring out the steps for which everything that is looked ahead to is known."""
        count = len(self._allowed) - 2 * _ATTACK_STEPS - 2
        if count <= 0:
            return np.zeros(0, np.float32)
        size = count * self._step
        sound, self._waiting = self._waiting[:size].reshape(count, -1), self._waiting[size:]
        gained: Pcm = (sound * self._gain).astype(np.float32)
        if self._allowed.any():
            # At the edge between two steps: the least that is allowed from the step before it to the end of
            # an attack, and of that the mean since the attack began: it falls in a line until the peak.
            least = sliding_window_view(self._allowed, _ATTACK_STEPS + 2).min(axis=1)
            edges = sum(least[at : at + count + 1] for at in range(_ATTACK_STEPS + 1)) / (_ATTACK_STEPS + 1)
            limited = np.flatnonzero((edges[:-1] < 0) | (edges[1:] < 0))
            gains = 10 ** (edges / 20)
            begin, end = gains[limited, None], gains[limited + 1, None]
            curve = begin + (end - begin) * (np.arange(self._step) / self._step)
            gained[limited] = sound[limited] * (curve * self._gain)
        self._allowed = self._allowed[count:]
        return gained.reshape(-1)


def _kernels() -> list[NDArray[np.float32]]:
    """Weights of the 16 samples around an interval for a point in it: a sinc in a Kaiser window."""
    offsets = np.arange(1 - _REACH, _REACH + 1)
    kernels = []
    for point in _POINTS:
        distance = offsets - point
        window = np.i0(_KAISER_BETA * np.sqrt(np.maximum(0.0, 1 - (distance / _REACH) ** 2)))
        weights = np.sinc(distance) * window
        kernels.append((weights / weights.sum()).astype(np.float32))
    return kernels
