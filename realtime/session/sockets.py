"""The sockets of a session, one after another: who is let in, and how long is waited for the next one.

The rules:
1. One that was lost may be replaced within the resume window, by whoever has a token that counts (`tokens`).
2. A session that is over is waited for too, when its client asked for that and the socket was lost before
   all had been sent.
3. When the server is going away no socket can come any more, and none is waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from realtime.errors import ErrorCode, RealtimeError
from realtime.session.tokens import Tokens


def no_such_session() -> RealtimeError:
    """The answer to a resume with an id or a token that is not known (any more)."""
    return RealtimeError("there is no session to resume with this id and token", ErrorCode.RESUME_FAILED)


class Sockets:
    """Of one session. Times are monotonic seconds."""

    def __init__(self, new_token: Callable[[], str], window_s: float) -> None:
        """The first one is there. `window_s`: so long the next one is waited for."""
        self.tokens = Tokens(new_token)
        self._window_s = window_s
        self._lost_at: float | None = None
        #: Whether a socket that is lost may be replaced.
        self.may_resume = False

    def lost(self, now: float) -> bool:
        """The socket is gone; whether a new one is waited for."""
        if self.may_resume:
            self._lost_at = now
        return self.may_resume

    def check(self, token: str) -> None:
        """Whether a new socket is let in; raises `RealtimeError`."""
        if not self.may_resume or not self.tokens.are_of(token):
            raise no_such_session()

    def resumed(self, token: str) -> None:
        """A new one is there."""
        self.tokens.used(token)
        self._lost_at = None

    def end(self) -> None:
        """None is waited for any more."""
        self.may_resume, self._lost_at = False, None

    @property
    def is_lost(self) -> bool:
        """Whether one is waited for."""
        return self._lost_at is not None

    @property
    def waits_until(self) -> float:
        """When that ends; infinite while there is a socket."""
        return inf if self._lost_at is None else self._lost_at + self._window_s
