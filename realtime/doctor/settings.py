"""The settings: which are wrong or misspelt, do nothing, are dangerous, and which are in force."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from realtime.config import SECRETS, Config, from_environment, given, without_effect
from realtime.cores import written
from realtime.doctor.finding import Finding, Situation
from realtime.errors import ConfigError

#: Variables that others read and that look like ours.
_OTHERS = frozenset({"REALTIME_URL", "REALTIME_API_KEY"})
_PREFIX = "REALTIME_"
#: How alike names must be; of names as short as PORT, many are.
_ALIKE, _SHORT = 0.86, 6
#: Seconds that Kubernetes waits between SIGTERM and SIGKILL if nobody says otherwise.
_USUAL_GRACE_S = 30
#: How a container may be known.
_CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")


def read_settings(environment: Mapping[str, str]) -> tuple[Config, tuple[str, ...]]:
    """The settings that are right, and a line for each variable that is not."""
    right, wrong = {}, []
    for name in (each.name.upper() for each in fields(Config)):
        if name not in environment:
            continue
        try:
            from_environment({name: environment[name]})
            right[name] = environment[name]
        except ConfigError as error:
            wrong.append(error.message)
    return from_environment(right), tuple(wrong)


def values(situation: Situation) -> list[Finding]:
    """Variables with values that are not allowed; the server would not start."""
    names = {each.name.upper() for each in fields(Config)}
    found = []
    for line in situation.wrong:
        name, _, what = line.partition(" ")
        remedy = f"python -m realtime serve --help tells what it is for; or unset {name}"
        found.append(Finding(name, "fail", what, remedy))
    count = len(names & situation.environment.keys())
    return found or [Finding("values", "ok", f"{count} of {len(names)} settings are set, all within bounds")]


def spelling(situation: Situation) -> list[Finding]:
    """Variables that look as if they were meant for this server."""
    known = {each.name.upper() for each in fields(Config)}
    found = []
    for name in sorted(situation.environment.keys() - known - _OTHERS):
        # Kubernetes sets REALTIME_PORT to such an address where a service is called realtime.
        is_address = situation.environment[name].startswith("tcp://")
        if not is_address and (meant := _meant(name, known)):
            what = f"no setting has this name; did you mean {meant}?"
            found.append(Finding(name, "warn", what, f"set {meant} instead, or unset {name}"))
    return found


def _meant(name: str, known: set[str]) -> str | None:
    """The setting that somebody may have had in mind."""
    if name.startswith(_PREFIX) and (bare := name.removeprefix(_PREFIX)) in known:
        return bare
    if name != name.upper() and "_" in name and name.upper() in known:
        return name.upper()
    if len(name) < _SHORT or name != name.upper():
        return None
    return next(iter(difflib.get_close_matches(name, known, 1, _ALIKE)), None)


def lists(situation: Situation) -> list[Finding]:
    """Settings that are read at the start only: lists, a file of words."""
    from realtime.app.building import make_address_limits
    from realtime.server.origins import origin_policy
    from realtime.text.lexicon import load_lexicon

    config, found = situation.config, []

    def attempt(name: str, read: Any) -> None:
        try:
            read()
        except ConfigError as error:
            found.append(Finding(name, "fail", error.message, "the server does not start with it"))

    attempt("TRUSTED_PROXIES", lambda: make_address_limits(config))
    attempt("ALLOWED_ORIGINS", lambda: origin_policy(given(config.allowed_origins)))
    if given(config.lexicon):
        attempt("LEXICON", lambda: load_lexicon(config.lexicon))
    return found


def idle(situation: Situation) -> list[Finding]:
    """Settings that do nothing as long as others are as they are."""
    found = []
    for line in without_effect(situation.config):
        name, _, why = line.partition(": ")
        found.append(Finding(name, "warn", f"it has no effect: {why}", f"unset {name}"))
    return found


def risks(situation: Situation) -> list[Finding]:
    """Combinations that are allowed, and that somebody may regret."""
    from realtime.server.listen import is_loopback

    config, found = situation.config, []
    has_keys = config.api_keys != "none" or config.api_keys_file != "none"
    host = given(config.host)
    is_open = not is_loopback(host)

    def warn(name: str, what: str, remedy: str) -> None:
        found.append(Finding(name, "warn", what, remedy))

    if host is None and config.uds == "none":
        remedy = "set UDS to the path of a socket file, or HOST to an address"
        found.append(Finding("HOST", "fail", "HOST is `none` and there is no UDS: nowhere to listen", remedy))
    if is_open and not has_keys:
        what = f"whoever reaches {config.host} may speak and keep voices: nobody is asked for a key"
        warn(
            "HOST", what, "set API_KEYS (openssl rand -hex 24 makes one) or API_KEYS_FILE; or HOST=127.0.0.1"
        )
    if not is_open and host is not None and any(map(situation.machine.has, _CONTAINER_MARKS)):
        what = f"HOST is {host}, and this is a container: unless it has the host's network, nobody reaches it"
        warn("HOST", what, "HOST=0.0.0.0 with API_KEYS, and publish the port on the host's 127.0.0.1")
    if config.allowed_origins.strip() == "*" and not has_keys:
        what = (
            "pages of any site may use the server, in the browser of anybody who reaches it; it has no keys"
        )
        warn("ALLOWED_ORIGINS", what, "name the origins of your pages, or set API_KEYS")
    if config.uds != "none" and int(config.uds_mode, 8) & 0o002 and not has_keys:
        what = f"with {config.uds_mode} every user of this machine may speak; nobody is asked for a key"
        warn("UDS_MODE", what, "UDS_MODE=660, and a group for those who may")
    if is_open and getattr(config, "metrics", "off") == "open":
        told = f"whoever reaches {config.host} can read /metrics, which tells how busy the server is"
        found.append(Finding("METRICS", "info", told, "METRICS=key asks for a key"))
    if config.log_text:
        warn(
            "LOG_TEXT", "what people have spoken stands in the log", "LOG_TEXT=0, unless you look for a fault"
        )
    if config.drain_s > _USUAL_GRACE_S:
        what = (
            f"{config.drain_s:g} s are longer than Docker (10 s) and Kubernetes (30 s) wait before they kill"
        )
        longer = "stop_grace_period, terminationGracePeriodSeconds or TimeoutStopSec above DRAIN_S"
        warn("DRAIN_S", what, f"set {longer}, or DRAIN_S=30")
    if config.engine == "tone":
        warn("ENGINE", "`tone` only hums: it is for tests", "ENGINE=embedded or ENGINE=qwen3")
    return found


def in_force(situation: Situation) -> list[Finding]:
    """Every setting that is not as it would be by itself; secrets only as `set`."""
    config, found = situation.config, []
    for each in fields(Config):
        value = getattr(config, each.name)
        if value != each.default:
            name = each.name.upper()
            told = "set" if name in SECRETS else f"{shown(value)} (default {shown(each.default)})"
            found.append(Finding(name, "info", told))
    return found or [Finding("settings", "info", "all are as they are by default")]


def shown(value: Any) -> str:
    """A value as it would stand in the environment; what cannot be printed is written out."""
    if value is None:
        return "none"
    if isinstance(value, frozenset):
        return written(value)
    text = f"{value:g}" if isinstance(value, bool | float) else str(value)
    return text if text.isprintable() else ascii(text)[1:-1]
