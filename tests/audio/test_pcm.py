"""Samples are exact, payloads have exact lengths, and mu-law is the standard's."""

from __future__ import annotations

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.audio.formats import to_int16
from realtime.audio.opus import CODED_RATE
from realtime.audio.pcm import MulawEncoder, PcmEncoder, PcmS16leEncoder, mulaw
from tests.audio.sounds import (
    as_float,
    decode_mulaw,
    error_db,
    frames_of,
    ideally_resampled,
    level_db,
    speechlike,
    tone,
)

EVERY_SAMPLE = np.arange(-32768, 32768).astype(np.int16)


def test_int16_is_exact_and_rounds() -> None:
    values = np.array([0, 1, -1, 0.5, -0.5, 1 / 32767, 0.6 / 32767, 0.4 / 32767], np.float32)
    assert to_int16(values).tolist() == [0, 32767, -32767, 16384, -16384, 1, 1, 0]
    assert to_int16(values).dtype == np.int16


@pytest.mark.parametrize("value", [1.0001, 1.5, 100.0, 1e30, float("inf")])
def test_what_is_too_loud_is_clipped_and_does_not_wrap(value: float) -> None:
    assert to_int16(np.array([value, -value], np.float32)).tolist() == [32767, -32767]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-32767, 32767), max_size=200))
def test_every_sample_value_survives(samples: list[int]) -> None:
    assert to_int16(np.array(samples, np.float32) / np.float32(32767)).tolist() == samples


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-32768, 32767), max_size=200))
def test_at_24_khz_raw_pcm_is_little_endian_and_exact_also_in_short_frames(samples: list[int]) -> None:
    encoder = PcmS16leEncoder(CODED_RATE, 20)
    assert (encoder.frame_samples, encoder.lookahead, encoder.held_back) == (480, 0, 0)
    packet = encoder.encode(np.array(samples, np.int16).tobytes())
    assert np.frombuffer(packet, "<i2").tolist() == samples


def test_the_end_is_cut_off_in_the_bytes() -> None:
    frame = np.arange(480, dtype=np.int16)
    encoder = PcmS16leEncoder(CODED_RATE, 20)
    assert encoder.encode(frame.tobytes()) == frame.astype("<i2").tobytes()
    assert encoder.encode_last(frame.tobytes(), 9) == frame[:-9].astype("<i2").tobytes()
    assert encoder.close() == b""


@pytest.mark.parametrize("frame_ms", [20, 40, 60])
@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
def test_every_payload_has_its_exact_length(rate: int, frame_ms: int) -> None:
    """After k packets of F samples (k F - lookahead) * rate / 24000 are out: only the first is shorter."""
    encoder = PcmS16leEncoder(rate, frame_ms)
    size, late = encoder.frame_samples, encoder.lookahead
    lengths = [len(encoder.encode(frame)) // 2 for frame in frames_of(speechlike(10 * size), size)]
    assert lengths == [(size - late) * rate // CODED_RATE, *[size * rate // CODED_RATE] * 9]


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_what_was_cut_off_is_all_that_is_missing(rate: int, data: st.DataObject) -> None:
    frame_ms = data.draw(st.sampled_from([20, 40, 60]))
    packets = data.draw(st.integers(1, 4))
    whole, cut = PcmS16leEncoder(rate, frame_ms), PcmS16leEncoder(rate, frame_ms)
    discard = 3 * data.draw(st.integers(0, (cut.frame_samples - cut.lookahead) // 3))
    *frames, last = frames_of(speechlike(packets * cut.frame_samples), cut.frame_samples)
    kept = b"".join(map(whole.encode, [*frames, last]))
    short = b"".join([*map(cut.encode, frames), cut.encode_last(last, discard)])
    assert short == kept[: len(kept) - 2 * discard * rate // CODED_RATE]


def test_the_same_sound_at_every_rate() -> None:
    pcm = speechlike(CODED_RATE)
    for rate in (8_000, 16_000, 48_000):
        encoder = PcmS16leEncoder(rate, 20)
        sound = as_float(np.frombuffer(b"".join(map(encoder.encode, frames_of(pcm, 480))), "<i2"))
        sent = ideally_resampled(pcm, CODED_RATE, rate)[: len(sound)]
        assert error_db(sound, sent) < -33


def test_a_loud_tone_is_clipped_and_does_not_wrap() -> None:
    """The filter overshoots where the sound itself is at full scale."""
    sine = tone(200, CODED_RATE, 4800)
    square = np.sign(sine).astype(np.float32)
    encoder = PcmS16leEncoder(8_000, 20)
    sound = np.frombuffer(b"".join(map(encoder.encode, frames_of(square, 480))), "<i2")
    assert sound.max() == 32767 and sound.min() == -32767
    there = sine[::3][: len(sound)]  # the sine where each sample at 8 kHz lies
    level = np.abs(there) > 0.25  # away from the edges
    assert np.array_equal(np.sign(sound[level]), np.sign(there[level]))


@pytest.mark.parametrize("hz", [4_000, 4_100, 5_000, 7_900, 9_000, 11_900])
def test_what_8_khz_cannot_carry_does_not_fold_back(hz: float) -> None:
    """60 dB below a tone at half scale; rounding to 16 bit alone makes -96."""
    encoder = PcmS16leEncoder(8_000, 20)
    sent = frames_of(tone(hz, CODED_RATE, CODED_RATE), 480)
    heard = as_float(np.frombuffer(b"".join(map(encoder.encode, sent)), "<i2"))[800:]
    assert level_db(heard) < level_db(tone(hz, CODED_RATE, CODED_RATE)) - 60


def test_mulaw_by_the_standards_decision_values() -> None:
    """ITU-T G.711, table 2a, in the scale of 16 bit: the step grows at each power of two."""
    samples = np.array([0, 3, 4, 11, 12, 123, 124, 131, 132, 31611, 31612, 32635, 32767], np.int16)
    codes = [0xFF, 0xFF, 0xFE, 0xFE, 0xFD, 0xF0, 0xEF, 0xEF, 0xEF, 0x81, 0x80, 0x80, 0x80]
    assert mulaw(samples).tolist() == codes
    assert mulaw(-samples[1:]).tolist() == [code & 0x7F for code in codes[1:]]
    assert mulaw(np.array([-32768], np.int16)).tolist() == [0]


def test_ffmpegs_decoder_hears_every_sample_within_half_a_step() -> None:
    heard = np.rint(decode_mulaw(mulaw(EVERY_SAMPLE).tobytes()) * 32767)
    magnitude = np.abs(EVERY_SAMPLE.astype(np.float64))
    step = 2.0 ** (np.floor(np.log2(np.minimum(magnitude, 32635) + 132)) - 4)
    assert np.all(np.abs(heard - EVERY_SAMPLE) <= np.maximum(step / 2, magnitude - 32124))


def test_mulaw_agrees_with_ffmpegs_encoder_but_for_ties() -> None:
    context = av.CodecContext.create("pcm_mulaw", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.layout, context.format = 8_000, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(EVERY_SAMPLE.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = 8_000
    theirs = np.frombuffer(b"".join(bytes(packet) for packet in context.encode(frame)), np.uint8)
    ours = mulaw(EVERY_SAMPLE)
    assert np.count_nonzero(ours != theirs) < 1000
    assert np.max(np.abs(ours.astype(int) - theirs.astype(int)) % 127) <= 1


def test_mulaw_takes_one_byte_per_sample_at_8_khz() -> None:
    encoder: PcmEncoder = MulawEncoder(8_000, 20)
    size, late = encoder.frame_samples, encoder.lookahead
    lengths = [len(encoder.encode(frame)) for frame in frames_of(speechlike(3 * size), size)]
    assert lengths == [(size - late) // 3, 160, 160]
    assert len(encoder.encode_last(bytes(2 * size), 30)) == 150
