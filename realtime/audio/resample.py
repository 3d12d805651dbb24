"""From one sample rate to another, in a stream, by FFmpeg's libswresample."""

from __future__ import annotations

import math

import numpy as np

from realtime.audio.filters import FilterChain
from realtime.types import Pcm

#: libswresample's filter: taps at the lower rate, where its band ends as a share of half that rate, and the
#: shape of its window. By measure sound is flat within 0.02 dB up to 0.9 of the half, and what would fold
#: back is 96 dB down from the half on: libsoxr reaches 0.00 and 128 dB, which 16 bit cannot hold, but streams
#: in blocks of 37 to 150 ms. A longer filter would look ahead further.
FILTER_SIZE = 105
CUTOFF = 0.945
KAISER_BETA = 9.6


class Resampler:
    """One stream of mono float32 sound from `from_rate` to `to_rate`.

    Output sample n lies at the time n / `to_rate` of the input: nothing is late, but it comes out only when
    `lookahead` more samples have gone in. How the input is cut into calls changes nothing, not a bit.
    """

    def __init__(self, from_rate: int, to_rate: int) -> None:
        """Both rates in Hz."""
        if from_rate <= 0 or to_rate <= 0:
            raise ValueError(f"sample rates must be above 0 Hz, not {from_rate} and {to_rate}")
        self._from, self._to = from_rate, to_rate
        # resample.c: factor = min(to / from * cutoff, 1), filter length = filter_size / factor.
        span = math.ceil(FILTER_SIZE / min(1.0, CUTOFF * to_rate / from_rate))
        #: Input samples after a point in time that must have gone in before all sound up to it is out.
        self.lookahead = span // 2 + 1
        # Silence around the stream: libswresample mirrors the sound at both of its ends instead, and gives
        # nothing for a stream that is shorter than its filter. A whole number of output samples.
        step = from_rate // math.gcd(from_rate, to_rate)
        self._silence = np.zeros(math.ceil(2 * span / step) * step, np.float32)
        options = {
            "sample_rate": str(to_rate),
            "filter_size": str(FILTER_SIZE),
            "cutoff": str(CUTOFF),
            "kaiser_beta": str(KAISER_BETA),
        }
        self._chain = FilterChain(from_rate, ("aresample", options))
        self._given = 0
        self._made = -len(self._silence) * to_rate // from_rate  # output samples; what is below 0 is dropped
        self._filter(self._silence)

    def process(self, pcm: Pcm) -> Pcm:
        """What has come out by now, at `to_rate`, after `pcm`, at `from_rate`, has gone in."""
        self._given += len(pcm)
        return self._filter(pcm)

    def finish(self) -> Pcm:
        """The rest; nothing may follow. All together is round(given * `to_rate` / `from_rate`) samples."""
        rest = self._filter(self._silence)
        surplus = self._made - round(self._given * self._to / self._from)
        return rest[: len(rest) - surplus]

    def _filter(self, pcm: Pcm) -> Pcm:
        out = self._chain.process(pcm)
        before = max(0, -self._made)
        self._made += len(out)
        return out[before:]
