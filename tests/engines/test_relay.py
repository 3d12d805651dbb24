"""An utterance that several voices speak: order, grants and endings, over engines that do all they may."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.engines.engine import (
    Cancel,
    Capabilities,
    Chunk,
    Command,
    Event,
    Failure,
    Feed,
    Finish,
    Flush,
    Freed,
    Grant,
    Open,
)
from realtime.engines.relay import Relay, Soon
from realtime.engines.routed import Part, RoutedEngine
from realtime.engines.wire import decode_from_parent, encode_message
from realtime.types import AudioChunk, TextPiece

RATE = 24_000
VOICES = (("en", "anna"), ("de", "bert"), ("fr", "carl"))


def piece(segment: int, language: str, last: bool = True) -> TextPiece:
    return TextPiece(segment, f"Text {segment}.", (0, 7), (), language, last_of_segment=last)


def sound(segment: int, ms: float, last: bool = True) -> AudioChunk:
    return AudioChunk(segment, np.zeros(round(ms * RATE / 1000), np.float32), RATE, last_of_segment=last)


def made_ms(audio: AudioChunk) -> float:
    return len(audio.pcm) * 1000 / audio.sample_rate


# -- the relay alone ------------------------------------------------------------------------------------


def relay(voices: tuple[tuple[str, str], ...] = VOICES) -> Relay:
    numbers = iter(range(-1, -100, -1))
    return Relay(Open(7, "anna", "en", 5, voices), lambda: next(numbers))


def test_a_text_of_one_language_is_one_run() -> None:
    one = relay()
    assert one.command(Grant(7, 500, 3.0)) == []
    first, second = piece(0, "en"), piece(1, "en")
    assert one.command(Feed(7, first)) == [
        Soon("anna"),
        Open(-1, "anna", "en", 5),
        Grant(-1, 500, 3.0),
        Feed(-1, first),
    ]
    assert one.command(Feed(7, second)) == [Feed(-1, second)], "it goes through at once"
    assert one.command(Grant(7, 800, 4.0)) == [Grant(-1, 800, 4.0)]
    assert one.command(Finish(7)) == [Finish(-1)]
    (told,) = one.event(Chunk(-1, sound(0, 20), 0.25, 0.5))
    assert isinstance(told, Chunk) and (told.utterance, told.queue_s, told.infer_s) == (7, 0.25, 0.5)
    assert one.event(Freed(-1)) == [Freed(7)]


def test_another_voice_waits_for_all_sound_before_it() -> None:
    one = relay()
    one.command(Grant(7, 100, 3.0))
    one.command(Feed(7, piece(0, "en")))
    one.command(Feed(7, piece(1, "en")))
    german = piece(2, "de")
    assert one.command(Feed(7, german)) == [Soon("bert")]
    assert len(one.event(Chunk(-1, sound(0, 30)))) == 1
    assert len(one.event(Chunk(-1, sound(1, 30.5, last=False)))) == 1
    told, *commands = one.event(Chunk(-1, sound(1, 10)))
    assert isinstance(told, Chunk)
    assert commands == [Finish(-1), Open(-2, "bert", "de", 5), Grant(-2, 30, 3.0), Feed(-2, german)]
    assert one.event(Freed(-1)) == [], "the utterance goes on"
    assert one.command(Finish(7)) == [Finish(-2)]
    assert one.event(Freed(-2)) == [Freed(7)]


def test_text_for_the_voice_that_speaks_waits_behind_text_for_another() -> None:
    one = relay()
    for number, language in enumerate(("en", "de", "en")):
        one.command(Feed(7, piece(number, language)))
    _, finish, opened, _, fed = one.event(Chunk(-1, sound(0, 10)))
    assert finish == Finish(-1) and opened == Open(-2, "bert", "de", 5) and fed == Feed(-2, piece(1, "de"))
    one.command(Finish(7))
    _, finish, opened, _, fed, end = one.event(Chunk(-2, sound(1, 10)))
    assert finish == Finish(-2) and opened == Open(-3, "anna", "en", 5) and fed == Feed(-3, piece(2, "en"))
    assert end == Finish(-3)


def test_a_flush_keeps_its_place_in_the_text() -> None:
    one = relay()
    assert one.command(Flush(7)) == [], "there is nothing"
    one.command(Feed(7, piece(0, "en")))
    assert one.command(Flush(7)) == [Flush(-1)], "it goes through at once"
    one.command(Feed(7, piece(1, "de")))
    assert one.command(Flush(7)) == [], "that text waits, and so does its flush"
    one.command(Feed(7, piece(2, "de")))
    *_, fed, flush, then = one.event(Chunk(-1, sound(0, 10)))
    assert (fed, flush, then) == (Feed(-2, piece(1, "de")), Flush(-2), Feed(-2, piece(2, "de")))


@pytest.mark.parametrize(("language", "voice"), [("en", "anna"), ("pl", "anna"), ("fr", "carl")])
def test_who_speaks_a_language(language: str, voice: str) -> None:
    one = relay((*VOICES, ("en", "dora")))  # the voice of the utterance speaks its own language
    _, opened, *_ = one.command(Feed(7, piece(0, language)))
    assert opened == Open(-1, voice, language if language != "pl" else "en", 5)


def test_a_segment_in_parts_is_spoken_by_one_voice() -> None:
    one = relay()
    one.command(Feed(7, piece(0, "de", last=False)))
    rest = piece(0, "en")
    assert one.command(Feed(7, rest)) == [Soon("anna"), Feed(-1, rest)]


def test_a_segment_is_not_over_before_its_last_part_has_sounded() -> None:
    one = relay()
    one.command(Feed(7, piece(0, "en", last=False)))
    one.event(Chunk(-1, sound(0, 10, last=False)))
    one.command(Feed(7, piece(0, "en")))
    assert one.command(Feed(7, piece(1, "de"))) == [Soon("bert")]
    assert Open(-2, "bert", "de", 5) in one.event(Chunk(-1, sound(0, 10)))


@pytest.mark.parametrize("command", [Finish(7), Cancel(7)])
def test_without_text_it_is_free_at_once(command: Command) -> None:
    one = relay()
    one.command(Grant(7, 100, 3.0))
    assert one.command(command) == [Freed(7)]
    for later in (Feed(7, piece(0, "en")), Grant(7, 200, 4.0), Finish(7), Cancel(7)):
        assert one.command(later) == []


def test_a_cancel_reaches_every_run_that_is_held() -> None:
    one = relay()
    one.command(Feed(7, piece(0, "en")))
    one.command(Feed(7, piece(1, "de")))
    one.event(Chunk(-1, sound(0, 10)))
    assert one.command(Cancel(7)) == [Cancel(-2), Cancel(-1)]
    assert one.event(Chunk(-2, sound(1, 10))) == [] and one.event(Freed(-2)) == []
    assert one.event(Freed(-1)) == [Freed(7)]


def test_a_failure_ends_the_utterance_once() -> None:
    one = relay()
    one.command(Feed(7, piece(0, "en")))
    one.command(Feed(7, piece(1, "de")))
    one.event(Chunk(-1, sound(0, 10)))
    assert one.event(Failure(-2, "it broke")) == [Failure(7, "it broke"), Cancel(-1)]
    assert one.event(Failure(-1, "this too")) == []
    assert one.event(Freed(-2)) == [] and one.event(Freed(-1)) == [Freed(7)]


def test_a_run_that_is_lost_loses_the_utterance() -> None:
    """Also when another run has sounded: those above know what was heard."""
    one = relay()
    one.command(Feed(7, piece(0, "en")))
    assert one.event(Failure(-1, "gone", lost=True, begun=False))[0] == Failure(7, "gone", True, False)
    one = relay()
    one.command(Feed(7, piece(0, "en")))
    one.command(Feed(7, piece(1, "de")))
    one.event(Chunk(-1, sound(0, 10)))
    assert one.event(Failure(-2, "gone", lost=True)) == [Failure(7, "gone", True, True), Cancel(-1)]


def test_a_run_that_was_spoken_cannot_fail_any_more() -> None:
    one = relay()
    one.command(Feed(7, piece(0, "en")))
    one.command(Feed(7, piece(1, "de")))
    one.event(Chunk(-1, sound(0, 10)))
    assert one.event(Failure(-1, "its process died")) == [] and one.event(Freed(-1)) == []
    assert isinstance(one.event(Chunk(-2, sound(1, 10)))[0], Chunk)


def test_the_voices_cross_the_boundary_of_processes() -> None:
    request = Open(7, "anna", "en", 5, VOICES)
    assert decode_from_parent(encode_message(request)[4:]) == request
    assert decode_from_parent(encode_message(Open(7, "anna", "en"))[4:]) == Open(7, "anna", "en", 0, ())


# -- behind the contract, with engines that do in any order whatever they may ---------------------------


@dataclass(eq=False)
class Work:
    request: Open
    pieces: deque[TextPiece] = field(default_factory=deque)
    granted_ms: int = 0
    made_ms: float = 0.0
    deadline: float = 0.0
    finished: bool = False
    cancelled: bool = False

    def may_step(self) -> bool:
        return bool(self.pieces) and self.made_ms < self.granted_ms

    def is_over(self) -> bool:
        return self.cancelled or (self.finished and not self.pieces)


class FakeEngine:
    """Does nothing by itself, but for what it must tell at once when `eager`."""

    ready = True

    def __init__(self, voices: Iterable[str], eager: bool) -> None:
        self.capabilities = Capabilities("fake", tuple(voices), ("en",), RATE)
        self.eager = eager
        self.work: dict[int, Work] = {}
        self.seen: set[int] = set()
        self.emit: Callable[[Event], None] = lambda event: None

    async def start(self, on_event: Callable[[Event], None]) -> None:
        self.emit = on_event

    async def stop(self) -> None:
        """Nothing is held."""

    def send(self, command: Command) -> None:
        number = command.utterance
        if isinstance(command, Open):
            assert number not in self.seen, "a number is never used again"
            assert command.voice in self.capabilities.voices and not command.auto_voices
            self.seen.add(number)
            self.work[number] = Work(command)
            return
        work = self.work.get(number)
        if work is None or work.cancelled:
            return
        if isinstance(command, Feed):
            assert not work.finished
            work.pieces.append(command.piece)
        elif isinstance(command, Grant):
            work.granted_ms = max(work.granted_ms, command.audio_ms)
            work.deadline = command.deadline
        elif isinstance(command, Finish):
            assert not work.finished
            work.finished = True
        else:
            work.cancelled = True
            work.pieces.clear()
        if self.eager:
            self.free(number)

    def free(self, number: int) -> None:
        if number in self.work and self.work[number].is_over():
            del self.work[number]
            self.emit(Freed(number))

    def fail(self, number: int) -> None:
        work = self.work[number]
        if not work.cancelled:
            work.cancelled = True
            work.pieces.clear()
            self.emit(Failure(number, "it broke"))

    def step(self, number: int, ms: float, whole: bool) -> AudioChunk:
        work = self.work[number]
        head = work.pieces[0]
        if whole:
            work.pieces.popleft()
        audio = sound(head.segment, ms, whole and head.last_of_segment)
        work.made_ms += made_ms(audio)
        self.emit(Chunk(number, audio))
        if self.eager:
            self.free(number)
        return audio


@dataclass(eq=False)
class Told:
    """What was asked for one utterance, and what came back."""

    number: int
    auto: bool
    fed: list[TextPiece] = field(default_factory=list)
    voices: list[str] = field(default_factory=list)  # of each segment
    granted_ms: int = 0
    deadline: float = 0.0
    finished: bool = False
    cancelled: bool = False
    chunks: list[AudioChunk] = field(default_factory=list)
    failures: int = 0
    freed: int = 0

    def take(self, event: Event) -> None:
        assert not self.freed, "nothing comes after Freed"
        assert not isinstance(event, Chunk) or not self.failures
        if isinstance(event, Chunk):
            if self.auto:
                assert not self.cancelled
            self.chunks.append(event.audio)
        elif isinstance(event, Failure):
            self.failures += 1
        elif isinstance(event, Freed):
            self.freed += 1

    @property
    def made_ms(self) -> float:
        return sum(map(made_ms, self.chunks))

    def check_order(self) -> None:
        segments = [audio.segment for audio in self.chunks]
        ended = [audio.segment for audio in self.chunks if audio.last_of_segment]
        assert segments == sorted(segments) and ended == list(range(len(ended)))

    def is_spoken(self) -> bool:
        return sum(audio.last_of_segment for audio in self.chunks) == len(self.voices)


class House:
    """A routed engine over two fake ones, and what its callers were told."""

    def __init__(self, eager: bool) -> None:
        self.fakes = [FakeEngine(("anna", "bert"), eager), FakeEngine(("carl",), not eager)]
        self.engine = RoutedEngine([Part(fake, frozenset(fake.capabilities.voices)) for fake in self.fakes])
        self.told: dict[int, Told] = {}
        asyncio.run(self.engine.start(self.take))

    def take(self, event: Event) -> None:
        assert isinstance(event, Chunk | Failure | Freed)
        self.told[event.utterance].take(event)

    def open(self, auto: bool) -> Told:
        told = Told(len(self.told) + 1, auto)
        self.told[told.number] = told
        self.engine.send(Open(told.number, "anna", "en", 3, VOICES if auto else ()))
        return told

    def feed(self, told: Told, *languages: str) -> None:
        """A segment in parts; the language of the first tells who speaks it."""
        segment = len(told.voices)
        told.voices.append(dict(VOICES)[languages[0]] if told.auto else "anna")
        for part, language in enumerate(languages, 1):
            each = piece(segment, language, last=part == len(languages))
            told.fed.append(each)
            self.engine.send(Feed(told.number, each))

    def grant(self, told: Told, more_ms: int, deadline: float) -> None:
        told.granted_ms += more_ms
        told.deadline = deadline
        self.engine.send(Grant(told.number, told.granted_ms, deadline))

    def busy(self) -> list[tuple[FakeEngine, int]]:
        return [
            (fake, number) for fake in self.fakes for number, work in fake.work.items() if work.may_step()
        ]

    def held(self) -> list[tuple[FakeEngine, int]]:
        return [(fake, number) for fake in self.fakes for number in fake.work]

    def step(self, fake: FakeEngine, number: int, ms: float, whole: bool) -> None:
        """One chunk; it must be in its place, of its voice, within its grant, and wanted when it was said."""
        work = fake.work[number]
        counts = {told.number: len(told.chunks) for told in self.told.values()}
        before = {told.number: told.made_ms for told in self.told.values()}
        audio = fake.step(number, ms, whole)
        for told in self.told.values():
            if len(told.chunks) > counts[told.number]:
                assert told.chunks[-1] is audio and len(told.chunks) == counts[told.number] + 1
                assert work.request.voice == told.voices[audio.segment] and work.request.seed == 3
                assert before[told.number] < told.granted_ms + told.auto, (
                    "no more than was granted, in whole ms"
                )
                assert work.deadline == told.deadline
                told.check_order()

    def check_nothing_stands_still(self) -> None:
        """Who has text and a grant is worked on."""
        steps = len(self.busy())
        wanting = [
            told
            for told in self.told.values()
            if not (told.cancelled or told.failures or told.is_spoken()) and told.made_ms < told.granted_ms
        ]
        assert steps >= len(wanting)


LANGUAGES = st.sampled_from(["en", "de", "fr"])


@given(
    texts=st.lists(st.lists(LANGUAGES, min_size=1, max_size=2), min_size=2, max_size=12),
    grants=st.lists(st.integers(1, 90), max_size=12),
    lengths=st.lists(st.integers(0, 480).map(lambda eighths: eighths / 8), min_size=1, max_size=5),
)
def test_a_grant_counts_for_all_voices(
    texts: list[list[str]], grants: list[int], lengths: list[float]
) -> None:
    """Engines that do all they may, at once: neither less than was granted nor a millisecond more."""
    house = House(eager=True)
    told = house.open(auto=True)
    for languages in texts:
        house.feed(told, *languages)
    sounds = itertools.cycle(lengths)
    for more_ms in [*grants, 1_000_000]:
        house.grant(told, more_ms, 1.0)
        while steps := house.busy():
            house.step(*steps[0], next(sounds), whole=True)
        assert told.made_ms >= told.granted_ms or told.is_spoken()
    assert told.is_spoken()


@settings(max_examples=150)
@given(data=st.data(), eager=st.booleans())
def test_any_order_of_text_grants_and_endings(data: st.DataObject, eager: bool) -> None:
    house = House(eager)
    actions = st.sampled_from(
        ["open", "feed", "feed", "feed", "grant", "step", "step", "step", "finish", "cancel", "fail", "free"]
    )
    numbers = st.integers(0, 1000)

    def chosen(things: list[object]) -> int:
        return data.draw(numbers) % len(things)

    house.open(auto=True)
    for action in data.draw(st.lists(actions, max_size=60)):
        living = [told for told in house.told.values() if not (told.finished or told.cancelled)]
        if action == "open" and len(house.told) < 4:
            house.open(data.draw(st.booleans()))
        elif action in ("step", "fail", "free"):
            fakes = house.busy() if action == "step" else house.held()
            if fakes:
                fake, number = fakes[chosen([*fakes])]
                if action == "step":
                    house.step(fake, number, data.draw(st.integers(0, 400)), data.draw(st.booleans()))
                elif action == "fail" and data.draw(st.integers(0, 3)) == 0:
                    fake.fail(number)
                else:
                    fake.free(number)
        elif living:
            told = living[chosen([*living])]
            if action == "feed":
                house.feed(told, *data.draw(st.lists(LANGUAGES, min_size=1, max_size=3)))
            elif action == "grant":
                house.grant(told, data.draw(st.integers(0, 500)), data.draw(st.integers(0, 9)) / 1)
            elif action == "finish":
                told.finished = True
                house.engine.send(Finish(told.number))
            elif action == "cancel" and data.draw(st.booleans()):
                told.cancelled = True
                house.engine.send(Cancel(told.number))
        house.check_nothing_stands_still()

    for told in house.told.values():  # all that can still be spoken is, and everything is given back
        if not told.cancelled:
            house.grant(told, 1_000_000, 1.0)
            if not told.finished:
                house.engine.send(Finish(told.number))
    while steps := house.busy():
        fake, number = steps[0]
        house.step(fake, number, 10, whole=True)
    for fake, number in house.held():
        fake.free(number)
    assert not house.held() and not house.engine._relays and not house.engine._by_utterance
    for told in house.told.values():
        assert told.freed == 1 and told.failures <= 1
        assert told.cancelled or told.failures or told.is_spoken()


def test_a_voice_that_nobody_has_fails_when_its_turn_comes() -> None:
    house = House(eager=True)
    told = Told(1, True)
    house.told[1] = told
    house.engine.send(Open(1, "anna", "en", 3, (("de", "nobody"),)))
    told.voices = ["anna", "nobody"]
    house.grant(told, 1000, 1.0)
    for number, language in enumerate(("en", "de")):
        house.engine.send(Feed(1, piece(number, language)))
    house.step(*house.busy()[0], 10, whole=True)
    assert (len(told.chunks), told.failures, told.freed) == (1, 1, 1)
    assert not house.held() and not house.engine._relays


@pytest.mark.parametrize("answer", [Cancel(1), Grant(1, 5000, 2.0), Feed(1, piece(2, "de"))])
def test_what_a_hearer_sends_meanwhile_is_carried_out_after(answer: Command) -> None:
    """It hears the last chunk before another voice, and answers at once."""
    fake = FakeEngine(("anna", "bert"), eager=True)
    engine = RoutedEngine([Part(fake, frozenset({"anna", "bert"}))])
    heard: list[Event] = []

    def hear(event: Event) -> None:
        heard.append(event)
        if isinstance(event, Chunk) and event.audio.segment == 0:
            engine.send(answer)

    asyncio.run(engine.start(hear))
    engine.send(Open(1, "anna", "en", 3, VOICES))
    engine.send(Grant(1, 1000, 1.0))
    for number, language in enumerate(("en", "de")):
        engine.send(Feed(1, piece(number, language)))
    (first,) = fake.work
    fake.step(first, 10, whole=True)
    if isinstance(answer, Cancel):
        assert not fake.work and [type(event) for event in heard] == [Chunk, Freed]
        return
    (work,) = fake.work.values()
    assert work.granted_ms == (4990 if isinstance(answer, Grant) else 990)
    assert len(work.pieces) == (2 if isinstance(answer, Feed) else 1)
