"""The model server on a socket, which cuts its connections off where a test wants it."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress

from websockets.exceptions import ConnectionClosed

from realtime.session import messages as wire
from realtime.session.frames import Frame, encode_frame
from tests.client.model import ModelServer, Sent
from tests.client.scripted import Script


class CutError(Exception):
    """The connection is to be lost now."""


class ResumingServer:
    """A script for `scripted`; after so many messages of `sends` or `takes` each connection is cut off."""

    def __init__(self, sends: list[int] | None = None, takes: list[int] | None = None) -> None:
        self.sessions: dict[str, ModelServer] = {}
        self.connections = 0
        self.starts: list[wire.SessionStart] = []
        self.script: Script | None = None
        #: While this is not set the server is deaf and mute.
        self.awake = asyncio.Event()
        self.awake.set()
        #: While this is not set nothing is spoken.
        self.speaks = asyncio.Event()
        self.speaks.set()
        #: While this is not set a connection gets no answer to its first message.
        self.opens = asyncio.Event()
        self.opens.set()
        #: What comes on the connection of this number is thrown away.
        self.deaf_connection = 0
        #: Every connection is lost before its first message.
        self.refuses = False
        self.window_s = 30.0
        self._sends, self._takes = deque(sends or []), deque(takes or [])

    async def __call__(self, script: Script) -> None:
        self.connections += 1
        number = self.connections
        self.script = script
        if self.refuses:
            script.connection.transport.abort()
            return
        left_to_send = self._sends.popleft() if self._sends else None
        left_to_take = self._takes.popleft() if self._takes else None
        start: wire.SessionStart = await script.until(wire.SessionStart)
        self.starts.append(start)
        await self.opens.wait()
        waiting: deque[Sent] = deque()
        model = self._begin(start, waiting)
        news = asyncio.Event()

        async def read() -> None:
            nonlocal left_to_take
            while left_to_take is None or left_to_take > 0:
                data = await script.connection.recv()
                await self.awake.wait()
                if number == self.deaf_connection or number < self.connections:
                    continue  # also what came before another connection took the session over
                message = wire.decode_client(str(data))
                script.received.append(message)
                waiting.extend(model.receive(message))
                news.set()
                left_to_take = None if left_to_take is None else left_to_take - 1
            raise CutError

        async def write() -> None:
            nonlocal left_to_send
            while True:
                await self.awake.wait()
                if not waiting and self.speaks.is_set():
                    waiting.extend(model.speak())
                if not waiting:
                    if model.is_drained:
                        await script.connection.close(1000, "done")
                        return
                    news.clear()
                    await news.wait()
                    continue
                if left_to_send == 0:
                    raise CutError
                left_to_send = None if left_to_send is None else left_to_send - 1
                item = waiting.popleft()
                if isinstance(item, Frame):
                    await script.connection.send(encode_frame(item.kind, item.handle, item.packet))
                else:
                    await script.send(item)

        tasks = [asyncio.create_task(read()), asyncio.create_task(write())]
        self._wake = news.set
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        except CutError:
            script.connection.transport.abort()
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError, ConnectionClosed, CutError):
                    await task

    def cut(self) -> None:
        """The connection is lost, now."""
        assert self.script is not None
        self.script.connection.transport.abort()

    def speak(self) -> None:
        """Say what there is to say."""
        self.speaks.set()
        self._wake()

    def forget(self) -> None:
        """No session is known any more."""
        self.sessions.clear()

    def _begin(self, start: wire.SessionStart, waiting: deque[Sent]) -> ModelServer:
        if isinstance(start.resume, wire.ResumeRequest):
            known = self.sessions.get(start.resume.session_id)
            if known is not None and known.knows(start.resume.token):
                waiting.extend(known.resume(start.resume))
                return known
            waiting.append(wire.Error("resume_failed", "the session is not known any more"))
        model = ModelServer(f"s{len(self.sessions) + 1}", self.window_s)
        self.sessions[model.session_id] = model
        waiting.append(model.ready())
        return model
