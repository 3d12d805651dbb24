"""From what is written in digits and signs to what is said, in ten languages: a module for each."""

from __future__ import annotations

import functools
import importlib

from realtime.text.normalize.base import Reader

#: The package of each language, ISO 639-1.
_PACKAGES = {
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fr": "french",
    "it": "italian",
    "ja": "japanese",
    "ko": "korean",
    "pt": "portuguese",
    "ru": "russian",
    "zh": "chinese",
}
LANGUAGES = tuple(_PACKAGES)


@functools.cache
def reader(language: str) -> Reader | None:
    """How a language reads digits and signs; None for one that is not known, whose text stays as it is.

    The first call for a language imports its package and libraries, up to a second; any thread may make it.
    """
    package = _PACKAGES.get(language)
    if package is None:
        return None
    made: Reader = importlib.import_module(f"realtime.text.normalize.{package}.reader").make()
    return made
