"""Uncompressed sound: samples of 16 bit, and G.711 mu-law, at the listener's rate."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from realtime.audio.opus import CODED_RATE
from realtime.audio.resample import Resampler
from realtime.types import Pcm

#: Positions are multiples of 3 samples at `CODED_RATE`, so that each is a whole number of samples at 8 kHz.
_GRID = 3
_FULL_SCALE = 32767.0
# G.711 in the scale of 16 bit (the standard's own is 14): added to a magnitude, so that every step of the
# logarithm begins at a power of two; the largest magnitude that does not overflow with it.
_MULAW_BIAS = 132
_MULAW_CLIP = 32635


def to_int16(pcm: Pcm) -> NDArray[np.int16]:
    """Float samples in [-1, 1] as signed 16 bit; what is outside is clipped."""
    scaled: NDArray[np.float32] = np.rint(np.clip(pcm, -1.0, 1.0) * _FULL_SCALE)
    return scaled.astype(np.int16)


def mulaw(samples: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Signed 16-bit samples as mu-law codes of 8 bit (ITU-T G.711, table 2a).

    A code is, inverted: a sign bit, 3 bits of exponent and 4 of mantissa.
    """
    wide = samples.astype(np.int32)
    biased = np.minimum(np.abs(wide), _MULAW_CLIP) + _MULAW_BIAS  # 132 to 32767: 8 to 15 bits
    exponent = np.frexp(biased.astype(np.float32))[1] - 8
    mantissa = (biased >> (exponent + 3)) & 0x0F
    code = np.where(wide < 0, 0x80, 0) | (exponent << 4) | mantissa
    inverted: NDArray[np.uint8] = (~code & 0xFF).astype(np.uint8)
    return inverted


class PcmEncoder(ABC):
    """Samples at the listener's rate; a format says how they are laid out in bytes.

    After k packets of F samples exactly (k F - lookahead) * rate / `CODED_RATE` samples, rounded down, have
    come out: the filter's delay is not sent, and the first payload is shorter by it.
    """

    def __init__(self, sample_rate: int, frame_ms: int) -> None:
        """`sample_rate` in Hz: 8000, 16000, 22050, 24000, 44100 or 48000; `frame_ms` one of 20, 40, 60."""
        self._rate = sample_rate
        self._resampler = Resampler(CODED_RATE, sample_rate) if sample_rate != CODED_RATE else None
        self.frame_samples = CODED_RATE * frame_ms // 1000
        self.lookahead = -(-self._resampler.lookahead // _GRID) * _GRID if self._resampler else 0
        self.held_back = 0
        self._given = 0  # samples at `CODED_RATE`
        self._sent = 0  # samples at the listener's rate
        self._made: NDArray[np.int16] = np.zeros(0, np.int16)  # and not yet sent

    @abstractmethod
    def _bytes(self, samples: NDArray[np.int16]) -> bytes:
        """How the format writes these samples."""

    def encode(self, frame: bytes) -> bytes:
        """The samples that one frame brings out."""
        return self._payload(frame, 0)

    def encode_last(self, frame: bytes, discard: int) -> bytes:
        """The same without the last `discard` samples (at `CODED_RATE`) of them."""
        return self._payload(frame, discard)

    def close(self) -> bytes:
        """Nothing: such a stream has no end of its own."""
        return b""

    def _payload(self, frame: bytes, discard: int) -> bytes:
        samples = np.frombuffer(frame, np.int16)
        self._given += len(samples)
        if self._resampler:
            resampled = self._resampler.process(samples.astype(np.float32) / np.float32(_FULL_SCALE))
            samples = to_int16(resampled)
        self._made = np.concatenate([self._made, samples])
        end = (self._given - self.lookahead - discard) * self._rate // CODED_RATE
        count = max(0, end - self._sent)
        payload, self._made = self._made[:count], self._made[count:]
        self._sent += count
        return self._bytes(payload)


class PcmS16leEncoder(PcmEncoder):
    """Signed 16 bit, little endian."""

    def _bytes(self, samples: NDArray[np.int16]) -> bytes:
        return samples.astype("<i2", copy=False).tobytes()


class MulawEncoder(PcmEncoder):
    """G.711 mu-law, 8 bit."""

    def _bytes(self, samples: NDArray[np.int16]) -> bytes:
        return mulaw(samples).tobytes()
