"""Connections that are cut off, and sessions that are taken up again, on the wire: not a frame is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from realtime.app import Server
from realtime.session.frames import Frame
from realtime.types import FrameFlags
from tests.conftest import Serve
from tests.wire_client import WireClient, eventually, open_client

TEXT = "One two three, four five six. Seven eight nine ten! Eleven, twelve."
FORMATS = [["opus"], ["pcm_s16le"], ["webm_opus"], ["ogg_opus"], ["mulaw"]]


@pytest.fixture
async def server(serve_tone: Serve) -> AsyncIterator[Server]:
    """A server that waits for clients that are lost."""
    async with serve_tone(resume_window_s=30, max_lead_ms=10_000) as listening:
        yield listening


def cut_off(client: WireClient) -> None:
    """As a network that is gone: nothing more is sent, no close frame either."""
    client.connection.transport.abort()


def last_of(*clients: WireClient) -> dict[str, int]:
    """What has been received."""
    return {
        str(frame.handle): max(each.packet.seq for each in client.frames(frame.handle))
        for client in clients
        for frame in client.frames()
    }


def plain(*clients: WireClient) -> list[Frame]:
    """All frames, without the mark of those that were sent again."""
    return [
        replace(frame, packet=replace(frame.packet, flags=frame.packet.flags & ~FrameFlags.REPLAYED))
        for client in clients
        for frame in client.frames()
    ]


async def begin(client: WireClient, **start: Any) -> dict[str, Any]:
    await client.send("session.start", **start)
    return await client.until("session.ready")


async def resume(client: WireClient, ready: dict[str, Any], last: dict[str, int]) -> dict[str, Any]:
    """Ask for the session of `ready`; the first answer."""
    asks = {"session_id": ready["session_id"], "token": ready["resume_token"], "last": last}
    await client.send("session.start", resume=asks)
    answer = await client.receive()
    assert isinstance(answer, dict)
    return answer


async def said(client: WireClient, text: str = TEXT, **fields: Any) -> None:
    await client.send("context.open", seed=7, **fields)
    await client.send("text", text=text)
    await client.send("end")


class TestBitForBit:
    @pytest.mark.parametrize("formats", FORMATS)
    @pytest.mark.parametrize("cut", [1, 9])
    async def test_the_same_frames_as_without_a_cut(
        self, server: Server, formats: list[str], cut: int
    ) -> None:
        async with open_client(server.url) as whole:
            await begin(whole, formats=formats, cache=False)
            await said(whole)
            done = await whole.until("context.done")
        async with open_client(server.url) as first:
            ready = await begin(first, formats=formats, cache=False)
            await said(first)
            for _ in range(cut):
                await first.until_frame()
            cut_off(first)
        async with open_client(server.url) as second:
            again = await resume(second, ready, last_of(first))
            assert (again["type"], again["resumed"]) == ("session.ready", True)
            assert again["format"] == formats[0]
            assert (await second.until("context.done"))["last_seq"] == done["last_seq"]
            assert plain(first, second) == plain(whole)
            marks = [FrameFlags.REPLAYED in frame.packet.flags for frame in second.frames()]
            assert marks == sorted(marks, reverse=True), "what is new comes after what is sent again"

    async def test_cut_again_and_again(self, server: Server) -> None:
        async with open_client(server.url) as whole:
            await begin(whole)
            await said(whole)
            await whole.until("context.done")
        clients: list[WireClient] = []
        ready: dict[str, Any] = {}
        while not clients or not clients[-1].messages("context.done"):
            assert len(clients) < 100
            async with open_client(server.url) as client:
                if clients:
                    ready = await resume(client, ready, last_of(*clients))
                    assert ready["type"] == "session.ready"
                else:
                    ready = await begin(client)
                    await said(client)
                clients.append(client)
                while len(client.frames()) < 40 and not client.messages("context.done"):
                    await client.receive()
                cut_off(client)
        assert len(clients) > 2
        assert plain(*clients) == plain(whole)

    async def test_text_is_sent_again_from_where_it_was_received_and_not_spoken_twice(
        self, server: Server
    ) -> None:
        text = "Wait 👍 for it, né? Then the rest of it comes."
        async with open_client(server.url) as whole:
            await begin(whole)
            await whole.speak(text)
        async with open_client(server.url) as first:
            ready = await begin(first)
            await first.send("text", text=text[:21])
            await first.pong()
            cut_off(first)
        async with open_client(server.url) as second:
            again = await resume(second, ready, last_of(first))
            (report,) = again["contexts"]
            assert (report["state"], report["text_received"]) == ("open", 21)
            await second.send("text", text=text[report["text_received"] :])
            await second.send("end")
            await second.until("context.done")
            spoken = [m["text"] for client in (first, second) for m in client.messages("segment")]
            assert spoken == [m["text"] for m in whole.messages("segment")]
            assert plain(first, second) == plain(whole)

    async def test_the_messages_among_the_frames_come_again_in_their_order(self, server: Server) -> None:
        async with open_client(server.url) as whole:
            await begin(whole, timestamps="word")
            await said(whole)
            await whole.until("context.done")
        async with open_client(server.url) as first:
            ready = await begin(first, timestamps="word")
            await said(first)
            for _ in range(5):
                await first.until_frame()
            cut_off(first)
        async with open_client(server.url) as second:
            await resume(second, ready, last_of(first))
            await second.until("context.done")
        kinds = ("segment", "words", "context.done")
        want = [_kind(item) for item in whole.received if _kind(item)[0] in ("frame", *kinds)]
        got = [_kind(item) for item in [*first.received, *second.received]]
        got = [each for each in dict.fromkeys(got) if each[0] in ("frame", *kinds)]
        assert got == list(dict.fromkeys(want))

    async def test_it_is_resumed_after_a_close_that_is_no_goodbye(self, server: Server) -> None:
        async with open_client(server.url) as first:
            ready = await begin(first)
            await first.connection.close(1001)
        async with open_client(server.url) as second:
            assert (await resume(second, ready, {}))["resumed"] is True


def _kind(item: dict[str, Any] | Frame) -> tuple[str, object]:
    if isinstance(item, Frame):
        return "frame", item.packet.seq
    timeless = {key: value for key, value in item.items() if key not in ("timing", "cache")}
    return item["type"], repr(sorted(timeless.items()))


class TestRefused:
    async def test_a_wrong_token_and_then_a_usable_session(self, server: Server) -> None:
        async with open_client(server.url) as first:
            ready = await begin(first)
            await said(first)
            await first.until_frame()
            cut_off(first)
        async with open_client(server.url) as second:
            error = await resume(second, ready | {"resume_token": "guess"}, {})
            assert (error["type"], error["code"], error["fatal"]) == ("error", "resume_failed", False)
            assert "context_id" not in error and "handle" not in error
            fresh = await second.until("session.ready")
            assert fresh["session_id"] != ready["session_id"]
            assert "resumed" not in fresh and "contexts" not in fresh
            assert (await second.speak("Hello."))["reason"] == "completed"
        async with open_client(server.url) as third:  # the right one still works
            assert (await resume(third, ready, last_of(first)))["resumed"] is True
            await third.until("context.done")

    async def test_a_seq_from_the_future(self, server: Server) -> None:
        async with open_client(server.url) as first, open_client(server.url) as second:
            ready = await begin(first)
            await first.speak("Hi.")
            error = await resume(second, ready, {"1": 100_000})
            assert error["code"] == "resume_failed"
            await second.until("session.ready")
            await first.pong()  # it has kept its session

    async def test_too_late(self, serve_tone: Serve) -> None:
        async with serve_tone(resume_window_s=0.05) as server:
            async with open_client(server.url) as first:
                ready = await begin(first)
                await said(first)
                await first.until_frame()
                cut_off(first)
            await eventually(lambda: not server.registry.count)
            assert not server.scheduler.admitted, "the engine is freed"
            async with open_client(server.url) as second:
                assert (await resume(second, ready, {}))["code"] == "resume_failed"

    async def test_after_a_goodbye(self, server: Server) -> None:
        async with open_client(server.url) as first:
            ready = await begin(first)
        await eventually(lambda: not server.registry.count)
        async with open_client(server.url) as second:
            assert (await resume(second, ready, {}))["code"] == "resume_failed"

    @pytest.mark.parametrize("last", [None, [], {"x": 1}, {"1": "2"}, {"1": -1}])
    async def test_what_is_malformed_is_an_invalid_message(self, server: Server, last: object) -> None:
        async with open_client(server.url) as first, open_client(server.url) as second:
            ready = await begin(first)
            asks = {"session_id": ready["session_id"], "token": ready["resume_token"], "last": last}
            await second.send("session.start", resume=asks)
            assert (await second.until("error"))["code"] == "invalid_message"
            assert (await resume(second, ready, {}))["resumed"] is True


class TestTakenOver:
    async def test_the_old_socket_is_closed_with_4001(self, server: Server) -> None:
        async with open_client(server.url) as first, open_client(server.url) as second:
            ready = await begin(first)
            await said(first)
            await first.until_frame()
            assert (await resume(second, ready, last_of(first)))["resumed"] is True
            await second.until("context.done")
            with pytest.raises(Exception, match="4001"):
                while True:
                    await first.receive()
            assert server.registry.count == 1

    async def test_one_that_takes_nothing_is_taken_over_as_well(self, server: Server) -> None:
        """As a connection that is half open: its sound waits in the server."""
        async with open_client(server.url, max_queue=1) as first, open_client(server.url) as second:
            ready = await begin(first, formats=["pcm_s16le"], sample_rate=48_000, max_lead_ms=0)
            await said(first, TEXT * 20)
            await first.until_frame()
            assert (await resume(second, ready, last_of(first)))["resumed"] is True
            done = await second.until("context.done")
            seqs = [frame.packet.seq for frame in second.frames()]
            assert seqs == list(range(1, done["last_seq"] + 1))
            cut_off(first)


class TestLimits:
    async def test_who_is_lost_counts_and_makes_room(self, serve_tone: Serve) -> None:
        async with serve_tone(max_sessions=1, resume_window_s=30) as server:
            async with open_client(server.url) as first:
                ready = await begin(first)
                cut_off(first)
            await eventually(lambda: server.registry.detached == 1)
            async with open_client(server.url) as second:
                await begin(second)
            await eventually(lambda: not server.registry.count)
            async with open_client(server.url) as third:
                assert (await resume(third, ready, {}))["code"] == "resume_failed"

    async def test_a_full_server_lets_who_is_lost_come_back(self, serve_tone: Serve) -> None:
        async with serve_tone(max_sessions=1, resume_window_s=30) as server:
            async with open_client(server.url) as first:
                ready = await begin(first)
                cut_off(first)
            await eventually(lambda: server.registry.detached == 1)
            async with open_client(server.url) as second:
                assert (await resume(second, ready, {}))["resumed"] is True
                assert (await second.speak("Hi."))["reason"] == "completed"

    async def test_the_server_stops_without_waiting_for_who_is_lost(self, serve_tone: Serve) -> None:
        async with serve_tone(resume_window_s=30) as server:
            async with open_client(server.url) as first:
                await begin(first)
                await said(first, TEXT * 50)
                await first.until_frame()
                cut_off(first)
            await eventually(lambda: server.registry.detached == 1)
            await server.registry.drain(1000)
            assert server.registry.count == 0


class TestRate:
    async def test_a_flood_is_answered_in_full_and_nobody_beside_it_notices(self, server: Server) -> None:
        count = 10_000
        async with open_client(server.url) as alone:
            await begin(alone)
            await said(alone)
            await alone.until("context.done")
        async with open_client(server.url) as flood, open_client(server.url) as beside:
            await begin(flood)
            await begin(beside)
            sending = asyncio.create_task(_flood(flood, count))
            pongs = 0

            async def answers() -> None:
                nonlocal pongs
                while pongs < count:
                    item = await flood.receive()
                    pongs += isinstance(item, dict) and item["type"] == "pong"

            answered = asyncio.create_task(answers())
            await flood_has_begun(lambda: pongs)
            await said(beside)
            await beside.until("context.done")
            await beside.pong()
            assert pongs < count, "it was served while the flood was"
            await asyncio.gather(sending, answered)
            assert plain(beside) == plain(alone)
            assert [message["t"] for message in flood.messages("pong")] == list(range(count))
            limited = flood.messages("error")
            assert {error["code"] for error in limited} == {"rate_limited"}
            assert all(error["retry_after_ms"] > 0 and not error["fatal"] for error in limited)
            assert len(limited) < 20
            assert (await flood.speak("Still here."))["reason"] == "completed"


async def _flood(client: WireClient, count: int) -> None:
    for number in range(count):
        await client.send("ping", t=number)


async def flood_has_begun(pongs: Callable[[], int]) -> None:
    await eventually(lambda: pongs() > 100)


async def test_text_that_an_outage_keeps_away_is_waited_for(
    serve_tone: Serve,
) -> None:
    """Who is silent for a second has what is held spoken; but not who has no connection."""
    async with serve_tone(resume_window_s=30.0, text_wait_ms=200) as server:
        async with open_client(server.url) as client:
            await client.send("session.start")
            ready = await client.until("session.ready")
            await client.send("text", text="Please come ")
            await client.until("context.opened")
            client.connection.transport.abort()
        await eventually(lambda: server.registry.detached == 1)
        await asyncio.sleep(1.0)
        async with open_client(server.url) as client:
            resume = {"session_id": ready["session_id"], "token": ready["resume_token"], "last": {}}
            await client.send("session.start", resume=resume)
            told = await client.until("session.ready")
            assert told["contexts"][0]["text_received"] == len("Please come ")
            await client.send("text", text="at noon.")
            await client.send("end")
            await client.until("context.done")
            assert [message["text"] for message in client.messages("segment")] == ["Please come at noon."]
