"""One utterance as an overlapped pipeline: text -> pieces -> engine -> timeline -> packets.

While segment N is encoded and taken, the engine makes N+1. Text comes in by plain calls that never wait; what
comes out waits in `take` until the listener's side fetches it. How much may wait is bounded in milliseconds
of sound: beyond that the engine is granted nothing more, and what was found in a cache is not encoded, while
text goes on being accepted.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import structlog

from realtime.clock import Clock
from realtime.engines.engine import Chunk, Failure, LoadState
from realtime.errors import INTERNAL_MESSAGE, ErrorCode, QueueFullError, RealtimeError
from realtime.speech.encoding import BlockEncoder, parts
from realtime.speech.levels import Levels
from realtime.speech.pace import Pace, Whereabouts
from realtime.speech.scheduler import Scheduler
from realtime.speech.sounds import Sounds, open_sounds
from realtime.speech.synthesis import Syntheses
from realtime.speech.text_feed import TextFeed, TextTurns
from realtime.speech.timeline import Timeline
from realtime.speech.urgent_threads import UrgentThreads
from realtime.speech.waiting import Place
from realtime.text.frontend import Frontend
from realtime.types import (
    TIMELINE_RATE,
    Failed,
    Finished,
    Flushed,
    Loading,
    Packet,
    SegmentEnded,
    SegmentStarted,
    SpeechEvent,
    TextPiece,
    Timing,
    VoiceSettings,
    joined,
)

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


@dataclass(frozen=True, slots=True)
class Studio:
    """What all speakers of a server share. `executor` encodes; `turns` are those of all their texts; `levels`
    are those of the voices, None when their loudness is left alone.

    `revision` is of the engine and its models. `buffer_ms`: sound that may wait to be taken.
    `text_wait_s`: how long no text must have come before what is held is spoken; 0: for ever.
    """

    scheduler: Scheduler
    syntheses: Syntheses
    revision: str
    executor: UrgentThreads
    clock: Clock
    turns: TextTurns
    buffer_ms: int
    text_wait_s: float = 0.0
    levels: Levels | None = None


class Listener(Whereabouts, Protocol):
    """Who hears a context, as its speaker sees it. All calls are made on the event loop."""

    def on_output(self) -> None:
        """There is something to take, or the speaker has failed."""
        ...


class Speaker:
    """Speaks the text of one context. Every method is called on the event loop; `run` does the work."""

    def __init__(
        self,
        studio: Studio,
        settings: VoiceSettings,
        frontend: Frontend,
        timeline: Timeline,
        listener: Listener,
        *,
        segment_ends: bool = False,
    ) -> None:
        """`timeline` is its own, and new.

        `segment_ends`: the sound of a segment is handed on to its end before the next one begins, and
        `SegmentEnded` is told.
        """
        self._studio = studio
        self._settings = settings
        self._clock = studio.clock
        self._text = TextFeed(frontend, self, studio.clock, studio.turns, studio.text_wait_s)
        self._whole_text: str | None = ""  # None when it does not come whole before `run`
        self._ended = False
        self._listener = listener
        self._pace = Pace(listener, studio.clock, studio.buffer_ms, settings.speed)
        self._timeline = timeline
        self._encoder = BlockEncoder(timeline, studio.executor, studio.clock, self._pace.needed_at)
        self._segment_ends = segment_ends

        self._pieces: list[TextPiece] = []  # one for each segment
        self._started: SegmentStarted | None = None  # it was told before its text was complete
        self._rendered = 0
        self._heard = False  # whether the segment that is rendered has a sound
        self._marks: deque[_FlushMark | _EndMark] = deque()
        self._changed = asyncio.Event()  # there may be sound, a mark may be due, or there may be room
        self._output: deque[SpeechEvent] = deque()
        self._place: Place | None = None
        self._sounds: Sounds | None = None
        self._synthesized_ms = 0.0  # of the engine's sound, once the sounds are closed
        self.timing = Timing()
        self.failure: Failed | None = None

    # -- the text's side: plain calls that never wait ---------------------------------------------------

    def append(self, text: str) -> None:
        """More text, in tokens of any size."""
        if self.timing.accepted is None:
            self.timing.accepted = self._clock.now()
        if self._whole_text is not None:
            self._whole_text += text
        self._text.append(text)

    def flush(self, flush_id: str | None) -> None:
        """All text so far is final and is spoken; answered by `Flushed` after its last packet."""
        self._whole_text = None  # what comes after it is cut otherwise
        self._text.flush(flush_id)

    def end(self) -> None:
        """No more text; answered by `Finished` after the last packet."""
        self._ended = True
        self._text.end()

    # -- what becomes of the text: a TextListener -------------------------------------------------------

    def on_pieces(self, pieces: list[TextPiece]) -> None:
        """Hand them on to the engine."""
        assert self._sounds is not None and self._place is not None, "text is worked on while it runs"
        if pieces and self.timing.first_text is None:
            self.timing.first_text = self._clock.now()
        if pieces and self._rendered == len(self._pieces):
            self._pace.on_text()
            self._grant()
            self._on_load(self._studio.scheduler.load)
        for piece in pieces:
            if piece.segment < len(self._pieces):
                piece_so_far = self._pieces[piece.segment]
                self._pieces[piece.segment] = joined(piece_so_far, piece)
                if piece.segment == self._rendered:
                    self._pace.on_more_of_segment()
            else:
                self._pieces.append(piece)
            self._sounds.feed(piece)
        self._tell_completed()
        self._changed.set()

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
        assert self._sounds is not None, "text is worked on while it runs"
        self._sounds.flush()
        self._mark(_FlushMark(len(self._pieces), flush_id))

    def on_end(self) -> None:
        """There are no more pieces."""
        assert self._sounds is not None, "text is worked on while it runs"
        self._mark(_EndMark(len(self._pieces)))
        self._sounds.finish()

    def on_mistake(self) -> None:
        """The text could not be worked on."""
        self._fail_inside()

    def text_was_lost(self) -> None:
        """Text may have been on its way, and is sent again: what is held is not taken for all there is."""
        self._text.wait_again()

    def dry_at(self) -> float:
        """When all sound will have been heard; infinity while some is to be made or fetched."""
        if not self._pace.has_turn or self._rendered < len(self._pieces) or self._output:
            return math.inf
        return self._listener.dry_at()

    def _mark(self, mark: _FlushMark | _EndMark) -> None:
        self._marks.append(mark)
        self._changed.set()

    # -- the listener's side ----------------------------------------------------------------------------

    def take(self) -> SpeechEvent | None:
        """The next thing for the listener, None when there is nothing yet; only the head's is fetched."""
        event = self.peek()
        if event is None:
            return None
        self._output.popleft()
        if isinstance(event, Packet):
            self._on_taken(_milliseconds(event))
        return event

    def take_packets(self, most_ms: float, most_bytes: int) -> list[Packet]:
        """The sound that comes next, up to the packet with which it is as much as this."""
        packets: list[Packet] = []
        output, taken_ms, size = self._output, 0.0, 0
        while output and isinstance(packet := output[0], Packet) and taken_ms < most_ms and size < most_bytes:
            del output[0]
            packets.append(packet)
            taken_ms += _milliseconds(packet)
            size += len(packet.payload)
        if packets:
            self._on_taken(taken_ms)
        return packets

    def _on_taken(self, taken_ms: float) -> None:
        """There is room again."""
        self._changed.set()
        if self._pace.on_taken(taken_ms):
            self._grant()

    def peek(self) -> SpeechEvent | None:
        """What `take` would give; only the head is asked."""
        if not self._pace.has_turn:
            self.take_turn()
        if self._pace.is_paused:  # it may have gone on
            self._grant()
        return self._output[0] if self._output else None

    def on_credit(self) -> None:
        """The listener may take more than before, or is somewhere else: grant by where it is now."""
        self._changed.set()
        self._grant()

    @property
    def has_more(self) -> bool:
        """Whether sound waits to be taken, or a piece of text has not been rendered to its end."""
        is_rendered = self.failure is not None or self._rendered == len(self._pieces)
        return not is_rendered or any(isinstance(event, Packet) for event in self._output)

    @property
    def synthesized_ms(self) -> float:
        """Sound on the timeline that the engine has made for this context, also what is made ahead.

        What came out of a cache, or was begun for somebody else, does not count.
        """
        made_ms = self._synthesized_ms if self._sounds is None else self._sounds.synthesized_ms
        return made_ms / self._settings.speed

    def take_turn(self) -> None:
        """The contexts before this one are over: from now on its sound is waited for."""
        if self._pace.on_turn():
            self.timing.turn = self._clock.now()
            self._changed.set()
            self._grant()
            self._on_load(self._studio.scheduler.load)

    def _put(self, events: list[SpeechEvent]) -> None:
        if not events:
            return
        packets = [event for event in events if isinstance(event, Packet)]
        if packets:
            self._pace.on_output(sum(map(_milliseconds, packets)))
            if self.timing.first_packet is None:
                self.timing.first_packet = self._clock.now()
        self._output.extend(events)
        self._listener.on_output()

    def _grant(self) -> None:
        """Allow as much as there is room for, by when it is needed."""
        if self._sounds is None:
            return
        self._sounds.grant(*self._pace.grant())
        # Who has text and its turn, and hears nothing, is one of those whom a newcomer would wait for.
        has_text, has_sound = self.timing.first_text is not None, self.timing.first_pcm is not None
        if self._place is not None and self._pace.has_turn and has_text and not has_sound:
            self._place.waits(self._pace.silent_from)

    # -- the work ---------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Speak until the end of the text; cancel this to fall silent. What fails comes out as `Failed`."""
        try:
            with self._studio.scheduler.admit() as self._place:
                self.timing.admitted = self._clock.now()
                self._sounds = self._open_sounds()
                self.timing.cache = self._sounds.asks_cache
                with self._studio.scheduler.watch_load(self._on_load):
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
            self._text.stop()
            sounds, self._sounds = self._sounds, None
            if sounds is not None:
                self._synthesized_ms = sounds.synthesized_ms
                sounds.close()

    def _on_load(self, load: LoadState) -> None:
        """How a load of the engine goes: of interest to a listener who waits for the first sound."""
        waits = self._pace.has_turn and self.timing.first_text is not None and self.timing.first_pcm is None
        if waits and load.phase == "loading":
            self._put([Loading(load.what, load.fraction)])

    def _open_sounds(self) -> Sounds:
        studio = self._studio
        whole_text, self._whole_text = self._whole_text, None
        return open_sounds(
            self._settings,
            studio.scheduler,
            studio.syntheses,
            studio.revision,
            self._changed.set,
            whole_text if self._ended else None,
        )

    def _fail_inside(self) -> None:
        """Called while an exception is handled that nobody foresaw."""
        _log.exception("speaker_failed", voice=self._settings.voice)
        self._fail(Failed(ErrorCode.INTERNAL, INTERNAL_MESSAGE, timing=self.timing))

    def _fail(self, failure: Failed) -> None:
        self.failure = failure
        self._put([failure])

    async def _speak(self) -> None:
        while True:
            while self._marks and self._marks[0].pieces <= self._rendered:
                mark = self._marks.popleft()
                if isinstance(mark, _EndMark):
                    await self._finish()
                    return
                await self._encode(self._timeline.flush, short_frames=True)
                self._put([Flushed(mark.flush_id)])
            event = self._next_sound()
            if event is None:
                self._changed.clear()
                await self._changed.wait()
            elif isinstance(event, Failure):
                raise RealtimeError(event.message, ErrorCode.ENGINE_FAILED)
            else:
                await self._render(event)

    def _next_sound(self) -> Chunk | Failure | None:
        """The next of it, when there is room for it; before its turn, of one segment only."""
        assert self._sounds is not None, "it is called while the sounds are open"
        # Sound of a whole text out of a cache may be there before the text has been worked on.
        is_known = self._rendered < len(self._pieces)
        has_room = self._pace.has_room and (self._pace.has_turn or not self._rendered)
        return self._sounds.take(is_known and has_room)

    async def _render(self, chunk: Chunk) -> None:
        assert self._sounds is not None and self._place is not None, "it is called while the sounds are open"
        audio, cached = chunk.audio, self._sounds.cached
        if self.timing.first_pcm is None:
            self.timing.first_pcm = self._clock.now()
            self.timing.load_s, self.timing.queue_s = chunk.load_s, chunk.queue_s
            # What was found is of no utterance.
            self._place.sounds(is_typical=bool(chunk.utterance) and not chunk.load_s)
        self.timing.infer_s += chunk.infer_s
        self.timing.idle_s = self._sounds.idle_s
        self._pace.on_made(audio.audio_ms)
        self.timing.underruns, self.timing.underrun_s = self._pace.underruns, self._pace.underrun_s
        piece = self._pieces[self._rendered]
        gain_db = await self._gain_db(piece)
        for part in parts(audio, self._settings.speed):
            await self._encode(partial(self._timeline.add, piece, part, gain_db))
        self._pace.on_placed()
        if audio.last_of_segment:
            await self._end_segment(piece, cached)
        self._grant()

    async def _gain_db(self, piece: TextPiece) -> float:
        levels = self._studio.levels
        if levels is None or self._sounds is None:
            return 0.0
        settings = self._settings
        return await levels.gain_db(*self._sounds.voice_of(piece), settings.reference, settings.instruct)

    async def _end_segment(self, piece: TextPiece, cached: bool) -> None:
        self._rendered += 1
        self.timing.segments += 1
        self.timing.cached_segments += cached
        if self._segment_ends and self._heard:
            # What ends with the text is not padded: it is as long as without these ends.
            is_last = bool(self._marks) and self._marks[0] == _EndMark(self._rendered)
            await self._encode(self._timeline.finish if is_last else self._timeline.flush, short_frames=True)
            self._put([SegmentEnded(piece.segment, self._timeline.sound_end)])
        self._heard = False

    async def _finish(self) -> None:
        await self._encode(self._timeline.finish)
        self.timing.done = self._clock.now()
        self._put([Finished(self._timeline.length, self.timing)])

    async def _encode(
        self, place: Callable[[], Sequence[SpeechEvent] | None], *, short_frames: bool = False
    ) -> None:
        """Change the timeline, and hand on what that completes."""
        async for events in self._encoder.encode(place, short_frames=short_frames):
            for event in events:
                if isinstance(event, SegmentStarted):
                    self._heard = True
                    if not event.final:
                        self._started = event
            self.timing.encode_s = self._encoder.seconds
            self.timing.audio_s = self._timeline.length / TIMELINE_RATE
            self._put(events)
            self._tell_completed()


def _milliseconds(packet: Packet) -> float:
    return packet.duration * 1000 / TIMELINE_RATE
