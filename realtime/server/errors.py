"""Every HTTP error in OpenAI's shape.

The shape is `{"error": {"message", "type", "code", "param"}}`; the status comes from the one table in
`realtime.errors`. A client learns what was wrong and what is allowed, never what went on inside.
"""

from __future__ import annotations

import math
import socket
import struct

import msgspec
import structlog
from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Handler
from msgspec import Struct

from realtime.errors import ERRORS, INTERNAL_MESSAGE, ErrorCode, RealtimeError, TryLaterError
from realtime.server.exchange import REQUEST_ID, exchange_of, request_id_of
from realtime.server.tracing import TRACEPARENT, traceparent

#: Characters of a client's own path that an error repeats.
_SHOWN_PATH = 100
#: Close with a reset: linger, for no time (struct linger of the sockets API).
_RESET = struct.pack("ii", 1, 0)
#: `type` by status, as OpenAI has it; what is not named here goes by its hundred.
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
#: `code` of what aiohttp refuses by itself, by status.
_CODES = {
    401: ErrorCode.UNAUTHORIZED,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    408: ErrorCode.TIMEOUT,
    413: ErrorCode.BODY_TOO_LARGE,
    429: ErrorCode.RATE_LIMITED,
    503: ErrorCode.QUEUE_FULL,
}


#: Of a response that tells of an error: its code.
CODE = web.ResponseKey("code", ErrorCode)


class ErrorDetail(Struct, frozen=True):
    """`param` is the field that was wrong, null when it was none in particular."""

    message: str
    type: str
    code: str
    param: str | None


class ErrorBody(Struct, frozen=True):
    """What every error bears."""

    error: ErrorDetail


class RateLimitedError(TryLaterError):
    """A key or an address has used up what it may use."""

    code = ErrorCode.RATE_LIMITED


class SlowRequestError(RealtimeError):
    """The client took too long to send its request: 408, where a timeout of ours is 504."""

    code = ErrorCode.TIMEOUT


def error_body(error: RealtimeError, status: int | None = None) -> bytes:
    """JSON of an error, for a response of `status` or an event of a stream."""
    code = error.code
    kind = error_type(_status(error) if status is None else status)
    message = INTERNAL_MESSAGE if code is ErrorCode.INTERNAL else error.message
    detail = ErrorDetail(_clean(message), kind, code.value, error.param and _clean(error.param))
    return msgspec.json.encode(ErrorBody(detail))


def _clean(text: str) -> str:
    """A message may repeat what a client sent, and that may be half a character, which JSON cannot have."""
    return text.encode("utf-8", "replace").decode()


def error_type(status: int) -> str:
    """OpenAI's name of the kind of error that has this status."""
    return _TYPES.get(status) or ("server_error" if status >= 500 else "invalid_request_error")


def error_response(error: RealtimeError, status: int | None = None) -> web.Response:
    """The response that tells of an error; `status` is that of the table when left out."""
    status = _status(error) if status is None else status
    response = web.Response(
        status=status, body=error_body(error, status), content_type="application/json", charset="utf-8"
    )
    response[CODE] = error.code
    response.headers["Cache-Control"] = "no-store"
    if isinstance(error, TryLaterError):
        response.headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_ms / 1000)))
    elif status in (429, 503):
        response.headers["Retry-After"] = "1"
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, SlowRequestError):
        response.force_close()
    return response


def _status(error: RealtimeError) -> int:
    return 408 if isinstance(error, SlowRequestError) else ERRORS[error.code].http_status


def answer(request: web.BaseRequest, error: BaseException) -> web.Response:
    """The response to a request that ended with `error`; what nobody foresaw is logged and not told."""
    if isinstance(error, web.HTTPException):
        return _of_http(request, error)
    if isinstance(error, web.RequestPayloadError):
        told = "the body ends early, or is not encoded as its headers say"
        return error_response(RealtimeError(told, ErrorCode.INVALID_MESSAGE))
    if isinstance(error, RealtimeError) and error.code is not ErrorCode.INTERNAL:
        return error_response(error)
    if isinstance(error, ConnectionError) and _is_gone(request):
        return error_response(RealtimeError(INTERNAL_MESSAGE))  # nobody is there to read it
    _log_failure(request, error)
    return error_response(RealtimeError(INTERNAL_MESSAGE))


def _of_http(request: web.BaseRequest, error: web.HTTPException) -> web.Response:
    """The same for what aiohttp raises; headers of use (`Allow`) are kept."""
    code = _CODES.get(error.status, ErrorCode.INTERNAL if error.status >= 500 else ErrorCode.INVALID_MESSAGE)
    if error.status == 404:
        message = f"there is nothing at {request.path[:_SHOWN_PATH]}"
    elif error.status == 405:
        message = f"{request.method} is not allowed here; allowed: {error.headers.get('Allow', 'nothing')}"
    elif error.status == 413:
        message = f"the body is too large: at most {request.client_max_size} bytes"
    else:
        message = error.text or error.reason
    response = error_response(RealtimeError(message, code), error.status)
    for name, value in error.headers.items():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def _log_failure(request: web.BaseRequest, error: BaseException) -> None:
    structlog.get_logger("realtime").error(
        "request_failed",
        request=request_id_of(request),
        method=request.method,
        path=request.path,
        exc_info=error,
    )


def _is_gone(request: web.BaseRequest) -> bool:
    return request.transport is None or request.transport.is_closing()


def cut_off(request: web.BaseRequest) -> None:
    """End a response that has begun so that the client sees that it is not whole.

    A chunked body then lacks its end. HTTP/1.0 has no chunks: its body ends with the connection, so the
    connection is reset rather than closed.
    """
    transport = request.transport
    if transport is None:
        return
    raw = transport.get_extra_info("socket")
    if request.version < HttpVersion11 and raw is not None and raw.family != socket.AF_UNIX:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A middleware: whatever is raised below it becomes an answer in the one shape.

    Once a response has begun its status cannot change any more: then it is cut off.
    """
    exchange = exchange_of(request)
    try:
        response = await handler(request)
        # A session that was refused has been told so by its handler: a WebSocket bears no code.
        exchange.code = response.get(CODE, exchange.code)
        return response
    except Exception as error:
        if isinstance(error, web.HTTPException) and error.status < 400:
            raise
        begun = exchange.response
        if begun is None:
            refusal = answer(request, error)
            exchange.code = refusal.get(CODE)
            return refusal
        if not _is_gone(request):
            if isinstance(error, RealtimeError) and error.code is not ErrorCode.INTERNAL:
                structlog.get_logger("realtime").warning(
                    "response_cut_off", request=exchange.request_id, code=error.code.value
                )
            else:
                _log_failure(request, error)
        exchange.is_cut_off = True
        cut_off(request)
        if isinstance(begun, web.WebSocketResponse):
            raise  # one that was left in its handshake cannot be finished
        return begun


async def name_response(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """For `on_response_prepare`: every response bears the id of its request, and is known to have begun.

    What the server is made of, in which versions, is nobody's business.
    """
    exchange = exchange_of(request)
    exchange.response = response
    response.headers[REQUEST_ID] = exchange.request_id
    response.headers["Server"] = "realtime"
    if exchange.trace is not None:
        response.headers[TRACEPARENT] = traceparent(exchange.trace)
