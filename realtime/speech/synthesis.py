"""Sound for those who listen: found in the cache, joined while it is made for another, or made.

A synthesis is one utterance of the engine with any number of listeners. Each reads its log of chunks from the
beginning at a pace of its own; the engine may make as much as the one who wants most, by when the first one
needs it. The last who leaves cancels it. So equal texts are synthesized once, whoever hangs up.

When the engine is lost, one of which nothing has sounded is begun again by itself: always if it only waited,
and once if the engine was at it, for its text may be what the engine is lost by.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from realtime.clock import Clock
from realtime.engines.engine import Chunk, Failure
from realtime.speech.cache import AudioCache, CachedSound
from realtime.speech.scheduler import Utterance, UtteranceEvent
from realtime.types import TextPiece

#: Opens the engine's utterance of a synthesis; what it is given hears the events.
OpenUtterance = Callable[[Callable[[UtteranceEvent], None]], Utterance]


#: A deadline that moves by less is not worth a message, for that wakes the engine.
_NEARLY_S = 0.05
#: Nor is more of a grant of which so much is left; it is told when the next chunk has come.
_PLENTY_MS = 1000


class Listening:
    """One listener's view of a sound. All methods are called on the event loop."""

    def __init__(self, synthesis: _Synthesis, on_change: Callable[[], None], *, cached: bool) -> None:
        """`on_change` is called when `take` has more."""
        self._synthesis = synthesis
        self.on_change = on_change
        #: Whether it is not made for this listener.
        self.cached = cached
        self.taken = 0
        self.fed = 0
        self.granted_ms = 0
        self.deadline = 0.0

    def take(self, has_room: bool = True) -> Chunk | Failure | None:
        """The next chunk, or that there will be none; None while there is nothing yet.

        Without room for a chunk only a failure is told.
        """
        return self._synthesis.take(self, has_room)

    @property
    def made_ms(self) -> float:
        """Milliseconds of the sound so far, also of what was not taken."""
        return self._synthesis.made_ms

    @property
    def own_ms(self) -> float:
        """As `made_ms`, of what is made for this listener; one who has joined has nothing of its own."""
        return 0.0 if self.cached else self._synthesis.made_ms

    @property
    def complete(self) -> bool:
        """Whether all of it is there."""
        return self._synthesis.complete

    @property
    def begun_at(self) -> float | None:
        """When the engine began to make it (monotonic seconds); None of what was found, or is not begun."""
        return self._synthesis.begun_at

    @property
    def made_at(self) -> float | None:
        """When the last sound so far was there; None of what was found."""
        return self._synthesis.made_at

    @property
    def failed(self) -> bool:
        """Whether it came to nothing before anything of it was taken."""
        return self.taken == 0 and self._synthesis.failed

    def feed(self, piece: TextPiece) -> None:
        """More text; what another listener has fed already is the same, and is not fed again."""
        self.fed += 1
        self._synthesis.feed(piece, self.fed)

    def flush(self) -> None:
        """The text so far is spoken to its end, whether more comes or not; of one that nobody joins."""
        self._synthesis.flush()

    def finish(self) -> None:
        """No more text."""
        self._synthesis.finish()

    def prepare(self) -> None:
        """Have the engine get ready for it; nothing is made before a grant."""
        self._synthesis.start()

    def grant(self, audio_ms: int, deadline: float, *, urgent: bool = True) -> None:
        """Allow `audio_ms` in all, the next of it needed at `deadline` (monotonic seconds).

        What is not `urgent` waits for the answer of the shared cache before the engine is asked.
        """
        self.granted_ms, self.deadline = max(self.granted_ms, audio_ms), deadline
        self._synthesis.grant(urgent)

    def close(self) -> None:
        """Listen no more. May be called again."""
        self._synthesis.leave(self)


class _Synthesis:
    """One sound, for as long as somebody listens."""

    def __init__(
        self, table: Syntheses, key: str | None, open_utterance: OpenUtterance, *, is_segment: bool
    ) -> None:
        """`key` None: for one listener. `is_segment`: its last chunk ends it, else the word of the engine."""
        self.key = key
        self._table = table
        self._open_utterance = open_utterance
        self._is_segment = is_segment
        self._utterance: Utterance | None = None
        self._started = False
        # Before it sounds: it may have to be started again. None: all before it was flushed.
        self._pieces: list[TextPiece | None] = []
        self._was_begun = False  # when the engine was lost
        self._fed = 0
        self._finished = False
        self._listeners: list[Listening] = []
        self._log: list[Chunk] = []
        self._dropped = 0  # chunks that were taken out at the log's beginning
        self._granted = (0, 0.0)
        self._failure: Failure | None = None
        self.size = 0  # of the sound so far, in bytes
        self.made_ms = 0.0
        self.begun_at: float | None = None
        self.made_at: float | None = None
        self.complete = False
        self.is_looked_up = False  # in the shared cache

    @property
    def failed(self) -> bool:
        """Whether there will be no more of it."""
        return self._failure is not None

    # -- the listeners' side ----------------------------------------------------------------------------

    def join(self, on_change: Callable[[], None], *, cached: bool) -> Listening:
        """One more listener, from the beginning."""
        listening = Listening(self, on_change, cached=cached)
        self._listeners.append(listening)
        return listening

    def leave(self, listening: Listening) -> None:
        if listening in self._listeners:
            self._listeners.remove(listening)
            if not self._listeners:
                self._end(cancelled=not self.complete)
            else:
                self._pass_grant()

    def take(self, listening: Listening, has_room: bool) -> Chunk | Failure | None:
        at = listening.taken - self._dropped
        if at >= len(self._log):
            return self._failure
        if not has_room:
            return None
        listening.taken += 1
        chunk = self._log[at]
        if self.key is None and listening.taken == min(each.taken for each in self._listeners):
            del self._log[: at + 1]  # nobody can join any more, and all have had it
            self._dropped += at + 1
        return chunk

    def feed(self, piece: TextPiece, number: int) -> None:
        if number <= self._fed:
            return
        self._fed = number
        self._pass_text(piece)

    def flush(self) -> None:
        self._pass_text(None)

    def _pass_text(self, piece: TextPiece | None) -> None:
        if self.begun_at is None and not self.complete and not self.failed:
            self._pieces.append(piece)
        if self._utterance is not None:
            _feed(self._utterance, piece)

    def finish(self) -> None:
        if not self._finished:
            self._finished = True
            if self._utterance is not None:
                self._utterance.finish()

    def grant(self, urgent: bool) -> None:
        if urgent or not self.is_looked_up:
            self.start()
        self._pass_grant()

    def _pass_grant(self) -> None:
        """What the engine may make: enough for the one who wants most, in time for the first."""
        wanting = [each for each in self._listeners if each.granted_ms > self.made_ms]
        if self._utterance is None or not wanting:
            return
        granted = max(each.granted_ms for each in wanting), min(each.deadline for each in wanting)
        # Where another is needed sooner only by this, it does not matter which of the two comes first.
        is_moved = not abs(granted[1] - self._granted[1]) < _NEARLY_S
        has_plenty = self._granted[0] - self.made_ms >= _PLENTY_MS
        if is_moved or (granted[0] != self._granted[0] and not has_plenty):
            self._granted = granted
            self._utterance.grant(*granted)

    # -- the engine's and the caches' side --------------------------------------------------------------

    def start(self) -> None:
        """Open it at the engine, if that has not been done."""
        if self._started or self.complete:
            return
        self._started = True
        utterance = self._utterance = self._open_utterance(self._on_event)
        for piece in self._pieces:
            _feed(utterance, piece)
        if self._finished:
            utterance.finish()
        self._pass_grant()

    def on_looked_up(self, sound: CachedSound | None) -> None:
        """The answer of the shared cache; it counts if the engine was not faster."""
        self.is_looked_up = False
        begun = self._log or self._dropped or self.complete or self._failure is not None
        if begun or not self._listeners:
            return
        if sound is not None and (sound.is_whole or not self._is_segment):
            for listening in self._listeners:
                listening.cached = True
            self.fill(sound)
            self._end(cancelled=True)
            self._tell()
        elif any(each.granted_ms for each in self._listeners):
            self.start()

    def fill(self, sound: CachedSound) -> None:
        """It was made before."""
        self._log = [Chunk(0, audio) for audio in sound.chunks]
        self.made_ms = sum(audio.audio_ms for audio in sound.chunks)
        self.complete = True

    def sound(self) -> CachedSound:
        """All of it, when it is complete."""
        return CachedSound(tuple(chunk.audio for chunk in self._log))

    def _on_event(self, event: UtteranceEvent) -> None:
        if isinstance(event, Chunk):
            self._log.append(event)
            self.made_at = self._table.clock.now()
            if self.begun_at is None:
                self.begun_at = self.made_at - event.infer_s
                self._pieces.clear()
            self.size += event.audio.pcm.nbytes
            self.made_ms += event.audio.audio_ms
            self._table.on_growth(self)
            if self._is_segment and event.audio.last_of_segment:
                self._complete()
            else:
                self._pass_grant()  # who has all that it was granted needs nothing now
                # The engine takes the next of it to be needed that much later: its listener is to say.
                self._granted = self._granted[0], math.nan
        elif isinstance(event, Failure) and self._may_start_again(event):
            self._start_again(event)
            return
        elif isinstance(event, Failure):
            self._fail(event)
        elif self._failure is None and not self.complete:
            if self._finished and not self._is_segment:  # it was freed, and all has been said
                self._complete()
            else:
                self._fail(Failure(event.utterance, "the engine stopped before the end of the text"))
        self._tell()

    def _may_start_again(self, failure: Failure) -> bool:
        if not failure.lost or self.begun_at is not None or self._utterance is None:
            return False
        return not (failure.begun and self._was_begun)

    def _start_again(self, failure: Failure) -> None:
        self._was_begun = self._was_begun or failure.begun
        lost, self._utterance = self._utterance, None
        if lost is not None:
            lost.close()
        self._started, self._granted = False, (0, 0.0)
        self.start()

    def _fail(self, failure: Failure) -> None:
        self._failure = failure
        self._end(cancelled=False)

    def _complete(self) -> None:
        self.complete = True
        self._table.on_complete(self)
        self._end(cancelled=False)

    def _end(self, cancelled: bool) -> None:
        self._table.remove(self)
        utterance, self._utterance = self._utterance, None
        if utterance is not None:
            utterance.close(cancelled)

    def _tell(self) -> None:
        for listening in tuple(self._listeners):
            listening.on_change()


def _feed(utterance: Utterance, piece: TextPiece | None) -> None:
    if piece is None:
        utterance.flush()
    else:
        utterance.feed(piece)


class Syntheses:
    """Those that are under way, by what is spoken, and the cache of those that are complete."""

    def __init__(self, cache: AudioCache, clock: Clock) -> None:
        """`cache` of what was made before; one that is off keeps nothing and finds nothing."""
        self._cache = cache
        self.clock = clock
        self._under_way: dict[str, _Synthesis] = {}

    @property
    def cache(self) -> AudioCache:
        """What was made before."""
        return self._cache

    def listen(
        self,
        key: str | None,
        open_utterance: OpenUtterance,
        on_change: Callable[[], None],
        *,
        is_segment: bool,
    ) -> Listening:
        """Listen to the sound with this key from its beginning; None: to one that is made for nobody else.

        It is asked of the engine when it is granted, or prepared.
        """
        if key is None or not self._cache.enabled:
            return _Synthesis(self, None, open_utterance, is_segment=is_segment).join(on_change, cached=False)
        under_way = self._under_way.get(key)
        if under_way is not None:
            return under_way.join(on_change, cached=True)
        synthesis = _Synthesis(self, key, open_utterance, is_segment=is_segment)
        sound = self._cache.sound(key)
        listening = synthesis.join(on_change, cached=sound is not None)
        if sound is not None:
            synthesis.fill(sound)
            return listening
        self._under_way[key] = synthesis
        if self._cache.has_shared:
            synthesis.is_looked_up = True
            self._cache.fetch_shared(key, synthesis.on_looked_up)
        return listening

    def on_growth(self, synthesis: _Synthesis) -> None:
        """What is too large to be kept is not shared either: its log would only grow."""
        if synthesis.key is not None and synthesis.size > self._cache.largest:
            self.remove(synthesis)
            synthesis.key = None

    def on_complete(self, synthesis: _Synthesis) -> None:
        """Keep it for those who come later."""
        if synthesis.key is not None:
            self._cache.keep_sound(synthesis.key, synthesis.sound())

    def remove(self, synthesis: _Synthesis) -> None:
        """Nobody can join it from now on."""
        if synthesis.key is not None and self._under_way.get(synthesis.key) is synthesis:
            del self._under_way[synthesis.key]
