"""Embeddings of voices are those that qwen-tts makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
from safetensors.torch import load_file
from torch import Tensor

from realtime.engines.qwen3.configuration import SpeakerEncoderConfig, read_config
from realtime.engines.qwen3.speaker_encoder import SpeakerEncoder, mel_filters
from realtime.errors import EngineError
from tests.engines.qwen3.reference import SAMPLE_RATE, recording, silenced


@pytest.fixture(scope="module")
def config(base: Path) -> SpeakerEncoderConfig:
    return read_config(base).speaker_encoder


@pytest.fixture(scope="module")
def state(base: Path) -> dict[str, Tensor]:
    return load_file(base / "model.safetensors")


@pytest.fixture(scope="module")
def encode(config: SpeakerEncoderConfig, state: dict[str, Tensor]) -> SpeakerEncoder:
    return SpeakerEncoder.from_state(config, state)


@pytest.mark.parametrize(
    ("rate", "n_fft", "bands", "most_hz"),
    [(24_000, 1024, 128, 12_000.0), (16_000, 400, 80, 8_000.0), (24_000, 512, 20, 900.0)],
)
def test_filters_are_those_of_librosa(rate: int, n_fft: int, bands: int, most_hz: float) -> None:
    theirs = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=bands, fmin=0, fmax=most_hz)
    filters = mel_filters(rate, n_fft, bands, most_hz)
    assert filters.dtype == np.float32 and filters.shape == theirs.shape
    np.testing.assert_allclose(filters, theirs, rtol=0, atol=1e-6)
    assert theirs.max() > 1e-3


@pytest.mark.parametrize("samples", [2_400, 24_000, 50_001, 60 * 24_000])
def test_embeddings_are_the_reference_s(encode: SpeakerEncoder, base_reference: Any, samples: int) -> None:
    pcm = recording(60, 3)[:samples]
    with silenced():
        theirs = base_reference.model.extract_speaker_embedding(pcm, sr=SAMPLE_RATE)
    embedding = encode(pcm)
    assert embedding.shape == theirs.shape == (64,)
    assert float(theirs.std()) > 0.1
    np.testing.assert_allclose(embedding, theirs, rtol=0, atol=1e-5)


def test_other_voices_have_other_embeddings(encode: SpeakerEncoder) -> None:
    one, other = encode(recording(2, 0)), encode(recording(2, 1))
    assert float((one - other).abs().max()) > 1e-2


def test_weights_that_are_missing_or_of_another_shape(
    config: SpeakerEncoderConfig, state: dict[str, Tensor]
) -> None:
    name = "speaker_encoder.blocks.2.res2net_block.blocks.1.conv.weight"
    less = dict(state)
    weight = less.pop(name)
    with pytest.raises(EngineError, match=rf"the model lacks the weight {name}$"):
        SpeakerEncoder.from_state(config, less)
    less[name] = weight[:2]
    with pytest.raises(EngineError, match=rf"{name} has the shape 2x4x3; it must be 4x4x3$"):
        SpeakerEncoder.from_state(config, less)
