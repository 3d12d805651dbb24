"""Memory under load, by allocator: `python -m bench.memory [--minutes N] [--json FILE] [--plot FILE]`.

Three servers side by side on the same cores: with the system's malloc, with the same and at most two arenas,
and with jemalloc preloaded. All get the same load at the same time: sessions and requests from one seed (see
`memory_plan`), spread over the whole time. What a figure tells of an allocator is in how the servers differ;
how much CPU they took is told only for that, for others may use the cores as well. Memory at a moment is the
median of the samples around it. The audio cache has its usual size, and fills in the first minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import aiohttp
import numpy as np

from bench.memory_load import Guests, visit_all
from bench.memory_plan import first_visits, make_plan
from bench.plot import draw_curves
from bench.server import Memory, ServerProcess
from bench.table import Row, quantile, show

SYSTEM, TWO_ARENAS, JEMALLOC = "system malloc", "system malloc, 2 arenas", "jemalloc"
MALLOC_CONF = "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0"
_LIBRARY = "libjemalloc.so.2"
_FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib")
#: Whatever this program was started with, the servers are as said here.
_UNSET: dict[str, str | None] = {
    "LD_PRELOAD": None,
    "MALLOC_CONF": None,
    "MALLOC_ARENA_MAX": None,
    "GLIBC_TUNABLES": None,
    "ALLOCATOR": None,
    "AUDIO_CACHE_MB": None,
}
#: Minutes that the table tells of. A growth is counted from the fifth one on: caches are full then.
MOMENTS_MIN = (0, 1, 5, 10, 20, 30, 60, 120, 240, 480)
_FULL_MIN = 5.0
_SAMPLE_S = 5.0
#: A figure of a moment is of the samples within so many seconds.
_AROUND_S = 15.0
#: After the load: then what is not used any more has had its time to be given back.
_REST_S = 30.0
#: So many kinds of errors are shown of each server.
_MOST_ERRORS = 5


@dataclass(frozen=True, slots=True)
class Sample:
    """Memory at a moment of the load: of the server's own process, and of its engines'."""

    at_s: float
    own: Memory
    engines: Memory


@dataclass(slots=True)
class Candidate:
    """One server, what was seen of it, and what it did."""

    name: str
    server: ServerProcess
    guests: Guests
    samples: list[Sample]
    cpu_s: float = 0.0
    after: Sample | None = None

    def look(self, at_s: float) -> Sample:
        """How its memory is now."""
        return Sample(at_s, *self.server.memory())


def jemalloc_path() -> Path:
    """Where the library is; raises `FileNotFoundError` with what to do."""
    for folder in map(Path, _FOLDERS):
        for pattern in (_LIBRARY, f"*/{_LIBRARY}"):
            if found := sorted(folder.glob(pattern)):
                return found[0]
    raise FileNotFoundError(f"there is no {_LIBRARY} in {', '.join(_FOLDERS)}; Debian has it in libjemalloc2")


def settings_of(library: Path) -> dict[str, dict[str, str | None]]:
    """Environment of the server with each allocator, by name."""
    return {
        SYSTEM: _UNSET,
        TWO_ARENAS: _UNSET | {"MALLOC_ARENA_MAX": "2"},
        JEMALLOC: _UNSET | {"LD_PRELOAD": str(library), "MALLOC_CONF": MALLOC_CONF},
    }


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """Rise per unit of the first value: the median over all pairs (Theil-Sen); outliers do not move it."""
    if len(samples) < 2:
        return 0.0
    at, values = np.asarray(samples, float).T
    first, second = np.triu_indices(len(at), 1)
    return float(np.median((values[second] - values[first]) / (at[second] - at[first])))


async def measure(arguments: argparse.Namespace) -> tuple[list[Row], list[Candidate]]:
    """All figures, in the order of the table, and what they are made of."""
    seconds = arguments.minutes * 60
    async with contextlib.AsyncExitStack() as stack:
        candidates: list[Candidate] = []
        for name, settings in settings_of(jemalloc_path()).items():
            server = stack.enter_context(ServerProcess(ENGINE=arguments.engine, **settings))
            http = await stack.enter_async_context(aiohttp.ClientSession())
            candidates.append(Candidate(name, server, Guests(server.port, http), []))
        check_allocators((each.name, each.server) for each in candidates)
        await asyncio.gather(*(_warm(each) for each in candidates))
        await _load(candidates, arguments.seed, seconds, arguments.load)
        await asyncio.sleep(min(_REST_S, seconds / 4))
        for each in candidates:
            each.after = each.look(seconds)
    for each in candidates:
        for kind, what in list(dict(each.guests.errors).items())[:_MOST_ERRORS]:
            print(f"{each.name}: {kind}, such as {what}", file=sys.stderr)
    return _rows(candidates, arguments.minutes), candidates


def check_allocators(servers: Iterable[tuple[str, ServerProcess]]) -> None:
    """Raises `RuntimeError` unless jemalloc is in all processes of its server, and in no others."""
    for name, server in servers:
        for process in server.processes():
            preloaded = any(Path(part.path).name == _LIBRARY for part in process.memory_maps())
            if preloaded != (name == JEMALLOC):
                raise RuntimeError(f"{name}: process {process.pid} has another allocator")


async def _warm(candidate: Candidate) -> None:
    """Everything has been used once; none of it is counted."""
    guests = Guests(candidate.server.port, candidate.guests.http)
    await asyncio.gather(*(guests.serve(visit) for visit in first_visits()))
    if guests.errors:
        raise RuntimeError(f"{candidate.name}: {guests.errors[0]}")


async def _load(candidates: Sequence[Candidate], seed: str, seconds: float, load: float) -> None:
    before = [each.server.cpu_s() for each in candidates]
    looking = asyncio.create_task(_keep_looking(candidates, min(_SAMPLE_S, seconds / 24)))
    await visit_all(make_plan(seed, seconds, load), [each.guests for each in candidates])
    looking.cancel()
    await asyncio.wait({looking})
    if not looking.cancelled():
        looking.result()
    for each, cpu_s in zip(candidates, before, strict=True):
        each.cpu_s = each.server.cpu_s() - cpu_s


async def _keep_looking(candidates: Sequence[Candidate], every_s: float) -> None:
    begun = due = time.monotonic()
    while True:
        for each in candidates:
            each.samples.append(each.look(time.monotonic() - begun))
        if sys.stderr.isatty():
            told = ", ".join(f"{each.name} {each.samples[-1].own.resident:.0f} MB" for each in candidates)
            sys.stderr.write(f"\r\x1b[K{(time.monotonic() - begun) / 60:.1f} min: {told}")
        due += every_s
        await asyncio.sleep(max(0.0, due - time.monotonic()))


# -- figures ------------------------------------------------------------------------------------------


def _rows(candidates: Sequence[Candidate], minutes: float) -> list[Row]:
    rows: list[Row] = []
    for each in candidates:
        rows += _memory_rows(each, minutes)
    for each in candidates:
        rows += cost_rows(each, minutes)
    by_name = {each.name: each for each in candidates}
    system = by_name.pop(SYSTEM)
    for each in by_name.values():
        rows += _ratios(each, system, minutes)
    return rows


def _memory_rows(candidate: Candidate, minutes: float) -> list[Row]:
    name, samples = candidate.name, candidate.samples
    rows = [
        _memory_row(f"{name}: resident at {moment:g} min", *_at(samples, moment * 60))
        for moment in (*(each for each in MOMENTS_MIN if each < minutes), minutes)
    ]
    most = max(samples, key=lambda each: each.own.resident)
    assert candidate.after is not None, "it was looked at after the load"
    return [
        *rows,
        Row(f"{name}: the most", most.own.resident, "MB", more={"at min": most.at_s / 60}),
        _growth_row(name, samples, min(_FULL_MIN, minutes / 3), minutes),
        _growth_row(name, samples, minutes / 2, minutes),
        _memory_row(f"{name}: resident when the load is over", candidate.after.own, candidate.after.engines),
    ]


def _growth_row(name: str, samples: Sequence[Sample], from_min: float, to_min: float) -> Row:
    within = [each for each in samples if from_min <= each.at_s / 60 <= to_min]
    own, engines = ([(each.at_s / 3600, part(each)) for each in within] for part in (_own, _engines))
    title = f"{name}: growth from {from_min:.3g} min on"
    return Row(title, slope(own), "MB/h", more={"engines": slope(engines)})


def _own(sample: Sample) -> float:
    return sample.own.resident


def _engines(sample: Sample) -> float:
    return sample.engines.resident


def _memory_row(name: str, own: Memory, engines: Memory) -> Row:
    more = {
        "unique": own.unique,
        "proportional": own.proportional,
        "engines": engines.resident,
        "engines' unique": engines.unique,
        "engines' proportional": engines.proportional,
    }
    return Row(name, own.resident, "MB", more=more)


def _at(samples: Sequence[Sample], at_s: float) -> tuple[Memory, Memory]:
    """Own and engines' memory at a moment; at the beginning it is the first sample alone."""
    nearest = min(abs(each.at_s - at_s) for each in samples)
    around_s = max(nearest, min(_AROUND_S, at_s / 4))
    found = [each for each in samples if abs(each.at_s - at_s) <= around_s]
    return _middle([each.own for each in found]), _middle([each.engines for each in found])


def _middle(found: Sequence[Memory]) -> Memory:
    return Memory(
        median(each.resident for each in found),
        median(each.unique for each in found),
        median(each.proportional for each in found),
    )


def cost_rows(candidate: Candidate, minutes: float) -> list[Row]:
    """What a server did in so many minutes, what it took for that, and what went wrong."""
    name, guests = candidate.name, candidate.guests
    counts = {what: float(count) for what, count in sorted(guests.counts.items())}
    counts["MB of files"] = guests.file_bytes / 2**20
    kinds = {kind: float(count) for kind, count in Counter(kind for kind, _ in guests.errors).items()}
    return [
        Row(f"{name}: seconds of sound in a second", guests.audio_s / (minutes * 60), "", more=counts),
        Row(f"{name}: CPU per second of audio", _cpu_ms(candidate), "ms"),
        Row(
            f"{name}: first frame of a text, median",
            median(guests.first_s or [0.0]) * 1000,
            "ms",
            more={"p95": quantile(guests.first_s or [0.0], 0.95) * 1000, "texts": len(guests.first_s)},
        ),
        Row(f"{name}: errors", len(guests.errors), "", 0, more=kinds),
    ]


def _cpu_ms(candidate: Candidate) -> float:
    return candidate.cpu_s / max(candidate.guests.audio_s, 1e-9) * 1000


def _ratios(candidate: Candidate, system: Candidate, minutes: float) -> list[Row]:
    name = f"{candidate.name} / {system.name}"
    own, engines = _at(candidate.samples, minutes * 60)
    their_own, their_engines = _at(system.samples, minutes * 60)
    firsts = [median(each.guests.first_s or [1.0]) for each in (candidate, system)]
    return [
        Row(
            f"{name}: resident at the end",
            own.resident / their_own.resident,
            "x",
            more={"engines": engines.resident / max(their_engines.resident, 1e-9)},
        ),
        Row(f"{name}: CPU", _cpu_ms(candidate) / max(_cpu_ms(system), 1e-9), "x"),
        Row(f"{name}: first frame, medians", firsts[0] / firsts[1], "x"),
    ]


def curves(candidates: Sequence[Candidate]) -> Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]:
    """For the picture: by part and name, (minutes, MB)."""
    return {
        title: {
            each.name: [(sample.at_s / 60, part(sample)) for sample in each.samples] for each in candidates
        }
        for title, part in (("the server's own process", _own), ("its engines' processes", _engines))
    }


def main() -> None:
    """Measure and print; the exit code tells nothing of the targets, for machines differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (30)")
    parser.add_argument(
        "--load", type=float, default=8.0, help="seconds of sound in a second, of each server (8)"
    )
    parser.add_argument("--seed", default="1", help="draws who comes when (1)")
    parser.add_argument("--engine", choices=("embedded", "tone"), default="embedded", help="what speaks")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--plot", type=Path, help="draw a picture (PNG) to this file")
    arguments = parser.parse_args()
    for name in ("minutes", "load"):
        if not getattr(arguments, name) > 0:
            parser.error(f"--{name} must be a number above 0")
    try:
        rows, candidates = asyncio.run(measure(arguments))
    except FileNotFoundError as error:
        parser.error(str(error))
    show(f"Memory under load, {arguments.minutes:g} minutes, {arguments.engine}", rows, arguments.json)
    if arguments.plot:
        draw_curves(curves(candidates), "minutes", "resident memory, MB", arguments.plot)


if __name__ == "__main__":
    main()
