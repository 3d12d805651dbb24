"""Many listeners: `python -m bench.load [PART ...] [--quick] [--find] [--json FILE] [--plot FILE]`.

Players that listen in real time, all in one process beside the server, on the same cores. They come by a
Poisson process and do not wait for one another (open loop); arrivals and texts come from a seed, the texts
are pinned in `data/load_texts.txt`. Parts: `open` (each listener hears one text), `steady` (the listeners
hear text after text, and newcomers come beside them), `newcomer` (what these wait, beside an idle server),
`idle` (sessions in which nothing happens), `cancel` (barge-ins). The time to first audio is from sending the
first text byte, on an open session. A figure of several runs is their median, unless it says otherwise;
underruns and errors count in all of them.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bench.crowds import FIRST_AUDIO_S, Load, bare_rows, find, wasted
from bench.figures import Figures, cancel_rows, idle_rows, load_rows, newcomer_rows
from bench.player import Crowd
from bench.plot import draw
from bench.table import Row, show


def measure(arguments: argparse.Namespace) -> tuple[Sequence[Row], Figures]:
    """All figures, in the order of the table, and what the plot needs."""
    load = Load(arguments)
    parts = arguments.parts or PARTS
    figures = Figures()
    rows: list[Row] = []
    for part in parts:
        rows += PARTS[part](load, figures)
    if figures.lengths and load.engine == "embedded":
        rows += bare_rows(load, figures)
    if arguments.find:
        figures.search = find(load)
        best = max((step.listeners for step in figures.search if step.good), default=0)
        rows.append(Row("most listeners without an underrun", best, "listeners"))
    return rows, figures


def _open(load: Load, figures: Figures) -> list[Row]:
    return _listen(load, figures, "open loop", load.open_crowd(load.listeners))


def _steady(load: Load, figures: Figures) -> list[Row]:
    return _listen(load, figures, "steady", load.full_crowd(load.listeners))


def _listen(load: Load, figures: Figures, label: str, crowd: Crowd) -> list[Row]:
    runs = figures.runs[label] = [load.run(crowd, seed, label) for seed in load.seeds]
    return load_rows(label, runs, FIRST_AUDIO_S)


def _newcomer(load: Load, figures: Figures) -> list[Row]:
    crowd = load.steady_crowd(load.beside)
    alone, among = [], []
    for seed in load.seeds:
        alone.append(load.run(replace(crowd, steady=0), seed, "newcomers alone"))
        among.append(load.run(crowd, seed, f"newcomers beside {load.beside}"))
    figures.runs["newcomers alone"] = alone
    figures.runs[f"newcomers beside {load.beside}"] = among
    return newcomer_rows(load.beside, alone, among)


def _idle(load: Load, figures: Figures) -> list[Row]:
    return idle_rows(load.run(load.idle_crowd(), load.seeds[0], "idle sessions"))


def _cancel(load: Load, figures: Figures) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        run = load.run(load.cancel_crowd(), load.seeds[0], "barge-ins", log)
        figures.runs["after a barge-in"] = [run]
        return cancel_rows(run, wasted(log, run), load.max_lead_ms)


PARTS: dict[str, Callable[[Load, Figures], list[Row]]] = {
    "open": _open,
    "steady": _steady,
    "newcomer": _newcomer,
    "idle": _idle,
    "cancel": _cancel,
}


def main() -> None:
    """Measure and print; the exit code tells nothing of the targets, for machines differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("parts", nargs="*", metavar="PART", help=f"what to measure: {', '.join(PARTS)}; without any: all")
    add("--listeners", type=int, default=120, help="how many hear something at once, on average")
    add("--seconds", type=float, default=30, help="length of what is measured")
    add("--seeds", type=int, default=3, help="runs, each with other arrivals")
    add("--find", action="store_true", help="find the most listeners without an underrun")
    add("--steady", action="store_true", help="--find counts steady listeners")
    add("--transport", choices=["ws", "http"], default="ws", help="WebSocket, or PCM over HTTP")
    add("--engine", choices=["embedded", "tone"], default="embedded", help="`tone`: the server's own cost")
    add("--token-rate", type=float, default=0, help="words sent per second; 0: whole texts")
    add("--report-ms", type=int, default=500, help="time between two playback reports; 0: none")
    add("--max-lead-ms", type=int, help="of the sessions; without it the server's own")
    add("--buffer-ms", type=int, default=0, help="the player starts so much later than it could")
    add("--voices", default="", help="names of voices, with commas; listeners take one by chance")
    add("--quick", action="store_true", help="few listeners, short")
    add("--json", type=Path, help="write the figures to this file")
    add("--plot", type=Path, help="draw a picture (PNG) to this file")
    arguments = parser.parse_args()
    for part in arguments.parts:
        if part not in PARTS:
            parser.error(f"there is no part {part!r}: {', '.join(PARTS)}")
    if arguments.transport == "http" and (
        arguments.token_rate or (set(arguments.parts) or set(PARTS)) - {"open"}
    ):
        parser.error("over HTTP a text is sent whole, and spoken once: only `open`, without --token-rate")
    rows, figures = measure(arguments)
    show(
        f"Many listeners, {arguments.engine} voice, {arguments.transport}",
        rows,
        arguments.json,
    )
    if arguments.plot:
        draw(figures, arguments.plot)


if __name__ == "__main__":
    main()
