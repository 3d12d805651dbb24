"""Clients that are slow or dead: each comes to its end, holds little until then, and disturbs nobody."""

from __future__ import annotations

import asyncio

import psutil
import pytest
from websockets.exceptions import ConnectionClosed

from bench.server import ServerProcess
from realtime.app import Server
from realtime.errors import CloseCode
from realtime.live import socket as live_socket
from tests.conftest import Serve
from tests.server.http_server import PCM, connection, request
from tests.wire_client import PATH, eventually, open_client

HANDSHAKE = (
    f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
).encode()
TEXT = "The quick brown fox jumps over the lazy dog. " * 30


def nothing_is_held(server: Server) -> bool:
    return not (server.registry.count or server.scheduler.admitted or server.scheduler.stats.open)


class TestHandshake:
    async def test_200_that_send_a_byte_now_and_then_are_all_ended_and_disturb_nobody(
        self, serve_tone: Serve
    ) -> None:
        async with serve_tone(request_timeout_s=6.0, max_sessions=2, max_lead_ms=0) as server:
            async with open_client(server.url) as alone:
                await alone.speak(TEXT)

            async def drip() -> bytes:
                async with connection(server.url) as (reader, writer):
                    answer = asyncio.create_task(reader.read())
                    for byte in HANDSHAKE:
                        writer.write(bytes([byte]))
                        await asyncio.wait({answer}, timeout=0.3)
                        if answer.done():
                            return answer.result()
                    raise AssertionError("it was let through")

            dripping = [asyncio.create_task(drip()) for _ in range(200)]
            async with open_client(server.url) as client:
                done = await client.speak(TEXT)
                assert done["reason"] == "completed" and not any(each.done() for each in dripping)
                assert [frame.packet for frame in client.frames()] == [f.packet for f in alone.frames()]
                async with asyncio.timeout(60):
                    answers = await asyncio.gather(*dripping)
                assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers)
                assert (await client.speak("Still here.", "after"))["reason"] == "completed"

    async def test_a_socket_that_never_sends_a_message_is_closed_as_idle(self, serve_tone: Serve) -> None:
        async with serve_tone(idle_timeout_s=1.0) as server, open_client(server.url) as client:
            assert (await client.until("session.closing"))["reason"] == "idle"
            with pytest.raises(ConnectionClosed) as closed:
                await client.receive()
            assert closed.value.rcvd is not None and closed.value.rcvd.code == CloseCode.DONE
            await eventually(lambda: nothing_is_held(server))

    @pytest.mark.parametrize("begun", [b"", b"\x81", b"\x81\xfe\x10\x00", b"\x01\x81\x00\x00\x00\x00{"])
    async def test_one_that_is_dead_from_the_first_message_on_is_found(
        self, serve_tone: Serve, begun: bytes
    ) -> None:
        """It answers no pings, and of its message there is only the beginning."""
        async with serve_tone(heartbeat_s=0.3) as server, connection(server.url) as (reader, writer):
            writer.write(HANDSHAKE + begun)
            await eventually(lambda: server.registry.count == 1)
            async with asyncio.timeout(20):
                try:
                    while await reader.read(4096):
                        pass
                except ConnectionError:
                    pass
            await eventually(lambda: nothing_is_held(server))


class TestListener:
    async def test_one_that_takes_nothing_is_dropped_and_everything_freed(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Its session is over: it is not kept to be resumed."""
        monkeypatch.setattr(live_socket, "STALL_S", 1.0)
        async with connection(server.url, kernel_bytes=4096) as (_, writer), open_client(server.url) as other:
            writer.write(HANDSHAKE)
            writer.write(_frame(b'{"type": "session.start", "formats": ["pcm_s16le"], "max_lead_ms": 0}'))
            for name in (b"a", b"b"):
                text = b'{"type": "text", "context_id": "%s", "text": "%s"}' % (name, b"word " * 3000)
                writer.write(_frame(text))
            await eventually(lambda: server.scheduler.admitted == 2)
            assert (await other.speak("I am not disturbed."))["reason"] == "completed"
            await eventually(lambda: server.registry.count == 1 and not server.scheduler.admitted)
            await eventually(lambda: not server.scheduler.stats.open)

    async def test_what_is_held_for_those_that_take_nothing_is_bounded(self) -> None:
        """An hour of sound was asked for by each."""
        number = 5
        process = await asyncio.to_thread(ServerProcess(ENGINE="tone", ENGINE_THREADS="1").__enter__)
        try:
            url = f"http://127.0.0.1:{process.port}"
            async with open_client(url) as client:
                await client.send("session.start", formats=["pcm_s16le"], sample_rate=48_000)
                await client.speak(TEXT[:90])
            before_mb = process.resident_mb()
            texts = [_frame(b'{"type": "text", "text": "%s"}' % (b"word " * 3000)) for _ in range(4)]
            start = _frame(b'{"type": "session.start", "formats": ["pcm_s16le"], "sample_rate": 48000}')
            body = request(PCM, {"input": "word " * 12_000})
            stalled = []
            for index in range(2 * number):
                opened = connection(url, kernel_bytes=4096)
                _, writer = await opened.__aenter__()
                stalled.append(opened)
                writer.write(body if index % 2 else HANDSHAKE + start + b"".join(texts))
            await _until_at_rest(psutil.Process(process.process.pid))
            # Ten seconds of sound at 48 kHz, before and after it was encoded, and a text cut to pieces.
            assert (process.resident_mb() - before_mb) / (2 * number) < 15
            for opened in stalled:
                await opened.__aexit__(None, None, None)
        finally:
            await asyncio.to_thread(process.__exit__)


def _frame(message: bytes) -> bytes:
    """A text frame of a client, with a mask of zeros."""
    size = len(message)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + message


async def _until_at_rest(server: psutil.Process) -> None:
    """Until the server and its engine do nothing for a second."""
    async with asyncio.timeout(60):
        while True:
            processes = [server, *server.children(recursive=True)]
            before_s = sum(sum(each.cpu_times()[:2]) for each in processes)
            await asyncio.sleep(1)
            if sum(sum(each.cpu_times()[:2]) for each in processes) - before_s < 0.1:
                return
