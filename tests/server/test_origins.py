"""Pages of other sites: what they may do, and what a browser is told."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
import uvloop
from aiohttp import web
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from realtime.errors import ConfigError
from realtime.server.keys import KeyLimits, load_keys
from realtime.server.origins import EXPOSED, HEADERS, OriginPolicy, origin_policy, parse_origin
from tests.server.small_server import Small, error_of, hello, parts, send_raw, small_server

OTHER = "https://other.example"
OWN_ALONE = origin_policy(None)
ONE_MORE = origin_policy(OTHER)
ALL = origin_policy("*")
PREFLIGHT = {"Access_Control_Request_Method": "POST"}
KEY = "sk-one-0123456789"
ROUTES = {"GET /v1/x": hello, "DELETE /v1/x": hello}


async def ask(server: Small, method: str, path: str, origin: str | None, **headers: str) -> httpx.Response:
    if origin is not None:
        headers["Origin"] = origin
    async with httpx.AsyncClient(base_url=server.url) as http:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return await http.request(method, path, headers=names)


class TestSetting:
    @pytest.mark.parametrize(
        "entry",
        [
            "",
            "other.example",
            "https://other.example/",
            "https://other.example/page",
            "https://user@other.example",
            "https://*.other.example",
            "https://other.example:port",
            "https://other.example:123456",
            "https://öther.example",
            "https://",
            "null",
            "*, https://other.example",
            "https://one.example,,https://two.example",
            "https://one.example https://two.example",
        ],
    )
    def test_what_is_no_origin_stops_the_start(self, entry: str) -> None:
        with pytest.raises(ConfigError, match="ALLOWED_ORIGINS must be"):
            origin_policy(entry)

    def test_origins_are_equal_however_they_are_written(self) -> None:
        policy = origin_policy("HTTPS://Other.Example:443 , http://[::1]:3000,tauri://localhost")
        for same in ("https://other.example", "http://[::1]:3000", "tauri://localhost"):
            assert parse_origin(same) in policy.allowed
        for different in ("http://other.example", "https://other.example:444", "http://[::1]"):
            assert parse_origin(different) not in policy.allowed


class TestForeignPages:
    @pytest.mark.parametrize(("policy", "origin"), [(OWN_ALONE, OTHER), (ONE_MORE, OTHER + ".evil")])
    @pytest.mark.parametrize("method", ["POST", "DELETE", "GET"])
    async def test_may_neither_speak_nor_change_nor_ask(
        self, policy: OriginPolicy, origin: str, method: str
    ) -> None:
        reached: list[str] = []

        async def handle(request: web.Request) -> web.StreamResponse:
            reached.append(request.method)
            return await hello(request)

        async with small_server({f"{method} /v1/x": handle}, policy=policy) as server:
            answer = await ask(server, method, "/v1/x", origin)
        assert answer.status_code == 403 and reached == []
        error = error_of(answer.content)
        assert (error["code"], error["type"]) == ("forbidden", "permission_error")
        assert "ALLOWED_ORIGINS" in error["message"]
        assert "Access-Control-Allow-Origin" not in answer.headers and "Origin" in answer.headers["Vary"]

    @pytest.mark.parametrize(
        "origin",
        [
            "null",
            "",
            "http://",
            "file://",
            "http://127.0.0.1",
            "http://127.0.0.1:1",
            "http://localhost",
            "rubbish",
        ],
    )
    async def test_what_only_looks_like_our_own_is_foreign(self, origin: str) -> None:
        async with small_server(ROUTES, policy=ONE_MORE) as server:
            assert (await ask(server, "GET", "/v1/x", origin)).status_code == 403

    async def test_what_is_open_they_get_but_cannot_read(self) -> None:
        async with small_server() as server:
            answer = await ask(server, "GET", "/health", OTHER)
            assert answer.status_code == 200 and "Access-Control-Allow-Origin" not in answer.headers
            assert (await ask(server, "POST", "/health", OTHER)).status_code == 403

    async def test_two_origins_are_none(self) -> None:
        head = "GET /v1/x HTTP/1.0\r\nHost: a\r\nOrigin: http://a\r\nOrigin: http://a\r\n\r\n"
        async with small_server(ROUTES) as server:
            assert parts(await send_raw(server, head.encode()))[0] == 403

    async def test_a_websocket_of_theirs_is_refused(self) -> None:
        async with small_server() as server:
            with pytest.raises(InvalidStatus) as refused:
                async with connect(server.url.replace("http", "ws") + "/v1/ws", origin=OTHER):  # type: ignore[arg-type]
                    pass
        assert refused.value.response.status_code == 403
        assert error_of(refused.value.response.body or b"")["code"] == "forbidden"


class TestOwnPages:
    @pytest.mark.parametrize(
        ("host", "origin"),
        [
            ("127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("voice.example", "http://voice.example"),
            ("voice.example:80", "http://voice.example"),
            # A proxy that ends TLS, and hands on the name that it was asked for.
            ("voice.example", "https://voice.example"),
            ("voice.example:443", "https://voice.example"),
            ("voice.example:8443", "https://voice.example:8443"),
            ("Voice.Example", "https://voice.example"),
            ("[::1]:8000", "http://[::1]:8000"),
        ],
    )
    async def test_same_host_and_port_is_ours(self, host: str, origin: str) -> None:
        async with small_server(ROUTES) as server:
            answer = await ask(server, "DELETE", "/v1/x", origin, Host=host)
        assert answer.status_code == 200 and "Access-Control-Allow-Origin" not in answer.headers

    @pytest.mark.parametrize(
        ("host", "origin"),
        [
            ("voice.example", "http://voice.example:8080"),
            ("voice.example:8000", "http://voice.example"),
            ("voice.example:80", "https://voice.example"),
            ("127.0.0.1:8000", "http://localhost:8000"),
            ("rub bish", "http://rub bish"),
        ],
    )
    async def test_others_are_not(self, host: str, origin: str) -> None:
        async with small_server(ROUTES) as server:
            assert (await ask(server, "DELETE", "/v1/x", origin, Host=host)).status_code == 403

    async def test_what_a_proxy_may_tell_is_not_believed(self) -> None:
        async with small_server(ROUTES) as server:
            answer = await ask(
                server,
                "DELETE",
                "/v1/x",
                OTHER,
                X_Forwarded_Host="other.example",
                X_Forwarded_Proto="https",
                Forwarded="host=other.example;proto=https",
            )
        assert answer.status_code == 403

    async def test_clients_that_are_no_browsers_are_served(self) -> None:
        async with small_server(ROUTES) as server:
            answer = await ask(server, "DELETE", "/v1/x", None)
            assert answer.status_code == 200 and answer.headers["Vary"] == "Origin"
            async with connect(server.url.replace("http", "ws") + "/v1/ws") as socket:
                await socket.send("a")
                assert await socket.recv() == "a"

    async def test_their_websockets_open(self) -> None:
        async with small_server() as server:
            async with connect(server.url.replace("http", "ws") + "/v1/ws", origin=server.url) as socket:  # type: ignore[arg-type]
                await socket.send("a")
                assert await socket.recv() == "a"


class TestRebinding:
    """DNS rebinding: the page's name and the request's are the same, and both are the attacker's."""

    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("127.0.0.1:80", 200),
            ("127.0.0.1:8123", 200),
            ("127.1", 200),
            ("localhost", 200),
            ("LocalHost:80", 200),
            ("voice.localhost", 200),
            ("[::1]", 200),
            ("[::1]:8000", 200),
            ("[::ffff:127.0.0.1]", 200),
            ("here", 200),
            ("rebound.example", 403),
            ("rebound.example:80", 403),
            ("127.0.0.1.rebound.example", 403),
            ("localhost.rebound.example", 403),
            ("10.0.0.1", 403),
            ("0.0.0.0", 403),
            ("[::]", 403),
            ("", 403),
            ("rub bish", 403),
        ],
    )
    async def test_names_that_were_made_to_lead_here_open_nothing(self, host: str, status: int) -> None:
        policy = origin_policy(None, loopback_only=True, own_name="Here")
        async with small_server(ROUTES, policy=policy) as server:
            for origin in (None, f"http://{host.lower().removesuffix(':80')}"):
                for method, path in (("DELETE", "/v1/x"), ("GET", "/v1/x"), ("GET", "/")):
                    answer = await ask(server, method, path, origin, Host=host)
                    assert answer.status_code == status
                assert (await ask(server, "GET", "/health", origin, Host=host)).status_code == 200
            if status == 403:
                answer = await ask(server, "GET", "/v1/x", None, Host=host)
                told = error_of(answer.content)["message"]
                assert "API_KEYS" in told and "ALLOWED_ORIGINS" in told
                assert (await ask(server, "POST", "/health", None, Host=host)).status_code == 403

    async def test_a_websocket_of_theirs_is_refused(self) -> None:
        policy = origin_policy(None, loopback_only=True)
        async with small_server(policy=policy) as server:
            for name, status in (("rebound.example", 403), ("localhost", 101)):
                head = (
                    f"GET /v1/ws HTTP/1.1\r\nHost: {name}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
                )
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                writer.write(head.encode())
                assert int((await reader.readline()).split()[1]) == status
                writer.close()

    @pytest.mark.parametrize("head", [b"", b"Host: localhost\r\nHost: localhost\r\n"])
    async def test_no_name_and_two_are_none(self, head: bytes) -> None:
        async with small_server(ROUTES, policy=origin_policy(None, loopback_only=True)) as server:
            answer = await send_raw(server, b"GET /v1/x HTTP/1.0\r\n" + head + b"\r\n")
        assert parts(answer)[0] in (400, 403)

    @pytest.mark.parametrize(
        ("policy", "host", "status"),
        [
            (origin_policy(OTHER + ":8443", loopback_only=True), "other.example", 200),
            (origin_policy(OTHER, loopback_only=True), "other.example:8000", 200),
            (origin_policy(OTHER, loopback_only=True), "third.example", 403),
            (origin_policy("*", loopback_only=True), "third.example", 200),
            (OWN_ALONE, "third.example", 200),
        ],
    )
    async def test_names_that_are_allowed(self, policy: OriginPolicy, host: str, status: int) -> None:
        async with small_server(ROUTES, policy=policy) as server:
            assert (await ask(server, "GET", "/v1/x", None, Host=host)).status_code == status

    @pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
    def test_who_comes_over_a_unix_socket_may_use_any_name(
        self, run: Callable[[Awaitable[None]], None]
    ) -> None:
        async def all_of_it() -> None:
            policy = origin_policy(None, loopback_only=True)
            with tempfile.TemporaryDirectory(prefix="rt-") as folder:
                async with small_server(ROUTES, policy=policy, uds=Path(folder) / "s") as server:
                    transport = httpx.AsyncHTTPTransport(uds=str(server.uds))
                    async with httpx.AsyncClient(transport=transport) as http:
                        assert (await http.get("http://realtime/v1/x")).status_code == 200
                    assert (await ask(server, "GET", "/v1/x", None, Host="realtime")).status_code == 403

        run(all_of_it())


class TestAllowedPages:
    @pytest.mark.parametrize(
        ("policy", "origin", "told"),
        [(ONE_MORE, OTHER, OTHER), (ALL, OTHER, "*"), (ALL, "null", "*")],
    )
    async def test_may_use_it_and_read_the_answers(
        self, policy: OriginPolicy, origin: str, told: str
    ) -> None:
        async with small_server(ROUTES, policy=policy) as server:
            for method, path, status in (
                ("DELETE", "/v1/x", 200),
                ("GET", "/v1/none", 404),
                ("GET", "/health", 200),
            ):
                answer = await ask(server, method, path, origin)
                assert answer.status_code == status
                assert answer.headers["Access-Control-Allow-Origin"] == told
                assert answer.headers["Access-Control-Expose-Headers"] == EXPOSED
                assert "Access-Control-Allow-Credentials" not in answer.headers
                assert answer.headers.get("Vary") == (None if told == "*" else "Origin")
            async with connect(server.url.replace("http", "ws") + "/v1/ws", origin=origin) as socket:  # type: ignore[arg-type]
                await socket.send("a")
                assert await socket.recv() == "a"

    async def test_an_answer_that_varies_already_keeps_that(self) -> None:
        async def handle(request: web.Request) -> web.StreamResponse:
            return web.Response(headers={"Vary": "Accept"})

        async with small_server({"GET /v1/x": handle}) as server:
            assert (await ask(server, "GET", "/v1/x", None)).headers["Vary"] == "Accept, Origin"

    async def test_a_refused_key_can_be_read_too(self) -> None:
        ring = load_keys(KEY, None, KeyLimits())
        async with small_server(ROUTES, policy=ONE_MORE, ring=ring) as server:
            answer = await ask(server, "GET", "/v1/x", OTHER)
            assert answer.status_code == 401 and answer.headers["Access-Control-Allow-Origin"] == OTHER


class TestPreflight:
    @pytest.mark.parametrize(("policy", "told"), [(ONE_MORE, OTHER), (ALL, "*")])
    async def test_an_allowed_page_is_told_what_it_may(self, policy: OriginPolicy, told: str) -> None:
        ring = load_keys(KEY, None, KeyLimits())
        asked = "authorization, X-Stainless-Lang, bad name, content-type"
        async with small_server(ROUTES, policy=policy, ring=ring) as server:
            answer = await ask(
                server, "OPTIONS", "/v1/x", OTHER, Access_Control_Request_Headers=asked, **PREFLIGHT
            )
        assert answer.status_code == 204 and answer.content == b""
        assert answer.headers["Access-Control-Allow-Origin"] == told
        assert {"GET", "POST", "DELETE"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))
        assert answer.headers["Access-Control-Allow-Headers"] == ", ".join([*HEADERS, "x-stainless-lang"])
        assert int(answer.headers["Access-Control-Max-Age"]) > 0
        assert ("Origin" in answer.headers["Vary"].split(", ")) == (told != "*")

    async def test_a_foreign_page_is_refused(self) -> None:
        async with small_server(ROUTES, policy=ONE_MORE) as server:
            answer = await ask(server, "OPTIONS", "/v1/x", "https://third.example", **PREFLIGHT)
        assert answer.status_code == 403 and error_of(answer.content)["code"] == "forbidden"
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]

    async def test_other_options_are_no_preflight(self) -> None:
        async with small_server(ROUTES) as server:
            for origin, headers in ((None, PREFLIGHT), (None, {}), (server.url, {})):
                answer = await ask(server, "OPTIONS", "/v1/x", origin, **headers)
                assert answer.status_code == 405 and answer.headers["Allow"] == "DELETE,GET"
