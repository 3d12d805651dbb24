"""Hand-made sounds and pieces, and listeners that check what came out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import numpy as np

from realtime.audio.formats import PacketEncoder
from realtime.audio.opus import CODED_RATE, OpusDecoder
from realtime.speech.timeline import Timeline
from realtime.types import (
    TIMELINE_RATE,
    AudioChunk,
    FrameFlags,
    Packet,
    Pcm,
    SegmentStarted,
    SpanLink,
    TextPiece,
    WordsTimed,
    WordTiming,
)

RATE = CODED_RATE
SCALE = TIMELINE_RATE // RATE
PRE_SKIP = 312


def ms(milliseconds: float) -> int:
    """In samples at the encoder's rate."""
    return round(RATE * milliseconds / 1000)


def silence(milliseconds: float) -> Pcm:
    return np.zeros(ms(milliseconds), np.float32)


def tone(milliseconds: float, level: float = 0.5, hz: float = 440) -> Pcm:
    """Loud from its first sample to its last."""
    phase = np.arange(ms(milliseconds)) * (2 * np.pi * hz / RATE) + np.pi / 4
    return (level * np.cos(phase)).astype(np.float32)


def sound(*parts: Pcm) -> Pcm:
    return np.concatenate(parts).astype(np.float32)


def piece(segment: int, text: str, source: int = 0) -> TextPiece:
    """A piece whose words stand in the source as they are, from `source` on."""
    spans: list[SpanLink] = []
    at = 0
    for word in text.split():
        start = text.index(word, at)
        at = start + len(word)
        spans.append(SpanLink(start, at, source + start, source + at))
    return TextPiece(segment, text, (source, source + len(text)), tuple(spans), "en")


def chunk(
    segment: int, pcm: Pcm, last: bool = True, words: tuple[WordTiming, ...] = (), estimated: bool = False
) -> AudioChunk:
    return AudioChunk(segment, pcm, RATE, words, estimated, last)


async def until(condition: Callable[[], bool]) -> None:
    """Let everything else run until the condition holds."""
    for _ in range(20_000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it never came about")


class Rendered:
    """A timeline fed by hand, with everything that came out of it."""

    def __init__(self, encoder: PacketEncoder, speed: float = 1.0) -> None:
        self.timeline = Timeline(encoder, speed)
        self.packets: list[Packet] = []
        self.events: list[SegmentStarted | WordsTimed] = []

    def drain(self, partial: bool = False, limit: int = 7) -> list[Packet]:
        made: list[Packet] = []
        while packets := self.timeline.packets(limit, partial):
            assert len(packets) <= limit
            made += packets
        self.packets += made
        return made

    def add(self, text: TextPiece, audio: AudioChunk) -> list[Packet]:
        self.events += self.timeline.add(text, audio)
        return self.drain()

    def flush(self) -> list[Packet]:
        self.timeline.flush()
        return self.drain(partial=True)

    def finish(self) -> list[Packet]:
        self.timeline.finish()
        return self.drain()

    @property
    def starts(self) -> list[int]:
        return [event.start for event in self.events if isinstance(event, SegmentStarted)]


def check_packets(packets: list[Packet], length: int) -> None:
    """Numbered, contiguous, marked first and last once, and as long together as they say."""
    position = 0
    for seq, packet in enumerate(packets):
        assert (packet.seq, packet.position) == (seq, position)
        assert packet.duration >= 0
        position += packet.duration
    assert position == length
    assert [bool(packet.flags & FrameFlags.FIRST) for packet in packets] == [
        seq == 0 for seq in range(len(packets))
    ]
    assert [bool(packet.flags & FrameFlags.LAST) for packet in packets] == [
        seq == len(packets) - 1 for seq in range(len(packets))
    ]


def hear_pcm(packets: Iterable[Packet]) -> Pcm:
    """Raw PCM as a listener plays it, at the encoder's rate."""
    data = b"".join(packet.payload for packet in packets)
    return (np.frombuffer(data, "<i2") / np.float32(32767)).astype(np.float32)


def hear_opus(packets: Iterable[Packet]) -> Pcm:
    """Opus as a listener plays it, at 48 kHz: the pre-skip dropped, cut to the true end."""
    decoder = OpusDecoder()
    packets = list(packets)
    decoded = [decoder.decode(packet.payload) for packet in packets if packet.payload]
    return np.concatenate(decoded)[PRE_SKIP:][: sum(packet.duration for packet in packets)]
