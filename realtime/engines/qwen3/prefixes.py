"""KV of the first positions of prompts, the same for every text of one voice: bounded, allocated once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

import numpy as np
import torch
from torch import Tensor

from realtime.engines.qwen3.graphs import sent


class Prefixes:
    """Copies of KV by key. There is room for `positions` in all; what was used longest ago makes room."""

    def __init__(self, kv: Tensor, positions: int) -> None:
        """`kv`: (layers, 2, rows, positions, kv_heads, head_dim), whose rows are copied from and to."""
        self._kv = kv
        self._store = torch.zeros((*kv.shape[:2], positions, *kv.shape[4:]), device=kv.device, dtype=kv.dtype)
        self._free = list(range(positions))
        self._entries: OrderedDict[Hashable, tuple[list[int], Tensor]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, key: Hashable, row: int, count: int) -> None:
        """Keeps the first `count` positions of `row`, unless there is room for so many at no time."""
        self._drop(key)
        if count > self._store.shape[2]:
            return
        while len(self._free) < count:
            self._drop(next(iter(self._entries)))
        places = [self._free.pop() for _ in range(count)]
        index = sent(np.array(places), self._kv.device)
        self._store.index_copy_(2, index, self._kv[:, :, row, :count])
        self._entries[key] = (places, index)

    def restore(self, key: Hashable, row: int) -> bool:
        """Copies what is kept by `key` to the beginning of `row`; false if there is nothing."""
        if key not in self._entries:
            return False
        self._entries.move_to_end(key)
        places, index = self._entries[key]
        self._kv[:, :, row, : len(places)] = self._store.index_select(2, index)
        return True

    def _drop(self, key: Hashable) -> None:
        if key in self._entries:
            self._free.extend(self._entries.pop(key)[0])
