"""What a session is carried by: a sink for frames and messages, and a source of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class TransportClosedError(Exception):
    """The other side is gone. `code` is the close code that it sent, None when it was lost without a word."""

    def __init__(self, code: int | None = None) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Pong:
    """The answer to the ping of this number: all that was sent before it has been received."""

    number: int


class Transport(Protocol):
    """One reader and one writer use it at a time."""

    async def receive(self) -> str | bytes | Pong:
        """The next frame, or the answer to a ping; raises `TransportClosedError`."""
        ...

    async def send_text(self, message: str) -> None:
        """Send a message; waits while too much is unsent. Raises `TransportClosedError`."""
        ...

    async def send_bytes(self, frame: bytes) -> None:
        """Send a binary frame; waits while too much is unsent. Raises `TransportClosedError`."""
        ...

    async def send_frames(self, frames: Sequence[bytes]) -> None:
        """Send binary frames, and only then wait while too much is unsent. Raises `TransportClosedError`."""
        ...

    async def ping(self, number: int) -> None:
        """Ask whether all that was sent so far has come. Raises `TransportClosedError`."""
        ...

    async def close(self, code: int, reason: str) -> bool:
        """Close, after what was sent; whether the client has answered, and so has received all of it.

        Never raises.
        """
        ...

    def abort(self) -> None:
        """Cut the connection off: nothing is sent any more, and `receive` raises."""
        ...
