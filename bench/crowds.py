"""Crowds of players before a server of their own: which there are, and how one is run."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import fmean, median

import psutil

from bench.bare import bare_cost_s
from bench.figures import Figures, Run, Step, Wasted, cpu_ms, first_audio_s, underruns
from bench.latency import TEN_WORDS, speak
from bench.player import Crowd, Listened
from bench.server import ServerProcess
from bench.table import Row, quantile

TEXTS = tuple(Path(__file__).with_name("data").joinpath("load_texts.txt").read_text("utf-8").splitlines())
#: About so long the voice takes for a word; how many listened is measured.
WORD_S = 0.27
#: What a server does without being told otherwise.
MAX_LEAD_MS = 10_000
MAX_SESSIONS = 256
#: First audio of 99 in 100 listeners, in seconds.
FIRST_AUDIO_S = 0.4
#: A search for the most listeners ends when it knows them so well.
STEP = 5
BARGE_INS = 1000
#: So many kinds of errors are shown of each run.
MOST_ERRORS = 5


class Load:
    """What the command line asks for."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        """Smaller with `--quick`."""
        quick = arguments.quick
        self.quick: bool = quick
        self.engine: str = arguments.engine
        self.listeners: int = min(arguments.listeners, 6) if quick else arguments.listeners
        self.window_s: float = 1.5 if quick else arguments.seconds
        self.seeds = range(1, 2 if quick else arguments.seeds + 1)
        self.idle_sessions = 20 if quick else 200
        self.beside = 4 if quick else 100
        self.max_lead_ms: int = MAX_LEAD_MS if arguments.max_lead_ms is None else arguments.max_lead_ms
        self.find_steady: bool = arguments.steady
        start: dict[str, object] = {}
        if arguments.max_lead_ms is not None:
            start["max_lead_ms"] = arguments.max_lead_ms
        self._crowd = Crowd(
            port=0,
            seed=0,
            texts=tuple(text for text in TEXTS if len(text.split()) <= 25) if quick else TEXTS,
            transport=arguments.transport,
            start=start,
            voices=tuple(name for name in arguments.voices.split(",") if name),
            token_rate=arguments.token_rate,
            report_s=arguments.report_ms / 1000,
            buffer_s=arguments.buffer_ms / 1000,
            window_s=self.window_s,
            samples=30,
        )

    def open_crowd(self, listeners: int) -> Crowd:
        """Each hears one text; so many hear at once, on average."""
        longest_s = max(len(text.split()) for text in self._crowd.texts) * WORD_S
        warm_s = longest_s + 2  # then those who leave are as many as those who come
        return replace(self._crowd, rate=listeners / self._text_s, warm_s=1.5 if self.quick else warm_s)

    @property
    def _text_s(self) -> float:
        """How long the texts are, on average."""
        return fmean(len(text.split()) for text in self._crowd.texts) * WORD_S

    def full_crowd(self, listeners: int) -> Crowd:
        """So many hear at once, on average: text after text, but for somebody new every second."""
        newcomers = self.steady_crowd(0).rate * self._text_s
        return self.steady_crowd(max(1, round(listeners - newcomers)))

    def steady_crowd(self, listeners: int) -> Crowd:
        """So many hear text after text; beside them somebody new comes every second, on average."""
        ramp_s = max(0.5 if self.quick else 1.0, listeners / 20)
        warm_s = ramp_s + (0.5 if self.quick else 10)
        rate = 4.0 if self.quick else 1.0
        return replace(self._crowd, steady=listeners, ramp_s=ramp_s, warm_s=warm_s, rate=rate)

    def idle_crowd(self) -> Crowd:
        """Nobody says anything."""
        ramp_s = 0.5 if self.quick else 2.0
        return replace(self._crowd, idle=self.idle_sessions, ramp_s=ramp_s, warm_s=2 * ramp_s, samples=0)

    def cancel_crowd(self) -> Crowd:
        """Steady listeners who interrupt, each about every eight seconds."""
        listeners, tries = (8, 12) if self.quick else (60, BARGE_INS)
        rate = 4.0 if self.quick else 8.0
        crowd = self.steady_crowd(listeners)
        return replace(crowd, rate=0.0, barge_rate=rate, window_s=1.05 * tries / rate, samples=0)

    def run(
        self,
        crowd: Crowd,
        seed: int,
        label: str,
        log: Path | None = None,
        beside: Callable[[ServerProcess], AbstractContextManager[object]] = nullcontext,
        **more: str,
    ) -> Run:
        """A new server, warm; this crowd before it, in a process of its own.

        `beside` is entered before the crowd comes and left when it has gone. `more` are settings.
        """
        settings = {"ENGINE": self.engine}
        if self.engine == "tone":
            settings["ENGINE_RUNNER"] = "thread"
        sessions = 2 * (crowd.steady + crowd.idle) + round(crowd.rate * 60)
        if sessions > MAX_SESSIONS:
            settings["MAX_SESSIONS"] = str(sessions)
        if log is not None:
            settings |= {"LOG_LEVEL": "info", "LOG_FORMAT": "json"}
        with ServerProcess(log=log, **settings | more) as server:
            asyncio.run(warm(server))
            with beside(server):
                run = watch(server, replace(crowd, port=server.port, seed=seed), label)
        for error, count in Counter(run.errors).most_common(MOST_ERRORS):
            print(f"{label}, seed {seed}: {count} x {error}", file=sys.stderr)
        return run


async def warm(server: ServerProcess) -> None:
    """Speak a little: what is done only once has been done."""
    session = await server.session()
    for _ in range(3):
        await speak(session, TEN_WORDS)
    await session.close()
    await asyncio.sleep(0.5)


def watch(
    server: ServerProcess, crowd: Crowd, label: str, told_of: Callable[[str], None] = lambda moment: None
) -> Run:
    """Run the players' process, and see what the server takes meanwhile.

    `told_of` is called when what is measured has "begun" and "ended".
    """
    memory_mb = [server.resident_mb()]
    cpu_s: list[float] = []
    all_cpu_s: list[float] = []
    command = [sys.executable, "-m", "bench.players"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None, "they are pipes"
        with process.stdin:
            pickle.dump(crowd, process.stdin)
        while True:
            try:
                told = pickle.load(process.stdout)
            except EOFError:
                raise RuntimeError("the players' process has ended before its time") from None
            if isinstance(told, Listened):
                break
            if isinstance(told, str):
                cpu_s.append(server.cpu_s())
                all_cpu_s.append(_busy_s())
                told_of(told)
            else:
                memory_mb.append(server.resident_mb())
                _tell(f"{label}, seed {crowd.seed}: {told} hear something")
    _tell("")
    used_s = cpu_s[1] - cpu_s[0]
    others_s = max(0.0, all_cpu_s[1] - all_cpu_s[0] - used_s - told.cpu_s)
    return Run(crowd, told, used_s, others_s, memory_mb[0], max(memory_mb))


def _busy_s() -> float:
    """CPU seconds of the whole machine."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)


def _tell(what: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{what}")
        sys.stderr.flush()


def wasted(log: Path, run: Run) -> Wasted:
    """What the server has logged of sound that was made and not heard, because its context was cancelled."""
    found: Wasted = {}
    sessions = set(run.listened.sessions.values())
    for line in log.read_text().splitlines():
        if '"context_over"' not in line and '"context_cut"' not in line:
            continue
        values = json.loads(line)
        if "wasted_ms" not in values:
            raise RuntimeError(f"the server does not log `wasted_ms`: {line}")
        # A context that was sent whole is over before it is cut.
        if values["session"] in sessions and values.get("reason", "cancelled") == "cancelled":
            found[values["session"], values["handle"]] = values["wasted_ms"]
    return found


def bare_rows(load: Load, figures: Figures) -> list[Row]:
    """CPU of the server per second of sound, beside the bare voice and encoder for the same texts."""
    cores = len(os.sched_getaffinity(0))
    count, rounds = (2, 1) if load.quick else (40, 2)
    chosen = Random(1).sample(sorted(figures.lengths.items()), min(count, len(figures.lengths)))
    _tell("bare voice and encoder")
    alone = bare_cost_s(dict(chosen), rounds, 1) * 1000
    together = bare_cost_s(dict(chosen), rounds, cores) * 1000
    _tell("")
    rows = [
        Row("bare voice and encoder, CPU per second of audio, alone", alone, "ms"),
        Row(f"the same on all {cores} cores at once", together, "ms"),
    ]
    for label in ("open loop", "steady"):
        if runs := figures.runs.get(label):
            ratio = median(cpu_ms(run) for run in runs) / together
            rows.append(Row(f"{label}: server / bare on all cores", ratio, "x", 1.2))
    return rows


def find(load: Load) -> list[Step]:
    """Doubles the listeners until it is too much, then halves the distance."""
    steps: list[Step] = []

    def good(listeners: int) -> bool:
        crowd = load.full_crowd(listeners) if load.find_steady else load.open_crowd(listeners)
        runs: list[Run] = []
        for seed in load.seeds:
            runs.append(load.run(crowd, seed, f"{listeners} listeners"))
            if underruns(runs)[0] or runs[-1].errors:
                break
        p99_s = median(quantile(first_audio_s(run), 0.99) for run in runs)
        share = underruns(runs)[0]
        fine = not share and not any(run.errors for run in runs) and p99_s < FIRST_AUDIO_S
        steps.append(Step(listeners, share, p99_s, fine))
        return fine

    low, high = 0, 6 if load.quick else 40
    while good(high):
        low, high = high, high * 2
        if load.quick:
            break
    while not load.quick and high - low > STEP:
        middle = (low + high) // 2
        low, high = (middle, high) if good(middle) else (low, middle)
    return sorted(steps, key=lambda step: step.listeners)
