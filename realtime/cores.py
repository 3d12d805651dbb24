"""Cores by number: how lists of them are written, and how a process stays on some of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

#: Whether this system lets a process choose its cores.
CAN_CHOOSE = hasattr(os, "sched_setaffinity")
_TASKS = Path("/proc/self/task")


def parse_cpulist(text: str) -> frozenset[int]:
    """The numbers in "0-3,8,10-11", as Linux writes them; raises `ValueError` for what is not such a list."""
    cores: set[int] = set()
    for part in filter(None, (each.strip() for each in text.strip().split(","))):
        first, _, last = part.partition("-")
        cores.update(range(int(first), int(last or first) + 1))
    return frozenset(cores)


def written(cores: frozenset[int]) -> str:
    """The list as `parse_cpulist` reads it, as short as can be."""
    runs: list[list[int]] = []
    for core in sorted(cores):
        if runs and core == runs[-1][-1] + 1:
            runs[-1].append(core)
        else:
            runs.append([core])
    return ",".join(f"{run[0]}" if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def usable_cores() -> int:
    """How many cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def stay_on(cores: frozenset[int]) -> None:
    """This process, threads that it has already, and all that it starts run on these cores alone.

    A thread is told one by one: libraries make some as soon as they are imported. Raises `OSError`.
    """
    if sys.platform != "linux":
        raise OSError("this system does not let a process choose its cores")
    os.sched_setaffinity(0, cores)
    for task in _TASKS.iterdir():
        try:
            os.sched_setaffinity(int(task.name), cores)
        except ProcessLookupError:  # it has ended meanwhile
            continue
