"""The formats that sound can be sent in: each turns fixed frames of 16-bit PCM into packets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from realtime.audio.containers import OggOpusEncoder, WebmOpusEncoder
from realtime.audio.opus import CODED_RATE, OpusEncoder
from realtime.audio.pcm import MulawEncoder, PcmS16leEncoder, to_int16
from realtime.types import TIMELINE_RATE, AudioSettings

__all__ = [
    "FORMATS",
    "PacketEncoder",
    "PcmS16leEncoder",
    "make_encoder",
    "pre_skip",
    "to_int16",
]


class PacketEncoder(Protocol):
    """Turns mono sound at `CODED_RATE` into the packets of one context. Counts are of samples at that rate.

    Frames are signed 16-bit samples in the machine's byte order. Used by one thread at a time, not always the
    same; one that is dropped in the middle needs no closing.
    """

    #: What one packet takes. This, `lookahead` and `held_back` are multiples of 3.
    frame_samples: int
    #: By how much the sound is late: after k packets of F samples the sound up to k F - lookahead is out.
    lookahead: int
    #: What must be given beyond the lookahead so that the bytes of all sound before have left.
    held_back: int

    def encode(self, frame: bytes) -> bytes:
        """One packet from `frame_samples` samples, or from fewer where `lookahead` is 0."""
        ...

    def encode_last(self, frame: bytes, discard: int) -> bytes:
        """The last packet, after which nothing may follow; the last `discard` samples are not to be heard.

        PCM leaves them out, a container says it in the file, and of bare Opus packets only the frame header
        does. What came with earlier packets stays: `discard`, a multiple of 3, is less than `frame_samples`.
        """
        ...

    def close(self) -> bytes:
        """What must follow when the last packet left before the end was known: the rest of a container."""
        ...


def _opus(settings: AudioSettings) -> PacketEncoder:
    return OpusEncoder(settings.bitrate, settings.frame_ms)


def _ogg_opus(settings: AudioSettings) -> PacketEncoder:
    return OggOpusEncoder(settings.bitrate, settings.frame_ms)


def _webm_opus(settings: AudioSettings) -> PacketEncoder:
    return WebmOpusEncoder(settings.bitrate, settings.frame_ms)


def _pcm_s16le(settings: AudioSettings) -> PacketEncoder:
    return PcmS16leEncoder(settings.sample_rate, settings.frame_ms)


def _mulaw(settings: AudioSettings) -> PacketEncoder:
    return MulawEncoder(settings.sample_rate, settings.frame_ms)


_ENCODERS: Mapping[str, Callable[[AudioSettings], PacketEncoder]] = {
    "opus": _opus,
    "pcm_s16le": _pcm_s16le,
    "mulaw": _mulaw,
    "webm_opus": _webm_opus,
    "ogg_opus": _ogg_opus,
}

#: Sample rates that a listener can have in Hz, the default first, by format.
FORMATS: Mapping[str, tuple[int, ...]] = {
    "opus": (TIMELINE_RATE,),
    "pcm_s16le": (CODED_RATE, 8_000, 16_000, 48_000),
    "mulaw": (8_000,),
    "webm_opus": (TIMELINE_RATE,),
    "ogg_opus": (TIMELINE_RATE,),
}


def make_encoder(settings: AudioSettings) -> PacketEncoder:
    """A new encoder for one context; `ValueError` for a format or a sample rate that is not in `FORMATS`."""
    if settings.sample_rate not in FORMATS.get(settings.format, ()):
        raise ValueError(f"no format {settings.format} at {settings.sample_rate} Hz")
    return _ENCODERS[settings.format](settings)


def pre_skip(name: str) -> int:
    """Samples at 48 kHz that a listener to the format must drop at the start: 312 of bare Opus packets.

    Of the others 0: a container's header says it to the decoder, and PCM leaves it out.
    """
    if name != "opus":
        return 0
    return OpusEncoder(bitrate=32_000).lookahead * TIMELINE_RATE // CODED_RATE
