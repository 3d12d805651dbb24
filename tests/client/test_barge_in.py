"""Cancels: what they return, what they silence, and that they leave the session as it was."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from realtime.app import Server
from realtime.client import Chunk, Context, ContextClosedError, Session, SessionRefusedError, connect
from realtime.session import messages as wire
from tests.client.scripted import READY, Script, cancelled, scripted
from tests.wire_client import eventually

LONG = "One two three. Four five six. Seven eight nine. " * 30


async def _speaking(session: Session, text: str = LONG, until_ms: float = 0) -> Context:
    """A context whose frames have been taken up to `until_ms`."""
    context = session.open()
    await context.send(text)
    async for chunk in context:
        if chunk.position >= until_ms * 48:
            break
    return context


async def test_what_was_heard_and_late_tokens_are_no_failure(server: Server) -> None:
    async with connect(server.url) as session:
        context = await _speaking(session, until_ms=2000)
        answer = await context.cancel(played_ms=1500)
        assert answer.text_spoken + answer.text_remaining == LONG
        # "Four" ends at 1490 ms.
        assert answer.text_spoken == "One two three. Four " and context.cancelled is answer
        await context.send("late token")
        await context.flush()
        await context.end()
        assert [chunk async for chunk in context] == []
        assert await context.cancel(played_ms=0) is answer
        following = session.open()
        await following.send("Heard again.")
        await following.end()
        assert len([chunk async for chunk in following]) > 10


async def test_who_iterates_meanwhile_is_done_without_an_error(server: Server) -> None:
    async with connect(server.url) as session:
        context = session.open()
        chunks = []

        async def listen() -> str:
            async for chunk in context:
                chunks.append(chunk)
            return "over"

        listening = [asyncio.create_task(listen()) for _ in range(2)]
        await context.send("One two three. Four")
        await context.flush()
        await eventually(lambda: len(chunks) > 10)
        await context.cancel()
        count = len(chunks)
        assert await asyncio.gather(*listening) == ["over", "over"]
        assert len(chunks) == count


async def test_frames_that_come_before_the_answer_are_thrown_away() -> None:
    async def script(script: Script) -> None:
        await script.start()
        context_id = await script.open(1)
        await script.frame(1, 0)
        await script.until(wire.Cancel)
        for seq in range(1, 20):
            await script.frame(1, seq)
        await script.send(cancelled(context_id, 1, "Hello"))
        await script.until(wire.Text)

    async with scripted(script) as url, connect(url) as session:
        context = session.open()
        await context.send("Hello.")
        assert (await anext(context)).seq == 0

        async def listen() -> list[Chunk]:
            return [chunk async for chunk in context]

        listening = asyncio.create_task(listen())
        assert (await context.cancel()).text_spoken == "Hello"
        assert await listening == [] and session.buffered_ms == 0


async def test_cancel_before_anything_was_sent(server: Server) -> None:
    async with connect(server.url) as session:
        context = session.open("x")
        answer = await context.cancel()
        assert (answer.context_id, answer.text_spoken, answer.last_seq) == ("x", "", None)
        await context.send("A late token is not spoken.")
        assert [chunk async for chunk in context] == []
        assert await session.cancel_all() == []


async def test_cancel_after_the_end(server: Server) -> None:
    async with connect(server.url) as session:
        context = session.open()
        await context.send("One two three.")
        await context.end()
        assert len([chunk async for chunk in context]) > 10 and context.done is not None
        answer = await context.cancel(played_ms=400)
        assert (answer.text_spoken, answer.text_remaining) == ("One two ", "three.")


async def test_all_contexts_in_order_and_the_session_goes_on(server: Server) -> None:
    async with connect(server.url) as session:
        first = await _speaking(session, until_ms=1600)
        second, unsent = session.open(), session.open()
        await second.send("Never heard.")
        answers = await session.cancel_all(played_ms=1500)
        assert [answer.context_id for answer in answers] == [first.context_id, second.context_id]
        assert [answer.text_spoken for answer in answers] == ["One two three. Four ", ""]
        assert [first.cancelled, second.cancelled] == answers
        for context in (first, second):
            assert [chunk async for chunk in context] == []
        assert session.buffered_ms == 0
        await unsent.send("Heard.")  # it was not open yet, and so not meant
        await unsent.end()
        assert [chunk async for chunk in unsent][-1].last
        # One of a hundred milliseconds is still heard by the clock.
        assert [answer.context_id for answer in await session.cancel_all(0)] == [unsent.context_id]


async def test_a_context_that_preempts(server: Server) -> None:
    async with connect(server.url) as session:
        first = await _speaking(session)
        second = session.open(on_conflict="preempt")
        await second.send("Me first.")
        await second.end()
        assert [chunk async for chunk in second][-1].last
        async for _ in first:
            pass
        assert first.cancelled is not None and first.cancelled.reason == "preempted"
        assert await first.cancel() is first.cancelled


async def test_questions_at_the_same_time_get_their_own_answers(server: Server) -> None:
    async with connect(server.url) as session:
        first = await _speaking(session)
        second = session.open()
        await second.send("Second.")
        slow, refused, one, rest, _, fast = await asyncio.gather(
            session.update(speed=0.5),
            session.update(voice="nobody"),
            first.cancel(),
            session.cancel_all(),
            session.ping(),
            session.update(speed=2.0, language="en"),
            return_exceptions=True,
        )
        assert isinstance(slow, wire.SessionReady) and slow.language == "auto"
        assert isinstance(refused, SessionRefusedError) and refused.code == "unknown_voice"
        assert isinstance(one, wire.ContextCancelled) and one.context_id == first.context_id
        assert rest == [second.cancelled]
        assert isinstance(fast, wire.SessionReady) and fast is session.ready and fast.language == "en"


async def test_questions_that_wait_to_be_sent_get_their_own_answers() -> None:
    text, texts = "x" * 256 * 1024, 100  # more than the kernel takes from a server that does not read
    reads = asyncio.Event()

    async def slow(script: Script) -> None:
        await script.start()
        await reads.wait()
        await script.open(1)
        for _ in range(2):
            update = await script.until(wire.SessionUpdate)
            await script.send(replace(READY, language=update.language))
        await script.until(wire.Cancel)

    async with scripted(slow) as url, connect(url) as session:
        context = session.open()

        async def write() -> None:
            for _ in range(texts):
                await context.send(text)

        writing = asyncio.create_task(write())
        await asyncio.sleep(0)
        asking = [asyncio.create_task(session.update(language=name)) for name in ("de", "fr")]
        await asyncio.sleep(0)
        reads.set()
        assert [ready.language for ready in await asyncio.gather(*asking)] == ["de", "fr"]
        await writing


async def test_an_error_about_a_context_is_no_answer_about_the_session(server: Server) -> None:
    async with connect(server.url) as session:
        await session.open(voice="nobody").send("Nobody says this.")
        assert (await session.update(language="en")).language == "en"
        assert await session.ping() >= 0


async def test_who_stops_waiting_for_an_answer_leaves_the_session_usable(server: Server) -> None:
    async with connect(server.url) as session:
        context = await _speaking(session)
        for question in (context.cancel(), session.update(language="en"), session.ping()):
            waiting = asyncio.create_task(question)
            await asyncio.sleep(0)  # it is sent, and not answered
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert waiting.cancelled()
        assert await session.cancel_all() == []
        assert context.cancelled is not None and [chunk async for chunk in context] == []
        assert (await session.update(speed=2.0)).language == "en"


async def test_a_context_that_the_server_has_forgotten() -> None:
    async def forgetful(script: Script) -> None:
        await script.start()
        context_id = await script.open(1)
        await script.done(context_id, 1)
        await script.until(wire.Cancel)
        await script.send(cancelled(context_id, wire.NO_HANDLE))
        await script.until(wire.Text)
        await script.until(wire.Text)

    async with scripted(forgetful) as url, connect(url) as session:
        context = session.open()
        await context.send("Hello.")
        async for _ in context:
            pass
        answer = await context.cancel()
        assert answer.handle == wire.NO_HANDLE and await context.cancel() is answer


async def test_an_id_that_means_another_context_by_now() -> None:
    async def script(script: Script) -> None:
        await script.start()
        await script.done(await script.open(1), 1)
        await script.open(2)
        await script.until(wire.Cancel)
        await script.send(cancelled("x", 2))
        await script.until(wire.Text)

    async with scripted(script) as url, connect(url) as session:
        first, second = session.open("x"), session.open("x")
        await first.send("One.")
        async for _ in first:
            pass
        await second.send("Two.")
        with pytest.raises(ContextClosedError, match="another context"):
            await first.cancel()
        assert second.cancelled is not None
