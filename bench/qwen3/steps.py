"""Milliseconds of a frame, and what it does: by batch, by way of attention, with graphs and without."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch

from bench.qwen3.bed import Bed, fill, text_ids
from bench.qwen3.device import Allocations, copy_speed, synchronize, waits_of, work_of
from bench.table import quantile
from realtime.engines.qwen3.step import Decoder, Frame

#: Where before and after are compared.
_COMPARED = (1, 32)
_WARM = 8
_COUNTED = 6
#: Rows whose steps are looked at.
_SEEN = 8


@dataclass(frozen=True, slots=True)
class Timed:
    """Milliseconds from one frame to the next; `host_ms` of it, until it was launched."""

    ms: list[float]
    host_ms: list[float]

    @property
    def median(self) -> float:
        """Of a frame."""
        return median(self.ms)

    @property
    def more(self) -> dict[str, float]:
        """What is told beside the median."""
        return {"p99": quantile(self.ms, 0.99), "host": median(self.host_ms)}


class Run:
    """Steps of the first rows, one after another as a server makes them: a frame is read when the next is on
    its way.
    """

    def __init__(self, bed: Bed, decoder: Decoder, batch: int) -> None:
        self._decoder = decoder
        self._rows = list(range(batch))
        self._texts = text_ids(bed.config, 64, np.random.default_rng(0))
        self._before: Frame | None = None
        self._steps = 0
        self.launched_s = 0.0

    def step(self) -> None:
        """One more frame of each."""
        token = int(self._texts[self._steps % len(self._texts)])
        self._steps += 1
        begun = time.perf_counter()
        frame = self._decoder.step(self._rows, [token] * len(self._rows))
        self.launched_s = time.perf_counter() - begun
        if self._before is not None:
            self._before.read()
        self._before = frame

    def timed(self, frames: int) -> Timed:
        """So many frames, behind some that are not counted."""
        for _ in range(min(_WARM, frames)):
            self.step()
        ms, host = [], []
        last = time.perf_counter()
        for _ in range(frames):
            self.step()
            now = time.perf_counter()
            ms.append((now - last) * 1000)
            host.append(self.launched_s * 1000)
            last = now
        return Timed(ms, host)


def frames(bed: Bed) -> None:
    """At each batch: time against the floor; at one batch: what a step does."""
    sizes, kind = bed.sizes, bed.best_attention()
    speed = copy_speed(bed.device)
    bed.row("copy from the device to itself", speed / 1e9, "GB/s")
    bed.progress(f"{bed.name}: getting {len(sizes.batches)} batch sizes ready, attention {kind}")
    decoder = Decoder(
        bed.talker,
        max(sizes.batches),
        sizes.positions,
        attention=kind,
        graphs=True,
        batch_sizes=sizes.batches,
    )
    begun = time.monotonic()
    decoder.prepare()
    synchronize(bed.device)
    bed.row("capture of all graphs of these rows", time.monotonic() - begun, "s", note=f"attention {kind}")
    targets = {1: bed.targets.frame_alone, 32: bed.targets.frame_of_32}
    for batch in sizes.batches:
        fill(decoder, bed, range(batch), sizes.start)
        timed = Run(bed, decoder, batch).timed(sizes.frames)
        floor = bed.floor_ms(speed, batch, sizes.start + _WARM + sizes.frames / 2)
        more = {**timed.more, "floor": floor, "times the floor": timed.median / floor}
        more["times real time"] = batch * bed.config.frame_ms / timed.median
        bed.row(f"frame, batch {batch}", timed.median, "ms", limit=targets.get(batch), more=more)
    bed.row(
        "these rows had positions",
        sizes.start,
        more={"to": sizes.start + _WARM + sizes.frames, "of": sizes.positions},
    )
    _waits(bed, decoder)
    if bed.cuda:
        more = {"held by torch": torch.cuda.max_memory_reserved() / 1e9}
        bed.row("frames: most memory in use", torch.cuda.max_memory_allocated() / 1e9, "GB", more=more)


def _waits(bed: Bed, decoder: Decoder) -> None:
    name = f"frame, batch {_SEEN}"
    if not bed.cuda:
        bed.row(f"{name}: waits, allocations", None, note="there is no GPU here")
        return
    tell_of_waits(bed, name, _steady(bed, decoder).step, _COUNTED)


def _steady(bed: Bed, decoder: Decoder) -> Run:
    """A run that has begun, of some rows."""
    fill(decoder, bed, range(_SEEN), bed.sizes.start)
    run = Run(bed, decoder, _SEEN)
    for _ in range(_WARM):
        run.step()
    return run


def tell_of_waits(bed: Bed, name: str, step: Callable[[], object], times: int) -> None:
    """How often one step takes memory and waits, on a GPU, on average of so many."""
    before = Allocations.so_far()
    for _ in range(times):
        step()
    made = Allocations.so_far().since(before)
    more = {"calls to CUDA": made.calls / times, "of pinned memory": made.pinned / times}
    bed.row(f"{name}: blocks of memory taken", made.blocks / times, "", limit=0, more=more)
    waits = waits_of(step, times)
    more = {"that took a while": waits.waited, "unasked": waits.implicit}
    bed.row(f"{name}: waits for the device", waits.asked + waits.implicit, "", limit=1, more=more)


def tell_of_work(bed: Bed, name: str, step: Callable[[], object], times: int) -> None:
    """What a profiler sees of one step on a GPU, on average of so many."""
    work = work_of(step, times, bed.device)
    more = {"launches": work.launches, "waits in CUDA": work.syncs}
    bed.row(f"{name}: kernels", work.kernels, "", more=more)


def work(bed: Bed) -> None:
    """Kernels of a frame, with graphs and without. In a process of its own: a profiler slows what follows."""
    kind = bed.best_attention()
    for graphs in (True, False):
        decoder = Decoder(
            bed.talker, _SEEN, bed.sizes.positions, attention=kind, graphs=graphs, batch_sizes=(_SEEN,)
        )
        decoder.prepare()
        run = _steady(bed, decoder)
        name = f"frame, batch {_SEEN}, {'graphs' if graphs else 'without graphs'}, attention {kind}"
        tell_of_work(bed, name, run.step, _COUNTED)


def attention(bed: Bed, kind: str) -> None:
    """One way of attention, and what it exchanges besides."""
    _compared(bed, f"attention {kind}", kind, graphs=True)


def graphs(bed: Bed) -> None:
    """Without graphs; `attention` has it with them."""
    kind = bed.best_attention()
    _compared(bed, f"without graphs, attention {kind}", kind, graphs=False)


def _compared(bed: Bed, name: str, kind: str, *, graphs: bool, compile: bool = False) -> None:
    sizes = bed.sizes
    batches = [size for size in _COMPARED if size <= max(sizes.batches)]
    begun = time.monotonic()
    decoder = Decoder(
        bed.talker,
        max(batches),
        sizes.positions,
        attention=kind,
        graphs=graphs,
        compile=compile,
        batch_sizes=batches,
    )
    decoder.prepare()
    synchronize(bed.device)
    ready_s = time.monotonic() - begun
    more: dict[str, float] = {}
    for batch in batches:
        fill(decoder, bed, range(batch), sizes.start)
        timed = Run(bed, decoder, batch).timed(sizes.frames // 2 if graphs else sizes.eager_frames)
        more[f"batch {batch}"] = timed.median
    ms = more[f"batch {batches[-1]}"]
    bed.row(name, ms, "ms", more={**more, "s to get ready": ready_s})


def compiled(bed: Bed) -> None:
    """What torch does between the matrices compiled; `attention sdpa` has it as it is."""
    _compared(bed, "compiled, attention sdpa", "sdpa", graphs=True, compile=True)
