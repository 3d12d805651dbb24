"""Codes of recordings are those that qwen-tts makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from realtime.engines.qwen3.codec_encoder import CodecEncoder
from realtime.engines.qwen3.configuration import CodecConfig, read_config
from realtime.errors import EngineError
from tests.engines.qwen3.reference import SAMPLE_RATE, recording, silenced

FRAME = 1920


@pytest.fixture(scope="module")
def state(base: Path) -> dict[str, Tensor]:
    return load_file(base / "speech_tokenizer" / "model.safetensors")


@pytest.fixture(scope="module")
def config(base: Path) -> CodecConfig:
    return read_config(base).codec


@pytest.fixture(scope="module")
def encode(config: CodecConfig, state: dict[str, Tensor]) -> CodecEncoder:
    return CodecEncoder.from_state(config, state)


def expected(reference: Any, pcm: NDArray[np.float32]) -> Tensor:
    with silenced():
        (codes,) = reference.model.speech_tokenizer.encode(pcm, sr=SAMPLE_RATE).audio_codes
    assert isinstance(codes, torch.Tensor)
    return codes


@pytest.mark.parametrize("samples", [1, 959, FRAME - 1, FRAME, FRAME + 1, 24_000, 71_234])
@pytest.mark.parametrize("seed", [0, 1])
def test_codes_are_the_reference_s(
    encode: CodecEncoder, base_reference: Any, samples: int, seed: int
) -> None:
    pcm = recording(3, seed)[:samples]
    codes = encode(pcm)
    assert codes.shape == (-(-samples // FRAME), 16) and codes.dtype == torch.int64
    assert torch.equal(codes, expected(base_reference, pcm))


def test_a_minute_of_sound(encode: CodecEncoder, base_reference: Any) -> None:
    """Longer than the model's window of 10 s, which the reference does not heed either."""
    pcm = recording(60, 2)
    codes, theirs = encode(pcm), expected(base_reference, pcm)
    # Of 12,000 choices one may lie between two codes, where rounding decides it and the rest of its frame.
    assert (codes != theirs).any(dim=1).count_nonzero() <= 1


def test_other_sound_has_other_codes(encode: CodecEncoder) -> None:
    """All codes of all groups depend on the sound, and late ones on what was long before."""
    pcm = recording(2, 0)
    codes = encode(pcm)
    assert all(len(group.unique()) > 3 for group in codes.T)
    assert (codes != encode(recording(2, 1))).float().mean() > 0.5
    changed = pcm.copy()
    changed[: 2 * FRAME] *= 0.5
    assert (codes[10:] != encode(changed)[10:]).any()


def test_sound_is_never_changed_by_what_follows(encode: CodecEncoder) -> None:
    pcm = recording(2, 0)
    assert torch.equal(encode(pcm[: 10 * FRAME]), encode(pcm)[:10])


def test_an_encoder_that_is_not_causal(config: CodecConfig, state: dict[str, Tensor]) -> None:
    other = msgspec.structs.replace(config.encoder_config, use_causal_conv=False)
    with pytest.raises(EngineError, match=r"^the codec's encoder is not causal"):
        CodecEncoder.from_state(msgspec.structs.replace(config, encoder_config=other), state)


def test_weights_that_are_missing_or_of_another_shape(config: CodecConfig, state: dict[str, Tensor]) -> None:
    name = "encoder.encoder_transformer.layers.1.mlp.fc2.weight"
    less = dict(state)
    weight = less.pop(name)
    with pytest.raises(EngineError, match=rf"the model lacks the weight {name}$"):
        CodecEncoder.from_state(config, less)
    less[name] = weight.T
    with pytest.raises(EngineError, match=rf"{name} has the shape 64x32; it must be 32x64$"):
        CodecEncoder.from_state(config, less)
