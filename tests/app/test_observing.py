"""The lines of the log: one for each text with all that it took, one for each request; and never the text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog

from realtime.app import Server
from realtime.client import connect
from tests.conftest import Serve
from tests.server.http_server import SPEECH
from tests.wire_client import eventually

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
#: What every line of a text has.
BREAKDOWN = {
    "request", "endpoint", "reason", "code", "format", "voice", "language", "characters", "audio_s", "cache",
    "load_ms", "queue_ms", "infer_ms", "idle_ms", "encode_ms", "turn_ms", "first_text_ms", "first_audio_ms",
    "total_ms", "underruns", "underrun_ms", "wasted_ms",
}  # fmt: skip
SECRET = "The code of the safe is nineteen."


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


def named(lines: list[Any], event: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == event]


async def speak(server: Server, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url) as http:
        return await http.post(SPEECH, json={"input": SECRET, "response_format": "mp3"}, headers=headers)


async def converse(server: Server, traceparent: str | None = None) -> None:
    async with connect(server.url, traceparent=traceparent) as session:
        context = session.open()
        await context.send(SECRET)
        await context.end()
        async for _ in context:
            pass


class TestTexts:
    async def test_over_http(self, server: Server, lines: list[Any]) -> None:
        await speak(server, **{"traceparent": TRACEPARENT, "X-Request-Id": "call-42"})
        await eventually(lambda: bool(named(lines, "request_over")))
        (line,) = named(lines, "request_over")
        assert line.keys() >= BREAKDOWN
        assert (line["request"], line["trace_id"], line["parent_span_id"]) == ("call-42", TRACE, SPAN)
        assert (line["endpoint"], line["format"], line["reason"]) == (SPEECH, "mp3", "completed")
        assert (line["voice"], line["language"], line["characters"]) == ("tone", "en", len(SECRET))
        assert line["cache"] == "miss" and line["audio_s"] > 0 and line["total_ms"] >= line["first_audio_ms"]
        assert "safe" not in repr(lines)

    async def test_over_a_websocket(self, server: Server, lines: list[Any]) -> None:
        await converse(server, TRACEPARENT)
        await eventually(lambda: bool(named(lines, "request_answered")))
        (line,) = named(lines, "context_over")
        assert line.keys() >= BREAKDOWN | {"session", "context", "handle"}
        assert (line["endpoint"], line["trace_id"]) == ("/v1/audio/speech/ws", TRACE)
        (request,) = named(lines, "request_answered")
        assert (request["request"], request["span_id"]) == (line["request"], line["span_id"])
        assert request["status"] == 101 and request["duration_ms"] > 0
        assert "safe" not in repr(lines)

    async def test_who_is_in_no_trace_has_none(self, server: Server, lines: list[Any]) -> None:
        await speak(server)
        await converse(server)
        await eventually(lambda: len(named(lines, "request_answered")) == 2)
        assert not [line for line in lines if "trace_id" in line or "span_id" in line]

    async def test_the_text_is_logged_when_that_is_asked_for(
        self, serve_tone: Serve, lines: list[Any]
    ) -> None:
        async with serve_tone(log_text=True) as server:
            await speak(server)
            await converse(server)
            await eventually(lambda: bool(named(lines, "context_over")))
        assert named(lines, "request_over")[0]["text"] == SECRET
        assert named(lines, "context_over")[0]["text"] == SECRET


class TestRequests:
    async def test_each_is_told_of(self, server: Server, lines: list[Any]) -> None:
        await speak(server, **{"User-Agent": "phone/1"})
        await eventually(lambda: bool(named(lines, "request_answered")))
        (line,) = named(lines, "request_answered")
        assert (line["method"], line["route"], line["status"]) == ("POST", SPEECH, 200)
        assert (line["address"], line["agent"], line["log_level"]) == ("127.0.0.1", "phone/1", "info")

    async def test_probes_and_files_of_the_page_are_for_those_who_look_closely(
        self, server: Server, lines: list[Any]
    ) -> None:
        async with httpx.AsyncClient(base_url=server.url) as http:
            for path in ("/health", "/ready", "/metrics", "/index.html"):
                assert (await http.get(path)).status_code == 200
        await eventually(lambda: len(named(lines, "request_answered")) == 4)
        assert {line["log_level"] for line in named(lines, "request_answered")} == {"debug"}
        assert [line["route"] for line in named(lines, "request_answered")][-1] == "page"

    async def test_without_an_access_log_what_was_refused_is_told(
        self, serve_tone: Serve, lines: list[Any]
    ) -> None:
        async with serve_tone(log_access=False) as server, httpx.AsyncClient(base_url=server.url) as http:
            await http.get("/v1/models")
            await http.get("/v1/nothing")
            await eventually(lambda: bool(named(lines, "request_refused")))
        assert named(lines, "request_answered") == []
        assert named(lines, "request_refused")[0]["code"] == "not_found"

    async def test_the_name_of_a_key_and_never_the_key(self, serve_tone: Serve, lines: list[Any]) -> None:
        async with serve_tone(api_keys="sk-0123456789abcdef") as server:
            await speak(server, Authorization="Bearer sk-0123456789abcdef")
            await eventually(lambda: bool(named(lines, "request_answered")))
        assert named(lines, "request_answered")[0]["key"] and "0123456789" not in repr(lines)
