"""OpenAI's own SDK, as it is, and httpx: what they ask for they get, in the shapes that they know."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest
import soundfile
from openai import AsyncOpenAI, OpenAI

from bench.server import ServerProcess

TEXT = "The first bytes are here. The last word is made later."
#: Of the tone engine: 60 ms for a character, 40 between words, 450 between sentences.
AUDIO_MS = 60 * (len(TEXT) - TEXT.count(" ")) + 40 * (TEXT.count(" ") - 1) + 450


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server with the tone engine, in a process of its own: the SDK blocks."""
    with ServerProcess(ENGINE="tone", ENGINE_RUNNER="thread", AUDIO_CACHE_MB="16") as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
def client(url: str) -> Iterator[OpenAI]:
    """Of that server."""
    with OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


def _length_ms(pcm: bytes) -> float:
    return len(pcm) / 2 / 24


def test_a_whole_answer(client: OpenAI) -> None:
    answer = client.audio.speech.create(
        model="gpt-4o-mini-tts", voice="alloy", input=TEXT, response_format="pcm", instructions="Be kind."
    )
    assert answer.response.headers["content-type"].startswith("audio/pcm;rate=24000")
    assert abs(_length_ms(answer.content) - AUDIO_MS) <= 10


def test_the_default_is_mp3(client: OpenAI, tmp_path: Path) -> None:
    answer = client.audio.speech.create(model="tts-1", voice="nova", input=TEXT, speed=1.5)
    assert answer.response.headers["content-type"] == "audio/mpeg"
    answer.write_to_file(tmp_path / "speech.mp3")
    assert abs(soundfile.info(tmp_path / "speech.mp3").duration * 1000 - AUDIO_MS / 1.5) < 120


def test_a_streamed_answer(client: OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="tts-1-hd", voice="tone", input=TEXT, response_format="wav"
    ) as answer:
        assert answer.headers["X-Latency-First-Audio-Ms"].isdigit()
        data = b"".join(answer.iter_bytes())
    sound, rate = soundfile.read(io.BytesIO(data))
    assert rate == 24_000 and abs(len(sound) / 24 - AUDIO_MS) <= 10


def test_events(client: OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="coral", input=TEXT, response_format="pcm", stream_format="sse"
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    *deltas, done = events
    assert len(deltas) > 1 and all(event["type"] == "speech.audio.delta" for event in deltas)
    pcm = b"".join(base64.b64decode(event["audio"]) for event in deltas)
    assert abs(_length_ms(pcm) - AUDIO_MS) <= 10
    assert done["type"] == "speech.audio.done"
    usage = done["usage"]
    assert usage["input_tokens"] == len(TEXT)
    assert usage["input_tokens"] + usage["output_tokens"] == usage["total_tokens"]


async def test_the_asynchronous_client(url: str) -> None:
    async with AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        async with client.audio.speech.with_streaming_response.create(
            model="tts-1", voice="echo", input=TEXT, response_format="flac"
        ) as answer:
            data = b"".join([part async for part in answer.iter_bytes()])
        assert data[:4] == b"fLaC"
        models = [model.id async for model in await client.models.list()]
        assert {"tone", "tts-1"} <= set(models)


def test_a_voice_as_an_object(client: OpenAI) -> None:
    answer = client.audio.speech.create(
        model="tts-1", voice={"id": "tone"}, input=TEXT, response_format="opus"
    )
    assert answer.content[:4] == b"OggS"


def test_mistakes_are_the_exceptions_of_the_sdk(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as wrong:
        client.audio.speech.create(model="tts-1", voice="nobody", input=TEXT)
    assert wrong.value.code == "unknown_voice" and wrong.value.param == "voice"
    assert "known" in wrong.value.message
    with pytest.raises(openai.APIStatusError) as long:
        client.audio.speech.create(model="tts-1", voice="alloy", input="a" * 70_000)
    assert long.value.status_code == 413 and long.value.code == "text_too_long"
    with pytest.raises(openai.NotFoundError) as unknown:
        client.audio.speech.create(model="dall-e", voice="alloy", input=TEXT)
    assert unknown.value.param == "model"
    with pytest.raises(openai.BadRequestError) as fast:
        client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, speed=5)
    assert fast.value.param == "speed"


def test_keys() -> None:
    key = "k" * 32
    with ServerProcess(ENGINE="tone", ENGINE_RUNNER="thread", API_KEYS=key) as server:
        url = f"http://127.0.0.1:{server.port}/v1"
        with OpenAI(base_url=url, api_key=key, max_retries=0) as client:
            assert client.audio.speech.create(model="tts-1", voice="alloy", input="Yes.").content
        with OpenAI(base_url=url, api_key="w" * 32, max_retries=0) as client:
            with pytest.raises(openai.AuthenticationError):
                client.audio.speech.create(model="tts-1", voice="alloy", input="No.")


def test_httpx(url: str) -> None:
    with httpx.Client(base_url=url, trust_env=False) as client:
        with client.stream("POST", "/v1/audio/speech/pcm", json={"input": TEXT}) as answer:
            assert answer.headers["x-accel-buffering"] == "no"
            assert answer.headers["cache-control"] == "no-store"
            parts = list(answer.iter_raw())
        pcm = np.frombuffer(b"".join(parts), "<i2")
        assert abs(len(pcm) / 24 - AUDIO_MS) <= 10
        again = client.post("/v1/audio/speech/pcm", json={"input": TEXT})
        assert again.headers["x-cache"] == "hit" and again.content == pcm.tobytes()
        assert float(again.headers["x-audio-duration-ms"]) == pytest.approx(len(pcm) / 24, abs=0.1)
