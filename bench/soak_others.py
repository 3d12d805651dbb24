"""Clients of a soak that have no session: HTTP requests, the one-shot form, and what is no client at all."""

from __future__ import annotations

import asyncio
import json
from random import Random
from zlib import crc32

import aiohttp
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from bench.soak_line import PATIENCE_S, Place, a_text
from bench.soak_witness import ViolationError, check

_FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
_WRONG = [
    (b"{", 400),
    (b'{"input": 7}', 400),
    (b'{"input": "x", "speed": 9}', 400),
    (b'{"input": "x", "voice": "nobody"}', 400),
    (b'{"input": "x", "response_format": "cassette"}', 400),
    (b"\xff" * 1000, 400),
]
_NO_HANDSHAKES = [
    b"GET /v1/audio/speech/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgr",
    b"GET /v1/audio/speech/ws HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /v1/audio/speech/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: other\r\n\r\nGE",
    b"GET /v1/audio/speech/ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\xff\xff\xff\xff",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
    b"",
]
_INPUTS_AT_ONCE = 4
_WRONG_INPUTS: list[dict[str, object]] = [
    {"input": 7},
    {"input": "x", "voice": "nobody"},
    {"input": "x", "speed": 99},
]


async def request(place: Place, chance: Random) -> None:
    """One request over HTTP: whole, streamed, hung up on, or wrong."""
    timeout = aiohttp.ClientTimeout(total=2 * PATIENCE_S)
    connector = aiohttp.TCPConnector(force_close=chance.random() < 0.5)
    async with aiohttp.ClientSession(
        f"http://127.0.0.1:{place.port}", timeout=timeout, connector=connector
    ) as http:
        kind = chance.random()
        if kind < 0.15:
            await _wrong(http, chance)
        elif kind < 0.25:
            await _look_around(http)
        elif kind < 0.5:
            place.counts["hung up"] += 1
            await _hang_up(http, chance)
        else:
            await _file(http, place, chance)


async def _file(http: aiohttp.ClientSession, place: Place, chance: Random) -> None:
    text, name = a_text(chance), chance.choice(_FORMATS)
    fields: dict[str, object] = {"input": text, "response_format": name, "speed": chance.choice([1.0, 1.4])}
    path, kind = "/v1/audio/speech", chance.random()
    if kind < 0.1:
        path += "/stream"
    elif kind < 0.2:
        fields["stream_format"] = "sse"
    elif kind < 0.6:
        fields["stream"] = kind < 0.4
    async with http.post(path, json=fields) as answer:
        body = await answer.read()
    if not text and answer.status == 400:
        return
    check(answer.status == 200, f"{answer.status} for {path} with {fields}: {body[:200]!r}")
    if name == "pcm" and kind >= 0.2:
        place.check_sound(("HTTP", text, fields["speed"]), crc32(body))


async def _wrong(http: aiohttp.ClientSession, chance: Random) -> None:
    body, status = chance.choice(_WRONG)
    headers = {"Content-Type": "application/json"}
    async with http.post("/v1/audio/speech", data=body, headers=headers) as answer:
        told = await answer.read()
    check(
        answer.status == status and b'"error"' in told, f"{answer.status} for {body[:80]!r}: {told[:200]!r}"
    )


async def _look_around(http: aiohttp.ClientSession) -> None:
    for path in ("/", "/health", "/ready", "/v1/voices", "/v1/models", "/openapi.json"):
        async with http.get(path) as answer:
            await answer.read()
        check(answer.status == 200, f"{answer.status} for {path}")


async def _hang_up(http: aiohttp.ClientSession, chance: Random) -> None:
    text = " ".join(a_text(chance) for _ in range(4)) + " One more."
    fields = {"input": text, "response_format": chance.choice(_FORMATS), "stream": chance.random() < 0.7}
    try:
        async with asyncio.timeout(chance.choice([0.0, 0.01, 0.1, 1.0])):
            async with http.post("/v1/audio/speech", json=fields) as answer:
                check(answer.status == 200, f"{answer.status}: {fields}")
                async for _ in answer.content.iter_any():
                    await asyncio.sleep(chance.choice([0.0, 0.1]))
    except TimeoutError:
        pass


async def one_shot(place: Place, chance: Random) -> None:
    """Inputs without a session; each is answered by its sound and one event."""
    connection = await place.connect(chance.random() < 0.3)
    try:
        for _ in range(chance.randint(1, 4)):
            inputs = [_input(chance) for _ in range(chance.randint(1, _INPUTS_AT_ONCE))]
            for each in inputs:
                await connection.send(json.dumps(each))
            if chance.random() < 0.2:
                await asyncio.sleep(chance.choice([0.0, 0.1]))
                return  # amid the sound
            for each in inputs:
                await _hear_one(place, connection, each)
        await connection.close()
    except ConnectionClosed as closed:
        raise ViolationError(f"a one-shot socket was closed: {closed}") from None
    except TimeoutError:
        raise ViolationError("a one-shot input was not answered") from None
    finally:
        connection.transport.abort()
        await connection.wait_closed()


def _input(chance: Random) -> dict[str, object]:
    if chance.random() < 0.2:
        return chance.choice(_WRONG_INPUTS)
    return {"input": a_text(chance)}


async def _hear_one(place: Place, connection: ClientConnection, asked: dict[str, object]) -> None:
    sound = 0
    async with asyncio.timeout(PATIENCE_S):
        while isinstance(received := await connection.recv(), bytes):
            sound = crc32(received, sound)
    event = json.loads(received)
    right = "error" if asked in _WRONG_INPUTS else "done"
    check(event["event"] == right, f"{event} for {asked}")
    if right == "done":
        place.check_sound(("one-shot", asked["input"]), sound)


async def half_a_handshake(place: Place, chance: Random) -> None:
    """Bytes that are no handshake, or not all of one; the server lets go of who sends no more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
    try:
        for byte in (data := chance.choice(_NO_HANDSHAKES)):
            writer.write(bytes([byte]))
            if chance.random() < 0.05:
                await asyncio.sleep(0)
        await writer.drain()
        if chance.random() < 0.5:
            await asyncio.sleep(chance.choice([0.0, 0.2]))
            return
        try:
            async with asyncio.timeout(place.request_s + PATIENCE_S):
                while await reader.read(4096):
                    pass
        except TimeoutError:
            raise ViolationError(f"the server holds on to who sent {data[:80]!r}") from None
        except ConnectionError:
            pass
    except ConnectionError:
        pass  # refused in the middle
    finally:
        writer.transport.abort()
