"""The codec's own kernel does what the plain passes do, in Triton's interpreter."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from realtime.engines.qwen3 import codec_kernels, codec_sound
from realtime.engines.qwen3.codec import Codec
from realtime.engines.qwen3.codec_sound import Filter, PlainSound, Wave
from realtime.engines.qwen3.configuration import read_config


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, with kernels that are interpreted: what they are is decided when they are defined."""
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    return importlib.reload(codec_kernels)


def near(dtype: torch.dtype) -> float:
    return 1e-6 if dtype == torch.float32 else 0.02


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("batch", "steps", "channels", "before"),
    [(1, 4, 64, 6), (3, 40, 48, 54), (2, 700, 6, 0), (2, 1, 1536, 1)],
)
def test_waves(
    interpreted: Any, batch: int, steps: int, channels: int, before: int, dtype: torch.dtype
) -> None:
    random = torch.Generator().manual_seed(0)
    x, tails = (
        torch.randn(batch, steps, channels, generator=random),
        torch.randn(batch, 9999 * 9, generator=random),
    )
    x[0, 0] *= 100
    rate, size = torch.rand(channels, generator=random) + 0.5, torch.rand(channels, generator=random)
    x, tails, rate, size = (each.to(dtype) for each in (x, tails, rate, size))
    kept = tails[:, 7 : 7 + before * channels].view(batch, before, channels) if before else None
    out = interpreted.KernelSound().waves(x, kept, Wave(rate, size))
    assert out.dtype == dtype
    # What the sine is taken of is rounded to float32, which at 300 is off by 2e-5.
    sines = (x.float() * rate.float()).double().sin()
    exact = x.double() + size.double() * sines**2
    assert ((out[:, before:].double() - exact).abs() <= near(dtype) * (1 + exact.abs())).all()
    if kept is not None:
        assert torch.equal(out[:, :before], kept)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize(
    ("batch", "time", "inputs", "outputs", "taps", "dilation"),
    [
        (3, 60, 24, 24, 7, 3),
        (2, 150, 48, 1, 7, 1),
        (1, 9, 32, 200, 2, 1),
        (2, 70, 40, 40, 1, 1),
        (1, 8, 8, 8, 7, 1),
    ],
)
def test_convolutions(
    interpreted: Any,
    batch: int,
    time: int,
    inputs: int,
    outputs: int,
    taps: int,
    dilation: int,
    dtype: torch.dtype,
) -> None:
    random = torch.Generator().manual_seed(0)

    def some(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random).to(dtype)

    whole, matrix, bias = some(batch, time, inputs), some(outputs, taps * inputs) / taps, some(outputs)
    by, wave = Filter(matrix, bias, taps, dilation), Wave(some(outputs).abs() + 0.5, some(outputs))
    added = some(batch, by.steps(whole), outputs)
    doubled = Filter(matrix.double(), bias.double(), taps, dilation)
    for wave_too, added_too in ((None, None), (wave, None), (None, added)):
        out = interpreted.convolution(whole, by, wave_too, added_too)
        exact = PlainSound().convolved(
            whole.double(),
            doubled,
            wave_too and Wave(wave.rate.double(), wave.size.double()),
            None if added_too is None else added.double(),
        )
        assert out.dtype == dtype
        limit = 3e-5 if dtype == torch.float32 else 0.02
        assert float(((out.double() - exact).abs() / (1 + exact.abs())).max()) < limit


def test_a_codec_with_own_kernels(interpreted: Any, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec_sound, "MOST_STEPS_AS_PRODUCT", 1000)
    config, state = read_config(base).codec, load_file(base / "speech_tokenizer" / "model.safetensors")
    plain, own = Codec.from_state(config, state, 2), Codec.from_state(config, state, 2, kernels=True)
    codes = torch.randint(0, 2048, (2, 3, 16), generator=torch.Generator().manual_seed(0))
    for at, frames in ((0, 1), (1, 2)):
        part = codes[:, at : at + frames]
        torch.testing.assert_close(own.decode([1, 0], part), plain.decode([1, 0], part), rtol=0, atol=2e-5)
