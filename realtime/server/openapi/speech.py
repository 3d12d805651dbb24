"""The routes that speak, and the one that clones: what they take, and what they answer with."""

from __future__ import annotations

from collections.abc import Iterable

from realtime.audio.formats import BITRATES, FILE_RATES
from realtime.errors import ErrorCode
from realtime.server.catalogue import VoiceEntry
from realtime.server.openapi.parts import JSON, Answer, Body, Json, Operation, json_of, reference, schemas
from realtime.server.speech_events import (
    AudioDelta,
    AudioDone,
    ErrorEvent,
    Segment,
    Sentence,
    SentencesDone,
    Words,
)
from realtime.server.speech_request import FIELDS, SpeechRequest
from realtime.server.streaming import TRAILERS
from realtime.server.voices import JSON_FIELDS, TEXT_FIELDS

#: The structs of all events.
EVENTS = (AudioDelta, AudioDone, ErrorEvent, Segment, Sentence, SentencesDone, Words)
FAILED_SPEECH = (ErrorCode.QUEUE_FULL, ErrorCode.ENGINE_FAILED, ErrorCode.TIMEOUT, ErrorCode.UNSUPPORTED)
_BAD_TEXT = (
    ErrorCode.INVALID_MESSAGE,
    ErrorCode.UNKNOWN_VOICE,
    ErrorCode.UNKNOWN_LANGUAGE,
    ErrorCode.NOT_FOUND,
    ErrorCode.TEXT_TOO_LONG,
    ErrorCode.BODY_TOO_LARGE,
)
_BAD_RECORDING = (
    ErrorCode.NOT_AUDIO,
    ErrorCode.AUDIO_TOO_SHORT,
    ErrorCode.AUDIO_TOO_LONG,
    ErrorCode.AUDIO_TOO_QUIET,
    ErrorCode.AUDIO_CLIPPED,
    ErrorCode.STORAGE_FAILED,
)
_PCM = "audio/pcm"
_FILES = ("audio/mpeg", "audio/ogg", "audio/aac", "audio/flac", "audio/wav", _PCM)
_FORM = "multipart/form-data"
_STREAMED = (
    "The sound streams: its first bytes leave with the first sentence, while the rest is still being made. "
    "The headers tell the times as far as they are known when they leave; all of them follow as trailers. "
    "With `stream: false` the file comes when it is complete, with its length in its header."
)
_RECORDING = "WAV, FLAC, MP3, Ogg (Vorbis, Opus) or M4A of one voice, 1 to 60 seconds, at most 20 MiB."
_CONSENT = "The person who speaks in the recording has agreed that the voice is cloned."


def sound(description: str, media: Iterable[str], events: Iterable[type] = ()) -> Answer:
    """An answer that is a file of one of these media types, or a stream of these events."""
    content: dict[str, Json] = {each: {} for each in media}
    if events:
        content["text/event-stream"] = _event_schema(events)
    return Answer(description, content, TRAILERS)


def _event_schema(events: Iterable[type]) -> Json:
    """Of each event, as OpenAPI reads it: its data is a string, and that is JSON."""
    kinds = {"anyOf": [reference(event) for event in events]}
    data = {"type": "string", "contentMediaType": JSON, "contentSchema": kinds}
    return {"type": "object", "required": ["data"], "properties": {"data": data}}


def request_schema(schema: Json, text_bytes: int) -> Json:
    """The schema of `SpeechRequest` with what msgspec does not know of it; a text may have `text_bytes`."""
    properties = {
        name: {**value, "description": _must_be(name)} for name, value in schema["properties"].items()
    }
    rates = sorted({rate for rates in FILE_RATES.values() for rate in rates})
    told = f"The text to speak, at most {text_bytes} bytes in UTF-8."
    properties["input"] |= {"minLength": 1, "description": told}
    properties["sample_rate"]["anyOf"] = [{"type": "integer", "enum": rates}, {"type": "null"}]
    lowest, highest = min(each[0] for each in BITRATES.values()), max(each[2] for each in BITRATES.values())
    bitrate = {"type": "integer", "minimum": lowest, "maximum": highest}
    properties["bitrate"]["anyOf"] = [bitrate, {"type": "null"}]
    described = "What to speak, and how. Fields of other names are ignored; null is the same as nothing."
    return {**schema, "properties": properties, "description": described}


def _must_be(name: str) -> str:
    return f"Must be {FIELDS[name]}."


def speech_operations(voice: str, model: str) -> tuple[Operation, ...]:
    """The routes that speak; a voice and a model that there are serve as examples."""
    hello: Json = {"input": "Hello there.", "voice": voice}
    errors = (*_BAD_TEXT, *FAILED_SPEECH)
    return (
        Operation(
            "post",
            "/v1/audio/speech",
            "speak",
            "speech",
            "Speak a text, as OpenAI's API does",
            {
                200: sound(
                    "The sound in `response_format`, or events with pieces of it.",
                    _FILES,
                    (AudioDelta, Segment, Words, AudioDone, ErrorEvent),
                )
            },
            f"{_STREAMED} With `stream_format: sse` it comes in events `speech.audio.delta`; the last one, "
            "`speech.audio.done`, tells usage and times.",
            body=_request(
                short=hello,
                openai={**hello, "model": model, "voice": "alloy", "response_format": "opus"},
                events={**hello, "stream_format": "sse", "timestamps": "word"},
                whole={**hello, "response_format": "wav", "stream": False, "speed": 1.25},
            ),
            errors=errors,
        ),
        Operation(
            "post",
            "/v1/audio/speech/pcm",
            "speak_pcm",
            "speech",
            "Speak a text as bare samples",
            {200: sound("Signed 16-bit little-endian samples, mono, at 24 kHz if not told else.", (_PCM,))},
            _STREAMED,
            body=_request(short=hello, narrow={**hello, "sample_rate": 16_000}),
            errors=errors,
        ),
        Operation(
            "post",
            "/v1/audio/speech/stream",
            "speak_sentences",
            "speech",
            "Speak a text sentence by sentence, each an event with its sound",
            {
                200: sound(
                    "Events `speech.segment`, then `speech.done` or `error`.",
                    (),
                    (Sentence, SentencesDone, ErrorEvent),
                )
            },
            "An event has the text of a sentence, its place in the input, when it sounds, and its sound.",
            body=_request(words={**hello, "response_format": "pcm", "timestamps": "word"}),
            errors=errors,
        ),
        Operation(
            "get",
            "/v1/audio/speech/ws",
            "speak_websocket",
            "speech",
            "Speak over a WebSocket: text in while it is written, sound out",
            {101: Answer("The WebSocket is open; the protocol is `realtime.v1`, described in protocol.md.")},
            "Needs a WebSocket handshake. `Sec-WebSocket-Protocol` may name `realtime.v1`. Where a browser"
            " has to send a key, it names `api-key.<key>` as well.",
            errors=(ErrorCode.INVALID_MESSAGE, ErrorCode.QUEUE_FULL),
        ),
    )


def _request(**examples: Json) -> Body:
    return Body(JSON, reference(SpeechRequest), examples)


def cloning_operations(text_bytes: int) -> tuple[Operation, ...]:
    """The routes that take a recording; the text may have `text_bytes`."""
    recording: dict[str, Json] = {
        "file": {"type": "string", "contentMediaType": "application/octet-stream", "description": _RECORDING},
        "consent": {"enum": ["true", "yes", "1", "on"], "description": _CONSENT},
        "ref_text": {"type": "string", "maxLength": 2000, "description": "What is said in the recording."},
    }
    voice: dict[str, Json] = {
        "name": {"type": "string", "minLength": 1, "maxLength": 64, "description": "A name for people."},
        "language": {"type": "string", "description": "The language of the speaker, ISO 639-1."},
    }
    known = request_schema(schemas((SpeechRequest,))[SpeechRequest.__name__], text_bytes)["properties"]
    speech = {name: _never_null(known[name]) for name in (*TEXT_FIELDS, *JSON_FIELDS)}
    return (
        Operation(
            "post",
            "/v1/voices",
            "add_voice",
            "voices",
            "Clone a voice from a recording",
            {
                200: Answer("There was the same voice already.", json_of(VoiceEntry), ("Location",)),
                201: Answer("The new voice.", json_of(VoiceEntry), ("Location",)),
            },
            "The voice is kept until it is deleted. An engine that cannot clone voices answers 501.",
            body=_form(("name", "file", "consent"), voice | recording),
            errors=(
                *_BAD_RECORDING,
                ErrorCode.INVALID_MESSAGE,
                ErrorCode.UNKNOWN_LANGUAGE,
                ErrorCode.BODY_TOO_LARGE,
                ErrorCode.QUEUE_FULL,
                ErrorCode.UNSUPPORTED,
            ),
        ),
        Operation(
            "post",
            "/v1/audio/clone",
            "speak_as",
            "speech",
            "Speak a text in the voice of a recording that is not kept",
            {
                200: sound(
                    "As of `POST /v1/audio/speech`.",
                    _FILES,
                    (AudioDelta, Segment, Words, AudioDone, ErrorEvent),
                )
            },
            "Fields that are not about the recording are those of `POST /v1/audio/speech`, written as there.",
            body=_form(("input", "file", "consent"), speech | recording),
            errors=(*_BAD_RECORDING, *_BAD_TEXT, *FAILED_SPEECH),
        ),
    )


def _never_null(schema: Json) -> Json:
    """The schema of a field that is there or not, as in a form; it has one other type at most."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind != {"type": "null"}]
    return {**kinds[0], "description": schema["description"]}


def _form(required: tuple[str, ...], fields: dict[str, Json]) -> Body:
    return Body(_FORM, {"type": "object", "required": list(required), "properties": fields})
