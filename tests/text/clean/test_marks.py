"""Marks that are told by what stands beside them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.text.clean.cleaning import said

PAIRS = ["*", "**", "***", "_", "__", "___", "~~", "==", "**_", "_**", "`", "``"]


@given(
    mark=st.sampled_from(PAIRS),
    words=st.lists(st.text(alphabet="abcdé", min_size=2, max_size=6), min_size=1, max_size=4).map(" ".join),
    around=st.sampled_from(
        [("", ""), ("see ", ""), ("see ", " now"), ("(", ")"), ('"', '".'), ("so: ", ", ok")]
    ),
)
def test_emphasis_goes_paired_or_not(mark: str, words: str, around: tuple[str, str]) -> None:
    before, after = around
    plain = f"{before}{words}{after}"
    assert said(f"{before}{mark}{words}{mark[::-1]}{after}") == plain
    assert said(f"{before}{mark}{words}{after}") == plain
    assert said(f"{before}{words}{mark[::-1]}{after}") == plain


@given(st.lists(st.text(alphabet="abc1", min_size=1, max_size=5), min_size=2, max_size=5).map("_".join))
def test_names_with_underscores_stay(name: str) -> None:
    assert said(f"call {name} now") == f"call {name} now"


@pytest.mark.parametrize(
    "text",
    [
        "2*3*4",
        "2 * x",
        "3 ** 2",
        "f(x)*g(y)",
        "a[0] * 2",
        "void f(int* p, char *q);",
        "C# and F# minor, A#",
        "issue #12 and #tag and #fff",
        "@a_b and a.b+c@x-y.org",
        "a === b, a !== b, x += 1, n <= 3",
        "x^2, 10^-3",
        "C:\\Users\\me and a\\b",
        "https://example.com/a__b/c/~d?e=f&g=h#_i",
        "10 ~ 20 and ~£5",
        "5'10''",
        "C++ and i++",
        "…… and ...",
        "他说——好",
        "word... word",
        "a & b, 50%, $5, 5 + 6",
        "../up and ./here and /etc/x",
        "std::vector",
        "s3://bucket and a//b",
        "print() and main()",
        "½ - 3",
    ],
)
def test_what_is_no_markup_stays(text: str) -> None:
    assert said(text, at_line_start=False) == text


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("foo*bar*baz", "foobarbaz"),
        ("*one*s and **two**s", "ones and twos"),
        ("**2**3", "2**3"),
        ("5~~6~~", "5 6"),
        ("__main__.py and a__b", "main.py and a_b"),
        ("_ * # ~ ` ^ \\ | x", "x"),
        ("a ## b # c", "a b # c"),
        ("*****", ""),
        ("======", ""),
        ("word ______ word", "word word"),
        ("a_____b", "a b"),
        ("no!!", "no!"),
        ("no?!?!?!", "no?!"),
        ("no!!!???", "no!?"),
        ("好！！！？", "好！？"),
        ("好。。。", "好。"),
        ("a,, b;; c", "a, b; c"),
        ("a....... b", "a... b"),
        ("a………… b", "a… b"),
        ("one --- two", "one — two"),
        ("one———two", "one—two"),
        ("5--6", "5–6"),
        ("-- start", "start"),
        ("end --", "end"),
        ("run --fast -x", "run fast -x"),
        ("a -> b <- c <-> d ==> e", "a, b, c, d, e"),
        ("-> first", "first"),
        ("last ->", "last"),
        ("done. -> next", "done. next"),
        ("p->x", "p x"),
        ("a || b", "a, b"),
        ("| a | b |", "a, b"),
        ("<<quote>>", "quote"),
        ("((((x))))", "(x)"),
        ("(((x", "(x"),
        ("$$$5", "$5"),
        ("A+++ and ++++", "A+ and"),
        ("==mark==s", "marks"),
        ("今*天*气", "今天气"),
        ("x))))", "x)"),
        ("2\uff0a3", "2\uff0a3"),
        ("a\uff3fb", "a\uff3fb"),
        ("one\u2013\u2013two", "one\u2014two"),
        ("a () b", "a b"),
        ("\u597d\uff08\uff09", "\u597d\uff08\uff09"),
        ("\uff08 \uff09b", "b"),
        ("''it''", "it"),
        ("$$$", ""),
        ("////// x", "x"),
        ("Hi , there .", "Hi, there."),
        ("※ 注意 † ‡ ¶", "注意"),
        ("\uff0a注意\uff0a \uff3fa\uff3f b\uff5cc", "注意 a b c"),
        ("좋아요~ 네~~", "좋아요 네"),
    ],
)
def test_marks(text: str, spoken: str) -> None:
    assert said(text, at_line_start=False) == spoken
