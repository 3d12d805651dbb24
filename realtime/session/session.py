"""The state machine of realtime.v1. No I/O, no clock: messages and times in, actions out.

The rules:
1. `session.ready` answers the first message that is valid. `session.start` may only be that one.
2. An error in a message changes nothing. A failure of an utterance ends its context, never the socket.
3. The first `text` of an id opens a context; so does `text` after `end`. After a cancel or a failure only
   `context.open` does, and late text is dropped with one `context_closed`.
4. Contexts are spoken in the order opened: only the head's sound is fetched (`head`), so the others wait.
5. Each context ends with exactly one `context.done` or `context.cancelled`. A cancel is answered also after
   `context.done`, and every time with the same cut.
6. A cancel is a barrier: the speaker is stopped before the answer is given out, and with it goes its sound.

States of the session: new --first message--> ready --close--> draining --all contexts over--> closed.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from msgspec import UNSET, Struct, UnsetType

from realtime.errors import ERRORS, CloseCode, ErrorCode, InvalidMessageError, RealtimeError
from realtime.session import cancel, replies
from realtime.session import messages as wire
from realtime.session.actions import (
    Action,
    AppendText,
    Close,
    EndSpeaker,
    FlushSpeaker,
    OpenSpeaker,
    Send,
    SendFrame,
    StopSpeaker,
)
from realtime.session.contexts import (
    KEEP_S,
    CancelReason,
    Context,
    Contexts,
    Cut,
    State,
    Step,
)
from realtime.session.offer import Offer, check_context_id, refuse_unsupported, unsupported
from realtime.session.playout import Playout
from realtime.types import (
    TIMELINE_PER_MS,
    Failed,
    Finished,
    Flushed,
    Packet,
    SegmentStarted,
    SpeechEvent,
    VoiceSettings,
    WordsTimed,
)

#: An unended context with nothing to say is ended when another has waited behind it for so long.
SILENT_HEAD_S = 10.0
MOST_PENDING_FLUSHES = 256


class _Phase(Enum):
    NEW = auto()
    READY = auto()
    DRAINING = auto()
    CLOSED = auto()


class Session:
    """One session; every method takes the present in monotonic seconds and returns what is to be done."""

    def __init__(self, session_id: str, resume_token: str, offer: Offer, now: float) -> None:
        """`session_id` and `resume_token` are told to the client."""
        self.session_id = session_id
        self._resume_token = resume_token
        self._offer = offer
        self._phase = _Phase.NEW
        self._contexts = Contexts()
        self._playout = Playout()
        self._last_activity = now
        self._turn: Context | None = None
        self._voice = offer.default_voice
        self._language = "auto"
        audio = offer.audio(wire.SessionStart())
        assert audio is not None, "the default format is always offered"
        self._audio = audio
        self._receivers: dict[type[Struct], Callable[..., list[Action]]] = {
            wire.SessionStart: self._start,
            wire.ContextOpen: self._open,
            wire.Text: self._text,
            wire.Flush: self._flush,
            wire.End: self._end,
            wire.Cancel: self._cancel,
            wire.Ping: self._ping,
            wire.SessionClose: self._close,
        }

    # -- what comes in ----------------------------------------------------------------------------------

    def receive(self, frame: str | bytes, now: float) -> list[Action]:
        """A frame of the client."""
        self._last_activity = now
        if self._phase is _Phase.CLOSED:
            return []
        before = self._phase
        context_id: str | UnsetType = UNSET
        try:
            if isinstance(frame, bytes):
                raise InvalidMessageError("binary frames are not taken; send JSON text frames")
            message = wire.decode_client(frame)
            context_id = getattr(message, "context_id", UNSET)
            receiver = self._receivers.get(type(message))
            if receiver is None:
                supported = ", ".join(map(wire.type_of, self._receivers))
                raise unsupported(f"`{wire.type_of(type(message))}`", supported)
            actions: list[Action] = []
            if self._phase is _Phase.NEW and not isinstance(message, wire.SessionStart):
                actions.append(self._begin())
            return actions + receiver(message, now)
        except RealtimeError as error:
            self._phase = before  # what was refused has not begun the session either
            return [replies.refusal(error.code, error.message, context_id)]

    def on_event(self, handle: int, event: SpeechEvent, now: float) -> list[Action]:
        """What the head's speaker made; it is sent at this moment."""
        context = self._contexts.get(handle)
        if context is None or not context.live:
            return []
        self._last_activity = context.last_activity = now
        if isinstance(event, Packet):
            return self._packet(context, event, now)
        if isinstance(event, SegmentStarted):
            return [replies.segment(context, event)]
        if isinstance(event, WordsTimed):
            context.ledger.timed(event.words)
            return []
        if isinstance(event, Flushed):
            context.pending_flushes -= 1
            return [Send(wire.FlushDone(context.context_id, handle, event.flush_id))]
        if isinstance(event, Finished):
            context.step(Step.FINISHED)
            return self._over(context, replies.done(context, "completed", event.timing, now), now)
        return self._fail(context, event, now)

    def on_failure(self, handle: int, failure: Failed, now: float) -> list[Action]:
        """A speaker failed, perhaps before its turn: the error overtakes, the ending keeps its order."""
        context = self._contexts.get(handle)
        if context is None or not context.live or context.failure_told:
            return []
        context.failure_told = True
        self._last_activity = now
        return [replies.failure(context, failure)]

    def next_deadline(self) -> float:
        """When `on_deadline` wants to be called, in monotonic seconds."""
        deadlines = [self._last_activity + self._offer.limits.idle_s]
        if (forget_at := self._contexts.next_forget()) is not None:
            deadlines.append(forget_at)
        if (silent := self._silent_head()) is not None:
            deadlines.append(silent[1])
        return min(deadlines)

    def on_deadline(self, now: float) -> list[Action]:
        """Time has passed."""
        actions: list[Action] = []
        for context in self._contexts.forget(now):
            self._playout.forget(context.handle)
        silent = self._silent_head()
        if silent is not None and silent[1] <= now:
            silent[0].step(Step.END)
            actions.append(EndSpeaker(silent[0].handle))
        if self._last_activity + self._offer.limits.idle_s <= now and self._phase is not _Phase.CLOSED:
            self._phase = _Phase.CLOSED
            actions += [Send(wire.SessionClosing("idle", 0)), Close(CloseCode.DONE, "idle")]
        return actions

    def shut_down(self) -> list[Action]:
        """The server is going away."""
        if self._phase is _Phase.CLOSED:
            return []
        self._phase = _Phase.CLOSED
        return [Send(wire.SessionClosing("shutdown", 0)), Close(CloseCode.GOING_AWAY, "going away")]

    def head(self) -> int | None:
        """Handle of the context whose turn it is to be sent."""
        head = self._contexts.head()
        return head.handle if head else None

    def text(self, handle: int) -> str:
        """All that the client sent for a context; empty when it is not known any more."""
        context = self._contexts.get(handle)
        return context.ledger.text() if context else ""

    # -- messages ---------------------------------------------------------------------------------------

    def _start(self, message: wire.SessionStart, now: float) -> list[Action]:
        if self._phase is not _Phase.NEW:
            raise InvalidMessageError("session.start may only be the first message")
        refuse_unsupported(message)
        voice = self._offer.voice(message.voice, self._voice)
        language = "auto" if isinstance(message.language, UnsetType) else message.language
        self._offer.language(language, voice)
        audio = self._offer.audio(message)
        if audio is None:
            self._phase = _Phase.CLOSED
            known = ", ".join(self._offer.formats)
            text = f"none of the formats asked for is known; known: {known}"
            code = ErrorCode.UNSUPPORTED
            return [
                Send(wire.Error(code, text, fatal=True)),
                Close(ERRORS[code].close_code, "no known format"),
            ]
        self._voice, self._language, self._audio = voice.id, language, audio
        return [self._begin()]

    def _begin(self) -> Action:
        self._phase = _Phase.READY
        voice = self._offer.voice(UNSET, self._voice)
        return replies.ready(
            self.session_id, self._resume_token, self._offer, self._audio, voice, self._language
        )

    def _open(self, message: wire.ContextOpen, now: float) -> list[Action]:
        refuse_unsupported(message)
        check_context_id(message.context_id)
        self._check_open()
        latest = self._contexts.latest(message.context_id)
        if latest is not None and latest.takes_text and message.on_conflict == "queue":
            raise InvalidMessageError(f"context {message.context_id!r} is open already; `end` it first")
        settings = self._offer.context_settings(message, self._voice, self._language)
        actions: list[Action] = []
        if message.on_conflict == "preempt":
            actions = self._silence(self._contexts.known(), "preempted", None, now)
        return actions + self._open_context(message.context_id, settings, now)[1]

    def _open_context(
        self, context_id: str, settings: VoiceSettings, now: float
    ) -> tuple[Context, list[Action]]:
        self._check_open()
        limit = self._offer.limits.contexts
        if sum(not context.failure_told for context in self._contexts.live()) >= limit:
            raise RealtimeError(
                f"context {context_id!r} was not opened: {limit} contexts are open, which is the limit",
                ErrorCode.TOO_MANY_CONTEXTS,
            )
        context = self._contexts.open(context_id, settings, now)
        self._turn = self._contexts.head()
        opened = wire.ContextOpened(context_id, context.handle, settings.voice, settings.language)
        return context, [OpenSpeaker(context.handle, context_id, settings, self._audio), Send(opened)]

    def _text(self, message: wire.Text, now: float) -> list[Action]:
        check_context_id(message.context_id)
        context = self._contexts.latest(message.context_id)
        actions: list[Action] = []
        if context is not None and context.closed_to_text:
            return self._late(context)
        if not message.text and context is not None and context.takes_text:
            return []
        if context is None or context.state is not State.OPEN:
            opening = wire.ContextOpen(message.context_id)
            settings = self._offer.context_settings(opening, self._voice, self._language)
            context, actions = self._open_context(message.context_id, settings, now)
        context.last_activity = now
        if context.first_text_at is None:
            context.first_text_at = now
        size = len(message.text) if message.text.isascii() else len(message.text.encode())
        too_long = self._offer.limits.text_too_long(size, context.ledger.text_bytes)
        if too_long is None:
            context.ledger.append(message.text, size)
            return [*actions, AppendText(context.handle, message.text)]
        failure = Failed(ErrorCode.TEXT_TOO_LONG, too_long)
        if self._contexts.head() is context:
            return actions + self._fail(context, failure, now)
        # The error overtakes; the ending keeps its order with the sound of those before.
        context.failure = failure
        stop = StopSpeaker(context.handle, "failed")
        return [*actions, stop, *self.on_failure(context.handle, failure, now)]

    def _flush(self, message: wire.Flush, now: float) -> list[Action]:
        context = self._open_one(message.context_id)
        if isinstance(context, list):
            return context
        if context.pending_flushes >= MOST_PENDING_FLUSHES:
            raise InvalidMessageError(
                f"{MOST_PENDING_FLUSHES} flushes of context {message.context_id!r} wait to be answered, "
                "which is the limit"
            )
        context.pending_flushes += 1
        context.last_activity = now
        return [FlushSpeaker(context.handle, message.flush_id)]

    def _end(self, message: wire.End, now: float) -> list[Action]:
        context = self._open_one(message.context_id)
        if isinstance(context, list):
            return context
        context.step(Step.END)
        return [EndSpeaker(context.handle)]

    def _open_one(self, context_id: str) -> Context | list[Action]:
        """The open context of an id, or the answer to a message for one that is not open."""
        check_context_id(context_id)
        context = self._contexts.latest(context_id)
        if context is not None and context.closed_to_text:
            return self._late(context)
        if context is not None and context.takes_text:
            return context
        raise InvalidMessageError(f"context {context_id!r} is not open", ErrorCode.CONTEXT_CLOSED)

    def _late(self, context: Context) -> list[Action]:
        if context.warned_closed:
            return []
        context.warned_closed = True
        how = "cancelled" if context.state is State.CANCELLED else "ended by a failure"
        text = f"context {context.context_id!r} was {how}: its late text is dropped until `context.open`"
        return [replies.failure(context, Failed(ErrorCode.CONTEXT_CLOSED, text))]

    def _cancel(self, message: wire.Cancel, now: float) -> list[Action]:
        return self._cancelled(message, now) + self._close_if_drained()

    def _cancelled(self, message: wire.Cancel, now: float) -> list[Action]:
        if message.context_id == wire.ALL_CONTEXTS:
            every = self._silence(self._contexts.known(), "cancelled", message.played_ms, now)
            return [*every, replies.nothing_cancelled(wire.ALL_CONTEXTS)]
        latest = self._contexts.latest(message.context_id)
        if latest is None:
            return [replies.nothing_cancelled(message.context_id)]
        # An id may have been opened again while its former context is still heard: all of them fall silent.
        named = [each for each in self._contexts.known() if each.context_id == message.context_id]
        if silenced := self._silence(named, "cancelled", message.played_ms, now):
            return silenced
        if latest.cut is None:
            return self._stop(
                latest, "cancelled", cancel.cut(latest, self._playout, message.played_ms, now), now
            )
        return [replies.cancelled(latest, latest.cut)]

    def _silence(
        self, contexts: list[Context], reason: CancelReason, played_ms: float | None, now: float
    ) -> list[Action]:
        """Stop those of `contexts` that are still to be spoken or heard, in order."""
        unheard = cancel.unheard(contexts, self._playout, played_ms, now)
        cuts = cancel.cut_all(unheard, self._playout, played_ms, now)
        return [action for context, cut in cuts for action in self._stop(context, reason, cut, now)]

    def _stop(self, context: Context, reason: CancelReason, cut: Cut, now: float) -> list[Action]:
        speaks = context.live and context.failure is None
        stop: list[Action] = [StopSpeaker(context.handle)] if speaks else []
        context.step(Step.CANCEL)
        context.cut, context.cancel_reason = cut, reason
        self._playout.stop(context.handle, now)
        self._retire(context, now + KEEP_S)
        return [*stop, replies.cancelled(context, cut), *self._give_turn(now)]

    def _ping(self, message: wire.Ping, now: float) -> list[Action]:
        return [Send(wire.Pong(message.t))]

    def _close(self, message: wire.SessionClose, now: float) -> list[Action]:
        self._phase = _Phase.DRAINING
        actions: list[Action] = []
        if not message.drain:
            actions += self._silence(self._contexts.known(), "cancelled", None, now)
        for context in self._contexts.live():
            if context.step(Step.END):
                actions.append(EndSpeaker(context.handle))
        return actions + self._close_if_drained()

    # -- endings ----------------------------------------------------------------------------------------

    def _packet(self, context: Context, packet: Packet, now: float) -> list[Action]:
        if context.first_frame_at is None:
            context.first_frame_at = now
        context.sent = packet.position + packet.duration
        context.last_seq = packet.seq
        self._playout.sent(context.handle, context.sent / TIMELINE_PER_MS, now)
        return [SendFrame(self._offer.formats[self._audio.format].kind, context.handle, packet)]

    def _fail(self, context: Context, failure: Failed, now: float) -> list[Action]:
        context.step(Step.FAILED)
        actions: list[Action] = []
        if context.failure is None:
            actions.append(StopSpeaker(context.handle, "failed"))
        if not context.failure_told:
            actions.append(replies.failure(context, failure))
        return actions + self._over(context, replies.done(context, "failed", failure.timing, now), now)

    def _over(self, context: Context, done: Send, now: float) -> list[Action]:
        self._retire(context, self._playout.ends_at(context.handle, now) + KEEP_S)
        return [done, *self._give_turn(now), *self._close_if_drained()]

    def _retire(self, context: Context, forget_at: float) -> None:
        for forgotten in self._contexts.retire(context, forget_at):
            self._playout.forget(forgotten.handle)

    def _close_if_drained(self) -> list[Action]:
        if self._phase is not _Phase.DRAINING or self._contexts.head() is not None:
            return []
        self._phase = _Phase.CLOSED
        return [Close(CloseCode.DONE, "done")]

    def _give_turn(self, now: float) -> list[Action]:
        """A context is over: another may be the head now, to be silent from now on, or to end as failed."""
        head = self._contexts.head()
        if head is not None and head is not self._turn:
            head.last_activity = now
        self._turn = head
        if head is not None and head.failure is not None:
            return self._fail(head, head.failure, now)
        return []

    def _silent_head(self) -> tuple[Context, float] | None:
        """The context that blocks others without having been ended, and when it will be."""
        live = self._contexts.live()
        if len(live) < 2 or live[0].state is not State.OPEN:
            return None
        silent_since = max(live[0].last_activity, live[1].opened_at)
        return live[0], silent_since + SILENT_HEAD_S

    def _check_open(self) -> None:
        if self._phase is not _Phase.READY:
            raise InvalidMessageError(
                "the session is closing; no context may be opened", ErrorCode.CONTEXT_CLOSED
            )
