"""What a model can do is known by its name or its files, before anything of it is loaded."""

from __future__ import annotations

import os
from pathlib import Path

import huggingface_hub
import pytest

from realtime.engines.qwen3 import description
from realtime.engines.qwen3.description import SPEAKERS, describe
from realtime.errors import EngineError
from realtime.types import LANGUAGES
from tests.app.pretending import write_settings


@pytest.mark.parametrize(
    ("name", "kind", "instruct"),
    [
        ("0.6B-CustomVoice", "custom_voice", "no"),
        ("1.7B-CustomVoice", "custom_voice", "optional"),
        ("0.6B-Base", "base", "no"),
        ("1.7B-Base", "base", "no"),
        ("1.7B-VoiceDesign", "voice_design", "required"),
    ],
)
def test_the_published_models_are_known(
    name: str, kind: str, instruct: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is fetched for that."""
    monkeypatch.setattr(description, "_fetched", None)
    for written in (f"Qwen/Qwen3-TTS-12Hz-{name}", f"qwen/qwen3-tts-12hz-{name.lower()}"):
        known = describe(written)
        assert (known.kind, known.instruct, known.languages) == (kind, instruct, LANGUAGES)
        assert known.voices == {"custom_voice": SPEAKERS, "base": (), "voice_design": ("design",)}[kind]
        assert known.cloning is (kind == "base") and known.revision == ""


def test_a_folder_is_read(tmp_path: Path) -> None:
    known = describe(str(write_settings(tmp_path / "mine")))
    assert known.speakers == known.voices == ("ryan", "vivian", "zoe")
    assert known.languages == ("en", "zh"), "dialects are no languages of their own"
    assert known.instruct == "no"
    large = describe(str(write_settings(tmp_path / "large", size="1b7")))
    assert large.instruct == "optional" and large.capabilities(8).instruct
    base = describe(str(write_settings(tmp_path / "base", "base", "1b7")))
    assert (base.voices, base.cloning, base.instruct) == ((), True, "no")
    design = describe(str(write_settings(tmp_path / "design", "voice_design", "1b7")))
    assert (design.voices, design.cloning, design.instruct) == (("design",), False, "required")


def test_what_an_engine_with_it_can_do(tmp_path: Path) -> None:
    able = describe(str(write_settings(tmp_path / "mine"))).capabilities(8)
    assert (able.name, able.voices, able.languages) == ("qwen3", ("ryan", "vivian", "zoe"), ("en", "zh"))
    assert able.sample_rate == 24_000 and able.batch == able.concurrency == 8
    assert able.tells_language and not able.cloning and not able.instruct


def test_a_folder_whose_files_change_is_another_model(tmp_path: Path) -> None:
    folder = write_settings(tmp_path / "mine")
    first = describe(str(folder))
    assert first.revision and describe(str(folder)) == first
    weights = folder / "model.safetensors"
    weights.write_bytes(b"1")
    second = describe(str(folder)).revision
    weights.write_bytes(b"12")
    os.utime(weights, ns=(5, 5))
    third = describe(str(folder)).revision
    os.utime(weights, ns=(5, 6))
    assert len({first.revision, second, third, describe(str(folder)).revision}) == 4


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "dialogue"}, "is of kind 'dialogue'; it must be one of custom_voice, base, voice_design"),
        ({"languages": ("klingon",)}, "the model speaks none of the languages english, german"),
        ({"speakers": ()}, "names no speakers"),
    ],
)
def test_what_is_no_model_for_us(tmp_path: Path, settings: dict[str, str], said: str) -> None:
    with pytest.raises(EngineError, match=said):
        describe(str(write_settings(tmp_path / "mine", **settings)))  # type: ignore[arg-type]


def test_a_folder_without_settings(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"config\.json cannot be read: No such file"):
        describe(str(tmp_path))


@pytest.mark.parametrize(
    "name", ["/no/such/folder", "./mine", "mine", "a/b/c", "~/nowhere", "a b/c", "Quäl/x"]
)
def test_what_is_neither_a_folder_nor_a_name(name: str) -> None:
    with pytest.raises(EngineError, match=r"there is no folder .* no model has such a name"):
        describe(name)


def test_the_settings_of_others_are_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing but the settings."""
    folder = write_settings(tmp_path / "fetched")
    asked = []

    def fetch(name: str, *, allow_patterns: list[str]) -> str:
        asked.append((name, allow_patterns))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    known = describe("somebody/tuned.model-1")
    assert known.speakers == ("ryan", "vivian", "zoe")
    assert asked == [
        ("somebody/tuned.model-1", ["config.json", "generation_config.json", "speech_tokenizer/config.json"])
    ]


def test_what_cannot_be_fetched_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, *, allow_patterns: list[str]) -> str:
        raise OSError("401 Client Error.\n\nRepository Not Found for url: https://x")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(EngineError) as caught:
        describe("somebody/secret")
    assert caught.value.message == (
        "the model 'somebody/secret' cannot be had from Hugging Face: 401 Client Error."
    )
