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
#: Without any loss expected libopus adds nothing that would help against it. Of three sentences of which 8 %
#: of the packets were lost, PLCMOS is 4.28 with, and 3.16 without.
EXPECTED_LOSS_PERCENT = 10
#: An encoder that is ready for loss takes 150 us for a frame of 20 ms (and 75 us one that is not); each step
#: from here takes 50 us more, and the first two are worth 0.1 by PLCMOS.
RESILIENT_COMPLEXITY = 0
_SETTLED = 10


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

    def __init__(self, bitrate: int, frame_ms: int = 20, *, resilient: bool = False) -> None:
        """`bitrate` in bit/s (variable, constrained), `frame_ms` one of 20, 40, 60.

        `resilient`: each packet also holds what is needed most of the one before, in case that is lost
        (in-band FEC, RFC 6716, 2.1.7). Such an encoder codes speech in another way, which takes longer.
        """
        opus = _opuslib()
        application = opus.APPLICATION_VOIP if resilient else opus.APPLICATION_AUDIO
        self._encoder: Any = opus.Encoder(CODED_RATE, 1, application)
        self._encoder.bitrate = bitrate
        if resilient:
            self._encoder.signal = opus.SIGNAL_VOICE
            self._encoder.inband_fec = True
            self._encoder.packet_loss_perc = EXPECTED_LOSS_PERCENT
            self._encoder.complexity = RESILIENT_COMPLEXITY
        else:
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


@functools.cache
def silent_packet(bitrate: int = 32_000) -> bytes:
    """20 ms of silence between the packets of `resilient` encoders."""
    encoder = OpusEncoder(bitrate, resilient=True)
    silence = bytes(2 * encoder.frame_samples)
    return [encoder.encode(silence) for _ in range(_SETTLED)][-1]


class OpusDecoder:
    """One decoder for one stream of mono packets."""

    def __init__(self, sample_rate: int = TIMELINE_RATE) -> None:
        """`sample_rate` in Hz: 8000, 12000, 16000, 24000 or 48000."""
        self._decoder: Any = _opuslib().Decoder(sample_rate, 1)
        self._longest = sample_rate * 120 // 1000

    def decode(self, packet: bytes) -> Pcm:
        """The samples of one packet, float32 in [-1, 1]."""
        return np.frombuffer(self._decoder.decode_float(packet, self._longest), dtype=np.float32)
