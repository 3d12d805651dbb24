"""realtime.js with servers that say what a real one cannot be made to say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from msgspec.structs import replace as replaced
from playwright.async_api import Browser

from realtime.app import Server, running
from realtime.session import messages as wire
from realtime.session.frames import FrameKind, encode_frame
from realtime.types import FrameFlags, Packet
from tests.client.scripted import READY, Script, cancelled, scripted
from tests.web.client_page import OPEN_TONE, ClientPage, client_page

pytestmark = pytest.mark.asyncio(loop_scope="session")
RESUMABLE = replaced(READY, features=["resume"])


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def server() -> AsyncIterator[Server]:
    async with running(OPEN_TONE) as listening:
        yield listening


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def client(chromium: Browser, server: Server) -> AsyncIterator[ClientPage]:
    async with client_page(chromium, server.url) as page:
        yield page


async def _closed(script: Script) -> None:
    await script.until(wire.SessionClose)
    await script.connection.close(1000)


def _taken_up(report: wire.ContextReport) -> wire.SessionReady:
    return replaced(RESUMABLE, resumed=True, contexts=[report])


def _lost_once(
    before: Callable[[Script], Awaitable[None]],
    ready: wire.SessionReady,
    after: Callable[[Script], Awaitable[None]],
) -> Callable[[Script], Awaitable[None]]:
    """The connection is lost after `before`; the session is taken up with `ready`, and goes on by `after`."""
    connections = 0

    async def speak(script: Script) -> None:
        nonlocal connections
        connections += 1
        await script.until(wire.SessionStart)
        if connections == 1:
            await script.send(RESUMABLE)
            await before(script)
            script.connection.transport.abort()
            return
        await script.send(ready)
        await after(script)

    return speak


async def test_what_it_does_not_know_it_leaves_out(client: ClientPage) -> None:
    far = 2**40 + 1

    async def speak(script: Script) -> None:
        await script.start()
        context_id = await script.open(7)
        await script.until(wire.End)
        frame = encode_frame(FrameKind.OPUS, 7, Packet(b"x", 2, far, 960, FrameFlags(0xFFF2)))
        for unknown in ('{"type": "of.tomorrow", "handle": 7}', "no JSON", "[]", '{"type": 1}', "null"):
            await script.connection.send(unknown)
        for unknown in (b"", frame[:23], b"\x02" + frame[1:], b"\x01\x09" + frame[2:]):
            await script.connection.send(unknown)
        for seq in (0, 0, 1, 0, 1):  # a frame that has come before is told once
            await script.frame(7, seq)
        await script.frame(99, 0)  # of nobody
        await script.connection.send(frame)
        await script.done(context_id, 7)
        await script.done(context_id, 7)
        await _closed(script)

    async with scripted(speak, subprotocols=["realtime.v1"]) as url:
        await client.run("begin", url, {}, "unknown", "Hello.")
        told = await client.run("finish", "unknown", True)
    assert told["finished"]["value"]["reason"] == "completed" and told["errors"] == []
    assert [seq for seq, *_ in told["frames"]] == [0, 1, 2]
    _, position, duration, first, last, segment_start, kind, size, _ = told["frames"][2]
    assert (position, duration, kind, size) == (far, 960, 1, 1)
    assert (first, last, segment_start) == (False, True, False)
    assert told["told"] == ["open"]


async def test_what_makes_no_sense_of_a_load_can_be_shown(client: ClientPage) -> None:
    told_so = (
        '"weights", "fraction": 0.5',
        '7, "fraction": "half"',
        'null, "fraction": null',
        '[], "fraction": {}',
    )
    out_of_range = ("1e999", "-1e999", "17", "-0.1")

    async def speak(script: Script) -> None:
        await script.start()
        context_id = await script.open(7)
        of_it = f'{{"type": "loading", "context_id": "{context_id}", "handle": 7'
        for what in (*told_so, *(f'"x", "fraction": {fraction}' for fraction in out_of_range)):
            await script.connection.send(f'{of_it}, "what": {what}}}')
        await script.connection.send(f"{of_it}}}")
        await script.connection.send(of_it.replace("7", "99") + "}")  # of nobody
        await script.until(wire.Cancel)
        late = wire.Loading(context_id, 7, "late", 0.9)
        await script.send(late, cancelled(context_id, 7), late)
        await _closed(script)

    async with scripted(speak, subprotocols=["realtime.v1"]) as url:
        await client.run("begin", url, {}, "loading", "Hello.")
        silenced = await client.run("silence", "loading", False)
        told = await client.run("finish", "loading", True)
    assert told["loading"] == [
        *(["weights", 0.5], ["", 0], ["", 0], ["", 0]),
        *(["x", fraction] for fraction in (1, 0, 1, 0)),
        ["", 0],
    ]
    assert silenced["cancelled"]["value"]["type"] == "context.cancelled"
    assert told["order"] == ["opened", "loading", "cancelled"] and told["errors"] == []


async def test_text_is_sent_again_from_the_character_that_is_missing(client: ClientPage) -> None:
    received: list[wire.ClientMessage] = []

    async def lose_some(script: Script) -> None:
        await script.open(1)
        await script.frame(1, 0)
        await script.until(wire.Text)
        await script.until(wire.Ping)

    async def take_the_rest(script: Script) -> None:
        await script.until(wire.End)
        received.extend(script.received)
        await script.done("context-1", 1)
        await _closed(script)

    ready = _taken_up(wire.ContextReport("context-1", 1, "open", 4, 0))
    speak = _lost_once(lose_some, ready, take_the_rest)
    async with scripted(speak, subprotocols=["realtime.v1"]) as url:
        await client.run("begin", url, {}, "partly", "Hi \U0001f600 there.")
        told = await client.run("finish", "partly", True)
    start = received.pop(0)
    assert isinstance(start, wire.SessionStart)
    assert start.resume == wire.ResumeRequest("s", "t", {"1": 0})
    assert told["resumed"] == 1 and told["finished"]["value"]["reason"] == "completed"
    assert [each.text for each in received if isinstance(each, wire.Text)] == [" there."]
    assert not any(isinstance(each, wire.ContextOpen) for each in received)


async def test_what_was_asked_and_lost_its_answer_is_asked_again(client: ClientPage) -> None:
    again: list[str] = []

    async def lose_the_answers(script: Script) -> None:
        await script.open(1)
        await script.until(wire.Text)
        # Its answers are lost with the connection; the text behind it proves that it has come.
        while not isinstance(await _any(script), wire.Text):
            pass

    async def answer(script: Script) -> None:
        while True:
            message = await _any(script)
            again.append(wire.type_of(type(message)))
            if isinstance(message, wire.SessionUpdate):
                await script.send(replaced(RESUMABLE, frame_ms=60))
            elif isinstance(message, wire.Ping):
                await script.send(wire.Pong(message.t))
            elif isinstance(message, wire.SessionClose):
                await script.connection.close(1000)
                return

    ready = _taken_up(wire.ContextReport("context-1", 1, "open", 8, None))
    speak = _lost_once(lose_the_answers, ready, answer)
    async with scripted(speak, subprotocols=["realtime.v1"]) as url:
        told = await client.run("askedAgain", url)
    assert told == {"frame_ms": 60, "ping": True, "resumed": 1}
    assert again[:3] == ["session.update", "ping", "ping"] and "text" not in again


async def _any(script: Script) -> wire.ClientMessage:
    return wire.decode_client(str(await script.connection.recv()))


async def test_a_server_that_is_silent_is_asked_and_left_alone(client: ClientPage) -> None:
    pings = 0

    async def think(script: Script) -> None:
        nonlocal pings
        await script.until(wire.SessionStart)
        await script.send(RESUMABLE)
        context_id = await script.open(1)
        while pings < 6:
            message = await _any(script)
            if isinstance(message, wire.Ping):
                pings += 1
                await script.send(wire.Pong(message.t))
        await script.done(context_id, 1)
        await _closed(script)

    async with scripted(think, subprotocols=["realtime.v1"]) as url:
        await client.run("begin", url, {"stallMs": 200}, "silent", "Hello.")
        told = await client.run("finish", "silent", True)
    assert told["finished"]["value"]["reason"] == "completed"
    assert told["resumed"] == 0 and told["told"] == ["open"]


async def test_text_that_opens_what_was_refused_is_taken_back(client: ClientPage) -> None:
    async def refuse(script: Script) -> None:
        await script.start()
        opening = await script.until(wire.ContextOpen)
        await script.until(wire.Text)
        error = wire.Error("unknown_voice", "nobody has this name", context_id=opening.context_id)
        await script.send(error, wire.ContextOpened(opening.context_id, 3, "v", "en"))
        await script.frame(3, 0)
        cancel = await script.until(wire.Cancel)
        assert cancel.context_id == opening.context_id
        await _closed(script)

    async with scripted(refuse, subprotocols=["realtime.v1"]) as url:
        await client.run("begin", url, {}, "refused", "Hello.")
        told = await client.run("finish", "refused", True)
    assert told["finished"]["error"]["code"] == "unknown_voice" and told["frames"] == []


def _finished_first(answer: wire.ContextCancelled) -> Callable[[Script], Awaitable[None]]:
    """The end of a context comes before the answer to its cancel."""

    async def finish_first(script: Script) -> None:
        await script.start()
        context_id = await script.open(1)
        await script.until(wire.Cancel)
        await script.done(context_id, 1)
        await script.send(answer)
        await _closed(script)

    return finish_first


async def test_the_answer_to_a_cancel_tells_more_than_the_end(client: ClientPage) -> None:
    finish_first = _finished_first(cancelled("context-1", 1, "Hel"))
    async with scripted(finish_first, subprotocols=["realtime.v1"]) as url:
        await client.run("begin", url, {}, "cancelled", "Hello.")
        told = await client.run("silence", "cancelled", False)
        await client.run("finish", "cancelled", True)
    assert told["cancelled"]["value"]["text_spoken"] == "Hel"
    assert told["finished"] == told["cancelled"] and told["order"] == ["opened", "cancelled"]


async def test_one_that_was_heard_to_its_end_is_done(client: ClientPage) -> None:
    finish_first = _finished_first(cancelled("*", 0))
    async with scripted(finish_first, subprotocols=["realtime.v1"]) as url:
        await client.run("begin", url, {}, "heard", "Hello.")
        told = await client.run("silence", "heard", True)
        await client.run("finish", "heard", True)
    assert told["cancelled"]["value"] == [] and told["finished"]["value"]["reason"] == "completed"
    assert told["order"] == ["opened", "done"]


async def test_the_answer_to_a_cancel_comes_again_behind_sound(client: ClientPage) -> None:
    async def lose_the_answer(script: Script) -> None:
        await script.open(1)
        await script.until(wire.Cancel)

    async def answer_late(script: Script) -> None:
        await script.until(wire.Cancel)
        ping = await script.until(wire.Ping)
        await script.send(wire.Pong(ping.t), cancelled("context-1", 1, "Hel"))
        await _closed(script)

    ready = _taken_up(wire.ContextReport("context-1", 1, "cancelled", 6, None))
    speak = _lost_once(lose_the_answer, ready, answer_late)
    async with scripted(speak, subprotocols=["realtime.v1"]) as url:
        await client.run("begin", url, {}, "behind", "Hello.")
        told = await client.run("silence", "behind", False)
        await client.run("finish", "behind", True)
    assert told["cancelled"]["value"]["text_spoken"] == "Hel" and told["errors"] == []


async def test_the_settings_of_a_context_that_opened_late(client: ClientPage) -> None:
    async def lose_the_answer(script: Script) -> None:
        await script.until(wire.SessionUpdate)

    async def change(script: Script) -> None:
        await script.send(wire.ContextOpened("context-1", 1, "v", "en"))
        await script.until(wire.SessionUpdate)
        await script.send(replaced(RESUMABLE, frame_ms=60))
        await _closed(script)

    ready = replaced(_taken_up(wire.ContextReport("context-1", 1, "open", 0, None)), frame_ms=60)
    speak = _lost_once(lose_the_answer, ready, change)
    async with scripted(speak, subprotocols=["realtime.v1"]) as url:
        told = await client.run("openedLate", url)
    assert told == {"now": 60, "opening": 20, "resumed": 1}


async def test_connections_on_which_nothing_comes_are_not_made_for_ever(client: ClientPage) -> None:
    connections = 0
    window = replaced(RESUMABLE, limits=replaced(READY.limits, resume_window_s=1))

    async def hang_up(script: Script) -> None:
        nonlocal connections
        connections += 1
        await script.until(wire.SessionStart)
        if connections == 1:
            await script.send(window)
            await script.open(1)
            await script.until(wire.Ping)
            await script.send(wire.Pong("question-1"))
        else:
            report = wire.ContextReport("context-1", 1, "open", 6, None)
            await script.send(replaced(window, resumed=True, contexts=[report]))
        script.connection.transport.abort()

    async with scripted(hang_up, subprotocols=["realtime.v1"]) as url:
        await client.run("begin", url, {}, "again", "Hello.")
        told = await client.run("finish", "again", False)
    assert told["finished"]["error"]["code"] == "connection_lost"
    assert 3 <= told["resumed"] == connections - 1 <= 8
