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
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from realtime.audio.opus import CODED_RATE
from realtime.client import ClientError, Context, Session, connect
from realtime.hearing import Ear, Listener, Progress, TrackListener
from realtime.sinks import FileSink, PlayerSink, Sink

DEFAULT_URL = "ws://127.0.0.1:8000"
_SEND_CHARACTERS = 2000  # per message: far under the limit, in whatever alphabet


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
    With `audio="rtc"` in `settings` it is heard over a WebRTC track.
    """
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            connect(url, api_key=os.environ.get("REALTIME_API_KEY"), **settings)
        )
        progress = Progress(sys.stderr.isatty())
        samples = None if interrupt_after is None else max(1, round(interrupt_after * CODED_RATE))
        listener: Ear
        if settings.get("audio") == "rtc":
            from realtime.client.track import hear  # with what it needs it takes half a second

            track = await stack.enter_async_context(hear(session))
            output = sink()
            trims = isinstance(
                output, FileSink
            )  # a player is given the silence, too, or it would fall behind
            listener = track_listener = TrackListener(track, output, progress, samples, trims=trims)
            taking = asyncio.create_task(track_listener.take())
            stack.push_async_callback(_ended, taking)
        else:
            output = sink()
            listener = Listener(output, progress, samples)
        feeder = Feeder(session, progress)
        feeding = asyncio.create_task(feeder.feed(_standard_input() if text is None else _pieces(text)))
        spoken: Context | None = None
        is_heard = True
        try:
            while is_heard and (context := await feeder.contexts.get()) is not None:
                spoken = context
                is_heard = await listener.hear(context)
                feeder.spoken()
            if is_heard:
                await feeding
        finally:
            progress.end()
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            await output.close()  # when this returns, what was taken has been played
        if interrupt_after is not None:
            heard = sum(map(len, feeder.texts[: listener.heard]))
            if not is_heard and spoken is not None:
                heard += (await spoken.cancel(played_ms=listener.taken_ms)).source_offset
            print(_heard("".join(feeder.texts) if text is None else text, heard))
        if progress.audio_s == 0:
            print("say: there was nothing to say in this text", file=sys.stderr)
        if stats and spoken is not None:
            print(progress.figures(spoken), file=sys.stderr)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


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
    parser.add_argument("--rtc", action="store_true", help="hear it over a WebRTC track, in real time")
    parser.add_argument("--stats", action="store_true", help="print latency figures")
    parser.add_argument(
        "--interrupt-after",
        type=_seconds,
        metavar="SECONDS",
        help="barge in after so much sound, and print the words that were heard and those that were not",
    )
    parsed = parser.parse_args(arguments)
    if parsed.rtc and parsed.format != "opus":
        parser.error("a track has no other format than opus")
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
    settings: dict[str, Any] = {"audio": "rtc"} if parsed.rtc else {"formats": [parsed.format]}
    settings |= {
        name: value
        for name in ("voice", "language", "instruct", "markup")
        if (value := getattr(parsed, name))
    }
    if parsed.no_normalize:
        settings["normalize"] = False
    if parsed.out and not parsed.rtc:
        settings["max_lead_ms"] = 0  # a file is never too far ahead of who hears it

    def sink() -> Sink:
        return FileSink(parsed.out) if parsed.out else PlayerSink()

    try:
        asyncio.run(speak(parsed.url, _text(parsed), sink, parsed.stats, settings, parsed.interrupt_after))
    except ClientError as error:
        print(f"say: {error}", file=sys.stderr)
        return 1
    return 0
