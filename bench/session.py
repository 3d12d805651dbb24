"""What knowing the listener costs: `python -m bench.session [--quick] [--json FILE]`.

The state machine by itself, without sockets: many messages, and the answer to a cancel in the largest
context. Then a server: CPU per second of audio with and without word times and reports of the player, in
turns, so that the ratio holds on machines whose speed drifts.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from websockets.asyncio.client import ClientConnection

from bench.latency import SENTENCES
from bench.server import ServerProcess
from bench.table import Row, progress, quantile, show
from realtime.app import make_offer
from realtime.config import Config
from realtime.session import messages as wire
from realtime.session.actions import Send
from realtime.session.frames import decode_frame
from realtime.session.session import Session
from realtime.types import TIMELINE_PER_MS, TIMELINE_RATE, FrameFlags, Packet, SourceWord, WordsTimed

MESSAGES = 10_000
FRAME = round(20 * TIMELINE_PER_MS)
#: A player tells where it is twice a second.
REPORT_SAMPLES = TIMELINE_RATE // 2
_OFFER = make_offer(Config(engine="tone"))


def _session() -> Session:
    session = Session("bench", lambda: "token", _OFFER, 0.0)
    session.receive(wire.encode(wire.SessionStart(timestamps="word")), 0.0)
    return session


def _talk(turns: int) -> list[str]:
    """Messages of a lively conversation, ten for each turn."""
    messages: list[wire.ClientMessage] = []
    for turn in range(turns):
        name = f"turn-{turn}"
        messages += [wire.Text(token, name) for token in ("Well, ", "let me ", "think ", "about it.")]
        messages += [wire.Flush(name), wire.Playback(20, name), wire.Pause(name), wire.Continue(name)]
        messages += [wire.Ping(turn), wire.Cancel(name, 30.0)]
    return [wire.encode(message) for message in messages]


def messages_s() -> float:
    """Seconds for `MESSAGES` messages, frames between them included."""
    session, now = _session(), 1.0
    texts = _talk(MESSAGES // 10)
    begun = time.perf_counter()
    for number, text in enumerate(texts):
        session.receive(text, now)
        if number % 10 == 4:
            handle = session.head()
            assert handle is not None, "a flushed context is the head"
            session.on_event(handle, WordsTimed(0, (SourceWord(0, 5, 0, FRAME),), False), now)
            session.on_event(handle, Packet(b"sound", 0, 0, FRAME, FrameFlags.FIRST), now)
        session.on_deadline(now)
        now += 0.001
    return time.perf_counter() - begun


def cancel_s() -> float:
    """Seconds until the answer to a cancel is there, as text, for a context of 64 KiB."""
    session, now = _session(), 1.0
    sentence = "All these words were sent and some of them were heard. "
    part = wire.encode(wire.Text(sentence * 20))
    count = _OFFER.limits.text_bytes_per_context // (len(sentence) * 20)
    for _ in range(count):
        session.receive(part, now)
    handle = session.head()
    assert handle is not None
    length = count * 20 * len(sentence)
    starts = range(0, length - 6, 6)
    words = tuple(SourceWord(start, start + 5, start * 480, (start + 5) * 480) for start in starts)
    for start in range(0, len(words), 10):
        session.on_event(handle, WordsTimed(0, words[start : start + 10], False), now)
    sent = words[-1].end
    for seq, position in enumerate(range(0, sent, FRAME)):
        flags = FrameFlags.NONE if seq else FrameFlags.FIRST
        session.on_event(handle, Packet(b"sound", seq, position, FRAME, flags), now)
    cancel = wire.encode(wire.Cancel(played_ms=sent / 2 / TIMELINE_PER_MS))
    begun = time.perf_counter()
    answers = [wire.encode(each.message) for each in session.receive(cancel, now) if isinstance(each, Send)]
    seconds = time.perf_counter() - begun
    assert len(answers) == 1 and len(answers[0]) > length, "spoken and remaining are all of the text"
    return seconds


async def _speak(session: ClientConnection, text: str, reports: bool) -> float:
    """Speak a text; returns seconds of sound."""
    await session.send(wire.encode(wire.Text(text)))
    await session.send(wire.encode(wire.End()))
    end = reported = 0
    while True:
        data = await session.recv()
        if isinstance(data, bytes):
            packet = decode_frame(data).packet
            end = packet.position + packet.duration
            if reports and end - reported >= REPORT_SAMPLES:
                reported = end
                await session.send(wire.encode(wire.Playback(end / TIMELINE_PER_MS)))
        elif '"context.done"' in data:
            return end / TIMELINE_RATE


async def cost(server: ServerProcess, rounds: int, sentences: Sequence[str]) -> list[Row]:
    """CPU per second of audio, with words and reports and without, in turns."""
    plain = await server.session()
    knowing = await server.session(timestamps="word")
    costs: dict[bool, list[float]] = {False: [], True: []}
    for _ in progress("words and playout", range(rounds)):
        for session, knows in ((plain, False), (knowing, True)):
            before = server.cpu_s()
            audio_s = sum([await _speak(session, text, knows) for text in sentences])
            costs[knows].append((server.cpu_s() - before) / audio_s * 1000)
    await plain.close()
    await knowing.close()
    # The first turn of each warms up.
    without, with_words = median(costs[False][1:]), median(costs[True][1:])
    return [
        Row("CPU per second of audio, without", without, "ms"),
        Row("CPU per second of audio, with words and reports", with_words, "ms"),
        Row("with / without", with_words / without, "x", 1.05),
    ]


async def measure(quick: bool) -> Sequence[Row]:
    """All figures, in the order of the table."""
    tries, rounds = (1, 2) if quick else (25, 16)
    sentences = SENTENCES[:4] if quick else SENTENCES
    many = [messages_s() for _ in progress("messages", range(tries))]
    cancels = [cancel_s() for _ in progress("cancel", range(tries))]
    rows = [
        Row(f"{MESSAGES} messages through the state machine, median", median(many), "s", 0.5),
        Row("cancel of a context of 64 KiB, median", median(cancels) * 1000, "ms", 1),
        Row("cancel of a context of 64 KiB, slowest", quantile(cancels, 1) * 1000, "ms"),
    ]
    with ServerProcess() as server:
        rows += await cost(server, rounds, sentences)
    with ServerProcess(ENGINE="tone", ENGINE_RUNNER="thread") as server:
        tone = await cost(server, rounds, sentences * (2 if quick else 4))
    # What is left when the voice costs next to nothing: no target, for nobody listens to tones.
    return rows + [replace(row, name=f"tone engine: {row.name}", limit=None) for row in tone]


def main() -> None:
    """Measure and print; the exit code tells nothing of the targets, for machines differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    rows = asyncio.run(measure(arguments.quick))
    show("The whole session, one listener", rows, arguments.json)


if __name__ == "__main__":
    main()
