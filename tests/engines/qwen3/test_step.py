"""The decode step: equal to qwen-tts, and each row the same whatever else is decoded."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from realtime.engines.qwen3.configuration import ModelKind, read_config
from realtime.engines.qwen3.step import RING, Decoder, decoder_bytes
from realtime.errors import EngineError
from tests.engines.qwen3.checkpoint import Size
from tests.engines.qwen3.conftest import Checkpoints, References
from tests.engines.qwen3.decoding import (
    GREEDY,
    SAMPLED,
    Company,
    Utterance,
    decoded,
    invented,
    load_talker,
    utterance,
    with_seed,
)
from tests.engines.qwen3.reference import FRAMES, clone_prompt, greedy_codes, recording

if TYPE_CHECKING:
    from qwen_tts import Qwen3TTSModel

#: Frames that are compared here, of prompts by hand; `test_exactness` compares more.
FEW = 16
#: Kind and size of a model, whether the clone (if any) is in context, the text, and what else is asked.
CASES: list[tuple[ModelKind, Size, bool | None, str, dict[str, Any]]] = [
    ("custom_voice", "1b7", None, "The quick brown fox jumps over the lazy dog.", {"speaker": "ryan"}),
    (
        "custom_voice",
        "1b7",
        None,
        "Am Ende war doch alles ganz anders, als wir dachten.",
        {"speaker": "vivian", "language": "german", "instruct": "Sprich leise und langsam."},
    ),
    ("custom_voice", "0b6", None, "\u4eca\u5929\u5929\u6c14\u5f88\u597d\u3002", {"speaker": "eric"}),
    ("base", "1b7", False, "Where did they go, and when will they be back?", {"language": "english"}),
    ("base", "0b6", True, "Short one.", {"language": "english"}),
    (
        "base",
        "1b7",
        True,
        "A much longer text, so that there is more of it than there are frames of the reference recording,"
        " which lasts for two seconds only, and then it goes on and on until nobody listens any more.",
        {},
    ),
    ("voice_design", "1b7", None, "Good morning!", {"instruct": "An old man with a deep voice."}),
    ("voice_design", "1b7", None, "It costs 12 euros.", {"language": "english", "instruct": ""}),
]


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize(("kind", "size", "in_context", "text", "asked"), CASES)
def test_greedy_codes_equal_qwen_tts(
    checkpoints: Checkpoints,
    references: References,
    kind: ModelKind,
    size: Size,
    in_context: bool | None,
    text: str,
    asked: dict[str, Any],
    streaming: bool,
) -> None:
    reference, folder = references(kind, size), checkpoints(kind, size)
    asked = dict(asked)
    if in_context is not None:
        asked["clone"] = clone_prompt(reference, recording(), "What was said." if in_context else None)
    wanted = greedy_codes(reference, text, streaming=streaming, frames=FEW, **asked)
    assert wanted.shape == (FEW, 16)
    spoken = utterance(reference, read_config(folder), text, streaming=streaming, **asked)
    decoder = Decoder(load_talker(folder), 2, 256, batch_sizes=(1,), piece=16)
    assert np.array_equal(decoded(decoder, spoken, FEW), wanted)


def test_a_late_word_changes_late_codes(checkpoints: Checkpoints, references: References) -> None:
    """The control of the test above: what is not the same text does not give the same codes."""
    folder, reference = checkpoints("custom_voice", "1b7"), references("custom_voice", "1b7")
    config, decoder = read_config(folder), Decoder(load_talker(folder), 1, 256, batch_sizes=(1,))
    codes = []
    for text in ("One two three four five six seven eight.", "One two three four five six seven nine."):
        spoken = utterance(reference, config, text, speaker="ryan", language="english")
        codes.append((spoken, decoded(decoder, spoken, 30)))
    (first, ours), (second, others) = codes
    changed = next(step for step in range(30) if first.token(step) != second.token(step))
    assert 3 < changed < 25
    differs = (ours != others).any(axis=1)
    assert not differs[:changed].any()
    assert differs[changed]


@pytest.mark.parametrize("streaming", [True, False])
def test_it_ends_where_qwen_tts_ends(ending_reference: tuple[Path, Qwen3TTSModel], streaming: bool) -> None:
    folder, reference = ending_reference
    asked = {"speaker": "aiden", "language": "english"}
    wanted = greedy_codes(reference, "And this one ends.", streaming=streaming, **asked)
    assert 2 <= len(wanted) < FRAMES
    spoken = utterance(reference, read_config(folder), "And this one ends.", streaming=streaming, **asked)
    decoder = Decoder(load_talker(folder), 1, 256, batch_sizes=(1,))
    assert np.array_equal(decoded(decoder, spoken, FRAMES), wanted)


def mixed(folder: Path, count: int) -> list[Utterance]:
    """Utterances that differ in all that can be different: length, sampling, seed, voice."""
    config = read_config(folder)
    hot = SAMPLED.__class__(True, 1.4, 0, 0.8, 1.3, True, 0.6, 5, 0.7)
    half = SAMPLED.__class__(False, 0.9, 50, 1.0, 1.2, True, 0.9, 3, 1.0)
    ways = (GREEDY, SAMPLED, hot, half)
    return [
        invented(
            config,
            seed,
            length=5 + 7 * seed % 40,
            cacheable=seed % 4,
            sampling=ways[seed % 4],
            speaker=seed % 3 == 0,
        )
        for seed in range(count)
    ]


@cache
def alone(folder: Path) -> dict[int, NDArray[np.int64]]:
    """Codes of sixteen frames of each of `mixed(folder, 12)`, by its seed; also of those after an end.

    Such codes mean nothing, but are the same every time.
    """
    return {each.seed: solo(folder, each, 16) for each in mixed(folder, 12)}


def solo(folder: Path, spoken: Utterance, frames: int) -> NDArray[np.int64]:
    company = Company(Decoder(load_talker(folder), 1, 128, batch_sizes=(1,)))
    company.join(0, spoken)
    for _ in range(frames):
        company.step([0])
    return np.array(company.codes[0])


@pytest.mark.parametrize("size", range(1, 9))
def test_rows_are_the_same_in_any_company(custom_voice: Path, size: int) -> None:
    talker = load_talker(custom_voice)
    spoken = mixed(custom_voice, size)
    company = Company(Decoder(talker, 8, 128, batch_sizes=(1, 2, 4, 8)))
    rows = np.random.default_rng(size).permutation(8)[:size].tolist()
    for row, each in zip(rows, spoken, strict=True):
        company.join(row, each)
    for _ in range(12):
        company.step(rows)
    for row, each in zip(rows, spoken, strict=True):
        assert np.array_equal(company.codes[row], alone(custom_voice)[each.seed][:12])


@pytest.mark.parametrize("seed", range(3))
def test_rows_join_leave_and_wait_at_random(custom_voice: Path, seed: int) -> None:
    """Each step names any rows in any order; rows wait, are cut short, and are given to the next."""
    talker, random = load_talker(custom_voice), np.random.default_rng(seed)
    waiting = mixed(custom_voice, 12)
    expected = alone(custom_voice)
    company = Company(Decoder(talker, 6, 128, batch_sizes=(1, 2, 4, 8)))
    speaking: dict[int, tuple[Utterance, int]] = {}
    compared = 0
    while waiting or speaking:
        free = [row for row in range(6) if row not in speaking]
        if waiting and free and random.random() < 0.5:
            row = int(random.choice(free))
            # Some are cancelled long before they would end.
            speaking[row] = waiting.pop(), int(random.integers(1, 17))
            company.join(row, speaking[row][0])
        if not speaking:
            continue
        count = int(random.integers(1, len(speaking) + 1))
        company.step([int(row) for row in random.permutation(list(speaking))[:count]])
        for row, (each, frames) in list(speaking.items()):
            if len(company.codes[row]) == frames:
                assert np.array_equal(company.codes[row], expected[each.seed][:frames])
                compared += frames
                del speaking[row]
    assert compared > 60


def test_equal_seeds_give_equal_codes_and_others_do_not(custom_voice: Path) -> None:
    decoder = Decoder(load_talker(custom_voice), 4, 128, batch_sizes=(4,))
    spoken = invented(read_config(custom_voice), 0, sampling=SAMPLED)
    company = Company(decoder)
    for row, seed in enumerate((5, 5, 6, 5 + (1 << 40))):
        company.join(row, with_seed(spoken, seed))
    for _ in range(6):
        company.step(range(4))
    codes = [np.array(company.codes[row]) for row in range(4)]
    assert np.array_equal(codes[0], codes[1])
    assert not np.array_equal(codes[0], codes[2])
    assert not np.array_equal(codes[0], codes[3])
    assert not np.array_equal(codes[0], decoded(decoder, invented(read_config(custom_voice), 0), 6))


def test_each_frame_and_each_group_has_noise_of_its_own(custom_voice: Path) -> None:
    """So hot that the noise alone decides: then no two codes that could be compared are the same."""
    hot = dataclasses.replace(SAMPLED, temperature=1000.0, top_k=0, sub_temperature=1000.0, sub_top_k=0)
    decoder = Decoder(load_talker(custom_voice), 1, 128, batch_sizes=(1,))
    codes = decoded(decoder, invented(read_config(custom_voice), 0, sampling=hot), 12)
    for axis in (0, 1):
        same = codes == np.roll(codes, 1, axis=axis)
        assert same.mean() < 0.05


@pytest.mark.parametrize("seed", [-1, 1 << 63, (1 << 64) + 3])
def test_any_whole_number_is_a_seed(custom_voice: Path, seed: int) -> None:
    decoder = Decoder(load_talker(custom_voice), 1, 128, batch_sizes=(1,))
    spoken = invented(read_config(custom_voice), 0, sampling=SAMPLED)
    codes = decoded(decoder, with_seed(spoken, seed), 3)
    assert np.array_equal(codes, decoded(decoder, with_seed(spoken, seed & (1 << 64) - 1), 3))


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED])
def test_nothing_of_a_predecessor_remains(custom_voice: Path, sampling: Any) -> None:
    config, talker = read_config(custom_voice), load_talker(custom_voice)
    spoken = invented(config, 1, sampling=sampling, speaker=True)
    wanted = decoded(Decoder(talker, 2, 128, batch_sizes=(1,)), spoken, 10)
    decoder = Decoder(talker, 2, 128, batch_sizes=(1,))
    decoded(decoder, invented(config, 2, length=60, sampling=SAMPLED), 30)
    decoder.leave(0)
    assert decoder.length(0) == 0
    with pytest.raises(ValueError, match="row 0 has not joined"):
        decoder.step([0], [1])
    assert np.array_equal(decoded(decoder, spoken, 10), wanted)


def test_the_length_of_a_row_is_known_and_a_full_row_is_refused(custom_voice: Path) -> None:
    decoder = Decoder(load_talker(custom_voice), 2, 16, batch_sizes=(1, 2))
    spoken = invented(read_config(custom_voice), 3, length=14)
    company = Company(decoder)
    company.join(0, spoken)
    company.join(1, invented(read_config(custom_voice), 4, length=16))
    assert (decoder.length(0), decoder.length(1)) == (13, 15)
    company.step([1, 0])
    assert (decoder.length(0), decoder.length(1)) == (14, 16)
    with pytest.raises(ValueError, match="row 1 is full: it has 16 positions"):
        decoder.step([0, 1], [1, 1])
    assert decoder.length(0) == 14
    company.step([0])
    company.step([0])
    assert decoder.length(0) == 16
    # To the last position, the codes are those of a row with more room.
    wide = Decoder(load_talker(custom_voice), 1, 64, batch_sizes=(1,))
    assert np.array_equal(company.codes[0], decoded(wide, spoken, 3))


def test_frames_last_for_so_many_steps(custom_voice: Path) -> None:
    decoder = Decoder(load_talker(custom_voice), 1, 128, batch_sizes=(1,))
    spoken = invented(read_config(custom_voice), 0)
    wanted = decoded(decoder, spoken, 2 * RING)
    decoder.join(0, spoken.prompt, spoken.sampling, spoken.seed)
    frames = [decoder.step([0], [spoken.token(step)]) for step in range(RING)]
    assert all(frame.ready() for frame in frames)
    for number, frame in enumerate(frames):
        assert np.array_equal(frame.read()[0][0], wanted[number])
        assert np.array_equal(frame.codes.numpy()[0], wanted[number])
    decoder.step([0], [spoken.token(RING)])
    assert np.array_equal(frames[1].read()[0][0], wanted[1])
    with pytest.raises(ValueError, match="must be read before"):
        frames[0].read()


@pytest.mark.parametrize(
    ("rows", "tokens", "message"),
    [
        ([], [], "from 1 to 2 different rows"),
        ([0, 0], [1, 1], "2 rows, 1 different"),
        ([0, 1], [1], "and 1 tokens"),
        ([0, 1, 2], [1, 1, 1], "3 rows, 3 different"),
        ([4], [1], "row 4 is not one of 3"),
        ([-1], [1], "row -1 is not one of 3"),
        ([2], [1], "row 2 has not joined"),
        ([0], [2048], "text token 2048"),
        ([0], [-1], "text token -1"),
    ],
)
def test_impossible_steps_are_refused(
    custom_voice: Path, rows: list[int], tokens: list[int], message: str
) -> None:
    decoder = Decoder(load_talker(custom_voice), 3, 128, batch_sizes=(1, 2))
    for row in range(2):
        spoken = invented(read_config(custom_voice), row)
        decoder.join(row, spoken.prompt, spoken.sampling, spoken.seed)
    with pytest.raises(ValueError, match=message):
        decoder.step(rows, tokens)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 0.0),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("top_k", -1),
        ("top_p", -0.1),
        ("top_p", 1.1),
        ("top_p", float("nan")),
        ("repetition_penalty", 0.0),
        ("repetition_penalty", float("inf")),
    ],
)
def test_impossible_sampling_is_refused(custom_voice: Path, field: str, value: float) -> None:
    decoder = Decoder(load_talker(custom_voice), 1, 128, batch_sizes=(1,))
    spoken = invented(read_config(custom_voice), 0)
    wanted = decoded(decoder, spoken, 2)
    for name in (field, f"sub_{field}"):
        if hasattr(SAMPLED, name):
            with pytest.raises(EngineError, match=f"a {field} of {value} cannot be used"):
                decoder.join(0, spoken.prompt, dataclasses.replace(SAMPLED, **{name: value}), 0)
    # What was refused has changed nothing.
    assert decoder.length(0) == len(spoken.prompt.text_ids) + 1
    assert np.array_equal(decoded(decoder, spoken, 2), wanted)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_near(custom_voice: Path, dtype: torch.dtype) -> None:
    """Codes of random weights part soon; the first ones, and the sums they rest on, are still the same."""
    config = read_config(custom_voice)
    agreed = 0
    for seed in range(8):
        spoken = invented(config, seed)
        exact = decoded(Decoder(load_talker(custom_voice), 1, 128, batch_sizes=(1,)), spoken, 1)
        half = decoded(Decoder(load_talker(custom_voice, dtype), 1, 128, batch_sizes=(1,)), spoken, 1)
        agreed += int((exact[0, :2] == half[0, :2]).sum())
    assert agreed >= 13


def test_its_memory_is_what_was_said(custom_voice: Path) -> None:
    config = read_config(custom_voice)
    decoder = Decoder(load_talker(custom_voice), 5, 100, batch_sizes=(1,), prefix_positions=50)
    state, prefixes = decoder._state, decoder._prefixes
    kept = [state.kv, state.last, state.seen, prefixes._store]
    said = decoder_bytes(config, 5, 100, torch.float32, 50)
    assert sum(tensor.untyped_storage().nbytes() for tensor in kept) == said
