"""Files that are sent while they are written: whole for every player, at once, and readable when cut off."""

from __future__ import annotations

import gc
import io
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from realtime.audio.containers import ContainerEncoder, OggOpusEncoder, WebmOpusEncoder
from realtime.audio.opus import CODED_RATE, OpusDecoder, OpusEncoder
from realtime.types import TIMELINE_RATE, Pcm
from tests.audio.sounds import (
    EVERY_FRAME_MS,
    PRE_SKIP,
    decode_file,
    delay,
    error_db,
    frames_of,
    ideally_resampled,
    send,
    speechlike,
)

SOUND = speechlike(CODED_RATE + 333)
Kind = type[OggOpusEncoder] | type[WebmOpusEncoder]
both_kinds = pytest.mark.parametrize("kind", [OggOpusEncoder, WebmOpusEncoder])
every_frame_ms = pytest.mark.parametrize("frame_ms", EVERY_FRAME_MS)
lengths = pytest.mark.parametrize("samples", [3, 300, 483, 1299, len(SOUND)])

# Matroska's elements (RFC 9559): those that hold others, and those that are looked for.
SEGMENT, TRACKS, TRACK, AUDIO, CLUSTER, GROUP = 0x18538067, 0x1654AE6B, 0xAE, 0xE1, 0x1F43B675, 0xA0
CODEC_DELAY, SAMPLING_FREQUENCY, DISCARD_PADDING = 0x56AA, 0xB5, 0x75A2
TIMESTAMP, SIMPLE_BLOCK, BLOCK = 0xE7, 0xA3, 0xA1
NANOSECONDS_PER_SAMPLE = 1e9 / TIMELINE_RATE


def encode(encoder: ContainerEncoder, pcm: Pcm) -> list[bytes]:
    return [encoder.encode(frame) for frame in frames_of(pcm, encoder.frame_samples)]


def elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Every element of a WebM file by its id, those inside others too."""
    at = 0
    while at < len(data):
        width = 9 - data[at].bit_length()
        name = int.from_bytes(data[at : at + width])
        at += width
        width = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + width]) & ((1 << 7 * width) - 1)
        unknown = size == (1 << 7 * width) - 1
        at += width
        value = data[at:] if unknown else data[at : at + size]
        at += len(value)
        yield name, value
        if name in (SEGMENT, TRACKS, TRACK, AUDIO, CLUSTER, GROUP):
            yield from elements(value)


def pages(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """Flags, granule position, serial number and body of an Ogg file's pages (RFC 3533)."""
    found: list[tuple[int, int, int, bytes]] = []
    while data:
        capture, version, flags, granule, serial, sequence, _, segments = struct.unpack(
            "<4sBBqIIIB", data[:27]
        )
        assert (capture, version, sequence) == (b"OggS", 0, len(found))
        end = 27 + segments + sum(data[27 : 27 + segments])
        found.append((flags, granule, serial, data[27 + segments : end]))
        data = data[end:]
    return found


@both_kinds
@every_frame_ms
def test_the_first_packets_bytes_begin_with_the_header(kind: Kind, frame_ms: int) -> None:
    first, second, *_ = encode(kind(32_000, frame_ms), SOUND)
    assert b"OpusHead" in first and b"OpusHead" not in second
    with av.open(io.BytesIO(first + second), "r") as file:
        assert file.format.name == ("ogg" if kind is OggOpusEncoder else "matroska,webm")
        assert (file.streams.audio[0].codec.name, file.streams.audio[0].channels) == ("opus", 1)


@both_kinds
@every_frame_ms
def test_a_packet_leaves_at_once_but_for_what_is_held_back(kind: Kind, frame_ms: int) -> None:
    encoder, bare = kind(32_000, frame_ms), OpusEncoder(32_000, frame_ms)
    frames = frames_of(SOUND, encoder.frame_samples)
    packets = [bare.encode(frame) for frame in frames]
    written = [encoder.encode(frame) for frame in frames]
    late = encoder.held_back // encoder.frame_samples
    assert late == (1 if kind is OggOpusEncoder else 0)
    for packet, data in zip(packets, written[late:], strict=False):
        assert packet in data
    if late:
        assert packets[-1] in encoder.close()


@both_kinds
@every_frame_ms
def test_cut_off_after_any_frame_it_can_be_heard_up_to_there(kind: Kind, frame_ms: int) -> None:
    """A context that is cancelled: no more bytes follow."""
    encoder = kind(32_000, frame_ms)
    whole = decode_file(b"".join(send(kind(32_000, frame_ms), SOUND)))
    data = b""
    for count, written in enumerate(encode(encoder, SOUND), start=1):
        data += written
        given = count * encoder.frame_samples - encoder.held_back
        if given == 0:  # only a header yet
            continue
        heard = decode_file(data)
        assert len(heard) == (given - encoder.lookahead) * 2
        common = min(len(heard), len(whole))
        assert np.array_equal(heard[:common], whole[:common])


@both_kinds
@every_frame_ms
def test_the_packets_inside_are_our_encoders(kind: Kind, frame_ms: int) -> None:
    encoder, bare = kind(32_000, frame_ms), OpusEncoder(32_000, frame_ms)
    frames = frames_of(SOUND, encoder.frame_samples)
    data = b"".join([*map(encoder.encode, frames[:-1]), encoder.encode_last(frames[-1], 0)])
    with av.open(io.BytesIO(data), "r") as file:
        inside = [bytes(packet) for packet in file.demux() if packet.size]
    assert inside == [bare.encode(frame) for frame in frames]


@lengths
@every_frame_ms
def test_ogg_says_its_exact_length(samples: int, frame_ms: int) -> None:
    """RFC 7845: granule positions count from the pre-skip's first sample; the last one is the end."""
    head, tags, *audio = pages(b"".join(send(OggOpusEncoder(32_000, frame_ms), SOUND[:samples])))
    assert (head[0], tags[0]) == (2, 0), "begin of stream"
    assert [flags for flags, _, _, _ in audio] == [0] * (len(audio) - 1) + [4], "end of stream"
    magic, version, channels, pre_skip, rate = struct.unpack("<8sBBHI", head[3][:16])
    assert (magic, version, channels, pre_skip, rate) == (b"OpusHead", 1, 1, PRE_SKIP, TIMELINE_RATE)
    ends = [granule for _, granule, _, _ in audio]
    assert ends == [*range(frame_ms * 48, len(audio) * frame_ms * 48, frame_ms * 48), PRE_SKIP + 2 * samples]


@lengths
@every_frame_ms
def test_webm_says_its_exact_length(samples: int, frame_ms: int) -> None:
    data = b"".join(send(WebmOpusEncoder(32_000, frame_ms), SOUND[:samples]))
    found = list(elements(data))
    [delay_ns] = [int.from_bytes(value) for name, value in found if name == CODEC_DELAY]
    assert delay_ns == 6_500_000 == PRE_SKIP * NANOSECONDS_PER_SAMPLE
    assert [struct.unpack(">d", value)[0] for name, value in found if name == SAMPLING_FREQUENCY] == [48_000]
    blocks = sum(name in (SIMPLE_BLOCK, BLOCK) for name, _ in found)
    padding = [int.from_bytes(value, signed=True) for name, value in found if name == DISCARD_PADDING]
    end = blocks * frame_ms * 48 - round((delay_ns + sum(padding)) / NANOSECONDS_PER_SAMPLE)
    assert end == 2 * samples
    assert len(padding) <= 1 and all(discarded > 0 for discarded in padding)
    times = [int.from_bytes(value) for name, value in found if name == TIMESTAMP]
    assert times == [frame_ms * block for block in range(blocks)], "one cluster per packet, from 0"


@lengths
@every_frame_ms
def test_opusdec_hears_ogg_exactly(samples: int, frame_ms: int, tmp_path: Path) -> None:
    (tmp_path / "sent.ogg").write_bytes(b"".join(send(OggOpusEncoder(64_000, frame_ms), SOUND[:samples])))
    command = ["opusdec", "--quiet", "--no-dither", "--float", "sent.ogg", "heard.wav"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == "", "no complaint"
    heard, rate = soundfile.read(tmp_path / "heard.wav", dtype="float32")
    assert (rate, len(heard)) == (TIMELINE_RATE, 2 * samples)
    if samples == len(SOUND):
        sent = ideally_resampled(SOUND, CODED_RATE, TIMELINE_RATE)
        assert delay(heard, sent) == 0 and error_db(heard, sent) < -20


@lengths
@every_frame_ms
def test_libsndfile_hears_ogg_exactly(samples: int, frame_ms: int) -> None:
    data = b"".join(send(OggOpusEncoder(64_000, frame_ms), SOUND[:samples]))
    heard, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    assert (rate, len(heard)) == (TIMELINE_RATE, 2 * samples)


@both_kinds
def test_nothing_in_a_file_is_random_or_shared(kind: Kind) -> None:
    """Files that are written in turns are what each is alone."""
    alone = send(kind(32_000), SOUND)
    first, second = kind(32_000), kind(32_000)
    frames = frames_of(SOUND, first.frame_samples)
    in_turns = [(first.encode(frame), second.encode(frame)) for frame in frames]
    assert [left for left, _ in in_turns] == [right for _, right in in_turns]
    assert [left for left, _ in in_turns][: len(alone) - 1] == alone[:-1]


@both_kinds
def test_closing_again_gives_nothing_more(kind: Kind) -> None:
    ended, closed = kind(32_000), kind(32_000)
    frame = frames_of(SOUND, ended.frame_samples)[0]
    ended.encode_last(frame, 0)
    closed.encode(frame)
    closed.close()
    assert ended.close() == closed.close() == b""


@both_kinds
@pytest.mark.parametrize("frames", [0, 1, 7])
def test_one_that_is_dropped_in_the_middle_is_silent(
    kind: Kind, frames: int, capfd: pytest.CaptureFixture[str]
) -> None:
    encoder = kind(32_000)
    for frame in frames_of(SOUND, encoder.frame_samples)[:frames]:
        encoder.encode(frame)
    del encoder
    gc.collect()
    assert capfd.readouterr() == ("", "")


@both_kinds
def test_the_whole_last_frame_can_be_dropped(kind: Kind) -> None:
    """All but a sample in Ogg, where a page cannot end with the one before it."""
    encoder = kind(32_000)
    *frames, last = frames_of(SOUND, encoder.frame_samples)
    data = b"".join([*map(encoder.encode, frames), encoder.encode_last(last, encoder.frame_samples)])
    length = 2 * (len(frames) * encoder.frame_samples - encoder.lookahead)
    assert len(decode_file(data)) == length + (1 if kind is OggOpusEncoder else 0)


def test_our_decoder_reads_what_a_demuxer_takes_out() -> None:
    with av.open(io.BytesIO(b"".join(send(WebmOpusEncoder(64_000), SOUND))), "r") as file:
        decoder = OpusDecoder()
        heard = np.concatenate([decoder.decode(bytes(packet)) for packet in file.demux() if packet.size])
    sent = ideally_resampled(SOUND, CODED_RATE, TIMELINE_RATE)
    assert error_db(heard[PRE_SKIP : PRE_SKIP + len(sent)], sent) < -20
