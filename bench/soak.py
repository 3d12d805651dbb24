"""Random sessions for a set time: `python -m bench.soak [--seconds N] [--sessions N] [--seed N]`.

Clients speak, barge in, vanish, resume and send rubbish, each as a chance of its own has it, and judge all
that comes back (`soak_witness`). Meanwhile the server's memory, descriptors, threads and counts are looked
at. At the end, when all clients are gone, everything is back where it was, and the log holds nothing that is
wrong; else the exit code is 1. The same seed draws the same lives; how they meet is the machine's affair.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import aiohttp
import psutil
from websockets.exceptions import WebSocketException

from bench.server import ServerProcess, of_each
from bench.soak_life import Life
from bench.soak_line import PATIENCE_S, Place
from bench.soak_others import half_a_handshake, one_shot, request
from bench.soak_witness import ViolationError
from bench.table import Row, show

WINDOW_S = 4.0
REQUEST_S = 4.0
#: After so many findings there is no use in going on.
MOST_FINDINGS = 10
#: The part of the samples with which that of the last fifth is compared: of ten minutes it is the second one.
_FIRST = (0.1, 0.2)
#: A soak of less than this says nothing of memory: that of a server that has just begun still grows.
_MEMORY_S = 300.0
#: Pools make a thread when all they have are busy, and keep it: so many there may be more than before.
POOLED_THREADS = 8
#: A server settles when the resume windows are over, and what was being made is made.
_SETTLE_S = 60.0
#: A soak without these says little: one goes on for a while until each was there.
AWAITED = ("talk", "speak", "resume", "sounds compared", "frames", "frames replayed")


@dataclass(frozen=True, slots=True)
class Sample:
    """How a server is at one moment. `counts`: what `/health` counts, by name."""

    at_s: float
    memory_mb: float
    descriptors: int
    threads: int
    children: int
    counts: dict[str, float]


@dataclass(slots=True)
class Findings:
    """What was wrong, in words; and the lives that were lived."""

    wrong: list[str] = field(default_factory=list)
    lives: int = 0

    def add(self, what: str) -> None:
        """One more; it is told at once."""
        self.wrong.append(what)
        print(f"\n!! {what}", file=sys.stderr, flush=True)


async def talk(place: Place, chance: Random) -> None:
    """A session, from its first message to its end; what happened in it is told with what was wrong."""
    session = Life(place, chance)
    try:
        await session.live()
    except Exception as error:
        error.add_note("\n".join(session.witness.trace))
        raise
    finally:
        place.counts["frames"] += session.witness.frames
        place.counts["frames replayed"] += session.witness.replayed


_LIVES: dict[Callable[[Place, Random], Awaitable[None]], int] = {
    talk: 70,
    request: 15,
    one_shot: 8,
    half_a_handshake: 7,
}


async def live(name: str, place: Place, findings: Findings) -> None:
    """One life after another, until the time is over."""
    number = 0
    while not place.over and len(findings.wrong) < MOST_FINDINGS:
        chance = Random(f"{name}/{number}")
        (life,) = chance.choices(list(_LIVES), list(_LIVES.values()))
        place.counts[life.__name__.replace("_", " ")] += 1
        try:
            await life(place, chance)
        except (ViolationError, OSError, WebSocketException, aiohttp.ClientError) as error:
            notes = "\n".join(getattr(error, "__notes__", []))
            where = "" if isinstance(error, ViolationError) else traceback.format_exc()
            findings.add(f"{life.__name__} {name}/{number}: {error!r}\n{notes}\n{where}")
        except Exception:
            findings.add(f"{life.__name__} {name}/{number}:\n{traceback.format_exc()}")
        number += 1
        findings.lives += 1


class Observer:
    """Looks at a server from outside."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._begun = time.monotonic()
        self.samples: list[Sample] = []

    def children(self) -> list[psutil.Process]:
        """The processes that the server has started."""
        found: list[psutil.Process] = psutil.Process(self._server.process.pid).children(recursive=True)
        return found

    async def look(self) -> Sample:
        """How it is now."""
        children = self.children()
        processes = [psutil.Process(self._server.process.pid), *children]
        memory_mb, at_s = self._server.resident_mb(), time.monotonic() - self._begun
        descriptors = sum(of_each(processes, psutil.Process.num_fds))
        threads = sum(of_each(processes, psutil.Process.num_threads))
        health = await self._health()
        return Sample(at_s, memory_mb, descriptors, threads, len(children), _counts(health))

    async def _health(self) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True), timeout=timeout
        ) as http:
            async with http.get(f"http://127.0.0.1:{self._server.port}/health") as answer:
                found: dict[str, Any] = await answer.json()
                return found

    async def keep_looking(self, seconds: float) -> None:
        """Until cancelled; two hundred samples in `seconds`, and no more than one in a second."""
        while True:
            self.samples.append(await self.look())
            if sys.stderr.isatty():
                sys.stderr.write(f"\r\x1b[K{self.samples[-1]}")
            await asyncio.sleep(max(1.0, seconds / 200))

    async def settled(self, before: Sample | None) -> Sample:
        """How it is when nothing is under way any more, or when that is not so in time."""
        until = time.monotonic() + WINDOW_S + _SETTLE_S
        while True:
            sample = await self.look()
            rests = not any(count for name, count in sample.counts.items() if name != "tasks")
            if before is not None:
                rests = rests and not any(_left(before, sample).values())
            if rests or time.monotonic() > until:
                return sample
            await asyncio.sleep(0.5)


def _counts(health: dict[str, Any]) -> dict[str, float]:
    queue = health["queue"]
    counts: dict[str, float] = {name: health[name] for name in ("sessions", "requests")}
    if "tasks" in health:
        counts["tasks"] = health["tasks"]
    return counts | {name: queue[name] for name in ("waiting", "speaking", "segments_waiting")}


def _left(before: Sample, after: Sample) -> dict[str, float]:
    """What there is more of than before, and should not be."""
    pairs = {
        "descriptors": (before.descriptors, after.descriptors),
        "threads": (before.threads + POOLED_THREADS, after.threads),
        "processes": (before.children, after.children),
    }
    if "tasks" in before.counts:
        pairs["tasks"] = (round(before.counts["tasks"]), round(after.counts["tasks"]))
    return {name: max(0, now - then) for name, (then, now) in pairs.items()}


def wrong_lines(log: Path) -> list[str]:
    """The lines of a log that tell of mistakes: errors, tracebacks, and what is no line of ours."""
    found = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
            is_wrong = entry["level"] in ("error", "critical") or "exception" in entry
        except (ValueError, TypeError, KeyError):
            is_wrong = True
        if is_wrong:
            found.append(line)
    return found


async def soak(server: ServerProcess, seconds: float, sessions: int, seed: str) -> tuple[list[Row], Findings]:
    """The figures of a soak, and what was wrong."""
    findings, observer = Findings(), Observer(server)
    place = Place(server.port, WINDOW_S, REQUEST_S, 0.0)
    # Threads and the like are made when they are first needed: what there is before is looked at after that.
    warm_s = min(20.0, seconds / 5)
    place.until = time.monotonic() + warm_s
    await _together(f"{seed}/warm", sessions, place, findings)
    before = await observer.settled(None)
    place.until, place.awaited = time.monotonic() + seconds - warm_s, AWAITED
    looking = asyncio.create_task(observer.keep_looking(seconds - warm_s))
    await _together(seed, sessions, place, findings)
    looking.cancel()
    await asyncio.wait({looking})
    after = await observer.settled(before)
    rows = [
        Row("lives", findings.lives, ""),
        *(
            Row(f"  {name}", place.counts[name], "", least=1 if name in AWAITED else None)
            for name in sorted({*place.counts, *AWAITED})
        ),
        Row("what the contract does not allow", len(findings.wrong), "", 0),
        *(Row(f"{name} at the end", count, "", 0) for name, count in after.counts.items() if name != "tasks"),
        *(Row(f"{name} more than before", count, "", 0) for name, count in _left(before, after).items()),
        *_memory(observer.samples, before, after, seconds),
    ]
    return rows, findings


async def _together(name: str, sessions: int, place: Place, findings: Findings) -> None:
    async with asyncio.TaskGroup() as tasks:
        for number in range(sessions):
            tasks.create_task(live(f"{name}/{number}", place, findings))


def _memory(samples: Sequence[Sample], before: Sample, after: Sample, seconds: float) -> list[Row]:
    memory = [sample.memory_mb for sample in samples]
    first = slice(*(int(share * len(memory)) for share in _FIRST))
    last = slice(-max(1, len(memory) // 5), None)
    begin, end = median(memory[first] or memory[:1]), median(memory[last])
    return [
        Row("memory before", before.memory_mb, "MB"),
        Row("memory in the second tenth, median", begin, "MB"),
        Row("memory in the last fifth, median", end, "MB"),
        Row("memory after", after.memory_mb, "MB"),
        Row("last fifth / second tenth", end / begin, "x", 1.05 if seconds >= _MEMORY_S else None),
        Row("most descriptors", max(sample.descriptors for sample in samples), ""),
        Row("most threads", max(sample.threads for sample in samples), ""),
    ]


def measure(arguments: argparse.Namespace) -> list[Row]:
    """All figures, in the order of the table."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        settings = {
            "RESUME_WINDOW_S": str(WINDOW_S),
            "LOG_LEVEL": "info",
            "LOG_FORMAT": "json",
            "ENGINE": arguments.engine,
            "REQUEST_TIMEOUT_S": str(REQUEST_S),
            "MAX_WAIT_MS": "0",  # that a busy machine refuses somebody is no mistake
            "PYTHONWARNINGS": "always::ResourceWarning",
        }
        with ServerProcess(log=log, **settings) as server:
            rows, _ = asyncio.run(soak(server, arguments.seconds, arguments.sessions, arguments.seed))
            children = Observer(server).children()
        wrong = wrong_lines(log)
        for line in wrong[:MOST_FINDINGS]:
            print(f"!! in the log: {line}", file=sys.stderr)
    return [
        *rows,
        Row("lines of the log that tell of mistakes", len(wrong), "", 0),
        Row("exit code", server.process.returncode, "", 0),
        Row("processes that outlive the server", sum(child.is_running() for child in children), "", 0),
    ]


def main() -> None:
    """Soak, print, and tell by the exit code whether all was well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long (600)")
    parser.add_argument("--sessions", type=int, default=20, help="how many at the same time (20)")
    parser.add_argument("--seed", default="1", help="draws what they do (1)")
    parser.add_argument("--engine", choices=("embedded", "tone"), default="embedded", help="what speaks")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    rows = measure(arguments)
    show(f"Soak, {arguments.sessions} sessions, {arguments.engine}", rows, arguments.json)
    sys.exit(any(row.verdict == "MISSED" for row in rows))


if __name__ == "__main__":
    main()
