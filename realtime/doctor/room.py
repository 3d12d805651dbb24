"""Room: memory, shared memory, disk, open files."""

from __future__ import annotations

import os
from pathlib import Path

from realtime.config import Config
from realtime.doctor.finding import Finding, Situation, State
from realtime.doctor.machine import GB, MB, Machine, existing, size

#: Memory that a server takes when it is idle, about: both voices of `embedded`, and `qwen3` on the host.
_IDLE = {"embedded": 345 * MB, "tone": 100 * MB, "qwen3": 3 * GB}
#: Whole files of all clients together.
_FILES = 256 * MB
#: Free space in which recordings of voices, and what is made of them, can grow.
_DISK = GB
#: Open files besides those of sessions and requests.
_OTHER_FILES = 128
#: Connections of WebRTC have a socket for each address of this machine, and perhaps one of a relay.
_RTC_SOCKETS = 4
_SHM = "/dev/shm"


def memory(situation: Situation) -> list[Finding]:
    """Of the machine, and what a container may use of it."""
    machine, config = situation.machine, situation.config
    told = _meminfo(machine)
    if "MemAvailable" not in told:
        return [Finding("memory", "info", f"{machine.system} does not tell in /proc/meminfo")]
    available, limit = told["MemAvailable"], memory_limit(machine)
    room = available if limit is None else min(available, limit)
    need = _IDLE[config.engine] + config.audio_cache_mb * 2**20 + _FILES
    of = f"{size(available)} of {size(told['MemTotal'])} are available"
    of += "" if limit is None else f", a cgroup allows {size(limit)}"
    found = f"{of}; the server may take some {size(need)} (idle, the cache of sound, whole files)"
    remedy = "give it more memory, or set a smaller AUDIO_CACHE_MB"
    if config.engine == "qwen3":
        found += ", without the model"
    state: State = "fail" if room < need else "warn" if room < 1.5 * need else "ok"
    return [Finding("memory", state, found, "" if state == "ok" else remedy), *_swap(machine, told)]


def _swap(machine: Machine, told: dict[str, int]) -> list[Finding]:
    total, free = told.get("SwapTotal", 0), told.get("SwapFree", 0)
    if total == 0:
        return [Finding("swap", "ok", "there is none")]
    used, eager = total - free, machine.number("/proc/sys/vm/swappiness")
    found = f"{size(used)} of {size(total)} are used; swappiness is {eager}"
    if used > total // 10:
        remedy = "what is swapped out makes gaps in sound: free memory, or MemorySwapMax=0 in the unit"
        return [Finding("swap", "warn", found, remedy)]
    return [Finding("swap", "ok", found)]


def _meminfo(machine: Machine) -> dict[str, int]:
    """Bytes by name."""
    rows = (line.partition(":") for line in (machine.text("/proc/meminfo") or "").splitlines())
    return {name: int(rest.split()[0]) * 1024 for name, _, rest in rows if rest.split()[:1]}


def cgroup_files(machine: Machine, controller: str, name: str, old_name: str) -> list[str]:
    """Files of the cgroups that this process is in, its own first: by version 2, and by version 1."""
    found = []
    for line in (machine.text("/proc/self/cgroup") or "").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        base = f"/sys/fs/cgroup/{controller}" if controllers else "/sys/fs/cgroup"
        file = old_name if controllers else name
        # In a container the path may be one of the host, and what is seen begins at the container's own.
        parts = Path(path.lstrip("/"))
        found += [f"{base}/{above}/{file}" for above in (parts, *parts.parents)]
    return found


def memory_limit(machine: Machine) -> int | None:
    """The least that a cgroup allows; None where none limits it."""
    files = cgroup_files(machine, "memory", "memory.max", "memory.limit_in_bytes")
    return min((found for each in files if (found := machine.number(each)) is not None), default=None)


def shared_memory(situation: Situation) -> list[Finding]:
    """Room for the sound between the server and its engine processes; containers have 64 MB by default."""
    from realtime.engines.wire import SHARED_BYTES

    machine = situation.machine
    count = engine_processes(situation.config)
    if not count:
        return [Finding("shared memory", "ok", "none is needed: the engine runs in the server's process")]
    if not machine.has(_SHM):
        return [Finding("shared memory", "info", f"there is no {_SHM}: a temporary file does instead")]
    space = machine.space(machine.root / _SHM.lstrip("/"))
    if space is None:
        return [Finding("shared memory", "warn", f"the size of {_SHM} cannot be told")]
    need = count * SHARED_BYTES
    found = f"{size(space.free)} of {size(space.total)} are free in {_SHM}; engine processes: {count}, which"
    found += f" share {size(need)} with the server"
    if space.free < need:
        remedy = "docker run --shm-size=256m (shm_size in a compose file), or --ipc=host"
        return [Finding("shared memory", "fail", found, remedy)]
    return [Finding("shared memory", "ok", found)]


def engine_processes(config: Config) -> int:
    """How many processes of engines there may be."""
    from realtime.app.building import SINGLE_THREADED
    from realtime.voices.catalogue import is_installed, voices_of

    names = {voice.engine for voice in voices_of(config.engine) if is_installed(voice)} or {config.engine}
    return sum(config.engine_runner == "process" or name in SINGLE_THREADED for name in names)


def data_folder(situation: Situation) -> list[Finding]:
    """Whether cloned voices can be kept."""
    from realtime.errors import ConfigError
    from realtime.paths import expanded

    config = situation.config
    try:
        folder = expanded(config.data_folder, "DATA_FOLDER")
    except ConfigError as error:
        return [Finding("DATA_FOLDER", "fail", error.message)]
    there = existing(folder)
    remedy = "set DATA_FOLDER to a folder that the server's user may write to"
    if not there.is_dir():
        return [Finding("DATA_FOLDER", "fail", f"{there} is no folder", remedy)]
    if not os.access(there, os.W_OK | os.X_OK):
        # Engines that do not clone keep nothing there.
        state: State = "fail" if config.engine == "qwen3" else "warn"
        return [Finding("DATA_FOLDER", state, f"{there} cannot be written to", remedy)]
    space = situation.machine.space(there)
    if space is None:
        return [Finding("DATA_FOLDER", "warn", f"the room in {there} cannot be told")]
    found = f"{size(space.free)} are free for {folder}" + ("" if folder.exists() else ", which will be made")
    if space.free < _DISK:
        return [Finding("DATA_FOLDER", "warn", found, "free some space, or set DATA_FOLDER to another disk")]
    return [Finding("DATA_FOLDER", "ok", found)]


def open_files(situation: Situation) -> list[Finding]:
    """Whether as many sessions as are allowed can be connected."""
    from realtime.app.serving import MOST_DESCRIPTORS

    config = situation.config
    hard = situation.machine.descriptors()[1]
    most = MOST_DESCRIPTORS if hard < 0 else min(hard, MOST_DESCRIPTORS)
    least = config.max_sessions + _OTHER_FILES
    each = 1 + (_RTC_SOCKETS if config.rtc else 0)
    full = config.max_sessions * each + config.max_queue_depth + _OTHER_FILES
    tracks = ", each with a WebRTC track" if config.rtc else ""
    found = f"the server takes {most}; {config.max_sessions} sessions{tracks} and requests need {full}"
    if most >= full:
        return [Finding("open files", "ok", found)]
    remedy = (
        "LimitNOFILE=65536 in the unit, --ulimit nofile=65536 for Docker, ulimit -n; or fewer MAX_SESSIONS"
    )
    return [Finding("open files", "fail" if most < least else "warn", found, remedy)]
