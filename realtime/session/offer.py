"""What a session can be: the choices a server offers, and how a client's wishes are resolved against them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from msgspec import UNSET, UnsetType

from realtime.errors import ErrorCode, InvalidMessageError
from realtime.session.frames import FrameKind
from realtime.session.messages import ALL_CONTEXTS, ContextOpen, LimitsReport, SessionStart
from realtime.types import AudioSettings, Voice, VoiceSettings

#: Rates that the contract allows for PCM.
PCM_RATES = (8_000, 16_000, 24_000, 48_000)


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes of UTF-8, times in seconds."""

    message_bytes: int = 1024 * 1024
    text_bytes_per_message: int = 16 * 1024
    text_bytes_per_context: int = 64 * 1024
    contexts: int = 16
    idle_s: float = 300.0
    resume_window_s: float = 30.0

    def text_too_long(self, size: int, held: int) -> str | None:
        """What is wrong with `size` bytes more in a context that holds `held`; None when nothing is."""
        if size > self.text_bytes_per_message:
            return f"{size} bytes of text in one message; {self.text_bytes_per_message} are allowed"
        if held + size > self.text_bytes_per_context:
            return f"more than {self.text_bytes_per_context} bytes of text in one context"
        return None

    def report(self) -> LimitsReport:
        """As `session.ready` tells them."""
        return LimitsReport(
            self.message_bytes,
            self.text_bytes_per_message,
            self.text_bytes_per_context,
            self.contexts,
            self.idle_s,
            self.resume_window_s,
        )


@dataclass(frozen=True, slots=True)
class Format:
    """A format on the wire: what its frames hold, the rate to decode to, and samples to drop at first."""

    kind: FrameKind
    sample_rate: int
    pre_skip: int


@dataclass(frozen=True, slots=True)
class Offer:
    """What this server can do. `voices` by every name in lower case; `features` as in `session.ready`."""

    engine: str
    voices: Mapping[str, Voice]
    default_voice: str
    formats: Mapping[str, Format]
    features: tuple[str, ...]
    limits: Limits
    bitrate: int

    def voice(self, name: str | UnsetType, fallback: str) -> Voice:
        """The voice of a name; raises `InvalidMessageError` with the names that are known."""
        wanted = fallback if isinstance(name, UnsetType) else name
        voice = self.voices.get(wanted.lower())
        if voice is None:
            known = ", ".join(sorted({voice.id for voice in self.voices.values()}))
            raise InvalidMessageError(
                f"voice {shown(wanted)} is not known; known: {known}", ErrorCode.UNKNOWN_VOICE
            )
        return voice

    def language(self, wanted: str, voice: Voice) -> str:
        """ISO 639-1 of a wish ("auto" or BCP 47); raises `InvalidMessageError` when the voice lacks it."""
        if wanted.lower() == "auto":
            return voice.languages[0]
        primary = wanted.replace("_", "-").split("-")[0].lower()
        if primary not in voice.languages:
            raise InvalidMessageError(
                f"voice {voice.id!r} does not speak {shown(wanted)}; it speaks: {', '.join(voice.languages)}",
                ErrorCode.UNKNOWN_LANGUAGE,
            )
        return primary

    def context_settings(self, opening: ContextOpen, voice_name: str, language: str) -> VoiceSettings:
        """How a context shall sound: as `opening` says, else as the session's voice and language are.

        Raises `InvalidMessageError`.
        """
        voice = self.voice(opening.voice, voice_name)
        wanted = language if isinstance(opening.language, UnsetType) else opening.language
        seed = 0 if isinstance(opening.seed, UnsetType) else opening.seed
        return VoiceSettings(voice.id, self.language(wanted, voice), seed, opening.buffer)

    def audio(self, start: SessionStart) -> AudioSettings | None:
        """The first of the client's formats that is known here; None when there is none.

        Raises `InvalidMessageError` for a rate or frame length that is not served.
        """
        wanted = ["opus"] if isinstance(start.formats, UnsetType) else start.formats
        name = next((name for name in wanted if name in self.formats), None)
        if name is None:
            return None
        rate = self.formats[name].sample_rate
        if name.startswith("pcm") and start.sample_rate not in (UNSET, rate):
            if start.sample_rate not in PCM_RATES:
                allowed = ", ".join(map(str, PCM_RATES))
                raise InvalidMessageError(f"sample_rate must be one of {allowed}, not {start.sample_rate}")
            raise unsupported(f"sample_rate {start.sample_rate}", f"{rate}")
        if start.frame_ms not in (UNSET, 20):
            raise unsupported(f"frame_ms {start.frame_ms}", "20")
        bitrate = self.bitrate if isinstance(start.bitrate, UnsetType) else start.bitrate
        return AudioSettings(name, rate, 20, bitrate)


def shown(value: str) -> str:
    """A client's value as an error may repeat it: quoted, and not without end."""
    return repr(value if len(value) <= 64 else value[:64] + "…")


def unsupported(what: str, instead: str) -> InvalidMessageError:
    """The answer to what the contract knows and this server does not do yet."""
    return InvalidMessageError(
        f"{what} is not supported by this server yet; supported: {instead}", ErrorCode.UNSUPPORTED
    )


def check_context_id(context_id: str) -> None:
    """Raises `InvalidMessageError` for the name that means all contexts."""
    if context_id == ALL_CONTEXTS:
        raise InvalidMessageError(f"{ALL_CONTEXTS!r} names all contexts, and only in `cancel`")


def refuse_unsupported(message: SessionStart | ContextOpen) -> None:
    """Raises `InvalidMessageError` for fields that are not served yet, unless they ask for what is."""
    served: dict[str, tuple[object, ...]] = {
        "speed": (UNSET, 1),
        "normalize": (UNSET, True),
        "timestamps": (UNSET, "none"),
        "max_lead_ms": (UNSET, 0),
        "lexicon": (UNSET, {}),
        "instruct": (UNSET, ""),
        "resume": (UNSET,),
    }
    for name, values in served.items():
        value = getattr(message, name, UNSET)
        if value not in values:
            raise unsupported(f"`{name}`", ", ".join(str(v) for v in values if v is not UNSET) or "none")
