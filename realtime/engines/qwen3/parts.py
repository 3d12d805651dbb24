"""What a step is made of: each part by torch's own functions or by kernels of one's own."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from realtime.engines.qwen3.attention import Attention, Sdpa, SmallAttention, SmallSdpa
from realtime.engines.qwen3.configuration import TalkerConfig
from realtime.engines.qwen3.layers import Heads, Ops, PlainOps, rope_table, turned
from realtime.engines.qwen3.sampling import PlainSampler, Sampler
from realtime.errors import EngineError

#: The kinds of attention.
KINDS = ("sdpa", "triton", "flash")


@dataclass(frozen=True, slots=True)
class Parts:
    """`attention` of the talker, `small` of the predictor, matrices and what is between, how codes are drawn.

    `rope`: (positions, 2, head_dim), of the talker.
    """

    rope: Tensor
    attention: Attention
    small: SmallAttention
    ops: Ops
    sampler: Sampler


def make_parts(
    kind: str,
    config: TalkerConfig,
    positions: int,
    places: int,
    device: torch.device,
    dtype: torch.dtype,
    compiler: str = "",
) -> Parts:
    """The parts for the attention `kind`, over at most so many positions, and for so many places.

    "sdpa": torch alone. "triton": own kernels for all. "flash": flash-attn for the talker's attention, and
    own kernels for the rest, if Triton is there. `compiler`: the backend of torch.compile for what torch
    does; it is given functions of a few operations each, because a whole frame takes it many minutes.
    Raises `EngineError` for a kind that there is not.
    """
    if kind not in KINDS:
        raise EngineError(f"there is no attention {kind!r}; it must be one of {', '.join(KINDS)}")
    if kind == "triton" and not has_triton():
        raise EngineError("the attention 'triton' needs the package triton, which is not installed")
    heads, small_heads = Heads.of(config), Heads.of(config.code_predictor_config)
    rope = rope_table(positions, heads.head_dim, config.rope_theta, device, dtype)
    theta = config.code_predictor_config.rope_theta
    small_rope = rope_table(config.num_code_groups, small_heads.head_dim, theta, device, dtype)

    wrap = _compiled(compiler) if compiler else _unchanged
    turn = wrap(turned)
    if kind == "flash":
        from realtime.engines.qwen3.flash import Flash

        attention: Attention = Flash(heads, rope, turn)
    else:
        attention = Sdpa(heads, rope, turn)
    if kind == "sdpa" or not has_triton():
        small = SmallSdpa(small_heads, small_rope, turn)
        sampler = PlainSampler(config, device, wrap)
        return Parts(rope, attention, small, PlainOps(wrap), sampler)
    from realtime.engines.qwen3 import kernels

    return Parts(
        rope,
        attention if kind == "flash" else kernels.KernelAttention(heads, rope),
        kernels.KernelSmallAttention(small_heads, small_rope, places),
        kernels.KernelOps(device),
        kernels.KernelSampler(config, device),
    )


def _unchanged(function: Any) -> Any:
    return function


def _compiled(backend: str) -> Callable[[Any], Any]:
    # Each function is compiled for a handful of shapes (one place or more, heads of talker or predictor) and
    # again for every decoder of the process; torch's own limit of eight counts them all together.
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, 256)

    def wrap(function: Any) -> Any:
        return torch.compile(function, fullgraph=True, dynamic=True, backend=backend)

    return wrap


def has_triton() -> bool:
    """Whether own kernels can be used."""
    return not why_no_triton()


def why_no_triton() -> str:
    """Why own kernels cannot be used; empty if they can.

    On a GPU Triton needs more than itself: it builds what launches its kernels, with a C compiler.
    """
    try:
        triton = importlib.import_module("triton")
        if torch.cuda.is_available():
            triton.runtime.driver.active.get_current_target()
    except Exception as error:  # no compiler, no headers of Python, no driver: each fails in a way of its own
        return str(error).partition("\n")[0] or type(error).__name__
    return ""


def has_flash() -> bool:
    """Whether flash-attn is installed; whether the card can run it is another matter."""
    return importlib.util.find_spec("flash_attn") is not None
