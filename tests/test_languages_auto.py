"""A text in several languages, of which nobody has told which: each sentence by the voice of its own."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.app import running
from realtime.config import Config
from realtime.voices import catalogue
from tests.speech_judges import transcribe, word_error_rate
from tests.test_languages import RATE, bare, likeness
from tests.wire_client import decode, open_client

#: (language, sentence)
SENTENCES = (
    ("en", "This is an English sentence and it is quite easy to understand."),
    ("de", "Und das hier ist ein deutscher Satz, den jeder versteht."),
    ("fr", "Et voici une phrase en français que tout le monde comprend."),
    ("en", "Now we are back to English once more, as you can hear."),
    ("zh", "这是一个中文句子，大家都能听懂。"),
    ("ru", "А это русское предложение, и его тоже все понимают."),
)
TEXT = " ".join(sentence for _, sentence in SENTENCES)


async def test_each_sentence_is_spoken_in_its_language_by_its_voice() -> None:
    async with running(Config(port=0, max_lead_ms=0)) as server, open_client(server.url) as client:
        await client.send("session.start", formats=["pcm_s16le"], timestamps="word")
        await client.send("context.open", buffer="sentence")
        opened = await client.until("context.opened")
        assert (opened["voice"], opened["language"]) == ("heart", "en")
        done = await client.speak(TEXT)
        assert done["reason"] == "completed"
        segments = client.messages("segment")
        assert [(each["language"], each["text"]) for each in segments] == list(SENTENCES)
        words = [word for message in client.messages("words") for word in message["words"]]
        assert "".join(word["text"] for word in words if word["source"][1] <= TEXT.index("这")) == (
            TEXT[: TEXT.index("这")].replace(" ", "")
        )
        sound = decode(client.frames())
    starts = [round(each["start_ms"] * RATE / 1000) for each in segments] + [len(sound)]
    for number, (language, sentence) in enumerate(SENTENCES):
        part = sound[starts[number] : starts[number + 1]]
        if language == "en":
            heard = transcribe(np.concatenate([part, np.zeros(RATE // 2, np.float32)]), RATE)
            assert word_error_rate([sentence], [heard]) <= 0.15, heard
        else:
            assert likeness(part, bare(sentence, f"espeak-{language}", language)) > 0.9, language


async def test_a_barge_in_between_two_voices_frees_both() -> None:
    async with running(Config(port=0, max_lead_ms=0)) as server, open_client(server.url) as client:
        for number in range(5):
            name = f"c{number}"
            await client.send("text", context_id=name, text=TEXT * 3)
            await client.until("segment", context_id=name, language=SENTENCES[number][0])
            await client.send("cancel", context_id=name)
            cancelled = await client.until("context.cancelled", context_id=name)
            assert cancelled["text_spoken"] + cancelled["text_remaining"] == TEXT * 3
        assert (await client.speak("It is noon.", "after"))["reason"] == "completed"
        assert server.scheduler.admitted == 0


async def test_without_the_extra_a_japanese_sentence_does_not_end_its_context(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No voice that is installed reads it; who asks for Japanese is told so, who did not goes on."""
    monkeypatch.setattr(catalogue, "find_spec", lambda name: None)
    text = "The capital is Tokyo and it is large. 今日はとても良い天気です。 That is what they say about it."
    async with running(Config(port=0, engine_runner="thread")) as server, open_client(server.url) as client:
        done = await client.speak(text)
        assert done["reason"] == "completed" and not client.messages("error")
        assert [each["text"] for each in client.messages("segment")] == [
            "The capital is Tokyo and it is large.",
            "That is what they say about it.",
        ]
