"""WebRTC, with real peers (aiortc) that listen: `python -m bench.rtc [PART ...] [--quick] [--json FILE]`.

Parts: `first` (from the offer, and from the text, to the first audible sample; barge-ins), `cost` (CPU of the
server for streams in real time, beside the same streams over WebSockets, in turns) and `punctual` (how late
packets leave while many streams speak, beside a bare timer in the same minute). All listeners are in another
process than the server, on the same cores, and are counted nowhere. When a packet came is what the kernel
says; packets have an audible sample where 5 ms of them reach -45 dBFS. The caches are off.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec
from websockets.asyncio.client import ClientConnection

from bench.latency import SENTENCES, TEN_WORDS, speak
from bench.rtc_peer import RtcPeer, StampingLoop, lateness, rtc_peer
from bench.server import ServerProcess
from bench.table import Row, progress, quantile, show
from realtime.session import messages as wire

#: Where all of it happens.
LOOPBACK = "127.0.0.1"
_SETTLE_S = 1.0
_SENTENCE_S = 3.0  # at least
#: Settings of the sessions whose cost is compared: the server's own.
_START = wire.SessionStart(cache=False)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. `sentences`, of a stream: more than the server may be ahead of a listener."""

    warm: int
    runs: int
    rounds: int
    streams: int
    sentences: int
    seconds: float


# -- the first sound, and the last --------------------------------------------------------------------------


async def first(size: Size) -> list[Row]:
    """One listener."""
    with ServerProcess(RTC_ADDRESSES=LOOPBACK) as server:
        return [*await _from_offer(server, size), *await _from_text(server, size)]


async def _from_offer(server: ServerProcess, size: Size) -> list[Row]:
    opened: list[float] = []
    heard: list[float] = []
    for run in progress("from the offer", range(size.warm + size.runs)):
        async with rtc_peer(server) as peer:
            begun = time.monotonic()
            await peer.connect()
            open_s = time.monotonic() - begun
            peer.send(wire.Text(TEN_WORDS), wire.End())
            first_s = await peer.until_loud(begun) - begun
        if run >= size.warm:  # the first ones load what they need
            opened.append(open_s)
            heard.append(first_s)
    return [
        Row("offer to open data channel, median", median(opened) * 1000, "ms"),
        Row("offer to first audible sample, median", median(heard) * 1000, "ms", 400),
        Row("offer to first audible sample, p95", quantile(heard, 0.95) * 1000, "ms"),
    ]


async def _from_text(server: ServerProcess, size: Size) -> list[Row]:
    heard: list[float] = []
    played: list[float] = []
    socket_s: list[float] = []
    silent: list[float] = []
    silent_played: list[float] = []
    session = await server.session()
    async with rtc_peer(server) as peer:
        await peer.connect()
        for run in progress("from the text", range(size.warm + size.runs)):
            spoken = await speak(session, TEN_WORDS)
            await asyncio.sleep(random.uniform(0.3, 0.4))
            peer.send(wire.ContextOpen())  # the one before was cancelled
            sent = time.monotonic()
            peer.send(wire.Text(TEN_WORDS), wire.End())
            frame_at = await peer.until_loud(sent, frames=True)
            packet_at = await peer.until_loud(sent)
            await asyncio.sleep(random.uniform(0.3, 1.3))
            cancelled = time.monotonic()
            peer.send(wire.Cancel())
            await peer.until("context.cancelled")
            await asyncio.sleep(0.3)
            if run >= size.warm:
                socket_s.append(spoken.first_audible()[0])
                heard.append(packet_at - sent)
                played.append(frame_at - sent)
                silent.append(max([cancelled, *peer.loud(cancelled)]) - cancelled)
                silent_played.append(max([cancelled, *peer.loud_frames(cancelled)]) - cancelled)
    await session.close()
    return [
        Row("text to first audible sample over a WebSocket, median", median(socket_s) * 1000, "ms"),
        Row("text to first audible sample, arrival, median", median(heard) * 1000, "ms", 120),
        Row("text to first audible sample, arrival, p95", quantile(heard, 0.95) * 1000, "ms"),
        Row("the same out of aiortc, which holds four packets back, median", median(played) * 1000, "ms"),
        Row("cancel to last audible packet, median", median(silent) * 1000, "ms", 60),
        Row("cancel to last audible packet, worst", max(silent) * 1000, "ms"),
        Row("cancel to last audible sample out of aiortc, median", median(silent_played) * 1000, "ms"),
    ]


# -- what a stream costs ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of the server for a second of sound, in seconds: of its own process, and of the engine's."""

    own: float
    engine: float


def _texts(streams: int, sentences: int) -> list[str]:
    """One for each stream, all of about the same length, and no two that say the same at the same time."""
    return [
        " ".join(SENTENCES[(stream + number) % len(SENTENCES)] for number in range(sentences))
        for stream in range(streams)
    ]


async def _speak_all(
    server: ServerProcess, streams: Sequence[Callable[[str], Awaitable[float]]], sentences: int
) -> Cost:
    """All streams speak in real time, and begin one after another; a stream returns its length in seconds."""

    async def one(stream: Callable[[str], Awaitable[float]], text: str, number: int) -> float:
        await asyncio.sleep(number / len(streams))
        return await stream(text)

    await asyncio.sleep(_SETTLE_S)
    begun, before = time.monotonic(), server.cpu_parts_s()
    texts = _texts(len(streams), sentences)
    lengths = await asyncio.gather(*map(one, streams, texts, range(len(streams))))
    # The same time for both: a socket has everything some seconds before it is heard.
    await asyncio.sleep(max(0.0, begun + 1 + max(lengths) + _SETTLE_S - time.monotonic()))
    own, engine = (after - earlier for after, earlier in zip(server.cpu_parts_s(), before, strict=True))
    return Cost(own / sum(lengths), engine / sum(lengths))


async def _over_sockets(server: ServerProcess, streams: int, sentences: int) -> Cost:
    async def stream(session: ClientConnection, text: str) -> float:
        for message in (wire.Text(text), wire.End()):
            await session.send(wire.encode(message))
        while True:
            data = await session.recv()
            if isinstance(data, str) and '"context.done"' in data:
                return float(json.loads(data)["audio_ms"]) / 1000

    async with AsyncExitStack() as stack:
        sessions = []
        for _ in range(streams):
            session = await server.session(max_lead_ms=msgspec.UNSET, cache=False)
            stack.push_async_callback(session.close)
            sessions.append(session)
        over = [lambda text, each=each: stream(each, text) for each in sessions]
        return await _speak_all(server, over, sentences)


async def _over_tracks(server: ServerProcess, streams: int, sentences: int) -> Cost:
    async def stream(peer: RtcPeer, text: str) -> float:
        peer.send(wire.Text(text), wire.End())
        return float((await peer.until("context.done"))["audio_ms"]) / 1000

    async with AsyncExitStack() as stack:
        over = [lambda text, each=each: stream(each, text) for each in await _peers(stack, server, streams)]
        return await _speak_all(server, over, sentences)


async def _peers(stack: AsyncExitStack, server: ServerProcess, count: int) -> list[RtcPeer]:
    peers = []
    for _ in range(count):
        peer = await stack.enter_async_context(rtc_peer(server))
        await peer.connect()
        peer.send(_START)
        peer.arrivals.lean = True
        peers.append(peer)
    return peers


def _lean(lean: bool) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, StampingLoop)
    loop.arrivals.lean = lean


async def cost(size: Size) -> list[Row]:
    """Both ways in turns."""
    ways = {"WebSocket": _over_sockets, "WebRTC": _over_tracks}
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    with ServerProcess(RTC_ADDRESSES=LOOPBACK) as server:
        await _over_sockets(server, size.streams, 1)
        for _ in progress("cost", range(size.rounds)):
            for name, way in ways.items():
                costs[name].append(await way(server, size.streams, size.sentences))
    rows = []
    for name, each in costs.items():
        own_s, engine_s = [one.own for one in each], [one.engine for one in each]
        total_s = [one.own + one.engine for one in each]
        label = f"{name}, CPU per second of sound, {size.streams} streams"
        rows.append(Row(label, median(total_s) * 1000, "ms"))
        rows.append(Row(f"{name}, of which the server's own process", median(own_s) * 1000, "ms"))
        rows.append(Row(f"{name}, of which the engine's", median(engine_s) * 1000, "ms"))
    pairs = list(zip(costs["WebRTC"], costs["WebSocket"], strict=True))
    ratios = [(ours.own + ours.engine) / (theirs.own + theirs.engine) for ours, theirs in pairs]
    own = [ours.own / theirs.own for ours, theirs in pairs]
    more = {"least": min(ratios), "most": max(ratios)}
    rows.append(Row("WebRTC / WebSocket, CPU, median of rounds", median(ratios), "x", 1.5, more=more))
    rows.append(Row("WebRTC / WebSocket, the server's own process", median(own), "x"))
    return rows


# -- how even packets leave ---------------------------------------------------------------------------------

_SHARES = {"median": 0.5, "p99": 0.99, "p99.9": 0.999, "worst": 1.0}


async def punctual(size: Size) -> list[Row]:
    """Late is what left after its time, which is that of the most punctual packet of its stream."""
    packets: dict[str, list[float]] = {name: [] for name in _SHARES}
    timers: dict[str, list[float]] = {name: [] for name in _SHARES}
    lost = 0
    with ServerProcess(RTC_ADDRESSES=LOOPBACK) as server:
        for _ in progress("punctual", range(size.rounds)):
            async with AsyncExitStack() as stack:
                peers = await _peers(stack, server, size.streams)
                late, bare, missing = await _one_minute(peers, size.seconds)
            lost += missing
            for name, share in _SHARES.items():
                packets[name].append(quantile(late, share))
                timers[name].append(quantile(bare, share))
    rows = [Row("packets that did not come", lost, "", 0)]
    for name in _SHARES:
        rows.append(Row(f"lateness of a bare timer, {name}", median(timers[name]) * 1000, "ms"))
        label = f"lateness of a packet, {size.streams} streams, {name}"
        rows.append(Row(label, median(packets[name]) * 1000, "ms"))
    for name in ("p99", "p99.9"):
        ratios = [ours / theirs for ours, theirs in zip(packets[name], timers[name], strict=True)]
        limit = 2.0 if name == "p99.9" else None
        more = {"least": min(ratios), "most": max(ratios)}
        rows.append(Row(f"packet / bare timer, {name}", median(ratios), "x", limit, more=more))
    return rows


async def _one_minute(peers: list[RtcPeer], seconds: float) -> tuple[list[float], list[float], int]:
    """Lateness of packets and of the timer, and packets that did not come."""
    texts = _texts(len(peers), round((seconds + 2 * _SETTLE_S) / _SENTENCE_S) + 1)
    for peer, text in zip(peers, texts, strict=True):
        peer.send(wire.Text(text), wire.End())
    await asyncio.sleep(_SETTLE_S)
    begun = time.monotonic()
    timer = [sys.executable, "-m", "bench.timer", str(seconds), str(len(peers))]
    done = await asyncio.to_thread(subprocess.run, timer, capture_output=True, check=True)
    ended = time.monotonic()
    late: list[float] = []
    missing = 0
    for peer in peers:
        came = [each for each in peer.arrivals.of[peer.ssrc] if begun <= each.at < ended]
        late += lateness(came)
        missing += (came[-1].sequence - came[0].sequence) % 2**16 + 1 - len(came)
    bare = [each - min(timer) for timer in json.loads(done.stdout) for each in timer]
    return late, bare, missing


PARTS: dict[str, Callable[[Size], Awaitable[list[Row]]]] = {
    "first": first,
    "cost": cost,
    "punctual": punctual,
}


async def measure(arguments: argparse.Namespace) -> list[Row]:
    """All figures, in the order of the table."""
    seconds = arguments.seconds or (2.0 if arguments.quick else 60.0)
    if arguments.quick:
        size = Size(1, 2, 1, 2, 1, seconds)
    else:
        size = Size(2, 60, arguments.rounds, arguments.streams, 6, seconds)
    rows: list[Row] = []
    for part in arguments.parts or PARTS:
        _lean(False)
        rows += await PARTS[part](size)
    return rows


def main() -> None:
    """Measure and print; the exit code tells nothing of the targets, for machines differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; without any: all")
    parser.add_argument("--streams", type=int, default=20, help="how many speak at once")
    parser.add_argument("--rounds", type=int, default=3, help="of everything but the first sounds")
    parser.add_argument("--seconds", type=float, help="how long they do while packets are timed (60)")
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    for part in arguments.parts:
        if part not in PARTS:
            parser.error(f"there is no part {part!r}: {', '.join(PARTS)}")
    with asyncio.Runner(loop_factory=StampingLoop) as runner:
        rows = runner.run(measure(arguments))
    show("WebRTC, embedded voice", rows, arguments.json)


if __name__ == "__main__":
    main()
