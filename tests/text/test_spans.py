"""Edits keep the way back to the source, whatever they are."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.text.spans import Edit, MappedText, share
from realtime.types import SpanLink

TEXTS = st.text(alphabet="ab *7\n今", max_size=40)


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, list[list[Edit]], MappedText]:
    """A text, stages of edits, and what became of it."""
    text = draw(TEXTS)
    mapped = MappedText(text, 100)
    stages: list[list[Edit]] = []
    for _ in range(draw(st.integers(1, 3))):
        cuts = sorted(set(draw(st.lists(st.integers(0, len(mapped.text)), max_size=8))))
        edits = [
            Edit(start, end, draw(st.sampled_from(["", "x", "four five", "今天"])), draw(st.booleans()))
            for start, end in zip(cuts[::2], cuts[1::2], strict=False)
        ]
        stages.append(edits)
        mapped = mapped.edited(edits)
    return text, stages, mapped


@settings(max_examples=500)
@given(edited())
def test_links_are_ordered_disjoint_and_cover_what_is_spoken(
    case: tuple[str, list[list[Edit]], MappedText],
) -> None:
    text, _, mapped = case
    for each in (mapped, mapped.stripped()):
        covered: set[int] = set()
        spoken_end, source_end = 0, 100
        for link in each.links():
            assert spoken_end <= link.spoken_start < link.spoken_end <= len(each.text)
            assert source_end <= link.source_start < link.source_end <= 100 + len(text)
            spoken_end, source_end = link.spoken_end, link.source_end
            covered |= set(range(link.spoken_start, link.spoken_end))
        assert {at for at, character in enumerate(each.text) if not character.isspace()} <= covered


@given(TEXTS)
def test_stripped_has_single_spaces_and_says_the_same(text: str) -> None:
    stripped = MappedText(text, 0).stripped()
    assert stripped.text == " ".join(text.split())


def test_what_is_settled_stays() -> None:
    once = MappedText("one two three", 0).edited([Edit(4, 7, "deux", settled=True)])
    assert once.edited([Edit(3, 6, "x"), Edit(9, 14, "drei")]).text == "one deux drei"


def test_what_is_left_out_goes_with_what_it_touches() -> None:
    mapped = MappedText("a **bo*ld** 😀 **c", 0).edited(
        [Edit(2, 4, ""), Edit(6, 7, ""), Edit(9, 11, ""), Edit(12, 13, ""), Edit(14, 16, "")]
    )
    assert mapped.stripped().text == "a bold c"
    links = mapped.stripped().links()
    assert [(link.source_start, link.source_end) for link in links] == [
        (0, 1),
        (2, 5),
        (5, 7),
        (7, 8),
        (8, 11),
        (14, 17),
    ]


def test_a_rewritten_run_is_one_link() -> None:
    mapped = MappedText("It costs $3.50 now", 10).edited([Edit(9, 14, "three dollars and fifty cents")])
    assert mapped.text == "It costs three dollars and fifty cents now"
    assert mapped.links()[2] == SpanLink(9, 38, 19, 24)
    assert mapped.spoken_range(19, 24) == (9, 38)


def test_the_space_around_a_rewritten_word_is_none_of_it() -> None:
    mapped = MappedText("am 3. Mai", 10).edited([Edit(3, 6, "dritten ")])
    assert mapped.text == "am dritten Mai"
    assert mapped.links() == (SpanLink(0, 2, 10, 12), SpanLink(3, 10, 13, 15), SpanLink(11, 14, 16, 19))


def test_two_stages_lead_back_to_the_first() -> None:
    mapped = (
        MappedText("[5 km](u)", 0)
        .edited([Edit(0, 1, ""), Edit(5, 9, "")])
        .edited([Edit(0, 4, "five kilometers")])
    )
    assert mapped.text == "five kilometers" and mapped.links() == (SpanLink(0, 15, 0, 9),)


def test_spoken_words_are_shared_out_over_the_written_ones() -> None:
    assert share("$5 million", 0, 10, "five million dollars") == [
        Edit(0, 2, "five"),
        Edit(3, 10, "million dollars"),
    ]
    assert share("p. m.", 0, 5, "P.M.") == [Edit(0, 5, "P.M.")]
    assert share("x 7 y", 2, 3, "seven") == [Edit(2, 3, "seven")]


@pytest.mark.parametrize(
    ("written", "spoken", "shares"),
    [
        ("a b", "1 2", ["1", "2"]),
        ("a b", "1 2 3 4 5", ["1 2", "3 4 5"]),
        ("a b c", "1 2 3 4", ["1", "2", "3 4"]),
        ("a b c", "1 2 3 4 5 6 7", ["1 2", "3 4", "5 6 7"]),
        ("a b c d", "1 2 3 4 5 6 7", ["1", "2 3", "4 5", "6 7"]),
    ],
)
def test_the_later_words_have_the_larger_shares(written: str, spoken: str, shares: list[str]) -> None:
    text = f"x {written} y"
    edits = share(text, 2, 2 + len(written), spoken)
    assert [edit.spoken for edit in edits] == shares
    assert [text[edit.start : edit.end] for edit in edits] == written.split()
    assert MappedText(text, 0).edited(edits).text == f"x {spoken} y"


def test_runs_left_out_one_after_the_other_all_go_with_the_next_character() -> None:
    left_out = [Edit(2, 4, ""), Edit(4, 5, "")]
    for edits in (left_out, [*left_out, Edit(5, 6, "five")]):
        links = MappedText("a **_5_", 0).edited(edits).links()
        assert [(link.source_start, link.source_end) for link in links][:2] == [(0, 1), (2, 6)]


def test_what_is_left_out_goes_with_all_characters_of_a_run() -> None:
    once = MappedText("a *5* b", 0).edited([Edit(3, 4, "five")])
    mapped = once.edited([Edit(2, 3, ""), Edit(7, 8, "")])
    assert mapped.text == "a five b"
    assert mapped.links() == (SpanLink(0, 1, 0, 1), SpanLink(2, 6, 2, 5), SpanLink(7, 8, 6, 7))


def test_across_space_nothing_is_passed_on() -> None:
    mapped = MappedText("a *** b", 0).edited([Edit(2, 5, "")])
    assert mapped.spoken_range(2, 5) == (2, 2)
    assert mapped.stripped().links() == (SpanLink(0, 1, 0, 1), SpanLink(2, 3, 6, 7))
    assert MappedText("** b", 0).edited([Edit(0, 3, "")]).links() == (SpanLink(0, 1, 3, 4),)


def test_of_edits_that_overlap_the_first_is_made() -> None:
    assert MappedText("one two", 0).edited([Edit(2, 5, "y"), Edit(0, 3, "x")]).text == "x two"


def test_stripping_settles_nothing_and_keeps_what_is_settled() -> None:
    stripped = MappedText(" a  b\tc ", 0).edited([Edit(6, 7, "see", settled=True)]).stripped()
    assert stripped.text == "a b see"
    assert stripped.edited([Edit(0, 3, "x")]).text == "x see", "space may be changed as before"
    assert stripped.edited([Edit(3, 4, "-")]).text == "a b-see"
    assert stripped.edited([Edit(2, 5, "x"), Edit(4, 5, "y")]).text == "a b see"


def test_stripped_space_has_the_source_of_all_of_it() -> None:
    stripped = MappedText("a \n b", 10).stripped()
    assert [stripped.spoken_range(at, at + 1) for at in range(11, 14)] == [(1, 2)] * 3


def test_a_reader_sees_only_the_ends_of_what_is_long_and_settled() -> None:
    long = "".join(chr(ord("a") + number % 26) for number in range(1000))
    once = MappedText("1 x 2 y 3", 10).edited(
        [Edit(2, 3, long, settled=True), Edit(6, 7, "why", settled=True)]
    )
    seen: list[str] = []

    def stage(text: str) -> list[Edit]:
        seen.append(text)
        middle = text.index(long[:16])
        return [
            *(Edit(at, at + 1, "N") for at, character in enumerate(text) if character.isdigit()),
            Edit(middle, middle + 20, "no"),
        ]

    read = once.read_by(stage)
    assert read.text == f"N {long} N why N"
    assert seen == [f"1 {long[:16]}{long[-16:]} 2 why 3"]
    assert [(link.source_start, link.source_end) for link in read.links()] == [
        (10, 11),
        (12, 13),
        (14, 15),
        (16, 17),
        (18, 19),
    ]


@pytest.mark.parametrize(("length", "seen"), [(47, 47), (48, 32), (49, 32)])
def test_a_reader_sees_the_whole_of_what_is_not_long(length: int, seen: int) -> None:
    lengths: list[int] = []

    def stage(text: str) -> list[Edit]:
        lengths.append(len(text))
        return []

    once = MappedText("x", 0).edited([Edit(0, 1, "y" * length, settled=True)])
    assert once.read_by(stage).text == once.text and lengths == [seen]


def test_a_reader_finds_its_places_between_long_settled_runs() -> None:
    first, second = "v" * 60, "w" * 90
    once = MappedText("12 x 34 y 56", 0).edited(
        [Edit(3, 4, first, settled=True), Edit(8, 9, second, settled=True)]
    )
    read = once.read_by(
        lambda text: [Edit(at, at + 2, text[at : at + 2] + "!") for at in map(text.index, ("12", "34", "56"))]
    )
    assert read.text == f"12! {first} 34! {second} 56!"
    assert [(link.source_start, link.source_end) for link in read.links()] == [
        (0, 2),
        (3, 4),
        (5, 7),
        (8, 9),
        (10, 12),
    ]


def test_an_edit_across_a_long_settled_run_is_not_made() -> None:
    once = MappedText("a x b", 0).edited([Edit(2, 3, "v" * 60, settled=True)])
    assert once.read_by(lambda text: [Edit(0, len(text), "all")]).text == once.text
