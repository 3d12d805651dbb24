"""One utterance as an overlapped pipeline: text -> pieces -> engine -> timeline -> packets.

While segment N is encoded and taken, the engine makes N+1. Text comes in by plain calls that never wait; what
comes out waits in `take` until the listener's side fetches it. How much may wait is bounded in milliseconds
of sound: beyond that the engine is granted nothing more, while text goes on being accepted.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial

import structlog

from realtime.audio.formats import PacketEncoder
from realtime.audio.opus import CODED_RATE
from realtime.clock import Clock
from realtime.engines.engine import Chunk
from realtime.errors import INTERNAL_MESSAGE, ErrorCode, QueueFullError, RealtimeError
from realtime.speech.scheduler import Scheduler, Utterance, UtteranceEvent
from realtime.speech.text_feed import TextFeed, TextTurns
from realtime.speech.timeline import Timeline
from realtime.text.frontend import Frontend
from realtime.types import (
    TIMELINE_RATE,
    AudioChunk,
    Failed,
    Finished,
    Flushed,
    Packet,
    SegmentStarted,
    SpeechEvent,
    TextPiece,
    Timing,
    VoiceSettings,
    joined,
)

#: Sound in the first block that is encoded: little, so that it leaves at once.
FIRST_BLOCK_MS = 100
#: Sound in every other block: a cancel never waits for more than one block, about 2 ms of work.
BLOCK_MS = 1000
#: Sound that is put on the timeline in one go, after the tempo: 15 ms of work at the slowest.
PART_S = 1.0
#: What is made for a context behind others is not needed before this many seconds.
QUEUED_S = 5.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _FlushMark:
    """All of the first `pieces` pieces were flushed."""

    pieces: int
    flush_id: str | None


@dataclass(frozen=True, slots=True)
class _EndMark:
    """There are no more than `pieces` pieces."""

    pieces: int


def _parts(audio: AudioChunk, samples: int) -> Iterator[AudioChunk]:
    """A chunk in parts of at most so many samples; its words come with the first."""
    words = audio.words
    for start in range(0, max(1, len(audio.pcm)), samples):
        end = start + samples
        last = audio.last_of_segment and end >= len(audio.pcm)
        yield replace(audio, pcm=audio.pcm[start:end], words=words, last_of_segment=last)
        words = ()


class Speaker:
    """Speaks the text of one context. Every method is called on the event loop; `run` does the work."""

    def __init__(
        self,
        settings: VoiceSettings,
        frontend: Frontend,
        encoder: PacketEncoder,
        scheduler: Scheduler,
        executor: Executor,
        clock: Clock,
        buffer_ms: int,
        on_output: Callable[[], None],
        dry_at: Callable[[], float] = lambda: 0.0,
        text_wait_s: float = 0.0,
        turns: TextTurns | None = None,
    ) -> None:
        """`buffer_ms`: sound that may wait to be taken; `on_output` is called when `take` has something.

        `dry_at`: when the listener will have heard all that was taken, also of others before this one, in
        monotonic seconds. `text_wait_s`: how long no text must have come before what is held is spoken; 0:
        for ever. `turns`: those of all speakers of the event loop.
        """
        self._settings = settings
        self._text = TextFeed(frontend, self, clock, turns or TextTurns(clock), text_wait_s)
        self._listener_dry_at = dry_at
        self._timeline = Timeline(encoder, settings.speed)
        packet_ms = encoder.frame_samples * 1000 // CODED_RATE
        self._first_block = max(1, FIRST_BLOCK_MS // packet_ms)
        self._block = max(1, BLOCK_MS // packet_ms)
        self._scheduler = scheduler
        self._executor = executor
        self._clock = clock
        self._buffer_ms = buffer_ms
        self._on_output = on_output

        self._pieces: list[TextPiece] = []  # one for each segment
        self._started: SegmentStarted | None = None  # it was told before its text was complete
        self._rendered = 0
        self._marks: deque[_FlushMark | _EndMark] = deque()
        self._inbox: asyncio.Queue[UtteranceEvent | None] = asyncio.Queue()  # None: a mark may be due
        self._output: deque[SpeechEvent] = deque()
        self._utterance: Utterance | None = None
        self._made_ms = 0.0
        self._waiting_ms = 0.0
        self._granted_ms = 0
        self._first_taken_at: float | None = None
        self._has_turn = False
        self._turn_at = 0.0
        self.timing = Timing()
        self.failure: Failed | None = None

    # -- the text's side: plain calls that never wait ---------------------------------------------------

    def append(self, text: str) -> None:
        """More text, in tokens of any size."""
        if self.timing.accepted is None:
            self.timing.accepted = self._clock.now()
        self._text.append(text)

    def flush(self, flush_id: str | None) -> None:
        """All text so far is final and is spoken; answered by `Flushed` after its last packet."""
        self._text.flush(flush_id)

    def end(self) -> None:
        """No more text; answered by `Finished` after the last packet."""
        self._text.end()

    # -- what becomes of the text: a TextListener -------------------------------------------------------

    def on_pieces(self, pieces: list[TextPiece]) -> None:
        """Hand them on to the engine."""
        assert self._utterance is not None, "text is worked on while the utterance is open"
        if pieces and self.timing.first_text is None:
            self.timing.first_text = self._clock.now()
        for piece in pieces:
            if piece.segment < len(self._pieces):
                piece_so_far = self._pieces[piece.segment]
                self._pieces[piece.segment] = joined(piece_so_far, piece)
            else:
                self._pieces.append(piece)
            self._utterance.feed(piece)
        self._tell_completed()

    def _tell_completed(self) -> None:
        """A segment whose first words sounded before its last ones were known is told once more."""
        if self._started is None:
            return
        piece = self._pieces[self._started.index]
        if piece.last_of_segment:
            self._put([replace(self._started, text=piece.text, source=piece.source, final=True)])
            self._started = None

    def on_flush(self, flush_id: str | None) -> None:
        """All pieces so far were flushed."""
        self._mark(_FlushMark(len(self._pieces), flush_id))

    def on_end(self) -> None:
        """There are no more pieces."""
        assert self._utterance is not None, "text is worked on while the utterance is open"
        self._mark(_EndMark(len(self._pieces)))
        self._utterance.finish()

    def on_mistake(self) -> None:
        """The text could not be worked on."""
        self._fail_inside()

    def dry_at(self) -> float:
        """When all sound will have been heard; infinity while some is to be made or fetched."""
        if not self._has_turn or self._rendered < len(self._pieces) or self._output:
            return math.inf
        return self._listener_dry_at()

    def _mark(self, mark: _FlushMark | _EndMark) -> None:
        self._marks.append(mark)
        self._inbox.put_nowait(None)

    # -- the listener's side ----------------------------------------------------------------------------

    def take(self) -> SpeechEvent | None:
        """The next thing for the listener, None when there is nothing yet; only the head's is fetched."""
        self.take_turn()
        if not self._output:
            return None
        event = self._output.popleft()
        if isinstance(event, Packet):
            if self._first_taken_at is None:
                self._first_taken_at = self._clock.now()
            self._waiting_ms -= event.duration * 1000 / TIMELINE_RATE
            if self._made_ms + self._room_ms() >= self._granted_ms + self._buffer_ms / 4:
                self._grant()
        return event

    def take_turn(self) -> None:
        """The contexts before this one are over: from now on its sound is waited for."""
        if not self._has_turn:
            self._has_turn, self._turn_at = True, self._clock.now()
            self._grant()

    def _put(self, events: list[SpeechEvent]) -> None:
        if not events:
            return
        for event in events:
            if isinstance(event, Packet):
                self._waiting_ms += event.duration * 1000 / TIMELINE_RATE
                if self.timing.first_packet is None:
                    self.timing.first_packet = self._clock.now()
        self._output.extend(events)
        self._on_output()

    def _room_ms(self) -> float:
        """Sound of the engine's that there is room for, before the tempo is set."""
        return max(0.0, self._buffer_ms - self._waiting_ms) * self._settings.speed

    def _grant(self) -> None:
        """Allow as much as there is room for; it is needed when what was taken so far has been played."""
        if self._utterance is None:
            return
        if not self._has_turn:
            # One segment is made ahead of its turn, when nobody who is being listened to needs the engine.
            self._utterance.grant(1, self._clock.now() + QUEUED_S)
            return
        self._granted_ms = max(self._granted_ms, round(self._made_ms + self._room_ms()))
        if self._first_taken_at is None:
            deadline = self._turn_at
        else:
            deadline = self._first_taken_at + self._timeline.length / TIMELINE_RATE
        self._utterance.grant(self._granted_ms, deadline)

    # -- the work ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Speak until the end of the text; cancel this to fall silent. What fails comes out as `Failed`."""
        try:
            with self._scheduler.admit(self._inbox.put_nowait) as utterance:
                self.timing.admitted = self._clock.now()
                self._utterance = utterance
                utterance.open(self._settings)
                self._grant()
                self._text.start()
                await self._speak()
        except QueueFullError as error:
            self._fail(Failed(error.code, error.message, error.retry_after_ms, self.timing))
        except RealtimeError as error:
            self._fail(Failed(error.code, error.message, timing=self.timing))
        except Exception:
            self._fail_inside()
        finally:
            self._utterance = None
            self._text.stop()

    def _fail_inside(self) -> None:
        """Called while an exception is handled that nobody foresaw."""
        _log.exception("speaker_failed", voice=self._settings.voice)
        self._fail(Failed(ErrorCode.INTERNAL, INTERNAL_MESSAGE, timing=self.timing))

    def _fail(self, failure: Failed) -> None:
        self.failure = failure
        self._put([failure])

    async def _speak(self) -> None:
        while True:
            event = await self._inbox.get()
            if isinstance(event, Chunk):
                await self._render(event)
            elif event is not None:
                raise RealtimeError(event.message, ErrorCode.ENGINE_FAILED)
            while self._marks and self._marks[0].pieces <= self._rendered:
                mark = self._marks.popleft()
                if isinstance(mark, _EndMark):
                    await self._finish()
                    return
                await self._encode(self._timeline.flush, partial=True)
                self._put([Flushed(mark.flush_id)])

    async def _render(self, chunk: Chunk) -> None:
        audio = chunk.audio
        if self.timing.first_pcm is None:
            self.timing.first_pcm = self._clock.now()
            self.timing.queue_s = chunk.queue_s
        self.timing.infer_s += chunk.infer_s
        self._made_ms += len(audio.pcm) * 1000 / audio.sample_rate
        piece = self._pieces[audio.segment]
        for part in _parts(audio, round(audio.sample_rate * PART_S * min(1.0, self._settings.speed))):
            await self._encode(partial(self._timeline.add, piece, part))
        if audio.last_of_segment:
            self._rendered += 1
        self._grant()

    async def _finish(self) -> None:
        await self._encode(self._timeline.finish)
        self.timing.done = self._clock.now()
        self._put([Finished(self._timeline.length, self.timing)])

    async def _encode(self, place: Callable[[], Sequence[SpeechEvent] | None], partial: bool = False) -> None:
        """Change the timeline and encode what that completes, off the loop, block by block."""
        limit = self._first_block if self.timing.first_packet is None else self._block

        def first_block() -> tuple[Sequence[SpeechEvent], list[Packet], float]:
            begun = self._clock.now()
            events = place() or []
            packets = self._timeline.packets(limit, partial)
            return events, packets, self._clock.now() - begun

        def next_block() -> tuple[Sequence[SpeechEvent], list[Packet], float]:
            begun = self._clock.now()
            packets = self._timeline.packets(self._block, partial)
            return [], packets, self._clock.now() - begun

        loop = asyncio.get_running_loop()
        block = first_block
        while True:
            events, packets, seconds = await loop.run_in_executor(self._executor, block)
            for event in events:
                if isinstance(event, SegmentStarted) and not event.final:
                    self._started = event
            self.timing.encode_s += seconds
            self.timing.audio_s = self._timeline.length / TIMELINE_RATE
            self._put([*events, *packets])
            self._tell_completed()
            if len(packets) < limit:
                return
            block, limit = next_block, self._block
