"""What the parts of a run tell, in a file: it holds what was measured, whatever becomes of the process.

A part is run in a process of its own where there is a GPU: a kernel that reads where it must not takes down
all that its process has on the device, and one that hangs can only be ended with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.table import Row

#: How long a process may take to come to an end after its time.
_GRACE_S = 10.0


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is measured, `name`, of one model."""

    model: str
    name: str

    def __str__(self) -> str:
        return f"{self.model}: {self.name}"


class Record:
    """The file. Each line is a row, or the beginning or the end of a part."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def row(self, part: Part, row: Row, *, check: bool = False) -> None:
        """One more figure; a `check` is one whose miss is an error."""
        self._write(part, kind="row", row=asdict(row), check=check)

    def begin(self, part: Part) -> None:
        """What follows is of this part."""
        self._write(part, kind="begin")

    def end(self, part: Part) -> None:
        """It was measured, or has told why it could not be."""
        self._write(part, kind="end")

    def fail(self, part: Part, why: str) -> None:
        """It could not be measured."""
        self.row(part, Row(str(part), None, note=why), check=part.name.startswith("check"))
        self.end(part)

    @property
    def rows(self) -> list[Row]:
        """All figures, model by model."""
        lines = [line for line in self._lines() if line["kind"] == "row"]
        models = list(dict.fromkeys(line["model"] for line in lines))
        return [Row(**line["row"]) for model in models for line in lines if line["model"] == model]

    @property
    def failed_checks(self) -> list[str]:
        """Names of checks that were missed, or could not be made."""
        return [row.name for row, check in self._rows() if check and row.verdict != "ok"]

    @property
    def ended(self) -> set[Part]:
        """Parts that are over."""
        return self._parts("end")

    @property
    def begun(self) -> set[Part]:
        """Parts that were begun."""
        return self._parts("begin")

    def _parts(self, kind: str) -> set[Part]:
        return {Part(line["model"], line["part"]) for line in self._lines() if line["kind"] == kind}

    def _rows(self) -> Iterator[tuple[Row, bool]]:
        for line in self._lines():
            if line["kind"] == "row":
                yield Row(**line["row"]), line["check"]

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in self.path.read_text().splitlines():
            try:
                yield json.loads(line)
            except ValueError:  # its process ended in the middle of it
                continue

    def _write(self, part: Part, **values: Any) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps({"model": part.model, "part": part.name, **values}) + "\n")


def run_apart(command: Sequence[str], parts: Sequence[Part], record: Record, until: float) -> None:
    """Has `parts` measured by processes, which begin with `command` and take the parts' names behind it.

    They write to `record`. One that ends too early, or is not done by `until` (monotonic seconds), has failed
    in the part it was at; another goes on with those after it.
    """
    left = list(parts)
    while left:
        if time.monotonic() >= until:
            for part in left:
                record.fail(part, "the time was up")
            return
        begun_before = len(record.begun)
        names = ",".join(part.name for part in left)
        with subprocess.Popen([*command, names], stdout=sys.stderr) as process:
            try:
                status = process.wait(max(0.0, until - time.monotonic()) + _GRACE_S)
                why = f"its process ended with {_ending(status)}"
            except subprocess.TimeoutExpired:
                process.kill()
                why = "the time was up, and it did not end"
        ended, begun = record.ended, record.begun
        left = [part for part in left if part not in ended]
        if len(begun) == begun_before:
            for part in left:  # the next process would not come further
                record.fail(part, why)
            return
        if left and left[0] in begun:
            record.fail(left[0], why)
            left = left[1:]


def _ending(status: int) -> str:
    return f"status {status}" if status >= 0 else f"signal {-status}"
