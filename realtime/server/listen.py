"""Where the server listens: on TCP, on a Unix domain socket, or on both."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
import stat
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from aiohttp import web

from realtime.errors import ConfigError
from realtime.paths import expanded
from realtime.server.connection import Connection

#: Connections that may wait to be taken. A Unix socket turns away what is more, at once.
BACKLOG = 1024
#: Bytes that the path of a Unix socket may have: `sun_path` less its final zero.
MAX_SOCKET_PATH = 103 if sys.platform == "darwin" else 107


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a server listens: the port in force, the path of the socket file; None where it does not."""

    port: int | None
    uds: Path | None


@asynccontextmanager
async def listening(
    runner: web.AppRunner,
    timeout_s: float,
    host: str | None,
    port: int,
    uds: str | None = None,
    uds_mode: int = 0o660,
) -> AsyncIterator[Addresses]:
    """Takes connections for as long as the block runs; `runner` is set up, and its requests have `timeout_s`.

    On TCP unless `host` is None, on a Unix domain socket unless `uds` is None. Connections that are open at
    the end are left to `runner.cleanup`. Raises `ConfigError` where it cannot listen.
    """
    if host is None and uds is None:
        raise ConfigError("HOST is `none` and there is no UDS: nowhere to listen")
    manager = runner.server
    if manager is None:
        raise RuntimeError("the runner is not set up")
    server = manager

    def connect() -> Connection:
        return Connection(server, timeout_s)

    async with contextlib.AsyncExitStack() as stack:
        bound = None
        if host is not None:
            tcp = await _listen_on_tcp(connect, host, port)
            stack.callback(tcp.close)
            bound = tcp.sockets[0].getsockname()[1]
        path = None
        if uds is not None:
            path, raw = stack.enter_context(_socket_file(uds, uds_mode))
            unix = await asyncio.get_running_loop().create_unix_server(connect, sock=raw, backlog=BACKLOG)
            stack.callback(unix.close)
        yield Addresses(bound, path)


async def _listen_on_tcp(connect: Callable[[], Connection], host: str, port: int) -> asyncio.Server:
    try:
        return await asyncio.get_running_loop().create_server(connect, host, port, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot listen on {host}:{port}: {reason}") from None


@contextmanager
def _socket_file(name: str, mode: int) -> Iterator[tuple[Path, socket.socket]]:
    """A Unix socket bound to a file; at the end the file is removed, if it is still this one.

    Nobody can connect before it listens, and it listens only when its mode is set: so no umask, which is one
    for the whole process, needs to be changed for it.
    """
    path = expanded(name, "UDS")
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise ConfigError(f"the path of UDS is too long: at most {MAX_SOCKET_PATH} bytes, not {path}")
    raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        raw.setblocking(False)
        try:
            _remove_stale(path)
            raw.bind(str(path))
            made = path.lstat()
            path.chmod(mode)
        except OSError as error:
            raise ConfigError(f"cannot listen on {path}: {error.strerror or error}") from None
        try:
            yield path, raw
        finally:
            with contextlib.suppress(OSError):
                now = path.lstat()
                if (now.st_dev, now.st_ino) == (made.st_dev, made.st_ino):
                    path.unlink()
    finally:
        raw.close()


def _remove_stale(path: Path) -> None:
    """Removes the socket file of a server that is gone. Raises `ConfigError` for any other file."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ConfigError(f"cannot listen on {path}: there is a file that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except BlockingIOError:
            pass  # it has more connections waiting than it takes
    raise ConfigError(f"cannot listen on {path}: another server listens there")


def is_loopback(host: str | None) -> bool:
    """Whether only this machine reaches what listens on `host`; None is no TCP at all."""
    if host is None:
        return True
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return False
    return all(is_loopback_address(address) for address in found)


def is_loopback_address(text: str) -> bool:
    """Whether this is an IP address, and one of this machine alone."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def warn_if_open(host: str | None, port: int, has_keys: bool) -> None:
    """Says loudly that everybody who reaches this machine may speak, if that is so."""
    if has_keys or is_loopback(host):
        return
    structlog.get_logger("realtime").warning(
        "open_to_everybody",
        address=f"{host}:{port}",
        meaning="whoever reaches this address may speak and keep voices; nobody is asked for a key",
        advice="set API_KEYS (or API_KEYS_FILE), or HOST=127.0.0.1",
    )
