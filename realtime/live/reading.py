"""A text that is read out to one listener without a session: what an HTTP request is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import inf

from realtime.clock import Clock
from realtime.errors import ErrorCode, RealtimeError
from realtime.live.contexts import OpenSpeakerFor
from realtime.speech.speaker import Speaker
from realtime.types import (
    TIMELINE_PER_MS,
    TIMELINE_RATE,
    AudioSettings,
    Caller,
    Failed,
    Finished,
    Loading,
    Packet,
    SpeechEvent,
    Timing,
    VoiceSettings,
)


@dataclass(frozen=True, slots=True)
class ReadingSummary:
    """What became of a reading; `reason` is completed, failed or disconnected.

    `code`: why it has failed. `wasted_ms`: sound that was synthesized for it and did not reach the listener.
    """

    caller: Caller
    reason: str
    settings: VoiceSettings
    audio: AudioSettings
    text: str
    timing: Timing
    code: ErrorCode | None = None
    wasted_ms: float = 0.0


#: Reason and code of a `ReadingSummary`.
_Outcome = tuple[str, ErrorCode | None]
#: Is told of every reading that is over.
ReadingObserver = Callable[[ReadingSummary], None]


class _Listener:
    """Takes what there is at its own pace, which its connection sets, and plays it as it comes.

    It tells nothing: where it is, is known by the clock alone.
    """

    def __init__(self, changed: asyncio.Event, clock: Clock) -> None:
        self._changed = changed
        self._clock = clock
        self._dry_at = -inf

    def took(self, packet: Packet) -> None:
        self._dry_at = max(self._dry_at, self._clock.now()) + packet.duration / TIMELINE_RATE

    def on_output(self) -> None:
        self._changed.set()

    def dry_at(self) -> float:
        return self._dry_at

    def credit_ms(self) -> float:
        return inf


class Reading:
    """Gives the events of one utterance as they are fetched; who fetches slowly slows its synthesis down."""

    def __init__(self, speaker: Speaker, listener: _Listener, changed: asyncio.Event) -> None:
        """`changed` is set when `speaker` has something for `listener` to fetch."""
        self._speaker = speaker
        self._listener = listener
        self._changed = changed
        self._over = False
        #: Whether all of it was fetched, and how much sound that was.
        self.completed = False
        self.fetched_ms = 0.0

    @property
    def timing(self) -> Timing:
        """The marks so far; `Finished` or `Failed` bears the same."""
        return self._speaker.timing

    def take(self) -> SpeechEvent | None:
        """The next event, None when there is none yet, or after the last: `Finished` or `Failed`."""
        event = None if self._over else self._speaker.take()
        while isinstance(event, Loading):  # an answer has no place for it
            event = self._speaker.take()
        self._over = self._over or isinstance(event, Finished | Failed)
        self.completed = self.completed or isinstance(event, Finished)
        if isinstance(event, Packet):
            self._listener.took(event)
            self.fetched_ms += event.duration / TIMELINE_PER_MS
        return event

    def __aiter__(self) -> AsyncIterator[SpeechEvent]:
        """All events in order, each as soon as it is there."""
        return self

    async def __anext__(self) -> SpeechEvent:
        if self._over:
            raise StopAsyncIteration
        while (event := self.take()) is None:
            self._changed.clear()
            await self._changed.wait()
        return event


class Readings:
    """Opens readings, counts them, and tells what became of them."""

    def __init__(self, open_speaker: OpenSpeakerFor, clock: Clock, observe: ReadingObserver) -> None:
        """`open_speaker` is the one of the sessions: there is one way from text to sound."""
        self._open_speaker = open_speaker
        self._clock = clock
        self._observe = observe
        self._count = 0

    @property
    def count(self) -> int:
        """Readings that are open."""
        return self._count

    @asynccontextmanager
    async def open(
        self, text: str, settings: VoiceSettings, audio: AudioSettings, caller: Caller
    ) -> AsyncIterator[Reading]:
        """Speak `text` for as long as the block runs; leaving it frees the engine at its next step.

        A block that ends by an error has failed, or, by one of its connection, has lost its listener: who has
        fetched all is told as completed only when the block then ends well.
        """
        changed = asyncio.Event()
        listener = _Listener(changed, self._clock)
        speaker = self._open_speaker(settings, audio, listener)
        speaker.append(text)
        speaker.end()
        speaker.take_turn()
        task = asyncio.create_task(speaker.run())
        self._count += 1
        reading = Reading(speaker, listener, changed)
        early: _Outcome | None = None
        try:
            yield reading
        except BaseException as error:
            early = _left_early(error)
            raise
        finally:
            self._count -= 1
            try:
                await _stopped(task)
            finally:
                reason, code = _outcome(speaker, reading, early)
                # A file that is sent when it is whole was not sent at all.
                heard_ms = 0.0 if audio.whole else reading.fetched_ms
                wasted_ms = 0.0 if reason == "completed" else max(0.0, speaker.synthesized_ms - heard_ms)
                timing = speaker.timing
                if audio.whole:  # and is not heard while it is made
                    timing.underruns, timing.underrun_s = 0, 0.0
                self._observe(ReadingSummary(caller, reason, settings, audio, text, timing, code, wasted_ms))


async def _stopped(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end. Whoever is cancelled meanwhile waits all the same: it is short."""
    task.cancel()
    is_cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            is_cancelled = True
    if is_cancelled:
        raise asyncio.CancelledError


def _left_early(error: BaseException) -> _Outcome:
    """What became of a reading whose block ended by an error."""
    if isinstance(error, RealtimeError):
        return "failed", error.code
    if isinstance(error, Exception) and not isinstance(error, ConnectionError):
        return "failed", ErrorCode.INTERNAL
    return "disconnected", None


def _outcome(speaker: Speaker, reading: Reading, early: _Outcome | None) -> _Outcome:
    if speaker.failure is not None:
        return "failed", ErrorCode(speaker.failure.code)
    if early is not None:
        return early
    return ("completed" if reading.completed else "disconnected"), None
