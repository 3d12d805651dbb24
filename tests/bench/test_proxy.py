"""`bench.proxy` runs, and writes what it prints; what it measures is not judged here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_way_has_its_figures(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    done = subprocess.run(
        [sys.executable, "-m", "bench.proxy", "--quick", "--json", str(figures)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(figures.read_text())}
    assert all(name in done.stdout for name in rows)
    # Ten ways, six of them with a target; a rate of requests and one of files for five clients.
    assert len(rows) == 10 + 6 + 2 + 5 + 5 and all(row["value"] > 0 for row in rows.values())
    assert [row["limit"] for row in rows.values()].count(1.3) == 6
