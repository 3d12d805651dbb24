"""SIGINT and SIGTERM: the first has the server finish what is running, the second ends it at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from pathlib import Path
from types import FrameType

import structlog

_LAST_WORD_S = 0.2


class Signals:
    """SIGINT and SIGTERM: the first has the server finish what is running, the second ends it at once."""

    def __init__(self) -> None:
        """They are caught from now on."""
        self._came = asyncio.Event()
        self._cancelled: asyncio.Task[None] | None = None
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._first)

    def cancel(self, task: asyncio.Task[None]) -> None:
        """Cancel a task when the first signal comes, or now when it has come."""
        self._cancelled = task
        if self._came.is_set():
            task.cancel()

    async def first(self) -> None:
        """Returns when the first signal has come."""
        await self._came.wait()

    def _first(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)
            # Not by way of the loop: it may be what hangs.
            signal.signal(number, _end_at_once)
        self._came.set()
        if self._cancelled is not None:
            self._cancelled.cancel()


def _end_at_once(number: int, frame: FrameType | None) -> None:
    """End this process and its engines, whatever they are at; asked for, so it is no failure."""
    told = {"event": "ended_at_once", "signal": signal.Signals(number).name}
    # Not here: this may have interrupted the logger, which is not to be entered twice.
    telling = threading.Thread(target=structlog.get_logger("realtime").warning, kwargs=told, daemon=True)
    telling.start()
    telling.join(_LAST_WORD_S)
    # An engine that is well ends with us. One that hangs would stay; where the system tells them, none does.
    for listed in Path("/proc/self/task").glob("*/children"):
        for child in listed.read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
    os._exit(0)
