"""Looks again and again at what nobody tells of: how late the event loop is, what listeners have in hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from realtime.live.registry import Registry
from realtime.observe.metrics import Metrics

LOOP_EVERY_S = 0.1
LISTENERS_EVERY_S = 1.0
_log = structlog.get_logger(__name__)


@asynccontextmanager
async def watching(metrics: Metrics, registry: Registry) -> AsyncIterator[None]:
    """Looks for as long as the block runs."""
    tasks = [
        asyncio.create_task(_watch_loop(metrics)),
        asyncio.create_task(_watch_listeners(metrics, registry)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _watch_loop(metrics: Metrics) -> None:
    """By the loop's own clock: that is the one which is late."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LOOP_EVERY_S
        await asyncio.sleep(LOOP_EVERY_S)
        metrics.loop_lag(max(0.0, loop.time() - due))


async def _watch_listeners(metrics: Metrics, registry: Registry) -> None:
    while True:
        await asyncio.sleep(LISTENERS_EVERY_S)
        try:
            for lead_s in registry.leads_s():
                metrics.lead(lead_s)
        except Exception:  # of one session: the others are looked at the next time
            _log.exception("listeners_not_seen")
