"""What our encoder makes is what an independent decoder hears, to the sample."""

from __future__ import annotations

import ctypes
from pathlib import Path

import av
import numpy as np
import pytest

from realtime.audio import opus
from realtime.audio.formats import to_int16
from realtime.audio.opus import CODED_RATE, OpusDecoder, OpusEncoder, bundled_libopus
from realtime.types import TIMELINE_RATE, Pcm

PRE_SKIP = 312  # samples at 48 kHz: what the protocol tells every listener


def speechlike(samples: int) -> Pcm:
    """A gliding voiced sound with pauses, from its own generator: it fits itself at one delay only."""
    time = np.arange(samples) / CODED_RATE
    glide = np.cumsum(140 + 60 * np.sin(2 * np.pi * 0.7 * time)) / CODED_RATE
    voiced = sum(np.sin(2 * np.pi * harmonic * glide) / harmonic for harmonic in range(1, 20))
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * time) + 0.4, 0, 1)
    noise = np.random.default_rng(1).standard_normal(samples) * 0.01
    return ((0.2 * voiced + noise) * syllables).astype(np.float32)


def encode(pcm: Pcm, encoder: OpusEncoder) -> list[bytes]:
    size = encoder.frame_samples
    frames = [pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size)]
    return [encoder.encode(to_int16(frame).tobytes()) for frame in frames]


def decode_natively(packets: list[bytes]) -> Pcm:
    """By FFmpeg's own decoder, which shares no code with libopus."""
    context = av.CodecContext.create("opus", "r")
    assert context.codec.name == "opus"
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate = TIMELINE_RATE
    context.layout = "mono"
    frames = [frame for packet in packets for frame in context.decode(av.Packet(packet))]
    frames += context.decode(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float32)


def upsample(pcm: Pcm) -> Pcm:
    """To 48 kHz by the spectrum: exact for sound below 12 kHz, and delays nothing."""
    spectrum = np.fft.rfft(pcm)
    padded = np.zeros(len(pcm) + 1, spectrum.dtype)
    padded[: len(spectrum)] = spectrum
    return (np.fft.irfft(padded, 2 * len(pcm)) * 2).astype(np.float32)


def delay(heard: Pcm, sent: Pcm) -> int:
    """By how many samples `heard` is late, by cross-correlation."""
    size = 2 * max(len(heard), len(sent))
    correlation = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sent, size)), size)
    return int(np.argmax(correlation[: len(sent)]))


def test_the_bundled_library_is_found_and_used() -> None:
    path = bundled_libopus()
    assert path is not None and Path(path).is_file()
    assert "libopus" in Path(path).name and Path(av.__file__).parent.parent in Path(path).parents
    used = opus._opuslib().api.libopus
    assert used._name == path
    assert isinstance(used, ctypes.CDLL)


def test_the_lookup_of_libraries_is_left_as_it_was() -> None:
    before = ctypes.util.find_library
    opus._opuslib.cache_clear()
    opus._opuslib()
    assert ctypes.util.find_library is before


def test_lookahead_is_the_pre_skip() -> None:
    encoder = OpusEncoder(32_000)
    assert encoder.sample_rate == CODED_RATE
    assert encoder.lookahead * TIMELINE_RATE // CODED_RATE == PRE_SKIP


@pytest.mark.parametrize("frame_ms", [20, 40, 60])
@pytest.mark.parametrize("bitrate", [16_000, 32_000, 64_000])
def test_an_independent_decoder_hears_it_late_by_the_pre_skip(frame_ms: int, bitrate: int) -> None:
    sent = speechlike(CODED_RATE * 3)
    packets = encode(sent, OpusEncoder(bitrate, frame_ms))
    heard = decode_natively(packets)
    assert len(packets) == 3000 // frame_ms
    assert len(heard) == TIMELINE_RATE * 3
    assert delay(heard, upsample(sent)) == PRE_SKIP


def test_the_sound_survives() -> None:
    """After the pre-skip the decoded sound is the sound sent: 20 dB above the error at 64 kbit/s."""
    sent = upsample(speechlike(CODED_RATE * 3))
    heard = decode_natively(encode(speechlike(CODED_RATE * 3), OpusEncoder(64_000)))[PRE_SKIP:]
    sent = sent[: len(heard)]
    error = np.sum((heard - sent) ** 2) / np.sum(sent**2)
    assert error < 0.01


def test_our_decoder_agrees_with_the_independent_one() -> None:
    packets = encode(speechlike(CODED_RATE * 2), OpusEncoder(32_000))
    decoder = OpusDecoder()
    ours = np.concatenate([decoder.decode(packet) for packet in packets])
    theirs = decode_natively(packets)
    assert ours.dtype == np.float32 and len(ours) == len(theirs)
    assert np.max(np.abs(ours - theirs)) < 1e-3


@pytest.mark.parametrize("rate", [8000, 12_000, 16_000, 24_000, 48_000])
def test_decoding_at_any_rate_gives_the_same_length_of_sound(rate: int) -> None:
    decoder = OpusDecoder(rate)
    packets = encode(speechlike(CODED_RATE), OpusEncoder(32_000))
    assert sum(len(decoder.decode(packet)) for packet in packets) == rate


@pytest.mark.parametrize("frame_ms", [20, 40, 60])
def test_a_packet_holds_one_frame(frame_ms: int) -> None:
    encoder = OpusEncoder(32_000, frame_ms)
    assert encoder.frame_samples == CODED_RATE * frame_ms // 1000
    packet = encoder.encode(bytes(2 * encoder.frame_samples))
    assert len(OpusDecoder().decode(packet)) == TIMELINE_RATE * frame_ms // 1000


def test_the_bitrate_is_kept() -> None:
    packets = encode(speechlike(CODED_RATE * 5), OpusEncoder(24_000))
    assert 18_000 < sum(map(len, packets)) * 8 / 5 < 28_000


def test_the_same_sound_gives_the_same_packets() -> None:
    sound = speechlike(CODED_RATE)
    assert encode(sound, OpusEncoder(32_000)) == encode(sound, OpusEncoder(32_000))


def test_encoders_do_not_disturb_each_other() -> None:
    sound, other = speechlike(CODED_RATE), speechlike(CODED_RATE)[::-1].copy()
    alone = encode(sound, OpusEncoder(32_000))
    first, second = OpusEncoder(32_000), OpusEncoder(32_000)
    mixed: list[bytes] = []
    for at in range(0, CODED_RATE, first.frame_samples):
        mixed.append(first.encode(to_int16(sound[at : at + first.frame_samples]).tobytes()))
        second.encode(to_int16(other[at : at + first.frame_samples]).tobytes())
    assert mixed == alone
