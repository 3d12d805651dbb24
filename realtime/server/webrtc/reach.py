"""Where peers reach this server: addresses and ports of ours, and servers that tell of more or lend some."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

from aioice.ice import get_host_addresses

from realtime.server.listen import is_loopback

#: What is made of a TURN server's secret holds for so long.
LOGIN_S = 24 * 3600
#: Those by which a machine means itself.
LOOPBACK = ("127.0.0.1", "::1")
_URL = re.compile(
    r"(?P<scheme>stuns?|turns?):(?P<host>\[[0-9a-fA-F:.]+\]|[^:?,\s]+)(:(?P<port>\d{1,5}))?"
    r"(\?transport=(?P<transport>udp|tcp))?"
)


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

    `addresses` of ours; None: those of all networks. `own_machine`: only peers of this machine are heard, and
    nobody else gets an answer. `public_address`: what a router makes of each address, with the same port.
    `ports`: the first and the last; None: any. A peer that answers nothing for `lost_s` is gone.
    """

    addresses: tuple[str, ...] | None = None
    own_machine: bool = False
    public_address: str | None = None
    ports: tuple[int, int] | None = None
    stun: IceServerSettings | None = None
    turn: IceServerSettings | None = None
    lost_s: float = 30.0


def addresses_beside(host: str | None) -> tuple[tuple[str, ...] | None, bool]:
    """Where peers of a server are served that listens on `host`: `IceSettings.addresses` and `own_machine`.

    A server that is for its own machine alone is reached on the addresses of its networks as well, and only
    from there: Firefox goes to no loopback address.
    """
    if host is None or is_loopback(host):
        networks = get_host_addresses(use_ipv4=True, use_ipv6=True)
        return (LOOPBACK[0], *networks), True
    try:
        address = ip_address(host)
    except ValueError:
        return None, False
    return None if address.is_unspecified else (str(address),), False
