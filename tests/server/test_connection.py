"""How long a client may take, and how much may wait for it; on both event loops, TCP and Unix sockets."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import structlog
import uvloop
from aiohttp import web
from websockets.asyncio.client import connect, unix_connect

from realtime.live.registry import Registry
from realtime.live.transport import Transport
from realtime.server import connection
from realtime.server.streaming import StreamedResponse
from realtime.server.websocket import speech_handler
from tests.server.small_server import Small, error_of, hello, parts, send_raw, small_server

GET = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
HEAD_IN_DROPS = [bytes([byte]) for byte in b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"x" * 1000]
CHUNKED = b"POST /v1/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
#: Time for a request in these tests, long enough for a machine that is busy; and a while that is longer.
SHORT_S = 1.0
LONGER_S = 1.3


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    made = Path(tempfile.mkdtemp(prefix="rt-"))
    yield made
    shutil.rmtree(made)


Run = Callable[[Awaitable[None]], None]


Scenario = Callable[[Small], Awaitable[None]]


async def nothing_sent(server: Small) -> None:
    """It is closed, and no answer is there for a request that might come."""
    assert await send_raw(server) == b""


async def half_a_head(server: Small) -> None:
    status, headers, body = parts(await send_raw(server, b"GET /health HTTP/1.1\r\nHost:"))
    assert status == 408 and headers["connection"] == "close" and headers["x-request-id"]
    assert headers["content-type"].startswith("application/json") and int(headers["content-length"]) == len(
        body
    )
    error = error_of(body)
    assert error["code"] == "timeout" and f"{SHORT_S:g} s" in error["message"]


async def head_in_drops(server: Small) -> None:
    """Each drop comes in time, all of them do not."""
    assert parts(await send_raw(server, *HEAD_IN_DROPS, pause_s=0.02))[0] == 408


async def second_head_in_drops(server: Small) -> None:
    answer = await send_raw(server, GET, *HEAD_IN_DROPS, pause_s=0.02)
    assert answer.count(b"HTTP/1.1 200") == 1 and answer.count(b"HTTP/1.1 408") == 1


async def half_a_body(server: Small) -> None:
    status, headers, body = parts(await send_raw(server, POST + b"\r\nhi"))
    assert status == 408 and headers["connection"] == "close"
    assert error_of(body)["code"] == "timeout"


async def body_in_drops(server: Small) -> None:
    head = POST.replace(b"Length: 4", b"Length: 1000") + b"\r\n"
    assert parts(await send_raw(server, head, *[b"x"] * 999, pause_s=0.02))[0] == 408


async def chunks_without_an_end(server: Small) -> None:
    assert parts(await send_raw(server, CHUNKED, *[b"1\r\nx\r\n"] * 999, pause_s=0.02))[0] == 408


async def half_a_head_after_a_late_body(server: Small) -> None:
    """The body of a request that was answered before it came is no beginning of the next."""
    reader, writer = await opened(server)
    writer.write(b"POST /v1/none HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo")
    assert (await read_response(reader))[0] == 404
    writer.write(b"dy")
    await asyncio.sleep(0.05)
    writer.write(GET[:-1])
    assert (await read_response(reader))[0] == 408
    writer.close()


async def half_a_head_with_the_end_of_a_body(server: Small) -> None:
    """A body that was answered before it came."""
    reader, writer = await opened(server)
    writer.write(b"POST /v1/none HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo")
    assert (await read_response(reader))[0] == 404
    writer.write(b"dy" + GET[:-1])
    assert (await read_response(reader))[0] == 408
    writer.close()


def half_a_head_after(*pieces: bytes) -> Scenario:
    """Its first bytes come together with the last of these, of which one request is made."""

    async def half_a_head(server: Small) -> None:
        reader, writer = await opened(server)
        for piece in pieces[:-1]:
            writer.write(piece)
            await asyncio.sleep(0.05)
        writer.write(pieces[-1] + GET[:-1])
        assert (await read_response(reader))[0] == 200
        assert (await read_response(reader))[0] == 408
        writer.close()

    return half_a_head


async def half_a_head_while_another_is_answered(server: Small) -> None:
    reader, writer = await opened(server)
    writer.write(b"GET /v1/soon HTTP/1.1\r\nHost: x\r\n\r\n")
    await asyncio.sleep(0.05)
    writer.write(GET[:-1])
    assert (await read_response(reader))[0] == 200
    assert (await read_response(reader))[0] == 408
    writer.close()


async def opened(server: Small) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if server.uds is not None:
        return await asyncio.open_unix_connection(str(server.uds))
    return await asyncio.open_connection("127.0.0.1", server.port)


async def read_response(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    status, headers, _ = parts(head)
    return status, await reader.readexactly(int(headers["content-length"]))


def idle_after(*pieces: bytes) -> Scenario:
    """These are one request, and nothing more."""

    async def idle(server: Small) -> None:
        reader, writer = await opened(server)
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.05)
        assert (await read_response(reader))[0] == 200
        await asyncio.sleep(LONGER_S)
        writer.write(GET)
        assert await read_response(reader) == (200, b"hello")
        writer.close()

    return idle


async def several_at_once(server: Small) -> None:
    reader, writer = await opened(server)
    writer.write(GET * 3 + POST + b"\r\nbody" + GET)
    for expected in (b"hello", b"hello", b"hello", b"body", b"hello"):
        assert await read_response(reader) == (200, expected)
    writer.close()


async def answered_before_its_body(server: Small) -> None:
    """The rest of the body is no beginning of a request."""
    reader, writer = await opened(server)
    writer.write(b"POST /v1/none HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo")
    assert (await read_response(reader))[0] == 404
    writer.write(b"dy")
    await asyncio.sleep(LONGER_S)
    writer.write(GET)
    assert await read_response(reader) == (200, b"hello")
    writer.close()


async def slow_answer(server: Small) -> None:
    reader, writer = await opened(server)
    writer.write(b"GET /v1/slow HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await read_response(reader) == (200, b"hello")
    writer.close()


async def slow_answers_to_bodies(server: Small) -> None:
    """Once the body is here, in one piece or two, the time is the server's."""
    head = POST.replace(b"echo", b"slow") + b"\r\n"

    async def one_and_another(*pieces: bytes) -> None:
        reader, writer = await opened(server)
        for _ in range(2):
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0.05)
            assert await read_response(reader) == (200, b"hello")
        writer.close()

    await asyncio.gather(one_and_another(head + b"body"), one_and_another(head, b"body"))


async def long_stream(server: Small) -> None:
    answer = await send_raw(server, b"GET /v1/stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.count(b"part") == 7 and answer.endswith(b"0\r\n\r\n")


async def quiet_websocket(server: Small) -> None:
    uri = "ws://realtime/v1/ws"
    if server.uds is not None:
        connecting = unix_connect(str(server.uds), uri)
    else:
        connecting = connect(server.url.replace("http", "ws") + "/v1/ws")
    async with connecting as socket_:
        await asyncio.sleep(LONGER_S)
        await socket_.send("a")
        assert await socket_.recv() == "a"
        await asyncio.sleep(LONGER_S)


async def slow(request: web.Request) -> web.StreamResponse:
    await request.read()
    await asyncio.sleep(LONGER_S)
    return await hello(request)


async def soon(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(0.2)
    return await hello(request)


async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(7):
        await response.write(b"part")
        await asyncio.sleep(LONGER_S / 7)
    return response


CUT_OFF: list[Scenario] = [
    nothing_sent,
    half_a_head,
    head_in_drops,
    second_head_in_drops,
    half_a_body,
    body_in_drops,
    chunks_without_an_end,
    half_a_head_after_a_late_body,
    half_a_head_with_the_end_of_a_body,
    half_a_head_while_another_is_answered,
    half_a_head_after(GET),
    half_a_head_after(POST + b"\r\nbody"),
    half_a_head_after(POST + b"\r\n", b"body"),
    half_a_head_after(POST + b"\r\nbo", b"dy"),
    half_a_head_after(CHUNKED, b"1\r\nx\r\n0\r\n\r\n"),
]
LET_BE: list[Scenario] = [
    idle_after(GET),
    idle_after(GET[:-1], GET[-1:]),
    idle_after(POST + b"\r\nbody"),
    idle_after(POST + b"\r\n", b"body"),
    idle_after(POST + b"\r\nbo", b"dy"),
    idle_after(POST + b"\r", b"\nbody"),
    idle_after(CHUNKED + b"1\r\nx\r\n0\r\n\r\n"),
    idle_after(CHUNKED, b"1\r\nx\r\n0\r\n\r", b"\n"),
    several_at_once,
    answered_before_its_body,
    slow_answer,
    slow_answers_to_bodies,
    long_stream,
    quiet_websocket,
]


class TestTime:
    @pytest.mark.parametrize(
        ("over", "run"), [("tcp", asyncio.run), ("tcp", uvloop.run), ("unix", uvloop.run)]
    )
    def test_who_is_cut_off_and_who_is_not(
        self,
        folder: Path,
        over: str,
        run: Run,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        async def all_of_them() -> None:
            where = {} if over == "tcp" else {"host": None, "uds": folder / "s"}
            routes = {"GET /v1/slow": slow, "POST /v1/slow": slow, "GET /v1/soon": soon}
            routes |= {"GET /v1/stream": stream}
            async with small_server(routes, timeout_s=SHORT_S, **where) as server:  # type: ignore[arg-type]
                for scenarios in (CUT_OFF, LET_BE):
                    async with asyncio.TaskGroup() as group:
                        for scenario in scenarios:
                            group.create_task(scenario(server), name=scenario.__name__)

        with structlog.testing.capture_logs() as logged:
            run(all_of_them())
        assert {entry["log_level"] for entry in logged} <= {"info"} and caplog.records == []

    async def test_the_first_request_has_its_time_from_the_connections_begin(self) -> None:
        """One that sends its first byte late is cut off before one that came meanwhile."""
        ended: list[str] = []

        async def end(name: str, reader: asyncio.StreamReader) -> None:
            await reader.read()
            ended.append(name)

        async with small_server(timeout_s=SHORT_S) as server, asyncio.TaskGroup() as group:
            early, writer = await opened(server)
            group.create_task(end("early", early))
            await asyncio.sleep(SHORT_S / 2)
            late, other = await opened(server)
            group.create_task(end("late", late))
            await asyncio.sleep(SHORT_S / 10)
            writer.write(b"G")
        assert ended == ["early", "late"]
        writer.close()
        other.close()

    async def test_connections_that_rest_are_closed_in_the_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(connection, "KEEP_ALIVE_S", 0.5)
        async with small_server(timeout_s=0.3) as server:
            answer = await send_raw(server, GET)
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"hello")


class TestSending:
    """Little waits for a client that takes nothing, or a cancel would wait behind seconds of sound."""

    async def test_over_a_websocket_on_a_unix_socket(self, folder: Path) -> None:
        sent = 0

        class Flood:
            session_id = "flood"

            async def run(self) -> None:
                pass

            async def serve(self, transport: Transport, on_begin: Callable[[], None], outlet: object) -> None:
                nonlocal sent
                while True:
                    await transport.send_bytes(b"x" * 200)
                    sent += 200

        handler = speech_handler(Registry(1), lambda request_id: Flood(), 1024, lambda: True)  # type: ignore[arg-type,return-value]
        async with small_server({"GET /v1/flood": handler}, host=None, uds=folder / "s"):
            request = (
                b"GET /v1/flood HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
            )
            assert 0 < await most_sent(folder / "s", request, lambda: sent) < 32 * 1024

    async def test_over_tcp_a_peer_that_is_gone_is_found(self) -> None:
        """Both when nothing is sent, and when what was sent is not acknowledged."""

        async def tell(request: web.Request) -> web.StreamResponse:
            connection.set_up_sending(request.transport, 1000)
            raw = request.transport.get_extra_info("socket")
            names = ("TCP_KEEPIDLE", "TCP_USER_TIMEOUT")
            options = [getattr(socket, name) for name in names if hasattr(socket, name)]
            told = [raw.getsockopt(socket.IPPROTO_TCP, option) for option in options]
            told.append(raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
            return web.json_response(told)

        async with small_server({"GET /v1/x": tell}) as server:
            answer = await send_raw(server, b"GET /v1/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert parts(answer)[2].decode() in ("[20, 60000, 1]", "[1]")  # not every system has them

    async def test_over_http_on_a_unix_socket(self, folder: Path) -> None:
        sent = 0

        async def flood(request: web.Request) -> web.StreamResponse:
            nonlocal sent
            response = StreamedResponse({})
            await response.prepare(request)
            while True:
                await response.write(b"x" * 200)
                sent += 200

        async with small_server({"GET /v1/flood": flood}, host=None, uds=folder / "s"):
            request = b"GET /v1/flood HTTP/1.1\r\nHost: x\r\n\r\n"
            assert 0 < await most_sent(folder / "s", request, lambda: sent) < 40 * 1024


async def most_sent(path: Path, request: bytes, sent: Callable[[], int]) -> int:
    """How much is sent to a client that reads nothing."""
    with socket.socket(socket.AF_UNIX) as idle:
        idle.connect(str(path))
        idle.sendall(request)
        before = -1
        async with asyncio.timeout(10):
            while sent() == 0 or sent() != before:
                before = sent()
                await asyncio.sleep(0.2)
    return before
