"""Admission to the engine, and the way back of its events.

Admission is a context manager: whatever ends an utterance, its place is free again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from realtime.clock import Clock
from realtime.engines.engine import (
    Cancel,
    Capabilities,
    Chunk,
    Command,
    Engine,
    Event,
    Failure,
    Feed,
    Finish,
    Flush,
    Freed,
    Grant,
    LoadState,
    Open,
    Restarted,
    Stats,
    Steps,
)
from realtime.errors import LoadingError, QueueFullError
from realtime.speech.waiting import Place, Waiting
from realtime.types import TextPiece, VoiceReference

#: What an utterance hears from the engine; `Freed` is the last.
UtteranceEvent = Chunk | Failure | Freed
#: When to try again where nothing is known of how long it takes; else no sooner and no later than so.
_RETRY_AFTER_MS = 1000
_LEAST_RETRY_AFTER_MS, _MOST_RETRY_AFTER_MS = 100, 30_000


class CancelObserver(Protocol):
    """Is told how long the engine took to let go of a cancelled utterance."""

    def __call__(self, utterance: int, seconds: float) -> None:
        """`seconds` from the cancel to the engine's word that everything is free."""
        ...


class Utterance:
    """One utterance of the engine: its commands with its number filled in."""

    def __init__(self, number: int, send: Callable[[Command], None], close: Callable[[int, bool], None]):
        """`number` is the engine's name for it; `close` is told whether it was cancelled."""
        self.number = number
        self._send = send
        self._close = close

    def feed(self, piece: TextPiece) -> None:
        """Give text."""
        self._send(Feed(self.number, piece))

    def grant(self, audio_ms: int, deadline: float) -> None:
        """Allow `audio_ms` in all; the next of it is needed at `deadline` (monotonic seconds)."""
        self._send(Grant(self.number, audio_ms, deadline))

    def flush(self) -> None:
        """The text so far is spoken to its end, whether more comes or not."""
        self._send(Flush(self.number))

    def finish(self) -> None:
        """No more text."""
        self._send(Finish(self.number))

    def close(self, cancelled: bool = False) -> None:
        """Hear nothing more of it; the engine lets go of what it still holds. May be called again."""
        self._close(self.number, cancelled)


class Scheduler:
    """Owns the engine: admits contexts up to a limit and brings each utterance its events."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        max_utterances: int,
        on_cancelled: CancelObserver | None = None,
        max_queue_depth: int = 100_000,
        max_wait_ms: int = 0,
        on_steps: Callable[[Steps], None] | None = None,
    ) -> None:
        """More than `max_utterances` at a time are refused, and when `max_queue_depth` wait for a sound.

        So is one that would wait longer than `max_wait_ms` for its first sound; 0: there is no such limit.
        `on_steps` is told how long steps of an engine take that has such.
        """
        self._engine = engine
        self._clock = clock
        self._max_utterances = max_utterances
        self._max_queue_depth = max_queue_depth
        self._max_wait_ms = max_wait_ms
        self._on_cancelled = on_cancelled
        self._on_steps = on_steps
        self._places: set[Place] = set()
        self._waiting = Waiting(clock)
        self._listeners: dict[int, Callable[[UtteranceEvent], None]] = {}
        self._held: set[int] = set()  # utterances of which the engine still holds something
        self._cancelled_at: dict[int, float] = {}
        self._next = 1
        #: Whether the engine has been loaded; it stays so while the engine is replaced.
        self.started = False
        self.stats = Stats(0, 0, 0)
        #: How often a process of the engine was lost and replaced.
        self.restarts = 0
        #: How a load of the engine goes, as far as it tells: it may be unloaded, and loaded again.
        self.load = LoadState("loaded")
        self._load_watchers: set[Callable[[LoadState], None]] = set()

    @property
    def capabilities(self) -> Capabilities:
        """What the engine can do."""
        return self._engine.capabilities

    @property
    def ready(self) -> bool:
        """Whether an utterance would be worked on at once."""
        return self.started and self._engine.ready and self._refusal() is None

    @property
    def engine_ready(self) -> bool:
        """Whether the engine is loaded and runs."""
        return self._engine.ready

    @property
    def admitted(self) -> int:
        """Contexts and requests that hold a place now."""
        return len(self._places)

    @property
    def queue_depth(self) -> int:
        """How many of them have given text, have their turn, and hear nothing."""
        return len(self._waiting)

    @property
    def estimated_wait_ms(self) -> float:
        """How long one more would wait for its first sound, as far as is known."""
        return self._waiting.estimate_ms

    def check_loaded(self) -> None:
        """Raises `LoadingError` until the engine has been started."""
        if not self.started:
            raise LoadingError(progress_of(self.load))

    @contextmanager
    def watch_load(self, watcher: Callable[[LoadState], None]) -> Iterator[None]:
        """While the block runs, `watcher` is told how each load of the engine goes."""
        self._load_watchers.add(watcher)
        try:
            yield
        finally:
            self._load_watchers.discard(watcher)

    async def start(self) -> None:
        """Load the engine."""
        await self._engine.start(self._on_event)
        self.started = True

    async def stop(self) -> None:
        """Give back the engine."""
        await self._engine.stop()

    async def forget(self, voice_key: str) -> None:
        """Drop what the engine keeps of a recording (`VoiceReference.key`)."""
        await self._engine.forget(voice_key)

    def check_room(self) -> None:
        """Raises `QueueFullError` when there is no room for one more."""
        if (refusal := self._refusal()) is not None:
            raise QueueFullError(refusal, self._retry_after_ms())

    def _retry_after_ms(self) -> int:
        """When all who wait now will have had their first sound."""
        estimate_ms = self._waiting.estimate_ms
        if not estimate_ms:
            return _RETRY_AFTER_MS
        return round(min(max(estimate_ms, _LEAST_RETRY_AFTER_MS), _MOST_RETRY_AFTER_MS))

    def _refusal(self) -> str | None:
        if len(self._places) >= self._max_utterances:
            many = self._max_utterances
            spoken = "1 utterance is" if many == 1 else f"{many} utterances are"
            return f"{spoken} being spoken, which is all this server takes; try again soon"
        if len(self._waiting) >= self._max_queue_depth:
            return f"{len(self._waiting)} utterances wait for their first sound already; try again soon"
        estimate_ms = self._waiting.estimate_ms
        if self._max_wait_ms and estimate_ms > self._max_wait_ms:
            return f"the first sound would be {estimate_ms / 1000:.1f} s away; try again soon"
        return None

    @contextmanager
    def admit(self) -> Iterator[Place]:
        """A place for as long as the block runs; raises `QueueFullError` when there is none."""
        self.check_room()
        place = Place(self._waiting)
        self._places.add(place)
        try:
            yield place
        finally:
            self._places.discard(place)
            place.leaves()

    def open(
        self,
        voice: str,
        language: str,
        listener: Callable[[UtteranceEvent], None],
        *,
        seed: int = 0,
        auto_voices: tuple[tuple[str, str], ...] = (),
        reference: VoiceReference | None = None,
        instruct: str = "",
    ) -> Utterance:
        """Begin an utterance of the engine; `listener` hears its events on the loop, until it is closed."""
        number = self._next
        self._next += 1
        self._listeners[number] = listener
        self._held.add(number)
        self._engine.send(Open(number, voice, language, seed, auto_voices, reference, instruct))
        return Utterance(number, self._engine.send, self._close)

    def _close(self, number: int, cancelled: bool) -> None:
        if self._listeners.pop(number, None) is None or number not in self._held:
            return
        if cancelled:
            self._cancelled_at[number] = self._clock.now()
        self._engine.send(Cancel(number))

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Stats):
            self.stats = event
            return
        if isinstance(event, Steps):
            if self._on_steps is not None:
                self._on_steps(event)
            return
        if isinstance(event, Restarted):
            self.restarts += 1
            return
        if isinstance(event, LoadState):
            self.load = event
            for watcher in tuple(self._load_watchers):
                watcher(event)
            return
        if isinstance(event, Freed):
            self._held.discard(event.utterance)
            cancelled_at = self._cancelled_at.pop(event.utterance, None)
            if cancelled_at is not None and self._on_cancelled is not None:
                self._on_cancelled(event.utterance, self._clock.now() - cancelled_at)
        listener = self._listeners.get(event.utterance)
        if listener is not None:
            listener(event)


def progress_of(load: LoadState) -> str:
    """How a load goes, in words: "weights 42 %"; empty when that is not known."""
    if load.phase != "loading" or not load.what:
        return ""
    return f"{load.what} {round(100 * load.fraction)} %"
