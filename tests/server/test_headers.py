"""Headers that keep browsers from making of an answer what it is not: on every kind of answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from realtime.app import Server
from realtime.server import page
from realtime.server.headers import CONTENT_SECURITY_POLICY, HEADERS
from tests.conftest import Serve
from tests.rtc_client import rtc_client

KEY = "k" * 16
FOREIGN, ALLOWED = "https://foreign.example", "https://allowed.example"
SPEECH = "/v1/audio/speech"


@asynccontextmanager
async def asking(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, headers={"Authorization": f"Bearer {KEY}"}) as http:
        yield http


def check(answer: httpx.Response, cached: str = "no-store") -> None:
    headers = answer.headers
    assert {name: headers.get(name) for name in HEADERS} == HEADERS | {"Cache-Control": cached}
    assert len(headers.get_list("Content-Security-Policy")) == 1
    assert headers["Server"] == "realtime"


JSON = {"Content-Type": "application/json"}
#: What is asked, and the status of the answer.
REQUESTS: dict[str, tuple[str, str, dict[str, str], bytes, int]] = {
    "routes": ("GET", "/", {}, b"", 200),
    "health": ("GET", "/health", {}, b"", 200),
    "ready": ("GET", "/ready", {}, b"", 200),
    "openapi": ("GET", "/openapi.json", {}, b"", 200),
    "metrics": ("GET", "/metrics", {}, b"", 200),
    "voices": ("GET", "/v1/voices", {}, b"", 200),
    "one voice": ("GET", "/v1/voices/tone", {}, b"", 200),
    "its sample": ("GET", "/v1/voices/tone/sample", {}, b"", 200),
    "head of a sample": ("HEAD", "/v1/voices/tone/sample", {}, b"", 200),
    "models": ("GET", "/v1/models", {}, b"", 200),
    "a file": ("POST", SPEECH, JSON, b'{"input": "Hi."}', 200),
    "a whole file": ("POST", SPEECH, JSON, b'{"input": "Hi.", "stream": false}', 200),
    "events": ("POST", SPEECH, JSON, b'{"input": "Hi.", "stream_format": "sse"}', 200),
    "sentences": ("POST", f"{SPEECH}/stream", JSON, b'{"input": "Hi."}', 200),
    "samples": ("POST", f"{SPEECH}/pcm", JSON, b'{"input": "Hi."}', 200),
    "no offer": ("POST", f"{SPEECH}/rtc", {"Content-Type": "application/sdp"}, b"v=1", 400),
    "no peer": ("DELETE", f"{SPEECH}/rtc/none", {}, b"", 404),
    "nothing": ("GET", "/nothing", {}, b"", 404),
    "another method": ("PUT", "/v1/voices", {}, b"", 405),
    "no JSON": ("POST", SPEECH, JSON, b"{", 400),
    "no text": ("POST", SPEECH, JSON, b'{"input": ""}', 400),
    "too large": ("POST", SPEECH, JSON, b" " * (2 << 20), 413),
    "no form": ("POST", "/v1/voices", {"Content-Type": "multipart/form-data; boundary=x"}, b"", 400),
    "a strange Expect": ("POST", SPEECH, {**JSON, "Expect": "wonders"}, b"{}", 417),
    "no key": ("GET", "/v1/voices", {"Authorization": "Bearer none"}, b"", 401),
    "a foreign page": ("POST", SPEECH, {**JSON, "Origin": FOREIGN}, b'{"input": "Hi."}', 403),
    "no handshake": ("GET", f"{SPEECH}/ws", {}, b"", 400),
}


async def test_every_answer_bears_them(serve_tone: Serve) -> None:
    async with serve_tone(api_keys=KEY) as server, asking(server) as http:
        for name, (method, path, headers, body, status) in REQUESTS.items():
            answer = await http.request(method, path, headers=headers, content=body)
            assert answer.status_code == status, (name, answer.text)
            check(answer)
        async with rtc_client(server.url) as peer:
            offer = await peer.offer()
        sdp = {"Content-Type": "application/sdp"}
        answer = await http.post(f"{SPEECH}/rtc", headers=sdp, content=offer)
        assert answer.status_code == 201
        check(answer)


async def test_files_of_the_page_have_a_policy_of_their_own(server: Server) -> None:
    async with asking(server) as http:
        for path in ("/index.html", "/realtime.js", "/icon.svg"):
            whole = await http.get(path)
            known = await http.get(path, headers={"If-None-Match": whole.headers["ETag"]})
            assert (whole.status_code, known.status_code) == (200, 304)
            for answer in (whole, known):
                headers = answer.headers
                assert headers.get_list("Content-Security-Policy") == [page.CONTENT_SECURITY_POLICY]
                assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
                assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
                assert headers["X-Frame-Options"] == "DENY" and headers["Referrer-Policy"] == "no-referrer"
                assert "microphone=()" in headers["Permissions-Policy"]
                assert headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("wrong", ["key", "subprotocol", "origin"])
async def test_handshakes_that_are_refused(serve_tone: Serve, wrong: str) -> None:
    offers = [f"api-key.{'x' * 16 if wrong == 'key' else KEY}"]
    offers += ["realtime.v9"] if wrong == "subprotocol" else []
    async with serve_tone(api_keys=KEY) as server:
        url = server.url.replace("http", "ws") + f"{SPEECH}/ws"
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, subprotocols=offers, origin=FOREIGN if wrong == "origin" else None)  # type: ignore[arg-type]
    response = refused.value.response
    assert response.status_code == {"key": 401, "subprotocol": 400, "origin": 403}[wrong]
    assert {name: response.headers.get(name) for name in HEADERS} == HEADERS


async def test_one_that_is_not_refused_says_no_more_than_it_must(server: Server) -> None:
    async with connect(server.url.replace("http", "ws") + f"{SPEECH}/ws", compression=None) as socket:
        assert socket.response is not None
        assert not HEADERS.keys() & {name.title() for name in socket.response.headers}


async def raw_answer(port: int | None, sent: bytes) -> httpx.Response:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    first, *lines = head.decode().split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return httpx.Response(int(first.split()[1]), headers=headers, content=body)


async def test_what_is_no_http_and_what_comes_too_slowly(serve_tone: Serve) -> None:
    async with serve_tone(request_timeout_s=0.3) as server:
        for sent, status in ((b"\x00\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nX: ", 408)):
            answer = await raw_answer(server.port, sent)
            assert answer.status_code == status and answer.json()["error"]
            assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS


@pytest.mark.parametrize("allowed", [ALLOWED, "*"])
async def test_pages_that_may_use_the_server_read_everything(serve_tone: Serve, allowed: str) -> None:
    async with serve_tone(allowed_origins=allowed) as server, asking(server) as http:
        for path, status in (("/v1/voices", 200), ("/nothing", 404), ("/realtime.js", 200)):
            answer = await http.get(path, headers={"Origin": ALLOWED})
            assert answer.status_code == status
            assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
            assert answer.headers["Access-Control-Allow-Origin"] == allowed
        preflight = await http.options(
            SPEECH, headers={"Origin": ALLOWED, "Access-Control-Request-Method": "POST"}
        )
        assert preflight.status_code == 204 and preflight.headers["Access-Control-Max-Age"]
        assert preflight.headers["X-Content-Type-Options"] == "nosniff"


def test_the_policy_of_answers_lets_nothing_run() -> None:
    rules = dict(each.split(" ", 1) for each in CONTENT_SECURITY_POLICY.split("; "))
    assert rules["default-src"] == "'none'" and "script-src" not in rules and "connect-src" not in rules
