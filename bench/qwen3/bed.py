"""What all parts are measured on: a model on a device, how much of it is measured, prompts, a clock."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.qwen3.models import RandomWeights, WithoutEnd, codec_shapes, frame_bytes, talker_shapes
from bench.qwen3.record import Part, Record
from bench.table import Row
from realtime.engines.qwen3.codec import Codec
from realtime.engines.qwen3.configuration import ModelConfig
from realtime.engines.qwen3.parts import has_triton
from realtime.engines.qwen3.prompt import Prompt, Sampling
from realtime.engines.qwen3.step import Decoder
from realtime.engines.qwen3.talker import Talker


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured.

    `frames` are timed at each of `batches`, from the position `start` of rows of `positions`; `eager_frames`
    where nothing is captured. `repeats` of a first sound, and of a pass of the codec. A listener's rows have
    `long_positions`. `most_listeners` are tried, `window_s` each; `lead_s`: how far ahead of them is spoken.
    """

    batches: tuple[int, ...] = (1, 4, 8, 16, 32, 64)
    frames: int = 200
    eager_frames: int = 24
    start: int = 276
    positions: int = 512
    long_positions: int = 1024
    repeats: int = 20
    words: tuple[int, ...] = (10, 50, 200)
    codec_batches: tuple[int, ...] = (1, 8, 32)
    codec_frames: tuple[int, ...] = (1, 2, 4, 8, 12)
    ladder: tuple[int, ...] = (16, 32, 64, 128, 200, 320, 512)
    window_s: float = 6.0
    lead_s: float = 10.0
    batch: int = 64


#: For a GPU; fewer of everything; and for a machine without one.
FULL = Sizes()
QUICK = Sizes(frames=60, eager_frames=8, repeats=6, words=(10, 50), window_s=4.0, ladder=(32, 128, 200, 256))
TINY = Sizes(
    batches=(1, 4, 8),
    frames=4,
    eager_frames=2,
    start=20,
    positions=64,
    long_positions=256,
    repeats=2,
    words=(10,),
    codec_batches=(1, 4),
    ladder=(1, 2),
    window_s=0.5,
    lead_s=1.0,
    batch=4,
)


@dataclass(frozen=True, slots=True)
class Targets:
    """What a model should reach on an H200: milliseconds, and listeners at once."""

    frame_alone: float | None = None
    frame_of_32: float | None = None
    first_sound: float | None = None
    listeners: int | None = None


#: Positions of a prompt of one of the model's own voices, the first token of the text included.
LEAST_PROMPT = 10
_ENGLISH, _SPEAKER = 2050, 2861

#: By size.
TARGETS: Mapping[str, Targets] = {"0.6B": Targets(4, 8, 25, 200), "1.7B": Targets(5, 10, 30, 128)}


@dataclass(eq=False)
class Bed:
    """One model, whose talker and codec are of `dtype`.

    `until`: monotonic seconds at which the time is up. `attention`: None, the fastest there is. `usual`: what
    the engine chooses here.
    `most_listeners`: 0, as many as the ladder has. `progress` lines tell the seconds since `began`.
    """

    name: str
    config: ModelConfig
    device: torch.device
    dtype: torch.dtype
    sizes: Sizes
    record: Record
    began: float
    until: float
    attention: str | None = None
    usual: str = "sdpa"
    most_listeners: int = 0
    checkpoint: tuple[Mapping[str, Tensor], Mapping[str, Tensor]] | None = None
    folder: str | None = None
    part: Part = field(init=False)

    @property
    def targets(self) -> Targets:
        """By the width of the model: of a checkpoint too, but not of the tiny one."""
        return TARGETS.get({1024: "0.6B", 2048: "1.7B"}.get(self.config.talker.hidden_size, ""), Targets())

    @property
    def cuda(self) -> bool:
        """Whether there is a GPU."""
        return self.device.type == "cuda"

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return self.until - time.monotonic()

    @cached_property
    def talker(self) -> Talker:
        """The model without its end, made when it is first asked for."""
        weights = self.checkpoint[0] if self.checkpoint else None
        if weights is None:
            weights = RandomWeights(talker_shapes(self.config), self.device, self.dtype)
        return Talker.from_state(self.config, WithoutEnd(weights, self.config), self.device, self.dtype)

    def codec(self, rows: int, dtype: torch.dtype | None = None, *, kernels: bool | None = None) -> Codec:
        """A codec of its own, without graphs. `kernels`: with own ones; None: as the engine has it."""
        weights = self.checkpoint[1] if self.checkpoint else None
        if weights is None:
            weights = RandomWeights(codec_shapes(self.config.codec), self.device, torch.float32)
        if kernels is None:
            kernels = self.cuda and has_triton() and self.best_attention() != "sdpa"
        return Codec.from_state(
            self.config.codec, weights, rows, self.device, dtype or self.dtype, kernels=kernels
        )

    @cached_property
    def sampling(self) -> Sampling:
        """As the checkpoint has it."""
        return Sampling.of(self.config.generation)

    def best_attention(self) -> str:
        """The one that was asked for, the fastest of those that were measured, or what the engine takes."""
        if self.attention is not None:
            return self.attention
        times = {
            row.name.rsplit(" ", 1)[-1]: row.value
            for row in self.record.rows
            if row.name.startswith(f"{self.name}: attention ") and row.value is not None
        }
        failed = self.record.failed_checks
        good = {kind: ms for kind, ms in times.items() if not any(kind in name for name in failed)}
        if not times and not any(self.usual in name for name in failed):
            return self.usual
        return min(good, key=lambda kind: good[kind]) if good else "sdpa"

    def row(
        self,
        name: str,
        value: float | None,
        unit: str = "",
        *,
        limit: float | None = None,
        least: float | None = None,
        more: Mapping[str, float] | None = None,
        note: str = "",
        check: bool = False,
    ) -> None:
        """Write a figure down."""
        row = Row(f"{self.name}: {name}", value, unit, limit, least, more or {}, note)
        self.record.row(self.part, row, check=check)
        shown = "-" if value is None else f"{value:.2f} {unit}"
        self.progress(f"{row.name}: {shown} {row.remarks}")

    def progress(self, text: str) -> None:
        """Tell who waits what is going on."""
        sys.stderr.write(f"[{time.monotonic() - self.began:6.1f} s] {text}\n")
        sys.stderr.flush()

    def floor_ms(self, speed: float, batch: int, positions: float) -> float:
        """What a frame cannot be faster than, when rows have so many positions and all is read once."""
        weights, kv = frame_bytes(self.config, self.talker.dtype.itemsize)
        return (weights + kv * batch * positions) / speed * 1000


def prompt_of(config: ModelConfig, positions: int, seed: int = 0, cacheable: int | None = None) -> Prompt:
    """One of so many positions, ten or more, all but the last of which are kept for others with this seed.

    As one of a voice of the model; what goes beyond that is as if frames had been spoken. `cacheable`: how
    many are kept, if not all but the last.
    """
    chance = np.random.default_rng(seed)
    talker = config.talker
    codes = np.full((positions, talker.num_code_groups), -1, np.int64)
    first = (
        talker.codec_think_id,
        talker.codec_think_bos_id,
        _ENGLISH,
        talker.codec_think_eos_id,
        _SPEAKER,
        talker.codec_pad_id,
    )
    spoken = positions - LEAST_PROMPT
    codes[-1, 0] = talker.codec_bos_id
    codes[3 + spoken : -1, 0] = first
    codes[3 : 3 + spoken] = chance.integers(0, 2048, (spoken, talker.num_code_groups))
    fixed = positions - 1 if cacheable is None else cacheable
    return Prompt(text_ids(config, positions, chance), codes, None, -1, fixed, f"{seed}/{positions}")


def text_ids(config: ModelConfig, count: int, chance: np.random.Generator) -> NDArray[np.int64]:
    """Any tokens of the text."""
    return chance.integers(0, min(config.tts_pad, config.talker.text_vocab_size), count)


def fill(
    decoder: Decoder, bed: Bed, rows: Sequence[int], start: int, sampling: Sampling | None = None
) -> None:
    """Put an utterance that has `start` positions into each of these rows."""
    prompt = prompt_of(bed.config, start + 1)
    for row in rows:
        decoder.join(row, prompt, sampling or bed.sampling, seed=row)


def free(bed: Bed) -> None:
    """Give back what nobody has any more, so that the next part finds the memory free."""
    gc.collect()
    if bed.cuda:
        torch.cuda.synchronize(bed.device)
        torch.cuda.empty_cache()
