"""How far sound runs ahead of its listener, on the wire."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from realtime.app import Server
from realtime.session.frames import Frame
from tests.conftest import Serve
from tests.wire_client import WireClient, open_client

#: Some five seconds of the tone engine's speech.
TEXT = "One two three, four five six. Seven eight nine ten! Eleven, twelve. And so on, as it goes. "
FRAME_MS = 20.0


def end_ms(frame: Frame) -> float:
    return (frame.packet.position + frame.packet.duration) / 48


async def said(client: WireClient, context_id: str = "a", text: str = TEXT) -> None:
    await client.send("text", context_id=context_id, text=text)
    await client.send("end", context_id=context_id)


def flows(client: WireClient) -> list[tuple[int, str]]:
    return [(message["handle"], message["state"]) for message in client.messages("flow")]


async def test_a_listener_that_reports_is_credited_by_its_reports(server: Server) -> None:
    """It plays only when the test says so; what is sent is never further ahead than it may be."""
    limit = 700
    async with open_client(server.url) as client:
        await client.send("session.start", max_lead_ms=limit)
        assert (await client.until("session.ready"))["max_lead_ms"] == limit
        loop, played_ms, told_at = asyncio.get_running_loop(), 0.0, asyncio.get_running_loop().time()
        await said(client)
        sent_ms = 0.0
        while True:
            item = await client.receive()
            if isinstance(item, Frame):
                sent_ms = end_ms(item)
                moved_ms = min(2000.0, (loop.time() - told_at) * 1000)  # the clock runs on from a report
                assert sent_ms - played_ms <= limit + FRAME_MS + moved_ms
            elif item["type"] == "flow" and item["state"] == "paused":
                played_ms, told_at = sent_ms - 100, loop.time()
                await client.send("playback", context_id="a", played_ms=played_ms)
            elif item["type"] == "context.done":
                break
        states = [state for _, state in flows(client)]
        assert states == ["paused", "resumed"] * (len(states) // 2)
        assert len(states) >= 4
        assert sent_ms == pytest.approx(item["audio_ms"], abs=0.01)


async def test_a_listener_that_reports_nothing_is_credited_by_the_clock(server: Server) -> None:
    limit = 1000
    async with open_client(server.url) as client:
        await client.send("session.start", max_lead_ms=limit)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await said(client)
        while not client.messages("context.done"):
            item = await client.receive()
            if isinstance(item, Frame):
                assert end_ms(item) - (loop.time() - begun) * 1000 <= limit + FRAME_MS
        assert client.messages("context.done")[0]["reason"] == "completed"
        assert flows(client)[:2] == [(1, "paused"), (1, "resumed")]


async def test_a_listener_that_has_stopped_gets_no_more_until_it_goes_on(server: Server) -> None:
    """One report, and then none: the clock runs on for two seconds, and waits."""
    async with open_client(server.url) as client:
        await client.send("session.start", max_lead_ms=500)
        await said(client)
        await client.until("flow", state="paused")
        await client.send("pause", context_id="a")
        await client.pong()
        count = len(client.frames())
        for _ in range(5):
            await asyncio.sleep(0.1)
            await client.pong()
        assert len(client.frames()) == count
        await client.send("continue", context_id="a")
        await client.until("flow", state="resumed")
        await client.send("playback", context_id="a", played_ms=1e9)
        await client.until_frame()
        await client.send("cancel", context_id="a")
        await client.until("context.cancelled")


async def test_the_lead_is_of_all_contexts_together_and_a_cancel_frees_it(server: Server) -> None:
    async with open_client(server.url) as client:
        await client.send("session.start", max_lead_ms=2000)
        await said(client, "a", "One two.")
        await said(client, "b")
        paused = await client.until("flow", state="paused")
        assert paused["context_id"] == "b"
        sent_ms = sum(frame.packet.duration for frame in client.frames()) / 48
        assert 2000 <= sent_ms
        await client.send("cancel", context_id="b")
        await client.until("context.cancelled", context_id="b")
        await said(client, "c")
        frame = await client.until_frame()
        assert frame.handle == 3


async def test_without_a_limit_all_comes_at_once_and_nothing_is_told(server: Server) -> None:
    async with open_client(server.url) as client:
        await client.send("session.start", max_lead_ms=0)
        await client.speak(TEXT)
        assert flows(client) == []


async def test_the_limit_may_be_changed_while_it_speaks(server: Server) -> None:
    async with open_client(server.url) as client:
        await client.send("session.start", max_lead_ms=300)
        await said(client)
        await client.until("flow", state="paused")
        await client.send("session.update", max_lead_ms=0)
        assert (await client.until("session.ready", max_lead_ms=0))["type"] == "session.ready"
        await client.until("context.done")
        assert flows(client)[-1] == (1, "resumed")


@pytest.mark.parametrize("limit", [1, 20, 50])
async def test_tiny_limits_send_frame_by_frame(server: Server, limit: int) -> None:
    async with open_client(server.url) as client:
        await client.send("session.start", max_lead_ms=limit)
        await said(client, text="One.")
        assert (await client.until("context.done"))["reason"] == "completed"


async def test_messages_are_answered_while_it_waits(server: Server) -> None:
    async with open_client(server.url) as client:
        await client.send("session.start", max_lead_ms=200)
        await said(client)
        await client.until("flow", state="paused")
        await client.pong()
        await client.send("cancel", context_id="*")
        await client.until("context.cancelled", context_id="*")


async def test_the_server_s_limit_holds_where_the_client_asks_for_none(serve_tone: Serve) -> None:
    async with serve_tone(max_lead_ms=300) as server, open_client(server.url) as client:
        ready: dict[str, Any] = {}
        await said(client)
        ready = await client.until("session.ready")
        assert ready["max_lead_ms"] == 300
        await client.until("flow", state="paused")


async def test_what_is_thrown_away_by_a_barge_in_is_bounded(server: Server) -> None:
    """Of a long text no more has been made than the listener may be ahead, and a segment."""
    async with open_client(server.url) as client:
        await client.send("session.start", max_lead_ms=1000)
        await said(client, text=TEXT * 20)
        await client.until("flow", state="paused")
        await client.send("cancel", context_id="a")
        cancelled = await client.until("context.cancelled")
        sent_ms = sum(frame.packet.duration for frame in client.frames()) / 48
        assert sent_ms <= 1000 + FRAME_MS + cancelled["played_ms"]
