"""Contexts: their states, their order, and what was heard of their text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.session.contexts import (
    KEPT_CONTEXTS,
    KEPT_TEXT_BYTES,
    Context,
    Contexts,
    Ledger,
    State,
    Step,
)
from realtime.session.offer import ContextSettings
from realtime.types import SourceWord
from tests.session.talk import OPUS, anna

SETTINGS = ContextSettings(anna(), OPUS)


def ledger_of(text: str, *words: tuple[int, int]) -> Ledger:
    """A ledger of `text`; each word is (source_end, end), and begins behind the one before."""
    ledger = Ledger()
    ledger.append(text, len(text.encode()))
    source_start = 0
    for source_end, end in words:
        while source_start < source_end and text[source_start : source_start + 1].isspace():
            source_start += 1
        ledger.timed((SourceWord(source_start, source_end, 0, end),))
        source_start = source_end
    return ledger


def forget_due(contexts: Contexts, now: float) -> list[Context]:
    """Forget what is due, as a session does; returns it."""
    due = contexts.due(now)
    for context in due:
        contexts.forget(context)
    return due


# -- states -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ([], State.OPEN),
        ([Step.END], State.ENDING),
        ([Step.END, Step.FINISHED], State.DONE),
        ([Step.FAILED], State.FAILED),
        ([Step.END, Step.FAILED], State.FAILED),
        ([Step.CANCEL], State.CANCELLED),
        ([Step.END, Step.CANCEL], State.CANCELLED),
        ([Step.END, Step.FINISHED, Step.CANCEL], State.CANCELLED),
        ([Step.FAILED, Step.CANCEL], State.CANCELLED),
    ],
)
def test_the_way_of_a_context(steps: list[Step], state: State) -> None:
    context = Contexts().open("a", SETTINGS, 0.0)
    for step in steps:
        assert context.step(step) is True
    assert context.state is state
    assert context.live is (state in (State.OPEN, State.ENDING))


@pytest.mark.parametrize(
    ("steps", "meaningless"),
    [
        ([], [Step.FINISHED]),
        ([Step.END], [Step.END]),
        ([Step.END, Step.FINISHED], [Step.END, Step.FINISHED, Step.FAILED]),
        ([Step.FAILED], [Step.END, Step.FINISHED, Step.FAILED]),
        ([Step.CANCEL], [Step.END, Step.FINISHED, Step.FAILED, Step.CANCEL]),
    ],
)
def test_steps_that_mean_nothing_change_nothing(steps: list[Step], meaningless: list[Step]) -> None:
    context = Contexts().open("a", SETTINGS, 0.0)
    for step in steps:
        context.step(step)
    before = context.state
    for step in meaningless:
        assert context.step(step) is False
        assert context.state is before


# -- order --------------------------------------------------------------------------------------------------


def test_handles_begin_at_one_and_are_never_used_again() -> None:
    contexts = Contexts()
    first = contexts.open("a", SETTINGS, 0.0)
    second = contexts.open("a", SETTINGS, 0.0)
    assert (first.handle, second.handle) == (1, 2)
    for context in (first, second):
        context.forget_at = 1.0
    forget_due(contexts, 1.0)
    assert contexts.known() == []
    assert contexts.open("a", SETTINGS, 2.0).handle == 3


def test_the_latest_of_an_id_and_each_by_its_handle() -> None:
    contexts = Contexts()
    first, second = contexts.open("a", SETTINGS, 0.0), contexts.open("a", SETTINGS, 0.0)
    assert contexts.latest("a") is second
    assert contexts.get(1) is first
    assert contexts.get(2) is second
    assert contexts.latest("b") is None
    assert contexts.get(3) is None


def test_the_head_is_the_first_that_is_live() -> None:
    contexts = Contexts()
    assert contexts.head() is None
    opened = [contexts.open(name, SETTINGS, 0.0) for name in "abc"]
    assert contexts.head() is opened[0]
    opened[1].step(Step.CANCEL)
    assert contexts.head() is opened[0]
    assert contexts.live() == [opened[0], opened[2]]
    opened[0].step(Step.FAILED)
    assert contexts.head() is opened[2]
    assert contexts.known() == opened


def test_forgetting_what_is_due_and_nothing_else() -> None:
    contexts = Contexts()
    old, new, kept = (contexts.open("a", SETTINGS, 0.0) for _ in range(3))
    assert contexts.next_forget() is None
    old.forget_at, kept.forget_at = 10.0, 20.0
    assert contexts.next_forget() == 10.0
    assert forget_due(contexts, 9.999) == []
    assert contexts.due(10.0) == [old]
    assert contexts.known() == [old, new, kept]
    assert forget_due(contexts, 10.0) == [old]
    assert contexts.known() == [new, kept]
    assert contexts.latest("a") is kept
    assert contexts.next_forget() == 20.0
    assert forget_due(contexts, 100.0) == [kept]
    assert contexts.latest("a") is None
    assert contexts.get(2) is new


def test_all_that_bear_an_id_oldest_first() -> None:
    contexts = Contexts()
    first, _, second = (contexts.open(name, SETTINGS, 0.0) for name in "aba")
    second.step(Step.CANCEL)
    assert contexts.named("a") == [first, second]
    assert contexts.named("never") == []
    contexts.forget(first)
    assert contexts.named("a") == [second]


def retired(contexts: Contexts, text_bytes: int) -> tuple[Context, list[Context]]:
    """A context that is over, with a text of so many bytes; and what was forgotten for it."""
    context = contexts.open("a", SETTINGS, 0.0)
    context.ledger.append("x" * text_bytes, text_bytes)
    context.step(Step.CANCEL)
    return context, contexts.retire(context, 60.0)


def test_of_many_that_are_over_the_oldest_are_forgotten_first() -> None:
    contexts = Contexts()
    live = contexts.open("live", SETTINGS, 0.0)
    over = [retired(contexts, 1) for _ in range(KEPT_CONTEXTS)]
    assert not any(dropped for _, dropped in over)
    last, dropped = retired(contexts, 1)
    assert dropped == [over[0][0]]
    assert contexts.known() == [live, *(context for context, _ in over[1:]), last]
    # To be retired again, by a cancel after the end, makes nobody older or younger.
    assert contexts.retire(over[1][0], 90.0) == []
    assert over[1][0].forget_at == 90.0
    assert retired(contexts, 1)[1] == [over[1][0]]


def test_of_much_text_that_is_over_the_oldest_is_forgotten_first() -> None:
    contexts = Contexts()
    big = KEPT_TEXT_BYTES // 4
    over = [retired(contexts, big)[0] for _ in range(4)]
    assert contexts.known() == over
    assert retired(contexts, 1)[1] == [over[0]]
    assert retired(contexts, 2 * big)[1] == [over[1], over[2]]
    # The latest is kept, however long it is.
    latest, dropped = retired(contexts, KEPT_TEXT_BYTES + 1)
    assert contexts.known() == [latest]
    assert len(dropped) == 3
    # What is forgotten in time makes room, too.
    contexts.forget(latest)
    assert [dropped for _, dropped in (retired(contexts, big) for _ in range(4))] == [[], [], [], []]


# -- the cut ------------------------------------------------------------------------------------------------


def test_text_is_kept_verbatim() -> None:
    ledger = Ledger()
    assert ledger.text() == ""
    assert ledger.cut(10**9) == ("", "")
    for part in ("  Hé", "", "llo\n"):
        ledger.append(part, len(part.encode()))
    assert ledger.text() == "  Héllo\n"
    assert ledger.text() == "  Héllo\n"
    assert ledger.text_bytes == 9
    ledger.append("!", 1)
    assert ledger.text() == "  Héllo\n!"


def test_nothing_is_heard_before_the_first_word_has_ended() -> None:
    ledger = ledger_of(" One two", (4, 100), (8, 200))
    assert ledger.cut(0) == ("", " One two")
    assert ledger.cut(99) == ("", " One two")
    assert ledger.cut(100) == (" One ", "two")
    assert ledger.cut(199) == (" One ", "two")
    assert ledger.cut(200) == (" One two", "")


def test_a_word_that_ends_at_the_very_beginning_counts_as_heard() -> None:
    assert ledger_of("a b", (1, 0), (3, 5)).cut(0) == ("a ", "b")


def test_words_become_known_bit_by_bit() -> None:
    ledger = ledger_of("One two", (3, 100))
    assert ledger.cut(500) == ("One ", "two")
    ledger.timed((SourceWord(4, 7, 100, 200),))
    assert ledger.cut(500) == ("One two", "")


def test_several_words_that_end_together() -> None:
    assert ledger_of("a b c", (1, 10), (3, 10), (5, 20)).cut(10) == ("a b ", "c")


@pytest.mark.parametrize(
    ("word", "trail", "rest"),
    [
        ("one", " ", "two"),
        ("one", ", ", "two"),
        ("one", ".\n\n", "Two"),
        ("one", "?! ", "Two"),
        ("one", "... ", "two"),
        ("one", "… ", "two"),
        ("one", ") ", "(two)"),
        ("one", ". ", "“Two”"),
        ("one", ".” ", "‘Two’"),
        ("one", ": ", "«two»"),
        ("one", "; ", "[two]"),
        ("one", ", ", "'tis"),
        ("one", ". ", '"Two"'),
        ("one", " ", "$3.50"),
        ("one", " ", "-5"),
        ("one", " ", "#2"),
        ("one", "。", "二"),
        ("one", "、", "「二」"),
        ("one", "\u00a0", "two"),
        ("one", "*** ", "two"),
        ("one", " 😀 ", "two"),
        ("one", " \u2764\ufe0f ", "two"),  # one heart, of two code points
        ("one", ".", ""),
        ("one", "", "two"),
        # A straight quote that follows without a space closes.
        ("one", '" ', "two"),
        ("one", '," ', "two"),
        ("one", '." ', '"Two"'),
        ("dogs", "' ", "tails"),
        ("one", '."', ""),
    ],
)
def test_the_cut_takes_what_trails_the_word_and_leaves_what_leads_the_next(
    word: str, trail: str, rest: str
) -> None:
    text = f"A {word}{trail}{rest}"
    assert ledger_of(text, (1, 10), (2 + len(word), 20)).cut(20) == (f"A {word}{trail}", rest)


@given(
    st.text(st.characters(codec="utf-8"), max_size=50),
    st.lists(st.integers(0, 50), max_size=10),
    st.lists(st.integers(-5, 200), min_size=1, max_size=10),
)
def test_a_cut_is_a_cut(text: str, ends: list[int], positions: list[int]) -> None:
    """Nothing is lost or invented, no word that was heard is given back, later cuts are no earlier."""
    sources = sorted(min(end, len(text)) for end in ends)
    ledger = ledger_of(text, *((source, 10 * number) for number, source in enumerate(sources, 1)))
    before = 0
    for position in sorted(positions):
        spoken, remaining = ledger.cut(position)
        assert spoken + remaining == text
        heard = [source for number, source in enumerate(sources, 1) if 10 * number <= position]
        assert len(spoken) >= max(heard, default=0)
        assert len(spoken) >= before
        if not heard:
            assert spoken == ""
        before = len(spoken)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), max_size=12))
def test_the_text_is_that_of_all_parts_in_order(parts: list[str]) -> None:
    ledger = Ledger()
    for number, part in enumerate(parts):
        ledger.append(part, len(part.encode()))
        if number % 3 == 0:
            assert ledger.text() == "".join(parts[: number + 1])
    assert ledger.text() == "".join(parts)
    assert ledger.text_bytes == len("".join(parts).encode())
