"""A real aiortc peer: it hears what its data channel asked for, and both ends leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import pairwise

import numpy as np
import pytest

from realtime.app import Server
from realtime.audio.opus import silent_packet
from tests.conftest import Serve
from tests.rtc_client import RtcClient, rtc_client
from tests.wire_client import eventually

TICKS = 960
#: Some 12 s of sound.
LONG = "And so it went on and on, as such things go. " * 6


def audible(client: RtcClient) -> list[int]:
    """Numbers of the packets that are no silence."""
    return [n for n, packet in enumerate(client.packets) if packet.payload != silent_packet()]


async def until_gone(server: Server) -> None:
    """No session and no peer is left."""
    assert server.peers is not None
    peers = server.peers
    await eventually(lambda: not server.registry.count and not peers.count)


async def test_text_goes_in_and_sound_comes_out(server: Server) -> None:
    async with rtc_client(server.url) as client:
        await client.connect()
        client.send(type="session.start", timestamps="word")
        ready = await client.until("session.ready")
        assert (ready["audio"], ready["format"], ready["frame_ms"]) == ("rtc", "opus", 20)
        assert ready["limits"]["message_bytes"] == 256 * 1024
        client.send(type="text", text="One two three. ")
        client.send(type="end")
        done = await client.until("context.done")
        ended = await client.until("playback", state="ended")
        assert ended["played_ms"] == done["audio_ms"]
        assert [word["text"] for m in client.messages if m["type"] == "words" for word in m["words"]] == [
            "One",
            "two",
            "three.",
        ]
        await client.until_packets(audible(client)[-1] + 20)
        heard = audible(client)
        # Each packet of the pipeline once, in a row: no second encoding, nothing between.
        assert len(heard) == done["last_seq"] + 1
        assert heard[-1] - heard[0] == done["last_seq"]
        assert client.packets[heard[0]].marker and not client.packets[heard[1]].marker
        assert np.abs(client.sound()).max() > 0.05


async def test_the_rtp_clock_runs_through(server: Server) -> None:
    """Silence, sound, silence: 20 ms for every packet; what a busy machine leaves out, it leaves time for."""
    async with rtc_client(server.url) as client:
        await client.connect()
        client.send(type="text", text="One. ")
        client.send(type="end")
        await client.until("playback", state="ended")
        await client.until_packets(60)
        for one, following in pairwise(client.packets):
            ticks = (following.timestamp - one.timestamp) % 2**32
            assert ticks == TICKS or (ticks % TICKS == 0 and ticks > 5 * TICKS)
            assert (following.sequence - one.sequence) % 2**16 == 1


async def test_contexts_follow_each_other_with_a_silence_between(server: Server) -> None:
    async with rtc_client(server.url) as client:
        await client.connect()
        for name in ("a", "b"):
            client.send(type="text", context_id=name, text="One two. ")
            client.send(type="end", context_id=name)
        await client.until("playback", context_id="b", state="ended")
        await client.until_packets(audible(client)[-1] + 20)
        heard = audible(client)
        gaps = [b - a for a, b in pairwise(heard)]
        assert sorted(gaps)[-2:] == [1, 2], "one packet between the two"


async def test_sound_goes_out_in_real_time_and_not_ahead(serve_tone: Serve) -> None:
    """Of 12 s that are made at once, the track sends as much as time has passed."""
    async with serve_tone(max_lead_ms=10_000) as server, rtc_client(server.url) as client:
        await client.connect()
        client.send(type="text", text=LONG)
        client.send(type="end")
        first = await client.until("playback", state="playing")
        later = await client.until("playback", played_ms=first["played_ms"] + 2000)
        heard = audible(client)
        assert abs(len(heard) - later["played_ms"] / 20) < 15
        flow = await client.until("flow")
        assert flow["state"] == "paused", "what is ahead is bounded by the lead, as over sockets"


async def test_a_barge_in_says_what_was_heard_and_is_silent_at_once(serve_tone: Serve) -> None:
    """To the word: what has left is heard, what has not is dropped."""
    async with serve_tone(max_lead_ms=10_000) as server, rtc_client(server.url) as client:
        await client.connect()
        client.send(type="session.start", timestamps="word")
        client.send(type="text", text=LONG)
        client.send(type="end")
        await client.until("playback", played_ms=1013.5)
        client.send(type="cancel")
        cut = await client.until("context.cancelled")
        await client.until_packets(len(client.packets) + 15)
        heard = audible(client)
        # The pre-skip is no part of the timeline: the first packet is shorter by it.
        assert cut["played_ms"] == len(heard) * 20 - 6.5
        words = [word for m in client.messages if m["type"] == "words" for word in m["words"]]
        spoken = [word["text"] for word in words if word["end_ms"] <= cut["played_ms"]]
        assert cut["text_spoken"].split() == spoken
        assert cut["text_spoken"] + cut["text_remaining"] == LONG
        assert heard[-1] < len(client.packets) - 10, "silence follows"
        # The next one speaks as if nothing had been.
        client.send(type="context.open")
        client.send(type="text", text="One. ")
        client.send(type="end")
        assert (await client.until("context.done"))["reason"] == "completed"


async def test_a_context_that_was_sent_to_its_end_can_be_cancelled_while_it_is_heard(server: Server) -> None:
    async with rtc_client(server.url) as client:
        await client.connect()
        client.send(type="text", text="One two three four five six seven eight. ")
        client.send(type="end")
        await client.until("context.done")
        await client.until("playback", state="playing")
        client.send(type="cancel")
        cut = await client.until("context.cancelled")
        assert 0 < cut["played_ms"] < 2000 and cut["text_remaining"]
        await client.until_packets(len(client.packets) + 10)
        assert len(audible(client)) * 20 - 6.5 == cut["played_ms"]


async def test_a_pause_holds_it_and_it_goes_on_from_there(server: Server) -> None:
    async with rtc_client(server.url) as client:
        await client.connect()
        client.send(type="text", text="One two three four five six. ")
        client.send(type="end")
        done = await client.until("context.done")
        await client.until("playback", state="playing")
        client.send(type="pause")
        waiting = await client.until("playback", state="waiting")
        held = len(audible(client))
        await client.until_packets(len(client.packets) + 20)
        assert len(audible(client)) == held
        client.send(type="continue")
        ended = await client.until("playback", state="ended")
        assert waiting["played_ms"] < ended["played_ms"] == done["audio_ms"]
        await client.until_packets(audible(client)[-1] + 3)
        assert len(audible(client)) == done["last_seq"] + 1


async def test_preempt_silences_what_is_queued(serve_tone: Serve) -> None:
    async with serve_tone(max_lead_ms=10_000) as server, rtc_client(server.url) as client:
        await client.connect()
        client.send(type="text", context_id="a", text=LONG)
        await client.until("playback", context_id="a", state="playing")
        client.send(type="context.open", context_id="b", on_conflict="preempt")
        client.send(type="text", context_id="b", text="Stop. ")
        client.send(type="end", context_id="b")
        assert (await client.until("context.cancelled", context_id="a"))["reason"] == "preempted"
        await client.until("playback", context_id="b", state="ended")


async def test_the_session_is_closed_when_all_was_heard(server: Server) -> None:
    """And not when all was sent to the track, which is seconds before."""
    async with rtc_client(server.url) as client:
        await client.connect()
        client.send(type="text", text="One two three four. ")
        client.send(type="session.close")
        done = await client.until("context.done")
        channel = client.channel
        assert channel is not None
        await eventually(lambda: channel.readyState != "open")
        assert len(audible(client)) == done["last_seq"] + 1
        await client.until_closed()
        await until_gone(server)


async def test_delete_ends_the_session_and_the_connection(server: Server) -> None:
    async with rtc_client(server.url) as client:
        await client.connect()
        client.send(type="text", text=LONG)
        await client.until("playback", state="playing")
        assert await client.hang_up() == 204
        await client.until_closed()
        await until_gone(server)
        assert await client.hang_up() == 404, "it is over"


async def test_who_closes_the_connection_ends_the_session(serve_tone: Serve) -> None:
    """It is not waited for: only who is lost is."""
    async with serve_tone(resume_window_s=30) as server, rtc_client(server.url) as client:
        await client.connect()
        client.send(type="text", text=LONG)
        await client.until("playback", state="playing")
        await client.pc.close()
        await until_gone(server)


async def test_who_closes_the_encryption_alone_ends_the_session(serve_tone: Serve) -> None:
    """As some clients do, without a word on the channel."""
    async with serve_tone(resume_window_s=30) as server, rtc_client(server.url) as client:
        await client.connect()
        client.send(type="text", text=LONG)
        await client.until("playback", state="playing")
        (receiver,) = client.pc.getReceivers()
        await receiver.transport.stop()
        await until_gone(server)


async def test_a_peer_that_takes_no_message_is_left(server: Server) -> None:
    async with rtc_client(server.url) as client:
        offer = (await client.offer()).replace("a=max-message-size:262144", "a=max-message-size:10")
        await client.accept(await (await client.post(offer)).text())
        client.send(type="session.start")
        await client.until_closed()
        await until_gone(server)


async def test_a_session_that_is_closed_can_still_be_cancelled(serve_tone: Serve) -> None:
    async with serve_tone(max_lead_ms=10_000) as server, rtc_client(server.url) as client:
        await client.connect()
        client.send(type="text", text="One two three four five six seven eight. ")
        client.send(type="session.close")
        await client.until("context.done")
        await client.until("playback", state="playing")
        client.send(type="cancel", played_ms=100_000)
        cut = await client.until("context.cancelled")
        assert cut["played_ms"] < 2000 and cut["text_remaining"]
        await client.until_closed()
        assert len(audible(client)) * 20 - 6.5 == cut["played_ms"]


async def test_a_server_that_stops_says_so_and_closes(serve_tone: Serve) -> None:
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(serve_tone())
        client = await stack.enter_async_context(rtc_client(server.url))
        await client.connect()
        client.send(type="text", text="One two three. ")
        await client.until("playback", state="playing")
        draining = asyncio.create_task(server.drain(10))
        assert (await client.until("session.closing"))["reason"] == "shutdown"
        client.send(type="end")
        done = await client.until("context.done")
        await draining
        await client.until_closed()
        assert len(audible(client)) == done["last_seq"] + 1, "all of it was heard"


@pytest.mark.parametrize("message", ["{", '{"type": "nonsense"}', '{"type": "text", "text": 1}'])
async def test_a_wrong_message_is_answered_and_disturbs_nothing(server: Server, message: str) -> None:
    async with rtc_client(server.url) as client:
        await client.connect()
        assert client.channel is not None
        client.channel.send(message)
        assert (await client.until("error"))["code"] == "invalid_message"
        client.send(type="text", text="One. ")
        client.send(type="end")
        await client.until("playback", state="ended")


async def test_a_binary_message_is_answered(server: Server) -> None:
    async with rtc_client(server.url) as client:
        await client.connect()
        assert client.channel is not None
        client.channel.send(b"\x00\x01")
        error = await client.until("error")
        assert error["code"] == "invalid_message" and "binary" in error["message"]


async def test_many_large_messages_arrive_whole_and_in_order(server: Server) -> None:
    """More than waits to be read at once: the sender is held up, and nothing is lost."""
    async with rtc_client(server.url) as client:
        await client.connect()
        client.send(type="session.start")
        await client.until("session.ready")
        for number in range(40):
            client.send(type="ping", t=f"{number} " + "x" * 60_000)
        await client.until("pong", t="39 " + "x" * 60_000)
        numbers = [m["t"].split()[0] for m in client.messages if m["type"] == "pong"]
        assert numbers == [str(number) for number in range(40)]
