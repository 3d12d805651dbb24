"""Speech over HTTP where it is easily got wrong: what is left of requests, odd characters."""

from __future__ import annotations

import asyncio
import gc
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from realtime.app import Server
from realtime.server.streaming import StreamedResponse
from realtime.speech.timeline import Timeline
from tests.server.http_server import PCM, SENTENCES, SPEECH, connection, events, exchange, request, sound_of

LONG = "Sentence number one of a long text which is spoken here today. " * 100


@contextmanager
def no_collector() -> Iterator[None]:
    """Only what nobody refers to any more goes away."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def left(kind: type) -> int:
    """How many of a kind were made since, and are still there."""
    return sum(type(each) is kind for each in gc.get_objects())


async def nothing_left(kind: type) -> bool:
    """Whether all of a kind go away soon."""
    for _ in range(100):
        if not left(kind):
            return True
        await asyncio.sleep(0.01)
    return False


class TestWhatIsLeft:
    """Bodies and encoders take megabytes of which the collector knows nothing: it would come too late."""

    @pytest.mark.parametrize("name", ["flac", "mp3", "opus"])
    async def test_of_a_request_that_was_answered(self, server: Server, name: str) -> None:
        await exchange(server.url, SPEECH, input="Hello.", response_format=name)
        with no_collector():
            answer = await exchange(server.url, SPEECH, input="Hello again.", response_format=name)
            assert answer.complete
            assert await nothing_left(Timeline)

    @pytest.mark.parametrize("whole", [True, False])
    async def test_of_a_client_that_hangs_up_while_it_is_sent_to(self, server: Server, whole: bool) -> None:
        fields = {"input": LONG, "response_format": "wav", "stream": not whole, "cache": False}
        with no_collector():
            async with connection(server.url, 4096) as (reader, writer):
                writer.write(request(SPEECH, fields))
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(0.05)  # until the server waits for this client
                assert left(Timeline) == 1
                writer.transport.abort()
            assert await nothing_left(Timeline)
            if whole:
                assert await nothing_left(StreamedResponse)

    async def test_of_clients_that_hang_up_anywhere(self, server: Server) -> None:
        chance = random.Random(5)

        async def hang_up(number: int) -> None:
            path = chance.choice([SPEECH, PCM, SENTENCES])
            text = LONG[: chance.randrange(40, 2000)]
            sent = request(path, {"input": text, "cache": chance.random() < 0.5})
            async with connection(server.url, 4096) as (_, writer):
                writer.write(sent[: chance.choice([len(sent), chance.randrange(1, len(sent))])])
                await asyncio.sleep(chance.random() * 0.03)
                if chance.random() < 0.3:
                    writer.write_eof()
                else:
                    writer.transport.abort()

        await asyncio.gather(*map(hang_up, range(60)))
        async with httpx.AsyncClient(base_url=server.url) as client:
            async with asyncio.timeout(10):
                while True:
                    health = (await client.get("/health")).json()
                    queue = health["queue"]
                    if not any((health["requests"], queue["waiting"], queue["speaking"])):
                        break
        answer = await exchange(server.url, PCM, input="Hello", cache=False)
        assert (answer.status, answer.complete, len(answer.body)) == (200, True, 14_400)


async def test_sentences_with_characters_of_many_parts(server: Server) -> None:
    family = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
    text = f"Hi {family} there! Cafe\u0301 is nice.  It costs $3.50;\r\nna\u00efve \U0001d4b3."
    answer = await exchange(
        server.url, SENTENCES, input=text, response_format="pcm", timestamps="word", cache=False
    )
    plain = await exchange(server.url, PCM, input=text, cache=False)
    *sentences, done = events(answer.body)
    assert sound_of([*sentences, done]) == plain.body
    assert done["usage"]["input_tokens"] == len(text) and done["segments"] == len(sentences) > 2
    end, end_ms = 0, 0.0
    for sentence in sentences:
        begin, stop = sentence["source"]
        assert end <= begin < stop <= len(text) and end_ms <= sentence["start_ms"] < sentence["end_ms"]
        for word in sentence["words"]:
            first, last = word["source"]
            assert begin <= first < last <= stop and text[first:last] == word["text"]
            assert sentence["start_ms"] <= word["start_ms"] <= word["end_ms"] <= sentence["end_ms"]
        end, end_ms = stop, sentence["end_ms"]
    assert json.dumps(done).isascii()
