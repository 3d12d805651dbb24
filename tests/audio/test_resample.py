"""Another rate is the same sound: in time, in pitch, to the sample, however it is cut into calls."""

from __future__ import annotations

import numpy as np
import psutil
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.audio.resample import Resampler
from realtime.types import Pcm
from tests.audio.sounds import delay, error_db, ideally_resampled, level_db, speechlike, tone

RATES = [
    (22_050, 24_000),
    (24_000, 8_000),
    (24_000, 16_000),
    (24_000, 22_050),
    (24_000, 44_100),
    (24_000, 48_000),
    (16_000, 24_000),
    (48_000, 24_000),
]
every_rate = pytest.mark.parametrize(("from_rate", "to_rate"), RATES)
DOWN = [(from_rate, to_rate) for from_rate, to_rate in RATES if from_rate > to_rate]


def resampled(pcm: Pcm, from_rate: int, to_rate: int, *sizes: int) -> Pcm:
    """Fed in parts of these sizes, in turns."""
    resampler = Resampler(from_rate, to_rate)
    parts: list[Pcm] = []
    at = 0
    while at < len(pcm):
        size = sizes[len(parts) % len(sizes)] if sizes else len(pcm)
        parts.append(resampler.process(pcm[at : at + size]))
        at += size
    return np.concatenate([*parts, resampler.finish()])


@every_rate
@pytest.mark.parametrize("samples", [0, 1, 2, 3, 50, 101, 209, 480, 1001, 24_001])
def test_the_length_is_exact_also_of_what_is_shorter_than_the_filter(
    from_rate: int, to_rate: int, samples: int
) -> None:
    sound = resampled(speechlike(samples), from_rate, to_rate, 480)
    assert len(sound) == round(samples * to_rate / from_rate)
    assert sound.dtype == np.float32


@every_rate
@settings(deadline=None, max_examples=30)
@given(samples=st.integers(0, 3000), sizes=st.lists(st.integers(1, 1500), min_size=1, max_size=5))
def test_how_it_is_cut_changes_not_a_bit(
    from_rate: int, to_rate: int, samples: int, sizes: list[int]
) -> None:
    sound = speechlike(3000)[:samples]
    whole = resampled(sound, from_rate, to_rate)
    assert np.array_equal(resampled(sound, from_rate, to_rate, *sizes), whole)


@every_rate
@pytest.mark.parametrize("size", [1, 7, 480, 1440])
def test_all_but_the_lookahead_has_come_out(from_rate: int, to_rate: int, size: int) -> None:
    resampler = Resampler(from_rate, to_rate)
    assert 0 < resampler.lookahead <= from_rate * 7 // 1000, "a few milliseconds"
    given = made = 0
    for _ in range(4000 // size):
        made += len(resampler.process(np.zeros(size, np.float32)))
        given += size
        assert (given - resampler.lookahead) * to_rate / from_rate <= made <= given * to_rate / from_rate


@every_rate
@pytest.mark.parametrize("at", [0, 1, 100, 12_345, 23_999])
def test_an_impulse_stays_where_it_is(from_rate: int, to_rate: int, at: int) -> None:
    impulse = np.zeros(24_000, np.float32)
    impulse[at] = 1
    sound = resampled(impulse, from_rate, to_rate, 480)
    assert abs(int(np.argmax(np.abs(sound))) - at * to_rate / from_rate) <= 1


@every_rate
def test_speech_is_the_same_sound_without_delay(from_rate: int, to_rate: int) -> None:
    pcm = speechlike(from_rate)
    sent = ideally_resampled(pcm, from_rate, to_rate)
    sound = resampled(pcm, from_rate, to_rate, 480)
    assert delay(sound, sent) == 0
    assert error_db(sound, sent) < -33


@every_rate
def test_no_difference_to_the_best_of_soxr_is_left_in_16_bit(from_rate: int, to_rate: int) -> None:
    """Of speech up to 88 % of half the lower rate, in an implementation that shares no code with ours."""
    spectrum = np.fft.rfft(speechlike(2 * from_rate))
    spectrum[round(0.88 * min(from_rate, to_rate)) :] = 0  # in steps of 0.5 Hz
    pcm = np.fft.irfft(spectrum).astype(np.float32)
    sound = resampled(pcm, from_rate, to_rate, 480)
    best = soxr.resample(pcm, from_rate, to_rate, quality="VHQ")
    middle = slice(to_rate // 5, 2 * to_rate - to_rate // 5)  # the ends were cut off in the spectrum
    assert error_db(sound[middle], best[middle]) < -98


@every_rate
@pytest.mark.parametrize("share", [0.02, 0.25, 0.5, 0.8, 0.85, 0.9])
def test_the_pass_band_is_flat(from_rate: int, to_rate: int, share: float) -> None:
    """Within 0.03 dB up to 90 % of half the lower rate, and all else that comes out is 95 dB softer."""
    hz = share * min(from_rate, to_rate) / 2
    middle = slice(to_rate // 4, to_rate // 4 * 3)
    sound = resampled(tone(hz, from_rate, from_rate), from_rate, to_rate, 480)[middle]
    expected = tone(hz, to_rate, to_rate)[middle]
    assert abs(level_db(sound) - level_db(expected)) < 0.03
    assert error_db(sound, expected * np.float32(10 ** ((level_db(sound) - level_db(expected)) / 20))) < -95


@pytest.mark.parametrize(("from_rate", "to_rate"), DOWN)
@pytest.mark.parametrize("share", [1.0, 1.0005, 1.005, 1.01, 1.05, 1.2, 1.5, 1.95])
def test_what_would_fold_back_is_not_there(from_rate: int, to_rate: int, share: float) -> None:
    """95 dB down from half the new rate on: less than the steps of 16 bit."""
    hz = share * to_rate / 2
    if hz >= from_rate / 2:
        hz = from_rate / 2 - 50
    sound = resampled(tone(hz, from_rate, from_rate), from_rate, to_rate, 480)
    assert level_db(sound[to_rate // 4 : to_rate // 4 * 3]) < level_db(tone(hz, from_rate, from_rate)) - 95


def test_streams_do_not_disturb_each_other() -> None:
    left, right = Resampler(24_000, 8_000), Resampler(24_000, 8_000)
    sound = speechlike(4800)
    parts = []
    for at in range(0, 4800, 480):
        parts.append(left.process(sound[at : at + 480]))
        right.process(-sound[at : at + 480])
    assert np.array_equal(np.concatenate([*parts, left.finish()]), resampled(sound, 24_000, 8_000))


def test_the_same_rate_changes_nothing() -> None:
    sound = speechlike(1000)
    assert np.array_equal(resampled(sound, 24_000, 24_000, 77), sound)


def test_it_starts_no_threads() -> None:
    """FFmpeg would start one per processor and context."""
    process = psutil.Process()
    before = process.num_threads()
    resamplers = [Resampler(24_000, 8_000) for _ in range(4)]
    assert process.num_threads() <= before and len(resamplers) == 4


@pytest.mark.parametrize("rates", [(0, 8000), (24_000, 0), (-1, 8000)])
def test_rates_are_above_zero(rates: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="above 0 Hz"):
        Resampler(*rates)
