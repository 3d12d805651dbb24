"""The espeak-ng library by ctypes: text in, 16-bit samples and the beginnings of words out.

Declarations follow `speak_lib.h` of espeak-ng 1.52. The library is GPL-3, not thread-safe, and keeps state in
static variables that no call resets, such as the phase of its pitch flutter, so that a text sounds different
the second time. `espeak_process` therefore loads it anew for every text, in a process that ends after it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import espeakng_loader  # type: ignore[import-untyped]

from realtime.errors import EngineError

SAMPLE_RATE = 22_050
#: Words per minute; espeak's own default.
RATE = 175
#: espeak's default is 100, which is 5 dB louder than the English voice.
VOLUME = 56
#: Base pitch, 0 to 100; espeak's own default.
PITCH = 50
_SYNCHRONOUS = 2  # espeak_AUDIO_OUTPUT: a call returns when all sound was given to the callback
_BUFFER_MS = 200  # sound given to the callback at once; 200 events a second fit in
_RETURN_ON_ERROR = 0x8000  # espeakINITIALIZE_DONT_EXIT: it ends the process otherwise
_UTF8 = 1  # espeakCHARS_UTF8; without espeakSSML, "<" is a character like others
_END_PAUSE = 0x1000  # espeakENDPAUSE
_BY_CHARACTER = 1  # POS_CHARACTER
_IPA = 2  # espeakPHONEMES_IPA
_PARAMETER_RATE, _PARAMETER_VOLUME, _PARAMETER_PITCH = 1, 2, 3  # espeak_PARAMETER
_EVENT_NONE, _EVENT_WORD = 0, 1  # espeak_EVENT_TYPE
_SAMPLE_BYTES = 2


@dataclass(frozen=True, slots=True)
class WordEvent:
    """A word begins: at character `position` of the text (from 0) and `sample` of its sound."""

    position: int
    sample: int


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_OnSound = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


def _load(voice: str) -> ctypes.CDLL:
    """The library with a voice; raises `EngineError` when it, its data or the voice cannot be loaded."""
    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = str(espeakng_loader.get_data_path())
    except (OSError, RuntimeError) as error:
        raise EngineError(f"the espeak-ng library cannot be loaded: {error}") from None
    rate = library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, data.encode(), _RETURN_ON_ERROR)
    if rate != SAMPLE_RATE:
        raise EngineError(f"espeak-ng does not start with its data in {data} (code {rate})")
    # By the voice's file, not its name: so no list of all voices is made, which takes 3 ms.
    if not (Path(data) / "lang" / voice).is_file() or library.espeak_SetVoiceByName(voice.encode()):
        raise EngineError(f'espeak-ng has no voice "{voice}"')
    library.espeak_SetParameter(_PARAMETER_RATE, RATE, 0)
    library.espeak_SetParameter(_PARAMETER_VOLUME, VOLUME, 0)
    library.espeak_SetParameter(_PARAMETER_PITCH, PITCH, 0)
    return library


def speak(
    text: str, voice: str, pause_at_end: bool, on_sound: Callable[[bytes, list[WordEvent]], bool]
) -> None:
    """Give a text's sound to `on_sound` as it is made: int16 samples at `SAMPLE_RATE`, and words beginning.

    `voice` is the file of a voice in espeak-ng's folder `lang`, such as "gmw/de". It stops when `on_sound`
    returns True. Raises `EngineError` when the library, its data or the voice cannot be loaded.
    """

    def take(samples: int | None, count: int, events: ctypes._Pointer[_Event]) -> int:
        words: list[WordEvent] = []
        number = 0
        while (event := events[number]).type != _EVENT_NONE:
            if event.type == _EVENT_WORD:
                # It counts characters from 1, as code points.
                words.append(WordEvent(event.text_position - 1, event.sample))
            number += 1
        sound = ctypes.string_at(samples, count * _SAMPLE_BYTES) if samples and count > 0 else b""
        return int(on_sound(sound, words))

    library = _load(voice)
    callback = _OnSound(take)
    library.espeak_SetSynthCallback(callback)
    encoded = text.encode()
    size = ctypes.c_size_t(len(encoded) + 1)
    flags = _UTF8 | (_END_PAUSE if pause_at_end else 0)
    library.espeak_Synth(encoded, size, 0, _BY_CHARACTER, 0, flags, None, None)


def phonemes(text: str, voice: str) -> str:
    """How a voice reads a text, in the International Phonetic Alphabet; a line for each clause.

    For tools and tests: it loads the library into the process that calls it. Raises as `speak` does.
    """
    library = _load(voice)
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    encoded = ctypes.create_string_buffer(text.encode())
    rest = ctypes.c_void_p(ctypes.addressof(encoded))
    clauses: list[str] = []
    while rest.value is not None:
        clauses.append(library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA).decode())
    return "\n".join(clauses)
