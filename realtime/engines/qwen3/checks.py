"""Compares the parts of a step with each other, on the machine where they shall run: what no CPU can tell.

The benchmark prints them; tests run those that a CPU can run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from realtime.engines.qwen3.configuration import TalkerConfig
from realtime.engines.qwen3.fields import Field
from realtime.engines.qwen3.layers import Heads, Ops, PlainOps
from realtime.engines.qwen3.parts import Parts, make_parts
from realtime.engines.qwen3.sampling import PlainSampler, plain_draw

#: Lengths that lie about the limits of blocks and splits.
_LENGTHS = (0, 1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 500)
#: How codes are drawn: whether, temperature, top-k, top-p.
_WAYS = (
    (True, 0.9, 50, 1.0),
    (False, 1.0, 0, 1.0),
    (True, 1.0, 0, 0.9),
    (True, 0.7, 20, 0.8),
    (True, 1.0, 0, 1.0),
    (True, 1.0, 2, 1.0),
    (True, 1.0, 0, 0.0),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison: the largest `error` found, and what is allowed."""

    name: str
    error: float
    limit: float

    @property
    def passed(self) -> bool:
        """Whether the error is within its limit; not a number is not."""
        return self.error <= self.limit


def check_parts(
    kind: str,
    config: TalkerConfig,
    device: torch.device,
    dtype: torch.dtype,
    sizes: Sequence[int] = (1, 2, 4, 12),
    lengths: Sequence[int] = _LENGTHS,
) -> list[Check]:
    """All parts of the attention `kind`, for batches of these `sizes`, with heads as in `config`.

    A batch has the last of `lengths`, one for each of its places; the largest has them all.
    """
    positions = 1 << max(lengths).bit_length()
    parts = make_parts(kind, config, positions, len(lengths), device, dtype)
    found = []
    for size in sizes:
        found += [
            _check_attention(parts, kind, config, lengths[-size:], device, dtype),
            _check_small(parts, kind, config, size, device, dtype),
            _check_ops(parts, kind, config, size, device, dtype),
            *_check_products(parts, kind, config, size, device, dtype),
            _check_draws(parts, kind, config, size, device, dtype),
        ]
    return found


def exact_attention(
    qkv: Tensor, norm: Tensor, heads: Heads, theta: float, keys: Tensor, values: Tensor, length: int
) -> Tensor:
    """Attention of one place in float64, written as differently as can be: (heads * head_dim,).

    `qkv`: (heads.width,). `keys`, `values`: (positions, kv_heads, head_dim), of which `length` are used.
    """
    x = qkv.double().view(-1, heads.head_dim)
    v_new, x = x[-heads.kv_heads :], x[: -heads.kv_heads]
    x = x / (x.square().mean(-1, keepdim=True) + heads.eps).sqrt() * norm.double()
    half = heads.head_dim // 2
    powers = torch.arange(half, device=qkv.device, dtype=torch.float64) / half
    turn = torch.polar(torch.ones_like(powers), length * theta**-powers)
    turned = torch.complex(x[:, :half], x[:, half:]) * turn
    x = torch.cat((turned.real, turned.imag), -1)
    k = torch.cat((keys[:length].double(), x[None, heads.heads :]))
    v = torch.cat((values[:length].double(), v_new[None]))
    out = []
    for head in range(heads.heads):
        shared = head // heads.group
        weights = (k[:, shared] @ x[head] / heads.head_dim**0.5).softmax(0)
        out.append(weights @ v[:, shared])
    return torch.cat(out)


def _random(*shape: int, device: torch.device, dtype: torch.dtype, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(device, dtype)


def _limit(dtype: torch.dtype) -> float:
    return 1e-4 if dtype == torch.float32 else 3e-2


def _check_attention(
    parts: Parts,
    kind: str,
    config: TalkerConfig,
    lengths: Sequence[int],
    device: torch.device,
    dtype: torch.dtype,
) -> Check:
    heads, size, positions = Heads.of(config), len(lengths), parts.rope.shape[0]
    keys = _random(size + 3, positions, heads.kv_heads, heads.head_dim, device=device, dtype=dtype)
    values = _random(*keys.shape, device=device, dtype=dtype, seed=1)
    norm = 1 + _random(heads.heads + heads.kv_heads, heads.head_dim, device=device, dtype=dtype) / 10
    qkv = _random(size, heads.width, device=device, dtype=dtype, seed=2)
    # Neither in order nor all of them.
    rows = torch.arange(size + 2, 2, -1, dtype=torch.int32, device=device)
    places = torch.tensor(lengths, dtype=torch.int32, device=device)
    wanted = torch.stack(
        [
            exact_attention(qkv[i], norm, heads, config.rope_theta, keys[row], values[row], length)
            for i, (row, length) in enumerate(zip(rows.tolist(), lengths, strict=True))
        ]
    )
    before = values.clone()
    out = parts.attention(parts.attention.begin(rows, places, positions), qkv, norm, keys, values)
    error = _difference(out, wanted)
    # Only what belongs there was written.
    before[rows.long(), places.long()] = qkv.view(size, -1, heads.head_dim)[:, -heads.kv_heads :]
    if not torch.equal(before, values):
        error = float("inf")
    return Check(f"{kind}: attention of {size}", error, _limit(dtype))


def _check_small(
    parts: Parts, kind: str, config: TalkerConfig, size: int, device: torch.device, dtype: torch.dtype
) -> Check:
    predictor = config.code_predictor_config
    heads, positions = Heads.of(predictor), config.num_code_groups
    keys = torch.zeros(size, positions, heads.kv_heads, heads.head_dim, device=device, dtype=dtype)
    values = torch.zeros_like(keys)
    norm = 1 + _random(heads.heads + heads.kv_heads, heads.head_dim, device=device, dtype=dtype) / 10
    qkv = _random(positions, size, heads.width, device=device, dtype=dtype, seed=3)
    outs = [
        *parts.small.first(qkv[:2].transpose(0, 1).flatten(0, 1), norm, keys, values)
        .view(size, 2, -1)
        .unbind(1)
    ]
    outs += [parts.small(at, qkv[at], norm, keys, values) for at in range(2, positions)]
    error = 0.0
    for at, out in enumerate(outs):
        for place in range(size):
            wanted = exact_attention(
                qkv[at, place], norm, heads, predictor.rope_theta, keys[place], values[place], at
            )
            error = max(error, _difference(out[place], wanted))
    return Check(f"{kind}: the predictor's attention of {size}", error, _limit(dtype))


def _check_ops(
    parts: Parts, kind: str, config: TalkerConfig, size: int, device: torch.device, dtype: torch.dtype
) -> Check:
    plain, width = PlainOps(), config.hidden_size
    x, more = (_random(size, width, device=device, dtype=dtype, seed=seed) for seed in (4, 5))
    weight = _random(width, device=device, dtype=dtype, seed=6)
    gate_up = _random(size, 2 * config.intermediate_size, device=device, dtype=dtype, seed=7)
    wanted = plain.add_norm(x.float(), more.float(), weight.float(), 1e-6)
    found = parts.ops.add_norm(x, more, weight, 1e-6)
    error = max(_difference(ours, theirs) for ours, theirs in zip(found, wanted, strict=True))
    error = max(error, _difference(parts.ops.gated(gate_up), plain.gated(gate_up.float())))
    return Check(f"{kind}: between matrices, of {size}", error, 2 * _limit(dtype))


def _check_products(
    parts: Parts, kind: str, config: TalkerConfig, size: int, device: torch.device, dtype: torch.dtype
) -> list[Check]:
    """Products of few tokens and what is done with them, where this kind does that at once."""
    predictor, errors = config.code_predictor_config, list[float]()
    sizes = {(each.hidden_size, each.intermediate_size) for each in (config, predictor)}
    for width, inner in sorted(sizes):
        # Tokens that lie apart, as those of the predictor's first pass do.
        x = _random(2 * size, width, device=device, dtype=dtype, seed=8)[1::2]
        if not parts.ops.fuses(x):
            continue
        added, norm = (_random(size, width, device=device, dtype=dtype, seed=seed) for seed in (9, 10))
        wide = _random(2 * inner, width, device=device, dtype=dtype, seed=11) / width**0.5
        more = _random(size, inner, device=device, dtype=dtype, seed=12)
        narrow = _random(width, inner, device=device, dtype=dtype, seed=13) / inner**0.5
        bias = _random(2 * inner, device=device, dtype=dtype, seed=14)
        numbers = (x, added, norm[0], wide, more, narrow, bias)
        wanted = _products(PlainOps(), *(each.float() for each in numbers))
        found = _products(parts.ops, *numbers)
        errors += [_difference(*pair) for pair in zip(found, wanted, strict=True)]
    return [Check(f"{kind}: products of {size}", max(errors), 2 * _limit(dtype))] if errors else []


def _products(
    ops: Ops, x: Tensor, added: Tensor, norm: Tensor, wide: Tensor, more: Tensor, narrow: Tensor, bias: Tensor
) -> tuple[Tensor, ...]:
    """Every product of a layer, and what is done besides."""
    return (
        ops.product(x, wide, bias),
        ops.normed_product(x, norm, 1e-6, wide),
        ops.gated_product(x, norm, 1e-6, wide),
        ops.added_product(added, more, narrow),
        ops.added_product(added, more, narrow, bias[: len(narrow)]),
    )


def _check_draws(
    parts: Parts, kind: str, config: TalkerConfig, size: int, device: torch.device, dtype: torch.dtype
) -> Check:
    """The share of codes drawn otherwise than on the CPU. Some are, where rounding decides."""
    random = np.random.default_rng(size)
    predictor, wrong, drawn = config.code_predictor_config, 0, 0
    plain = PlainSampler(config, torch.device("cpu"))
    for frame in range(8):
        fields = np.zeros((len(Field), size), dtype=np.int32)
        numbers = fields[Field.TEMPERATURE :].view(np.float32)
        fields[Field.ROW] = random.permutation(size)
        fields[Field.FRAME] = frame
        fields[Field.SEED_LOW], fields[Field.SEED_HIGH] = random.integers(-(2**31), 2**31, (2, size))
        for place in range(size):
            way = _WAYS[(place + frame) % len(_WAYS)]
            first, other = plain_draw(*way, config.vocab_size), plain_draw(*way, predictor.vocab_size)
            fields[Field.TOP_K, place], fields[Field.SUB_TOP_K, place] = first[1], other[1]
            numbers[:, place] = (first[0], first[2], first[3], 1.1, other[0], other[2], other[3])
        told = torch.from_numpy(fields)
        seen = torch.from_numpy(random.random((size + 1, config.vocab_size)) < 0.2)
        marked = seen.to(device, copy=True)
        drawing, there = plain.begin(told), parts.sampler.begin(told.to(device))
        logits = 3 * _random(size, config.vocab_size, device=torch.device("cpu"), dtype=dtype, seed=frame)
        logits -= 20 * (frame % 2)  # of a negative score the penalty makes less as well
        wanted = plain.first(drawing, logits, seen)
        found = parts.sampler.first(there, logits.to(device), marked)
        same = found.cpu() == wanted
        wrong += int((~same).sum())
        # Codes that agree are marked in the same place, and nothing else is.
        wrong += int((seen != marked.cpu())[fields[Field.ROW][same.numpy()]].sum())
        for group in (1, config.num_code_groups - 1):
            logits = 3 * _random(
                size, predictor.vocab_size, device=torch.device("cpu"), dtype=dtype, seed=frame
            )
            found = parts.sampler.other(there, group, logits.to(device))
            wrong += int((found.cpu() != plain.other(drawing, group, logits)).sum())
        drawn += 3 * size
    return Check(f"{kind}: codes drawn otherwise, of {drawn}", wrong / drawn, 0.02)


def _difference(ours: Tensor, wanted: Tensor) -> float:
    return float((ours.double() - wanted.double()).abs().max())
