"""Whose turn it is: by deadline, then by age, and in the end everybody's."""

from __future__ import annotations

import math
import random
import time

import pytest

from realtime.engines.engine import Open
from realtime.engines.turns import Turns, Utterance
from realtime.types import TextPiece

PIECE = TextPiece(0, "a", (0, 1), (), "en")


def opened(turns: Turns[str], number: int, deadline: float, pieces: int = 1) -> Utterance[str]:
    turns.open(Open(number, "any", "en"))
    utterance = turns.find(number)
    assert utterance is not None
    for _ in range(pieces):
        turns.feed(utterance, PIECE)
    turns.grant(utterance, 1000, deadline)
    return utterance


def taken(turns: Turns[str]) -> list[int]:
    """All that may start, in order."""
    numbers: list[int] = []
    while (utterance := turns.take()) is not None:
        numbers.append(utterance.request.utterance)
    return numbers


def test_by_deadline_then_by_when_the_text_came_and_infinity_last() -> None:
    turns: Turns[str] = Turns()
    for number, deadline in enumerate([math.inf, 5.0, 3.0, 5.0, math.inf, 3.0, -1.0]):
        opened(turns, number, deadline)
    assert taken(turns) == [6, 2, 5, 1, 3, 0, 4]
    assert turns.busy == turns.waiting == 7


def test_what_was_parked_is_as_old_as_its_text() -> None:
    turns: Turns[str] = Turns()
    parked = opened(turns, 1, 5.0)
    assert turns.take() is parked
    turns.begin(parked)
    parked.work = "the rest"
    opened(turns, 2, 5.0)
    assert turns.first() is not parked
    turns.release(parked)
    assert taken(turns) == [1, 2]


def test_what_may_not_start_has_no_turn() -> None:
    turns: Turns[str] = Turns()
    enough, cancelled, silent = (opened(turns, number, 1.0) for number in (1, 2, 3))
    enough.made_ms = 1000.0
    turns.grant(enough, 1000, 0.0)
    turns.cancel(cancelled)
    assert turns.waiting == 2
    turns.remove(silent)
    assert taken(turns) == [] and len(turns) == 2
    turns.grant(enough, 1001, 0.0)
    assert taken(turns) == [1]


def test_what_was_made_moves_the_deadline_until_the_next_grant() -> None:
    turns: Turns[str] = Turns()
    begun = time.monotonic()
    early, late = opened(turns, 1, begun + 1000), opened(turns, 2, begun - 1000)
    for utterance in early, late:
        turns.made(utterance, 2_000)
        turns.made(utterance, 500)
    assert early.made_ms == 2500 and early.deadline == pytest.approx(begun + 1002.5)
    assert begun + 2.5 <= late.deadline <= time.monotonic() + 2.5, "what was late is heard from now on"
    turns.grant(early, 5000, begun + 7)
    assert early.deadline == begun + 7
    paused = opened(turns, 3, math.inf)
    turns.made(paused, 100)
    assert paused.deadline == math.inf


@pytest.mark.parametrize("seed", range(20))
def test_the_order_is_that_of_a_search_among_all(seed: int) -> None:
    """Whatever moves: deadlines, text, parking, ends. And what is out of date does not pile up."""
    chance = random.Random(seed)
    turns: Turns[str] = Turns()
    busy: list[Utterance[str]] = []
    for number in range(3000):
        action = chance.randrange(8)
        some = list(turns)
        if action == 0 or not some:
            opened(turns, number, chance.randrange(20), pieces=chance.randrange(3))
        elif action <= 3:
            turns.grant(chance.choice(some), chance.randrange(3000), chance.randrange(20))
        elif action == 4:
            turns.feed(chance.choice(some), PIECE)
        elif action == 5 and busy:
            utterance = busy.pop(chance.randrange(len(busy)))
            utterance.work = chance.choice([None, "the rest"])
            utterance.made_ms += chance.randrange(500)
            turns.release(utterance)
        elif action == 6 and chance.random() < 0.3:
            utterance = chance.choice(some)
            turns.remove(utterance)
            busy = [each for each in busy if each is not utterance]
        else:
            ready = [each for each in turns if each.may_start]
            expected = min((each.urgency for each in ready), default=None)
            utterance_taken = turns.take()
            assert (utterance_taken is None) == (expected is None)
            if utterance_taken is not None:
                assert utterance_taken.urgency == expected or utterance_taken.work is None
                if utterance_taken.work is None:
                    turns.begin(utterance_taken)
                assert utterance_taken.urgency == expected
                busy.append(utterance_taken)
        assert turns.waiting == sum(len(each.waiting) for each in turns)
        assert turns.busy == sum(each.busy for each in turns) == len(busy)
        assert len(turns._queue) <= 100 + 5 * len(turns)


@pytest.mark.parametrize("seed", range(20))
def test_with_deadlines_that_never_move_every_piece_is_spoken(seed: int) -> None:
    """One worker, time in chunks; more is asked for than it can make, for most of the time.

    A piece waits for no more than the work of those whose deadline is not later than its own.
    """
    chance = random.Random(seed)
    turns: Turns[str] = Turns()
    work: dict[int, int] = {}  # chunks of each
    left: dict[int, int] = {}
    deadlines: dict[int, float] = {}
    waited: dict[int, int] = {}
    begun: dict[int, int] = {}
    now = number = 0
    while number < 400 or left:
        if number < 400 and (number == 0 or chance.random() < 0.5):
            deadlines[number] = math.inf if number == 0 else now + chance.choice([-5.0, 0.0, 30.0, 300.0])
            work[number] = left[number] = chance.randrange(1, 5)
            begun[number] = now
            opened(turns, number, deadlines[number]).finished = True
            number += 1
        utterance = turns.take()
        if utterance is not None:
            mine = utterance.request.utterance
            if utterance.work is None:
                turns.begin(utterance)
            left[mine] -= 1
            utterance.work = "the rest" if left[mine] else None
            turns.release(utterance)
            if turns.remove_if_over(utterance):
                del left[mine]
                waited[mine] = now - begun[mine] + 1
        now += 1
        assert now < 10_000
    for mine, steps in waited.items():
        assert steps <= sum(work[each] for each in work if deadlines[each] <= deadlines[mine])
    assert sorted(waited) == list(range(400)) and len(turns) == 0
