"""An engine for tests and for measuring what the server itself costs: exact, instantaneous, no model.

Every word is a cosine of 60 ms per character, its pitch chosen by its letters; between two words are 40 ms of
silence. Its first and its last sample are audible. So any test can say from the text alone how long the sound
is and when each word is heard.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

import numpy as np

from realtime.engines.engine import Cancellation, Capabilities, Open
from realtime.types import LANGUAGES, AudioChunk, Pcm, TextPiece, WordTiming

SAMPLE_RATE = 24_000
CHARACTER_SAMPLES = SAMPLE_RATE * 60 // 1000
GAP_SAMPLES = SAMPLE_RATE * 40 // 1000
AMPLITUDE = 0.3
_WORD = re.compile(r"\S*\w\S*")


def pitch_hz(word: str) -> int:
    """The pitch of a word: 200 to 1190 Hz, the same for the same letters."""
    return 200 + zlib.crc32(word.encode()) % 100 * 10


class ToneSynthesizer:
    """A `Synthesizer` that whistles."""

    @property
    def capabilities(self) -> Capabilities:
        """It takes any language, for it understands none."""
        return Capabilities(
            name="tone",
            voices=("tone",),
            languages=LANGUAGES,
            sample_rate=SAMPLE_RATE,
            word_timings="exact",
            concurrency=1,
        )

    def load(self) -> None:
        """Nothing to load."""

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        """One chunk with the whole segment."""
        parts: list[Pcm] = []
        words: list[WordTiming] = []
        position = 0
        for match in _WORD.finditer(piece.text):
            if words:
                parts.append(np.zeros(GAP_SAMPLES, np.float32))
                position += GAP_SAMPLES
            length = len(match.group()) * CHARACTER_SAMPLES
            phase = np.arange(length, dtype=np.float32) * (2 * np.pi * pitch_hz(match.group()) / SAMPLE_RATE)
            parts.append((AMPLITUDE * np.cos(phase)).astype(np.float32))
            words.append(WordTiming(match.start(), match.end(), position, position + length))
            position += length
        pcm = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        yield AudioChunk(piece.segment, pcm, SAMPLE_RATE, tuple(words))


def make() -> ToneSynthesizer:
    """Factory for `engines.process`."""
    return ToneSynthesizer()
