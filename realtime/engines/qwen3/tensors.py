"""The tensors of a checkpoint's safetensors files, read one by one when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from realtime.errors import EngineError

_FILE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_MOST_BYTES_OF_INDEX = 64 * 1024 * 1024


class _Index(msgspec.Struct, frozen=True):
    """Which file has which tensor."""

    weight_map: dict[str, str]


class Tensors(Mapping[str, Tensor]):
    """What a model's file (or files, with an index) holds, by name. To be closed.

    Only headers are read at first, by which a file that was cut off is found out. A tensor that is asked for
    is read anew each time, so nobody needs memory for all of them.
    """

    def __init__(self, folder: Path) -> None:
        """Of the files in `folder`; raises `EngineError`: what is missing or damaged."""
        self._folder = folder
        self._files: dict[str, Any] = {}  # by tensor's name
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._open = ExitStack()
        self._given: set[str] = set()
        #: Told how many numbers have been given out for the first time, after each tensor.
        self.on_read: Callable[[int], None] = lambda numbers: None
        with ExitStack() as undo:
            undo.callback(self.close)
            for path, names in self._paths():
                self._add(path, names)
            undo.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """No tensor can be asked for from now on."""
        self._files.clear()
        self._open.close()

    def __getitem__(self, name: str) -> Tensor:
        file = self._files[name]
        try:
            tensor: Tensor = file.get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise EngineError(f"the weight {name} in {self._folder} cannot be read: {error}") from error
        if name not in self._given:
            self._given.add(name)
            self.on_read(tensor.numel())
        return tensor

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def outline(self) -> dict[str, Tensor]:
        """Tensors of the same names and shapes with nothing in them, for the device "meta"."""
        return {name: torch.empty(shape, device="meta") for name, shape in self._shapes.items()}

    def numbers(self, *prefixes: str) -> int:
        """How many numbers there are in the tensors whose names begin with one of `prefixes`."""
        return sum(
            torch.Size(shape).numel() for name, shape in self._shapes.items() if name.startswith(prefixes)
        )

    def _paths(self) -> list[tuple[Path, list[str] | None]]:
        """The files, and which tensors are in each; None: all that are there."""
        index = self._folder / _INDEX
        if (self._folder / _FILE).is_file() or not index.is_file():
            return [(self._folder / _FILE, None)]
        try:
            with index.open("rb") as file:
                weight_map = msgspec.json.decode(file.read(_MOST_BYTES_OF_INDEX), type=_Index).weight_map
        except (OSError, msgspec.MsgspecError) as error:
            raise EngineError(f"{index} cannot be read: {error}") from None
        by_file: dict[str, list[str]] = {}
        for name, file_name in weight_map.items():
            by_file.setdefault(file_name, []).append(name)
        # The name alone: an index must not lead out of its folder.
        return [(self._folder / Path(file_name).name, names) for file_name, names in by_file.items()]

    def _add(self, path: Path, names: list[str] | None) -> None:
        if not path.is_file():
            raise EngineError(f"{path} is missing; a model must be there, or be fetched, as a whole")
        try:
            file = self._open.enter_context(safe_open(path, framework="pt", device="cpu"))
            there = set(file.keys())
            for name in there if names is None else names:
                if name not in there:
                    raise EngineError(f"{path} lacks the weight {name}, which its index says is there")
                self._files[name] = file
                self._shapes[name] = tuple(file.get_slice(name).get_shape())
        except (SafetensorError, OSError) as error:
            raise EngineError(f"{path} is damaged or was cut off: {error}") from error
