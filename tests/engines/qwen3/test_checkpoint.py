"""Tiny checkpoints bear the comparisons that rest on them: qwen-tts loads them, what should matter does."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from realtime.engines.qwen3.configuration import ModelKind, read_config
from tests.engines.qwen3.checkpoint import SPEAKERS, TEXT_VOCABULARY, Size, write_checkpoint
from tests.engines.qwen3.conftest import Checkpoints, References
from tests.engines.qwen3.reference import (
    FRAMES,
    broadcast,
    clone_prompt,
    decode_codes,
    greedy_codes,
    greedy_codes_of,
    import_reference,
    recording,
)

TEXT = "All the boats were rebuilt, and one sails tomorrow."
OTHER = "All the boats were rebuilt, and one sails tonight."
#: Frames after which the talker has heard every token of either, and some more.
HEARD = 24

KINDS: tuple[ModelKind, ...] = ("custom_voice", "base", "voice_design")
SIZES: tuple[Size, ...] = ("1b7", "0b6")


def voice_of(model: Any, *, in_context: bool = False) -> dict[str, Any]:
    """What a generation with `model` needs to be told of a voice."""
    if model.model.tts_model_type == "base":
        return {"clone": clone_prompt(model, recording(), "Hello, it is me." if in_context else None)}
    if model.model.tts_model_type == "voice_design":
        return {"instruct": "A deep and calm voice."}
    return {"speaker": "vivian"}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_checkpoint_says_of_itself(checkpoints: Checkpoints, kind: ModelKind, size: Size) -> None:
    config = read_config(checkpoints(kind, size))
    assert (config.kind, config.size) == (kind, size)
    assert config.speakers == (tuple(sorted(SPEAKERS)) if kind == "custom_voice" else ())
    assert len(config.languages) == 10
    assert config.frame_samples == 1920
    widths_differ = config.talker.hidden_size != config.talker.code_predictor_config.hidden_size
    assert widths_differ == (size == "1b7")
    weights = load_file(checkpoints(kind, size) / "model.safetensors")
    assert ("talker.code_predictor.small_to_mtp_projection.weight" in weights) == widths_differ
    assert any(name.startswith("speaker_encoder.") for name in weights) == (kind == "base")
    assert weights["talker.model.text_embedding.weight"].shape[0] == TEXT_VOCABULARY


def test_a_seed_gives_the_same_files_in_every_process_and_another_seed_others(
    custom_voice: Path, tmp_path: Path
) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.engines.qwen3.checkpoint import write_checkpoint; "
        "write_checkpoint(Path(sys.argv[1]), 'custom_voice')"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "same")], check=True, capture_output=True)
    names = sorted(path.relative_to(custom_voice) for path in custom_voice.rglob("*") if path.is_file())
    assert len(names) == 10
    for name in names:
        assert (tmp_path / "same" / name).read_bytes() == (custom_voice / name).read_bytes(), name
    write_checkpoint(tmp_path / "other", "custom_voice", seed=1)
    differing = [
        name
        for name in names
        if (tmp_path / "other" / name).read_bytes() != (custom_voice / name).read_bytes()
    ]
    assert [path.suffix for path in differing] == [".safetensors", ".safetensors"]


def test_prompts_are_cut_into_the_tokens_that_layouts_count_on(custom_voice_reference: Any) -> None:
    def tokens(text: str) -> list[str]:
        tokenizer = custom_voice_reference.processor.tokenizer
        cut: list[str] = tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])
        return cut

    assert tokens("<|im_start|>assistant\n") == ["<|im_start|>", "assistant", "Ċ"]
    assert tokens("<|im_start|>user\n") == ["<|im_start|>", "user", "Ċ"]
    assert tokens("<|im_end|>\n<|im_start|>assistant\n") == [
        "<|im_end|>",
        "Ċ",
        "<|im_start|>",
        "assistant",
        "Ċ",
    ]
    # Text is cut into words' parts, as by a real vocabulary: neither bytes nor whole words.
    cut = tokens(TEXT)
    assert len(TEXT.split()) < len(cut) < len(TEXT) / 2
    # Cut by Qwen2's rules; by those of Mistral, a capital within a word begins another.
    pretokenizer = custom_voice_reference.processor.tokenizer.backend_tokenizer.pre_tokenizer
    assert [part for part, _ in pretokenizer.pre_tokenize_str("iPhone 15")] == ["iPhone", "Ġ", "1", "5"]


@pytest.mark.parametrize("window", [None, 4])
@pytest.mark.parametrize(("queries", "before"), [(20, 0), (1, 19), (3, 17)])
def test_masks_are_those_of_transformers_without_what_makes_them_faster(
    queries: int, before: int, window: int | None
) -> None:
    import_reference()
    from transformers import masking_utils as faster

    spec = importlib.util.find_spec("transformers.masking_utils")
    assert spec is not None and spec.loader is not None
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)
    assert faster._vmap_for_bhqkv is broadcast is not plain._vmap_for_bhqkv
    padded = torch.arange(20) >= torch.tensor([[0], [5], [1]])

    def mask(module: Any, padding: torch.Tensor | None) -> Any:
        kind = module.sliding_window_causal_mask_function(window) if window else module.causal_mask_function
        return module.sdpa_mask(
            batch_size=3,
            cache_position=torch.arange(before, before + queries),
            kv_length=20,
            mask_function=kind,
            attention_mask=padding,
            allow_is_causal_skip=False,
        )

    for padding in (None, padded):
        made, expected = mask(faster, padding), mask(plain, padding)
        assert made.shape == (3, 1, queries, 20) and made.dtype == torch.bool
        assert torch.equal(made, expected) and made.any() and not (made.all() and padding is not None)


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(("kind", "size"), [*((kind, "1b7") for kind in KINDS), ("custom_voice", "0b6")])
def test_every_kind_and_layout_is_heard_word_for_word(
    references: References, kind: ModelKind, size: Size, streaming: bool
) -> None:
    model = references(kind, size)
    voice = voice_of(model)
    codes, other = greedy_codes_of(model, [TEXT, OTHER], streaming=streaming, frames=HEARD, **voice)
    assert codes.shape == (HEARD, 16)
    assert codes.min() >= 0
    assert codes.max() < 2048
    assert len(set(codes[:, 0])) > HEARD / 2
    assert np.array_equal(codes[:6], greedy_codes(model, TEXT, streaming=streaming, frames=6, **voice))
    assert not np.array_equal(codes, other)
    if streaming:
        # A frame hears the text so far, and one token each: the words before are spoken alike.
        tokens = len(model.processor.tokenizer(TEXT.removesuffix(" tomorrow."))["input_ids"])
        assert np.array_equal(codes[:tokens], other[:tokens])


def test_speakers_dialects_languages_and_instructions_are_heard(custom_voice_reference: Any) -> None:
    def codes(**voice: Any) -> bytes:
        return greedy_codes(custom_voice_reference, TEXT, frames=4, **voice).tobytes()

    heard = {
        codes(speaker="vivian"),
        codes(speaker="ryan"),
        codes(speaker="eric"),
        codes(speaker="vivian", language="english"),
        codes(speaker="eric", language="english"),
        codes(speaker="vivian", instruct="Whisper."),
    }
    assert len(heard) == 6
    # A dialect takes the place of Chinese, and of no language.
    assert codes(speaker="eric", language="chinese") == codes(speaker="eric")
    assert codes(speaker="vivian", language="chinese") != codes(speaker="vivian")


def test_small_models_do_not_heed_instructions(references: References) -> None:
    model = references("custom_voice", "0b6")
    told = greedy_codes(model, TEXT, speaker="ryan", instruct="Whisper.", frames=8)
    assert np.array_equal(told, greedy_codes(model, TEXT, speaker="ryan", frames=8))


@pytest.mark.parametrize("streaming", [True, False])
def test_clones_depend_on_the_recording_its_text_and_how_they_are_made(
    base_reference: Any, streaming: bool
) -> None:
    def codes(pcm: Any, spoken: str | None) -> bytes:
        clone = clone_prompt(base_reference, pcm, spoken)
        return greedy_codes(base_reference, TEXT, clone=clone, streaming=streaming, frames=8).tobytes()

    one, other = recording(seed=0), recording(seed=1)
    heard = {
        codes(one, None),
        codes(other, None),
        codes(one, "Hello."),
        codes(other, "Hello."),
        codes(one, "Good day."),
    }
    assert len(heard) == 5


def test_codes_of_a_recording_vary_and_its_sound_is_not_silent(base_reference: Any) -> None:
    (prompt,) = clone_prompt(base_reference, recording(4.0), "Hello, it is me.")
    codes = prompt.ref_code.numpy()
    assert codes.shape == (50, 16)
    assert all(len(set(codes[:, group])) > 3 for group in range(16))
    wave = decode_codes(base_reference, codes)
    assert wave.shape == (50 * 1920,)
    assert 0.03 < wave.std() < 0.3
    assert np.mean(np.abs(wave) > 0.99) < 0.01
    changed = codes.copy()
    changed[25, 15] = (changed[25, 15] + 1) % 2048
    differs = np.flatnonzero(wave != decode_codes(base_reference, changed))
    # The last group of one frame is heard, from that frame on: the codec is causal.
    assert differs[0] // 1920 == 25


def test_generations_can_end_by_themselves_and_several_at_once_are_as_alone(ending_reference: Any) -> None:
    _, model = ending_reference
    texts = [f"Number {n} of them{', and one more' * (n % 3)}." for n in range(6)]
    many = greedy_codes_of(model, texts, speaker="ryan")
    lengths = [len(codes) for codes in many]
    assert min(lengths) < FRAMES
    assert len(set(lengths)) > 2
    for number in (0, 2):
        assert np.array_equal(many[number], greedy_codes(model, texts[number], speaker="ryan"))
