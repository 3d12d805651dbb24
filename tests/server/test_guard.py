"""Who may speak: keys on every way in, and limits that never leak."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable

import aiohttp
import httpx
import pytest
import structlog
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from realtime.errors import LoadingError
from realtime.live.registry import Registry
from realtime.live.transport import Transport
from realtime.server.errors import RateLimitedError
from realtime.server.guard import Allowance
from realtime.server.keys import KeyLimits, KeyRing, load_keys
from realtime.server.websocket import speech_handler
from realtime.types import Caller
from tests.server.small_server import Small, StillClock, error_of, hello, parts, send_raw, small_server
from tests.wire_client import eventually

ONE = "sk-one-0123456789"
TWO = "sk-two-0123456789"
RING = load_keys(f"{ONE},{TWO}", None, KeyLimits())


def ring(**limits: int) -> KeyRing:
    return load_keys(f"{ONE},{TWO}", None, KeyLimits(**limits))


def client(server: Small, key: str | None = None) -> httpx.AsyncClient:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=server.url, headers=headers)


class TestWhoMaySpeak:
    async def test_without_keys_everybody(self) -> None:
        async with small_server() as server, client(server) as http:
            assert (await http.post("/v1/echo", content=b"hi")).content == b"hi"

    async def test_a_key_opens_and_logs_bear_its_name(self) -> None:
        async def tell(request: web.Request) -> web.StreamResponse:
            return web.Response(text=structlog.contextvars.get_contextvars()["key"])

        async with small_server({"GET /v1/x": tell}, ring=RING) as server:
            for key, name in ((ONE, RING.keys[0].name), (TWO, RING.keys[1].name)):
                async with client(server, key) as http:
                    assert (await http.get("/v1/x")).text == name

    @pytest.mark.parametrize("key", [None, "wrong", ONE[:-1], ONE + "x", ONE.upper(), f"{ONE},{TWO}"])
    async def test_without_the_right_one_nothing_opens(self, key: str | None) -> None:
        with structlog.testing.capture_logs() as logged:
            async with small_server(ring=RING) as server, client(server, key) as http:
                for method, path in (("POST", "/v1/echo"), ("GET", "/v1/echo"), ("GET", "/v1/nothing")):
                    answer = await http.request(method, path)
                    assert answer.status_code == 401
                    assert answer.headers["WWW-Authenticate"] == "Bearer"
                    error = error_of(answer.content)
                    assert (error["code"], error["type"]) == ("unauthorized", "authentication_error")
                    assert "Bearer" in error["message"] if key is None else "not known" in error["message"]
                    assert not key or key not in answer.text
        assert {entry["event"] for entry in logged} == {"request_refused"}
        assert not key or key not in repr(logged)

    async def test_a_key_in_the_address_is_none(self) -> None:
        async with small_server(ring=RING) as server, client(server) as http:
            answer = await http.post("/v1/echo", params={"api_key": ONE, "key": ONE, "access_token": ONE})
            assert answer.status_code == 401

    async def test_one_that_is_among_too_many_opens_nothing(self) -> None:
        async with small_server(ring=RING) as server, httpx.AsyncClient(base_url=server.url) as http:
            for others, status in ((3, 200), (4, 401)):
                offers = [("Authorization", f"Bearer {key}") for key in ["wrong"] * others + [ONE]]
                answer = await http.post("/v1/echo", headers=offers)
                assert answer.status_code == status
            assert "may offer 4 keys, not 5" in error_of(answer.content)["message"]

    async def test_what_is_open_stays_open(self) -> None:
        async with small_server(ring=RING) as server, client(server, "wrong") as http:
            assert (await http.get("/health")).status_code == 200
            assert (await http.post("/health")).status_code == 401

    @pytest.mark.parametrize(
        "path",
        [b"/%761/x", b"/v1%2fx", b"//v1/x", b"/health/../v1/x", b"/health%2f..%2fv1/x", b"/v1/x/", b"/V1/x"],
    )
    async def test_no_spelling_of_a_path_opens_what_is_closed(self, path: bytes) -> None:
        opened: list[str] = []

        async def handle(request: web.Request) -> web.StreamResponse:
            opened.append(request.path)
            return await hello(request)

        async with small_server({"GET /v1/x": handle}, ring=RING) as server:
            head = b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            assert parts(await send_raw(server, head))[0] == 401
        assert opened == []

    @pytest.mark.parametrize("header", [b"Bearer \xff\xfe\x80", b"Bearer ", b"Bearer", b"", b"\xff"])
    async def test_headers_of_any_bytes_are_wrong_and_no_failure(self, header: bytes) -> None:
        head = b"GET /v1/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: " + header + b"\r\n\r\n"
        async with small_server(ring=RING) as server:
            assert parts(await send_raw(server, head))[0] == 401


class TestWebSocket:
    async def test_by_header_and_by_subprotocol(self) -> None:
        async with small_server(ring=RING) as server:
            uri = server.url.replace("http", "ws") + "/v1/ws"
            headers = {"Authorization": f"Bearer {ONE}"}
            async with connect(uri, additional_headers=headers) as socket:
                await socket.send("a")
                assert await socket.recv() == "a"
            async with aiohttp.ClientSession() as http:
                async with http.ws_connect(server.url + "/v1/ws", protocols=[f"api-key.{ONE}"]) as plain:
                    await plain.send_str("b")
                    assert await plain.receive_str() == "b"
                    assert plain.protocol is None

    @pytest.mark.parametrize("offers", [None, ["api-key.wrong"], [ONE], ["realtime.v1"]])
    async def test_refused_in_the_one_shape(self, offers: list[str] | None) -> None:
        async with small_server(ring=RING) as server:
            with pytest.raises(InvalidStatus) as refused:
                async with connect(server.url.replace("http", "ws") + "/v1/ws", subprotocols=offers):  # type: ignore[arg-type]
                    pass
        response = refused.value.response
        assert response.status_code == 401 and response.headers["WWW-Authenticate"] == "Bearer"
        assert response.headers["X-Request-Id"]
        assert error_of(response.body or b"")["code"] == "unauthorized"

    async def test_a_subprotocol_opens_no_plain_request(self) -> None:
        async with small_server(ring=RING) as server, client(server) as http:
            answer = await http.post("/v1/echo", headers={"Sec-WebSocket-Protocol": f"api-key.{ONE}"})
            assert answer.status_code == 401


class TestSpeechOverWebSocket:
    """The server's own handler, with a driver that tells the id of the request and is done."""

    @staticmethod
    def handler(loaded: bool = True):
        class Telling:
            session_id = "telling"

            def __init__(self, caller: Caller) -> None:
                self.caller = caller

            async def run(self) -> None:
                pass

            async def serve(self, transport: Transport, on_begin: Callable[[], None], outlet: object) -> None:
                await transport.send_text(self.caller.request_id)
                await transport.close(1000, "done")

        def check_loaded() -> None:
            if not loaded:
                raise LoadingError

        return speech_handler(Registry(1), Telling, 1024, check_loaded)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("offers", "agreed"),
        [
            ([f"api-key.{ONE}"], None),
            ([f"api-key.{ONE}", "realtime.v1"], "realtime.v1"),
            (["realtime.v1", f"api-key.{ONE}"], "realtime.v1"),
            (["realtime.v9", "realtime.v1", f"api-key.{ONE}"], "realtime.v1"),
        ],
    )
    async def test_a_key_among_the_offers_is_neither_echoed_nor_logged(
        self, offers: list[str], agreed: str | None, caplog: pytest.LogCaptureFixture
    ) -> None:
        headers = {"X-Request-Id": "mine"}
        async with small_server({"GET /v1/speech": self.handler()}, ring=RING) as server:
            async with aiohttp.ClientSession() as http:
                async with http.ws_connect(
                    server.url + "/v1/speech", protocols=offers, headers=headers
                ) as ws:
                    assert ws.protocol == agreed
                    assert await ws.receive_str() == "mine"
        assert ONE not in caplog.text

    async def test_offers_in_several_lines_and_headers_that_are_no_text(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        head = (
            f"GET /v1/speech HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
            f"Sec-WebSocket-Protocol: api-key.{ONE}\r\nSec-WebSocket-Protocol: realtime.v1\r\nX: "
        ).encode()
        async with small_server({"GET /v1/speech": self.handler()}, ring=RING) as server:
            a_close = bytes.fromhex("888000000000")
            said = await send_raw(server, head + b"\xff\xfe\r\n\r\n", a_close, pause_s=0.1)
        status, headers, _ = parts(said)
        assert status == 101 and headers["sec-websocket-protocol"] == "realtime.v1"
        assert ONE not in caplog.text

    @pytest.mark.parametrize(
        ("loaded", "offers", "status", "code"),
        [(True, ["realtime.v9"], 400, "invalid_message"), (False, None, 503, "queue_full")],
    )
    async def test_a_refused_handshake_is_told_in_the_one_shape(
        self, loaded: bool, offers: list[str] | None, status: int, code: str
    ) -> None:
        async with small_server({"GET /v1/speech": self.handler(loaded)}) as server:
            with pytest.raises(InvalidStatus) as refused:
                async with connect(server.url.replace("http", "ws") + "/v1/speech", subprotocols=offers):  # type: ignore[arg-type]
                    pass
        response = refused.value.response
        assert response.status_code == status and error_of(response.body or b"")["code"] == code
        assert response.headers.get("Retry-After") == ("1" if status == 503 else None)

    async def test_what_is_no_handshake_is_told_so(self) -> None:
        async with small_server({"GET /v1/speech": self.handler()}) as server, client(server) as http:
            answer = await http.get("/v1/speech")
            assert answer.status_code == 400 and "WebSocket" in error_of(answer.content)["message"]


class TestConcurrency:
    async def test_what_is_too_much_is_refused_and_counts_for_its_key_alone(self) -> None:
        go = asyncio.Event()
        inside = 0

        async def wait(request: web.Request) -> web.StreamResponse:
            nonlocal inside
            inside += 1
            await go.wait()
            return await hello(request)

        async with small_server({"GET /v1/x": wait}, ring=ring(concurrency=2)) as server:
            async with client(server, ONE) as one, client(server, TWO) as two:
                first = [asyncio.create_task(one.get("/v1/x")) for _ in range(2)]
                await eventually(lambda: inside == 2)
                refused = await one.get("/v1/x")
                assert refused.status_code == 429 and refused.headers["Retry-After"] == "1"
                error = error_of(refused.content)
                assert (error["code"], error["type"]) == ("rate_limited", "rate_limit_error")
                assert "2" in error["message"]
                other = asyncio.create_task(two.get("/v1/x"))
                await eventually(lambda: inside == 3)
                go.set()
                answers = await asyncio.gather(*first, other)
                assert [answer.status_code for answer in answers] == [200] * 3
                assert (await one.get("/v1/x")).status_code == 200

    async def test_a_session_counts_until_it_ends(self) -> None:
        async with small_server(ring=ring(concurrency=1)) as server, client(server, ONE) as http:
            uri = server.url.replace("http", "ws") + "/v1/ws"
            headers = {"Authorization": f"Bearer {ONE}"}
            async with connect(uri, additional_headers=headers):
                assert (await http.post("/v1/echo")).status_code == 429
                with pytest.raises(InvalidStatus) as refused:
                    async with connect(uri, additional_headers=headers):
                        pass
                assert refused.value.response.status_code == 429
            # The server hears of the end when it has answered the closing handshake.
            async with asyncio.timeout(5):
                while (await http.post("/v1/echo")).status_code == 429:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

    async def test_failures_and_hang_ups_give_back_what_they_took(self) -> None:
        inside = 0

        async def fail(request: web.Request) -> web.StreamResponse:
            nonlocal inside
            inside += 1
            try:
                await request.read()
                raise KeyError("no")
            finally:
                inside -= 1

        with structlog.testing.capture_logs():
            async with small_server({"POST /v1/x": fail}, ring=ring(concurrency=1)) as server:
                async with client(server, ONE) as http:
                    for _ in range(3):
                        assert (await http.post("/v1/x")).status_code == 500
                    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                    head = f"POST /v1/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ONE}\r\n"
                    writer.write(f"{head}Content-Length: 9\r\n\r\nhalf".encode())
                    await eventually(lambda: inside == 1)
                    assert (await http.post("/v1/x")).status_code == 429
                    writer.close()
                    await eventually(lambda: inside == 0)
                    assert (await http.post("/v1/x")).status_code == 500


class TestRate:
    async def test_retry_after_is_true(self) -> None:
        clock = StillClock()
        async with small_server(ring=ring(requests_per_minute=6), clock=clock) as server:
            async with client(server, ONE) as one, client(server, TWO) as two:
                for _ in range(6):
                    assert (await one.post("/v1/echo")).status_code == 200
                refused = await one.post("/v1/echo")
                assert refused.status_code == 429 and refused.headers["Retry-After"] == "11"
                assert "6" in error_of(refused.content)["message"]
                assert (await two.post("/v1/echo")).status_code == 200
                clock.time += 9.99
                assert (await one.post("/v1/echo")).status_code == 429
                clock.time += 0.01
                assert (await one.post("/v1/echo")).status_code == 200
                assert (await one.post("/v1/echo")).status_code == 429

    async def test_open_routes_cost_nothing(self) -> None:
        clock = StillClock()
        async with small_server(ring=ring(requests_per_minute=1), clock=clock) as server:
            async with client(server, ONE) as http:
                for _ in range(3):
                    assert (await http.get("/health")).status_code == 200
                assert (await http.post("/v1/echo")).status_code == 200

    @given(
        st.integers(1, 600),
        st.lists(st.floats(0, 30, allow_subnormal=False), min_size=1, max_size=200),
    )
    def test_never_more_than_a_minute_allows_and_the_wait_told_suffices(
        self, per_minute: int, waits: list[float]
    ) -> None:
        clock = StillClock()
        allowance = Allowance(KeyLimits(0, per_minute), clock)
        taken: list[float] = []
        for wait in waits:
            clock.time += wait
            try:
                with allowance.taken():
                    taken.append(clock.time)
            except RateLimitedError as refused:
                assert 0 < refused.retry_after_ms <= math.ceil(60_000 / per_minute) + 1
                clock.time += refused.retry_after_ms / 1000
                with allowance.taken():
                    taken.append(clock.time)
        for index, begin in enumerate(taken):
            for count, end in enumerate(taken[index:], 1):
                # A bucket that was full, and what came in since.
                assert count <= per_minute + (end - begin) * per_minute / 60 + 0.01


class TestCounts:
    @given(
        st.integers(1, 3),
        st.lists(
            st.tuples(st.sampled_from(["return", "fail", "cancel", "fail in cancel"]), st.integers(0, 3)),
            max_size=30,
        ),
    )
    def test_they_never_leak(self, limit: int, endings: list[tuple[str, int]]) -> None:
        """Whatever ends a request, and in whatever order they end."""
        most = 0

        async def all_of_them() -> int:
            allowance = Allowance(KeyLimits(concurrency=limit), StillClock())
            ends = [asyncio.Event() for _ in endings]

            async def request(index: int, ending: str) -> None:
                nonlocal most
                with allowance.taken():
                    most = max(most, allowance.running)
                    try:
                        await ends[index].wait()
                    except asyncio.CancelledError:
                        if ending == "fail in cancel":
                            raise KeyError from None
                        raise
                    if ending == "fail":
                        raise KeyError

            tasks: list[asyncio.Task[None]] = []
            waiting: list[tuple[int, int, str]] = []
            for index, (ending, later) in enumerate(endings):
                tasks.append(asyncio.create_task(request(index, ending)))
                waiting.append((index + later, index, ending))
                await asyncio.sleep(0)
                for due in [each for each in waiting if each[0] <= index]:
                    waiting.remove(due)
                    ends[due[1]].set() if due[2] in ("return", "fail") else tasks[due[1]].cancel()
                await asyncio.sleep(0)
            for _, index, _ in waiting:
                ends[index].set()
            with contextlib.suppress(Exception):
                await asyncio.gather(*tasks, return_exceptions=True)
            refused = [task for task in tasks if not task.cancelled() and task.exception() is not None]
            assert all(isinstance(task.exception(), KeyError | RateLimitedError) for task in refused)
            return allowance.running

        assert asyncio.run(all_of_them()) == 0
        assert most <= limit
