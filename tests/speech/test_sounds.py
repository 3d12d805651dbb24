"""The sound of a context, by segments or in one go: its order, what is asked for when, and in which voice."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from realtime.engines.engine import Chunk, Failure, Feed, Finish, Grant, Open
from realtime.speech.cache import AudioCache, CachedSound
from realtime.speech.pace import AHEAD_S
from realtime.speech.scheduler import Scheduler
from realtime.speech.sounds import SegmentSounds, Sounds, UtteranceSounds, open_sounds
from realtime.speech.synthesis import Syntheses
from realtime.types import AudioChunk, TextPiece, VoiceReference, VoiceSettings
from tests.speech.by_hand import RATE, HandClock, HandEngine, HandShared, sound_of
from tests.speech.sounds import piece

TONE = VoiceSettings("tone", "en", seed=3)
ALONE = replace(TONE, cache=False)
REFERENCE = VoiceReference("00ff", "/somewhere/00ff.flac", "What is said in it.")
#: More than any of the texts here needs.
ALL = 1_000_000


class Setup:
    """The sounds of contexts on an engine by hand."""

    def __init__(self, *, shared: bool = False, **capabilities: object) -> None:
        self.engine = HandEngine(**capabilities)
        clock = HandClock()
        self.scheduler = Scheduler(self.engine, clock, 10)
        asyncio.run(self.scheduler.start())
        self.shared = HandShared()
        self.cache = AudioCache(2**26, 1000, self.shared if shared else None)
        self.syntheses = Syntheses(self.cache, clock)
        self.changes = 0

    def open(
        self, settings: VoiceSettings = TONE, whole_text: str | None = None, revision: str = "1"
    ) -> Sounds:
        def on_change() -> None:
            self.changes += 1

        return open_sounds(settings, self.scheduler, self.syntheses, revision, on_change, whole_text)

    def speak(self, text: str, *parts: AudioChunk) -> None:
        self.finish(self.engine.number_of(text), *parts)

    def finish(self, number: int, *parts: AudioChunk) -> None:
        """Make all sound of an utterance; the engine then lets go of it."""
        for part in parts:
            self.engine.make(number, part)
        self.engine.free(number)

    def check_idle(self) -> None:
        assert self.syntheses._under_way == {} and self.scheduler._listeners == {}
        assert set(self.engine.cancels()) >= self.scheduler._held, "it was told of all that it still holds"
        assert len(self.engine.cancels()) == len(set(self.engine.cancels()))


def sentence(number: int, letters: int = 12) -> TextPiece:
    """So many characters, other ones for each number."""
    return piece(number, f"{number:0>{letters - 1}}.", number * 100)


def spoken(sounds: Sounds, has_room: bool = True) -> list[AudioChunk]:
    taken: list[AudioChunk] = []
    while isinstance(event := sounds.take(has_room), Chunk):
        taken.append(event.audio)
    return taken


@pytest.mark.parametrize(
    ("takes", "context", "kind"),
    [
        ("segment", "segment", SegmentSounds),
        ("segment", "utterance", UtteranceSounds),
        ("word", "segment", UtteranceSounds),
        ("word", "utterance", UtteranceSounds),
    ],
)
def test_an_engine_is_asked_as_it_can_be_asked(takes: str, context: str, kind: type) -> None:
    assert isinstance(Setup(takes=takes, context=context).open(), kind)


class TestSegments:
    def test_each_is_an_utterance_of_its_own(self) -> None:
        s = Setup()
        sounds = s.open(replace(TONE, reference=REFERENCE))
        assert sounds.take(True) is None
        sounds.grant(ALL, 50.0)
        for number in range(3):
            sounds.feed(sentence(number))
        sounds.finish()
        heard: list[AudioChunk] = []
        for number in range(3):
            parts = sound_of(100, 200 + number)
            s.finish(number + 1, *parts)
            assert spoken(sounds) == list(parts)
            heard += parts
        assert s.engine.opened() == [
            Open(number, "tone", "en", seed=3, reference=REFERENCE) for number in (1, 2, 3)
        ]
        assert [s.engine.fed(number) for number in (1, 2, 3)] == [[sentence(number)] for number in range(3)]
        assert sum(isinstance(command, Finish) for command in s.engine.commands) == 3
        assert sounds.take(True) is None
        sounds.close()
        s.check_idle()
        assert not s.scheduler._held

    def test_they_come_in_the_order_of_the_text(self) -> None:
        s = Setup()
        sounds = s.open()
        sounds.grant(ALL, 50.0)
        sounds.feed(sentence(0))
        sounds.feed(sentence(1))
        first, second = sound_of(100, 50), sound_of(70)
        s.speak(sentence(1).text, *second)
        assert sounds.take(True) is None, "the first one is not there"
        s.engine.make(1, first[0])
        assert spoken(sounds) == [first[0]]
        s.engine.make(1, first[1])
        assert [event.pcm.tolist() for event in spoken(sounds)] == [
            first[1].pcm.tolist(),
            second[0].pcm.tolist(),
        ]

    def test_the_engine_is_asked_for_the_next_one_while_this_one_sounds(self) -> None:
        s = Setup()
        sounds = s.open(ALONE)
        sounds.grant(5000, 50.0)
        for number in range(100):
            sounds.feed(sentence(number))
        assert s.engine.grants(1)[-1] == (5000, 50.0)
        assert s.engine.grants(2)[-1] == (1, 50.0 + AHEAD_S), "no more than a step, when nobody is in need"
        assert len(s.engine.opened()) == 2
        parts = sound_of(300, 500)
        s.engine.make(1, parts[0])
        spoken(sounds)
        assert len(s.engine.opened()) == 2
        s.finish(1, parts[1])
        # Its sound is there, and was not taken yet: the next one is what the engine is to make now.
        assert s.engine.grants(2)[1][0] == 4200
        assert s.engine.grants(3) == [(1, 50.0 + AHEAD_S)] and len(s.engine.opened()) == 3
        spoken(sounds)
        assert s.engine.grants(2)[-1] == (4200, 50.0)
        sounds.grant(6000, 51.0)
        assert s.engine.grants(2)[-1] == (5200, 51.0)
        sounds.close()
        assert s.engine.cancels() == [1, 2, 3], "the first one when its last sound was there"
        s.check_idle()

    @pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
    def test_the_next_one_is_needed_when_this_one_has_been_heard(self, speed: float) -> None:
        s = Setup()
        sounds = s.open(replace(ALONE, speed=speed))
        sounds.grant(9000, 50.0)
        for number in range(3):
            sounds.feed(sentence(number))
        s.finish(1, *sound_of(800))
        assert s.engine.grants(2)[-1] == (8200, pytest.approx(50.0 + 0.8 / speed))
        s.finish(2, *sound_of(1000))
        assert s.engine.grants(3)[-1] == (7200, pytest.approx(50.0 + 1.8 / speed))

    def test_what_was_taken_of_it_has_been_counted_already(self) -> None:
        """The deadline is that of all that was not taken: else the next one would be asked for too late."""
        s = Setup()
        sounds = s.open(ALONE)
        sounds.grant(9000, 50.0)
        sounds.feed(sentence(0))
        sounds.feed(sentence(1))
        parts = sound_of(3000, 1000)
        s.engine.make(1, parts[0])
        assert isinstance(sounds.take(True), Chunk)
        sounds.grant(9000, 53.0)
        s.finish(1, parts[1])
        assert s.engine.grants(2)[-1] == (5000, pytest.approx(53.0 + 1.0))

    def test_not_before_there_is_room_for_it(self) -> None:
        """By its characters the first one lasts 780 ms."""
        s = Setup()
        sounds = s.open(ALONE)
        sounds.grant(700, 50.0)
        sounds.feed(sentence(0))
        sounds.feed(sentence(1))
        sounds.feed(sentence(2))
        assert len(s.engine.opened()) == 1
        sounds.grant(900, 51.0)
        assert len(s.engine.opened()) == 2

    def test_what_is_longer_than_it_looks_leaves_room_when_less_was_made_than_granted(self) -> None:
        s = Setup()
        sounds = s.open(ALONE)
        sounds.grant(700, 50.0)
        sounds.feed(sentence(0))
        sounds.feed(sentence(1))
        parts = sound_of(1000, 500, 500)
        s.engine.make(1, parts[0])
        spoken(sounds)
        sounds.grant(1000, 51.0)
        assert len(s.engine.opened()) == 1
        sounds.grant(1001, 51.0)
        assert len(s.engine.opened()) == 2

    def test_ahead_of_its_turn_one_is_made(self) -> None:
        s = Setup()
        sounds = s.open(ALONE)
        sounds.grant(1, 50.0)
        for number in range(5):
            sounds.feed(sentence(number))
        sounds.grant(1, 51.0)
        assert s.engine.grants(1) == [(1, 50.0), (1, 51.0)]
        s.finish(1, *sound_of(100))
        assert len(spoken(sounds)) == 1
        sounds.grant(1, 52.0)
        assert len(s.engine.opened()) == 1

    def test_what_was_granted_once_is_not_taken_back(self) -> None:
        s = Setup()
        sounds = s.open(ALONE)
        sounds.grant(900, 50.0)
        sounds.grant(100, 52.0)
        sounds.feed(sentence(0))
        assert s.engine.grants(1) == [(900, 52.0)]

    def test_parts_of_a_millisecond_are_granted_whole(self) -> None:
        """An engine goes on while less was made than granted: else it might stop a sample too early."""
        s = Setup()
        sounds = s.open(ALONE)
        sounds.grant(1000, 50.0)
        sounds.feed(sentence(0))
        sounds.feed(sentence(1))
        s.finish(1, AudioChunk(0, np.zeros(2401, np.float32), RATE))  # 100.04 ms
        spoken(sounds)
        assert s.engine.grants(2)[-1][0] == math.ceil(1000 - 2401 / 24)

    def test_what_sounds_is_needed_before_what_anybody_makes_ahead(self) -> None:
        s = Setup()
        one, other = s.open(ALONE), s.open(ALONE)
        one.grant(5000, 50.0)
        other.grant(5000, 50.0 + AHEAD_S - 1)  # it has sound for some seconds yet
        for number in range(2):
            one.feed(sentence(number))
            other.feed(sentence(10 + number))
        deadlines = {
            name: s.engine.grants(s.engine.number_of(sentence(number).text))[-1][1]
            for name, number in [("head", 0), ("ahead", 1), ("other", 10), ("other ahead", 11)]
        }
        assert sorted(deadlines, key=deadlines.__getitem__) == ["head", "other", "ahead", "other ahead"]
        s.finish(s.engine.number_of(sentence(0).text), *sound_of(100))
        spoken(one)
        again = s.engine.grants(s.engine.number_of(sentence(1).text))[-1][1]
        assert again < deadlines["other"], "what was ahead is the head now"

    def test_a_failure_ahead_is_tried_again_in_its_turn(self) -> None:
        """The engine may have died meanwhile, before anybody needed it."""
        s = Setup()
        sounds = s.open(ALONE)
        sounds.grant(5000, 50.0)
        sounds.feed(sentence(0))
        sounds.feed(sentence(1))
        s.engine.fail(2)
        assert sounds.take(True) is None
        s.finish(1, *sound_of(100))
        assert len(spoken(sounds)) == 1
        assert s.engine.fed(3) == [sentence(1)] and s.engine.grants(3) == [(4900, 50.0)]
        s.engine.fail(3)
        assert isinstance(sounds.take(False), Failure) and len(s.engine.opened()) == 3
        sounds.close()
        s.check_idle()

    def test_a_failure_ahead_after_some_sound_that_nobody_took_is_tried_again_as_well(self) -> None:
        s = Setup()
        sounds = s.open(ALONE)
        sounds.grant(5000, 50.0)
        sounds.feed(sentence(0))
        sounds.feed(sentence(1))
        s.engine.make(2, sound_of(100, 100)[0])
        s.engine.fail(2)
        s.finish(1, *sound_of(100))
        assert len(spoken(sounds)) == 1 and len(s.engine.opened()) == 3
        s.finish(3, *sound_of(100, 100))
        assert len(spoken(sounds)) == 2
        sounds.close()
        s.check_idle()

    def test_without_room_nothing_is_given_but_a_failure(self) -> None:
        s = Setup()
        sounds = s.open(ALONE)
        sounds.grant(ALL, 50.0)
        sounds.feed(sentence(0))
        s.engine.make(1, sound_of(100, 100)[0])
        assert sounds.take(False) is None
        assert isinstance(sounds.take(True), Chunk)
        s.engine.fail(1)
        assert isinstance(sounds.take(False), Failure)

    def test_closing_lets_go_of_all_that_was_asked_for(self) -> None:
        s = Setup()
        sounds = s.open()
        sounds.grant(ALL, 50.0)
        for number in range(4):
            sounds.feed(sentence(number))
        sounds.close()
        sounds.close()
        assert s.engine.cancels() == [1, 2]
        s.check_idle()

    def test_every_change_is_told(self) -> None:
        s = Setup()
        sounds = s.open()
        sounds.grant(ALL, 50.0)
        sounds.feed(sentence(0))
        parts = sound_of(100, 100)
        s.engine.make(1, parts[0])
        assert s.changes == 1
        s.finish(1, parts[1])
        assert s.changes == 2 and len(spoken(sounds)) == 2


class TestCached:
    def keep(self, s: Setup, *numbers: int, ms: float = 500.0) -> None:
        """Have these sentences spoken by somebody else before."""
        for number in numbers:
            before = s.open()
            before.grant(ALL, 10.0)
            before.feed(sentence(number))
            s.speak(sentence(number).text, *sound_of(ms))
            spoken(before)
            before.close()
        s.engine.commands.clear()

    def test_what_was_spoken_before_needs_no_engine_and_no_grant(self) -> None:
        s = Setup()
        self.keep(s, *range(20))
        sounds = s.open()
        for number in range(20):
            sounds.feed(sentence(number))
        sounds.finish()
        assert spoken(sounds, has_room=False) == []
        assert len(spoken(sounds)) == 20 and s.engine.commands == []
        sounds.close()
        s.check_idle()

    def test_it_is_told_of_each_segment_whether_it_was_made_for_this_context(self) -> None:
        s = Setup()
        self.keep(s, 0, 2)
        sounds = s.open()
        sounds.grant(ALL, 50.0)
        told = []
        for number in range(4):
            sounds.feed(sentence(number))
            if number % 2:
                s.speak(sentence(number).text, *sound_of(300, 200))
            while sounds.take(True) is not None:
                told.append(sounds.cached)
        assert told == [True, False, False, True, False, False]
        assert len(s.engine.opened()) == 2

    def test_its_sound_is_counted_like_any_other(self) -> None:
        s = Setup()
        self.keep(s, 0)
        sounds = s.open()
        sounds.grant(2000, 50.0)
        sounds.feed(sentence(0))
        sounds.feed(sentence(1))
        assert s.engine.grants(s.engine.number_of(sentence(1).text)) == [(1500, 50.5)]
        spoken(sounds)
        assert s.engine.grants(s.engine.number_of(sentence(1).text))[-1] == (1500, 50.0)

    def test_the_same_text_elsewhere_in_another_is_the_same_sound(self) -> None:
        s = Setup()
        self.keep(s, 0)
        sounds = s.open(replace(TONE, speed=1.5, buffer="manual", normalize=False))
        sounds.feed(replace(sentence(0), segment=0, source=(70, 82), pause_before_ms=700))
        assert len(spoken(sounds)) == 1 and s.engine.commands == []

    @pytest.mark.parametrize(
        ("settings", "revision"),
        [
            (replace(TONE, seed=4), "1"),
            (replace(TONE, voice="other"), "1"),
            (replace(TONE, language="de"), "1"),
            (replace(TONE, reference=REFERENCE), "1"),
            (TONE, "2"),
            (ALONE, "1"),
        ],
    )
    def test_another_voice_is_another_sound(self, settings: VoiceSettings, revision: str) -> None:
        s = Setup()
        self.keep(s, 0)
        sounds = s.open(settings, revision=revision)
        sounds.grant(ALL, 50.0)
        sounds.feed(sentence(0))
        assert sounds.take(True) is None and len(s.engine.opened()) == 1

    def test_two_who_say_the_same_at_the_same_time(self) -> None:
        s = Setup()
        one, other = s.open(), s.open()
        one.grant(800, 50.0)
        other.grant(900, 60.0)
        for number in range(2):
            one.feed(sentence(number))
            other.feed(replace(sentence(number), source=(7, 8)))
        assert len(s.engine.opened()) == 2
        assert s.engine.grants(1)[-1] == (900, 50.0)
        s.finish(1, *sound_of(100))
        assert len(spoken(one)) == 1
        assert s.engine.grants(2)[-1] == (800, 50.0), "one needs it now, the other wants more of it"
        one.close()
        assert s.engine.cancels() == [1]
        assert len(spoken(other)) == 1
        s.finish(2, *sound_of(100))
        assert len(spoken(other)) == 1 and other.cached
        other.close()
        s.check_idle()

    def test_who_opts_out_neither_finds_nor_keeps_nor_joins(self) -> None:
        s = Setup()
        alone, other = s.open(ALONE), s.open()
        for sounds in (alone, other):
            sounds.grant(ALL, 50.0)
            sounds.feed(sentence(0))
        assert len(s.engine.opened()) == 2
        s.finish(1, *sound_of(100))
        assert s.cache.stats.entries == 0 and len(spoken(alone)) == 1 and not alone.cached
        s.finish(2, *sound_of(100))
        assert s.cache.stats.entries == 1

    def test_the_shared_cache_does_not_delay_what_sounds_but_what_is_ahead(self) -> None:
        s = Setup(shared=True)
        sounds = s.open()
        sounds.grant(ALL, 50.0)
        for number in range(3):
            sounds.feed(sentence(number))
        assert len(s.shared.asked) == 2 and len(s.engine.opened()) == 1
        s.shared.answer(CachedSound(sound_of(300)), s.shared.asked[1])
        s.finish(1, *sound_of(100))
        assert [len(audio.pcm) for audio in spoken(sounds)] == [2400, 7200]
        # The third was not looked for before the second one sounded: its answer is not waited for.
        assert len(s.shared.asked) == 3 and len(s.engine.opened()) == 2
        s.shared.answer(None)
        s.finish(2, *sound_of(100))
        assert len(spoken(sounds)) == 1
        sounds.close()
        s.check_idle()


class TestInstructions:
    @pytest.mark.parametrize("capabilities", [{}, {"context": "utterance"}])
    def test_the_engine_is_told_how_to_speak(self, capabilities: dict[str, object]) -> None:
        s = Setup(**capabilities)
        sounds = s.open(replace(TONE, instruct="softly"))
        sounds.grant(700, 50.0)
        sounds.feed(sentence(0))
        assert s.engine.opened() == [Open(1, "tone", "en", seed=3, instruct="softly")]

    @pytest.mark.parametrize("capabilities", [{}, {"context": "utterance"}])
    def test_what_is_told_otherwise_sounds_otherwise(self, capabilities: dict[str, object]) -> None:
        """And is not taken for the same, neither when it was made before nor while it is being made."""
        s = Setup(**capabilities)
        for number, instruct in enumerate(("", "softly", "loud"), 1):
            sounds = s.open(replace(TONE, instruct=instruct), "0" * 11 + ".")
            sounds.grant(700, 50.0)
            sounds.feed(sentence(0))
            sounds.finish()
            assert len(s.engine.opened()) == number
            if number < 3:
                s.finish(number, *sound_of(100))
                assert len(spoken(sounds)) == 1 and not sounds.cached
        again = s.open(replace(TONE, instruct="softly"), "0" * 11 + ".")
        again.grant(700, 50.0)
        again.feed(sentence(0))
        again.finish()
        assert len(spoken(again)) == 1 and again.cached
        assert len(s.engine.opened()) == 3


class TestVoices:
    AUTO = replace(TONE, auto_voices=(("en", "tone"), ("de", "anna"), ("ja", "sora")))

    def say(self, sounds: Sounds, *languages: str) -> None:
        for number, language in enumerate(languages):
            sounds.feed(replace(sentence(number), language=language))

    def test_each_segment_is_spoken_by_the_voice_of_its_language(self) -> None:
        s = Setup()
        sounds = s.open(self.AUTO)
        sounds.grant(ALL, 50.0)
        self.say(sounds, "en", "de", "ja", "fr", "en")
        told = {}
        for number in range(5):
            utterance = s.engine.number_of(sentence(number).text)
            told[number] = next(each for each in s.engine.opened() if each.utterance == utterance)
            s.finish(utterance, *sound_of(100))
            assert len(spoken(sounds)) == 1
        assert [(told[number].voice, told[number].language) for number in range(5)] == [
            ("tone", "en"),
            ("anna", "de"),
            ("sora", "ja"),
            ("tone", "en"),  # a language that nobody speaks is read by the one who was asked for
            ("tone", "en"),
        ]
        assert all(each.seed == 3 and each.auto_voices == () for each in s.engine.opened())
        sounds.close()
        s.check_idle()

    def test_the_voice_that_was_asked_for_speaks_its_language(self) -> None:
        s = Setup()
        sounds = s.open(replace(self.AUTO, voice="bruno", language="de"))
        sounds.grant(ALL, 50.0)
        self.say(sounds, "de")
        assert s.engine.opened() == [Open(1, "bruno", "de", seed=3)]

    def test_the_engine_of_a_voice_that_will_be_needed_gets_ready_at_once(self) -> None:
        s = Setup()
        sounds = s.open(self.AUTO)
        sounds.grant(1, 50.0)
        self.say(sounds, "en", "en", "en", "ja", "ja", "de", "ja")
        assert [(each.voice, each.language) for each in s.engine.opened()] == [
            ("tone", "en"),
            ("sora", "ja"),
            ("anna", "de"),
        ]
        granted = {command.utterance for command in s.engine.commands if isinstance(command, Grant)}
        assert granted == {1}, "nothing is made of what only gets ready"
        sounds.close()
        assert sorted(s.engine.cancels()) == [1, 2, 3]
        s.check_idle()

    def test_it_is_granted_when_its_turn_comes(self) -> None:
        s = Setup()
        sounds = s.open(self.AUTO)
        sounds.grant(5000, 50.0)
        self.say(sounds, "en", "en", "ja")
        ready = s.engine.number_of(sentence(2).text)
        assert s.engine.grants(ready) == []
        s.speak(sentence(0).text, *sound_of(100))
        spoken(sounds)
        assert s.engine.grants(ready) == [(1, 50.0 + AHEAD_S)]
        s.speak(sentence(1).text, *sound_of(100))
        spoken(sounds)
        assert s.engine.grants(ready)[-1] == (4800, 50.0)
        assert len(s.engine.opened()) == 3 and len(s.engine.fed(ready)) == 1

    def test_one_that_was_spoken_before_needs_no_engine(self) -> None:
        s = Setup()
        before = s.open(replace(TONE, voice="sora", language="ja"))
        before.grant(ALL, 50.0)
        before.feed(replace(sentence(1), language="ja"))
        s.finish(1, *sound_of(100))
        before.close()
        sounds = s.open(self.AUTO)
        sounds.grant(1, 50.0)
        self.say(sounds, "en", "ja")
        assert len(s.engine.opened()) == 2


class TestUtterances:
    @pytest.mark.parametrize("capabilities", [{"takes": "word"}, {"context": "utterance"}])
    def test_there_is_one_for_the_whole_context(self, capabilities: dict[str, object]) -> None:
        s = Setup(**capabilities)
        settings = replace(TONE, auto_voices=(("de", "anna"),), reference=REFERENCE)
        sounds = s.open(settings)
        sounds.grant(700, 50.0)
        for number in range(3):
            sounds.feed(sentence(number))
        sounds.grant(900, 51.0)
        sounds.finish()
        assert s.engine.commands == [
            Open(1, "tone", "en", 3, (("de", "anna"),), REFERENCE),
            Grant(1, 700, 50.0),
            *(Feed(1, sentence(number)) for number in range(3)),
            Grant(1, 900, 51.0),
            Finish(1),
        ]
        parts = [sound_of(100, segment=number)[0] for number in range(3)]
        s.engine.make(1, parts[0])
        assert sounds.take(False) is None
        assert spoken(sounds) == parts[:1] and not sounds.cached
        s.finish(1, *parts[1:])
        assert spoken(sounds) == parts[1:]
        sounds.close()
        assert s.engine.cancels() == [] and s.changes >= 3
        s.check_idle()

    def test_an_engine_that_tells_the_language_is_left_to_it(self) -> None:
        """Only when any of several may come; and what the voice is called by does not change."""
        auto = replace(TONE, auto_voices=(("en", "tone"), ("de", "tone")))
        for capabilities, settings, language in (
            ({"takes": "word", "tells_language": True}, auto, "auto"),
            ({"takes": "word", "tells_language": True}, TONE, "en"),
            ({"takes": "word"}, auto, "en"),
        ):
            s = Setup(**capabilities)
            sounds = s.open(settings)
            sounds.grant(700, 50.0)
            sounds.feed(sentence(0))
            assert [each.language for each in s.engine.opened()] == [language]
            assert sounds.voice_of(sentence(0)) == ("tone", "en")

    def test_a_close_in_the_middle_cancels_it(self) -> None:
        s = Setup(takes="word")
        sounds = s.open()
        sounds.grant(700, 50.0)
        sounds.feed(sentence(0))
        sounds.close()
        sounds.close()
        assert s.engine.cancels() == [1]
        s.check_idle()

    def test_a_failure(self) -> None:
        s = Setup(takes="word")
        sounds = s.open()
        sounds.grant(700, 50.0)
        s.engine.fail(1)
        assert isinstance(sounds.take(False), Failure)
        sounds.close()
        s.check_idle()

    def test_a_whole_text_is_kept_and_found(self) -> None:
        s = Setup(context="utterance")
        for attempt in range(2):
            sounds = s.open(replace(TONE, speed=1 + attempt), "All of it.")
            sounds.grant(700, 50.0)
            sounds.feed(sentence(0))
            sounds.finish()
            if attempt == 0:
                s.finish(1, *sound_of(100, 50))
            assert len(spoken(sounds)) == 2 and sounds.cached == bool(attempt)
            sounds.close()
        assert len(s.engine.opened()) == 1
        s.check_idle()

    @pytest.mark.parametrize(
        ("settings", "text", "revision"),
        [
            (TONE, "All of that.", "1"),
            (replace(TONE, seed=4), "All of it.", "1"),
            (replace(TONE, markup=True), "All of it.", "1"),
            (replace(TONE, lexicon=(("it", "that"),)), "All of it.", "1"),
            (replace(TONE, reference=REFERENCE), "All of it.", "1"),
            (TONE, "All of it.", "2"),
            (ALONE, "All of it.", "1"),
            (TONE, None, "1"),
        ],
    )
    def test_another_text_or_voice_is_another_sound(
        self, settings: VoiceSettings, text: str | None, revision: str
    ) -> None:
        s = Setup(context="utterance")
        for each in (s.open(TONE, "All of it."), s.open(settings, text, revision)):
            each.grant(700, 50.0)
        assert len(s.engine.opened()) == 2

    def test_a_context_that_came_later_hears_the_same(self) -> None:
        s = Setup(context="utterance")
        first, second = s.open(TONE, "All of it."), s.open(TONE, "All of it.")
        for sounds in (first, second):
            sounds.grant(700, 50.0)
            for number in range(3):
                sounds.feed(sentence(number))
            sounds.finish()
        assert s.engine.fed(1) == [sentence(number) for number in range(3)]
        parts = [sound_of(100, segment=number)[0] for number in range(3)]
        s.engine.make(1, parts[0])
        first.close()
        s.finish(1, *parts[1:])
        assert spoken(second) == parts and len(s.engine.opened()) == 1
        second.close()
        s.check_idle()


@examples(max_examples=150)
@given(st.data())
def test_contexts_that_say_the_same_things_in_any_order_hear_each_of_them_whole(data: st.DataObject) -> None:
    """Whatever is fed, granted, made and taken when: none waits for ever, asks ahead too much, or leaks."""
    s = Setup()
    parts = [sound_of(*([40 + 10 * number] * (1 + number % 3))) for number in range(5)]
    contexts = [
        (s.open(settings), data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=6)))
        for settings in data.draw(st.lists(st.sampled_from([TONE, ALONE]), min_size=1, max_size=3))
    ]
    fed = [0] * len(contexts)
    heard: list[list[AudioChunk]] = [[] for _ in contexts]
    granted = [0] * len(contexts)
    made: dict[int, int] = {}

    def make(number: int) -> None:
        (fed_piece,) = s.engine.fed(number)
        text = int(fed_piece.text.rstrip("."))
        made[number] = made.get(number, 0) + 1
        s.engine.make(number, parts[text][made[number] - 1])

    def working() -> list[int]:
        return sorted(s.scheduler._held - set(s.engine.cancels()))

    def feed(which: int) -> None:
        sounds, texts = contexts[which]
        if fed[which] < len(texts):
            sounds.feed(replace(sentence(texts[fed[which]]), segment=fed[which]))
            fed[which] += 1

    def take(which: int) -> None:
        if isinstance(event := contexts[which][0].take(True), Chunk):
            heard[which].append(event.audio)

    for step in data.draw(st.lists(st.sampled_from("ffggmmmttt"), max_size=60)):
        which = data.draw(st.integers(0, len(contexts) - 1))
        if step == "f":
            feed(which)
        elif step == "g":
            granted[which] += data.draw(st.integers(1, 200))
            contexts[which][0].grant(granted[which], 50.0 + granted[which] / 1000)
        elif step == "t":
            take(which)
        elif numbers := [number for number in working() if s.engine.grants(number)]:
            make(numbers[which % len(numbers)])
        assert len(working()) <= 2 * len(contexts), "what sounds, and the one after it"
    for which, (sounds, texts) in enumerate(contexts):
        sounds.grant(ALL, 50.0)
        while fed[which] < len(texts):
            feed(which)
    for _ in range(200):
        for which in range(len(contexts)):
            take(which)
        if numbers := working():
            make(numbers[0])
    for which, (sounds, texts) in enumerate(contexts):
        expected = [part.pcm for text in texts for part in parts[text]]
        assert [audio.pcm.tolist() for audio in heard[which]] == [pcm.tolist() for pcm in expected]
        sounds.close()
    s.check_idle()
