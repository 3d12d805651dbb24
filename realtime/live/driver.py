"""Runs one session on one transport: feeds its state machine, carries out its actions, owns its speakers.

One task reads, one task writes. What the session answers to a message goes to the front (`_urgent`); sound,
and what keeps its order with sound, is fetched from the head's speaker one event at a time, at the moment
it is sent. So a cancel that stops a speaker has stopped its sound: nothing waits behind the writer's back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from realtime.clock import Clock
from realtime.errors import INTERNAL_MESSAGE, CloseCode, ErrorCode
from realtime.session.actions import (
    Action,
    AppendText,
    Become,
    Close,
    EndSpeaker,
    FlushSpeaker,
    Machine,
    OpenSpeaker,
    Send,
    SendFrame,
    SendPayload,
    StopSpeaker,
)
from realtime.session.frames import encode_frame
from realtime.session.messages import encode
from realtime.session.session import Session
from realtime.speech.speaker import Speaker
from realtime.types import AudioSettings, Failed, Finished, SpeechEvent, Timing, VoiceSettings

#: A client that takes nothing for so long is dropped.
STALL_S = 30.0
#: A client that sends and does not read is not read either when so many characters of answers wait for it.
MOST_ANSWERS = 256 * 1024
#: A client's messages are read for so long before the other sessions get their turn on the loop.
READ_S = 0.001
#: So many events are sent before the other sessions get their turn on the loop.
BURST = 25


_log = structlog.get_logger(__name__)


class TransportClosedError(Exception):
    """The other side is gone. `code`: the close code that it sent; None: it was lost without one."""

    def __init__(self, code: int | None = None) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to the ping of this number: all that was sent before it has been received."""

    number: int


class Transport(Protocol):
    """A sink for frames and messages, and a source of them. One reader and one writer use it at a time."""

    async def receive(self) -> str | bytes | Pong:
        """The next frame, or the answer to a ping; raises `TransportClosedError`."""
        ...

    async def send_text(self, message: str) -> None:
        """Send a message; waits while too much is unsent. Raises `TransportClosedError`."""
        ...

    async def send_bytes(self, frame: bytes) -> None:
        """Send a binary frame; waits while too much is unsent. Raises `TransportClosedError`."""
        ...

    async def ping(self, number: int) -> None:
        """Ask for a `Pong` of this number, larger than those before; as `send_text` otherwise."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Close, after what was sent; never raises."""
        ...

    def abort(self) -> None:
        """Cut the connection off: nothing is sent any more."""
        ...


#: Makes the speaker of a context. The third argument is called when it has something to fetch; the last tells
#: when the listener will have heard all that was sent, in monotonic seconds.
OpenSpeakerFor = Callable[[VoiceSettings, AudioSettings, Callable[[], None], Callable[[], float]], Speaker]


@dataclass(frozen=True, slots=True)
class ContextSummary:
    """What became of a context; `reason` is completed, failed, cancelled or disconnected.

    `code`: why it has failed.
    """

    session_id: str
    context_id: str
    handle: int
    reason: str
    settings: VoiceSettings
    text: str
    timing: Timing
    code: ErrorCode | None = None


#: Is told of every context that is over.
Observer = Callable[[ContextSummary], None]


@dataclass(frozen=True, slots=True)
class _Running:
    opened: OpenSpeaker
    speaker: Speaker
    task: asyncio.Task[None]


class Driver:
    """One session, from its first frame to its close."""

    def __init__(
        self,
        session: Session,
        transport: Transport,
        open_speaker: OpenSpeakerFor,
        clock: Clock,
        observe: Observer,
    ) -> None:
        """Everything is given; nothing is started before `run`."""
        self._session: Machine = session
        self._session_id = session.session_id
        self._transport = transport
        self._open_speaker = open_speaker
        self._clock = clock
        self._observe = observe
        self._urgent: deque[str] = deque()
        self._urgent_characters = 0
        self._room_for_answers = asyncio.Event()
        self._room_for_answers.set()
        self._close: Close | None = None
        self._wake = asyncio.Event()
        self._running: dict[int, _Running] = {}
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Serve the session until it closes or the transport does; leaves no task behind."""
        try:
            await self._serve()
        except* Exception:  # nobody foresaw it: this session ends, and says so
            _log.exception("session_failed", session=self._session_id)
            for action in self._session.broken():
                if isinstance(action, Send):
                    with contextlib.suppress(TransportClosedError, TimeoutError):
                        async with asyncio.timeout(STALL_S):
                            await self._transport.send_text(encode(action.message))
                elif isinstance(action, Close):
                    await self._transport.close(action.code, action.reason)

    async def _serve(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            reader = tasks.create_task(self._read())
            writer = tasks.create_task(self._write())
            try:
                await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
                if self._close is not None and await writer:
                    reader.cancel()  # what still comes is for the closing handshake
                    await asyncio.wait({reader})
                    await self._transport.close(self._close.code, self._close.reason)
            finally:
                reader.cancel()
                writer.cancel()
                for handle in list(self._running):
                    self._drop(handle, "disconnected")

    def shut_down(self) -> None:
        """Tell the client that the server is going away, and close."""
        self._perform(self._session.shut_down())

    async def _read(self) -> None:
        try:
            paused = self._clock.now()
            while True:
                await self._room_for_answers.wait()
                frame = await self._transport.receive()
                if isinstance(frame, Pong):
                    continue
                self._perform(self._session.receive(frame, self._clock.now()))
                if (now := self._clock.now()) - paused > READ_S:
                    await asyncio.sleep(0)  # a flood that has come already would be read without a pause
                    paused = now
        except TransportClosedError:
            return

    async def _write(self) -> bool:
        """True when everything was sent before a close."""
        try:
            while True:
                async with asyncio.timeout(STALL_S) as stall:
                    idle = await self._send_burst(stall)
                if idle and self._close is not None:
                    return True
                if idle:
                    await self._wait()
                else:
                    await asyncio.sleep(0)
        except TransportClosedError:
            return False
        except TimeoutError:
            await self._transport.close(CloseCode.LISTENER_STALLED, "the listener took nothing for 30 s")
            return False

    async def _send_burst(self, stall: asyncio.Timeout) -> bool:
        """Send what there is, up to `BURST` pieces; True when nothing is left."""
        begun = asyncio.get_running_loop().time()
        for _ in range(BURST):
            now = asyncio.get_running_loop().time()
            if now - begun > STALL_S / 100:  # slow, but it takes: only who takes nothing is dropped
                stall.reschedule(now + STALL_S)
            if self._urgent:
                await self._transport.send_text(self._next_urgent())
                continue
            if self._close is not None:
                return True
            fetched = self._fetch()
            if fetched is None:
                return True
            for action in self._on_event(*fetched):
                if isinstance(action, SendFrame):
                    await self._transport.send_bytes(encode_frame(action.kind, action.handle, action.packet))
                elif isinstance(action, SendPayload):
                    await self._transport.send_bytes(action.payload)
                elif isinstance(action, Send):
                    await self._transport.send_text(encode(action.message))
                else:
                    self._perform([action])
        return False

    def _next_urgent(self) -> str:
        message = self._urgent.popleft()
        self._urgent_characters -= len(message)
        if self._urgent_characters < MOST_ANSWERS:
            self._room_for_answers.set()
        return message

    def _fetch(self) -> tuple[int, SpeechEvent] | None:
        head = self._session.head()
        running = self._running.get(head) if head is not None else None
        event = running.speaker.take() if running else None
        return (head, event) if head is not None and event is not None else None

    def _on_event(self, handle: int, event: SpeechEvent) -> list[Action]:
        actions = self._session.on_event(handle, event, self._clock.now())
        if isinstance(event, Finished):
            self._drop(handle, "completed")
        elif isinstance(event, Failed):
            self._drop(handle, "failed", event.code)
        return actions

    async def _wait(self) -> None:
        """Until there is something to send, or the session's deadline comes."""
        self._wake.clear()
        deadline = self._session.next_deadline()
        try:
            async with asyncio.timeout(max(0.0, deadline - self._clock.now())):
                await self._wake.wait()
        except TimeoutError:
            self._perform(self._session.on_deadline(self._clock.now()))

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Send):
                message = encode(action.message)
                self._urgent.append(message)
                self._urgent_characters += len(message)
                if self._urgent_characters >= MOST_ANSWERS:
                    self._room_for_answers.clear()
            elif isinstance(action, OpenSpeaker):
                self._open(action)
            elif isinstance(action, Close):
                self._close = self._close or action
            elif isinstance(action, StopSpeaker):
                self._drop(action.handle, action.reason, action.code)
            elif isinstance(action, Become):
                self._session = action.machine
            elif not isinstance(action, SendFrame | SendPayload):
                self._instruct(action)
        self._wake.set()

    def _instruct(self, action: AppendText | FlushSpeaker | EndSpeaker) -> None:
        running = self._running.get(action.handle)
        if running is None:
            return
        speaker = running.speaker
        if isinstance(action, AppendText):
            speaker.append(action.text)
        elif isinstance(action, FlushSpeaker):
            speaker.flush(action.flush_id)
        else:
            speaker.end()

    def _open(self, action: OpenSpeaker) -> None:
        assert self._tasks is not None, "only a running driver opens speakers"
        handle = action.handle
        try:
            speaker = self._open_speaker(
                action.settings,
                action.audio,
                lambda: self._on_output(handle),
                lambda: self._session.dry_at(handle, self._clock.now()),
            )
        except Exception:
            _log.exception("speaker_not_opened", session=self._session_id, handle=handle)
            failure = Failed(ErrorCode.INTERNAL, INTERNAL_MESSAGE)
            self._perform(self._session.on_event(handle, failure, self._clock.now()))
            return
        if self._session.head() == handle:
            speaker.take_turn()
        self._running[handle] = _Running(action, speaker, self._tasks.create_task(speaker.run()))

    def _on_output(self, handle: int) -> None:
        running = self._running.get(handle)
        if running is not None and running.speaker.failure is not None:
            self._perform(self._session.on_failure(handle, running.speaker.failure, self._clock.now()))
        self._wake.set()

    def _drop(self, handle: int, reason: str, code: str | None = None) -> None:
        running = self._running.pop(handle, None)
        if running is None:
            return
        running.task.cancel()
        opened = running.opened
        self._observe(
            ContextSummary(
                self._session_id,
                opened.context_id,
                handle,
                reason,
                opened.settings,
                self._session.text(handle),
                running.speaker.timing,
                None if code is None else ErrorCode(code),
            )
        )
