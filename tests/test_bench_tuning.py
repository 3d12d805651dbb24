"""`bench.tuning` measures every setting beside the server as it is, and says what it does not measure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_settings_are_measured_beside_the_server_as_it_is(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench.tuning", "jemalloc", "--quick", "--engine", "tone", "--json", figures],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(figures.read_text())}
    assert all(name in done.stdout for name in rows)
    for figure in ("first audio, median", "lateness, p99", "CPU per second of audio", "memory, most"):
        usual, mine = rows[f"as it is: {figure}"], rows[f"jemalloc: {figure}"]
        assert usual["value"] > 0 and usual["more"] == {}
        assert mine["more"]["from"] == mine["more"]["to"] == pytest.approx(mine["value"] / usual["value"])
    unmeasured = rows["GPU: persistence mode, locked clocks"]
    assert unmeasured["value"] is None and "not measured" in unmeasured["note"]
