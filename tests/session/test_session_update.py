"""`session.update`: each setting, for contexts opened later; and that what is refused changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from realtime.errors import ErrorCode
from realtime.session import messages as wire
from realtime.session.actions import AppendText, Close, OpenSpeaker, Send
from realtime.types import AudioSettings, VoiceSettings
from tests.session.talk import OPUS, Talk, anna, error_of, every, messages, only, refused

ANNA = anna()


def opened(talk: Talk, context_id: str) -> tuple[VoiceSettings, AudioSettings]:
    """How a context is that is opened now, with the settings of the session."""
    action = only(talk.send("text", context_id=context_id, text="x"), OpenSpeaker)
    return action.settings, action.audio


@pytest.mark.parametrize(
    ("update", "settings", "audio"),
    [
        ({}, ANNA, OPUS),
        ({"voice": "Bruno"}, VoiceSettings("bruno", "de"), OPUS),
        ({"voice": "default"}, ANNA, OPUS),
        ({"language": "de-AT"}, VoiceSettings("anna", "de"), OPUS),
        ({"voice": "anna", "language": "de"}, VoiceSettings("anna", "de"), OPUS),
        ({"speed": 0.25}, replace(ANNA, speed=0.25), OPUS),
        ({"speed": 4}, replace(ANNA, speed=4), OPUS),
        ({"bitrate": 6_000}, ANNA, replace(OPUS, bitrate=6_000)),
        ({"frame_ms": 60}, ANNA, replace(OPUS, frame_ms=60)),
        ({"sample_rate": 8_000}, ANNA, OPUS),
        ({"normalize": True, "max_lead_ms": 0, "lexicon": {}}, ANNA, OPUS),
        ({"something": "new"}, ANNA, OPUS),
        ({"formats": ["mulaw"]}, ANNA, OPUS),  # no field of this message
    ],
)
def test_each_setting(
    talk: Talk, update: dict[str, Any], settings: VoiceSettings, audio: AudioSettings
) -> None:
    assert opened(talk, "before") == (ANNA, OPUS)
    ready = only(talk.send("session.update", **update), wire.SessionReady)
    assert (ready.voice, ready.language) == (settings.voice, update.get("language", "auto"))
    assert (ready.format, ready.sample_rate, ready.frame_ms) == ("opus", 48_000, audio.frame_ms)
    assert opened(talk, "after") == (settings, audio)


def test_the_answer_bears_a_new_token_and_else_what_the_first_one_did() -> None:
    talk = Talk()
    first = only(talk.send("session.start"), wire.SessionReady)
    second = only(talk.send("session.update"), wire.SessionReady)
    third = only(talk.send("session.update"), wire.SessionReady)
    assert len({ready.resume_token for ready in (first, second, third)}) == 3
    for ready in (second, third):
        assert wire.encode(ready).replace(ready.resume_token, first.resume_token) == wire.encode(first)


def test_what_is_open_stays_as_it_is(talk: Talk) -> None:
    opened(talk, "a")
    talk.send("session.update", voice="bruno", frame_ms=60)
    assert talk.send("text", context_id="a", text="y") == [AppendText(1, "y")]
    # Opened again, it is a new context.
    talk.send("end", context_id="a")
    assert opened(talk, "a") == (VoiceSettings("bruno", "de"), replace(OPUS, frame_ms=60))


def test_updates_add_up(talk: Talk) -> None:
    talk.send("session.update", voice="bruno")
    talk.send("session.update", speed=2)
    talk.send("session.update", frame_ms=40, speed=0.5)
    assert opened(talk, "a") == (VoiceSettings("bruno", "de", speed=0.5), replace(OPUS, frame_ms=40))
    talk.send("session.update", voice="anna", language="de")
    talk.send("session.update", language="auto", speed=1)
    assert opened(talk, "b") == (ANNA, replace(OPUS, frame_ms=40))


def test_the_rate_of_pcm() -> None:
    talk = Talk()
    talk.send("session.start", formats=["pcm_s16le"])
    assert opened(talk, "a")[1].sample_rate == 24_000
    for rate in (8_000, 16_000, 48_000):
        assert only(talk.send("session.update", sample_rate=rate), wire.SessionReady).sample_rate == rate
        assert opened(talk, f"at {rate}")[1].sample_rate == rate
    assert "8000, 16000, 24000, 48000" in refused(
        talk.send("session.update", sample_rate=44_100), ErrorCode.INVALID_MESSAGE
    )
    assert opened(talk, "z")[1].sample_rate == 48_000


@pytest.mark.parametrize(
    ("update", "code"),
    [
        ({"voice": "nobody"}, ErrorCode.UNKNOWN_VOICE),
        ({"language": "fr"}, ErrorCode.UNKNOWN_LANGUAGE),
        ({"voice": "bruno", "language": "en"}, ErrorCode.UNKNOWN_LANGUAGE),
        ({"frame_ms": 30}, ErrorCode.INVALID_MESSAGE),
        ({"bitrate": 300_000}, ErrorCode.INVALID_MESSAGE),
        ({"speed": 4.5}, ErrorCode.INVALID_MESSAGE),
        ({"speed": None}, ErrorCode.INVALID_MESSAGE),
        ({"timestamps": "phoneme"}, ErrorCode.INVALID_MESSAGE),
        ({"normalize": 0}, ErrorCode.INVALID_MESSAGE),
        ({"max_lead_ms": -1}, ErrorCode.INVALID_MESSAGE),
        ({"lexicon": {"SQL": None}}, ErrorCode.INVALID_MESSAGE),
    ],
)
def test_what_is_refused_changes_nothing(talk: Talk, update: dict[str, Any], code: ErrorCode) -> None:
    """Also none of the fields beside the wrong one."""
    others = {"voice": "bruno", "speed": 2, "frame_ms": 60, "bitrate": 9_000, "timestamps": "word"}
    refused(talk.send("session.update", **(others | update)), code)
    assert opened(talk, "a") == (ANNA, OPUS)
    assert talk.words(1, (0, 1, 10)) == []
    assert only(talk.send("session.update"), wire.SessionReady).voice == "anna"


def test_as_the_first_message_it_is_answered_after_the_defaults() -> None:
    talk = Talk()
    defaults, updated = messages(talk.send("session.update", voice="bruno"))
    assert isinstance(defaults, wire.SessionReady)
    assert isinstance(updated, wire.SessionReady)
    assert (defaults.voice, updated.voice) == ("anna", "bruno")
    assert defaults.resume_token != updated.resume_token
    assert error_of(talk.send("session.start")).code == ErrorCode.INVALID_MESSAGE
    assert opened(talk, "a")[0].voice == "bruno"


def test_while_draining_it_is_answered_and_opens_nothing(talk: Talk) -> None:
    talk.send("text", context_id="a", text="x")
    talk.send("session.close")
    ready = only(talk.send("session.update", voice="bruno"), wire.SessionReady)
    assert ready.voice == "bruno"
    refused(talk.send("text", context_id="b", text="x"), ErrorCode.CONTEXT_CLOSED)
    assert len(every(talk.finish(1), Close)) == 1
    assert talk.send("session.update") == []


def test_a_voice_that_was_not_named_follows_the_language() -> None:
    """Until one is named: that one binds, and a language that it does not speak is refused."""
    talk = Talk()
    talk.send("session.start", language="de")
    assert opened(talk, "a")[0] == VoiceSettings("anna", "de")
    talk.send("session.update", voice="bruno")
    assert "bruno" in refused(talk.send("session.update", language="en"), ErrorCode.UNKNOWN_LANGUAGE)
    assert "bruno" in refused(talk.send("context.open", language="en"), ErrorCode.UNKNOWN_LANGUAGE)
    assert only(
        talk.send("context.open", context_id="b", voice="anna", language="en"), OpenSpeaker
    ).settings == VoiceSettings("anna", "en")
    assert opened(talk, "c")[0] == VoiceSettings("bruno", "de")


def test_a_session_that_asked_for_words_may_have_contexts_of_other_settings(talk: Talk) -> None:
    """What a context does not say is the session's."""
    talk.send("session.update", timestamps="word", speed=2, frame_ms=40)
    action = only(talk.send("context.open", context_id="a", voice="bruno", seed=5), OpenSpeaker)
    assert action.settings == VoiceSettings("bruno", "de", 5, "auto", 2)
    assert action.audio == replace(OPUS, frame_ms=40)
    talk.send("text", context_id="a", text="Ja.")
    assert talk.words(1, (0, 2, 100)) == [
        Send(wire.Words("a", 1, 0, False, [wire.Word("Ja", (0, 2), 0.0, 100.0)]))
    ]
