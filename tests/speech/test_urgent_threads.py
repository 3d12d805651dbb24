"""Threads that do first what is needed first."""

from __future__ import annotations

import asyncio
import gc
import math
import threading
import weakref
from concurrent.futures import CancelledError
from functools import partial

import pytest

from realtime.speech.urgent_threads import UrgentThreads

PATIENCE_S = 20


def test_what_is_needed_first_is_done_first() -> None:
    done: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        assert go_on.wait(PATIENCE_S)

    with UrgentThreads(1) as threads:
        threads.submit(hold)
        assert begun.wait(PATIENCE_S)
        for name, deadline in (("later", 30.0), ("never", math.inf), ("first", 10.0), ("as first", 10.0)):
            threads.submit_by(deadline, partial(done.append, name))
        late = threads.submit_by(-math.inf, partial(done.append, "late already"))
        assert not late.done()
        go_on.set()
    assert done == ["late already", "first", "as first", "later", "never"]


def test_results_and_failures_come_back() -> None:
    with UrgentThreads(2, "some") as threads:
        assert threads.submit(max, 1, 2).result(PATIENCE_S) == 2
        assert threads.submit(sorted, [2, 1], reverse=True).result(PATIENCE_S) == [2, 1]
        assert threads.submit(lambda: threading.current_thread().name).result(PATIENCE_S).startswith("some-")
        with pytest.raises(ZeroDivisionError):
            threads.submit(lambda: 1 / 0).result(PATIENCE_S)
        assert threads.submit(str, 1).result(PATIENCE_S) == "1", "a failure ends no thread"


def test_as_many_at_a_time_as_there_are_threads() -> None:
    together = threading.Barrier(3)
    with UrgentThreads(3) as threads:
        waiting = [threads.submit(together.wait, PATIENCE_S) for _ in range(3)]
        assert sorted(each.result(PATIENCE_S) for each in waiting) == [0, 1, 2]


def test_at_the_end_what_was_not_begun_is_dropped_or_done() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def hold() -> str:
        begun.set()
        assert go_on.wait(PATIENCE_S)
        return "held"

    threads = UrgentThreads(1)
    first = threads.submit(hold)
    assert begun.wait(PATIENCE_S)
    dropped = threads.submit(hold)
    threads.shutdown(wait=False, cancel_futures=True)
    go_on.set()
    assert first.result(PATIENCE_S) == "held"
    with pytest.raises(CancelledError):
        dropped.result(PATIENCE_S)
    with pytest.raises(RuntimeError):
        threads.submit(hold)
    threads.shutdown()


async def test_work_that_nobody_waits_for_any_more_is_not_done() -> None:
    begun, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def hold() -> None:
        begun.set()
        assert go_on.wait(PATIENCE_S)

    with UrgentThreads(1) as threads:
        threads.submit(hold)
        await asyncio.to_thread(begun.wait, PATIENCE_S)
        unwanted = asyncio.wrap_future(threads.submit_by(1.0, partial(done.append, "unwanted")))
        wanted = asyncio.wrap_future(threads.submit_by(2.0, partial(done.append, "wanted")))
        unwanted.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await wanted
    assert done == ["wanted"]


class Work:
    """Something that is called, as the sound of a listener is."""

    def __call__(self) -> float:
        return 1 / 0


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_a_thread_that_waits_holds_on_to_nothing(is_cancelled: bool) -> None:
    """Of work that was cancelled, or failed; also before the collector comes."""
    begun, go_on, gone = threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        begun.set()
        assert go_on.wait(PATIENCE_S)

    gc.disable()
    try:
        with UrgentThreads(1) as threads:
            threads.submit(hold)
            assert begun.wait(PATIENCE_S)
            work = Work()
            weakref.finalize(work, gone.set)
            future = threads.submit_by(1.0, work)
            assert not is_cancelled or future.cancel()
            del work
            go_on.set()
            if not is_cancelled:
                assert isinstance(future.exception(PATIENCE_S), ZeroDivisionError)
            del future
            assert gone.wait(PATIENCE_S)
    finally:
        gc.enable()
