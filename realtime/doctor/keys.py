"""Keys of clients: whether they can be read, by whom, and whether they can be guessed. None is ever shown."""

from __future__ import annotations

import stat

from realtime.config import given
from realtime.doctor.finding import Finding, Situation
from realtime.errors import ConfigError

#: 96 bits in hexadecimal digits: what is shorter, or of fewer different characters, may be guessed.
_SHORT, _FEW = 24, 8
#: What stands in keys that somebody made up.
_WORDS = (
    "password",
    "secret",
    "changeme",
    "example",
    "apikey",
    "api-key",
    "api_key",
    "test",
    "12345",
    "qwert",
)
_MAKE_ONE = "openssl rand -hex 24 makes one"
_MOST_BYTES = 1024 * 1024


def keys(situation: Situation) -> list[Finding]:
    """Of both settings."""
    from realtime.app.building import make_keys

    config = situation.config
    if config.api_keys == "none" and config.api_keys_file == "none":
        return [Finding("keys", "info", "there are none: who reaches the server may use it")]
    found = []
    try:
        count = len(make_keys(config).keys)
        found.append(Finding("keys", "ok", f"{count} can be read"))
    except ConfigError as error:
        found.append(Finding("keys", "fail", error.message, "the server does not start with it"))
    return [*found, *_file(situation), *_weak(situation)]


def _file(situation: Situation) -> list[Finding]:
    """Who else can read the file."""
    path = given(situation.config.api_keys_file)
    if path is None:
        return []
    from realtime.paths import expanded

    try:
        mode = stat.S_IMODE(expanded(path, "API_KEYS_FILE").stat().st_mode)
    except (OSError, ConfigError):  # told by what reads it
        return []
    if not mode & (stat.S_IRGRP | stat.S_IROTH):
        return [Finding("API_KEYS_FILE", "ok", f"only its owner can read it ({mode:o})")]
    whom = "every user of this machine" if mode & stat.S_IROTH else "its group"
    return [Finding("API_KEYS_FILE", "warn", f"{whom} can read it ({mode:o})", f"chmod 600 {path}")]


def _weak(situation: Situation) -> list[Finding]:
    """Keys that may be guessed, by where they stand."""
    return [
        Finding("weak key", "warn", f"{where} {why}", f"make another one: {_MAKE_ONE}")
        for where, secret in secret_keys(situation)
        if (why := _why_weak(secret))
    ]


def _why_weak(secret: str) -> str:
    lower = secret.lower()
    if len(secret) < _SHORT:
        return f"has fewer than {_SHORT} characters"
    if len(set(secret)) < _FEW:
        return f"has fewer than {_FEW} different characters"
    return "has a word in it that people choose" if any(word in lower for word in _WORDS) else ""


def secret_keys(situation: Situation) -> list[tuple[str, str]]:
    """Where each key stands, and the key: to look at, and to keep out of what is printed."""
    config, found = situation.config, []
    if listed := given(config.api_keys):
        secrets = enumerate(listed.split(","), 1)
        found += [(f"key {number} of API_KEYS", secret.strip()) for number, secret in secrets]
    if path := given(config.api_keys_file):
        from realtime.paths import expanded

        try:
            with expanded(path, "API_KEYS_FILE").open("rb") as file:
                lines = file.read(_MOST_BYTES).decode("utf-8-sig", "replace").splitlines()
        except (OSError, ConfigError):
            lines = []
        for number, line in enumerate(lines, 1):
            words = line.split()
            if words and not words[0].startswith("#"):
                found.append((f"line {number} of API_KEYS_FILE", words[0]))
    return [(where, secret) for where, secret in found if secret]
