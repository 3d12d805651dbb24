"""How fast a client's messages are read: bursts at once, a flood at its pace, and nothing lost of it."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.live.message_rate import BURST_S, MessageRate
from realtime.live.socket import SocketSettings
from tests.live.talking import Stage


def test_a_burst_of_two_seconds_is_read_at_once() -> None:
    pace = MessageRate(100)
    assert [pace.wait_s(50.0) for _ in range(200)] == [0.0] * 200
    pace.wait_s(50.0)  # too early by less than is worth a wait
    assert pace.wait_s(50.0) == pytest.approx(0.02)
    assert pace.wait_s(50.0) == pytest.approx(0.03)


def test_who_was_quiet_may_send_another_burst() -> None:
    pace = MessageRate(100)
    for _ in range(301):
        pace.wait_s(0.0)
    assert pace.wait_s(0.9) > 0
    assert [pace.wait_s(10.0) for _ in range(200)] == [0.0] * 200


def test_without_a_limit_nobody_waits() -> None:
    pace = MessageRate(0)
    assert [pace.wait_s(1.0) for _ in range(10_000)] == [0.0] * 10_000


@given(st.integers(1, 5000), st.lists(st.floats(0, 0.5), max_size=300))
def test_who_waits_as_told_is_never_read_faster_than_the_pace(per_s: int, pauses: list[float]) -> None:
    pace, now, read = MessageRate(per_s), 0.0, 0
    for pause in pauses:
        now += pause / per_s
        read += 1
        now += pace.wait_s(now)
        assert read <= (now + BURST_S + 0.011) * per_s + 1


def test_a_flood_is_read_at_its_pace_answered_in_full_and_told_once_a_second() -> None:
    stage = Stage(SocketSettings(heartbeat_s=0, messages_per_s=100))

    async def client() -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        stage.wire.say(*({"type": "ping", "t": number} for number in range(1000)))
        await stage.wire.until(lambda: len(stage.wire.told("pong")) == 1000)
        assert loop.time() - begun == pytest.approx(8, abs=0.1)  # 2 s worth at once, the rest at the pace
        await asyncio.sleep(10)
        stage.wire.say(*({"type": "ping", "t": number} for number in range(200)), {"type": "session.close"})
        await stage.wire.until_closed()

    stage.play(client)
    assert [pong["t"] for pong in stage.wire.told("pong")] == [*range(1000), *range(200)]
    errors = stage.wire.told("error")
    assert {error["code"] for error in errors} == {"rate_limited"}
    assert 8 <= len(errors) <= 9
    for error in errors:
        assert "100 messages a second" in error["message"]
        assert (error["fatal"], error["retry_after_ms"] > 0) == (False, True)


def test_a_flood_of_what_is_no_message_is_slowed_down_too() -> None:
    stage = Stage(SocketSettings(heartbeat_s=0, messages_per_s=100))

    async def client() -> None:
        begun = asyncio.get_running_loop().time()
        for _ in range(300):
            stage.wire.incoming.put_nowait(b"\x01")
        stage.wire.say({"type": "session.close"})
        await stage.wire.until_closed()
        assert asyncio.get_running_loop().time() - begun >= 0.99

    stage.play(client)
    assert [error["code"] for error in stage.wire.told("error")].count("invalid_message") == 300


def test_while_its_messages_wait_its_sound_goes_on() -> None:
    stage = Stage(SocketSettings(heartbeat_s=0, messages_per_s=10))

    async def client() -> None:
        stage.wire.say({"type": "text", "text": "x"})
        await asyncio.sleep(0.1)
        stage.wire.say(*({"type": "ping"} for _ in range(60)))
        await asyncio.sleep(1)
        assert len(stage.wire.told("pong")) < 40
        stage.puppets[0].frames(50)
        await asyncio.sleep(0.01)
        assert len(stage.wire.frames()) == 50
        stage.wire.hang_up()

    stage.play(client)


def test_the_one_shot_form_is_read_at_the_pace_and_told_nothing() -> None:
    stage = Stage(SocketSettings(heartbeat_s=0, messages_per_s=10))

    async def client() -> None:
        begun = asyncio.get_running_loop().time()
        stage.wire.incoming.put_nowait(json.dumps({"input": "One."}))
        for _ in range(50):
            stage.wire.incoming.put_nowait("rubbish")
        stage.wire.hang_up()
        await asyncio.wait(stage._tasks)
        assert asyncio.get_running_loop().time() - begun >= 3

    stage.play(client)
    assert {message["event"] for message in stage.wire.messages()} == {"error"}
