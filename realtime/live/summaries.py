"""What a session tells of itself to those who log and count; nothing depends on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from realtime.errors import ErrorCode
from realtime.types import AudioSettings, Timing, VoiceSettings

Reason = Literal["completed", "failed", "cancelled", "disconnected"]


@dataclass(frozen=True, slots=True)
class ContextSummary:
    """What became of a context.

    `code`: why it has failed. `wasted_ms`: sound that was synthesized for it, and that nobody has heard.
    """

    session_id: str
    context_id: str
    handle: int
    reason: Reason
    settings: VoiceSettings
    audio: AudioSettings
    text: str
    timing: Timing
    code: ErrorCode | None = None
    wasted_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class LateCancel:
    """A context was cancelled that had been sent to its end: so much synthesized sound was not heard."""

    session_id: str
    handle: int
    wasted_ms: float


@dataclass(frozen=True, slots=True)
class Silenced:
    """The answer to a cancel has left, and nothing of its context comes after it: `seconds` since it came."""

    session_id: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ErrorTold:
    """The client was told of an error."""

    session_id: str
    code: ErrorCode


Told = ContextSummary | LateCancel | Silenced | ErrorTold
#: Is told of every context that is over, of those that are cancelled after that, of silence and of errors.
Observer = Callable[[Told], None]
