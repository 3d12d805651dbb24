"""One peer connection, from an offer to its end: ICE, then DTLS, then the track and the data channel."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import structlog
from aiortc import (
    RTCCertificate,
    RTCDataChannel,
    RTCDtlsTransport,
    RTCIceParameters,
    RTCIceTransport,
)
from aiortc.rtcdtlstransport import RtpSender
from aiortc.rtcrtpparameters import RTCRtpSendParameters

from realtime.errors import ErrorCode, QueueFullError
from realtime.live.track import Track
from realtime.server.webrtc.beats import Beats
from realtime.server.webrtc.channel import LABEL, DataChannelTransport
from realtime.server.webrtc.ice import IceSettings, IceTransport, Remote, Servers
from realtime.server.webrtc.rtp import TrackSender
from realtime.server.webrtc.sctp import SctpTransport
from realtime.server.webrtc.sdp import Fragment, Local, Offer, write_answer, write_fragment
from realtime.session import messages as wire

#: A connection has so long to come about, and a new way to be found after a new begin.
CONNECT_S = 15.0
#: What has left is still heard for so long: silence follows it, and then the end.
LINGER_S = 0.5
_RETRY_AFTER_MS = 1000
#: Each part of a connection has so long to end.
CLOSE_S = 2.0
#: What OpenSSL notes when the other side has closed (SSL_RECEIVED_SHUTDOWN).
_RECEIVED_SHUTDOWN = 2
_log = structlog.get_logger(__name__)
T = TypeVar("T")

#: Leads a session over a data channel until that is over; the peer carries its track.
LeadOver = Callable[[DataChannelTransport, "Peer"], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """`connect_s`: so long a peer may take to connect, and to open its data channel."""

    ice: IceSettings
    connect_s: float = CONNECT_S


class Peer:
    """A peer connection; it carries at most one track at a time."""

    def __init__(
        self,
        offer: Offer,
        settings: PeerSettings,
        certificate: RTCCertificate,
        servers: Servers,
        silence: bytes,
        beats: Beats,
    ) -> None:
        """Nothing is opened before `answer`. `silence` is a packet of it."""
        self.peer_id = secrets.token_urlsafe(16)
        self._offer = offer
        self._settings = settings
        self._ice = IceTransport(settings.ice, servers, controlling=offer.remote.lite)
        # It takes any transport that has a way to send and to receive.
        self._dtls = RTCDtlsTransport(cast(RTCIceTransport, self._ice), [certificate])
        self._dtls._set_role("server" if offer.dtls.role == "client" else "client")
        self._sctp = SctpTransport(self._dtls) if offer.has_data else None
        self._sender = TrackSender(offer.codec.payloadType or 0, offer.mid, silence, beats)
        self._remote = offer.remote
        self._ended = asyncio.Event()
        self._opened: asyncio.Future[DataChannelTransport] = asyncio.get_running_loop().create_future()
        self._transport: DataChannelTransport | None = None
        self._starts = 1
        self._is_wanted = True
        self._is_connected = self._has_session = False
        #: Whether it is still about to connect.
        self.is_connecting = True
        #: What ties it to a session that is led over another connection.
        self.token: str | None = None
        #: What it takes of what its key and its address may use, until it ends.
        self.held = ExitStack()

    # -- what is said of it by HTTP -----------------------------------------------------------------------

    @property
    def has_no_session(self) -> bool:
        """Whether it is still to lead a session of its own."""
        return self.token is None and not self._has_session

    @property
    def etag(self) -> str:
        """Changes with each new begin."""
        return f'"{self.peer_id[:8]}-{self._starts}"'

    async def answer(self) -> str:
        """The answer to the offer; raises `QueueFullError` when we can be reached nowhere."""
        with _reachable():
            await self._ice.gather()
        return write_answer(self._offer, self._local())

    async def discard(self) -> None:
        """It is not to be run."""
        await _within(self._ice.close)

    def _local(self) -> Local:
        agent = self._ice.local
        dtls = self._dtls.getLocalParameters()
        dtls.role = self._dtls._role
        return Local(
            self._ice_parameters(), agent.local_candidates, dtls, self._sender.ssrc, self._sender.cname
        )

    def _ice_parameters(self) -> RTCIceParameters:
        agent = self._ice.local
        return RTCIceParameters(agent.local_username, agent.local_password)

    async def add(self, fragment: Fragment) -> str | None:
        """Candidates that follow; what to answer when the peer begins anew, else None. Raises as `answer`."""
        if fragment.username in ("", self._remote.username):
            for candidate in fragment.candidates:
                await self._ice.add(candidate)
            return None
        remote = Remote(fragment.username, fragment.password, fragment.candidates, self._remote.lite)
        with _reachable():
            await self._ice.restart(remote, self._settings.connect_s)
        self._remote = remote
        self._starts += 1
        mid = self._offer.description.media[self._offer.audio].rtp.muxId
        return write_fragment(self._ice_parameters(), self._ice.local.local_candidates, mid)

    def end(self) -> None:
        """Close the connection when what is under way has come to the listener."""
        self._ended.set()

    def hang_up(self) -> None:
        """The peer wants no more: its session is over as well."""
        if self._transport is not None:
            self._transport.hang_up()
        self._is_wanted = False
        self.end()

    # -- an outlet for a track ----------------------------------------------------------------------------

    def carry(self, track: Track) -> None:
        """Take the packets of `track` from now on."""
        self._sender.track = track

    def let_go(self) -> None:
        """Another peer has the track, or its session is over; who leads one has still its messages."""
        self._sender.track = None
        if self._transport is None:
            self.end()

    # -- its life -----------------------------------------------------------------------------------------

    async def run(self, lead: LeadOver | None, on_connected: Callable[[], None]) -> None:
        """Connect, and go on until one of the two ends it; leaves nothing behind.

        `lead` leads a session over the data channel; None: another connection does, and this one carries the
        sound alone. `on_connected` is called when sound can be heard.
        """
        log = _log.bind(peer=self.peer_id[:8])
        tasks: set[asyncio.Task[None]] = set()
        leading: asyncio.Task[None] | None = None
        why = "failed"
        try:
            await self._unless_ended(self._connect(takes_channel=lead is not None))
            self._is_connected, self.is_connecting = True, False
            log.info("peer_connected")
            tasks.add(asyncio.create_task(self._sender.run(self._dtls)))
            on_connected()
            if lead is not None:
                transport = await self._unless_ended(self._until_opened())
                self._has_session = True
                leading = asyncio.create_task(lead(transport, self))
                tasks.add(leading)
            tasks.add(asyncio.create_task(self._until_ended()))
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            why = "ended"
            for task in done:
                task.result()
            if self._dtls.state == "connected" and self._is_wanted:
                await asyncio.sleep(LINGER_S)
        except TimeoutError:
            why = "no channel" if self._is_connected else "never connected"
        except ConnectionError as error:
            why = f"failed: {error}"
        except Exception:
            log.exception("peer_failed")
        finally:
            self.is_connecting, self._has_session = False, True
            if leading is not None:  # it may have something to say yet
                await asyncio.wait({leading}, timeout=CLOSE_S)
            await self._close(tasks)
            reception = self._sender.reception
            log.info(
                "peer_closed",
                why=why,
                lost=reception.lost,
                jitter_ms=round(reception.jitter_ms, 1),
                latest_ms=round(self._sender.latest_s * 1000, 1),
                left_out=self._sender.left_out,
            )

    async def _until_ended(self) -> None:
        await self._ended.wait()

    async def _until_opened(self) -> DataChannelTransport:
        return await asyncio.shield(self._opened)

    async def _unless_ended(self, part: Coroutine[Any, Any, T]) -> T:
        """What comes of a part of the beginning, which may take `connect_s`.

        Raises `TimeoutError`, or `ConnectionError` when the connection is to end before.
        """
        ended, done = asyncio.create_task(self._until_ended()), asyncio.create_task(part)
        try:
            async with asyncio.timeout(self._settings.connect_s):
                await asyncio.wait({ended, done}, return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                raise ConnectionError("ended before it had come about")
            return done.result()
        finally:
            ended.cancel()
            done.cancel()
            await asyncio.gather(ended, done, return_exceptions=True)

    async def _connect(self, *, takes_channel: bool) -> None:
        """Raises `ConnectionError`."""
        self._dtls.on("statechange", self._on_dtls_state)
        await self._ice.connect(self._remote)
        await self._dtls.start(self._offer.dtls)
        if self._dtls.state != "connected":
            raise ConnectionError("no encryption was agreed on")
        parameters = RTCRtpSendParameters(muxId=self._offer.description.media[self._offer.audio].rtp.muxId)
        self._dtls._register_rtp_sender(cast(RtpSender, self._sender), parameters)
        if self._sctp is None:
            return
        if takes_channel:
            self._sctp.on("datachannel", self._on_channel)
        else:
            self._sctp.on("datachannel", self._on_needless_channel)
        section = self._offer.data_section
        await self._sctp.start(section.sctpCapabilities, section.sctp_port or 0)

    def _on_dtls_state(self) -> None:
        if self._dtls.state in ("closed", "failed"):
            if _said_goodbye(self._dtls):
                self.hang_up()
            elif self._transport is not None:
                self._transport.lost()
            self.end()

    def _on_channel(self, channel: RTCDataChannel) -> None:
        if channel.label != LABEL:
            _refuse(channel, f"the only data channel here is {LABEL}")
        elif (
            not channel.ordered or channel.maxRetransmits is not None or channel.maxPacketLifeTime is not None
        ):
            _refuse(channel, f"the data channel {LABEL} must be ordered and reliable, as it is by default")
        elif self._transport is not None:
            _refuse(channel, f"there is a data channel {LABEL} already")
        else:
            self._transport = DataChannelTransport(channel, self._ice.may_read)
            self._opened.set_result(self._transport)

    def _on_needless_channel(self, channel: RTCDataChannel) -> None:
        _refuse(channel, "this connection carries the sound of a session that another one leads: write there")

    async def _close(self, tasks: set[asyncio.Task[None]]) -> None:
        """All parts, in the order in which they stand on each other; none may hold up the others."""
        async with contextlib.AsyncExitStack() as stack:  # the last that is pushed is the first that is done
            stack.callback(self.held.close)
            stack.push_async_callback(_within, self._ice.close)
            stack.push_async_callback(_within, self._dtls.stop)
            if self._sctp is not None:
                stack.push_async_callback(_within, self._sctp.stop)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._opened.cancel()
            with contextlib.suppress(ConnectionError):
                await self._dtls._send_rtp(self._sender.goodbye())


@contextlib.contextmanager
def _reachable() -> Iterator[None]:
    """Raises `QueueFullError` where no socket could be opened."""
    try:
        yield
    except OSError as error:
        raise QueueFullError(f"no way to be reached was found: {error}", _RETRY_AFTER_MS) from None


async def _within(close: Callable[[], Awaitable[None]]) -> None:
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(CLOSE_S):
            await close()


def _said_goodbye(dtls: RTCDtlsTransport) -> bool:
    """Whether the peer has closed the connection (close_notify), and was not lost."""
    return dtls._ssl is not None and bool(dtls._ssl.get_shutdown() & _RECEIVED_SHUTDOWN)


def _refuse(channel: RTCDataChannel, why: str) -> None:
    with contextlib.suppress(ValueError):  # it takes no message of this length
        channel.send(wire.encode(wire.Error(ErrorCode.INVALID_MESSAGE, why, fatal=True)))
    channel.close()
