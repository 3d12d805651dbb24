"""A forced aligner: told what was said, it finds when each word was said.

pocketsphinx with its own English model and dictionary, in frames of 10 ms. How far it can be trusted (medians
in ms of its time less the true one; negative is early):

- starts inside flowing speech, 454 words of a formant synthesizer, which marks them itself: -3, half of them
  within 8, nine in ten within 29; plosives -1, fricatives +1, nasals -5, approximants and vowels -6;
- starts after silence, 74 words, where the waveform rises over -50 dBFS: -33 (plosives -40 and
  fricatives -35: it counts closure and breath in; nasals, approximants and vowels -20 to -30);
- ends before silence, where the waveform falls below it: +20.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.speech_judges import JUDGED_RATE, Sound, resample

_FRAMES_PER_S = 100
_PAD_S = 0.2  # silence before and after: the model expects some
#: -60 dBFS of noise: its model of silence is that of a room, and digital zeros often leave it without a path.
_NOISE = 10 ** (-60 / 20)
#: Odds of a pause between two words. With the default of 0.005 many a pause becomes a plosive's closure.
_PAUSE = 0.1
_NOT_LETTERS = '.,;:!?"“”‘’()…—'


@dataclass(frozen=True, slots=True)
class AlignedWord:
    """A written word, and when it sounds, in seconds from the sound's first sample."""

    text: str
    start_s: float
    end_s: float


@functools.cache
def _aligner() -> Any:
    from pocketsphinx import Decoder

    # Without `bestpath`: its second search, over a lattice, loses a last word now and then.
    return Decoder(lm=None, loglevel="FATAL", cmn="batch", bestpath=False, silprob=_PAUSE)


def align(sound: Sound, rate: int, text: str) -> list[AlignedWord]:
    """When each space-separated word of `text` sounds in `sound` (float32 mono in [-1, 1], at `rate` Hz).

    Words are matched without their punctuation and case. Raises `ValueError` when a word is not in the
    dictionary, and when the sound cannot be `text`.
    """
    written = text.split()
    words = [word.strip(_NOT_LETTERS).lower() for word in written]
    aligner = _aligner()
    unknown = [word for word in words if aligner.lookup_word(word) is None]
    if unknown:
        raise ValueError(f"the aligner does not know the words {unknown}")
    judged = np.pad(resample(sound, rate), round(_PAD_S * JUDGED_RATE))
    judged += np.random.default_rng(0).normal(0, _NOISE, len(judged)).astype(np.float32)
    aligner.set_align_text(" ".join(words))
    aligner.start_utt()
    aligner.process_raw((np.clip(judged, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
    aligner.end_utt()
    # "<sil>" and the like stand for pauses and noises; "a(2)" is another pronunciation of "a".
    found = [segment for segment in aligner.seg() or () if segment.word[0] not in "<["]
    if [segment.word.split("(")[0] for segment in found] != words:
        raise ValueError(f"the sound does not fit the text {text!r}")
    return [
        AlignedWord(
            word,
            segment.start_frame / _FRAMES_PER_S - _PAD_S,
            (segment.end_frame + 1) / _FRAMES_PER_S - _PAD_S,
        )
        for word, segment in zip(written, found, strict=True)
    ]
