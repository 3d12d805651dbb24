"""espeak-ng: nine languages that sound like themselves, words as written, and nothing that breaks it."""

# Letters of other alphabets are what this is about.
# ruff: noqa: RUF001, RUF003

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import psutil
import pytest

from realtime.engines.engine import Cancel
from realtime.engines.espeak import VOICES
from realtime.engines.espeak_library import SAMPLE_RATE, WordEvent
from realtime.engines.espeak_text import MAX_CHARACTERS, readable, runs_of
from realtime.engines.espeak_words import time_words
from realtime.engines.process import ProcessEngine
from realtime.errors import EngineError
from tests.engines.speaking import Speech, active_level, check_words

FACTORY = "realtime.engines.espeak:make"
#: Level of the English voice, by the same measure; see `active_level`.
ENGLISH_LEVEL = -25.2


@dataclass(frozen=True)
class Sample:
    """A sentence of a language: its syllables, what its phonemes must hold, and what its words are."""

    text: str
    syllables: int
    sounds: tuple[str, ...]
    words: tuple[str, ...]


def spaced(text: str, syllables: int, *sounds: str) -> Sample:
    return Sample(text, syllables, sounds, tuple(text.split()))


SAMPLES = {
    # Ich-Laut and Ach-Laut, rounded vowels.
    "espeak-de": spaced("Ich möchte auch über die Brücke nach Köln.", 12, "ç", "x", "œ", "yː", "ʏ"),
    # Nasal vowels, the uvular r, u as in "rue".
    "espeak-fr": spaced("Un bon vin blanc dans la rue, s'il vous plaît.", 11, "œ̃", "ɔ̃", "ɛ̃", "ɑ̃", "ʁ", "y"),
    # θ of Castile, ɲ, r of "perro" and ɾ of "pero".
    "espeak-es": spaced(
        "El perro del señor come cinco manzanas, pero no lluvia.", 17, "θ", "ɲ", "er", "eɾ", "ʎ"
    ),
    # ʎ and ɲ, long consonants.
    "espeak-it": spaced("La famiglia mangia gnocchi e pizza con la mamma.", 16, "ʎ", "ɲ", "kː", "tsː"),
    # Nasal diphthongs, ʃ and ʒ at the end of plurals.
    "espeak-pt": spaced("As mães não são de Lisboa, mas têm razão.", 12, "ɐ̃j", "ɐ̃ʊ̃", "ʃ", "ʒ"),
    # Palatalised consonants, the hard y.
    "espeak-ru": spaced("Мы любим тебя, и жена сидит дома.", 13, "bʲ", "tʲ", "sʲ", "ʒ", "y"),
    # Tones as numbers, palatal and retroflex affricates.
    "espeak-zh": Sample(
        "你好，今天我们去中国公园。",
        11,
        ("i2", "i5n", "uoɜ", "tɕ", "ts."),
        tuple("你好 今 天 我 们 去 中 国 公 园".split()),
    ),
    # ɯ and ʌ, the aspirated tʃ.
    "espeak-ko": spaced("안녕하세요, 오늘 서울은 춥습니다.", 14, "ɯ", "ʌ", "tʃh", "ŋ"),
    # The compressed u, ɕ and tɕ.
    "espeak-ja": Sample(
        "わたしは まいにち よみます。", 12, ("ɯᵝ", "ɕ", "tɕ", "ä"), tuple("わたしはまいにちよみます")
    ),
}


@pytest.fixture(scope="module")
def speech() -> Iterator[Speech]:
    with Speech(FACTORY) as speech:
        yield speech


@pytest.fixture(scope="module")
def read_aloud() -> dict[str, dict[str, str]]:
    """For each voice's sentence how each voice reads it; by a process of its own, as it loads the library."""
    code = (
        "import json, sys; from realtime.engines.espeak_library import phonemes\n"
        "texts, voices = json.load(sys.stdin)\n"
        "read = lambda text: {id: phonemes(text, voice) for id, voice in voices.items()}\n"
        "json.dump({id: read(text) for id, text in texts.items()}, sys.stdout)"
    )
    texts = {voice: readable(sample.text, voice[-2:]).text for voice, sample in SAMPLES.items()}
    asked = json.dumps([texts, {voice: each.file for voice, each in VOICES.items()}])
    env = os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=asked, capture_output=True, check=True, encoding="utf-8", env=env)
    answer: dict[str, dict[str, str]] = json.loads(done.stdout)
    return answer


def test_a_sample_for_every_voice() -> None:
    assert set(SAMPLES) == set(VOICES)
    assert len({voice.language for voice in VOICES.values()}) == 9


@pytest.mark.parametrize("voice", SAMPLES)
def test_phonemes_are_those_of_the_language(voice: str, read_aloud: dict[str, dict[str, str]]) -> None:
    own = read_aloud[voice][voice]
    assert [sound for sound in SAMPLES[voice].sounds if sound not in own] == [], own
    for other, reading in read_aloud[voice].items():
        if other != voice:
            lacks_one = any(sound not in reading for sound in SAMPLES[voice].sounds)
            assert lacks_one or "(ko)" in reading, "Hangul is read by the Korean voice for every other one"


@pytest.mark.parametrize("voice", SAMPLES)
def test_a_sentence_has_its_length_level_and_words(voice: str, speech: Speech) -> None:
    sample = SAMPLES[voice]
    spoken = speech.say_one(voice, sample.text)
    seconds = len(spoken.pcm) / SAMPLE_RATE
    assert 0.09 * sample.syllables < seconds < 0.42 * sample.syllables
    assert abs(active_level(spoken.pcm, SAMPLE_RATE) - ENGLISH_LEVEL) < 3
    assert 0.1 < np.abs(spoken.pcm).max() < 0.9
    check_words(spoken)
    assert spoken.said == list(sample.words)
    assert {chunk.sample_rate for chunk in spoken.chunks} == {SAMPLE_RATE}
    assert spoken.words[0].start < 0.1 * SAMPLE_RATE
    assert len(spoken.pcm) - spoken.words[-1].end < 0.1 * SAMPLE_RATE
    for word in spoken.words:
        assert np.abs(spoken.pcm[word.start : word.end]).max() > 0.02


@pytest.mark.parametrize(
    ("voice", "text", "words"),
    [
        ("de", "Das kostet 3,50 Euro (z.B. heute)!", ["Das", "kostet", "3,50", "Euro", "(z.B.", "heute)!"]),
        ("de", "d.h. Dr. Müller, Nr. 5 usw.", ["d.h.", "Dr.", "Müller,", "Nr.", "5", "usw."]),
        ("de", "C. Test am 3.5.2024, 10:30 Uhr", ["C.", "Test", "am", "3.5.2024,", "10:30", "Uhr"]),
        ("de", "25 % — 5 € … km/h & Co", ["25", "%", "5", "€", "km/h", "&", "Co"]),
        ("de", "„Ich weiß's“, »so« – dann", ["„Ich", "weiß's“,", "»so«", "dann"]),
        ("de", "Donau-Dampfer 1.234.567", ["Donau-Dampfer", "1.234.567"]),
        ("de", "a < b <b>fett</b> [[Haus]]", ["a", "b", "<b>fett</b>", "[[Haus]]"]),
        ("de", "𝒳 Welt wort\u00adtrennung e\u0301", ["𝒳", "Welt", "wort\u00adtrennung", "e\u0301"]),
        ("de", "eins\n\nzwei\tdrei\r\nvier", ["eins", "zwei", "drei", "vier"]),
        ("de", "in dem es ist zu viel", ["in", "dem", "es", "ist", "zu", "viel"]),
        ("fr", "L’homme a dit : « aujourd'hui »", ["L’homme", "a", "dit", "aujourd'hui"]),
        ("fr", "il y a 1 200,50 € à 15h30", ["il", "y", "a", "1", "200,50", "€", "à", "15h30"]),
        ("es", "¿Qué hora es? ¡Adiós!", ["¿Qué", "hora", "es?", "¡Adiós!"]),
        ("it", "dell'acqua, c'è un'amica", ["dell'acqua,", "c'è", "un'amica"]),
        ("pt", "não-sei d'água", ["não-sei", "d'água"]),
        ("ru", "В 2024 году т.е. США: «Да».", ["В", "2024", "году", "т.е.", "США:", "«Да»."]),
        ("ko", "오늘 날씨가 3시에", ["오늘", "날씨가", "3시에"]),
        ("zh", "2024年5月3日，25%。", ["2024", "年", "5", "月", "3", "日", "25%"]),
        ("zh", "重要的行长Hello 3.5元", ["重", "要", "的", "行长", "Hello", "3.5", "元"]),
        ("ja", "きょうはOKです、3つ。", ["きょ", "う", "は", "OK", "で", "す", "3", "つ"]),
        ("ja", "ｶﾞｷﾞ んー", ["ｶﾞ", "ｷﾞ", "ん", "ー"]),
    ],
)
def test_words_are_those_that_are_written(voice: str, text: str, words: list[str], speech: Speech) -> None:
    spoken = speech.say_one(f"espeak-{voice}", text)
    check_words(spoken)
    assert spoken.said == words


@pytest.mark.parametrize(
    ("voice", "text", "estimated"),
    [
        ("de", "Guten Tag, wie geht es Ihnen?", False),
        ("zh", "2024年5月3日我们去公园。", False),
        ("ko", "안녕하세요.", False),
        ("ko", "오늘 날씨가", True),  # said as one word
        ("ja", "わたし", True),  # morae share the time of their word
    ],
)
def test_what_the_engine_does_not_tell_is_called_an_estimate(
    voice: str, text: str, estimated: bool, speech: Speech
) -> None:
    assert speech.say_one(f"espeak-{voice}", text).estimated is estimated


def test_pauses_are_not_part_of_words(speech: Speech) -> None:
    spoken = speech.say_one("espeak-de", "Hallo Welt, heute. Morgen")
    hello, world, today, tomorrow = spoken.words
    assert world.start - hello.end < 0.01 * SAMPLE_RATE
    assert today.start - world.end > 0.1 * SAMPLE_RATE
    assert tomorrow.start - today.end > 0.25 * SAMPLE_RATE
    assert np.abs(spoken.pcm[today.end : tomorrow.start]).max() < 0.006


def test_the_same_text_is_the_same_sound_whatever_was_said_before(speech: Speech) -> None:
    texts = [(voice, sample.text) for voice, sample in SAMPLES.items()]
    texts += [("espeak-de", "Mail an max@mail.de"), ("espeak-ru", "Hello мир"), ("espeak-zh", "用iPhone")]
    first = {each: speech.say_one(*each) for each in texts}
    chance = random.Random(1)
    for _ in range(2):
        chance.shuffle(texts)
        for each in texts:
            again = speech.say_one(*each)
            assert np.array_equal(again.pcm, first[each].pcm), each
            assert again.words == first[each].words
    with Speech(FACTORY) as other:
        assert np.array_equal(other.say_one(*texts[0]).pcm, first[texts[0]].pcm)


def test_other_voices_sound_different(speech: Speech) -> None:
    sounds = [speech.say_one(voice, "Pizza 3").pcm.tobytes() for voice in VOICES]
    assert len(set(sounds)) == len(VOICES)


def test_commands_of_the_engine_are_text(speech: Speech) -> None:
    """0x01 and a number with a letter would set the pitch, and "99P" would not be heard."""
    command = "Guten Tag \x0199P Welt"
    spoken, plain = speech.say("espeak-de", command, command.replace("\x01", " "))
    assert np.array_equal(spoken.pcm, plain.pcm)
    assert spoken.said == ["Guten", "Tag", "99P", "Welt"]


@pytest.mark.parametrize("text", ["", " ", "...", "—", "?!", "\n\n", "😀🎉", "\0\x01", "%", "\u200d\ufe0f"])
@pytest.mark.parametrize("voice", ["espeak-de", "espeak-zh"])
def test_nothing_to_say_gives_one_empty_chunk(voice: str, text: str, speech: Speech) -> None:
    (chunk,) = speech.say_one(voice, text).chunks
    assert len(chunk.pcm) == 0 and chunk.words == () and chunk.last_of_segment


@pytest.mark.parametrize("text", ["今日は", "あいう漢", "時々", "𠮷"])
def test_kanji_need_the_other_voice(text: str, speech: Speech) -> None:
    spoken = speech.say_one("espeak-ja", text)
    assert spoken.chunks == ()
    assert spoken.failure is not None
    assert 'pip install "realtime-voice[japanese]"' in spoken.failure and '"kokoro-ja"' in spoken.failure
    assert speech.say_one("espeak-ja", "あいう").failure is None


def test_an_unknown_voice_is_named(speech: Speech) -> None:
    assert speech.say_one("espeak-xx", "Hallo").failure == 'there is no voice "espeak-xx"'


def test_a_text_of_32_kib_comes_run_by_run_in_bounded_memory(speech: Speech) -> None:
    # Its sound is 200 MB.
    sentence = "Die Sonne scheint, und 25 Vögel singen im Garten. "
    text = sentence * (32 * 1024 // len(sentence.encode()))
    spoken = speech.say_one("espeak-de", text)
    check_words(spoken)
    assert spoken.said == text.split()
    assert len(spoken.chunks) > len(text) / MAX_CHARACTERS
    assert max(len(chunk.pcm) for chunk in spoken.chunks) < 60 * SAMPLE_RATE
    assert sum(process.memory_info().rss for process in psutil.Process().children()) < 150e6


def test_a_cancel_stops_a_long_text(speech: Speech) -> None:
    def cancel(utterance: int, engine: ProcessEngine) -> None:
        engine.send(Cancel(utterance))

    text = "Die Sonne scheint, und die Vögel singen. " * 1500
    spoken = speech.interrupt("espeak-de", text, cancel)
    assert spoken.failure is None
    assert not any(chunk.last_of_segment for chunk in spoken.chunks)
    assert speech.say_one("espeak-de", "Hallo").said == ["Hallo"]


def test_a_process_killed_in_mid_sentence_costs_that_utterance() -> None:
    others = set(psutil.Process().children())

    def kill(utterance: int, engine: ProcessEngine) -> None:
        (child,) = set(psutil.Process().children()) - others
        child.send_signal(signal.SIGKILL)

    with Speech(FACTORY) as speech:
        spoken = speech.interrupt("espeak-de", "Die Sonne scheint, und die Vögel singen. " * 1500, kill)
        assert spoken.failure == "the voice engine stopped working and is being restarted"
        assert not any(chunk.last_of_segment for chunk in spoken.chunks)
        assert speech.say_one("espeak-fr", "Bonjour").said == ["Bonjour"]
        assert speech.engine.restarts == 1


@pytest.mark.parametrize("text", ["KRACH hier", "HALT hier"])
def test_a_text_on_which_the_library_fails_costs_that_text_alone(text: str) -> None:
    with Speech("tests.engines.speaking:make_faulty") as speech:
        spoken = speech.say_one("espeak-de", text)
        assert spoken.failure == "espeak-ng stopped working on this text" and spoken.chunks == ()
        assert speech.say_one("espeak-de", "Guten Tag").said == ["Guten", "Tag"]
        assert speech.engine.restarts == 0


def test_what_speaks_holds_none_of_the_engines_connections() -> None:
    """Else nobody would see that the engine's process is gone while a text is still being spoken."""
    with Speech("tests.engines.speaking:make_faulty") as speech:
        standard, pipe, listing = 3, 1, 1
        assert speech.say_one("espeak-de", "OFFEN").failure == str(standard + pipe + listing)


def test_the_library_is_in_no_process_that_lives_on(speech: Speech) -> None:
    speech.say_one("espeak-de", "Hallo")
    (child,) = psutil.Process().children()
    assert child.children() == [], "what spoke is gone"
    for process in (child, psutil.Process()):
        assert not any("espeak" in part.path for part in process.memory_maps())


def test_missing_data_stops_the_start_with_a_reason() -> None:
    reason = "espeak-ng does not start with its data in /nowhere"
    with pytest.raises(EngineError, match=reason), Speech("tests.engines.speaking:make_without_data"):
        pass


LETTERS = {
    "de": "abcdefghijklmnopqrstuvwxyzäöüßÄ",
    "fr": "abcdeéèêàçùœîÉ’'",
    "es": "abcnñáéíóú¿¡",
    "it": "abcdeàèéìòù'",
    "pt": "abcãõáéçâ",
    "ru": "абвгдежзийклмнопрстуфхцчшщъыьэюяё",
    "zh": "你好今天我们去公园在的了是不行长重",
    "ko": "안녕하세요오늘날씨가좋습니다ㅋㅠ",
    "ja": "あいうえおかきくけこがっゃゅょんーアイウプはへﾊﾞ",
}
MARKS = " .,;:!?…-–—'\"“”„«»()[]{}<>/\\|@#$%&*+=~^_°§€0123456789\n\t、。，！？「」"


def odd_text(chance: random.Random, letters: str) -> str:
    def anything() -> str:
        ranges = [
            (0x20, 0x250),
            (1, 0xD800),
            (0x2000, 0x2C00),
            (0xE000, 0x110000),
            (0x1F000, 0x1FB00),
            (0, 32),
        ]
        return chr(chance.randrange(*chance.choice(ranges)))

    kind = chance.randrange(4)
    length = chance.choice([1, 2, 8, 30, 120])
    if kind == 0:
        return "".join(anything() for _ in range(min(30, length)))
    if kind == 1:
        return "".join(chance.choice(letters) for _ in range(length))
    if kind == 2:
        return "".join(chance.choice(letters + MARKS) for _ in range(length))
    return " ".join(
        "".join(chance.choices(letters, k=chance.randrange(1, 9))) for _ in range(length // 4 + 1)
    )


@pytest.mark.parametrize("voice", SAMPLES)
def test_odd_texts_are_spoken_and_no_letter_is_lost(voice: str, speech: Speech) -> None:
    """A small part of a fuzz that was run over 2,000 texts for each voice; always the same one."""
    chance = random.Random(voice)
    for spoken in speech.say(voice, *(odd_text(chance, LETTERS[voice[-2:]]) for _ in range(60))):
        if spoken.failure is not None:
            assert voice == "espeak-ja" and "reads kana only" in spoken.failure
            continue
        check_words(spoken)
        if len(spoken.pcm):
            covered = {at for word in spoken.words for at in range(word.spoken_start, word.spoken_end)}
            lost = [letter for at, letter in enumerate(spoken.text) if letter.isalnum() and at not in covered]
            assert lost == [], spoken.text
            assert np.abs(spoken.pcm).max() < 1
    assert speech.engine.restarts == 0


def test_runs_are_cut_where_a_reader_would_pause() -> None:
    text = "Ein Satz. Noch einer, mit Komma " + "wort " * 200
    runs = runs_of(text)
    assert text[slice(*runs[0])].endswith("Satz. ")
    assert all(0 < end - start <= MAX_CHARACTERS for start, end in runs)
    assert "".join(text[start:end] for start, end in runs) == text
    assert runs_of("x" * 1200) == [(0, 500), (500, 1000), (1000, 1200)]
    assert runs_of("") == [(0, 0)]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("こんにちは", "こんにちわ"),
        ("がっこうへ いく", "がっこうえ いく"),
        ("わたし は いく", "わたし わ いく"),
        ("はは", "はは"),
        ("はな、へや", "はな、へや"),
        ("んー", "んん"),
        ("Tシャツ 5Gの ＡＢＣです", "T シャツ 5 G の ABC です"),
    ],
)
def test_japanese_is_written_as_it_is_said(written: str, said: str) -> None:
    read = readable(written, "ja")
    assert read.text == said
    assert len(read.positions) == len(read.text)
    assert all(0 <= position < len(written) for position in read.positions)


def test_positions_of_what_is_read_are_those_of_what_was_written() -> None:
    read = readable("a\u00adb\x01c\ud800d", "de")
    assert read.text == "ab cd"
    assert read.positions == (0, 2, 3, 4, 6)
    assert read.written(0, 2) == (0, 3)


def test_events_become_words() -> None:
    """Five seconds of noise with a silent fifth one, in which events of a clause lie."""
    pcm = np.concatenate([np.full(4000, 0.1, np.float32), np.zeros(1000, np.float32)])
    events = [WordEvent(0, 0), WordEvent(4, 1000), WordEvent(4, 1500), WordEvent(9, 2000)]
    words, estimated = time_words("one 2,5 , x y", events, pcm, "spaced")
    assert [(word.spoken_start, word.spoken_end, word.start, word.end) for word in words] == [
        (0, 3, 0, 1000),
        (4, 7, 1000, 2000),
        (10, 11, 2000, 3000),
        (12, 13, 3000, 4000),
    ]
    assert estimated, "x and y share what is one word to the engine"
    assert time_words("one", [WordEvent(0, 0)], pcm, "spaced")[1] is False
    assert time_words("", [], pcm, "spaced") == ([], False)
    assert time_words("...", [], pcm, "spaced") == ([], False)
