"""A client for tests: speaks the wire as it is, and keeps what it receives in order."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect

from realtime.session.frames import Frame, FrameKind, decode_frame

Sound = NDArray[np.float32]
PATH = "/v1/audio/speech/ws"


class WireClient:
    """Sends dictionaries; `received` holds messages (dict) and frames (`Frame`) in the order they came."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.patience_s = 20.0  # what has not come by then is missing
        self.received: list[dict[str, Any] | Frame] = []

    async def send(self, kind: str, **fields: object) -> None:
        await self.connection.send(json.dumps({"type": kind, **fields}))

    async def receive(self) -> dict[str, Any] | Frame:
        async with asyncio.timeout(self.patience_s):
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


def decode(frames: list[Frame], pre_skip: int = 312) -> Sound:
    """The sound of one context's frames, by FFmpeg's own decoders: at 48 kHz, PCM at its own rate.

    Opus packets are cut to the length that their headers give; of a file its decoder knows the length.
    """
    payload = b"".join(frame.packet.payload for frame in frames)
    if frames[0].kind is FrameKind.PCM_S16LE:
        return np.frombuffer(payload, "<i2").astype(np.float32) / 32768
    if frames[0].kind is FrameKind.CONTAINER:
        return _decode_file(payload)
    if frames[0].kind is FrameKind.MULAW:
        return _decode_packets("pcm_mulaw", 8000, [payload])
    length = sum(frame.packet.duration for frame in frames)
    packets = [frame.packet.payload for frame in frames if frame.packet.payload]
    return _decode_packets("opus", 48_000, packets)[pre_skip : pre_skip + length]


def _decode_packets(codec: str, rate: int, packets: list[bytes]) -> Sound:
    decoder = av.CodecContext.create(codec, "r")
    decoder.sample_rate = rate  # type: ignore[attr-defined]
    decoder.layout = "mono"  # type: ignore[attr-defined]
    return _joined(frame for packet in packets for frame in decoder.decode(av.Packet(packet)))  # type: ignore[attr-defined]


def _decode_file(data: bytes) -> Sound:
    with av.open(io.BytesIO(data)) as container:
        return _joined(container.decode(audio=0))


def _joined(frames: Iterable[av.AudioFrame]) -> Sound:
    parts = [frame.to_ndarray().reshape(-1) for frame in frames]
    sound = np.concatenate(parts)
    return sound.astype(np.float32) / (32768 if sound.dtype == np.int16 else 1)
