"""Threads that do first what is needed first: those who encode for many listeners.

A listener who is far ahead can wait for its next block, and one who is about to run dry cannot. In the order
in which work came they would wait for each other, and when there is more of it than threads can do, all would
have gaps; so it is done by deadlines, as the engine makes its sound.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class UrgentThreads(Executor):
    """An executor whose work has deadlines, in monotonic seconds."""

    def __init__(self, count: int, name: str = "urgent") -> None:
        """`count` threads, which are named by `name`."""
        self._work: list[tuple[float, int, Future[Any], Callable[[], Any]]] = []
        self._numbers = itertools.count()  # of two with the same deadline the first goes first
        self._changed = threading.Condition()
        self._is_over = False
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Do something that is needed now."""
        return self.submit_by(time.monotonic(), partial(fn, *args, **kwargs))

    def submit_by(self, deadline: float, work: Callable[[], _T]) -> Future[_T]:
        """Do something that is needed at `deadline`; raises `RuntimeError` after the end."""
        future: Future[_T] = Future()
        with self._changed:
            if self._is_over:
                raise RuntimeError("these threads have ended")
            heapq.heappush(self._work, (deadline, next(self._numbers), future, work))
            self._changed.notify()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End when all is done; with `cancel_futures` what was not begun is dropped."""
        with self._changed:
            self._is_over = True
            dropped = [future for _, _, future, _ in self._work] if cancel_futures else []
            if cancel_futures:
                self._work.clear()
            self._changed.notify_all()
        for future in dropped:
            future.cancel()
        if wait:
            for thread in self._threads:
                thread.join()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            _do(*job)
            del job  # nothing is held on to while this thread waits

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._changed:
            while not self._work:
                if self._is_over:
                    return None
                self._changed.wait()
            _, _, future, work = heapq.heappop(self._work)
            return future, work


def _do(future: Future[Any], work: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:
        future.set_exception(error)
        del future, work  # its traceback has this frame
    else:
        future.set_result(result)
