"""What comes over HTTP is speech: every format is decoded by another program and judged by a recogniser."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import numpy as np
import pytest

from realtime.app import running
from realtime.audio.loudness import measure
from realtime.config import Config
from tests.speech_judges import Sound, transcribe, word_error_rate

FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
TEXT = (
    "Would you like me to read the rest of the article aloud? I have found three restaurants near you that "
    "are open right now. Please leave your message after the tone and we will call you back."
)
SPEEDS = (0.5, 0.75, 1.5, 2.0)
DECODED_RATE = 24_000


@asynccontextmanager
async def _client(**settings: object) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        running(Config(port=0, **settings)) as server,  # type: ignore[arg-type]
        aiohttp.ClientSession(server.url) as client,
    ):
        yield client


async def _file(client: aiohttp.ClientSession, **fields: object) -> tuple[bytes, float]:
    """A file, and its length in ms as the trailers or the headers tell it."""
    asked = {"input": TEXT, "stream": False, **fields}
    async with client.post("/v1/audio/speech", json=asked) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.read(), float(answer.headers["X-Audio-Duration-Ms"])


def _ffmpeg(data: bytes, *form: str) -> Sound:
    """What the program ffmpeg decodes, at `DECODED_RATE`."""
    out = ("-f", "f32le", "-ac", "1", "-ar", str(DECODED_RATE), "-")
    command = ("ffmpeg", "-hide_banner", "-loglevel", "error", *form, "-i", "-", *out)
    done = subprocess.run(command, input=data, capture_output=True, timeout=60, check=True)
    return np.frombuffer(done.stdout, np.float32)


async def _files() -> dict[str, tuple[Sound, float]]:
    async with _client() as client:
        found = {}
        for name in FORMATS:
            data, audio_ms = await _file(client, response_format=name)
            raw = ("-f", "s16le", "-ar", "24000", "-ac", "1") if name == "pcm" else ()
            found[name] = (await asyncio.to_thread(_ffmpeg, data, *raw), audio_ms)
        return found


@pytest.fixture(scope="module")
def files() -> dict[str, tuple[Sound, float]]:
    """The sound of the text in every format, and its length in ms by the server's own word."""
    return asyncio.run(_files())


@pytest.mark.parametrize("name", FORMATS)
def test_a_recogniser_understands_every_format(files: dict[str, tuple[Sound, float]], name: str) -> None:
    sound, _ = files[name]
    assert word_error_rate([TEXT], [transcribe(sound, DECODED_RATE)]) <= 0.05


@pytest.mark.parametrize("name", FORMATS)
def test_the_length_is_that_of_the_sound(files: dict[str, tuple[Sound, float]], name: str) -> None:
    sound, audio_ms = files[name]
    # AAC has no place to say what its codec adds: less than two of its frames.
    surplus_ms = 2 * 1024 / 24 if name == "aac" else 0
    length_ms = len(sound) * 1000 / DECODED_RATE
    assert -0.1 <= length_ms - audio_ms <= surplus_ms + 0.1


async def test_speed_changes_the_tempo_and_not_the_pitch() -> None:
    """By FFmpeg while it streams; of whole files by Rubber Band, where it is asked for."""
    async with _client(speed_quality="high") as client:
        data, usual_ms = await _pcm(client)
        usual = _pitches(data, 1.0)
        for speed, stream in itertools.product(SPEEDS, (True, False)):
            data, audio_ms = await _pcm(client, stream=stream, speed=speed)
            assert abs(audio_ms * speed / usual_ms - 1) <= 0.02, speed
            ratios = _pitches(data, speed) / usual
            assert np.count_nonzero(~np.isnan(ratios)) > 100, "there is voiced speech"
            assert abs(float(np.nanmedian(ratios)) - 1) <= 0.02, speed


async def test_the_better_tempo_is_for_whole_files_alone() -> None:
    for quality, differs in (("fast", False), ("high", True)):
        async with _client(speed_quality=quality) as client:
            streamed, whole = [
                (await _pcm(client, stream=stream, speed=1.5, input="Please leave your message."))[0]
                for stream in (True, False)
            ]
            assert (not np.array_equal(streamed, whole)) == differs


async def test_loudness_of_voices() -> None:
    """Each voice has a gain of its own, from one sentence: other texts come near the loudness asked for."""
    for wanted in (-16.0, -28.0):
        async with _client(loudness_lufs=wanted) as client:
            for fields in ({}, {"language": "de", "input": "Guten Tag, hier spricht die deutsche Stimme."}):
                data, _ = await _pcm(client, stream=True, **fields)
                assert abs(measure(data, DECODED_RATE) - wanted) < 2, fields
                assert np.max(np.abs(data)) < 10 ** (-1 / 20), "no peak is above -1 dBFS"


async def _pcm(client: aiohttp.ClientSession, **fields: object) -> tuple[Sound, float]:
    """Samples, and their length in ms."""
    asked = {"input": TEXT, "response_format": "pcm", "cache": False, **fields}
    async with client.post("/v1/audio/speech", json=asked) as answer:
        assert answer.status == 200, await answer.text()
        data = _samples(await answer.read())
    return data, len(data) * 1000 / DECODED_RATE


def _samples(data: bytes) -> Sound:
    return np.frombuffer(data, "<i2").astype(np.float32) / 32768


def _pitches(sound: Sound, speed: float) -> Sound:
    """The pitch in Hz every 10 ms of the text as it is usually spoken, NaN where it is not voiced.

    Of 40 ms the lag from 80 to 400 Hz with the strongest autocorrelation, between samples by a parabola.
    """
    size = DECODED_RATE * 40 // 1000
    lags = np.arange(DECODED_RATE // 400, DECODED_RATE // 80)
    pitches = np.full(900, np.nan)
    for number in range(len(pitches)):
        start = round(number * DECODED_RATE / 100 / speed)
        frame, reach = sound[start : start + size], sound[start : start + size + lags[-1] + 1]
        if len(reach) < size + lags[-1] + 1 or np.sqrt(np.mean(frame**2)) < 0.03:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(reach, size)[lags]
        strength = windows @ frame / (np.linalg.norm(windows, axis=1) * np.linalg.norm(frame) + 1e-9)
        best = int(np.argmax(strength))
        if strength[best] > 0.8 and 0 < best < len(lags) - 1:
            left, top, right = strength[best - 1 : best + 2]
            pitches[number] = DECODED_RATE / (lags[best] + 0.5 * (left - right) / (left - 2 * top + right))
    return pitches
