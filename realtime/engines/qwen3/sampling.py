"""How a code is drawn from logits: as transformers' `generate` does, but with noise of one's own.

The order is that of transformers 4.57: repetition penalty, ids that are barred, temperature, top-k, top-p.
Instead of drawing from the softmax, Gumbel noise is added and the largest taken, which is the same
distribution (https://arxiv.org/abs/1411.0030, section 2). The noise is a hash of (seed, frame, group, id):
what a request gets depends on its seed, never on what else is decoded beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from realtime.engines.qwen3.configuration import TalkerConfig
from realtime.engines.qwen3.fields import Field
from realtime.engines.qwen3.prompt import Sampling
from realtime.errors import EngineError

#: Odd numbers, far apart: steps from one frame, group and id to the next.
FRAME_STEP, GROUP_STEP, ID_STEP = 0x9E37_79B9, 0x85EB_CA6B, 0xC2B2_AE35
#: The end is barred for so many frames, as qwen-tts's `min_new_tokens`.
FRAMES_BEFORE_END = 2
#: The last ids of the vocabulary are no codes; of them only the end can be drawn.
SPECIAL_IDS = 1024
#: What scores are divided by: with more or less they are no numbers any more.
_LEAST, _MOST = 0.001, 1000.0


@dataclass(frozen=True, slots=True)
class Draw:
    """How the codes of one group are drawn at B places; each is (B, 1).

    `top_k`: int64, from 1 to the vocabulary's size. `rest`: 1 - top_p, below 0 for no top-p. `noise`: 1, or 0
    for the likeliest.
    """

    temperature: Tensor
    top_k: Tensor
    rest: Tensor
    noise: Tensor


def plain_draw(
    do_sample: bool, temperature: float, top_k: int, top_p: float, vocabulary: int
) -> tuple[float, int, float, float]:
    """The numbers of a `Draw` for one request: temperature, top-k, rest, noise.

    Raises `EngineError` for what transformers would refuse. A `top_k` of 0 keeps all.
    """
    if not do_sample:
        return 1.0, vocabulary, -1.0, 0.0
    if not _LEAST <= temperature <= _MOST:
        raise EngineError(
            f"a temperature of {temperature} cannot be used: it must be from {_LEAST} to {_MOST}"
        )
    if top_k < 0:
        raise EngineError(f"a top_k of {top_k} cannot be used: it must be 0 (all) or more")
    if not 0.0 <= top_p <= 1.0:
        raise EngineError(f"a top_p of {top_p} cannot be used: it must be from 0 to 1")
    # The difference is taken in double precision, as transformers does.
    return temperature, min(top_k, vocabulary) or vocabulary, 1.0 - top_p if top_p < 1.0 else -1.0, 1.0


def check_penalty(sampling: Sampling) -> float:
    """The repetition penalty of a request; raises `EngineError` for one that cannot be."""
    penalty = sampling.repetition_penalty
    if not _LEAST <= penalty <= _MOST:
        raise EngineError(
            f"a repetition_penalty of {penalty} cannot be used: it must be from {_LEAST} to {_MOST}"
        )
    return penalty


class Sampler(Protocol):
    """Draws the codes of one frame at B places: `begin`, `first`, then `other` for the groups from 1 on."""

    def begin(self, inputs: Tensor) -> Drawing:
        """Of the table of `Field`, (fields, B)."""

    def first(self, drawing: Drawing, logits: Tensor, seen: Tensor) -> Tensor:
        """(B,) int64 from logits (B, vocabulary); marks them in `seen`, (rows, vocabulary) bool."""

    def other(self, drawing: Drawing, group: int, logits: Tensor) -> Tensor:
        """(B,) int64 of a group from logits (B, the predictor's vocabulary)."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What the draws of one frame share.

    `noise`: (B, groups, vocabulary), where it is made beforehand and anybody's codes are drawn with it.
    `most`: the largest top-k of the first group and of the others, where it is known and nobody has a top-p.
    """

    inputs: Tensor
    noise: Tensor | None = None
    most: tuple[int, int] | None = None

    def whole(self, field: Field) -> Tensor:
        """(B, 1) int64."""
        return self.inputs[field].long()[:, None]

    def number(self, field: Field) -> Tensor:
        """(B, 1) float32."""
        return self.inputs[field].view(torch.float32)[:, None]


class PlainSampler:
    """`Sampler` by torch's own functions, or by what `wrap` makes of them."""

    def __init__(
        self, config: TalkerConfig, device: torch.device, wrap: Callable[[Any], Any] = lambda x: x
    ) -> None:
        vocabulary = max(config.vocab_size, config.code_predictor_config.vocab_size)
        self._noise: Callable[[Tensor, Tensor, Tensor], Tensor] = wrap(
            Noise(config.num_code_groups, vocabulary, device)
        )
        self._drawn: Callable[[Tensor, Draw, Tensor], Tensor] = wrap(drawn)
        self._bars = bars(config).to(device)
        self._true = torch.ones((), device=device, dtype=torch.bool)
        self._vocabularies = config.vocab_size, config.code_predictor_config.vocab_size
        # What is asked for can be looked at where nothing waits for it and nothing is recorded.
        self._looks = device.type == "cpu" and self._drawn is drawn

    def begin(self, inputs: Tensor) -> Drawing:
        most = None
        if self._looks and not torch.compiler.is_compiling():
            asked = inputs.numpy()
            if not asked[[Field.NOISE, Field.SUB_NOISE]].any():
                return Drawing(inputs)
            if (asked[[Field.REST, Field.SUB_REST]].view(np.float32) < 0).all():
                first, rest = (
                    int(kept.max(where=kept < size, initial=1))
                    for kept, size in zip(
                        asked[[Field.TOP_K, Field.SUB_TOP_K]], self._vocabularies, strict=True
                    )
                )
                most = first, rest
        noise = self._noise(inputs[Field.SEED_LOW], inputs[Field.SEED_HIGH], inputs[Field.FRAME])
        return Drawing(inputs, noise, most)

    def first(self, drawing: Drawing, logits: Tensor, seen: Tensor) -> Tensor:
        rows, frame = drawing.inputs[Field.ROW].long(), drawing.inputs[Field.FRAME]
        scores = penalised(logits.float(), seen[rows], drawing.number(Field.PENALTY))
        scores = scores + self._bars[(frame >= FRAMES_BEFORE_END).long()]
        draw = Draw(
            drawing.number(Field.TEMPERATURE),
            drawing.whole(Field.TOP_K),
            drawing.number(Field.REST),
            drawing.number(Field.NOISE),
        )
        codes = self._code(scores, draw, drawing, 0)
        seen.index_put_((rows, codes), self._true)
        return codes

    def other(self, drawing: Drawing, group: int, logits: Tensor) -> Tensor:
        draw = Draw(
            drawing.number(Field.SUB_TEMPERATURE),
            drawing.whole(Field.SUB_TOP_K),
            drawing.number(Field.SUB_REST),
            drawing.number(Field.SUB_NOISE),
        )
        return self._code(logits.float(), draw, drawing, group)

    def _code(self, scores: Tensor, draw: Draw, drawing: Drawing, group: int) -> Tensor:
        """As `drawn`. Without noise it is the likeliest, the first of several, whatever else is left out."""
        if drawing.noise is None:
            return scores.argmax(-1)
        noise = drawing.noise[:, group]
        if drawing.most is not None:
            return drawn_of_few(scores, draw, noise, drawing.most[min(group, 1)])
        return self._drawn(scores, draw, noise)


def bars(config: TalkerConfig) -> Tensor:
    """(2, vocabulary): minus infinity where no first code can be, before and after the end is allowed."""
    table = torch.zeros(2, config.vocab_size)
    table[:, -SPECIAL_IDS:] = -torch.inf
    table[1, config.codec_eos_token_id] = 0.0
    return table


class Noise:
    """Gumbel noise by counter: a hash, not a state. In int32, whose sums and products lose what is above."""

    def __init__(self, groups: int, vocabulary: int, device: torch.device) -> None:
        def steps(count: int, step: int) -> Tensor:
            return (torch.arange(1, count + 1, dtype=torch.int64) * step).to(torch.int32).to(device)

        self._groups = steps(groups, GROUP_STEP)
        self._ids = steps(vocabulary, ID_STEP)

    def __call__(self, low: Tensor, high: Tensor, frame: Tensor) -> Tensor:
        """(B, groups, vocabulary) float32, for both halves of seeds and for frames: (B,) int32."""
        key = _mixed(_mixed(low) ^ high)
        key = _mixed(key + frame * _signed(FRAME_STEP))
        keys = _mixed(key[:, None] + self._groups)
        bits = _mixed(keys[:, :, None] + self._ids)
        # 23 bits and a half: never 0, never 1, and exact in float32.
        uniform = (_shifted(bits, 9).float() + 0.5) * 2.0**-23
        return -torch.log(-torch.log(uniform))


def _mixed(x: Tensor) -> Tensor:
    """A hash of 32 bits: `lowbias32` of https://nullprogram.com/blog/2018/07/31/."""
    x = (x ^ _shifted(x, 16)) * 0x7FEB_352D
    x = (x ^ _shifted(x, 15)) * _signed(0x846C_A68B)
    return x ^ _shifted(x, 16)


def _shifted(x: Tensor, bits: int) -> Tensor:
    """To the right, with zeros before it."""
    return x >> bits & (1 << 32 - bits) - 1


def _signed(number: int) -> int:
    """The same 32 bits as int32."""
    return number - (1 << 32) if number >> 31 else number


def penalised(scores: Tensor, seen: Tensor, penalty: Tensor) -> Tensor:
    """`scores` (B, vocabulary), less where `seen` is true: the `penalty` (B, 1) of https://arxiv.org/abs/1909.05858."""
    return torch.where(seen, torch.where(scores < 0, scores * penalty, scores / penalty), scores)


def warped(scores: Tensor, draw: Draw) -> tuple[Tensor, Tensor]:
    """`scores` (B, vocabulary) in rising order, and their ids, with temperature, top-k and top-p applied.

    What is left out is minus infinity. Equal scores keep the order of their ids.
    """
    ordered, ids = torch.sort(scores / draw.temperature, dim=-1, stable=True)
    least = ordered.gather(1, ordered.shape[1] - draw.top_k)
    ordered = ordered.masked_fill(ordered < least, -torch.inf)
    left_out = ordered.softmax(-1).cumsum(-1) <= draw.rest
    # The likeliest stays whatever top-p says.
    ordered[:, :-1].masked_fill_(left_out[:, :-1], -torch.inf)
    return ordered, ids


def drawn(scores: Tensor, draw: Draw, noise: Tensor) -> Tensor:
    """The ids drawn from `scores` (B, vocabulary) with `noise` of at least that width: (B,) int64."""
    ordered, ids = warped(scores, draw)
    left = torch.empty_like(ordered).scatter_(1, ids, ordered)
    return _noisiest(left, draw, noise)


def drawn_of_few(scores: Tensor, draw: Draw, noise: Tensor, most: int) -> Tensor:
    """As `drawn`, bit for bit, where nobody has a top-p, and a top-k of `most` at most or all: unsorted."""
    scores = scores / draw.temperature
    best = scores.topk(most).values
    least = best.gather(1, draw.top_k.clamp(max=most) - 1).masked_fill(draw.top_k > most, -torch.inf)
    return _noisiest(scores.masked_fill(scores < least, -torch.inf), draw, noise)


def _noisiest(scores: Tensor, draw: Draw, noise: Tensor) -> Tensor:
    return (scores + noise[:, : scores.shape[1]] * draw.noise).argmax(-1)
