"""A session whose sound goes over a track: its settings, its token, and where its listener is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from msgspec import UNSET

from realtime.errors import ErrorCode
from realtime.session import messages as wire
from realtime.session.actions import Become, Close, EndSpeaker, OpenSpeaker, Unheard
from realtime.session.frames import FrameKind
from realtime.session.offer import Format
from realtime.session.session import UNCARRIED_S, Session
from realtime.session.track import TRACK_TOKEN_PREFIX
from realtime.session.turns import SILENT_HEAD_S
from realtime.types import AudioSettings, Finished, FrameFlags, Packet
from tests.session.talk import MS, OFFER, Talk, every, only

RTC = replace(
    OFFER,
    features=("rtc",),
    formats={**OFFER.formats, "webm_opus": Format(FrameKind.CONTAINER, (48_000,))},
    ice_servers=lambda: [wire.IceServer(["turn:turn.example:3478"], "name", "secret")],
)


def talk_over(*, data_channel: bool = False) -> Talk:
    """A new session that has WebRTC; nothing was said yet."""
    talk = Talk(RTC)
    talk.session = Session("sid", talk_tokens(), RTC, talk.now, data_channel=data_channel)
    return talk


def packet(ms: int) -> Packet:
    """The first of a context, which is so long."""
    return Packet(b"sound", 0, 0, ms * MS, FrameFlags.FIRST)


def talk_tokens() -> Any:
    numbers = iter(range(100))
    return lambda: f"secret-{next(numbers)}"


@pytest.fixture
def talk() -> Talk:
    """A session that was started, whose sound goes over a track."""
    talk = talk_over()
    only(talk.send("session.start", audio="rtc"), wire.SessionReady)
    return talk


def test_it_is_asked_for_and_answered_with_a_token_and_servers() -> None:
    talk = talk_over()
    ready = only(talk.send("session.start", audio="rtc"), wire.SessionReady)
    assert (ready.audio, ready.format, ready.frame_ms, ready.sample_rate) == ("rtc", "opus", 20, 48_000)
    assert ready.rtc_token == talk.session.track.token
    assert talk.session.track.token.startswith(f"{TRACK_TOKEN_PREFIX}sid.secret-")
    assert ready.ice_servers == [wire.IceServer(["turn:turn.example:3478"], "name", "secret")]
    later = only(talk.send("session.update", speed=2), wire.SessionReady)
    assert later.rtc_token == ready.rtc_token, "it is the same as long as the session lasts"


def test_frames_are_the_default_and_have_no_token() -> None:
    talk = talk_over()
    ready = only(talk.send("session.start"), wire.SessionReady)
    assert (ready.audio, ready.rtc_token, ready.ice_servers) == ("frames", UNSET, UNSET)
    assert talk.session.track.token == "" and not talk.session.track.is_used


def test_a_data_channel_has_a_track_by_itself() -> None:
    talk = talk_over(data_channel=True)
    assert talk.session.track.is_used
    assert only(talk.send("session.start"), wire.SessionReady).audio == "rtc"


def test_a_data_channel_takes_no_frames() -> None:
    talk = talk_over(data_channel=True)
    error = only(talk.send("session.start", audio="frames"), wire.Error)
    assert error.code == ErrorCode.INVALID_MESSAGE and "track" in error.message


def test_a_data_channel_has_no_one_shot_form() -> None:
    """It would be answered with binary frames."""
    session = talk_over(data_channel=True).session
    actions = session.receive(json.dumps({"input": "Hello."}), 0.0)
    assert not any(isinstance(action, Become) for action in actions)
    assert only(actions, wire.Error).code == ErrorCode.INVALID_MESSAGE


def test_contexts_are_encoded_for_a_track(talk: Talk) -> None:
    talk.send("session.update", bitrate=24_000)
    (opened,) = (each for each in talk.send("text", text="Hello.") if isinstance(each, OpenSpeaker))
    assert opened.audio == AudioSettings("opus", 48_000, 20, 24_000, track=True)


@pytest.mark.parametrize(
    ("fields", "code", "told"),
    [
        ({"formats": ["pcm_s16le"]}, "unsupported", "known: opus"),
        ({"frame_ms": 40}, "invalid_message", "20"),
    ],
)
def test_what_a_track_does_not_take_is_refused(fields: dict[str, Any], code: str, told: str) -> None:
    error = only(talk_over().send("session.start", audio="rtc", **fields), wire.Error)
    assert error.code == code and told in error.message


def test_of_several_formats_opus_is_taken() -> None:
    ready = only(
        talk_over().send("session.start", audio="rtc", formats=["webm_opus", "opus"]), wire.SessionReady
    )
    assert ready.format == "opus"


def test_a_server_without_webrtc_says_so() -> None:
    talk = Talk()
    error = only(talk.send("session.start", audio="rtc"), wire.Error)
    assert error.code == ErrorCode.UNSUPPORTED and "frames" in error.message


def test_no_frames_are_made_and_all_counts_as_sent(talk: Talk) -> None:
    talk.send("text", text="One two.")
    assert talk.session.on_packets(1, [packet(1000)], talk.now) == []
    assert talk.session.sent_ms(1) == 1000


def test_the_listener_is_where_the_track_is(talk: Talk) -> None:
    """And stands still with it, whatever the clock says."""
    talk.send("text", text="One two.")
    talk.session.on_packets(1, [packet(1000)], talk.now)
    talk.session.track.on_position(1, 240.0, talk.now)
    talk.now += 5
    talk.session.track.on_position(1, 240.0, talk.now)
    assert only(talk.send("cancel"), wire.ContextCancelled).played_ms == 240


def test_reports_of_the_client_count_for_nothing(talk: Talk) -> None:
    talk.send("text", text="One two.")
    talk.session.on_packets(1, [packet(1000)], talk.now)
    talk.session.track.on_position(1, 100.0, talk.now)
    assert talk.send("playback", played_ms=900) == []
    assert only(talk.send("cancel"), wire.ContextCancelled).played_ms == 100


def test_what_waits_in_the_track_is_silenced(talk: Talk) -> None:
    """Of a context that was fetched to its end, too."""
    talk.send("text", text="One two.")
    talk.send("end")
    talk.session.on_packets(1, [packet(1000)], talk.now)
    talk.event(1, Finished(1000 * MS))
    talk.session.track.on_position(1, 300.0, talk.now)
    assert Unheard(1, 300.0) in talk.send("cancel")


def test_the_client_is_told_how_the_track_goes(talk: Talk) -> None:
    talk.send("text", text="One two.")
    talk.session.on_packets(1, [packet(1000)], talk.now)
    told = only(talk.session.track.on_state(1, "playing", 20.0, talk.now), wire.TrackPlayback)
    assert (told.context_id, told.handle, told.played_ms, told.state) == ("default", 1, 20, "playing")
    assert talk.session.played_ms(1, talk.now) == 20
    talk.send("cancel")
    assert talk.session.track.on_state(1, "waiting", 20.0, talk.now) == []


def test_the_client_is_told_whether_there_is_a_track(talk: Talk) -> None:
    assert only(talk.session.track.on_connected(True, 0.0), wire.Track).state == "connected"
    assert only(talk.session.track.on_connected(False, 0.0), wire.Track).state == "disconnected"


def test_the_clients_own_number_is_not_believed(talk: Talk) -> None:
    """What has left is known: else sound would go on that was said to be heard."""
    talk.send("text", text="One two.")
    talk.session.on_packets(1, [packet(1000)], talk.now)
    talk.session.track.on_position(1, 100.0, talk.now)
    assert only(talk.send("cancel", played_ms=900), wire.ContextCancelled).played_ms == 100


def closing(talk: Talk) -> None:
    """One context of a second, of which a tenth has left, in a session that is to be closed."""
    talk.session.track.holds(True, True, talk.now)
    talk.send("text", text="One two.")
    talk.send("session.close")
    talk.session.on_packets(1, [packet(1000)], talk.now)
    talk.session.track.on_position(1, 100.0, talk.now)
    assert not every(talk.event(1, Finished(1000 * MS)), Close), "it is still heard"


def test_a_session_that_is_closed_ends_when_all_was_heard(talk: Talk) -> None:
    closing(talk)
    talk.session.track.on_position(1, 980.0, talk.now)
    assert talk.session.on_heard(talk.now) == []
    talk.session.track.on_position(1, 1000.0, talk.now)
    assert only(talk.session.on_heard(talk.now), Close).code == 1000


def test_what_is_still_heard_can_be_cancelled(talk: Talk) -> None:
    closing(talk)
    actions = talk.send("cancel")
    assert only(actions, wire.ContextCancelled).played_ms == 100
    assert Unheard(1, 100.0) in actions and only(actions, Close).code == 1000


def test_sound_that_nobody_carries_is_not_waited_for_for_ever(talk: Talk) -> None:
    closing(talk)
    talk.session.track.holds(False, True, talk.now)
    assert not every(talk.wait(UNCARRIED_S - 1), Close)
    assert only(talk.wait(2), Close).code == 1000


def test_a_paused_track_does_not_keep_an_idle_session(talk: Talk) -> None:
    talk.session.track.holds(True, True, talk.now)
    talk.send("text", text="One two.")
    talk.session.on_packets(1, [packet(1000)], talk.now)
    talk.send("pause")
    assert only(talk.wait(400), Close).reason == "idle"


@pytest.mark.parametrize("held", [(False, True), (True, False)])
def test_who_waits_for_the_track_is_not_silent(talk: Talk, held: tuple[bool, bool]) -> None:
    """A full one, or one that nobody carries: the context ahead is not ended for those behind it."""
    talk.session.track.holds(*held, talk.now)
    for name in ("a", "b"):
        talk.send("text", context_id=name, text="One two.")
    assert not every(talk.wait(60), EndSpeaker)
    talk.session.track.holds(True, True, talk.now)
    assert not every(talk.wait(SILENT_HEAD_S - 1), EndSpeaker)
    assert only(talk.wait(2), EndSpeaker).handle == 1


def test_a_resume_is_told_how_the_track_is(talk: Talk) -> None:
    """What was told while the socket was lost has not come."""
    ready = only(talk.send("session.update"), wire.SessionReady)
    talk.session.track.on_connected(True, talk.now)
    for name in ("a", "b"):
        talk.send("text", context_id=name, text="One two.")
    talk.session.on_packets(1, [packet(1000)], talk.now)
    talk.session.track.on_state(1, "ended", 1000.0, talk.now)
    talk.session.on_packets(2, [packet(1000)], talk.now)
    talk.session.track.on_state(2, "playing", 20.0, talk.now)
    talk.session.lost(talk.now)
    talk.session.track.on_position(2, 420.0, talk.now)
    actions = talk.session.resume(wire.ResumeRequest("sid", ready.resume_token, {}), talk.now)
    told = every(actions, wire.TrackPlayback)
    assert [(each.handle, each.state, each.played_ms) for each in told] == [
        (1, "ended", 1000),
        (2, "playing", 420),
    ]
    assert only(actions, wire.Track).state == "connected"
