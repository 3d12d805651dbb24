"""Whether the server is well, and where to go."""

from __future__ import annotations

import asyncio

import httpx

from realtime import __version__
from realtime.app import Server
from tests.conftest import Serve
from tests.server.http_server import PCM, connection, request
from tests.wire_client import eventually, open_client


async def get(server: Server, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url) as http:
        return await http.get(path)


async def health(server: Server) -> dict[str, object]:
    answer = await get(server, "/health")
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    told: dict[str, object] = answer.json()
    return told


class TestHealth:
    async def test_of_a_server_that_does_nothing(self, server: Server) -> None:
        told = await health(server)
        assert told.pop("uptime_s") >= 0  # type: ignore[operator]
        assert told.pop("tasks") > 0  # type: ignore[operator]
        assert told == {
            "status": "ok",
            "version": __version__,
            "engine": {"name": "tone", "state": "ready", "loading": None},
            "queue": {
                "waiting": 0,
                "limit": 256,
                "speaking": 0,
                "segments_waiting": 0,
                "estimated_wait_ms": 0,
                "thrown_away_s": 0.0,
            },
            "sessions": 0,
            "sessions_detached": 0,
            "peers": 0,
            "requests": 0,
            "audio_cache": {
                "entries": 0,
                "bytes": 0,
                "max_bytes": 64 * 1024 * 1024,
                "hits": 0,
                "misses": 0,
                "evictions": 0,
                "shared": "off",
                "shared_hits": 0,
                "shared_misses": 0,
            },
            "voice_prompts": {"entries": 0, "hits": 0, "misses": 0},
            "voices": {"built_in": 1, "cloned": 0},
        }

    async def test_it_counts_sessions_and_what_they_speak(self, server: Server) -> None:
        async with open_client(server.url) as client:
            await client.send("context.open")
            await client.until("context.opened")
            told = await health(server)
            assert told["sessions"] == 1 and told["queue"]["speaking"] == 1  # type: ignore[index]

    async def test_a_session_that_lost_its_connection_is_told_apart(self, serve_tone: Serve) -> None:
        async with serve_tone(resume_window_s=30.0) as server:
            async with open_client(server.url) as client:
                await client.speak("Hello.")
                client.connection.transport.abort()
            await eventually(lambda: server.registry.detached == 1)
            told = await health(server)
            assert (told["sessions"], told["sessions_detached"]) == (1, 1)

    async def test_what_was_synthesized_for_nobody_is_summed_up(self, server: Server) -> None:
        async with open_client(server.url) as client:
            await client.speak("This is heard to its end.")
            assert (await health(server))["queue"]["thrown_away_s"] == 0  # type: ignore[index]
            await client.send("text", text="This is not. ", context_id="cut")
            await client.send("flush", context_id="cut")
            await client.until("flush.done")
            await client.send("cancel", context_id="cut", played_ms=0)
            await client.until("context.cancelled")
        cut_s = (await health(server))["queue"]["thrown_away_s"]  # type: ignore[index]
        assert 0.3 < cut_s < 3
        async with connection(server.url) as (reader, writer):
            writer.write(request(PCM, {"input": "And nobody stays to hear all of this. " * 20}))
            await reader.readuntil(b"\r\n\r\n")
        async with asyncio.timeout(20):
            while (await health(server))["requests"] != 0:
                pass
        assert (await health(server))["queue"]["thrown_away_s"] > cut_s  # type: ignore[index]

    async def test_the_cache_tells_what_it_is_good_for(self, server: Server) -> None:
        async with httpx.AsyncClient(base_url=server.url) as http:
            for _ in range(2):
                order = {"input": "Hello there.", "response_format": "pcm"}
                assert (await http.post("/v1/audio/speech", json=order)).status_code == 200
        cache = (await health(server))["audio_cache"]
        assert cache["entries"] > 0 and cache["bytes"] > 0 and cache["hits"] > 0  # type: ignore[index]


class TestReady:
    async def test_until_it_is_full(self, serve_tone: Serve) -> None:
        async with serve_tone(max_utterances=1) as server, open_client(server.url) as client:
            answer = await get(server, "/ready")
            assert (answer.status_code, answer.json()) == (200, {"ready": True})
            await client.send("context.open")
            await client.until("context.opened")
            answer = await get(server, "/ready")
            assert (answer.status_code, answer.json()) == (503, {"ready": False})


class TestIndex:
    async def test_it_names_every_route(self, server: Server) -> None:
        text, document = await asyncio.gather(get(server, "/"), get(server, "/openapi.json"))
        assert text.headers["Content-Type"].startswith("text/plain")
        for path, operations in document.json()["paths"].items():
            for method in operations:
                assert any(line.split()[:2] == [method.upper(), path] for line in text.text.splitlines())
