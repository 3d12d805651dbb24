"""The contexts of a session while they live: whose turn it is, how each ends, and where its listener is.

The rules:
1. Contexts are spoken in the order opened; only the head's sound is fetched, and none while it is paused.
2. Each ends with exactly one `context.done` or `context.cancelled`. A cancel is answered also after
   `context.done`, and every time with the same cut.
3. A cancel is a barrier: the speaker is stopped before the answer is given out, and with it goes its sound.
4. A failure is told at once; the ending that follows from it keeps its order with the sound of those before.
5. An unended head that says nothing for `SILENT_HEAD_S` while another waits is ended; but not one that is
   paused, or has still to speak what was flushed; and not while there is no socket to speak to, or no credit,
   or a track that takes nothing, or something has to be sent again first.
"""

from __future__ import annotations

from collections.abc import Sequence

from realtime.errors import ErrorCode, InvalidMessageError, RealtimeError, TooManyContextsError
from realtime.session import cancel, replies
from realtime.session import messages as wire
from realtime.session.actions import (
    Action,
    AppendText,
    EndSpeaker,
    FlushSpeaker,
    OpenSpeaker,
    Replenish,
    Send,
    SendFrame,
    StopSpeaker,
    Unheard,
)
from realtime.session.contexts import KEEP_S, CancelReason, Context, Contexts, Cut, State, Step
from realtime.session.credit import Credit
from realtime.session.frames import encode_frame
from realtime.session.offer import ContextSettings, Offer
from realtime.session.playout import Playout
from realtime.session.replay import Replay
from realtime.types import (
    TIMELINE_PER_MS,
    Failed,
    Finished,
    Flushed,
    Loading,
    Packet,
    SegmentEnded,
    SegmentStarted,
    SpeechEvent,
    WordsTimed,
)

#: An unended context with nothing to say is ended when another has waited behind it for so long.
SILENT_HEAD_S = 10.0
MOST_PENDING_FLUSHES = 256
#: When one of the contexts will be over is not known: a client that has too many asks again after so long.
_RETRY_AFTER_MS = 1_000


class Turns:
    """Every method takes the present in monotonic seconds and returns what is to be done."""

    def __init__(self, offer: Offer) -> None:
        """`offer`: for limits, and the kinds of frames."""
        self._offer = offer
        self._contexts = Contexts()
        self._playout = Playout()
        self._turn: Context | None = None
        self._has_socket = True
        self._is_held = False
        self.credit = Credit(self._playout)
        self.replay = Replay()

    # -- what is known ----------------------------------------------------------------------------------

    def latest(self, context_id: str) -> Context | None:
        """The context that was last opened under an id, if it is still known."""
        return self._contexts.latest(context_id)

    def get(self, handle: int) -> Context | None:
        """A context by its handle, if it is still known."""
        return self._contexts.get(handle)

    def head(self) -> Context | None:
        """The context whose turn it is."""
        return self._contexts.head()

    # -- what the client wants --------------------------------------------------------------------------

    def open(self, context_id: str, settings: ContextSettings, now: float) -> tuple[Context, list[Action]]:
        """A new context, last in the order; raises `RealtimeError` when there are too many."""
        limit = self._offer.limits.contexts
        if sum(not context.failure_told for context in self._contexts.live()) >= limit:
            raise TooManyContextsError(
                f"context {context_id!r} was not opened: {limit} contexts are open, which is the limit",
                _RETRY_AFTER_MS,
            )
        context = self._contexts.open(context_id, settings, now)
        self._turn = self._contexts.head()
        voice = settings.voice
        opened = wire.ContextOpened(context_id, context.handle, voice.voice, voice.language)
        return context, [OpenSpeaker(context.handle, context_id, voice, settings.audio), Send(opened)]

    def append(self, context: Context, text: str, now: float) -> list[Action]:
        """Text for an open context; what is over a limit ends it."""
        context.last_activity = now
        if context.first_text_at is None:
            context.first_text_at = now
        size = len(text) if text.isascii() else len(text.encode())
        too_long = self._offer.limits.text_too_long(size, context.ledger.text_bytes)
        if too_long is None:
            context.ledger.append(text, size)
            return [AppendText(context.handle, text)]
        failure = Failed(ErrorCode.TEXT_TOO_LONG, too_long)
        if self._contexts.head() is context and not context.paused:
            return self._fail(context, failure, now)
        context.failure = failure
        return [StopSpeaker(context.handle, "failed", failure.code), *self.on_failure(context, failure)]

    def flush(self, context: Context, flush_id: str | None, now: float) -> list[Action]:
        """Speak all there is; raises `InvalidMessageError` when too many flushes wait to be answered."""
        if context.pending_flushes >= MOST_PENDING_FLUSHES:
            raise InvalidMessageError(
                f"{MOST_PENDING_FLUSHES} flushes of context {context.context_id!r} wait to be answered, "
                "which is the limit"
            )
        context.pending_flushes += 1
        context.last_activity = now
        return [FlushSpeaker(context.handle, flush_id)]

    def end(self, context: Context) -> list[Action]:
        """No more text will come for an open context."""
        context.step(Step.END)
        return [EndSpeaker(context.handle)]

    def end_all(self) -> list[Action]:
        """No more text will come for any context."""
        ended = [context for context in self._contexts.live() if context.step(Step.END)]
        return [EndSpeaker(context.handle) for context in ended if context.failure is None]

    def cancel(self, context_id: str, played_ms: float | None, now: float) -> list[Action]:
        """Silence what bears an id, and tell what was heard of it."""
        latest = self._contexts.latest(context_id)
        if latest is None:
            return [replies.nothing_cancelled(context_id)]
        # An id may have been opened again while its former context is still heard: all of them fall silent.
        named = self._contexts.named(context_id)
        if silenced := self._silence(named, "cancelled", played_ms, now):
            return silenced
        if latest.cut is None:
            return self._stop(latest, "cancelled", cancel.cut(latest, self._playout, played_ms, now), now)
        return [replies.cancelled(latest, latest.cut)]

    def cancel_all(self, reason: CancelReason, played_ms: float | None, now: float) -> list[Action]:
        """Silence everything that is still to be spoken or heard, in order."""
        return self._silence(self._contexts.known(), reason, played_ms, now)

    def played(self, context_id: str, played_ms: float, now: float) -> None:
        """The listener says how much it has heard of what bears an id."""
        sent = [each for each in self._contexts.named(context_id) if each.sent and each.cut is None]
        if sent:
            meant = (each for each in sent if self._may_be_meant(each, played_ms, now))
            handle = next(meant, sent[-1]).handle
            self._playout.report(handle, played_ms, now)
            self.replay.heard(handle, self._playout.reported_ms(handle) or 0.0)

    def unheard_ms(self, now: float) -> float:
        """Sound that was sent and has not been heard."""
        return self._playout.lead_ms(now)

    def hold_track(self, is_held: bool, now: float) -> None:
        """The track takes nothing more, as it is full or nobody carries it; or it does."""
        head = self._contexts.head()
        if self._is_held and not is_held and head is not None:  # silent from now on, if it is
            head.last_activity = now
        self._is_held = is_held

    def on_track(self, context: Context, played_ms: float, now: float) -> None:
        """So much of it has left over the track: what has left is heard."""
        self._playout.report(context.handle, played_ms, now)

    def _may_be_meant(self, context: Context, played_ms: float, now: float) -> bool:
        """Whether a report may be about this context rather than about a later one of the same id."""
        reported_ms = self._playout.reported_ms(context.handle)
        if reported_ms is None:
            return self._playout.ends_at(context.handle, now) > now
        return reported_ms <= played_ms and reported_ms < context.sent / TIMELINE_PER_MS

    def pause(self, context_id: str, now: float) -> None:
        """Send nothing more of what bears an id, and let its listener stand still."""
        for context in self._contexts.named(context_id):
            context.paused = context.live
            self._playout.pause(context.handle, now)

    def is_paused(self, handle: int) -> bool:
        """Whether nothing of a context is to be sent, also of one that was sent to its end."""
        context = self._contexts.get(handle)
        return (context is not None and context.paused) or self._playout.is_paused(handle)

    def go_on(self, context_id: str, now: float) -> list[Action]:
        """What bears an id goes on from where it was paused."""
        return self._go_on(self._contexts.named(context_id), now)

    def go_on_all(self, now: float) -> list[Action]:
        """Everything goes on from where it was paused."""
        return self._go_on([each for each in self._contexts.known() if self.is_paused(each.handle)], now)

    def _go_on(self, contexts: list[Context], now: float) -> list[Action]:
        for context in contexts:
            context.paused = False
            context.last_activity = now
            self._playout.go_on(context.handle, now)
        head = self._contexts.head()
        if head is not None:  # what was paused may have held it up
            head.last_activity = now
        return self._give_turn(now)

    # -- what its speaker tells -------------------------------------------------------------------------

    def on_event(self, context: Context, event: SpeechEvent, now: float) -> list[Action]:
        """What the head's speaker made; it is sent at this moment."""
        context.last_activity = now
        if isinstance(event, Packet):
            return self._packet(context, event, now)
        if isinstance(event, SegmentStarted):
            return [replies.segment(context, event)]
        if isinstance(event, WordsTimed):
            context.ledger.timed(event.words)
            return [replies.words(context, event)] if context.settings.word_timestamps else []
        if isinstance(event, Flushed):
            context.pending_flushes -= 1
            return [Send(wire.FlushDone(context.context_id, context.handle, event.flush_id))]
        if isinstance(event, Finished):
            context.step(Step.FINISHED)
            self._retire(context, now)
            return [replies.done(context, "completed", event.timing, now), *self._give_turn(now)]
        if isinstance(event, Loading):
            return [replies.loading(context, event)]
        if isinstance(event, SegmentEnded):
            return []
        return self._fail(context, event, now)

    def on_failure(self, context: Context, failure: Failed) -> list[Action]:
        """A speaker failed, perhaps before its turn: the error overtakes, the ending keeps its order."""
        if context.failure_told:
            return []
        context.failure_told = True
        return [replies.failure(context, failure)]

    def dry_at(self, now: float) -> float:
        """When the listener will have heard all that was sent; infinite while one is paused."""
        return self._playout.dry_at(now)

    def played_ms(self, context: Context, now: float) -> float:
        """How much of a context was heard."""
        if context.cut is not None:
            return context.cut.played_ms
        return self._playout.position_ms(context.handle, now)

    # -- how far it may run ahead -----------------------------------------------------------------------

    def hold(self, context: Context) -> list[Action]:
        """There is more of it, which waits for the listener."""
        if self.credit.told == context.handle:
            return []
        self.credit.told = context.handle
        return [replies.flow(context, "paused")]

    def replenish(self, now: float) -> list[Action]:
        """Go on with what waited for the listener, if that is no longer far enough ahead."""
        if not self.credit.has_returned(now):
            return []
        told, self.credit.told = self.credit.told, None
        context = None if told is None else self._contexts.get(told)
        actions: list[Action] = []
        if context is not None and context.live and not context.failure_told:
            context.last_activity = now
            actions.append(replies.flow(context, "resumed"))
        # Also one that is paused: nobody else would tell its speaker that it may go on.
        head = self._contexts.head()
        return [*actions, Replenish(head.handle)] if head is not None else actions

    # -- its sockets ------------------------------------------------------------------------------------

    def resumed(self, now: float) -> None:
        """There is a socket again: whoever was silent for want of one is so from now on."""
        self._has_socket = True
        head = self._contexts.head()
        if head is not None:
            head.last_activity = now

    def lost(self) -> None:
        """There is none."""
        self._has_socket = False

    def known(self) -> list[Context]:
        """All contexts that are still known, oldest first."""
        return self._contexts.known()

    def send_again(self, last: dict[int, int], now: float) -> None:
        """Prepare to send again what comes after `last` (seq by handle). Raises `RealtimeError`."""
        for handle, seq in last.items():
            context = self._contexts.get(handle)
            sent = -1 if context is None or context.last_seq is None else context.last_seq
            if handle > self._contexts.last_handle or (context is not None and seq > sent):
                raise RealtimeError(
                    f"frame {seq} of handle {handle} cannot have been received: it was never sent",
                    ErrorCode.RESUME_FAILED,
                )
        for handle, received_ms in self.replay.again(last).items():
            self._playout.received(handle, received_ms, now)
        self.credit.look_anew()

    # -- time -------------------------------------------------------------------------------------------

    def next_deadline(self) -> float:
        """When `on_deadline` wants to be called; infinite when it does not."""
        silent = self._silent_head()
        deadlines = [self._contexts.next_forget(), silent[1] if silent else None, self.credit.returns_at]
        return min(deadline for deadline in deadlines if deadline is not None)

    def on_deadline(self, now: float) -> list[Action]:
        """Time has passed."""
        for context in self._contexts.due(now):
            keep_until = self._playout.expected_end(context.handle, now) + KEEP_S
            if context.cut is None and keep_until > now:  # its listener was slower than expected
                context.forget_at = keep_until
            else:
                self._contexts.forget(context)
                self._playout.forget(context.handle, now)
        self.replay.drop_old(now)
        silent = self._silent_head()
        return self.end(silent[0]) if silent is not None and silent[1] <= now else []

    def _silent_head(self) -> tuple[Context, float] | None:
        """The context that blocks others without having been ended, and when it will be."""
        live = self._contexts.live()
        if (
            not self._has_socket
            or self._is_held
            or self.credit.spent
            or self.replay.is_sending_again
            or len(live) < 2
        ):
            return None
        if live[0].state is not State.OPEN or live[0].paused or live[0].pending_flushes:
            return None
        silent_since = max(live[0].last_activity, live[1].opened_at)
        return live[0], silent_since + SILENT_HEAD_S

    # -- endings ----------------------------------------------------------------------------------------

    def on_packets(self, context: Context, packets: Sequence[Packet], now: float) -> list[bytes]:
        """As `on_event` for each, and all that it would have sent and kept: for there are many of them."""
        context.last_activity = now
        self._sent(context, packets, now)
        if context.settings.audio.track:  # which has them, and keeps what it has not sent
            return []
        kind, handle = self._offer.formats[context.settings.audio.format].kind, context.handle
        frames = [encode_frame(kind, handle, packet) for packet in packets]
        self.replay.keep_frames(frames, now)
        return frames

    def _packet(self, context: Context, packet: Packet, now: float) -> list[Action]:
        self._sent(context, (packet,), now)
        kind = self._offer.formats[context.settings.audio.format].kind
        return [SendFrame(kind, context.handle, packet)]

    def _sent(self, context: Context, packets: Sequence[Packet], now: float) -> None:
        if context.first_frame_at is None:
            context.first_frame_at = now
        before, last = context.sent, packets[-1]
        context.sent = last.position + last.duration
        context.last_seq = last.seq
        self._playout.sent(context.handle, context.sent / TIMELINE_PER_MS, now)
        self.credit.sent((context.sent - before) / TIMELINE_PER_MS, now)

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
        late: list[Action] = []
        if not speaks and cut.played_ms < context.sent / TIMELINE_PER_MS:
            late.append(Unheard(context.handle, cut.played_ms))
        context.step(Step.CANCEL)
        context.cut, context.cancel_reason = cut, reason
        self._playout.stop(context.handle, now)
        self.replay.silence(context.handle)
        self._retire(context, now)
        return [*stop, replies.cancelled(context, cut), *late, *self._give_turn(now)]

    def _fail(self, context: Context, failure: Failed, now: float) -> list[Action]:
        return [*self._end_as_failed(context, failure, now), *self._give_turn(now)]

    def _end_as_failed(self, context: Context, failure: Failed, now: float) -> list[Action]:
        context.step(Step.FAILED)
        stop: list[Action] = [] if context.failure else [StopSpeaker(context.handle, "failed", failure.code)]
        self._retire(context, now)
        told = self.on_failure(context, failure)
        return [*stop, *told, replies.done(context, "failed", failure.timing, now)]

    def _retire(self, context: Context, now: float) -> None:
        """It is over: it is kept until a while after it was heard, or was cancelled."""
        end = now if context.cut is not None else self._playout.expected_end(context.handle, now)
        for forgotten in self._contexts.retire(context, end + KEEP_S):
            self._playout.forget(forgotten.handle, now)
        self.credit.look_anew()

    def _give_turn(self, now: float) -> list[Action]:
        """A context is over: another may be the head now, to be silent from now on, or to end as failed."""
        actions: list[Action] = []
        while True:
            head = self._contexts.head()
            if head is not None and head is not self._turn:
                head.last_activity = now
            self._turn = head
            if head is None or head.failure is None or head.paused:
                return actions
            actions += self._end_as_failed(head, head.failure, now)
