"""The Triton kernels can be built for GPUs, which their interpreter, where they are compared, cannot tell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.engines.qwen3.build_kernels import CONVOLUTIONS, PRODUCTS

#: Bytes that a block may have on cards of consumers (8.6, 8.9, 12.0); of the others all have more.
MOST_SHARED = 99 * 1024


def test_all_are_built_for_an_h200(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    built = subprocess.run(
        [sys.executable, "-m", "tests.engines.qwen3.build_kernels", "90"],
        env=environment | {"TRITON_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    found = {
        name: rest.split() for name, _, rest in (line.partition(": ") for line in built.stdout.splitlines())
    }
    assert found.keys() == {
        *("add_norm 1024", "add_norm 2048", "gated"),
        *(f"product {name} {inputs}" for name, inputs, *_ in PRODUCTS),
        *("attend 16 64", "attend 1 64", "attend 1 16", "combine"),
        *(f"convolution {inputs} {outputs} {taps}" for inputs, outputs, taps in CONVOLUTIONS),
        *("draw 3072", "draw 2048", "waves"),
    }
    assert 0 < max(int(shared) for shared, _ in found.values()) <= MOST_SHARED
    # Noise is a logarithm of a logarithm: near 1 an approximate one may be 0, and its logarithm infinite.
    assert all(approximate == "0" for _, approximate in found.values())
