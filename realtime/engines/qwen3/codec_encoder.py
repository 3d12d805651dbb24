"""The codec's encoder: sound to codes, for recordings of voices that are to be cloned.

Mimi's encoder (https://arxiv.org/abs/2410.00037) as transformers 4.57 has it and qwen-tts calls it, of one
recording at a time, always in float32: what is nearest in a codebook is sensitive to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from realtime.engines.qwen3.configuration import CodecConfig, CodecEncoderConfig
from realtime.engines.qwen3.weights import Weights
from realtime.errors import EngineError


class CodecEncoder:
    """Makes codes of sound."""

    def __init__(self, config: CodecConfig, weights: Weights) -> None:
        """Raises `EngineError` that names a weight which is missing or of another shape than in `config`."""
        encoder = config.encoder_config
        if not encoder.use_causal_conv:
            raise EngineError("the codec's encoder is not causal; only models with one that is can be used")
        self._convs = _convolutions(encoder, weights.at("encoder").at("layers"))
        layers = weights.at("encoder_transformer").at("layers")
        self._layers = [_Layer(encoder, layers.at(index)) for index in range(encoder.num_hidden_layers)]
        head = encoder.head_dim or encoder.hidden_size // encoder.num_attention_heads
        steps = torch.arange(0, head, 2, dtype=torch.int64).float() / head
        self._frequencies = weights.place(1.0 / encoder.rope_theta**steps)
        # MimiModel's is 2 at a stride of 2 always.
        length = 2 * (config.encode_downsample_rate // math.prod(encoder.upsampling_ratios))
        width = encoder.hidden_size
        self._down = weights.at("downsample").keep("conv.weight", width, width, length)
        quantizer, semantic = weights.at("quantizer"), encoder.num_semantic_quantizers
        acoustic = config.encoder_valid_num_quantizers - semantic
        self._quantizers = (
            _Quantizer(encoder, quantizer.at("semantic_residual_vector_quantizer"), semantic),
            _Quantizer(encoder, quantizer.at("acoustic_residual_vector_quantizer"), acoustic),
        )

    @classmethod
    def from_state(
        cls, config: CodecConfig, state: Mapping[str, Tensor], device: torch.device | str = "cpu"
    ) -> CodecEncoder:
        """Of the tensors in `speech_tokenizer/model.safetensors`."""
        return cls(config, Weights(state, device).at("encoder"))

    @torch.no_grad()
    def __call__(self, pcm: NDArray[np.float32]) -> Tensor:
        """Codes (frames, groups) of mono sound at 24 kHz; of the last frame a part may be silence.

        `pcm` is one sample or more. Waits for nothing; the result is on the device.
        """
        x = torch.from_numpy(np.ascontiguousarray(pcm, np.float32)).to(self._frequencies.device)[None, None]
        for conv in self._convs:
            x = conv(x)
        x = x.transpose(1, 2)
        angles = torch.outer(torch.arange(x.shape[1], device=x.device).float(), self._frequencies)
        angles = torch.cat((angles, angles), dim=-1)
        turn = (angles.cos(), angles.sin())
        for layer in self._layers:
            x = layer(x, turn)
        x = _causally_padded(x.transpose(1, 2), self._down.shape[2], 2, "replicate")
        x = F.conv1d(x, self._down, stride=2)
        return torch.cat([quantizer(x) for quantizer in self._quantizers], dim=1)


class _Conv:
    """`MimiConv1d`, causal, with an ELU before it if it is told so."""

    def __init__(
        self,
        config: CodecEncoderConfig,
        weights: Weights,
        shape: tuple[int, int, int],
        *,
        stride: int = 1,
        dilation: int = 1,
        elu: bool = True,
    ) -> None:
        self._weight = weights.keep("conv.weight", *shape)
        self._bias = weights.keep("conv.bias", shape[0])
        self._stride, self._dilation, self._elu, self._mode = stride, dilation, elu, config.pad_mode

    def __call__(self, x: Tensor) -> Tensor:
        x = F.elu(x) if self._elu else x
        span = (self._weight.shape[2] - 1) * self._dilation + 1
        x = _causally_padded(x, span, self._stride, self._mode)
        return F.conv1d(x, self._weight, self._bias, self._stride, dilation=self._dilation)


class _Residual:
    """`MimiResnetBlock`."""

    def __init__(self, config: CodecEncoderConfig, weights: Weights, channels: int, dilation: int) -> None:
        inner, block = channels // config.compress, weights.at("block")
        first = (inner, channels, config.residual_kernel_size)
        self._first = _Conv(config, block.at(1), first, dilation=dilation)
        self._second = _Conv(config, block.at(3), (channels, inner, 1))
        self._shortcut = (
            _Conv(config, weights.at("shortcut"), (channels, channels, 1), elu=False)
            if config.use_conv_shortcut
            else None
        )

    def __call__(self, x: Tensor) -> Tensor:
        inner = self._second(self._first(x))
        return (x if self._shortcut is None else self._shortcut(x)) + inner


def _convolutions(config: CodecEncoderConfig, weights: Weights) -> list[_Conv | _Residual]:
    """`MimiEncoder`. Its ELUs are layers too, and have numbers."""
    channels = config.num_filters
    first = (channels, config.audio_channels, config.kernel_size)
    layers: list[_Conv | _Residual] = [_Conv(config, weights.at(0), first, elu=False)]
    index = 1
    for ratio in reversed(config.upsampling_ratios):
        for unit in range(config.num_residual_layers):
            layers.append(_Residual(config, weights.at(index), channels, config.dilation_growth_rate**unit))
            index += 1
        shape = (2 * channels, channels, 2 * ratio)
        layers.append(_Conv(config, weights.at(index + 1), shape, stride=ratio))
        index += 2
        channels *= 2
    shape = (config.hidden_size, channels, config.last_kernel_size)
    return [*layers, _Conv(config, weights.at(index + 1), shape)]


def _causally_padded(x: Tensor, span: int, stride: int, mode: str) -> Tensor:
    """(.., time) with all padding before it, but what completes the last step of `stride` after it."""
    return F.pad(x, (span - stride, -x.shape[-1] % stride), mode)


class _Layer:
    """`MimiTransformerLayer`.

    Each position sees all before it. The model's `sliding_window` is heeded by flash attention alone in
    transformers 4.57; with other kernels, and here, it is not.
    """

    def __init__(self, config: CodecEncoderConfig, weights: Weights) -> None:
        width, inner = config.hidden_size, config.intermediate_size
        self._heads, self._kv_heads = config.num_attention_heads, config.num_key_value_heads
        self._size = config.head_dim or width // config.num_attention_heads
        self._eps = config.norm_eps
        attention, mlp = weights.at("self_attn"), weights.at("mlp")
        rows = {"q": self._heads, "k": self._kv_heads, "v": self._kv_heads}
        self._projections = [
            (
                attention.keep(f"{name}_proj.weight", heads * self._size, width),
                attention.keep(f"{name}_proj.bias", heads * self._size) if config.attention_bias else None,
            )
            for name, heads in rows.items()
        ]
        self._out = attention.keep("o_proj.weight", width, self._heads * self._size)
        self._out_bias = attention.keep("o_proj.bias", width) if config.attention_bias else None
        self._scale = weights.keep("self_attn_layer_scale.scale", width)
        self._wide, self._narrow = mlp.keep("fc1.weight", inner, width), mlp.keep("fc2.weight", width, inner)
        self._mlp_scale = weights.keep("mlp_layer_scale.scale", width)
        self._norms = [
            (weights.keep(f"{name}_layernorm.weight", width), weights.keep(f"{name}_layernorm.bias", width))
            for name in ("input", "post_attention")
        ]

    def __call__(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        """(1, time, width); `turn` are the cosines and sines of all positions, (time, head size)."""
        inner = F.layer_norm(x, x.shape[2:], *self._norms[0], eps=self._eps)
        queries, keys, values = (
            F.linear(inner, weight, bias).view(1, x.shape[1], -1, self._size).transpose(1, 2)
            for weight, bias in self._projections
        )
        heard = F.scaled_dot_product_attention(
            _turned(queries, turn),
            _turned(keys, turn),
            values,
            is_causal=True,
            enable_gqa=self._heads != self._kv_heads,
        )
        x = x + self._scale * F.linear(heard.transpose(1, 2).flatten(2), self._out, self._out_bias)
        inner = F.layer_norm(x, x.shape[2:], *self._norms[1], eps=self._eps)
        return x + self._mlp_scale * F.linear(F.gelu(F.linear(inner, self._wide)), self._narrow)


def _turned(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary embeddings, (.., time, head size)."""
    first, second = x.chunk(2, dim=-1)
    return x * turn[0] + torch.cat((-second, first), dim=-1) * turn[1]


class _Quantizer:
    """`MimiResidualVectorQuantizer`: each codebook for what those before it have left."""

    def __init__(self, config: CodecEncoderConfig, weights: Weights, count: int) -> None:
        width, inner = config.hidden_size, config.vector_quantization_hidden_dimension
        self._into = weights.keep("input_proj.weight", inner, width, 1) if inner != width else None
        self._books = []
        for index in range(count):
            book = weights.at("layers").at(index).at("codebook")
            usage = book.take("cluster_usage", config.codebook_size).clamp(min=1e-5)
            vectors = book.take("embed_sum", config.codebook_size, config.codebook_dim)
            self._books.append(book.place(vectors / usage[:, None]))

    def __call__(self, x: Tensor) -> Tensor:
        """(1, width, frames) to codes, (frames, count)."""
        left = (x if self._into is None else F.conv1d(x, self._into))[0].T
        codes = []
        for book in self._books:
            # Not by matrices: these may be told to multiply with fewer bits, and then others are nearest.
            distances = torch.cdist(left[None], book[None], compute_mode="donot_use_mm_for_euclid_dist")
            nearest = distances[0].argmin(dim=-1)
            left = left - book[nearest]
            codes.append(nearest)
        return torch.stack(codes, dim=1)
