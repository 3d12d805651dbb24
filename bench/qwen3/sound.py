"""Milliseconds of the codec: by streams and frames of a chunk; without graphs, in float32, without TF32."""

from __future__ import annotations

from statistics import median

import numpy as np
import torch

from bench.qwen3.bed import Bed
from bench.qwen3.device import fast_math, times_s
from realtime.engines.qwen3.codec import Codec


def codec(bed: Bed) -> None:
    """All of it; first as the engine has it."""
    sizes, cuda = bed.sizes, bed.cuda
    batches = sizes.codec_batches
    few = tuple(zip(batches, (1, 12, 4), strict=False))
    kind = str(bed.dtype).removeprefix("torch.")
    made = bed.codec(max(batches))
    bed.row("codec: state of a stream", made.row_bytes / 1e6, "MB")
    _tell(bed, f"codec, {kind}, without graphs", _table(bed, made, few))
    made.capture(batches, sizes.codec_frames)
    for batch in batches:
        shapes = tuple((batch, frames) for frames in sizes.codec_frames)
        _tell(bed, f"codec, {kind}, {batch} streams", _table(bed, made, shapes))
    del made
    if not cuda:
        bed.row("codec: own kernels, TF32", None, note="there is no GPU here")
        return
    made = bed.codec(max(batches), kernels=False)
    _capture(made, few)
    _tell(bed, f"codec, {kind}, without own kernels", _table(bed, made, few))
    del made
    try:
        for tf32 in (True, False):
            fast_math(tf32)
            made = bed.codec(max(batches), torch.float32)
            _capture(made, few)
            _tell(bed, f"codec, float32, TF32 {'on' if tf32 else 'off'}", _table(bed, made, few))
            del made
    finally:
        fast_math(True)


def _capture(codec: Codec, shapes: tuple[tuple[int, int], ...]) -> None:
    for batch, frames in shapes:
        codec.capture((batch,), (frames,))


def _table(bed: Bed, codec: Codec, shapes: tuple[tuple[int, int], ...]) -> dict[tuple[int, int], float]:
    """Median of milliseconds, by streams and frames."""
    return {shape: _pass_ms(bed, codec, *shape) for shape in shapes}


def _tell(bed: Bed, name: str, times: dict[tuple[int, int], float]) -> None:
    streams = {batch for batch, _ in times}
    more = {
        f"{frames} frames" if len(streams) == 1 else f"{batch} x {frames}": ms
        for (batch, frames), ms in times.items()
    }
    bed.row(name, next(iter(times.values())), "ms", more=more)


def _pass_ms(bed: Bed, codec: Codec, batch: int, frames: int) -> float:
    """From codes on the host to sound on the device."""
    codes = np.random.default_rng(1).integers(0, 2048, (batch, frames, codec.groups))
    on_host, rows = torch.from_numpy(codes), list(range(batch))
    return median(times_s(lambda: codec.decode(rows, on_host), bed.sizes.repeats, bed.device)) * 1000
