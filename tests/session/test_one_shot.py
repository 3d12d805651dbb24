"""The one-shot form: inputs in, raw PCM and one event for each out, in order, on virtual time."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from realtime.errors import CloseCode, ErrorCode, RealtimeError
from realtime.session import messages as wire
from realtime.session.actions import (
    Action,
    AppendText,
    Close,
    EndSpeaker,
    Machine,
    OpenSpeaker,
    Send,
    SendPayload,
    StopSpeaker,
)
from realtime.session.offer import Limits, Offer
from realtime.session.one_shot import Done, ErrorEvent, OneShot
from realtime.types import (
    AudioSettings,
    Failed,
    Finished,
    Flushed,
    FrameFlags,
    Packet,
    SegmentStarted,
    SourceWord,
    SpeechEvent,
    Voice,
    VoiceSettings,
    WordsTimed,
)
from tests.session.talk import OFFER, anna, every, only

PCM = AudioSettings("pcm_s16le", 24_000, 20, 32_000)
BROKEN = Failed(ErrorCode.ENGINE_FAILED, "broken")


class Shots:
    """A socket whose first message chose this form, and speakers that say what a test makes them say."""

    def __init__(self, offer: Offer = OFFER) -> None:
        self.now = 1000.0
        self.machine: Machine = OneShot(offer, self.now)

    def receive(self, frame: str | bytes) -> list[Action]:
        return self.machine.receive(frame, self.now)

    def say(self, text: str, **fields: Any) -> list[Action]:
        return self.receive(json.dumps({"input": text, **fields}))

    def event(self, handle: int, event: SpeechEvent) -> list[Action]:
        return self.machine.on_event(handle, event, self.now)

    def sound(self, handle: int, payload: bytes = b"pcm") -> list[Action]:
        return self.event(handle, Packet(payload, 0, 0, 960, FrameFlags.NONE))


def spoken(handle: int, text: str, voice: VoiceSettings | None = None) -> list[Action]:
    """What is done to speak an input."""
    return [
        OpenSpeaker(handle, f"input-{handle}", voice or anna(), PCM),
        AppendText(handle, text),
        EndSpeaker(handle),
    ]


def details(actions: Iterable[Action]) -> list[str]:
    return [event.detail for event in every(actions, ErrorEvent)]


@pytest.fixture
def shots() -> Shots:
    return Shots()


# -- an input -----------------------------------------------------------------------------------------------


def test_an_input_is_spoken_as_raw_sound_and_then_done(shots: Shots) -> None:
    assert shots.say("Hello there.") == spoken(1, "Hello there.")
    assert shots.machine.head() == 1
    assert shots.machine.text(1) == "Hello there."
    assert shots.sound(1, b"one") == [SendPayload(b"one")]
    assert shots.sound(1, b"two") == [SendPayload(b"two")]
    assert shots.event(1, Finished(1920)) == [Send(Done())]
    assert shots.machine.head() is None


def test_events_on_the_wire() -> None:
    assert wire.encode(Done()) == '{"event":"done"}'
    assert wire.encode(ErrorEvent("no")) == '{"event":"error","detail":"no"}'


def test_nothing_but_sound_and_its_end_is_told(shots: Shots) -> None:
    shots.say("Hello.")
    for event in (
        SegmentStarted(0, "Hello.", (0, 6), "en", 0),
        WordsTimed(0, (SourceWord(0, 5, 0, 100),), False),
        Flushed(None),
        Packet(b"", 1, 960, 0, FrameFlags.LAST),  # a frame without sound would be an empty message
    ):
        assert shots.event(1, event) == []


def test_an_input_may_have_settings_of_its_own(shots: Shots) -> None:
    actions = shots.say("Gut.", voice="Bruno", language="de-AT", speed=1.5)
    assert actions == spoken(1, "Gut.", VoiceSettings("bruno", "de", speed=1.5))
    shots.event(1, Finished(0))
    assert shots.say("Well.") == spoken(2, "Well.")


def test_a_language_without_a_voice_gets_one_that_speaks_it() -> None:
    chen = Voice("chen", ("zh",), "tone")
    shots = Shots(replace(OFFER, voices={**OFFER.voices, "chen": chen}))
    assert shots.say("你好", language="cmn-Hans-CN") == spoken(1, "你好", VoiceSettings("chen", "zh"))


@pytest.mark.parametrize("speed", [0.25, 1, 4])
def test_speeds(shots: Shots, speed: float) -> None:
    assert only(shots.say("x", speed=speed), OpenSpeaker).settings.speed == speed


def test_an_empty_input_is_spoken_as_nothing(shots: Shots) -> None:
    assert shots.say("") == spoken(1, "")
    assert shots.event(1, Finished(0)) == [Send(Done())]


def test_what_the_server_speaks_by_itself_does_not_matter() -> None:
    """The form has one format, whatever a session of the server would begin with."""
    shots = Shots(replace(OFFER, bitrate=6_000))
    audio = only(shots.say("x"), OpenSpeaker).audio
    assert (audio.format, audio.sample_rate) == ("pcm_s16le", 24_000)


# -- what is refused ----------------------------------------------------------------------------------------

REFUSED: list[tuple[str | bytes, str]] = [
    (b"\x00\x01", "binary"),
    (b'{"input": "Hello."}', "binary"),
    ("", "JSON objects with `input`"),
    ('{"input": "Hello."', "JSON objects with `input`"),
    ('{"input": "Hello."} {}', "JSON objects with `input`"),
    ("null", "JSON objects with `input`"),
    ("[]", "JSON objects with `input`"),
    ("{}", "`input`"),
    ('{"text": "Hello."}', "`input`"),
    ('{"type": "text", "text": "Hello."}', "without `type`"),
    ('{"type": "session.close"}', "without `type`"),
    ('{"type": "text", "input": "Hello."}', "without `type`"),
    ('{"input": 5}', "`$.input`"),
    ('{"input": null}', "`$.input`"),
    ('{"input": "x", "voice": 5}', "`$.voice`"),
    ('{"input": "x", "voice": null}', "`$.voice`"),
    ('{"input": "x", "voice": "%s"}' % ("v" * 65), "`$.voice`"),
    ('{"input": "x", "voice": "nobody"}', "known: anna, bruno"),
    ('{"input": "x", "language": "fr"}', "spoken: en, de"),
    ('{"input": "x", "voice": "bruno", "language": "en"}', "it speaks: de"),
    ('{"input": "x", "speed": 0.2}', "`$.speed`"),
    ('{"input": "x", "speed": 4.1}', "`$.speed`"),
    ('{"input": "x", "speed": "fast"}', "`$.speed`"),
    ('{"input": "\\ud800"}', "JSON objects with `input`"),
    ('{"input": "\ud800"}', "JSON objects with `input`"),
    ('{"input": "%s"}' % ("x" * 16_385), "16384"),
    ('{"input": "%s"}' % ("é" * 8_193), "16386 bytes"),
    ('{"input": "x", "more": ' + "[" * 100_000 + "]" * 100_000 + "}", "JSON objects with `input`"),
]


@pytest.mark.parametrize(("frame", "says"), REFUSED)
def test_what_is_refused_gets_one_event_and_the_next_is_spoken(
    shots: Shots, frame: str | bytes, says: str
) -> None:
    detail = only(shots.receive(frame), ErrorEvent).detail
    assert says in detail
    assert len(detail) <= 400
    assert shots.machine.head() is None
    assert shots.say("Next.") == spoken(1, "Next.")


def test_text_of_just_the_limit_is_spoken(shots: Shots) -> None:
    assert every(shots.say("é" * 8_192), AppendText) == [AppendText(1, "é" * 8_192)]


def test_what_is_refused_is_told_in_its_turn(shots: Shots) -> None:
    shots.say("One.")
    for frame, _ in REFUSED[:3]:
        assert shots.receive(frame) == []
    assert shots.say("Two.") == []
    assert shots.receive(REFUSED[-1][0]) == []
    actions = shots.event(1, Finished(0))
    assert actions[0] == Send(Done())
    assert len(details(actions[1:4])) == 3
    assert actions[4:] == spoken(2, "Two.")
    assert [type(event) for event in every(shots.event(2, Finished(0)), object)] == [Done, ErrorEvent]


# -- order, and how many ------------------------------------------------------------------------------------


def test_inputs_are_spoken_one_after_another(shots: Shots) -> None:
    assert shots.say("One.") == spoken(1, "One.")
    assert shots.say("Two.") == []
    assert shots.say("Three.") == []
    assert shots.event(1, Finished(0)) == [Send(Done()), *spoken(2, "Two.")]
    assert shots.machine.text(2) == "Two."
    assert shots.machine.head() == 2
    assert shots.event(2, Finished(0)) == [Send(Done()), *spoken(3, "Three.")]
    assert shots.event(3, Finished(0)) == [Send(Done())]


@pytest.mark.parametrize("end", [Finished(0), BROKEN])
@pytest.mark.parametrize("waiting", ["", "Two."])
def test_an_input_is_known_until_its_speaker_is_dropped(shots: Shots, end: SpeechEvent, waiting: str) -> None:
    """A driver tells how long it was when the machine has heard of its end, which may begin the next."""
    shots.say("One.")
    if waiting:
        shots.say(waiting)
    shots.event(1, end)
    assert shots.machine.text(1) == "One."
    assert shots.machine.text(7) == ""


def test_a_failure_is_told_in_its_turn_and_the_next_is_spoken(shots: Shots) -> None:
    shots.say("One.")
    shots.say("Two.")
    shots.sound(1)
    # It does not overtake the sound that was made before it.
    assert shots.machine.on_failure(1, BROKEN, shots.now) == []
    assert shots.sound(1, b"left") == [SendPayload(b"left")]
    assert shots.event(1, BROKEN) == [
        StopSpeaker(1, "failed", BROKEN.code),
        Send(ErrorEvent("broken")),
        *spoken(2, "Two."),
    ]
    assert shots.event(2, Finished(0)) == [Send(Done())]


def test_what_an_earlier_speaker_still_says_is_dropped(shots: Shots) -> None:
    shots.say("One.")
    shots.say("Two.")
    shots.event(1, BROKEN)
    for event in (Packet(b"old", 1, 0, 960, FrameFlags.NONE), Finished(0), BROKEN):
        assert shots.event(1, event) == []
    assert shots.event(7, Finished(0)) == []
    assert shots.machine.head() == 2


def test_so_many_inputs_may_wait_and_no_more() -> None:
    shots = Shots(replace(OFFER, limits=Limits(contexts=3)))
    shots.say("spoken")
    for number in range(3):
        assert shots.say(f"waits {number}") == []
    for frame in ('{"input": "too many"}', "?", b""):
        assert "3 inputs wait already" in only(shots.receive(frame), ErrorEvent).detail
    assert every(shots.event(1, Finished(0)), AppendText) == [AppendText(2, "waits 0")]
    assert shots.say("waits 3") == []
    said = [only(shots.event(handle, Finished(0)), AppendText).text for handle in (2, 3, 4)]
    assert said == ["waits 1", "waits 2", "waits 3"]


def test_errors_that_wait_are_counted_as_inputs_that_wait() -> None:
    """Else a flood of wrong ones would be kept without end."""
    shots = Shots(replace(OFFER, limits=Limits(contexts=3)))
    shots.say("spoken")
    assert [len(shots.receive("?")) for _ in range(5)] == [0, 0, 0, 1, 1]
    assert len(details(shots.event(1, Finished(0)))) == 3


def test_many_errors_that_wait_are_told_at_once() -> None:
    shots = Shots(replace(OFFER, limits=Limits(contexts=5000)))
    shots.say("spoken")
    for _ in range(5000):
        assert shots.receive("?") == []
    assert len(details(shots.event(1, Finished(0)))) == 5000


# -- time, and the end --------------------------------------------------------------------------------------

IDLE = [Close(CloseCode.DONE, "idle")]


@pytest.mark.parametrize("life", ["input", "wrong", "binary", "sound", "done"])
def test_idle_closes(shots: Shots, life: str) -> None:
    shots.say("One.")
    shots.now += 299
    if life == "input":
        shots.say("Two.")
    elif life == "wrong":
        shots.receive("?")
    elif life == "binary":
        shots.receive(b"")
    elif life == "sound":
        shots.sound(1)
    else:
        shots.event(1, Finished(0))
    assert shots.machine.next_deadline() == shots.now + 300
    shots.now += 299.999
    assert shots.machine.on_deadline(shots.now) == []
    shots.now += 0.001
    assert shots.machine.on_deadline(shots.now) == IDLE
    assert shots.machine.on_deadline(shots.now + 1000) == []
    assert shots.say("More.") == []


def test_what_is_never_asked_for_anything_is_idle() -> None:
    shots = Shots(replace(OFFER, limits=Limits(idle_s=5)))
    assert shots.machine.on_deadline(shots.machine.next_deadline()) == IDLE


def test_shut_down(shots: Shots) -> None:
    shots.say("One.")
    assert shots.machine.shut_down() == [Close(CloseCode.GOING_AWAY, "going away", at_once=True)]
    assert shots.machine.shut_down() == []
    assert shots.say("Two.") == []
    assert shots.machine.on_deadline(shots.now + 1000) == []


def test_a_drain_speaks_what_has_come_and_refuses_the_rest_in_its_turn(shots: Shots) -> None:
    shots.say("One.")
    shots.say("Two.")
    assert shots.machine.drain(5000, shots.now) == []
    assert shots.say("Three.") == []
    assert shots.event(1, Finished(0)) == [Send(Done()), *spoken(2, "Two.")]
    assert shots.event(2, Finished(0)) == [
        Send(Done()),
        Send(ErrorEvent("the server is shutting down")),
        Close(CloseCode.GOING_AWAY, "going away"),
    ]
    assert shots.machine.drain(5000, shots.now) == []
    assert shots.machine.shut_down() == []


def test_a_drain_ends_at_once_what_says_nothing(shots: Shots) -> None:
    assert shots.machine.drain(5000, shots.now) == [Close(CloseCode.GOING_AWAY, "going away")]


def test_a_drain_ends_with_a_failure_too(shots: Shots) -> None:
    shots.say("One.")
    shots.machine.drain(5000, shots.now)
    assert shots.event(1, BROKEN)[-1] == Close(CloseCode.GOING_AWAY, "going away")


def test_without_its_socket_it_is_over_and_cannot_be_resumed(shots: Shots) -> None:
    shots.say("One.")
    assert not shots.machine.lost(shots.now)
    with pytest.raises(RealtimeError) as caught:
        shots.machine.resume(wire.ResumeRequest("sid", "token", {}), shots.now)
    assert caught.value.code == ErrorCode.RESUME_FAILED
    assert shots.machine.resume_failed(caught.value, shots.now) == []


def test_it_never_waits_for_its_listener_and_sends_nothing_again(shots: Shots) -> None:
    shots.say("One.")
    assert shots.machine.credit_ms(shots.now) == inf
    assert shots.machine.hold(1, shots.now) == []
    assert shots.machine.unheard_s(shots.now) == 0
    assert shots.machine.too_fast(10, 5) == []
    assert shots.machine.next_again() is None
    assert not shots.machine.follow("x", 1)
    assert shots.machine.ready_number == 0


def test_a_mistake_inside_the_server_is_told_without_its_insides(shots: Shots) -> None:
    shots.say("One.")
    assert shots.machine.broken() == [
        Send(ErrorEvent("something went wrong inside the server")),
        Close(CloseCode.INTERNAL, "internal error", at_once=True),
    ]
    assert shots.say("Two.") == []
    assert shots.machine.shut_down() == []
