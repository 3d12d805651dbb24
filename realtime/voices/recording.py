"""A recording of a voice that is to be cloned, from the file that a client sent.

It is decoded in a process of its own (`voices.decoding`); what is checked here is whether it is fit to clone
a voice from.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

import msgspec
import numpy as np
import structlog

from realtime.errors import INTERNAL_MESSAGE, ErrorCode, RealtimeError
from realtime.types import Pcm
from realtime.voices.decoding import SAMPLE_RATE, Decoded, Refused

MOST_BYTES = 20 * 1024 * 1024
#: Softer sound lies less than 15 dB above the noise of usual microphones and rooms, and that would be cloned.
LEAST_LEVEL_DB = -45.0
#: So much of the recording must be louder than that: one short sentence.
LEAST_LOUD_S = 0.5
#: Clean speech has no such runs, even when it reaches full scale; speech 6 dB too loud has 0.4 to 1 %.
MOST_CLIPPED = 0.001
_FRAME = SAMPLE_RATE // 20
_PATIENCE_S = 30.0
#: What the process that reads the file is told of ours: where its libraries are, and no secrets.
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "HOME", "LANG", "TMPDIR")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """`pcm` is mono float32 in [-1, 1], shape (samples,), at `sample_rate`; each sample is a 16-bit number.

    `flac` is a file with the same samples; `key` the SHA-256 of them as 16-bit little endian, in hexadecimal.
    So reading `flac` again gives the same key.
    """

    pcm: Pcm
    sample_rate: int
    seconds: float
    key: str
    flac: bytes


def read_recording(data: bytes, param: str = "file") -> Recording:
    """The recording in a file; blocks while it is decoded: a tenth of a second or more.

    Takes WAV, FLAC, MP3, Ogg (Vorbis, Opus) and M4A (AAC), 1 to 60 s. Raises `RealtimeError` with `param` and
    BODY_TOO_LARGE, NOT_AUDIO, AUDIO_TOO_SHORT, AUDIO_TOO_LONG, AUDIO_TOO_QUIET, AUDIO_CLIPPED, or INTERNAL.
    """
    try:
        return _checked(_decoded(data))
    except RealtimeError as error:
        error.param = param
        raise


def _decoded(data: bytes) -> Decoded:
    if len(data) > MOST_BYTES:
        raise RealtimeError(
            f"the file has {len(data)} bytes; at most {MOST_BYTES} are allowed",
            ErrorCode.BODY_TOO_LARGE,
        )
    if not data:
        raise RealtimeError("the file is empty", ErrorCode.NOT_AUDIO)
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(path or os.getcwd() for path in sys.path)
    environment["OPENBLAS_NUM_THREADS"] = "1"  # each would take 30 MB of the memory that is allowed
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "realtime.voices.decoding"],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=_PATIENCE_S,
        )
    except subprocess.TimeoutExpired:
        raise RealtimeError("reading the file takes longer than is allowed", ErrorCode.NOT_AUDIO) from None
    except OSError as error:  # no process, no memory
        _log.error("recording_not_decoded", reason=str(error))
        raise RealtimeError(INTERNAL_MESSAGE) from error
    if done.returncode != 0:
        _log.warning("recording_decoder_ended", code=done.returncode, bytes=len(data))
        raise RealtimeError("the file cannot be read", ErrorCode.NOT_AUDIO)
    reply: Decoded | Refused = msgspec.msgpack.decode(done.stdout, type=Decoded | Refused)
    if isinstance(reply, Refused):
        raise RealtimeError(reply.message, reply.code)
    return reply


def _checked(decoded: Decoded) -> Recording:
    pcm = np.frombuffer(decoded.pcm, np.int16).astype(np.float32) / np.float32(32_768)
    check_level(pcm)
    if decoded.clipped > MOST_CLIPPED:
        raise RealtimeError(
            f"the recording is clipped: {decoded.clipped:.1%} of it lies at full scale, at most "
            f"{MOST_CLIPPED:.1%} may; record it again with less gain",
            ErrorCode.AUDIO_CLIPPED,
        )
    return Recording(pcm, SAMPLE_RATE, decoded.seconds, decoded.key, decoded.flac)


def check_level(pcm: Pcm) -> None:
    """Raises AUDIO_TOO_QUIET when less than `LEAST_LOUD_S` of the sound is louder than `LEAST_LEVEL_DB`.

    The level is the RMS of 50 ms in dBFS, without its mean: a constant is no sound.
    """
    frames = pcm[: len(pcm) // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float64)
    levels = 20 * np.log10(np.maximum(frames.std(axis=1), 1e-6))
    loud_s = np.count_nonzero(levels >= LEAST_LEVEL_DB) * _FRAME / SAMPLE_RATE
    if loud_s < LEAST_LOUD_S:
        raise RealtimeError(
            f"the recording is too quiet: {loud_s:.2f} s of it are louder than {LEAST_LEVEL_DB:g} dBFS, its "
            f"loudest part has {levels.max():.0f} dBFS; at least {LEAST_LOUD_S:g} s must be",
            ErrorCode.AUDIO_TOO_QUIET,
        )
