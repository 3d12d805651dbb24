"""An engine that says it is a model, for tests of what is around it: it whistles, and needs no torch.

What it was told about how to speak, and in which language, can be heard: by the pitch of the whole sound.
While a file `hold` lies in its folder it goes on loading, and with a file `fail` it cannot be loaded.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from realtime.engines.engine import Capabilities, EngineSettings, Open
from realtime.engines.qwen3.description import describe
from realtime.engines.synthesizer import Cancellation
from realtime.engines.tone import SAMPLE_RATE, ToneSynthesizer, pitch_hz
from realtime.errors import EngineError
from realtime.types import AudioChunk, TextPiece

#: The module for `realtime.app.building.MODULES`.
MODULE = "tests.app.pretending"
_SECONDS = 0.4


def write_settings(
    folder: Path,
    kind: str = "custom_voice",
    size: str = "0b6",
    speakers: tuple[str, ...] = ("Ryan", "vivian", "zoe"),
    languages: tuple[str, ...] = ("chinese", "english", "beijing_dialect"),
) -> Path:
    """A folder with the settings of a model, and none of its weights."""
    talker = {
        "spk_id": {name: 3000 + at for at, name in enumerate(speakers)} if kind == "custom_voice" else {},
        "codec_language_id": {name: 2050 + at for at, name in enumerate(languages)},
    }
    root: dict[str, Any] = {
        "tts_model_type": kind,
        "tts_model_size": size,
        "tokenizer_type": "qwen3_tts_tokenizer_12hz",
        "talker_config": talker,
    }
    (folder / "speech_tokenizer").mkdir(parents=True)
    for name, value in (("config", root), ("generation_config", {}), ("speech_tokenizer/config", {})):
        (folder / f"{name}.json").write_text(json.dumps(value))
    return folder


def told_hz(language: str, instruct: str = "") -> int:
    """The pitch of what is told this."""
    return pitch_hz(f"{language} {instruct}")


class PretendedModel(ToneSynthesizer):
    """Speaks whole segments, each coloured by what was said before it."""

    on_progress: Callable[[str, float], None]

    def __init__(self, settings: EngineSettings) -> None:
        super().__init__(settings)
        assert settings.model is not None
        self.on_progress = lambda what, fraction: None
        self._folder = Path(settings.model.model_id)
        self._capabilities = describe(settings.model.model_id).capabilities(settings.model.max_batch_size)

    @property
    def capabilities(self) -> Capabilities:
        return replace(self._capabilities, takes="segment")

    def load(self) -> None:
        self.on_progress("weights", 0.42)
        while (self._folder / "hold").exists():
            time.sleep(0.01)
            self.on_progress("weights", 0.42)
        if (self._folder / "fail").exists():
            raise EngineError("there is no such card")
        self.on_progress("weights", 1.0)

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        if request.reference is not None:
            yield from super().synthesize(piece, request, cancellation)
            return
        if request.voice not in self._capabilities.voices:
            raise EngineError(f"there is no voice {request.voice!r}")
        hz = told_hz(request.language, request.instruct)
        times = np.arange(round(_SECONDS * SAMPLE_RATE), dtype=np.float32) / SAMPLE_RATE
        pcm = (0.3 * np.cos(2 * np.pi * hz * times)).astype(np.float32)
        yield AudioChunk(piece.segment, pcm, SAMPLE_RATE)


def make(settings: EngineSettings) -> PretendedModel:
    """For a process."""
    return PretendedModel(settings)
