"""A decoder takes its memory when it is made: a thousand utterances later it has no more."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import torch

from realtime.engines.qwen3.configuration import read_config
from realtime.engines.qwen3.step import Decoder
from tests.engines.qwen3.decoding import SAMPLED, invented, load_talker

#: Python's own blocks of memory may differ by so many: less than one for each utterance.
_SLACK = 500


def kept() -> tuple[int, int]:
    """How many tensors there are, and the bytes of their storages."""
    gc.collect()
    # Of other classes are those that stand for tensors while torch traces something.
    tensors = [each for each in gc.get_objects() if type(each) is torch.Tensor]
    storages = {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in tensors}
    return len(tensors), sum(storages.values())


def test_memory_is_flat_over_a_thousand_utterances(custom_voice: Path) -> None:
    config = read_config(custom_voice)
    decoder = Decoder(load_talker(custom_voice), 8, 64, batch_sizes=(1, 2, 4), piece=16, prefix_positions=40)
    # Twelve voices, of whose beginnings only some can be kept; every prompt longer than one piece.
    spoken = [
        invented(config, seed, length=18 + seed % 3, cacheable=5 + seed % 4, sampling=SAMPLED)
        for seed in range(12)
    ]

    def speak(number: int) -> None:
        each, rows = spoken[number * 7 % 12], [number % 8, (number + 3) % 8][: 1 + number % 2]
        joining = decoder.begin(rows[0], each.prompt, each.sampling, number)
        if number % 5 == 0:
            # Given up half way, and begun again.
            joining.advance(16)
        decoder.join(rows[0], each.prompt, each.sampling, number)
        # In all rows by then: the second one may be any.
        if number >= 8 and number % 3 == 0:
            decoder.step(rows, [1] * len(rows)).read()

    # All that recurs, voices and what is kept of them, does so every 60 utterances.
    for number in range(100):
        speak(number)
    before = kept()
    blocks = sys.getallocatedblocks()
    for number in range(100, 1120):
        speak(number)
    assert kept() == before
    assert sys.getallocatedblocks() - blocks < _SLACK
    # The control: one tensor more is seen.
    more = torch.zeros(3)
    assert kept() == (before[0] + 1, before[1] + more.untyped_storage().nbytes())
