"""Real networks: loss and jitter, servers that do not answer, relays, new addresses, peers that vanish."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from aiortc import RTCConfiguration, RTCIceServer

from bench.server import ServerProcess, free_port
from realtime.audio.opus import OpusDecoder, silent_packet
from tests.conftest import Serve
from tests.rtc_client import Heard, RtcClient, rtc_client
from tests.server.webrtc.relay import Relay, relayed
from tests.server.webrtc.test_connection import audible, until_gone
from tests.speech_judges import transcribe, word_error_rate
from tests.wire_client import eventually

TICKS = 960
SENTENCES = (
    "The old lighthouse keeper climbed the stairs every evening before the sun went down.",
    "She carried a lamp in one hand and a basket of bread in the other.",
    "From the top of the tower you could see the whole bay and the islands behind it.",
    "Ships came and went, and each of them sounded its horn as it passed the rocks.",
    "In winter the wind was so strong that nobody could open the door for days.",
    "Then she read books by the fire and wrote long letters to her brother.",
    "He lived in a small town on the other side of the mountains with his family.",
    "When spring came at last, the first boat brought fruit, newspapers and new shoes.",
    "Everybody gathered in the harbour to hear what had happened in the world.",
    "The children ran along the beach and looked for green glass and white stones.",
)


@pytest.fixture(scope="module")
def voice() -> Iterator[ServerProcess]:
    """A server with the small voice, in a process of its own."""
    with ServerProcess() as running:
        yield running


def offset_ms(packets: list[Heard]) -> float:
    """How much later packets come than the RTP clock says, at the least: free of jitter."""
    first = packets[0].timestamp
    return min(each.at * 1000 - ((each.timestamp - first) % 2**32) / 48 for each in packets)


def decoded(packets: list[Heard]) -> np.ndarray:
    """As a good receiver does it: in order, and what is lost out of the packet after it (in-band FEC)."""
    by_number = {(each.sequence - packets[0].sequence) % 2**16: each.payload for each in packets}
    last = max(number for number in by_number if number < 2**15)
    decoder, sound = OpusDecoder(), []
    for number in range(last + 1):
        if number in by_number:
            sound.append(decoder.decode(by_number[number]))
        elif number + 1 in by_number:
            made_up = decoder._decoder.decode_float(by_number[number + 1], TICKS, True)
            sound.append(np.frombuffer(made_up, np.float32))
        else:
            sound.append(np.zeros(TICKS, np.float32))
    return np.concatenate(sound)


class TwoMinutes:
    """A peer behind a bad network, that hears a story for two minutes."""

    def __init__(self, client: RtcClient, relay: Relay) -> None:
        self.client = client
        self.relay = relay
        self.said: list[str] = []
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        begun = time.monotonic()
        while time.monotonic() - begun < 120:
            name = str(len(self.said))
            sentence = SENTENCES[len(self.said) % len(SENTENCES)]
            self.said.append(sentence)
            self.client.send(type="text", context_id=name, text=sentence)
            self.client.send(type="end", context_id=name)
            async with asyncio.timeout(60):
                await self.client.until("playback", context_id=name, state="ended")

    async def over(self) -> None:
        """Returns when it is over."""
        await self._task

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def story(voice: ServerProcess) -> AsyncIterator[TwoMinutes]:
    """It begins with the first test, and the last one looks at it: the others have their turn meanwhile."""
    async with rtc_client(f"http://127.0.0.1:{voice.port}") as client:
        # Without addresses of its own: else the two would find a way around the relay.
        response = await client.post(re.sub(r"a=candidate:.*\r\n", "", await client.offer()))
        answer = await response.text()
        assert response.status == 201, answer
        async with relayed(answer, loss=0.05, delay_ms=40, jitter_ms=30) as (through, relay):
            await client.accept(through)
            listening = TwoMinutes(client, relay)
            try:
                yield listening
            finally:
                await listening.stop()


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_words_arrive_right(voice: ServerProcess, story: TwoMinutes) -> None:
    """What aiortc's own receiver gives, on a good network."""
    async with rtc_client(f"http://127.0.0.1:{voice.port}") as client:
        await client.connect()
        said = SENTENCES[:3]
        client.send(type="text", text=" ".join(said))
        client.send(type="end")
        await client.until("playback", state="ended")
        await client.until_packets(len(client.packets) + 10)
        heard = await asyncio.to_thread(transcribe, client.sound(), 48_000)
        assert word_error_rate([" ".join(said)], [heard]) <= 0.06, heard


async def test_a_stun_server_that_does_not_answer_is_not_waited_for(
    serve_tone: Serve, story: TwoMinutes
) -> None:
    """A second once, and then not at all for a while."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"stun:127.0.0.1:{silent.getsockname()[1]}"
        silent.setblocking(False)
        async with serve_tone(stun_urls=url) as server:
            asked = []
            for _ in range(2):
                async with asyncio.timeout(8), rtc_client(server.url) as client:  # aioice alone takes 30 s
                    await client.connect()
                    client.send(type="text", text="One. ")
                    await client.until("playback", state="playing")
                asked.append(unread(silent))
        assert asked[0] > 0 and asked[1] == 0


def unread(silent: socket.socket) -> int:
    """How many datagrams have come since the last time."""
    count = 0
    while True:
        try:
            silent.recv(1500)
        except BlockingIOError:
            return count
        count += 1


async def test_ports_of_a_range(serve_tone: Serve, story: TwoMinutes) -> None:
    """As a firewall lets in; and when all are taken, that is said."""
    first = free_port()
    async with serve_tone(rtc_ports=f"{first}-{first}") as server, rtc_client(server.url) as client:
        await client.connect()
        assert set(re.findall(r" (\d+) typ host", client.answer)) == {str(first)}
        async with rtc_client(server.url) as other:
            response = await other.post(await other.offer())
            assert response.status == 503
            assert "no way to be reached" in (await response.json())["error"]["message"]


async def test_the_address_that_a_router_shows_is_told(serve_tone: Serve, story: TwoMinutes) -> None:
    """With the same ports as the addresses of ours; nobody goes there in this test."""
    async with serve_tone(rtc_public_address="203.0.113.9") as server, rtc_client(server.url) as client:
        response = await client.post(await client.offer())
        client.location = response.headers["Location"]
        answer = await response.text()
        own = re.findall(r"(?!203)\S+ (\d+) typ host", answer)
        assert set(re.findall(r"203\.0\.113\.9 (\d+) typ host", answer)) == set(own)
        await client.hang_up()


@asynccontextmanager
async def turn_server(tmp: Path, *options: str) -> AsyncIterator[int]:
    """coturn on loopback; its port."""
    program = shutil.which("turnserver")
    assert program, "turnserver is not installed: make test installs it"
    port, pidfile = free_port(), tmp / "turn.pid"
    arguments = [
        "--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", f"--listening-port={port}", "--realm=test",
        "--no-tls", "--no-dtls", "--no-cli", "--lt-cred-mech", "--allow-loopback-peers", "--log-file=stdout",
        f"--pidfile={pidfile}", f"--userdb={tmp / 'turndb'}", *options,
    ]  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        program, *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        await eventually(lambda: _answers(port))
        yield port
    finally:
        process.terminate()
        await process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("secret", [False, True])
async def test_through_a_turn_server(
    serve_tone: Serve, story: TwoMinutes, tmp_path: Path, secret: bool
) -> None:
    """Nothing but the relays of both sides is left; name and password are fixed, or made of a secret."""
    options = ["--use-auth-secret", "--static-auth-secret=s3cret"] if secret else ["--user=name:password"]
    async with turn_server(tmp_path, *options) as port:
        url = f"turn:127.0.0.1:{port}?transport=udp"
        login = (
            {"turn_secret": "s3cret"} if secret else {"turn_username": "name", "turn_password": "password"}
        )
        async with serve_tone(turn_urls=url, **login) as server, rtc_client(server.url) as client:
            response = await client.post(await client.offer())
            answer = await response.text()
            client.location = response.headers["Location"]
            assert re.search(r"127\.0\.0\.1 \d+ typ relay", answer)
            await client.accept(re.sub(r"a=candidate:.* typ host.*\r\n", "", answer))
            client.send(type="text", text="One two three. ")
            client.send(type="end")
            ready = await client.until("session.ready")
            (told,) = ready["ice_servers"]
            assert told["urls"] == [url]
            await client.until("playback", state="ended")
            assert audible(client)
            # What the client was told lets it use the server as well.
            relay_only = RTCConfiguration([RTCIceServer(url, told["username"], told["credential"])])
            async with rtc_client(server.url, configuration=relay_only) as other:
                assert "typ relay" in await other.offer()


async def test_a_new_begin_of_ice(serve_tone: Serve, story: TwoMinutes) -> None:
    """A caller walks from one network into another: the connection goes on, on other ports, and all of it."""
    async with serve_tone() as server, rtc_client(server.url) as client:
        await client.connect()
        client.send(type="text", text="One two three four five six seven eight nine ten. ")
        client.send(type="end")
        await client.until("playback", state="playing")
        before = re.findall(r"127\.0\.0\.1 (\d+) typ host", client.answer)
        await client.restart_ice()
        assert client.answer_ports and not set(client.answer_ports) & set(before)
        ended = await client.until("playback", state="ended")
        done = await client.until("context.done")
        assert ended["played_ms"] == done["audio_ms"]
        await client.until_packets(audible(client)[-1] + 10)
        assert len(audible(client)) >= done["last_seq"] - 2
        client.send(type="ping", t="still here")
        await client.until("pong", t="still here")
        assert await client.hang_up() == 204
        await until_gone(server)


async def test_a_new_begin_that_leads_nowhere_changes_nothing(serve_tone: Serve, story: TwoMinutes) -> None:
    async with serve_tone(rtc_connect_s=1.0) as server, rtc_client(server.url) as client:
        await client.connect()
        headers = {"Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*"}
        body = "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n"
        async with client.http.patch(client.url + client.location, data=body, headers=headers) as response:
            assert response.status == 200 and response.headers["ETag"] != client.etag
            assert "a=candidate:" in await response.text()
        await asyncio.sleep(1.5)
        client.send(type="text", text="One. ")
        await client.until("playback", state="playing")


async def test_a_peer_that_vanishes_is_freed(serve_tone: Serve, story: TwoMinutes) -> None:
    async with serve_tone(rtc_lost_s=1.0) as server, rtc_client(server.url) as client:
        await client.connect()
        client.send(type="text", text="One two three. ")
        await client.until("playback", state="playing")
        await client.vanish()
        await until_gone(server)


async def test_two_minutes_of_a_bad_network(story: TwoMinutes) -> None:
    """5 % lost, 40 ms of delay and 30 of jitter: the words are right, and no clock drifts."""
    await story.over()
    packets = story.client.packets
    lost = story.relay.lost / story.relay.passed
    assert 0.03 < lost < 0.07 and len(packets) > 5000
    first, last = packets[:500], packets[-500:]
    drift_ms = offset_ms([packets[0], *last]) - offset_ms(first)
    assert abs(drift_ms) < 20, f"{drift_ms} ms in two minutes"
    assert any(packet.payload == silent_packet() for packet in packets)
    # As browsers decode it: aiortc's own decoder leaves a hole for what is lost.
    heard = await asyncio.to_thread(transcribe, decoded(packets), 48_000)
    assert word_error_rate([" ".join(story.said)], [heard]) <= 0.08, heard
