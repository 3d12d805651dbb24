"""The state machine of realtime.v1. No I/O, no clock: messages and times in, actions out.

The rules:
1. `session.ready` answers the first message that is valid, and every `session.update`. `session.start` may
   only be the first. A first message without `type` but with `input` chooses the one-shot form (`one_shot`).
2. An error in a message changes nothing. A failure of an utterance ends its context, never the socket.
3. The first `text` of an id opens a context; so does `text` after `end`. After a cancel or a failure only
   `context.open` does, and late text is dropped with one `context_closed`.
4. What becomes of contexts then, their order and their endings, is in `turns`.
5. Where sound goes over a track (WebRTC) is in `track`.
6. A session outlives its socket (`sockets`). While there is none, nothing is taken from the speakers. What
   went out is in `replay`.

States of the session: new --first message--> ready --close--> draining --all contexts over--> closed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum, auto
from math import inf

from msgspec import UNSET, Struct, UnsetType

from realtime.errors import ERRORS, INTERNAL_MESSAGE, CloseCode, ErrorCode, InvalidMessageError, RealtimeError
from realtime.session import messages as wire
from realtime.session import one_shot, replies
from realtime.session.actions import Action, Become, Close, Resume, Send
from realtime.session.contexts import Context, State
from realtime.session.offer import NoFormatError, Offer, SessionSettings, check_context_id
from realtime.session.replay import Piece
from realtime.session.sockets import Sockets
from realtime.session.track import TrackSide
from realtime.session.turns import Turns
from realtime.types import TIMELINE_PER_MS, Failed, Packet, SpeechEvent

#: A session that is to be closed waits so long for somebody to carry the sound that is left.
UNCARRIED_S = 15.0


class _Phase(Enum):
    NEW = auto()
    READY = auto()
    DRAINING = auto()
    CLOSED = auto()


class Session:
    """One session; every method takes the present in monotonic seconds and returns what is to be done."""

    def __init__(
        self,
        session_id: str,
        new_token: Callable[[], str],
        offer: Offer,
        now: float,
        *,
        data_channel: bool = False,
    ) -> None:
        """`session_id` is told to the client; each `session.ready` bears a resume token from `new_token`.

        `data_channel`: its messages go over one, where there are no binary frames: sound goes over the track.
        """
        self.session_id = session_id
        self._data_channel = data_channel
        self._sockets = Sockets(new_token, offer.limits.resume_window_s)
        self._offer = offer
        self._phase = _Phase.NEW
        self._turns = Turns(offer)
        self.track = TrackSide(self._turns, session_id, new_token, is_used=data_channel)
        self._settings = replace(offer.defaults, audio="rtc") if data_channel else offer.defaults
        self._last_activity = now
        self._has_moved = False
        self._closes_with = CloseCode.DONE
        self._asked: wire.SessionStart | None = None  # with a resume, which is being tried
        self._receivers: dict[type[Struct], Callable[..., list[Action]]] = {
            wire.SessionStart: self._start,
            wire.SessionUpdate: self._update,
            wire.ContextOpen: self._open,
            wire.Text: self._text,
            wire.Flush: self._flush,
            wire.End: self._end,
            wire.Cancel: self._cancel,
            wire.Playback: self._playback,
            wire.Pause: self._pause,
            wire.Continue: self._continue,
            wire.Ping: self._ping,
            wire.SessionClose: self._close,
        }

    # -- what comes in ----------------------------------------------------------------------------------

    def receive(self, frame: str | bytes, now: float) -> list[Action]:
        """A frame of the client."""
        self._last_activity = now
        if self._phase is _Phase.CLOSED:
            return []
        if self._phase is _Phase.NEW and self._chooses_one_shot(frame):
            self._phase = _Phase.CLOSED
            machine = one_shot.OneShot(self._offer, now)
            return [Become(machine), *machine.receive(frame, now)]
        before = self._phase
        context_id: str | UnsetType = UNSET
        try:
            if isinstance(frame, bytes):
                raise InvalidMessageError("binary frames are not taken; send JSON text frames")
            message = wire.decode_client(frame)
            context_id = getattr(message, "context_id", UNSET)
            actions: list[Action] = []
            if self._phase is _Phase.NEW and not isinstance(message, wire.SessionStart):
                actions.append(self._ready())
            actions += self._receivers[type(message)](message, now)
            actions += self._turns.replenish(now)
        except NoFormatError as error:
            return self._no_format(error)
        except RealtimeError as error:
            self._phase = before  # what was refused has not begun the session either
            self._sockets.may_resume &= before is not _Phase.NEW
            return [replies.refusal(error, context_id)]
        return actions + self._close_if_drained(now)

    def _chooses_one_shot(self, frame: str | bytes) -> bool:
        return isinstance(frame, str) and not self._data_channel and one_shot.is_chosen_by(frame)

    def on_event(self, handle: int, event: SpeechEvent, now: float) -> list[Action]:
        """What the head's speaker made; it is sent at this moment."""
        context = self._turns.get(handle)
        if context is None or not context.live:
            return []
        self._last_activity = now
        return self._turns.on_event(context, event, now) + self._close_if_drained(now)

    def on_packets(self, handle: int, packets: Sequence[Packet], now: float) -> list[bytes]:
        """Some of the head's sound, in a row: the frames that are sent at this moment, and are kept."""
        context = self._turns.get(handle)
        if context is None or not context.live:
            return []
        self._last_activity = now
        return self._turns.on_packets(context, packets, now)

    def on_failure(self, handle: int, failure: Failed, now: float) -> list[Action]:
        """A speaker failed, perhaps before its turn: the error overtakes, the ending keeps its order."""
        context = self._turns.get(handle)
        if context is None or not context.live:
            return []
        self._last_activity = now
        return self._turns.on_failure(context, failure)

    def next_deadline(self) -> float:
        """When `on_deadline` wants to be called, in monotonic seconds."""
        return min(self._ends_at(), self._turns.next_deadline())

    def on_deadline(self, now: float) -> list[Action]:
        """Time has passed."""
        actions = self._turns.on_deadline(now) + self._turns.replenish(now)
        if self._ends_at() > now:
            return actions
        if self._is_uncarried:
            return [*actions, *self._over(Close(self._closes_with, "nobody hears it"))]
        told = [] if self._phase is _Phase.CLOSED else [Send(wire.SessionClosing("idle", 0))]
        return [*actions, *told, *self._over(Close(CloseCode.DONE, "idle"))]

    def _ends_at(self) -> float:
        """When the session is over if nothing happens."""
        if self._sockets.is_lost:
            return self._sockets.waits_until
        if self._phase is _Phase.CLOSED:
            return inf
        wait_s = UNCARRIED_S if self._is_uncarried else self._offer.limits.idle_s
        return max(self._last_activity, self.track.last_activity) + wait_s

    @property
    def _is_uncarried(self) -> bool:
        """Whether all that is still to come is sound that nobody carries."""
        ends = self._phase is _Phase.DRAINING and self._turns.head() is None
        return ends and self.track.is_used and not self.track.is_carried

    def on_heard(self, now: float) -> list[Action]:
        """Nothing waits in the track."""
        return self._close_if_drained(now)

    def _over(self, close: Close) -> list[Action]:
        """It is over, and is not resumed any more."""
        self._phase = _Phase.CLOSED
        self._sockets.end()
        return [close]

    def drain(self, drain_ms: int, now: float) -> list[Action]:
        """The server is going away: finish the contexts that are open, open no more, and close."""
        self._sockets.end()
        if self._phase is _Phase.CLOSED:
            return []
        self._phase, self._closes_with = _Phase.DRAINING, CloseCode.GOING_AWAY
        return [Send(wire.SessionClosing("shutdown", drain_ms)), *self._close_if_drained(now)]

    def shut_down(self) -> list[Action]:
        """The server is going away, now."""
        self._sockets.end()
        if self._phase is _Phase.CLOSED:
            return []
        told: list[Action] = [Send(wire.SessionClosing("shutdown", 0))]
        if self._closes_with == CloseCode.GOING_AWAY:
            told.clear()  # it was told before
        return [*told, *self._over(Close(CloseCode.GOING_AWAY, "going away", at_once=True))]

    def broken(self) -> list[Action]:
        """A mistake inside the server ends the session."""
        error = wire.Error(ErrorCode.INTERNAL, INTERNAL_MESSAGE, fatal=True)
        return [Send(error), *self._over(Close(CloseCode.INTERNAL, "internal error", at_once=True))]

    def head(self) -> int | None:
        """Handle of the context whose sound may be sent now: when all was sent again that has to be."""
        head = self._turns.head()
        if head is None or head.paused or self._turns.replay.is_sending_again:
            return None
        return head.handle

    def dry_at(self, handle: int, now: float) -> float:
        """When the listener will have heard all that was sent, in seconds; infinite while paused."""
        context = self._turns.get(handle)
        return inf if context is None or context.paused else self._turns.dry_at(now)

    def unheard_s(self, now: float) -> float:
        """How long the listener still plays what was sent; infinite while it is paused."""
        return self._turns.dry_at(now) - now

    def has_moved(self) -> bool:
        """Whether the client has told where the listener is since this was last asked."""
        has_moved, self._has_moved = self._has_moved, False
        return has_moved

    def played_ms(self, handle: int, now: float) -> float:
        """How much of a context was heard; 0 when it is not known any more."""
        context = self._turns.get(handle)
        return self._turns.played_ms(context, now) if context else 0.0

    def sent_ms(self, handle: int) -> float:
        """How much of it was sent; 0 when it is not known any more."""
        context = self._turns.get(handle)
        return context.sent / TIMELINE_PER_MS if context else 0.0

    # -- how far it may run ahead -----------------------------------------------------------------------

    def credit_ms(self, now: float) -> float:
        """Sound that may still be sent; infinite: no limit; 0: the listener is far enough ahead."""
        return self._turns.credit.left_ms(now)

    def must_wait(self, now: float) -> bool:
        """Whether no more sound may be sent: what is asked before every frame."""
        return self._turns.credit.is_spent(now)

    def hold(self, handle: int, now: float) -> list[Action]:
        """There is more of `handle`, which waits for the listener."""
        context = self._turns.get(handle)
        return [] if context is None or not context.live else self._turns.hold(context)

    def too_fast(self, per_s: int, retry_after_ms: int) -> list[Action]:
        """Messages come faster than they are read."""
        return [] if self._phase is _Phase.CLOSED else [replies.too_fast(per_s, retry_after_ms)]

    # -- its sockets ------------------------------------------------------------------------------------

    def keep(self, piece: Piece, now: float, follows: int | None = None) -> None:
        """A frame, or the text of a message about a context, goes out: it may have to be sent again."""
        self._turns.replay.keep(piece, now, follows)

    def follow(self, text: str, handle: int) -> bool:
        """Send a message behind what is being sent again; False when nothing is."""
        return self._turns.replay.follow(text, handle)

    def next_again(self) -> Piece | None:
        """What is to be sent again now, None when there is nothing, or what comes next is paused."""
        return self._turns.replay.next_again(self._turns.is_paused)

    def resume(self, request: wire.ResumeRequest, now: float) -> list[Action]:
        """A new socket asks for this session, and has it from now on.

        Raises `RealtimeError` for a wrong token, or when not all that was not received is there; then nothing
        has changed.
        """
        self._sockets.check(request.token)
        self._turns.send_again({int(handle): seq for handle, seq in request.last.items()}, now)
        self._sockets.resumed(request.token)
        self._turns.resumed(now)
        self._last_activity = now
        token = self._sockets.tokens.new()
        ready = replies.ready(
            self.session_id, token, self._offer, self._settings, self._turns.known(), self.track.token
        )
        return [ready, *self.track.again(now)]

    def resume_failed(self, error: RealtimeError, now: float) -> list[Action]:
        """The session that the first message asked for is not to be had: this one serves, as it wished."""
        asked, self._asked = self._asked, None
        if asked is None or self._phase is not _Phase.NEW:
            return []
        self._last_activity = now
        told = replies.refusal(error)
        try:
            self._settings = self._wished(asked, now)
        except NoFormatError as no_format:
            return [told, *self._no_format(no_format)]
        except RealtimeError as wrong:
            return [told, replies.refusal(wrong)]
        return [told, self._ready()]

    def lost(self, now: float) -> bool:
        """The socket is gone; whether a new one is waited for."""
        self._turns.lost()
        return self._sockets.lost(now)

    def received(self, ready_number: int) -> None:
        """The client has received so many `session.ready`: the tokens before count no more."""
        self._sockets.tokens.received(ready_number)

    @property
    def ready_number(self) -> int:
        """How many `session.ready` there were."""
        return self._sockets.tokens.count

    def text(self, handle: int) -> str:
        """All that the client sent for a context; empty when it is not known any more."""
        context = self._turns.get(handle)
        return context.ledger.text() if context else ""

    # -- messages about the session ---------------------------------------------------------------------

    def _start(self, message: wire.SessionStart, now: float) -> list[Action]:
        if self._phase is not _Phase.NEW:
            raise InvalidMessageError("session.start may only be the first message")
        if not isinstance(message.resume, UnsetType):
            self._asked = message  # its wishes count when the resume fails
            return [Resume(message.resume)]
        self._settings = self._wished(message, now)
        return [self._ready()]

    def _wished(self, message: wire.SessionStart, now: float) -> SessionSettings:
        if self._data_channel and message.audio == "frames":
            raise InvalidMessageError("a data channel carries no frames: sound goes over the track (`rtc`)")
        settings = self._offer.session_settings(message, self._settings)
        self.track.is_used = settings.audio == "rtc"
        self.track.holds(self.track.is_carried, True, now)
        return settings

    def _update(self, message: wire.SessionUpdate, now: float) -> list[Action]:
        self._settings = self._offer.session_settings(message, self._settings)
        return [self._ready()]

    def _ready(self) -> Action:
        if self._phase is _Phase.NEW:
            self._phase, self._sockets.may_resume = _Phase.READY, True
        self._turns.credit.max_lead_ms = self._settings.max_lead_ms
        return replies.ready(
            self.session_id,
            self._sockets.tokens.new(),
            self._offer,
            self._settings,
            rtc_token=self.track.token,
        )

    def _ping(self, message: wire.Ping, now: float) -> list[Action]:
        return [Send(wire.Pong(message.t))]

    def _close(self, message: wire.SessionClose, now: float) -> list[Action]:
        self._phase, self._closes_with = _Phase.DRAINING, CloseCode.DONE
        if not message.drain:
            return self._turns.cancel_all("cancelled", None, now)
        # Who is paused goes on: after this message nobody might ever tell it to.
        return [*self._turns.go_on_all(now), *self._turns.end_all()]

    def _close_if_drained(self, now: float) -> list[Action]:
        if self._phase is not _Phase.DRAINING or self._turns.head() is not None:
            return []
        if self.track.is_used and self._turns.unheard_ms(now) > 0:  # what has not left can still be cancelled
            return []
        # It may be resumed all the same when its client closes it: not all may have come to that.
        self._phase = _Phase.CLOSED
        return [Close(self._closes_with, "done" if self._closes_with == CloseCode.DONE else "going away")]

    def _no_format(self, error: NoFormatError) -> list[Action]:
        fatal = wire.Error(error.code, error.message, fatal=True)
        return [Send(fatal), *self._over(Close(ERRORS[error.code].close_code, "no known format"))]

    # -- messages about a context -----------------------------------------------------------------------

    def _open(self, message: wire.ContextOpen, now: float) -> list[Action]:
        check_context_id(message.context_id)
        self._check_ready()
        latest = self._turns.latest(message.context_id)
        if latest is not None and latest.takes_text and message.on_conflict == "queue":
            raise InvalidMessageError(f"context {message.context_id!r} is open already; `end` it first")
        settings = self._offer.context_settings(message, self._settings)
        preempts = message.on_conflict == "preempt"
        silenced = self._turns.cancel_all("preempted", None, now) if preempts else []
        return silenced + self._turns.open(message.context_id, settings, now)[1]

    def _text(self, message: wire.Text, now: float) -> list[Action]:
        check_context_id(message.context_id)
        context = self._turns.latest(message.context_id)
        actions: list[Action] = []
        if context is not None and context.closed_to_text:
            return self._late(context)
        if not message.text and context is not None and context.takes_text:
            return []
        if context is None or context.state is not State.OPEN:
            self._check_ready()
            settings = self._offer.context_settings(wire.ContextOpen(message.context_id), self._settings)
            context, actions = self._turns.open(message.context_id, settings, now)
        return actions + self._turns.append(context, message.text, now)

    def _flush(self, message: wire.Flush, now: float) -> list[Action]:
        context = self._open_one(message.context_id)
        if context.closed_to_text:
            return self._late(context)
        return self._turns.flush(context, message.flush_id, now)

    def _end(self, message: wire.End, now: float) -> list[Action]:
        context = self._open_one(message.context_id)
        return self._late(context) if context.closed_to_text else self._turns.end(context)

    def _cancel(self, message: wire.Cancel, now: float) -> list[Action]:
        # What has left over a track is known here, and nothing else was heard.
        played_ms = None if self.track.is_used else message.played_ms
        if message.context_id != wire.ALL_CONTEXTS:
            return self._turns.cancel(message.context_id, played_ms, now)
        every = self._turns.cancel_all("cancelled", played_ms, now)
        return [*every, replies.nothing_cancelled(wire.ALL_CONTEXTS)]

    def _playback(self, message: wire.Playback, now: float) -> list[Action]:
        check_context_id(message.context_id)
        if self.track.is_used:  # what has left over it is known here, and to the sample
            return []
        self._turns.played(message.context_id, message.played_ms, now)
        self._has_moved = True
        return []

    def _pause(self, message: wire.Pause, now: float) -> list[Action]:
        self._check_known(message.context_id)
        self._turns.pause(message.context_id, now)
        self._has_moved = True
        return []

    def _continue(self, message: wire.Continue, now: float) -> list[Action]:
        self._check_known(message.context_id)
        self._has_moved = True
        return self._turns.go_on(message.context_id, now)

    def _open_one(self, context_id: str) -> Context:
        """The context of an id that is open, or closed to text; others raise `InvalidMessageError`."""
        check_context_id(context_id)
        context = self._turns.latest(context_id)
        if context is not None and (context.closed_to_text or context.takes_text):
            return context
        raise InvalidMessageError(f"context {context_id!r} is not open", ErrorCode.CONTEXT_CLOSED)

    def _check_known(self, context_id: str) -> None:
        """Raises `InvalidMessageError` when nothing of an id is still to be spoken or may still be heard."""
        check_context_id(context_id)
        context = self._turns.latest(context_id)
        if context is None or context.state is State.CANCELLED:
            raise InvalidMessageError(f"context {context_id!r} is not open", ErrorCode.CONTEXT_CLOSED)

    def _late(self, context: Context) -> list[Action]:
        if context.warned_closed:
            return []
        context.warned_closed = True
        how = "cancelled" if context.state is State.CANCELLED else "ended by a failure"
        text = f"context {context.context_id!r} was {how}: its late text is dropped until `context.open`"
        return [replies.failure(context, Failed(ErrorCode.CONTEXT_CLOSED, text))]

    def _check_ready(self) -> None:
        if self._phase is not _Phase.READY:
            raise InvalidMessageError(
                "the session is closing; no context may be opened", ErrorCode.CONTEXT_CLOSED
            )
