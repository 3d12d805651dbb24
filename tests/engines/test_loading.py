"""What a synthesizer says of its loading reaches those above, though no more of it than anybody reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from realtime.engines import process
from realtime.engines.engine import EngineSettings, Event, LoadState, ModelSettings
from realtime.engines.loading import LoadLog, LoadTimes, Progress, report_to
from realtime.engines.process import ProcessEngine
from realtime.engines.synthesizer import ReportsProgress
from realtime.engines.thread import ThreadEngine
from realtime.engines.tone import ToneSynthesizer
from realtime.errors import EngineError
from tests.app.pretending import MODULE, PretendedModel, write_settings
from tests.wire_client import eventually

FACTORY = f"{MODULE}:make"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a model that is pretended."""
    return write_settings(tmp_path / "model")


def settings_of(folder: Path) -> EngineSettings:
    return EngineSettings(model=ModelSettings(str(folder)))


class TestProgress:
    @pytest.fixture(autouse=True)
    def told(self) -> None:
        self.now = 100.0
        self.heard: list[tuple[str, float]] = []
        self.progress = Progress(lambda what, fraction: self.heard.append((what, fraction)), lambda: self.now)

    def test_it_is_told_twice_a_second(self) -> None:
        for number in range(80):
            self.progress("weights", number / 100)
            self.now += 0.125
        assert self.heard == [("weights", number / 100) for number in range(0, 80, 4)]

    def test_something_else_and_an_end_are_told_at_once(self) -> None:
        for what, fraction in (("a", 0.0), ("a", 0.5), ("b", 0.1), ("b", 1.0), ("b", 1.0), ("c", 1.0)):
            self.progress(what, fraction)
        assert self.heard == [("a", 0.0), ("b", 0.1), ("b", 1.0), ("c", 1.0)]

    def test_it_is_no_less_than_nothing_and_no_more_than_all(self) -> None:
        self.progress("a", -1)
        self.progress("b", 7)
        assert self.heard == [("a", 0.0), ("b", 1.0)]


def test_a_synthesizer_that_says_nothing_is_left_alone() -> None:
    synthesizer = ToneSynthesizer()
    assert not isinstance(synthesizer, ReportsProgress)
    report_to(synthesizer, lambda what, fraction: None)
    assert not hasattr(synthesizer, "on_progress")


def test_the_log_has_a_few_lines_of_it() -> None:
    with structlog.testing.capture_logs() as lines:
        log = LoadLog()
        for what in ("download", "weights"):
            for percent in range(101):
                log.note(LoadState("loading", what, percent / 100))
            log.note(LoadState("loading", what, 1.0))
    assert [(line["what"], line["percent"]) for line in lines] == [
        (what, percent) for what in ("download", "weights") for percent in (0, 25, 50, 75, 100)
    ]


def test_who_waits_no_more_is_not_remembered() -> None:
    times = LoadTimes()
    for utterance in (1, 2, 3):
        times.opened(utterance)
    assert times.take(1) == 0.0
    times.loaded()
    assert times.take(2) > 0 and times.take(2) == 0.0 and times.take(1) == 0.0
    assert times._opened == {} and set(times._waited) == {3}


async def loaded(engine: ProcessEngine | ThreadEngine, go_on: Callable[[], None]) -> list[Event]:
    """What it tells while it is started; `go_on` is called when it has said that it is at its weights."""
    events: list[Event] = []
    starting = asyncio.create_task(engine.start(events.append))
    try:
        await eventually(lambda: bool(events) or starting.done())
        go_on()
        await starting
        return [event for event in events if isinstance(event, LoadState)]
    finally:
        await engine.stop()


AT_WEIGHTS = LoadState("loading", "weights", 0.42)
DONE = [LoadState("loading", "weights", 1.0), LoadState("loaded")]


async def test_a_process_tells_how_far_it_is(folder: Path) -> None:
    (folder / "hold").touch()
    engine = ProcessEngine(FACTORY, 1, 20.0, settings_of(folder))
    events = await loaded(engine, (folder / "hold").unlink)
    assert events[0] == AT_WEIGHTS and events[-2:] == DONE
    assert set(events[:-2]) == {AT_WEIGHTS}


async def test_a_thread_tells_how_far_it_is(folder: Path) -> None:
    (folder / "hold").touch()
    events = await loaded(ThreadEngine(PretendedModel(settings_of(folder)), 1), (folder / "hold").unlink)
    assert events[0] == AT_WEIGHTS and events[-2:] == DONE


async def test_a_load_may_take_long_as_long_as_it_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tells twice a second; a limit of one and a half is passed twice."""
    (folder / "hold").touch()
    engine = ProcessEngine(FACTORY, 1, 20.0, settings_of(folder))
    events: list[Event] = []
    starting = asyncio.create_task(engine.start(events.append))
    await eventually(lambda: bool(events))
    monkeypatch.setattr(process, "_LOAD_S", 1.5)  # not before: a new process may take longer
    await eventually(lambda: len(events) >= 8)
    assert not starting.done()
    (folder / "hold").unlink()
    await starting
    await engine.stop()


async def test_a_load_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_LOAD_S", 0.5)
    engine = ProcessEngine("tests.engines.faulty:make_slow", 1, 20.0)
    with pytest.raises(EngineError, match=r"the engine was not loaded after 0\.5 s"):
        await engine.start(lambda event: None)
    await engine.stop()
