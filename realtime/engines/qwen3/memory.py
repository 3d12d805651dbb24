"""How much memory a model takes, before it takes any.

Its parts are made once of tensors that have a shape and nothing else (torch's device "meta"), by the headers
of its files, and what they hold is counted. So a weight that is missing or misshapen is found out by the way.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from realtime.engines.qwen3.clone import CloneEncoder
from realtime.engines.qwen3.codec import Codec
from realtime.engines.qwen3.configuration import ModelConfig
from realtime.engines.qwen3.devices import Place
from realtime.engines.qwen3.held import held_bytes
from realtime.engines.qwen3.step import decoder_bytes
from realtime.engines.qwen3.talker import Talker
from realtime.engines.qwen3.tensors import Tensors
from realtime.errors import EngineError

#: Of what is kept of prompts, which begin alike for all texts of one voice: some 100 voices.
PREFIX_POSITIONS = 1024
#: Of what is free, for the model; the rest is left to others on the same GPU.
SHARE = 0.9
#: For what is not counted: libraries of CUDA, graphs, and what layers give to each other, most of it in the
#: codec and for each that is spoken in one step. With 64, in bfloat16 and by own kernels, an H200 had 5.0 GB
#: of it in use, and 6.8 GB at the most.
WORKING_CUDA = 1536 * 1024**2
WORKING_CUDA_EACH = 80 * 1024**2
WORKING_CPU = 256 * 1024**2

_meta = torch.device("meta")


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that a model needs: once, and for each row."""

    once: int
    row: int

    def rows(self, free: int, least: int, most: int) -> int:
        """How many rows, `most` at best, fit into so many bytes; raises `EngineError` if not `least` do."""
        fit = (int(free * SHARE) - self.once) // self.row
        if fit < least:
            need = (self.once + least * self.row) / SHARE
            raise EngineError(
                f"{least} utterances at once with this model need {gigabytes(need)} of memory, and"
                f" {gigabytes(free)} are free; set a smaller MAX_BATCH_SIZE or MODEL_ID"
            )
        return min(fit, most)


def needed(
    config: ModelConfig, tensors: Tensors, codec_tensors: Tensors, place: Place, positions: int, places: int
) -> Need:
    """What a model takes whose rows have so many `positions`, and of which so many `places` are in one step.

    Raises `EngineError` that names a weight which is missing or has another shape than `config` says.
    """
    outline, codec_outline = tensors.outline(), codec_tensors.outline()
    talker = Talker.from_state(config, outline, _meta, place.dtype)
    codec = Codec.from_state(config.codec, codec_outline, 1, _meta, place.dtype)
    none, one = (decoder_bytes(config, rows, positions, place.dtype, PREFIX_POSITIONS) for rows in (0, 1))
    row = one - none + codec.row_bytes
    once = none + held_bytes([talker, codec]) - codec.row_bytes
    if config.kind == "base":
        once += held_bytes(CloneEncoder.from_states(config, outline, codec_outline, _meta))
    return Need(once + working_bytes(place, places), row)


def working_bytes(place: Place, places: int) -> int:
    """What is not counted, where so many are spoken in one step."""
    if not place.is_cuda:
        return WORKING_CPU
    return WORKING_CUDA + places * WORKING_CUDA_EACH * place.dtype.itemsize // 2


def gigabytes(size: float) -> str:
    """For people."""
    return f"{size / 1e9:.1f} GB"
