"""An event loop whose time stands still while anything can be done, and else jumps to the next timer."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Fails where nothing would ever happen again."""

    def __init__(self) -> None:
        self._present = 1000.0
        loop = self

        class Selector(selectors.DefaultSelector):  # type: ignore[valid-type, misc]
            def select(self, timeout: float | None = None) -> Any:
                assert timeout is not None, "nothing will ever happen again"
                loop._present += timeout
                return super().select(0)

        super().__init__(Selector())

    def time(self) -> float:
        return self._present


class LoopClock:
    """The virtual loop's time."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()


class AtOnce(Executor):
    """Does everything when it is asked, in no time."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def submit_by(self, deadline: float, work: Callable[[], Any]) -> Future[Any]:
        """As `UrgentThreads` has it."""
        return self.submit(work)
