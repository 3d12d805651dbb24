"""The Real-time Transport Protocol (RFC 3550): packets of Opus (RFC 7587) at their time, one every 20 ms.

Nothing is encoded here, and little is computed: of a header only two numbers change.
"""

from __future__ import annotations

import random
import secrets
import struct
from dataclasses import dataclass
from math import inf
from typing import Protocol

from aiortc.clock import current_ntp_time
from aiortc.rtp import (
    AnyRtcpPacket,
    RtcpByePacket,
    RtcpRrPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
)

from realtime.live.track import PACKET_MS, Track
from realtime.server.webrtc.beats import Beats

#: Of Opus in RTP: its clock always runs at 48 kHz.
CLOCK_RATE = 48_000
_TICKS = CLOCK_RATE * PACKET_MS // 1000
#: Mean of the times between two reports (RFC 3550, 6.2).
_REPORT_S = 5.0
#: The first one comes after so many packets.
_UNTIL_REPORT = 25
#: Version 2; with an extension header (RFC 3550, 5.1). Its one-byte form: RFC 8285, 4.2.
_VERSION, _EXTENDED = 0x80, 0x10
_MARKER = 0x80
_ONE_BYTE_FORM = 0xBEDE
_SDES_CNAME = 1
_U16, _U32 = 0xFFFF, 0xFFFFFFFF


class PacketSink(Protocol):
    """Where packets go: `aiortc.RTCDtlsTransport`, which encrypts them."""

    async def _send_rtp(self, data: bytes) -> None: ...


@dataclass(slots=True)
class Reception:
    """What the listener's reports say: packets lost in all, and by how much they come unevenly."""

    lost: int = 0
    jitter_ms: float = 0.0


class TrackSender:
    """Sends a track, and silence where there is none; aiortc takes it for one of its own senders."""

    def __init__(self, payload_type: int, mid: tuple[int, str] | None, silence: bytes, beats: Beats) -> None:
        """`mid`: number and value of the header extension that names the section of the SDP, if agreed on.

        `silence` is a packet of it.
        """
        # The first packets must come before the number wraps around: without them SRTP could not be followed.
        self._sequence = random.randrange(1 << 15)
        self._timestamp = secrets.randbits(32)
        #: What packets are known by, and the name that stands for their clock.
        self._ssrc = secrets.randbits(32)
        self.cname = secrets.token_urlsafe(12)
        self._first_byte = _VERSION | (_EXTENDED if mid else 0)
        self._payload_type = payload_type
        self._extension = b"" if mid is None else _extension(*mid)
        self._silence = silence
        self._beats = beats
        self._report_at = inf
        self._packets = self._bytes = 0
        self._was_silent = True
        #: The track that is sent; None: there is none, and silence is sent.
        self.track: Track | None = None
        self.reception = Reception()
        #: The most that a packet was late, in seconds, and packets that were left out for that.
        self.latest_s = 0.0
        self.left_out = 0

    @property
    def ssrc(self) -> int:
        """What its packets are known by."""
        return self._ssrc

    async def run(self, sink: PacketSink) -> None:
        """Send until it is cancelled, or the sink raises `ConnectionError`."""

        async def send(now: float, late_s: float, missed: int) -> None:
            self.latest_s = max(self.latest_s, late_s)
            self.left_out += missed
            self._timestamp = (self._timestamp + missed * _TICKS) & _U32
            await sink._send_rtp(self._next())
            if self._packets == _UNTIL_REPORT or now >= self._report_at:
                await sink._send_rtp(self._report())
                self._report_at = now + _REPORT_S * random.uniform(0.5, 1.5)

        await self._beats.keep(send)

    def goodbye(self) -> bytes:
        """What tells the listener that nothing more comes (RTCP BYE, behind a report: RFC 3550, 6.1)."""
        return self._report() + bytes(RtcpByePacket(sources=[self._ssrc]))

    def _next(self) -> bytes:
        payload = None if self.track is None else self.track.pull()
        is_silent = payload is None
        marker = _MARKER if self._was_silent and not is_silent else 0  # a talkspurt begins (RFC 3551, 4.1)
        self._was_silent = is_silent
        if payload is None:
            payload = self._silence
        head = struct.pack(
            "!BBHII",
            self._first_byte,
            self._payload_type | marker,
            self._sequence,
            self._timestamp,
            self._ssrc,
        )
        self._sequence = (self._sequence + 1) & _U16
        self._timestamp = (self._timestamp + _TICKS) & _U32
        self._packets += 1
        self._bytes += len(payload)
        return head + self._extension + payload

    def _report(self) -> bytes:
        """When what was sent, and by whom (RTCP SR and SDES)."""
        sent = RtcpSenderInfo(
            ntp_timestamp=current_ntp_time(),
            rtp_timestamp=(self._timestamp - _TICKS) & _U32,
            packet_count=self._packets & _U32,
            octet_count=self._bytes & _U32,
        )
        named = RtcpSourceInfo(ssrc=self._ssrc, items=[(_SDES_CNAME, self.cname.encode())])
        return bytes(RtcpSrPacket(ssrc=self._ssrc, sender_info=sent)) + bytes(RtcpSdesPacket(chunks=[named]))

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        """A report of the listener; nothing is sent again, for each packet makes up for the one before."""
        if isinstance(packet, RtcpRrPacket | RtcpSrPacket):
            for report in packet.reports:
                if report.ssrc == self._ssrc:
                    self.reception.lost = report.packets_lost
                    self.reception.jitter_ms = report.jitter * 1000 / CLOCK_RATE


def _extension(number: int, value: str) -> bytes:
    """A header extension with one element."""
    element = bytes([number << 4 | len(value) - 1]) + value.encode()
    element += bytes(-len(element) % 4)
    return struct.pack("!HH", _ONE_BYTE_FORM, len(element) // 4) + element
