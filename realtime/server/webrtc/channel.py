"""The messages of a session on a WebRTC data channel: a transport for `live.driver`."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence

from aiortc import InvalidStateError, RTCDataChannel

from realtime.errors import CloseCode, ErrorCode
from realtime.live.transport import Pong, TransportClosedError
from realtime.session import messages as wire

#: The name of the data channel.
LABEL = wire.PROTOCOL
#: Bytes that a message to us may have, as the answer says (`RTCSctpTransport.getCapabilities`).
MOST_MESSAGE_BYTES = 256 * 1024
#: Bytes that may wait to be sent before whoever sends waits, and with how few it goes on.
_MOST_UNSENT = 64 * 1024
_FEW_UNSENT = 16 * 1024
#: Bytes that may wait to be read before the peer is not listened to any more.
_MOST_UNREAD = 1024 * 1024
#: What a message takes besides its own bytes.
_MESSAGE_BYTES = 100
#: The last message has so long to be taken.
_CLOSE_S = 2.0


class DataChannelTransport:
    """A `Transport` over one data channel. There are no pings: ICE finds out whether the peer is there."""

    def __init__(self, channel: RTCDataChannel, may_read: asyncio.Event) -> None:
        """`channel` is open. `may_read` is cleared while too much waits to be read, and set again."""
        self._channel = channel
        self._may_read = may_read
        self._inbox: deque[str | bytes] = deque()
        self._unread = 0
        self._came = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closed = asyncio.Event()
        self._is_lost = False
        self._code: int | None = None
        channel.bufferedAmountLowThreshold = _FEW_UNSENT
        channel.on("message", self._on_message)
        channel.on("close", self._on_close)
        channel.on("bufferedamountlow", self._room.set)

    def _on_message(self, message: str | bytes) -> None:
        self._inbox.append(message)
        self._unread += len(message) + _MESSAGE_BYTES
        if self._unread >= _MOST_UNREAD:
            self._may_read.clear()
        self._came.set()

    def _on_close(self) -> None:
        """The peer has closed the channel; a connection that ends closes it as well (`lost` tells before)."""
        if self._code is None and not self._is_lost:
            self._code = CloseCode.DONE
        self._end()

    def hang_up(self) -> None:
        """The peer has said in another way that it wants no more."""
        self._code = CloseCode.DONE
        self.lost()

    def lost(self) -> None:
        """The connection is gone, without a word on the channel."""
        self._is_lost = True
        self._end()

    def _end(self) -> None:
        self._closed.set()
        self._came.set()
        self._room.set()
        self._may_read.set()

    @property
    def _is_over(self) -> bool:
        return self._is_lost or self._channel.readyState != "open"

    async def receive(self) -> str | bytes | Pong:
        """The next message."""
        while not self._inbox:
            if self._is_over:
                raise TransportClosedError(self._code)
            self._came.clear()
            await self._came.wait()
        message = self._inbox.popleft()
        self._unread -= len(message) + _MESSAGE_BYTES
        if self._unread < _MOST_UNREAD:
            self._may_read.set()
        return message

    async def send_text(self, message: str) -> None:
        """Send a message."""
        if self._is_over:
            raise TransportClosedError(self._code)
        try:
            self._send(message)
        except InvalidStateError:
            raise TransportClosedError(self._code) from None
        if self._channel.bufferedAmount >= _MOST_UNSENT:
            self._room.clear()
            await self._room.wait()

    def _send(self, message: str) -> None:
        try:
            self._channel.send(message)
        except ValueError:  # it is larger than the peer takes
            try:
                self._channel.send(_too_large(len(message)))
            except ValueError:  # and so is whatever could be said of that
                raise TransportClosedError(self._code) from None

    async def send_bytes(self, frame: bytes) -> None:
        """There are none: sound goes over the track."""
        raise AssertionError("a data channel carries no frames")

    async def send_frames(self, frames: Sequence[bytes]) -> None:
        """There are none: sound goes over the track."""
        if frames:
            raise AssertionError("a data channel carries no frames")

    async def ping(self, number: int) -> None:
        """There are no pings."""

    async def close(self, code: int, reason: str) -> bool:
        """Close, after what was sent, which the peer confirms. There are no codes: a message says why."""
        if self._is_over:
            return self._code is not None
        self._code = CloseCode.DONE
        self._channel.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._closed.wait()
        return self._channel.readyState == "closed"

    def abort(self) -> None:
        """Nothing is sent any more, and `receive` raises."""
        self.lost()


def _too_large(characters: int) -> str:
    text = f"a message of {characters} characters is more than this data channel takes"
    return wire.encode(wire.Error(ErrorCode.UNSUPPORTED, text))
