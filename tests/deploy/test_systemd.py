"""deploy/systemd/: what systemd itself says of the units, and a server that runs as they bind it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
import soundfile

from bench.server import free_port
from realtime.app.serving import CLOSE_SESSIONS_S, MOST_DESCRIPTORS
from realtime.config import Config, table
from tests.deploy.confined import settings_of

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy/systemd"
SERVER = UNITS / "realtime.service"
GPU = UNITS / "realtime.service.d/gpu.conf"
HOST = UNITS / "realtime-host.service"
#: Exposure by `systemd-analyze security`, from 0 to 10, that no unit may exceed: a little above what it was.
MOST_EXPOSED = {"realtime": 1.6, "realtime-gpu": 1.8, "realtime-host": 2.4}


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as they are installed, but for the folder of the checkout; the server's also with a GPU."""
    for name, units in (("cpu", (SERVER, HOST)), ("gpu", (SERVER,))):
        folder = tmp_path / name
        folder.mkdir()
        for unit in units:
            (folder / unit.name).write_text(unit.read_text().replace("/opt/realtime", str(ROOT)))
    shutil.copytree(GPU.parent, tmp_path / "gpu/realtime.service.d")
    return tmp_path


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments], capture_output=True, text=True, timeout=60
    )


def complaints(*units: Path) -> str:
    """What systemd does not like about them; of the units of this machine nothing."""
    done = analyze("verify", "--recursive-errors=no", *units)
    assert done.returncode == 0 or done.stderr
    return done.stderr


def test_systemd_has_nothing_to_say_of_the_units(installed: Path) -> None:
    server = installed / "cpu/realtime.service"
    assert complaints(server, installed / "cpu/realtime-host.service") == ""
    assert complaints(installed / "gpu/realtime.service") == ""
    # It would: of words that it does not know, and of programs that are not there.
    server.write_text(server.read_text().replace("ProtectSystem", "ProtectSytem"))
    assert "ProtectSytem" in complaints(server)
    assert "/opt/realtime/.venv/bin/python" in complaints(SERVER)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("realtime", "cpu/realtime.service"),
        ("realtime-gpu", "gpu/realtime.service"),
        ("realtime-host", "cpu/realtime-host.service"),
    ],
)
def test_the_units_stay_as_closed_as_they_are(installed: Path, name: str, unit: str) -> None:
    told = analyze("security", "--offline=true", installed / unit).stdout
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
    assert level is not None, told
    print(f"{name}: exposure {level[1]}")
    assert float(level[1]) <= MOST_EXPOSED[name], told


def test_what_the_unit_says_of_the_server_is_so() -> None:
    settings = settings_of([SERVER])
    assert float(settings["TimeoutStopSec"][0]) >= Config().drain_s + CLOSE_SESSIONS_S + 10
    assert int(settings["LimitNOFILE"][0]) == MOST_DESCRIPTORS
    known = {name for name, _, _ in table()}
    assert environment_of(SERVER).keys() <= known
    assert environment_of(GPU).keys() <= known | {"HF_HOME"}


def test_the_user_is_made_with_the_home_that_the_units_have(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", UNITS / "realtime.sysusers.conf"],
        check=True,
        capture_output=True,
    )
    users = dict(line.split(":", 1) for line in (tmp_path / "etc/passwd").read_text().splitlines())
    assert users["realtime"].split(":")[4] == environment_of(SERVER)["DATA_FOLDER"]
    assert settings_of([SERVER])["User"] == settings_of([SERVER])["Group"] == ["realtime"]


def test_the_commands_of_the_documentation_install_it(tmp_path: Path) -> None:
    """In a folder that stands for a machine; there systemd only enables, and starts nothing."""
    text = (ROOT / "docs/operations.md").read_text().split("## As a service of systemd")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines()]
    made, *others = commands
    assert made == "make -C /opt/realtime .venv/.installed"
    script = "\n".join(["set -e", *others])
    for said, here in (
        ("/opt/realtime", str(ROOT)),
        (" /etc/", f" {tmp_path}/etc/"),
        ("systemd-sysusers", f"systemd-sysusers --root={tmp_path}"),
        ("systemctl enable --now", f"systemctl --root={tmp_path} enable"),
    ):
        assert said in script
        script = script.replace(said, here)
    subprocess.run(["sh", "-c", script], check=True, capture_output=True)
    units = tmp_path / "etc/systemd/system"
    wanted = sorted(each.name for each in (units / "multi-user.target.wants").iterdir())
    assert wanted == ["realtime-host.service", "realtime.service"]
    assert (units / "realtime.service.d/gpu.conf").read_text() == GPU.read_text()
    assert "realtime:" in (tmp_path / "etc/passwd").read_text()


def environment_of(unit: Path) -> dict[str, str]:
    """What `Environment` of a unit sets."""
    pairs = (each.partition("=") for line in settings_of([unit])["Environment"] for each in line.split())
    return {name: value for name, _, value in pairs}


def confined(folder: Path, unit: Path, *command: str | Path) -> list[str]:
    """The command line for a command that is bound by a unit and may write to one folder."""
    namespaces = ["--mount"] if os.geteuid() == 0 else ["--mount", "--map-root-user"]
    program = [sys.executable, "-m", "tests.deploy.confined", folder, unit, "--", *command]
    return ["unshare", *namespaces, *map(str, program)]


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is bound by the unit."""

    process: psutil.Process
    url: str
    uds: Path


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[Running]:
    """It may write to the folder alone, which stands for those that systemd makes."""
    folder.mkdir()
    environment = {
        name: re.sub(r"/(var/lib|run)/realtime", str(folder), value)
        for name, value in environment_of(SERVER).items()
    }
    port = free_port()
    environment |= {"PORT": str(port), "TMPDIR": str(folder), "DRAIN_S": "0"} | settings
    command = confined(folder, SERVER, sys.executable, "-m", "realtime", "serve")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        begun = time.monotonic()
        while not is_ready(url):
            assert process.poll() is None and time.monotonic() < begun + 60, (folder / "log").read_text()
            time.sleep(0.05)
        # `unshare` and what binds have become the server: it is one process, which systemd may signal.
        yield Running(psutil.Process(process.pid), url, Path(environment["UDS"]))
        process.terminate()
        assert process.wait(30) == 0, (folder / "log").read_text()
    finally:
        process.kill()
        process.wait()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready").status_code == 200
    except httpx.TransportError:
        return False


def test_a_server_works_as_the_unit_binds_it(tmp_path: Path) -> None:
    """Over HTTP, over the socket file and over WebRTC, with the voice and with what it starts for others."""
    core = str(min(os.sched_getaffinity(0)))
    folder = tmp_path / "there"
    with running(folder, CPU_AFFINITY=core, ALLOCATOR="jemalloc") as server:
        for process in (server.process, *server.process.children(recursive=True)):
            status = Path(f"/proc/{process.pid}/status").read_text()
            assert re.search(r"^Seccomp:\t2$", status, re.MULTILINE)
            assert re.search(r"^NoNewPrivs:\t1$", status, re.MULTILINE)
            assert re.search(r"^CapBnd:\t0+$", status, re.MULTILINE)
            assert re.search(rf"^Cpus_allowed_list:\t{core}$", status, re.MULTILINE)
        for voice, text in (("heart", "Hello there."), ("espeak-de", "Guten Tag.")):
            request = {"input": text, "voice": voice, "response_format": "wav"}
            answer = httpx.post(f"{server.url}/v1/audio/speech", json=request, timeout=60)
            assert answer.status_code == 200 and len(answer.content) > 20_000
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(server.uds))) as http:
            assert http.get("http://localhost/ready").status_code == 200
        assert server.uds.stat().st_mode & 0o777 == 0o660
        heard = tmp_path / "heard.wav"
        subprocess.run(
            [sys.executable, "-m", "realtime", "say", "Over a track.", "--rtc", "--out", heard],
            env=os.environ | {"REALTIME_URL": server.url.replace("http", "ws")},
            check=True,
            timeout=120,
        )
        assert soundfile.info(heard).duration > 0.5
    assert "error" not in (folder / "log").read_text()


def test_what_is_bound_cannot_do_what_the_unit_forbids(tmp_path: Path) -> None:
    """The binding is real: the same commands without it do it."""
    folder, outside = tmp_path / "there", tmp_path / "outside"
    folder.mkdir()
    commands = [
        f"touch {outside}",
        f"chmod 666 {folder}/own && chown $(id -u) {folder}/own",
        f"{sys.executable} -c 'import socket; socket.socket(socket.AF_VSOCK)'",
    ]
    (folder / "own").touch()
    for command in commands[:2]:
        assert subprocess.run(["sh", "-c", command], capture_output=True).returncode == 0
    outside.unlink()
    for command in commands:
        done = subprocess.run(
            confined(folder, SERVER, "sh", "-c", command), cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode != 0
        assert re.search("Read-only file system|not permitted", done.stderr), done.stderr
    assert not outside.exists()


def test_the_steps_of_the_host_run_as_their_unit_binds_them(tmp_path: Path) -> None:
    pages = tmp_path / "sys/kernel/mm/transparent_hugepage"
    pages.mkdir(parents=True)
    for name in ("enabled", "defrag"):
        (pages / name).write_text("always [never]\n")
    here = {"SYSFS": str(tmp_path / "sys"), "STATE": str(tmp_path / "state")}
    for arguments, expected in ((["huge-pages"], "madvise"), (["--undo"], "never")):
        command = confined(tmp_path, HOST, ROOT / "deploy/host/all.sh", *arguments)
        subprocess.run(command, cwd=ROOT, env=os.environ | here, check=True, capture_output=True)
        assert (pages / "enabled").read_text() == f"{expected}\n"
