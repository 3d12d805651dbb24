"""No secret and no text leaves a server by any way but the one that it is for.

A real one runs with every secret set, at the level of logs at which it says most, with a Redis and a TURN
server that are not there. It is used well and badly, and stopped. Then all that came out of it is searched.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from bench.server import free_port
from realtime.app.building import make_cache, make_keys
from realtime.config import SECRETS, from_environment
from realtime.errors import ConfigError
from tests.rtc_client import rtc_client
from tests.wire_client import WireClient, eventually, open_client

KEY, FILE_KEY, WRONG_KEY = (f"{name}-key-0123456789" for name in ("listed", "filed", "mistyped"))
PASSWORD, TURN_PASSWORD, TURN_SECRET = "redis-password-77", "turn-password-88", "turn-secret-99"
HUB_TOKEN = "hub-token-66"
#: Words that are in no message of the server's own.
WORD, OTHER_WORD, LATE_WORD = "Zanzibar", "Quetzalcoatl", "Rumpelstiltskin"
#: Who sent it is told what is wrong with it, and nobody else is.
ENTRY = "Popocatepetl"
NEVER_TOLD = (KEY, FILE_KEY, WRONG_KEY, PASSWORD, TURN_PASSWORD, TURN_SECRET, HUB_TOKEN)
WORDS = (WORD, OTHER_WORD, LATE_WORD)
#: What a log must tell of, or the test has not tried it.
EVENTS = (
    "ready",
    "shared_cache_lost",
    "turn_refused",
    "request_refused",
    "bad_request",
    "request_over",
    "context_over",
    "peer_connected",
    "engine_process_ended",
    "draining",
)
SPEECH = "/v1/audio/speech"


@dataclass
class Run:
    """A server, and what came out of it. `given` are secrets that it made and gave to their owner."""

    url: str
    output: Path
    process: subprocess.Popen[bytes]
    bodies: list[tuple[str, bytes]] = field(default_factory=list)
    refusals: list[tuple[str, bytes]] = field(default_factory=list)
    given: set[str] = field(default_factory=set)

    def keep(self, what: str, answer: httpx.Response) -> None:
        """An answer, with its headers; one that refuses something may not repeat any text."""
        head = "".join(f"{name}: {value}\n" for name, value in answer.headers.items())
        (self.refusals if answer.status_code >= 400 else self.bodies).append(
            (f"{what} ({answer.status_code})", head.encode() + answer.content)
        )


@contextlib.contextmanager
def serving(output: Path, form: str) -> Iterator[Run]:
    keys = output.with_suffix(".keys")
    keys.write_text(f"{FILE_KEY} name=filed\n")
    keys.chmod(0o600)
    port, nobody = free_port(), free_port()
    settings = {
        "PORT": str(port),
        "ENGINE": "tone",
        "LOG_LEVEL": "debug",
        "LOG_FORMAT": form,
        "API_KEYS": KEY,
        "API_KEYS_FILE": str(keys),
        "REDIS_URL": f"redis://user:{PASSWORD}@127.0.0.1:{nobody}/0",
        "TURN_URLS": f"turn:127.0.0.1:{nobody}?transport=tcp",
        "TURN_PASSWORD": TURN_PASSWORD,
        "TURN_SECRET": TURN_SECRET,
        "HF_TOKEN": HUB_TOKEN,
        "DATA_FOLDER": str(output.parent / "data"),
        "REQUEST_TIMEOUT_S": "1",
        "DRAIN_S": "0.2",
        "PYTHONWARNINGS": "default",
        "PYTHONASYNCIODEBUG": "1",
    }
    assert set(SECRETS) <= settings.keys(), "a secret that this does not know of"
    with output.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "realtime", "serve"],
            env=os.environ | settings,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            end = time.monotonic() + 60
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if httpx.get(f"{url}/ready", trust_env=False).status_code == 200:
                        break
                assert process.poll() is None and time.monotonic() < end, output.read_text()
                time.sleep(0.05)
            yield Run(url, output, process)
            process.terminate()
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.wait()


async def use_http(run: Run) -> None:
    bearer = {"Authorization": f"Bearer {KEY}"}
    spoken = {"input": f"{WORD} is an island.", "response_format": "wav"}
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/", {}),
        ("GET", "/health", {}),
        ("GET", "/ready", {}),
        ("GET", "/openapi.json", {}),
        ("GET", "/metrics", {}),
        ("GET", "/v1/voices", {"headers": bearer}),
        ("GET", "/v1/voices", {"headers": {"Authorization": f"Bearer {WRONG_KEY}"}}),
        ("GET", f"/v1/voices?api_key={WRONG_KEY}", {}),
        ("GET", "/nothing", {"headers": bearer}),
        ("POST", SPEECH, {"headers": bearer, "json": spoken}),
        ("POST", SPEECH, {"headers": {"Authorization": f"Bearer {FILE_KEY}"}, "json": spoken}),
        ("POST", SPEECH, {"headers": bearer, "json": spoken | {"voice": "nobody"}}),
        ("POST", SPEECH, {"headers": bearer, "json": spoken | {"speed": 9}}),
        ("POST", SPEECH, {"headers": bearer, "json": spoken | {"input": [WORD]}}),
        ("POST", SPEECH, {"headers": bearer, "json": spoken | {"input": WORD * 10_000}}),
        ("POST", SPEECH, {"headers": bearer, "json": spoken | {"lexicon": {WORD: ["a", "list"]}}}),
        ("POST", SPEECH, {"headers": bearer, "json": spoken | {"lexicon": {ENTRY * 20: OTHER_WORD}}}),
        ("POST", SPEECH, {"headers": bearer, "content": b'{"input": "' + WORD.encode()}),
        ("POST", SPEECH, {"headers": bearer, "content": b'{"input": "%s\xff"}' % WORD.encode()}),
        ("POST", SPEECH, {"headers": bearer, "content": b'{"input": "%s\\ud800"}' % WORD.encode()}),
        ("POST", SPEECH, {"headers": bearer | {"Content-Encoding": "gzip"}, "content": WORD.encode()}),
        ("POST", f"{SPEECH}/clone", {"headers": bearer, "json": spoken}),
        ("POST", "/v1/voices", {"headers": bearer, "files": {"file": b"RIFF"}, "data": {"ref_text": WORD}}),
        ("POST", f"{SPEECH}/rtc", {"headers": bearer, "json": {"sdp": WORD, "token": WRONG_KEY}}),
        ("POST", f"{SPEECH}/rtc", {"headers": {"Authorization": f"Bearer rtc_{WRONG_KEY}"}}),
        ("PUT", SPEECH, {"headers": bearer | {"Expect": ENTRY}}),
        ("OPTIONS", SPEECH, {"headers": bearer | {"Origin": f"https://{WORD.lower()}.example"}}),
    ]
    async with httpx.AsyncClient(base_url=run.url, trust_env=False) as http:
        for method, path, options in asked:
            run.keep(f"{method} {path}", await http.request(method, path, **options))
    host, port = "127.0.0.1", int(run.url.rpartition(":")[2])
    secret = f"Authorization: Bearer {KEY}".encode()
    for raw in (
        b"GET / HTTP/1.1\r\n" + secret + b"\x00\r\n\r\n",
        b"GET /?" + WORD.encode() + b" HTTP/9.9\r\n" + secret + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + secret + b"x" * 20_000 + b"\r\n\r\n",
        b"POST "
        + SPEECH.encode()
        + b" HTTP/1.1\r\nHost: x\r\n"
        + secret
        + b"\r\nContent-Length: 999\r\n\r\n"
        + WORD.encode(),
    ):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(raw)
        run.refusals.append((f"raw {raw[:20]!r}", await asyncio.wait_for(reader.read(), 20)))
        writer.close()


async def use_websocket(run: Run) -> None:
    wire = run.url.replace("http", "ws") + f"{SPEECH}/ws"
    for offers in ([f"api-key.{WRONG_KEY}"], [f"api-key.{KEY}", f"realtime.{WORD}"]):
        with pytest.raises(InvalidStatus) as refused:
            await connect(wire, subprotocols=offers, proxy=None)  # type: ignore[arg-type]
        run.refusals.append(("handshake", refused.value.response.body or b""))
    bearer = {"Authorization": f"Bearer {KEY}"}
    offered = {"subprotocols": [f"api-key.{FILE_KEY}", "realtime.v1"]}
    async with open_client(run.url, **offered) as client:
        await client.send("session.start", timestamps="word", audio="rtc", lexicon={OTHER_WORD: WORD})
        ready = await client.until("session.ready")
        run.given |= {ready["resume_token"], ready["rtc_token"]}
        run.given |= {each["credential"] for each in ready["ice_servers"] if "credential" in each}
        assert len(run.given) == 3
        await over_a_track(run, ready["rtc_token"])
        for wrong in (
            json.dumps({"type": "text", "text": {WORD: 1}}),
            json.dumps({"type": "text", "text": WORD})[:-2],
            json.dumps({"type": WORD}),
            json.dumps({"type": "text", "text": WORD + "\ud800"}),
            json.dumps({"type": "text", "text": WORD * 3000}),
            json.dumps({"type": "text", "text": LATE_WORD, "context_id": "x" * 65}),
            json.dumps({"type": "cancel", "played_ms": WORD}),
            WORD.encode(),
        ):
            await client.connection.send(wrong)
        await client.send("context.open", context_id="a\n\x1b[31mb")
        await client.send("text", context_id="a\n\x1b[31mb", text=f"{LATE_WORD} comes. {OTHER_WORD} too.")
        await client.pong()
        run.refusals.append(("errors", json.dumps(client.messages("error")).encode()))
    # The session is taken up again, with the right token and with others.
    async with open_client(run.url, additional_headers=bearer) as client:
        resume = {"session_id": ready["session_id"], "last": {}}
        await client.send("session.start", resume=resume | {"token": WRONG_KEY})
        await client.until("error", code="resume_failed")
        run.refusals.append(("not resumed", json.dumps(client.messages()).encode()))
    async with open_client(run.url, additional_headers=bearer) as client:
        await client.send("session.start", resume=resume | {"token": ready["resume_token"]})
        run.given.add((await client.until("session.ready"))["resume_token"])
    async with open_client(run.url, additional_headers=bearer) as client:
        await client.send("session.start", formats=["pcm_s16le"], max_lead_ms=0)
        run.given |= own_secrets(await client.until("session.ready"))
        await client.send("context.open")
        for text in (f"Once more {WORD}", ", and again: ", f"{OTHER_WORD}."):
            await client.send("text", text=text)
        await client.until_frame()
        await kill_engine(run, client)


async def kill_engine(run: Run, client: WireClient) -> None:
    """The engine dies with all that it was at, and another one comes."""
    for child in psutil.Process(run.process.pid).children(recursive=True):
        child.kill()
    await client.send("end")
    while not [m for m in client.messages() if m["type"] in ("context.done", "error")]:
        await client.receive()
    await eventually(lambda: "engine_restarted" in run.output.read_text())
    run.refusals.append(("engine", json.dumps(client.messages("error")).encode()))


async def over_a_track(run: Run, token: str) -> None:
    async with rtc_client(run.url, label=None) as peer:
        await peer.connect(token)
        run.bodies.append(("answer", peer.answer.encode()))
        assert await peer.hang_up() == 204
    async with rtc_client(run.url, key=KEY) as peer:
        await peer.connect()
        assert peer.channel is not None
        peer.send(type="session.start")
        run.given |= own_secrets(await peer.until("session.ready"))
        peer.channel.send(json.dumps({"type": "text", "text": {WORD: 1}}))
        peer.send(type="text", text=f"{OTHER_WORD}.")
        peer.send(type="end")
        await peer.until("context.done")
        run.refusals.append(
            ("channel", json.dumps([m for m in peer.messages if m["type"] == "error"]).encode())
        )
        peer.channel.send(b"\x00" + WORD.encode())
        await asyncio.sleep(0.1)


def own_secrets(ready: dict[str, Any]) -> set[str]:
    return {
        ready["resume_token"],
        *(each["credential"] for each in ready.get("ice_servers", []) if "credential" in each),
    }


def check_processes(run: Run) -> None:
    """What others of the machine see of the server's processes, and what the children are given."""
    server = psutil.Process(run.process.pid)
    children = server.children(recursive=True)
    assert children, "the engine has no process"
    for each in (server, *children):
        command = " ".join(each.cmdline()) + each.name()
        assert not [secret for secret in NEVER_TOLD if secret in command]
    for child in children:
        told = str(child.environ())
        assert not [secret for secret in NEVER_TOLD if secret in told]
    # With what it was started: only its own user (and root) reads that. SECURITY.md says so.
    assert not stat.S_IMODE(os.stat(f"/proc/{server.pid}/environ").st_mode) & 0o077


@pytest.mark.parametrize("form", ["json", "console"])
async def test_nothing_that_comes_out_holds_a_secret(tmp_path: Path, form: str) -> None:
    output = tmp_path / "output"
    with serving(output, form) as run:
        check_processes(run)
        await use_http(run)
        await use_websocket(run)
    log = output.read_text()
    for event in EVENTS:
        assert event in log, f"nothing was logged of {event}"
    told = [("log", log.encode()), *run.bodies, *run.refusals]
    found = [(what, secret) for what, text in told for secret in NEVER_TOLD if secret.encode() in text]
    found += [
        (what, each)
        for what, text in [("log", log.encode()), *run.refusals]
        for each in (*WORDS, *[ENTRY][: what == "log"])
        if each.encode() in text
    ]
    found += [("log", secret) for secret in run.given if secret in log]
    assert not found
    assert len(run.bodies) >= 8 and len(run.refusals) > 20
    assert all(line.isprintable() for line in log.splitlines())


WRONG = {
    "API_KEYS": [f"{PASSWORD},short", f"{PASSWORD} with blanks inside", f"{KEY},{KEY}"],
    "REDIS_URL": [
        f"http://:{PASSWORD}@host",
        f"redis://:{PASSWORD}/@host",
        f"redis://:{PASSWORD}@host:port",
        f"redis://:{PASSWORD}@host/{PASSWORD}",
        f"redis://:{PASSWORD}@host?password={PASSWORD}",
        PASSWORD,
    ],
    "TURN_PASSWORD": [" "],
    "TURN_SECRET": ["\t"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, all_ in WRONG.items() for value in all_])
def test_a_start_that_is_refused_repeats_no_secret(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        config = from_environment({name: value, "ENGINE": "tone"})
        make_keys(config)
        make_cache(config)
    told = f"{refused.value} {refused.value.message} {refused.value.__cause__}"
    assert PASSWORD not in told and KEY not in told


def test_a_file_of_keys_that_is_wrong_is_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    for content in (
        f"{KEY} {FILE_KEY}",
        f"{KEY} name={KEY}",
        f"{KEY}, \n",
        f"{KEY}\n{KEY}",
        f"{KEY} concurrency={PASSWORD}",
    ):
        file.write_text(content)
        file.chmod(0o600)
        with pytest.raises(ConfigError) as refused:
            make_keys(from_environment({"API_KEYS_FILE": str(file)}))
        assert not [secret for secret in NEVER_TOLD if secret in str(refused.value)]
