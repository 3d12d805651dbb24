"""The processes that the engines of a server in this process have."""

from __future__ import annotations

import contextlib

import psutil


def engine_processes(module: str) -> list[psutil.Process]:
    """Those of the engine whose maker is in `module`, but for such as have ended."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended just now
            if f"{module}:make" in " ".join(child.cmdline()):
                found.append(child)
    return found
