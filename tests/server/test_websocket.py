"""The wire, as a client sees it: a real server on loopback and a real WebSocket client."""

from __future__ import annotations

import asyncio
import json
import random
import socket

import aiohttp
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from realtime.app import FEATURES, Server
from realtime.engines.tone import CHARACTER_SAMPLES, GAP_SAMPLES
from realtime.live import socket as socket_module
from realtime.session.frames import FrameKind
from realtime.speech.timeline import GAP_S
from realtime.types import FrameFlags
from tests.conftest import Serve
from tests.wire_client import PATH, WireClient, decode, eventually, open_client

#: Timeline samples per sample of the tone engine.
SCALE = 2


def tone_length(*sentences: str) -> int:
    """Timeline samples of sentences spoken by the tone engine."""
    length = round(GAP_S["sentence"] * 24_000) * (len(sentences) - 1)
    for sentence in sentences:
        words = sentence.split()
        length += sum(map(len, words)) * CHARACTER_SAMPLES + (len(words) - 1) * GAP_SAMPLES
    return length * SCALE


def same_sound(one: WireClient, other: WireClient) -> bool:
    """Whether two clients received the same frames, handles apart."""
    return [frame.packet for frame in one.frames()] == [frame.packet for frame in other.frames()]


class TestNegotiation:
    async def test_subprotocol_is_confirmed(self, server: Server) -> None:
        async with open_client(server.url, subprotocols=["realtime.v1"]) as client:
            assert client.connection.subprotocol == "realtime.v1"

    async def test_no_offer_is_served_the_same_without_a_header(self, server: Server) -> None:
        async with open_client(server.url) as client:
            assert client.connection.subprotocol is None
            assert (await client.speak("Hello."))["reason"] == "completed"

    async def test_other_offers_are_refused(self, server: Server) -> None:
        with pytest.raises(InvalidStatus) as refused:
            async with open_client(server.url, subprotocols=["realtime.v9", "api-key.secret"]):
                pass
        assert refused.value.response.status_code == 400
        assert b"realtime.v1" in refused.value.response.body

    async def test_a_key_is_no_offer(self, server: Server) -> None:
        async with aiohttp.ClientSession() as http:
            async with http.ws_connect(server.url + PATH, protocols=["api-key.secret"]) as socket:
                assert socket.protocol is None
            async with http.ws_connect(
                server.url + PATH, protocols=["api-key.secret", "realtime.v1"]
            ) as socket:
                assert socket.protocol == "realtime.v1"

    async def test_no_deflate(self, server: Server) -> None:
        async with open_client(server.url, compression="deflate") as client:
            assert client.connection.response is not None
            assert "Sec-WebSocket-Extensions" not in client.connection.response.headers

    async def test_plain_get_is_refused(self, server: Server) -> None:
        async with aiohttp.ClientSession() as http, http.get(server.url + PATH) as answer:
            assert answer.status in (400, 426)


class TestSession:
    async def test_ready_answers_the_first_message_not_the_connection(self, client: WireClient) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.connection.recv()
        await client.send("session.start")
        ready = await client.until("session.ready")
        assert client.received == [ready]
        assert ready["protocol"] == "realtime.v1"
        assert ready["format"] == "opus"
        assert (ready["sample_rate"], ready["frame_ms"], ready["pre_skip"]) == (48_000, 20, 312)
        assert ready["features"] == [each for each in FEATURES if each != "instruct"]
        assert ready["limits"]["text_bytes_per_context"] == 65_536
        assert len(ready["session_id"]) >= 16 and ready["resume_token"] != ready["session_id"]

    async def test_without_start_the_defaults_serve(self, client: WireClient) -> None:
        await client.speak("Hello.")
        assert [message["type"] for message in client.messages()] == [
            "session.ready",
            "context.opened",
            "segment",
            "context.done",
        ]

    async def test_ping(self, client: WireClient) -> None:
        await client.send("ping", t=12.5)
        assert (await client.until("pong"))["t"] == 12.5

    async def test_close_by_session_close_finishes_what_is_running(self, client: WireClient) -> None:
        await client.send("text", text="Hello there.")
        await client.send("session.close")
        done = await client.until("context.done")
        assert done["audio_ms"] == tone_length("Hello there.") / 48
        with pytest.raises(ConnectionClosed) as closed:
            await client.receive()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1000

    async def test_a_close_waits_for_a_listener_that_takes_sound_slowly(self, server: Server) -> None:
        """Longer than for a closing handshake: everything and its ending still arrive."""
        host, port = server.url.removeprefix("http://").split(":")
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        narrow.connect((host, int(port)))
        narrow.setblocking(False)
        async with open_client(server.url, sock=narrow, max_queue=1) as client:
            await client.send("session.start", formats=["pcm_s16le"])
            await client.send("text", text="Some words to be said here. " * 8)
            await client.send("end")
            await client.send("session.close")
            with pytest.raises(ConnectionClosed) as closed:
                while await client.receive():
                    if len(client.frames()) % 20 == 0:
                        await asyncio.sleep(0.1)
            (done,) = client.messages("context.done")
            assert sum(frame.packet.duration for frame in client.frames()) == done["audio_ms"] * 48
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1000

    async def test_idle_sessions_are_closed(self, serve_tone: Serve) -> None:
        async with serve_tone(idle_timeout_s=1.0) as server, open_client(server.url) as client:
            await client.send("ping")
            assert (await client.until("session.closing"))["reason"] == "idle"
            with pytest.raises(ConnectionClosed) as closed:
                await client.receive()
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1000

    async def test_shutdown_says_1001(self, serve_tone: Serve) -> None:
        async with serve_tone() as server, open_client(server.url) as client:
            await client.pong()
            await server.registry.close_all(2)
            assert (await client.until("session.closing"))["reason"] == "shutdown"
            with pytest.raises(ConnectionClosed) as closed:
                await client.receive()
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1001

    async def test_too_many_sessions_are_told_when_to_come_again(self, serve_tone: Serve) -> None:
        async with serve_tone(max_sessions=1) as server, open_client(server.url) as first:
            await first.pong()
            async with open_client(server.url) as second:
                error = await second.until("error")
                assert error["code"] == "queue_full" and error["fatal"] and error["retry_after_ms"] > 0
                with pytest.raises(ConnectionClosed) as closed:
                    await second.receive()
                assert closed.value.rcvd is not None and closed.value.rcvd.code == 1013
            assert (await first.speak("Still here."))["reason"] == "completed"

    async def test_too_many_utterances_fail_the_new_one_alone(self, serve_tone: Serve) -> None:
        async with serve_tone(max_utterances=1) as server, open_client(server.url) as client:
            await client.send("text", text="First words.", context_id="a")
            await client.send("text", text="Second words.", context_id="b")
            error = await client.until("error")
            assert error["code"] == "queue_full" and error["context_id"] == "b"
            assert error["retry_after_ms"] > 0 and not error["fatal"]
            await client.send("end", context_id="a")
            assert (await client.until("context.done", context_id="a"))["reason"] == "completed"
            assert (await client.until("context.done", context_id="b"))["reason"] == "failed"


class TestSound:
    async def test_frames_are_contiguous_and_true_to_the_sample(self, client: WireClient) -> None:
        done = await client.speak("Hello there. And again!")
        packets = [frame.packet for frame in client.frames()]
        assert [packet.seq for packet in packets] == list(range(len(packets)))
        position = 0
        for packet in packets:
            assert packet.position == position
            position += packet.duration
        expected = tone_length("Hello there.", "And again!")
        assert position == expected
        assert done["audio_ms"] == expected / 48 and done["last_seq"] == packets[-1].seq
        assert packets[0].duration == 960 - 312
        assert packets[0].flags & FrameFlags.FIRST and packets[-1].flags & FrameFlags.LAST
        assert sum(bool(packet.flags & FrameFlags.SEGMENT) for packet in packets) == 2
        assert all(frame.kind is FrameKind.OPUS for frame in client.frames())
        assert len(decode(client.frames())) == expected

    async def test_pcm_is_what_the_engine_made(self, client: WireClient) -> None:
        await client.send("session.start", formats=["flac", "pcm_s16le", "opus"])
        ready = await client.until("session.ready")
        assert (ready["format"], ready["sample_rate"], ready["pre_skip"]) == ("pcm_s16le", 24_000, 0)
        await client.speak("abc de")
        sound = decode(client.frames())
        assert len(sound) * SCALE == tone_length("abc de")
        gap = sound[3 * CHARACTER_SAMPLES : 3 * CHARACTER_SAMPLES + GAP_SAMPLES]
        assert np.abs(gap).max() == 0 and np.abs(sound).max() > 0.29

    async def test_segments_come_before_their_sound(self, client: WireClient) -> None:
        text = "Hello there. And again!"
        await client.speak(text)
        first, second = client.messages("segment")
        assert (first["text"], second["text"]) == ("Hello there.", "And again!")
        assert (first["source"], second["source"]) == ([0, 12], [13, 23])
        assert first["start_ms"] == 0
        assert second["start_ms"] == tone_length("Hello there.") / 48 + GAP_S["sentence"] * 1000
        for segment in (first, second):
            assert segment["final"] and segment["language"] == "en"
            before = client.received[: client.received.index(segment)]
            sent = sum(frame.packet.duration for frame in before if not isinstance(frame, dict))
            assert sent <= segment["start_ms"] * 48

    async def test_tokens_of_one_character_sound_like_the_text_sent_whole(
        self, server: Server, client: WireClient
    ) -> None:
        text = "Dr. Smith paid $3.50 at 5 p.m. today! “Really?” she said. Yes… maybe not.\n\nFine."
        await client.speak(text)
        async with open_client(server.url) as other:
            for character in text:
                await other.send("text", text=character)
            await other.send("end")
            await other.until("context.done")
            assert same_sound(client, other)

    async def test_nothing_to_say(self, client: WireClient) -> None:
        for text in ("", "   ", "...", "😀 🎉", "\x00\x01", "—"):
            done = await client.speak(text)
            assert (done["audio_ms"], done["last_seq"], done["reason"]) == (0, None, "completed")
        assert client.frames() == []

    async def test_an_empty_frame_closes_when_the_last_one_has_left(self, client: WireClient) -> None:
        await client.send("text", text="Hello.")
        await client.send("flush", flush_id="one")
        await client.until("flush.done", flush_id="one")
        sent = client.frames()
        assert not sent[-1].packet.flags & FrameFlags.LAST
        await client.send("end")
        await client.until("context.done")
        *_, last = client.frames()
        assert last.packet.flags & FrameFlags.LAST
        assert (last.packet.duration, last.packet.payload, last.packet.seq) == (0, b"", len(sent))
        assert last.packet.position == sum(frame.packet.duration for frame in sent)


class TestContexts:
    async def test_contexts_are_spoken_in_the_order_opened(self, client: WireClient) -> None:
        await client.send("context.open", context_id="first")
        await client.send("text", text="Second speaks later.", context_id="second")
        await client.send("end", context_id="second")
        await client.send("text", text="First speaks first.", context_id="first")
        await client.send("end", context_id="first")
        await client.until("context.done", context_id="second")
        handles = {message["context_id"]: message["handle"] for message in client.messages("context.opened")}
        order = [frame.handle for frame in client.frames()]
        assert order == sorted(order) and set(order) == {handles["first"], handles["second"]}
        assert handles["first"] < handles["second"]
        endings = [message["context_id"] for message in client.messages("context.done")]
        assert endings == ["first", "second"]
        done = client.received.index(client.messages("context.done")[0])
        second_sound = client.received.index(client.frames(handles["second"])[0])
        assert done < second_sound

    async def test_an_id_may_be_opened_again_after_its_end(self, client: WireClient) -> None:
        for _ in range(3):
            await client.send("text", text="Again.")
            await client.send("end")
        for _ in range(3):
            await client.until("context.done")
        assert [message["handle"] for message in client.messages("context.opened")] == [1, 2, 3]

    async def test_flush_speaks_half_a_word(self, client: WireClient) -> None:
        await client.send("text", text="Hel")
        await client.send("flush")
        done = await client.until("flush.done")
        assert "flush_id" not in done
        assert client.messages("segment")[0]["text"] == "Hel"
        assert sum(frame.packet.duration for frame in client.frames()) >= 3 * CHARACTER_SAMPLES * SCALE
        await client.send("flush", flush_id="nothing")
        before = len(client.frames())
        await client.until("flush.done", flush_id="nothing")
        assert len(client.frames()) == before

    async def test_settings_of_a_context(self, client: WireClient) -> None:
        await client.send("context.open", context_id="x", voice="TONE", language="en-GB", seed=7)
        opened = await client.until("context.opened")
        assert (opened["voice"], opened["language"]) == ("tone", "en")

    async def test_manual_buffering_waits_for_the_flush(self, client: WireClient) -> None:
        await client.send("context.open", buffer="manual")
        await client.send("text", text="One sentence. Another sentence. A third one follows here. ")
        await client.pong()
        assert client.messages("segment") == []
        await client.send("end")
        await client.until("context.done")
        assert len(client.messages("segment")) == 3


class TestCancel:
    TEXT = "One two three. Four five six. Seven eight nine. Ten eleven twelve. " * 40

    async def test_barge_in_during_synthesis(self, client: WireClient) -> None:
        await client.send("text", text=self.TEXT)
        while (frame := await client.until_frame()).packet.position < 1200 * 48:
            pass
        await client.send("cancel", played_ms=1000)
        cancelled = await client.until("context.cancelled")
        assert cancelled["handle"] == frame.handle and cancelled["reason"] == "cancelled"
        assert cancelled["text_spoken"] + cancelled["text_remaining"] == self.TEXT
        # "One" ends after 180 ms, "two" after 400, "three." after 800, "Four" after 1490.
        assert cancelled["text_spoken"] == "One two three. "
        assert cancelled["source_offset"] == len("One two three. ")
        assert cancelled["last_seq"] == client.frames()[-1].packet.seq
        await client.pong()
        assert client.received.index(cancelled) == len(client.received) - 2

    async def test_a_thousand_barge_ins_and_no_frame_after(self, client: WireClient) -> None:
        chance = random.Random(3)
        closed: set[int] = set()
        text = self.TEXT[: len(self.TEXT) // 8]  # 20 s of sound, of which 0.2 s are heard at most
        for _ in range(1000):
            await client.send("context.open")
            await client.send("text", text=text)
            for _ in range(chance.randrange(1, 12)):
                assert (await client.until_frame()).handle not in closed
            await client.send("cancel")
            cancelled = await client.until("context.cancelled")
            assert cancelled["text_spoken"] + cancelled["text_remaining"] == text
            assert cancelled["text_remaining"].endswith("twelve. ") and cancelled["reason"] == "cancelled"
            closed.add(cancelled["handle"])
            client.received.clear()
        await client.pong()
        assert client.frames() == [] and len(closed) == 1000

    async def test_late_tokens_are_not_spoken(self, client: WireClient) -> None:
        await client.send("text", text=self.TEXT)
        await client.until_frame()
        await client.send("cancel")
        for token in ("late ", "tokens ", "of the model."):
            await client.send("text", text=token)
        await client.send("end")
        await client.pong()
        assert [error["code"] for error in client.messages("error")] == ["context_closed"]
        await client.send("context.open")
        assert (await client.speak("Heard again."))["reason"] == "completed"

    async def test_all_at_once(self, client: WireClient) -> None:
        for name in ("a", "b", "c"):
            await client.send("text", text=self.TEXT, context_id=name)
        await client.until_frame()
        await client.send("cancel", context_id="*")
        await client.until("context.cancelled", context_id="*")
        assert [message["context_id"] for message in client.messages("context.cancelled")] == [*"abc", "*"]
        await client.pong()
        assert client.received[-1]["type"] == "pong"  # type: ignore[index]

    async def test_unknown_id(self, client: WireClient) -> None:
        await client.send("cancel", context_id="nobody")
        cancelled = await client.until("context.cancelled")
        assert cancelled == {
            "type": "context.cancelled",
            "context_id": "nobody",
            "handle": 0,
            "reason": "cancelled",
            "played_ms": 0,
            "text_spoken": "",
            "text_remaining": "",
            "source_offset": 0,
            "last_seq": None,
        }

    async def test_the_engine_is_free_afterwards(self, server: Server, client: WireClient) -> None:
        await client.send("text", text=self.TEXT)
        await client.until_frame()
        await client.send("cancel")
        await client.until("context.cancelled")
        await eventually(lambda: not (server.scheduler.admitted or server.scheduler.stats.open))


class TestBadInput:
    @pytest.mark.parametrize(
        ("data", "code", "hint"),
        [
            ("not json", "invalid_message", "JSON"),
            ("[]", "invalid_message", "object"),
            ("{}", "invalid_message", "session.start"),
            ('{"type": "shout"}', "invalid_message", "session.start"),
            ('{"type": 7}', "invalid_message", "type"),
            ('{"type": "text"}', "invalid_message", "text"),
            ('{"type": "text", "text": 1}', "invalid_message", "$.text"),
            ('{"type": "text", "text": "a", "context_id": ""}', "invalid_message", "$.context_id"),
            (
                json.dumps({"type": "text", "text": "a", "context_id": "x" * 65}),
                "invalid_message",
                "$.context_id",
            ),
            ('{"type": "text", "text": "\\ud800"}', "invalid_message", "surrogate"),
            ('{"type": "text", "text": "a\\udc00b"}', "invalid_message", "surrogate"),
            ('{"type": "text", "text": "a", "context_id": "*"}', "invalid_message", "*"),
            ("[" * 100_000, "invalid_message", ""),
            ('{"type": "session.start", "voice": "nobody"}', "unknown_voice", "tone"),
            ('{"type": "session.start", "language": "tlh"}', "unknown_language", "en"),
            ('{"type": "context.open", "voice": "nobody"}', "unknown_voice", "tone"),
            ('{"type": "session.start", "speed": 9}', "invalid_message", "$.speed"),
            ('{"type": "session.start", "normalize": 0}', "invalid_message", "`bool`"),
            ('{"type": "session.start", "max_lead_ms": -5}', "invalid_message", "max_lead_ms"),
            ('{"type": "session.update", "frame_ms": 30}', "invalid_message", "20, 40, 60"),
            ('{"type": "session.update", "formats": 5, "voice": "nobody"}', "unknown_voice", "tone"),
            ('{"type": "playback"}', "invalid_message", "played_ms"),
            ('{"type": "playback", "played_ms": 1, "context_id": "*"}', "invalid_message", "*"),
            ('{"type": "pause"}', "context_closed", "default"),
            ('{"type": "continue", "context_id": "nobody"}', "context_closed", "nobody"),
            ('{"type": "flush", "context_id": "nobody"}', "context_closed", "nobody"),
            (b"\x00\x01", "invalid_message", "binary"),
        ],
    )
    async def test_an_error_and_the_socket_stays_open(
        self, client: WireClient, data: str | bytes, code: str, hint: str
    ) -> None:
        await client.connection.send(data)
        error = await client.until("error")
        assert error["code"] == code and hint in error["message"] and not error["fatal"]
        assert "Traceback" not in error["message"] and ".py" not in error["message"]
        assert (await client.speak("All is well."))["reason"] == "completed"

    async def test_unknown_formats_are_fatal(self, client: WireClient) -> None:
        await client.send("session.start", formats=["mp3"])
        error = await client.until("error")
        assert error["fatal"] and error["code"] == "unsupported" and "opus" in error["message"]
        with pytest.raises(ConnectionClosed) as closed:
            await client.receive()
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008

    async def test_start_twice(self, client: WireClient) -> None:
        await client.send("session.start")
        await client.send("session.start")
        assert (await client.until("error"))["code"] == "invalid_message"
        assert len(client.messages("session.ready")) == 1

    async def test_a_mebibyte_of_text_fails_its_context_alone(self, client: WireClient) -> None:
        overhead = len(json.dumps({"type": "text", "text": ""}))
        await client.send("text", text="a" * (1024 * 1024 - overhead))
        error = await client.until("error")
        assert error["code"] == "text_too_long" and "16384" in error["message"]
        assert (await client.until("context.done"))["reason"] == "failed"
        assert (await client.speak("All is well.", "other"))["reason"] == "completed"

    async def test_more_than_a_mebibyte_closes_with_1009(self, client: WireClient) -> None:
        await client.send("text", text="a" * (1024 * 1024))
        with pytest.raises(ConnectionClosed) as closed:
            await client.until("nothing")
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009

    async def test_text_that_is_no_utf8_closes_with_1007(self, client: WireClient) -> None:
        await client.connection.send(b'{"type": "\xff"}', text=True)
        with pytest.raises(ConnectionClosed) as closed:
            await client.until("nothing")
        assert closed.value.rcvd is not None and closed.value.rcvd.code == 1007

    async def test_more_than_a_context_may_hold(self, client: WireClient) -> None:
        part = "word " * 3000
        for _ in range(5):
            await client.send("text", text=part)
        error = await client.until("error")
        assert error["code"] == "text_too_long" and error["context_id"] == "default"
        done = await client.until("context.done")
        assert done["reason"] == "failed" and done["handle"] == 1

    async def test_seventeen_contexts(self, client: WireClient) -> None:
        for number in range(17):
            await client.send("context.open", context_id=f"c{number}")
        error = await client.until("error")
        assert error["code"] == "too_many_contexts" and "16" in error["message"]
        assert len(client.messages("context.opened")) == 16

    async def test_characters_that_cannot_be_said_separate_words(self, client: WireClient) -> None:
        await client.speak("Hello\x00there. 😀 Fine\u200bly.")
        assert [message["text"] for message in client.messages("segment")] == ["Hello there.", "Finely."]

    async def test_five_thousand_characters_without_a_space(self, client: WireClient) -> None:
        done = await client.speak("a" * 5000)
        assert done["reason"] == "completed"
        assert max(len(message["text"]) for message in client.messages("segment")) <= 432

    async def test_a_client_that_vanishes_frees_everything(self, server: Server) -> None:
        for _ in range(5):
            async with open_client(server.url) as client:
                await client.send("text", text=TestCancel.TEXT)
                await client.until_frame()
                client.connection.transport.abort()
        await eventually(
            lambda: not (server.registry.count or server.scheduler.admitted or server.scheduler.stats.open)
        )

    async def test_a_client_that_reads_nothing_is_dropped(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(socket_module, "STALL_S", 1.0)
        async with open_client(server.url, max_queue=1) as client:
            await client.send("text", text=TestCancel.TEXT * 6)
            client.connection.transport.pause_reading()
            await eventually(lambda: server.scheduler.admitted == 1)
            await eventually(lambda: not (server.registry.count or server.scheduler.admitted))
            client.connection.transport.resume_reading()
            with pytest.raises(ConnectionClosed):
                await client.until("nothing")

    async def test_nobody_else_is_disturbed(self, server: Server) -> None:
        text = "This is what the other one says. " * 60
        async with open_client(server.url) as alone:
            await alone.speak(text)

        async def misbehave() -> None:
            for number in range(12):
                async with open_client(server.url) as client:
                    await client.connection.send("rubbish" * number)
                    await client.connection.send(bytes(number))
                    await client.send("text", text="a" * 20_000)
                    await client.send("text", text="\x00😀" * 100, context_id="b")
                    await client.send("text", text=TestCancel.TEXT, context_id="c")
                    await client.pong()
                    client.connection.transport.abort()

        async with open_client(server.url) as speaking:
            done, *_ = await asyncio.gather(speaking.speak(text), misbehave(), misbehave())
            assert done["reason"] == "completed"
            assert same_sound(alone, speaking)


class TestStatus:
    async def test_health_and_ready(self, server: Server) -> None:
        async with aiohttp.ClientSession() as http:
            async with http.get(server.url + "/health") as answer:
                health = await answer.json()
                assert answer.status == 200
            assert (health["status"], health["engine"]["state"]) == ("ok", "ready")
            assert (health["sessions"], health["queue"]["speaking"]) == (0, 0)
            async with http.get(server.url + "/ready") as answer:
                assert answer.status == 200 and await answer.json() == {"ready": True}
            async with http.get(server.url + "/") as answer:
                assert PATH in await answer.text()

    async def test_not_ready_when_full(self, serve_tone: Serve) -> None:
        async with serve_tone(max_utterances=1) as server, open_client(server.url) as client:
            await client.send("context.open")
            await client.until("context.opened")
            async with aiohttp.ClientSession() as http, http.get(server.url + "/ready") as answer:
                assert answer.status == 503
