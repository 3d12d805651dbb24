"""The side of a session that looks at a WebRTC track: its token, and where its listener is.

The rules:
1. Where sound goes over a track no frames are made; what waits there is known to the track alone.
2. What has left over it counts as heard: whoever asks the session where the listener is tells it before how
   far the track is. Reports of the client count for nothing.
3. The client is told how it goes, but not of a context that was cancelled: that has its answer.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from realtime.session import messages as wire
from realtime.session import replies
from realtime.session.actions import Action, Send
from realtime.session.contexts import Context
from realtime.session.turns import Turns

#: By which a token for a track is told from a key.
TRACK_TOKEN_PREFIX = "rtc_"


class TrackSide:
    """Of one session."""

    def __init__(self, turns: Turns, session_id: str, new_token: Callable[[], str], *, is_used: bool) -> None:
        """`new_token` makes one that cannot be guessed. `is_used`: the session begins with a track."""
        self._turns = turns
        self._session_id = session_id
        self._new_token = new_token
        self._token = ""
        #: Whether the session's sound goes over a track, and not in frames of its socket.
        self.is_used = is_used
        #: Whether somebody carries it.
        self.is_carried = False
        self._connected: bool | None = None  # as it was told last
        #: When something was last told of it, in monotonic seconds.
        self.last_activity = -inf

    @property
    def token(self) -> str:
        """What ties a peer connection to the session; empty where sound goes over no track."""
        if self.is_used and not self._token:
            self._token = f"{TRACK_TOKEN_PREFIX}{self._session_id}.{self._new_token()}"
        return self._token

    def is_paused(self, handle: int) -> bool:
        """Whether nothing of a context is to be heard now."""
        return self._turns.is_paused(handle)

    def holds(self, is_carried: bool, has_room: bool, now: float) -> None:
        """Whether somebody carries it, and more may be put into it."""
        self.is_carried = is_carried
        self._turns.hold_track(self.is_used and not (is_carried and has_room), now)

    def on_position(self, handle: int, played_ms: float, now: float) -> None:
        """So much of a context has left."""
        if (context := self._known(handle)) is not None:
            self._turns.on_track(context, played_ms, now)

    def on_state(self, handle: int, state: wire.PlaybackState, played_ms: float, now: float) -> list[Action]:
        """As `on_position`, at a moment of which the client is told."""
        context = self._known(handle)
        if context is None:
            return []
        self._turns.on_track(context, played_ms, now)
        self.last_activity = now
        context.playback = state
        return [replies.playback(context, state, played_ms)]

    def on_connected(self, connected: bool, now: float) -> list[Action]:
        """A peer connection takes the sound from now on, or none does."""
        self.last_activity = now
        self._connected = connected
        return [Send(wire.Track("connected" if connected else "disconnected"))]

    def again(self, now: float) -> list[Action]:
        """What may have been lost with a socket: how it is now."""
        told: list[Action] = [] if self._connected is None else self.on_connected(self._connected, now)
        for context in self._turns.known():
            if context.playback is not None and context.cut is None:
                played_ms = self._turns.played_ms(context, now)
                told.append(replies.playback(context, context.playback, played_ms))
        return told

    def _known(self, handle: int) -> Context | None:
        context = self._turns.get(handle)
        return context if context is not None and context.cut is None else None
