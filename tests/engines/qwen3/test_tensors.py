"""The files of weights: whole, in several parts, cut off, missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from realtime.engines.qwen3.tensors import Tensors
from realtime.errors import EngineError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file with three tensors."""
    tensors = {
        "a.x": torch.arange(6.0).view(2, 3),
        "a.y": torch.ones(4),
        "b.x": torch.zeros(2, 2, dtype=torch.bfloat16),
    }
    save_file(tensors, tmp_path / "model.safetensors")
    return tmp_path


def split(folder: Path, weight_map: dict[str, str] | None = None) -> None:
    """As models with several files are."""
    whole = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    files = {name: f"model-0000{number}-of-00003.safetensors" for number, name in enumerate(whole, 1)}
    for name, file in files.items():
        save_file({name: whole[name]}, folder / file)
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {"total_size": 48}, "weight_map": files | (weight_map or {})})
    )


@pytest.mark.parametrize("in_parts", [False, True])
def test_tensors_by_name(folder: Path, in_parts: bool) -> None:
    if in_parts:
        split(folder)
    with Tensors(folder) as tensors:
        assert set(tensors) == {"a.x", "a.y", "b.x"}
        assert len(tensors) == 3
        assert "a.x" in tensors and "c" not in tensors
        assert tensors.get("c") is None
        assert torch.equal(tensors["a.x"], torch.arange(6.0).view(2, 3))
        assert tensors["b.x"].dtype == torch.bfloat16
        assert tensors.numbers("a.") == 10
        assert tensors.numbers("a.x", "b.") == 10
        outline = tensors.outline()
        assert {name: tuple(each.shape) for name, each in outline.items()} == {
            "a.x": (2, 3),
            "a.y": (4,),
            "b.x": (2, 2),
        }
        assert all(each.is_meta for each in outline.values())
    assert "a.x" not in tensors


def test_each_number_is_counted_once_when_it_is_read(folder: Path) -> None:
    with Tensors(folder) as tensors:
        counted: list[int] = []
        tensors.on_read = counted.append
        assert "a.x" in tensors and tensors.outline()
        assert counted == []
        for name in ("a.x", "a.x", "b.x"):
            assert tensors[name].numel()
        assert counted == [6, 4]


@pytest.mark.parametrize("kept", [0, 1, 7, 8, 60, 200, -1, -20])
def test_a_file_that_was_cut_off(folder: Path, kept: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(EngineError, match=r"model\.safetensors is damaged or was cut off") as error:
        Tensors(folder)
    assert "\n" not in str(error.value)


def test_what_is_no_such_file(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n" * 9)
    with pytest.raises(EngineError, match="is damaged or was cut off"):
        Tensors(folder)


def test_a_file_that_is_missing(folder: Path) -> None:
    split(folder)
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(EngineError, match=r"model-00002-of-00003\.safetensors is missing"):
        Tensors(folder)
    (folder / "model.safetensors.index.json").unlink()
    with pytest.raises(EngineError, match=r"model\.safetensors is missing"):
        Tensors(folder)


def test_an_index_that_is_wrong(folder: Path) -> None:
    split(folder, {"c": "model-00001-of-00003.safetensors"})
    with pytest.raises(EngineError, match="lacks the weight c, which its index says is there"):
        Tensors(folder)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": []}')
    with pytest.raises(EngineError, match="cannot be read"):
        Tensors(folder)


def test_an_index_does_not_lead_out_of_its_folder(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    (inner / "model.safetensors.index.json").write_text('{"weight_map": {"a.x": "../model.safetensors"}}')
    with pytest.raises(EngineError, match=r"inner/model\.safetensors is missing"):
        Tensors(inner)
