"""A client for tests: speaks the wire as it is, and keeps what it receives in order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect

from realtime.session.frames import Frame, FrameKind, decode_frame

PATH = "/v1/audio/speech/ws"


class WireClient:
    """Sends dictionaries; `received` holds messages (dict) and frames (`Frame`) in the order they came."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.received: list[dict[str, Any] | Frame] = []

    async def send(self, kind: str, **fields: object) -> None:
        await self.connection.send(json.dumps({"type": kind, **fields}))

    async def receive(self) -> dict[str, Any] | Frame:
        async with asyncio.timeout(20):
            data = await self.connection.recv()
        item: dict[str, Any] | Frame = decode_frame(data) if isinstance(data, bytes) else json.loads(data)
        self.received.append(item)
        return item

    async def until(self, kind: str, **fields: object) -> dict[str, Any]:
        """Receive up to a message of this type with these fields."""
        while True:
            item = await self.receive()
            if isinstance(item, dict) and item["type"] == kind:
                if all(item.get(name) == value for name, value in fields.items()):
                    return item

    async def until_frame(self) -> Frame:
        """Receive up to a frame."""
        while True:
            if isinstance(item := await self.receive(), Frame):
                return item

    async def pong(self) -> None:
        """Receive all that was answered so far."""
        await self.send("ping", t="barrier")
        await self.until("pong", t="barrier")

    async def speak(self, text: str, context_id: str = "default") -> dict[str, Any]:
        """Speak a text whole; returns its `context.done`."""
        await self.send("text", text=text, context_id=context_id)
        await self.send("end", context_id=context_id)
        return await self.until("context.done", context_id=context_id)

    def messages(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Messages so far, of one type or all."""
        return [item for item in self.received if isinstance(item, dict) and kind in (None, item["type"])]

    def frames(self, handle: int | None = None) -> list[Frame]:
        """Frames so far, of one handle or all."""
        return [item for item in self.received if isinstance(item, Frame) and handle in (None, item.handle)]


async def eventually(condition: Callable[[], bool]) -> None:
    """Returns when `condition` holds; fails after 20 s."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event that a test could see
            await asyncio.sleep(0.01)


@asynccontextmanager
async def open_client(url: str, **options: Any) -> AsyncIterator[WireClient]:
    """A connected client; `options` are those of `websockets.connect`."""
    address = url.replace("http", "ws", 1) + PATH
    async with connect(
        address, **{"compression": None, "max_size": None, "proxy": None} | options
    ) as connection:
        yield WireClient(connection)


def decode(frames: list[Frame], pre_skip: int = 312) -> NDArray[np.float32]:
    """The sound of one context's frames at 48 kHz, by FFmpeg's own Opus decoder, cut to the true length."""
    length = sum(frame.packet.duration for frame in frames)
    if frames[0].kind is FrameKind.PCM_S16LE:
        raw = b"".join(frame.packet.payload for frame in frames)
        return np.frombuffer(raw, "<i2").astype(np.float32) / 32768
    decoder = av.CodecContext.create("opus", "r")
    decoder.sample_rate = 48_000  # type: ignore[attr-defined]
    decoder.layout = "mono"  # type: ignore[attr-defined]
    parts = [
        part.to_ndarray().reshape(-1)
        for frame in frames
        if frame.packet.payload
        for part in decoder.decode(av.Packet(frame.packet.payload))  # type: ignore[attr-defined]
    ]
    sound: NDArray[np.float32] = np.concatenate(parts)[pre_skip : pre_skip + length].astype(np.float32)
    return sound
