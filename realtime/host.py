"""What the host gives this process, as the settings say: its cores, and what gives out its memory.

`prepare` is for before all that makes threads is imported; so nothing of weight is imported here.
"""

from __future__ import annotations

import ctypes.util
import os
import sys
import sysconfig
from pathlib import Path

from realtime import cores
from realtime.config import Config
from realtime.errors import ConfigError

#: Memory that was given back goes to the system after a second, by a thread that does nothing else.
MALLOC_CONF = "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0"
_LIBRARY = "libjemalloc.so.2"
_FOLDERS = ("/usr/lib/{multiarch}", "/usr/local/lib", "/usr/lib64", "/usr/lib")
#: What other libraries that give out memory are called where a process tells what it has loaded.
_ALLOCATORS = ("jemalloc", "tcmalloc", "mimalloc")


def prepare(config: Config) -> None:
    """Go by CPU_AFFINITY and ALLOCATOR; for the latter this program may begin anew. Raises `ConfigError`."""
    if config.allocator == "jemalloc":
        _start_with_jemalloc()
    for name, wanted in (
        ("CPU_AFFINITY", config.cpu_affinity),
        ("ENGINE_CPU_AFFINITY", config.engine_cpu_affinity),
    ):
        if wanted is not None:
            _check(name, wanted)
    if config.cpu_affinity is not None:
        try:
            cores.stay_on(config.cpu_affinity)
        except OSError as error:
            raise ConfigError(f"CPU_AFFINITY: the system refuses: {error.strerror}") from None


def in_force(config: Config) -> dict[str, str]:
    """What a process has in fact, for the log: its allocator, its cores and those of its engine."""
    if not cores.CAN_CHOOSE:
        return {"allocator": allocator()}
    own = cores.written(frozenset(os.sched_getaffinity(0)))
    engine = config.engine_cpu_affinity if config.engine_has_processes else None
    return {
        "allocator": allocator(),
        "cores": own,
        "engine_cores": own if engine is None else cores.written(engine),
    }


def allocator() -> str:
    """What gives out the memory of this process: `system`, or the name of a library that does it instead."""
    try:
        loaded = Path("/proc/self/maps").read_text()
    except OSError:
        return "system"
    return next((name for name in _ALLOCATORS if f"/lib{name}" in loaded), "system")


def find_jemalloc() -> str | None:
    """Where its library is, or what the system finds it by."""
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    for folder in _FOLDERS:
        path = Path(folder.format(multiarch=multiarch), _LIBRARY)
        if path.is_file():
            return str(path)
    return ctypes.util.find_library("jemalloc")


def _check(name: str, wanted: frozenset[int]) -> None:
    """Raises `ConfigError` for what this process may not run on."""
    if not cores.CAN_CHOOSE:
        raise ConfigError(f"{name} must be `none`: this system does not let a process choose its cores")
    usable = frozenset(os.sched_getaffinity(0))
    if not wanted <= usable:
        missing = cores.written(wanted - usable)
        raise ConfigError(
            f"{name} must be cores of {cores.written(usable)}, which this process may use, not {missing}"
        )


def _start_with_jemalloc() -> None:
    """Begin this program anew in this same process, with the library; not in one that has it."""
    if allocator() == "jemalloc":
        return
    if sys.platform != "linux":
        raise ConfigError("ALLOCATOR must be `system`: jemalloc can be preloaded on Linux alone")
    preloaded = os.environ.get("LD_PRELOAD", "")
    if "jemalloc" in preloaded:  # without this it would begin anew for ever
        raise ConfigError(f"ALLOCATOR is `jemalloc`, but the system does not load LD_PRELOAD={preloaded}")
    library = find_jemalloc()
    if library is None:
        raise ConfigError(
            "ALLOCATOR is `jemalloc`, which is not installed (Debian: libjemalloc2; Fedora: jemalloc)"
        )
    os.environ["LD_PRELOAD"] = ":".join(filter(None, (library, preloaded)))
    os.environ.setdefault("MALLOC_CONF", MALLOC_CONF)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
