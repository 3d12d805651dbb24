"""The optional Japanese voice: words as they are read and written, a voice of the right pitch, no waiting."""

# Letters of other alphabets are what this is about.
# ruff: noqa: RUF001

from __future__ import annotations

import random

import numpy as np
import pytest

from realtime.engines import japanese
from realtime.engines.engine import Open
from realtime.engines.japanese import SAMPLE_RATE, JapaneseSynthesizer
from realtime.engines.japanese_text import JapaneseReader
from realtime.engines.synthesizer import NeverCancelled
from realtime.errors import EngineError
from realtime.types import Pcm, TextPiece
from tests.engines.cancelling import BrokenOff, ByHand
from tests.engines.speaking import Speech, Spoken, active_level, check_words

#: Level of the English voice, by the same measure; see `active_level`.
ENGLISH_LEVEL = -25.2
SENTENCE = "私は昨日、2人で東京へ行きました。"
WORDS = ["私", "は", "昨日", "2人", "で", "東京", "へ", "行き", "ました"]
MORAE = 20


@pytest.fixture(scope="module")
def synthesizer() -> JapaneseSynthesizer:
    synthesizer = JapaneseSynthesizer()
    synthesizer.load()
    return synthesizer


@pytest.fixture(scope="module")
def reader() -> JapaneseReader:
    return JapaneseReader()


def speak(synthesizer: JapaneseSynthesizer, text: str, voice: str = "kokoro-ja") -> Spoken:
    piece = TextPiece(2, text, (0, len(text)), (), "ja")
    return Spoken(text, tuple(synthesizer.synthesize(piece, Open(1, voice, "ja"), NeverCancelled())), None)


@pytest.fixture(scope="module")
def spoken(synthesizer: JapaneseSynthesizer) -> dict[str, Spoken]:
    """The sentence by both voices."""
    return {voice: speak(synthesizer, SENTENCE, voice) for voice in japanese.VOICES}


def pitch_hz(pcm: Pcm) -> float:
    """Median pitch of the voiced parts, between 60 and 400 Hz, by autocorrelation of 40 ms."""
    size = SAMPLE_RATE // 25
    pitches = []
    for start in range(0, len(pcm) - 2 * size, size // 2):
        frame = pcm[start : start + 2 * size].astype(np.float64)
        if np.sqrt((frame**2).mean()) < 0.03:
            continue
        energy = np.fft.irfft(np.abs(np.fft.rfft(frame - frame.mean(), 4 * size)) ** 2)
        lags = energy[SAMPLE_RATE // 400 : SAMPLE_RATE // 60] / energy[0]
        if lags.max() > 0.5:
            pitches.append(SAMPLE_RATE / (SAMPLE_RATE // 400 + int(lags.argmax())))
    return float(np.median(pitches))


@pytest.mark.parametrize("voice", japanese.VOICES)
def test_a_sentence_has_its_length_level_and_words(voice: str, spoken: dict[str, Spoken]) -> None:
    said = spoken[voice]
    check_words(said)
    assert said.said == WORDS
    assert not said.estimated
    assert 0.1 * MORAE < len(said.pcm) / SAMPLE_RATE < 0.25 * MORAE
    assert abs(active_level(said.pcm, SAMPLE_RATE) - ENGLISH_LEVEL) < 3
    assert np.abs(said.pcm).max() < 0.9
    assert {(chunk.segment, chunk.sample_rate) for chunk in said.chunks} == {(2, SAMPLE_RATE)}


@pytest.mark.parametrize("voice", japanese.VOICES)
def test_words_are_heard_when_their_timings_say(voice: str, spoken: dict[str, Spoken]) -> None:
    pcm, words = spoken[voice].pcm, spoken[voice].words
    for word in words:
        assert np.abs(pcm[word.start : word.end]).max() > 0.02
    assert words[0].start <= 0.1 * SAMPLE_RATE, "the silence before a sentence is left out"
    assert len(pcm) - words[-1].end <= 0.1 * SAMPLE_RATE, "and that after it"
    pause = pcm[words[2].end : words[3].start]
    assert len(pause) > 0.05 * SAMPLE_RATE, "the comma after 昨日"
    assert np.abs(pause[len(pause) // 4 : -len(pause) // 4]).max() < 0.02


def test_one_voice_is_a_womans_and_the_other_a_mans(spoken: dict[str, Spoken]) -> None:
    assert 170 < pitch_hz(spoken["kokoro-ja"].pcm) < 350
    assert 70 < pitch_hz(spoken["kokoro-ja-male"].pcm) < 170


def test_the_same_text_is_the_same_sound(synthesizer: JapaneseSynthesizer, spoken: dict[str, Spoken]) -> None:
    again = speak(synthesizer, SENTENCE)
    assert np.array_equal(again.pcm, spoken["kokoro-ja"].pcm)
    assert again.words == spoken["kokoro-ja"].words


def test_a_long_text_comes_in_runs(synthesizer: JapaneseSynthesizer) -> None:
    said = speak(synthesizer, "はい。東京です。" + "学校で日本語を読みながら、" * 2 + "休みます。")
    assert len(said.chunks) >= 3
    check_words(said)
    assert said.said[:3] == ["はい", "東京", "です"]
    assert said.said.count("学校") == 2 and said.said[-1] == "ます"


@pytest.mark.parametrize("text", ["", " ", "。、…", "😀", "\n", "“—”", "한국어"])
def test_nothing_to_say_gives_one_empty_chunk(synthesizer: JapaneseSynthesizer, text: str) -> None:
    (chunk,) = speak(synthesizer, text).chunks
    assert len(chunk.pcm) == 0 and chunk.words == () and chunk.last_of_segment


def test_a_cancel_breaks_the_network_off(
    synthesizer: JapaneseSynthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancellation = ByHand()
    session = BrokenOff(synthesizer._session, cancellation.cancel)
    piece = TextPiece(0, SENTENCE * 3, (0, len(SENTENCE) * 3), (), "ja")
    with monkeypatch.context() as patch:
        patch.setattr(synthesizer, "_session", session)
        assert list(synthesizer.synthesize(piece, Open(1, "kokoro-ja", "ja"), cancellation)) == []
    assert session.runs == ["broken off"]
    assert speak(synthesizer, SENTENCE).said == WORDS


def test_an_unknown_voice_is_named(synthesizer: JapaneseSynthesizer) -> None:
    piece = TextPiece(0, "はい", (0, 2), (), "ja")
    with pytest.raises(EngineError, match='there is no voice "heart"'):
        next(synthesizer.synthesize(piece, Open(1, "heart", "ja"), NeverCancelled()))


def test_without_the_packages_the_start_names_the_extra() -> None:
    reason = r'pip install "realtime-voice\[japanese\]"'
    factory = "tests.engines.speaking:make_without_japanese"
    with pytest.raises(EngineError, match=reason), Speech(factory):
        pass


def read(reader: JapaneseReader, text: str) -> list[tuple[str, str]]:
    """Written words and their phonemes."""
    words: list[tuple[tuple[int, int], str]] = []
    for phoneme in reader.read(text):
        if phoneme.word is None:
            continue
        if words and words[-1][0] == phoneme.word:
            words[-1] = (phoneme.word, words[-1][1] + phoneme.symbol)
        else:
            words.append((phoneme.word, phoneme.symbol))
    return [(text[start:end], symbols) for (start, end), symbols in words]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("今日は", [("今日", "kʲoː"), ("は", "βa")]),
        ("学校へ。", [("学校", "ɡaʔkoː"), ("へ", "e"), ("。", ".")]),
        ("1,200円", [("1,200", "seɴɲiçakɯ"), ("円", "eɴ")]),
        ("５月3日", [("５月", "ɡoɡaʦɨ"), ("3日", "mʲiʔka")]),
        ("3.5本", [("3", "saɴ"), (".", "teɴ"), ("5", "ɡo"), ("本", "hoɴ")]),
        ("10〜20", [("10", "ʥɨː"), ("〜", "kaɾa"), ("20", "ɲiʥɨː")]),
        ("ｶﾞｷﾞ ＡＰＩ", [("ｶﾞｷﾞ", "ɡaɡʲi"), ("ＡＰＩ", "eːpʲiːai")]),
        ("Hello 5", [("Hello", "haɾoː"), ("5", "ɡo")]),
        ("a\0b\u200d", [("a", "ei"), ("b", "bʲiː")]),
        ("", []),
    ],
)
def test_words_as_they_are_read(text: str, words: list[tuple[str, str]], reader: JapaneseReader) -> None:
    assert read(reader, text) == words


def test_odd_texts_are_read(reader: JapaneseReader) -> None:
    chance = random.Random(4)
    usual = "今日学校三々〇あがっゃんーアｶﾞ。、！？「」abZ0129０，．,.()¥%-〜年月日円"
    for number in range(300):
        odd = number % 3 == 0
        letters = [
            chr(chance.randrange(*chance.choice([(0, 0x250), (0x2000, 0xD800), (0xE000, 0x20000)])))
            if odd
            else chance.choice(usual)
            for _ in range(chance.randrange(1, 25))
        ]
        text = "".join(letters)
        for phoneme in reader.read(text):
            if phoneme.word is not None:
                start, end = phoneme.word
                assert 0 <= start < end <= len(text) and text[start:end].strip() == text[start:end]


@pytest.mark.parametrize("text", ["あ" * 400, "学校で、" * 150, "東京都" * 200, "1" * 300])
def test_runs_are_bounded(text: str, synthesizer: JapaneseSynthesizer) -> None:
    runs = list(synthesizer._runs(text))
    assert runs and all(len(run.ids) <= 130 for run in runs)
    if "、" in text:
        assert all(len(run.ids) <= 66 for run in runs)
        starts = [start for run in runs for (start, _), _, _ in run.words]
        assert starts == sorted(starts) and len(starts) == 2 * 150
