"""A client and a driver of a session in one, for tests of any sequence: every action is checked.

It knows only what was sent and what was answered. Its client receives what was sent late, or, when the socket
is lost, only a part of it; and takes the session up again from there.
"""

from __future__ import annotations

import itertools
import json
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from msgspec import Struct

from realtime.errors import ErrorCode, RealtimeError
from realtime.session import messages as wire
from realtime.session.actions import (
    Action,
    AppendText,
    Close,
    EndSpeaker,
    FlushSpeaker,
    OpenSpeaker,
    Replenish,
    Resume,
    Send,
    SendFrame,
    StopSpeaker,
    Unheard,
)
from realtime.session.frames import Frame, decode_frame, encode_frame
from realtime.session.offer import Limits
from realtime.session.replay import MOST_MS, Piece, follows, is_kept
from realtime.session.session import Session
from realtime.session.sockets import no_such_session
from realtime.types import Failed, FrameFlags
from tests.session.talk import MS, OFFER, every


@dataclass
class Model:
    """What is known of one context from outside."""

    context_id: str
    handle: int
    tells_words: bool
    text: str = ""
    words: int = 0
    seq: int = 0
    position: int = 0
    ended: bool = False
    stands_still: bool = False  # paused, perhaps after its end
    failed: Failed | None = None
    stopped: str | None = None
    done: wire.ContextDone | None = None
    cancelled: wire.ContextCancelled | None = None
    told: bool = False
    waits: bool = False  # it was told to, by `flow`
    received: int = -1  # seq
    received_ms: float = 0.0
    silent: bool = False  # its `context.cancelled` was received

    @property
    def live(self) -> bool:
        """Whether no ending was told."""
        return self.done is None and self.cancelled is None

    @property
    def paused(self) -> bool:
        """Whether none of its sound may be sent."""
        return self.stands_still and self.live


class Watched:
    """A session and the present; whoever sends a message or an event to it has all that it does looked at."""

    def __init__(self, limits: Limits) -> None:
        self.now = 50.0
        numbers = itertools.count(1)
        self._limits = limits
        self.session = Session(
            "sid", lambda: f"token {next(numbers)}", replace(OFFER, limits=limits), self.now
        )
        self.contexts: dict[int, Model] = {}
        self.tokens: list[str] = []
        self.tells_words = False
        self.closed = False
        self.draining = False
        self.going_away = False
        self.may_resume = False
        #: Sent, and not received so far.
        self.flight: deque[Piece] = deque()

    # -- the driver's part: every action is looked at ---------------------------------------------------

    def perform(self, actions: list[Action]) -> None:
        """Carry out what the session wants, and check that it may be wanted now."""
        for action in actions:
            if self.closed:  # nobody takes it up any more
                assert isinstance(action, Close) and self.may_resume, f"{action} after Close"
            if isinstance(action, Send):
                self.told(action.message)
                self.say(action.message)
            elif isinstance(action, OpenSpeaker):
                assert not self.draining
                assert action.handle > max(self.contexts, default=0)
                model = Model(action.context_id, action.handle, self.tells_words)
                self.contexts[action.handle] = model
                open_ones = [each for each in self.contexts.values() if each.live and not each.told]
                assert len(open_ones) <= self._limits.contexts
            elif isinstance(action, Close):
                self.closed = True
                # A client that has closed it itself may not have received all of it.
                self.may_resume = self.may_resume and action.reason == "done"
            elif isinstance(action, StopSpeaker):
                model = self.contexts[action.handle]
                assert model.stopped is None
                model.stopped = action.reason
            elif isinstance(action, Unheard):
                cancelled = self.contexts[action.handle].cancelled
                assert cancelled is not None and cancelled.played_ms == round(action.played_ms, 3)
                assert action.played_ms < self.contexts[action.handle].position / MS
            elif isinstance(action, Replenish):
                head = self.head()
                assert head is not None and head.handle == action.handle
            elif isinstance(action, Resume):
                self.perform(self.session.resume_failed(no_such_session(), self.now))
            elif isinstance(action, SendFrame):
                model = self.contexts[action.handle]
                assert model.live
                assert not model.paused
                assert action.packet.seq == model.seq
                assert self.head() is model
                frame = encode_frame(action.kind, action.handle, action.packet)
                self.session.keep(frame, self.now)
                self.flight.append(frame)
            else:
                assert isinstance(action, AppendText | FlushSpeaker | EndSpeaker)
                self.instructed(action)

    def instructed(self, action: AppendText | FlushSpeaker | EndSpeaker) -> None:
        model = self.contexts[action.handle]
        assert model.live
        assert model.stopped is None
        if isinstance(action, AppendText):
            assert not model.ended
            model.text += action.text
        elif isinstance(action, EndSpeaker):
            assert not model.ended
            model.ended = True

    def say(self, message: Struct) -> None:
        """As a driver does: it may have to be said again, and some may not overtake the sound."""
        text, handle = wire.encode(message), follows(message)
        if is_kept(message):
            self.session.keep(text, self.now, handle)
        if handle is None or not self.session.follow(text, handle):
            self.flight.append(text)

    def told(self, message: object) -> None:
        if isinstance(message, wire.SessionReady):
            assert message.resume_token not in self.tokens
            self.may_resume = not self.going_away
            self.tokens.append(message.resume_token)
            return
        if isinstance(message, wire.Error):
            assert not message.fatal
            assert message.code in list(ErrorCode)
            if isinstance(message.handle, int) and message.code != ErrorCode.CONTEXT_CLOSED:
                self.contexts[message.handle].told = True
            return
        assert self.tokens or isinstance(message, wire.SessionClosing)
        if isinstance(message, wire.ContextOpened):
            assert self.contexts[message.handle].context_id == message.context_id
        elif isinstance(message, wire.ContextDone):
            model = self.contexts[message.handle]
            assert model.live
            assert self.head() is model, "endings keep their order"
            assert not model.paused
            assert model.stopped == ("failed" if message.reason == "failed" else None)
            assert message.audio_ms == round(model.position / MS, 3)
            assert message.last_seq == (model.seq - 1 if model.seq else None)
            model.done = message
        elif isinstance(message, wire.ContextCancelled):
            self.told_cancelled(message)
        elif isinstance(message, wire.Flow):
            model = self.contexts[message.handle]
            assert model.live and not model.told
            assert model.waits is (message.state == "resumed"), "told once for each wait"
            model.waits = message.state == "paused"

    def told_cancelled(self, message: wire.ContextCancelled) -> None:
        assert message.source_offset == len(message.text_spoken)
        if message.handle == wire.NO_HANDLE:
            assert (message.played_ms, message.text_spoken, message.text_remaining) == (0, "", "")
            assert message.last_seq is None
            return
        model = self.contexts[message.handle]
        if model.cancelled is not None:
            assert message == model.cancelled
            return
        assert model.stopped or model.done is not None, "the barrier: stopped before it is told"
        assert message.text_spoken + message.text_remaining == model.text
        assert 0 <= message.played_ms <= round(model.position / MS, 3)
        assert message.last_seq == (model.seq - 1 if model.seq else None)
        model.cancelled = message

    def receive(self, frame: str | bytes) -> list[Action]:
        """A frame that is no message, or that means nothing to the model."""
        actions = self.session.receive(frame, self.now)
        if self.closed:
            assert actions == []
        self.perform(actions)
        return actions

    def send(self, kind: str, **fields: Any) -> list[Action]:
        """A message of the client."""
        actions = self.session.receive(json.dumps({"type": kind} | fields), self.now)
        refused = bool(every(actions, wire.Error)) and len(actions) == 1
        if not (refused or self.closed):
            self.note(kind, fields)
        if self.closed:
            assert actions == []
        self.perform(actions)
        self.send_again()  # what was paused may go on, and what was cancelled holds up nobody
        return actions

    def note(self, kind: str, fields: dict[str, Any]) -> None:
        """What a message that is taken means for those that have no answer."""
        if kind in ("pause", "continue"):
            for model in self.contexts.values():
                if model.context_id == fields.get("context_id", "default"):
                    model.stands_still = kind == "pause"
        elif kind == "session.close":
            self.draining = True
            for model in self.contexts.values():
                model.stands_still = model.stands_still and not fields.get("drain", True)
        elif kind in ("session.start", "session.update"):
            self.tells_words = fields.get("timestamps", "word" if self.tells_words else "none") == "word"

    # -- its sockets ------------------------------------------------------------------------------------

    def send_again(self) -> None:
        """All that has to be; nothing new is fetched before."""
        while (piece := self.session.next_again()) is not None:
            if isinstance(piece, bytes):
                assert not self.contexts[decode_frame(piece).handle].paused, "sent again while it is paused"
            self.flight.append(piece)

    def arrives(self, count: int) -> None:
        """So much of what is in flight."""
        for _ in range(min(count, len(self.flight))):
            piece = self.flight.popleft()
            if isinstance(piece, bytes):
                self.hears(decode_frame(piece))
                continue
            message = wire.decode_server(piece)
            if isinstance(message, wire.ContextDone):
                sent = -1 if message.last_seq is None else message.last_seq
                assert self.contexts[message.handle].received == sent, "it keeps its order with the sound"
            elif isinstance(message, wire.ContextCancelled) and message.handle:
                self.contexts[message.handle].silent = True

    def hears(self, frame: Frame) -> None:
        model = self.contexts[frame.handle]
        assert not model.silent, "a frame after context.cancelled"
        assert frame.packet.seq == model.received + 1, "none is missing, none comes twice"
        model.received = frame.packet.seq
        model.received_ms = (frame.packet.position + frame.packet.duration) / MS

    def lose(self, arrives: int) -> list[tuple[int, int]]:
        """The socket, after so many pieces; returns handle and seq of the frames that were not received."""
        self.arrives(arrives)
        self.flight.clear()
        return [
            (model.handle, seq)
            for model in self.contexts.values()
            if model.cancelled is None
            for seq in range(model.received + 1, model.seq)
        ]

    def resume(self, token: str, missing: list[tuple[int, int]]) -> bool:
        """A new socket with this token; whether it is taken.

        What was `missing` is sent again, up to what is paused.
        """
        last = {str(model.handle): model.received for model in self.contexts.values() if model.received >= 0}
        try:
            actions = self.session.resume(wire.ResumeRequest("sid", token, last), self.now)
        except RealtimeError as error:
            assert error.code == ErrorCode.RESUME_FAILED
            return False
        self.flight.clear()
        was_closed, self.closed = self.closed, False
        self.perform(actions)
        self.closed = was_closed
        ready = every(actions, wire.SessionReady)[0]
        assert ready.resumed is True and isinstance(ready.contexts, list)
        for report in ready.contexts:
            model = self.contexts[report.handle]
            assert report.text_received == len(model.text)
            assert report.last_seq == (model.seq - 1 if model.seq else None)
        for model in self.contexts.values():
            if model.cancelled is None:
                assert self.session.played_ms(model.handle, self.now) <= model.received_ms + 0.001
        known = {report.handle for report in ready.contexts}
        self.send_again()
        again = [decode_frame(piece) for piece in self.flight if isinstance(piece, bytes)]
        assert all(FrameFlags.REPLAYED in frame.packet.flags for frame in again)
        wanted = [(handle, seq) for handle, seq in missing if handle in known]
        assert [(frame.handle, frame.packet.seq) for frame in again] == wanted[: len(again)]
        if len(again) < len(wanted):
            assert self.may_be_held(wanted[len(again)][0])
        return True

    def may_be_held(self, handle: int) -> bool:
        """What is sent again of `handle` may wait for what is paused, there or before."""
        return any(
            model.stands_still and model.cancelled is None
            for model in self.contexts.values()
            if model.handle <= handle
        )

    def may_be_gone(self, missing: list[tuple[int, int]]) -> bool:
        """More was lost than is kept."""
        return bool(missing) and self.missing_ms() > MOST_MS - 1

    def missing_ms(self) -> float:
        """How much was sent and not received."""
        models = (model for model in self.contexts.values() if model.cancelled is None)
        return sum(model.position / MS - model.received_ms for model in models)

    def head(self) -> Model | None:
        """The oldest that lives."""
        return next((model for model in self.contexts.values() if model.live), None)
