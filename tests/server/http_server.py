"""For tests of speech over HTTP: an engine that fails or waits on a word, raw requests, and events."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from realtime.engines.engine import Open
from realtime.engines.synthesizer import Cancellation
from realtime.engines.tone import ToneSynthesizer
from realtime.types import AudioChunk, TextPiece

SPEECH = "/v1/audio/speech"
PCM = "/v1/audio/speech/pcm"
SENTENCES = "/v1/audio/speech/stream"


class MoodySynthesizer(ToneSynthesizer):
    """Whistles; but with FAIL in a segment it raises, and with WAIT it waits until told or cancelled."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.waits = threading.Event()

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        if "FAIL" in piece.text:
            raise ValueError("a secret of the inside")
        if "WAIT" in piece.text:
            self.waits.set()
            while not cancellation.cancelled and not self.go_on.wait(0.002):
                pass
            self.waits.clear()
        yield from super().synthesize(piece, request, cancellation)


@dataclass(frozen=True, slots=True)
class RawResponse:
    """A response as it was on the wire. `parts`: the chunks; `complete`: whether its end was seen."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    complete: bool
    parts: list[bytes] = field(default_factory=list)
    trailers: Mapping[str, str] = field(default_factory=dict)


@asynccontextmanager
async def connection(
    url: str, kernel_bytes: int | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A plain TCP connection; `kernel_bytes`: how much about is taken off the server before it is read."""
    where = urlsplit(url)
    raw = socket.socket()
    raw.setblocking(False)
    if kernel_bytes is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, kernel_bytes)
    await asyncio.get_running_loop().sock_connect(raw, (where.hostname, where.port))
    reader, writer = await asyncio.open_connection(sock=raw, limit=1024)
    try:
        yield reader, writer
    finally:
        writer.close()


def request(path: str, fields: Mapping[str, object], *headers: str, version: str = "1.1") -> bytes:
    """A POST request with a JSON body."""
    body = json.dumps(fields).encode()
    lines = (f"POST {path} HTTP/{version}", "Host: localhost", "Content-Type: application/json", *headers)
    return "\r\n".join((*lines, f"Content-Length: {len(body)}", "", "")).encode() + body


async def response(
    reader: asyncio.StreamReader, on_headers: Callable[[], None] = lambda: None
) -> RawResponse:
    """Reads one response, by RFC 9112; `on_headers` is called when they are here."""
    async with asyncio.timeout(20):
        status = int((await reader.readline()).split()[1])
        headers = await _fields(reader)
        on_headers()
        if headers.get("transfer-encoding") == "chunked":
            parts: list[bytes] = []
            try:
                while size := int(await reader.readuntil(b"\r\n"), 16):
                    parts.append(await reader.readexactly(size))
                    assert await reader.readexactly(2) == b"\r\n"
                trailers = await _fields(reader)
            except (asyncio.IncompleteReadError, ConnectionResetError):
                return RawResponse(status, headers, b"".join(parts), False, parts)
            return RawResponse(status, headers, b"".join(parts), True, parts, trailers)
        if "content-length" in headers:
            return RawResponse(
                status, headers, await reader.readexactly(int(headers["content-length"])), True
            )
        body = b""
        try:
            while part := await reader.read(4096):
                body += part
        except ConnectionResetError:
            return RawResponse(status, headers, body, False)
        return RawResponse(status, headers, body, True)


async def _fields(reader: asyncio.StreamReader) -> dict[str, str]:
    found: dict[str, str] = {}
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        name, _, value = line.decode("ascii").partition(":")
        found[name.lower()] = value.strip()
    return found


async def exchange(url: str, path: str, **fields: object) -> RawResponse:
    """One request over a connection of its own."""
    async with connection(url) as (reader, writer):
        writer.write(request(path, fields))
        return await response(reader)


def events(body: bytes) -> list[dict[str, Any]]:
    """The events of a stream; each must be one line of ASCII."""
    lines = [line for line in body.decode("ascii").split("\n\n") if line and not line.startswith(":")]
    assert all(line.startswith("data: ") and "\n" not in line for line in lines)
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def sound_of(made: list[dict[str, Any]]) -> bytes:
    """The file that the events bear."""
    return b"".join(base64.b64decode(event["audio"], validate=True) for event in made if "audio" in event)


def samples(pcm: bytes) -> NDArray[np.int16]:
    """Samples of bare PCM."""
    return np.frombuffer(pcm, "<i2")
