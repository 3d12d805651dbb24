"""Writes tiny checkpoints with the files, names and relations of the real ones, for qwen-tts's own classes.

What is small: widths, layers, the text's vocabulary. What is as in the real ones: the vocabulary of codes,
its special ids, 16 groups of 2048 codes, upsampling by 1920, the window of 72 frames, names of speakers and
languages, a byte-level BPE, the tokens added to it and their order; that all heads together are as wide as
the talker (1b7) or twice as wide (0b6, predictor, codec).

Weights are random, but such that the model does something: linear layers keep the size of what they are
given (with the usual deviation of 0.02 the talker is deaf to its text, and any comparison of codes passes),
norms and scales differ from one, codebooks are full.
"""

from __future__ import annotations

import json
import zlib
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from realtime.engines.qwen3.configuration import ModelKind
from tests.engines.qwen3.reference import import_reference, silenced

Size = Literal["0b6", "1b7"]

#: Ids of the talker's vocabulary: those of the real checkpoints.
SPEAKERS = {
    "serena": 3066,
    "vivian": 3065,
    "uncle_fu": 3010,
    "ryan": 3061,
    "aiden": 2861,
    "ono_anna": 2873,
    "sohee": 2864,
    "eric": 2875,
    "dylan": 2878,
}
DIALECTS = {"eric": "sichuan_dialect", "dylan": "beijing_dialect"}
LANGUAGES = {
    "chinese": 2055,
    "english": 2050,
    "german": 2053,
    "italian": 2070,
    "portuguese": 2071,
    "spanish": 2054,
    "japanese": 2058,
    "korean": 2064,
    "french": 2061,
    "russian": 2069,
}
DIALECT_IDS = {"beijing_dialect": 2074, "sichuan_dialect": 2062}

#: Learned tokens of the text's vocabulary (the real one: 151,643); those that follow are added ones.
TEXT_TOKENS = 2000
#: Tokens added to it, in the real order. False: not special, and so not what `split_special_tokens` splits.
ADDED_TOKENS = {
    "<|endoftext|>": True,
    "<|im_start|>": True,
    "<|im_end|>": True,
    "<|object_ref_start|>": True,
    "<|object_ref_end|>": True,
    "<|box_start|>": True,
    "<|box_end|>": True,
    "<|quad_start|>": True,
    "<|quad_end|>": True,
    "<|vision_start|>": True,
    "<|vision_end|>": True,
    "<|vision_pad|>": True,
    "<|image_pad|>": True,
    "<|video_pad|>": True,
    "<tool_call>": False,
    "</tool_call>": False,
    "<|fim_prefix|>": False,
    "<|fim_middle|>": False,
    "<|fim_suffix|>": False,
    "<|fim_pad|>": False,
    "<|repo_name|>": False,
    "<|file_sep|>": False,
    "<tool_response>": False,
    "</tool_response>": False,
    "<think>": False,
    "</think>": False,
    "<|audio_start|>": True,
    "<|audio_end|>": True,
    "<tts_pad>": True,
    "<tts_text_bos>": True,
    "<tts_text_eod>": True,
    "<tts_text_bos_single>": True,
    "<|audio_pad|>": True,
}
TEXT_VOCABULARY = 2048

#: How Qwen2's tokenizer cuts text before it merges bytes.
PRETOKENIZE = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_TEXTS = Path(__file__).parents[2] / "data" / "spoken"


def write_checkpoint(
    folder: Path, kind: ModelKind, *, seed: int = 0, size: Size = "1b7", ending: float = 1.0
) -> Path:
    """Writes a checkpoint of `kind` to `folder`, makes it if it is not there, and returns it.

    `size` "1b7": the talker is wider than the predictor, so that its state passes a projection, and
    `instruct` is heeded; "0b6": both have one width, and there is no projection. `ending` multiplies the row
    of the head that ends a generation: with 1.0 hardly any ends within 45 frames, with 2.0 many do (greedy).
    """
    folder.mkdir(parents=True, exist_ok=True)
    codec_folder = folder / "speech_tokenizer"
    codec_folder.mkdir(exist_ok=True)
    config, codec_config = model_config(kind, size), codec_config_json()
    _write_json(folder / "config.json", config)
    _write_json(folder / "generation_config.json", _GENERATION)
    _write_json(folder / "preprocessor_config.json", {"padding_side": "left", "processor_class": _PROCESSOR})
    _write_json(codec_folder / "config.json", codec_config)
    _write_json(codec_folder / "preprocessor_config.json", _FEATURES)
    _write_tokenizer(folder)

    package = import_reference()
    with silenced():
        from qwen_tts.core import Qwen3TTSTokenizerV2Config, Qwen3TTSTokenizerV2Model

        models_package = package.core.models
        # The classes change the dictionaries that they are given: each has its own.
        model = models_package.Qwen3TTSForConditionalGeneration(
            models_package.Qwen3TTSConfig(**_copy(config))
        )
        codec = Qwen3TTSTokenizerV2Model(Qwen3TTSTokenizerV2Config(**_copy(codec_config)))
    weights = _fill(model, seed)
    weights["talker.codec_head.weight"][config["talker_config"]["codec_eos_token_id"]] *= ending
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    save_file(_fill(codec, seed), codec_folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def model_config(kind: ModelKind, size: Size = "1b7") -> dict[str, Any]:
    """`config.json` of a tiny checkpoint."""
    hidden = 64 if size == "1b7" else 32
    ids = {token: TEXT_TOKENS + number for number, token in enumerate(ADDED_TOKENS)}
    custom = kind == "custom_voice"
    predictor = {
        "model_type": "qwen3_tts_talker_code_predictor",
        "vocab_size": 2048,
        "hidden_size": 32,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "hidden_act": "silu",
        "max_position_embeddings": 65536,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000,
        "rope_scaling": None,
        "attention_bias": False,
        "num_code_groups": 16,
    }
    talker = {
        "model_type": "qwen3_tts_talker",
        "vocab_size": 3072,
        "hidden_size": hidden,
        "intermediate_size": 3 * hidden,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "hidden_act": "silu",
        "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1_000_000,
        "rope_scaling": {
            "interleaved": True,
            "mrope_section": [4, 2, 2],
            "rope_type": "default",
            "type": "default",
        },
        "attention_bias": False,
        "num_code_groups": 16,
        "text_hidden_size": 48,
        "text_vocab_size": TEXT_VOCABULARY,
        "codec_pad_id": 2148,
        "codec_bos_id": 2149,
        "codec_eos_token_id": 2150,
        "codec_think_id": 2154,
        "codec_nothink_id": 2155,
        "codec_think_bos_id": 2156,
        "codec_think_eos_id": 2157,
        "codec_language_id": LANGUAGES | (DIALECT_IDS if custom else {}),
        "spk_id": SPEAKERS if custom else {},
        "spk_is_dialect": {name: DIALECTS.get(name, False) for name in SPEAKERS} if custom else {},
        "code_predictor_config": predictor,
    }
    config = {
        "architectures": ["Qwen3TTSForConditionalGeneration"],
        "model_type": "qwen3_tts",
        "tokenizer_type": "qwen3_tts_tokenizer_12hz",
        "tts_model_size": size,
        "tts_model_type": kind,
        "im_start_token_id": ids["<|im_start|>"],
        "im_end_token_id": ids["<|im_end|>"],
        "tts_pad_token_id": ids["<tts_pad>"],
        "tts_bos_token_id": ids["<tts_text_bos>"],
        "tts_eos_token_id": ids["<tts_text_eod>"],
        "talker_config": talker,
        # With a later version or none, transformers 4.57.3 takes a local folder for one of Mistral's and
        # cuts text by Mistral's rules. It does not do so to models by their names on the hub.
        "transformers_version": "4.57.1",
    }
    if kind == "base":
        config["speaker_encoder_config"] = {
            "mel_dim": 128,
            "enc_dim": hidden,
            "enc_channels": [16, 16, 16, 16, 48],
            "enc_kernel_sizes": [5, 3, 3, 3, 1],
            "enc_dilations": [1, 2, 3, 4, 1],
            "enc_attention_channels": 8,
            "enc_res2net_scale": 4,
            "enc_se_channels": 8,
            "sample_rate": 24_000,
        }
    return config


def codec_config_json() -> dict[str, Any]:
    """`speech_tokenizer/config.json` of a tiny checkpoint."""
    return {
        "architectures": ["Qwen3TTSTokenizerV2Model"],
        "model_type": "qwen3_tts_tokenizer_12hz",
        "encoder_valid_num_quantizers": 16,
        "input_sample_rate": 24_000,
        "output_sample_rate": 24_000,
        "decode_upsample_rate": 1920,
        "encode_downsample_rate": 1920,
        "decoder_config": {
            "codebook_size": 2048,
            "codebook_dim": 32,
            "latent_dim": 48,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "head_dim": 16,
            "attention_bias": False,
            "hidden_act": "silu",
            "rms_norm_eps": 1e-5,
            "rope_theta": 10_000,
            "sliding_window": 72,
            "layer_scale_initial_scale": 0.01,
            "max_position_embeddings": 8000,
            "num_quantizers": 16,
            "decoder_dim": 64,
            "upsample_rates": [8, 5, 4, 3],
            "upsampling_ratios": [2, 2],
        },
        "encoder_config": {
            "model_type": "mimi",
            "sampling_rate": 24_000,
            "frame_rate": 12.5,
            "audio_channels": 1,
            "hidden_size": 32,
            "num_filters": 4,
            "num_residual_layers": 1,
            "upsampling_ratios": [8, 6, 5, 4],
            "kernel_size": 7,
            "last_kernel_size": 3,
            "residual_kernel_size": 3,
            "dilation_growth_rate": 2,
            "use_causal_conv": True,
            "pad_mode": "constant",
            "compress": 2,
            "codebook_size": 2048,
            "codebook_dim": 16,
            "vector_quantization_hidden_dimension": 16,
            "num_quantizers": 32,
            "num_semantic_quantizers": 1,
            "upsample_groups": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "head_dim": 8,
            "intermediate_size": 64,
            "hidden_act": "gelu",
            "norm_eps": 1e-5,
            "rope_theta": 10_000.0,
            "sliding_window": 250,
            "layer_scale_initial_scale": 0.01,
            "use_cache": False,
        },
    }


#: So that sound seldom reaches full scale, where it is cut and differences vanish.
_LOUDNESS = 0.1
_PROCESSOR = "Qwen3TTSProcessor"
_GENERATION = {
    "do_sample": True,
    "repetition_penalty": 1.05,
    "temperature": 0.9,
    "top_k": 50,
    "top_p": 1.0,
    "subtalker_dosample": True,
    "subtalker_temperature": 0.9,
    "subtalker_top_k": 50,
    "subtalker_top_p": 1.0,
    "max_new_tokens": 8192,
}
_FEATURES = {
    "chunk_length_s": None,
    "feature_extractor_type": "EncodecFeatureExtractor",
    "feature_size": 1,
    "overlap": None,
    "padding_side": "right",
    "padding_value": 0.0,
    "return_attention_mask": True,
    "sampling_rate": 24_000,
}


def _copy(value: dict[str, Any]) -> dict[str, Any]:
    copied: dict[str, Any] = json.loads(json.dumps(value))
    return copied


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _write_tokenizer(folder: Path) -> None:
    vocabulary, merges = _byte_pairs()
    _write_json(folder / "vocab.json", vocabulary)
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    added = {
        str(TEXT_TOKENS + number): {
            "content": token,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": special,
        }
        for number, (token, special) in enumerate(ADDED_TOKENS.items())
    }
    _write_json(
        folder / "tokenizer_config.json",
        {
            "add_bos_token": False,
            "add_prefix_space": False,
            "added_tokens_decoder": added,
            "additional_special_tokens": [token for token, special in ADDED_TOKENS.items() if special],
            "bos_token": None,
            "clean_up_tokenization_spaces": False,
            "eos_token": "<|im_end|>",
            "errors": "replace",
            "model_max_length": 131_072,
            "pad_token": "<|endoftext|>",
            "split_special_tokens": False,
            "tokenizer_class": "Qwen2Tokenizer",
            "unk_token": None,
        },
    )


@cache
def _byte_pairs() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A vocabulary of bytes and 1,744 merges, learned from this repository's sentences in ten languages."""
    lines = [line for path in sorted(_TEXTS.glob("*.tsv")) for line in path.read_text("utf-8").split("\n")]
    # Each is one token in prompts, as in the real vocabulary.
    lines += ["assistant", "user"] * 500
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=TEXT_TOKENS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(lines, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    vocabulary = dict(sorted(model["vocab"].items(), key=lambda item: item[1]))
    assert list(vocabulary.values()) == list(range(TEXT_TOKENS))
    return vocabulary, [(left, right) for left, right in model["merges"]]


def _fill(model: torch.nn.Module, seed: int) -> dict[str, torch.Tensor]:
    """New weights by name. Each depends on the seed, its name and its shape alone."""
    return {
        name: torch.from_numpy(_weight(name, tuple(value.shape), seed)).contiguous()
        for name, value in model.state_dict().items()
    }


def _weight(name: str, shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    normal = random.standard_normal(shape).astype(np.float32)
    last = name.rsplit(".", 1)[-1]
    if last == "initialized":
        return np.ones(shape, np.float32)
    if last == "cluster_usage":
        # The same for a codebook's entries here and below: a codebook is the one divided by the other.
        return _usage(name, shape[0], seed)
    if last in ("embedding_sum", "embed_sum"):
        usage = _usage(name.removesuffix(last) + "cluster_usage", shape[0], seed)
        # Each codebook refines what those before it left.
        finer: float = 0.85 ** _number_after(name, "layers")
        return (finer * normal * usage[:, None]).astype(np.float32)
    if last in ("scale", "gamma"):
        return 0.5 + 0.1 * normal
    if last in ("alpha", "beta"):
        return 0.3 * normal
    if last == "bias":
        return (0.01 if name == "decoder.decoder.6.conv.bias" else 0.1) * normal
    if len(shape) == 1:
        return (1.5 if name.endswith(("q_norm.weight", "k_norm.weight")) else 1.0) + 0.1 * normal
    if "text_embedding" in name:
        return normal
    if "codec_embedding" in name:
        return 0.5 * normal
    # Linear layers, convolutions: the size of what they give is the size of what they are given.
    gain = 3.0 if name.endswith("codec_head.weight") or ".lm_head." in name else 1.0
    if "text_projection.linear_fc2" in name:
        gain = 2.0  # what stands before it is a SiLU, which loses
    if name.startswith("decoder.decoder.") and ".conv2.conv." in name:
        gain = 0.3  # what it gives is added; sound would grow with each unit
    if name == "decoder.decoder.6.conv.weight":
        gain = _LOUDNESS
    return gain * normal / np.float32(np.sqrt(np.prod(shape[1:])))


def _usage(name: str, entries: int, seed: int) -> NDArray[np.float32]:
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return random.uniform(0.5, 2.0, entries).astype(np.float32)


def _number_after(name: str, part: str) -> int:
    parts = name.split(".")
    return int(parts[parts.index(part) + 1])
