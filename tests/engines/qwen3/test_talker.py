"""The talker's weights: found, checked, and what is worked out of them beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import torch
from safetensors.torch import load_file

from realtime.engines.qwen3.configuration import read_config
from realtime.engines.qwen3.layers import PlainOps
from realtime.engines.qwen3.talker import Talker
from realtime.errors import EngineError
from tests.engines.qwen3.conftest import Checkpoints, References
from tests.engines.qwen3.decoding import CPU, load_talker

if TYPE_CHECKING:
    from qwen_tts import Qwen3TTSModel

KEYS = (
    "talker.model.text_embedding.weight",
    "talker.model.codec_embedding.weight",
    "talker.model.layers.1.self_attn.k_norm.weight",
    "talker.model.layers.0.mlp.up_proj.weight",
    "talker.text_projection.linear_fc2.bias",
    "talker.codec_head.weight",
    "talker.code_predictor.model.codec_embedding.14.weight",
    "talker.code_predictor.lm_head.14.weight",
    "talker.code_predictor.model.norm.weight",
    "talker.code_predictor.small_to_mtp_projection.bias",
)


def test_text_is_projected_as_qwen_tts_does(
    custom_voice: Path, custom_voice_reference: Qwen3TTSModel
) -> None:
    talker = custom_voice_reference.model.talker
    with torch.no_grad():
        wanted = talker.text_projection(talker.get_text_embeddings().weight)
    torch.testing.assert_close(load_talker(custom_voice).text, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", ["1b7", "0b6"])
def test_codes_are_embedded_and_made_smaller_as_qwen_tts_does(
    checkpoints: Checkpoints, references: References, size: str
) -> None:
    ours = load_talker(checkpoints("custom_voice", size))  # type: ignore[arg-type]
    talker = references("custom_voice", size).model.talker  # type: ignore[arg-type]
    predictor = talker.code_predictor
    codes = torch.tensor([0, 5, 2047])
    with torch.no_grad():
        for group in range(16):
            table = (
                talker.get_input_embeddings() if group == 0 else predictor.get_input_embeddings()[group - 1]
            )
            wanted = table(codes)
            assert torch.equal(ours.codes[codes + ours.code_offsets[group]], wanted)
            small = predictor.small_to_mtp_projection(wanted)
            torch.testing.assert_close(ours.small_code(group, codes), small, rtol=0, atol=1e-6)
    assert not ours.codes[ours.nothing].any()
    # Where both have one width, nothing is kept twice.
    assert (ours.small_codes.data_ptr() == ours.codes.data_ptr()) == (size == "0b6")


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_weight_is_named(custom_voice: Path, key: str) -> None:
    state = load_file(custom_voice / "model.safetensors")
    del state[key]
    with pytest.raises(EngineError, match=rf"^the model lacks the weight {key}$"):
        Talker.from_state(read_config(custom_voice), state, CPU, torch.float32)


@pytest.mark.parametrize("key", KEYS)
def test_a_weight_of_another_shape_is_named(custom_voice: Path, key: str) -> None:
    state = load_file(custom_voice / "model.safetensors")
    state[key] = state[key][:-1]
    with pytest.raises(EngineError, match=rf"^the weight {key} has the shape .*; it must be \d"):
        Talker.from_state(read_config(custom_voice), state, CPU, torch.float32)


def test_biases_of_attention_are_used(custom_voice: Path) -> None:
    """No published model has them; those that do need them."""
    config = read_config(custom_voice)
    biased = msgspec.structs.replace(
        config, talker=msgspec.structs.replace(config.talker, attention_bias=True)
    )
    state = load_file(custom_voice / "model.safetensors")
    with pytest.raises(EngineError, match=r"q_proj\.bias"):
        Talker.from_state(biased, state, CPU, torch.float32)
    for layer in range(2):
        for name, size in {"q": 64, "k": 32, "v": 32, "o": 64}.items():
            state[f"talker.model.layers.{layer}.self_attn.{name}_proj.bias"] = torch.full((size,), 0.5)
    talker = Talker.from_state(biased, state, CPU, torch.float32)
    assert talker.stack.layer(1).qkv_bias is not None

    def attend(index: int, qkv: torch.Tensor) -> torch.Tensor:
        return qkv[:, :64]

    x = torch.randn(2, 64, generator=torch.Generator().manual_seed(0))
    plain = load_talker(custom_voice)
    assert not torch.allclose(talker.stack(x, attend, PlainOps()), plain.stack(x, attend, PlainOps()))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_take_the_asked_kind_of_number(custom_voice: Path, dtype: torch.dtype) -> None:
    talker = load_talker(custom_voice, dtype)
    assert talker.dtype == dtype
    assert {value.dtype for value in talker.buffers()} == {dtype}
