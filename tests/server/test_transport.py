"""The WebSocket transport on its own: what it receives, how it ends, that it reads while it cannot write."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop
from aiohttp import web
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from realtime.live.transport import Pong, TransportClosedError
from realtime.server.websocket import WebSocketTransport, opened
from tests.server.small_server import small_server

Serve = Callable[[WebSocketTransport], Awaitable[Any]]
MOST_BYTES = 1000


class Side:
    """The server's side of each connection: what `serve` returned, and what it raised, when it is over."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.over: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        ws = await opened(request, MOST_BYTES)
        transport = WebSocketTransport(ws, request)
        try:
            self.over.set_result(await self._serve(transport))
        except TransportClosedError as error:
            self.over.set_exception(error)
        finally:
            await transport.release()
        return ws

    async def ended(self) -> Any:
        async with asyncio.timeout(10):
            return await self.over

    async def code(self) -> int | None:
        """The code with which the client has closed."""
        with pytest.raises(TransportClosedError) as closed:
            await self.ended()
        return closed.value.code


@asynccontextmanager
async def talking(serve: Serve, **options: Any) -> AsyncIterator[tuple[Side, ClientConnection]]:
    """A server whose connections are served so, and a client that sends nothing by itself."""
    side = Side(serve)
    async with small_server({"GET /v1/socket": side.handle}) as server:
        url = server.url.replace("http", "ws") + "/v1/socket"
        usual = {"compression": None, "ping_interval": None, "close_timeout": 5}
        async with connect(url, **usual | options) as client:
            yield side, client


async def echo(transport: WebSocketTransport) -> None:
    """Tells what is received, until the client has closed."""
    while True:
        await transport.send_text(repr(await transport.receive()))


async def raw(client: ClientConnection, opcode: Opcode, payload: bytes) -> None:
    """Sends a frame that the client's library would not."""
    client.protocol.send_frame(Frame(opcode, payload))
    client.send_data()


class TestReceiving:
    async def test_text_and_binary_frames(self) -> None:
        async with talking(echo) as (_, client):
            await client.send("text")
            await client.send(b"bytes")
            assert [await client.recv(), await client.recv()] == ["'text'", "b'bytes'"]

    async def test_pings_are_answered_and_not_received(self) -> None:
        async with talking(echo) as (_, client):
            answered = [await client.ping(b"one"), await client.ping(b""), await client.ping(b"x" * 125)]
            await client.send("after")
            assert await client.recv() == "'after'"
            async with asyncio.timeout(10):
                await asyncio.gather(*answered)

    async def test_the_answer_to_a_ping_of_ours(self) -> None:
        async def serve(transport: WebSocketTransport) -> list[object]:
            await transport.send_text("before")
            await transport.ping(7)
            await transport.ping(2**63)
            return [await transport.receive(), await transport.receive()]

        async with talking(serve) as (side, client):
            assert await client.recv() == "before"
            assert await side.ended() == [Pong(7), Pong(2**63)]

    async def test_other_pongs_and_repeated_ones_are_none(self) -> None:
        """A client must not be able to acknowledge what was never sent."""
        received: list[object] = []

        async def serve(transport: WebSocketTransport) -> None:
            await transport.receive()
            for number in (1, 2, 3, 10):
                await transport.ping(number)
            while True:
                received.append(await transport.receive())

        async with talking(serve) as (side, client):
            for payload in (b"", b"4", b"10", b"01", b"\xff", b"1 ", b"1", b"99"):  # none was sent yet
                await raw(client, Opcode.PONG, payload)
            await client.send("go")
            await client.send("all sent")
            await client.close()
            assert await side.code() == 1000
        # The library answered the four pings as they came: those before the close are there, in order.
        numbers = [each.number for each in received if isinstance(each, Pong)]
        assert numbers == sorted(set(numbers)) and set(numbers) <= {1, 2, 3, 10}

    async def test_a_pong_stands_for_all_pings_before_it(self) -> None:
        async def serve(transport: WebSocketTransport) -> list[object]:
            for number in (1, 2, 3):
                await transport.ping(number)
            return [await transport.receive() for _ in range(2)]

        side = Side(serve)
        async with small_server({"GET /v1/socket": side.handle}) as server:
            _, writer = await _raw_socket(server.port)
            for payload in (b"2", b"1", b"2", b"3"):
                writer.write(bytes([0x8A, 0x80 | len(payload)]) + bytes(4) + payload)
            assert await side.ended() == [Pong(2), Pong(3)]
            writer.close()

    async def test_a_flood_of_pings_holds_nobody_up(self) -> None:
        answered = 0

        async def others() -> None:
            nonlocal answered
            while True:
                await asyncio.sleep(0)
                answered += 1

        side = Side(echo)
        async with small_server({"GET /v1/socket": side.handle}) as server:
            reader, writer = await _raw_socket(server.port)
            other = asyncio.create_task(others())
            writer.write(bytes.fromhex("898000000000") * 500 + bytes.fromhex("818100000000") + b"x")
            said = await asyncio.wait_for(reader.readuntil(b"'x'"), 20)
            other.cancel()
            assert 0 < said.count(b"\x8a\x00") <= 500 and answered > 500
            writer.close()


async def _raw_socket(port: int | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET /v1/socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


class TestEnd:
    @pytest.mark.parametrize("code", [1000, 1001, 3000, 4000, 4999])
    async def test_the_code_that_the_client_sent(self, code: int) -> None:
        async with talking(echo) as (side, client):
            await client.send("one")
            await client.recv()
            await client.close(code, "bye")
            assert await side.code() == code
            assert client.close_code == code and client.protocol.close_rcvd is not None

    async def test_a_close_without_a_code_is_1005(self) -> None:
        async with talking(echo) as (side, client):
            await raw(client, Opcode.CLOSE, b"")
            assert await side.code() == 1005

    @pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
    def test_a_lost_connection_has_none(self, run: Callable[[Awaitable[None]], None]) -> None:
        async def scenario() -> None:
            async with talking(echo) as (side, client):
                await client.send("one")
                await client.recv()
                client.transport.abort()
                assert await side.code() is None
            async with talking(echo) as (side, client):
                client.transport.write_eof()
                assert await side.code() is None

        run(scenario())

    @pytest.mark.parametrize(
        ("opcode", "payload", "code"),
        [
            (Opcode.TEXT, b"x" * (MOST_BYTES + 1), 1009),
            (Opcode.TEXT, b"\xff", 1007),
            (Opcode.CONT, b"", 1002),
            (Opcode.CLOSE, b"\x00", 1002),
            (Opcode.CLOSE, b"\x00\x01", 1002),
        ],
    )
    async def test_what_is_no_websocket_is_closed_for_it_and_counts_as_lost(
        self, opcode: Opcode, payload: bytes, code: int
    ) -> None:
        async with talking(echo) as (side, client):
            await raw(client, opcode, payload)
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None and closed.value.rcvd.code == code
            assert await side.code() is None

    async def test_a_message_of_just_the_limit_is_taken(self) -> None:
        async with talking(echo) as (_, client):
            await client.send("x" * MOST_BYTES)
            assert len(await client.recv()) == MOST_BYTES + 2

    async def test_we_close_with_a_code(self) -> None:
        async with talking(lambda transport: transport.close(4001, "taken over")) as (side, client):
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "taken over")
            await side.ended()

    async def test_a_close_ends_a_reading_that_is_under_way(self) -> None:
        async def serve(transport: WebSocketTransport) -> None:
            reading = asyncio.create_task(transport.receive())
            await asyncio.sleep(0)
            await transport.close(4001, "taken over")
            await reading

        async with talking(serve) as (side, client):
            with pytest.raises(ConnectionClosed):
                await client.recv()
            assert await side.code() is None

    @pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
    def test_abort_cuts_it_off_at_once(self, run: Callable[[Awaitable[None]], None]) -> None:
        async def serve(transport: WebSocketTransport) -> None:
            reading = asyncio.create_task(transport.receive())
            await transport.send_text("one")
            transport.abort()
            with pytest.raises(TransportClosedError):
                await transport.send_text("two")
            with pytest.raises(TransportClosedError):
                await transport.ping(1)
            await transport.close(1000, "no matter")
            await reading

        async def scenario() -> None:
            async with talking(serve) as (side, client):
                assert await side.code() is None
                with pytest.raises(ConnectionClosed) as closed:
                    while await client.recv():
                        pass
                assert closed.value.rcvd is None

        run(scenario())

    async def test_after_the_end_sending_raises_with_the_same_code(self) -> None:
        codes: list[int | None] = []

        async def serve(transport: WebSocketTransport) -> None:
            try:
                await transport.receive()
            except TransportClosedError:
                for send in (transport.send_text("x"), transport.send_bytes(b"x"), transport.ping(1)):
                    try:
                        await send
                    except TransportClosedError as error:
                        codes.append(error.code)
                await transport.close(1000, "no matter")

        async with talking(serve) as (side, client):
            await client.close(4000)
            await side.ended()
        assert codes == [4000, 4000, 4000]


class TestListenerThatTakesNothing:
    """Its pipe is full: the writer waits, and the reader must not."""

    @staticmethod
    def narrow(client: ClientConnection) -> None:
        client.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.transport.pause_reading()

    @staticmethod
    async def fill(transport: WebSocketTransport) -> None:
        """Sends until no more is taken."""
        while True:
            async with asyncio.timeout(0.3):
                await transport.send_bytes(b"x" * 4096)

    async def test_what_stands_behind_pings_is_read_and_the_last_ping_is_answered(self) -> None:
        read = asyncio.Event()

        async def serve(transport: WebSocketTransport) -> None:
            await transport.receive()
            with pytest.raises(TimeoutError):
                await self.fill(transport)
            assert await transport.receive() == "behind the pings"
            read.set()
            await transport.send_text(json.dumps("heard"))
            await transport.receive()

        async with talking(serve, max_queue=None) as (side, client):
            self.narrow(client)
            await client.send("go")
            last = [await client.ping(b"%d" % number) for number in range(20)][-1]
            await client.send("behind the pings")
            async with asyncio.timeout(10):
                await read.wait()
                client.transport.resume_reading()
                await last
                while await client.recv() != '"heard"':
                    pass
            await client.close()
            assert await side.code() == 1000

    async def test_a_wait_that_is_cancelled_cancels_no_other(self) -> None:
        async def serve(transport: WebSocketTransport) -> list[bool]:
            await transport.receive()
            with pytest.raises(TimeoutError):
                await self.fill(transport)
            waiting = [asyncio.create_task(transport.send_text(f"{number}")) for number in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await asyncio.wait(waiting[:1])
            told.set()
            await asyncio.wait(waiting)
            return [each.cancelled() for each in waiting]

        told = asyncio.Event()
        async with talking(serve, max_queue=None) as (side, client):
            self.narrow(client)
            await client.send("go")
            async with asyncio.timeout(10):
                await told.wait()
            client.transport.resume_reading()
            assert await side.ended() == [True, False, False]

    async def test_its_close_is_heard(self) -> None:
        async def serve(transport: WebSocketTransport) -> None:
            await transport.receive()
            with pytest.raises(TimeoutError):
                await self.fill(transport)
            await transport.receive()

        async with talking(serve, close_timeout=1) as (side, client):
            self.narrow(client)
            await client.send("go")
            await raw(client, Opcode.CLOSE, b"\x0f\xa0")
            assert await side.code() == 4000

    async def test_release_leaves_neither_a_task_nor_a_connection(self) -> None:
        async def serve(transport: WebSocketTransport) -> None:
            await transport.receive()
            with pytest.raises(TimeoutError):
                await self.fill(transport)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await transport.receive()

        before = len(asyncio.all_tasks())
        async with talking(serve, close_timeout=1) as (side, client):
            self.narrow(client)
            await client.send("go")
            await client.ping()
            await side.ended()
            client.transport.resume_reading()
            with pytest.raises(ConnectionClosed):
                while True:
                    await client.recv()
        assert len(asyncio.all_tasks()) == before
