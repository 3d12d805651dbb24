"""Sessions that are running: counted, limited, ended all together."""

from __future__ import annotations

import asyncio
import contextlib
from typing import cast

import pytest

from realtime.errors import ERRORS, CloseCode, QueueFullError
from realtime.live.driver import Driver
from realtime.live.registry import Registry, new_id

#: A test that hangs is ended; nothing is measured by it.
HANGS_S = 20.0


class Puppet:
    """A driver that notes what it is asked."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.times_asked = 0

    def shut_down(self) -> None:
        self.times_asked += 1
        self.asked.set()


def puppet() -> tuple[Driver, Puppet]:
    made = Puppet()
    return cast(Driver, made), made


def test_ids_are_long_and_never_the_same() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    # 16 random bytes at least, in characters that need no escape anywhere.
    assert all(len(each) >= 22 and each.replace("-", "").replace("_", "").isalnum() for each in ids)


async def test_sessions_are_counted_as_long_as_they_run() -> None:
    registry = Registry(10)
    assert registry.count == 0
    with registry.running(puppet()[0]):
        assert registry.count == 1
        with registry.running(puppet()[0]):
            assert registry.count == 2
        assert registry.count == 1
    assert registry.count == 0


@pytest.mark.parametrize("fault", [ValueError, asyncio.CancelledError, KeyboardInterrupt])
async def test_a_session_that_breaks_is_not_counted_any_more(fault: type[BaseException]) -> None:
    registry = Registry(1)
    with pytest.raises(fault), registry.running(puppet()[0]):
        raise fault
    assert registry.count == 0
    registry.check_room()


async def test_there_is_room_for_so_many_and_no_more() -> None:
    registry = Registry(2)
    registry.check_room()
    with registry.running(puppet()[0]):
        registry.check_room()
        with registry.running(puppet()[0]):
            with pytest.raises(QueueFullError, match="2 sessions") as caught:
                registry.check_room()
            assert caught.value.retry_after_ms > 0
            assert ERRORS[caught.value.code].close_code == CloseCode.TRY_LATER
        registry.check_room()


async def test_closing_all_when_there_are_none_ends_at_once() -> None:
    await Registry(1).close_all(0)


async def test_closing_all_asks_each_once_and_waits_for_the_last() -> None:
    registry = Registry(10)
    may_end = [asyncio.Event() for _ in range(3)]
    puppets = [puppet() for _ in range(3)]

    async def session(driver: Driver, asked: Puppet, may: asyncio.Event) -> None:
        with registry.running(driver):
            await asked.asked.wait()
            await may.wait()

    async with asyncio.timeout(HANGS_S):
        sessions = [
            asyncio.create_task(session(driver, asked, may))
            for (driver, asked), may in zip(puppets, may_end, strict=True)
        ]
        await asyncio.sleep(0)
        assert registry.count == 3
        closing = asyncio.create_task(registry.close_all(HANGS_S))
        for may, task in zip(may_end, sessions, strict=True):
            await asyncio.sleep(0)
            assert not closing.done()
            may.set()
            await task
        await closing
    assert [asked.times_asked for _, asked in puppets] == [1, 1, 1]
    assert registry.count == 0


async def test_closing_all_does_not_wait_for_ever() -> None:
    """Who does not close in time is cancelled."""
    registry = Registry(10)
    driver, asked = puppet()

    async def session() -> None:
        with registry.running(driver):
            await asyncio.Event().wait()

    running = asyncio.create_task(session())
    await asyncio.sleep(0)
    assert registry.count == 1
    await registry.close_all(0.01)
    await asyncio.wait({running})
    assert running.cancelled() and asked.times_asked == 1
    assert registry.count == 0


async def test_who_waits_for_the_close_of_all_may_be_cancelled() -> None:
    registry = Registry(10)
    with registry.running(puppet()[0]):
        closing = asyncio.create_task(registry.close_all(HANGS_S))
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing


async def test_a_session_that_begins_after_all_were_closed_is_counted_and_waited_for() -> None:
    registry = Registry(10)
    with registry.running(puppet()[0]):
        pass
    with registry.running(puppet()[0]), contextlib.ExitStack() as stack:
        closing = asyncio.create_task(registry.close_all(HANGS_S))
        stack.callback(closing.cancel)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not closing.done()
