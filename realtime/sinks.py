"""Where the sound of `say` goes: the sound device, or a file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import deque
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from realtime.audio.opus import CODED_RATE
from realtime.client import ClientError
from realtime.types import Pcm

_PLAYER_BLOCK_MS = 20


class Sink(Protocol):
    """Takes sound: mono float32 at `CODED_RATE`."""

    def write(self, pcm: Pcm) -> None:
        """Take more sound; returns at once."""
        ...

    async def close(self) -> None:
        """Returns when everything has been played or written."""
        ...


class FileSink:
    """Writes a .wav (16 bit) or .ogg (Opus) file."""

    def __init__(self, path: Path) -> None:
        """The ending of `path` chooses; raises `ClientError` for others."""
        import soundfile

        kinds = {".wav": ("WAV", "PCM_16"), ".ogg": ("OGG", "OPUS")}
        kind = kinds.get(path.suffix.lower())
        if kind is None:
            raise ClientError(f"{path}: a sound file must end in {' or '.join(kinds)}")
        try:
            self._file: Any = soundfile.SoundFile(
                path, "w", samplerate=CODED_RATE, channels=1, format=kind[0], subtype=kind[1]
            )
        except (OSError, soundfile.LibsndfileError) as error:
            raise ClientError(f"{path} cannot be written: {error}") from error

    def write(self, pcm: Pcm) -> None:
        """Append."""
        self._file.write(pcm)

    async def close(self) -> None:
        """Complete the file."""
        self._file.close()


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """ALSA writes thirty lines to the file descriptor itself where there is no sound card."""
    saved = os.dup(2)
    with open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


class PlayerSink:
    """Plays on the system's sound device, by miniaudio."""

    def __init__(self) -> None:
        """Raises `ClientError` when there is no device."""
        import miniaudio

        self._waiting: deque[Pcm] = deque()
        self._lock = threading.Lock()
        self._ended = False
        self._silent = threading.Event()
        # The null device swallows sound without a word: better to say that there is none. And libjack takes
        # the process down where no JACK server runs; where one does, ALSA or PulseAudio reaches it.
        left_out = (miniaudio.Backend.NULL, miniaudio.Backend.CUSTOM, miniaudio.Backend.JACK)
        backends = [each for each in miniaudio.get_enabled_backends() if each not in left_out]
        backends.sort(key=lambda backend: int(backend.value))  # miniaudio's own order of preference
        try:
            with _quiet_stderr():
                self._device: Any = miniaudio.PlaybackDevice(
                    output_format=miniaudio.SampleFormat.FLOAT32,
                    nchannels=1,
                    sample_rate=CODED_RATE,
                    buffersize_msec=_PLAYER_BLOCK_MS,
                    backends=backends,
                )
            source = self._source()
            next(source)
            self._device.start(source)
        except miniaudio.MiniaudioError as error:
            raise ClientError("there is no sound device here; write a file with --out FILE.wav") from error

    def _source(self) -> Generator[bytes, int, None]:
        wanted = yield b""
        while True:
            with self._lock:
                parts: list[Pcm] = []
                missing = wanted
                while missing and self._waiting:
                    head = self._waiting.popleft()
                    parts.append(head[:missing])
                    if len(head) > missing:
                        self._waiting.appendleft(head[missing:])
                    missing -= len(parts[-1])
                if missing and self._ended:
                    self._silent.set()
            parts.append(np.zeros(missing, np.float32))
            wanted = yield np.concatenate(parts).tobytes()

    def write(self, pcm: Pcm) -> None:
        """Queue for playing."""
        with self._lock:
            self._waiting.append(pcm)

    async def close(self) -> None:
        """Wait until the last sample has been played."""
        with self._lock:
            self._ended = True
        await asyncio.to_thread(self._silent.wait)
        await asyncio.sleep(2 * _PLAYER_BLOCK_MS / 1000)
        self._device.close()
