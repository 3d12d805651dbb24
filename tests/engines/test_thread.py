"""An engine on threads: what comes before it is loaded waits, as for an engine in a process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from realtime.engines.engine import Cancel, Chunk, EngineSettings, Failure, Open, PromptStats, Stats
from realtime.engines.synthesizer import Cancellation
from realtime.engines.thread import ThreadEngine
from realtime.engines.tone import ToneSynthesizer
from realtime.errors import EngineError
from realtime.types import AudioChunk, TextPiece, VoiceReference
from tests.engines.faulty import UnloadableSynthesizer
from tests.engines.test_process import Log, clone, load_times, pitch, reference, say, wait_prompts


class Loading(ToneSynthesizer):
    """Loads until it is told to end."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def load(self) -> None:
        assert self.go_on.wait(30)


async def test_what_was_opened_before_waits_and_the_wait_is_told_once() -> None:
    synthesizer, log = Loading(), Log()
    engine = ThreadEngine(synthesizer, 1)
    say(engine, 1, "One.", "Two.")
    say(engine, 2, "Never.")
    engine.send(Cancel(2))
    synthesizer.go_on.set()
    await engine.start(log)
    say(engine, 3, "Three.")
    await log.wait_freed(1, 2, 3)
    await engine.stop()
    assert log.of(1) == ["Chunk", "Chunk", "Freed"] and log.of(2) == ["Freed"]
    first, second = load_times(log, 1)
    assert first > 0 and second == 0 and load_times(log, 3) == [0]


async def test_what_was_opened_before_fails_with_the_load() -> None:
    engine, log = ThreadEngine(UnloadableSynthesizer(), 1), Log()
    for utterance in (1, 2):
        say(engine, utterance, "One.")
        with pytest.raises(EngineError, match=r"FileNotFoundError: model\.bin is missing"):
            await engine.start(log)
        assert log.of(utterance) == ["Failure", "Freed"] and not engine.ready
    assert all("model.bin" in event.message for event in log.events if isinstance(event, Failure))


async def test_after_a_stop_nothing_happens() -> None:
    engine, log = ThreadEngine(ToneSynthesizer(), 1), Log()
    await engine.stop()
    engine.send(Open(1, "tone", "en"))
    await engine.start(log)
    say(engine, 2, "Two.")
    await log.wait_freed(2)
    await engine.stop()
    assert log.of(1) == [] and [type(event) for event in log.events if isinstance(event, Chunk)] == [Chunk]


async def test_cloning_and_forgetting(tmp_path: Path) -> None:
    synthesizer = ToneSynthesizer(EngineSettings(str(tmp_path / "prompts"), 5))
    engine, log = ThreadEngine(synthesizer, 1), Log()
    await engine.start(log)
    voice = reference(tmp_path, 440)
    clone(engine, 1, voice)
    await log.wait_freed(1)
    assert pitch(log, 1) == pytest.approx(440, abs=5)
    await engine.forget(voice.key)
    assert list((tmp_path / "prompts").iterdir()) == []
    await wait_prompts(log, 0, 0, 1)
    await engine.stop()
    synthesizer.prompts.prompt(VoiceReference(voice.key, ""), "m", lambda each: {})
    await engine.forget(voice.key)
    assert synthesizer.prompts.stats == PromptStats(0, 0, 2)


# -- hanging threads ----------------------------------------------------------------------------------------


class Hanging(ToneSynthesizer):
    """A piece with HANG does not end before the test says so; one with END ends at a cancel."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.hanging = threading.Semaphore(0)
        self.came_back = threading.Semaphore(0)

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        end = self.go_on if "HANG" in piece.text else threading.Event()
        if "HANG" in piece.text or "END" in piece.text:
            with cancellation.on_cancel(end.set):
                self.hanging.release()
                assert end.wait(30)
            self.came_back.release()
        yield from super().synthesize(piece, request, cancellation)


class Deaf(Hanging):
    """Does not hear a cancel."""

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        if "HANG" in piece.text:
            self.hanging.release()
            assert self.go_on.wait(30)
            self.came_back.release()
        yield from super(Hanging, self).synthesize(piece, request, cancellation)


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("synthesis-")}


async def test_a_step_that_hangs_is_given_up_and_the_others_go_on() -> None:
    before = threads()
    synthesizer, log = Deaf(), Log()
    engine = ThreadEngine(synthesizer, 2, timeout_s=0.5)
    await engine.start(log)
    with structlog.testing.capture_logs() as logs:
        say(engine, 1, "HANG", "never")
        assert await asyncio.to_thread(synthesizer.hanging.acquire, timeout=30)
        say(engine, 2, "beside it")
        await log.wait_freed(1, 2)
        assert log.of(1) == ["Failure", "Freed"] and log.of(2) == ["Chunk", "Freed"]
        assert log.lost() == {1: True} and engine.ready
        assert [entry["event"] for entry in logs] == ["engine_step_hangs"]
    say(engine, 3, "one", "two")
    say(engine, 4, "one", "two")
    await log.wait_freed(3, 4)
    assert engine._workers is not None
    working = {worker.thread for worker in engine._workers._workers}
    (left_behind,) = threads() - before - working
    assert len(working) == 2
    synthesizer.go_on.set()
    await asyncio.to_thread(left_behind.join, 30)
    assert not left_behind.is_alive()
    say(engine, 5, "after it")
    await log.wait_freed(5)
    assert log.of(1) == ["Failure", "Freed"], "what it made after all is dropped"
    await log.wait(lambda events: events[-1] == Stats(0, 0, 0))
    await engine.stop()
    assert threads() <= before


async def test_what_was_cancelled_and_hangs_is_freed_when_it_is_given_up() -> None:
    synthesizer, log = Deaf(), Log()
    engine = ThreadEngine(synthesizer, 1, timeout_s=0.5)
    await engine.start(log)
    say(engine, 1, "HANG")
    assert await asyncio.to_thread(synthesizer.hanging.acquire, timeout=30)
    engine.send(Cancel(1))
    say(engine, 2, "waits behind")
    await log.wait_freed(1, 2)
    assert log.of(1) == ["Freed"] and log.of(2) == ["Chunk", "Freed"]
    synthesizer.go_on.set()
    await engine.stop()


async def test_a_cancel_ends_what_asked_to_be_told() -> None:
    """No timeout is waited for; and what is given up is told as well."""
    synthesizer, log = Hanging(), Log()
    engine = ThreadEngine(synthesizer, 1)
    await engine.start(log)
    say(engine, 1, "END")
    assert await asyncio.to_thread(synthesizer.hanging.acquire, timeout=30)
    engine.send(Cancel(1))
    await log.wait_freed(1)
    assert log.of(1) == ["Freed"]
    say(engine, 2, "END")
    assert await asyncio.to_thread(synthesizer.hanging.acquire, timeout=30)
    await engine.stop()
    assert synthesizer.came_back.acquire(timeout=30) and synthesizer.came_back.acquire(timeout=30)
    engine = ThreadEngine(synthesizer, 1, timeout_s=0.5)
    await engine.start(log)
    say(engine, 3, "END")
    await log.wait_freed(3)
    assert log.lost() == {3: True}
    assert await asyncio.to_thread(synthesizer.came_back.acquire, timeout=30)
    await engine.stop()


async def test_with_too_many_hanging_threads_the_engine_is_not_ready() -> None:
    """Four for each that works; then nothing is taken on, and who is there does not wait for ever."""
    synthesizer, log = Deaf(), Log()
    engine = ThreadEngine(synthesizer, 1, timeout_s=0.1)
    await engine.start(log)
    with structlog.testing.capture_logs() as logs:
        for utterance in range(1, 6):
            assert engine.ready
            say(engine, utterance, "HANG")
        say(engine, 6, "waits behind")
        await log.wait_freed(*range(1, 7))
        assert not engine.ready
        say(engine, 7, "too late")
        await log.wait_freed(7)
    assert log.lost() == dict.fromkeys(range(1, 6), True)
    assert log.of(6) == log.of(7) == ["Failure", "Freed"]
    assert [entry["event"] for entry in logs] == ["engine_step_hangs"] * 5 + ["engine_not_ready"]
    synthesizer.go_on.set()
    await engine.stop()
    assert all(log.of(number) == ["Failure", "Freed"] for number in range(1, 8))


async def test_what_takes_long_in_short_steps_is_no_hang() -> None:
    class Slow(ToneSynthesizer):
        def synthesize(
            self, piece: TextPiece, request: Open, cancellation: Cancellation
        ) -> Iterator[AudioChunk]:
            (whole,) = super().synthesize(piece, request, cancellation)
            for last in [False] * 19 + [True]:
                threading.Event().wait(0.05)
                yield AudioChunk(piece.segment, whole.pcm, whole.sample_rate, last_of_segment=last)

    engine, log = ThreadEngine(Slow(), 1, timeout_s=0.6), Log()
    await engine.start(log)
    say(engine, 1, "One.")
    await log.wait_freed(1)
    await engine.stop()
    assert log.of(1) == ["Chunk"] * 20 + ["Freed"]
