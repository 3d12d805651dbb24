"""Voices of recordings are made once, as qwen-tts makes them, and are found again after a restart."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from realtime.engines.prompts import PromptCache
from realtime.engines.qwen3.clone import CloneEncoder, CloneVoices, PrimedStates
from realtime.engines.qwen3.codec import Codec
from realtime.engines.qwen3.configuration import read_config
from realtime.engines.qwen3.recording import read_recording, resampled
from realtime.errors import EngineError
from realtime.types import Pcm, VoiceReference
from tests.engines.qwen3.reference import SAMPLE_RATE, clone_prompt, recording


class CountingEncoder:
    """A `CloneEncoder` that counts its calls."""

    def __init__(self, encoder: CloneEncoder) -> None:
        self._encoder = encoder
        self.calls = 0

    def encode(self, pcm: Pcm) -> Any:
        self.calls += 1
        return self._encoder.encode(pcm)


@pytest.fixture(scope="module")
def encoder(base: Path) -> CloneEncoder:
    state = load_file(base / "model.safetensors")
    codec_state = load_file(base / "speech_tokenizer" / "model.safetensors")
    return CloneEncoder.from_states(read_config(base), state, codec_state)


@pytest.fixture
def counting(encoder: CloneEncoder) -> Any:
    return CountingEncoder(encoder)


def write(folder: Path, pcm: NDArray[np.float32], rate: int = SAMPLE_RATE, name: str = "a") -> VoiceReference:
    path = folder / f"{name}.flac"
    soundfile.write(path, pcm, rate, format="FLAC", subtype="PCM_16")
    return VoiceReference(name * 64, str(path), "What is said in it.")


def test_voices_are_the_reference_s(encoder: CloneEncoder, base_reference: Any, tmp_path: Path) -> None:
    reference = write(tmp_path, recording(3.3))
    pcm, _ = soundfile.read(reference.path, dtype="float32")
    (theirs,) = clone_prompt(base_reference, pcm, "What is said in it.")
    voice = CloneVoices(encoder, PromptCache(None, 2), "m").voice(reference)
    assert voice.codes.dtype == np.int64 and voice.speaker.dtype == np.float32
    assert voice.speaker.flags.writeable, "torch warns of arrays that it must not write to"
    np.testing.assert_array_equal(voice.codes, theirs.ref_code)
    np.testing.assert_allclose(voice.speaker, theirs.ref_spk_embedding, rtol=0, atol=1e-5)


def test_a_voice_is_made_once_and_found_after_a_restart(counting: Any, tmp_path: Path) -> None:
    reference, folder = write(tmp_path, recording(1.5)), tmp_path / "prompts"
    voices = CloneVoices(counting, PromptCache(folder, 2), "m")
    first = voices.voice(reference)
    again = voices.voice(replace(reference, text=""))  # in-context or not, it is the same voice
    assert counting.calls == 1
    Path(reference.path).unlink()
    restarted = CloneVoices(counting, PromptCache(folder, 2), "m").voice(reference)
    assert counting.calls == 1
    for voice in (again, restarted):
        np.testing.assert_array_equal(voice.codes, first.codes)
        np.testing.assert_array_equal(voice.speaker, first.speaker)
    reference = write(tmp_path, recording(1.5))
    CloneVoices(counting, PromptCache(folder, 2), "another model").voice(reference)
    assert counting.calls == 2


def test_a_recording_for_one_request_is_not_kept(counting: Any, tmp_path: Path) -> None:
    reference, folder = replace(write(tmp_path, recording(1.5)), kept=False), tmp_path / "prompts"
    for _ in range(2):
        CloneVoices(counting, PromptCache(folder, 2), "m").voice(reference)
    assert counting.calls == 2 and not folder.exists()


@pytest.mark.parametrize(
    ("pcm", "message"),
    [
        (recording(0.96), "is 0.96 s long; 1 to 60 s are allowed"),
        (np.zeros(61 * SAMPLE_RATE, np.float32), "is 61.00 s long; 1 to 60 s are allowed"),
        (np.zeros(2 * SAMPLE_RATE, np.float32), "is silent: its level is -120 dBFS, and must be -60 or more"),
        (np.full(2 * SAMPLE_RATE, 0.5, np.float32), "is silent: its level is -120 dBFS"),
        (0.006 * recording(2), "is silent: its level is -66 dBFS"),
    ],
)
def test_a_recording_without_a_voice(
    counting: Any, tmp_path: Path, pcm: NDArray[np.float32], message: str
) -> None:
    voices = CloneVoices(counting, PromptCache(tmp_path / "prompts", 2), "m")
    for _ in range(2):
        with pytest.raises(EngineError, match="^the recording of this voice " + re.escape(message)):
            voices.voice(write(tmp_path, pcm))
    assert counting.calls == 0 and not (tmp_path / "prompts").exists()


def test_a_soft_voice_is_a_voice(counting: Any, tmp_path: Path) -> None:
    CloneVoices(counting, PromptCache(None, 2), "m").voice(write(tmp_path, 0.02 * recording(2)))
    assert counting.calls == 1


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    text, cut = tmp_path / "a.txt", tmp_path / "cut.flac"
    text.write_text("no sound")
    cut.write_bytes(Path(write(tmp_path, recording(3)).path).read_bytes()[:20_000])
    endless = tmp_path / "nan.wav"
    soundfile.write(endless, np.full(2 * SAMPLE_RATE, np.nan, np.float32), SAMPLE_RATE, subtype="FLOAT")
    for path in (tmp_path / "missing.flac", text, cut, endless, tmp_path):
        with pytest.raises(EngineError, match=r"^the recording of this voice cannot be read$"):
            read_recording(str(path))
    with pytest.raises(EngineError, match=r"is at 23456 Hz; 24000 Hz is what it should be at$"):
        read_recording(write(tmp_path, recording(2), 23_456).path)


def test_channels_are_averaged(tmp_path: Path) -> None:
    pcm = recording(2)
    both = read_recording(write(tmp_path, np.stack((pcm, np.zeros_like(pcm)), axis=1)).path)
    np.testing.assert_allclose(both, pcm / 2, atol=1e-4)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_resampling_is_near_to_libsoxr(rate: int, encoder: CloneEncoder) -> None:
    """Noise differs at the end of the band, by 47 dB; a voice differs less, as it has less noise."""
    samples = 2 * rate + 7
    voice = soxr.resample(recording(3), SAMPLE_RATE, rate)[:samples]
    noise = 0.1 * np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    for pcm, least_db in ((voice, 70), (noise, 46)):
        theirs, ours = soxr.resample(pcm, rate, SAMPLE_RATE, quality="HQ"), resampled(pcm, rate)
        assert len(ours) == math.ceil(samples * SAMPLE_RATE / rate) and abs(len(ours) - len(theirs)) <= 1
        inner = slice(500, min(len(ours), len(theirs)) - 500)
        error = np.sqrt(np.mean((ours[inner] - theirs[inner]) ** 2) / np.mean(theirs[inner] ** 2))
        assert 20 * math.log10(error) < -least_db
    ours, theirs = (
        encoder.encode(resampled(voice, rate)),
        encoder.encode(soxr.resample(voice, rate, SAMPLE_RATE)),
    )
    frames = slice(0, min(len(ours.codes), len(theirs.codes)) - 1)
    assert np.mean(ours.codes[frames] == theirs.codes[frames]) > 0.98
    assert np.linalg.norm(ours.speaker - theirs.speaker) < 0.002 * np.linalg.norm(theirs.speaker)


def test_sound_at_the_right_rate_is_not_touched() -> None:
    pcm = recording(1)
    assert resampled(pcm, SAMPLE_RATE) is pcm


@pytest.fixture
def codec(base: Path) -> Codec:
    state = load_file(base / "speech_tokenizer" / "model.safetensors")
    return Codec.from_state(read_config(base).codec, state, 3)


class Primed:
    """Counts how often a codec is primed."""

    def __init__(self, codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        prime = codec.prime

        def counted(codes: torch.Tensor) -> Any:
            self.times += 1
            return prime(codes)

        monkeypatch.setattr(codec, "prime", counted)


def test_a_codec_is_primed_once_for_each_voice(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    voices = {key: random.integers(0, 2048, (20, 16)) for key in "abc"}
    new = torch.from_numpy(random.integers(0, 2048, (1, 5, 16)))
    expected = {}
    for key, codes in voices.items():
        codec.reset(0)
        codec.decode([0], torch.from_numpy(codes)[None])
        expected[key] = codec.decode([0], new)
    counted = Primed(codec, monkeypatch)
    states = PrimedStates(codec, 2)
    for row, key, times in (
        (0, "a", 1),
        (1, "a", 1),
        (2, "b", 2),
        (1, "a", 2),
        (0, "c", 3),
        (2, "a", 3),
        (1, "b", 4),
    ):
        states.begin(row, key, voices[key])
        assert counted.times == times and len(states) <= 2
        np.testing.assert_allclose(codec.decode([row], new), expected[key], rtol=0, atol=2e-5)
    states.forget("b")
    states.forget("unknown")
    assert len(states) == 1
    states.begin(0, "b", voices["b"])
    assert counted.times == 5


def test_no_state_is_kept_when_none_may_be(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Primed(codec, monkeypatch)
    states = PrimedStates(codec, 0)
    for _ in range(2):
        states.begin(0, "a", np.zeros((3, 16), np.int64))
    assert counted.times == 2 and len(states) == 0
