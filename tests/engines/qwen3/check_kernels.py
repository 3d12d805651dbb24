"""Runs the step's Triton kernels on the CPU, in Triton's interpreter, and compares them with what is simple.

    TRITON_INTERPRET=1 python -m tests.engines.qwen3.check_kernels [--full | --spoil] [--checkpoint FOLDER]

A line for each check, then how many there were; the exit status tells whether all passed. It takes half a
minute; with `--full` four, for heads as in the published models and batches of 12. With `--spoil` the kernels
are made wrong first, and each kind of check is made once: all must fail. FOLDER is that of a tiny checkpoint;
without it one is written.
"""

from __future__ import annotations

import argparse
import inspect
import os
import sys
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from realtime.engines.qwen3.checks import Check, check_parts
from realtime.engines.qwen3.configuration import PredictorConfig, TalkerConfig, read_config
from realtime.engines.qwen3.prompt import Sampling
from realtime.engines.qwen3.step import Decoder
from tests.engines.qwen3.checkpoint import write_checkpoint
from tests.engines.qwen3.decoding import CPU, GREEDY, SAMPLED, decoded, invented, load_talker


def _config(width: int, between: int, heads: int) -> TalkerConfig:
    """For each two heads one of keys, in talker and predictor; `between`: of the two matrices of an MLP."""
    return TalkerConfig(
        vocab_size=3072,
        hidden_size=width,
        intermediate_size=between,
        num_attention_heads=heads,
        num_key_value_heads=heads // 2,
        head_dim=128,
        rope_theta=1e6,
        num_code_groups=16,
        codec_eos_token_id=2150,
        code_predictor_config=PredictorConfig(
            hidden_size=width,
            intermediate_size=between,
            num_hidden_layers=2,
            num_attention_heads=heads,
            num_key_value_heads=heads // 2,
        ),
    )


#: The first code of a frame is the likeliest, the others are drawn.
HALF = replace(SAMPLED, do_sample=False)
#: Heads as in the published models, less wide between.
FULL = _config(256, 512, 16)
#: Few heads: each is a program of its own. Widths that fill no block.
QUICK = _config(160, 1200, 4)
#: Nothing before; one position in the third block; several blocks to a split, the last not full, and splits
#: of nothing.
LENGTHS = (0, 65, 1100)


def main() -> int:
    parser = argparse.ArgumentParser()
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--full", action="store_true")
    extent.add_argument("--spoil", action="store_true")
    parser.add_argument("--checkpoint", type=Path)
    asked = parser.parse_args()
    if os.environ.get("TRITON_INTERPRET") != "1":
        print("set TRITON_INTERPRET=1", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    _hasten()
    if asked.spoil:
        _spoil()
    # The interpreter multiplies bfloat16 as if it were whole numbers: that is left to a GPU.
    if asked.full:
        made = check_parts("triton", FULL, CPU, torch.float32)
        made += check_parts("triton", FULL, CPU, torch.float16)
    elif asked.spoil:
        made = check_parts("triton", QUICK, CPU, torch.float32, (1,), LENGTHS[1:2])
    else:
        made = check_parts("triton", QUICK, CPU, torch.float32, (3,), LENGTHS)
        made += check_parts("triton", QUICK, CPU, torch.float16, (1,), LENGTHS)
    with tempfile.TemporaryDirectory() as folder:
        path = asked.checkpoint or write_checkpoint(Path(folder), "custom_voice")
        if asked.spoil:
            made.append(_codes(path, GREEDY, 1))
        else:
            # The second frame rests on the first; how codes are drawn of later ones is checked apart.
            frames = {GREEDY: 4, SAMPLED: 4} if asked.full else {HALF: 2}
            made += [_codes(path, *each) for each in frames.items()]
    for check in made:
        print(
            f"{'ok ' if check.passed else 'BAD'} {check.error:12.3g} (at most {check.limit:g})  {check.name}"
        )
    failed = sum(not check.passed for check in made)
    print(f"{len(made)} checks, {failed} failed")
    return 1 if failed else 0


def _codes(path: Path, sampling: Sampling, frames: int) -> Check:
    """The share of codes of a tiny model that differ from those without kernels."""
    config, talker = read_config(path), load_talker(path)
    spoken = invented(config, 1, length=90, cacheable=10, sampling=sampling, speaker=True)
    wanted, found = (
        decoded(Decoder(talker, 2, 128, batch_sizes=(1,), attention=kind), spoken, frames)
        for kind in ("sdpa", "triton")
    )
    how = {(False, False): "greedy", (True, True): "sampled"}.get(
        (sampling.do_sample, sampling.sub_do_sample), "greedy and sampled"
    )
    return Check(f"{how} codes of {len(found)} frames", float(np.mean(wanted != found)), 0.0)


def _hasten() -> None:
    """The interpreter looks for Triton's own functions at each call: which they are is found once."""
    from triton import language
    from triton.runtime import interpreter

    @cache
    def names(package: Any) -> list[str]:
        return [name for name, member in inspect.getmembers(package) if language.core.is_builtin(member)]

    def patch(package: Any, builder: Any, scope: Any) -> None:
        for name in names(package):
            if language.core.is_builtin(member := getattr(package, name)):
                interpreter._patch_attr(package, name, member, builder, scope)

    interpreter._patch_builtin = patch


def _spoil() -> None:
    """Makes kernels wrong: heads and inputs a hundredth too large, open gates, noise of other numbers."""
    from realtime.engines.qwen3 import kernels, triton_kernels

    turned, row = triton_kernels._turned, triton_kernels._row

    def longer(*given: Any) -> Any:
        return turned(*given) * 1.01

    def larger(*given: Any) -> Any:
        return row(*given) * 1.01

    def open_gates(self: kernels.KernelOps, gate_up: Tensor) -> Tensor:
        return gate_up.chunk(2, -1)[1].contiguous()

    triton_kernels._turned = longer
    triton_kernels._row = larger
    kernels.KernelOps.gated = open_gates  # type: ignore[method-assign]
    kernels.ID_STEP += 2  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
