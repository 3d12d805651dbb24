"""Latency and cost of one listener: `python -m bench.latency [--quick] [--runner process] [--json FILE]`.

Everything is measured against the bare voice (hibari called directly) and the bare Opus encoder
(opuslib-next) in the same run, in turns, so that the ratios hold on machines whose speed drifts. No cache is
involved. The client is in a process of its own; the time to first audio is from sending the text until the
frame arrives that holds the first audible sample (-45 dBFS); the silence before it is reported beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
from websockets.asyncio.client import ClientConnection

from bench.server import ServerProcess
from bench.table import Row, progress, quantile, show
from realtime.audio.formats import to_int16
from realtime.audio.opus import CODED_RATE, OpusDecoder, OpusEncoder
from realtime.audio.silence import AUDIBLE
from realtime.config import Config
from realtime.session import messages as wire
from realtime.session.frames import Frame, decode_frame
from realtime.types import TIMELINE_RATE, Pcm

if TYPE_CHECKING:
    from hibari import Hibari

SENTENCES = Path(__file__).with_name("data").joinpath("sentences.txt").read_text().splitlines()
TEN_WORDS = SENTENCES[0]
_WINDOW = CODED_RATE // 200  # 5 ms


@dataclass(frozen=True, slots=True)
class Spoken:
    """What came back for one text: frames with their arrival, in seconds after the send."""

    frames: list[Frame]
    arrivals: list[float]

    @property
    def audio_s(self) -> float:
        """Length of the sound."""
        return sum(frame.packet.duration for frame in self.frames) / TIMELINE_RATE

    def pcm(self, pre_skip: int = 312) -> Pcm:
        """The decoded sound at 24 kHz."""
        decoder = OpusDecoder(CODED_RATE)
        parts = [decoder.decode(frame.packet.payload) for frame in self.frames if frame.packet.payload]
        return np.concatenate(parts)[pre_skip // 2 :]

    def first_audible(self) -> tuple[float, float]:
        """Arrival of the frame with the first audible sample, and the silence before that sample; seconds."""
        pcm = self.pcm()
        windows = pcm[: len(pcm) // _WINDOW * _WINDOW].reshape(-1, _WINDOW)
        audible = np.flatnonzero(np.sqrt((windows**2).mean(axis=1)) >= AUDIBLE)
        silence_s = float(audible[0]) * _WINDOW / CODED_RATE
        for frame, arrival in zip(self.frames, self.arrivals, strict=True):
            if (frame.packet.position + frame.packet.duration) / TIMELINE_RATE > silence_s:
                return arrival, silence_s
        raise AssertionError("an audible sample lies in one of the frames")


async def speak(session: ClientConnection, text: str) -> Spoken:
    """Send a text whole, and take all that comes for it."""
    frames: list[bytes] = []
    arrivals: list[float] = []
    text_message = wire.encode(wire.Text(text))
    end_message = wire.encode(wire.End())
    sent = time.perf_counter()
    await session.send(text_message)
    await session.send(end_message)
    while True:
        data = await session.recv()
        if isinstance(data, bytes):
            arrivals.append(time.perf_counter() - sent)
            frames.append(data)
        elif '"context.done"' in data:
            return Spoken([decode_frame(frame) for frame in frames], arrivals)


async def first_audio(server: ServerProcess, voice: Hibari, runs: int) -> list[Row]:
    """Time to first audio beside a direct call, in turns."""
    session = await server.session()
    for _ in range(min(5, runs)):
        await speak(session, TEN_WORDS)
        voice(TEN_WORDS, seed=0)
    direct: list[float] = []
    first_frame: list[float] = []
    audible: list[float] = []
    silence: list[float] = []
    for _ in progress("first audio", range(runs)):
        begun = time.perf_counter()
        voice(TEN_WORDS, seed=0)
        direct.append(time.perf_counter() - begun)
        spoken = await speak(session, TEN_WORDS)
        first_frame.append(spoken.arrivals[0])
        arrival, lead = spoken.first_audible()
        audible.append(arrival)
        silence.append(lead)
    await session.close()
    return [
        Row("direct call of the voice, median", median(direct) * 1000, "ms"),
        Row("direct call of the voice, p95", quantile(direct, 0.95) * 1000, "ms"),
        Row("first frame, median", median(first_frame) * 1000, "ms"),
        Row("first audible sample, median", median(audible) * 1000, "ms"),
        Row("first audible sample, p95", quantile(audible, 0.95) * 1000, "ms"),
        Row("silence before it, median", median(silence) * 1000, "ms"),
        Row("first audible / direct call, median", median(audible) / median(direct), "x", 1.3),
        Row(
            "first audible p95 / direct call p95", quantile(audible, 0.95) / quantile(direct, 0.95), "x", 1.5
        ),
    ]


def encode_bare(pcm: Pcm) -> float:
    """CPU seconds of the bare encoder for a sound."""
    samples = to_int16(pcm).tobytes()
    encoder = OpusEncoder(Config().opus_bitrate)
    size = encoder.frame_samples * 2
    begun = time.thread_time()
    for start in range(0, len(samples) - size + 1, size):
        encoder.encode(samples[start : start + size])
    return time.thread_time() - begun


async def cost(server: ServerProcess, voice: Hibari, rounds: int, sentences: Sequence[str]) -> list[Row]:
    """CPU per second of audio, beside the bare voice and the bare encoder."""
    session = await server.session()
    served: list[float] = []
    bare: list[float] = []
    for _ in progress("cost", range(rounds)):
        before = server.cpu_s()
        spoken = [await speak(session, text) for text in sentences]
        served_s = server.cpu_s() - before
        audio_s = sum(each.audio_s for each in spoken)
        before = time.process_time()
        for text in sentences:
            voice(text, seed=0)
        bare_s = time.process_time() - before
        bare_s += sum(encode_bare(each.pcm()) for each in spoken)
        served.append(served_s / audio_s * 1000)
        bare.append(bare_s / audio_s * 1000)
    await session.close()
    ratios = [ours / theirs for ours, theirs in zip(served, bare, strict=True)]
    return [
        Row("bare voice and encoder, CPU per second of audio", median(bare), "ms"),
        Row("server, CPU per second of audio", median(served), "ms"),
        Row("server / bare voice and encoder", median(ratios), "x", 1.2),
    ]


async def cancels(server: ServerProcess, tries: int, repeats: int) -> list[Row]:
    """Barge-in at random moments while sound is streaming; frames after the barrier are counted."""
    session = await server.session()
    text = wire.encode(wire.Text(" ".join(SENTENCES * repeats)))
    cancel = wire.encode(wire.Cancel())
    chance = random.Random(1)
    seconds: list[float] = []
    closed: set[int] = set()
    late = 0
    for _ in progress("cancel", range(tries)):
        await session.send(wire.encode(wire.ContextOpen()))
        await session.send(text)
        cancel_at: float | None = None
        sent: float | None = None
        while True:
            if cancel_at is not None and sent is None and time.perf_counter() >= cancel_at:
                sent = time.perf_counter()
                await session.send(cancel)
            data = await session.recv()
            if isinstance(data, bytes):
                frame = decode_frame(data)
                late += frame.handle in closed
                if cancel_at is None:
                    cancel_at = time.perf_counter() + chance.uniform(0, 0.06)
            elif '"context.cancelled"' in data:
                assert sent is not None
                seconds.append(time.perf_counter() - sent)
                message = wire.decode_server(data)
                assert isinstance(message, wire.ContextCancelled)
                closed.add(message.handle)
                break
    await session.close()
    return [
        Row("cancel to context.cancelled, median", median(seconds) * 1000, "ms", 10),
        Row("cancel to context.cancelled, p99", quantile(seconds, 0.99) * 1000, "ms"),
        Row(f"frames after context.cancelled in {tries} tries", late, "frames", 0),
    ]


async def server_alone(rounds: int) -> list[Row]:
    """What the server itself costs: the tone engine, which costs next to nothing."""
    rows: list[Row] = []
    with ServerProcess(ENGINE="tone", ENGINE_RUNNER="thread") as server:
        session = await server.session()
        await speak(session, " ".join(SENTENCES))
        served: list[float] = []
        bare: list[float] = []
        for _ in progress("server alone", range(rounds)):
            before = server.cpu_s()
            spoken = await speak(session, " ".join(SENTENCES))
            served.append((server.cpu_s() - before) / spoken.audio_s * 1000)
            bare.append(encode_bare(spoken.pcm()) / spoken.audio_s * 1000)
        await session.close()
        rows.append(Row("tone engine: bare encoder, CPU per second of audio", median(bare), "ms"))
        rows.append(Row("tone engine: server, CPU per second of audio", median(served), "ms"))
        rows.append(Row("tone engine: resident memory, idle", server.resident_mb(), "MB"))
    return rows


async def measure(arguments: argparse.Namespace) -> Sequence[Row]:
    """All figures, in the order of the table."""
    from hibari import Hibari  # `speak` is used where that voice is not installed

    voice = Hibari()
    runs, rounds, tries, repeats = (3, 1, 50, 1) if arguments.quick else (200, 7, 1000, 4)
    sentences = SENTENCES[:4] if arguments.quick else SENTENCES
    rows: list[Row] = []
    if not arguments.quick:
        with ServerProcess(ENGINE_RUNNER=arguments.runner):
            pass  # the first start reads everything from the disk
    with ServerProcess(ENGINE_RUNNER=arguments.runner) as server:
        rows.append(Row("start to ready, warm", server.ready_s, "s", 3))
        await asyncio.sleep(0.5)
        rows.append(Row("resident memory, idle", server.resident_mb(), "MB"))
        rows += await first_audio(server, voice, runs)
        rows += await cost(server, voice, rounds, sentences)
        rows += await cancels(server, tries, repeats)
        rows.append(Row("resident memory, after all this", server.resident_mb(), "MB"))
    return rows + await server_alone(rounds)


def main() -> None:
    """Measure and print; the exit code tells nothing of the targets, for machines differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument(
        "--runner", choices=["process", "thread"], default="process", help="where the engine runs"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    rows = asyncio.run(measure(arguments))
    show(f"One listener, embedded voice, engine in a {arguments.runner}", rows, arguments.json)


if __name__ == "__main__":
    main()
