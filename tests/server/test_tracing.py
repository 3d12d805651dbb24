"""`traceparent`: what is one is taken over and passed on; anything else puts a request into no trace."""

from __future__ import annotations

import httpx
import pytest
from aiohttp import web

from realtime.server.access import RequestSummary
from realtime.server.exchange import caller_of
from tests.server.small_server import small_server
from tests.wire_client import eventually

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{SPAN}-01"


async def answered(*headers: tuple[str, str]) -> tuple[httpx.Response, RequestSummary]:
    """An answer, and what the observer was told."""
    told: list[RequestSummary] = []
    async with small_server(observe=told.append) as server, httpx.AsyncClient(base_url=server.url) as http:
        answer = await http.get("/health", headers=list(headers))
        await eventually(lambda: bool(told))
    return answer, told[0]


@pytest.mark.parametrize("given", [GIVEN, f"cc-{TRACE}-{SPAN}-01-what-is-not-known-yet"])
async def test_a_trace_is_passed_on_with_a_span_of_our_own(given: str) -> None:
    answer, told = await answered(("traceparent", given))
    version, trace_id, span_id, flags = answer.headers["traceparent"].split("-")
    assert (version, trace_id, flags) == ("00", TRACE, "01") and span_id not in (SPAN, "0" * 16)
    trace = told.caller.trace
    assert trace is not None
    assert (trace.trace_id, trace.parent_id, trace.span_id) == (TRACE, SPAN, span_id)
    again, _ = await answered(("traceparent", given))
    assert again.headers["traceparent"] != answer.headers["traceparent"], "every request is a span"


@pytest.mark.parametrize(
    "given",
    [
        "",
        "rubbish",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01",
    ],
)
async def test_what_is_none_is_in_no_trace(given: str) -> None:
    answer, told = await answered(("traceparent", given))
    assert answer.status_code == 200 and "traceparent" not in answer.headers
    assert told.caller.trace is None


async def test_of_two_none_counts() -> None:
    answer, _ = await answered(("traceparent", GIVEN), ("traceparent", GIVEN))
    assert "traceparent" not in answer.headers


async def test_what_is_refused_bears_it_too() -> None:
    async with small_server() as server, httpx.AsyncClient(base_url=server.url) as http:
        answer = await http.get("/nothing", headers={"traceparent": GIVEN})
    assert answer.status_code == 404 and answer.headers["traceparent"].split("-")[1] == TRACE


async def test_a_handler_knows_its_caller() -> None:
    async def tell(request: web.Request) -> web.StreamResponse:
        caller = caller_of(request)
        assert caller.trace is not None
        return web.json_response([caller.endpoint, caller.request_id, caller.trace.trace_id])

    async with small_server({"GET /v1/x/{id}": tell}) as server:
        async with httpx.AsyncClient(base_url=server.url) as http:
            answer = await http.get("/v1/x/7", headers={"traceparent": GIVEN, "X-Request-Id": "r1"})
    assert answer.json() == ["/v1/x/{id}", "r1", TRACE]
