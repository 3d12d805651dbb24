"""Contexts against a real server: text in, frames and messages out."""

from __future__ import annotations

import asyncio

import pytest

from realtime.app import Server
from realtime.client import (
    ContextClosedError,
    ContextFailedError,
    ContextRefusedError,
    SessionClosedError,
    SessionRefusedError,
    connect,
)
from realtime.session import messages as wire
from tests.client.scripted import Script, scripted
from tests.wire_client import eventually

LONG = "One two three. Four five six. Seven eight nine. " * 30


async def test_frames_of_a_context_in_order(server: Server) -> None:
    async with connect(server.url) as session:
        context = session.open(seed=3)
        for token in ("Hel", "lo the", "re. And", " again."):
            await context.send(token)
        await context.end()
        chunks = [chunk async for chunk in context]
        assert [chunk async for chunk in context] == [], "a second iteration ends as well"
    assert [chunk.seq for chunk in chunks] == list(range(len(chunks)))
    assert chunks[0].first and chunks[-1].last
    assert context.done is not None and context.done.reason == "completed"
    assert sum(chunk.duration for chunk in chunks) == context.done.audio_ms * 48
    assert [segment.text for segment in context.segments] == ["Hello there.", "And again."]
    assert context.words == []


async def test_words_and_when_they_sound(server: Server) -> None:
    async with connect(server.url, timestamps="word") as session:
        context = session.open()
        await context.send("It is \U0001f600 noon. And so on.")
        await context.end()
        known = [((chunk.position + chunk.duration) / 48, len(context.words)) async for chunk in context]
    for heard_ms, count in known:  # words come before the frame in which they end
        assert count >= sum(word.end_ms <= heard_ms for word in context.words)
    assert [(word.text, word.source) for word in context.words] == [
        ("It", (0, 2)),
        ("is", (3, 5)),
        ("noon.", (8, 13)),
        ("And", (14, 17)),
        ("so", (18, 20)),
        ("on.", (21, 24)),
    ]
    # The tone engine whistles 60 ms per character, with 40 ms between words.
    assert [(word.start_ms, word.end_ms) for word in context.words[:3]] == [(0, 120), (160, 280), (320, 620)]


async def test_the_same_id_twice(server: Server) -> None:
    async with connect(server.url) as session:
        first, second = session.open("x"), session.open("x")
        await first.send("First.")
        await first.end()
        await second.send("The second one.")
        await second.end()
        lengths = [sum([chunk.duration async for chunk in context]) for context in (first, second)]
    assert first.done is not None and second.done is not None
    assert first.done.handle != second.done.handle
    assert lengths == [first.done.audio_ms * 48, second.done.audio_ms * 48] and lengths[0] < lengths[1]


async def test_flush_is_heard_before_the_end(server: Server) -> None:
    async with connect(server.url) as session:
        context = session.open()
        await context.send("Half a sent")
        await context.flush()
        async for chunk in context:
            assert chunk.seq == 0
            break
        await context.send("ence.")
        await context.end()
        assert [chunk.last async for chunk in context][-1]


async def test_a_refused_context_fails_alone_and_at_once(server: Server) -> None:
    async with connect(server.url) as session:
        refused = session.open(voice="nobody")
        await refused.send("Nobody says this.")
        await refused.end()
        with pytest.raises(ContextRefusedError, match="nobody") as failed:
            async for _ in refused:
                raise AssertionError("a refused context has no sound")
        assert failed.value.code == "unknown_voice" and failed.value.context_id == refused.context_id
        for again in (refused.send("more"), refused.cancel(), refused.pause()):
            with pytest.raises(ContextRefusedError):
                await again
        context = session.open()
        await context.send("This is said.")
        await context.end()
        async with asyncio.timeout(5):  # the server ends a silent head only after 10 s
            assert len([chunk async for chunk in context]) > 10


async def test_wrong_settings_of_a_context_are_refused_before_they_are_sent(server: Server) -> None:
    async with connect(server.url) as session:
        with pytest.raises(ContextRefusedError, match="seed") as refused:
            session.open("x", seed=-1)
        assert (refused.value.code, refused.value.context_id) == ("invalid_message", "x")
        with pytest.raises(TypeError, match="colour"):
            session.open(colour="blue")


async def test_a_failure_of_a_context(server: Server) -> None:
    async with connect(server.url) as session:
        context = session.open()
        await context.send("a" * 20_000)
        with pytest.raises(ContextFailedError, match="16384") as failed:
            async for _ in context:
                pass
        assert failed.value.code == "text_too_long"
        with pytest.raises(ContextFailedError):
            await context.send("more")
        assert (await context.cancel()).text_spoken == ""  # what was heard can be asked all the same


async def test_an_ended_context_takes_no_more_text(server: Server) -> None:
    async with connect(server.url) as session:
        context = session.open()
        await context.send("Done.")
        await context.end()
        await context.end()
        for late in (context.send("late"), context.flush()):
            with pytest.raises(ContextClosedError) as closed:
                await late
            assert closed.value.code == "context_closed"
        assert [chunk async for chunk in context][-1].last


async def test_text_for_a_context_that_the_server_had_ended_is_not_lost_in_silence() -> None:
    told: list[wire.ClientMessage] = []

    async def impatient(script: Script) -> None:
        await script.start()
        context_id = await script.open(1)
        await script.until(wire.Text)
        await script.done(context_id, 1)
        await script.until(wire.Text)  # it was under way: it opens another context of the same id
        await script.send(wire.ContextOpened(context_id, 2, "v", "en"))
        told.append(await script.until(wire.End))
        await script.connection.wait_closed()

    async with scripted(impatient) as url, connect(url) as session:
        context = session.open()
        await context.send("Well, ")
        await context.send("let me think.")
        await session.ping()
        with pytest.raises(ContextClosedError, match="said nothing for 10 s"):
            async for _ in context:
                pass
        with pytest.raises(ContextClosedError):
            await context.send("So.")
        await eventually(lambda: told == [wire.End(context.context_id)])


async def test_who_drops_a_context_hears_no_more_of_it(server: Server) -> None:
    async with connect(server.url) as session:
        dropped = session.open()
        await dropped.send(LONG)
        await dropped.end()
        async for _ in dropped:
            break
        del dropped
        context = session.open()
        await context.send("Heard.")
        await context.end()
        length = sum([chunk.duration async for chunk in context])
        assert context.done is not None and length == context.done.audio_ms * 48
        assert session.buffered_ms == 0


async def test_reports_of_the_player_place_the_cut(server: Server) -> None:
    async with connect(server.url) as session:
        context = session.open()
        await context.played(1500)  # nothing was sent: nothing to report
        await context.send(LONG)
        async for chunk in context:
            if chunk.position > 4000 * 48:
                break
        await context.played(3000)
        await context.played(1000)  # backwards: ignored
        cancelled = await context.cancel()
        # The clock runs on from a report for at most 2 s.
        assert 3000 <= cancelled.played_ms <= 5000
        await context.played(9000)
        assert context.cancelled == cancelled


async def test_a_pause_holds_the_sound_and_continue_goes_on(server: Server) -> None:
    async with connect(server.url) as session:
        context = session.open()
        await context.send(LONG)
        await context.end()
        taken = [await anext(context) for _ in range(3)]
        await context.pause()
        held = session.buffered_ms
        await session.ping()
        assert session.buffered_ms == held and context.done is None
        taken += [await anext(context) for _ in range(round(held / 20))]
        assert session.buffered_ms == 0
        await context.continue_()
        taken += [chunk async for chunk in context]
        assert [chunk.seq for chunk in taken] == list(range(len(taken)))
        assert context.done is not None
        assert sum(chunk.duration for chunk in taken) == context.done.audio_ms * 48


async def test_a_pause_before_any_text_and_a_cancel_in_a_pause(server: Server) -> None:
    async with connect(server.url) as session:
        context = session.open()
        await context.pause()
        await context.send("Not yet. ")
        await context.flush()
        await session.ping()
        assert session.buffered_ms == 0
        cancelled = await context.cancel()
        assert (cancelled.text_spoken, cancelled.text_remaining) == ("", "Not yet. ")
        await context.pause()
        await context.continue_()  # after a cancel both are nothing
        assert [chunk async for chunk in context] == []


async def test_a_pause_of_what_is_gone() -> None:
    async def forgetful(script: Script) -> None:
        await script.start()
        context_id = await script.open(1)
        await script.until(wire.Pause)
        await script.send(wire.Error("context_closed", "it is not open", context_id=context_id))
        await script.until(wire.Text)

    async with scripted(forgetful) as url, connect(url) as session:
        with pytest.raises(ContextClosedError, match="not open"):
            await session.open().pause()


async def test_a_failure_in_a_pause_is_a_failure() -> None:
    async def failing(script: Script) -> None:
        await script.start()
        context_id = await script.open(1)
        await script.until(wire.Pause)
        await script.send(wire.Error("engine_failed", "it broke", context_id=context_id, handle=1))
        await script.until(wire.Continue)
        timing = wire.ContextTiming(0, 0, 0, 0, 0)
        await script.send(wire.ContextDone(context_id, 1, "failed", 0, None, timing))
        await script.until(wire.Text)

    async with scripted(failing) as url, connect(url) as session:
        context = session.open()
        await context.pause()
        await context.continue_()
        with pytest.raises(ContextFailedError, match="it broke") as failed:
            await anext(context)
        assert failed.value.code == "engine_failed"


async def test_settings_for_contexts_opened_later(server: Server) -> None:
    async with connect(server.url, formats=["pcm_s16le"]) as session:
        before = session.ready
        lengths: list[float] = []
        for speed in (1.0, 2.0):
            ready = await session.update(speed=speed, frame_ms=40, sample_rate=8000)
            assert session.ready is ready and ready.resume_token != before.resume_token
            context = session.open()
            await context.send("One two three four five.")
            await context.end()
            chunks = [chunk async for chunk in context]
            assert chunks[1].duration == 40 * 48 and len(chunks[1].payload) == 40 * 8 * 2
            assert context.done is not None
            lengths.append(context.done.audio_ms)
        assert lengths[0] / lengths[1] == pytest.approx(2, rel=0.05)
        with pytest.raises(SessionRefusedError, match="nobody") as refused:
            await session.update(voice="nobody")
        assert refused.value.code == "unknown_voice" and session.ready is ready
        with pytest.raises(TypeError):
            await session.update(formats=["opus"])


async def test_closing_speaks_what_is_there(server: Server) -> None:
    async with connect(server.url, max_buffered_ms=100) as session:
        context = session.open()
        await context.send("One two three. Four five six.")
        await session.close()
        with pytest.raises(SessionClosedError) as closed:
            await session.open().send("too late")
        assert closed.value.close_code == 1000
        length = sum([chunk.duration async for chunk in context])
        assert context.done is not None and length == context.done.audio_ms * 48 > 1000 * 48
        await session.close()


async def test_closing_without_draining_drops_what_is_there(server: Server) -> None:
    async with connect(server.url) as session:
        context = session.open()
        await context.send(LONG)
        await anext(context)
        await session.close(drain=False)
        assert [chunk async for chunk in context] == []
        assert context.cancelled is not None
        assert context.cancelled.text_spoken + context.cancelled.text_remaining == LONG


async def test_an_iteration_that_is_cancelled_loses_nothing(server: Server) -> None:
    async with connect(server.url) as session:
        context = session.open()
        chunks = []

        async def listen() -> None:
            async for chunk in context:
                chunks.append(chunk)

        listening = asyncio.create_task(listen())
        await context.send("One two three. Four")
        await context.flush()
        await eventually(lambda: len(chunks) > 10)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        assert listening.cancelled()
        await context.send(" five six.")
        await context.end()
        chunks += [chunk async for chunk in context]
        assert context.done is not None
        assert sum(chunk.duration for chunk in chunks) == context.done.audio_ms * 48
