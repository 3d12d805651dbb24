"""Attention by flash-attn 2 (https://github.com/Dao-AILab/flash-attention): for its cards, in 16 bits."""

from __future__ import annotations

from torch import Tensor

from realtime.engines.qwen3.attention import Places, Turn
from realtime.engines.qwen3.layers import Heads, turned
from realtime.errors import EngineError


class Flash:
    """`Attention` by `flash_attn_with_kvcache`, which appends to the rows it is pointed at, and reads no more
    of them than there is. `rope`: (positions, 2, head_dim).
    """

    by_bucket = False

    def __init__(self, heads: Heads, rope: Tensor, turn: Turn = turned) -> None:
        try:
            from flash_attn import flash_attn_with_kvcache
        except ImportError as error:
            raise EngineError(f"the attention 'flash' needs the package flash-attn: {error}") from None
        self._function = flash_attn_with_kvcache
        self._heads, self._rope, self._turn = heads, rope, turn

    def begin(self, rows: Tensor, lengths: Tensor, bucket: int) -> Places:
        return Places(rows, lengths, bucket, self._rope[lengths])

    def __call__(self, places: Places, qkv: Tensor, norm: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        assert places.rope is not None
        q, k, v = self._turn(qkv, norm, places.rope, self._heads)
        out: Tensor = self._function(
            q[:, None],
            keys,
            values,
            k=k[:, None],
            v=v[:, None],
            cache_seqlens=places.lengths,
            cache_batch_idx=places.rows,
            causal=True,
        )
        return out.view(qkv.shape[0], -1)
