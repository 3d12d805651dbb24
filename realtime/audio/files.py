"""Files that are sent while they are written: MP3, AAC, FLAC and WAV.

FFmpeg's encoders are used over PyAV. What stands around their packets is written here: FFmpeg's own MP3 files
say nothing of the coder's delay when their beginning cannot be written again, and its FLAC files begin with
8 KiB of padding. libsndfile holds FLAC back for 60 ms at 24 kHz and 180 at 8 kHz, and its MP3 takes twice the
time, at a bitrate of its own choice.

Every file is whole wherever it stops; that of the length is not known until then, and `completed` adds it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from realtime.audio.codecs import UNKNOWN_LENGTH, Codec, CodecEncoder
from realtime.audio.mp3 import completed_mp3
from realtime.audio.opus import CODED_RATE
from realtime.audio.pcm import PcmS16leEncoder
from realtime.types import TIMELINE_RATE

_BYTES_PER_SAMPLE = 2


class WavEncoder(PcmS16leEncoder):
    """WAV with samples of 16 bit. Exact to the sample; any sound that is given leaves at once.

    As the length is not known at the beginning, both fields for it hold 2^32 - 1, which readers take for
    "until the end".
    """

    def __init__(self, sample_rate: int, frame_ms: int = 20) -> None:
        """`sample_rate` in Hz, one of `FILE_RATES`; `frame_ms` one of 20, 40, 60."""
        super().__init__(sample_rate, frame_ms)
        self._header = _wav_header(sample_rate)

    def encode(self, frame: bytes) -> bytes:
        """The samples that one frame brings out, after the header if it is the first."""
        return self._after_header(super().encode(frame))

    def encode_last(self, frame: bytes, discard: int) -> bytes:
        """The same without the last `discard` samples (at `CODED_RATE`) of them."""
        return self._after_header(super().encode_last(frame, discard))

    def _after_header(self, samples: bytes) -> bytes:
        header, self._header = self._header, b""
        return header + samples


def _wav_header(sample_rate: int) -> bytes:
    # RIFF's two chunks: "fmt " says PCM (1), one channel, the rate, bytes per second and per sample, bits.
    form = (1, 1, sample_rate, sample_rate * _BYTES_PER_SAMPLE, _BYTES_PER_SAMPLE, 8 * _BYTES_PER_SAMPLE)
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", UNKNOWN_LENGTH, b"WAVE", b"fmt ", 16, *form, b"data", UNKNOWN_LENGTH
    )


class FlacEncoder(CodecEncoder):
    """FLAC of 16 bit, exact to the sample. Blocks are as long as frames; sound leaves one `frame_ms` later.

    The format allows for a hash of the sound that is not known (0), as for a length; libsndfile reads only
    files with a length (`completed`). FFmpeg's encoder takes 7 MiB, for the longest blocks of eight channels.
    """

    def __init__(self, sample_rate: int, frame_ms: int = 20) -> None:
        """`sample_rate` in Hz, one of `FILE_RATES`; `frame_ms` one of 20, 40, 60."""
        block = sample_rate * frame_ms // 1000
        super().__init__(Codec("flac", "s16", block, {"frame_size": str(block)}), sample_rate, frame_ms)

    def _header(self) -> bytes:
        # RFC 9639, 8: the marker; a metadata block that is the last (0x80), of type 0 (STREAMINFO), 34 bytes.
        return b"fLaC" + bytes([0x80, 0, 0, 34]) + bytes(self._context.extradata[:34])

    def _framed(self, packet: bytes) -> bytes:
        return packet


#: How ADTS numbers the sample rates (ISO 14496-3, table 1.18).
_ADTS_RATES = {48_000: 3, 44_100: 4, 24_000: 6, 22_050: 7, 16_000: 8, 8_000: 11}
_ADTS_HEADER = 7  # bytes
_AAC_BLOCK = 1024
#: A packet of one channel has 6144 bits at the most, and 1024 samples: so many bit/s for each Hz.
_AAC_BITS_PER_SAMPLE = 6


class AacEncoder(CodecEncoder):
    """AAC (low complexity) in ADTS, which begins and ends anywhere, and has no field for the coder's delay.

    So what a decoder gives is longer than the sound: by one block of 1024 samples before it (43 ms at 24 kHz,
    128 at 8 kHz), and by less than one after it. Both are silence, and nothing of the sound is missing. The
    first sound leaves when three blocks have gone in: 128 ms at 24 kHz, 390 at 8 kHz, 66 at 48 kHz.
    """

    def __init__(self, sample_rate: int, bitrate: int, frame_ms: int = 20) -> None:
        """`sample_rate` in Hz, one of `FILE_RATES`; `bitrate` in bit/s, lowered to what the rate allows."""
        bitrate = min(bitrate, _AAC_BITS_PER_SAMPLE * sample_rate)
        # By PLCMOS as good as FFmpeg's usual search (4.58 and 4.56 at 64 kbit/s), in a third of the time.
        codec = Codec("aac", "fltp", _AAC_BLOCK, {"aac_coder": "fast"}, _AAC_BLOCK, bitrate)
        super().__init__(codec, sample_rate, frame_ms)

    def _header(self) -> bytes:
        return b""

    def _framed(self, packet: bytes) -> bytes:
        # ISO 14496-3, 1.A.2.2: 12 bits of sync; MPEG-4, no checksum; profile (2 bits, low complexity is 1),
        # rate (4), one channel (3, after a private bit), length with the header (13, after four bits of
        # copyright), fullness of the buffer (11, all ones: not told), and one block of samples (2, as 0).
        bits = 0xFFF << 44 | 1 << 40 | 1 << 38 | _ADTS_RATES[self._rate] << 34 | 1 << 30
        bits |= (len(packet) + _ADTS_HEADER) << 13 | 0x7FF << 2
        return bits.to_bytes(_ADTS_HEADER) + packet


def completed(name: str, parts: Sequence[bytes], samples_at_48k: int) -> list[bytes]:
    """A whole file, in parts, with its length written into it, for those formats that have a place for it.

    `parts` are all that an encoder of the format `name` gave for a sound of `samples_at_48k` samples at
    `TIMELINE_RATE`, as the timeline counts them. The first has at least 16 KiB, unless it is the only one; no
    other is copied. Nothing is encoded again; no bytes stay no bytes.
    """
    complete = {"wav": _completed_wav, "flac": _completed_flac, "mp3": completed_mp3}.get(name)
    size = sum(map(len, parts))
    if complete is None or not size:
        return list(parts)
    head, rest = complete(parts[0], size, samples_at_48k * CODED_RATE // TIMELINE_RATE)
    return [head, parts[0][rest:], *parts[1:]]


def _completed_wav(data: bytes, size: int, _: int) -> tuple[bytes, int]:
    """The new beginning of a file of `size` bytes that begins with `data`, and where the old one ends."""
    riff = min(size - 8, UNKNOWN_LENGTH)
    sound = min(size - 44, UNKNOWN_LENGTH)
    return data[:4] + riff.to_bytes(4, "little") + data[8:40] + sound.to_bytes(4, "little"), 44


def _completed_flac(data: bytes, _: int, samples: int) -> tuple[bytes, int]:
    # RFC 9639, 8.2: 20 bits of sample rate, 3 of channels, 5 of bits per sample, 36 of samples in all.
    bits = int.from_bytes(data[18:26])
    return data[:18] + (bits | samples * (bits >> 44) // CODED_RATE).to_bytes(8), 26
