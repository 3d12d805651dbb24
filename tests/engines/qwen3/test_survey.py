"""What is found out of a machine and a model without loading it; on this machine's torch, without a GPU."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from bench.qwen3.models import PUBLISHED, codec_shapes, talker_shapes
from realtime.doctor import gpu, voice
from realtime.engines.engine import ModelSettings
from realtime.engines.qwen3.codec import Codec
from realtime.engines.qwen3.held import held_bytes
from realtime.engines.qwen3.loader import POSITIONS
from realtime.engines.qwen3.memory import PREFIX_POSITIONS, SHARE, WORKING_CPU
from realtime.engines.qwen3.step import decoder_bytes
from realtime.engines.qwen3.surveyor import survey
from realtime.engines.qwen3.talker import Talker
from tests.doctor.looking import look, only

META = torch.device("meta")


def test_a_checkpoint_on_this_machine(custom_voice: Path) -> None:
    found = survey(ModelSettings(str(custom_voice), device="cpu", max_batch_size=4))
    assert (found.device, found.dtype, found.attention) == ("CPU", "float32", "sdpa")
    assert found.folder == str(custom_voice) and found.files_error == "" and found.counted
    assert WORKING_CPU < found.need < found.free
    more = survey(ModelSettings(str(custom_voice), device="cpu", max_batch_size=8))
    assert more.need > found.need


def test_a_device_that_is_not_there(custom_voice: Path) -> None:
    found = survey(ModelSettings(str(custom_voice), device="cuda:7"))
    assert found.place_error.startswith("MODEL_DEVICE is cuda:7, but there ") and not found.need


def test_files_that_are_damaged(custom_voice: Path, tmp_path: Path) -> None:
    for path in custom_voice.rglob("*"):
        if path.is_file() and path.name != "model.safetensors":
            copy = tmp_path / path.relative_to(custom_voice)
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(path.read_bytes())
    found = survey(ModelSettings(str(tmp_path), device="cpu"))
    assert "model.safetensors" in found.files_error and not found.need


@pytest.mark.parametrize(("size", "once"), [("0.6B", 4.2), ("1.7B", 9.0)])
def test_published_models_that_are_not_here(
    size: str, once: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is fetched, and the estimate is that of the real sizes, counted as for files that are here."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    name = f"Qwen/Qwen3-TTS-12Hz-{size}-CustomVoice"
    found = survey(ModelSettings(name, device="cpu", max_batch_size=32))
    assert found.folder == "" and found.files_error == f"the model {name!r} is not wholly on this machine"
    assert not found.counted and list(tmp_path.iterdir()) == []
    config, dtype = PUBLISHED[size], torch.float32
    weights = {key: torch.empty(shape, device=META) for key, shape in talker_shapes(config).items()}
    sound = {key: torch.empty(shape, device=META) for key, shape in codec_shapes(config.codec).items()}
    talker = Talker.from_state(config, weights, META, dtype)
    codec = Codec.from_state(config.codec, sound, 1, META, dtype)
    none, one = (decoder_bytes(config, rows, POSITIONS, dtype, PREFIX_POSITIONS) for rows in (0, 1))
    row = one - none + codec.row_bytes
    real = none + held_bytes([talker, codec]) - codec.row_bytes + WORKING_CPU + 32 * row
    assert found.need == pytest.approx(real / SHARE, rel=0.02)
    assert (none + held_bytes([talker, codec])) / 1e9 == pytest.approx(once, rel=0.1)


def test_the_doctor_on_a_tiny_checkpoint(custom_voice: Path, tmp_path: Path) -> None:
    """It is looked at, loaded and spoken with, each in a process of its own, as `doctor` does it."""
    settings = {
        "ENGINE": "qwen3",
        "MODEL_ID": str(custom_voice),
        "MODEL_DEVICE": "cpu",
        "MAX_BATCH_SIZE": "2",
        "MAX_NEW_TOKENS": "12",
        "DATA_FOLDER": str(tmp_path / "data"),
    }
    found = look(gpu.model, **os.environ, **settings)
    assert only(found, "model").found == f"{custom_voice}: {custom_voice}"
    assert only(found, "where it runs").state == "warn"
    assert "CPU, float32" in only(found, "where it runs").found
    assert "by the headers of its files" in only(found, "model's memory").found
    loads, speaks = look(voice.speaks, **os.environ, **settings)
    assert loads.state == "ok" and loads.found.startswith("the engine qwen3, in ")
    assert speaks.name == "speaks ryan" and speaks.found.startswith("en: first sound after ")
    assert not (tmp_path / "data").exists()


def test_the_doctor_without_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not try to speak with what it would have to fetch."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    (found,) = look(voice.speaks, ENGINE="qwen3")
    assert found.state == "info" and found.found == "not tried: the model is not on this machine"
