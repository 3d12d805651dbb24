"""What the image asks when it is asked how it is (deploy/image/health.py), against real servers."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bench.server import ServerProcess, free_port

ROOT = Path(__file__).parents[2]


def health(**settings: str) -> tuple[int, str]:
    """Its exit code, and what it says."""
    done = subprocess.run(
        [sys.executable, "deploy/image/health.py"],
        env={"PYTHONPATH": str(ROOT)} | settings,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert not done.stdout and len(done.stderr.splitlines()) <= 1
    return done.returncode, done.stderr.strip()


def test_a_server_is_well_by_its_port_and_by_its_socket(tmp_path: Path) -> None:
    uds = str(tmp_path / "tts.sock")
    with ServerProcess(ENGINE="tone", ENGINE_RUNNER="thread", RTC="0", HOST="0.0.0.0", UDS=uds) as server:
        port = str(server.port)
        assert health(HOST="0.0.0.0", PORT=port, UDS=uds) == (0, "")
        assert health(HOST="127.0.0.1", PORT=port) == (0, "")
        assert health(HOST="none", UDS=uds) == (0, "")
        assert health(HOST="0.0.0.0", PORT="0", UDS=uds) == (0, "")
        # Who asks is no client: limits and keys do not count.
        assert health(HOST="0.0.0.0", PORT=port, MAX_SESSIONS="1", API_KEYS="key") == (0, "")
    assert health(HOST="0.0.0.0", PORT=port)[0] == 1
    code, said = health(HOST="none", UDS=uds)
    assert code == 1 and said.startswith("the server does not answer: ")


def test_what_nobody_can_ask_is_told_in_one_line() -> None:
    assert health(PORT="0") == (1, "PORT is 0 and there is no UDS: nobody can tell where the server listens")
    assert health(PORT="many") == (1, "PORT must be a whole number from 0 to 65535, not 'many'")


@contextmanager
def answering(body: bytes) -> Iterator[int]:
    """A port at which every request gets this answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", free_port()), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("state", "code"), [("ready", 0), ("unloaded", 0), ("loading", 1), ("restarting", 1)]
)
def test_states_of_an_engine(state: str, code: int) -> None:
    with answering(json.dumps({"engine": {"state": state}}).encode()) as port:
        assert health(PORT=str(port)) == (code, "" if code == 0 else f"the engine is {state}")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"engine": null}', b"{}"])
def test_something_else_that_answers_is_not_well(body: bytes) -> None:
    with answering(body) as port:
        code, said = health(PORT=str(port))
    assert code == 1 and said.startswith("the server does not answer")
