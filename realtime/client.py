"""An async client of realtime.v1 for voice-assistant backends, on the websockets library.

    async with connect("ws://127.0.0.1:8000") as session:
        context = session.open()
        await context.send("Hello there.")
        await context.end()
        async for chunk in context:
            play(chunk.payload)

Errors: `ClientError`, and below it `SessionError` (the server refused or closed the session) and
`ContextError` (one context failed; the session goes on).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from msgspec import UNSET
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from realtime.errors import ErrorCode, InvalidMessageError
from realtime.session import messages as wire
from realtime.session.frames import Frame, FrameKind, decode_frame
from realtime.types import FrameFlags, Packet

PATH = "/v1/audio/speech/ws"
_MAX_MESSAGE_BYTES = 4 * 1024 * 1024


class ClientError(Exception):
    """Base of what this client raises."""


class SessionError(ClientError):
    """The session could not be had, or is over; `code` is the server's, when it gave one."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class ContextError(ClientError):
    """A context failed; `code` as in the protocol's table of errors."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Chunk:
    """One frame of sound: `position` and `duration` in samples of 48 kHz on the context's timeline."""

    payload: bytes
    kind: FrameKind
    seq: int
    position: int
    duration: int
    first: bool
    last: bool


def _chunk(frame: Frame) -> Chunk:
    packet: Packet = frame.packet
    return Chunk(
        packet.payload,
        frame.kind,
        packet.seq,
        packet.position,
        packet.duration,
        bool(packet.flags & FrameFlags.FIRST),
        bool(packet.flags & FrameFlags.LAST),
    )


class Context:
    """One context; iterate over it for its sound. Made by `Session.open`."""

    def __init__(self, session: Session, opening: wire.ContextOpen) -> None:
        """`opening` is sent before the first text."""
        self._session = session
        self._opening: wire.ContextOpen | None = opening
        self.context_id = opening.context_id
        self.segments: list[wire.Segment] = []
        self.done: wire.ContextDone | None = None
        self.cancelled: wire.ContextCancelled | None = None
        self._failure: ContextError | None = None
        self._chunks: asyncio.Queue[Chunk | None] = asyncio.Queue()
        self._cancel_answered = asyncio.Event()

    async def send(self, text: str) -> None:
        """Append text, in tokens of any size; raises `ContextError` when the context was refused."""
        await self._open()
        await self._session.send(wire.Text(text, self.context_id))

    async def flush(self, flush_id: str | None = None) -> None:
        """Have everything so far spoken now."""
        await self._open()
        await self._session.send(wire.Flush(self.context_id, flush_id))

    async def end(self) -> None:
        """No more text; the iteration ends after the last frame."""
        await self._open()
        await self._session.send(wire.End(self.context_id))

    async def cancel(self, played_ms: float | None = None) -> wire.ContextCancelled:
        """Barge-in: stop now. Returns what was spoken and what remains; no frame follows."""
        if self._opening is not None:  # the server has never heard of it
            return wire.ContextCancelled(self.context_id, wire.NO_HANDLE, "cancelled", 0, "", "", 0, None)
        await self._session.send(wire.Cancel(self.context_id, played_ms))
        await self._cancel_answered.wait()
        if self.cancelled is None:
            raise self._failure or self._session.ended()
        return self.cancelled

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        """Frames until the context is done or cancelled; raises `ContextError`, `SessionError`."""
        while (chunk := await self._chunks.get()) is not None:
            yield chunk
        if self.cancelled is None and self._failure is not None:
            raise self._failure
        if self.cancelled is None and self.done is None:
            raise self._session.ended()

    async def _open(self) -> None:
        if self._failure is not None and self.cancelled is None:
            raise self._failure
        opening, self._opening = self._opening, None
        if opening is not None:
            self._session.expect(self)
            await self._session.send(opening)

    def take_frame(self, frame: Frame) -> None:
        """A frame of this context came."""
        self._chunks.put_nowait(_chunk(frame))

    def take_message(self, message: wire.ServerMessage) -> None:
        """A message about this context came."""
        if isinstance(message, wire.Segment):
            self.segments.append(message)
        elif isinstance(message, wire.ContextDone):
            self.done = message
            self._chunks.put_nowait(None)
        elif isinstance(message, wire.ContextCancelled):
            self.cancelled = message
            while not self._chunks.empty():  # what was heard is known: the rest must not be played
                self._chunks.get_nowait()
            self.finish()
        elif isinstance(message, wire.Error) and message.code != ErrorCode.CONTEXT_CLOSED:
            # Late tokens of an LLM, after a cancel, are no failure.
            self._failure = ContextError(message.message, message.code)

    def refuse(self, error: wire.Error) -> None:
        """The server did not open it."""
        self._failure = ContextError(error.message, error.code)
        self.finish()

    def finish(self) -> None:
        """Nothing more will come."""
        self._chunks.put_nowait(None)
        self._cancel_answered.set()


class Session:
    """A session; made by `connect`."""

    def __init__(self, connection: ClientConnection, ready: wire.SessionReady) -> None:
        """`ready` holds the settings in force."""
        self._connection = connection
        self.ready = ready
        self._opened = 0
        self._end: SessionError | None = None
        # Handles tell contexts apart that bear the same id. Who drops a context hears no more of it.
        self._unopened: dict[str, deque[Context]] = {}
        self._by_handle: WeakValueDictionary[int, Context] = WeakValueDictionary()

    def open(self, context_id: str | None = None, **settings: Any) -> Context:
        """A new context; `settings` are the other fields of `context.open`. It opens with its first text."""
        self._opened += 1
        return Context(self, wire.ContextOpen(context_id or f"context-{self._opened}", **settings))

    async def send(self, message: wire.ClientMessage) -> None:
        """Send any message of the protocol; raises `SessionError` when the connection is gone."""
        try:
            await self._connection.send(wire.encode(message))
        except ConnectionClosed as error:
            raise self._end or _closed(error) from error

    def ended(self) -> SessionError:
        """Why the session is over."""
        return self._end or SessionError("the session is over")

    def expect(self, context: Context) -> None:
        """`context` is about to be opened."""
        self._unopened.setdefault(context.context_id, deque()).append(context)

    async def receive(self) -> None:
        """Bring each context what is for it, until the connection closes."""
        try:
            async for data in self._connection:
                # A newer server may send what this client does not know: that is left out.
                with contextlib.suppress(InvalidMessageError):
                    if isinstance(data, bytes):
                        frame = decode_frame(data)
                        if (context := self._by_handle.get(frame.handle)) is not None:
                            context.take_frame(frame)
                    else:
                        await self._take(wire.decode_server(data))
            code, reason = self._connection.close_code, self._connection.close_reason
            self._end = self._end or SessionError(f"the server closed the session: {code} {reason}")
        except ConnectionClosed as error:
            self._end = self._end or _closed(error)
        finally:
            self._end = self._end or SessionError("the session was closed here")
            for context in [*self._by_handle.values(), *itertools.chain(*self._unopened.values())]:
                context.finish()

    async def _take(self, message: wire.ServerMessage) -> None:
        if isinstance(message, wire.Error) and message.fatal:
            self._end = SessionError(message.message, message.code)
        handle = getattr(message, "handle", UNSET)
        if isinstance(message, wire.ContextOpened):
            if (opened := self._next_unopened(message.context_id)) is not None:
                self._by_handle[message.handle] = opened
        elif isinstance(handle, int):
            if (context := self._by_handle.get(handle)) is not None:
                context.take_message(message)
        elif isinstance(message, wire.Error) and isinstance(message.context_id, str):
            if (refused := self._next_unopened(message.context_id)) is not None:
                refused.refuse(message)
                # Text that was sent behind the refused opening has opened the id with other settings.
                await self.send(wire.Cancel(message.context_id))

    def _next_unopened(self, context_id: str) -> Context | None:
        waiting = self._unopened.get(context_id)
        if not waiting:
            return None
        context = waiting.popleft()
        if not waiting:
            del self._unopened[context_id]
        return context


def _closed(error: ConnectionClosed) -> SessionError:
    close = error.rcvd
    reason = f"{close.code} {close.reason}".strip() if close else "without a closing handshake"
    return SessionError(f"the connection was closed: {reason}")


def _address(url: str) -> str:
    address = url.replace("http", "ws", 1) if url.startswith("http") else url
    return address if address.rstrip("/").endswith(PATH) else address.rstrip("/") + PATH


@contextlib.asynccontextmanager
async def connect(url: str, **settings: Any) -> AsyncIterator[Session]:
    """A session with the server at `url` (ws:// or http://, with or without the path).

    `settings` are the fields of `session.start`. Raises `SessionError` when the server refuses.
    """
    address = _address(url)
    # A proxy that the environment names is for other machines, not for this one.
    proxy: Literal[True] | None = (
        None if urlsplit(address).hostname in ("localhost", "127.0.0.1", "::1") else True
    )
    try:
        connection = await connect_websocket(
            address,
            subprotocols=[Subprotocol(wire.PROTOCOL)],
            compression=None,
            max_size=_MAX_MESSAGE_BYTES,
            proxy=proxy,
        )
    except (OSError, InvalidHandshake, InvalidURI, TimeoutError) as error:
        raise SessionError(f"no server answers at {address}: {error}") from error
    async with connection:
        try:
            await connection.send(wire.encode(wire.SessionStart(**settings)))
            first = wire.decode_server(str(await connection.recv(decode=True)))
        except ConnectionClosed as error:
            raise _closed(error) from error
        except InvalidMessageError as error:
            raise SessionError(f"the server at {address} speaks another protocol") from error
        if isinstance(first, wire.Error):
            raise SessionError(first.message, first.code)
        if not isinstance(first, wire.SessionReady):
            raise SessionError(f"the server began with {type(first).__name__}")
        session = Session(connection, first)
        receiver = asyncio.create_task(session.receive())
        try:
            yield session
        finally:
            receiver.cancel()
            await asyncio.gather(receiver, return_exceptions=True)
