"""Sounds that are shared: synthesized once for all who want them, and nothing left when the last one goes."""

from __future__ import annotations

import asyncio
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.engines.engine import Chunk, Command, Failure, Feed, Finish, Grant, Open
from realtime.speech.cache import AudioCache, CachedSound
from realtime.speech.scheduler import Scheduler
from realtime.speech.synthesis import Listening, Syntheses
from realtime.types import AudioChunk
from tests.speech.by_hand import RATE, HandClock, HandEngine, HandShared, sound_of
from tests.speech.sounds import piece

TEXT = piece(0, "It is noon.")
PARTS = sound_of(300, 500, 200)


class Ear:
    """One who listens, and all that it has heard."""

    def __init__(self) -> None:
        self.heard: list[Chunk | Failure] = []
        self.news = 0
        self.listening: Listening

    def on_change(self) -> None:
        self.news += 1

    def take(self, has_room: bool = True) -> Chunk | Failure | None:
        event = self.listening.take(has_room)
        if event is not None:
            self.heard.append(event)
        return event

    def sounds(self) -> list[AudioChunk]:
        """Take all there is; the sound so far."""
        while isinstance(self.take(), Chunk):
            pass
        return [event.audio for event in self.heard if isinstance(event, Chunk)]

    @property
    def failure(self) -> str | None:
        return next((event.message for event in self.heard if isinstance(event, Failure)), None)


class Stage:
    """A scheduler on an engine by hand, and what is shared of it."""

    def __init__(self, *, max_bytes: int = 2**24, shared: bool = False) -> None:
        self.engine = HandEngine()
        self.clock = HandClock()
        self.freed: list[int] = []  # that were cancelled
        self.scheduler = Scheduler(self.engine, self.clock, 10, lambda number, _: self.freed.append(number))
        asyncio.run(self.scheduler.start())
        self.shared = HandShared() if shared else None
        self.cache = AudioCache(max_bytes, 100 if max_bytes else 0, self.shared)
        self.syntheses = Syntheses(self.cache, self.clock)

    @property
    def lookups(self) -> HandShared:
        assert self.shared is not None
        return self.shared

    def join(self, key: str | None = "noon", *, is_segment: bool = True) -> Ear:
        ear = Ear()
        open_utterance = partial(self.scheduler.open, "tone", "en")
        ear.listening = self.syntheses.listen(key, open_utterance, ear.on_change, is_segment=is_segment)
        return ear

    def listen(
        self, key: str | None = "noon", *, ms: int = 1000, deadline: float = 110.0, urgent: bool = True
    ) -> Ear:
        """Listen to one segment, granted at once."""
        ear = self.join(key)
        ear.listening.feed(TEXT)
        ear.listening.finish()
        ear.listening.grant(ms, deadline, urgent=urgent)
        return ear

    def make(self, *parts: AudioChunk, utterance: int | None = None) -> None:
        for part in parts:
            self.engine.make(utterance or len(self.engine.opened()), part)

    def check_idle(self, freed: int = 0) -> None:
        """Nobody listens any more: what is held is what the engine has not freed yet, and nothing else."""
        assert self.syntheses._under_way == {}
        assert self.scheduler._listeners == {}
        cancels = self.engine.cancels()
        assert len(cancels) == len(set(cancels)), "each at most once"
        for number in sorted(self.scheduler._held):
            self.engine.free(number)
        assert not self.scheduler._held and not self.scheduler._cancelled_at
        assert len(self.freed) == freed, "of these it was told how long they took to be freed"


def same(heard: list[AudioChunk], made: tuple[AudioChunk, ...]) -> bool:
    return len(heard) == len(made) and all(
        np.array_equal(one.pcm, other.pcm) and one.last_of_segment == other.last_of_segment
        for one, other in zip(heard, made, strict=True)
    )


class TestTogether:
    def test_equal_requests_at_the_same_time_are_synthesized_once(self) -> None:
        s = Stage()
        ears = [s.listen() for _ in range(5)]
        assert s.engine.commands == [
            Open(1, "tone", "en"),
            Feed(1, TEXT),
            Finish(1),
            Grant(1, 1000, 110.0),
        ]
        s.make(*PARTS)
        assert all(same(ear.sounds(), PARTS) and ear.news == 3 for ear in ears)
        assert [ear.listening.cached for ear in ears] == [False, True, True, True, True]
        for ear in ears:
            ear.listening.close()
        assert s.engine.cancels() == [1], "the engine may let go of it"
        s.check_idle()

    def test_what_is_complete_is_found_by_those_who_come_later(self) -> None:
        s = Stage()
        first = s.listen()
        s.make(*PARTS)
        while_it_is_taken, first_heard = s.listen(), first.sounds()
        first.listening.close()
        later = s.listen()
        for ear in (while_it_is_taken, later):
            assert ear.listening.cached and same(ear.sounds(), PARTS)
            ear.listening.close()
        assert same(first_heard, PARTS) and len(s.engine.opened()) == 1
        s.check_idle()

    def test_who_comes_late_hears_it_from_the_beginning(self) -> None:
        s = Stage()
        first = s.listen()
        s.make(*PARTS[:2])
        assert same(first.sounds(), PARTS[:2])
        late = s.listen()
        assert same(late.sounds(), PARTS[:2])
        s.make(PARTS[2])
        later = s.listen()
        for ear in (first, late, later):
            assert same(ear.sounds(), PARTS)
        assert len(s.engine.opened()) == 1

    def test_the_first_who_hangs_up_in_the_middle_stops_nobody(self) -> None:
        s = Stage()
        first, second, third = s.listen(), s.listen(), s.listen()
        s.make(PARTS[0])
        first.sounds()
        first.listening.close()
        first.listening.close()
        assert s.engine.cancels() == []
        s.make(PARTS[1])
        late = s.listen()
        s.make(PARTS[2])
        for ear in (second, third, late):
            assert same(ear.sounds(), PARTS)
        assert first.news == 1, "it is told nothing any more"

    def test_the_last_who_leaves_cancels_it(self) -> None:
        s = Stage()
        ears = [s.listen() for _ in range(3)]
        s.make(PARTS[0])
        for ear in ears:
            assert s.engine.cancels() == []
            ear.listening.close()
        assert s.engine.cancels() == [1] and s.syntheses._under_way == {}
        s.make(PARTS[1], PARTS[2], utterance=1)  # was under way
        s.check_idle(freed=1)
        assert s.freed == [1] and s.cache.stats.entries == 0
        assert [ear.news for ear in ears] == [1, 1, 1]
        again = s.listen()
        assert len(s.engine.opened()) == 2 and not again.listening.cached

    def test_who_comes_before_the_engine_has_freed_it_begins_anew(self) -> None:
        s = Stage()
        s.listen().listening.close()
        again = s.listen()
        s.make(PARTS[0], utterance=1)
        s.engine.free(1)
        assert again.take() is None and again.news == 0
        s.make(*PARTS, utterance=2)
        assert same(again.sounds(), PARTS)

    def test_nothing_is_made_before_a_grant(self) -> None:
        s = Stage()
        ear = s.join()
        ear.listening.feed(TEXT)
        ear.listening.finish()
        assert s.engine.commands == [] and ear.take() is None
        ear.listening.close()
        assert s.engine.commands == []
        s.check_idle()

    def test_the_engine_may_get_ready_before_a_grant(self) -> None:
        s = Stage()
        ear = s.join()
        ear.listening.feed(TEXT)
        ear.listening.finish()
        ear.listening.prepare()
        ear.listening.prepare()
        assert s.engine.commands == [Open(1, "tone", "en"), Feed(1, TEXT), Finish(1)]
        ear.listening.grant(700, 120.0)
        assert s.engine.commands[3:] == [Grant(1, 700, 120.0)]
        ear.listening.close()
        s.check_idle(freed=1)

    def test_other_texts_are_others(self) -> None:
        s = Stage()
        one, other = s.listen("one"), s.listen("other")
        s.make(*PARTS, utterance=2)
        assert one.take() is None and one.news == 0
        assert same(other.sounds(), PARTS)

    @pytest.mark.parametrize(("max_bytes", "key"), [(2**24, None), (0, "noon")])
    def test_one_for_itself_shares_nothing(self, max_bytes: int, key: str | None) -> None:
        s = Stage(max_bytes=max_bytes)
        ears = [s.listen(key), s.listen(key)]
        assert len(s.engine.opened()) == 2
        for number, ear in enumerate(ears, start=1):
            s.make(*PARTS, utterance=number)
            assert same(ear.sounds(), PARTS) and not ear.listening.cached
            ear.listening.close()
        s.check_idle()
        s.listen(key)
        assert len(s.engine.opened()) == 3 and s.cache.stats.entries == 0


class TestGrants:
    def test_as_much_as_the_one_who_wants_most_for_the_one_who_needs_it_first(self) -> None:
        s = Stage()
        slow = s.listen(ms=100, deadline=150.0)
        quick = s.listen(ms=400, deadline=120.0)
        greedy = s.listen(ms=5000, deadline=180.0)
        assert s.engine.grants(1) == [(100, 150.0), (400, 120.0), (5000, 120.0)]
        quick.listening.grant(900, 130.0)
        assert s.engine.grants(1)[-1] == (5000, 130.0)
        slow.listening.grant(100, 125.0)
        assert s.engine.grants(1)[-1] == (5000, 125.0)
        greedy.listening.grant(50, 180.0)
        assert len(s.engine.grants(1)) == 5, "nothing is said twice"

    def test_a_little_more_is_told_when_what_was_granted_runs_out(self) -> None:
        """Each message wakes the engine."""
        s = Stage()
        ear = s.listen(ms=1200, deadline=150.0)
        ear.listening.grant(1900, 150.01)
        assert s.engine.grants(1) == [(1200, 150.0)], "a second of it is left, and the deadline is the same"
        s.make(PARTS[0])
        assert s.engine.grants(1) == [(1200, 150.0), (1900, 150.01)]

    def test_after_each_chunk_the_deadline_is_said_again(self) -> None:
        """The engine has moved it on by the length of the chunk, of which perhaps nothing was heard."""
        s = Stage()
        ear = s.listen(ms=5000, deadline=150.0)
        s.make(PARTS[0])
        assert s.engine.grants(1) == [(5000, 150.0)]
        ear.listening.grant(5000, 150.0)
        assert s.engine.grants(1) == [(5000, 150.0)] * 2
        ear.listening.grant(5000, 150.0)
        assert len(s.engine.grants(1)) == 2

    def test_who_was_granted_nothing_holds_back_nobody(self) -> None:
        s = Stage()
        idle = s.join()
        idle.listening.feed(TEXT)
        idle.listening.finish()
        busy = s.listen(ms=5000, deadline=200.0)
        assert s.engine.grants(1) == [(5000, 200.0)]
        s.make(*PARTS)
        assert same(busy.sounds(), PARTS)
        assert same(idle.sounds(), PARTS), "and it may have what is there"

    def test_who_does_not_take_holds_back_nobody(self) -> None:
        s = Stage()
        asleep, awake = s.listen(ms=1), s.listen(ms=1)
        for made, part in enumerate(PARTS):
            awake.listening.grant(1000 * (made + 1), 100.0 + made)
            s.make(part)
            assert awake.take() is not None
        assert same(awake.sounds(), PARTS) and asleep.heard == []
        awake.listening.close()
        assert same(asleep.sounds(), PARTS)

    def test_the_need_of_one_who_has_left_counts_no_more(self) -> None:
        """Else a request that was hung up would still hurry the engine, before those who wait."""
        s = Stage()
        hasty, patient = s.listen(ms=2000, deadline=101.0), s.listen(ms=1000, deadline=150.0)
        assert s.engine.grants(1)[-1] == (2000, 101.0)
        hasty.listening.close()
        assert s.engine.grants(1)[-1][1] == patient.listening.deadline

    def test_the_need_of_one_who_has_all_it_was_granted_counts_no_more(self) -> None:
        """Else a client that has paused would hurry the engine for all who want more."""
        s = Stage()
        paused = s.listen(ms=300, deadline=101.0)
        s.make(PARTS[0])
        paused.sounds()
        other = s.listen(ms=2000, deadline=150.0)
        assert s.engine.grants(1)[-1] == (2000, 150.0)
        paused.listening.grant(600, 140.0)
        assert s.engine.grants(1)[-1] == (2000, 140.0)
        s.make(PARTS[1])
        assert s.engine.grants(1)[-1] == (2000, other.listening.deadline)


class TestFailure:
    def test_it_reaches_all_and_a_later_request_tries_anew(self) -> None:
        s = Stage()
        ears = [s.listen(), s.listen()]
        s.make(PARTS[0])
        ears[0].sounds()
        s.engine.fail(1)
        for ear in ears:
            assert same(ear.sounds(), PARTS[:1])
            assert ear.failure == "the voice is gone" and ear.news == 2
            assert isinstance(ear.take(), Failure), "it stays so"
        late = s.listen()
        assert len(s.engine.opened()) == 2 and late.take() is None
        s.make(*PARTS)
        assert same(late.sounds(), PARTS)
        for ear in (*ears, late):
            ear.listening.close()
        s.check_idle()

    def test_it_is_told_without_room(self) -> None:
        s = Stage()
        ear = s.listen()
        s.make(PARTS[0])
        assert ear.take(has_room=False) is None and ear.take() is not None
        s.engine.fail(1)
        assert isinstance(ear.take(has_room=False), Failure)

    def test_it_comes_after_the_sound_that_was_made_before(self) -> None:
        s = Stage()
        ear = s.listen()
        s.make(PARTS[0])
        s.engine.fail(1)
        assert ear.take(has_room=False) is None
        assert isinstance(ear.take(), Chunk)
        assert isinstance(ear.take(has_room=False), Failure)

    def test_it_is_no_cancel(self) -> None:
        s = Stage()
        ear = s.listen()
        s.engine.on_event(Failure(1, "no"))
        ear.listening.close()
        s.engine.free(1)
        s.check_idle(freed=0)

    def test_an_engine_that_fails_it_while_it_is_opened(self) -> None:
        """An engine made of several does: it knows at once that none of them has the voice."""
        s = Stage()

        def refuse(command: Command) -> None:
            if isinstance(command, Open):
                s.engine.fail(command.utterance)

        s.engine.on_command = refuse
        first = s.listen()
        assert first.take() == Failure(1, "the voice is gone")
        first.listening.close()
        s.check_idle()
        assert s.cache.stats.entries == 0
        s.engine.on_command = lambda command: None
        again = s.listen()
        assert len(s.engine.opened()) == 2 and not again.listening.cached
        s.make(*PARTS)
        assert same(again.sounds(), PARTS)

    @pytest.mark.parametrize("parts", [0, 1])
    def test_an_engine_that_stops_before_the_end(self, parts: int) -> None:
        """A segment without an end is not waited for for ever, and not kept."""
        s = Stage()
        ears = [s.listen(), s.listen()]
        s.make(*PARTS[:parts])
        s.engine.free(1)
        for ear in ears:
            assert same(ear.sounds(), PARTS[:parts]) and ear.failure is not None
            ear.listening.close()
        s.check_idle()
        assert s.cache.stats.entries == 0
        s.listen()
        assert len(s.engine.opened()) == 2


class TestTooLarge:
    """A cache of 8 MB keeps sounds of up to 1 MB: 10.9 s of sound."""

    SECONDS = sound_of(*([1000] * 20))

    def stage(self, *, shared: bool = False) -> Stage:
        s = Stage(max_bytes=2**23, shared=shared)
        assert 10 * 96_000 < s.cache.largest < 11 * 96_000
        return s

    def test_it_is_neither_kept_nor_joined(self) -> None:
        s = self.stage()
        first, second = s.listen(), s.listen()
        s.make(*self.SECONDS[:10])
        third = s.listen()
        assert len(s.engine.opened()) == 1
        s.make(*self.SECONDS[10:12])
        late = s.listen()
        assert len(s.engine.opened()) == 2
        s.make(*self.SECONDS[12:], utterance=1)
        s.make(*self.SECONDS, utterance=2)
        for ear in (first, second, third, late):
            assert same(ear.sounds(), self.SECONDS)
            ear.listening.close()
        assert s.cache.stats.entries == 0
        s.check_idle()

    def test_its_log_does_not_grow(self) -> None:
        s = self.stage()
        quick, slow = s.listen(), s.listen()
        for number, part in enumerate(self.SECONDS):
            s.make(part)
            quick.take()
            if number >= 3:
                slow.take()
            log = quick.listening._synthesis._log
            assert len(log) <= (number + 1 if number < 10 else 4), number
        assert same(quick.sounds(), self.SECONDS) and same(slow.sounds(), self.SECONDS)
        assert quick.listening._synthesis._log == []

    def test_one_for_itself_keeps_nothing_that_was_taken(self) -> None:
        s = Stage()
        ear = s.listen(None)
        for part in self.SECONDS:
            s.make(part)
            ear.take()
            assert ear.listening._synthesis._log == []
        assert same(ear.sounds(), self.SECONDS)

    @pytest.mark.parametrize("taken", [True, False])
    def test_a_late_answer_of_the_shared_cache_gives_nothing_twice(self, taken: bool) -> None:
        """Another server may keep what is too large for this one."""
        s = self.stage(shared=True)
        ear = s.listen()
        for part in self.SECONDS[:12]:
            s.make(part)
            if taken:
                ear.take()
        s.lookups.answer(CachedSound(self.SECONDS))
        s.make(*self.SECONDS[12:])
        assert same(ear.sounds(), self.SECONDS)
        ear.listening.close()
        s.check_idle()


class TestLookup:
    """In a cache that servers share: nothing waits for it that is needed now."""

    FOUND = CachedSound(sound_of(400, 600, level=0.25))

    def test_what_is_urgent_is_not_delayed(self) -> None:
        s = Stage(shared=True)
        ear = s.listen()
        assert s.lookups.asked == ["noon"] and len(s.engine.opened()) == 1
        s.make(*PARTS)
        assert same(ear.sounds(), PARTS) and not ear.listening.cached
        s.lookups.answer(None)
        ear.listening.close()
        s.check_idle()
        assert list(s.lookups.kept) == ["noon"], "the next server finds it"

    @pytest.mark.parametrize("urgent", [True, False])
    def test_what_is_found_before_the_first_sound_is_taken_instead(self, urgent: bool) -> None:
        s = Stage(shared=True)
        ears = [s.listen(urgent=urgent), s.listen(urgent=urgent)]
        assert len(s.engine.opened()) == urgent
        s.lookups.answer(self.FOUND)
        assert s.engine.cancels() == ([1] if urgent else [])
        if urgent:
            s.make(PARTS[0])  # was under way
            s.engine.free(1)
        for ear in ears:
            assert ear.news == 1 and ear.listening.cached
            assert same(ear.sounds(), self.FOUND.chunks)
            ear.listening.close()
        s.check_idle(freed=int(urgent))
        assert s.lookups.kept == {}, "it is there already"
        later = s.listen()
        assert same(later.sounds(), self.FOUND.chunks) and len(s.lookups.asked) == 1

    def test_what_is_found_after_the_first_sound_comes_too_late(self) -> None:
        s = Stage(shared=True)
        ear = s.listen()
        s.make(PARTS[0])
        s.lookups.answer(self.FOUND)
        late = s.listen()
        assert s.engine.cancels() == []
        s.make(*PARTS[1:])
        assert same(ear.sounds(), PARTS) and same(late.sounds(), PARTS)

    def test_what_is_found_after_the_end_comes_too_late(self) -> None:
        s = Stage(shared=True)
        ear = s.listen()
        s.make(*PARTS)
        s.lookups.answer(self.FOUND)
        assert same(ear.sounds(), PARTS)

    def test_what_is_found_after_a_failure_comes_too_late(self) -> None:
        s = Stage(shared=True)
        ear = s.listen()
        s.engine.fail(1)
        s.lookups.answer(self.FOUND)
        assert ear.sounds() == [] and ear.failure is not None
        ear.listening.close()
        s.check_idle()

    def test_what_is_found_when_nobody_listens_any_more(self) -> None:
        s = Stage(shared=True)
        s.listen(urgent=False).listening.close()
        s.lookups.answer(self.FOUND)
        assert s.engine.commands == []
        s.check_idle()

    def test_an_answer_for_those_who_have_left_is_none_for_those_who_came_after(self) -> None:
        s = Stage(shared=True)
        s.listen(urgent=False).listening.close()
        again = s.listen(urgent=False)
        assert s.lookups.unanswered == {"noon": 2}
        s.lookups.answer(None)
        assert len(s.engine.opened()) == 1
        s.make(*PARTS)
        assert same(again.sounds(), PARTS)

    def test_what_is_not_urgent_waits_for_the_answer(self) -> None:
        s = Stage(shared=True)
        ear = s.listen(ms=1, deadline=115.0, urgent=False)
        ear.listening.grant(1, 116.0, urgent=False)
        assert s.engine.commands == []
        s.lookups.answer(None)
        assert [type(command) for command in s.engine.commands] == [Open, Feed, Finish, Grant]
        assert s.engine.grants(1) == [(1, 116.0)]
        s.make(*PARTS)
        assert same(ear.sounds(), PARTS) and not ear.listening.cached

    def test_what_becomes_urgent_waits_no_longer(self) -> None:
        s = Stage(shared=True)
        ear = s.listen(urgent=False)
        ear.listening.grant(2000, 105.0)
        assert s.engine.grants(1) == [(2000, 105.0)]
        s.lookups.answer(None)
        assert len(s.engine.opened()) == 1

    def test_what_another_needs_now_waits_no_longer(self) -> None:
        s = Stage(shared=True)
        ahead, head = s.listen(ms=1, deadline=115.0, urgent=False), s.listen(ms=2000, deadline=105.0)
        assert s.engine.grants(1)[-1] == (2000, 105.0)
        s.make(*PARTS)
        assert same(ahead.sounds(), PARTS) and same(head.sounds(), PARTS)

    def test_an_answer_without_a_grant_starts_nothing(self) -> None:
        s = Stage(shared=True)
        ear = s.join()
        ear.listening.feed(TEXT)
        ear.listening.finish()
        s.lookups.answer(None)
        assert s.engine.commands == []
        ear.listening.grant(1, 110.0, urgent=False)
        assert len(s.engine.opened()) == 1

    def test_no_answer_at_all(self) -> None:
        s = Stage(shared=True)
        ear = s.listen(urgent=False)
        ear.listening.close()
        s.check_idle()
        ear = s.listen()
        s.make(*PARTS)
        assert same(ear.sounds(), PARTS)
        ear.listening.close()
        s.check_idle()

    def test_a_lost_one_is_not_asked(self) -> None:
        s = Stage(shared=True)
        s.lookups.available = False
        ear = s.listen(urgent=False)
        assert s.lookups.asked == [] and len(s.engine.opened()) == 1
        s.make(*PARTS)
        assert same(ear.sounds(), PARTS)

    def test_what_is_in_memory_is_not_looked_for(self) -> None:
        s = Stage(shared=True)
        s.cache.keep_sound("noon", self.FOUND)
        assert same(s.listen().sounds(), self.FOUND.chunks)
        assert s.lookups.asked == [] and s.engine.commands == []


class TestUtterances:
    """A whole text as one sound: it is fed as its text is cut, and over when the engine says so."""

    WORDS = tuple(piece(number, f"Word {number}.") for number in range(4))
    SOUNDS = tuple(sound_of(100, segment=number)[0] for number in range(4))

    def test_it_is_over_when_the_engine_has_freed_it(self) -> None:
        s = Stage()
        ear = s.join(is_segment=False)
        ear.listening.grant(1000, 110.0)
        for word in self.WORDS:
            ear.listening.feed(word)
        ear.listening.finish()
        ear.listening.finish()
        s.make(*self.SOUNDS)
        assert s.cache.stats.entries == 0 and "noon" in s.syntheses._under_way
        s.engine.free(1)
        assert s.cache.stats.entries == 1 and s.engine.cancels() == []
        assert same(ear.sounds(), self.SOUNDS)
        assert s.engine.fed(1) == list(self.WORDS)
        assert sum(isinstance(command, Finish) for command in s.engine.commands) == 1
        ear.listening.close()
        s.check_idle()
        again = s.join(is_segment=False)
        assert again.listening.cached and same(again.sounds(), self.SOUNDS)

    def test_what_one_has_fed_the_others_need_not(self) -> None:
        s = Stage()
        first, second = s.join(is_segment=False), s.join(is_segment=False)
        first.listening.grant(1000, 110.0)
        first.listening.feed(self.WORDS[0])
        first.listening.feed(self.WORDS[1])
        second.listening.feed(self.WORDS[0])
        first.listening.close()
        second.listening.feed(self.WORDS[1])
        second.listening.feed(self.WORDS[2])
        third = s.join(is_segment=False)
        for word in self.WORDS:
            third.listening.feed(word)
        third.listening.finish()
        second.listening.feed(self.WORDS[3])
        second.listening.finish()
        assert s.engine.fed(1) == list(self.WORDS)
        s.make(*self.SOUNDS)
        s.engine.free(1)
        assert same(second.sounds(), self.SOUNDS) and same(third.sounds(), self.SOUNDS)

    def test_text_before_the_grant_is_kept_for_it(self) -> None:
        s = Stage()
        ear = s.join(is_segment=False)
        for word in self.WORDS[:2]:
            ear.listening.feed(word)
        ear.listening.grant(1000, 110.0)
        for word in self.WORDS[2:]:
            ear.listening.feed(word)
        assert s.engine.fed(1) == list(self.WORDS)

    def test_an_engine_that_frees_it_while_it_is_told_of_the_end(self) -> None:
        """An engine made of several does, when there was nothing to say."""
        s = Stage()

        def free(command: Command) -> None:
            if isinstance(command, Finish):
                s.engine.free(command.utterance)

        s.engine.on_command = free
        ear = s.join(is_segment=False)
        ear.listening.grant(1000, 110.0)
        ear.listening.finish()
        assert ear.take() is None
        ear.listening.grant(2000, 120.0)
        ear.listening.close()
        assert s.engine.cancels() == []
        s.check_idle()

    def test_one_that_is_cut_short_is_not_kept(self) -> None:
        s = Stage()
        ear = s.join(is_segment=False)
        ear.listening.grant(1000, 110.0)
        ear.listening.feed(self.WORDS[0])
        s.make(self.SOUNDS[0])
        ear.listening.close()
        s.engine.free(1)
        assert s.cache.stats.entries == 0
        s.check_idle(freed=1)


class World(Stage):
    """What may happen to a few keys in any order, and what must be true all the time."""

    #: Of three texts; the last is too large for the cache.
    TEXTS = (sound_of(100, 50, 80), sound_of(60), sound_of(*[400] * 8))

    def __init__(self, shared: bool, is_segment: bool) -> None:
        super().__init__(max_bytes=2**20, shared=shared)
        assert 2 * 38_400 < self.cache.largest < 8 * 38_400
        self.is_segment = is_segment
        self.ears: list[tuple[Ear, int]] = []
        self.made: dict[int, int] = {}  # chunks, by utterance
        self.text_of: dict[int, int] = {}
        self.failed: set[int] = set()

    def running(self) -> list[int]:
        """Utterances that the engine works on."""
        for command in self.engine.commands:
            if isinstance(command, Feed):
                self.text_of[command.utterance] = command.piece.segment
        over = {*self.engine.cancels(), *self.failed}
        return [number for number in self.text_of if number in self.scheduler._held and number not in over]

    def enter(self, text: int) -> None:
        ear = self.join(f"text {text}", is_segment=self.is_segment)
        ear.listening.feed(piece(text, f"Text {text}."))
        ear.listening.finish()
        self.ears.append((ear, text))

    def make_one(self, number: int) -> None:
        parts = self.TEXTS[self.text_of[number]]
        made = self.made.get(number, 0)
        if made < len(parts):
            self.made[number] = made + 1
            self.engine.make(number, parts[made])
        else:
            self.engine.free(number)

    def step(self, kind: str, which: int, ms: int) -> None:
        ear, _ = self.ears[which % len(self.ears)] if self.ears else (None, 0)
        running = self.running()
        if kind == "enter":
            self.enter(which % len(self.TEXTS))
        elif kind == "answer" and self.shared is not None and self.shared.unanswered:
            key = sorted(self.shared.unanswered)[which % len(self.shared.unanswered)]
            found = CachedSound(self.TEXTS[int(key.split()[1])]) if ms % 2 else None
            self.shared.answer(found, key)
        elif kind == "lose" and self.shared is not None:
            self.shared.available = bool(ms % 2)
        elif kind == "make" and running:
            self.make_one(running[which % len(running)])
        elif kind == "fail" and running:
            self.failed.add(running[which % len(running)])
            self.engine.fail(running[which % len(running)])
        elif kind == "crash":
            self.failed.update(running)
            for number in running:
                self.engine.lose(number, begun=bool(number % 3))
        elif kind == "free" and (held := self.scheduler._held - set(running)):
            number = sorted(held)[which % len(held)]
            if ms % 2 and number in self.text_of:  # a chunk that was under way
                self.engine.make(number, self.TEXTS[self.text_of[number]][0])
            self.engine.free(number)
        elif ear is None:
            return
        elif kind == "grant":
            ear.listening.grant(ms, 100.0 + which, urgent=bool(ms % 3))
        elif kind == "prepare":
            ear.listening.prepare()
        elif kind == "take":
            ear.take(has_room=bool(ms % 4))
        elif kind == "leave":
            self.ears = [each for each in self.ears if each[0] is not ear]
            ear.listening.close()

    def check(self) -> None:
        for ear, text in self.ears:
            heard = [event.audio for event in ear.heard if isinstance(event, Chunk)]
            assert same(heard, self.TEXTS[text][: len(heard)]), "in order, and nothing twice"
        cancels = self.engine.cancels()
        assert len(cancels) == len(set(cancels))
        small = [self.text_of[number] for number in self.running() if self.text_of[number] < 2]
        assert len(small) == len(set(small)), "no text is made twice at the same time"
        for number in self.running():
            listenings = [
                ear.listening
                for ear, _ in self.ears
                if (utterance := ear.listening._synthesis._utterance) and utterance.number == number
            ]
            assert listenings, "what nobody listens to is not made"
            made = self.TEXTS[self.text_of[number]][: self.made.get(number, 0)]
            made_ms = sum(len(part.pcm) * 1000 / RATE for part in made)
            wanting = [each for each in listenings if each.granted_ms > made_ms]
            if wanting:
                grants = self.engine.grants(number)
                assert max(ms for ms, _ in grants) >= max(each.granted_ms for each in wanting)
                assert grants[-1][1] == min(each.deadline for each in wanting)

    def end(self) -> None:
        """All who are left are granted everything; the engine works until nothing is to be done."""
        for ear, _ in self.ears:
            ear.listening.grant(100_000, 100.0)
        while running := self.running():
            self.make_one(running[0])
        for ear, text in self.ears:
            assert same(ear.sounds(), self.TEXTS[text]) or ear.failure is not None
            ear.listening.close()
        if self.shared is not None and self.shared.unanswered:
            self.shared.answer(CachedSound(self.TEXTS[0]))
        self.check_idle(freed=len(self.freed) + len(self.scheduler._cancelled_at))


OFTEN = ["enter", "enter", "enter", "grant", "grant", "take", "take", "make", "make", "make"]
SELDOM = ["leave", "fail", "crash", "free", "answer", "lose", "prepare"]


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(OFTEN + SELDOM),
            st.integers(0, 7),
            st.integers(1, 1000),
        ),
        max_size=120,
    ),
    st.booleans(),
    st.booleans(),
)
def test_whatever_happens_who_stays_hears_all_of_it_and_nothing_is_left(
    steps: list[tuple[str, int, int]], shared: bool, is_segment: bool
) -> None:
    world = World(shared, is_segment)
    for step in steps:
        world.step(*step)
        world.check()
    world.end()
    assert not world.scheduler._held
