"""What the parts of a model hold."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn


def held_bytes(part: object) -> int:
    """Of the tensors that a part holds; those that are views of one another count once."""
    storages = {
        each.untyped_storage()._cdata: each.untyped_storage().nbytes() for each in _tensors(part, set())
    }
    return sum(storages.values())


def _tensors(part: object, seen: set[int]) -> Iterator[Tensor]:
    if id(part) in seen:
        return
    seen.add(id(part))
    if isinstance(part, Tensor):
        yield part
    elif isinstance(part, dict):
        for each in part.values():
            yield from _tensors(each, seen)
    elif isinstance(part, list | tuple):
        for each in part:
            yield from _tensors(each, seen)
    elif isinstance(part, nn.Module) or type(part).__module__.startswith("realtime.engines.qwen3"):
        names = (*getattr(part, "__dict__", ()), *getattr(part, "__slots__", ()))
        for name in names:
            yield from _tensors(getattr(part, name, None), seen)
