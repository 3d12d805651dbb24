"""Attention of the talker over its rows of KV, and of the predictor over its few positions.

Keys and values of one layer: (rows, positions, kv_heads, head_dim) each. A place works on the row
`rows[place]`, at the position `lengths[place]`; what it adds there it attends to as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from realtime.engines.qwen3.layers import Heads, turned


@dataclass(frozen=True, slots=True)
class Places:
    """Where the places of a step work: `rows` and `lengths` (B,), all lengths below `bucket`.

    `rope`: (B, 2, head_dim), cosines and sines at the lengths, and `mask`: for the ways of attention that
    take them.
    """

    rows: Tensor
    lengths: Tensor
    bucket: int
    rope: Tensor | None = None
    mask: Tensor | None = None


#: `layers.turned`, or the same compiled.
Turn = Callable[[Tensor, Tensor, Tensor, Heads], tuple[Tensor, Tensor, Tensor]]


class Attention(Protocol):
    """One way of attention: `begin` once a step, then a call for every layer."""

    #: Whether what it costs depends on the bucket: then there is one for every doubling of the length.
    by_bucket: bool

    def begin(self, rows: Tensor, lengths: Tensor, bucket: int) -> Places:
        """What the calls of a step share; `rows` and `lengths` are int32."""

    def __call__(self, places: Places, qkv: Tensor, norm: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """(B, heads * head_dim) of `qkv` (B, heads.width); writes to `keys` and `values`."""


class SmallAttention(Protocol):
    """The predictor's: places have their KV to themselves, and all stand at the same position.

    `keys` and `values`: (B, positions, kv_heads, head_dim).
    """

    def __call__(self, at: int, qkv: Tensor, norm: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """(B, heads * head_dim) of `qkv` (B, heads.width) at position `at`."""

    def first(self, qkv: Tensor, norm: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """The same of positions 0 and 1 at once: `qkv` (2 B, heads.width), place by place."""


class Sdpa:
    """With torch's own: the rows are gathered, up to the bucket, and what lies beyond a length is masked.

    `rope`: (positions, 2, head_dim).
    """

    by_bucket = True

    def __init__(self, heads: Heads, rope: Tensor, turn: Turn = turned) -> None:
        self._heads, self._rope, self._turn = heads, rope, turn
        self._at = torch.arange(rope.shape[0], device=rope.device)

    def begin(self, rows: Tensor, lengths: Tensor, bucket: int) -> Places:
        rows, lengths = rows.long(), lengths.long()
        mask = (self._at[:bucket] <= lengths[:, None])[:, None, None, :]
        return Places(rows, lengths, bucket, self._rope[lengths], mask)

    def __call__(self, places: Places, qkv: Tensor, norm: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        assert places.rope is not None
        q, k, v = self._turn(qkv, norm, places.rope, self._heads)
        rows, bucket = places.rows, places.bucket
        keys[rows, places.lengths] = k
        values[rows, places.lengths] = v
        return grouped(q, keys[:, :bucket][rows], values[:, :bucket][rows], places.mask)


class SmallSdpa:
    """`SmallAttention` with torch's own."""

    def __init__(self, heads: Heads, rope: Tensor, turn: Turn = turned) -> None:
        self._heads, self._rope, self._turn = heads, rope, turn

    def __call__(self, at: int, qkv: Tensor, norm: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        q, k, v = self._turn(qkv, norm, self._rope[at : at + 1], self._heads)
        keys[:, at], values[:, at] = k, v
        return grouped(q, keys[:, : at + 1], values[:, : at + 1], None)

    def first(self, qkv: Tensor, norm: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        places = keys.shape[0]
        parts = self._turn(qkv, norm, self._rope[:2].repeat(places, 1, 1), self._heads)
        q, k, v = (x.reshape(places, 2, -1, self._heads.head_dim) for x in parts)
        keys[:, :2], values[:, :2] = k, v
        out = F.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True, enable_gqa=True
        )
        return out.transpose(1, 2).reshape(2 * places, -1)


def grouped(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention of one position each: `q` (B, heads, head_dim), `k` and `v` (B, n, kv_heads, head_dim).

    Queries that share keys stand where torch expects positions: so nothing is repeated.
    `mask`: (B, 1, 1, n), true where to look, or None.
    """
    queries = q.reshape(q.shape[0], k.shape[2], -1, q.shape[2])
    out = F.scaled_dot_product_attention(queries, k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask)
    return out.reshape(q.shape[0], -1)


def prefilled(q: Tensor, k: Tensor, v: Tensor, positions: Tensor) -> Tensor:
    """Attention of many positions of one row: `q` (N, heads, head_dim), `k` and `v` (n, kv_heads, head_dim).

    Query i stands at `positions[i]` and sees the keys up to there.
    """
    count, heads, size = q.shape
    kv_heads = k.shape[1]
    mask = torch.arange(k.shape[0], device=q.device) <= positions[:, None]
    queries = q.view(count, kv_heads, -1, size).permute(1, 2, 0, 3).reshape(1, kv_heads, -1, size)
    out = F.scaled_dot_product_attention(
        queries, k.transpose(0, 1)[None], v.transpose(0, 1)[None], attn_mask=mask.repeat(heads // kv_heads, 1)
    )
    return out.view(kv_heads, -1, count, size).permute(2, 0, 1, 3).reshape(count, -1)
