"""Recordings and files of sound for the tests of cloning."""

from __future__ import annotations

import hashlib
import io
import subprocess

import numpy as np
import soundfile
from numpy.typing import NDArray

from realtime.types import Pcm
from realtime.voices.recording import Recording

RATE = 24_000


def tone(seconds: float, rate: int = RATE, hz: float = 300, level: float = 0.3) -> Pcm:
    """A cosine, shape (samples,)."""
    return (level * np.cos(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def speechlike(seconds: float, rate: int = RATE) -> Pcm:
    """A gliding voice in syllables; its peak is 1, and few samples come near to it."""
    time = np.arange(round(seconds * rate)) / rate
    glide = np.cumsum(140 + 60 * np.sin(2 * np.pi * 0.7 * time)) / rate
    voiced = sum(np.sin(2 * np.pi * harmonic * glide) / harmonic for harmonic in range(1, 20))
    sound = voiced * np.clip(np.sin(2 * np.pi * 3.1 * time) + 0.4, 0, 1)
    return (sound / np.abs(sound).max()).astype(np.float32)


def file_of(
    pcm: NDArray[np.float32], rate: int = RATE, kind: str = "WAV", subtype: str | None = None
) -> bytes:
    """A file by libsndfile; block by block, for its Vorbis encoder crashes on a minute at once."""
    file = io.BytesIO()
    channels = pcm.shape[1] if pcm.ndim == 2 else 1
    with soundfile.SoundFile(file, "w", rate, channels, subtype, format=kind) as sound:
        for at in range(0, len(pcm), 4096):
            sound.write(pcm[at : at + 4096])
    return file.getvalue()


def ffmpeg(*arguments: str, data: bytes | None = None) -> bytes:
    """What the program writes to `pipe:1`."""
    command = ["ffmpeg", "-v", "error", "-y", *arguments]
    return subprocess.run(command, input=data, check=True, capture_output=True, timeout=60).stdout


def recording(hz: float = 300, seconds: float = 1.0) -> Recording:
    """As `read_recording` would give it."""
    samples = np.rint(tone(seconds, hz=hz) * 32_768).astype(np.int16)
    return Recording(
        pcm=samples.astype(np.float32) / 32_768,
        sample_rate=RATE,
        seconds=seconds,
        key=hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest(),
        flac=file_of(samples, kind="FLAC", subtype="PCM_16"),
    )
