"""`python -m realtime say`: speaks a text through a server, on the sound device or into a file."""

from __future__ import annotations

import argparse
import asyncio
import codecs
import contextlib
import math
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from realtime.audio.opus import CODED_RATE
from realtime.client import Chunk, ClientError, Context, Session, connect
from realtime.sinks import FileSink, PlayerSink, Sink
from realtime.types import TIMELINE_RATE

DEFAULT_URL = "ws://127.0.0.1:8000"
_SEND_CHARACTERS = 2000  # per message: far under the limit, in whatever alphabet
_LOOK_S = 0.25  # how often a waiting context is looked at


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

    async def watch(self, context: Context) -> None:
        """Show how far the voice is loaded while a context waits for it, until it is cancelled."""
        while self._show:
            if (loading := context.loading) is not None:
                what = f"{loading.what}, " if loading.what != "loading" else ""
                told = f": {what}{loading.fraction:.0%}" if loading.what else ""
                sys.stderr.write(f"\r\x1b[Kthe voice is being loaded{told}")
                sys.stderr.flush()
            await asyncio.sleep(_LOOK_S)

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
        #: The text of each context so far.
        self.texts: list[str] = []

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
                self.texts[-1] += text
                await context.send(text)
                sent += size
            await context.end()
        finally:
            self.contexts.put_nowait(None)

    async def _next(self) -> Context:
        await self._room.acquire()
        context = self._session.open()
        self.texts.append("")
        self.contexts.put_nowait(context)
        return context

    def spoken(self) -> None:
        """One context is over: another may be opened."""
        self._room.release()


class Listener:
    """Hears the contexts one after the other, all of them or so many samples at `CODED_RATE`."""

    def __init__(self, output: Sink, progress: Progress, samples: int | None) -> None:
        """`samples`: after so many the person interrupts; None: never."""
        self._output = output
        self._progress = progress
        self._left = samples
        #: Contexts heard to their end.
        self.heard = 0

    async def hear(self, context: Context) -> float | None:
        """Take the sound of a context; None, or how many ms of it were taken when it is interrupted."""
        self._progress.next_context()
        watching = asyncio.create_task(self._progress.watch(context))
        try:
            return await self._take(context)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _take(self, context: Context) -> float | None:
        taken = 0
        async for chunk in context:
            self._progress.received(chunk, context)
            pcm = context.decode(chunk, CODED_RATE)[: self._left]
            self._output.write(pcm)
            taken += len(pcm)
            if self._left is not None:
                self._left -= len(pcm)
                if self._left == 0:
                    return taken * 1000 / CODED_RATE
        self.heard += 1
        return None


async def speak(
    url: str,
    text: str | None,
    sink: Callable[[], Sink],
    stats: bool,
    settings: dict[str, Any],
    interrupt_after: float | None = None,
) -> None:
    """Speak `text`, or standard input when it is None, through the server at `url`; raises `ClientError`.

    `interrupt_after`: seconds of sound after which it is cancelled; tells what was heard and what was not.
    """
    async with connect(url, api_key=os.environ.get("REALTIME_API_KEY"), **settings) as session:
        output = sink()
        progress = Progress(sys.stderr.isatty())
        feeder = Feeder(session, progress)
        samples = None if interrupt_after is None else max(1, round(interrupt_after * CODED_RATE))
        listener = Listener(output, progress, samples)
        feeding = asyncio.create_task(feeder.feed(_standard_input() if text is None else _pieces(text)))
        spoken: Context | None = None
        taken_ms: float | None = None
        try:
            while taken_ms is None and (context := await feeder.contexts.get()) is not None:
                spoken = context
                taken_ms = await listener.hear(context)
                feeder.spoken()
            if taken_ms is None:
                await feeding
        finally:
            progress.end()
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await output.close()  # when this returns, what was taken has been played
        if interrupt_after is not None:
            heard = sum(map(len, feeder.texts[: listener.heard]))
            if taken_ms is not None and spoken is not None:
                heard += (await spoken.cancel(played_ms=taken_ms)).source_offset
            print(_heard("".join(feeder.texts) if text is None else text, heard))
        if progress.audio_s == 0:
            print("say: there was nothing to say in this text", file=sys.stderr)
        if stats and spoken is not None:
            print(progress.figures(spoken), file=sys.stderr)


def _heard(text: str, characters: int) -> str:
    """What was heard of a text and what was not, each in one line."""
    heard, rest = (" ".join(part.split()) for part in (text[:characters], text[characters:]))
    return f"heard:     {heard or '(nothing)'}\nnot heard: {rest or '(nothing: everything was heard)'}"


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"must be seconds above 0, not {value!r}")
    return seconds


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
    parser.add_argument("--language", help='a BCP 47 code; default: "auto", that of each sentence')
    parser.add_argument("--instruct", help="how to speak, in words, for voices that take them")
    parser.add_argument("--markup", action="store_true", help="the text may hold tags, see protocol.md")
    parser.add_argument("--no-normalize", action="store_true", help="leave numbers and signs as they are")
    parser.add_argument("--format", choices=["opus", "pcm_s16le"], default="opus", help="what is sent")
    parser.add_argument("--stats", action="store_true", help="print latency figures")
    parser.add_argument(
        "--interrupt-after",
        type=_seconds,
        metavar="SECONDS",
        help="barge in after so much sound, and print the words that were heard and those that were not",
    )
    parsed = parser.parse_args(arguments)
    if (parsed.text is None) == (parsed.file is None):
        parser.error("give a text, or -, or --file")
    return parsed


def _text(arguments: argparse.Namespace) -> str | None:
    """What is to be said; None for standard input."""
    if arguments.file is None:
        return None if arguments.text == "-" else str(arguments.text)
    try:
        return str(arguments.file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ClientError(f"{arguments.file} cannot be read: {error}") from error


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code."""
    parsed = _arguments(arguments)
    settings: dict[str, Any] = {"formats": [parsed.format]}
    settings |= {
        name: value
        for name in ("voice", "language", "instruct", "markup")
        if (value := getattr(parsed, name))
    }
    if parsed.no_normalize:
        settings["normalize"] = False
    if parsed.out:
        settings["max_lead_ms"] = 0  # a file is never too far ahead of who hears it

    def sink() -> Sink:
        return FileSink(parsed.out) if parsed.out else PlayerSink()

    try:
        asyncio.run(speak(parsed.url, _text(parsed), sink, parsed.stats, settings, parsed.interrupt_after))
    except ClientError as error:
        print(f"say: {error}", file=sys.stderr)
        return 1
    return 0
