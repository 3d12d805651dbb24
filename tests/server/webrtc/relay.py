"""A UDP relay between a peer and a server, that loses and delays what passes."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast


class Relay(asyncio.DatagramProtocol):
    """Stands for one port of the server; each peer's address gets a socket of its own towards that."""

    def __init__(self, server: tuple[str, int], loss: float, delay_ms: float, jitter_ms: float) -> None:
        """A share `loss` of the datagrams is lost; others take `delay_ms`, more or less by `jitter_ms`."""
        self._server = server
        self._loss = loss
        self._delay_s, self._jitter_s = delay_ms / 1000, jitter_ms / 1000
        self._chance = random.Random(7)
        self._inside: dict[Any, asyncio.DatagramTransport] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.passed = self.lost = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.outside = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """From a peer to the server."""
        task = asyncio.create_task(self._to_server(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _to_server(self, data: bytes, addr: Any) -> None:
        if addr not in self._inside:
            loop = asyncio.get_running_loop()
            back = _Back(self, addr)
            self._inside[addr], _ = await loop.create_datagram_endpoint(
                lambda: back, remote_addr=self._server
            )
        inside = self._inside[addr]
        self.passes(lambda: inside.sendto(data))

    def passes(self, send: Any) -> None:
        """One datagram, in either direction."""
        self.passed += 1
        if self._chance.random() < self._loss:
            self.lost += 1
            return
        delay_s = self._delay_s + self._chance.uniform(-self._jitter_s, self._jitter_s)
        asyncio.get_running_loop().call_later(delay_s, send)

    def close(self) -> None:
        for inside in self._inside.values():
            inside.close()
        self.outside.close()


class _Back(asyncio.DatagramProtocol):
    """From the server to one peer."""

    def __init__(self, relay: Relay, addr: Any) -> None:
        self._relay = relay
        self._addr = addr

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._relay.passes(lambda: self._relay.outside.sendto(data, self._addr))


@asynccontextmanager
async def relayed(
    answer: str, *, loss: float = 0.0, delay_ms: float = 0.0, jitter_ms: float = 0.0
) -> AsyncIterator[tuple[str, Relay]]:
    """The answer as a peer is to see it, with the relay's address alone, and the relay."""
    found = re.search(r"a=candidate:\S+ 1 udp \d+ (127\.0\.0\.1) (\d+) typ host", answer)
    assert found, answer
    loop = asyncio.get_running_loop()
    relay = Relay((found[1], int(found[2])), loss, delay_ms, jitter_ms)
    transport, _ = await loop.create_datagram_endpoint(lambda: relay, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    try:
        yield re.sub(rf"(127\.0\.0\.1) {found[2]} typ", rf"\1 {port} typ", answer), relay
    finally:
        relay.close()
