"""The binary frame of realtime.v1: a header of 24 bytes, then the payload."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from realtime.errors import InvalidMessageError
from realtime.types import FrameFlags, Packet


class FrameKind(IntEnum):
    """What the payload of a binary frame is."""

    OPUS = 1
    PCM_S16LE = 2
    CONTAINER = 3
    MULAW = 4


FRAME_VERSION = 1
#: version, kind, flags, handle, seq, duration, position; network byte order.
_HEADER = struct.Struct("!BBHIIIQ")
HEADER_BYTES = _HEADER.size
#: Of the header: handle, seq, duration, position; and where they begin.
FRAME_HEAD = struct.Struct("!IIIQ")
FRAME_HEAD_AT = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """A binary frame, decoded."""

    kind: FrameKind
    handle: int
    packet: Packet


def encode_frame(kind: FrameKind, handle: int, packet: Packet) -> bytes:
    """The header of 24 bytes and the payload."""
    return (
        _HEADER.pack(FRAME_VERSION, kind, packet.flags, handle, packet.seq, packet.duration, packet.position)
        + packet.payload
    )


class FrameHead(NamedTuple):
    """What the header of a frame tells; `position` and `duration` in samples of 48 kHz."""

    handle: int
    seq: int
    duration: int
    position: int


def frame_head(data: bytes) -> FrameHead:
    """The header of a frame that this server has made."""
    return FrameHead._make(FRAME_HEAD.unpack_from(data, FRAME_HEAD_AT))


def handle_of(data: bytes) -> int:
    """The handle in a frame's header alone."""
    return int.from_bytes(data[4:8])


def duration_of(data: bytes) -> int:
    """The duration in a frame's header alone: it is asked for with every frame."""
    return int.from_bytes(data[12:16])


def replayed(data: bytes) -> bytes:
    """The same frame, marked as sent again: flags are the bytes 2 and 3."""
    return data[:3] + bytes((data[3] | FrameFlags.REPLAYED,)) + data[4:]


def decode_frame(data: bytes) -> Frame:
    """The frame in a binary message; raises `InvalidMessageError`."""
    if len(data) < HEADER_BYTES:
        raise InvalidMessageError(f"a frame has at least {HEADER_BYTES} bytes, this one has {len(data)}")
    version, kind, flags, handle, seq, duration, position = _HEADER.unpack_from(data)
    if version != FRAME_VERSION:
        raise InvalidMessageError(f"frame version {version} is not known, only {FRAME_VERSION}")
    try:
        known = FrameKind(kind)
    except ValueError:
        raise InvalidMessageError(f"frame kind {kind} is not known") from None
    return Frame(known, handle, Packet(data[HEADER_BYTES:], seq, position, duration, FrameFlags(flags)))
