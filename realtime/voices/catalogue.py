"""The voices that are known, and the names they answer to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from realtime.types import Voice

VOICES: tuple[Voice, ...] = (
    Voice("heart", ("en",), "embedded", aliases=("default",)),
    Voice("tone", ("en",), "tone", aliases=("default",)),
)


def voices_of(engine: str) -> tuple[Voice, ...]:
    """The voices that an engine speaks with; the first is its default."""
    return tuple(voice for voice in VOICES if voice.engine == engine)


def by_name(voices: Iterable[Voice]) -> Mapping[str, Voice]:
    """Voices by id and alias, all in lower case. An id wins over another voice's alias."""
    voices = tuple(voices)
    names = {alias.lower(): voice for voice in reversed(voices) for alias in voice.aliases}
    return names | {voice.id.lower(): voice for voice in voices}
