"""`python -m realtime say`: speaks a text through a server, on the sound device or into a file."""

from __future__ import annotations

import argparse
import asyncio
import codecs
import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from realtime.audio.opus import CODED_RATE, OpusDecoder
from realtime.client import Chunk, ClientError, Context, Session, connect
from realtime.session.frames import FrameKind
from realtime.types import TIMELINE_RATE, Pcm

DEFAULT_URL = "ws://127.0.0.1:8000"
_SEND_CHARACTERS = 2000  # per message: far under the limit, in whatever alphabet
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
        # The null device swallows sound without a word: better to say that there is none.
        backends = [name for name in miniaudio.get_enabled_backends() if name is not miniaudio.Backend.NULL]
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


class Decoder:
    """Turns the frames of one context into sound at `CODED_RATE`, cut to the true length."""

    def __init__(self, pre_skip: int) -> None:
        """`pre_skip` in samples of 48 kHz, from `session.ready`."""
        self._scale = TIMELINE_RATE // CODED_RATE
        self._skip = pre_skip // self._scale
        self._opus = OpusDecoder(CODED_RATE)

    def decode(self, chunk: Chunk) -> Pcm:
        """The sound of a frame."""
        if not chunk.payload:
            return np.zeros(0, np.float32)
        if chunk.kind is FrameKind.PCM_S16LE:
            return np.frombuffer(chunk.payload, "<i2").astype(np.float32) / np.float32(32768)
        pcm = self._opus.decode(chunk.payload)
        skipped, self._skip = min(self._skip, len(pcm)), max(0, self._skip - len(pcm))
        return pcm[skipped : skipped + chunk.duration // self._scale]


class Progress:
    """What is going on, on a terminal; and the figures for `--stats`."""

    def __init__(self, show: bool) -> None:
        """`show`: write progress to stderr."""
        self._show = show
        self._begun: float | None = None
        self._first_audio: float | None = None
        self.audio_s = 0.0
        self._frames = 0
        self._bytes = 0
        self._segments = 0

    def sent(self) -> None:
        """Text is about to be sent."""
        if self._begun is None:
            self._begun = time.monotonic()

    def received(self, chunk: Chunk, context: Context) -> None:
        """A frame came."""
        if self._first_audio is None:
            self._first_audio = time.monotonic()
        self._frames += 1
        self._bytes += len(chunk.payload)
        self.audio_s += chunk.duration / TIMELINE_RATE
        if self._show:
            for segment in context.segments[self._segments :]:
                sys.stderr.write(f"\r\x1b[K{segment.start_ms / 1000:7.2f} s  {segment.text}\n")
            self._segments = len(context.segments)
            sys.stderr.write(f"\r\x1b[K{self.audio_s:7.2f} s of sound")
            sys.stderr.flush()

    def next_context(self) -> None:
        """The next context counts its segments from 0."""
        self._segments = 0

    def end(self) -> None:
        """Leave the terminal clean."""
        if self._show:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def figures(self, context: Context) -> str:
        """A table for people."""
        now = time.monotonic()
        begun = self._begun or now
        first = (self._first_audio or now) - begun
        total = now - begun
        rows = [
            ("first audio", f"{first * 1000:.0f} ms after the first text"),
            ("sound", f"{self.audio_s:.2f} s in {self._frames} frames, {self._bytes} bytes"),
            ("received in", f"{total * 1000:.0f} ms"),
            ("real-time factor", f"{total / self.audio_s:.3f}" if self.audio_s else "-"),
        ]
        if context.done is not None:
            timing = context.done.timing
            rows.append(
                (
                    "server",
                    f"first audio {timing.first_audio_ms} ms, queue {timing.queue_ms} ms, "
                    f"infer {timing.infer_ms} ms, encode {timing.encode_ms} ms",
                )
            )
        return "\n".join(f"{name:>18}  {value}" for name, value in rows)


async def _pieces(text: str) -> AsyncIterator[str]:
    """A long text in parts that end between words."""
    while len(text) > _SEND_CHARACTERS:
        end = text.rfind(" ", 1, _SEND_CHARACTERS) + 1 or _SEND_CHARACTERS
        yield text[:end]
        text = text[end:]
    yield text


async def _standard_input() -> AsyncIterator[str]:
    """Standard input as it arrives, in whatever pieces it comes."""
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[bytes] = asyncio.Queue()

    def read() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            while data := os.read(sys.stdin.fileno(), _SEND_CHARACTERS):
                loop.call_soon_threadsafe(pieces.put_nowait, data)
            loop.call_soon_threadsafe(pieces.put_nowait, b"")

    # Not one of asyncio's threads: those are waited for, and a terminal may never end.
    threading.Thread(target=read, daemon=True).start()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while data := await pieces.get():
        if text := decoder.decode(data):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text


class Feeder:
    """Sends text into contexts, opening the next one when a context has all the text it may have."""

    def __init__(self, session: Session, progress: Progress) -> None:
        """Contexts are spoken in the order in which they come out of `contexts`."""
        self._session = session
        self._progress = progress
        self._limits = session.ready.limits
        self._room = asyncio.Semaphore(self._limits.contexts)
        self.contexts: asyncio.Queue[Context | None] = asyncio.Queue()

    async def feed(self, texts: AsyncIterator[str]) -> None:
        """Send everything; ends every context, and puts None behind the last."""
        try:
            context, sent = await self._next(), 0
            async for text in texts:
                self._progress.sent()
                size = len(text.encode())
                if sent + size > self._limits.text_bytes_per_context:
                    await context.end()
                    context, sent = await self._next(), 0
                await context.send(text)
                sent += size
            await context.end()
        finally:
            self.contexts.put_nowait(None)

    async def _next(self) -> Context:
        await self._room.acquire()
        context = self._session.open()
        self.contexts.put_nowait(context)
        return context

    def spoken(self) -> None:
        """One context is over: another may be opened."""
        self._room.release()


async def speak(
    url: str, texts: AsyncIterator[str], sink: Callable[[], Sink], stats: bool, settings: dict[str, Any]
) -> None:
    """Speak `texts` through the server at `url`; raises `ClientError`."""
    async with connect(url, **settings) as session:
        output = sink()
        progress = Progress(sys.stderr.isatty())
        feeder = Feeder(session, progress)
        feeding = asyncio.create_task(feeder.feed(texts))
        spoken: Context | None = None
        try:
            while (context := await feeder.contexts.get()) is not None:
                spoken = context
                decoder = Decoder(session.ready.pre_skip)
                progress.next_context()
                async for chunk in context:
                    progress.received(chunk, context)
                    output.write(decoder.decode(chunk))
                feeder.spoken()
            await feeding
        finally:
            progress.end()
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await output.close()
        if progress.audio_s == 0:
            print("say: there was nothing to say in this text", file=sys.stderr)
        if stats and spoken is not None:
            print(progress.figures(spoken), file=sys.stderr)


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m realtime say",
        description="Speak a text, a file, or standard input as it arrives: llm | python -m realtime say -",
    )
    parser.add_argument("text", nargs="?", help="what to say; - reads standard input as it arrives")
    parser.add_argument("--file", type=Path, help="speak this file (UTF-8)")
    parser.add_argument("--out", type=Path, help="write FILE.wav or FILE.ogg instead of playing")
    parser.add_argument(
        "--url", default=os.environ.get("REALTIME_URL", DEFAULT_URL), help="default %(default)s"
    )
    parser.add_argument("--voice", help="the voice; default: the server's")
    parser.add_argument("--language", help='"auto" or a BCP 47 code; default: the voice\'s')
    parser.add_argument("--format", choices=["opus", "pcm_s16le"], default="opus", help="what is sent")
    parser.add_argument("--stats", action="store_true", help="print latency figures")
    parsed = parser.parse_args(arguments)
    if (parsed.text is None) == (parsed.file is None):
        parser.error("give a text, or -, or --file")
    return parsed


def _texts(arguments: argparse.Namespace) -> AsyncIterator[str]:
    if arguments.file is not None:
        try:
            return _pieces(arguments.file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ClientError(f"{arguments.file} cannot be read: {error}") from error
    return _standard_input() if arguments.text == "-" else _pieces(arguments.text)


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    parsed = _arguments(arguments)
    settings: dict[str, Any] = {"formats": [parsed.format]}
    settings |= {
        name: getattr(parsed, name) for name in ("voice", "language") if getattr(parsed, name) is not None
    }

    def sink() -> Sink:
        return FileSink(parsed.out) if parsed.out else PlayerSink()

    try:
        asyncio.run(speak(parsed.url, _texts(parsed), sink, parsed.stats, settings))
    except ClientError as error:
        print(f"say: {error}", file=sys.stderr)
        return 1
    return 0
