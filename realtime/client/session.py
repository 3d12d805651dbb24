"""A session: contexts go out, and what comes back finds its context.

The protocol has no numbers for questions, but the server answers in order. So a question is followed by a
`ping`: what comes up to its `pong`, and can be an answer at all, answers the oldest question that is open.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import chain
from typing import Any
from weakref import WeakValueDictionary

from msgspec import UNSET
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from realtime.client.backlog import Backlog
from realtime.client.context import Context
from realtime.client.errors import ContextRefusedError, SessionClosedError, SessionRefusedError
from realtime.client.inbox import Inbox
from realtime.errors import InvalidMessageError
from realtime.session import messages as wire
from realtime.session.frames import decode_frame

#: RFC 6455: the code of a connection that was lost without a closing handshake.
_LOST = 1006


@dataclass(slots=True, eq=False)
class _Question:
    """`tag` is that of its ping; `over` is set at the pong, or at the end of the session."""

    tag: str
    answers: list[wire.ServerMessage] = field(default_factory=list)
    answered: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Session:
    """A session; made by `connect`.

    Take the sound of contexts in the order in which they were opened, which is the order in which it comes;
    and drop or cancel those that nobody listens to. For sound that nobody has taken is bounded
    (`max_buffered_ms`): beyond it the socket is not read, unless an answer is awaited. A server closes a
    session that takes nothing for 30 s with 4002.
    """

    def __init__(self, connection: ClientConnection, ready: wire.SessionReady, backlog: Backlog) -> None:
        """`ready` answered `session.start`."""
        self._connection = connection
        self._ready = ready
        self._backlog = backlog
        self._opened = 0
        self._left = False
        self._fatal: wire.Error | None = None
        self._over = asyncio.Event()
        self._asking = asyncio.Lock()
        self._asked = 0
        self._questions: deque[_Question] = deque()
        # Handles tell contexts apart that bear the same id. Who drops a context hears no more of it.
        self._unopened: dict[str, deque[Inbox]] = {}
        self._by_handle: WeakValueDictionary[int, Inbox] = WeakValueDictionary()
        self._latest: WeakValueDictionary[str, Inbox] = WeakValueDictionary()

    @property
    def ready(self) -> wire.SessionReady:
        """The settings in force, as the server told them last."""
        return self._ready

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
        ready: wire.SessionReady | None = None
        for answer in await self.ask(wire.SessionUpdate(**settings)):
            if isinstance(answer, wire.Error) and answer.context_id is UNSET:
                raise SessionRefusedError.told(answer)
            if isinstance(answer, wire.SessionReady):
                ready = answer
        if ready is None:
            raise SessionRefusedError("the server did not answer `session.update`")
        return ready

    async def cancel_all(self, played_ms: float | None = None) -> list[wire.ContextCancelled]:
        """Barge-in: silence everything. One answer for each context still to be spoken or heard, in order.

        `played_ms` is what was heard of the context that is sounding. From the call on, frames of all
        contexts that were opened before are thrown away.
        """
        for inbox in self._inboxes():
            inbox.silence()
        answers = await self.ask(wire.Cancel(wire.ALL_CONTEXTS, played_ms))
        return [
            answer
            for answer in answers
            if isinstance(answer, wire.ContextCancelled) and answer.context_id != wire.ALL_CONTEXTS
        ]

    async def ping(self) -> float:
        """Seconds to the server and back, past the sound that is under way."""
        begun = time.monotonic()
        await self.ask(None)
        return time.monotonic() - begun

    async def close(self, drain: bool = True) -> None:
        """Have the server speak what it has (`drain`), or drop it, and close; returns when it has closed.

        No context can be opened any more, and every open one is ended. Its sound is buffered without bound
        meanwhile, and can be taken during and after this.
        """
        with self._backlog.answer_awaited():
            with contextlib.suppress(ConnectionClosed):
                await self._connection.send(wire.encode(wire.SessionClose(drain)))
            await self._over.wait()

    async def send(self, message: wire.ClientMessage) -> None:
        """Send any message of the protocol; raises `SessionClosedError` when the connection is gone."""
        try:
            await self._connection.send(wire.encode(message))
        except ConnectionClosed as error:
            with self._backlog.answer_awaited():  # why it is closed may stand behind sound
                await self._over.wait()
            raise self.ended() from error

    async def ask(self, message: wire.ClientMessage | None) -> list[wire.ServerMessage]:
        """Send a message, and return the answers to it, in order: those to `None` are none.

        Answers are `session.ready`, `context.cancelled` and `error`. Raises `SessionClosedError`.
        """
        with self._backlog.answer_awaited():
            async with self._asking:  # pings must come in the order of the questions
                self._asked += 1
                question = _Question(f"question-{self._asked}")
                self._questions.append(question)
                try:
                    if message is not None:
                        await self.send(message)
                    await self.send(wire.Ping(question.tag))
                except BaseException:
                    with contextlib.suppress(ValueError):
                        self._questions.remove(question)  # it may have no ping, and so no pong
                    raise
            if not self._over.is_set():
                await question.over.wait()
        if not question.answered:
            raise self.ended()
        return question.answers

    def expect(self, inbox: Inbox) -> None:
        """The next opening under this id is for `inbox`."""
        self._unopened.setdefault(inbox.context_id, deque()).append(inbox)
        self._latest[inbox.context_id] = inbox

    def ended(self) -> SessionClosedError:
        """Why the session is over; a new exception each time, for each bears its own traceback."""
        code, reason = self._connection.close_code, self._connection.close_reason or ""
        if self._fatal is not None:
            error = SessionClosedError.told(self._fatal)
        elif self._left:
            error = SessionClosedError("the session was closed here")
        elif code in (None, _LOST):
            error = SessionClosedError("the connection to the server was lost")
        else:
            error = SessionClosedError(f"the server closed the session: {code} {reason}".rstrip())
        error.close_code, error.reason = code, reason
        return error

    # -- what comes in ----------------------------------------------------------------------------------

    async def receive(self) -> None:
        """Bring each context what is for it, until the connection closes."""
        try:
            async with asyncio.TaskGroup() as errands:
                with contextlib.suppress(ConnectionClosed):
                    while True:
                        await self._backlog.room()
                        data = await self._connection.recv()
                        # A newer server may send what this client does not know: that is left out.
                        with contextlib.suppress(InvalidMessageError):
                            if isinstance(data, bytes):
                                self._take_frame(data)
                            else:
                                self._take(wire.decode_server(data), errands)
        finally:
            self._over.set()
            for question in self._questions:
                question.over.set()
            for inbox in self._inboxes():
                inbox.end()

    def _take_frame(self, data: bytes) -> None:
        frame = decode_frame(data)
        inbox = self._by_handle.get(frame.handle)
        if inbox is not None and not self._left:
            inbox.take_frame(frame)

    def _take(self, message: wire.ServerMessage, errands: asyncio.TaskGroup) -> None:
        handle = getattr(message, "handle", UNSET)
        if isinstance(message, wire.Pong):
            self._take_pong(message)
        elif isinstance(message, wire.ContextOpened):
            self._take_opened(message, errands)
        elif isinstance(message, wire.SessionReady):
            self._ready = message
        elif isinstance(message, wire.Error) and message.fatal:
            self._fatal = message
        elif isinstance(handle, int) and (inbox := self._by_handle.get(handle)) is not None:
            inbox.take_message(message)
        elif isinstance(message, wire.Error) and handle is UNSET and isinstance(message.context_id, str):
            if (refused := self._next_unopened(message.context_id)) is not None:
                refused.refuse(message)
        is_answer = isinstance(message, wire.SessionReady | wire.ContextCancelled | wire.Error)
        if is_answer and self._questions:
            self._questions[0].answers.append(message)

    def _take_pong(self, pong: wire.Pong) -> None:
        if self._questions and self._questions[0].tag == pong.t:
            question = self._questions.popleft()
            question.answered = True
            question.over.set()

    def _take_opened(self, message: wire.ContextOpened, errands: asyncio.TaskGroup) -> None:
        opened = self._next_unopened(message.context_id)
        if opened is not None:
            opened.take_opened(self._ready)
            self._by_handle[message.handle] = opened
            return
        # Text has opened it that was meant for a context which the server had refused or ended by then.
        latest = self._latest.get(message.context_id)
        if latest is None or latest.refused:
            errands.create_task(self._tell(wire.Cancel(message.context_id)))
        else:
            latest.close()  # a cancel would silence what is still heard of it
            errands.create_task(self._tell(wire.End(message.context_id)))

    async def _tell(self, message: wire.ClientMessage) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._connection.send(wire.encode(message))

    def _next_unopened(self, context_id: str) -> Inbox | None:
        waiting = self._unopened.get(context_id)
        if not waiting:
            return None
        inbox = waiting.popleft()
        if not waiting:
            del self._unopened[context_id]
        return inbox

    def _inboxes(self) -> list[Inbox]:
        return [*self._by_handle.values(), *chain(*self._unopened.values())]

    def leave(self) -> None:
        """Nobody listens any more: what is under way is read and thrown away, up to the closing handshake."""
        self._left = True
        self._backlog.lift()
