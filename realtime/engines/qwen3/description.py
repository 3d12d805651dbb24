"""What a model can do, known before anything of it is loaded: by its files, or by its published name.

No torch here: the process that answers the clients needs this as well.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from realtime.engines.engine import Capabilities
from realtime.engines.qwen3.configuration import ModelConfig, ModelKind, read_config
from realtime.errors import EngineError
from realtime.types import LANGUAGES, Instruct

#: What the models call the languages that we name by ISO 639-1.
LANGUAGE_NAMES: Mapping[str, str] = {
    "en": "english",
    "de": "german",
    "fr": "french",
    "es": "spanish",
    "it": "italian",
    "pt": "portuguese",
    "ru": "russian",
    "zh": "chinese",
    "ja": "japanese",
    "ko": "korean",
}
#: The speakers of the published CustomVoice models (https://github.com/QwenLM/Qwen3-TTS).
SPEAKERS = ("aiden", "dylan", "eric", "ono_anna", "ryan", "serena", "sohee", "uncle_fu", "vivian")
#: The one voice of a VoiceDesign model: whatever is described.
DESIGNED = "design"
SAMPLE_RATE = 24_000
_PUBLISHED = re.compile(
    r"qwen/qwen3-tts-12hz-(?:(0\.6b|1\.7b)-(customvoice|base)|(1\.7b)-(voicedesign))", re.IGNORECASE
)
_KINDS: Mapping[str, ModelKind] = {
    "customvoice": "custom_voice",
    "base": "base",
    "voicedesign": "voice_design",
}
#: "owner/name", as Hugging Face has it.
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
#: All that `read_config` reads.
_SETTINGS_FILES = ["config.json", "generation_config.json", "speech_tokenizer/config.json"]


@dataclass(frozen=True, slots=True)
class Description:
    """`speakers`: names of its own voices, lower case; `languages` are ISO 639-1, English first if it is one.

    `revision` tells models of the same name apart; empty where the name alone does.
    """

    kind: ModelKind
    speakers: tuple[str, ...]
    languages: tuple[str, ...]
    instruct: Instruct
    revision: str = ""

    @property
    def voices(self) -> tuple[str, ...]:
        """Names of all voices but those that are cloned."""
        return (DESIGNED,) if self.kind == "voice_design" else self.speakers

    @property
    def cloning(self) -> bool:
        """Whether it speaks with cloned voices."""
        return self.kind == "base"

    def capabilities(self, batch: int) -> Capabilities:
        """What an engine that runs it can do, with `batch` utterances in one step."""
        return Capabilities(
            name="qwen3",
            voices=self.voices,
            languages=self.languages,
            sample_rate=SAMPLE_RATE,
            takes="word",
            word_timings="estimated",
            instruct=self.instruct != "no",
            cloning=self.cloning,
            tells_language=True,
            context="utterance",
            concurrency=batch,
            batch=batch,
        )


def describe(model_id: str) -> Description:
    """What the model in a folder, or of a name on Hugging Face, can do.

    The published ones are known; the settings of others are fetched if they are not here (not in an event
    loop: it may take a while). Raises `EngineError` that says what is wrong.
    """
    folder = Path(model_id).expanduser()
    if folder.is_dir():
        return replace(of_config(read_config(folder)), revision=_revision(folder))
    published = _PUBLISHED.fullmatch(model_id)
    if published is None:
        return of_config(read_config(_fetched(model_id)))
    size, name = (published.group(number) or published.group(number + 2) for number in (1, 2))
    kind = _KINDS[name.lower()]
    speakers = SPEAKERS if kind == "custom_voice" else ()
    return Description(kind, speakers, LANGUAGES, _instruct(kind, is_small=size.startswith("0")))


def of_config(config: ModelConfig) -> Description:
    """What a model with these settings can do; raises `EngineError` when it speaks no language of ours."""
    languages = tuple(code for code in LANGUAGES if LANGUAGE_NAMES[code] in config.languages)
    if not languages:
        raise EngineError(f"the model speaks none of the languages {', '.join(LANGUAGE_NAMES.values())}")
    speakers = tuple(name.lower() for name in config.speakers) if config.kind == "custom_voice" else ()
    if config.kind == "custom_voice" and not speakers:
        raise EngineError("the model is of kind 'custom_voice', but names no speakers (`spk_id`)")
    return Description(
        config.kind, speakers, languages, _instruct(config.kind, is_small=not config.takes_instruct)
    )


def _instruct(kind: ModelKind, *, is_small: bool) -> Instruct:
    """Small models leave such words out without a word, and so do those that clone."""
    if kind == "voice_design":
        return "required"
    return "no" if is_small or kind == "base" else "optional"


def _revision(folder: Path) -> str:
    """Of the files in a folder, by their sizes and times: whoever changes them there makes another model."""
    files = sorted(path for pattern in ("*", "speech_tokenizer/*") for path in folder.glob(pattern))
    parts = [
        f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files if path.is_file()
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _fetched(model_id: str) -> Path:
    """The folder with the settings of a model of Hugging Face."""
    if not _HUB_ID.fullmatch(model_id):
        raise EngineError(f"there is no folder {model_id!r}, and no model has such a name on Hugging Face")
    # Only here: whoever runs another engine need not have it.
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(model_id, allow_patterns=_SETTINGS_FILES))
    except Exception as error:  # it has a tree of its own, and lets others through
        reason = (str(error).strip() or repr(error)).splitlines()[0]
        raise EngineError(f"the model {model_id!r} cannot be had from Hugging Face: {reason}") from error
