"""Markdown with a shape of its own: code spans, escapes, links, notes, beginnings of lines; formulas."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.text.clean.cleaning import said

WORDS = st.text(alphabet="abcdefg hijk", min_size=1, max_size=20).map(str.strip).filter(bool)


@given(
    text=WORDS, host=st.sampled_from(["https://a.b/c", "/x/y_z", "#top", "mailto:a@b.cd", "<a b>", "a(b)c"])
)
def test_a_link_is_its_text_and_an_image_its_description(text: str, host: str) -> None:
    plain = " ".join(text.split())
    for written in (f"[{text}]({host})", f"![{text}]({host})", f'[{text}]({host} "title")', f"[{text}][1]"):
        assert said(f"See {written}, then.") == f"See {plain}, then."


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("[a [b] c](https://x.yz)", "a [b] c"),
        ("[a](https://x.yz)[b](https://x.yz)", "ab"),
        ("word[link](https://x.yz)", "wordlink"),
        ("[`code`](https://x.yz)", "code"),
        ("[cut off](https://x.yz/and", "cut off"),
        ("[cut off in its text", "cut off in its text"),
        ("a half-open [0, 1) interval", "a half-open [0, 1) interval"),
        ("array[i](x) and f[0][1]", "array[i](x) and f[0][1]"),
        ("[note](see the text below)", "[note](see the text below)"),
        ("See <https://x.yz/a_b> or <me@x.yz> now", "See https://x.yz/a_b or me@x.yz now"),
        ("[Note]: this is text.", "[Note]: this is text."),
        ("[docs]: www.example.com/x", ""),
        ("see [docs]: https://x.yz", "see [docs]: https://x.yz"),
    ],
)
def test_links(text: str, spoken: str) -> None:
    assert said(text) == spoken


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Fact[1][2][3].", "Fact."),
        ("Fact [1], [2].", "Fact."),
        ("Fact.[12] Next", "Fact. Next"),
        ("Fact [1] and more", "Fact and more"),
        ("See [1] and [2].", "See [1] and [2]."),
        ("x[0] and arr[1].name", "x[0] and arr[1].name"),
        ("It returns [1, 2].", "It returns [1, 2]."),
        ("the interval [0, 1]", "the interval [0, 1]"),
        ("[1] Smith, 2020.", "[1] Smith, 2020."),
        ("He said[^1]: go", "He said: go"),
        ("Text[^a] and[^b-c] more.", "Text and more."),
        ("caret [^ not a note]", "caret [ not a note]"),
        ("\ue200cite\ue202turn0search1\ue201Done.", "Done."),
        ("\u3010\u6ce8\u610f\u3011", "\u3010\u6ce8\u610f\u3011"),
    ],
)
def test_marks_of_sources(text: str, spoken: str) -> None:
    assert said(text) == spoken


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("`a`", "a"),
        ("``a`b``", "a b"),
        ("`[a](https://x.yz)`", "[a](https://x.yz)"),
        ("`&amp;`", "&amp;"),
        ('`<a href="x">`', 'a href="x"'),
        ("`unclosed", "unclosed"),
        ("``` a `b`", "a b"),
        ("can`t and don`t", "can't and don't"),
        ("\\`not code\\`", "not code"),
    ],
)
def test_code_spans(text: str, spoken: str) -> None:
    assert said(text) == spoken


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("- > - # deep", "deep"),
        ("> ---\n> text", "text"),
        ("+---+---+\ntext", "text"),
        ("# C# #", "C#"),
        ("a\n# b #\nc", "a b c"),
        ("1. [ ] a\n2. [x] b", "1. a 2. b"),
        ("\t- tab", "tab"),
        ("\ufeff# first", "first"),
        ("\u00a0- space", "space"),
        ("-", ""),
        ("a - b", "a - b"),
        ("#5 is alive", "#5 is alive"),
        (">= 3 and <= 4", ">= 3 and <= 4"),
    ],
)
def test_beginnings_of_lines(text: str, spoken: str) -> None:
    assert said(text) == spoken


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        (r"\(\sqrt{x} \cdot \text{width}\)", "√x \u00d7 width"),
        (r"$\frac{a+b}{2}$", "a+b/2"),
        (r"$90^\circ$", "90°"),
        (r"\begin{align} x &= 1 \end{align}", "x = 1"),
        ("$n$ items and the $k$th", "n items and the kth"),
        ("$HOME/$USER", "$HOME/$USER"),
        ("$a/$b", "$a/$b"),
        ("$a$5", "$a$5"),
        ("$5, $6 and $7", "$5, $6 and $7"),
        ("$5 million vs. 3$", "$5 million vs. 3$"),
        (r"\[1\]", "[1]"),
    ],
)
def test_formulas(text: str, spoken: str) -> None:
    assert said(text) == spoken
