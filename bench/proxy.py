"""What the proxy of `deploy/caddy` adds: `python -m bench.proxy [--quick] [--json FILE]`.

One server, on TCP and on a socket file, and a Caddy in front of each: the ways to it are taken in turns, so
that the ratios hold on machines whose speed drifts. All connections are open before, and the caches are off.
The time to first audio is from sending the text until the bytes arrive that hold the first audible sample.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx
from websockets.asyncio.client import ClientConnection, connect, unix_connect

from bench.caddy import CaddyProcess
from bench.http import Heard, over_websocket
from bench.latency import TEN_WORDS
from bench.server import ServerProcess
from bench.table import Row, progress, quantile, show
from realtime.session import messages as wire

#: First audio through the proxy may take so many times as long as without it.
MOST = 1.3
_SOCKETS = "/v1/audio/speech/ws"
_PCM = "/v1/audio/speech/pcm"
_FILE = "/v1/audio/speech"

Speak = Callable[[str], Awaitable[Heard]]


@dataclass(frozen=True, slots=True)
class Ways:
    """How a text gets to the server; and clients for requests/s."""

    speak: Mapping[str, Speak]
    clients: Mapping[str, httpx.AsyncClient]


async def _pcm(http: httpx.AsyncClient, text: str) -> Heard:
    data = bytearray()
    arrivals: list[tuple[float, int]] = []
    sent = time.perf_counter()
    async with http.stream("POST", _PCM, json={"input": text}) as answer:
        answer.raise_for_status()
        async for part in answer.aiter_raw():
            data += part
            arrivals.append((time.perf_counter() - sent, len(data)))
    return Heard(bytes(data), arrivals)


async def _started(session: ClientConnection) -> Speak:
    await session.send(wire.encode(wire.SessionStart(formats=["pcm_s16le"], max_lead_ms=0)))
    await session.recv()
    return lambda text: over_websocket(session, text)


async def open_ways(
    stack: AsyncExitStack, server: ServerProcess, uds: str, proxies: Mapping[str, CaddyProcess]
) -> Ways:
    """Connections of every kind, straight to the server and through the proxies, by name."""

    async def client(base: str, **options: object) -> httpx.AsyncClient:
        all_kept = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        usual = {"base_url": base, "trust_env": False, "timeout": 60, "limits": all_kept}
        return await stack.enter_async_context(httpx.AsyncClient(**usual | options))  # type: ignore[arg-type]

    sockets = {"compression": None, "max_size": None, "proxy": None}
    speak: dict[str, Speak] = {}
    address = f"ws://127.0.0.1:{server.port}{_SOCKETS}"
    straight = await client(f"http://127.0.0.1:{server.port}")
    over_file = await client("http://localhost", transport=httpx.AsyncHTTPTransport(uds=uds))
    clients = {"HTTP/1.1, direct": straight}
    speak["HTTP, direct"] = lambda text: _pcm(straight, text)
    speak["HTTP, direct, socket file"] = lambda text: _pcm(over_file, text)
    speak["WebSocket, direct"] = await _started(await stack.enter_async_context(connect(address, **sockets)))  # type: ignore[arg-type]
    speak["WebSocket, direct, socket file"] = await _started(
        await stack.enter_async_context(unix_connect(uds, f"ws://localhost{_SOCKETS}", compression=None))
    )
    for kind, proxy in proxies.items():
        tls = proxy.tls()
        first = await client(proxy.url, verify=tls)
        second = await client(proxy.url, verify=tls, http2=True)
        # Each of these has a client of its own: they are called later.
        speak[f"HTTP/1.1, TLS, {kind}"] = lambda text, http=first: _pcm(http, text)  # type: ignore[misc]
        speak[f"HTTP/2, TLS, {kind}"] = lambda text, http=second: _pcm(http, text)  # type: ignore[misc]
        address = proxy.url.replace("https", "wss") + _SOCKETS
        session = await stack.enter_async_context(connect(address, ssl=tls, **sockets))  # type: ignore[arg-type]
        speak[f"WebSocket, TLS, {kind}"] = await _started(session)
        clients |= {f"HTTP/1.1, TLS, {kind}": first, f"HTTP/2, TLS, {kind}": second}
    return Ways(speak, clients)


def _turned(names: Iterable[str], run: int) -> list[str]:
    """All of them, in a run of this number: whoever comes first finds the server otherwise than the rest."""
    ordered = list(names)
    first = run % len(ordered)
    return ordered[first:] + ordered[:first]


async def first_audio(ways: Mapping[str, Speak], runs: int) -> list[Row]:
    """Time to first audio on every way, in turns; those through a proxy beside the same without."""
    for _ in range(min(3, runs)):
        for speak in ways.values():
            await speak(TEN_WORDS)
    took: dict[str, list[float]] = {name: [] for name in ways}
    for run in progress("first audio", range(runs)):
        for name in _turned(ways, run):
            took[name].append((await ways[name](TEN_WORDS)).first_audible_s())
    rows = [
        Row(name, median(each) * 1000, "ms", more={"p95": quantile(each, 0.95) * 1000})
        for name, each in took.items()
    ]
    for name, each in took.items():
        if "direct" not in name:
            base = took["WebSocket, direct" if name.startswith("WebSocket") else "HTTP, direct"]
            apart = quantile(each, 0.95) / quantile(base, 0.95)
            ratio = median(each) / median(base)
            rows.append(Row(f"{name} / direct, medians", ratio, "x", MOST, more={"p95": apart}))
    for kind in ("HTTP", "WebSocket"):
        ratio = median(took[f"{kind}, direct, socket file"]) / median(took[f"{kind}, direct"])
        rows.append(Row(f"{kind}, direct: socket file / TCP, medians", ratio, "x"))
    return rows


async def rates(
    clients: Mapping[str, httpx.AsyncClient], at_once: int, requests: int, rounds: int
) -> list[Row]:
    """Requests that cost the server next to nothing, so many at a time, in turns."""
    limit = asyncio.Semaphore(at_once)

    async def ask(http: httpx.AsyncClient) -> None:
        async with limit:
            (await http.get("/health")).raise_for_status()

    per_s: dict[str, list[float]] = {name: [] for name in clients}
    for http in clients.values():
        await asyncio.gather(*(ask(http) for _ in range(at_once)))  # opens the connections
    for run in progress("requests", range(rounds)):
        for name in _turned(clients, run):
            begun = time.perf_counter()
            await asyncio.gather(*(ask(clients[name]) for _ in range(requests)))
            per_s[name].append(requests / (time.perf_counter() - begun))
    return [
        Row(f"requests, {at_once} at once, {name}", median(each), "1/s", note="with the client's own cost")
        for name, each in per_s.items()
    ]


async def spoken(clients: Mapping[str, httpx.AsyncClient], at_once: int, rounds: int) -> list[Row]:
    """Files of ten words, so many asked for at the same time; what the voice takes is the same for all."""
    took: dict[str, list[float]] = {name: [] for name in clients}
    asked = {"input": TEN_WORDS, "response_format": "pcm"}
    for run in progress("files", range(rounds)):
        for name in _turned(clients, run):
            begun = time.perf_counter()
            answers = await asyncio.gather(*(clients[name].post(_FILE, json=asked) for _ in range(at_once)))
            assert all(answer.status_code == 200 and answer.content for answer in answers)
            took[name].append(at_once / (time.perf_counter() - begun))
    return [Row(f"files, {at_once} at once, {name}", median(each), "1/s") for name, each in took.items()]


async def measure(arguments: argparse.Namespace) -> Sequence[Row]:
    """All figures, in the order of the table."""
    runs, at_once, requests, rounds = (1, 5, 20, 1) if arguments.quick else (100, 50, 500, 5)
    with tempfile.TemporaryDirectory(prefix="realtime-") as folder:
        uds = f"{folder}/socket"
        # Requests at once are all taken, however long the last of them waits.
        with (
            ServerProcess(UDS=uds, MAX_WAIT_MS="0") as server,
            CaddyProcess(f"127.0.0.1:{server.port}") as tcp,
            CaddyProcess(f"unix/{uds}") as unix,
        ):
            async with AsyncExitStack() as stack:
                ways = await open_ways(stack, server, uds, {"proxy": tcp, "proxy and socket file": unix})
                rows = await first_audio(ways.speak, runs)
                rows += await rates(ways.clients, at_once, requests, rounds)
                rows += await spoken(ways.clients, at_once, rounds)
    return rows


def main() -> None:
    """Measure and print; the exit code tells nothing of the targets, for machines differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    show("First audio through the proxy, embedded voice", asyncio.run(measure(arguments)), arguments.json)


if __name__ == "__main__":
    main()
