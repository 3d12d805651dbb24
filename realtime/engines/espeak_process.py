"""A process for every text that espeak speaks: forked for it, and gone after it.

So each text meets the library in its first state and sounds the same every time; what the library leaks (180
kB for a text with a foreign word) is given back; a text on which it crashes or hangs costs that text alone;
and the GPL's code is in no process that lives on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import warnings
from collections.abc import Callable
from typing import NoReturn

from realtime.engines import espeak_library
from realtime.engines.engine import Cancellation
from realtime.engines.espeak_library import WordEvent
from realtime.errors import EngineError

# A text of 500 characters takes 0.1 s; what takes longer than this has lost its way.
_LIMIT_S = 20
_HEAD = struct.Struct("=II")  # what follows: events, bytes of sound
_WORD = struct.Struct("=ii")  # position, sample
_END = (0xFFFFFFFF, 0)  # nothing follows
_FAILED = 0xFFFFFFFE  # as the number of events: what follows is the text of an error
_MAX_DESCRIPTORS = 1024


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
        with open(reading, "rb") as frames:
            return _receive(frames.read, cancellation)
    finally:
        os.kill(process, signal.SIGKILL)  # it has ended, or is no longer wanted
        os.waitpid(process, 0)


def _receive(read: Callable[[int], bytes], cancellation: Cancellation) -> tuple[bytes, list[WordEvent]]:
    sound = bytearray()
    words: list[WordEvent] = []
    while not cancellation.cancelled:
        count, size = _HEAD.unpack(_exactly(read, _HEAD.size))
        if (count, size) == _END:
            break
        if count == _FAILED:
            raise EngineError(_exactly(read, size).decode())
        words += [WordEvent(*_WORD.unpack(_exactly(read, _WORD.size))) for _ in range(count)]
        sound += _exactly(read, size)
    return bytes(sound), words


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    data = read(size)
    if len(data) < size:
        raise EngineError("espeak-ng stopped working on this text")
    return data


def _serve(writing: int, text: str, voice: str, pause_at_end: bool) -> NoReturn:
    """The fork's life: speak into the pipe, and end."""

    def send(sound: bytes, words: list[WordEvent]) -> bool:
        packed = b"".join(_WORD.pack(word.position, word.sample) for word in words)
        _write(writing, _HEAD.pack(len(words), len(sound)) + packed + sound)
        return False

    with contextlib.suppress(BaseException):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # nobody reads: nobody wants it
        signal.alarm(_LIMIT_S)
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
