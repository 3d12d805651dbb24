"""Interactive Connectivity Establishment (RFC 8445), by aioice: where a peer can be reached, and a way to it.

What aioice leaves open is settled here: on which addresses and ports of ours, how long servers that do not
answer are waited for, when a peer counts as gone, and a new start of a connection that goes on meanwhile.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import random
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address

import aioice
import structlog
from aioice import stun
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import (
    StunProtocol,
    relayed_candidate,
    server_reflexive_candidate,
)

#: Servers that tell of addresses of ours, or lend us some, are waited for so long; who does not answer is not
#: asked again for a while.
GATHER_S = 1.0
SILENT_SERVER_S = 60.0
#: What is made of a TURN server's secret holds for so long.
LOGIN_S = 24 * 3600
#: Datagrams of a peer that may wait to be read; more are dropped, as a network would.
_MOST_UNREAD = 1024
#: Ports of a range that are tried before it counts as taken.
_PORT_TRIES = 100
#: A peer is asked so often within the time after which it counts as gone, but no more often than this.
_ASKED = 6
_MOST_OFTEN_S = 0.5
_URL = re.compile(
    r"(?P<scheme>stuns?|turns?):(?P<host>\[[0-9a-fA-F:.]+\]|[^:?,\s]+)(:(?P<port>\d{1,5}))?"
    r"(\?transport=(?P<transport>udp|tcp))?"
)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class IceServerSettings:
    """A STUN server, or a TURN server; `transport` is `udp` or `tcp`. `login` gives name and password."""

    host: str
    port: int
    transport: str = "udp"
    tls: bool = False
    login: Callable[[], tuple[str, str]] | None = field(default=None, compare=False)


def ice_server(url: str, login: Callable[[], tuple[str, str]] | None) -> IceServerSettings:
    """The server of a URL (RFC 7064, RFC 7065); raises `ValueError` for what is none."""
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError(f"{url!r} is neither stun:host[:port] nor turn:host[:port]")
    tls = match["scheme"].endswith("s")
    port = int(match["port"] or (5349 if tls else 3478))
    transport = match["transport"] or ("tcp" if tls else "udp")
    return IceServerSettings(match["host"].strip("[]"), port, transport, tls, login)


def turn_login(secret: str, name: str, now: float) -> tuple[str, str]:
    """Name and password that a TURN server with this secret takes until a day after `now` (Unix time).

    As in draft-uberti-behave-turn-rest, which coturn's `use-auth-secret` follows.
    """
    username = f"{int(now) + LOGIN_S}:{name}"
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return username, base64.b64encode(digest).decode()


@dataclass(frozen=True, slots=True)
class IceSettings:
    """How peers reach this server.

    `addresses` of ours; None: those of all networks. `public_address`: what a router makes of each of them,
    with the same port. `ports`: the first and the last; None: any. A peer that answers nothing for `lost_s`
    is gone.
    """

    addresses: tuple[str, ...] | None = None
    public_address: str | None = None
    ports: tuple[int, int] | None = None
    stun: IceServerSettings | None = None
    turn: IceServerSettings | None = None
    lost_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Remote:
    """What a peer says of itself: name fragment, password and candidates; `lite`: it only answers."""

    username: str
    password: str
    candidates: tuple[aioice.Candidate, ...] = ()
    lite: bool = False


class Servers:
    """Which STUN and TURN servers answer: one that did not is left alone for a while."""

    def __init__(self) -> None:
        """Nothing is known of any."""
        self._silent_until: dict[IceServerSettings, float] = {}

    def may_ask(self, server: IceServerSettings | None) -> bool:
        """Whether there is one that is worth asking."""
        if server is None:
            return False
        return self._silent_until.get(server, 0.0) <= asyncio.get_running_loop().time()

    def was_silent(self, server: IceServerSettings) -> None:
        """It has not answered in time."""
        _log.warning("ice_server_silent", server=f"{server.host}:{server.port}", waited_s=GATHER_S)
        self._silent_until[server] = asyncio.get_running_loop().time() + SILENT_SERVER_S


class _Agent(aioice.Connection):
    """One start of a connection."""

    def __init__(self, settings: IceSettings, servers: Servers, *, controlling: bool) -> None:
        super().__init__(ice_controlling=controlling)
        self._settings = settings
        self._servers = servers

    async def get_component_candidates(
        self,
        component: int,
        addresses: list[str],
        timeout: float = GATHER_S,  # noqa: ASYNC109  # aioice's own
    ) -> list[aioice.Candidate]:
        """Open sockets on the addresses of the settings, and ask the servers."""
        settings = self._settings
        wanted = addresses if settings.addresses is None else list(settings.addresses)
        hosts = [protocol for each in wanted if (protocol := await self._opened(each, component))]
        self._protocols += hosts
        candidates = [protocol.local_candidate for protocol in hosts]
        if settings.public_address is not None:
            candidates += [_seen_as(settings.public_address, each) for each in candidates]
        asked = [self._ask_stun(protocol) for protocol in hosts if _is_v4(protocol.local_candidate.host)]
        for found in await asyncio.gather(*asked, self._ask_turn(component)):
            candidates += found
        return candidates

    async def _opened(self, address: str, component: int) -> StunProtocol | None:
        loop = asyncio.get_running_loop()
        for port in _ports(self._settings.ports):
            try:
                _, protocol = await loop.create_datagram_endpoint(
                    lambda: StunProtocol(self), local_addr=(address, port)
                )
            except OSError:
                continue
            host, own_port = protocol.transport.get_extra_info("sockname")[:2]
            protocol.local_candidate = aioice.Candidate(
                candidate_foundation("host", "udp", host),
                component,
                "udp",
                candidate_priority(component, "host"),
                host,
                own_port,
                "host",
            )
            return protocol
        return None

    async def _ask_stun(self, protocol: StunProtocol) -> list[aioice.Candidate]:
        """How a host looks from outside."""
        server = self._settings.stun
        if server is None or not self._servers.may_ask(server):
            return []
        try:
            async with asyncio.timeout(GATHER_S):
                found, _ = await server_reflexive_candidate(protocol, (server.host, server.port))
        except TimeoutError:
            self._servers.was_silent(server)
            return []
        except (OSError, stun.TransactionError):
            return []
        return [found]

    async def _ask_turn(self, component: int) -> list[aioice.Candidate]:
        """An address that a TURN server lends us."""
        server = self._settings.turn
        if server is None or not self._servers.may_ask(server):
            return []
        try:
            async with asyncio.timeout(GATHER_S):
                username, password = (None, None) if server.login is None else server.login()
                found, protocol = await relayed_candidate(
                    component=component,
                    hide_related_address=False,
                    protocol_factory=lambda: StunProtocol(self),
                    turn_server=(server.host, server.port),
                    turn_username=username,
                    turn_password=password,
                    turn_ssl=server.tls,
                    turn_transport=server.transport,
                )
        except TimeoutError:
            self._servers.was_silent(server)
            return []
        except (OSError, stun.TransactionError) as error:
            _log.warning("turn_refused", server=f"{server.host}:{server.port}", error=str(error))
            return []
        self._protocols.append(protocol)
        return [found]

    async def query_consent(self) -> None:
        """Ask the peer again and again whether it is there (RFC 7675), and close when it is gone."""
        loop = asyncio.get_running_loop()
        every_s = max(_MOST_OFTEN_S, self._settings.lost_s / _ASKED)
        heard = loop.time()
        while loop.time() - heard < self._settings.lost_s:
            await asyncio.sleep(every_s * random.uniform(0.8, 1.2))
            for pair in list(self._nominated.values()):
                with contextlib.suppress(stun.TransactionError):
                    await pair.protocol.request(
                        self.build_request(pair, nominate=False),
                        pair.remote_addr,
                        integrity_key=(self.remote_password or "").encode(),
                        retransmissions=0,
                    )
                    heard = loop.time()
        self._query_consent_task = None
        await self.close()

    def data_received(self, data: bytes, component: int) -> None:
        """A datagram that is none of ICE's own."""
        if self._queue.qsize() < _MOST_UNREAD:
            super().data_received(data, component)


class IceTransport:
    """The way to one peer, as `aiortc.RTCDtlsTransport` wants it; it outlives a new start (`restart`)."""

    def __init__(self, settings: IceSettings, servers: Servers, *, controlling: bool) -> None:
        """Nothing is opened before `gather`. `controlling`: the peer only answers (it is `lite`)."""
        self._settings = settings
        self._servers = servers
        self._controlling = controlling
        self._agent = _Agent(settings, servers, controlling=controlling)
        self._next: _Agent | None = None
        self._restarting: asyncio.Task[None] | None = None
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
    def local(self) -> _Agent:
        """Name fragment, password and candidates of ours: those of the last start."""
        return self._next or self._agent

    async def connect(self, remote: Remote) -> None:
        """Find a way to the peer; raises `ConnectionError`. As long as it takes: candidates may follow."""
        await _connect(self._agent, remote)

    async def add(self, candidate: aioice.Candidate) -> None:
        """One more address of the peer."""
        await (self._next or self._agent).add_remote_candidate(candidate)

    async def restart(self, remote: Remote, within_s: float) -> None:
        """Begin anew (RFC 8445, 9), with another name and other ports of ours.

        What there is goes on until the new way is found; if none is found `within_s`, for good.
        """
        await self._stop_restarting()
        fresh = _Agent(self._settings, self._servers, controlling=self._controlling)
        try:
            await _gather(fresh)
        except BaseException:
            await fresh.close()
            raise
        self._next = fresh
        self._restarting = asyncio.create_task(self._switch(fresh, remote, within_s))

    async def _switch(self, fresh: _Agent, remote: Remote, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                await _connect(fresh, remote)
        except (ConnectionError, TimeoutError):
            pass
        else:
            former, self._agent = self._agent, fresh
            fresh = former
        finally:
            self._next = None
            await fresh.close()

    async def _stop_restarting(self) -> None:
        if self._restarting is not None:
            self._restarting.cancel()
            await asyncio.wait({self._restarting})
            self._restarting = None

    async def close(self) -> None:
        """Close all sockets."""
        await self._stop_restarting()
        await self._agent.close()

    async def _recv(self) -> bytes:
        """The next datagram of the peer; raises `ConnectionError` when it is gone."""
        await self.may_read.wait()
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


async def _gather(agent: _Agent) -> None:
    await agent.gather_candidates()
    if not agent.local_candidates:
        raise OSError("no address and port to be reached at")


async def _connect(agent: _Agent, remote: Remote) -> None:
    agent.remote_username, agent.remote_password = remote.username, remote.password
    agent.remote_is_lite = remote.lite
    for candidate in remote.candidates:
        await agent.add_remote_candidate(candidate)
    await agent.connect()


def _ports(span: tuple[int, int] | None) -> Iterator[int]:
    """Ports to try, in an order that finds a free one soon."""
    if span is None:
        yield 0
        return
    first, last = span
    count = last - first + 1
    start = random.randrange(count)
    for step in range(min(count, _PORT_TRIES)):
        yield first + (start + step) % count


def _seen_as(address: str, host: aioice.Candidate) -> aioice.Candidate:
    return aioice.Candidate(
        candidate_foundation("host", "udp", address),
        host.component,
        "udp",
        host.priority - 1,
        address,
        host.port,
        "host",
    )


def _is_v4(address: str) -> bool:
    return ip_address(address).version == 4


def own_addresses(host: str | None) -> tuple[str, ...] | None:
    """Where peers of a server are served that listens on `host`: there too; None: on all networks."""
    if host is None:
        return ("127.0.0.1",)
    if host == "localhost":
        return ("127.0.0.1", "::1") if socket.has_ipv6 else ("127.0.0.1",)
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return None if address.is_unspecified else (str(address),)
