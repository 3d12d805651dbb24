"""What a line is by its beginning, and that every prefix of it either waits or says the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.text.segment.atoms import LONGEST_ATOM, Atom, read_atom
from realtime.text.segment.blocks import Line, closes_fence, continues_list, read_line


@pytest.mark.parametrize(
    ("text", "kind", "mark"),
    [
        ("plain text", "text", 0),
        ("  plain text", "text", 2),
        ("\n", "blank", 0),
        ("  \t\n", "blank", 3),
        ("\r\n", "blank", 0),
        ("# Title", "heading", 1),
        ("###### Title", "heading", 6),
        ("####### none", "text", 0),
        ("#tag", "text", 0),
        ("#1 is", "text", 0),
        ("- item", "item", 2),
        ("  * item", "item", 4),
        ("-5 is", "text", 0),
        ("--- \n", "rule", 4),
        ("- - -\n", "rule", 5),
        ("***\n", "rule", 3),
        ("=====\n", "rule", 5),
        ("***bold***", "text", 0),
        ("**bold** x", "text", 0),
        ("1. item", "item", 2),
        ("12) item", "item", 3),
        ("1.5 is", "text", 0),
        ("2024 was", "text", 0),
        ("1、项", "item", 2),
        ("3、4、5", "text", 0),
        ("一、项", "item", 2),
        ("一个", "text", 0),
        ("①项", "item", 1),
        ("（一）项", "item", 3),
        ("(1) item", "item", 3),
        ("(it was) so", "text", 0),
        ("a) item", "item", 2),
        ("as it", "text", 0),
        ("• item", "item", 2),
        ("— Hola", "item", 1),
        ("> quote", "quote", 2),
        ("> - item", "item", 4),
        ("> # head", "heading", 3),
        (">\n", "blank", 1),
        ("```py\n", "fence", 0),
        ("   ~~~~\n", "fence", 3),
        ("    ```\n", "text", 4),
        ("```x``` y", "text", 0),
        ("``x`` y", "text", 0),
        ("| a | b |", "table", 0),
        ("    | a |", "text", 4),
        ("[^1]: note", "paragraph", 0),
        ("[link](x)", "text", 0),
        ("\u3000段", "paragraph", 0),
    ],
)
def test_kinds(text: str, kind: str, mark: int) -> None:
    line = read_line(text, 0, False, False)
    assert line is not None
    assert (line.kind, line.mark) == (kind, mark)
    for length in range(len(text)):
        assert read_line(text[:length], 0, False, False) in (None, line)


def test_lists_are_indented_farther() -> None:
    assert read_line("      ```\n", 0, False, True) == Line("fence", 6, 6, fence="```")
    assert read_line("    | a |", 0, False, True) == Line("table", 4, 4)


@pytest.mark.parametrize(
    ("row", "fence", "closes"),
    [
        ("```\n", "```", True),
        ("  ````  \n", "```", True),
        ("``\n", "```", False),
        ("```py\n", "```", False),
        ("~~~\n", "```", False),
        ("~~~~", "~~~~", True),
        ("\n", "```", False),
    ],
)
def test_what_closes_a_fence(row: str, fence: str, closes: bool) -> None:
    assert closes_fence(row, fence) == closes


@pytest.mark.parametrize(
    ("number", "last", "before", "continues"),
    [
        (1, None, "some text\n", True),
        (3, None, "Er kam am\n", False),
        (3, 2, "second item\n", True),
        (3, None, "Three things:\n", True),
        (None, None, "some text\n", True),
    ],
)
def test_which_numbers_interrupt_text(
    number: int | None, last: int | None, before: str, continues: bool
) -> None:
    assert continues_list(Line("item", number=number), last, before) == continues


LINES = st.one_of(
    st.text(alphabet="`~|#-*+_=>0123.)(（）一二、a[^ \t\r\n\u3000•—", max_size=40),
    st.text(alphabet="`a \n", max_size=200),
)


@settings(deadline=None, max_examples=300)
@given(text=LINES, in_list=st.booleans())
def test_more_text_never_changes_what_a_line_is(text: str, in_list: bool) -> None:
    known: Line | None = None
    for length in range(len(text) + 1):
        line = read_line(text[:length], 0, False, in_list)
        assert known is None or line == known
        known = line
    final = read_line(text, 0, True, in_list)
    assert final is not None and final.mark <= len(text)
    assert known is None or final == known


PARTS = "` `` [ ] ( ) ]( <a b= \" ' > </a> <!-- --> <sub> </sub> <break/> :// a@b.c <http://x> \\".split()
ATOMS = st.one_of(
    st.text(alphabet="`[]()<>!/=\"' \\\nab:.-", max_size=120),
    st.lists(st.sampled_from([*PARTS, "x" * 90, " ", "\n", "\n\n"]), max_size=20).map("".join),
)


@settings(deadline=None, max_examples=300)
@given(
    start=st.sampled_from(["`", "``", "[", "<", "<a", "http://", "<sub>"]), text=ATOMS, markup=st.booleans()
)
def test_more_text_never_changes_what_a_construct_is(start: str, text: str, markup: bool) -> None:
    text = start + text
    at = 4 if start == "http://" else 0
    known: Atom | None = None
    for length in range(at + 1, len(text) + 1):
        atom = read_atom(text[:length], at, False, markup)
        assert known is None or atom == known
        known = atom
    final = read_atom(text, at, True, markup)
    assert final is not None and at <= final.end <= len(text)
    assert final.end - at <= LONGEST_ATOM + 110
    assert known is None or final == known


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("`a. b` c", 6),
        ("``a ` b`` c", 9),
        ("`a\n\nb`", 0),
        ("[a](b) c", 6),
        ('[a](b "c. d)") e', 14),
        ("[a](b(c)) d", 9),
        ("[![a](b)](c) d", 12),
        ("[a] (b)", 0),
        ("[a\n\n](b)", 0),
        ("<b>x", 3),
        ('<a href="x. y">z', 15),
        ("<a href='x' b=c d>z", 18),
        ("<br/> x", 5),
        ("<3 x", 0),
        ("<y. And", 0),
        ("<http://a.b/c> d", 14),
        ("<a@b.c> d", 7),
        ("<!-- a. b --> c", 13),
        ("<sub alias='a'>b. c</sub> d", 15),
    ],
)
def test_constructs(text: str, end: int) -> None:
    atom = read_atom(text, 0, False, False)
    assert atom is not None and atom.end == end


def test_elements_of_the_markup_are_one_thing() -> None:
    text = "<sub alias='a'>b. c</sub> d"
    assert read_atom(text, 0, False, True) == Atom(25, 4)
    assert read_atom('<break time="1s"/> x', 0, False, True) == Atom(18, 0, ends_segment=True)
    assert read_atom('<break time="1s"/> x', 0, False, False) == Atom(18, 0)
    assert read_atom("<Sub alias='a'>b. c</SUB > d", 0, False, True) == Atom(26, 4)
    assert read_atom("</s> x", 0, False, True) == Atom(4, 0, ends_segment=True)
    assert read_atom("</s> x", 0, False, False) == Atom(4, 0)


@pytest.mark.parametrize("opening", ["`", "[", "<a href='", "<!--", "<sub>"])
def test_what_is_never_closed_is_plain_text(opening: str) -> None:
    for rest in ("x y" * 40, "x\n\n"):
        text = opening + rest
        assert read_atom(text[: min(len(text), LONGEST_ATOM) - 1], 0, False, True) is None
        atom = read_atom((text + " x" * LONGEST_ATOM)[: LONGEST_ATOM + 1], 0, False, True)
        assert atom is not None and atom.end == (5 if opening == "<sub>" else 0)
