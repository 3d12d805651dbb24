"""The tone engine says from the text alone how long the sound is: other tests build on that."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime.engines.engine import EngineSettings, Open, PromptStats
from realtime.engines.synthesizer import KeepsPrompts, NeverCancelled
from realtime.engines.tone import (
    AMPLITUDE,
    CHARACTER_SAMPLES,
    GAP_SAMPLES,
    ToneSynthesizer,
    dominant_hz,
    make,
    pitch_hz,
)
from realtime.errors import EngineError
from realtime.types import AudioChunk, Pcm, TextPiece, VoiceReference


def speak(
    text: str, synthesizer: ToneSynthesizer | None = None, reference: VoiceReference | None = None
) -> AudioChunk:
    piece = TextPiece(3, text, (0, len(text)), (), "en")
    request = Open(1, "tone", "en", reference=reference)
    (chunk,) = (synthesizer or ToneSynthesizer()).synthesize(piece, request, NeverCancelled())
    return chunk


def peak_hz(pcm: Pcm, sample_rate: int) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(pcm))) * sample_rate / len(pcm))


def recording(folder: Path, hz: float, key: str = "aa" * 32) -> VoiceReference:
    """A tone with a weaker one and a hum beside it."""
    time = np.arange(36_000) / 24_000
    pcm = sum(
        level * np.sin(2 * np.pi * each * time) for each, level in ((hz, 0.3), (hz * 2.5, 0.2), (20, 0.4))
    )
    soundfile.write(folder / f"{key}.flac", pcm, 24_000, subtype="PCM_16")
    return VoiceReference(key, str(folder / f"{key}.flac"), "Hello.")


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


def test_a_cloned_voice_has_the_pitch_of_its_recording(tmp_path: Path) -> None:
    cloned = speak("abcdef other", reference=recording(tmp_path, 440))
    usual = speak("abcdef other")
    assert cloned.words == usual.words and len(cloned.pcm) == len(usual.pcm)
    for word in cloned.words:
        assert peak_hz(cloned.pcm[word.start : word.end], 24_000) == pytest.approx(440, abs=3)


@pytest.mark.parametrize("hz", [80, 297.4, 1000, 5000])
def test_the_dominant_frequency(hz: float) -> None:
    pcm = np.cos(2 * np.pi * hz * np.arange(30_011) / 24_000).astype(np.float32) + np.float32(0.5)
    assert dominant_hz(pcm, 24_000) == pytest.approx(hz, abs=0.5)


def test_a_recording_is_listened_to_once(tmp_path: Path) -> None:
    settings = EngineSettings(str(tmp_path / "prompts"), 1)
    synthesizer = make(settings)
    assert isinstance(synthesizer, KeepsPrompts)
    ada, bea = recording(tmp_path, 300), recording(tmp_path, 500, "bb" * 32)
    first = speak("One two.", synthesizer, ada)
    speak("One two.", synthesizer, bea)
    Path(ada.path).unlink()
    assert np.array_equal(speak("One two.", synthesizer, ada).pcm, first.pcm)
    assert synthesizer.prompts.stats == PromptStats(1, 1, 2)
    another = make(settings)
    assert np.array_equal(speak("One two.", another, ada).pcm, first.pcm)
    another.prompts.forget(ada.key)
    with pytest.raises(EngineError, match="the recording of this voice cannot be read") as caught:
        speak("One two.", another, ada)
    assert str(tmp_path) not in caught.value.message


def test_a_recording_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    path.write_bytes(b"no sound")
    with pytest.raises(EngineError, match="cannot be read"):
        speak("Hello.", reference=VoiceReference("cc", str(path)))


def test_the_factory_makes_one() -> None:
    assert make().capabilities.name == "tone" and make().capabilities.cloning
