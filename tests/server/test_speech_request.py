"""What may be asked for: every field, its bounds, and what a client is told when it goes beyond them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from realtime.app import make_offer
from realtime.app.models import make_model
from realtime.audio.formats import BITRATES, FILE_RATES
from realtime.errors import ErrorCode, InvalidMessageError, RealtimeError
from realtime.server.speech_request import (
    FIELDS,
    MAX_INSTRUCTIONS,
    Shape,
    SpeechOrder,
    SpeechRequest,
    SpeechRules,
    decode,
)
from realtime.session.offer import MAX_INSTRUCT
from realtime.voices.catalogue import OPENAI_NAMES
from tests.app.pretending import write_settings
from tests.conftest import TONE

RULES = SpeechRules(make_offer(TONE), frozenset({"tts-1", "tts-1-hd", "gpt-4o-mini-tts", "tone"}))
FORMAT_NAMES = {
    "mp3": "mp3",
    "opus": "ogg_opus",
    "aac": "aac",
    "flac": "flac",
    "wav": "wav",
    "pcm": "pcm_s16le",
}


def order(shape: Shape = "audio", **given: Any) -> SpeechOrder:
    return RULES.order(decode(json.dumps({"input": "Hello.", **given}).encode()), shape)


def refusal(shape: Shape = "audio", **given: Any) -> RealtimeError:
    with pytest.raises(RealtimeError) as refused:
        order(shape, **given)
    return refused.value


def test_the_least_that_can_be_asked_for() -> None:
    asked = order()
    assert (asked.text, asked.shape, asked.words) == ("Hello.", "audio", False)
    assert (asked.voice.voice, asked.voice.speed, asked.voice.seed) == ("tone", 1.0, 0)
    assert asked.voice.normalize and asked.voice.cache and not asked.voice.markup and not asked.voice.lexicon
    assert (asked.audio.format, asked.audio.sample_rate, asked.audio.whole) == ("mp3", 24_000, False)
    assert asked.content_type == "audio/mpeg"


def test_everything_that_can_be_asked_for() -> None:
    asked = order(
        "deltas",
        model="gpt-4o-mini-tts-2025-12-15",
        voice={"id": "Tone", "name": "ignored"},
        response_format="opus",
        speed=0.5,
        instructions="Speak like a pirate.",
        stream_format="sse",
        stream=True,
        language="de-DE",
        normalize=False,
        markup=True,
        lexicon={"SQL": "sequel"},
        seed=7,
        timestamps="word",
        bitrate=32_000,
        cache=False,
        unknown={"is": "ignored"},
    )
    assert (asked.shape, asked.words) == ("deltas", True)
    voice = asked.voice
    assert (voice.voice, voice.language, voice.speed, voice.seed) == ("tone", "de", 0.5, 7)
    assert not voice.normalize and voice.markup and not voice.cache
    assert voice.lexicon == (("SQL", "sequel"),)
    assert (asked.audio.format, asked.audio.bitrate, asked.audio.sample_rate) == ("ogg_opus", 32_000, 48_000)


class TestInstructions:
    """An engine without a model to choose leaves them out, for OpenAI's clients send them to any voice."""

    def order(self, kind: str, size: str, folder: Path, **given: Any) -> SpeechOrder:
        write_settings(folder / "m", kind, size)
        config = replace(TONE, engine="qwen3", model_id=str(folder / "m"))
        rules = SpeechRules(make_offer(config, model=make_model(config)), frozenset())
        return rules.order(decode(json.dumps({"input": "Hello.", **given}).encode()), "audio")

    def refusal(self, kind: str, size: str, folder: Path, **given: Any) -> RealtimeError:
        with pytest.raises(RealtimeError) as refused:
            self.order(kind, size, folder, **given)
        assert refused.value.param == "instructions"
        return refused.value

    def test_they_are_left_out_where_there_is_no_model(self) -> None:
        assert order(instructions="Speak like a pirate.").voice == order().voice

    def test_a_model_that_heeds_them_is_told(self, tmp_path: Path) -> None:
        asked = self.order("custom_voice", "1b7", tmp_path, instructions=" Like a pirate. ")
        assert asked.voice.instruct == "Like a pirate."

    def test_a_model_that_needs_them_is_told(self, tmp_path: Path) -> None:
        asked = self.order("voice_design", "1b7", tmp_path, instructions="A pirate.", voice="nova")
        assert (asked.voice.voice, asked.voice.instruct) == ("design", "A pirate.")

    def test_a_model_that_leaves_them_out_says_so(self, tmp_path: Path) -> None:
        error = self.refusal("custom_voice", "0b6", tmp_path, instructions="Like a pirate.")
        assert error.code is ErrorCode.UNSUPPORTED
        assert error.message == "voice 'ryan' of the model m takes no instructions: leave them out"

    @pytest.mark.parametrize(
        "given", [{}, {"instructions": None}, {"instructions": ""}, {"instructions": " "}]
    )
    def test_a_model_that_needs_them_says_so(self, tmp_path: Path, given: dict[str, Any]) -> None:
        error = self.refusal("voice_design", "1b7", tmp_path, **given)
        assert error.code is ErrorCode.INVALID_MESSAGE and "needs instructions" in error.message

    @pytest.mark.parametrize(
        "given", [{}, {"instructions": None}, {"instructions": ""}, {"instructions": " "}]
    )
    def test_nothing_is_no_instruction(self, tmp_path: Path, given: dict[str, Any]) -> None:
        assert self.order("custom_voice", "0b6", tmp_path, **given).voice.instruct == ""

    def test_they_have_an_end(self, tmp_path: Path) -> None:
        error = self.refusal("custom_voice", "1b7", tmp_path, instructions="x" * (MAX_INSTRUCT + 1))
        assert error.message == "instructions of 2001 characters; 2000 are allowed"


def test_null_is_the_same_as_nothing() -> None:
    nothing = {field.name: None for field in fields(SpeechRequest) if field.name != "input"}
    assert order(**nothing) == order()


def test_every_field_is_explained() -> None:
    assert set(FIELDS) == {field.name for field in fields(SpeechRequest)}


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_every_format_at_every_rate(name: str) -> None:
    for rate in FILE_RATES[FORMAT_NAMES[name]]:
        audio = order(response_format=name, sample_rate=rate).audio
        assert (audio.format, audio.sample_rate) == (FORMAT_NAMES[name], rate)
    error = refusal(response_format=name, sample_rate=12_345)
    assert error.param == "sample_rate" and str(FILE_RATES[FORMAT_NAMES[name]][0]) in error.message


@pytest.mark.parametrize("name", FORMAT_NAMES)
def test_the_bitrate_of_every_format(name: str) -> None:
    if FORMAT_NAMES[name] not in BITRATES:
        error = refusal(response_format=name, bitrate=64_000)
        assert error.param == "bitrate" and "mp3, opus, aac" in error.message
        return
    lowest, usual, highest = BITRATES[FORMAT_NAMES[name]]
    assert order(response_format=name).audio.bitrate == usual
    for bitrate in (lowest, highest):
        assert order(response_format=name, bitrate=bitrate).audio.bitrate == bitrate
    for bitrate in (lowest - 1, highest + 1, 0, -1, 10**30):
        error = refusal(response_format=name, bitrate=bitrate)
        assert error.param == "bitrate" and str(lowest) in error.message
    assert refusal(response_format=name, bitrate="64000").param == "bitrate"


def test_the_default_rate_and_its_content_type() -> None:
    assert order(response_format="opus").audio.sample_rate == 48_000
    for name in ("mp3", "aac", "flac", "wav", "pcm"):
        assert order(response_format=name).audio.sample_rate == 24_000
    pcm = order(response_format="pcm", sample_rate=8_000)
    assert pcm.content_type == "audio/pcm;rate=8000;encoding=signed-integer;bits=16;channels=1"


@pytest.mark.parametrize("name", OPENAI_NAMES)
def test_openai_s_names_of_voices(name: str) -> None:
    assert order(voice=name).voice == order().voice


@pytest.mark.parametrize(
    "model", ["tts-1", "tts-1-hd", "gpt-4o-mini-tts", "tts-1-1106", "gpt-4o-mini-tts-2025-03-20", "tone"]
)
def test_models_that_are_known(model: str) -> None:
    assert order(model=model) == order()


@pytest.mark.parametrize(
    "model", ["", "gpt-5", "tts-1-", "tts-1-12345", "tts-1-2025-1-1", "../tts-1", "x" * 9999]
)
def test_models_that_are_not(model: str) -> None:
    error = refusal(model=model)
    assert (error.code, error.param) == (ErrorCode.NOT_FOUND, "model")
    assert "tts-1-hd" in error.message and len(error.message) < 300


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("input", ["a", "é", "😀"], [None, 5, "", ["a"]]),
        ("model", ["tts-1"], [5, ["tts-1"]]),
        (
            "voice",
            ["tone", {"id": "tone"}],
            [5, ["tone"], {}, {"id": 5}, {"id": None}, {"name": "tone"}, "v" * 65],
        ),
        ("response_format", [*FORMAT_NAMES], ["", "MP3", "ogg", "webm_opus", 5]),
        ("speed", [0.25, 1, 4, 4.0], [0, 0.249, 4.001, -1, "1", "fast", True, [1]]),
        ("instructions", ["", "x" * MAX_INSTRUCTIONS], ["x" * (MAX_INSTRUCTIONS + 1), 5]),
        ("stream_format", ["audio", "sse"], ["json", 1]),
        ("stream", [True, False], [0, 1, "true"]),
        ("language", ["auto", "AUTO", "en", "en-US", "pt_BR", "cmn-Hans"], [5, "e" * 65]),
        ("normalize", [True, False], [1, "no"]),
        ("markup", [True, False], [1, "no"]),
        ("lexicon", [{}, {"SQL": "sequel"}], [[], {"SQL": 5}, {"SQL": None}, "SQL", {"": "nothing"}]),
        ("seed", [0, 2**53 - 1], [-1, 2**53, 1.5, "1", True]),
        ("timestamps", ["none"], ["words", True, "word"]),
        ("sample_rate", [24_000], [0, -1, "24000", 24_000.5, 1e9]),
        ("cache", [True, False], [1, "no"]),
    ],
)
def test_the_bounds_of_every_field(name: str, inside: list[object], outside: list[object]) -> None:
    for value in inside:
        order(**{name: value})
    for value in outside:
        error = refusal(**{name: value})
        assert error.param == name and name in error.message
        assert isinstance(error, InvalidMessageError) and error.code is ErrorCode.INVALID_MESSAGE


def test_how_long_a_text_may_be_in_bytes() -> None:
    assert order(input="x" * 65_536) and order(input="😀" * 16_384)
    for text in ("x" * 65_537, "😀" * 16_385):
        error = refusal(input=text)
        assert (error.code, error.param) == (ErrorCode.TEXT_TOO_LONG, "input")
        assert "65536" in error.message


@pytest.mark.parametrize(
    "voice", ["nobody", "../../etc/passwd", "clone-" + "0" * 24, "", "tone\0", "tone\r\nX: y"]
)
def test_voices_that_are_not_known(voice: str) -> None:
    for named in (voice, {"id": voice}):
        error = refusal(voice=named)
        assert (error.code, error.param) == (ErrorCode.UNKNOWN_VOICE, "voice")
        assert "tone" in error.message


def test_languages_that_are_not_known() -> None:
    for wanted in ({"language": "tlh"}, {"language": "tlh", "voice": "tone"}, {"language": ""}):
        error = refusal(**wanted)
        assert (error.code, error.param) == (ErrorCode.UNKNOWN_LANGUAGE, "language")


def test_what_does_not_go_together() -> None:
    error = refusal(timestamps="word")
    assert error.param == "timestamps" and "sse" in error.message and "/stream" in error.message
    for shape in ("deltas", "sentences"):
        assert refusal(shape, stream=False).param == "stream"
        assert order(shape, timestamps="word").words
    assert order(stream=False).audio.whole
    assert order("sentences").audio.segment_ends and not order("deltas").audio.segment_ends


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"[]", "object"),
        (b"5", "object"),
        (b"null", "object"),
        (b'"input"', "object"),
        (b'{"input": "a"} x', "JSON"),
        (b'{"input": "a", "speed": NaN}', "`speed` must be"),
        (b'{"input": "a", "seed": -Infinity}', "`seed` must be"),
        (b'{"input": "a", "other": NaN}', "JSON"),
        (b'{"input": "a", "speed": 1e999}', "`speed` must be"),
        (b'{"input": "\\ud800"}', "surrogate"),
        (b'{"input": "\\ud800\\ud800"}', "surrogate"),
        (b'{"input": "\xed\xa0\x80"}', "UTF-8"),
        (b'{"input": "\xff"}', "UTF-8"),
        ('{"input": "a"}'.encode("utf-16"), "UTF-8"),
        (b'{"input": "a\x00"}', "JSON"),
        (b'{"x": ' + b"[" * 100_000, "deeply"),
        (b'{"input": ' + b'{"a": ' * 100_000, "`input` must be"),
    ],
)
def test_what_is_no_request(body: bytes, hint: str) -> None:
    with pytest.raises(InvalidMessageError) as refused:
        decode(body)
    assert hint in refused.value.message and len(refused.value.message) <= 400


def test_of_a_field_given_twice_the_last_counts() -> None:
    assert decode(b'{"input": "one", "input": "two"}').input == "two"


@given(
    st.binary(max_size=60)
    | st.from_regex(rb'\{"input": ?("a"|5), ?"[a-z_]{4,8}": ?[^}]{0,9}\}?', fullmatch=True)
)
def test_whatever_comes_is_a_request_or_refused(body: bytes) -> None:
    try:
        RULES.order(decode(body), "audio")
    except RealtimeError as error:
        assert error.message and error.code in (
            ErrorCode.INVALID_MESSAGE,
            ErrorCode.UNKNOWN_VOICE,
            ErrorCode.UNKNOWN_LANGUAGE,
            ErrorCode.NOT_FOUND,
        )
