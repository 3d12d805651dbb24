"""One start of ICE (RFC 8445), by aioice: sockets of ours, who is heard on them, and who counts as gone.

What aioice leaves open is settled here: on which addresses and ports of ours, how long servers that do not
answer are waited for, how many addresses a peer may name, and that strangers are neither heard nor answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import aioice
import structlog
from aioice import stun
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import (
    StunProtocol,
    get_host_addresses,
    relayed_candidate,
    server_reflexive_candidate,
)

from realtime.server.webrtc.reach import LOOPBACK, IceServerSettings, IceSettings

#: Servers that tell of addresses of ours, or lend us some, are waited for so long; who does not answer is not
#: asked again for a while.
GATHER_S = 1.0
SILENT_SERVER_S = 60.0
#: Addresses that a peer may name for one start; and how many it may have with those it is found to send from.
MAX_CANDIDATES = 64
_MOST_ADDRESSES = 2 * MAX_CANDIDATES
_LOOKED_UP_EVERY_S = 60
#: Datagrams of a peer that may wait to be read; more are dropped, as a network would.
_MOST_UNREAD = 1024
#: Ports of a range that are tried before it counts as taken.
_PORT_TRIES = 100
#: A peer is asked so often within the time after which it counts as gone, but no more often than this.
_ASKED = 6
_MOST_OFTEN_S = 0.5
#: The first byte of a datagram of STUN is no more than this (RFC 7983, 7); one of a peer is never as long
#: as this many bytes.
_LAST_OF_STUN = 3
_MOST_STUN_BYTES = 1500
#: What aioice answers to requests that are not authenticated.
_TO_STRANGERS = (400, 401)
_log = structlog.get_logger(__name__)


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


class _Socket(StunProtocol):
    """A socket, or an address that a TURN server lends us, that hears nobody but the peer."""

    receiver: Agent

    def __init__(self, agent: Agent, *, own_machine: bool) -> None:
        """`own_machine`: only who is on this machine is heard."""
        super().__init__(agent)
        self._own_machine = own_machine

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        """A datagram; its sender cannot pretend to have an address of ours, for the kernel drops that."""
        assert isinstance(data, bytes), "a socket gives bytes"
        if not data or (self._own_machine and addr[0] not in _this_machine()):
            return
        if data[0] > _LAST_OF_STUN:
            # Before DTLS and SRTP look at it: strangers could break a handshake, or fill the queue.
            if self.receiver.is_peer(addr[0], addr[1]):
                self.receiver.data_received(data, self.local_candidate.component)
        elif len(data) <= _MOST_STUN_BYTES:
            # aioice reads what comes before it knows of whom, and stumbles over attributes of a wrong
            # length. There is no line in the log: anybody could fill that.
            with contextlib.suppress(struct.error):
                super().datagram_received(data, addr)


def _this_machine() -> frozenset[str]:
    """All addresses of it, looked up anew now and then: networks come and go."""
    return _addresses_at(int(time.monotonic() / _LOOKED_UP_EVERY_S))


@functools.lru_cache(maxsize=1)
def _addresses_at(moment: int) -> frozenset[str]:
    return frozenset((*LOOPBACK, *get_host_addresses(use_ipv4=True, use_ipv6=True)))


class Agent(aioice.Connection):
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
        hosts = []
        for address in wanted:
            if (protocol := await self._opened(address, component)) is not None:
                self._protocols.append(protocol)  # at once: what is given up midway is closed as well
                hosts.append(protocol)
        candidates = [protocol.local_candidate for protocol in hosts]
        if settings.public_address is not None:
            candidates += [_seen_as(settings.public_address, each) for each in candidates]
        asked = [self._ask_stun(protocol) for protocol in hosts if _is_v4(protocol.local_candidate.host)]
        for found in await asyncio.gather(*asked, self._ask_turn(component)):
            candidates += found
        return candidates

    async def _opened(self, address: str, component: int) -> StunProtocol | None:
        loop = asyncio.get_running_loop()
        own_machine = self._settings.own_machine
        for port in _ports(self._settings.ports):
            try:
                _, protocol = await loop.create_datagram_endpoint(
                    lambda: _Socket(self, own_machine=own_machine), local_addr=(address, port)
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
        except (OSError, stun.TransactionError, KeyError):  # it may also name no address
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
                    protocol_factory=lambda: _Socket(self, own_machine=False),
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
        if data[0] > _LAST_OF_STUN and self._queue.qsize() < _MOST_UNREAD:
            super().data_received(data, component)

    def respond_error(
        self,
        request: stun.Message,
        addr: tuple[str, int],
        protocol: StunProtocol,
        error_code: tuple[int, str],
    ) -> None:
        """Answer a request that cannot be met, if it is of the peer: strangers learn nothing of us."""
        if error_code[0] not in _TO_STRANGERS:
            super().respond_error(request, addr, protocol, error_code)

    def check_incoming(self, message: stun.Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
        """A check of the peer, which has been authenticated; it may come from an address not known yet."""
        is_known = self.is_peer(*addr) or len(self._remote_candidates) < _MOST_ADDRESSES
        if is_known and "PRIORITY" in message.attributes:
            super().check_incoming(message, addr, protocol)

    @property
    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._closing

    def is_peer(self, host: str, port: int) -> bool:
        """Whether it is an address that the peer has named, or has sent an authenticated check from."""
        return any(each._network_host == host and each.port == port for each in self._remote_candidates)

    async def add_remote_candidate(self, remote_candidate: aioice.Candidate | None) -> None:
        """One more address of the peer; none is of use once there is a way, nor are some hundreds."""
        if remote_candidate is None:
            await super().add_remote_candidate(None)
        elif (
            len(self._remote_candidates) < MAX_CANDIDATES
            and not self._check_list_done
            and self._may_send_to(remote_candidate.host)
        ):
            await super().add_remote_candidate(remote_candidate)

    def _may_send_to(self, host: str) -> bool:
        """Whether it is the address of one machine, and no closer to ours than we offer to be met.

        Else who offers could make us send to services that this machine has for itself alone.
        """
        address = _unmapped(host)
        if address.is_multicast or address.is_unspecified or (address.version == 4 and address.is_reserved):
            return False
        ours = [_unmapped(each.host) for each in self._local_candidates]
        if address.is_loopback:
            return any(each.is_loopback for each in ours)
        if address.is_link_local:
            return any(each.is_loopback or each.is_link_local for each in ours)
        return True


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


def _unmapped(host: str) -> IPv4Address | IPv6Address:
    """The address, and of one of IPv4 that is written as one of IPv6 that."""
    address = ip_address(host)
    return getattr(address, "ipv4_mapped", None) or address
