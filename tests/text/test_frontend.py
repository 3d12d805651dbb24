"""From tokens to pieces: the same ones whatever the cuts, each knowing its source."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.text.frontend import Frontend
from realtime.types import Buffering, TextPiece
from tests.text.test_segment import NASTY, TEXTS


def spoken(tokens: list[str], buffering: Buffering = "auto", language: str = "en") -> list[TextPiece]:
    frontend = Frontend(language, buffering)
    pieces = [piece for token in tokens for piece in frontend.append(token)]
    return pieces + frontend.flush()


def check_sources(text: str, pieces: list[TextPiece]) -> None:
    """Pieces and their spans are in order, disjoint, inside the text, and say what stands there."""
    end = 0
    for number, piece in enumerate(pieces):
        assert piece.segment == number
        assert piece.last_of_segment
        assert any(character.isalnum() for character in piece.text)
        assert piece.source == (piece.spans[0].source_start, piece.spans[-1].source_end)
        spoken_end = -1
        for span in piece.spans:
            assert end <= span.source_start < span.source_end <= len(text)
            assert span.spoken_start in (spoken_end, spoken_end + 1)  # a space between them, or none
            assert span.spoken_start < span.spoken_end <= len(piece.text)
            end, spoken_end = span.source_end, span.spoken_end
            said = piece.text[span.spoken_start : span.spoken_end]
            written = text[span.source_start : span.source_end]
            assert said == written or (len(said) == 1 and said in written)
        assert spoken_end == len(piece.text)
    letters = [c for piece in pieces for c in piece.text if c.isalnum()]
    assert letters == [c for c in text if c.isalnum()]


@settings(deadline=None, max_examples=120)
@given(text=st.one_of(TEXTS, NASTY, st.text(max_size=120)), data=st.data())
def test_any_cuts_give_the_same_pieces(text: str, data: st.DataObject) -> None:
    pieces = spoken([text])
    check_sources(text, pieces)
    assert spoken(list(text)) == pieces
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    assert spoken([text[a:b] for a, b in itertools.pairwise([0, *cuts, len(text)])]) == pieces
    assert spoken(list(text), "manual") == pieces


def test_a_piece_has_its_language_and_source() -> None:
    (first, second) = spoken(["  It costs $3.50 there.  Then we le", "ft."], language="de")
    assert (first.text, first.source, first.language) == ("It costs $3.50 there.", (2, 23), "de")
    assert (second.text, second.source, second.segment) == ("Then we left.", (25, 38), 1)
    assert [(s.source_start, s.source_end) for s in first.spans] == [(2, 4), (5, 10), (11, 16), (17, 23)]


@pytest.mark.parametrize(
    "text", ["", " ", "\n\n\n", "😀🎉", "...", "?!", "— “” —", "\0\0", "😀. 🎉! \n\n", "*`*"]
)
@pytest.mark.parametrize("buffering", ["auto", "sentence", "manual"])
def test_nothing_to_say_gives_no_piece(text: str, buffering: Buffering) -> None:
    assert spoken([text], buffering) == []
    assert spoken(list(text), buffering) == []


def test_segments_are_numbered_without_those_that_say_nothing() -> None:
    pieces = spoken(["First one here.\n\n😀\n\nSecond one here.\n\n...\n\nThird"])
    assert [(piece.segment, piece.text) for piece in pieces] == [
        (0, "First one here."),
        (1, "Second one here."),
        (2, "Third"),
    ]


def test_emoji_and_control_characters_are_left_out() -> None:
    (piece,) = spoken(["Good\x00 morning 👋\x07 world\x1b"])
    assert piece.text == "Good morning world"
    assert [(s.source_start, s.source_end) for s in piece.spans] == [(0, 4), (6, 13), (17, 22)]


def test_manual_buffering_holds_everything_until_a_flush() -> None:
    frontend = Frontend("en", "manual")
    assert frontend.append("One is here. Two is here. Three is here. ") == []
    assert frontend.append("x" * 2000) == []
    assert [piece.text for piece in frontend.flush()][:3] == [
        "One is here.",
        "Two is here.",
        "Three is here.",
    ]
    assert frontend.flush() == []
    assert frontend.append("And then more. It is more. ") == []
    pieces = frontend.flush()
    assert [piece.text for piece in pieces] == ["And then more.", "It is more."]
    assert pieces[0].source == (2041, 2055)


def test_a_flush_makes_half_a_word_final() -> None:
    frontend = Frontend("en")
    assert frontend.append("Hel") == []
    assert [(piece.text, piece.source) for piece in frontend.flush()] == [("Hel", (0, 3))]
    assert frontend.append("lo") == []
    assert [(p.segment, p.text, p.source) for p in frontend.flush()] == [(1, "lo", (3, 5))]


@settings(deadline=None, max_examples=50)
@given(parts=st.lists(TEXTS, min_size=2, max_size=4))
def test_flushes_keep_every_letter_and_every_position(parts: list[str]) -> None:
    frontend = Frontend("en")
    pieces: list[TextPiece] = []
    for part in parts:
        pieces += frontend.append(part)
        pieces += frontend.flush()
    check_sources("".join(parts), pieces)
