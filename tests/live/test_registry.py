"""Sessions that are running: counted, limited, drained, ended all together."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest

from realtime.errors import ERRORS, CloseCode, QueueFullError
from realtime.live.driver import Driver
from realtime.live.registry import Registry, new_id
from realtime.live.track import Outlet
from realtime.live.transport import Transport

#: A test that hangs is ended; nothing is measured by it.
HANGS_S = 20.0
NOWHERE = cast(Transport, None)


class Puppet:
    """A driver that notes what it is asked; its socket is there until it is lost or gone."""

    _numbers = itertools.count()

    def __init__(self, *, obeys: bool = True) -> None:
        self.session_id = str(next(self._numbers))
        self.lost_at: float | None = None
        self.has_begun = False
        self.drains_ms: list[int] = []
        self.shut_downs = 0
        self.asked = asyncio.Event()
        self.over = asyncio.Event()
        self.gone = asyncio.Event()
        self._obeys = obeys
        self._on_begin: Callable[[], None] | None = None

    async def run(self) -> None:
        await self.over.wait()

    async def serve(
        self,
        transport: Transport,
        claim: int = 0,
        on_begin: Callable[[], None] = print,
        outlet: Outlet | None = None,
    ) -> None:
        self._on_begin = on_begin
        await self.gone.wait()

    def begin(self) -> None:
        """The first message has come."""
        assert self._on_begin is not None
        self.has_begun = True
        self._on_begin()

    def lose(self, at: float) -> None:
        self.lost_at = at
        self.gone.set()

    def end(self) -> None:
        self.over.set()
        self.gone.set()

    def drain(self, drain_ms: int) -> None:
        self.drains_ms.append(drain_ms)
        self.asked.set()

    def shut_down(self) -> None:
        self.shut_downs += 1
        self.asked.set()
        if self._obeys:
            self.end()

    def give_up(self) -> None:
        self.end()


def serving(registry: Registry, puppet: Puppet) -> asyncio.Task[None]:
    return asyncio.create_task(registry.serve(cast(Driver, puppet), NOWHERE))


@asynccontextmanager
async def running(registry: Registry, count: int, *, obey: bool = True) -> AsyncIterator[list[Puppet]]:
    """So many sessions, which have begun; they are over when the block is left."""
    puppets = [Puppet(obeys=obey) for _ in range(count)]
    tasks = [serving(registry, puppet) for puppet in puppets]
    await settled()
    for puppet in puppets:
        puppet.begin()
    try:
        yield puppets
    finally:
        for puppet in puppets:
            puppet.end()
        await asyncio.gather(*tasks, return_exceptions=True)
        await settled()


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_ids_are_long_and_never_the_same() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    # 16 random bytes at least, in characters that need no escape anywhere.
    assert all(len(each) >= 22 and each.replace("-", "").replace("_", "").isalnum() for each in ids)


# -- counts and limits --------------------------------------------------------------------------------------


async def test_sessions_are_counted_and_found_as_long_as_they_run() -> None:
    registry = Registry(10)
    assert registry.count == 0
    async with running(registry, 1) as (first,):
        assert registry.count == 1
        async with running(registry, 1) as (second,):
            assert registry.count == 2
            assert registry.find(first.session_id) is cast(Driver, first)
            assert registry.find(second.session_id) is cast(Driver, second)
        assert registry.count == 1
        assert registry.find(second.session_id) is None
    assert registry.count == registry.detached == 0


async def test_a_session_counts_without_a_socket_and_its_socket_does_not_any_more() -> None:
    registry = Registry(1)
    async with running(registry, 1) as (puppet,):
        with pytest.raises(QueueFullError):
            registry.check_room()
        assert registry.detached == 0
        puppet.lose(at=5)
        await settled()
        assert registry.count == registry.detached == 1
        registry.check_room()


@pytest.mark.parametrize("fault", [ValueError, asyncio.CancelledError])
async def test_a_socket_that_breaks_is_not_counted_any_more(fault: type[BaseException]) -> None:
    registry = Registry(1)

    class Broken(Puppet):
        async def serve(
            self,
            transport: Transport,
            claim: int = 0,
            on_begin: Callable[[], None] = print,
            outlet: Outlet | None = None,
        ) -> None:
            self.end()
            raise fault

    with pytest.raises(fault):
        await registry.serve(cast(Driver, Broken()), NOWHERE)
    registry.check_room()
    await settled()
    assert registry.count == 0


async def test_there_is_room_for_so_many_and_no_more() -> None:
    registry = Registry(2)
    registry.check_room()
    async with running(registry, 1):
        registry.check_room()
        async with running(registry, 1):
            with pytest.raises(QueueFullError, match="2 sessions") as caught:
                registry.check_room()
            assert caught.value.retry_after_ms > 0
            assert ERRORS[caught.value.code].close_code == CloseCode.TRY_LATER
        registry.check_room()


async def test_who_has_lost_its_socket_makes_room_the_longest_lost_first() -> None:
    registry = Registry(3)
    async with running(registry, 3) as (first, second, third):
        first.lose(at=7)
        second.lose(at=5)
        await settled()
        async with running(registry, 1):
            await settled()
            assert (first.over.is_set(), second.over.is_set(), third.over.is_set()) == (False, True, False)
            async with running(registry, 1):
                await settled()
                assert first.over.is_set() and not third.over.is_set()
                with pytest.raises(QueueFullError):
                    registry.check_room()


async def test_a_socket_that_has_not_begun_a_session_takes_the_place_of_nobody() -> None:
    """Perhaps it is there to take up just the session that would have to go."""
    registry = Registry(1)
    async with running(registry, 1) as (lost,):
        lost.lose(at=1)
        await settled()
        new = Puppet()
        task = serving(registry, new)
        await settled()
        assert not lost.over.is_set()
        new.begin()
        await settled()
        assert lost.over.is_set()
        new.end()
        await task


async def test_sockets_that_have_not_begun_do_not_count_against_who_is_lost() -> None:
    registry = Registry(2)
    async with running(registry, 1) as (lost,):
        lost.lose(at=1)
        await settled()
        undecided = Puppet()
        task = serving(registry, undecided)
        async with running(registry, 1):
            assert not lost.over.is_set()
        undecided.end()
        await task


# -- drain --------------------------------------------------------------------------------------------------


async def test_a_drain_asks_each_and_ends_with_the_last() -> None:
    registry = Registry(10)
    async with running(registry, 3) as puppets:
        draining = asyncio.create_task(registry.drain(HANGS_S))
        for puppet in puppets:
            await settled()
            assert puppet.drains_ms == [HANGS_S * 1000]
            assert not draining.done()
            puppet.end()
        async with asyncio.timeout(HANGS_S):
            await draining
        assert registry.count == 0
        assert [puppet.shut_downs for puppet in puppets] == [0, 0, 0]


async def test_a_drain_ends_when_its_time_is_over_and_leaves_those_that_run() -> None:
    registry = Registry(10)
    async with running(registry, 2) as puppets:
        puppets[0].end()
        await registry.drain(0.01)
        assert registry.count == 1
        assert not puppets[1].over.is_set()
        await registry.close_all(HANGS_S)
        assert puppets[1].shut_downs == 1


@pytest.mark.parametrize("how", ["drain", "close_all"])
async def test_nobody_is_let_in_from_then_on(how: str) -> None:
    registry = Registry(10)
    await getattr(registry, how)(0.01)
    with pytest.raises(QueueFullError, match="shutting down") as caught:
        registry.check_room()
    assert caught.value.retry_after_ms > 0


async def test_a_drain_of_nobody_ends_at_once() -> None:
    await Registry(1).drain(1e9)


# -- the end ------------------------------------------------------------------------------------------------


async def test_closing_all_when_there_are_none_ends_at_once() -> None:
    await Registry(1).close_all(0)


async def test_closing_all_asks_each_once_and_waits_for_the_last() -> None:
    registry = Registry(10)
    async with asyncio.timeout(HANGS_S), running(registry, 3, obey=False) as puppets:
        assert registry.count == 3
        closing = asyncio.create_task(registry.close_all(HANGS_S))
        for puppet in puppets:
            await settled()
            assert not closing.done()
            puppet.end()
        await closing
    assert [puppet.shut_downs for puppet in puppets] == [1, 1, 1]
    assert registry.count == 0


async def test_closing_all_does_not_wait_for_ever() -> None:
    """Who does not close in time is cancelled: session and socket."""
    registry = Registry(10)
    puppet = Puppet(obeys=False)
    task = serving(registry, puppet)
    await settled()
    assert registry.count == 1
    await registry.close_all(0.01)
    await asyncio.wait({task})
    assert task.cancelled() and puppet.shut_downs == 1
    assert registry.count == 0


async def test_closing_all_ends_who_has_no_socket() -> None:
    registry = Registry(10)
    async with running(registry, 1) as (puppet,):
        puppet.lose(at=1)
        await settled()
        await registry.close_all(HANGS_S)
        assert registry.count == 0


async def test_who_waits_for_the_close_of_all_may_be_cancelled() -> None:
    registry = Registry(10)
    async with running(registry, 1, obey=False):
        closing = asyncio.create_task(registry.close_all(HANGS_S))
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing


async def test_a_session_that_begins_after_all_were_closed_is_counted_and_waited_for() -> None:
    registry = Registry(10)
    async with running(registry, 1):
        pass
    async with running(registry, 1, obey=False):
        with contextlib.ExitStack() as stack:
            closing = asyncio.create_task(registry.close_all(HANGS_S))
            stack.callback(closing.cancel)
            await settled()
            assert not closing.done()
