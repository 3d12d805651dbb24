"""Ten languages through the WebSocket, each checked by what can check it.

English by a recogniser. No recogniser here knows the others: of them the voice, the length, the loudness and
the words are checked, that the phonemes are those of the language, and that these are what sounds.
"""

# ruff: noqa: RUF001 - phonemes are written in IPA

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from realtime.app import running
from realtime.audio.resample import Resampler
from realtime.config import Config
from realtime.engines.engine import Open
from realtime.engines.espeak import VOICES, EspeakSynthesizer
from realtime.engines.synthesizer import NeverCancelled
from realtime.types import TextPiece
from realtime.voices import catalogue
from tests.speech_judges import transcribe, word_error_rate
from tests.wire_client import Sound, decode, open_client

RATE = 24_000
ENGLISH = "Good morning, I would like to take the train to the city today."


@dataclass(frozen=True, slots=True)
class Sample:
    """A sentence, its syllables, and phonemes (IPA) that tell the language from the others."""

    language: str
    text: str
    syllables: int
    phonemes: tuple[str, ...]


SAMPLES = (
    Sample("de", "Guten Tag, ich möchte heute nach München fahren.", 14, ("mˈœçtə", "hˈɔøtə", "nɑːx")),
    Sample("fr", "Bonjour, un bon vin blanc et une rue à Paris.", 12, ("bɔ̃ʒˈuʁ", "vˈɛ̃", "blˈɑ̃", "ʁˈy")),
    Sample("es", "Buenos días, el niño vive en la calle de Jerez.", 16, ("nˈiɲo", "βˈiβe", "xeɾˈeθ")),
    Sample("it", "Buongiorno, gli gnocchi sono nella pizza della nonna.", 16, ("ʎɪ", "ɲˈokːɪ", "pˈitsːa")),
    Sample("pt", "Bom dia, a manhã em São João não é fria.", 13, ("mɐ̃ɲˈɐ̃", "sɐ̃ʊ̃", "nˌɐ̃ʊ̃")),
    Sample("ru", "Добрый день, мы живём в большом городе.", 12, ("dʲˈen", "ʒyvʲˈɵm", "bʌɭʃˈom")),
    Sample("zh", "你好，今天天气很好，我们去北京。", 14, ("tɕˈi5n", "thˈiɛ5n", "pˈei2")),
    Sample("ko", "안녕하세요, 오늘은 날씨가 좋습니다.", 15, ("ˈɐnnjʌŋ", "ˈonɯɾ", "sɯpnˌidɐ")),
    Sample("ja", "こんにちは、きょうはいいてんきですね。", 17, ("nnitɕˈi", "kʲˌo", "e̞ŋki")),
)


@dataclass(frozen=True, slots=True)
class Spoken:
    """What came back for a text."""

    sound: Sound
    opened: dict[str, Any]
    words: list[dict[str, Any]]


async def _speak_all() -> dict[str, Spoken]:
    results: dict[str, Spoken] = {}
    texts = {"en": ENGLISH} | {sample.language: sample.text for sample in SAMPLES}
    async with running(Config(port=0, max_lead_ms=0)) as server, open_client(server.url) as client:
        await client.send("session.start", formats=["pcm_s16le"], timestamps="word")
        for handle, (language, text) in enumerate(texts.items(), 1):
            # Where the extra is installed, another voice is the default of Japanese.
            voice = {"voice": "espeak-ja"} if language == "ja" else {}
            await client.send("context.open", context_id=language, language=language, **voice)
            assert (await client.speak(text, language))["reason"] == "completed"
            (opened,) = (m for m in client.messages("context.opened") if m["context_id"] == language)
            words = [w for m in client.messages("words") if m["handle"] == handle for w in m["words"]]
            results[language] = Spoken(decode(client.frames(handle)), opened, words)
    return results


@pytest.fixture(scope="module")
def spoken() -> dict[str, Spoken]:
    """All sentences through one session of a real server, by language."""
    return asyncio.run(_speak_all())


def level_db(sound: Sound) -> float:
    """Root mean square of what is loud enough to be speech, in dBFS."""
    loud = sound[np.abs(sound) > 0.003]
    return float(20 * np.log10(np.sqrt(np.mean(loud**2))))


def phonemes(text: str, voice: str) -> str:
    """What espeak-ng reads in a text, in a process of its own as everywhere."""
    program = (
        "import sys; from realtime.engines.espeak_library import phonemes; "
        "sys.stdout.buffer.write(phonemes(*sys.argv[1:]).encode())"
    )
    arguments = [sys.executable, "-c", program, text, VOICES[voice].file]
    return subprocess.run(arguments, capture_output=True, check=True).stdout.decode()


def bare(text: str, voice: str, language: str) -> Sound:
    """The voice by itself, at the rate of the wire."""
    piece = TextPiece(0, text, (0, len(text)), (), language)
    chunks = list(EspeakSynthesizer().synthesize(piece, Open(0, voice, language), NeverCancelled()))
    resampler = Resampler(chunks[0].sample_rate, RATE)
    return np.concatenate([resampler.process(np.concatenate([c.pcm for c in chunks])), resampler.finish()])


def likeness(one: Sound, other: Sound) -> float:
    """The best correlation over all shifts; 1 for the same sound."""
    size = len(one) + len(other)
    product = np.fft.irfft(np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size)), size)
    return float(product.max() / (np.linalg.norm(one) * np.linalg.norm(other)))


def test_english_is_understood(spoken: dict[str, Spoken]) -> None:
    assert spoken["en"].opened["voice"] == "heart"
    assert word_error_rate([ENGLISH], [transcribe(spoken["en"].sound, RATE)]) <= 0.1


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.language)
def test_a_language(spoken: dict[str, Spoken], sample: Sample) -> None:
    result = spoken[sample.language]
    voice = f"espeak-{sample.language}"
    assert (result.opened["voice"], result.opened["language"]) == (voice, sample.language)
    per_syllable = len(result.sound) / RATE / sample.syllables
    print(f"{per_syllable:.3f} s per syllable, {level_db(result.sound):.1f} dBFS")
    assert 0.1 <= per_syllable <= 0.35
    assert abs(level_db(result.sound) - level_db(spoken["en"].sound)) <= 6
    read = phonemes(sample.text, voice)
    assert all(each in read for each in sample.phonemes), read
    assert likeness(result.sound, bare(sample.text, voice, sample.language)) > 0.95


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.language)
def test_its_words_are_those_of_the_text(spoken: dict[str, Spoken], sample: Sample) -> None:
    words = spoken[sample.language].words
    assert [word["text"] for word in words] == [sample.text[slice(*word["source"])] for word in words]
    ends = [0, *(word["source"][1] for word in words)]
    assert all(word["source"][0] >= end for word, end in zip(words, ends, strict=False))
    letters = [character for character in sample.text if character.isalpha()]
    assert [character for word in words for character in word["text"] if character.isalpha()] == letters
    if " " in sample.text:
        assert [word["text"] for word in words] == sample.text.split()
    else:
        assert len(words) >= 6 and max(len(word["text"]) for word in words) <= 4
    times = [time for word in words for time in (word["start_ms"], word["end_ms"])]
    assert times == sorted(times) and times[-1] <= len(spoken[sample.language].sound) / RATE * 1000


def test_the_checks_tell_languages_apart(spoken: dict[str, Spoken]) -> None:
    """The same letters read by another language's voice are other phonemes and another sound."""
    german, french = SAMPLES[0], SAMPLES[1]
    assert not any(each in phonemes(german.text, "espeak-fr") for each in german.phonemes)
    assert not any(each in phonemes(french.text, "espeak-de") for each in french.phonemes)
    assert likeness(spoken["de"].sound, bare(german.text, "espeak-fr", "fr")) < 0.5


async def test_kanji_for_the_voice_that_reads_kana_names_the_extra() -> None:
    async with running(Config(port=0)) as server, open_client(server.url) as client:
        await client.send("session.start", voice="espeak-ja")
        failed = await client.speak("今日は良い天気です。")
        assert failed["reason"] == "failed"
        (error,) = client.messages("error")
        assert error["code"] == "engine_failed" and "realtime-voice[japanese]" in error["message"]
        assert (await client.speak("きょうはいいてんきです。", "kana"))["reason"] == "completed"


async def test_kanji_by_the_extra() -> None:
    """The default voice of Japanese where it is installed; it is loaded while English is spoken."""
    text = "今日は良い天気です。"
    async with (
        running(Config(port=0)) as server,
        open_client(server.url) as japanese,
        open_client(server.url) as english,
    ):
        japanese.patience_s = english.patience_s = 60  # a large voice is loaded
        await japanese.send("session.start", language="ja", formats=["pcm_s16le"], timestamps="word")
        await japanese.send("text", text=text)
        await japanese.send("end")
        assert (await english.speak("It is noon."))["reason"] == "completed"
        done = await japanese.until("context.done")
        assert japanese.messages("context.opened")[0]["voice"] == "kokoro-ja"
        words = [word for message in japanese.messages("words") for word in message["words"]]
        assert "".join(word["text"] for word in words) == text.rstrip("。") and len(words) >= 4
        sound = decode(japanese.frames())
    assert done["reason"] == "completed" and 1000 <= done["audio_ms"] <= 3000
    assert abs(level_db(sound) + 25) <= 6


async def test_without_the_extra_errors_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "find_spec", lambda name: None)
    async with running(Config(port=0, engine_runner="thread")) as server, open_client(server.url) as client:
        await client.send("session.start", voice="kokoro-ja")
        error = await client.until("error")
        assert error["code"] == "unknown_voice" and "realtime-voice[japanese]" in error["message"]
        await client.send("session.start", language="ja")
        await client.send("context.open")
        assert (await client.until("context.opened"))["voice"] == "espeak-ja"
