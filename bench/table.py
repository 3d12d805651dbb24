"""Printing of figures: a table for people, JSON for programs, progress for those who wait."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; `limit` is what it should not exceed, None where there is no target."""

    name: str
    value: float
    unit: str
    limit: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the target was reached."""
        if self.limit is None:
            return ""
        return "ok" if self.value <= self.limit else "MISSED"


def show(title: str, rows: Sequence[Row], path: Path | None) -> None:
    """Print the table, and write JSON if a path is given."""
    width = max(len(row.name) for row in rows)
    print(f"\n{title}\n")
    for row in rows:
        limit = "" if row.limit is None else f"at most {row.limit:g}"
        print(f"  {row.name:<{width}}  {row.value:>9.2f} {row.unit:<8} {limit:<14} {row.verdict}")
    print()
    if path is not None:
        path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


def progress(what: str, items: Sequence[T]) -> Iterator[T]:
    """Goes through `items`, with a counter on a terminal."""
    for number, item in enumerate(items, 1):
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{what} {number}/{len(items)}")
            sys.stderr.flush()
        yield item
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, ceil(share * len(ordered)) - 1)]
