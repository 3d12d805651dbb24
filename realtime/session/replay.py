"""What may have to be sent again: frames and messages as they went out, in their order.

The rules:
1. Kept are frames, and messages that tell of contexts; not what answers a socket (`session.ready`, `pong`) or
   ends it.
2. A frame is kept until its listener reports to have heard it, until its context is cancelled, or `KEEP_S`;
   but no more than `MOST_MS` of sound and `MOST_BYTES` in all, and never less than one frame.
3. What a client has received is a beginning of what was sent: the last frame that it names, all before that,
   and perhaps some messages behind it. Those are sent again; it is told twice, and nothing is lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from msgspec import Struct

from realtime.errors import ErrorCode, RealtimeError
from realtime.session import messages as wire
from realtime.session.frames import duration_of, frame_head, replayed
from realtime.types import TIMELINE_PER_MS

#: A piece is kept for so many seconds,
KEEP_S = 60.0
#: but of all together no more than so much sound, and so many bytes.
MOST_MS = 120_000.0
MOST_BYTES = 16 * 1024 * 1024
#: How often the time is noted: pieces are kept up to so much longer.
_MARK_S = 1.0
#: So many cancelled contexts are remembered before it is looked which of them still have frames here.
_MOST_SILENCED = 512
_NOT_KEPT = (wire.SessionReady, wire.SessionClosing, wire.Pong)

Piece = str | bytes


class NotKeptError(RealtimeError):
    """What would have to be sent again is not kept any more."""

    code = ErrorCode.RESUME_FAILED


def is_kept(message: Struct) -> bool:
    """Whether a message may have to be sent again."""
    return not isinstance(message, _NOT_KEPT)


class Replay:
    """The log of one session, and what of it is being sent again."""

    def __init__(self) -> None:
        """Nothing was sent."""
        self._log: deque[Piece] = deque()
        self._first = 0  # the number of the log's first piece, of all that ever were
        self._marks: deque[tuple[float, int]] = deque()  # at this time the next piece had this number
        self._bytes = 0
        self._samples = 0
        self._silenced: set[int] = set()
        self._dropped: tuple[int, int] | None = None  # handle and seq of the last frame dropped unheard
        self._again: deque[Piece] = deque()

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return self._bytes

    def keep(self, piece: Piece, now: float) -> None:
        """A frame, or the text of a message, goes out."""
        if not self._marks or now - self._marks[-1][0] >= _MARK_S:
            self._drop_old(now)
            self._marks.append((now, self._first + len(self._log)))
        self._log.append(piece)
        self._bytes += len(piece)
        if isinstance(piece, bytes):
            self._samples += duration_of(piece)
        while len(self._log) > 1 and (self._bytes > MOST_BYTES or self._samples > MOST_MS * TIMELINE_PER_MS):
            self._drop_first()

    def heard(self, handle: int, played_ms: float) -> None:
        """The listener has heard `handle` up to here, and all before it."""
        position = played_ms * TIMELINE_PER_MS
        count = number = 0
        for number, piece in enumerate(self._log, 1):
            if isinstance(piece, bytes):
                head = frame_head(piece)
                if head.handle > handle and head.handle not in self._silenced:
                    break
                # A frame that is being heard may be needed: by a player that begins anew.
                if head.handle == handle and head.position + head.duration > position:
                    break
                count = number
        for _ in range(count):
            self._drop_first(was_heard=True)
        if count:
            self._dropped = None  # who has heard what came later has received it

    def silence(self, handle: int) -> None:
        """A context was cancelled: none of its frames is sent any more."""
        self._silenced.add(handle)
        if len(self._silenced) > _MOST_SILENCED:
            self._silenced &= {frame_head(piece).handle for piece in self._log if isinstance(piece, bytes)}

    def again(self, last: Mapping[int, int]) -> dict[int, float]:
        """Prepare to send again what comes after `last` (seq by handle); replaces what was being sent again.

        Returns where what is missing begins, in ms by handle. Raises `NotKeptError`.
        """
        received = -1
        missing = len(self._log)
        begins: dict[int, float] = {}
        for index, piece in enumerate(self._log):
            if isinstance(piece, str):
                continue
            head = frame_head(piece)
            if head.seq <= last.get(head.handle, -1):
                received = index
            elif head.handle not in self._silenced:
                missing = min(missing, index)
                begins.setdefault(head.handle, head.position / TIMELINE_PER_MS)
        if self._dropped is not None and received < 0:
            handle, seq = self._dropped
            if last.get(handle, -1) < seq:
                raise NotKeptError("sound that was not received is not kept any more")
        self._again = deque(
            piece
            for index, piece in enumerate(self._log)
            if index > received or (index > missing and isinstance(piece, str)) or self._lacks(piece, last)
        )
        return begins

    def next_again(self) -> Piece | None:
        """The next piece that is sent again; None when there is none."""
        while self._again:
            piece = self._again.popleft()
            if isinstance(piece, str):
                return piece
            if frame_head(piece).handle not in self._silenced:
                return replayed(piece)
        return None

    def _lacks(self, piece: Piece, last: Mapping[int, int]) -> bool:
        if isinstance(piece, str):
            return False
        head = frame_head(piece)
        return head.seq > last.get(head.handle, -1)

    def _drop_old(self, now: float) -> None:
        while len(self._marks) > 1 and self._marks[1][0] <= now - KEEP_S:
            self._marks.popleft()
            while self._log and self._first < self._marks[0][1]:
                self._drop_first()

    def _drop_first(self, *, was_heard: bool = False) -> None:
        piece = self._log.popleft()
        self._first += 1
        self._bytes -= len(piece)
        if isinstance(piece, bytes):
            head = frame_head(piece)
            self._samples -= head.duration
            if not was_heard and head.handle not in self._silenced:
                self._dropped = head.handle, head.seq
