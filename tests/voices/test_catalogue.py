"""Names of voices, and which of them are there."""

from __future__ import annotations

import pytest

from realtime.types import Voice
from realtime.voices import catalogue
from realtime.voices.catalogue import ENGINES, VOICES, by_name, is_installed, table, voices_of

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
    assert names["default"].id == "heart" and names["de"].id == "espeak-de"
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
    assert set(missing) == {"kokoro-ja", "kokoro-ja-male"} and '"japanese"' in missing["kokoro-ja"]
