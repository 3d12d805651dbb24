"""Where the server listens, and how long a client may take; on both event loops, TCP and Unix sockets."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp
import httpx
import pytest
import structlog
import uvloop
from aiohttp import web
from websockets.asyncio.client import connect, unix_connect

from realtime.errors import ConfigError
from realtime.live.registry import Registry
from realtime.server import listen
from realtime.server.listen import MAX_SOCKET_PATH, is_loopback, listening, warn_if_open
from realtime.server.websocket import speech_handler
from tests.server.small_server import Small, error_of, hello, parts, send_raw, small_server

GET = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
#: Time for a request in these tests; and a while that is longer.
SHORT_S = 0.4
LONGER_S = 0.7


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    made = Path(tempfile.mkdtemp(prefix="rt-"))
    yield made
    shutil.rmtree(made)


Run = Callable[[Awaitable[None]], None]


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestTcp:
    async def test_a_port_that_is_taken_stops_the_start(self) -> None:
        runner = web.AppRunner(web.Application())
        await runner.setup()
        async with small_server() as server:
            with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{server.port}: "):
                async with listening(runner, 1, "127.0.0.1", server.port or 0):
                    pass
        await runner.cleanup()

    @pytest.mark.parametrize("host", ["no.such.host.invalid", "x" * 70, "999.1.1.1"])
    async def test_so_does_a_host_that_is_none(self, host: str) -> None:
        with pytest.raises(ConfigError, match=f"cannot listen on {host}:0: "):
            async with small_server(host=host):
                pass

    async def test_nowhere_to_listen_stops_it_too(self) -> None:
        with pytest.raises(ConfigError, match="nowhere to listen"):
            async with small_server(host=None):
                pass

    async def test_at_the_end_nobody_listens(self) -> None:
        async with small_server() as server:
            pass
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", server.port)


async def serves_every_client(server: Small) -> None:
    path = str(server.uds)
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path)) as http:
        async with http.get("http://realtime/health") as answer:
            assert await answer.text() == "hello"
        async with http.ws_connect("http://realtime/v1/ws") as plain:
            await plain.send_str("a")
            assert await plain.receive_str() == "a"
    async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=path)) as client:
        assert (await client.post("http://realtime/v1/echo", content=b"hi")).content == b"hi"
    async with unix_connect(path, "ws://realtime/v1/ws") as socket_:
        await socket_.send("b")
        assert await socket_.recv() == "b"


class TestUnixSocket:
    @pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
    def test_real_clients_alone_and_beside_tcp(self, folder: Path, run: Run) -> None:
        async def all_of_it() -> None:
            path = folder / "alone"
            async with small_server(host=None, uds=path) as server:
                assert (server.port, server.uds) == (None, path)
                await serves_every_client(server)
            assert not path.exists()
            async with small_server(uds=folder / "beside") as server:
                await serves_every_client(server)
                async with httpx.AsyncClient() as http:
                    assert (await http.get(server.url + "/health")).text == "hello"
            assert names_in(folder) == []

        run(all_of_it())

    @pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
    async def test_mode_bits_are_those_asked_for_whatever_the_umask(self, folder: Path, mode: int) -> None:
        before = os.umask(0o077)
        try:
            async with small_server(uds=folder / "s", uds_mode=mode):
                assert mode_of(folder / "s") == mode
            os.umask(0)
            async with small_server(uds=folder / "s", uds_mode=mode):
                assert mode_of(folder / "s") == mode
            assert os.umask(0) == 0
        finally:
            os.umask(before)

    async def test_nobody_is_let_in_before_the_mode_is_set(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = Path.chmod
        refused: list[Path] = []

        def chmod(path: Path, mode: int) -> None:
            with socket.socket(socket.AF_UNIX) as early, pytest.raises(ConnectionRefusedError):
                early.connect(str(path))
            refused.append(path)
            real(path, mode)

        monkeypatch.setattr(Path, "chmod", chmod)
        async with small_server(host=None, uds=folder / "s") as server:
            assert refused == [folder / "s"]
            assert parts(await send_raw(server, GET.replace(b"1.1", b"1.0")))[0] == 200

    async def test_a_file_left_by_a_server_that_is_gone_is_replaced(self, folder: Path) -> None:
        path = folder / "s"
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(path))
        left.listen()
        left.close()
        async with small_server(host=None, uds=path) as server:
            await serves_every_client(server)
        assert not path.exists()

    async def test_a_server_that_is_there_is_left_alone(self, folder: Path) -> None:
        async with small_server(host=None, uds=folder / "s") as first:
            with pytest.raises(ConfigError, match="another server listens there"):
                async with small_server(uds=folder / "s"):
                    pass
            await serves_every_client(first)

    async def test_so_is_one_that_has_no_room(self, folder: Path) -> None:
        path = str(folder / "s")
        waiting = []
        with socket.socket(socket.AF_UNIX) as busy:
            busy.bind(path)
            busy.listen(0)
            try:
                while True:
                    one = socket.socket(socket.AF_UNIX)
                    waiting.append(one)
                    one.setblocking(False)
                    one.connect(path)
            except BlockingIOError:
                pass
            with pytest.raises(ConfigError, match="another server listens there"):
                async with small_server(uds=folder / "s"):
                    pass
        for one in waiting:
            one.close()

    async def test_other_files_are_left_alone(self, folder: Path) -> None:
        (folder / "file").write_text("precious")
        (folder / "link").symlink_to(folder / "file")
        (folder / "nowhere").symlink_to(folder / "gone")
        for name in ("file", "link", "nowhere", ""):
            with pytest.raises(ConfigError, match="no socket"):
                async with small_server(uds=folder / name):
                    pass
        assert (folder / "file").read_text() == "precious" and (folder / "nowhere").is_symlink()

    async def test_a_socket_of_another_kind_is_left_alone(self, folder: Path) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
            datagrams.bind(str(folder / "s"))
            with pytest.raises(ConfigError, match="cannot listen on"):
                async with small_server(uds=folder / "s"):
                    pass
            assert (folder / "s").is_socket()

    async def test_paths_that_cannot_be_one(self, folder: Path) -> None:
        with pytest.raises(ConfigError, match="No such file or directory"):
            async with small_server(uds=folder / "none" / "s"):
                pass
        longest = folder / ("x" * (MAX_SOCKET_PATH - len(str(folder)) - 1))
        async with small_server(host=None, uds=longest) as server:
            await serves_every_client(server)
        with pytest.raises(ConfigError, match=f"at most {MAX_SOCKET_PATH} bytes"):
            async with small_server(uds=longest.with_name(longest.name + "x")):
                pass

    async def test_at_the_end_a_file_that_is_anothers_stays(self, folder: Path) -> None:
        path = folder / "s"
        async with small_server(host=None, uds=path):
            path.unlink()
            async with small_server(host=None, uds=path) as second:
                pass
            path.write_text("another's")
        assert second.uds == path and path.read_text() == "another's"

    async def test_a_start_that_fails_leaves_nothing(self, folder: Path) -> None:
        (folder / "file").write_text("")
        async with small_server() as other:
            runner = web.AppRunner(web.Application())
            await runner.setup()
            with pytest.raises(ConfigError):
                async with listening(runner, 1, "127.0.0.1", other.port or 0, str(folder / "s")):
                    pass
            with pytest.raises(ConfigError):
                async with listening(runner, 1, "127.0.0.1", 0, str(folder / "file")):
                    pass
            await runner.cleanup()
        assert names_in(folder) == ["file"]

    async def test_little_waits_in_the_kernel_for_a_listener_that_takes_nothing(self, folder: Path) -> None:
        """Or a cancel would wait behind seconds of sound, as it does not on TCP."""
        sent = 0

        class Flood:
            async def run(self) -> None:
                nonlocal sent
                while True:
                    await self.transport.send_bytes(b"x" * 200)
                    sent += 200

        def make(transport, request_id):
            flood = Flood()
            flood.transport = transport
            return flood

        handler = speech_handler(Registry(1), make, 1024, lambda: True)
        async with small_server({"GET /v1/flood": handler}, host=None, uds=folder / "s"):
            with socket.socket(socket.AF_UNIX) as idle:
                idle.connect(str(folder / "s"))
                idle.sendall(
                    b"GET /v1/flood HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
                )
                before = -1
                async with asyncio.timeout(10):
                    while sent == 0 or sent != before:
                        before = sent
                        await asyncio.sleep(0.2)
        assert 0 < sent < 32 * 1024


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
    drops = [bytes([byte]) for byte in b"GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"x" * 1000]
    assert parts(await send_raw(server, *drops, pause_s=0.02))[0] == 408


async def second_head_in_drops(server: Small) -> None:
    drops = [bytes([byte]) for byte in GET[:-1] * 40]
    answer = await send_raw(server, GET, *drops, pause_s=0.02)
    assert answer.count(b"HTTP/1.1 200") == 1 and answer.count(b"HTTP/1.1 408") == 1


async def half_a_body(server: Small) -> None:
    status, headers, body = parts(await send_raw(server, POST + b"\r\nhi"))
    assert status == 408 and headers["connection"] == "close"
    assert error_of(body)["code"] == "timeout"


async def body_in_drops(server: Small) -> None:
    head = POST.replace(b"Length: 4", b"Length: 1000") + b"\r\n"
    assert parts(await send_raw(server, head, *[b"x"] * 999, pause_s=0.02))[0] == 408


async def chunks_without_an_end(server: Small) -> None:
    head = b"POST /v1/echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert parts(await send_raw(server, head, *[b"1\r\nx\r\n"] * 999, pause_s=0.02))[0] == 408


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


async def opened(server: Small) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if server.uds is not None:
        return await asyncio.open_unix_connection(str(server.uds))
    return await asyncio.open_connection("127.0.0.1", server.port)


async def read_response(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    status, headers, _ = parts(head)
    return status, await reader.readexactly(int(headers["content-length"]))


async def idle_between_requests(server: Small) -> None:
    reader, writer = await opened(server)
    for _ in range(2):
        writer.write(GET)
        assert await read_response(reader) == (200, b"hello")
        await asyncio.sleep(LONGER_S)
    writer.close()


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
    reader, writer = await opened(server)
    head = POST.replace(b"echo", b"slow") + b"\r\n"
    for pieces in ([head + b"body"], [head, b"body"], [head + b"body"]):
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.05)
        assert await read_response(reader) == (200, b"hello")
    writer.close()


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


async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(7):
        await response.write(b"part")
        await asyncio.sleep(LONGER_S / 7)
    return response


class TestTime:
    @pytest.mark.parametrize("over", ["tcp", "unix"])
    @pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
    def test_who_is_cut_off_and_who_is_not(
        self,
        folder: Path,
        over: str,
        run: Run,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        cut_off: list[Scenario] = [
            nothing_sent,
            half_a_head,
            head_in_drops,
            second_head_in_drops,
            half_a_body,
            body_in_drops,
            chunks_without_an_end,
            half_a_head_after_a_late_body,
        ]
        let_be: list[Scenario] = [
            idle_between_requests,
            several_at_once,
            answered_before_its_body,
            slow_answer,
            slow_answers_to_bodies,
            long_stream,
            quiet_websocket,
        ]

        async def all_of_them() -> None:
            where = {} if over == "tcp" else {"host": None, "uds": folder / "s"}
            routes = {"GET /v1/slow": slow, "POST /v1/slow": slow, "GET /v1/stream": stream}
            async with small_server(routes, timeout_s=SHORT_S, **where) as server:  # type: ignore[arg-type]
                async with asyncio.TaskGroup() as group:
                    for scenario in cut_off + let_be:
                        group.create_task(scenario(server), name=scenario.__name__)

        with structlog.testing.capture_logs() as logged:
            run(all_of_them())
        assert logged == [] and caplog.records == []

    async def test_connections_that_rest_are_closed_in_the_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listen, "KEEP_ALIVE_S", 0.5)
        async with small_server(timeout_s=0.3) as server:
            answer = await send_raw(server, GET)
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"hello")


class TestLoopback:
    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("127.0.0.1", True),
            ("127.8.9.1", True),
            ("::1", True),
            ("::ffff:127.0.0.1", True),
            ("localhost", True),
            (None, True),
            ("0.0.0.0", False),
            ("::", False),
            ("192.168.1.5", False),
            ("::ffff:10.0.0.1", False),
            ("no.such.host.invalid", False),
        ],
    )
    def test_what_only_this_machine_reaches(self, host: str | None, expected: bool) -> None:
        assert is_loopback(host) is expected

    @pytest.mark.parametrize(
        ("host", "has_keys", "warned"),
        [
            ("0.0.0.0", False, True),
            ("::", False, True),
            ("0.0.0.0", True, False),
            ("127.0.0.1", False, False),
        ],
    )
    def test_a_server_open_to_everybody_says_so(self, host: str, has_keys: bool, warned: bool) -> None:
        with structlog.testing.capture_logs() as logged:
            warn_if_open(host, 8000, has_keys)
        assert [(entry["log_level"], entry["address"]) for entry in logged] == [
            ("warning", f"{host}:8000")
        ] * warned
        assert not warned or "API_KEYS" in repr(logged)
