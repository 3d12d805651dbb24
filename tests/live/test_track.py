"""The track: what leaves every 20 ms, what is told of it, and what becomes of it without an outlet."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from realtime.live.track import MOST_IN_HAND_MS, MOST_WAITING_MS, PACKET_MS, Track
from realtime.session.messages import PlaybackState
from realtime.types import TIMELINE_PER_MS, FrameFlags, Packet

SAMPLES = round(PACKET_MS * TIMELINE_PER_MS)


@dataclass
class Owner:
    """Notes what it is told."""

    paused: set[int] = field(default_factory=set)
    told: list[tuple[int, PlaybackState, float]] = field(default_factory=list)
    rooms: int = 0

    def is_paused(self, handle: int) -> bool:
        return handle in self.paused

    def on_track(self, handle: int, state: PlaybackState, played_ms: float) -> None:
        self.told.append((handle, state, played_ms))

    def on_track_room(self) -> None:
        self.rooms += 1


@dataclass
class Peer:
    """An outlet."""

    track: Track | None = None
    let_gos: int = 0

    def carry(self, track: Track) -> None:
        self.track = track

    def let_go(self) -> None:
        self.track = None
        self.let_gos += 1


def packets(name: str, count: int, first: int = 0, *, last: bool = False) -> list[Packet]:
    """Packets whose payload is the name and the number."""
    made = []
    for seq in range(first, first + count):
        flags = FrameFlags.LAST if last and seq == first + count - 1 else FrameFlags.NONE
        made.append(Packet(f"{name}{seq}".encode(), seq, seq * SAMPLES, SAMPLES, flags))
    return made


@pytest.fixture
def owner() -> Owner:
    return Owner()


@pytest.fixture
def track(owner: Owner) -> Track:
    carried = Track(owner)
    carried.connect(Peer())
    return carried


def pulled(track: Track, count: int) -> list[str]:
    """What leaves in so many turns; a dot is silence."""
    taken = [track.pull() for _ in range(count)]
    return ["." if each is None else each.decode() for each in taken]


def test_packets_leave_in_order_and_silence_follows(track: Track, owner: Owner) -> None:
    track.put(1, packets("a", 3, last=True))
    assert pulled(track, 5) == ["a0", "a1", "a2", ".", "."]
    assert owner.told == [(1, "playing", 20.0), (1, "ended", 60.0)]
    assert track.positions == [(1, 60.0)]
    track.put(2, packets("b", 2))
    assert track.positions == [(1, 60.0), (2, 0.0)]


def test_between_two_contexts_is_one_packet_of_silence(track: Track) -> None:
    track.put(1, packets("a", 2, last=True))
    track.put(2, packets("b", 2, last=True))
    assert pulled(track, 6) == ["a0", "a1", ".", "b0", "b1", "."]


def test_no_second_silence_where_there_was_one(track: Track) -> None:
    track.put(1, packets("a", 1, last=True))
    assert pulled(track, 3) == ["a0", ".", "."]
    track.put(2, packets("b", 1, last=True))
    assert pulled(track, 1) == ["b0"]


def test_what_is_dropped_does_not_leave_and_others_do(track: Track, owner: Owner) -> None:
    track.put(1, packets("a", 5))
    track.put(2, packets("b", 1, last=True))
    assert pulled(track, 2) == ["a0", "a1"]
    track.drop(1)
    assert pulled(track, 3) == [".", "b0", "."]
    assert (1, "ended", 100.0) not in owner.told


def test_a_paused_context_stands_still_and_goes_on_where_it_was(track: Track, owner: Owner) -> None:
    track.put(1, packets("a", 4, last=True))
    pulled(track, 1)
    owner.paused.add(1)
    assert pulled(track, 3) == [".", ".", "."]
    owner.paused.clear()
    assert pulled(track, 3) == ["a1", "a2", "a3"]
    assert owner.told == [(1, "playing", 20), (1, "waiting", 20), (1, "playing", 40), (1, "ended", 80)]


def test_it_is_told_every_second(track: Track, owner: Owner) -> None:
    track.put(1, packets("a", 130, last=True))
    pulled(track, 130)
    assert [ms for _, state, ms in owner.told if state == "playing"] == [20, 1020, 2020]
    assert owner.told[-1] == (1, "ended", 2600)


def test_an_end_that_comes_late_ends_what_waits_or_what_has_left(track: Track, owner: Owner) -> None:
    end = Packet(b"", 2, 2 * SAMPLES, 0, FrameFlags.LAST)
    track.put(1, packets("a", 2))
    track.put(1, [end])
    assert pulled(track, 3) == ["a0", "a1", "."]
    assert owner.told[-1] == (1, "ended", 40)
    track.put(2, packets("b", 1))
    pulled(track, 3)
    assert owner.told[-1] == (2, "waiting", 20)
    track.put(2, [end])
    assert owner.told[-1] == (2, "ended", 20)


def test_a_short_break_makes_it_begin_with_more_in_hand(track: Track) -> None:
    """One packet at first; after a break of 60 ms as much as would have bridged it."""
    track.put(1, packets("a", 1))
    assert pulled(track, 4) == ["a0", ".", ".", "."]
    track.put(1, packets("a", 1, 1))
    assert pulled(track, 1) == ["a1"]
    pulled(track, 1)
    track.put(1, packets("a", 1, 2))
    assert pulled(track, 2) == [".", "."], "it waits for more"
    track.put(1, packets("a", 3, 3))
    assert pulled(track, 4) == ["a2", "a3", "a4", "a5"]


def test_what_waits_for_more_is_not_held_for_ever(track: Track) -> None:
    track.put(1, packets("a", 1))
    assert pulled(track, 4) == ["a0", ".", ".", "."]
    track.put(1, packets("a", 1, 1))
    pulled(track, 2)
    track.put(1, packets("a", 1, 2))
    left = pulled(track, MOST_IN_HAND_MS // PACKET_MS)
    assert left.count("a2") == 1


def test_all_there_is_needs_nothing_in_hand(track: Track) -> None:
    track.put(1, packets("a", 1))
    assert pulled(track, 4) == ["a0", ".", ".", "."]
    track.put(1, packets("a", 1, 1))
    pulled(track, 2)
    track.put(1, packets("a", 1, 2, last=True))
    assert pulled(track, 1) == ["a2"]


def test_a_long_silence_is_no_break(track: Track) -> None:
    """Who had no text for a second begins as soon as ever."""
    track.put(1, packets("a", 1))
    pulled(track, 50)
    track.put(1, packets("a", 1, 1))
    assert pulled(track, 1) == ["a1"]
    pulled(track, 50)
    track.put(1, packets("a", 1, 2))
    assert pulled(track, 1) == ["a2"]


def test_time_without_a_break_takes_back_what_was_in_hand(track: Track) -> None:
    track.put(1, packets("a", 1))
    pulled(track, 4)
    track.put(1, packets("a", 3500, 1))
    pulled(track, 3500 + 50)
    track.put(1, packets("a", 1, 3501))
    assert pulled(track, 1) == ["a3501"]


def test_it_is_full_after_ten_seconds_and_says_when_there_is_room(track: Track, owner: Owner) -> None:
    count = round(MOST_WAITING_MS / PACKET_MS)
    track.put(1, packets("a", count - 1))
    assert track.has_room
    track.put(1, packets("a", 1, count - 1))
    assert not track.has_room
    pulled(track, count // 5 - 1)
    assert not track.has_room and not owner.rooms
    pulled(track, 1)
    assert track.has_room and owner.rooms == 1
    pulled(track, count)
    assert owner.rooms == 2, "told when nothing is left"


def test_another_outlet_lets_the_former_go_and_goes_on_from_there(owner: Owner) -> None:
    track, one, other = Track(owner), Peer(), Peer()
    track.put(1, packets("a", 3, last=True))
    track.connect(one)
    assert one.track is track and not track.is_empty
    pulled(track, 1)
    track.connect(other)
    assert (one.let_gos, other.let_gos) == (1, 0)
    assert not track.disconnect(one), "it carries it no more"
    assert pulled(track, 2) == ["a1", "a2"]
    assert track.disconnect(other) and not track.has_outlet


def test_one_that_is_released_is_not_let_go(track: Track) -> None:
    """It goes to the track of another session."""
    outlet = Peer()
    track.connect(outlet)
    track.release()
    track.end()
    assert not track.has_outlet and outlet.let_gos == 0


def test_a_pause_is_no_break(track: Track, owner: Owner) -> None:
    """Who wanted the silence needs no more in hand after it."""
    track.put(1, packets("a", 2))
    pulled(track, 1)
    owner.paused.add(1)
    pulled(track, 4)
    owner.paused.clear()
    assert pulled(track, 5) == ["a1", ".", ".", ".", "."]
    pulled(track, 40)
    track.put(1, packets("a", 1, 2))
    assert pulled(track, 1) == ["a2"]


def test_without_an_outlet_it_stands_still(track: Track, owner: Owner) -> None:
    outlet = Peer()
    track.connect(outlet)
    track.put(1, packets("a", 3))
    pulled(track, 1)
    track.disconnect(outlet)
    assert owner.told[-1] == (1, "waiting", 20)
    track.connect(Peer())
    assert pulled(track, 2) == ["a1", "a2"]
    assert owner.told[-1] == (1, "playing", 40), "it moves on"


def test_the_end_of_the_session_lets_go(owner: Owner) -> None:
    track, outlet = Track(owner), Peer()
    track.connect(outlet)
    track.put(1, packets("a", 3))
    track.end()
    assert outlet.let_gos == 1 and track.is_empty and track.pull() is None
