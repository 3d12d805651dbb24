"""The thread that feeds a GPU runs on the processors next to it."""

from __future__ import annotations

import ctypes
import os
import threading
from pathlib import Path

import pytest

from realtime.engines.qwen3 import affinity


def test_processors_next_to_a_device(tmp_path: Path) -> None:
    for address, text in (("0000:3b:00.0", "16-31\n"), ("0000:5e:00.0", "nonsense\n")):
        (tmp_path / address).mkdir()
        (tmp_path / address / "local_cpulist").write_text(text)
    assert affinity.near_cpus("0000:3b:00.0", tmp_path) == set(range(16, 32))
    assert affinity.near_cpus("0000:5e:00.0", tmp_path) == set()
    assert affinity.near_cpus("0000:00:00.0", tmp_path) == set()


def test_a_thread_stays_near_and_takes_its_own_threads_along() -> None:
    before = os.sched_getaffinity(0)
    one = min(before)
    seen: list[set[int]] = []

    def inner() -> None:
        seen.append(os.sched_getaffinity(0))

    def thread() -> None:
        # A processor that there is not is left out; without any other nothing changes.
        seen.append(set(affinity.stay_near(frozenset({10_000}))))
        seen.append(os.sched_getaffinity(0))
        seen.append(set(affinity.stay_near(frozenset({one, 10_000}))))
        inner()
        started = threading.Thread(target=inner)
        started.start()
        started.join()

    pinned = threading.Thread(target=thread)
    pinned.start()
    pinned.join()
    assert seen == [set(), before, {one}, {one}, {one}]
    assert os.sched_getaffinity(0) == before


class _Driver:
    """CUDA's driver with one GPU."""

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return 0

    def cuDeviceGet(self, device: object, index: int) -> int:  # noqa: N802
        return 0 if index == 0 else 101

    def cuDeviceGetPCIBusId(self, text: object, length: int, device: object) -> int:  # noqa: N802
        assert isinstance(text, ctypes.Array)
        text.value = b"0000:3B:00.0"
        return 0


def test_the_address_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: _Driver())
    assert affinity.pci_address(0) == "0000:3b:00.0"
    assert affinity.pci_address(1) is None

    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert affinity.pci_address(0) is None
