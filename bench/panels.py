"""What the dashboard shows under load: `python -m bench.panels [--listeners N] [--seconds S]`.

A crowd of `bench.load` listens, some interrupt, and files are asked for over HTTP; a Prometheus with the
rules of `deploy/` reads the server. Each query of each panel of the dashboard is asked as Grafana would ask,
for the time when the load was at its height, and its values are printed. Rates are those of the half minute
before, or of 5 minutes or an hour where the query says so.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import isfinite
from pathlib import Path

from bench.crowds import Load
from bench.prometheus import Line, PanelQuery, Prometheus, panel_queries, running_prometheus
from bench.server import ServerProcess
from bench.table import Row, show
from bench.visitors import visitors

#: Over so much a rate is taken; a Grafana that shows an hour takes it over 20 s.
RATE_S = 30
#: A Prometheus that reads every 2 s must have seen a few texts.
SHORTEST_S = 10.0
_MIB = 2**20
_UNITS = {"none": "", "percentunit": "of 1", "reqps": "1/s", "ops": "1/s", "cps": "1/s", "bytes": "MiB"}


def read(prometheus: Prometheus, queries: list[PanelQuery], when: float) -> list[Row]:
    """A row for each line of each panel at that time; what shows nothing has no value."""
    rows: list[Row] = []
    for query in queries:
        lines = prometheus.at(query.expr, when)
        if query.kind == "heatmap":
            rows.append(_heat(query, lines))
            continue
        unit = _UNITS.get(query.unit, query.unit)
        for line in lines:
            value = line.values[-1] if isfinite(line.values[-1]) else None
            if value is not None and query.unit == "bytes":
                value /= _MIB
            rows.append(Row(query.name(line.labels), value, unit))
        if not lines:
            rows.append(Row(query.name({}), None, unit, note="nothing"))
    return rows


def _heat(query: PanelQuery, lines: list[Line]) -> Row:
    """All in one row: how many in all, and up to each bound that some were within."""
    within = {float(line.labels["le"]): line.values[-1] for line in lines}
    counts = [within[bound] for bound in sorted(within)]
    more = {
        f"within {bound:g} s": count
        for bound, count, before in zip(sorted(within), counts, [0.0, *counts], strict=False)
        if count > before
    }
    name = f"{query.row} / {query.panel}: in {RATE_S} s"
    return Row(name, counts[-1] if counts else None, more=more)


def measure(load: Load) -> list[Row]:
    """Run the load, and read what all panels showed when it was at its height."""
    rows: list[Row] = []
    crowd = load.full_crowd(load.listeners)
    crowd = replace(crowd, barge_rate=1.0, window_s=max(crowd.window_s, SHORTEST_S))

    @contextmanager
    def beside(server: ServerProcess) -> Iterator[None]:
        instance = f"127.0.0.1:{server.port}"
        queries = panel_queries([instance], RATE_S)
        with running_prometheus([instance]) as prometheus, visitors(server.port) as wrong:
            height = time.time() + crowd.warm_s + crowd.window_s
            yield
            rows.extend(read(prometheus, queries, height))
        for each in wrong:
            print(f"not as it should be: {each}", file=sys.stderr)

    load.run(crowd, load.seeds[0], "panels", beside=beside, AUDIO_CACHE_MB="64")
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--listeners", type=int, default=60, help="how many hear something at once, on average")
    add("--seconds", type=float, default=60, help="length of the load")
    add("--engine", choices=["embedded", "tone"], default="embedded", help="`tone`: the server's own cost")
    add("--quick", action="store_true", help="few listeners, short")
    add("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    whole = {"seeds": 1, "max_lead_ms": None, "steady": True, "transport": "ws", "voices": ""}
    whole |= {"token_rate": 0.0, "report_ms": 500, "buffer_ms": 0}
    load = Load(argparse.Namespace(**vars(arguments), **whole))
    title = f"Panels of the dashboard, {load.listeners} listeners, {load.engine} voice"
    show(title, measure(load), arguments.json)


if __name__ == "__main__":
    main()
