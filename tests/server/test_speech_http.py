"""Speech over HTTP from a real server: files, what is kept of them, failures, and clients that go away."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import av
import httpx
import numpy as np
import pytest
import structlog
from numpy.typing import NDArray

from realtime.app import Server, serving
from realtime.audio.formats import FILE_RATES
from realtime.engines import tone
from realtime.engines.engine import LoadState
from realtime.engines.tone import AMPLITUDE, CHARACTER_SAMPLES, pitch_hz
from realtime.server import speech, streaming
from realtime.server.held import Memory
from realtime.server.speech_request import SpeechRequest
from tests.conftest import Serve
from tests.server.http_server import (
    PCM,
    SENTENCES,
    SPEECH,
    MoodySynthesizer,
    RawResponse,
    connection,
    events,
    exchange,
    request,
    response,
    samples,
    sound_of,
)
from tests.server.small_server import error_of
from tests.wire_client import eventually

FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")
TEXT = "One two three. Four five six seven eight."
#: Bytes that all files may have which a server holds.
ROOM = 4_000_000
AGAIN = "One two three four five six seven eight. " * 30
LONG = "One two three four five six seven eight. " * 1000
FAILING = "One two three four five. WAIT. FAIL now. Never said."
SEEDS = itertools.count(1000)  # what was synthesized with another one does not serve
LATENCIES = {f"x-latency-{name}-ms" for name in ("load", "queue", "infer", "encode", "first-audio", "total")}


@pytest.fixture
def moody(monkeypatch: pytest.MonkeyPatch) -> MoodySynthesizer:
    """The engine of the servers that are started after this."""
    synthesizer = MoodySynthesizer()
    monkeypatch.setattr(tone, "make", lambda settings: synthesizer)
    return synthesizer


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> list[Memory]:
    """What the servers that are started after this hold files in."""
    made: list[Memory] = []

    def make() -> Memory:
        made.append(Memory(ROOM))
        return made[-1]

    monkeypatch.setattr(serving, "Memory", make)
    return made


@pytest.fixture
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as made:
        yield made


def decoded(data: bytes) -> NDArray[np.float32]:
    """The sound of a file by FFmpeg's own decoders, at its own rate."""
    with av.open(io.BytesIO(data)) as container:
        parts = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    sound = np.concatenate(parts)
    return sound.astype(np.float32) / (32768 if sound.dtype == np.int16 else 1)


class TestFile:
    async def test_pcm_to_the_sample(self, server: Server) -> None:
        answer = await exchange(server.url, PCM, input="Hello")
        assert (answer.status, answer.complete) == (200, True)
        assert answer.headers["content-type"] == (
            "audio/pcm;rate=24000;encoding=signed-integer;bits=16;channels=1"
        )
        sound = samples(answer.body) / 32767
        times = np.arange(5 * CHARACTER_SAMPLES) / 24_000
        expected = AMPLITUDE * np.cos(2 * np.pi * pitch_hz("Hello") * times)
        assert len(sound) == len(expected)
        assert np.abs(sound - expected)[200:-200].max() < 0.001  # edges are faded
        assert answer.trailers["x-audio-duration-ms"] == "300.000"

    async def test_the_rate_asked_for(self, client: httpx.AsyncClient) -> None:
        for rate in FILE_RATES["pcm_s16le"]:
            answer = await client.post(PCM, json={"input": "Hello", "sample_rate": rate})
            assert f";rate={rate};" in answer.headers["content-type"]
            assert len(samples(answer.content)) == rate * 300 // 1000

    @pytest.mark.parametrize("name", FORMATS)
    async def test_streamed_and_whole_are_the_same_sound(self, client: httpx.AsyncClient, name: str) -> None:
        asked = {"input": TEXT, "response_format": name, "cache": False}
        streamed = await client.post(SPEECH, json=asked)
        whole = await client.post(SPEECH, json={**asked, "stream": False})
        assert streamed.headers["transfer-encoding"] == "chunked" and "content-length" not in streamed.headers
        assert whole.headers["content-length"] == str(len(whole.content))
        assert "transfer-encoding" not in whole.headers and "trailer" not in whole.headers
        assert streamed.headers["content-type"] == whole.headers["content-type"]
        duration_ms = float(whole.headers["x-audio-duration-ms"])
        plain = samples((await client.post(PCM, json={"input": TEXT, "cache": False})).content)
        assert duration_ms == len(plain) / 24
        if name == "pcm":
            assert streamed.content == whole.content == plain.tobytes()
            return
        one, other = decoded(streamed.content), decoded(whole.content)
        length = duration_ms * (48 if name == "opus" else 24)
        if name != "aac":  # it has no field for what is to be left out
            assert len(other) == length
        if name in ("opus", "flac", "wav"):
            assert len(one) == length
        late = len(one) - len(other) if name == "mp3" else 0
        assert 0 <= late < 3000
        assert np.array_equal(one[late : late + len(other)], other) or name == "mp3"

    async def test_what_is_told_at_first_and_at_last(self, server: Server) -> None:
        answer = await exchange(server.url, SPEECH, input=AGAIN, response_format="wav")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"
        assert {name for name in answer.headers if name.startswith("x-latency-")} == (
            LATENCIES - {"x-latency-total-ms"}
        )
        assert set(answer.trailers) == LATENCIES | {"x-audio-duration-ms", "x-cache"}
        first_ms, total_ms = (
            int(answer.trailers[f"x-latency-{name}-ms"]) for name in ("first-audio", "total")
        )
        assert str(first_ms) == answer.headers["x-latency-first-audio-ms"] and first_ms <= total_ms
        packets = float(answer.trailers["x-audio-duration-ms"]) / 20
        assert packets > 10 * len(answer.parts)  # what is ready goes out together
        assert answer.trailers["x-cache"] == "partial"  # the second sentence is the first one again
        whole = await exchange(server.url, SPEECH, input=TEXT, response_format="wav", stream=False)
        assert LATENCIES | {"x-audio-duration-ms", "x-cache"} <= set(whole.headers)

    async def test_the_first_sound_leaves_before_the_second_sentence_is_made(
        self, moody: MoodySynthesizer, server: Server
    ) -> None:
        for seed, name in enumerate(FORMATS):  # or the sound would be there already
            async with connection(server.url) as (reader, writer):
                asked = {"input": "One two three four. WAIT.", "response_format": name, "seed": seed}
                writer.write(request(SPEECH, asked))
                async with asyncio.timeout(20):
                    head = await reader.readuntil(b"\r\n\r\n")
                    assert await reader.readexactly(100)
                assert head.startswith(b"HTTP/1.1 200") and not moody.go_on.is_set()
            await eventually(lambda: not server.scheduler.admitted)

    async def test_old_clients(self, server: Server) -> None:
        plain = await exchange(server.url, PCM, input=TEXT, cache=False)
        async with connection(server.url) as (reader, writer):
            writer.write(request(PCM, {"input": TEXT, "cache": False}, version="1.0"))
            answer = await response(reader)
            assert answer.complete and answer.body == plain.body and reader.at_eof()
            assert answer.headers["connection"] == "close" and "trailer" not in answer.headers

    async def test_a_connection_is_used_again(self, server: Server) -> None:
        async with connection(server.url) as (reader, writer):
            for number in range(3):
                writer.write(request(SPEECH, {"input": f"Number {number}.", "response_format": "opus"}))
                assert (await response(reader)).complete
            writer.write(request(SPEECH, {"input": "Number 2.", "response_format": "opus"}))
            assert (await response(reader)).headers["x-cache"] == "hit"
            writer.write(request(SPEECH, {}))
            assert (await response(reader)).status == 400
            writer.write(request(SPEECH, {"input": "On and on.", "stream": False}))
            assert (await response(reader)).status == 200

    async def test_who_expects_to_be_told_to_go_on(self, server: Server) -> None:
        asked = request(PCM, {"input": "Hello"}, "Expect: 100-continue")
        head, _, body = asked.partition(b"\r\n\r\n")
        async with connection(server.url) as (reader, writer):
            writer.write(head + b"\r\n\r\n")
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(body)
            assert len(samples((await response(reader)).body)) == 5 * CHARACTER_SAMPLES

    async def test_nothing_is_compressed(self, client: httpx.AsyncClient) -> None:
        for path in (SPEECH, PCM, SENTENCES):
            answer = await client.post(
                path, json={"input": "Hi."}, headers={"Accept-Encoding": "gzip, br, *"}
            )
            assert answer.status_code == 200 and "content-encoding" not in answer.headers

    @pytest.mark.parametrize("text", [" ", "...", "😀", "\n\n"])
    async def test_nothing_to_say(self, client: httpx.AsyncClient, text: str) -> None:
        """Players make a fault of a file without sound; who asks for samples gets none."""
        for name in FORMATS:
            for stream in (True, False):
                asked = {"input": text, "stream": stream, "response_format": name}
                answer = await client.post(SPEECH, json=asked)
                assert answer.status_code == 200
                told = answer.headers.get("x-audio-duration-ms")  # of a stream it is a trailer, if it is one
                if name == "pcm":
                    assert answer.content == b"" and told == "0.000"
                    continue
                with av.open(io.BytesIO(answer.content)) as file:
                    frames = list(file.decode(audio=0))
                seconds = sum(frame.samples for frame in frames) / frames[0].sample_rate
                assert told in ((None, "100.000") if stream else ("100.000",)) and 0.099 <= seconds < 0.2

    async def test_speed_and_language_reach_the_engine(self, client: httpx.AsyncClient) -> None:
        lengths = [
            len((await client.post(PCM, json={"input": TEXT, "speed": speed})).content) for speed in (1, 2)
        ]
        assert lengths[1] / lengths[0] == pytest.approx(0.5, abs=0.01)
        asked = {"input": "1 Apfel", "language": "de", "stream_format": "sse", "timestamps": "word"}
        told = events((await client.post(SPEECH, json=asked)).content)
        assert (told[0]["language"], told[0]["text"]) == ("de", "ein Apfel")

    async def test_a_file_that_is_too_large_to_be_sent_whole(
        self, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, server: Server
    ) -> None:
        monkeypatch.setattr(speech, "MAX_WHOLE_BYTES", 100_000)
        answer = await client.post(PCM, json={"input": AGAIN, "stream": False})
        error = error_of(answer.content)
        assert (answer.status_code, error["code"], error["param"]) == (413, "body_too_large", "stream")
        assert not server.scheduler.admitted
        assert len((await client.post(PCM, json={"input": AGAIN})).content) > 100_000


class TestMemory:
    """All files that are held in memory have one limit."""

    async def test_a_whole_file_that_finds_no_room_is_refused(
        self, serve_tone: Serve, memory: list[Memory]
    ) -> None:
        async with serve_tone() as server:
            with memory[0].body(ROOM) as other:
                assert other.add(bytes(ROOM - 100_000))
                for _ in range(2):
                    answer = await exchange(server.url, PCM, input=TEXT, stream=False)
                    error = error_of(answer.body)
                    assert (answer.status, error["code"]) == (503, "queue_full")
                    assert answer.headers["retry-after"] == "1"
                # Who takes the sound as it is made needs no room, and finds none for a copy.
                for _ in range(2):
                    streamed = await exchange(server.url, PCM, input=TEXT)
                    assert streamed.complete and len(streamed.body) > 100_000
                    assert "x-cache" not in streamed.headers
                assert memory[0]._held == ROOM - 100_000
            whole = await exchange(server.url, PCM, input=TEXT, stream=False)
            assert whole.body == streamed.body and not memory[0]._held

    async def test_it_is_given_back_however_a_request_ends(
        self, serve_tone: Serve, moody: MoodySynthesizer, memory: list[Memory]
    ) -> None:
        async with serve_tone() as server:
            for stream in (True, False):
                async with connection(server.url) as (reader, writer):
                    asked = {"input": FAILING, "stream": stream}
                    writer.write(request(PCM, {**asked, "seed": next(SEEDS)}))
                    await eventually(lambda: moody.waits.is_set() and memory[0]._held > 0)
                    moody.go_on.set()
                    answer = await response(reader)
                    assert answer.status == 500 or not answer.complete
                await eventually(lambda: not memory[0]._held)
                moody.go_on.clear()
                async with connection(server.url) as (_, writer):  # which hangs up
                    writer.write(request(PCM, {**asked, "seed": next(SEEDS)}))
                    await eventually(lambda: moody.waits.is_set() and memory[0]._held > 0)
                await eventually(lambda: not memory[0]._held and not server.scheduler.admitted)

    async def test_a_file_that_is_put_together_off_the_loop(
        self, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for limit in (0, 10**9):
            monkeypatch.setattr(speech, "_ON_LOOP_BYTES", limit)
            for stream in (True, False):
                asked = {"input": AGAIN, "response_format": "wav", "stream": stream, "seed": next(SEEDS)}
                answers = [await client.post(SPEECH, json=asked) for _ in range(2)]
                assert answers[1].headers["x-cache"] == "hit"
                assert answers[0].content[44:] == answers[1].content[44:] and len(answers[0].content) > 10**6

    async def test_what_is_larger_than_what_is_kept(
        self, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(speech, "MAX_KEPT_BYTES", 100_000)
        for stream in (True, False):
            for _ in range(2):
                answer = await client.post(PCM, json={"input": AGAIN, "stream": stream})
                # Its segments are kept as well: of a file that was kept nothing else would be told.
                assert len(answer.content) > 100_000
                assert ("trailer" in answer.headers) == stream
            assert answer.headers.get("x-latency-queue-ms") == "0"


class TestKept:
    @pytest.mark.parametrize("name", FORMATS)
    async def test_what_was_sent_is_sent_again(self, client: httpx.AsyncClient, name: str) -> None:
        asked = {"input": TEXT, "response_format": name}
        first = await client.post(SPEECH, json=asked)
        whole = await client.post(SPEECH, json={**asked, "stream": False, "cache": False})
        again = await client.post(SPEECH, json=asked)
        assert "x-cache" not in first.headers and again.headers["x-cache"] == "hit"
        assert again.content == whole.content  # with the length that was not known at first
        assert again.headers["content-length"] == str(len(again.content))
        assert again.headers["content-type"] == first.headers["content-type"]
        assert again.headers["x-audio-duration-ms"] == whole.headers["x-audio-duration-ms"]
        assert {name for name in again.headers if name.startswith("x-latency-")} == LATENCIES

    async def test_a_whole_file_is_kept_too(self, client: httpx.AsyncClient) -> None:
        asked = {"input": TEXT, "stream": False}
        first, again = [await client.post(SPEECH, json=asked) for _ in range(2)]
        assert (first.headers["x-cache"], again.headers["x-cache"]) == ("miss", "hit")
        assert first.content == again.content

    async def test_only_the_same_is_the_same(self, client: httpx.AsyncClient) -> None:
        same = [
            {},
            {"voice": "alloy"},
            {"voice": "tone"},
            {"model": "tts-1"},
            {"instructions": "Whisper."},
            {"seed": 0},
            {"language": "auto"},
        ]
        other = [
            {"input": TEXT + " "},
            {"speed": 1.5},
            {"seed": 1},
            {"language": "de"},
            {"normalize": False},
            {"markup": True},
            {"lexicon": {"One": "Two"}},
            {"response_format": "opus"},
            {"sample_rate": 16_000},
            {"bitrate": 96_000},
        ]
        await client.post(SPEECH, json={"input": TEXT})
        for changes in same:
            answer = await client.post(SPEECH, json={"input": TEXT, **changes})
            assert answer.headers.get("x-cache") == "hit", changes
        for changes in other:
            answer = await client.post(SPEECH, json={"input": TEXT, **changes})
            assert answer.headers.get("x-cache") != "hit", changes

    async def test_who_wants_none_of_it(self, client: httpx.AsyncClient) -> None:
        for _ in range(2):
            answer = await client.post(SPEECH, json={"input": TEXT, "cache": False})
            assert answer.headers["x-cache"] == "off"
        assert "x-cache" not in (await client.post(SPEECH, json={"input": TEXT})).headers  # it kept nothing

    async def test_a_server_that_keeps_nothing(self, serve_tone: Serve) -> None:
        async with serve_tone(audio_cache_mb=0) as server:
            for _ in range(2):
                answer = await exchange(server.url, SPEECH, input=TEXT)
                assert answer.headers["x-cache"] == answer.trailers["x-cache"] == "off"

    async def test_what_was_cut_short_is_not_kept(self, server: Server) -> None:
        asked: dict[str, object] = {"input": LONG, "response_format": "pcm"}
        async with connection(server.url) as (reader, writer):
            writer.write(request(SPEECH, asked))
            await reader.readexactly(1000)
        await eventually(lambda: not server.scheduler.admitted)
        async with connection(server.url) as (reader, writer):
            writer.write(request(SPEECH, asked))
            assert b"\r\nx-cache:" not in (await reader.readuntil(b"\r\n\r\n")).lower()

    async def test_what_is_too_large_is_not_kept(self, serve_tone: Serve) -> None:
        async with serve_tone(audio_cache_mb=1) as server:
            for _ in range(2):
                answer = await exchange(server.url, PCM, input=AGAIN)
                assert "x-cache" not in answer.headers and len(answer.body) > 1_000_000


async def failing(
    moody: MoodySynthesizer, server: Server, path: str, version: str = "1.1", **fields: object
) -> RawResponse:
    """The answer to a text of which the engine fails when its beginning has been sent."""
    moody.go_on.clear()
    seed = next(SEEDS)
    async with connection(server.url) as (reader, writer):
        asked = {"input": FAILING, "seed": seed, **fields}
        writer.write(request(path, asked, version=version))
        return await response(reader, on_headers=moody.go_on.set)


class TestFailures:
    async def test_before_the_first_sound(self, moody: MoodySynthesizer, server: Server) -> None:
        for path, fields in (
            (SPEECH, {}),
            (SPEECH, {"stream": False}),
            (SPEECH, {"stream_format": "sse"}),
            (PCM, {}),
            (SENTENCES, {}),
        ):
            answer = await exchange(server.url, path, input="FAIL now.", **fields)
            error = error_of(answer.body)
            assert (answer.status, error["code"], error["type"]) == (500, "engine_failed", "server_error")
            assert b"secret" not in answer.body
        assert not server.scheduler.admitted

    async def test_of_a_file_in_mid_stream(self, moody: MoodySynthesizer, server: Server) -> None:
        """The sound before it arrives, and the end of the body does not."""
        answer = await failing(moody, server, PCM)
        assert answer.status == 200 and not answer.complete
        plain = await exchange(server.url, PCM, input=FAILING.split(" WAIT")[0])
        assert answer.body.startswith(plain.body[:-1000])
        assert not (await failing(moody, server, PCM)).complete  # nothing of it was kept
        assert not (await failing(moody, server, PCM, version="1.0")).complete
        assert not server.scheduler.admitted

    async def test_all_sound_before_the_failure_arrives(
        self, moody: MoodySynthesizer, server: Server
    ) -> None:
        """Also what was still waiting for a client that is slower than the engine."""
        plain = await exchange(server.url, PCM, input=AGAIN, cache=False)
        received = asyncio.StreamReader()
        async with connection(server.url, kernel_bytes=16_384) as (reader, writer):
            writer.write(request(PCM, {"input": AGAIN + "FAIL now.", "cache": False}))
            while part := await reader.read(65_536):
                received.feed_data(part)
                await asyncio.sleep(0.002)
        received.feed_eof()
        answer = await response(received)
        assert not answer.complete and plain.complete
        assert answer.body.startswith(plain.body[:-960])  # the last frame was not full yet

    async def test_clients_notice_that_a_file_was_cut_short(
        self, moody: MoodySynthesizer, server: Server
    ) -> None:
        async with aiohttp.ClientSession() as http:
            async with http.post(server.url + PCM, json={"input": FAILING}) as given:
                moody.go_on.set()
                with pytest.raises(aiohttp.ClientPayloadError):
                    await given.read()
        moody.go_on.clear()
        async with httpx.AsyncClient() as client:
            async with client.stream("POST", server.url + PCM, json={"input": FAILING, "seed": 9}) as answer:
                moody.go_on.set()
                with pytest.raises(httpx.RemoteProtocolError):
                    await answer.aread()

    async def test_of_a_whole_file(self, moody: MoodySynthesizer, server: Server) -> None:
        answer = await exchange(server.url, SPEECH, input="One. FAIL. Three.", stream=False)
        assert (answer.status, error_of(answer.body)["code"]) == (500, "engine_failed")

    @pytest.mark.parametrize(("path", "sse"), [(SPEECH, {"stream_format": "sse"}), (SENTENCES, {})])
    async def test_of_events_in_mid_stream(
        self, moody: MoodySynthesizer, server: Server, path: str, sse: dict[str, str]
    ) -> None:
        answer = await failing(moody, server, path, response_format="pcm", **sse)
        assert answer.status == 200 and answer.complete
        *told, last = events(answer.body)
        assert told and all("audio" in event for event in told)
        assert last["type"] == "error" and set(last) == {"type", "error"}
        assert error_of(json.dumps({"error": last["error"]}))["code"] == "engine_failed"
        assert "x-audio-duration-ms" not in answer.trailers

    async def test_while_the_engine_is_loaded(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(server.scheduler, "started", False)
        for path in (SPEECH, PCM, SENTENCES):
            answer = await exchange(server.url, path, input="Hello.")
            assert (answer.status, error_of(answer.body)["code"]) == (503, "queue_full")
            assert answer.headers["retry-after"] == "1"
            assert "the voice is still being loaded; try again soon" in answer.body.decode()
        server.scheduler.load = LoadState("loading", "weights", 0.416)
        answer = await exchange(server.url, PCM, input="Hello.")
        assert "the voice is still being loaded (weights 42 %); try again soon" in answer.body.decode()

    async def test_when_all_places_are_taken(self, moody: MoodySynthesizer, serve_tone: Serve) -> None:
        async with (
            serve_tone(max_utterances=1) as server,
            connection(server.url) as (reader, writer),
        ):
            writer.write(request(PCM, {"input": "WAIT."}))
            await eventually(moody.waits.is_set)
            for path in (SPEECH, PCM, SENTENCES):
                answer = await exchange(server.url, path, input="Hello.")
                assert (answer.status, error_of(answer.body)["code"]) == (503, "queue_full")
                assert int(answer.headers["retry-after"]) >= 1
            moody.go_on.set()
            assert (await response(reader)).complete
            assert (await exchange(server.url, PCM, input="Hello.")).status == 200


class TestHangUps:
    @pytest.mark.parametrize("fields", [{}, {"stream": False}, {"stream_format": "sse"}])
    async def test_before_the_first_sound(
        self, moody: MoodySynthesizer, server: Server, fields: dict[str, object]
    ) -> None:
        async with connection(server.url) as (_, writer):
            writer.write(request(SPEECH, {"input": "WAIT for me.", **fields}))
            await eventually(moody.waits.is_set)
            assert server.scheduler.admitted == 1
        await eventually(lambda: not server.scheduler.admitted and not moody.waits.is_set())
        assert (await exchange(server.url, PCM, input="Hello.")).complete  # its one thread is free

    @pytest.mark.parametrize("path", [PCM, SENTENCES])
    async def test_between_two_sentences(self, moody: MoodySynthesizer, server: Server, path: str) -> None:
        async with connection(server.url) as (reader, writer):
            writer.write(request(path, {"input": "One two three four. WAIT for me.", "timestamps": "none"}))
            await reader.readexactly(1000)
            await eventually(moody.waits.is_set)
        await eventually(lambda: not server.scheduler.admitted and not moody.waits.is_set())

    @pytest.mark.parametrize("path", [PCM, SENTENCES])
    async def test_while_nothing_is_read(self, server: Server, path: str) -> None:
        async with connection(server.url) as (reader, writer):
            asked = {"input": LONG, "response_format": "pcm", "sample_rate": 48_000, "cache": False}
            writer.write(request(path, asked))
            await reader.readexactly(1000)
            # Who does not read is not spoken to its end, and others do not wait for it.
            assert (await exchange(server.url, PCM, input=TEXT)).complete
            assert server.scheduler.admitted == 1
        await eventually(lambda: not server.scheduler.admitted)

    async def test_who_takes_nothing_is_dropped(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(streaming, "STALL_S", 0.3)
        async with connection(server.url) as (reader, writer):
            asked = {"input": LONG, "sample_rate": 48_000, "cache": False}
            writer.write(request(PCM, asked))
            await reader.readexactly(1000)
            await eventually(lambda: not server.scheduler.admitted)
            assert not (await response_end(reader))

    async def test_in_the_middle_of_the_request(self, server: Server) -> None:
        whole = request(SPEECH, {"input": "Hello."})
        for size in (10, len(whole) - 5):
            async with connection(server.url) as (_, writer):
                writer.write(whole[:size])
                await writer.drain()
        assert (await exchange(server.url, PCM, input="Hello.")).complete

    async def test_many_at_once(self, server: Server) -> None:
        async def come_and_go(number: int) -> None:
            async with connection(server.url) as (reader, writer):
                writer.write(request(PCM, {"input": LONG, "seed": number}))
                if number % 2:
                    await reader.readexactly(500)

        await asyncio.gather(*map(come_and_go, range(20)))
        await eventually(lambda: not server.scheduler.admitted)
        assert (await exchange(server.url, PCM, input="Hello.")).complete


class TestLog:
    """One line for each request says what became of it."""

    @pytest.fixture
    def lines(self) -> Iterator[list[Any]]:
        with structlog.testing.capture_logs() as captured:
            yield captured

    @staticmethod
    def ends(lines: list[Any]) -> list[tuple[str, str | None, str | None]]:
        names = ("request_over", "request_refused", "response_cut_off")
        told = [line for line in lines if line["event"] in names]
        return [(line["event"], line.get("reason"), line["code"]) for line in told]

    async def test_why_it_has_failed(
        self, moody: MoodySynthesizer, server: Server, lines: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for fields in ({}, {"stream": False}, {"stream_format": "sse"}):
            await exchange(server.url, SPEECH, input="FAIL now.", **fields)
            assert self.ends(lines) == [("request_over", "failed", "engine_failed")]
            lines.clear()
        await failing(moody, server, PCM)
        assert self.ends(lines) == [
            ("request_over", "failed", "engine_failed"),
            ("response_cut_off", None, "engine_failed"),
        ]
        lines.clear()
        monkeypatch.setattr(speech, "MAX_WHOLE_BYTES", 1000)
        await exchange(server.url, PCM, input="Hello.", stream=False)
        assert self.ends(lines) == [("request_over", "failed", "body_too_large")]
        lines.clear()
        await exchange(server.url, PCM, input="Hello.")
        assert self.ends(lines) == [("request_over", "completed", None)]

    async def test_why_it_was_refused(
        self, server: Server, lines: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await exchange(server.url, SPEECH, input="A secret.", voice="nobody")
        monkeypatch.setattr(server.scheduler, "started", False)
        await exchange(server.url, SPEECH, input="A secret.")
        assert self.ends(lines) == [
            ("request_refused", None, "unknown_voice"),
            ("request_refused", None, "queue_full"),
        ]
        assert "secret" not in repr(lines)

    async def test_who_hangs_up_at_the_end_has_not_had_it_all(self, server: Server, lines: list[Any]) -> None:
        """The sound was made long ago, but the rest of it could not be sent."""
        asked: dict[str, object] = {"input": AGAIN, "response_format": "pcm"}
        whole = {**asked, "stream": False, "seed": 1}
        for fields in (whole, asked, asked):
            lines.clear()
            async with connection(server.url, kernel_bytes=16_384) as (reader, writer):
                writer.write(request(SPEECH, fields))
                await reader.readexactly(1000)
            await eventually(lambda: bool(self.ends(lines)))
            assert self.ends(lines) == [("request_over", "disconnected", None)]
            assert (await exchange(server.url, SPEECH, **fields)).complete  # and the last one is kept
        (*_, last) = (line for line in lines if line["event"] == "request_over")
        assert last["cache"] == "hit" and self.ends(lines)[-1] == ("request_over", "completed", None)


async def response_end(reader: asyncio.StreamReader) -> bool:
    """Whether the chunked body that is being read comes to its proper end."""
    try:
        return (await reader.read()).endswith(b"\r\n\r\n")
    except ConnectionResetError:
        return False


class TestRefusals:
    @pytest.mark.parametrize("path", [SPEECH, PCM, SENTENCES])
    async def test_fields(self, client: httpx.AsyncClient, path: str) -> None:
        cases: list[tuple[dict[str, object], int, str, str]] = [
            ({}, 400, "invalid_message", "input"),
            ({"input": ""}, 400, "invalid_message", "input"),
            ({"input": "x" * 70_000}, 413, "text_too_long", "input"),
            ({"input": "x", "speed": 0}, 400, "invalid_message", "speed"),
            ({"input": "x", "voice": "../../etc/passwd"}, 400, "unknown_voice", "voice"),
            ({"input": "x", "language": "tlh"}, 400, "unknown_language", "language"),
            ({"input": "x", "model": "nothing"}, 404, "not_found", "model"),
            ({"input": "x", "response_format": "ogg"}, 400, "invalid_message", "response_format"),
            ({"input": "x", "seed": -1}, 400, "invalid_message", "seed"),
        ]
        for fields, status, code, param in cases:
            answer = await client.post(path, json=fields)
            error = error_of(answer.content)
            assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
            assert error["type"] == "invalid_request_error"

    async def test_broken_json(self, client: httpx.AsyncClient) -> None:
        for body in (b"", b"{", b'{"input": "a", "speed": NaN}', b"\xff", b"[" * 200_000):
            answer = await client.post(SPEECH, content=body, headers={"Content-Type": "application/json"})
            assert (answer.status_code, error_of(answer.content)["code"]) == (400, "invalid_message")

    async def test_bodies_that_are_too_large(self, client: httpx.AsyncClient) -> None:
        async def drops() -> AsyncIterator[bytes]:
            for _ in range(40):
                yield b'{"x": "' + b"x" * 50_000

        large = json.dumps({"input": "x", "y": "x" * 1_100_000}).encode()
        for content in (large, drops()):
            answer = await client.post(SPEECH, content=content)
            assert (answer.status_code, error_of(answer.content)["code"]) == (413, "body_too_large")

    @pytest.mark.parametrize("limit", [20_000, 300_000])
    async def test_a_text_of_any_allowed_size_comes_in_however_it_is_written(
        self, serve_tone: Serve, limit: int
    ) -> None:
        """In JSON a byte of UTF-8 may be written with six; the silent text is soon spoken."""
        async with serve_tone(max_text_per_context=limit) as server:
            async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:
                for text, bytes_each in ((r"\u0020", 1), ("\N{IDEOGRAPHIC SPACE}", 3), (" ", 1)):
                    for size, status in ((limit // bytes_each, 200), (limit // bytes_each + 1, 413)):
                        body = '{"input": "%s"}' % (text * size)
                        answer = await http.post(PCM, content=body.encode())
                        assert answer.status_code == status
                        if status == 413:
                            error = error_of(answer.content)
                            assert (error["code"], error["param"]) == ("text_too_long", "input")
                            assert str(limit) in error["message"]
                endless = await http.post(PCM, content=b'{"x": "%b"}' % (b"x" * (6 * limit + 2**20)))
                assert error_of(endless.content)["code"] == "body_too_large"

    async def test_content_types(self, client: httpx.AsyncClient) -> None:
        fine = ("application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8", None)
        wrong = (
            "application/json; charset=latin-1",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "x" * 1000,
        )
        for kind in (*fine, *wrong):
            headers = {} if kind is None else {"Content-Type": kind}
            answer = await client.post(PCM, content=b'{"input": "Hi."}', headers=headers)
            if kind in fine:
                assert answer.status_code == 200
            else:
                assert (answer.status_code, error_of(answer.content)["code"]) == (400, "invalid_message")

    async def test_other_methods(self, client: httpx.AsyncClient) -> None:
        for method in ("GET", "HEAD", "PUT", "DELETE"):
            for path in (SPEECH, PCM, SENTENCES):
                answer = await client.request(method, path)
                assert (answer.status_code, answer.headers["allow"]) == (405, "POST")

    async def test_the_way_of_pcm_gives_nothing_else(self, client: httpx.AsyncClient) -> None:
        for field, fine, wrong in (("response_format", "pcm", "mp3"), ("stream_format", "audio", "sse")):
            assert (await client.post(PCM, json={"input": "Hi.", field: fine})).status_code == 200
            answer = await client.post(PCM, json={"input": "Hi.", field: wrong})
            error = error_of(answer.content)
            assert (answer.status_code, error["param"]) == (400, field) and SPEECH in error["message"]

    async def test_a_field_that_nobody_knows_is_ignored(self, client: httpx.AsyncClient) -> None:
        answer = await client.post(PCM, json={"input": "Hi.", "unknown": {"deep": [1, None]}})
        assert answer.status_code == 200
        assert "unknown" not in SpeechRequest.__struct_fields__


class TestEvents:
    @pytest.mark.parametrize("name", FORMATS)
    async def test_the_pieces_are_the_file(self, client: httpx.AsyncClient, name: str) -> None:
        asked = {"input": TEXT, "response_format": name, "cache": False}
        plain = await client.post(SPEECH, json=asked)
        answer = await client.post(SPEECH, json={**asked, "stream_format": "sse"})
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["cache-control"] == "no-store" and answer.headers["x-accel-buffering"] == "no"
        *deltas, done = events(answer.content)
        assert all(set(each) == {"type", "audio"} for each in deltas)
        assert {each["type"] for each in deltas} == {"speech.audio.delta"}
        assert sound_of(deltas) == plain.content
        assert done["type"] == "speech.audio.done"

    async def test_the_last_event(self, client: httpx.AsyncClient) -> None:
        asked = {"input": "Hello", "stream_format": "sse", "response_format": "pcm"}
        answer = await client.post(SPEECH, json=asked, headers={"X-Request-Id": "mine-1"})
        done = events(answer.content)[-1]
        assert done["usage"] == {"input_tokens": 5, "output_tokens": 15, "total_tokens": 20}
        assert (done["audio_ms"], done["cache"], done["request_id"]) == (300, "miss", "mine-1")
        assert answer.headers["x-request-id"] == "mine-1"
        assert set(done["timing"]) == {
            "load_ms",
            "queue_ms",
            "infer_ms",
            "encode_ms",
            "first_audio_ms",
            "total_ms",
        }
        again = events((await client.post(SPEECH, json=asked)).content)[-1]
        assert again["cache"] == "hit" and again["request_id"] != "mine-1"

    async def test_the_times_of_words_come_before_their_sound(self, client: httpx.AsyncClient) -> None:
        text = "Say 😀 2 words. Then café, naïve."
        asked = {
            "input": text,
            "stream_format": "sse",
            "timestamps": "word",
            "response_format": "pcm",
            "language": "en",
        }
        told = events((await client.post(SPEECH, json=asked)).content)
        segments = [each for each in told if each["type"] == "speech.segment"]
        assert [each["index"] for each in segments] == [0, 1]
        assert [text[slice(*each["source"])] for each in segments] == ["Say 😀 2 words.", "Then café, naïve."]
        assert segments[0]["text"] == "Say two words." and segments[0]["language"] == "en"
        words = [word for each in told if each["type"] == "speech.words" for word in each["words"]]
        assert [word["text"] for word in words] == ["Say", "2", "words.", "Then", "café,", "naïve."]
        assert all(word["text"] == text[slice(*word["source"])] for word in words)
        heard_ms = 0.0
        for each in told:
            if each["type"] == "speech.audio.delta":
                heard_ms += len(sound_of([each])) / 48
            if each["type"] == "speech.words":
                assert heard_ms <= each["words"][0]["end_ms"]
        assert heard_ms == told[-1]["audio_ms"]

    @pytest.mark.parametrize("name", FORMATS)
    async def test_one_event_for_each_sentence(self, client: httpx.AsyncClient, name: str) -> None:
        text = "One two 😀 three. Four five six. Seven!"
        asked = {"input": text, "response_format": name, "cache": False}
        plain = await client.post(SPEECH, json=asked)
        answer = await client.post(SENTENCES, json={**asked, "timestamps": "word"})
        assert answer.headers["content-type"] == "text/event-stream"
        *sentences, done = events(answer.content)
        assert [each["type"] for each in sentences] == ["speech.segment"] * 3
        assert [each["index"] for each in sentences] == [0, 1, 2]
        sources = [text[slice(*each["source"])] for each in sentences]
        assert sources == ["One two 😀 three.", "Four five six.", "Seven!"]
        assert [each["text"] for each in sentences] == ["One two three.", "Four five six.", "Seven!"]
        assert (done["type"], done["segments"]) == ("speech.done", 3)
        times = [time for each in sentences for time in (each["start_ms"], each["end_ms"])]
        assert times == sorted(times) and times[0] == 0 and times[-1] <= done["audio_ms"]
        for each in sentences:
            assert each["audio"] and not each["estimated"]
            assert [word["text"] for word in each["words"]] == [
                word for word in text[slice(*each["source"])].split() if word != "😀"
            ]
            assert each["words"][0]["start_ms"] == each["start_ms"]
            assert each["words"][-1]["end_ms"] <= each["end_ms"]
        joined = sound_of([*sentences, done])
        if name in ("pcm", "wav"):
            assert joined == plain.content
        else:  # the rest are padded out after every sentence
            assert len(decoded(joined)) >= len(decoded(plain.content))

    async def test_a_sentence_leaves_before_the_next_is_made(
        self, moody: MoodySynthesizer, server: Server
    ) -> None:
        for seed, name in enumerate(FORMATS):
            async with connection(server.url) as (reader, writer):
                asked = {"input": "One two three. WAIT.", "response_format": name, "seed": seed}
                writer.write(request(SENTENCES, asked))
                async with asyncio.timeout(20):
                    await reader.readuntil(b"\r\n\r\n")
                    size = int(await reader.readuntil(b"\r\n"), 16)
                    (sentence,) = events(await reader.readexactly(size))
                assert sentence["source"] == [0, len("One two three.")]
                if name == "pcm":
                    assert len(sound_of([sentence])) == sentence["end_ms"] * 48
            await eventually(lambda: not server.scheduler.admitted)

    async def test_without_words_and_with_nothing_to_say(self, client: httpx.AsyncClient) -> None:
        (sentence, _) = events((await client.post(SENTENCES, json={"input": "Hello."})).content)
        assert not {"words", "estimated"} & set(sentence)
        for path, fields in ((SENTENCES, {}), (SPEECH, {"stream_format": "sse"})):
            answer = await client.post(path, json={"input": "...", "response_format": "pcm", **fields})
            (done,) = events(answer.content)
            assert done["audio_ms"] == 0 and done["usage"]["output_tokens"] == 0
            assert not done.get("segments") and not done.get("audio")

    @pytest.mark.parametrize("name", FORMATS)
    async def test_sentences_are_as_long_as_the_file(self, client: httpx.AsyncClient, name: str) -> None:
        asked = {"input": TEXT, "response_format": name}
        file = await client.post(SPEECH, json={**asked, "stream": False})
        (*_, done) = events((await client.post(SENTENCES, json=asked)).content)
        assert done["audio_ms"] == float(file.headers["x-audio-duration-ms"])

    @pytest.mark.parametrize("name", [name for name in FORMATS if name != "pcm"])
    async def test_nothing_to_say_is_a_file_in_events_too(self, client: httpx.AsyncClient, name: str) -> None:
        for path, fields in ((SENTENCES, {}), (SPEECH, {"stream_format": "sse"})):
            answer = await client.post(path, json={"input": "...", "response_format": name, **fields})
            told = events(answer.content)
            assert told[-1]["audio_ms"] == 100 and len(decoded(sound_of(told))) > 0

    @pytest.mark.parametrize(("path", "sse"), [(SPEECH, {"stream_format": "sse"}), (SENTENCES, {})])
    async def test_a_stream_that_is_silent_gets_comments(
        self,
        moody: MoodySynthesizer,
        server: Server,
        monkeypatch: pytest.MonkeyPatch,
        path: str,
        sse: dict[str, str],
    ) -> None:
        monkeypatch.setattr(speech, "KEEP_ALIVE_S", 0.02)
        async with connection(server.url) as (reader, writer):
            writer.write(request(path, {"input": "WAIT. FAIL.", **sse}, "Connection: close"))
            async with asyncio.timeout(20):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
                for _ in range(2):
                    assert await reader.readuntil(b"\n\r\n") == b"e\r\n: keep-alive\n\n\r\n"
                moody.go_on.set()
                rest = await reader.read()
            assert b'"speech.' in rest and b'"engine_failed"' in rest
