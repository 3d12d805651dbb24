"""An engine in a process: the same sound as in a thread, and no fault of the child is the server's."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import soundfile
import structlog
import uvloop

from realtime.engines import child_process, process, prompts
from realtime.engines.child import _MAX_SAMPLES
from realtime.engines.embedded import EmbeddedSynthesizer
from realtime.engines.engine import (
    Cancel,
    Chunk,
    Command,
    Engine,
    EngineSettings,
    Event,
    Failure,
    Feed,
    Finish,
    Freed,
    Grant,
    Open,
    Restarted,
    Stats,
)
from realtime.engines.process import ProcessEngine
from realtime.engines.synthesizer import Synthesizer
from realtime.engines.thread import ThreadEngine
from realtime.engines.tone import ToneSynthesizer
from realtime.engines.wire import (
    RING_BYTES,
    SHARED_BYTES,
    ChildMessage,
    ChunkMade,
    Loaded,
    Released,
    UtteranceFreed,
    decode_from_child,
    encode_message,
    read_message_blocking,
)
from realtime.errors import EngineError
from realtime.types import Pcm, TextPiece, VoiceReference
from tests.engines.faulty import GRIP_S, LATE_S, LONG_CHUNK, long_chunk

PATIENCE_S = 30
FAULTY = "tests.engines.faulty:make_faulty"
LONG = "tests.engines.faulty:make_long"
LATE = "tests.engines.faulty:make_late"
SLOW = "tests.engines.faulty:make_slow"
TONE = "realtime.engines.tone:make"


class Log:
    """Events as they come, with waiting for them; `on_event` may be replaced."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = asyncio.Event()

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()

    async def wait(self, condition: Callable[[list[Event]], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition(self.events):
                self._changed.clear()
                await self._changed.wait()

    async def wait_freed(self, *utterances: int) -> None:
        await self.wait(
            lambda events: {e.utterance for e in events if isinstance(e, Freed)} >= set(utterances)
        )

    def of(self, utterance: int) -> list[str]:
        return [
            type(e).__name__
            for e in self.events
            if isinstance(e, Chunk | Failure | Freed) and e.utterance == utterance
        ]

    def failures(self) -> list[int]:
        return [event.utterance for event in self.events if isinstance(event, Failure)]

    def lost(self) -> dict[int, bool]:
        """Utterances that failed because the engine was lost, and whether a worker was at them."""
        return {e.utterance: e.begun for e in self.events if isinstance(e, Failure) and e.lost}


def say(
    engine: Engine,
    utterance: int,
    *texts: str,
    grant: int = 100_000_000,
    deadline: float = 0.0,
    finish: bool = True,
) -> None:
    engine.send(Open(utterance, "tone", "en"))
    for segment, text in enumerate(texts):
        engine.send(Feed(utterance, TextPiece(segment, text, (0, len(text)), (), "en")))
    if grant:
        engine.send(Grant(utterance, grant, deadline))
    if finish:
        engine.send(Finish(utterance))


@contextlib.asynccontextmanager
async def running(
    factory: str, threads: int = 1, timeout_s: float = PATIENCE_S, log: Log | None = None
) -> AsyncIterator[tuple[ProcessEngine, Log]]:
    engine = ProcessEngine(factory, threads, timeout_s)
    log = log or Log()
    await engine.start(log)
    await asyncio.sleep(0)  # a stop before the keeper's first step has a test of its own
    try:
        yield engine, log
    finally:
        await engine.stop()


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]


async def sound_of(engine: Engine, commands: list[Command]) -> dict[int, list[tuple[object, ...]]]:
    """All that is told of each utterance, times left out."""
    log = Log()
    await engine.start(log)
    for command in commands:
        engine.send(command)
    await log.wait_freed(*(command.utterance for command in commands))
    await engine.stop()
    told: dict[int, list[tuple[object, ...]]] = {}
    for event in log.events:
        if isinstance(event, Chunk):
            audio = event.audio
            fields = (audio.segment, audio.sample_rate, audio.words, audio.estimated, audio.last_of_segment)
            told.setdefault(event.utterance, []).append((audio.pcm.dtype, audio.pcm.tobytes(), *fields))
        elif isinstance(event, Failure | Freed):
            told.setdefault(event.utterance, []).append((event,))
    return told


@pytest.mark.parametrize(
    ("factory", "synthesizer"),
    [
        (TONE, ToneSynthesizer()),
        ("realtime.engines.embedded:make", EmbeddedSynthesizer()),
    ],
)
async def test_the_same_events_as_in_a_thread(factory: str, synthesizer: Synthesizer) -> None:
    commands: list[Command] = []
    for utterance in range(1, 5):
        commands.append(Open(utterance, "any", "en", seed=utterance))
        commands.append(Grant(utterance, 1_000_000, 0.0))
        for segment, text in enumerate(["Hello there, $3.50 it is.", "...", f"And number {utterance}."]):
            commands.append(Feed(utterance, TextPiece(segment, text, (0, len(text)), (), "en")))
        commands.append(Finish(utterance))
    in_thread = await sound_of(ThreadEngine(synthesizer, 2), commands)
    in_process = await sound_of(ProcessEngine(factory, 2, PATIENCE_S), commands)
    assert in_process == in_thread
    assert set(in_thread) == {1, 2, 3, 4}


async def test_a_failure_of_the_text_is_told_as_in_a_thread() -> None:
    async with running(FAULTY) as (engine, log):
        say(engine, 1, "FAIL here", "never")
        say(engine, 2, "REFUSE here")
        say(engine, 3, "well")
        await log.wait_freed(1, 2, 3)
        assert log.of(1) == log.of(2) == ["Chunk", "Failure", "Freed"]
        assert log.of(3) == ["Chunk", "Freed"]
        assert log.lost() == {}
        messages = [event.message for event in log.events if isinstance(event, Failure)]
        assert messages == ["the engine failed on this text (ValueError)", "this text cannot be spoken"]
        assert engine.restarts == 0


async def test_what_the_child_logs_is_in_the_log_of_the_server(capfd: pytest.CaptureFixture[str]) -> None:
    """With its level and values, and without what was to be spoken; the child writes nothing by itself."""
    with structlog.testing.capture_logs() as logs:
        async with running("tests.engines.faulty:make_talkative") as (engine, log):
            say(engine, 1, "a secret")
            await log.wait_freed(1)
    (begun,) = [each for each in logs if each["event"] == "loads"]
    assert begun["log_level"] == "debug" and (begun["step"], begun["share"]) == (1, 0.5)
    assert (begun["odd"], begun["huge"], begun["half"]) == ("{1}", str(2**70), "\\ud800")
    (failed,) = [each for each in logs if each["event"] == "has_failed"]
    assert failed["log_level"] == "error" and failed["segment"] == 0
    assert "in synthesize" in failed["exception"] and "KeyError: (left out" in failed["exception"]
    assert "secret" not in str(logs) and capfd.readouterr() == ("", "")


async def test_long_sound_wraps_the_ring_and_stays_exact() -> None:
    """Two utterances at once, 84 MB in all through 16 MiB, in chunks that are longer than a part."""
    assert LONG_CHUNK > _MAX_SAMPLES
    got: dict[tuple[int, int], list[Pcm]] = {}
    lasts: list[tuple[int, int]] = []
    checked = 0

    class Checking(Log):
        """Compares each chunk as it is complete, and keeps none."""

        def __call__(self, event: Event) -> None:
            nonlocal checked
            if not isinstance(event, Chunk):
                super().__call__(event)
                return
            key = (event.utterance, event.audio.segment)
            parts = got.setdefault(key, [])
            parts.append(event.audio.pcm)
            if event.audio.last_of_segment:
                lasts.append(key)
            if sum(map(len, parts)) == LONG_CHUNK:
                number = sum(1 for name in done if name == key)
                assert np.array_equal(np.concatenate(parts), long_chunk(*key, number))
                done.append(key)
                parts.clear()
                checked += 1

    done: list[tuple[int, int]] = []
    async with running(LONG, threads=2, log=Checking()) as (engine, log):
        say(engine, 1, "8", "7")
        say(engine, 2, "15")
        await log.wait_freed(1, 2)
        assert log.failures() == [] and engine.restarts == 0
    assert checked == 30 and 30 * LONG_CHUNK * 4 > 4 * RING_BYTES
    assert sorted(lasts) == [(1, 0), (1, 1), (2, 0)]
    assert not any(got.values())


async def test_a_killed_child_fails_its_utterances_and_a_new_one_serves() -> None:
    async with running(FAULTY) as (engine, log):
        (first,) = children()
        say(engine, 1, "begin KILL me", "never")
        say(engine, 2, "waits behind", deadline=math.inf)
        say(engine, 3, "not even granted", grant=0, finish=False)
        await log.wait_freed(1, 2, 3)
        assert log.of(1)[-2:] == ["Failure", "Freed"]
        assert log.of(2) == log.of(3) == ["Failure", "Freed"]
        assert log.lost() == {1: True, 2: False, 3: False}
        assert not engine.ready
        say(engine, 4, "for the next one")
        await log.wait_freed(4)
        assert log.of(4) == ["Chunk", "Freed"]
        assert load_times(log, 4)[0] > 0  # it waited for the next child
        assert engine.restarts == 1 and engine.ready
        assert log.events.count(Restarted()) == 1
        (second,) = children()
        assert second.pid != first.pid
        engine.send(Cancel(1))
        say(engine, 5, "after it all")
        await log.wait_freed(5)
        assert [log.of(number).count("Freed") for number in range(1, 6)] == [1] * 5


async def test_a_child_killed_from_outside_while_idle_is_replaced() -> None:
    async with running(FAULTY) as (engine, log):
        (first,) = children()
        first.send_signal(signal.SIGKILL)
        for _ in range(PATIENCE_S * 100):
            if engine.restarts:
                break
            await asyncio.sleep(0.01)
        assert engine.restarts == 1 and engine.ready
        say(engine, 1, "hello")
        await log.wait_freed(1)
        assert log.of(1) == ["Chunk", "Freed"]


async def test_a_listener_may_speak_again_from_within_a_failure() -> None:
    class Retrying(Log):
        def __call__(self, event: Event) -> None:
            super().__call__(event)
            if isinstance(event, Failure) and event.utterance == 1:
                say(engine, 2, "again")

    async with running(FAULTY, log=Retrying()) as (engine, log):
        say(engine, 1, "KILL")
        await log.wait_freed(1, 2)
        assert log.of(2) == ["Chunk", "Freed"]


async def test_the_death_of_a_child_names_those_whom_each_worker_was_at() -> None:
    """Also one that hung there already; not those that have had their turn, or may not go on."""
    async with running(FAULTY, threads=2) as (engine, log):
        say(engine, 1, "spoken", finish=False)
        say(engine, 2, "far ahead", "HANG", grant=1)
        await log.wait(lambda events: log.of(1) == log.of(2) == ["Chunk"])
        say(engine, 3, "HANG")
        await log.wait(lambda events: log.of(3) == ["Chunk"])
        say(engine, 4, "KILL")
        await log.wait_freed(1, 2, 3, 4)
        assert log.lost() == {1: False, 2: False, 3: True, 4: True}


async def test_a_listener_that_raises_keeps_the_failure_from_nobody() -> None:
    class Raising(Log):
        def __call__(self, event: Event) -> None:
            super().__call__(event)
            if isinstance(event, Failure) and event.utterance == 1:
                raise ValueError("not my day")

    with structlog.testing.capture_logs() as entries:
        async with running(FAULTY, log=Raising()) as (engine, log):
            say(engine, 1, "KILL")
            say(engine, 2, "waits behind", deadline=math.inf)
            await log.wait_freed(1, 2)
            say(engine, 3, "next")
            await log.wait_freed(3)
            assert log.of(3) == ["Chunk", "Freed"]
    names = [entry["event"] for entry in entries]
    assert names == ["engine_events_failed", "engine_process_ended", "engine_restarted"]


class Waits(tuple[float, ...]):
    """Waits before starts, of no time; knows which of them were waited."""

    numbers: list[int]

    def __getitem__(self, number: Any) -> Any:
        self.numbers.append(number)
        return 0.0


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the waits before each start."""
    waits = Waits((0.0, 0.5, 1.0))
    waits.numbers = []
    monkeypatch.setattr(process, "_RESTART_S", waits)
    return waits.numbers


async def test_what_waits_for_a_child_that_cannot_be_started_is_lost_and_at_last_fails(
    waits: list[int],
) -> None:
    class Retrying(Log):
        """What was lost is spoken again, as those above do it."""

        def __call__(self, event: Event) -> None:
            super().__call__(event)
            if isinstance(event, Failure) and event.lost:
                assert not event.begun
                say(engine, event.utterance + 1, "again")

    async with running(TONE, log=Retrying()) as (engine, log):
        (child,) = children()
        engine._factory = "tests.engines.faulty:make_dying"
        say(engine, 1, "waits", grant=0)
        child.kill()
        await log.wait_freed(1, 2, 3, 4, 5)
        assert log.lost() == {1: False, 2: False, 3: False, 4: False} and log.failures() == [1, 2, 3, 4, 5]
        engine._factory = TONE
        say(engine, 6, "at last")
        await log.wait_freed(6)
        assert log.of(6) == ["Chunk", "Freed"]
    assert waits[:4] == [0, 1, 2, 2]


async def test_a_child_that_dies_by_itself_again_and_again_is_not_replaced_without_pause(
    waits: list[int],
) -> None:
    async def replaced(child: psutil.Process) -> psutil.Process:
        before = engine.restarts
        child.kill()
        for _ in range(PATIENCE_S * 100):
            if engine.restarts > before:
                break
            await asyncio.sleep(0.01)
        (child,) = children()
        return child

    async with running(TONE) as (engine, log):
        (child,) = children()
        for _ in range(3):
            child = await replaced(child)
        say(engine, 1, "is well")
        await log.wait_freed(1)
        await replaced(await replaced(child))
    assert waits == [0, 1, 2, 0, 1]


async def test_dying_again_and_again_is_survived() -> None:
    async with running(FAULTY) as (engine, log):
        for utterance in range(1, 4):
            say(engine, utterance, "KILL")
            await log.wait_freed(utterance)
        say(engine, 4, "alive")
        await log.wait_freed(4)
        assert log.failures() == [1, 2, 3] and engine.restarts == 3


async def test_the_watchdog_replaces_a_child_that_hangs() -> None:
    async with running(FAULTY, timeout_s=2) as (engine, log):
        say(engine, 1, "HANG here")
        say(engine, 2, "waits behind", deadline=math.inf)
        await log.wait_freed(1, 2)
        assert log.of(1) == ["Chunk", "Failure", "Freed"]
        assert log.of(2) == ["Failure", "Freed"]
        assert log.lost() == {1: True, 2: False}
        say(engine, 3, "next")
        await log.wait_freed(3)
        assert log.of(3) == ["Chunk", "Freed"] and engine.restarts == 1


async def test_the_watchdog_replaces_a_child_that_holds_the_gil() -> None:
    """Its heartbeat cannot run either."""
    async with running(FAULTY, threads=2, timeout_s=1) as (engine, log):
        say(engine, 1, "HOLD it")
        await log.wait_freed(1)
        assert log.of(1) == ["Chunk", "Failure", "Freed"] and log.lost() == {1: True}
        say(engine, 2, "next")
        await log.wait_freed(2)
        assert log.of(2) == ["Chunk", "Freed"] and engine.restarts == 1


async def test_a_child_that_makes_progress_is_not_killed_for_a_late_heartbeat() -> None:
    async with running(FAULTY, timeout_s=4 * GRIP_S) as (engine, log):
        say(engine, 1, "GRIP")
        await log.wait_freed(1)
        assert log.of(1) == ["Chunk"] * 4 + ["Freed"] and engine.restarts == 0


@pytest.mark.parametrize("can_be_killed", [True, False])
async def test_the_watchdog_replaces_a_child_that_is_frozen(
    can_be_killed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that the system will not end, as when it is stuck in a driver."""
    monkeypatch.setattr(child_process, "_KILL_S", PATIENCE_S if can_be_killed else 0.2)
    async with running(FAULTY, timeout_s=1) as (engine, log):
        (child,) = children()
        assert engine._child is not None
        frozen = engine._child.process
        if not can_be_killed:
            monkeypatch.setattr(frozen, "kill", lambda: None)
        say(engine, 1, "HANG")
        await log.wait(lambda events: "Chunk" in log.of(1))
        child.suspend()
        say(engine, 2, "waits behind", deadline=math.inf)
        await log.wait_freed(1, 2)
        assert log.lost() == {1: True, 2: False}
        say(engine, 3, "next")
        await log.wait_freed(3)
        assert log.of(3) == ["Chunk", "Freed"] and engine.restarts == 1
        assert (frozen.returncode is None) is not can_be_killed
        if not can_be_killed:
            child.kill()
            await frozen.wait()


async def test_a_cancelled_utterance_that_hangs_is_freed_all_the_same() -> None:
    """Silence is when people cancel: the contract owes `Freed`, and the worker must come back."""
    async with running(FAULTY, timeout_s=2) as (engine, log):
        say(engine, 1, "HANG here")
        await log.wait(lambda events: any(isinstance(event, Chunk) for event in events))
        engine.send(Cancel(1))
        await log.wait_freed(1)
        say(engine, 2, "next")
        await log.wait_freed(2)
        assert log.of(2) == ["Chunk", "Freed"]


async def test_a_worker_that_hangs_is_not_hidden_by_the_others() -> None:
    """One worker goes on making sound; the utterance on the other must not wait for ever."""
    async with running(FAULTY, threads=2, timeout_s=2) as (engine, log):
        say(engine, 1, "HANG here")
        number = 2
        async with asyncio.timeout(PATIENCE_S):
            while "Freed" not in log.of(1):
                say(engine, number, "goes on")
                number += 1
                await asyncio.sleep(0.1)
        assert log.of(1) == ["Chunk", "Failure", "Freed"]


async def test_text_that_waits_for_a_grant_is_no_hang() -> None:
    """A listener who is far enough ahead grants nothing for as long as it likes; that is nobody's fault."""
    async with running(FAULTY, timeout_s=2) as (engine, log):
        say(engine, 1, "first", "second", grant=1)
        await log.wait(lambda events: any(isinstance(event, Chunk) for event in events))
        await asyncio.sleep(3)
        engine.send(Grant(1, 1_000_000, 0.0))
        await log.wait_freed(1)
        assert log.of(1) == ["Chunk", "Chunk", "Freed"]
        assert engine.restarts == 0


async def test_time_spent_loading_does_not_count_as_hanging() -> None:
    """What was sent while a child loaded has the whole time limit from when it can be worked on."""
    async with running(SLOW, timeout_s=2) as (engine, log):
        say(engine, 1, "KILL")
        await log.wait_freed(1)
        say(engine, 2, "early")
        await log.wait_freed(2)
        assert log.of(2) == ["Chunk", "Freed"]
        assert engine.restarts == 1


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("tests.engines.faulty:make_unloadable", "FileNotFoundError: model.bin is missing"),
        ("tests.engines.faulty:make_dying", "ended with code 7 while it loaded"),
        ("tests.engines.no_such_module:make", "No module named 'tests.engines.no_such_module'"),
        ("tests.engines.faulty:no_such_function", "has no attribute 'no_such_function'"),
    ],
)
async def test_a_child_that_cannot_load_says_why(factory: str, message: str) -> None:
    engine = ProcessEngine(factory, 1, PATIENCE_S)
    with pytest.raises(EngineError, match="engine") as caught:
        await engine.start(Log())
    assert message in caught.value.message
    assert not engine.ready and children() == []
    await engine.stop()


def test_capabilities_are_known_after_the_start_only() -> None:
    with pytest.raises(EngineError, match="not been started"):
        _ = ProcessEngine(TONE, 1, 1).capabilities


async def test_capabilities_come_from_the_child() -> None:
    async with running(TONE) as (engine, _):
        assert engine.capabilities == ToneSynthesizer().capabilities


def load_times(log: Log, utterance: int) -> list[float]:
    return [e.load_s for e in log.events if isinstance(e, Chunk) and e.utterance == utterance]


async def test_the_wait_for_the_load_is_told_once() -> None:
    engine, log = ProcessEngine(LATE, 1, PATIENCE_S), Log()
    before = time.monotonic()
    say(engine, 1, "2", "1")
    await engine.start(log)
    after = time.monotonic()
    say(engine, 2, "1")
    await log.wait_freed(1, 2)
    await engine.stop()
    first, *rest = load_times(log, 1)
    assert LATE_S <= first <= after - before
    assert len(rest) >= 2 and not any(rest) and not any(load_times(log, 2))


def reference(folder: Path, hz: float, name: str = "a") -> VoiceReference:
    pcm = 0.3 * np.sin(2 * np.pi * hz * np.arange(24_000) / 24_000)
    soundfile.write(folder / f"{name}.flac", pcm, 24_000)
    return VoiceReference(name * 64, str(folder / f"{name}.flac"), "Höre: \0 “hello”.")


def clone(engine: Engine, utterance: int, voice: VoiceReference) -> None:
    engine.send(Open(utterance, "clone", "en", reference=voice))
    engine.send(Feed(utterance, TextPiece(0, "Hello there.", (0, 12), (), "en")))
    engine.send(Grant(utterance, 100_000, 0.0))
    engine.send(Finish(utterance))


def stats_of(log: Log) -> Stats:
    """The last that came."""
    return next((event for event in reversed(log.events) if isinstance(event, Stats)), Stats(0, 0, 0))


async def wait_prompts(log: Log, *counts: int) -> None:
    """Until so many are in memory, were hit and were missed."""

    def told(events: list[Event]) -> bool:
        last = stats_of(log)
        return (last.prompts, last.prompt_hits, last.prompt_misses) == counts

    await log.wait(told)


def pitch(log: Log, utterance: int) -> float:
    (pcm,) = (e.audio.pcm for e in log.events if isinstance(e, Chunk) and e.utterance == utterance)
    return float(np.argmax(np.abs(np.fft.rfft(pcm[:7200]))) * 24_000 / 7200)


async def test_a_reference_goes_to_the_child_and_prompts_are_counted(tmp_path: Path) -> None:
    settings = EngineSettings(str(tmp_path / "prompts"), 1)
    ada, bea = reference(tmp_path, 330), reference(tmp_path, 550, "b")
    for expected in ((1, 1, 2), (1, 3, 0)):  # the next process finds them on disk
        engine, log = ProcessEngine(TONE, 1, PATIENCE_S, settings), Log()
        await engine.start(log)
        for utterance, voice in enumerate((ada, bea, ada), 1):
            clone(engine, utterance, voice)
            await log.wait_freed(utterance)
        assert [pitch(log, number) for number in (1, 2, 3)] == pytest.approx([330, 550, 330], abs=5)
        await wait_prompts(log, *expected)
        await engine.stop()


async def test_the_child_writes_nothing_of_a_passing_recording(tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    engine, log = ProcessEngine(TONE, 1, PATIENCE_S, EngineSettings(str(folder), 5)), Log()
    passing = replace(reference(tmp_path, 330), kept=False)
    await engine.start(log)
    for utterance in (1, 2):
        clone(engine, utterance, passing)
        await log.wait_freed(utterance)
    await wait_prompts(log, 1, 1, 1)
    await engine.stop()
    assert not folder.exists()


def test_a_child_loads_nothing_of_what_it_may_not_need() -> None:
    """What reads and writes prompts is for engines that clone."""
    program = "import sys, realtime.engines.child; print('safetensors' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


async def test_a_deleted_recording_is_forgotten_by_the_child_and_on_disk(tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    engine, log = ProcessEngine(TONE, 1, PATIENCE_S, EngineSettings(str(folder), 5)), Log()
    ada, bea = reference(tmp_path, 330), reference(tmp_path, 550, "b")
    await engine.start(log)
    clone(engine, 1, ada)
    clone(engine, 2, bea)
    await log.wait_freed(1, 2)
    assert len(list(folder.iterdir())) == 2
    await engine.forget(ada.key)
    await wait_prompts(log, 1, 0, 2)
    assert len(list(folder.iterdir())) == 1
    os.unlink(ada.path)
    clone(engine, 3, ada)
    await log.wait_freed(3)
    (failure,) = (event for event in log.events if isinstance(event, Failure))
    assert failure.message == "the recording of this voice cannot be read"
    await engine.stop()
    await engine.forget(bea.key)  # no child holds it; what lies on disk goes
    assert list(folder.iterdir()) == []
    await ProcessEngine(TONE, 1, PATIENCE_S).forget(bea.key)


@pytest.mark.parametrize("threads", [False, True])
async def test_the_loop_does_not_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: bool
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(folder: Path, key: str) -> None:
        begun.set()
        assert go_on.wait(PATIENCE_S)

    for module in (process, prompts):
        monkeypatch.setattr(module, "forget_on_disk", slow)
    settings = EngineSettings(str(tmp_path), 5)
    engine: Engine = ProcessEngine(TONE, 1, PATIENCE_S, settings)
    if threads:
        engine = ThreadEngine(ToneSynthesizer(settings), 1)
    forgetting = asyncio.create_task(engine.forget("key"))
    assert await asyncio.to_thread(begun.wait, PATIENCE_S) and not forgetting.done()
    go_on.set()
    await forgetting


async def test_a_stop_leaves_nothing_behind() -> None:
    async with running(TONE):
        pass  # what the first start of a process opens for good is not counted
    before = psutil.Process().num_fds()
    async with running(FAULTY, threads=2) as (engine, log):
        say(engine, 1, "KILL")
        await log.wait_freed(1)
        say(engine, 2, "well")
        await log.wait_freed(2)
        say(engine, 3, "HANG")
        await log.wait(lambda events: "Chunk" in log.of(3))
        assert len(children()) == 1
    assert children() == []
    assert psutil.Process().num_fds() == before
    engine.send(Cancel(3))
    say(engine, 4, "nobody hears this")
    assert "Freed" not in log.of(3) + log.of(4)


async def test_a_stop_before_anything_else_ends_the_child() -> None:
    """As when the start of the rest of the server fails: nothing ran between the start and the stop."""
    async with running(TONE):
        pass
    before = psutil.Process().num_fds()
    engine = ProcessEngine(TONE, 1, PATIENCE_S)
    await engine.start(Log())
    (child,) = children()
    await engine.stop()
    still_alive = child.is_running() and child.status() != psutil.STATUS_ZOMBIE
    if still_alive:  # so that it disturbs no other test
        child.kill()
    assert not still_alive
    assert not engine.ready
    assert psutil.Process().num_fds() == before


async def test_a_stop_that_is_cancelled_can_be_done_again() -> None:
    """As when the engine is stopped just as its keeper gives back a child that died."""
    engine, log = ProcessEngine(TONE, 1, PATIENCE_S), Log()
    await engine.start(log)
    (child,) = children()
    child.suspend()
    assert engine._child is not None
    transport = engine._child.writer.transport
    while not transport.get_write_buffer_size():  # which cannot be closed before it is empty
        say(engine, 1, "x" * 100_000)
    stopping = asyncio.create_task(engine.stop())
    for _ in range(10):
        await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    await engine.stop()
    assert children() == []


@pytest.mark.parametrize("moments", [0, 1, 2, 3, 5, 10, 100])
async def test_a_stop_right_after_a_death_leaves_nothing_behind(moments: int) -> None:
    """Whatever the keeper is at: hearing of the end, giving back, or starting the next."""
    async with running(TONE):
        pass
    before = psutil.Process().num_fds()
    async with running(FAULTY) as (engine, log):
        say(engine, 1, "KILL")
        if moments == 100:
            await log.wait_freed(1)
        else:
            # Its last sound may be lost with it, when a command was on its way to it.
            await log.wait(lambda events: any(isinstance(event, Chunk | Freed) for event in events))
        for _ in range(moments):
            await asyncio.sleep(0)
    assert children() == []
    assert psutil.Process().num_fds() == before


class RawChild:
    """The child's side alone, spoken to in messages: so a test decides when its sound is taken."""

    def __init__(self, factory: str) -> None:
        self.channel, theirs = socket.socketpair()
        self.channel.settimeout(PATIENCE_S)
        with theirs, tempfile.TemporaryFile() as ring:
            os.ftruncate(ring.fileno(), SHARED_BYTES)
            descriptors = (theirs.fileno(), ring.fileno())
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "realtime.engines.child",
                    factory,
                    "{}",
                    "1",
                    "0.2",
                    *map(str, descriptors),
                ],
                pass_fds=descriptors,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )

    def send(self, *messages: Command | Released) -> None:
        self.channel.sendall(b"".join(map(encode_message, messages)))

    def receive(self) -> ChildMessage:
        body = read_message_blocking(self.channel.recv)
        assert body is not None
        return decode_from_child(body)


@pytest.fixture
def full_child() -> Iterator[RawChild]:
    """A child in the middle of a sound for which its ring has no more room."""
    child = RawChild(LONG)
    try:
        assert isinstance(child.receive(), Loaded)
        piece = TextPiece(0, "20", (0, 2), (), "en")
        child.send(Open(1, "tone", "en"), Grant(1, 100_000_000, 0.0), Feed(1, piece), Finish(1))
        taken = 0
        # The next chunk's first part is longer than what is left.
        while RING_BYTES - taken >= _MAX_SAMPLES * 4:
            message = child.receive()
            if isinstance(message, ChunkMade):
                taken = message.end
        yield child
    finally:
        child.channel.close()
        child.process.kill()
        child.process.wait()


def test_a_full_ring_holds_back_sound_and_nothing_else(full_child: RawChild) -> None:
    """While a worker waits for room, the child must hear commands, and among them that there is room."""
    full_child.send(Open(2, "tone", "en"), Finish(2), Open(3, "tone", "en"), Cancel(3))
    full_child.send(Released(RING_BYTES))
    freed: list[int] = []
    while 1 not in freed:
        message = full_child.receive()
        if isinstance(message, ChunkMade):
            full_child.send(Released(message.end))
        elif isinstance(message, UtteranceFreed):
            freed.append(message.utterance)
    assert sorted(freed) == [1, 2, 3]


def test_a_child_with_a_full_ring_ends_with_its_parent(full_child: RawChild) -> None:
    full_child.channel.close()
    assert full_child.process.wait(PATIENCE_S) == 0


def test_a_child_whose_parent_is_gone_ends_in_mid_hang() -> None:
    child = RawChild(FAULTY)
    try:
        assert isinstance(child.receive(), Loaded)
        piece = TextPiece(0, "HANG", (0, 4), (), "en")
        child.send(Open(1, "tone", "en"), Grant(1, 1000, 0.0), Feed(1, piece))
        while not isinstance(child.receive(), ChunkMade):
            pass
        child.channel.close()
        assert child.process.wait(PATIENCE_S) == 0
    finally:
        child.channel.close()
        child.process.kill()
        child.process.wait()


def test_commands_to_a_child_that_has_just_died_disturb_nobody() -> None:
    """The server runs on uvloop, whose transports raise where asyncio's only warn."""

    async def main() -> None:
        async with running(TONE) as (engine, log):
            engine.send(Open(1, "tone", "en"))
            (child,) = children()
            child.kill()
            while engine.ready:
                engine.send(Grant(1, 1, 0.0))
                await asyncio.sleep(0)
            await log.wait_freed(1)
            say(engine, 2, "On.")
            await log.wait_freed(2)
            assert log.failures() == [1]

    uvloop.run(main())
