"""All routes of the server, as its OpenAPI document describes them."""

from __future__ import annotations

from realtime.errors import ErrorCode
from realtime.server.catalogue import (
    LANGUAGE_PATTERN,
    AudioModels,
    AudioVoices,
    Model,
    ModelList,
    VoiceEntry,
    VoiceList,
)
from realtime.server.openapi.parts import JSON, Answer, Operation, Parameter, json_of
from realtime.server.openapi.speech import FAILED_SPEECH, cloning_operations, sound, speech_operations
from realtime.server.openapi.webrtc import webrtc_operations
from realtime.server.status import Health, Readiness
from realtime.server.voices import DeletedVoice


def operations(
    voice: str, model: str, text_bytes: int, rtc: bool, metrics_open: bool | None
) -> tuple[Operation, ...]:
    """All of them; a voice and a model that there are serve as examples. A text may have `text_bytes`.

    `rtc`: there is WebRTC. `metrics_open`: whether metrics need no key; None: there are none.
    """
    return (
        *speech_operations(voice, model),
        *(webrtc_operations() if rtc else ()),
        *cloning_operations(text_bytes),
        *_voices(voice),
        *_models(model),
        *_server(),
        *(() if metrics_open is None else _metrics(metrics_open)),
    )


def _metrics(is_open: bool) -> tuple[Operation, ...]:
    formats = {media: {"type": "string"} for media in ("text/plain", "application/openmetrics-text")}
    return (
        Operation(
            "get",
            "/metrics",
            "metrics",
            "server",
            "Figures for Prometheus",
            {200: Answer("All metrics, in the format that `Accept` asks for.", formats)},
            is_open=is_open,
        ),
    )


def _voices(voice: str) -> tuple[Operation, ...]:
    by_id = Parameter("id", "path", "The id of a voice, or another name of it.", {"type": "string"}, voice)
    language = Parameter(
        "language",
        "query",
        "Only voices that speak this language (BCP 47, of which the first part counts).",
        {"type": "string", "pattern": LANGUAGE_PATTERN},
        "en",
    )
    return (
        Operation(
            "get",
            "/v1/voices",
            "list_voices",
            "voices",
            "All voices",
            {200: Answer("The voices, cloned ones last.", json_of(VoiceList))},
            parameters=(language,),
            errors=(ErrorCode.INVALID_MESSAGE, ErrorCode.STORAGE_FAILED),
        ),
        Operation(
            "get",
            "/v1/audio/voices",
            "list_audio_voices",
            "voices",
            "All voices, in the form that Open WebUI asks for",
            {200: Answer("The voices, cloned ones last.", json_of(AudioVoices))},
            parameters=(language,),
            errors=(ErrorCode.INVALID_MESSAGE, ErrorCode.STORAGE_FAILED),
        ),
        Operation(
            "get",
            "/v1/voices/{id}",
            "get_voice",
            "voices",
            "One voice",
            {200: Answer("The voice.", json_of(VoiceEntry))},
            parameters=(by_id,),
            errors=(ErrorCode.NOT_FOUND, ErrorCode.STORAGE_FAILED),
        ),
        Operation(
            "delete",
            "/v1/voices/{id}",
            "delete_voice",
            "voices",
            "Delete a cloned voice",
            {200: Answer("The voice and its recording are gone.", json_of(DeletedVoice))},
            "Voices that are built in cannot be deleted: 403.",
            parameters=(by_id,),
            errors=(ErrorCode.NOT_FOUND, ErrorCode.FORBIDDEN, ErrorCode.STORAGE_FAILED),
        ),
        Operation(
            "get",
            "/v1/voices/{id}/sample",
            "sample_voice",
            "voices",
            "Hear a voice",
            {
                200: sound(
                    "A sentence in the voice's own language, as MP3; or, where the engine cannot clone, the "
                    "recording of a cloned voice, as FLAC.",
                    ("audio/mpeg", "audio/flac"),
                )
            },
            parameters=(by_id,),
            errors=(ErrorCode.NOT_FOUND, ErrorCode.STORAGE_FAILED, *FAILED_SPEECH),
        ),
    )


def _models(model: str) -> tuple[Operation, ...]:
    by_id = Parameter("id", "path", "The id of a model.", {"type": "string"}, model)
    return (
        Operation(
            "get",
            "/v1/models",
            "list_models",
            "models",
            "All models, as OpenAI's API lists them",
            {
                200: Answer(
                    "Our engine, and the names of OpenAI's models, which mean the same.", json_of(ModelList)
                )
            },
        ),
        Operation(
            "get",
            "/v1/models/{id}",
            "get_model",
            "models",
            "One model",
            {200: Answer("The model.", json_of(Model))},
            parameters=(by_id,),
            errors=(ErrorCode.NOT_FOUND,),
        ),
        Operation(
            "get",
            "/v1/audio/models",
            "list_audio_models",
            "models",
            "All models, in the form that Open WebUI asks for",
            {200: Answer("The models.", json_of(AudioModels))},
        ),
    )


def _server() -> tuple[Operation, ...]:
    return (
        Operation(
            "get",
            "/",
            "index",
            "server",
            "The page, for browsers; for others these routes",
            {
                200: Answer(
                    "What was asked for by `Accept`.",
                    {"text/html": {"type": "string"}, "text/plain": {"type": "string"}},
                )
            },
            is_open=True,
        ),
        Operation(
            "get",
            "/health",
            "health",
            "server",
            "Whether the server is alive, and how busy it is",
            {200: Answer("It is.", json_of(Health))},
            is_open=True,
        ),
        Operation(
            "get",
            "/ready",
            "ready",
            "server",
            "Whether a request would be taken now",
            {
                200: Answer("It would.", json_of(Readiness)),
                503: Answer(
                    "It would not: the voice is being loaded, the queue is full, or the server shuts down.",
                    json_of(Readiness),
                ),
            },
            is_open=True,
        ),
        Operation(
            "get",
            "/openapi.json",
            "openapi",
            "server",
            "This document",
            {200: Answer("OpenAPI 3.1.", {JSON: {"type": "object"}})},
            is_open=True,
        ),
    )
