"""Folders that servers share, recordings that take long, and pages and home folders that there are not."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import httpx
import pytest

import realtime.server.voices
from realtime.app.building import make_store
from realtime.config import Config
from realtime.errors import ConfigError
from realtime.server.keys import KeyLimits, load_keys
from realtime.server.origins import origin_policy
from realtime.voices.recording import Recording
from tests.conftest import Serve
from tests.server.small_server import error_of, hello, small_server
from tests.voices.recordings import file_of, tone
from tests.voices.recordings import recording as made_recording

FORM = {"name": "Ann", "consent": "true"}


async def add(client: httpx.AsyncClient) -> str:
    answer = await client.post("/v1/voices", data=FORM, files={"file": ("a.wav", file_of(tone(1.2)))})
    assert answer.status_code in (200, 201)
    identifier = answer.json()["id"]
    assert isinstance(identifier, str)
    return identifier


async def speaks(client: httpx.AsyncClient, voice: str) -> bool:
    fields = {"input": "One word", "voice": voice, "response_format": "pcm", "cache": False}
    answer = await client.post("/v1/audio/speech", json=fields)
    if answer.status_code == 200:
        return True
    assert answer.json()["error"]["code"] == "unknown_voice"
    return False


class TestServersThatShareAFolder:
    async def test_a_voice_that_one_adds_or_deletes_the_other_knows_or_forgets(
        self, serve_tone: Serve, tmp_path: Path
    ) -> None:
        """Whoever takes back the word that a voice may be cloned must not be spoken with elsewhere."""
        folder = str(tmp_path)
        async with serve_tone(data_folder=folder) as one, serve_tone(data_folder=folder) as other:
            async with (
                httpx.AsyncClient(base_url=one.url) as at_one,
                httpx.AsyncClient(base_url=other.url) as at_other,
                asyncio.timeout(20),
            ):
                voice = await add(at_one)
                while not await speaks(at_other, voice):  # noqa: ASYNC110 - there is no event to wait for
                    await asyncio.sleep(0.05)
                assert (await at_one.delete(f"/v1/voices/{voice}")).status_code == 200
                while await speaks(at_other, voice):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
                assert (await at_other.get(f"/v1/voices/{voice}")).status_code == 404


class TestRecordingsThatTakeLong:
    async def test_lists_and_deletions_do_not_wait_for_them(
        self, serve_tone: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file of 3 MB can take seconds to decode, and eight may be on their way."""
        go_on = threading.Event()

        def endless(data: bytes) -> Recording:
            go_on.wait(20)
            return made_recording()

        async with serve_tone(data_folder=str(tmp_path)) as server:
            async with httpx.AsyncClient(base_url=server.url, timeout=15) as client:
                voice = await add(client)
                monkeypatch.setattr(realtime.server.voices, "read_recording", endless)
                uploads = [asyncio.create_task(add(client)) for _ in range(4)]
                try:
                    await asyncio.sleep(0.2)
                    listed = await client.get("/v1/voices")
                    deleted = await client.delete(f"/v1/voices/{voice}")
                    assert not any(upload.done() for upload in uploads)
                finally:
                    go_on.set()
                assert listed.status_code == 200 and deleted.status_code == 200
                await asyncio.gather(*uploads)


class TestPagesByANameOfTheirOwn:
    """DNS rebinding: to the browser a GET is one of the same origin, and it sends no `Origin` with it."""

    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("127.0.0.1:8000", 200),
            ("localhost", 200),
            ("[::1]:8000", 200),
            ("voice.example", 200),  # it is allowed: a proxy leads here from there
            ("rebound.example:8000", 403),
            ("10.0.0.1:8000", 403),
        ],
    )
    async def test_get_nothing_from_a_server_for_its_machine_alone(self, host: str, status: int) -> None:
        policy = origin_policy("https://voice.example", loopback_only=True)
        async with small_server({"GET /v1/voices": hello}, policy=policy) as server:
            async with httpx.AsyncClient(base_url=server.url) as client:
                answer = await client.get("/v1/voices", headers={"Host": host})
                assert answer.status_code == status
                if status == 403:
                    assert error_of(answer.content)["code"] == "forbidden"
                # What anybody may look at holds no secrets.
                assert (await client.get("/health", headers={"Host": host})).status_code == 200

    async def test_a_server_for_others_has_names_that_it_does_not_know(self) -> None:
        async with small_server({"GET /v1/voices": hello}, policy=origin_policy(None)) as server:
            async with httpx.AsyncClient(base_url=server.url) as client:
                answer = await client.get("/v1/voices", headers={"Host": "anything.example"})
                assert answer.status_code == 200

    async def test_over_a_socket_file_no_page_comes(self, tmp_path: Path) -> None:
        policy = origin_policy(None, loopback_only=True)
        path = tmp_path / "s"
        async with small_server({"GET /v1/voices": hello}, policy=policy, uds=path):
            transport = httpx.AsyncHTTPTransport(uds=str(path))
            async with httpx.AsyncClient(transport=transport, base_url="http://anything") as client:
                assert (await client.get("/v1/voices")).status_code == 200


class TestHomeFoldersThatDoNotExist:
    """`~somebody` makes `Path.expanduser` raise what is no `OSError`."""

    async def test_of_a_socket_file(self) -> None:
        with pytest.raises(ConfigError, match="UDS ~nobody-here/s"):
            async with small_server(uds=Path("~nobody-here/s")):
                pass

    def test_of_keys(self) -> None:
        with pytest.raises(ConfigError, match="API_KEYS_FILE ~nobody-here/keys"):
            load_keys(None, "~nobody-here/keys", KeyLimits())

    def test_of_voices(self) -> None:
        with pytest.raises(ConfigError, match="DATA_FOLDER ~nobody-here"):
            make_store(Config(data_folder="~nobody-here"))
