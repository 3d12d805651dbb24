"""A listener, and its connection if that is a WebSocket, read with as little work as can be."""

from __future__ import annotations

import asyncio
import struct
import time
from collections import deque
from typing import TYPE_CHECKING, cast

import msgspec

from bench.player import Player, Spoken
from realtime.session import messages as wire
from realtime.session.frames import HEADER_BYTES
from realtime.types import TIMELINE_RATE

if TYPE_CHECKING:
    from bench.players import Players

#: The first sound of a text that is kept for decoding: seconds.
KEPT_S = 2.0
_HANDSHAKE = (
    b"GET /v1/audio/speech/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_TEXT, _BINARY, _CLOSE, _PING = 0x81, 0x82, 0x88, 0x89
_PONG = 0x8A
#: Of the frame's header: handle, and (after seq) duration.
_frame_header = struct.Struct("!4xI4xI").unpack_from


class _Message(msgspec.Struct):
    """What of a server's message is of interest here."""

    type: str
    context_id: str = ""
    handle: int = 0
    index: int = 0
    start_ms: float = 0.0
    audio_ms: float = 0.0
    session_id: str = ""
    code: str = ""
    message: str = ""
    reason: str = ""


_decode = msgspec.json.Decoder(_Message).decode


def client_frame(payload: str, opcode: int = _TEXT) -> bytes:
    """A frame from a client, masked with zeros: that is allowed, and costs nothing."""
    data = payload.encode()
    size = len(data)
    if size < 126:
        return bytes((opcode, 0x80 | size, 0, 0, 0, 0)) + data
    return struct.pack("!BBH4x", opcode, 0x80 | 126, size) + data


class Listener(asyncio.Protocol):
    """What all listeners have in common."""

    def __init__(self, players: Players, number: int, due: float, speaks: bool, steady: bool) -> None:
        """`due`: when it was to come; `speaks`: it has texts; `steady`: one after the other."""
        self.number = number
        self.spoken: list[Spoken] = []
        self.session = ""
        self.error = ""
        self._players = players
        self._due = due
        self._speaks = speaks
        self._steady = steady
        self.player = Player(players.crowd.buffer_s)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._left = False

    @property
    def sounds(self) -> bool:
        """Whether it hears something now."""
        return self.player.end > time.perf_counter()

    @property
    def waits(self) -> bool:
        """Whether it came for sound and has not heard any."""
        if self._left or not self._speaks:
            return False
        return not self.spoken or (self.spoken[-1].fresh and self.spoken[-1].first is None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is there."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever did it; it is an error if there was more to hear."""
        self.fail(f"the connection was lost: {exc}")

    def fail(self, what: str) -> None:
        """Something is wrong: it belongs to the newest text, if there is one; the first failure counts."""
        if self._left:
            return
        self._left = True
        if self.spoken and not self.spoken[-1].done:
            self.spoken[-1].error = what
        else:
            self.error = what
        self.player.rest()
        if self._transport is not None:
            self._transport.abort()

    def leave(self) -> None:
        """Go: all was heard, or the load is over."""
        if not self._left:
            self._left = True
            self.player.rest()
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _new_text(self, text: str, fresh: bool) -> Spoken:
        now = time.perf_counter()
        due = now if self.spoken else self._due
        context = str(len(self.spoken))
        spoken = Spoken(self.number, context, text, due=due, sent=now, fresh=fresh)
        if self._players.wants_sample(spoken):
            spoken.kept = []
        self.spoken.append(spoken)
        return spoken

    def _leave_when_heard(self, now: float) -> None:
        self.player.rest()
        self._loop.call_later(max(0.0, self.player.end - now), self.leave)


class WebSocketListener(Listener):
    """A session of realtime.v1."""

    def __init__(self, players: Players, number: int, due: float, speaks: bool, steady: bool) -> None:
        """See `Listener`."""
        super().__init__(players, number, due, speaks, steady)
        self._handshaken = False
        #: Texts that are not heard to their end, in order; and the sound of those before them, in seconds.
        self._queue: deque[Spoken] = deque()
        self._heard_s = 0.0
        self._by_handle: dict[int, Spoken] = {}
        self._by_context: dict[str, Spoken] = {}
        self._cancelled: set[int] = set()
        self._segment_start_ms = 0.0
        #: The texts of a barge-in that the server has not answered.
        self._barged: list[Spoken] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the WebSocket."""
        super().connection_made(transport)
        self._write(_HANDSHAKE)

    def data_received(self, data: bytes) -> None:
        """Whatever has come, whole frames of it."""
        now = time.perf_counter()
        if self._rest:
            data = self._rest + data
        at, end = 0, len(data)
        if not self._handshaken:
            at = self._shake_hands(data)
        while end - at >= 2 and self._handshaken:
            size, start = data[at + 1], at + 2
            if size == 126:
                if end - at < 4:
                    break
                size, start = data[at + 2] << 8 | data[at + 3], at + 4
            elif size == 127:
                if end - at < 10:
                    break
                size, start = int.from_bytes(data[at + 2 : at + 10]), at + 10
            if start + size > end:
                break
            if data[at] == _BINARY:
                handle, duration = _frame_header(data, start)
                self._on_frame(handle, duration / TIMELINE_RATE, now, data, start, size)
            else:
                self._on_other(data[at], data[start : start + size], now)
            at = start + size
        self._rest = data[at:]

    def _shake_hands(self, data: bytes) -> int:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return 0
        if not data.startswith(b"HTTP/1.1 101"):
            self.fail(data[: data.find(b"\r\n")].decode())
            return len(data)
        self._handshaken = True
        start = dict(self._players.crowd.start)
        if voice := self._players.next_voice():
            start["voice"] = voice
        self._send(wire.SessionStart(**start))  # type: ignore[arg-type]
        return end + 4

    def _on_frame(self, handle: int, seconds: float, now: float, data: bytes, start: int, size: int) -> None:
        spoken = self._by_handle.get(handle)
        if spoken is None:
            return
        if spoken.cancelled_at is not None:
            spoken.last_after_cancel = now
            spoken.late_frames += handle in self._cancelled
            return
        if spoken.first is None:
            spoken.first = now
            if self._steady:
                self._loop.call_later(max(0.0, self.player.end - now), self._after, len(self.spoken))
        if size == HEADER_BYTES:
            return
        self.player.receive(seconds, now)
        spoken.audio_s += seconds
        self._players.audio_s += seconds
        if spoken.kept is not None and spoken.audio_s < KEPT_S:
            spoken.kept.append((now, data[start : start + size]))

    def _on_other(self, opcode: int, payload: bytes, now: float) -> None:
        if opcode == _TEXT:
            self._on_message(_decode(payload), now)
        elif opcode == _PING:
            self._write(client_frame(payload.decode(), _PONG))
        elif opcode == _CLOSE:
            self.fail(f"closed with {int.from_bytes(payload[:2])}")

    def _on_message(self, message: _Message, now: float) -> None:
        kind = message.type
        if kind == "context.opened":
            spoken = self._by_handle[message.handle] = self._by_context[message.context_id]
            spoken.handle = message.handle
        elif kind == "segment":
            self._segment_ends(message.start_ms if message.index else 0.0)
            self._segment_start_ms = message.start_ms
        elif kind == "context.done":
            self._on_done(message, now)
        elif kind == "context.cancelled":
            self._on_cancelled(message, now)
        elif kind == "session.ready":
            self.session = message.session_id
            if self._speaks:
                self._speak(fresh=True)
                if self._players.crowd.report_s:
                    self._loop.call_later(self._players.crowd.report_s, self._report)
        elif kind == "error":
            self.fail(f"{message.code}: {message.message}")

    def _segment_ends(self, at_ms: float) -> None:
        length_ms = at_ms - self._segment_start_ms
        self._players.longest_segment_ms = max(self._players.longest_segment_ms, length_ms)

    def _on_done(self, message: _Message, now: float) -> None:
        self._segment_ends(message.audio_ms)
        spoken = self._by_handle.pop(message.handle)
        spoken.done = True
        if message.reason != "completed":
            spoken.error = spoken.error or message.reason
        if not self._steady:
            self._leave_when_heard(now)

    def _on_cancelled(self, message: _Message, now: float) -> None:
        if message.context_id == wire.ALL_CONTEXTS:
            for each in self._barged or ():
                each.answered_at = each.answered_at or now
            self._barged = None
            self._speak(fresh=True)
            return
        self._by_context[message.context_id].answered_at = now
        self._cancelled.add(message.handle)

    def _after(self, count: int) -> None:
        """The newest text has begun to sound: the next one waits behind it."""
        if count == len(self.spoken) and self._barged is None and not self._left:
            self._speak(fresh=False)

    def _speak(self, fresh: bool) -> None:
        text = self._players.next_text()
        spoken = self._new_text(text, fresh)
        self._by_context[spoken.context] = spoken
        self._queue.append(spoken)
        rate = self._players.crowd.token_rate
        if not rate:
            self._send(wire.Text(text, spoken.context), wire.End(spoken.context))
        else:
            self._send_tokens([f"{word} " for word in text.split()], spoken, 0)

    def _send_tokens(self, tokens: list[str], spoken: Spoken, at: int) -> None:
        if self._left or spoken.cancelled_at is not None:
            return
        if at == len(tokens):
            self._send(wire.End(spoken.context))
            return
        self._send(wire.Text(tokens[at], spoken.context))
        due = spoken.sent + (at + 1) / self._players.crowd.token_rate
        self._loop.call_later(max(0.0, due - time.perf_counter()), self._send_tokens, tokens, spoken, at + 1)

    def _report(self) -> None:
        """Say what is being heard, as a good client does."""
        if self._left:
            return
        self._loop.call_later(self._players.crowd.report_s, self._report)
        played_s = self.player.played_s(time.perf_counter())
        self._drop_heard(played_s)
        if self._queue and self._queue[0].first is not None:
            spoken = self._queue[0]
            played_ms = min(spoken.audio_s, played_s - self._heard_s) * 1000
            self._send(wire.Playback(round(played_ms, 1), spoken.context))

    def _drop_heard(self, played_s: float) -> None:
        queue = self._queue
        while queue and queue[0].done and played_s >= self._heard_s + queue[0].audio_s:
            self._heard_s += queue.popleft().audio_s

    @property
    def can_barge_in(self) -> bool:
        """Whether it hears something that it can interrupt."""
        return self._steady and not self._left and self._barged is None and self.sounds

    def barge_in(self) -> None:
        """Silence, now; another text follows when the server has answered."""
        now = time.perf_counter()
        self._send(wire.Cancel(wire.ALL_CONTEXTS))
        self._drop_heard(self.player.played_s(now))
        self._barged = list(self._queue)
        for spoken in self._barged:
            spoken.cancelled_at = now
        self.player.stop(now)
        self._queue.clear()
        self._heard_s = self.player.received_s

    def _send(self, *messages: msgspec.Struct) -> None:
        self._write(b"".join(client_frame(wire.encode(message)) for message in messages))

    def _write(self, data: bytes) -> None:
        assert self._transport is not None, "a listener writes when it is connected"
        self._transport.write(data)

    def _say_goodbye(self) -> None:
        if self._transport is not None:
            self._transport.write(struct.pack("!BB4xH", _CLOSE, 0x80 | 2, 1000))
            self._transport.close()
