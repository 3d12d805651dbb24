"""Worker threads: who is served when, how much is made, and exactly one `Freed` whatever happens.

The synthesizer of these tests waits at a gate for every piece, so that the order of things is exact. That
something does *not* begin is shown by a later utterance that the only worker takes instead.
"""

from __future__ import annotations

import math
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from realtime.engines.engine import (
    Cancel,
    Capabilities,
    Chunk,
    Event,
    Failure,
    Feed,
    Finish,
    Freed,
    Grant,
    Open,
    Stats,
)
from realtime.engines.synthesizer import Cancellation
from realtime.engines.tone import ToneSynthesizer
from realtime.engines.workers import Workers
from realtime.errors import EngineError
from realtime.types import AudioChunk, TextPiece, VoiceReference

PATIENCE_S = 20
RATE = 1000
PIECE_MS = 1000


class Gated:
    """Every piece is one second of sound that comes when the test opens its gate."""

    def __init__(self) -> None:
        self.started: queue.Queue[str] = queue.Queue()
        self._gates: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self.ended: list[str] = []
        self.saw_cancel: list[str] = []

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities("gated", ("gated",), ("en",), RATE, concurrency=2)

    def load(self) -> None:
        pass

    def _gate(self, name: str) -> threading.Event:
        with self._lock:
            return self._gates.setdefault(name, threading.Event())

    def open(self, *names: str) -> None:
        for name in names:
            self._gate(name).set()

    def next_started(self) -> str:
        return self.started.get(timeout=PATIENCE_S)

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        name = piece.text
        self.started.put(name)
        half = np.zeros(PIECE_MS * RATE // 2000, np.float32)
        if "two" in name:
            yield AudioChunk(piece.segment, half, RATE, last_of_segment=False)
        assert self._gate(name).wait(PATIENCE_S)
        if cancellation.cancelled:
            self.saw_cancel.append(name)
        if "fail" in name:
            raise ValueError("an inner secret")
        if "refuse" in name:
            raise EngineError("cannot say this")
        yield AudioChunk(piece.segment, half if "two" in name else np.tile(half, 2), RATE)
        self.ended.append(name)


class Log:
    """Events as they come, with waiting for them."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._changed = threading.Condition()

    def __call__(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait(self, condition: Callable[[list[Event]], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.events), PATIENCE_S)

    def wait_freed(self, *utterances: int) -> None:
        self.wait(lambda events: {e.utterance for e in events if isinstance(e, Freed)} >= set(utterances))

    def of(self, utterance: int) -> list[str]:
        """What came for one utterance, as names."""
        return [
            type(event).__name__
            for event in self.events
            if isinstance(event, Chunk | Failure | Freed) and event.utterance == utterance
        ]


class Bench:
    """Workers on a gated synthesizer."""

    def __init__(self, threads: int, crowded: bool) -> None:
        self.synthesizer = Gated()
        self.log = Log()
        self.workers = Workers(self.synthesizer, threads, self.log, crowded=crowded)
        self._begun = time.monotonic()

    def speak(
        self, utterance: int, *texts: str, deadline: float = 0, grant: int = 1_000_000, finish: bool = True
    ) -> None:
        """`deadline`: seconds from the beginning of the test."""
        self.workers.handle(Open(utterance, "gated", "en"))
        for segment, text in enumerate(texts):
            self.feed(utterance, text, segment)
        if grant:
            self.grant(utterance, grant, deadline)
        if finish:
            self.workers.handle(Finish(utterance))

    def grant(self, utterance: int, audio_ms: int, deadline: float) -> None:
        self.workers.handle(Grant(utterance, audio_ms, self._begun + deadline))

    def feed(self, utterance: int, text: str, segment: int = 0) -> None:
        self.workers.handle(Feed(utterance, TextPiece(segment, text, (0, len(text)), (), "en")))


@contextmanager
def bench(threads: int = 1, *, crowded: bool = False) -> Iterator[Bench]:
    made = Bench(threads, crowded)
    made.workers.start()
    try:
        yield made
    finally:
        for gate in list(made.synthesizer._gates):
            made.synthesizer.open(gate)
        made.workers.stop()


def test_the_earliest_deadline_is_served_first() -> None:
    with bench() as b:
        b.speak(1, "busy")
        assert b.synthesizer.next_started() == "busy"
        for utterance, deadline in [(2, 30.0), (3, 10.0), (4, 20.0)]:
            b.speak(utterance, f"at {deadline}", deadline=deadline)
        b.synthesizer.open("busy", "at 10.0", "at 20.0", "at 30.0")
        assert [b.synthesizer.next_started() for _ in range(3)] == ["at 10.0", "at 20.0", "at 30.0"]
        b.log.wait_freed(1, 2, 3, 4)


def test_between_equal_deadlines_the_text_that_came_first_is_served_first() -> None:
    with bench() as b:
        b.speak(1, "busy")
        assert b.synthesizer.next_started() == "busy"
        for utterance in 2, 3, 4:
            b.workers.handle(Open(utterance, "gated", "en"))
            b.grant(utterance, 1_000_000, 7.0)
        for utterance in 4, 2, 3:
            b.feed(utterance, f"of {utterance}")
        b.synthesizer.open("busy", "of 2", "of 3", "of 4")
        assert [b.synthesizer.next_started() for _ in range(3)] == ["of 4", "of 2", "of 3"]


def test_a_paused_listener_comes_last() -> None:
    with bench() as b:
        b.speak(1, "busy")
        assert b.synthesizer.next_started() == "busy"
        b.speak(2, "paused", deadline=math.inf)
        b.speak(3, "late", deadline=1e9)
        b.synthesizer.open("busy", "late", "paused")
        assert [b.synthesizer.next_started() for _ in range(2)] == ["late", "paused"]


def test_what_is_not_needed_soon_leaves_the_core_to_what_is_needed_at_once() -> None:
    with bench(threads=2, crowded=True) as b:
        b.speak(1, "waited for")
        assert b.synthesizer.next_started() == "waited for"
        b.speak(2, "later", deadline=1000.0)
        time.sleep(0.05)
        assert b.workers.stats() == Stats(open=2, waiting=1, busy=1)
        b.speak(3, "soon", deadline=2.0)
        assert b.synthesizer.next_started() == "soon"
        b.synthesizer.open("soon")
        b.log.wait_freed(3)
        assert b.workers.stats() == Stats(open=2, waiting=1, busy=1)
        b.synthesizer.open("later", "waited for")
        assert b.synthesizer.next_started() == "later"
        b.log.wait_freed(1, 2)


def test_what_becomes_needed_while_another_is_stuck_is_begun() -> None:
    with bench(threads=2, crowded=True) as b:
        b.speak(1, "stuck")
        assert b.synthesizer.next_started() == "stuck"
        b.speak(2, "later", deadline=4.2)
        assert b.synthesizer.next_started() == "later"
        b.synthesizer.open("later", "stuck")


def test_beside_what_is_not_needed_at_once_any_more_the_others_are_made() -> None:
    with bench(threads=2, crowded=True) as b:
        b.speak(1, "of two parts", deadline=0.6)
        b.log.wait(lambda events: any(isinstance(event, Chunk) for event in events))
        b.speak(2, "later", deadline=1000.0)
        b.synthesizer.open("later")
        b.log.wait_freed(2)
        b.synthesizer.open("of two parts")
        b.log.wait_freed(1)


def test_no_more_threads_than_the_synthesizer_is_capable_of() -> None:
    with bench(threads=9) as b:
        assert b.synthesizer.capabilities.concurrency == 2
        for utterance in 1, 2, 3:
            b.speak(utterance, f"of {utterance}", deadline=utterance)
        assert {b.synthesizer.next_started() for _ in range(2)} == {"of 1", "of 2"}
        assert b.workers.stats() == Stats(open=3, waiting=1, busy=2)
        assert len(b.workers._workers) == 2
        b.synthesizer.open("of 1", "of 2", "of 3")
        b.log.wait_freed(1, 2, 3)


def test_a_new_grant_moves_the_deadline() -> None:
    with bench() as b:
        b.speak(1, "busy")
        b.synthesizer.next_started()
        b.speak(2, "two", deadline=10)
        b.speak(3, "three", deadline=20)
        b.grant(2, 1, 30)
        b.synthesizer.open("busy", "two", "three")
        assert [b.synthesizer.next_started() for _ in range(2)] == ["three", "two"]
        b.log.wait_freed(1, 2, 3)


def test_one_segment_of_an_utterance_at_a_time() -> None:
    """With two workers and a most urgent utterance of two segments, the second worker serves another."""
    with bench(threads=2) as b:
        b.speak(1, "first", "second", deadline=1)
        assert b.synthesizer.next_started() == "first"
        b.speak(2, "other", deadline=99)
        assert b.synthesizer.next_started() == "other"
        b.synthesizer.open("other")
        b.speak(3, "another", deadline=99)
        assert b.synthesizer.next_started() == "another"
        b.synthesizer.open("first", "second", "another")
        assert b.synthesizer.next_started() == "second"
        b.log.wait_freed(1, 2, 3)
    segments = [e.audio.segment for e in b.log.events if isinstance(e, Chunk) and e.utterance == 1]
    assert segments == [0, 1]


def test_a_grant_is_respected_and_more_of_it_goes_on() -> None:
    with bench() as b:
        b.synthesizer.open("one", "later", "more", "last", "sentinel", "sentinel again")
        b.speak(1, "one", "later", "more", "last", grant=PIECE_MS + 1)
        assert [b.synthesizer.next_started() for _ in range(2)] == ["one", "later"]
        b.speak(2, "sentinel", deadline=99)
        assert b.synthesizer.next_started() == "sentinel", "2 s were made of the 1.001 s granted"
        b.grant(1, 2 * PIECE_MS, 0)
        b.speak(3, "sentinel again", deadline=99)
        assert b.synthesizer.next_started() == "sentinel again", "2 s were made of the 2 s granted"
        b.grant(1, 2 * PIECE_MS + 1, 0)
        assert b.synthesizer.next_started() == "more"
        b.grant(1, 1_000_000, 0)
        assert b.synthesizer.next_started() == "last"
        b.log.wait_freed(1)


def test_a_smaller_grant_takes_nothing_back() -> None:
    with bench() as b:
        b.synthesizer.open("one", "later")
        b.speak(1, "one", "later", grant=5000, finish=False)
        b.grant(1, 1, 0)
        assert [b.synthesizer.next_started() for _ in range(2)] == ["one", "later"]


def test_without_a_grant_nothing_is_made() -> None:
    with bench() as b:
        b.speak(1, "ungranted", grant=0)
        b.speak(2, "granted", deadline=99)
        assert b.synthesizer.next_started() == "granted"
        assert b.workers.stats() == Stats(open=2, waiting=1, busy=1)
        b.synthesizer.open("granted")
        b.log.wait_freed(2)
        b.workers.handle(Cancel(1))
        b.log.wait_freed(1)
    assert b.log.of(1) == ["Freed"]


def test_normal_end() -> None:
    with bench() as b:
        b.synthesizer.open("one", "in two")
        b.speak(1, "one", "in two")
        b.log.wait_freed(1)
    assert b.log.of(1) == ["Chunk", "Chunk", "Chunk", "Freed"]


def test_finish_without_text_frees_at_once() -> None:
    with bench() as b:
        b.speak(1)
        assert b.log.of(1) == ["Freed"]
        assert b.workers.stats().open == 0


def test_finish_after_the_last_sound_frees() -> None:
    with bench() as b:
        b.synthesizer.open("one")
        b.speak(1, "one", finish=False)
        b.log.wait(lambda events: any(isinstance(e, Stats) for e in events))
        assert b.log.of(1) == ["Chunk"]
        b.workers.handle(Finish(1))
        assert b.log.of(1) == ["Chunk", "Freed"]


def test_cancel_before_it_began() -> None:
    with bench() as b:
        b.speak(1, "busy")
        b.synthesizer.next_started()
        b.speak(2, "never")
        b.workers.handle(Cancel(2))
        assert b.log.of(2) == ["Freed"]
        b.speak(3, "sentinel", deadline=99)
        b.synthesizer.open("busy", "sentinel")
        assert b.synthesizer.next_started() == "sentinel"
        b.log.wait_freed(1, 3)
    assert b.log.of(2) == ["Freed"]


def test_cancel_while_it_is_spoken() -> None:
    with bench() as b:
        b.speak(1, "in two", "never", finish=False)
        b.synthesizer.next_started()
        b.log.wait(lambda events: any(isinstance(e, Chunk) for e in events))
        b.workers.handle(Cancel(1))
        b.workers.handle(Cancel(1))
        assert b.log.of(1) == ["Chunk"], "it is free when the worker has let go, not before"
        b.synthesizer.open("in two")
        b.log.wait_freed(1)
        b.feed(1, "too late", 2)
        b.speak(2, "sentinel")
        assert b.synthesizer.next_started() == "sentinel"
        b.synthesizer.open("sentinel")
        b.log.wait_freed(2)
    assert b.log.of(1) == ["Chunk", "Freed"]
    assert b.synthesizer.saw_cancel == ["in two"]
    assert b.synthesizer.ended == ["sentinel"], "the rest of a cancelled piece is not even made"


def test_text_after_a_cancel_is_not_spoken() -> None:
    with bench() as b:
        b.speak(1, "one", finish=False)
        b.synthesizer.next_started()
        b.workers.handle(Cancel(1))
        b.feed(1, "after", 1)
        b.grant(1, 1_000_000, 0)
        b.workers.handle(Finish(1))
        b.synthesizer.open("one")
        b.log.wait_freed(1)
        b.speak(2, "sentinel")
        assert b.synthesizer.next_started() == "sentinel"
        b.synthesizer.open("sentinel")
    assert b.log.of(1) == ["Freed"]


def test_cancel_after_the_end_and_of_the_unknown() -> None:
    with bench() as b:
        b.synthesizer.open("one")
        b.speak(1, "one")
        b.log.wait_freed(1)
        for command in (Cancel(1), Finish(1), Grant(1, 5, 0), Cancel(99), Finish(99), Grant(99, 5, 0)):
            b.workers.handle(command)
        b.feed(99, "unknown")
        b.speak(2, "sentinel")
        assert [b.synthesizer.next_started() for _ in range(2)] == ["one", "sentinel"]
        b.synthesizer.open("sentinel")
        b.log.wait_freed(2)
    assert b.log.of(1) == ["Chunk", "Freed"] and b.log.of(99) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [("fail", "the engine failed on this text (ValueError)"), ("refuse", "cannot say this")],
)
def test_after_a_failure_comes_only_freed(name: str, message: str) -> None:
    with bench() as b:
        text = f"in two {name}"
        b.synthesizer.open(text)
        b.speak(1, text, "never")
        b.log.wait_freed(1)
        b.feed(1, "never again", 2)
        b.workers.handle(Cancel(1))
        b.speak(2, "sentinel")
        assert [b.synthesizer.next_started() for _ in range(2)] == [text, "sentinel"]
        b.synthesizer.open("sentinel")
        b.log.wait_freed(2)
    assert b.log.of(1) == ["Chunk", "Failure", "Freed"]
    (failure,) = (event for event in b.log.events if isinstance(event, Failure))
    assert failure.message == message


def test_what_fails_after_its_cancel_is_only_freed() -> None:
    """The contract after a cancel: chunks under way may come, then `Freed`."""
    with bench() as b:
        b.speak(1, "fail")
        b.synthesizer.next_started()
        b.workers.handle(Cancel(1))
        b.synthesizer.open("fail")
        b.log.wait_freed(1)
    assert b.log.of(1) == ["Freed"]


def test_times_are_told() -> None:
    with bench() as b:
        b.synthesizer.open("in two")
        b.speak(1, "in two")
        b.log.wait_freed(1)
    first, second = (event for event in b.log.events if isinstance(event, Chunk))
    assert first.queue_s > 0 and second.queue_s == 0, "the wait for a worker is told once"
    assert first.infer_s >= 0 and second.infer_s >= 0


def test_prompts_are_counted_and_forgotten() -> None:
    events: list[Event] = []
    synthesizer = ToneSynthesizer()
    workers = Workers(synthesizer, 1, events.append)
    reference = VoiceReference("key", "")
    for _ in range(3):
        synthesizer.prompts.prompt(reference, "m", lambda each: {"a": np.zeros(1)})
    assert workers.stats() == Stats(0, 0, 0, prompts=1, prompt_hits=2, prompt_misses=1)
    workers.forget("key")
    assert events == [Stats(0, 0, 0, prompts=0, prompt_hits=2, prompt_misses=1)]
    with bench() as b:  # one that keeps none
        b.workers.forget("key")
        assert b.workers.stats() == Stats(0, 0, 0)


def test_stop_ends_the_threads_after_the_segments_under_way() -> None:
    with bench(threads=2) as b:
        b.speak(1, "one", "never")
        b.synthesizer.next_started()
        threads = [worker.thread for worker in b.workers._workers]
        b.synthesizer.open("one")
        b.workers.stop()
        assert len(threads) == 2 and not any(thread is None or thread.is_alive() for thread in threads)
        assert b.synthesizer.started.empty()


@pytest.mark.parametrize("seed", range(5))
def test_exactly_one_freed_for_each_opened_whatever_the_order(seed: int) -> None:
    """Commands in random order from three threads, on three workers."""
    log = Log()
    workers = Workers(ToneSynthesizer(), 3, log)
    workers.start()

    def commands(first: int) -> None:
        chance = random.Random(seed * 100 + first)
        alive = list(range(first, first + 60))
        for utterance in alive:
            workers.handle(Open(utterance, "tone", "en"))
        while alive:
            utterance = chance.choice(alive)
            action = chance.randrange(6)
            if action <= 2:
                workers.handle(Feed(utterance, TextPiece(0, "a b", (0, 3), (), "en")))
            elif action == 3:
                workers.handle(Grant(utterance, 1_000_000, chance.random()))
            else:
                alive.remove(utterance)
                if action == 4:
                    workers.handle(Grant(utterance, 1_000_000, chance.random()))
                    workers.handle(Finish(utterance))
                if action == 5 or chance.random() < 0.3:
                    workers.handle(Cancel(utterance))

    threads = [threading.Thread(target=commands, args=(first,)) for first in (0, 1000, 2000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    log.wait(lambda events: sum(isinstance(event, Freed) for event in events) >= 180)
    workers.stop()
    opened = [first + number for first in (0, 1000, 2000) for number in range(60)]
    assert sorted(event.utterance for event in log.events if isinstance(event, Freed)) == opened
    assert workers.stats() == Stats(0, 0, 0)
    over: set[int] = set()
    for event in log.events:
        if not isinstance(event, Stats):
            assert event.utterance not in over, "nothing comes after Freed"
        if isinstance(event, Freed):
            over.add(event.utterance)


# -- parking ------------------------------------------------------------------------------------------------


class Chunked(Gated):
    """Three chunks of 100 ms for every piece, each behind a gate "NAME/NUMBER"."""

    def synthesize(self, piece: TextPiece, request: Open, cancellation: Cancellation) -> Iterator[AudioChunk]:
        self.started.put(piece.text)
        for number in range(3):
            assert self._gate(f"{piece.text}/{number}").wait(PATIENCE_S)
            pcm = np.full(RATE // 10, number, np.float32)
            yield AudioChunk(piece.segment, pcm, RATE, last_of_segment=number == 2)
        self.ended.append(piece.text)

    def open_all(self, name: str) -> None:
        self.open(*(f"{name}/{number}" for number in range(3)))


@contextmanager
def chunked() -> Iterator[tuple[Bench, Chunked]]:
    with bench() as b:
        synthesizer = Chunked()
        b.synthesizer = b.workers._synthesizer = synthesizer
        yield b, synthesizer


def levels(log: Log, utterance: int) -> list[float]:
    """The chunks of an utterance, told by their level."""
    return [float(e.audio.pcm[0]) for e in log.events if isinstance(e, Chunk) and e.utterance == utterance]


def test_what_can_wait_is_parked_between_chunks_for_what_cannot() -> None:
    with chunked() as (b, synthesizer):
        b.speak(1, "patient", deadline=50)
        assert synthesizer.next_started() == "patient"
        b.speak(2, "urgent", deadline=10)
        b.speak(3, "idle", deadline=90)
        synthesizer.open("patient/0")
        assert synthesizer.next_started() == "urgent"
        assert levels(b.log, 1) == [0] and synthesizer.ended == []
        for name in ("urgent", "patient", "idle"):
            synthesizer.open_all(name)
        b.log.wait_freed(1, 2, 3)
        assert synthesizer.ended == ["urgent", "patient", "idle"]
        assert levels(b.log, 1) == levels(b.log, 2) == levels(b.log, 3) == [0, 1, 2]


def test_nothing_is_begun_beyond_what_was_granted_and_what_is_begun_is_finished() -> None:
    with chunked() as (b, synthesizer):
        for name in ("long", "sentinel", "next"):
            synthesizer.open_all(name)
        b.speak(1, "long", "next", grant=150)
        b.speak(2, "sentinel", deadline=99)
        assert [synthesizer.next_started() for _ in range(2)] == ["long", "sentinel"]
        b.log.wait_freed(2)
        assert levels(b.log, 1) == [0, 1, 2], "a piece is made to its end, and the next one not begun"
        b.grant(1, 350, 0)
        assert synthesizer.next_started() == "next"
        b.log.wait_freed(1)
        assert levels(b.log, 1) == [0, 1, 2] * 2


def test_what_was_put_aside_is_finished_though_no_more_of_it_was_granted() -> None:
    with chunked() as (b, synthesizer):
        b.speak(1, "patient", grant=1, deadline=50)
        assert synthesizer.next_started() == "patient"
        b.speak(2, "urgent", deadline=10)
        for name in ("urgent", "patient"):
            synthesizer.open_all(name)
        b.log.wait_freed(1, 2)
        assert synthesizer.ended == ["urgent", "patient"]
        assert levels(b.log, 1) == [0, 1, 2]


def test_the_first_sound_of_one_who_came_at_once_goes_before_the_second_of_another() -> None:
    """The grant that tells how much later the second is needed is still on its way."""
    with chunked() as (b, synthesizer):
        b.speak(1, "first", deadline=0)
        assert synthesizer.next_started() == "first"
        b.speak(2, "second", deadline=0.05)
        b.speak(3, "third", deadline=3600)
        synthesizer.open("first/0")
        assert synthesizer.next_started() == "second"
        for name in ("first", "second", "third"):
            synthesizer.open_all(name)
        b.log.wait_freed(1, 2, 3)
        assert synthesizer.ended[2] == "third"


def test_no_more_than_a_few_pieces_are_put_aside() -> None:
    """What a synthesizer holds of a piece may be large; so of a crowd most speak to their end."""
    with chunked() as (b, synthesizer):
        names = [f"piece-{number}" for number in range(9)]
        for number, name in enumerate(names):
            b.speak(number + 1, name, deadline=100 - number)
            if number:
                synthesizer.open(f"{names[number - 1]}/0")
            assert synthesizer.next_started() == name
        b.speak(99, "latest", deadline=1)
        synthesizer.open_all(names[8])
        assert synthesizer.next_started() == "latest"
        assert synthesizer.ended == [names[8]], "eight are put aside already: the ninth spoke to its end"
        for name in ("latest", *names[:8]):
            synthesizer.open_all(name)
        b.log.wait_freed(99, *range(1, 10))
        assert synthesizer.ended == [names[8], "latest", *reversed(names[:8])]


def test_a_cancel_frees_what_is_parked() -> None:
    with chunked() as (b, synthesizer):
        b.speak(1, "long", deadline=50)
        assert synthesizer.next_started() == "long"
        b.speak(2, "urgent", deadline=10)
        synthesizer.open("long/0")
        assert synthesizer.next_started() == "urgent"
        b.workers.handle(Cancel(1))
        b.log.wait_freed(1)
        assert b.log.of(1) == ["Chunk", "Freed"] and synthesizer.ended == []
        synthesizer.open_all("urgent")
