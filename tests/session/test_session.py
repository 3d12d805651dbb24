"""The state machine of a session, on virtual time: messages and speaker events in, actions out."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import CloseCode, ErrorCode
from realtime.session import frames
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
from realtime.session.offer import Format, Limits, Offer
from realtime.session.session import Session
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
    Timing,
    Voice,
    VoiceSettings,
    WordsTimed,
)

ANNA = Voice("anna", ("en", "de"), "tone", aliases=("default",))
BRUNO = Voice("bruno", ("de",), "tone")
OFFER = Offer(
    engine="tone",
    voices={"anna": ANNA, "default": ANNA, "bruno": BRUNO},
    default_voice="anna",
    formats={
        "opus": Format(frames.FrameKind.OPUS, 48_000, 312),
        "pcm_s16le": Format(frames.FrameKind.PCM_S16LE, 24_000, 0),
    },
    features=("contexts", "cancel"),
    limits=Limits(),
    bitrate=32_000,
)
OPUS = AudioSettings("opus", 48_000, 20, 32_000)
#: Samples of the timeline in a millisecond, and in a frame.
MS = 48
FRAME = 20 * MS
NOTHING_CANCELLED = {"reason": "cancelled", "played_ms": 0, "text_spoken": "", "text_remaining": ""}

M = TypeVar("M")


class Talk:
    """A session, the present, and speakers that say what a test makes them say."""

    def __init__(self, offer: Offer = OFFER) -> None:
        self.now = 1000.0
        self.session = Session("sid", "secret", offer, self.now)
        self._sent: dict[int, tuple[int, int]] = {}  # handle -> next seq, next position

    def send(self, kind: str, **fields: Any) -> list[Action]:
        return self.session.receive(json.dumps({"type": kind, **fields}), self.now)

    def event(self, handle: int, event: SpeechEvent) -> list[Action]:
        return self.session.on_event(handle, event, self.now)

    def frame(self, handle: int, ms: float = 20, payload: bytes = b"sound") -> list[Action]:
        seq, position = self._sent.get(handle, (0, 0))
        flags = FrameFlags.NONE if seq else FrameFlags.FIRST
        packet = Packet(payload, seq, position, round(ms * MS), flags)
        self._sent[handle] = (seq + 1, position + packet.duration)
        return self.event(handle, packet)

    def words(self, handle: int, *words: tuple[int, int, float]) -> list[Action]:
        """(source_start, source_end, end_ms) of each word."""
        timed = tuple(SourceWord(start, end, 0, round(end_ms * MS)) for start, end, end_ms in words)
        return self.event(handle, WordsTimed(0, timed, False))

    def finish(self, handle: int, timing: Timing | None = None) -> list[Action]:
        return self.event(handle, Finished(self._sent.get(handle, (0, 0))[1], timing or Timing()))

    def spoken(self, context_id: str, text: str, ms: float) -> int:
        """A context that was opened, ended and wholly sent; its handle."""
        handle = only(self.send("text", context_id=context_id, text=text), OpenSpeaker).handle
        self.send("end", context_id=context_id)
        self.frame(handle, ms)
        self.finish(handle)
        return handle

    def wait(self, seconds: float) -> list[Action]:
        """Let time pass, calling `on_deadline` whenever the session wants it."""
        end = self.now + seconds
        actions: list[Action] = []
        for _ in range(1000):
            deadline = self.session.next_deadline()
            if deadline is None or deadline > end or any(isinstance(a, Close) for a in actions):
                self.now = end
                return actions
            self.now = max(self.now, deadline)
            actions += self.session.on_deadline(self.now)
        raise AssertionError("the session asks for deadlines without end")


def messages(actions: Iterable[Action]) -> list[wire.ServerMessage]:
    return [action.message for action in actions if isinstance(action, Send)]


def every(actions: Iterable[Action], kind: type[M]) -> list[M]:
    """Actions of a kind, or messages of one."""
    found: list[Any] = [a.message if isinstance(a, Send) else a for a in actions]
    return [each for each in found if isinstance(each, kind)]


def only(actions: Iterable[Action], kind: type[M]) -> M:
    found = every(actions, kind)
    assert len(found) == 1, (kind, actions)
    return found[0]


def error_of(actions: list[Action]) -> wire.Error:
    """The error that is the one and only answer."""
    assert len(actions) == 1, actions
    return only(actions, wire.Error)


def cancelled(
    context_id: str, handle: int, played_ms: float, spoken: str, remaining: str, last_seq: int | None
) -> wire.ContextCancelled:
    return wire.ContextCancelled(
        context_id, handle, "cancelled", played_ms, spoken, remaining, len(spoken), last_seq
    )


@pytest.fixture
def talk() -> Talk:
    """A session that was started."""
    talk = Talk()
    only(talk.send("ping"), wire.SessionReady)
    return talk


# -- the first message --------------------------------------------------------------------------------------


def test_start_is_answered_by_the_settings_in_force() -> None:
    assert Talk().send("session.start") == [
        Send(
            wire.SessionReady(
                session_id="sid",
                resume_token="secret",
                protocol="realtime.v1",
                engine="tone",
                features=["contexts", "cancel"],
                format="opus",
                sample_rate=48_000,
                frame_ms=20,
                pre_skip=312,
                voice="anna",
                language="auto",
                limits=wire.LimitsReport(1_048_576, 16_384, 65_536, 16, 300.0, 30.0),
            )
        )
    ]


def test_start_with_wishes_serves_them_to_every_context() -> None:
    talk = Talk()
    ready = only(
        talk.send(
            "session.start",
            formats=["flac", "pcm_s16le", "opus"],
            sample_rate=24_000,
            frame_ms=20,
            bitrate=64_000,
            voice="BRUNO",
            language="de-CH",
        ),
        wire.SessionReady,
    )
    assert (ready.format, ready.sample_rate, ready.frame_ms, ready.pre_skip) == ("pcm_s16le", 24_000, 20, 0)
    assert (ready.voice, ready.language) == ("bruno", "de-CH")
    assert talk.send("text", text="Gut.") == [
        OpenSpeaker(
            1, "default", VoiceSettings("bruno", "de"), AudioSettings("pcm_s16le", 24_000, 20, 64_000)
        ),
        Send(wire.ContextOpened("default", 1, "bruno", "de")),
        AppendText(1, "Gut."),
    ]
    sent = only(talk.frame(1), SendFrame)
    assert sent.kind is frames.FrameKind.PCM_S16LE


@pytest.mark.parametrize(
    "first",
    [
        {"type": "ping", "t": 3},
        {"type": "text", "text": "Hi."},
        {"type": "context.open", "context_id": "a"},
        {"type": "cancel", "context_id": "never"},
        {"type": "cancel", "context_id": "*"},
        {"type": "session.close"},
    ],
)
def test_any_valid_first_message_is_answered_by_ready_and_then_by_its_own_answer(
    first: dict[str, Any],
) -> None:
    talk, plain = Talk(), Talk()
    plain.send("session.start")
    expected = plain.session.receive(json.dumps(first), plain.now)
    ready, *rest = talk.session.receive(json.dumps(first), talk.now)
    assert isinstance(ready, Send)
    assert isinstance(ready.message, wire.SessionReady)
    assert rest == expected


INVALID_FIRST = [
    b"\x01\x02",
    "",
    "not json",
    "[]",
    "{}",
    '"text"',
    '{"type": "sing"}',
    '{"type": 5}',
    '{"type": "text"}',
    '{"type": "text", "text": 7}',
    '{"type": "text", "text": "\\ud800"}',
    '{"type": "text", "text": "a", "context_id": ""}',
    '{"type": "text", "text": "a", "context_id": "*"}',
    '{"type": "text", "text": "a", "context_id": "%s"}' % ("x" * 65),
    '{"type": "session.start", "speed": 9}',
    '{"type": "session.start", "voice": "nobody"}',
    '{"type": "session.start", "language": "xx"}',
    '{"type": "session.update"}',
    '{"type": "pause"}',
    '{"type": "end"}',
    '{"type": "flush"}',
    '{"type": "context.open", "voice": "nobody"}',
    '{"type": "context.open", "context_id": "*"}',
    '{"type": "context.open", "speed": 2}',
    '{"type": "cancel", "played_ms": "soon"}',
]


@pytest.mark.parametrize("frame", INVALID_FIRST)
def test_a_first_message_that_is_refused_does_not_count(frame: str | bytes) -> None:
    """Its error is the whole answer; the next message is still the first, so a start may be corrected."""
    talk = Talk()
    assert error_of(talk.session.receive(frame, talk.now)).fatal is False
    ready, pong = messages(talk.send("ping", t=1))
    assert isinstance(ready, wire.SessionReady)
    assert pong == wire.Pong(1)

    other = Talk()
    other.session.receive(frame, other.now)
    assert only(other.send("session.start", voice="bruno"), wire.SessionReady).voice == "bruno"


def test_ready_comes_once(talk: Talk) -> None:
    for kind in ("ping", "session.start", "session.close"):
        assert not every(talk.send(kind), wire.SessionReady)


@pytest.mark.parametrize("first", ["session.start", "ping"])
def test_start_is_refused_when_it_is_not_the_first(first: str) -> None:
    talk = Talk()
    talk.send(first)
    assert error_of(talk.send("session.start", voice="bruno")).code == ErrorCode.INVALID_MESSAGE
    assert only(talk.send("text", text="Hi."), wire.ContextOpened).voice == "anna"


@pytest.mark.parametrize(
    ("wish", "code", "says"),
    [
        ({"voice": "nobody"}, ErrorCode.UNKNOWN_VOICE, "anna, bruno"),
        ({"voice": ""}, ErrorCode.UNKNOWN_VOICE, "anna"),
        ({"language": "fr"}, ErrorCode.UNKNOWN_LANGUAGE, "en, de"),
        ({"language": ""}, ErrorCode.UNKNOWN_LANGUAGE, "en, de"),
        ({"voice": "bruno", "language": "en"}, ErrorCode.UNKNOWN_LANGUAGE, "de"),
        ({"frame_ms": 40}, ErrorCode.UNSUPPORTED, "20"),
        ({"frame_ms": 60}, ErrorCode.UNSUPPORTED, "20"),
        ({"frame_ms": 30}, ErrorCode.INVALID_MESSAGE, "frame_ms"),
        ({"formats": ["pcm_s16le"], "sample_rate": 16_000}, ErrorCode.UNSUPPORTED, "24000"),
        ({"formats": ["pcm_s16le"], "sample_rate": 44_100}, ErrorCode.INVALID_MESSAGE, "48000"),
        ({"formats": []}, ErrorCode.INVALID_MESSAGE, "formats"),
        ({"bitrate": 5_999}, ErrorCode.INVALID_MESSAGE, "6000"),
        ({"bitrate": 256_001}, ErrorCode.INVALID_MESSAGE, "256000"),
        ({"speed": 0.2}, ErrorCode.INVALID_MESSAGE, "0.25"),
        ({"speed": 1.5}, ErrorCode.UNSUPPORTED, "`speed`"),
        ({"normalize": False}, ErrorCode.UNSUPPORTED, "`normalize`"),
        ({"timestamps": "word"}, ErrorCode.UNSUPPORTED, "`timestamps`"),
        ({"max_lead_ms": 500}, ErrorCode.UNSUPPORTED, "`max_lead_ms`"),
        ({"max_lead_ms": -1}, ErrorCode.INVALID_MESSAGE, "max_lead_ms"),
        ({"lexicon": {"a": "b"}}, ErrorCode.UNSUPPORTED, "`lexicon`"),
        (
            {"resume": {"session_id": "s", "token": "t", "last": {}}},
            ErrorCode.UNSUPPORTED,
            "`resume`",
        ),
    ],
)
def test_a_start_that_cannot_be_served_says_why_and_changes_nothing(
    wish: dict[str, Any], code: ErrorCode, says: str
) -> None:
    talk = Talk()
    error = error_of(talk.send("session.start", **wish))
    assert (error.code, error.fatal) == (code, False)
    assert says in error.message
    assert only(talk.send("session.start"), wire.SessionReady).voice == "anna"


@pytest.mark.parametrize(
    "wish",
    [
        {"speed": 1},
        {"speed": 1.0},
        {"normalize": True},
        {"timestamps": "none"},
        {"max_lead_ms": 0},
        {"lexicon": {}},
        {"frame_ms": 20},
        {"sample_rate": 44_100},  # only PCM has a choice of rates
        {"bitrate": 6_000},
        {"bitrate": 256_000},
        {"formats": ["flac", "opus", "pcm_s16le"]},
        {"language": "EN_us"},
        {"something": "new"},
    ],
)
def test_a_start_that_asks_for_what_is_served_anyway(wish: dict[str, Any]) -> None:
    assert only(Talk().send("session.start", **wish), wire.SessionReady).format == "opus"


def test_no_known_format_is_fatal() -> None:
    talk = Talk()
    send, close = talk.send("session.start", formats=["mp3", "flac"])
    assert isinstance(send, Send)
    assert isinstance(send.message, wire.Error)
    assert (send.message.code, send.message.fatal) == (ErrorCode.UNSUPPORTED, True)
    assert "opus, pcm_s16le" in send.message.message
    assert isinstance(close, Close)
    assert close.code == CloseCode.POLICY
    assert talk.send("ping") == []
    assert talk.send("session.start") == []


@pytest.mark.parametrize("kind", ["session.update", "playback", "pause", "continue"])
def test_what_is_not_served_yet_is_unsupported(talk: Talk, kind: str) -> None:
    fields = {"played_ms": 5} if kind == "playback" else {}
    error = error_of(talk.send(kind, **fields))
    assert error.code == ErrorCode.UNSUPPORTED
    assert f"`{kind}`" in error.message
    assert "session.close" in error.message


def test_a_binary_frame_is_an_invalid_message(talk: Talk) -> None:
    error = error_of(talk.session.receive(b"{}", talk.now))
    assert error.code == ErrorCode.INVALID_MESSAGE
    assert "binary" in error.message


@pytest.mark.parametrize("t", [None, 0, -5, 1.25, "now", "", 2**53])
def test_ping(talk: Talk, t: int | float | str | None) -> None:
    assert talk.send("ping", t=t) == [Send(wire.Pong(t))]


def test_ping_without_t(talk: Talk) -> None:
    assert talk.send("ping") == [Send(wire.Pong(None))]


# -- opening ------------------------------------------------------------------------------------------------


def test_the_first_text_opens_and_the_next_is_appended_verbatim(talk: Talk) -> None:
    assert talk.send("text", context_id="a", text="  Hel") == [
        OpenSpeaker(1, "a", VoiceSettings("anna", "en"), OPUS),
        Send(wire.ContextOpened("a", 1, "anna", "en")),
        AppendText(1, "  Hel"),
    ]
    assert talk.send("text", context_id="a", text="lo \n") == [AppendText(1, "lo \n")]
    assert talk.session.text(1) == "  Hello \n"
    assert talk.session.text(2) == ""


def test_open_has_settings_of_its_own(talk: Talk) -> None:
    actions = talk.send(
        "context.open", context_id="a", voice="Bruno", language="de_AT", seed=7, buffer="manual", speed=1
    )
    assert actions == [
        OpenSpeaker(1, "a", VoiceSettings("bruno", "de", 7, "manual"), OPUS),
        Send(wire.ContextOpened("a", 1, "bruno", "de")),
    ]
    # The next one has the session's again.
    assert only(talk.send("text", context_id="b", text="x"), OpenSpeaker).settings == VoiceSettings(
        "anna", "en"
    )


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"voice": "nobody"}, ErrorCode.UNKNOWN_VOICE),
        ({"language": "fr"}, ErrorCode.UNKNOWN_LANGUAGE),
        ({"speed": 2}, ErrorCode.UNSUPPORTED),
        ({"speed": 5}, ErrorCode.INVALID_MESSAGE),
        ({"normalize": False}, ErrorCode.UNSUPPORTED),
        ({"instruct": "angrily"}, ErrorCode.UNSUPPORTED),
        ({"seed": -1}, ErrorCode.INVALID_MESSAGE),
        ({"seed": 2**53}, ErrorCode.INVALID_MESSAGE),
        ({"buffer": "none"}, ErrorCode.INVALID_MESSAGE),
        ({"on_conflict": "fight"}, ErrorCode.INVALID_MESSAGE),
        ({"context_id": "*"}, ErrorCode.INVALID_MESSAGE),
        ({"context_id": ""}, ErrorCode.INVALID_MESSAGE),
        ({"context_id": "x" * 65}, ErrorCode.INVALID_MESSAGE),
    ],
)
@pytest.mark.parametrize("on_conflict", ["queue", "preempt"])
def test_an_open_that_is_refused_changes_nothing(
    talk: Talk, wish: dict[str, Any], code: ErrorCode, on_conflict: str
) -> None:
    talk.send("text", context_id="busy", text="x")
    fields = {"context_id": "a", "on_conflict": on_conflict} | wish
    assert error_of(talk.send("context.open", **fields)).code == code
    assert talk.session.head() == 1
    assert only(talk.send("text", context_id="a", text="x"), OpenSpeaker).handle == 2


def test_open_of_an_open_id_is_refused(talk: Talk) -> None:
    talk.send("text", context_id="a", text="x")
    assert error_of(talk.send("context.open", context_id="a")).code == ErrorCode.INVALID_MESSAGE
    assert talk.send("text", context_id="a", text="y") == [AppendText(1, "y")]


@pytest.mark.parametrize("kind", ["text", "context.open"])
def test_after_end_an_id_may_be_opened_again_at_once(talk: Talk, kind: str) -> None:
    fields = {"text": "b"} if kind == "text" else {}
    talk.send("text", context_id="a", text="a")
    assert talk.send("end", context_id="a") == [EndSpeaker(1)]
    assert only(talk.send(kind, context_id="a", **fields), wire.ContextOpened).handle == 2
    talk.finish(1)
    talk.send("end", context_id="a")
    talk.finish(2)
    assert only(talk.send(kind, context_id="a", **fields), wire.ContextOpened).handle == 3


def test_a_cancel_of_an_id_means_all_its_contexts_that_are_still_heard(talk: Talk) -> None:
    """It may have been opened again while the former one is still heard; then both fall silent."""
    talk.spoken("a", "Zero.", 1000)
    talk.now += 2
    for number, words in enumerate(("One.", "Two."), 2):
        assert only(talk.send("text", context_id="a", text=words), OpenSpeaker).handle == number
        talk.send("end", context_id="a")
    talk.send("text", context_id="b", text="Other.")
    first, second = cancelled("a", 2, 0, "", "One.", None), cancelled("a", 3, 0, "", "Two.", None)
    assert talk.send("cancel", context_id="a") == [
        StopSpeaker(2, "cancelled"),
        Send(first),
        StopSpeaker(3, "cancelled"),
        Send(second),
    ]
    assert talk.session.head() == 4
    # Nothing of the id is heard any more: the last one stands for it.
    assert talk.send("cancel", context_id="a") == [Send(second)]


def test_a_cancel_of_an_id_gives_played_ms_to_the_one_that_sounds(talk: Talk) -> None:
    talk.spoken("a", "One.", 1000)
    talk.spoken("a", "Two.", 1000)
    talk.now += 0.5
    answers = every(talk.send("cancel", context_id="a", played_ms=321), wire.ContextCancelled)
    assert [(answer.handle, answer.played_ms) for answer in answers] == [(1, 321), (2, 0)]


def test_sixteen_contexts_may_be_open_and_no_more(talk: Talk) -> None:
    for number in range(16):
        assert only(talk.send("text", context_id=f"c{number}", text="x"), wire.ContextOpened)
    for kind, fields in (("text", {"text": "x"}), ("context.open", {})):
        error = error_of(talk.send(kind, context_id="c16", **fields))
        assert error.code == ErrorCode.TOO_MANY_CONTEXTS
        assert "16" in error.message
    talk.send("end", context_id="c0")
    assert error_of(talk.send("context.open", context_id="c16")).code == ErrorCode.TOO_MANY_CONTEXTS
    talk.finish(1)
    assert only(talk.send("context.open", context_id="c16"), wire.ContextOpened).handle == 17
    # Preempt makes room before it opens.
    assert (
        only(talk.send("context.open", context_id="c17", on_conflict="preempt"), wire.ContextOpened).handle
        == 18
    )


# -- limits on text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("character", "size"), [("a", 1), ("é", 2), ("今", 3), ("😀", 4)])
def test_text_of_a_message_is_limited_in_bytes(talk: Talk, character: str, size: int) -> None:
    fits = character * (16_384 // size) + "a" * (16_384 % size)
    assert every(talk.send("text", context_id="a", text=fits), AppendText) == [AppendText(1, fits)]
    talk.send("text", context_id="b", text="x")
    stop, error, done = talk.send("text", context_id="a", text=fits + "a")
    assert stop == StopSpeaker(1, "failed")
    assert isinstance(error, Send)
    assert isinstance(error.message, wire.Error)
    assert error.message.code == ErrorCode.TEXT_TOO_LONG
    assert (error.message.context_id, error.message.handle, error.message.fatal) == ("a", 1, False)
    assert done == Send(wire.ContextDone("a", 1, "failed", 0.0, None, wire.ContextTiming(0, 0, 0, 0, 0)))
    assert talk.session.head() == 2
    assert talk.send("text", context_id="b", text="y") == [AppendText(2, "y")]


def test_text_of_a_context_is_limited_in_bytes_over_all_its_messages(talk: Talk) -> None:
    part = "é" * 8_192
    for _ in range(4):
        assert every(talk.send("text", context_id="a", text=part), AppendText)
    assert talk.send("text", context_id="a", text="") == []  # nothing is nothing
    actions = talk.send("text", context_id="a", text="x")
    assert only(actions, wire.Error).code == ErrorCode.TEXT_TOO_LONG
    assert only(actions, wire.ContextDone).reason == "failed"
    # What was refused is no part of the text.
    assert only(talk.send("cancel", context_id="a"), wire.ContextCancelled).text_remaining == part * 4
    # A new context has the whole limit again.
    talk.send("context.open", context_id="a")
    assert talk.send("text", context_id="a", text=part) == [AppendText(2, part)]


def test_a_first_text_that_is_too_long_opens_and_fails(talk: Talk) -> None:
    opened, error, done = messages(talk.send("text", text="x" * 16_385))
    assert isinstance(opened, wire.ContextOpened)
    assert isinstance(error, wire.Error)
    assert isinstance(done, wire.ContextDone)
    assert error.code == ErrorCode.TEXT_TOO_LONG
    assert (done.handle, done.reason) == (1, "failed")
    assert talk.session.head() is None


# -- late text ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["cancel", "preempt", "too long", "failure"])
@pytest.mark.parametrize(("late", "fields"), [("text", {"text": "z"}), ("flush", {}), ("end", {})])
def test_late_text_is_dropped_with_one_error(
    talk: Talk, ending: str, late: str, fields: dict[str, Any]
) -> None:
    talk.send("text", context_id="a", text="x")
    if ending == "cancel":
        talk.send("cancel", context_id="a")
    elif ending == "preempt":
        talk.send("context.open", context_id="b", on_conflict="preempt")
    elif ending == "too long":
        talk.send("text", context_id="a", text="x" * 16_385)
    else:
        talk.event(1, Failed(ErrorCode.ENGINE_FAILED, "broken"))
    error = error_of(talk.send(late, context_id="a", **fields))
    assert (error.code, error.context_id, error.handle) == (ErrorCode.CONTEXT_CLOSED, "a", 1)
    for kind, more in (("text", {"text": "z"}), ("flush", {}), ("end", {}), ("text", {"text": "y"})):
        assert talk.send(kind, context_id="a", **more) == []
    opened = only(talk.send("context.open", context_id="a"), wire.ContextOpened)
    assert opened.handle > 1
    assert talk.send("text", context_id="a", text="z") == [AppendText(opened.handle, "z")]
    # The next cancel is a new one, and is told anew.
    talk.send("cancel", context_id="a")
    assert error_of(talk.send("text", context_id="a", text="z")).handle == opened.handle


def test_late_text_after_a_cancel_that_came_after_done_is_dropped(talk: Talk) -> None:
    talk.spoken("a", "x", 20)
    talk.send("cancel", context_id="a")
    assert error_of(talk.send("text", context_id="a", text="z")).code == ErrorCode.CONTEXT_CLOSED


@pytest.mark.parametrize("kind", ["flush", "end"])
def test_flush_and_end_of_an_id_that_is_not_open(talk: Talk, kind: str) -> None:
    assert error_of(talk.send(kind, context_id="never")).code == ErrorCode.CONTEXT_CLOSED
    assert error_of(talk.send(kind, context_id="*")).code == ErrorCode.INVALID_MESSAGE
    talk.send("text", context_id="a", text="x")
    talk.send("end", context_id="a")
    assert error_of(talk.send(kind, context_id="a")).code == ErrorCode.CONTEXT_CLOSED
    talk.finish(1)
    # Each is told: only late text of a cancelled or failed id is told once.
    for _ in range(2):
        assert error_of(talk.send(kind, context_id="a")).code == ErrorCode.CONTEXT_CLOSED


def test_flush_and_its_answer(talk: Talk) -> None:
    talk.send("text", text="x")
    assert talk.send("flush", flush_id="f") == [FlushSpeaker(1, "f")]
    assert talk.send("flush") == [FlushSpeaker(1, None)]
    assert talk.event(1, Flushed("f")) == [Send(wire.FlushDone("default", 1, "f"))]
    assert talk.event(1, Flushed(None)) == [Send(wire.FlushDone("default", 1, None))]
    assert error_of(talk.send("flush", flush_id="x" * 65)).code == ErrorCode.INVALID_MESSAGE
    talk.send("cancel")
    assert talk.event(1, Flushed("f")) == []


def test_a_segment_is_told(talk: Talk) -> None:
    talk.send("text", text="$5.")
    assert talk.event(1, SegmentStarted(0, "five dollars.", (0, 3), "en", 487)) == [
        Send(wire.Segment("default", 1, 0, "five dollars.", (0, 3), 10.146, "en", True))
    ]


# -- order --------------------------------------------------------------------------------------------------


def test_the_head_is_the_oldest_that_is_not_over(talk: Talk) -> None:
    assert talk.session.head() is None
    for context_id in "abcd":
        talk.send("text", context_id=context_id, text="x")
    assert talk.session.head() == 1
    talk.send("end", context_id="b")
    assert talk.session.head() == 1
    talk.send("cancel", context_id="a")
    assert talk.session.head() == 2
    talk.send("cancel", context_id="c")
    talk.finish(2)
    assert talk.session.head() == 4
    talk.event(4, Failed(ErrorCode.INTERNAL, "x"))
    assert talk.session.head() is None


def test_a_silent_head_that_blocks_another_is_ended_after_ten_seconds(talk: Talk) -> None:
    talk.send("text", context_id="a", text="x")
    talk.send("text", context_id="b", text="x")
    assert talk.wait(9.999) == []
    assert talk.wait(0.001) == [EndSpeaker(1)]
    assert talk.session.head() == 1
    assert talk.wait(60) == []
    assert error_of(talk.send("flush", context_id="a")).code == ErrorCode.CONTEXT_CLOSED
    assert only(talk.finish(1), wire.ContextDone).reason == "completed"
    assert talk.session.head() == 2
    # Nothing waits behind the last one.
    assert talk.wait(60) == []


@pytest.mark.parametrize("sign", ["text", "flush", "frame"])
def test_the_ten_seconds_begin_anew_with_every_sign_of_life(talk: Talk, sign: str) -> None:
    talk.send("text", context_id="a", text="x")
    talk.send("text", context_id="b", text="x")
    talk.wait(9)
    if sign == "frame":
        talk.frame(1)
    elif sign == "flush":
        talk.send("flush", context_id="a")
    else:
        talk.send("text", context_id="a", text="y")
    # Life in what waits is none in what blocks it.
    talk.wait(5)
    talk.send("text", context_id="b", text="y")
    assert talk.wait(4.999) == []
    assert talk.wait(0.001) == [EndSpeaker(1)]


def test_the_ten_seconds_begin_when_another_waits(talk: Talk) -> None:
    """A silence in which nobody waited blocked nobody."""
    talk.send("text", context_id="a", text="x")
    talk.wait(100)
    talk.send("text", context_id="b", text="x")
    assert talk.wait(9.999) == []
    assert talk.wait(0.001) == [EndSpeaker(1)]


def test_the_second_in_order_has_its_own_ten_seconds(talk: Talk) -> None:
    """What was not its turn was no silence of its own."""
    for context_id in "abc":
        talk.send("text", context_id=context_id, text="x")
    talk.wait(9)
    talk.send("cancel", context_id="a")
    actions = talk.wait(9.999)
    assert actions == []
    assert talk.wait(0.001) == [EndSpeaker(2)]


# -- idle ---------------------------------------------------------------------------------------------------


def test_idle_closes(talk: Talk) -> None:
    talk.wait(200)
    talk.send("ping")
    assert talk.wait(299.999) == []
    assert talk.wait(0.001) == [Send(wire.SessionClosing("idle", 0)), Close(CloseCode.DONE, "idle")]
    assert talk.send("ping") == []
    assert talk.session.on_deadline(talk.now + 1000) == []


def test_idle_closes_what_never_began() -> None:
    actions = Talk(replace(OFFER, limits=Limits(idle_s=5))).wait(5)
    assert messages(actions) == [wire.SessionClosing("idle", 0)]
    assert only(actions, Close).code == CloseCode.DONE


@pytest.mark.parametrize("sent", ["frame", "binary", "invalid", "told failure"])
def test_whatever_is_sent_either_way_is_life(talk: Talk, sent: str) -> None:
    talk.send("text", text="x")
    talk.wait(200)
    if sent == "frame":
        assert every(talk.frame(1), SendFrame)
    elif sent == "binary":
        talk.session.receive(b"", talk.now)
    elif sent == "invalid":
        talk.session.receive("?", talk.now)
    else:
        assert error_of(talk.session.on_failure(1, Failed(ErrorCode.TIMEOUT, "late"), talk.now))
    assert not every(talk.wait(299.999), Close)
    assert only(talk.wait(0.001), Close).code == CloseCode.DONE


# -- cancel -------------------------------------------------------------------------------------------------


def test_cancel_of_an_id_that_never_was(talk: Talk) -> None:
    talk.send("text", context_id="a", text="x")
    assert talk.send("cancel", context_id="b", played_ms=50) == [
        Send(wire.ContextCancelled("b", 0, source_offset=0, last_seq=None, **NOTHING_CANCELLED))
    ]
    assert talk.session.head() == 1


def test_cancel_stops_the_speaker_before_it_answers(talk: Talk) -> None:
    talk.send("text", text="One two.")
    assert talk.send("cancel") == [
        StopSpeaker(1, "cancelled"),
        Send(cancelled("default", 1, 0.0, "", "One two.", None)),
    ]
    for event in (
        Packet(b"", 0, 0, FRAME, FrameFlags.FIRST),
        SegmentStarted(0, "x", (0, 1), "en", 0),
        WordsTimed(0, (SourceWord(0, 3, 0, 1),), False),
        Flushed(None),
        Finished(0),
        Failed(ErrorCode.INTERNAL, "x"),
    ):
        assert talk.event(1, event) == []
    assert talk.session.on_failure(1, Failed(ErrorCode.INTERNAL, "x"), talk.now) == []


def test_cancel_is_idempotent(talk: Talk) -> None:
    handle = 1
    talk.send("text", text="One two.")
    talk.words(handle, (0, 3, 20), (4, 7, 40))
    talk.frame(handle, 60)
    first = only(talk.send("cancel", played_ms=20), wire.ContextCancelled)
    assert first == cancelled("default", 1, 20.0, "One ", "two.", 0)
    talk.now += 30
    assert talk.send("cancel") == [Send(first)]
    assert talk.send("cancel", played_ms=60) == [Send(first)]


def test_cancel_after_done_is_answered_with_the_cut(talk: Talk) -> None:
    talk.send("text", text="One two. ")
    talk.words(1, (0, 3, 1000), (4, 7, 2000))
    talk.frame(1, 2000)
    talk.send("end")
    talk.finish(1)
    talk.now += 1.5
    answer = cancelled("default", 1, 1500.0, "One ", "two. ", 0)
    assert talk.send("cancel") == [Send(answer)]
    talk.now += 5
    assert talk.send("cancel") == [Send(answer)]


def test_cancel_after_a_failure_is_answered(talk: Talk) -> None:
    talk.send("text", text="One two. ")
    talk.words(1, (0, 3, 20), (4, 7, 900))
    talk.frame(1, 20)
    talk.event(1, Failed(ErrorCode.ENGINE_FAILED, "x"))
    assert talk.send("cancel", played_ms=20) == [Send(cancelled("default", 1, 20.0, "One ", "two. ", 0))]


@pytest.mark.parametrize(
    ("played_ms", "position", "spoken"),
    [
        (-5, 0.0, ""),
        (-1e308, 0.0, ""),
        (0, 0.0, ""),
        (19.9, 19.9, ""),
        (20, 20.0, "One, "),
        (45.6, 45.6, "One, "),
        (45.67, 45.67, "One, two "),  # just past 45.666..., the word's own end
        (60, 60.0, "One, two three"),
        (61, 60.0, "One, two three"),
        (10**29, 60.0, "One, two three"),
        (1e308, 60.0, "One, two three"),
    ],
)
def test_the_position_of_a_cancel_is_clamped_to_what_was_sent(
    talk: Talk, played_ms: float, position: float, spoken: str
) -> None:
    text = "One, two three four"
    talk.send("text", text=text)
    # The fourth word is timed, but its sound was not sent.
    talk.words(1, (0, 3, 20), (5, 8, 2192 / MS), (9, 14, 60), (15, 19, 80))
    talk.frame(1, 60)
    spoken = "One, two three " if spoken == "One, two three" else spoken
    assert messages(talk.send("cancel", played_ms=played_ms)) == [
        cancelled("default", 1, position, spoken, text[len(spoken) :], 0)
    ]


@given(st.integers(1, 48_000 * 3600))
def test_a_words_own_end_counts_as_heard(end: int) -> None:
    """`end_ms` as the wire tells it, rounded to microseconds, means the whole word."""
    talk = Talk()
    talk.send("text", text="Hi there.")
    talk.words(1, (0, 2, end / MS), (3, 8, end / MS + 20))
    talk.frame(1, end / MS + 40)
    answer = only(talk.send("cancel", played_ms=round(end / MS, 3)), wire.ContextCancelled)
    assert answer.text_spoken == "Hi "


def test_cancel_by_the_clock(talk: Talk) -> None:
    talk.send("text", text="One two three")
    talk.words(1, (0, 3, 100), (4, 7, 200), (8, 13, 300))
    talk.now += 7  # nothing plays before the first frame
    talk.frame(1, 300)
    talk.now += 0.25
    assert messages(talk.send("cancel")) == [cancelled("default", 1, 250.0, "One two ", "three", 0)]


def test_by_the_clock_the_listener_stands_still_where_sound_ends(talk: Talk) -> None:
    talk.send("text", text="One two three")
    talk.words(1, (0, 3, 100), (4, 7, 200), (8, 13, 300))
    talk.frame(1, 100)
    talk.now += 50
    talk.frame(1, 200)
    talk.now += 0.15
    assert messages(talk.send("cancel")) == [cancelled("default", 1, 250.0, "One two ", "three", 1)]


def test_by_the_clock_the_next_context_begins_when_the_one_before_has_played_out(talk: Talk) -> None:
    talk.spoken("a", "One", 1000)
    talk.now += 0.3
    second = talk.spoken("b", "Two", 1000)
    talk.now += 0.9
    answer = only(talk.send("cancel", context_id="b"), wire.ContextCancelled)
    assert (answer.handle, answer.played_ms) == (second, pytest.approx(200, abs=0.001))


def test_by_the_clock_the_next_context_begins_when_the_one_before_is_cancelled(talk: Talk) -> None:
    """The listener dropped what it had of it: what comes next sounds at once, also what was sent already."""
    talk.spoken("a", "One", 10_000)
    talk.spoken("b", "Two", 1000)
    talk.now += 2
    assert only(talk.send("cancel", context_id="a"), wire.ContextCancelled).played_ms == 2000
    talk.now += 0.5
    assert only(talk.send("cancel", context_id="b"), wire.ContextCancelled).played_ms == pytest.approx(
        500, abs=0.001
    )


def test_cancel_all_answers_each_in_order_and_then_all(talk: Talk) -> None:
    for context_id in ("heard", "sounding"):
        talk.spoken(context_id, "One two.", 1000)
        talk.now += 1 if context_id == "heard" else 0.25
    talk.send("text", context_id="open", text="Three.")
    talk.send("text", context_id="ended", text="Four.")
    talk.send("end", context_id="ended")
    assert talk.send("cancel", context_id="*") == [
        Send(cancelled("sounding", 2, 250.0, "", "One two.", 0)),
        StopSpeaker(3, "cancelled"),
        Send(cancelled("open", 3, 0.0, "", "Three.", None)),
        StopSpeaker(4, "cancelled"),
        Send(cancelled("ended", 4, 0.0, "", "Four.", None)),
        Send(wire.ContextCancelled("*", 0, source_offset=0, last_seq=None, **NOTHING_CANCELLED)),
    ]
    assert messages(talk.send("cancel", context_id="*")) == [
        wire.ContextCancelled("*", 0, source_offset=0, last_seq=None, **NOTHING_CANCELLED)
    ]
    # What was heard is not cancelled by it: its text is not late.
    assert only(talk.send("text", context_id="heard", text="x"), wire.ContextOpened)
    assert error_of(talk.send("text", context_id="sounding", text="x")).code == ErrorCode.CONTEXT_CLOSED


def test_played_ms_of_cancel_all_is_of_the_one_that_sounds(talk: Talk) -> None:
    talk.spoken("a", "One two.", 1000)
    talk.spoken("b", "Three.", 1000)
    talk.now += 0.5
    first, second, _ = every(talk.send("cancel", context_id="*", played_ms=123.5), wire.ContextCancelled)
    assert (first.handle, first.played_ms) == (1, 123.5)
    assert (second.handle, second.played_ms) == (2, 0)


def test_played_ms_of_cancel_all_when_by_the_clock_all_was_played(talk: Talk) -> None:
    """The client's buffer is behind the server's clock: its own word counts, not the clock's."""
    talk.send("text", text="One two.")
    talk.words(1, (0, 3, 500), (4, 7, 1000))
    talk.frame(1, 1000)
    talk.now += 1.05
    answer = every(talk.send("cancel", context_id="*", played_ms=900), wire.ContextCancelled)[0]
    assert answer == cancelled("default", 1, 900.0, "One ", "two.", 0)


def test_preempt_cancels_all_then_opens(talk: Talk) -> None:
    talk.spoken("a", "One.", 1000)
    talk.send("text", context_id="b", text="Two.")
    talk.now += 0.5
    answer_a = wire.ContextCancelled("a", 1, "preempted", 500.0, "", "One.", 0, 0)
    answer_b = wire.ContextCancelled("b", 2, "preempted", 0.0, "", "Two.", 0, None)
    assert talk.send("context.open", context_id="b", on_conflict="preempt") == [
        Send(answer_a),
        StopSpeaker(2, "cancelled"),
        Send(answer_b),
        OpenSpeaker(3, "b", VoiceSettings("anna", "en"), OPUS),
        Send(wire.ContextOpened("b", 3, "anna", "en")),
    ]
    assert talk.session.head() == 3
    assert messages(talk.send("cancel", context_id="a")) == [answer_a]
    # The new one sounds at once: nothing is left before it.
    talk.frame(3, 100)
    talk.now += 0.06
    assert only(talk.send("cancel", context_id="b"), wire.ContextCancelled).played_ms == pytest.approx(60)


PIECES = st.lists(
    st.tuples(
        st.text(st.sampled_from("abzAZ019éß今日"), min_size=1, max_size=6),
        st.sampled_from(
            [
                " ",
                "  ",
                ", ",
                ". ",
                "! ",
                "?! ",
                "... ",
                "… ",
                ") ",
                "” ",
                "’ ",
                "]; ",
                ".\n",
                "。",
                "、",
                ": ",
            ]
        ),
    ),
    max_size=12,
)


@given(PIECES, st.integers(0, 1300), st.lists(st.integers(0, 200), max_size=4))
def test_the_cut_falls_after_the_last_word_that_was_heard(
    pieces: list[tuple[str, str]], played_ms: int, cuts: list[int]
) -> None:
    """Word n ends after 100 (n + 1) ms; the text comes in tokens that are cut anywhere."""
    text = "".join(word + trail for word, trail in pieces)
    talk = Talk()
    talk.send("context.open")
    bounds = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    for start, end in itertools.pairwise(bounds):
        talk.send("text", text=text[start:end])
    offset = 0
    ends: list[int] = []
    for number, (word, trail) in enumerate(pieces):
        talk.words(1, (offset, offset + len(word), 100 * (number + 1)))
        offset += len(word) + len(trail)
        ends.append(offset)
    talk.frame(1, 100 * len(pieces))
    heard = min(len(pieces), played_ms // 100)
    offset = ends[heard - 1] if heard else 0
    assert messages(talk.send("cancel", played_ms=played_ms)) == [
        cancelled("default", 1, min(played_ms, 100 * len(pieces)), text[:offset], text[offset:], 0)
    ]


@given(
    st.text(st.characters(codec="utf-8"), max_size=60),
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=8),
    st.floats(-10, 400),
    st.integers(0, 200),
)
def test_spoken_and_remaining_are_always_the_text(
    text: str, words: list[tuple[int, int]], played_ms: float, sent_ms: int
) -> None:
    talk = Talk()
    talk.send("text", text=text)
    time = 0.0
    for end in sorted(source for source, _ in words):
        time += 25
        talk.words(1, (0, min(end, len(text)), time))
    talk.frame(1, sent_ms)
    answer = only(talk.send("cancel", played_ms=played_ms), wire.ContextCancelled)
    assert answer.text_spoken + answer.text_remaining == text
    assert answer.source_offset == len(answer.text_spoken)
    assert 0 <= answer.played_ms <= sent_ms


def test_last_seq_is_that_of_the_last_frame_sent(talk: Talk) -> None:
    talk.send("text", text="x")
    for _ in range(5):
        talk.frame(1)
    assert only(talk.send("cancel"), wire.ContextCancelled).last_seq == 4


# -- endings ------------------------------------------------------------------------------------------------


def test_done_tells_exact_numbers(talk: Talk) -> None:
    talk.send("context.open")
    talk.now += 10
    talk.send("text", text="x")
    talk.now += 0.25
    assert talk.frame(1, 13.5) == [
        SendFrame(frames.FrameKind.OPUS, 1, Packet(b"sound", 0, 0, 648, FrameFlags.FIRST))
    ]
    talk.now += 0.5
    talk.frame(1, 487 / MS)
    talk.send("end")
    talk.now += 0.25
    timing = Timing(queue_s=0.0124, infer_s=0.5, encode_s=0.0306)
    assert talk.finish(1, timing) == [
        Send(
            wire.ContextDone("default", 1, "completed", 23.646, 1, wire.ContextTiming(250, 12, 500, 31, 1000))
        )
    ]


def test_nothing_to_say(talk: Talk) -> None:
    talk.send("text", text=" ... \n")
    talk.send("end")
    done = only(talk.finish(1), wire.ContextDone)
    assert (done.reason, done.audio_ms, done.last_seq) == ("completed", 0, None)
    assert done.timing.first_audio_ms == 0


def test_done_of_a_context_without_any_text(talk: Talk) -> None:
    talk.send("context.open")
    talk.now += 5
    talk.send("end")
    assert only(talk.finish(1), wire.ContextDone).timing == wire.ContextTiming(0, 0, 0, 0, 0)


def test_the_empty_last_frame_moves_nothing(talk: Talk) -> None:
    talk.send("text", text="x")
    talk.frame(1, 20)
    talk.now += 1
    talk.send("end")
    assert talk.event(1, Packet(b"", 1, FRAME, 0, FrameFlags.LAST))
    done = only(talk.finish(1), wire.ContextDone)
    assert (done.audio_ms, done.last_seq) == (20, 1)
    assert only(talk.send("cancel"), wire.ContextCancelled).played_ms == 20


def test_a_failure_is_told_once_and_ends_the_context_in_its_turn(talk: Talk) -> None:
    talk.send("text", context_id="a", text="x")
    talk.send("text", context_id="b", text="x")
    failed = Failed(ErrorCode.QUEUE_FULL, "no room", 1000)
    error = error_of(talk.session.on_failure(2, failed, talk.now))
    assert error == wire.Error("queue_full", "no room", False, "b", 2, 1000)
    assert talk.session.on_failure(2, failed, talk.now) == []
    assert talk.session.head() == 1
    talk.send("end", context_id="a")
    talk.finish(1)
    actions = talk.event(2, failed)
    assert every(actions, wire.Error) == []
    done = only(actions, wire.ContextDone)
    assert (done.handle, done.reason) == (2, "failed")
    assert talk.event(2, failed) == []
    assert talk.session.on_failure(2, failed, talk.now) == []
    assert talk.session.head() is None


def test_a_failure_that_was_not_told_before_is_told_with_the_ending(talk: Talk) -> None:
    talk.send("text", text="x")
    talk.frame(1, 20)
    talk.now += 1
    actions = talk.event(1, Failed(ErrorCode.ENGINE_FAILED, "broken"))
    assert [type(message) for message in messages(actions)] == [wire.Error, wire.ContextDone]
    assert only(actions, wire.Error) == wire.Error("engine_failed", "broken", False, "default", 1)
    done = only(actions, wire.ContextDone)
    assert (done.audio_ms, done.last_seq, done.timing.total_ms) == (20, 0, 1000)
    assert only(actions, StopSpeaker) == StopSpeaker(1, "failed")


def test_a_cancel_between_the_telling_of_a_failure_and_its_ending_is_the_only_ending(talk: Talk) -> None:
    talk.send("text", context_id="a", text="x")
    talk.send("text", context_id="b", text="y")
    failed = Failed(ErrorCode.INTERNAL, "oh")
    talk.session.on_failure(2, failed, talk.now)
    assert only(talk.send("cancel", context_id="b"), wire.ContextCancelled).text_remaining == "y"
    talk.send("cancel", context_id="a")
    assert talk.event(2, failed) == []


def test_events_of_an_unknown_handle_mean_nothing(talk: Talk) -> None:
    assert talk.event(7, Finished(0)) == []
    assert talk.session.on_failure(7, Failed(ErrorCode.INTERNAL, "x"), talk.now) == []


# -- forgetting ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["done", "cancelled", "failed"])
def test_a_context_is_kept_until_sixty_seconds_after_its_end(how: str) -> None:
    """Of what plays, the estimated end of playing; a cancel is the end of playing."""
    talk = Talk(replace(OFFER, limits=Limits(idle_s=3600)))
    talk.send("text", context_id="a", text="One two.")
    talk.words(1, (0, 3, 1000), (4, 7, 30_000))
    talk.frame(1, 30_000)
    left = 30.0 + 60.0
    if how == "cancelled":
        talk.send("cancel", context_id="a", played_ms=2000)
        left = 60.0
    elif how == "failed":
        talk.event(1, Failed(ErrorCode.TIMEOUT, "x"))
    else:
        talk.send("end", context_id="a")
        talk.finish(1)
    talk.wait(left - 0.001)
    assert talk.session.text(1) == "One two."
    talk.wait(0.001)
    assert talk.session.text(1) == ""
    assert only(talk.send("cancel", context_id="a"), wire.ContextCancelled).handle == 0
    assert only(talk.send("text", context_id="a", text="x"), wire.ContextOpened).handle == 2


def test_a_cancel_keeps_for_sixty_seconds_more_and_its_repetition_does_not() -> None:
    talk = Talk(replace(OFFER, limits=Limits(idle_s=3600)))
    talk.spoken("a", "One.", 1000)
    talk.wait(50)
    answer = only(talk.send("cancel", context_id="a"), wire.ContextCancelled)
    talk.wait(59)
    assert talk.send("cancel", context_id="a") == [Send(answer)]
    talk.wait(1)
    assert only(talk.send("cancel", context_id="a"), wire.ContextCancelled).handle == 0


def test_what_is_live_is_never_forgotten() -> None:
    talk = Talk(replace(OFFER, limits=Limits(idle_s=7200)))
    talk.send("text", context_id="a", text="One.")
    talk.frame(1, 20)
    talk.wait(3600)
    assert talk.send("text", context_id="a", text=" Two.") == [AppendText(1, " Two.")]
    assert talk.session.text(1) == "One. Two."


def test_forgetting_an_old_context_does_not_forget_its_ids_new_one() -> None:
    talk = Talk(replace(OFFER, limits=Limits(idle_s=3600)))
    talk.spoken("a", "One.", 20)
    talk.send("text", context_id="a", text="Two.")
    talk.wait(120)
    assert talk.session.text(1) == ""
    assert talk.send("text", context_id="a", text="!") == [AppendText(2, "!")]


# -- close --------------------------------------------------------------------------------------------------


def test_close_with_nothing_open(talk: Talk) -> None:
    talk.spoken("a", "One.", 5000)
    assert talk.send("session.close") == [Close(CloseCode.DONE, "done")]
    assert talk.send("session.close") == []


def test_close_drains(talk: Talk) -> None:
    talk.send("text", context_id="a", text="x")
    talk.send("text", context_id="b", text="x")
    talk.send("end", context_id="b")
    actions = talk.send("session.close")
    assert EndSpeaker(1) in actions
    assert messages(actions) == []
    assert not every(actions, Close)
    for kind, fields in (("text", {"text": "y"}), ("context.open", {}), ("flush", {}), ("end", {})):
        assert error_of(talk.send(kind, context_id="a", **fields)).code == ErrorCode.CONTEXT_CLOSED
        assert error_of(talk.send(kind, context_id="c", **fields)).code == ErrorCode.CONTEXT_CLOSED
    assert talk.send("ping") == [Send(wire.Pong(None))]
    assert not every(talk.finish(1), Close)
    done, close = talk.finish(2)
    assert isinstance(done, Send)
    assert close == Close(CloseCode.DONE, "done")
    assert talk.send("ping") == []


def test_while_draining_a_preempt_is_refused_and_cancels_nothing(talk: Talk) -> None:
    talk.send("text", context_id="a", text="x")
    talk.send("session.close")
    error = error_of(talk.send("context.open", context_id="b", on_conflict="preempt"))
    assert error.code == ErrorCode.CONTEXT_CLOSED
    assert talk.session.head() == 1
    assert every(talk.finish(1), Close) == [Close(CloseCode.DONE, "done")]


@pytest.mark.parametrize("ending", ["cancel", "failure", "too long"])
def test_draining_ends_with_the_last_context_however_it_ends(talk: Talk, ending: str) -> None:
    talk.send("text", context_id="a", text="x")
    talk.send("session.close")
    if ending == "cancel":
        actions = talk.send("cancel", context_id="a")
    elif ending == "failure":
        actions = talk.event(1, Failed(ErrorCode.INTERNAL, "x"))
    else:
        assert error_of(talk.send("text", context_id="a", text="x" * 20_000)).code == ErrorCode.CONTEXT_CLOSED
        actions = talk.finish(1)
    assert actions[-1] == Close(CloseCode.DONE, "done")
    assert len(every(actions, Close)) == 1


def test_cancel_all_while_draining_answers_everything_before_it_closes(talk: Talk) -> None:
    talk.spoken("a", "One.", 1000)
    talk.send("text", context_id="b", text="x")
    talk.send("session.close")
    actions = talk.send("cancel", context_id="*")
    answers = every(actions, wire.ContextCancelled)
    assert [answer.context_id for answer in answers] == ["a", "b", "*"]
    assert every(actions, Close) == [Close(CloseCode.DONE, "done")]
    assert actions[-1] == Close(CloseCode.DONE, "done")


def test_close_without_drain_cancels_everything_and_then_closes(talk: Talk) -> None:
    for context_id in ("a", "b"):
        talk.spoken(context_id, "One.", 1000)
    talk.now += 0.5
    actions = talk.send("session.close", drain=False)
    assert [(answer.handle, answer.played_ms) for answer in every(actions, wire.ContextCancelled)] == [
        (1, 500),
        (2, 0),
    ]
    assert every(actions, Close) == [Close(CloseCode.DONE, "done")]
    assert actions[-1] == Close(CloseCode.DONE, "done")


def test_close_without_drain_stops_what_runs_also_after_one_with(talk: Talk) -> None:
    talk.send("text", context_id="a", text="x")
    talk.send("text", context_id="b", text="y")
    talk.send("session.close")
    assert talk.send("session.close", drain=False) == [
        StopSpeaker(1, "cancelled"),
        Send(cancelled("a", 1, 0.0, "", "x", None)),
        StopSpeaker(2, "cancelled"),
        Send(cancelled("b", 2, 0.0, "", "y", None)),
        Close(CloseCode.DONE, "done"),
    ]


def test_shut_down_says_so_once(talk: Talk) -> None:
    talk.send("text", text="x")
    assert talk.session.shut_down() == [
        Send(wire.SessionClosing("shutdown", 0)),
        Close(CloseCode.GOING_AWAY, "going away"),
    ]
    assert talk.session.shut_down() == []
    assert talk.send("ping") == []
    assert talk.session.on_deadline(talk.now + 10_000) == []
