"""What a listener missed: the sound that was heard is laid upon the sound that was sent, block by block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime.audio.opus import OpusDecoder
from realtime.audio.silence import AUDIBLE
from realtime.session.frames import decode_frame
from realtime.types import TIMELINE_RATE

Sound = NDArray[np.float32]

_BLOCK = TIMELINE_RATE // 25  # 40 ms
#: The same sound from two decoders is closer than this; the next period of a vowel is not.
_SAME = 0.98
#: How much sound may be missing between a block and the one before it, and how much silence may be.
_BACK_S = 3
_AHEAD_S = 20


@dataclass(frozen=True, slots=True)
class Slip:
    """A place where what was heard does not go on as what was sent."""

    #: On the timeline of what was sent.
    at_s: float
    #: Silence that was not sent; below zero: sound that was not heard.
    ms: float


@dataclass(frozen=True, slots=True)
class Heard:
    """How a sound was heard. Blocks are those of 40 ms that are audible."""

    blocks: int
    #: Blocks that are nowhere in what was heard, or not whole.
    broken: int
    slips: list[Slip]

    @property
    def gaps(self) -> list[Slip]:
        """Silences that were not sent."""
        return [slip for slip in self.slips if slip.ms > 0]

    @property
    def lost_ms(self) -> float:
        """Sound that was not heard, to a block or two: the blocks that a gap breaks are not lost."""
        skipped = sum(-slip.ms for slip in self.slips if slip.ms < 0)
        return max(skipped, (self.broken - 2 * len(self.gaps)) * _BLOCK * 1000 / TIMELINE_RATE, 0.0)


def sent_sound(messages: list[bytes], pre_skip: int) -> Sound:
    """What the frames of one context hold, at 48 kHz; `pre_skip` in samples of it."""
    decoder = OpusDecoder(TIMELINE_RATE)
    packets = [decode_frame(message).packet for message in messages]
    parts = [decoder.decode(packet.payload) for packet in packets if packet.payload]
    length = sum(packet.duration for packet in packets)
    return np.concatenate(parts)[pre_skip : pre_skip + length] if parts else np.zeros(0, np.float32)


def compare(sent: Sound, heard: Sound) -> Heard:
    """Find the audible blocks of `sent` in `heard`; both at 48 kHz.

    The first one may lie anywhere in the first seconds.
    """
    slips: list[Slip] = []
    blocks = broken = 0
    lag: int | None = None
    for start in range(0, len(sent) - _BLOCK + 1, _BLOCK):
        block = sent[start : start + _BLOCK]
        if float(np.sqrt(np.mean(block**2))) < AUDIBLE:
            continue
        blocks += 1
        if lag is not None and _likeness(block, heard[start + lag : start + lag + _BLOCK]) >= _SAME:
            continue
        found = _find(block, heard, start + (lag or 0))
        if found is None:
            broken += 1
            continue
        if lag is not None and found - start != lag:
            slips.append(Slip(start / TIMELINE_RATE, (found - start - lag) * 1000 / TIMELINE_RATE))
        lag = found - start
    return Heard(blocks, broken, slips)


def _likeness(block: Sound, other: Sound) -> float:
    if len(other) < len(block):
        return 0.0
    energy = float(np.dot(block, block)) * float(np.dot(other, other))
    return float(np.dot(block, other)) / energy**0.5 if energy > 0 else 0.0


def _find(block: Sound, heard: Sound, around: int) -> int | None:
    """Where the block begins in what was heard, not too far from `around`."""
    begin = max(0, around - _BACK_S * TIMELINE_RATE)
    window = heard[begin : around + _AHEAD_S * TIMELINE_RATE + len(block)]
    if len(window) < len(block):
        return None
    size = 1 << (len(window) + len(block)).bit_length()
    spectrum = np.fft.rfft(window, size) * np.conj(np.fft.rfft(block, size))
    products = np.fft.irfft(spectrum, size)[: len(window) - len(block) + 1]
    sums = np.concatenate([[0.0], np.cumsum(window.astype(np.float64) ** 2)])
    energies = sums[len(block) :] - sums[: -len(block)]
    scale = np.sqrt(np.maximum(energies, 1e-9) * float(np.dot(block, block)))
    best = int(np.argmax(products / scale))
    return begin + best if _likeness(block, window[best : best + len(block)]) >= _SAME else None
