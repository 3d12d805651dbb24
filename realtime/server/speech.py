"""`POST /v1/audio/speech`, `.../pcm` and `.../stream`: a text is answered with its sound, while it is spoken.

The rules:
1. What fails before the first sound is answered with a status of its own; after it, an event stream ends
   with an error event, and a file is cut off so that it looks cut off.
2. What is ready is sent in one write. A slow listener is waited for; one that hangs up frees the engine.
3. A whole file that was sent is kept, and sent again to who asks for the same.
4. Files that are held in memory have limits, each and all together: what finds no room is refused, or is
   not kept. No more of one is put together in a turn of the loop than takes a millisecond.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import chain

import msgspec
from aiohttp import web

from realtime.audio.formats import completed
from realtime.clock import Clock
from realtime.errors import ErrorCode, InvalidMessageError, QueueFullError, RealtimeError
from realtime.live.reading import Reading, ReadingObserver, Readings, ReadingSummary
from realtime.server.exchange import caller_of, leave_log_to_observer, request_id_of
from realtime.server.held import HeldBody, Memory
from realtime.server.speech_events import Body, Deltas, Sentences, error_of, in_pieces
from realtime.server.speech_request import Shape, SpeechOrder, SpeechRules, read_request
from realtime.server.status import Handler
from realtime.server.streaming import TRAILERS, StreamedResponse, connected, timing_headers
from realtime.speech.cache import AudioCache, CachedResponse, response_key
from realtime.types import TIMELINE_PER_MS, Failed, Finished, Packet, SpeechEvent, Timing

#: An event stream in which nothing was sent for so long gets a comment.
KEEP_ALIVE_S = 15.0
#: What a file may have that is sent when it is complete.
MAX_WHOLE_BYTES = 64 * 1024 * 1024
#: What a file may have that is kept to be sent again; its sound is kept by segments as well.
MAX_KEPT_BYTES = 8 * 1024 * 1024
#: A file of so many bytes is put together on the loop, which takes half a millisecond; a larger one is not.
_ON_LOOP_BYTES = 512 * 1024
#: When there will be room again is not known.
_NO_ROOM_RETRY_MS = 1000


class File:
    """A `Body` that is the file itself."""

    def __init__(self, order: SpeechOrder) -> None:
        """Of one utterance."""
        self.content_type = order.content_type
        self.keep_alive = b""

    def add(self, events: Iterable[SpeechEvent]) -> Iterator[bytes]:
        """The bytes of all packets."""
        return in_pieces(event.payload for event in events if isinstance(event, Packet))

    def fail(self, failed: Failed) -> None:
        """A file cannot say it."""
        return None


@dataclass(frozen=True, slots=True)
class SpeechAnswers:
    """Answers requests with speech. `check_loaded` raises `LoadingError` until the engine is there.

    `observe` is told of the answers that needed no reading, as `readings` tell of theirs. `revision` is that
    of the engine's sound. `encoders` put large files together; `memory` is for all files that are held.
    """

    readings: Readings
    cache: AudioCache
    clock: Clock
    observe: ReadingObserver
    revision: str
    check_loaded: Callable[[], None]
    encoders: Executor
    memory: Memory

    async def answer(self, request: web.Request, order: SpeechOrder) -> web.StreamResponse:
        """The answer, when it was sent. Raises `RealtimeError` when nothing was."""
        self.check_loaded()
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
        timing = Timing(now, now, now, now, first_packet=now, done=now, audio_s=kept.audio_ms / 1000)
        timing.cache, timing.segments, timing.cached_segments = True, 1, 1
        headers = timing_headers(timing, round(kept.audio_ms * TIMELINE_PER_MS))
        leave_log_to_observer(request)
        reason = "disconnected"
        try:
            async with connected(request):
                response = await _send(request, kept.content_type, [kept.body], headers)
            reason = "completed"
        finally:
            self.observe(
                ReadingSummary(caller_of(request), reason, order.voice, order.audio, order.text, timing)
            )
        return response

    async def _send_whole(
        self, request: web.Request, order: SpeechOrder, key: str | None
    ) -> web.StreamResponse:
        with self.memory.body(MAX_WHOLE_BYTES) as held:
            async with connected(request), self._open(request, order) as reading:
                finished = await _collect(reading, held)
                file = completed(order.audio.format, held.parts(), finished.length)
                await self._keep(key, order, file, finished.length)
                headers = timing_headers(finished.timing, finished.length)
                return await _send(request, order.content_type, file, headers)

    async def _stream(self, request: web.Request, order: SpeechOrder, key: str | None) -> web.StreamResponse:
        body = _body(order, request_id_of(request))
        response = StreamedResponse({"Content-Type": body.content_type}, trailers=TRAILERS)
        with self.memory.body(0 if key is None else self._most_kept) as copy:
            async with connected(request), self._open(request, order) as reading:
                last = await _pass_on(request, reading, body, response, copy)
                if isinstance(last, Failed) and order.shape == "audio":
                    await response.see_off()
                    raise error_of(last)
                if isinstance(last, Finished) and not copy.dropped:
                    file = completed(order.audio.format, copy.parts(), last.length)
                    await self._keep(key, order, file, last.length)
                await response.write_eof()
        return response

    @property
    def _most_kept(self) -> int:
        return min(self.cache.largest, MAX_KEPT_BYTES)

    async def _keep(self, key: str | None, order: SpeechOrder, file: list[bytes], length: int) -> None:
        """Keep a file to be sent again, if it has a key and is not too large."""
        size = sum(map(len, file))
        if key is None or size > self._most_kept:
            return
        if size <= _ON_LOOP_BYTES:
            body = b"".join(file)
        else:
            # Parts that are bytes are copied without the interpreter's lock.
            body = await asyncio.get_running_loop().run_in_executor(self.encoders, b"".join, file)
        self.cache.keep_response(key, CachedResponse(body, order.content_type, length / TIMELINE_PER_MS))

    def _open(self, request: web.Request, order: SpeechOrder) -> AbstractAsyncContextManager[Reading]:
        leave_log_to_observer(request)
        return self.readings.open(order.text, order.voice, order.audio, caller_of(request))


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
        for name, value, only in (
            ("response_format", asked.response_format, "pcm"),
            ("stream_format", asked.stream_format, "audio"),
        ):
            if value not in (None, only):
                raise InvalidMessageError(
                    f"`{name}` can only be {only} here; for {value} use POST /v1/audio/speech", param=name
                )
        asked = msgspec.structs.replace(asked, response_format="pcm")
        return await answers.answer(request, rules.order(asked, "audio"))

    return handle


def sentences_handler(rules: SpeechRules, answers: SpeechAnswers) -> Handler:
    """`POST /v1/audio/speech/stream`: one event for each sentence, with its text and its sound."""

    async def handle(request: web.Request) -> web.StreamResponse:
        return await answers.answer(request, rules.order(await read_request(request), "sentences"))

    return handle


async def _collect(reading: Reading, held: HeldBody) -> Finished:
    """Hold all sound; raises `RealtimeError` when it fails, or there is no room for it."""
    async for event in reading:
        if isinstance(event, Packet):
            if held.size + len(event.payload) > MAX_WHOLE_BYTES:
                raise RealtimeError(
                    f"the file would have more than {MAX_WHOLE_BYTES} bytes; leave `stream` out, or"
                    " set it to true, to get it as it is made",
                    ErrorCode.BODY_TOO_LARGE,
                    "stream",
                )
            if not held.add(event.payload):
                raise QueueFullError(
                    "too many whole files are being made; try again soon, or leave `stream` out, or set it to"
                    " true, to get the file as it is made",
                    _NO_ROOM_RETRY_MS,
                )
        elif isinstance(event, Failed):
            raise error_of(event)
        elif isinstance(event, Finished):
            return event
    raise AssertionError("the last event of a reading says how it ended")


async def _pass_on(
    request: web.Request, reading: Reading, body: Body, response: StreamedResponse, copy: HeldBody
) -> Finished | Failed:
    """Send what `reading` gives to its end, which is returned; the body is not ended."""
    while True:
        events = await _next(reading, KEEP_ALIVE_S if body.keep_alive else None)
        pieces = body.add(events) if events else iter([body.keep_alive])
        last = events[-1] if events else None
        if isinstance(last, Failed):
            if not response.prepared:
                raise error_of(last)
            pieces = chain(pieces, filter(None, [body.fail(last)]))
        length = last.length if isinstance(last, Finished) else None
        for piece in pieces:
            if not response.prepared:
                await _begin(request, reading, response, length)
            copy.add(piece)
            await response.write(piece)
        if isinstance(last, Finished | Failed):
            if not response.prepared:
                await _begin(request, reading, response, length)
            response.trailers = timing_headers(last.timing, length)
            return last


async def _begin(
    request: web.Request, reading: Reading, response: StreamedResponse, length: int | None
) -> None:
    response.headers.update(timing_headers(reading.timing, length))
    await response.prepare(request)


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
    request: web.Request, content_type: str, file: list[bytes], headers: Mapping[str, str]
) -> web.StreamResponse:
    """Send a file that is complete, with its length."""
    response = StreamedResponse({"Content-Type": content_type, **headers}, sum(map(len, file)))
    await response.prepare(request)
    for piece in in_pieces(file):
        await response.write(piece)
    await response.write_eof()
    return response


def _body(order: SpeechOrder, request_id: str) -> Body:
    if order.shape == "deltas":
        return Deltas(order, request_id)
    return Sentences(order, request_id) if order.shape == "sentences" else File(order)
