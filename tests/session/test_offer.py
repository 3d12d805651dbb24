"""What a client may wish, and what it gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import ErrorCode, InvalidMessageError
from realtime.session.messages import ContextOpen, SessionStart, SessionUpdate
from realtime.session.offer import (
    MAX_INSTRUCT,
    ContextSettings,
    Limits,
    NoFormatError,
    Offer,
    SessionSettings,
    Speaking,
    check_context_id,
    how_to_install,
    shown,
)
from realtime.types import AudioSettings, Voice, VoiceSettings
from tests.session.talk import ANNA, BRUNO, CLONED_ONLY, DORA, HOW, OFFER, OPUS

CHEN = Voice("chen", ("zh",), "tone", aliases=("zh",))
PAULA = Voice("paula", ("pt", "es"), "tone")
KENJI = Voice("kenji", ("ja",), "japanese", aliases=("ja",), extra="japanese")
#: Voices of several languages, one of which is not installed.
MANY = replace(
    OFFER,
    voices={**OFFER.voices, "chen": CHEN, "zh": CHEN, "paula": PAULA},
    missing_voices={"kenji": KENJI, "ja": KENJI},
)
INSTALL = 'pip install "realtime-voice[japanese]"'
PCM = AudioSettings("pcm_s16le", 24_000, 20, 32_000)


def who(offer: Offer, name: str | None, wanted: str) -> tuple[Voice, str]:
    """The voice that speaks, and the language that is assumed or was named."""
    speaking = offer.speaker(name, wanted)
    return speaking.voice, speaking.language


def after(*messages: SessionStart | SessionUpdate, offer: Offer = OFFER) -> SessionSettings:
    """The settings of a session that has had these messages."""
    settings = offer.defaults
    for message in messages:
        settings = offer.session_settings(message, settings)
    return settings


def test_limits_are_those_of_the_protocol() -> None:
    assert Limits() == Limits(2**20, 2**14, 2**16, 16, 300.0, 30.0)


def test_limits_are_reported_as_they_are() -> None:
    report = Limits(1, 2, 3, 4, 5.5, 6.5).report()
    assert (report.message_bytes, report.text_bytes_per_message, report.text_bytes_per_context) == (1, 2, 3)
    assert (report.contexts, report.idle_s, report.resume_window_s) == (4, 5.5, 6.5)


@pytest.mark.parametrize(
    ("size", "held", "says"),
    [
        (10, 0, None),
        (11, 0, "11 bytes of text in one message; 10 are allowed"),
        (10, 15, None),
        (10, 16, "more than 25 bytes of text in one context"),
        (0, 25, None),
        (11, 25, "11 bytes of text in one message; 10 are allowed"),
    ],
)
def test_text_that_is_too_long_is_told_with_what_is_allowed(size: int, held: int, says: str | None) -> None:
    limits = Limits(text_bytes_per_message=10, text_bytes_per_context=25)
    assert limits.text_too_long(size, held) == says


# -- voices -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["anna", "ANNA", "default", "Default"])
def test_a_voice_has_many_names(name: str) -> None:
    assert OFFER.voice(name) is ANNA
    assert who(OFFER, name, "auto") == (ANNA, "en")


def test_who_names_no_voice_gets_the_default() -> None:
    assert who(OFFER, None, "auto") == (ANNA, "en")
    assert who(replace(OFFER, default_voice="Bruno"), None, "auto") == (BRUNO, "de")


@pytest.mark.parametrize("name", ["nobody", "", " anna", "anna\n", "ánna", "x" * 10_000])
def test_an_unknown_voice_is_told_with_those_that_are_known(name: str) -> None:
    with pytest.raises(InvalidMessageError, match=r"known: anna, bruno$") as caught:
        OFFER.voice(name)
    assert caught.value.code == ErrorCode.UNKNOWN_VOICE
    assert len(caught.value.message) < 200
    with pytest.raises(InvalidMessageError, match=r"known: anna, bruno$"):
        OFFER.speaker(name, "auto")


def test_a_voice_is_listed_once_and_by_its_id() -> None:
    with pytest.raises(InvalidMessageError, match=r"known: anna, bruno, chen, paula$"):
        MANY.voice("nobody")


@pytest.mark.parametrize("name", ["kenji", "Kenji", "JA"])
@pytest.mark.parametrize("language", ["auto", "ja", "en"])
def test_a_voice_that_is_not_installed_says_what_to_install(name: str, language: str) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        MANY.speaker(name, language)
    assert caught.value.code == ErrorCode.UNKNOWN_VOICE
    assert "'kenji' is not installed" in caught.value.message
    assert caught.value.message.endswith(INSTALL)
    assert how_to_install(KENJI) in caught.value.message


# -- languages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("auto", "en"),
        ("AUTO", "en"),
        ("en", "en"),
        ("EN", "en"),
        ("en-US", "en"),
        ("en_GB", "en"),
        ("de-Latn-CH-1996", "de"),
        ("en-x-private", "en"),
    ],
)
def test_a_language_is_reduced_to_what_the_voice_speaks(wanted: str, language: str) -> None:
    assert who(OFFER, "anna", wanted) == (ANNA, language)
    assert who(OFFER, None, wanted) == (ANNA, language)


def test_auto_is_the_own_language_of_a_voice_that_has_one() -> None:
    assert who(OFFER, "bruno", "auto") == (BRUNO, "de")
    assert OFFER.speaker("bruno", "auto").auto_voices == ()


def test_auto_tells_the_languages_of_a_voice_that_was_named() -> None:
    assert OFFER.speaker("anna", "auto").auto_voices == (("en", "anna"), ("de", "anna"))
    assert MANY.speaker("paula", "auto") == Speaking(PAULA, "pt", (("pt", "paula"), ("es", "paula")))


def test_auto_without_a_voice_takes_the_first_for_each_language() -> None:
    speaking = replace(MANY, default_voice="chen").speaker(None, "auto")
    assert speaking == Speaking(
        CHEN, "zh", (("zh", "chen"), ("en", "anna"), ("de", "anna"), ("pt", "paula"), ("es", "paula"))
    )


def test_a_voice_that_cannot_read_all_of_its_language_is_not_taken_for_it() -> None:
    """It would fail on the rest, and end a context that nobody said was in that language."""
    kana = Voice("kana", ("ja", "zh"), "tone", all_scripts=False)
    offer = replace(OFFER, voices={"kana": kana, **MANY.voices})
    assert dict(offer.speaker(None, "auto").auto_voices)["ja"] == "anna"
    assert dict(offer.speaker(None, "auto").auto_voices)["zh"] == "chen"
    assert who(offer, None, "ja") == (kana, "ja")
    assert offer.speaker("kana", "auto").auto_voices == (("ja", "kana"), ("zh", "kana"))


@pytest.mark.parametrize(("name", "wanted"), [("anna", "de"), (None, "en"), ("bruno", "de-AT")])
def test_a_language_that_was_named_is_that_of_all_text(name: str | None, wanted: str) -> None:
    assert OFFER.speaker(name, wanted).auto_voices == ()


#: What is no language, however it is asked for.
NO_LANGUAGES = ["fr", "", "-", "english", "eng", "-en", "e", "*"]


@pytest.mark.parametrize("wanted", NO_LANGUAGES)
def test_an_unknown_language_is_told_with_those_that_the_voice_speaks(wanted: str) -> None:
    with pytest.raises(InvalidMessageError, match=r"it speaks: en, de$") as caught:
        OFFER.speaker("anna", wanted)
    assert caught.value.code == ErrorCode.UNKNOWN_LANGUAGE


@pytest.mark.parametrize("wanted", [*NO_LANGUAGES, "x" * 10_000])
def test_an_unknown_language_is_told_with_those_that_are_spoken_here(wanted: str) -> None:
    with pytest.raises(InvalidMessageError, match=r"spoken: en, de, zh, pt, es$") as caught:
        MANY.speaker(None, wanted)
    assert caught.value.code == ErrorCode.UNKNOWN_LANGUAGE
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("name", [None, "anna"])
@pytest.mark.parametrize("wanted", ["auto-x", "auto_US"])
def test_auto_has_no_subtags(name: str | None, wanted: str) -> None:
    """It is no language, so nothing may follow it."""
    with pytest.raises(InvalidMessageError, match="en, de") as caught:
        OFFER.speaker(name, wanted)
    assert caught.value.code == ErrorCode.UNKNOWN_LANGUAGE


@pytest.mark.parametrize(
    ("wanted", "voice", "language"),
    [
        ("de", ANNA, "de"),  # the default voice first
        ("de-AT", ANNA, "de"),
        ("zh", CHEN, "zh"),
        ("zh-Hant-TW", CHEN, "zh"),
        ("cmn", CHEN, "zh"),
        ("cmn-Hans-CN", CHEN, "zh"),
        ("CMN_hans_CN", CHEN, "zh"),
        ("pt", PAULA, "pt"),
        ("pt_BR", PAULA, "pt"),
        ("es-419", PAULA, "es"),
    ],
)
def test_who_names_only_a_language_gets_a_voice_that_speaks_it(
    wanted: str, voice: Voice, language: str
) -> None:
    assert who(MANY, None, wanted) == (voice, language)


def test_of_the_voices_that_speak_a_language_the_default_is_chosen_or_the_first() -> None:
    assert who(replace(MANY, default_voice="bruno"), None, "de-CH") == (BRUNO, "de")
    offer = replace(MANY, default_voice="chen")
    assert who(offer, None, "de") == (ANNA, "de")
    assert who(replace(offer, voices={"bruno": BRUNO, **offer.voices}), None, "de") == (BRUNO, "de")


def test_a_voice_that_was_named_binds() -> None:
    """Another one that speaks the language is not taken in its place."""
    for wanted in ("en", "zh", "ja"):
        with pytest.raises(InvalidMessageError, match=r"'bruno' does not speak .*; it speaks: de$") as caught:
            MANY.speaker("bruno", wanted)
        assert caught.value.code == ErrorCode.UNKNOWN_LANGUAGE


@pytest.mark.parametrize("wanted", ["ja", "ja-JP", "JA_jp"])
def test_a_language_whose_voice_is_not_installed_says_what_to_install(wanted: str) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        MANY.speaker(None, wanted)
    assert caught.value.code == ErrorCode.UNKNOWN_LANGUAGE
    assert f"language {wanted!r} needs voice 'kenji'" in caught.value.message
    assert caught.value.message.endswith(INSTALL)


def test_what_is_installed_goes_before_what_is_missing() -> None:
    rin = Voice("rin", ("ja",), "tone")
    assert who(replace(MANY, voices={**MANY.voices, "rin": rin}), None, "ja") == (rin, "ja")


@given(st.none() | st.sampled_from(["anna", "BRUNO", "zh", "ja", "nobody"]) | st.text(), st.text(max_size=70))
def test_any_wish_gives_a_voice_that_speaks_the_language_or_is_refused(name: str | None, wanted: str) -> None:
    try:
        voice, language = who(MANY, name, wanted)
    except InvalidMessageError as error:
        assert error.code in (ErrorCode.UNKNOWN_VOICE, ErrorCode.UNKNOWN_LANGUAGE)
        assert len(error.message) < 800  # each character may be written as an escape
        return
    assert language in voice.languages
    assert name is None or MANY.voices[name.lower()] is voice


# -- settings of a session ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "audio"),
    [
        ({}, OPUS),
        ({"formats": ["opus"]}, OPUS),
        ({"formats": ["x", "pcm_s16le", "opus"]}, PCM),
        ({"formats": ["opus", "pcm_s16le"]}, OPUS),
        ({"bitrate": 6_000}, replace(OPUS, bitrate=6_000)),
        ({"sample_rate": 8_000}, OPUS),
        ({"sample_rate": 44_100}, OPUS),
        ({"formats": ["pcm_s16le"], "sample_rate": 24_000}, PCM),
        ({"formats": ["pcm_s16le"], "sample_rate": 8_000}, replace(PCM, sample_rate=8_000)),
        ({"formats": ["pcm_s16le"], "sample_rate": 48_000}, replace(PCM, sample_rate=48_000)),
        ({"formats": ["mulaw"], "sample_rate": 44_100}, AudioSettings("mulaw", 8_000, 20, 32_000)),
        ({"frame_ms": 20}, OPUS),
        ({"frame_ms": 40}, replace(OPUS, frame_ms=40)),
        ({"frame_ms": 60}, replace(OPUS, frame_ms=60)),
    ],
)
def test_the_first_known_format_is_chosen(wish: dict[str, Any], audio: AudioSettings) -> None:
    assert OFFER.audio(after(SessionStart(**wish))) == audio


@pytest.mark.parametrize("formats", [["mp3"], ["OPUS"], ["", "opus "], ["pcm"]])
def test_no_known_format(formats: list[str]) -> None:
    with pytest.raises(NoFormatError, match=r"known: opus, pcm_s16le, mulaw$") as caught:
        after(SessionStart(formats=formats))
    assert caught.value.code == ErrorCode.UNSUPPORTED


@pytest.mark.parametrize("rate", [0, -24_000, 22_050, 44_100, 96_000])
def test_other_rates_are_wrong(rate: int) -> None:
    start = SessionStart(formats=["pcm_s16le"])
    with pytest.raises(InvalidMessageError, match=r"8000, 16000, 24000, 48000, not -?\d+$") as caught:
        after(SessionStart(formats=["pcm_s16le"], sample_rate=rate))
    assert caught.value.code == ErrorCode.INVALID_MESSAGE
    with pytest.raises(InvalidMessageError, match="8000, 16000"):
        after(start, SessionUpdate(sample_rate=rate))


def test_what_is_left_out_stays_as_it_is() -> None:
    every = {
        "sample_rate": 16_000,
        "bitrate": 9_000,
        "frame_ms": 60,
        "voice": "Bruno",
        "language": "de-AT",
        "speed": 1.5,
    }
    start = SessionStart(formats=["pcm_s16le"], timestamps="word", **every)  # type: ignore[arg-type]
    settings = after(start)
    assert settings == SessionSettings("pcm_s16le", word_timestamps=True, **every)  # type: ignore[arg-type]
    assert after(start, SessionUpdate()) == settings
    for name, value in (("frame_ms", 40), ("voice", "anna"), ("language", "auto"), ("speed", 1.0)):
        changed = after(start, SessionUpdate(**{name: value}))  # type: ignore[arg-type]
        assert changed == replace(settings, **{name: value})  # type: ignore[arg-type]
    assert after(start, SessionUpdate(timestamps="none")) == replace(settings, word_timestamps=False)


@pytest.mark.parametrize(
    "update",
    [
        SessionUpdate(voice="nobody"),
        SessionUpdate(language="fr"),
        SessionUpdate(voice="bruno", language="en"),
        SessionUpdate(speed=2.0, lexicon={"wrong": "entry"}),
    ],
)
def test_an_update_that_cannot_be_served(update: SessionUpdate) -> None:
    with pytest.raises(InvalidMessageError):
        after(SessionStart(), update, offer=replace(OFFER, check_lexicon=_wrong))


@pytest.mark.parametrize("update", [SessionUpdate(voice="bruno"), SessionUpdate(language="zh")])
def test_a_change_of_one_may_not_fit_the_other(update: SessionUpdate) -> None:
    """What was asked for before still holds; both may be changed at once."""
    with pytest.raises(InvalidMessageError, match="does not speak") as caught:
        after(SessionStart(voice="anna", language="en"), update, offer=MANY)
    assert caught.value.code == ErrorCode.UNKNOWN_LANGUAGE
    both = SessionUpdate(voice="chen", language="zh")
    assert MANY.context_settings(
        ContextOpen(), after(SessionStart(voice="anna", language="en"), both, offer=MANY)
    ).voice == VoiceSettings("chen", "zh")


# -- settings of a context ----------------------------------------------------------------------------------


def test_a_context_is_as_the_session_is() -> None:
    session = after(
        SessionStart(
            voice="bruno", speed=0.5, timestamps="word", formats=["mulaw"], frame_ms=40, bitrate=7_000
        )
    )
    assert OFFER.context_settings(ContextOpen(), session) == ContextSettings(
        VoiceSettings("bruno", "de", speed=0.5), AudioSettings("mulaw", 8_000, 40, 7_000), True
    )


def test_how_text_is_read_is_the_sessions_unless_a_context_says_otherwise() -> None:
    session = after(SessionStart(lexicon={"SQL": "sequel"}, markup=True, normalize=False))
    voice = OFFER.context_settings(ContextOpen(), session).voice
    assert (voice.lexicon, voice.markup, voice.normalize) == ((("SQL", "sequel"),), True, False)
    other = OFFER.context_settings(ContextOpen(markup=False, normalize=True), session).voice
    assert (other.lexicon, other.markup, other.normalize) == ((("SQL", "sequel"),), False, True)
    cleared = after(SessionStart(lexicon={"SQL": "sequel"}, markup=True), SessionUpdate(lexicon={}))
    assert (cleared.lexicon, cleared.markup, cleared.normalize) == ((), True, True)


def test_a_lexicon_that_is_wrong_says_what_is() -> None:
    offer = replace(OFFER, check_lexicon=_wrong)
    with pytest.raises(InvalidMessageError, match=r"^lexicon: 1 entries are too many$") as caught:
        after(SessionStart(lexicon={"a": "b"}), offer=offer)
    assert caught.value.code == ErrorCode.INVALID_MESSAGE


def _wrong(entries: Mapping[str, str]) -> str | None:
    return f"{len(entries)} entries are too many"


def test_a_context_may_have_settings_of_its_own() -> None:
    session = after(SessionStart(voice="bruno", speed=0.5))
    opening = ContextOpen("a", voice="anna", language="en", speed=2.0, seed=3, buffer="manual")
    assert OFFER.context_settings(opening, session) == ContextSettings(
        VoiceSettings("anna", "en", 3, "manual", 2.0), OPUS
    )


@pytest.mark.parametrize(
    ("session", "opening", "voice", "language"),
    [
        (SessionStart(), ContextOpen(language="zh"), "chen", "zh"),
        (SessionStart(language="zh"), ContextOpen(), "chen", "zh"),
        (SessionStart(language="zh"), ContextOpen(language="pt-BR"), "paula", "pt"),
        (SessionStart(voice="bruno"), ContextOpen(voice="chen"), "chen", "zh"),
        (SessionStart(language="de"), ContextOpen(voice="bruno"), "bruno", "de"),
    ],
)
def test_the_voice_of_a_context_follows_its_language(
    session: SessionStart, opening: ContextOpen, voice: str, language: str
) -> None:
    settings = MANY.context_settings(opening, after(session, offer=MANY))
    assert settings.voice == VoiceSettings(voice, language)


@pytest.mark.parametrize(
    ("session", "opening", "says"),
    [
        (SessionStart(voice="bruno"), ContextOpen(language="zh"), "'bruno' does not speak 'zh'"),
        (SessionStart(language="zh"), ContextOpen(voice="anna"), "'anna' does not speak 'zh'"),
        (SessionStart(), ContextOpen(language="ja"), INSTALL),
    ],
)
def test_the_voice_and_the_language_of_a_context_must_go_together(
    session: SessionStart, opening: ContextOpen, says: str
) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        MANY.context_settings(opening, after(session, offer=MANY))
    assert caught.value.code == ErrorCode.UNKNOWN_LANGUAGE
    assert says in caught.value.message


# -- words about how to speak -------------------------------------------------------------------------------

#: A voice that may be told how to speak, and one that has to be; the default takes no such words.
CLARA = Voice("clara", ("en",), "qwen3", instruct="optional")
DESIGN = Voice("design", ("en", "de"), "qwen3", instruct="required")
TOLD = replace(OFFER, voices={**OFFER.voices, "clara": CLARA, "design": DESIGN})


def told(opening: ContextOpen, *session: SessionStart | SessionUpdate, offer: Offer = TOLD) -> str:
    """What the engine is told about how to speak."""
    return offer.context_settings(opening, after(*session, offer=offer)).voice.instruct


def not_told(
    opening: ContextOpen, *session: SessionStart | SessionUpdate, offer: Offer = TOLD
) -> InvalidMessageError:
    with pytest.raises(InvalidMessageError) as caught:
        told(opening, *session, offer=offer)
    assert caught.value.param == "instruct"
    return caught.value


def test_words_about_how_to_speak_reach_a_voice_that_takes_them() -> None:
    for voice in ("clara", "design"):
        assert told(ContextOpen(voice=voice, instruct=" softly\n")) == "softly"
        assert told(ContextOpen(), SessionStart(voice=voice, instruct="softly")) == "softly"
        assert told(ContextOpen(instruct="loud"), SessionStart(voice=voice, instruct="softly")) == "loud"
    assert told(ContextOpen(voice="clara")) == ""
    assert told(ContextOpen(instruct=""), SessionStart(voice="clara", instruct="softly")) == ""
    changed = SessionUpdate(instruct="loud")
    assert told(ContextOpen(), SessionStart(voice="clara", instruct="softly"), changed) == "loud"
    unchanged = SessionUpdate(speed=2.0)
    assert told(ContextOpen(), SessionStart(voice="clara", instruct="softly"), unchanged) == "softly"


def test_a_voice_that_takes_no_such_words_says_so() -> None:
    said = "voice 'anna' of the engine 'tone' takes no instructions: leave them out"
    refusals = [
        not_told(ContextOpen(instruct="softly")),
        not_told(ContextOpen(voice="anna", language="de"), SessionStart(voice="clara", instruct="softly")),
        not_told(ContextOpen(), SessionStart(instruct="softly")),
        not_told(ContextOpen(), SessionStart(voice="clara", instruct="softly"), SessionUpdate(voice="anna")),
    ]
    assert {(error.code, error.message) for error in refusals} == {(ErrorCode.UNSUPPORTED, said)}
    assert told(ContextOpen(instruct="")) == told(ContextOpen(instruct=" \n ")) == told(ContextOpen()) == ""
    named = not_told(ContextOpen(instruct="softly"), offer=replace(TOLD, model="Q/Small"))
    assert named.message == "voice 'anna' of the model Q/Small takes no instructions: leave them out"


def test_a_voice_that_needs_such_words_says_so_when_it_is_to_speak() -> None:
    for opening in (ContextOpen(), ContextOpen(instruct=""), ContextOpen(instruct="  ")):
        error = not_told(opening, SessionStart(voice="design"))
        assert error.code == ErrorCode.INVALID_MESSAGE
        assert "voice 'design' of the engine 'tone' needs instructions, which describe it" in error.message
    # A session may leave it to its contexts.
    assert told(ContextOpen(instruct="an old man"), SessionStart(voice="design")) == "an old man"
    assert (
        told(ContextOpen(instruct="an old man"), SessionStart(voice="design", instruct=" ")) == "an old man"
    )


def test_such_words_have_an_end() -> None:
    longest = "x" * MAX_INSTRUCT
    assert told(ContextOpen(voice="clara", instruct=f"  {longest} ")) == longest
    for error in (
        not_told(ContextOpen(voice="clara", instruct=longest + "y")),
        not_told(ContextOpen(), SessionStart(voice="clara", instruct=longest + "y")),
    ):
        assert error.code == ErrorCode.INVALID_MESSAGE
        assert error.message == "instructions of 2001 characters; 2000 are allowed"


# -- where there are only cloned voices ---------------------------------------------------------------------


def test_a_cloned_voice_speaks_where_there_is_no_other() -> None:
    assert who(CLONED_ONLY, "clone-1", "auto") == (DORA, "fr")
    assert who(CLONED_ONLY, "clone-1", "en-GB") == (DORA, "en")
    for session, opening in (
        (SessionStart(voice="clone-1"), ContextOpen()),
        (SessionStart(), ContextOpen(voice="clone-1")),
        (SessionStart(voice="alloy", language="en"), ContextOpen(voice="clone-1")),
    ):
        voice = CLONED_ONLY.context_settings(opening, after(session, offer=CLONED_ONLY)).voice
        assert (voice.voice, voice.reference) == ("clone-1", DORA.reference)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (None, f"no voice was named; {HOW}"),
        ("alloy", f"no voice was named; {HOW}"),
        ("DEFAULT", f"no voice was named; {HOW}"),
        ("nobody", f"voice 'nobody' is not known; {HOW}"),
    ],
)
@pytest.mark.parametrize("language", ["auto", "en", "sv"])
def test_who_names_no_cloned_voice_is_told_how_to_get_one(name: str | None, said: str, language: str) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        CLONED_ONLY.speaker(name, language)
    assert (caught.value.code, caught.value.message) == (ErrorCode.UNKNOWN_VOICE, said)


def test_a_session_need_not_name_one_but_no_wrong_one_either() -> None:
    settings = after(SessionStart(language="xx", speed=2.0), offer=CLONED_ONLY)
    assert settings.speed == 2.0
    with pytest.raises(InvalidMessageError, match="voice 'nobody' is not known"):
        after(SessionStart(voice="nobody"), offer=CLONED_ONLY)
    with pytest.raises(InvalidMessageError, match="does not speak 'de'"):
        after(SessionStart(voice="clone-1", language="de"), offer=CLONED_ONLY)


# -- words about it -----------------------------------------------------------------------------------------


def test_only_one_name_is_no_context() -> None:
    check_context_id("**")
    with pytest.raises(InvalidMessageError, match="only in `cancel`"):
        check_context_id("*")


def test_a_value_is_not_shown_without_end() -> None:
    assert shown("x" * 64) == repr("x" * 64)
    assert shown("x" * 65) == repr("x" * 64 + "…")
