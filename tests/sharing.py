"""How several processes of pytest-xdist share the test files.

There is one process more than cores, for most of the slow tests wait in real time. But a browser that gets
no processor for a tenth of a second plays late, and a test that listens then fails for the machine's sake. So
files whose tests are timed go to few processes, and the others, which only compute, step back for them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

from realtime.cores import usable_cores

CORES = usable_cores()
#: Files, and folders of such, whose tests are timed: by a browser's sound, or a network's packets.
TIMED = ("tests/web/", "tests/server/webrtc/", "tests/test_bench.py")
#: So many processes begin with timed files, the rest with the others. What is left at the end takes who is
#: free, but of timed files no more than there are cores.
FOR_TIMED = max(1, CORES // 2)
#: How far the others step back, as `nice` has it.
STEP_BACK = 10
#: Files that take longest; the processes begin with them, and so end together.
LONGEST = (
    "tests/test_bench.py",
    "tests/server/webrtc/test_network.py",
    "tests/deploy/test_image.py",
    "tests/engines/qwen3/test_slots.py",
    "tests/test_soak.py",
    "tests/engines/qwen3/test_exactness.py",
    "tests/engines/qwen3/test_step.py",
    "tests/bench/test_qwen3.py",
    "tests/test_said_right.py",
    "tests/test_command_line.py",
    "tests/test_drain.py",
    "tests/deploy/test_prometheus.py",
)


def step_back(worker: str) -> None:
    """For the process of a worker ("gw0", "gw1", ...): it lets those go first that take timed files."""
    if int(worker.removeprefix("gw")) >= FOR_TIMED:
        os.nice(STEP_BACK)


def order(items: list[pytest.Item]) -> None:
    """The longest files first, in the order of `LONGEST`; the rest as they are."""
    ranks = {path: rank for rank, path in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.nodeid.split("::", 1)[0], len(LONGEST)))


def choose(files: Sequence[str], process: int, processes: int) -> str | None:
    """Which of the files that are left one of so many processes takes next, from 0 on; None: it is done."""
    timed = [file for file in files if file.startswith(TIMED)]
    others = [file for file in files if not file.startswith(TIMED)]
    if process < FOR_TIMED < processes:
        return next(iter(timed + others), None)
    if process >= CORES:
        timed = []
    return next(iter(others + timed), None)


class SharedFiles(LoadFileScheduling):
    """Gives each process the next file by `choose`."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        file = choose(list(self.workqueue), self._number(node), self.numnodes)
        if file is None:
            node.shutdown()
            return
        self.workqueue.move_to_end(file, last=False)
        super()._assign_work_unit(node)

    @staticmethod
    def _number(node: WorkerController) -> int:
        return int(node.gateway.id.removeprefix("gw"))
