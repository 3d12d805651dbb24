"""WebRTC peers of aiortc that listen, and when each packet came.

The time is the kernel's own (`SO_TIMESTAMPNS`): when it put the datagram into the socket, which on one
machine is when the server sent it. How busy the process is that reads does not change it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import struct
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import aiohttp
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtp import RtpPacket, is_rtcp
from av import AudioFrame

from bench.server import ServerProcess
from realtime.audio.opus import OpusDecoder
from realtime.audio.silence import AUDIBLE
from realtime.session import messages as wire

_RATE = 48_000
_WINDOW = _RATE // 200  # 5 ms
_ROUTE = "/v1/audio/speech/rtc"
_PATIENCE_S = 20.0
_LOOK_S = 0.01
#: Of Linux, and missing in Python's `socket`: the option, and what is told by it (seconds, nanoseconds).
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@qq")
_FIXED_HEADER = struct.Struct("!BBHII")
#: Of a lean peer's packets one of so many is read on, so that aiortc reports as to any sender.
_LEAN = 50


class Arrival(NamedTuple):
    """A packet: its number, its time in samples, and when it came (`time.monotonic`)."""

    sequence: int
    timestamp: int
    at: float


class Arrivals:
    """All packets that came to this process, by the number of who sent them."""

    def __init__(self) -> None:
        self.of: dict[int, list[Arrival]] = defaultdict(list)
        #: Packets are noted, and then dropped: decrypting and decoding many streams would take a core.
        self.lean = False


class _StampedSocket(socket.socket):
    """Notes the packets of sound: their header is not encrypted."""

    def __init__(self, family: int, arrivals: Arrivals) -> None:
        super().__init__(family, socket.SOCK_DGRAM)
        self.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._arrivals = arrivals

    def recvfrom(self, size: int, flags: int = 0) -> tuple[bytes, Any]:  # type: ignore[override]
        """As sockets do, for the event loop."""
        data, told, _, address = self.recvmsg(size, socket.CMSG_SPACE(_TIMESPEC.size))
        if len(data) >= _FIXED_HEADER.size and data[0] >> 6 == 2 and not is_rtcp(data):
            _, _, sequence, timestamp, ssrc = _FIXED_HEADER.unpack_from(data)
            seconds, nanoseconds = _TIMESPEC.unpack(told[0][2])
            age_s = time.time() - seconds - nanoseconds / 1e9
            self._arrivals.of[ssrc].append(Arrival(sequence, timestamp, time.monotonic() - age_s))
            if self._arrivals.lean and sequence % _LEAN:
                raise BlockingIOError  # there was nothing
        return data, address


class StampingLoop(asyncio.SelectorEventLoop):
    """An event loop whose UDP sockets note what comes."""

    def __init__(self) -> None:
        """Nothing has come."""
        super().__init__()
        self.arrivals = Arrivals()

    async def create_datagram_endpoint(  # type: ignore[override]
        self, protocol_factory: Any, local_addr: Any = None, **more: Any
    ) -> Any:
        """As asyncio's own."""
        if local_addr is None:
            return await super().create_datagram_endpoint(protocol_factory, **more)
        host = local_addr[0]
        stamped = _StampedSocket(socket.AF_INET6 if ":" in host else socket.AF_INET, self.arrivals)
        try:
            stamped.setblocking(False)
            stamped.bind(local_addr)
        except OSError:
            stamped.close()
            raise
        return await super().create_datagram_endpoint(protocol_factory, sock=stamped, **more)


@dataclass
class RtcPeer:
    """One peer connection that has made its offer."""

    pc: RTCPeerConnection
    http: aiohttp.ClientSession
    url: str
    channel: Any
    arrivals: Arrivals
    messages: list[dict[str, Any]] = field(default_factory=list)
    ssrc: int = 0
    _payloads: list[tuple[int, bytes]] = field(default_factory=list)
    _frames: list[tuple[float, np.ndarray]] = field(default_factory=list)
    _loud: list[float] = field(default_factory=list)
    _loud_frames: list[float] = field(default_factory=list)
    _decoder: OpusDecoder = field(default_factory=lambda: OpusDecoder(_RATE))
    _taking: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Post the offer, and return when the data channel is open."""
        opened = asyncio.Event()
        self.channel.on("open", opened.set)
        headers = {"Content-Type": "application/sdp"}
        offer = self.pc.localDescription.sdp
        async with self.http.post(self.url + _ROUTE, data=offer, headers=headers) as response:
            answer = await response.text()
            if response.status != 201:
                raise RuntimeError(answer)
        found = re.search(r"a=ssrc:(\d+)", answer)
        assert found, "the answer names who sends"
        self.ssrc = int(found[1])
        (receiver,) = self.pc.getReceivers()
        handle = receiver._handle_rtp_packet

        async def tapped(packet: RtpPacket, arrival_time_ms: int) -> None:
            self._payloads.append((packet.sequence_number, packet.payload))
            await handle(packet, arrival_time_ms)

        receiver._handle_rtp_packet = tapped  # type: ignore[method-assign]
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        async with asyncio.timeout(_PATIENCE_S):
            await opened.wait()

    def send(self, *messages: wire.ClientMessage) -> None:
        """Send messages of realtime.v1."""
        for message in messages:
            self.channel.send(wire.encode(message))

    async def until(self, kind: str) -> dict[str, Any]:
        """The next message of a type; those before it are forgotten."""
        async with asyncio.timeout(_PATIENCE_S * 10):
            while True:
                while self.messages:
                    message = self.messages.pop(0)
                    if message["type"] == kind:
                        return message
                    if message["type"] == "error":
                        raise RuntimeError(message["message"])
                await asyncio.sleep(_LOOK_S)

    # -- what was heard; never while something is measured, as it takes a while ----------------------------

    def loud(self, after: float) -> list[float]:
        """When packets with audible sound came, those that came after a moment."""
        if self._payloads:
            at = {each.sequence: each.at for each in self.arrivals.of[self.ssrc]}
            for sequence, payload in self._payloads:
                if _is_audible(self._decoder.decode(payload)):
                    self._loud.append(at[sequence])
            self._payloads.clear()
        return [each for each in self._loud if each > after]

    def loud_frames(self, after: float) -> list[float]:
        """When `track.recv` gave frames with audible sound, after a moment."""
        self._loud_frames += [at for at, pcm in self._frames if _is_audible(pcm)]
        self._frames.clear()
        return [each for each in self._loud_frames if each > after]

    async def until_loud(self, after: float, *, frames: bool = False) -> float:
        """When the first audible sound came after a moment."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                if found := self.loud_frames(after) if frames else self.loud(after):
                    return found[0]
                await asyncio.sleep(_LOOK_S)

    def on_track(self, track: MediaStreamTrack) -> None:
        """Take what comes."""
        self._taking = asyncio.create_task(self._take(track))

    async def _take(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, AudioFrame)
                pcm = frame.to_ndarray().reshape(-1, 2)[:, 0].astype(np.float32) / 32768
                self._frames.append((time.monotonic(), pcm))

    async def close(self) -> None:
        """Hang up."""
        await self.pc.close()
        if self._taking is not None:
            self._taking.cancel()
            await asyncio.gather(self._taking, return_exceptions=True)


@asynccontextmanager
async def rtc_peer(server: ServerProcess) -> AsyncIterator[RtcPeer]:
    """A peer that has made its offer, and has not posted it; the loop is a `StampingLoop`."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, StampingLoop)
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    async with aiohttp.ClientSession() as http:
        pc.addTransceiver("audio", "recvonly")
        channel = pc.createDataChannel(wire.PROTOCOL)
        peer = RtcPeer(pc, http, f"http://127.0.0.1:{server.port}", channel, loop.arrivals)
        pc.on("track", peer.on_track)
        channel.on("message", lambda data: peer.messages.append(json.loads(data)))
        try:
            await pc.setLocalDescription(await pc.createOffer())
            yield peer
        finally:
            await peer.close()


def lateness(packets: list[Arrival]) -> list[float]:
    """How late each packet came, in seconds, against the most punctual one: by its own time they are even."""
    first = packets[0]
    at = [
        packet.at - ((packet.timestamp - first.timestamp + 2**31) % 2**32 - 2**31) / _RATE
        for packet in packets
    ]
    earliest = min(at)
    return [each - earliest for each in at]


def _is_audible(pcm: np.ndarray) -> bool:
    windows = pcm[: len(pcm) // _WINDOW * _WINDOW].reshape(-1, _WINDOW)
    return bool((np.sqrt((windows**2).mean(axis=1)) >= AUDIBLE).any())
