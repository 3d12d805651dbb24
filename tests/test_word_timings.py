"""Times of words on the wire are the times at which a forced aligner hears them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from realtime.app import running
from realtime.audio.silence import audible_range
from realtime.config import Config
from tests.alignment_judge import AlignedWord, align
from tests.speech_judges import Sound
from tests.wire_client import decode, open_client

RATE = 48_000
#: The most that half of the words may be off, in ms.
TOLERANCE_MS = 60
#: The most that the aligner itself may be off where the true time can be seen.
JUDGE_TOLERANCE_MS = 45
#: More than one clause each, and every word in the aligner's dictionary.
SENTENCES = (
    "When the rain finally stopped, the children ran back outside.",
    "If you need any help, please ask the woman at the front desk.",
    "After dinner we went for a walk, and the moon was already up.",
    "Although the shop was closed, a light was burning in the window.",
    "She opened the letter slowly, read it twice, and put it away.",
    "Because the bridge was broken, every car had to take another road.",
    "The coffee is hot, but the soup is only warm.",
    "My sister lives in Boston, while my parents live in Chicago.",
    "Before you sign anything, read the second page again.",
    "He looked at the clock, picked up his bag, and left the room.",
    "The first bus was full, so we waited for the next one.",
    "In the early morning, birds sing loudly behind our house.",
    "Take the blue bottle, shake it well, and pour out half a cup.",
    "As far as I know, nobody has ever climbed that mountain alone.",
    "The engine made a strange noise, then it stopped completely.",
    "Fresh bread, cheese, and apples were waiting on the kitchen table.",
    "Even though it was late, they decided to watch another movie.",
    "The manager agreed with us, which surprised almost everyone.",
    "You can pay by card, or you can send us a check next month.",
    "Under the old oak tree, a small dog was sleeping in the shade.",
    "Once the water boils, add the rice and turn down the heat.",
    "Our teacher was patient, friendly, and always very clear.",
    "I would gladly come along, but my train leaves at seven.",
    "When he heard the news, he called his brother right away.",
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A sentence, its sound at `RATE`, the entries of its `words` messages, and what the aligner hears."""

    text: str
    sound: Sound
    words: list[dict[str, Any]]
    heard: list[AlignedWord]


async def _speak_all() -> list[tuple[str, Sound, list[dict[str, Any]]]]:
    async with running(Config(port=0, max_lead_ms=0)) as server, open_client(server.url) as client:
        await client.send("session.start", formats=["opus"], timestamps="word")
        results: list[tuple[str, Sound, list[dict[str, Any]]]] = []
        for number, sentence in enumerate(SENTENCES):
            handle = (await client.speak(sentence, f"c{number}"))["handle"]
            words = [
                word
                for message in client.messages("words")
                if message["handle"] == handle
                for word in message["words"]
            ]
            results.append((sentence, decode(client.frames(handle)), words))
        return results


@pytest.fixture(scope="module")
def spoken() -> list[Spoken]:
    """All sentences, each a context of one session of a real server with the embedded voice."""
    return [
        Spoken(text, sound, words, align(sound, RATE, text))
        for text, sound, words in asyncio.run(_speak_all())
    ]


def errors_ms(
    spoken: Sequence[Spoken], is_counted: Callable[[str, str], bool] = lambda before, word: True
) -> tuple[list[float], list[float]]:
    """Told less heard, of word starts and of word ends; `is_counted` is asked with the word before and it."""
    starts: list[float] = []
    ends: list[float] = []
    for each in spoken:
        before = ""
        for told, heard in zip(each.words, each.heard, strict=True):
            if is_counted(before, heard.text):
                starts.append(told["start_ms"] - heard.start_s * 1000)
                ends.append(told["end_ms"] - heard.end_s * 1000)
            before = heard.text
    return starts, ends


def median_error(errors: Sequence[float]) -> float:
    """Median of the absolute errors."""
    return float(np.median(np.abs(errors)))


def figures(name: str, errors: Sequence[float]) -> str:
    """One line: signed median, tenth and ninetieth percentile, median of the absolute errors, in ms."""
    low, middle, high = np.percentile(errors, [10, 50, 90])
    return (
        f"{name}: {len(errors)} words, {middle:+.0f} ({low:+.0f} to {high:+.0f}), {median_error(errors):.0f}"
    )


def test_every_written_word_has_one_entry_in_order(spoken: list[Spoken]) -> None:
    for each in spoken:
        assert [each.text[slice(*word["source"])] for word in each.words] == [
            word["text"] for word in each.words
        ]
        assert all(first["source"][1] <= second["source"][0] for first, second in pairwise(each.words))
        assert [word["text"].strip(",.") for word in each.words] == [
            word.strip(",.") for word in each.text.split()
        ]


def test_words_follow_one_another_within_the_sound(spoken: list[Spoken]) -> None:
    for each in spoken:
        edges = [edge for word in each.words for edge in (word["start_ms"], word["end_ms"])]
        assert edges == sorted(edges) and len(set(edges)) > len(each.words)
        assert edges[0] >= 0 and edges[-1] <= len(each.sound) * 1000 / RATE


def test_words_sound_when_they_are_said_to(spoken: list[Spoken]) -> None:
    starts, ends = errors_ms(spoken)
    after_pause, _ = errors_ms(spoken, lambda before, word: before == "" or before[-1] == ",")
    flowing, _ = errors_ms(spoken, lambda before, word: before != "" and before[-1] != ",")
    _, before_pause = errors_ms(spoken, lambda before, word: word[-1] in ",.")
    print(f"told less heard in ms: median (10 % to 90 %), median of the absolute; {len(spoken)} sentences")
    print(figures("all starts", starts))
    print(figures("starts inside speech", flowing))
    print(figures("starts after a pause", after_pause))
    print(figures("all ends", ends))
    print(figures("ends before a pause", before_pause))
    assert len(spoken) >= 20 and len(starts) >= 250
    assert median_error(starts) < TOLERANCE_MS
    assert median_error(ends) < TOLERANCE_MS


@pytest.mark.parametrize("shift_ms", [-120, 120])
def test_times_that_are_off_are_caught(spoken: list[Spoken], shift_ms: int) -> None:
    """A check that could not fail would prove nothing."""
    starts, ends = errors_ms(spoken)
    assert median_error([error + shift_ms for error in starts]) >= TOLERANCE_MS
    assert median_error([error + shift_ms for error in ends]) >= TOLERANCE_MS


def test_the_aligner_hears_words_begin_where_the_waveform_rises(spoken: list[Spoken]) -> None:
    """The judge, judged: after silence anyone can see in the waveform when a word begins."""
    errors = [each.heard[0].start_s * 1000 - audible_range(each.sound)[0] * 1000 / RATE for each in spoken]
    print(figures("the aligner's first words, less the first audible sample", errors))
    assert median_error(errors) < JUDGE_TOLERANCE_MS


def test_the_aligner_moves_with_the_sound(spoken: list[Spoken]) -> None:
    for each in spoken[:5]:
        late = align(np.pad(each.sound, (RATE * 120 // 1000, 0)), RATE, each.text)
        moved = [
            after.start_s - before.start_s for after, before in zip(late[1:], each.heard[1:], strict=True)
        ]
        assert np.median(moved) == pytest.approx(0.120, abs=0.010)


def test_the_aligner_refuses_what_it_cannot_align(spoken: list[Spoken]) -> None:
    with pytest.raises(ValueError, match="zzyzx"):
        align(spoken[0].sound, RATE, "when the zzyzx")
    with pytest.raises(ValueError, match="does not fit"):
        align(spoken[0].sound[: RATE // 10], RATE, spoken[0].text)
