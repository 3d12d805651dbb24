"""MP3, AAC, FLAC and WAV as they are sent: heard by programs that share no code with what wrote them."""

from __future__ import annotations

import gc
import io
import json
import subprocess
import wave
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import av
import miniaudio
import numpy as np
import psutil
import pytest
import soundfile

from realtime.audio.formats import FILE_RATES, PacketEncoder, completed, make_encoder
from realtime.audio.opus import CODED_RATE
from realtime.types import AudioSettings, Pcm
from tests.audio.sounds import as_float, delay, error_db, frames_of, ideally_resampled, send, speechlike
from tests.speech.sounds import Rendered, check_packets, chunk, ms, piece, tone

#: A whole number of samples at every rate.
SOUND = speechlike(CODED_RATE * 4 // 5)
RATES = FILE_RATES["wav"]
CODED = ("mp3", "aac", "flac", "wav")
EXACT = ("flac", "wav", "pcm_s16le")
FILES = [(name, rate) for name in (*CODED, "pcm_s16le") for rate in RATES]
every_file = pytest.mark.parametrize(("name", "rate"), FILES)
every_format = pytest.mark.parametrize("name", CODED)
every_rate = pytest.mark.parametrize("rate", RATES)
#: What a coder may get wrong; measured -22, -28, -34 and -34 dB at the worst, at 64 kbit/s.
ALLOWED_DB = {"mp3": -20, "aac": -25, "flac": -33, "wav": -33, "pcm_s16le": -33}
AAC_BLOCK = 1024
MP3_DELAY = 1105
#: What the first part of a file has at least.
PART = 16 * 1024


def encoder(name: str, rate: int, bitrate: int = 64_000, frame_ms: int = 20) -> PacketEncoder:
    return make_encoder(AudioSettings(name, rate, frame_ms, bitrate))


def file(name: str, rate: int, pcm: Pcm, bitrate: int = 64_000) -> bytes:
    return b"".join(send(encoder(name, rate, bitrate), pcm))


def whole_file(name: str, data: bytes, samples: int) -> bytes:
    """The file when its length is known; it was held in two parts, if it is not a small one."""
    return b"".join(completed(name, [data[:PART], data[PART:]], samples))


def block(name: str, rate: int) -> int:
    """Samples in a packet of a codec that has its own size."""
    return {"mp3": 1152 if rate > 24_000 else 576, "aac": AAC_BLOCK}[name]


def by_program(name: str, rate: int, data: bytes) -> Pcm:
    """By FFmpeg's program, from a pipe, as a player hears it that cannot seek."""
    form = ["-f", "s16le", "-ar", str(rate), "-ac", "1"] if name == "pcm_s16le" else ["-f", name]
    command = ["ffmpeg", "-v", "fatal", *form, "-i", "-", "-f", "f32le", "-c:a", "pcm_f32le", "-"]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.float32)


def by_library(name: str, rate: int, data: bytes) -> Pcm:
    """By FFmpeg's libraries, another version, in a tenth of the time."""
    if name == "pcm_s16le":
        return as_float(np.frombuffer(data, "<i2"))
    with av.open(io.BytesIO(data), "r", format=name) as opened:
        stream = opened.streams.audio[0]
        assert (stream.rate, stream.channels) == (rate, 1)
        parts = [frame.to_ndarray()[0] for frame in opened.decode(stream)]
    heard = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    return as_float(heard) if heard.dtype == np.int16 else heard


def sound_in(name: str, rate: int, heard: Pcm, length: int) -> Pcm:
    """The sound without the surplus that its format may have; no more than that is there."""
    lead = AAC_BLOCK if name == "aac" else 0
    surplus = len(heard) - lead - length
    if name in EXACT:
        assert surplus == 0
    else:
        # Of MP3 there are at least two packets, else FFmpeg would not know it.
        fewest = 2 * 1152 - MP3_DELAY if name == "mp3" else 0
        assert 0 <= surplus < max(block(name, rate), fewest - length + 1)
    return heard[lead : lead + length]


# -- whole streams -------------------------------------------------------------------------------------------


@every_file
def test_a_saved_stream_is_the_sound(name: str, rate: int) -> None:
    """From its first sample to its last; the surplus is before and after it."""
    sent = ideally_resampled(SOUND, CODED_RATE, rate)
    heard = by_program(name, rate, file(name, rate, SOUND))
    inside = sound_in(name, rate, heard, len(sent))
    surplus = float(np.sum(heard**2) - np.sum(inside**2))
    assert surplus < 0.01 * np.sum(sent**2), "silence, but for what a codec smears over its block"
    assert delay(inside, sent) == 0
    assert error_db(inside, sent) < ALLOWED_DB[name]


@every_file
@pytest.mark.parametrize("samples", [3, 480, 1299])
def test_of_any_length(name: str, rate: int, samples: int) -> None:
    """3 are the fewest that a timeline has: one sample at 8 kHz."""
    data = file(name, rate, SOUND[:samples])
    length = samples * rate // CODED_RATE
    heard = by_library(name, rate, data)
    assert len(sound_in(name, rate, heard, length)) == length
    # FFmpeg forgets the rest of the delay when the end is in the second packet: after 47 samples or fewer.
    if name != "aac" and not (name == "mp3" and length <= 2 * 576 - MP3_DELAY):
        assert len(by_library(name, rate, whole_file(name, data, 2 * samples))) == length


@every_format
@pytest.mark.parametrize(("rate", "frame_ms"), [(24_000, 40), (22_050, 60), (48_000, 60)])
def test_in_frames_of_any_length(name: str, rate: int, frame_ms: int) -> None:
    sent = ideally_resampled(SOUND, CODED_RATE, rate)
    heard = by_library(name, rate, b"".join(send(encoder(name, rate, frame_ms=frame_ms), SOUND)))
    assert error_db(sound_in(name, rate, heard, len(sent)), sent) < ALLOWED_DB[name]


@every_rate
@pytest.mark.parametrize("name", ["mp3", "flac", "wav"])
def test_other_decoders_hear_it_as_well(name: str, rate: int) -> None:
    """miniaudio's own decoders, as it comes; libsndfile's (mpg123, libFLAC), completed."""
    sent = ideally_resampled(SOUND, CODED_RATE, rate)
    data = file(name, rate, SOUND)
    form = miniaudio.SampleFormat.FLOAT32
    decoded = miniaudio.decode(data, output_format=form, nchannels=1, sample_rate=rate)
    inside = sound_in(name, rate, np.frombuffer(decoded.samples, np.float32), len(sent))
    assert delay(inside, sent) == 0 and error_db(inside, sent) < ALLOWED_DB[name]
    heard, said = soundfile.read(io.BytesIO(whole_file(name, data, 2 * len(SOUND))), dtype="float32")
    assert (said, len(heard)) == (rate, len(sent))
    assert delay(heard, sent) == 0 and error_db(heard, sent) < ALLOWED_DB[name]


@every_rate
def test_flac_and_wav_lose_nothing(rate: int) -> None:
    raw = file("pcm_s16le", rate, SOUND)
    for name in ("flac", "wav"):
        data = whole_file(name, file(name, rate, SOUND), 2 * len(SOUND))
        heard, _ = soundfile.read(io.BytesIO(data), dtype="int16")
        assert heard.tobytes() == np.frombuffer(raw, "<i2").tobytes()


@every_format
def test_the_same_sound_makes_the_same_bytes_whatever_happens_beside_it(name: str) -> None:
    alone = send(encoder(name, 24_000), SOUND)
    with ThreadPoolExecutor(2) as workers:
        beside = list(workers.map(lambda _: send(encoder(name, 24_000), SOUND), range(4)))
    assert beside == [alone] * 4


@every_format
def test_an_encoder_may_be_handed_from_thread_to_thread(name: str) -> None:
    alone, handed_on = encoder(name, 16_000), encoder(name, 16_000)
    *frames, last = frames_of(SOUND, alone.frame_samples)
    payloads = []
    for frame in frames:
        with ThreadPoolExecutor(1) as worker:
            payloads.append(worker.submit(handed_on.encode, frame).result())
    payloads.append(handed_on.encode_last(last, 3))
    assert payloads == [*map(alone.encode, frames), alone.encode_last(last, 3)]


# -- on the way ----------------------------------------------------------------------------------------------


@every_file
def test_an_encoder_counts_in_samples_that_are_whole_at_8_khz(name: str, rate: int) -> None:
    made = encoder(name, rate)
    assert (made.frame_samples, made.held_back) == (480, 0)
    assert made.lookahead % 3 == 0


@every_format
@every_rate
def test_the_first_bytes_are_the_header(name: str, rate: int) -> None:
    """Of ADTS there is none but that of every packet."""
    first, *_ = send(encoder(name, rate), SOUND)
    magic = {"mp3": b"\xff", "aac": b"", "flac": b"fLaC\x80\0\0\x22", "wav": b"RIFF\xff\xff\xff\xffWAVEfmt "}
    assert first.startswith(magic[name])
    assert (b"Info" in first) == (name == "mp3")


#: Milliseconds of sound that go in before some of it comes out, as the docstrings say.
FIRST_SOUND_MS = [
    ("mp3", 8_000, 290),
    ("mp3", 24_000, 95),
    ("mp3", 48_000, 74),
    ("aac", 8_000, 391),
    ("aac", 24_000, 129),
    ("aac", 48_000, 67),
    ("flac", 8_000, 21),
    ("flac", 24_000, 21),
    ("wav", 8_000, 8),
    ("wav", 24_000, 1),
]


@pytest.mark.parametrize(("name", "rate", "after_ms"), FIRST_SOUND_MS)
def test_what_has_left_by_then_can_be_heard(name: str, rate: int, after_ms: int) -> None:
    """After any frame the sound but for the lookahead is out, as it is in the whole file."""
    made = encoder(name, rate)
    assert made.lookahead < after_ms * CODED_RATE // 1000
    whole = by_library(name, rate, file(name, rate, SOUND))
    lead = AAC_BLOCK if name == "aac" else 0
    data = b""
    for count, frame in enumerate(frames_of(SOUND, made.frame_samples)[:35], start=1):
        data += made.encode(frame)
        out = (count * made.frame_samples - made.lookahead) * rate // CODED_RATE
        if out <= 0:
            continue
        heard = by_library(name, rate, data)
        assert len(heard) >= lead + out
        assert np.allclose(heard[: lead + out], whole[: lead + out], atol=1e-4)


@pytest.mark.parametrize(("name", "rate"), FILES)
def test_a_flush_brings_out_all_sound_and_the_file_goes_on(name: str, rate: int) -> None:
    """Each sentence is complete before the next; when the last one left nobody knew that it was the last."""
    rendered = Rendered(encoder(name, rate))
    data, flushed = b"", []
    for segment, hz in enumerate((300.0, 700.0)):
        rendered.add(piece(segment, "One."), chunk(segment, tone(350, hz=hz)))
        rendered.flush()
        data = b"".join(packet.payload for packet in rendered.packets)
        flushed.append(by_library(name, rate, data))
    rendered.finish()
    data = b"".join(packet.payload for packet in rendered.packets)
    check_packets(rendered.packets, rendered.timeline.length)
    length = rendered.timeline.length // 2 * rate // CODED_RATE
    heard = sound_in(name, rate, by_library(name, rate, data), length)
    for start, hz, before in zip((0, rate * 8 // 10), (300.0, 700.0), flushed, strict=True):
        end = start + rate * 35 // 100
        sent = 0.5 * np.cos(2 * np.pi * hz * np.arange(end - start) / rate + np.pi / 4)
        inside = slice(rate // 20, -rate // 20)
        assert error_db(heard[start:end][inside], sent[inside].astype(np.float32)) < -20
        lead = AAC_BLOCK if name == "aac" else 0
        assert np.allclose(before[lead + start : lead + end], heard[start:end], atol=1e-4)
    if name != "aac":
        exact = by_library(name, rate, whole_file(name, data, rendered.timeline.length))
        assert len(exact) == length


@pytest.mark.parametrize(("name", "rate"), FILES)
@pytest.mark.parametrize("length_ms", [0.05, 20, 133])
def test_a_flush_that_is_overtaken_by_the_end(name: str, rate: int, length_ms: float) -> None:
    rendered = Rendered(encoder(name, rate))
    rendered.timeline.add(piece(0, "One."), chunk(0, tone(length_ms)))
    rendered.timeline.flush()
    rendered.timeline.finish()
    rendered.drain()
    samples = -(-ms(length_ms) // 3) * 3
    check_packets(rendered.packets, 2 * samples)
    data = b"".join(packet.payload for packet in rendered.packets)
    sound_in(name, rate, by_library(name, rate, data), samples * rate // CODED_RATE)


@every_format
def test_nothing_was_said(name: str) -> None:
    made = encoder(name, 24_000)
    assert made.close() == b""
    assert completed(name, [], 0) == [] and whole_file(name, b"", 0) == b""


@every_format
def test_closing_again_gives_nothing_more(name: str) -> None:
    made = encoder(name, 24_000)
    *frames, last = frames_of(SOUND, made.frame_samples)
    assert b"".join(map(made.encode, frames))
    made.encode_last(last, 0)
    assert made.close() == made.close() == b""


@pytest.mark.parametrize("name", ["mp3", "aac", "flac"])
def test_one_that_is_dropped_in_the_middle_leaves_nothing_behind(
    name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """No memory, and no thread: none is started."""
    gc.collect()
    process = psutil.Process()
    threads = process.num_threads()
    memory = []
    for _ in range(3):
        for _ in range(25):
            made = encoder(name, 24_000)
            for frame in frames_of(SOUND[:6_000], made.frame_samples):
                made.encode(frame)
        memory.append(process.memory_info().rss)
    assert process.num_threads() <= threads
    assert memory[2] - memory[0] < 10_000_000, "50 encoders of any kind take 15 MB or more"
    assert capfd.readouterr() == ("", "")


# -- what is written around the packets ----------------------------------------------------------------------


@every_format
@every_rate
def test_a_completed_file_says_how_long_it_is(name: str, rate: int, tmp_path: Path) -> None:
    """An ADTS file never does; of the others the bytes of the sound stay as they are."""
    data = file(name, rate, SOUND)
    whole = whole_file(name, data, 2 * len(SOUND))
    assert len(whole) == len(data) and (whole == data) == (name == "aac")
    (tmp_path / "whole").write_bytes(whole)
    command = ["ffprobe", "-v", "error", "-f", name, "-show_streams", "-of", "json", "whole"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert done.stderr == b""
    [stream] = json.loads(done.stdout)["streams"]
    assert (int(stream["sample_rate"]), stream["channels"]) == (rate, 1)
    surplus = block(name, rate) + MP3_DELAY if name == "mp3" else 1e-6 * rate
    if name != "aac":
        assert 0 <= float(stream["duration"]) - len(SOUND) / CODED_RATE <= surplus / rate


@every_rate
def test_python_reads_the_wav(rate: int) -> None:
    data = file("wav", rate, SOUND)
    raw = file("pcm_s16le", rate, SOUND)
    with wave.open(io.BytesIO(data)) as opened:
        assert opened.readframes(opened.getnframes()) == raw
    with wave.open(io.BytesIO(whole_file("wav", data, 2 * len(SOUND)))) as opened:
        assert (opened.getnchannels(), opened.getsampwidth(), opened.getframerate()) == (1, 2, rate)
        assert opened.getnframes() == len(raw) // 2
        assert opened.readframes(len(raw)) == raw


@every_rate
def test_flacs_own_program_finds_no_fault(rate: int, tmp_path: Path) -> None:
    data = file("flac", rate, SOUND)
    for name, content in (("stream", data), ("whole", whole_file("flac", data, 2 * len(SOUND)))):
        (tmp_path / f"{name}.flac").write_bytes(content)
        command = ["flac", "--test", "--silent", f"{name}.flac"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stderr.count("\n") == 1 and "WARNING, cannot check MD5 signature" in done.stderr


@every_rate
def test_the_blocks_of_flac_are_as_long_as_frames(rate: int) -> None:
    first, *_ = send(encoder("flac", rate), SOUND)
    streaminfo = first[8:]
    assert len(streaminfo) == 34
    assert streaminfo[:4] == (rate // 50).to_bytes(2) * 2
    bits = int.from_bytes(streaminfo[10:18])
    assert (bits >> 44, bits >> 41 & 7, bits >> 36 & 31, bits & (1 << 36) - 1) == (rate, 0, 15, 0)


def mp3_frames(data: bytes) -> list[bytes]:
    """The frames of an MP3 file, by what their headers say (ISO 11172-3, 2.4.1.3)."""
    frames = []
    while data:
        header = int.from_bytes(data[:4])
        version, layer, index, number = (header >> at & 3 for at in (19, 17, 12, 10))
        index = header >> 12 & 15
        assert (header >> 21, layer, header >> 6 & 3) == (0x7FF, 1, 3), "sync, layer III, mono"
        rate = (44_100, 48_000, 32_000)[number] // {3: 1, 2: 2, 0: 4}[version]
        table = {
            True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
            False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
        }
        size = (144 if version == 3 else 72) * table[version == 3][index] * 1000 // rate + (header >> 9 & 1)
        assert len(data) >= size
        frames.append(data[:size])
        data = data[size:]
    return frames


def side_information(frame: bytes) -> int:
    """Where what follows it begins."""
    return 4 + (17 if frame[1] >> 3 & 3 == 3 else 9)


@every_rate
@pytest.mark.parametrize("bitrate", [8_000, 32_000, 64_000, 320_000])
def test_the_first_frame_of_mp3_says_the_delay(rate: int, bitrate: int) -> None:
    data = file("mp3", rate, SOUND, bitrate)
    length, size = len(SOUND) * rate // CODED_RATE, block("mp3", rate)
    count = -(-(length + MP3_DELAY) // size)
    for content in (data, whole_file("mp3", data, 2 * len(SOUND))):
        with av.open(io.BytesIO(content), "r", format="mp3") as opened:
            # FFmpeg tells of the encoder only when the tag's checksum is right.
            assert opened.streams.audio[0].metadata["encoder"] == "LAME3.100"
        info, *frames = mp3_frames(content)
        assert len(frames) == count
        tag = info[side_information(info) :]
        assert (tag[:4], tag[12:16]) == (b"Info", b"LAME")
        padding = count * size - 576 - length if content != data else 0
        assert int.from_bytes(tag[33:36]) == 576 << 12 | padding
        assert int.from_bytes(tag[4:12]) == (1 << 32 | count if content != data else 2 << 32 | 0xFFFFFFFF)
        assert int.from_bytes(tag[40:44]) == (len(data) if content != data else 0)
        assert info[4 : side_information(info)].strip(b"\0") == b"", "silence for whoever takes it for sound"
        assert info[1] == frames[0][1] and info[2] & 0x0C == frames[0][2] & 0x0C, "as the others"


def test_every_packet_of_mp3_stands_for_itself() -> None:
    """Its sound begins in it (main_data_begin, 9 bits of MPEG-1 and 8 of the others)."""
    for rate in RATES:
        _, *frames = mp3_frames(file("mp3", rate, SOUND))
        bits = 9 if rate > 24_000 else 8
        assert {int.from_bytes(frame[4:6]) >> 16 - bits for frame in frames} == {0}


@pytest.mark.parametrize(
    ("rate", "asked", "made"),
    [
        (24_000, 8_000, 8),
        (24_000, 65_000, 64),
        (24_000, 320_000, 160),
        (8_000, 320_000, 64),
        (48_000, 8_000, 32),
        (44_100, 100_000, 96),
        (44_100, 320_000, 320),
    ],
)
def test_the_bitrate_of_mp3_is_the_nearest(rate: int, asked: int, made: int) -> None:
    frames = mp3_frames(file("mp3", rate, SOUND, asked))[1:]
    kbits = sum(map(len, frames)) * 8 / len(frames) / block("mp3", rate) * rate / 1000
    assert kbits == pytest.approx(made, rel=0.01)


@pytest.mark.parametrize("flags", ["", "fastseek"])
@pytest.mark.parametrize("complete", [False, True])
def test_players_find_their_place_in_mp3(flags: str, complete: bool) -> None:
    """Browsers seek fast: by the size that the file says, which is not known while it is streamed."""
    pcm = np.concatenate([SOUND] * 4)
    data = file("mp3", 24_000, pcm)
    content = io.BytesIO(whole_file("mp3", data, 2 * len(pcm)) if complete else data)
    with av.open(content, "r", format="mp3", options={"fflags": flags} if flags else {}) as opened:
        stream = opened.streams.audio[0]
        assert stream.time_base is not None
        opened.seek(round(3 / stream.time_base), stream=stream)
        frames = [frame.to_ndarray()[0] for frame in opened.decode(stream)]
    heard = np.concatenate(frames)
    rest = ideally_resampled(pcm, CODED_RATE, 24_000)[3 * CODED_RATE :]
    assert abs(len(heard) - len(rest)) < 0.1 * CODED_RATE
    assert abs(delay(heard, rest)) < 0.1 * CODED_RATE


@every_rate
def test_every_packet_of_aac_has_its_header(rate: int) -> None:
    """ISO 14496-3, 1.A.2.2."""
    data = file("aac", rate, SOUND)
    at = [0]
    while at[-1] < len(data):
        bits = int.from_bytes(data[at[-1] : at[-1] + 7])
        assert bits >> 40 == 0xFFF1, "MPEG-4, no checksum"
        assert (bits >> 38 & 3, bits >> 30 & 7, bits & 3) == (1, 1, 0), "low complexity, mono, one block"
        assert (
            96_000,
            88_200,
            64_000,
            48_000,
            44_100,
            32_000,
            24_000,
            22_050,
            16_000,
            12_000,
            11_025,
            8_000,
        )[bits >> 34 & 15] == rate
        at.append(at[-1] + (bits >> 13 & 0x1FFF))
    assert at[-1] == len(data)
    packets = len(list(pairwise(at)))
    assert packets == -(-len(SOUND) * rate // CODED_RATE // AAC_BLOCK) + 1


def test_a_higher_bitrate_makes_more_of_aac() -> None:
    low, middle, high = (len(file("aac", 24_000, SOUND, bitrate)) for bitrate in (24_000, 64_000, 288_000))
    assert low * 1.2 < middle < high
    assert len(file("aac", 8_000, SOUND, 288_000)) < len(SOUND) / CODED_RATE * 48_000 / 8 * 1.1
