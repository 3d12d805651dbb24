"""Prompts on their way into rows: in pieces, from what is kept of earlier ones, and refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from realtime.engines.qwen3 import step
from realtime.engines.qwen3.configuration import read_config
from realtime.engines.qwen3.prefixes import Prefixes
from realtime.engines.qwen3.step import Decoder
from realtime.errors import EngineError
from tests.engines.qwen3.decoding import SAMPLED, Company, decoded, invented, load_talker


def small(folder: Path, **options: Any) -> Decoder:
    return Decoder(load_talker(folder), 4, 128, **{"batch_sizes": (1, 2, 4), "piece": 8} | options)


def test_the_size_of_pieces_does_not_matter(custom_voice: Path) -> None:
    spoken = invented(read_config(custom_voice), 0, length=50, speaker=True)
    whole = small(custom_voice, piece=128)
    wanted = decoded(whole, spoken, 10)
    for piece in (1, 7, 49, 50):
        decoder = small(custom_voice, piece=piece)
        assert np.array_equal(decoded(decoder, spoken, 10), wanted)
        torch.testing.assert_close(
            decoder._state.kv[:, :, 0, :59], whole._state.kv[:, :, 0, :59], rtol=0, atol=1e-5
        )


def test_each_part_of_a_prompt_counts(custom_voice: Path) -> None:
    """A control: codes that differ in the last group, another text, another voice are heard."""
    spoken = invented(read_config(custom_voice), 0, length=20, speaker=True)
    decoder = small(custom_voice)
    wanted = decoded(decoder, spoken, 4)
    prompt = spoken.prompt
    codes, text = prompt.codes.copy(), prompt.text_ids.copy()
    codes[-2, 15] = (codes[-2, 15] + 1) % 2048
    text[2] += 1
    assert prompt.speaker is not None
    changes: list[dict[str, Any]] = [
        {"codes": codes},
        {"text_ids": text},
        {"speaker": -prompt.speaker},
        {"speaker_at": 5},
        {"speaker": None, "speaker_at": -1},
    ]
    for change in changes:
        other = dataclasses.replace(spoken, prompt=dataclasses.replace(prompt, **change))
        assert not np.array_equal(decoded(decoder, other, 4), wanted)


def test_a_prompt_of_one_position_has_nothing_to_work_on(custom_voice: Path) -> None:
    spoken = invented(read_config(custom_voice), 0, length=6)
    prompt = spoken.prompt
    single = dataclasses.replace(prompt, text_ids=prompt.text_ids[:1], codes=prompt.codes[:1])
    decoder = small(custom_voice)
    assert decoder.begin(0, single, SAMPLED, 0).advance(1)
    assert decoder.length(0) == 0
    decoder.step([0], [spoken.token(0)])
    assert decoder.length(0) == 1


def test_others_go_on_while_a_long_prompt_is_worked_on(custom_voice: Path) -> None:
    config = read_config(custom_voice)
    spoken, long = invented(config, 0, sampling=SAMPLED), invented(config, 1, length=60, cacheable=20)
    wanted, wanted_long = (decoded(small(custom_voice), each, 9) for each in (spoken, long))
    decoder = small(custom_voice)
    company = Company(decoder)
    company.join(1, spoken)
    joining = decoder.begin(3, long.prompt, long.sampling, long.seed)
    steps = 0
    while not joining.advance(16):
        with pytest.raises(ValueError, match="row 3 has not joined"):
            decoder.step([3], [0])
        company.step([1])
        steps += 1
    # 59 positions, in pieces of 8 up to position 20 and from there on; two pieces at a time.
    assert steps == 3
    assert joining.done
    assert joining.advance(1)
    codes = []
    for number in range(9):
        codes.append(decoder.step([3], [long.token(number)]).read()[0][0])
        if steps + number < 9:
            company.step([1])
    assert np.array_equal(codes, wanted_long)
    assert np.array_equal(company.codes[1], wanted[: len(company.codes[1])])


def test_a_row_that_was_given_away_is_left_alone(custom_voice: Path) -> None:
    config = read_config(custom_voice)
    old, new = invented(config, 0, length=40), invented(config, 1)
    wanted = decoded(small(custom_voice), new, 5)
    decoder = small(custom_voice)
    begun, not_begun = decoder.begin(0, old.prompt, old.sampling, 0), None
    assert not begun.advance(8)
    not_begun = decoder.begin(0, old.prompt, old.sampling, 0)
    decoder.join(0, new.prompt, new.sampling, new.seed)
    for stale in (begun, not_begun):
        with pytest.raises(ValueError, match="row 0 was given away"):
            stale.advance(8)
    codes = [decoder.step([0], [new.token(number)]).read()[0][0] for number in range(5)]
    assert np.array_equal(codes, wanted)


def counted(monkeypatch: pytest.MonkeyPatch, decoder: Decoder) -> list[int]:
    """How many positions are worked on, piece by piece."""
    done: list[int] = []
    run = decoder._prefill.run

    def count(row: int, start: int, rows: Any, *rest: Any) -> None:
        done.append(len(rows))
        run(row, start, rows, *rest)

    monkeypatch.setattr(decoder._prefill, "run", count)
    return done


def test_what_prompts_have_in_common_is_worked_on_once(
    custom_voice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = read_config(custom_voice)
    spoken = invented(config, 0, length=20, cacheable=11, speaker=True)
    text = spoken.prompt.text_ids.copy()
    text[11:] = (text[11:] + 1) % 2000
    other = dataclasses.replace(spoken, prompt=dataclasses.replace(spoken.prompt, text_ids=text))
    wanted = [decoded(small(custom_voice), each, 6) for each in (spoken, other)]
    assert not np.array_equal(*wanted)
    decoder = small(custom_voice)
    done = counted(monkeypatch, decoder)
    for row, (each, codes) in enumerate(zip((spoken, other), wanted, strict=True)):
        assert np.array_equal(decoded(decoder, each, 6, row), codes)
    assert done == [8, 3, 8, 8]


def test_a_prompt_that_is_all_kept_needs_no_work(custom_voice: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the streaming layout is: only the last position has text in it."""
    spoken = invented(read_config(custom_voice), 0, length=10, cacheable=9)
    decoder = small(custom_voice)
    wanted = decoded(decoder, spoken, 6)
    done = counted(monkeypatch, decoder)
    assert np.array_equal(decoded(decoder, spoken, 6, 2), wanted)
    assert done == []


def test_other_keys_share_nothing(custom_voice: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spoken = invented(read_config(custom_voice), 0, length=10, cacheable=9)
    other = dataclasses.replace(spoken.prompt, cache_key="another")
    shorter = dataclasses.replace(spoken.prompt, cacheable=4)
    decoder = small(custom_voice)
    done = counted(monkeypatch, decoder)
    for prompt in (spoken.prompt, other, shorter):
        decoder.join(0, prompt, SAMPLED, 0)
    assert sum(done) == 3 * 9


def test_what_is_kept_is_bounded_and_the_longest_unused_goes_first() -> None:
    kv = torch.arange(2 * 2 * 3 * 8 * 1 * 2, dtype=torch.float32).reshape(2, 2, 3, 8, 1, 2)
    prefixes = Prefixes(kv, 10)
    original = kv.clone()
    prefixes.put("a", 0, 4)
    prefixes.put("b", 1, 4)
    assert prefixes.restore("a", 2)
    assert torch.equal(kv[:, :, 2, :4], original[:, :, 0, :4])
    assert torch.equal(kv[:, :, 2, 4:], original[:, :, 2, 4:])
    prefixes.put("c", 2, 5)
    assert len(prefixes) == 2
    assert not prefixes.restore("b", 1)
    kv[:, :, 0] = -1
    assert prefixes.restore("a", 0)
    assert torch.equal(kv[:, :, 0, :4], original[:, :, 0, :4])
    assert (kv[:, :, 0, 4:] == -1).all()
    # What fits at no time throws nothing out; the same key takes the place of its own.
    prefixes.put("d", 0, 11)
    assert not prefixes.restore("d", 0)
    prefixes.put("a", 1, 5)
    assert len(prefixes) == 2
    assert prefixes.restore("c", 2)
    assert prefixes.restore("a", 2)
    assert torch.equal(kv[:, :, 2, :5], original[:, :, 1, :5])


def test_a_prompt_too_long_is_refused(custom_voice: Path) -> None:
    config, decoder = read_config(custom_voice), small(custom_voice)
    spoken = invented(config, 0, length=128)
    decoder.join(0, spoken.prompt, spoken.sampling, 0)
    assert decoder.length(0) == 127
    spoken = invented(config, 0, length=129)
    with pytest.raises(EngineError, match=r"^a prompt of 129 positions is too long: at most 128 fit$"):
        decoder.join(0, spoken.prompt, spoken.sampling, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"codes": np.zeros((12, 15), np.int64)}, r"needs codes of the shape \(12, 16\)"),
        ({"codes": np.full((12, 16), -2)}, "codes that the model does not know"),
        ({"codes": np.full((12, 16), 2048)}, "codes that the model does not know"),
        ({"text_ids": np.full(12, 2048)}, "text tokens that are not from 0 to 2047"),
        ({"text_ids": np.full(12, -1)}, "text tokens that are not from 0 to 2047"),
        ({"text_ids": np.zeros(0, np.int64), "codes": np.zeros((0, 16), np.int64)}, "must not be empty"),
        ({"speaker": np.zeros(63, np.float32), "speaker_at": 3}, r"a voice of \(63,\) numbers"),
        ({"speaker": np.zeros(64, np.float32), "speaker_at": 12}, "at position 12"),
        ({"speaker": None, "speaker_at": 3}, "at position 3"),
    ],
)
def test_prompts_of_another_model_are_refused(
    custom_voice: Path, change: dict[str, Any], message: str
) -> None:
    prompt = invented(read_config(custom_voice), 0).prompt
    decoder = small(custom_voice)
    with pytest.raises(EngineError, match=message):
        decoder.join(0, dataclasses.replace(prompt, **change), SAMPLED, 0)
    # A code of the first group may be any of the talker's vocabulary.
    codes = np.full((12, 16), -1)
    codes[:, 0] = 3071
    decoder.join(0, dataclasses.replace(prompt, codes=codes), SAMPLED, 0)


@pytest.mark.parametrize("row", [-1, 4])
def test_rows_that_are_not_there_are_refused(custom_voice: Path, row: int) -> None:
    prompt = invented(read_config(custom_voice), 0).prompt
    decoder = small(custom_voice)
    for refused in (
        lambda: decoder.join(row, prompt, SAMPLED, 0),
        lambda: decoder.leave(row),
        lambda: decoder.length(row),
    ):
        with pytest.raises(ValueError, match=f"row {row} is not one of 4"):
            refused()


def test_buckets_double_up_to_the_longest() -> None:
    assert step._buckets(1000) == (128, 256, 512, 1000)
    assert step._buckets(1024) == (128, 256, 512, 1024)
    assert step._buckets(128) == (128,)
    assert step._buckets(30) == (30,)
