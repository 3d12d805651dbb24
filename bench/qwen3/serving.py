"""The server with a Qwen3-TTS of full size, and what its `/metrics` tell: `python -m bench.qwen3.serving`.

It writes a checkpoint with random weights, starts `python -m realtime serve` on it, lets listeners hear text
after text in real time and interrupt, and reads `/metrics` meanwhile. Each text takes `--frames` frames of
80 ms, one with more tokens than that a multiple of it. The exit code is 1 when something that has to be
counted was not. Without a GPU: `--size tiny`, whose figures mean nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

from bench.crowds import MOST_ERRORS, TEXTS, warm, watch
from bench.figures import Run, at_once, first_audio_s, underruns
from bench.player import Crowd
from bench.qwen3.published import SIZES, write_published
from bench.scraped import Scrape
from bench.server import ServerProcess
from bench.table import Row, quantile, show

#: Weights are read and graphs captured; compiling takes longer.
START_S = 420.0
SCRAPE_S = 1.0
#: Of the server's log.
MOST_LINES = 40
_MB = 2**20
#: Histograms that have something in them wherever somebody listens to this model.
FILLED = (
    "tts_first_audio_seconds",
    "tts_first_text_seconds",
    "tts_batch_size",
    "tts_frame_seconds",
    "tts_real_time_factor",
    "tts_queue_wait_seconds",
    "tts_encode_duration_seconds",
    "tts_listener_lead_seconds",
    "tts_event_loop_lag_seconds",
    "tts_audio_duration_seconds",
    "tts_synthesis_duration_seconds",
)
#: Those that have something in them where somebody interrupts.
FILLED_BY_CANCELS = ("tts_cancel_to_silence_seconds", "tts_engine_freed_seconds")
COUNTERS = ("process_cpu_seconds_total", "tts_engine_cpu_seconds_total", "tts_utterances_total")
#: Gauges that are above zero while a model speaks, and those that are so on a GPU alone.
ABOVE_ZERO = ("tts_model_loaded", "tts_ready", "tts_engine_processes", "tts_engine_resident_bytes")
ABOVE_ZERO_ON_GPU = ("tts_gpu_allocated_bytes", "tts_gpu_reserved_bytes", "tts_gpu_total_bytes")


@dataclass(slots=True)
class Watched:
    """What `/metrics` told: when what is measured began and ended, and every second."""

    begun: Scrape | None = None
    ended: Scrape | None = None
    each: list[Scrape] = field(default_factory=list)
    #: How long one answer took at most, in seconds.
    slowest_s: float = 0.0

    def scrape(self, server: ServerProcess) -> Scrape:
        """Ask, and keep it."""
        before = time.monotonic()
        found = Scrape.of(server.metrics())
        self.slowest_s = max(self.slowest_s, time.monotonic() - before)
        self.each.append(found)
        return found

    @property
    def added(self) -> Scrape:
        """By what was measured."""
        assert self.begun is not None and self.ended is not None, "the load has run"
        return self.ended.since(self.begun)

    def most(self, gauge: str) -> float:
        """The highest that was seen of a gauge."""
        return max(each.values.get(gauge, 0.0) for each in self.each)


@contextmanager
def _every_second(watched: Watched, server: ServerProcess) -> Iterator[None]:
    over = threading.Event()

    def scrape() -> None:
        while not over.wait(SCRAPE_S):
            watched.scrape(server)

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def listen(server: ServerProcess, arguments: argparse.Namespace) -> tuple[Run, Watched]:
    """The crowd before the server, and what that tells of it."""
    crowd = Crowd(
        port=server.port,
        seed=arguments.seed,
        texts=tuple(text for text in TEXTS if len(text.split()) <= arguments.words),
        rate=arguments.newcomers,
        steady=arguments.listeners,
        ramp_s=arguments.ramp,
        barge_rate=arguments.listeners / arguments.barge_every if arguments.barge_every else 0.0,
        warm_s=arguments.ramp + arguments.warm,
        window_s=arguments.seconds,
    )
    watched = Watched()

    def told_of(moment: str) -> None:
        if moment == "begun":
            watched.begun = watched.scrape(server)
        else:
            watched.ended = watched.scrape(server)

    with _every_second(watched, server):
        run = watch(server, crowd, f"{arguments.size}, {arguments.listeners} listeners", told_of)
    watched.scrape(server)
    for error, count in Counter(run.errors).most_common(MOST_ERRORS):
        print(f"{count} x {error}", file=sys.stderr)
    return run, watched


def rows_of(run: Run, watched: Watched) -> list[Row]:
    """The table: what the players have noted, and beside it what the server tells."""
    added = watched.added
    window_s = run.listened.ended - run.listened.begun
    firsts = first_audio_s(run)
    silences = _silences_s(run)
    audio_s = run.listened.audio_s
    gaps = [
        end - start
        for each in run.listened.gaps.values()
        for start, end in each
        if run.listened.begun <= end and start <= run.listened.ended
    ]
    least, mean = at_once(run)
    return [
        Row("players: listeners at once, on average", mean, "", more={"least": least}),
        Row("players: audio per second", audio_s / window_s, "s"),
        Row("players: first audio, p50", _quantile(firsts, 0.5, 1000), "ms", more={"texts": len(firsts)}),
        Row("players: first audio, p95", _quantile(firsts, 0.95, 1000), "ms"),
        *_quantiles(added, "tts_first_audio_seconds", "ms", 1000),
        *_quantiles(added, "tts_queue_wait_seconds", "ms", 1000),
        Row("tts_batch_size, mean", added.mean("tts_batch_size"), "", more=_count(added, "tts_batch_size")),
        Row("tts_batch_size, p95", added.quantile("tts_batch_size", 0.95)),
        *_quantiles(added, "tts_frame_seconds", "ms", 1000),
        *_quantiles(added, "tts_real_time_factor", "x", 1),
        Row("tts_gpu_allocated_bytes, most", watched.most("tts_gpu_allocated_bytes") / _MB, "MB"),
        Row("tts_gpu_reserved_bytes, most", watched.most("tts_gpu_reserved_bytes") / _MB, "MB"),
        Row("tts_gpu_total_bytes", watched.most("tts_gpu_total_bytes") / _MB, "MB"),
        Row("tts_engine_resident_bytes, most", watched.most("tts_engine_resident_bytes") / _MB, "MB"),
        Row("players: gaps", len(gaps), "", more={"longest, ms": max(gaps, default=0.0) * 1000}),
        Row("players: listeners with a gap", underruns([run])[0] * 100, "%"),
        Row("tts_underruns_total", added.values.get("tts_underruns_total"), ""),
        Row("tts_underrun_seconds_total", added.values.get("tts_underrun_seconds_total"), "s"),
        *_quantiles(added, "tts_listener_lead_seconds", "s", 1, (0.05, 0.5)),
        Row("tts_queue_depth, most", watched.most("tts_queue_depth")),
        Row("tts_segments_waiting, most", watched.most("tts_segments_waiting")),
        Row("players: cancel to the last frame, p50", _quantile(silences, 0.5, 1000), "ms"),
        Row("players: cancel to the last frame, p95", _quantile(silences, 0.95, 1000), "ms"),
        *_quantiles(added, "tts_cancel_to_silence_seconds", "ms", 1000),
        *_quantiles(added, "tts_engine_freed_seconds", "ms", 1000),
        Row("tts_wasted_audio_seconds_total", added.values.get("tts_wasted_audio_seconds_total"), "s"),
        Row(
            "server's process, CPU per second of audio",
            _per(added, "process_cpu_seconds_total", audio_s),
            "ms",
        ),
        Row(
            "engine's process, CPU per second of audio",
            _per(added, "tts_engine_cpu_seconds_total", audio_s),
            "ms",
            more={"% core": 100 * added.values.get("tts_engine_cpu_seconds_total", 0.0) / window_s},
        ),
        *_quantiles(added, "tts_event_loop_lag_seconds", "ms", 1000, (0.5, 0.99)),
        Row("/metrics: slowest answer", watched.slowest_s * 1000, "ms", more={"answers": len(watched.each)}),
        Row("players: errors", len(run.errors), "", 0),
        Row("players: CPU", run.listened.cpu_s / window_s * 100, "% core"),
        Row("players: lag, p99", quantile(run.listened.lags, 0.99) * 1000, "ms"),
    ]


def _silences_s(run: Run) -> list[float]:
    """From each cancel that was answered to the last frame after it."""
    cut = [each for each in run.listened.spoken if each.cancelled_at is not None and each.answered_at]
    last: dict[tuple[int, float], float] = {}
    for each in cut:
        assert each.cancelled_at is not None
        key = each.listener, each.cancelled_at
        last[key] = max(last.get(key, 0.0), (each.last_after_cancel or each.cancelled_at) - each.cancelled_at)
    return list(last.values())


def _quantile(values: Sequence[float], share: float, factor: float) -> float | None:
    return quantile(values, share) * factor if values else None


def _quantiles(
    added: Scrape, name: str, unit: str, factor: float, shares: Sequence[float] = (0.5, 0.95)
) -> list[Row]:
    rows = []
    for share in shares:
        found = added.quantile(name, share)
        value = None if found is None else found * factor
        rows.append(Row(f"{name}, p{share * 100:g}", value, unit, more=_count(added, name)))
    return rows


def _count(added: Scrape, name: str) -> Mapping[str, float]:
    return {"of": added.count(name)}


def _per(added: Scrape, counter: str, audio_s: float) -> float:
    return added.values.get(counter, 0.0) / max(audio_s, 1e-9) * 1000


def missing(run: Run, watched: Watched, on_gpu: bool) -> list[str]:
    """What the server had to count, from its start to when all had left, and did not."""
    told = watched.each[-1]
    interrupted = any(each.answered_at is not None for each in run.listened.spoken)
    histograms = (*FILLED, *(FILLED_BY_CANCELS if interrupted else ()))
    found = [f"{name} counted nothing" for name in histograms if not told.count(name)]
    found += [f"{name} counted nothing" for name in COUNTERS if not told.values.get(name)]
    gauges = (*ABOVE_ZERO, *(ABOVE_ZERO_ON_GPU if on_gpu else ()))
    return found + [f"{name} stayed 0" for name in gauges if not watched.most(name)]


def settings_of(arguments: argparse.Namespace, folder: Path) -> dict[str, str]:
    """Of the server; whatever else the environment says holds as well."""
    return {
        "ENGINE": "qwen3",
        "MODEL_ID": str(folder / "model"),
        "MODEL_DEVICE": arguments.device,
        "MAX_BATCH_SIZE": str(arguments.batch),
        "MAX_NEW_TOKENS": str(arguments.frames + 1),
        "MAX_SESSIONS": str(max(256, 4 * arguments.listeners)),
        "DATA_FOLDER": str(folder / "data"),
        "AUDIO_CACHE_MB": "0",
        "LOG_LEVEL": "info",
        "METRICS": "open",
    }


def main() -> None:
    """Write, serve, listen, tell."""
    arguments = _arguments()
    config = SIZES[arguments.size]
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        begun = time.monotonic()
        size = write_published(folder / "model", config)
        rows = [Row("checkpoint written", time.monotonic() - begun, "s", more={"MB": size / _MB})]
        settings, log = settings_of(arguments, folder), folder / "log"
        try:
            with ServerProcess(log, arguments.start, **settings) as server:
                rows.append(Row("start to ready", server.ready_s, "s"))
                asyncio.run(warm(server))
                run, watched = listen(server, arguments)
        except RuntimeError:
            _tell(log, arguments.log, lambda line: True)
            raise
        _tell(log, arguments.log, _is_notable)
        rows += rows_of(run, watched)
        absent = missing(run, watched, on_gpu=arguments.device != "cpu" and torch.cuda.is_available())
        place = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
        show(f"The server, Qwen3-TTS {arguments.size} with random weights, on {place}", rows, arguments.json)
        code = _doctor(settings)
    for each in absent:
        print(f"a metric is empty: {each}", file=sys.stderr)
    sys.exit(1 if absent or code else 0)


def _tell(log: Path, path: Path | None, wanted: Callable[[str], bool]) -> None:
    """What the server has logged: all of it to a file, if one is given; here the last of what is wanted."""
    text = log.read_text("utf-8", "replace")
    if path is not None:
        path.write_text(text, "utf-8")
    for line in [line for line in text.splitlines() if wanted(line)][-MOST_LINES:]:
        print(line, file=sys.stderr)


def _is_notable(line: str) -> bool:
    return any(word in line for word in ("[warning", "[error", "Traceback", "Error"))


def _doctor(settings: Mapping[str, str]) -> int:
    """What the command of that name says of the same settings; its exit code."""
    if importlib.util.find_spec("realtime.doctor") is None:
        print("there is no `python -m realtime doctor` here")
        return 0
    command = [sys.executable, "-m", "realtime", "doctor", "--quick"]
    print(" ".join(command[1:]), flush=True)
    return subprocess.run(command, env=os.environ | settings, check=False).returncode


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--size", choices=list(SIZES), default="0.6B", help="of the model")
    add("--listeners", type=int, default=32, help="how many hear text after text, in real time")
    add("--seconds", type=float, default=30, help="length of what is measured")
    add("--newcomers", type=float, default=1.0, help="others that come per second, hear one text, and leave")
    add(
        "--barge-every",
        type=float,
        default=8.0,
        help="seconds between two barge-ins of one listener; 0: none",
    )
    add("--frames", type=int, default=100, help="of a text, 80 ms each")
    add("--words", type=int, default=1000, help="most words of a text")
    add("--batch", type=int, default=32, help="MAX_BATCH_SIZE")
    add("--device", default="auto", help="MODEL_DEVICE")
    add("--ramp", type=float, default=3.0, help="the listeners come within so many seconds")
    add("--warm", type=float, default=5.0, help="and are heard for so long before it is measured")
    add("--start", type=float, default=START_S, help="seconds that the server may take until it is ready")
    add("--seed", type=int, default=1, help="of who comes when, and with which text")
    add("--folder", type=Path, help="where the checkpoint is written, and removed again")
    add("--json", type=Path, help="write the figures to this file")
    add("--log", type=Path, help="write what the server logs to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
