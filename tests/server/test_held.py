"""Bodies that are held: whatever happens to them, no more is held than may be, and nothing at the end."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from realtime.server.held import HeldBody, Memory

MOST = 400_000
MOST_OF_ONE = 250_000


class Bodies(RuleBasedStateMachine):
    """Bodies come, grow, are dropped, and go, by an error or without."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = Memory(MOST)
        self.open: list[tuple[HeldBody, bytearray, ExitStack]] = []

    @rule()
    def begin(self) -> None:
        stack = ExitStack()
        body = stack.enter_context(self.memory.body(MOST_OF_ONE))
        self.open.append((body, bytearray(), stack))

    @precondition(lambda self: self.open)
    @rule(at=st.integers(0), size=st.integers(0, 150_000), byte=st.integers(0, 255))
    def grow(self, at: int, size: int, byte: int) -> None:
        body, added, _ = self.open[at % len(self.open)]
        data, room = bytes([byte]) * size, MOST - self.memory._held
        fits = not body.dropped and size <= room and len(added) + size <= MOST_OF_ONE
        assert body.add(data) == fits
        if fits:
            added += data

    @precondition(lambda self: self.open)
    @rule(at=st.integers(0))
    def drop(self, at: int) -> None:
        self.open[at % len(self.open)][0].drop()

    @precondition(lambda self: self.open)
    @rule(at=st.integers(0), fails=st.booleans())
    def end(self, at: int, fails: bool) -> None:
        body, _, stack = self.open.pop(at % len(self.open))
        if fails:
            with pytest.raises(ConnectionResetError), stack:
                raise ConnectionResetError
        else:
            stack.close()
        assert body.dropped and body.parts() == []

    @invariant()
    def what_is_held_is_what_was_added(self) -> None:
        for body, added, _ in self.open:
            parts = body.parts()
            assert b"".join(parts) == (b"" if body.dropped else added)
            assert all(len(part) >= 65_536 for part in parts[:-1]) and b"" not in parts
            assert body.size == sum(map(len, parts))
        assert self.memory._held == sum(body.size for body, *_ in self.open) <= MOST

    def teardown(self) -> None:
        while self.open:
            self.end(0, True)
        assert self.memory._held == 0


TestBodies = Bodies.TestCase


def test_what_was_too_large_for_one_leaves_room_for_others() -> None:
    memory = Memory(10)
    with memory.body(6) as one, memory.body(6) as other:
        assert one.add(b"12345") and other.add(b"12345")
        assert not one.add(b"6"), "there is none left"
        assert one.dropped and not one.add(b"6") and one.parts() == []
        assert other.add(b"6") and not other.add(b"7"), "it is as large as it may be"
        assert memory._held == 0
