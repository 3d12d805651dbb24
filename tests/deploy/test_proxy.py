"""The real server behind the real Caddy of `deploy/caddy`, over TCP and over its socket file."""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from bench.caddy import CaddyProcess
from bench.server import ServerProcess
from realtime.client import connect
from realtime.client.track import hear
from realtime.errors import CloseCode
from tests.cutting_proxy import cutting
from tests.deploy.streams import Streams
from tests.server.http_server import PCM, SPEECH, connection, events, request, sound_of
from tests.test_drain import closed_with
from tests.wire_client import open_client

Caddies = dict[str, CaddyProcess]
TEXT = "The first bytes are here. The last word is made later."
#: Sound of a quarter of an hour, 60 MB as events: more than all buffers between a client and a server.
ENDLESS = "The quick brown fox jumps over the lazy dog. " * 350
FOREIGN, ALLOWED = "https://foreign.example", "https://app.example"


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """On TCP and on a socket file."""
    with tempfile.TemporaryDirectory(prefix="realtime-") as folder:
        # Little waits in the server: so who is not heard is still being spoken for.
        settings = {"UDS": f"{folder}/socket", "ALLOWED_ORIGINS": ALLOWED, "BUFFER_MS": "100"}
        with ServerProcess(ENGINE="tone", ENGINE_RUNNER="thread", **settings) as running:
            running.socket = settings["UDS"]  # type: ignore[attr-defined]
            yield running


@pytest.fixture(scope="module")
def caddies(server: ServerProcess) -> Iterator[Caddies]:
    """In front of that server; by how they reach it."""
    uds = server.socket  # type: ignore[attr-defined]
    with CaddyProcess(f"127.0.0.1:{server.port}") as tcp, CaddyProcess(f"unix/{uds}") as unix:
        yield {"tcp": tcp, "unix": unix}


@pytest.fixture(params=["tcp", "unix"])
def proxy(request: pytest.FixtureRequest, caddies: Caddies) -> CaddyProcess:
    """Either way."""
    return caddies[request.param]


def client(proxy: CaddyProcess, url: str | None = None, **options: Any) -> httpx.AsyncClient:
    """Speaks HTTP/2, and trusts the proxy's authority alone."""
    usual: dict[str, Any] = {"verify": proxy.tls(), "http2": True, "trust_env": False, "timeout": 20}
    return httpx.AsyncClient(base_url=url or proxy.url, **usual | options)


def direct(server: ServerProcess) -> httpx.AsyncClient:
    """Without a proxy."""
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", trust_env=False, timeout=20)


async def health(server: ServerProcess) -> dict[str, Any]:
    """What the server tells of itself, asked directly."""
    async with direct(server) as http:
        told: dict[str, Any] = (await http.get("/health")).json()
        return told


async def until_free(server: ServerProcess) -> None:
    """Returns when nothing is spoken any more; fails after 20 s."""
    async with asyncio.timeout(20):
        while (told := await health(server))["requests"] or told["queue"]["speaking"] or told["peers"]:
            pass


async def pcm(http: httpx.AsyncClient, text: str) -> bytes:
    answer = await http.post(PCM, json={"input": text})
    assert answer.status_code == 200
    return answer.content


class TestHttp:
    @pytest.mark.parametrize(
        ("way", "version"),
        [("--http2", "2"), ("--http1.1", "1.1"), ("h2c", "2"), ("h2c-not", "1.1")],
    )
    async def test_curl(
        self, proxy: CaddyProcess, server: ServerProcess, way: str, version: str, tmp_path: Path
    ) -> None:
        """Sound and trailers over HTTP/2 and HTTP/1.1, with TLS and without."""
        flags = {"h2c": "--http2-prior-knowledge", "h2c-not": "--http1.1"}.get(way, way)
        url = proxy.plain_url if way.startswith("h2c") else proxy.url
        done = await asyncio.to_thread(
            subprocess.run,
            [
                *("curl", "-sS", "--noproxy", "*", "--cacert", proxy.authority, flags),
                *("-o", tmp_path / "sound", "-D", tmp_path / "head", "-w", "%{http_version} %{http_code}"),
                *("--json", json.dumps({"input": TEXT}), url + PCM),
            ],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.stdout == f"{version} 200", done.stderr
        async with direct(server) as http:
            assert (tmp_path / "sound").read_bytes() == await pcm(http, TEXT)
        head = (tmp_path / "head").read_text().lower()
        first, _, trailers = head.partition("\n\n" if "\r" not in head else "\r\n\r\n")
        assert "x-latency-first-audio-ms:" in first and "x-latency-total-ms:" not in first
        assert "x-latency-total-ms:" in trailers and "x-audio-duration-ms:" in trailers
        assert "server:" not in first and "via:" not in first and "strict-transport-security" not in first

    async def test_fifty_requests_share_one_connection(self, caddies: Caddies, server: ServerProcess) -> None:
        proxy = caddies["unix"]
        texts = [f"I am number {number} of those who come together." for number in range(50)]
        async with cutting(proxy.url) as wire, client(proxy, wire.url.replace("http:", "https:")) as http:
            http.base_url = http.base_url.copy_with(host="localhost")
            sounds = await asyncio.gather(*(pcm(http, text) for text in texts))
            async with AsyncExitStack() as stack:
                for number in range(50):
                    asked = http.stream("POST", PCM, json={"input": f"{number}. {ENDLESS}"})
                    answer = await stack.enter_async_context(asked)
                    assert (answer.status_code, answer.http_version) == (200, "HTTP/2")
                # All of these have begun, and none is over.
                assert (await health(server))["requests"] == 50
                assert len(wire.connections) == 1
        async with direct(server) as http:
            assert sounds == [await pcm(http, text) for text in texts]
        await until_free(server)

    async def test_the_sdk_of_openai(self, proxy: CaddyProcess, server: ServerProcess) -> None:
        async with direct(server) as http:
            expected = await pcm(http, TEXT)
        with_tls = DefaultAsyncHttpxClient(http2=True, verify=proxy.tls(), trust_env=False)
        asked: dict[str, Any] = {"model": "tts-1", "voice": "alloy", "input": TEXT, "response_format": "pcm"}
        async with AsyncOpenAI(
            base_url=f"{proxy.url}/v1", api_key="none", max_retries=0, http_client=with_tls
        ) as sdk:
            whole = await sdk.audio.speech.create(**asked)
            assert whole.response.http_version == "HTTP/2" and whole.content == expected
            streaming = sdk.audio.speech.with_streaming_response
            async with streaming.create(**asked) as answer:
                assert b"".join([part async for part in answer.iter_bytes()]) == expected
            async with streaming.create(**asked, stream_format="sse") as answer:
                lines = [line async for line in answer.iter_lines() if line]
            told = events("".join(f"{line}\n\n" for line in lines).encode())
            assert sound_of(told) == expected and told[-1]["type"] == "speech.audio.done"
            with pytest.raises(openai.BadRequestError) as wrong:
                await sdk.audio.speech.create(**asked | {"voice": "nobody"})
            assert wrong.value.code == "unknown_voice"
            assert "tone" in [model.id async for model in await sdk.models.list()]

    async def test_errors_pass_unchanged(self, proxy: CaddyProcess, server: ServerProcess) -> None:
        asked = [
            ("POST", SPEECH, b'{"input": "Hi.", "voice": "nobody"}'),
            ("POST", SPEECH, b"no JSON"),
            ("POST", SPEECH, json.dumps({"input": "a" * 70_000}).encode()),
            ("POST", SPEECH, b" " * 2_000_000),
            ("PUT", SPEECH, b"{}"),
            ("GET", "/v1/voices/nobody", b""),
            ("GET", "/nothing", b""),
            ("GET", "/v1/audio/speech/ws", b""),
        ]
        headers = {"X-Request-Id": "chosen", "Content-Type": "application/json"}
        # HTTP/1.1: httpx does not take an answer over HTTP/2 that comes before all of the body was sent.
        async with client(proxy, http2=False) as through, direct(server) as http:
            for method, path, body in asked:
                answers = [
                    await each.request(method, path, content=body, headers=headers)
                    for each in (http, through)
                ]
                assert answers[0].status_code == answers[1].status_code >= 400
                assert answers[0].content == answers[1].content and b'"error"' in answers[1].content
                told, passed = ({**each.headers} for each in answers)
                for name in ("date", "server", "alt-svc", "connection"):
                    told.pop(name, None), passed.pop(name, None)
                assert told == passed

    async def test_pages_of_allowed_origins_and_no_others(self, proxy: CaddyProcess) -> None:
        asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
        async with client(proxy) as http:
            for origin, status in ((ALLOWED, 204), (FOREIGN, 403)):
                answer = await http.options(SPEECH, headers=asks | {"Origin": origin})
                assert answer.status_code == status
            answer = await http.post(PCM, json={"input": "Yes."}, headers={"Origin": ALLOWED})
            assert answer.headers["access-control-allow-origin"] == ALLOWED
            assert "Location" in answer.headers["access-control-expose-headers"]
            # The page of the server itself is known by the name of the site.
            for origin, status in ((proxy.url, 200), (FOREIGN, 403)):
                answer = await http.post(PCM, json={"input": "Yes."}, headers={"Origin": origin})
                assert answer.status_code == status
            page = await http.get("/", headers={"Accept": "text/html", "Accept-Encoding": "gzip"})
            assert page.status_code == 200 and page.headers["content-encoding"] == "gzip"


class TestStreams:
    async def test_events_come_while_the_rest_is_made(
        self, proxy: CaddyProcess, server: ServerProcess
    ) -> None:
        """The first is here, and nothing more is taken: so the request goes on until its client leaves."""
        await until_free(server)
        async with connection(proxy.plain_url, kernel_bytes=4096) as (reader, writer):
            writer.write(
                request(SPEECH, {"input": ENDLESS, "stream_format": "sse", "response_format": "pcm"})
            )
            seen = b""
            async with asyncio.timeout(20):
                while b'"speech.audio.delta"' not in seen:
                    seen += await reader.read(512)
            assert (await health(server))["requests"] == 1
        await until_free(server)

    async def test_who_stops_listening_frees_the_engine(
        self, proxy: CaddyProcess, server: ServerProcess
    ) -> None:
        """As a browser does it that aborts a request: its stream is reset, and the connection goes on."""
        await until_free(server)
        async with Streams(proxy) as streams:
            first = await streams.post(PCM, {"input": ENDLESS})
            assert await streams.part(first)
            assert (await health(server))["requests"] == 1
            await streams.reset(first)
            await until_free(server)
            second = await streams.post(PCM, {"input": "Still here."})
            while await streams.part(second):
                pass

    async def test_a_session_is_spoken_sentence_by_sentence(
        self, proxy: CaddyProcess, server: ServerProcess
    ) -> None:
        """No sentence is written before all sound of the one before is here: so none is held back."""
        async with open_client(proxy.url, ssl=proxy.tls()) as session:
            await session.send("context.open", language="en")
            for number, sentence in enumerate(("One of them.", "Then another.", "And the last.")):
                await session.send("text", text=f"{sentence} ")
                await session.send("flush")
                began = await session.until("segment", index=number)
                # Of the tone engine, 60 ms for a character at least; the last packet may be on its way.
                ends_ms = began["start_ms"] + 60 * len(sentence.replace(" ", "")) - 60
                while (packet := (await session.until_frame()).packet).position / 48 < ends_ms:
                    pass
            await session.send("end")
            done = await session.until("context.done")
            assert sum(frame.packet.duration for frame in session.frames()) == done["audio_ms"] * 48
            assert packet.position / 48 < done["audio_ms"]
            await (await session.connection.ping())
            await session.pong()

    async def test_barge_in(self, proxy: CaddyProcess, monkeypatch: pytest.MonkeyPatch) -> None:
        """By the project's own client, which trusts whom OpenSSL is told to."""
        monkeypatch.setenv("SSL_CERT_FILE", str(proxy.authority))
        async with connect(proxy.url, max_lead_ms=1000) as session:
            context = session.open()
            await context.send(ENDLESS[:2000])
            heard_ms = 0.0
            async for chunk in context:
                heard_ms = (chunk.position + chunk.duration) / 48
                if heard_ms > 500:
                    break
            cancelled = await context.cancel(played_ms=heard_ms)
            assert (
                cancelled.text_spoken and cancelled.text_spoken + cancelled.text_remaining == ENDLESS[:2000]
            )
            assert [chunk async for chunk in context] == []
            assert await session.ping() > 0
            other = session.open()
            await other.send("Go on.")
            await other.end()
            assert [chunk async for chunk in other] and session.resumed == 0

    async def test_a_track_is_asked_for_here_and_goes_past(
        self, proxy: CaddyProcess, server: ServerProcess
    ) -> None:
        """The offer, the answer and the end pass the proxy; the sound is sent by the server, over UDP."""
        async with connect(proxy.plain_url, audio="rtc") as session:
            async with hear(session) as track:
                assert (await health(server))["peers"] == 1
                context = session.open()
                await context.send("Hello.")
                await context.end()
                async with asyncio.timeout(20):
                    async for sound in track:
                        if abs(sound).max() > 0.1:
                            break
            # It was ended at the Location that the answer had told.
            await until_free(server)


@asynccontextmanager
async def server_and_proxy(**settings: str) -> AsyncIterator[tuple[ServerProcess, CaddyProcess]]:
    """Of one test's own, over a socket file."""
    with tempfile.TemporaryDirectory(prefix="realtime-") as folder:
        usual = {"ENGINE": "tone", "ENGINE_RUNNER": "thread", "UDS": f"{folder}/socket"}
        running = ServerProcess(**usual | settings)
        caddy = CaddyProcess(f"unix/{usual['UDS']}")
        await asyncio.gather(asyncio.to_thread(running.__enter__), asyncio.to_thread(caddy.__enter__))
        try:
            yield running, caddy
        finally:
            await asyncio.gather(asyncio.to_thread(running.__exit__), asyncio.to_thread(caddy.__exit__))


async def test_nobody_can_be_somebody_else() -> None:
    """Who says that it is another address is still counted as its own."""
    async with server_and_proxy(ADDRESS_CONCURRENCY="1", TRUSTED_PROXIES="unix") as (_, proxy):
        elsewhere = httpx.AsyncHTTPTransport(verify=proxy.tls(), http2=True, local_address="127.0.0.2")
        async with client(proxy) as http, client(proxy, transport=elsewhere) as other:
            forged = {"X-Forwarded-For": "1.1.1.1", "Forwarded": "for=1.1.1.1", "X-Real-Ip": "1.1.1.1"}
            async with http.stream("POST", PCM, json={"input": ENDLESS}, headers=forged) as first:
                assert first.status_code == 200
                forged = dict.fromkeys(forged, "2.2.2.2")
                refused = await http.post(PCM, json={"input": "I am another."}, headers=forged)
                assert refused.status_code == 429 and refused.headers["Retry-After"] == "1"
                assert refused.json()["error"]["code"] == "rate_limited"
                told = {"X-Forwarded-For": "127.0.0.1"}
                assert (await other.post(PCM, json={"input": "I am."}, headers=told)).status_code == 200


async def test_a_server_that_ends_finishes_what_runs() -> None:
    async with server_and_proxy(DRAIN_S="60") as (server, proxy), client(proxy) as http:
        async with open_client(proxy.url, ssl=proxy.tls()) as session:
            await session.send("session.start", max_lead_ms=0)
            await session.send("text", text=ENDLESS[:300])
            await session.until_frame()
            server.process.terminate()
            assert (await session.until("session.closing"))["reason"] == "shutdown"
            refused = await http.post(PCM, json={"input": "Too late."})
            assert refused.status_code == 503 and refused.headers["Retry-After"]
            assert refused.json()["error"]["code"] == "queue_full"
            assert (await http.get("/ready")).status_code == 503
            await session.send("text", text="And this is still said.")
            await session.send("end")
            assert await closed_with(session) == CloseCode.GOING_AWAY
            (done,) = session.messages("context.done")
            assert done["reason"] == "completed"
            assert sum(frame.packet.duration for frame in session.frames()) == done["audio_ms"] * 48
        assert await asyncio.to_thread(server.process.wait, 20) == 0
        gone = await http.post(PCM, json={"input": "Much too late."})
        assert gone.status_code == 502 and gone.headers["Retry-After"] == "1"
        assert gone.headers["content-type"] == "application/json; charset=utf-8"
        assert gone.json()["error"]["type"] == "server_error" and gone.headers["x-request-id"]
