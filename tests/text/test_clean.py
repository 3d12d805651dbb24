"""What cannot be said is left out, and every word still knows where it came from."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.text.clean import clean
from realtime.types import SpanLink

ODD = st.text(
    alphabet=st.one_of(
        st.sampled_from(
            list("ab 1.,*`_#$%^~\t\n\r\0\x07\x1b\x7f\x85\u200b\u200d\ufe0f\u20e3\u00ad°©™€½é今😀👍🏽🇩🇪")
        ),
        st.characters(codec="utf-8"),
    ),
    max_size=80,
)


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Hello there.", "Hello there."),
        ("  much \t\n space  ", "much space"),
        ("a b\x00c\x07d", "a b c d"),
        ("\x00", ""),
        ("**bold** and `code`", "bold and code"),
        ("Great 👍🏽 work 🎉!", "Great work !"),
        ("I ❤️ it", "I it"),
        ("the 🇩🇪 flag", "the flag"),
        ("a family 👨‍👩‍👧 here", "a family here"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("98.6°F, 5 €, © 2024 Brand™", "98.6°F, 5 €, © 2024 Brand™"),
        ("don't, o’clock", "don't, o’clock"),
        ("今日は。", "今日は。"),
        ("naïve e\u0301", "naïve e\u0301"),
        ("", ""),
        ("...", ""),
        ("?! — “”", ""),
        ("😀😀", ""),
        ("\n \t", ""),
        ("$", ""),
    ],
)
def test_what_is_spoken(text: str, spoken: str) -> None:
    assert clean(text, 0)[0] == spoken


def test_a_product_is_not_a_number() -> None:
    """An asterisk between digits is no mark of emphasis: "2*3" must not be read as twenty-three."""
    spoken, _ = clean("2*3 is six", 0)
    assert not spoken.startswith("23")


def test_links_point_into_the_whole_text() -> None:
    spoken, links = clean(" **Hi** 😀  $3.50!", 100)
    assert spoken == "Hi $3.50!"
    assert links == (SpanLink(0, 1, 101, 104), SpanLink(1, 2, 104, 107), SpanLink(3, 9, 111, 117))


def test_what_is_left_out_inside_a_word_cuts_its_link() -> None:
    """So that words of languages without spaces can still be told apart."""
    spoken, links = clean("今天**天气**好😀。", 10)
    assert spoken == "今天天气好。"
    spans = [(link.spoken_start, link.spoken_end, link.source_start, link.source_end) for link in links]
    assert spans == [(0, 2, 10, 12), (2, 4, 14, 16), (4, 5, 18, 19), (5, 6, 20, 21)]


def test_what_is_left_out_at_an_edge_goes_with_what_it_touches() -> None:
    spoken, links = clean("**好天气😀", 10)
    assert spoken == "好天气"
    spans = [(link.spoken_start, link.spoken_end, link.source_start, link.source_end) for link in links]
    assert spans == [(0, 1, 10, 13), (1, 2, 13, 14), (2, 3, 14, 16)]


def test_nothing_spoken_has_no_links() -> None:
    assert clean("... 😀 !", 7) == ("", ())


@settings(deadline=None, max_examples=300)
@given(text=ODD, position=st.integers(0, 10_000))
def test_links_are_ordered_and_exact(text: str, position: int) -> None:
    spoken, links = clean(text, position)
    assert spoken == " ".join(spoken.split(" ")) and spoken.strip() == spoken
    covered = {at for link in links for at in range(link.spoken_start, link.spoken_end)}
    assert covered == {at for at, character in enumerate(spoken) if character != " "}
    end = position
    for link in links:
        assert end <= link.source_start < link.source_end <= position + len(text)
        end = link.source_end
        source = text[link.source_start - position : link.source_end - position]
        # What is spoken is the source, at the edges of a word without the marks that touch it.
        said = spoken[link.spoken_start : link.spoken_end]
        assert said == source or (len(said) == 1 and said in source)


@settings(deadline=None, max_examples=200)
@given(text=ODD)
def test_no_letter_or_digit_is_lost_and_nothing_unspeakable_stays(text: str) -> None:
    spoken, _ = clean(text, 0)
    assert [c for c in spoken if c.isalnum()] == [c for c in text if c.isalnum()]
    assert not [c for c in spoken if unicodedata.category(c) in {"Cc", "Cf", "Cn", "Co", "Cs"}]
