"""Codes to sound in any pieces, of any streams together, is what qwen-tts makes of all codes at once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor

from realtime.engines.qwen3 import codec_sound
from realtime.engines.qwen3.codec import Codec, CodecState
from realtime.engines.qwen3.configuration import CodecConfig, read_config
from realtime.errors import EngineError
from tests.engines.qwen3.reference import import_reference, silenced

#: As near as float32 comes when sums are made in another order; the sound has an RMS of about 0.1.
NEAR = 2e-5
#: What is certainly wrong.
FAR = 1e-3
GROUPS, FRAME = 16, 1920
ROWS = 4


@dataclass
class Whole:
    """A decoder of qwen-tts and its weights, as they stand in a checkpoint."""

    decoder: Any
    config: CodecConfig
    state: dict[str, Tensor]

    def __call__(self, codes: Tensor) -> Tensor:
        """The sound of (frames, groups), (samples,)."""
        with torch.no_grad():
            sound: Tensor = self.decoder(codes.T[None])[0, 0]
        return sound

    def codec(self, rows: int = ROWS, **keywords: Any) -> Codec:
        return Codec.from_state(self.config, self.state, rows, **keywords)


@pytest.fixture(scope="module")
def whole(base: Path, base_reference: Any) -> Whole:
    state = load_file(base / "speech_tokenizer" / "model.safetensors")
    return Whole(base_reference.model.speech_tokenizer.model.decoder, read_config(base).codec, state)


def some_codes(frames: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 2048, (frames, GROUPS)))


def in_pieces(codec: Codec, row: int, codes: Tensor, *sizes: int) -> Tensor:
    """The whole of `codes`, after a reset; the last of `sizes` as often as is needed."""
    codec.reset(row)
    sound, at, left = [], 0, list(sizes)
    while at < len(codes):
        size = left.pop(0) if len(left) > 1 else left[0]
        sound.append(codec.decode([row], codes[None, at : at + size])[0])
        at += size
    return torch.cat(sound)


def distance(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape
    return float((one - other).abs().max())


@pytest.mark.parametrize("sizes", [(1,), (1, 2, 4, 8, 12), (3, 25), (1000,)])
def test_pieces_are_what_the_reference_makes_of_the_whole(whole: Whole, sizes: tuple[int, ...]) -> None:
    codes = some_codes(230)  # more than three windows
    expected = whole(codes)
    assert 0.03 < expected.std() < 0.5 and expected.abs().max() < 1  # nothing is hidden by being clipped
    assert distance(in_pieces(whole.codec(), 1, codes, *sizes), expected) < NEAR


def test_beyond_300_frames_where_the_reference_itself_is_no_longer_exact(whole: Whole) -> None:
    codes = some_codes(340)
    expected = whole(codes)
    with torch.no_grad():
        chunked = whole.decoder.chunked_decode(codes.T[None])[0, 0]
    assert distance(chunked, expected) > FAR
    assert distance(in_pieces(whole.codec(), 0, codes, 7), expected) < NEAR


def test_pieces_without_what_was_before_them_are_noticed(whole: Whole) -> None:
    codes, codec = some_codes(20), whole.codec()
    expected = whole(codes)
    codec.reset(0)
    begin = codec.decode([0], codes[None, :10])
    codec.reset(0)
    forgetful = torch.cat((begin, codec.decode([0], codes[None, 10:])), dim=1)[0]
    assert distance(forgetful, expected) > FAR
    assert distance(in_pieces(codec, 0, torch.cat((codes[:4], codes[8:], codes[4:8])), 4), expected) > FAR
    codec.reset(0)
    codec.reset(1)
    parts = [codec.decode([row], codes[None, at : at + 10]) for row, at in ((0, 0), (1, 10))]
    assert distance(torch.cat(parts, dim=1)[0], expected) > FAR


@dataclass
class Stream:
    """What one row has been given since its start, and has given: of two codecs, (2, samples)."""

    codes: list[Tensor] = field(default_factory=list)
    sound: list[Tensor] = field(default_factory=list)
    primed: int = 0

    def error(self, whole: Whole) -> float:
        expected = whole(torch.cat(self.codes))[self.primed * FRAME :]
        return distance(torch.cat(self.sound, 1), expected.expand(2, -1))


#: One step: rows that begin anew (False) or from a state that was primed (True), rows that go on, frames.
STEPS = st.lists(
    st.tuples(
        st.dictionaries(st.integers(0, ROWS - 1), st.booleans(), max_size=2),
        st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=ROWS, unique=True),
        st.sampled_from((1, 1, 2, 3, 4, 8, 12, 27)),
    ),
    min_size=1,
    max_size=12,
)
PRIMED = 9


@settings(max_examples=20)
@given(steps=STEPS, seed=st.integers(0, 1000))
def test_streams_that_come_and_go_do_not_disturb_each_other(
    whole: Whole, codecs: Sequence[Codec], steps: list[Any], seed: int
) -> None:
    random = np.random.default_rng(seed)
    reference = some_codes(PRIMED, seed)
    primed = [codec.prime(reference) for codec in codecs]
    rows = [Stream() for _ in range(ROWS)]
    ended = []
    for codec, row in itertools.product(codecs, range(ROWS)):
        codec.reset(row)
    for begins, going_on, frames in steps:
        for row, from_state in begins.items():
            ended.append(rows[row])
            if from_state:
                for codec, state in zip(codecs, primed, strict=True):
                    codec.restore(row, state)
                rows[row] = Stream([reference], primed=PRIMED)
            else:
                for codec in codecs:
                    codec.reset(row)
                rows[row] = Stream()
        codes = torch.from_numpy(random.integers(0, 2048, (len(going_on), frames, GROUPS)))
        sound = torch.stack([codec.decode(going_on, codes) for codec in codecs], 1)
        assert sound.shape == (len(going_on), 2, frames * FRAME) and sound.dtype == torch.float32
        for row, given_codes, given_sound in zip(going_on, codes, sound, strict=True):
            rows[row].codes.append(given_codes)
            rows[row].sound.append(given_sound)
    for stream in [*ended, *rows]:
        if stream.sound:
            assert stream.error(whole) < NEAR


@pytest.fixture(scope="module")
def codecs(whole: Whole) -> Sequence[Codec]:
    """One codec as it is, and one with recorded shapes: 3 rows take the places of 4, 3 frames are 2 and 1."""
    captured = whole.codec()
    captured.capture((1, 2, 4), (1, 2, 8))
    return whole.codec(), captured


def test_sound_that_need_not_last_is_the_same_until_the_next_call(whole: Whole) -> None:
    """So it takes no memory; of a pass that was not recorded, or of several, it takes some as ever."""
    recorded, plain = whole.codec(), whole.codec()
    recorded.capture((2,), (2,))
    for frames, is_one_pass in ((2, True), (3, False), (2, True)):
        codes = some_codes(frames)[None]
        brief, lasting = recorded.decode([1], codes, lasting=False), plain.decode([1], codes)
        assert distance(brief, lasting) < NEAR
        kept = brief.clone()
        recorded.decode([0], some_codes(2, seed=1)[None], lasting=False)
        assert torch.equal(brief, kept) != is_one_pass


def test_a_stream_alone_and_among_others_is_the_same(whole: Whole) -> None:
    codec, codes = whole.codec(), some_codes(40)
    alone = in_pieces(codec, 2, codes, 4)
    for row in range(ROWS):
        codec.reset(row)
    among = []
    for at in range(0, 40, 4):
        others = torch.stack([some_codes(4, seed=at + n) for n in range(ROWS)])
        others[1] = codes[at : at + 4]
        among.append(codec.decode([3, 2, 0, 1], others)[1])
    assert distance(torch.cat(among), alone) < NEAR


@pytest.mark.parametrize("junk", [None, float("nan")])
def test_nothing_of_an_earlier_stream_remains(whole: Whole, junk: float | None) -> None:
    codes = some_codes(30)
    fresh = whole.codec()
    expected = fresh.decode([1], codes[None])
    state = fresh.prime(codes)
    after = fresh.decode([1], codes[None])
    codec = whole.codec()
    for start in (codec.reset, lambda row: codec.restore(row, state)):
        if junk is None:
            codec.decode([0, 1, 2], torch.stack([some_codes(90, seed) for seed in (4, 5, 6)]))
        else:
            codec.restore(
                1,
                CodecState(
                    *(torch.full_like(each, junk) for each in (state.tails, state.kv)), state.position
                ),
            )
        start(1)
        sound = codec.decode([1], codes[None])
        assert torch.equal(sound, expected)
        expected = after


def test_a_cloned_voice_goes_on_where_its_recording_ends(whole: Whole) -> None:
    """The reference decodes the codes of the recording and the new ones, and cuts by the share of frames."""
    reference, new = some_codes(37, seed=1), some_codes(50, seed=2)
    codec = whole.codec()
    state = codec.prime(reference)
    sound = whole(torch.cat((reference, new)))
    cut = int(37 / 87 * len(sound))
    assert cut == 37 * FRAME
    for row in (0, 3):  # once primed, many times used
        codec.restore(row, state)
        parts = [codec.decode([row], new[None, at : at + 6])[0] for at in range(0, 50, 6)]
        assert distance(torch.cat(parts), sound[cut:]) < NEAR
    codec.reset(0)
    assert distance(codec.decode([0], new[None])[0], sound[cut:]) > FAR


def test_priming_leaves_out_sound_that_is_forgotten_again(
    whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec, reference, new = whole.codec(), some_codes(80, seed=1), some_codes(5, seed=2)
    expected = whole(torch.cat((reference, new)))[80 * FRAME :]
    network = codec._network
    assert network.sound_memory == 10
    errors = []
    for memory in (10, 6):
        monkeypatch.setattr(network, "sound_memory", memory)
        codec.restore(0, codec.prime(reference))
        errors.append(distance(codec.decode([0], new[None])[0], expected))
    assert errors[0] < NEAR < errors[1]


def test_a_stream_of_a_day_is_as_exact_as_a_short_one(whole: Whole) -> None:
    codec, codes = whole.codec(), some_codes(200)
    early = in_pieces(codec, 0, codes, 5)
    state = codec.prime(codes[:1])
    day = torch.tensor(24 * 3600 * 25 // 2)
    codec.restore(1, CodecState(torch.zeros_like(state.tails), torch.zeros_like(state.kv), day))
    late = torch.cat([codec.decode([1], codes[None, at : at + 5])[0] for at in range(0, 200, 5)])
    # It sees silence before it, where the other has nothing. With two layers that is over after two windows.
    assert distance(late[: 50 * FRAME], early[: 50 * FRAME]) > FAR
    assert distance(late[150 * FRAME :], early[150 * FRAME :]) < NEAR


def test_the_end_of_speech_and_no_code_at_all_are_taken_for_codes(whole: Whole) -> None:
    codes = some_codes(6)
    bad, near = codes.clone(), codes.clone()
    bad[3, 0], near[3, 0] = 2150, 2047
    bad[4], near[4] = -1, 0
    codec = whole.codec()
    assert torch.equal(in_pieces(codec, 0, bad, 6), in_pieces(codec, 1, near, 6))


def test_convolutions_are_the_same_in_both_ways(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    codec, codes = whole.codec(), some_codes(10)
    expected = whole(codes)
    convolve, calls = codec_sound.F.conv2d, []

    def counted(*arguments: Any, **keywords: Any) -> Tensor:
        calls.append(arguments)
        return convolve(*arguments, **keywords)

    monkeypatch.setattr(codec_sound.F, "conv2d", counted)
    for most, times in ((1_000_000, 0), (0, 19)):
        monkeypatch.setattr(codec_sound, "MOST_STEPS_AS_PRODUCT", most)
        calls.clear()
        assert distance(in_pieces(codec, 0, codes, 10), expected) < NEAR
        assert len(calls) == times


def test_a_convolution_may_copy_some_rows_at_a_time() -> None:
    random = torch.Generator().manual_seed(0)
    whole, matrix, bias = (torch.randn(*shape, generator=random) for shape in ((5, 40, 6), (4, 18), (4,)))
    by = codec_sound.Filter(matrix, bias, taps=3, dilation=4)
    expected = codec_sound.convolution(whole, by)
    assert expected.shape == (5, 32, 4)
    for most in (1, 2 * 32 * 18, 5 * 32 * 18):  # one row, two, all
        assert torch.equal(codec_sound.in_parts(whole, by, most), expected)
    whole_graph = torch.compile(codec_sound.in_parts, fullgraph=True, backend="eager")
    assert torch.equal(whole_graph(whole, by, 2 * 32 * 18), expected)


def test_it_can_be_compiled_in_one_piece(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = torch.compile

    def without_code(function: Any, **keywords: Any) -> Any:
        return compiled(function, backend="eager", **keywords)  # a compiler of C++ would take minutes

    monkeypatch.setattr(torch, "compile", without_code)
    codec, codes = whole.codec(compile=True), some_codes(8)
    assert distance(in_pieces(codec, 0, codes, 4), whole(codes)) < NEAR


def test_half_precision_is_near(whole: Whole) -> None:
    codes = some_codes(30)
    half = in_pieces(whole.codec(dtype=torch.bfloat16), 0, codes, 4)
    expected = whole(codes)
    assert (half - expected).square().mean().sqrt() < 0.05 * expected.std()


@pytest.mark.parametrize(
    "changes",
    [
        {"sliding_window": 5},
        {"num_key_value_heads": 2},
        {"attention_bias": True},
        {"upsampling_ratios": [2], "upsample_rates": [8, 5]},
        {"num_quantizers": 3},
    ],
)
def test_models_of_other_shapes(whole: Whole, changes: dict[str, Any]) -> None:
    config = msgspec.to_builtins(whole.config.decoder_config) | changes
    import_reference()
    with silenced():
        from qwen_tts.core.tokenizer_12hz import modeling_qwen3_tts_tokenizer_v2 as modeling

        decoder = modeling.Qwen3TTSTokenizerV2Decoder._from_config(
            modeling.Qwen3TTSTokenizerV2DecoderConfig(**config), attn_implementation="eager"
        ).eval()
    generator = torch.Generator().manual_seed(0)
    for name, weight in decoder.named_parameters():
        if name in (state := {key.removeprefix("decoder."): each for key, each in whole.state.items()}):
            if state[name].shape == weight.shape:
                weight.data = state[name].clone()
                continue
        weight.data = torch.randn(weight.shape, generator=generator) / max(1, weight[0].numel()) ** 0.5
    other = Whole(
        decoder,
        msgspec.structs.replace(
            whole.config, decoder_config=msgspec.convert(config, type(whole.config.decoder_config))
        ),
        {f"decoder.{name}": each for name, each in decoder.state_dict().items()},
    )
    codes = some_codes(30)[:, : config["num_quantizers"]]
    assert distance(in_pieces(other.codec(), 0, codes, 1, 3), other(codes)) < NEAR


def test_a_window_of_one_less_is_noticed(whole: Whole) -> None:
    short = msgspec.structs.replace(whole.config.decoder_config, sliding_window=71)
    codes = some_codes(80)
    codec = Codec.from_state(msgspec.structs.replace(whole.config, decoder_config=short), whole.state, 1)
    sound, expected = in_pieces(codec, 0, codes, 8), whole(codes)
    assert distance(sound[: 71 * FRAME], expected[: 71 * FRAME]) < NEAR
    assert distance(sound[71 * FRAME :], expected[71 * FRAME :]) > NEAR


def test_memory_of_a_row(whole: Whole) -> None:
    codec = whole.codec()
    state = codec.prime(some_codes(3))
    assert codec.row_bytes == sum(each.nbytes for each in (state.tails, state.kv, state.position))
    # Keys and values of 96 positions in 2 layers of 4 heads, and nothing that is larger.
    assert 96 * 2 * 2 * 64 * 4 < codec.row_bytes < 2 * 96 * 2 * 2 * 64 * 4


def test_rows_and_codes_that_cannot_be(whole: Whole) -> None:
    codec, codes = whole.codec(), some_codes(2)[None]
    with pytest.raises(ValueError, match="no row 4; there are 4"):
        codec.decode([4], codes)
    with pytest.raises(ValueError, match="no row -1"):
        codec.reset(-1)
    with pytest.raises(ValueError, match="all different"):
        codec.decode([1, 1], codes.expand(2, -1, -1))
    for shape in ((2, 2, 16), (1, 0, 16), (1, 2, 15)):
        with pytest.raises(ValueError, match="cannot have the shape"):
            codec.decode([1], torch.zeros(shape, dtype=torch.int64))
    with pytest.raises(ValueError, match="no frames"):
        codec.prime(torch.zeros((0, GROUPS), dtype=torch.int64))


def test_weights_that_are_missing_or_of_another_shape(whole: Whole) -> None:
    name = "decoder.decoder.2.block.3.conv1.conv.weight"
    state = dict(whole.state)
    weight = state.pop(name)
    with pytest.raises(EngineError, match=rf"the model lacks the weight {name}$"):
        Codec.from_state(whole.config, state, 1)
    state[name] = weight[:, :, :5]
    with pytest.raises(EngineError, match=rf"{name} has the shape 16x16x5; it must be 16x16x7$"):
        Codec.from_state(whole.config, state, 1)
