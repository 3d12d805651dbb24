"""Decodes one recording in a process of its own: what strangers send is read by libraries written in C.

A file of 30 KB can have a decoder ask for gigabytes (an MP4 index that promises a hundred million frames
does), or crash it. Here the system sets bounds to memory and time, and nothing else can be hit: the file
comes in by stdin, and one message goes out by stdout. At most `MOST_S` seconds of sound are decoded, whatever
a header says, block by block, made mono and resampled on the way.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import av
import av.error
import msgspec
import numpy as np
import soundfile
from av.filter import Graph
from numpy.typing import NDArray

from realtime.errors import ErrorCode, RealtimeError
from realtime.types import Pcm

SAMPLE_RATE = 24_000
LEAST_S, MOST_S = 1, 60
LEAST_RATE, MOST_RATE = 8_000, 192_000
MOST_CHANNELS = 8
#: What encoders put before and after the sound (an MP3 frame or two at 8 kHz) makes no file too long.
_PADDING_S = 0.15
_BLOCK_FRAMES = 16_384
_MEMORY_BYTES = 512 * 1024 * 1024  # beside what the libraries themselves take
_CPU_S = 10
#: A sample within this of full scale (0.01 dB) is at full scale; clipping holds the wave there for several.
_FULL = 0.999
_RUN = 3
#: What codings with fewer bits call full scale; the others reach 1. (In mu-law and A-law it cannot be told:
#: what lies within 4 % of their full scale is one and the same number.)
_FULL_SCALE = {"PCM_U8": 127 / 128}
_FULL_INTEGER = {"s16": np.float32(2**15), "s32": np.float32(2**31)}
#: What the demuxers of PyAV may decode: nothing that is not sound.
_CODECS = {"mov": "aac", "flac": "flac"}
#: Resampling as in `audio.resample`: taps at the lower rate, and where the band ends.
_RESAMPLING = {"sample_rate": str(SAMPLE_RATE), "filter_size": "64", "cutoff": "0.92"}
_KINDS = "WAV, FLAC, MP3, Ogg (Vorbis or Opus) or M4A (AAC)"


class Decoded(msgspec.Struct, frozen=True, tag="decoded"):
    """`pcm` is 16 bit, mono, at `SAMPLE_RATE`, in this machine's byte order; `flac` holds the same samples.

    `seconds` is the length; `key` the SHA-256 of `pcm` in little endian, in hexadecimal; `clipped` the share
    of the file's samples that lie at full scale in runs of three or more.
    """

    pcm: bytes
    flac: bytes
    seconds: float
    key: str
    clipped: float


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """Why the file is none that is taken."""

    code: ErrorCode
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """Sound as it lies in a file: blocks of float32, shape (frames, channels), full scale at `full_scale`."""

    rate: int
    blocks: Iterator[NDArray[np.float32]]
    full_scale: float = 1.0


def decode(data: bytes) -> Decoded:
    """The sound of a file; raises `RealtimeError` when it is none, too short, too long, or damaged."""
    with _open(data) as source:
        most = int(source.rate * (MOST_S + _PADDING_S))
        resampler = _Resampler(source.rate)
        taken = clipped = 0
        for block in source.blocks:
            if not np.isfinite(block).all():
                raise _not_audio("the file holds samples that are not numbers (NaN or infinite)")
            taken += len(block)
            if taken > most:
                raise RealtimeError(
                    f"the recording is longer than {MOST_S} s; {LEAST_S} to {MOST_S} s are allowed",
                    ErrorCode.AUDIO_TOO_LONG,
                )
            clipped += _clipped_frames(block, source.full_scale * _FULL)
            # Decoders of MP3 and AAC, and float files, go beyond full scale.
            resampler.process(np.clip(block, -1, 1).mean(axis=1, dtype=np.float32))
    seconds = taken / source.rate
    if taken == 0:
        raise _not_audio("there is no sound in the file")
    if seconds < LEAST_S:
        raise RealtimeError(
            f"the recording is {seconds:.2f} s long; {LEAST_S} to {MOST_S} s are allowed",
            ErrorCode.AUDIO_TOO_SHORT,
        )
    pcm = resampler.finish()
    return Decoded(
        pcm=pcm.tobytes(),
        flac=_to_flac(pcm),
        seconds=len(pcm) / SAMPLE_RATE,
        key=hashlib.sha256(pcm.astype("<i2").tobytes()).hexdigest(),
        clipped=clipped / taken,
    )


def _open(data: bytes) -> contextlib.AbstractContextManager[_Source]:
    """By the first bytes, never by a name: each container has one reader."""
    data = _without_id3(data)
    if data[4:8] == b"ftyp":
        return _open_av(data, "mov")
    if data[:4] == b"fLaC":
        # libsndfile cannot read to the end of one that was streamed: its header counts no samples.
        counted = int.from_bytes(data[21:26], "big") & 0xF_FFFF_FFFF
        return _open_soundfile(data, ("FLAC",)) if counted else _open_av(data, "flac")
    if data[:4] in (b"RIFF", b"RF64") and data[8:12] == b"WAVE":
        return _open_soundfile(data, ("WAV", "WAVEX", "RF64"))
    if data[:4] == b"OggS":
        return _open_soundfile(data, ("OGG",))
    # The sync word, and layer III.
    if len(data) >= 4 and data[0] == 0xFF and data[1] & 0xE6 == 0xE2:
        return _open_soundfile(data, ("MP3",))
    raise _not_audio(f"the file is no audio file that is known here; {_KINDS} are")


def _without_id3(data: bytes) -> bytes:
    """Tags before the sound, pictures and all, are of no use (ID3v2.4.0, 3.1; sizes have 7 bits a byte)."""
    at = 0
    while data[at : at + 3] == b"ID3" and len(data) >= at + 10:
        size = 0
        for byte in data[at + 6 : at + 10]:
            size = size << 7 | byte & 0x7F
        at += 10 + size + (10 if data[at + 5] & 0x10 else 0)
    return data[at:].lstrip(b"\0") if at else data


@contextlib.contextmanager
def _open_soundfile(data: bytes, formats: tuple[str, ...]) -> Iterator[_Source]:
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            if sound.format not in formats:
                raise _not_audio(f"the file is no audio file that is known here; {_KINDS} are")
            _check_form(sound.samplerate, sound.channels)
            yield _Source(sound.samplerate, _blocks_of(sound), _FULL_SCALE.get(sound.subtype, 1.0))
    except soundfile.LibsndfileError as error:
        raise _damaged() from error


def _blocks_of(sound: soundfile.SoundFile) -> Iterator[NDArray[np.float32]]:
    while len(block := sound.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
        yield block


@contextlib.contextmanager
def _open_av(data: bytes, demuxer: str) -> Iterator[_Source]:
    """Exactly this demuxer, no other file or address that it names, and no decoder but that of its sound."""
    options = {"codec_whitelist": _CODECS[demuxer], "protocol_whitelist": "none"}
    if demuxer == "mov":
        options["enable_drefs"] = "0"
    try:
        with av.open(
            io.BytesIO(data), "r", format=demuxer, container_options=options, metadata_errors="replace"
        ) as container:
            if not container.streams.audio:
                raise _not_audio("there is no sound in the file")
            stream = container.streams.audio[0]
            if stream.codec_context is None or stream.codec_context.name != _CODECS[demuxer]:
                raise _not_audio(f"the sound in the file is coded in a way not known here; {_KINDS} are")
            frames = container.decode(stream)
            first = next(frames, None)
            if first is None:
                raise _not_audio("there is no sound in the file")
            _check_form(first.sample_rate, first.layout.nb_channels)
            yield _Source(first.sample_rate, _samples_of(first, frames))
    except (av.error.FFmpegError, IndexError) as error:
        raise _damaged() from error


def _samples_of(first: av.AudioFrame, frames: Iterator[av.AudioFrame]) -> Iterator[NDArray[np.float32]]:
    form = (first.sample_rate, first.layout.nb_channels)
    frame: av.AudioFrame | None = first
    while frame is not None:
        if (frame.sample_rate, frame.layout.nb_channels) != form:
            raise _not_audio("the sample rate or the channels change within the file")
        samples = frame.to_ndarray()
        samples = samples.T if frame.format.is_planar else samples.reshape(-1, form[1])
        yield samples.astype(np.float32) / _FULL_INTEGER.get(frame.format.name.rstrip("p"), np.float32(1))
        frame = next(frames, None)


def _check_form(rate: int, channels: int) -> None:
    if not LEAST_RATE <= rate <= MOST_RATE:
        raise _not_audio(f"the sample rate is {rate} Hz; {LEAST_RATE} to {MOST_RATE} Hz are allowed")
    if not 1 <= channels <= MOST_CHANNELS:
        raise _not_audio(f"the recording has {channels} channels; 1 to {MOST_CHANNELS} are allowed")


def _clipped_frames(block: NDArray[np.float32], full: float) -> int:
    """Frames in which some channel is at `full` or beyond, as are its neighbours: in runs of `_RUN`."""
    at_full = np.abs(block).max(axis=1) >= full
    if not at_full.any():
        return 0
    edges = np.flatnonzero(np.diff(np.concatenate(([False], at_full, [False])).astype(np.int8)))
    runs = edges[1::2] - edges[::2]
    return int(runs[runs >= _RUN].sum())


class _Resampler:
    """Mono sound to 16 bit at `SAMPLE_RATE`, all of it kept. A graph of FFmpeg's with one thread."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._graph = Graph()
        self._graph.threads = 1
        self._source = self._graph.add_abuffer(sample_rate=rate, format="flt", layout="mono")
        self._sink = self._graph.add("abuffersink")
        self._graph.link_nodes(self._source, self._graph.add("aresample", **_RESAMPLING), self._sink)
        self._graph.configure()
        self._given = 0
        self._parts: list[Pcm] = []

    def process(self, pcm: Pcm) -> None:
        """Take `pcm`, shape (samples,), one or more of them."""
        self._given += len(pcm)
        frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="flt", layout="mono")
        frame.sample_rate = self._rate
        self._source.push(frame)
        self._drain()

    def finish(self) -> NDArray[np.int16]:
        """Everything; as long as what went in."""
        self._source.push(None)
        self._drain()
        pcm = np.concatenate(self._parts)[: round(self._given * SAMPLE_RATE / self._rate)]
        return np.clip(np.rint(pcm * 32_768), -32_768, 32_767).astype(np.int16)

    def _drain(self) -> None:
        while True:
            try:
                frame = self._sink.pull()
            except (BlockingIOError, EOFError):  # wants more, or has given all
                return
            assert isinstance(frame, av.AudioFrame)
            self._parts.append(frame.to_ndarray()[0].astype(np.float32))


def _to_flac(pcm: NDArray[np.int16]) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, pcm, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _not_audio(message: str) -> RealtimeError:
    return RealtimeError(message, ErrorCode.NOT_AUDIO)


def _damaged() -> RealtimeError:
    return _not_audio(f"the file is damaged, cut off, or none of {_KINDS}")


def _limit_resources() -> None:
    """Bounds that the system holds: memory beside what is taken already, processor time, no files."""
    limits = {resource.RLIMIT_CPU: _CPU_S, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0}
    with contextlib.suppress(OSError), open("/proc/self/statm") as statm:  # only Linux has it
        pages = int(statm.read().split()[0])
        limits[resource.RLIMIT_AS] = pages * resource.getpagesize() + _MEMORY_BYTES
    for limit, value in limits.items():
        with contextlib.suppress(ValueError, OSError):  # the system allows less already, or has no such bound
            resource.setrlimit(limit, (value, value))


def main() -> None:
    """The file comes by stdin; what became of it goes out by stdout."""
    _limit_resources()
    reply: Decoded | Refused
    try:
        reply = decode(sys.stdin.buffer.read())
    except RealtimeError as error:
        reply = Refused(error.code, error.message)
    except MemoryError:
        reply = Refused(ErrorCode.NOT_AUDIO, "reading the file takes more memory than is allowed")
    sys.stdout.buffer.write(msgspec.msgpack.encode(reply))


if __name__ == "__main__":
    main()
