"""Speech as server-sent events (HTML, section 9.2): what each event says, and how an utterance becomes them.

Every event is one `data:` line with a JSON object in ASCII, for some clients break lines at characters of
Unicode too. Sound is base64; each piece is complete on its own, and all pieces together are the file.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import msgspec
from msgspec import UNSET, Struct, UnsetType

from realtime.errors import ErrorCode, QueueFullError, RealtimeError
from realtime.server.errors import error_body
from realtime.server.speech_request import SpeechOrder
from realtime.server.streaming import latencies
from realtime.session.messages import Word
from realtime.types import (
    TIMELINE_PER_MS,
    TIMELINE_RATE,
    Failed,
    Finished,
    Packet,
    SegmentEnded,
    SegmentStarted,
    SpeechEvent,
    Timing,
    WordsTimed,
)

CONTENT_TYPE = "text/event-stream"
#: A comment, so that no proxy takes a stream that is silent for dead.
KEEP_ALIVE = b": keep-alive\n\n"
#: What is encoded in one turn of the loop, about.
PIECE_BYTES = 64 * 1024
#: Bytes of sound that are encoded at once: a multiple of 3, which base64 needs to go on.
_SOUND_BYTES = 48 * 1024
#: An output token is so much sound, in timeline samples: 20 ms.
_TOKEN = TIMELINE_RATE // 50


Sound = bytes | bytearray
#: An event, and what goes into its field `audio`, which is left empty.
Event = tuple[Struct, Sound]


class Usage(Struct, frozen=True):
    """Of a server without tokens: characters of the input, and pieces of 20 ms of sound."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class EventTiming(Struct, frozen=True):
    """Milliseconds, as `streaming.latencies` has them."""

    load_ms: int
    queue_ms: int
    infer_ms: int
    encode_ms: int
    first_audio_ms: int
    total_ms: int


class AudioDelta(Struct, frozen=True, tag="speech.audio.delta"):
    """More of the file."""

    audio: bytes


class Segment(Struct, frozen=True, tag="speech.segment"):
    """A segment is about to sound; `text` as spoken, `source` in code points of the input."""

    index: int
    text: str
    source: tuple[int, int]
    start_ms: float
    language: str
    final: bool


class Words(Struct, frozen=True, tag="speech.words"):
    """When words sound; comes before the sound in which they end."""

    segment: int
    estimated: bool
    words: list[Word]


class AudioDone(Struct, frozen=True, tag="speech.audio.done"):
    """All of the file was sent."""

    usage: Usage
    audio_ms: float
    cache: str
    timing: EventTiming
    request_id: str


class Sentence(Struct, frozen=True, tag="speech.segment"):
    """A segment with its sound, which begins with the pause before it. `estimated` tells of `words`."""

    index: int
    text: str
    source: tuple[int, int]
    language: str
    start_ms: float
    end_ms: float
    audio: bytes
    estimated: bool | UnsetType = UNSET
    words: list[Word] | UnsetType = UNSET


class SentencesDone(Struct, frozen=True, tag="speech.done"):
    """All segments were sent; `audio` is what the file ends with, after the last one's."""

    audio: bytes
    audio_ms: float
    segments: int
    cache: str
    timing: EventTiming
    usage: Usage
    request_id: str


class ErrorEvent(Struct, frozen=True, tag="error"):
    """Nothing more comes; `error` as in the answer to a request that failed."""

    error: Mapping[str, Any]


def encoded(events: Iterable[Event]) -> Iterator[bytes]:
    """Events as they are sent, in pieces; each is made when it is fetched, for the loop does it."""
    return in_pieces(part for event, sound in events for part in _encoded(event, sound))


def in_pieces(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of about `PIECE_BYTES`, none of them empty."""
    waiting: list[bytes] = []
    size = 0
    for part in parts:
        waiting.append(part)
        size += len(part)
        if size >= PIECE_BYTES:
            yield b"".join(waiting)
            waiting.clear()
            size = 0
    if size:
        yield b"".join(waiting)


def _encoded(event: Struct, sound: Sound) -> Iterator[bytes]:
    data = json.dumps(msgspec.to_builtins(event), separators=(",", ":"), allow_nan=False).encode("ascii")
    # The field is found: within a string the quotes would be escaped.
    before, field, after = data.partition(b'"audio":""')
    yield b"data: %b%b" % (before, field[:-1])
    for start in range(0, len(sound), _SOUND_BYTES):
        yield base64.b64encode(memoryview(sound)[start : start + _SOUND_BYTES])
    yield b"%b%b\n\n" % (field[-1:], after)


class Body(Protocol):
    """What is sent of an utterance, piece by piece."""

    #: The media type of all of it.
    content_type: str
    #: What is sent when there was nothing for a while; empty: nothing is.
    keep_alive: bytes

    def add(self, events: Iterable[SpeechEvent]) -> Iterator[bytes]:
        """The next bytes, when `events` are what comes next: pieces as of `in_pieces`, or none."""
        ...

    def fail(self, failed: Failed) -> bytes | None:
        """The last bytes, when there will be no more sound; None: the body has no way to say so."""
        ...


class Deltas:
    """A `Body` of events with pieces of the file, as OpenAI's; with the times of words, if asked for."""

    def __init__(self, order: SpeechOrder, request_id: str) -> None:
        """Of one utterance."""
        self._order = order
        self._request_id = request_id
        self.content_type = CONTENT_TYPE
        self.keep_alive = KEEP_ALIVE

    def add(self, events: Iterable[SpeechEvent]) -> Iterator[bytes]:
        """One event for all sound between two others."""
        made: list[Event] = []
        sound = bytearray()

        def put(event: Struct | None) -> None:
            nonlocal sound
            if sound:
                made.append((AudioDelta(b""), sound))
                sound = bytearray()
            if event is not None:
                made.append((event, b""))

        for event in events:
            if isinstance(event, Packet):
                sound += event.payload
            elif isinstance(event, Finished):
                put(self._done(event))
            elif self._order.words and isinstance(event, SegmentStarted):
                put(_segment(event))
            elif self._order.words and isinstance(event, WordsTimed):
                put(Words(event.segment, event.estimated, _words(self._order.text, event)))
        put(None)
        return encoded(made)

    def fail(self, failed: Failed) -> bytes:
        """An error event."""
        return _failure(failed)

    def _done(self, finished: Finished) -> AudioDone:
        return AudioDone(
            usage=_usage(self._order.text, finished.length),
            audio_ms=_ms(finished.length),
            cache=finished.timing.cache_use,
            timing=_timing(finished.timing),
            request_id=self._request_id,
        )


class Sentences:
    """A `Body` of one event for each segment, with all of its sound."""

    def __init__(self, order: SpeechOrder, request_id: str) -> None:
        """Of one utterance, whose audio has `segment_ends`."""
        self._order = order
        self._request_id = request_id
        self.content_type = CONTENT_TYPE
        self.keep_alive = KEEP_ALIVE
        self._started: SegmentStarted | None = None
        self._sound = bytearray()
        self._words: list[Word] = []
        self._estimated = False
        self._count = 0

    def add(self, events: Iterable[SpeechEvent]) -> Iterator[bytes]:
        """The segments that are complete."""
        made: list[Event] = []
        for event in events:
            if isinstance(event, Packet):
                self._sound += event.payload
            elif isinstance(event, SegmentStarted):
                self._started = event
            elif isinstance(event, WordsTimed):
                self._words += _words(self._order.text, event)
                self._estimated |= event.estimated
            elif isinstance(event, SegmentEnded) and self._started is not None:
                made.append((self._sentence(self._started, event.end), self._take_sound()))
            elif isinstance(event, Finished):
                made.append((self._done(event), self._take_sound()))
        return encoded(made)

    def fail(self, failed: Failed) -> bytes:
        """An error event; what there is of a segment is not sent."""
        return _failure(failed)

    def _take_sound(self) -> bytearray:
        """All sound so far, without a copy."""
        sound, self._sound = self._sound, bytearray()
        return sound

    def _sentence(self, started: SegmentStarted, end: int) -> Sentence:
        asked = self._order.words
        sentence = Sentence(
            index=started.index,
            text=started.text,
            source=started.source,
            language=started.language,
            start_ms=_ms(started.start),
            end_ms=_ms(end),
            audio=b"",
            estimated=self._estimated if asked else UNSET,
            words=self._words if asked else UNSET,
        )
        self._started, self._words, self._estimated = None, [], False
        self._count += 1
        return sentence

    def _done(self, finished: Finished) -> SentencesDone:
        return SentencesDone(
            audio=b"",
            audio_ms=_ms(finished.length),
            segments=self._count,
            cache=finished.timing.cache_use,
            timing=_timing(finished.timing),
            usage=_usage(self._order.text, finished.length),
            request_id=self._request_id,
        )


def error_of(failed: Failed) -> RealtimeError:
    """What ended an utterance, as an error."""
    if failed.retry_after_ms is not None:
        return QueueFullError(failed.message, failed.retry_after_ms)
    return RealtimeError(failed.message, ErrorCode(failed.code))


def _failure(failed: Failed) -> bytes:
    event = ErrorEvent(msgspec.json.decode(error_body(error_of(failed)))["error"])
    return b"".join(encoded([(event, b"")]))


def _segment(event: SegmentStarted) -> Segment:
    start = _ms(event.start)
    return Segment(event.index, event.text, event.source, start, event.language, event.final)


def _words(text: str, event: WordsTimed) -> list[Word]:
    """The words as the input has them."""
    return [
        Word(
            text[word.source_start : word.source_end],
            (word.source_start, word.source_end),
            _ms(word.start),
            _ms(word.end),
        )
        for word in event.words
    ]


def _usage(text: str, length: int) -> Usage:
    characters, tokens = len(text), -(-length // _TOKEN)
    return Usage(characters, tokens, characters + tokens)


def _timing(timing: Timing) -> EventTiming:
    return EventTiming(**latencies(timing))


def _ms(position: int) -> float:
    return round(position / TIMELINE_PER_MS, 3)
