"""What a session can be: the choices a server offers, and how a client's wishes are resolved against them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from msgspec import UNSET, UnsetType

from realtime.errors import ErrorCode, InvalidMessageError
from realtime.session.frames import FrameKind
from realtime.session.messages import (
    ALL_CONTEXTS,
    AudioPath,
    ContextOpen,
    IceServer,
    LimitsReport,
    SessionStart,
    SessionUpdate,
)
from realtime.types import AUTO, AudioSettings, Voice, VoiceSettings

DEFAULT_FORMAT = "opus"
#: What a track takes: packets of so many ms of this format.
TRACK_FORMAT, TRACK_FRAME_MS = "opus", 20
#: The field of a message that holds words about how to speak.
_INSTRUCT = "instruct"
#: Characters that words about how to speak may have.
MAX_INSTRUCT = 2_000
#: BCP 47 allows the narrower name of a language; here it has the name of the whole.
_MACROLANGUAGES = {"cmn": "zh"}
#: Fields of `session.start` that are taken over as they are.
_PLAIN_SETTINGS = (
    "sample_rate",
    "bitrate",
    "frame_ms",
    "voice",
    "language",
    "speed",
    "normalize",
    "markup",
    "cache",
    "instruct",
    "max_lead_ms",
)


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
    """A format on the wire: what its frames hold, the rates to choose from, and samples to drop at first.

    `sample_rates` in Hz, the default first; `pre_skip` in samples of 48 kHz.
    """

    kind: FrameKind
    sample_rates: tuple[int, ...]
    pre_skip: int = 0


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What a session has asked for; None where it has not, and the server chooses."""

    format: str
    sample_rate: int | None = None
    bitrate: int | None = None
    frame_ms: int = 20
    voice: str | None = None
    language: str = AUTO
    speed: float = 1.0
    normalize: bool = True
    lexicon: tuple[tuple[str, str], ...] = ()
    markup: bool = False
    cache: bool = True
    instruct: str = ""
    word_timestamps: bool = False
    max_lead_ms: int = 0
    audio: AudioPath = "frames"


@dataclass(frozen=True, slots=True)
class ContextSettings:
    """How a context sounds, what its packets are, and whether the times of its words are sent."""

    voice: VoiceSettings
    audio: AudioSettings
    word_timestamps: bool = False


@dataclass(frozen=True, slots=True)
class Speaking:
    """Who speaks, and in which language; `auto_voices` as in `VoiceSettings`."""

    voice: Voice
    language: str
    auto_voices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """What this server can do. `voices` by every name in lower case; `features` as in `session.ready`.

    `max_lead_ms`: how far a session's sound may run ahead of its listener, if it asks for nothing else;
    0: as far as it likes. `missing_voices`: voices by name whose extra is not installed. `any_voice`:
    names in lower case that stand for whichever voice speaks the language. `cloned_voice` finds a cloned
    voice by its id, and raises `InvalidMessageError` when it cannot be spoken with. `check_lexicon`
    tells what is wrong with a lexicon, None when nothing is. `default_voice` is None where there are only
    cloned ones, and `model` what errors call the engine by. `ignores_instructions`: what a request over HTTP
    says about how to speak is left out, where no voice here takes it. `ice_servers` tells which servers a
    peer connection may need.
    """

    engine: str
    voices: Mapping[str, Voice]
    default_voice: str | None
    formats: Mapping[str, Format]
    features: tuple[str, ...]
    limits: Limits
    bitrate: int
    max_lead_ms: int = 0
    missing_voices: Mapping[str, Voice] = field(default_factory=dict)
    check_lexicon: Callable[[Mapping[str, str]], str | None] = lambda entries: None
    any_voice: frozenset[str] = frozenset()
    cloned_voice: Callable[[str], Voice | None] = lambda name: None
    model: str | None = None
    ignores_instructions: bool = True
    ice_servers: Callable[[], list[IceServer]] = list

    @property
    def default(self) -> Voice | None:
        """The voice of who names none; None where there are only cloned ones."""
        return None if self.default_voice is None else self.voices[self.default_voice.lower()]

    @property
    def _spoken_by(self) -> str:
        return f"the engine {self.engine!r}" if self.model is None else f"the model {self.model}"

    def voice(self, name: str) -> Voice:
        """The voice of a name; raises `InvalidMessageError` with the names that are known."""
        voice = self.voices.get(name.lower()) or self.cloned_voice(name)
        if voice is not None:
            return voice
        missing = self.missing_voices.get(name.lower())
        if missing is not None:
            text = f"voice {missing.id!r} is not installed; {how_to_install(missing)}"
        elif self.voices:
            known = ", ".join(dict.fromkeys(voice.id for voice in self.voices.values()))
            text = f"voice {shown(name)} is not known; known: {known}"
        else:
            text = f"voice {shown(name)} is not known; {self._only_cloned}"
        raise InvalidMessageError(text, ErrorCode.UNKNOWN_VOICE)

    @property
    def _only_cloned(self) -> str:
        return f"{self._spoken_by} speaks with cloned voices only: make one with POST /v1/voices, and name it"

    def speaker(self, name: str | None, wanted: str) -> Speaking:
        """Who speaks, for the voice and the language ("auto" or BCP 47) asked for.

        Who names no voice gets the default one, or the first that speaks the language; with "auto" the first
        for each language that the text turns out to be in. Raises `InvalidMessageError`, also where there is
        no default voice.
        """
        primary = wanted.replace("_", "-").split("-")[0].lower()
        language = _MACROLANGUAGES.get(primary, primary)
        is_auto = wanted.lower() == AUTO
        named = None if self.names_nobody(name) else self.voice(name or "")
        voice = named or self.default
        if voice is None:
            raise InvalidMessageError(f"no voice was named; {self._only_cloned}", ErrorCode.UNKNOWN_VOICE)
        candidates = (voice,) if named is not None else (voice, *self.voices.values())
        if is_auto:
            return Speaking(voice, voice.languages[0], _voice_of_each_language(candidates, voice))
        if named is None:
            found = next((each for each in candidates if language in each.languages), None)
            if found is None:
                raise self._unknown_language(wanted, language)
            voice = found
        if language not in voice.languages:
            raise InvalidMessageError(
                f"voice {voice.id!r} does not speak {shown(wanted)}; it speaks: {', '.join(voice.languages)}",
                ErrorCode.UNKNOWN_LANGUAGE,
            )
        return Speaking(voice, language)

    def names_nobody(self, name: str | None) -> bool:
        """Whether a wish for a voice leaves open which."""
        return name is None or name.lower() in self.any_voice

    def _unknown_language(self, wanted: str, language: str) -> InvalidMessageError:
        missing = next((v for v in self.missing_voices.values() if language in v.languages), None)
        if missing is not None:
            text = f"language {shown(wanted)} needs voice {missing.id!r}; {how_to_install(missing)}"
        else:
            spoken = dict.fromkeys(each for voice in self.voices.values() for each in voice.languages)
            text = f"language {shown(wanted)} is not spoken here; spoken: {', '.join(spoken)}"
        return InvalidMessageError(text, ErrorCode.UNKNOWN_LANGUAGE)

    @property
    def defaults(self) -> SessionSettings:
        """What a session is that asks for nothing."""
        return SessionSettings(DEFAULT_FORMAT, max_lead_ms=self.max_lead_ms)

    def session_settings(
        self, message: SessionStart | SessionUpdate, before: SessionSettings
    ) -> SessionSettings:
        """`before` with what `message` asks for; raises `InvalidMessageError` for what is not to be had.

        Where there is no default voice, a session need not name one: its contexts may.
        """
        changes: dict[str, object] = {
            name: value for name in _PLAIN_SETTINGS if (value := getattr(message, name)) is not UNSET
        }
        if not isinstance(message.timestamps, UnsetType):
            changes["word_timestamps"] = message.timestamps == "word"
        if not isinstance(message.lexicon, UnsetType):
            changes["lexicon"] = self._lexicon(message.lexicon)
        if isinstance(message, SessionStart) and not isinstance(message.audio, UnsetType):
            changes["audio"] = message.audio
        path = changes.get("audio", before.audio)
        if path == "rtc" and "rtc" not in self.features:
            raise InvalidMessageError(
                "this server has no WebRTC: audio must be frames", ErrorCode.UNSUPPORTED
            )
        if isinstance(message, SessionStart) and not isinstance(message.formats, UnsetType):
            changes["format"] = self._format(message.formats, TRACK_FORMAT if path == "rtc" else None)
        if path == "rtc" and changes.get("frame_ms", TRACK_FRAME_MS) != TRACK_FRAME_MS:
            raise InvalidMessageError(f"frame_ms must be {TRACK_FRAME_MS} where sound goes over a track")
        settings = replace(before, **changes)  # type: ignore[arg-type]
        if self.default is not None or not self.names_nobody(settings.voice):
            voice = self.speaker(settings.voice, settings.language).voice
            if settings.instruct.strip():  # where words are needed, each context may have its own
                self._instruct(voice, settings.instruct)
        self._check_rate(settings)
        return settings

    def _instruct(self, voice: Voice, words: str) -> str:
        """What a voice is told about how to speak; raises `InvalidMessageError` for what it does not take."""
        words = words.strip()
        who = f"voice {voice.id!r} of {self._spoken_by}"
        if not words and voice.instruct == "required":
            text = f"{who} needs instructions, which describe it: such as 'a calm, deep voice of an old man'"
            raise InvalidMessageError(text, param=_INSTRUCT)
        if words and voice.instruct == "no":
            text = f"{who} takes no instructions: leave them out"
            raise InvalidMessageError(text, ErrorCode.UNSUPPORTED, _INSTRUCT)
        if len(words) > MAX_INSTRUCT:
            text = f"instructions of {len(words)} characters; {MAX_INSTRUCT} are allowed"
            raise InvalidMessageError(text, param=_INSTRUCT)
        return words

    def context_settings(self, opening: ContextOpen, session: SessionSettings) -> ContextSettings:
        """How a context shall be: as `opening` says, else as the session is. Raises `InvalidMessageError`."""
        named = session.voice if isinstance(opening.voice, UnsetType) else opening.voice
        wanted = session.language if isinstance(opening.language, UnsetType) else opening.language
        speaking = self.speaker(named, wanted)
        instruct = session.instruct if isinstance(opening.instruct, UnsetType) else opening.instruct
        voice = VoiceSettings(
            speaking.voice.id,
            speaking.language,
            seed=0 if isinstance(opening.seed, UnsetType) else opening.seed,
            buffer=opening.buffer,
            speed=session.speed if isinstance(opening.speed, UnsetType) else opening.speed,
            normalize=session.normalize if isinstance(opening.normalize, UnsetType) else opening.normalize,
            lexicon=session.lexicon,
            markup=session.markup if isinstance(opening.markup, UnsetType) else opening.markup,
            auto_voices=speaking.auto_voices,
            reference=speaking.voice.reference,
            cache=session.cache if isinstance(opening.cache, UnsetType) else opening.cache,
            instruct=self._instruct(speaking.voice, instruct),
        )
        return ContextSettings(voice, self.audio(session), session.word_timestamps)

    def audio(self, session: SessionSettings) -> AudioSettings:
        """What the packets of a session's contexts are."""
        rates = self.formats[session.format].sample_rates
        rate = session.sample_rate if session.sample_rate in rates else rates[0]
        bitrate = self.bitrate if session.bitrate is None else session.bitrate
        return AudioSettings(session.format, rate, session.frame_ms, bitrate, track=session.audio == "rtc")

    def _lexicon(self, entries: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        wrong = self.check_lexicon(entries)
        if wrong is not None:
            raise InvalidMessageError(f"lexicon: {wrong}")
        return tuple(entries.items())

    def _format(self, wanted: list[str], only: str | None) -> str:
        """The first of `wanted` that there is; `only`: there is no other."""
        offered = self.formats if only is None else (only,)
        name = next((name for name in wanted if name in offered), None)
        if name is None:
            known = ", ".join(offered)
            raise NoFormatError(f"none of the formats asked for is known; known: {known}")
        return name

    def _check_rate(self, settings: SessionSettings) -> None:
        rate, allowed = settings.sample_rate, self.formats[settings.format].sample_rates
        if rate is not None and rate not in allowed and len(allowed) > 1:  # else there is nothing to choose
            listed = ", ".join(map(str, sorted(allowed)))
            raise InvalidMessageError(f"sample_rate must be one of {listed}, not {rate}")


class NoFormatError(InvalidMessageError):
    """None of the formats that a client takes is known; it ends the session."""

    code = ErrorCode.UNSUPPORTED


def _voice_of_each_language(voices: Iterable[Voice], main: Voice) -> tuple[tuple[str, str], ...]:
    """Pairs of a language and the first voice that speaks it; empty when there is only one language.

    Where none reads all scripts of a language, `main` leaves out what it cannot say: one that failed would
    take the rest of its context with it.
    """
    found: dict[str, str] = {}
    for voice in sorted(voices, key=lambda voice: not voice.all_scripts):
        for language in voice.languages:
            found.setdefault(language, voice.id if voice.all_scripts else main.id)
    return tuple(found.items()) if len(found) > 1 else ()


def how_to_install(voice: Voice) -> str:
    """What to do when a voice's extra is missing."""
    return f'it needs the optional extra "{voice.extra}": pip install "realtime-voice[{voice.extra}]"'


def shown(value: str) -> str:
    """A client's value as an error may repeat it: quoted, and not without end."""
    return repr(value if len(value) <= 64 else value[:64] + "…")


def check_context_id(context_id: str) -> None:
    """Raises `InvalidMessageError` for the name that means all contexts."""
    if context_id == ALL_CONTEXTS:
        raise InvalidMessageError(f"{ALL_CONTEXTS!r} names all contexts, and only in `cancel`")
