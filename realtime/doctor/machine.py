"""The machine as checks see it: its files under /proc, /sys and /dev, its programs, packages and limits.

Tests fill in another one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path

GB = 1_000_000_000
MB = 1_000_000
#: The program was not found, as shells have it; and it took too long, as `timeout` has it.
NOT_FOUND, TOO_LONG = 127, 124


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that has ended, with what it wrote. A negative code is the signal that ended it."""

    code: int
    output: str = ""
    errors: str = ""


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes of a file system, and those that this user may still write."""

    total: int
    free: int


def _installed(package: str) -> str | None:
    try:
        return version_of(package)
    except PackageNotFoundError:
        return None


def _run(command: Sequence[str], timeout_s: float, environment: Mapping[str, str] | None = None) -> Ended:
    program = shutil.which(command[0])
    if program is None:
        return Ended(NOT_FOUND)
    try:
        done = subprocess.run(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return Ended(TOO_LONG)
    except OSError as error:
        return Ended(NOT_FOUND, errors=error.strerror or str(error))
    return Ended(done.returncode, done.stdout, done.stderr)


def _space(folder: Path) -> Space | None:
    """Of the file system that a folder is in, or will be in; None where there is none."""
    try:
        usage = shutil.disk_usage(existing(folder))
    except OSError:
        return None
    return Space(usage.total, usage.free)


def _descriptors() -> tuple[int, int]:
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)


def _cores() -> frozenset[int]:
    if sys.platform == "linux":
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class Machine:
    """`root`: where /proc, /sys and /dev are. `version` of an installed package, None where there is none.

    `run` a program. `space` of a folder's file system. `descriptors`: the soft and the hard limit of open
    files, -1 for none. `cores` that this process may use.
    """

    root: Path = Path("/")
    system: str = sys.platform
    python: tuple[int, int, int] = sys.version_info[:3]
    version: Callable[[str], str | None] = _installed
    run: Callable[..., Ended] = _run
    space: Callable[[Path], Space | None] = _space
    descriptors: Callable[[], tuple[int, int]] = _descriptors
    cores: Callable[[], frozenset[int]] = _cores

    def text(self, path: str) -> str | None:
        """What is in a file of the system, without space around it; None where it cannot be read."""
        try:
            return (self.root / path.lstrip("/")).read_text("utf-8", "replace").strip()
        except OSError:
            return None

    def number(self, path: str) -> int | None:
        """The whole number in a file; None where there is none, or where it stands for no limit."""
        text = self.text(path) or ""
        return int(text) if text.isdecimal() and int(text) < 1 << 60 else None

    def has(self, path: str) -> bool:
        """Whether there is such a file."""
        return (self.root / path.lstrip("/")).exists()

    def paths(self, folder: str, pattern: str) -> list[str]:
        """Files and folders in a folder of the system, by a pattern."""
        inside = self.root / folder.lstrip("/")
        return sorted("/" + str(path.relative_to(self.root)) for path in inside.glob(pattern))

    def run_module(
        self, module: str, arguments: Sequence[str], timeout_s: float, environment: Mapping[str, str]
    ) -> Ended:
        """A module of ours, in a process of its own: it may crash, hang, or take memory."""
        path = os.pathsep.join(each or os.getcwd() for each in sys.path)
        # Not what lies in the current folder: that is no module of ours.
        command = [sys.executable, "-P", "-m", module, *arguments]
        return self.run(command, timeout_s, {**environment, "PYTHONPATH": path})


def existing(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    absolute = path.absolute()
    return next((each for each in (absolute, *absolute.parents) if each.exists()), absolute)


def size(number: float) -> str:
    """Bytes for people."""
    return f"{number / GB:.1f} GB" if number >= GB else f"{number / MB:.0f} MB"
