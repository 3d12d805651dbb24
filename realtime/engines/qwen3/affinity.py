"""Keeps the thread that feeds a GPU on the processors next to it: of its NUMA node, as Linux tells in sysfs.

On machines with two sockets, what a thread on the far one sends to the GPU crosses from socket to socket.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from realtime.cores import parse_cpulist

#: Where Linux tells about devices on the PCI bus.
PCI_DEVICES = Path("/sys/bus/pci/devices")


def pci_address(index: int) -> str | None:
    """What Linux calls a GPU, such as "0000:3b:00.0"; None where there is no driver of NVIDIA.

    `index` counts as CUDA does. Torch does not tell, so CUDA's driver is asked (`cuDeviceGetPCIBusId`).
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    device, text = ctypes.c_int(), ctypes.create_string_buffer(32)
    if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), index):
        return None
    if driver.cuDeviceGetPCIBusId(text, len(text), device):
        return None
    return text.value.decode("ascii").lower()


def near_cpus(address: str, devices: Path = PCI_DEVICES) -> frozenset[int]:
    """Numbers of the processors next to a device; none where the system does not tell."""
    try:
        return parse_cpulist((devices / address / "local_cpulist").read_text("ascii"))
    except (OSError, ValueError):
        return frozenset()


def stay_near(cpus: frozenset[int]) -> frozenset[int]:
    """This thread, and threads that it starts, run on those of `cpus` that it may run on.

    Returns which these are; none, and nothing has changed, if there are no such.
    """
    if not hasattr(os, "sched_setaffinity"):  # not Linux
        return frozenset()
    allowed = frozenset(os.sched_getaffinity(0)) & cpus
    if allowed:
        os.sched_setaffinity(0, allowed)
    return allowed
