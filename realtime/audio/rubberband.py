"""Faster or slower speech at the same pitch, whole and at the best quality, by the Rubber Band library.

Over pyrubberband and the program `rubberband`: by measure nearer to the voice than `tempo.Tempo` at every
speed, at five to ten times the cost, and nothing comes out before all has gone in. So it is for whole files.
"""

from __future__ import annotations

import shutil
import subprocess

import numpy as np

from realtime.audio.tempo import FASTEST, SLOWEST
from realtime.errors import RealtimeError
from realtime.types import Pcm

#: The longest sound that is stretched in one piece; it bounds memory, temporary files and time.
LONGEST_S = 300
_PROGRAM = "rubberband"
#: The finer of the library's two engines, R3: since version 3.
_OLDEST_MAJOR = 3
_FINER = "-3"
_VERSION_TIMEOUT_S = 10
#: Of an empty file the program never finds the end, and of a few samples it makes none.
_SILENCE_S = 0.1
#: The samples pass through files of 16 bit. A sound that gets louder on its way would be made softer as a
#: whole, but at half the level none does.
_LEVEL = np.float32(0.5)


def is_installed() -> bool:
    """Whether the program is there, in version 3 or later. Starts it: not for the event loop."""
    program = shutil.which(_PROGRAM)
    if program is None:
        return False
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return False
    major = (answer.stdout + answer.stderr).strip().partition(".")[0]
    return major.isdecimal() and int(major) >= _OLDEST_MAJOR


class RubberBandTempo:
    """One stream of mono float32 sound, `speed` times as fast; all of it comes out at its end.

    The input's time t comes to lie at t / `speed`. How the input is cut into calls changes nothing.
    """

    def __init__(self, rate: int, speed: float) -> None:
        """`rate` in Hz; `speed` from 0.25 to 4, else `ValueError`."""
        if not SLOWEST <= speed <= FASTEST:
            raise ValueError(f"speed must be from {SLOWEST} to {FASTEST}, not {speed}")
        self._rate, self._speed = rate, speed
        self._parts: list[Pcm] = []
        self._given = 0

    def process(self, pcm: Pcm) -> Pcm:
        """Nothing yet. Raises `RealtimeError` when more than `LONGEST_S` of sound has gone in."""
        self._given += len(pcm)
        if self._given > LONGEST_S * self._rate:
            self._parts.clear()
            raise RealtimeError(f"at most {LONGEST_S} s of sound can be stretched in one piece")
        self._parts.append(pcm)
        return np.zeros(0, np.float32)

    def finish(self) -> Pcm:
        """All of it: round(given / `speed`) samples. Nothing may follow.

        Runs the program and waits for it: 10 to 60 ms per second of sound. Raises `RealtimeError` when the
        program is not there, or fails.
        """
        length = round(self._given / self._speed)
        if self._speed == 1 or length == 0:
            return np.concatenate([*self._parts, np.zeros(0, np.float32)])[:length]
        silence = np.zeros(round(_SILENCE_S * self._rate), np.float32)
        pcm = np.concatenate([*self._parts, silence]).astype(np.float32, copy=False)
        self._parts.clear()
        made = self._stretched(pcm * _LEVEL)[:length] / _LEVEL
        return np.pad(made, (0, length - len(made)))

    def _stretched(self, pcm: Pcm) -> Pcm:
        import pyrubberband  # with libsndfile behind it: only a server that uses it pays for it

        try:
            made = pyrubberband.time_stretch(pcm, self._rate, self._speed, {_FINER: ""})
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            # Not started, failed, or its files not written or read: the cause names files, the message not.
            raise RealtimeError(f"the program {_PROGRAM} could not change the tempo") from error
        stretched: Pcm = made.astype(np.float32, copy=False)
        return stretched
