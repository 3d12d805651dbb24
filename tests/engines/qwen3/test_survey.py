"""What is found out of a machine and a model without loading it; on this machine's torch, without a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bench.qwen3.models import PUBLISHED, codec_shapes, talker_shapes
from realtime.engines.engine import ModelSettings
from realtime.engines.qwen3.codec import Codec
from realtime.engines.qwen3.held import held_bytes
from realtime.engines.qwen3.loader import POSITIONS
from realtime.engines.qwen3.memory import PREFIX_POSITIONS, SHARE, WORKING_CPU
from realtime.engines.qwen3.step import decoder_bytes
from realtime.engines.qwen3.surveyor import survey
from realtime.engines.qwen3.talker import Talker

ROOT = Path(__file__).parents[3]
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
    """The whole of it, as it is typed: it loads the model on the CPU, and it speaks."""
    done = subprocess.run(
        [sys.executable, "-m", "realtime", "doctor", "--json"],
        env=os.environ
        | {
            "ENGINE": "qwen3",
            "MODEL_ID": str(custom_voice),
            "MODEL_DEVICE": "cpu",
            "MAX_BATCH_SIZE": "2",
            "MAX_NEW_TOKENS": "12",
            "DATA_FOLDER": str(tmp_path / "data"),
            "PORT": "0",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    told = {each["name"]: each for each in json.loads(done.stdout)["findings"]}
    assert done.returncode == 0, done.stdout
    assert told["model"]["found"] == f"{custom_voice}: {custom_voice}"
    assert told["where it runs"]["state"] == "warn" and "CPU, float32" in told["where it runs"]["found"]
    assert "by the headers of its files" in told["model's memory"]["found"]
    assert told["loads"]["found"].startswith("the engine qwen3, in ")
    assert told["speaks ryan"]["found"].startswith("en: first sound after ")
    assert not (tmp_path / "data").exists()
