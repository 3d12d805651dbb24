"""Runs the Triton kernels on the CPU, in Triton's interpreter, and compares them: where Triton is installed.

It is not among the packages of the tests (a gigabyte, for these kernels alone, and no build but for Linux):

    pip install triton && TRITON_INTERPRET=1 python -m tests.engines.qwen3.check_kernels
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from realtime.engines.qwen3.checks import Check, check_parts
from realtime.engines.qwen3.configuration import PredictorConfig, TalkerConfig, read_config
from realtime.engines.qwen3.step import Decoder
from tests.engines.qwen3.checkpoint import write_checkpoint
from tests.engines.qwen3.decoding import CPU, GREEDY, SAMPLED, decoded, invented, load_talker

#: Heads as in the published models, less wide between.
FULL = TalkerConfig(
    vocab_size=3072,
    hidden_size=256,
    intermediate_size=512,
    num_attention_heads=16,
    num_key_value_heads=8,
    head_dim=128,
    rope_theta=1e6,
    num_code_groups=16,
    codec_eos_token_id=2150,
    code_predictor_config=PredictorConfig(hidden_size=256, intermediate_size=512, num_hidden_layers=2),
)


def main() -> int:
    if os.environ.get("TRITON_INTERPRET") != "1":
        print("set TRITON_INTERPRET=1", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    # The interpreter multiplies bfloat16 as if it were whole numbers: that is left to a GPU.
    made = [
        check for dtype in (torch.float32, torch.float16) for check in check_parts("triton", FULL, CPU, dtype)
    ]
    made += _codes()
    for check in made:
        print(
            f"{'ok ' if check.passed else 'BAD'} {check.error:12.3g} (at most {check.limit:g})  {check.name}"
        )
    return 0 if all(check.passed for check in made) else 1


def _codes() -> list[Check]:
    """The share of codes of a tiny model that differ from those without kernels."""
    made = []
    with tempfile.TemporaryDirectory() as folder:
        path = write_checkpoint(Path(folder), "custom_voice")
        config, talker = read_config(path), load_talker(path)
        for sampling in (GREEDY, SAMPLED):
            spoken = invented(config, 1, length=90, cacheable=10, sampling=sampling, speaker=True)
            wanted, found = (
                decoded(Decoder(talker, 2, 128, batch_sizes=(1,), attention=kind), spoken, 4)
                for kind in ("sdpa", "triton")
            )
            made.append(Check(f"codes of {len(found)} frames", float(np.mean(wanted != found)), 0.0))
    return made


if __name__ == "__main__":
    sys.exit(main())
