"""The image for a CPU, really built and run: buildah, a base by debootstrap, and the make targets.

Takes two or three minutes of CPU. The base is kept in build/image for a week, the rest is taken away.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psutil
import pytest
import soundfile

from bench.server import free_port
from realtime import __version__
from tests.speech_judges import transcribe, word_error_rate

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build/image"
TEXT = "The quick brown fox jumps over the lazy dog."
#: MB of the image, and of its archive. It had 473 and 174 when this was written.
MOST_MB, MOST_COMPRESSED_MB = 500, 180
USER = 10001
PACKAGES = "opt/venv/lib/python3.11/site-packages"
#: What is read of the files that are small: settings, and two of those that Python has compiled.
COMPILED = (
    f"{PACKAGES}/numpy/__pycache__/version.cpython-311.pyc",
    "app/realtime/__pycache__/cores.cpython-311.pyc",
)
PATIENCE_S = 120
pytestmark = pytest.mark.timeout(3600)


@dataclass(frozen=True)
class Image:
    """What was printed when it was built, how it is configured, and its files by their paths."""

    printed: str
    config: dict[str, Any]
    files: dict[str, tarfile.TarInfo]
    texts: dict[str, str]


def make(*words: str) -> str:
    """What a make target prints."""
    done = subprocess.run(
        ["make", "--no-print-directory", *words], cwd=ROOT, capture_output=True, text=True, timeout=3000
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def script(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "deploy/image/image.sh", *words],
        env=os.environ | variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    base = []
    if os.geteuid() == 0:  # else debootstrap cannot, and it stands on the public image
        make("image-base")
        base = ["IMAGE_BASE=localhost/realtime-base"]
    try:
        printed = make("image", *base)
        yield _opened(printed, FOLDER / "realtime-cpu.tar.gz")
    finally:
        script("clean")


def _opened(printed: str, path: Path) -> Image:
    with gzip.open(path) as packed, tempfile.TemporaryFile() as whole:
        shutil.copyfileobj(packed, whole, 2**20)
        whole.seek(0)
        return _read(printed, whole)


def _read(printed: str, whole: IO[bytes]) -> Image:
    with tarfile.open(fileobj=whole) as archive:
        (manifest,) = json.load(_file(archive, "manifest.json"))
        config = json.load(_file(archive, manifest["Config"]))["config"]
        files, texts = {}, {}
        for each in manifest["Layers"]:
            with tarfile.open(fileobj=_file(archive, each)) as layer:
                for member in layer:
                    name = member.name.removeprefix("./")
                    files[name] = member
                    wanted = name in COMPILED or (name.startswith("etc/") and member.size < 50_000)
                    if member.isfile() and wanted:
                        texts[name] = _file(layer, member).read().decode("latin-1")
        return Image(printed, config, files, texts)


def _file(archive: tarfile.TarFile, name: str | tarfile.TarInfo) -> io.BufferedReader:
    found = archive.extractfile(name)
    assert found is not None
    return found  # type: ignore[return-value]


def test_it_is_small(image: Image) -> None:
    match = re.search(r"localhost/realtime:cpu: (\d+) MB, compressed (\d+) MB", image.printed)
    assert match is not None, image.printed
    assert int(match[1]) <= MOST_MB and int(match[2]) <= MOST_COMPRESSED_MB


def test_how_it_is_configured(image: Image) -> None:
    config = image.config
    assert config["User"] == f"{USER}:{USER}"
    assert config["Entrypoint"] == ["/usr/bin/tini", "-s", "--", "python", "-m", "realtime"]
    assert config["Cmd"] == ["serve"]
    assert config["Healthcheck"]["Test"] == ["CMD", "python", "/app/health.py"]
    assert config["Healthcheck"]["StartPeriod"] == 60 * 10**9
    assert config["StopSignal"] == "SIGTERM" and config["WorkingDir"] == "/app"
    assert config["ExposedPorts"] == {"8000/tcp": {}} and config["Volumes"] == {"/data": {}}
    environment = dict(each.split("=", 1) for each in config["Env"])
    assert environment["HOST"] == "0.0.0.0" and environment["LOG_FORMAT"] == "json"
    assert config["Labels"]["org.opencontainers.image.version"] == __version__


def test_only_what_it_needs_is_in_it(image: Image) -> None:
    names = image.files.keys()
    assert {f"{PACKAGES}/numpy/__init__.py", "app/web/index.html", "usr/bin/tini", "app/LICENSE"} <= names
    for unwanted in (
        r"(^|/)pip(/|$)",
        r"^usr/bin/(gcc|cc|c\+\+|make|curl)$",
        r"(^|/)\.cache(/|$)",
        r"^var/lib/apt/lists/.",
        r"^var/cache/apt/archives/.*\.deb$",
        r"^(tmp|run/secrets)/",
        r"^(lock|image)$",
        rf"^{PACKAGES}/(setuptools|numpy/.*/tests)(/|$)",
    ):
        assert not [name for name in names if re.search(unwanted, name) and image.files[name].isfile()]
    # Compiled for who may write nothing, to be believed without a look at the sources; and with its licences.
    assert f"{PACKAGES}/numpy/__pycache__/__init__.cpython-311.pyc" in names
    assert "app/realtime/__pycache__/config.cpython-311.pyc" in names
    unchecked = "\x01\0\0\0"
    assert [image.texts[name][4:8] for name in COMPILED] == [unchecked] * len(COMPILED)
    assert len([name for name in names if re.fullmatch(r"usr/share/doc/[^/]+/copyright", name)]) > 50
    installed = {
        name.split("/")[5] for name in names if re.match(rf"{PACKAGES}/[^/]+\.dist-info/METADATA", name)
    }
    assert len(installed) > 40


def test_the_server_can_change_nothing_of_it(image: Image) -> None:
    own = {name for name, member in image.files.items() if member.uid == USER}
    assert own == {"data", "run/realtime"}
    loose = {
        name
        for name, member in image.files.items()
        if member.mode & 0o002 and (member.isfile() or member.isdir()) and not member.mode & 0o1000
    }
    assert not loose


def test_nothing_of_the_machine_that_built_it_is_in_it(image: Image) -> None:
    """Mirrors, proxies and indexes are lent to the build."""
    assert not [name for name in image.texts if "pip.conf" in name]
    assert not any(image.texts.get(f"etc/{name}") for name in ("resolv.conf", "hostname"))
    apt = {name: text for name, text in image.texts.items() if name.startswith("etc/apt/")}
    assert not [name for name, text in apt.items() if re.search(r"Proxy|CAInfo|run/secrets", text)]
    hosts = {
        host for text in apt.values() for host in re.findall(r"^(?:deb|URIs:) \w+://([^/ ]+)", text, re.M)
    }
    assert hosts <= {"deb.debian.org"}
    assert not re.search(r"(?i)proxy|index-url|pip\.conf", json.dumps(image.config))


def test_make_image_say(image: Image, tmp_path: Path) -> None:
    """It starts the server as the image says, waits until its own healthcheck finds it well, and speaks."""
    out = tmp_path / "said.wav"
    assert "said inside the image" in make("image-say", f"TEXT={TEXT}", f"OUT={out}")
    sound, rate = soundfile.read(out, dtype="float32")
    assert 2 < len(sound) / rate < 5
    assert word_error_rate([TEXT], [transcribe(sound, rate)]) <= 0.12


def test_its_server_runs_as_it_should(image: Image) -> None:
    """As its user, under tini, with jemalloc in every process; it is well, and ends when it is told."""
    port = free_port()
    variables = {"ENV": f"PORT={port} HOST=127.0.0.1 DRAIN_S=0"}
    container = script("container").stdout.strip()
    server = subprocess.Popen(
        ["sh", "deploy/image/image.sh", "run", container],
        env=os.environ | variables,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert script("health", container, **variables).returncode == 1
        _until_ready(port, server)
        assert script("health", container, **variables).returncode == 0
        (tini,) = [
            each for each in psutil.Process(server.pid).children(recursive=True) if each.name() == "tini"
        ]
        (served,) = tini.children()
        engines = served.children(recursive=True)
        assert served.cmdline() == ["python", "-m", "realtime", "serve"] and len(engines) == 2
        for process in (tini, served, *engines):
            assert process.uids() == (USER, USER, USER)
            maps = Path(f"/proc/{process.pid}/maps").read_text()
            assert re.search(r"/usr/lib/\S+/libjemalloc\.so\.2", maps)
            assert process == tini or "/opt/venv/lib/python3.11/site-packages/" in maps
        page = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Accept": "text/html"})
        with _OPENER.open(page, timeout=10) as answer:
            assert b"<!doctype html>" in answer.read().lower()
        server.terminate()
        _, logged = server.communicate(timeout=PATIENCE_S)
        assert server.returncode == 0, logged
        events = [json.loads(line)["event"] for line in logged.splitlines() if line.startswith("{")]
        assert "ready" in events and events[-1] == "drained"
        assert not any(each.is_running() for each in (tini, served, *engines))
    finally:
        server.terminate()  # and not killed: it hands this on to what runs inside
        server.communicate(timeout=PATIENCE_S)
        script("remove", container)


_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _until_ready(port: int, server: subprocess.Popen[str]) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            with _OPENER.open(f"http://127.0.0.1:{port}/ready", timeout=1) as answer:
                if answer.status == 200:
                    return
        time.sleep(0.2)
    pytest.fail("the server in the image did not become ready")
