"""Strangers and peers that mean no good: they get no answer, or an end, and nobody else is disturbed."""

from __future__ import annotations

import asyncio
import gc
import re
import socket
import struct

import aioice
import pytest
from aioice import stun

from realtime.app import Server
from realtime.server.webrtc import ice
from realtime.server.webrtc.agent import MAX_CANDIDATES, Agent
from realtime.server.webrtc.peer import Peer
from tests.conftest import Serve
from tests.rtc_client import RtcClient, rtc_client
from tests.server.webrtc.test_connection import until_gone
from tests.server.webrtc.test_offers import patch
from tests.wire_client import eventually

PASSWORD = "p" * 22


def peer_of(server: Server) -> Peer:
    """The only peer of a server."""
    assert server.peers is not None
    ((peer, _),) = server.peers._peers.values()
    return peer


def open_agents() -> list[Agent]:
    """Those that have sockets."""
    return [each for each in gc.get_objects() if isinstance(each, Agent) and each._protocols]


def fragment(name: str, *candidates: str) -> str:
    lines = [f"a=ice-ufrag:{name}", f"a=ice-pwd:{PASSWORD}", *candidates]
    return "\r\n".join(lines) + "\r\n"


async def still_speaks(client: RtcClient) -> None:
    """What is said to it now is heard."""
    client.send(type="text", context_id="still", text="One. ")
    client.send(type="end", context_id="still")
    await client.until("playback", context_id="still", state="ended")


# -- datagrams of strangers ---------------------------------------------------------------------------------


def attribute(kind: int, value: bytes, length: int | None = None) -> bytes:
    return struct.pack("!HH", kind, len(value) if length is None else length) + value


def message(*attributes: bytes, method: int = 1) -> bytes:
    """A STUN message of any content."""
    body = b"".join(attributes)
    return struct.pack("!HHI12s", method, len(body), stun.COOKIE, b"x" * 12) + body


STRANGE = {
    "empty": b"",
    "text": b"hello",
    "DTLS alert": bytes([21, 254, 253, *range(9)]) + b"\0\2\2\50",
    "DTLS hello": bytes([22, 254, 253]) + bytes(60),
    "SRTP": bytes([128, 111]) + bytes(40),
    "no such method": message(method=0xE),
    "priority of one byte": message(attribute(0x24, b"\1\0\0\0", 1)),
    "role of two bytes": message(attribute(0x8029, b"\1\1\0\0", 2)),
    "no name": message(),
    "not authenticated": message(
        attribute(0x6, b"abcd:efgh"), attribute(0x24, b"\0\0\0\1"), attribute(0x8, bytes(20))
    ),
    "one of 30 kB": message(*[attribute(0x22, b"")] * 7000),
}


async def test_strangers_are_neither_heard_nor_answered(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever they send to the ports of a peer."""
    async with rtc_client(server.url) as client:
        await client.connect()
        ports = [int(port) for port in re.findall(r" 127\.0\.0\.1 (\d+) typ host", client.answer)]
        agent = peer_of(server)._ice._agent
        taken: list[bytes] = []
        put = agent._queue.put_nowait

        def watched(item: tuple[bytes, int] | None) -> None:
            taken.append(b"" if item is None else item[0])
            put(item)

        agent._queue.put_nowait = watched  # type: ignore[method-assign]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind(("127.0.0.1", 0))
            stranger.setblocking(False)
            for data in STRANGE.values():
                for port in ports:
                    stranger.sendto(data, ("127.0.0.1", port))
            await still_speaks(client)
            with pytest.raises(BlockingIOError):
                stranger.recv(2000)
        assert taken and not set(taken) & set(STRANGE.values())
        assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_strangers_do_not_disturb_a_handshake(server: Server) -> None:
    """They are there before the peer is."""
    async with rtc_client(server.url) as client:
        response = await client.post(await client.offer())
        answer = await response.text()
        ports = [int(port) for port in re.findall(r" 127\.0\.0\.1 (\d+) typ host", answer)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for data in list(STRANGE.values()) * 5:
                for port in ports:
                    stranger.sendto(data, ("127.0.0.1", port))
            await client.accept(answer)
        await still_speaks(client)


async def test_a_check_without_a_priority_is_of_no_use(server: Server) -> None:
    """It is authenticated, and lacks what every check has (RFC 8445, 7.1.1)."""
    async with rtc_client(server.url) as client:
        await client.connect()
        agent = peer_of(server)._ice._agent
        known = len(agent._remote_candidates)
        check = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        check.attributes["USERNAME"] = f"{agent.local_username}:{agent.remote_username}"
        check.add_message_integrity(agent.local_password.encode())
        (port,) = set(re.findall(r" 127\.0\.0\.1 (\d+) typ host", client.answer))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as same:
            same.bind(("127.0.0.1", 0))
            same.sendto(bytes(check), ("127.0.0.1", int(port)))
            await still_speaks(client)
        assert len(agent._remote_candidates) == known


# -- candidates without end ---------------------------------------------------------------------------------


def candidates(count: int, first: int = 0) -> str:
    """Lines of addresses where nobody is: they are of loopback, and nothing else is sent to."""
    return "".join(
        f"a=candidate:1 1 udp 5 127.9.{number >> 8}.{number & 255} 9 typ host\r\n"
        for number in range(first, first + count)
    )


async def test_candidates_without_end_are_ignored(serve_tone: Serve) -> None:
    """Some before there is a way; none after."""
    async with serve_tone() as server, rtc_client(server.url) as client:
        response = await client.post(await client.offer())
        client.location = response.headers["Location"]
        agent = peer_of(server)._ice._agent
        for number in range(4):
            assert (await patch(client, candidates(50, number * 50)))[0] == 204
        assert len(agent.remote_candidates) == MAX_CANDIDATES
        await client.accept(await response.text())
        known = len(agent.remote_candidates)
        assert (await patch(client, candidates(50, 5000)))[0] == 204
        assert len(agent.remote_candidates) == known
        await still_speaks(client)


@pytest.mark.parametrize(
    ("ours", "host", "is_taken"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "169.254.1.1", True),
        ("192.0.2.1", "127.0.0.1", False),
        ("192.0.2.1", "::ffff:127.0.0.1", False),
        ("192.0.2.1", "169.254.169.254", False),
        ("192.0.2.1", "198.51.100.1", True),
        ("127.0.0.1", "224.0.0.251", False),
        ("127.0.0.1", "255.255.255.255", False),
        ("127.0.0.1", "0.0.0.0", False),
        ("127.0.0.1", "::", False),
        ("127.0.0.1", "ff02::1", False),
    ],
)
async def test_only_addresses_of_one_machine_are_sent_to(
    serve_tone: Serve, ours: str, host: str, is_taken: bool
) -> None:
    """And those of our own only where we offer to be met there."""
    agent = Agent(ice.IceSettings(), ice.Servers(), controlling=False)
    agent._local_candidates.append(aioice.Candidate.from_sdp(f"1 1 udp 5 {ours} 9 typ host"))
    await agent.add_remote_candidate(aioice.Candidate.from_sdp(f"1 1 udp 5 {host} 9 typ host"))
    assert bool(agent.remote_candidates) is is_taken


# -- new begins ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["a=ice-ufrag:abcd", f"a=ice-pwd:{PASSWORD}", "a=ice-ufrag:\r\na=ice-pwd:"])
async def test_a_name_without_a_password_is_no_new_begin(server: Server, line: str) -> None:
    async with rtc_client(server.url) as client:
        await client.connect()
        status, told, _ = await patch(client, line + "\r\n" + candidates(1))
        assert status == 400 and "ice-pwd" in told
        await still_speaks(client)


async def test_one_new_begin_at_a_time(serve_tone: Serve) -> None:
    """Of many at once the first is taken; and when it has led nowhere another is."""
    async with serve_tone(rtc_connect_s=1.0) as server, rtc_client(server.url) as client:
        await client.connect()
        before = len(open_agents())
        answers = await asyncio.gather(*(patch(client, fragment(f"abcd{n}")) for n in range(8)))
        assert sorted(status for status, _, _ in answers) == [200, *[429] * 7]
        assert all("rate_limited" in text for status, text, _ in answers if status == 429)
        assert len(open_agents()) == before + 1
        await eventually(lambda: len(open_agents()) == before)
        assert (await patch(client, fragment("efgh")))[0] == 200
        await still_speaks(client)
        assert await client.hang_up() == 204
        await until_gone(server)
        await eventually(lambda: not open_agents())


async def test_a_new_begin_of_a_connection_that_ends_leaves_nothing(
    serve_tone: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is still looking for addresses of ours when the connection is hung up."""
    gathering, may_go_on = asyncio.Event(), asyncio.Event()
    gather = ice._gather

    async def slow(agent: Agent) -> None:
        await gather(agent)
        gathering.set()
        await may_go_on.wait()

    async with serve_tone() as server, rtc_client(server.url) as client:
        await client.connect()
        monkeypatch.setattr(ice, "_gather", slow)
        begin = asyncio.create_task(patch(client, fragment("abcd")))
        await gathering.wait()
        assert await client.hang_up() == 204
        await until_gone(server)
        may_go_on.set()
        assert (await begin)[0] == 404
        await eventually(lambda: not open_agents())


async def test_closing_goes_on_when_nobody_waits_for_it(server: Server) -> None:
    """Neither the old way nor the one that was being looked for is left."""
    async with rtc_client(server.url) as client:
        await client.connect()
        assert (await patch(client, fragment("abcd")))[0] == 200
        closing = asyncio.create_task(peer_of(server)._ice.close())
        await asyncio.sleep(0)
        closing.cancel()
        await eventually(lambda: not open_agents())
        await until_gone(server)


async def test_a_new_begin_before_the_first_has_found_a_way(server: Server) -> None:
    """A caller whose network changes while it connects: the new way is taken, and the connection lives."""
    async with rtc_client(server.url) as client:
        response = await client.post(re.sub(r"a=candidate:.*\r\n", "", await client.offer()))
        client.location = response.headers["Location"]
        fresh = aioice.Connection(ice_controlling=True)
        try:
            await fresh.gather_candidates()
            lines = [f"a=ice-ufrag:{fresh.local_username}", f"a=ice-pwd:{fresh.local_password}"]
            lines += [f"a=candidate:{each.to_sdp()}" for each in fresh.local_candidates]
            status, told, _ = await patch(client, "\r\n".join(lines) + "\r\n")
            assert status == 200
            attributes = dict(line[2:].split(":", 1) for line in told.splitlines() if ":" in line)
            fresh.remote_username, fresh.remote_password = attributes["ice-ufrag"], attributes["ice-pwd"]
            for line in re.findall(r"a=candidate:(.*)", told):
                await fresh.add_remote_candidate(aioice.Candidate.from_sdp(line))
            await fresh.connect()
            async with asyncio.timeout(10):
                assert (await fresh.recv())[0] == 22, "the server goes on, and begins DTLS"
            assert server.peers is not None and server.peers.count == 1
            assert await client.hang_up() == 204
            await until_gone(server)
            await eventually(lambda: not open_agents())
        finally:
            await fresh.close()
