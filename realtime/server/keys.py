"""Keys of clients: where they come from, what they may be, and how a request bears one.

A key is 16 to 256 visible ASCII characters without a comma. Only its SHA-256 is kept, so that what is
compared has one length and no log or traceback can hold a key.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from realtime.errors import ConfigError
from realtime.paths import expanded

#: The subprotocol of a WebSocket that carries a key, for browsers: they can set no header.
KEY_PREFIX = "api-key."
MIN_CHARACTERS = 16
MAX_CHARACTERS = 256
#: Characters of all subprotocols that one request may offer.
MAX_SUBPROTOCOLS = 8 * 1024
#: Keys that one request may offer; who offers more has none.
MAX_OFFERED = 4
MAX_FILE_BYTES = 1024 * 1024
MAX_LIMIT = 1_000_000
_KEY = re.compile(rf"[!-+\--~]{{{MIN_CHARACTERS},{MAX_CHARACTERS}}}")
_NAME = re.compile(r"[!-~]{1,64}")
_WHAT_A_KEY_IS = f"a key is {MIN_CHARACTERS} to {MAX_CHARACTERS} visible ASCII characters without a comma"
_OPTIONS = "name=..., concurrency=... and requests_per_minute=..."


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """What one key, or one address, may use; 0: no limit."""

    concurrency: int = 0
    requests_per_minute: int = 0


@dataclass(frozen=True, slots=True)
class Key:
    """A client's key. `name` is for logs, `digest` the SHA-256 of the key."""

    name: str
    digest: bytes = field(repr=False)
    limits: KeyLimits


class KeyRing:
    """The keys of a server."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = tuple(keys)

    @property
    def keys(self) -> tuple[Key, ...]:
        """All of them."""
        return self._keys

    def find(self, offered: Sequence[str]) -> Key | None:
        """The key that one of `offered` is. How long it takes tells nothing of the keys.

        Of what cannot be one nothing is worked out: more than `MAX_OFFERED`, or more than `MAX_CHARACTERS`.
        """
        if len(offered) > MAX_OFFERED:
            return None
        found = None
        for secret in offered:
            if len(secret) > MAX_CHARACTERS:
                continue
            digest = _digest(secret)
            for key in self._keys:
                if hmac.compare_digest(key.digest, digest):
                    found = key
        return found


def _digest(secret: str) -> bytes:
    # A header may hold any bytes: aiohttp gives those that are no UTF-8 as surrogates.
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def offered_keys(request: web.BaseRequest) -> list[str]:
    """The keys that a request bears: `Authorization: Bearer`, and subprotocols of a WebSocket handshake."""
    keys = []
    for header in request.headers.getall("Authorization", []):
        scheme, _, secret = header.partition(" ")
        if scheme.lower() == "bearer":
            keys.append(secret.strip())
    if request.headers.get("Upgrade", "").strip().lower() == "websocket":
        keys += [
            offer.removeprefix(KEY_PREFIX)
            for offer in all_subprotocols(request)
            if offer.startswith(KEY_PREFIX)
        ]
    return keys


def all_subprotocols(request: web.BaseRequest) -> list[str]:
    """What a WebSocket handshake offers in `Sec-WebSocket-Protocol`, keys included.

    Beyond `MAX_SUBPROTOCOLS` characters nothing is looked at: headers may be far longer.
    """
    header = ",".join(request.headers.getall("Sec-WebSocket-Protocol", []))[:MAX_SUBPROTOCOLS]
    return [offer.strip() for offer in header.split(",") if offer.strip()]


def load_keys(listed: str | None, path: str | None, limits: KeyLimits) -> KeyRing:
    """The keys of a list with commas and those of a file; `limits` hold for a key with none of its own.

    The file has one key in a line. `name=... concurrency=... requests_per_minute=...` may follow it, and from
    a `#` that opens a word on the rest is a comment. Raises `ConfigError` that names the line, never the key.
    """
    keys: dict[bytes, tuple[str, Key]] = {}
    if listed is not None:
        for number, secret in enumerate(listed.split(","), 1):
            where = f"key {number} of API_KEYS"
            _add(keys, where, _key(where, [secret.strip()], limits))
    if path is not None:
        for number, line in enumerate(_read(path).splitlines(), 1):
            if words := _words(line):
                where = f"line {number} of API_KEYS_FILE"
                _add(keys, where, _key(where, words, limits))
        if not keys:
            raise ConfigError(f"API_KEYS_FILE {path} holds no key")
    return KeyRing(key for _, key in keys.values())


def _add(keys: dict[bytes, tuple[str, Key]], where: str, key: Key) -> None:
    if key.digest in keys:
        raise ConfigError(f"{where} is the same as {keys[key.digest][0]}")
    keys[key.digest] = (where, key)


def _words(line: str) -> list[str]:
    words = line.split()
    comment = next((at for at, word in enumerate(words) if word.startswith("#")), len(words))
    return words[:comment]


def _key(where: str, words: list[str], defaults: KeyLimits) -> Key:
    secret, *options = words
    if not _KEY.fullmatch(secret):
        raise ConfigError(f"{where} is no key: {_WHAT_A_KEY_IS}")
    digest = _digest(secret)
    name = digest.hex()[:8]
    numbers = {
        "concurrency": defaults.concurrency,
        "requests_per_minute": defaults.requests_per_minute,
    }
    seen = set()
    for option in options:
        what, equals, value = option.partition("=")
        if not equals or what not in (*numbers, "name") or what in seen:
            raise ConfigError(f"{where}: after the key may stand {_OPTIONS}, each once")
        seen.add(what)
        if what == "name":
            if not _NAME.fullmatch(value) or secret in value:
                raise ConfigError(f"{where}: a name is 1 to 64 visible ASCII characters, and not the key")
            name = value
        elif not (value.isascii() and value.isdigit() and int(value) <= MAX_LIMIT):
            raise ConfigError(f"{where}: {what} must be a whole number from 0 to {MAX_LIMIT}; 0: no limit")
        else:
            numbers[what] = int(value)
    return Key(name, digest, KeyLimits(**numbers))


def _read(path: str) -> str:
    file = expanded(path, "API_KEYS_FILE")
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            data = opened.read(MAX_FILE_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read API_KEYS_FILE {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"API_KEYS_FILE {path} is no text in UTF-8") from None
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(f"API_KEYS_FILE {path} is larger than {MAX_FILE_BYTES} bytes")
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        structlog.get_logger("realtime").warning(
            "keys_file_readable_by_others", path=path, mode=f"{stat.S_IMODE(mode):o}", advice="chmod 600"
        )
    return text
