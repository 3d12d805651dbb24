"""Associations (SCTP) out of all measure: they are aborted, and nobody else is disturbed."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from aiortc.rtcsctptransport import (
    SCTP_DATA_FIRST_FRAG,
    SCTP_DATA_LAST_FRAG,
    DataChunk,
    ForwardTsnChunk,
    HeartbeatChunk,
    SackChunk,
    serialize_packet,
    tsn_plus_one,
)

from realtime.app import Server
from realtime.server.webrtc import sctp
from realtime.server.webrtc.sctp import Stream, UnbearableError, check_packet
from tests.rtc_client import RtcClient, rtc_client
from tests.server.webrtc.test_hostile import peer_of, still_speaks
from tests.wire_client import eventually


def chunk(tsn: int, flags: int = 0, data: bytes = b"x", stream: int = 101, sequence: int = 0) -> DataChunk:
    made = DataChunk(flags)
    made.tsn, made.stream_id, made.stream_seq, made.protocol = tsn, stream, sequence, 51
    made.user_data = data
    return made


WHOLE = SCTP_DATA_FIRST_FRAG | SCTP_DATA_LAST_FRAG


async def send_raw(client: RtcClient, *chunks: bytes) -> None:
    """One packet of chunks, past what aiortc would do."""
    transport = client.pc.sctp
    assert transport is not None

    class Raw:
        def __bytes__(self) -> bytes:
            return b"".join(chunks)

    tag, port = transport._remote_verification_tag, transport._remote_port
    packet = serialize_packet(transport._local_port, port, tag, Raw())  # type: ignore[arg-type]
    await transport.transport._send_data(packet)


def numbers(client: RtcClient, count: int, step: int = 1) -> Iterable[int]:
    """The next TSNs of a client."""
    assert client.pc.sctp is not None
    tsn = client.pc.sctp._local_tsn
    return [(tsn + n * step) % 2**32 for n in range(count)]


def fragments(client: RtcClient) -> list[list[bytes]]:
    """A message of one-byte parts without an end."""
    parts = [
        bytes(chunk(tsn, SCTP_DATA_FIRST_FRAG if n == 0 else 0))
        for n, tsn in enumerate(numbers(client, 2500))
    ]
    return [parts[begin : begin + 50] for begin in range(0, len(parts), 50)]


def channels(client: RtcClient) -> list[list[bytes]]:
    """Channels by the dozen."""
    opening = struct.pack("!BBHLHH", 3, 0, 0, 0, 1, 0) + b"x"
    made = []
    for n, tsn in enumerate(numbers(client, 40)):
        one = chunk(tsn, WHOLE, opening, stream=101 + 2 * n)
        one.protocol = 50
        made.append(bytes(one))
    return [made]


def too_large(client: RtcClient) -> list[list[bytes]]:
    """One message of 400 kB."""
    return [
        [bytes(chunk(tsn, SCTP_DATA_FIRST_FRAG if n == 0 else 0, bytes(1000)))]
        for n, tsn in enumerate(numbers(client, 400))
    ]


def acknowledged(client: RtcClient) -> list[list[bytes]]:
    """What nobody sent: aiortc would count through 13 million numbers."""
    assert client.pc.sctp is not None
    sack = SackChunk()
    sack.cumulative_tsn = client.pc.sctp._last_received_tsn
    sack.gaps = [(1, 65535)] * 200
    return [[bytes(sack)]]


ABUSE: dict[str, Callable[[RtcClient], list[list[bytes]]]] = {
    "fragments": fragments,
    "channels": channels,
    "too large": too_large,
    "acknowledged": acknowledged,
    # aiortc would never come to the end of it.
    "a parameter of no length": lambda _: [[b"\x04\x00\x00\x08\x00\x01\x00\x00"]],
    "heartbeats": lambda _: [[bytes(HeartbeatChunk())] * 200],
    "skips": lambda client: [[bytes(skip(tsn))] for tsn in numbers(client, 200)],
    "cut short": lambda _: [[b"\x00\x03\x00\x06\x00\x00\x00\x00"]],
    "no text": lambda client: [[bytes(no_text(client))]],
}


def no_text(client: RtcClient) -> DataChunk:
    assert client.pc.sctp is not None and client.channel is not None and client.channel.id is not None
    stream = client.channel.id
    sequence = client.pc.sctp._outbound_stream_seq[stream]
    return chunk(client.pc.sctp._local_tsn, WHOLE, b"\xff", stream, sequence)


def skip(tsn: int) -> ForwardTsnChunk:
    made = ForwardTsnChunk()
    made.cumulative_tsn = tsn
    return made


@pytest.mark.parametrize("name", ABUSE)
async def test_an_association_out_of_all_measure_is_aborted(server: Server, name: str) -> None:
    """It ends its own session; a neighbour hears on."""
    async with rtc_client(server.url) as neighbour, rtc_client(server.url) as client:
        await client.connect()
        client.send(type="session.start")
        await client.until("session.ready")
        peer = peer_of(server)
        await neighbour.connect()
        for packet in ABUSE[name](client):
            await send_raw(client, *packet)
            await asyncio.sleep(0)
        assert peer._sctp is not None
        association = peer._sctp
        await eventually(lambda: association._is_aborted)
        assert not association._inbound_streams and not association._data_channels
        await client.until_closed()
        assert server.peers is not None
        peers = server.peers
        await eventually(lambda: peers.count == 1)
        await still_speaks(neighbour)


async def test_what_comes_early_is_bounded_and_comes_again(server: Server) -> None:
    """A number is missing, and thousands follow: what is too much is dropped, as a full receiver does."""
    async with rtc_client(server.url) as client:
        await client.connect()
        client.send(type="session.start")
        await client.until("session.ready")
        association = peer_of(server)._sctp
        assert association is not None
        everything = [
            bytes(chunk(tsn, WHOLE, sequence=number)) for number, tsn in enumerate(numbers(client, 2000))
        ]
        packets = [everything[begin : begin + 50] for begin in range(0, len(everything), 50)]
        for packet in [packets[0][1:], *packets[1:]]:
            await send_raw(client, *packet)
            await asyncio.sleep(0)
        await eventually(lambda: len(association._sack_misordered) == sctp.MOST_EARLY)
        assert sum(len(each.reassembly) for each in association._inbound_streams.values()) == sctp.MOST_EARLY
        for packet in packets:
            await send_raw(client, *packet)
            await asyncio.sleep(0)
        assert client.pc.sctp is not None
        client.pc.sctp._local_tsn = (client.pc.sctp._local_tsn + len(everything)) % 2**32
        await still_speaks(client)
        assert not association._sack_misordered and not association._is_aborted


@pytest.mark.parametrize("seed", range(4))
async def test_messages_are_whole_in_whatever_order_their_parts_come(seed: int) -> None:
    """Also where the numbers wrap; and what comes out is what went in."""
    chance = random.Random(seed)
    parts, expected, tsn = [], [], 2**32 - 200
    for sequence in range(60):
        sizes = [chance.randrange(1, 9) for _ in range(chance.randrange(1, 9))]
        for n, size in enumerate(sizes):
            flags = (SCTP_DATA_FIRST_FRAG if n == 0 else 0) | (
                SCTP_DATA_LAST_FRAG if n == len(sizes) - 1 else 0
            )
            parts.append(chunk(tsn, flags, bytes([sequence]) * size, sequence=sequence))
            tsn = tsn_plus_one(tsn)
        expected.append(bytes([sequence]) * sum(sizes))
    chance.shuffle(parts)
    stream, got = Stream(), []
    for part in parts:
        stream.add_chunk(part)
        got += [data for _, _, data in stream.pop_messages()]
    assert got == expected and not stream.reassembly


async def test_each_chunk_is_looked_at_once() -> None:
    """And not all that waits for each that comes."""
    looks = 0

    class Counted(DataChunk):
        @property
        def flags(self) -> int:
            nonlocal looks
            looks += 1
            return self._flags

        @flags.setter
        def flags(self, value: int) -> None:
            self._flags = value

    stream = Stream()
    for tsn in range(1000):
        part: Any = Counted(SCTP_DATA_FIRST_FRAG if tsn == 0 else 0)
        part.tsn, part.user_data = tsn, b"x"
        stream.add_chunk(part)
        assert not list(stream.pop_messages())
    assert looks < 3000


@pytest.mark.parametrize(
    "chunks",
    [
        b"\x00\x00\x00\x03",
        bytes(DataChunk()) * (sctp.MOST_CHUNKS + 1),
        b"\x82\x00\x00\x08\x00\x0d\x00\x03",
        b"\x01\x00\x00\x18" + bytes(16) + b"\x80\x08\x00\x00",
        b"\x04\x00\x01\x04" + b"\x00\x01\x00\x04" * 64,
    ],
)
def test_packets_that_lead_nowhere(chunks: bytes) -> None:
    with pytest.raises(UnbearableError):
        check_packet(bytes(12) + chunks)
