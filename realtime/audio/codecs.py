"""FFmpeg's encoders over PyAV, for files that are sent while they are written."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.codec.context import Flags
from numpy.typing import NDArray

from realtime.audio.opus import CODED_RATE
from realtime.audio.pcm import PcmS16leEncoder

#: What a length field of a file holds while the length is not known.
UNKNOWN_LENGTH = 0xFFFFFFFF
_BYTES_PER_SAMPLE = 2
_GRID = 3  # an encoder's lookahead is a multiple of this


@dataclass(frozen=True, slots=True)
class Codec:
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

    def __init__(self, codec: Codec, sample_rate: int, frame_ms: int) -> None:
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
        return self._bytes(all_packets(length, self._codec.delay, self._codec.block))

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


def all_packets(length: int, delay: int, block: int) -> int:
    """How many packets a file has that is so long; FFmpeg takes none for MP3 that has only one."""
    needed = _packets(length, delay, block)
    return max(2, needed) if needed and delay else needed
