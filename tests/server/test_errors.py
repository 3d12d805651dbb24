"""Errors over HTTP: one shape, right statuses, no inner details, and an id on everything."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import httpx
import openai
import pytest
import structlog
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect

from realtime.errors import (
    ERRORS,
    INTERNAL_MESSAGE,
    ErrorCode,
    LoadingError,
    QueueFullError,
    RealtimeError,
    TryLaterError,
)
from realtime.server.errors import RateLimitedError, error_body, error_response, error_type
from realtime.server.exchange import leave_log_to_observer, request_id_of
from realtime.server.keys import KeyLimits, load_keys
from tests.server.small_server import Small, error_of, parts, send_raw, small_server
from tests.wire_client import eventually

SECRET = "sk-inner-detail"


def raising(error: BaseException):
    async def handle(request: web.Request) -> web.StreamResponse:
        raise error

    return handle


async def get(server: Small, path: str, **options: object) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url) as http:
        return await http.get(path, **options)  # type: ignore[arg-type]


class TestShape:
    @pytest.mark.parametrize("code", list(ErrorCode))
    async def test_every_code_has_its_status_from_the_table(self, code: ErrorCode) -> None:
        async with small_server({"GET /v1/x": raising(RealtimeError("Say less.", code, "input"))}) as server:
            answer = await get(server, "/v1/x")
        assert answer.status_code == ERRORS[code].http_status
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        error = error_of(answer.content)
        inner = code is ErrorCode.INTERNAL
        assert (error["code"], error["param"]) == (code.value, None if inner else "input")
        assert error["message"] == (INTERNAL_MESSAGE if inner else "Say less.")
        assert error["type"] == error_type(answer.status_code)
        assert ("Retry-After" in answer.headers) == (answer.status_code in (429, 503))

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, "invalid_request_error"),
            (401, "authentication_error"),
            (403, "permission_error"),
            (404, "invalid_request_error"),
            (413, "invalid_request_error"),
            (429, "rate_limit_error"),
            (500, "server_error"),
            (503, "server_error"),
        ],
    )
    def test_types_are_those_of_openai(self, status: int, kind: str) -> None:
        assert error_type(status) == kind

    @pytest.mark.parametrize(
        ("error", "seconds"),
        [
            (QueueFullError("full", 1), "1"),
            (QueueFullError("full", 0), "1"),
            (QueueFullError("full", 1000), "1"),
            (LoadingError(), "1"),
            (TryLaterError("not now", 2001), "3"),
            (RateLimitedError("much", 1001), "2"),
            (RateLimitedError("much", 59_400), "60"),
            (RealtimeError("many", ErrorCode.TOO_MANY_CONTEXTS), "1"),
        ],
    )
    def test_retry_after_is_in_whole_seconds_rounded_up(self, error: RealtimeError, seconds: str) -> None:
        assert error_response(error).headers["Retry-After"] == seconds

    @given(st.text(st.characters(exclude_categories=())), st.none() | st.text(st.characters()))
    def test_any_message_is_json(self, message: str, param: str | None) -> None:
        body = json.loads(error_body(RealtimeError(message, ErrorCode.NOT_AUDIO, param)))
        assert body["error"]["code"] == "not_audio"
        assert (body["error"]["param"] is None) == (param is None)

    async def test_the_openai_sdk_understands_them(self) -> None:
        routes = {
            "POST /v1/audio/speech": raising(
                RealtimeError("No such voice.", ErrorCode.UNKNOWN_VOICE, "voice")
            )
        }
        async with small_server(routes) as server:
            client = openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)
            with pytest.raises(openai.BadRequestError) as refused:
                await client.audio.speech.create(model="tts-1", voice="nobody", input="Hello.")
            await client.close()
        error = refused.value
        assert (error.code, error.param, error.type) == ("unknown_voice", "voice", "invalid_request_error")
        assert "No such voice." in error.message
        assert error.request_id is not None


class TestWhatAiohttpRefuses:
    async def test_nothing_there(self) -> None:
        async with small_server() as server:
            answer = await get(server, "/v1/nothing?key=secret")
        assert answer.status_code == 404
        assert error_of(answer.content)["code"] == "not_found"
        assert "/v1/nothing" in answer.text and "secret" not in answer.text

    async def test_paths_that_are_no_text(self) -> None:
        async with small_server() as server:
            status, _, body = parts(await send_raw(server, b"GET /%ff%fe%00%e2%28 HTTP/1.0\r\n\r\n"))
            assert status == 404 and error_of(body)["code"] == "not_found"

    async def test_wrong_method_names_the_right_ones(self) -> None:
        async with small_server() as server:
            answer = await get(server, "/v1/echo")
        assert answer.status_code == 405 and answer.headers["Allow"] == "POST"
        assert error_of(answer.content)["code"] == "method_not_allowed"
        assert "POST" in error_of(answer.content)["message"]

    async def test_a_body_beyond_the_limit(self) -> None:
        async with small_server() as server, httpx.AsyncClient(base_url=server.url) as http:
            assert (await http.post("/v1/echo", content=b"x" * 2**20)).status_code == 200
            answer = await http.post("/v1/echo", content=b"x" * (2**20 + 1))
        assert answer.status_code == 413
        error = error_of(answer.content)
        assert error["code"] == "body_too_large" and "1048576" in error["message"]

    @pytest.mark.parametrize(
        "body",
        [
            b"Transfer-Encoding: chunked\r\n\r\nrubbish\r\n",
            b"Content-Encoding: gzip\r\nContent-Length: 20\r\n\r\n" + b"no gzip at all......",
        ],
    )
    async def test_a_body_that_is_not_what_it_says(
        self, body: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with small_server() as server:
            answer = await send_raw(server, b"POST /v1/echo HTTP/1.1\r\nHost: x\r\n" + body)
        status, _, content = parts(answer)
        assert status == 400 and error_of(content)["code"] == "invalid_message"
        assert not [record for record in caplog.records if record.exc_info]

    async def test_an_expectation_it_does_not_know(self) -> None:
        async with small_server() as server:
            head = b"POST /v1/echo HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\nContent-Length: 0\r\n"
            status, headers, body = parts(await send_raw(server, head + b"Connection: close\r\n\r\n"))
        assert status == 417 and error_of(body)["code"] == "invalid_message"
        assert "x-request-id" in headers

    @pytest.mark.parametrize(
        ("rubbish", "told"),
        [
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "not a valid HTTP"),
            (b"GET / HTTP/9.9\r\n\r\n", "not a valid HTTP"),
            (b"GET / HTTP/1.1\r\nNo colon here sk-inner-detail\r\n\r\n", "not a valid HTTP"),
            (
                b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: many sk-inner-detail\r\n\r\n",
                "not a valid HTTP",
            ),
            (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", "8190"),
            (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 17_000 + b"\r\n\r\n", "16384"),
        ],
    )
    async def test_what_is_no_http(self, rubbish: bytes, told: str, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        with structlog.testing.capture_logs() as logged:
            async with small_server() as server:
                answer = await send_raw(server, rubbish)
        status, headers, body = parts(answer)
        assert status == 400 and headers["content-type"].startswith("application/json")
        error = error_of(body)
        assert error["code"] == "invalid_message" and told in error["message"]
        assert headers["x-request-id"]
        shown = answer + caplog.text.encode() + repr(logged).encode()
        assert b"Traceback" not in shown and SECRET.encode() not in shown
        assert [entry["event"] for entry in logged] == ["bad_request"]

    async def test_a_header_of_16_kib_is_taken(self) -> None:
        async with small_server() as server:
            assert (await get(server, "/health", headers={"X": "x" * 16_000})).status_code == 200


class TestUnforeseen:
    async def test_it_is_logged_and_not_told(self) -> None:
        with structlog.testing.capture_logs() as logged:
            async with small_server({"GET /v1/x": raising(KeyError(SECRET))}) as server:
                answer = await get(server, "/v1/x?key=secret", headers={"X-Request-Id": "mine-1"})
        assert answer.status_code == 500 and SECRET not in answer.text
        assert error_of(answer.content)["code"] == "internal"
        (entry,) = logged
        assert (entry["event"], entry["request"], entry["path"]) == ("request_failed", "mine-1", "/v1/x")
        assert isinstance(entry["exc_info"], KeyError)

    async def test_timeouts_of_ours_are_no_answer_to_the_client(self) -> None:
        with structlog.testing.capture_logs() as logged:
            async with small_server({"GET /v1/x": raising(TimeoutError("redis"))}) as server:
                answer = await get(server, "/v1/x")
        assert answer.status_code == 500 and "redis" not in answer.text and len(logged) == 1

    async def test_redirections_stay_what_they_are(self) -> None:
        async with small_server({"GET /v1/x": raising(web.HTTPFound("/health"))}) as server:
            answer = await get(server, "/v1/x")
        assert answer.status_code == 302 and answer.headers["Location"] == "/health"
        assert "error" not in answer.text

    async def test_cancellation_passes(self) -> None:
        """The handler ends as cancelled; what is under way is not answered any more."""
        begun = asyncio.Event()
        seen: list[BaseException] = []

        async def wait(request: web.Request) -> web.StreamResponse:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError as cancelled:
                seen.append(cancelled)
                raise
            raise AssertionError("never")

        with structlog.testing.capture_logs() as logged:
            async with aiohttp.ClientSession() as http:
                async with small_server({"GET /v1/x": wait}) as server:
                    request = asyncio.create_task(http.get(server.url + "/v1/x"))
                    await begun.wait()
                    # The runner's end cancels what does not end by itself.
                with pytest.raises(aiohttp.ClientError):
                    await request
        assert len(seen) == 1 and logged == []

    async def test_a_client_that_hangs_up_is_no_failure(self, caplog: pytest.LogCaptureFixture) -> None:
        ended = asyncio.Event()
        begun = asyncio.Event()

        async def read(request: web.Request) -> web.StreamResponse:
            begun.set()
            try:
                return web.Response(body=await request.read())
            finally:
                ended.set()

        with structlog.testing.capture_logs() as logged:
            async with small_server({"POST /v1/x": read}) as server:
                _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(b"POST /v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
                await begun.wait()
                writer.close()
                async with asyncio.timeout(5):
                    await ended.wait()
        assert logged == [] and caplog.records == []


class TestLogOfRefusals:
    """Who looks into the log finds every request that came to nothing, and why; and nothing that it held."""

    SECRET_KEY = "sk-of-a-client-0001"

    async def refused(self, request: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]) -> Any:
        """The answer's status, and the one line of the log."""
        routes = {
            "GET /v1/voices/{id}": raising(RealtimeError("none", ErrorCode.NOT_FOUND, "id")),
            "POST /v1/speak": raising(LoadingError()),
            "POST /v1/text": raising(RealtimeError(SECRET, ErrorCode.TEXT_TOO_LONG)),
        }
        keys = load_keys(self.SECRET_KEY, None, KeyLimits(requests_per_minute=1))
        with structlog.testing.capture_logs() as logged:
            async with small_server(routes, ring=keys) as server:
                headers = {"X-Request-Id": "mine-1", "Authorization": f"Bearer {self.SECRET_KEY}"}
                async with httpx.AsyncClient(base_url=server.url, headers=headers) as http:
                    answer = await request(http)
        (line,) = logged
        assert not [secret for secret in (self.SECRET_KEY, SECRET) if secret in repr(line)]
        assert (line.pop("event"), line.pop("log_level")) == ("request_refused", "info")
        assert (line.pop("request"), line.pop("status")) == ("mine-1", answer.status_code)
        assert line["code"] == error_of(answer.content)["code"]
        assert line["address"] == "127.0.0.1" and line["sent_bytes"] == len(answer.content)
        return answer.status_code, line["code"], line["method"], line["route"]

    async def test_by_the_handler(self) -> None:
        assert await self.refused(lambda http: http.get(f"/v1/voices/{SECRET}?a={SECRET}")) == (
            404,
            "not_found",
            "GET",
            "/v1/voices/{id}",
        )
        assert await self.refused(lambda http: http.post("/v1/speak", content=SECRET)) == (
            503,
            "queue_full",
            "POST",
            "/v1/speak",
        )
        assert await self.refused(lambda http: http.post("/v1/text")) == (
            413,
            "text_too_long",
            "POST",
            "/v1/text",
        )

    async def test_before_it(self) -> None:
        async def too_often(http: httpx.AsyncClient) -> httpx.Response:
            assert (await http.get("/health")).status_code == 200
            assert (await http.post("/v1/echo")).status_code == 200
            return await http.post("/v1/echo")

        wrong = {"Authorization": f"Bearer {SECRET}"}
        assert await self.refused(lambda http: http.post("/v1/echo", headers=wrong)) == (
            401,
            "unauthorized",
            "POST",
            "/v1/echo",
        )
        assert await self.refused(too_often) == (429, "rate_limited", "POST", "/v1/echo")
        large = SECRET.encode() * 100_000
        assert await self.refused(lambda http: http.post("/v1/echo", content=large)) == (
            413,
            "body_too_large",
            "POST",
            "/v1/echo",
        )
        assert await self.refused(lambda http: http.get(f"/v1/{SECRET}")) == (
            404,
            "not_found",
            "GET",
            "unknown",
        )
        refused = await self.refused(lambda http: http.get("/v1/echo"))
        assert refused == (405, "method_not_allowed", "GET", "unknown")

    async def test_an_answer_that_is_no_exception(self) -> None:
        async def refuse(request: web.Request) -> web.StreamResponse:
            return error_response(RealtimeError("not so", ErrorCode.INVALID_MESSAGE))

        with structlog.testing.capture_logs() as logged:
            async with small_server({"GET /v1/x": refuse}) as server:
                await get(server, "/v1/x")
                await get(server, "/health")
        assert [(line["event"], line["code"]) for line in logged] == [("request_refused", "invalid_message")]

    async def test_what_an_observer_tells_of_is_not_told_twice(self) -> None:
        async def speak(request: web.Request) -> web.StreamResponse:
            leave_log_to_observer(request)
            raise RealtimeError("no voice", ErrorCode.ENGINE_FAILED)

        with structlog.testing.capture_logs() as logged:
            async with small_server({"GET /v1/x": speak}) as server:
                assert (await get(server, "/v1/x")).status_code == 500
        assert logged == []


class TestCutOff:
    """A response that has begun and fails must not look whole."""

    @staticmethod
    def failing(error: Exception):
        async def handle(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b"the first half")
            raise error

        return handle

    @pytest.mark.parametrize(
        ("error", "event"),
        [
            (RealtimeError("no voice", ErrorCode.ENGINE_FAILED), "response_cut_off"),
            (KeyError(SECRET), "request_failed"),
        ],
    )
    async def test_chunks_lack_their_end(self, error: Exception, event: str) -> None:
        with structlog.testing.capture_logs() as logged:
            async with small_server({"GET /v1/x": self.failing(error)}) as server:
                with pytest.raises(httpx.RemoteProtocolError):
                    await get(server, "/v1/x")
                answer = await send_raw(server, b"GET /v1/x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"the first half" in answer and b"\r\n0\r\n" not in answer and SECRET.encode() not in answer
        assert [entry["event"] for entry in logged] == [event] * 2

    async def test_http_1_0_is_reset(self) -> None:
        """Its bodies end with the connection: a close would be the end of a whole one."""
        async with small_server(
            {"GET /v1/x": self.failing(RealtimeError("no", ErrorCode.TIMEOUT))}
        ) as server:
            with pytest.raises(ConnectionResetError):
                await send_raw(server, b"GET /v1/x HTTP/1.0\r\n\r\n")

    async def test_a_client_that_takes_nothing_holds_nothing_up(self) -> None:
        """What was written and not taken is dropped with the connection."""
        requests: list[web.Request] = []

        async def fill(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    while True:
                        await response.write(b"x" * 65_536)
            requests.append(request)
            raise RealtimeError("no", ErrorCode.TIMEOUT)

        with structlog.testing.capture_logs():
            async with small_server({"GET /v1/x": fill}) as server:
                with socket.create_connection(("127.0.0.1", server.port)) as idle:
                    idle.sendall(b"GET /v1/x HTTP/1.1\r\nHost: x\r\n\r\n")
                    await eventually(lambda: bool(requests) and requests[0].transport is None)

    async def test_the_status_is_not_sent_twice_when_nothing_was_written_yet(self) -> None:
        async def handle(request: web.Request) -> web.StreamResponse:
            await web.StreamResponse().prepare(request)
            raise RealtimeError("no", ErrorCode.TIMEOUT)

        async with small_server({"GET /v1/x": handle}) as server:
            with pytest.raises(httpx.RemoteProtocolError):
                await get(server, "/v1/x")


class TestRequestId:
    @pytest.mark.parametrize("chosen", ["a", "req-1/2:3", "~" * 128])
    async def test_a_clients_own_is_kept(self, chosen: str) -> None:
        async with small_server() as server:
            answer = await get(server, "/health", headers={"X-Request-Id": chosen})
        assert answer.headers["X-Request-Id"] == chosen

    @pytest.mark.parametrize("chosen", [None, "", "two words", "x" * 129, "é".encode(), b"\xff"])
    async def test_otherwise_it_is_a_new_one(self, chosen: str | bytes | None) -> None:
        headers = {} if chosen is None else {"X-Request-Id": chosen}
        async with small_server() as server:
            ids = [(await get(server, "/health", headers=headers)).headers["X-Request-Id"] for _ in range(2)]
        assert ids[0] != ids[1] and all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)

    async def test_handlers_know_it_and_errors_and_handshakes_bear_it(self) -> None:
        async def tell(request: web.Request) -> web.StreamResponse:
            return web.Response(text=request_id_of(request))

        headers = {"X-Request-Id": "mine"}
        async with small_server({"GET /v1/x": tell}) as server:
            assert (await get(server, "/v1/x", headers=headers)).text == "mine"
            assert (await get(server, "/v1/none", headers=headers)).headers["X-Request-Id"] == "mine"
            uri = server.url.replace("http", "ws") + "/v1/ws"
            async with connect(uri, additional_headers=headers) as socket:
                assert socket.response is not None and socket.response.headers["X-Request-Id"] == "mine"
