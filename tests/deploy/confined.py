"""`python -m tests.deploy.confined FOLDER UNIT... -- COMMAND`: run a command as systemd would, by its units.

For tests: there is no systemd that runs services where they run. What is taken of the units is what may
break a server: system calls, families of sockets, memory that is written and run, capabilities, limits, the
mask of new files, and a file system that is read-only but for FOLDER. To be started by `unshare --mount`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000 | errno.EPERM
_EQUAL, _MASKED_EQUAL = 4, 7
_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
_WRITE, _EXEC, _SHM_EXEC = 2, 4, 0o100000
_FAMILIES = 46


class _Compared(ctypes.Structure):
    """`struct scmp_arg_cmp`."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("how", ctypes.c_int),
        ("one", ctypes.c_uint64),
        ("two", ctypes.c_uint64),
    )


def settings_of(units: list[Path]) -> dict[str, list[str]]:
    """What units and their drop-ins say in `[Service]`, all values of a name in their order."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    section = ""
    for unit in units:
        for line in unit.read_text().splitlines():
            if line.startswith("["):
                section = line
            elif section == "[Service]" and line and not line.startswith("#"):
                name, _, value = line.partition("=")
                found[name].append(value)
    return found


def system_calls(filters: list[str]) -> set[str]:
    """Names that `SystemCallFilter` allows; what `@default` has is always allowed."""
    listing = subprocess.run(
        ["systemd-analyze", "--no-pager", "syscall-filter"], check=True, capture_output=True, text=True
    ).stdout
    groups: defaultdict[str, list[str]] = defaultdict(list)
    group = ""
    for line in listing.splitlines():
        if line.startswith("@"):
            group = line.strip()
        elif line.startswith("    ") and "#" not in line:
            groups[group].append(line.strip())

    def members(name: str) -> Iterator[str]:
        if not name.startswith("@"):
            yield name
        for each in groups[name]:
            yield from members(each)

    allowed: set[str] = set()
    for line in filters:
        named = {call for name in line.removeprefix("~").split() for call in members(name)}
        allowed = allowed - named if line.startswith("~") else allowed | named
    return allowed | set(members("@default"))


class _Filter:
    """Rules for system calls, all others meet `otherwise`."""

    def __init__(self, otherwise: int) -> None:
        self._library = ctypes.CDLL("libseccomp.so.2")
        self._library.seccomp_init.restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(self._library.seccomp_init(otherwise))
        self._otherwise = otherwise

    def add(self, call: str, action: int, *compared: _Compared) -> None:
        number = self._library.seccomp_syscall_resolve_name(call.encode())
        if number < 0:
            return  # not of this machine
        rules = (_Compared * len(compared))(*compared)
        code = self._library.seccomp_rule_add_array(
            self._context, ctypes.c_uint32(action), number, len(compared), rules
        )
        if code:
            raise OSError(-code, f"no rule for {call}")

    def load(self) -> None:
        code = self._library.seccomp_load(self._context)
        if code:
            raise OSError(-code, "the filter is not loaded")


def _mount(folder: str) -> None:
    """All is read-only, but for the folder and what systemd leaves as it is."""
    mounted = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    for _, _, _, _, target, options, *_ in mounted:
        if not target.startswith(("/dev", "/proc", "/sys")):
            wanted = ",".join(
                ["remount", "bind", "ro", *(each for each in options.split(",") if each != "rw")]
            )
            subprocess.run(["mount", "-o", wanted, target], check=target == "/")


def confine(folder: str, units: list[Path]) -> None:
    """All that follows in this process, and in what it starts, is bound."""
    settings = settings_of(units)
    allowed = system_calls(settings["SystemCallFilter"])
    if settings["ProtectSystem"][-1] == "strict":
        _mount(folder)
    os.umask(int(settings["UMask"][-1], 8))
    for name in ("NOFILE", "CORE"):
        kind = getattr(resource, f"RLIMIT_{name}")
        most = resource.getrlimit(kind)[1]
        for limit in map(int, settings[f"Limit{name}"][-1:]):
            limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
            resource.setrlimit(kind, (limit, limit))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if settings["CapabilityBoundingSet"] == [""]:
        for capability in range(64):
            prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    if settings["NoNewPrivileges"][-1] == "yes":
        prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    others = _Filter(_ALLOW)
    families = {
        getattr(socket, each) for line in settings["RestrictAddressFamilies"] for each in line.split()
    }
    for family in set(range(_FAMILIES)) - families:
        others.add("socket", _ERRNO, _Compared(0, _EQUAL, family, 0))
    if settings["MemoryDenyWriteExecute"][-1] == "yes":
        both = _WRITE | _EXEC
        others.add("mmap", _ERRNO, _Compared(2, _MASKED_EQUAL, both, both))
        for call in ("mprotect", "pkey_mprotect"):
            others.add(call, _ERRNO, _Compared(2, _MASKED_EQUAL, _EXEC, _EXEC))
        others.add("shmat", _ERRNO, _Compared(2, _MASKED_EQUAL, _SHM_EXEC, _SHM_EXEC))
    others.load()
    calls = _Filter(_ERRNO)
    for call in sorted(allowed):
        calls.add(call, _ALLOW)
    calls.load()


def main(arguments: list[str]) -> None:
    """Confine, and become the command."""
    at = arguments.index("--")
    folder, *units = arguments[:at]
    confine(folder, [Path(each) for each in units])
    command = arguments[at + 1 :]
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
