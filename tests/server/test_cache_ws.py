"""What clients of the WebSocket see of the cache: equal sound, fewer syntheses, and a word that it was so."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any

import aiohttp
import numpy as np
import pytest

from realtime.app import Server, running
from realtime.config import Config
from realtime.engines import tone
from realtime.engines.engine import Open
from realtime.engines.synthesizer import Cancellation
from realtime.types import AudioChunk, Packet, TextPiece
from tests.conftest import Serve
from tests.wire_client import WireClient, decode, eventually, open_client

ONE, TWO, THREE = "It is noon.", "The sun is out.", "And all is well."


class Watched(tone.ToneSynthesizer):
    """Notes what it is asked to speak; `gate` holds it up before each piece."""

    def __init__(self) -> None:
        self.spoken: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        self.spoken.append(piece.text)
        assert self.gate.wait(20)
        yield from super().synthesize(piece, request, cancellation)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """The engine of the servers of this test; asked for before `server`."""
    watched = Watched()
    monkeypatch.setattr(tone, "make", lambda *settings: watched)
    yield watched
    watched.gate.set()


@pytest.fixture
def server(engine: Watched, server: Server) -> Server:
    return server


def packets(client: WireClient, handle: int | None = None) -> list[Packet]:
    return [frame.packet for frame in client.frames(handle)]


async def speak(client: WireClient, text: str, name: str, **fields: object) -> dict[str, Any]:
    """In a context with these fields; returns its `context.done`."""
    await client.send("context.open", context_id=name, **fields)
    return await client.speak(text, name)


class TestEqualTexts:
    async def test_two_sessions_at_the_same_time_are_synthesized_once(
        self, engine: Watched, server: Server
    ) -> None:
        text = f"{ONE} {TWO} {THREE}"
        engine.gate.clear()
        async with open_client(server.url) as one, open_client(server.url) as other:
            for client in (one, other):
                await client.send("text", text=text)
                await client.send("end")
            await eventually(lambda: server.scheduler.queue_depth == 2)
            engine.gate.set()
            done = [await client.until("context.done") for client in (one, other)]
            assert sorted(engine.spoken) == sorted([ONE, TWO, THREE])
            assert packets(one) == packets(other)
            assert {each["cache"] for each in done} <= {"miss", "partial", "hit"}
            assert done[0]["audio_ms"] == done[1]["audio_ms"]
        await eventually(lambda: not (server.scheduler.admitted or server.scheduler.stats.open))

    @pytest.mark.parametrize("audio_format", ["opus", "pcm_s16le", "ogg_opus", "mulaw"])
    async def test_a_hit_is_the_same_bit_by_bit(
        self, engine: Watched, server: Server, audio_format: str
    ) -> None:
        text = f"{ONE} {TWO}"
        heard: list[WireClient] = []
        told: list[str] = []
        for cache in (False, True, True):
            async with open_client(server.url) as client:
                await client.send("session.start", formats=[audio_format], cache=cache, timestamps="word")
                told.append((await client.speak(text))["cache"])
                heard.append(client)
        assert told == ["off", "miss", "hit"]
        assert engine.spoken == [ONE, TWO] * 2
        assert packets(heard[0]) == packets(heard[1]) == packets(heard[2])
        words = [[message["words"] for message in client.messages("words")] for client in heard]
        assert words[0] == words[1] == words[2] and words[0]

    async def test_what_is_partly_known(self, engine: Watched, client: WireClient) -> None:
        assert (await client.speak(ONE, "a"))["cache"] == "miss"
        assert (await client.speak(f"{ONE} {TWO}", "b"))["cache"] == "partial"
        assert (await client.speak(f"{TWO} {ONE}", "c"))["cache"] == "hit"
        assert engine.spoken == [ONE, TWO]

    async def test_a_text_in_tokens_finds_its_sentences(self, engine: Watched, client: WireClient) -> None:
        await client.speak(f"{ONE} {TWO}", "whole")
        for token in (ONE + " " + TWO).split(" "):
            await client.send("text", context_id="tokens", text=token + " ")
        await client.send("end", context_id="tokens")
        assert (await client.until("context.done", context_id="tokens"))["cache"] == "hit"
        assert packets(client, 1) == packets(client, 2) and engine.spoken == [ONE, TWO]

    async def test_another_tempo_is_made_from_the_same_sound(
        self, engine: Watched, client: WireClient
    ) -> None:
        plain = await speak(client, ONE, "plain")
        fast = await speak(client, ONE, "fast", speed=2.0)
        assert fast["cache"] == "hit" and engine.spoken == [ONE]
        assert fast["audio_ms"] == pytest.approx(plain["audio_ms"] / 2, abs=30)

    async def test_another_seed_is_another_sound(self, engine: Watched, client: WireClient) -> None:
        told = [
            (await speak(client, ONE, f"c{number}", seed=seed))["cache"]
            for number, seed in enumerate([1, 2, 1])
        ]
        assert told == ["miss", "miss", "hit"] and len(engine.spoken) == 2

    async def test_the_times_of_a_hit_tell_of_no_synthesis(self, client: WireClient) -> None:
        await client.speak(ONE, "a")
        timing = (await client.speak(ONE, "b"))["timing"]
        assert (timing["infer_ms"], timing["queue_ms"], timing["load_ms"]) == (0, 0, 0)


class TestOptingOut:
    async def test_of_a_session(self, engine: Watched, client: WireClient) -> None:
        await client.send("session.start", cache=False)
        for number in range(2):
            assert (await client.speak(ONE, f"c{number}"))["cache"] == "off"
        assert engine.spoken == [ONE, ONE]
        await client.send("session.update", cache=True)
        assert (await client.speak(ONE, "again"))["cache"] == "miss", "nothing of it was kept"

    async def test_of_a_context(self, engine: Watched, client: WireClient) -> None:
        assert (await speak(client, ONE, "a", cache=False))["cache"] == "off"
        assert (await speak(client, ONE, "b"))["cache"] == "miss"
        assert (await speak(client, ONE, "c", cache=False))["cache"] == "off"
        assert (await speak(client, ONE, "d"))["cache"] == "hit"
        assert engine.spoken == [ONE] * 3

    async def test_a_context_of_a_session_that_opted_out_may_opt_in(
        self, engine: Watched, client: WireClient
    ) -> None:
        await client.send("session.start", cache=False)
        assert (await speak(client, ONE, "a", cache=True))["cache"] == "miss"
        assert (await speak(client, ONE, "b", cache=True))["cache"] == "hit"
        assert (await speak(client, ONE, "c"))["cache"] == "off"

    @pytest.mark.parametrize("wrong", ["no", 0, None])
    async def test_it_is_true_or_false(self, client: WireClient, wrong: object) -> None:
        await client.send("context.open", context_id="a", cache=wrong)
        error = await client.until("error")
        assert error["code"] == "invalid_message" and "cache" in error["message"]

    @pytest.mark.parametrize("settings", [{"audio_cache_mb": 0}, {"audio_cache_max": 0}])
    async def test_of_the_server(
        self, engine: Watched, serve_tone: Serve, settings: dict[str, object]
    ) -> None:
        async with serve_tone(**settings) as server, open_client(server.url) as client:
            for number in range(2):
                assert (await client.speak(ONE, f"c{number}"))["cache"] == "off"
        assert engine.spoken == [ONE, ONE]

    async def test_what_one_session_said_serves_the_one_shot_form(
        self, engine: Watched, client: WireClient, server: Server
    ) -> None:
        await client.speak(ONE)
        async with open_client(server.url) as one_shot:
            await one_shot.connection.send(json.dumps({"input": ONE}))
            async with asyncio.timeout(20):
                while isinstance(answer := await one_shot.connection.recv(), bytes):
                    assert answer
            assert json.loads(answer) == {"event": "done"}
        assert engine.spoken == [ONE]


class TestHangingUp:
    async def test_who_hangs_up_takes_the_sound_from_nobody(self, engine: Watched, server: Server) -> None:
        engine.gate.clear()
        async with open_client(server.url) as other:
            async with open_client(server.url) as first:
                await first.send("text", text=ONE)
                await first.send("end")
                await eventually(lambda: bool(engine.spoken))
                await other.send("text", text=ONE)
                await other.send("end")
                await eventually(lambda: server.scheduler.queue_depth == 2)
            await eventually(lambda: server.scheduler.admitted == 1)
            engine.gate.set()
            assert (await other.until("context.done"))["reason"] == "completed"
            assert engine.spoken == [ONE] and packets(other)

    async def test_a_cancel_takes_it_from_nobody(self, engine: Watched, server: Server) -> None:
        engine.gate.clear()
        async with open_client(server.url) as client:
            for name in ("a", "b"):
                await client.send("text", context_id=name, text=ONE)
                await client.send("end", context_id=name)
            await eventually(lambda: server.scheduler.admitted == 2 and bool(engine.spoken))
            await client.send("cancel", context_id="a")
            await client.until("context.cancelled", context_id="a")
            engine.gate.set()
            assert (await client.until("context.done", context_id="b"))["reason"] == "completed"
            assert engine.spoken == [ONE]

    async def test_the_last_who_hangs_up_frees_the_engine(self, engine: Watched, server: Server) -> None:
        engine.gate.clear()
        async with open_client(server.url) as one, open_client(server.url) as other:
            for client in (one, other):
                await client.send("text", text=f"{ONE} {TWO}")
                await client.send("end")
            await eventually(lambda: server.scheduler.queue_depth == 2 and bool(engine.spoken))
        await eventually(lambda: server.scheduler.admitted == 0)
        engine.gate.set()
        await eventually(lambda: not (server.scheduler._held or server.scheduler.stats.open))
        assert engine.spoken == [ONE]


async def test_health_tells_of_it(client: WireClient, server: Server) -> None:
    for number in range(3):
        await client.speak(ONE, f"c{number}")
    async with aiohttp.ClientSession() as http, http.get(server.url + "/health") as answer:
        health = await answer.json()
    assert (health["queue"]["waiting"], health["queue"]["speaking"]) == (0, 0)
    assert health["audio_cache"]["entries"] == 1
    assert (health["audio_cache"]["hits"], health["audio_cache"]["misses"]) == (2, 1)


async def test_in_several_languages_each_sentence_is_found(serve_tone: Serve) -> None:
    """With the voices of the embedded engine: each sentence's voice is that of its language."""
    text = "It is noon in the city. Es ist Mittag in der Stadt. The sun is out and shining."
    async with running(Config(port=0)) as server:
        sounds = []
        for _ in range(2):
            async with open_client(server.url) as client:
                await client.send("session.start", language="auto")
                done = await client.speak(text)
                languages = [message["language"] for message in client.messages("segment")]
                sounds.append((done["cache"], decode(client.frames())))
                assert languages == ["en", "de", "en"]
        assert [cache for cache, _ in sounds] == ["miss", "hit"]
        assert np.array_equal(sounds[0][1], sounds[1][1]) and len(sounds[0][1]) > 48_000


async def test_many_sessions_with_the_same_greeting(engine: Watched, server: Server) -> None:
    async def greet() -> list[Packet]:
        async with open_client(server.url) as client:
            await client.speak(f"{ONE} {TWO}")
            return packets(client)

    everybody = await asyncio.gather(*(greet() for _ in range(20)))
    assert all(each == everybody[0] for each in everybody)
    assert sorted(engine.spoken) == sorted([ONE, TWO])
