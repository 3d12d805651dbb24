"""Clients that are gone before their WebSocket is open."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from realtime.app import Server

HANDSHAKE = (
    b"GET /v1/audio/speech/ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
RESET = struct.pack("ii", 1, 0)


async def test_who_leaves_in_the_handshake_is_no_mistake(
    server: Server, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            connection.sendall(HANDSHAKE)
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert not [record for record in caplog.records if record.exc_info]
    assert "request_failed" not in capsys.readouterr().out
    assert server.registry.count == 0
