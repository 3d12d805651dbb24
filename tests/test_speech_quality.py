"""What comes out is speech: judged by a recogniser and by a model of transmission damage."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from hibari import Hibari

from realtime.app import Server, running
from realtime.config import Config
from tests.speech_judges import Sound, mean_opinion, transcribe, word_error_rate, words
from tests.wire_client import decode, open_client

SENTENCES = (Path(__file__).parents[1] / "bench/data/sentences.txt").read_text().splitlines()


@dataclass(frozen=True, slots=True)
class Spoken:
    """A sentence and its sound through the WebSocket, as Opus, at 48 kHz."""

    text: str
    sound: Sound


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    """A real server with the embedded voice."""
    async with running(Config(port=0, max_lead_ms=0)) as listening:
        yield listening


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def spoken(server: Server) -> list[Spoken]:
    """All sentences through one session."""
    async with open_client(server.url) as client:
        results: list[Spoken] = []
        for number, sentence in enumerate(SENTENCES):
            await client.speak(sentence, f"c{number}")
            results.append(Spoken(sentence, decode(client.frames(number + 1))))
        return results


def test_a_recogniser_understands_it(spoken: list[Spoken]) -> None:
    heard = [transcribe(each.sound, 48_000) for each in spoken]
    rate = word_error_rate([each.text for each in spoken], heard)
    print(f"word error rate over {len(spoken)} sentences: {rate:.1%}")
    assert len(spoken) >= 20 and rate <= 0.05


def test_it_sounds_no_worse_than_the_voice_itself(spoken: list[Spoken]) -> None:
    voice = Hibari()
    direct = mean_opinion([voice(each.text, seed=0) for each in spoken], 24_000)
    served = mean_opinion([each.sound for each in spoken], 48_000)
    print(f"PLCMOS: the voice itself {direct:.2f}, through the server {served:.2f}")
    assert served >= direct - 0.1


def test_the_judges_notice_damage(spoken: list[Spoken]) -> None:
    """A check that could not fail would prove nothing: gaps are heard, and other words are other words."""
    chopped = []
    for each in spoken[:5]:
        sound = each.sound.copy()
        for start in range(0, len(sound), 9600):
            sound[start : start + 2400] = 0
        chopped.append(sound)
    assert mean_opinion(chopped, 48_000) < mean_opinion([each.sound for each in spoken[:5]], 48_000) - 0.5
    heard = transcribe(spoken[0].sound, 48_000)
    assert word_error_rate([spoken[1].text], [heard]) > 0.5


@pytest.mark.asyncio(loop_scope="module")
async def test_tokens_of_one_character_give_the_same_audio(server: Server) -> None:
    text = "Dr. Smith's train leaves at 5 p.m. today. It costs $3.50, I think."
    packets = []
    for tokens in ([text], list(text)):
        async with open_client(server.url) as client:
            await client.send("session.start", cache=False)
            for token in tokens:
                await client.send("text", text=token)
            await client.send("end")
            await client.until("context.done")
            packets.append([frame.packet for frame in client.frames()])
    assert len(packets[0]) > 100 and packets[0] == packets[1]


CUT_TEXTS = (
    "Please leave your message after the tone and we will call you back tomorrow morning.",
    "The train to the city leaves at noon. It stops at every station, and it is never late.",
    "Turn left at the church and walk along the river until you see a small red house.",
)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_cut_of_a_cancel_is_where_the_sound_says_it_is(server: Server) -> None:
    """The sound up to the cut, heard by the recogniser, is the text that is said to have been spoken."""
    chance = random.Random(5)
    wrong: list[tuple[str, str]] = []
    async with open_client(server.url) as client:
        for number in range(12):
            text, name = CUT_TEXTS[number % len(CUT_TEXTS)], f"c{number}"
            await client.send("text", context_id=name, text=text)
            await client.send("end", context_id=name)
            done = await client.until("context.done", context_id=name)
            played_ms = chance.uniform(0.3, 0.95) * done["audio_ms"]
            await client.send("cancel", context_id=name, played_ms=played_ms)
            cancelled = await client.until("context.cancelled", context_id=name)
            said = cancelled["text_spoken"]
            assert said + cancelled["text_remaining"] == text
            sound = decode(client.frames(done["handle"]))[: round(played_ms * 48)]
            heard = transcribe(np.concatenate([sound, np.zeros(24_000, np.float32)]), 48_000)
            # A word that was cut through may be heard or not; before it everything is the same.
            whole = min(len(words(said)), len(words(heard)))
            far = abs(len(words(said)) - len(words(heard))) > 1
            if far or words(said)[: whole - 1] != words(heard)[: whole - 1]:
                wrong.append((said, heard))
    print(f"{12 - len(wrong)} of 12 cuts heard as told; others: {wrong}")
    assert len(wrong) <= 1  # the recogniser is not perfect either
