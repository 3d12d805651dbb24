"""The formats that sound can be sent in: each turns fixed frames of 16-bit PCM into packets."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from realtime.audio.opus import CODED_RATE, OpusEncoder
from realtime.types import TIMELINE_RATE, AudioSettings, Pcm


class PacketEncoder(Protocol):
    """Turns PCM at `sample_rate` into packets of `frame_samples`; sound comes out `lookahead` samples late.

    A format without lookahead may be given a shorter last frame.
    """

    sample_rate: int
    frame_samples: int
    lookahead: int

    def encode(self, frame: bytes) -> bytes:
        """One packet from one frame of signed 16-bit samples in the machine's byte order."""
        ...


class PcmS16leEncoder:
    """Raw PCM, signed 16 bit, little endian."""

    def __init__(self, sample_rate: int, frame_ms: int) -> None:
        """`sample_rate` in Hz."""
        self.sample_rate = sample_rate
        self.frame_samples = sample_rate * frame_ms // 1000
        self.lookahead = 0

    def encode(self, frame: bytes) -> bytes:
        """The same samples in little endian order."""
        if sys.byteorder == "little":
            return frame
        return np.frombuffer(frame, np.int16).astype("<i2").tobytes()


def to_int16(pcm: Pcm) -> NDArray[np.int16]:
    """Float samples in [-1, 1] as signed 16 bit; what is outside is clipped."""
    scaled: NDArray[np.float32] = np.rint(np.clip(pcm, -1.0, 1.0) * 32767.0)
    return scaled.astype(np.int16)


def make_encoder(settings: AudioSettings) -> PacketEncoder:
    """A new encoder for one context."""
    if settings.format == "opus":
        return OpusEncoder(settings.bitrate, settings.frame_ms)
    return PcmS16leEncoder(settings.sample_rate, settings.frame_ms)


#: Sample rate that the listener decodes to in Hz, by format.
FORMATS: Mapping[str, int] = {"opus": TIMELINE_RATE, "pcm_s16le": CODED_RATE}
