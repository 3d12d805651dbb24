"""The file of `deploy/caddy`: that it is right, what it holds back, and what it does without a server."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from aiohttp import web
from websockets.exceptions import InvalidStatus

from bench.caddy import CADDYFILE, PROGRAM, CaddyProcess
from bench.server import ServerProcess, free_port
from tests.deploy.test_proxy import client, direct
from tests.deploy.upstream import Upstream, upstream
from tests.server.http_server import PCM
from tests.wire_client import open_client

#: What must not be seen anywhere but at the server.
SECRET = "sk-secret-0123456789"
#: Ways to write a path that some server might take for this one.
HIDDEN = (
    *("/metrics", "/metrics/", "/metrics?x=1", "/METRICS", "//metrics", "/./metrics", "/x/../metrics"),
    *("/%6detrics", "/metrics%2f", "/metrics;x", "/metrics.txt", "/x/..%2fmetrics", "/%2e/metrics"),
    *("/metrics%00", "/%2fmetrics", "/metrics%3fx", "\\metrics", "/x/%2e%2e/metrics", "/metrics#x"),
)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"H2C_LISTEN": "http://:8080", "UPSTREAM": "unix//run/realtime/realtime.sock"},
        {"BALANCE": "several", "UPSTREAM": "10.0.0.1:8000 10.0.0.2:8000"},
        {"SITE": "one.example.test, two.example.test", "TLS": "tls internal", "LISTEN": "127.0.0.1 [::1]"},
        {"ADMIN": "off", "HTTP_PORT": "8080", "HTTPS_PORT": "8443", "STREAMS": "header_up X-Proxy caddy"},
    ],
)
def test_it_is_valid(settings: dict[str, str], tmp_path: Any) -> None:
    own = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(
        [PROGRAM, "validate", "--config", CADDYFILE, "--adapter", "caddyfile"],
        env=os.environ | own | settings,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "Valid configuration" in done.stdout, done.stderr
    assert '"warn"' not in done.stderr


def test_it_is_formatted() -> None:
    done = subprocess.run([PROGRAM, "fmt", "--diff", CADDYFILE], capture_output=True, text=True)
    changed = [line for line in done.stdout.splitlines() if line.startswith(("+", "-"))]
    assert not changed and "reverse_proxy" in done.stdout


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the server will be that the tests of this file put behind `caddy`."""
    yield free_port()


@pytest.fixture(scope="module")
def caddy(port: int) -> Iterator[CaddyProcess]:
    """In front of whoever listens on that port; mostly nobody."""
    with CaddyProcess(f"127.0.0.1:{port}") as running:
        yield running


@pytest.fixture
async def behind(caddy: CaddyProcess, port: int) -> AsyncIterator[Upstream]:
    """A server that plays its part step by step, behind `caddy`."""
    async with upstream(port) as listening:
        yield listening


WAYS = pytest.mark.parametrize("way", ["TLS, HTTP/2", "TLS, HTTP/1.1", "HTTP/1.1"])


def by(way: str, caddy: CaddyProcess) -> httpx.AsyncClient:
    """A client that comes in this way."""
    return client(caddy, caddy.url if "TLS" in way else caddy.plain_url, http2="HTTP/2" in way)


@WAYS
@pytest.mark.parametrize("path", ["/events", "/sound"])
async def test_nothing_is_held_back(caddy: CaddyProcess, behind: Upstream, way: str, path: str) -> None:
    """The server writes the second of its few bytes only when the first are here."""
    async with by(way, caddy) as http, asyncio.timeout(20):
        async with http.stream("POST", path, json={}) as answer:
            exchange = await behind.exchanges.get()
            parts = answer.aiter_raw()
            for expected in (b"data: 1\n\n", b"data: 2\n\n"):
                assert await anext(parts) == expected
                exchange.go_on.set()
            assert [part async for part in parts] == []


@WAYS
@pytest.mark.parametrize("path", ["/events", "/late"])
async def test_the_server_is_told_who_leaves(
    caddy: CaddyProcess, behind: Upstream, way: str, path: str
) -> None:
    """At once, though it has nothing to write: also who has to wait for a first byte may leave."""
    async with asyncio.timeout(20):
        async with by(way, caddy) as http:
            asking = asyncio.create_task(http.post(path, json={}))
            exchange = await behind.exchanges.get()
            asking.cancel()
            await asyncio.wait({asking})
        await exchange.left.wait()


async def test_what_the_server_learns_of_a_client(caddy: CaddyProcess, behind: Upstream) -> None:
    async with client(caddy) as http:
        del http.headers["accept-encoding"]
        forged = {"X-Forwarded-For": "1.1.1.1", "X-Forwarded-Host": "evil.example", "Authorization": SECRET}
        async with http.stream("GET", "/sound?a=b", headers=forged):
            exchange = await behind.exchanges.get()
    assert exchange.path == "/sound?a=b"
    assert exchange.values("host") == [f"localhost:{caddy.port}"]
    assert exchange.values("x-forwarded-for") == ["127.0.0.1"]
    assert exchange.values("x-forwarded-host") == exchange.values("host")
    assert exchange.values("authorization") == [SECRET]
    assert exchange.values("accept-encoding") == []


async def test_metrics_are_not_for_those_outside(caddy: CaddyProcess, port: int) -> None:
    """However it is written: none of it is what the server takes for this path."""
    asked: list[str] = []

    async def metrics(request: web.Request) -> web.Response:
        asked.append(request.raw_path)
        return web.Response(text=SECRET)

    application = web.Application()
    application.add_routes([web.get("/metrics", metrics), web.get("/other", metrics)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        flags = itertools.chain.from_iterable(("-w", "\n", "--url", caddy.url + path) for path in HIDDEN)
        told = await _curl(caddy, *flags)
        assert SECRET not in told and '"not_found"' in told
        assert not asked
        # It is there, and what is not hidden passes.
        assert SECRET in await _curl(caddy, "--url", f"http://127.0.0.1:{port}/metrics")
        assert SECRET in await _curl(caddy, "--url", f"{caddy.url}/other")
    finally:
        await runner.cleanup()
    async with client(caddy) as http:
        answer = await http.get("/metrics")
        assert answer.status_code == 404 and answer.json()["error"]["type"] == "invalid_request_error"


async def _curl(caddy: CaddyProcess, *flags: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *("curl", "-s", "--path-as-is", "--noproxy", "*", "--cacert", str(caddy.authority), *flags),
        stdout=subprocess.PIPE,
    )
    return (await process.communicate())[0].decode()


async def test_without_a_server_errors_have_its_shape_and_logs_no_secrets(caddy: CaddyProcess) -> None:
    bearer = {"Authorization": f"Bearer {SECRET}", "X-Api-Key": SECRET}
    async with client(caddy) as http:
        answer = await http.post(f"/v1/audio/speech?key={SECRET}", json={"input": "Hi."}, headers=bearer)
        assert answer.status_code == 502 and answer.headers["retry-after"] == "1"
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        error = answer.json()["error"]
        assert (error["type"], error["code"], error["param"]) == ("server_error", "internal", None)
    with pytest.raises(InvalidStatus) as refused:
        async with open_client(caddy.url, ssl=caddy.tls(), subprotocols=["realtime.v1", f"api-key.{SECRET}"]):
            pass
    assert refused.value.response.status_code == 502
    logged = [json.loads(line) for line in caddy.log.read_text().splitlines()]
    failures = [line for line in logged if line.get("logger", "").startswith("http.log.error")]
    assert {line["request"]["uri"] for line in failures} >= {"/v1/audio/speech", "/v1/audio/speech/ws"}
    # The id of an answer is that of its line.
    assert answer.headers["x-request-id"] in {line["err_id"] for line in failures}
    assert SECRET not in caddy.log.read_text()


async def test_a_real_name_is_for_https_alone() -> None:
    """But its other name is not told to browsers, nor is localhost."""
    with CaddyProcess("127.0.0.1:9", SITE="tts.example.test", TLS="tls internal") as caddy:
        at = ("-D", "-", "-o", "/dev/null", "--resolve", f"tts.example.test:{caddy.port}:127.0.0.1")
        assert "strict-transport-security: max-age=31536000" in await _curl(caddy, *at, caddy.url)
        assert "strict-transport-security" not in (await _curl(caddy, *at, caddy.plain_url)).lower()


@asynccontextmanager
async def two_servers() -> AsyncIterator[tuple[list[ServerProcess], CaddyProcess]]:
    """Behind one proxy that asks them whether they are ready."""
    settings = {"ENGINE": "tone", "ENGINE_RUNNER": "thread", "DRAIN_S": "60"}
    servers = [ServerProcess(**settings) for _ in range(2)]
    where = " ".join(f"127.0.0.1:{server.port}" for server in servers)
    caddy = CaddyProcess(where, BALANCE="several")
    running = (*servers, caddy)
    await asyncio.gather(*(asyncio.to_thread(each.__enter__) for each in running))
    try:
        yield servers, caddy
    finally:
        await asyncio.gather(*(asyncio.to_thread(each.__exit__) for each in running))


async def test_of_several_servers_one_that_ends_gets_nothing_new() -> None:
    async with two_servers() as (servers, caddy), client(caddy) as http:
        async with open_client(caddy.url, ssl=caddy.tls()) as session:
            await session.send("text", text="I am here. ")
            await session.until_frame()
            told = {}
            for server in servers:
                async with direct(server) as own:
                    told[server] = (await own.get("/health")).json()["sessions"]
            (ending,) = (server for server, sessions in told.items() if sessions)
            ending.process.terminate()
            await session.until("session.closing")
            async with asyncio.timeout(20):
                while (await http.post(PCM, json={"input": "Hi."})).status_code != 200:
                    pass
            for _ in range(5):
                assert (await http.post(PCM, json={"input": "Hi."})).status_code == 200
            await session.send("text", text="And to the end.")
            await session.send("end")
            assert (await session.until("context.done"))["reason"] == "completed"
        assert await asyncio.to_thread(ending.process.wait, 20) == 0
        assert (await http.post(PCM, json={"input": "Hi."})).status_code == 200


@pytest.mark.parametrize("version", ["--http2", "--http1.1"])
async def test_what_streams_survives_that_the_file_is_read_again(
    caddy: CaddyProcess, behind: Upstream, version: str
) -> None:
    flags = (version, "--noproxy", "*", "--cacert", caddy.authority, f"{caddy.url}/sound")
    curl = await asyncio.create_subprocess_exec("curl", "-sN", *flags, stdout=subprocess.PIPE)
    assert curl.stdout is not None
    async with asyncio.timeout(30):
        exchange = await behind.exchanges.get()
        assert await curl.stdout.readexactly(9) == b"data: 1\n\n"
        reload = [PROGRAM, "reload", "--config", CADDYFILE, "--adapter", "caddyfile", "--force", "--address"]
        done = await asyncio.to_thread(
            subprocess.run, [*reload, caddy.environment["ADMIN"]], env=caddy.environment, capture_output=True
        )
        assert done.returncode == 0, done.stderr
        exchange.go_on.set()
        assert await curl.stdout.readexactly(9) == b"data: 2\n\n"
        exchange.go_on.set()
        assert await curl.wait() == 0
