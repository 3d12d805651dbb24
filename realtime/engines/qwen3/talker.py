"""The talker and its predictor: weights of a checkpoint, put in the order in which a step reads them.

What does not depend on what is said is worked out once, when the model is loaded: the projection of every
text token, and the projection of every code to the predictor's width. A step looks them up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from realtime.engines.qwen3.configuration import ModelConfig
from realtime.engines.qwen3.layers import Stack
from realtime.engines.qwen3.weights import Weights

#: So many rows of a table are projected at a time: it bounds the memory that takes.
_ROWS_AT_ONCE = 8192


class Talker(nn.Module):
    """The weights of talker and predictor. Made with `from_state`.

    `text`: (text vocabulary, hidden), projected. `codes`: (all codes + 1, hidden), the embeddings of the
    codes of all groups, one group after another; the last row is of zeros. `code_offsets`: (groups,), where
    a group begins there. `small_codes`: the same table as the predictor takes it, (all codes + 1, its width).
    `head`: (vocabulary, hidden). `heads`: (groups - 1, predictor's vocabulary, its width).
    """

    text: Tensor
    codes: Tensor
    small_codes: Tensor
    head: Tensor
    heads: Tensor
    small: Tensor | None
    small_bias: Tensor | None

    def __init__(self, config: ModelConfig, weights: Weights) -> None:
        super().__init__()
        self.config = config
        talker, predictor = config.talker, config.talker.code_predictor_config
        hidden, width, groups = talker.hidden_size, predictor.hidden_size, talker.num_code_groups

        def keep(name: str, tensor: Tensor | None) -> None:
            self.register_buffer(name, tensor, persistent=False)

        self.stack = Stack(weights, "talker.model.", talker)
        self.predictor = Stack(weights, "talker.code_predictor.model.", predictor)
        keep("text", _projected_text(config, weights))
        tables = [weights.keep("talker.model.codec_embedding.weight", talker.vocab_size, hidden)]
        at = "talker.code_predictor.model.codec_embedding."
        sizes = (predictor.vocab_size, hidden)
        tables += [weights.keep(f"{at}{group}.weight", *sizes) for group in range(groups - 1)]
        codes = torch.cat([*tables, torch.zeros_like(tables[0][:1])])
        keep("codes", codes)
        self.code_offsets = (
            0,
            *(talker.vocab_size + group * predictor.vocab_size for group in range(groups - 1)),
        )
        keep("head", weights.keep("talker.codec_head.weight", talker.vocab_size, hidden))
        at, sizes = "talker.code_predictor.lm_head.", (predictor.vocab_size, width)
        heads = [weights.keep(f"{at}{group}.weight", *sizes) for group in range(groups - 1)]
        keep("heads", torch.stack(heads))
        at, differs = "talker.code_predictor.small_to_mtp_projection.", hidden != width
        keep("small", weights.keep_if(differs, at + "weight", width, hidden))
        keep("small_bias", weights.keep_if(differs, at + "bias", width))
        keep("small_codes", self.smaller(codes) if differs else codes)

    @classmethod
    def from_state(
        cls, config: ModelConfig, state: Mapping[str, Tensor], device: torch.device, dtype: torch.dtype
    ) -> Self:
        """The model of the tensors of `model.safetensors`, by their names there.

        Raises `EngineError` that names a weight which is missing or has another shape.
        """
        return cls(config, Weights(state, device, dtype)).eval()

    @property
    def groups(self) -> int:
        """Codes of one frame: 16."""
        return self.config.talker.num_code_groups

    @property
    def nothing(self) -> int:
        """The row of `codes` that adds nothing."""
        return self.codes.shape[0] - 1

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.codes.device

    @property
    def dtype(self) -> torch.dtype:
        """The kind of number the weights are."""
        return self.codes.dtype

    def small_code(self, group: int, codes: Tensor) -> Tensor:
        """`codes` (B,) of a group as the predictor takes them: (B, its width)."""
        end = self.code_offsets[group + 1] if group + 1 < self.groups else self.nothing
        return F.embedding(codes, self.small_codes[self.code_offsets[group] : end])

    def smaller(self, x: Tensor) -> Tensor:
        """Of the talker's width, as the predictor takes it."""
        return x if self.small is None else F.linear(x, self.small, self.small_bias)


def _projected_text(config: ModelConfig, weights: Weights) -> Tensor:
    """`text_projection` of the embedding of every text token."""
    size, hidden = config.talker.text_hidden_size, config.talker.hidden_size
    at = "talker.text_projection.linear_fc"
    first, second = weights.keep(f"{at}1.weight", size, size), weights.keep(f"{at}2.weight", hidden, size)
    first_bias, second_bias = weights.keep(f"{at}1.bias", size), weights.keep(f"{at}2.bias", hidden)
    rows = config.talker.text_vocab_size
    table = torch.empty(rows, hidden, device=weights.device, dtype=weights.dtype)
    embedding = weights.raw("talker.model.text_embedding.weight", rows, size)
    for start in range(0, rows, _ROWS_AT_ONCE):
        part = embedding[start : start + _ROWS_AT_ONCE].to(weights.device, weights.dtype)
        inner = F.silu(F.linear(part, first, first_bias))
        table[start : start + _ROWS_AT_ONCE] = F.linear(inner, second, second_bias)
    return table
