"""Interactive Connectivity Establishment (RFC 8445): a way to a peer, and a new one while the old goes on."""

from __future__ import annotations

import asyncio

import aioice

from realtime.errors import ErrorCode, RealtimeError
from realtime.server.errors import RateLimitedError
from realtime.server.webrtc.agent import Agent, Remote, Servers
from realtime.server.webrtc.reach import IceSettings

__all__ = ["IceSettings", "IceTransport", "Remote", "Servers"]

_RETRY_AFTER_MS = 1000


class IceTransport:
    """The way to one peer, as `aiortc.RTCDtlsTransport` wants it; it outlives a new start (`restart`)."""

    def __init__(self, settings: IceSettings, servers: Servers, *, controlling: bool) -> None:
        """Nothing is opened before `gather`. `controlling`: the peer only answers (it is `lite`)."""
        self._settings = settings
        self._servers = servers
        self._controlling = controlling
        self._agent = Agent(settings, servers, controlling=controlling)
        self._next: Agent | None = None
        self._is_beginning = False
        self._switching: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        #: Datagrams are read while this is set.
        self.may_read = asyncio.Event()
        self.may_read.set()

    @property
    def role(self) -> str:
        """Of the two in ICE's sense."""
        return "controlling" if self._agent.ice_controlling else "controlled"

    async def gather(self) -> None:
        """Find out where we can be reached. Raises `OSError` when nowhere."""
        await _gather(self._agent)

    @property
    def local(self) -> Agent:
        """Name fragment, password and candidates of ours: those of the last start."""
        return self._next or self._agent

    async def connect(self, remote: Remote) -> None:
        """Find a way to the peer; raises `ConnectionError`. As long as it takes: candidates may follow."""
        agent = self._agent
        try:
            await _connect(agent, remote)
        except ConnectionError:
            # A new begin was faster: it has closed this one, and there is a way.
            if agent is self._agent or self._ending is not None:
                raise

    async def add(self, candidate: aioice.Candidate) -> None:
        """One more address of the peer."""
        await (self._next or self._agent).add_remote_candidate(candidate)

    async def restart(self, remote: Remote, within_s: float) -> None:
        """Begin anew (RFC 8445, 9), with another name and other ports of ours.

        What there is goes on until the new way is found; if none is found `within_s`, for good. There is one
        new begin at a time: `RateLimitedError` for another. `RealtimeError` when the connection is closed,
        `OSError` when we can be reached nowhere.
        """
        self._check_open()
        if self._is_beginning:
            told = "this connection is about to begin anew: wait until it has, or has given up"
            raise RateLimitedError(told, _RETRY_AFTER_MS)
        self._is_beginning = True
        fresh = Agent(self._settings, self._servers, controlling=self._controlling)
        try:
            await _gather(fresh)
            self._check_open()  # it may have been closed meanwhile
        except BaseException:
            self._is_beginning = False
            await _to_its_end(fresh)
            raise
        self._next = fresh
        self._switching = asyncio.create_task(self._switch(fresh, remote, within_s))

    def _check_open(self) -> None:
        if self._ending is not None:
            raise RealtimeError("this peer connection is closed", ErrorCode.NOT_FOUND)

    async def _switch(self, fresh: Agent, remote: Remote, within_s: float) -> None:
        needless = fresh
        try:
            async with asyncio.timeout(within_s):
                await _connect(fresh, remote)
            needless, self._agent = self._agent, fresh
        except (ConnectionError, TimeoutError):
            pass
        finally:
            if self._next is fresh:
                self._next = None
            self._is_beginning = False
            await _to_its_end(needless)

    async def close(self) -> None:
        """Close all sockets; goes on to its end, also if it is not waited for."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._end())
        await asyncio.shield(self._ending)

    async def _end(self) -> None:
        if self._switching is not None:
            self._switching.cancel()
            await asyncio.wait({self._switching})
        await self._agent.close()

    async def _recv(self) -> bytes:
        """The next datagram of the peer; raises `ConnectionError` when it is gone."""
        await self.may_read.wait()
        await asyncio.sleep(0)  # what waits to be read is read in turn with all else
        while True:
            agent = self._agent
            try:
                return await agent.recv()
            except ConnectionError:
                if agent is self._agent:
                    raise

    async def _send(self, data: bytes) -> None:
        """Send a datagram; raises `ConnectionError`."""
        await self._agent.send(data)


async def _gather(agent: Agent) -> None:
    await agent.gather_candidates()
    if not agent.local_candidates:
        raise OSError("no address and port to be reached at")


async def _connect(agent: Agent, remote: Remote) -> None:
    agent.remote_username, agent.remote_password = remote.username, remote.password
    agent.remote_is_lite = remote.lite
    for candidate in remote.candidates:
        await agent.add_remote_candidate(candidate)
    await agent.connect()
    if agent.is_closing:  # while a way was found: what has begun since must end as well
        await _to_its_end(agent)
        raise ConnectionError("closed")


async def _to_its_end(agent: Agent) -> None:
    """Close it; also if whoever waits for that is cancelled, no socket is left."""
    await asyncio.shield(asyncio.create_task(agent.close()))
