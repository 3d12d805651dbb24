"""Files that are sent while they are written: MP3, AAC, FLAC and WAV.

FFmpeg's encoders are used over PyAV. What stands around their packets is written here: FFmpeg's own MP3 files
say nothing of the coder's delay when their beginning cannot be written again, and its FLAC files begin with
8 KiB of padding. libsndfile holds FLAC back for 60 ms at 24 kHz and 180 at 8 kHz, and its MP3 takes twice the
time, at a bitrate of its own choice.

Every file is whole wherever it stops; that of the length is not known until then, and `completed` adds it.
"""

from __future__ import annotations

import math
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.codec.context import Flags
from numpy.typing import NDArray

from realtime.audio.opus import CODED_RATE
from realtime.audio.pcm import PcmS16leEncoder
from realtime.types import TIMELINE_RATE

_BYTES_PER_SAMPLE = 2
_GRID = 3  # an encoder's lookahead is a multiple of this
#: What a length field holds while the length is not known.
_UNKNOWN = 0xFFFFFFFF


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
        "<4sI4s4sIHHIIHH4sI", b"RIFF", _UNKNOWN, b"WAVE", b"fmt ", 16, *form, b"data", _UNKNOWN
    )


@dataclass(frozen=True, slots=True)
class _Codec:
    """One of FFmpeg's, with its format of samples and its options; `bitrate` in bit/s, or 0.

    `block` and `delay` are samples at the listener's rate: what a packet holds, and by how much the decoded
    sound is late. A codec with a delay gives each packet one block late, too.
    """

    name: str
    sample_format: str
    block: int
    options: Mapping[str, str]
    delay: int = 0
    bitrate: int = 0


class CodecEncoder(ABC):
    """A file of packets that a codec makes, each from a block of samples at the listener's rate.

    A packet is made when the sound that has to be out by now needs it, and never sooner, so that no packet is
    in the file that the end, wherever it comes, makes superfluous. The same sound makes the same bytes; one
    that is dropped in the middle needs no closing.
    """

    def __init__(self, codec: _Codec, sample_rate: int, frame_ms: int) -> None:
        """`sample_rate` in Hz, `frame_ms` one of 20, 40, 60; without a delay a block is one frame."""
        self._codec = codec
        self._rate = sample_rate
        self._pcm = PcmS16leEncoder(sample_rate, frame_ms)
        self.frame_samples = self._pcm.frame_samples
        # The packets with the sound up to n are the first ceil((n + delay) / block), and one block more must
        # have gone in. Without a delay a whole block is kept, as only the last one may be a short one.
        late = 2 * codec.block - 1 + codec.delay
        grid = math.ceil(late * CODED_RATE / sample_rate / _GRID) * _GRID
        self.lookahead = self._pcm.lookahead + grid if codec.delay else self.frame_samples
        self.held_back = 0
        # Samples after the end, that push out of the codec what a whole file has.
        self._silence = late + codec.block if codec.delay else 0
        self._context: Any = None
        self._given = 0  # samples at `CODED_RATE`
        self._waiting = bytearray()  # 16-bit samples that the codec has not got yet
        self._coded = 0  # samples that it has got
        self._packets = 0

    @abstractmethod
    def _header(self) -> bytes:
        """What the file begins with."""

    @abstractmethod
    def _framed(self, packet: bytes) -> bytes:
        """A packet as it stands in the file."""

    def encode(self, frame: bytes) -> bytes:
        """The file's next bytes after one frame of exactly `frame_samples` signed 16-bit samples."""
        self._take(frame)
        return self._bytes(_packets(self._length(0), self._codec.delay, self._codec.block))

    def encode_last(self, frame: bytes, discard: int) -> bytes:
        """The rest of the file, without the last `discard` samples at `CODED_RATE`; nothing may follow."""
        self._take(frame)
        return self._end(discard)

    def close(self) -> bytes:
        """The rest of the file when the last packet left before the end was known; nothing may follow."""
        return self._end(0) if self._given else b""

    def _take(self, frame: bytes) -> None:
        self._given += len(frame) // _BYTES_PER_SAMPLE
        self._waiting += self._pcm.encode(frame)

    def _length(self, discard: int) -> int:
        """Samples of sound that have to be out, when the last `discard` of those at `CODED_RATE` are none."""
        return max(0, self._given - self.lookahead - discard) * self._rate // CODED_RATE

    def _end(self, discard: int) -> bytes:
        length = self._length(discard)
        del self._waiting[max(0, length - self._coded) * _BYTES_PER_SAMPLE :]
        self._waiting += bytes(self._silence * _BYTES_PER_SAMPLE)
        return self._bytes(_all_packets(length, self._codec.delay, self._codec.block))

    def _bytes(self, needed: int) -> bytes:
        """The file's next bytes, up to so many packets in all."""
        parts: list[bytes] = []
        if self._context is None:
            # Not earlier, as it takes up to 4 ms: this is called by a worker.
            self._context = self._open()
            parts.append(self._header())
        while self._packets < needed:
            size = min(self._codec.block * _BYTES_PER_SAMPLE, len(self._waiting))
            packets = self._encode(np.frombuffer(bytes(self._waiting[:size]), "<i2").astype(np.int16))
            del self._waiting[:size]
            self._coded += size // _BYTES_PER_SAMPLE
            self._packets += len(packets)
            parts += map(self._framed, packets)
        return b"".join(parts)

    def _open(self) -> av.AudioCodecContext:
        context = av.CodecContext.create(self._codec.name, "w")
        assert isinstance(context, av.AudioCodecContext)
        context.sample_rate = self._rate
        context.layout = "mono"
        context.format = self._codec.sample_format
        context.bit_rate = self._codec.bitrate
        context.options = dict(self._codec.options)
        context.thread_count = 1
        context.flags |= Flags.bitexact  # no versions in the packets
        context.open()
        assert context.frame_size == self._codec.block
        return context

    def _encode(self, samples: NDArray[np.int16]) -> list[bytes]:
        """The packets that one block brings out."""
        block = samples.reshape(1, -1)
        form = self._codec.sample_format
        scaled = block / np.float32(32768) if form == "fltp" else block
        frame = av.AudioFrame.from_ndarray(scaled, format=form, layout="mono")
        frame.sample_rate = self._rate
        # `encode` would send the block through a graph of filters that cuts sound into such blocks. That
        # starts an idle thread per processor for each stream, and takes as long as encoding 0.1 s of sound.
        return [bytes(packet) for packet in self._context._send_frame_and_recv(frame)]


def _packets(length: int, delay: int, block: int) -> int:
    """How many packets have the first `length` samples of the sound in them, when it is late by `delay`."""
    return -(-(length + delay) // block) if length else 0


def _all_packets(length: int, delay: int, block: int) -> int:
    """How many packets a file has that is so long; FFmpeg takes none for MP3 that has only one."""
    needed = _packets(length, delay, block)
    return max(2, needed) if needed and delay else needed


class FlacEncoder(CodecEncoder):
    """FLAC of 16 bit, exact to the sample. Blocks are as long as frames; sound leaves one `frame_ms` later.

    The format allows for a hash of the sound that is not known (0), as for a length; libsndfile reads only
    files with a length (`completed`). FFmpeg's encoder takes 7 MiB, for the longest blocks of eight channels.
    """

    def __init__(self, sample_rate: int, frame_ms: int = 20) -> None:
        """`sample_rate` in Hz, one of `FILE_RATES`; `frame_ms` one of 20, 40, 60."""
        block = sample_rate * frame_ms // 1000
        super().__init__(_Codec("flac", "s16", block, {"frame_size": str(block)}), sample_rate, frame_ms)

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
        codec = _Codec("aac", "fltp", _AAC_BLOCK, {"aac_coder": "fast"}, _AAC_BLOCK, bitrate)
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


# The header of an MPEG audio frame of layer III (ISO 11172-3, 2.4.1.3, and 13818-3, 2.4.2.3). Of each rate
# the bits of its version (3: MPEG-1, 2: MPEG-2, 0: MPEG-2.5) and its number there.
_MP3_RATES = {
    44_100: (3, 0),
    48_000: (3, 1),
    22_050: (2, 0),
    24_000: (2, 1),
    16_000: (2, 2),
    8_000: (0, 2),
}
_MP3_MPEG1 = 3
#: Numbered from 1: kbit/s of MPEG-1, and of the other two; at 8 kHz LAME makes no more than 64.
_MP3_KBITS_1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MP3_KBITS_2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MP3_KBITS_8K = _MP3_KBITS_2[:8]
#: LAME's own delay in samples, and with what every decoder adds to it.
_LAME_DELAY = 576
_MP3_DELAY = _LAME_DELAY + 529
#: LAME 7, 8 and 9 make the same bytes; by PLCMOS (4.65 at 64 kbit/s) they are no worse than 0 to 6.
_LAME_QUALITY = "7"


class Mp3Encoder(CodecEncoder):
    """MP3 of constant bitrate. Every packet stands for itself: there is no bit reservoir.

    The file begins with an "Info" frame that holds the coder's delay, so that decoders that know of it
    (FFmpeg and what is built on it) give the sound from its very first sample; less than a block of silence
    (576 samples, 1152 from 44.1 kHz on) may follow it. Other decoders begin with 1105 samples of silence.
    `completed` adds the length, and then the end is exact too, also for those that want it (mpg123).
    The first sound leaves when 94 ms have gone in at 24 kHz, 289 at 8 kHz, 73 at 48 kHz.
    """

    def __init__(self, sample_rate: int, bitrate: int, frame_ms: int = 20) -> None:
        """`sample_rate` in Hz, one of `FILE_RATES`; of `bitrate` in bit/s the nearest that the rate has."""
        nearest = 1000 * min(_mp3_kbits(sample_rate), key=lambda kbits: abs(1000 * kbits - bitrate))
        options = {"reservoir": "0", "compression_level": _LAME_QUALITY}
        codec = _Codec("libmp3lame", "s16p", _mp3_block(sample_rate), options, _MP3_DELAY, nearest)
        super().__init__(codec, sample_rate, frame_ms)

    def _header(self) -> bytes:
        return _info_frame(self._rate, self._codec.bitrate)

    def _framed(self, packet: bytes) -> bytes:
        return packet


def _mp3_kbits(sample_rate: int) -> tuple[int, ...]:
    if _MP3_RATES[sample_rate][0] == _MP3_MPEG1:
        return _MP3_KBITS_1
    return _MP3_KBITS_8K if sample_rate == 8_000 else _MP3_KBITS_2


def _info_frame(sample_rate: int, bitrate: int, frames: int = 0, size: int = 0, padding: int = 0) -> bytes:
    """A silent frame with an "Info" tag (Xing's, with LAME's extension revision 0) in it.

    `frames` are those that follow, `size` the bytes of all with this one, `padding` the samples after the
    sound's end; without them the file's length is not known yet.
    """
    version, number = _MP3_RATES[sample_rate]
    side_information = bytes(17 if version == _MP3_MPEG1 else 9)
    # Which field follows: the count of frames (1), or that of bytes (2). When both are missing FFmpeg takes
    # this frame for sound; of bytes that cannot be right it goes by the file's own.
    counts = struct.pack(">II", 1, frames) if frames else struct.pack(">II", 2, _UNKNOWN)
    # LAME's: encoder; revision 0 and constant bitrate; lowpass, gains and flags, not told; kbit/s; both
    # delays of 12 bit; source's rate; gain and preset, not told; size; checksum of the sound, not told.
    source = {44_100: 1, 48_000: 2}.get(sample_rate, 0) << 6
    lame = struct.pack(
        ">9sB10xB3sBxxxIH",
        b"LAME3.100",
        1,
        min(255, bitrate // 1000),
        (_LAME_DELAY << 12 | padding).to_bytes(3),
        source,
        min(size, _UNKNOWN),
        0,
    )
    tag = side_information + b"Info" + counts + lame
    # The first bitrate from the sound's own on that has room for the header, the tag and its checksum.
    bitrates = [1000 * kbits for kbits in _mp3_kbits(sample_rate)]
    roomy = [each for each in bitrates if _mp3_frame_size(sample_rate, each) >= 4 + len(tag) + 2]
    own = min(each for each in roomy if each >= bitrate)
    # 11 bits of sync; version, layer III (1), no checksum; bitrate, rate; mono (3), original (1).
    bits = 0x7FF << 21 | version << 19 | 1 << 17 | 1 << 16 | number << 10 | 3 << 6 | 1 << 2
    bits |= (bitrates.index(own) + 1) << 12
    frame = bits.to_bytes(4) + tag
    return (frame + _crc16(frame).to_bytes(2)).ljust(_mp3_frame_size(sample_rate, own), b"\0")


def _mp3_block(sample_rate: int) -> int:
    return 1152 if _MP3_RATES[sample_rate][0] == _MP3_MPEG1 else 576


def _mp3_frame_size(sample_rate: int, bitrate: int) -> int:
    """Bytes of a frame without padding."""
    return _mp3_block(sample_rate) // 8 * bitrate // sample_rate


def _crc16(data: bytes) -> int:
    """CRC-16 with the polynomial 0x8005, least bit first, from 0: the checksum of LAME's tag."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


def completed(name: str, parts: Sequence[bytes], samples_at_48k: int) -> list[bytes]:
    """A whole file, in parts, with its length written into it, for those formats that have a place for it.

    `parts` are all that an encoder of the format `name` gave for a sound of `samples_at_48k` samples at
    `TIMELINE_RATE`, as the timeline counts them. The first has at least 16 KiB, unless it is the only one; no
    other is copied. Nothing is encoded again; no bytes stay no bytes.
    """
    complete = {"wav": _completed_wav, "flac": _completed_flac, "mp3": _completed_mp3}.get(name)
    size = sum(map(len, parts))
    if complete is None or not size:
        return list(parts)
    head, rest = complete(parts[0], size, samples_at_48k * CODED_RATE // TIMELINE_RATE)
    return [head, parts[0][rest:], *parts[1:]]


def _completed_wav(data: bytes, size: int, _: int) -> tuple[bytes, int]:
    """The new beginning of a file of `size` bytes that begins with `data`, and where the old one ends."""
    riff = min(size - 8, _UNKNOWN)
    sound = min(size - 44, _UNKNOWN)
    return data[:4] + riff.to_bytes(4, "little") + data[8:40] + sound.to_bytes(4, "little"), 44


def _completed_flac(data: bytes, _: int, samples: int) -> tuple[bytes, int]:
    # RFC 9639, 8.2: 20 bits of sample rate, 3 of channels, 5 of bits per sample, 36 of samples in all.
    bits = int.from_bytes(data[18:26])
    return data[:18] + (bits | samples * (bits >> 44) // CODED_RATE).to_bytes(8), 26


def _completed_mp3(data: bytes, size: int, samples: int) -> tuple[bytes, int]:
    version, index, number = data[1] >> 3 & 3, data[2] >> 4, data[2] >> 2 & 3
    sample_rate = next(rate for rate, numbers in _MP3_RATES.items() if numbers == (version, number))
    bitrate = 1000 * _mp3_kbits(sample_rate)[index - 1]
    length, block = samples * sample_rate // CODED_RATE, _mp3_block(sample_rate)
    frames = _all_packets(length, _MP3_DELAY, block)
    padding = frames * block - _LAME_DELAY - length
    return (
        _info_frame(sample_rate, bitrate, frames, size, padding),
        _mp3_frame_size(sample_rate, bitrate),
    )
