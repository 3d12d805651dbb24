"""Where speech begins and ends, and edges that do not click."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime.types import Pcm

#: Sound below this is not heard as speech by itself, in dBFS; and as amplitude.
AUDIBLE_DB = -45.0
AUDIBLE = 10 ** (AUDIBLE_DB / 20)

LEAD_S = 0.030  # silence kept before a segment's first audible sample
TAIL_S = 0.040  # and after its last
FADE_S = 0.005  # at an edge that was cut, so that it does not click

#: Speech is soft down to here (RMS of a frame): 40 dB below a voice of usual level.
_SOFT_POWER = 10 ** (-60 / 10)
_FRAME_S = 0.005
_MARGIN_S = 2 * FADE_S  # kept around soft speech, so that the fade at the edge takes nothing from it
#: The longest silence inside soft speech: a plosive's closure, as before the k of "think".
_PAUSE_S = 0.150
#: Soft speech is followed no longer than this: no consonant lasts so long.
_LONGEST_S = 1.0
#: A voice that never gets as loud as the threshold has at least so much soft speech, not long before the end.
_SHORTEST_S = 0.1
#: Noise is what is this steady for this long at the very edge of the sound: no consonant is.
_NOISE_S = 0.3
_NOISE_PARTS = 6
_STEADY = 4.0  # the loudest of the parts over the softest, in power: 6 dB
_ABOVE_NOISE = 4.0  # speech is this much above noise, in power: 6 dB
_CREST_DB = 12.0  # from the RMS of soft sound to its highest samples


def audible_range(pcm: Pcm, threshold_db: float = AUDIBLE_DB) -> tuple[int, int]:
    """[start, end) in samples around all that reaches the threshold; (len, len) when nothing does."""
    # Single samples, not RMS over windows: a soft onset is not cut off, and chunking changes nothing.
    audible = np.flatnonzero(np.abs(pcm) >= 10 ** (threshold_db / 20))
    if len(audible) == 0:
        return len(pcm), len(pcm)
    return int(audible[0]), int(audible[-1]) + 1


def fade_in(pcm: Pcm, samples: int) -> Pcm:
    """A copy that rises linearly from 0 over its first `samples`."""
    faded = pcm.copy()
    count = min(samples, len(faded))
    faded[:count] *= np.linspace(0.0, 1.0, count, dtype=np.float32)
    return faded


def fade_out(pcm: Pcm, samples: int) -> Pcm:
    """A copy that falls linearly to 0 over its last `samples`."""
    return fade_in(pcm[::-1], samples)[::-1]


@dataclass(frozen=True, slots=True, eq=False)
class Trimmed:
    """Sound that is to be heard now: without what was cut off, and without what is not decided yet.

    `begins`: it is the first of its segment; then `removed` samples before it were cut off, and `lead` is how
    many of its samples are silence before the speech. `speech` is how many of its samples there are up to the
    end of the last speech in it, 0 when there is none.
    """

    pcm: Pcm
    begins: bool = False
    removed: int = 0
    lead: int = 0
    speech: int = 0


class Trim:
    """Takes the silence off both ends of one segment, and nothing that is speech.

    A sample that reaches the threshold is certainly speech. Around it speech may be softer, as fricatives,
    aspiration and released plosives are: from the first such sample back, and from the last one on, belongs
    to it what is above -60 dBFS in frames of 5 ms, and 6 dB above noise that is steady at the sound's edge,
    over pauses of up to 150 ms and for at most 1 s. `LEAD_S` before and `TAIL_S` after the certain speech are
    kept in any case, and 10 ms around the soft one. So the threshold decides when a segment begins to be
    heard and hardly what is cut off, and nothing waits for more sound. A voice that stays below the threshold
    is heard as well, when 1 s of soft speech has come or the segment ends.

    How the sound is cut into calls changes nothing in all that comes out. Not thread-safe.
    """

    def __init__(self, rate: int, threshold_db: float = AUDIBLE_DB, speed: float = 1.0) -> None:
        """`rate` in Hz; `threshold_db` in dBFS; at a `speed` below 1 consonants are longer by it."""
        slower = max(1.0, 1 / speed)
        self._threshold_db = threshold_db
        self._rate = rate
        self._frame = max(1, round(_FRAME_S * rate))
        self._pause = round(_PAUSE_S * slower / _FRAME_S)  # this and the next ones in frames
        self._longest = round(_LONGEST_S * slower / _FRAME_S)
        self._shortest = round(_SHORTEST_S / _FRAME_S)
        self._noise_frames = round(_NOISE_S * slower / _FRAME_S) // _NOISE_PARTS * _NOISE_PARTS
        self._noise: float | None = None  # power of what is steady at the beginning
        self._held: Pcm = np.zeros(0, np.float32)  # before the beginning a whole number of frames is gone
        self._gone = 0
        self._begun = False

    def process(self, pcm: Pcm, last: bool) -> Trimmed:
        """What is to be heard now, after `pcm` has come; `last` ends the segment, and nothing may follow."""
        if self._begun:
            return self._go_on(pcm, last)
        known = len(self._held)
        loud = known + audible_range(pcm, self._threshold_db)[0]
        self._held = np.concatenate([self._held, pcm]) if known else pcm
        found = self._beginning(loud, last)
        if found is None:
            self._forget()
            return Trimmed(self._held[:0])
        start, certain = found
        cut = max(0, min(certain - self._samples(LEAD_S), start - self._samples(_MARGIN_S)))
        removed = self._gone + cut
        sound = self._held[cut:]
        self._held = sound[:0]
        self._begun = True
        heard = self._go_on(fade_in(sound, self._samples(FADE_S)) if removed else sound, last)
        return Trimmed(heard.pcm, True, removed, start - cut, heard.speech)

    def _samples(self, seconds: float) -> int:
        return round(seconds * self._rate)

    def _beginning(self, loud: int, last: bool) -> tuple[int, int] | None:
        """Where in what is held speech begins, and where it is certain; None: not yet.

        `loud` is where what is held reaches the threshold, its end when it does not.
        """
        size = self._frame
        is_loud = loud < len(self._held)
        powers = self._powers(self._held[: loud // size * size])
        if self._noise is None and len(powers) >= self._noise_frames:
            self._noise = self._steady_power(powers[: self._noise_frames])
        floor = max(_SOFT_POWER, _ABOVE_NOISE * (self._noise or 0.0))
        soft = np.flatnonzero(powers >= floor)
        begins = self._run_begins(soft)
        enough = soft - begins >= self._longest
        if last and not is_loud:
            near_end = (soft - begins >= self._shortest) & (soft >= len(powers) - self._longest)
            enough |= near_end & (powers[soft] >= _ABOVE_NOISE * self._noise_at_end(powers))
        long = np.flatnonzero(enough)
        if len(long):
            # Too soft for the threshold for too long: it would be missed, or be waited for.
            self._threshold_db = min(self._threshold_db, 10 * math.log10(floor) + _CREST_DB)
            start = int(begins[long[0]]) * size
            return start, start
        if not is_loud:
            return None
        near = len(soft) and loud // size - soft[-1] <= self._pause
        return (int(begins[-1]) * size if near else loud), loud

    def _run_begins(self, soft: NDArray[np.intp]) -> NDArray[np.intp]:
        """For each of these frames the first one of its run; a pause that is too long ends a run."""
        fresh = np.diff(soft, prepend=-self._pause - 2) > self._pause
        return soft[np.maximum.accumulate(np.where(fresh, np.arange(len(soft)), 0))]

    def _forget(self) -> None:
        """Drop what is too far back to become a part of any beginning."""
        needed = (2 * self._longest + self._pause + 2) * self._frame + self._samples(LEAD_S)
        drop = max(0, len(self._held) - needed) // self._frame * self._frame
        self._held = self._held[drop:]
        self._gone += drop

    def _go_on(self, pcm: Pcm, last: bool) -> Trimmed:
        """What follows the last loud sample waits for more of them, or ends the segment."""
        start, end = audible_range(pcm, self._threshold_db)
        heard = len(self._held) + end if start < end else 0
        sound = np.concatenate([self._held, pcm]) if len(self._held) else pcm
        if not last:
            self._held = sound[heard:]
            return Trimmed(sound[:heard], speech=heard)
        speech = heard + self._soft_end(sound[heard:])
        margin = self._samples(_MARGIN_S) if speech > heard else 0
        end = max(heard + self._samples(TAIL_S), speech + margin)
        if end < len(sound):
            sound = fade_out(sound[:end], self._samples(FADE_S))
        return Trimmed(sound, speech=speech)

    def _soft_end(self, tail: Pcm) -> int:
        """How many samples of what follows the last loud one are still speech."""
        powers = self._powers(tail)
        noise = max(self._noise or 0.0, self._noise_at_end(powers))
        soft = np.flatnonzero(powers[: self._longest] >= max(_SOFT_POWER, _ABOVE_NOISE * noise))
        fits = np.diff(soft, prepend=-1) <= self._pause
        count = len(soft) if fits.all() else int(np.argmin(fits))
        return min(len(tail), (int(soft[count - 1]) + 1) * self._frame) if count else 0

    def _powers(self, pcm: Pcm) -> NDArray[np.float32]:
        """Mean power of each frame; the last may be shorter."""
        whole = len(pcm) // self._frame * self._frame
        frames = np.square(pcm[:whole]).reshape(-1, self._frame).mean(axis=1)
        rest = np.square(pcm[whole:])
        return np.append(frames, rest.mean()) if len(rest) else frames

    def _noise_at_end(self, powers: NDArray[np.float32]) -> float:
        enough = len(powers) >= self._noise_frames
        return self._steady_power(powers[-self._noise_frames :]) if enough else 0.0

    def _steady_power(self, powers: NDArray[np.float32]) -> float:
        """The power of frames that are noise; 0 when they are not steady."""
        parts = powers.reshape(_NOISE_PARTS, -1).mean(axis=1)
        return float(parts.mean()) if parts.max() <= _STEADY * parts.min() else 0.0
