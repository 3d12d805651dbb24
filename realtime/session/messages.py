"""Every message of realtime.v1, as protocol.md specifies them; encode and decode. Frames are in `frames`.

Messages are JSON objects told apart by `type`. Unknown fields are ignored; a field that is left out is
`UNSET` where that differs from null or from a default.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar, get_args

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from realtime.errors import InvalidMessageError
from realtime.types import Buffering

PROTOCOL = "realtime.v1"
#: The id of a context when a message names none, and the one that means all of them in `cancel`.
DEFAULT_CONTEXT = "default"
ALL_CONTEXTS = "*"
#: The handle in answers about a context that never was; real handles begin at 1.
NO_HANDLE = 0

FrameMs = Literal[20, 40, 60]
Timestamps = Literal["none", "word"]
#: What sound goes over: binary frames of this socket, or a WebRTC track.
AudioPath = Literal["frames", "rtc"]
Conflict = Literal["queue", "preempt"]
Name = Annotated[str, Meta(max_length=64)]
ContextId = Annotated[str, Meta(min_length=1, max_length=64)]


#: A handle or a seq on the wire: u32.
U32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
#: A handle in decimal, as a key of an object must be a string.
HandleKey = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,9})$")]


class ResumeRequest(Struct, frozen=True):
    """Which session to take up again; `last`: the last seq received by handle."""

    session_id: Annotated[str, Meta(max_length=64)]
    token: Annotated[str, Meta(max_length=64)]
    last: Annotated[dict[HandleKey, U32], Meta(max_length=4096)]


class _SessionSettings(Struct, frozen=True):
    sample_rate: int | UnsetType = UNSET
    bitrate: Annotated[int, Meta(ge=6_000, le=256_000)] | UnsetType = UNSET
    frame_ms: FrameMs | UnsetType = UNSET
    voice: Name | UnsetType = UNSET
    language: Name | UnsetType = UNSET
    speed: Annotated[float, Meta(ge=0.25, le=4)] | UnsetType = UNSET
    normalize: bool | UnsetType = UNSET
    timestamps: Timestamps | UnsetType = UNSET
    max_lead_ms: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    lexicon: dict[str, str] | UnsetType = UNSET
    markup: bool | UnsetType = UNSET
    cache: bool | UnsetType = UNSET
    instruct: str | UnsetType = UNSET


class SessionStart(_SessionSettings, frozen=True, tag="session.start"):
    """Settings of the session; only the first message may be one."""

    formats: Annotated[list[str], Meta(min_length=1, max_length=16)] | UnsetType = UNSET
    audio: AudioPath | UnsetType = UNSET
    resume: ResumeRequest | UnsetType = UNSET


class SessionUpdate(_SessionSettings, frozen=True, tag="session.update"):
    """Settings for contexts opened later."""


class ContextOpen(Struct, frozen=True, tag="context.open"):
    """Open a context with settings of its own."""

    context_id: ContextId = DEFAULT_CONTEXT
    voice: Name | UnsetType = UNSET
    language: Name | UnsetType = UNSET
    speed: Annotated[float, Meta(ge=0.25, le=4)] | UnsetType = UNSET
    normalize: bool | UnsetType = UNSET
    markup: bool | UnsetType = UNSET
    cache: bool | UnsetType = UNSET
    instruct: str | UnsetType = UNSET
    seed: Annotated[int, Meta(ge=0, le=2**53 - 1)] | UnsetType = UNSET
    buffer: Buffering = "auto"
    on_conflict: Conflict = "queue"


class Text(Struct, frozen=True, tag="text"):
    """Text to append, verbatim."""

    text: str
    context_id: ContextId = DEFAULT_CONTEXT


class Flush(Struct, frozen=True, tag="flush"):
    """Everything so far is final and is spoken now."""

    context_id: ContextId = DEFAULT_CONTEXT
    flush_id: Annotated[str, Meta(max_length=64)] | None = None


class End(Struct, frozen=True, tag="end"):
    """No more text."""

    context_id: ContextId = DEFAULT_CONTEXT


class Cancel(Struct, frozen=True, tag="cancel"):
    """Barge-in: stop now. `played_ms`: what the listener has heard of it."""

    context_id: ContextId = DEFAULT_CONTEXT
    played_ms: float | None = None


class Playback(Struct, frozen=True, tag="playback"):
    """How much the listener has heard."""

    played_ms: float
    context_id: ContextId = DEFAULT_CONTEXT


class Pause(Struct, frozen=True, tag="pause"):
    """Stop sending, keep what is there."""

    context_id: ContextId = DEFAULT_CONTEXT


class Continue(Struct, frozen=True, tag="continue"):
    """Go on from where it was paused."""

    context_id: ContextId = DEFAULT_CONTEXT


class Ping(Struct, frozen=True, tag="ping"):
    """Answered by `pong` with the same `t`."""

    t: int | float | str | None = None


class SessionClose(Struct, frozen=True, tag="session.close"):
    """Finish what is running (or drop it), then close."""

    drain: bool = True


ClientMessage = (
    SessionStart
    | SessionUpdate
    | ContextOpen
    | Text
    | Flush
    | End
    | Cancel
    | Playback
    | Pause
    | Continue
    | Ping
    | SessionClose
)


class LimitsReport(Struct, frozen=True):
    """The limits in force, as `session.ready` reports them."""

    message_bytes: int
    text_bytes_per_message: int
    text_bytes_per_context: int
    contexts: int
    idle_s: float
    resume_window_s: float


class ContextReport(Struct, frozen=True):
    """A context of a resumed session; `text_received` in code points."""

    context_id: str
    handle: int
    state: Literal["open", "ending", "done", "failed", "cancelled"]
    text_received: int
    last_seq: int | None


class IceServer(Struct, frozen=True, omit_defaults=True):
    """A STUN or TURN server, as a browser's `RTCPeerConnection` takes it."""

    urls: list[str]
    username: str | None = None
    credential: str | None = None


class SessionReady(Struct, frozen=True, tag="session.ready"):
    """The settings in force; `resumed` and `contexts` only when it answers a `resume`.

    `rtc_token` ties a peer connection to a session whose sound goes over a track, and `ice_servers` are those
    that it may need.
    """

    session_id: str
    resume_token: str
    protocol: str
    engine: str
    features: list[str]
    format: str
    sample_rate: int
    frame_ms: int
    pre_skip: int
    voice: str
    language: str
    limits: LimitsReport
    max_lead_ms: int = 0
    audio: AudioPath = "frames"
    rtc_token: str | UnsetType = UNSET
    ice_servers: list[IceServer] | UnsetType = UNSET
    resumed: bool | UnsetType = UNSET
    contexts: list[ContextReport] | UnsetType = UNSET


class ContextOpened(Struct, frozen=True, tag="context.opened"):
    """A context is open."""

    context_id: str
    handle: int
    voice: str
    language: str


class Loading(Struct, frozen=True, tag="loading"):
    """A context waits until the voice is loaded: `what` is being done, and the `fraction` of that is done."""

    context_id: str
    handle: int
    what: str
    fraction: float


class Segment(Struct, frozen=True, tag="segment"):
    """A segment is about to sound."""

    context_id: str
    handle: int
    index: int
    text: str
    source: tuple[int, int]
    start_ms: float
    language: str
    final: bool = True


class Word(Struct, frozen=True):
    """One source word and when it sounds."""

    text: str
    source: tuple[int, int]
    start_ms: float
    end_ms: float


class Words(Struct, frozen=True, tag="words"):
    """Times of words; sent before the frames in which they end."""

    context_id: str
    handle: int
    segment: int
    estimated: bool
    words: list[Word]


class FlushDone(Struct, frozen=True, tag="flush.done", omit_defaults=True):
    """All that was flushed has been sent."""

    context_id: str
    handle: int
    flush_id: str | None = None


class ContextTiming(Struct, frozen=True):
    """Wall clock milliseconds from the context's first text."""

    first_audio_ms: int
    queue_ms: int
    infer_ms: int
    encode_ms: int
    total_ms: int
    load_ms: int = 0


class ContextDone(Struct, frozen=True, tag="context.done"):
    """A context ended by itself."""

    context_id: str
    handle: int
    reason: Literal["completed", "failed"]
    audio_ms: float
    last_seq: int | None
    timing: ContextTiming
    cache: Literal["hit", "partial", "miss", "off"] = "off"


class ContextCancelled(Struct, frozen=True, tag="context.cancelled"):
    """A context was cancelled: what was heard, and what was not."""

    context_id: str
    handle: int
    reason: Literal["cancelled", "preempted"]
    played_ms: float
    text_spoken: str
    text_remaining: str
    source_offset: int
    last_seq: int | None
    engine_freed_ms: float | UnsetType = UNSET


class Flow(Struct, frozen=True, tag="flow"):
    """Synthesis waits for the listener, or goes on."""

    context_id: str
    handle: int
    state: Literal["paused", "resumed"]


class Track(Struct, frozen=True, tag="track"):
    """Whether there is a peer connection that takes the session's sound."""

    state: Literal["connected", "disconnected"]


PlaybackState = Literal["playing", "waiting", "ended"]


class TrackPlayback(Struct, frozen=True, tag="playback"):
    """How much of a context has left over the track, and whether it moves on from there."""

    context_id: str
    handle: int
    played_ms: float
    state: PlaybackState


class Error(Struct, frozen=True, tag="error"):
    """Something was wrong; `fatal`: the socket closes next."""

    code: str
    message: str
    fatal: bool = False
    context_id: str | UnsetType = UNSET
    handle: int | UnsetType = UNSET
    retry_after_ms: int | UnsetType = UNSET


class SessionClosing(Struct, frozen=True, tag="session.closing"):
    """The server is about to close."""

    reason: str
    drain_ms: int


class Pong(Struct, frozen=True, tag="pong"):
    """Answer to `ping`."""

    t: int | float | str | None = None


ServerMessage = (
    SessionReady
    | ContextOpened
    | Loading
    | Segment
    | Words
    | FlushDone
    | ContextDone
    | ContextCancelled
    | Flow
    | Track
    | TrackPlayback
    | Error
    | SessionClosing
    | Pong
)


def type_of(kind: type[Struct]) -> str:
    """The `type` that a message of this kind bears."""
    return str(kind.__struct_config__.tag)


CLIENT_TYPES = tuple(type_of(kind) for kind in ClientMessage.__args__)

T = TypeVar("T")
_encoder = msgspec.json.Encoder()
_client_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)
_server_decoder: msgspec.json.Decoder[ServerMessage] = msgspec.json.Decoder(ServerMessage)


def encode(message: Struct) -> str:
    """A message as JSON text."""
    return _encoder.encode(message).decode()


#: Whatever a message may hold, no more of it is sent back in an error.
_LONGEST_ERROR = 400
_CHOICES = {
    "frame_ms": FrameMs,
    "timestamps": Timestamps,
    "buffer": Buffering,
    "on_conflict": Conflict,
    "audio": AudioPath,
}
_DECODING_ERRORS = (msgspec.ValidationError, msgspec.DecodeError, UnicodeEncodeError, RecursionError)


def decode_client(data: str) -> ClientMessage:
    """A message from a client; raises `InvalidMessageError` saying what is wrong and what is allowed."""
    try:
        return _client_decoder.decode(data)
    except _DECODING_ERRORS as error:
        raise InvalidMessageError(_explain(data, error)[:_LONGEST_ERROR]) from None


def decode_as(data: str, kind: type[T]) -> T:
    """A JSON text as a value of `kind`; raises `InvalidMessageError` as `decode_client` does."""
    try:
        return msgspec.json.decode(data, type=kind)
    except _DECODING_ERRORS as error:
        raise InvalidMessageError(_explain(data, error)[:_LONGEST_ERROR]) from None


def decode_server(data: str) -> ServerMessage:
    """A message from the server; raises `InvalidMessageError`."""
    try:
        return _server_decoder.decode(data)
    except _DECODING_ERRORS as error:
        raise InvalidMessageError(f"not a message of {PROTOCOL}: {error}"[:_LONGEST_ERROR]) from None


def _explain(data: str, error: Exception) -> str:
    text = str(error)
    if isinstance(error, msgspec.ValidationError):
        if text.endswith("`$.type`") or "required field `type`" in text:
            return f"`type` must be one of: {', '.join(CLIENT_TYPES)}"
        field = text.rpartition("`$.")[2].rstrip("`")
        if text.startswith("Expected `object`") and "`$" not in text:
            return "a message must be a JSON object with a `type`"
        if field in _CHOICES and text.startswith("Invalid enum value"):
            allowed = ", ".join(map(str, get_args(_CHOICES[field])))
            return f"wrong field: Expected one of {allowed} - at `$.{field}`"
        return f"wrong field: {text}"
    if isinstance(error, RecursionError):
        return "the message is nested too deeply"
    if "\\u" in data:
        return "the message is not valid JSON, or an escape in it is half of a surrogate pair"
    return f"the message is not valid JSON: {text}"
