"""Limits for every address of the internet: whose a request is, and how much it may use.

A client may own as many addresses of IPv6 as it likes, but seldom more than one network of 2^64: those count
as one. Behind a proxy the client's address stands in `X-Forwarded-For`, which anybody can write: of it only
that counts which a proxy that is trusted has written.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from realtime.clock import Clock
from realtime.errors import ConfigError
from realtime.server.exchange import route_of
from realtime.server.guard import Allowance, within
from realtime.server.keys import KeyLimits

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
#: In `TRUSTED_PROXIES`: whoever connects to the Unix domain socket.
UNIX = "unix"
#: Proxies that may stand between a client and us.
MOST_HOPS = 16
#: Addresses that are remembered. Of more, those that have nothing under way are forgotten.
MOST_ADDRESSES = 65_536
_WITH_PORT = re.compile(r"\[([^\]]+)\](?::[0-9]+)?|([^:]+):[0-9]+")
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """Who may tell the address of a client. `unix`: who connects to the Unix domain socket."""

    networks: tuple[Network, ...] = ()
    unix: bool = False

    def trusts(self, address: Address) -> bool:
        """Whether this is one of them."""
        return any(address in network for network in self.networks)


def trusted_proxies(listed: str | None) -> TrustedProxies:
    """From addresses and networks with commas between them. Raises `ConfigError`."""
    networks = []
    unix = False
    for part in () if listed is None else listed.split(","):
        name = part.strip()
        if name.lower() == UNIX:
            unix = True
            continue
        try:
            network = ipaddress.ip_network(name)
        except ValueError:
            raise ConfigError(
                "TRUSTED_PROXIES must be IP addresses and networks (such as 10.0.0.0/8) separated by commas,"
                f" or `{UNIX}`, or `none`, not {name!r}"
            ) from None
        if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
            first = network.network_address.ipv4_mapped
            network = ipaddress.ip_network(f"{first}/{network.prefixlen - _MAPPED.prefixlen}")
        networks.append(network)
    return TrustedProxies(tuple(networks), unix)


@dataclass(frozen=True, slots=True)
class AddressLimits:
    """What each address may use, and who may tell the address of a client."""

    limits: KeyLimits
    proxies: TrustedProxies


def parse_address(text: str) -> Address | None:
    """An IP address, also with a port behind it (`1.2.3.4:80`, `[::1]:80`); None: it is none."""
    name = text.strip()
    if (match := _WITH_PORT.fullmatch(name)) is not None:
        name = match[1] or match[2]
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def client_address(peer: str | None, forwarded: Sequence[str], proxies: TrustedProxies) -> Address | None:
    """Whose request it is. `peer` is None for one over a Unix domain socket; `forwarded` are its headers.

    They are read from the end: the first that is no trusted proxy is the client, and what stands before it
    may be a lie. Where that is no address nothing of it counts. None: no address is known.
    """
    address = None if peer is None else parse_address(peer)
    if not (proxies.unix if peer is None else address is not None and proxies.trusts(address)):
        return address
    hop = address
    for text in islice(_from_the_end(forwarded), MOST_HOPS):
        told = parse_address(text)
        if told is None:
            return address
        hop = told
        if not proxies.trusts(told):
            break
    return hop


def _from_the_end(headers: Sequence[str]) -> Sequence[str]:
    entries: list[str] = []
    for header in reversed(headers):
        entries += reversed(header.rsplit(",", MOST_HOPS)[-MOST_HOPS:])
        if len(entries) >= MOST_HOPS:
            break
    return entries


def counted_as(address: Address) -> int:
    """A number for what is counted together: an address of IPv4, or 2^64 addresses of IPv6."""
    number = int(address)
    return number if isinstance(address, ipaddress.IPv4Address) else 2**32 + (number >> 64)


class Addresses:
    """What every address uses. One that has nothing under way and all of its minute left is forgotten."""

    def __init__(self, limits: KeyLimits, clock: Clock, most: int = MOST_ADDRESSES) -> None:
        """`limits` hold for each."""
        self._limits = limits
        self._clock = clock
        self._most = most
        self._used: dict[int, Allowance] = {}

    def __len__(self) -> int:
        return len(self._used)

    def allowance(self, address: Address) -> Allowance:
        """That of an address."""
        key = counted_as(address)
        if (known := self._used.get(key)) is None:
            self._make_room()
            known = self._used[key] = Allowance(self._limits, self._clock, "this address")
        return known

    def _make_room(self) -> None:
        """Look at the two that were not looked at for longest: so all are, before there are twice as many."""
        for key in list(islice(self._used, 2)):
            looked_at = self._used.pop(key)
            if not looked_at.unused:
                self._used[key] = looked_at
        if len(self._used) >= self._most:
            resting = (key for key, each in self._used.items() if not each.running)
            for key in list(islice(resting, 1)):
                del self._used[key]


def address_guard(policy: AddressLimits, clock: Clock, open_routes: Collection[str]) -> Middleware:
    """A middleware that keeps every address within its limits, but on `open_routes`."""
    limits = policy.limits
    limited = bool(limits.concurrency or limits.requests_per_minute)
    addresses = Addresses(limits, clock)

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not limited or route_of(request) in open_routes:
            return await handler(request)
        address = address_of(request, policy.proxies)
        if address is None:
            return await handler(request)
        return await within(addresses.allowance(address).taken(), request, handler)

    return guard


def address_of(request: web.Request, proxies: TrustedProxies) -> Address | None:
    """Whose request it is, as `client_address` has it."""
    return client_address(_peer(request), request.headers.getall("X-Forwarded-For", []), proxies)


def _peer(request: web.Request) -> str | None:
    """The address of whoever connected to us; None over a Unix domain socket."""
    name = None if request.transport is None else request.transport.get_extra_info("peername")
    return str(name[0]) if isinstance(name, tuple) and name else None
