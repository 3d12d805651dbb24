"""What `/health` tells, read from the parts that know it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from realtime import __version__
from realtime.clock import Clock
from realtime.config import Config
from realtime.live.registry import Registry
from realtime.server.status import (
    AudioCacheHealth,
    EngineHealth,
    Health,
    LoadingHealth,
    QueueHealth,
    VoicePromptsHealth,
    VoicesHealth,
)
from realtime.speech.cache import AudioCache
from realtime.speech.scheduler import Scheduler


def make_health(
    config: Config,
    clock: Clock,
    scheduler: Scheduler,
    cache: AudioCache,
    registry: Registry,
    requests: Callable[[], int],
    peers: Callable[[], int],
    voices: Callable[[], VoicesHealth],
    thrown_away_s: Callable[[], float],
) -> Callable[[], Health]:
    """A function that tells how the server is; the last four count what their names say."""
    begun = clock.now()

    def health() -> Health:
        kept, engine = cache.stats, scheduler.stats
        return Health(
            version=__version__,
            uptime_s=round(clock.now() - begun, 3),
            engine=_engine(config.engine, scheduler),
            queue=QueueHealth(
                waiting=scheduler.queue_depth,
                limit=config.max_queue_depth,
                speaking=scheduler.admitted,
                segments_waiting=engine.waiting,
                estimated_wait_ms=round(scheduler.estimated_wait_ms),
                thrown_away_s=round(thrown_away_s(), 3),
            ),
            tasks=len(asyncio.all_tasks()),
            sessions=registry.count,
            sessions_detached=registry.detached,
            peers=peers(),
            requests=requests(),
            audio_cache=AudioCacheHealth(
                entries=kept.entries,
                bytes=kept.bytes,
                max_bytes=config.audio_cache_mb * 2**20,
                hits=kept.hits,
                misses=kept.misses,
                evictions=kept.evictions,
                shared=kept.shared,
                shared_hits=kept.shared_hits,
                shared_misses=kept.shared_misses,
            ),
            voice_prompts=VoicePromptsHealth(engine.prompts, engine.prompt_hits, engine.prompt_misses),
            voices=voices(),
        )

    return health


def _engine(name: str, scheduler: Scheduler) -> EngineHealth:
    load = scheduler.load
    progress = LoadingHealth(load.what, load.fraction) if load.phase == "loading" and load.what else None
    if scheduler.started and not scheduler.engine_ready:
        return EngineHealth(name, "restarting", progress)
    if not scheduler.started or load.phase == "loading":
        return EngineHealth(name, "loading", progress)
    return EngineHealth(name, "unloaded" if load.phase == "unloaded" else "ready")
