"""Machines that are not there: files under a folder that stands for `/`, and what programs would say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from realtime.doctor.finding import Check, Finding, Situation, findings_of
from realtime.doctor.machine import NOT_FOUND, Ended, Machine, Space
from realtime.doctor.settings import read_settings

GB = 1_000_000_000
#: Of a machine on which all is well.
GOOD_FILES = {
    "proc/meminfo": "MemTotal: 32000000 kB\nMemAvailable: 30000000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
    "proc/self/cgroup": "0::/\n",
    "proc/self/maps": "7f00-7f01 r-xp 00000000 08:01 1 /usr/lib/libc.so.6\n",
    "proc/sys/vm/swappiness": "60\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    "sys/kernel/mm/transparent_hugepage/defrag": "always defer defer+madvise [madvise] never\n",
    "sys/devices/system/cpu/online": "0-7\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
    "sys/devices/system/node/node0/cpulist": "0-7\n",
    "dev/shm/.keep": "",
}


def machine(
    root: Path,
    files: Mapping[str, str] | None = None,
    *,
    run: Callable[..., Ended] = lambda *arguments: Ended(NOT_FOUND),
    space: Callable[[Path], Space | None] = lambda folder: Space(100 * GB, 100 * GB),
    descriptors: tuple[int, int] = (1024, 1_048_576),
    cores: Sequence[int] = range(8),
    version: Callable[[str], str | None] | None = None,
    python: tuple[int, int, int] = (3, 11, 9),
) -> Machine:
    """A good one, but for what is given; a file of `files` that is empty is not there."""
    for name, text in {**GOOD_FILES, **(files or {})}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if not text and name in (files or {}):
            path.unlink()
    more = {} if version is None else {"version": version}
    return Machine(
        root,
        "linux",
        python,
        run=run,
        space=space,
        descriptors=lambda: descriptors,
        cores=lambda: frozenset(cores),
        **more,
    )


def look(
    check: Callable[[Situation], Sequence[Finding]], on: Machine | None = None, /, **settings: str
) -> list[Finding]:
    """What one check finds with these settings in the environment."""
    config, wrong = read_settings(settings)
    return findings_of(Check("", "checked", check), Situation(config, settings, wrong, on or Machine()))


def states(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """Names and states."""
    return [(each.name, each.state) for each in findings]


def only(findings: Sequence[Finding], name: str) -> Finding:
    """The one of this name."""
    (found,) = [each for each in findings if each.name == name]
    return found
