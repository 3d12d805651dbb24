"""`/metrics` of a real server: who may read it, and that it tells what has happened."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import httpx
import pytest
from prometheus_client import parser

from realtime.app import Server
from realtime.observe.processes import ChildProcesses, ProcessFigures
from tests.conftest import Serve
from tests.server.http_server import PCM, SPEECH
from tests.wire_client import eventually, open_client

KEY = "sk-0123456789abcdef"
WS = "/v1/audio/speech/ws"


class Figures:
    """What a server tells now."""

    def __init__(self, text: str) -> None:
        self.samples = {
            (sample.name, json.dumps(sample.labels, sort_keys=True)): sample.value
            for family in parser.text_string_to_metric_families(text)
            for sample in family.samples
        }

    def of(self, name: str, **labels: str) -> float:
        """A value; 0 where there is none yet."""
        return self.samples.get((name, json.dumps(labels, sort_keys=True)), 0.0)


Headers = dict[str, str] | dict[bytes, bytes]


async def scrape(server: Server, headers: Headers | None = None) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url) as http:
        return await http.get("/metrics", headers=headers)


async def figures(server: Server) -> Figures:
    answer = await scrape(server)
    assert answer.status_code == 200, answer.text
    return Figures(answer.text)


async def until(server: Server, name: str, **labels: str) -> Figures:
    """What is told when something has been counted by this name."""
    async with asyncio.timeout(30):
        while True:
            told = await figures(server)
            if told.of(name, **labels):
                return told
            await asyncio.sleep(0.05)


async def speak(server: Server, path: str = SPEECH, **fields: object) -> httpx.Response:
    body = {"input": "Hello there.", "voice": "tone", **fields}
    async with httpx.AsyncClient(base_url=server.url) as http:
        return await http.post(path, json=body)


class TestWhoMayRead:
    async def test_everybody_unless_told_otherwise(self, serve_tone: Serve) -> None:
        async with serve_tone(api_keys=KEY) as server:
            answer = await scrape(server)
            assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Content-Type"].startswith("text/plain; version=")

    async def test_who_has_a_key(self, serve_tone: Serve) -> None:
        async with serve_tone(api_keys=KEY, metrics="key", key_requests_per_minute=1) as server:
            assert (await scrape(server)).status_code == 401
            for _ in range(3):  # it uses nothing up of what a key may use
                assert (await scrape(server, {"Authorization": f"Bearer {KEY}"})).status_code == 200

    async def test_nobody(self, serve_tone: Serve) -> None:
        async with serve_tone(metrics="off") as server:
            answer = await scrape(server)
            assert answer.status_code == 404
            async with httpx.AsyncClient(base_url=server.url) as http:
                assert "/metrics" not in (await http.get("/openapi.json")).json()["paths"]

    async def test_in_the_format_that_is_asked_for(self, server: Server) -> None:
        answer = await scrape(server, {"Accept": "application/openmetrics-text; version=1.0.0"})
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        assert answer.text.endswith("# EOF\n")

    @pytest.mark.parametrize("version", ["abc", "1.0.0\N{SUPERSCRIPT TWO}", "99.0.0", ""])
    async def test_a_version_that_nobody_knows_is_no_mistake_of_ours(
        self, server: Server, version: str
    ) -> None:
        for name in "application/openmetrics-text", "text/plain":
            answer = await scrape(server, {b"Accept": f"{name}; version={version}".encode()})
            assert answer.status_code == 200 and "99" not in answer.headers["Content-Type"]

    async def test_many_who_ask_at_once_are_answered_by_few_looks(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looks = 0
        look = ChildProcesses.look

        def counted(children: ChildProcesses) -> ProcessFigures:
            nonlocal looks
            assert threading.current_thread() is not threading.main_thread(), "the loop goes on"
            looks += 1
            time.sleep(0.05)
            return look(children)

        monkeypatch.setattr(ChildProcesses, "look", counted)
        async with httpx.AsyncClient(base_url=server.url) as http:
            answers = await asyncio.gather(*(http.get("/metrics") for _ in range(40)))
        assert {answer.status_code for answer in answers} == {200}
        assert looks < 20, "not one for each"

    async def test_while_the_server_drains(self, serve_tone: Serve) -> None:
        async with serve_tone() as server, open_client(server.url) as client:
            await client.send("context.open")
            await client.until("context.opened")
            draining = asyncio.create_task(server.drain(20))
            await eventually(lambda: server.gate.closed)
            assert (await figures(server)).of("tts_ready") == 0
            await client.send("end", context_id="default")
            await draining


class TestWhatItTells:
    async def test_a_request(self, server: Server) -> None:
        await speak(server, response_format="mp3")
        await speak(server, response_format="mp3")
        told = await figures(server)
        by_endpoint = {"endpoint": SPEECH}
        assert told.of("tts_requests_total", **by_endpoint, status="200") == 2
        assert told.of("tts_utterances_total", **by_endpoint, outcome="completed") == 2
        labels = {**by_endpoint, "format": "mp3", "voice": "tone"}
        assert told.of("tts_request_duration_seconds_count", **labels) == 2
        assert told.of("tts_first_audio_seconds_count", **by_endpoint) == 2
        assert told.of("tts_synthesis_duration_seconds_count", voice="tone", language="en") == 1, (
            "one was kept"
        )
        assert told.of("tts_audio_duration_seconds_count", **by_endpoint) == 2

    async def test_a_session(self, server: Server) -> None:
        async with open_client(server.url) as client:
            await client.speak("Hello.")
            told = await figures(server)
            assert told.of("tts_sessions") == 1
            assert told.of("tts_utterances_total", endpoint=WS, outcome="completed") == 1
            assert told.of("tts_requests_total", endpoint=WS, status="101") == 0, "it is not over"
        await eventually(lambda: server.registry.count == 0)
        told = await figures(server)
        assert told.of("tts_requests_total", endpoint=WS, status="101") == 1
        assert told.of("tts_sessions") == 0

    async def test_silence_after_a_cancel(self, server: Server) -> None:
        async with open_client(server.url) as client:
            await client.send("text", context_id="long", text="And so it went on and on. " * 40)
            await client.until("segment")
            await client.send("cancel", context_id="long")
            await client.until("context.cancelled")
        told = await figures(server)
        assert told.of("tts_cancel_to_silence_seconds_count") == 1
        assert told.of("tts_utterances_total", endpoint=WS, outcome="cancelled") == 1
        assert told.of("tts_wasted_audio_seconds_total") > 0

    async def test_errors_by_their_code_and_each_once(self, server: Server) -> None:
        await speak(server, voice="nobody")
        await speak(server, path="/v1/nothing")
        async with open_client(server.url) as client:
            await client.send("no such message")
            await client.until("error")
        told = await figures(server)
        assert told.of("tts_errors_total", type="unknown_voice") == 1
        assert told.of("tts_errors_total", type="not_found") == 1
        assert told.of("tts_errors_total", type="invalid_message") == 1
        assert told.of("tts_requests_total", endpoint="unknown", status="404") == 1

    async def test_who_waits_is_not_counted_twice(self, serve_tone: Serve) -> None:
        async with serve_tone(max_utterances=1) as server, open_client(server.url) as client:
            await client.send("context.open")
            await client.until("context.opened")
            assert (await speak(server, path=PCM)).status_code == 503
            told = await figures(server)
            assert told.of("tts_errors_total", type="queue_full") == 1
            assert (told.of("tts_contexts"), told.of("tts_requests_in_progress")) == (1, 0)

    async def test_a_session_for_which_there_is_no_room(self, serve_tone: Serve) -> None:
        async with serve_tone(max_sessions=1) as server, open_client(server.url) as first:
            await first.pong()
            async with open_client(server.url) as second:
                await second.until("error")
            told = await until(server, "tts_requests_total", endpoint=WS, status="101")
            assert told.of("tts_errors_total", type="queue_full") == 1

    async def test_who_fetches_slowly_hides_no_context(self, serve_tone: Serve) -> None:
        """A request holds no place of the engine any more when all of it is made, and is still under way."""
        async with (
            serve_tone(buffer_ms=60_000) as server,
            open_client(server.url) as client,
            httpx.AsyncClient(base_url=server.url) as http,
        ):
            await client.send("context.open")
            await client.until("context.opened")
            body = {"input": "And so it went on and on. " * 35, "voice": "tone"}
            async with http.stream("POST", PCM, json=body):
                await eventually(lambda: server.scheduler.admitted == 1)
                told = await figures(server)
                assert (told.of("tts_contexts"), told.of("tts_requests_in_progress")) == (1, 1)

    async def test_caches_and_the_engine(self, server: Server) -> None:
        await speak(server)
        told = await figures(server)
        assert told.of("tts_cache_misses_total", cache="audio") > 0
        assert told.of("tts_cache_entries", cache="audio") > 0
        assert told.of("tts_model_loaded") == 1 and told.of("tts_engine_state", state="ready") == 1
        assert told.of("tts_queue_limit") == 256 and told.of("tts_sessions_limit") == 256

    async def test_how_late_the_event_loop_is(self, server: Server) -> None:
        await until(server, "tts_event_loop_lag_seconds_count")

    async def test_what_listeners_have_in_hand(self, server: Server) -> None:
        """A listener who is far ahead has what was sent ahead."""
        async with open_client(server.url) as client:
            await client.send("text", context_id="long", text="And so it went on and on. " * 200)
            told = await until(server, "tts_listener_lead_seconds_count")
        assert told.of("tts_listener_lead_seconds_sum") > 1

    async def test_clients_cannot_make_labels(self, server: Server) -> None:
        async with httpx.AsyncClient(base_url=server.url) as http:
            for number in range(20):
                await http.get(f"/v1/made-up-{number}")
                await http.request("PROPFIND", f"/v1/made-up-{number}")
                await http.get("/v1/voices/made-up")
        before = len((await figures(server)).samples)
        for number in range(20):
            await speak(server, voice=f"made-up-{number}", language="xx", response_format="none")
        after = await figures(server)
        assert len(after.samples) - before <= 2, "the endpoint with its status"
        assert not [name for name in after.samples if "made-up" in str(name)]


@pytest.mark.parametrize("path", ["/metrics", "/health"])
async def test_a_probe_by_any_method_that_looks(server: Server, path: str) -> None:
    async with httpx.AsyncClient(base_url=server.url) as http:
        assert (await http.head(path)).status_code == 200
        assert (await http.post(path)).status_code == 405
