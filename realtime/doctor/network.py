"""Where the server will listen, and whom it will ask: ports, the socket file, WebRTC, Redis."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import http.client
import json
import os
import socket
import stat

from realtime.config import Config, given
from realtime.doctor.finding import Finding, Situation
from realtime.errors import ConfigError

_PATIENCE_S = 2.0
_MOST_PORT = 65_535
#: Ports of a range that are tried.
_MOST_TRIED = 2000


def port(situation: Situation) -> list[Finding]:
    """Whether the server can listen on HOST and PORT, or who does."""
    config = situation.config
    host = given(config.host)
    if host is None:
        return []
    if config.port == 0:
        return [Finding("PORT", "info", "0: whichever is free")]
    try:
        found = socket.getaddrinfo(host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        what = f"HOST {host} is no address: {error.strerror or error}"
        return [Finding("HOST", "fail", what, "set HOST to an address of this machine")]
    for family, kind, _, _, address in found:
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind(address)
            except OSError as error:
                return [_not_free(host, config.port, error)]
    return [Finding("PORT", "ok", f"{host}:{config.port} is free")]


def _not_free(host: str, number: int, error: OSError) -> Finding:
    where = f"{host}:{number}"
    if error.errno == errno.EADDRINUSE:
        told = _health(host, number)
        if told is None:
            remedy = f"ss -ltnp 'sport = :{number}' tells whose it is; or set another PORT"
            return Finding("PORT", "fail", f"another program listens on {where}", remedy)
        what = f"a realtime {told} listens on {where} already"
        return Finding("PORT", "warn", what, "a second one needs another PORT; else all is well")
    if error.errno == errno.EACCES:
        remedy = "a PORT from 1024 on, or AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit"
        return Finding("PORT", "fail", f"this user may not listen on {where}", remedy)
    remedy = "set HOST to an address of this machine; 0.0.0.0 are all of them"
    return Finding("PORT", "fail", f"cannot listen on {where}: {error.strerror or error}", remedy)


def _health(host: str, number: int) -> str | None:
    """The version of a server of this kind; None if it is none."""
    own = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    connection = http.client.HTTPConnection(own, number, timeout=_PATIENCE_S)
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        with contextlib.closing(connection):
            connection.request("GET", "/health")
            told = json.loads(connection.getresponse().read(65_536))
            state = told["engine"]["state"]
            version = f"{told['version']} ({state}, up {told['uptime_s'] / 60:.0f} min)"
            return version if version.isprintable() else None
    return None


def socket_file(situation: Situation) -> list[Finding]:
    """Whether the server can listen on UDS."""
    name = given(situation.config.uds)
    if name is None:
        return []
    from realtime.paths import expanded
    from realtime.server.listen import MAX_SOCKET_PATH

    try:
        path = expanded(name, "UDS")
    except ConfigError as error:
        return [Finding("UDS", "fail", error.message)]
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        what = f"the path has more than {MAX_SOCKET_PATH} bytes: {path}"
        return [Finding("UDS", "fail", what, "set a shorter one")]
    folder = path.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        what = f"{folder} {'cannot be written to' if folder.is_dir() else 'is no folder'}"
        remedy = "make it, for the server's user: RuntimeDirectory= in the unit, or install -d -o USER"
        return [Finding("UDS", "fail", what, remedy)]
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return [Finding("UDS", "ok", f"{path} can be made")]
    if not stat.S_ISSOCK(kind):
        return [Finding("UDS", "fail", f"{path} is there, and no socket", "remove it, or set another path")]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PATIENCE_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return [Finding("UDS", "ok", f"{path} is left of a server that is gone, and will be replaced")]
        except OSError as error:
            return [Finding("UDS", "fail", f"{path}: {error.strerror or error}", "set another path")]
    remedy = "a second server needs another UDS; else all is well"
    return [Finding("UDS", "warn", f"a server listens on {path} already", remedy)]


def webrtc(situation: Situation) -> list[Finding]:
    """Addresses and ports of UDP, and the servers that help."""
    config = situation.config
    if not config.rtc:
        return [Finding("WebRTC", "info", "it is off")]
    from aioice.ice import get_host_addresses

    from realtime.app.webrtc import make_rtc

    found = _ice_servers(config)
    if any(each.state == "fail" for each in found):
        return found
    ice = make_rtc(config).ice
    addresses = ice.addresses or tuple(get_host_addresses(use_ipv4=True, use_ipv6=True))
    if not addresses:
        remedy = "set RTC_ADDRESSES, or RTC=0"
        return [*found, Finding("WebRTC", "fail", "this machine has no address but its own", remedy)]
    foreign = [address for address in addresses if not _can_bind(address, 0)]
    if foreign:
        remedy = "RTC_ADDRESSES are those of this machine; what a router makes of them is RTC_PUBLIC_ADDRESS"
        found.append(Finding("RTC_ADDRESSES", "fail", f"not of this machine: {', '.join(foreign)}", remedy))
    else:
        who = "peers of this machine alone" if ice.own_machine else "peers"
        found.append(Finding("WebRTC", "ok", f"{who} on {', '.join(addresses)}"))
    if ice.ports is not None and not foreign:
        found.append(_range(ice.ports, addresses[0], config.max_sessions))
    return found


def _range(ports: tuple[int, int], address: str, sessions: int) -> Finding:
    numbers = range(ports[0], ports[1] + 1)
    tried = numbers[:_MOST_TRIED]
    free = sum(_can_bind(address, number) for number in tried) + len(numbers) - len(tried)
    found = f"{free} of {len(numbers)} UDP ports are free on {address}"
    if free == 0:
        return Finding("RTC_PORTS", "fail", found, "set another range, or end what uses it")
    if free < sessions:
        found += f", fewer than MAX_SESSIONS ({sessions})"
        return Finding("RTC_PORTS", "warn", found, "a peer takes a port of each address: a wider range")
    return Finding("RTC_PORTS", "ok", f"{found}; a firewall must let them in")


def _can_bind(address: str, number: int) -> bool:
    try:
        where = socket.getaddrinfo(address, number, type=socket.SOCK_DGRAM)[0]
        with socket.socket(where[0], socket.SOCK_DGRAM) as probe:
            probe.bind(where[4])
    except OSError:
        return False
    return True


def _ice_servers(config: Config) -> list[Finding]:
    from realtime.server.webrtc.reach import ice_server

    found = []
    for name in ("stun_urls", "turn_urls"):
        listed = given(getattr(config, name))
        if listed is None:
            continue
        urls = [url.strip() for url in listed.split(",")]
        wrong = [url for url in urls if not 0 < ice_server(url, None).port <= _MOST_PORT]
        if wrong:
            what = f"{', '.join(wrong)}: a port is at most {_MOST_PORT}"
            found.append(Finding(name.upper(), "fail", what, "mend the port"))
        else:
            found.append(Finding(name.upper(), "ok", f"{', '.join(urls)}; nobody was asked"))
    has_login = "none" not in (config.turn_username, config.turn_password) or config.turn_secret != "none"
    if given(config.turn_urls) and not has_login:
        what = "there is neither TURN_SECRET nor TURN_USERNAME with TURN_PASSWORD"
        found.append(Finding("TURN login", "warn", what, "few TURN servers serve those without a login"))
    return found


def redis(situation: Situation) -> list[Finding]:
    """Whether the shared cache answers; its URL is never shown."""
    url = given(situation.config.redis_url)
    if url is None:
        return []
    from realtime.speech.redis_connections import Connections

    try:
        connections = Connections(url, 1)
    except ConfigError as error:
        return [Finding("REDIS_URL", "fail", error.message, "the server does not start with it")]
    why = asyncio.run(_ping(connections))
    if why:
        what = f"the Redis at {connections.where} does not serve: {why}"
        remedy = "start it, mend REDIS_URL, or unset it; until then servers share no sound"
        return [Finding("REDIS_URL", "fail", what, remedy)]
    return [Finding("REDIS_URL", "ok", f"the Redis at {connections.where} answers")]


async def _ping(connections: object) -> str:
    """Why it does not answer; empty if it does."""
    from redis.asyncio import Redis
    from redis.exceptions import AuthenticationError, RedisError, ResponseError

    client = Redis(connection_pool=connections)  # type: ignore[arg-type]
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await client.ping()
        return ""
    except TimeoutError:
        return f"no answer within {_PATIENCE_S:g} s"
    except AuthenticationError:
        return "it wants another user and password"
    except ResponseError:
        return "it answers with an error"
    except (RedisError, OSError):
        return "nobody can be connected to"
    finally:
        with contextlib.suppress(RedisError, OSError):
            await connections.disconnect()  # type: ignore[attr-defined]
