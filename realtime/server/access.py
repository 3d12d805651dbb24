"""Tells of every request when it is over, to whoever logs and counts them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from realtime.clock import Clock
from realtime.errors import ErrorCode
from realtime.server.addresses import TrustedProxies, address_of
from realtime.server.exchange import NO_ROUTE, Exchange, exchange_of, route_of
from realtime.types import Caller

#: The files of the page are one endpoint.
PAGE = "page"
#: The client has closed the connection before it was answered; nginx's number for it.
CLIENT_GONE = 499
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: Characters of what a client says that it is.
_MOST_AGENT = 100


@dataclass(frozen=True, slots=True)
class RequestSummary:
    """What became of a request.

    `method` and `caller.endpoint` are of a few words, whatever the client has sent. `status` is that of the
    response, 101 of a WebSocket that has come to its end, 499 when the client was gone before there was one.
    `sent_bytes` are those of the body; of a WebSocket they are not known. `address` is the client's, empty
    where it is not known. `code`: the error that it was told of; when it `has_observer`, that tells of it as
    well. `is_quiet`: it is one of very many that say nothing.
    """

    caller: Caller
    method: str
    status: int
    seconds: float
    sent_bytes: int
    address: str
    agent: str
    key: str | None
    code: ErrorCode | None
    has_observer: bool
    is_cut_off: bool
    is_quiet: bool


RequestObserver = Callable[[RequestSummary], None]


def access(
    observe: RequestObserver,
    clock: Clock,
    proxies: TrustedProxies,
    page_routes: Collection[str],
    probes: Collection[str],
) -> Middleware:
    """The outermost middleware. Requests of `page_routes` and `probes` are quiet."""

    def summary(
        request: web.Request,
        exchange: Exchange,
        response: web.StreamResponse | None,
        address: str,
        seconds: float,
    ) -> RequestSummary:
        route = route_of(request)
        return RequestSummary(
            caller=Caller(
                PAGE if route in page_routes else route or NO_ROUTE, exchange.request_id, exchange.trace
            ),
            method=request.method if request.method in _METHODS else "other",
            status=CLIENT_GONE if response is None else response.status,
            seconds=seconds,
            sent_bytes=_body_bytes(response),
            address=address,
            agent=request.headers.get("User-Agent", "")[:_MOST_AGENT],
            key=exchange.key,
            code=exchange.code,
            has_observer=exchange.has_observer,
            is_cut_off=exchange.is_cut_off,
            is_quiet=route in page_routes or route in probes,
        )

    @web.middleware
    async def tell(request: web.Request, handler: Handler) -> web.StreamResponse:
        exchange = exchange_of(request)
        begun = clock.now()
        address = address_of(request, proxies)  # now: when the connection is lost nobody knows it any more
        response: web.StreamResponse | None = None
        try:
            response = await handler(request)
            return response
        except web.HTTPException as redirect:
            response = redirect
            raise
        finally:
            known = "" if address is None else str(address)
            observe(summary(request, exchange, response or exchange.response, known, clock.now() - begun))

    return tell


def _body_bytes(response: web.StreamResponse | None) -> int:
    if isinstance(response, web.Response):
        return response.content_length or 0  # it has not been sent yet
    return 0 if response is None else response.body_length
