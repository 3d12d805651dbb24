"""Opus in a file that is sent while it is written: Ogg (RFC 7845) and WebM, muxed by FFmpeg over PyAV."""

from __future__ import annotations

import math
import struct
from abc import ABC, abstractmethod
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import av
from av.packet import PacketSideData, packet_sidedata_type_from_literal

from realtime.audio.opus import CODED_RATE, OpusEncoder
from realtime.types import TIMELINE_RATE

_SCALE = TIMELINE_RATE // CODED_RATE
_TIME_BASE = Fraction(1, TIMELINE_RATE)


class _Sink:
    """The file that a muxer writes to: bytes wait here until they are taken."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Called by PyAV; returns how much was taken, which is all."""
        self._parts.append(data)
        return len(data)

    def take(self) -> bytes:
        """What was written since the last call."""
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


class ContainerEncoder(ABC):
    """One file for one stream of mono sound at `CODED_RATE`. The header comes with the first packet's bytes.

    The file says how much of its beginning is to be dropped (the encoder's lookahead) and how much of its
    end. The same sound makes the same bytes: no dates, no random numbers. One that is dropped in the middle
    needs no closing.
    """

    def __init__(self, container: str, options: Mapping[str, str], bitrate: int, frame_ms: int) -> None:
        """`container` and `options` are FFmpeg's; `bitrate` in bit/s, `frame_ms` one of 20, 40, 60."""
        self._opus = OpusEncoder(bitrate, frame_ms)
        self.frame_samples = self._opus.frame_samples
        self.lookahead = self._opus.lookahead
        self.held_back = 0
        self._sink = _Sink()
        # No versions, dates or random identifiers in the file; and nothing stays in the I/O buffer.
        flags = {"fflags": "bitexact", "flush_packets": "1"}
        self._file = av.open(self._sink, "w", format=container, container_options={**flags, **options})
        # FFmpeg's wrapper of the same libopus writes the header, lookahead included; it encodes nothing. The
        # rate in the header is the listener's: players of WebM expect it, and opusdec decodes Ogg to it.
        self._stream = self._file.add_stream("libopus", rate=TIMELINE_RATE)
        self._stream.layout = "mono"
        # In samples at 48 kHz. Muxers count from the first sample that is heard, and add the lookahead again.
        self._time = -self.lookahead * _SCALE

    def encode(self, frame: bytes) -> bytes:
        """The file's next bytes after one frame of exactly `frame_samples` signed 16-bit samples."""
        packet = self._packet(self._opus.encode(frame), self.frame_samples * _SCALE)
        self._mux(packet)
        return self._sink.take()

    def encode_last(self, frame: bytes, discard: int) -> bytes:
        """The rest of the file; nothing may follow.

        The file says that the last `discard` samples at `CODED_RATE`, less than a frame, are not to be heard.
        """
        packet = self._packet(self._opus.encode(frame), self.frame_samples * _SCALE)
        self._cut(packet, discard * _SCALE)
        self._file.mux_one(packet)
        return self.close()

    def close(self) -> bytes:
        """The rest of the file when the last packet left before the end was known; nothing may follow."""
        self._file.close()
        return self._sink.take()

    def _packet(self, data: bytes, duration: int) -> av.Packet[Any]:
        packet: av.Packet[Any] = av.Packet(data)
        packet.stream = self._stream
        packet.time_base = _TIME_BASE
        packet.pts = packet.dts = self._time
        packet.duration = duration
        self._time += duration
        return packet

    def _mux(self, packet: av.Packet[Any]) -> None:
        self._file.mux_one(packet)

    @abstractmethod
    def _cut(self, packet: av.Packet[Any], discard: int) -> None:
        """Mark a packet so that the last `discard` (48 kHz) of its samples are not heard."""


class OggOpusEncoder(ContainerEncoder):
    """Ogg: one page per packet; the last page's granule position is the true length (RFC 7845, 4.5)."""

    def __init__(self, bitrate: int, frame_ms: int = 20) -> None:
        """`bitrate` in bit/s, `frame_ms` one of 20, 40, 60."""
        # A page is complete when it holds 20 ms, in microseconds.
        super().__init__("ogg", {"page_duration": "20000"}, bitrate, frame_ms)
        # FFmpeg keeps the newest page until the next one: it may prove to be the last, and be marked so.
        self.held_back = self.frame_samples

    def _cut(self, packet: av.Packet[Any], discard: int) -> None:
        # The granule position is where the packet ends. FFmpeg takes a duration of 0 for unknown.
        packet.duration = max(1, (packet.duration or 0) - discard)


class WebmOpusEncoder(ContainerEncoder):
    """WebM: one cluster per packet, so that it can be played as it comes; no index, and of unknown length."""

    def __init__(self, bitrate: int, frame_ms: int = 20) -> None:
        """`bitrate` in bit/s, `frame_ms` one of 20, 40, 60."""
        super().__init__("webm", {"live": "1", "cluster_time_limit": "1"}, bitrate, frame_ms)
        # WebM counts in whole milliseconds, and FFmpeg adds the lookahead as 7 for 6.5. It is taken off as 7
        # here, so that packets follow each other without a gap.
        self._time = -math.ceil(self.lookahead * 1000 / CODED_RATE) * TIMELINE_RATE // 1000

    def _mux(self, packet: av.Packet[Any]) -> None:
        # FFmpeg keeps an audio packet until the next (matroskaenc.c: cur_audio_pkt), and a cluster as well.
        # Empty packets are not written: the first one puts the packet into its cluster, the second one ends
        # the cluster.
        super()._mux(packet)
        for _ in range(2):
            super()._mux(self._packet(b"", 0))

    def _cut(self, packet: av.Packet[Any], discard: int) -> None:
        # Becomes the block's DiscardPadding. AV_PKT_DATA_SKIP_SAMPLES (packet.h) is in little endian: u32
        # samples to skip at the start, u32 at the end, and two bytes for the reasons.
        kind = packet_sidedata_type_from_literal("skip_samples")
        data = struct.pack("<IIBB", 0, discard, 0, 0)
        side_data = PacketSideData(kind, len(data))  # type: ignore[call-arg]  # missing in PyAV's stubs
        side_data.update(data)
        packet.set_sidedata(side_data)
