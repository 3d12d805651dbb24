"""The end of a server: what is running is finished first, and a second signal waits for nothing."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed

from bench.server import ServerProcess
from realtime.errors import CloseCode
from realtime.types import FrameFlags
from tests.server.http_server import PCM, connection, request, response
from tests.wire_client import WireClient, open_client

ROOT = Path(__file__).parents[1]
#: More sound than a listener is given ahead: it is spoken for some seconds.
LONG = "The quick brown fox jumps over the lazy dog. " * 6


class Ending:
    """A server that is to end: what it logs, and what it ends with."""

    def __init__(self, server: ServerProcess, log: Path) -> None:
        self.process = server.process
        self.url = f"http://127.0.0.1:{server.port}"
        self._log = log

    def logged(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._log.read_text().splitlines()]
        return [line for line in lines if line["event"] == event]

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        return await asyncio.to_thread(self.process.wait, 20)

    async def until_not_ready(self) -> None:
        async with asyncio.timeout(20), httpx.AsyncClient() as http:
            while (await http.get(self.url + "/ready")).status_code == 200:
                pass


@asynccontextmanager
async def server(log: Path, **settings: str) -> AsyncIterator[Ending]:
    """A process that whistles, which the block ends, or it fails."""
    usual = {"ENGINE": "tone", "LOG_LEVEL": "info", "LOG_FORMAT": "json", "DRAIN_S": "60"}
    running = await asyncio.to_thread(ServerProcess(log.with_suffix(".log"), **usual | settings).__enter__)
    try:
        yield Ending(running, log.with_suffix(".log"))
        assert running.process.poll() is not None, "it should have ended"
    finally:
        running.process.kill()
        running.process.wait()


async def closed_with(client: WireClient) -> int | None:
    """The code with which the server closes; what comes before is received."""
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            await client.receive()
    return closed.value.rcvd.code if closed.value.rcvd else None


async def test_a_context_that_speaks_is_heard_to_its_end(tmp_path: Path) -> None:
    async with server(tmp_path) as ending, open_client(ending.url) as client:
        await client.send("text", text=LONG[:100])
        await client.until_frame()
        await client.send("text", context_id="behind", text="I was opened before.")
        await client.send("end", context_id="behind")
        await client.pong()
        ending.signal()
        closing = await client.until("session.closing")
        assert closing["reason"] == "shutdown" and 0 < closing["drain_ms"] <= 60_000
        async with httpx.AsyncClient() as http:
            assert (await http.get(ending.url + "/ready")).status_code == 503
            assert (await http.get(ending.url + "/health")).json()["sessions"] == 1
        await client.send("text", text=LONG[100:])
        await client.send("end")
        assert await closed_with(client) == CloseCode.GOING_AWAY
        assert await ending.ended() == 0
        endings = client.messages("context.done")
        assert [each["reason"] for each in endings] == ["completed", "completed"]
        for done in endings:
            packets = [frame.packet for frame in client.frames(done["handle"])]
            assert sum(packet.duration for packet in packets) == done["audio_ms"] * 48
            assert packets[-1].seq == done["last_seq"] and packets[-1].flags & FrameFlags.LAST
        assert endings[0]["audio_ms"] > 10_000
        (draining,), (drained,) = ending.logged("draining"), ending.logged("drained")
        assert (draining["sessions"], draining["requests"], draining["drain_s"]) == (1, 0, 60)
        assert (drained["sessions"], drained["requests"]) == (0, 0)


async def test_meanwhile_nothing_new_is_begun(tmp_path: Path) -> None:
    async with server(tmp_path) as ending, open_client(ending.url) as client, httpx.AsyncClient() as http:
        await client.send("context.open")
        await client.until("context.opened")
        ending.signal(signal.SIGINT)
        await client.until("session.closing")
        assert (await http.get(ending.url + "/ready")).status_code == 503
        refused = await http.post(ending.url + PCM, json={"input": "Hello."})
        assert refused.status_code == 503 and refused.headers["Retry-After"] == "1"
        assert refused.json()["error"]["code"] == "queue_full"
        assert (await http.get(ending.url + "/v1/voices")).status_code == 503
        async with open_client(ending.url) as another:
            error = await another.until("error")
            assert error["code"] == "queue_full" and error["fatal"] and error["retry_after_ms"] > 0
            assert await closed_with(another) == CloseCode.TRY_LATER
        await client.send("context.open", context_id="more")
        assert (await client.until("error"))["context_id"] == "more"
        await client.send("end")
        assert await closed_with(client) == CloseCode.GOING_AWAY
        assert await ending.ended() == 0


async def test_a_request_that_is_read_slowly_gets_all_of_its_sound(tmp_path: Path) -> None:
    async with server(tmp_path) as ending:
        async with connection(ending.url, kernel_bytes=4096) as (reader, writer):
            writer.write(request(PCM, {"input": LONG * 3}))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            ending.signal()
            await ending.until_not_ready()
            assert ending.process.poll() is None
            body = b""
            while size := int(await reader.readuntil(b"\r\n"), 16):
                body += (await reader.readexactly(size + 2))[:-2]
                await asyncio.sleep(0.001)
            assert b"\r\nX-" in b"\r\n" + await reader.readuntil(b"\r\n\r\n")
        assert await ending.ended() == 0
        async with server(tmp_path / "again") as other:
            async with connection(other.url) as (reader, writer):
                writer.write(request(PCM, {"input": LONG * 3}))
                assert (await response(reader)).body == body
            other.signal()
            assert await other.ended() == 0
        (draining,), (drained,) = ending.logged("draining"), ending.logged("drained")
        assert (draining["requests"], drained["requests"]) == (1, 0)


async def test_what_takes_longer_than_it_may_is_closed(tmp_path: Path) -> None:
    async with server(tmp_path, DRAIN_S="0.5") as ending, open_client(ending.url) as client:
        await client.send("context.open")
        await client.until("context.opened")
        async with connection(ending.url, kernel_bytes=4096) as (reader, writer):
            writer.write(request(PCM, {"input": LONG * 20}))
            await reader.readuntil(b"\r\n\r\n")
            ending.signal()
            assert (await client.until("session.closing"))["drain_ms"] == 500
            assert await closed_with(client) == CloseCode.GOING_AWAY
            assert await ending.ended() == 0
            writer.transport.abort()
        (drained,) = ending.logged("drained")
        assert (drained["sessions"], drained["requests"]) == (1, 1)


async def test_with_nothing_running_it_is_over_at_once(tmp_path: Path) -> None:
    """A session that only listens is no reason to wait, nor is a connection without a request."""
    async with server(tmp_path) as ending, open_client(ending.url) as client, connection(ending.url):
        await client.send("session.start")
        await client.until("session.ready")
        async with open_client(ending.url) as silent:
            ending.signal()
            assert await closed_with(client) == CloseCode.GOING_AWAY
            assert await closed_with(silent) == CloseCode.GOING_AWAY
        assert await ending.ended() == 0
        (drained,) = ending.logged("drained")
        assert drained["took_s"] < 60 and drained["sessions"] == 0


async def test_without_time_to_drain_all_is_closed(tmp_path: Path) -> None:
    async with server(tmp_path, DRAIN_S="0") as ending, open_client(ending.url) as client:
        await client.send("context.open")
        await client.until("context.opened")
        ending.signal()
        assert await closed_with(client) == CloseCode.GOING_AWAY
        assert await ending.ended() == 0


@pytest.mark.parametrize("numbers", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGTERM)])
async def test_a_second_signal_ends_it_at_once(numbers: tuple[int, int], tmp_path: Path) -> None:
    async with server(tmp_path) as ending, open_client(ending.url) as client:
        await client.send("context.open")
        await client.until("context.opened")
        ending.signal(numbers[0])
        await client.until("session.closing")
        ending.signal(numbers[1])
        assert await ending.ended() == 0
        assert await closed_with(client) is None
        assert [line["signal"] for line in ending.logged("ended_at_once")] == ["SIGTERM"]


async def test_also_while_the_engine_hangs_and_it_leaves_none(tmp_path: Path) -> None:
    async with server(tmp_path, ENGINE_TIMEOUT_S="600") as ending, open_client(ending.url) as client:
        engines = psutil.Process(ending.process.pid).children(recursive=True)
        assert engines
        for engine in engines:
            engine.suspend()
        await client.send("text", text=LONG)
        await client.pong()
        ending.signal()
        await client.until("session.closing")
        ending.signal()
        assert await ending.ended() == 0
        _, alive = await asyncio.to_thread(psutil.wait_procs, engines, 10)
        assert not alive
