"""One connection of HTTP/2, stream by stream: httpx never resets one."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, Event, StreamEnded, StreamReset

from bench.caddy import CaddyProcess


class Streams:
    """A client of `proxy`, connected inside the `async with` block."""

    def __init__(self, proxy: CaddyProcess) -> None:
        self._port, self._tls = proxy.port, proxy.tls()
        self._tls.set_alpn_protocols(["h2"])
        self._protocol = H2Connection(H2Configuration(header_encoding="utf-8"))
        self._events: list[Event] = []

    async def __aenter__(self) -> Streams:
        self._reader, self._writer = await asyncio.open_connection("localhost", self._port, ssl=self._tls)
        self._protocol.initiate_connection()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def post(self, path: str, fields: dict[str, Any]) -> int:
        """Sends a request; returns its stream."""
        stream = self._protocol.get_next_available_stream_id()
        pseudo = {":method": "POST", ":path": path, ":scheme": "https", ":authority": "localhost"}
        self._protocol.send_headers(stream, [*pseudo.items(), ("content-type", "application/json")])
        self._protocol.send_data(stream, json.dumps(fields).encode(), end_stream=True)
        await self._send()
        return stream

    async def reset(self, stream: int) -> None:
        """Wants no more of it."""
        self._protocol.reset_stream(stream, ErrorCodes.CANCEL)
        await self._send()

    async def part(self, stream: int) -> bytes:
        """More of the body; nothing at its end."""
        async with asyncio.timeout(20):
            while True:
                for event in self._events:
                    if getattr(event, "stream_id", None) == stream:
                        if isinstance(event, DataReceived):
                            self._events.remove(event)
                            self._protocol.acknowledge_received_data(event.flow_controlled_length, stream)
                            await self._send()
                            if event.data:
                                return bytes(event.data)
                            break
                        if isinstance(event, StreamEnded):
                            return b""
                        assert not isinstance(event, StreamReset)
                else:
                    self._events += self._protocol.receive_data(await self._reader.read(65_536))
                    await self._send()

    async def _send(self) -> None:
        self._writer.write(self._protocol.data_to_send())
        await self._writer.drain()
