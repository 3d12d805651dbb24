"""What `/health` and `/metrics` tell of the server as it is now, read from the parts that know it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from realtime import __version__
from realtime.clock import Clock
from realtime.config import Config
from realtime.live.registry import Registry
from realtime.observe.metrics import Metrics, content_type_for
from realtime.observe.processes import ChildProcesses
from realtime.observe.state import CacheState, ServerState
from realtime.server.status import (
    AudioCacheHealth,
    EngineHealth,
    EngineStateName,
    Health,
    LoadingHealth,
    QueueHealth,
    VoicePromptsHealth,
    VoicesHealth,
)
from realtime.speech.cache import AudioCache
from realtime.speech.scheduler import Scheduler


@dataclass(frozen=True, slots=True)
class Insight:
    """Looks into a server. `requests`, `peers`, `voices` and `thrown_away_s` count what their names say."""

    config: Config
    clock: Clock
    scheduler: Scheduler
    cache: AudioCache
    registry: Registry
    requests: Callable[[], int]
    peers: Callable[[], int]
    voices: Callable[[], VoicesHealth]
    thrown_away_s: Callable[[], float]
    ready: Callable[[], bool]
    begun: float

    def health(self) -> Health:
        """For `/health`."""
        kept, engine, scheduler = self.cache.stats, self.scheduler.stats, self.scheduler
        return Health(
            version=__version__,
            uptime_s=round(self.clock.now() - self.begun, 3),
            engine=self._engine(),
            queue=QueueHealth(
                waiting=scheduler.queue_depth,
                limit=self.config.max_queue_depth,
                speaking=scheduler.admitted,
                segments_waiting=engine.waiting,
                estimated_wait_ms=round(scheduler.estimated_wait_ms),
                thrown_away_s=round(self.thrown_away_s(), 3),
            ),
            tasks=len(asyncio.all_tasks()),
            sessions=self.registry.count,
            sessions_detached=self.registry.detached,
            peers=self.peers(),
            requests=self.requests(),
            audio_cache=AudioCacheHealth(
                entries=kept.entries,
                bytes=kept.bytes,
                max_bytes=self.config.audio_cache_mb * 2**20,
                hits=kept.hits,
                misses=kept.misses,
                evictions=kept.evictions,
                shared=kept.shared,
                shared_hits=kept.shared_hits,
                shared_misses=kept.shared_misses,
            ),
            voice_prompts=VoicePromptsHealth(engine.prompts, engine.prompt_hits, engine.prompt_misses),
            voices=self.voices(),
        )

    def state(self) -> ServerState:
        """For `/metrics`."""
        engine, scheduler = self.scheduler.stats, self.scheduler
        return ServerState(
            sessions=self.registry.count,
            sessions_detached=self.registry.detached,
            sessions_limit=self.config.max_sessions,
            contexts=self.registry.contexts,
            requests=self.requests(),
            peers=self.peers(),
            queue_depth=scheduler.queue_depth,
            queue_limit=self.config.max_queue_depth,
            segments_waiting=engine.waiting,
            ready=self.ready(),
            model_loaded=self._engine_state() == "ready",
            engine_state=self._engine_state(),
            engine_restarts=scheduler.restarts,
            gpu_allocated_bytes=engine.device.allocated,
            gpu_reserved_bytes=engine.device.reserved,
            gpu_total_bytes=engine.device.total,
            voices_cloned=self.voices().cloned,
            tasks=len(asyncio.all_tasks()),
            caches=self._caches(),
        )

    def _caches(self) -> dict[str, CacheState]:
        kept, engine = self.cache.stats, self.scheduler.stats
        prompts = CacheState(engine.prompt_hits, engine.prompt_misses, engine.prompts)
        caches = {
            "audio": CacheState(kept.hits, kept.misses, kept.entries, kept.bytes),
            "voice_prompts": prompts,
        }
        if kept.shared != "off":
            caches["shared"] = CacheState(kept.shared_hits, kept.shared_misses, up=kept.shared == "ok")
        return caches

    def _engine(self) -> EngineHealth:
        load = self.scheduler.load
        progress = LoadingHealth(load.what, load.fraction) if load.phase == "loading" and load.what else None
        state = self._engine_state()
        return EngineHealth(self.config.engine, state, None if state in ("ready", "unloaded") else progress)

    def _engine_state(self) -> EngineStateName:
        scheduler, phase = self.scheduler, self.scheduler.load.phase
        if scheduler.started and not scheduler.engine_ready:
            return "restarting"
        if not scheduler.started or phase == "loading":
            return "loading"
        return "unloaded" if phase == "unloaded" else "ready"


def metrics_renderer(metrics: Metrics, insight: Insight) -> Callable[[str], Awaitable[tuple[bytes, str]]]:
    """Tells all metrics, in the format that a header `Accept` asks for; the loop goes on meanwhile.

    It is work of many milliseconds that anybody may ask for: it is done once at a time, and who asks for the
    same format meanwhile gets the same.
    """
    children = ChildProcesses()
    one_at_a_time = asyncio.Lock()
    under_way: dict[str, asyncio.Task[tuple[bytes, str]]] = {}

    def render_in_thread(accept: str, state: ServerState) -> tuple[bytes, str]:
        # Here, and not on the loop: the system takes its time to tell of processes.
        metrics.update(replace(state, engines=children.look()))
        return metrics.render(accept)

    async def render_anew(accept: str) -> tuple[bytes, str]:
        async with one_at_a_time:
            return await asyncio.to_thread(render_in_thread, accept, insight.state())

    async def render(accept: str) -> tuple[bytes, str]:
        content_type = content_type_for(accept)
        if (rendering := under_way.get(content_type)) is None:
            rendering = under_way[content_type] = asyncio.create_task(render_anew(accept))
            rendering.add_done_callback(lambda _: under_way.pop(content_type))
        return await asyncio.shield(rendering)  # one who goes away leaves the others their answer

    return render
