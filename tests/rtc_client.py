"""A WebRTC client: a real aiortc peer that keeps every packet, every sample and every message it gets."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import aioice
import numpy as np
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtp import RtpPacket

from tests.wire_client import eventually

ROUTE = "/v1/audio/speech/rtc"
SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
#: A test that hangs is ended; nothing is measured by it.
HANGS_S = 30.0


@dataclass
class Heard:
    """A packet as it came: when (monotonic seconds), its RTP time and number, and what it holds."""

    at: float
    timestamp: int
    sequence: int
    marker: int
    payload: bytes


@dataclass
class RtcClient:
    """One peer connection. `messages` are those of the data channel, `packets` those of the track."""

    pc: RTCPeerConnection
    http: aiohttp.ClientSession
    url: str
    headers: dict[str, str]
    channel: RTCDataChannel | None = None
    location: str = ""
    etag: str = ""
    answer: str = ""
    answer_ports: list[str] = field(default_factory=list)  # of a new begin
    messages: list[dict[str, Any]] = field(default_factory=list)
    packets: list[Heard] = field(default_factory=list)
    samples: list[np.ndarray] = field(default_factory=list)  # int16 at 48 kHz, mono
    frame_times: list[float] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _taking: asyncio.Task[None] | None = None

    def send(self, **message: object) -> None:
        """Send a message of realtime.v1."""
        assert self.channel is not None
        self.channel.send(json.dumps(message))

    async def until(self, kind: str, **fields: object) -> dict[str, Any]:
        """The first message of a type, with these fields, that has come or comes."""
        async with asyncio.timeout(HANGS_S):
            while True:
                for message in self.messages:
                    if message["type"] == kind and all(message.get(k) == v for k, v in fields.items()):
                        return message
                self._changed.clear()
                await self._changed.wait()

    async def until_packets(self, count: int) -> None:
        """Returns when so many packets have come."""
        await eventually(lambda: len(self.packets) >= count)

    async def until_closed(self) -> None:
        """Returns when the connection is closed."""
        await eventually(lambda: self.pc.connectionState in ("closed", "failed"))

    def sound(self) -> np.ndarray:
        """All that was decoded, float32 at 48 kHz."""
        if not self.samples:
            return np.zeros(0, np.float32)
        return np.concatenate(self.samples).astype(np.float32) / 32768

    def _on_message(self, data: str | bytes) -> None:
        assert isinstance(data, str), "a data channel has no binary messages"
        self.messages.append({**json.loads(data), "_at": time.monotonic()})
        self._changed.set()

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._taking = asyncio.create_task(self._take(track))

    async def _take(self, track: MediaStreamTrack) -> None:
        last: int | None = None
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            data = frame.to_ndarray().reshape(-1, 2)[:, 0]
            if last is not None and frame.pts > last:  # lost packets leave their time
                self.samples.append(np.zeros(frame.pts - last, np.int16))
            last = frame.pts + len(data)
            self.samples.append(data)
            self.frame_times.append(time.monotonic())

    def _tap(self) -> None:
        """Keep every packet of the track as it comes."""
        (receiver,) = self.pc.getReceivers()
        handle = receiver._handle_rtp_packet

        async def tapped(packet: RtpPacket, arrival_time_ms: int) -> None:
            self.packets.append(
                Heard(
                    time.monotonic(), packet.timestamp, packet.sequence_number, packet.marker, packet.payload
                )
            )
            await handle(packet, arrival_time_ms)

        receiver._handle_rtp_packet = tapped  # type: ignore[method-assign]
        transport = receiver.transport.transport

        async def received() -> bytes:
            while True:
                connection = transport._connection
                try:
                    return await connection.recv()
                except ConnectionError:
                    if connection is transport._connection:  # else ICE has begun anew
                        raise

        transport._recv = received  # type: ignore[method-assign]

    async def post(self, sdp: str, content_type: str = SDP, body: object = None) -> aiohttp.ClientResponse:
        """POST an offer."""
        data = sdp if body is None else json.dumps(body)
        return await self.http.post(
            self.url + ROUTE, data=data, headers={**self.headers, "Content-Type": content_type}
        )

    async def offer(self) -> str:
        """An offer, with all candidates in it."""
        await self.pc.setLocalDescription(await self.pc.createOffer())
        return self.pc.localDescription.sdp

    async def connect(self, token: str | None = None) -> None:
        """Offer, and take the answer."""
        if token is not None:
            self.headers = {**self.headers, "Authorization": f"Bearer {token}"}
        response = await self.post(await self.offer())
        text = await response.text()
        assert response.status == 201, text
        self.location, self.etag = response.headers["Location"], response.headers["ETag"]
        await self.accept(text)

    async def accept(self, answer: str) -> None:
        """Take an answer."""
        self.answer = answer
        self._tap()
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        channel = self.channel
        if channel is not None:
            await eventually(lambda: channel.readyState != "connecting")

    async def restart_ice(self) -> None:
        """Begin ICE anew, as a browser does with `restartIce`; what DTLS has agreed on stays."""
        (receiver,) = self.pc.getReceivers()
        transport = receiver.transport.transport
        former = transport._connection
        fresh = aioice.Connection(ice_controlling=True)
        await fresh.gather_candidates()
        lines = [f"a=ice-ufrag:{fresh.local_username}", f"a=ice-pwd:{fresh.local_password}"]
        lines += [f"a=candidate:{each.to_sdp()}" for each in fresh.local_candidates]
        sent = {**self.headers, "Content-Type": FRAGMENT, "If-Match": self.etag}
        body = "\r\n".join(lines) + "\r\n"
        async with self.http.patch(self.url + self.location, data=body, headers=sent) as response:
            answer = await response.text()
            assert response.status == 200, answer
            self.etag = response.headers["ETag"]
        attributes = dict(line[2:].split(":", 1) for line in answer.splitlines() if ":" in line)
        fresh.remote_username, fresh.remote_password = attributes["ice-ufrag"], attributes["ice-pwd"]
        for line in re.findall(r"a=candidate:(.*)", answer):
            candidate = aioice.Candidate.from_sdp(line)
            self.answer_ports.append(str(candidate.port))
            await fresh.add_remote_candidate(candidate)
        await fresh.add_remote_candidate(None)
        await fresh.connect()
        transport._connection = fresh
        transport._send = fresh.send
        await former.close()

    async def vanish(self) -> None:
        """Be gone without a word: nothing is sent any more, and nothing is answered."""
        (receiver,) = self.pc.getReceivers()
        for protocol in receiver.transport.transport._connection._protocols:
            protocol.transport.abort()

    async def hang_up(self) -> int:
        """DELETE; the status."""
        async with self.http.delete(self.url + self.location, headers=self.headers) as response:
            return response.status


@asynccontextmanager
async def rtc_client(
    url: str,
    *,
    label: str | None = "realtime.v1",
    key: str | None = None,
    configuration: RTCConfiguration | None = None,
) -> AsyncIterator[RtcClient]:
    """A peer that has offered nothing yet; `label` of its data channel, None: it has none."""
    pc = RTCPeerConnection(configuration or RTCConfiguration(iceServers=[]))
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession() as http:
        client = RtcClient(pc, http, url, headers)
        pc.addTransceiver("audio", "recvonly")
        pc.on("track", client._on_track)
        if label is not None:
            client.channel = pc.createDataChannel(label)
            client.channel.on("message", client._on_message)
        try:
            yield client
        finally:
            await pc.close()
            if client._taking is not None:
                client._taking.cancel()
                await asyncio.gather(client._taking, return_exceptions=True)
