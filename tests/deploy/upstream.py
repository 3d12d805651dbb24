"""A server that plays its part step by step, to see what a proxy passes on, and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

_EVENTS = "text/event-stream"
_SOUND = "audio/pcm"


@dataclass(slots=True, eq=False)
class Exchange:
    """A request as it came. Its answer goes on by a part when `go_on` is set; `left`: the client is gone."""

    path: str
    headers: Sequence[tuple[str, str]]
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    def values(self, name: str) -> list[str]:
        """What stands in the headers of this name."""
        return [value for each, value in self.headers if each.lower() == name]


class Upstream:
    """Answers in chunks: `/events` with events, others with sound; `/late` not before it is told to."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self.exchanges: asyncio.Queue[Exchange] = asyncio.Queue()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, with one request."""
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii").splitlines()
                fields = [line.partition(": ")[::2] for line in head[1:] if line]
                exchange = Exchange(head[0].split()[1], fields)
                await reader.readexactly(int((exchange.values("content-length") or ["0"])[0]))
                self.exchanges.put_nowait(exchange)
                await self._answer(exchange, reader, writer)
        finally:
            writer.close()

    async def _answer(
        self, exchange: Exchange, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        watching = asyncio.create_task(_watch(reader, exchange))
        try:
            if exchange.path == "/late":
                await exchange.go_on.wait()
            kind = _EVENTS if exchange.path == "/events" else _SOUND
            head = (
                "HTTP/1.1 200 OK",
                "Connection: close",
                "Transfer-Encoding: chunked",
                f"Content-Type: {kind}",
            )
            writer.write("\r\n".join((*head, "", "")).encode())
            for part in (b"data: 1\n\n", b"data: 2\n\n"):
                writer.write(b"%x\r\n%b\r\n" % (len(part), part))
                await writer.drain()
                await exchange.go_on.wait()
                exchange.go_on.clear()
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        finally:
            watching.cancel()
            await asyncio.wait({watching})


async def _watch(reader: asyncio.StreamReader, exchange: Exchange) -> None:
    """Nothing more comes of a client that waits for an answer, but its end."""
    with suppress(OSError):
        assert await reader.read(1) == b""
    exchange.left.set()


@asynccontextmanager
async def upstream(port: int) -> AsyncIterator[Upstream]:
    """One that listens on this port for as long as the block runs."""
    server = Upstream()
    serving: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(server.serve(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    listening = await asyncio.start_server(connected, "127.0.0.1", port)
    try:
        yield server
    finally:
        listening.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
