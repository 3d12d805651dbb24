"""realtime.js in a real Chromium, with real servers: the tone engine, whose sound and times are exact."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from realtime.app import Server, running
from realtime.client import connect
from tests.web.client_page import OPEN_TONE, ClientPage, client_page

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def server() -> AsyncIterator[Server]:
    async with running(OPEN_TONE) as listening:
        yield listening


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def client(chromium: Browser, server: Server) -> AsyncIterator[ClientPage]:
    async with client_page(chromium, server.url) as page:
        yield page
        assert page.complaints == []


def words_of(facts: dict[str, Any]) -> list[str]:
    for _, text, source, ranged, *_ in facts["words"]:
        assert ranged == text == "".join(list(facts["text"])[slice(*source)])
    return [text for _, text, *_ in facts["words"]]


async def test_tokens_cut_anywhere(client: ClientPage, server: Server) -> None:
    family = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
    text = f"Hi \U0001f600 there, e\u0301te\u0301 {family}. Two\U0001f600 \u4e2d."
    whole = await client.run("tokens", server.url, text, len(text) * 2)
    cut = await client.run("tokens", server.url, text, 1)
    for facts in (whole, cut):
        assert facts["text"] == text
        assert words_of(facts) == ["Hi", "there,", f"e\u0301te\u0301 {family}.", "Two\U0001f600", "\u4e2d."]
        for _, _, source, ranged, *_ in facts["segments"]:
            assert ranged == text[slice(*source)]
    for key in ("frames", "segments", "words"):
        assert cut[key] == whole[key] != []
    assert cut["done"]["audio_ms"] == whole["done"]["audio_ms"]


async def test_the_frames_are_those_of_the_python_client(client: ClientPage, server: Server) -> None:
    text = "One two. Three."
    facts = await client.run("tokens", server.url, text, 3)
    async with connect(server.url) as session:
        context = session.open(seed=1)
        await context.send(text)
        await context.end()
        chunks = [chunk async for chunk in context]
    assert len(chunks) == len(facts["frames"]) > 20
    for chunk, (seq, position, duration, first, last, _, kind, size, digest) in zip(
        chunks, facts["frames"], strict=True
    ):
        assert (seq, position, duration) == (chunk.seq, chunk.position, chunk.duration)
        assert (first, last, kind) == (chunk.first, chunk.last, chunk.kind)
        assert (size, digest) == (len(chunk.payload), _fnv1a(chunk.payload))
    assert facts["order"][:2] == ["opened", "segment"] and facts["order"][-1] == "done"


def _fnv1a(data: bytes) -> int:
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


async def test_halves_of_characters_are_no_text(client: ClientPage, server: Server) -> None:
    told = await client.run("noText", server.url)
    assert told["held"] == "a\ufffdb " and told["text"] == "a\ufffdb \ufffdcd \ufffd"
    assert told["type"] == "context.done" and told["wrong"]["name"] == "TypeError"


async def test_the_life_of_a_context(client: ClientPage, server: Server) -> None:
    told = await client.run("life", server.url)
    assert told["engine"] == "tone" and told["same"] and told["before"] == [None, None]
    assert told["handle"] == 1 and 9 <= told["flushedAt"] < told["frames"]
    assert told["order"][0] == "opened" and told["order"][-1] == "done" and "flushed" in told["order"]
    assert told["last"][4] is True and told["done"]["reason"] == "completed"
    assert told["done"]["last_seq"] == told["frames"] - 1 and told["done"]["timing"]["total_ms"] >= 0
    assert told["late"]["code"] == told["lateFlush"]["error"]["code"] == "context_closed"
    assert 0 < told["ping"] < 5000
    assert told["told"] == ["open"] and told["state"] == "open"


async def test_a_barge_in_is_a_barrier(client: ClientPage, server: Server) -> None:
    told = await client.run("bargeIn", server.url)
    print(told["received"], told["framesThen"])
    assert told["frames"] == told["framesThen"] > 0
    assert told["cut"]["reason"] == "cancelled" and told["cut"]["played_ms"] == 700
    assert (
        told["spoken"]
        == told["cut"]["text_spoken"]
        == "\U0001f600 One two three, \U0001f600 "[: len(told["spoken"])]
    )
    assert told["spoken"].rstrip().endswith("two") and told["cut"]["range"][0] == 0
    assert told["remaining"] == told["cut"]["text_remaining"]
    assert told["text"] == told["spoken"] + told["remaining"]
    assert told["same"] == [True, True] and told["errors"] == []
    assert told["order"][-1] == "cancelled" and told["order"].count("cancelled") == 1
    assert told["never"]["error"]["code"] == told["lateFlush"]["error"]["code"] == "context_closed"


async def test_a_cancel_after_the_end(client: ClientPage, server: Server) -> None:
    told = await client.run("cancelAfterDone", server.url)
    assert told["cut"]["text_spoken"] == "One " and told["finished"]
    assert told["order"][-2:] == ["done", "cancelled"]


async def test_silence_for_all(client: ClientPage, server: Server) -> None:
    told = await client.run("cancelAll", server.url)
    assert [each["context_id"] for each in told["all"]] == ["context-1", "context-2", "context-3"]
    assert told["all"][0]["text_spoken"] == "One " and told["all"][1]["text_spoken"] == ""
    assert told["finished"] == ["context.done", "context.cancelled", "context.cancelled"]
    assert told["frames"] == told["framesThen"] and told["again"] == 0


async def test_one_in_the_place_of_all(client: ClientPage, server: Server) -> None:
    told = await client.run("preempt", server.url, "tone")
    assert told["reason"] == "preempted" and told["frames"] == told["framesThen"]
    assert told["others"] > 5 and told["other"]["value"]["reason"] == "completed"
    told = await client.run("preempt", server.url, "nobody")
    assert told["reason"] == "cancelled" and told["frames"] == told["framesThen"] and told["others"] == 0
    assert told["other"]["error"]["code"] == told["late"]["code"] == "unknown_voice"


async def test_settings_that_cannot_be(client: ClientPage, server: Server) -> None:
    told = await client.run("refusals", server.url)
    assert told["wrong"] == ["invalid_message"] * 6
    for refusal in ("refused", "cancel", "updated"):
        assert told[refusal]["error"]["code"] == "unknown_voice"
    assert told["refused"]["error"]["contextId"] == told["id"]
    assert told["frame_ms"] == [60, 60, 60]
    assert told["framesOfNobody"] == 0 and told["order"] == ["error"] and told["told"] == ["open"]


async def test_long_texts(client: ClientPage, server: Server) -> None:
    told = await client.run("long", server.url)
    most = told["limits"]["text_bytes_per_message"]
    assert len(told["before"]) == 8 and max(told["before"]) < 4096 + 100
    assert len(told["after"]) == 2 and max(told["after"]) < most + 100
    assert None not in told["ok"]
    assert told["finished"]["error"]["code"] == told["late"]["code"] == "text_too_long"
    assert [each["code"] for each in told["errors"]] == ["text_too_long"]
    assert told["cancel"]["value"]["type"] == "context.cancelled"


async def test_a_cough(client: ClientPage, server: Server) -> None:
    told = await client.run("cough", server.url)
    assert told["whilePaused"] == 0 and told["frames"] > 15
    assert told["type"] == "context.done" and told["errors"] == []


async def test_sound_comes_as_it_is_heard(client: ClientPage, server: Server) -> None:
    told = await client.run("credit", server.url)
    assert 50 <= told["sent"] < told["frames"]
    assert "flow" in told["order"] and told["reason"] == "completed" and told["wrong"] == "invalid_message"


@pytest.mark.parametrize("waits", [True, False])
async def test_what_is_said_last_is_said_to_its_end(client: ClientPage, server: Server, waits: bool) -> None:
    told = await client.run("closing", server.url, True, waits)
    assert told["frames"] > 30 and told["finished"]["value"]["reason"] == "completed"
    assert told["told"] == ["open", "closed"] and told["ready"] is None
    if waits:
        # By then the server may have read that, or have closed.
        assert told["late"]["error"]["code"] in ("context_closed", "session_closed")
    assert told["opening"]["code"] == told["sending"]["code"] == "session_closed"
    assert [each["error"]["code"] for each in told["calls"]] == ["session_closed"] * 3


async def test_what_is_said_last_is_dropped(client: ClientPage, server: Server) -> None:
    told = await client.run("closing", server.url, False, True)
    assert told["finished"]["value"]["type"] == "context.cancelled" and told["told"] == ["open", "closed"]
    told = await client.run("closing", server.url, False, False)
    assert told["finished"]["error"]["code"] == told["ready"] == "session_closed"
    assert told["frames"] == 0 and told["told"] == ["closed"]
