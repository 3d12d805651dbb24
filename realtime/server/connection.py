"""A client's connection: how long a request may take to come in, and how much may wait to be sent.

aiohttp reads a request for as long as the client likes, and answers what is no HTTP in a form of its own.
`Connection` is its protocol with a limit of time and our form.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import structlog
from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.typedefs import Handler

from realtime.errors import ErrorCode, RealtimeError
from realtime.server.errors import SlowRequestError, answer, error_body, error_response
from realtime.server.exchange import REQUEST_ID, new_request_id, request_id_of
from realtime.server.headers import HEADERS, add_headers

#: Bytes of a JSON body, for `web.Application(client_max_size=...)`; more where a longer text is allowed.
MAX_BODY_BYTES = 1024 * 1024
#: Bytes of a request line, and of one header field.
MAX_LINE_BYTES = 8190
MAX_FIELD_BYTES = 16 * 1024
#: Header fields of a request.
MAX_FIELDS = 128
#: A connection without a request is closed after so long.
KEEP_ALIVE_S = 75.0
#: What may wait in the kernel: little, or a cancel waits behind seconds of sound.
NOT_SENT_BYTES = 16 * 1024
#: Seconds until the kernel asks a silent peer for life, seconds between two such probes, and their number.
TCP_PROBES = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
#: Linux: the connection ends when what was sent was not acknowledged for so long (the probes above are for
#: a silent one), or when the other side's kernel had no room for so long. Longer than any listener may stall.
TCP_USER_TIMEOUT_MS = 60_000
_EMPTY_LINE = b"\r\n\r\n"


class Connection(web.RequestHandler):
    """A client's connection: aiohttp's, with a limit of time for each request and errors in our shape.

    The time runs from a request's first byte (of the first request: from the connection's begin) until all of
    it is here; but not before the answer to the request before it was sent. Between requests aiohttp's own
    limit for idle connections holds. While a response is made and sent, and once a WebSocket is open, nothing
    runs.
    """

    __slots__ = ("_body", "_heard", "_packet", "_timeout_s", "_timer", "_under_way", "room")

    def __init__(self, manager: web.Server, timeout_s: float) -> None:
        """`manager` is the runner's server; a request may take `timeout_s` to come in."""
        limits: dict[str, Any] = {
            "access_log": None,
            "keepalive_timeout": max(KEEP_ALIVE_S, timeout_s),
            "max_line_size": MAX_LINE_BYTES,
            "max_field_size": MAX_FIELD_BYTES,
            "max_headers": MAX_FIELDS,
        }
        super().__init__(manager, loop=asyncio.get_running_loop(), **limits)
        self._timeout_s = timeout_s
        self._timer: asyncio.TimerHandle | None = None
        self._packet = _LastPacket()
        #: The body of the last request that was taken up, whether that is still being answered, and whether
        #: any byte of the next has come.
        self._body: StreamReader | None = None
        self._under_way = False
        self._heard = False
        #: Set while little is unsent, and when the connection is lost.
        self.room = asyncio.Event()
        self.room.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        body, between = self._body, not self._under_way
        unfinished = body is not None and not body.is_eof()
        if data:  # none: aiohttp goes on with what it has put aside
            self._packet.came(data, body)
            if between and not unfinished:
                self._next_begins()
        super().data_received(data)
        # A request may be answered before its body is here; and what ends that may begin the next.
        if between and unfinished and body is not None and body.is_eof() and self._packet.goes_beyond(body):
            self._next_begins()

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
        if request.content.exception() is not None and not resp.prepared:
            resp.force_close()  # so that the answer says so, and no client sends another request
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._stop_timer()
            self._under_way = self._heard = False
            if request.content.exception() is not None:
                self.force_close()  # where the next request would begin is not known
            elif request.content.is_eof() and self._packet.goes_beyond(request.content):
                self._next_begins()

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
        add_headers(response.headers)  # no signal tells of what is no HTTP
        response.force_close()
        return response

    def pause_writing(self) -> None:
        super().pause_writing()
        self.room.clear()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.room.set()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)
        self.room.set()

    def _next_begins(self) -> None:
        if not self._heard:
            self._heard = True
            if self._timer is None:  # that of the first request runs since the connection's begin
                self._start_timer()

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


class _LastPacket:
    """What came last, to tell whether it went beyond the end of a request."""

    def __init__(self) -> None:
        self._data = b""
        self._size = 0
        self._body: StreamReader | None = None
        self._before = 0

    def came(self, data: bytes, body: StreamReader | None) -> None:
        """More data; `body` is the last one that was begun, which may get some of it."""
        # A few bytes of what came before, for an empty line that comes in two parts.
        self._data = self._data[1 - len(_EMPTY_LINE) :] + data
        self._size = len(data)
        self._body = body
        self._before = 0 if body is None else body.total_bytes

    def goes_beyond(self, body: StreamReader) -> bool:
        """Whether a part of the next request came with the end of this one, whose `body` is complete.

        A body has either the whole packet or its last bytes, after the empty line that ends the head. Bodies
        in chunks, and requests without one, end with an empty line, and no part of a head does.
        """
        taken = body.total_bytes - (self._before if body is self._body else 0)
        rest = self._data[: len(self._data) - taken] if taken < self._size else b""
        if not rest or rest.endswith(_EMPTY_LINE):
            self._data, self._size = self._data[1 - len(_EMPTY_LINE) :], 0  # nothing holds on to a large one
            return False
        return not self._data.endswith(_EMPTY_LINE)


def _told(error: HttpProcessingError) -> str:
    if isinstance(error, LineTooLong):
        return f"too long: a request line may have {MAX_LINE_BYTES} bytes, a header field {MAX_FIELD_BYTES}"
    return "this is not a valid HTTP/1.1 request"


def _raw(error: SlowRequestError) -> bytes:
    """A response for a request of which there is not enough to make one by the usual way."""
    body = error_body(error)
    head = (
        "HTTP/1.1 408 Request Timeout\r\n"
        + "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        + "Content-Type: application/json; charset=utf-8\r\n"
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


def set_up_sending(transport: asyncio.Transport | None, write_buffer_bytes: int) -> None:
    """For sound: short buffers, and probes for a peer that is gone, which a listener's slowness cannot fake.

    `write_buffer_bytes` may wait in the process, and `NOT_SENT_BYTES` in the kernel.
    """
    if transport is None or transport.is_closing():
        return
    transport.set_write_buffer_limits(high=write_buffer_bytes)
    raw = transport.get_extra_info("socket")
    if raw is None:
        return
    if raw.family not in (socket.AF_INET, socket.AF_INET6):
        # A Unix socket has no such options: there the sender's whole buffer is made as short. And whoever
        # is at its other end is on this machine: it cannot vanish without the kernel's notice.
        # Linux doubles what it is given.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, NOT_SENT_BYTES // 2)
        return
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = {"TCP_NOTSENT_LOWAT": NOT_SENT_BYTES, "TCP_USER_TIMEOUT": TCP_USER_TIMEOUT_MS}
    for name, value in (options | TCP_PROBES).items():
        if (option := getattr(socket, name, None)) is not None:  # not every system has them all
            raw.setsockopt(socket.IPPROTO_TCP, option, value)
