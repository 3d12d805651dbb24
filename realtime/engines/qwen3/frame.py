"""One frame of B places as one function: talker, sampling, fifteen passes of the predictor, the next input.

Shapes depend on B and the bucket alone, nothing is read back, and nothing branches on values: so the same
function runs eagerly, is captured as a CUDA graph, or is compiled.
"""

from __future__ import annotations

from enum import IntEnum

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from realtime.engines.qwen3.attention import Attention, Places, SmallSdpa
from realtime.engines.qwen3.layers import rope_table
from realtime.engines.qwen3.sampling import Bars, Draw, Noise, drawn, penalised
from realtime.engines.qwen3.talker import Talker


class Field(IntEnum):
    """What a step is told of each place: rows of (fields, B) int32; from TEMPERATURE on they are float32."""

    ROW = 0
    TEXT = 1
    LENGTH = 2
    FRAME = 3
    SEED_LOW = 4
    SEED_HIGH = 5
    TOP_K = 6
    SUB_TOP_K = 7
    TEMPERATURE = 8
    REST = 9
    NOISE = 10
    PENALTY = 11
    SUB_TEMPERATURE = 12
    SUB_REST = 13
    SUB_NOISE = 14


class State:
    """What lasts from frame to frame: of every row, and of one more, which places that nobody uses work on.

    `kv`: (layers, 2, rows + 1, positions, kv_heads, head_dim). `last`: (rows + 1, hidden), the sum of the
    embeddings of a row's last codes. `seen`: (rows + 1, vocabulary), which first codes it has had.
    """

    def __init__(self, talker: Talker, rows: int, positions: int) -> None:
        heads, config = talker.stack.heads, talker.config.talker
        shape = (config.num_hidden_layers, 2, rows + 1, positions, heads.kv_heads, heads.head_dim)
        self.kv = torch.zeros(shape, device=talker.device, dtype=talker.dtype)
        self.last = torch.zeros(rows + 1, config.hidden_size, device=talker.device, dtype=talker.dtype)
        self.seen = torch.zeros(rows + 1, config.vocab_size, device=talker.device, dtype=torch.bool)
        self.rope = rope_table(positions, heads.head_dim, config.rope_theta, talker.device, talker.dtype)


class FrameFunction:
    """The function of the module's docstring, with the constants and the scratch memory it needs."""

    def __init__(self, talker: Talker, state: State, attention: Attention, places: int) -> None:
        self._talker, self._state, self._attention = talker, state, attention
        config, device = talker.config.talker, talker.device
        predictor, groups = config.code_predictor_config, talker.groups
        heads = talker.predictor.heads
        shape = (predictor.num_hidden_layers, 2, places, groups, heads.kv_heads, heads.head_dim)
        self._kv = torch.zeros(shape, device=device, dtype=talker.dtype)
        rope = rope_table(groups, heads.head_dim, predictor.rope_theta, device, talker.dtype)
        self._small = SmallSdpa(rope)
        self._noise = Noise(groups, max(config.vocab_size, predictor.vocab_size), device)
        self._bars = Bars(config, device)
        self._offsets = torch.tensor(talker.code_offsets, device=device)
        self._true = torch.ones((), device=device, dtype=torch.bool)

    def __call__(self, inputs: Tensor, bucket: int) -> Tensor:
        """The codes of one frame, (B, groups) int64, for `inputs` (fields, B) int32; moves the rows on."""
        talker, state = self._talker, self._state
        numbers = inputs[Field.TEMPERATURE :].view(torch.float32)[:, :, None]

        def number(field: Field) -> Tensor:
            return numbers[field - Field.TEMPERATURE]

        rows, length, frame = inputs[Field.ROW].long(), inputs[Field.LENGTH], inputs[Field.FRAME]
        rope, mask = state.rope[length], self._attention.mask(length, bucket)
        places = Places(inputs[Field.ROW], length, bucket, rope, mask)
        hidden = self._talk(state.last[rows] + talker.text[inputs[Field.TEXT]], places)

        noise = self._noise(inputs[Field.SEED_LOW], inputs[Field.SEED_HIGH], frame)
        scores = F.linear(hidden, talker.head).float()
        scores = self._bars(penalised(scores, state.seen[rows], number(Field.PENALTY)), frame)
        draw = Draw(
            number(Field.TEMPERATURE),
            inputs[Field.TOP_K].long()[:, None],
            number(Field.REST),
            number(Field.NOISE),
        )
        first = drawn(scores, draw, noise[:, 0])
        state.seen.index_put_((rows, first), self._true)
        draw = Draw(
            number(Field.SUB_TEMPERATURE),
            inputs[Field.SUB_TOP_K].long()[:, None],
            number(Field.SUB_REST),
            number(Field.SUB_NOISE),
        )
        codes = self._predict(hidden, first, draw, noise)
        state.last.index_copy_(0, rows, talker.codes[codes + self._offsets].sum(1))
        return codes

    def _talk(self, x: Tensor, places: Places) -> Tensor:
        """The talker's hidden state, (B, hidden), of its inputs."""
        stack, kv = self._talker.stack, self._state.kv

        def attend(index: int, qkv: Tensor) -> Tensor:
            norm = stack.layer(index).qk_norm
            return self._attention(places, qkv, norm, stack.heads, kv[index, 0], kv[index, 1])

        hidden: Tensor = stack(x, attend)
        return hidden

    def _predict(self, hidden: Tensor, first: Tensor, draw: Draw, noise: Tensor) -> Tensor:
        """All codes of a frame, (B, groups), from the talker's hidden state and the first of them."""
        talker = self._talker
        kv = self._kv[:, :, : hidden.shape[0]]
        codes = [first]
        for group in range(1, talker.groups):
            code = talker.small_codes[codes[-1] + talker.code_offsets[group - 1]]
            if group == 1:
                pair = torch.stack((talker.smaller(hidden), code), 1).flatten(0, 1)
                x = self._pass(pair, group, kv)[1::2]
            else:
                x = self._pass(code, group, kv)
            scores = F.linear(x, talker.heads[group - 1]).float()
            codes.append(drawn(scores, draw, noise[:, group]))
        return torch.stack(codes, 1)

    def _pass(self, x: Tensor, at: int, kv: Tensor) -> Tensor:
        """One pass of the predictor over tokens at position `at`; the first is over 0 and 1 at once."""
        stack = self._talker.predictor

        def attend(index: int, qkv: Tensor) -> Tensor:
            norm, keys, values = stack.layer(index).qk_norm, kv[index, 0], kv[index, 1]
            if at == 1:
                return self._small.first(qkv, norm, stack.heads, keys, values)
            return self._small(at, qkv, norm, stack.heads, keys, values)

        out: Tensor = stack(x, attend)
        return out
