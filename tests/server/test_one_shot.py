"""The one-shot form on the wire: raw PCM, then a word that it is done."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from realtime.app import Server
from realtime.engines.tone import AMPLITUDE, CHARACTER_SAMPLES, pitch_hz
from tests.conftest import Serve
from tests.wire_client import WireClient, open_client


async def _answer(client: WireClient) -> tuple[bytes, dict[str, Any]]:
    """The sound up to the next event, and the event."""
    sound = b""
    async with asyncio.timeout(20):
        while isinstance(data := await client.connection.recv(), bytes):
            sound += data
    return sound, json.loads(data)


async def _say(client: WireClient, **fields: object) -> None:
    await client.connection.send(json.dumps(fields))


async def test_sound_without_headers_and_then_done(client: WireClient) -> None:
    await _say(client, input="Hello")
    sound, event = await _answer(client)
    assert event == {"event": "done"}
    samples = np.frombuffer(sound, "<i2") / 32767
    times = np.arange(5 * CHARACTER_SAMPLES) / 24_000
    expected = AMPLITUDE * np.cos(2 * np.pi * pitch_hz("Hello") * times)
    assert len(samples) == len(expected)
    assert np.abs(samples - expected)[200:-200].max() < 0.001  # edges are faded


async def test_inputs_queue_and_answers_keep_their_order(client: WireClient) -> None:
    await _say(client, input="One two three.")
    await _say(client, input="Four.", voice="nobody")
    await client.send("text", text="typed")
    await _say(client, input="")
    await client.connection.send("{")
    await client.connection.send(b"\\0")
    await _say(client, input="Five.", speed=9)
    await _say(client, input=5)
    await _say(client, input="x" * 20_000)
    await _say(client, input="Six.")
    answers = [await _answer(client) for _ in range(10)]
    assert [event["event"] for _, event in answers] == (
        ["done", "error", "error", "done", "error", "error", "error", "error", "error", "done"]
    )
    assert [bool(sound) for sound, _ in answers] == [True] + [False] * 8 + [True]
    details = [event["detail"] for _, event in answers if event["event"] == "error"]
    for detail, hint in zip(
        details, ("tone", "input", "JSON", "binary", "speed", "input", "16384"), strict=True
    ):
        assert hint in detail and "Traceback" not in detail


async def test_the_speed(client: WireClient) -> None:
    await _say(client, input="One two three four five six.")
    await _say(client, input="One two three four five six.", speed=2)
    (slow, _), (fast, _) = await _answer(client), await _answer(client)
    assert len(fast) / len(slow) == pytest.approx(0.5, abs=0.01)


async def test_a_flood_of_inputs_is_refused_beyond_the_limit(client: WireClient) -> None:
    for _ in range(60):
        await _say(client, input="One two three four. " * 15)
    events = [(await _answer(client))[1] for _ in range(60)]
    refused = [event for event in events if event["event"] == "error"]
    assert refused and all("16 inputs wait" in event["detail"] for event in refused)
    assert len(events) - len(refused) >= 17


async def test_an_input_after_typed_messages_is_not_this_form(client: WireClient) -> None:
    await client.pong()
    await _say(client, input="Hello")
    error = await client.until("error")
    assert error["code"] == "invalid_message" and "type" in error["message"]


async def test_idle_and_engine_failures(serve_tone: Serve, server: Server) -> None:
    async with serve_tone(idle_timeout_s=1.0) as impatient, open_client(impatient.url) as client:
        await _say(client, input="Hello")
        await _answer(client)
        with pytest.raises(ConnectionClosed) as closed:
            await client.connection.recv()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1000
    async with serve_tone(max_utterances=1) as full, open_client(full.url) as other:
        await other.send("text", text="Hold the only place.")
        await other.until("context.opened")
        async with open_client(full.url) as client:
            await _say(client, input="Hello")
            _, event = await _answer(client)
            assert event["event"] == "error" and "1 utterance is being spoken" in event["detail"]
            await other.send("cancel")
            await other.until("context.cancelled")
            await _say(client, input="Hello")
            assert (await _answer(client))[1] == {"event": "done"}
