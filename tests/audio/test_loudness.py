"""Loudness by the standard, and a gain that neither clips nor clicks."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.audio.loudness import (
    CEILING_DB,
    LEAST_GAIN_DB,
    MOST_GAIN_DB,
    SILENT_LUFS,
    Loudness,
    gain_db,
    measure,
)
from realtime.types import Pcm
from tests.audio.sounds import speechlike, tone

RATE = 24_000
RATES = [8_000, 16_000, 22_050, 24_000, 44_100, 48_000]
CEILING = 10 ** (CEILING_DB / 20)


def at_gain(pcm: Pcm, gain: float, *sizes: int, rate: int = RATE) -> Pcm:
    """Fed in parts of these sizes, in turns."""
    loudness = Loudness(rate, gain)
    parts: list[Pcm] = []
    at = 0
    while at < len(pcm):
        size = sizes[len(parts) % len(sizes)] if sizes else len(pcm)
        parts.append(loudness.process(pcm[at : at + size]))
        at += size
    return np.concatenate([*parts, loudness.finish()])


def by_ffmpeg(pcm: Pcm, folder: Path, rate: int = RATE) -> tuple[float, float]:
    """LUFS and dBTP as the program says them."""
    file = folder / "sound.wav"
    soundfile.write(file, pcm, rate, subtype="FLOAT")
    command = ["ffmpeg", "-nostats", "-i", str(file), "-af", "ebur128=peak=true", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    loudness, peak = re.findall(r"I: +(\S+) LUFS", said), re.findall(r"Peak: +(\S+) dBFS", said)
    return float(loudness[-1]), float(peak[-1])


def speech(seconds: float = 4.0) -> Pcm:
    """Pauses, syllables, and single high peaks."""
    sound = speechlike(round(seconds * RATE))
    places = np.random.default_rng(2).integers(0, len(sound), 20)
    sound[places] += np.float32(0.5)
    return sound


@pytest.mark.parametrize("rate", RATES)
def test_a_tone_has_the_loudness_that_the_standard_says(rate: int) -> None:
    """BS.1770: 997 Hz at full scale in one channel is -3.01 LKFS."""
    assert measure(tone(997, rate, 2 * rate, level=0.1), rate) == pytest.approx(-23.01, abs=0.05)


@pytest.mark.parametrize("samples", [24_000, 96_000, 100_001])
def test_the_program_says_the_same(samples: int, tmp_path: Path) -> None:
    sound = np.concatenate([speechlike(samples), np.zeros(12_000, np.float32)])
    assert measure(sound, RATE) == pytest.approx(by_ffmpeg(sound, tmp_path)[0], abs=0.1)


def test_silence_around_speech_does_not_count() -> None:
    silence = np.zeros(4 * RATE, np.float32)
    padded = np.concatenate([silence, speechlike(4 * RATE), silence])
    assert measure(padded, RATE) == pytest.approx(measure(speechlike(4 * RATE), RATE), abs=0.3)


@pytest.mark.parametrize("samples", [0, 1, 9_000])
def test_what_is_too_short_or_silent_has_no_loudness(samples: int) -> None:
    assert measure(tone(997, RATE, samples), RATE) == SILENT_LUFS
    assert measure(np.zeros(2 * RATE, np.float32), RATE) == SILENT_LUFS
    assert gain_db(SILENT_LUFS, -16) == 0


def test_the_gain_is_the_difference_within_bounds() -> None:
    assert gain_db(-26.1, -16) == pytest.approx(10.1)
    assert gain_db(-10, -23) == -13
    assert gain_db(-60, -16) == MOST_GAIN_DB == 20
    assert gain_db(0, -60) == LEAST_GAIN_DB == -40


@pytest.mark.parametrize("target", [-30.0, -23.0, -20.0])
def test_speech_gets_the_loudness_that_was_asked_for(target: float, tmp_path: Path) -> None:
    sound = speechlike(4 * RATE)
    louder = at_gain(sound, gain_db(measure(sound, RATE), target), 7200)
    assert by_ffmpeg(louder, tmp_path)[0] == pytest.approx(target, abs=0.2)


@pytest.mark.parametrize("gain", [-20.0, -3.0, 0.01, 3.0])
def test_below_the_ceiling_it_is_only_a_gain(gain: float) -> None:
    sound = speechlike(RATE)
    assert np.max(np.abs(sound)) * 10 ** (gain / 20) < 0.7
    assert np.allclose(at_gain(sound, gain, 480), sound * 10 ** (gain / 20), rtol=1e-6, atol=0)


def test_no_gain_changes_not_a_bit() -> None:
    sound = speech(0.5) * 3
    assert np.array_equal(at_gain(sound, 0.0, 77), sound)


@pytest.mark.parametrize("gain", [6.0, 12.0, 20.0])
def test_no_peak_is_above_the_ceiling(gain: float, tmp_path: Path) -> None:
    louder = at_gain(speech(), gain, 7200)
    assert np.max(np.abs(louder)) <= CEILING
    assert by_ffmpeg(louder, tmp_path)[1] <= CEILING_DB + 0.05
    assert np.max(np.abs(louder)) > 0.7, "and not much less than it may be"


@pytest.mark.parametrize("rate", RATES)
def test_no_peak_between_samples_is_above_it(rate: int, tmp_path: Path) -> None:
    """Samples of such a tone are never higher than 0.71 of it."""
    sound = (0.5 * np.sin(np.pi / 2 * np.arange(rate) + np.pi / 4)).astype(np.float32)
    louder = at_gain(sound, 10.0, rate=rate)
    assert CEILING_DB - 1 <= by_ffmpeg(louder, tmp_path, rate)[1] <= CEILING_DB + 0.05


@pytest.mark.parametrize("gain", [3.0, 20.0])
def test_the_gain_never_jumps(gain: float) -> None:
    """Of a constant the output is the gain itself: it moves by less than 0.3 dB from sample to sample."""
    sound = np.full(RATE, 0.01, np.float32)
    sound[10_000] = 0.9
    gains = 20 * np.log10(np.delete(at_gain(sound, gain) / sound, 10_000))
    assert np.max(np.abs(np.diff(gains))) < 0.3
    assert np.min(gains) < gain - 2
    assert gains[9_800] == pytest.approx(gain, abs=1e-3), "it falls at most 6 ms before the peak"
    assert gains[-1] == pytest.approx(gain, abs=1e-3), "and comes back"
    assert np.all(np.diff(gains[10_100:]) >= -1e-4) and gains[10_240] < gain - 1.5, "slowly"


@settings(deadline=None, max_examples=50)
@given(
    gain=st.sampled_from([-6.0, 3.0, 9.0, 20.0]),
    samples=st.integers(0, 9000),
    sizes=st.lists(st.integers(1, 4000), min_size=1, max_size=5),
    rate=st.sampled_from(RATES),
)
def test_how_it_is_cut_changes_not_a_bit(gain: float, samples: int, sizes: list[int], rate: int) -> None:
    sound = speech(0.5)[:samples]
    whole = at_gain(sound, gain, rate=rate)
    assert len(whole) == samples and whole.dtype == np.float32
    assert np.array_equal(at_gain(sound, gain, *sizes, rate=rate), whole)


@pytest.mark.parametrize("rate", RATES)
def test_all_but_six_milliseconds_have_come_out(rate: int) -> None:
    loudness = Loudness(rate, 6.0)
    given = made = 0
    for _ in range(200):
        made += len(loudness.process(np.full(rate // 400, 0.1, np.float32)))
        given += rate // 400
        assert given - 0.0062 * rate - 1 <= made <= given


def test_streams_do_not_disturb_each_other() -> None:
    left, right = Loudness(RATE, 12.0), Loudness(RATE, 12.0)
    parts = []
    for at in range(0, 12_000, 480):
        parts.append(left.process(speech()[at : at + 480]))
        right.process(np.ones(480, np.float32))
    assert np.array_equal(np.concatenate([*parts, left.finish()]), at_gain(speech()[:12_000], 12.0))
