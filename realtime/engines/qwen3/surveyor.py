"""What this engine would find on this machine, without loading a model: for whoever looks for what is wrong.

A program: `SETTINGS` are `ModelSettings` as JSON, and a `Survey` as JSON comes out. In a process of its own
torch takes neither the memory nor the time of the one that asks, and may crash.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import msgspec
import torch
from msgspec.structs import replace

from realtime.engines.engine import ModelSettings
from realtime.engines.qwen3.affinity import near_cpus, pci_address
from realtime.engines.qwen3.configuration import read_config
from realtime.engines.qwen3.devices import Place, choose_place, free_memory, set_allocator
from realtime.engines.qwen3.fetching import resolve
from realtime.engines.qwen3.loader import POSITIONS
from realtime.engines.qwen3.memory import SHARE, Need, needed, working_bytes
from realtime.engines.qwen3.parts import has_flash, why_no_triton
from realtime.engines.qwen3.survey import Card, Survey
from realtime.engines.qwen3.tensors import Tensors
from realtime.errors import EngineError

#: Bytes of the published models by size, in 16 bits, where they are not here to be counted: those of weights
#: and of what is kept of prompts, and those of each utterance that is open. As `memory` counts the real ones.
_PUBLISHED = {"0.6b": Need(2_102_000_000, 238_300_000), "1.7b": Need(4_500_000_000, 238_300_000)}
_SIZE = re.compile(r"qwen3-tts-12hz-(0\.6b|1\.7b)-", re.IGNORECASE)


def survey(settings: ModelSettings) -> Survey:
    """Looks at everything. Nothing is fetched; of a GPU no memory is taken but what CUDA takes to begin."""
    set_allocator()
    found = Survey(str(torch.__version__), torch.version.cuda or "", _no_cuda(), _cards(), flash=has_flash())
    try:
        folder: Path | None = resolve(settings.model_id, lambda what, fraction: None, offline=True)
    except EngineError as error:
        folder = None
        found = replace(found, files_error=error.message.partition(", and HF_HUB_OFFLINE")[0])
    found = replace(found, folder=str(folder or ""))
    try:
        place = choose_place(settings.device, settings.dtype, settings.attention)
    except EngineError as error:
        return replace(found, place_error=error.message)
    found = replace(
        found,
        device=place.name,
        dtype=str(place.dtype).removeprefix("torch."),
        attention=place.attention,
        why=place.why,
        no_triton=why_no_triton() if place.is_cuda else "",
        near_cores=_near_cores(place),
        free=free_memory(place.device),
    )
    try:
        need = _published(settings, place) if folder is None else _counted(folder, settings, place)
    except EngineError as error:
        return replace(found, files_error=error.message)
    if need is None:
        return found
    whole = int((need.once + settings.max_batch_size * need.row) / SHARE)
    return replace(found, need=whole, counted=folder is not None)


def _no_cuda() -> str:
    if torch.version.cuda is None:
        return "this torch is a build for the CPU"
    if torch.cuda.is_available():
        return ""
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]
    except Exception as error:  # of the driver, of its version, of what is not there: as torch says it
        return (str(error).strip() or type(error).__name__).splitlines()[0]
    return "torch finds no GPU"


def _cards() -> tuple[Card, ...]:
    cards = []
    for index in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        major, minor = torch.cuda.get_device_capability(index)
        free, total = torch.cuda.mem_get_info(index)
        bfloat16 = (major, minor) >= (8, 0)
        cards.append(Card(torch.cuda.get_device_name(index), f"{major}.{minor}", free, total, bfloat16))
    return tuple(cards)


def _near_cores(place: Place) -> int:
    address = pci_address(place.device.index or 0) if place.is_cuda else None
    return len(near_cpus(address)) if address else 0


def _counted(folder: Path, settings: ModelSettings, place: Place) -> Need:
    """By the headers of the files, in which a weight that is missing or misshapen is found as well."""
    config = read_config(folder)
    with Tensors(folder) as tensors, Tensors(folder / "speech_tokenizer") as codec_tensors:
        return needed(config, tensors, codec_tensors, place, POSITIONS, settings.max_batch_size)


def _published(settings: ModelSettings, place: Place) -> Need | None:
    size = _SIZE.search(settings.model_id)
    if size is None:
        return None
    half, times = _PUBLISHED[size[1].lower()], place.dtype.itemsize // 2
    return Need(half.once * times + working_bytes(place, settings.max_batch_size), half.row * times)


def main(arguments: list[str]) -> None:
    """`SETTINGS`, as JSON; writes the survey to standard output, and what else is printed to the errors."""
    out = os.dup(1)
    os.dup2(2, 1)
    found = survey(msgspec.json.decode(arguments[0], type=ModelSettings))
    with open(out, "wb") as result:
        result.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main(sys.argv[1:])
