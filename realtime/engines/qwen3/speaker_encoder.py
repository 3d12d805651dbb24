"""The embedding of a speaker's voice (x-vector): ECAPA-TDNN on a mel spectrogram, in float32.

https://arxiv.org/abs/2005.07143, as `Qwen3TTSSpeakerEncoder` and `mel_spectrogram` of qwen-tts 0.1.1 have it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from realtime.engines.qwen3.configuration import SpeakerEncoderConfig
from realtime.engines.qwen3.weights import Weights

#: Of the spectrogram: samples of a window, samples from one to the next, and where the mel bands end.
N_FFT, HOP = 1024, 256
MOST_HZ = 12_000.0


def mel_filters(sample_rate: int, n_fft: int, bands: int, most_hz: float) -> NDArray[np.float32]:
    """Triangles of equal area on Slaney's mel scale, (bands, n_fft / 2 + 1).

    Those of `librosa.filters.mel(sr=.., n_fft=.., n_mels=.., fmin=0, fmax=..)`: linear below 1 kHz, where a
    mel is 200/3 Hz; logarithmic above, where 27 mel are a factor of 6.4 (Auditory Toolbox, Slaney 1998).
    """
    edges = _hz(np.linspace(0.0, float(_mel(np.array(most_hz))), bands + 2))
    widths = np.diff(edges)[:, None]
    away = edges[:, None] - np.fft.rfftfreq(n_fft, 1 / sample_rate)
    triangles = np.maximum(0, np.minimum(-away[:-2] / widths[:-1], away[2:] / widths[1:]))
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


_LINEAR_HZ, _BREAK_HZ = 200 / 3, 1000.0
_BREAK_MEL = _BREAK_HZ / _LINEAR_HZ
_STEP = math.log(6.4) / 27


def _mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _STEP
    return np.where(hz < _BREAK_HZ, hz / _LINEAR_HZ, above)


def _hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _BREAK_HZ * np.exp(_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ, above)


class SpeakerEncoder:
    """Makes an embedding of sound."""

    def __init__(self, config: SpeakerEncoderConfig, weights: Weights) -> None:
        """Raises `EngineError` that names a weight which is missing or of another shape than in `config`."""
        channels, last = config.enc_channels, config.enc_channels[-1]
        self._filters = weights.place(
            torch.from_numpy(mel_filters(config.sample_rate, N_FFT, config.mel_dim, MOST_HZ))
        )
        self._window = weights.place(torch.hann_window(N_FFT))
        sizes, dilations = config.enc_kernel_sizes, config.enc_dilations
        blocks = weights.at("blocks")
        self._first = _Conv(blocks.at(0).at("conv"), (channels[0], config.mel_dim, sizes[0]), dilations[0])
        self._blocks = [
            _Block(config, blocks.at(index), index, (channels[index - 1], channels[index]))
            for index in range(1, len(channels) - 1)
        ]
        joined = sum(channels[1:-1])
        self._join = _Conv(weights.at("mfa").at("conv"), (last, joined, sizes[-1]), dilations[-1])
        pooling, inner = weights.at("asp"), config.enc_attention_channels
        self._attend = _Conv(pooling.at("tdnn").at("conv"), (inner, 3 * last, 1))
        self._weigh = _Conv(pooling.at("conv"), (last, inner, 1))
        self._out = _Conv(weights.at("fc"), (config.enc_dim, 2 * last, 1))

    @classmethod
    def from_state(
        cls, config: SpeakerEncoderConfig, state: Mapping[str, Tensor], device: torch.device | str = "cpu"
    ) -> SpeakerEncoder:
        """Of the tensors in a base model's `model.safetensors`."""
        return cls(config, Weights(state, device).at("speaker_encoder"))

    @torch.no_grad()
    def __call__(self, pcm: NDArray[np.float32]) -> Tensor:
        """The embedding (size,) of mono sound at 24 kHz, a tenth of a second or more: its ends are mirrored.

        Waits for nothing; the result is on the device.
        """
        x = F.relu(self._first(self._spectrogram(pcm)))
        outputs = []
        for block in self._blocks:
            x = block(x)
            outputs.append(x)
        x = F.relu(self._join(torch.cat(outputs, dim=1)))
        # Attentive statistics: mean and deviation over time, weighted for each channel.
        mean, deviation = (each.expand_as(x) for each in _statistics(x, 1 / x.shape[2]))
        attention = self._weigh(torch.tanh(F.relu(self._attend(torch.cat((x, mean, deviation), dim=1)))))
        statistics = torch.cat(_statistics(x, attention.softmax(dim=2)), dim=1)
        return self._out(statistics)[0, :, 0]

    def _spectrogram(self, pcm: NDArray[np.float32]) -> Tensor:
        """Logarithms of magnitudes, (1, bands, frames)."""
        sound = torch.from_numpy(np.ascontiguousarray(pcm, np.float32)).to(self._window.device)[None]
        padding = (N_FFT - HOP) // 2
        sound = F.pad(sound[None], (padding, padding), mode="reflect")[0]
        spectrum = torch.stft(
            sound, N_FFT, HOP, N_FFT, self._window, center=False, onesided=True, return_complex=True
        )
        magnitudes = torch.sqrt(torch.view_as_real(spectrum).square().sum(-1) + 1e-9)
        return torch.log((self._filters @ magnitudes).clamp(min=1e-5))


def _statistics(x: Tensor, weights: Tensor | float) -> tuple[Tensor, Tensor]:
    """Weighted mean and standard deviation over time, each (1, channels, 1)."""
    mean = (weights * x).sum(2, keepdim=True)
    variance = (weights * (x - mean).square()).sum(2, keepdim=True)
    return mean, variance.clamp(min=1e-12).sqrt()


class _Conv:
    """A convolution that keeps the length, with mirrored ends."""

    def __init__(self, weights: Weights, shape: tuple[int, int, int], dilation: int = 1) -> None:
        """`shape` is (outputs, inputs, taps)."""
        self._weight, self._bias = weights.keep("weight", *shape), weights.keep("bias", shape[0])
        self._dilation = dilation
        padding = dilation * (shape[2] - 1)
        self._padding = (padding // 2, padding - padding // 2)

    def __call__(self, x: Tensor) -> Tensor:
        """(1, inputs, time) to (1, outputs, time)."""
        x = F.pad(x, self._padding, mode="reflect") if any(self._padding) else x
        return F.conv1d(x, self._weight, self._bias, dilation=self._dilation)


class _Block:
    """`SqueezeExcitationRes2NetBlock`."""

    def __init__(
        self, config: SpeakerEncoderConfig, weights: Weights, index: int, channels: tuple[int, int]
    ) -> None:
        inputs, outputs = channels
        self._scale = config.enc_res2net_scale
        part = outputs // self._scale
        self._before = _Conv(weights.at("tdnn1").at("conv"), (outputs, inputs, 1))
        parts = weights.at("res2net_block").at("blocks")
        shape = (part, part, config.enc_kernel_sizes[index])
        self._parts = [
            _Conv(parts.at(number).at("conv"), shape, config.enc_dilations[index])
            for number in range(self._scale - 1)
        ]
        self._after = _Conv(weights.at("tdnn2").at("conv"), (outputs, outputs, 1))
        squeeze = weights.at("se_block")
        self._squeeze = _Conv(squeeze.at("conv1"), (config.enc_se_channels, outputs, 1))
        self._excite = _Conv(squeeze.at("conv2"), (outputs, config.enc_se_channels, 1))

    def __call__(self, x: Tensor) -> Tensor:
        """(1, inputs, time) to (1, outputs, time)."""
        first, *rest = F.relu(self._before(x)).chunk(self._scale, dim=1)
        outputs = [first]
        for number, (conv, part) in enumerate(zip(self._parts, rest, strict=True)):
            outputs.append(F.relu(conv(part if number == 0 else part + outputs[-1])))
        inner = F.relu(self._after(torch.cat(outputs, dim=1)))
        gate = torch.sigmoid(self._excite(F.relu(self._squeeze(inner.mean(dim=2, keepdim=True)))))
        return inner * gate + x
