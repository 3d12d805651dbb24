"""Which first messages choose the one-shot form, and which do not."""

from __future__ import annotations

import pytest

from realtime.errors import ErrorCode
from realtime.session import messages as wire
from realtime.session.actions import AppendText, Become, EndSpeaker, OpenSpeaker
from realtime.session.one_shot import ErrorEvent, OneShot, is_chosen_by
from tests.session.talk import Talk, error_of, every, only


def test_a_first_message_with_input_and_without_type_chooses_it() -> None:
    talk = Talk()
    become, *rest = talk.session.receive('{"input": "Hello."}', talk.now)
    assert isinstance(become, Become)
    assert isinstance(become.machine, OneShot)
    assert [type(action) for action in rest] == [OpenSpeaker, AppendText, EndSpeaker]  # no `session.ready`
    # Whatever becomes of the session that was there before, it says nothing any more.
    assert talk.send("ping") == []
    assert talk.session.shut_down() == []
    assert talk.session.on_deadline(talk.now + 10_000) == []
    assert talk.session.head() is None
    assert become.machine.head() == 1
    assert become.machine.receive('{"input": "More."}', talk.now) == []


CHOOSES = [
    '{"input": "Hello."}',
    '{"input": ""}',
    '{"input": 5}',
    '{"input": null}',
    '{"voice": "bruno", "input": "Hello.", "something": "new"}',
    '{"input": "Hello.", "language": 7}',
    '{"input": "%s"}' % ("x" * 20_000),
]
DOES_NOT = [
    '{"type": "text", "input": "Hello."}',
    '{"type": null, "input": "Hello."}',
    '{"type": 5, "input": "Hello."}',
    '{"Input": "Hello."}',
    '{"text": "Hello."}',
    "{}",
    "[]",
    '["input"]',
    '"input"',
    '{"input": "Hello."',
    '{"input": "Hello."} {}',
    '{"input": ' + "[" * 100_000,
    "",
    '{"input": "\\ud800"}',
    '{"input": "\ud800"}',
]


@pytest.mark.parametrize("frame", CHOOSES)
def test_what_chooses_it(frame: str) -> None:
    """An input that is wrong chooses it, too, and is told of in its way."""
    assert is_chosen_by(frame) is True
    talk = Talk()
    become, *rest = talk.session.receive(frame, talk.now)
    assert isinstance(become, Become)
    assert every(rest, OpenSpeaker) or len(only(rest, ErrorEvent).detail) > 10


@pytest.mark.parametrize("frame", DOES_NOT)
def test_what_does_not_choose_it(frame: str) -> None:
    assert is_chosen_by(frame) is False
    talk = Talk()
    answers = talk.session.receive(frame, talk.now)
    assert not every(answers, Become)
    assert every(answers, wire.Error)
    # It has begun nothing: the next message may still choose.
    assert isinstance(talk.session.receive('{"input": "Hello."}', talk.now)[0], Become)


def test_a_typed_message_may_have_an_input_that_means_nothing() -> None:
    talk = Talk()
    assert only(talk.send("session.start", input="Hello."), wire.SessionReady).voice == "anna"


def test_a_binary_frame_does_not_choose_it() -> None:
    talk = Talk()
    assert error_of(talk.session.receive(b'{"input": "Hello."}', talk.now)).code == ErrorCode.INVALID_MESSAGE


@pytest.mark.parametrize("first", ["ping", "session.start", "session.update"])
def test_after_a_typed_message_an_input_is_an_invalid_message(first: str) -> None:
    talk = Talk()
    talk.send(first)
    error = error_of(talk.session.receive('{"input": "Hello."}', talk.now))
    assert error.code == ErrorCode.INVALID_MESSAGE
    assert "`type` must be one of" in error.message
    assert talk.session.head() is None
