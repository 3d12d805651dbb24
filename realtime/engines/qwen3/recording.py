"""Recordings of voices that are to be cloned: read from their files, checked, and brought to 24 kHz.

The server takes sound of 1 to 60 s, keeps it at this rate (`voices.decoding`), and refuses what is too soft
or clipped; so here only what no voice could be made of is refused.
"""

from __future__ import annotations

import math

import numpy as np
import soundfile
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray

from realtime.errors import EngineError
from realtime.types import Pcm

SAMPLE_RATE = 24_000
LEAST_S, MOST_S = 1, 60
#: Below it there is no voice, whatever the gain: 16-bit dither lies at -93 dBFS, quiet rooms at -70.
SILENCE_DBFS = -60.0
#: Rates have this divisor in common with `SAMPLE_RATE`, or more: 75 at 11,025 Hz, 300 at 44,100.
LEAST_DIVISOR = 75

# Of filters like these the nearest to libsoxr's in high quality, which qwen-tts uses: up to 91.3 % of half
# the lower rate sound is kept, and from that half on it is 100 dB down. (Zero crossings on each side of a
# filter, where its band ends as a share of that half, the shape of its window.)
_CROSSINGS = 80
_CUTOFF = 0.956
_KAISER_BETA = 10.0


def read_recording(path: str) -> Pcm:
    """Mono sound at `SAMPLE_RATE`, (samples,), from a file that libsndfile reads; channels are averaged.

    Raises `EngineError` when it cannot be read, is shorter than `LEAST_S` or longer than `MOST_S`, or silent.
    """
    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            seconds = file.frames / rate
            if not LEAST_S <= seconds <= MOST_S:
                allowed = f"{LEAST_S} to {MOST_S} s are allowed"
                raise EngineError(f"the recording of this voice is {seconds:.2f} s long; {allowed}")
            pcm = file.read(dtype="float32", always_2d=True).mean(axis=1)
    except (OSError, RuntimeError) as error:  # libsndfile's errors are of the second kind
        raise EngineError("the recording of this voice cannot be read") from error
    if math.gcd(rate, SAMPLE_RATE) < LEAST_DIVISOR:
        raise EngineError(
            f"the recording of this voice is at {rate} Hz; {SAMPLE_RATE} Hz is what it should be at"
        )
    if not np.isfinite(pcm).all():
        raise EngineError("the recording of this voice cannot be read")
    level = 20 * math.log10(max(float(pcm.astype(np.float64).std()), 1e-6))
    if level < SILENCE_DBFS:
        raise EngineError(
            f"the recording of this voice is silent: its level is {level:.0f} dBFS, "
            f"and must be {SILENCE_DBFS:.0f} or more"
        )
    return resampled(pcm, rate)


def resampled(pcm: Pcm, rate: int) -> Pcm:
    """Sound at `SAMPLE_RATE`, ceil(samples * `SAMPLE_RATE` / `rate`) long: sample n is at n / `SAMPLE_RATE`.

    There is a filter for each of the few places that samples of the one rate have between those of the other.
    From libsoxr's it differs by 120 dB below a voice, and by 47 dB below white noise.
    """
    if rate == SAMPLE_RATE:
        return pcm
    common = math.gcd(rate, SAMPLE_RATE)
    step, places = rate // common, SAMPLE_RATE // common
    cutoff = _CUTOFF * min(1.0, SAMPLE_RATE / rate)  # in halves of `rate`
    reach = math.ceil(_CROSSINGS / cutoff)
    # For each place, the distance of each input sample around it, in input samples.
    at = np.arange(places)[:, None] * (step / places)
    away = np.arange(-reach, step + reach)[None] - at
    window = np.i0(_KAISER_BETA * np.sqrt(np.maximum(0, 1 - (away / reach) ** 2))) / np.i0(_KAISER_BETA)
    filters = cutoff * np.sinc(cutoff * away) * window * (np.abs(away) < reach)
    samples = math.ceil(len(pcm) * SAMPLE_RATE / rate)
    sound = np.pad(pcm, (reach, reach + step * places))
    out = F.conv1d(_tensor(sound)[None, None], _tensor(filters)[:, None], stride=step)[0]
    resampled_pcm: Pcm = out.T.flatten()[:samples].numpy()
    return resampled_pcm


def _tensor(array: NDArray[np.floating]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))
