"""A small real server made of the guards alone, and a client that sends whatever it likes."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from realtime.app.observing import Observers
from realtime.clock import Clock, MonotonicClock
from realtime.observe.metrics import Metrics
from realtime.server.access import RequestObserver, access
from realtime.server.addresses import AddressLimits, TrustedProxies, address_guard
from realtime.server.connection import MAX_BODY_BYTES, time_limit
from realtime.server.errors import errors, name_response
from realtime.server.guard import key_guard
from realtime.server.headers import safe_headers
from realtime.server.keys import KeyLimits, KeyRing
from realtime.server.listen import listening
from realtime.server.origins import OriginPolicy, cors_headers, origin_guard

OPEN_ROUTES = frozenset({"/", "/health"})
PROBES = frozenset({"/health"})
Routes = Mapping[str, Callable[[web.Request], Any]]


@dataclass
class StillClock:
    """Time that passes only when a test says so."""

    time: float = 1000.0

    def now(self) -> float:
        return self.time


@dataclass(frozen=True)
class Small:
    """Where a small server listens."""

    port: int | None
    uds: Path | None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


async def hello(request: web.Request) -> web.StreamResponse:
    return web.Response(text="hello")


async def echo(request: web.Request) -> web.StreamResponse:
    return web.Response(body=await request.read())


async def sockets(request: web.Request) -> web.StreamResponse:
    """A WebSocket that gives back what it gets."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data)
    return socket


@asynccontextmanager
async def small_server(
    routes: Routes | None = None,
    *,
    policy: OriginPolicy | None = None,
    ring: KeyRing | None = None,
    addresses: AddressLimits | None = None,
    clock: Clock | None = None,
    timeout_s: float = 20.0,
    host: str | None = "127.0.0.1",
    uds: Path | None = None,
    uds_mode: int = 0o660,
    observe: RequestObserver | None = None,
) -> AsyncIterator[Small]:
    """A server whose middlewares are those of the real one. `routes`: "METHOD /path" and its handler.

    `observe` is told of all requests; left out, what was refused is logged.
    """
    observe = observe or Observers(Metrics("0", "none", ()), log_text=False, log_access=False).request
    policy = policy or OriginPolicy()
    addresses = addresses or AddressLimits(KeyLimits(), TrustedProxies())
    clock = clock or MonotonicClock()
    app = web.Application(
        middlewares=[
            access(observe, clock, addresses.proxies, (), PROBES),
            errors,
            time_limit,
            origin_guard(policy, OPEN_ROUTES, PROBES),
            address_guard(addresses, clock, OPEN_ROUTES),
            key_guard(ring or KeyRing([]), clock, OPEN_ROUTES),
        ],
        client_max_size=MAX_BODY_BYTES,
    )
    app.on_response_prepare.extend([name_response, cors_headers(policy), safe_headers(policy.is_shared)])
    usual: Routes = {"GET /": hello, "GET /health": hello, "POST /v1/echo": echo, "GET /v1/ws": sockets}
    for route, handler in (usual | dict(routes or {})).items():
        app.router.add_route(*route.split(), handler)
    runner = web.AppRunner(app, handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    try:
        path = None if uds is None else str(uds)
        async with listening(runner, timeout_s, host, 0, path, uds_mode) as addresses:
            yield Small(addresses.port, addresses.uds)
    finally:
        await runner.cleanup()


async def send_raw(server: Small, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """All that the server says to these bytes, sent with pauses, until it closes; it has 10 s.

    A client that pauses may still be sending when the server closes: that it is then reset is no matter.
    To one that does not, `ConnectionResetError` is raised.
    """
    loop = asyncio.get_running_loop()
    raw = socket.socket(socket.AF_INET if server.uds is None else socket.AF_UNIX)
    raw.setblocking(False)
    said = bytearray()

    async def hear() -> None:
        while data := await loop.sock_recv(raw, 65536):
            said.extend(data)

    with raw:
        await loop.sock_connect(raw, ("127.0.0.1", server.port) if server.uds is None else str(server.uds))
        async with asyncio.timeout(10):
            hearing = asyncio.create_task(hear())
            for piece in pieces:
                if hearing.done():
                    break
                try:
                    await loop.sock_sendall(raw, piece)
                except ConnectionError:
                    break
                await asyncio.sleep(pause_s)
            try:
                await hearing
            except ConnectionError:
                if not pause_s:
                    raise
        return bytes(said)


def parts(answer: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers (names in small letters) and body of a raw response."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    return int(first.split()[1]), {name.lower(): value for name, value in pairs}, body


def error_of(body: bytes | str) -> dict[str, Any]:
    """The error that a body bears, which must be in the one shape."""
    (outer,) = json.loads(body).items()
    assert outer[0] == "error" and set(outer[1]) == {"message", "type", "code", "param"}
    assert isinstance(outer[1]["message"], str) and outer[1]["message"]
    return outer[1]  # type: ignore[no-any-return]
