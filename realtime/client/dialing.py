"""From an address to a connection on which a session has begun: handshake and first message."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Literal
from urllib.parse import urlsplit

from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from realtime.client.errors import ConnectionFailedError, SessionRefusedError
from realtime.client.refusals import refusal_of
from realtime.errors import ErrorCode, InvalidMessageError
from realtime.session import messages as wire

PATH = "/v1/audio/speech/ws"
_MAX_MESSAGE_BYTES = 4 * 1024 * 1024
#: A server answers the handshake, and `session.start`, at once; one that does not is none.
_START_S = 10.0
#: Seconds until the kernel asks a silent server for life, seconds between two such probes, and their number.
_KEEPALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}


class Dialer:
    """Knows where the server is, and how a session begins there."""

    def __init__(
        self, url: str, api_key: str | None, start: wire.SessionStart, traceparent: str | None = None
    ) -> None:
        """`start` is the first message; `traceparent` names the trace that the session belongs to."""
        address = url.replace("http", "ws", 1) if url.startswith("http") else url
        #: Where its WebSockets are.
        self.address = address if address.rstrip("/").endswith(PATH) else address.rstrip("/") + PATH
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        if traceparent is not None:
            self._headers["traceparent"] = traceparent
        self._start = start

    async def dial(
        self, resume: wire.ResumeRequest | None = None, patience_s: float = _START_S
    ) -> tuple[ClientConnection, wire.SessionReady]:
        """A connection, and the server's answer to the first message; `resume`: take up that session.

        Raises `ConnectionFailedError` and `SessionRefusedError`, that also when the session is lost.
        """
        start = self._start if resume is None else replace(self._start, resume=resume)
        connection = await self._open(patience_s)
        try:
            return connection, await _started(connection, start, patience_s)
        except SessionRefusedError:
            await hang_up(connection)
            raise
        except BaseException:
            connection.transport.abort()
            raise

    async def _open(self, patience_s: float) -> ClientConnection:
        address = self.address
        # A proxy that the environment names is for other machines, not for this one.
        local = urlsplit(address).hostname in ("localhost", "127.0.0.1", "::1")
        proxy: Literal[True] | None = None if local else True
        try:
            connection = await connect_websocket(
                address,
                subprotocols=[Subprotocol(wire.PROTOCOL)],
                compression=None,
                max_size=_MAX_MESSAGE_BYTES,
                open_timeout=patience_s,
                # A pong stands behind sound that is not read: the server would be taken for dead.
                ping_interval=None,
                proxy=proxy,
                additional_headers=self._headers,
            )
        except InvalidStatus as error:
            raise _turned_away(address, error) from error
        except (OSError, InvalidHandshake, InvalidURI, TimeoutError, EOFError) as error:
            raise ConnectionFailedError(f"no server answers at {address}: {error}") from error
        _keep_alive(connection)
        return connection


async def hang_up(connection: ClientConnection) -> None:
    """Close with the handshake; a server that does not answer it is cut off."""
    try:
        async with asyncio.timeout(_START_S / 5):
            await connection.close()
    finally:
        connection.transport.abort()


def _turned_away(address: str, error: InvalidStatus) -> ConnectionFailedError:
    """What an HTTP answer says that is no upgrade, as 503 with `Retry-After` while the voice is loaded."""
    response = error.response
    code, reason = refusal_of(bytes(response.body or b""))
    wait = response.headers.get("Retry-After", "")
    text = f"the server at {address} refuses the connection: HTTP {response.status_code} {reason}".rstrip()
    return ConnectionFailedError(
        text,
        code=ErrorCode.UNAUTHORIZED if response.status_code == 401 else code,
        retry_after_ms=int(wait) * 1000 if wait.isdecimal() else None,
    )


def _keep_alive(connection: ClientConnection) -> None:
    """Have the kernel find a server that is gone: unlike a ping, it is answered whether we read or not."""
    raw = connection.transport.get_extra_info("socket")
    if raw is None or raw.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with contextlib.suppress(OSError):  # the connection is lost already
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if (option := getattr(socket, name, None)) is not None:  # not every system has them all
                raw.setsockopt(socket.IPPROTO_TCP, option, value)


async def _started(
    connection: ClientConnection, start: wire.SessionStart, patience_s: float
) -> wire.SessionReady:
    """The answer to `start`."""
    try:
        async with asyncio.timeout(patience_s):
            with contextlib.suppress(ConnectionClosed):  # a server without room says so, and closes at once
                await connection.send(wire.encode(start))
            first = wire.decode_server(await connection.recv(decode=True))
    except TimeoutError as error:
        raise ConnectionFailedError("the server does not answer `session.start`") from error
    except ConnectionClosed as error:
        raise ConnectionFailedError(f"the connection was closed before the session began: {error}") from error
    except InvalidMessageError as error:
        raise ConnectionFailedError("the server speaks another protocol") from error
    if isinstance(first, wire.Error):
        raise SessionRefusedError.told(first)
    if not isinstance(first, wire.SessionReady):
        raise ConnectionFailedError(f"the server began with `{wire.type_of(type(first))}`")
    return first
