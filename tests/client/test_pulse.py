"""When silence is a loss; in seconds that nobody waits for."""

from __future__ import annotations

from realtime.client.pulse import Pulse, Verdict


def test_who_expects_something_asks_after_a_silence_and_gives_up_after_another() -> None:
    pulse = Pulse(10, 100)
    assert pulse.deadline() == 110
    assert pulse.judge(109, True) is Verdict.WAIT
    assert pulse.judge(110, True) is Verdict.ASK
    assert pulse.deadline() == 120
    assert pulse.judge(119, True) is Verdict.WAIT
    assert pulse.judge(120, True) is Verdict.LOST


def test_an_answer_begins_anew() -> None:
    pulse = Pulse(10, 100)
    assert pulse.judge(110, True) is Verdict.ASK
    pulse.heard(111)
    pulse.answered(everything=True)
    assert pulse.deadline() == 121
    assert pulse.judge(120, True) is Verdict.WAIT
    assert pulse.judge(121, True) is Verdict.ASK


def test_who_expects_nothing_does_not_ask() -> None:
    pulse = Pulse(10, 100)
    assert pulse.judge(110, False) is Verdict.WAIT
    assert pulse.deadline() == 120, "it is looked again later"


def test_what_is_not_confirmed_is_asked_about_though_sound_comes() -> None:
    pulse = Pulse(10, 100)
    pulse.sent(103)
    for now in range(104, 113):
        pulse.heard(now)
        assert pulse.judge(now, False) is Verdict.WAIT
    pulse.heard(113)
    assert pulse.judge(113, False) is Verdict.ASK
    for now in range(114, 133):
        pulse.heard(now)
        assert pulse.judge(now, False) is Verdict.WAIT
    pulse.heard(133)
    assert pulse.judge(133, False) is Verdict.LOST


def test_time_in_which_nothing_was_read_does_not_count() -> None:
    pulse = Pulse(10, 100)
    pulse.sent(100)
    pulse.held(500)
    assert pulse.judge(509, True) is Verdict.WAIT
    assert pulse.judge(510, True) is Verdict.ASK
    pulse.held(900)
    assert pulse.judge(909, True) is Verdict.WAIT
    assert pulse.judge(910, True) is Verdict.LOST
