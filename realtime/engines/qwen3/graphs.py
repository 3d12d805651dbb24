"""Runs a function of static shapes: as it is, or as CUDA graphs captured once.

Both ways read and write the same static memory, so that everything but the capture itself is the same on a
machine without a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, Protocol, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor

Key = TypeVar("Key", bound=Hashable)
KeyIn = TypeVar("KeyIn", bound=Hashable, contravariant=True)
Result = TypeVar("Result")

#: Runs before a capture: what libraries set up at their first call must not be captured.
_WARM_RUNS = 2


class Runner(Protocol[KeyIn]):
    """Runs one of several variants of a function, which works on memory of its own."""

    def prepare(self, key: KeyIn) -> None:
        """Makes the variant `key` ready. It runs, so its static inputs must be harmless by now."""

    def run(self, key: KeyIn) -> None:
        """Runs the variant `key`."""


class Eager(Generic[Key]):
    """Calls the function."""

    def __init__(self, function: Callable[[Key], None]) -> None:
        self._function = function

    def prepare(self, key: Key) -> None:
        self._function(key)

    def run(self, key: Key) -> None:
        self._function(key)


class Recorder:
    """Records functions as CUDA graphs that share their memory: only one of them may run at a time.

    They are recorded on a stream of its own. What cuBLAS works in belongs to the stream that a graph was
    recorded on, wherever it runs later: so graphs of two recorders may run beside each other, those of one
    stream (as torch's own for captures, one for all) may not. The runs before go by the same stream, as what
    cuBLAS takes there (32 MiB on Hopper) is never given back.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def record(self, function: Callable[[], Result]) -> tuple[torch.cuda.CUDAGraph, Result]:
        """The graph, and what the function has returned: tensors that a replay writes to."""
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            for _ in range(_WARM_RUNS):
                function()
        torch.cuda.current_stream(self._device).wait_stream(self._stream)
        torch.cuda.synchronize(self._device)
        graph = torch.cuda.CUDAGraph()
        # Other threads may use the device meanwhile.
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            result = function()
        graph.replay()  # the first time the device is sent all of it, which takes longer
        return graph, result


class Graphs(Generic[Key]):
    """Replays CUDA graphs of the function, which share their memory: only one of them runs at a time."""

    def __init__(self, function: Callable[[Key], None], device: torch.device) -> None:
        self._function = function
        self._recorder = Recorder(device)
        self._graphs: dict[Key, torch.cuda.CUDAGraph] = {}

    def prepare(self, key: Key) -> None:
        if key not in self._graphs:
            self._graphs[key], _ = self._recorder.record(lambda: self._function(key))

    def run(self, key: Key) -> None:
        self._graphs[key].replay()


def staged(array: NDArray[Any], device: torch.device) -> Tensor:
    """The array on the host, where a copy to the device need not be waited for."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory() if device.type == "cuda" else tensor


def sent(array: NDArray[Any], device: torch.device) -> Tensor:
    """The array on the device; the host does not wait for it to arrive."""
    return staged(array, device).to(device, non_blocking=True)


def runner(function: Callable[[Key], None], device: torch.device, graphs: bool) -> Runner[Key]:
    """Graphs where they are asked for and the device has them, else the plain calls."""
    return Graphs(function, device) if graphs and device.type == "cuda" else Eager(function)
