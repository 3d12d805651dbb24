"""An engine that is loaded on demand: who waits for it, who is let down, and when it is given back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import numpy as np
import pytest

from realtime.engines.engine import (
    Cancel,
    Capabilities,
    Chunk,
    Command,
    Event,
    Failure,
    Feed,
    Finish,
    Freed,
    Grant,
    LoadState,
    Open,
    Stats,
)
from realtime.engines.ondemand import OnDemandEngine
from realtime.errors import EngineError
from realtime.types import AudioChunk, TextPiece
from tests.virtual_time import VirtualTimeLoop

ABLE = Capabilities("scripted", ("anna",), ("en",), 1000, takes="word")
LOAD_S = 20.0
STOP_S = 3.0
IDLE_S = 60.0


class Scripted:
    """Takes its time to load and to stop; says nothing that the test does not say for it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.number = len(house.made)
        self.commands: list[Command] = []
        self.forgotten: list[str] = []
        self.is_ready = True
        house.made.append(self)

    @property
    def capabilities(self) -> Capabilities:
        return ABLE

    @property
    def ready(self) -> bool:
        return self.is_ready

    async def start(self, on_event: Callable[[Event], None]) -> None:
        self.on_event = on_event
        self.house.note(f"start {self.number}")
        on_event(LoadState("loading", "weights", 0.5))
        await asyncio.sleep(LOAD_S)
        if self.house.fails:
            raise self.house.fails.pop(0)
        on_event(LoadState("loaded"))
        self.house.note(f"loaded {self.number}")

    def send(self, command: Command) -> None:
        self.commands.append(command)

    async def forget(self, voice_key: str) -> None:
        self.forgotten.append(voice_key)

    async def stop(self) -> None:
        self.house.note(f"stop {self.number}")
        await asyncio.sleep(STOP_S)
        self.house.note(f"stopped {self.number}")

    def say(self, utterance: int, milliseconds: int = 100) -> None:
        self.on_event(Chunk(utterance, AudioChunk(0, np.zeros(milliseconds, np.float32), 1000)))

    def free(self, utterance: int) -> None:
        self.on_event(Freed(utterance))


class House:
    """An engine on demand, what it has made, and when; and what those above have heard of it."""

    def __init__(self, *, preload: bool = False, idle_s: float = IDLE_S) -> None:
        self.made: list[Scripted] = []
        self.times: list[tuple[str, float]] = []
        self.fails: list[Exception] = []
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] = lambda event: None
        self.begun = asyncio.get_running_loop().time()
        self.engine = OnDemandEngine(partial(Scripted, self), ABLE, preload=preload, idle_s=idle_s)

    async def start(self) -> House:
        await self.engine.start(self._hear)
        return self

    def note(self, what: str) -> None:
        self.times.append((what, asyncio.get_running_loop().time() - self.begun))

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        self.on_event(event)

    def open(self, utterance: int) -> list[Command]:
        """An utterance as those above begin it."""
        commands: list[Command] = [
            Open(utterance, "anna", "en"),
            Feed(utterance, TextPiece(0, "Hello.", (0, 6), (), "en")),
            Grant(utterance, 5000, 7.0),
            Finish(utterance),
        ]
        for command in commands:
            self.engine.send(command)
        return commands

    @property
    def phases(self) -> list[str]:
        """What was told of loading."""
        return [event.phase for event in self.events if isinstance(event, LoadState)]

    def of(self, utterance: int) -> list[Event]:
        return [event for event in self.events if getattr(event, "utterance", None) == utterance]


def on_virtual_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test whose waits take no time."""

    def run() -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@on_virtual_time
async def test_the_first_who_opens_has_it_loaded_and_waits() -> None:
    house = await House().start()
    assert house.made == [] and house.engine.ready and house.engine.capabilities is ABLE
    assert house.events == [LoadState("unloaded")]
    await asyncio.sleep(5)
    commands = house.open(1)
    later = house.open(2)
    assert house.made == [], "nothing is done before the loop has its turn"
    await asyncio.sleep(LOAD_S / 2)
    assert len(house.made) == 1 and house.made[0].commands == [] and house.engine.ready
    assert house.events[1:] == [LoadState("loading"), LoadState("loading", "weights", 0.5)]
    await asyncio.sleep(LOAD_S / 2 + 1)
    assert house.made[0].commands == [*commands, *later]
    assert house.phases[-1] == "loaded"
    house.made[0].say(1)
    house.made[0].say(1)
    first, second = house.of(1)
    assert isinstance(first, Chunk) and first.load_s > 0, (
        "how long it had to wait is told with its first sound"
    )
    assert isinstance(second, Chunk) and second.load_s == 0
    house.open(3)
    house.made[0].say(3)
    assert [each.load_s for each in house.of(3) if isinstance(each, Chunk)] == [0.0]
    await house.engine.stop()
    assert len(house.made) == 1


@on_virtual_time
async def test_it_can_be_loaded_at_the_start() -> None:
    house = await House(preload=True).start()
    assert house.times == [("start 0", 0.0), ("loaded 0", LOAD_S)] and house.phases[-1] == "loaded"
    commands = house.open(1)
    assert house.made[0].commands == commands
    await house.engine.stop()


@on_virtual_time
async def test_a_start_that_fails_says_so() -> None:
    house = House(preload=True)
    house.fails = [EngineError("no such card")]
    with pytest.raises(EngineError, match="no such card"):
        await house.start()
    assert not house.engine.ready
    await house.engine.stop()
    assert [what for what, _ in house.times] == ["start 0", "stop 0", "stopped 0"]


@on_virtual_time
async def test_who_cancels_while_it_loads_is_free_at_once_and_leaves_the_others_waiting() -> None:
    house = await House().start()
    house.open(1)
    commands = house.open(2)
    await asyncio.sleep(1)
    house.engine.send(Cancel(1))
    house.engine.send(Cancel(1))
    house.engine.send(Grant(1, 9000, 8.0))  # what was on its way
    assert house.of(1) == []
    await asyncio.sleep(0)
    assert house.of(1) == [Freed(1)]
    await asyncio.sleep(LOAD_S)
    assert house.made[0].commands == commands and house.of(1) == [Freed(1)]
    house.made[0].free(2)
    await asyncio.sleep(2 * IDLE_S)
    # Nobody was left: it is loaded all the same, and unloaded in its time.
    house.open(3)
    house.engine.send(Cancel(3))
    await asyncio.sleep(LOAD_S + 1)
    assert house.phases[-1] == "loaded" and house.made[1].commands == []
    await asyncio.sleep(IDLE_S + STOP_S)
    assert house.phases[-1] == "unloaded"


@on_virtual_time
async def test_a_load_that_fails_lets_down_who_waits_and_is_tried_again_for_the_next() -> None:
    house = await House().start()
    house.fails = [EngineError("out of memory"), ValueError("a secret of the inside")]
    house.open(1)
    house.open(2)
    await asyncio.sleep(LOAD_S + STOP_S + 1)
    for utterance in (1, 2):
        assert house.of(utterance) == [Failure(utterance, "out of memory"), Freed(utterance)]
    assert house.phases[-1] == "unloaded" and house.engine.ready
    await asyncio.sleep(100)
    assert len(house.made) == 1, "nobody asks"
    house.open(3)
    await asyncio.sleep(LOAD_S + STOP_S + 1)
    assert house.of(3) == [Failure(3, "the engine could not be loaded"), Freed(3)]
    commands = house.open(4)
    await asyncio.sleep(LOAD_S + 1)
    assert house.made[2].commands == commands and house.phases[-1] == "loaded"
    assert [what for what, _ in house.times if "stop" in what] == [
        f"{what} {number}" for number in (0, 1) for what in ("stop", "stopped")
    ]


@on_virtual_time
async def test_who_opens_again_when_told_of_a_failure_waits_for_the_next_load() -> None:
    house = await House().start()
    house.fails = [EngineError("out of memory")]

    def again(event: Event) -> None:
        if isinstance(event, Failure):
            house.open(event.utterance + 10)

    house.on_event = again
    house.open(1)
    house.open(2)
    await asyncio.sleep(LOAD_S + STOP_S + 0.5)
    assert len(house.made) == 2 and house.of(11) == house.of(12) == []
    await asyncio.sleep(LOAD_S)
    opened = [command.utterance for command in house.made[1].commands if isinstance(command, Open)]
    assert opened == [11, 12] and len(house.made) == 2


@on_virtual_time
async def test_it_is_unloaded_so_long_after_the_last_sound() -> None:
    """Whoever asked for that: a request that made none, or has ended since, changes nothing."""
    house = await House(preload=True).start()
    (scripted,) = house.made
    house.open(1)
    for _ in range(3):
        await asyncio.sleep(IDLE_S / 2)
        scripted.say(1)
    spoke_at = asyncio.get_running_loop().time() - house.begun
    await asyncio.sleep(IDLE_S / 4)
    scripted.free(1)
    house.open(2)
    await asyncio.sleep(IDLE_S / 4)
    scripted.say(2, 0)  # nothing to say is no sound
    scripted.free(2)
    await asyncio.sleep(IDLE_S)
    assert house.times[2:] == [("stop 0", spoke_at + IDLE_S), ("stopped 0", spoke_at + IDLE_S + STOP_S)]
    assert house.phases[-1] == "unloaded" and house.engine.ready
    assert [event for event in house.events if isinstance(event, Stats)] == [Stats(0, 0, 0)]


@on_virtual_time
async def test_it_stays_while_anything_is_open() -> None:
    house = await House(preload=True).start()
    house.open(1)
    await asyncio.sleep(10 * IDLE_S)
    assert house.phases[-1] == "loaded"
    house.made[0].free(1)  # the last sound is long ago
    await asyncio.sleep(STOP_S + 1)
    assert house.phases[-1] == "unloaded"


@on_virtual_time
async def test_one_that_nobody_has_used_is_unloaded_as_well() -> None:
    house = await House(preload=True).start()
    await asyncio.sleep(IDLE_S + STOP_S + 1)
    assert house.times[-2:] == [("stop 0", LOAD_S + IDLE_S), ("stopped 0", LOAD_S + IDLE_S + STOP_S)]


@on_virtual_time
async def test_without_a_time_it_is_never_unloaded() -> None:
    house = await House(preload=True, idle_s=0).start()
    house.open(1)
    house.made[0].say(1)
    house.made[0].free(1)
    await asyncio.sleep(1_000_000)
    assert house.phases[-1] == "loaded"
    await house.engine.stop()


@on_virtual_time
async def test_who_comes_while_it_unloads_waits_for_both() -> None:
    """Never are two of them there, for which there may be no room."""
    house = await House(preload=True).start()
    await asyncio.sleep(IDLE_S + STOP_S / 2)
    commands = house.open(1)
    assert house.times[-1][0] == "stop 0" and house.engine.ready
    await asyncio.sleep(STOP_S + LOAD_S)
    stopped = LOAD_S + IDLE_S + STOP_S
    assert house.times[-3:] == [("stopped 0", stopped), ("start 1", stopped), ("loaded 1", stopped + LOAD_S)]
    assert house.made[1].commands == commands and house.made[0].commands == []
    assert house.phases[-3:] == ["loading", "loading", "loaded"]
    house.made[1].say(1)
    (sound,) = house.of(1)
    assert isinstance(sound, Chunk)
    # And who cancels then is free at once.
    house.made[1].free(1)
    await asyncio.sleep(IDLE_S + 1)
    house.open(2)
    house.engine.send(Cancel(2))
    await asyncio.sleep(0)
    assert house.of(2) == [Freed(2)]
    await house.engine.stop()


@on_virtual_time
async def test_it_is_loaded_and_unloaded_again_and_again() -> None:
    house = await House().start()
    for number in range(4):
        house.open(number)
        await asyncio.sleep(LOAD_S + 1)
        house.made[number].say(number)
        house.made[number].free(number)
        await asyncio.sleep(IDLE_S + STOP_S + 1)
        assert house.phases[-1] == "unloaded" and len(house.made) == number + 1
    assert not house.engine._open and not house.engine._waiting
    assert not house.engine._load_times._opened and not house.engine._load_times._waited


@on_virtual_time
async def test_while_what_runs_is_replaced_it_is_not_ready() -> None:
    house = await House(preload=True).start()
    house.made[0].is_ready = False
    assert not house.engine.ready
    house.made[0].on_event(LoadState("loading", "weights", 0.1))
    house.made[0].on_event(LoadState("loaded"))
    assert house.phases[-2:] == ["loading", "loaded"]
    house.made[0].is_ready = True
    assert house.engine.ready
    await house.engine.stop()
    assert not house.engine.ready


@on_virtual_time
async def test_a_recording_is_forgotten_whether_it_is_loaded_or_not() -> None:
    house = await House().start()
    await house.engine.forget("a")  # what lies on the disk
    assert house.made.pop().forgotten == ["a"] and house.times == []
    house.open(1)
    await asyncio.sleep(1)
    await house.engine.forget("b")
    await asyncio.sleep(LOAD_S)
    await house.engine.forget("c")
    assert house.made[0].forgotten == ["b", "c"]
    await house.engine.stop()


@on_virtual_time
async def test_a_stop_gives_back_all_there_is() -> None:
    """While it loads, while it unloads, and what waits for either; and says nothing of it."""
    for wait_s in (0.0, 1.0, LOAD_S + 1, LOAD_S + IDLE_S + 1, LOAD_S + IDLE_S + STOP_S + 1):
        house = await House().start()
        house.open(1)
        if wait_s > LOAD_S:
            house.on_event = lambda event: None
            await asyncio.sleep(LOAD_S + 0.5)
            house.made[0].free(1)
            await asyncio.sleep(wait_s - LOAD_S - 0.5)
            house.open(2)
        else:
            await asyncio.sleep(wait_s)
        heard = len(house.of(1)) + len(house.of(2))
        await house.engine.stop()
        begun = [what.split()[1] for what, _ in house.times if what.startswith("start")]
        stopped = [what.split()[1] for what, _ in house.times if what.startswith("stopped")]
        assert stopped == begun and len(begun) <= 1, "nothing runs any more when it returns"
        await asyncio.sleep(100)
        assert len(house.of(1)) + len(house.of(2)) == heard
        house.open(3)
        await asyncio.sleep(100)
        assert len(house.made) == len(begun), "nothing is loaded after the end"
