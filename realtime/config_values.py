"""What the value of a setting may be. Each parser raises `ConfigError` that says what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address

from realtime.cores import parse_cpulist
from realtime.errors import ConfigError


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number within bounds."""

    def parse(value: str) -> int:
        try:
            number = int(value)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise ConfigError(f"a whole number from {low} to {high}")
        return number

    return parse


def number(low: float, high: float, unit: str, *, or_none: bool = False) -> Callable[[str], float | None]:
    """A number within bounds: `unit` says what it is; `or_none`: the word `none` may stand for it."""

    def parse(value: str) -> float | None:
        if or_none and value.strip().lower() == "none":
            return None
        try:
            number = float(value)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            raise ConfigError(f"{unit} from {low:g} to {high:g}{', or `none`' if or_none else ''}")
        return number

    return parse


def one_of(*allowed: str) -> Callable[[str], str]:
    """One of several words, in any case."""

    def parse(value: str) -> str:
        if value.lower() not in allowed:
            raise ConfigError(f"one of {', '.join(allowed)}")
        return value.lower()

    return parse


_CORES = re.compile(r"(\d{1,4})(-(\d{1,4}))?")


def cores(value: str) -> frozenset[int] | None:
    """Numbers of cores, or the word `none`."""
    if value.strip().lower() == "none":
        return None
    for part in value.split(","):
        match = _CORES.fullmatch(part.strip())
        if match is None or int(match[1]) > int(match[3] or match[1]):
            raise ConfigError("numbers of cores such as 0-3,6, or `none`")
    return parse_cpulist(value)


_DEVICE = re.compile(r"auto|cpu|cuda(:\d{1,3})?")


def device(value: str) -> str:
    """Where a model runs."""
    device = value.strip().lower()
    if not _DEVICE.fullmatch(device):
        raise ConfigError("auto, cpu, cuda or the number of a card such as cuda:1")
    return device


def mode(value: str) -> str:
    """Mode bits of a file."""
    digits = value.strip()
    if not (3 <= len(digits) <= 4 and set(digits) <= set("01234567") and int(digits, 8) <= 0o777):
        raise ConfigError("mode bits as three digits from 0 to 7, such as 660")
    return digits


def address_or_none(value: str) -> str:
    """An IP address, or the word `none`."""
    if value.strip().lower() == "none":
        return "none"
    try:
        return str(ip_address(value.strip()))
    except ValueError:
        raise ConfigError("an IP address, or `none`") from None


def addresses(value: str) -> str:
    """IP addresses separated by commas, or the word `auto`."""
    addresses = value.strip()
    if addresses.lower() == "auto":
        return "auto"
    try:
        return ",".join(str(ip_address(each.strip())) for each in addresses.split(","))
    except ValueError:
        raise ConfigError("IP addresses separated by commas, or `auto`") from None


_PORTS = re.compile(r"(\d{1,5})-(\d{1,5})")


def port_range(value: str) -> str:
    """First and last port, or the word `any`."""
    ports = value.strip().lower()
    match = _PORTS.fullmatch(ports)
    if ports != "any" and not (match and 1024 <= int(match[1]) <= int(match[2]) <= 65535):
        raise ConfigError("a range such as 50000-50999 within 1024-65535, or `any`")
    return ports


_ICE_URL = re.compile(r"(stun|turn|turns):(\[[0-9a-fA-F:.]+\]|[^:?,\s]+)(:\d{1,5})?(\?transport=(udp|tcp))?")


def ice_urls(kind: str) -> Callable[[str], str]:
    """Addresses of STUN or TURN servers, or the word `none`."""

    def parse(value: str) -> str:
        urls = value.strip()
        if urls.lower() == "none":
            return "none"
        for url in urls.split(","):
            match = _ICE_URL.fullmatch(url.strip())
            if match is None or not match[1].startswith(kind) or (kind == "stun" and match[4]):
                transport = "" if kind == "stun" else "[?transport=udp|tcp]"
                raise ConfigError(f"{kind}:host[:port]{transport}, several separated by commas, or `none`")
        return urls

    return parse


def switch(value: str) -> bool:
    """On or off."""
    if value.lower() in ("1", "true", "yes", "on"):
        return True
    if value.lower() in ("0", "false", "no", "off"):
        return False
    raise ConfigError("1 or 0")


def text(value: str) -> str:
    """Any text but an empty one."""
    if not value.strip():
        raise ConfigError("something")
    return value.strip()
