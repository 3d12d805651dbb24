"""Writes checkpoints in the published layout, of any size, with random weights: only their time is real.

Files, names and shapes are those of Qwen/Qwen3-TTS-12Hz-*-CustomVoice, as far as the server reads them. The
vocabulary of text is a small one, learned from the texts of the benchmarks: about one token for a word. The
end of a text is never drawn, so each is as long as MAX_NEW_TOKENS lets it be. Neither qwen_tts nor
transformers is needed.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch
from msgspec.structs import replace
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor

from bench.qwen3.models import HEAD, PUBLISHED, TINY, Shape, codec_shapes, constant, scale, talker_shapes
from realtime.engines.qwen3.configuration import ModelConfig

_GROUPS = 4
#: As little work as can be, so that a server is soon ready without a GPU: few layers, and four codes a frame.
_LEAST = replace(
    TINY,
    talker=replace(
        TINY.talker,
        num_hidden_layers=1,
        num_code_groups=_GROUPS,
        code_predictor_config=replace(TINY.talker.code_predictor_config, num_hidden_layers=1),
    ),
    codec=replace(
        TINY.codec,
        decoder_config=replace(TINY.codec.decoder_config, num_quantizers=_GROUPS, num_hidden_layers=1),
    ),
)
#: Sizes that can be written.
SIZES: Mapping[str, ModelConfig] = {**PUBLISHED, "tiny": _LEAST}
_TEXTS = Path(__file__).parents[1] / "data"
#: How Qwen2's tokenizer cuts text before it merges bytes.
_PIECES = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
#: Tokens of text that are learned; the real vocabulary has 151,643.
_MOST_TOKENS = 4096
#: Random numbers that all weights are cut from: a prime number of them, so that no two rows are the same.
_BLOCK = 1_048_573


def write_published(folder: Path, config: ModelConfig) -> int:
    """Writes a checkpoint to `folder`; returns the bytes of its weights."""
    codec_folder = folder / "speech_tokenizer"
    codec_folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "config.json", _root(config))
    _write(folder / "generation_config.json", msgspec.to_builtins(config.generation))
    _write(codec_folder / "config.json", msgspec.to_builtins(config.codec))
    _write_tokenizer(folder, config)
    numbers, end = Numbers(), config.talker.codec_eos_token_id
    size = write_weights(folder / "model.safetensors", talker_shapes(config), numbers, end)
    return size + write_weights(codec_folder / "model.safetensors", codec_shapes(config.codec), numbers)


def _root(config: ModelConfig) -> dict[str, Any]:
    return {
        "architectures": ["Qwen3TTSForConditionalGeneration"],
        "model_type": "qwen3_tts",
        "tokenizer_type": "qwen3_tts_tokenizer_12hz",
        "tts_model_size": config.size,
        "tts_model_type": config.kind,
        "tts_pad_token_id": config.tts_pad,
        "tts_bos_token_id": config.tts_bos,
        "tts_eos_token_id": config.tts_eos,
        "talker_config": msgspec.to_builtins(config.talker),
    }


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _write_tokenizer(folder: Path, config: ModelConfig) -> None:
    begin = config.tts_pad - 27  # as in the real one, which has other added tokens between them
    added = {
        "<|im_start|>": begin,
        "<|im_end|>": begin + 1,
        "<tts_pad>": config.tts_pad,
        "<tts_text_bos>": config.tts_bos,
        "<tts_text_eod>": config.tts_eos,
    }
    vocabulary, merges = _byte_pairs(min(_MOST_TOKENS, begin))
    _write(folder / "vocab.json", vocabulary)
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    tokens = {str(number): {"content": content, "special": True} for content, number in added.items()}
    _write(folder / "tokenizer_config.json", {"added_tokens_decoder": tokens})


def _byte_pairs(size: int) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A vocabulary and its merges."""
    lines = [line for path in sorted(_TEXTS.glob("*.txt")) for line in path.read_text("utf-8").splitlines()]
    lines += ["assistant", "user"] * 500  # each is one token in prompts, as in the real vocabulary
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(lines, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], [(left, right) for left, right in model["merges"]]


class Numbers:
    """Random numbers in bfloat16, quickly: all weights of one deviation are cut from the same ones."""

    def __init__(self) -> None:
        self._normal = torch.randn(_BLOCK, generator=torch.Generator().manual_seed(0))
        self._scaled: dict[float, Tensor] = {}

    def of(self, name: str, shape: Shape) -> Tensor:
        """Those of a weight, flat; of a large one as many as there are before they repeat themselves."""
        count = math.prod(shape)
        if (value := constant(name, shape)) is not None:
            return torch.full((count,), value, dtype=torch.bfloat16)
        deviation, begin = scale(name, shape), zlib.crc32(name.encode()) % _BLOCK
        if deviation not in self._scaled:  # twice, one after the other: a weight may begin at any of them
            self._scaled[deviation] = (self._normal * deviation).to(torch.bfloat16).repeat(2)
        return self._scaled[deviation][begin : begin + min(count, _BLOCK)]


def write_weights(path: Path, shapes: Mapping[str, Shape], numbers: Numbers, end: int | None = None) -> int:
    """One safetensors file, written as it is made; `end`: the row of the head that is 0. Returns the size."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    size = 0
    for name, shape in shapes.items():
        after = size + 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [size, after]}
        size = after
    described = json.dumps(header).encode()
    described += b" " * (-len(described) % 8)
    with path.open("wb") as file:
        file.write(len(described).to_bytes(8, "little"))
        file.write(described)
        for name, shape in shapes.items():
            weight = numbers.of(name, shape)
            left = math.prod(shape)
            if name == HEAD and end is not None:
                weight = weight.repeat(math.ceil(left / len(weight)))[:left]
                weight[end * shape[1] : (end + 1) * shape[1]] = 0.0
            while left:  # from its second round on it is the same again
                part = weight[:left]
                file.write(part.view(torch.int16).numpy().data)
                left -= len(part)
    return size
