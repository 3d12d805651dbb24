"""What a step is made of, besides matrices: each part by torch's own functions or by kernels of one's own."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from torch import Tensor

from realtime.engines.qwen3.attention import Attention, Sdpa, SmallAttention, SmallSdpa
from realtime.engines.qwen3.layers import Ops, PlainOps, rope_table
from realtime.engines.qwen3.sampling import PlainSampler, Sampler
from realtime.engines.qwen3.talker import Talker
from realtime.errors import EngineError

#: The kinds of attention.
KINDS = ("sdpa", "triton", "flash")


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


def make_parts(kind: str, talker: Talker, positions: int, places: int) -> Parts:
    """The parts for the attention `kind`, over at most so many positions, and for so many places.

    "sdpa": torch alone. "triton": own kernels for all. "flash": flash-attn for the talker's attention, and
    own kernels for the rest, if Triton is there. Raises `EngineError` for a kind that there is not.
    """
    config, device, dtype = talker.config.talker, talker.device, talker.dtype
    heads, small_heads = talker.stack.heads, talker.predictor.heads
    rope = rope_table(positions, heads.head_dim, config.rope_theta, device, dtype)
    theta = config.code_predictor_config.rope_theta
    small_rope = rope_table(talker.groups, small_heads.head_dim, theta, device, dtype)
    if kind not in KINDS:
        raise EngineError(f"there is no attention {kind!r}; it must be one of {', '.join(KINDS)}")
    if kind == "flash":
        from realtime.engines.qwen3.flash import Flash

        attention: Attention = Flash(heads, rope)
    else:
        attention = Sdpa(heads, rope)
    if kind == "sdpa" or (kind == "flash" and not has_triton()):
        small = SmallSdpa(small_heads, small_rope)
        return Parts(rope, attention, small, PlainOps(), PlainSampler(config, device))
    if not has_triton():
        raise EngineError("the attention 'triton' needs the package triton, which is not installed")
    from realtime.engines.qwen3 import kernels

    return Parts(
        rope,
        attention if kind == "flash" else kernels.KernelAttention(heads, rope),
        kernels.KernelSmallAttention(small_heads, small_rope, places),
        kernels.KernelOps(),
        kernels.KernelSampler(config, device),
    )


def has_triton() -> bool:
    """Whether own kernels can be used."""
    return importlib.util.find_spec("triton") is not None


def has_flash() -> bool:
    """Whether flash-attn is installed; whether the card can run it is another matter."""
    return importlib.util.find_spec("flash_attn") is not None
