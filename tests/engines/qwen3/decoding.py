"""What the tests of the decoder share: prompts by hand, laid out as in qwen-tts 0.1.1, and runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from realtime.engines.qwen3.configuration import ModelConfig, read_config
from realtime.engines.qwen3.prompt import Prompt, Sampling
from realtime.engines.qwen3.step import Decoder
from realtime.engines.qwen3.talker import Talker
from tests.engines.qwen3.reference import silenced

if TYPE_CHECKING:
    from qwen_tts import Qwen3TTSModel

CPU = torch.device("cpu")
GREEDY = Sampling(False, 0.9, 50, 1.0, 1.05, False, 0.9, 50, 1.0)
SAMPLED = Sampling(True, 0.9, 50, 1.0, 1.05, True, 0.9, 50, 1.0)


@cache
def load_talker(folder: Path, dtype: torch.dtype = torch.float32) -> Talker:
    return Talker.from_state(read_config(folder), load_file(folder / "model.safetensors"), CPU, dtype)


@dataclass(frozen=True)
class Utterance:
    """A prompt, the text tokens of the steps (the first is the prompt's last), then `pad` for ever."""

    prompt: Prompt
    text: list[int]
    pad: int
    sampling: Sampling = GREEDY
    seed: int = 0

    def token(self, step: int) -> int:
        return self.text[step] if step < len(self.text) else self.pad


@dataclass
class _Positions:
    """Positions of a prompt: a text token and the codes that are added."""

    text: list[int] = field(default_factory=list)
    codes: list[list[int]] = field(default_factory=list)

    def add(self, text: list[int], codes: list[list[int]]) -> None:
        assert len(text) == len(codes)
        self.text += text
        self.codes += codes


def tokens(model: Qwen3TTSModel, text: str) -> list[int]:
    with silenced():
        return [int(x) for x in model.processor.tokenizer(text)["input_ids"]]


def utterance(
    model: Qwen3TTSModel,
    config: ModelConfig,
    text: str,
    *,
    speaker: str | None = None,
    language: str = "auto",
    instruct: str | None = None,
    clone: Any = None,
    streaming: bool = True,
    sampling: Sampling = GREEDY,
    seed: int = 0,
) -> Utterance:
    """As `Qwen3TTSForConditionalGeneration.generate`, with the arguments of `reference.greedy_codes`."""
    talker = config.talker
    ids = tokens(model, f"<|im_start|>assistant\n{text}<|im_end|>\n<|im_start|>assistant\n")
    role, body = ids[:3], ids[3:-5]
    language_id = None if language == "auto" else (talker.codec_language_id or {})[language]
    if speaker is not None and language in ("auto", "chinese"):
        dialect = (talker.spk_is_dialect or {})[speaker]
        if isinstance(dialect, str):
            language_id = (talker.codec_language_id or {})[dialect]

    def code(c0: int = -1) -> list[int]:
        return [c0, *[-1] * (talker.num_code_groups - 1)]

    if language_id is None:
        thought = [talker.codec_nothink_id, talker.codec_think_bos_id, talker.codec_think_eos_id]
    else:
        thought = [
            talker.codec_think_id,
            talker.codec_think_bos_id,
            language_id,
            talker.codec_think_eos_id,
        ]
    at = _Positions()
    if instruct:
        words = tokens(model, f"<|im_start|>user\n{instruct}<|im_end|>\n")
        at.add(words, [code()] * len(words))
    at.add(role, [code()] * len(role))
    at.add([config.tts_pad] * len(thought), [code(x) for x in thought])
    embedding, speaker_at = None, -1
    item = None if clone is None else clone[0]
    if item is not None:
        embedding, speaker_at = item.ref_spk_embedding.numpy(), len(at.text)
        at.add([config.tts_pad], [code()])
    elif speaker is not None:
        at.add([config.tts_pad], [code((talker.spk_id or {})[speaker])])
    at.add([config.tts_bos], [code(talker.codec_pad_id)])
    cacheable = len(at.text)
    bos, pad = code(talker.codec_bos_id), code(talker.codec_pad_id)
    if item is not None and item.icl_mode:
        said = tokens(model, f"<|im_start|>assistant\n{item.ref_text}<|im_end|>\n")[3:-2]
        track = [*said, *body, config.tts_eos]
        sounds = [bos, *item.ref_code.tolist()]
        if streaming:
            shown = track[: len(sounds)] + [config.tts_pad] * max(0, len(sounds) - len(track))
            at.add(shown, sounds)
            following = track[len(sounds) :]
        else:
            at.add(track, [pad] * len(track))
            at.add([config.tts_pad] * len(sounds), sounds)
            following = []
    elif streaming:
        at.add(body[:1], [bos])
        following = [*body[1:], config.tts_eos]
    else:
        track = [*body, config.tts_eos]
        at.add(track, [pad] * len(track))
        at.add([config.tts_pad], [bos])
        following = []
    key = f"{speaker} {language} {instruct} {None if item is None else item.icl_mode} {streaming}"
    prompt = Prompt(np.array(at.text), np.array(at.codes), embedding, speaker_at, cacheable, key)
    return Utterance(prompt, [at.text[-1], *following], config.tts_pad, sampling, seed)


def invented(
    config: ModelConfig,
    seed: int,
    *,
    length: int = 12,
    cacheable: int = 0,
    sampling: Sampling = GREEDY,
    speaker: bool = False,
) -> Utterance:
    """A prompt of random tokens and codes, for tests that need no reference. Those of one seed are equal."""
    random = np.random.default_rng(seed)
    talker = config.talker
    codes = np.full((length, talker.num_code_groups), -1)
    codes[3:, 0] = random.integers(0, talker.vocab_size, length - 3)
    codes[length // 2 : -1] = random.integers(0, 2048, (length - 1 - length // 2, talker.num_code_groups))
    text = [int(x) for x in random.integers(0, talker.text_vocab_size, length + 20)]
    voice = random.standard_normal(talker.hidden_size).astype(np.float32) if speaker else None
    prompt = Prompt(
        np.array(text[:length]), codes, voice, 4 if speaker else -1, cacheable, f"invented {seed}"
    )
    return Utterance(prompt, text[length - 1 :], config.tts_pad, sampling, seed)


def decoded(decoder: Decoder, spoken: Utterance, frames: int, row: int = 0) -> NDArray[np.int64]:
    """Codes (T, 16) of an utterance decoded alone; fewer than `frames` if it ends."""
    decoder.join(row, spoken.prompt, spoken.sampling, spoken.seed)
    codes = []
    for step in range(frames):
        made, ended = decoder.step([row], [spoken.token(step)]).read()
        if ended[0]:
            break
        codes.append(made[0])
    return np.array(codes).reshape(-1, made.shape[1])


class Company:
    """Utterances in rows of one decoder, each moved on when it is named."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._rows: dict[int, Utterance] = {}
        self.codes: dict[int, list[NDArray[np.int64]]] = {}

    def join(self, row: int, spoken: Utterance) -> None:
        self._decoder.join(row, spoken.prompt, spoken.sampling, spoken.seed)
        self._rows[row] = spoken
        self.codes[row] = []

    def step(self, rows: Sequence[int]) -> None:
        tokens = [self._rows[row].token(len(self.codes[row])) for row in rows]
        made, _ = self._decoder.step(rows, tokens).read()
        for row, codes in zip(rows, made, strict=True):
            self.codes[row].append(codes)


def with_seed(spoken: Utterance, seed: int) -> Utterance:
    return replace(spoken, seed=seed)
