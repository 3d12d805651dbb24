"""The layers of the codec's decoder, each for a piece of a stream that goes on.

Sound and features are (batch, time, channels) throughout: a transposed convolution ends with a view then, the
last steps of a layer are one run of memory, and tensor cores take convolutions in this layout as they are.
Formulas are those of `modeling_qwen3_tts_tokenizer_v2.py` in qwen-tts 0.1.1; whatever is linear and follows
something linear is merged with it when the weights are read.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (the name that all of torch's users know)
from torch import Tensor

from realtime.engines.qwen3.codec_sound import Filter, SoundOps, Wave
from realtime.engines.qwen3.configuration import CodecDecoderConfig
from realtime.engines.qwen3.weights import Weights


@dataclass(frozen=True, slots=True)
class Tail:
    """The last `steps` inputs of a convolution, (steps, channels), from `offset` in what is kept of a row."""

    offset: int
    steps: int
    channels: int


class TailPlan:
    """Where the tails of all convolutions lie in one run of numbers per row, in the order of their use."""

    def __init__(self) -> None:
        self.size = 0

    def add(self, steps: int, channels: int) -> Tail:
        """Room for one more."""
        tail = Tail(self.size, steps, channels)
        self.size += steps * channels
        return tail


class Tails:
    """The tails of the rows of one call: what was kept, (batch, `TailPlan.size`), and what is to be."""

    def __init__(self, kept: Tensor) -> None:
        self._kept = kept
        self._new: list[Tensor] = []

    def before(self, x: Tensor, tail: Tail, snake: Snake | None = None) -> Tensor:
        """`x` (batch, time, channels) after `snake`, with the inputs before it; the last are kept for later.

        To be called once for each tail, in the order of the plan.
        """
        end = tail.offset + tail.steps * tail.channels
        kept = self._kept[:, tail.offset : end].view(-1, tail.steps, tail.channels)
        whole = torch.cat((kept, x), dim=1) if snake is None else snake(x, kept)
        self._new.append(whole[:, -tail.steps :].flatten(1))  # a view, as channels come last
        return whole

    def new(self) -> Tensor:
        """What is to be kept, (batch, `TailPlan.size`); what had no use in this call stays."""
        return torch.cat((*self._new, self._kept[:, sum(each.shape[1] for each in self._new) :]), dim=1)


class Snake:
    """x + sin(a x)^2 / b for each channel (`SnakeBeta`), where the weights are the logarithms of a and b."""

    def __init__(self, weights: Weights, channels: int, ops: SoundOps) -> None:
        rate = weights.place(weights.take("alpha", channels).exp())
        size = weights.place(1 / (weights.take("beta", channels).exp() + 1e-9))
        self.wave = Wave(rate, size)
        self._ops = ops

    def __call__(self, x: Tensor, kept: Tensor | None = None) -> Tensor:
        """Of (batch, time, channels), after what is `kept` of the past."""
        return self._ops.waves(x, kept, self.wave)


class CausalConv:
    """A convolution over time that sees its input and what was before it: at first, zeros."""

    def __init__(
        self,
        weights: Weights,
        weight: Tensor,
        bias: Tensor,
        plan: TailPlan,
        ops: SoundOps,
        dilation: int = 1,
    ) -> None:
        """`weight` (outputs, inputs, taps) and `bias` (outputs,), as `torch.nn.Conv1d` has them."""
        _, inputs, taps = weight.shape
        matrix = weights.place(weight.transpose(1, 2).flatten(1))
        self._filter = Filter(matrix, weights.place(bias), taps, dilation)
        self._tail = plan.add((taps - 1) * dilation, inputs)
        self._ops = ops

    def __call__(
        self, x: Tensor, tails: Tails, snake: Snake | None = None, then: Snake | None = None
    ) -> Tensor:
        """(batch, time, inputs), which pass a `snake` before, to (batch, time, outputs), which do `then`."""
        whole = tails.before(x, self._tail, snake)
        return self._ops.convolved(whole, self._filter, None if then is None else then.wave)


def causal_conv(
    weights: Weights, shape: tuple[int, int, int], plan: TailPlan, ops: SoundOps, dilation: int = 1
) -> CausalConv:
    """A `Qwen3TTSTokenizerV2CausalConvNet`; `shape` is (outputs, inputs, taps)."""
    conv = weights.at("conv")
    weight, bias = conv.take("weight", *shape), conv.take("bias", shape[0])
    return CausalConv(conv, weight, bias, plan, ops, dilation)


class Upsampling:
    """A transposed convolution, cut on the right (`Qwen3TTSTokenizerV2CausalTransConvNet`).

    Its kernel is as long as its stride (`factor`), or twice that: then each input reaches over the next one's
    outputs, and `factor` outputs are a convolution of the input before and this one.
    """

    def __init__(
        self, weights: Weights, shape: tuple[int, int, int], plan: TailPlan, ops: SoundOps, factor: int
    ) -> None:
        """`shape` is (inputs, outputs, taps of the kernel)."""
        inputs, outputs, length = shape
        conv = weights.at("conv")
        weight = conv.take("weight", inputs, outputs, length).reshape(inputs, outputs, -1, factor)
        # (factor, outputs, inputs, taps), and of the taps the earlier input comes first.
        weight = weight.permute(3, 1, 0, 2).flip(3).flatten(0, 1)
        bias = conv.take("bias", outputs).repeat(factor)
        self._outputs = outputs
        self._overlapping = CausalConv(conv, weight, bias, plan, ops) if length > factor else None
        if self._overlapping is None:
            self._apart, self._bias = conv.place(weight.flatten(1)), conv.place(bias)

    def __call__(self, x: Tensor, tails: Tails, snake: Snake | None = None) -> Tensor:
        """(batch, time, inputs), which pass a `snake` before, to (batch, time x factor, outputs)."""
        if self._overlapping is not None:
            out = self._overlapping(x, tails, snake)
        else:
            out = F.linear(x if snake is None else snake(x), self._apart, self._bias)
        return out.reshape(len(x), -1, self._outputs)


class ConvNeXt:
    """`Qwen3TTSTokenizerV2ConvNeXtBlock`: each channel over time, then all channels of a step."""

    TAPS = 7

    def __init__(self, weights: Weights, channels: int, plan: TailPlan) -> None:
        conv, norm = weights.at("dwconv").at("conv"), weights.at("norm")
        self._taps = conv.place(conv.take("weight", channels, 1, self.TAPS).squeeze(1))
        self._bias = conv.keep("bias", channels)
        self._norm, self._norm_bias = norm.keep("weight", channels), norm.keep("bias", channels)
        wide, narrow = weights.at("pwconv1"), weights.at("pwconv2")
        self._wide, self._wide_bias = (
            wide.keep("weight", 4 * channels, channels),
            wide.keep("bias", 4 * channels),
        )
        gamma = weights.take("gamma", channels)
        self._narrow = narrow.place(gamma[:, None] * narrow.take("weight", channels, 4 * channels))
        self._narrow_bias = narrow.place(gamma * narrow.take("bias", channels))
        self._tail = plan.add(self.TAPS - 1, channels)

    def __call__(self, x: Tensor, tails: Tails) -> Tensor:
        """The same shape, (batch, time, channels)."""
        taps = tails.before(x, self._tail).unfold(1, self.TAPS, 1)
        inner = (taps * self._taps).sum(-1) + self._bias
        inner = F.layer_norm(inner, inner.shape[2:], self._norm, self._norm_bias, eps=1e-6)
        inner = F.gelu(F.linear(inner, self._wide, self._wide_bias))
        return x + F.linear(inner, self._narrow, self._narrow_bias)


class ResidualUnit:
    """`Qwen3TTSTokenizerV2DecoderDecoderResidualUnit`."""

    def __init__(self, weights: Weights, channels: int, dilation: int, plan: TailPlan, ops: SoundOps) -> None:
        self._first = Snake(weights.at("act1"), channels, ops)
        self._conv = causal_conv(weights.at("conv1"), (channels, channels, 7), plan, ops, dilation)
        self._second = Snake(weights.at("act2"), channels, ops)
        mix = weights.at("conv2").at("conv")
        matrix = mix.place(mix.take("weight", channels, channels, 1).squeeze(2))
        self._mix = Filter(matrix, mix.keep("bias", channels))
        self._ops = ops

    def __call__(self, x: Tensor, tails: Tails) -> Tensor:
        """The same shape, (batch, time, channels)."""
        inner = self._conv(x, tails, self._first, self._second)
        return self._ops.convolved(inner, self._mix, added=x)


class Ring:
    """Keys and values of the latest positions of the rows of one call, and who may see which of them.

    Position p lies at `p % size`. `kept` is (batch, size, layers, 2, heads, head size).
    """

    def __init__(
        self, kept: Tensor, positions: Tensor, steps: int, window: int, inverse_frequencies: Tensor
    ) -> None:
        """`positions` (batch,): the first of `steps` new ones. Each sees itself and `window` - 1 before."""
        batch, size = kept.shape[:2]
        self._kept = kept
        new = positions[:, None] + torch.arange(steps, device=kept.device)
        self._rows = torch.arange(batch, device=kept.device)[:, None]
        self.slots = new % size
        last = new[:, -1:]
        held = last - (last - torch.arange(size, device=kept.device)) % size  # the position in each slot
        seen = (
            (held[:, None] >= 0)
            & (held[:, None] <= new[..., None])
            & (held[:, None] > new[..., None] - window)
        )
        mask = torch.zeros(seen.shape, dtype=kept.dtype, device=kept.device).masked_fill_(
            ~seen, float("-inf")
        )
        self.mask = mask[:, None]
        # In float64, as positions grow without end: in float32 that of an hour, 45,000, is 0.002 off.
        angles = new[..., None].double() * inverse_frequencies
        angles = torch.cat((angles, angles), dim=-1)[:, :, None]
        self.cos, self.sin = angles.cos().to(kept.dtype), angles.sin().to(kept.dtype)

    def put(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add the new ones, (batch, steps, heads, head size).

        Returns all of that layer, (batch, heads, size, head size).
        """
        ring = self._kept[:, :, layer]
        ring[:, :, 0].index_put_((self._rows, self.slots), keys)
        ring[:, :, 1].index_put_((self._rows, self.slots), values)
        return ring[:, :, 0].transpose(1, 2), ring[:, :, 1].transpose(1, 2)

    def new(self) -> Tensor:
        """All that was put, (batch, steps, layers, 2, heads, head size)."""
        return self._kept[self._rows, self.slots]


class TransformerLayer:
    """`Qwen3TTSTokenizerV2DecoderTransformerLayer`; the scales of its two outputs are merged into them.

    The projection makes the queries and keys twice, the second time with the halves of each head exchanged
    and one of them negative, as rotary embeddings need them: two small kernels instead of six.
    """

    def __init__(self, weights: Weights, config: CodecDecoderConfig, layer: int) -> None:
        width, inner, size = config.hidden_size, config.intermediate_size, head_size(config)
        heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
        self._layer, self._heads, self._kv_heads, self._size = layer, heads, kv_heads, size
        self._eps = config.rms_norm_eps
        counts = {"q": heads, "k": kv_heads, "v": kv_heads}
        attention, mlp = weights.at("self_attn"), weights.at("mlp")
        scale = weights.at("self_attn_layer_scale").take("scale", width)
        parts = {
            name: attention.take(f"{name}_proj.weight", count * size, width) for name, count in counts.items()
        }
        self._project = weights.place(_with_halves_exchanged(parts, size))
        self._out = weights.place(scale[:, None] * attention.take("o_proj.weight", width, heads * size))
        self._bias = self._out_bias = None
        if config.attention_bias:
            parts = {
                name: attention.take(f"{name}_proj.bias", count * size) for name, count in counts.items()
            }
            self._bias = weights.place(_with_halves_exchanged(parts, size))
            self._out_bias = weights.place(scale * attention.take("o_proj.bias", width))
        self._norm = weights.keep("input_layernorm.weight", width)
        self._mlp_norm = weights.keep("post_attention_layernorm.weight", width)
        gate, up = (mlp.take(f"{name}_proj.weight", inner, width) for name in ("gate", "up"))
        self._gate_up = weights.place(torch.cat((gate, up)))
        scale = weights.at("mlp_layer_scale").take("scale", width)
        self._down = weights.place(scale[:, None] * mlp.take("down_proj.weight", width, inner))

    def __call__(self, x: Tensor, ring: Ring) -> Tensor:
        """The same shape, (batch, steps, width): it is added to `x` itself, which saves copies."""
        batch, steps, width = x.shape
        projected = F.linear(F.rms_norm(x, (width,), self._norm, self._eps), self._project, self._bias)
        heads = projected.view(batch, steps, -1, self._size)
        turned = self._heads + self._kv_heads
        plain, exchanged, values = torch.split(heads, [turned, turned, self._kv_heads], 2)
        both = torch.addcmul(plain * ring.cos, exchanged, ring.sin)
        queries, keys = torch.split(both, [self._heads, self._kv_heads], 2)
        keys, values = ring.put(self._layer, keys, values)
        heard = F.scaled_dot_product_attention(
            queries.transpose(1, 2),
            keys,
            values,
            attn_mask=ring.mask.expand(batch, self._heads, steps, -1),
            enable_gqa=self._heads != self._kv_heads,
        )
        x.view(-1, width).addmm_(heard.transpose(1, 2).reshape(batch * steps, -1), self._out.T)
        if self._out_bias is not None:
            x += self._out_bias
        gate, up = F.linear(F.rms_norm(x, (width,), self._mlp_norm, self._eps), self._gate_up).chunk(
            2, dim=-1
        )
        x.view(-1, width).addmm_((F.silu(gate) * up).view(batch * steps, -1), self._down.T)
        return x


def head_size(config: CodecDecoderConfig) -> int:
    """Numbers in one head of attention."""
    return config.head_dim or config.hidden_size // config.num_attention_heads


def _with_halves_exchanged(parts: dict[str, Tensor], size: int) -> Tensor:
    """Rows of q, k, then of both as `rotate_half` makes them (-second half, first half), then of v."""
    turned = torch.cat((parts["q"], parts["k"]))
    turned = turned.view(-1, 2, size // 2, *turned.shape[1:])
    exchanged = torch.stack((-turned[:, 1], turned[:, 0]), dim=1)
    return torch.cat((turned.flatten(0, 2), exchanged.flatten(0, 2), parts["v"]))
