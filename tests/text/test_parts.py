"""Where a growing text may be cut between words: never where it is open, and the same whenever one asks."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from realtime.text.parts import next_word, part_ends

#: Words, marks and numbers that lie close together.
TEXTS = st.lists(
    st.sampled_from(
        [
            *("so ", "many, ", "plain\n", "words ", "a ", "New ", "5 ", "km", "$3.50 ", "x" * 41, " "),
            *("(", ")", "[", "]", "<", ">", "{", "}", "**", "*", "_", "`", '"', "~~", "==", "$", ". "),
            *("今日は", "、", "，", "です ", "日本abc ", "été ", "мир "),
        ]
    ),
    max_size=16,
).map("".join)


def parts(text: str, only_clauses: bool = False, shortest: int = 0) -> list[str]:
    """The parts that are final, and what is left."""
    edges = [0, *part_ends(text, only_clauses, shortest), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


def test_a_part_ends_between_two_plain_words_of_which_the_second_is_whole() -> None:
    assert parts("some plain words") == ["some ", "plain words"]
    assert parts("some plain words ") == ["some ", "plain ", "words "]
    assert parts("some plain, words\nhere, ") == ["some ", "plain, ", "words\n", "here, "]


@pytest.mark.parametrize(
    "text",
    [
        "costs $3.50 now",
        "walk 5 km now",
        "meet Dr. Smith",
        "see snake_case now",
        "see USA now",
        "see \u00dcber now",  # a capital that is not of ASCII
        "see don't now",
        "see it. now",
    ],
)
def test_beside_anything_else_nothing_ends(text: str) -> None:
    assert parts(text + " ") == [text + " "]


def test_a_word_after_a_number_stays_with_what_follows() -> None:
    assert parts("it is 5 large cups of tea ") == ["it ", "is 5 large cups ", "of ", "tea "]


def test_a_single_letter_may_belong_to_what_is_before_it() -> None:
    """ "p. m", "vitamin c", "5 à 10": a word has two letters at least to end the part before it."""
    assert parts("what a lovely day ") == ["what a ", "lovely ", "day "]
    assert parts("one in two ") == ["one ", "in ", "two "]


def test_words_without_end_are_waited_for() -> None:
    assert parts("see " + "x" * 40 + " here ") == ["see ", "x" * 40 + " ", "here "]
    assert parts("see " + "x" * 41 + " here ") == ["see " + "x" * 41 + " here "]


def test_clauses_end_at_commas_only() -> None:
    text = "when it rains, we stay here, all of us "
    assert parts(text, only_clauses=True) == ["when it rains, ", "we stay here, ", "all of us "]
    assert len(parts(text)) == 9


@pytest.mark.parametrize("comma", ["\u3001", "\uff0c", "\uff1b", "\uff1a"])
@pytest.mark.parametrize("only_clauses", [True, False])
def test_a_comma_of_chinese_or_japanese_ends_a_part(comma: str, only_clauses: bool) -> None:
    assert parts(f"今日は{comma}とても良い", only_clauses) == [f"今日は{comma}", "とても良い"]
    assert parts(f"今日は{comma}と", only_clauses) == [f"今日は{comma}と"], "what follows is not certain yet"
    assert parts(f"「今日」{comma}とても良い", only_clauses) == [f"「今日」{comma}とても良い"]
    assert parts(f"今日は{comma}5月", only_clauses) == [f"今日は{comma}5月"]


def test_ends_are_in_order_whatever_makes_them() -> None:
    text = "so it is 今日は、とても良い and all is fine "
    assert parts(text) == ["so ", "it ", "is 今日は、", "とても良い and ", "all ", "is ", "fine "]


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        *(("(", ")"), ("[", "]"), ("{", "}"), ("<", ">"), ("*", "*"), ("**", "**"), ("_", "_"), ("`", "`")),
        *(("~~", "~~"), ('"', '"'), ("==", "=="), ("$", "$")),
    ],
)
def test_what_is_open_is_never_cut(opening: str, closing: str) -> None:
    text = f"see the {opening}two of them here{closing} and then more "
    assert parts(text) == ["see ", f"the {opening}two of them here{closing} and ", "then ", "more "]
    assert parts(text[: text.index(" and ") + 1]) == ["see ", text[4 : text.index(" and ") + 1]]


def test_a_bracket_that_nothing_opened_holds_back_what_follows() -> None:
    """Which may be a link that began in text the parts before were cut from."""
    assert parts("see a) one two three ") == ["see a) one two three "]


def test_brackets_of_another_kind_close_nothing() -> None:
    assert parts("see (one two] three four ") == ["see (one two] three four "]


@pytest.mark.parametrize(
    ("shortest", "first"), [(0, "it "), (3, "it "), (4, "it is "), (6, "it is "), (7, "it is so ")]
)
def test_the_first_part_has_a_least_length_and_the_others_have_not(shortest: int, first: str) -> None:
    text = "it is so we go on "
    whole = parts(text)
    said = parts(text, shortest=shortest)
    assert said[0] == first and len(first) >= shortest
    assert said[1:] == whole[whole.index(first.split()[-1] + " ") + 1 :]
    assert part_ends("it is so ", shortest=100) == []


@given(TEXTS, st.booleans())
def test_what_has_ended_stays_so_when_more_text_comes(text: str, only_clauses: bool) -> None:
    ends = part_ends(text, only_clauses)
    assert ends == sorted(set(ends))
    for length in range(len(text)):
        before = part_ends(text[:length], only_clauses)
        assert before == ends[: len(before)]


@given(TEXTS, st.booleans())
@example("今日は、日本abc def ghi ", False)
def test_the_parts_after_the_first_are_found_by_themselves(text: str, only_clauses: bool) -> None:
    """Those that are out are not looked for again."""
    ends = part_ends(text, only_clauses)
    for number, end in enumerate(ends):
        assert part_ends(text, only_clauses, start=end) == ends[number + 1 :]


def test_of_what_follows_a_part_one_word_is_certain() -> None:
    assert next_word("some plain words", 5) == "plain"
    assert next_word("今日は、とても良い", 4) == "とて", "no more than was there when the part ended"
    assert next_word("some ", 5) == ""
