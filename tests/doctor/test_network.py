"""Checks of ports, sockets, WebRTC and Redis: with real ones on loopback."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.server import free_port
from realtime.app import Server
from realtime.doctor import network
from tests.doctor.looking import look, only
from tests.redis_server import running_redis


@contextmanager
def taken(kind: socket.SocketKind = socket.SOCK_STREAM) -> Iterator[int]:
    """A port that somebody has, and who answers nothing that is HTTP."""
    with socket.socket(type=kind) as bound:
        bound.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            bound.listen()
        yield bound.getsockname()[1]


def test_a_port_that_is_free() -> None:
    (found,) = look(network.port, PORT=str(free_port()))
    assert found.state == "ok" and found.found.endswith("is free")
    assert look(network.port, PORT="0")[0].state == "info"
    assert look(network.port, HOST="none") == []


async def test_a_port_that_a_server_has(server: Server) -> None:
    """One of this kind, so it may be the very server that is asked about."""
    (found,) = await asyncio.to_thread(look, network.port, PORT=str(server.port))
    assert found.state == "warn" and "a realtime 0." in found.found and "(ready, up 0 min)" in found.found


def test_a_port_that_another_program_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_PATIENCE_S", 0.1)
    with taken() as number:
        (found,) = look(network.port, PORT=str(number))
    assert found.state == "fail" and found.found == f"another program listens on 127.0.0.1:{number}"


@pytest.mark.parametrize("host", ["192.0.2.77", "no.such.host.invalid"])
def test_addresses_that_are_not_of_this_machine(host: str) -> None:
    (found,) = look(network.port, HOST=host)
    assert found.state == "fail" and "HOST" in found.remedy


def test_a_port_that_is_for_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """To root, as whom tests may run, all are allowed."""

    def refuse(self: socket.socket, address: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    (found,) = look(network.port, PORT="80")
    assert found.state == "fail" and "CAP_NET_BIND_SERVICE" in found.remedy


def test_socket_files(tmp_path: Path) -> None:
    path = tmp_path / "s"
    assert look(network.socket_file) == []
    assert look(network.socket_file, UDS=str(path))[0].state == "ok"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        (found,) = look(network.socket_file, UDS=str(path))
        assert found.state == "warn" and "already" in found.found
    (found,) = look(network.socket_file, UDS=str(path))
    assert found.state == "ok" and "left of a server that is gone" in found.found and path.exists()


def test_socket_files_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    for name, what in (
        (tmp_path / "file", "no socket"),
        (tmp_path / "none" / "s", "is no folder"),
        (tmp_path / ("x" * 120), "has more than"),
        ("~nobody-of-this-name/s", "no such home folder"),
    ):
        (found,) = look(network.socket_file, UDS=str(name))
        assert found.state == "fail" and what in found.found
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    (found,) = look(network.socket_file, UDS=str(tmp_path / "s"))
    assert found.state == "fail" and "cannot be written to" in found.found


def test_webrtc() -> None:
    (found,) = look(network.webrtc)
    assert found.state == "ok" and "peers of this machine alone on 127.0.0.1" in found.found
    assert look(network.webrtc, RTC="0")[0].state == "info"
    (found,) = look(network.webrtc, RTC_ADDRESSES="192.0.2.77")
    assert (found.name, found.state) == ("RTC_ADDRESSES", "fail") and "RTC_PUBLIC_ADDRESS" in found.remedy


def test_ports_for_webrtc() -> None:
    with taken(socket.SOCK_DGRAM) as number:
        of = {"RTC_ADDRESSES": "127.0.0.1", "MAX_SESSIONS": "1"}
        found = only(look(network.webrtc, RTC_PORTS=f"{number}-{number}", **of), "RTC_PORTS")
        assert found.state == "fail" and found.found.startswith("0 of 1 UDP ports are free")
    found = only(look(network.webrtc, RTC_PORTS=f"{number}-{number}", **of), "RTC_PORTS")
    assert found.state == "ok"
    found = only(look(network.webrtc, RTC_PORTS="41000-41009", RTC_ADDRESSES="127.0.0.1"), "RTC_PORTS")
    assert found.state == "warn" and "fewer than MAX_SESSIONS (256)" in found.found


def test_servers_that_help_webrtc() -> None:
    found = look(network.webrtc, STUN_URLS="stun:127.0.0.1:3478", TURN_URLS="turn:127.0.0.1,turns:[::1]")
    assert only(found, "STUN_URLS").state == only(found, "TURN_URLS").state == "ok"
    assert only(found, "TURN login").state == "warn"
    found = look(network.webrtc, STUN_URLS="stun:127.0.0.1:99999")
    assert only(found, "STUN_URLS").state == "fail"
    login = {"TURN_USERNAME": "me", "TURN_PASSWORD": "turn-pw-9"}
    found = look(network.webrtc, TURN_URLS="turn:127.0.0.1", **login)
    assert [each.state for each in found] == ["ok", "ok"]


def test_a_redis() -> None:
    """One that answers; who has a wrong password, or none; and one that is gone."""
    assert look(network.redis) == []
    with running_redis("pass-w0rd", tcp=True) as server:
        (found,) = look(network.redis, REDIS_URL=server.url)
        assert found.state == "ok" and found.found == f"the Redis at 127.0.0.1:{server.port} answers"
        for url in (server.url.replace("pass-w0rd", "wr0ng-one"), f"redis://127.0.0.1:{server.port}"):
            (found,) = look(network.redis, REDIS_URL=url)
            assert found.state == "fail" and "it wants another user and password" in found.found
            assert "wr0ng-one" not in repr(found)
    (found,) = look(network.redis, REDIS_URL=server.url)
    assert found.state == "fail" and "nobody can be connected to" in found.found
    assert "pass-w0rd" not in repr(found)


def test_a_redis_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_PATIENCE_S", 0.2)
    with taken() as number:
        (found,) = look(network.redis, REDIS_URL=f"redis://127.0.0.1:{number}")
    assert found.state == "fail" and "no answer within 0.2 s" in found.found


def test_a_url_that_is_none() -> None:
    (found,) = look(network.redis, REDIS_URL="http://:pass-w0rd@127.0.0.1")
    assert found.state == "fail" and found.found.startswith("the URL of the shared cache must be redis://")
