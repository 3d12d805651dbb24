"""What there is to choose from, as real clients ask for it."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import httpx
import openai
import pytest

from realtime.app import Server
from realtime.app.building import make_offer
from realtime.config import Config
from realtime.server.catalogue import OPENAI_MODELS, Catalogue
from realtime.types import LANGUAGES
from realtime.voices.catalogue import OPENAI_NAMES, SAMPLES
from realtime.voices.store import VoiceStore


@pytest.fixture
async def http(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """A client of `server`."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        yield client


class TestVoices:
    async def test_a_voice_tells_all_that_is_known_of_it(self, http: httpx.AsyncClient) -> None:
        listed = (await http.get("/v1/voices")).json()
        assert listed["object"] == "list"
        assert listed["data"] == [
            {
                "object": "voice",
                "id": "tone",
                "name": "tone",
                "kind": "built-in",
                "language": "en",
                "languages": list(LANGUAGES),
                "engine": "tone",
                "aliases": [],
                "instruct": "no",
                "sample": "/v1/voices/tone/sample",
            }
        ]
        assert (await http.get("/v1/voices/tone")).json() == listed["data"][0]

    async def test_a_voice_answers_to_its_other_names(self, http: httpx.AsyncClient) -> None:
        for name in ("Tone", "default", *OPENAI_NAMES):
            assert (await http.get(f"/v1/voices/{name}")).json()["id"] == "tone"

    @pytest.mark.parametrize(
        "name", ["nobody", "..%2F..%2Fetc%2Fpasswd", "clone-" + "0" * 24, "%00", "a" * 1000]
    )
    async def test_one_that_is_not_there(self, http: httpx.AsyncClient, name: str) -> None:
        for path in (f"/v1/voices/{name}", f"/v1/voices/{name}/sample"):
            answer = await http.get(path)
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error["param"]) == (404, "not_found", "id")

    @pytest.mark.parametrize(("language", "count"), [("de", 1), ("pt-BR", 1), ("zh_Hant_TW", 1), ("sv", 0)])
    async def test_those_that_speak_a_language(
        self, http: httpx.AsyncClient, language: str, count: int
    ) -> None:
        for path, key in (("/v1/voices", "data"), ("/v1/audio/voices", "voices")):
            assert len((await http.get(path, params={"language": language})).json()[key]) == count

    @pytest.mark.parametrize("language", ["", "d", "de;", "../de", "x" * 5000])
    async def test_what_is_no_language(self, http: httpx.AsyncClient, language: str) -> None:
        answer = await http.get("/v1/voices", params={"language": language})
        error = answer.json()["error"]
        assert (answer.status_code, error["param"]) == (400, "language") and "BCP 47" in error["message"]

    def test_every_voice_of_the_real_engines_has_a_sample(self, tmp_path: Path) -> None:
        offer = make_offer(Config(engine="embedded"))
        with ThreadPoolExecutor(1) as disk:
            voices = Catalogue(offer, VoiceStore(tmp_path, 1), disk).built_in()
        assert {voice.id for voice in voices} == {voice.id for voice in offer.voices.values()}
        assert {voice.language for voice in voices} == set(SAMPLES) == set(LANGUAGES)
        assert len({voice.id for voice in voices}) == len(voices)


class TestSamples:
    async def test_it_is_the_sentence_spoken_as_any_other(self, http: httpx.AsyncClient) -> None:
        sample = await http.get("/v1/voices/tone/sample")
        assert (sample.status_code, sample.headers["Content-Type"]) == (200, "audio/mpeg")
        spoken = await http.post("/v1/audio/speech", json={"input": SAMPLES["en"], "voice": "tone"})
        assert sample.content == spoken.content
        with av.open(io.BytesIO(sample.content)) as file:
            assert sum(frame.samples for frame in file.decode(audio=0)) / 24_000 > len(SAMPLES["en"]) * 0.04

    async def test_who_asks_for_the_headers_gets_no_sound(self, http: httpx.AsyncClient) -> None:
        sample = await http.head("/v1/voices/tone/sample")
        assert (sample.status_code, sample.headers["Content-Type"]) == (200, "audio/mpeg")
        assert (await http.get("/v1/models")).status_code == 200  # over the same connection
        assert (await http.get("/health")).json()["audio_cache"]["entries"] == 0


class TestOpenWebUI:
    """What Open WebUI reads (`get_available_voices` and `get_available_models` of its audio router)."""

    async def test_voices(self, http: httpx.AsyncClient) -> None:
        told = (await http.get("/v1/audio/voices")).json().get("voices", [])
        assert {voice["id"]: voice["name"] for voice in told} == {"tone": "tone"}

    async def test_models(self, http: httpx.AsyncClient) -> None:
        told = (await http.get("/v1/audio/models")).json().get("models", [])
        assert [model["id"] for model in told] == ["tone", *OPENAI_MODELS]


class TestModels:
    async def test_by_the_sdk_of_openai(self, server: Server) -> None:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
            assert [model.id async for model in client.models.list()] == ["tone", *OPENAI_MODELS]
            assert (await client.models.retrieve("tts-1")).owned_by == "realtime"
            with pytest.raises(openai.NotFoundError, match="there is no model"):
                await client.models.retrieve("gpt-4")

    async def test_every_model_and_name_of_openai_speaks(self, http: httpx.AsyncClient) -> None:
        models = [model["id"] for model in (await http.get("/v1/models")).json()["data"]]
        for model, voice in zip([*models, *models, *models, *models], OPENAI_NAMES, strict=False):
            order = {"model": model, "voice": voice, "input": "Hi.", "response_format": "pcm"}
            answer = await http.post("/v1/audio/speech", json=order)
            assert answer.status_code == 200 and answer.content
