"""`GET /openapi.json`: what the server understands and answers, as OpenAPI 3.1 has it."""

from __future__ import annotations

import msgspec
from aiohttp import web

from realtime.server.catalogue import AudioModels, AudioVoices, Model, ModelList, VoiceEntry, VoiceList
from realtime.server.errors import ErrorBody
from realtime.server.exchange import REQUEST_ID
from realtime.server.openapi.parts import Json, schemas
from realtime.server.openapi.routes import operations
from realtime.server.openapi.speech import EVENTS, request_schema
from realtime.server.speech_request import SpeechRequest
from realtime.server.status import Handler, Health, Readiness
from realtime.server.tracing import TRACEPARENT
from realtime.server.voices import DeletedVoice
from realtime.server.webrtc.whep import AnswerBody, OfferBody

__all__ = ["make_document", "openapi_handler"]

_STRUCTS = (
    *EVENTS,
    AudioModels,
    AudioVoices,
    DeletedVoice,
    ErrorBody,
    Health,
    Model,
    ModelList,
    Readiness,
    SpeechRequest,
    VoiceEntry,
    VoiceList,
)
_OF_WEBRTC = (AnswerBody, OfferBody)
_MS = {"type": "number", "minimum": 0}
_HEADERS: dict[str, tuple[str, Json]] = {
    REQUEST_ID: ("The id of the request: its own `X-Request-Id`, or a new one.", {"type": "string"}),
    TRACEPARENT: (
        "The trace of the request's own `traceparent`, with a span of this server.",
        {"type": "string"},
    ),
    "Retry-After": ("Seconds after which another try may succeed.", {"type": "integer", "minimum": 0}),
    "Location": ("Where what was made is.", {"type": "string"}),
    "ETag": ("Which begin of a peer connection this is.", {"type": "string"}),
    "Accept-Patch": ("How candidates are to be sent.", {"type": "string"}),
    "X-Latency-Load-Ms": ("Milliseconds until the engine was loaded.", _MS),
    "X-Latency-Queue-Ms": ("Milliseconds until the engine took up the first sentence.", _MS),
    "X-Latency-Infer-Ms": ("Milliseconds that the engine has computed.", _MS),
    "X-Latency-Encode-Ms": ("Milliseconds that encoding has taken.", _MS),
    "X-Latency-First-Audio-Ms": ("Milliseconds until the first sound was ready.", _MS),
    "X-Latency-Total-Ms": ("Milliseconds until the last sound was ready.", _MS),
    "X-Audio-Duration-Ms": ("Milliseconds of sound.", _MS),
    "X-Cache": (
        "What of the sound had been made before.",
        {"type": "string", "enum": ["hit", "partial", "miss", "off"]},
    ),
}
_DESCRIPTION = """\
Text in, speech out: over a WebSocket while the text is still being written, and over HTTP as in OpenAI's API.

A request may bear `X-Request-Id` (1 to 128 visible ASCII characters); its answer and the log name it. So \
they do with the trace of a `traceparent` (W3C Trace Context). \
Errors have the form `{"error": {"message", "type", "code", "param"}}`. Fields that are not known are \
ignored."""


def make_document(
    version: str,
    voice: str,
    model: str,
    keys: bool,
    text_bytes: int,
    rtc: bool = True,
    metrics_open: bool | None = True,
) -> Json:
    """The document of a server of this `version`; `keys`: it asks for one; `voice`, `model`: examples.

    `text_bytes`: what a text may have. `rtc`: it has WebRTC. `metrics_open`: its metrics need no key; None:
    it tells none.
    """
    components = schemas((*_STRUCTS, *(_OF_WEBRTC if rtc else ())))
    components[SpeechRequest.__name__] = request_schema(components[SpeechRequest.__name__], text_bytes)
    paths: dict[str, Json] = {}
    for operation in operations(voice, model, text_bytes, rtc, metrics_open):
        paths.setdefault(operation.path, {})[operation.method] = operation.json(keys)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "realtime",
            "version": version,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "speech", "description": "From text to sound."},
            {"name": "voices", "description": "Who speaks."},
            {"name": "models", "description": "What OpenAI's clients ask for before they speak."},
            {"name": "server", "description": "The server itself."},
        ],
        "paths": paths,
        "components": {
            "schemas": components,
            "headers": {
                name: {"description": description, "schema": schema}
                for name, (description, schema) in _HEADERS.items()
            },
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key of `API_KEYS`, if there are any.",
                }
            },
        },
    }


def openapi_handler(document: Json) -> Handler:
    """`GET /openapi.json`; the document is encoded once."""
    body = msgspec.json.encode(document)

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type="application/json")

    return handle
