"""On the wire: text is said right, in its language, and all of it still points at the client's characters."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from realtime.app import running
from realtime.config import Config
from realtime.engines.tone import CHARACTER_SAMPLES, GAP_SAMPLES, SAMPLE_RATE
from realtime.errors import ConfigError
from realtime.text.normalize import reader
from realtime.voices.catalogue import voices_of
from tests.conftest import Serve
from tests.wire_client import WireClient, open_client


def segments(client: WireClient) -> list[dict[str, Any]]:
    return list(client.messages("segment"))


def words(client: WireClient) -> list[dict[str, Any]]:
    return [word for message in client.messages("words") for word in message["words"]]


def tone_ms(spoken: str) -> float:
    """How long the tone engine says a run of words."""
    said = spoken.split()
    return (sum(map(len, said)) * CHARACTER_SAMPLES + (len(said) - 1) * GAP_SAMPLES) / SAMPLE_RATE * 1000


async def test_a_price_is_one_source_word_and_five_spoken_ones(client: WireClient) -> None:
    text = "It costs **$3.50**, no more."
    await client.send("session.start", timestamps="word")
    await client.speak(text)
    (segment,) = segments(client)
    assert segment["text"] == "It costs three dollars and fifty cents, no more."
    assert [word["text"] for word in words(client)] == ["It", "costs", "**$3.50**,", "no", "more."]
    price = words(client)[2]
    assert text[slice(*price["source"])] == price["text"]
    length = price["end_ms"] - price["start_ms"]
    assert length == pytest.approx(tone_ms("three dollars and fifty cents,"), abs=1)


@pytest.mark.parametrize(
    ("share", "spoken"),
    [(0.01, "It costs "), (0.5, "It costs "), (0.99, "It costs "), (1.01, "It costs $3.50, ")],
)
async def test_a_cancel_splits_at_source_words(client: WireClient, share: float, spoken: str) -> None:
    """Wherever it falls within what is said for "$3.50", that word is heard only as a whole."""
    text = "It costs $3.50, no more."
    await client.send("session.start", timestamps="word")
    await client.speak(text)
    price = words(client)[2]
    at = price["start_ms"] + share * (price["end_ms"] - price["start_ms"])
    await client.send("cancel", played_ms=at)
    cancelled = await client.until("context.cancelled")
    assert cancelled["text_spoken"] == spoken
    assert cancelled["text_spoken"] + cancelled["text_remaining"] == text


async def test_normalization_is_off_when_asked(client: WireClient) -> None:
    await client.send("session.start", normalize=False)
    await client.speak("It costs **$3.50** now.", "plain")
    await client.send("context.open", context_id="normal", normalize=True)
    await client.speak("It costs $2.", "normal")
    assert [segment["text"] for segment in segments(client)] == [
        "It costs $3.50 now.",
        "It costs two dollars.",
    ]


async def test_each_segment_tells_its_language(client: WireClient) -> None:
    await client.speak(
        "This is what it costs today, and it is $3.50 for each of us. "
        "Gestern hat das noch 22,1 Prozent weniger gekostet, glaube ich. "
        "今日はとても良い天気ですね。"
    )
    told = [(segment["language"], segment["text"]) for segment in segments(client)]
    assert [language for language, _ in told if language != "en"] == ["de", "ja"]
    assert "three dollars and fifty cents" in " ".join(text for language, text in told if language == "en")
    assert any("zweiundzwanzig Komma eins Prozent" in text for language, text in told if language == "de")


async def test_a_language_that_was_named_holds_for_all_text(client: WireClient) -> None:
    await client.send("session.start", language="de")
    await client.speak("This is 5. And it is English all the same, there is no doubt about it.")
    assert {segment["language"] for segment in segments(client)} == {"de"}
    assert segments(client)[0]["text"] == "This is fünf."


async def test_a_lexicon_of_the_session_and_one_of_the_server(serve_tone: Serve, tmp_path: Path) -> None:
    lexicon = tmp_path / "words.txt"
    lexicon.write_text("# our words\nSQL = sequel\nnginx = engine ex\n")
    async with serve_tone(lexicon=str(lexicon)) as server, open_client(server.url) as client:
        await client.speak("We run SQL behind nginx.", "a")
        await client.send("session.update", lexicon={"SQL": "squeal"})
        await client.speak("We run SQL behind nginx.", "b")
        await client.send("session.update", lexicon={})
        await client.speak("We run SQL.", "c")
        assert [segment["text"] for segment in segments(client)] == [
            "We run sequel behind engine ex.",
            "We run squeal behind engine ex.",
            "We run sequel.",
        ]


@pytest.mark.parametrize(
    ("lexicon", "says"),
    [
        ({"": "x"}, "lexicon"),
        ({"x" * 65: "x"}, "64"),
        ({"x": "y" * 257}, "256"),
        ({f"w{n}": "x" for n in range(1001)}, "1000"),
        ({"x": 5}, "`str`"),
        (["x"], "`object`"),
    ],
)
async def test_a_wrong_lexicon_is_told_and_changes_nothing(
    client: WireClient, lexicon: Any, says: str
) -> None:
    await client.send("session.start", lexicon={"SQL": "sequel"})
    await client.send("session.update", lexicon=lexicon)
    error = await client.until("error")
    assert error["code"] == "invalid_message" and says in error["message"] and not error["fatal"]
    await client.speak("It is SQL.")
    assert segments(client)[0]["text"] == "It is sequel."


async def test_a_file_of_words_that_is_wrong_stops_the_start(tmp_path: Path) -> None:
    lexicon = tmp_path / "words.txt"
    lexicon.write_text("SQL = sequel\nno equals sign\n")
    for path, says in ((lexicon, "2"), (tmp_path / "missing.txt", "missing.txt")):
        with pytest.raises(ConfigError, match=says) as caught:
            async with running(Config(port=0, engine="tone", engine_runner="thread", lexicon=str(path))):
                pass
        assert "\n" not in caught.value.message


async def test_markup_sets_pauses_and_spells(client: WireClient) -> None:
    text = 'One here. <break time="1200ms"/> It is <say-as interpret-as="digits">42</say-as> now.'
    await client.send("session.start", markup=True, timestamps="word")
    await client.speak(text)
    first, second = segments(client)
    assert (first["text"], second["text"]) == ("One here.", "It is four two now.")
    here, it = words(client)[1:3]
    assert it["start_ms"] - here["end_ms"] == pytest.approx(1200, abs=10)
    for word in words(client):
        assert text[slice(*word["source"])] == word["text"]


async def test_markup_does_nothing_unless_asked_for(client: WireClient) -> None:
    await client.speak('One here <break time="1200ms"/> and <sub alias="two">one</sub>.')
    (segment,) = segments(client)
    assert segment["text"] == "One here and one."


@pytest.mark.parametrize(
    ("reading", "said"),
    [("skip", []), ("announce", ["Code block."]), ("say", ["total equals one"]), (None, [])],
)
async def test_code_is_read_as_the_server_is_set(
    serve_tone: Serve, reading: str | None, said: list[str]
) -> None:
    set_so = {} if reading is None else {"code_blocks": reading}
    async with serve_tone(**set_so) as server, open_client(server.url) as client:
        await client.speak("Look here:\n\n```\ntotal = 1\n```\n\nThat is all.")
        assert [segment["text"] for segment in segments(client)] == ["Look here:", *said, "That is all."]


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        ("skip", []),
        ("announce", ["Table."]),
        ("say", ["Fruit, Price. apple, two dollars."]),
        (None, ["Fruit, Price. apple, two dollars."]),
    ],
)
async def test_a_table_is_read_as_the_server_is_set(
    serve_tone: Serve, reading: str | None, said: list[str]
) -> None:
    set_so = {} if reading is None else {"tables": reading}
    async with serve_tone(**set_so) as server, open_client(server.url) as client:
        await client.speak(
            "Look here:\n\n| Fruit | Price |\n|-------|-------|\n| apple | $2 |\n\nThat is all."
        )
        assert [segment["text"] for segment in segments(client)] == ["Look here:", *said, "That is all."]


async def test_a_server_that_is_ready_has_built_what_its_languages_need(serve_tone: Serve) -> None:
    """The first text of a language would wait for it otherwise, up to a second."""
    reader.cache_clear()
    async with serve_tone():
        built = reader.cache_info().misses
        for voice in voices_of("tone"):
            assert all(reader(language) is not None for language in voice.languages)
        assert reader.cache_info().misses == built


async def test_text_that_stops_arriving_is_spoken(serve_tone: Serve) -> None:
    async with serve_tone(text_wait_ms=50) as server, open_client(server.url) as client:
        await client.send("text", text="Let me check th")
        assert (await client.until("segment"))["text"] == "Let me check"
        await client.send("text", text="at for you.")
        await client.send("end")
        assert (await client.until("segment"))["text"] == "that for you."
        await client.until("context.done")


async def test_text_that_is_slow_but_not_too_slow_is_cut_as_if_it_were_fast(client: WireClient) -> None:
    """The default is to wait a second."""
    for token in ("Let ", "me ", "check ", "that ", "for ", "you. ", "Yes."):
        await client.send("text", text=token)
        await asyncio.sleep(0.03)
    await client.send("end")
    await client.until("context.done")
    assert [segment["text"] for segment in segments(client)] == ["Let me check that for you.", "Yes."]


@pytest.mark.parametrize("split", [1, 3, 1000])
async def test_the_same_text_sounds_the_same_however_it_was_sent(client: WireClient, split: int) -> None:
    text = (
        "Well, when I think about it for a moment, Dr. Smith paid **$1,250.50** on 2024-01-15. "
        "Das waren 22,1 Prozent mehr als im letzten Jahr, nicht wahr?\n\n- See [this](https://a.example/b).\n"
    )
    packets = []
    for name, size in (("whole", len(text)), ("split", split)):
        for start in range(0, len(text), size):
            await client.send("text", context_id=name, text=text[start : start + size])
        await client.send("end", context_id=name)
        done = await client.until("context.done", context_id=name)
        packets.append([frame.packet for frame in client.frames(done["handle"])])
    assert packets[0] == packets[1] and len(packets[0]) > 100


async def test_stalled_text_waits_for_what_the_listener_still_hears(serve_tone: Serve) -> None:
    """Also for the sound of the context before, and as long as it is paused."""
    async with serve_tone(text_wait_ms=50) as server, open_client(server.url) as client:
        await client.send("text", context_id="a", text="This takes a while to hear.")
        await client.send("end", context_id="a")
        heard = await client.until("context.done", context_id="a")
        assert heard["audio_ms"] > 1000
        await client.send("text", context_id="b", text="Let me check th")
        await client.send("pause", context_id="b")
        await asyncio.sleep(0.3)
        await client.pong()
        assert [segment["context_id"] for segment in segments(client)] == ["a"]
        await client.send("playback", context_id="a", played_ms=heard["audio_ms"])
        await asyncio.sleep(0.3)
        await client.pong()
        assert [segment["context_id"] for segment in segments(client)] == ["a"]
        await client.send("continue", context_id="b")
        assert (await client.until("segment"))["text"] == "Let me check"


@pytest.mark.parametrize(
    ("text", "word", "spoken"),
    [
        ("Salt & pepper is here.", 0, "Salt "),
        ("It is 2 + 2 now.", 2, "It is 2 "),
        ("Here.<break time='1s'/> There.", 0, "Here.<break time='1s'/> "),
        ("I like AT&amp;T now.", 1, "I like "),
    ],
)
async def test_a_cut_falls_before_the_next_word_that_is_said(
    client: WireClient, text: str, word: int, spoken: str
) -> None:
    await client.send("session.start", timestamps="word", markup=True)
    await client.speak(text)
    await client.send("cancel", played_ms=words(client)[word]["end_ms"])
    cancelled = await client.until("context.cancelled")
    assert (cancelled["text_spoken"], cancelled["text_spoken"] + cancelled["text_remaining"]) == (
        spoken,
        text,
    )
