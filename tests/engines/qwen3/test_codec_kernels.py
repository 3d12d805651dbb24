"""The codec's own kernel does what the plain passes do, in Triton's interpreter."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from realtime.engines.qwen3 import codec_kernels
from realtime.engines.qwen3.codec import Codec
from realtime.engines.qwen3.codec_layers import plain_waves
from realtime.engines.qwen3.configuration import read_config


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, with kernels that are interpreted: what they are is decided when they are defined."""
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    return importlib.reload(codec_kernels)


@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-6), (torch.bfloat16, 0.02)])
@pytest.mark.parametrize(
    ("batch", "steps", "channels", "before"),
    [(1, 4, 64, 6), (3, 40, 48, 54), (2, 700, 6, 0), (2, 1, 1536, 1)],
)
def test_waves(
    interpreted: Any, batch: int, steps: int, channels: int, before: int, dtype: torch.dtype, near: float
) -> None:
    random = torch.Generator().manual_seed(0)
    x, tails = (
        torch.randn(batch, steps, channels, generator=random),
        torch.randn(batch, 9999 * 9, generator=random),
    )
    rate, size = torch.rand(channels, generator=random) + 0.5, torch.rand(channels, generator=random)
    x, tails, rate, size = (each.to(dtype) for each in (x, tails, rate, size))
    kept = tails[:, 7 : 7 + before * channels].view(batch, before, channels) if before else None
    out = interpreted.waves(x, kept, rate, size)
    assert out.dtype == dtype
    exact = plain_waves(x.double(), None if kept is None else kept.double(), rate.double(), size.double())
    torch.testing.assert_close(out.double(), exact, rtol=near, atol=near)
    if kept is not None:
        assert torch.equal(out[:, :before], kept)


def test_a_codec_with_own_kernels(interpreted: Any, base: Path) -> None:
    config, state = read_config(base).codec, load_file(base / "speech_tokenizer" / "model.safetensors")
    plain, own = Codec.from_state(config, state, 2), Codec.from_state(config, state, 2, kernels=True)
    codes = torch.randint(0, 2048, (2, 3, 16), generator=torch.Generator().manual_seed(0))
    for at, frames in ((0, 1), (1, 2)):
        part = codes[:, at : at + frames]
        torch.testing.assert_close(own.decode([1, 0], part), plain.decode([1, 0], part), rtol=0, atol=2e-5)
