"""Metrics of what is true only now: read when they are asked for, and not counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from realtime.observe.processes import ProcessFigures


@dataclass(frozen=True, slots=True)
class CacheState:
    """Of one cache: how often it served since the start, and what is in it now, None if that is not known.

    `up`: whether it can be reached, of one that is elsewhere.
    """

    hits: int
    misses: int
    entries: int | None = None
    bytes: int | None = None
    up: bool | None = None


#: As `/health` tells them. One that is unloaded will be loaded when somebody wants to hear it: no fault.
ENGINE_STATES = ("loading", "ready", "restarting", "unloaded")


@dataclass(frozen=True, slots=True)
class ServerState:
    """How a server is now. `contexts` are those of sessions that are spoken, `requests` those over HTTP.

    GPU memory is that of the engine's process, 0 where there is none. `engines`: the engine's processes.
    """

    sessions: int = 0
    sessions_detached: int = 0
    sessions_limit: int = 0
    contexts: int = 0
    requests: int = 0
    peers: int = 0
    queue_depth: int = 0
    queue_limit: int = 0
    segments_waiting: int = 0
    ready: bool = False
    model_loaded: bool = False
    engine_state: str = "loading"
    engine_restarts: int = 0
    gpu_allocated_bytes: int = 0
    gpu_reserved_bytes: int = 0
    gpu_total_bytes: int = 0
    voices_cloned: int = 0
    tasks: int = 0
    caches: Mapping[str, CacheState] = field(default_factory=dict)
    engines: ProcessFigures = field(default_factory=ProcessFigures)


class StateCollector(Collector):
    """Tells `state`."""

    def __init__(self, version: str, engine: str) -> None:
        self._info = {"version": version, "engine": engine}
        self.state = ServerState()

    def describe(self) -> Iterable[Metric]:
        """The names, for the registry, which looks whether they are taken."""
        return self.collect()

    def collect(self) -> Iterator[Metric]:
        """All families."""
        state = self.state
        yield InfoMetricFamily("tts_build", "What runs", self._info)
        yield from _gauges(
            ("tts_sessions", "Sessions, with or without a connection", state.sessions),
            ("tts_sessions_detached", "Sessions that have lost their connection", state.sessions_detached),
            ("tts_sessions_limit", "MAX_SESSIONS", state.sessions_limit),
            ("tts_contexts", "Contexts of sessions that are being spoken", state.contexts),
            ("tts_requests_in_progress", "HTTP requests that are being spoken", state.requests),
            ("tts_peers", "WebRTC peer connections", state.peers),
            ("tts_queue_depth", "Texts that wait for their first sound", state.queue_depth),
            ("tts_queue_limit", "MAX_QUEUE_DEPTH", state.queue_limit),
            ("tts_segments_waiting", "Pieces of text that wait for the engine", state.segments_waiting),
            ("tts_ready", "1 while a request would be taken, as /ready tells", int(state.ready)),
            ("tts_model_loaded", "1 while the engine can speak", int(state.model_loaded)),
            ("tts_gpu_allocated_bytes", "GPU memory in use by the engine", state.gpu_allocated_bytes),
            ("tts_gpu_reserved_bytes", "GPU memory that the engine has taken", state.gpu_reserved_bytes),
            ("tts_gpu_total_bytes", "Memory of the GPU", state.gpu_total_bytes),
            ("tts_voices_cloned", "Cloned voices that are kept", state.voices_cloned),
            ("tts_event_loop_tasks", "Tasks of the event loop", state.tasks),
            ("tts_engine_processes", "Processes of the engine", state.engines.count),
            ("tts_engine_resident_bytes", "Memory of the engine's processes", state.engines.resident_bytes),
        )
        yield CounterMetricFamily(
            "tts_engine_restarts", "How often a process of the engine was replaced", state.engine_restarts
        )
        yield CounterMetricFamily(
            "tts_engine_cpu_seconds", "CPU time of the engine's processes", state.engines.cpu_s
        )
        engine = GaugeMetricFamily("tts_engine_state", "1 for the state of the engine", labels=["state"])
        for name in ENGINE_STATES:
            engine.add_metric([name], int(name == state.engine_state))
        yield engine
        yield from self._caches()

    def _caches(self) -> Iterator[Metric]:
        hits = CounterMetricFamily("tts_cache_hits", "What a cache had", labels=["cache"])
        misses = CounterMetricFamily("tts_cache_misses", "What a cache did not have", labels=["cache"])
        entries = GaugeMetricFamily("tts_cache_entries", "What is in a cache", labels=["cache"])
        size = GaugeMetricFamily("tts_cache_bytes", "Memory of a cache", labels=["cache"])
        up = GaugeMetricFamily("tts_cache_up", "Whether a cache can be reached", labels=["cache"])
        for name, cache in self.state.caches.items():
            hits.add_metric([name], cache.hits)
            misses.add_metric([name], cache.misses)
            if cache.entries is not None:
                entries.add_metric([name], cache.entries)
            if cache.bytes is not None:
                size.add_metric([name], cache.bytes)
            if cache.up is not None:
                up.add_metric([name], int(cache.up))
        yield from (hits, misses, entries, size, up)


def _gauges(*each: tuple[str, str, float]) -> Iterator[Metric]:
    for name, text, value in each:
        yield GaugeMetricFamily(name, text, value)
