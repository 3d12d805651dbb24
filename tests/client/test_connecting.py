"""How sessions are had, refused, lost and given up."""

from __future__ import annotations

import asyncio
import http

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from realtime.app import Server
from realtime.client import (
    ClientError,
    ConnectionFailedError,
    SessionClosedError,
    SessionRefusedError,
    connect,
)
from realtime.session import messages as wire
from tests.client.scripted import READY, Script, scripted
from tests.conftest import Serve
from tests.wire_client import eventually


async def test_settings_and_address_forms(server: Server) -> None:
    for url in (server.url, server.url + "/", server.url.replace("http", "ws") + "/v1/audio/speech/ws"):
        async with connect(url, formats=["pcm_s16le"]) as session:
            assert session.ready.format == "pcm_s16le"


async def test_a_setting_that_the_protocol_does_not_know_is_a_mistake_of_the_caller(server: Server) -> None:
    with pytest.raises(TypeError, match="colour"):
        async with connect(server.url, colour="blue"):
            pass
    with pytest.raises(ValueError, match="max_buffered_ms"):
        async with connect(server.url, max_buffered_ms=0):
            pass


@pytest.mark.parametrize("url", ["ws://127.0.0.1:9", "http://", "nonsense"])
async def test_no_server(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(ConnectionFailedError, match="no server answers"):
        async with connect(url):
            pass


async def test_a_proxy_is_not_asked_for_this_machine(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with connect(server.url) as session:
        assert session.ready.protocol == "realtime.v1"


async def test_a_server_that_asks_for_a_key(serve_tone: Serve) -> None:
    key = "k" * 32
    async with serve_tone(api_keys=key) as server:
        async with connect(server.url, api_key=key) as session:
            assert session.ready.engine == "tone"
        for wrong, told in ((None, "a key is needed"), ("w" * 32, "this key is not known here")):
            with pytest.raises(ConnectionFailedError, match=f"HTTP 401 {told}") as caught:
                async with connect(server.url, api_key=wrong):
                    pass
            assert caught.value.code == "unauthorized" and "wwww" not in caught.value.message


async def test_what_is_refused_at_the_start(server: Server) -> None:
    for settings, code in (
        ({"voice": "nobody"}, "unknown_voice"),
        ({"formats": ["mp3"]}, "unsupported"),
        ({"speed": 9.0}, "invalid_message"),
    ):
        with pytest.raises(SessionRefusedError) as refused:
            async with connect(server.url, **settings):
                pass
        assert refused.value.code == code and refused.value.message and refused.value.retry_after_ms is None


async def test_a_server_without_room_says_when_to_come_again(serve_tone: Serve) -> None:
    async with serve_tone(max_sessions=1) as server, connect(server.url):
        with pytest.raises(SessionRefusedError) as refused:
            async with connect(server.url):
                pass
    assert refused.value.code == "queue_full"
    assert refused.value.retry_after_ms is not None and refused.value.retry_after_ms > 0


@pytest.mark.parametrize(
    ("status", "code", "retry_after_ms"),
    [(http.HTTPStatus.SERVICE_UNAVAILABLE, None, 3000), (http.HTTPStatus.UNAUTHORIZED, "unauthorized", None)],
)
async def test_an_answer_that_is_no_upgrade(
    status: http.HTTPStatus, code: str | None, retry_after_ms: int | None
) -> None:
    def turn_away(connection: ServerConnection, request: Request) -> Response:
        headers = {"Content-Length": "16"} | ({"Retry-After": "3"} if retry_after_ms else {})
        return Response(status, "no", Headers(headers), b"still too early\n")

    async def never(script: Script) -> None:
        raise AssertionError("it was turned away")

    async with scripted(never, process_request=turn_away) as url:
        with pytest.raises(ConnectionFailedError, match=rf"HTTP {status}.*still too early$") as failed:
            async with connect(url):
                pass
    assert (failed.value.code, failed.value.retry_after_ms) == (code, retry_after_ms)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("hello", "another protocol"),
        (wire.encode(wire.Pong()), "began with `pong`"),
        (None, "closed before the session began"),
    ],
)
async def test_a_server_that_speaks_another_protocol(answer: str | None, message: str) -> None:
    async def other(script: Script) -> None:
        await script.connection.recv()
        if answer is not None:
            await script.connection.send(answer)
            await script.connection.wait_closed()

    async with scripted(other) as url:
        with pytest.raises(ConnectionFailedError, match=message):
            async with connect(url):
                pass


async def test_what_a_newer_server_sends_is_left_out() -> None:
    async def newer(script: Script) -> None:
        await script.until(wire.SessionStart)
        await script.connection.send(wire.encode(READY)[:-1] + ',"mood":"good"}')
        context_id = await script.open(1)
        for message in ('{"type":"weather","of":"today"}', b"\x09rubbish"):
            await script.connection.send(message)
        await script.done(context_id, 1)
        await script.connection.wait_closed()

    async with scripted(newer) as url, connect(url) as session:
        context = session.open()
        await context.send("Hello.")
        assert [chunk async for chunk in context] == []
        assert context.done is not None and context.done.reason == "completed"


class _OwnMistakeError(Exception):
    pass


async def test_leaving_closes_with_the_handshake_however_one_leaves() -> None:
    codes: list[int | None] = []

    async def note(script: Script) -> None:
        await script.start()
        await script.connection.wait_closed()
        codes.append(script.connection.close_code)

    async with scripted(note) as url:
        async with connect(url):
            pass
        with pytest.raises(_OwnMistakeError):
            async with connect(url):
                raise _OwnMistakeError
        entered = asyncio.Event()

        async def stay() -> None:
            async with connect(url):
                entered.set()
                await asyncio.Event().wait()

        staying = asyncio.create_task(stay())
        await entered.wait()
        staying.cancel()
        await asyncio.gather(staying, return_exceptions=True)
        assert staying.cancelled()
        await eventually(lambda: codes == [1000, 1000, 1000])
    assert len(asyncio.all_tasks()) == 1, "a task was left behind"


async def test_a_server_that_goes_away(serve_tone: Serve) -> None:
    async with serve_tone() as server, connect(server.url) as session:
        context = session.open()
        await context.send("Waiting for more text")
        await server.registry.close_all(2)
        with pytest.raises(SessionClosedError, match="1001") as closed:
            async for _ in context:
                pass
        assert (closed.value.close_code, closed.value.reason) == (1001, "going away")
        for refused in (context.send("more"), context.cancel(), session.ping(), session.update(speed=2.0)):
            with pytest.raises(SessionClosedError, match="1001"):
                await refused


async def test_a_connection_that_is_lost() -> None:
    async def vanish(script: Script) -> None:
        await script.start()
        await script.open(1)
        script.connection.transport.abort()

    async with scripted(vanish) as url, connect(url) as session:
        context = session.open()
        await context.send("Hello.")
        with pytest.raises(SessionClosedError, match="lost") as closed:
            await context.cancel()
        assert closed.value.close_code == 1006


async def test_a_fatal_error_tells_why() -> None:
    async def fail(script: Script) -> None:
        await script.start()
        await script.until(wire.Ping)
        await script.send(wire.Error("internal", "it broke", fatal=True, retry_after_ms=500))
        await script.connection.close(1011, "broken")

    async with scripted(fail) as url, connect(url) as session:
        with pytest.raises(SessionClosedError, match="it broke") as closed:
            await session.ping()
        error = closed.value
        assert (error.code, error.retry_after_ms, error.close_code, error.reason) == (
            "internal",
            500,
            1011,
            "broken",
        )


async def test_after_the_block_nothing_is_sent(server: Server) -> None:
    async with connect(server.url) as session:
        context = session.open()
        await context.send("Hello")
    for refused in (context.send("more"), context.cancel(), session.open().send("more")):
        with pytest.raises(SessionClosedError, match="closed here"):
            await refused
    assert issubclass(SessionClosedError, ClientError)
