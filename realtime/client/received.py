"""What has come of each context, so that nothing is taken twice when the server sends it again. No I/O.

After a loss the server repeats what came behind the last frame that it is told of, in the old order: frames
have numbers, segments have an index, words stand in the order of their sound, and all else comes once.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from realtime.session import messages as wire

#: A server keeps no more contexts than this that are over; the newest of ours are told to it.
_MOST_OVER = 256
#: Where a word stands: its segment, its time, and its place in the text.
_Place = tuple[int, float, float, int]
_BEFORE_ALL: _Place = (-1, 0.0, 0.0, 0)


@dataclass(slots=True)
class _Seen:
    """Of one context."""

    next_seq: int = 0
    repeats: bool = False  # what comes now may have come before: until there is a new frame
    opened: bool = False
    segment: int = -1
    final: bool = True
    word: _Place = _BEFORE_ALL
    done: bool = False
    cancelled: bool = False


class Received:
    """The contexts of one session, by handle."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}
        self._over: dict[int, None] = {}

    def last(self) -> dict[str, int]:
        """The `last` of a `session.start` that takes up the session."""
        return {str(handle): seen.next_seq - 1 for handle, seen in self._seen.items() if seen.next_seq}

    def resumed(self) -> None:
        """From here on the server repeats what it does not know to have come."""
        for seen in self._seen.values():
            seen.repeats = True

    def frame(self, handle: int, seq: int) -> bool:
        """A frame came; False when it has come before."""
        seen = self._of(handle)
        if seq < seen.next_seq:
            return False
        seen.next_seq, seen.repeats = seq + 1, False
        return True

    def message(self, message: wire.ServerMessage) -> wire.ServerMessage | None:
        """A message came; None when it has come before, else what is new of it."""
        if isinstance(message, wire.Words):
            return self._words(message)
        if isinstance(message, wire.ContextOpened):
            seen = self._of(message.handle)
            is_new, seen.opened = not seen.opened, True
        elif isinstance(message, wire.Segment):
            is_new = self._segment(message)
        elif isinstance(message, wire.ContextDone):
            seen = self._of(message.handle)
            is_new, seen.done = not seen.done, True
            self._end(message.handle)
        elif isinstance(message, wire.ContextCancelled) and message.handle != wire.NO_HANDLE:
            seen = self._of(message.handle)
            is_new, seen.cancelled = not seen.cancelled, True
            self._end(message.handle)
        else:
            is_new = True
        return message if is_new else None

    def is_cancelled(self, handle: int) -> bool:
        """Whether the end of a context by a cancel has been told."""
        seen = self._seen.get(handle)
        return seen is not None and seen.cancelled

    def _of(self, handle: int) -> _Seen:
        seen = self._seen.get(handle)
        if seen is None:
            seen = self._seen[handle] = _Seen()
        return seen

    def _segment(self, message: wire.Segment) -> bool:
        seen = self._of(message.handle)
        completes = message.index == seen.segment and message.final and not seen.final
        if seen.repeats and message.index <= seen.segment and not completes:
            return False
        seen.segment, seen.final = message.index, message.final
        return True

    def _words(self, message: wire.Words) -> wire.Words | None:
        seen = self._of(message.handle)
        last = seen.word
        if message.words:
            seen.word = max(last, _place(message.segment, message.words[-1]))
        if not seen.repeats:
            return message
        words = [word for word in message.words if _place(message.segment, word) > last]
        return replace(message, words=words) if words else None

    def _end(self, handle: int) -> None:
        self._over[handle] = None
        if len(self._over) > _MOST_OVER:
            oldest = next(iter(self._over))
            del self._over[oldest], self._seen[oldest]


def _place(segment: int, word: wire.Word) -> _Place:
    return segment, word.end_ms, word.start_ms, word.source[0]
