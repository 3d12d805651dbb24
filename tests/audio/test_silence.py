"""Where sound begins and ends, and edges that do not click."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.audio.silence import AUDIBLE, audible_range, fade_in, fade_out
from realtime.types import Pcm


def sound(before: int, length: int, after: int, level: float = 0.5) -> Pcm:
    pcm = np.zeros(before + length + after, np.float32)
    pcm[before : before + length] = level * np.where(np.arange(length) % 2, -1, 1)
    return pcm


@given(before=st.integers(0, 2000), length=st.integers(1, 2000), after=st.integers(0, 2000))
def test_sound_is_found_to_the_sample(before: int, length: int, after: int) -> None:
    assert audible_range(sound(before, length, after)) == (before, before + length)


@pytest.mark.parametrize("length", [0, 1, 119, 120, 121, 5000])
def test_silence_has_no_range(length: int) -> None:
    assert audible_range(np.zeros(length, np.float32)) == (length, length)


@pytest.mark.parametrize(("level", "heard"), [(AUDIBLE * 1.01, True), (AUDIBLE * 0.99, False)])
def test_the_threshold_is_45_db_below_full_scale(level: float, heard: bool) -> None:
    assert pytest.approx(-45, abs=1e-9) == 20 * np.log10(AUDIBLE)
    start, end = audible_range(sound(1200, 1200, 1200, level))
    assert (start < end) is heard


def test_pauses_inside_are_kept() -> None:
    pcm = np.concatenate([sound(240, 240, 12_000), sound(0, 240, 480)])
    assert audible_range(pcm) == (240, 240 + 240 + 12_000 + 240)


def test_one_loud_sample_is_a_sound() -> None:
    pcm = np.zeros(1200, np.float32)
    pcm[601] = -0.5
    assert audible_range(pcm) == (601, 602)


def test_fade_in_rises_from_zero_and_leaves_the_rest() -> None:
    pcm = np.ones(500, np.float32)
    faded = fade_in(pcm, 120)
    assert faded[0] == 0 and np.all(np.diff(faded[:120]) > 0)
    assert np.max(np.diff(faded)) <= 1 / 119 + 1e-6
    assert np.array_equal(faded[119:], pcm[119:])
    assert np.all(pcm == 1), "the original is left as it was"


def test_fade_out_is_fade_in_backwards() -> None:
    pcm = np.random.default_rng(0).standard_normal(500).astype(np.float32)
    assert np.array_equal(fade_out(pcm, 120)[::-1], fade_in(pcm[::-1], 120))
    assert fade_out(pcm, 120)[-1] == 0
    assert np.array_equal(fade_out(pcm, 120)[:380], pcm[:380])


@pytest.mark.parametrize("fade", [fade_in, fade_out])
@pytest.mark.parametrize("length", [0, 1, 50])
def test_sound_shorter_than_its_fade(fade: Callable[[Pcm, int], Pcm], length: int) -> None:
    faded = fade(np.ones(length, np.float32), 120)
    assert len(faded) == length and faded.dtype == np.float32
    assert np.all((faded >= 0) & (faded <= 1))
    assert length == 0 or min(faded[0], faded[-1]) == 0


def test_no_samples_to_fade() -> None:
    pcm = np.ones(10, np.float32)
    assert np.array_equal(fade_in(pcm, 0), pcm) and np.array_equal(fade_out(pcm, 0), pcm)
