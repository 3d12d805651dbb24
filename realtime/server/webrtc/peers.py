"""All peer connections of a server: how many there may be, which is which, and a way to end them all."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from contextlib import ExitStack

import structlog
from aiortc import RTCCertificate

from realtime.clock import Clock
from realtime.errors import ErrorCode, QueueFullError, RealtimeError
from realtime.live.driver import Driver
from realtime.live.registry import Registry, refuse
from realtime.server.errors import RateLimitedError
from realtime.server.webrtc.beats import Beats
from realtime.server.webrtc.channel import DataChannelTransport
from realtime.server.webrtc.ice import Servers
from realtime.server.webrtc.peer import CLOSE_S, Peer, PeerSettings
from realtime.server.webrtc.sdp import Offer
from realtime.session import messages as wire
from realtime.types import Caller

_RETRY_AFTER_MS = 1000
#: Of them for the track of one session.
MOST_FOR_ONE = 4
#: Connections that may be about to come about at the same time: each takes some milliseconds of the loop.
MOST_CONNECTING = 32
_log = structlog.get_logger(__name__)


class Peers:
    """Owns the peer connections."""

    def __init__(
        self,
        settings: PeerSettings,
        registry: Registry,
        make_driver: Callable[[Caller], Driver],
        silence: bytes,
        clock: Clock,
        refused: Callable[[Caller, ErrorCode], None],
    ) -> None:
        """`make_driver` makes the session of a data channel; `silence` is a packet of it.

        `refused` is told of those whose data channel got no session.
        """
        self._refused = refused
        self._settings = settings
        self._registry = registry
        self._make_driver = make_driver
        self._silence = silence
        self._beats = Beats(clock)
        self._servers = Servers()
        self._peers: dict[str, tuple[Peer, asyncio.Task[None]]] = {}
        self._answering = 0
        self._is_closed = False

    @functools.cached_property
    def _certificate(self) -> RTCCertificate:
        """One for all: it says who we are, and not whom we speak with."""
        return RTCCertificate.generateCertificate()

    @property
    def count(self) -> int:
        """Peer connections, also those that are only about to come about."""
        return len(self._peers)

    def find(self, peer_id: str) -> Peer:
        """A peer by its id; raises `RealtimeError`."""
        found = self._peers.get(peer_id)
        if found is None:
            raise RealtimeError("there is no such peer connection (any more)", ErrorCode.NOT_FOUND)
        return found[0]

    async def hang_up(self, peer_id: str) -> None:
        """End a peer connection, and the session that its data channel leads; raises `RealtimeError`."""
        peer, task = self._peers.get(peer_id) or (self.find(peer_id), None)
        peer.hang_up()
        if task is not None:
            await asyncio.wait({task}, timeout=CLOSE_S)

    def is_token(self, token: str) -> bool:
        """Whether a token ties a peer connection to a session that is running."""
        return self._registry.find_by_track_token(token) is not None

    async def answer(
        self, offer: Offer, token: str | None, caller: Caller, take_allowances: Callable[[], ExitStack]
    ) -> tuple[Peer, str]:
        """A new peer connection, and the answer to its offer.

        `token` ties it to a session that is led over another connection; None: its data channel leads one.
        `take_allowances` gives what it may use, to hold until its end. Raises `RealtimeError`.
        """
        self._check(offer, token)
        self._answering += 1
        try:
            peer = Peer(offer, self._settings, self._certificate, self._servers, self._silence, self._beats)
            try:
                answer = await peer.answer()
                driver = None if token is None else self._tied(token)
            except BaseException:
                await peer.discard()
                raise
        finally:
            self._answering -= 1
        peer.token = token
        peer.held = take_allowances()
        running = self._lead(peer, caller) if driver is None else self._carry(peer, driver)
        task = asyncio.create_task(running)
        self._peers[peer.peer_id] = peer, task
        task.add_done_callback(lambda _: self._peers.pop(peer.peer_id, None))
        return peer, answer

    def _check(self, offer: Offer, token: str | None) -> None:
        if token is not None:
            self._tied(token)
        elif offer.has_data:
            self._registry.check_room(sum(peer.has_no_session for peer, _ in self._peers.values()))
        else:
            raise RealtimeError(
                f"the offer has no data channel {wire.PROTOCOL!r}, and no token ties it to a session: "
                "nobody could say what is to be spoken",
                ErrorCode.INVALID_MESSAGE,
                "sdp",
            )
        if self._is_closed:
            raise QueueFullError("the server is shutting down", _RETRY_AFTER_MS)
        connecting = [peer for peer, _ in self._peers.values() if peer.is_connecting]
        if self._answering + len(connecting) >= MOST_CONNECTING:
            raise QueueFullError(
                f"{MOST_CONNECTING} peers are about to connect, which is all at a time", _RETRY_AFTER_MS
            )
        if token is not None and sum(peer.token == token for peer in connecting) >= MOST_FOR_ONE:
            raise RateLimitedError(
                f"{MOST_FOR_ONE} peers are about to connect for this session, which is all at a time",
                _RETRY_AFTER_MS,
            )

    def _tied(self, token: str) -> Driver:
        driver = self._registry.find_by_track_token(token)
        if driver is None:
            raise RealtimeError(
                "there is no session with this token: it is that of `session.ready`, as long as the session "
                "lasts",
                ErrorCode.RESUME_FAILED,
                "token",
            )
        return driver

    async def _carry(self, peer: Peer, driver: Driver) -> None:
        """A peer that carries the sound of a session that is led over another connection."""
        try:
            await peer.run(None, lambda: driver.track.connect(peer))
        finally:
            driver.track.disconnect(peer)

    async def _lead(self, peer: Peer, caller: Caller) -> None:
        """A peer whose data channel leads a session."""

        async def lead(transport: DataChannelTransport, outlet: Peer) -> None:
            try:
                self._registry.check_room()
            except QueueFullError as full:
                self._refused(caller, full.code)
                await refuse(transport, full)
                return
            await self._registry.serve(self._make_driver(caller), transport, outlet)

        await peer.run(lead, lambda: None)

    async def close_all(self) -> None:
        """End all of them."""
        self._is_closed = True
        peers = list(self._peers.values())
        for peer, _ in peers:
            peer.end()
        await asyncio.gather(*(task for _, task in peers), return_exceptions=True)
