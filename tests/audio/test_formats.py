"""Every format turns 16-bit frames into packets; raw PCM is exact."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.audio.formats import FORMATS, PcmS16leEncoder, make_encoder, to_int16
from realtime.audio.opus import OpusEncoder
from realtime.types import AudioSettings


def test_int16_is_exact_and_rounds() -> None:
    values = np.array([0, 1, -1, 0.5, -0.5, 1 / 32767, 0.6 / 32767, 0.4 / 32767], np.float32)
    assert to_int16(values).tolist() == [0, 32767, -32767, 16384, -16384, 1, 1, 0]
    assert to_int16(values).dtype == np.int16


@pytest.mark.parametrize("value", [1.0001, 1.5, 100.0, 1e30, float("inf")])
def test_what_is_too_loud_is_clipped_and_does_not_wrap(value: float) -> None:
    assert to_int16(np.array([value, -value], np.float32)).tolist() == [32767, -32767]


@given(st.lists(st.integers(-32767, 32767), max_size=200))
def test_every_sample_value_survives(samples: list[int]) -> None:
    assert to_int16(np.array(samples, np.float32) / np.float32(32767)).tolist() == samples


@given(st.lists(st.integers(-32768, 32767), max_size=200))
def test_raw_pcm_is_little_endian_and_exact(samples: list[int]) -> None:
    native = np.array(samples, np.int16)
    packet = PcmS16leEncoder(24_000, 20).encode(native.tobytes())
    assert np.frombuffer(packet, "<i2").tolist() == samples


def test_raw_pcm_on_a_big_endian_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """There the order is turned, from the machine's own to little endian."""
    monkeypatch.setattr(sys, "byteorder", "big")
    native = np.array([1, -2, 0x1234], np.int16)
    assert PcmS16leEncoder(24_000, 20).encode(native.tobytes()) == native.astype("<i2").tobytes()


@pytest.mark.parametrize(
    ("rate", "frame_ms", "samples"), [(24_000, 20, 480), (24_000, 60, 1440), (8000, 40, 320)]
)
def test_raw_pcm_frames(rate: int, frame_ms: int, samples: int) -> None:
    encoder = PcmS16leEncoder(rate, frame_ms)
    assert (encoder.sample_rate, encoder.frame_samples, encoder.lookahead) == (rate, samples, 0)


def test_the_formats_by_name() -> None:
    assert dict(FORMATS) == {"opus": 48_000, "pcm_s16le": 24_000}
    opus = make_encoder(AudioSettings("opus", 48_000, 40, 32_000))
    assert isinstance(opus, OpusEncoder) and opus.frame_samples == 960
    pcm = make_encoder(AudioSettings("pcm_s16le", 24_000, 40, 32_000))
    assert isinstance(pcm, PcmS16leEncoder) and pcm.frame_samples == 960


def test_each_context_has_an_encoder_of_its_own() -> None:
    settings = AudioSettings("opus", 48_000, 20, 32_000)
    assert make_encoder(settings) is not make_encoder(settings)
