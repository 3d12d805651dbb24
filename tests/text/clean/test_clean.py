"""What cannot be said is left out, and every word still knows where it came from."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.text.clean import clean, clean_code, clean_table
from realtime.text.spans import MappedText
from realtime.types import SpanLink
from tests.text.clean.cleaning import checked, pairs, said
from tests.text.normalize.pairs import check_sources

ODD = st.text(
    alphabet=st.one_of(
        st.sampled_from(
            list("ab 1.,*_`#$%^~\t\n\r\0\x07\x1b\x7f\x85\u200b\u200d\ufe0f\u20e3\u00ad°©™€½é今😀👍🏽🇩🇪")
        ),
        st.characters(codec="utf-8"),
    ),
    max_size=80,
)
#: Marks of every theme, as they may meet in one text.
MARKUP = st.lists(
    st.sampled_from(
        [
            *"ab1 2.,*_`#~=\n>-+|\\!?:;()[]<>{}/$^&\"'@%今。！é…—•·😀→",
            *(
                "**",
                "__",
                "~~",
                "```",
                "[a](b)",
                "![",
                "](",
                "<b>",
                "</b>",
                "<br>",
                "&lt;",
                "&amp;",
                "\\(",
                "\\)",
            ),
            *(
                "[1]",
                "[^1]",
                "- ",
                "# ",
                "1. ",
                "word",
                "Zx",
                "->",
                "<3",
                ":)",
                "^_^",
                "(^_^)",
                "|---|",
                "--",
            ),
            *(
                "http://a.b/c_d",
                "[ ] ",
                "<!--",
                "-->",
                "\u200b",
                "\ufe0f",
                "\u0301",
                "\u00ad",
                "\0",
                "\u00a0",
            ),
            *("\U0001d407", "[a]: ", "\\frac{1}{2}", "$$", "<script>", "</script>", "List<T>", "int *"),
        ]
    ),
    max_size=25,
).map("".join)
#: No links, tags, entities, escapes, faces: nothing of which letters may be left out.
WITHOUT_CONSTRUCTS = st.text(alphabet="abcdefgh 今é12345*_~=#^|!?.,-+ \n>😀%@/\"'→•", max_size=40)


@pytest.mark.parametrize(("text", "spoken"), pairs())
def test_pairs(text: str, spoken: str) -> None:
    assert said(text) == spoken


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
    assert said(text, at_line_start=False) == spoken


@pytest.mark.parametrize("text", [text for text, spoken in pairs() if spoken])
def test_what_is_clean_stays(text: str) -> None:
    """But what code, escapes and entities set free is not what it looks like, and would go."""
    once = said(text)
    if not re.search(r"[`\\&<]", text):
        assert said(once) == once


def test_a_product_is_not_a_number() -> None:
    """An asterisk between digits is no mark of emphasis: "2*3" must not be read as twenty-three."""
    assert not said("2*3 is six").startswith("23")


def test_what_begins_a_line_is_markup_only_there() -> None:
    assert said("- 5 of them", at_line_start=True) == "5 of them"
    assert said("- 5 of them", at_line_start=False) == "- 5 of them"
    assert said("and\n- 5 of them", at_line_start=False) == "and 5 of them"


def test_links_point_into_the_whole_text() -> None:
    text = " **Hi** 😀  $3.50!"
    cleaned = MappedText(text, 100).edited(clean(text, True)).stripped()
    assert cleaned.text == "Hi $3.50!"
    assert cleaned.links() == (SpanLink(0, 1, 101, 104), SpanLink(1, 2, 104, 107), SpanLink(3, 9, 111, 117))


def test_what_is_left_out_inside_a_word_goes_with_its_neighbour() -> None:
    cleaned = checked("今天**天气**好😀。", clean("今天**天气**好😀。", True))
    assert cleaned.text == "今天天气好。"
    assert cleaned.links() == (
        SpanLink(0, 1, 0, 1),
        SpanLink(1, 2, 1, 4),
        SpanLink(2, 3, 4, 5),
        SpanLink(3, 4, 5, 8),
        SpanLink(4, 5, 8, 10),
        SpanLink(5, 6, 10, 11),
    )


def test_the_sign_of_a_list_is_no_part_of_the_first_word() -> None:
    """But the mark of emphasis that touches it is."""
    cleaned = checked("- **So** it is", clean("- **So** it is", True)).stripped()
    assert cleaned.links()[:2] == (SpanLink(0, 1, 2, 5), SpanLink(1, 2, 5, 8))


def test_a_link_belongs_to_its_text() -> None:
    text = "See [the docs](https://example.com), please."
    cleaned = checked(text, clean(text, True))
    assert cleaned.text == "See the docs, please."
    sources = {
        cleaned.text[a.spoken_start : a.spoken_end]: (a.source_start, a.source_end) for a in cleaned.links()
    }
    assert sources["t"] == (4, 6)
    assert sources["s"] == (12, 35)


def test_nothing_spoken_is_one_edit() -> None:
    assert [(edit.start, edit.end, edit.spoken) for edit in clean("... 😀 !", True)] == [(0, 7, "")]


@settings(deadline=None, max_examples=200)
@given(text=st.one_of(ODD, MARKUP), at_line_start=st.booleans())
def test_edits_are_ordered_and_sources_cover_what_is_spoken(text: str, at_line_start: bool) -> None:
    cleaned = checked(text, clean(text, at_line_start)).stripped()
    check_sources(text, cleaned)
    if "$" not in text and "\\" not in text and unicodedata.is_normalized("NFKC", text):
        assert len(cleaned.text) <= len(text)


@settings(deadline=None, max_examples=200)
@given(text=st.one_of(ODD, MARKUP))
def test_blocks_too(text: str) -> None:
    for cleaner in (clean_table, clean_code):
        cleaned = checked(text, cleaner(text)).stripped()
        check_sources(text, cleaned)
        assert len(cleaned.text) <= 3 * len(text)


@settings(deadline=None, max_examples=200)
@given(text=WITHOUT_CONSTRUCTS, at_line_start=st.booleans())
def test_no_letter_or_digit_is_lost_and_no_numbers_are_joined(text: str, at_line_start: bool) -> None:
    spoken = said(text, at_line_start)
    assert [c for c in spoken if c.isalnum()] == [c for c in text if c.isalnum()]
    assert re.findall(r"\d+", spoken) == re.findall(r"\d+", text)


@settings(deadline=None, max_examples=200)
@given(text=st.one_of(ODD, MARKUP), at_line_start=st.booleans())
def test_no_mark_is_left_that_would_be_named(text: str, at_line_start: bool) -> None:
    spoken = said(text, at_line_start)
    assert not re.search(r"[`|]", spoken)
    if "://" in text or "int *" in text:
        return
    # A star stands between two factors, an underscore within a name.
    for star in re.finditer(r"(?<!\S)\*#?\d[\d*]*#|\*+", spoken):
        if star[0].endswith("#"):
            continue  # what is dialed
        left, right = spoken[: star.start()].rstrip(), spoken[star.end() :].lstrip()
        assert star.end() - star.start() <= 2
        assert left and (left[-1].isalnum() or left[-1] in ")]")
        assert right and (right[0].isalnum() or right[0] == "(")
    assert not re.search(r"(?<![^\W_@])_|_(?![^\W_])", spoken)
    assert "##" not in spoken
    for sign in re.finditer(r"(?<![^\W_])#(?!\w)", spoken):  # alone among words
        assert spoken[: sign.start()].rstrip() and spoken[sign.end() :].strip()
    assert not [c for c in spoken if unicodedata.category(c) in {"Cc", "Cf", "Cn", "Co", "Cs"}]


@settings(deadline=None, max_examples=300)
@given(text=st.one_of(ODD, MARKUP), at_line_start=st.booleans())
def test_cleaning_twice_is_cleaning_once(text: str, at_line_start: bool) -> None:
    """Without code, escapes, entities: what they set free is not what it looks like."""
    if re.search(r"[`\\&<]", text):
        return
    once = checked(text, clean(text, at_line_start)).text
    assert checked(once, clean(once, at_line_start)).text == once


PLAIN = st.lists(
    st.sampled_from(
        [
            *"()（）:;-oODPpSs'\"/\\$5ab&#%+ \n.,?!…—“”«»。、今Дωé",
            *(
                "()",
                "xD",
                "b ",
                "lt",
                "amp;",
                "++",
                "- ",
                "+ ",
                "...",
                " .",
                " ,",
                ":)",
                "(:",
                ";)",
                ":/",
                "e\u0301",
            ),
        ]
    ),
    max_size=12,
).map("".join)


@settings(deadline=None, max_examples=400)
@given(text=st.one_of(PLAIN, MARKUP), at_line_start=st.booleans())
def test_what_seems_plain_is_plain(text: str, at_line_start: bool) -> None:
    """The short way for plain sentences leaves nothing in that the long way would take out."""
    assert said(text, at_line_start) == said(text + " \u200b", at_line_start)


MANY = [
    *"*_`#~=[]()<>&$\\|!?.-{'\"1a今\u0661\n\t😀\u0301\u200b\u3010\ue200",
    *(
        "<a ",
        "<!--",
        "<script>",
        "&amp;",
        "&#",
        "\\(",
        "\\[",
        "\\frac{",
        "$a ",
        "$\\frac{a}{b}$",
        "$$",
        "- ",
        "> ",
        "# ",
    ),
    *(
        "1. [ ] ",
        "[x](",
        "](",
        "[a](b)",
        "![",
        "[^1]:",
        "[1]",
        "[1] ",
        "a[1]",
        "!?",
        "->",
        "\u2192 ",
        "a | ",
        "*_",
        "a*b",
    ),
    *(
        "a*",
        "*a",
        " * ",
        "``",
        "` ",
        "\n- ",
        "a\n",
        "|-",
        "|\n",
        "(^_^)",
        "(^",
        ":)",
        "<3 ",
        "https://",
        "https://_",
    ),
    *(
        "a://",
        "www.",
        "a@",
        ";\n",
        "x_",
        "\u3010\u2020",
        "= ",
        "==a",
        "</a>",
        "a<b>",
        "<b a=' ",
        "[r]: a.bc\n",
        "~~~\n",
    ),
    *("{ ", "m(", "T_", "int *", "//", "/*", "1*", "- - ", "&lt;", "```\n"),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("mark", MANY)
def test_ten_thousand_of_a_mark(mark: str) -> None:
    """Each takes a fraction of a second; work that grew with the square of it would take minutes."""
    text = mark * 10_000 + "x"
    for edits in (clean(text, True), clean_table(text), clean_code(text)):
        assert len(edits) <= len(text)
