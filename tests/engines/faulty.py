"""Synthesizers with faults, for the tests of processes; words of the text trigger the fault."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Iterator

import numpy as np
import structlog

from realtime.engines.engine import EngineSettings, Open
from realtime.engines.synthesizer import Cancellation
from realtime.engines.tone import SAMPLE_RATE, ToneSynthesizer
from realtime.errors import EngineError
from realtime.types import AudioChunk, Pcm, TextPiece

#: How long one that is late takes to load, at least.
LATE_S = 0.3
#: How long one that grips lets no other thread run.
GRIP_S = 0.5
#: Samples of one chunk of a long sound: more than a part in the shared memory, and no round number.
LONG_CHUNK = 700_001


class FaultySynthesizer(ToneSynthesizer):
    """Whistles, but KILL ends its process in mid-sentence, HANG never returns, and FAIL raises.

    DIE ends it before there is any sound. HOLD holds the GIL for a minute, GRIP again and again for `GRIP_S`.
    """

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        (whole,) = super().synthesize(piece, request, cancellation)
        if "DIE" in piece.text:
            os.kill(os.getpid(), signal.SIGKILL)
        if "GRIP" in piece.text:
            for last in False, False, False, True:
                _hold(GRIP_S)
                yield AudioChunk(piece.segment, whole.pcm, SAMPLE_RATE, last_of_segment=last)
            return
        if not {"KILL", "HANG", "HOLD", "FAIL", "REFUSE"} & set(piece.text.split()):
            yield whole
            return
        half = len(whole.pcm) // 2
        yield AudioChunk(piece.segment, whole.pcm[:half], SAMPLE_RATE, whole.words, last_of_segment=False)
        if "KILL" in piece.text:
            os.kill(os.getpid(), signal.SIGKILL)
        if "FAIL" in piece.text:
            raise ValueError("a secret of the inside")
        if "REFUSE" in piece.text:
            raise EngineError("this text cannot be spoken")
        if "HOLD" in piece.text:
            _hold(60)
        threading.Event().wait()


def _hold(seconds: float) -> None:
    """As native code does that never lets go of Python."""
    ctypes.PyDLL(None).usleep(round(seconds * 1_000_000))


class LongSynthesizer(ToneSynthesizer):
    """A piece "7" is seven long chunks, each of noise that its numbers determine."""

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        count = int(piece.text)
        for number in range(count):
            pcm = long_chunk(request.utterance, piece.segment, number)
            yield AudioChunk(piece.segment, pcm, SAMPLE_RATE, last_of_segment=number == count - 1)


def long_chunk(utterance: int, segment: int, number: int) -> Pcm:
    """The sound of one chunk of `LongSynthesizer`."""
    seed = (utterance, segment, number)
    return np.random.default_rng(seed).random(LONG_CHUNK, np.float32)


class LateSynthesizer(LongSynthesizer):
    """Takes `LATE_S` to load."""

    def load(self) -> None:
        time.sleep(LATE_S)


class SlowSynthesizer(FaultySynthesizer):
    """Takes 3 s to load and 0.4 s for each piece."""

    def load(self) -> None:
        time.sleep(3)

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        time.sleep(0.4)
        yield from super().synthesize(piece, request, cancellation)


class UnloadableSynthesizer(ToneSynthesizer):
    """Its model is not there."""

    def load(self) -> None:
        raise FileNotFoundError("model.bin is missing")


class DyingSynthesizer(ToneSynthesizer):
    """Its process ends while it loads."""

    def load(self) -> None:
        os._exit(7)


class TalkativeSynthesizer(ToneSynthesizer):
    """Logs at its start, and a failure with each text."""

    def load(self) -> None:
        structlog.get_logger("talkative").debug(
            "loads", step=1, share=0.5, odd={1}, huge=2**70, half="\ud800"
        )
        super().load()

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        try:
            {}[piece.text]
        except KeyError:
            structlog.get_logger("talkative").exception("has_failed", segment=piece.segment)
        yield from super().synthesize(piece, request, cancellation)


def make_talkative(settings: EngineSettings | None = None) -> TalkativeSynthesizer:
    """Logs."""
    return TalkativeSynthesizer()


def make_faulty(settings: EngineSettings | None = None) -> FaultySynthesizer:
    """KILL, HANG, FAIL, REFUSE."""
    return FaultySynthesizer()


def make_long(settings: EngineSettings | None = None) -> LongSynthesizer:
    """Long sounds."""
    return LongSynthesizer()


def make_late(settings: EngineSettings | None = None) -> LateSynthesizer:
    """Late, and long sounds."""
    return LateSynthesizer()


def make_slow(settings: EngineSettings | None = None) -> SlowSynthesizer:
    """Slow to load."""
    return SlowSynthesizer()


def make_unloadable(settings: EngineSettings | None = None) -> UnloadableSynthesizer:
    """Cannot load."""
    return UnloadableSynthesizer()


def make_dying(settings: EngineSettings | None = None) -> DyingSynthesizer:
    """Dies while it loads."""
    return DyingSynthesizer()
