"""Sentences are cut at the same places whatever the cuts between tokens, and on bounded work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sentencex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from realtime.text.segment import LOOKAHEAD, MAX_CHARACTERS, Segmenter

Segments = list[tuple[int, str]]

#: The longest sentence that is let through: one whose end begins within the limit, and that end itself.
LONGEST = MAX_CHARACTERS + 64

FRAGMENTS = [
    *(". ", ".", "!", "?", "…", "...", "?!", "\n", "\n\n", "\n \n", "\r\n", " ", "  ", "\t", "\u3000"),
    *('"', "'", "”", "’", "»", ")", "]", "(", "“", "「", "」", "』", "（", "）"),
    *("。", "！", "？", "、", "，", "今日", "は"),
    *(
        "Dr. ",
        "Mr.",
        "No. 5",
        "U.S.A.",
        "e.g. ",
        "p.m.",
        "$3.50",
        "98.6",
        "a",
        "The",
        "word",
        "é",
        "😀",
        "\0",
    ),
    *(",", ";", ":", "—", "-"),
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
]
TEXTS = st.lists(st.sampled_from(FRAGMENTS), max_size=60).map("".join)
#: Few symbols, so that odd neighbours meet often.
NASTY = st.one_of(
    st.text(alphabet='. \n"a', max_size=200),
    st.text(alphabet="。」！ a", max_size=200),
    st.text(alphabet=".!?…\"')] A", max_size=700),
)


def whole(text: str, language: str = "en") -> Segments:
    segmenter = Segmenter(language)
    return segmenter.append(text) + segmenter.cut_all()


def one_by_one(text: str, language: str = "en") -> Segments:
    segmenter = Segmenter(language)
    segments: Segments = []
    for character in text:
        segments += segmenter.append(character)
    return segments + segmenter.cut_all()


def stripped(text: str, language: str = "en") -> list[str]:
    return [segment.strip() for _, segment in whole(text, language)]


@pytest.mark.parametrize(
    "sentences",
    [
        ["Dr. Smith met Mr. Jones.", "They talked for hours."],
        ["He lives in the U.S.A. and works there.", "It is fine."],
        ["It costs $3.50 today.", "That is cheap!", "Is it?"],
        ["It was 98.6 degrees.", "Version 2.0.1 is out now."],
        ["See No. 5 for that.", "Then go on."],
        ["J. R. Smith came.", "He sat down."],
        ['He said "Stop."', "Then he left us."],
        ["“Go!” she said.", "He went home."],
        ["Well... maybe so.", "Perhaps not."],
        ["What?!", "Really?!", "Yes, really."],
        ["I like it.I like that too.", "Yes, both of them."],
        ["Café olé naïve.", "Ünïcödé is fine here."],
        ["No end here"],
    ],
)
def test_latin_sentences(sentences: list[str]) -> None:
    assert stripped(" ".join(sentences)) == sentences


@pytest.mark.parametrize("language", ["ja", "zh", "en"])
def test_cjk_marks_need_no_space(language: str) -> None:
    text = "今日は良い天気です。元気ですか？「はい！」そうですか。"
    assert stripped(text, language) == ["今日は良い天気です。", "元気ですか？", "「はい！」", "そうですか。"]


@pytest.mark.parametrize("gap", ["\n\n", "\n \t\r\n", "\r\n\r\n"])
def test_an_empty_line_ends_a_sentence_without_a_mark(gap: str) -> None:
    assert stripped(f"A heading{gap}The text below it") == ["A heading", "The text below it"]


def test_a_single_line_break_ends_nothing() -> None:
    assert stripped("one line\nand the next one goes on") == ["one line\nand the next one goes on"]


def test_a_sentence_is_out_with_the_last_character_of_the_lookahead() -> None:
    segmenter = Segmenter()
    following = "Now more"
    assert len(following.replace(" ", "")) == LOOKAHEAD - 1
    assert segmenter.append("It is so. " + following) == []
    assert segmenter.append(" ") == []
    assert segmenter.append("t") == [(0, "It is so. ")]


def test_cut_all_decides_what_is_left_and_positions_go_on() -> None:
    segmenter = Segmenter()
    assert segmenter.append("One. Two. Thr") == []
    assert segmenter.cut_all() == [(0, "One. "), (5, "Two. "), (10, "Thr")]
    assert segmenter.cut_all() == []
    assert segmenter.append("ee. ") == []
    assert segmenter.cut_all() == [(13, "ee. ")]


def test_a_long_sentence_is_cut_after_its_last_clause_mark() -> None:
    clause = "and so it goes on and on, "
    text = "word " * 20 + clause * 20
    (_, first), *_ = whole(text)
    assert first.endswith("on and on, ")
    assert MAX_CHARACTERS - len(clause) < len(first) <= MAX_CHARACTERS


def test_a_long_sentence_without_clauses_is_cut_at_its_last_space() -> None:
    (_, first), (position, second), *_ = whole("word " * 200)
    assert len(first) == MAX_CHARACTERS and first.endswith(" ")
    assert position == MAX_CHARACTERS and second.startswith("word")


def test_a_run_without_space_is_cut_hard() -> None:
    lengths = [len(segment) for _, segment in whole("x" * 5000)]
    assert lengths == [MAX_CHARACTERS] * 12 + [200]


def test_no_clause_mark_inside_a_number_is_cut_at() -> None:
    text = "In all it was " + "1,234,567 " * 60
    for _, segment in whole(text):
        assert segment.split()[-1] in {"1,234,567", "was"}


@settings(deadline=None, max_examples=150)
@given(text=st.one_of(TEXTS, NASTY))
@example(text="!" * 100 + " a" * 20)
@example(text="。" * 100 + "a" * 20)
@example(text="a." + '"' * 20 + " b" * 20)
@example(text="x" * 399 + "." * 70 + " " + "y" * 20)
@example(text="x" * 399 + "。" * 70 + "y" * 20)
@example(text="x" * 464)
@example(text="x" * 465)
@example(text="a\n" + " " * 16 + "\n" + "b" * 9)
@example(text="Hi." + " " * 1000 + "there it is now")
def test_one_character_at_a_time_gives_the_same(text: str) -> None:
    segments = whole(text)
    assert one_by_one(text) == segments
    assert "".join(segment for _, segment in segments) == text
    position = 0
    for start, segment in segments:
        assert start == position and segment
        position += len(segment)


@settings(deadline=None, max_examples=100)
@given(text=st.one_of(TEXTS, NASTY), data=st.data())
def test_any_tokens_give_the_same(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    segmenter = Segmenter()
    segments: Segments = []
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        segments += segmenter.append(text[start:end])
    assert segments + segmenter.cut_all() == whole(text)


@settings(deadline=None, max_examples=60)
@given(text=TEXTS, more=TEXTS, at=st.integers(0, 400))
def test_what_is_out_never_changes(text: str, more: str, at: int) -> None:
    early = Segmenter().append(text)
    assert Segmenter().append(text + more)[: len(early)] == early
    assert Segmenter().append(text[:at]) == early[: len(Segmenter().append(text[:at]))]


@settings(deadline=None, max_examples=60)
@given(text=st.one_of(TEXTS, NASTY))
def test_no_sentence_is_too_long(text: str) -> None:
    assert all(len(segment.rstrip()) <= LONGEST for _, segment in whole(text))


@pytest.mark.parametrize(
    "token",
    ["A short sentence. ", "x", "Dr. ", "word ", "!", "。", "」", '"', "\n", " ", ".", "a.", "no, ", "1.5 "],
)
def test_what_is_held_stays_bounded(token: str) -> None:
    """However long the context, what each new token is looked at together with is about one sentence."""
    segmenter = Segmenter()
    held = 0
    for _ in range(4000):
        segmenter.append(token)
        held = max(held, len(segmenter._text))
    assert held <= LONGEST + 2 * len(token) + LOOKAHEAD


@pytest.mark.parametrize("space", [" ", "\n", "\t"])
def test_space_after_a_sentence_is_not_hoarded(space: str) -> None:
    """A sentence's end followed by nothing but space must not be looked at again in growing text."""
    segmenter = Segmenter()
    segmenter.append("That is all.")
    for _ in range(4000):
        segmenter.append(space)
    assert len(segmenter._text) <= 2 * LONGEST


def _examined(text: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Characters given to sentencex for a text that comes one word at a time."""
    real: Callable[[str, str], Any] = sentencex.get_sentence_boundaries
    total = 0

    def counting(language: str, window: str) -> Any:
        nonlocal total
        total += len(window)
        return real(language, window)

    with monkeypatch.context() as patch:
        patch.setattr(sentencex, "get_sentence_boundaries", counting)
        segmenter = Segmenter()
        for word in text.split():
            segmenter.append(word + " ")
    return total


@pytest.mark.parametrize("sentence", ["This is one of very many sentences. ", "Dr. Mr. No. 5 e.g. this. "])
def test_work_grows_with_the_text_and_no_faster(sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    short = _examined(sentence * 50, monkeypatch)
    long = _examined(sentence * 200, monkeypatch)
    assert 0 < long <= 4.5 * short
