"""Texts are cut at the same places whatever the cuts between tokens, and on bounded work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sentencex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from realtime.text.segment import RawSegment, Segmenter
from realtime.text.segment.atoms import LONGEST_ATOM
from realtime.text.segment.blocks import BLOCK_PIECE
from realtime.text.segment.clauses import CLAUSE_AFTER, CLAUSE_REST, EARLY_AFTER, HARD_AFTER, SPACE_AFTER
from realtime.text.segment.ends import LOOKAHEAD
from realtime.text.segment.segmenter import LONGEST_RAW

#: What may wait: a segment of the greatest length, a construct that is not complete, and some look-ahead.
LONGEST_PENDING = 1250

FRAGMENTS = [
    *(". ", ".", "!", "?", "…", "...", "?!", "\n", "\n\n", "\n \n", "\r\n", " ", "  ", "\t", "\u3000"),
    *(
        '"',
        "'",
        "”",
        "’",
        "»",
        ")",
        "]",
        "(",
        "“",
        "「",
        "」",
        "』",
        "（",
        "）",
        "«",
        "\u201e",
        " »",
        "\u00a0",
    ),
    *("。", "！", "？", "、", "，", "：", "……", "今日", "は", "と", "한국", "다. ", "天"),
    *("Dr. ", "Mr.", "No. 5", "U.S.A.", "e.g. ", "p.m.", "EST", "$3.50", "98.6", "z. B. ", "3. Mai", "M. "),
    *(
        "a",
        "A",
        "The",
        "the ",
        "Is ",
        "word",
        "and ",
        "é",
        "😀",
        "\0",
        "1",
        "5",
        "\u0301",
        "\u200d",
        "\u0442.\u0435. ",
        "Он",
    ),
    *(", ", ",", ";", ": ", ":", "—", " — ", "-", "--", " - "),
    *(
        "x" * 90,
        "long " * 20,
        "." * 40,
        "!" * 70,
        "。" * 50,
        "」" * 12,
        " " * 70,
        "\n" * 30,
        ". " * 20,
        '"' * 12,
    ),
    *("`", "``", "```", "~~~", "```py\n", "\n```\n", "\\", "**", "**Bold**\n", "_"),
    *("[", "](", "](http://x.y/z)"),
    *("![", '[a b](u "t. T")', "[1]", "[^1]", "://", "https://a.b/c?d=e. "),
    *("<", ">", "<b>", "</p>", '<a href="', '">', "<!--", "-->", "<break/>", '<say-as interpret-as="x">'),
    *("</say-as>", "<sub alias='a'>", "</sub>"),
    *(
        "\n- ",
        "\n1. ",
        "\n2. ",
        "\n# ",
        "\n> ",
        "\n| a | b |",
        "|",
        "\n---\n",
        "===",
        "(a) ",
        "a) ",
        "一、",
        "①",
        "•\t",
    ),
]
TEXTS = st.lists(st.sampled_from(FRAGMENTS), max_size=60).map("".join)
#: Few symbols, so that odd neighbours meet often.
NASTY = st.one_of(
    st.text(alphabet='. \n"a', max_size=200),
    st.text(alphabet="。」！ a", max_size=200),
    st.text(alphabet=".!?…\"')] A", max_size=700),
    st.text(alphabet="`[]()<>/ \nab", max_size=700),
    st.text(alphabet="aA.,:;，、 \n|#>-*~12", max_size=700),
    st.text(max_size=300),
)
MODES = st.fixed_dictionaries({"early": st.booleans(), "markup": st.booleans()})


def _changing(text: str) -> str:
    """A language that is another one for nearly every text, so that it must be asked for the same texts."""
    return ("en", "de", "ru", "fr", "zh", "es", "it")[len(text) % 7]


def make(language: str | None = "en", early: bool = False, markup: bool = False) -> Segmenter:
    return Segmenter(_changing if language is None else lambda _: language, early, markup)


def run(tokens: list[str], segmenter: Segmenter) -> tuple[list[RawSegment], list[RawSegment]]:
    """What is cut while the tokens come, and what is left."""
    cut = [segment for token in tokens for segment in segmenter.append(token)]
    return cut, segmenter.cut_all()


def whole(text: str, **mode: Any) -> list[RawSegment]:
    cut, rest = run([text], make(**mode))
    return cut + rest


def texts(text: str, **mode: Any) -> list[str]:
    return [segment.text for segment in whole(text, **mode)]


def tokens_of(text: str, cuts: list[int]) -> list[str]:
    places = sorted(min(cut, len(text)) for cut in cuts)
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


CUTS = st.lists(st.integers(0, 2000), max_size=12)


# -- the same whatever the tokens ------------------------------------------------------------------------


@settings(deadline=None, max_examples=200)
@given(text=st.one_of(TEXTS, NASTY), mode=MODES)
@example(text="!" * 100 + " a" * 20, mode={})
@example(text="。" * 100 + "a" * 20, mode={})
@example(text="a." + '"' * 20 + " b" * 20, mode={})
@example(text="x" * 399 + "." * 70 + " " + "y" * 20, mode={})
@example(text="x" * 399 + "。" * 70 + "y" * 20, mode={})
@example(text="a\n" + " " * 16 + "\n" + "b" * 9, mode={})
@example(text="Hi." + " " * 1000 + "there it is now", mode={})
@example(text="a\\```b` c. D", mode={})
@example(text='word"，">wo' * 30, mode={})
@example(text="~~~" + "x" * 118 + "\n", mode={})
@example(text='[a](u "t) x") y. Z', mode={})
@example(text="://" + "x" * 405 + ". Y", mode={})
def test_one_character_at_a_time_gives_the_same(text: str, mode: dict[str, Any]) -> None:
    cut, rest = run([text], make(None, **mode))
    assert run(list(text), make(None, **mode)) == (cut, rest)
    assert "".join(segment.text for segment in cut + rest) == text
    position = 0
    for segment in cut + rest:
        assert segment.position == position and segment.text
        assert segment.at_line_start == (position == 0 or text[position - 1] == "\n")
        assert segment.kind != "text" or not segment.opens_block
        position += len(segment.text)


@settings(deadline=None, max_examples=100)
@given(text=st.one_of(TEXTS, NASTY), mode=MODES, cuts=CUTS)
def test_any_tokens_give_the_same(text: str, mode: dict[str, Any], cuts: list[int]) -> None:
    assert run(tokens_of(text, cuts), make(None, **mode)) == run([text], make(None, **mode))


@settings(deadline=None, max_examples=100)
@given(text=TEXTS, more=TEXTS, at=st.integers(0, 400), mode=MODES)
def test_what_is_out_never_changes(text: str, more: str, at: int, mode: dict[str, Any]) -> None:
    out = make(**mode).append(text)
    assert make(**mode).append(text + more)[: len(out)] == out
    earlier = make(**mode).append(text[:at])
    assert earlier == out[: len(earlier)]


@settings(deadline=None, max_examples=150)
@given(text=st.one_of(TEXTS, NASTY), mode=MODES)
def test_no_cut_falls_before_what_is_certain(text: str, mode: dict[str, Any]) -> None:
    segmenter = make(None, **mode)
    claims: list[tuple[int, int]] = []
    segments: list[RawSegment] = []
    for character in text:
        segments += segmenter.append(character)
        position, pending = segmenter.pending
        assert 0 <= segmenter.certain <= len(pending)
        assert pending == text[position : position + len(pending)]
        claims.append((position, segmenter.certain))
    lengths = {segment.position: len(segment.text) for segment in segments}
    for position, certain in claims:
        assert certain <= lengths.get(position, certain)


@settings(deadline=None, max_examples=100)
@given(
    text=st.one_of(TEXTS, NASTY),
    mode=MODES,
    cuts=CUTS,
    calls=st.lists(st.sampled_from([0, 1, 2]), min_size=13),
)
def test_nothing_is_lost_by_flushes_and_pauses(
    text: str, mode: dict[str, Any], cuts: list[int], calls: list[int]
) -> None:
    segmenter = make(None, **mode)
    segments: list[RawSegment] = []
    for token, call in zip(tokens_of(text, cuts), calls, strict=False):
        segments += segmenter.append(token)
        if call == 2:
            segments += segmenter.cut_all()
            assert segmenter.held == 0 and segmenter.pending[1] == ""
        else:
            segments += segmenter.cut_settled(whole_sentences=bool(call))
    segments += segmenter.cut_all()
    assert "".join(segment.text for segment in segments) == text
    assert all(segment.text for segment in segments)


# -- work and memory are bounded -------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(text=st.one_of(TEXTS, NASTY), mode=MODES)
def test_what_waits_and_what_is_cut_stays_short(text: str, mode: dict[str, Any]) -> None:
    segmenter = make(**mode)
    for character in text:
        for segment in segmenter.append(character):
            assert len(segment.text) <= LONGEST_PENDING
        assert len(segmenter.pending[1]) <= LONGEST_PENDING


@pytest.mark.parametrize(
    "token",
    [
        *(
            "A short sentence. ",
            "x",
            "Dr. ",
            "word ",
            "!",
            "。",
            "」",
            '"',
            "\n",
            " ",
            ".",
            "a.",
            "no, ",
            "1.5 ",
        ),
        *(
            "`",
            "``a",
            "[",
            "[a",
            "](",
            "<",
            "<a ",
            '<a b="',
            "(",
            "|",
            "| a |\n",
            "```\n",
            "```",
            "~",
            "> ",
            ">\n",
        ),
        *(
            "- a\n",
            "1. a\n",
            "#",
            "中",
            "，",
            "、",
            "：",
            "1",
            ":",
            "https://",
            "http://a",
            "\\",
            "*",
            "_",
            "\u0301",
        ),
        *(
            "\u200d",
            "\u3000",
            "😀",
            "é",
            "한",
            "\0",
            "—",
            "…",
            "<break/>",
            "<sub>",
            "J. ",
            "U.S. A",
            "=\n",
            "-",
        ),
    ],
)
def test_ten_thousand_of_anything(token: str) -> None:
    segmenter = make("en", early=True, markup=True)
    total = 0
    for _ in range(10_000 // len(token)):
        total += sum(len(segment.text) for segment in segmenter.append(token))
        assert len(segmenter.pending[1]) <= LONGEST_PENDING
    total += sum(len(segment.text) for segment in segmenter.cut_all())
    assert total == 10_000 // len(token) * len(token)


def _examined(text: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Characters given to sentencex and to the language detection for a text that comes word by word."""
    real: Callable[[str, str], Any] = sentencex.get_sentence_boundaries
    total = 0

    def counting(language: str, window: str) -> Any:
        nonlocal total
        total += len(window)
        return real(language, window)

    def language_of(window: str) -> str:
        nonlocal total
        total += len(window)
        return "en"

    with monkeypatch.context() as patch:
        patch.setattr(sentencex, "get_sentence_boundaries", counting)
        segmenter = Segmenter(language_of)
        for word in text.split():
            segmenter.append(word + " ")
    return total


@pytest.mark.parametrize("sentence", ["This is one that I had. ", "Dr. Mr. No. 5 e.g. Foo. X. "])
def test_work_grows_with_the_text_and_no_faster(sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    short = _examined(sentence * 50, monkeypatch)
    long = _examined(sentence * 200, monkeypatch)
    assert 0 < long <= 4.5 * short


# -- how soon a sentence is out --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "needed"),
    [
        ("en", "It is so. N"),
        ("en", "Is it so? N"),
        ("en", "It is done.\n"),
        ("ja", "今日は。明"),
        ("ja", "今日は。\n"),
        ("ko", "갔다. 그"),
        ("en", "He is in the U.S. The "),
        ("en", "# Title\n"),
        ("en", "Title\n\n"),
        ("en", "- one\n- t"),
        ("en", "We need:\n"),
        ("en", "**Title**\n"),
    ],
)
def test_a_segment_is_out_with_the_character_that_makes_it_sure(language: str, needed: str) -> None:
    segmenter = make(language)
    assert segmenter.append(needed[:-1]) == []
    assert len(segmenter.append(needed[-1])) == 1


def test_never_more_than_the_lookahead_is_waited_for() -> None:
    segmenter = make()
    assert segmenter.append("It ends at 5 p.m. " + "A" + "b" * (LOOKAHEAD - 2)) == []
    assert [segment.text for segment in segmenter.append("b")] == ["It ends at 5 p.m. "]


def test_certain_is_all_of_a_plain_sentence() -> None:
    segmenter = make()
    for character in "The quick brown fox, they say, jumps over the lazy dog":
        assert segmenter.append(character) == []
        length = len(segmenter.pending[1])
        assert length == 1 or segmenter.certain == length  # "T" alone may be the mark of an item: "T)"
    segmenter.append(".")
    assert segmenter.certain == len(segmenter.pending[1])
    segmenter.append(" ")
    assert segmenter.certain == len(segmenter.pending[1]) - 1


def test_certain_ends_where_a_construct_begins() -> None:
    segmenter = make()
    segmenter.append("Read [the manual](http://x")
    assert segmenter.certain == len("Read ")


def test_nothing_of_code_is_certain_text() -> None:
    segmenter = make()
    segmenter.append("```py\nx = 1\n")
    assert segmenter.pending == (0, "```py\nx = 1\n")
    assert segmenter.certain == 0


# -- flushes and pauses ----------------------------------------------------------------------------------


def test_cut_all_decides_what_is_left_and_positions_go_on() -> None:
    segmenter = make()
    assert [segment.text for segment in segmenter.append("One. Two. Thr")] == ["One. ", "Two. "]
    assert [(segment.position, segment.text) for segment in segmenter.cut_all()] == [(10, "Thr")]
    assert segmenter.cut_all() == []
    assert segmenter.append("ee. ") == []
    (segment,) = segmenter.cut_all()
    assert (segment.position, segment.text, segment.at_line_start) == (13, "ee. ", False)


def test_after_a_flush_nothing_is_early() -> None:
    sentence = "When the sun came up over the hills, the village was awake and working."
    segmenter = make(early=True)
    assert segmenter.cut_all() == []
    segmenter.append("Hi")
    segmenter.cut_all()
    assert segmenter.append(sentence) == []
    assert len(texts(sentence, early=True)) == 2


def test_a_pause_lets_go_of_whole_sentences() -> None:
    segmenter = make()
    assert segmenter.append("It is so.") == []
    assert [segment.text for segment in segmenter.cut_settled(True)] == ["It is so."]
    segmenter.append(" And Dr.")
    assert segmenter.cut_settled(True) == []
    segmenter.append(" No is in the U.S.")
    assert [segment.text for segment in segmenter.cut_settled(True)] == [" And Dr. No is in the U.S."]
    segmenter.append(" It costs 3.")
    assert segmenter.cut_settled(True) == []
    segmenter.append("50 now")
    assert [segment.text for segment in segmenter.cut_all()] == [" It costs 3.50 now"]


def test_a_pause_lets_go_of_whole_words_and_then_of_the_last() -> None:
    segmenter = make()
    segmenter.append("I think that it")
    assert segmenter.held == 12
    assert [segment.text for segment in segmenter.cut_settled(False)] == ["I think that "]
    assert segmenter.held == 2
    assert [segment.text for segment in segmenter.cut_settled(False)] == ["it"]
    assert segmenter.held == 0
    for whole, half in (("Visit ", "https://exa"), ("It costs ", "$3."), ("Use ", "v1.2."), ("See ", "C:")):
        segmenter.append(whole + half)
        assert [segment.text for segment in segmenter.cut_settled(False)] == [whole]
        assert [segment.text for segment in segmenter.cut_all()] == [half]
    segmenter.append("我想要")
    assert [segment.text for segment in segmenter.cut_settled(False)] == ["我想要"]


def test_a_pause_inside_a_construct_lets_go_of_what_is_before_it() -> None:
    segmenter = make()
    segmenter.append("Read [the good manual](http://x")
    assert [segment.text for segment in segmenter.cut_settled(False)] == ["Read "]
    assert [segment.text for segment in segmenter.cut_settled(False)] == ["[the good manual](http://x"]


def test_code_goes_on_after_a_flush() -> None:
    segmenter = make()
    segmenter.append("```\none. Two")
    (first,) = segmenter.cut_all()
    rest = segmenter.append(" three\nfour\n```\nText. More")
    assert (first.kind, first.opens_block, first.at_line_start) == ("code", True, True)
    assert [(each.kind, each.text, each.opens_block, each.at_line_start) for each in rest] == [
        ("code", " three\nfour\n```\n", False, False),
        ("text", "Text. ", False, True),
    ]


# -- long sentences and early clauses --------------------------------------------------------------------


def test_a_long_sentence_is_cut_at_its_next_clause() -> None:
    clause = "and so it goes on and on, "
    first, *_ = texts("word " * 30 + clause * 20)
    assert first.endswith("on and on, ")
    assert CLAUSE_AFTER <= len(first) <= CLAUSE_AFTER + len(clause)


def test_a_long_sentence_without_clauses_is_cut_at_a_space() -> None:
    first, second, *_ = texts("word " * 200)
    assert first.endswith(" ") and second.startswith("word")
    assert SPACE_AFTER <= len(first) <= SPACE_AFTER + len("word ")


def test_a_sentence_that_ends_soon_is_not_cut() -> None:
    sentence = "word " * 45 + "and more, then " + "x" * (CLAUSE_REST - len("then ") - 3) + "."
    assert texts(sentence) == [sentence]
    assert len(texts("word " * 45 + "and more, then " + "x" * CLAUSE_REST)) == 2


def test_a_run_without_space_is_cut_hard() -> None:
    lengths = [len(each) for each in texts("x" * 5000)]
    assert all(HARD_AFTER <= length <= HARD_AFTER + 32 for length in lengths[:-1])


def test_wide_characters_are_cut_sooner() -> None:
    first, *_ = texts(
        "这是一个很长的句子没有句号" * 3 + "，" + "这是一个很长的句子没有句号，" * 30, language="zh"
    )
    assert 80 <= len(first) <= 95 and first.endswith("，")
    assert all(len(each) <= 165 for each in texts("字" * 1000))


def test_no_cut_falls_inside_a_number() -> None:
    for each in texts("In all it was " + "1,234,567 " * 90 + "and " + "1 234 567, " * 60):
        assert each.split()[-1].strip(",") in {"1,234,567", "was", "567", "and"}


def test_no_hard_cut_falls_inside_a_composed_character() -> None:
    for each in texts("e\u0301\u0302" * 500 + "\U0001f468\u200d\U0001f469\u200d" * 200):
        assert each[0] not in "\u0301\u0302\u200d"


def test_no_cut_falls_inside_a_construct_that_is_not_too_long() -> None:
    link = "[" + "many words, " * 12 + "end](http://example.org/" + "x" * 60 + ")"
    assert CLAUSE_REST < len(link) < LONGEST_ATOM
    for before in range(150, 450, 7):
        text = "word " * (before // 5) + link + " and the rest of it goes on, and on, and on."
        assert any(link in each for each in texts(text)), before
        assert "".join(texts(text)) == text


def test_what_is_not_heard_is_bounded_too() -> None:
    pieces = texts("<b>" * 1000)
    assert max(map(len, pieces)) <= LONGEST_RAW + 3


def test_an_early_clause_is_long_enough_and_so_is_what_follows() -> None:
    assert texts("x" * (EARLY_AFTER - 3) + ", " + "y" * 60, early=True) == [
        "x" * (EARLY_AFTER - 3) + ", " + "y" * 60
    ]
    assert len(texts("x" * (EARLY_AFTER - 2) + ", " + "y" * 60, early=True)) == 2
    assert len(texts("x" * 30 + ", " + "y" * (CLAUSE_REST - 1), early=True)) == 1
    assert len(texts("x" * 30 + ", " + "y" * CLAUSE_REST, early=True)) == 2
    assert len(texts("x" * 30 + ", " + "y" * CLAUSE_REST)) == 1


def test_only_the_first_segment_is_early() -> None:
    sentence = "When the sun came up over the hills, the village was awake and working. "
    assert len(texts(sentence * 3, early=True)) == 4


# -- code and tables -------------------------------------------------------------------------------------


def test_a_long_block_is_cut_at_the_ends_of_lines() -> None:
    line = "value = compute(1.5)  # Yes. No.\n"
    code = "```py\n" + line * 60 + "```\n"
    segments = whole("Look:\n" + code + "Done.")
    pieces = [segment for segment in segments if segment.kind == "code"]
    assert "".join(piece.text for piece in pieces) == code
    assert [piece.opens_block for piece in pieces] == [True] + [False] * (len(pieces) - 1)
    assert all(piece.text.endswith("\n") and piece.at_line_start for piece in pieces)
    assert all(BLOCK_PIECE <= len(piece.text) < BLOCK_PIECE + len(line) for piece in pieces[:-1])
    assert [segment.text for segment in segments if segment.kind == "text"] == ["Look:\n", "Done."]


def test_a_very_long_line_of_code_is_cut_hard() -> None:
    pieces = whole("```\n" + "x" * 10_000 + "\n```\n")
    assert {piece.kind for piece in pieces} == {"code"}
    assert max(len(piece.text) for piece in pieces) <= 2 * BLOCK_PIECE
    assert [piece.opens_block for piece in pieces].count(True) == 1


def test_two_blocks_each_have_a_first_segment() -> None:
    segments = whole("```\na\n```\n```\nb\n```\n| a |\n| b |\n\n| c |\n")
    assert [(each.kind, each.text, each.opens_block) for each in segments] == [
        ("code", "```\na\n```\n", True),
        ("code", "```\nb\n```\n", True),
        ("table", "| a |\n| b |\n", True),
        ("text", "\n", False),
        ("table", "| c |\n", True),
    ]


def test_code_that_is_not_closed_goes_on_to_the_end() -> None:
    segments = whole("Text.\n```\nOne. Two.\n\nThree.")
    assert [(each.kind, each.text) for each in segments] == [
        ("text", "Text.\n"),
        ("code", "```\nOne. Two.\n\nThree."),
    ]


def test_a_fence_in_a_list_may_be_indented() -> None:
    segments = whole("1. Run this:\n\n    ```sh\n    ls. Now\n    ```\n2. Good.")
    assert [(each.kind, each.text) for each in segments] == [
        ("text", "1. Run this:\n"),
        ("text", "\n"),
        ("code", "    ```sh\n    ls. Now\n    ```\n"),
        ("text", "2. Good."),
    ]
    assert {each.kind for each in whole("Text\n\n    ```sh\n    ls. Now\n")} == {"text"}
