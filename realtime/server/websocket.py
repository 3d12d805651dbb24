"""realtime.v1 over aiohttp's WebSockets: negotiation, and a transport for `live.driver`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from aiohttp import WSMsgType, web

from realtime.errors import ERRORS, CloseCode, InvalidMessageError, LoadingError, QueueFullError
from realtime.live.driver import Driver, Transport, TransportClosedError
from realtime.live.registry import Registry
from realtime.server.connection import set_up_sending
from realtime.server.errors import error_response, request_id_of
from realtime.server.keys import KEY_PREFIX, all_subprotocols
from realtime.session import messages as wire

#: What may wait in the process: little, or a cancel waits behind seconds of sound.
WRITE_BUFFER_BYTES = 8 * 1024
#: Seconds for the closing handshake, and after a drain, when the listener has still to take the last sound.
_CLOSE_TIMEOUT_S = 2.0
_DRAIN_TIMEOUT_S = 30.0


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
        """Close with the handshake; a client that does not answer it is cut off.

        It has two seconds, but thirty when all is done: who takes sound as it plays has still to take it.
        """
        patience_s = _DRAIN_TIMEOUT_S if code == CloseCode.DONE else _CLOSE_TIMEOUT_S
        with contextlib.suppress(OSError, RuntimeError, TimeoutError):
            async with asyncio.timeout(patience_s):
                # Not drained: a listener that takes nothing would hold us here.
                await self._socket.close(code=code, message=reason.encode(), drain=False)

    def abort_if_unsent(self) -> None:
        """Cut the connection off if the other side has not taken what was sent: it would wait for ever."""
        if self._connection is not None and self._connection.get_write_buffer_size():
            self._connection.abort()


def _offered_protocols(request: web.Request) -> list[str]:
    """The subprotocols that the client offers; what carries a key does not count as one."""
    return [offer for offer in all_subprotocols(request) if not offer.startswith(KEY_PREFIX)]


def _without_offers(request: web.Request, agreed: str | None) -> web.Request:
    """The handshake as aiohttp is to see it: with the subprotocol agreed on alone.

    aiohttp logs the offers when it knows none of them, and with them the key.
    """
    headers = [
        (name, value)
        for name, value in request.headers.items()
        if name.lower() != "sec-websocket-protocol" and value.isascii()
    ]
    if agreed is not None:
        headers.append(("Sec-WebSocket-Protocol", agreed))
    return request.clone(headers=headers)


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
            return error_response(InvalidMessageError(f"the only subprotocol here is {wire.PROTOCOL}"))
        if not loaded():
            return error_response(LoadingError())
        handshake = _without_offers(request, wire.PROTOCOL if offered else None)
        ws = web.WebSocketResponse(
            protocols=(wire.PROTOCOL,),
            compress=False,
            # aiohttp refuses what is as large as its limit; the contract refuses what is larger.
            max_msg_size=max_message_bytes + 1,
            timeout=_DRAIN_TIMEOUT_S,
            writer_limit=1,
        )
        if not ws.can_prepare(handshake):
            return error_response(
                InvalidMessageError("only a WebSocket is served here: GET with its handshake")
            )
        await ws.prepare(handshake)
        set_up_sending(request.transport, WRITE_BUFFER_BYTES)
        transport = WebSocketTransport(ws, request.transport)
        try:
            registry.check_room()
        except QueueFullError as full:
            await _refuse(transport, full)
            return ws
        driver = make_driver(transport, request_id_of(request))
        try:
            with registry.running(driver):
                await driver.run()
        finally:
            transport.abort_if_unsent()
        return ws

    return handle


async def _refuse(transport: Transport, full: QueueFullError) -> None:
    error = wire.Error(full.code, full.message, fatal=True, retry_after_ms=full.retry_after_ms)
    with contextlib.suppress(TransportClosedError):
        await transport.send_text(wire.encode(error))
    await transport.close(ERRORS[full.code].close_code, "no room")
