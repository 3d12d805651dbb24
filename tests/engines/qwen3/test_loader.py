"""From a name to a model that speaks; and what is said of one that cannot."""

from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from realtime.engines.engine import ModelSettings
from realtime.engines.qwen3 import loader, memory
from realtime.engines.qwen3.configuration import ModelKind
from realtime.engines.qwen3.devices import Place
from realtime.engines.qwen3.loader import Model, batch_sizes, load
from realtime.engines.qwen3.memory import Need
from realtime.errors import EngineError
from tests.engines.qwen3.conftest import Checkpoints, References
from tests.engines.qwen3.decoding import decoded, utterance
from tests.engines.qwen3.reference import clone_prompt, decode_codes, greedy_codes, recording

POSITIONS = 128
TEXT = "A model that was loaded speaks."
VOICE: dict[ModelKind, dict[str, Any]] = {
    "custom_voice": {"speaker": "ryan"},
    "base": {},
    "voice_design": {"instruct": "A calm voice."},
}


def silent(what: str, fraction: float) -> None:
    """Progress that nobody watches."""


def loaded(folder: Path, batch: int = 2, rows: int | None = 3) -> Model:
    settings = ModelSettings(str(folder), device="cpu", max_batch_size=batch)
    return load(settings, silent, positions=POSITIONS, most_rows=rows)


@pytest.mark.parametrize("size", ["1b7", "0b6"])
@pytest.mark.parametrize("kind", list(VOICE))
def test_a_loaded_model_speaks_as_the_reference(
    checkpoints: Checkpoints, references: References, kind: ModelKind, size: Any
) -> None:
    model, reference = loaded(checkpoints(kind, size)), references(kind, size)
    assert (model.config.kind, model.config.size) == (kind, size)
    assert (model.decoder.rows, model.codec.rows, model.decoder.positions) == (3, 3, POSITIONS)
    assert model.decoder.batch_sizes == (1, 2)
    assert [token.id for token in model.tokenizer.encode("Hi!")] == (
        reference.processor.tokenizer("Hi!")["input_ids"]
    )
    voice = dict(VOICE[kind])
    if kind == "base":
        assert model.encoder is not None
        voice["clone"] = clone_prompt(reference, recording())
        encoded = model.encoder.encode(recording())
        assert np.allclose(encoded.speaker, voice["clone"][0].ref_spk_embedding.numpy(), atol=1e-4)
    else:
        assert model.encoder is None
    spoken = utterance(reference, model.config, TEXT, **voice)
    codes = decoded(model.decoder, spoken, 10, row=2)
    assert np.array_equal(codes, greedy_codes(reference, TEXT, frames=10, **voice))
    model.codec.reset(2)
    sound = model.codec.decode([2], torch.from_numpy(codes)[None]).numpy()[0]
    assert np.abs(sound - decode_codes(reference, codes)).max() < 2e-5


def test_progress_is_told(custom_voice: Path) -> None:
    told: list[tuple[str, float]] = []
    settings = ModelSettings(str(custom_voice), device="cpu", max_batch_size=1)
    load(settings, lambda *what: told.append(what), positions=POSITIONS)
    fractions = [fraction for what, fraction in told if what == "loading"]
    assert fractions == sorted(fractions)
    assert 0 < fractions[0] < 0.2
    assert fractions[-1] == 1.0
    # Not by the last line alone: nearly all that is read is counted.
    assert 0.95 < fractions[-2] <= 1.0


def test_names_tell_models_apart(custom_voice: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(custom_voice, folder)
    first = loaded(folder).name
    assert first.startswith(str(folder))
    assert loaded(folder).name == first
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {"more": torch.zeros(1)}, folder / "model.safetensors")
    assert loaded(folder).name != first


def tensor_bytes() -> int:
    """Of all tensors that there are; views share what they show."""
    gc.collect()
    storages = {
        each.untyped_storage().data_ptr(): each.untyped_storage().nbytes()
        for each in gc.get_objects()
        if type(each) in (torch.Tensor, torch.nn.Parameter) and not each.is_meta  # not torch.compile's
    }
    return sum(storages.values())


@pytest.mark.parametrize("kind", list(VOICE))
def test_what_it_takes_is_known_before(checkpoints: Checkpoints, kind: ModelKind) -> None:
    needs: list[Need] = []
    needed = loader.needed

    def keep(*args: Any) -> Need:
        needs.append(needed(*args))
        return needs[-1]

    before = tensor_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loader, "needed", keep)
        model = loaded(checkpoints(kind, "1b7"), rows=40)
    taken = tensor_bytes() - before
    (need,) = needs
    expected = need.once - memory.WORKING_CPU + 40 * need.row
    assert model.decoder.rows == 40
    assert expected == pytest.approx(taken, rel=0.01)
    # Of that a good part are the rows, so their share is right as well.
    assert 40 * need.row > 0.2 * taken


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of weights that are read from now on."""
    names: list[str] = []
    read = loader.Tensors.__getitem__

    def reading(tensors: loader.Tensors, name: str) -> torch.Tensor:
        names.append(name)
        return read(tensors, name)

    monkeypatch.setattr(loader.Tensors, "__getitem__", reading)
    return names


def test_as_many_rows_as_memory_allows() -> None:
    need = Need(once=1000, row=100)
    assert need.rows(free=10_000, least=2, most=16) == 16
    assert need.rows(free=2_000, least=2, most=16) == 8
    assert need.rows(free=1_334, least=2, most=16) == 2
    with pytest.raises(EngineError, match="2 utterances at once with this model need"):
        need.rows(free=1_332, least=2, most=16)


def test_little_memory_leaves_fewer_rows_and_too_little_none(
    custom_voice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 0
    monkeypatch.setattr(loader, "free_memory", lambda device: free)
    reads = count_reads(monkeypatch)
    with pytest.raises(EngineError) as error:
        loaded(custom_voice, batch=4, rows=None)
    assert "and 0.0 GB are free; set a smaller MAX_BATCH_SIZE or MODEL_ID" in str(error.value)
    assert "4 utterances at once with this model need 0.3 GB of memory" in str(error.value)
    # Nothing of it was read.
    assert reads == []

    config = loader.read_config(custom_voice)
    place = loader.choose_place("cpu", "auto", "auto")
    with loader.Tensors(custom_voice) as tensors, loader.Tensors(custom_voice / "speech_tokenizer") as codec:
        need = loader.needed(config, tensors, codec, place, POSITIONS, 4)
    free = int((need.once + 5 * need.row) / 0.9) + 1
    assert loaded(custom_voice, batch=4, rows=None).decoder.rows == 5
    assert reads != []
    free *= 100
    assert loaded(custom_voice, batch=4, rows=None).decoder.rows == 4 * loader.ROWS_PER_PLACE


def test_what_is_not_counted_grows_with_what_a_step_holds() -> None:
    half, whole = (
        Place(torch.device("cuda"), dtype, "triton", "", True) for dtype in (torch.bfloat16, torch.float32)
    )
    # What was measured with 64 in 16 bits, and not much more.
    assert 6.8e9 < memory.working_bytes(half, 64) < 7.5e9
    assert 2 * 5.3e9 < memory.working_bytes(whole, 64) < 2 * 7.5e9
    # The smaller model, of 2.1 GB, speaks for one on a card of 6 GB, and for 32 on one of 16 GB.
    for places, free in ((1, 6e9), (32, 16e9)):
        need = Need(int(2.1e9) + memory.working_bytes(half, places), int(240e6))
        assert need.rows(int(free), places, 8 * places) >= places
    cpu = Place(torch.device("cpu"), torch.float32, "sdpa", "", False)
    assert memory.working_bytes(cpu, 64) == memory.WORKING_CPU


@pytest.mark.parametrize(
    ("most", "sizes"), [(1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (8, (1, 2, 4, 8)), (12, (1, 2, 4, 8, 12))]
)
def test_sizes_of_steps(most: int, sizes: tuple[int, ...]) -> None:
    assert batch_sizes(most) == sizes


def edit(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def reshape(path: Path, name: str) -> None:
    weights = load_file(path)
    save_file(weights | {name: weights[name][:-1].contiguous()}, path)


#: What is done to a checkpoint, and what is said of it.
DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda f: (f / "config.json").unlink(), r"config\.json cannot be read: No such file"),
    "config cut off": (lambda f: cut(f / "config.json"), r"config\.json is not what a Qwen3-TTS model has"),
    "another tokenizer": (
        lambda f: edit(f / "config.json", tokenizer_type="qwen3_tts_tokenizer_25hz"),
        "only 12 Hz models can be used",
    ),
    "another kind": (lambda f: edit(f / "config.json", tts_model_type="omni"), "it must be one of"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), r"model\.safetensors is missing"),
    "weights cut off": (lambda f: cut(f / "model.safetensors"), "is damaged or was cut off"),
    "no codec": (
        lambda f: shutil.rmtree(f / "speech_tokenizer"),
        "speech_tokenizer/config.json cannot be read",
    ),
    "codec cut off": (
        lambda f: cut(f / "speech_tokenizer" / "model.safetensors"),
        r"speech_tokenizer/model\.safetensors is damaged or was cut off",
    ),
    "no vocabulary": (lambda f: (f / "vocab.json").unlink(), r"vocab\.json"),
    "says that it clones": (
        lambda f: edit(f / "config.json", tts_model_type="base"),
        r"lacks the weight speaker_encoder\.",
    ),
    "a weight is smaller": (
        lambda f: reshape(f / "model.safetensors", "talker.codec_head.weight"),
        r"talker\.codec_head\.weight .*3071",
    ),
    "a weight of the codec is smaller": (
        lambda f: reshape(f / "speech_tokenizer" / "model.safetensors", "decoder.pre_conv.conv.bias"),
        r"decoder\.pre_conv\.conv\.bias .*47",
    ),
    "files of two models": (
        lambda f: shutil.copy(f / "speech_tokenizer" / "model.safetensors", f / "model.safetensors"),
        r"lacks the weight talker\.",
    ),
}


@pytest.mark.parametrize("damage", list(DAMAGE))
def test_a_checkpoint_that_cannot_be_used(
    custom_voice: Path, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(custom_voice, folder)
    change, expected = DAMAGE[damage]
    change(folder)
    reads = count_reads(monkeypatch)
    with pytest.raises(EngineError, match=expected) as error:
        loaded(folder)
    assert "\n" not in str(error.value)
    # Nothing is left half loaded: not a weight was read.
    assert reads == []


def test_no_memory_after_all(custom_voice: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore lines")

    monkeypatch.setattr(loader.Codec, "from_state", full)
    monkeypatch.setattr(loader, "needed", lambda *args: Need(0, 1))
    with pytest.raises(EngineError, match=r"too little memory for this model: CUDA out of memory") as error:
        loaded(custom_voice)
    assert "\n" not in str(error.value)


def test_no_gpu(custom_voice: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EngineError, match="MODEL_DEVICE is cuda, but there is no CUDA"):
        load(ModelSettings(str(custom_voice), device="cuda"), silent)
