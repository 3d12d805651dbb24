"""Writes what is in the outbox, one message after another, and lets those wait who sent it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from realtime.client.outbox import Outbox
from realtime.session import messages as wire


class Sender:
    """Of one session, over all its connections."""

    def __init__(self, outbox: Outbox) -> None:
        """Put into the outbox by `put` and `ask` alone, or call `wake`."""
        self._outbox = outbox
        self._news = asyncio.Event()
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def put(self, message: wire.ClientMessage) -> int:
        """Have a message written; returns its number in the outbox."""
        number = self._outbox.put(message)
        self.wake()
        return number

    def ask(self, message: wire.ClientMessage | None, tag: str) -> None:
        """Have a message written, and a ping behind it."""
        self._outbox.ask(message, tag)
        self.wake()

    def wake(self) -> None:
        """The outbox has changed."""
        self._release()
        self._news.set()

    async def written(self, number: int) -> bool:
        """Returns when this message has been written; False when the session has ended before."""
        if not self._outbox.is_sent(number):
            future = asyncio.get_running_loop().create_future()
            self._waiting.append((number, future))
            await future
        return self._outbox.is_sent(number)

    async def write(self, connection: ClientConnection) -> None:
        """Write what there is and what comes, until the connection closes."""
        with contextlib.suppress(ConnectionClosed):  # why, the reader learns
            while True:
                while (message := self._outbox.take()) is not None:
                    await connection.send(wire.encode(message))
                    self._outbox.written()
                    self._release()
                self._release()
                self._news.clear()
                await self._news.wait()

    def end(self) -> None:
        """The session is over: nothing more is written."""
        for _, future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    def _release(self) -> None:
        while self._waiting and self._outbox.is_sent(self._waiting[0][0]):
            _, future = self._waiting.popleft()
            if not future.done():  # nobody waits any more
                future.set_result(None)
