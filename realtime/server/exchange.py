"""What is known of a request while it is under way: its id, its trace, and what has become of it so far."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from aiohttp import web

from realtime.errors import ErrorCode
from realtime.server.tracing import trace_of
from realtime.types import Caller, Trace

REQUEST_ID = "X-Request-Id"
#: Where a request came that was resolved to no route.
NO_ROUTE = "unknown"
#: What a client may choose as the id of its request: 1 to 128 visible ASCII characters.
_REQUEST_ID = re.compile(r"[!-~]{1,128}")


@dataclass(slots=True)
class Exchange:
    """A request under way; `response` is the one that has begun, if any; `is_cut_off`: it lacks its end.

    `has_observer`: what becomes of it is told to somebody who logs and counts it. `code`: the error that its
    client was told of; `key` is the name of its key.
    """

    request_id: str
    trace: Trace | None = None
    response: web.StreamResponse | None = None
    is_cut_off: bool = False
    has_observer: bool = False
    code: ErrorCode | None = None
    key: str | None = None


_EXCHANGE = web.RequestKey("exchange", Exchange)


def new_request_id() -> str:
    """An id for a request whose client chose none."""
    return uuid.uuid4().hex


def exchange_of(request: web.BaseRequest) -> Exchange:
    """What is known of a request."""
    exchange = request.get(_EXCHANGE)
    if exchange is None:
        asked = request.headers.get(REQUEST_ID, "")
        request_id = asked if _REQUEST_ID.fullmatch(asked) else new_request_id()
        exchange = request[_EXCHANGE] = Exchange(request_id, trace_of(request))
    return exchange


def request_id_of(request: web.BaseRequest) -> str:
    """The id of a request: its client's `X-Request-Id` if it may be one, else a new one."""
    return exchange_of(request).request_id


def caller_of(request: web.Request) -> Caller:
    """Who asks."""
    exchange = exchange_of(request)
    return Caller(route_of(request) or NO_ROUTE, exchange.request_id, exchange.trace)


def leave_log_to_observer(request: web.BaseRequest) -> None:
    """What becomes of this request is told to an observer, who logs it: a refusal need not be logged here."""
    exchange_of(request).has_observer = True


def route_of(request: web.Request) -> str | None:
    """The route that a request was resolved to, as it was added (`/v1/voices/{id}`); None: there is none."""
    resource = request.match_info.route.resource
    return None if resource is None else resource.canonical
