"""README.md: every command in it is run, and what it says about settings and packages is true."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import soundfile

from bench.server import ServerProcess
from realtime.config import table
from tests.cutting_proxy import Fault, cutting

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines() if line]
#: Run by .ci/run, of which this test is a part; and by test_make_run.
RUN_ELSEWHERE = {"make test", "make run"}
#: The last is for the tests, and holds the others.
LOCKS = (
    "requirements.lock",
    "requirements-japanese.lock",
    "requirements-qwen3.lock",
    "requirements-test.lock",
)


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """The server of the README, on another port."""
    with ServerProcess() as running:
        yield running


def test_commands_are_found() -> None:
    assert len(COMMANDS) >= 8 and RUN_ELSEWHERE < set(COMMANDS)
    assert "make test" in (ROOT / ".ci/run").read_text()


@pytest.mark.parametrize("command", [each for each in COMMANDS if each not in RUN_ELSEWHERE])
def test_command(server: ServerProcess, command: str, tmp_path: Path) -> None:
    """As it stands, but for the port; and without a sound device `say` may only say that there is none.

    For the same reason, what is piped into a player is decoded instead; and of a long file that is to be
    spoken the beginning will do.
    """
    decode = "| ffmpeg -loglevel error -i - -f null -"
    command = re.sub(r"\| ffplay .*", decode, command.replace(":8000", f":{server.port}"))
    if " say --file CHANGELOG.md" in command:
        beginning = tmp_path / "CHANGELOG.md"
        beginning.write_text((ROOT / "CHANGELOG.md").read_text()[:300])
        command = command.replace("CHANGELOG.md", str(beginning))
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env=os.environ | {"REALTIME_URL": f"ws://127.0.0.1:{server.port}"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    out = re.search(r"(?:OUT=|--out | -o )(\S+)", command)
    if out is None and "say" in command:
        assert done.returncode == 0 or "no sound device" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    if out is not None:
        written = ROOT / out.group(1)
        assert soundfile.info(written).duration > 0.5
        written.unlink()


def test_make_run(tmp_path: Path) -> None:
    """`make run` starts a server that becomes ready, and prints where to go."""
    from bench.server import free_port

    port = free_port()
    with subprocess.Popen(
        ["make", "--no-print-directory", "run"],
        env=os.environ | {"PORT": str(port), "LOG_LEVEL": "error"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        printed = _welcome(process)
        assert f"http://127.0.0.1:{port}" in printed and "make say" in printed
        out = tmp_path / "hello.wav"
        subprocess.run(
            ["make", "say", "TEXT=Hello there.", f"OUT={out}"],
            env=os.environ | {"REALTIME_URL": f"ws://127.0.0.1:{port}"},
            cwd=ROOT,
            check=True,
        )
        assert soundfile.info(out).duration > 0.5
        process.terminate()
        process.wait(20)


def test_python_recipe(server: ServerProcess) -> None:
    """It runs, and shows words that were heard and words that were not. The one for LLMs has its own test."""
    printed = _run_recipe(server, "context.cancel(played_ms=heard_ms)")
    heard = re.search(r"^heard: *(.*)$", printed, re.MULTILINE)
    rest = re.search(r"^not heard: *(.*)$", printed, re.MULTILINE)
    assert heard is not None and rest is not None
    assert heard.group(1).startswith("Well, let me think") and "moment" not in heard.group(1)
    assert rest.group(1)


def test_recipe_with_a_track(server: ServerProcess) -> None:
    """It hears itself, and knows what was heard without being told."""
    heard, rest = _run_recipe(server, 'audio="rtc"').splitlines()
    assert heard.startswith("heard:     A backend") and rest.endswith("Then the person interrupts.")


def test_recipe_with_lexicon_and_markup(server: ServerProcess) -> None:
    """It prints each segment as it is spoken."""
    printed = _run_recipe(server, "lexicon=").splitlines()
    assert printed[0] == "en We run sequel behind engine ex."
    assert len(printed) == 2 and "not alpha." in printed[1] and "A7K" not in printed[1]


def test_recipe_with_the_sdk_of_openai(server: ServerProcess, tmp_path: Path) -> None:
    printed = _run_recipe(server, "audio.speech", tmp_path)
    assert re.fullmatch(r"\d+ ms to the first sound\n", printed)
    assert soundfile.info(tmp_path / "speech.mp3").duration > 2


async def test_recipe_that_survives_a_cut(server: ServerProcess, tmp_path: Path) -> None:
    """By way of a network that is cut in the midst of the sound: the file is as without that."""
    written = tmp_path / "uncut.wav"

    async def lost_connections(port: int) -> str:
        url = f"ws://127.0.0.1:{port}"
        return await asyncio.to_thread(_run_recipe, server, written.name, tmp_path, REALTIME_URL=url)

    assert await lost_connections(server.port) == "connections lost: 0\n"
    sound = written.read_bytes()
    assert soundfile.info(written).duration > 4

    async with cutting(f"http://127.0.0.1:{server.port}", Fault(down=100_000)) as network:
        assert await lost_connections(urlsplit(network.url).port) == "connections lost: 1\n"
    assert written.read_bytes() == sound


def test_recipe_for_a_unix_socket(tmp_path: Path) -> None:
    """The server listens on nothing else."""
    path = tmp_path / "realtime.sock"
    environment = os.environ | {"UDS": str(path), "HOST": "none", "ENGINE": "tone", "LOG_LEVEL": "error"}
    with subprocess.Popen(
        [sys.executable, "-m", "realtime", "serve"],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        printed = _welcome(process)
        assert f"is ready at {path}" in printed
        (recipe,) = [block for kind, block in BLOCKS if kind == "python" and "uds=" in block]
        recipe = recipe.replace("/tmp/realtime.sock", str(path))
        subprocess.run([sys.executable, "-c", recipe], cwd=tmp_path, check=True, timeout=60)
        assert soundfile.info(tmp_path / "socket.wav").duration > 0.5
        process.terminate()
        assert process.wait(20) == 0
    assert not path.exists()


def _welcome(process: subprocess.Popen[str]) -> str:
    """What a server prints until it is ready."""
    assert process.stdout is not None
    printed = ""
    while "Ctrl-C" not in printed:
        line = process.stdout.readline()
        assert line, printed
        printed += line
    return printed


def _run_recipe(server: ServerProcess, mark: str, folder: Path = ROOT, **environment: str) -> str:
    """What the Python recipe prints that holds `mark`."""
    (recipe,) = [block for kind, block in BLOCKS if kind == "python" and mark in block]
    done = subprocess.run(
        [sys.executable, "-c", recipe.replace(":8000", f":{server.port}")],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_becomes_of_a_text() -> None:
    """The command prints what the README shows."""
    (command,) = [each for each in COMMANDS if " text " in each and "--stream" not in each]
    (shown,) = [block for kind, block in BLOCKS if kind == "text" and "cleaned" in block]
    printed = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert printed.stdout == shown, printed.stderr


def test_barge_in_on_the_command_line(server: ServerProcess, tmp_path: Path) -> None:
    """It prints what the README shows."""
    (command,) = [each for each in COMMANDS if "--interrupt-after" in each]
    (shown,) = [block for kind, block in BLOCKS if kind == "text" and block.startswith("heard:")]
    printed = subprocess.run(
        ["sh", "-c", command.replace("short.wav", str(tmp_path / "short.wav"))],
        env=os.environ | {"REALTIME_URL": f"ws://127.0.0.1:{server.port}"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert printed.stdout == shown, printed.stderr


def test_the_table_of_settings_is_that_of_the_code() -> None:
    rows = [f"| `{name}` | `{default}` | {meaning} |" for name, default, meaning in table()]
    assert "\n".join(rows) in README


def test_the_table_of_dependencies_is_complete() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    packages = project["dependencies"] + extras["japanese"] + extras["qwen3"]
    page = json.loads((ROOT / "package.json").read_text())
    names = {re.split(r"[<>=!~;\[ ]", each)[0] for each in packages}
    names |= page["dependencies"].keys() | page["devDependencies"].keys()
    section = README.split("## Dependencies")[1]
    listed = {
        name.split(" ")[0]
        for cell in re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)
        for name in cell.split(", ")
    }
    assert names <= listed


def test_locks_hold_versions_and_hashes_and_no_host() -> None:
    for name in LOCKS:
        lock = (ROOT / name).read_text()
        assert "://" not in lock and "--index" not in lock and "--find-links" not in lock
        pins = re.findall(r"^[\w.-]+==.*?(?=^[\w.-]+==|\Z)", lock, re.MULTILINE | re.DOTALL)
        assert len(pins) > 20 and all("--hash=sha256:" in pin for pin in pins)


def test_what_is_tested_is_what_is_installed_to_run() -> None:
    *others, tests = (
        set(re.findall(r"^[\w.-]+==[^\\\n]+", (ROOT / name).read_text(), re.MULTILINE)) for name in LOCKS
    )
    for pins in others:
        assert pins <= tests
    # Which build of torch it is does not count.
    (torch,) = (ROOT / "requirements-torch.txt").read_text().split()
    assert torch == f"torch=={importlib.metadata.version('torch').split('+')[0]}"
    assert not any(pin.startswith(("torch==", "nvidia")) for pin in tests)
