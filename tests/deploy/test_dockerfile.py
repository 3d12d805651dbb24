"""The Dockerfile and its steps, without building it: tests/deploy/test_image.py does that."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STEPS = ROOT / "deploy/image"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
TARGETS = ("cpu", "gpu")


def stage(name: str) -> str:
    """The lines of one stage."""
    return DOCKERFILE.split(f" AS {name}\n")[1].split("\nFROM ")[0]


def test_hadolint_and_shellcheck_have_nothing_to_say() -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    checks = (
        [hadolint, "--failure-threshold", "ignore", "Dockerfile"],
        ["shellcheck", *STEPS.glob("*.sh")],
    )
    for command in checks:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_would_have_something_to_say(tmp_path: Path) -> None:
    worse = tmp_path / "Dockerfile"
    worse.write_text(
        DOCKERFILE.replace("debian:bookworm-slim", "debian").replace("WORKDIR /app", "WORKDIR app")
    )
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, worse], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and "DL3000" in done.stdout


@pytest.mark.parametrize("target", TARGETS)
def test_what_both_targets_promise(target: str) -> None:
    lines = stage(target)
    assert re.search(r"^USER 10001:10001$", lines, re.MULTILINE)
    assert json.loads(re.findall(r"^ENTRYPOINT (.*)$", lines, re.MULTILINE)[0])[0] == "/usr/bin/tini"
    assert re.findall(r"^CMD (.*)$", lines, re.MULTILINE) == ['["serve"]']
    assert re.search(r"^HEALTHCHECK .* CMD \[\"python\", \"/app/health.py\"\]$", lines, re.MULTILINE)
    assert re.search(r"^STOPSIGNAL SIGTERM$", lines, re.MULTILINE)
    assert "LD_PRELOAD=libjemalloc.so.2" in lines and "MALLOC_CONF=background_thread:true" in lines
    # Packages come before the code, which changes more often.
    assert lines.index("/opt/venv /opt/venv") < lines.index("COPY web") < lines.index("COPY realtime")
    # No secret, and nothing of the machine that builds.
    assert not re.search(r"^(ENV|ARG|LABEL).*(proxy|index|mirror|pip)", lines, re.MULTILINE | re.IGNORECASE)


def test_the_number_of_the_user_is_that_of_the_folders() -> None:
    script = (STEPS / "user.sh").read_text()
    assert "--uid 10001" in script and "--gid 10001" in script


def test_bases_are_arguments_and_both_of_one_cuda() -> None:
    assert re.search(r"^ARG BASE=debian:bookworm-slim$", DOCKERFILE, re.MULTILINE)
    builds, runs = re.findall(
        r"^ARG CUDA_\w+=nvidia/cuda:([\d.]+)-\w+-ubuntu24.04$", DOCKERFILE, re.MULTILINE
    )
    assert builds == runs
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {
        "${BASE}",
        "${CUDA_BUILD}",
        "${CUDA_RUN}",
    }


def test_every_step_is_there_and_every_script_is_a_step() -> None:
    used = set(re.findall(r"sh /image/([\w-]+\.sh)", DOCKERFILE))
    assert used == {path.name for path in STEPS.glob("*.sh")} - {"image.sh"}


def test_a_build_sees_what_it_copies_and_no_more() -> None:
    allowed = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    sources = set(re.findall(r"source=([\w./-]+),", DOCKERFILE))
    for words in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE):
        sources |= set(words.split())
    assert sources - {"deploy/image/health.py"} == allowed
    assert all((ROOT / source).exists() for source in sources)


@pytest.mark.parametrize("name", ["build", "flash-attn"])
def test_locks_of_the_build_hold_hashes_and_no_host(name: str) -> None:
    lock = (STEPS / f"{name}.lock").read_text()
    assert "://" not in lock and "--index" not in lock
    pins = re.findall(r"^([\w.-]+)==.*?(?=^[\w.-]+==|\Z)", lock, re.MULTILINE | re.DOTALL)
    wanted = [
        re.split("[=<>]", line)[0]
        for line in (STEPS / f"{name}.in").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert pins == wanted
    assert len(re.findall(r"^[\w.-]+==[^\n]*\\\n    --hash=sha256:", lock, re.MULTILINE)) == len(pins)


@pytest.mark.timeout(900)
def test_flash_attn_is_built_from_its_pinned_source(tmp_path: Path) -> None:
    """All of that step but the compiler of CUDA: a switch of its own setup.py leaves the kernels out."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    python = venv / "bin/python"
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(
        subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()
    )
    # Torch, pip, and the tools that the tests have anyway.
    (packages / "tests.pth").write_text(sysconfig.get_path("purelib"))
    for step in (["torch.sh", str(venv), "requirements-torch.txt"], ["flash-attn.sh", str(venv)]):
        done = subprocess.run(
            ["sh", STEPS / step[0], *step[1:]],
            env=_environment(FLASH_ATTENTION_SKIP_CUDA_BUILD="TRUE"),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=800,
        )
        assert done.returncode == 0, done.stderr
    (pinned,) = re.findall(r"^flash-attn==(\S+)", (STEPS / "flash-attn.lock").read_text(), re.MULTILINE)
    assert (packages / f"flash_attn-{pinned}.dist-info").is_dir() and (packages / "einops").is_dir()
    wheel = (packages / f"flash_attn-{pinned}.dist-info/WHEEL").read_text()
    assert "py3-none-any" in wheel, "made here: what its releases offer is for one platform"


def test_flash_attn_is_left_out_when_it_is_not_wanted(tmp_path: Path) -> None:
    def step(wanted: str) -> subprocess.CompletedProcess[str]:
        command = ["sh", STEPS / "flash-attn.sh", tmp_path / "nowhere"]
        return subprocess.run(command, env=_environment(FLASH_ATTN=wanted), capture_output=True, text=True)

    assert step("0").returncode == 0
    refused = step("no")
    assert (refused.returncode, refused.stderr) == (2, "FLASH_ATTN must be 1 or 0, not 'no'\n")


def _environment(**more: str) -> dict[str, str]:
    return os.environ | more
