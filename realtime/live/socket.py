"""Serves one socket of a session: one task reads, one task writes, until the socket or the session is over.

What the session answers to a message goes first. Sound, and what keeps its order with sound, is fetched piece
by piece at the moment it is sent: so a cancel that stops a speaker has stopped its sound, and nothing waits
behind the writer's back.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum, auto
from math import inf
from typing import Any, Protocol

from realtime.clock import Clock
from realtime.errors import CloseCode
from realtime.live.heartbeat import Heartbeat, Pulse
from realtime.live.message_rate import MessageRate
from realtime.live.outbox import Barrier, Outgoing
from realtime.live.transport import Pong, Transport, TransportClosedError
from realtime.session.actions import Close

#: A client that takes nothing for so long is dropped.
STALL_S = 30.0
#: A client's messages are read for so long before the other sessions get their turn on the loop.
READ_S = 0.001
#: So many pieces are sent before the other sessions get their turn on the loop.
BURST = 40
#: A client that sends too fast is told so no more often than this.
_TOO_FAST_EVERY_S = 1.0
#: What a close frame without a code is said to bear (RFC 6455, 7.1.5): a browser's `close()` sends that.
_NO_CODE = 1005
#: A connection that cannot be written to any more tells its reader why, and soon.
_LAST_WORD_S = 1.0


@dataclass(frozen=True, slots=True)
class SocketSettings:
    """`heartbeat_s` as in `Heartbeat`, `messages_per_s` as in `MessageRate`; 0: without."""

    heartbeat_s: float = 20.0
    messages_per_s: int = 2_000


class Ending(Enum):
    """How a socket came to its end; the session is over, or waits for another one, or has another one."""

    OVER = auto()
    LOST = auto()
    LEFT = auto()


class Served(Protocol):
    """What a socket needs of its session. All calls are made on the event loop."""

    @property
    def closing(self) -> Close | None:
        """How the socket is to be closed when all was sent; None while it is not."""
        ...

    def receive(self, frame: str | bytes) -> None:
        """A frame of the client."""
        ...

    def received(self, number: int) -> None:
        """The client has received the `session.ready` of this number."""
        ...

    def too_fast(self, per_s: int, retry_after_ms: int) -> None:
        """The client sends faster than it is read."""
        ...

    def stalled(self, reason: str) -> None:
        """The client takes nothing: the session is over."""
        ...

    async def room_for_answers(self) -> None:
        """Returns when the client may be read: not while it takes none of the answers."""
        ...

    def next_piece(self) -> Outgoing | None:
        """What is to be sent now, of sound perhaps several frames; None when there is nothing."""
        ...

    def silent(self, since: float) -> None:
        """The answer to a cancel that came at `since` has left."""
        ...

    def unheard_s(self) -> float:
        """How long the listener still plays what was sent, in seconds; infinite while it is paused."""
        ...

    def next_deadline(self) -> float:
        """When `on_deadline` wants to be called, in monotonic seconds."""
        ...

    def on_deadline(self) -> None:
        """Time has passed."""
        ...


class Socket:
    """One transport, for as long as it serves a session."""

    def __init__(self, transport: Transport, session: Served, clock: Clock, settings: SocketSettings) -> None:
        """Nothing begins before `serve`."""
        self._transport = transport
        self._session = session
        self._clock = clock
        self._message_rate = MessageRate(settings.messages_per_s)
        self._heartbeat = Heartbeat(settings.heartbeat_s, clock.now())
        self._wake = asyncio.Event()
        self._left: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._last_ready = 0

    def wake(self) -> None:
        """There may be something to send, or a deadline has moved."""
        self._wake.set()

    def leave(self) -> None:
        """Serve no more; the connection stays as it is."""
        if not self._left.done():
            self._left.set_result(None)

    async def serve(self) -> Ending:
        """Serve until the end; closes the connection when the session is over, and leaves no task behind."""
        reader = asyncio.create_task(self._read())
        writer = asyncio.create_task(self._write())
        try:
            waited: set[asyncio.Future[Any]] = {reader, writer, self._left}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if self._left.done():
                return Ending.LEFT
            if writer.done() and not reader.done() and writer.result() is Ending.LOST:
                await asyncio.wait({reader}, timeout=_LAST_WORD_S)
            if writer.done() and writer.result() is Ending.OVER:
                await _end(reader)  # what still comes is for the closing handshake
                return await self._close()
            return reader.result() if reader.done() else Ending.LOST
        finally:
            await _end(reader, writer)

    async def _close(self) -> Ending:
        """`LOST` when all is done, and the client may not have received all of it."""
        closing = self._session.closing
        if closing is None or await self._transport.close(closing.code, closing.reason):
            return Ending.OVER
        return Ending.LOST if closing.code == CloseCode.DONE else Ending.OVER

    async def _read(self) -> Ending:
        """`LOST`, or `OVER` when the client says that it is done."""
        try:
            paused = self._clock.now()
            told = -_TOO_FAST_EVERY_S
            while True:
                await self._session.room_for_answers()
                frame = await self._transport.receive()
                if self._left.done():
                    return Ending.LEFT  # the session has another socket
                self._heartbeat.heard(self._clock.now())
                if isinstance(frame, Pong):
                    self._session.received(frame.number)
                    continue
                self._session.receive(frame)
                if self._left.done():
                    return Ending.LEFT  # what comes next is for another session
                now = self._clock.now()
                if (wait_s := self._message_rate.wait_s(now)) > 0:
                    if now - told >= _TOO_FAST_EVERY_S:
                        told = now
                        self._session.too_fast(self._message_rate.per_s, max(1, round(wait_s * 1000)))
                    await asyncio.sleep(wait_s)
                elif now - paused <= READ_S:
                    continue
                else:
                    await asyncio.sleep(0)  # a flood that has come already would be read without a pause
                paused = now
        except TransportClosedError as closed:
            return Ending.OVER if closed.code in (CloseCode.DONE, _NO_CODE) else Ending.LOST

    async def _write(self) -> Ending:
        """`OVER` when everything was sent before a close, or nothing was taken for too long; or `LOST`."""
        try:
            while True:
                async with asyncio.timeout(STALL_S) as stall:
                    idle = await self._send_burst(stall)
                if self._left.done():
                    return Ending.LEFT
                if idle and self._session.closing is not None:
                    return Ending.OVER
                if idle:
                    await self._wait()
                else:
                    await asyncio.sleep(0)
        except TransportClosedError:
            return Ending.LOST
        except TimeoutError:
            self._session.stalled(f"nothing was taken for {STALL_S:g} s")
            return Ending.OVER

    async def _send_burst(self, stall: asyncio.Timeout) -> bool:
        """Send what there is, up to `BURST` pieces; True when nothing is left."""
        begun = asyncio.get_running_loop().time()
        sent = 0
        while sent < BURST:
            sent += 1
            now = asyncio.get_running_loop().time()
            if now - begun > STALL_S / 100:  # slow, but it takes: only who takes nothing is dropped
                stall.reschedule(now + STALL_S)
            # Who has been left takes nothing that is meant for the next one.
            piece = None if self._left.done() else self._session.next_piece()
            if piece is None:
                return True
            if isinstance(piece, list):
                sent += len(piece)
                await self._transport.send_frames(piece)
            elif isinstance(piece, bytes):
                await self._transport.send_bytes(piece)
            elif isinstance(piece, str):
                await self._transport.send_text(piece)
            elif isinstance(piece, Barrier):
                await self._transport.send_text(piece.text)
                self._session.silent(piece.since)
            else:
                self._last_ready = piece.number
                await self._transport.ping(piece.number)
        return False

    async def _wait(self) -> None:
        """Until there is something to send, or a deadline comes: the session's, or the heartbeat's."""
        self._wake.clear()
        deadline = min(self._session.next_deadline(), self._heartbeat.due)
        wait_s = None if deadline == inf else max(0.0, deadline - self._clock.now())
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            self._session.on_deadline()
            pulse = self._heartbeat.check(self._clock.now(), self._session.unheard_s())
            if pulse is Pulse.PING:
                await self._ping()
            elif pulse is Pulse.CUT_OFF:
                self._transport.abort()
                raise TransportClosedError from None

    async def _ping(self) -> None:
        async with asyncio.timeout(STALL_S):
            await self._transport.ping(self._last_ready)


async def _end(*tasks: asyncio.Task[Ending]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
