"""Lists of cores are read and written as Linux does it; a process with threads stays where it is told."""

from __future__ import annotations

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import cores


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("0-3,8,10-11\n", {0, 1, 2, 3, 8, 10, 11}), ("7", {7}), (" 0-0, 2 ", {0, 2}), ("\n", set())],
)
def test_lists_of_cores(text: str, numbers: set[int]) -> None:
    assert cores.parse_cpulist(text) == numbers


@pytest.mark.parametrize("text", ["a", "1-b", "1-2-3"])
def test_what_is_no_list(text: str) -> None:
    with pytest.raises(ValueError):
        cores.parse_cpulist(text)


def test_a_list_is_written_as_short_as_can_be() -> None:
    assert cores.written(frozenset({0, 1, 2, 5, 7, 8})) == "0-2,5,7-8"
    assert cores.written(frozenset()) == ""


@given(st.frozensets(st.integers(0, 200)))
def test_what_is_written_is_read_again(numbers: frozenset[int]) -> None:
    assert cores.parse_cpulist(cores.written(numbers)) == numbers


def test_threads_that_are_there_already_go_along() -> None:
    before = os.sched_getaffinity(0)
    one = frozenset({min(before)})
    over, moved = threading.Event(), threading.Event()
    seen: list[set[int]] = []

    def wait() -> None:
        moved.wait(20)
        seen.append(os.sched_getaffinity(0))
        over.set()

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        cores.stay_on(one)
        assert cores.usable_cores() == 1
    finally:
        moved.set()
        over.wait(20)
        thread.join()
        cores.stay_on(frozenset(before))
    assert seen == [one] and os.sched_getaffinity(0) == before
