"""The step's own kernels do what is simple, in Triton's interpreter: `check_kernels` in a process of its own.

What is interpreted is decided when Triton is imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def check(checkpoint: Path, *options: str) -> tuple[int, list[str], list[str], str]:
    """The exit status; the names of the checks that passed, and of those that failed; the last line."""
    command = [sys.executable, "-m", "tests.engines.qwen3.check_kernels", "--checkpoint", str(checkpoint)]
    ran = subprocess.run(
        [*command, *options], env=os.environ | {"TRITON_INTERPRET": "1"}, capture_output=True, text=True
    )
    *lines, last = ran.stdout.splitlines() or [ran.stderr]
    passed, failed = (
        [line.partition(")  ")[2] for line in lines if line.split()[0] == said] for said in ("ok", "BAD")
    )
    assert len(passed) + len(failed) == len(lines), ran.stdout
    return ran.returncode, passed, failed, last


def test_kernels_do_what_is_simple(custom_voice: Path) -> None:
    status, passed, failed, last = check(custom_voice)
    assert (status, failed, last) == (0, [], f"{len(passed)} checks, 0 failed")
    assert len(passed) >= 11
    assert passed[-1] == "greedy and sampled codes of 2 frames"


def test_wrong_kernels_are_found(custom_voice: Path) -> None:
    """Each check can fail, so a kernel that is never called, or compared with itself, is not what passes."""
    status, passed, failed, last = check(custom_voice, "--spoil")
    assert (status, last) == (1, f"{len(passed) + len(failed)} checks, {len(failed)} failed")
    assert set(failed) >= {
        "triton: attention of 1",
        "triton: the predictor's attention of 1",
        "triton: between matrices, of 1",
        "triton: products of 1",
        "triton: codes drawn otherwise, of 24",
        "greedy codes of 1 frames",
    }
