"""realtime.v1 over aiohttp's WebSockets: negotiation, and a transport for `live.driver`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

from aiohttp import WSMsgType, web

from realtime.errors import ERRORS, CloseCode, QueueFullError
from realtime.live.driver import Driver, Transport, TransportClosedError
from realtime.live.registry import Registry
from realtime.session import messages as wire

#: An offer that starts so carries a key and does not count as an offer of a protocol.
_KEY_PREFIX = "api-key."
#: What may wait in the process and in the kernel: little, or a cancel waits behind seconds of sound.
WRITE_BUFFER_BYTES = 8 * 1024
NOT_SENT_BYTES = 16 * 1024
HEARTBEAT_S = 20.0
_CLOSE_TIMEOUT_S = 2.0


class WebSocketTransport:
    """A `Transport` over one aiohttp WebSocket."""

    def __init__(self, socket: web.WebSocketResponse, connection: asyncio.Transport | None) -> None:
        """`socket` is prepared; `connection` carries it."""
        self._socket = socket
        self._connection = connection

    async def receive(self) -> str | bytes:
        """The next text or binary frame."""
        message = await self._socket.receive()
        if message.type is WSMsgType.TEXT or message.type is WSMsgType.BINARY:
            data: str | bytes = message.data
            return data
        raise TransportClosedError

    async def send_text(self, message: str) -> None:
        """Send a text frame."""
        try:
            await self._socket.send_str(message)
        except (OSError, RuntimeError) as error:
            raise TransportClosedError from error

    async def send_bytes(self, frame: bytes) -> None:
        """Send a binary frame."""
        try:
            await self._socket.send_bytes(frame)
        except (OSError, RuntimeError) as error:
            raise TransportClosedError from error

    async def close(self, code: int, reason: str) -> None:
        """Close with the handshake; a client that does not answer it within two seconds is cut off."""
        with contextlib.suppress(OSError, RuntimeError):
            # Not drained: a listener that takes nothing would hold us here.
            await self._socket.close(code=code, message=reason.encode(), drain=False)
        if code == CloseCode.LISTENER_STALLED and self._connection is not None:
            self._connection.abort()  # else what it did not take would wait for it for ever


def _offered_protocols(request: web.Request) -> list[str]:
    """The subprotocols that the client offers, keys left out."""
    header = ",".join(request.headers.getall("Sec-WebSocket-Protocol", []))
    offers = [offer.strip() for offer in header.split(",") if offer.strip()]
    return [offer for offer in offers if not offer.startswith(_KEY_PREFIX)]


def _shorten_buffers(request: web.Request) -> None:
    transport = request.transport
    if transport is None:
        return
    transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
    raw = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if raw is not None and option is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
        raw.setsockopt(socket.IPPROTO_TCP, option, NOT_SENT_BYTES)


def speech_handler(
    registry: Registry,
    make_driver: Callable[[Transport, str | None], Driver],
    max_message_bytes: int,
    loaded: Callable[[], bool],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler of `GET /v1/audio/speech/ws`; until the engine is `loaded` it answers 503."""

    async def handle(request: web.Request) -> web.StreamResponse:
        offered = _offered_protocols(request)
        if offered and wire.PROTOCOL not in offered:
            raise web.HTTPBadRequest(text=f"the only subprotocol here is {wire.PROTOCOL}\n")
        if not loaded():
            raise web.HTTPServiceUnavailable(
                text="the voice is still being loaded\n", headers={"Retry-After": "1"}
            )
        ws = web.WebSocketResponse(
            # Named only when it will be agreed on: else aiohttp logs the offers, and with them the key.
            protocols=(wire.PROTOCOL,) if offered else (),
            compress=False,
            # aiohttp refuses what is as large as its limit; the contract refuses what is larger.
            max_msg_size=max_message_bytes + 1,
            heartbeat=HEARTBEAT_S,
            timeout=_CLOSE_TIMEOUT_S,
            writer_limit=1,
        )
        await ws.prepare(request)
        _shorten_buffers(request)
        transport = WebSocketTransport(ws, request.transport)
        try:
            registry.check_room()
        except QueueFullError as full:
            await _refuse(transport, full)
            return ws
        driver = make_driver(transport, request.headers.get("X-Request-Id"))
        with registry.running(driver):
            await driver.run()
        return ws

    return handle


async def _refuse(transport: Transport, full: QueueFullError) -> None:
    error = wire.Error(full.code, full.message, fatal=True, retry_after_ms=full.retry_after_ms)
    with contextlib.suppress(TransportClosedError):
        await transport.send_text(wire.encode(error))
    await transport.close(ERRORS[full.code].close_code, "no room")
