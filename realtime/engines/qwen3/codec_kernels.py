"""The codec's own kernels, in Triton: waves in one pass over memory, and convolutions with what follows them.

This module is imported only where its kernels are asked for. With TRITON_INTERPRET=1 they run on the CPU,
slowly.
"""
# mypy: ignore-errors
# ruff: noqa: N803 (names of what is fixed when a kernel is compiled are upper case, as usual in Triton)

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from realtime.engines.qwen3 import codec_sound
from realtime.engines.qwen3.codec_sound import Filter, PlainSound, Wave

_BLOCK = 1024
#: Steps of one program of a convolution, bytes of an input that it reads at once, and how often ahead.
BLOCK_STEPS, BLOCK_BYTES, STAGES = 128, 128, 3
_LEAST_OUTPUTS, _MOST_OUTPUTS = 16, 128


class KernelSound(PlainSound):
    """`codec_sound.SoundOps`; sines and sums of own kernels are of float32 in any case."""

    def waves(self, x: Tensor, kept: Tensor | None, wave: Wave) -> Tensor:
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
            wave.rate,
            wave.size,
            whole,
            before * channels,
            steps * channels,
            CHANNELS=channels,
            BLOCK=_BLOCK,
        )
        return whole

    def convolved(
        self, whole: Tensor, by: Filter, wave: Wave | None = None, added: Tensor | None = None
    ) -> Tensor:
        if len(whole) * by.steps(whole) > codec_sound.MOST_STEPS_AS_PRODUCT:
            return convolution(whole, by, wave, added)
        return super().convolved(whole, by, wave, added)


def convolution(whole: Tensor, by: Filter, wave: Wave | None = None, added: Tensor | None = None) -> Tensor:
    """`SoundOps.convolved` for any number of steps; it is made for many."""
    whole = whole.contiguous()
    batch, length, inputs = whole.shape
    steps, outputs = by.steps(whole), len(by.matrix)
    out = whole.new_empty((batch, steps, outputs))
    block, warps = output_block(outputs)
    grid = (triton.cdiv(outputs, block), triton.cdiv(batch * steps, BLOCK_STEPS))
    is_exact = whole.dtype == torch.float32 and not torch.backends.cuda.matmul.allow_tf32
    _convolution[grid](
        whole,
        by.matrix,
        by.bias,
        # What there is not is not touched.
        whole if wave is None else wave.rate,
        whole if wave is None else wave.size,
        whole if added is None else added.contiguous(),
        out,
        batch * steps,
        steps,
        length * inputs,
        by.dilation,
        INPUTS=inputs,
        OUTPUTS=outputs,
        TAPS=by.taps,
        WAVE=wave is not None,
        ADDED=added is not None,
        PRECISION="ieee" if is_exact else "tf32",
        STEPS=BLOCK_STEPS,
        BLOCK=block,
        AT_ONCE=BLOCK_BYTES // whole.element_size(),
        num_warps=warps,
        num_stages=STAGES,
    )
    return out


def output_block(outputs: int) -> tuple[int, int]:
    """How many of its outputs a program of a convolution makes, a power of two, and by how many warps."""
    block = max(_LEAST_OUTPUTS, min(_MOST_OUTPUTS, triton.next_power_of_2(outputs)))
    return block, 8 if block == _MOST_OUTPUTS else 4


@triton.jit
def _sine(x):
    """The sine but for its sign, as it is squared: of float32, to 2e-7 up to ten thousand.

    The nearest multiple of pi is taken off in two parts, and the rest is a series (Taylor's, to the 11th
    power). CUDA's own sine goes another way for large numbers, and would bring that code for every number.
    """
    turns = tl.floor(x * 0.3183098861837907 + 0.5)
    x = x - turns * 3.140625
    x = x - turns * 0.0009676535897932384
    square = x * x
    series = 2.7557319223985893e-06 + square * -2.505210838544172e-08
    series = -0.0001984126984126984 + square * series
    series = -0.16666666666666666 + square * (0.008333333333333333 + square * series)
    return x + x * square * series


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
    wave = _sine(value * tl.load(rate + channel).to(tl.float32))
    value += wave * wave * tl.load(size + channel).to(tl.float32)
    kind = whole.dtype.element_ty
    tl.store(whole + row * (before + after) + at, tl.where(new, value.to(kind), old), mask=inside)


# One kernel for all lengths and dilations: there are many layers, and each takes a second to compile.
@triton.jit(do_not_specialize=["total", "steps", "dilation"])
def _convolution(
    whole,
    matrix,
    bias,
    rate,
    size,
    added,
    out,
    total,
    steps,
    row_stride,
    dilation,
    INPUTS: tl.constexpr,
    OUTPUTS: tl.constexpr,
    TAPS: tl.constexpr,
    WAVE: tl.constexpr,
    ADDED: tl.constexpr,
    PRECISION: tl.constexpr,
    STEPS: tl.constexpr,
    BLOCK: tl.constexpr,
    AT_ONCE: tl.constexpr,
):
    """STEPS of the `total` steps of all rows, and BLOCK of their OUTPUTS, of a convolution over time.

    `whole`: rows of `row_stride` numbers, (time, INPUTS) each, that make `steps` of output. `matrix`
    (OUTPUTS, TAPS x INPUTS) and `bias` (OUTPUTS,). WAVE: `rate` and `size` (OUTPUTS,) of a wave of what comes
    of it; ADDED: `added` (total, OUTPUTS) comes to it. A product of matrices (total, TAPS x INPUTS) and
    `matrix`, of which the first is nowhere: it is read where it lies, AT_ONCE columns at a time.
    """
    step = tl.program_id(1) * STEPS + tl.arange(0, STEPS)
    output = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    row = step // steps
    begin = row.to(tl.int64) * row_stride + (step - row * steps).to(tl.int64) * INPUTS
    width: tl.constexpr = TAPS * INPUTS
    left = (step < total)[:, None]
    right = (output < OUTPUTS)[None, :]
    result = tl.full((STEPS, BLOCK), 0.0, tl.float32)
    for start in range(0, width, AT_ONCE):
        column = start + tl.arange(0, AT_ONCE)
        tap = column // INPUTS
        at = tap * (dilation - 1) * INPUTS + column
        there = column < width
        a = tl.load(whole + begin[:, None] + at[None, :], mask=left & there[None, :], other=0.0)
        b = tl.load(
            matrix + output.to(tl.int64)[None, :] * width + column[:, None],
            mask=right & there[:, None],
            other=0.0,
        )
        result = tl.dot(a, b, result, input_precision=PRECISION)
    value = result + tl.load(bias + output, mask=output < OUTPUTS, other=0.0).to(tl.float32)[None, :]
    if WAVE:
        factor = tl.load(rate + output, mask=output < OUTPUTS, other=0.0).to(tl.float32)
        height = tl.load(size + output, mask=output < OUTPUTS, other=0.0).to(tl.float32)
        wave = _sine(value * factor[None, :])
        value += wave * wave * height[None, :]
    to = step.to(tl.int64)[:, None] * OUTPUTS + output[None, :]
    if ADDED:
        value += tl.load(added + to, mask=left & right, other=0.0).to(tl.float32)
    tl.store(out + to, value.to(out.dtype.element_ty), mask=left & right)
