"""Putting sound on a timeline and encoding it: off the event loop, block by block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace

from realtime.clock import Clock
from realtime.speech.timeline import Timeline
from realtime.speech.urgent_threads import UrgentThreads
from realtime.types import AudioChunk, Packet, SpeechEvent

#: Sound in the first block that is encoded: little, so that it leaves at once, and as much as is needed
#: until the second one is there, which may have to wait for others.
FIRST_BLOCK_MS = 300
#: Most sound in every other block: a part, and the pause before it. A cancel never waits for more than one
#: block, about 5 ms of work.
BLOCK_MS = 1600
#: Sound that is put on the timeline in one go, after the tempo: 15 ms of work at the slowest.
PART_S = 1.0


def parts(audio: AudioChunk, speed: float) -> Iterator[AudioChunk]:
    """A chunk in parts of at most `PART_S` after the tempo; its words come with the first."""
    words = audio.words
    samples = round(audio.sample_rate * PART_S * min(1.0, speed))
    for start in range(0, max(1, len(audio.pcm)), samples):
        end = start + samples
        last = audio.last_of_segment and end >= len(audio.pcm)
        yield replace(audio, pcm=audio.pcm[start:end], words=words, last_of_segment=last)
        words = ()


class BlockEncoder:
    """Works on the timeline of one context in threads; one call at a time."""

    def __init__(
        self, timeline: Timeline, executor: UrgentThreads, clock: Clock, needed_at: Callable[[], float]
    ) -> None:
        """`timeline` is the context's own; `executor` has the threads.

        `needed_at`: when its listener needs what is encoded next, in monotonic seconds.
        """
        self._timeline = timeline
        self._executor = executor
        self._clock = clock
        self._needed_at = needed_at
        self._first_block = max(1, FIRST_BLOCK_MS // timeline.packet_ms)
        self._block = max(1, BLOCK_MS // timeline.packet_ms)
        self._has_begun = False
        #: Seconds of work so far.
        self.seconds = 0.0

    async def encode(
        self, place: Callable[[], Sequence[SpeechEvent] | None], *, short_frames: bool = False
    ) -> AsyncIterator[list[SpeechEvent]]:
        """Change the timeline by `place`, and give its events and the packets that they complete.

        `short_frames`: a frame that is not full is encoded as well, where the format allows it.
        """
        limit = self._block if self._has_begun else self._first_block

        def encoded(events: Sequence[SpeechEvent]) -> tuple[Sequence[SpeechEvent], list[Packet]]:
            return events, self._timeline.packets(limit, short_frames)

        def first() -> tuple[Sequence[SpeechEvent], list[Packet], float]:
            begun = self._clock.now()
            return *encoded(place() or ()), self._clock.now() - begun

        def following() -> tuple[Sequence[SpeechEvent], list[Packet], float]:
            begun = self._clock.now()
            return *encoded(()), self._clock.now() - begun

        block = first
        while True:
            events, packets, seconds = await asyncio.wrap_future(
                self._executor.submit_by(self._needed_at(), block)
            )
            self.seconds += seconds
            self._has_begun = self._has_begun or bool(packets)
            yield [*events, *packets]
            if len(packets) < limit:
                return
            block, limit = following, self._block
