"""A network that is lost: the user of the client notices nothing but time."""

from __future__ import annotations

import asyncio
import http
from dataclasses import dataclass

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from realtime.client import (
    Chunk,
    Context,
    ContextClosedError,
    Session,
    SessionClosedError,
    SessionRefusedError,
    connect,
)
from realtime.errors import ErrorCode
from realtime.session import messages as wire
from tests.client.resuming import ResumingServer
from tests.client.scripted import Script, scripted
from tests.wire_client import eventually


@dataclass
class Heard:
    """All that the user of a client has had of an exchange."""

    chunks: list[list[Chunk]]
    words: list[str]
    segments: list[list[str]]
    answers: list[object]


async def _exchange(session: Session) -> Heard:
    """A bit of everything, for a server that says one character per frame."""
    answers: list[object] = []
    first, second = session.open("a"), session.open("b")
    for token in ("Hel", "lo ", "\U0001f600 The", "re."):
        await first.send(token)
    await first.flush("f")
    await second.send("Again.")
    answers.append((await session.update(language="de")).language)
    with pytest.raises(SessionRefusedError, match="nobody speaks it"):
        await session.update(language="refused")
    await second.pause()
    await first.end()
    chunks = [[chunk async for chunk in first]]
    await first.played(100)
    await second.continue_()
    await second.end()
    chunks.append([chunk async for chunk in second])
    third, fourth = session.open("a"), session.open("d")
    await third.send("Never said. ")
    await third.send("Nor this.")
    answer = await third.cancel()
    answers.append(answer.text_spoken + answer.text_remaining)
    await fourth.send("Nor that")
    answers += [each.context_id for each in await session.cancel_all()]
    fifth = session.open("a")
    await fifth.send("Last.")
    await fifth.end()
    chunks += [[chunk async for chunk in context] for context in (third, fourth, fifth)]
    contexts = (first, second, third, fourth, fifth)
    assert all(context.done or context.cancelled for context in contexts)
    return Heard(
        chunks,
        ["".join(word.text for word in context.words) for context in contexts],
        [[segment.text for segment in context.segments] for context in contexts],
        answers,
    )


EXPECTED_TEXTS = ["Hello \U0001f600 There.", "Again.", "", "", "Last."]


def _check(heard: Heard) -> None:
    texts = ["".join(chunk.payload.decode() for chunk in chunks) for chunks in heard.chunks]
    assert texts == EXPECTED_TEXTS
    for chunks in heard.chunks:
        assert [chunk.seq for chunk in chunks] == list(range(len(chunks)))
    assert heard.words[:2] == EXPECTED_TEXTS[:2] and heard.words[4] == EXPECTED_TEXTS[4]
    assert heard.segments[0] == ["H", "T"]
    assert heard.answers[:2] == ["de", "Never said. Nor this."]


async def _run(server: ResumingServer) -> int:
    """An exchange with a server; returns how often it was taken up again."""
    async with scripted(server) as url, connect(url) as session:
        heard = await _exchange(session)
        _check(heard)
        assert (await session.update(language="fr")).language == "fr" and await session.ping() >= 0
        resumed = session.resumed
    (model,) = server.sessions.values()
    texts = [context.text for context in model.contexts]
    assert texts == [EXPECTED_TEXTS[0], EXPECTED_TEXTS[1], "Never said. Nor this.", "Nor that", "Last."]
    return resumed


async def test_a_loss_after_every_message_of_the_server() -> None:
    uncut = ResumingServer()
    assert await _run(uncut) == 0
    (model,) = uncut.sessions.values()
    for begin in range(0, len(model.log), 12):
        runs = [ResumingServer(sends=[count]) for count in range(begin + 1, begin + 13)]
        assert all(await asyncio.gather(*map(_run, runs[: len(model.log) - begin]))) or begin > 36


async def test_a_loss_after_every_message_of_the_client() -> None:
    await asyncio.gather(*[_run(ResumingServer(takes=[count])) for count in range(24)])


async def test_one_loss_after_another() -> None:
    growing = [list(range(begin, 60, step)) for begin in (1, 2, 3) for step in (1, 2, 3)]
    sends = [_run(ResumingServer(sends=counts)) for counts in growing]
    takes = [_run(ResumingServer(takes=counts)) for counts in growing]
    assert min(await asyncio.gather(*sends, *takes)) > 3


async def _spoken(session: Session, server: ResumingServer, text: str = "Hello.") -> Context:
    """A context of which everything was heard, and that goes on."""
    context = session.open()
    await context.send(text)
    await context.flush()
    for _ in text:
        await anext(context)
    return context


async def test_a_cancel_silences_at_once_and_is_answered_later() -> None:
    server = ResumingServer()
    async with scripted(server) as url, connect(url) as session:
        context = await _spoken(session, server)
        server.opens.clear()
        server.cut()
        cancelling = asyncio.create_task(context.cancel())
        assert [chunk async for chunk in context] == []
        assert not cancelling.done()
        server.opens.set()
        answer = await cancelling
        assert answer.text_spoken == "Hello." and session.resumed == 1


async def test_who_sends_waits_and_who_reports_does_not() -> None:
    server = ResumingServer()
    async with scripted(server) as url, connect(url) as session:
        context = await _spoken(session, server)
        server.opens.clear()
        server.cut()
        await eventually(lambda: server.connections == 2)
        for played_ms in range(0, 100, 10):
            await context.played(played_ms)
        sending = asyncio.create_task(context.send("More."))
        await asyncio.sleep(0)
        assert not sending.done()
        server.opens.set()
        await sending
        await context.end()
        assert "".join([chunk.payload.decode() async for chunk in context]) == "More."
    (model,) = server.sessions.values()
    assert model.contexts[0].played_ms == 90
    assert server.script is not None
    reports = [message for message in server.script.received if isinstance(message, wire.Playback)]
    assert len(reports) == 1, "only the last one counts"


async def test_what_is_told_of_the_loss() -> None:
    server = ResumingServer()
    async with scripted(server) as url, connect(url, voice="v", language="en") as session:
        context = await _spoken(session, server)
        assert session.resumed == 0
        server.cut()
        await session.ping()
        assert session.resumed == 1
        del context
    first, second = server.starts
    assert first.resume is wire.UNSET
    assert second.resume == wire.ResumeRequest("s1", "s1-1", {"1": 5})
    assert (second.voice, second.language) == (first.voice, first.language)


@pytest.mark.parametrize("is_told", [True, False])
async def test_text_for_a_context_that_the_server_has_ended_meanwhile_is_not_lost_in_silence(
    is_told: bool,
) -> None:
    server = ResumingServer(sends=[] if is_told else [1])
    async with scripted(server) as url, connect(url) as session:
        context, other = session.open(), session.open()
        await context.send("Well, ")
        await other.send("Meanwhile.")
        await other.end()
        (model,) = server.sessions.values()
        await eventually(lambda: len(model.contexts) == 2 and model.contexts[1].state == "ending")
        if is_told:
            await session.ping()
        server.opens.clear()
        server.cut()
        await eventually(lambda: server.connections == 2)
        sending = asyncio.create_task(context.send("let me think."))
        await asyncio.sleep(0)
        model.end_head()
        server.opens.set()
        await sending
        with pytest.raises(ContextClosedError, match="said nothing for 10 s"):
            async for _ in context:
                pass
        assert "".join([chunk.payload.decode() async for chunk in other]) == "Meanwhile."
    assert [each.text for each in model.contexts] == ["Well, ", "Meanwhile."]


async def test_a_session_that_the_server_does_not_know_any_more() -> None:
    server = ResumingServer()
    async with scripted(server) as url, connect(url) as session:
        context = await _spoken(session, server)
        server.forget()
        server.cut()
        with pytest.raises(SessionClosedError, match="not known any more") as closed:
            await anext(context)
        assert (closed.value.code, closed.value.close_code) == ("resume_failed", 1006)
        for refused in (context.send("more"), context.cancel(), session.ping(), session.update(speed=2.0)):
            with pytest.raises(SessionClosedError, match="not known any more"):
                await refused
        await session.close()
    assert server.connections == 2


async def test_a_server_that_does_not_know_how_to_resume() -> None:
    async def vanish(script: Script) -> None:
        await script.start()
        script.connection.transport.abort()

    async with scripted(vanish) as url, connect(url) as session:
        with pytest.raises(SessionClosedError, match="lost") as closed:
            await session.ping()
        assert closed.value.close_code == 1006


async def test_resuming_can_be_switched_off() -> None:
    server = ResumingServer()
    async with scripted(server) as url, connect(url, resume=False) as session:
        context = await _spoken(session, server)
        server.cut()
        with pytest.raises(SessionClosedError, match="lost"):
            await anext(context)
    assert server.connections == 1


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1009, 1011, 1013, 4001, 4002])
async def test_a_connection_that_the_server_closes_on_purpose_is_not_replaced(code: int) -> None:
    server = ResumingServer()
    async with scripted(server) as url, connect(url) as session:
        context = await _spoken(session, server)
        assert server.script is not None
        await server.script.connection.close(code, "why")
        with pytest.raises(SessionClosedError, match=f"{code} why") as closed:
            await anext(context)
        assert closed.value.close_code == code
    assert server.connections == 1


async def test_a_fatal_error_is_final() -> None:
    server = ResumingServer()
    async with scripted(server) as url, connect(url) as session:
        context = await _spoken(session, server)
        assert server.script is not None
        await server.script.send(wire.Error("internal", "it broke", fatal=True))
        server.cut()
        with pytest.raises(SessionClosedError, match="it broke"):
            await anext(context)
    assert server.connections == 1


async def test_a_server_that_restarts_its_door_is_asked_again() -> None:
    """Close code 1012 and HTTP errors that pass: the session goes on."""
    server = ResumingServer()
    turned_away: list[http.HTTPStatus] = []
    answers = [http.HTTPStatus.BAD_GATEWAY, http.HTTPStatus.SERVICE_UNAVAILABLE]

    def gate(connection: ServerConnection, request: Request) -> Response | None:
        if server.connections == 0 or not answers:
            return None
        turned_away.append(answers.pop())
        headers = {"Content-Length": "0"}
        if turned_away[-1] is http.HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = "1"
        return Response(turned_away[-1], "no", Headers(headers), b"")

    async with scripted(server, process_request=gate) as url, connect(url) as session:
        context = await _spoken(session, server)
        assert server.script is not None
        begun = asyncio.get_running_loop().time()
        await server.script.connection.close(1012, "restart")
        await context.send("More.")
        await context.end()
        assert "".join([chunk.payload.decode() async for chunk in context]) == "More."
        assert asyncio.get_running_loop().time() - begun >= 1, "it was told when to come again"
    assert len(turned_away) == 2 and session.resumed == 1


async def test_a_key_that_counts_no_more_is_final() -> None:
    server = ResumingServer()

    def gate(connection: ServerConnection, request: Request) -> Response | None:
        if server.connections == 0:
            return None
        return Response(http.HTTPStatus.UNAUTHORIZED, "no", Headers({"Content-Length": "0"}), b"")

    async with scripted(server, process_request=gate) as url, connect(url) as session:
        context = await _spoken(session, server)
        server.cut()
        with pytest.raises(SessionClosedError, match="HTTP 401") as closed:
            await context.cancel()
        assert closed.value.code == ErrorCode.UNAUTHORIZED


async def test_a_server_that_stays_away_for_longer_than_the_window() -> None:
    server = ResumingServer()
    server.window_s = 0.4
    async with scripted(server) as url:
        async with connect(url) as session:
            context = await _spoken(session, server)
            server.refuses = True
            server.cut()
            with pytest.raises(SessionClosedError, match="lost, and the session with it") as closed:
                await anext(context)
            assert closed.value.close_code == 1006
    assert server.connections > 2


async def test_who_leaves_while_the_connection_is_lost_does_not_wait_for_it() -> None:
    server = ResumingServer()
    async with scripted(server) as url:
        async with connect(url) as session:
            context = await _spoken(session, server)
            server.opens.clear()
            server.cut()
            await eventually(lambda: server.connections == 2)
        server.opens.set()
        with pytest.raises(SessionClosedError, match="closed here"):
            await context.send("more")
    assert len(asyncio.all_tasks()) == 1, "a task was left behind"


async def test_silence_where_something_is_expected_is_a_loss() -> None:
    server = ResumingServer()
    async with scripted(server) as url, connect(url, stall_s=0.2) as session:
        context = await _spoken(session, server)
        await session.ping()
        server.awake.clear()  # deaf and mute, and the connection stays
        await context.send("More.")
        await context.end()
        await eventually(lambda: server.connections == 2)
        server.awake.set()
        assert "".join([chunk.payload.decode() async for chunk in context]) == "More."
        assert session.resumed >= 1


async def test_silence_is_no_loss_where_an_answer_comes() -> None:
    server = ResumingServer()
    async with scripted(server) as url, connect(url, stall_s=0.3) as session:
        context = await _spoken(session, server)
        assert server.script is not None
        received = server.script.received
        await eventually(lambda: sum(isinstance(each, wire.Ping) for each in received) > 3)
        assert session.resumed == 0 and context.done is None


async def test_a_session_without_contexts_is_left_in_peace() -> None:
    server = ResumingServer()
    async with scripted(server) as url, connect(url, stall_s=0.2) as session:
        await session.ping()
        await asyncio.sleep(2)
        assert server.script is not None
        assert sum(isinstance(each, wire.Ping) for each in server.script.received) == 1


async def test_a_way_that_is_cut_in_one_direction_is_a_loss_though_sound_comes() -> None:
    server = ResumingServer()
    async with scripted(server) as url, connect(url, stall_s=0.2) as session:
        context = await _spoken(session, server)
        server.deaf_connection = 1

        async def chatter() -> None:
            while server.connections == 1:
                assert server.script is not None
                await server.script.send(wire.Flow(context.context_id, 1, "resumed"))
                await asyncio.sleep(0.02)

        chattering = asyncio.create_task(chatter())
        await context.send("More.")
        await context.end()
        await eventually(lambda: server.connections == 2)
        await asyncio.gather(chattering, return_exceptions=True)
        assert "".join([chunk.payload.decode() async for chunk in context]) == "More."


async def test_who_does_not_read_finds_no_silence() -> None:
    server = ResumingServer()
    async with scripted(server) as url, connect(url, stall_s=0.2, max_buffered_ms=40) as session:
        context = session.open()
        await context.send("A text that waits.")
        await context.end()
        await eventually(lambda: session.buffered_ms >= 40)
        await asyncio.sleep(1.2)
        assert "".join([chunk.payload.decode() async for chunk in context]) == "A text that waits."
        assert session.resumed == 0


async def test_a_loss_behind_sound_that_nobody_takes_is_noticed() -> None:
    server = ResumingServer()
    async with scripted(server) as url, connect(url, max_buffered_ms=40, stall_s=0.1) as session:
        context = session.open()
        await context.send("A text that waits.")
        await context.end()
        await eventually(lambda: session.buffered_ms >= 40)
        server.cut()
        await eventually(lambda: session.resumed == 1)
        assert "".join([chunk.payload.decode() async for chunk in context]) == "A text that waits."


async def test_draining_goes_on_after_a_loss() -> None:
    server = ResumingServer()
    server.speaks.clear()
    async with scripted(server) as url, connect(url) as session:
        context = session.open()
        await context.send("To the end.")
        closing = asyncio.create_task(session.close())
        (model,) = server.sessions.values()
        await eventually(lambda: model.closing)
        server.cut()
        await eventually(lambda: session.resumed == 1)
        server.speak()
        await closing
        assert "".join([chunk.payload.decode() async for chunk in context]) == "To the end."
        assert context.done is not None


async def test_a_context_is_decoded_as_it_was_opened_though_the_settings_have_changed_since() -> None:
    server = ResumingServer(sends=[1])
    async with scripted(server) as url, connect(url) as session:
        context = session.open()
        await asyncio.gather(context.send("Said."), session.update(language="de"))
        await context.end()
        assert "".join([chunk.payload.decode() async for chunk in context]) == "Said."
        assert session.resumed == 1 and session.ready.language == "de"
        inbox = context._inbox
        assert inbox.ready is not None and inbox.ready.language == "en"


@pytest.mark.parametrize("stall_s", [0, -1, float("nan")])
async def test_a_stall_lasts(stall_s: float) -> None:
    with pytest.raises(ValueError, match="stall_s"):
        async with connect("ws://127.0.0.1:9", stall_s=stall_s):
            pass
