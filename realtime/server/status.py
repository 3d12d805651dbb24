"""`GET /health` (is it alive, and how busy), `GET /ready` (can it take a request), `GET /metrics` (for
Prometheus), `GET /` (where to go).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import msgspec
from aiohttp import web
from msgspec import Struct

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: What is true only now must not be shown later.
_NOT_KEPT = {"Cache-Control": "no-store"}


class LoadingHealth(Struct, frozen=True):
    """`what` is being done, in a word or two, and the `fraction` of that is done, from 0 to 1."""

    what: str
    fraction: float


EngineStateName = Literal["loading", "ready", "restarting", "unloaded"]


class EngineHealth(Struct, frozen=True):
    """What speaks.

    `restarting`: its process was lost, and a new one is being loaded. `unloaded`: it will be loaded when
    somebody wants to hear it. `loading` tells how a load goes, null when nothing is known of one.
    """

    name: str
    state: EngineStateName
    loading: LoadingHealth | None = None


class QueueHealth(Struct, frozen=True):
    """`waiting` of at most `limit` contexts and requests have text and their turn, and no sound yet;
    `speaking` are under way in all.

    `segments_waiting`: pieces of text that no worker of the engine has taken up. `estimated_wait_ms`: how
    long a newcomer would wait for a first sound. `thrown_away_s`: seconds of sound that were synthesized
    since the start and never heard.
    """

    waiting: int
    limit: int
    speaking: int
    segments_waiting: int
    estimated_wait_ms: int
    thrown_away_s: float


class AudioCacheHealth(Struct, frozen=True):
    """Sound made before: what is in memory, how often it served; `shared` is the Redis of several servers."""

    entries: int
    bytes: int
    max_bytes: int
    hits: int
    misses: int
    evictions: int
    shared: Literal["off", "ok", "lost"]
    shared_hits: int
    shared_misses: int


class VoicePromptsHealth(Struct, frozen=True):
    """Prompts of cloned voices that the engine has in memory, and how often they served."""

    entries: int
    hits: int
    misses: int


class VoicesHealth(Struct, frozen=True):
    """How many voices there are."""

    built_in: int
    cloned: int


class Health(Struct, frozen=True):
    """What `/health` tells. `requests` are HTTP requests that speak now; `tasks` are those of the event loop.

    Of the `sessions`, `sessions_detached` have lost their connection and may be resumed. `peers`: peer
    connections of WebRTC.
    """

    version: str
    uptime_s: float
    engine: EngineHealth
    queue: QueueHealth
    tasks: int
    sessions: int
    sessions_detached: int
    peers: int
    requests: int
    audio_cache: AudioCacheHealth
    voice_prompts: VoicePromptsHealth
    voices: VoicesHealth
    status: Literal["ok"] = "ok"


class Readiness(Struct, frozen=True):
    """What `/ready` tells."""

    ready: bool


def json_answer(value: Struct, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A value as the JSON body of an answer."""
    return web.Response(
        body=msgspec.json.encode(value), status=status, headers=headers, content_type="application/json"
    )


def health_handler(health: Callable[[], Health]) -> Handler:
    """200 as long as the process answers at all."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return json_answer(health(), headers=_NOT_KEPT)

    return handle


def metrics_handler(render: Callable[[str], Awaitable[tuple[bytes, str]]]) -> Handler:
    """The metrics of Prometheus; `render` gives them, with their content type, for a header `Accept`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        body, content_type = await render(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type, **_NOT_KEPT})

    return handle


def ready_handler(ready: Callable[[], bool]) -> Handler:
    """200 when a request would be taken now, else 503."""

    async def handle(request: web.Request) -> web.StreamResponse:
        is_ready = ready()
        return json_answer(Readiness(is_ready), 200 if is_ready else 503, _NOT_KEPT)

    return handle


def index_handler(document: Mapping[str, Any]) -> Handler:
    """Tells people where to go: the routes of an OpenAPI document."""
    lines = [
        f"  {method.upper():6} {path:32} {operation['summary']}"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    text = "realtime: text in, speech out.\n\n" + "\n".join(lines) + "\n"

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(text=text)

    return handle
