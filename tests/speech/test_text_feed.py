"""Text that stops arriving is spoken, and no other text is: in a time that passes only when it is moved."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import Callable

import pytest

from realtime.speech.text_feed import TextFeed, TextTurns
from realtime.text.frontend import Frontend, TextOptions
from realtime.types import Buffering, TextPiece

#: All times here are quarters of seconds, which add up exactly.
WAIT_S = 1.0
STEP_S = 0.25
LONG_S = 50.0


async def turns_of_the_loop(count: int = 4) -> None:
    """Let everything run that does not wait for time to pass."""
    for _ in range(count):
        await asyncio.sleep(0)


class HandClock:
    """Stands still until it is moved; the loop's timers go by it too."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return self.seconds

    async def advance(self, seconds: float) -> None:
        """Let so much time pass, and all happen that is due meanwhile."""
        for _ in range(round(seconds / STEP_S)):
            self.seconds += STEP_S
            await turns_of_the_loop()


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """The only time there is in a test."""
    clock = HandClock()
    monkeypatch.setattr(asyncio.get_running_loop(), "time", clock.now)
    return clock


class Listener:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.mistakes = 0
        self.dry = 0.0
        self.looks = 0

    def on_pieces(self, pieces: list[TextPiece]) -> None:
        self.told += [piece.text for piece in pieces]

    def on_flush(self, flush_id: str | None) -> None:
        self.told.append(f"<flush {flush_id}>")

    def on_end(self) -> None:
        self.told.append("<end>")

    def on_mistake(self) -> None:
        self.mistakes += 1

    def dry_at(self) -> float:
        self.looks += 1
        return self.dry


class Feed:
    """A feed with its listener."""

    def __init__(
        self,
        clock: HandClock,
        buffering: Buffering = "auto",
        wait_s: float = WAIT_S,
        started: bool = True,
        turns: TextTurns | None = None,
    ) -> None:
        self.listener = Listener()
        frontend = Frontend(TextOptions("en", buffering=buffering))
        self.feed = TextFeed(frontend, self.listener, clock, turns or TextTurns(clock), wait_s)
        if started:
            self.feed.start()


async def test_text_that_stops_is_spoken_up_to_its_last_whole_word_and_then_the_rest(
    clock: HandClock,
) -> None:
    feed = Feed(clock)
    feed.feed.append("Let me check th")
    await clock.advance(WAIT_S - STEP_S)
    assert feed.listener.told == []
    await clock.advance(STEP_S)
    assert feed.listener.told == ["Let me check"]
    await clock.advance(WAIT_S - STEP_S)
    assert feed.listener.told == ["Let me check"], "half a word has as long again"
    await clock.advance(STEP_S)
    assert feed.listener.told == ["Let me check", "th"]


async def test_nobody_looks_when_nothing_is_held(clock: HandClock) -> None:
    feed = Feed(clock)
    feed.feed.append("Let me check ")
    await clock.advance(2 * WAIT_S)
    looks = feed.listener.looks
    await clock.advance(LONG_S)
    assert feed.listener.told == ["Let me check"] and feed.listener.looks == looks
    feed.feed.append("that ")
    await clock.advance(WAIT_S)
    assert feed.listener.told == ["Let me check", "that"]


async def test_nothing_is_forced_while_the_listener_has_sound(clock: HandClock) -> None:
    feed = Feed(clock)
    feed.listener.dry = math.inf
    feed.feed.append("Let me check that ")
    await clock.advance(LONG_S)
    assert feed.listener.told == []
    assert 0 < feed.listener.looks <= LONG_S / WAIT_S
    feed.listener.dry = clock.seconds + 5.5
    await clock.advance(5.5 - STEP_S)
    assert feed.listener.told == []
    await clock.advance(STEP_S)
    assert feed.listener.told == ["Let me check that"]


@pytest.mark.parametrize("dry_in", [LONG_S, math.inf])
async def test_sound_that_ends_early_is_noticed_within_one_wait(clock: HandClock, dry_in: float) -> None:
    feed = Feed(clock)
    feed.listener.dry = clock.seconds + dry_in
    feed.feed.append("Let me check that ")
    await clock.advance(2 * WAIT_S + STEP_S)
    assert feed.listener.told == []
    feed.listener.dry = 0
    await clock.advance(WAIT_S - STEP_S)
    assert feed.listener.told == ["Let me check that"]


async def test_text_that_goes_on_arriving_is_not_forced(clock: HandClock) -> None:
    feed = Feed(clock)
    for word in ("Let ", "me ", "check ", "that "):
        feed.feed.append(word)
        await clock.advance(WAIT_S - STEP_S)
    assert feed.listener.told == [] and feed.listener.looks > 0
    feed.feed.end()
    assert feed.listener.told == ["Let me check that", "<end>"]


async def test_one_timer_is_enough_for_many_tokens(clock: HandClock) -> None:
    feed = Feed(clock)
    for token in ("Let", " me", " check", " that"):
        feed.feed.append(token)
    await clock.advance(WAIT_S)
    assert feed.listener.told == ["Let me check"] and feed.listener.looks == 1


@pytest.mark.parametrize(
    ("buffering", "told"), [("sentence", ["It is so."]), ("auto", ["It is so."]), ("manual", [])]
)
async def test_a_sentence_that_waits_for_what_follows(
    clock: HandClock, buffering: Buffering, told: list[str]
) -> None:
    feed = Feed(clock, buffering)
    feed.feed.append("It is so.")
    await clock.advance(WAIT_S - STEP_S)
    assert feed.listener.told == []
    await clock.advance(STEP_S)
    assert feed.listener.told == told
    await clock.advance(LONG_S)
    assert feed.listener.told == told
    assert feed.listener.looks == len(told), "where nothing can come of it nobody looks"


async def test_half_a_sentence_is_held_where_whole_ones_are_wanted(clock: HandClock) -> None:
    feed = Feed(clock, "sentence")
    feed.feed.append("It is so. And this is")
    await clock.advance(2 * WAIT_S)
    assert feed.listener.told == ["It is so."]
    looks = feed.listener.looks
    await clock.advance(LONG_S)
    assert feed.listener.told == ["It is so."]
    assert feed.listener.looks == looks, "nothing more comes of it until there is more text"
    feed.feed.append(" all.")
    await clock.advance(WAIT_S)
    assert feed.listener.told == ["It is so.", "And this is all."]


async def test_no_wait_means_for_ever(clock: HandClock) -> None:
    feed = Feed(clock, wait_s=0)
    feed.feed.append("Let me check that ")
    await clock.advance(LONG_S)
    assert feed.listener.told == [] and feed.listener.looks == 0


@pytest.mark.parametrize("over", [TextFeed.stop, TextFeed.end])
async def test_nothing_comes_after_the_end(clock: HandClock, over: Callable[[TextFeed], None]) -> None:
    feed = Feed(clock)
    feed.feed.append("Let me check that ")
    over(feed.feed)
    told = list(feed.listener.told)
    await clock.advance(LONG_S)
    assert feed.listener.told == told and feed.listener.looks == 0


async def test_long_text_is_worked_on_in_turns_and_keeps_its_order(clock: HandClock) -> None:
    """In slices of 256 characters, in which eight or nine of these sentences of 29 end."""
    feed = Feed(clock)
    feed.feed.append("This is a sentence of words. " * 40)
    feed.feed.flush("f")
    feed.feed.append("The end. ")
    feed.feed.end()
    counts = [0, len(feed.listener.told)]
    while feed.listener.told[-1] != "<end>" and len(counts) < 100:
        await asyncio.sleep(0)
        counts.append(len(feed.listener.told))
    assert feed.listener.told == ["This is a sentence of words."] * 40 + ["<flush f>", "The end.", "<end>"]
    assert counts[1] == 8 and max(now - then for then, now in itertools.pairwise(counts)) <= 9


async def test_a_mistake_in_the_text_ends_it(clock: HandClock, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Feed(clock)

    def broken(self: Frontend, text: str) -> list[TextPiece]:
        raise ZeroDivisionError

    monkeypatch.setattr(Frontend, "append", broken)
    feed.feed.append("x" * 1000)
    await clock.advance(LONG_S)
    feed.feed.append("x")
    feed.feed.end()
    await clock.advance(LONG_S)
    assert feed.listener.mistakes == 1 and feed.listener.told == [] and feed.listener.looks == 0


async def test_what_was_never_started_leaves_nothing_behind(clock: HandClock) -> None:
    feed = Feed(clock, started=False)
    feed.feed.append("It is so. " * 100)
    await clock.advance(LONG_S)
    assert feed.listener.told == [] and feed.listener.looks == 0
    feed.feed.start()
    feed.feed.end()
    await turns_of_the_loop(50)
    assert feed.listener.told == ["It is so."] * 100 + ["<end>"]


async def test_of_many_feeds_one_works_on_one_slice_in_a_turn_of_the_loop(clock: HandClock) -> None:
    turns = TextTurns(clock)
    feeds = [Feed(clock, turns=turns) for _ in range(8)]
    for feed in feeds:
        feed.feed.append("It is so. " * 100)
        feed.feed.end()
    told = [len(feed.listener.told) for feed in feeds]
    assert all(told), "the first slice does not wait"
    for _ in range(200):
        await asyncio.sleep(0)
        before, told = told, [len(feed.listener.told) for feed in feeds]
        assert sum(now > then for now, then in zip(told, before, strict=True)) <= 1
        assert max(told) - min(told) <= 52, "none gets ahead of the others by more than two slices"
    assert [feed.listener.told for feed in feeds] == [["It is so."] * 100 + ["<end>"]] * 8


async def test_between_two_slices_the_others_have_as_long_as_the_first_took(clock: HandClock) -> None:
    turns = TextTurns(clock)
    done: list[float] = []

    def step() -> None:
        clock.seconds += 2 * STEP_S
        done.append(clock.seconds)

    for _ in range(3):
        turns.ask(step)
    await turns_of_the_loop()
    assert done == [100.5]
    await clock.advance(STEP_S)
    assert done == [100.5]
    await clock.advance(4 * STEP_S)
    assert done == [100.5, 101.5, 102.5]


async def test_a_step_that_goes_wrong_does_not_stop_the_others(clock: HandClock) -> None:
    turns = TextTurns(clock)
    done: list[int] = []

    def wrong() -> None:
        raise RuntimeError("wrong")

    caught: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: caught.append(context["exception"])
    )
    for step in (lambda: done.append(1), wrong, lambda: done.append(2)):
        turns.ask(step)
    await turns_of_the_loop()
    assert done == [1, 2]
    assert [str(error) for error in caught] == ["wrong"]
