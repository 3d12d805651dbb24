"""An engine that runs a model of the operator's choice: what is known of that before it is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from realtime.config import Config
from realtime.engines.engine import Capabilities, ModelSettings
from realtime.engines.qwen3.description import describe
from realtime.errors import ConfigError, EngineError
from realtime.types import Voice
from realtime.voices.catalogue import voices_of_model

QWEN3 = "qwen3"
#: Packages of the extra that nothing else here needs.
_PACKAGES = ("torch", "tokenizers", "huggingface_hub")


@dataclass(frozen=True, slots=True)
class Model:
    """`name`: as errors call it, without the path to its folder. `voices`: its own, the default first.

    `revision`: what its sound depends on, besides the program.
    """

    name: str
    settings: ModelSettings
    voices: tuple[Voice, ...]
    capabilities: Capabilities
    revision: str


def make_model(config: Config) -> Model | None:
    """The model that the settings ask for; None where the engine has none to choose.

    Reads files, and may fetch some: not for the event loop. Raises `ConfigError` when the extra is not
    installed, or there is no such model.
    """
    if config.engine != QWEN3:
        return None
    missing = [package for package in _PACKAGES if find_spec(package) is None]
    if missing:
        raise ConfigError(
            f'ENGINE=qwen3 needs the optional extra "qwen3", of which {", ".join(missing)} is missing:'
            ' pip install "realtime-voice[qwen3]", or `make qwen3` in a checkout'
        )
    try:
        known = describe(config.model_id)
    except EngineError as error:
        raise ConfigError(f"MODEL_ID: {error.message}") from error
    folder = Path(config.model_id).expanduser()
    settings = ModelSettings(
        str(folder.absolute()) if folder.is_dir() else config.model_id,
        config.model_device,
        config.model_dtype,
        config.attention,
        config.max_batch_size,
        config.max_new_tokens,
        config.torch_compile,
    )
    parts = (settings.model_id, known.revision, settings.dtype, f"{settings.max_new_tokens} frames")
    return Model(
        folder.name if folder.is_dir() else config.model_id,
        settings,
        voices_of_model(QWEN3, known.voices, known.languages, known.instruct),
        known.capabilities(settings.max_batch_size),
        " ".join(filter(None, parts)),
    )
