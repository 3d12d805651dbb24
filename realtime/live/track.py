"""The sound of a session that goes over a WebRTC track: what waits for its turn, and what has left.

The rules:
1. Whoever carries it (`Outlet`) takes one packet every 20 ms, and sends it at once. What has left cannot be
   called back, and counts as heard; what has not can be dropped until the last moment.
2. The track outlives its outlets: while there is none it stands still, and the next one goes on from there.
3. Between two contexts there is a packet of silence: their encoders know nothing of each other, and the
   listener has one decoder for both.
4. Sound begins with as little in hand as keeps it unbroken: one packet, until it has broken off and gone on
   soon after; then a little more each time, up to `MOST_IN_HAND_MS`. What holds for long takes that back.
5. The session is told when a context begins to sound, stands still, goes on and has ended, and every second
   of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from realtime.session.messages import PlaybackState
from realtime.types import TIMELINE_PER_MS, FrameFlags, Packet

#: What one packet sounds, and how often one is taken.
PACKET_MS = 20
#: No more than this waits, whatever the session's lead may be; more is fetched when it has fallen by a fifth.
MOST_WAITING_MS = 10_000.0
_MORE_FROM_MS = MOST_WAITING_MS * 0.8
#: Sound that is waited for before a context begins, or goes on, at most.
MOST_IN_HAND_MS = 400
#: Who breaks off for longer has no text, or no voice: sound in hand would not have helped.
_BREAK_MS = 500
#: What was added to the sound in hand is halved when nothing has broken off for so long.
_UNBROKEN_MS = 30_000
_TELL_MS = 1_000


class TrackListener(Protocol):
    """Who owns a track. All calls are made on the event loop."""

    def is_paused(self, handle: int) -> bool:
        """Whether nothing of a context is to be heard now."""
        ...

    def on_track(self, handle: int, state: PlaybackState, played_ms: float) -> None:
        """So much of a context has left, and whether it moves on from there."""
        ...

    def on_track_room(self) -> None:
        """There is room for more, or nothing is left."""
        ...


class Outlet(Protocol):
    """A connection that carries a track to a listener."""

    def carry(self, track: Track) -> None:
        """Take the packets of `track` from now on."""
        ...

    def let_go(self) -> None:
        """Nothing more comes: another outlet has the track, or its session is over."""
        ...


@dataclass(slots=True)
class _Sounding:
    """A context of which something has left: up to `end`, in timeline samples."""

    handle: int
    end: int
    moves: bool = True
    told_ms: float = 0.0

    @property
    def played_ms(self) -> float:
        return self.end / TIMELINE_PER_MS


class Track:
    """Of one session. Time passes by `pull`: one call is 20 ms."""

    def __init__(self, listener: TrackListener) -> None:
        """Nothing waits, and nobody carries it."""
        self._listener = listener
        self._outlet: Outlet | None = None
        self._packets: deque[tuple[int, Packet]] = deque()
        self._waiting_ms = 0.0
        self._is_full = False
        self._sounding: _Sounding | None = None
        self._silent_ms = 0  # since something last left
        self._in_hand_ms = PACKET_MS
        self._was_held = False  # somebody wanted the silence
        self._held_ms = 0  # the next packet has waited so long for more to come
        self._unbroken_ms = 0

    # -- who carries it ---------------------------------------------------------------------------------

    @property
    def has_outlet(self) -> bool:
        """Whether somebody carries it."""
        return self._outlet is not None

    def connect(self, outlet: Outlet) -> None:
        """`outlet` carries it from now on; one that did before is let go."""
        former, self._outlet = self._outlet, outlet
        if former is not None and former is not outlet:
            former.let_go()
        outlet.carry(self)

    def release(self) -> None:
        """Whoever carries it does so no more, and need not be told."""
        self._outlet = None

    def disconnect(self, outlet: Outlet) -> bool:
        """`outlet` carries it no more; whether it did."""
        if self._outlet is not outlet:
            return False
        self._outlet = None
        self._was_held = True
        self._pause()
        return True

    def end(self) -> None:
        """The session is over."""
        self._packets.clear()
        self._waiting_ms = 0.0
        outlet, self._outlet = self._outlet, None
        if outlet is not None:
            outlet.let_go()

    # -- what is put into it ----------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether more may be put into it."""
        return not self._is_full

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._packets

    def put(self, handle: int, packets: Iterable[Packet]) -> None:
        """Sound that comes after all that waits."""
        for packet in packets:
            if packet.payload:  # one without only says that a context is over
                self._packets.append((handle, packet))
                self._waiting_ms += PACKET_MS
            elif packet.flags & FrameFlags.LAST:
                self._end_of(handle, packet)
        self._is_full = self._is_full or self._waiting_ms >= MOST_WAITING_MS

    def _end_of(self, handle: int, packet: Packet) -> None:
        if self._packets and self._packets[-1][0] == handle:
            last = self._packets.pop()[1]
            flags = last.flags | FrameFlags.LAST
            ended = Packet(last.payload, last.seq, last.position, last.duration, flags)
            self._packets.append((handle, ended))
        elif self._sounding is not None and self._sounding.handle == handle:
            self._tell(self._sounding, "ended")

    def drop(self, handle: int) -> None:
        """Nothing more of a context is to leave."""
        kept = deque(each for each in self._packets if each[0] != handle)
        if len(kept) == len(self._packets):
            return
        self._packets = kept
        self._waiting_ms = len(kept) * PACKET_MS
        self._look_for_room()

    # -- what leaves ------------------------------------------------------------------------------------

    @property
    def positions(self) -> list[tuple[int, float]]:
        """How much has left, in ms by handle: of the context that sounded last, and of the next: nothing."""
        sounding, found = self._sounding, []
        if sounding is not None:
            found.append((sounding.handle, sounding.played_ms))
        if self._packets and (sounding is None or self._packets[0][0] != sounding.handle):
            found.append((self._packets[0][0], 0.0))
        return found

    def pull(self) -> bytes | None:
        """The packet that leaves now; None: silence."""
        if not self._packets or not self._may_leave(self._packets[0][0]):
            self._pause()
            self._silent_ms += PACKET_MS
            return None
        handle, packet = self._packets.popleft()
        self._waiting_ms -= PACKET_MS
        self._leave(handle, packet)
        if self._is_full or not self._packets:
            self._look_for_room()
        return packet.payload

    def _may_leave(self, handle: int) -> bool:
        sounding = self._sounding
        if sounding is not None and sounding.handle != handle and not self._silent_ms:
            return False  # silence between two encoders
        if self._listener.is_paused(handle):
            self._was_held = True
            return False
        if sounding is not None and sounding.handle == handle and not self._silent_ms:
            return True
        # The first of it, or the first after a silence: it begins with enough in hand, or with all there is.
        is_all = self._packets[-1][0] != handle or bool(self._packets[-1][1].flags & FrameFlags.LAST)
        if is_all or self._waiting_ms >= self._in_hand_ms or self._held_ms >= self._in_hand_ms:
            return True
        self._held_ms += PACKET_MS
        return False

    def _leave(self, handle: int, packet: Packet) -> None:
        sounding, end = self._sounding, packet.position + packet.duration
        silent_ms, self._silent_ms, self._held_ms = self._silent_ms, 0, 0
        if sounding is None or sounding.handle != handle:
            sounding = self._sounding = _Sounding(handle, end)
            self._tell(sounding, "playing")
        else:
            sounding.end = end
            if silent_ms and not self._was_held:
                self._went_on(silent_ms)
            if not sounding.moves:
                self._tell(sounding, "playing")
        self._was_held = False
        self._unbroken_ms += PACKET_MS
        if self._unbroken_ms >= _UNBROKEN_MS:
            self._unbroken_ms = 0
            self._in_hand_ms = max(PACKET_MS, self._in_hand_ms // 2)
        if packet.flags & FrameFlags.LAST:
            self._tell(sounding, "ended")
        elif sounding.played_ms - sounding.told_ms >= _TELL_MS:
            self._tell(sounding, "playing")

    def _went_on(self, silent_ms: int) -> None:
        """A context had broken off: if a little more in hand would have helped, there is from now on."""
        if silent_ms <= _BREAK_MS:
            self._in_hand_ms = min(MOST_IN_HAND_MS, max(2 * self._in_hand_ms, silent_ms + PACKET_MS))
            self._unbroken_ms = 0

    def _pause(self) -> None:
        """Nothing leaves now: a context that was under way waits."""
        if self._sounding is not None and self._sounding.moves:
            self._tell(self._sounding, "waiting")

    def _tell(self, sounding: _Sounding, state: PlaybackState) -> None:
        sounding.moves = state == "playing"
        sounding.told_ms = sounding.played_ms
        self._listener.on_track(sounding.handle, state, sounding.played_ms)

    def _look_for_room(self) -> None:
        if self._is_full and self._waiting_ms <= _MORE_FROM_MS:
            self._is_full = False
            self._listener.on_track_room()
        elif not self._packets:
            self._listener.on_track_room()
