"""A network that is cut at any byte, or stalls, before a real server: all is as if nothing had been."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import pytest

from realtime.app import Server
from realtime.client import Chunk, ConnectionFailedError, Session, connect
from tests.conftest import Serve
from tests.cutting_proxy import CuttingProxy, Fault, cutting
from tests.wire_client import eventually

#: Sessions at a time: many, for most of their time they wait.
_AT_ONCE = 24
Exchange = Callable[[Session], Awaitable[object]]


async def _speaking(session: Session) -> object:
    """Text in tokens, a flush in the middle of a word, and the end; all that comes of it."""
    context = session.open("a", seed=1)
    for token in ("One t", "wo. \U0001f600 Th"):
        await context.send(token)
    await context.flush("half")
    await context.send("ree.")
    await context.end()
    chunks = [chunk async for chunk in context]
    assert context.done is not None
    return chunks, context.words, context.segments, context.done.audio_ms, context.done.last_seq


async def _up_to(context: AsyncIterator[Chunk], position_ms: int) -> list[Chunk]:
    chunks = []
    async for chunk in context:
        chunks.append(chunk)
        if chunk.position >= position_ms * 48:
            break
    return chunks


async def _controlling(session: Session) -> object:
    """Everything that can be asked of a session, most of it before the answer to the one before has come."""
    first, second = session.open("x"), session.open("y")
    await first.send("One two. ")
    await second.send("Three")
    await first.flush()
    begun = await _up_to(first, 0)
    await first.pause()
    ready, _ = await asyncio.gather(session.update(frame_ms=40), second.flush())
    await first.played(60)
    await first.send("And more.")
    await asyncio.gather(first.continue_(), first.end(), second.end())
    heard = [begun, [chunk async for chunk in first], [chunk async for chunk in second]]
    assert second.done is not None
    await second.played(second.done.audio_ms)  # else the clock says whether it is still heard
    third = session.open("x")  # the same id, and under the new settings
    await third.send("Five six seven eight. ")
    await third.send("Nine ten.")
    heard.append(await _up_to(third, 700))
    cut = await third.cancel(played_ms=500)
    fourth, fifth = session.open("y"), session.open("x")
    await fourth.send("Never heard.")
    await fifth.send("Nor this.")
    all_cut = await session.cancel_all(played_ms=0)
    last = session.open("x")
    await last.send("Last")
    await last.end()
    heard.append([chunk async for chunk in last])
    return (
        heard,
        ready.frame_ms,
        (cut.text_spoken, cut.text_remaining, cut.played_ms),
        [(each.context_id, each.text_spoken, each.text_remaining) for each in all_cut],
        [context.segments for context in (first, second, last)],
        [context.words for context in (first, second, last)],
    )


async def _draining(session: Session) -> object:
    """The server closes when all is said."""
    context = session.open("a")
    await context.send("To the end")
    await session.close()
    assert context.done is not None
    return [chunk async for chunk in context], context.words, context.done.audio_ms


@dataclass(frozen=True)
class Course:
    """What comes of an exchange when nothing is cut.

    `up` and `down` are the pieces that went to the server and came from it; so many bytes of them are the
    session's beginning.
    """

    outcome: object
    up: list[bytes]
    down: list[bytes]
    begin_up: int
    begin_down: int

    def cuts_up(self, inside: bool = True) -> list[int]:
        return _edges(self.up, self.begin_up, inside)

    def cuts_down(self, inside: bool = True) -> list[int]:
        return _edges(self.down, self.begin_down, inside)


def _edges(pieces: list[bytes], begin: int, inside: bool) -> list[int]:
    """Where its pieces end; and a byte behind that, in the next one's header, and in the midst of each."""
    ends = list(accumulate(map(len, pieces)))
    cuts = set(ends)
    if inside:
        cuts |= {end + 1 for end in ends} | {(a + b) // 2 for a, b in zip([0, *ends], ends, strict=False)}
    # Numbers in messages are not of one length every time: what comes last may be shorter.
    return sorted(cut for cut in cuts if begin < cut <= ends[-1] - 60)


@asynccontextmanager
async def _session(
    server: Server, faults: Iterable[Fault], **options: Any
) -> AsyncIterator[tuple[Session, CuttingProxy]]:
    async with cutting(server.url, *faults) as proxy:
        async with connect(proxy.url, timestamps="word", frame_ms=60, **options) as session:
            yield session, proxy


async def _course(server: Server, exchange: Exchange) -> Course:
    async with _session(server, ()) as (session, proxy):
        (passed,) = proxy.connections
        up, down = passed.up.count, passed.down.count
        return Course(await exchange(session), list(passed.up.passed), list(passed.down.passed), up, down)


async def _cut(
    server: Server,
    exchange: Exchange,
    expected: Course,
    cases: Sequence[Sequence[Fault]],
    **options: Any,
) -> list[int]:
    """Every case has the expected outcome; returns how often each was taken up again."""
    turn = asyncio.Semaphore(_AT_ONCE)
    wrong: list[object] = []

    async def one(faults: Sequence[Fault]) -> int:
        async with turn:
            outcome: object = None
            resumed = 0
            try:
                async with asyncio.timeout(60), _session(server, faults, **options) as (session, _):
                    outcome = await exchange(session)
                    resumed = session.resumed
            except Exception as error:
                outcome = error
        if outcome != expected.outcome:
            wrong.append((faults, outcome))
        return resumed

    resumed = await asyncio.gather(*map(one, cases))
    assert wrong == [], f"{len(wrong)} of {len(cases)}"
    return resumed


async def _is_empty(server: Server) -> None:
    """Nothing is left of all the sessions."""
    await eventually(lambda: server.registry.count == 0)
    assert server.scheduler.queue_depth == server.scheduler.admitted == 0


@pytest.mark.parametrize("exchange", [_speaking, _controlling])
async def test_a_cut_at_every_message(serve_tone: Serve, exchange: Exchange) -> None:
    async with serve_tone(resume_window_s=15) as server:
        course = await _course(server, exchange)
        cases = [[Fault(up=cut)] for cut in course.cuts_up()]
        cases += [[Fault(down=cut)] for cut in course.cuts_down(exchange is _speaking)]
        resumed = await _cut(server, exchange, course, cases)
        assert resumed.count(1) >= 0.9 * len(cases) and max(resumed) == 1
        await _is_empty(server)


async def test_a_cut_while_the_session_is_taken_up_again(serve_tone: Serve) -> None:
    async with serve_tone(resume_window_s=8) as server:
        course = await _course(server, _speaking)
        first = Fault(down=(course.begin_down + sum(map(len, course.down))) // 2)
        cases = [[first, Fault(up=cut)] for cut in range(0, course.begin_up + 120, 16)]
        cases += [[first, Fault(down=cut)] for cut in range(0, course.begin_down + 400, 24)]
        assert set(await _cut(server, _speaking, course, cases)) == {1, 2}
        await _is_empty(server)


async def test_cuts_on_every_connection(serve_tone: Serve) -> None:
    async with serve_tone(resume_window_s=8) as server:
        for exchange in (_speaking, _controlling):
            course = await _course(server, exchange)
            up, down = course.begin_up + 160, course.begin_down  # a resumption's first message is longer
            cases = [[Fault(up=up + cut + 25 * n) for n in range(12)] for cut in range(1, 80, 13)]
            cases += [[Fault(down=down + cut + 300 * n) for n in range(12)] for cut in range(1, 300, 47)]
            resumed = await _cut(server, exchange, course, cases)
            assert min(resumed) > 0 and max(resumed) > 3
        await _is_empty(server)


async def test_a_network_that_stalls(serve_tone: Serve) -> None:
    async with serve_tone(resume_window_s=15) as server:
        course = await _course(server, _controlling)
        cases = [[Fault(up=cut, stalls=True)] for cut in course.cuts_up(inside=False)]
        cases += [[Fault(down=cut, stalls=True)] for cut in course.cuts_down(inside=False)]
        resumed = await _cut(server, _controlling, course, cases, stall_s=0.5)
        assert resumed.count(1) >= 0.8 * len(cases)
        await _is_empty(server)


async def test_a_cut_while_the_session_drains(serve_tone: Serve) -> None:
    async with serve_tone(resume_window_s=15) as server:
        course = await _course(server, _draining)
        await _cut(server, _draining, course, [[Fault(up=cut)] for cut in course.cuts_up()])
        await _is_empty(server)


async def test_a_cut_of_the_closing_handshake_leaves_nothing_behind(serve_tone: Serve) -> None:
    async with serve_tone(resume_window_s=1) as server:
        course = await _course(server, _speaking)
        async with cutting(server.url) as proxy:
            async with connect(proxy.url, timestamps="word", frame_ms=60) as session:
                assert await _speaking(session) == course.outcome
                proxy.cut_all()
        await _is_empty(server)


async def test_a_cut_before_there_is_a_session_is_told(serve_tone: Serve) -> None:
    async with serve_tone(resume_window_s=15) as server:
        course = await _course(server, _draining)
        for cut in (0, 100, course.begin_down - 100):
            async with cutting(server.url, Fault(down=cut)) as proxy:
                with pytest.raises(ConnectionFailedError):
                    async with connect(proxy.url):
                        pass
