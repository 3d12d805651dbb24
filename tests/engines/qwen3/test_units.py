"""Words of texts in all scripts, how long they take, and where voices pause."""

from __future__ import annotations

import pytest

from realtime.engines.qwen3.units import Gap, Unit, units_of

N, C, S = Gap.NONE, Gap.CLAUSE, Gap.SENTENCE


def words(text: str, complete: bool = True) -> list[tuple[str, Gap]]:
    return [(text[unit.start : unit.end], unit.gap) for unit in units_of(0, text, complete)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Well, I know. Go!", [("Well,", C), ("I", N), ("know.", S), ("Go!", S)]),
        ("don't — it's 3.50 €", [("don't", C), ("it's", N), ("3.50", N), ("€", C)]),
        ('He said: "Yes." (No)', [("He", N), ("said:", C), ('"Yes."', S), ("(No)", C)]),
        ("well-known e.g. that… so", [("well-known", N), ("e.g.", S), ("that", C), ("so", C)]),
        ("你好，世界。走", [("你", N), ("好", C), ("世", N), ("界", S), ("走", C)]),
        ("用Python写 3行", [("用", N), ("Python", N), ("写", N), ("3", N), ("行", C)]),
        ("きょうは、コーヒ", [("きょ", N), ("う", N), ("は", C), ("コ", N), ("ー", N), ("ヒ", C)]),
        ("안녕하세요? 네.", [("안녕하세요?", S), ("네.", S)]),
        ("Да, конечно", [("Да,", C), ("конечно", C)]),
    ],
)  # fmt: skip
def test_words_and_the_pauses_after_them(text: str, expected: list[tuple[str, Gap]]) -> None:
    assert words(text) == expected


def test_a_text_that_is_not_complete_has_no_end() -> None:
    assert not any(unit.ends_segment for unit in units_of(0, "one two", False))
    assert words("one two", False)[-1] == ("two", N)
    assert [unit.ends_segment for unit in units_of(0, "one two", True)] == [False, True]
    assert units_of(0, "...", False) == units_of(0, "", False) == []


def test_a_segment_without_words_is_one_unit() -> None:
    (dots,), (nothing,) = units_of(3, " ... ", True), units_of(3, " ", True)
    assert (dots.is_word, dots.is_empty, dots.ends_segment) == (False, False, True)
    assert (nothing.is_word, nothing.is_empty, nothing.ends_segment) == (False, True, True)
    assert isinstance(dots, Unit) and dots.segment == 3 and dots.seconds > nothing.seconds > 0


def test_longer_words_take_longer_and_the_last_before_a_pause_too() -> None:
    def seconds(text: str) -> list[float]:
        return [unit.seconds for unit in units_of(0, text, False)]

    short, long = seconds("a considerably")
    assert 0.04 < short < 0.08 and 0.5 < long < 0.9
    assert seconds("word, word")[0] == pytest.approx(seconds("word word")[0] + 0.1)
    assert seconds("2024")[0] > seconds("word")[0]
    assert seconds("사람")[0] == pytest.approx(0.30)
    assert seconds("人")[0] > seconds("か")[0] > 0.1
