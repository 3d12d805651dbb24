"""A sound as a string of bytes, for others to keep; and back, with everything checked.

16 bytes: "rts1", the header's length and the CRC-32 of all that follows (both u32, little endian), four zero
bytes. Then the header in MessagePack, padded with zero bytes to a multiple of 16, and all samples as float32,
little endian. The header lists the chunks; the names of their fields are in `_Chunk`. The chunks of a segment
follow each other, its last one and no other is marked as such, and the numbers of the segments rise.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Annotated

import msgspec
import numpy as np

from realtime.speech.cache import CachedSound
from realtime.types import AudioChunk, Pcm, WordTiming

_MAGIC = b"rts1"
_PREFIX = struct.Struct("<4sII4x")
_ALIGNMENT = 16
#: Words and chunks take more memory than bytes here; a sound of a minute needs a tenth of this.
_HEADER_BYTES = 64 * 1024
#: Far more than the full scale of 1, which an engine may exceed a little.
_LOUDEST = 16.0

_Count = Annotated[int, msgspec.Meta(ge=0, le=2**31)]
_Rate = Annotated[int, msgspec.Meta(ge=4_000, le=384_000)]


class _Chunk(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """As `AudioChunk`; `words` hold spoken start and end, start and end."""

    segment: _Count
    samples: _Count
    sample_rate: _Rate
    words: tuple[tuple[_Count, _Count, _Count, _Count], ...]
    estimated: bool
    last_of_segment: bool


_decoder = msgspec.msgpack.Decoder(tuple[_Chunk, ...])


def encode_sound(sound: CachedSound) -> bytes:
    """The bytes of a sound; raises `ValueError` when it has no end, or too many chunks and words."""
    chunks = [
        _Chunk(
            chunk.segment,
            len(chunk.pcm),
            chunk.sample_rate,
            tuple((each.spoken_start, each.spoken_end, each.start, each.end) for each in chunk.words),
            chunk.estimated,
            chunk.last_of_segment,
        )
        for chunk in sound.chunks
    ]
    _check_segments(chunks)
    header = msgspec.msgpack.encode(chunks)
    if len(header) > _HEADER_BYTES:
        raise ValueError("its header is too large")
    padded = header + bytes(-len(header) % _ALIGNMENT)
    samples = [chunk.pcm.astype("<f4", copy=False).data for chunk in sound.chunks]
    checksum = zlib.crc32(padded)
    for each in samples:
        checksum = zlib.crc32(each, checksum)
    return b"".join([_PREFIX.pack(_MAGIC, len(header), checksum), padded, *samples])


def decode_sound(value: bytes) -> CachedSound:
    """The sound that these bytes are, which it holds on to; raises `ValueError` saying why they are none."""
    if len(value) < _PREFIX.size or not value.startswith(_MAGIC):
        raise ValueError("it has another form")
    _, header_size, checksum = _PREFIX.unpack_from(value)
    if zlib.crc32(memoryview(value)[_PREFIX.size :]) != checksum:
        raise ValueError("its checksum is wrong")
    if header_size > min(_HEADER_BYTES, len(value) - _PREFIX.size):
        raise ValueError("its header is too large")
    try:
        chunks = _decoder.decode(memoryview(value)[_PREFIX.size : _PREFIX.size + header_size])
    except msgspec.MsgspecError:
        raise ValueError("its header has another form") from None
    start = _PREFIX.size + header_size + -header_size % _ALIGNMENT
    total = sum(chunk.samples for chunk in chunks)
    if not chunks or start + 4 * total != len(value):
        raise ValueError("it has another length than its header says")
    _check_segments(chunks)
    # Each is an array of its own over the bytes, which are read-only and hold nothing else.
    found: list[AudioChunk] = []
    for chunk in chunks:
        pcm: Pcm = np.frombuffer(value, "<f4", chunk.samples, start)
        start += pcm.nbytes
        # What is not a number is not within limits either.
        if chunk.samples and not (-_LOUDEST <= pcm.min() and pcm.max() <= _LOUDEST):
            raise ValueError("its samples are out of range")
        words = tuple(WordTiming(*word) for word in chunk.words)
        for word in words:
            if word.spoken_start > word.spoken_end or not word.start <= word.end <= total + chunk.sample_rate:
                raise ValueError("its words are out of range")
        found.append(
            AudioChunk(chunk.segment, pcm, chunk.sample_rate, words, chunk.estimated, chunk.last_of_segment)
        )
    return CachedSound(tuple(found))


def _check_segments(chunks: Sequence[_Chunk]) -> None:
    """Each segment must have its end: who hears one without would wait for it for ever."""
    for chunk, following in zip(chunks, [*chunks[1:], None], strict=True):
        if following is None:
            is_last = True
        elif following.segment < chunk.segment:
            raise ValueError("its segments are out of order")
        else:
            is_last = following.segment > chunk.segment
        if chunk.last_of_segment != is_last:
            raise ValueError("its segments have no ends, or more than one")
