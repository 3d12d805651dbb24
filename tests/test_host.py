"""CPU_AFFINITY, ENGINE_CPU_AFFINITY and ALLOCATOR: what the kernel says of real servers and their engines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.server import ServerProcess
from realtime import host
from realtime.app.building import MOST_ENGINE_THREADS, make_engine
from realtime.config import Config
from realtime.cores import parse_cpulist, usable_cores, written
from realtime.errors import ConfigError

USABLE = frozenset(os.sched_getaffinity(0))
FIRST, LAST = min(USABLE), max(USABLE)
#: A core that no machine of today has.
MISSING = 4095
#: The environment without what a test beside this one, or an image, has preloaded.
TONE = {"ENGINE": "tone", "LOG_LEVEL": "info", "LOG_FORMAT": "json", "LD_PRELOAD": "", "MALLOC_CONF": ""}


def cores_of(pid: int) -> set[frozenset[int]]:
    """Those that the threads of a process may use, by the kernel."""
    found = set()
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        (line,) = (each for each in status.read_text().splitlines() if each.startswith("Cpus_allowed_list"))
        found.add(parse_cpulist(line.partition(":")[2]))
    return found


def engine_of(server: ServerProcess) -> psutil.Process:
    """The process of its engine."""
    (child,) = psutil.Process(server.process.pid).children()
    return child


def has_jemalloc(pid: int) -> bool:
    return "libjemalloc" in Path(f"/proc/{pid}/maps").read_text()


def told(log: Path) -> dict[str, Any]:
    """What a server has logged of its host."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    (found,) = (line for line in lines if line["event"] == "host")
    return found


@pytest.fixture(scope="module")
def preloaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[ServerProcess, Path]]]:
    """By ALLOCATOR: servers with jemalloc preloaded as in the image, each told a core, and their logs."""
    folder = tmp_path_factory.mktemp("logs")
    library = host.find_jemalloc()
    assert library is not None
    settings = TONE | {"LD_PRELOAD": library, "MALLOC_CONF": "narenas:2"}
    cores = {"jemalloc": {"CPU_AFFINITY": str(LAST)}, "system": {"ENGINE_CPU_AFFINITY": str(FIRST)}}
    with ExitStack() as stack:
        yield {
            name: (
                stack.enter_context(ServerProcess(folder / name, **settings, ALLOCATOR=name, **named)),
                folder / name,
            )
            for name, named in cores.items()
        }


def until(true: Callable[[], bool]) -> None:
    """Wait for it, 30 s at most."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() < begun + 30
        time.sleep(0.02)


def refusal(**settings: str) -> str:
    """The one line with which a server does not start."""
    done = subprocess.run(
        [sys.executable, "-m", "realtime", "serve"],
        env=os.environ | TONE | settings,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    return line


def test_server_and_engine_have_cores_of_their_own_after_a_restart_as_well(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with ServerProcess(log, **TONE, CPU_AFFINITY=str(FIRST), ENGINE_CPU_AFFINITY=str(LAST)) as server:
        engine = engine_of(server)
        assert cores_of(server.process.pid) == {frozenset({FIRST})}
        assert cores_of(engine.pid) == {frozenset({LAST})}
        engine.kill()
        until(lambda: [each.pid for each in psutil.Process(server.process.pid).children()] != [engine.pid])
        until(server._is_ready)
        assert engine_of(server).pid != engine.pid
        assert cores_of(engine_of(server).pid) == {frozenset({LAST})}
        assert cores_of(server.process.pid) == {frozenset({FIRST})}
    said = told(log)
    assert (said["cores"], said["engine_cores"]) == (str(FIRST), str(LAST))
    assert said["allocator"] == "system" and not said.get("malloc_conf")


def test_the_engine_is_where_the_server_is_unless_told_otherwise(
    preloaded: dict[str, tuple[ServerProcess, Path]],
) -> None:
    server, _ = preloaded["jemalloc"]
    assert cores_of(server.process.pid) == cores_of(engine_of(server).pid) == {frozenset({LAST})}
    server, _ = preloaded["system"]
    assert cores_of(server.process.pid) == {USABLE}
    assert cores_of(engine_of(server).pid) == {frozenset({FIRST})}


def test_cores_that_may_not_be_used_are_refused() -> None:
    own = written(USABLE)
    for name in ("CPU_AFFINITY", "ENGINE_CPU_AFFINITY"):
        expected = f"realtime: {name} must be cores of {own}, which this process may use, not {MISSING}"
        assert refusal(**{name: f"{FIRST},{MISSING}"}) == expected


def test_where_the_system_has_no_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.cores, "CAN_CHOOSE", False)
    for name in ("CPU_AFFINITY", "ENGINE_CPU_AFFINITY"):
        with pytest.raises(ConfigError, match=f"^{name} must be `none`: this system does not let"):
            host.prepare(Config(**{name.lower(): USABLE}))
    host.prepare(Config())
    assert list(host.in_force(Config())) == ["allocator"]


def test_jemalloc_is_in_the_server_and_its_engine(tmp_path: Path) -> None:
    """They are one process from beginning to end, so that whoever started it may signal it."""
    log = tmp_path / "log"
    environment = {key: value for key, value in TONE.items() if key not in ("LD_PRELOAD", "MALLOC_CONF")}
    with ServerProcess(log, **environment, ALLOCATOR="jemalloc", CPU_AFFINITY=str(FIRST)) as server:
        engine = engine_of(server)
        for process in (psutil.Process(server.process.pid), engine):
            assert has_jemalloc(process.pid)
            assert process.environ()["MALLOC_CONF"] == host.MALLOC_CONF
            assert cores_of(process.pid) == {frozenset({FIRST})}  # the allocator's own thread as well
        assert process.environ()["LD_PRELOAD"] == host.find_jemalloc()
    assert told(log)["allocator"] == "jemalloc"
    assert server.process.returncode == 0


def test_what_was_preloaded_already_stays_as_it_is(preloaded: dict[str, tuple[ServerProcess, Path]]) -> None:
    """As in the image: whatever the setting, the program does not begin anew, and MALLOC_CONF stays."""
    expected = {"LD_PRELOAD": host.find_jemalloc(), "MALLOC_CONF": "narenas:2"}
    for server, log in preloaded.values():
        process = psutil.Process(server.process.pid)
        assert has_jemalloc(process.pid) and has_jemalloc(engine_of(server).pid)
        assert {key: process.environ()[key] for key in expected} == expected
        assert told(log)["allocator"] == "jemalloc"


def test_another_library_that_is_preloaded_stays_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda path, arguments: begun.append([path, *arguments]))
    monkeypatch.setattr(host, "allocator", lambda: "system")
    monkeypatch.setattr(host, "find_jemalloc", lambda: "/there/libjemalloc.so.2")
    monkeypatch.setattr(sys, "orig_argv", ["python", "-P", "-m", "realtime", "serve"])
    monkeypatch.setenv("LD_PRELOAD", "libother.so")
    monkeypatch.setenv("MALLOC_CONF", "narenas:1")
    host.prepare(Config(allocator="jemalloc"))
    assert begun == [[sys.executable, sys.executable, "-P", "-m", "realtime", "serve"]]
    assert os.environ["LD_PRELOAD"] == "/there/libjemalloc.so.2:libother.so"
    assert os.environ["MALLOC_CONF"] == "narenas:1"


def test_jemalloc_that_is_not_there_is_refused_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_FOLDERS", ("/nowhere",))
    monkeypatch.setattr(host.ctypes.util, "find_library", lambda name: None)
    monkeypatch.setattr(host, "allocator", lambda: "system")
    monkeypatch.delenv("LD_PRELOAD", raising=False)
    with pytest.raises(ConfigError, match="Debian: libjemalloc2"):
        host.prepare(Config(allocator="jemalloc"))


def test_a_preload_that_the_system_does_not_load_is_refused_and_not_tried_for_ever() -> None:
    """The loader itself says that it cannot, for every program; so the last line is ours."""
    done = subprocess.run(
        [sys.executable, "-m", "realtime", "serve"],
        env=os.environ | TONE | {"ALLOCATOR": "jemalloc", "LD_PRELOAD": "/nowhere/libjemalloc.so.2"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "realtime: ALLOCATOR is `jemalloc`, but the system does not load LD_PRELOAD=/nowhere/libjemalloc.so.2"
    )


def threads_of(**settings: Any) -> int:
    """Of the engine that such settings make."""
    engine = make_engine(Config(engine="tone", **settings))
    return int(engine._threads)  # type: ignore[attr-defined]


def test_threads_of_the_engine_are_counted_by_its_cores() -> None:
    usual = threads_of()
    assert usual == min(MOST_ENGINE_THREADS, max(min(2, usable_cores()), usable_cores() - 1))
    many = frozenset(range(100, 110))
    assert threads_of(engine_cpu_affinity=frozenset({100})) == 1
    assert threads_of(engine_cpu_affinity=frozenset({100, 101})) == 2
    assert threads_of(engine_cpu_affinity=frozenset({100, 101, 102})) == 2
    assert threads_of(engine_cpu_affinity=many) == MOST_ENGINE_THREADS
    # Nobody else is on them: none is left free.
    apart = {"cpu_affinity": frozenset({0})}
    assert threads_of(engine_cpu_affinity=frozenset({100, 101, 102}), **apart) == 3
    assert threads_of(engine_cpu_affinity=frozenset({0, 101, 102}), **apart) == 2
    assert threads_of(engine_cpu_affinity=many, engine_threads=7) == 7
