"""`GET /health` (is it alive, and how busy) and `GET /ready` (can it take a request)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Health:
    """What `/health` tells."""

    status: str
    version: str
    engine: str
    engine_ready: bool
    sessions: int
    utterances: int
    segments_waiting: int


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def health_handler(health: Callable[[], Health]) -> Handler:
    """200 as long as the process answers at all."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response(asdict(health()))

    return handle


def ready_handler(ready: Callable[[], bool]) -> Handler:
    """200 when a request would be taken now, else 503."""

    async def handle(request: web.Request) -> web.StreamResponse:
        is_ready = ready()
        return web.json_response({"ready": is_ready}, status=200 if is_ready else 503)

    return handle


async def index(request: web.Request) -> web.StreamResponse:
    """Says where to go."""
    return web.Response(
        text="realtime: text in, speech out.\n\n"
        "  GET /v1/audio/speech/ws   the WebSocket (protocol.md: realtime.v1)\n"
        "  GET /health               alive, and how busy\n"
        "  GET /ready                whether a request would be taken\n"
    )
