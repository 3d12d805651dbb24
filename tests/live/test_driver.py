"""A session on a transport in memory, with real speakers of the tone engine or puppets on virtual time."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from realtime.errors import CloseCode, ErrorCode
from realtime.live import driver as driver_module
from realtime.live import socket as socket_module
from realtime.live.summaries import ErrorTold, Silenced
from realtime.live.transport import TransportClosedError
from realtime.types import (
    TIMELINE_RATE,
    Finished,
    Flushed,
    FrameFlags,
    Packet,
    VoiceSettings,
)
from tests.live.talking import (
    BAD,
    LONG,
    PCM,
    Stage,
    Wire,
    check_promises,
    house,
    running,
    serve,
    text,
)

# -- speaking -----------------------------------------------------------------------------------------------


async def test_a_whole_conversation_in_order() -> None:
    async with house() as built:
        wire = Wire()
        wire.say({"type": "session.start"}, *text("a", "One two. Three!"), {"type": "session.close"})
        await serve(built, wire)
        assert wire.closed is not None
        assert wire.closed[0] == CloseCode.DONE
        check_promises(wire)
        assert wire.trace() == [
            ("session.ready", 0),
            ("context.opened", 1),
            ("segment", 1),
            ("frame", 1),
            ("segment", 1),
            ("frame", 1),
            ("context.done", 1),
        ]
        done = wire.told("context.done")[0]
        frames = wire.frames(1)
        assert FrameFlags.LAST in frames[-1].flags
        assert done["last_seq"] == len(frames) - 1
        assert done["audio_ms"] == round(sum(frame.duration for frame in frames) * 1000 / TIMELINE_RATE, 3)
        assert built.reasons() == {1: "completed"}
        summary = built.summaries[0]
        assert (summary.session_id, summary.context_id, summary.text) == ("sid", "a", "One two. Three!")
        assert summary.settings == VoiceSettings("tone", "en")
        assert summary.timing.audio_s == pytest.approx(done["audio_ms"] / 1000, abs=0.001)


async def test_all_frames_of_one_context_come_before_the_next() -> None:
    async with house() as built:
        wire = Wire()
        wire.say(PCM, *text("a", "One.", end=False), {"type": "flush", "context_id": "a"})
        wire.say(*text("b", "Two."), *text("c", " ..."), *text("d", "Four."))
        async with running(built, wire):
            await wire.until_told("flush.done")
            wire.say(*text("a", " And more of it. "), {"type": "session.close"})
        check_promises(wire)
        of_interest = [entry for entry in wire.trace() if entry[0] in ("frame", "context.done")]
        assert [handle for kind, handle in of_interest if kind == "context.done"] == [1, 2, 3, 4]
        order = [handle for _, handle in of_interest]
        assert order == sorted(order)
        assert {handle for kind, handle in of_interest if kind == "frame"} == {1, 2, 4}
        assert wire.told("context.done")[2]["audio_ms"] == 0
        assert set(built.reasons().values()) == {"completed"}


async def test_a_flush_is_answered_after_what_was_flushed_and_before_what_comes_later() -> None:
    async with house() as built:
        wire = Wire()
        wire.say(
            PCM, *text("a", "half a wo", end=False), {"type": "flush", "context_id": "a", "flush_id": "f"}
        )
        async with running(built, wire):
            await wire.until_told("flush.done")
            sent_then = len(wire.frames())
            assert sent_then > 0
            wire.say(
                {"type": "text", "context_id": "a", "text": "rd more."}, {"type": "end", "context_id": "a"}
            )
            wire.say({"type": "session.close"})
        check_promises(wire)
        assert wire.told("flush.done") == [
            {"type": "flush.done", "context_id": "a", "handle": 1, "flush_id": "f"}
        ]
        assert [message["text"] for message in wire.told("segment")] == ["half a wo", "rd more."]
        assert len(wire.frames()) > sent_then


@pytest.fixture
def frame_by_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is fetched in one go is one frame, so that a test can stop after any."""
    monkeypatch.setattr(driver_module, "MOST_FRAME_BYTES", 1)


@pytest.mark.usefixtures("frame_by_frame")
async def test_what_is_urgent_overtakes_the_sound() -> None:
    """Behind a transport that takes one piece at a time, a pong waits for one frame at most."""
    async with house() as built:
        wire = Wire()
        permits = asyncio.Semaphore(20)

        async def slowly(_: object) -> None:
            await permits.acquire()

        wire.after_send = slowly
        wire.say(PCM, *text("a", LONG))
        async with running(built, wire):
            await wire.until(lambda: len(wire.sent) == 21)
            assert isinstance(wire.sent[-1], bytes)
            wire.say({"type": "ping", "t": 7})
            for _ in range(10):  # the reader takes it, while the writer is blocked
                await asyncio.sleep(0)
            permits.release()
            assert await wire.until_told("pong") == {"type": "pong", "t": 7}
            assert len(wire.sent) == 22
            for _ in range(10_000):
                permits.release()
            wire.say({"type": "session.close"})
        check_promises(wire)
        assert built.reasons() == {1: "completed"}


# -- the barrier --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
async def test_after_the_answer_to_a_cancel_no_frame_of_it_follows(seed: int) -> None:
    """Many cancels, each at another moment of the sending."""
    chance = random.Random(seed)
    async with house() as built:
        wire = Wire()

        async def irregularly(_: object) -> None:
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)

        wire.after_send = irregularly
        wire.say(PCM)
        async with running(built, wire):
            for number in range(30):
                first, second = f"a{number}", f"b{number}"
                wire.say(*text(first, LONG, end=chance.random() < 0.5), *text(second, LONG))
                handle, wanted = 2 * number + 1, chance.choice([0, 1, 2, 9, 10, 11, 40])
                await wire.until(lambda handle=handle, wanted=wanted: len(wire.frames(handle)) >= wanted)
                for _ in range(chance.randrange(6)):
                    await asyncio.sleep(0)
                for context_id in chance.sample([first, second], 2):
                    wire.say({"type": "cancel", "context_id": context_id})
                await wire.until_told("context.cancelled", 2 * (number + 1))
            wire.say({"type": "session.close"})
        check_promises(wire)
        assert built.reasons() == dict.fromkeys(range(1, 61), "cancelled")
        assert sorted(message["handle"] for message in wire.told("context.cancelled")) == list(range(1, 61))


async def test_preempt_is_a_barrier_too_and_the_new_one_is_spoken() -> None:
    async with house() as built:
        wire = Wire()
        wire.say(PCM, *text("a", LONG), *text("b", LONG))
        async with running(built, wire):
            await wire.until(lambda: len(wire.frames(1)) > 5)
            wire.say(
                {"type": "context.open", "context_id": "c", "on_conflict": "preempt"}, *text("c", "Now me.")
            )
            wire.say({"type": "session.close"})
        check_promises(wire)
        assert [message["reason"] for message in wire.told("context.cancelled")] == ["preempted"] * 2
        assert wire.trace()[-1] == ("context.done", 3)
        assert wire.frames(2) == []
        assert built.reasons() == {1: "cancelled", 2: "cancelled", 3: "completed"}


async def test_silence_is_told_of_when_the_answer_has_left_and_an_error_when_it_is_said() -> None:
    async with house() as built:
        wire = Wire()
        wire.say(PCM, *text("a", LONG))
        async with running(built, wire):
            await wire.until(lambda: len(wire.frames(1)) > 5)
            wire.say({"type": "cancel", "context_id": "a"}, {"type": "nonsense"}, {"type": "session.close"})
        silenced = [told for told in built.told if isinstance(told, Silenced)]
        assert [told.session_id for told in silenced] == ["sid"]
        assert silenced[0].seconds >= 0
        assert ErrorTold("sid", ErrorCode.INVALID_MESSAGE) in built.told


async def test_a_listener_has_in_hand_what_was_sent_ahead() -> None:
    async with house() as built:
        wire = Wire()
        wire.say(PCM, *text("a", LONG), *text("b", LONG))
        async with running(built, wire) as driver:
            assert driver.lead_s() is None, "nothing was sent"
            await wire.until(lambda: len(wire.frames(1)) > 100)
            lead_s = driver.lead_s()
            assert lead_s is not None and lead_s > 1
            wire.say({"type": "pause", "context_id": "a"})
            wire.say({"type": "cancel", "context_id": "a"}, {"type": "cancel", "context_id": "b"})
            await wire.until_told("context.cancelled", 2)
            assert driver.lead_s() is None, "nothing is made any more"
            wire.hang_up()


# -- failures of an utterance -------------------------------------------------------------------------------


async def test_a_failure_ends_its_context_and_nothing_else() -> None:
    async with house() as built:
        wire = Wire()
        wire.say(PCM, *text("a", f"Good so far. {BAD} word."), *text("b", "Fine."), {"type": "session.close"})
        await serve(built, wire)
        check_promises(wire)
        error = wire.told("error")[0]
        assert (error["code"], error["handle"], error["fatal"]) == ("engine_failed", 1, False)
        assert len(wire.told("error")) == 1
        assert [message["reason"] for message in wire.told("context.done")] == ["failed", "completed"]
        assert len(wire.frames(2)) > 0
        assert built.reasons() == {1: "failed", 2: "completed"}
        assert built.codes() == {1: ErrorCode.ENGINE_FAILED, 2: None}


async def test_a_failure_before_its_turn_is_told_at_once_and_ends_in_its_turn() -> None:
    """The engine has room for one: the second is refused while the first is still being said."""
    async with house(max_utterances=1) as built:
        wire = Wire()
        wire.say(PCM, *text("a", "One.", end=False), *text("b", "Two."))
        async with running(built, wire):
            error = await wire.until_told("error")
            assert (error["code"], error["context_id"], error["handle"]) == ("queue_full", "b", 2)
            assert error["retry_after_ms"] > 0
            assert wire.told("context.done") == []
            wire.say({"type": "end", "context_id": "a"}, {"type": "session.close"})
        check_promises(wire)
        dones = [(message["handle"], message["reason"]) for message in wire.told("context.done")]
        assert dones == [(1, "completed"), (2, "failed")]
        refused = [error for error in wire.told("error") if error["code"] == "queue_full"]
        assert len(refused) == 1
        # Its `end` may be read before it fails or after, and then it is late.
        assert [error["code"] for error in wire.told("error")[1:]] in ([], ["context_closed"])
        assert built.reasons() == {1: "completed", 2: "failed"}
        assert built.codes() == {1: None, 2: ErrorCode.QUEUE_FULL}


async def test_text_that_is_too_long_is_a_failure() -> None:
    async with house() as built:
        wire = Wire()
        wire.say(PCM, *text("a", "One. ", end=False), *text("a", "x" * 16_385, end=False))
        wire.say({"type": "session.close"})
        await serve(built, wire)
        check_promises(wire)
        assert wire.told("context.done")[0]["reason"] == "failed"
        assert built.reasons() == {1: "failed"}
        assert built.codes() == {1: ErrorCode.TEXT_TOO_LONG}


# -- ends of a session --------------------------------------------------------------------------------------


async def test_a_client_that_goes_leaves_nothing_behind() -> None:
    async with house() as built:
        wire = Wire()
        wire.say(PCM, *text("a", "One."), *text("b", LONG), *text("c", LONG, end=False))
        async with running(built, wire):
            await wire.until(lambda: len(wire.frames(2)) > 5)
            wire.hang_up()
        assert wire.closed is None
        assert built.reasons() == {1: "completed", 2: "disconnected", 3: "disconnected"}


async def test_a_client_that_says_nothing_and_goes() -> None:
    async with house() as built:
        wire = Wire()
        wire.hang_up()
        await serve(built, wire)
        assert wire.sent == []
        assert built.reasons() == {}


@pytest.mark.parametrize("at", [0, 1, 2, 3, 4, 7, 12, 25, 60, 200])
async def test_a_transport_that_breaks_in_a_send(at: int) -> None:
    async with house() as built:
        wire = Wire()

        async def breaking(sent: list[Any]) -> None:
            if len(sent) > at:
                raise TransportClosedError

        wire.after_send = breaking
        wire.say(PCM, *text("a", LONG), *text("b", LONG), *text("c", LONG, end=False))
        await serve(built, wire)
        assert len(wire.sent) == at + 1
        check_promises(wire)
        assert set(built.reasons().values()) <= {"completed", "disconnected"}


@pytest.mark.parametrize("at", range(9))
async def test_a_transport_that_breaks_in_a_receive(at: int) -> None:
    async with house() as built:
        wire = Wire()

        def breaking(number: int) -> None:
            if number >= at:
                raise TransportClosedError

        wire.before_receive = breaking
        wire.say(
            PCM, *text("a", LONG), *text("b", "Two."), *text("c", LONG), {"type": "cancel", "context_id": "a"}
        )
        await serve(built, wire)
        assert wire.receives == at
        check_promises(wire)
        assert set(built.reasons().values()) <= {"completed", "disconnected", "cancelled"}


@pytest.mark.parametrize("yields", [0, 1, 2, 5, 10, 30, 100])
async def test_shutting_down_from_outside(yields: int) -> None:
    async with house() as built:
        wire = Wire()
        wire.say(PCM, *text("a", LONG), *text("b", LONG))
        async with running(built, wire) as driver:
            for _ in range(yields):
                await asyncio.sleep(0)
            driver.shut_down()
            driver.shut_down()
        assert wire.closed is not None
        assert wire.closed[0] == CloseCode.GOING_AWAY
        assert wire.messages()[-1] == {"type": "session.closing", "reason": "shutdown", "drain_ms": 0}
        assert len(wire.told("session.closing")) == 1
        check_promises(wire)
        assert set(built.reasons().values()) <= {"disconnected"}


async def test_shutting_down_before_it_runs() -> None:
    async with house() as built:
        wire = Wire()
        driver = built.driver()
        driver.shut_down()
        await asyncio.gather(driver.run(), driver.serve(wire))
        assert wire.closed is not None
        assert wire.closed[0] == CloseCode.GOING_AWAY


async def test_shutting_down_what_is_closing_already() -> None:
    """The first close counts, and nothing more is said."""
    async with house() as built:
        wire = Wire()
        wire.say({"type": "ping"}, {"type": "session.close"})
        async with running(built, wire) as driver:

            async def shut_down(_: object) -> None:
                driver.shut_down()  # the session was closed by the client before its first answer left

            wire.after_send = shut_down
        assert wire.closed is not None
        assert wire.closed[0] == CloseCode.DONE
        assert wire.told("session.closing") == []


@pytest.mark.parametrize("frames", [0, 1, 30])
async def test_cancelling_the_driver_itself_leaves_nothing_behind(frames: int) -> None:
    async with house() as built:
        wire = Wire()
        wire.say(PCM, *text("a", LONG), *text("b", LONG))
        driver = built.driver()
        task, serving = asyncio.create_task(driver.run()), asyncio.create_task(driver.serve(wire))
        await wire.until(lambda: len(wire.frames(1)) >= frames and len(built.speakers) == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await serving
        assert wire.closed is not None
        assert wire.closed[0] == CloseCode.GOING_AWAY
        assert built.reasons() == {1: "disconnected", 2: "disconnected"}


async def test_close_with_drain_says_everything_first() -> None:
    async with house() as built:
        wire = Wire()
        wire.say(PCM, *text("a", LONG, end=False), *text("b", "Two.", end=False), {"type": "session.close"})
        wire.say({"type": "text", "context_id": "a", "text": "late"})
        await serve(built, wire)
        check_promises(wire)
        assert wire.closed is not None
        assert wire.closed[0] == CloseCode.DONE
        assert wire.trace()[-1] == ("context.done", 2)
        assert [message["code"] for message in wire.told("error")] == ["context_closed"]
        assert built.reasons() == {1: "completed", 2: "completed"}


async def test_close_without_drain_answers_and_closes() -> None:
    async with house() as built:
        wire = Wire()
        wire.say(PCM, *text("a", LONG), *text("b", LONG), {"type": "session.close", "drain": False})
        await serve(built, wire)
        check_promises(wire)
        assert wire.closed is not None
        assert wire.closed[0] == CloseCode.DONE
        assert [message["handle"] for message in wire.told("context.cancelled")] == [1, 2]
        assert built.reasons() == {1: "cancelled", 2: "cancelled"}


async def test_a_fatal_error_is_sent_before_the_close() -> None:
    async with house() as built:
        wire = Wire()
        wire.say({"type": "session.start", "formats": ["mp3"]}, *text("a", "One."))
        await serve(built, wire)
        assert [(message["type"], message["fatal"]) for message in wire.messages()] == [("error", True)]
        assert wire.closed is not None
        assert wire.closed[0] == CloseCode.POLICY
        assert built.reasons() == {}


async def test_a_listener_that_takes_nothing_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_module, "STALL_S", 0.05)
    async with house() as built:
        wire = Wire()

        async def blocking(sent: list[Any]) -> None:
            if len(sent) > 30:
                await asyncio.Event().wait()

        wire.after_send = blocking
        wire.say(PCM, *text("a", LONG), *text("b", LONG))
        await serve(built, wire)
        assert wire.closed is not None
        assert wire.closed[0] == CloseCode.LISTENER_STALLED == 4002
        assert len(wire.sent) == 31
        assert built.reasons() == {1: "disconnected", 2: "disconnected"}


# -- virtual time -------------------------------------------------------------------------------------------


def test_an_idle_session_is_closed_after_300_seconds() -> None:
    stage = Stage()

    async def client() -> None:
        begun = asyncio.get_running_loop().time()
        await asyncio.sleep(250)
        stage.wire.say({"type": "ping"})
        await stage.wire.until_closed()
        assert asyncio.get_running_loop().time() - begun == pytest.approx(550, abs=0.1)

    stage.play(client)
    assert stage.wire.messages()[-1] == {"type": "session.closing", "reason": "idle", "drain_ms": 0}
    assert stage.wire.closed is not None
    assert stage.wire.closed[0] == CloseCode.DONE


def test_a_silent_head_is_ended_so_that_the_next_one_speaks() -> None:
    stage = Stage()

    async def client() -> None:
        stage.wire.say(PCM, *text("a", "One", end=False), *text("b", "Two"))
        await asyncio.sleep(9.9)
        assert "end" not in stage.puppets[0].calls
        stage.puppets[1].frames(3)
        await asyncio.sleep(0.2)
        assert stage.puppets[0].calls == ["append One", "end"]
        assert stage.wire.frames() == []
        stage.puppets[0].give(Finished(0))
        await asyncio.sleep(0)
        stage.puppets[1].give(Finished(3 * 960))
        await stage.wire.until_told("context.done", 2)
        stage.wire.say({"type": "session.close"})

    stage.play(client)
    assert [kind for kind in stage.wire.trace() if kind[0] in ("frame", "context.done")] == [
        ("context.done", 1),
        ("frame", 2),
        ("context.done", 2),
    ]
    assert [summary.reason for summary in stage.summaries] == ["completed", "completed"]


def test_a_listener_that_takes_nothing_for_30_seconds_is_dropped() -> None:
    stage = Stage()

    async def client() -> None:
        async def blocking(sent: list[Any]) -> None:
            if len(sent) == 5:
                await asyncio.Event().wait()

        stage.wire.after_send = blocking
        stage.wire.say(PCM, *text("a", "One"))
        await asyncio.sleep(1)
        begun = asyncio.get_running_loop().time()
        stage.puppets[0].frames(10)
        await stage.wire.until_closed()
        assert asyncio.get_running_loop().time() - begun == pytest.approx(30, abs=0.1)

    stage.play(client)
    assert stage.wire.closed is not None
    assert stage.wire.closed[0] == CloseCode.LISTENER_STALLED
    assert [summary.reason for summary in stage.summaries] == ["disconnected"]


@pytest.mark.usefixtures("frame_by_frame")
def test_a_listener_that_takes_slowly_is_not_one_that_takes_nothing() -> None:
    """Every frame takes 5 s: never 30 s without one, and yet 50 s for each ten."""
    stage = Stage()

    async def client() -> None:
        async def slowly(_: object) -> None:
            await asyncio.sleep(5)

        stage.wire.say(PCM, *text("a", "One"))
        await asyncio.sleep(1)
        stage.wire.after_send = slowly
        stage.puppets[0].frames(40)
        stage.puppets[0].give(Finished(40 * 960))
        stage.wire.say({"type": "session.close"})
        await stage.wire.until_closed()

    stage.play(client)
    assert stage.wire.closed is not None
    assert stage.wire.closed[0] == CloseCode.DONE
    assert len(stage.wire.frames(1)) == 40
    assert [summary.reason for summary in stage.summaries] == ["completed"]


def test_waiting_for_sound_is_no_stall() -> None:
    stage = Stage()

    async def client() -> None:
        stage.wire.say(PCM, *text("a", "One"))
        await asyncio.sleep(200)
        stage.puppets[0].frames(2)
        await asyncio.sleep(200)
        stage.puppets[0].give(Finished(2 * 960))
        stage.wire.say({"type": "session.close"})
        await stage.wire.until_closed()

    stage.play(client)
    assert stage.wire.closed is not None
    assert stage.wire.closed[0] == CloseCode.DONE


@pytest.mark.usefixtures("frame_by_frame")
@pytest.mark.parametrize("blocked_at", [3, 4, 8, 12, 13])
def test_a_cancel_while_a_send_is_blocked_stops_what_comes_after_it(blocked_at: int) -> None:
    """The piece under way leaves; not one frame more."""
    stage = Stage()

    async def client() -> None:
        gate = asyncio.Event()

        async def gated(sent: list[Any]) -> None:
            if len(sent) == blocked_at:
                await gate.wait()

        stage.wire.after_send = gated
        stage.wire.say(PCM, *text("a", "One"))
        await asyncio.sleep(1)
        stage.puppets[0].frames(30)
        await asyncio.sleep(1)
        assert len(stage.wire.sent) == blocked_at
        stage.wire.say({"type": "cancel", "context_id": "a"})
        await asyncio.sleep(1)
        assert len(stage.wire.sent) == blocked_at
        gate.set()
        await stage.wire.until_told("context.cancelled")
        stage.wire.say({"type": "session.close"})

    stage.play(client)
    assert len(stage.wire.sent) == blocked_at + 1
    assert len(stage.wire.frames()) == blocked_at - 2
    cancelled = stage.wire.told("context.cancelled")[0]
    assert cancelled["last_seq"] == blocked_at - 3
    check_promises(stage.wire)
    assert [summary.reason for summary in stage.summaries] == ["cancelled"]


def test_messages_keep_their_order_with_the_sound() -> None:
    """Each piece of a speaker's output is sent in the order in which it was made."""
    stage = Stage()

    async def client() -> None:
        stage.wire.say(PCM, *text("a", "One", end=False))
        stage.wire.say(
            {"type": "flush", "context_id": "a", "flush_id": "f"}, {"type": "end", "context_id": "a"}
        )
        await asyncio.sleep(1)
        puppet = stage.puppets[0]
        assert puppet.calls == ["append One", "flush f", "end"]
        puppet.frames(1)
        puppet.give(Flushed("f"), Packet(b"x", 1, 960, 960, FrameFlags.LAST), Finished(1920))
        await stage.wire.until_told("context.done")
        stage.wire.say({"type": "session.close"})

    stage.play(client)
    assert [kind for kind, _ in stage.wire.trace()] == [
        "session.ready",
        "context.opened",
        "frame",
        "flush.done",
        "frame",
        "context.done",
    ]


def test_what_is_fetched_in_one_go_leaves_before_the_answer_to_a_cancel() -> None:
    """Sound goes out in handfuls: one that is blocked halfway is finished, and nothing follows the answer."""
    stage = Stage()

    async def client() -> None:
        free = asyncio.Event()

        async def block(sent: list[dict[str, Any] | bytes]) -> None:
            if len(stage.wire.frames()) == 3:
                await free.wait()

        stage.wire.say(PCM, *text("a", "One"))
        await asyncio.sleep(1)
        stage.wire.after_send = block
        stage.puppets[0].frames(50)
        await asyncio.sleep(1)
        stage.wire.say({"type": "cancel", "context_id": "a"})
        await asyncio.sleep(1)
        free.set()
        told = await stage.wire.until_told("context.cancelled")
        seqs = [frame.seq for frame in stage.wire.frames()]
        assert told["last_seq"] == seqs[-1] == len(seqs) - 1 > 3
        stage.puppets[0].frames(5)
        await asyncio.sleep(1)
        assert [frame.seq for frame in stage.wire.frames()] == seqs
        stage.wire.say({"type": "session.close"})

    stage.play(client)
