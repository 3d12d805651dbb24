"""Other programs for the same model, where they are installed: on one checkpoint, in the same run."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable
from typing import Any

import torch

from bench.qwen3.bed import Bed

_TEXT = (
    "Long before the first ships came into the harbour, people had lived on this shore. They fished in the"
    " morning, mended their nets in the afternoon, and in the evening they told each other stories."
)
_TOKENS = 128


def others(bed: Bed) -> None:
    """Plain qwen_tts, and faster-qwen3-tts, which needs a GPU: seconds of sound a second, first sound."""
    for package, run in (("qwen_tts", _qwen_tts), ("faster_qwen3_tts", _faster)):
        if importlib.util.find_spec(package) is None:
            bed.row(package, None, note="it is not installed")
        elif bed.folder is None:
            bed.row(package, None, note="it needs a checkpoint: --model")
        elif bed.config.kind != "custom_voice":
            bed.row(package, None, note="only CustomVoice models are compared")
        else:
            try:
                run(bed, bed.folder)
            except Exception as error:  # it is a program of others, that may do anything
                bed.row(package, None, note=f"{type(error).__name__}: {str(error).partition(chr(10))[0]}")


def _qwen_tts(bed: Bed, folder: str) -> None:
    module = importlib.import_module("qwen_tts")
    device = str(bed.device) if bed.cuda else None
    model = module.Qwen3TTSModel.from_pretrained(
        folder, device_map=device, dtype=bed.dtype, attn_implementation="sdpa"
    )
    speak = _speaker(bed, model.generate_custom_voice)
    speak(max_new_tokens=8)
    begun = time.perf_counter()
    sounds, rate = speak(max_new_tokens=_TOKENS)
    seconds = time.perf_counter() - begun
    sound_s = sum(len(sound) for sound in sounds) / rate
    more = {"ms a frame": seconds * bed.config.frame_ms / sound_s if sound_s else 0.0}
    bed.row("qwen_tts: times real time", sound_s / seconds, "x", more=more)


def _faster(bed: Bed, folder: str) -> None:
    module = importlib.import_module("faster_qwen3_tts")
    model = module.FasterQwen3TTS.from_pretrained(folder, device=str(bed.device), dtype=torch.bfloat16)
    for chunk in (1, 8):
        speak = _speaker(bed, model.generate_custom_voice_streaming)
        list(speak(max_new_tokens=16, chunk_size=chunk))  # it captures its graphs
        begun = time.perf_counter()
        first_s = sound_s = 0.0
        for sound, rate, *_ in speak(max_new_tokens=_TOKENS, chunk_size=chunk):
            first_s = first_s or time.perf_counter() - begun
            sound_s += len(sound) / rate
        seconds = time.perf_counter() - begun
        more = {"first sound, ms": first_s * 1000}
        bed.row(f"faster_qwen3_tts, chunks of {chunk}: times real time", sound_s / seconds, "x", more=more)


def _speaker(bed: Bed, function: Callable[..., Any]) -> Callable[..., Any]:
    def speak(**keywords: Any) -> Any:
        return function(text=_TEXT, speaker=bed.config.speakers[0], language="English", **keywords)

    return speak
