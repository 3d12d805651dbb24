"""A peer that is gone is found by its silence; one that is only slow, or busy playing, is not."""

from __future__ import annotations

import asyncio
from math import inf

import pytest

from realtime.live.heartbeat import Heartbeat, Pulse
from realtime.live.socket import SocketSettings
from realtime.types import FrameFlags, Packet
from tests.live.talking import PCM, Stage, text

TEN_S = SocketSettings(heartbeat_s=10)


def present() -> float:
    return asyncio.get_running_loop().time()


# -- by itself ----------------------------------------------------------------------------------------------


def test_who_is_silent_is_asked_and_then_cut_off() -> None:
    heartbeat = Heartbeat(10, 100)
    assert heartbeat.due == 110
    assert heartbeat.check(109.9, 0) is Pulse.NOTHING
    assert heartbeat.check(110, 0) is Pulse.PING
    assert heartbeat.check(110, 0) is Pulse.NOTHING
    assert heartbeat.due == 120
    assert heartbeat.check(119.9, 0) is Pulse.NOTHING
    assert heartbeat.check(120, 0) is Pulse.CUT_OFF


def test_whatever_is_heard_is_life() -> None:
    heartbeat = Heartbeat(10, 100)
    heartbeat.heard(109)
    assert heartbeat.check(110, 0) is Pulse.NOTHING
    assert heartbeat.check(119, 0) is Pulse.PING
    heartbeat.heard(128)
    assert heartbeat.check(129, 0) is Pulse.NOTHING
    assert heartbeat.due == 138


def test_who_still_plays_has_so_much_more_time() -> None:
    heartbeat = Heartbeat(10, 100)
    assert heartbeat.check(110, 25) is Pulse.PING
    assert heartbeat.due == 145
    heartbeat = Heartbeat(10, 100)
    assert heartbeat.check(110, -3) is Pulse.PING
    assert heartbeat.due == 120
    heartbeat = Heartbeat(10, 100)
    assert heartbeat.check(110, inf) is Pulse.PING
    assert heartbeat.due == inf


def test_without_an_interval_nobody_is_asked() -> None:
    heartbeat = Heartbeat(0, 100)
    assert heartbeat.due == inf
    heartbeat.heard(200)
    assert heartbeat.check(1e9, 0) is Pulse.NOTHING


# -- on a socket --------------------------------------------------------------------------------------------


def test_a_client_that_answers_stays_until_it_is_idle() -> None:
    stage = Stage(TEN_S)

    async def client() -> None:
        begun = present()
        stage.wire.say({"type": "session.start"})
        await stage.wire.until_closed()
        assert present() - begun == pytest.approx(300, abs=1)

    stage.play(client)
    assert stage.wire.pings[0] == 1
    assert len(stage.wire.pings) == pytest.approx(30, abs=1)
    assert not stage.wire.aborted


def test_a_client_that_is_gone_is_cut_off_and_its_session_waits() -> None:
    stage = Stage(TEN_S, resume_window_s=7)

    async def client() -> None:
        begun = present()
        stage.wire.answers = False
        stage.wire.say({"type": "session.start"})
        await asyncio.sleep(19.9)
        assert not stage.wire.aborted and stage.driver.lost_at is None
        await asyncio.sleep(0.2)
        assert stage.wire.aborted and stage.driver.lost_at is not None
        await asyncio.wait(stage._tasks)
        assert present() - begun == pytest.approx(27, abs=0.2)

    stage.play(client)
    assert stage.wire.closed is None
    assert stage.wire.pings == [1, 1]  # behind session.ready, and when it was silent


def test_a_client_that_only_sends_is_alive() -> None:
    stage = Stage(TEN_S)

    async def client() -> None:
        stage.wire.answers = False
        for _ in range(20):
            stage.wire.say({"type": "ping"})
            await asyncio.sleep(9)
        assert not stage.wire.aborted
        stage.wire.hang_up()

    stage.play(client)


def test_a_listener_that_has_still_to_play_gets_to_the_ping_later() -> None:
    """One that reads as it plays: 30 s of sound lie before the ping."""
    stage = Stage(TEN_S)

    async def client() -> None:
        stage.wire.answers = False
        stage.wire.say(PCM | {"max_lead_ms": 0}, *text("a", "One"))
        await asyncio.sleep(1)
        stage.puppets[0].give(Packet(b"x", 0, 0, 48_000 * 30, FrameFlags.FIRST))
        stage.puppets[0].seq = 1500
        stage.puppets[0].finish()
        begun = present()
        await stage.wire.until_told("context.done")
        while not stage.wire.aborted:
            assert present() - begun < 60
            await asyncio.sleep(0.5)
        assert present() - begun == pytest.approx(39, abs=1.1)  # 10 s, 20 s to play, 10 s; a second before
        stage.wire.hang_up()

    stage.play(client)


def test_who_is_paused_is_not_cut_off_for_its_silence() -> None:
    stage = Stage(TEN_S, idle_s=1000)

    async def client() -> None:
        stage.wire.answers = False
        stage.wire.say(PCM, *text("a", "One"))
        await asyncio.sleep(1)
        stage.puppets[0].frames(100)
        stage.wire.say({"type": "pause", "context_id": "a"})
        await asyncio.sleep(500)
        assert not stage.wire.aborted
        stage.wire.say({"type": "continue", "context_id": "a"})
        await asyncio.sleep(31)
        assert stage.wire.aborted

    stage.play(client)
    assert [summary.reason for summary in stage.summaries] == ["disconnected"]


def test_a_busy_sender_is_asked_too() -> None:
    """There is a frame to send every now and then; that nothing comes back is seen all the same."""
    stage = Stage(TEN_S)

    async def client() -> None:
        stage.wire.answers = False
        stage.wire.say(PCM, *text("a", "One"))
        await asyncio.sleep(0.1)
        for number in range(120):
            if stage.wire.aborted:
                break
            stage.puppets[0].frames(10)
            await asyncio.sleep(0.2)
            assert number < 119
        assert stage.wire.pings == [1, 1]

    stage.play(client)


def test_a_half_open_connection_that_takes_nothing_is_cut_off_by_the_stall() -> None:
    stage = Stage(TEN_S)

    async def client() -> None:
        async def blocking(sent: list[object]) -> None:
            if len(sent) >= 4:
                await asyncio.Event().wait()

        stage.wire.answers = False
        stage.wire.after_send = blocking
        stage.wire.say(PCM, *text("a", "One"))
        await asyncio.sleep(1)
        stage.puppets[0].frames(10)
        await stage.wire.until_closed()

    stage.play(client)
    assert stage.wire.closed is not None and stage.wire.closed[0] == 4002
    assert [summary.reason for summary in stage.summaries] == ["disconnected"]
