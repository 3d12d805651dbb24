"""Faster and slower speech keeps its pitch, its order in time, and an exact length."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.audio.tempo import Tempo
from realtime.types import Pcm
from tests.audio.sounds import speechlike, tone

RATE = 24_000
SPEEDS = [0.25, 0.3, 0.5, 0.8, 0.999, 1.0, 1.1, 1.25, 1.5, 2.0, 2.01, 3.0, 4.0]
every_speed = pytest.mark.parametrize("speed", SPEEDS)


def at_speed(pcm: Pcm, speed: float, *sizes: int, rate: int = RATE) -> Pcm:
    """Fed in parts of these sizes, in turns."""
    tempo = Tempo(rate, speed)
    parts: list[Pcm] = []
    at = 0
    while at < len(pcm):
        size = sizes[len(parts) % len(sizes)] if sizes else len(pcm)
        parts.append(tempo.process(pcm[at : at + size]))
        at += size
    return np.concatenate([*parts, tempo.finish()])


def pitch(sound: Pcm, rate: int = RATE) -> float:
    """The strongest frequency in Hz."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 8 * len(sound)))
    return float(np.argmax(spectrum)) * rate / (8 * len(sound))


def loudness(sound: Pcm) -> float:
    return float(np.sqrt(np.mean(sound.astype(np.float64) ** 2)))


@every_speed
@pytest.mark.parametrize("samples", [0, 1, 239, 1000, 1501, 5000, 48_000])
def test_the_length_is_exact(speed: float, samples: int) -> None:
    sound = at_speed(speechlike(samples), speed, 480)
    assert len(sound) == round(samples / speed)
    assert sound.dtype == np.float32


@every_speed
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_the_length_is_exact_at_other_rates(speed: float, rate: int) -> None:
    assert len(at_speed(tone(200, rate, rate), speed, 777, rate=rate)) == round(rate / speed)


@settings(deadline=None, max_examples=60)
@given(
    speed=st.floats(0.25, 4),
    samples=st.integers(0, 6000),
    sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=5),
)
def test_how_it_is_cut_changes_nothing(speed: float, samples: int, sizes: list[int]) -> None:
    sound = speechlike(6000)[:samples]
    whole = at_speed(sound, speed)
    assert len(whole) == round(samples / speed)
    assert np.array_equal(at_speed(sound, speed, *sizes), whole)


@every_speed
@pytest.mark.parametrize("hz", [100, 220, 1000])
def test_the_pitch_stays(speed: float, hz: float) -> None:
    """Within 2 %, and as loud as it was."""
    sent = tone(hz, RATE, 2 * RATE)
    sound = at_speed(sent, speed, 480)
    middle = sound[len(sound) // 10 : len(sound) * 9 // 10]
    assert pitch(middle) == pytest.approx(hz, rel=0.02)
    assert loudness(middle) == pytest.approx(loudness(sent), rel=0.1)


@every_speed
@pytest.mark.parametrize("hz", [70, 90, 200, 350])
@pytest.mark.parametrize("rate", [22_050, 24_000])
def test_a_voice_keeps_its_period(speed: float, hz: float, rate: int) -> None:
    """Also a deep one: a period later it is the same sound, nearly as well as before (1 would be exact)."""
    time = np.arange(2 * rate) / rate
    voiced = sum(np.cos(2 * np.pi * hz * k * time + k * k) / k**0.5 for k in range(1, 4000 // hz))
    sound = at_speed((0.05 * voiced).astype(np.float32), speed, 480, rate=rate)
    middle = sound[len(sound) // 10 : len(sound) * 9 // 10][:rate]
    periods = np.fft.irfft(np.abs(np.fft.rfft(middle, 4 * rate)) ** 2)
    near = range(round(rate / hz / 1.3), round(rate / hz * 1.3))
    period = max(near, key=lambda lag: float(periods[lag]))
    assert rate / period == pytest.approx(hz, rel=0.02)
    assert periods[period] > 0.85 * periods[0]


@pytest.mark.parametrize(("speed", "most_ms"), [(0.25, 100), (0.5, 38), (0.75, 18)])
def test_slower_speech_has_no_long_echoes(speed: float, most_ms: float) -> None:
    """How long a click becomes at many places: with pieces of 43 ms up to 108, 44 and 19 ms."""
    longest = 0
    for at in range(RATE // 2, RATE // 2 + 4096, 256):
        click = np.zeros(RATE, np.float32)
        click[at : at + 24] = 0.5
        heard = np.flatnonzero(np.abs(at_speed(click, speed)) > 0.05)
        longest = max(longest, int(heard[-1] - heard[0]))
    assert longest <= most_ms * RATE / 1000


@every_speed
def test_sounds_stay_in_their_places(speed: float) -> None:
    """Four bursts: each is loud in its middle, and between them it is silent. 20 to 100 ms may be blended."""
    time = np.arange(4 * RATE) / RATE
    bursts = (tone(180, RATE, 4 * RATE) * (time % 1 > 0.5)).astype(np.float32)
    sound = at_speed(bursts, speed, 480)
    for second in range(4):
        burst = sound[round((second + 0.55) / speed * RATE) : round((second + 0.95) / speed * RATE)]
        pause = sound[round((second + 0.05) / speed * RATE) : round((second + 0.35) / speed * RATE)]
        assert loudness(burst) == pytest.approx(loudness(tone(180, RATE, RATE)), rel=0.15)
        assert loudness(pause) < 0.01


@every_speed
def test_the_end_of_the_sound_is_not_lost(speed: float) -> None:
    """A sound that is loud to its end; the filter's own end of stream would lose up to 80 ms."""
    sound = at_speed(tone(180, RATE, RATE), speed, 480)
    end = sound[len(sound) - round(0.1 / min(speed, 1) * RATE) :]
    assert loudness(end) > 0.6 * loudness(tone(180, RATE, RATE))


@pytest.mark.parametrize(("speed", "share"), [(0.5, 0.0), (1.5, 0.0), (2.5, 0.27), (3.0, 0.27), (4.0, 0.45)])
def test_sound_is_blended_rather_than_left_out(speed: float, share: float) -> None:
    """Of clicks at many places few are lost; one `atempo` alone loses 34, 48 and 59 % at speeds above 2."""
    places = range(RATE // 2, RATE // 2 + 8192, 128)
    lost = 0
    for at in places:
        click = np.zeros(RATE, np.float32)
        click[at : at + 24] = 0.5
        lost += bool(np.max(np.abs(at_speed(click, speed))) < 0.05)
    assert lost <= share * len(places)


@every_speed
def test_it_streams(speed: float) -> None:
    """All but the last 60 to 200 ms of what went in has come out, and never more than there is to come."""
    tempo = Tempo(RATE, speed)
    late = 0.2 if speed > 2 else 0.1
    made = 0
    for sent in range(480, 2 * RATE, 480):
        made += len(tempo.process(tone(180, RATE, 480)))
        assert (sent - late * RATE) / speed <= made <= round(sent / speed)


def test_it_is_deterministic() -> None:
    assert np.array_equal(at_speed(speechlike(RATE), 1.3, 480), at_speed(speechlike(RATE), 1.3, 480))


def test_silence_stays_silence() -> None:
    assert not np.any(at_speed(np.zeros(RATE, np.float32), 0.7, 480))


@pytest.mark.parametrize("speed", [0.2499, 4.001, 0.0, -1.0, float("nan"), float("inf")])
def test_speeds_out_of_range_are_refused(speed: float) -> None:
    with pytest.raises(ValueError, match=r"from 0\.25 to 4\.0"):
        Tempo(RATE, speed)
