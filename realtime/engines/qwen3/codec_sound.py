"""What the codec's sound is made by: convolutions over time and waves, where most of its time goes.

Sound is (batch, time, channels), as in `codec_layers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812 (the name that all of torch's users know)
from torch import Tensor

#: Up to so many steps of output (of all rows together) a convolution is one product of matrices, of inputs
#: laid side by side: it reads the weights at full speed, where a kernel for convolutions would keep a few
#: of the processors busy. Beyond it that copy costs more than it saves.
MOST_STEPS_AS_PRODUCT = 2048
#: Numbers that are laid side by side at once.
_MOST_COPIED = 1 << 26


@dataclass(frozen=True, slots=True, eq=False)
class Wave:
    """x + size * sin(rate * x)^2 for each channel; both (channels,)."""

    rate: Tensor
    size: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """Of a convolution over time: `matrix` (outputs, taps x inputs), `bias` (outputs,)."""

    matrix: Tensor
    bias: Tensor
    taps: int = 1
    dilation: int = 1

    def steps(self, whole: Tensor) -> int:
        """How many it makes of `whole`, (batch, time, inputs)."""
        return whole.shape[1] - (self.taps - 1) * self.dilation


class SoundOps(Protocol):
    """Where most of the codec's time goes: plain here, by own kernels in `codec_kernels`."""

    def waves(self, x: Tensor, kept: Tensor | None, wave: Wave) -> Tensor:
        """`wave` of `x` (batch, time, channels), after `kept` as it is."""

    def convolved(
        self, whole: Tensor, by: Filter, wave: Wave | None = None, added: Tensor | None = None
    ) -> Tensor:
        """`whole` (batch, time, inputs) to (batch, `by.steps(whole)`, outputs); then `wave`; plus `added`."""


class PlainSound:
    """`SoundOps` by torch's own functions."""

    def waves(self, x: Tensor, kept: Tensor | None, wave: Wave) -> Tensor:
        sines = torch.sin(x * wave.rate)
        x = torch.addcmul(x, sines * wave.size, sines)
        return x if kept is None else torch.cat((kept, x), dim=1)

    def convolved(
        self, whole: Tensor, by: Filter, wave: Wave | None = None, added: Tensor | None = None
    ) -> Tensor:
        out = convolution(whole, by)
        if wave is not None:
            out = self.waves(out, None, wave)
        return out if added is None else added + out


def convolution(whole: Tensor, by: Filter) -> Tensor:
    """As `SoundOps.convolved`.

    On a GPU it is a product of matrices in any case. What cuDNN chooses without trying may take five hundred
    times as long (on an H200 22 ms each, four times, for four frames of eight streams); trying takes seconds.
    """
    batch, steps = len(whole), by.steps(whole)
    if by.taps == 1:
        return F.linear(whole, by.matrix, by.bias)
    if batch * steps <= MOST_STEPS_AS_PRODUCT:
        return _product(whole, by)
    if whole.is_cuda:
        return in_parts(whole, by, _MOST_COPIED)
    # The same numbers in the same order: (outputs, inputs, 1, taps) with inputs last in memory.
    image = by.matrix.view(len(by.matrix), 1, by.taps, -1).permute(0, 3, 1, 2)
    out = F.conv2d(whole.transpose(1, 2).unsqueeze(2), image, by.bias, dilation=(1, by.dilation))
    return out.squeeze(2).transpose(1, 2)


def in_parts(whole: Tensor, by: Filter, most: int) -> Tensor:
    """`convolution` as a product of some rows at a time, of which not more than `most` numbers are copied."""
    at_once = max(1, most // (by.steps(whole) * by.matrix.shape[1]))
    return torch.cat([_product(part, by) for part in torch.split(whole, at_once)])


def _product(whole: Tensor, by: Filter) -> Tensor:
    span = (by.taps - 1) * by.dilation + 1
    taps = whole.unfold(1, span, 1)[..., :: by.dilation]
    # Without a copy it may be a view that overlaps itself, which no product takes.
    return F.linear(taps.transpose(2, 3).flatten(2).contiguous(), by.matrix, by.bias)
