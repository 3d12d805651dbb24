"""The transformer layers of both the talker and the predictor, and how their weights are read.

As `Qwen3TTSTalkerDecoderLayer` and `Qwen3TTSDecoderLayer` of qwen-tts 0.1.1 (they differ in nothing but how
they write their rotary embedding, whose three rows are equal here). Weights that read the same input lie in
one matrix: q, k and v, and gate and up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from realtime.engines.qwen3.configuration import PredictorConfig, TalkerConfig
from realtime.engines.qwen3.weights import Weights

#: Of a layer's index and its q, k and v side by side, (tokens, (heads + 2 kv_heads) head_dim): what its
#: attention gives, (tokens, heads * head_dim). Writes k and v to where later tokens find them.
Attend = Callable[[int, Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Heads:
    """How attention is divided: `heads` of queries share `kv_heads` of keys; `eps` of their norm."""

    heads: int
    kv_heads: int
    head_dim: int
    eps: float

    @classmethod
    def of(cls, config: TalkerConfig | PredictorConfig) -> Heads:
        """Those of a configuration."""
        size = config.size_of_head if isinstance(config, TalkerConfig) else config.head_dim
        return cls(config.num_attention_heads, config.num_key_value_heads, size, config.rms_norm_eps)

    @property
    def group(self) -> int:
        """Heads of queries to one of keys."""
        return self.heads // self.kv_heads

    @property
    def width(self) -> int:
        """Numbers in q, k and v of one token."""
        return (self.heads + 2 * self.kv_heads) * self.head_dim


class Layer(nn.Module):
    """Weights of one layer. `qk_norm` has a row for every head of q, then of k."""

    norm: Tensor
    qkv: Tensor
    qkv_bias: Tensor | None
    qk_norm: Tensor
    out: Tensor
    out_bias: Tensor | None
    mlp_norm: Tensor
    gate_up: Tensor
    down: Tensor

    def __init__(self, weights: Weights, prefix: str, config: TalkerConfig | PredictorConfig) -> None:
        super().__init__()
        heads, hidden, inner = Heads.of(config), config.hidden_size, config.intermediate_size
        queries, keys = heads.heads * heads.head_dim, heads.kv_heads * heads.head_dim
        at, bias = prefix + "self_attn.", config.attention_bias
        rows = {"q": queries, "k": keys, "v": keys}

        def keep(name: str, tensor: Tensor | None) -> None:
            self.register_buffer(name, tensor, persistent=False)

        keep("norm", weights.keep(prefix + "input_layernorm.weight", hidden))
        keep("qkv", torch.cat([weights.keep(f"{at}{x}_proj.weight", n, hidden) for x, n in rows.items()]))
        biases = [weights.keep(f"{at}{x}_proj.bias", n) for x, n in rows.items()] if bias else None
        keep("qkv_bias", None if biases is None else torch.cat(biases))
        norms = [weights.keep(f"{at}{x}_norm.weight", heads.head_dim) for x in ("q", "k")]
        counts = (heads.heads, heads.kv_heads)
        keep("qk_norm", torch.cat([norm.expand(n, -1) for norm, n in zip(norms, counts, strict=True)]))
        keep("out", weights.keep(f"{at}o_proj.weight", hidden, queries))
        keep("out_bias", weights.keep_if(bias, f"{at}o_proj.bias", hidden))
        keep("mlp_norm", weights.keep(prefix + "post_attention_layernorm.weight", hidden))
        halves = [weights.keep(f"{prefix}mlp.{x}_proj.weight", inner, hidden) for x in ("gate", "up")]
        keep("gate_up", torch.cat(halves))
        keep("down", weights.keep(prefix + "mlp.down_proj.weight", hidden, inner))


class Stack(nn.Module):
    """Layers one upon another, with the norm behind the last."""

    last_norm: Tensor

    def __init__(self, weights: Weights, prefix: str, config: TalkerConfig | PredictorConfig) -> None:
        super().__init__()
        self.heads = Heads.of(config)
        self.eps = config.rms_norm_eps
        self.layers = nn.ModuleList(
            Layer(weights, f"{prefix}layers.{index}.", config) for index in range(config.num_hidden_layers)
        )
        last = weights.keep(prefix + "norm.weight", config.hidden_size)
        self.register_buffer("last_norm", last, persistent=False)

    def layer(self, index: int) -> Layer:
        """The layer `index`, from 0 on."""
        layer = self.layers[index]
        assert isinstance(layer, Layer)
        return layer

    def forward(self, x: Tensor, attend: Attend, ops: Ops) -> Tensor:
        """What the layers make of tokens, (tokens, hidden); the same shape."""
        layers = [self.layer(index) for index in range(len(self.layers))]
        if ops.fuses(x):
            return self._fused(layers, x, attend, ops)
        norms = [layer.norm for layer in layers[1:]] + [self.last_norm]
        normed = rms_norm(x, layers[0].norm, self.eps)
        for index, (layer, norm) in enumerate(zip(layers, norms, strict=True)):
            qkv = F.linear(normed, layer.qkv, layer.qkv_bias)
            out = F.linear(attend(index, qkv), layer.out, layer.out_bias)
            x, normed = ops.add_norm(x, out, layer.mlp_norm, self.eps)
            out = F.linear(ops.gated(F.linear(normed, layer.gate_up)), layer.down)
            x, normed = ops.add_norm(x, out, norm, self.eps)
        return normed

    def _fused(self, layers: Sequence[Layer], x: Tensor, attend: Attend, ops: Ops) -> Tensor:
        """`forward` with what lies about a matrix done with it: four launches a layer, and its attention."""
        for index, layer in enumerate(layers):
            qkv = ops.normed_product(x, layer.norm, self.eps, layer.qkv, layer.qkv_bias)
            x = ops.added_product(x, attend(index, qkv), layer.out, layer.out_bias)
            inner = ops.gated_product(x, layer.mlp_norm, self.eps, layer.gate_up)
            if layer is layers[-1]:
                break
            x = ops.added_product(x, inner, layer.down)
        return ops.add_norm(x, ops.product(inner, layer.down), self.last_norm, self.eps)[1]


class Ops(Protocol):
    """The matrices of a layer and what lies between them."""

    def add_norm(self, x: Tensor, more: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
        """`x + more`, and its norm."""

    def gated(self, gate_up: Tensor) -> Tensor:
        """SiLU of the first half, times the second: half as wide."""

    def product(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """As `torch.nn.functional.linear`."""

    def fuses(self, x: Tensor) -> bool:
        """Whether the following are the faster way for these tokens."""

    def normed_product(
        self, x: Tensor, norm: Tensor, eps: float, weight: Tensor, bias: Tensor | None = None
    ) -> Tensor:
        """`product` of the norm of `x`."""

    def gated_product(self, x: Tensor, norm: Tensor, eps: float, weight: Tensor) -> Tensor:
        """`gated` of `normed_product`."""

    def added_product(self, x: Tensor, more: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """`x` and the `product` of `more`."""


class PlainOps:
    """`Ops` by torch's own functions, or by what `wrap` makes of them."""

    def __init__(self, wrap: Callable[[Any], Any] = lambda x: x) -> None:
        self.add_norm: Callable[[Tensor, Tensor, Tensor, float], tuple[Tensor, Tensor]] = wrap(add_norm)
        self.gated: Callable[[Tensor], Tensor] = wrap(gated)

    def product(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return F.linear(x, weight, bias)

    def fuses(self, x: Tensor) -> bool:
        return False

    def normed_product(
        self, x: Tensor, norm: Tensor, eps: float, weight: Tensor, bias: Tensor | None = None
    ) -> Tensor:
        return F.linear(rms_norm(x, norm, eps), weight, bias)

    def gated_product(self, x: Tensor, norm: Tensor, eps: float, weight: Tensor) -> Tensor:
        return self.gated(self.normed_product(x, norm, eps, weight))

    def added_product(self, x: Tensor, more: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        return x + F.linear(more, weight, bias)


def add_norm(x: Tensor, more: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """As `Ops.add_norm`."""
    x = x + more
    return x, rms_norm(x, weight, eps)


def gated(gate_up: Tensor) -> Tensor:
    """As `Ops.gated`."""
    gate, up = gate_up.chunk(2, -1)
    return F.silu(gate) * up


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Over the last dimension. In float32 it is equal to the reference, bit for bit."""
    return F.rms_norm(x, (x.shape[-1],), weight, eps)


def rope_table(
    positions: int, head_dim: int, theta: float, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """(positions, 2, head_dim): cosines and sines of the rotary embedding, https://arxiv.org/abs/2104.09864.

    The first half of the sines is negated, so that a vector is turned by
    `x * cos + swapped(x) * sin`, where `swapped` puts its second half first.
    """
    exponents = torch.arange(0, head_dim, 2, dtype=torch.int64).float() / head_dim
    angles = torch.arange(positions).float()[:, None] * (1.0 / theta**exponents)
    cos, sin = angles.cos(), angles.sin()
    table = torch.stack((torch.cat((cos, cos), -1), torch.cat((-sin, sin), -1)), 1)
    return table.to(device, dtype)


def turned(qkv: Tensor, norm: Tensor, rope: Tensor, heads: Heads) -> tuple[Tensor, Tensor, Tensor]:
    """q, k and v of tokens, each (tokens, its heads, head_dim), with q and k normed and turned.

    `qkv`: (tokens, heads.width). `norm`: (heads + kv_heads, head_dim). `rope`: (tokens or 1, 2, head_dim).
    """
    parts = qkv.view(qkv.shape[0], -1, heads.head_dim)
    qk, v = parts[:, : -heads.kv_heads], parts[:, -heads.kv_heads :]
    qk = F.rms_norm(qk, (heads.head_dim,), None, heads.eps) * norm
    first, second = qk.chunk(2, -1)
    cos, sin = rope.unsqueeze(2).unbind(1)
    qk = qk * cos + torch.cat((second, first), -1) * sin
    return qk[:, : heads.heads], qk[:, heads.heads :], v
