"""A listener that asks for PCM over HTTP: the chunks of the answer, read with as little work as can be."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

from bench.listening import KEPT_S, Listener

if TYPE_CHECKING:
    from bench.players import Players

_PCM_BYTES_PER_S = 24_000 * 2


class HttpListener(Listener):
    """A request for PCM, answered in chunks."""

    def __init__(self, players: Players, number: int, due: float, speaks: bool, steady: bool) -> None:
        """See `Listener`."""
        super().__init__(players, number, due, speaks, steady)
        self._answered = False
        self._chunk_left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the sound at once."""
        super().connection_made(transport)
        text = self._players.next_text()
        body = {"input": text} | self._players.crowd.start
        if voice := self._players.next_voice():
            body["voice"] = voice
        data = json.dumps(body).encode()
        self._new_text(text, True)
        assert self._transport is not None
        self._transport.write(
            b"POST /v1/audio/speech/pcm HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(data), data)
        )

    def data_received(self, data: bytes) -> None:
        """Count the bytes of sound in what has come."""
        now = time.perf_counter()
        data = self._rest + data
        at = 0
        if not self._answered:
            at = data.find(b"\r\n\r\n") + 4
            if at < 4:
                self._rest = data
                return
            if not data.startswith(b"HTTP/1.1 200"):
                self.fail(data[: data.find(b"\r\n")].decode())
                return
            self._answered = True
        while not self.spoken[-1].done:
            if self._chunk_left > 2:  # its line end is part of it
                part = data[at : at + self._chunk_left - 2]
                if not part:
                    break
                self._on_sound(part, now)
                at += len(part)
                self._chunk_left -= len(part)
            elif self._chunk_left:
                if len(data) < at + self._chunk_left:
                    break
                at, self._chunk_left = at + self._chunk_left, 0
            else:
                line = data.find(b"\r\n", at)
                if line < 0:
                    break
                size = int(data[at:line], 16)
                at, self._chunk_left = line + 2, size + 2 if size else 0
                if not size:
                    self.spoken[-1].done = True
                    self._leave_when_heard(now)
        self._rest = data[at:]

    def connection_lost(self, exc: Exception | None) -> None:
        """After the last chunk the server closes, long before all is heard."""
        if not (self.spoken and self.spoken[-1].done):
            super().connection_lost(exc)

    def _on_sound(self, part: bytes, now: float) -> None:
        spoken = self.spoken[-1]
        if spoken.first is None:
            spoken.first = now
        duration_s = len(part) / _PCM_BYTES_PER_S
        self.player.receive(duration_s, now)
        spoken.audio_s += duration_s
        self._players.audio_s += duration_s
        if spoken.kept is not None and spoken.audio_s - duration_s < KEPT_S:
            spoken.kept.append((now, part))
