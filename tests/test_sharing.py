"""Which process runs which test file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import sharing

ROOT = Path(__file__).parents[1]
FILES = ["tests/a.py", "tests/web/b.py", "tests/c.py", "tests/web/d.py"]


def test_what_is_named_is_there() -> None:
    assert [path for path in sharing.LONGEST + sharing.TIMED if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    ("process", "processes", "taken"),
    [
        (0, 3, ["tests/web/b.py", "tests/web/d.py", "tests/a.py", "tests/c.py"]),
        (1, 3, ["tests/a.py", "tests/c.py", "tests/web/b.py", "tests/web/d.py"]),
        (2, 3, ["tests/a.py", "tests/c.py"]),
        (0, 1, ["tests/a.py", "tests/c.py", "tests/web/b.py", "tests/web/d.py"]),
    ],
)
def test_few_begin_with_timed_files(
    monkeypatch: pytest.MonkeyPatch, process: int, processes: int, taken: list[str]
) -> None:
    monkeypatch.setattr(sharing, "CORES", 2)
    monkeypatch.setattr(sharing, "FOR_TIMED", 1)
    left, chosen = FILES.copy(), []
    while file := sharing.choose(left, process, processes):
        left.remove(file)
        chosen.append(file)
    assert chosen == taken
