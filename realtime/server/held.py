"""Bodies that are held in memory until they are whole: all of them together have one limit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

#: Bytes that all bodies together may have.
MOST_BYTES = 256 * 1024 * 1024
#: Bytes are put together until there are so many: a body of small packets would take twice its size.
_PART_BYTES = 64 * 1024


class Memory:
    """What the bodies of all requests share. Belongs to the event loop."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        """`most` bytes in all."""
        self._most = most
        self._held = 0

    @contextmanager
    def body(self, most: int) -> Iterator[HeldBody]:
        """A body of at most `most` bytes, which are taken as it grows, and given back after the block."""
        body = HeldBody(self, most)
        try:
            yield body
        finally:
            body.drop()

    def take(self, size: int) -> bool:
        """Takes so many bytes, if there are as many left."""
        if self._held + size > self._most:
            return False
        self._held += size
        return True

    def give_back(self, size: int) -> None:
        """They are free again."""
        self._held -= size


class HeldBody:
    """A body that grows. It holds all that was added, or, when there was no room for all, nothing."""

    def __init__(self, memory: Memory, most: int) -> None:
        """See `Memory.body`."""
        self._memory = memory
        self._most = most
        self._parts: list[bytes] = []
        self._last = bytearray()
        #: Bytes.
        self.size = 0
        #: Whether it was dropped: by its owner, or because there was no room for all of it.
        self.dropped = False

    def add(self, data: bytes) -> bool:
        """Add to it. False: there is no room for it, or it was dropped before; then it is dropped."""
        if self.dropped or self.size + len(data) > self._most or not self._memory.take(len(data)):
            self.drop()
            return False
        self.size += len(data)
        self._last += data
        if len(self._last) >= _PART_BYTES:
            self._parts.append(bytes(self._last))
            self._last.clear()
        return True

    def parts(self) -> list[bytes]:
        """All of it; the first part has at least 64 KiB, unless it is the only one."""
        return [*self._parts, bytes(self._last)] if self._last else list(self._parts)

    def drop(self) -> None:
        """Hold nothing of it any more. May be called again."""
        self._memory.give_back(self.size)
        self._parts.clear()
        self._last.clear()
        self.size = 0
        self.dropped = True
