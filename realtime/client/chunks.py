"""One frame of sound, as a context gives it."""

from __future__ import annotations

from dataclasses import dataclass

from realtime.session.frames import Frame, FrameKind
from realtime.types import FrameFlags


@dataclass(frozen=True, slots=True)
class Chunk:
    """One frame of sound: `position` and `duration` in samples of 48 kHz on the context's timeline.

    The frame that closes a context may be empty: `duration` 0, no `payload`.
    """

    payload: bytes
    kind: FrameKind
    seq: int
    position: int
    duration: int
    first: bool
    last: bool


def chunk_of(frame: Frame) -> Chunk:
    """A frame without what only the session needs."""
    packet = frame.packet
    return Chunk(
        packet.payload,
        frame.kind,
        packet.seq,
        packet.position,
        packet.duration,
        bool(packet.flags & FrameFlags.FIRST),
        bool(packet.flags & FrameFlags.LAST),
    )
