"""A listener that takes nothing slows the server down; answers come through all the same."""

from __future__ import annotations

import asyncio
import gc

import pytest

from realtime.app import Server
from realtime.client import Context, Session, connect
from realtime.session import messages as wire
from tests.client.scripted import Script, cancelled, scripted
from tests.wire_client import eventually

#: 2,000 frames of 16 KiB: many times what the kernel holds for a connection.
FLOOD, FRAME_BYTES, FRAME_MS = 2_000, 16 * 1024, 20
MAX_MS = 400


class Flood:
    """A server that sends a context's frames as fast as they are taken, and answers while it does."""

    def __init__(self) -> None:
        self.sent = 0

    async def __call__(self, script: Script) -> None:
        await script.start()
        context_id = await script.open(1)
        sending = asyncio.create_task(self._send(script, context_id))
        try:
            while True:
                cancel = await script.until(wire.Cancel)
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
                await script.send(cancelled(cancel.context_id, 1, "Hello"))
        finally:
            sending.cancel()

    async def _send(self, script: Script, context_id: str) -> None:
        for seq in range(FLOOD):
            await script.frame(1, seq, FRAME_BYTES)
            self.sent = seq + 1
        await script.done(context_id, 1)


async def _stuck(session: Session, flood: Flood, url: str) -> int:
    """Waits until the server cannot send more; returns how many frames it has sent."""
    await eventually(lambda: session.buffered_ms >= MAX_MS)
    sent = -1
    async with connect(url) as other:
        while sent != flood.sent:
            sent = flood.sent
            for _ in range(100):  # the server has its turns, and the kernel has room or not
                await other.ping()
    return sent


async def _begun(session: Session) -> Context:
    context = session.open()
    await context.send("Hello.")
    return context


async def test_the_socket_is_read_no_more_and_nothing_is_lost() -> None:
    flood = Flood()
    async with scripted(flood) as url, connect(url, max_buffered_ms=MAX_MS) as session:
        context = await _begun(session)
        assert await _stuck(session, flood, url) < FLOOD
        assert session.buffered_ms == MAX_MS
        seqs = []
        async for chunk in context:
            seqs.append(chunk.seq)
            assert session.buffered_ms <= MAX_MS
        assert seqs == list(range(FLOOD)) and session.buffered_ms == 0


async def test_a_cancel_comes_through() -> None:
    flood = Flood()
    async with scripted(flood) as url, connect(url, max_buffered_ms=MAX_MS) as session:
        context = await _begun(session)
        await _stuck(session, flood, url)
        assert (await context.cancel()).text_spoken == "Hello"
        assert [chunk async for chunk in context] == [] and session.buffered_ms == 0


async def test_a_ping_comes_through_and_the_sound_before_it_is_kept() -> None:
    flood = Flood()
    async with scripted(flood) as url, connect(url, max_buffered_ms=MAX_MS) as session:
        context = await _begun(session)
        await _stuck(session, flood, url)
        await session.ping()
        assert session.buffered_ms > MAX_MS
        assert [chunk.seq async for chunk in context] == list(range(FLOOD))


async def test_a_context_that_is_dropped_lets_the_others_go_on() -> None:
    flood = Flood()
    async with scripted(flood) as url, connect(url, max_buffered_ms=MAX_MS) as session:
        context = await _begun(session)
        await _stuck(session, flood, url)
        del context
        gc.collect()
        await eventually(lambda: flood.sent == FLOOD)
        assert session.buffered_ms == 0


async def test_leaving_closes_with_the_handshake_past_sound_that_is_not_read() -> None:
    flood, codes = Flood(), list[int | None]()

    async def note(script: Script) -> None:
        try:
            await flood(script)
        finally:
            await script.connection.wait_closed()
            codes.append(script.connection.close_code)

    async with scripted(note) as url:
        async with connect(url, max_buffered_ms=MAX_MS) as session:
            context = await _begun(session)
            await _stuck(session, flood, url)
        await eventually(lambda: codes == [1000, 1000])
        assert context.done is None


@pytest.mark.parametrize("everything", [False, True])
async def test_a_barge_in_behind_sound_that_nobody_took(server: Server, everything: bool) -> None:
    text = "Speaking without end. " * 2_000  # 96 MB of PCM, if it were read
    async with connect(server.url, formats=["pcm_s16le"], max_buffered_ms=MAX_MS) as session:
        context = session.open()
        for _ in range(10):
            await context.send(text[: len(text) // 10])
        await eventually(lambda: session.buffered_ms >= MAX_MS)
        if everything:
            (answer,) = await session.cancel_all(played_ms=500)
        else:
            answer = await context.cancel(played_ms=500)
        assert answer.played_ms == 500 and answer.text_spoken + answer.text_remaining == text
        following = session.open()
        await following.send("Go on.")
        await following.end()
        assert [chunk async for chunk in following][-1].last
        assert (await session.update(language="en")).language == "en"


async def test_sound_is_bounded_over_all_contexts_of_a_session(server: Server) -> None:
    async with connect(server.url, formats=["pcm_s16le"], max_buffered_ms=MAX_MS) as session:
        contexts = [session.open() for _ in range(4)]
        for context in contexts:
            await context.send("One two. ")  # 0.42 s, and 0.45 s of pause
            await context.end()
        await eventually(lambda: session.buffered_ms >= MAX_MS)
        assert contexts[3].done is None
        lengths = []
        for context in contexts:
            lengths.append(sum([chunk.duration async for chunk in context]) / 48)
            assert session.buffered_ms <= MAX_MS
        assert lengths == [context.done.audio_ms for context in contexts if context.done is not None]
