"""Recordings: every format comes to the same sound, and whatever else is sent hears what is wrong with it."""

from __future__ import annotations

import hashlib
import os
import random
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile

from realtime.errors import ErrorCode, RealtimeError
from realtime.types import Pcm
from realtime.voices import decoding, recording
from realtime.voices.decoding import Decoded, decode
from realtime.voices.recording import LEAST_LOUD_S, MOST_BYTES, MOST_CLIPPED, check_level, read_recording
from tests.audio.sounds import error_db, ideally_resampled
from tests.voices.recordings import ffmpeg, file_of, speechlike, tone

NOT_AUDIO, TOO_LONG, TOO_SHORT = ErrorCode.NOT_AUDIO, ErrorCode.AUDIO_TOO_LONG, ErrorCode.AUDIO_TOO_SHORT
TOO_QUIET, CLIPPED = ErrorCode.AUDIO_TOO_QUIET, ErrorCode.AUDIO_CLIPPED


def pcm_of(decoded: Decoded) -> Pcm:
    return np.frombuffer(decoded.pcm, np.int16).astype(np.float32) / 32_768


def refused(data: bytes, read: Callable[[bytes], object] = decode) -> RealtimeError:
    with pytest.raises(RealtimeError) as caught:
        read(data)
    return caught.value


def file_by_program(*arguments: str, seconds: float = 2, rate: int = 44_100) -> bytes:
    """As another program writes it, to a pipe: it cannot go back and fill in sizes."""
    return ffmpeg("-f", "wav", "-i", "pipe:0", *arguments, "pipe:1", data=file_of(tone(seconds, rate), rate))


def m4a(folder: Path, *arguments: str, seconds: float = 2, rate: int = 44_100) -> bytes:
    path = folder / "sound.m4a"
    ffmpeg("-f", "wav", "-i", "pipe:0", *arguments, str(path), data=file_of(tone(seconds, rate), rate))
    return path.read_bytes()


def sound_of(data: bytes) -> tuple[float, float, float]:
    """Seconds, pitch in Hz, and level of a tone."""
    pcm = pcm_of(decode(data))
    middle = pcm[len(pcm) // 4 : -len(pcm) // 4]
    peak = np.argmax(np.abs(np.fft.rfft(middle * np.hanning(len(middle)))))
    level = float(np.sqrt(2 * np.mean(middle.astype(np.float64) ** 2)))
    return len(pcm) / 24_000, float(peak * 24_000 / len(middle)), level


@pytest.mark.parametrize(
    ("kind", "subtype", "rate", "channels"),
    [
        ("WAV", "PCM_16", 8_000, 1),
        ("WAV", "PCM_24", 44_100, 2),
        ("WAV", "PCM_32", 192_000, 1),
        ("WAV", "FLOAT", 48_000, 8),
        ("WAV", "DOUBLE", 11_025, 1),
        ("WAV", "PCM_U8", 22_050, 1),
        ("WAV", "ULAW", 8_000, 1),
        ("WAVEX", "PCM_16", 16_000, 6),
        ("RF64", "PCM_16", 24_000, 1),
        ("FLAC", "PCM_16", 44_100, 2),
        ("FLAC", "PCM_24", 96_000, 1),
        ("MP3", None, 44_100, 2),
        ("MP3", None, 16_000, 1),
        ("OGG", "VORBIS", 44_100, 2),
        ("OGG", "OPUS", 48_000, 1),
        ("OGG", "OPUS", 16_000, 1),
    ],
)
def test_every_format_is_the_same_sound(kind: str, subtype: str | None, rate: int, channels: int) -> None:
    pcm = np.repeat(tone(2, rate)[:, None], channels, axis=1)
    seconds, hz, level = sound_of(file_of(pcm, rate, kind, subtype))
    assert seconds == pytest.approx(2, abs=0.15 if kind == "MP3" else 1e-4)
    assert hz == pytest.approx(300, abs=1)
    assert level == pytest.approx(0.3, rel=0.2 if kind == "MP3" else 0.05)  # its encoder is not exact


@pytest.mark.parametrize("arguments", [("-f", "flac"), ("-f", "flac", "-sample_fmt", "s32"), ("-f", "wav")])
def test_what_was_streamed_has_no_sizes_in_its_header(arguments: tuple[str, ...]) -> None:
    assert sound_of(file_by_program(*arguments)) == pytest.approx((2, 300, 0.3), abs=0.02)


@pytest.mark.parametrize("arguments", [(), ("-movflags", "+faststart"), ("-ar", "16000")])
def test_m4a(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    seconds, hz, level = sound_of(m4a(tmp_path, *arguments))
    assert seconds == pytest.approx(2, abs=0.1)
    assert hz == pytest.approx(300, abs=1) and level == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000, 192_000])
def test_resampling_is_clean_to_its_ends(rate: int) -> None:
    low = min(rate, 24_000)
    sent = sum(tone(1.2, rate, hz, 0.15) for hz in (100, 997, 0.3 * low, 0.42 * low))
    heard = pcm_of(decode(file_of(sent.astype(np.float32), rate, subtype="FLOAT")))
    ideal = ideally_resampled(sent, rate, 24_000)
    assert len(heard) == len(ideal)
    inner = slice(200, -200)  # the ideal runs round from its end to its begin
    assert error_db(heard[inner], ideal[inner]) < -60
    assert np.max(np.abs(heard)) < 0.7


def test_at_its_own_rate_not_a_bit_changes() -> None:
    sent = np.rint(speechlike(1.5) * 20_000).astype(np.int16)
    decoded = decode(file_of(sent, subtype="PCM_16"))
    assert decoded.pcm == sent.tobytes() and decoded.seconds == 1.5
    assert decoded.key == hashlib.sha256(sent.astype("<i2").tobytes()).hexdigest()


def test_channels_are_averaged() -> None:
    pcm = np.stack([tone(1, hz=300), tone(1, hz=500), np.zeros(24_000, np.float32)], axis=1)
    expected = (tone(1, hz=300) + tone(1, hz=500)) / 3
    assert np.max(np.abs(pcm_of(decode(file_of(pcm, subtype="FLOAT"))) - expected)) < 1e-4


def test_a_recording_and_its_key() -> None:
    sent = speechlike(2, 44_100) * np.float32(0.5)
    first = read_recording(file_of(sent, 44_100))
    assert (first.sample_rate, first.seconds, len(first.pcm)) == (24_000, 2.0, 48_000)
    assert first.pcm.dtype == np.float32 and 0.4 < np.max(np.abs(first.pcm)) < 0.6
    samples = np.rint(first.pcm * 32_768).astype("<i2")
    assert first.key == hashlib.sha256(samples.tobytes()).hexdigest()
    again = read_recording(first.flac)  # what a server keeps, sent to it again
    assert again.key == first.key and np.array_equal(again.pcm, first.pcm) and again.flac == first.flac


@pytest.mark.parametrize(
    ("seconds", "code"), [(0.99, TOO_SHORT), (1.0, None), (60.0, None), (60.2, TOO_LONG), (61, TOO_LONG)]
)
@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_one_to_sixty_seconds(kind: str, seconds: float, code: ErrorCode | None) -> None:
    data = file_of(tone(seconds, 8_000), 8_000, kind)
    if code is None:
        assert decode(data).seconds == seconds
        return
    error = refused(data)
    assert error.code == code and "1 to 60 s are allowed" in error.message
    assert code == TOO_LONG or "0.99 s long" in error.message


@pytest.mark.parametrize(("kind", "rate"), [("MP3", 44_100), ("MP3", 8_000), ("OGG", 48_000)])
def test_what_an_encoder_adds_does_not_count(kind: str, rate: int) -> None:
    assert 60 <= decode(file_of(tone(60, rate), rate, kind)).seconds < 60.15


WAV = file_of(tone(2), subtype="PCM_16")
FLAC = file_of(tone(2), kind="FLAC")
MP3 = file_of(tone(2), kind="MP3")
OGG = file_of(tone(2), kind="OGG")


def with_bytes(data: bytes, at: int, form: str, value: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(form, changed, at, value)
    return bytes(changed)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\0", "no audio file"),
        (b"RIFF", "no audio file"),
        (b"Hello, I am a sound.\n" * 1000, "no audio file"),
        (b"#EXTM3U\n#EXTINF:2,\nhttp://127.0.0.1/a.ts\n", "no audio file"),
        (b"ffconcat version 1.0\nfile '/etc/hostname'\n", "no audio file"),
        (b"RIFF\x24\0\0\0AVI LIST" + bytes(100), "no audio file"),
        (file_of(tone(2), kind="AIFF"), "no audio file"),
        (b"RIFF\xff\xff\xff\xffWAVE", "damaged"),
        (b"RIFF\x24\0\0\0WAVE" + bytes(100), "damaged"),
        (b"fLaC", "damaged"),
        (b"fLaC" + bytes(100), "damaged"),
        (b"OggS" + bytes(1000), "damaged"),
        (b"\0\0\0\x20ftypM4A " + bytes(1000), "damaged"),
        (b"\xff\xfb\x90\x00" + bytes(1000), "damaged"),
        (b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + MP3, "no audio file"),  # a tag that is longer than the file
        (b"ID3\x04\0\0", "no audio file"),
        (with_bytes(WAV, 22, "<H", 0), "damaged"),
        (with_bytes(WAV, 22, "<H", 9), "has 9 channels; 1 to 8"),
        (with_bytes(WAV, 22, "<H", 1000), "has 1000 channels; 1 to 8"),
        (with_bytes(WAV, 22, "<H", 65_535), "damaged"),
        (with_bytes(WAV, 24, "<I", 0), "damaged"),
        (with_bytes(WAV, 24, "<I", 7_999), "sample rate is 7999 Hz; 8000 to 192000"),
        (with_bytes(WAV, 24, "<I", 192_001), "sample rate is 192001 Hz"),
        (with_bytes(WAV, 24, "<I", 4_000_000_000), "damaged"),
        (with_bytes(WAV, 34, "<H", 0), "damaged"),
        (with_bytes(WAV, WAV.index(b"data") + 4, "<I", 0), "no sound in the file"),
    ],
)
def test_what_is_no_audio(data: bytes, message: str) -> None:
    error = refused(data)
    assert error.code == NOT_AUDIO and message in error.message


def test_a_header_that_promises_more_or_less_than_there_is() -> None:
    at = WAV.index(b"data") + 4
    for size in (96_001, 1_000_000, 0x7FFF_FFFF, 0xFFFF_FFFF):
        assert decode(with_bytes(WAV, at, "<I", size)).seconds == 2
    assert decode(with_bytes(WAV, at, "<I", 60_000)).seconds == 1.25
    assert refused(with_bytes(WAV, at, "<I", 1_000)).code == TOO_SHORT
    assert decode(with_bytes(WAV, 4, "<I", 10)).seconds == 2
    assert decode(with_bytes(WAV, 24, "<I", 48_000)).seconds == 1


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "MP3", "OGG"])
def test_a_file_that_was_cut_off(kind: str) -> None:
    """What has no check of its own is taken as far as it goes; one that has is refused."""
    whole = file_of(speechlike(6) * np.float32(0.5), kind=kind)
    for share in (0.75, 0.999):
        cut = whole[: int(len(whole) * share)]
        if kind == "FLAC":
            assert refused(cut).code == NOT_AUDIO
        else:
            assert 6 * share - 2 < decode(cut).seconds < 6 * share + 0.1
    assert refused(whole[: len(whole) // 50]).code in {NOT_AUDIO, TOO_SHORT}


def test_an_m4a_that_was_cut_off(tmp_path: Path) -> None:
    data = m4a(tmp_path)
    assert refused(data[: len(data) // 2]).code == NOT_AUDIO  # its index is at the end
    at_front = m4a(tmp_path, "-movflags", "+faststart")
    assert refused(at_front[: len(at_front) // 4]).code in {NOT_AUDIO, TOO_SHORT}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(value: float) -> None:
    pcm = tone(2)
    pcm[30_000] = value
    assert "not numbers" in refused(file_of(pcm, subtype="FLOAT")).message


def test_numbers_that_are_no_sound() -> None:
    huge = file_of(tone(2) * np.float32(1e38), subtype="FLOAT")
    assert decode(huge).clipped > 0.9


def test_an_hour_is_read_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    original = soundfile.SoundFile.read

    def counting(self: soundfile.SoundFile, *arguments: object, **options: object) -> object:
        block = original(self, *arguments, **options)
        read.append(len(block))
        return block

    monkeypatch.setattr(soundfile.SoundFile, "read", counting)
    bomb = file_of(np.zeros(3600 * 8_000, np.int16), 8_000, "FLAC", "PCM_16")
    assert len(bomb) < 150_000
    assert refused(bomb).code == TOO_LONG
    assert 60 * 8_000 < sum(read) < 63 * 8_000


def test_three_hours_of_mp3() -> None:
    """One frame of silence again and again: 72 ms and 72 bytes each."""
    silence = file_by_program(
        "-ar", "8000", "-b:a", "8k", "-af", "volume=0", "-f", "mp3", "-id3v2_version", "0"
    )
    frame = silence[720:792]
    assert frame[:2] == silence[:2]
    assert refused(frame * 150_000).code == TOO_LONG


def test_mp3_that_is_garbage() -> None:
    noise = random.Random(1).randbytes(4_000_000)
    for garbage in (b"\xff\xfb\x90\x00" + noise, MP3[:400] + noise, b"\xff\xfb\x90\x00" * 1_000_000):
        assert refused(garbage).code in {NOT_AUDIO, TOO_SHORT}


@pytest.mark.parametrize("data", [MP3, FLAC])
def test_a_tag_with_a_huge_picture(data: bytes) -> None:
    tag = b"ID3\x03\0\0" + bytes([2, 0, 0, 0]) + b"APIC" + random.Random(2).randbytes((2 << 21) - 4)
    assert decode(tag + data).seconds == pytest.approx(2, abs=0.15)
    assert decode(tag + tag + bytes(500) + data).seconds == pytest.approx(2, abs=0.15)


def video(folder: Path, name: str, *arguments: str) -> bytes:
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=2:s=64x64:r=5", *arguments, str(folder / name))
    return (folder / name).read_bytes()


def test_video_under_another_name(tmp_path: Path) -> None:
    """The sound of an MP4 is the same as that of an M4A; nothing else in it is decoded."""
    sound = ("-f", "lavfi", "-i", "sine=300:d=2")
    assert decode(video(tmp_path, "a.mp4", *sound, "-c:v", "mpeg4", "-c:a", "aac")).seconds == pytest.approx(
        2, abs=0.1
    )
    assert "no sound" in refused(video(tmp_path, "b.mp4", "-c:v", "mpeg4")).message
    assert (
        "not known"
        in refused(video(tmp_path, "c.mp4", *sound, "-c:v", "mpeg4", "-c:a", "libmp3lame")).message
    )
    assert (
        "no audio file" in refused(video(tmp_path, "d.mkv", *sound, "-c:v", "mpeg4", "-c:a", "aac")).message
    )


def lying_index(data: bytes, frames: int) -> bytes:
    """An M4A whose index promises so many frames of one byte each."""
    data = with_bytes(data, data.index(b"stsz") + 8, ">I", 1)
    data = with_bytes(data, data.index(b"stsz") + 12, ">I", frames)
    data = with_bytes(data, data.index(b"stsc") + 16, ">I", frames)
    return with_bytes(data, data.index(b"stts") + 12, ">I", frames)


@pytest.mark.parametrize("frames", [5_000_000, 100_000_000])
def test_a_file_that_asks_for_gigabytes_gets_none(tmp_path: Path, frames: int) -> None:
    # A process that is started counts the memory of the one that started it: so a small one does it.
    starter = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run([sys.executable, '-m', 'realtime.voices.decoding'], capture_output=True)\n"
        "assert b'not_audio' in done.stdout\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", starter],
        input=lying_index(m4a(tmp_path), frames),
        stdout=subprocess.PIPE,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        check=True,
        timeout=60,
    )
    assert int(done.stdout) < 700_000  # KB


FUZZ = """
import random, sys, msgspec
from realtime.errors import RealtimeError
from realtime.voices import decoding
decoding._limit_resources()
files = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=list[bytes])
chance = random.Random(5)
ends = {}
for data in files:
    for _ in range(40):
        changed = bytearray(data)
        for _ in range(chance.choice((1, 5, 50))):
            changed[int(len(changed) * chance.random() ** 3)] = chance.randrange(256)
        try:
            decoding.decode(bytes(changed))
            end = "decoded"
        except (RealtimeError, MemoryError) as error:
            end = str(getattr(error, "code", "memory"))
        ends[end] = ends.get(end, 0) + 1
print(ends)
"""


def test_damage_anywhere_is_survived(tmp_path: Path) -> None:
    """Whatever byte is wrong, it is sound or an error of ours; most of all in the headers."""
    files = [WAV, FLAC, MP3, OGG, file_of(tone(1.5), kind="OGG", subtype="OPUS"), m4a(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", FUZZ],
        input=msgspec.msgpack.encode(files),
        capture_output=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert b"decoded" in done.stdout and b"not_audio" in done.stdout


@pytest.mark.parametrize("level_db", [-38, -41.5])
def test_loud_enough(level_db: float) -> None:
    check_level(tone(2, level=10 ** (level_db / 20)))


@pytest.mark.parametrize(
    "pcm",
    [
        np.zeros(48_000, np.float32),
        np.full(48_000, 0.5, np.float32),  # a constant is no sound
        tone(10, level=10 ** (-42.5 / 20)),  # RMS is 3 dB below the peak
        np.concatenate([tone(LEAST_LOUD_S - 0.1), np.zeros(48_000, np.float32)]),
    ],
)
def test_too_quiet(pcm: Pcm) -> None:
    with pytest.raises(RealtimeError, match="louder than -45 dBFS") as caught:
        check_level(pcm)
    assert caught.value.code == TOO_QUIET


def test_half_a_second_of_speech_is_enough() -> None:
    check_level(np.concatenate([np.zeros(48_000, np.float32), tone(LEAST_LOUD_S + 0.1)]))


def too_loud(gain: float, rate: int = 24_000) -> Pcm:
    return np.clip(speechlike(3, rate) * np.float32(gain), -1, 1)


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "PCM_24"),
        ("WAV", "FLOAT"),
        ("WAV", "PCM_U8"),
        ("FLAC", None),
        ("MP3", None),
        ("OGG", None),
    ],
)
def test_clipping_is_seen_and_full_scale_is_no_clipping(kind: str, subtype: str | None) -> None:
    assert decode(file_of(too_loud(1), 24_000, kind, subtype)).clipped < MOST_CLIPPED
    assert decode(file_of(too_loud(4), 24_000, kind, subtype)).clipped > 5 * MOST_CLIPPED


def test_clipping_of_one_channel_is_clipping() -> None:
    stereo = np.stack([too_loud(4), too_loud(0.2)], axis=1)
    assert decode(file_of(stereo)).clipped > 0.02


@pytest.mark.parametrize(
    ("pcm", "code", "message"),
    [
        (too_loud(4), CLIPPED, "at most 0.1% may"),
        (tone(2, level=0.001), TOO_QUIET, "too quiet"),
        (tone(0.5), TOO_SHORT, "0.50 s long"),
        (tone(62), TOO_LONG, "longer than 60 s"),
    ],
)
def test_each_has_an_error_of_its_own(pcm: Pcm, code: ErrorCode, message: str) -> None:
    error = refused(file_of(pcm), lambda data: read_recording(data, "sample"))
    assert (error.code, error.param) == (code, "sample") and message in error.message


def test_empty_and_too_large() -> None:
    assert refused(b"", read_recording).code == NOT_AUDIO
    error = refused(bytes(MOST_BYTES + 1), read_recording)
    assert error.code == ErrorCode.BODY_TOO_LARGE and str(MOST_BYTES) in error.message
    assert error.param == "file"


def test_a_decoder_that_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It crashes, it hangs, it cannot be started; and it is told no secret of the server."""
    monkeypatch.setenv("API_KEYS", "a-secret")
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nenv > {tmp_path}/environment\nkill -SEGV $$\n")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    error = refused(WAV, read_recording)
    assert (error.code, error.message) == (NOT_AUDIO, "the file cannot be read")
    told = (tmp_path / "environment").read_text()
    assert "PYTHONPATH" in told and "a-secret" not in told
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(recording, "_PATIENCE_S", 0.1)
    assert "longer than is allowed" in refused(WAV, read_recording).message
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nowhere"))
    error = refused(WAV, read_recording)
    assert error.code == ErrorCode.INTERNAL and "nowhere" not in error.message
    assert decoding.MOST_S == 60
