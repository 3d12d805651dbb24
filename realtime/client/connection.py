"""How a session is had and given up: address, handshake, first message, closing handshake."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from realtime.client.backlog import Backlog
from realtime.client.errors import ConnectionFailedError, SessionRefusedError
from realtime.client.session import Session
from realtime.errors import ErrorCode, InvalidMessageError
from realtime.session import messages as wire

PATH = "/v1/audio/speech/ws"
_MAX_MESSAGE_BYTES = 4 * 1024 * 1024
#: A server answers `session.start` at once; one that does not is none.
_START_S = 10.0
#: Seconds until the kernel asks a silent server for life, seconds between two such probes, and their number.
_KEEPALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
_LONGEST_REASON = 200


@contextlib.asynccontextmanager
async def connect(
    url: str, *, api_key: str | None = None, max_buffered_ms: float = 30_000, **settings: Any
) -> AsyncIterator[Session]:
    """A session with the server at `url` (ws://, wss://, http:// or https://, with or without the path).

    `api_key` is for a server that asks for one. `settings` are the fields of `session.start`.
    `max_buffered_ms`: sound that nobody has taken, over all contexts, at which the socket is read no more
    (see `Session`). The session closes with the block, and what is still under way is dropped; to hear all,
    take all of it, or call `Session.close` first. Raises `ConnectionFailedError`, `SessionRefusedError`;
    `TypeError` for fields that the protocol does not know.
    """
    start = wire.SessionStart(**settings)
    backlog = Backlog(max_buffered_ms)
    connection = await _open(_address(url), api_key)
    try:
        session = Session(connection, await _started(connection, start), backlog)
    except BaseException:
        await connection.close()
        raise
    receiver = asyncio.create_task(session.receive())
    try:
        yield session
    finally:
        session.leave()
        try:
            await connection.close()
            await receiver
        finally:  # the one who leaves may be cancelled meanwhile
            receiver.cancel()
            await asyncio.gather(receiver, return_exceptions=True)


def _address(url: str) -> str:
    address = url.replace("http", "ws", 1) if url.startswith("http") else url
    return address if address.rstrip("/").endswith(PATH) else address.rstrip("/") + PATH


async def _open(address: str, api_key: str | None) -> ClientConnection:
    # A proxy that the environment names is for other machines, not for this one.
    local = urlsplit(address).hostname in ("localhost", "127.0.0.1", "::1")
    proxy: Literal[True] | None = None if local else True
    try:
        connection = await connect_websocket(
            address,
            subprotocols=[Subprotocol(wire.PROTOCOL)],
            compression=None,
            max_size=_MAX_MESSAGE_BYTES,
            # A pong stands behind sound that is not read: the server would be taken for dead.
            ping_interval=None,
            proxy=proxy,
            additional_headers={"Authorization": f"Bearer {api_key}"} if api_key else None,
        )
    except InvalidStatus as error:
        raise _turned_away(address, error) from error
    except (OSError, InvalidHandshake, InvalidURI, TimeoutError) as error:
        raise ConnectionFailedError(f"no server answers at {address}: {error}") from error
    _keep_alive(connection)
    return connection


def _turned_away(address: str, error: InvalidStatus) -> ConnectionFailedError:
    """What an HTTP answer says that is no upgrade, as 503 with `Retry-After` while the voice is loaded."""
    response = error.response
    code, reason = _reason(bytes(response.body or b""))
    wait = response.headers.get("Retry-After", "")
    text = f"the server at {address} refuses the connection: HTTP {response.status_code} {reason}".rstrip()
    return ConnectionFailedError(
        text,
        code=ErrorCode.UNAUTHORIZED if response.status_code == 401 else code,
        retry_after_ms=int(wait) * 1000 if wait.isdecimal() else None,
    )


class _Refusal(msgspec.Struct):
    """What an error of the server's looks like over HTTP."""

    message: str
    code: ErrorCode


def _reason(body: bytes) -> tuple[ErrorCode | None, str]:
    """Code and message of a server like ours; of another one the text that it sent."""
    try:
        refusal = msgspec.json.decode(body, type=dict[Literal["error"], _Refusal])["error"]
    except (msgspec.DecodeError, KeyError):
        return None, body.decode(errors="replace").strip()[:_LONGEST_REASON]
    return refusal.code, refusal.message[:_LONGEST_REASON]


def _keep_alive(connection: ClientConnection) -> None:
    """Have the kernel find a server that is gone: unlike a ping, it is answered whether we read or not."""
    raw = connection.transport.get_extra_info("socket")
    if raw is None or raw.family not in (socket.AF_INET, socket.AF_INET6):
        return
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if (option := getattr(socket, name, None)) is not None:  # not every system has them all
            raw.setsockopt(socket.IPPROTO_TCP, option, value)


async def _started(connection: ClientConnection, start: wire.SessionStart) -> wire.SessionReady:
    """The answer to `start`."""
    try:
        async with asyncio.timeout(_START_S):
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
