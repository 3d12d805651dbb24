"""The tone engine says from the text alone how long the sound is: other tests build on that."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.engines.engine import Open
from realtime.engines.tone import AMPLITUDE, CHARACTER_SAMPLES, GAP_SAMPLES, ToneSynthesizer, make, pitch_hz
from realtime.types import AudioChunk, TextPiece


class Never:
    cancelled = False


def speak(text: str) -> AudioChunk:
    piece = TextPiece(3, text, (0, len(text)), (), "en")
    (chunk,) = ToneSynthesizer().synthesize(piece, Open(1, "tone", "en"), Never())
    return chunk


def test_length_and_words_follow_from_the_text() -> None:
    chunk = speak("Hi there, you")
    assert (chunk.segment, chunk.sample_rate, chunk.last_of_segment) == (3, 24_000, True)
    spans = [(word.spoken_start, word.spoken_end) for word in chunk.words]
    assert spans == [(0, 2), (3, 9), (10, 13)]
    lengths = [word.end - word.start for word in chunk.words]
    assert lengths == [2 * CHARACTER_SAMPLES, 6 * CHARACTER_SAMPLES, 3 * CHARACTER_SAMPLES]
    assert chunk.words[1].start - chunk.words[0].end == GAP_SAMPLES
    assert len(chunk.pcm) == chunk.words[-1].end == 11 * CHARACTER_SAMPLES + 2 * GAP_SAMPLES
    assert chunk.pcm.dtype == np.float32


def test_a_word_has_its_own_pitch() -> None:
    chunk = speak("abcdef other")
    word = chunk.words[0]
    pcm = chunk.pcm[word.start : word.end]
    peak = np.argmax(np.abs(np.fft.rfft(pcm))) * chunk.sample_rate / len(pcm)
    assert peak == pytest.approx(pitch_hz("abcdef"), abs=3)
    assert pitch_hz("abcdef") != pitch_hz("other,")
    assert np.max(np.abs(pcm)) == pytest.approx(AMPLITUDE, rel=1e-3)


def test_between_words_is_silence() -> None:
    chunk = speak("one two")
    assert not chunk.pcm[chunk.words[0].end : chunk.words[1].start].any()


@pytest.mark.parametrize("text", ["", "... !", "—"])
def test_nothing_to_say_gives_one_empty_chunk(text: str) -> None:
    chunk = speak(text)
    assert len(chunk.pcm) == 0 and chunk.words == () and chunk.last_of_segment


def test_the_same_text_is_the_same_sound() -> None:
    assert np.array_equal(speak("Same again").pcm, speak("Same again").pcm)


def test_the_factory_makes_one() -> None:
    assert make().capabilities.name == "tone"
