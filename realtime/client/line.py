"""The way to the server: a connection, and another one in its place when it is lost.

The rules:
1. A connection that the server closed on purpose is not replaced, nor one that we closed.
2. The first try is made at once, then after 0.1 s, 0.2 s and so on to 5 s, each a little less by chance: many
   clients that lost one server do not come back as one. A server that says when to come again is obeyed.
3. It is tried for the server's resume window. A new connection on which nothing new comes begins no new one.
"""

from __future__ import annotations

import asyncio
import random

from websockets.asyncio.client import ClientConnection

from realtime.client.dialing import Dialer, hang_up
from realtime.client.errors import ClientError, ConnectionFailedError, SessionRefusedError
from realtime.errors import CloseCode, ErrorCode
from realtime.session import messages as wire

#: RFC 6455: the code of a connection that was lost without a closing handshake.
LOST = 1006
#: With these a server is done with the session, or says that a message was wrong, which would be sent again.
_FINAL_CODES = frozenset(
    {
        CloseCode.DONE,
        CloseCode.GOING_AWAY,
        CloseCode.POLICY,
        CloseCode.INTERNAL,
        CloseCode.TRY_LATER,
        CloseCode.TAKEN_OVER,
        CloseCode.LISTENER_STALLED,
        1002,  # RFC 6455: wrong protocol, kind of data, encoding, too large
        1003,
        1007,
        1009,
    }
)
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.1, 5.0
_LONGEST_DIAL_S = 10.0
#: The feature that a server names which resumes sessions.
_RESUME = "resume"


class Line:
    """The connections of one session, one after another."""

    def __init__(
        self,
        dialer: Dialer,
        connection: ClientConnection,
        ready: wire.SessionReady,
        resume: bool,
        stall_s: float,
    ) -> None:
        """`connection` is the first one; `resume`: it is replaced, if the server can do that."""
        self.connection = connection
        self.is_up = True
        self._dialer = dialer
        self._window_s = ready.limits.resume_window_s
        self.can_resume = resume and _RESUME in ready.features and self._window_s > 0
        self._dial_s = min(_LONGEST_DIAL_S, max(1.0, stall_s))
        self._until: float | None = None
        self._tries = 0

    @property
    def address(self) -> str:
        """Where the server's WebSockets are."""
        return self._dialer.address

    async def lost(self) -> bool:
        """The connection is over; True when it may be replaced."""
        self.is_up = False
        self.connection.transport.abort()
        await self.connection.wait_closed()
        closed = self.connection.protocol.close_rcvd
        if self._until is None:
            self._until = asyncio.get_running_loop().time() + self._window_s
        return self.can_resume and (closed is None or closed.code not in _FINAL_CODES)

    def works(self) -> None:
        """Something new came."""
        self._until, self._tries = None, 0

    async def again(self, request: wire.ResumeRequest) -> wire.SessionReady:
        """A new connection, on which the session goes on; raises `ClientError` when that cannot be had."""
        failure: ClientError = ConnectionFailedError("nothing new came on one connection after another")
        told_wait_s = 0.0
        while True:
            await self._wait(max(told_wait_s, self._next_wait_s()), failure)
            try:
                self.connection, ready = await self._dialer.dial(request, self._dial_s)
            except (ConnectionFailedError, SessionRefusedError) as error:
                refused = isinstance(error, SessionRefusedError) and error.retry_after_ms is None
                if refused or error.code in (ErrorCode.UNAUTHORIZED, ErrorCode.RESUME_FAILED):
                    raise
                failure, told_wait_s = error, (error.retry_after_ms or 0) / 1000
                continue
            if ready.resumed is True:
                self.is_up = True
                return ready
            await hang_up(self.connection)
            raise SessionRefusedError(
                "the server does not know the session any more", code=ErrorCode.RESUME_FAILED
            )

    async def _wait(self, wait_s: float, failure: ClientError) -> None:
        """Raises `failure` when the window will be over by then."""
        now = asyncio.get_running_loop().time()
        if self._until is None or now + wait_s > self._until:
            raise failure
        await asyncio.sleep(wait_s)

    def _next_wait_s(self) -> float:
        self._tries += 1
        if self._tries == 1:
            return 0.0
        # A session that was lost for long has tried more often than 2 ** n could count.
        longest: float = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(self._tries - 2, 16))
        return longest * random.uniform(0.5, 1)
