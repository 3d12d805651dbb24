"""What the device does and how fast: the speed of copies, kernels and waits of a step, allocations."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
from torch.profiler import ProfilerActivity, profile, record_function

_MARK = "bench.qwen3"
#: Names of the runtime's and the driver's calls; others begin with these (`cudaLaunchKernelExC`).
_LAUNCHES = ("cudaLaunchKernel", "cuLaunchKernel", "cudaGraphLaunch", "cuGraphLaunch")
_SYNCS = (
    "cudaDeviceSynchronize",
    "cudaStreamSynchronize",
    "cudaEventSynchronize",
    "cuCtxSynchronize",
    "cuStreamSynchronize",
    "cuEventSynchronize",
)
#: A wait that takes longer has waited; else there was nothing to wait for.
_WAITED_S = 20e-6
_COPIED_BYTES = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class Work:
    """What a profiler has seen of one step, on average.

    `kernels` ran on the device, begun by `launches`; `syncs`: calls of CUDA in which the host may wait.
    """

    kernels: float
    launches: float
    syncs: float


@dataclass(frozen=True, slots=True)
class Waits:
    """Of one step, on average.

    `asked`: how often it asks to wait for the device, `waited`: how often that takes a while, `implicit`:
    waits that nobody asked for, as for a value that is read.
    """

    asked: float
    waited: float
    implicit: float


@dataclass(frozen=True, slots=True)
class Allocations:
    """Since the start. `blocks`: of the device, out of what torch holds; `calls`: to CUDA for more.

    `pinned`: calls for pinned memory of the host.
    """

    blocks: int
    calls: int
    pinned: int

    @classmethod
    def so_far(cls) -> Allocations:
        """Until now."""
        stats = torch.cuda.memory_stats()
        # The names in torch's documentation and those in its code have differed.
        blocks = stats.get("allocation.all.allocated", stats.get("allocated.all.allocated"))
        if blocks is None:
            raise RuntimeError("torch.cuda.memory_stats does not tell of allocations")
        host = torch.cuda.host_memory_stats() if hasattr(torch.cuda, "host_memory_stats") else {}
        return cls(blocks, stats.get("num_device_alloc", 0), host.get("num_host_alloc", 0))

    def since(self, before: Allocations) -> Allocations:
        """What has come since then."""
        return Allocations(
            self.blocks - before.blocks, self.calls - before.calls, self.pinned - before.pinned
        )


def synchronize(device: torch.device) -> None:
    """Wait until the device has done all it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def copy_speed(device: torch.device) -> float:
    """Bytes a second, read and written, of a copy from the device to itself: the best of ten."""
    size = 16 * 1024**2
    if device.type == "cuda":
        size = min(_COPIED_BYTES, torch.cuda.mem_get_info(device)[0] // 4)
    source = torch.randint(0, 256, (size,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * size / min(times_s(lambda: target.copy_(source), 10, device))


def times_s(run: Callable[[], object], times: int, device: torch.device, warm: int = 3) -> list[float]:
    """Seconds of each of these runs until the device has done it, without the time between them."""
    for _ in range(warm):
        run()
    synchronize(device)
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        run()
        synchronize(device)
        seconds.append(time.perf_counter() - begun)
    return seconds


def work_of(step: Callable[[], object], times: int, device: torch.device) -> Work:
    """What one step does. Raises `RuntimeError` when the profiler cannot be believed."""
    probe = torch.zeros(256, device=device)
    probe.add_(1)
    seen = _profiled(lambda: probe.add_(1), 8)
    if seen.kernels != 1.0:
        raise RuntimeError(f"of one kernel the profiler has seen {seen.kernels:g}")
    return _profiled(step, times)


def _profiled(step: Callable[[], object], times: int) -> Work:
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        torch.cuda.synchronize()
        with record_function(_MARK):
            for _ in range(times):
                step()
        torch.cuda.synchronize()
    return count(profiled.events() or (), times)


def count(events: Iterable[Any], times: int) -> Work:
    """Of what a profiler has seen of `times` steps, which are marked."""
    events = list(events)
    marks = [each for each in events if each.name == _MARK and not _is_on_device(each)]
    if len(marks) != 1:
        raise RuntimeError(f"the profiler has seen {len(marks)} marks, not one")
    begin, end = marks[0].time_range.start, marks[0].time_range.end
    kernels = launches = syncs = 0
    for each in events:
        if each.time_range.start < begin:
            continue
        if _is_on_device(each):
            # What the device does may end after the mark does.
            kernels += not each.name.startswith(("Memcpy", "Memset", _MARK))
        elif each.time_range.start <= end:
            launches += each.name.startswith(_LAUNCHES)
            syncs += each.name in _SYNCS
    return Work(kernels / times, launches / times, syncs / times)


def waits_of(step: Callable[[], object], times: int) -> Waits:
    """How often one step waits for the device."""
    taken: list[float] = []

    def timed(wait: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            begun = time.perf_counter()
            try:
                return wait(*arguments, **keywords)
            finally:
                taken.append(time.perf_counter() - begun)

        return call

    places = (
        (torch.cuda.Event, "synchronize"),
        (torch.cuda.Stream, "synchronize"),
        (torch.cuda, "synchronize"),
    )
    with ExitStack() as stack, warnings.catch_warnings(record=True) as caught:
        for place, name in places:
            stack.enter_context(mock.patch.object(place, name, timed(getattr(place, name))))
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        stack.callback(torch.cuda.set_sync_debug_mode, "default")
        caught.clear()  # it warns of itself
        taken.clear()
        for _ in range(times):
            step()
        implicit = sum("synchroniz" in str(each.message).lower() for each in caught)
    waited = sum(each > _WAITED_S for each in taken)
    return Waits(len(taken) / times, waited / times, implicit / times)


def _is_on_device(event: Any) -> bool:
    return str(event.device_type).endswith("CUDA")


def fast_math(tf32: bool) -> None:
    """Whether products of float32 on a GPU may be rounded to TF32, as the engine has it."""
    if torch.cuda.is_available():
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
        torch.backends.cudnn.allow_tf32 = tf32
