"""Whatever a client says and whatever its speakers do: the promises of the protocol hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from realtime.errors import ErrorCode
from realtime.session import messages as wire
from realtime.session.actions import Action, AppendText, SendFrame
from realtime.session.offer import Limits
from realtime.types import (
    Failed,
    Finished,
    Flushed,
    FrameFlags,
    Packet,
    SegmentStarted,
    SourceWord,
    SpeechEvent,
    WordsTimed,
)
from tests.session.talk import every, messages
from tests.session.watched import Model, Watched

#: Small enough that every limit is met often.
LIMITS = Limits(text_bytes_per_message=40, text_bytes_per_context=100, contexts=3, idle_s=200.0)
IDS = st.sampled_from(["default", "a", "b"])
TEXTS = st.one_of(
    st.sampled_from(["One two. ", "Three, four! ", " ", "", "x" * 41, "é" * 20, "今日は。", "a" * 40]),
    st.text(st.characters(codec="utf-8"), max_size=12),
)
POSITIONS = st.one_of(
    st.floats(-100, 3000), st.integers(-1, 10**30), st.sampled_from([0, -0.0, 20, 1000, 1e308, -1e308])
)
#: Any value in any field of any message: most are refused, and what is taken must do no harm.
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 70),
    POSITIONS,
    st.sampled_from(["a", "b", "*", "", "x" * 64, "x" * 65, "word", "none", "auto", "de", "bruno", "nobody"]),
    st.sampled_from([[], ["opus"], ["mulaw"], {}, {"a": "b"}]),
)
LIMIT = st.sampled_from([0, 0, 1, 30, 1000, 10_000])
FIELDS = sorted({name for kind in wire.ClientMessage.__args__ for name in kind.__struct_fields__})
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
        '{"type": "text", "text": "x", "context_id": "%s"}' % ("x" * 65),
        '{"type": "end", "context_id": "*"}',
        '{"type": "pause", "context_id": "*"}',
        '{"type": "pause", "context_id": "never"}',
        '{"type": "continue", "context_id": "never"}',
        '{"type": "playback"}',
        '{"type": "playback", "context_id": "*", "played_ms": 3}',
        '{"type": "session.update", "voice": "nobody", "speed": 2}',
        '{"type": "session.update", "speed": 0}',
    ]
)


class SessionMachine(Watched, RuleBasedStateMachine):
    """The rules say what is done, and what must come of it; `Watched` checks what holds for every action."""

    def __init__(self) -> None:
        RuleBasedStateMachine.__init__(self)
        Watched.__init__(self, LIMITS)

    # -- the client's part ------------------------------------------------------------------------------

    @initialize(
        start=st.booleans(), resume=st.booleans(), timestamps=st.sampled_from(["none", "word"]), limit=LIMIT
    )
    def begin(self, start: bool, resume: bool, timestamps: str, limit: int) -> None:
        if start:
            of_nobody = {"resume": {"session_id": "s", "token": "t", "last": {"1": 7}}} if resume else {}
            self.send("session.start", voice="bruno", timestamps=timestamps, max_lead_ms=limit, **of_nobody)
            assert self.tokens

    @rule()
    def start_again(self) -> None:
        if self.tokens and not self.closed:
            assert [type(message) for message in messages(self.send("session.start"))] == [wire.Error]

    @rule(
        fields=st.fixed_dictionaries(
            {},
            optional={
                "voice": st.sampled_from(["anna", "bruno", "nobody"]),
                "language": st.sampled_from(["auto", "en", "de-AT", "fr"]),
                "speed": st.sampled_from([0.25, 1, 4, 5]),
                "frame_ms": st.sampled_from([20, 40, 30]),
                "timestamps": st.sampled_from(["none", "word"]),
                "max_lead_ms": LIMIT,
            },
        )
    )
    def update(self, fields: dict[str, Any]) -> None:
        before = len(self.tokens)
        actions = self.send("session.update", **fields)
        if actions:
            refused = every(actions, wire.Error)
            assert len(self.tokens) - before == (0 if refused else 1 if before else 2)

    @rule(context_id=IDS, text=TEXTS)
    def text(self, context_id: str, text: str) -> None:
        before = {handle: model.text for handle, model in self.contexts.items()}
        actions = self.send("text", context_id=context_id, text=text)
        taken = every(actions, AppendText)
        assert [action.text for action in taken] in ([], [text])
        for action in taken:
            assert self.contexts[action.handle].context_id == context_id
            assert self.contexts[action.handle].text == before.get(action.handle, "") + text

    @rule()
    def a_hundred_contexts(self) -> None:
        """At once; most are refused, each by itself."""
        for number in range(100):
            actions = self.send("text", context_id=f"{len(self.contexts)}, {number}", text="x")
            assert self.closed or len(every(actions, wire.Error)) + len(every(actions, AppendText)) == 1

    @rule(context_id=IDS, flush_id=st.none() | st.just("f"))
    def flush(self, context_id: str, flush_id: str | None) -> None:
        self.send("flush", context_id=context_id, flush_id=flush_id)

    @rule(context_id=IDS)
    def end(self, context_id: str) -> None:
        self.send("end", context_id=context_id)

    @rule(context_id=IDS, kind=st.sampled_from(["pause", "pause", "continue"]))
    def pause(self, context_id: str, kind: str) -> None:
        actions = self.send(kind, context_id=context_id)
        if every(actions, wire.Error):  # what lives may be paused, and goes on
            assert not any(model.live for model in self.contexts.values() if model.context_id == context_id)
        assert kind == "continue" or not every(actions, wire.ContextDone)

    @rule(context_id=st.sampled_from(["default", "a", "b", "never"]), played_ms=POSITIONS)
    def playback(self, context_id: str, played_ms: float) -> None:
        self.arrives(len(self.flight))  # nobody hears what has not come
        actions = self.send("playback", context_id=context_id, played_ms=played_ms)
        told = [message for message in messages(actions) if not isinstance(message, wire.Flow)]
        assert [type(message) for message in told] in ([], [wire.SessionReady])

    @rule(
        context_id=IDS,
        on_conflict=st.sampled_from(["queue", "queue", "preempt"]),
        voice=st.sampled_from(["anna", "anna", "nobody"]),
    )
    def open(self, context_id: str, on_conflict: str, voice: str) -> None:
        actions = self.send("context.open", context_id=context_id, on_conflict=on_conflict, voice=voice)
        opened = every(actions, wire.ContextOpened)
        if every(actions, wire.Error):  # an error in a message changes nothing
            assert len(actions) == 1
        elif opened and on_conflict == "preempt":
            assert self.head() is self.contexts[opened[0].handle]

    @rule(context_id=st.sampled_from(["default", "a", "b", "never"]), played_ms=st.none() | POSITIONS)
    def cancel(self, context_id: str, played_ms: float | None) -> None:
        if self.closed:
            return
        actions = self.send("cancel", context_id=context_id, played_ms=played_ms)
        answers = every(actions, wire.ContextCancelled)
        assert {answer.context_id for answer in answers} == {context_id}
        handles = [answer.handle for answer in answers]
        assert handles == sorted(set(handles))
        assert not any(model.live for model in self.contexts.values() if model.context_id == context_id)

    @rule(played_ms=st.none() | POSITIONS)
    def cancel_all(self, played_ms: float | None) -> None:
        if self.closed:
            return
        live = [handle for handle, model in self.contexts.items() if model.live]
        answers = every(self.send("cancel", context_id="*", played_ms=played_ms), wire.ContextCancelled)
        handles = [answer.handle for answer in answers[:-1]]
        assert answers[-1].context_id == "*"
        assert handles == sorted(set(handles))
        assert set(live) <= set(handles)
        assert self.head() is None

    @rule(
        kind=st.sampled_from([kind for kind in wire.CLIENT_TYPES if kind != "session.close"]),
        fields=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4),
    )
    def anything(self, kind: str, fields: dict[str, Any]) -> None:
        if kind == "session.start" and not self.tokens:
            fields.pop("formats", None)  # a fatal answer is another matter
        self.send(kind, **fields)

    @rule(frame=JUNK)
    def junk(self, frame: str | bytes) -> None:
        actions = self.receive(frame)
        if not self.closed:
            assert [type(message) for message in messages(actions)] == [wire.Error]

    @rule(t=st.none() | st.integers(-5, 5))
    def ping(self, t: int | None) -> None:
        was_closed = self.closed
        actions = self.send("ping", t=t)
        assert was_closed or messages(actions)[-1] == wire.Pong(t)

    # Rare, for little can be seen after it.
    @precondition(lambda self: len(self.contexts) > 4)
    @rule(drain=st.booleans())
    def close(self, drain: bool) -> None:
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
        self.may_resume = False  # nor one that its client has closed
        assert not self.session.lost(self.now)

    @precondition(lambda self: len(self.contexts) > 6)
    @rule()
    def drain(self) -> None:
        """Until the server ends it, those that are open go on."""
        was_closed = self.closed
        self.draining = self.going_away = True
        self.may_resume = False
        actions = self.session.drain(5000, self.now)
        self.perform(actions)
        assert was_closed or messages(actions)[0] == wire.SessionClosing("shutdown", 5000)
        assert self.closed or self.head() is not None

    # -- its sockets ------------------------------------------------------------------------------------

    @rule(count=st.integers(0, 30))
    def some_arrives(self, count: int) -> None:
        self.arrives(count)

    @rule(
        arrives=st.integers(0, 30),
        seconds=st.sampled_from([0.0, 0.5, 3.0, 20.0]),
        fails=st.booleans(),
        wrong=st.booleans(),
        old=st.booleans(),
    )
    def lost_and_resumed(self, arrives: int, seconds: float, fails: bool, wrong: bool, old: bool) -> None:
        if not self.tokens:
            return
        missing = self.lose(arrives)
        waits = self.session.lost(self.now)
        assert waits is self.may_resume
        if not waits:
            assert self.closed or self.going_away
            assert not self.resume(self.tokens[-1], missing)
            self.shut_down()
            return
        self.pass_time(seconds)
        if fails:
            self.speaker_fails(0)
        self.flight.clear()  # there is no socket: what is said now is sent again later
        if wrong:
            assert not self.resume("token of somebody", missing)
        if self.may_be_gone(missing):
            if not self.resume(self.tokens[-1], missing):
                self.pass_time(31)
            return
        # The newest may not have come; the one before it counts until it is known to have.
        assert self.resume(self.tokens[-2 if old and len(self.tokens) > 1 else -1], missing)

    @rule(arrives=st.integers(0, 10))
    def lost_for_good(self, arrives: int) -> None:
        if len(self.contexts) < 5 or not self.may_resume:
            return
        self.lose(arrives)
        assert self.session.lost(self.now)
        self.pass_time(31)
        assert self.closed and not self.may_resume
        assert not self.resume(self.tokens[-1], [])

    # -- the speakers' part: events of the head in order, of others only what overtakes -------------------

    def running(self) -> Model | None:
        """The one whose events are fetched: none while it is paused."""
        handle = self.session.head()
        return self.contexts[handle] if handle is not None and not self.closed else None

    def event(self, make: Callable[[Model], SpeechEvent]) -> list[Action]:
        model = self.running()
        if model is None:
            return []
        self.send_again()
        actions = self.session.on_event(model.handle, make(model), self.now)
        self.perform(actions)
        return actions

    @rule(duration=st.sampled_from([0, 312, 960, 960, 48_000, 480_000]))
    def packet(self, duration: int) -> None:
        model = self.running()
        if model is None or model.failed:
            return
        must_wait = self.session.must_wait(self.now)
        assert must_wait is (self.session.credit_ms(self.now) <= 0)
        if must_wait:
            self.perform(self.session.hold(model.handle, self.now))
            assert self.session.hold(model.handle, self.now) == []
            return
        self.send_again()
        flags = FrameFlags.NONE if model.seq else FrameFlags.FIRST
        packet = Packet(b"x", model.seq, model.position, duration, flags)
        actions = self.session.on_event(model.handle, packet, self.now)
        assert [type(action) for action in actions] == [SendFrame]
        self.perform(actions)
        model.seq, model.position = model.seq + 1, model.position + duration

    @rule(step=st.integers(1, 4), length=st.integers(1, 30_000))
    def word(self, step: int, length: int) -> None:
        model = self.running()
        if model is None or model.failed:
            return
        start, model.words = model.words, min(model.words + step, len(model.text))
        word = SourceWord(start, model.words, model.position, model.position + length)
        told = every(self.event(lambda _: WordsTimed(0, (word,), True)), wire.Words)
        texts = [each.text for message in told for each in message.words]
        assert texts == ([model.text[start : model.words]] if model.tells_words else [])

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
            assert not every(self.event(lambda _: failed), wire.Error)
            assert model.done is not None

    @rule(number=st.integers(0, 30))
    def stale_event(self, number: int) -> None:
        """What a stopped speaker still had."""
        over = [model for model in self.contexts.values() if not model.live]
        if number < len(over):
            packet = Packet(b"x", over[number].seq, over[number].position, 960, FrameFlags.NONE)
            for event in (packet, Finished(0), Flushed(None), Failed(ErrorCode.INTERNAL, "x")):
                assert self.session.on_event(over[number].handle, event, self.now) == []

    @precondition(lambda self: not self.closed)
    @rule()
    def all_is_spoken(self) -> None:
        """Without a cancel, too, each that lives comes to its end, when it goes on and has been ended."""
        for model in [model for model in self.contexts.values() if model.stands_still and not model.live]:
            self.send("continue", context_id=model.context_id)
        for model in [model for model in self.contexts.values() if model.live]:
            assert self.head() is model or not model.live
            self.send("continue", context_id=model.context_id)
            if model.live and not model.ended and not model.told:
                self.perform(self.session.on_failure(model.handle, Failed(ErrorCode.TIMEOUT, "x"), self.now))
                model.failed = Failed(ErrorCode.TIMEOUT, "x")
            if model.live:
                assert self.running() is model
                self.event(lambda model: model.failed or Finished(model.position))
            assert not model.live
        assert self.head() is None

    # -- time -------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.0, 0.001, 0.3, 1.0, 5.0, 9.9, 30.0, 61.0]) | st.floats(0, 100))
    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        if seconds > 1:
            self.arrives(len(self.flight))
        for _ in range(100):
            deadline = self.session.next_deadline()
            if deadline > end or (self.closed and not self.may_resume):
                break
            self.now = max(self.now, deadline)
            self.perform(self.session.on_deadline(self.now))
            assert self.session.next_deadline() > self.now
        else:
            raise AssertionError("deadlines without end")
        self.now = end

    # -- what always holds ------------------------------------------------------------------------------

    @invariant()
    def the_head_is_the_oldest_live_context_unless_it_is_paused(self) -> None:
        head = self.head()
        if head is None or head.paused:
            assert self.session.head() is None
        else:
            assert self.session.head() == head.handle or self.may_be_held(head.handle)

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
