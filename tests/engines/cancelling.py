"""Cancellations for synthesizers that are called by hand, and a network that is cancelled while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any


class After:
    """Cancelled once it has been asked `count` times."""

    def __init__(self, count: int) -> None:
        self.left = count

    @property
    def cancelled(self) -> bool:
        self.left -= 1
        return self.left < 0

    def on_cancel(self, callback: Callable[[], None]) -> AbstractContextManager[None]:
        return nullcontext()


class ByHand:
    """Cancelled by `cancel`."""

    def __init__(self) -> None:
        self.cancelled = False
        self.told: list[Callable[[], None]] = []

    def cancel(self) -> None:
        self.cancelled = True
        for callback in self.told:
            callback()

    @contextmanager
    def on_cancel(self, callback: Callable[[], None]) -> Iterator[None]:
        self.told.append(callback)
        try:
            yield
        finally:
            self.told.remove(callback)


class BrokenOff:
    """A session of onnxruntime; `cancel` comes at the beginning of each of its runs. Keeps how they ended."""

    def __init__(self, session: Any, cancel: Callable[[], None]) -> None:
        self._session = session
        self._cancel = cancel
        self.runs: list[str] = []

    def run(self, *arguments: Any) -> Any:
        self.runs.append("broken off")
        self._cancel()
        result = self._session.run(*arguments)
        self.runs[-1] = "complete"
        return result
