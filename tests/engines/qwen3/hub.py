"""A stand-in for Hugging Face on loopback: what of its protocol huggingface_hub needs to fetch a model."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

COMMIT = "5ec0ffee" * 5
_CHUNK = 5_000_000


@dataclass(frozen=True)
class HubModel:
    """A model on it. `delay_s` passes after each 5 MB of a file; `broken` files are not delivered."""

    files: Mapping[str, bytes]
    delay_s: float = 0.0
    broken: frozenset[str] = field(default_factory=frozenset)


class Hub:
    """Serves models by name, each with one commit; remembers which files were fetched."""

    def __init__(self, models: Mapping[str, HubModel]) -> None:
        self.models = models
        self.fetched: list[str] = []
        hub = self

        class Handler(_Handler):
            def __init__(self, *args: object) -> None:
                self.hub = hub
                super().__init__(*args)  # type: ignore[arg-type]

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        for name, model in self.hub.models.items():
            if path in (f"/api/models/{name}", f"/api/models/{name}/revision/{COMMIT}"):
                return self._tell(name, model)
            if path.startswith(f"/api/models/{name}/revision/"):
                return self._refuse("RevisionNotFound")
            for revision in ("main", COMMIT):
                if path.startswith(f"/{name}/resolve/{revision}/"):
                    return self._send(model, path.removeprefix(f"/{name}/resolve/{revision}/"))
        return self._refuse("RepoNotFound")

    do_HEAD = do_GET  # noqa: N815

    def _tell(self, name: str, model: HubModel) -> None:
        siblings = [{"rfilename": file, "size": len(data)} for file, data in model.files.items()]
        self._answer(200, json.dumps({"id": name, "sha": COMMIT, "siblings": siblings}).encode())

    def _refuse(self, code: str) -> None:
        self._answer(404, b"{}", {"X-Error-Code": code, "X-Error-Message": "no"})

    def _send(self, model: HubModel, file: str) -> None:
        data = model.files[file]
        headers = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
        if file in model.broken and self.command == "GET":
            return self._answer(403, b"no", headers)
        status, asked = 200, self.headers.get("Range")
        if asked is not None:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            status, data = 206, data[start:]
        if self.command == "GET":
            self.hub.fetched.append(file)
        return self._answer(status, data, headers, model.delay_s)

    def _answer(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, delay_s: float = 0.0
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            for start in range(0, len(body), _CHUNK):
                self.wfile.write(body[start : start + _CHUNK])
                time.sleep(delay_s)
