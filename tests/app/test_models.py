"""The engine that runs a model of one's own choice: what is known of it when the server starts."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from realtime.app import FEATURES, models
from realtime.app.building import make_engine, make_offer, sound_revision
from realtime.app.models import Model, make_model
from realtime.config import Config
from realtime.engines.engine import EngineSettings, ModelSettings
from realtime.engines.process import ProcessEngine
from realtime.errors import ConfigError
from realtime.types import LANGUAGES
from realtime.voices.catalogue import OPENAI_NAMES
from tests.app.pretending import write_settings

QWEN3 = Config(engine="qwen3", port=0)


def model_of(config: Config = QWEN3) -> Model:
    model = make_model(config)
    assert model is not None
    return model


@pytest.mark.parametrize("engine", ["embedded", "tone"])
def test_other_engines_have_no_model(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is anything looked for."""
    monkeypatch.setattr(models, "find_spec", None)
    assert make_model(Config(engine=engine)) is None


def test_all_settings_reach_the_engine() -> None:
    config = replace(
        QWEN3,
        model_device="cuda:1",
        model_dtype="float16",
        attention="flash",
        max_batch_size=5,
        max_new_tokens=77,
        torch_compile=True,
    )
    settings = model_of(config).settings
    assert settings == ModelSettings(config.model_id, "cuda:1", "float16", "flash", 5, 77, True)
    there = msgspec.json.decode(msgspec.json.encode(EngineSettings(model=settings)), type=EngineSettings)
    assert there.model == settings, "they go to the engine's process as JSON"
    assert model_of(config).capabilities.batch == 5


def test_a_folder_is_named_without_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is, is known to the engine alone, and wherever that runs."""
    write_settings(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    model = model_of(replace(QWEN3, model_id="mine"))
    assert (model.name, model.settings.model_id) == ("mine", str(tmp_path / "mine"))
    assert model_of().name == model_of().settings.model_id == Config().model_id


def test_without_the_extra_the_start_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        models, "find_spec", lambda name: None if name == "torch" else importlib.util.find_spec(name)
    )
    with pytest.raises(ConfigError) as caught:
        make_model(QWEN3)
    assert caught.value.message == (
        'ENGINE=qwen3 needs the optional extra "qwen3", of which torch is missing:'
        ' pip install "realtime-voice[qwen3]", or `make qwen3` in a checkout'
    )


def test_a_wrong_model_is_told_with_its_setting() -> None:
    with pytest.raises(ConfigError, match=r"^MODEL_ID: there is no folder '/no/such/folder'"):
        make_model(replace(QWEN3, model_id="/no/such/folder"))


def test_it_runs_in_a_process_of_its_own_whatever_was_asked_for() -> None:
    engine = make_engine(replace(QWEN3, engine_runner="thread", engine_threads=8), model_of())
    assert isinstance(engine, ProcessEngine)
    assert engine._factory == "realtime.engines.qwen3.engine:make" and engine._threads == 1
    assert engine._settings.model == model_of().settings


def test_what_its_sound_depends_on(tmp_path: Path) -> None:
    mine = str(write_settings(tmp_path / "mine"))
    configs = [
        QWEN3,
        replace(QWEN3, model_dtype="float32"),
        replace(QWEN3, max_new_tokens=5),
        replace(QWEN3, model_id="Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice"),
        replace(QWEN3, model_id=mine),
    ]
    told = [sound_revision(config, {}, model_of(config)) for config in configs]
    (tmp_path / "mine" / "model.safetensors").write_bytes(b"other")
    told.append(sound_revision(configs[-1], {}, model_of(configs[-1])))
    assert len(set(told)) == len(told) and "torch " in told[0]
    # How many speak at a time, and where, changes nothing.
    same = replace(QWEN3, max_batch_size=3, model_device="cpu", attention="sdpa")
    assert sound_revision(same, {}, model_of(same)) == told[0]


def test_the_default_model_offers_the_nine_voices() -> None:
    offer = make_offer(QWEN3, model=model_of())
    assert set(offer.voices) == {
        *("ryan", "aiden", "vivian", "serena", "uncle_fu", "dylan", "eric", "ono_anna", "sohee")
    }
    assert offer.default_voice == "ryan" and offer.model == Config().model_id
    assert offer.voice("Uncle_Fu").languages == ("zh", *(each for each in LANGUAGES if each != "zh"))
    assert "instruct" not in offer.features and set(FEATURES) - set(offer.features) == {"instruct"}
    for name in (*OPENAI_NAMES, "default", None):
        speaking = offer.speaker(name, "auto")
        assert (speaking.voice.id, speaking.language) == ("ryan", "en")
        assert dict(speaking.auto_voices) == dict.fromkeys(LANGUAGES, "ryan")


def test_a_model_of_ones_own_offers_its_voices(tmp_path: Path) -> None:
    write_settings(tmp_path / "mine", size="1b7")
    offer = make_offer(QWEN3, model=model_of(replace(QWEN3, model_id=str(tmp_path / "mine"))))
    assert list(offer.voices) == ["ryan", "vivian", "zoe"]
    assert offer.voice("zoe").languages == ("en", "zh") and offer.voice("vivian").languages == ("zh", "en")
    assert offer.voice("zoe").instruct == "optional" and "instruct" in offer.features


def test_models_without_a_voice_and_with_one_that_is_described(tmp_path: Path) -> None:
    write_settings(tmp_path / "base", "base")
    base = make_offer(QWEN3, model=model_of(replace(QWEN3, model_id=str(tmp_path / "base"))))
    assert (dict(base.voices), base.default_voice, base.default) == ({}, None, None)
    assert "instruct" not in base.features
    write_settings(tmp_path / "design", "voice_design", "1b7")
    design = make_offer(QWEN3, model=model_of(replace(QWEN3, model_id=str(tmp_path / "design"))))
    assert design.default is not None and design.default.id == "design"
    assert design.default.instruct == "required" and "instruct" in design.features
