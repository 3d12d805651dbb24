"""What the engine would find on a machine, as values; `surveyor` finds it out. No torch here."""

from __future__ import annotations

import msgspec


class Card(msgspec.Struct, frozen=True):
    """A GPU as torch sees it: `free` and `total` bytes; `capability` as "9.0"."""

    name: str
    capability: str
    free: int
    total: int
    bfloat16: bool


class Survey(msgspec.Struct, frozen=True):
    """What was found; texts that say why something cannot be are empty where it can.

    `cuda`: the version that torch was built for, empty for a build without. `place_error`: why the settings
    come to nothing here; else `device`, `dtype`, `attention` and `why` are what they come to.
    `flash`: whether flash-attn is installed. `near_cores`: how many are next to the GPU. `need` bytes, of
    those `free`, for MAX_BATCH_SIZE utterances; `counted`: by the model's files, else by its published size.
    """

    torch: str
    cuda: str
    no_cuda: str
    cards: tuple[Card, ...]
    place_error: str = ""
    device: str = ""
    dtype: str = ""
    attention: str = ""
    why: str = ""
    no_triton: str = ""
    flash: bool = False
    near_cores: int = 0
    folder: str = ""
    files_error: str = ""
    need: int = 0
    counted: bool = False
    free: int = 0
