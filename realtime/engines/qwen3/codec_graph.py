"""One pass of the codec with a fixed shape, recorded once and run again and again: a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch.cuda import _POOL_HANDLE

#: Passes before the recording: libraries choose their kernels, and take what memory they need.
_WARM_UPS = 2

Pass = Callable[[Tensor, Tensor], Tensor]


class CodecGraph:
    """Runs a pass on inputs of its own. Without CUDA it calls it; all else is the same."""

    def __init__(self, run: Pass, rows: Tensor, codes: Tensor, pool: _POOL_HANDLE | None) -> None:
        """`rows` (batch,) and `codes` (batch, frames, groups) are the inputs it keeps.

        While it is recorded their rows are worked on, which therefore must be no stream's. Graphs that never
        run at the same time may share a `pool` of memory.
        """
        self._run, self._rows, self._codes = run, rows, codes
        self._graph: torch.cuda.CUDAGraph | None = None
        self._sound = run(rows, codes)
        if codes.device.type == "cuda":
            side = torch.cuda.Stream(codes.device)  # type: ignore[no-untyped-call]
            side.wait_stream(torch.cuda.current_stream(codes.device))
            with torch.cuda.stream(side):
                for _ in range(_WARM_UPS):
                    run(rows, codes)
            torch.cuda.current_stream(codes.device).wait_stream(side)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, pool=pool, capture_error_mode="thread_local"):
                self._sound = run(rows, codes)

    def __call__(self, rows: Tensor, codes: Tensor) -> Tensor:
        """The sound of `codes`, (few, frames, groups), few <= batch; `rows` (batch,) names them first."""
        self._rows.copy_(rows)
        self._codes[: len(codes)].copy_(codes)
        if self._graph is None:
            self._sound.copy_(self._run(self._rows, self._codes))
        else:
            self._graph.replay()
        return self._sound[: len(codes)].clone()  # the next graph of the pool may write there
