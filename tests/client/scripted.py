"""A server that says what a test wants, for what a real one cannot be made to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from realtime.session import messages as wire
from realtime.session.frames import FrameKind, encode_frame
from realtime.types import FrameFlags, Packet

READY = wire.SessionReady(
    session_id="s",
    resume_token="t",
    protocol="realtime.v1",
    engine="e",
    features=[],
    format="opus",
    sample_rate=48_000,
    frame_ms=20,
    pre_skip=312,
    voice="v",
    language="en",
    limits=wire.LimitsReport(1 << 20, 1 << 14, 1 << 16, 16, 300, 30),
)
FRAME_SAMPLES = 960


class Script:
    """One connection, from the server's side; `received` holds the client's messages in order."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.received: list[wire.ClientMessage] = []

    async def until(self, kind: type[wire.ClientMessage]) -> Any:
        """Receive up to a message of this kind; other pings on the way are answered."""
        while True:
            message = wire.decode_client(str(await self.connection.recv()))
            self.received.append(message)
            if isinstance(message, kind):
                return message
            if isinstance(message, wire.Ping):
                await self.send(wire.Pong(message.t))

    async def send(self, *messages: wire.ServerMessage) -> None:
        for message in messages:
            await self.connection.send(wire.encode(message))

    async def start(self) -> None:
        """Answer `session.start`."""
        await self.until(wire.SessionStart)
        await self.send(READY)

    async def open(self, handle: int) -> str:
        """Answer `context.open`; returns its id."""
        opening = await self.until(wire.ContextOpen)
        await self.send(wire.ContextOpened(opening.context_id, handle, "v", "en"))
        return str(opening.context_id)

    async def frame(self, handle: int, seq: int, size: int = 40) -> None:
        """A frame of 20 ms with `size` bytes that mean nothing."""
        packet = Packet(bytes(size), seq, seq * FRAME_SAMPLES, FRAME_SAMPLES, FrameFlags(not seq))
        await self.connection.send(encode_frame(FrameKind.OPUS, handle, packet))

    async def done(self, context_id: str, handle: int) -> None:
        """End a context that sent nothing worth counting."""
        timing = wire.ContextTiming(0, 0, 0, 0, 0)
        await self.send(wire.ContextDone(context_id, handle, "completed", 0, None, timing))


def cancelled(context_id: str, handle: int, spoken: str = "") -> wire.ContextCancelled:
    """The answer to a cancel."""
    return wire.ContextCancelled(context_id, handle, "cancelled", 0, spoken, "", len(spoken), None)


@asynccontextmanager
async def scripted(script: Callable[[Script], Awaitable[None]], **options: Any) -> AsyncIterator[str]:
    """A server that does `script` on every connection; yields its address.

    A script is over when it returns, or when the client has closed the connection; what goes wrong in it is
    raised at the end. `options` are those of `websockets.serve`.
    """
    failures: list[Exception] = []

    async def run(connection: ServerConnection) -> None:
        try:
            await script(Script(connection))
        except ConnectionClosed:
            pass
        except Exception as failure:
            failures.append(failure)

    async with serve(run, "127.0.0.1", 0, **options) as listening:
        yield f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    for failure in failures:
        raise failure
