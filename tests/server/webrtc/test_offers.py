"""Offers over HTTP: what is answered, what is refused and how, keys, and limits."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aioice.ice import get_host_addresses

from bench.server import free_port
from realtime.app import Server
from realtime.server.webrtc.peers import MOST_CONNECTING
from realtime.server.webrtc.sdp import MAX_FORMATS, MAX_LINES, MAX_SDP_BYTES, read_offer
from tests.conftest import Serve
from tests.rtc_client import ROUTE, SDP, RtcClient, rtc_client
from tests.wire_client import eventually, open_client

KEY = "a-key-of-sixteen-characters"
FRAGMENT = "application/trickle-ice-sdpfrag"


@pytest.fixture
async def offer() -> AsyncIterator[str]:
    """An offer of audio and a data channel, as aiortc writes it."""
    async with rtc_client("http://nowhere") as client:
        yield await client.offer()


async def refusal(
    url: str, body: bytes | str, content_type: str = SDP, **headers: str
) -> tuple[int, dict[str, Any]]:
    """Status and error of a POST."""
    async with aiohttp.ClientSession() as http:
        sent = {"Content-Type": content_type, **headers}
        data = io.BytesIO(body.encode() if isinstance(body, str) else body)
        async with http.post(url + ROUTE, data=data, headers=sent) as response:
            answer = await response.json()
            return response.status, answer["error"]


def without(offer: str, pattern: str) -> str:
    """The offer without the lines that match."""
    return "".join(line for line in offer.splitlines(keepends=True) if not re.match(pattern, line))


async def until_idle(server: Server) -> None:
    assert server.peers is not None
    peers = server.peers
    await eventually(lambda: not peers.count)


# -- what is answered ---------------------------------------------------------------------------------------


async def test_an_answer_as_whep_has_it(server: Server, offer: str) -> None:
    async with aiohttp.ClientSession() as http:
        response = await http.post(server.url + ROUTE, data=offer, headers={"Content-Type": SDP})
        answer = await response.text()
        assert response.status == 201 and response.content_type == SDP
        assert re.fullmatch(ROUTE + "/[A-Za-z0-9_-]{20,}", response.headers["Location"])
        assert response.headers["Accept-Patch"] == FRAGMENT
        assert re.fullmatch('"[^"]+"', response.headers["ETag"])
        for line in ("a=sendonly", "a=rtcp-mux", "a=setup:active", "a=sctp-port:5000", "a=end-of-candidates"):
            assert f"{line}\r\n" in answer
        assert re.search(r"a=rtpmap:(\d+) opus/48000/2\r\na=fmtp:\1 .*useinbandfec=1", answer)
        told = {line.split()[4] for line in answer.splitlines() if line.startswith("a=candidate")}
        own = set(get_host_addresses(use_ipv4=True, use_ipv6=True))
        assert told == own | {"127.0.0.1"}, "Firefox goes to no loopback address"
        async with http.delete(server.url + response.headers["Location"]) as gone:
            assert gone.status == 204
    await until_idle(server)


async def test_json_in_json_out(server: Server, offer: str) -> None:
    async with aiohttp.ClientSession() as http:
        response = await http.post(server.url + ROUTE, json={"sdp": offer, "type": "offer"})
        answer = await response.json()
        assert response.status == 201 and answer["type"] == "answer"
        assert answer["sdp"].startswith("v=0")
        await http.delete(server.url + response.headers["Location"])


async def test_what_is_not_wanted_is_refused_within_the_answer(server: Server) -> None:
    """Video beside audio: its section has port 0, and all else works."""
    async with rtc_client(server.url) as client:
        client.pc.addTransceiver("video", "recvonly")
        response = await client.post(await client.offer())
        answer = await response.text()
        assert response.status == 201
        assert re.search(r"^m=video 0 ", answer, re.MULTILINE)
        assert re.search(r"^m=audio [1-9]", answer, re.MULTILINE)
        bundle = re.search(r"a=group:BUNDLE (.*)\r", answer)
        assert bundle and len(bundle[1].split()) == 2
        client.location = response.headers["Location"]
        await client.hang_up()


async def test_a_peer_that_only_answers_is_called_by_us(offer: str) -> None:
    """ICE lite, as gateways have it."""
    assert read_offer(offer.replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n")).remote.lite


async def test_names_of_a_browser_are_not_looked_up(server: Server, offer: str) -> None:
    """Each would take a second; and the answer does not wait for one."""
    hidden = re.sub(
        r"(a=candidate:\S+ 1 udp \d+) \S+", r"\1 0f3c2f4c-9a38-4a6e-8f54-5b3f2c1a7d10.local", offer
    )
    assert not read_offer(hidden).remote.candidates
    async with aiohttp.ClientSession() as http:
        async with asyncio.timeout(5):
            response = await http.post(server.url + ROUTE, data=hidden, headers={"Content-Type": SDP})
        assert response.status == 201
        await http.delete(server.url + response.headers["Location"])


async def test_ice_servers_are_told(serve_tone: Serve, offer: str) -> None:
    settings = {
        "turn_urls": f"turn:127.0.0.1:{free_port()}?transport=udp",
        "turn_username": "name",
        "turn_password": "secret",
    }
    async with serve_tone(**settings) as server, aiohttp.ClientSession() as http:
        response = await http.post(server.url + ROUTE, data=offer, headers={"Content-Type": SDP})
        (link,) = response.headers.getall("Link")
        told = '; rel="ice-server"; username="name"; '
        assert link.startswith(f"<{settings['turn_urls']}>{told}")
        assert 'credential="secret"' in link
        await http.delete(server.url + response.headers["Location"])


async def test_a_server_for_its_own_machine_hears_nobody_else(
    server: Server, offer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it is reached on addresses of networks: who is not of this machine gets no answer."""
    async with rtc_client(server.url) as client:
        await client.connect()
    monkeypatch.setattr("realtime.server.webrtc.agent._this_machine", lambda: frozenset({"203.0.113.9"}))
    async with rtc_client(server.url) as client:
        response = await client.post(await client.offer())
        assert response.status == 201
        client.location = response.headers["Location"]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await client.accept(await response.text())
        await client.hang_up()


# -- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body", ["", "hello", "v=0", "v=0\r\nm=audio\r\n", "v=0\r\nm=audio 9 X 1\r\na=rtpmap:q\r\n", "\0" * 99]
)
async def test_what_is_no_offer(server: Server, body: str) -> None:
    status, error = await refusal(server.url, body)
    assert (status, error["code"], error["param"]) == (400, "invalid_message", "sdp")
    assert "SDP" in error["message"]


def bundle_only(offer: str, *kinds: str) -> str:
    """The offer with sections that have no port of their own, as Firefox writes with max-bundle."""
    for kind in kinds:
        section = re.search(rf"m={kind} .*?(?=m=|\Z)", offer, re.DOTALL)
        assert section
        bare = without(section[0], "a=(ice-|candidate|end-of|fingerprint|setup)")
        bare = re.sub(r"^m=(\w+) \d+", r"m=\1 0", bare) + "a=bundle-only\r\n"
        offer = offer.replace(section[0], bare)
    return offer


#: What is done to an offer, the code of the answer, and what that names.
SPOILT: dict[str, tuple[Callable[[str], str], str, str]] = {
    "no audio": (lambda it: re.sub(r"m=audio.*?(?=m=)", "", it, flags=re.S), "invalid_message", "no audio"),
    "video only": (lambda it: it.replace("m=audio", "m=video"), "invalid_message", "no audio"),
    "audio refused": (lambda it: re.sub("m=audio [0-9]+", "m=audio 0", it), "invalid_message", "no audio"),
    "it sends": (lambda it: it.replace("a=recvonly", "a=sendonly"), "invalid_message", "recvonly"),
    "inactive": (lambda it: it.replace("a=recvonly", "a=inactive"), "invalid_message", "recvonly"),
    "no mux": (lambda it: without(it, "a=rtcp-mux"), "invalid_message", "rtcp-mux"),
    "no ufrag": (lambda it: without(it, "a=ice-ufrag"), "invalid_message", "ice-ufrag"),
    "short pwd": (lambda it: re.sub("a=ice-pwd:.*", "a=ice-pwd:x", it), "invalid_message", "ice-pwd"),
    "no fingerprint": (lambda it: without(it, "a=fingerprint"), "invalid_message", "fingerprint"),
    "no setup": (lambda it: without(it, "a=setup"), "invalid_message", "setup"),
    "no bundle": (lambda it: without(it, "a=group"), "invalid_message", "BUNDLE"),
    "no opus": (lambda it: it.replace("opus/48000", "lpc/8000"), "unsupported", "opus/48000"),
    "no channel": (
        lambda it: re.sub("m=application.*", "", it, flags=re.S),
        "invalid_message",
        "data channel",
    ),
    "too many lines": (lambda it: it + "a=x\r\n" * MAX_LINES, "invalid_message", "lines"),
    "too many formats": (
        lambda it: it + "a=rtpmap:9 a/1\r\n" * (MAX_FORMATS + 1),
        "invalid_message",
        "rtpmap",
    ),
    "no port": (lambda it: bundle_only(it, "audio", "application"), "invalid_message", "bundle-only"),
    "too much": (lambda it: it + "m=video 0 UDP/TLS/RTP/SAVPF 96\r\n" * 40, "invalid_message", "sections"),
}


@pytest.mark.parametrize("name", SPOILT)
async def test_offers_that_lack_something(server: Server, offer: str, name: str) -> None:
    spoil, code, told = SPOILT[name]
    status, error = await refusal(server.url, spoil(offer))
    assert status in (400, 501) and error["code"] == code
    assert told in error["message"]
    await until_idle(server)


async def test_an_offer_without_end_is_cut_off(server: Server, offer: str) -> None:
    for kind, body in (
        (SDP, offer + "a=x\r\n" * 200_000),
        ("application/json", json.dumps({"sdp": offer + "x" * 2**20})),
    ):
        status, error = await refusal(server.url, body, kind)
        assert (status, error["code"]) == (413, "body_too_large")
    status, error = await refusal(
        server.url, json.dumps({"sdp": offer + "x" * MAX_SDP_BYTES}), "application/json"
    )
    assert (status, error["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        ("v=0", "text/plain", SDP),
        ("v=0", "application/json", "JSON"),
        ("{}", "application/json", "sdp"),
        ('{"sdp": 1}', "application/json", "sdp"),
        ('{"sdp": "v=0", "type": "answer"}', "application/json", "offer"),
    ],
)
async def test_bodies_of_another_kind(server: Server, body: str, kind: str, told: str) -> None:
    status, error = await refusal(server.url, body, kind)
    assert status == 400 and told in error["message"]


async def test_bytes_that_are_no_text(server: Server) -> None:
    status, error = await refusal(server.url, b"v=0\xff\xfe")
    assert status == 400 and "UTF-8" in error["message"]


async def test_candidates_that_are_none(server: Server, offer: str) -> None:
    """A wrong one spoils the offer; one that cannot be used is left out."""
    status, _ = await refusal(server.url, offer + "a=candidate:1 1 udp x 1.2.3.4 5 typ host\r\n")
    assert status == 400
    odd = "a=candidate:1 1 udp 5 1.2.3.4 99999 typ host\r\na=candidate:1 1 tcp 5 1.2.3.4 9 typ host\r\n"
    before = len(read_offer(offer).remote.candidates)
    assert len(read_offer(offer + odd).remote.candidates) == before


async def test_without_webrtc_there_is_no_route(serve_tone: Serve, offer: str) -> None:
    async with serve_tone(rtc=False) as server:
        status, error = await refusal(server.url, offer)
        assert (status, error["code"]) == (404, "not_found")


# -- keys and limits ----------------------------------------------------------------------------------------


async def test_a_key_is_asked_for(serve_tone: Serve, offer: str) -> None:
    async with serve_tone(api_keys=KEY) as server:
        assert (await refusal(server.url, offer))[0] == 401
        async with rtc_client(server.url, key=KEY) as client:
            await client.connect()
            client.send(type="text", text="One. ")
            await client.until("playback", state="playing")
            client.headers = {}
            assert await client.hang_up() == 401, "nobody else ends it"


async def test_a_connection_counts_for_its_key_until_its_end(serve_tone: Serve) -> None:
    async with (
        serve_tone(api_keys=KEY, key_concurrency=1) as server,
        rtc_client(server.url, key=KEY) as first,
    ):
        await first.connect()
        async with rtc_client(server.url, key=KEY) as second:
            status, error = await refusal(server.url, await second.offer(), Authorization=f"Bearer {KEY}")
            assert (status, error["code"]) == (429, "rate_limited")
        await first.pc.close()
        await until_idle(server)
        async with rtc_client(server.url, key=KEY) as third:
            await third.connect()


async def test_who_has_all_he_may_have_can_end_it(serve_tone: Serve) -> None:
    """What ends a connection is not refused because of it."""
    async with serve_tone(address_concurrency=1, api_keys=KEY, key_concurrency=1) as server:
        async with rtc_client(server.url, key=KEY) as client:
            await client.connect()
            assert (await patch(client, "a=end-of-candidates"))[0] == 204
            assert await client.hang_up() == 204


async def test_peers_that_are_still_to_lead_a_session_count(serve_tone: Serve) -> None:
    async with serve_tone(max_sessions=2) as server, contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            client = await stack.enter_async_context(rtc_client(server.url))
            await client.connect()
        last = await stack.enter_async_context(rtc_client(server.url))
        assert (await last.post(await last.offer())).status == 503


async def test_of_a_hundred_offers_at_once_so_many_are_taken(serve_tone: Serve, offer: str) -> None:
    """The rest is told to come again; and those that never connect are freed."""
    async with serve_tone(rtc_connect_s=1.0) as server, aiohttp.ClientSession() as http:

        async def post() -> tuple[int, str | None]:
            async with http.post(server.url + ROUTE, data=offer, headers={"Content-Type": SDP}) as response:
                return response.status, response.headers.get("Retry-After")

        answers = await asyncio.gather(*(post() for _ in range(100)))
        statuses = [status for status, _ in answers]
        assert statuses.count(201) == MOST_CONNECTING
        assert statuses.count(503) == 100 - MOST_CONNECTING
        assert all(retry for status, retry in answers if status == 503)
        await until_idle(server)
        assert (await post())[0] == 201, "there is room again"


async def test_a_full_server_refuses(serve_tone: Serve) -> None:
    async with serve_tone(max_sessions=1) as server, rtc_client(server.url) as first:
        await first.connect()
        first.send(type="session.start")
        await first.until("session.ready")
        async with rtc_client(server.url) as second:
            status, error = await refusal(server.url, await second.offer())
            assert (status, error["code"]) == (503, "queue_full")


async def test_a_place_that_was_lost_meanwhile_is_told_and_counted(serve_tone: Serve) -> None:
    """There was room when it was offered, and is none any more when its data channel is there."""
    async with serve_tone(max_sessions=1) as server, rtc_client(server.url) as late:
        response = await late.post(await late.offer())
        assert response.status == 201
        async with open_client(server.url) as first:
            await first.pong()
            await late.accept(await response.text())
            error = await late.until("error")
            assert (error["code"], error["fatal"]) == ("queue_full", True)
            async with aiohttp.ClientSession() as http, http.get(server.url + "/metrics") as answer:
                assert 'tts_errors_total{type="queue_full"} 1.0' in await answer.text()


async def test_a_peer_that_never_connects_is_freed(serve_tone: Serve, offer: str) -> None:
    async with serve_tone(rtc_connect_s=0.5) as server:
        async with aiohttp.ClientSession() as http:
            async with http.post(server.url + ROUTE, data=offer, headers={"Content-Type": SDP}) as response:
                assert response.status == 201
        assert server.peers is not None and server.peers.count == 1
        await until_idle(server)


async def test_a_peer_that_opens_no_channel_is_freed(serve_tone: Serve) -> None:
    async with (
        serve_tone(rtc_connect_s=1.0) as server,
        rtc_client(server.url, label="something else") as client,
    ):
        answer = await client.post(await client.offer())
        await client.accept(await answer.text())
        told = await client.until("error")
        assert told["fatal"] and "realtime.v1" in told["message"]
        await client.until_closed()
        await until_idle(server)


@pytest.mark.parametrize("options", [{"ordered": False}, {"maxRetransmits": 0}, {"maxPacketLifeTime": 100}])
async def test_a_channel_that_may_lose_is_refused(serve_tone: Serve, options: dict[str, Any]) -> None:
    async with serve_tone(rtc_connect_s=2.0) as server, rtc_client(server.url, label=None) as client:
        channel = client.channel = client.pc.createDataChannel("realtime.v1", **options)
        channel.on("message", client._on_message)
        await client.connect()
        assert "reliable" in (await client.until("error"))["message"]


async def test_another_channel_beside_it_is_refused_and_disturbs_nothing(server: Server) -> None:
    async with rtc_client(server.url) as client:
        for label in ("chat", "realtime.v1"):
            client.pc.createDataChannel(label).on("message", client._on_message)
        await client.connect()
        client.send(type="text", text="One. ")
        client.send(type="end")
        await client.until("playback", state="ended")
        refused = [m["message"] for m in client.messages if m["type"] == "error"]
        assert len(refused) == 2 and "already" in " ".join(refused)


# -- candidates that follow, and a new begin ----------------------------------------------------------------


async def patch(
    client: RtcClient, body: str, content_type: str = FRAGMENT, **headers: str
) -> tuple[int, str, str]:
    sent = {**client.headers, "Content-Type": content_type, **headers}
    async with client.http.patch(client.url + client.location, data=body, headers=sent) as response:
        return response.status, await response.text(), response.headers.get("ETag", "")


async def test_candidates_may_follow(server: Server) -> None:
    """An offer without any: the connection comes about by those that are sent later."""
    async with rtc_client(server.url) as client:
        offer = await client.offer()
        candidates = re.findall(r"a=candidate:.*", offer)
        bare = without(offer, "a=(candidate|end-of-candidates)")
        response = await client.post(bare)
        client.location, client.etag = response.headers["Location"], response.headers["ETag"]
        for candidate in candidates:
            status, _, _ = await patch(client, candidate.strip() + "\r\n", **{"If-Match": client.etag})
            assert status == 204
        assert (await patch(client, "a=end-of-candidates\r\n"))[0] == 204
        await client.accept(await response.text())
        client.send(type="text", text="One. ")
        await client.until("playback", state="playing")


@pytest.mark.parametrize(
    ("body", "kind", "headers", "status"),
    [
        ("a=candidate:1 1 udp 1 1.2.3.4 5 typ host", "text/plain", {}, 400),
        ("hello", FRAGMENT, {}, 400),
        ("a=candidate:nothing", FRAGMENT, {}, 400),
        ("a=ice-ufrag:??\r\na=ice-pwd:x", FRAGMENT, {}, 400),
        ("a=end-of-candidates", FRAGMENT, {"If-Match": '"another"'}, 412),
        ("x" * (MAX_SDP_BYTES + 1), FRAGMENT, {}, 413),
    ],
)
async def test_wrong_fragments(
    server: Server, body: str, kind: str, headers: dict[str, str], status: int
) -> None:
    async with rtc_client(server.url) as client:
        await client.connect()
        assert (await patch(client, body, kind, **headers))[0] == status


async def test_an_unknown_connection(server: Server) -> None:
    async with rtc_client(server.url) as client:
        client.location = ROUTE + "/nothing"
        assert (await patch(client, "a=end-of-candidates"))[0] == 404
        assert await client.hang_up() == 404
