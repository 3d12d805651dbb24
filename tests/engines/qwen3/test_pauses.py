"""Speech and pauses of sound whose speech and pauses are known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from realtime.engines.qwen3.pauses import Pause, PauseFinder
from realtime.types import Pcm

RATE = 24_000
STEP = RATE // 100


def sound(*parts: tuple[float, float]) -> Pcm:
    """Noise of so many seconds, each at so many dBFS."""
    source = np.random.default_rng(0)
    return np.concatenate(
        [10 ** (level / 20) * source.standard_normal(round(seconds * RATE)) for seconds, level in parts]
    ).astype(np.float32)


TALK = sound((0.3, -80), (1.0, -20), (0.05, -80), (0.5, -25), (0.2, -80), (0.8, -20), (0.4, -80))


@pytest.mark.parametrize("size", [1920, 1, 100, len(TALK)])
def test_pauses_are_found_however_the_sound_comes(size: int) -> None:
    finder = PauseFinder(RATE)
    pauses = [pause for at in range(0, len(TALK), size) for pause in finder.add(TALK[at : at + size])]
    # Silence before the first speech is none, nor is a plosive's closure, nor what has not ended.
    assert pauses == [Pause(185, 205, 155)]
    assert finder.steps == 325 and finder.silence_begins == 285 and finder.in_pause
    assert finder.spoken == 155 + 80


@pytest.mark.parametrize(("voice", "noise"), [(-20, -100), (-20, -56), (-35, -70), (-10, -45), (-45, -90)])
def test_pauses_are_found_in_soft_and_loud_voices_and_in_noise(voice: float, noise: float) -> None:
    parts = [(0.2, noise), *[(0.9, voice), (0.3, noise)] * 5]
    pauses = PauseFinder(RATE).add(sound(*parts))
    assert [(pause.start, pause.end) for pause in pauses] == [
        (110 + at, 140 + at) for at in (0, 120, 240, 360)
    ]


def test_soft_consonants_are_speech() -> None:
    parts = [(0.1, -80), (0.3, -20), (0.15, -50), (0.3, -20), (0.15, -80), (0.3, -20)]
    assert [pause.start for pause in PauseFinder(RATE).add(sound(*parts))] == [85]


def test_steps_of_speech_are_mapped_to_steps_of_the_sound_and_back() -> None:
    finder = PauseFinder(RATE)
    finder.add(TALK)
    assert (finder.begins_at(0), finder.ends_at(0)) == (30, 30)
    assert finder.begins_at(100) == finder.ends_at(100) == 130
    # At a pause: before it, and after it.
    assert (finder.ends_at(155), finder.begins_at(155)) == (185, 205)
    assert finder.begins_at(235) == 285
    assert finder.begins_at(240) == 290  # beyond what was heard
    at = [finder.begins_at(spoken) for spoken in range(235)]
    assert all(before < after for before, after in pairwise(at))


def test_the_softest_step_is_the_middle_of_those_that_are() -> None:
    finder = PauseFinder(RATE)
    finder.add(np.concatenate([sound((0.5, -20)), np.zeros(20 * STEP, np.float32), sound((0.5, -20))]))
    assert finder.softest(50, 70) == 60
    finder = PauseFinder(RATE)
    finder.add(sound((0.5, -20), (0.1, -60), (0.05, -75), (0.1, -60), (0.5, -20)))
    assert 60 <= finder.softest(50, 75) < 65


def test_without_speech_there_is_no_pause() -> None:
    finder = PauseFinder(RATE)
    assert finder.add(np.zeros(RATE, np.float32)) == []
    assert finder.in_pause and finder.spoken == 0 and finder.begins_at(0) == finder.steps == 100
