"""Where a voice speaks and where it pauses, found while its sound arrives."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime.types import Pcm

#: Sound is looked at in steps of this.
STEP_S = 0.010
#: Silence that is shorter belongs to the speech: a plosive's closure, as before the k of "think".
SHORTEST_PAUSE_S = 0.10
#: Silent is what is so far below the loudest step, whose loudness is forgotten at so many dB a second.
_BELOW_LOUDEST_DB = 38.0
_FORGOTTEN_DB = 1.0
#: Or what is no more than so far above the noise, if the voice is well above that: the softest steps tell it.
_ABOVE_NOISE_DB = 6.0
_LEAST_BELOW_DB = 25.0
#: And, before any was loud: what is below this (dBFS).
_SILENT_DB = -50.0
_FLOOR_DB = -100.0
#: Steps this near to the softest one are as good as it.
_NEAR_SOFTEST_DB = 1.0


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence between speech, [start, end) in steps; `spoken`: steps of speech before it."""

    start: int
    end: int
    spoken: int


class PauseFinder:
    """Tells speech from pauses, step by step. Steps are counted from the beginning of the utterance."""

    def __init__(self, sample_rate: int) -> None:
        self.step_samples = round(sample_rate * STEP_S)
        self._shortest = round(SHORTEST_PAUSE_S / STEP_S)
        self._rest: Pcm = np.zeros(0, np.float32)
        self._loudest = _SILENT_DB + _BELOW_LOUDEST_DB
        self._noise = 0.0
        self._levels: list[float] = []  # dB of each step
        self._silent = 0  # steps of the silence at the end
        self._spoken = 0  # steps of speech, the silence at the end not counted
        self._has_spoken = False
        # Where stretches of speech begin: steps, and steps of speech before them.
        self._begins: list[int] = []
        self._spoken_before: list[int] = []

    @property
    def steps(self) -> int:
        """Whole steps so far."""
        return len(self._levels)

    @property
    def spoken(self) -> int:
        """Steps of speech so far; silence at the end that is no pause yet is among them."""
        return self._spoken + (0 if self.in_pause or not self._has_spoken else self._silent)

    @property
    def silence_begins(self) -> int:
        """Where the silence at the end begins; `steps` when there is none."""
        return self.steps - self._silent

    @property
    def in_pause(self) -> bool:
        """Whether it ends with silence that is long enough for a pause, or has not begun to speak."""
        return self._silent >= self._shortest or not self._has_spoken

    def add(self, pcm: Pcm) -> list[Pause]:
        """More sound; the pauses that end in it. Silence before the first speech is none."""
        pcm = np.concatenate([self._rest, pcm]) if len(self._rest) else pcm
        whole = len(pcm) - len(pcm) % self.step_samples
        self._rest = pcm[whole:]
        powers = np.mean(pcm[:whole].reshape(-1, self.step_samples).astype(np.float64) ** 2, axis=1)
        levels: NDArray[np.float64] = 10 * np.log10(powers + 10 ** (_FLOOR_DB / 10))
        return [pause for level in levels.tolist() if (pause := self._step(level)) is not None]

    def _step(self, level: float) -> Pause | None:
        self._loudest = max(self._loudest - _FORGOTTEN_DB * STEP_S, level)
        self._noise = min(self._noise + _FORGOTTEN_DB * STEP_S, level)
        self._levels.append(level)
        noise = min(self._noise + _ABOVE_NOISE_DB, self._loudest - _LEAST_BELOW_DB)
        if level < max(noise, self._loudest - _BELOW_LOUDEST_DB):
            self._silent += 1
            return None
        pause = None
        silence, self._silent = self._silent, 0
        if self._has_spoken and silence < self._shortest:
            self._spoken += silence
        else:
            step = self.steps - 1
            if self._has_spoken:
                pause = Pause(step - silence, step, self._spoken)
            self._begins.append(step)
            self._spoken_before.append(self._spoken)
            self._has_spoken = True
        self._spoken += 1
        return pause

    def begins_at(self, spoken: float) -> float:
        """The step where what comes after so much speech begins: after a pause that is just there."""
        return self._at(spoken, bisect_right(self._spoken_before, spoken) - 1)

    def ends_at(self, spoken: float) -> float:
        """The step where so much speech ends: before a pause that is just there."""
        return self._at(spoken, bisect_left(self._spoken_before, spoken) - 1)

    def _at(self, spoken: float, stretch: int) -> float:
        """In a stretch of speech; what is beyond the last counts on from it."""
        if not self._begins:
            return self.steps + spoken
        stretch = max(0, stretch)
        return self._begins[stretch] + spoken - self._spoken_before[stretch]

    def softest(self, start: int, end: int) -> int:
        """The softest step of [start, end); of many that are as soft, the middle one."""
        levels = np.array(self._levels[start:end])
        near = np.flatnonzero(levels <= levels.min() + _NEAR_SOFTEST_DB)
        return start + int(near[len(near) // 2])
