"""The codec's own kernel, in Triton: between convolutions, what torch does in five passes over memory.

This module is imported only where its kernel is asked for. With TRITON_INTERPRET=1 it runs on the CPU,
slowly.
"""
# mypy: ignore-errors
# ruff: noqa: N803 (names of what is fixed when a kernel is compiled are upper case, as usual in Triton)

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 1024


def waves(x: Tensor, kept: Tensor | None, rate: Tensor, size: Tensor) -> Tensor:
    """`codec_layers.Waves`; the sines are of float32 in any case."""
    x = x.contiguous()
    batch, steps, channels = x.shape
    before = 0 if kept is None else kept.shape[1]
    whole = x.new_empty((batch, before + steps, channels))
    # What is kept of a row is one run of numbers; from row to row it is far.
    kept, stride = (x, 0) if kept is None else (kept, kept.stride(0))
    grid = (batch, triton.cdiv((before + steps) * channels, _BLOCK))
    _waves[grid](
        x,
        kept,
        stride,
        rate,
        size,
        whole,
        before * channels,
        steps * channels,
        CHANNELS=channels,
        BLOCK=_BLOCK,
    )
    return whole


@triton.jit
def _waves(x, kept, stride, rate, size, whole, before, after, CHANNELS: tl.constexpr, BLOCK: tl.constexpr):
    """BLOCK numbers of one row of `whole`: first `before` of `kept`, then `after` of `x` with waves."""
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    new = at >= before
    inside = at < before + after
    old = tl.load(kept + row * stride + at, mask=inside & (at < before), other=0.0)
    value = tl.load(x + row * after + at - before, mask=inside & new, other=0.0).to(tl.float32)
    channel = at % CHANNELS
    wave = tl.sin(value * tl.load(rate + channel).to(tl.float32))
    value += wave * wave * tl.load(size + channel).to(tl.float32)
    kind = whole.dtype.element_ty
    tl.store(whole + row * (before + after) + at, tl.where(new, value.to(kind), old), mask=inside)
