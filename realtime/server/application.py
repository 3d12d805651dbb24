"""All routes of the server, and what every request passes: errors, origins, addresses, keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from aiohttp import web

from realtime.clock import Clock, WallClock
from realtime.live.driver import Driver
from realtime.live.registry import Registry
from realtime.server.access import RequestObserver, access
from realtime.server.addresses import AddressLimits, address_guard
from realtime.server.catalogue import (
    Catalogue,
    audio_models_handler,
    audio_voices_handler,
    model_handler,
    model_names,
    models_handler,
    sample_handler,
    voice_handler,
    voices_handler,
)
from realtime.server.connection import time_limit
from realtime.server.errors import errors, name_response
from realtime.server.exchange import route_of
from realtime.server.gate import Gate
from realtime.server.guard import key_guard
from realtime.server.headers import safe_headers
from realtime.server.keys import KeyRing
from realtime.server.openapi import make_document, openapi_handler
from realtime.server.origins import OriginPolicy, cors_headers, origin_guard
from realtime.server.page import PageFile, front_handler, page_handler
from realtime.server.speech import SpeechAnswers, pcm_handler, sentences_handler, speech_handler
from realtime.server.speech_request import SpeechRules, most_body_bytes
from realtime.server.status import (
    Health,
    health_handler,
    index_handler,
    metrics_handler,
    ready_handler,
)
from realtime.server.voices import (
    Uploads,
    VoiceRoom,
    add_voice_handler,
    clone_handler,
    delete_voice_handler,
    engine_clones,
)
from realtime.server.webrtc.peers import Peers
from realtime.server.webrtc.whep import (
    PEER_ROUTE,
    ROUTE,
    bearer_token,
    delete_handler,
    offer_handler,
    patch_handler,
)
from realtime.server.websocket import speech_handler as session_handler
from realtime.types import Caller
from realtime.voices.clone import EXAMPLE_ID

#: Who has no key may look at these.
OPEN_ROUTES = frozenset({"/", "/health", "/ready", "/openapi.json"})
#: Where Prometheus looks.
METRICS = "/metrics"
#: What probes ask for, by whatever name of the server.
PROBES = frozenset({"/health", "/ready"})
#: Sessions are counted, and refused, by their registry.
SESSIONS = "/v1/audio/speech/ws"


def speaking_routes(rtc: bool) -> tuple[str, ...]:
    """Where a text may be sent to be spoken; `rtc`: there is WebRTC."""
    http = ("/v1/audio/speech", "/v1/audio/speech/pcm", "/v1/audio/speech/stream")
    return (SESSIONS, *http, *((ROUTE,) if rtc else ()))


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the routes lead to. `decoders` read recordings; `clones`: whether the engine clones voices.

    `forget` has it drop what it keeps of a recording, by its key. `check_room` raises `RealtimeError` when
    nothing more can be spoken. All requests but those of sessions pass the `gate`. Everybody may see
    the files of the `page`. `peers` is None where there is no WebRTC, `metrics` where none are told; they are
    told to everybody if they are `metrics_open`, else to who has a key. `observe` is told of all requests.
    """

    catalogue: Catalogue
    answers: SpeechAnswers
    registry: Registry
    peers: Peers | None
    make_driver: Callable[[Caller], Driver]
    health: Callable[[], Health]
    metrics: Callable[[str], Awaitable[tuple[bytes, str]]] | None
    metrics_open: bool
    observe: RequestObserver
    ready: Callable[[], bool]
    clones: Callable[[], bool]
    forget: Callable[[str], Awaitable[None]]
    check_room: Callable[[], None]
    gate: Gate
    page: tuple[PageFile, ...]
    decoders: Executor
    clock: Clock
    wall_clock: WallClock


def make_application(
    rooms: Rooms, version: str, keys: KeyRing, origins: OriginPolicy, addresses: AddressLimits
) -> web.Application:
    """The application, ready to be run."""
    offer = rooms.catalogue.offer
    text_bytes = offer.limits.text_bytes_per_context
    models = model_names(offer.engine)
    rules = SpeechRules(offer, frozenset(models))
    check_loaded = rooms.answers.check_loaded
    clones = engine_clones(check_loaded, rooms.clones)
    room = VoiceRoom(
        rooms.catalogue, rooms.decoders, Uploads(clones), rooms.forget, rooms.check_room, rooms.wall_clock
    )
    document = make_document(
        version,
        offer.default_voice or EXAMPLE_ID,
        models[0],
        bool(keys.keys),
        text_bytes,
        rooms.peers is not None,
        None if rooms.metrics is None else rooms.metrics_open,
    )
    sample = sample_handler(rooms.catalogue, rules, rooms.answers, clones)
    files = {file.path: file for file in rooms.page}
    open_routes = OPEN_ROUTES | files.keys() | ({METRICS} if rooms.metrics_open else set())
    uncounted = {*open_routes, PEER_ROUTE, METRICS}
    session = session_handler(rooms.registry, rooms.make_driver, offer.limits.message_bytes, check_loaded)

    application = web.Application(
        middlewares=[
            access(rooms.observe, rooms.clock, addresses.proxies, files.keys(), {*PROBES, METRICS}),
            errors,
            time_limit,
            rooms.gate.middleware({*uncounted, SESSIONS}),
            origin_guard(origins, open_routes, PROBES),
            # Before keys are looked at: who tries out keys comes to an end as well.
            # What ends a peer connection must not be refused because of it.
            address_guard(addresses, rooms.clock, uncounted),
            key_guard(keys, rooms.clock, open_routes, _pass_for_track(rooms.peers), {PEER_ROUTE, METRICS}),
        ],
        client_max_size=most_body_bytes(text_bytes),
    )
    application.on_response_prepare.append(name_response)
    application.on_response_prepare.append(cors_headers(origins))
    application.on_response_prepare.append(safe_headers(origins.is_shared))
    application.add_routes(
        [
            web.get("/", front_handler(files.get("/index.html"), index_handler(document))),
            *(web.get(path, page_handler(file)) for path, file in files.items()),
            web.get("/health", health_handler(rooms.health)),
            web.get("/ready", ready_handler(rooms.ready)),
            web.get("/openapi.json", openapi_handler(document)),
            web.get(SESSIONS, session),
            web.post("/v1/audio/speech", speech_handler(rules, rooms.answers)),
            web.post("/v1/audio/speech/pcm", pcm_handler(rules, rooms.answers)),
            web.post("/v1/audio/speech/stream", sentences_handler(rules, rooms.answers)),
            web.post("/v1/audio/clone", clone_handler(room, rules, rooms.answers)),
            web.get("/v1/voices", voices_handler(rooms.catalogue)),
            web.post("/v1/voices", add_voice_handler(room)),
            web.get("/v1/voices/{id}", voice_handler(rooms.catalogue)),
            web.delete("/v1/voices/{id}", delete_voice_handler(room)),
            web.get("/v1/voices/{id}/sample", sample),
            web.get("/v1/audio/voices", audio_voices_handler(rooms.catalogue)),
            web.get("/v1/models", models_handler(models)),
            web.get("/v1/models/{id}", model_handler(models)),
            web.get("/v1/audio/models", audio_models_handler(models)),
        ]
    )
    if rooms.metrics is not None:
        application.router.add_get(METRICS, metrics_handler(rooms.metrics))
    if rooms.peers is not None:
        application.add_routes(
            [
                web.post(ROUTE, offer_handler(rooms.peers, check_loaded, offer.ice_servers)),
                web.patch(PEER_ROUTE, patch_handler(rooms.peers)),
                web.delete(PEER_ROUTE, delete_handler(rooms.peers)),
            ]
        )
    return application


def _pass_for_track(peers: Peers | None) -> Callable[[web.Request], bool]:
    """Who bears a token for the track of a session needs no key to hear it."""

    def has_pass(request: web.Request) -> bool:
        token = bearer_token(request) if route_of(request) in (ROUTE, PEER_ROUTE) else None
        return peers is not None and token is not None and peers.is_token(token)

    return has_pass
