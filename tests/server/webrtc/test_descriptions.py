"""What is read in an offer: sections in any order and in a bundle, and nothing that is not used."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from aiortc.sdp import SessionDescription

from realtime.app import Server
from realtime.errors import InvalidMessageError
from realtime.server.webrtc.agent import MAX_CANDIDATES
from realtime.server.webrtc.sdp import read_offer
from tests.rtc_client import rtc_client
from tests.server.webrtc.test_offers import bundle_only


@pytest.fixture
async def offer() -> AsyncIterator[str]:
    """An offer of audio and a data channel, as aiortc writes it."""
    async with rtc_client("http://nowhere") as client:
        yield await client.offer()


async def test_sections_may_come_in_any_order(offer: str) -> None:
    swapped = re.sub(r"(m=audio.*?)(m=application.*)", r"\2\1", offer, flags=re.DOTALL)
    read = read_offer(swapped)
    assert (read.audio, read.data) == (1, 0)
    assert (read_offer(offer).audio, read_offer(offer).data) == (0, 1)


@pytest.mark.parametrize("kind", ["audio", "application"])
async def test_a_section_that_is_bundled_alone_is_offered(offer: str, kind: str) -> None:
    """It has port 0 and a=bundle-only (RFC 8843, 6); the other says how both are reached."""
    read = read_offer(bundle_only(offer, kind))
    assert (read.audio, read.data) == (0, 1)
    assert read.remote.username == read_offer(offer).remote.username
    other = "audio" if kind == "application" else "application"
    assert read.tagged == ("audio", "application").index(other)
    refused = re.sub(rf"m={kind} [0-9]+", f"m={kind} 0", offer)
    if kind == "application":
        assert read_offer(refused).data is None, "port 0 alone: it is not offered"
    else:
        with pytest.raises(InvalidMessageError, match="no audio"):
            read_offer(refused)


async def test_the_answer_to_a_bundle_has_a_port_in_each_section(server: Server) -> None:
    async with rtc_client(server.url) as client:
        response = await client.post(bundle_only(await client.offer(), "application"))
        answer = await response.text()
        assert response.status == 201
        ports = re.findall(r"^m=\w+ (\d+)", answer, re.MULTILINE)
        assert len(ports) == 2 and len(set(ports)) == 1 and ports[0] != "0"
        await client.accept(answer)
        client.send(type="text", text="One. ")
        await client.until("playback", state="playing")


async def test_lines_that_are_not_used_are_not_parsed(offer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """aiortc looks through all formats for each of some, and through all sources for each of others."""
    parsed: list[str] = []
    parse = SessionDescription.parse

    def watched(text: str) -> SessionDescription:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(SessionDescription, "parse", watched)
    needless = ["a=rtcp-fb:* nack", "a=fmtp:96 x", "a=ssrc:1 cname:x", "a=ssrc-group:FID 1 2", "a=msid:a b"]
    many = "".join(f"{line}\r\n" for line in needless * 100)
    far = "".join(f"a=candidate:1 1 udp 5 127.0.0.1 {port} typ host\r\n" for port in range(1000, 1300))
    read = read_offer(offer + many + far)
    assert not [line for line in needless if line in parsed[0]]
    assert parsed[0].count("a=candidate:") <= MAX_CANDIDATES
    assert len(read.remote.candidates) <= MAX_CANDIDATES
    with pytest.raises(InvalidMessageError, match="lines"):
        read_offer(offer + many * 3)
    assert len(parsed) == 1, "what is too much is refused before it is parsed"
