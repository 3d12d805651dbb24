"""MP3 that is sent while it is written, with LAME's word of the coder's delay in it."""

from __future__ import annotations

import struct

from realtime.audio.codecs import UNKNOWN_LENGTH, Codec, CodecEncoder, all_packets
from realtime.audio.opus import CODED_RATE

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
        codec = Codec("libmp3lame", "s16p", _mp3_block(sample_rate), options, _MP3_DELAY, nearest)
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
    counts = struct.pack(">II", 1, frames) if frames else struct.pack(">II", 2, UNKNOWN_LENGTH)
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
        min(size, UNKNOWN_LENGTH),
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


def completed_mp3(data: bytes, size: int, samples: int) -> tuple[bytes, int]:
    """The new beginning of a file of `size` bytes that begins with `data`, and where the old one ends."""
    version, index, number = data[1] >> 3 & 3, data[2] >> 4, data[2] >> 2 & 3
    sample_rate = next(rate for rate, numbers in _MP3_RATES.items() if numbers == (version, number))
    bitrate = 1000 * _mp3_kbits(sample_rate)[index - 1]
    length, block = samples * sample_rate // CODED_RATE, _mp3_block(sample_rate)
    frames = all_packets(length, _MP3_DELAY, block)
    padding = frames * block - _LAME_DELAY - length
    return (
        _info_frame(sample_rate, bitrate, frames, size, padding),
        _mp3_frame_size(sample_rate, bitrate),
    )
