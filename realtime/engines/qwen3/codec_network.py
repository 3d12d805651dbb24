"""The codec's decoder as a whole, without a state: what of its past it needs, it is given."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from realtime.engines.qwen3.codec_layers import (
    CausalConv,
    ConvNeXt,
    ResidualUnit,
    Ring,
    Snake,
    TailPlan,
    Tails,
    TransformerLayer,
    Upsampling,
    causal_conv,
    head_size,
)
from realtime.engines.qwen3.codec_sound import SoundOps
from realtime.engines.qwen3.configuration import CodecDecoderConfig
from realtime.engines.qwen3.weights import Weights


class CodecNetwork:
    """`Qwen3TTSTokenizerV2Decoder` without a state."""

    def __init__(self, config: CodecDecoderConfig, weights: Weights, ops: SoundOps) -> None:
        self.config = config
        self.plan = plan = TailPlan()
        width, latent, book = config.hidden_size, config.latent_dim, config.codebook_dim
        self._books = weights.place(_codebooks(config, weights.at("quantizer")))
        self._first_of_book = (
            torch.arange(config.num_quantizers, device=self._books.device) * config.codebook_size
        )
        transformer = weights.at("pre_transformer")
        conv, into = weights.at("pre_conv").at("conv"), transformer.at("input_proj")
        inner = into.take("weight", width, latent)
        weight = torch.einsum("wl,lct->wct", inner, conv.take("weight", latent, book, 3))
        bias = inner @ conv.take("bias", latent) + into.take("bias", width)
        self._into = CausalConv(conv, weight, bias, plan, ops)
        size = head_size(config)
        steps = torch.arange(0, size, 2, dtype=torch.int64).float() / size
        self.inverse_frequencies = (1.0 / config.rope_theta**steps).double().to(self._books.device)
        layers = transformer.at("layers")
        self._layers = [
            TransformerLayer(layers.at(index), config, index) for index in range(config.num_hidden_layers)
        ]
        self._norm = transformer.keep("norm.weight", width)
        self._out = transformer.keep("output_proj.weight", latent, width)
        self._out_bias = transformer.keep("output_proj.bias", latent)
        upsample = weights.at("upsample")
        self._upsample = [
            (
                Upsampling(upsample.at(index).at(0), (latent, latent, factor), plan, ops, factor),
                ConvNeXt(upsample.at(index).at(1), latent, plan),
            )
            for index, factor in enumerate(config.upsampling_ratios)
        ]
        decoder, channels = weights.at("decoder"), config.decoder_dim
        self._begin = causal_conv(decoder.at(0), (channels, latent, 7), plan, ops)
        self._blocks = []
        for index, factor in enumerate(config.upsample_rates):
            block = decoder.at(index + 1).at("block")
            half = channels // 2
            self._blocks.append(
                (
                    Snake(block.at(0), channels, ops),
                    Upsampling(block.at(1), (channels, half, 2 * factor), plan, ops, factor),
                    [ResidualUnit(block.at(2 + unit), half, 3**unit, plan, ops) for unit in range(3)],
                )
            )
            channels = half
        last = len(config.upsample_rates) + 1
        self._last = Snake(decoder.at(last), channels, ops)
        self._end = causal_conv(decoder.at(last + 1), (1, channels, 7), plan, ops)
        self.frame_samples = math.prod(config.upsampling_ratios) * math.prod(config.upsample_rates)
        self.sound_memory = _sound_memory(config)

    def features(self, codes: Tensor, tails: Tails, ring: Ring) -> Tensor:
        """Codes (batch, frames, groups) to what sound is made of, (batch, frames, latent)."""
        codes = codes.clamp(0, self.config.codebook_size - 1) + self._first_of_book
        x = self._into(self._books[codes].sum(2), tails)
        for layer in self._layers:
            x = layer(x, ring)
        x = F.rms_norm(x, x.shape[2:], self._norm, self.config.rms_norm_eps)
        return F.linear(x, self._out, self._out_bias)

    def sound(self, x: Tensor, tails: Tails) -> Tensor:
        """Features to (batch, samples) in float32; it depends on those of `sound_memory` frames before."""
        for upsampling, mixing in self._upsample:
            x = mixing(upsampling(x, tails), tails)
        x = self._begin(x, tails)
        for snake, upsampling, units in self._blocks:
            x = upsampling(x, tails, snake)
            for unit in units:
                x = unit(x, tails)
        return self._end(x, tails, self._last).squeeze(2).float().clamp(-1, 1)


def _sound_memory(config: CodecDecoderConfig) -> int:
    """Frames before a frame that its sound depends on beside the features: the tails of all convolutions."""
    frames, rate = 0.0, 1  # steps of a frame
    for factor in config.upsampling_ratios:
        rate *= factor
        frames += (ConvNeXt.TAPS - 1) / rate
    frames += 6 / rate
    for factor in config.upsample_rates:
        frames += 1 / rate
        rate *= factor
        frames += 6 * (1 + 3 + 9) / rate
    return math.ceil(frames + 6 / rate)


def _codebooks(config: CodecDecoderConfig, weights: Weights) -> Tensor:
    """What each code of each group adds to the features, (groups x codes, features).

    The first group has a projection of its own (`SplitResidualVectorQuantizer`).
    """
    books = []
    for group in range(config.num_quantizers):
        part = weights.at("rvq_first" if group == 0 else "rvq_rest")
        book = part.at("vq").at("layers").at(max(group - 1, 0)).at("_codebook")
        size, inner = config.codebook_size, config.codebook_dim // 2
        usage = book.take("cluster_usage", size).clamp(min=1e-5)
        vectors = book.take("embedding_sum", size, inner) / usage[:, None]
        out = part.take("output_proj.weight", config.codebook_dim, inner, 1).squeeze(2)
        books.append(vectors @ out.T)
    return torch.cat(books)
