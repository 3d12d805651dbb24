"""From what the players noted to the figures of the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from statistics import fmean, median

from bench.http import Heard
from bench.latency import Spoken as Decoded
from bench.player import Crowd, Listened, Spoken
from bench.table import Row, quantile
from realtime.session.frames import decode_frame

#: Milliseconds of sound that were made and not heard, by session and handle.
Wasted = dict[tuple[str, int], float]


@dataclass(frozen=True, slots=True)
class Run:
    """One crowd, listened to; what the server took in the window."""

    crowd: Crowd
    listened: Listened
    cpu_s: float
    #: What everybody else on this machine took of its CPU: figures are good when it is next to nothing.
    others_cpu_s: float
    memory_before_mb: float
    memory_mb: float

    @property
    def errors(self) -> list[str]:
        """Everything that went wrong."""
        return [each.error for each in self.listened.spoken if each.error] + self.listened.errors


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the search for the most listeners."""

    listeners: int
    underruns: float
    p99_s: float
    good: bool


@dataclass(slots=True)
class Figures:
    """What is needed beyond the rows: for the plot, and for the bare voice."""

    runs: dict[str, list[Run]] = field(default_factory=dict)
    search: list[Step] = field(default_factory=list)

    @property
    def lengths(self) -> dict[str, float]:
        """Seconds of sound of each text that was spoken whole."""
        spoken = [each for runs in self.runs.values() for run in runs for each in run.listened.spoken]
        whole = (each for each in spoken if each.done and not each.error and each.cancelled_at is None)
        return {each.text: each.audio_s for each in whole if each.audio_s}


def fresh(run: Run) -> list[Spoken]:
    """The texts of the window whose listeners waited for their first sound."""
    begun, ended = run.listened.begun, run.listened.ended
    return [each for each in run.listened.spoken if each.fresh and begun <= each.due < ended]


def first_audio_s(run: Run) -> list[float]:
    """Seconds from the first byte of text to the first sound; a value even if nobody came."""
    return [each.first - each.sent for each in fresh(run) if each.first is not None] or [0.0]


def cpu_ms(run: Run) -> float:
    """CPU of the server per second of sound that was sent."""
    return run.cpu_s / max(run.listened.audio_s, 1e-9) * 1000


def at_once(run: Run) -> tuple[int, float]:
    """The least number that heard something at once in the window, and the average."""
    begun, ended = run.listened.begun, run.listened.ended
    changes: list[tuple[float, int]] = [(begun, 0), (ended, 0)]
    for periods in run.listened.periods.values():
        for start, end in zip(periods[::2], periods[1::2], strict=False):
            start, end = max(start, begun), min(end, ended)
            if start < end:
                changes += [(start, 1), (end, -1)]
    count, total, least, last = 0, 0.0, len(changes), begun
    for moment, change in sorted(changes, key=lambda each: (each[0], -each[1])):
        if moment > last:
            least = min(least, count)
            total += count * (moment - last)
        count, last = count + change, moment
    return least, total / (ended - begun)


def underruns(runs: Sequence[Run]) -> tuple[float, float]:
    """The share of listeners who had one in the window, over all runs, and the longest, in seconds."""
    heard = hit = 0
    longest_s = 0.0
    for run in runs:
        begun, ended = run.listened.begun, run.listened.ended
        for listener, periods in run.listened.periods.items():
            if len(periods) < 2 or periods[-1] < begun or periods[0] > ended:
                continue
            heard += 1
            gaps = [
                end - start for start, end in run.listened.gaps[listener] if begun <= end and start <= ended
            ]
            hit += bool(gaps)
            longest_s = max(longest_s, *gaps, 0.0)
    return hit / max(heard, 1), longest_s


def audible(run: Run) -> list[tuple[float, float]]:
    """When the first audible sample came, and the silence before it, of texts whose sound was kept; s."""
    found: list[tuple[float, float]] = []
    for each in run.listened.spoken:
        if not each.kept:
            continue
        arrivals = [arrival - each.sent for arrival, _ in each.kept]
        if run.crowd.transport == "ws":
            decoded = Decoded([decode_frame(frame) for _, frame in each.kept], arrivals)
            found.append(decoded.first_audible())
        else:
            sizes = accumulate(len(part) for _, part in each.kept)
            heard = Heard(b"".join(part for _, part in each.kept), list(zip(arrivals, sizes, strict=True)))
            found.append((heard.first_audible_s(), heard.silence_s()))
    return found


def p99_ms(runs: Sequence[Sequence[float]]) -> float:
    """The median over runs of what 99 in 100 do not exceed."""
    return median(quantile(seconds, 0.99) for seconds in runs) * 1000


def load_rows(name: str, runs: Sequence[Run], first_limit_s: float) -> list[Row]:
    """Everything about a crowd that listens."""
    firsts = [first_audio_s(run) for run in runs]
    arrivals = [[each.first - each.due for each in fresh(run) if each.first] or [0.0] for run in runs]
    sounds = [pair for run in runs for pair in audible(run)] or [(0.0, 0.0)]
    share, longest_s = underruns(runs)
    counts = [at_once(run) for run in runs]

    def row(what: str, value: float, unit: str, limit: float | None = None) -> Row:
        return Row(f"{name}: {what}", value, unit, limit)

    return [
        row("listeners at once, on average", median(mean for _, mean in counts), ""),
        row("listeners at once, least", min(least for least, _ in counts), ""),
        row("first frame, median", median(median(each) for each in firsts) * 1000, "ms"),
        row("first frame, p99", p99_ms(firsts), "ms", first_limit_s * 1000),
        row("first frame, slowest of all runs", max(map(max, firsts)) * 1000, "ms"),
        row("from coming to the first frame, p99", p99_ms(arrivals), "ms"),
        row("first audible sample, median", median(after for after, _ in sounds) * 1000, "ms"),
        row("silence before it, median", median(before for _, before in sounds) * 1000, "ms"),
        row("listeners with an underrun, all runs", share * 100, "%", 0),
        row("longest underrun", longest_s * 1000, "ms"),
        row("errors, all runs", sum(len(run.errors) for run in runs), "", 0),
        row("audio per second", median(run.listened.audio_s / _window_s(run) for run in runs), "s"),
        row("server CPU per second of audio", median(map(cpu_ms, runs)), "ms"),
        row("server CPU", median(run.cpu_s / _window_s(run) for run in runs) * 100, "% core"),
        row("server memory, most", max(run.memory_mb for run in runs), "MB"),
        *_client_rows(name, runs),
    ]


def _window_s(run: Run) -> float:
    return run.listened.ended - run.listened.begun


def _client_rows(name: str, runs: Sequence[Run]) -> list[Row]:
    """What the players themselves take, and how late they note a time."""
    lags = [lag for run in runs for lag in run.listened.lags]
    cpu = median(run.listened.cpu_s / _window_s(run) for run in runs)
    others = max(run.others_cpu_s / _window_s(run) for run in runs)
    return [
        Row(f"{name}: players' CPU", cpu * 100, "% core"),
        Row(f"{name}: players' lag, p99", quantile(lags, 0.99) * 1000, "ms"),
        Row(f"{name}: players' lag, worst", max(lags) * 1000, "ms"),
        Row(f"{name}: CPU of all else on the machine, most", others * 100, "% core"),
    ]


def newcomer_rows(beside: int, alone: Sequence[Run], among: Sequence[Run]) -> list[Row]:
    """What one who comes waits, beside others and alone, in turns."""
    alone_s, among_s = ([median(first_audio_s(run)) for run in runs] for runs in (alone, among))
    ratio = median(busy / idle for busy, idle in zip(among_s, alone_s, strict=True))
    share, _ = underruns(among)
    return [
        Row("newcomer on an idle server, first frame, median", median(alone_s) * 1000, "ms"),
        Row(f"newcomer beside {beside} listeners, first frame, median", median(among_s) * 1000, "ms"),
        Row(f"newcomer beside {beside} / on an idle server", ratio, "x", 3),
        Row(f"beside {beside}: listeners with an underrun, all runs", share * 100, "%", 0),
        Row(f"beside {beside}: errors, all runs", sum(len(run.errors) for run in (*alone, *among)), "", 0),
        *_client_rows(f"beside {beside}", among),
    ]


def idle_rows(run: Run) -> list[Row]:
    """What sessions take in which nothing happens."""
    count, memory_mb = run.crowd.idle, run.memory_mb - run.memory_before_mb
    return [
        Row(f"{count} idle sessions, memory over the empty server", memory_mb, "MB", 20),
        Row(f"{count} idle sessions, CPU", run.cpu_s / _window_s(run) * 100, "% core", 1),
        Row(f"{count} idle sessions, errors", len(run.errors), "", 0),
    ]


def cancel_rows(run: Run, wasted_ms: Wasted, max_lead_ms: int) -> list[Row]:
    """Barge-ins under load. What one wastes is the sum over its contexts."""
    cut = [each for each in run.listened.spoken if each.cancelled_at is not None]
    barge_ins: dict[tuple[int, float], list[Spoken]] = {}
    for each in cut:
        assert each.cancelled_at is not None
        barge_ins.setdefault((each.listener, each.cancelled_at), []).append(each)
    silent_s, answered_s, wastes = [], [], []
    for (listener, at), texts in barge_ins.items():
        answers = [each.answered_at for each in texts if each.answered_at is not None]
        if len(answers) < len(texts):
            continue  # cut off by the end of the load
        silent_s.append(max(each.last_after_cancel or at for each in texts) - at)
        answered_s.append(max(answers) - at)
        session = run.listened.sessions[listener]
        wastes.append(sum(wasted_ms.get((session, each.handle), 0.0) for each in texts))
    bound_ms = max_lead_ms + run.listened.longest_segment_ms if max_lead_ms else None
    share, longest_s = underruns([run])
    return [
        Row("barge-ins", len(silent_s), ""),
        Row("cancel to the last frame, median", median(silent_s) * 1000, "ms"),
        Row("cancel to the last frame, p99", quantile(silent_s, 0.99) * 1000, "ms", 30),
        Row("cancel to the last frame, slowest", max(silent_s) * 1000, "ms"),
        Row("cancel to context.cancelled, p99", quantile(answered_s, 0.99) * 1000, "ms"),
        Row("frames after context.cancelled", sum(each.late_frames for each in cut), "frames", 0),
        Row("wasted synthesis of a barge-in, on average", fmean(wastes), "ms"),
        Row("wasted synthesis of a barge-in, most", max(wastes), "ms", bound_ms),
        Row("first frame of the next text, median", median(first_audio_s(run)) * 1000, "ms"),
        Row("first frame of the next text, p99", quantile(first_audio_s(run), 0.99) * 1000, "ms"),
        Row("barge-ins: listeners at once, least", at_once(run)[0], ""),
        Row("barge-ins: listeners with an underrun", share * 100, "%"),
        Row("barge-ins: longest underrun", longest_s * 1000, "ms"),
        Row("barge-ins: errors", len(run.errors), "", 0),
        *_client_rows("barge-ins", [run]),
    ]
