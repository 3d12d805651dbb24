"""One frame of B places as one function: talker, sampling, fifteen passes of the predictor, the next input.

Shapes depend on B and the bucket alone, nothing is read back, and nothing branches on values: so the same
function runs eagerly, is captured as a CUDA graph, or is compiled.
"""

from __future__ import annotations

import torch
from torch import Tensor

from realtime.engines.qwen3.attention import Places
from realtime.engines.qwen3.fields import Field
from realtime.engines.qwen3.parts import Parts
from realtime.engines.qwen3.talker import Talker


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


class FrameFunction:
    """The function of the module's docstring, with the scratch memory it needs for so many `places`."""

    def __init__(self, talker: Talker, state: State, parts: Parts, places: int) -> None:
        self._talker, self._state, self._parts = talker, state, parts
        config, device = talker.config.talker, talker.device
        heads, predictor = talker.predictor.heads, config.code_predictor_config
        shape = (predictor.num_hidden_layers, 2, places, talker.groups, heads.kv_heads, heads.head_dim)
        self._kv = torch.zeros(shape, device=device, dtype=talker.dtype)
        self._offsets = torch.tensor(talker.code_offsets, device=device)

    def __call__(self, inputs: Tensor, bucket: int) -> Tensor:
        """The codes of one frame, (B, groups) int64, for `inputs` (fields, B) int32; moves the rows on."""
        talker, state = self._talker, self._state
        sampler, ops = self._parts.sampler, self._parts.ops
        rows = inputs[Field.ROW].long()
        places = self._parts.attention.begin(inputs[Field.ROW], inputs[Field.LENGTH], bucket)
        hidden = self._talk(state.last[rows] + talker.text[inputs[Field.TEXT]], places)
        drawing = sampler.begin(inputs)
        codes = [sampler.first(drawing, ops.product(hidden, talker.head), state.seen)]
        kv = self._kv[:, :, : hidden.shape[0]]
        for group in range(1, talker.groups):
            x = talker.small_code(group - 1, codes[-1])
            if group == 1:
                pair = torch.stack((talker.smaller(hidden), x), 1).flatten(0, 1)
                x = self._pass(pair, group, kv)[1::2]
            else:
                x = self._pass(x, group, kv)
            codes.append(sampler.other(drawing, group, ops.product(x, talker.heads[group - 1])))
        frame = torch.stack(codes, 1)
        state.last.index_copy_(0, rows, talker.codes[frame + self._offsets].sum(1))
        return frame

    def _talk(self, x: Tensor, places: Places) -> Tensor:
        """The talker's hidden state, (B, hidden), of its inputs."""
        stack, kv, attention = self._talker.stack, self._state.kv, self._parts.attention

        def attend(index: int, qkv: Tensor) -> Tensor:
            norm = stack.layer(index).qk_norm
            return attention(places, qkv, norm, kv[index, 0], kv[index, 1])

        hidden: Tensor = stack(x, attend, self._parts.ops)
        return hidden

    def _pass(self, x: Tensor, at: int, kv: Tensor) -> Tensor:
        """One pass of the predictor over tokens at position `at`; the first is over 0 and 1 at once."""
        stack, small = self._talker.predictor, self._parts.small

        def attend(index: int, qkv: Tensor) -> Tensor:
            norm, keys, values = stack.layer(index).qk_norm, kv[index, 0], kv[index, 1]
            return small.first(qkv, norm, keys, values) if at == 1 else small(at, qkv, norm, keys, values)

        out: Tensor = stack(x, attend, self._parts.ops)
        return out
