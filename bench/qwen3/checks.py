"""Before anything is measured: what is fast gives what is simple, on this device.

In float32 and without TF32, on models that are as wide as the real ones but have few layers: rounding then
changes no code. A difference is an error, whatever else is measured.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from bench.qwen3.bed import LEAST_PROMPT, Bed, prompt_of, text_ids
from bench.qwen3.device import fast_math
from bench.qwen3.models import RandomWeights, WithoutEnd, shallow, talker_shapes
from realtime.engines.qwen3.checks import check_parts
from realtime.engines.qwen3.prompt import Sampling
from realtime.engines.qwen3.step import Decoder
from realtime.engines.qwen3.talker import Talker

Codes = NDArray[np.int64]

GREEDY = Sampling(False, 0.9, 50, 1.0, 1.05, False, 0.9, 50, 1.0)
_FRAMES = 24
#: Of kernels that add in another order: in one row of five rounding may tip a code, and what follows with it.
_MOST_CODES = 0.8
#: Lengths of the prompts of the rows that are compared: one passes from a bucket to the next meanwhile.
_LENGTHS = (LEAST_PROMPT, 17, 118, 40, 126)
_POSITIONS = 256
#: Of chunks of the codec and the whole, and of silence and sound: the sound is within [-1, 1].
_SAME_SOUND, _OTHER_SOUND = 2e-4, 1e-2


def check_graphs(bed: Bed) -> None:
    """Frames by graphs are those by plain calls, one row beside others is what it is alone; codec chunks."""
    fast_math(False)
    talker = small_talker(bed)
    plain = frames_of(bed, talker, graphs=False)
    graphs = frames_of(bed, talker, graphs=True)
    share = float((plain == graphs).all((1, 2)).mean())
    bed.row("check: rows that graphs decode as plain calls do", share, "share", least=1, check=True)
    alone = frames_of(bed, talker, graphs=True, only=2)
    other = frames_of(bed, talker, graphs=True, only=2, word=1)
    differs = float((alone != other).any())
    share = float((alone[0] == graphs[2]).all())
    bed.row("check: a row alone is what it is among others", share, "share", least=1, check=True)
    bed.row("check: another word gives other codes", differs, "", least=1, check=True)
    _check_codec(bed, kernels=False)
    fast_math(True)


def check_kind(bed: Bed, kind: str) -> None:
    """The parts of a step with this kind of attention, each against what is simple; then all together."""
    fast_math(False)
    dtypes = {torch.float32, bed.dtype} if kind != "flash" else {bed.dtype}
    for dtype in sorted(dtypes, key=str):
        found = check_parts(kind, bed.config.talker, bed.device, dtype)
        worst = max(found, key=lambda each: each.error / each.limit if each.passed else math.inf)
        name = f"check: errors of {kind}, {str(dtype).removeprefix('torch.')}, of what is allowed"
        bed.row(name, worst.error / worst.limit, "share", limit=1, note=f"the most: {worst.name}", check=True)
    if kind == "triton":
        talker = small_talker(bed)
        plain = frames_of(bed, talker, graphs=False)
        other = frames_of(bed, talker, graphs=True, attention=kind)
        share = float((plain == other).mean())
        bed.row(f"check: codes by attention {kind}", share, "share", least=_MOST_CODES, check=True)
        _check_codec(bed, kernels=True)
    fast_math(True)


def small_talker(bed: Bed) -> Talker:
    """As wide as the bed's, with few layers, in float32."""
    config = shallow(bed.config) if bed.cuda else bed.config
    weights = RandomWeights(talker_shapes(config), bed.device, torch.float32)
    return Talker.from_state(config, WithoutEnd(weights, config), bed.device, torch.float32)


def frames_of(
    bed: Bed,
    talker: Talker,
    *,
    graphs: bool,
    attention: str = "sdpa",
    only: int | None = None,
    word: int = 0,
) -> Codes:
    """The codes of some rows, (rows, frames, groups), decoded in batches that change; two of them greedy.

    `only`: of one of them, alone; `word`: its text differs by so much.
    """
    rows = range(len(_LENGTHS)) if only is None else (only,)
    decoder = Decoder(
        talker, len(_LENGTHS), _POSITIONS, attention=attention, graphs=graphs, batch_sizes=(1, 4, 8)
    )
    decoder.prepare()
    tokens = {row: list(text_ids(talker.config, _FRAMES, np.random.default_rng(row))) for row in rows}
    for row in rows:
        tokens[row][_FRAMES // 2] = (tokens[row][_FRAMES // 2] + word) % 500
        sampling = GREEDY if row % 2 == 0 else replace(GREEDY, do_sample=True, sub_do_sample=True)
        decoder.join(row, prompt_of(talker.config, _LENGTHS[row], seed=row), sampling, seed=row)
    codes: dict[int, list[Codes]] = {row: [] for row in rows}
    while any(len(each) < _FRAMES for each in codes.values()):
        for group in _groups(
            [row for row in rows if len(codes[row]) < _FRAMES], sum(map(len, codes.values()))
        ):
            at = [int(tokens[row][len(codes[row])]) for row in group]
            made, _ended = decoder.step(group, at).read()
            for place, row in enumerate(group):
                codes[row].append(made[place])
    return np.stack([np.stack(codes[row]) for row in rows])


def _groups(rows: Sequence[int], turn: int) -> list[list[int]]:
    """Who is decoded together: all, or some and then the others, in an order that changes."""
    turned = [*rows[turn % len(rows) :], *rows[: turn % len(rows)]]
    return [turned] if turn % 3 == 0 or len(turned) < 2 else [turned[:-1], turned[-1:]]


def _check_codec(bed: Bed, *, kernels: bool) -> None:
    """Chunks of all lengths, of two rows at once and by graphs, are what one pass makes of all."""
    which = "chunks by own kernels" if kernels else "chunks"
    codes = np.random.default_rng(5).integers(0, 2048, (2, 40, bed.config.talker.num_code_groups))
    frames = torch.from_numpy(codes)
    plain = bed.codec(2, torch.float32, kernels=False)
    graphs = bed.codec(2, torch.float32, kernels=kernels)
    graphs.capture((1, 2), bed.sizes.codec_frames)
    whole = torch.cat([plain.decode([row], frames[row : row + 1]) for row in range(2)])
    sound, at = [], 0
    for size in (1, 2, 4, 8, 12, 3, 10):
        sound.append(graphs.decode([0, 1], frames[:, at : at + size]))
        at += size
    pieces = torch.cat(sound, 1)
    error = float((whole - pieces).abs().max())
    bed.row(f"check: error of the codec's {which}", error, "", limit=_SAME_SOUND, check=True)
    graphs.reset(0)
    graphs.decode([0], frames[:1, :20])
    forgetful = graphs.decode([1], frames[:1, 20:])  # where another stream has been
    error = float((whole[:1, -forgetful.shape[1] :] - forgetful).abs().max())
    bed.row(f"check: error of {which} of another stream", error, "", least=_OTHER_SOUND, check=True)
