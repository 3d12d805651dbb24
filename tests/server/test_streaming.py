"""Responses that are sent while they are made, as clients of all kinds see them on the wire."""

from __future__ import annotations

import asyncio
import http.client
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
import h11
import httpx
import pytest
import uvloop
from aiohttp import web

from realtime.server import streaming
from realtime.server.streaming import (
    NOT_STORED,
    TRAILERS,
    HangUpError,
    StreamedResponse,
    connected,
    latencies,
    timing_headers,
)
from realtime.types import TIMELINE_RATE, Timing
from tests.server.http_server import connection, response
from tests.server.small_server import Small, small_server
from tests.wire_client import eventually

PARTS = [b"one", b"", b"two" * 50_000, b"three"]
WHOLE = b"".join(PARTS)
LENGTH = str(len(WHOLE))
ENDING = {"X-Cache": "hit", "X-Audio-Duration-Ms": "12.5"}
GET = b"GET /stream HTTP/1.1\r\nHost: here\r\n\r\n"


class Served:
    """A handler, and what became of it: how it ended, and what it had written."""

    def __init__(self, parts: Iterable[bytes] = PARTS, length: int | None = None) -> None:
        self.parts, self.length = parts, length
        self.before_headers = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.ended: BaseException | str | None = None
        self.written = 0
        self.most_waiting = 0  # in the process, after a write

    async def handle(self, request: web.Request) -> web.StreamResponse:
        answer = StreamedResponse({"Content-Type": "text/plain"}, self.length, TRAILERS)
        try:
            async with connected(request):
                self.before_headers.set()
                await self.go_on.wait()
                await answer.prepare(request)
                for part in self.parts:
                    await answer.write(part)
                    self.written += len(part)
                    assert request.transport is not None
                    self.most_waiting = max(self.most_waiting, request.transport.get_write_buffer_size())
                answer.trailers = ENDING
                await answer.write_eof()
            self.ended = "well"
        except BaseException as error:
            self.ended = error
            raise
        return answer


def serving(served: Served) -> AbstractAsyncContextManager[Small]:
    return small_server({"GET /stream": served.handle})


async def test_the_bytes_on_the_wire() -> None:
    async with serving(Served([b"one", b"two"])) as server, connection(server.url) as (reader, writer):
        writer.write(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert body == b"3\r\none\r\n3\r\ntwo\r\n0\r\nX-Cache: hit\r\nX-Audio-Duration-Ms: 12.5\r\n\r\n"
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "http/1.1 200 ok"
    assert f"trailer: {', '.join(TRAILERS).lower()}" in lines
    assert lines.count("transfer-encoding: chunked") == 1
    assert not any(line.startswith("content-length") for line in lines)
    assert {f"{name}: {value}".lower() for name, value in NOT_STORED.items()} <= set(lines)


async def test_several_requests_over_one_connection() -> None:
    async with serving(Served()) as server, connection(server.url) as (reader, writer):
        for _ in range(3):
            writer.write(GET)
            answer = await response(reader)
            assert answer.complete and answer.body == WHOLE
            assert {name: answer.trailers[name.lower()] for name in ENDING} == ENDING
        writer.write(GET * 2)  # pipelined
        assert [(await response(reader)).body for _ in range(2)] == [WHOLE] * 2


async def test_a_body_of_known_length() -> None:
    async with serving(Served(length=len(WHOLE))) as server, connection(server.url) as (reader, writer):
        for _ in range(2):
            writer.write(GET)
            answer = await response(reader)
            assert (answer.body, answer.headers["content-length"]) == (WHOLE, LENGTH)
            assert "trailer" not in answer.headers and "transfer-encoding" not in answer.headers


async def test_a_body_of_nothing() -> None:
    for length in (None, 0):
        async with serving(Served([], length)) as server, connection(server.url) as (reader, writer):
            for _ in range(2):
                writer.write(GET)
                answer = await response(reader)
                assert answer.complete and not answer.body


@pytest.mark.parametrize("keep_alive", [b"", b"Connection: keep-alive\r\n"])
async def test_http_1_0_ends_with_the_connection(keep_alive: bytes) -> None:
    async with serving(Served()) as server, connection(server.url) as (reader, writer):
        writer.write(b"GET /stream HTTP/1.0\r\n" + keep_alive + b"\r\n")
        answer = await response(reader)
        assert answer.complete and answer.body == WHOLE and answer.headers["connection"] == "close"
        assert not {"transfer-encoding", "trailer", "content-length"} & set(answer.headers)
        assert reader.at_eof()


async def test_http_1_0_and_a_known_length() -> None:
    async with serving(Served(length=len(WHOLE))) as server, connection(server.url) as (reader, writer):
        for _ in range(2):
            writer.write(b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert (await response(reader)).body == WHOLE


async def test_headers_wait_for_the_first_bytes_and_leave_with_them() -> None:
    served = Served([b"first"])
    served.go_on.clear()
    async with serving(served) as server, connection(server.url) as (reader, writer):
        writer.write(GET)
        await served.before_headers.wait()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await reader.read(1)
        served.go_on.set()
        assert b"first" in await reader.read(1024)


async def test_every_kind_of_client_reads_it() -> None:
    async with serving(Served()) as server:
        url = server.url + "/stream"
        async with aiohttp.ClientSession() as session, session.get(url) as by_aiohttp:
            assert await by_aiohttp.read() == WHOLE
        async with httpx.AsyncClient() as client:
            assert [(await client.get(url)).content for _ in range(2)] == [WHOLE] * 2
        assert await asyncio.to_thread(_by_standard_library, url) == WHOLE
        body, trailers = await _by_h11(url)
        assert body == WHOLE and set(ENDING.items()) <= {
            (name.decode().title(), value.decode()) for name, value in trailers
        }
        curl = await asyncio.create_subprocess_exec("curl", "-sSf", url, stdout=asyncio.subprocess.PIPE)
        assert (await curl.communicate())[0] == WHOLE and curl.returncode == 0
        raw = await asyncio.create_subprocess_exec(
            "curl", "-sSf", "--raw", url, stdout=asyncio.subprocess.PIPE
        )
        assert (await raw.communicate())[0].endswith(
            b"\r\n0\r\nX-Cache: hit\r\nX-Audio-Duration-Ms: 12.5\r\n\r\n"
        )


def _by_standard_library(url: str) -> bytes:
    client = http.client.HTTPConnection(urlsplit(url).netloc)
    bodies = []
    for _ in range(2):
        client.request("GET", "/stream")
        bodies.append(client.getresponse().read())
    client.close()
    assert bodies[0] == bodies[1]
    return bodies[0]


async def _by_h11(url: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    async with connection(url) as (reader, writer):
        protocol, body = h11.Connection(h11.CLIENT), b""
        asked = h11.Request(method="GET", target="/stream", headers=[("Host", "here")])
        writer.write(protocol.send(asked) + protocol.send(h11.EndOfMessage()))  # type: ignore[operator]
        while not isinstance(event := protocol.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                protocol.receive_data(await reader.read(4096))
            elif isinstance(event, h11.Data):
                body += event.data
        return body, list(event.headers)


async def test_a_client_that_hangs_up_before_the_headers() -> None:
    served = Served()
    served.go_on.clear()
    async with serving(served) as server:
        async with connection(server.url) as (_, writer):
            writer.write(GET)
            await served.before_headers.wait()
        await eventually(lambda: isinstance(served.ended, HangUpError))


async def test_a_client_that_shuts_down_its_sending_side_has_hung_up() -> None:
    served = Served()
    served.go_on.clear()
    async with serving(served) as server, connection(server.url) as (_, writer):
        writer.write(GET)
        await served.before_headers.wait()
        writer.write_eof()
        await eventually(lambda: isinstance(served.ended, HangUpError))


async def _hang_up_while_written_to(reset: bool) -> None:
    served = Served([bytes(1000)] * 1_000_000)
    async with serving(served) as server, connection(server.url) as (reader, writer):
        writer.write(GET)
        await reader.readexactly(100)
        stopped = -1
        while stopped != served.written:  # until the writer is blocked
            stopped = served.written
            await asyncio.sleep(0.05)
        assert served.ended is None and 0 < stopped < 1000 * 1_000_000
        assert 0 < served.most_waiting <= streaming.WRITE_BUFFER_BYTES
        if reset:
            writer.transport.abort()
        else:
            writer.close()
        await eventually(lambda: isinstance(served.ended, HangUpError))


@pytest.mark.parametrize("reset", [False, True])
async def test_a_client_that_hangs_up_while_it_is_written_to(reset: bool) -> None:
    await _hang_up_while_written_to(reset)


def test_all_of_it_on_uvloop() -> None:
    async def everything() -> None:
        await test_the_bytes_on_the_wire()
        await test_several_requests_over_one_connection()
        await test_http_1_0_ends_with_the_connection(b"")
        await test_headers_wait_for_the_first_bytes_and_leave_with_them()
        await test_a_client_that_hangs_up_before_the_headers()
        await test_a_client_that_shuts_down_its_sending_side_has_hung_up()
        await _hang_up_while_written_to(True)

    uvloop.run(everything())


@asynccontextmanager
async def narrow(server: Small) -> AsyncIterator[socket.socket]:
    """A client that has sent its request, and takes little before it reads."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    raw.setblocking(False)
    with raw:
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", server.port))
        await asyncio.get_running_loop().sock_sendall(raw, GET)
        yield raw


@pytest.mark.parametrize("size", [10_000_000, 40_000])
async def test_a_client_that_takes_nothing_is_dropped(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when all was written, and it is only the kernel that cannot get rid of it."""
    monkeypatch.setattr(streaming, "STALL_S", 0.2)
    served = Served([bytes(size)])
    async with serving(served) as server, narrow(server):
        await eventually(lambda: isinstance(served.ended, HangUpError))
        assert "0.2 s" in str(served.ended)


async def test_a_client_that_takes_slowly_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "STALL_S", 0.5)
    served = Served([bytes(10_000)] * 100)
    loop = asyncio.get_running_loop()
    async with serving(served) as server, narrow(server) as raw:
        began = loop.time()
        while served.ended is None:
            await loop.sock_recv(raw, 16_384)
            await asyncio.sleep(0.02)
        assert served.ended == "well"
        assert loop.time() - began > 0.5  # in all it took longer than any part may


@pytest.mark.parametrize("parts", [[bytes(64 * 1024)] * 50, [bytes(50 * 64 * 1024)]])
async def test_others_get_their_turn_while_a_fast_client_takes_it_all(parts: list[bytes]) -> None:
    """As of a kernel that takes whatever it is given: no write ever waits."""

    class Taken(StreamedResponse):
        async def _write(self, data: bytes | memoryview) -> None:
            taken.append(len(data))

    taken: list[int] = []
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    task = asyncio.create_task(others())
    response = Taken({}, 50 * 64 * 1024)
    for part in parts:
        await response.write(part)
    task.cancel()
    assert taken == [64 * 1024] * 50 and turns >= 49


async def test_a_mistake_in_mid_stream_leaves_the_body_without_its_end() -> None:
    def parts() -> Iterable[bytes]:
        yield b"begun"
        raise ValueError("a secret of the inside")

    async with serving(Served(parts())) as server, connection(server.url) as (reader, writer):
        writer.write(GET)
        answer = await response(reader)
        assert answer.status == 200 and not answer.complete and answer.body == b"begun"
    async with serving(Served(parts())) as server, connection(server.url) as (reader, writer):
        writer.write(b"GET /stream HTTP/1.0\r\n\r\n")
        assert not (await response(reader)).complete


async def test_a_block_that_is_cancelled_or_times_out_by_itself_is_no_hang_up() -> None:
    async def impatient(request: web.Request) -> web.StreamResponse:
        with pytest.raises(TimeoutError):
            async with connected(request), asyncio.timeout(0.01):
                await asyncio.Event().wait()
        async with connected(request), connected(request):
            await asyncio.sleep(0)
        assert request.transport is not None and request.transport.get_protocol() is request.protocol
        return web.Response(text="all is well")

    async with small_server({"GET /stream": impatient}) as server, httpx.AsyncClient() as client:
        for _ in range(2):
            assert (await client.get(server.url + "/stream")).text == "all is well"


class TestTiming:
    TIMING = Timing(accepted=10.0, first_packet=10.25, done=11.5, load_s=0.0011, queue_s=0.002)

    def test_all_of_it_is_known_at_the_end(self) -> None:
        self.TIMING.infer_s, self.TIMING.encode_s = 0.0306, 0.004
        headers = timing_headers(self.TIMING, TIMELINE_RATE * 3 // 2 + 1)
        assert headers == {
            "X-Latency-Load-Ms": "1",
            "X-Latency-Queue-Ms": "2",
            "X-Latency-Infer-Ms": "31",
            "X-Latency-Encode-Ms": "4",
            "X-Latency-First-Audio-Ms": "250",
            "X-Latency-Total-Ms": "1500",
            "X-Audio-Duration-Ms": "1500.021",
            "X-Cache": "off",
        }
        assert tuple(headers) == TRAILERS

    def test_what_is_not_known_yet_is_left_out(self) -> None:
        speaking = Timing(accepted=10.0, first_packet=10.25, cache=True)
        missing = set(TRAILERS) - set(timing_headers(speaking))
        assert missing == {"X-Latency-Total-Ms", "X-Audio-Duration-Ms", "X-Cache"}

    def test_what_was_never_reached_is_0(self) -> None:
        assert set(latencies(Timing()).values()) == {0}
