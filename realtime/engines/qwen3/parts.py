"""What a step is made of, besides matrices: each part by torch's own functions or by kernels of one's own."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from realtime.engines.qwen3.attention import Attention, Sdpa, SmallAttention, SmallSdpa
from realtime.engines.qwen3.layers import Ops, PlainOps, rope_table
from realtime.engines.qwen3.sampling import PlainSampler, Sampler
from realtime.engines.qwen3.talker import Talker
from realtime.errors import EngineError


@dataclass(frozen=True, slots=True)
class Parts:
    """`attention` of the talker, `small` of the predictor, what lies between matrices, how codes are drawn.

    `rope`: (positions, 2, head_dim), of the talker.
    """

    rope: Tensor
    attention: Attention
    small: SmallAttention
    ops: Ops
    sampler: Sampler


def make_parts(kind: str, talker: Talker, positions: int) -> Parts:
    """The parts for the attention `kind`, over at most so many positions.

    Raises `EngineError` for a kind that there is not.
    """
    config, device, dtype = talker.config.talker, talker.device, talker.dtype
    heads, small_heads = talker.stack.heads, talker.predictor.heads
    rope = rope_table(positions, heads.head_dim, config.rope_theta, device, dtype)
    theta = config.code_predictor_config.rope_theta
    small_rope = rope_table(talker.groups, small_heads.head_dim, theta, device, dtype)
    if kind == "sdpa":
        small = SmallSdpa(small_heads, small_rope)
        return Parts(rope, Sdpa(heads, rope), small, PlainOps(), PlainSampler(config, device))
    raise EngineError(f"there is no attention {kind!r}")
