"""protocol.md says what the code does: credit, lost connections, and what the server does under load."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from realtime.app import Server
from realtime.config import Config
from realtime.errors import CloseCode
from realtime.live.message_rate import BURST_S
from realtime.live.socket import STALL_S
from realtime.server.connection import TCP_PROBES, TCP_USER_TIMEOUT_MS
from realtime.session import actions, frames
from realtime.session import messages as wire
from realtime.session.offer import Limits
from realtime.session.replay import KEEP_S, MOST_BYTES, MOST_MS, is_kept
from realtime.session.tokens import MOST_TOKENS
from realtime.speech.pace import NEWCOMER_S
from realtime.types import FrameFlags, Packet, SpeechEvent
from tests import protocol_document as doc
from tests.conftest import Serve
from tests.wire_client import WireClient, eventually, open_client

LOST = doc.section("Worked example: a lost connection")
REPLAYED = FrameFlags.REPLAYED


# -- credit -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", doc.table(doc.section("Credit"), "`max_lead_ms`"))
def test_credit(row: dict[str, str]) -> None:
    """At which lead frames stop, and at which they go on, by the clock."""
    session = doc.new_session()
    session.receive(json.dumps({"type": "session.start", "max_lead_ms": int(row["`max_lead_ms`"])}), 0.0)
    session.receive('{"type": "text", "text": "One."}', 0.0)
    count = 0
    while session.credit_ms(0.0) > 0 and count < 1000:
        session.on_event(1, Packet(b"x", count, count * 960, 960, FrameFlags.NONE), 0.0)
        count += 1
    if row["frames stop at a lead of"] == "never":
        assert count == 1000
        return
    stops_at, goes_on_at = (int(row[name].removesuffix(" ms")) for name in list(row)[1:])
    assert count * 20 == stops_at
    (paused,) = doc.told(session.hold(1, 0.0))
    assert paused == {"type": "flow", "context_id": "default", "handle": 1, "state": "paused"}
    back = session.next_deadline()
    assert back == pytest.approx((stops_at - goes_on_at) / 1000)
    (resumed,) = doc.told(session.on_deadline(back))
    assert resumed == paused | {"state": "resumed"}
    assert session.credit_ms(back) == pytest.approx(stops_at - goes_on_at)


@pytest.fixture
async def server(serve_tone: Serve) -> AsyncIterator[Server]:
    """One that waits for clients which are gone, as by default."""
    async with serve_tone(resume_window_s=Config().resume_window_s) as listening:
        yield listening


# -- a lost connection --------------------------------------------------------------------------------------


class _Recorder(doc.Replay):
    """Plays the example as a driver would: what goes out is kept, and perhaps sent again."""

    def __init__(self, payload: bytes) -> None:
        super().__init__(LOST)
        done = next(line for _, line in self.lines if line["type"] == "context.done")
        self.all = [replace(packet, payload=payload) for packet in self.packets(done)]

    def make(self, event: SpeechEvent, now: float) -> bytes | None:
        """A speaker's event: a message is an answer, a frame is returned."""
        frame = None
        for action in self.session.on_event(1, event, now):
            if isinstance(action, actions.SendFrame):
                frame = frames.encode_frame(action.kind, action.handle, action.packet)
                self.session.keep(frame, now)
            elif isinstance(action, actions.Send):
                if is_kept(action.message):
                    self.session.keep(wire.encode(action.message), now)
                self.answers += doc.told([action])
        return frame

    def resume(self, message: dict[str, Any], now: float) -> list[frames.Frame | dict[str, Any]]:
        """The socket is lost, and another one asks for the session; what is sent again."""
        assert self.session.lost(now)
        start = wire.decode_client(json.dumps(message))
        assert isinstance(start, wire.SessionStart) and isinstance(start.resume, wire.ResumeRequest)
        self.answers += doc.told(self.session.resume(start.resume, now))
        again: list[frames.Frame | dict[str, Any]] = []
        while (piece := self.session.next_again()) is not None:
            again.append(frames.decode_frame(piece) if isinstance(piece, bytes) else json.loads(piece))
        return again


def _numbers(pattern: str) -> list[int]:
    found = re.search(pattern, LOST)
    assert found is not None, pattern
    return [int(number) for number in found.groups()]


def test_worked_example_of_a_lost_connection() -> None:
    """Its messages, given to a session, lead to its answers, and its frames are what is sent again."""
    shown, shown_again = (bytes.fromhex(block) for block in doc.blocks("hex frame", LOST))
    recorder = _Recorder(frames.decode_frame(shown).packet.payload)
    (last_sent,) = _numbers(r"Frames 0 to (\d+), up to 1093\.5 ms, are sent")
    (received,) = _numbers(r"received frames 0 to (\d+)\.")
    first_new, last_new = _numbers(r"Frames (\d+) to (\d+), up to 2550\.75 ms, are new")
    assert _numbers(r"Frames (\d+) to (\d+) come again") == [received + 1, last_sent]
    assert (first_new, last_new) == (last_sent + 1, len(recorder.all) - 1)
    ends = [(packet.position + packet.duration) / 48 for packet in recorder.all]
    assert (ends[last_sent], ends[last_new]) == (1093.5, 2550.75)

    sent: dict[int, bytes] = {}
    again: list[frames.Frame | dict[str, Any]] = []
    for info, line in recorder.lines:
        if info == "json client" and "resume" in line:
            assert line["resume"]["last"] == {"1": received}
            again = recorder.resume(line, 0.5)
        elif info == "json client":
            recorder.send(line, 0.0)
            continue
        elif line["type"] == "segment":
            recorder.make(doc.segment_started(line), 0.5)
            assert recorder.answers.pop(0) == line
            first = 0 if line["index"] == 0 else first_new
            for packet in recorder.all[first : last_sent + 1 if line["index"] == 0 else None]:
                frame = recorder.make(packet, 0.043)
                assert frame is not None
                sent[packet.seq] = frame
        elif line["type"] == "context.done":
            recorder.make(doc.finished(line), line["timing"]["total_ms"] / 1000)
            assert recorder.answers.pop(0) == line
        else:
            assert recorder.answers.pop(0) == line
    assert not recorder.answers

    assert sent[received + 1] == shown
    resent = [piece for piece in again if isinstance(piece, frames.Frame)]
    assert len(resent) == len(again) and [frame.packet.seq for frame in resent] == list(
        range(received + 1, last_sent + 1)
    )
    for piece in resent:
        assert piece.packet.flags & REPLAYED
        assert _encoded(piece) == frames.replayed(sent[piece.packet.seq])
    assert _encoded(resent[0]) == shown_again
    different = [i for i, (a, b) in enumerate(zip(shown, shown_again, strict=True)) if a != b]
    assert different == [3] and shown_again[3] - shown[3] == 8


def _encoded(frame: frames.Frame) -> bytes:
    return frames.encode_frame(frame.kind, frame.handle, frame.packet)


async def test_lost_connection_on_a_server(server: Server) -> None:
    """The client of the example, with another voice: what it sends, and what it is told."""
    client_lines = [json.loads(line) for line in doc.lines("json client", LOST)]
    before, (resuming, *after) = client_lines[:2], client_lines[2:]
    told = [json.loads(line) for line in doc.lines("json server", LOST)]
    (received,) = _numbers(r"received frames 0 to (\d+)\.")

    async with open_client(server.url) as first:
        await _send(first, before)
        ready = await first.until("session.ready")
        while len(first.frames()) < received + 10:
            await first.until_frame()
        first.connection.transport.abort()
    resume = resuming["resume"] | {"session_id": ready["session_id"], "token": ready["resume_token"]}
    async with open_client(server.url) as second:
        await _send(second, [resuming | {"resume": resume}])
        ready = await second.until("session.ready")
        (context,) = ready["contexts"]
        last_sent = context["last_seq"]
        assert ready["resumed"] is True
        assert context | {"last_seq": 54} == told[3]["contexts"][0]
        await _send(second, after)
        done = await second.until("context.done")

    was_sent = {frame.packet.seq: _encoded(frame) for frame in first.frames()}
    frames_again = second.frames()
    assert [frame.packet.seq for frame in frames_again] == list(range(received + 1, done["last_seq"] + 1))
    for frame in frames_again:
        assert bool(frame.packet.flags & REPLAYED) is (frame.packet.seq <= last_sent)
        if frame.packet.seq in was_sent:
            assert _encoded(frame) == frames.replayed(was_sent[frame.packet.seq])
    segments = {line["index"]: line for line in told if line["type"] == "segment"}
    heard = {line["index"]: line for line in first.messages("segment") + second.messages("segment")}
    for index, segment in segments.items():
        assert (heard[index]["text"], heard[index]["source"]) == (segment["text"], segment["source"])
    assert heard.keys() == segments.keys()


async def _send(client: WireClient, messages: list[dict[str, Any]]) -> None:
    for message in messages:
        await client.connection.send(json.dumps(message))


def _resume(ready: dict[str, Any]) -> dict[str, Any]:
    return {"session_id": ready["session_id"], "token": ready["resume_token"], "last": {}}


async def _abort(client: WireClient, url: str) -> None:
    client.connection.transport.abort()


async def _close_with_another_code(client: WireClient, url: str) -> None:
    await client.connection.close(CloseCode.GOING_AWAY)


async def _close(client: WireClient, url: str) -> None:
    await client.connection.close()


async def _close_without_a_code(client: WireClient, url: str) -> None:
    client.connection.protocol.send_close()
    client.connection.send_data()
    await client.connection.wait_closed()


async def _be_closed(client: WireClient, url: str) -> None:
    await client.send("session.close", drain=False)
    await client.connection.wait_closed()


async def _be_closed_in_vain(client: WireClient, url: str) -> None:
    client.connection.transport.pause_reading()
    await client.send("session.close", drain=False)
    await asyncio.sleep(0.2)  # by then the close frame has been sent
    client.connection.transport.abort()


async def _send_too_much(client: WireClient, url: str) -> None:
    await client.connection.send("x" * (Limits().message_bytes + 1))
    await client.connection.wait_closed()
    assert client.connection.close_code == 1009


async def _be_taken_over(client: WireClient, url: str) -> None:
    (ready,) = client.messages("session.ready")
    async with open_client(url) as other:
        await other.send("session.start", resume=_resume(ready))
        client.received.append(await other.until("session.ready"))
        await client.connection.wait_closed()
        other.connection.transport.abort()
    assert client.connection.close_code == CloseCode.TAKEN_OVER


ENDINGS: dict[str, Callable[[WireClient, str], Awaitable[None]]] = {
    "without a close frame": _abort,
    "the client closed it with another code than 1000": _close_with_another_code,
    "the client closed it with 1000, or without a code": _close,
    "the server closed it with 1000 after `session.close`, and": _be_closed_in_vain,
    "the server closed it otherwise with 1000": _be_closed,
    "the server closed it with 1007 or 1009": _send_too_much,
    "the server closed it with 4001": _be_taken_over,
}
HOW_IT_ENDED = doc.table(
    doc.section("What is lost, and what is done"),
    "how the connection ended",
)


@pytest.mark.parametrize(
    ("how", "end", "expected"),
    [
        *(
            (start, end, row["the session"])
            for row in HOW_IT_ENDED
            for start, end in ENDINGS.items()
            if row["how the connection ended"].startswith(start)
        ),
        ("without a code", _close_without_a_code, "is over"),
    ],
)
async def test_how_a_connection_ended(
    server: Server, how: str, end: Callable[[WireClient, str], Awaitable[None]], expected: str
) -> None:
    """Which sessions can be resumed after that."""
    async with open_client(server.url) as client:
        await client.send("text", text="One. ")
        await client.until("session.ready")
        await end(client, server.url)
    is_over = expected == "is over"
    if is_over:
        await eventually(lambda: server.registry.count == 0)
    async with open_client(server.url) as again:
        await again.send("session.start", resume=_resume(client.messages("session.ready")[-1]))
        ready = await again.until("session.ready")
    assert ("resumed" not in ready) is is_over, how
    failed = [message for message in again.messages("error") if message["code"] == "resume_failed"]
    assert bool(failed) is is_over


def test_every_way_is_tried() -> None:
    shown = [row["how the connection ended"] for row in HOW_IT_ENDED]
    assert len(shown) == len(ENDINGS)
    assert all(any(each.startswith(start) for each in shown) for start in ENDINGS)


async def test_what_cannot_be_resumed_is_left_as_it_was(server: Server) -> None:
    """A wrong token and a frame that was never sent lead to a fresh session; the right ones still count."""
    async with open_client(server.url) as client:
        await client.send("text", text="One. ")
        ready = await client.until("session.ready")
        await client.until("context.opened")
        client.connection.transport.abort()
    right = _resume(ready)
    for resume in (right | {"token": "wrong"}, right | {"last": {"1": 10_000}}, right | {"last": {"7": 0}}):
        async with open_client(server.url) as stranger:
            await stranger.send("session.start", resume=resume, formats=["mulaw"])
            error, fresh = await stranger.receive(), await stranger.receive()
        assert isinstance(error, dict) and isinstance(fresh, dict)
        assert (error["code"], error["fatal"], "context_id" in error) == ("resume_failed", False, False)
        assert (fresh["type"], fresh["format"], "resumed" in fresh) == ("session.ready", "mulaw", False)
        assert fresh["session_id"] != ready["session_id"]
    async with open_client(server.url) as confused:
        await confused.send("session.start", resume=right | {"last": {"one": 1}})
        error = await confused.receive()
        assert isinstance(error, dict) and error["code"] == "invalid_message"
        await confused.send("session.start", resume=right, formats=["mulaw"])
        again = await confused.until("session.ready")
    assert (again["resumed"], again["format"]) == (True, "opus")


async def test_a_resume_that_fails_with_wishes_that_are_refused_begins_no_session(server: Server) -> None:
    gone = {"session_id": "gone", "token": "gone", "last": {}}
    async with open_client(server.url) as client:
        await client.send("session.start", resume=gone, voice="nobody")
        errors = [await client.receive(), await client.receive()]
        assert [each["code"] for each in errors if isinstance(each, dict)] == [
            "resume_failed",
            "unknown_voice",
        ]
        await client.send("session.start", formats=["mulaw"])
        assert (await client.until("session.ready"))["format"] == "mulaw"


async def test_a_takeover_needs_a_place_of_its_own(serve_tone: Serve) -> None:
    async with serve_tone(max_sessions=1, resume_window_s=30.0) as server:
        async with open_client(server.url) as first:
            await first.send("session.start")
            resume = _resume(await first.until("session.ready"))
            async with open_client(server.url) as second:
                error = await second.until("error")
                assert (error["code"], error["fatal"]) == ("queue_full", True)
            first.connection.transport.abort()
        await eventually(lambda: server.registry.detached == 1)
        async with open_client(server.url) as third:
            await third.send("session.start", resume=resume)
            assert (await third.until("session.ready"))["resumed"] is True


# -- numbers ------------------------------------------------------------------------------------------------


def test_numbers() -> None:
    """What is said of settings and limits is what they are by default."""
    config = Config()
    for heading, said in {
        "Heartbeat": [
            f"sent nothing for {config.heartbeat_s:g} s (a setting",
            f"has no room for it, for {TCP_USER_TIMEOUT_MS / 1000:g} s",
        ],
        "Resume": [f"({config.resume_window_s:g} s, `resume_window_s`"],
        "The messages": [f"At most {MOST_TOKENS} are valid"],
        "What is kept": [
            f"otherwise for {KEEP_S:g} s",
            f"{MOST_MS / 1000:g} s of sound and {MOST_BYTES // 2**20} MiB",
        ],
        "Under load": [
            f"sessions: {config.max_sessions} sockets",
            f"over all sessions: {config.max_utterances} (a setting)",
            f"first sound, over all sessions: {config.max_queue_depth} (a setting)",
            f"longer than {config.max_wait_ms / 1000:g} s (a setting)",
            f"{config.max_messages_per_s} a second (a setting), and"
            f" {config.max_messages_per_s * BURST_S:g} at once",
            f"takes nothing for {STALL_S:g} s",
            f"no progress for {config.engine_timeout_s:g} s, a setting",
        ],
        "Shutdown": [f"for a time ({config.drain_s:g} s, a setting)"],
        "`session.start`": [f"the server's, usually {config.max_lead_ms} "],
    }.items():
        text = " ".join(doc.section(heading).split())
        for each in said:
            assert each in text, (heading, each)
    assert NEWCOMER_S == 0.15, "first sounds go before all who have sound for 0.15 s"
    silent, every, times = (TCP_PROBES[name] for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"))
    assert silent + every * times <= 60, "who is gone is found within a minute"
