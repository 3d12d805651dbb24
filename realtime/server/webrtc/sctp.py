"""SCTP (RFC 9260) of a data channel, by aiortc, so that no peer can make it a burden.

aiortc walks all that waits for each chunk that comes, keeps to neither its window nor its message size, and
believes what a packet says of its own lengths. What is out of all measure ends the association here.
"""

from __future__ import annotations

import struct
from bisect import bisect
from collections.abc import Iterator
from itertools import islice

import structlog
from aiortc import RTCSctpTransport
from aiortc.rtcsctptransport import (
    LOCAL_MAX_MESSAGE_SIZE,
    SCTP_CHUNK_HEADER_LENGTH,
    SCTP_COMMON_HEADER_LENGTH,
    SCTP_DATA_FIRST_FRAG,
    SCTP_DATA_LAST_FRAG,
    SCTP_DATA_UNORDERED,
    SCTP_TSN_MODULO,
    DataChunk,
    ErrorChunk,
    ForwardTsnChunk,
    HeartbeatAckChunk,
    HeartbeatChunk,
    InboundStream,
    InitAckChunk,
    InitChunk,
    ReconfigChunk,
    SackChunk,
    tsn_plus_one,
)
from aiortc.utils import uint16_add, uint16_gt, uint32_gte

#: Bytes of a message: what our answer says, and a little for who counts otherwise.
MOST_MESSAGE_BYTES = LOCAL_MAX_MESSAGE_SIZE + 64 * 1024
#: Chunks that may have come before one that is missing; more are dropped, and sent again (RFC 9260, 6.2).
MOST_EARLY = 512
#: Chunks and bytes that may wait for their message to be whole. One of 256 KiB has some 230 chunks.
MOST_WAITING = 2048
MOST_WAITING_BYTES = 2 * 1024 * 1024
#: A browser opens one channel and writes on one stream.
MOST_STREAMS = 16
#: Of one packet: chunks, of which 1200 bytes hold 60; those that are no data, each of which is answered; and
#: parameters of one of these.
MOST_CHUNKS = 128
MOST_CONTROLS = 8
MOST_PARAMETERS = 16
#: Of an association: it only has them on a channel that may lose, which is refused.
MOST_SKIPS = 64
#: Duplicates that one answer tells of.
_MOST_DUPLICATES = 32
#: Bytes before the parameters of a chunk.
_BEFORE_PARAMETERS = {
    InitChunk.type: 16,
    InitAckChunk.type: 16,
    HeartbeatChunk.type: 0,
    HeartbeatAckChunk.type: 0,
    6: 0,  # ABORT
    ErrorChunk.type: 0,
    ReconfigChunk.type: 0,
}
_WINDOW = 1024 * 1024
#: What aiortc stumbles over when a peer does not keep to the protocol.
_STUMBLES = (ValueError, AssertionError, LookupError, TypeError, AttributeError, NameError, struct.error)
_log = structlog.get_logger(__name__)


class UnbearableError(Exception):
    """A peer asks for more than it may."""


class Stream(InboundStream):
    """Chunks of one stream, by their number (TSN): each is looked at once, however many wait."""

    def __init__(self) -> None:
        super().__init__()
        #: How many chunks at the front are known to follow each other without an end, and their bytes.
        self._seen = 0
        self._seen_bytes = 0

    def add_chunk(self, chunk: DataChunk) -> None:
        """Put a chunk, which is no duplicate, where it belongs."""
        waiting = self.reassembly
        if waiting:
            # Numbers wrap: what counts is how far each is from the first. Half of all are before it.
            base = (waiting[0].tsn - SCTP_TSN_MODULO // 2) % SCTP_TSN_MODULO
            place = bisect(
                waiting,
                (chunk.tsn - base) % SCTP_TSN_MODULO,
                key=lambda each: (each.tsn - base) % SCTP_TSN_MODULO,
            )
            if place < self._seen:
                self._look_anew()
            waiting.insert(place, chunk)
        else:
            waiting.append(chunk)

    def pop_messages(self) -> Iterator[tuple[int, int, bytes]]:
        """Messages that are whole and in turn: stream, protocol, bytes."""
        while self._seen < len(self.reassembly):
            chunk = self.reassembly[self._seen]
            if self._seen == 0:
                if not chunk.flags & SCTP_DATA_FIRST_FRAG or uint16_gt(
                    chunk.stream_seq, self.sequence_number
                ):
                    return
            elif chunk.tsn != tsn_plus_one(self.reassembly[self._seen - 1].tsn):
                return
            self._seen += 1
            self._seen_bytes += len(chunk.user_data)
            if self._seen_bytes > MOST_MESSAGE_BYTES:
                raise UnbearableError(f"a message of more than {MOST_MESSAGE_BYTES} bytes")
            if chunk.flags & SCTP_DATA_LAST_FRAG:
                data = b"".join(each.user_data for each in islice(self.reassembly, self._seen))
                del self.reassembly[: self._seen]
                self._look_anew()
                if chunk.stream_seq == self.sequence_number:
                    self.sequence_number = uint16_add(self.sequence_number, 1)
                yield chunk.stream_id, chunk.protocol, data

    def prune_chunks(self, tsn: int) -> int:
        """Drop what the peer has given up; the bytes of it."""
        self._look_anew()
        return super().prune_chunks(tsn)

    def _look_anew(self) -> None:
        self._seen = self._seen_bytes = 0


class SctpTransport(RTCSctpTransport):
    """An association that is aborted when its peer asks for more than it may."""

    _is_aborted = False
    _skips = 0

    async def _handle_data(self, data: bytes) -> None:
        """A packet of the peer."""
        if self._is_aborted:
            return
        try:
            check_packet(data)
            await super()._handle_data(data)
        except UnbearableError as error:
            await self._give_up(str(error))
        except _STUMBLES as error:
            await self._give_up(f"{type(error).__name__}: {error}")

    async def _give_up(self, why: str) -> None:
        """The channels are closed by it, and with its channel a peer ends."""
        self._is_aborted = True
        _log.warning("association_aborted", why=why)
        await self._abort()
        self._set_state(self.State.CLOSED)
        self._inbound_streams.clear()
        self._sack_misordered.clear()

    async def _receive_data_chunk(self, chunk: DataChunk) -> None:
        self._sack_needed = True
        is_next = self._last_received_tsn is not None and chunk.tsn == tsn_plus_one(self._last_received_tsn)
        waiting_bytes = _WINDOW - self._advertised_rwnd
        if not is_next and (len(self._sack_misordered) >= MOST_EARLY or waiting_bytes >= _WINDOW):
            return
        if chunk.flags & SCTP_DATA_UNORDERED:
            # What opens a channel is in order (RFC 8832, 6), and so is the one channel that is taken.
            self._mark_received(chunk.tsn)
            await self._reset_deferred_streams()
            return
        await super()._receive_data_chunk(chunk)
        waiting = sum(len(each.reassembly) for each in self._inbound_streams.values())
        if waiting > MOST_WAITING or _WINDOW - self._advertised_rwnd > MOST_WAITING_BYTES:
            raise UnbearableError(f"{waiting} chunks that make no message")

    def _mark_received(self, tsn: int) -> bool:
        """Whether a chunk has come before. As aiortc's, but does not sort all that is early each time."""
        assert self._last_received_tsn is not None, "data before there is an association"
        if uint32_gte(self._last_received_tsn, tsn) or tsn in self._sack_misordered:
            if len(self._sack_duplicates) < _MOST_DUPLICATES:
                self._sack_duplicates.append(tsn)
            return True
        early = self._sack_misordered
        early.add(tsn)
        while (following := tsn_plus_one(self._last_received_tsn)) in early:
            early.discard(following)
            self._last_received_tsn = following
        return False

    def _get_inbound_stream(self, stream_id: int) -> InboundStream:
        if stream_id not in self._inbound_streams:
            if len(self._inbound_streams) >= MOST_STREAMS or len(self._data_channels) >= MOST_STREAMS:
                raise UnbearableError(f"more than {MOST_STREAMS} streams")
            self._inbound_streams[stream_id] = Stream()
        return self._inbound_streams[stream_id]

    async def _receive_forward_tsn_chunk(self, chunk: ForwardTsnChunk) -> None:
        self._skips += 1
        if self._skips > MOST_SKIPS:
            raise UnbearableError(f"more than {MOST_SKIPS} times something was given up")
        await super()._receive_forward_tsn_chunk(chunk)

    async def _receive_sack_chunk(self, chunk: SackChunk) -> None:
        """aiortc counts through all numbers that it names: they must be of what was sent, and each once."""
        sent = (self._local_tsn - 1 - chunk.cumulative_tsn) % SCTP_TSN_MODULO
        named = sum(end - first + 1 for first, end in chunk.gaps)
        is_sound = all(0 < first <= end <= sent for first, end in chunk.gaps)
        if sent >= SCTP_TSN_MODULO // 2 or named > sent or not is_sound:
            raise UnbearableError("an acknowledgement of what was not sent")
        await super()._receive_sack_chunk(chunk)


def check_packet(data: bytes) -> None:
    """Raises `UnbearableError` where a packet has too much in it, or lengths that lead nowhere.

    aiortc never comes to the end of parameters one of which says that it has no length.
    """
    chunks = controls = 0
    place = SCTP_COMMON_HEADER_LENGTH
    while place <= len(data) - SCTP_CHUNK_HEADER_LENGTH:
        kind, _, length = struct.unpack_from("!BBH", data, place)
        chunks += 1
        controls += kind != DataChunk.type
        if length < SCTP_CHUNK_HEADER_LENGTH or chunks > MOST_CHUNKS or controls > MOST_CONTROLS:
            raise UnbearableError(f"a packet of {chunks} chunks, of which {controls} are no data")
        if kind in _BEFORE_PARAMETERS:
            begin = place + SCTP_CHUNK_HEADER_LENGTH + _BEFORE_PARAMETERS[kind]
            _check_parameters(data[begin : place + length])
        place += _padded(length)


def _check_parameters(body: bytes) -> None:
    count = place = 0
    while place <= len(body) - 4:
        (length,) = struct.unpack_from("!H", body, place + 2)
        count += 1
        if length < 4 or count > MOST_PARAMETERS:
            raise UnbearableError("a chunk with too many parameters, or one of no length")
        place += _padded(length)


def _padded(length: int) -> int:
    return (length + 3) // 4 * 4
