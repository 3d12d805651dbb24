"""Tables and blocks of code, read aloud."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.text.clean import clean_code, clean_table
from tests.text.clean.cleaning import checked, said_by

CELLS = st.text(alphabet="abcd12", min_size=1, max_size=6)


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=4)
    )
)
def test_cells_with_commas_and_rows_with_full_stops(rows: list[list[str]]) -> None:
    dashes = "|" + "---|" * len(rows[0])
    spoken = " ".join(", ".join(row) + "." for row in rows)
    for lines in (
        [f"| {' | '.join(row)} |" for row in rows],
        [f"|{'|'.join(row)}|" for row in rows],
        [f"|  {'  |  '.join(row)}" for row in rows],
    ):
        assert said_by(clean_table, "\n".join([lines[0], dashes, *lines[1:]])) == spoken
        assert said_by(clean_table, "\n".join(lines) + "\n") == spoken


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("| **a** | `b` | [c](https://x.yz) |", "a, b, c."),
        ("| a | | c |", "a, c."),
        ("|| a ||| b ||", "a, b."),
        ("| Done! | x: | y. |", "Done! x: y."),
        ("| a \\| b | c |", "a, b, c."),
        ("| a\\|b | c |", "a b, c."),
        ("| ✅ | a | ❌ |", "a."),
        ("| :-- | :-: | --: |", ""),
        ("|-|", ""),
        ("| $3.50 | 10% | -5 |", "$3.50, 10%, -5."),
        ("| 名前 | 年齢 |", "名前， 年齢。"),
        ("| a<br>b | &amp; | c |", "a b, &, c."),
        ("| snake_case | 2 * 3 | #1 |", "snake_case, 2 * 3, #1."),
        ("|", ""),
        ("", ""),
    ],
)
def test_tables(text: str, spoken: str) -> None:
    assert said_by(clean_table, text) == spoken


def test_a_cell_knows_where_it_came_from() -> None:
    text = "| **Ann** | 30 |"
    links = checked(text, clean_table(text)).stripped().links()
    spans = [(link.spoken_start, link.spoken_end, link.source_start, link.source_end) for link in links]
    assert spans == [(0, 1, 2, 5), (1, 2, 5, 6), (2, 3, 6, 9), (3, 4, 10, 11), (5, 7, 12, 14), (7, 8, 15, 16)]


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("```python\nx = 1\n```\n", "x = 1"),
        ("~~~\nls -la --color\n~~~", "ls -la color"),
        ("  ```js\n  f();\n  ```", "f()"),
        ("x = 1\ny = 2", "x = 1, y = 2"),
        ("def f(a):\n    return a * 2", "def f(a): return a * 2"),
        ("# add\n// more\n/* and */ b", "add, more, and b"),
        ("if (a && b) {\n  c;\n}", "if (a & b), c"),
        ("p->x; snake_case __init__", "p x; snake_case init"),
        ('<a href="x">text</a>', 'a href="x" text a'),
        ("[a](b) &amp; :)", "[a](b) &amp; :)"),
        ("```\n```", ""),
        ("", ""),
    ],
)
def test_code(text: str, spoken: str) -> None:
    assert said_by(clean_code, text) == spoken


@given(st.text(alphabet="ab1 _*#`~=<>|&(){};/\\\n\"'-+.", max_size=60))
def test_no_letter_of_code_is_lost(text: str) -> None:
    """But those beside a fence."""
    if "```" in text or "~~~" in text:
        return
    spoken = said_by(clean_code, text)
    assert [c for c in spoken if c.isalnum()] == [c for c in text if c.isalnum()]
    assert "`" not in spoken
