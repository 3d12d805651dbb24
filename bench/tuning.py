"""What settings of the host gain: `python -m bench.tuning [SETTING ...] [--quick] [--json FILE]`.

Listeners who come by chance and hear one text each, before a server of its own for each run. In every round
each setting has its turn beside the server as it is, so that what else happens on the machine meets all of
them; a figure is the median of the rounds, and a ratio that of the ratios within the rounds. Lateness is how
long a question takes that costs the server nothing, every 20 ms. Settings: `parted` (the server on the first
core, its engine on the others), `jemalloc`, `pages` (huge pages for the allocator of the system, by
`GLIBC_TUNABLES`), `jemalloc-pages`. What needs the host or a card to be changed is not measured: a benchmark
changes neither.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from bench.crowds import Load, warm, watch
from bench.figures import Run, cpu_ms, first_audio_s, underruns
from bench.player import Crowd
from bench.server import ServerProcess
from bench.table import Row, quantile, show
from realtime.cores import written
from realtime.host import MALLOC_CONF, find_jemalloc

_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_PROBE_S = 0.02
_AS_IT_IS = "as it is"
_QUESTION = b"GET /ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Variant:
    """A setting under measurement: the environment that makes it, or why there is none."""

    name: str
    environment: dict[str, str]
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """A run, and how late the server answered meanwhile."""

    run: Run
    lateness_s: list[float]

    def figures(self) -> dict[str, float]:
        """By name and unit."""
        first_s = first_audio_s(self.run)
        return {
            "first audio, median [ms]": median(first_s) * 1000,
            "first audio, p99 [ms]": quantile(first_s, 0.99) * 1000,
            "lateness, p99 [ms]": quantile(self.lateness_s, 0.99) * 1000,
            "CPU per second of audio [ms]": cpu_ms(self.run),
            "memory, most [MB]": self.run.memory_mb,
        }


def variants() -> list[Variant]:
    """All that there are, the server as it is first."""
    cores = sorted(os.sched_getaffinity(0))
    parted = {"CPU_AFFINITY": str(cores[0]), "ENGINE_CPU_AFFINITY": written(frozenset(cores[1:]))}
    no_jemalloc = "" if find_jemalloc() else "there is no libjemalloc2"
    pages = _PAGES.read_text() if _PAGES.exists() else ""
    no_pages = "" if pages and "[never]" not in pages else "the kernel makes no transparent huge pages"
    huge = {"ALLOCATOR": "jemalloc", "MALLOC_CONF": f"{MALLOC_CONF},thp:always,metadata_thp:auto"}
    return [
        Variant(_AS_IT_IS, {}),
        Variant("parted", parted, "" if len(cores) > 1 else "there is one core"),
        Variant("jemalloc", {"ALLOCATOR": "jemalloc"}, no_jemalloc),
        Variant("pages", {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}, no_pages),
        Variant("jemalloc-pages", huge, no_jemalloc or no_pages),
    ]


#: What is never measured here, and why.
NOT_MEASURED = (
    Row("huge pages for all programs", None, note="not measured: the host would have to be changed"),
    Row("GPU: persistence mode, locked clocks", None, note="not measured: a card would have to be changed"),
    Row("governor of the processors", None, note="not measured: the host would have to be changed"),
)


@contextlib.contextmanager
def probing(port: int) -> Iterator[list[float]]:
    """Asks a server again and again while the block runs; how long each answer took, in seconds."""
    took_s: list[float] = []
    over = threading.Event()

    def ask() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            while not over.wait(_PROBE_S):
                begun = time.perf_counter()
                connection.sendall(_QUESTION)
                if not connection.recv(4096):
                    return
                took_s.append(time.perf_counter() - begun)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield took_s
    finally:
        over.set()
        thread.join()


def measure(variant: Variant, crowd: Crowd, seed: int, engine: str) -> Measured:
    """A new server with this setting, warm, and the crowd before it."""
    with ServerProcess(log=None, ENGINE=engine, **variant.environment) as server:
        asyncio.run(warm(server))
        with probing(server.port) as lateness_s:
            run = watch(server, replace(crowd, port=server.port, seed=seed), variant.name)
    for error in run.errors[:3]:
        print(f"{variant.name}, seed {seed}: {error}", file=sys.stderr)
    return Measured(run, lateness_s)


def rows_of(rounds: Sequence[dict[str, Measured]]) -> list[Row]:
    """Medians of each setting, and of its ratios to the server as it is in the same round."""
    rows: list[Row] = []
    for name in rounds[0]:
        figures = [each[name].figures() for each in rounds]
        usual = [each[_AS_IT_IS].figures() for each in rounds]
        for figure in figures[0]:
            what, _, unit = figure.removesuffix("]").partition(" [")
            ratios = [mine[figure] / its[figure] for mine, its in zip(figures, usual, strict=True)]
            more = (
                {} if name == _AS_IT_IS else {"ratio": median(ratios), "from": min(ratios), "to": max(ratios)}
            )
            rows.append(Row(f"{name}: {what}", median(each[figure] for each in figures), unit, more=more))
        runs = [each[name].run for each in rounds]
        rows.append(Row(f"{name}: listeners with an underrun", underruns(runs)[0] * 100, "%"))
        rows.append(Row(f"{name}: errors", sum(len(run.errors) for run in runs), ""))
    others = [
        run.run.others_cpu_s / (run.run.listened.ended - run.run.listened.begun)
        for each in rounds
        for run in each.values()
    ]
    rows.append(Row("CPU of all else on the machine, median", median(others) * 100, "% core"))
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    known = {each.name: each for each in variants()[1:]}
    add("settings", nargs="*", metavar="SETTING", help=f"{', '.join(known)}; without any: all")
    add("--listeners", type=int, default=40, help="how many hear something at once, on average")
    add("--seconds", type=float, default=15, help="length of what is measured in each run")
    add("--rounds", type=int, default=5, help="turns of each setting")
    add("--engine", choices=["embedded", "tone"], default="embedded", help="`tone`: the server's own cost")
    add("--quick", action="store_true", help="few listeners, short, one round")
    add("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    for name in arguments.settings:
        if name not in known:
            parser.error(f"there is no setting {name!r}: {', '.join(known)}")
    chosen = [known[name] for name in arguments.settings or known]
    usual = {"max_lead_ms": None, "steady": False, "transport": "ws", "voices": "", "token_rate": 0.0}
    usual |= {"report_ms": 500, "buffer_ms": 0, "seeds": arguments.rounds}
    load = Load(argparse.Namespace(**usual | vars(arguments)))
    crowd = load.open_crowd(load.listeners)
    turns = [variants()[0], *(each for each in chosen if not each.missing)]
    rounds: list[dict[str, Measured]] = []
    for seed in range(1, 2 if arguments.quick else arguments.rounds + 1):
        # Backwards every other time: nobody is always first.
        order = turns[:: 1 if seed % 2 else -1]
        measured = {each.name: measure(each, crowd, seed, arguments.engine) for each in order}
        rounds.append({each.name: measured[each.name] for each in turns})
    missing = [Row(each.name, None, note=f"not measured: {each.missing}") for each in chosen if each.missing]
    title = f"Settings of the host, {load.listeners} listeners at once, {len(os.sched_getaffinity(0))} cores"
    show(title, [*rows_of(rounds), *missing, *NOT_MEASURED], arguments.json)


if __name__ == "__main__":
    main()
