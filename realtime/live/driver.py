"""Runs one session: feeds its state machine, and carries out its actions.

Where its sound goes over a track, that has it from the moment on at which a socket would have: what has left
over it is looked up before the state machine is asked anything that depends on where the listener is.

A session outlives its sockets. `run` is the session itself, from its first socket to its end; `serve` serves
one socket, and returns when that one has come to its end. While there is none, nothing is fetched from the
speakers: they go on as far as there is room and credit.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from math import inf

import structlog

from realtime.clock import Clock
from realtime.errors import INTERNAL_MESSAGE, CloseCode, ErrorCode, RealtimeError
from realtime.live.carried import CarriedTrack
from realtime.live.contexts import Contexts, OpenSpeakerFor
from realtime.live.outbox import Outbox, Outgoing
from realtime.live.socket import STALL_S, Ending, Socket, SocketSettings
from realtime.live.summaries import ErrorTold, Observer, Silenced
from realtime.live.track import Outlet
from realtime.live.transport import Transport, TransportClosedError
from realtime.session.actions import (
    Action,
    Become,
    Close,
    Machine,
    OpenSpeaker,
    Resume,
    Send,
    SendFrame,
    SendPayload,
    StopSpeaker,
    Unheard,
)
from realtime.session.messages import Error, ResumeRequest
from realtime.session.session import Session
from realtime.session.sockets import no_such_session
from realtime.types import Failed, Finished, Packet, SpeechEvent

#: So much sound is fetched at a time: what goes out with one system call.
MOST_FRAME_BYTES = 8 * 1024
_TAKEN_OVER = "another socket has taken up the session"
_log = structlog.get_logger(__name__)


class _ContextListener:
    """Who hears one context."""

    def __init__(self, driver: Driver, handle: int) -> None:
        self._driver = driver
        self._handle = handle

    def on_output(self) -> None:
        self._driver.on_output(self._handle)

    def dry_at(self) -> float:
        return self._driver.dry_at(self._handle)

    def credit_ms(self) -> float:
        return self._driver.credit_ms()


class Driver:
    """One session, from its first socket to its end."""

    def __init__(
        self,
        session: Session,
        open_speaker: OpenSpeakerFor,
        clock: Clock,
        observe: Observer,
        find: Callable[[str], Driver | None],
        settings: SocketSettings | None = None,
        *,
        has_data_channel: bool = False,
    ) -> None:
        """Everything is given; nothing is started before `run`. `find`: a running session by its id.

        `has_data_channel`: its first socket is one, which can take no frames.
        """
        self.has_data_channel = has_data_channel
        self._session: Machine = session
        self.session_id = session.session_id
        self._clock = clock
        self._observe = observe
        self._find = find
        self._settings = settings or SocketSettings()
        self._outbox = Outbox(session)
        self.track = CarriedTrack(session, clock, self._perform, self._wake)
        self._contexts = Contexts(session, session.session_id, open_speaker, clock, observe)
        self._closing: Close | None = None
        self._socket: Socket | None = None
        self._expects_socket = True  # what is said now is for the next one
        self._claim = 0  # the number of the last resume: of several, the last one is served
        self._handed_to: tuple[Driver, int] | None = None
        self._on_begin: Callable[[], None] | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._begun = asyncio.Event()
        self._over = False
        self._changed = asyncio.Event()
        #: Whether a first message has begun it.
        self.has_begun = False
        #: When its socket was lost, None while it has one.
        self.lost_at: float | None = None

    # -- the session ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """The session, until it is over; leaves no task behind."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                self._begun.set()
                try:
                    await self._until_over()
                finally:
                    self._end()
        except* Exception:  # nobody foresaw it: this session ends, and says so
            self._break()

    async def _until_over(self) -> None:
        while not self._over:
            self._changed.clear()
            # While there is a socket, that watches the deadlines: it is awake with every frame.
            deadline = inf if self._socket else self.next_deadline()
            wait_s = None if deadline == inf else max(0.0, deadline - self._clock.now())
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                self.on_deadline()

    def _end(self) -> None:
        """The session is over: nobody listens any more."""
        self._over = True
        self._closing = self._closing or Close(CloseCode.GOING_AWAY, "going away", at_once=True)
        self._changed.set()
        self._wake()
        self._contexts.drop_all()
        self.track.end()

    def _break(self) -> None:
        _log.exception("session_failed", session=self.session_id)
        self._perform(self._session.broken())
        self._end()

    def drain(self, drain_ms: int) -> None:
        """The server is going away: finish what is running, within `drain_ms`, and close."""
        self._perform(self._session.drain(drain_ms, self._clock.now()))
        self._end_if_lost()

    def shut_down(self) -> None:
        """Tell the client that the server is going away, and close."""
        self._perform(self._session.shut_down())
        self._end_if_lost()

    def _end_if_lost(self) -> None:
        """Who has no socket when the server goes away gets none any more."""
        if not self._expects_socket:
            self._end()

    def give_up(self) -> None:
        """End a session without a socket: others need its place."""
        self._end()

    # -- its sockets ------------------------------------------------------------------------------------

    async def serve(
        self,
        transport: Transport,
        claim: int = 0,
        on_begin: Callable[[], None] | None = None,
        outlet: Outlet | None = None,
    ) -> None:
        """Serve one socket until that comes to its end; `run` must be running, or about to.

        `claim`: what `resume` gave for it. `on_begin` is called when the first message has begun a session,
        and not taken up another one. `outlet`: what carries the track of a session that is led over it.
        """
        try:
            await self._begun.wait()
        except asyncio.CancelledError:
            self.not_coming(claim)
            raise
        if claim != self._claim:
            await transport.close(CloseCode.TAKEN_OVER, _TAKEN_OVER)
            return
        self._on_begin = on_begin
        if outlet is not None:
            self.track.lead(outlet)
        self._socket = socket = Socket(transport, self, self._clock, self._settings)
        self._contexts.text_was_lost()
        self._changed.set()
        ending = Ending.LOST
        try:
            ending = await socket.serve()
        except Exception:
            self._break()
            ending = Ending.OVER
            await self._say_last(transport)
        finally:
            if self._socket is socket:
                self._detach(ending)
            if outlet is not None:
                self.track.disconnect(outlet)
            if self._handed_to is not None and ending is not Ending.LEFT:
                self._handed_to[0].not_coming(self._handed_to[1])
        if ending is not Ending.LEFT:
            return
        if self._handed_to is not None:
            other, claim = self._handed_to
            await other.serve(transport, claim, outlet=outlet)
        else:
            await transport.close(CloseCode.TAKEN_OVER, _TAKEN_OVER)

    def _detach(self, ending: Ending) -> None:
        """There is no socket any more."""
        now = self._clock.now()
        self._expects_socket = False
        self._clear()
        if self._over or ending is not Ending.LOST or not self._session.lost(now):
            self._end()
        else:
            self.lost_at = now
        self._changed.set()

    def _clear(self) -> None:
        """What was to be sent is not: what counts of it is kept, and sent again."""
        self._socket = None
        self._outbox.clear()

    def resume(self, request: ResumeRequest) -> int:
        """Another socket asks for this session; the one that it has is left.

        Returns what is to be given to `serve`, or to `not_coming`. Raises `RealtimeError`, and nothing has
        changed then.
        """
        if self._over:
            raise no_such_session()
        actions = self._session.resume(request, self._clock.now())
        if self._socket is not None:
            self._socket.leave()
        self._clear()
        self._expects_socket, self.lost_at = True, None
        self._claim += 1
        self._perform(actions)
        return self._claim

    def not_coming(self, claim: int) -> None:
        """The socket that has asked for this session was lost before it was served."""
        if claim == self._claim and self._socket is None:
            self._detach(Ending.LOST)

    async def _say_last(self, transport: Transport) -> None:
        """After a mistake: why the socket closes."""
        with contextlib.suppress(TransportClosedError, TimeoutError):
            async with asyncio.timeout(STALL_S):
                for answer in self._outbox.answers():
                    await transport.send_text(answer)
        code = self._closing or Close(CloseCode.INTERNAL, "internal error")
        await transport.close(code.code, code.reason)

    def _hand_over(self, request: ResumeRequest) -> None:
        """The first message asks for another session."""
        try:
            other = self._find(request.session_id)
            if other is None or other is self or (self.has_data_channel and not other.track.is_used):
                raise no_such_session()
            self._handed_to = other, other.resume(request)
        except RealtimeError as error:
            self._perform(self._session.resume_failed(error, self._clock.now()))
            return
        if self._socket is not None:
            self._socket.leave()
        self.track.release()  # whoever carries it goes to the other session
        self._end()

    # -- what its socket asks for -----------------------------------------------------------------------

    @property
    def closing(self) -> Close | None:
        """How the socket is to be closed when all was sent; None while it is not."""
        return self._closing

    def receive(self, frame: str | bytes) -> None:
        """A frame of the client."""
        self._perform(self._session.receive(frame, self.track.now()))
        if self._session.has_moved():
            self._contexts.listener_moved()
        if self._on_begin is not None and self._handed_to is None:
            on_begin, self._on_begin = self._on_begin, None
            self.has_begun = True
            on_begin()

    def received(self, number: int) -> None:
        """The client has received the `session.ready` of this number."""
        self._session.received(number)

    def too_fast(self, per_s: int, retry_after_ms: int) -> None:
        """The client sends faster than it is read."""
        self._perform(self._session.too_fast(per_s, retry_after_ms))

    def stalled(self, reason: str) -> None:
        """The client takes nothing: the session is over."""
        self._closing = Close(CloseCode.LISTENER_STALLED, reason, at_once=True)
        self._end()

    async def room_for_answers(self) -> None:
        """Returns when the client may be read: not while it takes none of the answers."""
        await self._outbox.room_for_answers()

    def silent(self, since: float) -> None:
        """The answer to a cancel that came at `since` has left."""
        self._observe(Silenced(self.session_id, self._clock.now() - since))

    def unheard_s(self) -> float:
        """How long the listener still plays what was sent, in seconds; infinite while it is paused."""
        return self._session.unheard_s(self.track.now())

    @property
    def contexts(self) -> int:
        """How many contexts are being spoken."""
        return len(self._contexts)

    def lead_s(self) -> float | None:
        """Sound that the listener has in hand while more is being made, in seconds.

        None when that says nothing: it has paused, or is not there, or has nothing to hear.
        """
        speaker = self._contexts.speaker(self._session.head())
        if speaker is None or speaker.timing.first_packet is None or not speaker.has_more:
            return None
        if self._socket is None or not self.track.is_heard:
            return None
        lead_s = self.unheard_s()
        return lead_s if lead_s < inf else None

    def next_deadline(self) -> float:
        """When `on_deadline` wants to be called, in monotonic seconds."""
        return self._session.next_deadline()

    def on_deadline(self) -> None:
        """Time has passed."""
        self._perform(self._session.on_deadline(self.track.now()))

    def next_piece(self) -> Outgoing | None:
        """What is to be sent now: answers, what is sent again, what the head's speaker has made."""
        at_once = self._closing is not None and self._closing.at_once
        while (piece := self._outbox.next(answers_only=at_once)) is None:
            if self._closing is not None or not self._fetch():
                return None
        return piece

    def _fetch(self) -> bool:
        """Get something of the head's speaker; False when there is nothing to be had."""
        head = self._session.head()
        speaker = self._contexts.speaker(head)
        if head is None or speaker is None:
            return False
        if not self.track.has_room:
            return False
        now = self.track.now()
        must_wait = self._session.must_wait(now)
        if must_wait and speaker.has_more and (told := self._session.hold(head, now)):
            self._perform(told)
            return True
        if isinstance(speaker.peek(), Packet):
            if must_wait:
                return False
            packets = speaker.take_packets(self._session.credit_ms(now), MOST_FRAME_BYTES)
            self._send_packets(head, packets, now)
            return True
        event = speaker.take()
        if event is None:
            return False
        self._on_event(head, event, now)
        return True

    def _send_packets(self, handle: int, packets: list[Packet], now: float) -> None:
        frames = self._session.on_packets(handle, packets, now)
        if self.track.is_used:
            self.track.put(handle, packets)
        else:
            self._outbox.put_frames(frames)

    def _on_event(self, handle: int, event: SpeechEvent, now: float) -> None:
        for action in self._session.on_event(handle, event, now):
            if isinstance(action, Send):
                self._note(action)
                self._outbox.put_message(action.message, now)
            else:
                self._perform([action])
        if isinstance(event, Finished):
            self._contexts.drop(handle, "completed")
        elif isinstance(event, Failed):
            self._contexts.drop(handle, "failed", event.code)

    # -- actions ----------------------------------------------------------------------------------------

    def _perform(self, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Send):
                self._note(action)
                self._outbox.say(action.message, self._clock.now(), has_socket=self._expects_socket)
            elif isinstance(action, OpenSpeaker):
                self._open(action)
            elif isinstance(action, Close):
                self._closing = self._closing or action
                if not self._expects_socket:
                    self._end()
            elif isinstance(action, StopSpeaker):
                self._contexts.stop(action)
                if action.reason == "cancelled":  # of what has failed all is heard that was fetched
                    self.track.drop(action.handle)
            elif isinstance(action, Unheard):
                self._contexts.cut_late(action)
                self.track.drop(action.handle)
            elif isinstance(action, Become):
                machine = action.machine
                self._session = self._outbox.machine = self._contexts.machine = self.track.machine = machine
            elif isinstance(action, Resume):
                self._hand_over(action.request)
            elif not isinstance(action, SendFrame | SendPayload):
                self._contexts.instruct(action)
        self._wake()

    def _note(self, said: Send) -> None:
        if isinstance(said.message, Error):
            self._observe(ErrorTold(self.session_id, ErrorCode(said.message.code)))

    def _wake(self) -> None:
        if self._socket is not None:
            self._socket.wake()

    def _open(self, action: OpenSpeaker) -> None:
        assert self._tasks is not None, "only a running driver opens speakers"
        handle = action.handle
        try:
            self._contexts.open(action, _ContextListener(self, handle), self._tasks)
        except Exception:
            _log.exception("speaker_not_opened", session=self.session_id, handle=handle)
            failure = Failed(ErrorCode.INTERNAL, INTERNAL_MESSAGE)
            self._perform(self._session.on_event(handle, failure, self._clock.now()))

    # -- what its speakers ask for ----------------------------------------------------------------------

    def on_output(self, handle: int) -> None:
        """A speaker has something to fetch, or has failed."""
        speaker = self._contexts.speaker(handle)
        if speaker is not None and speaker.failure is not None:
            self._perform(self._session.on_failure(handle, speaker.failure, self._clock.now()))
        self._wake()

    def dry_at(self, handle: int) -> float:
        """When the listener will have heard all that was sent, in monotonic seconds.

        Infinite without a socket: nothing is needed then, and text that is late may be lost on its way; and
        where nobody carries the track.
        """
        if self._socket is None or not self.track.is_heard:
            return inf
        return self._session.dry_at(handle, self.track.now())

    def credit_ms(self) -> float:
        """How much more sound the listener may be sent."""
        return self._session.credit_ms(self.track.now())
