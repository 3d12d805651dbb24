"""Text that stops arriving is spoken, and no other text is: on a clock of its own."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

import pytest

from realtime.clock import MonotonicClock
from realtime.speech.text_feed import TEXT_SLICE, TextFeed, TextTurns
from realtime.text.frontend import Frontend, TextOptions
from realtime.types import Buffering, TextPiece
from tests.speech.sounds import until

WAIT_S = 0.02


class HandClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> float:
        return self.seconds


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
    """A feed with its clock and its listener."""

    def __init__(
        self,
        buffering: Buffering = "auto",
        wait_s: float = WAIT_S,
        started: bool = True,
        turns: TextTurns | None = None,
    ) -> None:
        self.clock = HandClock()
        self.listener = Listener()
        frontend = Frontend(TextOptions("en", buffering=buffering))
        self.feed = TextFeed(frontend, self.listener, self.clock, turns or TextTurns(self.clock), wait_s)
        if started:
            self.feed.start()

    async def looked(self, times: int = 3) -> None:
        """Until it has looked whether something is due."""
        target = self.listener.looks + times
        await until(lambda: self.listener.looks >= target)


async def test_text_that_stops_is_spoken_up_to_its_last_whole_word_and_then_the_rest() -> None:
    feed = Feed()
    feed.feed.append("Let me check th")
    await feed.looked()
    assert feed.listener.told == [], "no time has passed"
    feed.clock.seconds += WAIT_S
    await until(lambda: feed.listener.told == ["Let me check"])
    await feed.looked()
    assert feed.listener.told == ["Let me check"]
    feed.clock.seconds += WAIT_S
    await until(lambda: feed.listener.told == ["Let me check", "th"])
    feed.feed.stop()


async def test_nothing_is_forced_while_the_listener_has_sound() -> None:
    feed = Feed()
    feed.listener.dry = math.inf
    feed.feed.append("Let me check that ")
    feed.clock.seconds += 1000
    await feed.looked()
    assert feed.listener.told == []
    feed.listener.dry = feed.clock.seconds + 5
    await feed.looked()
    assert feed.listener.told == []
    feed.clock.seconds += 5
    await until(lambda: feed.listener.told == ["Let me check that"])


async def test_text_that_goes_on_arriving_is_not_forced() -> None:
    feed = Feed()
    for word in ("Let ", "me ", "check ", "that "):
        feed.feed.append(word)
        feed.clock.seconds += WAIT_S * 0.9
        await feed.looked(2)
    assert feed.listener.told == []
    feed.feed.end()
    assert feed.listener.told == ["Let me check that", "<end>"]


@pytest.mark.parametrize(
    ("buffering", "told"), [("sentence", ["It is so."]), ("auto", ["It is so."]), ("manual", [])]
)
async def test_a_sentence_that_waits_for_what_follows(buffering: Buffering, told: list[str]) -> None:
    feed = Feed(buffering)
    feed.feed.append("It is so.")
    feed.clock.seconds += WAIT_S
    await asyncio.sleep(5 * WAIT_S)
    await until(lambda: feed.listener.told == told)


async def test_half_a_sentence_is_held_where_whole_ones_are_wanted() -> None:
    feed = Feed("sentence")
    feed.feed.append("It is so. And this is")
    feed.clock.seconds += WAIT_S
    await until(lambda: feed.listener.told == ["It is so."])
    feed.clock.seconds += 1000
    await asyncio.sleep(5 * WAIT_S)
    assert feed.listener.told == ["It is so."]


async def test_no_wait_means_for_ever() -> None:
    feed = Feed(wait_s=0)
    feed.feed.append("Let me check that ")
    feed.clock.seconds += 1000
    await asyncio.sleep(3 * WAIT_S)
    assert feed.listener.told == [] and feed.listener.looks == 0


@pytest.mark.parametrize("over", [TextFeed.stop, TextFeed.end])
async def test_nothing_comes_after_the_end(over: Callable[[TextFeed], None]) -> None:
    feed = Feed()
    feed.feed.append("Let me check that ")
    over(feed.feed)
    told = list(feed.listener.told)
    feed.clock.seconds += 1000
    await asyncio.sleep(3 * WAIT_S)
    assert feed.listener.told == told


async def test_long_text_is_worked_on_in_turns_and_keeps_its_order() -> None:
    feed = Feed()
    feed.feed.append("This is a sentence of words. " * 40)
    feed.feed.flush("f")
    feed.feed.append("The end. ")
    feed.feed.end()
    assert len(feed.listener.told) <= TEXT_SLICE // 20, "the loop has its turn after the first slice"
    await until(lambda: feed.listener.told[-1:] == ["<end>"])
    assert feed.listener.told == ["This is a sentence of words."] * 40 + ["<flush f>", "The end.", "<end>"]


async def test_a_mistake_in_the_text_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Feed()

    def broken(self: Frontend, text: str) -> list[TextPiece]:
        raise ZeroDivisionError

    monkeypatch.setattr(Frontend, "append", broken)
    feed.feed.append("x" * 2 * TEXT_SLICE)
    await asyncio.sleep(0)
    assert feed.listener.mistakes == 1 and feed.listener.told == []


async def test_what_was_never_started_leaves_nothing_behind() -> None:
    feed = Feed(started=False)
    feed.feed.append("It is so. " * 100)
    feed.clock.seconds += 1000
    await asyncio.sleep(5 * WAIT_S)
    assert feed.listener.told == [] and feed.listener.looks == 0
    feed.feed.start()
    feed.feed.end()
    await until(lambda: feed.listener.told[-1:] == ["<end>"])
    assert feed.listener.told[:-1] == ["It is so."] * 100


async def test_of_many_feeds_one_works_on_one_slice_in_a_turn_of_the_loop() -> None:
    turns = TextTurns(MonotonicClock())
    feeds = [Feed(turns=turns) for _ in range(8)]
    text = "It is so. " * (4 * TEXT_SLICE // 10)
    for feed in feeds:
        feed.feed.append(text)
        feed.feed.end()
    told = [len(feed.listener.told) for feed in feeds]
    assert all(told), "the first slice does not wait"
    while any(feed.listener.told[-1] != "<end>" for feed in feeds):
        await asyncio.sleep(0)
        before, told = told, [len(feed.listener.told) for feed in feeds]
        assert sum(now > then for now, then in zip(told, before, strict=True)) <= 1
        assert max(told) - min(told) <= 2 * TEXT_SLICE // 10, "none gets ahead of the others"
    assert all(len(feed.listener.told) == text.count(".") + 1 for feed in feeds)


async def test_a_step_that_goes_wrong_does_not_stop_the_others() -> None:
    turns = TextTurns(MonotonicClock())
    done: list[int] = []

    def wrong() -> None:
        raise RuntimeError("wrong")

    caught: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: caught.append(context["exception"])
    )
    for step in (lambda: done.append(1), wrong, lambda: done.append(2)):
        turns.ask(step)
    await until(lambda: done == [1, 2])
    assert [str(error) for error in caught] == ["wrong"]
