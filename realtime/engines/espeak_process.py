"""A process for every text that espeak speaks: forked for it, and gone after it.

So each text meets the library in its first state and sounds the same every time; what the library leaks (180
kB for a text with a foreign word) is given back; a text on which it crashes or hangs costs that text alone;
and the GPL's code is in no process that lives on.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import struct
import sys
import time
import warnings
from typing import NoReturn

from realtime.engines import espeak_library
from realtime.engines.espeak_library import WordEvent
from realtime.engines.synthesizer import Cancellation
from realtime.errors import EngineError

# A text of 500 characters takes 0.1 s; what takes longer than this has lost its way.
_LIMIT_S = 20
_MARGIN_S = 1  # so much later the parent gives up a fork that did not end itself
_HEAD = struct.Struct("=II")  # what follows: events, bytes of sound
_WORD = struct.Struct("=ii")  # position, sample
_END = (0xFFFFFFFF, 0)  # nothing follows
_FAILED = 0xFFFFFFFE  # as the number of events: what follows is the text of an error
_MAX_DESCRIPTORS = 1024
_POLL_MS = 50
_PR_SET_PDEATHSIG = 1  # sys/prctl.h


def speak(
    text: str, voice: str, pause_at_end: bool, cancellation: Cancellation
) -> tuple[bytes, list[WordEvent]]:
    """The sound of a text, int16 at `espeak_library.SAMPLE_RATE`, and its words; less when cancelled.

    Parameters are those of `espeak_library.speak`. May be called from several threads. Raises `EngineError`
    when the library cannot be loaded, and when it crashes on the text or does not come to an end.
    """
    reading, writing = os.pipe()
    # Only this thread lives on in the fork. It takes no lock that another may have held: it imports and logs
    # nothing, and the C library makes its own locks anew.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of forks beside threads
        process = os.fork()
    if process == 0:
        _serve(writing, text, voice, pause_at_end)
    os.close(writing)
    try:
        return _receive(_Pipe(reading, cancellation), cancellation)
    finally:
        os.close(reading)
        os.kill(process, signal.SIGKILL)  # it has ended, or is no longer wanted
        os.waitpid(process, 0)


class _UnwantedError(Exception):
    """It was cancelled."""


class _Pipe:
    """The reading end; waits little longer than `_LIMIT_S`, and not for what is cancelled."""

    def __init__(self, descriptor: int, cancellation: Cancellation) -> None:
        self._descriptor = descriptor
        self._cancellation = cancellation
        self._deadline = time.monotonic() + _LIMIT_S + _MARGIN_S
        self._readable = select.poll()
        self._readable.register(descriptor, select.POLLIN)

    def read(self, size: int) -> bytes:
        """Exactly so many bytes; raises `EngineError` when they do not come."""
        data = b""
        while len(data) < size:
            if self._cancellation.cancelled:
                raise _UnwantedError
            if self._readable.poll(_POLL_MS):
                more = os.read(self._descriptor, size - len(data))
                if not more:
                    raise EngineError("espeak-ng stopped working on this text")
                data += more
            elif time.monotonic() > self._deadline:  # a fork that was stopped cannot end itself
                raise EngineError("espeak-ng did not come to an end with this text")
        return data


def _receive(pipe: _Pipe, cancellation: Cancellation) -> tuple[bytes, list[WordEvent]]:
    sound = bytearray()
    words: list[WordEvent] = []
    with contextlib.suppress(_UnwantedError):
        while not cancellation.cancelled:
            count, size = _HEAD.unpack(pipe.read(_HEAD.size))
            if (count, size) == _END:
                break
            if count == _FAILED:
                raise EngineError(pipe.read(size).decode())
            words += [WordEvent(*word) for word in _WORD.iter_unpack(pipe.read(count * _WORD.size))]
            sound += pipe.read(size)
    return bytes(sound), words


def _serve(writing: int, text: str, voice: str, pause_at_end: bool) -> NoReturn:
    """The fork's life: speak into the pipe, and end."""

    def send(sound: bytes, words: list[WordEvent]) -> bool:
        packed = b"".join(_WORD.pack(word.position, word.sample) for word in words)
        _write(writing, _HEAD.pack(len(words), len(sound)) + packed + sound)
        return False

    with contextlib.suppress(BaseException):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # nobody reads: nobody wants it
        signal.alarm(_LIMIT_S)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # it goes with its parent
        # Else the engine's connections would stay open for as long as this lives.
        os.closerange(3, writing)
        os.closerange(writing + 1, _MAX_DESCRIPTORS)
        try:
            espeak_library.speak(text, voice, pause_at_end, send)
            _write(writing, _HEAD.pack(*_END))
        except EngineError as error:
            message = error.message.encode()
            _write(writing, _HEAD.pack(_FAILED, len(message)) + message)
    os._exit(0)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
