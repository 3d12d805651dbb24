"""Numbers, dates, money and markdown are said as people say them: judged by a recogniser, on the wire."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from realtime.app import running
from realtime.config import Config
from tests.speech_judges import Sound, transcribe, word_error_rate
from tests.text.normalize.pairs import read
from tests.wire_client import decode, open_client

_LINES = (Path(__file__).parent / "data" / "hard_english.tsv").read_text(encoding="utf-8").splitlines()
#: Written as an LLM writes, and as a person reads it aloud.
SENTENCES = [(written, spoken) for written, spoken in (line.split("\t") for line in _LINES)]
RATE = 48_000
#: The issue's limit for words that are heard otherwise than they should be said.
MOST_ERRORS = 0.08


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence as it was written, as it should be said, as the server says it is said, and its sound."""

    written: str
    spoken: str
    told: str
    sound: Sound


async def _speak_all() -> list[Said]:
    async with running(Config(port=0, max_lead_ms=0)) as server, open_client(server.url) as client:
        said: list[Said] = []
        for number, (written, spoken) in enumerate(SENTENCES):
            handle = (await client.speak(written, f"c{number}"))["handle"]
            segments = [each["text"] for each in client.messages("segment") if each["handle"] == handle]
            said.append(Said(written, spoken, " ".join(segments), decode(client.frames(handle))))
        return said


@pytest.fixture(scope="module")
def said() -> list[Said]:
    return asyncio.run(_speak_all())


@pytest.fixture(scope="module")
def heard(said: list[Said]) -> list[str]:
    """The sentences as the recogniser hears them, read aloud."""
    return [_as_words(transcribe(each.sound, RATE)) for each in said]


def _as_words(text: str) -> str:
    """A recogniser writes "$3.50", too: both sides are compared as they are read aloud."""
    return read(text, "en").text


def test_the_server_tells_what_a_person_would_say(said: list[Said]) -> None:
    rate = word_error_rate([_as_words(each.spoken) for each in said], [_as_words(each.told) for each in said])
    print(f"told otherwise than a person says it: {rate:.1%} of the words")
    assert rate <= 0.01


def test_a_recogniser_hears_what_a_person_would_say(said: list[Said], heard: list[str]) -> None:
    expected = [_as_words(each.spoken) for each in said]
    rate = word_error_rate(expected, heard)
    for one, other in zip(expected, heard, strict=True):
        if word_error_rate([one], [other]) > 0:
            print(f"  said  {one}\n  heard {other}")
    print(f"word error rate over {len(said)} sentences: {rate:.1%}")
    assert len(said) >= 40 and rate <= MOST_ERRORS


def test_the_judge_notices_a_number_that_is_said_wrong(said: list[Said], heard: list[str]) -> None:
    """A control: one other word in each of ten sentences is more than the limit allows in them."""
    some = said[:10]
    right = word_error_rate([_as_words(each.spoken) for each in some], heard[:10])
    others = [_as_words(each.spoken).replace("five", "nine").replace("two", "seven") for each in some]
    assert word_error_rate(others, heard[:10]) > max(right, MOST_ERRORS)
