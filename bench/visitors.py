"""Those who come beside a crowd: files over HTTP in all formats, what was said before, and mistakes."""

from __future__ import annotations

import itertools
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

#: Until the next one comes.
PAUSE_S = 0.2
_PATIENCE_S = 60.0
_SAID_BEFORE = "You have heard this before."


@dataclass(frozen=True, slots=True)
class Visit:
    """A request, and the status that it is answered with."""

    path: str
    body: dict[str, object] | None = None
    status: int = 200


VISITS = (
    *(
        Visit("/v1/audio/speech", {"input": f"This is a file, as {name}.", "response_format": name})
        for name in ("mp3", "opus", "aac", "flac", "wav", "pcm")
    ),
    Visit("/v1/audio/speech/pcm", {"input": "These are bare samples.", "cache": False}),
    Visit("/v1/audio/speech/stream", {"input": "One sentence. And another.", "timestamps": "word"}),
    Visit("/v1/audio/speech", {"input": _SAID_BEFORE}),
    Visit("/v1/voices"),
    Visit("/v1/audio/speech", {"input": "Who says this?", "voice": "nobody"}, 400),
    Visit("/nowhere", None, 404),
)


@contextmanager
def visitors(port: int) -> Iterator[list[str]]:
    """They come one after another for as long as the block runs; gives what was answered otherwise."""
    wrong: list[str] = []
    over = threading.Event()
    thread = threading.Thread(target=_come, args=(port, over, wrong), daemon=True)
    thread.start()
    try:
        yield wrong
    finally:
        over.set()
        thread.join(2 * _PATIENCE_S)


def _come(port: int, over: threading.Event, wrong: list[str]) -> None:
    http = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for visit in itertools.cycle(VISITS):
        if over.wait(PAUSE_S):
            return
        body = None if visit.body is None else json.dumps(visit.body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}{visit.path}", body, headers)
        try:
            with http.open(request, timeout=_PATIENCE_S) as answer:
                status = answer.status
                answer.read()
        except urllib.error.HTTPError as error:
            status = error.code
            error.close()
        except OSError as error:
            wrong.append(f"{visit.path}: {error}")
            continue
        if status != visit.status:
            wrong.append(f"{visit.path}: {status}")
