"""What a session wants done, as values; `live.driver` carries them out in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from msgspec import Struct

from realtime.errors import RealtimeError
from realtime.session import frames
from realtime.session.messages import PlaybackState, ResumeRequest
from realtime.session.replay import Piece
from realtime.types import AudioSettings, Failed, Packet, SpeechEvent, VoiceSettings


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message: of realtime.v1, or of its one-shot form."""

    message: Struct


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Send a binary frame."""

    kind: frames.FrameKind
    handle: int
    packet: Packet


@dataclass(frozen=True, slots=True)
class SendPayload:
    """Send a binary frame that is nothing but this."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class OpenSpeaker:
    """Make the speaker of a new context."""

    handle: int
    context_id: str
    settings: VoiceSettings
    audio: AudioSettings


@dataclass(frozen=True, slots=True)
class AppendText:
    """Give text to a speaker."""

    handle: int
    text: str


@dataclass(frozen=True, slots=True)
class FlushSpeaker:
    """Have a speaker speak all it has."""

    handle: int
    flush_id: str | None


@dataclass(frozen=True, slots=True)
class EndSpeaker:
    """Tell a speaker that there is no more text."""

    handle: int


@dataclass(frozen=True, slots=True)
class StopSpeaker:
    """Stop a speaker and drop all its sound, now. `code` is one of `errors.ErrorCode` when it has failed."""

    handle: int
    reason: Literal["cancelled", "failed"] = "cancelled"
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Unheard:
    """A context that had been sent to its end was cancelled: what comes after `played_ms` is not heard."""

    handle: int
    played_ms: float


@dataclass(frozen=True, slots=True)
class Replenish:
    """The listener may be sent more sound: this speaker, the head's, may go on."""

    handle: int


@dataclass(frozen=True, slots=True)
class Resume:
    """The first message asks for a session that has lost its socket."""

    request: ResumeRequest


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket, after what was to be sent before; `at_once`: after answers alone."""

    code: int
    reason: str
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Become:
    """The first message chose another form: `machine` runs the session from now on."""

    machine: Machine


Action = (
    Send
    | SendFrame
    | SendPayload
    | OpenSpeaker
    | AppendText
    | FlushSpeaker
    | EndSpeaker
    | StopSpeaker
    | Unheard
    | Replenish
    | Resume
    | Close
    | Become
)


class Tracked(Protocol):
    """What a session knows of the track that its sound goes over, if it does; as `track.TrackSide`."""

    #: Whether it does.
    is_used: bool

    @property
    def token(self) -> str:
        """What ties a peer connection to the session; empty where sound goes over no track."""
        ...

    def is_paused(self, handle: int) -> bool:
        """Whether nothing of a context is to be heard now."""
        ...

    def holds(self, is_carried: bool, has_room: bool, now: float) -> None:
        """Whether somebody carries it, and more may be put into it."""
        ...

    def on_position(self, handle: int, played_ms: float, now: float) -> None:
        """So much of a context has left."""
        ...

    def on_state(self, handle: int, state: PlaybackState, played_ms: float, now: float) -> list[Action]:
        """As `on_position`, at a moment of which the client is told."""
        ...

    def on_connected(self, connected: bool, now: float) -> list[Action]:
        """A peer connection takes the sound from now on, or none does."""
        ...


class Machine(Protocol):
    """What runs a session, without I/O and without a clock: `Session`, or `OneShot`.

    Every method is given the present in monotonic seconds, and returns what is to be done.
    """

    @property
    def track(self) -> Tracked:
        """What it knows of its track."""
        ...

    def on_heard(self, now: float) -> list[Action]:
        """Nothing waits in the track."""
        ...

    def receive(self, frame: str | bytes, now: float) -> list[Action]:
        """A frame of the client."""
        ...

    def on_event(self, handle: int, event: SpeechEvent, now: float) -> list[Action]:
        """What the head's speaker made; it is sent at this moment."""
        ...

    def on_packets(self, handle: int, packets: Sequence[Packet], now: float) -> list[bytes]:
        """Some of the head's sound, in a row: what is sent of it at this moment, frame by frame."""
        ...

    def on_failure(self, handle: int, failure: Failed, now: float) -> list[Action]:
        """A speaker failed, perhaps before its turn; `on_event` brings the same failure in its turn."""
        ...

    def next_deadline(self) -> float:
        """When `on_deadline` wants to be called, in monotonic seconds."""
        ...

    def on_deadline(self, now: float) -> list[Action]:
        """Time has passed."""
        ...

    def drain(self, drain_ms: int, now: float) -> list[Action]:
        """The server is going away: finish what is running, within `drain_ms`, and close."""
        ...

    def shut_down(self) -> list[Action]:
        """The server is going away, now."""
        ...

    def broken(self) -> list[Action]:
        """A mistake inside the server ends the session."""
        ...

    def head(self) -> int | None:
        """Handle of the context whose sound may be sent now."""
        ...

    def dry_at(self, handle: int, now: float) -> float:
        """When the listener will have heard all that was sent, in seconds; infinite while paused."""
        ...

    def unheard_s(self, now: float) -> float:
        """How long the listener still plays what was sent; infinite while it is paused."""
        ...

    def has_moved(self) -> bool:
        """Whether the client has told where the listener is since this was last asked."""
        ...

    def played_ms(self, handle: int, now: float) -> float:
        """How much of a context was heard."""
        ...

    def sent_ms(self, handle: int) -> float:
        """How much of it was sent."""
        ...

    # -- how far it may run ahead -----------------------------------------------------------------------

    def credit_ms(self, now: float) -> float:
        """Sound that may still be sent; infinite: no limit; 0: the listener is far enough ahead."""
        ...

    def must_wait(self, now: float) -> bool:
        """Whether no more sound may be sent."""
        ...

    def hold(self, handle: int, now: float) -> list[Action]:
        """There is more of `handle`, which waits for the listener."""
        ...

    # -- its sockets ------------------------------------------------------------------------------------

    @property
    def ready_number(self) -> int:
        """How many `session.ready` there were."""
        ...

    def keep(self, piece: Piece, now: float, follows: int | None = None) -> None:
        """A frame, or the text of a message about a context, goes out: it may have to be sent again."""
        ...

    def follow(self, text: str, handle: int) -> bool:
        """Send a message behind what is being sent again; False when nothing is."""
        ...

    def next_again(self) -> Piece | None:
        """What is to be sent again now, None when there is nothing."""
        ...

    def resume(self, request: ResumeRequest, now: float) -> list[Action]:
        """A new socket asks for this session, and has it from now on.

        Raises `RealtimeError`, and nothing has changed then.
        """
        ...

    def resume_failed(self, error: RealtimeError, now: float) -> list[Action]:
        """The session that the first message asked for is not to be had: this one serves."""
        ...

    def lost(self, now: float) -> bool:
        """The socket is gone; whether a new one is waited for."""
        ...

    def received(self, ready_number: int) -> None:
        """The client has received so many `session.ready`."""
        ...

    def too_fast(self, per_s: int, retry_after_ms: int) -> list[Action]:
        """Messages come faster than they are read."""
        ...

    def text(self, handle: int) -> str:
        """All that the client sent for a context; empty when it is not known any more."""
        ...
