"""Speech over plain HTTP beside the WebSocket: `python -m bench.http [--quick] [--json FILE]`.

The same server, the same texts, in turns, so that the ratios hold on machines whose speed drifts. The time to
first audio is from sending the request (the text on an open WebSocket; the whole request on a connection that
is kept alive) until the bytes arrive that hold the first audible sample. The caches are off, but where they
are what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import aiohttp
import numpy as np
from websockets.asyncio.client import ClientConnection

from bench.latency import SENTENCES, TEN_WORDS, encode_bare
from bench.server import ServerProcess
from bench.table import Row, progress, quantile, show
from realtime.audio.opus import CODED_RATE
from realtime.audio.silence import AUDIBLE
from realtime.session import messages as wire
from realtime.session.frames import decode_frame
from realtime.types import Pcm

#: About ten seconds of speech.
TEN_SECONDS = " ".join(SENTENCES[:3])
_WINDOW = CODED_RATE // 200  # 5 ms
_BYTES_PER_SAMPLE = 2
#: Whole files are asked for at this rate, whether the ones before are there or not.
REQUESTS_PER_S = 20
_RATED_FORMATS = ("mp3", "opus")


@dataclass(frozen=True, slots=True)
class Heard:
    """PCM as it came: the bytes, and how many had come at which time (seconds after the send)."""

    data: bytes
    arrivals: list[tuple[float, int]]

    @property
    def pcm(self) -> Pcm:
        """The sound, at `CODED_RATE`."""
        return np.frombuffer(self.data, "<i2").astype(np.float32) / 32768

    def silence_s(self) -> float:
        """What comes before the first audible window (-45 dBFS)."""
        pcm = self.pcm
        windows = pcm[: len(pcm) // _WINDOW * _WINDOW].reshape(-1, _WINDOW)
        first = int(np.flatnonzero(np.sqrt((windows**2).mean(axis=1)) >= AUDIBLE)[0])
        return first * _WINDOW / CODED_RATE

    def first_audible_s(self) -> float:
        """When the first sample of the first audible window was there."""
        needed = round(self.silence_s() * CODED_RATE + 1) * _BYTES_PER_SAMPLE
        return next(arrival for arrival, size in self.arrivals if size >= needed)


class Http:
    """A client of one server, on connections that are kept alive."""

    def __init__(self, server: ServerProcess, session: aiohttp.ClientSession) -> None:
        self._url = f"http://127.0.0.1:{server.port}/v1/audio/speech"
        self._session = session

    async def pcm(self, text: str) -> Heard:
        """Speak a text as PCM, and note when its bytes came."""
        data = bytearray()
        arrivals: list[tuple[float, int]] = []
        sent = time.perf_counter()
        async with self._session.post(f"{self._url}/pcm", json={"input": text}) as answer:
            answer.raise_for_status()
            async for part in answer.content.iter_any():
                data += part
                arrivals.append((time.perf_counter() - sent, len(data)))
        return Heard(bytes(data), arrivals)

    async def file(self, text: str, **fields: object) -> tuple[float, int, str]:
        """Seconds until a file was there, its size, and what the cache was good for."""
        sent = time.perf_counter()
        async with self._session.post(self._url, json={"input": text, **fields}) as answer:
            answer.raise_for_status()
            data = await answer.read()
            return time.perf_counter() - sent, len(data), answer.headers.get("X-Cache", "")


async def over_websocket(session: ClientConnection, text: str) -> Heard:
    """The same by an open session with PCM."""
    data = bytearray()
    arrivals: list[tuple[float, int]] = []
    messages = wire.encode(wire.Text(text)), wire.encode(wire.End())
    sent = time.perf_counter()
    for message in messages:
        await session.send(message)
    while True:
        received = await session.recv()
        if isinstance(received, bytes):
            data += decode_frame(received).packet.payload
            arrivals.append((time.perf_counter() - sent, len(data)))
        elif '"context.done"' in received:
            return Heard(bytes(data), arrivals)


async def first_audio(server: ServerProcess, http: Http, runs: int) -> list[Row]:
    """Time to first audio, over either way in turns."""
    session = await server.session(formats=["pcm_s16le"])
    for _ in range(5):
        await over_websocket(session, TEN_WORDS)
        await http.pcm(TEN_WORDS)
    socket_s: list[float] = []
    http_s: list[float] = []
    for _ in progress("first audio", range(runs)):
        socket_s.append((await over_websocket(session, TEN_WORDS)).first_audible_s())
        http_s.append((await http.pcm(TEN_WORDS)).first_audible_s())
    await session.close()
    return [
        Row("first audible sample over the WebSocket, median", median(socket_s) * 1000, "ms"),
        Row("first audible sample over HTTP PCM, median", median(http_s) * 1000, "ms"),
        Row("HTTP PCM / WebSocket, medians", median(http_s) / median(socket_s), "x", 1.3),
        Row("HTTP PCM / WebSocket, p95", quantile(http_s, 0.95) / quantile(socket_s, 0.95), "x"),
    ]


async def overlap(http: Http, log: Path, rounds: int) -> list[Row]:
    """How long the engine stood still between segments, by the marks of the pipeline, cheap codec or dear."""
    formats = {"pcm": {"response_format": "pcm"}, "mp3 at 48 kHz": {"sample_rate": 48_000}}
    idle: dict[str, list[float]] = {name: [] for name in formats}
    encode: dict[str, list[float]] = {name: [] for name in formats}
    for _ in progress("overlap", range(rounds)):
        for name, fields in formats.items():
            await http.file(" ".join(SENTENCES), **fields)
            over = await _last_request(log)
            idle[name].append(over["idle_ms"] / (len(SENTENCES) - 1))
            encode[name].append(over["encode_ms"] / len(SENTENCES))
    rows: list[Row] = []
    for name in formats:
        rows.append(Row(f"encoding of a segment, {name}", median(encode[name]), "ms"))
        rows.append(Row(f"engine idle before the next segment, {name}", median(idle[name]), "ms"))
    return rows


async def _last_request(log: Path) -> dict[str, float]:
    """What the server has logged of the newest request; it does so when the client has everything."""
    before = ""
    while True:
        text = await asyncio.to_thread(log.read_text)
        lines = [line for line in text.splitlines() if '"request_over"' in line]
        if lines and lines[-1] == before:
            found: dict[str, float] = json.loads(before)
            return found
        before = lines[-1] if lines else ""
        await asyncio.sleep(0.05)


async def rate(http: Http, seconds: float) -> list[Row]:
    """Whole files of ten words, asked for at a fixed rate."""

    async def one(number: int) -> float | None:
        try:
            took, size, _ = await http.file(
                SENTENCES[number % len(SENTENCES)],
                response_format=_RATED_FORMATS[number % len(_RATED_FORMATS)],
                stream=False,
            )
        except (aiohttp.ClientError, TimeoutError):
            return None
        return took if size else None

    begun = time.perf_counter()
    count = round(seconds * REQUESTS_PER_S)
    async with asyncio.TaskGroup() as tasks:
        asked = []
        for number in progress("rate", range(count)):
            await asyncio.sleep(max(0.0, begun + number / REQUESTS_PER_S - time.perf_counter()))
            asked.append(tasks.create_task(one(number)))
    took = [task.result() for task in asked]
    done = [each for each in took if each is not None]
    return [
        Row(f"errors in {count} whole files, {REQUESTS_PER_S} in a second", len(took) - len(done), "", 0),
        Row("one of these files, median", median(done) * 1000, "ms"),
        Row("one of these files, p99", quantile(done, 0.99) * 1000, "ms"),
    ]


async def hits(server: ServerProcess, http: Http, runs: int) -> list[Row]:
    """Ten seconds of speech that were spoken before."""
    session = await server.session()
    pcm = (await http.pcm(TEN_SECONDS)).pcm
    await http.file(TEN_SECONDS)
    http_s: list[float] = []
    socket_s: list[float] = []
    encode_ms: list[float] = []
    encoder_s: list[float] = []
    for _ in progress("cache hits", range(runs)):
        took, _, cache = await http.file(TEN_SECONDS)
        assert cache == "hit", f"X-Cache: {cache}"
        http_s.append(took)
        sent = time.perf_counter()
        await session.send(wire.encode(wire.Text(TEN_SECONDS)))
        await session.send(wire.encode(wire.End()))
        while isinstance(received := await session.recv(), bytes) or '"context.done"' not in received:
            pass
        done = json.loads(received)
        assert done["cache"] == "hit", f"cache: {done['cache']}"
        socket_s.append(time.perf_counter() - sent)
        encode_ms.append(done["timing"]["encode_ms"])
        encoder_s.append(encode_bare(pcm))
    await session.close()
    return [
        Row("length of the speech for cache hits", len(pcm) / CODED_RATE, "s"),
        Row("HTTP cache hit to the last byte, median", median(http_s) * 1000, "ms", 5),
        Row("HTTP cache hit to the last byte, p95", quantile(http_s, 0.95) * 1000, "ms"),
        Row("WebSocket cache hit to the last frame, median", median(socket_s) * 1000, "ms"),
        Row("of which encoding, by the server's own marks, median", median(encode_ms), "ms"),
        Row("bare Opus encoder for the same sound, median", median(encoder_s) * 1000, "ms"),
    ]


async def measure(arguments: argparse.Namespace) -> Sequence[Row]:
    """All figures, in the order of the table."""
    runs, rounds, seconds = (20, 3, 3.0) if arguments.quick else (200, 9, 30.0)
    rows: list[Row] = []
    with ServerProcess() as server:
        async with aiohttp.ClientSession() as session:
            rows += await first_audio(server, Http(server, session), runs)
            rows += await rate(Http(server, session), seconds)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        # Room for all of it: the engine has to wait for nobody.
        with ServerProcess(log=log, LOG_LEVEL="info", LOG_FORMAT="json", BUFFER_MS="60000") as server:
            async with aiohttp.ClientSession() as session:
                rows += await overlap(Http(server, session), log, rounds)
    with ServerProcess(AUDIO_CACHE_MB="64") as server:
        async with aiohttp.ClientSession() as session:
            rows += await hits(server, Http(server, session), runs)
    return rows


def main() -> None:
    """Measure and print; the exit code tells nothing of the targets, for machines differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    show("Speech over HTTP, embedded voice", asyncio.run(measure(arguments)), arguments.json)


if __name__ == "__main__":
    main()
