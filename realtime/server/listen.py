"""Where the server listens, and how long a client may take to say what it wants.

aiohttp reads a request for as long as the client likes, and answers what is no HTTP in a form of its own.
`Connection` is its protocol with a limit of time and our form.
"""

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
from typing import Any

import structlog
from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.typedefs import Handler

from realtime.errors import ConfigError, ErrorCode, RealtimeError
from realtime.server.errors import (
    REQUEST_ID,
    SlowRequestError,
    answer,
    error_body,
    error_response,
    new_request_id,
    request_id_of,
)

#: Bytes of a JSON body, for `web.Application(client_max_size=...)`.
MAX_BODY_BYTES = 1024 * 1024
#: Bytes of a request line, and of one header field.
MAX_LINE_BYTES = 8190
MAX_FIELD_BYTES = 16 * 1024
#: A connection without a request is closed after so long.
KEEP_ALIVE_S = 75.0
#: Connections that may wait to be taken. A Unix socket turns away what is more, at once.
BACKLOG = 1024
#: Bytes that the path of a Unix socket may have: `sun_path` less its final zero.
MAX_SOCKET_PATH = 103 if sys.platform == "darwin" else 107


class Connection(web.RequestHandler):
    """A client's connection: aiohttp's, with a limit of time for each request and errors in our shape.

    The time runs from a request's first byte (of the first request: from the connection's begin) until all of
    it is here. Between requests aiohttp's own limit for idle connections holds. While a response is made and
    sent, and once a WebSocket is open, nothing runs.
    """

    __slots__ = ("_body", "_heard", "_timeout_s", "_timer", "_under_way")

    def __init__(self, manager: web.Server, timeout_s: float) -> None:
        """`manager` is the runner's server; a request may take `timeout_s` to come in."""
        limits: dict[str, Any] = {
            "access_log": None,
            "keepalive_timeout": max(KEEP_ALIVE_S, timeout_s),
            "max_line_size": MAX_LINE_BYTES,
            "max_field_size": MAX_FIELD_BYTES,
        }
        super().__init__(manager, loop=asyncio.get_running_loop(), **limits)
        self._timeout_s = timeout_s
        self._timer: asyncio.TimerHandle | None = None
        #: The body of the last request that was taken up, whether that is still being answered, and whether
        #: any byte of the next has come.
        self._body: StreamReader | None = None
        self._under_way = False
        self._heard = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        # What is left of the body of a request that was answered early belongs to no new one.
        between = not self._under_way and (self._body is None or self._body.is_eof())
        if data and between and not self._heard:
            self._heard = True
            self._start_timer()
        super().data_received(data)

    def taken_up(self, request: web.BaseRequest) -> None:
        """The head of a request is here, and it is being handled; its body may still be on its way."""
        self._body = request.content
        self._under_way = True
        if self._body.is_eof():
            self._stop_timer()
            return
        if self._timer is None:
            self._start_timer()
        self._body.on_eof(self._stop_timer)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        # What aiohttp refuses before any middleware runs (an unknown `Expect`).
        if isinstance(resp, web.HTTPException) and resp.status >= 400:
            resp = answer(request, resp)
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._stop_timer()
            self._under_way = self._heard = False
            if request.content.exception() is not None:
                self.force_close()  # where the next request would begin is not known

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no HTTP, and to what went wrong outside of all middlewares."""
        if request.writer.output_size > 0:
            raise ConnectionError("a response has begun already")
        if isinstance(exc, HttpProcessingError):
            structlog.get_logger("realtime").info("bad_request", kind=type(exc).__name__)
            response = error_response(RealtimeError(_told(exc), ErrorCode.INVALID_MESSAGE))
        else:
            response = answer(request, exc or RealtimeError(message or ""))
        response.headers[REQUEST_ID] = request_id_of(request)
        response.force_close()
        return response

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(self._timeout_s, self._time_is_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_is_up(self) -> None:
        self._timer = None
        error = SlowRequestError(f"a request must be here within {self._timeout_s:g} s of its begin")
        if self._under_way and self._body is not None:
            self._body.set_exception(error)  # whoever reads the body answers
            return
        # To a client that sent nothing an answer would be one to its next request.
        if self._heard and self.transport is not None:
            self.transport.write(_raw(error))
        self.force_close()


def _told(error: HttpProcessingError) -> str:
    if isinstance(error, LineTooLong):
        return f"too long: a request line may have {MAX_LINE_BYTES} bytes, a header field {MAX_FIELD_BYTES}"
    return "this is not a valid HTTP/1.1 request"


def _raw(error: SlowRequestError) -> bytes:
    """A response for a request of which there is not enough to make one by the usual way."""
    body = error_body(error)
    head = (
        "HTTP/1.1 408 Request Timeout\r\n"
        "Content-Type: application/json; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"{REQUEST_ID}: {new_request_id()}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body


@web.middleware
async def time_limit(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tells the connection that a request was taken up; without it every one would count as unfinished."""
    if isinstance(request.protocol, Connection):
        request.protocol.taken_up(request)
    return await handler(request)


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
    path = Path(name).expanduser()
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
    return all(_is_loopback_address(address) for address in found)


def _is_loopback_address(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


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
