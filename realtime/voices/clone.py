"""What is known of a cloned voice, and what its name and text may be."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Annotated

import msgspec

from realtime.errors import ErrorCode, InvalidMessageError, RealtimeError
from realtime.types import LANGUAGES
from realtime.voices.recording import Recording

MOST_NAME = 64
#: More than anyone says in 60 s.
MOST_TEXT = 2_000
#: `fullmatch` only: a pattern that ends with `$` would let a line break pass.
CLONE_ID = re.compile(r"clone-[0-9a-f]{24}")
#: What such an id looks like.
EXAMPLE_ID = "clone-0123456789abcdef01234567"
#: Control characters, halves of surrogate pairs, and separators of lines.
_FORBIDDEN = frozenset({"Cc", "Cs", "Zl", "Zp"})


class StoredVoice(msgspec.Struct, frozen=True):
    """A cloned voice, as it lies on disk.

    `sound` is the key of its recording (`Recording.key`), whose file has `sound_bytes` bytes and `seconds` of
    sound; `text` what is said in it, empty when that is not known; `language` ISO 639-1, None: any; `created`
    seconds since 1970.
    """

    id: str
    name: str
    sound: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    sound_bytes: int
    seconds: float
    created: float
    text: str = ""
    language: str | None = None

    def made_id(self) -> str:
        """The id that belongs to its contents: the same upload twice is the same voice."""
        identity = msgspec.json.encode([self.sound, self.name, self.text, self.language])
        return f"clone-{hashlib.sha256(identity).hexdigest()[:24]}"


def describe(name: str, recording: Recording, text: str, language: str | None, created: float) -> StoredVoice:
    """A voice as it would be kept; raises `RealtimeError` that names the field that is not allowed."""
    voice = StoredVoice(
        id="",
        name=checked_name(name),
        sound=recording.key,
        sound_bytes=len(recording.flac),
        seconds=recording.seconds,
        created=created,
        text=checked_text(text),
        language=checked_language(language),
    )
    return msgspec.structs.replace(voice, id=voice.made_id())


def checked_name(name: str) -> str:
    """The name without space around it; raises `InvalidMessageError` unless it has 1 to 64 characters."""
    name = unicodedata.normalize("NFC", name).strip()
    if not 1 <= len(name) <= MOST_NAME:
        raise InvalidMessageError(
            f"a name must have 1 to {MOST_NAME} characters, not {len(name)}", param="name"
        )
    if any(unicodedata.category(character) in _FORBIDDEN for character in name):
        raise InvalidMessageError("a name may have no control characters", param="name")
    return name


def checked_text(text: str) -> str:
    """What is said in a recording, on one line; raises `InvalidMessageError` when it is too long."""
    text = " ".join(unicodedata.normalize("NFC", text).split())
    if len(text) > MOST_TEXT:
        raise InvalidMessageError(
            f"the text of a recording may have {MOST_TEXT} characters, not {len(text)}", param="ref_text"
        )
    if any(unicodedata.category(character) in _FORBIDDEN for character in text):
        raise InvalidMessageError("the text of a recording may have no control characters", param="ref_text")
    return text


def checked_language(language: str | None) -> str | None:
    """The language; raises `RealtimeError` when it is not spoken here."""
    if language is not None and language not in LANGUAGES:
        raise RealtimeError(
            f"the language must be one of {', '.join(LANGUAGES)}", ErrorCode.UNKNOWN_LANGUAGE, "language"
        )
    return language
