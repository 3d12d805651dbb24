"""What a request for speech asks for: its body, checked, and resolved against what the server offers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, Struct, UnsetType

from realtime.audio.formats import BITRATES, FILE_RATES, content_type
from realtime.errors import ErrorCode, InvalidMessageError, RealtimeError
from realtime.server.connection import MAX_BODY_BYTES
from realtime.session.messages import ContextOpen, Name, SessionStart, Timestamps
from realtime.session.offer import Offer, shown
from realtime.types import AudioSettings, VoiceSettings

ResponseFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
#: What the body of an answer is: the file itself, events with pieces of it, or one event for each sentence.
Shape = Literal["audio", "deltas", "sentences"]
MAX_INSTRUCTIONS = 4096
_FRAME_MS = 20
#: Bytes that a byte of UTF-8 may have in JSON, where any character may be escaped.
_ESCAPED = 6
#: Bytes of a body for all but its text.
_OTHER_BYTES = 512 * 1024


class VoiceId(Struct, frozen=True):
    """A voice by its id: the other way to name one."""

    id: Name


class SpeechRequest(Struct, frozen=True, kw_only=True):
    """The body of a request; fields of other names are ignored, and null is the same as nothing.

    The first eight are OpenAI's. `FIELDS` says what each may be.
    """

    input: str
    model: str | None = None
    voice: Name | VoiceId | None = None
    response_format: ResponseFormat | None = None
    speed: Annotated[float, Meta(ge=0.25, le=4)] | None = None
    instructions: Annotated[str, Meta(max_length=MAX_INSTRUCTIONS)] | None = None
    stream_format: Literal["audio", "sse"] | None = None
    stream: bool | None = None
    language: Name | None = None
    normalize: bool | None = None
    markup: bool | None = None
    lexicon: dict[str, str] | None = None
    seed: Annotated[int, Meta(ge=0, le=2**53 - 1)] | None = None
    timestamps: Timestamps | None = None
    sample_rate: int | None = None
    bitrate: int | None = None
    cache: bool | None = None


#: What each field must be, for people.
FIELDS: Mapping[str, str] = {
    "input": "the text to speak, a string",
    "model": "a string",
    "voice": 'the name of a voice of at most 64 characters, or {"id": name}',
    "response_format": "one of mp3, opus, aac, flac, wav, pcm",
    "speed": "a number from 0.25 to 4",
    "instructions": f"a string of at most {MAX_INSTRUCTIONS} characters",
    "stream_format": "audio or sse",
    "stream": "true or false",
    "language": '"auto" or a BCP 47 name of a language, of at most 64 characters',
    "normalize": "true or false",
    "markup": "true or false",
    "lexicon": "an object of words and what is said for them, both strings",
    "seed": "a whole number from 0 to 9007199254740991",
    "timestamps": "none or word",
    "sample_rate": "a whole number of Hz",
    "bitrate": "a whole number of bit/s",
    "cache": "true or false",
}
_FORMATS: Mapping[ResponseFormat, str] = {
    "mp3": "mp3",
    "opus": "ogg_opus",
    "aac": "aac",
    "flac": "flac",
    "wav": "wav",
    "pcm": "pcm_s16le",
}
#: The field that was wrong, by what was wrong with it; and fields that have other names on the WebSocket.
_PARAMS = {ErrorCode.UNKNOWN_VOICE: "voice", ErrorCode.UNKNOWN_LANGUAGE: "language"}
_NAMES = {"instruct": "instructions"}
#: Versions of a model have dates behind its name: tts-1-1106, gpt-4o-mini-tts-2025-03-20.
_DATE = re.compile(r"-\d{4}(-\d\d-\d\d)?$")
_FIELD = re.compile(r"`\$\.(\w+)")
#: What JSON has no number for, and the field that it stands in: NaN, Infinity, and what is far too large.
_NO_NUMBER = re.compile(rb'"(\w+)"\s*:\s*-?(?:NaN|Infinity|\d[\d.]*[eE]\+?\d{3})')
_MISSING = re.compile(r"missing required field `(\w+)`$")


def most_body_bytes(text_bytes: int) -> int:
    """What a body may have where a text may have so many bytes, however it is written."""
    return max(MAX_BODY_BYTES, _ESCAPED * text_bytes + _OTHER_BYTES)


@dataclass(frozen=True, slots=True)
class SpeechOrder:
    """A request as it is carried out. `words`: the times of the words are told as well."""

    text: str
    voice: VoiceSettings
    audio: AudioSettings
    content_type: str
    shape: Shape = "audio"
    words: bool = False


async def read_request(request: web.Request) -> SpeechRequest:
    """The body of `request`; raises `InvalidMessageError` that names the field, and what aiohttp raises."""
    _check_content_type(request)
    return decode(await request.read())


@dataclass(frozen=True, slots=True)
class SpeechRules:
    """What may be asked for. `models`: names that are known, besides these with a date behind them."""

    offer: Offer
    models: frozenset[str]

    def order(self, request: SpeechRequest, shape: Shape) -> SpeechOrder:
        """How `request` is carried out; raises `RealtimeError` that names the field."""
        self._check_text(request.input)
        self._check_model(request.model)
        if request.stream is False and shape != "audio":
            raise InvalidMessageError("`stream` can only be true for events, or be left out", param="stream")
        if request.timestamps == "word" and shape == "audio":
            raise InvalidMessageError(
                '`timestamps`: a file has no place for them; use "stream_format": "sse",'
                " or POST /v1/audio/speech/stream",
                param="timestamps",
            )
        name = _FORMATS[request.response_format or "mp3"]
        audio = AudioSettings(
            name,
            _sample_rate(name, request.sample_rate),
            _FRAME_MS,
            self._bitrate(name, request.bitrate),
            segment_ends=shape == "sentences",
            whole=request.stream is False,
            never_empty=request.response_format != "pcm",
        )
        words = request.timestamps == "word"
        return SpeechOrder(request.input, self._voice(request), audio, content_type(audio), shape, words)

    def _check_text(self, text: str) -> None:
        size, limit = len(text.encode()), self.offer.limits.text_bytes_per_context
        if not size:
            raise InvalidMessageError("`input` is empty: there is nothing to speak", param="input")
        if size > limit:
            raise RealtimeError(
                f"`input` has {size} bytes of UTF-8; {limit} are allowed", ErrorCode.TEXT_TOO_LONG, "input"
            )

    def _check_model(self, model: str | None) -> None:
        if model is not None and model not in self.models and _DATE.sub("", model) not in self.models:
            known = ", ".join(sorted(self.models))
            raise RealtimeError(
                f"model {shown(model)} is not known; known: {known}", ErrorCode.NOT_FOUND, "model"
            )

    def _voice(self, request: SpeechRequest) -> VoiceSettings:
        voice = request.voice.id if isinstance(request.voice, VoiceId) else request.voice
        start = SessionStart(lexicon=_given(request.lexicon))
        opening = ContextOpen(
            voice=_given(voice),
            language=_given(request.language),
            speed=_given(request.speed),
            normalize=_given(request.normalize),
            markup=_given(request.markup),
            cache=_given(request.cache),
            seed=_given(request.seed),
            instruct=self._instruct(request),
        )
        try:
            session = self.offer.session_settings(start, self.offer.defaults)
        except RealtimeError as error:
            error.param = "lexicon"
            raise
        try:
            return self.offer.context_settings(opening, session).voice
        except RealtimeError as error:
            param = error.param or _PARAMS.get(error.code)
            error.param = None if param is None else _NAMES.get(param, param)
            raise

    def _instruct(self, request: SpeechRequest) -> str | UnsetType:
        """OpenAI's clients tell any voice how to speak: where none heeds it, it is as if they did not."""
        ignored = self.offer.ignores_instructions
        return UNSET if ignored or request.instructions is None else request.instructions

    def _bitrate(self, name: str, wanted: int | None) -> int:
        lowest, usual, highest = BITRATES.get(name, (0, 0, 0))
        if wanted is None:
            return self.offer.bitrate if name == "ogg_opus" else usual
        if name not in BITRATES:
            lossy = ", ".join(format for format, wire in _FORMATS.items() if wire in BITRATES)
            raise InvalidMessageError(f"`bitrate` can only be given for {lossy}", param="bitrate")
        if not lowest <= wanted <= highest:
            raise InvalidMessageError(
                f"`bitrate` must be from {lowest} to {highest} bit/s in this format", param="bitrate"
            )
        return wanted


def decode(body: bytes) -> SpeechRequest:
    """A body as a request; raises `InvalidMessageError` that names the field and what it may be."""
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _wrong_field(str(error)) from None
    except RecursionError:
        raise InvalidMessageError("the body is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        number = _NO_NUMBER.search(body)
        if number is not None and (name := number.group(1).decode()) in FIELDS:
            raise InvalidMessageError(f"`{name}` must be {FIELDS[name]}", param=name) from None
        hint = ", or an escape in it is half of a surrogate pair" if b"\\u" in body else ""
        raise InvalidMessageError(f"the body is not valid JSON in UTF-8{hint}: {error}"[:400]) from None


def _wrong_field(text: str) -> InvalidMessageError:
    field, missing = _FIELD.search(text), _MISSING.search(text)
    if field is not None:
        name = field.group(1)
        return InvalidMessageError(f"`{name}` must be {FIELDS[name]}", param=name)
    if missing is not None:
        name = missing.group(1)
        return InvalidMessageError(f"`{name}` is missing: it must be {FIELDS[name]}", param=name)
    return InvalidMessageError("the body must be a JSON object with `input`, the text to speak")


def _check_content_type(request: web.Request) -> None:
    given = request.headers.get("Content-Type", "")
    if not given:
        return
    if request.content_type != "application/json":
        raise InvalidMessageError(
            f"the body must be JSON, with Content-Type: application/json, not {shown(request.content_type)}"
        )
    if (request.charset or "utf-8").lower() not in ("utf-8", "utf8", "us-ascii"):
        raise InvalidMessageError(f"the body must be in UTF-8, not in {shown(request.charset or '')}")


def _sample_rate(name: str, wanted: int | None) -> int:
    rates = FILE_RATES[name]
    if wanted is None:
        return rates[0]
    if wanted not in rates:
        listed = ", ".join(map(str, sorted(rates)))
        raise InvalidMessageError(
            f"`sample_rate` must be one of {listed} in this format", param="sample_rate"
        )
    return wanted


_decoder = msgspec.json.Decoder(SpeechRequest)
_T = TypeVar("_T")


def _given(value: _T | None) -> _T | UnsetType:
    return UNSET if value is None else value
