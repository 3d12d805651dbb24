"""An async client of realtime.v1 for voice-assistant backends, on the websockets library.

    async with connect("ws://127.0.0.1:8000") as session:
        context = session.open()
        async for token in llm:
            await context.send(token)
        await context.end()
        async for pcm in context.pcm():  # or `async for chunk in context` for the frames as they are
            play(pcm)

When the network is lost, the session is taken up again by itself: not a frame and not a word is lost or
comes twice, it only takes time, and `session.resumed` counts it. When that cannot be done within the server's
resume window, or is not wanted (`resume=False`), `SessionClosedError` is raised.

When the person interrupts, `await context.cancel(played_ms=...)` stops it and returns the text that was
heard. What can go wrong is in `errors`, and all of it is a `ClientError`.
"""

from realtime.client.chunks import Chunk
from realtime.client.connection import connect
from realtime.client.context import Context, PcmStream
from realtime.client.errors import (
    ClientError,
    ConnectionFailedError,
    ContextClosedError,
    ContextError,
    ContextFailedError,
    ContextRefusedError,
    SessionClosedError,
    SessionError,
    SessionRefusedError,
    UndecodableFormatError,
)
from realtime.client.session import Session

__all__ = [
    "Chunk",
    "ClientError",
    "ConnectionFailedError",
    "Context",
    "ContextClosedError",
    "ContextError",
    "ContextFailedError",
    "ContextRefusedError",
    "PcmStream",
    "Session",
    "SessionClosedError",
    "SessionError",
    "SessionRefusedError",
    "UndecodableFormatError",
    "connect",
]
