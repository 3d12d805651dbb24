"""Milliseconds of the codec: by streams and frames of a chunk, in TF32 and not, in 16 bits, without graphs."""

from __future__ import annotations

from statistics import median

import numpy as np
import torch

from bench.qwen3.bed import Bed
from bench.qwen3.device import fast_math, times_s
from realtime.engines.qwen3.codec import Codec


def codec(bed: Bed) -> None:
    """All of it."""
    sizes, cuda = bed.sizes, bed.cuda
    batches = sizes.codec_batches
    few = tuple(zip(batches, (1, 12, 4), strict=False))
    try:
        fast_math(True)
        made = bed.codec(max(batches))
        bed.row("codec: state of a stream", made.row_bytes / 1e6, "MB")
        more = _table(bed, made, few)
        _tell(bed, "codec, float32 in TF32, without graphs" if cuda else "codec, float32", more)
        made.capture(batches, sizes.codec_frames)
        for batch in batches:
            more = _table(bed, made, tuple((batch, frames) for frames in sizes.codec_frames))
            _tell(bed, f"codec, float32{' in TF32' if cuda else ''}, {batch} streams", more)
        del made
        if not cuda:
            bed.row("codec: TF32 and 16 bits", None, note="there is no GPU here")
            return
        for name, tf32, dtype in (
            ("codec, float32 without TF32", False, torch.float32),
            ("codec, bf16", True, torch.bfloat16),
        ):
            fast_math(tf32)
            made = bed.codec(max(batches), dtype)
            for shape in few:
                made.capture((shape[0],), (shape[1],))
            _tell(bed, name, _table(bed, made, few))
            del made
    finally:
        fast_math(True)


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
