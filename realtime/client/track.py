"""The sound of a session as a WebRTC track: a peer connection beside the session's socket (aiortc).

    async with connect("ws://127.0.0.1:8000", audio="rtc") as session, hear(session) as track:
        context = session.open()
        await context.send("Hello there.")
        await context.end()
        ...  # meanwhile, elsewhere: async for pcm in track: play(pcm)
        await context.heard()

A browser does the same with `session.ready.rtc_token`; this is for programs that want the sound themselves.
It is no part of `realtime.client`, which needs neither aiortc nor aiohttp.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Self
from urllib.parse import urljoin

import aiohttp
import av
import numpy as np
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from msgspec import UNSET

from realtime.client.errors import ConnectionFailedError
from realtime.client.refusals import refusal_of
from realtime.client.session import Session
from realtime.types import TIMELINE_RATE, Pcm

PATH = "/v1/audio/speech/rtc"
#: Of what is heard, in Hz.
SAMPLE_RATE = TIMELINE_RATE
#: A peer connection has so long to come about.
CONNECT_S = 15.0
_FULL_SCALE = 32768.0


class HeardTrack:
    """What is heard, as it is heard: float32 mono arrays at 48 kHz, silence included. Made by `hear`."""

    def __init__(self, peer: RTCPeerConnection) -> None:
        """`peer` is still to be connected."""
        self._peer = peer
        self._track: asyncio.Future[MediaStreamTrack] = asyncio.get_running_loop().create_future()
        self._changed = asyncio.Event()
        peer.on("track", self._on_track)
        peer.on("connectionstatechange", self._changed.set)

    def _on_track(self, track: MediaStreamTrack) -> None:
        if not self._track.done():
            self._track.set_result(track)

    def __aiter__(self) -> Self:
        """Sound, until the connection ends."""
        return self

    async def __anext__(self) -> Pcm:
        """The next 20 ms, shape (960,), in [-1, 1]; of what was lost on the way there is nothing."""
        try:
            frame = await (await asyncio.shield(self._track)).recv()
        except MediaStreamError:
            raise StopAsyncIteration from None
        assert isinstance(frame, av.AudioFrame), "an audio track has no other"
        samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))
        sound: Pcm = samples.mean(axis=1, dtype=np.float32) / np.float32(_FULL_SCALE)
        return sound

    async def connected(self) -> None:
        """Returns when sound can be heard; raises `ConnectionFailedError`."""
        try:
            async with asyncio.timeout(CONNECT_S):
                while self._peer.connectionState != "connected":
                    if self._peer.connectionState in ("failed", "closed"):
                        raise ConnectionFailedError("no way was found to the server over UDP")
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise ConnectionFailedError("no way was found to the server over UDP") from None


@contextlib.asynccontextmanager
async def hear(session: Session) -> AsyncIterator[HeardTrack]:
    """Connect to the track of a session that was begun with `audio="rtc"`, for as long as the block runs.

    Raises `ConnectionFailedError`, and `ValueError` for a session whose sound comes in frames.
    """
    ready = session.ready
    if ready.rtc_token is UNSET or ready.ice_servers is UNSET:
        raise ValueError('the session was begun without audio="rtc"')
    servers = [RTCIceServer(each.urls, each.username, each.credential) for each in ready.ice_servers]
    peer = RTCPeerConnection(RTCConfiguration(iceServers=servers))
    peer.addTransceiver("audio", "recvonly")
    track = HeardTrack(peer)
    url = urljoin(session.address.replace("ws", "http", 1), PATH)
    headers = {"Authorization": f"Bearer {ready.rtc_token}", "Content-Type": "application/sdp"}
    location: str | None = None
    async with aiohttp.ClientSession(headers=headers) as http:
        try:
            await peer.setLocalDescription(await peer.createOffer())
            answer, location = await _exchange(http, url, peer.localDescription.sdp)
            await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
            await track.connected()
            yield track
        finally:
            if location is not None:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    await http.delete(urljoin(url, location))
            await peer.close()


async def _exchange(http: aiohttp.ClientSession, url: str, offer: str) -> tuple[str, str]:
    """The answer to an offer, and where it can be ended."""
    try:
        async with asyncio.timeout(CONNECT_S), http.post(url, data=offer) as response:
            body = await response.read()
            if response.status != 201:
                code, reason = refusal_of(body)
                told = f"the server refuses the peer connection: HTTP {response.status} {reason}"
                raise ConnectionFailedError(told.rstrip(), code=code)
            return body.decode(), response.headers["Location"]
    except (aiohttp.ClientError, TimeoutError, KeyError) as error:
        raise ConnectionFailedError(f"no server answers at {url}: {error}") from error
