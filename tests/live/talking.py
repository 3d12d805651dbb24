"""A session on a transport in memory, with real speakers of the tone engine or puppets on virtual time."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, cast

from realtime.audio.formats import make_encoder
from realtime.clock import MonotonicClock
from realtime.engines.engine import Open
from realtime.engines.synthesizer import Cancellation
from realtime.engines.thread import ThreadEngine
from realtime.engines.tone import ToneSynthesizer
from realtime.errors import EngineError, ErrorCode
from realtime.live.contexts import OpenSpeakerFor
from realtime.live.driver import Driver
from realtime.live.socket import SocketSettings
from realtime.live.summaries import ContextSummary, Told
from realtime.live.transport import Pong, TransportClosedError
from realtime.session.frames import FrameKind, decode_frame
from realtime.session.offer import Format, Limits, Offer
from realtime.session.session import Session
from realtime.speech.cache import AudioCache
from realtime.speech.scheduler import Scheduler
from realtime.speech.speaker import Listener, Speaker, Studio
from realtime.speech.synthesis import Syntheses
from realtime.speech.text_feed import TextTurns
from realtime.speech.timeline import Timeline
from realtime.speech.urgent_threads import UrgentThreads
from realtime.text.frontend import Frontend, TextOptions
from realtime.types import (
    AudioSettings,
    Failed,
    Finished,
    FrameFlags,
    Packet,
    SpeechEvent,
    TextPiece,
    Timing,
    Voice,
    VoiceSettings,
)
from tests.virtual_time import LoopClock, VirtualTimeLoop

TONE = Voice("tone", ("en",), "tone")
OFFER = Offer(
    engine="tone",
    voices={"tone": TONE},
    default_voice="tone",
    formats={
        "opus": Format(FrameKind.OPUS, (48_000,), 312),
        "pcm_s16le": Format(FrameKind.PCM_S16LE, (24_000,)),
    },
    features=(),
    limits=Limits(resume_window_s=0),
    bitrate=32_000,
)
PCM = {"type": "session.start", "formats": ["pcm_s16le"]}
#: Some 25 s of sound, five times what may wait unsent.
LONG = "And so it went on and on, as such things go. " * 12
#: On this word the engine fails.
BAD = "unspeakable"
#: A test that hangs is ended; nothing is measured by it.
HANGS_S = 20.0


class Wire:
    """A transport in memory: `sent` is all that it was given, in order; a test is the client."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[str | bytes | Pong | TransportClosedError] = asyncio.Queue()
        self.sent: list[dict[str, Any] | bytes] = []
        self.closed: tuple[int, str] | None = None
        self.receives = 0
        self.pings: list[int] = []
        self.aborted = False
        #: Whether the client answers pings, and the close.
        self.answers = True
        self.news = asyncio.Event()
        #: Awaited after a piece was taken, with all of them so far: slowness and faults are put here.
        self.after_send: Callable[[list[dict[str, Any] | bytes]], Awaitable[None]] | None = None
        self.before_receive: Callable[[int], None] | None = None

    # -- the client's side ------------------------------------------------------------------------------

    def say(self, *all_fields: dict[str, Any]) -> None:
        for fields in all_fields:
            self.incoming.put_nowait(json.dumps(fields))

    def hang_up(self, code: int | None = 1000) -> None:
        """The client closes with this code; None: it is lost without a word."""
        self.incoming.put_nowait(TransportClosedError(code))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(HANGS_S):
            while not condition():
                self.news.clear()
                await self.news.wait()

    async def until_told(self, kind: str, count: int = 1) -> dict[str, Any]:
        await self.until(lambda: len(self.told(kind)) >= count)
        return self.told(kind)[count - 1]

    async def until_closed(self) -> None:
        while self.closed is None:  # on virtual time that may be hours
            self.news.clear()
            await self.news.wait()

    def messages(self) -> list[dict[str, Any]]:
        return [piece for piece in self.sent if isinstance(piece, dict)]

    def told(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages() if message["type"] == kind]

    def frames(self, handle: int | None = None) -> list[Packet]:
        frames = [decode_frame(piece) for piece in self.sent if isinstance(piece, bytes)]
        return [frame.packet for frame in frames if handle is None or frame.handle == handle]

    def trace(self) -> list[tuple[str, int]]:
        """(type, handle) of everything, frames as "frame", repetitions of it left out."""
        trace: list[tuple[str, int]] = []
        for piece in self.sent:
            if isinstance(piece, bytes):
                entry = ("frame", decode_frame(piece).handle)
            else:
                entry = (piece["type"], piece.get("handle", 0))
            if not trace or trace[-1] != entry or entry[0] != "frame":
                trace.append(entry)
        return trace

    # -- the driver's side ------------------------------------------------------------------------------

    async def receive(self) -> str | bytes | Pong:
        if self.before_receive is not None:
            self.before_receive(self.receives)
        self.receives += 1
        frame = await self.incoming.get()
        if isinstance(frame, TransportClosedError):
            self.incoming.put_nowait(frame)
            raise frame
        return frame

    async def send_text(self, message: str) -> None:
        await self._take(json.loads(message))

    async def send_frames(self, frames: Sequence[bytes]) -> None:
        for frame in frames:
            await self.send_bytes(frame)

    async def send_bytes(self, frame: bytes) -> None:
        await self._take(frame)

    async def _take(self, piece: dict[str, Any] | bytes) -> None:
        if self.closed is not None or self.aborted:
            raise TransportClosedError
        self.sent.append(piece)
        self.news.set()
        if self.after_send is not None:
            await self.after_send(self.sent)

    async def close(self, code: int, reason: str) -> bool:
        assert self.closed is None, "closed twice"
        self.closed = (code, reason)
        self.news.set()
        self.hang_up(None)
        return self.answers

    async def ping(self, number: int) -> None:
        self.pings.append(number)
        self.news.set()
        if self.answers:
            self.incoming.put_nowait(Pong(number))

    def abort(self) -> None:
        self.aborted = True
        self.hang_up(None)


def text(context_id: str, words: str, *, end: bool = True) -> list[dict[str, Any]]:
    """A context's whole text, and its end."""
    said: list[dict[str, Any]] = [{"type": "text", "context_id": context_id, "text": words}]
    return said + ([{"type": "end", "context_id": context_id}] if end else [])


class House:
    """The rooms below a driver, real ones, and a count of what goes on in them."""

    def __init__(self, scheduler: Scheduler, executor: UrgentThreads) -> None:
        self.scheduler = scheduler
        clock = MonotonicClock()
        self.syntheses = Syntheses(AudioCache(2**26, 1000), clock)
        self.studio = Studio(
            scheduler, self.syntheses, "", executor, clock, TextTurns(clock), buffer_ms=5_000
        )
        self.speakers: list[Speaker] = []
        self.drivers: dict[str, Driver] = {}
        self.told: list[Told] = []

    @property
    def summaries(self) -> list[ContextSummary]:
        return [told for told in self.told if isinstance(told, ContextSummary)]

    def open_speaker(self, settings: VoiceSettings, audio: AudioSettings, listener: Listener) -> Speaker:
        speaker = Speaker(
            self.studio,
            settings,
            Frontend(TextOptions(settings.language, buffering=settings.buffer)),
            Timeline(make_encoder(audio), settings.speed),
            listener,
        )
        self.speakers.append(speaker)
        return speaker

    def driver(self, offer: Offer = OFFER, session_id: str = "sid") -> Driver:
        clock = MonotonicClock()
        tokens = itertools.count(1)
        session = Session(session_id, lambda: f"{session_id}-{next(tokens)}", offer, clock.now())
        driver = Driver(session, self.open_speaker, clock, self.told.append, self.drivers.get)
        self.drivers[session_id] = driver
        return driver

    def reasons(self) -> dict[int, str]:
        """What the observer was told, by handle; fails when it was told twice of one."""
        handles = [summary.handle for summary in self.summaries]
        assert len(handles) == len(set(handles))
        assert len(handles) == len(self.speakers)
        return {summary.handle: summary.reason for summary in self.summaries}

    def codes(self) -> dict[int, ErrorCode | None]:
        """Why each has failed, by handle."""
        return {summary.handle: summary.code for summary in self.summaries}


class FussySynthesizer(ToneSynthesizer):
    """Fails on one word."""

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Any:
        if BAD in piece.text:
            raise EngineError("this cannot be said")
        return super().synthesize(piece, request, cancellation)


@asynccontextmanager
async def house(max_utterances: int = 64) -> AsyncIterator[House]:
    """Checks on leaving that nothing is left: no task, no place in the engine."""
    before = asyncio.all_tasks()
    scheduler = Scheduler(ThreadEngine(FussySynthesizer(), 1), MonotonicClock(), max_utterances)
    await scheduler.start()
    with UrgentThreads(1) as executor:
        built = House(scheduler, executor)
        try:
            yield built
            assert (scheduler.admitted, scheduler.queue_depth) == (0, 0)
            assert not built.syntheses._under_way and not scheduler._listeners
            assert asyncio.all_tasks() == before
        finally:
            await scheduler.stop()


@asynccontextmanager
async def running(built: House, wire: Wire, offer: Offer = OFFER) -> AsyncIterator[Driver]:
    """A driver and its first socket run beside the block, and are over when the block is left."""
    driver = built.driver(offer)
    tasks = [asyncio.create_task(driver.run()), asyncio.create_task(driver.serve(wire))]
    try:
        yield driver
        async with asyncio.timeout(HANGS_S):
            await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def serve(built: House, wire: Wire, offer: Offer = OFFER) -> None:
    """Run a driver to its end."""
    async with running(built, wire, offer):
        pass


def check_promises(wire: Wire) -> None:
    """What must be true of every conversation, whatever happened in it."""
    over: set[int] = set()
    ended: list[int] = []
    next_seq: dict[int, int] = {}
    position: dict[int, int] = {}
    for piece in wire.sent:
        if isinstance(piece, bytes):
            frame = decode_frame(piece)
            assert frame.handle not in over, "a frame after the end of its context"
            assert frame.packet.seq == next_seq.get(frame.handle, 0)
            assert frame.packet.position == position.get(frame.handle, 0)
            assert (FrameFlags.FIRST in frame.packet.flags) == (frame.packet.seq == 0)
            next_seq[frame.handle] = frame.packet.seq + 1
            position[frame.handle] = frame.packet.position + frame.packet.duration
        elif piece["type"] in ("context.done", "context.cancelled") and piece["handle"]:
            handle = piece["handle"]
            over.add(handle)
            ended.append(handle)
            assert piece["last_seq"] == (next_seq[handle] - 1 if handle in next_seq else None)
    first_frames = list(next_seq)
    assert first_frames == sorted(first_frames), "contexts are spoken in the order opened"
    dones = [message["handle"] for message in wire.told("context.done")]
    assert len(dones) == len(set(dones))


class Puppet:
    """A speaker that a test lets speak."""

    def __init__(self, on_output: Callable[[], None]) -> None:
        self.events: deque[SpeechEvent] = deque()
        self.on_output = on_output
        self.timing = Timing()
        self.failure: Failed | None = None
        self.calls: list[str] = []
        self.over = False
        self.turns = 0
        self.losses = 0
        self.credits = 0
        self.seq = 0
        self.makes_more = False
        self.synthesized_ms = 0.0

    def take_turn(self) -> None:
        self.turns += 1

    def give(self, *events: SpeechEvent) -> None:
        self.events.extend(events)
        self.on_output()

    def frames(self, count: int) -> None:
        """So many more of 20 ms."""
        seqs = range(self.seq, self.seq + count)
        self.seq += count
        self.synthesized_ms += 20 * count
        self.give(*(Packet(b"x", seq, seq * 960, 960, FrameFlags(seq == 0)) for seq in seqs))

    def finish(self) -> None:
        self.give(Finished(self.seq * 960))

    @property
    def has_more(self) -> bool:
        return self.makes_more or any(isinstance(event, Packet) for event in self.events)

    def append(self, text: str) -> None:
        self.calls.append(f"append {text}")

    def flush(self, flush_id: str | None) -> None:
        self.calls.append(f"flush {flush_id}")

    def end(self) -> None:
        self.calls.append("end")

    def take(self) -> SpeechEvent | None:
        return self.events.popleft() if self.events else None

    def take_packets(self, most_ms: float, most_bytes: int) -> list[Packet]:
        packets: list[Packet] = []
        while isinstance(self.peek(), Packet) and sum(each.duration for each in packets) / 48 < most_ms:
            if sum(len(each.payload) for each in packets) >= most_bytes:
                break
            packets.append(cast(Packet, self.events.popleft()))
        return packets

    def peek(self) -> SpeechEvent | None:
        return self.events[0] if self.events else None

    def on_credit(self) -> None:
        self.credits += 1

    def text_was_lost(self) -> None:
        self.losses += 1

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.over = True


class Stage:
    """A driver with puppets on virtual time; `wire` is its first socket."""

    def __init__(self, settings: SocketSettings | None = None, **limits: Any) -> None:
        self.wire = Wire()
        self.puppets: list[Puppet] = []
        self.told: list[Told] = []
        self.drivers: dict[str, Driver] = {}
        self._offer = replace(OFFER, limits=replace(Limits(), **limits))
        self._settings = settings or SocketSettings(heartbeat_s=0)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def summaries(self) -> list[ContextSummary]:
        return [told for told in self.told if isinstance(told, ContextSummary)]

    @property
    def driver(self) -> Driver:
        return self.drivers["sid"]

    def _open(self, _settings: Any, _audio: Any, listener: Listener) -> Puppet:
        self.puppets.append(Puppet(listener.on_output))
        return self.puppets[-1]

    def connect(self, wire: Wire, session_id: str) -> asyncio.Task[None]:
        """A new socket, which begins a session; the task that serves it."""
        clock, tokens = LoopClock(), itertools.count(1)
        session = Session(session_id, lambda: f"{session_id}-{next(tokens)}", self._offer, clock.now())
        open_speaker = cast(OpenSpeakerFor, self._open)
        driver = Driver(session, open_speaker, clock, self.told.append, self.drivers.get, self._settings)
        self.drivers[session_id] = driver
        served = asyncio.create_task(driver.serve(wire))
        self._tasks += [asyncio.create_task(driver.run()), served]
        return served

    def resume(self, token: str, last: dict[str, int] | None = None) -> tuple[Wire, asyncio.Task[None]]:
        """A new socket, which asks for the first session."""
        wire = Wire()
        wire.say(PCM | {"resume": {"session_id": "sid", "token": token, "last": last or {}}})
        return wire, self.connect(wire, f"new-{len(self.drivers)}")

    async def _play(self, client: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.connect(self.wire, "sid")
        try:
            await client()
            await asyncio.wait(self._tasks)
            for task in self._tasks:
                assert task.cancelled() or task.exception() is None
            assert asyncio.all_tasks() == {asyncio.current_task()}
            assert all(puppet.over for puppet in self.puppets)
        finally:
            for task in self._tasks:
                task.cancel()

    def play(self, client: Callable[[], Coroutine[Any, Any, None]]) -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(self._play(client))
