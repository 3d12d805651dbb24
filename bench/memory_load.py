"""Clients of a steady load: sessions that listen in real time, and requests for files."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

import aiohttp
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from bench.memory_plan import File, Talk, Turn, Visit
from bench.player import Player
from bench.soak_line import in_tokens
from bench.soak_witness import ViolationError, check
from realtime.session import messages as wire
from realtime.session.frames import frame_head
from realtime.types import TIMELINE_RATE

#: Who comes when so many are there is sent away: a server that falls behind is not buried.
MOST_AT_ONCE = 60
#: A visit may take so much longer than what it hears.
_PATIENCE_S = 60.0
_REPORT_S = 0.5
_TOKEN_S = 0.03
_AWAY_S = 0.3
_SHOWN = 100
_WENT_WRONG = (OSError, WebSocketException, aiohttp.ClientError, ViolationError)


@dataclass(slots=True)
class Guests:
    """All who come to one server, and what they were given.

    `audio_s`: seconds of sound, of files that stream about; `file_bytes`: of all files. `first_s`: from a
    whole text to the first frame of its sound. `errors`: what kind each is of, and what happened.
    """

    port: int
    http: aiohttp.ClientSession
    audio_s: float = 0.0
    file_bytes: int = 0
    first_s: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    errors: list[tuple[str, str]] = field(default_factory=list)
    here: set[asyncio.Task[None]] = field(default_factory=set)

    def let_in(self, visit: Visit) -> None:
        """One more, unless there are too many."""
        if len(self.here) >= MOST_AT_ONCE:
            self.counts["sent away"] += 1
            return
        task = asyncio.create_task(self.serve(visit))
        self.here.add(task)
        task.add_done_callback(self.here.discard)

    async def serve(self, visit: Visit) -> None:
        """From the coming of somebody to the end."""
        try:
            async with asyncio.timeout(2 * visit.audio_s + _PATIENCE_S):
                if isinstance(visit, File):
                    await self._fetch(visit)
                else:
                    await Listener(self, visit).listen()
        except _WENT_WRONG as error:
            self.errors.append((_kind(error), f"{error!r} {visit!r:.{_SHOWN}}"))

    async def _fetch(self, file: File) -> None:
        body: dict[str, object] = {
            "input": file.text,
            "language": file.language,
            "response_format": file.format,
            "stream": file.streams,
        }
        headers = {"Connection": "close"} if file.reconnects else {}
        url = f"http://127.0.0.1:{self.port}/v1/audio/speech"
        async with self.http.post(url, json=body, headers=headers) as answer:
            answer.raise_for_status()
            async for part in answer.content.iter_any():
                self.file_bytes += len(part)
        # How long a file is that streams stands in a trailer, which aiohttp does not tell.
        told_ms = answer.headers.get("X-Audio-Duration-Ms")
        self.audio_s += file.audio_s if told_ms is None else float(told_ms) / 1000
        self.counts[file.format] += 1


def _kind(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientResponseError):
        return f"HTTP {error.status}"
    return str(error) if isinstance(error, ViolationError) else type(error).__name__


class Listener:
    """Who has a session: hears each text in real time, says what was heard, barges in, comes back."""

    def __init__(self, guests: Guests, talk: Talk) -> None:
        """Nothing is sent before `listen`."""
        self._guests = guests
        self._talk = talk
        self._chance = Random(talk.at_s)
        self._socket: ClientConnection
        self._ready: wire.SessionReady
        #: The last seq that came, by handle.
        self._last: dict[str, int] = {}

    async def listen(self) -> None:
        """From the first message to the end."""
        await self._connect(wire.SessionStart(**self._talk.start))
        try:
            for number, turn in enumerate(self._talk.turns):
                await self._hear(f"turn-{number}", turn)
            if not self._talk.vanishes:
                await self._send(wire.SessionClose())
                await self._socket.wait_closed()
        finally:
            self._socket.transport.abort()
            await self._socket.wait_closed()
        self._guests.counts["sessions"] += 1

    async def _connect(self, first: wire.SessionStart) -> None:
        self._socket = await connect(
            f"ws://127.0.0.1:{self._guests.port}/v1/audio/speech/ws",
            compression=None,
            max_size=None,
            proxy=None,
            ping_interval=None,
            open_timeout=_PATIENCE_S,
        )
        await self._send(first)
        ready = await self._socket.recv()
        message = wire.decode_server(ready) if isinstance(ready, str) else None
        if not isinstance(message, wire.SessionReady):
            raise ViolationError("no `session.ready`")
        self._ready = message

    async def _send(self, message: wire.ClientMessage) -> None:
        await self._socket.send(wire.encode(message))

    async def _say(self, context: str, turn: Turn) -> None:
        if turn.by_token:
            for token in in_tokens(turn.text, self._chance):
                await self._send(wire.Text(token, context))
                await asyncio.sleep(_TOKEN_S)
        else:
            await self._send(wire.Text(turn.text, context))
        await self._send(wire.End(context))

    async def _hear(self, context: str, turn: Turn) -> None:
        hearing = _Hearing(context, turn, asyncio.create_task(self._say(context, turn)))
        begun = due = time.perf_counter()
        try:
            while not hearing.is_over(now := time.perf_counter()):
                if now >= due:
                    due = now + _REPORT_S
                    await self._act(hearing, now)
                try:
                    async with asyncio.timeout(max(0.0, due - now)):
                        data = await self._socket.recv()
                except TimeoutError:
                    continue
                if isinstance(data, str):
                    self._note(hearing, data)
                    continue
                now = time.perf_counter()
                if not turn.by_token and not hearing.player.received_s:
                    self._guests.first_s.append(now - begun)
                hearing.player.receive(self._take(data), now)
            if not hearing.barged_in:
                await hearing.saying
        finally:
            hearing.saying.cancel()

    async def _act(self, hearing: _Hearing, now: float) -> None:
        """Barge in, or lose the socket, when it is time to; else say what was heard."""
        played_s, turn = hearing.player.played_s(now), hearing.turn
        if hearing.barged_in or not played_s:
            return
        if turn.cancel_s is not None and played_s >= turn.cancel_s:
            hearing.barged_in = True
            hearing.player.stop(now)
            hearing.saying.cancel()
            await self._send(wire.Cancel(hearing.context, played_s * 1000))
        elif turn.lose_s is not None and played_s >= turn.lose_s and hearing.may_be_lost:
            hearing.came_back = True
            await self._come_back(hearing)
        else:
            await self._send(wire.Playback(played_s * 1000, hearing.context))

    def _take(self, frame: bytes) -> float:
        """Seconds of sound in a frame."""
        head = frame_head(frame)
        handle = str(head.handle)
        check(head.seq == self._last.get(handle, -1) + 1, "a frame out of turn")
        self._last[handle] = head.seq
        seconds = head.duration / TIMELINE_RATE
        self._guests.audio_s += seconds
        return seconds

    def _note(self, hearing: _Hearing, data: str) -> None:
        message = wire.decode_server(data)
        if isinstance(message, wire.Error):
            raise ViolationError(message.code)
        if isinstance(message, wire.ContextDone | wire.ContextCancelled) and (
            message.context_id == hearing.context
        ):
            if isinstance(message, wire.ContextCancelled):
                hearing.cut = True
                self._guests.counts["barge-ins"] += 1
            else:
                hearing.done = True
                check(message.reason == "completed", "a context has failed")

    async def _come_back(self, hearing: _Hearing) -> None:
        """Lose the socket, and take the session up again by another one."""
        self._socket.transport.abort()
        await self._socket.wait_closed()
        await asyncio.sleep(_AWAY_S)
        ready = self._ready
        resume = wire.ResumeRequest(ready.session_id, ready.resume_token, dict(self._last))
        await self._connect(wire.SessionStart(resume=resume))
        check(self._ready.resumed is True, "a session that is not there any more")
        known = {each.context_id: each.text_received for each in self._ready.contexts or ()}
        check(known.get(hearing.context) == len(hearing.turn.text), "text that was lost")
        self._guests.counts["came back"] += 1


@dataclass(slots=True)
class _Hearing:
    """How it goes with one text."""

    context: str
    turn: Turn
    #: Sends the text.
    saying: asyncio.Task[None]
    player: Player = field(default_factory=Player)
    barged_in: bool = False
    came_back: bool = False
    #: All has come; or it was cut off by the server, as was asked for.
    done: bool = False
    cut: bool = False

    @property
    def may_be_lost(self) -> bool:
        """Once, and when all that was sent has arrived."""
        return not self.came_back and self.saying.done()

    def is_over(self, now: float) -> bool:
        """Whether there is nothing more to hear."""
        return self.cut or (self.done and not self.barged_in and now >= self.player.end)


async def visit_all(plan: Iterable[Visit], servers: Sequence[Guests]) -> None:
    """The same visits to all servers at the same time; returns when the last guest is gone."""
    begun = time.perf_counter()
    for visit in plan:
        await asyncio.sleep(begun + visit.at_s - time.perf_counter())
        for guests in servers:
            guests.let_in(visit)
    while here := [task for guests in servers for task in guests.here]:
        await asyncio.wait(here)
