"""Cloned voices over HTTP: how they come, speak, and go."""

from __future__ import annotations

import asyncio
import io
import shutil
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile

from realtime.engines.tone import ToneSynthesizer, dominant_hz, pitch_hz
from realtime.errors import QueueFullError, RealtimeError
from realtime.server import voices
from realtime.server.voices import MAX_UPLOADS, Uploads, in_thread
from realtime.voices.recording import MOST_BYTES, Recording, read_recording
from realtime.voices.store import VoiceStore
from tests.conftest import Serve as ServeTone
from tests.wire_client import eventually, open_client

HZ = 440.0
YES = {"consent": "true"}
NAMED = {"name": "Ann", **YES}


def recording(hz: float = HZ, seconds: float = 1.2, amplitude: float = 0.3, kind: str = "WAV") -> bytes:
    """A file with a tone."""
    times = np.arange(int(seconds * 24_000)) / 24_000
    sound = np.clip(amplitude * np.sin(2 * np.pi * hz * times), -1, 1)
    file = io.BytesIO()
    soundfile.write(file, (sound * 32_767).astype(np.int16), 24_000, format=kind)
    return file.getvalue()


def file(data: bytes) -> dict[str, tuple[str, bytes, str]]:
    return {"file": ("../../ann.wav", data, "audio/wav")}


def heard_hz(pcm: bytes) -> float:
    """The pitch of signed 16-bit samples at 24 kHz."""
    return dominant_hz(np.frombuffer(pcm, "<i2").astype(np.float32) / 32_768, 24_000)


def error_of(answer: httpx.Response) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"]


Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def serve(serve_tone: ServeTone, tmp_path: Path) -> Serve:
    """Starts servers that keep voices in one folder, each with a client of it."""

    @asynccontextmanager
    async def start(**settings: object) -> AsyncIterator[httpx.AsyncClient]:
        async with serve_tone(data_folder=str(tmp_path), **settings) as server:
            async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
                yield client

    return start


@pytest.fixture
async def http(serve: Serve) -> AsyncIterator[httpx.AsyncClient]:
    """A client of one such server."""
    async with serve() as client:
        yield client


def stop_cloning(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the engine cannot clone voices."""
    unable = replace(ToneSynthesizer().capabilities, cloning=False)
    monkeypatch.setattr(ToneSynthesizer, "capabilities", unable)


def left(folder: Path) -> list[str]:
    """The names of all files that lie in a data folder."""
    return [path.name for path in folder.rglob("*") if path.is_file()]


def kept(folder: Path) -> list[Path]:
    """The recordings that lie in a data folder."""
    return list(folder.rglob("*.flac"))


class TestAdding:
    async def test_a_voice_comes_speaks_and_goes(self, http: httpx.AsyncClient, tmp_path: Path) -> None:
        form = {**NAMED, "ref_text": "The quick brown fox.", "language": "de-AT", "unknown": "ignored"}
        made = await http.post("/v1/voices", data=form, files=file(recording()))
        assert made.status_code == 201
        voice = made.json()
        assert made.headers["Location"] == f"/v1/voices/{voice['id']}"
        assert {
            name: voice[name] for name in ("name", "kind", "language", "ref_text", "seconds", "aliases")
        } == {
            "name": "Ann",
            "kind": "cloned",
            "language": "de",
            "ref_text": "The quick brown fox.",
            "seconds": 1.2,
            "aliases": [],
        }
        assert voice["languages"][0] == "de" and voice["created"] > 1_700_000_000
        assert (await http.get(made.headers["Location"])).json() == voice
        assert (await http.get("/v1/voices")).json()["data"][1:] == [voice]
        assert (await http.get("/health")).json()["voices"] == {"built_in": 1, "cloned": 1}

        order = {"input": "Hello.", "voice": voice["id"], "response_format": "pcm"}
        assert abs(heard_hz((await http.post("/v1/audio/speech", json=order)).content) - HZ) < 5
        sample = await http.get(voice["sample"])
        assert (sample.status_code, sample.headers["Content-Type"]) == (200, "audio/mpeg")

        gone = await http.delete(made.headers["Location"])
        assert (gone.status_code, gone.json()) == (200, {"id": voice["id"], "deleted": True})
        assert error_of(await http.delete(made.headers["Location"])) == (404, "not_found", "id")
        assert error_of(await http.get(made.headers["Location"])) == (404, "not_found", "id")
        assert error_of(await http.post("/v1/audio/speech", json=order)) == (400, "unknown_voice", "voice")
        assert left(tmp_path) == [".lock"]

    async def test_the_same_again_is_the_same_voice(self, http: httpx.AsyncClient) -> None:
        first = await http.post("/v1/voices", data=NAMED, files=file(recording()))
        again = await http.post("/v1/voices", data=NAMED, files=file(recording(kind="FLAC")))
        other = await http.post("/v1/voices", data={**NAMED, "name": "Bo"}, files=file(recording()))
        assert [answer.status_code for answer in (first, again, other)] == [201, 200, 201]
        assert first.json() == again.json() and first.json()["id"] != other.json()["id"]

    async def test_it_is_there_after_a_restart(self, serve: Serve) -> None:
        async with serve() as http:
            voice = (await http.post("/v1/voices", data=NAMED, files=file(recording()))).json()
        async with serve() as http:
            assert (await http.get(f"/v1/voices/{voice['id']}")).json() == voice

    @pytest.mark.parametrize("consent", [None, "", "false", "no", "2", "truethat", "true\n1"])
    async def test_not_without_consent(
        self, http: httpx.AsyncClient, tmp_path: Path, consent: str | None
    ) -> None:
        form = {"name": "Ann", "input": "Hi."} | ({} if consent is None else {"consent": consent})
        for path in ("/v1/voices", "/v1/audio/clone"):
            answer = await http.post(path, data=form, files=file(recording()))
            assert error_of(answer) == (400, "invalid_message", "consent")
            assert "agreed" in answer.json()["error"]["message"]
        assert not kept(tmp_path)

    @pytest.mark.parametrize("consent", ["true", "Yes", "1", " ON "])
    async def test_consent_in_other_words(self, http: httpx.AsyncClient, consent: str) -> None:
        answer = await http.post("/v1/voices", data={"consent": consent}, files=file(b""))
        assert error_of(answer) == (400, "invalid_message", "name")  # what is looked at next

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"name": ""}, (400, "invalid_message", "name")),
            ({"name": None}, (400, "invalid_message", "name")),
            ({"name": "x" * 65}, (400, "invalid_message", "name")),
            ({"name": "x" * 5000}, (413, "body_too_large", "name")),
            ({"name": "a\u0000b"}, (400, "invalid_message", "name")),
            ({"ref_text": "x" * 2001}, (400, "invalid_message", "ref_text")),
            ({"language": "klingon"}, (400, "unknown_language", "language")),
        ],
    )
    async def test_a_wrong_field_is_named(
        self, http: httpx.AsyncClient, change: dict[str, str | None], expected: tuple[int, str, str]
    ) -> None:
        form = {name: value for name, value in (NAMED | change).items() if value is not None}
        assert error_of(await http.post("/v1/voices", data=form, files=file(recording()))) == expected

    async def test_every_bad_recording_has_its_own_error(
        self, http: httpx.AsyncClient, tmp_path: Path
    ) -> None:
        bad = {
            "not_audio": b"this is text" * 1000,
            "audio_too_short": recording(seconds=0.4),
            "audio_too_long": recording(seconds=61),
            "audio_too_quiet": recording(amplitude=0.0005),
            "audio_clipped": recording(amplitude=4),
        }
        answers = await asyncio.gather(
            *(http.post("/v1/voices", data=NAMED, files=file(data)) for data in bad.values())
        )
        assert [error_of(answer) for answer in answers] == [(400, code, "file") for code in bad]
        assert not kept(tmp_path)

    async def test_a_file_that_is_too_large(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/v1/voices", data=NAMED, files=file(bytes(MOST_BYTES + 1)))
        assert error_of(answer) == (413, "body_too_large", "file")

    async def test_no_file_at_all(self, http: httpx.AsyncClient) -> None:
        form = {name: (None, value) for name, value in NAMED.items()}
        assert error_of(await http.post("/v1/voices", files=form)) == (400, "invalid_message", "file")
        answer = await http.post("/v1/voices", json=NAMED)
        assert error_of(answer) == (400, "invalid_message", None)
        assert "multipart/form-data" in answer.json()["error"]["message"]

    async def test_names_lead_nowhere(self, http: httpx.AsyncClient, tmp_path: Path) -> None:
        name = "../../../tmp/evil"
        voice = (await http.post("/v1/voices", data={**NAMED, "name": name}, files=file(recording()))).json()
        assert voice["name"] == name
        everything = list(tmp_path.rglob("*"))  # noqa: ASYNC240
        assert all(tmp_path in path.parents and "evil" not in path.name for path in everything)

    async def test_there_may_be_too_many(self, serve: Serve) -> None:
        async with serve(max_voices=1) as http:
            posted = [
                await http.post("/v1/voices", data={**NAMED, "name": name}, files=file(recording()))
                for name in ("a", "b")
            ]
        assert posted[0].status_code == 201 and error_of(posted[1])[:2] == (403, "forbidden")


class TestDeleting:
    async def test_what_is_built_in_stays(self, http: httpx.AsyncClient) -> None:
        for name in ("tone", "default"):
            assert error_of(await http.delete(f"/v1/voices/{name}")) == (403, "forbidden", "id")

    @pytest.mark.parametrize(
        "name", ["nobody", "..%2Fsounds", "clone-" + "0" * 24, "clone-" + "0" * 24 + "%0A"]
    )
    async def test_what_is_not_there(self, http: httpx.AsyncClient, name: str) -> None:
        assert error_of(await http.delete(f"/v1/voices/{name}")) == (404, "not_found", "id")

    async def test_many_at_once_delete_it_once(self, http: httpx.AsyncClient) -> None:
        voice = (await http.post("/v1/voices", data=NAMED, files=file(recording()))).json()
        answers = await asyncio.gather(*(http.delete(f"/v1/voices/{voice['id']}") for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [200, *[404] * 7]


class TestCloning:
    async def test_a_text_in_the_voice_of_a_recording(self, http: httpx.AsyncClient, tmp_path: Path) -> None:
        form = {**YES, "input": "Hello there.", "response_format": "pcm", "voice": "ignored"}
        answer = await http.post("/v1/audio/clone", data=form, files=file(recording()))
        assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("audio/pcm")
        assert abs(heard_hz(answer.content) - HZ) < 5 and abs(HZ - pitch_hz("Hello")) > 5
        plain = await http.post("/v1/audio/speech/pcm", json={"input": "Hello there."})
        assert len(answer.content) == len(plain.content)
        assert left(tmp_path) == [] and len((await http.get("/v1/voices")).json()["data"]) == 1

    async def test_the_same_recording_again_is_cheap_and_still_leaves_nothing(
        self, http: httpx.AsyncClient, tmp_path: Path
    ) -> None:
        form = {**YES, "input": "Hello there.", "response_format": "pcm"}
        for _ in range(2):
            answer = await http.post("/v1/audio/clone", data=form, files=file(recording()))
            assert answer.status_code == 200
        await eventually(lambda: left(tmp_path) == [])

        async def prompts() -> tuple[int, int]:
            told = (await http.get("/health")).json()["voice_prompts"]
            return told["entries"], told["hits"]

        async with asyncio.timeout(10):
            while await prompts() != (1, 1):  # noqa: ASYNC110 - the engine tells of it a little later
                await asyncio.sleep(0.01)

    async def test_who_cannot_be_spoken_to_is_told_before_the_recording_is_read(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(voices, "read_recording", lambda data: pytest.fail("it was read"))
        long = {"input": "Hello there. " * 4000, "response_format": "pcm"}
        async with serve(max_utterances=1) as http:
            async with http.stream("POST", "/v1/audio/speech", json=long) as speaking:
                assert speaking.status_code == 200
                form = {**YES, "input": "Hi."}
                answer = await http.post("/v1/audio/clone", data=form, files=file(recording()))
                assert error_of(answer)[:2] == (503, "queue_full") and answer.headers["Retry-After"]

    async def test_all_that_speech_can_be(self, http: httpx.AsyncClient) -> None:
        form = {
            **YES,
            "input": "Hello there.",
            "model": "tts-1",
            "response_format": "wav",
            "speed": "2",
            "seed": "7",
            "sample_rate": "16000",
            "stream": "false",
            "language": "en",
            "lexicon": '{"there": "everybody"}',
            "normalize": "True",
        }
        answer = await http.post("/v1/audio/clone", data=form, files=file(recording()))
        assert answer.status_code == 200 and answer.headers["Content-Type"] == "audio/wav"
        pcm, rate = soundfile.read(io.BytesIO(answer.content))
        # 15 characters of 60 ms and a gap, at twice the tempo.
        assert rate == 16_000 and abs(len(pcm) / rate - (15 * 0.06 + 0.04) / 2) < 0.002

    async def test_as_events(self, http: httpx.AsyncClient) -> None:
        form = {**YES, "input": "Hello there.", "stream_format": "sse", "timestamps": "word"}
        answer = await http.post("/v1/audio/clone", data=form, files=file(recording()))
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert "speech.words" in answer.text and "speech.audio.done" in answer.text

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"input": ""}, (400, "invalid_message", "input")),
            ({"input": None}, (400, "invalid_message", "input")),
            ({"input": "x" * 70_000}, (413, "text_too_long", "input")),
            ({"input": "x" * 300_000}, (413, "body_too_large", "input")),
            ({"speed": "0"}, (400, "invalid_message", "speed")),
            ({"speed": ""}, (400, "invalid_message", "speed")),
            ({"speed": "NaN"}, (400, "invalid_message", "speed")),
            ({"speed": '1, "input": "other"'}, (400, "invalid_message", "speed")),
            ({"stream": "maybe"}, (400, "invalid_message", "stream")),
            ({"seed": "1.5"}, (400, "invalid_message", "seed")),
            ({"lexicon": "[" * 100_000}, (400, "invalid_message", "lexicon")),
            ({"lexicon": '{"a": 1}'}, (400, "invalid_message", "lexicon")),
            ({"sample_rate": "44"}, (400, "invalid_message", "sample_rate")),
            ({"response_format": "midi"}, (400, "invalid_message", "response_format")),
            ({"language": "sv"}, (400, "unknown_language", "language")),
            ({"model": "gpt-4"}, (404, "not_found", "model")),
            ({"ref_text": "x" * 2001}, (400, "invalid_message", "ref_text")),
        ],
    )
    async def test_a_wrong_field_is_named(
        self, http: httpx.AsyncClient, change: dict[str, str | None], expected: tuple[int, str, str]
    ) -> None:
        form = {
            name: value for name, value in ({**YES, "input": "Hi."} | change).items() if value is not None
        }
        answer = await http.post("/v1/audio/clone", data=form, files=file(b"never looked at"))
        assert error_of(answer) == expected

    async def test_a_text_may_be_as_long_as_the_settings_allow(self, serve: Serve) -> None:
        limit = 1_200_000
        silence = "\N{IDEOGRAPHIC SPACE}" * (limit // 3)  # which is soon spoken
        async with serve(max_text_per_context=limit) as http:
            for text, expected in ((silence, 200), (silence + " ", 413)):
                form = {**YES, "input": text, "response_format": "pcm"}
                answer = await http.post("/v1/audio/clone", data=form, files=file(recording()))
                assert answer.status_code == expected
            assert error_of(answer)[2] == "input"

    async def test_a_bad_recording(self, http: httpx.AsyncClient, tmp_path: Path) -> None:
        answer = await http.post("/v1/audio/clone", data={**YES, "input": "Hi."}, files=file(b"text"))
        assert error_of(answer) == (400, "not_audio", "file")
        assert not kept(tmp_path)

    async def test_a_client_that_hangs_up_leaves_nothing(
        self, http: httpx.AsyncClient, tmp_path: Path
    ) -> None:
        form = {**YES, "input": "Hello there. " * 2000, "response_format": "pcm"}
        async with http.stream("POST", "/v1/audio/clone", data=form, files=file(recording())) as answer:
            assert answer.status_code == 200
            async for _ in answer.aiter_raw(1000):
                assert len(kept(tmp_path)) == 1  # it is needed as long as it is spoken with
                break
        await eventually(lambda: not kept(tmp_path))
        told = (await http.get("/health")).json()
        assert told["requests"] == 0 and told["queue"]["speaking"] == 0


class TestEnginesThatCannotClone:
    async def test_they_say_what_to_do(self, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
        stop_cloning(monkeypatch)
        async with serve() as http:
            for path in ("/v1/voices", "/v1/audio/clone"):
                answer = await http.post(path, data={**NAMED, "input": "Hi."}, files=file(recording()))
                assert error_of(answer) == (501, "unsupported", None)
                assert "GET /v1/voices" in answer.json()["error"]["message"]

    async def test_voices_that_were_cloned_before_can_be_heard_and_deleted(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with serve() as http:
            voice = (await http.post("/v1/voices", data=NAMED, files=file(recording()))).json()
        stop_cloning(monkeypatch)
        async with serve() as http:
            assert (await http.get("/v1/voices")).json()["data"][1] == voice
            sample = await http.get(voice["sample"])
            assert (sample.status_code, sample.headers["Content-Type"]) == (200, "audio/flac")
            pcm, rate = soundfile.read(io.BytesIO(sample.content), dtype="float32")
            assert abs(dominant_hz(pcm, rate) - HZ) < 5
            order = {"input": "Hi.", "voice": voice["id"]}
            assert (await http.post("/v1/audio/speech", json=order)).status_code == 501
            assert (await http.delete(f"/v1/voices/{voice['id']}")).status_code == 200


class TestServersWithOneFolder:
    async def test_a_voice_of_another_server_is_known_without_a_look_at_all(self, serve: Serve) -> None:
        async with serve() as one, serve() as other:
            made = (await one.post("/v1/voices", data=NAMED, files=file(recording()))).json()
            path = f"/v1/voices/{made['id']}"
            order = {"input": "Hello.", "voice": made["id"], "response_format": "pcm"}
            spoken = await other.post("/v1/audio/speech", json=order)
            assert spoken.status_code == 200 and abs(heard_hz(spoken.content) - HZ) < 5
            assert (await other.get(path)).json() == made
            assert (await other.get(made["sample"])).status_code == 200
            async with open_client(str(other.base_url)) as client:
                await client.send("session.start", voice=made["id"])
                await client.speak("Hello.")
            assert (await other.delete(path)).status_code == 200
            # And one that is gone is, also where it was known.
            assert error_of(await one.get(path)) == (404, "not_found", "id")
            assert error_of(await one.delete(path)) == (404, "not_found", "id")
            assert error_of(await one.post("/v1/audio/speech", json=order))[:2] == (400, "unknown_voice")

    async def test_a_folder_that_is_gone_holds_no_voice(
        self, http: httpx.AsyncClient, tmp_path: Path
    ) -> None:
        made = (await http.post("/v1/voices", data=NAMED, files=file(recording()))).json()
        shutil.rmtree(tmp_path / "voices")
        for method in ("DELETE", "GET"):
            answer = await http.request(method, f"/v1/voices/{made['id']}")
            assert error_of(answer) == (404, "not_found", "id")
        assert len((await http.get("/v1/voices")).json()["data"]) == 1


class TestInThread:
    """A temporary recording must not outlive its request, whenever that ends."""

    async def test_it_is_left_in_the_end(self, tmp_path: Path) -> None:
        store = VoiceStore(tmp_path, 1)
        with ThreadPoolExecutor(1) as workers:
            async with in_thread(workers, store.temporary(read_recording(recording()))) as reference:
                assert [str(path) for path in kept(tmp_path)] == [reference.path]
            assert not kept(tmp_path)
            with pytest.raises(ZeroDivisionError):
                async with in_thread(workers, store.temporary(read_recording(recording()))):
                    raise ZeroDivisionError
            assert not kept(tmp_path)

    async def test_also_when_it_is_cancelled_before_it_is_entered(self) -> None:
        may_enter, entered, left = threading.Event(), threading.Event(), threading.Event()

        @contextmanager
        def slow() -> Iterator[None]:
            entered.set()
            may_enter.wait(20)
            yield
            left.set()

        async def use(workers: Executor) -> None:
            async with in_thread(workers, slow()):
                raise AssertionError("it was cancelled")

        with ThreadPoolExecutor(1) as workers:
            using = asyncio.create_task(use(workers))
            await asyncio.to_thread(entered.wait, 20)
            using.cancel()
            with pytest.raises(asyncio.CancelledError):
                await using
            assert not left.is_set()
            may_enter.set()
            assert await asyncio.to_thread(left.wait, 20)

    async def test_what_cannot_be_entered_is_told(self) -> None:
        @contextmanager
        def broken() -> Iterator[None]:
            raise RealtimeError("the disk is full")
            yield

        with ThreadPoolExecutor(1) as workers, pytest.raises(RealtimeError, match="full"):
            async with in_thread(workers, broken()):
                pass


class TestUploads:
    def test_as_many_as_there_are_places(self) -> None:
        uploads = Uploads(lambda: True, limit=1)
        with uploads.place(), pytest.raises(QueueFullError), uploads.place():
            pass
        with uploads.place():
            pass

    def test_a_place_is_free_again_however_it_was_left(self) -> None:
        uploads = Uploads(lambda: True, limit=1)
        with pytest.raises(ZeroDivisionError), uploads.place():
            raise ZeroDivisionError
        with pytest.raises(RealtimeError, match="cannot clone"), Uploads(lambda: False).place():
            pass
        with uploads.place():
            pass

    async def test_who_hangs_up_leaves_no_file_waiting_and_no_place_too_early(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uploads = Uploads(lambda: True, limit=2)
        data = Watchable(b"two")
        watched = weakref.ref(data)

        async def upload(held: list[bytes]) -> None:
            with uploads.place() as place:
                await place.decode(held, decoders)

        with ThreadPoolExecutor(1) as decoders, closed_gate(monkeypatch) as gate:
            running = asyncio.create_task(upload([b"one"]))
            await gate.reached()
            waiting = asyncio.create_task(upload([data]))
            del data
            await asyncio.sleep(0)
            for task in (running, waiting):
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            del waiting, task
            assert watched() is None  # though the thread has not come to it
            with uploads.place(), pytest.raises(QueueFullError), uploads.place():
                pass  # the other one is being decoded
        with uploads.place(), uploads.place():
            pass

    async def test_lists_do_not_wait_for_recordings_nor_places_for_who_is_gone(
        self, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        form = httpx.Request("POST", "/v1/voices", data=NAMED, files=file(recording()))
        head = b"POST /v1/voices HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
        head += form.headers["Content-Type"].encode() + b"\r\nContent-Length: %d\r\n\r\n" % len(form.read())
        with closed_gate(monkeypatch) as gate:
            for _ in range(2 * MAX_UPLOADS):
                _, writer = await asyncio.open_connection(http.base_url.host, http.base_url.port)
                writer.write(head + form.read())
                await writer.drain()
                await asyncio.sleep(0.05)
                writer.transport.abort()
            await gate.reached()
            async with asyncio.timeout(20):
                assert (await http.get("/v1/voices")).status_code == 200
                answer = await http.post("/v1/voices", data=NAMED)
                assert error_of(answer)[1] == "invalid_message"  # there is a place for it
        assert (await http.post("/v1/voices", data=NAMED, files=file(recording()))).status_code == 201

    async def test_more_than_there_are_places_for(self, http: httpx.AsyncClient) -> None:
        begun = [await Upload.begin(http) for _ in range(MAX_UPLOADS)]
        try:
            while (answer := await http.post("/v1/voices", data=NAMED)).status_code == 400:
                pass  # not all of them have come to the server
            assert error_of(answer)[:2] == (503, "queue_full") and answer.headers["Retry-After"] == "1"
            assert [await upload.finish() for upload in begun] == [
                b"HTTP/1.1 400 Bad Request\r\n"
            ] * MAX_UPLOADS
        finally:
            for upload in begun:
                upload.close()
        assert (await http.post("/v1/voices", data=NAMED, files=file(recording()))).status_code == 201


class Gate:
    """In the way of recordings that are to be read."""

    def __init__(self) -> None:
        self._reached, self.opened = threading.Event(), threading.Event()

    def read(self, data: bytes) -> Recording:
        self._reached.set()
        assert self.opened.wait(60)
        return read_recording(data)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self._reached.wait, 30)


@contextmanager
def closed_gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """No recording is read before the end of the block."""
    gate = Gate()
    monkeypatch.setattr(voices, "read_recording", gate.read)
    try:
        yield gate
    finally:
        gate.opened.set()


class Watchable(bytearray):
    """Bytes that a weak reference can point at."""


class Upload:
    """A form that is sent slowly."""

    REST = b'Content-Disposition: form-data; name="consent"\r\n\r\nno\r\n--b--'

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def begin(cls, http: httpx.AsyncClient) -> Upload:
        """Send the head of a request, and the first line of its form."""
        reader, writer = await asyncio.open_connection(http.base_url.host, http.base_url.port)
        length = len(cls.REST) + 5
        head = f"POST /v1/voices HTTP/1.1\r\nHost: {http.base_url.host}\r\nContent-Length: {length}\r\n"
        writer.write(head.encode() + b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n")
        return cls(reader, writer)

    async def finish(self) -> bytes:
        """Send the rest; gives the first line of the answer."""
        self._writer.write(self.REST)
        return await self._reader.readline()

    def close(self) -> None:
        self._writer.close()
