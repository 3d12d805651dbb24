"""From the frames of a context to sound, exact to the sample."""

from __future__ import annotations

import numpy as np

from realtime.audio.opus import OpusDecoder
from realtime.client.chunks import Chunk
from realtime.client.errors import UndecodableFormatError
from realtime.session import messages as wire
from realtime.session.frames import FrameKind
from realtime.types import TIMELINE_RATE, Pcm

#: Rates that Opus is decoded at: the listener's, and the one at which speech is coded.
_OPUS_RATES = (TIMELINE_RATE, 24_000)
_DECODABLE = ("opus", "pcm_s16le", "mulaw")
_FULL_SCALE = np.float32(32768)
#: ITU-T G.711: what is added to a magnitude before it is coded, on the scale of 16 bits.
_MULAW_BIAS = 0x84


class Decoder:
    """Turns the frames of one context into float32 mono, shape (samples,), in [-1, 1].

    All samples together are exactly as long as the durations of the frames: the pre-skip is dropped, and the
    last frame is cut. Give it every frame, in order.
    """

    def __init__(self, ready: wire.SessionReady, sample_rate: int | None = None) -> None:
        """`ready`: the settings in force when the context was opened. Raises as `check_decodable` does."""
        self.sample_rate = check_decodable(ready, sample_rate)
        self._scale = TIMELINE_RATE // self.sample_rate
        self._skip = ready.pre_skip // self._scale
        self._opus = OpusDecoder(self.sample_rate) if ready.format == "opus" else None

    def decode(self, chunk: Chunk) -> Pcm:
        """The sound of one frame; empty for the empty frame that may close a context."""
        if not chunk.payload:
            return np.zeros(0, np.float32)
        if chunk.kind is FrameKind.PCM_S16LE:
            return np.frombuffer(chunk.payload, "<i2").astype(np.float32) / _FULL_SCALE
        if chunk.kind is FrameKind.MULAW:
            return _MULAW[np.frombuffer(chunk.payload, np.uint8)]
        if self._opus is None:
            raise UndecodableFormatError(
                f"a frame of kind {chunk.kind.name} in a session that has another format"
            )
        pcm = self._opus.decode(chunk.payload)
        skipped = min(self._skip, len(pcm))
        self._skip -= skipped
        return pcm[skipped : skipped + chunk.duration // self._scale]


def check_decodable(ready: wire.SessionReady, sample_rate: int | None) -> int:
    """The rate in Hz that the frames are decoded at; `sample_rate` None means that of the session.

    Raises `UndecodableFormatError` for containers, `ValueError` for a rate that the format cannot give.
    """
    if ready.format not in _DECODABLE:
        raise UndecodableFormatError(
            f"{ready.format} is a container: hand its bytes to a player or a demuxer, or ask for one of the "
            f"formats {', '.join(_DECODABLE)}"
        )
    rates = _OPUS_RATES if ready.format == "opus" else (ready.sample_rate,)
    rate = ready.sample_rate if sample_rate is None else sample_rate
    if rate not in rates:
        raise ValueError(
            f"{ready.format} is decoded at {' or '.join(map(str, rates))} Hz here, not at {rate}"
        )
    return rate


def _mulaw_table() -> Pcm:
    """What each of the 256 codes of G.711 mu-law means."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4) & 7, (code & 15).astype(np.int32)
    magnitude = ((mantissa << 3) + _MULAW_BIAS << exponent) - _MULAW_BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.float32) / _FULL_SCALE


_MULAW = _mulaw_table()
