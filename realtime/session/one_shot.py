"""The one-shot form: an input, its sound as raw PCM, a word that it is done; then the next input.

The rules:
1. A first message without `type` but with `input` chooses it, and the socket stays in it.
2. Every message is answered by exactly one event, in the order of the messages: inputs are spoken one after
   another. Only when `Limits.contexts` of them wait, one more is refused at once.
3. Sound is signed 16-bit little-endian PCM at 24 kHz in binary frames without a header.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from realtime.errors import INTERNAL_MESSAGE, CloseCode, ErrorCode, InvalidMessageError, RealtimeError
from realtime.session.actions import (
    Action,
    AppendText,
    Close,
    EndSpeaker,
    OpenSpeaker,
    Send,
    SendPayload,
    StopSpeaker,
)
from realtime.session.messages import (
    ContextOpen,
    Name,
    ResumeRequest,
    SessionStart,
    decode_as,
)
from realtime.session.offer import Offer, SessionSettings
from realtime.session.replay import Piece
from realtime.session.track import TrackSide
from realtime.session.turns import Turns
from realtime.types import AudioSettings, Failed, Finished, Packet, SpeechEvent, VoiceSettings

_PCM = "pcm_s16le"
_SAMPLE_RATE = 24_000


class Input(Struct, frozen=True):
    """What is to be said."""

    input: str
    voice: Name | UnsetType = UNSET
    language: Name | UnsetType = UNSET
    speed: Annotated[float, Meta(ge=0.25, le=4)] | UnsetType = UNSET
    instruct: str | UnsetType = UNSET


class Done(Struct, frozen=True, tag_field="event", tag="done"):
    """All sound of an input has been sent."""


class ErrorEvent(Struct, frozen=True, tag_field="event", tag="error"):
    """An input was not spoken, or not to its end."""

    detail: str


class _FirstFields(Struct):
    input: msgspec.Raw
    type: msgspec.Raw | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class _Utterance:
    text: str
    voice: VoiceSettings
    audio: AudioSettings


def is_chosen_by(frame: str) -> bool:
    """Whether a first message asks for this form."""
    try:
        return msgspec.json.decode(frame, type=_FirstFields).type is UNSET
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False


class OneShot:
    """A `Machine` for the one-shot form."""

    def __init__(self, offer: Offer, now: float) -> None:
        """`offer`: voices, formats and limits."""
        self._offer = offer
        self._last_activity = now
        self._waiting: deque[_Utterance | ErrorEvent] = deque()
        self._handle = 0
        self._speaks = False
        self._texts: deque[tuple[int, str]] = deque(maxlen=2)  # of what is spoken, and what was before it
        self._closed = False
        self._draining = False
        self.track = TrackSide(Turns(offer), "", str, is_used=False)  # frames are all that it is for

    def receive(self, frame: str | bytes, now: float) -> list[Action]:
        """An input, or what is not one."""
        self._last_activity = now
        if self._closed:
            return []
        if len(self._waiting) >= self._offer.limits.contexts:
            return [Send(ErrorEvent(f"{len(self._waiting)} inputs wait already, which is the limit"))]
        try:
            if self._draining:
                raise InvalidMessageError("the server is shutting down")
            self._waiting.append(self._utterance(frame))
        except RealtimeError as error:
            self._waiting.append(ErrorEvent(error.message))
        return self._next()

    def on_event(self, handle: int, event: SpeechEvent, now: float) -> list[Action]:
        """What the speaker made; it is sent at this moment."""
        self._last_activity = now
        if not self._speaks or handle != self._handle:
            return []
        if isinstance(event, Packet):
            return [SendPayload(event.payload)] if event.payload else []
        if isinstance(event, Finished):
            self._speaks = False
            return [Send(Done()), *self._next(), *self._close_if_drained()]
        if isinstance(event, Failed):
            self._speaks = False
            stop = StopSpeaker(handle, "failed", event.code)
            failed = Send(ErrorEvent(event.message))
            return [stop, failed, *self._next(), *self._close_if_drained()]
        return []

    def on_packets(self, handle: int, packets: Sequence[Packet], now: float) -> list[bytes]:
        """Some of the sound, in a row: it has no headers."""
        self._last_activity = now
        is_wanted = self._speaks and handle == self._handle
        return [packet.payload for packet in packets if packet.payload] if is_wanted else []

    def on_failure(self, handle: int, failure: Failed, now: float) -> list[Action]:
        """It is told in its turn, by `on_event`."""
        return []

    def next_deadline(self) -> float:
        """When the session has been idle for too long."""
        return self._last_activity + self._offer.limits.idle_s

    def on_deadline(self, now: float) -> list[Action]:
        """Time has passed."""
        if self.next_deadline() > now or self._closed:
            return []
        return self._close(CloseCode.DONE, "idle")

    def drain(self, drain_ms: int, now: float) -> list[Action]:
        """The server is going away: what has come is spoken, then it closes."""
        self._draining = True
        return self._close_if_drained()

    def shut_down(self) -> list[Action]:
        """The server is going away, now."""
        return [] if self._closed else self._close(CloseCode.GOING_AWAY, "going away", at_once=True)

    def broken(self) -> list[Action]:
        """A mistake inside the server ends the session."""
        return [
            Send(ErrorEvent(INTERNAL_MESSAGE)),
            *self._close(CloseCode.INTERNAL, "internal error", at_once=True),
        ]

    def head(self) -> int | None:
        """Handle of the input that is spoken now."""
        return self._handle if self._speaks else None

    def dry_at(self, handle: int, now: float) -> float:
        """At once: an input is complete when it comes, so nobody waits for more of it."""
        return now

    def unheard_s(self, now: float) -> float:
        """Not known: who takes it as it plays is held back by the connection."""
        return 0.0

    def has_moved(self) -> bool:
        """Nobody tells."""
        return False

    def played_ms(self, handle: int, now: float) -> float:
        """Nobody tells: as if nothing was."""
        return 0.0

    def on_heard(self, now: float) -> list[Action]:
        """There is no track."""
        return []

    def sent_ms(self, handle: int) -> float:
        """See `played_ms`."""
        return 0.0

    def credit_ms(self, now: float) -> float:
        """No limit but that of the socket."""
        return inf

    def must_wait(self, now: float) -> bool:
        """See `credit_ms`."""
        return False

    def hold(self, handle: int, now: float) -> list[Action]:
        """It never has to wait."""
        return []

    def too_fast(self, per_s: int, retry_after_ms: int) -> list[Action]:
        """There is no event for it: inputs are read more slowly, that is all."""
        return []

    @property
    def ready_number(self) -> int:
        """There are none in this form."""
        return 0

    def keep(self, piece: Piece, now: float, follows: int | None = None) -> None:
        """Nothing is sent again in this form."""

    def follow(self, text: str, handle: int) -> bool:
        """See `keep`."""
        return False

    def next_again(self) -> Piece | None:
        """Nothing."""
        return None

    def resume(self, request: ResumeRequest, now: float) -> list[Action]:
        """This form has no tokens."""
        raise RealtimeError("this form of a session cannot be resumed", ErrorCode.RESUME_FAILED)

    def resume_failed(self, error: RealtimeError, now: float) -> list[Action]:
        """It never asks for another session."""
        return []

    def lost(self, now: float) -> bool:
        """Without it, it is over."""
        return False

    def received(self, ready_number: int) -> None:
        """There are none in this form."""

    def text(self, handle: int) -> str:
        """The input that is spoken, or was spoken before it; empty for others."""
        return dict(self._texts).get(handle, "")

    def _close_if_drained(self) -> list[Action]:
        if not self._draining or self._speaks or self._waiting or self._closed:
            return []
        return self._close(CloseCode.GOING_AWAY, "going away")

    def _close(self, code: int, reason: str, *, at_once: bool = False) -> list[Action]:
        self._closed = True
        return [Close(code, reason, at_once)]

    def _utterance(self, frame: str | bytes) -> _Utterance:
        if isinstance(frame, bytes):
            raise InvalidMessageError("binary frames are not taken; send JSON text frames")
        if not is_chosen_by(frame):
            raise InvalidMessageError(
                "this socket takes inputs only: JSON objects with `input` and without `type`"
            )
        request: Input = decode_as(frame, Input)
        too_long = self._offer.limits.text_too_long(len(request.input.encode()), 0)
        if too_long is not None:
            raise InvalidMessageError(too_long)
        session = self._offer.session_settings(
            SessionStart(formats=[_PCM], sample_rate=_SAMPLE_RATE), SessionSettings(_PCM)
        )
        settings = self._offer.context_settings(
            ContextOpen(
                voice=request.voice, language=request.language, speed=request.speed, instruct=request.instruct
            ),
            session,
        )
        return _Utterance(request.input, settings.voice, settings.audio)

    def _next(self) -> list[Action]:
        """Answer what needs no sound, and begin to speak the next input."""
        actions: list[Action] = []
        while not self._speaks and self._waiting:
            following = self._waiting.popleft()
            if isinstance(following, ErrorEvent):
                actions.append(Send(following))
                continue
            self._speaks = True
            self._handle += 1
            self._texts.append((self._handle, following.text))
            actions += self._begin(following)
        return actions

    def _begin(self, utterance: _Utterance) -> Sequence[Action]:
        return (
            OpenSpeaker(self._handle, f"input-{self._handle}", utterance.voice, utterance.audio),
            AppendText(self._handle, utterance.text),
            EndSpeaker(self._handle),
        )
