"""From a model's name to what speaks: its files, where it runs, whether it fits, and its parts.

Before a weight is read or memory is taken, the model is made of tensors without contents (`memory`): so a
weight that is missing or misshapen, and too little memory, are found out at once, and nothing is left half
loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
import torch

from realtime.engines.engine import ModelSettings
from realtime.engines.qwen3.clone import CloneEncoder
from realtime.engines.qwen3.codec import Codec
from realtime.engines.qwen3.configuration import ModelConfig, read_config
from realtime.engines.qwen3.description import describe
from realtime.engines.qwen3.devices import Place, choose_place, free_memory, set_allocator, set_up
from realtime.engines.qwen3.fetching import Progress, resolve
from realtime.engines.qwen3.memory import PREFIX_POSITIONS, gigabytes, needed
from realtime.engines.qwen3.step import Decoder
from realtime.engines.qwen3.talker import Talker
from realtime.engines.qwen3.tensors import Tensors
from realtime.engines.qwen3.tokenizer import Tokenizer
from realtime.errors import EngineError

#: Utterances that may be open for each that is spoken in one step: steps are many times faster than sound.
ROWS_PER_PLACE = 8
#: Of one generation, prompt and frames: 2048 are 160 s.
POSITIONS = 2048
LOADING = "loading"
CAPTURING = "graphs"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A loaded model. `name` tells it from any other, also from one of the same name whose files differ.

    `decoder` and `codec` have as many rows. `encoder` is there if it clones voices.
    """

    name: str
    config: ModelConfig
    tokenizer: Tokenizer
    decoder: Decoder
    codec: Codec
    encoder: CloneEncoder | None
    place: Place


def load(
    settings: ModelSettings,
    progress: Progress,
    *,
    positions: int = POSITIONS,
    most_rows: int | None = None,
) -> Model:
    """The model of `settings`, ready to speak; in the thread that is to run its steps.

    There are `most_rows` rows (None: `ROWS_PER_PLACE` for each of `max_batch_size`), or as many as memory
    allows, but not fewer than `max_batch_size`. `progress` is told what is done and how far it is. Raises
    `EngineError` with one line: what is wrong with the files or settings, or that memory does not suffice.
    """
    set_allocator()
    place = choose_place(settings.device, settings.dtype, settings.attention)
    folder = resolve(settings.model_id, progress)
    config = read_config(folder)
    tokenizer = Tokenizer.read(folder)
    done = set_up(place)
    with Tensors(folder) as tensors, Tensors(folder / "speech_tokenizer") as codec_tensors:
        least = settings.max_batch_size
        need = needed(config, tensors, codec_tensors, place, positions, least)
        rows = need.rows(free_memory(place.device), least, most_rows or ROWS_PER_PLACE * least)
        _log.info(
            "engine_loads_model",
            model=settings.model_id,
            kind=config.kind,
            device=place.name,
            dtype=str(place.dtype).removeprefix("torch."),
            attention=place.attention,
            why=place.why,
            kernels=place.kernels,
            rows=rows,
            positions=positions,
            memory=gigabytes(need.once + rows * need.row),
            **done,
        )
        _count(progress, config, tensors, codec_tensors)
        name = f"{settings.model_id}@{describe(str(folder)).revision}"
        try:
            decoder, codec, encoder = _parts(config, tensors, codec_tensors, place, rows, positions, settings)
            _capture(decoder, codec, place, progress)
        except torch.OutOfMemoryError as error:
            reason = str(error).splitlines()[0]
            raise EngineError(f"the GPU has too little memory for this model: {reason}") from None
        finally:
            if place.is_cuda:
                torch.cuda.empty_cache()
    progress(LOADING, 1.0)
    return Model(name, config, tokenizer, decoder, codec, encoder, place)


def _parts(
    config: ModelConfig,
    tensors: Tensors,
    codec_tensors: Tensors,
    place: Place,
    rows: int,
    positions: int,
    settings: ModelSettings,
) -> tuple[Decoder, Codec, CloneEncoder | None]:
    talker = Talker.from_state(config, tensors, place.device, place.dtype)
    decoder = Decoder(
        talker,
        rows,
        positions,
        attention=place.attention,
        graphs=place.is_cuda,
        compile=settings.compile,
        batch_sizes=batch_sizes(settings.max_batch_size),
        prefix_positions=PREFIX_POSITIONS,
    )
    codec = Codec.from_state(
        config.codec,
        codec_tensors,
        rows,
        place.device,
        place.dtype,
        compile=settings.compile,
        kernels=place.kernels,
    )
    encoder = None
    if config.kind == "base":
        encoder = CloneEncoder.from_states(config, tensors, codec_tensors, place.device)
    return decoder, codec, encoder


def batch_sizes(most: int) -> tuple[int, ...]:
    """How many places steps have: powers of two, and `most`."""
    return (*(1 << power for power in range((most - 1).bit_length())), most)


def _capture(decoder: Decoder, codec: Codec, place: Place, progress: Progress) -> None:
    """All graphs, before anybody speaks; without a GPU there is nothing to capture."""
    if place.is_cuda:
        decoder.prepare(lambda done, whole: progress(CAPTURING, done / whole))
        codec.capture(decoder.batch_sizes)


def _count(progress: Progress, config: ModelConfig, tensors: Tensors, codec_tensors: Tensors) -> None:
    """Tells `progress` how much of the weights has been read."""
    prefixes = ("decoder.", "encoder.") if config.kind == "base" else ("decoder.",)
    whole = tensors.numbers("") + codec_tensors.numbers(*prefixes)
    read = 0

    def on_read(numbers: int) -> None:
        nonlocal read
        read += numbers
        progress(LOADING, min(1.0, read / whole))

    tensors.on_read = codec_tensors.on_read = on_read
