"""What was lost with the engine is started again, as long as nothing of it was heard."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.engines.engine import Cancel, Feed, Finish, Grant, Open
from realtime.errors import ErrorCode
from realtime.speech.urgent_threads import UrgentThreads
from realtime.types import AudioChunk, Failed, Finished, Packet
from tests.speech.by_hand import HandEngine
from tests.speech.house import House, house_of
from tests.speech.sounds import until
from tests.speech.test_synthesis import PARTS, TEXT, Stage, same

SECOND = np.full(24_000, 0.5, np.float32)


class TestSyntheses:
    def test_one_that_waited_is_started_again_as_often_as_it_is_lost(self) -> None:
        s = Stage()
        ear = s.listen(ms=700)
        for number in range(1, 20):
            s.engine.lose(number, begun=False)
            assert s.engine.commands[-5:] == [
                Cancel(number),
                Open(number + 1, "tone", "en"),
                Feed(number + 1, TEXT),
                Finish(number + 1),
                Grant(number + 1, 700, 110.0),
            ]
        assert ear.take() is None and ear.news == 0
        s.make(*PARTS)
        assert same(ear.sounds(), PARTS)
        ear.listening.close()
        s.check_idle()

    def test_one_that_was_begun_is_started_again_once(self) -> None:
        s = Stage()
        ears = [s.listen(), s.listen()]
        s.engine.lose(1, begun=False)
        s.engine.lose(2, begun=True)
        s.engine.lose(3, begun=False)
        assert len(s.engine.opened()) == 4 and [ear.take() for ear in ears] == [None, None]
        s.engine.lose(4, begun=True)
        assert len(s.engine.opened()) == 4
        assert [ear.failure for ear in ears if ear.take()] == ["the engine is lost"] * 2
        for ear in ears:
            ear.listening.close()
        s.check_idle()
        s.listen()
        assert len(s.engine.opened()) == 5, "who asks for it later may be luckier"

    @pytest.mark.parametrize("begun", [True, False])
    def test_one_that_has_sounded_fails_after_its_sound(self, begun: bool) -> None:
        s = Stage()
        ear = s.listen()
        s.make(PARTS[0])
        s.engine.lose(1, begun=begun)
        assert same(ear.sounds(), PARTS[:1]) and ear.failure == "the engine is lost"
        assert len(s.engine.opened()) == 1
        ear.listening.close()
        s.check_idle()

    def test_all_who_have_joined_hear_what_was_started_again(self) -> None:
        s = Stage()
        early = [s.listen(ms=300), s.listen(ms=900)]
        s.engine.lose(1, begun=True)
        assert s.engine.grants(2) == [(900, 110.0)], "what all of them want is granted again"
        late = s.listen(ms=300)
        s.make(*PARTS)
        for ear in (*early, late):
            assert same(ear.sounds(), PARTS)
            ear.listening.close()
        assert s.cache.stats.entries == 1
        s.check_idle()

    def test_all_words_so_far_are_fed_again_and_then_the_rest(self) -> None:
        s = Stage()
        words = [TEXT] * 5
        ear = s.join(is_segment=False)
        ear.listening.feed(words[0])
        ear.listening.grant(1000, 110.0)
        ear.listening.feed(words[1])
        s.engine.lose(1, begun=True)
        ear.listening.feed(words[2])
        s.engine.lose(2, begun=False)
        assert s.engine.fed(3) == words[:3] and not any(isinstance(c, Finish) for c in s.engine.commands)
        s.make(*PARTS)
        ear.listening.feed(words[3])
        ear.listening.finish()
        assert s.engine.fed(3) == words[:4]
        s.engine.free(3)
        assert same(ear.sounds(), PARTS) and ear.failure is None
        ear.listening.close()
        s.check_idle()

    def test_what_was_only_prepared_is_prepared_again(self) -> None:
        s = Stage()
        ear = s.join()
        ear.listening.feed(TEXT)
        ear.listening.prepare()
        s.engine.lose(1, begun=False)
        assert s.engine.fed(2) == [TEXT] and s.engine.grants(2) == []
        ear.listening.close()
        s.check_idle(freed=1)

    def test_a_cancelled_one_is_not_started_again(self) -> None:
        s = Stage()
        ear = s.listen()
        ear.listening.close()
        s.engine.lose(1, begun=True)
        assert len(s.engine.opened()) == 1
        s.check_idle(freed=1)

    def test_the_shared_cache_may_still_answer(self) -> None:
        s = Stage(shared=True)
        ear = s.listen()
        s.engine.lose(1, begun=True)
        s.lookups.answer(None)
        assert len(s.engine.opened()) == 2
        s.make(*PARTS)
        assert same(ear.sounds(), PARTS)

    def test_an_engine_that_is_lost_while_it_is_asked_is_not_asked_for_ever(self) -> None:
        s = Stage()

        def lose(command: object) -> None:
            if isinstance(command, Open):
                s.engine.lose(command.utterance, begun=False)

        s.engine.on_command = lose
        ear = s.listen()
        assert ear.take() is not None and len(s.engine.opened()) == 1
        ear.listening.close()
        s.check_idle()

    def test_a_text_that_the_engine_dies_of_takes_nobody_along(self) -> None:
        """The engine works on one at a time; all others only wait when it dies."""
        s = Stage()
        poison = s.listen("poison")
        others = [s.listen(f"other {number}") for number in range(5)]
        deaths = 0
        while poison.take() is None:
            running = sorted(s.scheduler._held)
            at_work = poison.listening._synthesis._utterance
            assert at_work is not None
            for number in running:
                s.engine.lose(number, begun=number == at_work.number)
            deaths += 1
        assert deaths == 2 and poison.failure == "the engine is lost"
        for number in sorted(s.scheduler._held):
            s.make(*PARTS, utterance=number)
        assert all(same(ear.sounds(), PARTS) for ear in others)
        for ear in (poison, *others):
            ear.listening.close()
        s.check_idle()


class TestSpeakers:
    """As a client hears it: nothing at all, or that it has failed."""

    async def test_a_listener_notices_nothing_but_the_wait(self, executor: UrgentThreads) -> None:
        engine = HandEngine()
        async with house_of(engine, executor) as house:
            talk = house.speaker().start("One is here. Two is here.")
            await until(lambda: len(engine.opened()) == 2)
            one, two = engine.number_of("One is here."), engine.number_of("Two is here.")
            engine.lose(one, begun=True)
            engine.lose(two, begun=False)
            engine.make(engine.number_of("One is here."), AudioChunk(0, SECOND, 24_000))
            await talk.until(lambda event: isinstance(event, Packet))
            engine.lose(engine.number_of("Two is here."), begun=True)
            engine.make(engine.number_of("Two is here."), AudioChunk(1, SECOND, 24_000))
            assert isinstance((await talk.rest())[-1], Finished)
            await self._nothing_is_left(house, engine)

    async def test_one_who_has_heard_a_part_of_it_is_told(self, executor: UrgentThreads) -> None:
        engine = HandEngine()
        async with house_of(engine, executor) as house:
            talk = house.speaker().start("One is here.")
            await until(lambda: bool(engine.opened()))
            engine.make(1, AudioChunk(0, SECOND, 24_000, last_of_segment=False))
            await talk.until(lambda event: isinstance(event, Packet))
            engine.lose(1, begun=True)
            failed = (await talk.rest())[-1]
            assert isinstance(failed, Failed) and failed.code is ErrorCode.ENGINE_FAILED
            await self._nothing_is_left(house, engine)

    @staticmethod
    async def _nothing_is_left(house: House, engine: HandEngine) -> None:
        for number in sorted(house.scheduler._held):
            engine.free(number)
        await house.settled()
        assert (house.scheduler.admitted, house.scheduler.queue_depth) == (0, 0)
