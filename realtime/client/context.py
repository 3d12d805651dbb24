"""One context: text goes in, sound comes out."""

from __future__ import annotations

from typing import Protocol, Self

from msgspec import UNSET

from realtime.client.chunks import Chunk
from realtime.client.decoding import Decoder, check_decodable
from realtime.client.errors import ContextClosedError, SessionClosedError
from realtime.client.inbox import Inbox
from realtime.errors import ErrorCode
from realtime.session import messages as wire
from realtime.types import Pcm


class Link(Protocol):
    """What a context needs of its session."""

    @property
    def ready(self) -> wire.SessionReady:
        """The settings in force."""
        ...

    async def send(self, message: wire.ClientMessage) -> None:
        """Send a message; raises `SessionClosedError`."""
        ...

    async def report(self, message: wire.Playback) -> None:
        """Send where the listener is, but wait for no connection; raises `SessionClosedError`."""
        ...

    async def ask(self, message: wire.ClientMessage) -> list[wire.ServerMessage]:
        """Send a message and wait for its answers; raises `SessionClosedError`."""
        ...

    def expect(self, inbox: Inbox) -> None:
        """The next opening under this id is for `inbox`."""
        ...

    def ended(self) -> SessionClosedError:
        """Why the session is over."""
        ...


class Context:
    """One context; iterate over it for its frames, or over `pcm()` for its sound. Made by `Session.open`.

    It is opened with its first text. The frames of a context that is no longer referred to are thrown away.
    Every method that sends raises `SessionClosedError` when the session is over; while its connection is lost
    it waits for another one, but for `played`, which must not hold up a player. Those that send text also
    raise `ContextRefusedError`, `ContextFailedError` or `ContextClosedError` when the context takes no more.
    After a cancel nothing is sent and nothing raised: an LLM may write on for a while.
    """

    def __init__(self, link: Link, inbox: Inbox, opening: wire.ContextOpen) -> None:
        """`opening` is sent before the first text."""
        self._link = link
        self._inbox = inbox
        self._opening: wire.ContextOpen | None = opening
        self._ended = False
        self._decoder: Decoder | None = None

    # -- what is known ----------------------------------------------------------------------------------

    @property
    def context_id(self) -> str:
        """Its id."""
        return self._inbox.context_id

    @property
    def segments(self) -> list[wire.Segment]:
        """The sentences that have begun to be sent, in order."""
        return self._inbox.segments

    @property
    def words(self) -> list[wire.Word]:
        """The words whose times have come, in order; none unless the session has `timestamps="word"`."""
        return self._inbox.words

    @property
    def playback(self) -> wire.TrackPlayback | None:
        """How much of it has been heard over the track, as the server told last; None before the first.

        Only of sessions with `audio="rtc"`.
        """
        return self._inbox.playback

    @property
    def loading(self) -> wire.Loading | None:
        """How far the voice is loaded that it waits for; None when it does not wait for that."""
        return self._inbox.loading

    @property
    def done(self) -> wire.ContextDone | None:
        """How it ended by itself; None before that, and when it was cancelled first."""
        return self._inbox.done

    @property
    def cancelled(self) -> wire.ContextCancelled | None:
        """What was heard and what was not, once a `cancel` or a context that preempts has stopped it."""
        return self._inbox.cancelled

    # -- text in ----------------------------------------------------------------------------------------

    async def send(self, text: str) -> None:
        """Append text, in tokens of any size."""
        if await self._takes_text():
            await self._link.send(wire.Text(text, self.context_id))

    async def flush(self, flush_id: str | None = None) -> None:
        """Have everything so far spoken now, though it be half a word."""
        if await self._takes_text():
            await self._link.send(wire.Flush(self.context_id, flush_id))

    async def end(self) -> None:
        """No more text; the iteration ends after the last frame. Once is enough, twice does no harm."""
        if not self._ended and await self._takes_text():
            self._ended = True
            await self._link.send(wire.End(self.context_id))

    # -- the listener -----------------------------------------------------------------------------------

    async def played(self, played_ms: float) -> None:
        """Report how much of this context's sound was heard, in ms from its beginning.

        A few reports a second make the cut of a cancel exact that knows no `played_ms` of its own.
        """
        if self._is_on_the_wire():
            await self._link.report(wire.Playback(played_ms, self.context_id))

    async def pause(self) -> None:
        """Have the server hold the sound: for a cough, not for a barge-in. After this no frame comes.

        What has come already can be taken. Raises `ContextClosedError` when nothing is left to be paused.
        """
        if not self._inbox.silenced:
            await self._open()
            self._raise_if_closed(await self._link.ask(wire.Pause(self.context_id)))

    async def continue_(self) -> None:
        """Go on from where it was paused: the protocol's `continue`, which is a word of Python's own.

        Raises `ContextClosedError` when nothing is left to go on with.
        """
        if not self._inbox.silenced:
            await self._open()
            self._raise_if_closed(await self._link.ask(wire.Continue(self.context_id)))

    async def cancel(self, played_ms: float | None = None) -> wire.ContextCancelled:
        """Barge-in: stop now. Returns the text that was heard and the text that was not.

        `played_ms` is what the listener has heard of this context; without it the server goes by `played`, or
        by the clock. From the call on its frames are thrown away, and iterations over it end, also while the
        connection is lost: then the answer comes when it is there again. A second cancel has the answer of
        the first. An id that was opened more than once is cancelled in all its contexts. Raises
        `ContextRefusedError` when the server has refused it, `ContextClosedError` when its id means another
        context by now.
        """
        inbox = self._inbox
        if self._opening is not None and inbox.cancelled is None:  # the server has never heard of it
            nothing = wire.ContextCancelled(self.context_id, wire.NO_HANDLE, "cancelled", 0, "", "", 0, None)
            inbox.take_cancelled(nothing)
        if inbox.cancelled is None:
            self._raise_if_refused()
            inbox.silence()
            answers = await self._link.ask(wire.Cancel(self.context_id, played_ms))
            self._raise_if_refused()
            for answer in answers:
                # The server forgets a context a minute after it was heard.
                if isinstance(answer, wire.ContextCancelled) and answer.handle == wire.NO_HANDLE:
                    if answer.context_id == self.context_id:
                        inbox.take_cancelled(answer)
        if inbox.cancelled is None:
            raise self._closed("another context has its id by now, and was cancelled in its place")
        return inbox.cancelled

    async def heard(self) -> None:
        """Returns when all of it has been heard over the track, of a session with `audio="rtc"`.

        Also when it was cancelled. Raises `ContextRefusedError`, `ContextFailedError`, `SessionClosedError`.
        """
        if not await self._inbox.heard():
            if (failure := self._inbox.failure) is not None:
                raise failure
            raise self._link.ended()

    # -- sound out --------------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        """Frames, until the context is done or cancelled."""
        return self

    async def __anext__(self) -> Chunk:
        """The next frame; raises `ContextRefusedError`, `ContextFailedError`, `SessionClosedError`."""
        chunk = await self._inbox.next()
        if chunk is not None:
            return chunk
        if not self._inbox.silenced:
            if (failure := self._inbox.failure) is not None:
                raise failure
            if self._inbox.done is None:
                raise self._link.ended()
        raise StopAsyncIteration

    def pcm(self, sample_rate: int | None = None) -> PcmStream:
        """Its sound, decoded; cut to the true length, to the sample.

        `sample_rate` in Hz is the session's if None; Opus can also be had at 24000. Take the sound of a
        context either by this or by its frames: a decoder must see every frame. Raises
        `UndecodableFormatError` for containers, `ValueError` for a rate that the format cannot give.
        """
        check_decodable(self._inbox.ready or self._link.ready, sample_rate)
        if self._decoder is not None and sample_rate not in (None, self._decoder.sample_rate):
            raise ValueError(f"this context is decoded at {self._decoder.sample_rate} Hz already")
        return PcmStream(self, sample_rate)

    def decode(self, chunk: Chunk, sample_rate: int | None = None) -> Pcm:
        """The sound of its next frame, as `pcm` gives it; `sample_rate` counts at the first one."""
        if self._decoder is None:
            self._decoder = Decoder(self._inbox.ready or self._link.ready, sample_rate)
        return self._decoder.decode(chunk)

    # -- within -----------------------------------------------------------------------------------------

    async def _takes_text(self) -> bool:
        """Whether text may be sent, the context being open now; False after a cancel."""
        if self._inbox.silenced:
            return False
        if (failure := self._inbox.failure) is not None:
            raise failure
        if self._ended or self._inbox.done is not None:
            raise self._closed("it was ended, and takes no more text")
        await self._open()
        return True

    async def _open(self) -> None:
        opening, self._opening = self._opening, None
        if opening is not None:
            self._link.expect(self._inbox)
            await self._link.send(opening)

    def _is_on_the_wire(self) -> bool:
        return self._opening is None and not self._inbox.silenced

    def _raise_if_refused(self) -> None:
        if self._inbox.refused and (failure := self._inbox.failure) is not None:
            raise failure

    def _raise_if_closed(self, answers: list[wire.ServerMessage]) -> None:
        self._raise_if_refused()
        for answer in answers:
            # With a handle it is about late text, or tells of a failure: the iteration raises that.
            if isinstance(answer, wire.Error) and answer.handle is UNSET:
                if (answer.code, answer.context_id) == (ErrorCode.CONTEXT_CLOSED, self.context_id):
                    raise ContextClosedError.told(answer)

    def _closed(self, why: str) -> ContextClosedError:
        text = f"context {self.context_id!r}: {why}"
        return ContextClosedError(text, code=ErrorCode.CONTEXT_CLOSED, context_id=self.context_id)


class PcmStream:
    """The sound of a context: float32 mono arrays in [-1, 1], shape (samples,), none of them empty."""

    def __init__(self, context: Context, sample_rate: int | None) -> None:
        """Made by `Context.pcm`."""
        self._context = context
        self._sample_rate = sample_rate

    def __aiter__(self) -> Self:
        """Arrays, until the context is done or cancelled."""
        return self

    async def __anext__(self) -> Pcm:
        """The sound of the next frame; raises as an iteration over the context does."""
        while True:
            pcm = self._context.decode(await anext(self._context), self._sample_rate)
            if len(pcm):
                return pcm
