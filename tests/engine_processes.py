"""The processes that the engines of a server in this process have."""

from __future__ import annotations

import psutil

from bench.server import of_each


def engine_processes(module: str) -> list[psutil.Process]:
    """Those of the engine whose maker is in `module`, but for such as have ended."""
    commands = of_each(psutil.Process().children(), lambda child: (child, " ".join(child.cmdline())))
    return [child for child, command in commands if f"{module}:make" in command]
