"""Sound that is stretched whole keeps its pitch, its order in time, and an exact length."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from realtime.audio import rubberband
from realtime.audio.rubberband import LONGEST_S, RubberBandTempo, is_installed
from realtime.errors import ErrorCode, RealtimeError
from realtime.types import Pcm
from tests.audio.sounds import speechlike, tone
from tests.audio.test_tempo import loudness, pitch

RATE = 24_000
every_speed = pytest.mark.parametrize("speed", [0.25, 0.5, 0.75, 1.25, 1.5, 2.0, 4.0])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go during the test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def at_speed(pcm: Pcm, speed: float, *sizes: int, rate: int = RATE) -> Pcm:
    """Fed in parts of these sizes, in turns."""
    tempo = RubberBandTempo(rate, speed)
    at = number = 0
    while at < len(pcm):
        size = sizes[number % len(sizes)] if sizes else len(pcm)
        assert len(tempo.process(pcm[at : at + size])) == 0
        at += size
        number += 1
    return tempo.finish()


def program(folder: Path, script: str) -> str:
    """A PATH on which `rubberband` is this shell script."""
    file = folder / "bin" / "rubberband"
    file.parent.mkdir()
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return f"{file.parent}{os.pathsep}{os.environ['PATH']}"


@every_speed
def test_the_length_is_exact(speed: float, folder: Path) -> None:
    sound = at_speed(speechlike(20_001), speed, 480)
    assert len(sound) == round(20_001 / speed) and sound.dtype == np.float32
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("samples", [1, 2, 10, 101, 1000])
@pytest.mark.parametrize("speed", [0.25, 1.3, 4.0])
def test_the_length_of_the_shortest_sounds_is_exact(samples: int, speed: float) -> None:
    """The program alone makes nothing of them."""
    sound = at_speed(tone(1000, RATE, samples), speed)
    assert len(sound) == round(samples / speed)
    assert samples < 1000 or loudness(sound) > 0.1


@pytest.mark.parametrize("speed", [0.25, 1.0, 4.0])
def test_of_nothing_comes_nothing(speed: float) -> None:
    """The program alone would never end."""
    tempo = RubberBandTempo(RATE, speed)
    assert len(tempo.process(np.zeros(0, np.float32))) == 0
    assert len(tempo.finish()) == 0 == len(RubberBandTempo(RATE, speed).finish())


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000])
def test_other_rates(rate: int) -> None:
    sound = at_speed(tone(200, rate, rate), 1.5, rate=rate)
    assert len(sound) == round(rate / 1.5)
    assert pitch(sound[len(sound) // 4 : len(sound) * 3 // 4], rate) == pytest.approx(200, rel=0.02)


@every_speed
@pytest.mark.parametrize("hz", [100, 1000])
def test_the_pitch_stays(speed: float, hz: float) -> None:
    """Within 2 %, and as loud as it was."""
    sent = tone(hz, RATE, RATE)
    sound = at_speed(sent, speed)
    middle = sound[len(sound) // 10 : len(sound) * 9 // 10]
    assert pitch(middle) == pytest.approx(hz, rel=0.02)
    assert loudness(middle) == pytest.approx(loudness(sent), rel=0.1)


@every_speed
def test_sounds_stay_in_their_places(speed: float) -> None:
    """Four bursts: each is loud in its middle, and between them it is silent."""
    time = np.arange(4 * RATE) / RATE
    sound = at_speed((tone(180, RATE, 4 * RATE) * (time % 1 > 0.5)).astype(np.float32), speed)
    for second in range(4):
        burst = sound[round((second + 0.55) / speed * RATE) : round((second + 0.95) / speed * RATE)]
        pause = sound[round((second + 0.1) / speed * RATE) : round((second + 0.4) / speed * RATE)]
        assert loudness(burst) == pytest.approx(loudness(tone(180, RATE, RATE)), rel=0.15)
        assert loudness(pause) < 0.01


def test_the_end_of_the_sound_is_not_lost() -> None:
    end = at_speed(tone(180, RATE, RATE), 2.0)[-1200:]
    assert loudness(end) > 0.6 * loudness(tone(180, RATE, RATE))


def test_a_sound_at_full_scale_is_not_made_softer() -> None:
    sound = at_speed(tone(180, RATE, RATE, level=1.0), 0.8)
    assert loudness(sound[6000:24_000]) == pytest.approx(loudness(tone(180, RATE, RATE, level=1.0)), rel=0.05)


def test_how_it_is_cut_changes_nothing() -> None:
    sound = speechlike(RATE)
    assert np.array_equal(at_speed(sound, 1.3, 480, 7, 3000), at_speed(sound, 1.3))


def test_speed_1_changes_nothing() -> None:
    sound = speechlike(1000)
    assert np.array_equal(at_speed(sound, 1.0, 77), sound)


def test_silence_stays_silence() -> None:
    assert not np.any(at_speed(np.zeros(RATE, np.float32), 0.7))


@pytest.mark.parametrize("speed", [0.2499, 4.001, 0.0, -1.0, float("nan"), float("inf")])
def test_speeds_out_of_range_are_refused(speed: float) -> None:
    with pytest.raises(ValueError, match=r"from 0\.25 to 4\.0"):
        RubberBandTempo(RATE, speed)


def test_a_sound_without_end_is_refused_and_forgotten() -> None:
    tempo = RubberBandTempo(RATE, 0.5)
    block = np.zeros(LONGEST_S * RATE // 2, np.float32)
    tempo.process(block)
    tempo.process(block)
    with pytest.raises(RealtimeError, match="at most 300 s"):
        tempo.process(block[:1])


def test_it_is_installed() -> None:
    assert is_installed()


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("echo 3.3.0 >&2", True),
        ("echo 4.0", True),
        ("echo 2.0.2 >&2", False),
        ("echo hello", False),
        ("exit 1", False),
    ],
)
def test_only_version_3_and_later_will_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch, script: str, found: bool
) -> None:
    monkeypatch.setenv("PATH", program(folder, script))
    assert is_installed() is found


def test_a_program_that_does_not_answer_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rubberband, "_VERSION_TIMEOUT_S", 0.05)
    monkeypatch.setenv("PATH", program(folder, "exec sleep 30"))
    assert not is_installed()


@pytest.mark.parametrize("script", ["exit 1", "kill -9 $$", "rm -f $6", "echo no sound > $6"])
def test_a_program_that_fails_is_told_and_leaves_no_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    monkeypatch.setenv("PATH", program(folder, script))
    with pytest.raises(RealtimeError, match="could not change the tempo") as caught:
        at_speed(speechlike(4800), 1.5)
    assert caught.value.code == ErrorCode.INTERNAL and str(folder) not in caught.value.message
    assert [file.name for file in folder.iterdir()] == ["bin"]


def test_without_the_program_it_is_an_error_of_ours(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert not is_installed()
    with pytest.raises(RealtimeError, match="could not change the tempo"):
        at_speed(speechlike(4800), 1.5)
    assert list(folder.iterdir()) == []
