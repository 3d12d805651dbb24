"""A session on a socket whose sound goes over a peer connection: text from one, sound on the other."""

from __future__ import annotations

import asyncio

import pytest
from websockets.exceptions import ConnectionClosedOK

from realtime.app import Server
from realtime.audio.opus import silent_packet
from realtime.server.webrtc.peers import MOST_FOR_ONE
from tests.conftest import Serve
from tests.rtc_client import ROUTE, SDP, RtcClient, rtc_client
from tests.server.webrtc.test_connection import LONG, audible, until_gone
from tests.wire_client import WireClient, eventually, open_client

KEY = "a-key-of-sixteen-characters"


async def started(client: WireClient) -> str:
    """The session is begun; the token for its track."""
    await client.send("session.start", audio="rtc", timestamps="word")
    ready = await client.until("session.ready")
    assert ready["audio"] == "rtc"
    token: str = ready["rtc_token"]
    return token


def sounds(peer: RtcClient) -> bool:
    """Whether anything but silence has come."""
    return any(packet.payload != silent_packet() for packet in peer.packets)


async def test_text_from_one_and_sound_on_the_other(server: Server) -> None:
    async with open_client(server.url) as backend, rtc_client(server.url, label=None) as browser:
        await browser.connect(await started(backend))
        assert (await backend.until("track"))["state"] == "connected"
        await backend.send("text", text="One two three. ")
        await backend.send("end")
        done = await backend.until("context.done")
        assert (await backend.until("playback", state="ended"))["played_ms"] == done["audio_ms"]
        assert not backend.frames(), "no sound over the socket"
        await browser.until_packets(audible(browser)[-1] + 5)
        assert len(audible(browser)) == done["last_seq"] + 1


async def test_what_is_said_before_the_listener_is_there_waits_for_it(server: Server) -> None:
    async with open_client(server.url) as backend, rtc_client(server.url, label=None) as browser:
        token = await started(backend)
        await backend.send("text", text="One two three. ")
        await backend.send("end")
        done = await backend.until("context.done")
        await asyncio.sleep(0.3)
        assert not backend.messages("playback"), "nobody hears it"
        await browser.connect(token)
        assert (await backend.until("playback", state="ended"))["played_ms"] == done["audio_ms"]
        await browser.until_packets(audible(browser)[-1] + 5)
        assert len(audible(browser)) == done["last_seq"] + 1


async def test_text_without_an_end_is_spoken_when_the_listener_comes(serve_tone: Serve) -> None:
    """It is held for more text as long as nobody waits for it, and not for ever."""
    async with (
        serve_tone(text_wait_ms=100) as server,
        open_client(server.url) as backend,
        rtc_client(server.url, label=None) as browser,
    ):
        token = await started(backend)
        await backend.send("text", text="One two three")
        await asyncio.sleep(0.5)
        await browser.connect(token)
        await eventually(lambda: sounds(browser))


async def test_a_barge_in_of_the_backend(serve_tone: Serve) -> None:
    async with (
        serve_tone(max_lead_ms=10_000) as server,
        open_client(server.url) as backend,
        rtc_client(server.url, label=None) as browser,
    ):
        await browser.connect(await started(backend))
        await backend.send("text", text=LONG)
        await backend.until("playback", played_ms=1013.5)
        await backend.send("cancel")
        cut = await backend.until("context.cancelled")
        await browser.until_packets(len(browser.packets) + 10)
        assert cut["played_ms"] == len(audible(browser)) * 20 - 6.5
        assert cut["text_spoken"] + cut["text_remaining"] == LONG


async def test_a_cancel_before_anybody_hears_it_finds_nothing_heard(server: Server) -> None:
    async with open_client(server.url) as backend:
        await started(backend)
        await backend.send("text", text="One two three. ")
        await backend.send("flush")
        await backend.until("flush.done")
        await backend.send("cancel")
        cut = await backend.until("context.cancelled")
        assert (cut["played_ms"], cut["text_spoken"]) == (0, "")


async def test_another_peer_takes_the_track_over(serve_tone: Serve) -> None:
    """A page that is loaded again: it goes on from where the first one was."""
    async with (
        serve_tone(max_lead_ms=10_000) as server,
        open_client(server.url) as backend,
        rtc_client(server.url, label=None) as first,
        rtc_client(server.url, label=None) as second,
    ):
        token = await started(backend)
        await first.connect(token)
        await backend.send("text", text=LONG)
        await backend.until("playback", state="playing")
        await second.connect(token)
        await first.until_closed()
        await eventually(lambda: sounds(second))
        await backend.send("cancel")
        cut = await backend.until("context.cancelled")
        await second.until_packets(len(second.packets) + 10)
        heard = len(audible(first)) + len(audible(second))
        assert cut["played_ms"] == heard * 20 - 6.5, "each packet left once"


async def test_a_listener_that_leaves_is_told_and_another_goes_on(serve_tone: Serve) -> None:
    async with serve_tone(max_lead_ms=10_000) as server, open_client(server.url) as backend:
        token = await started(backend)
        await backend.send("text", text="One two three four five six seven eight. ")
        await backend.send("end")
        async with rtc_client(server.url, label=None) as first:
            await first.connect(token)
            await backend.until("playback", state="playing")
            assert await first.hang_up() == 204
        assert (await backend.until("track", state="disconnected"))["state"] == "disconnected"
        last = backend.messages("playback")[-1]
        stood = last["played_ms"]
        assert last["state"] == "waiting", "told before"
        async with rtc_client(server.url, label=None) as second:
            await second.connect(token)
            ended = await backend.until("playback", state="ended")
            (done,) = backend.messages("context.done")
            assert stood < ended["played_ms"] == done["audio_ms"]


async def test_the_end_of_the_session_ends_the_connection_when_all_was_heard(server: Server) -> None:
    async with open_client(server.url) as backend, rtc_client(server.url, label=None) as browser:
        await browser.connect(await started(backend))
        await backend.until("track")
        await backend.send("text", text="One two three. ")
        await backend.send("session.close")
        done = await backend.until("context.done")
        with pytest.raises(ConnectionClosedOK):
            await backend.until("nothing more")
        await browser.until_closed()
        assert len(audible(browser)) == done["last_seq"] + 1
        await until_gone(server)


async def test_a_socket_that_is_lost_leaves_the_sound_alone_and_is_resumed(serve_tone: Serve) -> None:
    """The listener hears no gap while the backend comes back; no frame is sent again."""
    async with (
        serve_tone(max_lead_ms=10_000, resume_window_s=30) as server,
        rtc_client(server.url, label=None) as browser,
    ):
        async with open_client(server.url) as backend:
            await browser.connect(await started(backend))
            ready = backend.messages("session.ready")[-1]
            await backend.send("text", text="One two three four five six. ")
            await backend.send("end")
            done = await backend.until("context.done")
            await backend.until("playback", state="playing")
            backend.connection.transport.abort()
        async with open_client(server.url) as backend:
            asked = {"session_id": ready["session_id"], "token": ready["resume_token"], "last": {}}
            await backend.send("session.start", audio="rtc", resume=asked)
            resumed = await backend.until("session.ready")
            assert resumed["resumed"] and resumed["rtc_token"] == ready["rtc_token"]
            await backend.until("playback", state="ended")
            assert not backend.frames()
        heard = audible(browser)
        await browser.until_packets(heard[-1] + 3)
        heard = audible(browser)
        assert len(heard) == done["last_seq"] + 1 == heard[-1] - heard[0] + 1


async def test_a_token_lets_in_without_a_key_and_another_does_not(serve_tone: Serve) -> None:
    """The browser of a caller has no key of the backend's."""
    async with (
        serve_tone(api_keys=KEY) as server,
        open_client(server.url, additional_headers={"Authorization": f"Bearer {KEY}"}) as backend,
        rtc_client(server.url, label=None) as browser,
    ):
        token = await started(backend)
        browser.headers = {"Authorization": f"Bearer {token[:-1]}x"}
        assert (await browser.post(await browser.offer())).status == 401
        await browser.connect(token)
        assert (await backend.until("track"))["state"] == "connected"
        assert await browser.hang_up() == 204


@pytest.mark.parametrize("in_body", [True, False])
async def test_a_token_of_no_session_is_refused(server: Server, in_body: bool) -> None:
    async with rtc_client(server.url, label=None) as browser:
        offer = await browser.offer()
        if in_body:
            body = {"sdp": offer, "type": "offer", "token": "rtc_nobody.nothing"}
            response = await browser.post("", "application/json", body)
        else:
            browser.headers = {"Authorization": "Bearer rtc_nobody.nothing"}
            response = await browser.post(offer)
        error = (await response.json())["error"]
        assert (response.status, error["code"], error["param"]) == (410, "resume_failed", "token")


async def test_a_token_may_stand_in_the_body(server: Server) -> None:
    async with open_client(server.url) as backend, rtc_client(server.url, label=None) as browser:
        token = await started(backend)
        body = {"sdp": await browser.offer(), "type": "offer", "token": token}
        response = await browser.post("", "application/json", body)
        assert response.status == 201
        await browser.accept((await response.json())["sdp"])
        assert (await backend.until("track"))["state"] == "connected"


async def test_a_tied_connection_has_no_messages_of_its_own(server: Server) -> None:
    async with open_client(server.url) as backend, rtc_client(server.url) as browser:
        await browser.connect(await started(backend))
        assert "another one leads" in (await browser.until("error"))["message"]
        await backend.send("text", text="One. ")
        await eventually(lambda: sounds(browser))


async def test_a_session_of_frames_has_no_token(server: Server) -> None:
    async with open_client(server.url) as backend, rtc_client(server.url, label=None) as browser:
        await backend.send("session.start")
        ready = await backend.until("session.ready")
        assert "rtc_token" not in ready and ready["audio"] == "frames"
        guessed = f"rtc_{ready['session_id']}."
        browser.headers = {"Authorization": f"Bearer {guessed}", "Content-Type": SDP}
        assert (await browser.post(await browser.offer())).status == 410
    assert ROUTE.startswith("/v1/")


async def test_a_session_over_a_data_channel_is_resumed_over_another(serve_tone: Serve) -> None:
    """The network of a caller was lost: the next connection has track and messages, and keeps them."""
    async with serve_tone(max_lead_ms=10_000, resume_window_s=30, rtc_lost_s=1.0) as server:
        async with rtc_client(server.url) as first:
            await first.connect()
            first.send(type="text", text=LONG)
            first.send(type="end")
            ready = await first.until("session.ready")
            await first.until("playback", state="playing")
            await first.vanish()
            assert server.peers is not None
            peers = server.peers
            await eventually(lambda: not peers.count)
        assert server.registry.count == 1, "the session waits"
        async with rtc_client(server.url) as second:
            await second.connect()
            asked = {"session_id": ready["session_id"], "token": ready["resume_token"], "last": {}}
            second.send(type="session.start", resume=asked)
            assert (await second.until("session.ready"))["resumed"]
            await second.until("playback", state="ended")
            assert second.pc.connectionState == "connected"


async def test_the_token_of_a_session_over_a_data_channel_takes_its_sound_alone(serve_tone: Serve) -> None:
    async with (
        serve_tone(max_lead_ms=10_000) as server,
        rtc_client(server.url) as leader,
        rtc_client(server.url, label=None) as other,
    ):
        await leader.connect()
        leader.send(type="text", text=LONG)
        ready = await leader.until("session.ready")
        await leader.until("playback", state="playing")
        await other.connect(ready["rtc_token"])
        await eventually(lambda: sounds(other))
        leader.send(type="cancel")
        cut = await leader.until("context.cancelled")
        assert cut["text_remaining"], "its channel leads as before"


async def test_text_and_a_close_before_the_listener_comes(server: Server) -> None:
    async with open_client(server.url) as backend, rtc_client(server.url, label=None) as browser:
        token = await started(backend)
        await backend.send("text", text="One two three. ")
        await backend.send("session.close")
        done = await backend.until("context.done")
        await browser.connect(token)
        with pytest.raises(ConnectionClosedOK):
            await backend.until("nothing more")
        await browser.until_closed()
        assert len(audible(browser)) == done["last_seq"] + 1


async def test_how_the_track_is_is_told_after_a_resume(serve_tone: Serve) -> None:
    async with (
        serve_tone(max_lead_ms=10_000, resume_window_s=30) as server,
        rtc_client(server.url, label=None) as browser,
    ):
        async with open_client(server.url) as backend:
            await browser.connect(await started(backend))
            ready = backend.messages("session.ready")[-1]
            await backend.send("text", text="One. ")
            await backend.send("end")
            await backend.until("playback", state="playing")
            backend.connection.transport.abort()
        heard = len(browser.packets) + 60
        await browser.until_packets(heard)  # it is over by now
        async with open_client(server.url) as backend:
            asked = {"session_id": ready["session_id"], "token": ready["resume_token"], "last": {}}
            await backend.send("session.start", audio="rtc", resume=asked)
            await backend.until("playback", state="ended")
            assert backend.messages("track")[-1]["state"] == "connected"


async def test_so_many_peers_may_try_for_one_track(serve_tone: Serve) -> None:
    async with (
        serve_tone(rtc_connect_s=2.0) as server,
        open_client(server.url) as backend,
        rtc_client(server.url, label=None) as browser,
    ):
        browser.headers = {"Authorization": f"Bearer {await started(backend)}"}
        offer = await browser.offer()
        statuses = [(await browser.post(offer)).status for _ in range(MOST_FOR_ONE + 1)]
        assert statuses == [201] * MOST_FOR_ONE + [429]


async def test_a_data_channel_cannot_take_up_a_session_of_frames(serve_tone: Serve) -> None:
    async with serve_tone(resume_window_s=30) as server, open_client(server.url) as backend:
        await backend.send("session.start")
        ready = await backend.until("session.ready")
        async with rtc_client(server.url) as browser:
            await browser.connect()
            asked = {"session_id": ready["session_id"], "token": ready["resume_token"], "last": {}}
            browser.send(type="session.start", resume=asked)
            assert (await browser.until("error"))["code"] == "resume_failed"
            assert not (await browser.until("session.ready")).get("resumed")
