"""What a session wants done, as values; `live.driver` carries them out in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from realtime.session import frames
from realtime.session import messages as wire
from realtime.types import AudioSettings, Packet, VoiceSettings


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message."""

    message: wire.ServerMessage


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Send a binary frame."""

    kind: frames.FrameKind
    handle: int
    packet: Packet


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
    """Stop a speaker and drop all its sound, now."""

    handle: int
    reason: Literal["cancelled", "failed"] = "cancelled"


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket, after what was to be sent before."""

    code: int
    reason: str


Action = Send | SendFrame | OpenSpeaker | AppendText | FlushSpeaker | EndSpeaker | StopSpeaker | Close
