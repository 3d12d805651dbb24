"""The one-shot form, whatever comes: every message gets exactly one event, in the order of the messages."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from realtime.errors import ErrorCode
from realtime.session import messages as wire
from realtime.session.actions import (
    Action,
    AppendText,
    Close,
    EndSpeaker,
    OpenSpeaker,
    Send,
    SendPayload,
    StopSpeaker,
)
from realtime.session.offer import Limits
from realtime.session.one_shot import Done, ErrorEvent, OneShot
from realtime.types import Failed, Finished, Flushed, FrameFlags, Packet, SegmentStarted
from tests.session.talk import OFFER

#: Small enough that every limit is met often.
LIMITS = Limits(text_bytes_per_message=40, contexts=3, idle_s=100.0)
INPUTS = st.text(st.characters(codec="utf-8"), max_size=10)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "voice": st.sampled_from(["anna", "Bruno"]),
        "language": st.sampled_from(["auto", "de", "de-AT"]),
        "speed": st.sampled_from([0.25, 1, 4]),
    },
)
WRONG = st.one_of(
    st.sampled_from([b"", b"\x00", "", "null", "{}", '{"input": 5}', '{"type": "ping"}', "{" * 2000]),
    st.sampled_from([kind for kind in wire.CLIENT_TYPES]).map(lambda kind: json.dumps({"type": kind})),
    st.sampled_from(
        [
            {"input": "x", "voice": "nobody"},
            {"input": "x", "voice": "x" * 65},
            {"input": "x", "language": "fr"},
            {"input": "x", "voice": "bruno", "language": "en"},
            {"input": "x", "speed": 5},
            {"input": "x" * 41},
            {"input": "é" * 21},
        ]
    ).map(json.dumps),
    INPUTS.map(lambda text: json.dumps({"type": "text", "text": text, "input": text})),
)
#: What an input is answered with in the model: spoken, or refused.
SPOKEN, REFUSED = "spoken", "refused"


class OneShotMachine(RuleBasedStateMachine):
    """Plays client and driver: `asked` are the messages that wait for their event, oldest first."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 50.0
        self.machine = OneShot(replace(OFFER, limits=LIMITS), self.now)
        self.asked: deque[tuple[str, str]] = deque()  # what it becomes, its text
        self.speaking: int | None = None
        self.ended = False
        self.failed: Failed | None = None
        self.closed = False

    # -- the driver's part ------------------------------------------------------------------------------

    def perform(self, actions: list[Action]) -> None:
        for action in actions:
            assert not self.closed, f"{action} after Close"
            if isinstance(action, OpenSpeaker):
                assert self.speaking is None
                assert self.asked[0][0] == SPOKEN
                assert (action.audio.format, action.audio.sample_rate) == ("pcm_s16le", 24_000)
                self.speaking, self.ended = action.handle, False
            elif isinstance(action, AppendText):
                assert (action.handle, action.text) == (self.speaking, self.asked[0][1])
            elif isinstance(action, EndSpeaker):
                assert action.handle == self.speaking
                self.ended = True
            elif isinstance(action, StopSpeaker):
                assert self.failed is not None
            elif isinstance(action, SendPayload):
                assert self.speaking is not None
            elif isinstance(action, Close):
                self.closed = True
            else:
                assert isinstance(action, Send)
                self.answered(action.message)

    def answered(self, event: object) -> None:
        """The event of the oldest message that waits for one."""
        becomes, _ = self.asked.popleft()
        if becomes == REFUSED:
            assert isinstance(event, ErrorEvent)
            assert event.detail != "broken"
            return
        self.speaking = None
        assert event == (ErrorEvent("broken") if self.failed else Done())
        self.failed = None

    def receive(self, frame: str | bytes, becomes: str, text: str = "") -> None:
        actions = self.machine.receive(frame, self.now)
        if self.closed:
            assert actions == []
            return
        waiting = len(self.asked) - (self.speaking is not None)
        if waiting == LIMITS.contexts:  # the only event that overtakes: nothing more is remembered
            assert [type(action.message) for action in actions if isinstance(action, Send)] == [ErrorEvent]
            return
        self.asked.append((becomes, text))
        self.perform(actions)

    # -- the client's part ------------------------------------------------------------------------------

    @rule(text=INPUTS, wishes=SETTINGS)
    def say(self, text: str, wishes: dict[str, object]) -> None:
        self.receive(json.dumps({"input": text} | wishes), SPOKEN, text)

    @rule(frame=WRONG)
    def wrong(self, frame: str | bytes) -> None:
        self.receive(frame, REFUSED)

    # -- the speaker's part -----------------------------------------------------------------------------

    # A driver fetches nothing any more when the socket closes.
    @precondition(lambda self: self.speaking is not None and not self.failed and not self.closed)
    @rule(payload=st.sampled_from([b"", b"sound"]))
    def sound(self, payload: bytes) -> None:
        assert self.speaking is not None
        packet = Packet(payload, 0, 0, 960, FrameFlags.NONE)
        actions = self.machine.on_event(self.speaking, packet, self.now)
        assert actions == ([SendPayload(payload)] if payload else [])
        self.perform(actions)

    @precondition(lambda self: self.speaking is not None and not self.closed)
    @rule()
    def finish(self) -> None:
        assert self.speaking is not None
        self.perform(self.machine.on_event(self.speaking, self.failed or Finished(0), self.now))

    @precondition(lambda self: self.speaking is not None and not self.failed)
    @rule()
    def fail(self) -> None:
        assert self.speaking is not None
        self.failed = Failed(ErrorCode.ENGINE_FAILED, "broken")
        assert self.machine.on_failure(self.speaking, self.failed, self.now) == []

    @rule(
        handle=st.integers(0, 30),
        event=st.sampled_from([Packet(b"old", 0, 0, 960, FrameFlags.NONE), Finished(0), Flushed("f")]),
    )
    def stale_event(self, handle: int, event: Packet | Finished | Flushed) -> None:
        if handle != self.speaking:
            assert self.machine.on_event(handle, event, self.now) == []

    @precondition(lambda self: self.speaking is not None)
    @rule()
    def nothing_to_tell(self) -> None:
        assert self.speaking is not None
        for event in (Flushed(None), SegmentStarted(0, "x", (0, 1), "en", 0)):
            assert self.machine.on_event(self.speaking, event, self.now) == []

    # -- time -------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.0, 1.0, 60.0, 99.9]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        deadline = self.machine.next_deadline()
        actions = self.machine.on_deadline(self.now)
        assert bool(actions) == (deadline <= self.now and not self.closed)
        self.perform(actions)

    @precondition(lambda self: len(self.asked) > 3)
    @rule()
    def shut_down(self) -> None:
        was_closed = self.closed
        actions = self.machine.shut_down()
        assert bool(actions) is not was_closed
        self.perform(actions)
        assert self.closed

    # -- what always holds ------------------------------------------------------------------------------

    @invariant()
    def the_oldest_input_is_spoken(self) -> None:
        assert self.machine.head() == self.speaking
        if self.asked:
            assert self.asked[0][0] == SPOKEN
            assert self.speaking is not None
            assert self.ended
            assert self.machine.text(self.speaking) == self.asked[0][1]
        else:
            assert self.speaking is None

    @invariant()
    def no_more_wait_than_may(self) -> None:
        assert len(self.asked) <= 1 + LIMITS.contexts

    def teardown(self) -> None:
        """All that wait come to their event."""
        while self.asked and not self.closed:
            self.finish()


TestOneShotMachine = OneShotMachine.TestCase
TestOneShotMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
