"""Where speech begins and ends, and edges that do not click."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.audio.silence import (
    AUDIBLE,
    FADE_S,
    LEAD_S,
    TAIL_S,
    Trim,
    audible_range,
    fade_in,
    fade_out,
)
from realtime.engines.embedded import EmbeddedSynthesizer
from realtime.engines.engine import Open
from realtime.engines.espeak import EspeakSynthesizer
from realtime.engines.synthesizer import NeverCancelled
from realtime.types import Pcm, TextPiece

RATE = 24_000
THRESHOLDS = [-80.0, -60.0, -45.0, -30.0, -20.0]
every_threshold = pytest.mark.parametrize("threshold", THRESHOLDS)


def sound(before: int, length: int, after: int, level: float = 0.5) -> Pcm:
    pcm = np.zeros(before + length + after, np.float32)
    pcm[before : before + length] = level * np.where(np.arange(length) % 2, -1, 1)
    return pcm


@given(before=st.integers(0, 2000), length=st.integers(1, 2000), after=st.integers(0, 2000))
def test_sound_is_found_to_the_sample(before: int, length: int, after: int) -> None:
    assert audible_range(sound(before, length, after)) == (before, before + length)


@pytest.mark.parametrize("length", [0, 1, 119, 120, 121, 5000])
def test_silence_has_no_range(length: int) -> None:
    assert audible_range(np.zeros(length, np.float32)) == (length, length)


@pytest.mark.parametrize(("level", "heard"), [(AUDIBLE * 1.01, True), (AUDIBLE * 0.99, False)])
def test_the_threshold_is_45_db_below_full_scale(level: float, heard: bool) -> None:
    assert pytest.approx(-45, abs=1e-9) == 20 * np.log10(AUDIBLE)
    start, end = audible_range(sound(1200, 1200, 1200, level))
    assert (start < end) is heard


@pytest.mark.parametrize(("threshold", "heard"), [(-20.1, True), (-19.9, False)])
def test_the_threshold_can_be_another(threshold: float, heard: bool) -> None:
    start, end = audible_range(sound(1200, 1200, 1200, 0.1), threshold)
    assert (start < end) is heard


def test_pauses_inside_are_kept() -> None:
    pcm = np.concatenate([sound(240, 240, 12_000), sound(0, 240, 480)])
    assert audible_range(pcm) == (240, 240 + 240 + 12_000 + 240)


def test_one_loud_sample_is_a_sound() -> None:
    pcm = np.zeros(1200, np.float32)
    pcm[601] = -0.5
    assert audible_range(pcm) == (601, 602)


def test_fade_in_rises_from_zero_and_leaves_the_rest() -> None:
    pcm = np.ones(500, np.float32)
    faded = fade_in(pcm, 120)
    assert faded[0] == 0 and np.all(np.diff(faded[:120]) > 0)
    assert np.max(np.diff(faded)) <= 1 / 119 + 1e-6
    assert np.array_equal(faded[119:], pcm[119:])
    assert np.all(pcm == 1), "the original is left as it was"


def test_fade_out_is_fade_in_backwards() -> None:
    pcm = np.random.default_rng(0).standard_normal(500).astype(np.float32)
    assert np.array_equal(fade_out(pcm, 120)[::-1], fade_in(pcm[::-1], 120))
    assert fade_out(pcm, 120)[-1] == 0
    assert np.array_equal(fade_out(pcm, 120)[:380], pcm[:380])


@pytest.mark.parametrize("fade", [fade_in, fade_out])
@pytest.mark.parametrize("length", [0, 1, 50])
def test_sound_shorter_than_its_fade(fade: Callable[[Pcm, int], Pcm], length: int) -> None:
    faded = fade(np.ones(length, np.float32), 120)
    assert len(faded) == length and faded.dtype == np.float32
    assert np.all((faded >= 0) & (faded <= 1))
    assert length == 0 or min(faded[0], faded[-1]) == 0


def test_no_samples_to_fade() -> None:
    pcm = np.ones(10, np.float32)
    assert np.array_equal(fade_in(pcm, 0), pcm) and np.array_equal(fade_out(pcm, 0), pcm)


@dataclass(frozen=True, slots=True)
class Cut:
    """What came out of a `Trim`; `speech_start` and `speech_end` are places in `pcm`."""

    pcm: Pcm
    begun: bool
    removed: int
    speech_start: int
    speech_end: int

    def missing(self, original: Pcm) -> Pcm:
        """The sound that was cut off."""
        end = self.removed + len(self.pcm)
        return np.concatenate([original[: self.removed], original[end:]])


def trimmed(pcm: Pcm, threshold: float, *sizes: int, speed: float = 1.0, rate: int = RATE) -> Cut:
    """Fed in parts of these sizes, in turns; the last call also brings the last sound, or none."""
    trim = Trim(rate, threshold, speed)
    parts: list[Pcm] = []
    begun, removed, lead, end, at, number = False, 0, 0, 0, 0, 0
    while True:
        size = sizes[number % len(sizes)] if sizes else len(pcm)
        number += 1
        last = at + size >= len(pcm)
        made = trim.process(pcm[at : at + size], last)
        at += size
        if made.begins:
            assert not begun and not any(map(len, parts))
            begun, removed, lead = True, made.removed, made.lead
        if made.speech:
            end = sum(map(len, parts)) + made.speech
        parts.append(made.pcm)
        if last:
            return Cut(np.concatenate(parts), begun, removed, lead, end)


def ms(milliseconds: float) -> int:
    return round(RATE * milliseconds / 1000)


def quiet(milliseconds: float) -> Pcm:
    return np.zeros(ms(milliseconds), np.float32)


def hiss(milliseconds: float, db: float, seed: int = 0) -> Pcm:
    """Noise of this RMS in dBFS, and with peaks 5 dB above it."""
    noise = np.random.default_rng(seed).uniform(-1, 1, ms(milliseconds)) * 3**0.5 * 10 ** (db / 20)
    return noise.astype(np.float32)


def vowel(milliseconds: float, level: float = 0.3) -> Pcm:
    """Loud from its first sample to its last."""
    phase = np.arange(ms(milliseconds)) * (2 * np.pi * 140 / RATE) + np.pi / 4
    return (level * np.cos(phase)).astype(np.float32)


def join(*parts: Pcm) -> Pcm:
    return np.concatenate(parts).astype(np.float32)


def loudest_db(pcm: Pcm) -> float:
    """RMS of the loudest 5 ms, in dBFS; -200 of nothing."""
    frames = np.pad(pcm, (0, -len(pcm) % ms(5))).reshape(-1, ms(5))
    return float(10 * np.log10(np.max(np.mean(np.square(frames), axis=1), initial=1e-20)))


@every_threshold
@pytest.mark.parametrize("samples", [1, 100, 24_000])
def test_what_is_loud_to_both_ends_stays_as_it_is(threshold: float, samples: int) -> None:
    pcm = np.full(samples, 0.3, np.float32)
    cut = trimmed(pcm, threshold, 7200)
    assert np.array_equal(cut.pcm, pcm)
    assert (cut.removed, cut.speech_start, cut.speech_end) == (0, 0, samples)


@every_threshold
def test_silence_is_cut_to_what_is_kept_of_it(threshold: float) -> None:
    cut = trimmed(join(quiet(500), vowel(300), quiet(500)), threshold, 480)
    assert cut.removed == ms(500) - ms(1000 * LEAD_S)
    assert (cut.speech_start, cut.speech_end) == (ms(30), ms(330))
    assert len(cut.pcm) == ms(330) + ms(1000 * TAIL_S)


@every_threshold
@pytest.mark.parametrize("db", [-50.0, -40.0, -30.0])
@pytest.mark.parametrize("soft_ms", [20, 120, 250])
def test_a_soft_onset_and_a_soft_end_are_kept_whole(threshold: float, db: float, soft_ms: float) -> None:
    """Fricatives at known places, which a threshold of -20 dBFS alone would not see."""
    onset, vowels, end = hiss(soft_ms, db, 1), vowel(200), hiss(soft_ms, db, 2)
    pcm = join(quiet(400), onset, vowels, end, quiet(400))
    cut = trimmed(pcm, threshold, 7200)
    first, last = ms(400), ms(400) + 2 * ms(soft_ms) + ms(200)
    fade = ms(1000 * FADE_S)
    assert cut.removed + fade <= first and cut.removed + len(cut.pcm) - fade >= last
    kept = cut.pcm[first - cut.removed : last - cut.removed]
    assert np.array_equal(kept, pcm[first:last]), "also by the fades it is left alone"
    assert first - cut.removed <= ms(35) and len(cut.pcm) - (last - cut.removed) <= ms(45)
    assert abs(cut.removed + cut.speech_start - first) <= ms(5)
    assert abs(cut.removed + cut.speech_end - last) <= ms(5)


@every_threshold
@pytest.mark.parametrize("speed", [0.25, 1.0, 4.0])
def test_a_closure_parts_no_consonant_from_its_word(threshold: float, speed: float) -> None:
    """The k of "think" is released after up to 0.12 s of silence; so long before its t begins "stop"."""
    closure = quiet(120 * max(1, 1 / speed))
    pcm = join(quiet(300), hiss(100, -45, 1), closure, vowel(200), closure, hiss(20, -45, 2), quiet(300))
    cut = trimmed(pcm, threshold, 1440, speed=speed)
    assert loudest_db(cut.missing(pcm)) < -100
    assert len(cut.pcm) <= len(pcm) - 2 * ms(300 - 45)


@pytest.mark.parametrize("apart_ms", [200, 600])
def test_a_click_apart_from_the_word_is_no_part_of_it(apart_ms: float) -> None:
    pcm = join(
        quiet(100), hiss(10, -50), quiet(apart_ms), vowel(300), quiet(apart_ms), hiss(10, -50), quiet(9)
    )
    cut = trimmed(pcm, -45, 7200)
    assert cut.removed == ms(110 + apart_ms - 30) and len(cut.pcm) == ms(30 + 300 + 40)


@pytest.mark.parametrize("threshold", [-45.0, -30.0, -20.0])
@pytest.mark.parametrize("noise_db", [-90.0, -70.0, -63.0, -58.0])
def test_steady_low_noise_is_not_kept(threshold: float, noise_db: float) -> None:
    pcm = join(quiet(500), vowel(300), quiet(500)) + hiss(1300, noise_db)
    cut = trimmed(pcm, threshold, 7200)
    assert ms(500 - 30) - 1 <= cut.removed <= ms(500 - 30) + ms(5)
    assert abs(len(cut.pcm) - ms(30 + 300 + 40)) <= ms(5)


@pytest.mark.parametrize("threshold", [-30.0, -20.0])
def test_steady_noise_below_a_higher_threshold_is_not_kept_either(threshold: float) -> None:
    """Whoever has a noisy voice sets a higher threshold; a fricative above the noise is kept all the same."""
    pcm = join(quiet(500), hiss(100, -37, 1), vowel(300), hiss(100, -37, 2), quiet(500)) + hiss(1500, -48, 3)
    cut = trimmed(pcm, threshold, 7200)
    assert abs(cut.removed - ms(500 - 10)) <= ms(5)
    assert abs(len(cut.pcm) - ms(10 + 500 + 10)) <= ms(10)


@pytest.mark.parametrize("length_ms", [150, 600, 3000])
def test_a_voice_below_the_threshold_is_heard(length_ms: float) -> None:
    """Peaks of -32 dBFS at a threshold of -20: set wrongly, but no reason to be mute."""
    word = vowel(length_ms, 0.025) * (1 + 0.5 * np.sin(np.arange(ms(length_ms)) / 2000)).astype(np.float32)
    pcm = join(quiet(300), word, quiet(300))
    cut = trimmed(pcm, -20, 4800)
    assert cut.begun and loudest_db(cut.missing(pcm)) < -60
    assert len(cut.pcm) <= len(word) + ms(80)


def test_a_voice_below_the_threshold_is_not_waited_for_to_its_end() -> None:
    trim = Trim(RATE, -20)
    word = join(vowel(60, 0.025), quiet(40))
    heard = [len(trim.process(word, False).pcm) for _ in range(20)]
    assert not any(heard[:9]) and sum(heard) >= ms(1900)


@pytest.mark.parametrize("pcm", [quiet(0), quiet(900), hiss(900, -63), hiss(900, -55), hiss(60, -55)])
@every_threshold
def test_where_there_is_no_speech_nothing_begins(pcm: Pcm, threshold: float) -> None:
    if threshold < -45:  # there noise is loud
        pcm = pcm * np.float32(0.001)
    cut = trimmed(pcm, threshold, 7200)
    assert not cut.begun and len(cut.pcm) == 0


def test_a_minute_of_silence_before_a_word_is_counted_and_not_kept() -> None:
    cut = trimmed(join(quiet(60_000), vowel(100)), -45, 7200)
    assert cut.removed == ms(60_000 - 30) and len(cut.pcm) == ms(130)


@every_threshold
def test_nothing_that_is_loud_waits(threshold: float) -> None:
    """The first audible sound leaves with the chunk that brings it, and so does all up to the last of it."""
    trim = Trim(RATE, threshold)
    assert len(trim.process(join(quiet(100), hiss(80, -50)), False).pcm) in (0, ms(110))
    made = trim.process(join(vowel(120), quiet(20)), False)
    assert np.array_equal(made.pcm[-ms(120) :], vowel(120))


@settings(deadline=None, max_examples=150)
@given(
    parts=st.lists(
        st.tuples(st.sampled_from([-200.0, -70.0, -58.0, -52.0, -40.0, -12.0]), st.integers(1, 400)),
        max_size=8,
    ),
    threshold=st.sampled_from(THRESHOLDS),
    speed=st.sampled_from([0.5, 1.0, 2.0]),
    sizes=st.lists(st.integers(100, 9000), min_size=1, max_size=5),
)
def test_how_it_is_cut_into_calls_changes_nothing(
    parts: list[tuple[float, int]], threshold: float, speed: float, sizes: list[int]
) -> None:
    pcm = join(quiet(0), *(hiss(length, db, seed) for seed, (db, length) in enumerate(parts)))
    whole, cut = trimmed(pcm, threshold, speed=speed), trimmed(pcm, threshold, *sizes, speed=speed)
    assert np.array_equal(cut.pcm, whole.pcm)
    assert (cut.begun, cut.removed) == (whole.begun, whole.removed)
    assert (cut.speech_start, cut.speech_end) == (whole.speech_start, whole.speech_end)
    assert cut.speech_end == 0 or 0 <= cut.speech_start <= cut.speech_end <= len(cut.pcm)


ENGLISH = [
    "Five foxes.",
    "Six.",
    "He laughs.",
    "Half of it.",
    "Think fast.",
    "Stop.",
    "Thick.",
    "A puff of smoke.",
]
GERMAN = ["Sechs Füchse.", "Schiff.", "Halt.", "Stopp.", "Heute schlaf ich.", "Zack."]


@pytest.fixture(scope="module")
def spoken() -> list[tuple[int, list[Pcm]]]:
    """Sentences with soft sounds at both ends: rate and chunks, as two engines make them."""
    made = []
    for engine, voice, language, texts in (
        (EmbeddedSynthesizer(), "heart", "en", ENGLISH),
        (EspeakSynthesizer(), "espeak-de", "de", GERMAN),
    ):
        engine.load()
        for text in texts:
            piece = TextPiece(0, text, (0, len(text)), (), language)
            chunks = list(engine.synthesize(piece, Open(0, voice, language), NeverCancelled()))
            made.append((chunks[0].sample_rate, [chunk.pcm for chunk in chunks]))
    return made


@every_threshold
def test_no_speech_of_a_real_voice_is_cut_off(spoken: list[tuple[int, list[Pcm]]], threshold: float) -> None:
    """40 dB below the voice is the loudest 5 ms that are missing; and silence does not stay either."""
    for rate, chunks in spoken:
        pcm = join(quiet(300), *chunks, quiet(300))
        cut = trimmed(pcm, threshold, 300, 7200, 76_800, rate=rate)
        assert loudest_db(cut.missing(pcm)) < -60
        assert threshold < -60 or len(cut.missing(pcm)) >= 2 * ms(300 - 40)


def test_the_threshold_alone_would_cut_speech_off(spoken: list[tuple[int, list[Pcm]]]) -> None:
    """What the last test looks for is there to be found: up to -27 dBFS of speech."""
    lost = []
    for rate, chunks in spoken:
        pcm = join(*chunks)
        start, end = audible_range(pcm, -20)
        lead, tail = round(LEAD_S * rate), round(TAIL_S * rate)
        lost.append(loudest_db(join(pcm[: max(0, start - lead)], pcm[end + tail :])))
    assert max(lost) > -30
