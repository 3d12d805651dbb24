"""The programs in `bench/` run, and write what they print; what they measure is not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def run(program: str, figures: Path) -> dict[str, dict[str, float]]:
    """The rows that a program wrote, by name, when it has printed all of them."""
    done = subprocess.run(
        [sys.executable, "-m", program, "--quick", "--json", str(figures)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(figures.read_text())}
    assert all(name in done.stdout for name in rows)
    return rows


def test_latency(tmp_path: Path) -> None:
    rows = run("bench.latency", tmp_path / "latency.json")
    assert len(rows) >= 15
    # The one figure that no machine's speed can change.
    assert rows["frames after context.cancelled in 100 tries"]["value"] == 0
    assert rows["first audible sample, median"]["value"] > 0
    # 30 ms of lead, in windows of 5 ms, and what of the onset is below -45 dBFS.
    assert 25 <= rows["silence before it, median"]["value"] <= 45


def test_session(tmp_path: Path) -> None:
    rows = run("bench.session", tmp_path / "session.json")
    assert len(rows) == 9
    assert all(row["value"] > 0 for row in rows.values())


def test_text(tmp_path: Path) -> None:
    rows = run("bench.text", tmp_path / "text.json")
    assert len(rows) == 14
    assert all(row["value"] > 0 for row in rows.values())
