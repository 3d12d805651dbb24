"""Admission: whatever becomes of those who are let in, their places are free again.

One real server with small limits and an engine that fails, hangs and is lost; clients that open, cancel,
vanish, resume and hang up in an order that Hypothesis draws.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from realtime.app import Server, running, serving
from realtime.session.frames import decode_frame
from tests.conftest import TONE
from tests.server.http_server import PCM, SPEECH
from tests.server.unreliable import UnreliableEngine
from tests.wire_client import PATH, eventually

KEY = "a-key-of-sixteen-characters"
HEADERS = {"Authorization": f"Bearer {KEY}"}
SESSIONS = 3
SMALL = replace(
    TONE,
    max_sessions=SESSIONS,
    max_utterances=4,
    max_queue_depth=2,
    max_contexts=2,
    api_keys=KEY,
    key_concurrency=6,
    address_concurrency=6,
    resume_window_s=0.3,
    audio_cache_mb=0,
    log_level="error",
)
LONG = " ".join(f"This is sentence number {number} of a long answer." for number in range(1, 9))
TEXTS = {
    "short": "It is noon.",
    "long": LONG,
    "fails": "It is noon. This will FAIL here. And on.",
    "hangs at once": "This will HANG.",
    "hangs later": "It is noon. This will HANG here. And on.",
    "nothing": "...",
}
#: What may be answered to what these clients do, and whether it must say when to try again.
ERRORS = {
    "queue_full": True,
    "rate_limited": True,
    "too_many_contexts": True,
    "engine_failed": False,
    "context_closed": False,
    "resume_failed": False,
}


@asynccontextmanager
async def small_server(**limits: int) -> AsyncIterator[tuple[Server, UnreliableEngine]]:
    """A server with small limits, and its engine."""
    engine = UnreliableEngine()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "make_engine", lambda config, model: engine)
        async with running(replace(SMALL, **limits)) as server:  # type: ignore[arg-type]
            yield server, engine


class Listener:
    """A client with one session at a time, whose sockets come and go."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._hearing: asyncio.Task[None] | None = None
        self._names = 0
        self.connection: ClientConnection | None = None
        self.ready: dict[str, Any] = {}
        self.messages: list[dict[str, Any]] = []
        self.sound: dict[int, bytes] = {}
        self.last: dict[int, int] = {}

    @property
    def is_open(self) -> bool:
        return self.connection is not None and self._hearing is not None and not self._hearing.done()

    async def open(self, **start: object) -> bool:
        """A socket that has sent `session.start`; False when the handshake was refused."""
        await self.vanish()
        url = self._server.url.replace("http", "ws", 1) + PATH
        try:
            self.connection = await connect(
                url, compression=None, max_size=None, proxy=None, additional_headers=HEADERS
            )
        except Exception as error:
            response = getattr(error, "response", None)
            assert response is not None and response.status_code == 429, error
            assert int(response.headers["Retry-After"]) > 0
            return False
        self._hearing = asyncio.create_task(self._hear(self.connection))
        await self.send("session.start", **start)
        return True

    async def _hear(self, connection: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                data = await connection.recv()
                if isinstance(data, bytes):
                    frame = decode_frame(data)
                    self.last[frame.handle] = frame.packet.seq
                    self.sound[frame.handle] = self.sound.get(frame.handle, b"") + frame.packet.payload
                    continue
                message = json.loads(data)
                self.messages.append(message)
                if message["type"] == "session.ready":
                    if message["session_id"] != self.ready.get("session_id"):
                        self.last = {}
                    self.ready = message
                elif message["type"] == "error":
                    assert message["code"] in ERRORS, message
                    assert not ERRORS[message["code"]] or message["retry_after_ms"] > 0, message

    async def send(self, kind: str, **fields: object) -> None:
        assert self.connection is not None
        with contextlib.suppress(ConnectionClosed):
            await self.connection.send(json.dumps({"type": kind, **fields}))

    async def speak(self, text: str, *, end: bool = True) -> str:
        self._names += 1
        name = f"c{self._names}"
        await self.send("text", text=text, context_id=name)
        if end:
            await self.send("end", context_id=name)
        return name

    async def resume(self) -> None:
        if self.ready:
            last = {str(handle): seq for handle, seq in self.last.items()}
            resume = {
                "session_id": self.ready["session_id"],
                "token": self.ready["resume_token"],
                "last": last,
            }
            await self.open(resume=resume)

    async def vanish(self) -> None:
        """Cut the connection off."""
        if self.connection is not None:
            self.connection.transport.abort()
            await self.connection.wait_closed()
        if self._hearing is not None:
            await self._hearing
        self.connection = None

    async def until(self, kind: str, **fields: object) -> dict[str, Any]:
        """The first message of a kind with these fields."""
        await eventually(lambda: bool(self.told(kind, **fields)))
        return self.told(kind, **fields)[0]

    def told(self, kind: str, **fields: object) -> list[dict[str, Any]]:
        return [
            message
            for message in self.messages
            if message["type"] == kind and fields.items() <= message.items()
        ]


async def request(server: Server, text: str, *, whole: bool, patience_s: float | None) -> None:
    """A request over HTTP, hung up after a while, if any."""
    with contextlib.suppress(TimeoutError):
        async with (
            asyncio.timeout(patience_s),
            aiohttp.ClientSession(server.url, headers=HEADERS) as http,
            http.post(SPEECH, json={"input": text, "response_format": "wav", "stream": not whole}) as answer,
        ):
            assert answer.status in (200, 429, 500, 503), await answer.text()
            if answer.status in (429, 503):
                assert int(answer.headers["Retry-After"]) > 0
            with contextlib.suppress(aiohttp.ClientPayloadError):  # it failed after its first sound
                await answer.read()


async def health(server: Server) -> dict[str, Any]:
    async with aiohttp.ClientSession(server.url) as http, http.get("/health") as answer:
        found: dict[str, Any] = await answer.json()
        return found


def left(server: Server) -> dict[str, int]:
    """Everything that is counted."""
    scheduler = server.scheduler
    return {
        "sessions": server.registry.count,
        "admitted": scheduler.admitted,
        "waiting": scheduler.queue_depth,
        "held": len(scheduler._held),
        "open": scheduler.stats.open,
        "unspoken": scheduler.stats.waiting,
        "busy": scheduler.stats.busy,
    }


async def all_is_free(server: Server) -> None:
    """Every count comes to nothing, and everybody whom the limits allow is let in again."""
    try:
        await eventually(lambda: not any(left(server).values()))
    except TimeoutError:
        raise AssertionError(f"left: {left(server)}") from None
    now = await health(server)
    assert (now["sessions"], now["requests"], now["queue"]["speaking"], now["queue"]["waiting"]) == (0,) * 4
    listeners = [Listener(server) for _ in range(SESSIONS)]
    for listener in listeners:
        assert await listener.open()
        name = await listener.speak("It is noon.")
        assert (await listener.until("context.done", context_id=name))["reason"] == "completed"
    async with asyncio.TaskGroup() as tasks:
        for _ in range(SMALL.key_concurrency - SESSIONS):
            tasks.create_task(_served(server))
    for listener in listeners:
        await listener.vanish()
    await eventually(lambda: not any(left(server).values()))


async def _served(server: Server) -> None:
    async with (
        aiohttp.ClientSession(server.url, headers=HEADERS) as http,
        http.post(PCM, json={"input": "..."}) as answer,
    ):
        assert answer.status in (200, 503), await answer.text()  # never 429: key and address have room for it


# -- what may happen ----------------------------------------------------------------------------------------

WHO = st.integers(0, SESSIONS)
MOOD = st.sampled_from(sorted(TEXTS))
STEPS = st.one_of(
    st.tuples(st.just("open"), WHO),
    st.tuples(st.just("speak"), WHO, MOOD),
    st.tuples(st.just("speak"), WHO, MOOD),
    st.tuples(st.just("leave open"), WHO, MOOD),
    st.tuples(st.just("cancel"), WHO, st.integers(1, 4)),
    st.tuples(st.just("cancel all"), WHO),
    st.tuples(st.just("preempt"), WHO),
    st.tuples(st.just("vanish"), WHO),
    st.tuples(st.just("resume"), WHO),
    st.tuples(st.just("close"), WHO, st.booleans()),
    st.tuples(st.just("request"), MOOD, st.booleans()),
    st.tuples(st.just("hang up"), MOOD, st.sampled_from([0.0, 0.005, 0.05])),
    st.tuples(
        st.just("lose"),
    ),
    st.tuples(st.just("let time pass"), st.sampled_from([0.0, 0.005, 0.05])),
)


class Scene:
    """What has been begun in one example."""

    def __init__(self, server: Server, engine: UnreliableEngine) -> None:
        self.server = server
        self.engine = engine
        self.listeners = [Listener(server) for _ in range(SESSIONS + 1)]
        self.requests: list[asyncio.Task[None]] = []

    async def take(self, step: tuple[Any, ...]) -> None:
        kind, *details = step
        if kind in ("request", "hang up"):
            mood, detail = details
            patience_s = detail if kind == "hang up" else None
            whole = detail if kind == "request" else False
            asking = request(self.server, TEXTS[mood], whole=whole, patience_s=patience_s)
            self.requests.append(asyncio.create_task(asking))
        elif kind == "lose":
            await self.engine.lose()
        elif kind == "let time pass":
            await asyncio.sleep(details[0])
        else:
            await self._act(kind, self.listeners[details[0]], *details[1:])
        await asyncio.sleep(0)

    async def _act(self, kind: str, listener: Listener, detail: Any = None) -> None:
        if kind == "open":
            await listener.open()
        elif kind == "resume":
            await listener.resume()
        elif not listener.is_open:
            return
        elif kind in ("speak", "leave open"):
            await listener.speak(TEXTS[detail], end=kind == "speak")
        elif kind == "cancel":
            await listener.send("cancel", context_id=f"c{detail}")
        elif kind == "cancel all":
            await listener.send("cancel", context_id="*")
        elif kind == "preempt":
            await listener.send("context.open", context_id="instead", on_conflict="preempt")
        elif kind == "vanish":
            await listener.vanish()
        elif kind == "close":
            await listener.send("session.close", drain=detail)

    async def end(self) -> None:
        """All are gone; who hangs is given up, as a watchdog would."""
        for listener in self.listeners:
            await listener.vanish()
        while not all(task.done() for task in self.requests):
            await self.engine.lose()
            await asyncio.wait(self.requests, timeout=0.05)
        for task in self.requests:
            task.result()
        with contextlib.suppress(TimeoutError):  # `all_is_free` tells what is left
            async with asyncio.timeout(20):
                while any(left(self.server).values()):
                    if self.engine.busy:  # perhaps only now: a thread takes up what hangs when it has a core
                        await self.engine.lose()
                    await asyncio.sleep(0.01)


# What is left shows only after a while: what has failed is not tried again and again, to make it smaller.
@settings(max_examples=20, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(st.lists(STEPS, min_size=5, max_size=40))
def test_whatever_happens_every_place_is_free_again(steps: list[tuple[Any, ...]]) -> None:
    async def play() -> None:
        async with small_server() as (server, engine):
            scene = Scene(server, engine)
            for listener in scene.listeners[:2]:
                await listener.open()
            for step in steps:
                await scene.take(step)
            await scene.end()
            await all_is_free(server)

    asyncio.run(play())


# -- who is refused -----------------------------------------------------------------------------------------


async def holding(listener: Listener) -> None:
    """Holds a place: it has heard all there is, and more text may come."""
    name = await listener.speak("It is noon. ", end=False)
    await listener.send("flush", context_id=name)
    await listener.until("flush.done", context_id=name)


async def refused(server: Server, status: int) -> None:
    """A request over HTTP is told to come back later."""
    async with (
        aiohttp.ClientSession(server.url, headers=HEADERS) as http,
        http.post(PCM, json={"input": "It is noon."}) as answer,
    ):
        assert answer.status == status and int(answer.headers["Retry-After"]) > 0
        code = (await answer.json())["error"]["code"]
        assert code == {503: "queue_full", 429: "rate_limited"}[status]


async def test_who_finds_no_room_is_told_at_once_and_who_speaks_hears_all() -> None:
    async with small_server() as (server, _):
        speaker, one, two, late = (Listener(server) for _ in range(4))
        assert await speaker.open(max_lead_ms=0)
        await speaker.speak(LONG)
        await speaker.until("context.done", handle=1)
        await speaker.send("text", text=LONG[:100], context_id="again")
        await speaker.until("segment", handle=2)
        for listener in (one, two):
            assert await listener.open()
        await holding(one)
        await holding(two)
        name = await one.speak("It is noon. ", end=False)
        await one.until("context.opened", context_id=name)
        await eventually(lambda: server.scheduler.admitted == 4)
        assert server.scheduler.admitted == SMALL.max_utterances
        # One more context, in a session that may have one, and in one that may not.
        name = await two.speak("It is noon.")
        error = await two.until("error", context_id=name)
        assert error["code"] == "queue_full" and error["retry_after_ms"] > 0 and not error["fatal"]
        name = await one.speak("It is noon.", end=False)
        assert (await one.until("error", context_id=name))["code"] == "too_many_contexts"
        assert not one.told("context.opened", context_id=name)
        # One more session, and one more request.
        assert await late.open()
        error = await late.until("error")
        assert error["code"] == "queue_full" and error["retry_after_ms"] > 0 and error["fatal"]
        await eventually(lambda: not late.is_open)
        assert late.connection is not None and late.connection.close_code == 1013
        await refused(server, 503)
        # Meanwhile nothing has happened to who was there before.
        await speaker.send("text", text=LONG[100:], context_id="again")
        await speaker.send("end", context_id="again")
        await speaker.until("context.done", handle=2)
        assert speaker.sound[2] == speaker.sound[1] and not speaker.told("error")
        for listener in (one, two):
            await listener.vanish()
        await eventually(lambda: server.registry.count == 1)
        await speaker.vanish()
        await all_is_free(server)


async def test_a_queue_that_is_full_takes_no_more_until_somebody_hears_something() -> None:
    async with small_server() as (server, engine):
        waiting = [Listener(server) for _ in range(SMALL.max_queue_depth)]
        late = Listener(server)
        for listener in (*waiting, late):
            assert await listener.open()
        for listener in waiting:
            await listener.speak("This will HANG.")
        await eventually(lambda: engine.busy == SMALL.max_queue_depth)
        name = await late.speak("It is noon.")
        error = await late.until("error", context_id=name)
        assert error["code"] == "queue_full" and error["retry_after_ms"] > 0
        await refused(server, 503)
        for listener in waiting:
            await listener.send("cancel", context_id="*")
            await listener.until("context.cancelled", context_id="*")
        await engine.lose()
        name = await late.speak("It is noon.")
        assert (await late.until("context.done", context_id=name))["reason"] == "completed"
        for listener in (*waiting, late):
            await listener.vanish()
        await all_is_free(server)


@pytest.mark.parametrize("limit", ["key_concurrency", "address_concurrency"])
async def test_who_has_too_much_under_way_is_refused_before_anything_is_begun(limit: str) -> None:
    async with small_server(**{limit: 2}) as (server, _):
        one, two, late = (Listener(server) for _ in range(3))
        assert await one.open() and await two.open()
        await one.until("session.ready")
        await two.until("session.ready")
        assert not await late.open()
        await refused(server, 429)
        assert server.registry.count == 2
        await one.send("session.close")
        await eventually(lambda: not one.is_open and server.registry.count == 1)
        assert await late.open()
        await late.until("session.ready")
        for listener in (one, two, late):
            await listener.vanish()
        await eventually(lambda: not any(left(server).values()))
