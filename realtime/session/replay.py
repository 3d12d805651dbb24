"""What may have to be sent again: frames and messages as they went out, in their order.

The rules:
1. Kept are frames, and messages that tell of contexts; not what answers a socket (`session.ready`, `pong`, an
   error that names no context) or ends it, nor what was true only then (`loading`, `track`, `playback`).
2. A frame is kept until its listener reports to have heard it, until its context is cancelled, or `KEEP_S`;
   but no more than `MOST_MS` of sound and `MOST_BYTES` in all, and never less than one piece.
3. What a client has received is a beginning of what was sent: the last frame that it names, all before that,
   and perhaps some messages behind it. Those are sent again; it is told twice, and nothing is lost.
4. Of a context that was cancelled neither sound is sent again, nor what kept its order with that; while one
   is paused its sound waits, and all that comes after it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from realtime.errors import ErrorCode, RealtimeError
from realtime.session import messages as wire
from realtime.session.frames import FRAME_HEAD, FRAME_HEAD_AT, duration_of, frame_head, handle_of, replayed
from realtime.types import TIMELINE_PER_MS

#: A piece is kept for so many seconds,
KEEP_S = 60.0
#: but of all together no more than so much sound, and so many bytes.
MOST_MS = 120_000.0
MOST_BYTES = 16 * 1024 * 1024
#: What a piece takes beside its own bytes.
_PIECE_BYTES = 64
#: How often the time is noted: pieces are kept up to so much longer.
_MARK_S = 1.0
#: So many cancelled contexts are remembered before it is looked which of them still have something here.
_MOST_SILENCED = 512
#: Of so many contexts is known which frames are not kept any more.
_MOST_GONE = 512
_NOT_KEPT = (
    wire.SessionReady,
    wire.SessionClosing,
    wire.Pong,
    wire.Loading,
    wire.Track,
    wire.TrackPlayback,
)
#: They keep their order with the sound of their context, and fall silent with it.
_IN_ORDER = (wire.Segment, wire.Words, wire.FlushDone, wire.ContextDone, wire.Flow)

#: What is sent: a frame, or the text of a message.
Piece = str | bytes


class _Told(NamedTuple):
    """A message that keeps its order with the sound of a context."""

    text: str
    handle: int


_Kept = Piece | _Told


class NotKeptError(RealtimeError):
    """What would have to be sent again is not kept any more."""

    code = ErrorCode.RESUME_FAILED


def is_kept(message: Struct) -> bool:
    """Whether a message may have to be sent again."""
    if isinstance(message, wire.Error):
        return isinstance(message.context_id, str)
    return not isinstance(message, _NOT_KEPT)


def follows(message: Struct) -> int | None:
    """The handle of the context whose sound a message may not overtake; None when it may."""
    return message.handle if isinstance(message, _IN_ORDER) else None


class Replay:
    """The log of one session, and what of it is being sent again."""

    def __init__(self) -> None:
        """Nothing was sent."""
        self._log: deque[_Kept] = deque()
        self._first = 0  # the number of the log's first piece, of all that ever were
        self._marks: deque[tuple[float, int]] = deque()  # at this time the next piece had this number
        self._bytes = 0
        self._samples = 0
        self._silenced: set[int] = set()
        self._gone: dict[int, int] = {}  # by handle, the last frame that was dropped before it was heard
        self._again: deque[_Kept] = deque()

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return self._bytes

    def keep(self, piece: Piece, now: float, follows: int | None = None) -> None:
        """A frame, or the text of a message, goes out; `follows`: a message may not overtake its sound."""
        self._note_time(now)
        self._log.append(piece if follows is None or isinstance(piece, bytes) else _Told(piece, follows))
        self._bytes += len(piece) + _PIECE_BYTES
        if isinstance(piece, bytes):
            self._samples += duration_of(piece)
        self._keep_bounds()

    def keep_frames(self, frames: Sequence[bytes], now: float) -> None:
        """Some frames go out, one after another."""
        self._note_time(now)
        self._log.extend(frames)
        self._bytes += sum(map(len, frames)) + _PIECE_BYTES * len(frames)
        self._samples += sum(map(duration_of, frames))
        self._keep_bounds()

    def _note_time(self, now: float) -> None:
        if not self._marks or now - self._marks[-1][0] >= _MARK_S:
            self.drop_old(now)
            self._marks.append((now, self._first + len(self._log)))

    def _keep_bounds(self) -> None:
        while len(self._log) > 1 and (self._bytes > MOST_BYTES or self._samples > MOST_MS * TIMELINE_PER_MS):
            self._drop_first()

    def heard(self, handle: int, played_ms: float) -> None:
        """The listener has heard `handle` up to here, and all before it."""
        position = played_ms * TIMELINE_PER_MS
        count = samples = 0
        # Every frame passes here once, a report brings many: so it is done without a call for each.
        for number, piece in enumerate(self._log, 1):
            if isinstance(piece, bytes):
                of, _, duration, start = FRAME_HEAD.unpack_from(piece, FRAME_HEAD_AT)
                if of > handle and of not in self._silenced:
                    break
                # A frame that is being heard may be needed: by a player that begins anew.
                if of == handle and start + duration > position:
                    break
                count = number
                samples += duration
        if not count:
            return
        for _ in range(count):
            self._bytes -= _size(self._log.popleft())
        self._first += count
        self._samples -= samples
        self._gone.clear()  # who has heard what came later has received it

    def silence(self, handle: int) -> None:
        """A context was cancelled: none of its frames is sent any more."""
        self._gone.pop(handle, None)
        self._silenced.add(handle)
        if len(self._silenced) > _MOST_SILENCED:
            self._silenced &= {_handle(piece) for kept in (self._log, self._again) for piece in kept}

    def drop_old(self, now: float) -> None:
        """Time has passed."""
        while self._marks and self._marks[0][0] + _MARK_S <= now - KEEP_S:
            self._marks.popleft()
            until = self._marks[0][1] if self._marks else self._first + len(self._log)
            while self._first < until:
                self._drop_first()

    # -- sending again ----------------------------------------------------------------------------------

    def again(self, last: Mapping[int, int]) -> dict[int, float]:
        """Prepare to send again what comes after `last` (seq by handle); replaces what was being sent again.

        Returns where what is missing begins, in ms by handle. Raises `NotKeptError`, and has changed nothing.
        """
        received = -1
        missing = len(self._log)
        lacking: set[int] = set()
        begins: dict[int, float] = {}
        for index, piece in enumerate(self._log):
            if not isinstance(piece, bytes):
                continue
            head = frame_head(piece)
            if head.seq <= last.get(head.handle, -1):
                received = index
            elif head.handle not in self._silenced:
                missing = min(missing, index)
                lacking.add(index)
                begins.setdefault(head.handle, head.position / TIMELINE_PER_MS)
        if received < 0 and any(last.get(handle, -1) < seq for handle, seq in self._gone.items()):
            raise NotKeptError("sound that was not received is not kept any more")
        after = min(received, missing)
        self._again = deque(
            piece
            for index, piece in enumerate(self._log)
            if index in lacking or (index > after and not isinstance(piece, bytes))
        )
        return begins

    @property
    def is_sending_again(self) -> bool:
        """Whether something may still have to be sent again, before all that is new."""
        return bool(self._again)

    def next_again(self, is_paused: Callable[[int], bool]) -> Piece | None:
        """The next piece that is sent again; None when there is none, or what comes next has to wait.

        `is_paused`: whether nothing of a context's sound may be sent, by its handle. What comes after that
        waits, too, but for messages that may overtake sound.
        """
        while self._again:
            piece = self._again[0]
            if not isinstance(piece, str):
                handle = _handle(piece)
                if handle not in self._silenced and is_paused(handle):
                    return self._next_overtaking()
            del self._again[0]
            if isinstance(piece, str):
                return piece
            if handle not in self._silenced:
                return replayed(piece) if isinstance(piece, bytes) else piece.text
        return None

    def _next_overtaking(self) -> str | None:
        for index, piece in enumerate(self._again):
            if isinstance(piece, str):
                del self._again[index]
                return piece
        return None

    def follow(self, text: str, handle: int) -> bool:
        """Send a new message behind what is being sent again; False when nothing is."""
        if not self._again:
            return False
        self._again.append(_Told(text, handle))
        return True

    def _drop_first(self) -> None:
        """Before it was heard."""
        piece = self._log.popleft()
        self._first += 1
        self._bytes -= _size(piece)
        if not isinstance(piece, bytes):
            return
        head = frame_head(piece)
        self._samples -= head.duration
        if head.handle not in self._silenced:
            self._gone[head.handle] = head.seq
            if len(self._gone) > _MOST_GONE:
                del self._gone[next(iter(self._gone))]


def _size(piece: _Kept) -> int:
    """Bytes that a piece takes."""
    return (len(piece.text) if isinstance(piece, _Told) else len(piece)) + _PIECE_BYTES


def _handle(piece: _Kept) -> int:
    """The context that a piece falls silent with; 0: none."""
    if isinstance(piece, bytes):
        return handle_of(piece)
    return piece.handle if isinstance(piece, _Told) else wire.NO_HANDLE
