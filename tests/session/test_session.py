"""A session begins: its first message, the settings that it asks for, and those that it gets."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from realtime.errors import CloseCode, ErrorCode
from realtime.session import frames
from realtime.session import messages as wire
from realtime.session.actions import AppendText, Close, OpenSpeaker, Send, SendFrame
from realtime.types import AudioSettings, VoiceSettings
from tests.session.talk import CLONED_ONLY, HOW, OPUS, Talk, anna, error_of, every, messages, only

# -- the first message --------------------------------------------------------------------------------------


def asks(**changes: Any) -> dict[str, Any]:
    """The `resume` of a `session.start`."""
    return {"session_id": "s", "token": "t", "last": {}} | changes


def test_start_is_answered_by_the_settings_in_force() -> None:
    assert Talk().send("session.start") == [
        Send(
            wire.SessionReady(
                session_id="sid",
                resume_token="secret-1",
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


def test_where_there_are_only_cloned_voices_each_context_may_name_one() -> None:
    """The session begins without one, whatever its first message is; who then names none is told how."""
    for first in ("session.start", "ping", "session.update"):
        talk = Talk(CLONED_ONLY)
        ready = only(talk.send(first)[:1], wire.SessionReady)
        assert (ready.voice, ready.language) == ("", "auto")
        error = error_of(talk.send("text", context_id="a", text="x"))
        assert (error.code, error.context_id, error.message) == (
            ErrorCode.UNKNOWN_VOICE,
            "a",
            f"no voice was named; {HOW}",
        )
        opened = only(talk.send("context.open", context_id="a", voice="clone-1"), OpenSpeaker)
        assert opened.settings.voice == "clone-1" and opened.settings.reference is not None
    talk = Talk(CLONED_ONLY)
    opened = only(talk.send("context.open", voice="clone-1"), OpenSpeaker)
    assert opened.settings.voice == "clone-1"
    talk = Talk(CLONED_ONLY)
    assert only(talk.send("session.start", voice="clone-1"), wire.SessionReady).voice == "clone-1"
    assert only(talk.send("text", text="x"), OpenSpeaker).settings.voice == "clone-1"
    # What the first message names must be there.
    talk = Talk(CLONED_ONLY)
    assert error_of(talk.send("session.start", voice="nobody")).code == ErrorCode.UNKNOWN_VOICE
    assert only(talk.send("session.start"), wire.SessionReady).voice == ""


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
        {"type": "playback", "played_ms": 5},
        {"type": "session.update", "voice": "bruno", "speed": 2},
        {"type": "session.close"},
    ],
)
def test_any_valid_first_message_is_answered_by_ready_and_then_by_its_own_answer(
    first: dict[str, Any],
) -> None:
    talk, plain = Talk(), Talk()
    defaults = plain.send("session.start")
    expected = plain.session.receive(json.dumps(first), plain.now)
    assert talk.session.receive(json.dumps(first), talk.now) == [*defaults, *expected]


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
    '{"type": "session.start", "voice": "%s"}' % ("x" * 65),
    '{"type": "session.start", "timestamps": "character"}',
    '{"type": "session.update", "voice": "nobody"}',
    '{"type": "session.update", "frame_ms": 30}',
    '{"type": "pause"}',
    '{"type": "pause", "context_id": "*"}',
    '{"type": "continue"}',
    '{"type": "playback"}',
    '{"type": "playback", "played_ms": "5"}',
    '{"type": "playback", "played_ms": 5, "context_id": "*"}',
    '{"type": "end"}',
    '{"type": "flush"}',
    '{"type": "context.open", "voice": "nobody"}',
    '{"type": "context.open", "context_id": "*"}',
    '{"type": "context.open", "speed": 5}',
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


def test_ready_comes_once_unless_settings_are_updated(talk: Talk) -> None:
    for kind in ("ping", "session.start", "session.close"):
        assert not every(talk.send(kind), wire.SessionReady)


def test_what_was_refused_first_and_asked_for_more_is_refused_whole() -> None:
    """Nothing of a first message that is refused is in force, also what comes before the wrong field."""
    talk = Talk()
    error_of(talk.send("session.start", voice="bruno", speed=2, formats=["mulaw"], language="en"))
    ready = only(talk.send("session.start"), wire.SessionReady)
    assert (ready.voice, ready.format, ready.language) == ("anna", "opus", "auto")
    assert only(talk.send("text", text="Hi."), OpenSpeaker).settings == anna()


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
        ({"frame_ms": 30}, ErrorCode.INVALID_MESSAGE, "20, 40, 60"),
        ({"frame_ms": 40.0}, ErrorCode.INVALID_MESSAGE, "`int`"),
        (
            {"formats": ["pcm_s16le"], "sample_rate": 44_100},
            ErrorCode.INVALID_MESSAGE,
            "8000, 16000, 24000, 48000",
        ),
        ({"formats": ["pcm_s16le"], "sample_rate": 0}, ErrorCode.INVALID_MESSAGE, "8000, 16000"),
        ({"formats": ["pcm_s16le"], "sample_rate": -24_000}, ErrorCode.INVALID_MESSAGE, "-24000"),
        ({"formats": []}, ErrorCode.INVALID_MESSAGE, "formats"),
        ({"bitrate": 5_999}, ErrorCode.INVALID_MESSAGE, "6000"),
        ({"bitrate": 256_001}, ErrorCode.INVALID_MESSAGE, "256000"),
        ({"speed": 0.2}, ErrorCode.INVALID_MESSAGE, "0.25"),
        ({"speed": 4.01}, ErrorCode.INVALID_MESSAGE, "4"),
        ({"speed": -1}, ErrorCode.INVALID_MESSAGE, "0.25"),
        ({"timestamps": "words"}, ErrorCode.INVALID_MESSAGE, "none, word"),
        ({"max_lead_ms": -1}, ErrorCode.INVALID_MESSAGE, "max_lead_ms"),
        ({"lexicon": {"a": 1}}, ErrorCode.INVALID_MESSAGE, "`str`"),
        ({"markup": 1}, ErrorCode.INVALID_MESSAGE, "`bool`"),
        ({"resume": "word"}, ErrorCode.INVALID_MESSAGE, "`object`"),
        ({"resume": {"session_id": "s", "token": "t"}}, ErrorCode.INVALID_MESSAGE, "`last`"),
        ({"resume": {"session_id": "s", "last": {}}}, ErrorCode.INVALID_MESSAGE, "`token`"),
        ({"resume": asks(session_id="s" * 65)}, ErrorCode.INVALID_MESSAGE, "64"),
        ({"resume": asks(last={"one": 1})}, ErrorCode.INVALID_MESSAGE, "last"),
        ({"resume": asks(last={"01": 1})}, ErrorCode.INVALID_MESSAGE, "last"),
        ({"resume": asks(last={"-1": 1})}, ErrorCode.INVALID_MESSAGE, "last"),
        ({"resume": asks(last={"1": -1})}, ErrorCode.INVALID_MESSAGE, "last"),
        ({"resume": asks(last={"1": 1.5})}, ErrorCode.INVALID_MESSAGE, "last"),
        ({"resume": asks(last={"1": 2**32})}, ErrorCode.INVALID_MESSAGE, "last"),
        ({"resume": asks(last={str(n): 0 for n in range(4097)})}, ErrorCode.INVALID_MESSAGE, "4096"),
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
    ("wish", "settings", "audio"),
    [
        ({"speed": 1}, anna(), OPUS),
        ({"speed": 0.25}, anna(speed=0.25), OPUS),
        ({"speed": 4}, anna(speed=4), OPUS),
        ({"normalize": True}, anna(), OPUS),
        ({"timestamps": "none"}, anna(), OPUS),
        ({"max_lead_ms": 0}, anna(), OPUS),
        ({"max_lead_ms": 500}, anna(), OPUS),
        ({"lexicon": {}}, anna(), OPUS),
        ({"lexicon": {"SQL": "sequel"}}, anna(lexicon=(("SQL", "sequel"),)), OPUS),
        ({"normalize": False, "markup": True}, anna(normalize=False, markup=True), OPUS),
        ({"frame_ms": 20}, anna(), OPUS),
        ({"frame_ms": 40}, anna(), replace(OPUS, frame_ms=40)),
        ({"frame_ms": 60}, anna(), replace(OPUS, frame_ms=60)),
        ({"sample_rate": 44_100}, anna(), OPUS),  # only PCM has a choice of rates
        ({"bitrate": 6_000}, anna(), replace(OPUS, bitrate=6_000)),
        ({"bitrate": 256_000}, anna(), replace(OPUS, bitrate=256_000)),
        ({"formats": ["flac", "opus", "pcm_s16le"]}, anna(), OPUS),
        ({"language": "EN_us"}, VoiceSettings("anna", "en"), OPUS),
        ({"something": "new"}, anna(), OPUS),
    ],
)
def test_a_start_that_is_served(wish: dict[str, Any], settings: VoiceSettings, audio: AudioSettings) -> None:
    talk = Talk()
    ready = only(talk.send("session.start", **wish), wire.SessionReady)
    assert (ready.format, ready.sample_rate, ready.frame_ms) == ("opus", 48_000, audio.frame_ms)
    opened = only(talk.send("text", text="x"), OpenSpeaker)
    assert (opened.settings, opened.audio) == (settings, audio)


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
def test_pcm_has_a_choice_of_rates(rate: int) -> None:
    talk = Talk()
    start = {"formats": ["pcm_s16le"], "sample_rate": rate}
    assert only(talk.send("session.start", **start), wire.SessionReady).sample_rate == rate
    assert only(talk.send("text", text="x"), OpenSpeaker).audio == AudioSettings(
        "pcm_s16le", rate, 20, 32_000
    )


def test_a_format_with_one_rate_has_that_one() -> None:
    talk = Talk()
    ready = only(talk.send("session.start", formats=["mulaw"], sample_rate=16_000), wire.SessionReady)
    assert (ready.format, ready.sample_rate, ready.pre_skip) == ("mulaw", 8_000, 0)
    assert only(talk.send("text", text="x"), OpenSpeaker).audio == AudioSettings("mulaw", 8_000, 20, 32_000)
    assert only(talk.frame(1), SendFrame).kind is frames.FrameKind.MULAW


def test_no_known_format_is_fatal() -> None:
    talk = Talk()
    send, close = talk.send("session.start", formats=["mp3", "flac"])
    assert isinstance(send, Send)
    assert isinstance(send.message, wire.Error)
    assert (send.message.code, send.message.fatal) == (ErrorCode.UNSUPPORTED, True)
    assert "opus, pcm_s16le, mulaw" in send.message.message
    assert isinstance(close, Close)
    assert close.code == CloseCode.POLICY
    assert talk.send("ping") == []
    assert talk.send("session.start") == []


def test_a_binary_frame_is_an_invalid_message(talk: Talk) -> None:
    error = error_of(talk.session.receive(b"{}", talk.now))
    assert error.code == ErrorCode.INVALID_MESSAGE
    assert "binary" in error.message


@pytest.mark.parametrize("t", [None, 0, -5, 1.25, "now", "", 2**53])
def test_ping(talk: Talk, t: int | float | str | None) -> None:
    assert talk.send("ping", t=t) == [Send(wire.Pong(t))]


def test_ping_without_t(talk: Talk) -> None:
    assert talk.send("ping") == [Send(wire.Pong(None))]
