"""Sockets that are lost, and sessions that are taken up again: at any point and from any side."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from realtime.errors import CloseCode, ErrorCode
from realtime.live.summaries import ContextSummary, LateCancel
from realtime.live.transport import TransportClosedError
from realtime.session.frames import decode_frame
from realtime.session.messages import ResumeRequest
from realtime.session.offer import Limits
from realtime.types import Failed, FrameFlags, Packet
from tests.live.talking import LONG, OFFER, PCM, House, Stage, Wire, house, text


def present() -> float:
    return asyncio.get_running_loop().time()


def received(*wires: Wire) -> list[tuple[int, int]]:
    """Handle and seq of the frames on all these sockets; what came twice counts once."""
    frames = [decode_frame(piece) for wire in wires for piece in wire.sent if isinstance(piece, bytes)]
    return list(dict.fromkeys((frame.handle, frame.packet.seq) for frame in frames))


def last_of(*wires: Wire) -> dict[str, int]:
    """What their client has received."""
    return {str(handle): seq for handle, seq in sorted(received(*wires))}


def replayed(wire: Wire) -> list[int]:
    return [frame.seq for frame in wire.frames() if FrameFlags.REPLAYED in frame.flags]


async def settled() -> None:
    """All that can be done without waiting is done."""
    await asyncio.sleep(0.01)


async def begin(stage: Stage, **start: Any) -> str:
    """A session with an open context `a`; its token."""
    stage.wire.say(PCM | start, *text("a", "One", end=False))
    ready = await stage.wire.until_told("session.ready")
    await settled()
    return str(ready["resume_token"])


async def blocked_while_sent_again(stage: Stage, frames: int, pieces: int) -> tuple[Wire, asyncio.Event]:
    """A context `a` of so many frames was lost, and is being sent again on a new socket.

    That takes so many pieces, and then no more until the event is set.
    """
    token = await begin(stage)
    stage.puppets[0].frames(frames)
    await settled()
    stage.wire.hang_up(None)
    await settled()
    wire, _ = stage.resume(token, {})
    gate = asyncio.Event()

    async def block(sent: list[Any]) -> None:
        if len(sent) == pieces:
            await gate.wait()

    wire.after_send = block
    await settled()
    return wire, gate


# -- lost and resumed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [None, 1001, 1002, 1006, 1011, 3000, 4000])
def test_a_socket_that_is_lost_leaves_the_session_to_be_resumed(code: int | None) -> None:
    stage = Stage()

    async def client() -> None:
        token = await begin(stage)
        stage.puppets[0].frames(3)
        await settled()
        stage.wire.hang_up(code)
        await settled()
        assert stage.driver.lost_at is not None and stage.summaries == []
        stage.puppets[0].frames(3)
        await asyncio.sleep(5)
        assert len(stage.wire.frames()) == 3
        wire, _ = stage.resume(token, {"1": 1})
        ready = await wire.until_told("session.ready")
        assert (ready["session_id"], ready["resumed"]) == ("sid", True)
        assert ready["contexts"] == [
            {"context_id": "a", "handle": 1, "state": "open", "text_received": 3, "last_seq": 2}
        ]
        assert ready["resume_token"] != token
        assert stage.puppets[0].losses == 1, "what it waits for may be sent again"
        await wire.until(lambda: len(wire.frames()) == 4)
        assert [frame.seq for frame in wire.frames()] == [2, 3, 4, 5]
        assert replayed(wire) == [2]
        assert stage.driver.lost_at is None
        wire.say({"type": "end", "context_id": "a"})
        await settled()
        stage.puppets[0].finish()
        assert (await wire.until_told("context.done"))["last_seq"] == 5
        wire.say({"type": "session.close"})
        await wire.until_closed()
        assert wire.closed == (CloseCode.DONE, "done")

    stage.play(client)
    assert [summary.reason for summary in stage.summaries] == ["completed"]
    assert stage.wire.closed is None


@pytest.mark.parametrize("code", [1000, 1005])
def test_a_client_that_closes_is_done_and_so_is_its_session(code: int) -> None:
    stage = Stage()

    async def client() -> None:
        token = await begin(stage)
        stage.wire.hang_up(code)
        await settled()
        assert [summary.reason for summary in stage.summaries] == ["disconnected"]
        wire, _ = stage.resume(token)
        error = await wire.until_told("error")
        assert (error["code"], error["fatal"]) == ("resume_failed", False)
        assert (await wire.until_told("session.ready"))["session_id"] == "new-1"
        wire.hang_up()

    stage.play(client)


def test_when_the_window_ends_the_session_is_over_and_its_speakers_are_stopped() -> None:
    stage = Stage(resume_window_s=12)

    async def client() -> None:
        token = await begin(stage)
        stage.wire.hang_up(None)
        await settled()
        await asyncio.sleep(11.9)
        assert stage.summaries == [] and not stage.puppets[0].over
        await asyncio.sleep(0.2)
        assert [summary.reason for summary in stage.summaries] == ["disconnected"]
        assert stage.puppets[0].over
        wire, _ = stage.resume(token)
        assert (await wire.until_told("error"))["code"] == "resume_failed"
        wire.hang_up()

    stage.play(client)


def test_before_its_first_message_a_session_is_not_waited_for() -> None:
    stage = Stage()

    async def client() -> None:
        stage.wire.hang_up(None)
        await asyncio.wait(stage._tasks)
        assert present() == pytest.approx(1000, abs=2)

    stage.play(client)


def test_4002_ends_the_session() -> None:
    stage = Stage()

    async def client() -> None:
        token = await begin(stage)

        async def blocking(_: object) -> None:
            await asyncio.Event().wait()

        stage.wire.after_send = blocking
        stage.puppets[0].frames(3)
        await stage.wire.until_closed()
        wire, _ = stage.resume(token)
        assert (await wire.until_told("error"))["code"] == "resume_failed"
        wire.hang_up()

    stage.play(client)
    assert stage.wire.closed is not None and stage.wire.closed[0] == CloseCode.LISTENER_STALLED
    assert [summary.reason for summary in stage.summaries] == ["disconnected"]


def test_while_lost_speakers_get_no_more_room_than_their_listener_has() -> None:
    """Nothing is fetched; credit comes back as the listener plays what it has."""
    stage = Stage()

    async def client() -> None:
        token = await begin(stage, max_lead_ms=1000)
        puppet = stage.puppets[0]
        puppet.frames(60)
        await settled()
        assert len(stage.wire.frames()) == 50
        assert stage.wire.told("flow")[0]["state"] == "paused"
        stage.wire.hang_up(None)
        await settled()
        assert puppet.credits == 0
        await asyncio.sleep(0.5)
        assert puppet.credits == 1
        await asyncio.sleep(10)
        assert (puppet.credits, len(puppet.events)) == (1, 10)
        wire, _ = stage.resume(token, {"1": 49})
        await wire.until(lambda: len(wire.frames()) == 10)
        assert [message["state"] for message in wire.told("flow")] == ["paused", "resumed"]
        wire.hang_up()

    stage.play(client)


def test_what_is_said_while_it_is_lost_is_said_then() -> None:
    stage = Stage()

    async def client() -> None:
        token = await begin(stage)
        stage.wire.say(*text("b", "Two", end=False))
        await settled()
        stage.wire.hang_up(None)
        await settled()
        failed = Failed(ErrorCode.ENGINE_FAILED, "broken")
        stage.puppets[1].failure = failed
        stage.puppets[1].give(failed)
        await asyncio.sleep(1)
        wire, _ = stage.resume(token, {})
        error = await wire.until_told("error")
        assert (error["code"], error["context_id"]) == ("engine_failed", "b")
        ready = wire.told("session.ready")[0]
        assert [report["state"] for report in ready["contexts"]] == ["open", "failed"]
        wire.hang_up()

    stage.play(client)


def test_an_answer_that_was_on_its_way_is_given_again() -> None:
    """The client's `cancel` came; its answer did not get through."""
    stage = Stage()

    async def client() -> None:
        token = await begin(stage)
        stage.puppets[0].frames(5)
        await settled()

        async def lost(_: object) -> None:
            raise TransportClosedError

        stage.wire.after_send = lost
        stage.wire.say({"type": "cancel", "context_id": "a"})
        await asyncio.sleep(2)
        wire, _ = stage.resume(token, last_of(stage.wire))
        answer = await wire.until_told("context.cancelled")
        assert (answer["handle"], answer["last_seq"]) == (1, 4)
        assert wire.frames() == []
        wire.hang_up()

    stage.play(client)


@pytest.mark.parametrize("cut", range(12))
def test_a_cut_at_any_piece_loses_nothing(cut: int) -> None:
    """The writer loses the connection with this piece; the client has all before it, or a few less."""
    for behind in (0, 1, 3):
        stage = Stage()

        async def client(stage: Stage = stage, behind: int = behind) -> None:
            async def cutting(sent: list[Any]) -> None:
                if len(sent) > cut:
                    raise TransportClosedError

            stage.wire.after_send = cutting
            stage.wire.say(PCM, *text("a", "One"), *text("b", "Two"))
            await asyncio.sleep(0.5)
            if not stage.wire.told("session.ready")[0:1] or len(stage.puppets) < 2:
                return  # it was lost before the session had begun
            stage.puppets[0].frames(4)
            stage.puppets[0].finish()
            stage.puppets[1].frames(4)
            stage.puppets[1].finish()
            await asyncio.sleep(3)
            del stage.wire.sent[max(1, len(stage.wire.sent) - behind) :]
            token = stage.wire.told("session.ready")[0]["resume_token"]
            wire, _ = stage.resume(token, last_of(stage.wire))
            await wire.until(
                lambda: (
                    any(done["handle"] == 2 for done in [*wire.told("context.done")])
                    or bool(stage.wire.told("context.done")[1:])
                )
            )
            assert received(stage.wire, wire) == [(1, 0), (1, 1), (1, 2), (1, 3)] + [
                (2, seq) for seq in range(4)
            ]
            assert len(wire.frames()) + len(stage.wire.frames()) == 8
            ended = [done["handle"] for each in (stage.wire, wire) for done in each.told("context.done")]
            assert set(ended) == {1, 2}
            wire.hang_up()

        stage.play(client)


def test_lost_again_and_again() -> None:
    """Each socket gets three pieces through; in the end all has come."""
    stage = Stage()

    async def client() -> None:
        await begin(stage)
        wires = [stage.wire]
        stage.puppets[0].frames(20)
        stage.wire.say({"type": "end", "context_id": "a"})
        stage.puppets[0].finish()
        await settled()
        del stage.wire.sent[4:]
        stage.wire.hang_up(None)
        while not wires[-1].told("context.done"):
            assert len(wires) < 40
            await settled()
            newest = [ready for each in wires for ready in each.told("session.ready")][-1]
            wire, _ = stage.resume(newest["resume_token"], last_of(*wires))

            async def cutting(sent: list[Any]) -> None:
                if len(sent) == 4:
                    raise TransportClosedError

            wire.after_send = cutting
            wires.append(wire)
            await asyncio.sleep(2)
        assert received(*wires) == [(1, seq) for seq in range(20)]
        assert sum(len(wire.frames()) for wire in wires) == 20
        wires[-1].hang_up()

    stage.play(client)


def test_the_last_of_what_was_closed_is_fetched_by_a_new_socket() -> None:
    stage = Stage()

    async def client() -> None:
        token = await begin(stage)
        gate = asyncio.Event()

        async def blocking(sent: list[Any]) -> None:
            if isinstance(sent[-1], bytes):
                await gate.wait()
                raise TransportClosedError

        stage.wire.after_send = blocking
        stage.puppets[0].frames(4)
        stage.wire.say({"type": "session.close"})
        stage.puppets[0].finish()
        await settled()
        gate.set()
        await asyncio.sleep(2)
        wire, _ = stage.resume(token, {})
        await wire.until_closed()
        assert wire.closed == (CloseCode.DONE, "done")
        assert [frame.seq for frame in wire.frames()] == [0, 1, 2, 3]
        assert wire.told("context.done")[0]["last_seq"] == 3

    stage.play(client)
    assert [summary.reason for summary in stage.summaries] == ["completed"]


def test_who_has_not_answered_the_close_may_fetch_the_last_of_it() -> None:
    """All was written, and the connection broke before the client had read it."""
    stage = Stage()

    async def client() -> None:
        token = await begin(stage)
        stage.wire.answers = False
        stage.puppets[0].frames(4)
        stage.wire.say({"type": "session.close"})
        stage.puppets[0].finish()
        await stage.wire.until_closed()
        await settled()
        wire, _ = stage.resume(token, {"1": 1})
        await wire.until_closed()
        assert wire.closed == (CloseCode.DONE, "done")
        assert [frame.seq for frame in wire.frames()] == [2, 3]
        assert wire.told("context.done")[0]["last_seq"] == 3

    stage.play(client)
    assert [summary.reason for summary in stage.summaries] == ["completed"]


def test_who_does_not_answer_an_idle_close_is_not_waited_for() -> None:
    stage = Stage(idle_s=5)

    async def client() -> None:
        stage.wire.say(PCM)
        await stage.wire.until_told("session.ready")
        stage.wire.answers = False
        begun = present()
        await asyncio.wait(stage._tasks)
        assert 5 <= present() - begun < 6

    stage.play(client)


def test_what_tells_of_the_sound_does_not_overtake_it_while_it_is_sent_again() -> None:
    """The context fails by a text that is too long, while its sound is sent again."""
    stage = Stage()

    async def client() -> None:
        wire, gate = await blocked_while_sent_again(stage, 10, 4)
        wire.say({"type": "text", "context_id": "a", "text": "x" * 20_000})
        await settled()
        gate.set()
        done = await wire.until_told("context.done")
        assert (done["reason"], done["last_seq"]) == ("failed", 9)
        kinds = [kind for kind, _ in wire.trace()]
        assert kinds[-2:] == ["frame", "context.done"]
        assert len(wire.frames()) == 10
        wire.hang_up()

    stage.play(client)


def test_a_cancel_while_it_is_sent_again_is_a_barrier() -> None:
    stage = Stage()

    async def client() -> None:
        wire, gate = await blocked_while_sent_again(stage, 30, 8)
        wire.say({"type": "cancel", "context_id": "a"}, *text("b", "Two"))
        await settled()
        gate.set()
        await wire.until_told("context.cancelled")
        stage.puppets[1].frames(2)
        await settled()
        assert len(wire.frames(1)) == 6
        assert len(wire.frames(2)) == 2
        assert wire.trace()[-4:] == [
            ("frame", 1),
            ("context.cancelled", 1),
            ("context.opened", 2),
            ("frame", 2),
        ]
        wire.hang_up()

    stage.play(client)


def test_a_pause_while_it_is_sent_again_holds_it_until_it_goes_on() -> None:
    stage = Stage()

    async def client() -> None:
        wire, gate = await blocked_while_sent_again(stage, 30, 8)
        wire.say({"type": "pause", "context_id": "a"}, {"type": "ping", "t": 1}, *text("b", "Two"))
        await settled()
        gate.set()
        await wire.until_told("pong")
        stage.puppets[0].frames(5)
        stage.puppets[1].frames(2)
        await settled()
        assert len(wire.frames()) == 6
        assert [kind for kind, _ in wire.trace()][-3:] == ["frame", "pong", "context.opened"]
        wire.say({"type": "continue", "context_id": "a"})
        await settled()
        assert [packet.seq for packet in wire.frames(1)] == list(range(35))
        assert replayed(wire) == list(range(30))
        assert not wire.frames(2)
        wire.hang_up()

    stage.play(client)


# -- taken over ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stalled", [False, True])
def test_a_new_socket_takes_the_session_over_and_the_old_one_is_closed(stalled: bool) -> None:
    stage = Stage()

    async def client() -> None:
        token = await begin(stage)
        stage.puppets[0].frames(5)
        await settled()

        async def blocking(_: object) -> None:
            await asyncio.Event().wait()

        if stalled:
            stage.wire.after_send = blocking
        stage.puppets[0].frames(5)
        await settled()
        wire, _ = stage.resume(token, {"1": 2})
        await wire.until(lambda: len(wire.frames()) == 7)
        await stage.wire.until_closed()
        assert stage.wire.closed is not None and stage.wire.closed[0] == CloseCode.TAKEN_OVER == 4001
        assert stage.wire.told("session.ready")[1:] == []
        stage.wire.say({"type": "cancel", "context_id": "a"})  # it is not heard any more
        stage.puppets[0].frames(1)
        await settled()
        assert len(wire.frames()) == 8
        assert wire.told("context.cancelled") == []
        wire.hang_up()

    stage.play(client)


def test_the_old_socket_gets_nothing_that_is_meant_for_the_new_one() -> None:
    """Its writer is between two pieces when the other one comes."""
    for turns in range(8):
        stage = Stage()

        async def client(stage: Stage = stage, turns: int = turns) -> None:
            token = await begin(stage)

            async def yielding(_: object) -> None:
                await asyncio.sleep(0)

            stage.wire.after_send = yielding
            stage.puppets[0].frames(200)
            for _ in range(turns):
                await asyncio.sleep(0)
            before = len(stage.wire.frames())
            wire, _ = stage.resume(token, {})
            await wire.until(lambda: len(wire.frames()) == 200)
            assert len(wire.told("session.ready")) == 1
            assert len(stage.wire.told("session.ready")) == 1
            assert len(stage.wire.frames()) <= before + 10
            assert [frame.seq for frame in wire.frames()] == list(range(200))
            wire.hang_up()

        stage.play(client)


def test_of_two_that_come_at_once_the_later_one_has_it() -> None:
    stage = Stage()

    async def client() -> None:
        token = await begin(stage)
        stage.puppets[0].frames(5)
        await settled()
        stage.wire.hang_up(None)
        await settled()
        first, _ = stage.resume(token, {})
        second, _ = stage.resume(token, {"1": 1})
        await second.until(lambda: len(second.frames()) == 3)
        await first.until_closed()
        assert first.closed is not None and first.closed[0] == CloseCode.TAKEN_OVER
        assert len(second.told("session.ready")) == 1
        second.hang_up()

    stage.play(client)


def test_a_resume_while_another_one_is_under_way() -> None:
    """The first has been let in, and is not served yet: it is served no more."""
    stage = Stage()

    async def client() -> None:
        token = await begin(stage)
        stage.puppets[0].frames(5)
        await settled()
        stage.wire.hang_up(None)
        await settled()
        driver = stage.driver
        first_claim = driver.resume(ResumeRequest("sid", token, {}))
        second_claim = driver.resume(ResumeRequest("sid", token, {"1": 3}))
        first, second = Wire(), Wire()
        await driver.serve(first, first_claim)
        assert first.closed is not None and first.closed[0] == CloseCode.TAKEN_OVER
        assert first.sent == []
        driver.not_coming(first_claim)  # says nothing about the second
        served = asyncio.create_task(driver.serve(second, second_claim))
        await second.until(lambda: len(second.frames()) == 1)
        assert len(second.told("session.ready")) == 1
        second.hang_up()
        await served

    stage.play(client)


def test_one_that_is_let_in_and_never_comes_leaves_the_session_to_the_next() -> None:
    stage = Stage(resume_window_s=20)

    async def client() -> None:
        token = await begin(stage)
        stage.wire.hang_up(None)
        await settled()
        await asyncio.sleep(15)
        claim = stage.driver.resume(ResumeRequest("sid", token, {}))
        stage.driver.not_coming(claim)
        assert stage.driver.lost_at == present()
        await asyncio.sleep(15)
        wire, _ = stage.resume(token, {})
        await wire.until_told("session.ready")
        wire.hang_up()

    stage.play(client)


@pytest.mark.parametrize("turns", range(1, 12))
def test_a_handler_that_is_cancelled_at_any_moment_leaves_the_session_to_be_resumed(turns: int) -> None:
    """Of the new socket, as it takes the session up."""
    stage = Stage()

    async def client() -> None:
        token = await begin(stage)
        stage.puppets[0].frames(5)
        await settled()
        stage.wire.hang_up(None)
        await settled()
        first, served = stage.resume(token, {})
        for _ in range(turns):
            await asyncio.sleep(0)
        served.cancel()
        await settled()
        assert stage.driver.lost_at is not None
        tokens = [ready["resume_token"] for ready in first.told("session.ready")]
        wire, _ = stage.resume((tokens or [token])[-1], {})
        await wire.until(lambda: len(wire.frames()) == 5)
        assert len(wire.told("session.ready")) == 1
        wire.hang_up()

    stage.play(client)


def test_a_handler_that_is_cancelled_has_lost_its_socket() -> None:
    stage = Stage()

    async def client() -> None:
        token = await begin(stage)
        stage._tasks[1].cancel()
        await settled()
        assert stage.driver.lost_at is not None
        wire, _ = stage.resume(token, {})
        await wire.until_told("session.ready")
        wire.hang_up()

    stage.play(client)


def test_tokens_that_are_known_to_be_old_are_refused_and_lost_answers_lock_nobody_out() -> None:
    stage = Stage()

    async def client() -> None:
        first = await begin(stage)
        stage.wire.hang_up(None)
        await settled()

        async def lost(_: object) -> None:
            raise TransportClosedError

        for _ in range(3):  # the answer does not come through
            wire, _ = stage.resume(first)
            wire.after_send = lost
            await asyncio.sleep(2)
        wire, _ = stage.resume(first)
        second = (await wire.until_told("session.ready"))["resume_token"]
        await settled()  # its ping is answered
        wire.hang_up(None)
        await settled()
        wire, _ = stage.resume(first)
        assert (await wire.until_told("error"))["code"] == "resume_failed"
        wire.hang_up()
        wire, _ = stage.resume(second)
        assert (await wire.until_told("session.ready"))["resumed"] is True
        wire.hang_up()

    stage.play(client)


def test_a_refused_one_leaves_the_session_and_its_socket_as_they_are() -> None:
    stage = Stage()

    async def client() -> None:
        token = await begin(stage)
        stage.puppets[0].frames(2)
        await settled()
        for wrong, last in (("guess", {}), (token, {"1": 99}), (token, {"7": 0})):
            wire, _ = stage.resume(wrong, last)
            error = await wire.until_told("error")
            assert (error["code"], error["fatal"]) == ("resume_failed", False)
            assert "context_id" not in error
            ready = await wire.until_told("session.ready")
            assert ready["session_id"].startswith("new-") and "resumed" not in ready
            assert wire.messages()[:2] == [error, ready]
            wire.say(*text("x", "hello"))
            await settled()
            wire.say({"type": "cancel", "context_id": "x"})
            await wire.until_told("context.cancelled")
            wire.hang_up()
        stage.puppets[0].frames(1)
        await settled()
        assert len(stage.wire.frames()) == 3
        assert stage.wire.closed is None
        stage.wire.hang_up()

    stage.play(client)


def test_a_session_does_not_resume_itself() -> None:
    stage = Stage()

    async def client() -> None:
        asks = {"session_id": "sid", "token": "sid-1", "last": {}}
        stage.wire.say({"type": "session.start", "resume": asks})
        assert (await stage.wire.until_told("error"))["code"] == "resume_failed"
        await stage.wire.until_told("session.ready")
        stage.wire.hang_up()

    stage.play(client)


def test_messages_right_behind_the_resume_are_for_the_old_session() -> None:
    stage = Stage()

    async def client() -> None:
        token = await begin(stage)
        stage.wire.hang_up(None)
        await settled()
        wire, _ = stage.resume(token)
        wire.say({"type": "text", "context_id": "a", "text": " more"}, {"type": "end", "context_id": "a"})
        await wire.until_told("session.ready")
        await settled()
        assert stage.puppets[0].calls == ["append One", "append  more", "end"]
        assert len(stage.puppets) == 1
        wire.hang_up()

    stage.play(client)


# -- the server goes away -----------------------------------------------------------------------------------


def test_a_drain_lets_what_runs_finish() -> None:
    stage = Stage()

    async def client() -> None:
        await begin(stage)
        stage.driver.drain(9000)
        closing = await stage.wire.until_told("session.closing")
        assert (closing["reason"], closing["drain_ms"]) == ("shutdown", 9000)
        stage.wire.say({"type": "end", "context_id": "a"}, *text("b", "Two"))
        assert (await stage.wire.until_told("error"))["code"] == "context_closed"
        stage.puppets[0].frames(3)
        stage.puppets[0].finish()
        await stage.wire.until_closed()

    stage.play(client)
    assert stage.wire.closed == (CloseCode.GOING_AWAY, "going away")
    assert stage.wire.trace()[-2:] == [("frame", 1), ("context.done", 1)]
    assert [summary.reason for summary in stage.summaries] == ["completed"]


def test_a_drain_ends_at_once_who_is_idle_and_who_has_no_socket() -> None:
    idle, lost = Stage(), Stage()

    async def quiet() -> None:
        idle.wire.say({"type": "session.start"})
        await settled()
        idle.driver.drain(9000)
        await idle.wire.until_closed()

    async def gone() -> None:
        await begin(lost)
        lost.wire.hang_up(None)
        await settled()
        lost.driver.drain(9000)
        await settled()
        assert [summary.reason for summary in lost.summaries] == ["disconnected"]

    idle.play(quiet)
    lost.play(gone)
    assert idle.wire.closed == (CloseCode.GOING_AWAY, "going away")


def test_who_loses_its_socket_during_a_drain_is_not_waited_for() -> None:
    stage = Stage()

    async def client() -> None:
        await begin(stage)
        stage.driver.drain(9000)
        await settled()
        stage.wire.hang_up(None)
        await settled()
        assert [summary.reason for summary in stage.summaries] == ["disconnected"]

    stage.play(client)


def test_shutting_down_ends_who_has_no_socket_too() -> None:
    stage = Stage()

    async def client() -> None:
        await begin(stage)
        stage.wire.hang_up(None)
        await settled()
        stage.driver.shut_down()
        await settled()
        assert stage.puppets[0].over

    stage.play(client)


@pytest.mark.parametrize("how", ["drain", "shut_down", "give_up"])
def test_between_being_let_in_and_being_served(how: str) -> None:
    """The server goes away just then: the socket is closed, and nothing hangs."""
    stage = Stage()

    async def client() -> None:
        token = await begin(stage)
        stage.wire.hang_up(None)
        await settled()
        claim = stage.driver.resume(ResumeRequest("sid", token, {}))
        if how == "drain":
            stage.driver.drain(9000)
            stage.driver.shut_down()
        else:
            getattr(stage.driver, how)()
        wire = Wire()
        await stage.driver.serve(wire, claim)
        assert wire.closed is not None and wire.closed[0] == CloseCode.GOING_AWAY

    stage.play(client)


def test_a_session_that_waits_for_a_socket_does_not_keep_the_loop_busy() -> None:
    stage = Stage()

    async def client() -> None:
        token = await begin(stage)
        stage.wire.hang_up(None)
        await settled()
        stage.driver.resume(ResumeRequest("sid", token, {}))  # and then nothing more is heard of it
        stage.driver.shut_down()
        assert stage.driver.next_deadline() == inf or stage.driver.next_deadline() > present()
        stage.driver.give_up()

    stage.play(client)


# -- what was made for nobody -------------------------------------------------------------------------------


def wasted(stage: Stage) -> list[tuple[str, float]]:
    return [
        (told.reason if isinstance(told, ContextSummary) else "late", round(told.wasted_ms, 1))
        for told in stage.told
        if isinstance(told, ContextSummary | LateCancel)
    ]


def test_what_was_heard_to_its_end_wastes_nothing() -> None:
    stage = Stage()

    async def client() -> None:
        await begin(stage)
        stage.puppets[0].frames(10)
        stage.wire.say({"type": "end", "context_id": "a"})
        await settled()
        stage.puppets[0].finish()
        await stage.wire.until_told("context.done")
        await asyncio.sleep(1)
        stage.wire.say({"type": "cancel", "context_id": "a"})
        await stage.wire.until_told("context.cancelled")
        stage.wire.hang_up()

    stage.play(client)
    assert wasted(stage) == [("completed", 0)]


def test_a_cancel_wastes_what_was_made_and_not_heard() -> None:
    stage = Stage()

    async def client() -> None:
        await begin(stage)
        stage.puppets[0].frames(100)
        stage.puppets[0].synthesized_ms = 3000
        await settled()
        stage.wire.say({"type": "cancel", "context_id": "a", "played_ms": 500})
        await stage.wire.until_told("context.cancelled")
        stage.wire.hang_up()

    stage.play(client)
    assert wasted(stage) == [("cancelled", 2500)]


def test_a_late_cancel_wastes_what_was_not_heard_and_only_once() -> None:
    stage = Stage()

    async def client() -> None:
        await begin(stage)
        stage.puppets[0].frames(100)
        stage.wire.say({"type": "end", "context_id": "a"})
        await settled()
        stage.puppets[0].finish()
        await stage.wire.until_told("context.done")
        for count in (1, 2):
            stage.wire.say({"type": "cancel", "context_id": "a", "played_ms": 500})
            await stage.wire.until_told("context.cancelled", count)
        stage.wire.hang_up()

    stage.play(client)
    assert wasted(stage) == [("completed", 0), ("late", 1500)]
    assert LateCancel("sid", 1, 1500) in stage.told


def test_a_late_cancel_of_what_came_out_of_a_cache_wastes_nothing() -> None:
    stage = Stage()

    async def client() -> None:
        await begin(stage)
        stage.puppets[0].frames(100)
        stage.puppets[0].synthesized_ms = 0
        stage.wire.say({"type": "end", "context_id": "a"})
        await settled()
        stage.puppets[0].finish()
        await stage.wire.until_told("context.done")
        stage.wire.say({"type": "cancel", "context_id": "a", "played_ms": 500})
        await stage.wire.until_told("context.cancelled")
        stage.wire.hang_up()

    stage.play(client)
    assert wasted(stage) == [("completed", 0)]


def test_of_what_fails_all_is_heard_that_was_sent() -> None:
    stage = Stage()

    async def client() -> None:
        await begin(stage)
        stage.puppets[0].frames(10)
        await settled()
        stage.puppets[0].synthesized_ms = 900
        stage.puppets[0].give(Failed(ErrorCode.ENGINE_FAILED, "broken"))
        await stage.wire.until_told("context.done")
        stage.wire.hang_up()

    stage.play(client)
    assert wasted(stage) == [("failed", 700)]


def test_who_goes_wastes_what_was_not_heard() -> None:
    stage = Stage()

    async def client() -> None:
        await begin(stage)
        stage.puppets[0].frames(100)
        await settled()
        stage.puppets[0].synthesized_ms = 3000
        await asyncio.sleep(0.49)
        stage.wire.hang_up()

    stage.play(client)
    assert wasted(stage) == [("disconnected", pytest.approx(2500, abs=20))]


# -- with real speakers -------------------------------------------------------------------------------------


async def test_an_engine_is_freed_when_the_window_ends_and_not_before() -> None:
    """`house` checks on leaving that nothing is left of it."""
    async with house() as built:
        wire, driver = Wire(), built.driver()
        tasks = [asyncio.create_task(driver.run()), asyncio.create_task(driver.serve(wire))]
        wire.say(PCM, *text("a", LONG))
        await wire.until(lambda: len(wire.frames()) > 5)
        wire.hang_up(None)
        await asyncio.wait(tasks, timeout=20)
        assert built.reasons() == {1: "disconnected"}


@pytest.mark.parametrize("cut", [3, 4, 7, 30, 120])
async def test_with_real_sound_a_cut_loses_nothing(cut: int) -> None:
    whole = await _frames_of(cut=None)
    assert await _frames_of(cut) == whole


async def _frames_of(cut: int | None) -> list[Packet]:
    offer = replace(OFFER, limits=Limits(resume_window_s=20))
    async with house() as built:
        wire = Wire()
        wires, tasks = [wire], _served(built, wire, "sid", offer)

        async def cutting(sent: list[Any]) -> None:
            if cut is not None and len(sent) > cut:
                raise TransportClosedError

        wire.after_send = cutting
        wire.say(PCM | {"max_lead_ms": 0}, *text("a", LONG))
        if cut is not None:
            await asyncio.wait({tasks[1]}, timeout=20)
            token = wire.told("session.ready")[0]["resume_token"]
            asks = {"session_id": "sid", "token": token, "last": last_of(wire)}
            wires.append(Wire())
            wires[-1].say(PCM | {"resume": asks})
            tasks += _served(built, wires[-1], "new", offer)
        await wires[-1].until_told("context.done")
        wires[-1].hang_up()
        await asyncio.gather(*tasks)
        assert built.reasons() == {1: "completed"}
        packets = [packet for each in wires for packet in each.frames()]
        return [replace(packet, flags=packet.flags & ~FrameFlags.REPLAYED) for packet in packets]


def _served(built: House, wire: Wire, session_id: str, offer: Any) -> list[asyncio.Task[None]]:
    driver = built.driver(offer, session_id)
    return [asyncio.create_task(driver.run()), asyncio.create_task(driver.serve(wire))]


def test_a_speaker_is_told_when_the_listener_is_elsewhere() -> None:
    """What it is to make next is needed sooner then, or later: the engine has to know."""
    stage = Stage()

    async def client() -> None:
        await begin(stage)
        puppet = stage.puppets[0]
        puppet.frames(3)
        await settled()
        assert puppet.credits == 0
        wire = stage.wire
        for count, kind in enumerate(("playback", "pause", "continue"), 1):
            fields = {"played_ms": 20.0} if kind == "playback" else {}
            wire.say({"type": kind, "context_id": "a", **fields})
            await settled()
            assert puppet.credits == count, kind
        wire.hang_up(1000)
        await settled()

    stage.play(client)
