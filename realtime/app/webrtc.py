"""What WebRTC is told of this machine and its network, and which servers help, by the settings."""

from __future__ import annotations

from collections.abc import Callable

from realtime.clock import WallClock
from realtime.config import Config, given
from realtime.server.webrtc.peer import PeerSettings
from realtime.server.webrtc.reach import (
    IceServerSettings,
    IceSettings,
    addresses_beside,
    ice_server,
    turn_login,
)
from realtime.session.messages import IceServer


def make_rtc(config: Config) -> PeerSettings:
    """What WebRTC is told of this machine and its network."""
    if config.rtc_addresses == "auto":
        addresses, own_machine = addresses_beside(given(config.host))
        # Who names a server that helps from outside wants peers from there.
        outside = (config.stun_urls, config.turn_urls, config.rtc_public_address)
        own_machine = own_machine and not any(map(given, outside))
    else:
        addresses, own_machine = tuple(config.rtc_addresses.split(",")), False
    first, _, last = config.rtc_ports.partition("-")
    return PeerSettings(
        IceSettings(
            addresses,
            own_machine,
            given(config.rtc_public_address),
            (int(first), int(last)) if last else None,
            _ice_server(config.stun_urls, None),
            _ice_server(config.turn_urls, _turn_login(config)),
            config.rtc_lost_s,
        ),
        config.rtc_connect_s,
    )


def _ice_server(urls: str, login: Callable[[], tuple[str, str]] | None) -> IceServerSettings | None:
    listed = given(urls)
    return None if listed is None else ice_server(listed.split(",")[0].strip(), login)


def _turn_login(config: Config) -> Callable[[], tuple[str, str]] | None:
    """Name and password for TURN servers; those that are made of a secret hold for a day."""
    secret, name, password = (
        given(each) for each in (config.turn_secret, config.turn_username, config.turn_password)
    )
    if secret is not None:
        return lambda: turn_login(secret, name or "realtime", WallClock().now())
    return None if name is None else lambda: (name, password or "")


def ice_servers_of(config: Config) -> Callable[[], list[IceServer]]:
    """Tells a client which STUN and TURN servers its peer connection may need."""
    stun, turn, login = given(config.stun_urls), given(config.turn_urls), _turn_login(config)

    def servers() -> list[IceServer]:
        found = [] if stun is None else [IceServer([url.strip() for url in stun.split(",")])]
        if turn is not None:
            name, password = (None, None) if login is None else login()
            found.append(IceServer([url.strip() for url in turn.split(",")], name, password))
        return found

    return servers
