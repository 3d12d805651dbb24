"""A session: contexts go out, and what comes back finds its context, over one connection after another."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from msgspec import UNSET
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from realtime.client.backlog import Backlog
from realtime.client.context import Context
from realtime.client.directory import Directory
from realtime.client.errors import ClientError, ContextRefusedError, SessionClosedError, SessionRefusedError
from realtime.client.inbox import Inbox
from realtime.client.line import LOST, Line
from realtime.client.outbox import Outbox
from realtime.client.pulse import Pulse, Verdict
from realtime.client.questions import Answer, Questions
from realtime.client.received import Received
from realtime.client.sending import Sender
from realtime.errors import ErrorCode, InvalidMessageError
from realtime.session import messages as wire
from realtime.session.frames import decode_frame

#: A context that waits for text is asked after for so long: then the server may take the session for idle.
_ATTENTIVE_S = 120.0


class Session:
    """A session; made by `connect`.

    Take the sound of contexts in the order in which they were opened, which is the order in which it comes;
    and drop or cancel those that nobody listens to. For sound that nobody has taken is bounded
    (`max_buffered_ms`): beyond it the socket is not read, unless an answer is awaited. A server closes a
    session that takes nothing for 30 s with 4002.
    """

    def __init__(self, line: Line, ready: wire.SessionReady, backlog: Backlog, stall_s: float) -> None:
        """`ready` answered `session.start`; a silence of `stall_s` may be a loss."""
        #: How often the session was taken up again after its connection was lost.
        self.resumed = 0
        self._line = line
        self._ready = ready
        self._backlog = backlog
        self._stall_s = stall_s
        self._opened = 0
        self._left = False
        self._has_listener = False
        self._fatal: wire.Error | None = None
        self._gone: ClientError | None = None
        self._over = asyncio.Event()
        self._outbox = Outbox(line.can_resume)
        self._sender = Sender(self._outbox)
        self._received = Received()
        self._questions = Questions()
        self._pulse = Pulse(stall_s, asyncio.get_running_loop().time())
        self._last_activity = self._pulse.begun
        self._contexts = Directory()

    @property
    def ready(self) -> wire.SessionReady:
        """The settings in force, as the server told them last."""
        return self._ready

    @property
    def address(self) -> str:
        """Where the server's WebSockets are."""
        return self._line.address

    @property
    def has_listener(self) -> bool:
        """Whether a peer connection takes its sound, of a session with `audio="rtc"`."""
        return self._has_listener

    @property
    def buffered_ms(self) -> float:
        """Sound that has come and was not taken yet, in ms, over all contexts."""
        return self._backlog.waiting_ms

    # -- what goes out ----------------------------------------------------------------------------------

    def open(self, context_id: str | None = None, **settings: Any) -> Context:
        """A new context, which is opened with its first text; without an id it gets one of its own.

        `settings` are the other fields of `context.open`. Raises `ContextRefusedError` for values that the
        protocol does not allow, `TypeError` for fields that it does not know.
        """
        self._opened += 1
        opening = wire.ContextOpen(context_id or f"context-{self._opened}", **settings)
        try:
            # A wrong value would be refused without the id, and the text behind it spoken all the same.
            wire.decode_client(wire.encode(opening))
        except InvalidMessageError as error:
            named = opening.context_id
            raise ContextRefusedError(error.message, code=error.code, context_id=named) from None
        return Context(self, Inbox(opening.context_id, self._backlog), opening)

    async def update(self, **settings: Any) -> wire.SessionReady:
        """Change settings for contexts that are opened later; returns those in force then.

        `settings` are the fields of `session.update`. Raises `SessionRefusedError`, and all stays as it was;
        `TypeError` for fields that the protocol does not know.
        """
        refusal: wire.Error | None = None
        for answer in await self.ask(wire.SessionUpdate(**settings)):
            if isinstance(answer, wire.SessionReady):
                return answer
            if isinstance(answer, wire.Error) and answer.context_id is UNSET:
                refusal = answer  # unless it is about an older update, and was said again after a loss
        if refusal is not None:
            raise SessionRefusedError.told(refusal)
        raise SessionRefusedError("the server did not answer `session.update`")

    async def cancel_all(self, played_ms: float | None = None) -> list[wire.ContextCancelled]:
        """Barge-in: silence everything. One answer for each context still to be spoken or heard, in order.

        `played_ms` is what was heard of the context that is sounding. From the call on, frames of all
        contexts that were opened before are thrown away.
        """
        for inbox in self._contexts.all():
            inbox.silence()
        answers = await self.ask(wire.Cancel(wire.ALL_CONTEXTS, played_ms))
        return [
            answer
            for answer in answers
            if isinstance(answer, wire.ContextCancelled) and answer.context_id != wire.ALL_CONTEXTS
        ]

    async def ping(self) -> float:
        """Seconds to the server and back, past the sound that is under way."""
        while True:
            begun, resumed = time.monotonic(), self.resumed
            await self.ask(None)
            if self.resumed == resumed:  # else the way was measured that led nowhere
                return time.monotonic() - begun

    async def close(self, drain: bool = True) -> None:
        """Have the server speak what it has (`drain`), or drop it, and close; returns when it has closed.

        No context can be opened any more, and every open one is ended. Its sound is buffered without bound
        meanwhile, and can be taken during and after this.
        """
        with self._backlog.answer_awaited():
            if not self._over.is_set():
                self._put(wire.SessionClose(drain))
            await self._over.wait()

    async def send(self, message: wire.ClientMessage) -> None:
        """Send any message of the protocol, while the connection is lost when it is there again.

        Raises `SessionClosedError` when the session is over.
        """
        if not self._left and not self._over.is_set():
            self._note_sending()
            if await self._sender.written(self._sender.put(message)):
                return
        await self._over.wait()
        raise self.ended()

    async def report(self, message: wire.Playback) -> None:
        """As `send`, but nobody waits for a connection that is lost: a player goes on meanwhile."""
        if self._line.is_up or self._over.is_set():
            await self.send(message)
        else:
            self._put(message)

    async def ask(self, message: wire.ClientMessage | None) -> list[wire.ServerMessage]:
        """Send a message, and return the answers to it, in order: those to `None` are none.

        Answers are `session.ready`, `context.cancelled` and `error`. Raises `SessionClosedError`.
        """
        with self._backlog.answer_awaited():
            if self._left or self._over.is_set():
                await self._over.wait()
                raise self.ended()
            question = self._questions.ask(message)
            self._sender.ask(message, question.tag)
            self._note_sending()
            await question.over.wait()
        if not question.answered:
            raise self.ended()
        return question.answers

    def _put(self, message: wire.ClientMessage) -> None:
        """As `send`, but nobody waits for it."""
        self._sender.put(message)
        self._note_sending()

    def _note_sending(self) -> None:
        self._last_activity = asyncio.get_running_loop().time()
        self._pulse.sent(self._last_activity)

    def expect(self, inbox: Inbox) -> None:
        """The next opening under this id is for `inbox`."""
        if not self._questions.has_update:
            inbox.asked_under = self._ready
        self._contexts.expect(inbox)

    def ended(self) -> SessionClosedError:
        """Why the session is over; a new exception each time, for each bears its own traceback."""
        connection = self._line.connection
        code, reason = connection.close_code, connection.close_reason or ""
        if self._fatal is not None:
            error = SessionClosedError.told(self._fatal)
        elif self._gone is not None:
            code, reason = LOST, ""
            text = f"the connection to the server was lost, and the session with it: {self._gone.message}"
            error = SessionClosedError(text, code=self._gone.code, retry_after_ms=self._gone.retry_after_ms)
        elif self._left:
            error = SessionClosedError("the session was closed here")
        elif code in (None, LOST):
            error = SessionClosedError("the connection to the server was lost")
        else:
            error = SessionClosedError(f"the server closed the session: {code} {reason}".rstrip())
        error.close_code, error.reason = code, reason
        return error

    # -- its life ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Bring each context what is for it, until the session is over."""
        try:
            while True:
                writer = asyncio.create_task(self._sender.write(self._line.connection))
                try:
                    await self._read(self._line.connection)
                finally:
                    writer.cancel()
                    await asyncio.gather(writer, return_exceptions=True)
                if not await self._line.lost() or self._left or self._fatal is not None:
                    return
                self._take_up(await self._line.again(self._resumption()))
        except ClientError as error:
            self._gone = error
        finally:
            self._end()

    def leave(self) -> bool:
        """Nobody listens any more: what is under way is read and thrown away, up to the closing handshake.

        Returns whether there is a connection to close.
        """
        self._left = True
        self._backlog.lift()
        return self._line.is_up

    async def hang_up(self) -> None:
        """Close the connection, with the handshake."""
        await self._line.connection.close()

    def _resumption(self) -> wire.ResumeRequest:
        ready = self._ready
        return wire.ResumeRequest(ready.session_id, ready.resume_token, self._received.last())

    def _take_up(self, ready: wire.SessionReady) -> None:
        """The session goes on, on a new connection."""
        self.resumed += 1
        self._ready = ready
        self._pulse = Pulse(self._stall_s, asyncio.get_running_loop().time())
        self._received.resumed()
        state = self._outbox.resumed([] if ready.contexts is UNSET else ready.contexts)
        self._questions.miss(handle for handle in state.cancelled if not self._received.is_cancelled(handle))
        self._contexts.ended_early(state.ended_early)
        self._sender.wake()
        self._note_sending()

    def _end(self) -> None:
        self._over.set()
        self._questions.end()
        for inbox in self._contexts.all():
            inbox.end()
        self._sender.end()

    # -- what comes in ----------------------------------------------------------------------------------

    async def _read(self, connection: ClientConnection) -> None:
        """Take what comes, until the connection closes, or is found dead."""
        loop = asyncio.get_running_loop()
        while True:
            if self._backlog.is_full:
                await self._room(connection)
                self._pulse.held(loop.time())
            data: str | bytes | None = None
            try:
                async with asyncio.timeout_at(self._pulse.deadline()):
                    data = await connection.recv()
            except TimeoutError:
                pass
            except ConnectionClosed:
                return
            now = loop.time()
            if data is not None:
                self._pulse.heard(now)
                # A newer server may send what this client does not know: that is left out.
                with contextlib.suppress(InvalidMessageError):
                    if isinstance(data, bytes):
                        self._take_frame(data)
                    else:
                        self._take(wire.decode_server(data))
            verdict = self._pulse.judge(now, self._expects(now) if data is None else False)
            if verdict is Verdict.LOST:
                connection.transport.abort()  # what has come is taken all the same
            elif verdict is Verdict.ASK:
                self._outbox.mark()
                self._sender.wake()

    async def _room(self, connection: ClientConnection) -> None:
        """Returns when the socket may be read; or is closed, for then only little is left in it."""
        waiting = [
            asyncio.create_task(self._backlog.room()),
            asyncio.create_task(connection.wait_closed()),
        ]
        try:
            while not (
                await asyncio.wait(waiting, timeout=self._stall_s, return_when=asyncio.FIRST_COMPLETED)
            )[0]:
                self._outbox.mark()  # a socket that is not read tells of its end when it is written to
                self._sender.wake()
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    def _expects(self, now: float) -> bool:
        """Whether the server has something to say."""
        if not self._outbox.is_proven or self._questions:
            return True
        is_attentive = now < self._last_activity + _ATTENTIVE_S
        return is_attentive and any(not inbox.is_over for inbox in self._contexts.all())

    def _take_frame(self, data: bytes) -> None:
        frame = decode_frame(data)
        if not self._received.frame(frame.handle, frame.packet.seq):
            return
        self._note_news()
        inbox = self._contexts.get(frame.handle)
        if inbox is not None and not self._left:
            inbox.take_frame(frame)

    def _take(self, data: wire.ServerMessage) -> None:
        message = self._received.message(data)
        if message is None:
            return
        if isinstance(message, wire.Pong):
            self._take_pong(message)
            return
        handle = getattr(message, "handle", UNSET)
        self._note_news()
        if isinstance(message, wire.ContextOpened):
            self._take_opened(message)
        elif isinstance(message, wire.SessionReady):
            self._ready = message
        elif isinstance(message, wire.Track):
            self._has_listener = message.state == "connected"
        elif isinstance(message, wire.Error) and message.fatal:
            self._fatal = message
        elif (inbox := self._contexts.get(handle)) is not None:
            inbox.take_message(message)
        elif isinstance(message, wire.Error) and handle is UNSET and isinstance(message.context_id, str):
            self._outbox.refused(message.context_id)
            self._contexts.refused(message.context_id, message)
        if isinstance(message, wire.ContextDone | wire.ContextCancelled):
            self._outbox.over(message.handle)
        # That we send too much is told whenever it is so.
        told_unasked = isinstance(message, wire.Error) and message.code == ErrorCode.RATE_LIMITED
        if isinstance(message, Answer) and not told_unasked:
            self._questions.take(message)

    def _note_news(self) -> None:
        self._last_activity = asyncio.get_running_loop().time()
        self._line.works()

    def _take_pong(self, pong: wire.Pong) -> None:
        if isinstance(pong.t, str):
            self._line.works()
            self._outbox.pong(pong.t)
            self._pulse.answered(self._outbox.is_proven)
            self._questions.pong(pong.t)

    def _take_opened(self, message: wire.ContextOpened) -> None:
        self._outbox.opened(message.context_id, message.handle)
        opened = self._contexts.opened(message)
        if opened is None:
            self._put(self._contexts.unexpected(message.context_id))
        else:
            # What was told after a loss may be newer than the opening.
            opened.take_opened((opened.asked_under if self.resumed else None) or self._ready)
