"""A TCP proxy that cuts connections off, or lets nothing more through, after so many bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_READ_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Fault:
    """What befalls a connection when so many bytes have gone `up` to the server, or `down` to the client.

    It is cut off; or, if it `stalls`, nothing more goes through in this direction, and nobody is told.
    """

    up: int | None = None
    down: int | None = None
    stalls: bool = False


@dataclass(slots=True, eq=False)
class _Way:
    """One direction of a connection; `passed` are its bytes so far, in the pieces in which they came."""

    limit: int | None
    passed: list[bytes] = field(default_factory=list)
    count: int = 0


@dataclass(slots=True, eq=False)
class Passed:
    """What went through a connection."""

    up: _Way
    down: _Way

    def bytes_up(self) -> int:
        return self.up.count

    def bytes_down(self) -> int:
        return self.down.count


class CuttingProxy:
    """Between clients and one server; each connection has the next of `faults`, or none."""

    def __init__(self, server_url: str) -> None:
        address = urlsplit(server_url)
        self._host, self._port = address.hostname, address.port
        self.faults: deque[Fault] = deque()
        self.connections: list[Passed] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self.url = ""

    def cut_all(self) -> None:
        """Cut off every connection that there is, now."""
        for writer in self._writers:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        fault = self.faults.popleft() if self.faults else Fault()
        passed = Passed(_Way(fault.up), _Way(fault.down))
        self.connections.append(passed)
        with self._until_done(writer):
            try:
                from_server, to_server = await asyncio.open_connection(self._host, self._port)
            except OSError:  # the server is gone
                return
            with self._until_done(to_server):
                ways = [
                    asyncio.create_task(_pass(reader, to_server, passed.up, fault.stalls)),
                    asyncio.create_task(_pass(from_server, writer, passed.down, fault.stalls)),
                ]
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)

    @contextmanager
    def _until_done(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        """Cuts it off at the end, also if that end is cut short."""
        self._writers.add(writer)
        try:
            yield
        finally:
            writer.transport.abort()
            self._writers.discard(writer)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: _Way, stalls: bool) -> None:
    """Returns when the connection is to be cut off, or has ended."""
    writer.transport.set_write_buffer_limits(0)
    with suppress(OSError):
        while way.limit is None or way.count < way.limit:
            data = await reader.read(_READ_BYTES if way.limit is None else way.limit - way.count)
            if not data:
                return
            writer.write(data)
            await writer.drain()
            way.count += len(data)
            way.passed.append(data)
        if stalls:
            await asyncio.Event().wait()


@asynccontextmanager
async def cutting(server_url: str, *faults: Fault) -> AsyncIterator[CuttingProxy]:
    """A proxy before the server at `server_url`, which has these faults in turn."""
    proxy = CuttingProxy(server_url)
    proxy.faults.extend(faults)
    serving: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(proxy.serve(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        listening.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
