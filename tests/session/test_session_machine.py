"""Whatever a client says and whatever its speakers do: the promises of the protocol hold.

A model that knows only what was sent and what was answered plays client and driver, and checks every action.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

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
from realtime.types import (
    Failed,
    Finished,
    Flushed,
    FrameFlags,
    Packet,
    SegmentStarted,
    SourceWord,
    WordsTimed,
)
from tests.session.test_session import MS, OFFER, messages

#: Small enough that every limit is met often.
LIMITS = Limits(text_bytes_per_message=40, text_bytes_per_context=100, contexts=3, idle_s=200.0)
IDS = st.sampled_from(["default", "a", "b"])
TEXTS = st.one_of(
    st.sampled_from(["One two. ", "Three, four! ", " ", "", "x" * 41, "é" * 20, "今日は。", "a" * 40]),
    st.text(st.characters(codec="utf-8"), max_size=12),
)
POSITIONS = st.one_of(st.none(), st.floats(-100, 3000), st.integers(-1, 10**30), st.just(1e308))
JUNK = st.sampled_from(
    [
        b"",
        b"\x01",
        "",
        "null",
        "{}",
        '{"type": "sing"}',
        '{"type": "text", "text": "\\udc00"}',
        '{"type": "text", "text": "x", "context_id": "*"}',
        '{"type": "end", "context_id": "*"}',
        '{"type": "pause"}',
        '{"type": "session.update", "voice": "bruno"}',
        '{"type": "playback", "played_ms": 3}',
    ]
)


@dataclass
class Model:
    """What is known of one context from outside."""

    context_id: str
    handle: int
    text: str = ""
    words: int = 0
    seq: int = 0
    position: int = 0
    ended: bool = False
    failed: Failed | None = None
    stopped: str | None = None
    done: wire.ContextDone | None = None
    cancelled: wire.ContextCancelled | None = None
    told: bool = False

    @property
    def live(self) -> bool:
        return self.done is None and self.cancelled is None


class SessionMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 50.0
        self.session = Session("sid", "secret", replace(OFFER, limits=LIMITS), self.now)
        self.contexts: dict[int, Model] = {}
        self.ready = False
        self.closed = False
        self.draining = False

    # -- the driver's part: every action is looked at ---------------------------------------------------

    def perform(self, actions: list[Action]) -> None:
        for action in actions:
            assert not self.closed, f"{action} after Close"
            if isinstance(action, Send):
                self.told(action.message)
            elif isinstance(action, OpenSpeaker):
                assert action.handle > max(self.contexts, default=0)
                self.contexts[action.handle] = Model(action.context_id, action.handle)
                assert (
                    sum(model.live and not model.told for model in self.contexts.values()) <= LIMITS.contexts
                )
            elif isinstance(action, Close):
                self.closed = True
            elif isinstance(action, StopSpeaker):
                model = self.contexts[action.handle]
                assert model.stopped is None
                model.stopped = action.reason
            elif isinstance(action, SendFrame):
                assert self.contexts[action.handle].live
                assert action.packet.seq == self.contexts[action.handle].seq
            else:
                self.instructed(action)

    def instructed(self, action: AppendText | FlushSpeaker | EndSpeaker) -> None:
        model = self.contexts[action.handle]
        assert model.live
        assert model.stopped is None
        if isinstance(action, AppendText):
            assert not model.ended
            model.text += action.text
        elif isinstance(action, EndSpeaker):
            model.ended = True

    def told(self, message: wire.ServerMessage) -> None:
        if isinstance(message, wire.SessionReady):
            assert not self.ready
            self.ready = True
            return
        if isinstance(message, wire.Error):
            assert not message.fatal
            assert message.code in list(ErrorCode)
            if isinstance(message.handle, int) and message.code != ErrorCode.CONTEXT_CLOSED:
                self.contexts[message.handle].told = True
            return
        assert self.ready or isinstance(message, wire.SessionClosing)
        if isinstance(message, wire.ContextOpened):
            assert self.contexts[message.handle].context_id == message.context_id
        elif isinstance(message, wire.ContextDone):
            model = self.contexts[message.handle]
            assert model.live
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
        actions = self.session.receive(frame, self.now)
        if self.closed:
            assert actions == []
        self.perform(actions)
        return actions

    def send(self, kind: str, **fields: Any) -> list[Action]:
        return self.receive(json.dumps({"type": kind} | fields))

    def head(self) -> Model | None:
        return next((model for model in self.contexts.values() if model.live), None)

    # -- the client's part ------------------------------------------------------------------------------

    @initialize(start=st.booleans())
    def begin(self, start: bool) -> None:
        if start:
            self.send("session.start", voice="bruno")
            assert self.ready

    @rule(context_id=IDS, text=TEXTS)
    def text(self, context_id: str, text: str) -> None:
        before = {handle: model.text for handle, model in self.contexts.items()}
        actions = self.send("text", context_id=context_id, text=text)
        taken = [action for action in actions if isinstance(action, AppendText)]
        assert [action.text for action in taken] in ([], [text])
        for action in taken:
            assert self.contexts[action.handle].context_id == context_id
            assert self.contexts[action.handle].text == before.get(action.handle, "") + text

    @rule(context_id=IDS, flush_id=st.none() | st.just("f"))
    def flush(self, context_id: str, flush_id: str | None) -> None:
        self.send("flush", context_id=context_id, flush_id=flush_id)

    @rule(context_id=IDS)
    def end(self, context_id: str) -> None:
        self.send("end", context_id=context_id)

    @rule(
        context_id=IDS,
        on_conflict=st.sampled_from(["queue", "queue", "preempt"]),
        voice=st.sampled_from(["anna", "anna", "nobody"]),
    )
    def open(self, context_id: str, on_conflict: str, voice: str) -> None:
        actions = self.send("context.open", context_id=context_id, on_conflict=on_conflict, voice=voice)
        errors = [message for message in messages(actions) if isinstance(message, wire.Error)]
        opened = [message for message in messages(actions) if isinstance(message, wire.ContextOpened)]
        if errors:  # an error in a message changes nothing
            assert len(actions) == 1
        elif opened and on_conflict == "preempt":
            assert self.head() is self.contexts[opened[0].handle]
            assert not any(isinstance(message, wire.SessionClosing) for message in messages(actions))

    @rule(context_id=st.sampled_from(["default", "a", "b", "never"]), played_ms=POSITIONS)
    def cancel(self, context_id: str, played_ms: float | None) -> None:
        if self.closed:
            return
        actions = self.send("cancel", context_id=context_id, played_ms=played_ms)
        answers = [message for message in messages(actions) if isinstance(message, wire.ContextCancelled)]
        assert {answer.context_id for answer in answers} == {context_id}
        handles = [answer.handle for answer in answers]
        assert handles == sorted(set(handles))
        assert not any(model.live for model in self.contexts.values() if model.context_id == context_id)

    @rule(played_ms=POSITIONS)
    def cancel_all(self, played_ms: float | None) -> None:
        if self.closed:
            return
        live = [handle for handle, model in self.contexts.items() if model.live]
        actions = self.send("cancel", context_id="*", played_ms=played_ms)
        answers = [message for message in messages(actions) if isinstance(message, wire.ContextCancelled)]
        handles = [answer.handle for answer in answers[:-1]]
        assert answers[-1].context_id == "*"
        assert handles == sorted(set(handles))
        assert set(live) <= set(handles)
        assert self.head() is None

    @rule(frame=JUNK)
    def junk(self, frame: str | bytes) -> None:
        actions = self.receive(frame)
        if not self.closed:
            assert len(actions) == 1

    @rule(t=st.none() | st.integers(-5, 5))
    def ping(self, t: int | None) -> None:
        was_closed = self.closed
        actions = self.send("ping", t=t)
        assert was_closed or messages(actions)[-1] == wire.Pong(t)

    # Rare, for little can be seen after it.
    @precondition(lambda self: len(self.contexts) > 4)
    @rule(drain=st.booleans())
    def close(self, drain: bool) -> None:
        self.draining = True
        self.send("session.close", drain=drain)
        assert self.closed or self.head() is not None

    @precondition(lambda self: len(self.contexts) > 8)
    @rule()
    def shut_down(self) -> None:
        was_closed = self.closed
        actions = self.session.shut_down()
        self.perform(actions)
        assert bool(actions) is not was_closed
        assert self.closed

    # -- the speakers' part: events of the head in order, of others only what overtakes -------------------

    def running(self) -> Model | None:
        model = self.head()
        return model if model is not None and not self.closed else None

    def event(self, make: Callable[[Model], Any]) -> list[Action]:
        model = self.running()
        if model is None:
            return []
        actions = self.session.on_event(model.handle, make(model), self.now)
        self.perform(actions)
        return actions

    @rule(duration=st.sampled_from([0, 312, 960, 960, 48_000]))
    def packet(self, duration: int) -> None:
        model = self.running()
        if model is None or model.failed:
            return
        flags = FrameFlags.NONE if model.seq else FrameFlags.FIRST
        packet = Packet(b"x", model.seq, model.position, duration, flags)
        actions = self.session.on_event(model.handle, packet, self.now)
        assert [type(action) for action in actions] == [SendFrame]
        self.perform(actions)
        model.seq, model.position = model.seq + 1, model.position + duration

    @rule(step=st.integers(1, 4), length=st.integers(1, 30_000))
    def word(self, step: int, length: int) -> None:
        def make(model: Model) -> WordsTimed:
            start = min(model.words, len(model.text))
            model.words = min(start + step, len(model.text))
            return WordsTimed(
                0, (SourceWord(start, model.words, model.position, model.position + length),), True
            )

        if (model := self.running()) is not None and not model.failed:
            assert self.event(make) == []

    @rule()
    def segment(self) -> None:
        self.event(lambda model: SegmentStarted(0, model.text, (0, len(model.text)), "en", model.position))

    @rule()
    def flushed(self) -> None:
        self.event(lambda _: Flushed("f"))

    @rule()
    def finished(self) -> None:
        model = self.running()
        if model is None or not model.ended or model.failed:
            return
        self.event(lambda model: Finished(model.position))
        assert model.done is not None
        assert model.done.reason == "completed"

    @rule(number=st.integers(0, 2))
    def speaker_fails(self, number: int) -> None:
        live = [model for model in self.contexts.values() if model.live and not model.failed]
        if self.closed or number >= len(live):
            return
        failed = Failed(ErrorCode.ENGINE_FAILED, "broken")
        live[number].failed = failed
        self.perform(self.session.on_failure(live[number].handle, failed, self.now))

    @rule()
    def failure_comes_out(self) -> None:
        model = self.running()
        if model is not None and model.failed is not None:
            failed = model.failed
            actions = self.event(lambda _: failed)
            assert not any(isinstance(message, wire.Error) for message in messages(actions))
            assert model.done is not None

    @rule(number=st.integers(0, 30))
    def stale_event(self, number: int) -> None:
        """What a stopped speaker still had."""
        over = [model for model in self.contexts.values() if not model.live]
        if number < len(over):
            packet = Packet(b"x", over[number].seq, over[number].position, 960, FrameFlags.NONE)
            for event in (packet, Finished(0), Flushed(None), Failed(ErrorCode.INTERNAL, "x")):
                assert self.session.on_event(over[number].handle, event, self.now) == []

    # -- time -------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.0, 0.001, 0.3, 1.0, 5.0, 9.9, 30.0, 61.0]))
    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        for _ in range(100):
            deadline = self.session.next_deadline()
            assert deadline is not None
            if deadline > end or self.closed:
                break
            self.now = max(self.now, deadline)
            self.perform(self.session.on_deadline(self.now))
        else:
            raise AssertionError("deadlines without end")
        self.now = end

    # -- what always holds ------------------------------------------------------------------------------

    @invariant()
    def the_head_is_the_oldest_live_context(self) -> None:
        head = self.head()
        assert self.session.head() == (head.handle if head else None)

    @invariant()
    def there_is_a_deadline(self) -> None:
        assert isinstance(self.session.next_deadline(), float)

    @invariant()
    def texts_are_known_while_they_live(self) -> None:
        for model in self.contexts.values():
            assert self.session.text(model.handle) in ((model.text,) if model.live else (model.text, ""))

    @invariant()
    def what_was_stopped_has_ended(self) -> None:
        for model in self.contexts.values():
            # A failure is told, and its sound stopped, at once; its ending waits for its turn.
            assert not (model.live and model.stopped) or (model.stopped == "failed" and model.told)

    @invariant()
    def draining_ends_with_the_last_context(self) -> None:
        if self.draining:
            assert self.closed or self.head() is not None

    def teardown(self) -> None:
        if not self.closed:
            self.send("cancel", context_id="*")
        assert self.session.head() is None or self.closed
        if not self.closed:
            assert all(not model.live for model in self.contexts.values())
            assert all(model.stopped or model.done for model in self.contexts.values())


TestSessionMachine = SessionMachine.TestCase
TestSessionMachine.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
