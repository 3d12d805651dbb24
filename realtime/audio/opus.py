"""Opus encoding and decoding, by opuslib-next on the libopus that PyAV's wheel brings.

Nothing of the operating system is needed. Calls go through `ctypes.CDLL`, which releases the GIL: encoders
in worker threads run beside each other and beside the event loop.
"""

from __future__ import annotations

import ctypes.util
import functools
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from realtime.types import TIMELINE_RATE, Pcm

#: The rate at which speech is coded, in Hz; the voices speak at 24 kHz, so nothing is lost.
CODED_RATE = 24_000
#: From complexity 5 on libopus filters by the pitch of the sound. At 32 kbit/s that is worth something: by
#: PLCMOS of 20 sentences 4.23 instead of 4.20 (10 gives 4.37 for four times the time). At 64 kbit/s (4.34 and
#: 4.33) it is a quarter of the encoder's time for nothing.
COMPLEXITY = 4
SCARCE_COMPLEXITY = 5
SCARCE_BITRATE = 48_000


def bundled_libopus() -> str | None:
    """Path of the libopus inside PyAV's wheel, None when PyAV was built against the system's libraries."""
    spec = importlib.util.find_spec("av")
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    for folder in (package.parent / "av.libs", package / ".dylibs"):  # Linux; macOS
        for library in sorted(folder.glob("libopus[.-]*")):
            return str(library)
    return None


@functools.cache
def _opuslib() -> ModuleType:
    # opuslib-next looks for the library once, while it is imported, and only among the system's.
    find_in_system = ctypes.util.find_library
    path = bundled_libopus()

    def find_library(name: str) -> str | None:
        return path if name == "opus" and path else find_in_system(name)

    ctypes.util.find_library = find_library
    try:
        return importlib.import_module("opuslib_next")
    finally:
        ctypes.util.find_library = find_in_system


class OpusEncoder:
    """One encoder for one stream of mono sound at `CODED_RATE`; a reset would be heard."""

    def __init__(self, bitrate: int, frame_ms: int = 20) -> None:
        """`bitrate` in bit/s (variable, constrained), `frame_ms` one of 20, 40, 60."""
        opus = _opuslib()
        self._encoder: Any = opus.Encoder(CODED_RATE, 1, opus.APPLICATION_AUDIO)
        self._encoder.bitrate = bitrate
        self._encoder.complexity = COMPLEXITY if bitrate > SCARCE_BITRATE else SCARCE_COMPLEXITY
        #: Samples at `CODED_RATE` that one packet takes.
        self.frame_samples = CODED_RATE * frame_ms // 1000
        #: Samples at `CODED_RATE` by which the decoded sound is late.
        self.lookahead: int = self._encoder.lookahead
        #: Nothing: all that has been encoded has left.
        self.held_back = 0

    def encode(self, frame: bytes) -> bytes:
        """One packet from exactly `frame_samples` signed 16-bit samples in the machine's byte order."""
        packet: bytes = self._encoder.encode(frame, self.frame_samples)
        return packet

    def encode_last(self, frame: bytes, discard: int) -> bytes:
        """The last packet of the stream; it cannot say itself that `discard` samples are not to be heard."""
        return self.encode(frame)

    def close(self) -> bytes:
        """Nothing: bare packets have no end of their own."""
        return b""


class OpusDecoder:
    """One decoder for one stream of mono packets."""

    def __init__(self, sample_rate: int = TIMELINE_RATE) -> None:
        """`sample_rate` in Hz: 8000, 12000, 16000, 24000 or 48000."""
        self._decoder: Any = _opuslib().Decoder(sample_rate, 1)
        self._longest = sample_rate * 120 // 1000

    def decode(self, packet: bytes) -> Pcm:
        """The samples of one packet, float32 in [-1, 1]."""
        return np.frombuffer(self._decoder.decode_float(packet, self._longest), dtype=np.float32)
