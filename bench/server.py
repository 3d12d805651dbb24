"""The server under measurement, in a process of its own, and a client that does nothing but note times."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
from websockets.asyncio.client import ClientConnection, connect

from realtime.session import messages as wire

T = TypeVar("T")
START_S = 60
#: Below those that systems give to connections: none takes one that was found free before a server has it.
_PORTS = range(20_000, 32_000)
_CHANCE = random.SystemRandom()  # tests seed the other one


def free_port() -> int:
    """A TCP port that nobody listens on."""
    for port in _CHANCE.sample(_PORTS, 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of processes in MB. `resident`: all that they have in RAM, what they share counted once each.

    `unique`: what would be free if they were gone. `proportional`: what is shared is divided by who share it.
    """

    resident: float
    unique: float
    proportional: float


def of_each(processes: Iterable[psutil.Process], figure: Callable[[psutil.Process], T]) -> list[T]:
    """A figure of each process; without those that have ended meanwhile."""
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(figure(process))
    return found


def _memory(processes: list[psutil.Process]) -> Memory:
    found = of_each(processes, psutil.Process.memory_full_info)
    sums = (sum(getattr(each, name) for each in found) for name in ("rss", "uss", "pss"))
    return Memory(*(each / 2**20 for each in sums))


class ServerProcess:
    """`python -m realtime serve` with the settings given; ready inside the `with` block."""

    def __init__(self, log: Path | None = None, start_s: float = START_S, **settings: str | None) -> None:
        """`settings` are environment variables, None takes one away; what it logs goes to the file `log`.

        Caches are off, and it waits for nobody at its end, unless a setting says otherwise. `start_s`: it may
        take so long until it is ready.
        """
        self._log = log
        self._start_s = start_s
        self.port = free_port()
        # Whatever proxy the environment names, it is not the way to this machine.
        self._http = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        defaults = {"AUDIO_CACHE_MB": "0", "LOG_LEVEL": "error", "DRAIN_S": "0"}
        wanted: dict[str, str | None] = {**os.environ, **defaults, **settings, "PORT": str(self.port)}
        self._environment = {name: value for name, value in wanted.items() if value is not None}

    def __enter__(self) -> ServerProcess:
        begun = time.monotonic()
        with contextlib.ExitStack() as files:
            log = files.enter_context(self._log.open("wb")) if self._log else None
            self.process = subprocess.Popen(
                [sys.executable, "-m", "realtime", "serve"],
                env=self._environment,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        while not self._is_ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with code {self.process.returncode}")
            if time.monotonic() > begun + self._start_s:
                self.process.kill()
                self.process.wait()
                raise RuntimeError(f"the server was not ready after {self._start_s:g} s")
            time.sleep(0.01)
        self.ready_s = time.monotonic() - begun
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(START_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def _is_ready(self) -> bool:
        try:
            with self._http.open(f"http://127.0.0.1:{self.port}/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def metrics(self) -> str:
        """What `/metrics` tells now."""
        with self._http.open(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            told: bytes = answer.read()
        return told.decode()

    def processes(self) -> list[psutil.Process]:
        """Its own process, and its children behind it."""
        server = psutil.Process(self.process.pid)
        return [server, *server.children(recursive=True)]

    def cpu_s(self) -> float:
        """CPU seconds that the server and its children have used, those included that have ended."""
        return sum(self.cpu_parts_s())

    def cpu_parts_s(self) -> tuple[float, float]:
        """The same in two parts: its own process, and its children."""
        own, *children = self.processes()
        times = own.cpu_times()
        theirs_s = times.children_user + times.children_system
        # One that has ended meanwhile is counted next time.
        theirs_s += sum(of_each(children, lambda child: sum(child.cpu_times()[:4])))
        return times.user + times.system, theirs_s

    def resident_mb(self) -> float:
        """Memory of the server and its children, what they share counted once each."""
        return sum(of_each(self.processes(), lambda process: process.memory_info().rss)) / 2**20

    def memory(self) -> tuple[Memory, Memory]:
        """Memory in two parts: its own process, and those of its engines.

        Processes that an engine forks for one text are left out: they share nearly all with it.
        """
        own = psutil.Process(self.process.pid)
        return _memory([own]), _memory(own.children())

    async def session(self, **start: object) -> ClientConnection:
        """A started session; who measures does not play, and so has no limit of lead if it asks for none."""
        connection = await connect(
            f"ws://127.0.0.1:{self.port}/v1/audio/speech/ws", compression=None, max_size=None, proxy=None
        )
        fields: dict[str, Any] = {"max_lead_ms": 0} | start
        await connection.send(wire.encode(wire.SessionStart(**fields)))
        await connection.recv()
        return connection
