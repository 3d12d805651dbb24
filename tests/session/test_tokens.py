"""Tokens of a session: which of them count, when one that was sent may have been lost on its way."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from realtime.session.tokens import MOST_TOKENS, Tokens


def numbered() -> Tokens:
    numbers = itertools.count(1)
    return Tokens(lambda: f"t{next(numbers)}")


def counting(tokens: Tokens) -> list[str]:
    return [f"t{number}" for number in range(30) if tokens.are_of(f"t{number}")]


def test_none_counts_before_there_is_one() -> None:
    tokens = numbered()
    assert tokens.count == 0
    assert not tokens.are_of("")
    assert not tokens.are_of("t1")
    tokens.received(0)
    tokens.received(5)


def test_an_older_one_counts_until_a_newer_one_is_known_to_be_received() -> None:
    tokens = numbered()
    assert [tokens.new() for _ in range(3)] == ["t1", "t2", "t3"]
    assert counting(tokens) == ["t1", "t2", "t3"]
    tokens.received(2)
    assert counting(tokens) == ["t2", "t3"]
    tokens.new()
    assert counting(tokens) == ["t2", "t3", "t4"]
    tokens.received(4)
    assert counting(tokens) == ["t4"]
    assert tokens.count == 4


def test_who_uses_one_has_it() -> None:
    tokens = numbered()
    for _ in range(4):
        tokens.new()
    tokens.used("t3")
    assert counting(tokens) == ["t3", "t4"]
    tokens.used("t4")
    tokens.used("t4")
    assert counting(tokens) == ["t4"]


def test_answers_that_come_late_or_are_made_up_take_the_last_one_from_nobody() -> None:
    tokens = numbered()
    for _ in range(3):
        tokens.new()
    for count in (2, 1, 0, -7):
        tokens.received(count)
        assert counting(tokens) == ["t2", "t3"]
    tokens.received(99)
    assert counting(tokens) == ["t3"]


def test_no_more_than_so_many_count() -> None:
    tokens = numbered()
    for _ in range(20):
        tokens.new()
    assert counting(tokens) == [f"t{number}" for number in range(21 - MOST_TOKENS, 21)]
    tokens.received(15)
    assert counting(tokens) == [f"t{number}" for number in range(15, 21)]


def test_only_the_whole_token_counts_and_any_text_may_be_asked_about() -> None:
    tokens = Tokens(lambda: "gehéim")
    tokens.new()
    assert tokens.are_of("gehéim")
    for wrong in ("", "geh", "gehéim ", "GEHÉIM", "gehéi\N{COMBINING ACUTE ACCENT}m", "\U0001f511" * 64):
        assert not tokens.are_of(wrong)


@given(
    st.lists(st.one_of(st.none(), st.integers(-3, 40), st.sampled_from(["oldest", "newest"])), max_size=40)
)
def test_whatever_comes_the_newest_counts_and_none_that_is_older_than_what_was_received(
    steps: list[int | str | None],
) -> None:
    tokens, made, oldest = numbered(), 0, 1
    for step in steps:
        if step is None:
            made += 1
            assert tokens.new() == f"t{made}"
            oldest = max(oldest, made + 1 - MOST_TOKENS)
        elif isinstance(step, int):
            tokens.received(step)
            oldest = max(oldest, min(step, made))
        elif made:
            number = oldest if step == "oldest" else made
            tokens.used(f"t{number}")
            oldest = max(oldest, number)
        assert counting(tokens) == [f"t{number}" for number in range(oldest, made + 1) if number < 30]
        assert tokens.are_of(f"t{made}") is bool(made)
