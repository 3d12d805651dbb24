"""What has come of one context: its sound, its messages, and how it ended."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque

from realtime.client.backlog import Backlog
from realtime.client.chunks import Chunk, chunk_of
from realtime.client.errors import ContextClosedError, ContextError, ContextFailedError, ContextRefusedError
from realtime.errors import ErrorCode
from realtime.session import messages as wire
from realtime.session.frames import Frame


class Inbox:
    """Filled by the session's reader, emptied by the user of the context; it lives as long as the context."""

    def __init__(self, context_id: str, backlog: Backlog) -> None:
        """`backlog` counts the sound that waits here."""
        self.context_id = context_id
        #: The settings in force when the context was opened; None until then.
        self.ready: wire.SessionReady | None = None
        #: Those in force when its opening was sent, unless they were to be changed then.
        self.asked_under: wire.SessionReady | None = None
        self.segments: list[wire.Segment] = []
        self.words: list[wire.Word] = []
        self.loading: wire.Loading | None = None
        self.playback: wire.TrackPlayback | None = None
        self.done: wire.ContextDone | None = None
        self.cancelled: wire.ContextCancelled | None = None
        self.silenced = False
        self.refused = False
        self._failure: tuple[type[ContextError], wire.Error] | None = None
        self._session_over = False
        self._chunks: deque[Chunk] = deque()
        self._news = asyncio.Event()
        self._backlog = backlog
        # Who drops a context leaves its sound behind: it must not hold up the others.
        weakref.finalize(self, backlog.forget, self._chunks)

    @property
    def failure(self) -> ContextError | None:
        """Why the context was refused or failed; a new exception each time, as each bears its traceback."""
        if self._failure is None:
            return None
        kind, error = self._failure
        return kind.told(error)

    async def next(self) -> Chunk | None:
        """The next frame; None when no more will come."""
        while not self._chunks and not self.is_over:
            self._news.clear()
            await self._news.wait()
        if not self._chunks:
            return None
        chunk = self._chunks.popleft()
        self._backlog.remove(chunk.duration)
        return chunk

    async def heard(self) -> bool:
        """Whether all of it was heard over the track, or it was cancelled; waits until it is known."""
        while True:
            if self.silenced or (self.playback is not None and self.playback.state == "ended"):
                return True
            nothing = self.done is not None and self.done.reason == "completed" and not self.done.audio_ms
            if nothing:
                return True
            if self._session_over or self._failure is not None:
                return False
            self._news.clear()
            await self._news.wait()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        ended = self.silenced or self.done is not None
        return ended or self.refused or self._session_over

    # -- what comes in ----------------------------------------------------------------------------------

    def take_opened(self, ready: wire.SessionReady) -> None:
        """The server has opened the context, under these settings."""
        self.ready = ready

    def take_frame(self, frame: Frame) -> None:
        """A frame came."""
        if self.silenced:
            return
        self.loading = None
        chunk = chunk_of(frame)
        self._chunks.append(chunk)
        self._backlog.add(chunk.duration)
        self._news.set()

    def take_message(self, message: wire.ServerMessage) -> None:
        """A message about this context came."""
        if isinstance(message, wire.Segment):
            if self.segments and self.segments[-1].index == message.index:
                self.segments[-1] = message  # it was sent before it was complete
            else:
                self.segments.append(message)
        elif isinstance(message, wire.Words):
            self.words += message.words
        elif isinstance(message, wire.Loading):
            self.loading = message
        elif isinstance(message, wire.TrackPlayback):
            self.playback, self.loading = message, None
            self._news.set()
        elif isinstance(message, wire.ContextDone):
            self._finish(message)
        elif isinstance(message, wire.ContextCancelled):
            self.take_cancelled(message)
        elif isinstance(message, wire.Error) and message.code != ErrorCode.CONTEXT_CLOSED:
            # Late tokens of an LLM, after a cancel, are no failure.
            self._failure = self._failure or (ContextFailedError, message)
            self._news.set()

    def take_cancelled(self, message: wire.ContextCancelled) -> None:
        """The context was cancelled: what was heard is known, so the rest must not be played."""
        self.cancelled = self.cancelled or message
        self.silence()

    def _finish(self, message: wire.ContextDone) -> None:
        self.done, self.loading = message, None
        if message.reason == "failed" and self._failure is None:
            unknown = wire.Error(ErrorCode.INTERNAL, "the context failed", context_id=self.context_id)
            self._failure = (ContextFailedError, unknown)
        self._news.set()

    # -- what ends it -----------------------------------------------------------------------------------

    def silence(self) -> None:
        """Throw away its sound, that which has come and that which still comes."""
        self.silenced, self.loading = True, None
        self._backlog.remove(sum(chunk.duration for chunk in self._chunks))
        self._chunks.clear()
        self._news.set()

    def refuse(self, error: wire.Error) -> None:
        """The server did not open it."""
        self._failure = (ContextRefusedError, error)
        self.refused = True
        self._news.set()

    def close(self) -> None:
        """The server had ended it already, and takes its late text for that of another context."""
        text = "the server has ended this context: it said nothing for 10 s while others waited"
        error = wire.Error(ErrorCode.CONTEXT_CLOSED, text, context_id=self.context_id)
        self._failure = self._failure or (ContextClosedError, error)

    def end(self) -> None:
        """The session is over: nothing more will come."""
        self._session_over = True
        self._news.set()
