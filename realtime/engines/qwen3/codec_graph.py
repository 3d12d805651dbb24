"""One pass of the codec with a fixed shape, recorded once and run again and again: a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from realtime.engines.qwen3.graphs import Recorder

Pass = Callable[[Tensor, Tensor], Tensor]


class CodecGraph:
    """Runs a pass on inputs of its own. Without CUDA it calls it; all else is the same."""

    def __init__(self, run: Pass, rows: Tensor, codes: Tensor, recorder: Recorder | None) -> None:
        """`rows` (batch,) and `codes` (batch, frames, groups) are the inputs it keeps.

        While it is recorded their rows are worked on, which therefore must be no stream's. `recorder`: None
        where there is no CUDA.
        """
        self._run, self._rows, self._codes = run, rows, codes
        self._graph: torch.cuda.CUDAGraph | None = None
        if recorder is None:
            self._sound = run(rows, codes)
        else:
            self._graph, self._sound = recorder.record(lambda: run(rows, codes))

    def __call__(self, rows: Tensor, codes: Tensor) -> Tensor:
        """The sound of `codes`, (few, frames, groups), few <= batch; `rows` (batch,) names them first.

        Both may be on the host. What is returned is written to by the next run.
        """
        self._rows.copy_(rows, non_blocking=True)
        self._codes[: len(codes)].copy_(codes, non_blocking=True)
        if self._graph is None:
            self._sound.copy_(self._run(self._rows, self._codes))
        else:
            self._graph.replay()
        return self._sound[: len(codes)]
