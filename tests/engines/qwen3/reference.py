"""The reference: qwen-tts 0.1.1 on a tiny checkpoint, on the CPU in float32, greedy.

qwen-tts imports its tokenizer for 25 Hz models, which needs sox, torchaudio and onnxruntime, though 12 Hz
models never use it: a stand-in takes that module's place. Both it and transformers warn and print while they
import and load; that is silenced here, and only here.
"""

from __future__ import annotations

import contextlib
import io
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from qwen_tts import Qwen3TTSModel

#: Codes of this many frames are compared. qwen-tts makes one frame less than `max_new_tokens`.
FRAMES = 45

SAMPLE_RATE = 24_000

_TOKENIZER_25HZ = "qwen_tts.core.tokenizer_25hz.modeling_qwen3_tts_tokenizer_v1"


#: Of the positions of rows, heads, queries and keys: where one is heard by the other.
Masking = Callable[..., torch.Tensor]


def broadcast(function: Masking, bh_indices: bool = True) -> Masking:
    """As `transformers.masking_utils._vmap_for_bhqkv`, a hundred times as fast: `vmap` is slow to begin.

    A mask is made for each code, and with `vmap` that took two thirds of the time of qwen-tts.
    """
    assert bh_indices, "of an older torch"

    def mask(*positions: torch.Tensor) -> torch.Tensor:
        sizes = [len(each) for each in positions]
        apart = [
            each.view([-1 if at == axis else 1 for at in range(4)]) for axis, each in enumerate(positions)
        ]
        return function(*apart).expand(sizes)

    return mask


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Nothing inside warns, logs or prints."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        import transformers

        before = transformers.logging.get_verbosity()
        transformers.logging.set_verbosity(transformers.logging.CRITICAL)
        try:
            yield
        finally:
            transformers.logging.set_verbosity(before)


def import_reference() -> types.ModuleType:
    """The package `qwen_tts`, with the stand-in for its 25 Hz tokenizer."""
    with silenced():
        if _TOKENIZER_25HZ not in sys.modules:
            module = types.ModuleType(_TOKENIZER_25HZ)
            module.Qwen3TTSTokenizerV1Model = type("Qwen3TTSTokenizerV1Model", (), {})  # type: ignore[attr-defined]
            sys.modules[_TOKENIZER_25HZ] = module
        import qwen_tts
        from qwen_tts import core
        from transformers import masking_utils

        masking_utils._vmap_for_bhqkv = broadcast
        # What `vmap` needs to take an item of a tensor.
        masking_utils.TransformGetItemToIndex = contextlib.nullcontext
        # Loading registers it beside its configuration, which is the package's own.
        core.Qwen3TTSTokenizerV1Model.config_class = core.Qwen3TTSTokenizerV1Config
    return qwen_tts


def load_reference(folder: Path, attention: str = "eager") -> Qwen3TTSModel:
    """qwen-tts's model of the checkpoint in `folder`. `attention`: "eager" or "sdpa"."""
    package = import_reference()
    with silenced():
        model = package.Qwen3TTSModel.from_pretrained(
            str(folder), dtype=torch.float32, attn_implementation=attention
        )
    model.model.eval()
    return model


def greedy_codes(
    model: Qwen3TTSModel,
    text: str,
    *,
    speaker: str | None = None,
    language: str = "auto",
    instruct: str | None = None,
    clone: Any = None,
    streaming: bool = True,
    frames: int = FRAMES,
    **sampling: Any,
) -> NDArray[np.int64]:
    """Codes (T, 16) that qwen-tts makes of `text`, T <= `frames`; fewer if it ends by itself.

    The model's kind decides what else is needed: a `speaker` for custom_voice, a `clone` (of `clone_prompt`)
    for base; `instruct` is for custom_voice and voice_design. `streaming`: the layout of the prompt.
    """
    (codes,) = greedy_codes_of(
        model,
        [text],
        speaker=speaker,
        language=language,
        instruct=instruct,
        clone=clone,
        streaming=streaming,
        frames=frames,
        **sampling,
    )
    return codes


def greedy_codes_of(
    model: Qwen3TTSModel,
    texts: list[str],
    *,
    speaker: str | None = None,
    language: str = "auto",
    instruct: str | None = None,
    clone: Any = None,
    streaming: bool = True,
    frames: int = FRAMES,
    **sampling: Any,
) -> list[NDArray[np.int64]]:
    """As `greedy_codes`, of several texts in one batch: eight take little longer than one."""
    options: dict[str, Any] = {
        "do_sample": False,
        "subtalker_dosample": False,
        "max_new_tokens": frames + 1,
        "non_streaming_mode": not streaming,
        "language": language,
        **sampling,
    }
    kept: list[NDArray[np.int64]] = []

    def no_sound(encoded: list[dict[str, torch.Tensor]]) -> tuple[list[Any], int]:
        return [np.zeros(0, np.float32) for _ in encoded], SAMPLE_RATE

    generate = model.model.generate

    def generate_and_keep(*args: Any, **kwargs: Any) -> Any:
        result = generate(*args, **kwargs)
        kept.extend(codes.cpu().numpy().astype(np.int64) for codes in result[0])
        return result

    # Codes alone are asked for, and qwen-tts hands out sound.
    with (
        silenced(),
        mock.patch.object(model.model, "generate", generate_and_keep),
        mock.patch.object(model.model.speech_tokenizer, "decode", no_sound),
    ):
        if model.model.tts_model_type == "custom_voice":
            model.generate_custom_voice(texts, speaker=speaker, instruct=instruct, **options)
        elif model.model.tts_model_type == "voice_design":
            model.generate_voice_design(texts, instruct=instruct or "", **options)
        else:
            model.generate_voice_clone(texts, voice_clone_prompt=clone, **options)
    return kept


def clone_prompt(
    model: Qwen3TTSModel, pcm: NDArray[np.float32], text: str | None = None, sample_rate: int = SAMPLE_RATE
) -> list[Any]:
    """The prompt of a voice from a recording: in-context with the recording's `text`, else x-vector."""
    with silenced():
        return model.create_voice_clone_prompt(
            (pcm, sample_rate), ref_text=text, x_vector_only_mode=text is None
        )


def decode_codes(model: Qwen3TTSModel, codes: NDArray[np.int64]) -> NDArray[np.float32]:
    """The sound of codes (T, 16): T * 1920 samples at 24 kHz, by qwen-tts's codec in one piece up to 300."""
    with silenced():
        waves, rate = model.model.speech_tokenizer.decode([{"audio_codes": torch.from_numpy(codes)}])
    assert rate == SAMPLE_RATE
    return waves[0]


def recording(seconds: float = 2.0, seed: int = 0) -> NDArray[np.float32]:
    """Something like a voice: harmonics of a gliding tone in syllables, and a little noise; 24 kHz mono."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = random.uniform(100, 220) * (1 + 0.2 * np.sin(2 * np.pi * 0.7 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    voice = sum(np.sin(n * phase + random.uniform(0, 6)) / n for n in range(1, 12))
    syllables = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * time)
    noise = random.standard_normal(len(time))
    return (0.15 * voice * syllables + 0.005 * noise).astype(np.float32)
