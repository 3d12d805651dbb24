"""The track of a session that is running: what its state machine is told of it, and who carries it."""

from __future__ import annotations

from collections.abc import Callable

from realtime.clock import Clock
from realtime.live.track import Outlet, Track
from realtime.session.actions import Action, Machine
from realtime.session.messages import PlaybackState
from realtime.types import Packet


class CarriedTrack:
    """Of one session, whether its sound goes over a track or not. All calls are made on the event loop."""

    def __init__(
        self,
        machine: Machine,
        clock: Clock,
        perform: Callable[[list[Action]], None],
        wake: Callable[[], None],
    ) -> None:
        """`perform` carries out what the machine wants; `wake` is called when there may be more to fetch."""
        self.machine = machine
        self._clock = clock
        self._perform = perform
        self._wake = wake
        self._track = Track(self)
        self._is_over = False

    @property
    def is_used(self) -> bool:
        """Whether the session's sound goes over it."""
        return self.machine.track.is_used

    @property
    def token(self) -> str:
        """What ties a peer connection to it; empty where there is no track, and when it is over."""
        return "" if self._is_over else self.machine.track.token

    # -- who carries it ---------------------------------------------------------------------------------

    def lead(self, outlet: Outlet) -> None:
        """`outlet`, whose data channel leads the session, carries it from now on."""
        self._track.connect(outlet)
        self._tell_holds()

    def release(self) -> None:
        """Whoever carries it is to carry another one's: it is not told that this is over."""
        self._track.release()

    def connect(self, outlet: Outlet) -> None:
        """`outlet` carries it from now on, and is let go when another one does, or it is over."""
        if self._is_over:
            outlet.let_go()
            return
        was_carried = self._track.has_outlet
        self._track.connect(outlet)
        self._tell_holds()
        if not was_carried:
            self._perform(self.machine.track.on_connected(True, self.now()))

    def disconnect(self, outlet: Outlet) -> None:
        """`outlet` is gone: sound waits for the next one."""
        if self._track.disconnect(outlet) and not self._is_over:
            self._tell_holds()
            self._perform(self.machine.track.on_connected(False, self.now()))

    def end(self) -> None:
        """The session is over."""
        self._is_over = True
        self._track.end()

    # -- what is in it ----------------------------------------------------------------------------------

    @property
    def is_heard(self) -> bool:
        """Whether somebody carries it, or sound goes elsewhere."""
        return self._track.has_outlet or not self.is_used

    @property
    def has_room(self) -> bool:
        """Whether more may be put into it, or sound goes elsewhere."""
        return self._track.has_room or not self.is_used

    def put(self, handle: int, packets: list[Packet]) -> None:
        """Sound that comes after all that waits."""
        self._track.put(handle, packets)
        if not self._track.has_room:
            self._tell_holds()

    def drop(self, handle: int) -> None:
        """Nothing more of a context is to leave."""
        self._track.drop(handle)

    def _tell_holds(self) -> None:
        self.machine.track.holds(self._track.has_outlet, self._track.has_room, self._clock.now())

    def now(self) -> float:
        """The present, at which the session knows how far the listener is who hears the track."""
        now = self._clock.now()
        if self.is_used:
            for handle, played_ms in self._track.positions:
                self.machine.track.on_position(handle, played_ms, now)
        return now

    # -- what the track tells ---------------------------------------------------------------------------

    def is_paused(self, handle: int) -> bool:
        """Whether nothing of a context is to be heard now."""
        return self.machine.track.is_paused(handle)

    def on_track(self, handle: int, state: PlaybackState, played_ms: float) -> None:
        """So much of a context has left."""
        self._perform(self.machine.track.on_state(handle, state, played_ms, self._clock.now()))

    def on_track_room(self) -> None:
        """There is room for more, or nothing is left."""
        self._tell_holds()
        if self._track.is_empty:
            self._perform(self.machine.on_heard(self.now()))
        self._wake()
