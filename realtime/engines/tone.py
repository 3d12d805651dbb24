"""An engine for tests and for measuring what the server itself costs: exact, instantaneous, no model.

Every word is a cosine of 60 ms per character, its pitch chosen by its letters; between two words are 40 ms of
silence. Its first and its last sample are audible. So any test can say from the text alone how long the sound
is and when each word is heard. A cloned voice whistles all words at the pitch of its recording.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from realtime.engines.engine import Capabilities, EngineSettings, Open
from realtime.engines.prompts import Prompt, PromptCache
from realtime.engines.synthesizer import Cancellation
from realtime.errors import EngineError
from realtime.types import LANGUAGES, AudioChunk, Pcm, TextPiece, VoiceReference, WordTiming

SAMPLE_RATE = 24_000
CHARACTER_SAMPLES = SAMPLE_RATE * 60 // 1000
GAP_SAMPLES = SAMPLE_RATE * 40 // 1000
AMPLITUDE = 0.3
#: What the prompts of this engine are made by; they are another's when it changes.
PROMPT_MODEL = "tone-1"
LEAST_HZ = 50
_WORD = re.compile(r"\S*\w\S*")


def pitch_hz(word: str) -> int:
    """The pitch of a word: 200 to 1190 Hz, the same for the same letters."""
    return 200 + zlib.crc32(word.encode()) % 100 * 10


def dominant_hz(pcm: Pcm, sample_rate: int) -> float:
    """The loudest frequency of a recording above 50 Hz, to the width of a bin of its whole spectrum."""
    spectrum = np.abs(np.fft.rfft(pcm * np.hanning(len(pcm))))
    first = int(np.ceil(LEAST_HZ * len(pcm) / sample_rate))
    return float((first + np.argmax(spectrum[first:])) * sample_rate / len(pcm))


class ToneSynthesizer:
    """A `Synthesizer` that whistles."""

    def __init__(self, settings: EngineSettings | None = None) -> None:
        """`settings` say where prompts of cloned voices are kept."""
        settings = settings or EngineSettings()
        folder = None if settings.prompt_folder is None else Path(settings.prompt_folder)
        self.prompts = PromptCache(folder, settings.prompts_in_memory)

    @property
    def capabilities(self) -> Capabilities:
        """It takes any language, for it understands none."""
        return Capabilities(
            name="tone",
            voices=("tone",),
            languages=LANGUAGES,
            sample_rate=SAMPLE_RATE,
            word_timings="exact",
            cloning=True,
            concurrency=16,
        )

    def load(self) -> None:
        """Nothing to load."""

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        """One chunk with the whole segment; raises `EngineError` when there is no recording to clone from."""
        cloned_hz = None if request.reference is None else self._cloned_hz(request.reference)
        parts: list[Pcm] = []
        words: list[WordTiming] = []
        position = 0
        for match in _WORD.finditer(piece.text):
            if words:
                parts.append(np.zeros(GAP_SAMPLES, np.float32))
                position += GAP_SAMPLES
            length = len(match.group()) * CHARACTER_SAMPLES
            hz = pitch_hz(match.group()) if cloned_hz is None else cloned_hz
            phase = np.arange(length, dtype=np.float32) * (2 * np.pi * hz / SAMPLE_RATE)
            parts.append((AMPLITUDE * np.cos(phase)).astype(np.float32))
            words.append(WordTiming(match.start(), match.end(), position, position + length))
            position += length
        pcm = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        yield AudioChunk(piece.segment, pcm, SAMPLE_RATE, tuple(words))

    def _cloned_hz(self, reference: VoiceReference) -> float:
        return float(self.prompts.prompt(reference, PROMPT_MODEL, _listen)["hz"][0])


def _listen(reference: VoiceReference) -> Prompt:
    try:
        pcm, sample_rate = soundfile.read(reference.path, dtype="float32")
    except (OSError, RuntimeError) as error:  # libsndfile's errors are of the second kind
        raise EngineError("the recording of this voice cannot be read") from error
    return {"hz": np.array([dominant_hz(pcm, sample_rate)])}


def make(settings: EngineSettings | None = None) -> ToneSynthesizer:
    """Factory for `engines.process`."""
    return ToneSynthesizer(settings)
