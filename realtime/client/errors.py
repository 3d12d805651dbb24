"""What the client raises. Each carries `message`, and `code` and `retry_after_ms` where the server gave them.

ClientError
  ConnectionFailedError     no session can be had at this address: nobody answers, or not in this protocol
  SessionError              about the whole session
    SessionRefusedError     the server has no room for the session, or refuses its settings
    SessionClosedError      the session is over; carries close_code and reason
  ContextError              about one context, the session goes on; carries context_id
    ContextRefusedError     it was not opened
    ContextFailedError      a failure ended it: of the engine, or of a text that is too long
    ContextClosedError      it takes no more: it was ended before
  UndecodableFormatError    a container cannot be turned into sound frame by frame
"""

from __future__ import annotations

from typing import Self

from msgspec import UnsetType

from realtime.session import messages as wire


class ClientError(Exception):
    """Base of what this client raises.

    `code` as in the protocol's table of errors, None when the server gave none; `retry_after_ms`: when
    another try may succeed, None when waiting does not help.
    """

    def __init__(self, message: str, *, code: str | None = None, retry_after_ms: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.retry_after_ms = retry_after_ms

    @classmethod
    def told(cls, error: wire.Error) -> Self:
        """From an `error` message."""
        return cls(error.message, code=error.code, retry_after_ms=_retry(error))


class ConnectionFailedError(ClientError):
    """No session can be had at this address: nobody answers, or not in this protocol."""


class SessionError(ClientError):
    """About the whole session."""


class SessionRefusedError(SessionError):
    """The server has no room for the session, or refuses its settings; after `update` the old ones stay."""


class SessionClosedError(SessionError):
    """The session is over; when its connection was lost, it could not be taken up again.

    `close_code` and `reason` are those of the WebSocket; `close_code` is 1006 when the connection was lost
    without a closing handshake, and None while it is not yet closed altogether.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retry_after_ms: int | None = None,
        close_code: int | None = None,
        reason: str = "",
    ) -> None:
        super().__init__(message, code=code, retry_after_ms=retry_after_ms)
        self.close_code = close_code
        self.reason = reason


class ContextError(ClientError):
    """About the context `context_id`; the session goes on."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retry_after_ms: int | None = None,
        context_id: str = wire.DEFAULT_CONTEXT,
    ) -> None:
        super().__init__(message, code=code, retry_after_ms=retry_after_ms)
        self.context_id = context_id

    @classmethod
    def told(cls, error: wire.Error) -> Self:
        """From an `error` message that names a context."""
        named = wire.DEFAULT_CONTEXT if isinstance(error.context_id, UnsetType) else error.context_id
        return cls(error.message, code=error.code, retry_after_ms=_retry(error), context_id=named)


class ContextRefusedError(ContextError):
    """The context was not opened: an unknown voice or language, a wrong setting, too many contexts."""


class ContextFailedError(ContextError):
    """A failure ended the context: `engine_failed`, `timeout`, `text_too_long`, `queue_full`, `internal`."""


class ContextClosedError(ContextError):
    """The context takes no more: it was ended before, or is not known any more."""


class UndecodableFormatError(ClientError):
    """The session's format is a container, which cannot be turned into sound frame by frame."""


def _retry(error: wire.Error) -> int | None:
    return None if isinstance(error.retry_after_ms, UnsetType) else error.retry_after_ms
