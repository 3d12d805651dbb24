"""Budgets leave slow speakers their time, and runaways none."""

from __future__ import annotations

import math
import random

import pytest

from realtime.engines.qwen3.budget import (
    BASE_S,
    LONGEST_PERIOD,
    REPEATED_FRAMES,
    FrameBudget,
    RepetitionGuard,
    slow_seconds,
)
from realtime.errors import EngineError

FRAME_MS = 80.0

#: Text, and the seconds of a slow and of a usual speaker, by the words or characters as they are said.
SPOKEN = [
    ("Hi.", 1 / 1.7, 0.4),
    ("Yes", 1 / 1.7, 0.4),
    ("The quick brown fox jumps over the lazy dog.", 9 / 1.7, 9 / 2.7),
    ("I am as old as he is, so it is up to us to go on.", 17 / 2, 17 / 3.3),
    (
        "Unfortunately, internationalization considerations remain fundamentally unresolved.",
        7 / 0.85,
        7 / 1.4,
    ),
    # "zweihundertvierunddreißig": long words, 6 syllables a second at the usual speed
    ("Die Donaudampfschifffahrtsgesellschaft beschäftigt Rechtsschutzversicherungsgesellschaften.", 11, 6),
    ("It costs $1,234,567.89 in total.", 17 / 1.7, 17 / 2.7),  # thirteen words of the number alone
    ("Call 0171 2345678 now.", 13 / 1.7, 13 / 2.7),
    ("HTTP and URL.", 8 / 1.7, 8 / 2.7),
    ("50% & 20 €", 7 / 1.7, 7 / 2.7),
    ("你好，世界！", 4 / 3 + 0.8, 4 / 5 + 0.5),
    ("今天天气真好，我们一起去公园散步吧。", 16 / 3 + 0.8, 16 / 5 + 0.5),
    ("총 1,234명이 참석했습니다.", 17 / 3, 17 / 6),
    ("吾輩は猫である。名前はまだ無い。", 20 / 4 + 1, 20 / 7 + 0.7),
    ("コンピュータープログラミング", 14 / 4, 14 / 7),
    ("Привет, как твои дела сегодня?", 5 / 1.5 + 1, 5 / 2.5),
    ("Wait... What? No! Stop. Go on, then.", 7 / 1.7 + 3, 7 / 2.7 + 2.3),
]


@pytest.mark.parametrize(("text", "slow", "usual"), SPOKEN)
def test_a_slow_speaker_has_time_and_a_runaway_of_a_short_text_has_little(
    text: str, slow: float, usual: float
) -> None:
    budget = FrameBudget(FRAME_MS).frames(slow_seconds(text)) * FRAME_MS / 1000
    assert budget > slow + 1.5  # with what is silent at both ends
    assert budget < usual + 11


@pytest.mark.parametrize("sentences", [1, 5, 20, 100])
def test_the_budget_of_a_long_text_is_at_most_twice_its_usual_length(sentences: int) -> None:
    text = " ".join(["The committee will present its final report on Monday morning."] * sentences)
    words = 10 * sentences
    budget = FrameBudget(FRAME_MS).frames(slow_seconds(text)) * FRAME_MS / 1000
    usual = words / 2.7 + 0.4 * sentences
    assert words / 1.7 + 0.8 * sentences < budget < BASE_S + 2 * usual


def test_the_budget_grows_with_live_text_as_with_the_whole() -> None:
    text = "Hello there, 42 people! 你好，世界。\nÇa va?"
    for cut in range(len(text)):
        before, after = slow_seconds(text[:cut]), slow_seconds(text[cut:])
        assert math.isclose(before + after, slow_seconds(text))
        assert slow_seconds(text[: cut + 1]) >= before


def test_marks_and_what_nobody_says_take_no_time() -> None:
    assert slow_seconds("e\u0301\u200b\ufe0f") == slow_seconds("e")
    assert slow_seconds("") == 0
    assert FrameBudget(FRAME_MS).frames(0) == math.ceil(BASE_S / 0.08)


def test_a_setting_takes_the_place_of_the_budget() -> None:
    fixed = FrameBudget(FRAME_MS, 100)
    assert fixed.frames(0) == fixed.frames(1e6) == 99  # qwen-tts gives 99 frames too
    assert FrameBudget(FRAME_MS, 2).frames(5) == 1
    with pytest.raises(EngineError, match="MAX_NEW_TOKENS must be 2 or more"):
        FrameBudget(FRAME_MS, 1)


@pytest.mark.parametrize("period", range(1, LONGEST_PERIOD + 1))
def test_a_generation_that_only_repeats_is_ended_within_the_frames_that_are_looked_at(period: int) -> None:
    guard = RepetitionGuard()
    source = random.Random(period)
    spoken = [source.randrange(2048) for _ in range(200)]
    loop = [3000 + number for number in range(period)]
    assert not any(guard.add(code) for code in spoken)
    for number in range(REPEATED_FRAMES - 1):
        assert not guard.add(loop[number % period])
    assert guard.add(loop[(REPEATED_FRAMES - 1) % period])


def test_pauses_and_longer_patterns_are_speech() -> None:
    guard = RepetitionGuard()
    source = random.Random(1)
    for _ in range(50):
        assert not any(guard.add(7) for _ in range(REPEATED_FRAMES - 2))  # almost 4 s of silence
        assert not any(guard.add(source.randrange(8, 2048)) for _ in range(3))
    longer = range(LONGEST_PERIOD + 1)
    assert not any(guard.add(code) for _ in range(30) for code in longer)
