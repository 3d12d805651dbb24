"""What is told of every request when it is over."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import httpx
import pytest
from aiohttp import web

from realtime.errors import ErrorCode, RealtimeError
from realtime.server.access import RequestSummary
from realtime.server.addresses import AddressLimits, trusted_proxies
from realtime.server.keys import KeyLimits, load_keys
from realtime.server.streaming import StreamedResponse, connected
from tests.server.small_server import Routes, small_server
from tests.wire_client import eventually


async def told_of(method: str, path: str, routes: Routes | None = None, **options: Any) -> RequestSummary:
    """What is told of one request."""
    told: list[RequestSummary] = []
    setup = {name: options.pop(name) for name in ("ring", "addresses") if name in options}
    async with small_server(routes, observe=told.append, **setup) as server:
        async with httpx.AsyncClient(base_url=server.url) as http:
            await http.request(method, path, **options)
        await eventually(lambda: bool(told))
    (summary,) = told
    return summary


async def test_what_was_answered() -> None:
    told = await told_of("POST", "/v1/echo", content=b"12345", headers={"User-Agent": "phone/1"})
    assert (told.method, told.caller.endpoint, told.status) == ("POST", "/v1/echo", 200)
    assert (told.sent_bytes, told.address, told.agent) == (5, "127.0.0.1", "phone/1")
    assert told.key is None and told.code is None and not told.is_cut_off and not told.is_quiet
    assert told.seconds >= 0


async def test_what_was_refused() -> None:
    told = await told_of("GET", "/v1/secret-of-a-client")
    assert (told.status, told.code, told.caller.endpoint) == (404, ErrorCode.NOT_FOUND, "unknown")
    told = await told_of("DELETE", "/v1/echo")
    assert (told.status, told.code, told.caller.endpoint) == (405, ErrorCode.METHOD_NOT_ALLOWED, "unknown")


async def test_what_a_client_makes_up_becomes_no_value_of_its_own() -> None:
    told = await told_of("PROPFIND", "/v1/echo", headers={"User-Agent": "x" * 1000})
    assert (told.method, told.status) == ("other", 405)
    assert len(told.agent) == 100


async def test_probes_are_quiet() -> None:
    assert (await told_of("GET", "/health")).is_quiet


async def test_a_redirection_is_no_error() -> None:
    async def away(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/health")

    told = await told_of("GET", "/v1/x", {"GET /v1/x": away})
    assert (told.status, told.code) == (302, None)


async def test_whose_key_it_was() -> None:
    key = "sk-of-a-client-0001"
    ring = load_keys(key, None, KeyLimits())
    told = await told_of("POST", "/v1/echo", ring=ring, headers={"Authorization": f"Bearer {key}"})
    assert told.key == ring.keys[0].name and "sk-of" not in repr(told)
    told = await told_of("POST", "/v1/echo", ring=ring, headers={"Authorization": "Bearer sk-of-nobody"})
    assert (told.key, told.code, told.status) == (None, ErrorCode.UNAUTHORIZED, 401)


async def test_a_proxy_that_is_trusted_tells_the_address() -> None:
    headers = {"X-Forwarded-For": "203.0.113.9"}
    trusting = AddressLimits(KeyLimits(), trusted_proxies("127.0.0.0/8"))
    assert (await told_of("POST", "/v1/echo", addresses=trusting, headers=headers)).address == "203.0.113.9"
    assert (await told_of("POST", "/v1/echo", headers=headers)).address == "127.0.0.1"


async def test_what_was_cut_off() -> None:
    async def break_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        raise RealtimeError("gone", ErrorCode.ENGINE_FAILED)

    told: list[RequestSummary] = []
    async with small_server({"GET /v1/x": break_off}, observe=told.append) as server:
        async with httpx.AsyncClient(base_url=server.url) as http:
            with pytest.raises(httpx.HTTPError):
                await http.get("/v1/x")
        await eventually(lambda: bool(told))
    assert told[0].is_cut_off and told[0].status == 200


async def test_a_websocket_is_told_of_when_it_is_over() -> None:
    told: list[RequestSummary] = []
    async with small_server(observe=told.append) as server, aiohttp.ClientSession() as http:
        async with http.ws_connect(server.url + "/v1/ws") as ws:
            await ws.send_str("hello")
            assert (await ws.receive()).data == "hello"
            assert told == []
        await eventually(lambda: bool(told))
    assert (told[0].status, told[0].caller.endpoint) == (101, "/v1/ws")
    assert told[0].address == "127.0.0.1"


async def test_who_hangs_up_in_the_middle_of_an_answer() -> None:
    async def go_on(request: web.Request) -> web.StreamResponse:
        response = StreamedResponse({})
        async with connected(request):
            await response.prepare(request)
            await response.write(b"x" * 1000)
            await asyncio.Event().wait()
        raise AssertionError("never")

    told: list[RequestSummary] = []
    async with small_server({"GET /v1/x": go_on}, observe=told.append) as server:
        async with httpx.AsyncClient(base_url=server.url) as http, http.stream("GET", "/v1/x") as answer:
            await anext(answer.aiter_bytes())
        await eventually(lambda: bool(told))
    assert told[0].is_cut_off and told[0].status == 200
    assert told[0].address == "127.0.0.1" and told[0].sent_bytes >= 1000


async def test_who_was_gone_before_there_was_an_answer() -> None:
    begun = asyncio.Event()

    async def wait(request: web.Request) -> web.StreamResponse:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError("never")

    told: list[RequestSummary] = []
    async with aiohttp.ClientSession() as http:
        async with small_server({"GET /v1/x": wait}, observe=told.append) as server:
            request = asyncio.create_task(http.get(server.url + "/v1/x"))
            await begun.wait()
        with pytest.raises(aiohttp.ClientError):
            await request
    assert [each.status for each in told] == [499]
