"""What a client may wish, and what it gets."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from realtime.errors import ErrorCode, InvalidMessageError
from realtime.session.messages import SessionStart
from realtime.session.offer import PCM_RATES, Limits, unsupported
from realtime.types import AudioSettings
from tests.session.test_session import ANNA, BRUNO, OFFER


def test_limits_are_those_of_the_protocol() -> None:
    assert Limits() == Limits(2**20, 2**14, 2**16, 16, 300.0, 30.0)


def test_limits_are_reported_as_they_are() -> None:
    report = Limits(1, 2, 3, 4, 5.5, 6.5).report()
    assert (report.message_bytes, report.text_bytes_per_message, report.text_bytes_per_context) == (1, 2, 3)
    assert (report.contexts, report.idle_s, report.resume_window_s) == (4, 5.5, 6.5)


@pytest.mark.parametrize("name", ["anna", "ANNA", "default", "Default"])
def test_a_voice_has_many_names(name: str) -> None:
    assert OFFER.voice(name, "bruno") is ANNA


def test_a_voice_that_was_left_out_is_the_fallback() -> None:
    assert OFFER.voice(UNSET, "bruno") is BRUNO


@pytest.mark.parametrize("name", ["nobody", "", " anna", "anna\n", "ánna", "x" * 10_000])
def test_an_unknown_voice_is_told_with_those_that_are_known(name: str) -> None:
    with pytest.raises(InvalidMessageError, match=r"known: anna, bruno$") as caught:
        OFFER.voice(name, "anna")
    assert caught.value.code == ErrorCode.UNKNOWN_VOICE


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
    assert OFFER.language(wanted, ANNA) == language


def test_auto_is_the_voices_own_language() -> None:
    assert OFFER.language("auto", BRUNO) == "de"


@pytest.mark.parametrize("wanted", ["fr", "", "-", "english", "eng", "-en", "e", "auto-x", "*"])
def test_an_unknown_language_is_told_with_those_that_are_spoken(wanted: str) -> None:
    with pytest.raises(InvalidMessageError, match=r"it speaks: en, de$") as caught:
        OFFER.language(wanted, ANNA)
    assert caught.value.code == ErrorCode.UNKNOWN_LANGUAGE


@pytest.mark.parametrize(
    ("wish", "audio"),
    [
        ({}, AudioSettings("opus", 48_000, 20, 32_000)),
        ({"formats": ["opus"]}, AudioSettings("opus", 48_000, 20, 32_000)),
        ({"formats": ["x", "pcm_s16le", "opus"]}, AudioSettings("pcm_s16le", 24_000, 20, 32_000)),
        ({"formats": ["opus", "pcm_s16le"]}, AudioSettings("opus", 48_000, 20, 32_000)),
        ({"bitrate": 6_000}, AudioSettings("opus", 48_000, 20, 6_000)),
        ({"sample_rate": 8_000}, AudioSettings("opus", 48_000, 20, 32_000)),
        ({"formats": ["pcm_s16le"], "sample_rate": 24_000}, AudioSettings("pcm_s16le", 24_000, 20, 32_000)),
        ({"frame_ms": 20}, AudioSettings("opus", 48_000, 20, 32_000)),
    ],
)
def test_the_first_known_format_is_chosen(wish: dict[str, Any], audio: AudioSettings) -> None:
    assert OFFER.audio(SessionStart(**wish)) == audio


@pytest.mark.parametrize("formats", [["mp3"], ["OPUS"], ["", "opus "], ["pcm"]])
def test_no_known_format(formats: list[str]) -> None:
    assert OFFER.audio(SessionStart(formats=formats)) is None


@pytest.mark.parametrize("rate", [rate for rate in PCM_RATES if rate != 24_000])
def test_rates_that_the_contract_allows_are_not_served_yet(rate: int) -> None:
    with pytest.raises(InvalidMessageError, match=r"supported: 24000$") as caught:
        OFFER.audio(SessionStart(formats=["pcm_s16le"], sample_rate=rate))
    assert caught.value.code == ErrorCode.UNSUPPORTED


@pytest.mark.parametrize("rate", [0, -24_000, 22_050, 44_100, 96_000])
def test_other_rates_are_wrong(rate: int) -> None:
    with pytest.raises(InvalidMessageError, match="8000, 16000, 24000, 48000") as caught:
        OFFER.audio(SessionStart(formats=["pcm_s16le"], sample_rate=rate))
    assert caught.value.code == ErrorCode.INVALID_MESSAGE


@pytest.mark.parametrize("frame_ms", [40, 60])
def test_longer_frames_are_not_served_yet(frame_ms: Any) -> None:
    with pytest.raises(InvalidMessageError, match=r"supported: 20$") as caught:
        OFFER.audio(SessionStart(frame_ms=frame_ms))
    assert caught.value.code == ErrorCode.UNSUPPORTED


def test_what_is_unsupported_says_what_is() -> None:
    error = unsupported("`this`", "that")
    assert error.code == ErrorCode.UNSUPPORTED
    assert error.message == "`this` is not supported by this server yet; supported: that"
