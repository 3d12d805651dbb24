"""A client and a driver of a session in one, for tests of any sequence: every action is checked.

It knows only what was sent and what was answered.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, replace
from typing import Any

from realtime.errors import ErrorCode
from realtime.session import messages as wire
from realtime.session.actions import (
    Action,
    AppendText,
    Close,
    EndSpeaker,
    FlushSpeaker,
    OpenSpeaker,
    Send,
    SendFrame,
    StopSpeaker,
)
from realtime.session.offer import Limits
from realtime.session.session import Session
from realtime.types import Failed
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
    paused: bool = False
    failed: Failed | None = None
    stopped: str | None = None
    done: wire.ContextDone | None = None
    cancelled: wire.ContextCancelled | None = None
    told: bool = False

    @property
    def live(self) -> bool:
        """Whether no ending was told."""
        return self.done is None and self.cancelled is None


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

    # -- the driver's part: every action is looked at ---------------------------------------------------

    def perform(self, actions: list[Action]) -> None:
        """Carry out what the session wants, and check that it may be wanted now."""
        for action in actions:
            assert not self.closed, f"{action} after Close"
            if isinstance(action, Send):
                self.told(action.message)
            elif isinstance(action, OpenSpeaker):
                assert not self.draining
                assert action.handle > max(self.contexts, default=0)
                model = Model(action.context_id, action.handle, self.tells_words)
                self.contexts[action.handle] = model
                open_ones = [each for each in self.contexts.values() if each.live and not each.told]
                assert len(open_ones) <= self._limits.contexts
            elif isinstance(action, Close):
                self.closed = True
            elif isinstance(action, StopSpeaker):
                model = self.contexts[action.handle]
                assert model.stopped is None
                model.stopped = action.reason
            elif isinstance(action, SendFrame):
                model = self.contexts[action.handle]
                assert model.live
                assert not model.paused
                assert action.packet.seq == model.seq
                assert self.head() is model
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

    def told(self, message: object) -> None:
        if isinstance(message, wire.SessionReady):
            assert message.resume_token not in self.tokens
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
        return actions

    def note(self, kind: str, fields: dict[str, Any]) -> None:
        """What a message that is taken means for those that have no answer."""
        if kind in ("pause", "continue"):
            for model in self.contexts.values():
                if model.context_id == fields.get("context_id", "default"):
                    model.paused = kind == "pause" and model.live
        elif kind == "session.close":
            self.draining = True
            for model in self.contexts.values():
                model.paused = model.paused and not fields.get("drain", True)
        elif kind in ("session.start", "session.update"):
            self.tells_words = fields.get("timestamps", "word" if self.tells_words else "none") == "word"

    def head(self) -> Model | None:
        """The oldest that lives."""
        return next((model for model in self.contexts.values() if model.live), None)
