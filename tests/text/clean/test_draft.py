"""Passes of edits, given out as edits of the first text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from realtime.text.clean.draft import Draft
from realtime.text.spans import Edit, MappedText


def applied(text: str, edits: list[Edit]) -> str:
    return MappedText(text, 0).edited(edits).text


@given(st.data())
def test_the_edits_of_all_passes_make_the_text(data: st.DataObject) -> None:
    text = data.draw(st.text(alphabet="ab *_", max_size=20))
    draft = Draft(text)
    for _ in range(data.draw(st.integers(0, 4))):
        cuts = sorted(data.draw(st.sets(st.integers(0, len(draft.text)), max_size=6)))
        spoken = [data.draw(st.sampled_from(["", "", "x", " ", "yz"])) for _ in cuts[1::2]]
        edits = [Edit(a, b, said) for a, b, said in zip(cuts[::2], cuts[1::2], spoken, strict=False)]
        expected = applied(draft.text, edits)
        draft.apply(edits)
        assert draft.text == expected
    done = 0
    for edit in draft.edits():
        assert done <= edit.start < edit.end <= len(text)
        done = edit.end
    assert applied(text, draft.edits()) == draft.text


def test_what_is_settled_is_left_alone() -> None:
    draft = Draft("a*b*c")
    draft.apply([Edit(1, 2, "*", settled=True)])
    draft.apply([Edit(1, 2, ""), Edit(3, 4, "")])
    assert draft.text == "a*bc"
    assert draft.settled(0, 2) and not draft.settled(2, 4)
    draft.apply([Edit(1, 2, "+")], even_settled=True)
    draft.apply([Edit(1, 2, "")])
    assert draft.text == "a+bc"
    draft.apply([Edit(1, 2, "")], even_settled=True)
    assert draft.text == "abc"
    assert draft.edits() == [Edit(1, 2, ""), Edit(3, 4, "")]


def test_replacements_of_one_place_are_one_edit() -> None:
    draft = Draft("a&lt;b")
    draft.apply([Edit(1, 5, "<>")])
    draft.apply([Edit(1, 2, "")])
    assert draft.edits() == [Edit(1, 5, ">")]
    draft.apply([Edit(1, 3, "!")])
    assert draft.edits() == [Edit(1, 6, "!")]
    draft = Draft("a&lt;bc")
    draft.apply([Edit(1, 5, "<>")])
    draft.apply([Edit(2, 4, "!")])
    assert draft.edits() == [Edit(1, 6, "<!")]


def test_what_is_gone_is_cut_at_its_space() -> None:
    """So that a mark of a list is not taken into the first word, as one of emphasis is."""
    draft = Draft("- **a** b")
    draft.apply([Edit(0, 2, ""), Edit(2, 4, ""), Edit(5, 7, "")])
    assert draft.edits() == [Edit(0, 2, ""), Edit(2, 4, ""), Edit(5, 7, "")]
    draft = Draft("a* *b")
    draft.apply([Edit(1, 2, ""), Edit(2, 3, ""), Edit(3, 4, "")])
    assert draft.edits() == [Edit(1, 2, ""), Edit(2, 3, ""), Edit(3, 4, "")]
