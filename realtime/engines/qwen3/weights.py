"""Tensors of a checkpoint, asked for by name and shape."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from realtime.errors import EngineError


class Weights:
    """The tensors of a file whose names begin with `prefix`, and where and how they are to be kept."""

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        prefix: str = "",
    ) -> None:
        self._tensors = tensors
        self._prefix = prefix
        self.device = torch.device(device)
        self.dtype = dtype

    def at(self, name: str | int) -> Weights:
        """Those below a name: `Weights(t).at("decoder").at(0).take("weight")` is `decoder.0.weight`."""
        return Weights(self._tensors, self.device, self.dtype, f"{self._prefix}{name}.")

    def raw(self, name: str, *shape: int) -> Tensor:
        """One tensor as it lies in the file; raises `EngineError` when it is missing or misshapen."""
        full = self._prefix + name
        tensor = self._tensors.get(full)
        if tensor is None:
            raise EngineError(f"the model lacks the weight {full}")
        if tuple(tensor.shape) != shape:
            raise EngineError(
                f"the weight {full} has the shape {_text(tensor.shape)}; it must be {_text(shape)}"
            )
        return tensor.detach()

    def take(self, name: str, *shape: int) -> Tensor:
        """The same in float32, to be worked on."""
        return self.raw(name, *shape).to(torch.float32)

    def place(self, tensor: Tensor) -> Tensor:
        """What was made of tensors, as it is kept."""
        return tensor.to(self.device, self.dtype).contiguous()

    def keep(self, name: str, *shape: int) -> Tensor:
        """One tensor as it is kept."""
        return self.place(self.raw(name, *shape))

    def keep_if(self, present: bool, name: str, *shape: int) -> Tensor | None:
        """The same of a tensor that only some models have."""
        return self.keep(name, *shape) if present else None


def _text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "of one number"
