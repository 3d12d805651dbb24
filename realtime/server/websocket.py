"""realtime.v1 over aiohttp's WebSockets: negotiation, and a transport for `live.driver`."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import WSMsgType, web

from realtime.errors import CloseCode, InvalidMessageError, LoadingError, QueueFullError
from realtime.live.driver import Driver
from realtime.live.registry import Registry, refuse
from realtime.live.transport import Pong, TransportClosedError
from realtime.server.connection import Connection, set_up_sending
from realtime.server.errors import error_response
from realtime.server.exchange import caller_of, exchange_of
from realtime.server.keys import KEY_PREFIX, all_subprotocols
from realtime.session import messages as wire
from realtime.types import Caller

#: What may wait in the process: little, or a cancel waits behind seconds of sound.
WRITE_BUFFER_BYTES = 4 * 1024
#: So much goes out with one system call.
WRITE_BYTES = 8 * 1024
#: Seconds for the closing handshake, and after a drain, when the listener has still to take the last sound.
_CLOSE_TIMEOUT_S = 2.0
_DRAIN_TIMEOUT_S = 30.0
#: What a close frame without a code means (RFC 6455, 7.1.5), and the codes that no frame may bear.
_NO_CODE = 1005
_CUT_OFF = 1006
_NEVER_SENT = (_NO_CODE, _CUT_OFF)
#: Of a WebSocket frame: that it is a whole message, and what it holds (RFC 6455, 5.2).
_FINAL = 0x80
_TEXT, _BINARY, _PING = 0x1, 0x2, 0x9
#: Pings that may be without an answer; of more, the first are forgotten.
_MOST_PINGS = 64
#: After each ping of the client, and each pong that nobody asked for, it is not read for so long.
_CONTROL_PAUSE_S = 0.001


class WebSocketTransport:
    """A `Transport` over one aiohttp WebSocket that leaves pings, close frames and waiting to us (`opened`).

    Reading waits for no writing: a `cancel` may stand behind a ping, and sound before the answer to that. And
    a wait that is cancelled cancels no other: aiohttp's writers all wait for one future.
    """

    def __init__(self, socket: web.WebSocketResponse, request: web.BaseRequest) -> None:
        """`socket` is what was `opened` for the request."""
        assert isinstance(request.protocol, Connection), "the server makes no other connections"
        self._socket = socket
        self._connection = request.transport
        self._room = request.protocol.room
        self._unwritten = bytearray()
        #: The close code that the client sent.
        self._code: int | None = None
        #: Numbers of pings that are not answered. A pong stands for all pings before its own as well.
        self._pinged: deque[int] = deque(maxlen=_MOST_PINGS)
        #: The last ping of the client that is still to be answered, and the task that does so.
        self._asked: bytes | None = None
        self._answering: asyncio.Task[None] | None = None

    async def receive(self) -> str | bytes | Pong:
        """The next text or binary frame, or the answer to one of our pings."""
        while True:
            message = await self._socket.receive()
            if message.type is WSMsgType.TEXT or message.type is WSMsgType.BINARY:
                data: str | bytes = message.data
                return data
            if message.type is WSMsgType.PONG:
                if (pong := self._pong(message.data)) is not None:
                    return pong
            elif message.type is WSMsgType.PING:
                self._answer(message.data)
            else:
                if message.type is WSMsgType.CLOSE:
                    self._code = message.data or _NO_CODE
                    self._write_out()
                    await self._socket.close(
                        code=CloseCode.DONE if self._code in _NEVER_SENT else self._code, drain=False
                    )
                raise TransportClosedError(self._code)
            # The driver sees neither pings nor idle pongs: a flood of them is slowed down here.
            await asyncio.sleep(_CONTROL_PAUSE_S)

    async def send_text(self, message: str) -> None:
        """Send a text frame."""
        await self._send(_TEXT, message.encode())

    async def send_bytes(self, frame: bytes) -> None:
        """Send a binary frame."""
        await self._send(_BINARY, frame)

    async def send_frames(self, frames: Sequence[bytes]) -> None:
        """Send some binary frames."""
        await self._send(_BINARY, *frames)

    async def ping(self, number: int) -> None:
        """Send a ping whose payload is the number."""
        self._pinged.append(number)
        await self._send(_PING, b"%d" % number)

    async def close(self, code: int, reason: str) -> bool:
        """Close with the handshake; a client that does not answer it is cut off. Whether it has answered.

        It has two seconds, but thirty when all is done: who takes sound as it plays has still to take it.
        """
        is_done = code in (CloseCode.DONE, CloseCode.GOING_AWAY)
        patience_s = _DRAIN_TIMEOUT_S if is_done else _CLOSE_TIMEOUT_S
        with contextlib.suppress(OSError, RuntimeError, TimeoutError):
            async with asyncio.timeout(patience_s):
                self._write_out()
                # Not drained: a listener that takes nothing would hold us here.
                await self._socket.close(code=code, message=reason.encode(), drain=False)
        return self._socket.close_code not in (None, _CUT_OFF)

    def abort(self) -> None:
        """Cut the connection off: nothing is sent any more, and `receive` raises."""
        if self._connection is not None:
            self._connection.abort()

    async def release(self) -> None:
        """The end: leaves no task, and no connection that would wait for ever for the other side to take."""
        if self._connection is not None and self._connection.get_write_buffer_size():
            self._connection.abort()
        if self._answering is not None:
            self._answering.cancel()
            await asyncio.wait({self._answering})

    async def _send(self, opcode: int, *payloads: bytes) -> None:
        for payload in payloads:
            self._put(opcode, payload)
        if not self._room.is_set():
            await self._room.wait()

    def _put(self, opcode: int, payload: bytes) -> None:
        """Frames of one turn of the loop go out together.

        Each write is a system call, and a frame of 20 ms is a small one: they were a tenth of all that the
        server cost beside the voice.
        """
        if self._socket.closed or self._connection is None or self._connection.is_closing():
            raise TransportClosedError(self._code)
        if not self._unwritten:
            asyncio.get_running_loop().call_soon(self._write_out)
        self._unwritten += _frame_head(opcode, len(payload))
        self._unwritten += payload
        if len(self._unwritten) >= WRITE_BYTES:
            self._write_out()

    def _write_out(self) -> None:
        if self._unwritten and self._connection is not None and not self._connection.is_closing():
            self._connection.write(self._unwritten)
        self._unwritten = bytearray()  # the transport may hold on to the other one

    def _pong(self, payload: bytes) -> Pong | None:
        """None: it is no answer to a ping of ours, or that was answered before."""
        for number in self._pinged:
            if payload == b"%d" % number:
                while self._pinged.popleft() != number:
                    pass
                return Pong(number)
        return None

    def _answer(self, payload: bytes) -> None:
        """Answer a ping; of several for which there is no room to be answered, the last (RFC 6455, 5.5.3)."""
        self._asked = payload
        if self._answering is None or self._answering.done():
            self._answering = asyncio.create_task(self._send_answers())

    async def _send_answers(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # gone: `receive` says so
            while self._asked is not None:
                await self._room.wait()
                payload, self._asked = self._asked, None
                self._write_out()
                await self._socket.pong(payload)


def _frame_head(opcode: int, size: int) -> bytes:
    """The head of a frame that is a whole message and not masked (RFC 6455, 5.2)."""
    if size < 126:
        return struct.pack("!BB", _FINAL | opcode, size)
    if size < 1 << 16:
        return struct.pack("!BBH", _FINAL | opcode, 126, size)
    return struct.pack("!BBQ", _FINAL | opcode, 127, size)


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


async def opened(handshake: web.Request, max_message_bytes: int) -> web.WebSocketResponse:
    """The WebSocket that is asked for, for a `WebSocketTransport`. Raises `InvalidMessageError`."""
    ws = web.WebSocketResponse(
        protocols=(wire.PROTOCOL,),
        autoping=False,
        autoclose=False,
        compress=False,
        # aiohttp refuses what is as large as its limit; the contract refuses what is larger.
        max_msg_size=max_message_bytes + 1,
        timeout=_DRAIN_TIMEOUT_S,
        writer_limit=sys.maxsize,
    )
    if not ws.can_prepare(handshake):
        raise InvalidMessageError("only a WebSocket is served here: GET with its handshake")
    await ws.prepare(handshake)
    set_up_sending(handshake.transport, WRITE_BUFFER_BYTES)
    return ws


def speech_handler(
    registry: Registry,
    make_driver: Callable[[Caller], Driver],
    max_message_bytes: int,
    check_loaded: Callable[[], None],
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler of `GET /v1/audio/speech/ws`; it answers 503 while `check_loaded` raises `LoadingError`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        offered = _offered_protocols(request)
        if offered and wire.PROTOCOL not in offered:
            return error_response(InvalidMessageError(f"the only subprotocol here is {wire.PROTOCOL}"))
        try:
            check_loaded()
        except LoadingError as error:
            return error_response(error)
        handshake = _without_offers(request, wire.PROTOCOL if offered else None)
        try:
            ws = await opened(handshake, max_message_bytes)
        except InvalidMessageError as error:
            return error_response(error)
        transport = WebSocketTransport(ws, request)
        try:
            registry.check_room()
        except QueueFullError as full:
            exchange_of(request).code = full.code
            await refuse(transport, full)
            return ws
        try:
            await registry.serve(make_driver(caller_of(request)), transport)
        finally:
            await transport.release()
        return ws

    return handle
