"""What the clients of a soak share: the server, its sockets, and what there is to say."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bench.latency import SENTENCES
from bench.soak_witness import ViolationError, check

#: An answer that has not come by then is missing. Long, for the machine may be busy with other things.
PATIENCE_S = 60.0
_SMALL_BUFFER = 8 * 1024
_OTHER_TEXTS = [
    line.split("\t")[1]
    for line in (Path(__file__).parent / "data" / "texts.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("ja")  # what of it is kanji nobody may speak
]
_NOTHING = ["", " ", "...", "🙂🙂", "\u0000", "— —"]


@dataclass(slots=True)
class Place:
    """What all lives of a soak share. `sounds`: the checksum of each sound that must always be the same.

    What is `awaited`, by the names of `counts`, should have been there once before all comes to an end.
    """

    port: int
    window_s: float
    request_s: float
    until: float
    awaited: tuple[str, ...] = ()
    sounds: dict[tuple[object, ...], int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def over(self) -> bool:
        """Whether all should come to an end."""
        late_s = time.monotonic() - self.until
        return late_s > 0 and (late_s > PATIENCE_S or all(self.counts[name] for name in self.awaited))

    def check_sound(self, key: tuple[object, ...], checksum: int) -> None:
        """Raises `ViolationError` when the same text sounded otherwise before."""
        check(self.sounds.setdefault(key, checksum) == checksum, f"another sound than before of {key}")
        self.counts["sounds compared"] += 1

    async def connect(self, small: bool = False) -> ClientConnection:
        """A socket; `small`: its kernel takes little ahead of its reader."""
        raw = socket.socket()
        if small:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", self.port))
        return await connect(
            f"ws://127.0.0.1:{self.port}/v1/audio/speech/ws",
            sock=raw,
            compression=None,
            max_size=None,
            proxy=None,
            ping_interval=None,
            open_timeout=PATIENCE_S,
        )


def a_text(chance: Random) -> str:
    """Something to say: mostly some sentences."""
    kind = chance.random()
    if kind < 0.1:
        return chance.choice(_NOTHING)
    if kind < 0.3:
        return chance.choice(_OTHER_TEXTS)
    return " ".join(chance.choices(SENTENCES, k=chance.randint(1, 3)))


def in_tokens(text: str, chance: Random) -> list[str]:
    """A text in pieces of up to twelve characters; at least one, which may be empty."""
    tokens: list[str] = []
    at = 0
    while at < len(text) or not tokens:
        size = chance.randint(1, 12)
        tokens.append(text[at : at + size])
        at += size
    return tokens


class Line:
    """A socket and the task that hears it. While `hears` is clear nothing is taken from it."""

    def __init__(self, connection: ClientConnection, receive: Callable[[str | bytes], None]) -> None:
        """`receive` judges what comes."""
        self.connection = connection
        self.receive = receive
        self.hears = asyncio.Event()
        self.hears.set()
        self.changed = asyncio.Event()
        self.violation: ViolationError | None = None
        #: Whether the server may close it at any time: it was asked to.
        self.may_close = False
        self.over = False
        self.task = asyncio.create_task(self._hear())

    @property
    def code(self) -> int | None:
        """The close code that the server sent, None when it sent none."""
        return self.connection.protocol.close_rcvd.code if self.connection.protocol.close_rcvd else None

    async def _hear(self) -> None:
        try:
            while True:
                await self.hears.wait()
                data = await self.connection.recv()
                self.receive(data)  # who that is may have changed meanwhile
                self.changed.set()
        except ConnectionClosed:
            pass
        except ViolationError as violation:
            self.violation = violation
        finally:
            self.over = True
            self.changed.set()

    async def send(self, message: str | bytes) -> None:
        """Send as it is; nothing happens when the server has closed as it may."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self.connection.send(message)
        except ConnectionClosed:
            if self.may_close and self.violation is None:
                return
            raise self.violation or ViolationError(f"the server closed with {self.code}") from None
        except TimeoutError:
            raise ViolationError("the server reads nothing any more") from None

    async def until(self, condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        """Raises `ViolationError` when it does not become true, or something else is wrong."""
        try:
            async with asyncio.timeout(patience_s):
                while not condition():
                    if self.violation is None and self.over:
                        raise ViolationError(f"the server closed with {self.code}, and not: {what}")
                    if self.violation is not None:
                        break
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            raise ViolationError(f"after {patience_s} s, not: {what}") from None
        if self.violation is not None:
            raise self.violation

    async def abort(self) -> None:
        """Cut the connection off."""
        self.task.cancel()
        self.connection.transport.abort()
        await asyncio.wait({self.task})
        await self.connection.wait_closed()
