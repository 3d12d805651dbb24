"""Fixtures: tiny checkpoints, and qwen-tts on them, each made once a session and only when asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

from realtime.engines.qwen3.configuration import ModelKind
from tests.engines.qwen3.checkpoint import Size, write_checkpoint
from tests.engines.qwen3.reference import load_reference

if TYPE_CHECKING:
    from qwen_tts import Qwen3TTSModel

Checkpoints = Callable[[ModelKind, Size], Path]
References = Callable[[ModelKind, Size], "Qwen3TTSModel"]


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Tiny tensors are slower on several threads, and other tests run beside these."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    """`checkpoints(kind, size)`: the folder of a checkpoint with seed 0. Not to be written to."""

    @cache
    def checkpoint(kind: ModelKind, size: Size) -> Path:
        return write_checkpoint(tmp_path_factory.mktemp(f"{kind}-{size}"), kind, size=size)

    return checkpoint


@pytest.fixture(scope="session")
def references(checkpoints: Checkpoints) -> References:
    """`references(kind, size)`: qwen-tts's model of that checkpoint."""

    @cache
    def reference(kind: ModelKind, size: Size) -> Qwen3TTSModel:
        return load_reference(checkpoints(kind, size))

    return reference


@pytest.fixture(scope="session")
def custom_voice(checkpoints: Checkpoints) -> Path:
    """The folder of a checkpoint with voices of its own (1b7: it heeds `instruct`)."""
    return checkpoints("custom_voice", "1b7")


@pytest.fixture(scope="session")
def base(checkpoints: Checkpoints) -> Path:
    """The folder of a checkpoint that clones voices (1b7)."""
    return checkpoints("base", "1b7")


@pytest.fixture(scope="session")
def voice_design(checkpoints: Checkpoints) -> Path:
    """The folder of a checkpoint that makes voices of descriptions (1b7)."""
    return checkpoints("voice_design", "1b7")


@pytest.fixture(scope="session")
def custom_voice_reference(references: References) -> Qwen3TTSModel:
    """qwen-tts on `custom_voice`."""
    return references("custom_voice", "1b7")


@pytest.fixture(scope="session")
def base_reference(references: References) -> Qwen3TTSModel:
    """qwen-tts on `base`."""
    return references("base", "1b7")


@pytest.fixture(scope="session")
def voice_design_reference(references: References) -> Qwen3TTSModel:
    """qwen-tts on `voice_design`."""
    return references("voice_design", "1b7")


@pytest.fixture(scope="session")
def ending_reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Qwen3TTSModel]:
    """The folder of a checkpoint as `custom_voice`, but of which many generations end; qwen-tts on it."""
    folder = write_checkpoint(tmp_path_factory.mktemp("ending"), "custom_voice", ending=2.0)
    return folder, load_reference(folder)
