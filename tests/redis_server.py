"""A real Redis of one's own, in a folder of its own, that keeps nothing; it can hang, die and come back."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from bench.server import free_port

_PATIENCE_S = 20.0


class RedisServer:
    """One `redis-server` program; see `running_redis`."""

    def __init__(self, folder: Path, password: str = "", port: int = 0, tls: bool = False) -> None:
        """Listens on a socket file in `folder`, and on `port` of loopback unless that is 0."""
        self.path = folder / "redis.sock"
        self.port = port
        self._password = password
        self._folder = folder
        self._tls = tls
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens, with the password."""
        user = f":{self._password}@" if self._password else ""
        if not self.port:
            return f"unix://{user}{self.path}"
        return f"{'rediss' if self._tls else 'redis'}://{user}127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the program, and wait until it answers."""
        options = ["--save", "", "--appendonly", "no", "--dir", str(self._folder), "--loglevel", "warning"]
        options += ["--unixsocket", str(self.path), "--bind", "127.0.0.1"]
        options += ["--port", str(0 if self._tls else self.port)]
        if self._password:
            options += ["--requirepass", self._password]
        if self._tls:
            options += ["--tls-port", str(self.port), "--tls-auth-clients", "no"]
            options += ["--tls-cert-file", f"{self._folder}/cert.pem"]
            options += ["--tls-key-file", f"{self._folder}/key.pem"]
        self._process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self.execute("PING")
                return
            except redis.ConnectionError:
                assert self._process.poll() is None, "redis-server does not start"
                assert time.monotonic() < deadline, "redis-server does not answer"
                time.sleep(0.01)

    def stop(self) -> None:
        """Kill it; all that it holds is gone. Does nothing when it does not run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Let it hang: connections stay and are made, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """End `pause`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def execute(self, *command: Any) -> Any:
        """The answer to one command, from a connection of its own."""
        client = redis.Redis(unix_socket_path=str(self.path), password=self._password or None, protocol=2)
        with client:
            return client.execute_command(*command)  # type: ignore[no-untyped-call]


@contextmanager
def running_redis(password: str = "", *, tcp: bool = False, tls: bool = False) -> Iterator[RedisServer]:
    """A Redis that runs; with `tcp` or `tls` its URL leads to a free port, else to a socket file.

    The certificate is its own, `cert.pem` in the folder of the socket file.
    """
    # Short: the path of a socket may have no more than about 100 characters.
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        if tls:
            make_certificate(Path(folder))
        server = RedisServer(Path(folder), password, free_port() if tcp or tls else 0, tls)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def make_certificate(folder: Path) -> None:
    """`key.pem` and a `cert.pem` for 127.0.0.1 that nobody but itself has signed."""
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=test"
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run([*command.split(), *files], cwd=folder, check=True, stderr=subprocess.DEVNULL)
