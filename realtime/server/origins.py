"""Which web pages may use the server: CORS (Fetch standard), and the Origin of WebSockets (RFC 6455, 10.2).

A browser tells with `Origin` where a page came from. A page of the server itself may do everything, another
one only if it is in `ALLOWED_ORIGINS`. Who sends no `Origin` is no page of another site that could read the
answer, and is served.

But a browser takes every page for one of the server's own whose name leads to it, and names can be made to
(DNS rebinding). A server that only its own machine is to reach, and that asks for no key, is protected by the
name that it is asked for: `OriginPolicy.knows_host`.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from enum import Enum, auto

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from realtime.errors import ConfigError, ErrorCode, RealtimeError
from realtime.server.exchange import route_of
from realtime.server.listen import is_loopback_address

METHODS = "GET, HEAD, POST, PATCH, DELETE, OPTIONS"
#: Headers that a page may send. Others that it asks for are allowed as well: clients in browsers send some of
#: their own, and the server does not look at them.
HEADERS = ("Authorization", "Content-Type", "If-Match", "X-Request-Id")
#: Headers that a page may read.
EXPOSED = (
    "X-Request-Id, X-Latency-Load-Ms, X-Latency-Queue-Ms, X-Latency-Infer-Ms, X-Latency-Encode-Ms, "
    "X-Latency-First-Audio-Ms, X-Latency-Total-Ms, X-Audio-Duration-Ms, X-Cache, Retry-After, "
    "Location, ETag, Link, Accept-Patch"
)
MAX_AGE_S = 7200
_MAX_ASKED_HEADERS = 64
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_DEFAULT_PORTS = {"http": 80, "https": 443}
#: Names that always mean the machine itself.
_LOOPBACK = re.compile(r"localhost|.+\.localhost|127\.[0-9.]+")

PrepareSignal = Callable[[web.Request, web.StreamResponse], Awaitable[None]]


class Relation(Enum):
    """What the page that sent a request is to this server."""

    NONE = auto()
    OWN = auto()
    ALLOWED = auto()
    FOREIGN = auto()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a page came from; `port` None is the usual one of the scheme."""

    scheme: str
    host: str
    port: int | None


def parse_origin(text: str) -> Origin | None:
    """An origin as a browser writes it, `scheme://host[:port]`; None for what is none."""
    match = _ORIGIN.fullmatch(text.lower())
    if match is None:
        return None
    scheme, host, port = match.groups()
    return Origin(scheme, host, _port(port, scheme))


def _port(digits: str | None, scheme: str) -> int | None:
    port = None if digits is None else int(digits)
    return None if port == _DEFAULT_PORTS.get(scheme) else port


@dataclass(frozen=True, slots=True)
class OriginPolicy:
    """Whose pages may use the server: its own, `allowed`, or those of `everybody`.

    `loopback_only` is for a server that only its own machine reaches and that asks for no key; `own_name` is
    the one that its settings give it.
    """

    allowed: frozenset[Origin] = frozenset()
    everybody: bool = False
    loopback_only: bool = False
    own_name: str | None = None

    @property
    def is_shared(self) -> bool:
        """Whether pages of other origins may use the server."""
        return self.everybody or bool(self.allowed)

    def knows_host(self, request: web.BaseRequest) -> bool:
        """Whether the name that the request is sent to is none that somebody else can have made to lead here.

        That is a loopback name or address, the server's own name, or the host of an allowed origin. Requests
        over a Unix socket may bear any name: browsers do not come there.
        """
        if not self.loopback_only or _came_by_unix_socket(request):
            return True
        named = _host_of(request)
        if named is None:
            return False
        host = named[0]
        known = {self.own_name, *(origin.host for origin in self.allowed)}
        return host in known or is_loopback_address(host.strip("[]")) or _LOOPBACK.fullmatch(host) is not None

    def relation(self, request: web.BaseRequest) -> Relation:
        """What the page that sent this request is to this server."""
        origins = request.headers.getall("Origin", [])
        if not origins:
            return Relation.NONE
        if self.everybody:
            return Relation.ALLOWED
        origin = parse_origin(origins[0]) if len(origins) == 1 else None
        if origin is None:
            return Relation.FOREIGN
        if origin in self.allowed:
            return Relation.ALLOWED
        return Relation.OWN if self._is_own(origin, request) else Relation.FOREIGN

    def _is_own(self, origin: Origin, request: web.BaseRequest) -> bool:
        """Whether host and port are those that the request was sent to.

        The scheme is not compared: where a proxy ends TLS, pages have https and the request that arrives here
        has http. Headers in which a proxy tells of that are not believed, since anybody can send them.
        """
        named = _host_of(request)
        if named is None or not self.knows_host(request):
            return False
        host, port = named
        return origin.host == host and origin.port == _port(port, origin.scheme)


def _host_of(request: web.BaseRequest) -> tuple[str, str | None] | None:
    """Name and port of the header `Host`; None where there is none, or several, or what is none."""
    hosts = request.headers.getall("Host", [])
    match = _HOST.fullmatch(hosts[0].lower()) if len(hosts) == 1 else None
    return None if match is None else (match[1], match[2])


def _came_by_unix_socket(request: web.BaseRequest) -> bool:
    raw = None if request.transport is None else request.transport.get_extra_info("socket")
    return raw is not None and raw.family == socket.AF_UNIX


def origin_policy(
    allowed: str | None, loopback_only: bool = False, own_name: str | None = None
) -> OriginPolicy:
    """The policy of a list with commas, of `*`, or of None: the server's own pages alone.

    The rest as in `OriginPolicy`. Raises `ConfigError` for an entry that is no origin.
    """
    own_name = None if own_name is None else own_name.lower()
    if allowed is None:
        return OriginPolicy(loopback_only=loopback_only, own_name=own_name)
    if allowed.strip() == "*":
        return OriginPolicy(everybody=True)
    origins = set()
    for entry in allowed.split(","):
        origin = parse_origin(entry.strip())
        if origin is None:
            raise ConfigError(
                "ALLOWED_ORIGINS must be origins separated by commas, each scheme://host[:port] "
                f"without a path (names beyond ASCII as xn--...); or `*` alone; not {entry.strip()!r}"
            )
        origins.add(origin)
    return OriginPolicy(frozenset(origins), loopback_only=loopback_only, own_name=own_name)


def origin_guard(policy: OriginPolicy, open_routes: Collection[str], probes: Collection[str]) -> Middleware:
    """A middleware that turns foreign pages away, and names that lead here by a trick; it answers preflights.

    What anybody may look at (GET of `open_routes`) is served to all; without the headers that
    `cors_headers` adds, a foreign page cannot read it. `probes` are those of them that are served by whatever
    name they are asked for.
    """

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        relation = policy.relation(request)
        preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        route = route_of(request)
        looks = request.method in ("GET", "HEAD") and route in open_routes
        if not policy.knows_host(request) and not (looks and route in probes):
            raise RealtimeError(
                "this server has no keys, so it serves only who asks for it by a name of its own machine, as "
                "localhost is; for other names set API_KEYS or API_KEYS_FILE, or put their origins into "
                "ALLOWED_ORIGINS",
                ErrorCode.FORBIDDEN,
            )
        if relation is Relation.FOREIGN and not looks:
            raise RealtimeError(
                "pages of this origin may not use this server; its ALLOWED_ORIGINS says which may",
                ErrorCode.FORBIDDEN,
            )
        if preflight and relation is not Relation.NONE:
            return web.Response(status=204, headers=_preflight_headers(request))
        return await handler(request)

    return guard


def _preflight_headers(request: web.Request) -> dict[str, str]:
    asked = request.headers.get("Access-Control-Request-Headers", "").split(",")
    known = {name.lower() for name in HEADERS}
    more = dict.fromkeys(name.strip().lower() for name in asked[:_MAX_ASKED_HEADERS])
    names = [*HEADERS, *(name for name in more if name not in known and _TOKEN.fullmatch(name))]
    return {
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": ", ".join(names),
        "Access-Control-Max-Age": str(MAX_AGE_S),
        "Vary": "Access-Control-Request-Headers",
    }


def cors_headers(policy: OriginPolicy) -> PrepareSignal:
    """For `on_response_prepare`: lets pages that are allowed read a response, errors too."""

    async def add(request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        if policy.everybody:
            headers["Access-Control-Allow-Origin"] = "*"
        else:
            headers["Vary"] = f"{headers['Vary']}, Origin" if "Vary" in headers else "Origin"
            if policy.relation(request) is not Relation.ALLOWED:
                return
            headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        headers["Access-Control-Expose-Headers"] = EXPOSED

    return add
