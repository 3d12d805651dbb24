"""The positions of a prompt before its last: their KV, in pieces of a fixed size.

A piece is one pass over its positions, against what the row already has. Where the pieces are cut depends on
the prompt alone, so that its result does not depend on how busy the others are.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realtime.engines.qwen3.attention import prefilled
from realtime.engines.qwen3.frame import State
from realtime.engines.qwen3.graphs import Runner, runner, staged
from realtime.engines.qwen3.layers import turned
from realtime.engines.qwen3.parts import Parts
from realtime.engines.qwen3.prompt import Prompt
from realtime.engines.qwen3.talker import Talker
from realtime.errors import EngineError

#: In the table of a piece, before the codes.
_ROW, _POSITION, _TEXT, _CODES = 0, 1, 2, 3


class Prefill:
    """Works on one row at a time. `piece`: positions of one pass; `buckets`: lengths it looks back over."""

    def __init__(
        self, talker: Talker, state: State, parts: Parts, buckets: tuple[int, ...], piece: int, graphs: bool
    ) -> None:
        self.piece = piece
        self._parts = parts
        self._talker, self._state, self._buckets = talker, state, buckets
        self._padded = graphs
        device, hidden = talker.device, talker.config.talker.hidden_size
        self._spare = state.last.shape[0] - 1
        self._table = torch.zeros(piece, _CODES + talker.groups, device=device, dtype=torch.int64)
        self._added = torch.zeros(piece, hidden, device=device, dtype=talker.dtype)
        self._runner: Runner[tuple[int, int]] = runner(self._pass, device, graphs)

    def prepare(self) -> None:
        """Makes ready what `run` will use."""
        self._table[:, _ROW] = self._spare
        for bucket in reversed(self._buckets):
            self._runner.prepare((self.piece, bucket))

    def run(self, row: int, start: int, rows: NDArray[np.int64], added: Tensor | None, added_at: int) -> None:
        """Positions from `start` on of `row`: at most a piece of the `rows` of `tabulated`.

        `added`: (hidden,), comes to the input of the position `start + added_at`.
        """
        count = len(rows)
        piece = self.piece if self._padded else count
        table = np.zeros((piece, _CODES + self._talker.groups), dtype=np.int64)
        # What fills a piece up is written to the spare row, where nobody looks.
        table[:, _ROW] = self._spare
        table[:count, _ROW] = row
        table[:, _POSITION] = np.minimum(start + np.arange(piece), self._state.kv.shape[3] - 1)
        table[:count, _TEXT:] = rows
        self._table[:piece].copy_(staged(table, self._talker.device), non_blocking=True)
        self._added.zero_()
        if added is not None:
            self._added[added_at] = added
        end = start + count
        self._runner.run((piece, next(size for size in self._buckets if size >= end)))

    def _pass(self, key: tuple[int, int]) -> None:
        count, bucket = key
        talker, state = self._talker, self._state
        stack, table = talker.stack, self._table[:count]
        rows, positions = table[:, _ROW], table[:, _POSITION]
        x = talker.text[table[:, _TEXT]] + talker.codes[table[:, _CODES:]].sum(1) + self._added[:count]
        rope = self._parts.rope[positions]
        # The first position is always one of the row's.
        row = rows[:1]

        def attend(index: int, qkv: Tensor) -> Tensor:
            keys, values = state.kv[index, 0], state.kv[index, 1]
            q, k, v = turned(qkv, stack.layer(index).qk_norm, rope, stack.heads)
            keys[rows, positions] = k
            values[rows, positions] = v
            return prefilled(q, keys[:, :bucket][row][0], values[:, :bucket][row][0], positions)

        stack(x, attend, self._parts.ops)


def tabulated(talker: Talker, prompt: Prompt) -> NDArray[np.int64]:
    """(P, 1 + groups): of each position its text and the rows of `talker.codes` that are added to it.

    Raises `EngineError` for a prompt that is no prompt of this model.
    """
    config = talker.config.talker
    count = len(prompt.text_ids)
    if prompt.codes.shape != (count, talker.groups) or count == 0:
        raise EngineError(
            f"a prompt of {count} positions must not be empty and needs codes of the shape"
            f" ({count}, {talker.groups}); it has {prompt.codes.shape}"
        )
    sizes = np.full(talker.groups, config.code_predictor_config.vocab_size)
    sizes[0] = config.vocab_size
    if (prompt.codes >= sizes).any() or (prompt.codes < -1).any():
        raise EngineError("a prompt has codes that the model does not know")
    if prompt.text_ids.min() < 0 or prompt.text_ids.max() >= config.text_vocab_size:
        raise EngineError(f"a prompt has text tokens that are not from 0 to {config.text_vocab_size - 1}")
    hidden = config.hidden_size
    if prompt.speaker is not None and prompt.speaker.shape != (hidden,):
        raise EngineError(f"a prompt has a voice of {prompt.speaker.shape} numbers; it must have {hidden}")
    if not -1 <= prompt.speaker_at < count or (prompt.speaker is None and prompt.speaker_at >= 0):
        raise EngineError(f"a prompt has no voice that could be at position {prompt.speaker_at}")
    codes = np.where(prompt.codes < 0, talker.nothing, prompt.codes + np.array(talker.code_offsets))
    return np.concatenate((prompt.text_ids[:, None], codes), axis=1)
