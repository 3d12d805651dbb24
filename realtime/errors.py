"""What can go wrong: the tree of exceptions, and one table of codes for every transport.

RealtimeError
  InvalidMessageError    a message that the contract does not allow
  ConfigError       a setting that is unknown or out of range; stops the start
  TryLaterError     not now; carries retry_after_ms
    QueueFullError       no room for another utterance
      LoadingError         the engine is not there yet
  EngineError       the engine cannot speak this; ends the utterance
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ErrorCode(StrEnum):
    """The `code` of an `error` message, and of an HTTP error."""

    INVALID_MESSAGE = "invalid_message"
    UNKNOWN_VOICE = "unknown_voice"
    UNKNOWN_LANGUAGE = "unknown_language"
    TEXT_TOO_LONG = "text_too_long"
    TOO_MANY_CONTEXTS = "too_many_contexts"
    CONTEXT_CLOSED = "context_closed"
    QUEUE_FULL = "queue_full"
    RATE_LIMITED = "rate_limited"
    ENGINE_FAILED = "engine_failed"
    TIMEOUT = "timeout"
    UNSUPPORTED = "unsupported"
    UNAUTHORIZED = "unauthorized"
    RESUME_FAILED = "resume_failed"
    INTERNAL = "internal"
    # What only an HTTP request can have.
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    FORBIDDEN = "forbidden"
    PRECONDITION_FAILED = "precondition_failed"
    BODY_TOO_LARGE = "body_too_large"
    NOT_AUDIO = "not_audio"
    AUDIO_TOO_SHORT = "audio_too_short"
    AUDIO_TOO_LONG = "audio_too_long"
    AUDIO_TOO_QUIET = "audio_too_quiet"
    AUDIO_CLIPPED = "audio_clipped"
    STORAGE_FAILED = "storage_failed"


class CloseCode:
    """WebSocket close codes of realtime.v1."""

    DONE = 1000
    GOING_AWAY = 1001
    POLICY = 1008
    INTERNAL = 1011
    TRY_LATER = 1013
    TAKEN_OVER = 4001
    LISTENER_STALLED = 4002


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """What a code means to a transport: HTTP status, close code when fatal, whether a retry may help."""

    http_status: int
    close_code: int
    retry: bool


ERRORS: dict[ErrorCode, ErrorKind] = {
    ErrorCode.INVALID_MESSAGE: ErrorKind(400, CloseCode.POLICY, False),
    ErrorCode.UNKNOWN_VOICE: ErrorKind(400, CloseCode.POLICY, False),
    ErrorCode.UNKNOWN_LANGUAGE: ErrorKind(400, CloseCode.POLICY, False),
    ErrorCode.TEXT_TOO_LONG: ErrorKind(413, CloseCode.POLICY, False),
    ErrorCode.TOO_MANY_CONTEXTS: ErrorKind(429, CloseCode.TRY_LATER, True),
    ErrorCode.CONTEXT_CLOSED: ErrorKind(409, CloseCode.POLICY, False),
    ErrorCode.QUEUE_FULL: ErrorKind(503, CloseCode.TRY_LATER, True),
    ErrorCode.RATE_LIMITED: ErrorKind(429, CloseCode.TRY_LATER, True),
    ErrorCode.ENGINE_FAILED: ErrorKind(500, CloseCode.INTERNAL, True),
    ErrorCode.TIMEOUT: ErrorKind(504, CloseCode.INTERNAL, True),
    ErrorCode.UNSUPPORTED: ErrorKind(501, CloseCode.POLICY, False),
    ErrorCode.UNAUTHORIZED: ErrorKind(401, CloseCode.POLICY, False),
    ErrorCode.RESUME_FAILED: ErrorKind(410, CloseCode.POLICY, False),
    ErrorCode.INTERNAL: ErrorKind(500, CloseCode.INTERNAL, True),
    ErrorCode.NOT_FOUND: ErrorKind(404, CloseCode.POLICY, False),
    ErrorCode.METHOD_NOT_ALLOWED: ErrorKind(405, CloseCode.POLICY, False),
    ErrorCode.FORBIDDEN: ErrorKind(403, CloseCode.POLICY, False),
    ErrorCode.PRECONDITION_FAILED: ErrorKind(412, CloseCode.POLICY, False),
    ErrorCode.BODY_TOO_LARGE: ErrorKind(413, CloseCode.POLICY, False),
    ErrorCode.NOT_AUDIO: ErrorKind(400, CloseCode.POLICY, False),
    ErrorCode.AUDIO_TOO_SHORT: ErrorKind(400, CloseCode.POLICY, False),
    ErrorCode.AUDIO_TOO_LONG: ErrorKind(400, CloseCode.POLICY, False),
    ErrorCode.AUDIO_TOO_QUIET: ErrorKind(400, CloseCode.POLICY, False),
    ErrorCode.AUDIO_CLIPPED: ErrorKind(400, CloseCode.POLICY, False),
    ErrorCode.STORAGE_FAILED: ErrorKind(507, CloseCode.INTERNAL, True),
}


#: All that a client is told of a mistake inside the server.
INTERNAL_MESSAGE = "something went wrong inside the server"

#: How long an engine takes to load is not known: who comes too early asks again after so long.
_LOADING_RETRY_MS = 1000


class RealtimeError(Exception):
    """Base of all errors of this project; `code` and `message` may be shown to a client.

    `param` is the field of a request that was wrong, None when it was none in particular.
    """

    code = ErrorCode.INTERNAL

    def __init__(self, message: str, code: ErrorCode | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        if code is not None:
            self.code = code


class InvalidMessageError(RealtimeError):
    """A message that the contract does not allow; the message says what is wrong and what is allowed."""

    code = ErrorCode.INVALID_MESSAGE


class ConfigError(RealtimeError):
    """A setting that is unknown or out of range."""


class TryLaterError(RealtimeError):
    """Not now; try again after `retry_after_ms`."""

    def __init__(self, message: str, retry_after_ms: int) -> None:
        super().__init__(message)
        self.retry_after_ms = retry_after_ms


class QueueFullError(TryLaterError):
    """There is no room for another utterance."""

    code = ErrorCode.QUEUE_FULL


class TooManyContextsError(TryLaterError):
    """As many contexts of a session are open as it may have."""

    code = ErrorCode.TOO_MANY_CONTEXTS


class LoadingError(QueueFullError):
    """The engine is still being loaded."""

    def __init__(self, progress: str = "") -> None:
        """`progress`: how far it is, in words."""
        far = f" ({progress})" if progress else ""
        super().__init__(f"the voice is still being loaded{far}; try again soon", _LOADING_RETRY_MS)


class EngineError(RealtimeError):
    """The engine cannot speak this utterance."""

    code = ErrorCode.ENGINE_FAILED
