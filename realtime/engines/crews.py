"""Chooses the crew for a synthesizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from realtime.cores import usable_cores
from realtime.engines.batches import Batches
from realtime.engines.crew import Crew
from realtime.engines.engine import Event
from realtime.engines.synthesizer import AnySynthesizer, BatchSynthesizer
from realtime.engines.workers import Workers


def crew_for(
    synthesizer: AnySynthesizer,
    threads: int,
    emit: Callable[[Event], None],
    table: list[int] | memoryview | None = None,
) -> Crew[Any]:
    """Steps for one that works on several utterances at once, else up to so many threads."""
    if isinstance(synthesizer, BatchSynthesizer):
        return Batches(synthesizer, emit, table)
    return Workers(synthesizer, threads, emit, table, crowded=threads >= usable_cores())
