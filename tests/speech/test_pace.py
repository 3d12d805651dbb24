"""How much may be made and by when: each rule for itself, on a clock and with a listener by hand."""

from __future__ import annotations

import math

import pytest

from realtime.speech.pace import AHEAD_S, NEWCOMER_S, Pace
from tests.speech.by_hand import HandClock, HandListener


class Setup:
    """A pace whose engine's sound is on the timeline as soon as it is made."""

    def __init__(
        self, buffer_ms: int = 10_000, speed: float = 1.0, listener: HandListener | None = None
    ) -> None:
        self.clock = HandClock()
        self.listener = listener or HandListener()
        self.listener.dry = -math.inf
        self.speed = speed
        self.pace = Pace(self.listener, self.clock, buffer_ms, speed)

    def made(self, ms: float) -> None:
        """So much sound on the timeline."""
        self.pace.on_made(ms * self.speed)
        self.pace.on_output(ms)
        self.pace.on_placed()

    def taken(self, ms: float) -> bool:
        """It is played after what was taken before."""
        due = self.pace.on_taken(ms)
        self.listener.dry = max(self.listener.dry, self.clock.now()) + ms / 1000
        return due

    @property
    def allowed(self) -> int:
        return self.pace.grant()[0]

    @property
    def due(self) -> float:
        """The deadline, in seconds after the beginning."""
        return round(self.pace.grant()[1] - 100.0, 6)

    def at(self, seconds: float) -> None:
        """Seconds after the beginning."""
        self.clock.seconds = 100.0 + seconds


class TestTheFirstSound:
    def test_it_is_needed_from_when_there_is_text_not_from_when_the_context_was_opened(self) -> None:
        s = Setup()
        s.pace.on_turn()
        s.at(60)
        s.pace.on_text()
        s.at(61)
        assert s.due == 60 + NEWCOMER_S, "and that stays so, however long it takes"

    def test_it_is_needed_from_its_turn_on(self) -> None:
        s = Setup()
        s.pace.on_text()
        assert s.due == AHEAD_S and s.allowed == 1, "one segment is made ahead, when nobody needs the engine"
        s.at(3)
        assert s.pace.on_turn() and not s.pace.on_turn()
        s.at(4)
        assert s.due == 3 + NEWCOMER_S and s.allowed == 10_000

    def test_it_is_needed_when_what_came_before_was_heard(self) -> None:
        s = Setup()
        s.pace.on_turn()
        s.pace.on_text()
        s.listener.dry = 107.0
        assert s.due == 7 + NEWCOMER_S
        s.at(8)
        assert s.due == 7 + NEWCOMER_S, "it has been silent since then"

    def test_a_listener_who_has_nothing_to_hear_runs_dry_now_whenever_it_is_asked(self) -> None:
        s = Setup()
        for seconds in (0, 1, 2):
            s.at(seconds)
            s.listener.dry = s.clock.now()
            if not seconds:
                s.pace.on_turn()
                s.pace.on_text()
            assert s.due == NEWCOMER_S
        s.listener.dry = 105.0
        assert s.due == 5 + NEWCOMER_S
        s.at(6)
        s.listener.dry = s.clock.now()
        assert s.due == 5 + NEWCOMER_S, "not 6: it fell silent then"

    def test_a_barge_in_makes_it_needed_at_once(self) -> None:
        s = Setup()
        s.pace.on_turn()
        s.pace.on_text()
        s.listener.dry = 109.0
        assert s.due == 9 + NEWCOMER_S
        s.at(2)
        s.listener.dry = s.clock.now()
        assert s.due == 2 + NEWCOMER_S


class TestMore:
    def test_it_is_needed_when_all_that_was_sent_and_that_waits_was_heard(self) -> None:
        s = Setup()
        s.pace.on_turn()
        s.pace.on_text()
        s.at(0.2)
        s.made(700)
        assert s.due == 0.9, "it begins to play about now"
        s.taken(500)
        assert s.due == 0.9
        s.at(0.5)
        assert s.due == 0.9
        s.taken(200)
        assert s.due == 0.9
        s.at(1.5)
        assert s.due == 0.9, "it is late, and has been since then"

    def test_who_runs_dry_soon_goes_before_a_newcomer(self) -> None:
        hearing = Setup()
        hearing.pace.on_turn()
        hearing.pace.on_text()
        hearing.made(1000)
        hearing.taken(1000)
        for seconds, is_before in ((1 - NEWCOMER_S - 0.01, False), (1 - NEWCOMER_S + 0.01, True)):
            newcomer = Setup()
            newcomer.at(seconds)
            newcomer.pace.on_turn()
            newcomer.pace.on_text()
            assert (hearing.due < newcomer.due) == is_before

    def test_reports_of_the_listener_count_at_once(self) -> None:
        s = Setup()
        s.pace.on_turn()
        s.pace.on_text()
        s.made(4000)
        s.taken(4000)
        s.at(1)
        assert s.due == 4
        s.listener.dry = 103.0
        assert s.due == 3, "it is further than the clock says"
        s.listener.dry = 100.4
        assert s.due == 0.4
        s.listener.dry = 105.5
        assert s.due == 5.5

    def test_a_paused_listener_needs_nothing(self) -> None:
        s = Setup()
        s.pace.on_turn()
        s.pace.on_text()
        s.made(1000)
        s.taken(600)
        s.listener.dry = math.inf
        assert s.due == math.inf and s.pace.is_paused
        s.at(30)
        s.listener.dry = 130.6
        assert s.due == 31.0 and not s.pace.is_paused

    def test_a_paused_newcomer_is_one_from_when_it_goes_on(self) -> None:
        s = Setup()
        s.pace.on_turn()
        s.pace.on_text()
        s.listener.dry = math.inf
        assert s.due == math.inf
        s.at(30)
        s.listener.dry = s.clock.now()
        assert s.due == 30 + NEWCOMER_S
        s.at(31)
        s.listener.dry = s.clock.now()
        assert s.due == 30 + NEWCOMER_S

    def test_what_was_just_taken_and_not_sent_yet_was_not_missing(self) -> None:
        s = Setup()
        s.pace.on_turn()
        s.pace.on_text()
        s.at(5)
        s.made(200)
        s.pace.on_taken(200)
        assert s.due == 5, "though the listener does not know of it"

    @pytest.mark.parametrize("still_hears", [True, False])
    def test_after_a_silence_for_want_of_text_one_is_not_late(self, still_hears: bool) -> None:
        s = Setup()
        s.pace.on_turn()
        s.pace.on_text()
        s.made(2000)
        s.taken(2000)
        s.at(1 if still_hears else 50)
        s.pace.on_text()
        assert s.due == (2 if still_hears else 50 + NEWCOMER_S)
        s.at(60)
        assert s.due == (2 if still_hears else 50 + NEWCOMER_S)
        s.made(500)
        assert s.due == 60.5


class TestUnderruns:
    def speaking(self, listener: HandListener | None = None) -> Setup:
        """A second of sound was taken at once, and is heard until 1 s after the beginning."""
        s = Setup(listener=listener)
        s.pace.on_turn()
        s.pace.on_text()
        s.made(1000)
        s.taken(1000)
        return s

    def gaps(self, s: Setup) -> tuple[int, float]:
        return s.pace.underruns, round(s.pace.underrun_s, 6)

    def test_sound_that_comes_in_time_is_none(self) -> None:
        s = self.speaking()
        s.at(0.999)
        s.made(500)
        assert self.gaps(s) == (0, 0)

    def test_sound_that_comes_late_is_one_of_that_length(self) -> None:
        s = self.speaking()
        for comes_at in (1.2, 1.9):  # 0.2 s late, each time
            s.at(comes_at)
            s.made(500)
            s.taken(500)
        assert self.gaps(s) == (2, 0.4)

    def test_a_listener_that_says_now_whenever_it_is_dry(self) -> None:
        s = self.speaking()
        assert s.due == 1
        s.at(1.3)
        s.listener.dry = s.clock.now()
        s.made(500)
        assert self.gaps(s) == (1, 0.3)

    def test_a_machine_that_does_something_else_meanwhile_loses_no_gap(self) -> None:
        """It says "now", and is asked for the time a while after that."""

        class Busy(HandListener):
            is_dry = False

            def dry_at(self) -> float:
                if not self.is_dry:
                    return self.dry
                dry_at = s.clock.now()
                s.clock.seconds += 0.05
                return dry_at

        s = self.speaking(listener := Busy())
        assert s.due == 1
        listener.is_dry = True
        s.at(1.3)
        s.made(500)
        assert self.gaps(s) == (1, 0.35)

    def test_what_was_known_before_it_took_something_is_forgotten(self) -> None:
        """It had nothing when the text came, took a first bit after that, and is dry when the next comes."""
        s = Setup()
        s.listener.dry = s.clock.now()
        s.pace.on_turn()
        s.pace.on_text()
        assert s.due == NEWCOMER_S
        s.at(0.25)
        s.made(125)
        s.pace.on_taken(125)
        s.at(0.75)
        s.listener.dry = s.clock.now()
        s.made(500)
        assert self.gaps(s) == (1, 0.375)

    def test_the_first_sound_is_none_however_late(self) -> None:
        s = Setup()
        s.pace.on_turn()
        s.pace.on_text()
        s.at(9)
        s.made(500)
        assert self.gaps(s) == (0, 0)

    def test_text_that_was_missing_is_no_fault_of_the_engine(self) -> None:
        s = self.speaking()
        s.at(3)
        s.pace.on_text()
        s.at(3.5)
        s.made(500)
        assert self.gaps(s) == (0, 0)

    def test_nor_is_the_rest_of_a_segment_that_was_missing(self) -> None:
        """An engine that is fed word by word may have waited for the next one."""
        s = self.speaking()
        s.at(3)
        s.pace.on_more_of_segment()
        s.at(3.5)
        s.made(500)
        assert self.gaps(s) == (0, 0)

    def test_the_rest_of_a_segment_that_came_in_time_is_no_excuse(self) -> None:
        s = self.speaking()
        s.at(0.5)
        s.pace.on_more_of_segment()
        s.at(1.5)
        s.made(500)
        assert self.gaps(s) == (1, 0.5)

    def test_text_that_came_while_there_was_sound_is(self) -> None:
        s = self.speaking()
        s.at(0.5)
        s.pace.on_text()
        s.at(1.5)
        s.made(500)
        assert self.gaps(s) == (1, 0.5)

    def test_what_waits_to_be_taken_is_not_missing(self) -> None:
        s = Setup()
        s.pace.on_turn()
        s.pace.on_text()
        s.made(1000)
        s.taken(500)
        s.at(2)  # the connection takes nothing: that is no fault of the engine
        s.made(500)
        assert self.gaps(s) == (0, 0)

    def test_a_paused_listener_misses_nothing(self) -> None:
        s = self.speaking()
        s.listener.dry = math.inf
        s.at(5)
        s.made(500)
        assert self.gaps(s) == (0, 0)

    def test_less_than_clocks_can_tell_is_none(self) -> None:
        s = self.speaking()
        s.at(1.004)
        s.made(500)
        assert self.gaps(s) == (0, 0)


class TestRoom:
    @pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
    def test_what_waits_is_no_more_than_the_buffer(self, speed: float) -> None:
        s = Setup(4000, speed)
        s.pace.on_turn()
        assert s.allowed == 4000 * speed, "of the engine's sound, before the tempo"
        s.made(3000)
        assert s.allowed == 4000 * speed and s.pace.has_room
        s.made(1500)
        assert s.allowed == 4500 * speed, "what was made cannot be taken back"
        assert not s.pace.has_room
        assert not s.taken(500), "the room for half a second is not worth a message"
        assert s.taken(1000)
        assert s.allowed == (4500 + 1000) * speed

    def test_no_more_is_made_than_may_be_taken(self) -> None:
        s = Setup(4000)
        s.listener.credit = 1000
        s.pace.on_turn()
        assert s.allowed == 1000
        s.made(600)
        assert s.allowed == 1000 and s.pace.has_room
        s.made(600)
        assert s.allowed == 1200 and not s.pace.has_room
        s.listener.credit = 3000
        assert s.allowed == 3000 and s.pace.has_room

    def test_what_is_being_encoded_takes_its_room_already(self) -> None:
        s = Setup(4000, 2.0)
        s.pace.on_turn()
        s.pace.on_made(6000)
        s.pace.on_output(100)
        assert s.pace.has_room and s.due == 3, "only a little of it is there yet"
        s.pace.on_taken(100)
        assert s.allowed == 6000 + (4000 - 2900) * 2
        s.pace.on_output(2880)
        s.pace.on_placed()
        assert s.allowed == 6000 + (4000 - 2880) * 2, "the rest was silence"

    def test_without_credit_nothing_is_made(self) -> None:
        s = Setup()
        s.listener.credit = 0
        s.pace.on_turn()
        s.pace.on_text()
        assert s.allowed == 0 and not s.pace.has_room

    def test_the_least_of_credit_is_used_when_all_was_taken(self) -> None:
        """Else nothing would be granted until the listener has to be told to wait, which it need not be."""
        s = Setup()
        s.listener.credit = 1000
        s.pace.on_turn()
        s.made(1000)
        s.listener.credit = 0.25
        assert s.taken(1000)
        assert s.allowed == 1001

    def test_the_credit_of_a_listener_is_not_touched_ahead_of_the_turn(self) -> None:
        s = Setup()
        s.listener.credit = 0
        assert s.allowed == 1 and s.pace.has_room
        s.pace.on_turn()
        assert s.allowed == 0
