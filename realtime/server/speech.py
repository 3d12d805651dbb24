"""`POST /v1/audio/speech`, `.../pcm` and `.../stream`: a text is answered with its sound, while it is spoken.

The rules:
1. What fails before the first sound is answered with a status of its own; after it, an event stream ends
   with an error event, and a file is cut off so that it looks cut off.
2. What is ready is sent in one write. A slow listener is waited for; one that hangs up frees the engine.
3. A whole file that was sent is kept, and sent again to who asks for the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import msgspec
from aiohttp import web

from realtime.audio.formats import completed
from realtime.clock import Clock
from realtime.errors import ErrorCode, InvalidMessageError, QueueFullError, RealtimeError
from realtime.live.reading import Reading, ReadingObserver, Readings, ReadingSummary
from realtime.server.errors import request_id_of
from realtime.server.speech_events import Body, Deltas, Sentences, error_of
from realtime.server.speech_request import Shape, SpeechOrder, SpeechRules, read_request
from realtime.server.status import Handler
from realtime.server.streaming import TRAILERS, StreamedResponse, connected, timing_headers
from realtime.speech.cache import AudioCache, CachedResponse, response_key
from realtime.types import TIMELINE_PER_MS, Failed, Finished, Packet, SpeechEvent, Timing

#: An event stream in which nothing was sent for so long gets a comment.
KEEP_ALIVE_S = 15.0
#: What a file may have that is sent when it is complete.
MAX_WHOLE_BYTES = 64 * 1024 * 1024
_LOADING_RETRY_MS = 1000


class File:
    """A `Body` that is the file itself."""

    def __init__(self, order: SpeechOrder) -> None:
        """Of one utterance."""
        self.content_type = order.content_type
        self.keep_alive = b""

    def add(self, events: Iterable[SpeechEvent]) -> bytes:
        """The bytes of all packets."""
        return b"".join(event.payload for event in events if isinstance(event, Packet))

    def fail(self, failed: Failed) -> None:
        """A file cannot say it."""
        return None


@dataclass(frozen=True, slots=True)
class SpeechAnswers:
    """Answers requests with speech. `loaded`: whether the engine is there; `revision` is that of its sound.

    `observe` is told of the answers that needed no reading, as `readings` tell of theirs.
    """

    readings: Readings
    cache: AudioCache
    clock: Clock
    observe: ReadingObserver
    revision: str
    loaded: Callable[[], bool]

    async def answer(self, request: web.Request, order: SpeechOrder) -> web.StreamResponse:
        """The answer, when it was sent. Raises `RealtimeError` when nothing was."""
        if not self.loaded():
            raise QueueFullError("the voice is still being loaded; try again soon", _LOADING_RETRY_MS)
        key = None
        if order.shape == "audio" and order.voice.cache and self.cache.enabled:
            key = response_key(order.text, order.voice, order.audio, self.revision)
        kept = None if key is None else self.cache.response(key)
        if kept is not None:
            return await self._send_again(request, order, kept)
        if order.audio.whole:
            return await self._send_whole(request, order, key)
        return await self._stream(request, order, key)

    async def _send_again(
        self, request: web.Request, order: SpeechOrder, kept: CachedResponse
    ) -> web.StreamResponse:
        now = self.clock.now()
        timing = Timing(accepted=now, first_packet=now, done=now, audio_s=kept.audio_ms / 1000)
        timing.cache, timing.segments, timing.cached_segments = True, 1, 1
        self.observe(
            ReadingSummary(request_id_of(request), "completed", order.voice, order.audio, order.text, timing)
        )
        headers = timing_headers(timing, round(kept.audio_ms * TIMELINE_PER_MS))
        return await _send(request, kept, headers)

    async def _send_whole(
        self, request: web.Request, order: SpeechOrder, key: str | None
    ) -> web.StreamResponse:
        async with connected(request):
            sound, finished = await self._collect(request, order)
        whole = await _completed(order, sound, finished.length)
        if key is not None:
            self.cache.keep_response(key, whole)
        return await _send(request, whole, timing_headers(finished.timing, finished.length))

    async def _collect(self, request: web.Request, order: SpeechOrder) -> tuple[bytearray, Finished]:
        sound = bytearray()
        async with self._open(request, order) as reading:
            async for event in reading:
                if isinstance(event, Packet):
                    sound += event.payload
                    if len(sound) > MAX_WHOLE_BYTES:
                        raise RealtimeError(
                            f"the file would have more than {MAX_WHOLE_BYTES} bytes; leave `stream` out, or"
                            " set it to true, to get it as it is made",
                            ErrorCode.BODY_TOO_LARGE,
                            "stream",
                        )
                elif isinstance(event, Failed):
                    raise error_of(event)
                elif isinstance(event, Finished):
                    return sound, event
        raise AssertionError("the last event of a reading says how it ended")

    async def _stream(self, request: web.Request, order: SpeechOrder, key: str | None) -> web.StreamResponse:
        body = _body(order, request_id_of(request))
        response = StreamedResponse({"Content-Type": body.content_type}, trailers=TRAILERS)
        copy = _Copy(0 if key is None else self.cache.largest)
        async with connected(request):
            async with self._open(request, order) as reading:
                last = await _pass_on(request, reading, body, response, copy)
            if isinstance(last, Failed) and order.shape == "audio":
                await response.see_off()
                raise error_of(last)
            if key is not None and isinstance(last, Finished) and copy.data is not None:
                self.cache.keep_response(key, await _completed(order, copy.data, last.length))
            await response.write_eof()
        return response

    def _open(self, request: web.Request, order: SpeechOrder) -> AbstractAsyncContextManager[Reading]:
        return self.readings.open(order.text, order.voice, order.audio, request_id_of(request))


def speech_handler(rules: SpeechRules, answers: SpeechAnswers) -> Handler:
    """`POST /v1/audio/speech`, as OpenAI's: a file, or events with pieces of it."""

    async def handle(request: web.Request) -> web.StreamResponse:
        asked = await read_request(request)
        shape: Shape = "deltas" if asked.stream_format == "sse" else "audio"
        return await answers.answer(request, rules.order(asked, shape))

    return handle


def pcm_handler(rules: SpeechRules, answers: SpeechAnswers) -> Handler:
    """`POST /v1/audio/speech/pcm`: bare samples. Who asks for something else has come to the wrong place."""

    async def handle(request: web.Request) -> web.StreamResponse:
        asked = await read_request(request)
        for field, value, only in (
            ("response_format", asked.response_format, "pcm"),
            ("stream_format", asked.stream_format, "audio"),
        ):
            if value not in (None, only):
                raise InvalidMessageError(
                    f"`{field}` can only be {only} here; for {value} use POST /v1/audio/speech", param=field
                )
        asked = msgspec.structs.replace(asked, response_format="pcm")
        return await answers.answer(request, rules.order(asked, "audio"))

    return handle


def sentences_handler(rules: SpeechRules, answers: SpeechAnswers) -> Handler:
    """`POST /v1/audio/speech/stream`: one event for each sentence, with its text and its sound."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await answers.answer(request, rules.order(await read_request(request), "sentences"))

    return handle


class _Copy:
    """What was sent, as long as it is not too large to be kept; None of more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.data: bytearray | None = bytearray() if limit else None

    def add(self, data: bytes) -> None:
        if self.data is not None and len(self.data) + len(data) <= self._limit:
            self.data += data
        else:
            self.data = None


async def _pass_on(
    request: web.Request, reading: Reading, body: Body, response: StreamedResponse, copy: _Copy
) -> Finished | Failed:
    """Send what `reading` gives to its end, which is returned; the body is not ended."""
    while True:
        events = await _next(reading, KEEP_ALIVE_S if body.keep_alive else None)
        data = body.add(events) if events else body.keep_alive
        last = events[-1] if events else None
        if isinstance(last, Failed):
            if not response.prepared:
                raise error_of(last)
            data += body.fail(last) or b""
        copy.add(data)
        length = last.length if isinstance(last, Finished) else None
        if data or length is not None:
            if not response.prepared:
                response.headers.update(timing_headers(reading.timing, length))
                await response.prepare(request)
            await response.write(data)
        if isinstance(last, Finished | Failed):
            response.trailers = timing_headers(last.timing, length)
            return last


async def _next(reading: Reading, patience_s: float | None) -> list[SpeechEvent]:
    """All that is ready, and at least one event; nothing when none came within `patience_s`."""
    try:
        async with asyncio.timeout(patience_s):
            events = [await anext(reading)]
    except TimeoutError:
        return []
    while (event := reading.take()) is not None:
        events.append(event)
    return events


async def _send(
    request: web.Request, whole: CachedResponse, headers: Mapping[str, str]
) -> web.StreamResponse:
    response = StreamedResponse({"Content-Type": whole.content_type, **headers}, len(whole.body))
    async with connected(request):
        await response.prepare(request)
        await response.write(whole.body)
        await response.write_eof()
    return response


async def _completed(order: SpeechOrder, sound: bytearray, length: int) -> CachedResponse:
    """The file with all that could not be known when it began. It may be large: it is made off the loop."""
    body = await asyncio.to_thread(lambda: completed(order.audio.format, bytes(sound), length))
    return CachedResponse(body, order.content_type, length / TIMELINE_PER_MS)


def _body(order: SpeechOrder, request_id: str) -> Body:
    if order.shape == "deltas":
        return Deltas(order, request_id)
    return Sentences(order, request_id) if order.shape == "sentences" else File(order)
