"""Pictures: of a load, how long the listeners waited and how many there may be; and curves over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.figures import Figures, first_audio_s


def draw(figures: Figures, path: Path) -> None:
    """Write the picture as a PNG."""
    searched = bool(figures.search)
    picture = Figure(figsize=(8, 8 if searched and figures.runs else 4.5), layout="constrained")
    axes = np.atleast_1d(picture.subplots(int(bool(figures.runs)) + int(searched))).tolist()
    if figures.runs:
        _waits(axes.pop(0), figures)
    if searched:
        _search(axes.pop(0), figures)
    picture.savefig(path, format="png", dpi=120)


def draw_curves(
    parts: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]], across: str, up: str, path: Path
) -> None:
    """Write a PNG: an area for each part with its curves by name, all from zero."""
    picture = Figure(figsize=(8, 4 * len(parts)), layout="constrained")
    for axes, (title, named) in zip(np.atleast_1d(picture.subplots(len(parts))), parts.items(), strict=True):
        for name, points in named.items():
            axes.plot(*zip(*points, strict=True), label=name, linewidth=1)
        axes.set_title(title)
        axes.set_xlabel(across)
        axes.set_ylabel(up)
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right")
    picture.savefig(path, format="png", dpi=120)


def _waits(axes: Axes, figures: Figures) -> None:
    for label, runs in figures.runs.items():
        waits = np.sort([seconds * 1000 for run in runs for seconds in first_audio_s(run)])
        axes.step(waits, np.arange(1, len(waits) + 1) / len(waits) * 100, where="post", label=label)
    axes.set_xlabel("from the first byte of text to the first frame, ms")
    axes.set_ylabel("share of listeners, %")
    axes.set_ylim(0, 100)
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")


def _search(axes: Axes, figures: Figures) -> None:
    listeners = [step.listeners for step in figures.search]
    axes.plot(listeners, [step.underruns * 100 for step in figures.search], "o-", color="tab:red")
    axes.set_xlabel("listeners at once")
    axes.set_ylabel("listeners with an underrun, %", color="tab:red")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    waits = axes.twinx()
    waits.plot(listeners, [step.p99_s * 1000 for step in figures.search], "s--", color="tab:blue")
    waits.set_ylabel("first frame, p99, ms", color="tab:blue")
    waits.set_ylim(bottom=0)
