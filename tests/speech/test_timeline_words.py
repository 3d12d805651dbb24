"""One entry for each written word, whatever is said for it; and pauses that an author has set."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from realtime.audio.formats import PcmS16leEncoder
from realtime.speech.timeline import Timeline
from realtime.text.normalize import reader
from realtime.text.spans import MappedText
from realtime.types import SegmentStarted, SourceWord, TextPiece, WordsTimed, WordTiming
from tests.speech.sounds import RATE, SCALE, Rendered, chunk, ms, piece, silence, sound, tone

WORD_MS = 100


def normalized(text: str) -> TextPiece:
    """A piece as the front end makes it of a clean sentence."""
    english = reader("en")
    assert english is not None
    said = MappedText(text, 0).edited(english.edits(text)).stripped()
    spans = said.links()
    return TextPiece(0, said.text, (0, len(text)), spans, "en", normalized=True)


def rendered_words(text: TextPiece, cuts: tuple[int, ...] = ()) -> tuple[list[SourceWord], Rendered]:
    """Each spoken word sounds for `WORD_MS`; the sound comes in chunks that end after so many words."""
    rendered = Rendered(PcmS16leEncoder(24_000, 20))
    spoken: list[WordTiming] = []
    at = 0
    for number, word in enumerate(text.text.split()):
        start = text.text.index(word, at)
        at = start + len(word)
        spoken.append(WordTiming(start, at, ms(WORD_MS) * number, ms(WORD_MS) * (number + 1)))
    edges = [0, *cuts, len(spoken)]
    for begin, end in itertools.pairwise(edges):
        pcm = tone(WORD_MS * (end - begin))
        rendered.add(text, chunk(0, pcm, end == len(spoken), tuple(spoken[begin:end])))
    words = [word for event in rendered.events if isinstance(event, WordsTimed) for word in event.words]
    return words, rendered


@pytest.mark.parametrize("cuts", [(), (1,), (2, 3), (1, 2, 3, 4, 5, 6)])
def test_a_written_word_has_one_entry_with_the_time_of_all_that_is_said_for_it(cuts: tuple[int, ...]) -> None:
    text = "It costs $3.50 now."
    piece = normalized(text)
    assert piece.text == "It costs three dollars and fifty cents now."
    words, _ = rendered_words(piece, cuts)
    assert [text[word.source_start : word.source_end] for word in words] == ["It", "costs", "$3.50", "now."]
    assert [(word.end - word.start) // (ms(WORD_MS) * SCALE) for word in words] == [1, 1, 5, 1]


def test_marks_that_touch_a_word_belong_to_it() -> None:
    text = "Pay (£3.50), or £20!"
    words, _ = rendered_words(normalized(text))
    assert [text[word.source_start : word.source_end] for word in words] == ["Pay", "(£3.50),", "or", "£20!"]


def test_words_that_are_said_together_are_told_apart() -> None:
    text = "It lost $5 million in 2024."
    words, _ = rendered_words(normalized(text))
    assert [text[word.source_start : word.source_end] for word in words] == text.split()


@pytest.mark.parametrize(
    ("text", "timings", "told"),
    [
        ("New York is", [(0, 8), (9, 11)], [("New", 1), ("York", 0), ("is", 1)]),
        ("one two three", [(0, 13)], [("one", 1), ("two", 0), ("three", 0)]),
        ("so \u2014 it is", [(0, 4), (5, 7), (8, 10)], [("so \u2014", 1), ("it", 1), ("is", 1)]),
    ],
)
def test_a_timing_of_several_written_words_has_an_entry_for_each(
    text: str, timings: list[tuple[int, int]], told: list[tuple[str, int]]
) -> None:
    """The first has all of the time; the others end with it."""
    rendered = Rendered(PcmS16leEncoder(24_000, 20))
    said = tuple(WordTiming(*span, ms(100 * n), ms(100 * (n + 1))) for n, span in enumerate(timings))
    rendered.add(normalized(text), chunk(0, tone(100 * len(timings)), True, said))
    words = [word for event in rendered.events if isinstance(event, WordsTimed) for word in event.words]
    assert [
        (text[word.source_start : word.source_end], (word.end - word.start) // (ms(100) * SCALE))
        for word in words
    ] == told
    assert [word.start for word in words] == sorted(word.start for word in words)


def test_a_word_is_told_when_all_that_is_said_for_it_is_on_the_timeline() -> None:
    rendered = Rendered(PcmS16leEncoder(24_000, 20))
    text = normalized("It costs $20 now.")  # "It costs twenty dollars now."
    timings = [(0, 2), (3, 8), (9, 15), (16, 23), (24, 28)]
    words = tuple(WordTiming(*span, ms(100 * n), ms(100 * (n + 1))) for n, span in enumerate(timings))
    rendered.add(text, chunk(0, tone(310), False, words))
    told = [len(event.words) for event in rendered.events if isinstance(event, WordsTimed)]
    assert told == [2], "of $20 only a part has sounded"
    rendered.add(text, chunk(0, tone(190), True))
    told = [len(event.words) for event in rendered.events if isinstance(event, WordsTimed)]
    assert told == [2, 2]


@pytest.mark.parametrize("speed", [1.0, 2.0])
def test_a_pause_that_was_set_replaces_the_usual_one_at_any_tempo(speed: float) -> None:
    rendered = Rendered(PcmS16leEncoder(24_000, 20), speed)
    rendered.add(piece(0, "One."), chunk(0, tone(500)))
    second = replace(piece(1, "Two.", 5), pause_before_ms=1500)
    rendered.add(second, chunk(1, tone(500)))
    first, start = rendered.starts
    silence_ms = (start - first) / SCALE / RATE * 1000 - 500 / speed
    assert abs(silence_ms - 1500) < 12


def test_a_pause_before_the_first_word_is_heard() -> None:
    rendered = Rendered(PcmS16leEncoder(24_000, 20))
    rendered.add(replace(piece(0, "One."), pause_before_ms=700), chunk(0, sound(silence(300), tone(500))))
    (start,) = rendered.starts
    assert abs(start / SCALE / RATE * 1000 - 670) < 6, "its lead of 30 ms is a part of the pause"


def test_a_segment_in_parts_is_told_as_not_final() -> None:
    timeline = Timeline(PcmS16leEncoder(24_000, 20))
    events = timeline.add(replace(piece(0, "One and"), last_of_segment=False), chunk(0, tone(300), False))
    assert [event.final for event in events if isinstance(event, SegmentStarted)] == [False]
