"""Figures of the processes that this one has started: the engine's. Only Linux tells them, in /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
#: In /proc/PID/stat after the name, which ends with the last parenthesis (proc(5)).
_UTIME, _STIME, _RSS = 11, 12, 21


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """Of several processes together: how many, their memory, and the CPU time that they have used."""

    count: int = 0
    resident_bytes: int = 0
    cpu_s: float = 0.0


class ChildProcesses:
    """Follows all children of this process. CPU time counts on when one has ended, as a counter must."""

    def __init__(self, proc: Path = _PROC) -> None:
        """`proc` is where the system tells of processes."""
        self._proc = proc
        self._cpu_s: dict[int, float] = {}
        self._ended_s = 0.0

    def look(self) -> ProcessFigures:
        """How they are now."""
        resident, cpu_s = 0, {}
        for pid, fields in self._children():
            resident += int(fields[_RSS]) * os.sysconf("SC_PAGE_SIZE")
            cpu_s[pid] = (int(fields[_UTIME]) + int(fields[_STIME])) / os.sysconf("SC_CLK_TCK")
        self._ended_s += sum(seconds for pid, seconds in self._cpu_s.items() if pid not in cpu_s)
        self._cpu_s = cpu_s
        return ProcessFigures(len(cpu_s), resident, self._ended_s + sum(cpu_s.values()))

    def _children(self) -> Iterator[tuple[int, list[str]]]:
        for listed in (self._proc / "self" / "task").glob("*/children"):
            for child in _read(listed).split():
                _, _, rest = _read(self._proc / child / "stat").rpartition(")")
                if fields := rest.split():
                    yield int(child), fields


def _read(path: Path) -> str:
    """Its text; empty when what it is of has ended meanwhile."""
    try:
        return path.read_text()
    except OSError:
        return ""
