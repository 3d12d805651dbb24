"""Where the server listens; on both event loops, TCP and Unix sockets."""

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
from websockets.asyncio.client import unix_connect

from realtime.errors import ConfigError
from realtime.server.listen import MAX_SOCKET_PATH, is_loopback, listening, warn_if_open
from tests.server.small_server import Small, parts, send_raw, small_server

GET = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"


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
