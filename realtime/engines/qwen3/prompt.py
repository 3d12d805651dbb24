"""What a generation begins with, and how its codes are drawn: plain values, without torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """The positions a generation begins with: P of them.

    `text_ids`: (P,), tokens of the text track. `codes`: (P, groups), -1 where nothing is added.
    `speaker`: (hidden,), the embedding of a cloned voice, added at the position `speaker_at` (-1: none).
    `cacheable`: so many first positions are the same for every text with the key `cache_key`, which is made
    of the voice, the language and the instruction.
    """

    text_ids: NDArray[np.int64]
    codes: NDArray[np.int64]
    speaker: NDArray[np.float32] | None
    speaker_at: int
    cacheable: int
    cache_key: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How codes are drawn: the first of a frame, and (`sub_`) the rest. `do_sample` false: the likeliest."""

    do_sample: bool
    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float
    sub_do_sample: bool
    sub_temperature: float
    sub_top_k: int
    sub_top_p: float
