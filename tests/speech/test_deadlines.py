"""Many listeners and one engine, in virtual time: who gets its sound first, and that nobody starves."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.audio.formats import PcmS16leEncoder
from realtime.engines.engine import Cancel, Chunk, Command, Feed, Finish, Freed, Grant, Open
from realtime.speech.cache import AudioCache
from realtime.speech.pace import NEWCOMER_S
from realtime.speech.scheduler import Scheduler
from realtime.speech.speaker import Speaker, Studio
from realtime.speech.synthesis import Syntheses
from realtime.speech.text_feed import TextTurns
from realtime.speech.timeline import Timeline
from realtime.text.frontend import Frontend, TextOptions
from realtime.types import TIMELINE_RATE, AudioChunk, Failed, Finished, Packet, VoiceSettings
from tests.speech.by_hand import RATE, HandEngine
from tests.virtual_time import AtOnce, LoopClock, VirtualTimeLoop

#: The engine makes sound in steps: so much in one, which takes it so long.
STEP_MS = 400
SOUND = np.full(RATE * STEP_MS // 1000, 0.5, np.float32)
STEPS_OF_SEGMENT = 5
PACKET_MS = 50
VOICE = VoiceSettings("hand", "en", cache=False)
SYLLABLES = ("ba", "de", "fi", "go", "lu", "ma", "ne", "ri", "so", "tu")
#: Encoding makes whole packets, and a deadline that hardly moves is not told.
NEARLY_S = 0.15


@dataclass
class _Work:
    """An utterance of the engine."""

    steps: int = 0
    made: int = 0
    granted_ms: int = 0
    deadline: float = 0.0
    is_finished: bool = False

    def can_go_on(self) -> bool:
        return self.made < self.steps and self.made * STEP_MS < self.granted_ms


class OneWorker(HandEngine):
    """Does one step at a time, of the utterance with the earliest deadline."""

    def __init__(self, step_s: float, on_pick: Callable[[str], None]) -> None:
        super().__init__()
        self.step_s = step_s
        self.on_pick = on_pick
        self.works: dict[int, _Work] = {}
        self.texts: dict[int, str] = {}
        self.on_command = self._on_command
        self.wake = asyncio.Event()

    def _on_command(self, command: Command) -> None:
        work = self.works.get(command.utterance)
        if isinstance(command, Open):
            self.works[command.utterance] = _Work()
        elif work is None:
            return
        elif isinstance(command, Feed):
            work.steps += STEPS_OF_SEGMENT
            self.texts[command.utterance] = command.piece.text
        elif isinstance(command, Grant):
            work.granted_ms, work.deadline = max(work.granted_ms, command.audio_ms), command.deadline
        elif isinstance(command, Finish):
            work.is_finished = True
        elif isinstance(command, Cancel):
            del self.works[command.utterance]
            asyncio.get_running_loop().call_soon(self.on_event, Freed(command.utterance))
        self.wake.set()

    async def work(self) -> None:
        while True:
            able = {number: work.deadline for number, work in self.works.items() if work.can_go_on()}
            if not able:
                self.wake.clear()
                await self.wake.wait()
                continue
            number = min(able, key=able.__getitem__)
            self.on_pick(self.texts[number])
            work = self.works[number]
            await asyncio.sleep(self.step_s)
            if number not in self.works:
                continue
            work.made += 1
            last = work.made % STEPS_OF_SEGMENT == 0
            self.on_event(
                Chunk(number, AudioChunk(0, SOUND, RATE, last_of_segment=last), infer_s=self.step_s)
            )
            for _ in range(20):  # until it was taken
                await asyncio.sleep(0)


@dataclass
class Person:
    """Listens to one text, and plays it as it comes."""

    name: str
    clock: LoopClock
    max_lead_ms: float = math.inf
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    speaker: Speaker = field(init=False)
    asked_at: float = math.inf
    waits_from: float = math.inf
    first_at: float = math.inf
    dry: float = -math.inf
    left_s: float | None = None  # what it had left when it paused
    silent_s: float = 0.0
    longest_silence_s: float = 0.0
    is_over: bool = False

    def on_output(self) -> None:
        self.changed.set()

    def dry_at(self) -> float:
        if self.left_s is not None:
            return math.inf
        return self.dry if self.dry > -math.inf else self.clock.now()

    def lead_ms(self) -> float:
        if self.left_s is not None:
            return self.left_s * 1000
        return max(0.0, self.dry - self.clock.now()) * 1000

    def credit_ms(self) -> float:
        return max(0.0, self.max_lead_ms - self.lead_ms())

    def needs_at(self) -> float:
        """When it runs dry of all it has and that waits for it."""
        waiting_s = self.speaker._pace.waiting_ms / 1000
        return (max(self.dry_at(), self.clock.now()) if waiting_s else self.dry_at()) + waiting_s

    def is_new(self) -> bool:
        return self.speaker.timing.first_text is not None and self.speaker.timing.first_pcm is None

    def pause(self) -> None:
        if self.left_s is None:
            self.left_s = self.lead_ms() / 1000
            self.speaker.on_credit()

    def go_on(self) -> None:
        if self.left_s is not None:
            self.waits_from = self.clock.now()
            self.dry, self.left_s = self.clock.now() + self.left_s, None
            self.changed.set()
            self.speaker.on_credit()

    async def listen(self, text: str) -> None:
        self.asked_at = self.waits_from = self.clock.now()
        self.speaker.append(text)
        self.speaker.end()
        self.speaker.take_turn()
        task = asyncio.create_task(self.speaker.run())
        try:
            while not self.is_over:
                self.changed.clear()
                await self._take_all()
                if not self.is_over:
                    await self._wait()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _take_all(self) -> None:
        while self.left_s is None and (event := self.speaker.peek()) is not None:
            if isinstance(event, Packet) and self.credit_ms() <= 0:
                return
            self.speaker.take()
            now = self.clock.now()
            if isinstance(event, Packet):
                self.first_at = min(self.first_at, now)
                if now > self.dry > -math.inf:
                    self.silent_s += now - self.dry
                    self.longest_silence_s = max(self.longest_silence_s, now - self.dry)
                self.dry = max(self.dry, now) + event.duration / TIMELINE_RATE
            self.is_over = isinstance(event, Finished | Failed)
            assert not isinstance(event, Failed)

    async def _wait(self) -> None:
        """For sound, or until there is room again for what waits."""
        low_ms = self.max_lead_ms - min(self.max_lead_ms / 4, 2000)
        rest_s = (
            (self.lead_ms() - low_ms) / 1000 if self.credit_ms() <= 0 and self.left_s is None else math.inf
        )
        try:
            async with asyncio.timeout(None if rest_s == math.inf else rest_s + 0.001):
                await self.changed.wait()
        except TimeoutError:
            self.speaker.on_credit()


class World:
    """Whoever listens, and one engine for all."""

    def __init__(self, step_s: float) -> None:
        self.clock = LoopClock()
        self.people: dict[str, Person] = {}
        self.engine = OneWorker(step_s, self.check_pick)
        self.scheduler = Scheduler(self.engine, self.clock, 1000)
        self.studio = Studio(
            self.scheduler,
            Syntheses(AudioCache(0, 0), self.clock),
            "",
            AtOnce(),
            self.clock,
            TextTurns(self.clock),
            buffer_ms=10_000,
        )
        self.picks: list[tuple[float, str]] = []

    def person(self, max_lead_ms: float = math.inf) -> Person:
        name = "".join(SYLLABLES[int(digit)] for digit in str(len(self.people))).capitalize()
        person = Person(name, self.clock, max_lead_ms)
        timeline = Timeline(PcmS16leEncoder(RATE, PACKET_MS))
        person.speaker = Speaker(self.studio, VOICE, Frontend(TextOptions("en")), timeline, person)
        self.people[person.name] = person
        return person

    @staticmethod
    def text(person: Person, segments: int) -> str:
        return " ".join(f"{person.name} says the {number}." for number in range(segments))

    def check_pick(self, text: str) -> None:
        """The engine goes on with this: nobody needed it sooner."""
        now = self.clock.now()
        chosen = self.people[text.split()[0]]
        self.picks.append((now, chosen.name))
        newcomers = [each for each in self.people.values() if each.is_new() and each.left_s is None]
        if chosen.left_s is not None:
            assert not newcomers, "who has paused needs nothing"
        elif chosen.is_new():
            assert chosen.waits_from <= min(each.waits_from for each in newcomers), "first come, first served"
            for each in self.people.values():
                if not each.is_new() and self._could_be_chosen(each):
                    left_s = each.needs_at() - chosen.waits_from
                    assert left_s >= NEWCOMER_S - NEARLY_S, "who would run dry goes before a newcomer"
        elif newcomers:
            waits_from = min(each.waits_from for each in newcomers)
            left_s = chosen.needs_at() - waits_from
            assert left_s <= NEWCOMER_S + NEARLY_S, "a newcomer goes before those who have sound left"

    def _could_be_chosen(self, person: Person) -> bool:
        mine = [n for n, text in self.engine.texts.items() if text.split()[0] == person.name]
        works = [self.engine.works[number] for number in mine if number in self.engine.works]
        return any(work.can_go_on() for work in works)

    async def run(self, *lives: Coroutine[Any, Any, None]) -> None:
        await self.scheduler.start()
        worker = asyncio.create_task(self.engine.work())
        try:
            async with asyncio.TaskGroup() as tasks:
                for life in lives:
                    tasks.create_task(life)
                tasks.create_task(self._watch(worker))
                self.lives = len(lives)
        finally:
            worker.cancel()
        await asyncio.sleep(0.01)
        assert (self.scheduler.admitted, self.scheduler.queue_depth) == (0, 0)
        assert not self.scheduler._held and not self.scheduler._listeners

    async def _watch(self, worker: asyncio.Task[None]) -> None:
        """A mistake that the worker finds ends the test."""
        while not all(person.is_over for person in self.people.values()):
            if worker.done():
                await worker
            await asyncio.sleep(0.5)


def play(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(story())


def test_newcomers_go_before_all_who_have_sound_left() -> None:
    """Twenty who listen already, at three quarters of what the engine can do."""

    async def story() -> None:
        world = World(step_s=0.015)
        steady = [world.person(max_lead_ms=4000) for _ in range(20)]
        late = [world.person() for _ in range(10)]

        async def come(number: int, person: Person) -> None:
            await asyncio.sleep(5 + number * 0.7)
            await person.listen(world.text(person, 1))

        await world.run(
            *(person.listen(world.text(person, 10)) for person in steady), *map(come, itertools.count(), late)
        )
        assert all(person.first_at - person.asked_at < 0.015 * 3 for person in late), "two steps at most"
        assert all(person.longest_silence_s == 0 for person in steady)

    play(story)


def test_nobody_starves_behind_newcomers() -> None:
    """There are more of them than can be served: those who listen are late, but no later than they."""

    async def story() -> None:
        world = World(step_s=0.1)
        steady = [world.person() for _ in range(2)]
        many = [world.person() for _ in range(200)]

        async def come(number: int, person: Person) -> None:
            await asyncio.sleep(1 + number * 0.1)
            await person.listen(world.text(person, 1))

        await world.run(
            *(person.listen(world.text(person, 5)) for person in steady), *map(come, itertools.count(), many)
        )
        longest_wait_s = max(person.first_at - person.asked_at for person in many)
        for person in steady:
            assert person.longest_silence_s <= longest_wait_s + 0.1 * 2

    play(story)


def test_a_paused_listener_is_in_nobodys_way_and_goes_on_in_time() -> None:
    async def story() -> None:
        world = World(step_s=0.1)
        paused, other = world.person(), world.person()

        async def pause() -> None:
            await asyncio.sleep(1.0)
            paused.pause()
            await asyncio.sleep(8.0)
            paused.go_on()

        async def come() -> None:
            await asyncio.sleep(2.0)
            await other.listen(world.text(other, 4))

        await world.run(paused.listen(world.text(paused, 10)), pause(), come())
        begun, ended = other.asked_at, max(now for now, name in world.picks if name == other.name)
        names = [name for now, name in world.picks if begun < now < ended]
        assert set(names) == {other.name}, "all that the other needs comes first"
        assert paused.longest_silence_s == 0

    play(story)


def test_who_is_far_enough_ahead_holds_on_to_no_worker() -> None:
    async def story() -> None:
        world = World(step_s=0.01)
        person = world.person(max_lead_ms=3000)
        task = asyncio.create_task(world.run(person.listen(world.text(person, 20))))
        while not person.is_over:
            await asyncio.sleep(0.02)
            made_ms = person.speaker.synthesized_ms
            taken_ms = (person.dry - person.first_at) * 1000 if person.first_at < math.inf else 0.0
            assert person.lead_ms() <= 3000 + PACKET_MS, "to the packet"
            # A step cannot be stopped, and the next segment may be begun.
            assert made_ms - taken_ms <= max(0.0, 3000 - person.lead_ms()) + STEP_MS * 2 + PACKET_MS
        await task
        assert person.longest_silence_s == 0

    play(story)


@settings(deadline=None, max_examples=25)
@given(
    step_ms=st.integers(5, 300),
    people=st.lists(
        st.tuples(
            st.floats(0, 20, width=16),
            st.integers(1, 3),
            st.sampled_from([math.inf, 500.0, 2000.0, 10_000.0]),
            st.none() | st.tuples(st.floats(0, 5, width=16), st.floats(0, 5, width=16)),
        ),
        min_size=1,
        max_size=12,
    ),
)
def test_whoever_comes_and_pauses_the_engine_works_for_who_needs_it_most(
    step_ms: int, people: list[tuple[float, int, float, tuple[float, float] | None]]
) -> None:
    async def story() -> None:
        world = World(step_ms / 1000)

        async def live(
            comes_at: float, segments: int, lead_ms: float, pause: tuple[float, float] | None
        ) -> None:
            person = world.person(lead_ms)
            await asyncio.sleep(comes_at)
            listening = asyncio.create_task(person.listen(world.text(person, segments)))
            if pause is not None:
                await asyncio.sleep(pause[0])
                person.pause()
                await asyncio.sleep(pause[1])
                person.go_on()
            await listening

        await world.run(*itertools.starmap(live, people))
        assert all(person.is_over for person in world.people.values())

    play(story)
