"""Drawing codes: what is left out is what transformers leaves out, the rest is drawn as it should be."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers.generation import logits_process as reference

from realtime.engines.qwen3.configuration import TalkerConfig, read_config
from realtime.engines.qwen3.fields import Field
from realtime.engines.qwen3.sampling import (
    Draw,
    Drawing,
    Noise,
    PlainSampler,
    bars,
    drawn,
    drawn_of_few,
    penalised,
    plain_draw,
    warped,
)
from tests.engines.qwen3.decoding import CPU

CONFIG = TalkerConfig(vocab_size=3072, num_code_groups=16, codec_eos_token_id=2150)


def a_draw(vocabulary: int, *asked: tuple[bool, float, int, float]) -> Draw:
    columns = torch.tensor([plain_draw(*each, vocabulary) for each in asked], dtype=torch.float64)
    temperature, top_k, rest, noise = columns[:, :, None].unbind(1)
    return Draw(temperature.float(), top_k.long(), rest.float(), noise.float())


def by_id(scores: Tensor, draw: Draw) -> Tensor:
    ordered, ids = warped(scores, draw)
    return torch.empty_like(scores).scatter_(1, ids, ordered)


def random_scores(rows: int, vocabulary: int, seed: int) -> Tensor:
    return 3 * torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("temperature", [0.05, 0.7, 0.9, 1.0, 1.9])
@pytest.mark.parametrize("top_k", [0, 1, 7, 50, 2047, 2048, 5000])
@pytest.mark.parametrize("top_p", [0.0, 0.3, 0.8, 0.95, 0.999, 1.0])
def test_what_is_left_out_is_what_transformers_leaves_out(
    temperature: float, top_k: int, top_p: float
) -> None:
    scores = random_scores(4, 2048, 1)
    wanted = reference.TemperatureLogitsWarper(temperature)(None, scores)
    if top_k != 0:
        wanted = reference.TopKLogitsWarper(top_k)(None, wanted)
    if top_p < 1.0:
        wanted = reference.TopPLogitsWarper(top_p)(None, wanted)
    ours = by_id(scores, a_draw(2048, *[(True, temperature, top_k, top_p)] * 4))
    assert torch.equal(ours, wanted)


def test_each_place_has_its_own_way() -> None:
    scores = random_scores(1, 2048, 2).expand(4, -1)
    asked = [(True, 0.9, 50, 1.0), (True, 1.5, 0, 0.7), (False, 0.3, 5, 0.1), (True, 0.6, 9, 0.9)]
    together = by_id(scores, a_draw(2048, *asked))
    for index, each in enumerate(asked):
        assert torch.equal(together[index], by_id(scores[:1], a_draw(2048, each))[0])
    kept = (together > -torch.inf).sum(1)
    assert kept[0] == 50
    assert 50 < kept[1] < 2048
    assert kept[2] == 2048
    assert kept[3] < 9


def test_of_equal_scores_top_k_keeps_all_and_the_first_is_the_likeliest() -> None:
    scores = torch.tensor([[1.0, 3.0, 2.0, 3.0, 2.0, 0.0]])
    for top_k, kept in ((1, 2), (2, 2), (3, 4), (4, 4), (5, 5)):
        draw = a_draw(6, (True, 1.0, top_k, 1.0))
        assert torch.equal(by_id(scores, draw), reference.TopKLogitsWarper(top_k)(None, scores))
        assert (by_id(scores, draw) > -torch.inf).sum() == kept
    assert drawn(scores, a_draw(6, (False, 1.0, 0, 1.0)), torch.rand(1, 6)).item() == 1


def test_penalty_and_bars_are_those_of_transformers() -> None:
    scores = random_scores(5, 3072, 3)
    history = [[5, 9, 5], [0, 2047, 2150], [], [7], [1, 2]]
    seen = torch.zeros(5, 3072, dtype=torch.bool)
    for row, ids in enumerate(history):
        seen[row, ids] = True
    end = CONFIG.codec_eos_token_id
    suppressed = [number for number in range(2048, 3072) if number != end]
    for frame in range(4):
        ours = penalised(scores, seen, torch.full((5, 1), 1.3)) + bars(CONFIG)[int(frame >= 2)]
        for row, ids in enumerate(history):
            given = torch.tensor([ids], dtype=torch.int64)
            wanted = reference.RepetitionPenaltyLogitsProcessor(1.3)(given, scores[row : row + 1])
            so_far = torch.zeros(1, frame, dtype=torch.int64)
            wanted = reference.MinNewTokensLengthLogitsProcessor(0, 2, end)(so_far, wanted)
            wanted = reference.SuppressTokensLogitsProcessor(suppressed)(given, wanted)
            assert torch.equal(ours[row], wanted[0])


def test_the_likeliest_is_drawn_without_noise() -> None:
    scores = random_scores(3, 2048, 4)
    noise = 100 * torch.rand(3, 3072)
    codes = drawn(scores, a_draw(2048, *[(False, 0.9, 50, 0.5)] * 3), noise)
    assert torch.equal(codes, scores.argmax(1))
    assert not torch.equal(drawn(scores, a_draw(2048, *[(True, 0.9, 50, 1.0)] * 3), noise), scores.argmax(1))


def test_without_top_p_nothing_need_be_sorted() -> None:
    """Also of scores many of which are equal, and with noise that gives several the same sum."""
    asked = [(True, 0.9, 50, 1.0), (True, 1.3, 0, 1.0), (False, 1.0, 0, 1.0), (True, 0.7, 1, 1.0)]
    draw = a_draw(2048, *asked, (True, 0.5, 7, 1.0), (True, 1.0, 2048, 1.0))
    for seed in range(20):
        scores = random_scores(6, 2048, seed)
        noise = Noise(1, 3072, CPU)(*torch.arange(18, dtype=torch.int32).view(3, 6))[:, 0]
        if seed % 2:
            scores, noise = scores.round(), noise.round()
        assert torch.equal(drawn_of_few(scores, draw, noise, 50), drawn(scores, draw, noise))


def test_what_is_looked_at_beforehand_changes_nothing(custom_voice: Path) -> None:
    """Nobody has noise, nobody top-p, or somebody has: the same codes as by the functions for all of them."""
    config = read_config(custom_voice).talker
    ways: list[tuple[bool, float, int, float]] = [
        *((False, 1.0, 0, 1.0), (False, 0.5, 3, 0.1)),
        *((True, 0.9, 50, 1.0), (True, 1.4, 0, 1.0)),
        *((True, 0.8, 9, 0.6), (True, 1.2, 0, 0.9)),
    ]
    sizes = config.vocab_size, config.code_predictor_config.vocab_size
    looks, made = PlainSampler(config, CPU), set()
    plain = PlainSampler(config, CPU, lambda function: lambda *given: function(*given))
    for first, *others in itertools.product(ways, repeat=3):
        fields = np.zeros((len(Field), 2), dtype=np.int32)
        numbers = fields[Field.TEMPERATURE :].view(np.float32)
        fields[Field.ROW] = 0, 1
        fields[Field.FRAME], fields[Field.SEED_LOW] = (3, 4), (5, -6)
        for place, (one, other) in enumerate(((first, others[0]), (others[1], first))):
            numbers_of = plain_draw(*one, sizes[0]), plain_draw(*other, sizes[1])
            fields[[Field.TOP_K, Field.SUB_TOP_K], place] = [each[1] for each in numbers_of]
            numbers[:, place] = (
                *[numbers_of[0][at] for at in (0, 2, 3)],
                1.1,
                *[numbers_of[1][at] for at in (0, 2, 3)],
            )
        codes = []
        for sampler in (looks, plain):
            drawing = sampler.begin(torch.from_numpy(fields))
            made.add((drawing.noise is None, drawing.most is None))
            logits, seen = random_scores(2, sizes[0], 8), torch.zeros(2, sizes[0], dtype=torch.bool)
            drawn_codes = [sampler.first(drawing, logits, seen)]
            drawn_codes += [sampler.other(drawing, group, logits[:, : sizes[1]]) for group in (1, 15)]
            codes.append((torch.stack(drawn_codes), seen))
        assert torch.equal(codes[0][0], codes[1][0]) and torch.equal(codes[0][1], codes[1][1])
    assert made == {(True, True), (False, False), (False, True)}


def frequencies(scores: Tensor, draw: Draw, count: int, seed: int) -> Tensor:
    """How often each of `scores` (vocabulary,) is drawn in `count` frames."""
    size = len(scores)
    noise = Noise(1, size, CPU)
    frames = torch.arange(count, dtype=torch.int32)
    low, high = torch.full((2, count), seed, dtype=torch.int32)
    made = noise(low, high, frames)[:, 0]
    rows = Draw(*(part.expand(count, 1) for part in (draw.temperature, draw.top_k, draw.rest, draw.noise)))
    return torch.bincount(drawn(scores.expand(count, -1), rows, made), minlength=size) / count


@pytest.mark.parametrize("seed", [0, 1, -77])
def test_codes_are_drawn_as_often_as_their_probability(seed: int) -> None:
    scores = torch.tensor([2.0, 0.0, -1.0, 1.0, 0.5, -4.0, 1.9])
    count = 40_000
    for asked in ((True, 1.0, 0, 1.0), (True, 0.5, 0, 1.0), (True, 1.0, 3, 1.0), (True, 1.4, 0, 0.8)):
        draw = a_draw(7, asked)
        wanted = by_id(scores[None], draw)[0].softmax(-1)
        found = frequencies(scores, draw, count, seed)
        # Four deviations of what chance makes of so many draws.
        assert ((found - wanted).abs() <= 4 * (wanted * (1 - wanted) / count).sqrt()).all()
        assert found[wanted == 0].sum() == 0
    # It can fail: another temperature is told apart.
    wanted = (scores / 1.1).softmax(-1)
    found = frequencies(scores, a_draw(7, (True, 1.0, 0, 1.0)), count, seed)
    assert ((found - wanted).abs() > 4 * (wanted * (1 - wanted) / count).sqrt()).any()


def test_noise_is_gumbels_and_independent_of_all_its_counters() -> None:
    noise = Noise(16, 3072, CPU)
    low = torch.arange(8, dtype=torch.int32)
    made = noise(low, torch.zeros_like(low), torch.zeros_like(low))
    assert made.shape == (8, 16, 3072)
    assert made.dtype == torch.float32
    assert made.isfinite().all()
    # Mean and deviation of the distribution; deviations of what chance makes of them.
    count = made.numel()
    assert abs(made.mean().item() - 0.57722) < 4 * 1.2825 / count**0.5
    assert abs(made.std().item() - 1.28255) < 4 * 1.2825 * (4.4 / 4 / count) ** 0.5
    uniform = torch.exp(-torch.exp(-made.double())).sort(-1).values
    even = (torch.arange(3072) + 0.5) / 3072
    assert (uniform - even).abs().max() < 2.2 / 3072**0.5
    # Neighbours in each of the counters have nothing to do with each other.
    frames = noise(torch.full_like(low, 3), torch.zeros_like(low), low)
    halves = noise(torch.zeros_like(low), low, torch.zeros_like(low))
    for numbers in (made, made.transpose(0, 1), made.transpose(0, 2), frames, halves):
        left, right = numbers[1:].flatten().double(), numbers[:-1].flatten().double()
        related = torch.corrcoef(torch.stack((left, right)))[0, 1].item()
        assert abs(related) < 4 / len(left) ** 0.5


def test_noise_depends_on_nothing_but_its_counters() -> None:
    noise = Noise(16, 2048, CPU)
    low = torch.tensor([7, -5, 2**31 - 1], dtype=torch.int32)
    high = torch.tensor([0, 1, -(2**31)], dtype=torch.int32)
    frame = torch.tensor([0, 9, 4000], dtype=torch.int32)
    together = noise(low, high, frame)
    for index in range(3):
        alone = noise(low[index : index + 1], high[index : index + 1], frame[index : index + 1])
        assert torch.equal(together[index], alone[0])
    # In whole numbers without an end, by hand: a seed that someone has kept goes on giving the same speech.
    for place, group, number in ((0, 0, 0), (1, 2, 5), (2, 15, 2047)):
        wanted = by_hand(int(low[place]), int(high[place]), int(frame[place]), group, number)
        assert together[place, group, number].item() == pytest.approx(wanted, rel=1e-5)


def by_hand(low: int, high: int, frame: int, group: int, number: int) -> float:
    def hashed(x: int) -> int:
        x %= 1 << 32
        x = (x ^ (x >> 16)) * 0x7FEB352D % (1 << 32)
        x = (x ^ (x >> 15)) * 0x846CA68B % (1 << 32)
        return x ^ (x >> 16)

    key = hashed(hashed(hashed(low) ^ high % (1 << 32)) + frame * 0x9E3779B9)
    bits = hashed(hashed(key + (group + 1) * 0x85EBCA6B) + (number + 1) * 0xC2B2AE35)
    return -math.log(-math.log(((bits >> 9) + 0.5) / (1 << 23)))


def test_first_codes_are_marked_and_the_end_is_barred_at_first(custom_voice: Path) -> None:
    config = read_config(custom_voice).talker
    sampler = PlainSampler(config, CPU)
    end = config.codec_eos_token_id
    fields = np.zeros((len(Field), 3), dtype=np.int32)
    numbers = fields[Field.TEMPERATURE :].view(np.float32)
    numbers[:] = np.array([1.0, -1.0, 0.0, 1.0, 1.0, -1.0, 0.0])[:, None]
    fields[Field.ROW] = 2, 0, 3
    fields[Field.FRAME] = 0, 1, 2
    fields[Field.TOP_K] = config.vocab_size
    logits = torch.zeros(3, config.vocab_size)
    logits[:, 2047], logits[:, 2048], logits[:, end] = 1.0, 9.0, 5.0
    seen = torch.zeros(5, config.vocab_size, dtype=torch.bool)
    drawing = sampler.begin(torch.from_numpy(fields))
    assert isinstance(drawing, Drawing)
    codes = sampler.first(drawing, logits, seen)
    assert codes.tolist() == [2047, 2047, end]
    marked = [(2, 2047), (0, 2047), (3, end)]
    assert sorted(map(tuple, seen.nonzero().tolist())) == sorted(marked)
