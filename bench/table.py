"""Printing of figures: a table for people, JSON for programs, progress for those who wait."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import ceil
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; `limit` is what it should not exceed, None where there is no target.

    `least`: what it should reach. `value` None: it could not be measured, and `note` says why. `more`: other
    figures of the same measurement, by name.
    """

    name: str
    value: float | None
    unit: str = ""
    limit: float | None = None
    least: float | None = None
    more: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def verdict(self) -> str:
        """Whether the target was reached."""
        if self.limit is None and self.least is None:
            return ""
        if self.value is None:
            return "unknown"
        good = (self.limit is None or self.value <= self.limit) and (
            self.least is None or self.value >= self.least
        )
        return "ok" if good else "MISSED"

    @property
    def target(self) -> str:
        """What it should be."""
        if self.limit is not None:
            return f"at most {self.limit:g}"
        return "" if self.least is None else f"at least {self.least:g}"

    @property
    def remarks(self) -> str:
        """What stands behind the figure."""
        more = [f"{name} {value:.4g}" for name, value in self.more.items()]
        return ", ".join([*more, *([self.note] if self.note else [])])


def show(title: str, rows: Sequence[Row], path: Path | None) -> None:
    """Print the table, and write JSON if a path is given."""
    width = max(len(row.name) for row in rows)
    print(f"\n{title}\n")
    for row in rows:
        value = "-" if row.value is None else _written(row.value)
        line = f"  {row.name:<{width}}  {value:>9} {row.unit:<8} {row.target:<14} {row.verdict:<6}"
        print(f"{line}  {row.remarks}".rstrip())
    print()
    if path is not None:
        path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


def _written(value: float) -> str:
    return f"{value:.2f}" if value == 0 or abs(value) >= 0.01 else f"{value:.2g}"


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
