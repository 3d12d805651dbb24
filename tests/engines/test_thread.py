"""An engine on threads: what comes before it is loaded waits, as for an engine in a process."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from realtime.engines.engine import Cancel, Chunk, EngineSettings, Failure, Open, PromptStats
from realtime.engines.thread import ThreadEngine
from realtime.engines.tone import ToneSynthesizer
from realtime.errors import EngineError
from realtime.types import VoiceReference
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
