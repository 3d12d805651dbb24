"""Connections to a Redis, by its URL; one that was left in the middle of something is never used again.

The forms are `redis://[[user]:password@]host[:port][/database]`, the same with `rediss://` for TLS, and
`unix://[[user]:password@]/path[?db=database]`. TLS has the options `ssl_ca_certs`, `ssl_certfile`,
`ssl_keyfile`, `ssl_cert_reqs` (`required` or `none`) and `ssl_check_hostname` (1 or 0). Options that would
change how the client behaves, which a URL of the library may have, are refused.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    ConnectionPool,
    RedisSSLContext,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.exceptions import RedisError

from realtime.errors import ConfigError

_FORMS = (
    "the URL of the shared cache must be redis://[[user]:password@]host[:port][/database], the same with "
    "rediss://, or unix://[[user]:password@]/path[?db=database]; in a password / ? # @ are %2F %3F %23 %40"
)
_DATABASE = re.compile(r"[0-9]{1,5}")
_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


class _Aborted(AbstractConnection):
    """A connection that is closed at once: nothing of what a server that hangs has not taken is kept."""

    async def disconnect(self, *args: Any, **kwargs: Any) -> None:
        """Close it; what was being sent is dropped."""
        if self._writer is not None:
            self._writer.transport.abort()
        await super().disconnect(*args, **kwargs)


class _TcpConnection(_Aborted, Connection):
    pass


class _TlsConnection(_Aborted, SSLConnection):
    pass


class _UnixConnection(_Aborted, UnixDomainSocketConnection):
    pass


class Connections(ConnectionPool):
    """At most so many connections. They have no limits of time: that is for those who use them."""

    def __init__(self, url: str, max_connections: int) -> None:
        """Raises `ConfigError`, which never holds any of the URL, when that has another form."""
        kind, options, self.where = _read(url)
        super().__init__(
            kind,
            max_connections,
            # The older protocol needs no handshake, and both do what is needed here.
            protocol=2,
            socket_timeout=None,
            socket_connect_timeout=None,
            **options,
        )
        # One for all connections: to make it takes long enough to be heard.
        self._tls: RedisSSLContext | None = None
        if kind is _TlsConnection:
            try:
                self._tls = self.make_connection().ssl_context
                self._tls.get()
            except (OSError, RedisError, ValueError):
                raise ConfigError("the TLS options in the URL of the shared cache cannot be used") from None

    def make_connection(self) -> Any:
        """A connection that is not connected yet."""
        connection = super().make_connection()  # type: ignore[no-untyped-call]
        if self._tls is not None:
            connection.ssl_context = self._tls
        return connection


def _read(url: str) -> tuple[type[AbstractConnection], dict[str, Any], str]:
    """Kind and options of a connection, and where it leads, for logs: without user and password."""
    try:
        parts = urlsplit(url)
        port = parts.port or 6379
        query = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    except ValueError:
        _refuse()
    if parts.fragment:
        _refuse()
    options: dict[str, Any] = _credentials(parts)
    if parts.scheme == "unix":
        if parts.hostname or not parts.path.strip("/"):
            _refuse()
        options["path"] = where = unquote(parts.path)
        options["db"] = _database(query.pop("db", "0"))
        kind: type[AbstractConnection] = _UnixConnection
    elif parts.scheme in ("redis", "rediss"):
        options["host"] = host = unquote(parts.hostname or "localhost")
        options["port"] = port
        options["db"] = _database(query.pop("db", "") or parts.path.strip("/") or "0")
        where = f"{host}:{port}"
        kind = _TcpConnection
        if parts.scheme == "rediss":
            kind = _TlsConnection
            options |= _tls_options(query)
    else:
        _refuse()
    if query:
        _refuse()
    return kind, options, where


def _refuse() -> NoReturn:
    # Never a part of it: where the password ends is not known of a URL that is none.
    raise ConfigError(_FORMS) from None


def _credentials(parts: SplitResult) -> dict[str, Any]:
    named = {"username": parts.username, "password": parts.password}
    return {name: unquote(value) for name, value in named.items() if value}


def _database(number: str) -> int:
    if not _DATABASE.fullmatch(number):
        _refuse()
    return int(number)


def _tls_options(query: dict[str, str]) -> dict[str, Any]:
    options: dict[str, Any] = {name: query.pop(name) for name in _TLS_FILES if name in query}
    options["ssl_cert_reqs"] = query.pop("ssl_cert_reqs", "required")
    check = query.pop("ssl_check_hostname", "1")
    if options["ssl_cert_reqs"] not in ("required", "none") or check not in ("0", "1"):
        _refuse()
    options["ssl_check_hostname"] = check == "1"
    return options
