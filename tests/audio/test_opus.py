"""What our encoder makes is what an independent decoder hears, to the sample."""

from __future__ import annotations

import ctypes
from pathlib import Path

import av
import numpy as np
import pytest

from realtime.audio import opus
from realtime.audio.formats import to_int16
from realtime.audio.opus import CODED_RATE, OpusDecoder, OpusEncoder, bundled_libopus, silent_packet
from realtime.types import TIMELINE_RATE, Pcm
from tests.audio.sounds import PRE_SKIP, decode_packets, delay, error_db, ideally_resampled, speechlike


def encode(pcm: Pcm, encoder: OpusEncoder) -> list[bytes]:
    size = encoder.frame_samples
    frames = [pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size)]
    return [encoder.encode(to_int16(frame).tobytes()) for frame in frames]


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
    assert encoder.lookahead * TIMELINE_RATE // CODED_RATE == PRE_SKIP


@pytest.mark.parametrize("frame_ms", [20, 40, 60])
@pytest.mark.parametrize("bitrate", [16_000, 32_000, 64_000])
def test_an_independent_decoder_hears_it_late_by_the_pre_skip(frame_ms: int, bitrate: int) -> None:
    sent = speechlike(CODED_RATE * 3)
    packets = encode(sent, OpusEncoder(bitrate, frame_ms))
    heard = decode_packets(packets)
    assert len(packets) == 3000 // frame_ms
    assert len(heard) == TIMELINE_RATE * 3
    assert delay(heard, ideally_resampled(sent, CODED_RATE, TIMELINE_RATE)) == PRE_SKIP


def test_the_sound_survives() -> None:
    """After the pre-skip the decoded sound is the sound sent: 20 dB above the error at 64 kbit/s."""
    sent = ideally_resampled(speechlike(CODED_RATE * 3), CODED_RATE, TIMELINE_RATE)
    heard = decode_packets(encode(speechlike(CODED_RATE * 3), OpusEncoder(64_000)))[PRE_SKIP:]
    assert error_db(heard, sent[: len(heard)]) < -20


def test_our_decoder_agrees_with_the_independent_one() -> None:
    packets = encode(speechlike(CODED_RATE * 2), OpusEncoder(32_000))
    decoder = OpusDecoder()
    ours = np.concatenate([decoder.decode(packet) for packet in packets])
    theirs = decode_packets(packets)
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


def test_the_last_packet_is_a_packet_like_all() -> None:
    """Where its sound ends is said beside it, and nothing follows it."""
    first, second = OpusEncoder(32_000), OpusEncoder(32_000)
    frame = to_int16(speechlike(first.frame_samples)).tobytes()
    assert first.encode_last(frame, 300) == second.encode(frame)
    assert first.close() == b"" and first.held_back == 0


@pytest.mark.parametrize("resilient", [True, False])
def test_what_was_lost_is_in_the_packet_after_it(resilient: bool) -> None:
    """Of an encoder for a track; of another one nothing is."""
    encoder = OpusEncoder(bitrate=64_000, resilient=resilient)
    sound = speechlike(CODED_RATE)
    frames = to_int16(sound).reshape(-1, encoder.frame_samples)
    packets = [encoder.encode(frame.tobytes()) for frame in frames]
    whole, broken = OpusDecoder(CODED_RATE), OpusDecoder(CODED_RATE)
    likeness = []
    for number, packet in enumerate(packets[:-1]):
        as_it_was = whole.decode(packet)
        if number % 5 != 4:
            broken.decode(packet)
            continue
        made_up = broken._decoder.decode_float(packets[number + 1], encoder.frame_samples, True)
        likeness.append(np.corrcoef(as_it_was, np.frombuffer(made_up, np.float32))[0, 1])
    assert (np.median(likeness) > 0.95) == resilient, likeness


def test_silence_of_a_track_is_silent_and_small() -> None:
    decoder = OpusDecoder(CODED_RATE)
    assert len(silent_packet()) < 20
    assert max(np.abs(decoder.decode(silent_packet())).max() for _ in range(10)) < 1e-4


def test_no_click_where_sound_is_cut_off_by_silence() -> None:
    """As a barge-in does: what follows the cut is softer than what came before it, and soon nothing."""
    encoder, decoder = OpusEncoder(bitrate=64_000, resilient=True), OpusDecoder(CODED_RATE)
    frames = to_int16(speechlike(CODED_RATE // 2)).reshape(-1, encoder.frame_samples)
    before = np.concatenate([decoder.decode(encoder.encode(frame.tobytes())) for frame in frames])
    after = np.concatenate([decoder.decode(silent_packet()) for _ in range(5)])
    steps = np.abs(np.diff(np.concatenate([before[-2400:], after])))
    assert steps[2400:].max() <= 1.2 * steps[:2400].max()
    assert np.abs(after[2 * encoder.frame_samples :]).max() < 0.01
