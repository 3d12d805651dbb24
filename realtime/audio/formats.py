"""The formats that sound can be sent in: each turns fixed frames of 16-bit PCM into packets.

`FORMATS` are those of the wire, `FILE_RATES` those of a file that comes over HTTP; some are both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from realtime.audio.containers import OggOpusEncoder, WebmOpusEncoder
from realtime.audio.files import AacEncoder, FlacEncoder, WavEncoder, completed
from realtime.audio.mp3 import Mp3Encoder
from realtime.audio.opus import CODED_RATE, OpusEncoder
from realtime.audio.pcm import MulawEncoder, PcmS16leEncoder, to_int16
from realtime.types import TIMELINE_RATE, AudioSettings

__all__ = [
    "BITRATES",
    "FILE_RATES",
    "FORMATS",
    "PacketEncoder",
    "PcmS16leEncoder",
    "completed",
    "content_type",
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
    return OpusEncoder(settings.bitrate, settings.frame_ms, resilient=settings.track)


def _ogg_opus(settings: AudioSettings) -> PacketEncoder:
    return OggOpusEncoder(settings.bitrate, settings.frame_ms)


def _webm_opus(settings: AudioSettings) -> PacketEncoder:
    return WebmOpusEncoder(settings.bitrate, settings.frame_ms)


def _pcm_s16le(settings: AudioSettings) -> PacketEncoder:
    return PcmS16leEncoder(settings.sample_rate, settings.frame_ms)


def _mulaw(settings: AudioSettings) -> PacketEncoder:
    return MulawEncoder(settings.sample_rate, settings.frame_ms)


def _mp3(settings: AudioSettings) -> PacketEncoder:
    return Mp3Encoder(settings.sample_rate, settings.bitrate, settings.frame_ms)


def _aac(settings: AudioSettings) -> PacketEncoder:
    return AacEncoder(settings.sample_rate, settings.bitrate, settings.frame_ms)


def _flac(settings: AudioSettings) -> PacketEncoder:
    return FlacEncoder(settings.sample_rate, settings.frame_ms)


def _wav(settings: AudioSettings) -> PacketEncoder:
    return WavEncoder(settings.sample_rate, settings.frame_ms)


_ENCODERS: Mapping[str, Callable[[AudioSettings], PacketEncoder]] = {
    "opus": _opus,
    "pcm_s16le": _pcm_s16le,
    "mulaw": _mulaw,
    "webm_opus": _webm_opus,
    "ogg_opus": _ogg_opus,
    "mp3": _mp3,
    "aac": _aac,
    "flac": _flac,
    "wav": _wav,
}

#: Sample rates that a listener on the wire can have in Hz, the default first, by format.
FORMATS: Mapping[str, tuple[int, ...]] = {
    "opus": (TIMELINE_RATE,),
    "pcm_s16le": (CODED_RATE, 8_000, 16_000, 48_000),
    "mulaw": (8_000,),
    "webm_opus": (TIMELINE_RATE,),
    "ogg_opus": (TIMELINE_RATE,),
}

_EVERY_RATE = (CODED_RATE, 8_000, 16_000, 22_050, 44_100, 48_000)
#: Sample rates that a file over HTTP can have in Hz, the default first, by format.
FILE_RATES: Mapping[str, tuple[int, ...]] = {
    "mp3": _EVERY_RATE,
    "ogg_opus": (TIMELINE_RATE,),
    "aac": _EVERY_RATE,
    "flac": _EVERY_RATE,
    "wav": _EVERY_RATE,
    "pcm_s16le": _EVERY_RATE,
}

_OPUS_BITRATES = (6_000, 64_000, 256_000)
#: The lowest bitrate, the default and the highest in bit/s, by format; of MP3 and AAC a sample rate may allow
#: less, and the nearest is taken. By PLCMOS (three sentences at 24 kHz) MP3 is best at 64 kbit/s (4.65, as
#: against 4.53 at 32 and 4.59 at 96), and AAC gains little after it (4.58, 4.29 at 32, 4.61 at 96).
BITRATES: Mapping[str, tuple[int, int, int]] = {
    "opus": _OPUS_BITRATES,
    "webm_opus": _OPUS_BITRATES,
    "ogg_opus": _OPUS_BITRATES,
    "mp3": (8_000, 64_000, 320_000),
    "aac": (16_000, 64_000, 288_000),
}

_CONTENT_TYPES: Mapping[str, str] = {
    "mp3": "audio/mpeg",
    "ogg_opus": "audio/ogg; codecs=opus",  # RFC 7845, 9
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm_s16le": "audio/pcm;rate={rate};encoding=signed-integer;bits=16;channels=1",
}


def content_type(settings: AudioSettings) -> str:
    """The media type of a file over HTTP; `ValueError` for a format that is not in `FILE_RATES`."""
    if settings.format not in _CONTENT_TYPES:
        raise ValueError(f"no file has the format {settings.format}")
    return _CONTENT_TYPES[settings.format].format(rate=settings.sample_rate)


def make_encoder(settings: AudioSettings) -> PacketEncoder:
    """A new encoder for one context.

    `ValueError` for a format or a sample rate that is neither in `FORMATS` nor in `FILE_RATES`, and for a
    bitrate that is outside of `BITRATES`.
    """
    name, rate = settings.format, settings.sample_rate
    if rate not in (*FORMATS.get(name, ()), *FILE_RATES.get(name, ())):
        raise ValueError(f"no format {name} at {rate} Hz")
    lowest, _, highest = BITRATES.get(name, (0, 0, 0))
    if name in BITRATES and not lowest <= settings.bitrate <= highest:
        raise ValueError(f"{name} has {lowest} to {highest} bit/s, not {settings.bitrate}")
    return _ENCODERS[name](settings)


def pre_skip(name: str) -> int:
    """Samples at 48 kHz that a listener to the format must drop at the start: 312 of bare Opus packets.

    Of the others 0: a container's header says it to the decoder, and PCM leaves it out.
    """
    if name != "opus":
        return 0
    return OpusEncoder(bitrate=32_000).lookahead * TIMELINE_RATE // CODED_RATE
