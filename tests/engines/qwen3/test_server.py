"""The whole server with a tiny Qwen3-TTS: WebSocket, HTTP, clones, many at once, and what is refused."""

from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pytest_asyncio
import soundfile
from openai import AsyncOpenAI

from realtime.app import Server, running
from realtime.config import Config
from realtime.session.frames import Frame
from realtime.types import Pcm
from tests.engines.qwen3.conftest import Checkpoints
from tests.engines.qwen3.reference import recording
from tests.wire_client import WireClient, decode, open_client

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "Hello there, how are you today? I am fine."
FRAME = 1920


@asynccontextmanager
async def serving(model: Path, folder: Path, **settings: Any) -> AsyncIterator[Server]:
    config = Config(
        port=0,
        engine="qwen3",
        model_id=str(model),
        model_device="cpu",
        data_folder=str(folder),
        audio_cache_mb=0,
        max_lead_ms=0,
        max_wait_ms=0,
        **{"max_batch_size": 8, "max_new_tokens": 20, **settings},
    )
    async with running(config) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(checkpoints: Checkpoints, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with serving(checkpoints("custom_voice", "1b7"), tmp_path_factory.mktemp("data")) as listening:
        yield listening


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cloning(
    checkpoints: Checkpoints, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    async with serving(checkpoints("base", "1b7"), tmp_path_factory.mktemp("data")) as listening:
        yield listening


def http_of(server: Server) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.url, timeout=60)


@asynccontextmanager
async def session(server: Server, **start: Any) -> AsyncIterator[WireClient]:
    async with open_client(server.url) as client:
        client.patience_s = 120
        await client.send(
            "session.start", formats=["pcm_s16le"], sample_rate=24_000, timestamps="word", **start
        )
        await client.until("session.ready")
        yield client


def pcm_of(content: bytes) -> Pcm:
    return np.frombuffer(content, "<i2").astype(np.float32) / 32_768


def same(one: Pcm, other: Pcm) -> bool:
    """Up to rounding: in which chunks sound is decoded depends on what else there is to do."""
    return len(one) == len(other) and bool(np.abs(one - other).max() < 1e-3)


def sound_of(client: WireClient, context_id: str = "default") -> Pcm:
    opened = next(m for m in client.messages("context.opened") if m["context_id"] == context_id)
    return decode(client.frames(opened["handle"]))


async def test_text_in_tokens_is_spoken_with_its_words(server: Server) -> None:
    async with session(server, voice="Vivian", language="en") as client:
        for token in ("Hello", " there", ", how", " are", " you", " today", "?", " I am", " fine."):
            await client.send("text", text=token)
        await client.send("end")
        await client.until("context.done")
        sound = sound_of(client)
        assert np.abs(sound).max() > 0.01 and len(sound) > FRAME
        # What is heard is noise, and where its words are a guess; but all are told of, in order.
        segments = [m["text"] for m in client.messages("segment") if m.get("final", True)]
        assert segments and segments == ["Hello there, how are you today?", "I am fine."][: len(segments)]
        words = [word["text"] for m in client.messages("words") for word in m["words"]]
        assert words and words == ["Hello", "there,", *TEXT.split()[2:]][: len(words)]
        assert all(m["estimated"] for m in client.messages("words"))


async def test_the_same_seed_is_the_same_sound(server: Server) -> None:
    sounds = []
    for seed in (5, 5, 6):
        async with session(server, voice="ryan") as client:
            await client.send("context.open", context_id="a", seed=seed)
            await client.speak(TEXT, "a")
            sounds.append(sound_of(client, "a"))
    assert same(sounds[0], sounds[1]) and not same(sounds[0], sounds[2])


async def test_cancel_under_load(server: Server) -> None:
    """Twelve on eight places: those that are cancelled fall silent at once, the others are complete."""
    async with session(server, voice="ryan") as client:
        names = [f"c{number}" for number in range(12)]
        for name in names:
            await client.send("text", text=TEXT, context_id=name)
            await client.send("end", context_id=name)
        await client.until_frame()
        for name in names[6:]:
            await client.send("cancel", context_id=name)
        over: set[str] = set()
        while len(over) < len(names):
            item = await client.receive()
            if isinstance(item, dict) and item["type"] in ("context.done", "context.cancelled"):
                over.add(item["context_id"])
        handles = {m["context_id"]: m["handle"] for m in client.messages("context.opened")}
        for name in names[6:]:
            (end,) = (
                at
                for at, item in enumerate(client.received)
                if isinstance(item, dict)
                and (item["type"], item.get("context_id")) == ("context.cancelled", name)
            )
            late = [item for item in client.received[end:] if isinstance(item, Frame)]
            assert not [frame for frame in late if frame.handle == handles[name]]
        lengths = {len(sound_of(client, name)) for name in names[:6]}
        assert len(lengths) == 1 and lengths.pop() > FRAME
    async with http_of(server) as http:
        for _ in range(100):
            health = (await http.get("/health")).json()
            if not health["engine"].get("open", health.get("utterances", 0)):
                break
            await asyncio.sleep(0.05)


async def test_openai_sdk_and_voices(server: Server) -> None:
    async with http_of(server) as http:
        voices = (await http.get("/v1/voices")).json()["data"]
        assert {"vivian", "ryan", "eric"} <= {voice["id"] for voice in voices}
        wav = await http.post(
            "/v1/audio/speech", json={"input": "Hi there.", "voice": "alloy", "response_format": "wav"}
        )
        pcm, rate = soundfile.read(io.BytesIO(wav.content))
        assert rate == 24_000 and len(pcm) > FRAME / 2
    sdk = AsyncOpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0)
    speech = await sdk.audio.speech.create(
        model="tts-1", voice="Vivian", input="你好。", instructions="softly", response_format="mp3"
    )
    assert len(speech.content) > 500
    await sdk.close()


async def test_instructions_change_the_sound(server: Server) -> None:
    async with http_of(server) as http:
        order = {"input": TEXT, "voice": "ryan", "response_format": "pcm"}
        plain = (await http.post("/v1/audio/speech", json=order)).content
        again = (await http.post("/v1/audio/speech", json=order)).content
        told = (await http.post("/v1/audio/speech", json=order | {"instructions": "very angry"})).content
    assert same(pcm_of(plain), pcm_of(again)) and not same(pcm_of(plain), pcm_of(told))


async def test_unknown_voices_are_named_with_those_that_are_known(server: Server) -> None:
    async with http_of(server) as http:
        answer = await http.post("/v1/audio/speech", json={"input": "Hi.", "voice": "nobody"})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "unknown_voice") and "vivian" in error["message"]


def wav_of(seed: int = 0, seconds: float = 2.0) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, recording(seconds, seed), 24_000, format="WAV")
    return file.getvalue()


async def test_cloned_voices(cloning: Server) -> None:
    """By embedding and in context; both in one batch, as what they are alone; gone when deleted."""
    async with http_of(cloning) as http:
        ids = []
        for seed, ref_text in ((0, ""), (0, "The quick brown fox."), (3, "")):
            form = {"name": f"v{seed}{len(ref_text)}", "consent": "true", "ref_text": ref_text}
            made = await http.post(
                "/v1/voices", data=form, files={"file": ("a.wav", wav_of(seed), "audio/wav")}
            )
            assert made.status_code == 201, made.text
            ids.append(made.json()["id"])

        async def speak(voice: str) -> Pcm:
            answer = await http.post(
                "/v1/audio/speech", json={"input": TEXT, "voice": voice, "response_format": "pcm"}
            )
            assert answer.status_code == 200, answer.text
            return pcm_of(answer.content)

        alone = [await speak(voice) for voice in ids]
        assert not any(same(a, b) for a, b in itertools.combinations(alone, 2))
        together = await asyncio.gather(*(speak(voice) for voice in ids * 2))
        assert all(same(a, b) for a, b in zip(together, alone * 2, strict=True))
        assert (await http.delete(f"/v1/voices/{ids[0]}")).status_code == 200
        once = await http.post(
            "/v1/audio/clone",
            data={"input": TEXT, "consent": "true", "response_format": "pcm"},
            files={"file": ("a.wav", wav_of(0), "audio/wav")},
        )
        assert once.status_code == 200 and same(pcm_of(once.content), alone[0])


async def test_a_base_model_needs_a_recording(cloning: Server) -> None:
    async with http_of(cloning) as http:
        answer = await http.post("/v1/audio/speech", json={"input": "Hi.", "voice": "alloy"})
        assert answer.status_code == 400 and "cloned" in answer.json()["error"]["message"]
        silent = io.BytesIO()
        soundfile.write(silent, np.zeros(48_000, np.float32), 24_000, format="WAV")
        refused = await http.post(
            "/v1/voices", data={"name": "s", "consent": "true"}, files={"file": ("a.wav", silent.getvalue())}
        )
        assert refused.status_code == 400 and refused.json()["error"]["code"] == "audio_too_quiet"


async def test_a_described_voice(checkpoints: Checkpoints, tmp_path: Path) -> None:
    async with serving(checkpoints("voice_design", "1b7"), tmp_path) as server, http_of(server) as http:
        order = {"input": TEXT, "voice": "design", "response_format": "pcm"}
        refused = await http.post("/v1/audio/speech", json=order)
        assert refused.status_code == 400 and "instruct" in refused.json()["error"]["message"]
        sounds = {
            (await http.post("/v1/audio/speech", json=order | {"instructions": how})).content
            for how in ("A deep old voice.", "A child.")
        }
        assert len(sounds) == 2 and min(map(len, sounds)) > FRAME


async def test_a_small_model_says_that_it_takes_no_instructions(
    checkpoints: Checkpoints,
    tmp_path: Path,
) -> None:
    async with serving(checkpoints("custom_voice", "0b6"), tmp_path) as server, http_of(server) as http:
        order = {"input": "Hi.", "voice": "ryan", "instructions": "softly"}
        answer = await http.post("/v1/audio/speech", json=order)
        assert answer.status_code in (400, 501) and "instruct" in answer.json()["error"]["message"]
