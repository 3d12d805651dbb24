"""The proxy of `deploy/caddy` in front of a server: a real Caddy, on loopback, that leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

from bench.server import START_S, free_port

#: Another one may be tried: `CADDY=/path/to/caddy`.
PROGRAM = os.environ.get("CADDY", "caddy")
CADDYFILE = Path(__file__).parents[1] / "deploy" / "caddy" / "Caddyfile"
_END_S = 10


class CaddyProcess:
    """`caddy run` with the file of `deploy/caddy`; ready inside the `with` block.

    Its certificate is of an authority of its own, which lives in a temporary folder, as all that it writes.
    """

    def __init__(self, upstream: str, caddyfile: Path = CADDYFILE, **settings: str) -> None:
        """`upstream` is where the server is; `settings` are other environment variables of the file."""
        self.caddyfile = caddyfile
        self.port, self.plain_port, redirects = free_port(), free_port(), free_port()
        self._settings = {
            "SITE": "localhost",
            "UPSTREAM": upstream,
            "H2C_LISTEN": f"http://:{self.plain_port}",
            "LISTEN": "127.0.0.1",
            "HTTP_PORT": str(redirects),
            "HTTPS_PORT": str(self.port),
        } | settings
        self.name = self._settings["SITE"]
        self.url = f"https://{self.name}:{self.port}"
        self.plain_url = f"http://127.0.0.1:{self.plain_port}"

    def __enter__(self) -> CaddyProcess:
        # The path is short, for the path of a socket may not be long.
        self._folder = Path(tempfile.mkdtemp(prefix="caddy-"))
        self.log = self._folder / "log"
        self.authority = self._folder / "data" / "caddy" / "pki" / "authorities" / "local" / "root.crt"
        self.environment = os.environ | {
            "HOME": str(self._folder),
            "XDG_DATA_HOME": str(self._folder / "data"),
            "XDG_CONFIG_HOME": str(self._folder / "config"),
            "ADMIN": f"unix/{self._folder / 'admin'}",
            **self._settings,
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "run", "--config", str(self.caddyfile), "--adapter", "caddyfile"],
                env=self.environment,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        begun = time.monotonic()
        while not self._has_certificate():
            if self.process.poll() is not None or time.monotonic() > begun + START_S:
                told = self.log.read_text()[-1000:]
                self.__exit__()
                raise RuntimeError(f"caddy is not ready: {told}")
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self._folder)

    def tls(self) -> ssl.SSLContext:
        """What trusts its authority alone."""
        return ssl.create_default_context(cafile=str(self.authority))

    def _has_certificate(self) -> bool:
        with contextlib.suppress(OSError):
            tls = self.tls()
            with socket.create_connection(("127.0.0.1", self.port), 5) as raw:
                with tls.wrap_socket(raw, server_hostname=self.name):
                    return True
        return False
