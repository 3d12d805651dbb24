"""What a session wants done, as values; `live.driver` carries them out in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from msgspec import Struct

from realtime.session import frames
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
class Close:
    """Close the socket, after what was to be sent before."""

    code: int
    reason: str


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
    | Close
    | Become
)


class Machine(Protocol):
    """What runs a session, without I/O and without a clock: `Session`, or `OneShot`.

    Every method is given the present in monotonic seconds, and returns what is to be done.
    """

    def receive(self, frame: str | bytes, now: float) -> list[Action]:
        """A frame of the client."""
        ...

    def on_event(self, handle: int, event: SpeechEvent, now: float) -> list[Action]:
        """What the head's speaker made; it is sent at this moment."""
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

    def shut_down(self) -> list[Action]:
        """The server is going away."""
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

    def text(self, handle: int) -> str:
        """All that the client sent for a context; empty when it is not known any more."""
        ...
