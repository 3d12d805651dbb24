"""HTML in running text."""

from __future__ import annotations

import html

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.text.clean.cleaning import said

NAMES = st.sampled_from(["b", "i", "em", "span", "p", "div", "li", "my-tag", "x:y"])
ATTRIBUTES = st.sampled_from(["", " a=b", ' class="x y"', " id='1'", " checked", ' a="1" hidden'])


@given(name=NAMES, attributes=ATTRIBUTES, words=st.text(alphabet="abc de", min_size=1, max_size=12))
def test_a_tag_goes_and_what_is_in_it_stays(name: str, attributes: str, words: str) -> None:
    plain = " ".join(words.split())
    assert said(f"<{name}{attributes}>{words}</{name}>") == plain


@given(st.text(alphabet="ab <>&\"'.12", max_size=20))
def test_escaped_text_keeps_its_letters(text: str) -> None:
    """What was escaped is no tag: its letters are said, whatever becomes of the brackets."""
    spoken = said(html.escape(text))
    assert [c for c in spoken if c.isalnum()] == [c for c in text if c.isalnum()]


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("a<br>b<BR/>c<hr />d", "a b c d"),
        ("<h2>Title</h2>Text", "Title. Text"),
        ("<h2>Title!</h2>Text", "Title! Text"),
        ("<td>1</td><td>2</td>", "1, 2"),
        ("<li>last</li>", "last"),
        ("re<wbr>lated and E=mc<sup>2</sup>", "related and E=mc2"),
        ("Map<String> and vector<int> v", "Map String and vector int v"),
        ("text<custom>x</custom>", "text x"),
        ("1 < 2, 3 > 2, a <= b, a<b", "1 < 2, 3 > 2, a <= b, a<b"),
        ("unclosed <b and more", "unclosed <b and more"),
        ("<!-- a > b -->c", "c"),
        ("<!-- never closed", "never closed"),
        ("<script>a < b</script> c <script>d", "c d"),
        ("<style type='text/css'>a{}</style>b", "b"),
        ("<|im_start|>hello<|im_end|>", "hello"),
        ("<?xml version='1.0'?>x", "x"),
        ("5 &amp;amp;lt; 6", "5 < 6"),
        ('tag cut <phoneme ph="' + "ab cd. " * 400, "tag cut"),
        ('long <phoneme ph="' + "ab cd. " * 400 + '">tag</phoneme>', "long tag"),
        ('cut <a href="x" class=', "cut"),
        ("cut <a href='x' b=c d=", "cut"),
        ("cut </div", "cut"),
        ("no tag: x <y = z", "no tag: x <y = z"),
        ("no tag: a <b c", "no tag: a <b c"),
        ("&copy; &notit; &nosuch; AT&T;", "© &notit; &nosuch; AT&T;"),
        ("&#72;i &#x48;i &#0; &#9999999;", "Hi Hi"),
        ("caf&eacute; &mdash; 5&nbsp;&pound;", "café — 5 £"),
        ("I &lt;3 you", "I <3 you"),
        ("&#91;a&#93;&#40;https://x.yz&#41;", "[a](https://x.yz)"),
        ("&#42;&#42;bold&#42;&#42;", "bold"),
    ],
)
def test_tags_and_entities(text: str, spoken: str) -> None:
    assert said(text) == spoken
