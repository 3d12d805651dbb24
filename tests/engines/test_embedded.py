"""The voice out of the box: the same sound for the same seed, exact words, and nothing that breaks it."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from realtime.audio.silence import audible_range
from realtime.engines.embedded import SAMPLE_RATE, UNIT_FRAMES, EmbeddedSynthesizer, _readable
from realtime.engines.engine import Open
from realtime.engines.network import run_network
from realtime.engines.rendering import Renderer
from realtime.engines.synthesizer import NeverCancelled
from realtime.types import AudioChunk, Pcm, Pronunciation, TextPiece
from tests.engines.cancelling import After, BrokenOff, ByHand

SENTENCE = "The quick brown fox jumps over the lazy dog."
#: As the front end hands pieces on unless it is told not to, and as it does then.
BOTH_WAYS = pytest.mark.parametrize("normalized", [True, False])


@pytest.fixture(scope="module")
def synthesizer() -> EmbeddedSynthesizer:
    synthesizer = EmbeddedSynthesizer()
    synthesizer.load()
    return synthesizer


def chunks_of(
    synthesizer: EmbeddedSynthesizer, text: str, seed: int = 0, normalized: bool = False
) -> list[AudioChunk]:
    piece = TextPiece(2, text, (0, len(text)), (), "en", normalized=normalized)
    return list(synthesizer.synthesize(piece, Open(1, "heart", "en", seed), NeverCancelled()))


def sound(synthesizer: EmbeddedSynthesizer, text: str, seed: int = 0) -> Pcm:
    return np.concatenate([chunk.pcm for chunk in chunks_of(synthesizer, text, seed)])


def said(synthesizer: EmbeddedSynthesizer, text: str, normalized: bool = False) -> list[str]:
    return [
        text[word.spoken_start : word.spoken_end]
        for chunk in chunks_of(synthesizer, text, normalized=normalized)
        for word in chunk.words
    ]


def written(text: str, *pronunciations: Pronunciation) -> TextPiece:
    """A piece that nobody has normalized, or with pronunciations one that the front end has."""
    done = bool(pronunciations)
    return TextPiece(0, text, (0, len(text)), (), "en", normalized=done, pronunciations=pronunciations)


def test_a_pronunciation_that_was_given_is_spoken(synthesizer: EmbeddedSynthesizer) -> None:
    text = "I say tomato, New York tomato."
    given = Pronunciation(6, 12, "t\u0259\u02c8m\u0251\u02d0to\u028a")
    (plain,) = synthesizer._runs(written(text, Pronunciation(0, 0, "")))
    (said,) = synthesizer._runs(written(text, given, Pronunciation(14, 22, "nu")))
    letters = {number: letter for letter, number in synthesizer._vocabulary.items()}
    assert "t\u0259m\u02c8\u0251TO" in "".join(letters.get(each, "") for each in said.ids)
    assert "t\u0259m\u02c8AT" in "".join(letters.get(each, "") for each in plain.ids)
    assert [span for span, _, _ in said.words] == [(0, 1), (2, 5), (6, 13), (14, 22), (23, 30)]
    assert [text[slice(*span)] for span, _, _ in plain.words] == text.split()


def test_a_pronunciation_is_spoken_also_where_nobody_has_normalized(synthesizer: EmbeddedSynthesizer) -> None:
    text = "$3.50 for untomatoed, 5 km."
    given = Pronunciation(12, 18, "nu")
    piece = replace(written(text, given), normalized=False)
    (run,) = synthesizer._runs(piece)
    letters = {number: letter for letter, number in synthesizer._vocabulary.items()}
    spoken = "".join(letters.get(each, "") for each in run.ids)
    assert "d\u02c8\u0251l\u0259\u0279z" in spoken and "n\u02c8u" in spoken and "t\u0259m" not in spoken
    spans = dict.fromkeys(span for span, _, _ in run.words)
    assert [text[slice(*span)] for span in spans] == text.split()


@BOTH_WAYS
def test_what_looks_like_a_pronunciation_is_text(synthesizer: EmbeddedSynthesizer, normalized: bool) -> None:
    text = "[hello](/bu/) you"
    (run,) = synthesizer._runs(replace(written(text), normalized=normalized))
    letters = {number: letter for letter, number in synthesizer._vocabulary.items()}
    assert "lO sl\u02c8\u00e6\u0283" in "".join(letters.get(each, "") for each in run.ids)
    assert [text[slice(*span)] for span, _, _ in run.words] == text.split()


@BOTH_WAYS
def test_no_brackets_but_those_of_given_pronunciations_reach_the_voice(normalized: bool) -> None:
    text = "[hello](/bu/) to [mato][b]"
    given = Pronunciation(17, 23, "nu")
    readable, words = _readable(replace(written(text, given), normalized=normalized))
    assert readable.replace("[x](/n\u02c8u/)", "<given>") == "(hello)(/bu/) to <given>(b)"
    assert [text[start:end] for start, end in words] == ["[hello](/bu/)", "to", "[mato][b]"]


def test_of_pronunciations_that_overlap_the_first_is_spoken() -> None:
    text = "one two three"
    first, inside, across = Pronunciation(0, 7, "nu"), Pronunciation(4, 7, "bu"), Pronunciation(5, 13, "bu")
    after = Pronunciation(8, 13, "mu")
    readable, words = _readable(written(text, first, inside, across, after))
    assert readable == "[x](/n\u02c8u/) [x](/m\u02c8u/)"
    assert words == [(0, 7), (8, 13)]


def test_a_pronunciation_of_nothing_or_that_the_voice_lacks_leaves_the_text() -> None:
    text = "one two"
    readable, words = _readable(written(text, Pronunciation(4, 4, "nu"), Pronunciation(4, 7, "\u4eca")))
    assert (readable, words) == (text, [(0, 3), (4, 7)])


def test_what_was_normalized_is_not_normalized_again(synthesizer: EmbeddedSynthesizer) -> None:
    """What the front end has settled is read as it is: "St. John" would become "Saint John" by hibari."""
    text = "St. John is at 5 km."
    piece = replace(written(text), normalized=True)
    (run,) = synthesizer._runs(piece)
    assert [text[slice(*span)] for span, _, _ in run.words] == text.split()
    (other,) = synthesizer._runs(written(text))
    assert len(other.ids) > len(run.ids)


def test_the_same_seed_is_the_same_sound_bit_for_bit(synthesizer: EmbeddedSynthesizer) -> None:
    assert np.array_equal(sound(synthesizer, SENTENCE, 7), sound(synthesizer, SENTENCE, 7))


def test_another_loaded_voice_sounds_the_same(synthesizer: EmbeddedSynthesizer) -> None:
    """So a restarted process goes on with the same sound."""
    other = EmbeddedSynthesizer()
    other.load()
    assert np.array_equal(sound(synthesizer, SENTENCE, 7), sound(other, SENTENCE, 7))


def test_other_seeds_give_other_samples_of_the_same_words(synthesizer: EmbeddedSynthesizer) -> None:
    first, second = sound(synthesizer, SENTENCE, 1), sound(synthesizer, SENTENCE, 2)
    assert len(first) == len(second) and not np.array_equal(first, second)
    assert np.corrcoef(first, second)[0, 1] > 0.9


def test_threads_beside_each_other_make_what_one_makes(synthesizer: EmbeddedSynthesizer) -> None:
    jobs = [(f"{SENTENCE} Number {number % 4}.", number % 3) for number in range(16)]
    serial = [sound(synthesizer, *job) for job in jobs]
    with ThreadPoolExecutor(8) as threads:
        for alone, beside in zip(
            serial, threads.map(lambda job: sound(synthesizer, *job), jobs), strict=True
        ):
            assert np.array_equal(alone, beside)


def test_blocks_are_the_sound_of_the_original_synthesis(synthesizer: EmbeddedSynthesizer) -> None:
    """With the noise off nothing is random, and our blocks must join to what hibari makes in one go."""
    from hibari import dsp

    (run,) = synthesizer._runs(written(SENTENCE))
    outputs = synthesizer._infer(run.ids, NeverCancelled())
    assert outputs is not None
    spectrum, f0, durations = outputs
    frames, bins = len(spectrum), dsp.N_FFT // 2 + 1
    spectrum[:, 2 * bins : 3 * bins] = -50
    whole = dsp.synth(*np.split(spectrum.T, 5), f0, np.random.default_rng(0))
    assert len(whole) == frames * dsp.HOP
    assert round(float(durations.sum())) * UNIT_FRAMES == frames
    renderer = synthesizer._renderer
    assert renderer is not None
    for start, end in [(0, frames), (17, frames - 5), (frames - 1, frames), (0, 1), (24, frames - 1)]:
        blocks = np.concatenate(list(renderer.blocks(spectrum, f0, 0, start, end)))
        assert np.array_equal(blocks, whole[start * dsp.HOP : end * dsp.HOP])


@pytest.mark.parametrize("f0", [[150.0], [0.0, 90.0, 0.0], [40.0, 40.1, 400.0] * 20, [0.0] * 5])
def test_pulses_are_those_of_the_original_synthesis(f0: list[float]) -> None:
    from hibari import dsp

    curve = np.asarray(f0, np.float32)
    assert np.array_equal(Renderer().pulses(curve), dsp.pulses(curve))


def test_the_network_gives_what_the_original_one_gives(synthesizer: EmbeddedSynthesizer) -> None:
    from hibari import Hibari

    (run,) = synthesizer._runs(written(SENTENCE))
    outputs = synthesizer._infer(run.ids, NeverCancelled())
    assert outputs is not None
    feed = {"ids": np.asarray([run.ids], np.int64), "speed": np.ones(1, np.float32)}
    *features, f0 = Hibari().sess.run(None, feed)
    assert np.array_equal(outputs[0].T, np.concatenate(features, axis=1)[0])
    assert np.array_equal(outputs[1], f0[0])


def test_the_first_block_is_short_and_one_chunk_is_the_last(synthesizer: EmbeddedSynthesizer) -> None:
    chunks = chunks_of(synthesizer, SENTENCE)
    assert len(chunks[0].pcm) == round(0.3 * SAMPLE_RATE)
    assert [chunk.last_of_segment for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert {(chunk.segment, chunk.sample_rate, chunk.estimated) for chunk in chunks} == {
        (2, SAMPLE_RATE, False)
    }


@pytest.mark.parametrize(
    "text", [SENTENCE, "Hi.", "It costs $3.50, in all; 5 kg.", "He - said: (so) “what?” " * 30]
)
def test_words_are_in_order_and_inside_the_sound(synthesizer: EmbeddedSynthesizer, text: str) -> None:
    chunks = chunks_of(synthesizer, text)
    words = [word for chunk in chunks for word in chunk.words]
    length = sum(len(chunk.pcm) for chunk in chunks)
    assert words
    end = spoken_end = 0
    for word in words:
        assert end <= word.start < word.end <= length
        assert spoken_end <= word.spoken_start < word.spoken_end <= len(text)
        end, spoken_end = word.end, word.spoken_end


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello there, friend.", ["Hello", "there,", "friend."]),
        ("It costs $3.50 now", ["It", "costs", "$3.50", "now"]),
        ("Dr. Smith is 98.6% sure.", ["Dr.", "Smith", "is", "98.6%", "sure."]),
        ("In 1999 we met.", ["In", "1999", "we", "met."]),
        ("a well-known “fact”", ["a", "well-known", "“fact”"]),
        ("I don't, you can't.", ["I", "don't,", "you", "can't."]),
        ("Yes — and no", ["Yes", "and", "no"]),
        ("At 5:30 p.m. he left", ["At", "5:30", "p.m.", "he", "left"]),
        ("50 km away", ["50", "km", "away"]),
    ],
)
def test_each_word_is_that_of_the_source(
    synthesizer: EmbeddedSynthesizer, text: str, words: list[str]
) -> None:
    assert said(synthesizer, text) == words


def test_words_are_heard_when_their_timings_say(synthesizer: EmbeddedSynthesizer) -> None:
    """Each word is loud in its time, and before the first nothing is (to 100 ms: the network smears)."""
    pcm = sound(synthesizer, SENTENCE)
    words = [word for chunk in chunks_of(synthesizer, SENTENCE) for word in chunk.words]
    assert len(words) == 9
    for word in words:
        assert np.max(np.abs(pcm[word.start : word.end])) > 0.05
    loud, _ = audible_range(pcm)
    assert abs(loud - words[0].start) < 0.1 * SAMPLE_RATE


def test_the_silence_around_a_sentence_is_not_made(synthesizer: EmbeddedSynthesizer) -> None:
    (first, *_), pcm = chunks_of(synthesizer, SENTENCE), sound(synthesizer, SENTENCE)
    last = [word for chunk in chunks_of(synthesizer, SENTENCE) for word in chunk.words][-1]
    assert first.words[0].start <= 0.125 * SAMPLE_RATE
    assert len(pcm) - last.end <= 0.25 * SAMPLE_RATE


@BOTH_WAYS
@pytest.mark.parametrize("text", ["", " ", "今日は良い天気です。", "😀🎉", "مرحبا", "...", "“—”", "?!", "\n"])
def test_what_it_cannot_say_gives_one_empty_chunk(
    synthesizer: EmbeddedSynthesizer, text: str, normalized: bool
) -> None:
    (chunk,) = chunks_of(synthesizer, text, normalized=normalized)
    assert len(chunk.pcm) == 0 and chunk.words == () and chunk.last_of_segment
    assert chunk.segment == 2


@BOTH_WAYS
@pytest.mark.parametrize("text", ["x" * 5000, "antidisestablishment" * 250], ids=["x", "word"])
def test_a_word_without_end_is_spoken_in_bounded_runs(
    synthesizer: EmbeddedSynthesizer, text: str, normalized: bool
) -> None:
    runs = synthesizer._runs(replace(written(text), normalized=normalized))
    assert runs and all(len(run.ids) <= 402 for run in runs)
    assert {source for run in runs for source, _, _ in run.words} == {(0, 5000)}


@BOTH_WAYS
def test_text_without_space_is_cut_into_runs(synthesizer: EmbeddedSynthesizer, normalized: bool) -> None:
    runs = synthesizer._runs(replace(written("a." * 2500), normalized=normalized))
    assert len(runs) > 1 and all(len(run.ids) <= 402 for run in runs)


def test_the_first_of_many_runs_comes_before_the_rest(synthesizer: EmbeddedSynthesizer) -> None:
    text = "wonderful " * 60
    piece = TextPiece(0, text, (0, len(text)), (), "en")
    sound = synthesizer.synthesize(piece, Open(1, "heart", "en"), NeverCancelled())
    first = next(sound)
    assert len(first.words) < 60 and not first.last_of_segment
    rest = list(sound)
    words = [word for chunk in [first, *rest] for word in chunk.words]
    assert [text[word.spoken_start : word.spoken_end] for word in words] == ["wonderful"] * 60
    assert [word.start for word in words] == sorted(word.start for word in words)
    assert [chunk.last_of_segment for chunk in rest].index(True) == len(rest) - 1


@BOTH_WAYS
@pytest.mark.parametrize("text", ["9" * 400, "-" + "1" * 400, "$" + "7" * 400 + ".50", "3." + "1" * 400])
def test_numbers_without_end_are_spoken(
    synthesizer: EmbeddedSynthesizer, text: str, normalized: bool
) -> None:
    runs = synthesizer._runs(replace(written(text), normalized=normalized))
    assert runs and all(len(run.ids) <= 402 for run in runs)


@BOTH_WAYS
@pytest.mark.parametrize("groups", [2, 6, 10, 12, 14, 30])
def test_a_number_with_separators_is_never_left_out(
    synthesizer: EmbeddedSynthesizer, groups: int, normalized: bool
) -> None:
    number = "1" + ",234" * groups
    assert number in said(synthesizer, f"It is {number} km away", normalized)


@BOTH_WAYS
def test_odd_unicode_never_raises(synthesizer: EmbeddedSynthesizer, normalized: bool) -> None:
    """Text to phonemes is where tables meet what people write; its fuzz is small, and always the same."""
    chance = random.Random(5)
    odd = "ab Z09.,[]()$%€£#@&/\\-—'’\"“*_^~½²№℃٣四あßøčŁǅﬁ\u0301\u200d\u202e\ufeff\ufffd😀\0\x1b\n\t"
    for _ in range(400):
        text = "".join(chance.choice(odd) for _ in range(chance.randrange(1, 30)))
        for run in synthesizer._runs(replace(written(text), normalized=normalized)):
            assert run.words and len(run.ids) <= 402
            assert all(0 <= start < end <= len(text) for (start, end), _, _ in run.words)


@BOTH_WAYS
def test_any_character_beside_a_word_leaves_the_word_spoken(
    synthesizer: EmbeddedSynthesizer, normalized: bool
) -> None:
    for character in "½²№℃٣四あßøčŁǅﬁ\u0301\u200d\u202e\ufeff\ufffd😀\x1b€£¥#@&/\\^~":
        assert "word" in said(synthesizer, f"a {character} word", normalized)


@pytest.mark.parametrize("asked", [0, 1, 2, 3, 4])
def test_a_cancel_stops_between_blocks(synthesizer: EmbeddedSynthesizer, asked: int) -> None:
    """It is asked before and after each run and after each block; what was made by then is all there is."""
    text = "A sentence that is long enough to have many blocks of sound, one after the other. " * 3
    piece = TextPiece(0, text, (0, len(text)), (), "en")
    chunks = list(synthesizer.synthesize(piece, Open(1, "heart", "en"), After(asked)))
    assert len(chunks) == max(0, asked - 2)
    assert not any(chunk.last_of_segment for chunk in chunks)


def test_a_cancel_breaks_the_network_off_and_nothing_else(
    synthesizer: EmbeddedSynthesizer, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing is said of it, and the next run is as good as ever; what fails by itself does so aloud."""
    before = sound(synthesizer, SENTENCE, 1)
    cancellation = ByHand()
    session = BrokenOff(synthesizer._session, cancellation.cancel)
    with monkeypatch.context() as patch:
        patch.setattr(synthesizer, "_session", session)
        request = Open(1, "heart", "en")
        assert list(synthesizer.synthesize(written(SENTENCE), request, cancellation)) == []
    assert session.runs == ["broken off"]
    assert cancellation.told == [] and capfd.readouterr() == ("", "")
    assert np.array_equal(sound(synthesizer, SENTENCE, 1), before)
    with pytest.raises(Exception, match=r"ids.*missing"):
        run_network(synthesizer._session, {}, NeverCancelled())


def test_the_voice_is_in_the_package(synthesizer: EmbeddedSynthesizer) -> None:
    from hibari.voices import voice_path

    assert Path(voice_path("heart", download_missing=False)).is_file()
    assert synthesizer.capabilities.sample_rate == SAMPLE_RATE
    assert synthesizer.capabilities.voices == ("heart",)
