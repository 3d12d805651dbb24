"""Parts of a step by own kernels: fewer launches, nothing sorted, and attention that reads what there is.

Importing this module needs Triton, which comes with torch's builds for CUDA.
"""

from __future__ import annotations

import torch
import triton
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from realtime.engines.qwen3 import triton_kernels as kernels
from realtime.engines.qwen3.attention import Places
from realtime.engines.qwen3.configuration import TalkerConfig
from realtime.engines.qwen3.fields import Field
from realtime.engines.qwen3.layers import Heads
from realtime.engines.qwen3.sampling import (
    FRAME_STEP,
    FRAMES_BEFORE_END,
    GROUP_STEP,
    ID_STEP,
    Drawing,
    bars,
)

#: Programs that fill a card of 132 multiprocessors twice; of more splits than so many nothing comes.
_PROGRAMS, _MOST_SPLITS = 264, 16
#: Up to so many numbers of all tokens, on the narrower side of a matrix, one's own products are faster than
#: cuBLAS's, whose tiles are made for more: on an H200 of four tokens of 1024, and two of 2048.
_MOST_FUSED = 4096
#: Numbers that a program of a product reads at once, of 128 threads.
_READ_AT_ONCE = 128 * 64
#: Where programs run one after another.
_INTERPRETED_ROWS = 128
#: What a matrix multiplication has at least.
_LEAST_QUERIES = 16


class KernelOps:
    """`Ops` by own kernels."""

    def __init__(self, device: torch.device) -> None:
        self._early = starts_early(device)
        self._interpreted = device.type != "cuda"

    def add_norm(self, x: Tensor, more: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
        tokens, width = x.shape
        added, normed = torch.empty_like(x), torch.empty_like(x)
        kernels.add_norm[(tokens,)](
            x,
            more,
            weight,
            added,
            normed,
            eps,
            WIDTH=width,
            BLOCK=triton.next_power_of_2(width),
            EARLY=self._early,
            launch_pdl=self._early,
        )
        return added, normed

    def gated(self, gate_up: Tensor) -> Tensor:
        tokens, width = gate_up.shape[0], gate_up.shape[1] // 2
        out = gate_up.new_empty(tokens, width)
        block = min(1024, triton.next_power_of_2(width))
        grid = (tokens, triton.cdiv(width, block))
        kernels.gated[grid](gate_up, out, WIDTH=width, BLOCK=block, EARLY=self._early, launch_pdl=self._early)
        return out

    def fuses(self, x: Tensor) -> bool:
        return x.numel() <= _MOST_FUSED

    def product(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if len(x) * min(weight.shape) > _MOST_FUSED:
            return F.linear(x, weight, bias)
        return self._product(x, weight, bias=bias)

    def normed_product(
        self, x: Tensor, norm: Tensor, eps: float, weight: Tensor, bias: Tensor | None = None
    ) -> Tensor:
        return self._product(x, weight, norm=norm, eps=eps, bias=bias)

    def gated_product(self, x: Tensor, norm: Tensor, eps: float, weight: Tensor) -> Tensor:
        return self._product(x, weight, norm=norm, eps=eps, gated=True)

    def added_product(self, x: Tensor, more: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return self._product(more, weight, bias=bias, added=x)

    def _product(
        self,
        x: Tensor,
        weight: Tensor,
        *,
        norm: Tensor | None = None,
        eps: float = 0.0,
        bias: Tensor | None = None,
        added: Tensor | None = None,
        gated: bool = False,
    ) -> Tensor:
        tokens, inputs = x.shape
        outputs = len(weight) // 2 if gated else len(weight)
        out = x.new_empty(tokens, outputs)
        first, second = two_parts(inputs)
        rows = _INTERPRETED_ROWS if self._interpreted else product_rows(inputs, outputs, gated)
        kernels.product[(triton.cdiv(outputs, rows),)](
            x,
            x.stride(0),
            weight,
            # What there is not is not touched.
            x if norm is None else norm,
            x if bias is None else bias,
            x if added is None else added,
            out,
            eps,
            TOKENS=tokens,
            INPUTS=inputs,
            OUTPUTS=outputs,
            ROWS=rows,
            FIRST=first,
            SECOND=second,
            NORMED=norm is not None,
            BIASED=bias is not None,
            ADDED=added is not None,
            GATED=gated,
            EARLY=self._early,
            launch_pdl=self._early,
        )
        return out


def two_parts(inputs: int) -> tuple[int, int]:
    """Powers of two that cover so many inputs; the second is 0 where the first does."""
    first = 1 << (inputs.bit_length() - 1)
    return first, triton.next_power_of_2(inputs - first) if inputs > first else 0


def product_rows(inputs: int, outputs: int, gated: bool) -> int:
    """Rows of a matrix that one program of `triton_kernels.product` takes: a power of two.

    So many that a thread reads some 128 bytes at once, and so few that all processors of a card have some.
    """
    wanted = min(_READ_AT_ONCE // (inputs * (2 if gated else 1)), outputs // _PROGRAMS)
    return min(16, 1 << max(0, wanted.bit_length() - 1))


def starts_early(device: torch.device) -> bool:
    """Whether kernels may be launched before those ahead of them are over: from Hopper on."""
    is_nvidia = device.type == "cuda" and torch.version.hip is None
    return is_nvidia and torch.cuda.get_device_capability(device) >= (9, 0)


class KernelAttention:
    """`Attention` by own kernels. `rope`: (positions, 2, head_dim); the last a power of two, 16 or more."""

    by_bucket = False

    def __init__(self, heads: Heads, rope: Tensor, block: int = 64) -> None:
        # What a block needs of a multiprocessor's own memory: float32 must make do with shorter ones.
        self._heads, self._rope, self._block = heads, rope, min(block, 256 // rope.element_size() // 2)
        self._early = starts_early(rope.device)

    def begin(self, rows: Tensor, lengths: Tensor, bucket: int) -> Places:
        return Places(rows, lengths, bucket)

    def __call__(self, places: Places, qkv: Tensor, norm: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        out = qkv.new_empty(qkv.shape[0], self._heads.heads * self._heads.head_dim)
        self.attend(places.rows, places.lengths, qkv, norm, keys, values, out, splits(len(qkv), self._heads))
        return out

    def attend(
        self,
        rows: Tensor,
        lengths: Tensor,
        qkv: Tensor,
        norm: Tensor,
        keys: Tensor,
        values: Tensor,
        out: Tensor,
        splits: int,
    ) -> None:
        """As `__call__`, to `out`; `qkv` and `out` may have any distance from token to token."""
        heads, places = self._heads, qkv.shape[0]
        # With one split they are not touched.
        partial = weights = self._rope
        if splits > 1:
            shape = (places, heads.heads, splits)
            weights = qkv.new_empty(shape, dtype=torch.float32)
            partial = qkv.new_empty((*shape, heads.head_dim), dtype=torch.float32)
        kernels.attend[(places, heads.kv_heads, splits)](
            qkv,
            qkv.stride(0),
            norm,
            self._rope,
            keys,
            values,
            keys.stride(0),
            rows,
            lengths,
            out,
            out.stride(0),
            partial,
            weights,
            heads.eps,
            HEADS=heads.heads,
            KV_HEADS=heads.kv_heads,
            SIZE=heads.head_dim,
            QUERIES=max(_LEAST_QUERIES, triton.next_power_of_2(heads.group)),
            BLOCK=self._block,
            SPLITS=splits,
            EARLY=self._early,
            launch_pdl=self._early,
        )
        if splits > 1:
            grid = (places * heads.heads,)
            kernels.combine[grid](
                partial,
                weights,
                out,
                SIZE=heads.head_dim,
                SPLITS=splits,
                EARLY=self._early,
                launch_pdl=self._early,
            )


def splits(places: int, heads: Heads) -> int:
    """Into how many parts positions are split: so many that the card is full, and a power of two."""
    wanted = _PROGRAMS // (places * heads.kv_heads)
    return min(_MOST_SPLITS, 1 << max(0, wanted.bit_length() - 1))


class KernelSmallAttention:
    """`SmallAttention` by the same kernel, for at most so many `places`."""

    def __init__(self, heads: Heads, rope: Tensor, places: int) -> None:
        self._attention = KernelAttention(heads, rope, block=16)
        self._heads = heads
        self._rows = torch.arange(places, dtype=torch.int32, device=rope.device)
        positions = torch.arange(rope.shape[0], dtype=torch.int32, device=rope.device)
        self._lengths = positions[:, None].repeat(1, places)

    def __call__(self, at: int, qkv: Tensor, norm: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        out = qkv.new_empty(qkv.shape[0], self._heads.heads * self._heads.head_dim)
        self._attend(at, qkv, norm, keys, values, out)
        return out

    def first(self, qkv: Tensor, norm: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        out = qkv.new_empty(qkv.shape[0], self._heads.heads * self._heads.head_dim)
        for at in range(2):
            self._attend(at, qkv[at::2], norm, keys, values, out[at::2])
        return out

    def _attend(self, at: int, qkv: Tensor, norm: Tensor, keys: Tensor, values: Tensor, out: Tensor) -> None:
        self._attention.attend(self._rows, self._lengths[at], qkv, norm, keys, values, out, 1)


class KernelSampler:
    """`Sampler` by an own kernel: one launch a code."""

    def __init__(self, config: TalkerConfig, device: torch.device) -> None:
        self._bars = bars(config).to(device)
        self._early = starts_early(device)

    def begin(self, inputs: Tensor) -> Drawing:
        return Drawing(inputs)

    def first(self, drawing: Drawing, logits: Tensor, seen: Tensor) -> Tensor:
        return self._drawn(drawing, 0, logits, seen.view(torch.uint8), Field.TOP_K, Field.TEMPERATURE)

    def other(self, drawing: Drawing, group: int, logits: Tensor) -> Tensor:
        # What only the first needs is not touched.
        unused = self._bars
        return self._drawn(drawing, group, logits, unused, Field.SUB_TOP_K, Field.SUB_TEMPERATURE)

    def _drawn(
        self, drawing: Drawing, group: int, logits: Tensor, seen: Tensor, top_k: Field, temperature: Field
    ) -> Tensor:
        places, vocabulary = logits.shape
        codes = torch.empty(places, dtype=torch.int64, device=logits.device)
        kernels.draw[(places,)](
            logits,
            drawing.inputs,
            self._bars,
            seen,
            codes,
            places,
            group,
            VOCABULARY=vocabulary,
            BLOCK=triton.next_power_of_2(vocabulary),
            FIRST=group == 0,
            ROW=int(Field.ROW),
            FRAME=int(Field.FRAME),
            SEED=int(Field.SEED_LOW),
            TOP_K=int(top_k),
            TEMPERATURE=int(temperature),
            PENALTY=int(Field.PENALTY),
            FRAMES_BEFORE_END=FRAMES_BEFORE_END,
            FRAME_STEP=FRAME_STEP,
            GROUP_STEP=GROUP_STEP,
            ID_STEP=ID_STEP,
            EARLY=self._early,
            launch_pdl=self._early,
            num_warps=8,
        )
        return codes
