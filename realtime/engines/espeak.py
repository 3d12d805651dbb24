"""Nine more languages by espeak-ng: small, very fast, robotic, and in a process of its own for its licence.

German, French, Spanish, Italian, Portuguese, Russian, Chinese and Korean, and Japanese in kana. The times of
words are the engine's own; see `espeak_words`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from realtime.engines.engine import Capabilities, EngineSettings, Open
from realtime.engines.espeak_library import SAMPLE_RATE
from realtime.engines.espeak_process import speak
from realtime.engines.espeak_text import is_speech, readable, runs_of
from realtime.engines.espeak_words import IDEOGRAPHS, WordKind, time_words
from realtime.engines.synthesizer import Cancellation, NeverCancelled
from realtime.errors import EngineError
from realtime.types import AudioChunk, TextPiece, WordTiming


@dataclass(frozen=True, slots=True)
class EspeakVoice:
    """`file` in espeak-ng's folder `lang`, `language` by ISO 639-1, and what its written words are."""

    file: str
    language: str
    words: WordKind = "spaced"


#: Voice ids, and what espeak-ng calls them.
VOICES: Final = MappingProxyType(
    {
        "espeak-de": EspeakVoice("gmw/de", "de"),
        "espeak-fr": EspeakVoice("roa/fr", "fr"),
        "espeak-es": EspeakVoice("roa/es", "es"),
        "espeak-it": EspeakVoice("roa/it", "it"),
        "espeak-pt": EspeakVoice("roa/pt", "pt"),
        "espeak-ru": EspeakVoice("zle/ru", "ru"),
        "espeak-zh": EspeakVoice("sit/cmn", "zh", "chinese"),
        "espeak-ko": EspeakVoice("ko", "ko"),
        "espeak-ja": EspeakVoice("jpx/ja", "ja", "mora"),
    }
)
_NEEDS_KANJI = (
    'this voice reads kana only; for kanji install the optional extra "japanese" '
    '(pip install "realtime-voice[japanese]") and use the voice "kokoro-ja"'
)
_IDEOGRAPH = re.compile(f"[{IDEOGRAPHS}]")
_WARM_UP = "Bereit."


class EspeakSynthesizer:
    """A `Synthesizer` for nine languages; the same text is the same sound whatever was said before."""

    @property
    def capabilities(self) -> Capabilities:
        """A voice for each language. Words are exact but where a chunk says that they are estimated."""
        return Capabilities(
            name="espeak",
            voices=tuple(VOICES),
            languages=tuple(voice.language for voice in VOICES.values()),
            sample_rate=SAMPLE_RATE,
            word_timings="exact",
            concurrency=1,
        )

    def load(self) -> None:
        """Speak once; raises `EngineError` when the library or its data is missing."""
        sound, _ = speak(_WARM_UP, VOICES["espeak-de"].file, False, NeverCancelled())
        if not any(sound):
            raise EngineError("espeak-ng was loaded and makes no sound")

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        """One chunk, or for a longer text one for each of its `espeak_text.runs_of`.

        Raises `EngineError` for a voice that is not in `VOICES`, and for kanji in Japanese.
        """
        voice = VOICES.get(request.voice)
        if voice is None:
            raise EngineError(f'there is no voice "{request.voice}"')
        read = readable(piece.text, voice.language)
        if voice.language == "ja" and _IDEOGRAPH.search(read.text):
            raise EngineError(_NEEDS_KANJI)
        runs = runs_of(read.text)
        made = 0
        for number, (start, end) in enumerate(runs):
            last = number == len(runs) - 1
            chunk = self._run(read.text[start:end], voice, not last, cancellation)
            if cancellation.cancelled:
                return
            if not len(chunk.pcm) and not last:
                continue
            words = tuple(
                WordTiming(
                    *read.written(start + word.spoken_start, start + word.spoken_end),
                    made + word.start,
                    made + word.end,
                )
                for word in chunk.words
            )
            yield AudioChunk(piece.segment, chunk.pcm, SAMPLE_RATE, words, chunk.estimated, last)
            made += len(chunk.pcm)

    def _run(self, text: str, voice: EspeakVoice, pause: bool, cancellation: Cancellation) -> AudioChunk:
        """The sound and the words of a run by themselves; empty when nothing of it is heard."""
        empty = AudioChunk(0, np.zeros(0, np.float32), SAMPLE_RATE)
        if not is_speech(text):
            return empty
        sound, events = speak(text, voice.file, pause, cancellation)
        pcm = np.frombuffer(sound, np.int16).astype(np.float32) / np.float32(32768)
        if cancellation.cancelled or not pcm.any():
            return empty
        words, estimated = time_words(text, events, pcm, voice.words)
        return AudioChunk(0, pcm, SAMPLE_RATE, tuple(words), estimated)


def make(settings: EngineSettings | None = None) -> EspeakSynthesizer:
    """Factory for `engines.process`; none of the settings is of use to it."""
    return EspeakSynthesizer()
