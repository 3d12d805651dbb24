"""The parts of a step against the same in float64, and each other; `bench` checks what only a GPU can run."""

from __future__ import annotations

import builtins
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch

from realtime.engines.qwen3 import parts
from realtime.engines.qwen3.attention import Sdpa
from realtime.engines.qwen3.checks import Check, check_parts, exact_attention
from realtime.engines.qwen3.configuration import read_config
from realtime.engines.qwen3.layers import Heads, rope_table
from realtime.engines.qwen3.parts import make_parts
from realtime.engines.qwen3.step import Decoder
from realtime.errors import EngineError
from tests.engines.qwen3.check_kernels import FULL
from tests.engines.qwen3.decoding import CPU, load_talker


@pytest.mark.parametrize("kind", ["sdpa"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_parts_of_each_kind_agree(kind: str, dtype: torch.dtype) -> None:
    made = check_parts(kind, FULL, CPU, dtype)
    assert len(made) == 4 * 4
    assert all(check.passed for check in made), made


def test_a_check_can_fail() -> None:
    assert Check("", 0.1, 0.1).passed
    assert not Check("", 0.11, 0.1).passed
    assert not Check("", float("nan"), 0.1).passed


def test_a_wrong_part_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """One position too few, a write to another row, one part of the noise gone: each of them is told."""
    right = Sdpa.begin

    def too_few(self: Sdpa, rows: torch.Tensor, lengths: torch.Tensor, bucket: int) -> Any:
        places = right(self, rows, lengths, bucket)
        assert places.mask is not None
        places.mask[..., 0] = False
        places.mask[0, ..., 0] = bool(lengths[0] == 0)
        return places

    monkeypatch.setattr(Sdpa, "begin", too_few)
    failed = [check.name for check in check_parts("sdpa", FULL, CPU, torch.float32) if not check.passed]
    assert failed == [f"sdpa: attention of {size}" for size in (1, 2, 4, 12)]


def test_it_turns_and_norms_as_the_reference_does() -> None:
    """The reference of the checks against a formula of its own: one key sees itself alone."""
    heads = Heads(4, 2, 16, 1e-6)
    generator = torch.Generator().manual_seed(0)
    qkv = torch.randn(1, heads.width, generator=generator)
    keys, values = torch.randn(2, 3, 40, 2, 16, generator=generator).unbind(0)
    norm = torch.rand(6, 16, generator=generator)
    rope = rope_table(40, 16, 1e4, CPU, torch.float32)
    way = Sdpa(heads, rope)
    for length in (0, 1, 30):
        exact = exact_attention(qkv[0], norm, heads, 1e4, keys[1], values[1], length)
        at = torch.tensor([length], dtype=torch.int32)
        out = way(way.begin(torch.tensor([1], dtype=torch.int32), at, 40), qkv, norm, keys, values)
        torch.testing.assert_close(out[0].double(), exact, rtol=0, atol=1e-6)
        if length == 0:
            assert torch.equal(out.view(4, 16), qkv.view(8, 16)[[6, 6, 7, 7]])


def test_kinds_that_are_not_there_are_refused(custom_voice: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talker = load_talker(custom_voice)
    with pytest.raises(
        EngineError, match=r"^there is no attention 'fast'; it must be one of sdpa, triton, flash$"
    ):
        Decoder(talker, 1, 64, attention="fast")
    monkeypatch.setattr(parts, "has_triton", lambda: False)
    with pytest.raises(EngineError, match=r"^the attention 'triton' needs the package triton"):
        Decoder(talker, 1, 64, attention="triton")
    imported = builtins.__import__

    def without_flash(name: str, *rest: Any) -> Any:
        if name == "flash_attn":
            raise ImportError("No module named 'flash_attn'")
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_flash)
    with pytest.raises(EngineError, match=r"^the attention 'flash' needs the package flash-attn"):
        Decoder(talker, 1, 64, attention="flash")


def test_flash_attn_is_called_as_it_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in that does what its documentation says: appends to rows by index, and is causal."""

    def flash_attn_with_kvcache(
        q: torch.Tensor,
        k_cache: torch.Tensor,
        v_cache: torch.Tensor,
        k: torch.Tensor,
        v: torch.Tensor,
        *,
        cache_seqlens: torch.Tensor,
        cache_batch_idx: torch.Tensor,
        causal: bool,
    ) -> torch.Tensor:
        assert causal
        assert {cache_seqlens.dtype, cache_batch_idx.dtype} == {torch.int32}
        assert cache_seqlens.is_contiguous()
        assert cache_batch_idx.is_contiguous()
        assert q.shape == (len(k), 1, 16, 128)
        assert k.shape == v.shape == (len(k), 1, 8, 128)
        out = torch.empty_like(q)
        for place, (row, length) in enumerate(
            zip(cache_batch_idx.tolist(), cache_seqlens.tolist(), strict=True)
        ):
            k_cache[row, length], v_cache[row, length] = k[place, 0], v[place, 0]
            out[place] = torch.nn.functional.scaled_dot_product_attention(
                q[place].transpose(0, 1),
                k_cache[row, : length + 1].transpose(0, 1),
                v_cache[row, : length + 1].transpose(0, 1),
                enable_gqa=True,
            ).transpose(0, 1)
        return out

    module = types.ModuleType("flash_attn")
    module.flash_attn_with_kvcache = flash_attn_with_kvcache  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flash_attn", module)
    monkeypatch.setattr(parts, "has_triton", lambda: False)
    made = check_parts("flash", FULL, CPU, torch.float32)
    assert all(check.passed for check in made), made


def test_compiled_parts_give_the_same(custom_voice: Path) -> None:
    config = read_config(custom_voice).talker
    made = make_parts("sdpa", config, 128, 2, CPU, torch.float32, "eager")
    assert made.ops.gated(torch.ones(2, 4)).shape == (2, 2)
