"""A response that is sent while it is made: chunks, trailers, and clients that hang up or take nothing.

The rules:
1. The headers leave with the first bytes of the body, in one write. Until then anything can be answered.
2. No more than `WRITE_BUFFER_BYTES` wait in the process: who takes slowly is waited for, and who takes
   nothing for `STALL_S` is dropped. Who takes fast does not keep the loop from others.
3. The times of an utterance are headers as far as they are known when these leave, and all are trailers
   (RFC 9110, section 6.5; of chunks RFC 9112, section 7.1.2).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import cast

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from realtime.server.connection import set_up_sending
from realtime.types import TIMELINE_PER_MS, Timing

#: A client that takes nothing for so long is dropped.
STALL_S = 30.0
#: What may wait in the process: little, so that a slow listener slows its synthesis down.
WRITE_BUFFER_BYTES = 16 * 1024
#: A body that is there already is written in parts of so many bytes: each has its own `STALL_S`.
_PART_BYTES = 64 * 1024
#: For all that is spoken. The second one tells nginx, and those like it, to pass everything on at once.
NOT_STORED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
#: The header of each of `latencies`.
_LATENCY_HEADERS = {
    "load_ms": "X-Latency-Load-Ms",
    "queue_ms": "X-Latency-Queue-Ms",
    "infer_ms": "X-Latency-Infer-Ms",
    "encode_ms": "X-Latency-Encode-Ms",
    "first_audio_ms": "X-Latency-First-Audio-Ms",
    "total_ms": "X-Latency-Total-Ms",
}
_DURATION_HEADER = "X-Audio-Duration-Ms"
_CACHE_HEADER = "X-Cache"
#: The trailers of a response that streams.
TRAILERS = (*_LATENCY_HEADERS.values(), _DURATION_HEADER, _CACHE_HEADER)


class HangUpError(ConnectionResetError):
    """The client is gone, or was dropped; there is nobody to answer."""


def latencies(timing: Timing) -> dict[str, int]:
    """The times of an utterance in whole milliseconds; 0 of what was not reached.

    `load_ms`: until the engine was loaded; `queue_ms`: until it took up the first segment; `infer_ms` and
    `encode_ms`: spent on all segments; `first_audio_ms` and `total_ms`: from the text's coming to the first
    and to the last packet.
    """
    return {
        "load_ms": round(timing.load_s * 1000),
        "queue_ms": round(timing.queue_s * 1000),
        "infer_ms": round(timing.infer_s * 1000),
        "encode_ms": round(timing.encode_s * 1000),
        "first_audio_ms": timing.between_ms(timing.accepted, timing.first_packet),
        "total_ms": timing.between_ms(timing.accepted, timing.done),
    }


def timing_headers(timing: Timing, length: int | None = None) -> dict[str, str]:
    """What is known of an utterance, as headers or trailers.

    `length` is its whole length in timeline samples, None while it is spoken: then the total, the length, and
    what the cache was good for are not known yet, and the times spent are those so far.
    """
    headers = {_LATENCY_HEADERS[name]: str(ms) for name, ms in latencies(timing).items()}
    if length is not None:
        headers[_DURATION_HEADER] = f"{length / TIMELINE_PER_MS:.3f}"
    else:
        del headers[_LATENCY_HEADERS["total_ms"]]
    if length is not None or timing.cache_use == "off":
        headers[_CACHE_HEADER] = timing.cache_use
    return headers


class StreamedResponse(web.StreamResponse):
    """A body of unknown length with trailers, or one of known length; both are written in parts.

    Over HTTP/1.0, which has no chunks, a body of unknown length ends with the connection, without trailers.
    """

    # Then aiohttp neither counts nor frames the body, as for its WebSockets: its chunks have no trailers.
    _length_check = False
    _send_headers_immediately = False

    def __init__(
        self, headers: Mapping[str, str], length: int | None = None, trailers: Iterable[str] = ()
    ) -> None:
        """`length` of the body in bytes, None: it is not known; `trailers`: names of those that may come."""
        super().__init__(headers={**NOT_STORED, **headers})
        self._length = length
        self._trailer_names = tuple(trailers)
        self._chunks = False
        self._writer: AbstractStreamWriter | None = None
        self._transport: asyncio.Transport | None = None
        #: The trailers, to be set before the body ends.
        self.trailers: Mapping[str, str] = {}

    @property
    def body_length(self) -> int:
        """Bytes that were written, also of a body that has no end yet, or never gets one."""
        return super().body_length if self._writer is None else self._writer.output_size

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Make the headers; they leave with the first bytes."""
        if self._writer is None and not self.prepared:
            self._transport = request.transport
            set_up_sending(request.transport, WRITE_BUFFER_BYTES)
            self._choose_framing(request)
            self._writer = await super().prepare(request)
        return self._writer

    def _choose_framing(self, request: web.BaseRequest) -> None:
        if self._length is not None:
            self.headers["Content-Length"] = str(self._length)
        elif request.version >= HttpVersion11:
            self._chunks = True
            self.headers["Transfer-Encoding"] = "chunked"
            if self._trailer_names:
                self.headers["Trailer"] = ", ".join(self._trailer_names)
        else:
            self.headers["Connection"] = "close"
            self.force_close()

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write the next bytes of the body; waits while too much is unsent. Raises `HangUpError`."""
        for start in range(0, len(data), _PART_BYTES):
            part = memoryview(data)[start : start + _PART_BYTES]
            await self._write(b"".join((b"%x\r\n" % len(part), part, b"\r\n")) if self._chunks else part)
            if len(part) == _PART_BYTES:
                await asyncio.sleep(0)  # the kernel may have taken it at once

    async def write_eof(self, data: bytes = b"") -> None:
        """End the body, and see it off. Raises `HangUpError`."""
        if self._writer is None:
            return
        await self.write(data)
        if self._chunks:
            lines = [f"{name}: {value}\r\n" for name, value in self.trailers.items()]
            await self._write(f"0\r\n{''.join(lines)}\r\n".encode("ascii"))
        await super().write_eof()
        await self.see_off()
        self._writer = None

    async def _write(self, data: bytes | memoryview) -> None:
        assert self._writer is not None, "a response is prepared before it is written"
        async with self._patience():
            await self._writer.write(data)
            await self._writer.drain()

    async def see_off(self) -> None:
        """Wait until the kernel has all that was written. Raises `HangUpError`.

        After the end nobody else would notice a client that never takes the last of it.
        """
        if self._transport is None or self._writer is None or self._transport.is_closing():
            return
        self._transport.set_write_buffer_limits(high=0)
        async with self._patience():
            await self._writer.drain()
        if not self._transport.is_closing():
            self._transport.set_write_buffer_limits()

    @asynccontextmanager
    async def _patience(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(STALL_S):
                yield
        except TimeoutError:
            if self._transport is not None:
                self._transport.abort()
            raise HangUpError(f"the client took nothing for {STALL_S:g} s") from None
        except ConnectionError as error:
            # aiohttp's future holds this error, and its frames hold the future: a ring that would keep
            # what was being sent until the collector comes by.
            error.with_traceback(None)
            raise HangUpError("the client hung up") from None


@asynccontextmanager
async def connected(request: web.BaseRequest) -> AsyncIterator[None]:
    """Cancels the block when the client hangs up, wherever it waits, and raises `HangUpError`.

    A client that only shuts its sending side down has hung up as well.
    """
    transport = request.transport
    if transport is None or transport.is_closing():
        raise HangUpError("the client hung up")
    inner = cast(asyncio.Protocol, transport.get_protocol())
    watch = _Watch(inner)
    try:
        async with asyncio.timeout(None) as end:
            watch.on_lost = lambda: end.reschedule(asyncio.get_running_loop().time())
            transport.set_protocol(watch)
            try:
                yield
            finally:
                watch.on_lost = None
                if not watch.lost:
                    transport.set_protocol(inner)
    except TimeoutError:
        if watch.lost:
            raise HangUpError("the client hung up") from None
        raise


class _Watch(asyncio.Protocol):
    """Stands between a transport and aiohttp's protocol, which tells nobody that a connection was lost."""

    def __init__(self, inner: asyncio.Protocol) -> None:
        self._inner = inner
        self.lost = False
        self.on_lost: Callable[[], None] | None = None

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._inner.connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()
