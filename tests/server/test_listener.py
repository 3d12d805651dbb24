"""What the server knows of its listener, on the wire: word times, reports, pauses, and the cut."""

from __future__ import annotations

import asyncio
import random
import re

import pytest

from realtime.app import Server
from realtime.engines.tone import CHARACTER_SAMPLES, GAP_SAMPLES
from realtime.session.frames import Frame
from realtime.speech.timeline import GAP_S
from tests.wire_client import WireClient, open_client

#: Milliseconds of a letter and of the gap between two words, as the tone engine speaks them.
LETTER_MS, WORD_GAP_MS = CHARACTER_SAMPLES / 24, GAP_SAMPLES / 24
SENTENCES = (
    "Well, 👍 let me think about that.",
    "It is noon, and (as it seems) the sun is out!",
    'She said "maybe" and left.',
    "One.",
    "Naïve café façades cost more.",
)


def truth(text: str) -> list[tuple[int, int, float, float]]:
    """(source start, source end, start_ms, end_ms) of each word that the tone engine speaks."""
    words: list[tuple[int, int, float, float]] = []
    position = 0.0
    last = ""
    for match in re.finditer(r"\S+", text):
        letters = re.sub(r"[^\x20-\u2fff]", "", match.group())  # emoji are not spoken
        if not re.search(r"\w", letters):
            continue
        if words:
            position += GAP_S["sentence"] * 1000 if re.search(r"[.!]$", last) else WORD_GAP_MS
        end = position + len(letters) * LETTER_MS
        words.append((match.start(), match.end(), position, end))
        position, last = end, match.group()
    return words


class TestWords:
    async def test_each_word_of_the_text_with_its_times(self, client: WireClient) -> None:
        await client.send("session.start", timestamps="word")
        text = " ".join(SENTENCES)
        await client.speak(text)
        words = [word for message in client.messages("words") for word in message["words"]]
        assert [word["text"] for word in words] == [text[slice(*word["source"])] for word in words]
        told = [(*word["source"], word["start_ms"], word["end_ms"]) for word in words]
        assert told == [pytest.approx(each, abs=0.01) for each in truth(text)]
        assert not any(message["estimated"] for message in client.messages("words"))

    async def test_they_come_after_their_segment_and_before_the_frame_in_which_they_end(
        self, client: WireClient
    ) -> None:
        await client.send("session.start", timestamps="word")
        await client.speak(" ".join(SENTENCES))
        segments: set[int] = set()
        sent_ms = 0.0
        for item in client.received:
            if isinstance(item, Frame):
                sent_ms = (item.packet.position + item.packet.duration) / 48
            elif item["type"] == "segment":
                segments.add(item["index"])
            elif item["type"] == "words":
                assert item["segment"] in segments
                assert all(word["end_ms"] > sent_ms for word in item["words"])
        assert len(segments) == len(SENTENCES)

    async def test_none_unless_asked_for_and_from_the_next_context_on(self, client: WireClient) -> None:
        await client.speak("Hello there.", "before")
        await client.send("text", context_id="while", text="Hello there.")
        await client.send("session.update", timestamps="word")
        await client.send("end", context_id="while")
        await client.until("context.done", context_id="while")
        assert client.messages("words") == []
        await client.speak("Hello there.", "after")
        assert {message["context_id"] for message in client.messages("words")} == {"after"}
        tokens = [message["resume_token"] for message in client.messages("session.ready")]
        assert len(set(tokens)) == 2

    async def test_they_do_not_change_the_sound(self, server: Server) -> None:
        packets = []
        for timestamps in ("none", "word"):
            async with open_client(server.url) as client:
                await client.send("session.start", timestamps=timestamps)
                await client.speak(" ".join(SENTENCES))
                packets.append([frame.packet for frame in client.frames()])
        assert packets[0] == packets[1]


class TestCut:
    async def test_1000_random_cut_points_over_several_contexts(self, server: Server) -> None:
        """The text is cut exactly where the sound says, in mid-sound and after everything was sent."""
        chance = random.Random(3)
        after_done = 0
        for form, frame_ms in (("opus", 20), ("pcm_s16le", 20), ("mulaw", 40), ("opus", 60)):
            async with open_client(server.url) as client:
                await client.send("session.start", formats=[form], frame_ms=frame_ms)
                for number in range(250):
                    after_done += await self._cut(client, f"c{number}", chance)
                    client.received.clear()
        assert 400 < after_done < 600

    @staticmethod
    async def _cut(client: WireClient, name: str, chance: random.Random) -> bool:
        """Speak something and cut it somewhere; returns whether that was after its end."""
        text = " ".join(chance.choices(SENTENCES, k=chance.randint(1, 4))) + " " * chance.randint(0, 2)
        await client.send("text", context_id=name, text=text)
        if ended := chance.random() < 0.5:
            await client.send("end", context_id=name)
            await client.until("context.done", context_id=name)
        else:
            await client.send("flush", context_id=name)
            await client.until("flush.done", context_id=name)
        words = truth(text)
        played_ms = chance.uniform(-10, words[-1][3] + 50)
        if chance.random() < 0.1:
            played_ms = chance.choice(words)[3]  # exactly at the end of a word
        await client.send("cancel", context_id=name, played_ms=played_ms)
        cancelled = await client.until("context.cancelled", context_id=name)
        spoken, remaining = cancelled["text_spoken"], cancelled["text_remaining"]
        assert spoken + remaining == text and cancelled["source_offset"] == len(spoken), ended
        heard = [end for _, end, _, end_ms in words if end_ms <= cancelled["played_ms"] + 0.01]
        coming = [start for start, _, _, end_ms in words if end_ms > cancelled["played_ms"] + 0.01]
        assert len(spoken) >= (heard[-1] if heard else 0), (text, played_ms, spoken)
        assert not coming or len(spoken) <= coming[0], (text, played_ms, spoken)
        return ended

    async def test_a_report_is_the_position(self, client: WireClient) -> None:
        text = "one two three four five six seven"
        await client.send("text", text=text)
        await client.send("flush")
        await client.until("flush.done")
        for played_ms in (-5, 700, 300, 1e300):
            await client.send("playback", played_ms=played_ms)
            if played_ms == 300:  # backwards: the 700 before still stand
                await client.send("cancel", played_ms=None)
                break
        cancelled = await client.until("context.cancelled")
        assert 700 <= cancelled["played_ms"] < 2700
        assert client.messages("error") == []

    async def test_reports_beyond_what_was_sent_mean_all_of_it(self, client: WireClient) -> None:
        text = "one two three"
        await client.speak(text)
        await client.send("playback", played_ms=1e300)
        await client.send("cancel")
        assert (await client.until("context.cancelled"))["text_spoken"] == text


class TestPause:
    async def test_nothing_is_sent_until_it_goes_on_where_it_was(self, server: Server) -> None:
        text = " ".join(SENTENCES * 20)
        async with open_client(server.url) as client, open_client(server.url) as unpaused:
            await client.send("text", text=text)
            await client.send("end")
            await client.send("text", context_id="behind", text="Hello.")
            await client.send("end", context_id="behind")
            await client.until_frame()
            await client.send("pause")
            await client.pong()
            paused_at = len(client.frames())
            await client.send("ping", t="quiet")
            await client.until("pong", t="quiet")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await client.connection.recv()
            assert len(client.frames()) == paused_at
            await client.send("continue")
            await client.until("context.done", context_id="behind")
            await unpaused.speak(text)
            assert [frame.packet for frame in client.frames(1)] == [f.packet for f in unpaused.frames()]
            assert paused_at < len(client.frames(1))

    async def test_a_cancel_while_paused(self, client: WireClient) -> None:
        await client.send("text", text=" ".join(SENTENCES))
        await client.send("flush")
        await client.until_frame()
        await client.send("pause")
        await client.pong()
        frames = len(client.frames())
        await client.send("cancel", played_ms=0)
        cancelled = await client.until("context.cancelled")
        assert (cancelled["text_spoken"], cancelled["text_remaining"]) == ("", " ".join(SENTENCES))
        assert len(client.frames()) == frames
        assert (await client.speak("Hello.", "next"))["reason"] == "completed"
