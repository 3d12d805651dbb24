"""Times of words and ends of segments, against those that voices with exact times tell of themselves."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.audio.resample import Resampler
from realtime.audio.tempo import Tempo
from realtime.engines.embedded import EmbeddedSynthesizer
from realtime.engines.engine import Open
from realtime.engines.espeak import EspeakSynthesizer
from realtime.engines.qwen3.generation import Consumed, GenerationEnded, Note, SpokenToken, TextAdded
from realtime.engines.qwen3.words import WordClock
from realtime.engines.synthesizer import NeverCancelled, Synthesizer
from realtime.types import AudioChunk, Pcm, TextPiece, WordTiming

RATE, FRAME = 24_000, 1920
#: Frames of chunks as they grow (`speech.CHUNK_FRAMES`).
CHUNKS = (1, 2, 4, 8, 12)
#: None of these was looked at while the estimate was made.
TALKS = (
    "Good morning, and welcome to the museum. The tour takes about forty minutes. Please stay with the group,"
    " and do not touch the paintings. Do you have any questions? Then let us begin.",
    "I tried the new restaurant yesterday. It was crowded, loud, and far too expensive! The soup came cold."
    " Still, the dessert was wonderful, so we might go there again.",
    "Sure. To reset your password, open the settings, choose security, and press the blue button. You get"
    " a message within two minutes. If nothing arrives, check your spam folder. Anything else?",
    "The storm began before midnight. Trees fell across the railway line, and several villages lost power."
    " Nobody was hurt. Repair teams worked through the night, but some houses are still dark this morning.",
    "No. Really? I had no idea. My brother never told me that he was moving to Spain, let alone that he had"
    " bought a farm. How long has he known? Three weeks!",
    "First, wash the potatoes and cut them into thin slices. Next, heat the oil in a large pan. Fry all"
    " until it is golden brown, turn it over, and wait another five minutes. Add salt. Enjoy your meal.",
)
FOREIGN = {
    "de": "Guten Tag. Der Zug nach Hamburg fährt heute von Gleis sieben. Bitte beachten Sie, dass er zehn"
    " Minuten später kommt. Haben Sie schon eine Fahrkarte? Wenn nicht, kaufen Sie eine am Automaten.",
    "fr": "Bonjour. Le musée ferme dans une heure, mais vous pouvez encore visiter le jardin. Avez-vous un"
    " billet? Les enfants entrent gratuitement. Bonne visite, et à bientôt!",
    "ru": "Доброе утро. Сегодня будет солнечно, но вечером возможен дождь. Вы взяли зонт? Автобус придёт"
    " через десять минут. До свидания!",
    "zh": "早上好。今天天气很好，我们可以去爬山。你带水了吗？路上小心，不要走得太快。晚上见！",
    "ja": "おはようございます。きょうはてんきがよくて、そらがあおいです。おちゃをのみますか。またあした。",
}


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """A sentence, its sound, and where its words begin and end (characters, samples)."""

    text: str
    pcm: Pcm
    words: list[tuple[int, int, int, int]]


@dataclass(frozen=True, slots=True, eq=False)
class Talk:
    """Sentences, each a segment, in one sound; words in its samples."""

    texts: list[str]
    pcm: Pcm
    words: list[list[tuple[int, int, int, int]]]


def say(voice: Synthesizer, text: str, name: str, language: str) -> Said:
    piece = TextPiece(0, text, (0, len(text)), (), language)
    chunks = list(voice.synthesize(piece, Open(1, name, language), NeverCancelled()))
    pcm, rate = np.concatenate([chunk.pcm for chunk in chunks]), chunks[0].sample_rate
    if rate != RATE:
        resampler = Resampler(rate, RATE)
        pcm = np.concatenate([resampler.process(pcm), resampler.finish()])
    words = [word for chunk in chunks for word in chunk.words]
    return Said(
        text,
        pcm,
        [(w.spoken_start, w.spoken_end, w.start * RATE // rate, w.end * RATE // rate) for w in words],
    )


def sentences(text: str) -> list[str]:
    return [match.strip() for match in re.findall(r"[^.!?。？！]+[.!?。？！]", text)]


def joined(
    parts: Sequence[Said], seed: int, pauses: tuple[float, float] = (0.3, 0.7), speed: float = 1.0
) -> Talk:
    """The sentences one after another as in one generation, with such pauses (seconds), and some noise."""
    source = np.random.default_rng(seed)

    def silence(seconds: float) -> Pcm:
        return np.zeros(round(seconds * RATE), np.float32)

    sound, words = [silence(0.15)], []
    for part in parts:
        pcm = part.pcm
        if speed != 1:
            tempo = Tempo(RATE, speed)
            pcm = np.concatenate([tempo.process(pcm), tempo.finish()])
        before = sum(map(len, sound))
        words.append(
            [(a, b, before + round(c / speed), before + round(d / speed)) for a, b, c, d in part.words]
        )
        sound += [pcm, silence(source.uniform(*pauses))]
    pcm = np.concatenate(sound)
    pcm = np.pad(pcm, (0, -len(pcm) % FRAME)) + source.normal(
        0, 10 ** (-70 / 20), len(pcm) + -len(pcm) % FRAME
    )
    return Talk([part.text for part in parts], pcm.astype(np.float32), words)


def tokens_of(segment: int, text: str) -> list[SpokenToken]:
    """About as long as real ones: up to 5 letters with the space before them, or 2 Chinese characters."""
    pattern = r".{1,2}" if re.search("[\u3040-\u9fff]", text) else r" ?\S{1,5}"
    spans = [match.span() for match in re.finditer(pattern, text)]
    return [
        SpokenToken(7, segment, start, end, ends_segment=number == len(spans))
        for number, (start, end) in enumerate(spans, 1)
    ]


def play(
    talk: Talk, chunk_frames: Sequence[int] = CHUNKS, tokens_a_second: float = 1000.0, first: float = 1.0
) -> list[AudioChunk]:
    """What the clock makes of it: text is given a token a frame, but no faster than it comes.

    `first`: tokens that are there at the beginning.
    """
    clock = WordClock(RATE, FRAME)
    tokens = [token for number, text in enumerate(talk.texts) for token in tokens_of(number, text)]
    frames, frame, given, known = len(talk.pcm) // FRAME, 0, 0, -1
    chunks: list[AudioChunk] = []
    number = 0
    while frame < frames:
        length = min(chunk_frames[min(number, len(chunk_frames) - 1)], frames - frame)
        number += 1
        notes: list[Note] = []
        for at in range(frame, frame + length):
            if given < min(len(tokens), first + tokens_a_second * at * FRAME / RATE):
                token = tokens[given]
                if token.segment > known:
                    known = token.segment
                    notes.append(TextAdded(known, talk.texts[known], True))
                notes.append(Consumed(token, at))
                given += 1
        frame += length
        if frame == frames:
            notes.append(GenerationEnded(frames))
        chunks += clock.write(talk.pcm[(frame - length) * FRAME : frame * FRAME], notes, frame == frames)
    assert given == len(tokens)
    return chunks


@dataclass(slots=True)
class Errors:
    """Of words' starts in seconds; of segments' ends in seconds outside of the pause that they belong to."""

    words: list[float]
    ends: list[float]

    def told(self) -> str:
        words = np.abs(self.words)
        inside = np.mean(np.array(self.ends) == 0) if self.ends else 1.0
        return (
            f"{len(words)} words: median {np.median(words) * 1000:.0f} ms, 90% within"
            f" {np.percentile(words, 90) * 1000:.0f} ms; {len(self.ends)} ends: {inside:.1%} in their pause,"
            f" worst {max(self.ends, default=0):.2f} s"
        )


def errors_of(talk: Talk, chunks: Sequence[AudioChunk], total: Errors) -> None:
    begins: dict[int, int] = {}
    ends: list[int] = []
    told: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    position = 0
    for chunk in chunks:
        begin = begins.setdefault(chunk.segment, position)
        position += len(chunk.pcm)
        told[chunk.segment] += [(w.spoken_start, w.spoken_end, begin + w.start) for w in chunk.words]
        if chunk.last_of_segment:
            ends.append(position)
    for segment, words in enumerate(talk.words):
        for start, end, begin, _ in words:
            found = next(at for first, last, at in told[segment] if first < end and start < last)
            total.words.append((found - begin) / RATE)
    for segment, (before, after) in enumerate(pairwise(talk.words)):
        early, late = before[-1][3] - ends[segment], ends[segment] - after[0][2]
        off = max(early, late) / RATE
        total.ends.append(off if off > 0.02 else 0.0)


@pytest.fixture(scope="module")
def talks() -> list[list[Said]]:
    """The English sentences by the voice out of the box."""
    voice = EmbeddedSynthesizer()
    voice.load()
    return [[say(voice, text, "heart", "en") for text in sentences(talk)] for talk in TALKS]


def measured(talks: Sequence[Sequence[Said]], how: Sequence[int] = CHUNKS, **changes: float) -> Errors:
    total = Errors([], [])
    for seed, parts in enumerate(talks):
        talk = joined(parts, seed, speed=changes.get("speed", 1.0))
        errors_of(talk, play(talk, how, changes.get("tokens_a_second", 1000.0)), total)
    return total


def check(total: Errors, median_ms: float, most_ms: float, inside: float) -> None:
    words = np.abs(total.words) * 1000
    assert np.median(words) < median_ms, total.told()
    assert np.percentile(words, 90) < most_ms, total.told()
    assert np.mean(np.array(total.ends) == 0) >= inside, total.told()


# How far off it is.


@pytest.mark.parametrize("how", [CHUNKS, (1,)])
def test_words_and_ends_of_an_english_voice(talks: list[list[Said]], how: Sequence[int]) -> None:
    check(measured(talks, how), 70, 200, 1.0)


@pytest.mark.parametrize("how", [(1,), (12,), (5, 1, 7)])
def test_it_makes_no_difference_how_many_frames_come_at_a_time(
    talks: list[list[Said]], how: Sequence[int]
) -> None:
    for seed, parts in enumerate(talks):
        talk = joined(parts, seed)
        assert told(play(talk, how)) == told(play(talk))


def told(chunks: Sequence[AudioChunk]) -> dict[int, tuple[int, list[WordTiming]]]:
    """By segment: how long it is, and its words."""
    return {
        segment: (
            sum(len(chunk.pcm) for chunk in chunks if chunk.segment == segment),
            [word for chunk in chunks if chunk.segment == segment for word in chunk.words],
        )
        for segment in {chunk.segment for chunk in chunks}
    }


@pytest.mark.parametrize("tokens_a_second", [6.0, 12.0])
def test_the_same_when_text_comes_hardly_faster_than_it_is_said(
    talks: list[list[Said]], tokens_a_second: float
) -> None:
    check(measured(talks, tokens_a_second=tokens_a_second), 70, 200, 1.0)


@pytest.mark.parametrize("speed", [0.75, 1.35])
def test_a_slow_and_a_fast_voice_show_their_speed(talks: list[list[Said]], speed: float) -> None:
    check(measured(talks, speed=speed), 110, 400, 0.95)


@pytest.mark.parametrize("language", FOREIGN)
def test_words_and_ends_in_other_languages(language: str) -> None:
    voice = EspeakSynthesizer()
    voice.load()
    parts = [say(voice, text, f"espeak-{language}", language) for text in sentences(FOREIGN[language])]
    check(measured([parts]), 80, 300, 1.0)


def test_the_measure_sees_a_text_that_is_not_the_one_that_is_said(talks: list[list[Said]]) -> None:
    """The control: the words of each sentence in another order, and sentences that change places."""
    total, ends = Errors([], []), Errors([], [])
    for seed, parts in enumerate(talks):
        talk = joined(parts, seed)
        at_rest = joined(parts, seed, pauses=(0.0, 0.0))
        for wrong, errors in ((Talk(talk.texts, at_rest.pcm, talk.words), total), (talk, ends)):
            texts = [talk.texts[-1], *talk.texts[:-1]] if errors is ends else talk.texts
            chunks = play(Talk(texts, wrong.pcm, talk.words))
            if errors is ends:
                position = np.cumsum([len(chunk.pcm) for chunk in chunks])
                last = [chunk.last_of_segment for chunk in chunks]
                errors.ends += [
                    float(not before[-1][3] <= end <= after[0][2])
                    for end, (before, after) in zip(position[last], pairwise(talk.words), strict=False)
                ]
            else:
                errors_of(wrong, chunks, errors)
    assert np.median(np.abs(total.words)) > 0.3
    assert np.mean(ends.ends) > 0.3


# What holds of any sound and any text.


_WORDS = [
    "I",
    "you",
    "remember",
    "internationally",
    "yes,",
    "no;",
    "我们",
    "하지만",
    "3,50",
    "...",
    "—",
    "stop.",
]


@dataclass(slots=True)
class Heard:
    """A listener who checks what every chunk must obey."""

    order: list[int]
    current: int = 0
    heard: list[tuple[bool, Pcm]] = field(default_factory=list)  # whether it begins a segment
    samples: int = 0
    spoken: int = 0
    until: int = 0

    def take(self, chunk: AudioChunk) -> None:
        assert self.current < len(self.order) and chunk.segment == self.order[self.current]
        assert chunk.estimated and chunk.sample_rate == RATE and chunk.pcm.dtype == np.float32
        self.heard.append((not self.samples, chunk.pcm))
        self.samples += len(chunk.pcm)
        for word in chunk.words:
            # Words of a segment follow each other, in the text and in time, and are heard when they are told.
            assert self.spoken <= word.spoken_start < word.spoken_end
            assert self.until <= word.start <= word.end <= self.samples
            self.spoken, self.until = word.spoken_end, word.end
        if chunk.last_of_segment:
            self.current += 1
            self.samples = self.spoken = self.until = 0


def any_sound(source: np.random.Generator, frames: int) -> Pcm:
    """Bursts of noise and silence, such as a model makes that has lost its text."""
    parts: list[Pcm] = []
    while sum(map(len, parts)) < frames * FRAME:
        length = int(source.integers(100, 30_000))
        loud = 10 ** (source.choice([-100.0, -70.0, -40.0, -20.0, -10.0]) / 20)
        parts.append((loud * source.standard_normal(length)).astype(np.float32))
    return np.concatenate(parts)[: frames * FRAME]


@settings(deadline=None, max_examples=200)
@given(seed=st.integers(0, 2**32))
def test_whatever_is_heard_all_of_it_is_handed_on_in_order(seed: int) -> None:
    """Several generations, texts in parts that come at any time, sound that has nothing to do with them."""
    source, choose = np.random.default_rng(seed), random.Random(seed)
    clock = WordClock(RATE, FRAME)
    segments = [
        [" ".join(choose.choices(_WORDS, k=choose.randint(0, 8))) for _ in range(choose.randint(1, 3))]
        for _ in range(choose.randint(1, 6))
    ]
    listener = Heard(list(range(len(segments))))
    sound: list[Pcm] = []
    frame = 0
    waiting: list[SpokenToken] = []  # known, not given to the model
    parts = [(number, part, texts) for number, texts in enumerate(segments) for part in range(len(texts))]
    while parts or waiting or choose.random() < 0.5:
        notes: list[Note] = []
        for _ in range(choose.randint(0, 2)):
            if parts:
                number, part, texts = parts.pop(0)
                text = " " * (part > 0 and bool(texts[part])) + texts[part]
                before = sum(len(each) + (at > 0 and bool(each)) for at, each in enumerate(texts[:part]))
                notes.append(TextAdded(number, text, part == len(texts) - 1))
                waiting += [
                    SpokenToken(7, number, before + token.start, before + token.end)
                    for token in tokens_of(number, text)
                ]
        frames = choose.randint(0, 12)
        for at in range(frames):
            if waiting and choose.random() < 0.7:
                notes.append(Consumed(waiting.pop(0), frame + at))
        frame += frames
        if choose.random() < 0.1:
            notes.append(GenerationEnded(frame))
        sound.append(any_sound(source, frames) if frames else np.zeros(0, np.float32))
        for chunk in clock.write(sound[-1], notes, False):
            listener.take(chunk)
    for chunk in clock.write(np.zeros(0, np.float32), [GenerationEnded(frame)], True):
        listener.take(chunk)
    assert listener.current == len(segments)  # each has ended, once
    whole, at = np.concatenate([*sound, np.zeros(0, np.float32)]), 0
    for begins, pcm in listener.heard:
        if begins and len(pcm):
            # Only between segments sound may be left out: what comes when all text there is has been said.
            at += int(np.flatnonzero(whole[at:] == pcm[0])[0])
        assert np.array_equal(whole[at : at + len(pcm)], pcm)
        at += len(pcm)


def test_no_sound_of_a_talk_is_lost_or_changed(talks: list[list[Said]]) -> None:
    for seed, parts in enumerate(talks):
        talk = joined(parts, seed)
        for how in (CHUNKS, (1,), (5,)):
            chunks = play(talk, how)
            listener = Heard(list(range(len(parts))))
            for chunk in chunks:
                listener.take(chunk)
            assert np.array_equal(np.concatenate([chunk.pcm for chunk in chunks]), talk.pcm)
            assert listener.current == len(parts)
            # Every word is told.
            said = sum(len(chunk.words) for chunk in chunks)
            assert said == sum(len(text.split()) for text in talk.texts)


def test_no_word_sounds_before_its_first_token_was_given(talks: list[list[Said]]) -> None:
    """Text that comes late: the sound cannot have said it before, whatever its length tells."""
    talk = joined(talks[0][:2], 0)
    clock = WordClock(RATE, FRAME)
    tokens = tokens_of(0, talk.texts[0])
    late = 20
    notes: list[Note] = [TextAdded(0, talk.texts[0], True), Consumed(tokens[0], 0)]
    chunks = clock.write(talk.pcm[: late * FRAME], notes, False)
    assert sum(len(chunk.words) for chunk in chunks) <= 1
    notes = [Consumed(token, late) for token in tokens[1:]]
    chunks += clock.write(talk.pcm[late * FRAME : 40 * FRAME], notes, True)
    words = [word for chunk in chunks for word in chunk.words]
    assert len(words) == len(talk.texts[0].split())
    assert all(word.start >= late * FRAME for word in words[1:])


# When it is told.


def test_speech_is_handed_on_at_once_and_silence_not_much_later(talks: list[list[Said]]) -> None:
    talk = joined(talks[0], 0)
    clock = WordClock(RATE, FRAME)
    notes: list[Note] = []
    for number, text in enumerate(talk.texts):
        notes.append(TextAdded(number, text, True))
        notes += [Consumed(token, 0) for token in tokens_of(number, text)]
    handed, held = 0, []
    for frame in range(len(talk.pcm) // FRAME):
        for chunk in clock.write(talk.pcm[frame * FRAME : (frame + 1) * FRAME], notes, False):
            handed += len(chunk.pcm)
        notes = []
        held.append((frame + 1) * FRAME - handed)
        if held[-1]:  # only silence is
            assert np.abs(talk.pcm[handed : (frame + 1) * FRAME]).max() < 0.02
    assert 0 < max(held) <= 0.5 * RATE
    assert np.mean(np.array(held) > 0) < 0.5


def test_nothing_of_a_single_segment_is_held_back(talks: list[list[Said]]) -> None:
    talk = joined(talks[0][:1], 0)
    clock = WordClock(RATE, FRAME)
    notes: list[Note] = [TextAdded(0, talk.texts[0], True)]
    notes += [Consumed(token, 0) for token in tokens_of(0, talk.texts[0])]
    for frame in range(len(talk.pcm) // FRAME):
        chunks = clock.write(talk.pcm[frame * FRAME : (frame + 1) * FRAME], notes, False)
        assert sum(len(chunk.pcm) for chunk in chunks) == FRAME
        notes = []


def test_words_are_told_when_they_have_sounded_not_at_the_end(talks: list[list[Said]]) -> None:
    talk = joined(talks[2], 0)
    position, late = 0, []
    begins: dict[int, int] = {}
    for chunk in play(talk, (1,)):
        begin = begins.setdefault(chunk.segment, position)
        position += len(chunk.pcm)
        late += [(position - begin - word.end) / RATE for word in chunk.words]
    assert np.median(late) < 0.1 and max(late) < 1.0


# Segments that are not plain.


def _write_all(notes: Sequence[Note], pcm: Pcm, over: bool = True) -> list[AudioChunk]:
    return WordClock(RATE, FRAME).write(pcm, notes, over)


def test_an_utterance_without_text_or_sound_gives_nothing() -> None:
    assert _write_all([], np.zeros(0, np.float32)) == []


def test_segments_without_words_have_their_ends(talks: list[list[Said]]) -> None:
    talk = joined(talks[0][:2], 0)
    notes: list[Note] = []
    texts = ["", talk.texts[0], "...", "", talk.texts[1], " "]
    for number, text in enumerate(texts):
        notes.append(TextAdded(number, text, True))
        notes += [Consumed(token, 0) for token in tokens_of(number, text)]
    notes.append(GenerationEnded(len(talk.pcm) // FRAME))
    chunks = _write_all(notes, talk.pcm)
    assert [chunk.segment for chunk in chunks if chunk.last_of_segment] == list(range(len(texts)))
    assert np.array_equal(np.concatenate([chunk.pcm for chunk in chunks]), talk.pcm)
    samples = [sum(len(c.pcm) for c in chunks if c.segment == number) for number in range(len(texts))]
    assert samples[1] > 0.8 * RATE and samples[4] > 0.8 * RATE
    assert not any(chunk.words for chunk in chunks if chunk.segment not in (1, 4))


def test_a_segment_that_two_generations_share_is_one(talks: list[list[Said]]) -> None:
    """The first one is ended in the middle of a sentence, as its room was full."""
    said = talks[0][1]
    text = said.text
    cut = text.index("about")
    middle = next(start for begin, _, start, _ in said.words if begin == cut) // FRAME
    pcm = np.pad(said.pcm, (0, -len(said.pcm) % FRAME))
    clock = WordClock(RATE, FRAME)
    tokens = tokens_of(0, text)
    first = [token for token in tokens if token.end < cut]
    notes: list[Note] = [TextAdded(0, text[:cut], False), *(Consumed(token, 0) for token in first)]
    chunks = clock.write(pcm[: middle * FRAME], [*notes, GenerationEnded(middle)], False)
    assert [text[w.spoken_start : w.spoken_end] for c in chunks for w in c.words] == text[:cut].split()
    assert not any(chunk.last_of_segment for chunk in chunks)
    notes = [TextAdded(0, text[cut:], False), *(Consumed(token, middle) for token in tokens[len(first) :])]
    chunks += clock.write(pcm[middle * FRAME :], notes, False)
    assert not any(chunk.last_of_segment for chunk in chunks)
    # That the text is complete is known only afterwards.
    chunks += clock.write(np.zeros(0, np.float32), [GenerationEnded(len(pcm) // FRAME)], False)
    assert not any(chunk.last_of_segment for chunk in chunks)
    chunks += clock.write(np.zeros(0, np.float32), [TextAdded(0, "", True)], True)
    assert [chunk.last_of_segment for chunk in chunks].count(True) == 1 and chunks[-1].last_of_segment
    words = [text[w.spoken_start : w.spoken_end] for chunk in chunks for w in chunk.words]
    assert words == text.split()
    errors = [
        abs(word.start - start) / RATE
        for word, (_, _, start, _) in zip((w for c in chunks for w in c.words), said.words, strict=True)
    ]
    assert np.median(errors) < 0.12


def test_a_voice_that_never_pauses_still_comes_to_the_ends_of_its_segments() -> None:
    text = "Nobody knows what they said about it"  # 30 letters: 1.7 s at the usual speed
    pcm = (0.1 * np.random.default_rng(0).standard_normal(100 * FRAME)).astype(np.float32)
    chunks = play(Talk([text] * 3, pcm, []))
    ends = np.cumsum([len(chunk.pcm) for chunk in chunks])[[chunk.last_of_segment for chunk in chunks]] / RATE
    assert len(ends) == 3 and 1.7 < ends[0] < 4.5 and ends[0] + 0.5 < ends[1] < 7.5
    assert sum(len(chunk.words) for chunk in chunks) == 3 * len(text.split())
