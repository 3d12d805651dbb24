"""What attackers send to a server of HTTP: it costs them more than it costs us, and means one thing only."""

from __future__ import annotations

import asyncio
import gzip
import os
import zlib
from pathlib import Path

import httpx
import pytest

from realtime.app import Server
from realtime.server.connection import MAX_FIELDS
from tests.conftest import Serve

SPEECH = b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\n"
SECOND = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def answers(server: Server, sent: bytes) -> list[int]:
    """The statuses of all answers to these bytes, until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(sent)
    async with asyncio.timeout(20):
        said = await reader.read()
    writer.close()
    return [int(line.split()[1]) for line in said.split(b"\r\n") if line.startswith(b"HTTP/1.")]


@pytest.mark.parametrize(
    "sent",
    [
        SPEECH + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND,
        SPEECH + b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}" + SECOND,
        SPEECH + b"Content-Length: +2\r\n\r\n{}" + SECOND,
        SPEECH + b"Content-Length: 0x2\r\n\r\n{}" + SECOND,
        SPEECH + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SECOND,
        SPEECH + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SECOND,
        SPEECH + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + SECOND,
        SPEECH + b"X: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND,
        b"GET /health HTTP/1.1\nHost: localhost\n\n" + SECOND,
        b"GET /health HTTP/1.1\r\nX: a\rb\r\n\r\n" + SECOND,
        b"GET /health HTTP/1.1\r\nX: a\x00b\r\n\r\n" + SECOND,
    ],
)
async def test_what_proxies_may_read_otherwise_is_refused(server: Server, sent: bytes) -> None:
    """One answer, and the connection is closed: nothing behind it counts as a request of somebody else."""
    assert await answers(server, sent) == [400]


async def test_header_fields_have_a_number(server: Server) -> None:
    head = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    for count, status in ((MAX_FIELDS // 2, 200), (MAX_FIELDS + 10, 400), (50_000, 400)):
        assert await answers(server, head + b"X: y\r\n" * count + b"\r\n") == [status]


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 2**20


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_what_is_packed_counts_by_what_it_holds(server: Server, coding: str) -> None:
    """64 MiB in 64 KB: no more of it is unpacked than a body may have."""
    packed = (gzip.compress if coding == "gzip" else zlib.compress)(b" " * (64 << 20))
    assert len(packed) < 1 << 20
    kinds = {
        "/v1/audio/speech": "application/json",
        "/v1/audio/speech/rtc": "application/sdp",
        "/v1/voices": "multipart/form-data; boundary=x",
    }
    before = resident_mb()
    async with httpx.AsyncClient(base_url=server.url) as http:
        for path, kind in kinds.items():
            headers = {"Content-Type": kind, "Content-Encoding": coding}
            assert (await http.post(path, content=packed, headers=headers)).status_code in (413, 501)
    assert resident_mb() - before < 40


async def test_after_a_body_that_was_not_understood_the_connection_is_closed_and_says_so(
    server: Server,
) -> None:
    """Else a client would send its next request into a connection that is being closed."""
    async with httpx.AsyncClient(base_url=server.url) as http:
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        answer = await http.post("/v1/audio/speech", content=b"not packed", headers=headers)
        assert answer.status_code == 400 and answer.headers["Connection"] == "close"
        assert (await http.get("/health")).status_code == 200


async def test_deep_and_wide_bodies(server: Server) -> None:
    deep = b'{"input": "a", "x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    wide = b'{"input": ""' + b"".join(b', "k%d": 1' % number for number in range(50_000)) + b"}"
    async with httpx.AsyncClient(base_url=server.url) as http:
        for body, told in ((deep, "nested too deeply"), (wide, "`input` is empty")):
            answer = await http.post("/v1/audio/speech", content=body)
            assert answer.status_code == 400 and told in answer.text


async def test_connections_that_begin_and_do_not_go_on_keep_nobody_out(serve_tone: Serve) -> None:
    async with serve_tone(request_timeout_s=1) as server:
        opened = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(500)]
        for _, writer in opened:
            writer.write(b"GET / HTTP/1.1\r\nX: ")
        async with httpx.AsyncClient(base_url=server.url) as http:
            assert (await http.get("/health")).status_code == 200
        for reader, writer in opened:
            assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
            writer.close()


@pytest.mark.parametrize("origin", ["null", "http://127.0.0.1", "https://localhost.evil.example", "file://"])
async def test_origins_that_are_none_of_ours(server: Server, origin: str) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        answer = await http.get("/v1/voices", headers={"Origin": origin})
    assert answer.status_code == 403 and "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("data", [b"\xc1\x85", b"\x81\x05", b"\x83\x80"])
async def test_frames_that_no_client_of_the_protocol_sends(server: Server, data: bytes) -> None:
    """Packed, which was not agreed on; not masked; of a kind that there is not: the connection is closed."""
    handshake = (
        b"GET /v1/audio/speech/ws HTTP/1.1\r\nHost: localhost\r\n"
        b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(handshake)
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 101 " in head and b"permessage-deflate" not in head
    writer.write(data + bytes(9))
    async with asyncio.timeout(20):
        await reader.read()
    writer.close()
