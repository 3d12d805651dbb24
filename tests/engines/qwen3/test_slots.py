"""Whole utterances of a tiny checkpoint in slots: equal to qwen-tts, whatever comes when and beside whom."""

from __future__ import annotations

import gc
import itertools
import math
import random
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from realtime.engines.qwen3.generation import Script
from realtime.engines.qwen3.scripts import LiveScript
from tests.engines.qwen3.reference import FRAMES, decode_codes, greedy_codes_of
from tests.engines.qwen3.speaking import (
    FAR,
    ROWS,
    Model,
    RecordingSpeech,
    Talk,
    codes_of,
    drive,
    pcm_of,
    piece,
)

if TYPE_CHECKING:
    from qwen_tts import Qwen3TTSModel

TEXTS = (
    "Hello there, how are you today? I am fine, and the weather is nice.",
    "The quick brown fox jumps over the lazy dog while the cat sleeps in the sun.",
    "Einmal ist keinmal, sagte sie, und ging über die Straße.",
    "你好，今天天气很好，我们去公园散步吧。",
    "Short.",
    "Numbers like 1234 and names like Ms. O'Neill-Smith are read as they are written.",
    "¿Dónde está la estación de trenes más cercana, por favor?",
    "今日はいい天気ですね、散歩に行きましょう。",
)


@pytest.fixture(scope="module")
def model(custom_voice: Path) -> Model:
    return Model(custom_voice)


def test_text_token_by_token_gives_the_codes_and_the_sound_of_qwen_tts(
    model: Model, custom_voice_reference: Qwen3TTSModel
) -> None:
    """Eight texts at once, a character in each step."""
    wanted = greedy_codes_of(custom_voice_reference, list(TEXTS), speaker="vivian", language="english")
    opening = model.builder.custom("vivian", "en")
    talks = [
        Talk(model.speech(opening), [(at, piece(c, last=at == len(text) - 1)) for at, c in enumerate(text)])
        for text in TEXTS
    ]
    drive(model.slots, talks)
    for talk, expected in zip(talks, wanted, strict=True):
        assert len(expected) == FRAMES and codes_of(talk.speech).tolist() == expected.tolist()
        assert np.abs(pcm_of(talk.speech) - decode_codes(custom_voice_reference, expected)).max() < 2e-5


def test_another_last_word_gives_other_codes(model: Model) -> None:
    codes = []
    for text in ("Hello there, how are you today, Ann?", "Hello there, how are you today, Bob?"):
        speech = model.speech(model.builder.custom("vivian", "en"))
        drive(model.slots, [Talk(speech, [(0, piece(text))])])
        codes.append(codes_of(speech))
    first = next(at for at, pair in enumerate(zip(*codes, strict=False)) if (pair[0] != pair[1]).any())
    assert 0 < first < FRAMES, "the same until that word is given to the model, then not"


@pytest.mark.parametrize(("seed", "sampled"), [(0, False), (1, True)])
def test_each_is_what_it_is_alone_whoever_comes_and_goes(
    custom_voice: Path, seed: int, sampled: bool
) -> None:
    """Up to eight at a time, that join, are parked, leave and are cancelled at random steps."""
    chance = random.Random(seed)
    model = Model(custom_voice, sampled=sampled)
    voices = ("vivian", "ryan", "eric", "serena")

    def talk(number: int, alone: bool) -> Talk:
        own = random.Random(1000 * seed + number)
        text, voice = own.choice(TEXTS)[:40], own.choice(voices)
        language, new_tokens = own.choice(("auto", "en", "zh")), own.randrange(5, 40)
        speech = model.speech(
            model.builder.custom(voice, language), seed=own.randrange(3), new_tokens=new_tokens
        )
        cuts = sorted({0, len(text), *(own.randrange(len(text)) for _ in range(6))})
        parts = [text[a:b] for a, b in itertools.pairwise(cuts)]
        at = 0
        pieces = []
        for part_number, part in enumerate(parts):
            pieces.append((0 if alone else at, piece(part, last=part_number == len(parts) - 1)))
            at += chance.randrange(6)
        if alone:
            return Talk(speech, pieces)
        join_at = chance.randrange(40)
        parked = frozenset(step for step in range(300) if chance.random() < 0.2)
        cancel_at = join_at + chance.randrange(40) if chance.random() < 0.3 else None
        late = [(join_at + step, each) for step, each in pieces]
        return Talk(speech, late, cancel_at, join_at, parked)

    together = [talk(number, alone=False) for number in range(12)]
    drive(model.slots, together)
    complete = 0
    for number, each in enumerate(together):
        assert each.error is None
        alone = talk(number, alone=True)
        drive(model.slots, [alone])
        expected, got = codes_of(alone.speech), codes_of(each.speech)
        if each.cancel_at is None:
            complete += 1
            assert len(got) == len(expected)
            assert np.abs(pcm_of(each.speech) - pcm_of(alone.speech)).max() < 2e-5
        assert got.tolist() == expected[: len(got)].tolist()
    assert complete >= 5


def test_seeds_make_the_difference(custom_voice: Path) -> None:
    model = Model(custom_voice, sampled=True)
    codes = []
    for seed in (1, 1, 2):
        speech = model.speech(model.builder.custom("vivian", "en"), seed=seed, new_tokens=24)
        drive(model.slots, [Talk(speech, [(0, piece(TEXTS[0]))])])
        codes.append(codes_of(speech).tolist())
    assert codes[0] == codes[1] != codes[2]


def test_more_than_there_are_rows_wait_for_one(custom_voice: Path) -> None:
    model = Model(custom_voice, rows=2)
    talks = [
        Talk(model.speech(model.builder.custom("ryan", "en"), new_tokens=9), [(0, piece("Hi."))])
        for _ in range(5)
    ]
    drive(model.slots, talks)
    assert model.slots.free_rows == 2
    assert len({str(codes_of(talk.speech).tolist()) for talk in talks}) == 1


def test_a_cancel_frees_the_row_and_changes_nobody(custom_voice: Path) -> None:
    model = Model(custom_voice, rows=2, new_tokens=16)
    opening = model.builder.custom("vivian", "en")
    alone = Talk(model.speech(opening), [(0, piece(TEXTS[1]))])
    drive(model.slots, [alone])
    assert len(codes_of(alone.speech)) > 15
    for step in (0, 1, 2, 3, 5, 8):
        other = Talk(model.speech(opening), [(0, piece(TEXTS[1]))])
        gone = Talk(model.speech(opening), [(0, piece(TEXTS[0]))], cancel_at=step)
        third = Talk(model.speech(opening), [(0, piece(TEXTS[1]))], join_at=step + 1)
        drive(model.slots, [other, gone, third])
        for talk in (other, third):
            assert codes_of(talk.speech).tolist() == codes_of(alone.speech).tolist()
        assert np.array_equal(pcm_of(third.speech), pcm_of(alone.speech))
        assert model.slots.free_rows == 2


def test_a_text_longer_than_a_row_is_spoken_in_several_generations(custom_voice: Path) -> None:
    model = Model(custom_voice, positions=160, new_tokens=40)
    sentences = [f"This is the sentence number {number}, and it is not long." for number in range(12)]
    speech = model.speech(model.builder.custom("vivian", "en"))
    talk = Talk(speech, [(0, piece(text, segment)) for segment, text in enumerate(sentences)])
    drive(model.slots, [talk])
    assert talk.error is None and speech._generations > 3
    assert len(pcm_of(speech)) == len(codes_of(speech)) * model.config.frame_samples


def is_plain(kind: type) -> bool:
    """Some types of others answer with objects when they are asked for their module."""
    return isinstance(vars(kind).get("__module__"), str)


def test_memory_is_flat_over_a_thousand_utterances(custom_voice: Path) -> None:
    """No tensor is left behind, and none of our own objects."""
    model = Model(custom_voice, new_tokens=4)
    openings = [model.builder.custom(voice, "en") for voice in ("vivian", "ryan")]

    def speak(count: int) -> None:
        for _ in range(count // ROWS):
            talks = [Talk(model.speech(openings[n % 2]), [(0, piece("Hi."))]) for n in range(ROWS)]
            drive(model.slots, talks)
            assert all(0 < len(codes_of(talk.speech)) <= 3 for talk in talks)

    def held() -> tuple[int, int, int]:
        gc.collect()
        kinds = [(type(each), each) for each in gc.get_objects()]
        tensors = [each for kind, each in kinds if kind in (torch.Tensor, torch.nn.Parameter)]
        own = sum(kind.__module__.startswith(("realtime.", "tests.")) for kind, _ in kinds if is_plain(kind))
        return len(tensors), sum(each.untyped_storage().nbytes() for each in tensors), own

    speak(80)
    before = held()
    speak(1000)
    assert held() == before and before[2] > 100
    assert model.slots.free_rows == ROWS and not model.slots.unfinished


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("none left"), RuntimeError("an inner secret")])
@pytest.mark.parametrize("where", ["script", "prepare", "join", "decode"])
def test_what_goes_wrong_with_one_is_nothing_of_the_others(
    custom_voice: Path, where: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its row is free again."""
    model = Model(custom_voice, rows=2, new_tokens=12)
    opening = model.builder.custom("vivian", "en")
    other = Talk(model.speech(opening), [(0, piece(TEXTS[4]))])
    unlucky = Talk(model.speech(opening), [(0, piece(TEXTS[4]))], join_at=3)

    def fails(*args: object) -> None:
        raise error

    script: Future[Script] = Future()
    if where == "script":
        script.set_exception(error)
        unlucky.speech._script = script
    elif where == "prepare":
        script.set_result(LiveScript(model.builder, opening))
        monkeypatch.setattr(script.result(), "prepare", fails)
        unlucky.speech._script = script
    elif where == "join":
        begin = model.decoder.begin
        joins = iter([begin, fails])
        monkeypatch.setattr(model.decoder, "begin", lambda *args: next(joins)(*args))
    else:
        decode = model.codec.decode
        row = model.decoder.rows - 1

        def decode_or_fail(rows: list[int], codes: torch.Tensor, *, lasting: bool) -> torch.Tensor:
            if row in rows:
                raise error
            return decode(rows, codes, lasting=lasting)

        monkeypatch.setattr(model.codec, "decode", decode_or_fail)
    drive(model.slots, [other, unlucky])
    assert unlucky.error is not None and other.error is None
    assert ("memory" in unlucky.error.message) == isinstance(error, torch.OutOfMemoryError)
    assert "secret" not in unlucky.error.message
    assert len(pcm_of(other.speech)) == len(codes_of(other.speech)) * model.config.frame_samples > 0
    assert model.slots.free_rows == 2


def test_who_has_nothing_to_say_holds_no_row(custom_voice: Path) -> None:
    """It gets another one with its next text, and sounds as if it had been alone."""
    model = Model(custom_voice, rows=1, new_tokens=9)
    opening = model.builder.custom("vivian", "en")
    idle, other = model.speech(opening), model.speech(opening)

    def speak(speech: RecordingSpeech) -> None:
        speech.feed([piece("Hi.", speech._generations)])
        speech.flush()
        while model.slots.unfinished or speech.next_step_at(FAR) == -math.inf:
            may_step = speech.next_step_at(FAR) == -math.inf
            for made in model.slots.step([speech] if may_step else [], [FAR] if may_step else []):
                assert made.sound is not None
                made.sound.chunks()

    for speech in (idle, other, idle):
        speak(speech)
        assert len(codes_of(speech)) == 8 * speech._generations and model.slots.free_rows == 1
    alone = model.speech(opening)
    for _ in range(2):
        speak(alone)
    assert np.array_equal(pcm_of(idle), pcm_of(alone))
